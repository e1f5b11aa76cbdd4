//! Ollama's own API: `/api/generate`, `/api/chat`, `/api/embed`; one JSON object a line.
//!
//! Everything an engine could have a default of its own for is sent. A stream without `done: true` is a failure, and
//! so is an `error` line inside a 200.

use super::answer::{Answer, TokenProbability};
use super::render::{RequestSettings, RequestText};
use super::{lenient, words};
use crate::record::{Nanos, Remark};
use crate::scenario::{OllamaSpec, PromptFormat, Task, Think};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The path of a request.
pub(super) fn path(settings: &RequestSettings) -> &'static str {
    match (settings.task, settings.format) {
        (Task::Embed, _) => "/api/embed",
        (_, PromptFormat::Raw) => "/api/generate",
        (_, PromptFormat::Chat) => "/api/chat",
    }
}

/// The body of a request.
pub(super) fn body(spec: &OllamaSpec, model: &str, settings: &RequestSettings, asked: &RequestText<'_>) -> Value {
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
        // Left out, a model that can think does.
        let think = settings.think.unwrap_or(Think::Off);
        body.insert("think".into(), think.level().map_or_else(|| think.thinks().into(), Value::from));
        if settings.logprobs {
            body.insert("logprobs".into(), true.into());
        }
        if let Some((_, schema)) = settings.answer_schema() {
            body.insert("format".into(), schema);
        }
    }
    body.insert("keep_alive".into(), keep_alive(&spec.keep_alive));
    body.insert("options".into(), options(spec, settings, asked.max_tokens));
    Value::Object(body)
}

/// Sampling and load options. The load-time ones must be equal in every request, or the model is loaded again.
fn options(spec: &OllamaSpec, settings: &RequestSettings, max_tokens: u32) -> Value {
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
    // Zero-valued fields are left out on the wire: on a final line absent means zero. What is null is not known.
    #[serde(default = "zero")]
    prompt_eval_count: Option<u64>,
    prompt_eval_cached_count: Option<u64>,
    prompt_eval_duration: Option<u64>,
    #[serde(default = "zero")]
    eval_count: Option<u64>,
    eval_duration: Option<u64>,
    embeddings: Option<Vec<Vec<f32>>>,
    logprobs: Option<Vec<TokenProbability>>,
}

fn zero() -> Option<u64> {
    Some(0)
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Cow<'a, str>,
    #[serde(borrow, default)]
    thinking: Cow<'a, str>,
    tool_calls: Option<Vec<Value>>,
}

/// Takes one line of a stream, or a whole answer (`streamed` false).
pub(super) fn take(answer: &mut Answer, line: &[u8], stamp: Nanos, streamed: bool) {
    let line = line.trim_ascii();
    if line.is_empty() {
        if !streamed {
            answer.lack("an empty body");
        }
        return;
    }
    // The usual line is read without a copy. What says nothing that an answer says may be an error of another form.
    let usual: Option<Line<'_>> = serde_json::from_slice(line).ok();
    if let Some(line) = usual.filter(|line| line.error.is_none() && line.says()) {
        return take_line(answer, line, stamp, streamed);
    }
    let Some(value) = words::object(answer, line, "Ollama", |value| value.get("response").is_none()) else { return };
    let mut bad = false;
    let line = Line::lenient(&value, &mut bad);
    if bad {
        answer.remark(Remark::BadCount);
    }
    take_line(answer, line, stamp, streamed);
}

