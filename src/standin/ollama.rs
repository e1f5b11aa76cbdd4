//! Ollama's wire: generate, chat and embed. Durations on it are true, whole nanoseconds of the engine's clock; metrics
//! that are zero are left out, as Ollama does. Its other routes are in `ollama_models.rs`.

use super::admit::Ask;
use super::call::{Call, Refusal, Reply, hang_up, json, reply, text};
use super::ollama_fields::{Embed, Talk, error, keep_alive, options, unknown_model, unreadable};
use super::ollama_voice::{Voice, durations};
use super::openai_fields::effort;
use super::parse::{Texts, conversation};
use super::spec::Fault;
use super::stream::{Answering, Voice as AnyVoice};
use super::text::{prompt_tokens, push_escaped, templated};
use super::{ollama_models as models, vectors};
use crate::record::Nanos;
use bytes::BytesMut;
use hyper::{Method, StatusCode};
use serde_json::Value;
use std::fmt::Write as _;

/// Answers a request on a path that is not of the OpenAI wire.
pub(super) async fn route(call: Call, method: &Method, path: &str) -> Reply {
    let get = *method == Method::GET || *method == Method::HEAD;
    let post = *method == Method::POST;
    match path {
        "/" if get => text(StatusCode::OK, "Ollama is running"),
        "/api/version" if get => models::version(),
        "/api/tags" if get => models::tags(&call),
        "/api/ps" if get => models::ps(&call),
        "/api/show" if post => models::show(&call),
        "/api/create" if post => models::create(&call),
        "/api/delete" if *method == Method::DELETE => models::delete(&call),
        "/api/generate" if post => talk(call, false).await,
        "/api/chat" if post => talk(call, true).await,
        "/api/embed" if post => embed(call, true).await,
        "/api/embeddings" if post => embed(call, false).await,
        "/" | "/api/version" | "/api/tags" | "/api/ps" | "/api/show" | "/api/create" | "/api/delete"
        | "/api/generate" | "/api/chat" | "/api/embed" | "/api/embeddings" => {
            text(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed")
        }
        _ => text(StatusCode::NOT_FOUND, "404 page not found"),
    }
}

fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Busy => {
            error(StatusCode::SERVICE_UNAVAILABLE, "server busy, please try again.  maximum pending requests exceeded")
        }
        Refusal::HangUp => hang_up(),
        Refusal::Fault => error(StatusCode::INTERNAL_SERVER_ERROR, "a declared fault of the stand-in"),
    }
}

async fn talk(call: Call, chat: bool) -> Reply {
    let talk: Talk<'_> = match serde_json::from_slice(&call.body) {
        Ok(talk) => talk,
        Err(error) => return unreadable(&call.body, &error),
    };
    let engine = &call.engine;
    if let Some(refusal) = check(&call, &talk, chat) {
        return refusal;
    }
    let options = match options(talk.options) {
        Ok(options) => options,
        Err(message) => return error(StatusCode::INTERNAL_SERVER_ERROR, &message),
    };
    let (keep, unload) = keep_alive(talk.keep_alive.as_ref(), engine.clock.now());
    let messages = talk.messages.unwrap_or_default();
    let said = if chat { conversation(&messages) } else { talk.prompt.0 };
    let template_words = if chat && !said.is_empty() { engine.spec.template_tokens } else { 0 };
    let said = templated(said, template_words);
    if if chat { messages.is_empty() } else { said.is_empty() } {
        return load_only(&call, &talk.model, chat, keep, unload).await;
    }
    if talk.debug_render_only == Some(true) {
        return rendered(&call, &talk.model, chat, &said);
    }
    let context = options.num_ctx.map_or(engine.spec.context, |tokens| tokens as u32);
    engine.store.loaded_with(context);
    let mut tokens = prompt_tokens(&said);
    if !talk.system.is_empty() {
        tokens += prompt_tokens(&talk.system) - 1;
    }
    if tokens > context {
        if talk.truncate == Some(false) {
            let message = "the prompt is longer than the context length; shorten it or raise num_ctx";
            return error(StatusCode::BAD_REQUEST, message);
        }
        tokens = context;
    }
    let ask = Ask {
        arrived: call.entered,
        prompt: &said,
        prompt_tokens: tokens,
        limit: options.num_predict.filter(|count| *count >= 1.0).map(|count| count as u32),
        stops: options.stop.as_deref().unwrap_or_default(),
        json: talk.format.as_ref().is_some_and(|format| *format != Value::Null && *format != ""),
        schema: talk.format.as_ref().filter(|format| format.is_object()),
        thinks: true,
        effort: effort(talk.think.as_ref()),
        logprobs: talk.logprobs == Some(true),
        ..Ask::default()
    };
    let mut job = match call.admit(ask).await {
        Ok(job) => job,
        Err(refusal) => return refused(&refusal),
    };
    engine.keep(keep);
    job.unload = unload;
    let voice = Voice::new(&talk.model, chat, !chat && talk.raw != Some(true));
    let streamed = (talk.stream != Some(false)).then_some("application/x-ndjson");
    if streamed.is_some() {
        // Ollama's headers come with its first line.
        job.wait().await;
    }
    call.answer(job, AnyVoice::Ollama(voice), streamed).await
}

