//! GG-CORE's local socket: frames of a little-endian length and JSON, a session a connection, one request in flight on
//! each.
//!
//! The handshake and its renewal stand outside every timed region. That server can fall silent for good, so nothing here
//! waits without a deadline; and while it generates an ordinary answer it reads no new connection, so a handshake that is
//! not answered at once means "busy", and is waited for.

mod connection;
mod door;
mod frame;
mod kicker;
mod limits;
mod side;

pub(super) use connection::GgConnection;
pub(super) use door::{is_refused, note_refusal};
pub(super) use kicker::Kicker;
pub(super) use limits::refusal;

use super::render::{RequestSettings, RequestText};
use memchr::memmem;
use serde_json::json;
use std::time::Duration;

/// Longest wait for the socket itself to take a connection.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The least that a handshake is waited for, however short the answers may be.
const HANDSHAKE_LEAST: Duration = Duration::from_secs(5);

/// How long a handshake is waited for where an answer may take `timeout`: the server may be generating one, and reads no
/// new connection meanwhile.
pub(super) fn patience(timeout: Duration) -> Duration {
    timeout.max(HANDSHAKE_LEAST)
}

/// The part of a request after its number; the number is put in front when it is sent.
pub(super) fn body(model: &str, settings: &RequestSettings, asked: &RequestText<'_>, timeout_ms: u64) -> Vec<u8> {
    let sampling = &settings.sampling;
    // Temperatures and masses outside the server's bounds were told as inequalities; all four fields are mandatory.
    let rest = json!({
        "model_id": model,
        "prompt": asked.prompt,
        "parameters": {
            "max_tokens": asked.max_tokens,
            "temperature": sampling.temperature,
            "top_p": if sampling.top_p > 0.0 { sampling.top_p } else { 1.0 },
            "top_k": sampling.top_k,
            "stream": settings.stream,
            "timeout_ms": timeout_ms,
        }
    });
    rest.to_string().into_bytes()
}

/// The most tokens that a rendered body asks for. A prompt can't hold the field's name: its quotes would be escaped.
fn limit_of(body: &[u8]) -> Option<u64> {
    const FIELD: &[u8] = b"\"max_tokens\":";
    let rest = &body[memmem::find(body, FIELD)? + FIELD.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_read_from_the_body_and_not_from_the_prompt() {
        let body = json!({ "prompt": "\"max_tokens\":9", "parameters": { "max_tokens": 64, "top_k": 40 } }).to_string();
        assert_eq!(limit_of(body.as_bytes()), Some(64));
        assert_eq!(limit_of(b"{}"), None);
    }

    #[test]
    fn a_handshake_is_waited_for_as_long_as_an_answer_may_take() {
        let seconds = |s| patience(Duration::from_secs(s)).as_secs();
        assert_eq!([seconds(0), seconds(2), seconds(18), seconds(600)], [5, 5, 18, 600]);
    }
}
