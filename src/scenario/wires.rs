//! The wires of targets, as written: one struct a wire, each field with its meaning and its default. That of GG-CORE has a file of
//! its own.

use super::{Secret, TemplateSpec, Think, TlsSpec};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An Ollama server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "an `ollama` target")]
pub struct OllamaSpec {
    /// Base URL (http or https), `host:port`, or `auto`: Ollama's usual address, otherwise the stand-in.
    #[serde(default = "super::defaults::auto")]
    pub url: String,
    /// Model name, or `auto`: the one already loaded, otherwise the smallest that can do the task.
    #[serde(default = "super::defaults::auto")]
    pub model: String,
    /// How long the model stays loaded after a request (Ollama's `keep_alive`): `5m`, `-1` for ever.
    #[serde(default = "super::defaults::keep_alive")]
    pub keep_alive: String,
    /// Context length in tokens (`num_ctx`), sent with every request, because a change reloads the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16))]
    pub num_ctx: Option<u32>,
    /// Reasoning, if different from the workload's: `off`, `on`, `low`, `medium`, `high`. If neither is set, `off` is
    /// sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<Think>,
    /// Additional `options` of Ollama, sent as they are (`num_thread`, `num_gpu`, ...).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Headers in addition to Host, Content-Type and Content-Length. A secret must be written as `${NAME}`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, Secret>,
    /// How the certificate of an https server is checked.
    #[serde(default, skip_serializing_if = "TlsSpec::is_default")]
    pub tls: TlsSpec,
    /// Its processes on this machine, if they are not those that listen at its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessSpec>,
    /// Address of metrics in Prometheus format, such as `http://127.0.0.1:8080/metrics`; read every two seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

/// An OpenAI-compatible server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "an `openai` target")]
pub struct OpenAiSpec {
    /// Base URL (http or https, with or without `/v1`), `host:port`, or `auto`: port 8080, otherwise the stand-in.
    #[serde(default = "super::defaults::auto")]
    pub url: String,
    /// Model name, or `auto`: the first one that the server lists.
    #[serde(default = "super::defaults::auto")]
    pub model: String,
    /// Which of the server's APIs is used.
    #[serde(default, skip_serializing_if = "Api::is_default")]
    pub api: Api,
    /// Reasoning, if different from the workload's: `off`, `on`, `low`, `medium`, `high`. If neither is set, the server
    /// decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<Think>,
    /// Bearer token (`x-api-key` for the API `messages`), written as `${NAME}`: it must come from the environment.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// Additional fields of the request body, sent as they are (`cache_prompt`, `top_k`, ...).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Headers in addition to Host, Content-Type and Content-Length. A secret must be written as `${NAME}`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, Secret>,
    /// How the certificate of an https server is checked.
    #[serde(default, skip_serializing_if = "TlsSpec::is_default")]
    pub tls: TlsSpec,
    /// Its processes on this machine, if they are not those that listen at its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessSpec>,
    /// Address of metrics in Prometheus format, such as `http://127.0.0.1:8080/metrics`; read every two seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

/// The API of an OpenAI-compatible server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// OpenAI's chat completions, completions for `format: raw`, and embeddings.
    #[default]
    Completions,
    /// OpenAI's `/v1/responses`.
    Responses,
    /// Anthropic's `/v1/messages`.
    Messages,
}

impl Api {
    /// Whether it is what is spoken where nothing is written.
    fn is_default(&self) -> bool {
        *self == Api::default()
    }

    /// The path that it is known by, of one that knows nothing but conversations.
    pub fn talks_only(self) -> Option<&'static str> {
        match self {
            Api::Completions => None,
            Api::Responses => Some("/v1/responses"),
            Api::Messages => Some("/v1/messages"),
        }
    }
}

/// Any other runtime with JSON over HTTP.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a `json` target")]
pub struct JsonSpec {
    /// Base URL (http or https), such as `http://127.0.0.1:9000`. One of `url` and `socket` must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Path of a Unix socket that speaks HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Model name, filled in for `{{model}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The chat template for `{{prompt}}`, if its engine applies none: a name as for `gg_core`, or `{ from: ollama }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateSpec>,
    /// HTTP method.
    #[serde(default)]
    pub method: Method,
    /// Path of the request, such as `/infer`.
    #[schemars(regex(pattern = r"^/"))]
    pub path: String,
    /// Headers in addition to Host, Content-Type and Content-Length. A secret must be written as `${NAME}`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, Secret>,
    /// How the certificate of an https server is checked.
    #[serde(default, skip_serializing_if = "TlsSpec::is_default")]
    pub tls: TlsSpec,
    /// The request's body: any YAML, or a text of JSON (as from a variable). `{{prompt}}`, `{{model}}`, `{{max_tokens}}`, `{{temperature}}`, `{{seed}}` and `{{messages}}` are filled in.
    #[serde(deserialize_with = "a_body")]
    pub body: serde_json::Value,
    /// The format of the answer.
    #[serde(default)]
    pub stream: JsonStream,
    /// Where to find values in the answer, as JSON pointers (RFC 6901).
    pub answer: JsonPointers,
    /// Its processes on this machine, if they are not those that listen at its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessSpec>,
    /// Address of metrics in Prometheus format, such as `http://127.0.0.1:8080/metrics`; read every two seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

/// Reads a body; a text that is a JSON object or list stands for that.
fn a_body<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<serde_json::Value, D::Error> {
    let body = serde_json::Value::deserialize(deserializer)?;
    let read = body.as_str().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    Ok(read.filter(|value| value.is_object() || value.is_array()).unwrap_or(body))
}

/// The processes of a target on this machine, including their children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "`process`")]
pub enum ProcessSpec {
    /// The process with this id.
    Pid(#[schemars(range(min = 1))] u32),
    /// All processes with this name: the program's file name, its `argv[0]`, or the kernel's name for it.
    Name(String),
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

/// The format of a `json` target's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonStream {
    /// One JSON object.
    #[default]
    None,
    /// One JSON object per line.
    Ndjson,
    /// Server-sent events, one JSON object per event.
    Sse,
}

/// JSON pointers into a `json` target's answer; in a stream, into each object.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`answer`")]
pub struct JsonPointers {
    /// The text, or a piece of it (generate, chat, classify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub text: Option<String>,
    /// The vector (embed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub embedding: Option<String>,
    /// The end mark: `true` or a non-empty string here. Without it, a stream is complete once `finish` was present;
    /// without both, when the stream ends properly after a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub done: Option<String>,
    /// An error: any value other than null, false and "" makes the request a failure. Default `/error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(/|$)"))]
    pub error: Option<String>,
    /// The finish reason.
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

/// Unit of the times that a server reports.
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
