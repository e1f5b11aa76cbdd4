//! Who is there: finds an engine, asks it for its version and models, and picks the model. A door of reqwest; no
//! load is sent from here, and nothing here is timed. One engine a file.

mod client;
mod cold;
mod gg_core;
mod ollama;
mod openai;
mod settings;

pub(super) use client::{client, words};
pub use cold::{answers, can_unload, unload};
pub use settings::settings;

use crate::record::chain;
use crate::scenario::plan::{Endpoint, EngineFacts};
use crate::scenario::{Address, JsonSpec, TargetSpec, Task};
use reqwest::{Client, Response, Url};
use serde_json::Value;
use std::time::Duration;

/// The word in the Server header by which the embedded engine is known, wherever it runs.
pub const STAND_IN_SERVER: &str = "loadcmp-standin";

/// Longest wait for one question.
const PATIENCE: Duration = Duration::from_secs(5);

/// An engine that answered.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where.
    pub endpoint: Endpoint,
    /// The model that will be asked.
    pub model: String,
    /// What it told of itself.
    pub facts: EngineFacts,
    /// Whether it is the embedded engine, by its own word.
    pub stand_in: bool,
}

/// Why there is no engine to ask.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Missing {
    /// Nothing answers: what was tried, and what would start it.
    #[error("{tried}\n  {hint}")]
    Unreachable {
        /// What was tried, and what came of it.
        tried: String,
        /// What to do about it.
        hint: String,
    },
    /// The engine is there and has no model that could do the task.
    #[error("{told}\n  {hint}")]
    NoModel {
        /// What is missing.
        told: String,
        /// How to get one.
        hint: String,
    },
    /// The engine is there, and isn't what the scenario says.
    #[error("{0}")]
    Different(String),
}

impl Missing {
    /// In a line, for the message that a stand-in takes the place. Where a model is missing, how to get one is news.
    pub fn in_brief(&self) -> String {
        match self {
            Missing::Unreachable { tried, .. } => {
                without_brackets(tried).replace("http://", "").trim_end_matches('/').to_owned()
            }
            Missing::NoModel { told, hint } => format!("{told}; {hint}"),
            Missing::Different(told) => told.clone(),
        }
    }
}

