//! Anthropic's `/v1/messages` as llama-server speaks it: blocks of reasoning and text, `message_stop` at the end. What comes
//! from no cache is all of the prompt.

use super::admit::Ask;
use super::call::{Call, EVENTS, Refusal, Reply, hang_up, json};
use super::messages_voice::Voice;
use super::openai_fields::{Conversation, effort};
use super::parse::{Message, Text, Texts};
use super::stream::Voice as AnyVoice;
use super::text::prompt_tokens;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json as object};

#[derive(Deserialize)]
struct Talk<'a> {
    #[serde(borrow, default)]
    system: Text<'a>,
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
    max_tokens: Option<u32>,
    stream: Option<bool>,
    #[serde(borrow, default)]
    stop_sequences: Texts<'a>,
    output_config: Option<Value>,
    thinking: Option<Value>,
}

fn error(status: StatusCode, kind: &str, message: &str) -> Reply {
    json(status, object!({ "type": "error", "error": { "type": kind, "message": message } }).to_string())
}

fn invalid(message: &str) -> Reply {
    error(StatusCode::BAD_REQUEST, "invalid_request_error", message)
}

pub(super) async fn talk(call: Call) -> Reply {
    let talk: Talk<'_> = match serde_json::from_slice(&call.body) {
        Ok(talk) => talk,
        Err(error) => return invalid(&error.to_string()),
    };
    let engine = &call.engine;
    let messages = talk.messages.unwrap_or_default();
    let Some(limit) = talk.max_tokens.filter(|tokens| *tokens > 0) else {
        return invalid("max_tokens: Field required");
    };
    if messages.is_empty() {
        return invalid("messages: Field required");
    }
    if !engine.makes_text() {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "api_error", "this model makes embeddings only");
    }
    let said = Conversation { system: &talk.system, messages: &messages }.rendered(engine.spec.template_tokens);
    let tokens = prompt_tokens(&said);
    if tokens > engine.spec.context {
        return invalid(&format!("prompt is too long: {tokens} tokens > {} maximum", engine.spec.context));
    }
    let stops = talk.stop_sequences.owned();
    let ask = Ask {
        arrived: call.entered,
        prompt: &said,
        prompt_tokens: tokens,
        limit: Some(limit),
        stops: &stops,
        thinks: true,
        effort: match talk.thinking.as_ref().and_then(|thinking| thinking.get("type")).and_then(Value::as_str) {
            Some("disabled") => 0.0,
            _ => effort(talk.output_config.as_ref().and_then(|config| config.get("effort"))),
        },
        ..Ask::default()
    };
    let job = match call.admit(ask).await {
        Ok(job) => job,
        Err(Refusal::Busy) => return error(StatusCode::SERVICE_UNAVAILABLE, "overloaded_error", "the queue is full"),
        Err(Refusal::HangUp) => return hang_up(),
        Err(Refusal::Fault) => {
            return error(StatusCode::INTERNAL_SERVER_ERROR, "api_error", "a declared fault of the stand-in");
        }
    };
    let voice = Voice::new(&job);
    call.answer(job, AnyVoice::Messages(voice), (talk.stream == Some(true)).then_some(EVENTS)).await
}
