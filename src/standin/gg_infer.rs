//! Inference on GG-CORE's wire: what it refuses and how, whole answers and streams, and the habits of the real one
//! that spoil benchmarks (asked for with `--gg-faithful`).

use super::admit::{Ask, Busy};
use super::engine::millis;
use super::gg_link::{Link, Next, Server, framed};
use super::job::Job;
use super::parse::Text;
use super::spec::Fault;
use super::text::{Finish, prompt_tokens};
use crate::record::Nanos;
use crate::workload::text_hash;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Characters that a stream of the real one holds back.
const HELD_BACK: usize = 128;
/// Prompt and output that fit together in the real one's context.
const CONTEXT: u32 = 2048;
/// The largest prompt it admits, in its own estimate: bytes / 4.
const MOST_PROMPT: usize = 4096;

#[derive(Deserialize)]
pub(super) struct Inference<'a> {
    request_id: u64,
    #[serde(borrow, default)]
    model_id: Text<'a>,
    #[serde(borrow, default)]
    prompt: Text<'a>,
    pub(super) parameters: Parameters,
}

#[derive(Deserialize)]
pub(super) struct Parameters {
    max_tokens: u32,
    temperature: f64,
    top_p: f64,
    /// Mandatory on the wire, without effect here.
    #[serde(rename = "top_k")]
    _top_k: u32,
    #[serde(default)]
    pub(super) stream: bool,
    timeout_ms: Option<u64>,
}