/// A text without what stands in brackets: there, the system's own words.
fn without_brackets(text: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0usize);
    for c in text.chars() {
        match c {
            '(' => {
                depth += 1;
                out.truncate(out.trim_end().len());
            }
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// Looks for the engine that a target names. `Missing::Unreachable` for an `auto` one means: take the stand-in.
pub async fn discover(spec: &TargetSpec, task: Task) -> Result<Found, Missing> {
    match spec {
        TargetSpec::Ollama(spec) => ollama::find(spec, task).await,
        TargetSpec::OpenAi(spec) => openai::find(spec).await,
        TargetSpec::GgCore(spec) => gg_core::find(spec).await,
        TargetSpec::Json(spec) => json_runtime(spec).await,
    }
}

/// Whether the scenario leaves it to us where this engine is.
pub fn is_auto(spec: &TargetSpec) -> bool {
    match spec {
        TargetSpec::Ollama(spec) => spec.url == "auto",
        TargetSpec::OpenAi(spec) => spec.url == "auto",
        TargetSpec::GgCore(spec) => spec.socket == "auto",
        TargetSpec::Json(_) => false,
    }
}

/// Whether the scenario leaves it to us which model is asked.
pub fn is_auto_model(spec: &TargetSpec) -> bool {
    match spec {
        TargetSpec::Ollama(spec) => spec.model == "auto",
        TargetSpec::OpenAi(spec) => spec.model == "auto",
        TargetSpec::GgCore(spec) => spec.model == "auto",
        TargetSpec::Json(_) => false,
    }
}

/// An HTTP server that is asked questions.
struct Control {
    client: Client,
    base: Url,
    token: Option<String>,
}

impl Control {
    fn new(base: Url, token: &str) -> Result<Self, Missing> {
        let client = client(PATIENCE, |plain| plain).map_err(Missing::Different)?;
        Ok(Self { client, base, token: (!token.is_empty()).then(|| token.to_owned()) })
    }

    async fn send(&self, path: &str, body: Option<Value>) -> Result<Response, String> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let request = match body {
            Some(body) => self.client.post(url).json(&body),
            None => self.client.get(url),
        };
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.map_err(words)
    }

    /// A JSON answer with status 200, else `None`.
    async fn ask(&self, path: &str, body: Option<Value>) -> Option<Value> {
        let answer = self.send(path, body).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        answer.json().await.ok()
    }
}

fn is_stand_in(answer: &Response) -> bool {
    answer.headers().get("server").is_some_and(|server| server.as_bytes().starts_with(STAND_IN_SERVER.as_bytes()))
}

/// A base URL as people write it; `port` where none is written. An address that means "all of them" is the loopback.
fn base_url(text: &str, port: u16) -> Result<Url, Missing> {
    let wrong = |why: &str| Missing::Different(format!("the address `{text}` {why}"));
    let address = Address::parse(text).map_err(|why| wrong(&why))?;
    let host = match address.host.as_str() {
        "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    // With a scheme and no port it is port 80, as everywhere, Ollama included.
    let port = address.port.unwrap_or(if text.contains("://") { 80 } else { port });
    Url::parse(&format!("http://{host}:{port}{}/", address.prefix)).map_err(|error| wrong(&error.to_string()))
}

fn endpoint(url: &Url) -> Endpoint {
    let host = url.host_str().unwrap_or("127.0.0.1").trim_start_matches('[').trim_end_matches(']').to_owned();
    let prefix = url.path().trim_end_matches('/').to_owned();
    Endpoint::Tcp { host, port: url.port_or_known_default().unwrap_or(80), prefix }
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn there_are(models: &[String], otherwise: &str) -> String {
    match models {
        [] => format!("it has no models: {otherwise}"),
        some => format!("it has: {}", some.join(", ")),
    }
}

async fn json_runtime(spec: &JsonSpec) -> Result<Found, Missing> {
    let endpoint = match (&spec.socket, &spec.url) {
        (Some(path), _) => Endpoint::Unix { path: path.clone() },
        (None, url) => endpoint(&base_url(url.as_deref().unwrap_or_default(), 80)?),
    };
    let opened = tokio::time::timeout(PATIENCE, super::transport::Socket::open(&endpoint)).await;
    let why = match opened {
        Ok(Ok(_)) => {
            let stand_in = spec.socket.is_none() && stand_in_at(spec.url.as_deref().unwrap_or_default()).await;
            let engine = stand_in.then(|| "loadcmp stand-in".to_owned());
            let facts = EngineFacts { engine, ..EngineFacts::default() };
            return Ok(Found { endpoint, model: spec.model.clone().unwrap_or_default(), facts, stand_in });
        }
        Ok(Err(error)) => chain(&error),
        Err(_) => format!("no connection within {} s", PATIENCE.as_secs()),
    };
    Err(Missing::Unreachable {
        tried: format!("nothing answers at {endpoint} ({why})"),
        hint: "start the runtime, or correct `url:` or `socket:` of the target".into(),
    })
}

/// Whether the embedded engine answers at an address: its word stands in the header of every answer, errors included.
async fn stand_in_at(url: &str) -> bool {
    let Ok(control) = base_url(url, 80).and_then(|base| Control::new(base, "")) else { return false };
    control.send("/", None).await.is_ok_and(|answer| is_stand_in(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        for (text, expected) in [
            ("127.0.0.1:1234", "http://127.0.0.1:1234"),
            ("localhost", "http://localhost:11434"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("0.0.0.0:99", "http://127.0.0.1:99"),
            (":99", "http://127.0.0.1:99"),
            ("http://box", "http://box:80"),
            ("http://[::1]:99/", "http://[::1]:99"),
            ("http://box/engine/", "http://box:80/engine"),
        ] {
            assert_eq!(endpoint(&base_url(text, 11434).unwrap()).to_string(), expected, "{text}");
        }
        for text in ["", "https://box", "http://", "a b"] {
            assert!(base_url(text, 11434).is_err(), "{text}");
        }
    }
}