fn take_line(answer: &mut Answer, line: Line<'_>, stamp: Nanos, streamed: bool) {
    let (text, thought) = match &line.message {
        Some(message) => (message.content.as_ref(), message.thinking.as_ref()),
        None => (line.response.as_ref(), line.thinking.as_ref()),
    };
    let calls: Vec<String> = line.calls().collect();
    // A stream's last line has no text: a first line that has all is a whole answer.
    let whole = streamed && line.done && answer.chunks == 0 && !(text.is_empty() && calls.is_empty());
    if whole {
        answer.remark(Remark::NoStream);
    }
    if whole || !streamed {
        if !thought.is_empty() {
            answer.whole_thought();
        }
        answer.whole(text);
        calls.iter().for_each(|call| answer.whole_call(call));
    } else {
        match (text.is_empty(), thought.is_empty()) {
            (false, _) => answer.piece(text, stamp),
            (true, false) => answer.thought(stamp),
            (true, true) => {}
        }
        calls.iter().for_each(|call| answer.call(call, stamp));
    }
    if let Some(told) = &line.logprobs {
        answer.add_logprobs(told.iter().map(|token| token.logprob), thought.is_empty());
    }
    let embedded = line.embeddings.is_some();
    if let Some(vector) = line.embeddings.and_then(|all| all.into_iter().next()) {
        answer.vector = Some(vector);
    }
    if !line.done && !embedded {
        if !streamed {
            answer.fail("an answer with `done` false: the engine gave it up");
        }
        return;
    }
    if let Some(reason @ ("error" | "abort")) = line.done_reason.as_deref() {
        answer.fail(format!("the engine ended its answer with done_reason `{reason}`"));
    }
    answer.done = Some(stamp);
    answer.finish = line.done_reason;
    answer.server_total = line.total_duration.map(Nanos);
    answer.server_load = line.load_duration.map(Nanos);
    answer.cached_tokens = line.prompt_eval_cached_count;
    answer.prompt_tokens = line.prompt_eval_count.filter(|count| !embedded || *count > 0);
    if !embedded {
        answer.output_tokens = line.eval_count;
        answer.server_prompt = line.prompt_eval_duration.map(Nanos);
        answer.server_output = line.eval_duration.map(Nanos);
    }
}

impl<'a> Line<'a> {
    /// Whether it has anything that only an answer has.
    fn says(&self) -> bool {
        self.done || self.message.is_some() || !self.response.is_empty() || self.embeddings.is_some()
    }

    /// What can be read of an unusual line; a count or a time that can't be sets `bad`.
    fn lenient(value: &'a Value, bad: &mut bool) -> Self {
        let counted = |at: &str, bad: &mut bool| match value.get(at) {
            None => zero(),
            told => lenient::count(told, bad),
        };
        let time = |at: &str, bad: &mut bool| lenient::time(value.get(at), 1.0, bad).map(|time| time.0);
        let response = lenient::said(value.get("response"));
        let done = match value.get("done") {
            Some(Value::String(word)) => word == "true",
            told => told.is_some_and(words::truthy),
        };
        let vectors = value.get("embeddings").and_then(Value::as_array);
        let vectors = vectors.map(|all| match all.first() {
            Some(Value::Number(_)) => lenient::vector(value.get("embeddings")).into_iter().collect(),
            first => lenient::vector(first).into_iter().collect(),
        });
        Self {
            response: response.text,
            thinking: if response.thought { "…".into() } else { lenient::text(value.get("thinking")) },
            message: value.get("message").filter(|message| message.is_object()).map(|message| {
                let content = lenient::said(message.get("content"));
                Message {
                    content: content.text,
                    thinking: if content.thought { "…".into() } else { lenient::text(message.get("thinking")) },
                    tool_calls: message.get("tool_calls").and_then(Value::as_array).cloned(),
                }
            }),
            done,
            done_reason: lenient::reason(value.get("done_reason")).map(Cow::into_owned),
            error: None,
            total_duration: time("total_duration", bad),
            load_duration: time("load_duration", bad),
            prompt_eval_count: counted("prompt_eval_count", bad),
            prompt_eval_cached_count: lenient::count(value.get("prompt_eval_cached_count"), bad),
            prompt_eval_duration: time("prompt_eval_duration", bad),
            eval_count: counted("eval_count", bad),
            eval_duration: time("eval_duration", bad),
            logprobs: serde_json::from_value(value.get("logprobs").cloned().unwrap_or_default()).unwrap_or_default(),
            // The older route has one vector, under another name.
            embeddings: vectors.or_else(|| lenient::vector(value.get("embedding")).map(|vector| vec![vector])),
        }
    }

    /// What tools' calls say: their arguments, as text.
    fn calls(&self) -> impl Iterator<Item = String> {
        let calls = self.message.iter().filter_map(|message| message.tool_calls.as_ref()).flatten();
        calls.filter_map(|call| {
            let function = call.get("function").filter(|function| function.is_object())?;
            let arguments = function.get("arguments").unwrap_or(&Value::Null);
            Some(arguments.as_str().map_or_else(|| arguments.to_string(), str::to_owned))
        })
    }
}
