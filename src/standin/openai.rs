//! The OpenAI wire as llama-server speaks it: server-sent events, a role before the first token, `timings` in
//! milliseconds, `[DONE]` at the end. As there, the `model` of a request is not checked.

use super::admit::Ask;
use super::call::{Call, EVENTS, Reply, json, reply};
use super::openai_fields::{effort, error, format, invalid, refused};
use super::openai_voice::{BROKEN, Voice};
use super::parse::{Message, Text, Texts, conversation};
use super::spec::Fault;
use super::stream::{Answering, Voice as AnyVoice};
use super::text::{prompt_tokens, templated};
use super::{messages, responses, vectors};
use crate::record::Nanos;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::BytesMut;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json as object};
use std::fmt::Write as _;

#[derive(Deserialize)]
struct Talk<'a> {
    #[serde(borrow)]
    prompt: Option<Texts<'a>>,
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    n_predict: Option<i64>,
    #[serde(borrow, default)]
    stop: Texts<'a>,
    response_format: Option<Value>,
    reasoning_effort: Option<Value>,
    ignore_eos: Option<bool>,
    logprobs: Option<Value>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Embed<'a> {
    #[serde(borrow)]
    input: Option<Texts<'a>>,
    #[serde(borrow, default)]
    encoding_format: Text<'a>,
    dimensions: Option<u32>,
}

/// Whether a path belongs to this wire.
pub(super) fn speaks(path: &str) -> bool {
    path.starts_with("/v1/") || matches!(path, "/health" | "/props" | "/slots" | "/apply-template" | "/tokenize")
}

/// Answers a request on this wire's paths; a wrong method is a wrong path, as with llama-server.
pub(super) async fn route(call: Call, method: &Method, path: &str) -> Reply {
    let get = *method == Method::GET || *method == Method::HEAD;
    let post = *method == Method::POST;
    match path {
        "/health" | "/v1/health" if get => health(&call),
        "/props" if get => props(&call),
        "/slots" if get => slots(&call),
        "/v1/models" if get => models(&call),
        "/v1/chat/completions" if post => talk(call, true).await,
        "/v1/completions" if post => talk(call, false).await,
        "/apply-template" if post => apply_template(&call),
        "/tokenize" if post => tokenize(&call),
        "/v1/responses" if post => responses::talk(call).await,
        "/v1/messages" if post => messages::talk(call).await,
        "/v1/embeddings" if post => embed(call).await,
        _ => match path.strip_prefix("/v1/models/") {
            Some(name) if get && call.engine.store.knows(name, &call.engine.spec.model) => {
                json(StatusCode::OK, model(&call).to_string())
            }
            _ => error(StatusCode::NOT_FOUND, "not_found_error", "File Not Found"),
        },
    }
}

fn health(call: &Call) -> Reply {
    let engine = &call.engine;
    // A model that nobody has asked for yet is not on its way: asking is what loads it.
    let now = engine.clock.now();
    if !engine.is_loaded(now) && engine.spec.load_ms > 0.0 && engine.load(now) > now {
        return error(StatusCode::SERVICE_UNAVAILABLE, "unavailable_error", "Loading model");
    }
    json(StatusCode::OK, r#"{"status":"ok"}"#)
}

fn props(call: &Call) -> Reply {
    let spec = &call.engine.spec;
    let whole = object!({
        "default_generation_settings": { "n_ctx": spec.context, "params": { "n_predict": spec.output_tokens } },
        "total_slots": spec.slots, "model_alias": spec.model, "model_path": spec.model, "chat_template": "",
        "build_info": super::ollama_models::VERSION,
    });
    json(StatusCode::OK, whole.to_string())
}

fn slots(call: &Call) -> Reply {
    let spec = &call.engine.spec;
    let slot = |id| object!({ "id": id, "n_ctx": spec.context, "speculative": spec.draft > 0 });
    json(StatusCode::OK, Value::from((0..spec.slots).map(slot).collect::<Vec<_>>()).to_string())
}

fn model(call: &Call) -> Value {
    let engine = &call.engine;
    let meta = object!({
        "n_ctx": engine.spec.context, "n_ctx_train": engine.spec.context, "n_embd": engine.spec.dimensions,
    });
    let created = engine.wall(Nanos(0)).as_second();
    let name = &engine.spec.model;
    object!({ "id": name, "object": "model", "created": created, "owned_by": "loadcmp-standin", "meta": meta })
}

fn models(call: &Call) -> Reply {
    json(StatusCode::OK, object!({ "object": "list", "data": [model(call)] }).to_string())
}

/// What a conversation is to the model, without an answer.
fn apply_template(call: &Call) -> Reply {
    let talk: Talk<'_> = match serde_json::from_slice(&call.body) {
        Ok(talk) => talk,
        Err(error) => return invalid(&error.to_string()),
    };
    let messages = talk.messages.unwrap_or_default();
    let prompt = templated(conversation(&messages), call.engine.spec.template_tokens);
    json(StatusCode::OK, object!({ "prompt": prompt }).to_string())
}

/// Numbers for the tokens of a text.
fn tokenize(call: &Call) -> Reply {
    #[derive(Deserialize)]
    struct TokenizeBody<'a> {
        #[serde(borrow, default)]
        content: Text<'a>,
    }
    match serde_json::from_slice::<TokenizeBody<'_>>(&call.body) {
        Ok(asked) => {
            let tokens: Vec<u32> = (0..prompt_tokens(&asked.content.0)).collect();
            json(StatusCode::OK, object!({ "tokens": tokens }).to_string())
        }
        Err(error) => invalid(&error.to_string()),
    }
}