/// What the model would read, without an answer.
fn rendered(call: &Call, model: &str, chat: bool, said: &str) -> Reply {
    let (field, empty) =
        if chat { ("message", serde_json::json!({ "role": "", "content": "" })) } else { ("response", "".into()) };
    let whole = serde_json::json!({
        "model": model, "created_at": call.engine.wall(call.engine.clock.now()).to_string(), field: empty, "done": false,
        "_debug_info": { "rendered_template": said },
    });
    json(StatusCode::OK, whole.to_string())
}

/// What can't be asked of this model.
fn check(call: &Call, talk: &Talk<'_>, chat: bool) -> Option<Reply> {
    let bad = |message: &str| Some(error(StatusCode::BAD_REQUEST, message));
    let engine = &call.engine;
    if !engine.store.knows(&talk.model, &engine.spec.model) {
        return Some(unknown_model(&talk.model));
    }
    if !engine.makes_text() {
        let verb = if chat { "chat" } else { "generate" };
        return bad(&format!("\"{}\" does not support {verb}", &*talk.model));
    }
    match &talk.think {
        Some(Value::Bool(true)) if engine.spec.think_tokens == 0 => {
            return bad(&format!("\"{}\" does not support thinking", &*talk.model));
        }
        Some(Value::String(level)) if matches!(level.as_str(), "low" | "medium" | "high" | "max") => {
            if engine.spec.think_tokens == 0 {
                return bad(&format!("\"{}\" does not support thinking", &*talk.model));
            }
        }
        Some(Value::Bool(_) | Value::Null) | None => {}
        Some(_) => return bad("think must be a boolean or string (\"high\", \"medium\", \"low\", \"max\")"),
    }
    if talk.raw == Some(true) && !(talk.template.is_empty() && talk.system.is_empty() && talk.context.is_none()) {
        return bad("raw mode does not support template, system, or context");
    }
    match &talk.format {
        None | Some(Value::Null | Value::Object(_)) => None,
        Some(Value::String(word)) if word.is_empty() || word == "json" => None,
        Some(other) => Some(error(
            StatusCode::INTERNAL_SERVER_ERROR,
            &format!("invalid format: {other}; expected \"json\" or a valid JSON Schema object"),
        )),
    }
}

