//! Any other runtime that answers JSON over HTTP: a body template, and JSON pointers into its answer.

use super::answer::{Answer, brief};
use super::render::{RequestSettings, RequestText};
use super::{lenient, words};
use crate::record::{Nanos, Remark};
use crate::scenario::{JsonPointers, JsonSpec, JsonStream, TimeUnit};
use serde_json::Value;

/// The body of a request: the template with its places filled in.
pub(super) fn body(spec: &JsonSpec, settings: &RequestSettings, asked: &RequestText<'_>) -> Value {
    let mut body = spec.body.clone();
    fill(&mut body, spec, settings, asked);
    body
}

fn fill(value: &mut Value, spec: &JsonSpec, settings: &RequestSettings, asked: &RequestText<'_>) {
    match value {
        Value::String(text) if text.contains("{{") => {
            let model = spec.model.as_deref().unwrap_or_default();
            // A place that is the whole text takes the value's own type.
            *value = match text.trim() {
                "{{messages}}" => asked.messages(),
                "{{max_tokens}}" => asked.max_tokens.into(),
                "{{temperature}}" => settings.sampling.temperature.into(),
                "{{seed}}" => settings.engine_seed().into(),
                _ => text
                    .replace("{{model}}", model)
                    .replace("{{max_tokens}}", &asked.max_tokens.to_string())
                    .replace("{{temperature}}", &settings.sampling.temperature.to_string())
                    .replace("{{seed}}", &settings.engine_seed().to_string())
                    // Last, so that a prompt that happens to hold a place is left as it is.
                    .replace("{{prompt}}", &asked.prompt)
                    .into(),
            };
        }
        Value::Array(list) => list.iter_mut().for_each(|value| fill(value, spec, settings, asked)),
        Value::Object(map) => map.values_mut().for_each(|value| fill(value, spec, settings, asked)),
        _ => {}
    }
}

/// Takes one object of a stream, or a whole answer (`streamed` false).
pub(super) fn take(spec: &JsonSpec, answer: &mut Answer, data: &[u8], stamp: Nanos, streamed: bool) {
    let data = data.trim_ascii();
    if data.is_empty() {
        if !streamed {
            answer.lack("an empty body");
        }
        return;
    }
    if streamed && spec.stream == JsonStream::Sse && data == b"[DONE]" {
        if complete(spec, answer) {
            answer.done = Some(stamp);
        } else {
            answer.lack("`[DONE]` came without a sign that the answer is complete");
        }
        return;
    }
    let object = match lenient::read(data) {
        Ok((object, bad_text)) => {
            if bad_text {
                answer.remark(Remark::BadText);
            }
            object
        }
        Err(_) => return answer.fail(format!("what is not JSON: {}", words::told(data))),
    };
    let at = &spec.answer;
    if let Some(error) = object.pointer(at.error.as_deref().unwrap_or("/error")).filter(|error| words::truthy(error)) {
        return answer.fail(words::error_in(&object, false).unwrap_or_else(|| words::of(error)));
    }
    let place = |at: &Option<String>| object.pointer(at.as_deref()?);
    let (text, vector) = (place(&at.text), place(&at.embedding));
    let done = place(&at.done).is_some_and(words::truthy);
    if text.is_none()
        && vector.is_none()
        && !done
        && let Some(error) = words::error_in(&object, false)
    {
        return answer.fail(error);
    }
    answer.seen |= text.is_some() || vector.is_some();
    if let Some(text) = text {
        let said = lenient::said(Some(text));
        match (streamed, said.thought) {
            (true, true) if said.text.is_empty() => answer.thought(stamp),
            (true, _) => answer.piece(&said.text, stamp),
            (false, thought) => {
                if thought {
                    answer.whole_thought();
                }
                answer.whole(&said.text);
            }
        }
    } else if !streamed && let Some(at) = &at.text {
        answer.fail(format!("no text at `{at}` of the answer: {}", brief(&String::from_utf8_lossy(data))));
    }
    if let Some(vector) = vector {
        answer.vector = lenient::vector(Some(vector));
    }
    counts(at, answer, &object);
    if done || (!streamed && at.done.is_none()) {
        answer.done = Some(stamp);
    }
}

/// Whether the answer is complete if it ends here: a reason to end was told, or none can be.
fn complete(spec: &JsonSpec, answer: &Answer) -> bool {
    let at = &spec.answer;
    answer.finish.is_some() || (at.done.is_none() && at.finish.is_none() && answer.seen)
}

/// A stream came to its clean end without an end mark.
pub(super) fn ended(spec: &JsonSpec, answer: &mut Answer, last: Nanos) {
    if complete(spec, answer) {
        answer.done = Some(last);
        if spec.stream == JsonStream::Sse {
            answer.remark(Remark::NoEnd);
        }
    }
}

/// Counts and times, where the scenario says they lie and where they are there.
fn counts(at: &JsonPointers, answer: &mut Answer, object: &Value) {
    let place = |at: &Option<String>| object.pointer(at.as_deref()?);
    let mut bad = false;
    let unit = match at.time_unit {
        TimeUnit::Ns => 1.0,
        TimeUnit::Us => 1e3,
        TimeUnit::Ms => 1e6,
        TimeUnit::S => 1e9,
    };
    for (told, at) in [
        (&mut answer.prompt_tokens, &at.prompt_tokens),
        (&mut answer.cached_tokens, &at.cached_tokens),
        (&mut answer.output_tokens, &at.output_tokens),
    ] {
        *told = lenient::count(place(at), &mut bad).or(*told);
    }
    for (told, at) in [
        (&mut answer.server_total, &at.server_total),
        (&mut answer.server_prompt, &at.server_prompt),
        (&mut answer.server_output, &at.server_output),
    ] {
        *told = lenient::time(place(at), unit, &mut bad).or(*told);
    }
    if bad {
        answer.remark(Remark::BadCount);
    }
    if let Some(finish) = lenient::reason(place(&at.finish)) {
        answer.finish = Some(finish.into_owned());
    }
}
