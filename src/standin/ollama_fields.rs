//! What Ollama's clients write: the fields of its requests, the options and their types, and durations as Go writes
//! them. Pure.

use super::call::{Reply, json};
use super::engine::millis;
use super::parse::{Message, Text, Texts};
use crate::record::Nanos;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A model that is not told how long to stay does so for five minutes.
const KEEP_MS: f64 = 300_000.0;

/// The fields of generate and chat that a stand-in minds.
#[derive(Deserialize)]
pub(super) struct Talk<'a> {
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) prompt: Text<'a>,
    #[serde(borrow, default)]
    pub(super) system: Text<'a>,
    #[serde(borrow, default)]
    pub(super) template: Text<'a>,
    #[serde(borrow, default)]
    pub(super) messages: Option<Vec<Message<'a>>>,
    pub(super) stream: Option<bool>,
    pub(super) raw: Option<bool>,
    #[serde(rename = "_debug_render_only")]
    pub(super) debug_render_only: Option<bool>,
    pub(super) truncate: Option<bool>,
    #[serde(borrow)]
    pub(super) context: Option<&'a RawValue>,
    pub(super) format: Option<Value>,
    pub(super) think: Option<Value>,
    pub(super) keep_alive: Option<Value>,
    pub(super) logprobs: Option<bool>,
    #[serde(borrow)]
    pub(super) options: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Embed<'a> {
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) input: Texts<'a>,
    #[serde(borrow, default)]
    pub(super) prompt: Text<'a>,
    pub(super) truncate: Option<bool>,
    pub(super) dimensions: Option<u32>,
    pub(super) keep_alive: Option<Value>,
    #[serde(borrow)]
    pub(super) options: Option<&'a RawValue>,
}

/// The options that a stand-in heeds, and those whose type it checks.
#[derive(Default, Deserialize)]
pub(super) struct Options {
    pub(super) num_predict: Option<f64>,
    pub(super) num_ctx: Option<f64>,
    pub(super) stop: Option<Vec<String>>,
}

const INTEGERS: [&str; 11] = [
    "num_predict",
    "num_ctx",
    "seed",
    "top_k",
    "num_keep",
    "repeat_last_n",
    "num_batch",
    "num_gpu",
    "num_thread",
    "main_gpu",
    "draft_num_predict",
];
const FLOATS: [&str; 7] =
    ["temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty"];

/// Reads the options; says which has a wrong type.
pub(super) fn options(raw: Option<&RawValue>) -> Result<Options, String> {
    let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else { return Ok(Options::default()) };
    let given: serde_json::Map<String, Value> = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    for (name, value) in &given {
        let name = name.as_str();
        let (fits, wanted) = match name {
            _ if INTEGERS.contains(&name) => (value.is_number(), "integer"),
            _ if FLOATS.contains(&name) => (value.is_number(), "float32"),
            "stop" => (value.as_array().is_some_and(|list| list.iter().all(Value::is_string)), "array"),
            "use_mmap" => (value.is_boolean(), "boolean"),
            _ => continue,
        };
        if !fits && !value.is_null() {
            return Err(format!("option \"{name}\" must be of type {wanted}"));
        }
    }
    serde_json::from_str(raw).map_err(|error| error.to_string())
}

/// Until when the model stays (none = for ever), and whether it goes at once.
pub(super) fn keep_alive(value: Option<&Value>, now: Nanos) -> (Option<Nanos>, bool) {
    let ms = match value {
        Some(Value::Number(seconds)) => seconds.as_f64().map(|seconds| seconds * 1e3),
        Some(Value::String(text)) => go_duration(text),
        _ => None,
    };
    match ms.unwrap_or(KEEP_MS) {
        ms if ms < 0.0 => (None, false),
        ms => (Some(now + millis(ms.max(KEEP_MS * f64::from(u8::from(ms == 0.0))))), ms == 0.0),
    }
}

/// Milliseconds of a duration as Go writes it (`1h2m3.5s`, `250ms`, `-1m`), or of bare seconds.
fn go_duration(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(seconds * 1e3);
    }
    let (sign, mut rest) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let scale = match &rest[digits..unit] {
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" => 1_000.0,
            "ms" => 1.0,
            "us" | "µs" => 1e-3,
            "ns" => 1e-6,
            _ => return None,
        };
        sum += rest[..digits].parse::<f64>().ok()? * scale;
        rest = &rest[unit..];
    }
    Some(sign * sum)
}

/// `{"error":"..."}`.
pub(super) fn error(status: StatusCode, message: &str) -> Reply {
    json(status, serde_json::json!({ "error": message }).to_string())
}

/// The answer to a body that is missing or not JSON.
pub(super) fn unreadable(body: &[u8], error_text: &serde_json::Error) -> Reply {
    let message = if body.is_empty() { "missing request body".to_owned() } else { error_text.to_string() };
    error(StatusCode::BAD_REQUEST, &message)
}

pub(super) fn unknown_model(name: &str) -> Reply {
    match name {
        "" => error(StatusCode::BAD_REQUEST, "model is required"),
        _ => error(StatusCode::NOT_FOUND, &format!("model '{name}' not found")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, ms) in [
            ("5m", Some(300_000.0)),
            ("1h2m3.5s", Some(3_723_500.0)),
            ("250ms", Some(250.0)),
            ("-1", Some(-1000.0)),
            ("-1m", Some(-60_000.0)),
            ("0", Some(0.0)),
            ("soon", None),
            ("5 m", None),
        ] {
            assert_eq!(go_duration(text), ms, "{text}");
        }
    }

    #[test]
    fn the_model_stays_as_long_as_asked() {
        let now = Nanos(1);
        let keep = |value: Value| keep_alive(Some(&value), now);
        assert_eq!(keep_alive(None, now), (Some(Nanos(300_000_000_001)), false));
        assert_eq!(keep(serde_json::json!(2)), (Some(Nanos(2_000_000_001)), false));
        assert_eq!(keep(serde_json::json!("-1")), (None, false));
        assert!(keep(serde_json::json!(0)).1);
        assert!(keep(serde_json::json!("0s")).1);
    }

    #[test]
    fn an_option_of_a_wrong_type_is_named() {
        let options = |json: &'static str| options(Some(serde_json::from_str(json).unwrap()));
        let wrong = |json| options(json).err().unwrap();
        assert_eq!(wrong(r#"{"num_ctx":"big"}"#), "option \"num_ctx\" must be of type integer");
        assert_eq!(wrong(r#"{"temperature":true}"#), "option \"temperature\" must be of type float32");
        assert_eq!(wrong(r#"{"stop":"x"}"#), "option \"stop\" must be of type array");
        let fine = options(r#"{"num_predict":8,"unknown":[],"stop":["x"]}"#).unwrap();
        assert_eq!((fine.num_predict, fine.stop), (Some(8.0), Some(vec!["x".to_owned()])));
    }
}
