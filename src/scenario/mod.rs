//! What was written: the scenario's YAML as types, and the one way to read it (`load`).
//!
//! A YAML text becomes a located tree, environment variables and `--set` are laid over it, the JSON Schema made from
//! these types checks it (every mistake at once, each with its line), and only then is it decoded. What will happen,
//! every default filled in, is [`plan::Plan`].

pub mod plan;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// A scenario as written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Short name: letters, digits, dash and underscore; names the results directory.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// One sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What is asked of the engines.
    pub task: Task,
    /// Seed of everything drawn at random: order of the prompts, nonces, synthetic prompts, sampling.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// The engines under test, by a name of your own. Two is usual; any number works.
    #[schemars(extend("minProperties" = 1))]
    pub targets: IndexMap<String, TargetSpec>,
    /// The target that ratios are told against (target / reference). Default: the target called `ollama`, else the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What is asked.
    pub workload: WorkloadSpec,
    /// Whether the targets are driven at the same time or one after another.
    #[serde(default)]
    pub order: Order,
    /// How the requests are driven.
    pub load: LoadSpec,
    /// Deadline of one request.
    #[serde(default = "defaults::timeout")]
    pub timeout: Span,
    /// How long requests in flight may take to finish once sending has stopped.
    #[serde(default = "defaults::drain")]
    pub drain: Span,
}

/// What is asked of the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Prompts with a known label; the label is read from the answer.
    Classify,
    /// Texts to vectors.
    Embed,
    /// One prompt, one text.
    Generate,
    /// Conversations of several turns; each turn is a request.
    Chat,
}

/// One engine under test: the wire it speaks, and where.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetSpec {
    /// Ollama's own API.
    Ollama(OllamaSpec),
    /// An OpenAI-compatible server: llama-server, vLLM, LM Studio and others.
    #[serde(rename = "openai")]
    OpenAi(OpenAiSpec),
    /// GG-CORE's local socket.
    GgCore(GgCoreSpec),
    /// Any other runtime that answers JSON over HTTP, on TCP or a Unix socket.
    Json(JsonSpec),
}

/// An Ollama server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OllamaSpec {
    /// Base URL, `host:port`, or `auto`: where Ollama usually listens, else the stand-in.
    #[serde(default = "defaults::auto")]
    pub url: String,
    /// Model name, or `auto`: the one already loaded, else the smallest that can do the task.
    #[serde(default = "defaults::auto")]
    pub model: String,
    /// How long the model stays loaded after a request (Ollama's `keep_alive`): `5m`, `-1` for ever.
    #[serde(default = "defaults::keep_alive")]
    pub keep_alive: String,
    /// Context length in tokens (`num_ctx`); a change reloads the model, so it is sent the same with every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16))]
    pub num_ctx: Option<u32>,
    /// Let a thinking model think. `false` is sent unless asked.
    #[serde(default)]
    pub think: bool,
    /// More of Ollama's `options`, sent as they are (`num_thread`, `num_gpu`, ...).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub options: serde_json::Map<String, serde_json::Value>,
}

/// An OpenAI-compatible server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenAiSpec {
    /// Base URL (with or without `/v1`), `host:port`, or `auto`: port 8080, else the stand-in.
    #[serde(default = "defaults::auto")]
    pub url: String,
    /// Model name, or `auto`: the first the server lists.
    #[serde(default = "defaults::auto")]
    pub model: String,
    /// Bearer token; write it as `${NAME}`: it must come from the environment.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// More fields of the request's body, sent as they are (`cache_prompt`, `top_k`, ...).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// GG-CORE's local socket.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GgCoreSpec {
    /// Path of the Unix socket, or `auto`: the usual path, else the stand-in.
    #[serde(default = "defaults::auto")]
    pub socket: String,
    /// The server's `CORE_AUTH_TOKEN`; write it as `${CORE_AUTH_TOKEN:-}`: it must come from the environment.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// Model id, or `auto`: the first that is ready.
    #[serde(default = "defaults::auto")]
    pub model: String,
    /// Most connections the server takes (`GG_CORE_MAX_CONNECTIONS`); more users than this are refused.
    #[serde(default = "defaults::gg_core_connections")]
    #[schemars(range(min = 1))]
    pub max_connections: u32,
    /// Requests after which a session is renewed on the same connection (the server's limit is 1000 a minute).
    #[serde(default = "defaults::gg_core_session")]
    #[schemars(range(min = 1))]
    pub session_requests: u32,
}

