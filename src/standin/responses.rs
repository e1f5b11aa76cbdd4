//! OpenAI's `/v1/responses` by its documentation, with llama-server's `timings` beside the last event: items of reasoning and
//! text, the whole answer once more at the end, `incomplete` where the limit cut it.

use super::admit::Ask;
use super::call::{Call, EVENTS, Reply};
use super::openai_fields::{Conversation, effort, error, format, invalid, refused};
use super::parse::{Message, Text, Texts};
use super::responses_voice::Voice;
use super::stream::Voice as AnyVoice;
use super::text::prompt_tokens;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json as object};

#[derive(Deserialize)]
struct Talk<'a> {
    #[serde(borrow, default)]
    instructions: Text<'a>,
    input: Option<Value>,
    stream: Option<bool>,
    max_output_tokens: Option<i64>,
    #[serde(borrow, default)]
    stop: Texts<'a>,
    text: Option<Value>,
    reasoning: Option<Value>,
}

pub(super) async fn talk(call: Call) -> Reply {
    let talk: Talk<'_> = match serde_json::from_slice(&call.body) {
        Ok(talk) => talk,
        Err(error) => return invalid(&error.to_string()),
    };
    let engine = &call.engine;
    if !engine.makes_text() {
        let message = "this model makes embeddings only";
        return error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message);
    }
    // A text by itself is a user's.
    let input = match talk.input {
        Some(Value::String(text)) => object!([{ "role": "user", "content": text }]),
        Some(list @ Value::Array(_)) => list,
        _ => return invalid("'input' is required"),
    };
    let input = input.to_string();
    let messages: Vec<Message<'_>> = match serde_json::from_str(&input) {
        Ok(messages) => messages,
        Err(error) => return invalid(&error.to_string()),
    };
    let said = Conversation { system: &talk.instructions, messages: &messages }.rendered(engine.spec.template_tokens);
    let tokens = prompt_tokens(&said);
    if tokens > engine.spec.context {
        return invalid("the request exceeds the available context size. try increasing the context size");
    }
    let (is_json, schema) = format(talk.text.as_ref().and_then(|text| text.get("format")));
    let stops = talk.stop.owned();
    let ask = Ask {
        arrived: call.entered,
        prompt: &said,
        prompt_tokens: tokens,
        limit: talk.max_output_tokens.map(|count| u32::try_from(count.max(1)).unwrap_or(u32::MAX)),
        stops: &stops,
        json: is_json,
        schema,
        thinks: true,
        effort: effort(talk.reasoning.as_ref().and_then(|reasoning| reasoning.get("effort"))),
        ..Ask::default()
    };
    let job = match call.admit(ask).await {
        Ok(job) => job,
        Err(refusal) => return refused(&refusal),
    };
    let voice = Voice::new(job.engine.id());
    call.answer(job, AnyVoice::Responses(voice), (talk.stream == Some(true)).then_some(EVENTS)).await
}