/// A request without anything said loads the model, or drops it.
async fn load_only(call: &Call, model: &str, chat: bool, keep: Option<Nanos>, unload: bool) -> Reply {
    let engine = &call.engine;
    let reason = if unload {
        engine.unload();
        "unload"
    } else {
        let ready = engine.load(engine.clock.now());
        if ready > engine.clock.now() {
            engine.timer.until(ready).await;
        }
        engine.keep(keep);
        "load"
    };
    let mut out = BytesMut::with_capacity(256);
    Voice::new(model, chat, false).head_at(engine.wall(engine.clock.now()), "", "", &mut out);
    let _ = write!(out, ",\"done\":true,\"done_reason\":\"{reason}\"}}");
    json(StatusCode::OK, out.freeze())
}

async fn embed(call: Call, batch: bool) -> Reply {
    let asked: Embed<'_> = match serde_json::from_slice(&call.body) {
        Ok(asked) => asked,
        Err(error) => return unreadable(&call.body, &error),
    };
    let engine = &call.engine;
    if !engine.store.knows(&asked.model, &engine.spec.model) {
        return unknown_model(&asked.model);
    }
    if !engine.makes_vectors() {
        let message = "This server does not support embeddings. Start it with `--embeddings`";
        return error(StatusCode::NOT_IMPLEMENTED, message);
    }
    let options = match options(asked.options) {
        Ok(options) => options,
        Err(message) => return error(StatusCode::INTERNAL_SERVER_ERROR, &message),
    };
    let context = options.num_ctx.map_or(engine.spec.context, |tokens| tokens as u32);
    engine.store.loaded_with(context);
    let inputs = if batch { asked.input } else { Texts(vec![asked.prompt]) };
    let counts: Vec<u32> = inputs.0.iter().map(|text| prompt_tokens(text)).collect();
    if asked.truncate == Some(false) && counts.iter().any(|count| *count > context) {
        return error(StatusCode::BAD_REQUEST, "the input length exceeds the context length");
    }
    let mut out = BytesMut::with_capacity(256);
    if inputs.0.is_empty() || (!batch && inputs.0[0].is_empty()) {
        out.extend_from_slice(if batch { b"{\"model\":\"" } else { b"{\"embedding\":[]}" });
        if batch {
            push_escaped(&mut out, &asked.model);
            out.extend_from_slice(b"\",\"embeddings\":[]}");
        }
        return json(StatusCode::OK, out.freeze());
    }
    let said = inputs.joined();
    let tokens = counts.iter().map(|count| count.min(&context)).sum();
    let ask = Ask { arrived: call.entered, prompt: &said, prompt_tokens: tokens, embed: true, ..Ask::default() };
    let mut job = match call.admit(ask).await {
        Ok(job) => job,
        Err(refusal) => return refused(&refusal),
    };
    let (keep, unload) = keep_alive(asked.keep_alive.as_ref(), job.granted);
    engine.keep(keep);
    job.unload = unload;
    let size = asked.dimensions.filter(|size| *size > 0).unwrap_or(engine.spec.dimensions).min(65536);
    let vector = |text: &str| vectors::embed(text, size, engine.spec.embed_noise, engine.spec.seed);
    let vectors: Vec<Vec<f32>> = inputs.0.iter().map(|text| vector(text)).collect();
    call.finish(&mut job).await;
    if matches!(job.fault, Some(Fault::ErrorFrame | Fault::Truncate)) {
        Voice::error(&mut out);
        return json(StatusCode::OK, out.freeze());
    }
    let body = if batch {
        let vectors = serde_json::to_string(&vectors).unwrap_or_default();
        out.extend_from_slice(b"{\"model\":\"");
        push_escaped(&mut out, &asked.model);
        let _ = write!(out, "\",\"embeddings\":{vectors}");
        durations(&job, &mut out);
        let _ = write!(out, ",\"prompt_eval_count\":{tokens}}}");
        out.freeze()
    } else {
        format!("{{\"embedding\":{}}}", vectors::text(vectors.first().map_or(&[], Vec::as_slice))).into()
    };
    reply(StatusCode::OK, "application/json; charset=utf-8", Answering::whole(body, job.fault))
}