/// Any other runtime that answers JSON over HTTP.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonSpec {
    /// Base URL, such as `http://127.0.0.1:9000`; with `socket` its host name only fills the Host header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Path of a Unix socket that speaks HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Model name, filled in for `{{model}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// HTTP method.
    #[serde(default)]
    pub method: Method,
    /// Path of the request, such as `/infer`.
    #[schemars(regex(pattern = r"^/"))]
    pub path: String,
    /// Headers besides Host, Content-Type and Content-Length. A secret must be written as `${NAME}`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, Secret>,
    /// The request's body: any YAML. `{{prompt}}`, `{{model}}`, `{{max_tokens}}`, `{{temperature}}`, `{{seed}}` and `{{messages}}` are filled in.
    pub body: serde_json::Value,
    /// How the answer comes.
    #[serde(default)]
    pub stream: JsonStream,
    /// Where things lie in the answer, as JSON pointers (RFC 6901).
    pub answer: JsonPointers,
}

/// HTTP method of a `json` target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// POST
    #[default]
    Post,
    /// PUT
    Put,
}

/// How a `json` target's answer comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonStream {
    /// One JSON object.
    #[default]
    None,
    /// One JSON object a line.
    Ndjson,
    /// Server-sent events, one JSON object an event.
    Sse,
}

/// JSON pointers into a `json` target's answer; in a stream, into each object.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonPointers {
    /// The text, or the piece of it (generate, chat, classify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub text: Option<String>,
    /// The vector (embed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub embedding: Option<String>,
    /// The mark of the end: this place holds `true`, or a non-empty string. In a stream without it, `[DONE]` (SSE) must come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub done: Option<String>,
    /// An error: anything here but null, false and "" makes the request a failure. Default `/error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub error: Option<String>,
    /// The word for why it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub finish: Option<String>,
    /// Prompt tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub prompt_tokens: Option<String>,
    /// Prompt tokens served from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub cached_tokens: Option<String>,
    /// Output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub output_tokens: Option<String>,
    /// Total time by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub server_total: Option<String>,
    /// Time for the prompt by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub server_prompt: Option<String>,
    /// Time for the output by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub server_output: Option<String>,
    /// Unit of the server's times.
    #[serde(default)]
    pub time_unit: TimeUnit,
}

/// Unit of a time that a server tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Nanoseconds
    Ns,
    /// Microseconds
    Us,
    /// Milliseconds
    #[default]
    Ms,
    /// Seconds
    S,
}

/// What is asked, and how the answer is read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSpec {
    /// Where the prompts come from.
    pub prompts: PromptsSpec,
    /// The labels (classify): the label of each prompt is one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The prompt around each text (classify, generate): `{text}` and `{labels}` are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// System message (chat format only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Whether engines are told to answer with a label and nothing else, by a schema (classify).
    #[serde(default)]
    pub constrain: Constrain,
    /// `chat` sends messages, and each engine puts its own template around them; `raw` sends the text as it is.
    /// Default: `raw` where a target speaks GG-CORE, else `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<PromptFormat>,
    /// Sampling, sent in full to every engine that can be told.
    #[serde(default)]
    pub sampling: Sampling,
    /// Whether answers are asked for as a stream. Default: yes for generate and chat, no for classify. Embeddings never stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What is done about prefix caches.
    #[serde(default)]
    pub prompt_cache: PromptCache,
    /// Earlier answers in a conversation (chat): `scripted` ones from the data, the same for every engine, or each engine's `own`.
    #[serde(default)]
    pub history: History,
}

/// Where the prompts come from. Paths are relative to the scenario's file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PromptsSpec {
    /// Written here.
    Inline(#[schemars(length(min = 1))] Vec<InlinePrompt>),
    /// A CSV file with a header line.
    Csv(CsvPrompts),
    /// One JSON object a line.
    Jsonl(JsonlPrompts),
    /// A text file: one prompt a line, or blocks parted by a blank line.
    Text(TextPrompts),
    /// Made up from words, with a distribution of lengths.
    Synthetic(SyntheticPrompts),
}

