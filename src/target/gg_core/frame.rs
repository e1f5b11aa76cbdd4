//! What a frame of GG-CORE says, and what is taken of it.

use crate::record::{Nanos, Remark};
use crate::target::answer::{Answer, brief};
use crate::target::{lenient, words};
use serde::Deserialize;
use serde_json::Value;

/// How an error frame begins. Its message stands unescaped, so that the frame may be no JSON.
const ERROR: &[u8] = b"{\"type\":\"error\",\"code\":";

/// What the server's detokeniser says of the end token, in the place of a stream's own end.
const NO_END: &str = "detok: Unknown Token Type";

/// What the server says where prompt and answer didn't fit into the context.
const NO_ROOM: &str = "NoKvCacheSlot";

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    request_id: Option<u64>,
    output: Option<String>,
    tokens_generated: Option<u64>,
    text: Option<String>,
    #[serde(default)]
    is_final: bool,
    error: Option<String>,
    error_code: Option<String>,
    code: Option<u16>,
    message: Option<String>,
}

impl Frame {
    /// What can be read of an unusual frame; a count that can't be sets `bad`.
    fn lenient(value: &Value, bad: &mut bool) -> Option<Self> {
        let text = |at: &str| {
            value.get(at).filter(|told| !told.is_null()).map(|told| lenient::said(Some(told)).text.into_owned())
        };
        let count = |at: &str, bad: &mut bool| lenient::count(value.get(at), bad);
        Some(Self {
            kind: value.get("type")?.as_str()?.to_owned(),
            request_id: count("request_id", bad),
            output: text("output"),
            tokens_generated: count("tokens_generated", bad),
            text: text("text"),
            is_final: value.get("is_final").is_some_and(words::truthy),
            error: value.get("error").filter(|error| words::truthy(error)).map(words::of),
            error_code: text("error_code"),
            code: count("code", bad).and_then(|code| u16::try_from(code).ok()),
            message: text("message"),
        })
    }
}

/// What was asked, as far as its answer is read by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The request's number.
    pub(super) number: u64,
    /// Whether a stream was asked for.
    pub(super) streamed: bool,
    /// The most tokens that were asked for.
    pub(super) limit: Option<u64>,
}

/// Takes one frame of an answer; whether the connection can carry another request after it.
pub(super) fn take(bytes: &[u8], expected: Expected, stamp: Nanos, answer: &mut Answer) -> bool {
    let frame: Frame = match serde_json::from_slice(bytes) {
        Ok(frame) => frame,
        Err(_) if bytes.starts_with(ERROR) => {
            answer.fail(unescaped(bytes));
            return bytes.get(ERROR.len()) == Some(&b'4');
        }
        Err(_) => {
            let mended = lenient::read(bytes).ok();
            let mut bad = false;
            let frame = mended.as_ref().and_then(|(value, _)| Frame::lenient(value, &mut bad));
            let Some(frame) = frame else {
                answer.fail(format!("a frame that is not valid GG-CORE JSON: {}", refusal_words(bytes)));
                return false;
            };
            if mended.is_some_and(|(_, bad_text)| bad_text) {
                answer.remark(Remark::BadText);
            }
            if bad {
                answer.remark(Remark::BadCount);
            }
            frame
        }
    };
    if frame.request_id.is_some_and(|id| id != expected.number) {
        let (told, asked) = (frame.request_id.unwrap_or_default(), expected.number);
        answer.fail(format!("an answer to request {told} came for request {asked}"));
        return false;
    }
    match frame.kind.as_str() {
        "error" => {
            answer.fail(frame.message.unwrap_or_else(|| "an error frame without a message".to_owned()));
            // After a 500 the server closes; after a 400 or 401 the connection stays.
            return frame.code.is_some_and(|code| code < 500);
        }
        "inference_response" => match frame.error {
            Some(error) => {
                answer.rejected = frame.error_code.as_deref() == Some("admission_rejected");
                answer.fail(explained(error));
            }
            None => {
                answer.whole(&frame.output.unwrap_or_default());
                (answer.output_tokens, answer.finish) = counted(frame.tokens_generated, expected.limit);
                answer.done = Some(stamp);
            }
        },
        "stream_chunk" if expected.streamed => {
            answer.held_back(frame.text.as_deref().unwrap_or_default());
            match frame.error {
                Some(error) => answer.fail(explained(error)),
                None if frame.is_final => answer.done = Some(stamp),
                None => {}
            }
        }
        other => answer.fail(format!("a frame of type `{other}` instead of an answer")),
    }
    true
}

/// The tokens of an answer, and why it ended. The server's count leaves the end token out, which Ollama's and llama.cpp's
/// servers count: an answer that ended before its limit ended by one.
fn counted(generated: Option<u64>, limit: Option<u64>) -> (Option<u64>, Option<String>) {
    let (Some(generated), Some(limit)) = (generated, limit) else { return (generated, None) };
    if generated < limit {
        (Some(generated + 1), Some("stop".to_owned()))
    } else {
        (Some(generated), Some("length".to_owned()))
    }
}

/// An engine's error, with what is known of it.
fn explained(error: String) -> String {
    let known = if error.contains(NO_END) {
        "a bug in GG-CORE: a stream that the model ends by itself fails; use whole answers, `stream: false`"
    } else if error.contains(NO_ROOM) {
        "prompt and answer are longer than the host's context"
    } else {
        return error;
    };
    format!("{error} ({known})")
}

/// The message of an error frame that is no JSON.
fn unescaped(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let inside = text.split_once("\"message\":\"").and_then(|(_, rest)| rest.strip_suffix("\"}"));
    brief(inside.unwrap_or(&text))
}

/// What a frame says that is no acknowledgement: its message, or all of it where that can't be read.
pub(super) fn refusal_words(frame: &[u8]) -> String {
    if frame.starts_with(ERROR) {
        let told = serde_json::from_slice::<Value>(frame).ok();
        let message = told.as_ref().and_then(|value| value["message"].as_str()).map(brief);
        return message.unwrap_or_else(|| unescaped(frame));
    }
    brief(&String::from_utf8_lossy(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_token_counts_where_the_answer_ended_before_its_limit() {
        let (stop, length) = (Some("stop".to_owned()), Some("length".to_owned()));
        assert_eq!(counted(Some(7), Some(64)), (Some(8), stop.clone()));
        assert_eq!(counted(Some(0), Some(64)), (Some(1), stop));
        assert_eq!(counted(Some(64), Some(64)), (Some(64), length.clone()));
        assert_eq!(counted(Some(70), Some(64)), (Some(70), length));
        assert_eq!(counted(None, Some(64)), (None, None));
        assert_eq!(counted(Some(7), None), (Some(7), None));
    }

    #[test]
    fn a_message_is_read_out_of_a_frame_that_is_no_json() {
        let frame = br#"{"type":"error","code":400,"message":"invalid type: string "abc", expected u64"}"#;
        assert!(serde_json::from_slice::<Value>(frame).is_err());
        assert_eq!(refusal_words(frame), r#"invalid type: string "abc", expected u64"#);
        assert_eq!(refusal_words(br#"{"type":"error","code":500,"message":"no"}"#), "no");
        assert_eq!(refusal_words(b"nonsense"), "nonsense");
    }
}
