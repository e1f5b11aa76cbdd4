//! Ollama's own API: `/api/generate`, `/api/chat`, `/api/embed`; one JSON object a line.
//!
//! Everything an engine could have a default of its own for is sent. A stream without `done: true` is a failure, and
//! so is an `error` line inside a 200.

use super::answer::Answer;
use super::render::{Asked, Settings, label_schema};
use crate::record::Nanos;
use crate::scenario::{Constrain, OllamaSpec, PromptFormat, Task};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The path of a request.
pub(super) fn path(settings: &Settings) -> &'static str {
    match (settings.task, settings.format) {
        (Task::Embed, _) => "/api/embed",
        (_, PromptFormat::Raw) => "/api/generate",
        (_, PromptFormat::Chat) => "/api/chat",
    }
}

/// The body of a request.
pub(super) fn body(spec: &OllamaSpec, model: &str, settings: &Settings, asked: &Asked<'_>) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    match (settings.task, settings.format) {
        (Task::Embed, _) => {
            body.insert("input".into(), asked.prompt.clone().into());
            // A text that is too long must fail: by default it is cut without a word.
            body.insert("truncate".into(), false.into());
        }
        (_, PromptFormat::Raw) => {
            body.insert("prompt".into(), asked.prompt.clone().into());
            body.insert("raw".into(), true.into());
        }
        (_, PromptFormat::Chat) => {
            body.insert("messages".into(), asked.messages());
        }
    }
    if settings.task != Task::Embed {
        body.insert("stream".into(), settings.stream.into());
        body.insert("truncate".into(), false.into());
        // Unset means "think" on models that can.
        body.insert("think".into(), spec.think.into());
        if settings.constrain == Constrain::Schema {
            body.insert("format".into(), label_schema(&settings.labels));
        }
    }
    body.insert("keep_alive".into(), keep_alive(&spec.keep_alive));
    body.insert("options".into(), options(spec, settings, asked.max_tokens));
    Value::Object(body)
}

/// Sampling and load options. The load-time ones must be equal in every request, or the model is loaded again.
fn options(spec: &OllamaSpec, settings: &Settings, max_tokens: u32) -> Value {
    let sampling = &settings.sampling;
    let mut options = Map::new();
    if settings.task != Task::Embed {
        options.insert("num_predict".into(), max_tokens.into());
        options.insert("temperature".into(), sampling.temperature.into());
        options.insert("top_k".into(), sampling.top_k.into());
        options.insert("top_p".into(), sampling.top_p.into());
        options.insert("min_p".into(), sampling.min_p.into());
        options.insert("repeat_penalty".into(), sampling.repeat_penalty.into());
        options.insert("repeat_last_n".into(), sampling.repeat_last_n.into());
        options.insert("presence_penalty".into(), 0.0.into());
        options.insert("frequency_penalty".into(), 0.0.into());
        options.insert("seed".into(), settings.engine_seed().into());
        if !sampling.stop.is_empty() {
            options.insert("stop".into(), json!(sampling.stop));
        }
    }
    if let Some(num_ctx) = spec.num_ctx {
        options.insert("num_ctx".into(), num_ctx.into());
    }
    for (key, value) in &spec.options {
        options.insert(key.clone(), value.clone());
    }
    Value::Object(options)
}

/// A bare number is seconds and must go out as a number: as a text it would lack its unit.
pub(super) fn keep_alive(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    response: Cow<'a, str>,
    #[serde(borrow, default)]
    thinking: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    error: Option<Value>,
    total_duration: Option<u64>,
    load_duration: Option<u64>,
    prompt_eval_count: Option<u64>,
    prompt_eval_cached_count: Option<u64>,
    prompt_eval_duration: Option<u64>,
    eval_count: Option<u64>,
    eval_duration: Option<u64>,
    embeddings: Option<Vec<Vec<f32>>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Cow<'a, str>,
    #[serde(borrow, default)]
    thinking: Cow<'a, str>,
}

/// Takes one line of a stream, or a whole answer (`streamed` false).
pub(super) fn take(answer: &mut Answer, line: &[u8], stamp: Nanos, streamed: bool) {
    if line.trim_ascii().is_empty() {
        return;
    }
    let line: Line<'_> = match serde_json::from_slice(line) {
        Ok(line) => line,
        Err(error) => return answer.fail(format!("a line that is not Ollama's JSON: {error}")),
    };
    if let Some(error) = line.error {
        return answer.fail(error.as_str().map_or_else(|| error.to_string(), str::to_owned));
    }
    let (text, thought) = match &line.message {
        Some(message) => (message.content.as_ref(), message.thinking.as_ref()),
        None => (line.response.as_ref(), line.thinking.as_ref()),
    };
    match (streamed, text.is_empty(), thought.is_empty()) {
        (true, false, _) => answer.piece(text, stamp),
        (true, true, false) => answer.thought(stamp),
        (false, _, unthought) => {
            if !unthought {
                answer.whole_thought();
            }
            answer.whole(text);
        }
        _ => {}
    }
    let embedded = line.embeddings.is_some();
    if let Some(vector) = line.embeddings.and_then(|all| all.into_iter().next()) {
        answer.vector = Some(vector);
    }
    if !line.done && !embedded {
        if !streamed {
            answer.fail("an answer with `done` false: the engine gave up on it");
        }
        return;
    }
    answer.done = Some(stamp);
    answer.finish = line.done_reason;
    answer.server_total = line.total_duration.map(Nanos);
    answer.server_load = line.load_duration.map(Nanos);
    answer.prompt_tokens = line.prompt_eval_count;
    answer.cached_tokens = line.prompt_eval_cached_count;
    if !embedded {
        // Zero-valued fields are left out on the wire: on a final line absent means zero.
        answer.prompt_tokens = Some(line.prompt_eval_count.unwrap_or(0));
        answer.output_tokens = Some(line.eval_count.unwrap_or(0));
        answer.server_prompt = line.prompt_eval_duration.map(Nanos);
        answer.server_output = line.eval_duration.map(Nanos);
    }
}