async fn talk(call: Call, chat: bool) -> Reply {
    let talk: Talk<'_> = match serde_json::from_slice(&call.body) {
        Ok(talk) => talk,
        Err(error) => return invalid(&error.to_string()),
    };
    let engine = &call.engine;
    if !engine.makes_text() {
        let message = "this model makes embeddings only";
        return error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message);
    }
    let (messages, prompts) = (talk.messages.unwrap_or_default(), talk.prompt.unwrap_or_default());
    let said = match (chat, messages.is_empty(), prompts.0.len()) {
        (true, true, _) => return invalid("\"messages\" is required and must not be empty"),
        (true, false, _) => templated(conversation(&messages), engine.spec.template_tokens),
        (false, _, 0) => return invalid("\"prompt\" is required"),
        (false, _, 1) => prompts.joined(),
        (false, ..) => return invalid("the stand-in takes one prompt per request"),
    };
    let tokens = prompt_tokens(&said);
    if tokens > engine.spec.context {
        let inside = object!({
            "code": 400, "message": "the request exceeds the available context size. try increasing the context size",
            "type": "exceed_context_size_error", "n_prompt_tokens": tokens, "n_ctx": engine.spec.context,
        });
        return json(StatusCode::BAD_REQUEST, object!({ "error": inside }).to_string());
    }
    let limit = talk.max_completion_tokens.or(talk.max_tokens).or(talk.n_predict);
    let (is_json, schema) = format(talk.response_format.as_ref());
    let stops = talk.stop.owned();
    let ask = Ask {
        arrived: call.entered,
        prompt: &said,
        prompt_tokens: tokens,
        // Zero still makes one token.
        limit: limit.filter(|count| *count >= 0).map(|count| u32::try_from(count.max(1)).unwrap_or(u32::MAX)),
        stops: &stops,
        json: is_json,
        schema,
        // Plain completions have no place for them.
        thinks: chat,
        goes_on: talk.ignore_eos == Some(true),
        effort: effort(talk.reasoning_effort.as_ref()),
        logprobs: talk.logprobs.is_some_and(|wanted| wanted == true || wanted.as_u64() > Some(0)),
        ..Ask::default()
    };
    let job = match call.admit(ask).await {
        Ok(job) => job,
        Err(refusal) => return refused(&refusal),
    };
    let usage = talk.stream_options.and_then(|options| options.include_usage) == Some(true);
    let voice = Voice::new(&job, chat, usage);
    // Headers and role go out at once, long before a first token.
    let streamed = (talk.stream == Some(true)).then_some(EVENTS);
    call.answer(job, AnyVoice::OpenAi(voice), streamed).await
}

async fn embed(call: Call) -> Reply {
    let asked: Embed<'_> = match serde_json::from_slice(&call.body) {
        Ok(asked) => asked,
        Err(error) => return invalid(&error.to_string()),
    };
    let engine = &call.engine;
    if !engine.makes_vectors() {
        let message = "This server does not support embeddings. Start it with `--embeddings`";
        return error(StatusCode::NOT_IMPLEMENTED, "not_supported_error", message);
    }
    let inputs = match asked.input {
        Some(inputs) if !inputs.0.is_empty() => inputs,
        _ => return invalid("\"input\" must be provided and not empty"),
    };
    let base64 = match &*asked.encoding_format {
        "" | "float" => false,
        "base64" => true,
        _ => return invalid("The format to return the embeddings in. Can be either float or base64"),
    };
    let tokens: u32 = inputs.0.iter().map(|text| prompt_tokens(text)).sum();
    let said = inputs.joined();
    let ask = Ask { arrived: call.entered, prompt: &said, prompt_tokens: tokens, embed: true, ..Ask::default() };
    let mut job = match call.admit(ask).await {
        Ok(job) => job,
        Err(refusal) => return refused(&refusal),
    };
    let size = asked.dimensions.filter(|size| *size > 0).unwrap_or(engine.spec.dimensions).min(65536);
    let mut out = BytesMut::with_capacity(256 + inputs.0.len() * size as usize * 12);
    let name = serde_json::to_string(&engine.spec.model).unwrap_or_default();
    let usage = format!("{{\"prompt_tokens\":{tokens},\"total_tokens\":{tokens}}}");
    let _ = write!(out, "{{\"model\":{name},\"object\":\"list\",\"usage\":{usage},\"data\":[");
    for (index, text) in inputs.0.iter().enumerate() {
        let vector = vectors::embed(text, size, engine.spec.embed_noise, engine.spec.seed);
        let embedding = if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            format!("\"{}\"", BASE64_STANDARD.encode(bytes))
        } else {
            vectors::text(&vector)
        };
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(out, "{comma}{{\"embedding\":{embedding},\"index\":{index},\"object\":\"embedding\"}}");
    }
    out.extend_from_slice(b"]}");
    call.finish(&mut job).await;
    let whole = match job.fault {
        Some(Fault::ErrorFrame | Fault::Truncate) => BROKEN.into(),
        _ => out.freeze(),
    };
    reply(StatusCode::OK, "application/json; charset=utf-8", Answering::whole(whole, job.fault))
}
