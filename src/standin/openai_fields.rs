//! What the OpenAI-compatible APIs have in common: how a conversation, reasoning and a format are asked for, and errors.

use super::call::{Refusal, Reply, hang_up, json};
use super::parse::{Message, conversation};
use super::text::templated;
use hyper::StatusCode;
use serde_json::{Value, json as object};
use std::borrow::Cow;

pub(super) fn error(status: StatusCode, kind: &str, message: &str) -> Reply {
    let inside = object!({ "code": status.as_u16(), "message": message, "type": kind });
    json(status, object!({ "error": inside }).to_string())
}

pub(super) fn invalid(message: &str) -> Reply {
    error(StatusCode::BAD_REQUEST, "invalid_request_error", message)
}

pub(super) fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Busy => error(StatusCode::SERVICE_UNAVAILABLE, "unavailable_error", "the queue is full"),
        Refusal::HangUp => hang_up(),
        Refusal::Fault => error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "a declared fault of the stand-in"),
    }
}

/// A conversation with its system message in a field of its own.
pub(super) struct Conversation<'a> {
    pub(super) system: &'a str,
    pub(super) messages: &'a [Message<'a>],
}

impl<'a> Conversation<'a> {
    /// As the model reads it: the same text as of a conversation that begins with the system message.
    pub(super) fn rendered(&self, template_words: u32) -> Cow<'a, str> {
        let said = conversation(self.messages);
        let said = if self.system.is_empty() { said } else { format!("{}\n{said}", self.system).into() };
        templated(said, template_words)
    }
}

/// The share of its thoughts that an engine has at a level; nothing to say is all of them.
pub(super) fn effort(level: Option<&Value>) -> f64 {
    match level.and_then(Value::as_str) {
        Some("none") => 0.0,
        Some("minimal" | "low") => 0.25,
        Some("medium") => 0.5,
        _ => 1.0,
    }
}

/// Whether the answer is to be JSON, and by which schema.
pub(super) fn format(format: Option<&Value>) -> (bool, Option<&Value>) {
    let Some(format) = format else { return (false, None) };
    match format.get("type").and_then(Value::as_str) {
        Some("json_schema") => (true, format.pointer("/json_schema/schema").or_else(|| format.get("schema"))),
        Some("json_object") => (true, format.get("schema")),
        _ => (false, None),
    }
}
