//! What OpenAI's APIs have in common where llama-server serves them: how reasoning, sampling and formats are asked for, and its own
//! `timings`.

use super::answer::Answer;
use super::lenient;
use super::render::RequestSettings;
use crate::record::{Nanos, Remark};
use crate::scenario::Think;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Reasoning as servers of this kind are told it: OpenAI's word, `none` or a level, and the chat template's own switch, which
/// llama-server, vLLM and SGLang know. `on` by itself is no level: the middle one stands for it.
pub(super) fn effort(think: Think) -> (&'static str, Value) {
    let effort = if think.thinks() { think.level().unwrap_or("medium") } else { "none" };
    (effort, json!({ "enable_thinking": think.thinks() }))
}

/// The sampling, in full.
pub(super) fn sampling(body: &mut Map<String, Value>, settings: &RequestSettings) {
    let sampling = &settings.sampling;
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
}

/// The schema of an answer, as chat completions are asked for it.
pub(super) fn response_format(name: &str, schema: Value) -> Value {
    json!({"type": "json_schema", "json_schema": {"name": name, "strict": true, "schema": schema}})
}

#[derive(Deserialize)]
pub(super) struct Timings {
    cache_n: Option<u64>,
    prompt_n: Option<u64>,
    prompt_ms: Option<f64>,
    predicted_n: Option<u64>,
    predicted_ms: Option<f64>,
    draft_n: Option<u64>,
    draft_n_accepted: Option<u64>,
}

impl Timings {
    /// What can be read of llama-server's times; what can't sets `bad`.
    pub(super) fn lenient(timings: &Value, bad: &mut bool) -> Self {
        Self {
            cache_n: lenient::count(timings.get("cache_n"), bad),
            prompt_n: lenient::count(timings.get("prompt_n"), bad),
            prompt_ms: milliseconds(timings.get("prompt_ms"), bad),
            predicted_n: lenient::count(timings.get("predicted_n"), bad),
            predicted_ms: milliseconds(timings.get("predicted_ms"), bad),
            draft_n: lenient::count(timings.get("draft_n"), bad),
            draft_n_accepted: lenient::count(timings.get("draft_n_accepted"), bad),
        }
    }
}

fn milliseconds(value: Option<&Value>, bad: &mut bool) -> Option<f64> {
    lenient::time(value, 1e6, bad).map(|time| time.0 as f64 / 1e6)
}

/// llama-server's own times. It tells no total: queueing is in none of its fields.
pub(super) fn take_timings(answer: &mut Answer, timings: &Timings) {
    let mut bad = false;
    let mut time = |ms: Option<f64>| {
        let told = ms.filter(|ms| ms.is_finite() && *ms >= 0.0).map(|ms| Nanos((ms * 1e6).round() as u64));
        bad |= ms.is_some() && told.is_none();
        told
    };
    answer.server_prompt = time(timings.prompt_ms);
    answer.server_output = time(timings.predicted_ms);
    // Both are there, or nothing was guessed ahead; more than was guessed can't be accepted.
    if let (Some(drafted), Some(accepted)) = (timings.draft_n, timings.draft_n_accepted) {
        let kept = (accepted <= drafted).then_some((drafted, accepted));
        bad |= kept.is_none();
        (answer.details.drafted, answer.details.accepted) = kept.unzip();
    }
    if bad {
        answer.remark(Remark::BadCount);
    }
    if let (Some(cached), Some(fresh)) = (timings.cache_n, timings.prompt_n) {
        answer.cached_tokens = Some(cached);
        answer.prompt_tokens.get_or_insert(cached.saturating_add(fresh));
    }
    if let Some(predicted) = timings.predicted_n {
        answer.output_tokens.get_or_insert(predicted);
    }
}
