//! OpenAI-compatible servers: chat completions, completions, embeddings; server-sent events, `[DONE]` at the end. Their
//! other two APIs have a file each, `responses` and `messages`.
//!
//! llama-server's `timings` are taken where they come. A role chunk and empty content are no token.

use super::answer::{Answer, TokenProbability, brief};
use super::openai_fields::{Timings, effort, response_format, sampling, take_timings};
use super::render::{RequestSettings, RequestText};
use super::{lenient, messages, responses, words};
use crate::record::{Nanos, Remark};
use crate::scenario::{Api, OpenAiSpec, PromptFormat, Task};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The path of a request, under the `/v1` that the endpoint's prefix ends in.
pub(super) fn path(spec: &OpenAiSpec, settings: &RequestSettings) -> &'static str {
    match (spec.api, settings.task, settings.format) {
        (Api::Responses, ..) => "/responses",
        (Api::Messages, ..) => "/messages",
        (_, Task::Embed, _) => "/embeddings",
        (_, _, PromptFormat::Raw) => "/completions",
        (_, _, PromptFormat::Chat) => "/chat/completions",
    }
}

/// The body of a request.
pub(super) fn body(spec: &OpenAiSpec, model: &str, settings: &RequestSettings, asked: &RequestText<'_>) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    match spec.api {
        Api::Completions => completions(&mut body, settings, asked),
        Api::Responses => responses::fill(&mut body, settings, asked),
        Api::Messages => messages::fill(&mut body, settings, asked),
    }
    for (key, value) in &spec.extra {
        if value.is_null() {
            body.shift_remove(key);
        } else {
            body.insert(key.clone(), value.clone());
        }
    }
    Value::Object(body)
}

fn completions(body: &mut Map<String, Value>, settings: &RequestSettings, asked: &RequestText<'_>) {
    if settings.task == Task::Embed {
        body.insert("input".into(), asked.prompt.clone().into());
        body.insert("encoding_format".into(), "float".into());
    } else {
        match settings.format {
            PromptFormat::Raw => body.insert("prompt".into(), asked.prompt.clone().into()),
            PromptFormat::Chat => body.insert("messages".into(), asked.messages()),
        };
        body.insert("stream".into(), settings.stream.into());
        if settings.stream {
            body.insert("stream_options".into(), json!({"include_usage": true}));
        }
        body.insert("max_tokens".into(), asked.max_tokens.into());
        if settings.ignore_eos {
            body.insert("ignore_eos".into(), true.into());
        }
        sampling(body, settings);
        if let Some(think) = settings.think.filter(|_| settings.format == PromptFormat::Chat) {
            let (effort, template) = effort(think);
            body.insert("reasoning_effort".into(), effort.into());
            body.insert("chat_template_kwargs".into(), template);
        }
        if settings.logprobs {
            // The token's own is wanted; llama-server gives none for 0 others, and 20 others where nothing is said.
            match settings.format {
                PromptFormat::Raw => body.insert("logprobs".into(), 1.into()),
                PromptFormat::Chat => {
                    body.insert("logprobs".into(), true.into());
                    body.insert("top_logprobs".into(), 1.into())
                }
            };
        }
        if let Some((name, schema)) = settings.answer_schema() {
            body.insert("response_format".into(), response_format(name, schema));
        }
    }
}

#[derive(Deserialize, Default)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    usage: Option<Usage>,
    timings: Option<Timings>,
    error: Option<Value>,
    data: Option<Vec<Embedding>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Message<'a>>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    logprobs: Option<LogProbs>,
}

/// The log-probabilities of a piece's tokens: of chat, and of llama-server's completions; of the older completions.
#[derive(Default, Deserialize)]
struct LogProbs {
    content: Option<Vec<TokenProbability>>,
    token_logprobs: Option<Vec<Option<f64>>>,
}

#[derive(Default, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow)]
    function_call: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Embedding {
    embedding: Vec<f32>,
}