/// Why a request is not served.
enum Refusal {
    /// An error in the answer: its code and text.
    Answer(&'static str, String),
    /// An error for an ordinary request, silence for a stream.
    Overload(String),
    /// A stream's good end without any text.
    Nothing,
}

/// Answers an inference request of an authenticated session.
pub(super) async fn infer(
    server: &Arc<Server>,
    link: &mut Link,
    asked: &Inference<'_>,
    arrived: Nanos,
) -> io::Result<Next> {
    let stream = asked.parameters.stream;
    let tokens = prompt_tokens(&asked.prompt);
    if let Some(quirk) = server.engine.spec.quirks.names.first() {
        let why = format!("the quirk `{}` doesn't apply to the GG-CORE wire", quirk.name());
        return link.error(500, &why, Next::Open).await;
    }
    let draw = server.engine.draw(&asked.prompt);
    if let Some(tape) = &link.tape {
        tape.note(|row| {
            row.text_hash = Some(text_hash(asked.prompt.as_bytes()));
            row.prompt_tokens = Some(tokens);
            row.fault = draw.fault.map_or("", Fault::name);
        });
    }
    let id = asked.request_id.wrapping_add(u64::from(draw.fault == Some(Fault::WrongId)));
    if draw.fault == Some(Fault::HangUp) {
        return Ok(Next::Close);
    }
    let allowed = check(server, asked).and_then(|()| match draw.fault {
        Some(Fault::Status) => Err(failed("a declared fault of the stand-in")),
        _ => Ok(()),
    });
    if let Err(refusal) = allowed {
        return refuse(link, id, stream, refusal).await;
    }
    let _turn = server.worker.turn(stream).await;
    let ask = Ask {
        arrived,
        prompt: &asked.prompt,
        prompt_tokens: tokens,
        limit: Some(asked.parameters.max_tokens),
        ..Ask::default()
    };
    let mut job = match server.engine.admit(ask, draw).await {
        Ok(job) => job,
        Err(Busy) => return refuse(link, id, stream, Refusal::Overload("request queue is full".into())).await,
    };
    if let Some(tape) = &link.tape {
        tape.note(|row| row.slot = Some(job.granted));
    }
    // The real one looks at the deadline only when the request's turn has come.
    let late = asked.parameters.timeout_ms.is_some_and(|ms| job.granted.since(arrived) > millis(ms as f64));
    if !stream && late {
        job.free();
        return refuse(link, id, stream, failed("worker dropped response channel")).await;
    }
    if stream { streamed(server, link, id, job).await } else { whole(server, link, id, job).await }
}

fn failed(message: &str) -> Refusal {
    Refusal::Answer("execution_failed", message.into())
}

/// What can't be asked.
fn check(server: &Server, asked: &Inference<'_>) -> Result<(), Refusal> {
    let (spec, given) = (&server.engine.spec, &asked.parameters);
    for (name, value) in [("model_id", &asked.model_id), ("prompt", &asked.prompt)] {
        if value.is_empty() {
            return Err(Refusal::Answer("input_invalid", format!("Missing required field: {name}")));
        }
    }
    if spec.gg_core.other_models.iter().any(|other| *other == *asked.model_id) {
        return Err(failed(NO_TEXT));
    }
    if *asked.model_id != *spec.model {
        return Err(Refusal::Answer("model_not_loaded", format!("Model not loaded: {}", &*asked.model_id)));
    }
    if !server.engine.makes_text() {
        return Err(failed(NO_TEXT));
    }
    match given {
        Parameters { max_tokens: 0, stream: true, .. } => return Err(Refusal::Nothing),
        Parameters { max_tokens: 0, .. } => return Err(failed("Invalid parameters: max_tokens must be > 0")),
        Parameters { temperature, .. } if *temperature < 0.0 => {
            return Err(failed("Invalid parameters: temperature must be >= 0"));
        }
        Parameters { temperature, .. } if *temperature > 2.0 => {
            return Err(failed("temperature must be between 0.0 and 2.0"));
        }
        Parameters { top_p, .. } if !(*top_p > 0.0 && *top_p <= 1.0) => {
            return Err(failed("Invalid parameters: top_p must be in (0, 1]"));
        }
        Parameters { timeout_ms: Some(0), stream: false, .. } => {
            return Err(failed("worker dropped response channel"));
        }
        _ => {}
    }
    if asked.prompt.contains("gnore all previous instructions") {
        let whole = "request rejected by security policy";
        return Err(failed(if given.stream { "prompt rejected by ingress security scan" } else { whole }));
    }
    if asked.prompt.len() / 4 > MOST_PROMPT {
        let message = format!("prompt too large: ~{} tokens (max {MOST_PROMPT})", asked.prompt.len() / 4);
        return Err(Refusal::Overload(message));
    }
    Ok(())
}

async fn refuse(link: &mut Link, id: u64, stream: bool, refusal: Refusal) -> io::Result<Next> {
    let (code, message) = match refusal {
        // No reply at all; the connection stays open.
        Refusal::Overload(_) if stream => return Ok(Next::Open),
        Refusal::Overload(message) => ("admission_rejected", Some(message)),
        Refusal::Answer(code, message) => (code, Some(message)),
        Refusal::Nothing => ("", None),
    };
    let text = if stream { final_chunk(id, message.as_deref()) } else { failure(id, code, message.as_deref()) };
    link.last(&text).await?;
    Ok(Next::Open)
}

fn failure(id: u64, code: &str, message: Option<&str>) -> String {
    json!({
        "type": "inference_response", "request_id": id, "output": "", "tokens_generated": 0, "finished": true,
        "error": message, "error_code": code,
    })
    .to_string()
}

fn final_chunk(id: u64, error: Option<&str>) -> String {
    json!({ "type": "stream_chunk", "request_id": id, "token": 0, "is_final": true, "error": error }).to_string()
}

/// Whether the real one would lose this answer for want of room.
fn overflows(server: &Server, job: &Job) -> bool {
    server.engine.spec.gg_core.faithful && job.prompt_tokens.saturating_add(job.answer.tokens) > CONTEXT
}

const NO_ROOM: &str = "decode: Decode Error 1: NoKvCacheSlot";
/// What a model that makes no text is said to have done.
const NO_TEXT: &str = "Model returned non-generation output";
/// What comes in the place of the end of a stream that its model ended by itself.
const NO_END: &str = "Inference failed: Model error: detok: Unknown Token Type";

/// Tokens by the real one's count, which leaves the end token out.
fn counted(job: &Job) -> u32 {
    job.made - u32::from(job.answer.finish == Finish::Stop && job.made > 0)
}

fn note_free(link: &Link, job: &mut Job) {
    let free = job.free();
    if let Some(tape) = &link.tape {
        tape.made(job, free);
    }
}

async fn whole(server: &Server, link: &mut Link, id: u64, mut job: Job) -> io::Result<Next> {
    job.whole().await;
    note_free(link, &mut job);
    if overflows(server, &job) {
        return refuse(link, id, false, failed(NO_ROOM)).await;
    }
    let text = json!({
        "type": "inference_response", "request_id": id, "output": job.answer.whole(), "tokens_generated": counted(&job),
        "finished": true, "error": null,
    })
    .to_string();
    let frame = framed(&text);
    match job.fault {
        Some(Fault::ErrorFrame) => return link.error(500, UNESCAPED, Next::Close).await,
        Some(Fault::Truncate) => return Ok(Next::Close),
        Some(Fault::Cut) => {
            link.write(&frame[..frame.len() / 2]).await?;
            return Ok(Next::Close);
        }
        _ => send(server, link, &frame, job.fault).await?,
    }
    link.served();
    server.served.fetch_add(1, Relaxed);
    server.took.fetch_add(server.engine.clock.now().since(job.arrived).0, Relaxed);
    Ok(Next::Open)
}

/// The message of a declared error frame: its quotes are not escaped.
const UNESCAPED: &str = r#"a declared fault: expected "text", found "nothing""#;

/// Writes a frame, in two halves if it is to be split.
async fn send(server: &Server, link: &mut Link, frame: &[u8], fault: Option<Fault>) -> io::Result<()> {
    if fault != Some(Fault::Split) {
        return link.write(frame).await;
    }
    let (first, second) = frame.split_at(frame.len() / 2);
    link.write(first).await?;
    server.engine.timer.until(server.engine.clock.now() + millis(0.2)).await;
    link.write(second).await
}

async fn streamed(server: &Server, link: &mut Link, id: u64, mut job: Job) -> io::Result<Next> {
    let spec = &server.engine.spec;
    let mut held = String::new();
    let mut out = Vec::new();
    while job.made < job.goal() {
        job.wait().await;
        let index = job.make();
        held.push_str(job.answer.piece(index));
        let end = if spec.gg_core.faithful { boundary(&held) } else { held.len() };
        if end > 0 {
            chunk(id, held.drain(..end).as_str(), &mut out);
        }
        let more = spec.coalesce && job.made < job.goal() && job.due() <= server.engine.clock.now();
        if !more && !out.is_empty() {
            if let Some(tape) = &link.tape {
                tape.token();
            }
            send(server, link, &out, job.fault).await?;
            out.clear();
        }
    }
    note_free(link, &mut job);
    match job.fault {
        Some(Fault::ErrorFrame) => return link.error(500, UNESCAPED, Next::Close).await,
        Some(Fault::Truncate) => return Ok(Next::Close),
        Some(Fault::Cut) => {
            let frame = framed(&final_chunk(id, None));
            link.write(&frame[..frame.len() / 2]).await?;
            return Ok(Next::Close);
        }
        _ => {}
    }
    if !held.is_empty() {
        chunk(id, &held, &mut out);
        if let Some(tape) = &link.tape {
            tape.token();
        }
        send(server, link, &out, job.fault).await?;
    }
    let ended = spec.gg_core.faithful && job.answer.finish == Finish::Stop;
    let error = if overflows(server, &job) { Some(NO_ROOM) } else { ended.then_some(NO_END) };
    let end = framed(&final_chunk(id, error));
    send(server, link, &end, job.fault).await?;
    link.served();
    Ok(Next::Open)
}

/// Appends a frame with text.
fn chunk(id: u64, text: &str, out: &mut Vec<u8>) {
    let text = serde_json::to_string(text).unwrap_or_default();
    out.extend_from_slice(&framed(&format!(
        r#"{{"type":"stream_chunk","request_id":{id},"token":0,"text":{text},"is_final":false,"error":null}}"#
    )));
}

/// Where a text is cut so that at least the held-back characters remain behind a whole word.
fn boundary(held: &str) -> usize {
    let most = held.len().saturating_sub(HELD_BACK);
    held.get(..most).and_then(|free| free.rfind(' ')).map_or(0, |space| space)
}

/// Generates one token at low priority, without a session.
pub(super) async fn warm_up(server: &Arc<Server>, model: &str, arrived: Nanos) -> String {
    let engine = &server.engine;
    let mut error = Value::Null;
    if engine.spec.gg_core.other_models.iter().any(|other| other == model) {
        error = format!("Inference failed: {NO_TEXT}").into();
    } else if model != engine.spec.model {
        error = format!("Model not loaded: {model}").into();
        // It looks into its line all the same, at no cost.
        server.worker.wake();
    } else {
        let _turn = server.worker.turn(false).await;
        let ask = Ask { arrived, prompt: "Hello", prompt_tokens: 2, limit: Some(1), ..Ask::default() };
        match engine.admit(ask, super::admit::Draw::default()).await {
            Ok(mut job) => job.whole().await,
            Err(Busy) => error = "request queue is full".into(),
        }
    }
    let elapsed = engine.clock.now().since(arrived).0 / 1_000_000;
    let success = error.is_null();
    json!({
        "type": "warmup_response", "model_id": model, "success": success, "error": error, "elapsed_ms": elapsed,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_and_twenty_eight_characters_are_held_back() {
        assert_eq!(boundary(&" word".repeat(25)), 0);
        let long = " word".repeat(40);
        let end = boundary(&long);
        assert!(long.len() - end >= HELD_BACK && end > 0, "{end}");
        assert!(long[end..].starts_with(' '));
    }
}
