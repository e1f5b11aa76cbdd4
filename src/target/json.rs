//! Any other runtime that answers JSON over HTTP: a body template, and JSON pointers into its answer.

use super::answer::Answer;
use super::openai::error_text;
use super::render::{Asked, Settings};
use crate::record::Nanos;
use crate::scenario::{JsonPointers, JsonSpec, JsonStream, TimeUnit};
use serde_json::Value;

/// The body of a request: the template with its places filled in.
pub(super) fn body(spec: &JsonSpec, settings: &Settings, asked: &Asked<'_>) -> Value {
    let mut body = spec.body.clone();
    fill(&mut body, spec, settings, asked);
    body
}

fn fill(value: &mut Value, spec: &JsonSpec, settings: &Settings, asked: &Asked<'_>) {
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

/// Takes one object of a stream, or a whole answer.
pub(super) fn take(spec: &JsonSpec, answer: &mut Answer, data: &[u8], stamp: Nanos) {
    let data = data.trim_ascii();
    if data.is_empty() {
        return;
    }
    if spec.stream == JsonStream::Sse && data == b"[DONE]" {
        answer.done = Some(stamp);
        return;
    }
    let object: Value = match serde_json::from_slice(data) {
        Ok(object) => object,
        Err(error) => return answer.fail(format!("an answer that is not JSON: {error}")),
    };
    let at = &spec.answer;
    let error = object.pointer(at.error.as_deref().unwrap_or("/error"));
    if let Some(error) = error.filter(|error| truthy(error)) {
        return answer.fail(error_text(error));
    }
    let streamed = spec.stream != JsonStream::None;
    if let Some(text) = at.text.as_deref().and_then(|at| object.pointer(at)).and_then(Value::as_str) {
        if streamed { answer.piece(text, stamp) } else { answer.whole(text) }
    } else if !streamed && at.text.is_some() {
        answer.fail(format!("no text at `{}` of the answer", at.text.as_deref().unwrap_or_default()));
    }
    if let Some(list) = at.embedding.as_deref().and_then(|at| object.pointer(at)).and_then(Value::as_array) {
        answer.vector = list.iter().map(|x| x.as_f64().map(|x| x as f32)).collect();
    }
    counts(at, answer, &object);
    let done = match &at.done {
        Some(at) => object.pointer(at).is_some_and(truthy),
        None => !streamed,
    };
    if done {
        answer.done = Some(stamp);
    }
}

/// Counts and times, where the scenario says they lie and where they are there.
fn counts(at: &JsonPointers, answer: &mut Answer, object: &Value) {
    let number = |at: &Option<String>| object.pointer(at.as_deref()?);
    let count = |at: &Option<String>| number(at).and_then(Value::as_u64);
    let time = |place: &Option<String>| {
        let value = number(place).and_then(Value::as_f64).filter(|x| x.is_finite() && *x >= 0.0)?;
        let unit = match at.time_unit {
            TimeUnit::Ns => 1.0,
            TimeUnit::Us => 1e3,
            TimeUnit::Ms => 1e6,
            TimeUnit::S => 1e9,
        };
        Some(Nanos((value * unit).round() as u64))
    };
    let keep = |old: &mut Option<u64>, new: Option<u64>| *old = new.or(*old);
    keep(&mut answer.prompt_tokens, count(&at.prompt_tokens));
    keep(&mut answer.cached_tokens, count(&at.cached_tokens));
    keep(&mut answer.output_tokens, count(&at.output_tokens));
    answer.server_total = time(&at.server_total).or(answer.server_total);
    answer.server_prompt = time(&at.server_prompt).or(answer.server_prompt);
    answer.server_output = time(&at.server_output).or(answer.server_output);
    if let Some(finish) = number(&at.finish).and_then(Value::as_str) {
        answer.finish = Some(finish.to_owned());
    }
}

/// Null, false and the empty text say "no"; everything else says "yes".
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}
