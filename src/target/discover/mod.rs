//! Who is there: finds an engine, asks it for its version and models, and picks the model. A door of reqwest; no
//! load is sent from here, and nothing here is timed. One engine a file.

mod client;
mod cold;
mod context;
mod gg_core;
pub mod install;
mod model;
mod ollama;
mod openai;
mod settings;
mod template;
mod tokens;
mod upload;

pub(super) use client::{client, words};
pub use cold::{answers, can_unload, unload};
pub use settings::{settings, settings_at_first};
pub use template::{has_templates, template, template_of};
pub use tokens::{may_tokenize, tokenized};

use super::route::own_headers;
use super::tls::{self, Tls};
use crate::scenario::plan::{Endpoint, EngineFacts, TargetPlan};
use crate::scenario::{Address, JsonSpec, TargetSpec, Task};
use reqwest::{Client, Response, Url};
use serde_json::Value;
use std::time::Duration;

/// The word in the Server header by which the embedded engine is known, wherever it runs.
pub const STAND_IN_SERVER: &str = "loadcmp-standin";

/// Longest wait for one question.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest wait for the first answer of a server that took the connection: one that answers a request at a time may be at one.
const BUSY: Duration = Duration::from_secs(40);

/// Why a question has no answer.
enum Silent {
    /// Nobody takes a connection there, or it ended without an answer.
    Absent(String),
    /// Somebody took it, and said nothing for as long as we wait.
    Busy(String),
}

/// An engine that answered.
#[derive(Clone, Debug)]
pub struct FoundEngine {
    /// Where.
    pub endpoint: Endpoint,
    /// The model to use.
    pub model: String,
    /// What it told of itself.
    pub facts: EngineFacts,
    /// Whether it is the embedded engine, by its own word.
    pub stand_in: bool,
    /// What it doesn't tell of itself, and is taken on trust, in sentences.
    pub untold: Vec<String>,
    /// Whether it took the connection and said nothing for as long as it was waited for: one that is at work, or only just
    /// started.
    pub busy: bool,
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

