//! OpenAI-compatible servers: chat completions, completions, embeddings; server-sent events, `[DONE]` at the end.
//!
//! llama-server's `timings` are taken where they come. A role chunk and empty content are no token.

use super::answer::{Answer, millis};
use super::render::{Asked, Settings, label_schema};
use crate::record::Nanos;
use crate::scenario::{Constrain, OpenAiSpec, PromptFormat, Task};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The path of a request, under the `/v1` that the endpoint's prefix ends in.
pub(super) fn path(settings: &Settings) -> &'static str {
    match (settings.task, settings.format) {
        (Task::Embed, _) => "/embeddings",
        (_, PromptFormat::Raw) => "/completions",
        (_, PromptFormat::Chat) => "/chat/completions",
    }
}

/// The body of a request.
pub(super) fn body(spec: &OpenAiSpec, model: &str, settings: &Settings, asked: &Asked<'_>) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    if settings.task == Task::Embed {
        body.insert("input".into(), asked.prompt.clone().into());
        body.insert("encoding_format".into(), "float".into());
    } else {
        match settings.format {
            PromptFormat::Raw => body.insert("prompt".into(), asked.prompt.clone().into()),
            PromptFormat::Chat => body.insert("messages".into(), asked.messages()),
        };
        let sampling = &settings.sampling;
        body.insert("stream".into(), settings.stream.into());
        if settings.stream {
            body.insert("stream_options".into(), json!({"include_usage": true}));
        }
        body.insert("max_tokens".into(), asked.max_tokens.into());
        body.insert("temperature".into(), sampling.temperature.into());
        body.insert("top_p".into(), sampling.top_p.into());
        body.insert("presence_penalty".into(), 0.0.into());
        body.insert("frequency_penalty".into(), 0.0.into());
        body.insert("seed".into(), settings.engine_seed().into());
        // Not OpenAI's, but local servers have defaults for them that differ from Ollama's. `extra: {top_k: null}` takes
        // one out for a server that refuses it.
        body.insert("top_k".into(), sampling.top_k.into());
        body.insert("min_p".into(), sampling.min_p.into());
        body.insert("repeat_penalty".into(), sampling.repeat_penalty.into());
        body.insert("repeat_last_n".into(), sampling.repeat_last_n.into());
        if !sampling.stop.is_empty() {
            body.insert("stop".into(), json!(sampling.stop));
        }
        if settings.constrain == Constrain::Schema {
            body.insert(
                "response_format".into(),
                json!({"type": "json_schema", "json_schema":
                    {"name": "label", "strict": true, "schema": label_schema(&settings.labels)}}),
            );
        }
    }
    for (key, value) in &spec.extra {
        if value.is_null() {
            body.shift_remove(key);
        } else {
            body.insert(key.clone(), value.clone());
        }
    }
    Value::Object(body)
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    usage: Option<Usage>,
    timings: Option<Timings>,
    error: Option<Value>,
    data: Option<Vec<Embedding>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Message<'a>>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reasoning: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Timings {
    cache_n: Option<u64>,
    prompt_n: Option<u64>,
    prompt_ms: Option<f64>,
    predicted_n: Option<u64>,
    predicted_ms: Option<f64>,
}

#[derive(Deserialize)]
struct Embedding {
    embedding: Vec<f32>,
}

/// Takes the data of one event, or a whole answer (`streamed` false).
pub(super) fn take(answer: &mut Answer, data: &[u8], stamp: Nanos, streamed: bool) {
    let data = data.trim_ascii();
    if streamed && data == b"[DONE]" {
        answer.done = Some(stamp);
        return;
    }
    let chunk: Chunk<'_> = match serde_json::from_slice(data) {
        Ok(chunk) => chunk,
        Err(error) => return answer.fail(format!("an event that is not OpenAI's JSON: {error}")),
    };
    if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
        return answer.fail(error_text(&error));
    }
    for choice in &chunk.choices {
        let message = choice.delta.as_ref().or(choice.message.as_ref());
        let text = message.and_then(|m| m.content.as_deref()).or(choice.text.as_deref()).unwrap_or_default();
        let thought = message
            .and_then(|m| m.reasoning_content.as_deref().or(m.reasoning.as_deref()))
            .is_some_and(|thought| !thought.is_empty());
        match (streamed, text.is_empty()) {
            (true, false) => answer.piece(text, stamp),
            (true, true) if thought => answer.thought(stamp),
            (true, true) => {}
            (false, _) => {
                if thought {
                    answer.whole_thought();
                }
                answer.whole(text);
            }
        }
        if let Some(finish) = &choice.finish_reason {
            answer.finish = Some(finish.clone());
        }
    }
    let embedded = chunk.data.is_some();
    if let Some(first) = chunk.data.and_then(|all| all.into_iter().next()) {
        answer.vector = Some(first.embedding);
    }
    if let Some(usage) = chunk.usage {
        take_usage(answer, &usage, embedded);
    }
    if let Some(timings) = chunk.timings {
        take_timings(answer, &timings);
    }
    if !streamed {
        if answer.finish.is_none() && !embedded {
            answer.fail("an answer without a finish_reason");
        } else {
            answer.done = Some(stamp);
        }
    }
}

/// Some servers put a usage of zeros on every chunk; only a real one counts.
fn take_usage(answer: &mut Answer, usage: &Usage, embedded: bool) {
    if usage.prompt_tokens.unwrap_or(0) == 0 && usage.completion_tokens.unwrap_or(0) == 0 {
        return;
    }
    answer.prompt_tokens = usage.prompt_tokens;
    if !embedded {
        answer.output_tokens = usage.completion_tokens;
    }
    if let Some(details) = &usage.prompt_tokens_details {
        answer.cached_tokens = details.cached_tokens;
    }
}

/// llama-server's own times. It tells no total: queueing is in none of its fields.
fn take_timings(answer: &mut Answer, timings: &Timings) {
    answer.server_prompt = millis(timings.prompt_ms);
    answer.server_output = millis(timings.predicted_ms);
    if let (Some(cached), Some(fresh)) = (timings.cache_n, timings.prompt_n) {
        answer.cached_tokens = Some(cached);
        answer.prompt_tokens.get_or_insert(cached + fresh);
    }
    if let Some(predicted) = timings.predicted_n {
        answer.output_tokens.get_or_insert(predicted);
    }
}

/// `{"message": ...}`, a text, or whatever it is.
pub(super) fn error_text(error: &Value) -> String {
    error
        .get("message")
        .and_then(Value::as_str)
        .or_else(|| error.as_str())
        .map_or_else(|| error.to_string(), str::to_owned)
}