/// A prompt written in the scenario.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InlinePrompt {
    /// The text (classify, embed, generate).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The right label (classify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The turns of a conversation (chat).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<TurnSpec>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnSpec {
    /// What the user says.
    pub user: String,
    /// The scripted answer, which stands in the history of the next turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<String>,
}

/// Prompts from a CSV file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvPrompts {
    /// The file.
    pub path: PathBuf,
    /// Column of the text.
    #[serde(default = "defaults::text")]
    pub text: String,
    /// Column of the label (classify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Prompts from a JSONL file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonlPrompts {
    /// The file.
    pub path: PathBuf,
    /// Field of the text.
    #[serde(default = "defaults::text")]
    pub text: String,
    /// Field of the label (classify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Field of the turns (chat): a list of `{"user": ..., "assistant": ...}`.
    #[serde(default = "defaults::turns")]
    pub turns: String,
}

/// Prompts from a text file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextPrompts {
    /// The file.
    pub path: PathBuf,
    /// What parts one prompt from the next.
    #[serde(default)]
    pub split: TextSplit,
}

/// What parts one prompt from the next in a text file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextSplit {
    /// Each line is a prompt; empty lines are passed over.
    #[default]
    Lines,
    /// A blank line parts prompts.
    Blocks,
    /// The whole file is one prompt.
    File,
}

/// Made-up prompts: a word is about one token for most tokenisers of English.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyntheticPrompts {
    /// How many different prompts.
    #[schemars(range(min = 1, max = 100000))]
    pub count: u32,
    /// Length of each, in words.
    pub words: Lengths,
    /// Turns of each conversation (chat).
    #[serde(default = "defaults::one")]
    #[schemars(range(min = 1, max = 100))]
    pub turns: u32,
}

/// A distribution of lengths, in words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Lengths {
    /// All the same.
    Fixed(#[schemars(range(min = 1, max = 100000))] u32),
    /// Evenly between two lengths, both included.
    Uniform {
        /// Shortest.
        #[schemars(range(min = 1, max = 100000))]
        min: u32,
        /// Longest.
        #[schemars(range(min = 1, max = 100000))]
        max: u32,
    },
    /// Lognormal: many short ones and a long tail.
    Lognormal {
        /// Median length.
        #[schemars(range(min = 1, max = 100000))]
        median: f64,
        /// Standard deviation of the logarithm (0.5 is mild, 1 is wide).
        #[schemars(range(min = 0.0, max = 5.0))]
        sigma: f64,
        /// Longest allowed; longer draws are cut to it.
        #[schemars(range(min = 1, max = 100000))]
        max: u32,
    },
    /// Short ones and long ones, nothing between.
    Bimodal {
        /// Length of the short ones.
        #[schemars(range(min = 1, max = 100000))]
        short: u32,
        /// Length of the long ones.
        #[schemars(range(min = 1, max = 100000))]
        long: u32,
        /// Share of long ones, 0 to 1.
        #[schemars(range(min = 0.0, max = 1.0))]
        long_share: f64,
    },
}

/// Whether a label is forced by a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Constrain {
    /// The prompt asks; the answer is free text.
    #[default]
    None,
    /// An enum schema (`format` of Ollama, `response_format` of OpenAI) where the wire can; told as an inequality where not.
    Schema,
}

/// How a prompt is put to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptFormat {
    /// As messages; the engine's own template goes around them.
    Chat,
    /// As it is.
    Raw,
}

/// What is done about prefix caches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptCache {
    /// A nonce, one a request and the same for every target, stands at the start of each prompt: nothing can be reused.
    Bust,
    /// Every prompt is sent once in the warm-up.
    Warm,
    /// Prompts go out as they are.
    #[default]
    AsIs,
}

/// Earlier answers in a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// From the data: every engine is asked exactly the same.
    #[default]
    Scripted,
    /// Each engine's own answers: real, and no longer identical work. Told as an inequality.
    Own,
}

