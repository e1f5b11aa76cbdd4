//! Anthropic's `/v1/messages`, as llama-server, Ollama, vLLM and others serve it: blocks of text, reasoning and calls of
//! tools, each begun, filled and ended by events with a `type`; `message_stop` at the end.
//!
//! `input_tokens` are those that no cache had: the prompt is what it and the caches' counts come to. llama-server tells them
//! as it begins, Ollama only as it ends (what it says before is a guess).

use super::answer::{Answer, brief};
use super::render::{RequestSettings, RequestText};
use super::{lenient, words};
use crate::record::{Nanos, Remark};
use crate::scenario::Think;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Tokens of thought that are allowed where reasoning is switched on without a level: the least that the API takes.
const BUDGET: u32 = 1024;

/// Fills in the body of a request.
pub(super) fn fill(body: &mut Map<String, Value>, settings: &RequestSettings, asked: &RequestText<'_>) {
    let (system, talk) = asked.system_and_talk();
    if let Some(system) = system {
        body.insert("system".into(), system.into());
    }
    body.insert("messages".into(), talk.map(|(role, text)| json!({"role": role, "content": text})).collect());
    let sampling = &settings.sampling;
    body.insert("stream".into(), settings.stream.into());
    body.insert("max_tokens".into(), asked.max_tokens.into());
    body.insert("temperature".into(), sampling.temperature.into());
    body.insert("top_p".into(), sampling.top_p.into());
    body.insert("top_k".into(), sampling.top_k.into());
    if !sampling.stop.is_empty() {
        body.insert("stop_sequences".into(), json!(sampling.stop));
    }
    // A level goes without `thinking`, which would hide it from Ollama.
    match settings.think {
        None => {}
        Some(Think::Off) => drop(body.insert("thinking".into(), json!({"type": "disabled"}))),
        Some(think) => drop(match think.level() {
            Some(level) => body.insert("output_config".into(), json!({"effort": level})),
            None => body.insert("thinking".into(), json!({"type": "enabled", "budget_tokens": BUDGET})),
        }),
    }
}

/// A piece of a block, the usual event.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    thinking: Cow<'a, str>,
    #[serde(borrow, default)]
    partial_json: Cow<'a, str>,
}

/// Takes the data of one event, or a whole answer (`streamed` false).
pub(super) fn take(answer: &mut Answer, data: &[u8], stamp: Nanos, streamed: bool) {
    if streamed
        && let Ok(Piece { kind, delta }) = serde_json::from_slice(data)
        && kind == "content_block_delta"
    {
        return filled(answer, &delta, stamp);
    }
    let Some(value) = words::object(answer, data, "Anthropic", |value| value.get("type").is_none()) else { return };
    if streamed {
        event(answer, &value, stamp);
    } else {
        whole(answer, &value, stamp, data);
    }
}

fn filled(answer: &mut Answer, delta: &Delta<'_>, stamp: Nanos) {
    if !delta.thinking.is_empty() {
        answer.thought(stamp);
    }
    answer.piece(&delta.text, stamp);
    if !delta.partial_json.is_empty() {
        answer.call(&delta.partial_json, stamp);
    }
}

fn event(answer: &mut Answer, value: &Value, stamp: Nanos) {
    let text = |at: &str| value.pointer(at).map(|told| lenient::text(Some(told))).unwrap_or_default();
    match value.get("type").and_then(Value::as_str).unwrap_or_default() {
        "message_start" => usage(answer, value.pointer("/message/usage"), true),
        // A tool's name is output, as the first piece of its call.
        "content_block_start" if text("/content_block/type") == "tool_use" => answer.call("", stamp),
        "content_block_start" => {
            let (text, thinking) = (text("/content_block/text"), text("/content_block/thinking"));
            filled(answer, &Delta { text, thinking, partial_json: Cow::default() }, stamp);
        }
        "content_block_delta" => {
            let (text, thinking, partial_json) =
                (text("/delta/text"), text("/delta/thinking"), text("/delta/partial_json"));
            filled(answer, &Delta { text, thinking, partial_json }, stamp);
        }
        "message_delta" => {
            ends(answer, value.pointer("/delta/stop_reason"));
            usage(answer, value.get("usage"), false);
        }
        "message_stop" => match answer.finish {
            Some(_) => answer.done = Some(stamp),
            None => answer.lack("`message_stop` came without a stop_reason"),
        },
        // Pings and the ends of blocks; others may come.
        _ => {}
    }
}

fn whole(answer: &mut Answer, value: &Value, stamp: Nanos, data: &[u8]) {
    for block in value.get("content").and_then(Value::as_array).into_iter().flatten() {
        match block.get("type").and_then(Value::as_str).unwrap_or_default() {
            "thinking" | "redacted_thinking" => answer.whole_thought(),
            "tool_use" => answer.whole_call(&block.get("input").unwrap_or(&Value::Null).to_string()),
            _ => answer.whole(&lenient::said(Some(block)).text),
        }
    }
    ends(answer, value.get("stop_reason"));
    usage(answer, value.get("usage"), false);
    match answer.finish {
        Some(_) => answer.done = Some(stamp),
        None => answer.lack(format!("no stop_reason in {}", brief(&String::from_utf8_lossy(data)))),
    }
}

fn ends(answer: &mut Answer, reason: Option<&Value>) {
    if let Some(reason) = lenient::reason(reason) {
        if matches!(&*reason, "error" | "abort") {
            answer.fail(format!("the engine ended its answer with stop_reason `{reason}`"));
        }
        answer.finish = Some(reason.into_owned());
    }
}

/// Takes counts of tokens. What is told as an answer begins (`begins`) is kept back, and stands where its end says no other.
fn usage(answer: &mut Answer, told: Option<&Value>, begins: bool) {
    let Some(told) = told.filter(|told| told.is_object()) else { return };
    let mut bad = false;
    let mut count = |name: &str| lenient::count(told.get(name), &mut bad);
    let (fresh, read, written) =
        (count("input_tokens"), count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    let output = count("output_tokens");
    let prompt = fresh.map(|fresh| fresh.saturating_add(read.unwrap_or(0)).saturating_add(written.unwrap_or(0)));
    if bad {
        answer.remark(Remark::BadCount);
    }
    if begins {
        answer.begun = prompt.map(|prompt| (prompt, read));
        return;
    }
    if let Some((prompt, cached)) = prompt.map(|prompt| (prompt, read)).or(answer.begun) {
        answer.prompt_tokens = Some(prompt);
        answer.cached_tokens = cached;
    }
    answer.output_tokens = output;
}