/// Takes the data of one event, or a whole answer (`streamed` false).
pub(super) fn take(api: Api, answer: &mut Answer, data: &[u8], stamp: Nanos, streamed: bool) {
    let data = data.trim_ascii();
    if streamed && data == b"[DONE]" {
        return match answer.finish {
            Some(_) => answer.done = Some(stamp),
            None => answer.lack("`[DONE]` came without a finish_reason"),
        };
    }
    if data.is_empty() {
        return answer.lack("an empty body");
    }
    match api {
        Api::Completions => take_completion(answer, data, stamp, streamed),
        Api::Responses => responses::take(answer, data, stamp, streamed),
        Api::Messages => messages::take(answer, data, stamp, streamed),
    }
}

fn take_completion(answer: &mut Answer, data: &[u8], stamp: Nanos, streamed: bool) {
    // The usual chunk is read without a copy. What has no choices may be anything, an error among others.
    let usual: Option<Chunk<'_>> = serde_json::from_slice(data).ok();
    if let Some(chunk) =
        usual.filter(|chunk| chunk.error.is_none() && (!chunk.choices.is_empty() || chunk.data.is_some()))
    {
        return take_chunk(answer, chunk, data, stamp, streamed);
    }
    let bare = |value: &Value| value.get("choices").is_none_or(Value::is_null);
    let Some(value) = words::object(answer, data, "OpenAI", bare) else { return };
    let mut bad = false;
    let chunk = Chunk::lenient(&value, &mut bad);
    if bad {
        answer.remark(Remark::BadCount);
    }
    take_chunk(answer, chunk, data, stamp, streamed);
}

fn take_chunk(answer: &mut Answer, chunk: Chunk<'_>, data: &[u8], stamp: Nanos, streamed: bool) {
    for choice in &chunk.choices {
        take_choice(answer, choice, stamp, streamed);
    }
    let embedded = chunk.data.is_some();
    if let Some(first) = chunk.data.and_then(|all| all.into_iter().next()) {
        answer.vector = Some(first.embedding);
    }
    if let Some(usage) = &chunk.usage {
        take_usage(answer, usage, embedded);
    }
    if let Some(timings) = &chunk.timings {
        take_timings(answer, timings);
    }
    if embedded || (!streamed && answer.finish.is_some()) {
        answer.done = Some(stamp);
    } else if !streamed {
        answer.lack(format!("neither a finish_reason nor a vector in {}", brief(&String::from_utf8_lossy(data))));
    }
}

fn take_choice(answer: &mut Answer, choice: &Choice<'_>, stamp: Nanos, streamed: bool) {
    let message = choice.delta.as_ref().or(choice.message.as_ref());
    let text = message.and_then(|m| m.content.as_deref()).or(choice.text.as_deref()).unwrap_or_default();
    let thought = message.is_some_and(|m| {
        [&m.reasoning_content, &m.reasoning, &m.thinking].iter().any(|t| t.as_deref().is_some_and(|t| !t.is_empty()))
    });
    match (streamed, text.is_empty()) {
        (true, false) => answer.piece(text, stamp),
        (true, true) if thought => answer.thought(stamp),
        (true, true) => {}
        (false, _) => {
            if thought {
                answer.whole_thought();
            }
            answer.whole(text);
        }
    }
    if let Some(told) = &choice.logprobs {
        let of_chat = told.content.iter().flatten().map(|token| token.logprob);
        answer.add_logprobs(of_chat.chain(told.token_logprobs.iter().flatten().copied()), !thought);
    }
    if let Some(message) = message {
        let calls = message.tool_calls.iter().flatten().filter_map(|call| call.function.as_ref());
        for call in calls.chain(&message.function_call) {
            let (name, arguments) =
                (call.name.as_deref().unwrap_or_default(), call.arguments.as_deref().unwrap_or_default());
            match (name.is_empty() && arguments.is_empty(), streamed) {
                (true, _) => {}
                (false, true) => answer.call(arguments, stamp),
                (false, false) => answer.whole_call(arguments),
            }
        }
    }
    if let Some(finish) = choice.finish_reason.as_deref().filter(|finish| !finish.is_empty()) {
        if matches!(finish, "error" | "abort" | "aborted") {
            answer.fail(format!("the engine ended its answer with finish_reason `{finish}`"));
        }
        answer.finish = Some(finish.to_owned());
    }
}