    /// What to do about it, where [`Missing::in_brief`] doesn't say it.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Missing::Unreachable { hint, .. } => Some(hint),
            Missing::NoModel { .. } | Missing::Different(_) => None,
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
pub async fn discover(spec: &TargetSpec, task: Task) -> Result<FoundEngine, Missing> {
    match spec {
        TargetSpec::Ollama(ollama) => ollama::find(spec, ollama, task).await,
        TargetSpec::OpenAi(openai) => openai::find(spec, openai).await,
        TargetSpec::GgCore(gg_core) => gg_core::find(gg_core).await,
        TargetSpec::Json(json) => json_runtime(spec, json).await,
    }
}

/// What a target's engine says that it has counted of ordinary requests for the model: how many it answered well, and their mean
/// time in milliseconds. `None` where it doesn't count, or says nothing within `patience`.
pub async fn counts(target: &TargetPlan, patience: Duration) -> Option<(u64, f64)> {
    match &target.spec {
        TargetSpec::GgCore(_) => gg_core::counts(&target.endpoint, &target.model, patience).await,
        _ => None,
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

/// What to do about a server that can't be asked over https.
const HINT: &str = "correct the target's `url:` or `tls:`";

/// What is said where plain http was tried on a port that speaks TLS.
const TLS_THERE: &str = "it uses TLS: write https://";

/// An HTTP server that is asked questions.
struct Control {
    client: Client,
    base: Url,
}

impl Control {
    /// For a target's server, with its headers and its token. Over https it shakes hands once before it is asked anything,
    /// so that what is wrong with a certificate is told alike on every wire.
    async fn new(base: Url, target: &TargetSpec) -> Result<Self, Missing> {
        let at = endpoint(&base);
        let tls = Tls::of(&at, target).map_err(Missing::Different)?;
        if let (Some(_), Some(spec)) = (&tls, target.tls()) {
            let reached = tls::reach(&at, spec, PATIENCE).await;
            reached.map_err(|why| Missing::Unreachable {
                tried: format!("no answer from {base}: {why}"),
                hint: HINT.into(),
            })?;
        }
        let headers = own_headers(target).map_err(Missing::Different)?;
        let client =
            client(PATIENCE, tls.as_ref(), |plain| plain.default_headers(headers)).map_err(Missing::Different)?;
        Ok(Self { client, base })
    }

    /// For the server of a target that was found: at its root, where the endpoint of an OpenAI-compatible one ends in `/v1`.
    /// `None` where it can't be asked.
    async fn of(target: &TargetPlan) -> Option<Self> {
        let Endpoint::Tcp { .. } = &target.endpoint else { return None };
        let mut base = base_url(&target.endpoint.to_string(), 80).ok()?;
        let root = base.path().trim_end_matches('/').trim_end_matches("/v1").to_owned();
        base.set_path(&root);
        Self::new(base, &target.spec).await.ok()
    }

    /// Why there was no answer over plain http, with what is known of https there.
    async fn guessed(&self, why: String) -> String {
        if self.is_sealed().await { format!("{why}; {TLS_THERE}") } else { why }
    }

    /// Whether TLS is spoken there, though it was asked over plain http.
    async fn is_sealed(&self) -> bool {
        tls::is_spoken_at(&endpoint(&self.base)).await
    }

    /// The first question, by which it is found whether there is a server at all.
    async fn first(&self, path: &str) -> Result<Response, Silent> {
        self.asked(BUSY, path, None).await.map_err(|error| {
            if error.is_timeout() && !error.is_connect() {
                return Silent::Busy(format!(
                    "it accepted the connection, but {path} returned nothing within {} s",
                    BUSY.as_secs()
                ));
            }
            Silent::Absent(words(error))
        })
    }

    async fn send(&self, path: &str, body: Option<Value>) -> Result<Response, String> {
        self.send_within(PATIENCE, path, body).await
    }

    async fn send_within(&self, patience: Duration, path: &str, body: Option<Value>) -> Result<Response, String> {
        self.asked(patience, path, body).await.map_err(words)
    }

    async fn asked(&self, patience: Duration, path: &str, body: Option<Value>) -> reqwest::Result<Response> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let request = match body {
            Some(body) => self.client.post(url).json(&body),
            None => self.client.get(url),
        };
        request.timeout(patience).send().await
    }

    /// A JSON answer with status 200, else `None`.
    async fn ask(&self, path: &str, body: Option<Value>) -> Option<Value> {
        self.ask_within(PATIENCE, path, body).await
    }

    /// The same of a question that may take longer than others.
    async fn ask_within(&self, patience: Duration, path: &str, body: Option<Value>) -> Option<Value> {
        let answer = self.send_within(patience, path, body).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        answer.json().await.ok()
    }
}

/// What is found of a server that says nothing: used as it is where the scenario names the model, for somebody is there.
fn found_busy(base: &Url, endpoint: Endpoint, model: &str, why: &str) -> Result<FoundEngine, Missing> {
    if model == "auto" {
        return Err(Missing::Different(format!(
            "the server at {base} is busy, or doesn't speak HTTP: {why}\n  wait, or name its model with the target's `model:`"
        )));
    }
    let untold = vec![format!("{why}: it may be busy, and `{model}` is used without a check")];
    Ok(FoundEngine {
        endpoint,
        model: model.to_owned(),
        facts: EngineFacts::default(),
        stand_in: false,
        untold,
        busy: true,
    })
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
    // With a scheme and no port it is the scheme's, as everywhere, Ollama included.
    let port = if text.contains("://") { address.port_or_default() } else { address.port.unwrap_or(port) };
    let scheme = if address.tls { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{host}:{port}{}/", address.prefix)).map_err(|error| wrong(&error.to_string()))
}

fn endpoint(url: &Url) -> Endpoint {
    let host = url.host_str().unwrap_or("127.0.0.1").trim_start_matches('[').trim_end_matches(']').to_owned();
    let prefix = url.path().trim_end_matches('/').to_owned();
    Endpoint::Tcp { host, port: url.port_or_known_default().unwrap_or(80), prefix, tls: url.scheme() == "https" }
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

async fn json_runtime(target: &TargetSpec, spec: &JsonSpec) -> Result<FoundEngine, Missing> {
    let base = spec.url.as_deref().filter(|_| spec.socket.is_none()).map(|url| base_url(url, 80)).transpose()?;
    let endpoint = match (&spec.socket, &base) {
        (Some(path), _) => Endpoint::Unix { path: path.clone() },
        (None, Some(base)) => endpoint(base),
        (None, None) => endpoint(&base_url("", 80)?),
    };
    let reached = tls::reach(&endpoint, &spec.tls, PATIENCE).await;
    reached.map_err(|why| Missing::Unreachable {
        tried: format!("nothing answers at {endpoint} ({why})"),
        hint: "start the runtime, or correct the target's `url:`, `socket:` or `tls:`".into(),
    })?;
    let stand_in = match base {
        Some(base) => stand_in_at(base, target).await,
        None => false,
    };
    let facts = EngineFacts { engine: stand_in.then(|| "loadcmp stand-in".to_owned()), ..EngineFacts::default() };
    let model = spec.model.clone().unwrap_or_default();
    Ok(FoundEngine { endpoint, model, facts, stand_in, untold: Vec::new(), busy: false })
}

/// Whether the embedded engine answers at an address: its word stands in the header of every answer, errors included.
async fn stand_in_at(base: Url, target: &TargetSpec) -> bool {
    let Ok(control) = Control::new(base, target).await else { return false };
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
            ("https://box", "https://box:443"),
            ("https://[::1]:8443/v1", "https://[::1]:8443/v1"),
        ] {
            assert_eq!(endpoint(&base_url(text, 11434).unwrap()).to_string(), expected, "{text}");
        }
        for text in ["", "ftp://box", "http://", "a b"] {
            assert!(base_url(text, 11434).is_err(), "{text}");
        }
    }
}