/// Sampling options: all are sent, so that no engine's default decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Most output tokens. 0 is refused: one engine takes it for "no limit".
    #[schemars(range(min = 1, max = 1000000))]
    pub max_tokens: u32,
    /// 0 is greedy.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: f64,
    /// Keep the k likeliest tokens.
    #[schemars(range(min = 0))]
    pub top_k: u32,
    /// Keep the likeliest tokens up to this mass.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub top_p: f64,
    /// Drop tokens less likely than this share of the likeliest.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_p: f64,
    /// Penalty for repeats; 1 is none.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub repeat_penalty: f64,
    /// Tokens looked back for repeats.
    #[schemars(range(min = 0))]
    pub repeat_last_n: u32,
    /// The engines' own seed. Default: the scenario's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Texts that end the output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            max_tokens: 128,
            temperature: 0.0,
            top_k: 40,
            top_p: 1.0,
            min_p: 0.0,
            repeat_penalty: 1.0,
            repeat_last_n: 64,
            seed: None,
            stop: Vec::new(),
        }
    }
}

/// Whether the targets are driven at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All at once: they share the machine, and contend for it.
    #[default]
    Concurrent,
    /// One after another: nothing shared, but drift of the machine falls on one of them.
    Isolated,
}

/// How the requests are driven.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LoadSpec {
    /// A number of users, each of whom sends the next request after the last answer: capacity at that concurrency.
    Closed(ClosedSpec),
}

/// A closed loop. One of `duration` and `requests` must be given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosedSpec {
    /// Users on each target.
    #[schemars(range(min = 1, max = 10000))]
    pub users: u32,
    /// Length of the measured window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// Measured requests on each target (conversations, for chat).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub requests: Option<u64>,
    /// Pause of a user between an answer and the next request.
    #[serde(default)]
    pub think: Span,
    /// Load sent before the measured window opens; kept in samples.csv, left out of every summary.
    #[serde(default)]
    pub warmup: Span,
}

/// A length of time as people write it: `500us`, `250ms`, `30s`, `1.5m`, `2h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A text that must not be shown: prints as `***`, and serialises so too.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be shown.
    pub fn new(text: String) -> Self {
        Self(text)
    }
    /// The text itself, for the wire and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "***" })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

impl Span {
    /// Reads `500us`, `250ms`, `30s`, `1.5m`, `2h`, and a bare `0`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "0" {
            return Some(Self::default());
        }
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = text.split_at(unit_at);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return None;
        }
        let number: f64 = number.parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok().map(Self)
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs_f64();
        if self.0.is_zero() {
            write!(f, "0s")
        } else if seconds < 0.001 {
            write!(f, "{}us", round(seconds * 1e6))
        } else if seconds < 1.0 {
            write!(f, "{}ms", round(seconds * 1e3))
        } else if seconds < 120.0 {
            write!(f, "{}s", round(seconds))
        } else if seconds < 7200.0 {
            write!(f, "{}m", round(seconds / 60.0))
        } else {
            write!(f, "{}h", round(seconds / 3600.0))
        }
    }
}

/// Cuts binary noise of a converted unit, so that 0.1 s reads `100ms`.
fn round(x: f64) -> f64 {
    (x * 1e6).round() / 1e6
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Span::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no length of time, such as 500ms, 30s, 5m")))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A length of time: 500us, 250ms, 30s, 1.5m, 2h",
            "pattern": r"^(0|[0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))$"
        })
    }
}

/// What a field holds when it isn't written.
mod defaults {
    use super::Span;
    use std::time::Duration;

    pub fn seed() -> u64 {
        42
    }
    pub fn timeout() -> Span {
        Span(Duration::from_secs(60))
    }
    pub fn drain() -> Span {
        Span(Duration::from_secs(10))
    }
    pub fn auto() -> String {
        "auto".to_owned()
    }
    pub fn keep_alive() -> String {
        "5m".to_owned()
    }
    pub fn gg_core_connections() -> u32 {
        64
    }
    pub fn gg_core_session() -> u32 {
        900
    }
    pub fn text() -> String {
        "text".to_owned()
    }
    pub fn turns() -> String {
        "turns".to_owned()
    }
    pub fn one() -> u32 {
        1
    }
}