/// A stream came to its clean end without `[DONE]`.
pub(super) fn ended(answer: &mut Answer, last: Nanos) {
    if answer.finish.is_some() {
        answer.done = Some(last);
        answer.remark(Remark::NoEnd);
    }
}

impl<'a> Chunk<'a> {
    /// What can be read of an unusual chunk; a count that can't be sets `bad`.
    fn lenient(value: &'a Value, bad: &mut bool) -> Self {
        let list = |at: &str| value.get(at).and_then(Value::as_array);
        let some = |at: &str| value.get(at).filter(|value| value.is_object());
        Self {
            choices: list("choices").map_or_else(Vec::new, |all| all.iter().map(Choice::lenient).collect()),
            usage: some("usage").map(|usage| Usage {
                prompt_tokens: lenient::count(usage.get("prompt_tokens"), bad),
                completion_tokens: lenient::count(usage.get("completion_tokens"), bad),
                prompt_tokens_details: usage
                    .get("prompt_tokens_details")
                    .map(|details| Details { cached_tokens: lenient::count(details.get("cached_tokens"), bad) }),
                completion_tokens_details: usage.get("completion_tokens_details").map(|details| OutputDetails {
                    reasoning_tokens: lenient::count(details.get("reasoning_tokens"), bad),
                }),
            }),
            timings: some("timings").map(|timings| Timings::lenient(timings, bad)),
            error: None,
            data: list("data").map(|all| {
                let vector =
                    |item: &Value| lenient::vector(item.get("embedding")).map(|embedding| Embedding { embedding });
                all.first().and_then(vector).into_iter().collect()
            }),
        }
    }
}

impl<'a> Choice<'a> {
    fn lenient(value: &'a Value) -> Self {
        let message = |at: &str| value.get(at).filter(|value| value.is_object()).map(Message::lenient);
        Self {
            delta: message("delta"),
            message: message("message"),
            text: value.get("text").map(|text| lenient::said(Some(text)).text),
            finish_reason: lenient::reason(value.get("finish_reason")),
            logprobs: serde_json::from_value(value.get("logprobs").cloned().unwrap_or_default()).unwrap_or_default(),
        }
    }
}

impl<'a> Message<'a> {
    fn lenient(value: &'a Value) -> Self {
        let content = lenient::said(value.get("content"));
        let text = |at: &str| Some(lenient::text(value.get(at)));
        let function = |call: Option<&'a Value>| {
            let call = call.filter(|call| call.is_object())?;
            let arguments = call.get("arguments").filter(|arguments| !arguments.is_null());
            Some(Function {
                name: call.get("name").and_then(Value::as_str).map(Cow::from),
                arguments: arguments.map(|told| told.as_str().map_or_else(|| told.to_string().into(), Cow::from)),
            })
        };
        let calls = value.get("tool_calls").and_then(Value::as_array);
        Self {
            content: Some(content.text),
            reasoning_content: text("reasoning_content"),
            reasoning: text("reasoning"),
            thinking: if content.thought { Some("…".into()) } else { text("thinking") },
            tool_calls: calls
                .map(|all| all.iter().map(|call| ToolCall { function: function(call.get("function")) }).collect()),
            function_call: function(value.get("function_call")),
        }
    }
}

/// Some servers put a usage of zeros on every chunk; only a real one counts.
fn take_usage(answer: &mut Answer, usage: &Usage, embedded: bool) {
    if usage.prompt_tokens.unwrap_or(0) == 0 && usage.completion_tokens.unwrap_or(0) == 0 {
        return;
    }
    answer.prompt_tokens = usage.prompt_tokens;
    if !embedded {
        answer.output_tokens = usage.completion_tokens;
    }
    if let Some(details) = &usage.prompt_tokens_details {
        answer.cached_tokens = details.cached_tokens;
    }
    if let Some(details) = &usage.completion_tokens_details {
        answer.reasoned(details.reasoning_tokens);
    }
}
