//! OpenAI's `/v1/responses`, as llama-server, Ollama, vLLM and others serve it: items of text, reasoning and calls of
//! functions, filled by events with a `type`; the whole answer once more in the last one.
//!
//! Neither llama-server nor Ollama 0.34 says by a status that the limit cut an answer: theirs are all `completed`.

use super::answer::{Answer, brief};
use super::openai_fields::{Timings, effort, response_format, sampling, take_timings};
use super::render::{RequestSettings, RequestText};
use super::{lenient, words};
use crate::record::{Nanos, Remark};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Fills in the body of a request.
pub(super) fn fill(body: &mut Map<String, Value>, settings: &RequestSettings, asked: &RequestText<'_>) {
    let (system, talk) = asked.system_and_talk();
    if let Some(system) = system {
        body.insert("instructions".into(), system.into());
    }
    // What the model said itself is an item of output; llama-server takes it in no shorter form.
    let item = |(role, text): (&str, &str)| match role {
        "assistant" => json!({"type": "message", "role": role, "content": [{"type": "output_text", "text": text}]}),
        _ => json!({"role": role, "content": text}),
    };
    body.insert("input".into(), talk.map(item).collect());
    body.insert("stream".into(), settings.stream.into());
    body.insert("max_output_tokens".into(), asked.max_tokens.into());
    // Most of it is not in this API. llama-server takes it all the same.
    sampling(body, settings);
    if let Some(think) = settings.think {
        let (effort, template) = effort(think);
        body.insert("reasoning".into(), json!({"effort": effort}));
        body.insert("chat_template_kwargs".into(), template);
    }
    if let Some((name, schema)) = settings.answer_schema() {
        let format = json!({"type": "json_schema", "name": name, "strict": true, "schema": schema});
        body.insert("text".into(), json!({"format": format}));
        // llama-server passes over the API's own field, and keeps to that of chat completions.
        body.insert("response_format".into(), response_format(name, schema));
    }
}

/// A piece of an item, the usual event.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    delta: Cow<'a, str>,
}

/// Takes the data of one event, or a whole answer (`streamed` false).
pub(super) fn take(answer: &mut Answer, data: &[u8], stamp: Nanos, streamed: bool) {
    if streamed && let Ok(Piece { kind, delta }) = serde_json::from_slice(data) {
        return filled(answer, &kind, &delta, stamp);
    }
    let bare = |value: &Value| value.get("type").or(value.get("object")).is_none();
    let Some(value) = words::object(answer, data, "OpenAI", bare) else { return };
    if streamed {
        return event(answer, &value, stamp);
    }
    whole(answer, &value, stamp, false);
    if !answer.over() {
        answer.lack(format!("neither a status nor an output in {}", brief(&String::from_utf8_lossy(data))));
    }
}

fn filled(answer: &mut Answer, kind: &str, delta: &str, stamp: Nanos) {
    match kind {
        "response.output_text.delta" | "response.refusal.delta" => answer.piece(delta, stamp),
        "response.function_call_arguments.delta" if !delta.is_empty() => answer.call(delta, stamp),
        // As text, as a summary, or encrypted: whichever the engine tells.
        _ if kind.starts_with("response.reasoning") && !delta.is_empty() => answer.thought(stamp),
        _ => {}
    }
}

fn event(answer: &mut Answer, value: &Value, stamp: Nanos) {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        // A function's name is output, as the first piece of its call.
        "response.output_item.added" if value.pointer("/item/type") == Some(&json!("function_call")) => {
            answer.call("", stamp);
        }
        "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
            if let Some(timings) = value.get("timings").filter(|timings| timings.is_object()) {
                let mut bad = false;
                take_timings(answer, &Timings::lenient(timings, &mut bad));
                if bad {
                    answer.remark(Remark::BadCount);
                }
            }
            let response = value.get("response").filter(|response| response.is_object());
            whole(answer, response.unwrap_or(&Value::Null), stamp, true);
            if !answer.over() {
                answer.lack(format!("`{kind}` came without a status"));
            }
        }
        _ => filled(answer, kind, &lenient::text(value.get("delta")), stamp),
    }
}

/// Takes a response; the last event of a stream (`last`) holds nothing new, unless nothing came before.
fn whole(answer: &mut Answer, response: &Value, stamp: Nanos, last: bool) {
    let empty = answer.chunks == 0;
    if empty {
        for item in response.get("output").and_then(Value::as_array).into_iter().flatten() {
            match item.get("type").and_then(Value::as_str).unwrap_or_default() {
                "reasoning" => answer.whole_thought(),
                "function_call" => answer.whole_call(&lenient::text(item.get("arguments"))),
                _ => answer.whole(&lenient::said(item.get("content")).text),
            }
        }
    }
    usage(answer, response.get("usage"));
    let reason = lenient::reason(response.pointer("/incomplete_details/reason"));
    match response.get("status").and_then(Value::as_str) {
        Some("completed") => answer.finish = Some("completed".to_owned()),
        Some("incomplete") => answer.finish = Some(reason.map_or_else(|| "incomplete".to_owned(), Cow::into_owned)),
        Some(status @ ("failed" | "cancelled")) => {
            let error = words::error_in(response, false);
            return answer.fail(error.unwrap_or_else(|| format!("the engine ended its answer with status `{status}`")));
        }
        // In progress, queued: no answer, whatever else is there.
        _ => return,
    }
    answer.done = Some(stamp);
    if last && empty && answer.chunks > 0 {
        answer.remark(Remark::NoStream);
    }
}

fn usage(answer: &mut Answer, told: Option<&Value>) {
    let Some(told) = told.filter(|told| told.is_object()) else { return };
    let mut bad = false;
    let mut count = |at: &str| lenient::count(told.pointer(at), &mut bad);
    if let Some(prompt) = count("/input_tokens") {
        answer.prompt_tokens = Some(prompt);
    }
    if let Some(output) = count("/output_tokens") {
        answer.output_tokens = Some(output);
    }
    if let Some(cached) = count("/input_tokens_details/cached_tokens") {
        answer.cached_tokens = Some(cached);
    }
    let thoughts = count("/output_tokens_details/reasoning_tokens");
    if bad {
        answer.remark(Remark::BadCount);
    }
    answer.reasoned(thoughts);
}
