//! Who is there: finds an engine, asks it for its version and models, and picks the model. The one door of reqwest; no
//! load is sent from here, and nothing here is timed.

use super::gg_core::GgConnection;
use crate::record::Stopwatch;
use crate::scenario::plan::{Endpoint, EngineFacts};
use crate::scenario::{Address, GgCoreSpec, JsonSpec, OllamaSpec, OpenAiSpec, TargetSpec, Task};
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// The word in the Server header by which the embedded engine is known, wherever it runs.
pub const STAND_IN_SERVER: &str = "loadcmp-standin";

/// Longest wait for one question.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where GG-CORE's socket usually lies: today's path, and that of versions up to 0.8.1.
const GG_CORE_SOCKETS: [&str; 2] = ["/var/run/gg-core/GG-CORE.sock", "/var/run/veritas/GG-CORE.sock"];

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
        TargetSpec::Ollama(spec) => ollama(spec, task).await,
        TargetSpec::OpenAi(spec) => openai(spec, task).await,
        TargetSpec::GgCore(spec) => gg_core(spec).await,
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
        // No proxy: what is asked is what will be measured.
        let client = Client::builder().no_proxy().connect_timeout(PATIENCE).timeout(PATIENCE).build();
        let client = client.map_err(|error| Missing::Different(format!("no HTTP client: {error}")))?;
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
        request.send().await.map_err(|error| root_cause(&error))
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

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
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

async fn ollama(spec: &OllamaSpec, task: Task) -> Result<Found, Missing> {
    let base = base_url(if spec.url == "auto" { "127.0.0.1:11434" } else { &spec.url }, 11434)?;
    let control = Control::new(base.clone(), "")?;
    let unreachable = |why: String| Missing::Unreachable {
        tried: format!("no Ollama at {base} ({why})"),
        hint: "start one with `ollama serve`, or say where it is: OLLAMA_HOST=host:port, or `url:` of the target"
            .into(),
    };
    let version = control.send("/api/version", None).await.map_err(unreachable)?;
    let stand_in = is_stand_in(&version);
    let status = version.status();
    let version: Value = version.json().await.unwrap_or_default();
    let Some(number) = text(&version, "/version") else {
        return Err(Missing::Different(format!(
            "what answers at {base} is no Ollama: /api/version gave status {status} and no version"
        )));
    };
    let tags = control.ask("/api/tags", None).await.unwrap_or_default();
    let running = control.ask("/api/ps", None).await.unwrap_or_default();
    let mut facts = EngineFacts {
        engine: Some(if stand_in { "loadcmp stand-in" } else { "ollama" }.to_owned()),
        version: Some(number),
        models: list(&tags, "models").iter().filter_map(|model| text(model, "/name")).collect(),
        ..EngineFacts::default()
    };
    let loaded: Vec<String> = list(&running, "models").iter().filter_map(|model| text(model, "/name")).collect();
    let model = if spec.model == "auto" {
        pick_model(&control, &tags, &loaded, task).await.ok_or_else(|| no_ollama_model(&base, &facts.models, task))?
    } else {
        let full = if spec.model.contains(':') { spec.model.clone() } else { format!("{}:latest", spec.model) };
        if !facts.models.contains(&full) && !facts.models.contains(&spec.model) {
            return Err(Missing::Different(format!(
                "the Ollama at {base} has no model `{}`; {}",
                spec.model,
                there_are(&facts.models, "`ollama pull` gets one")
            )));
        }
        spec.model.clone()
    };
    let same = |entry: &&Value| {
        text(entry, "/name").is_some_and(|name| name == model || name.strip_suffix(":latest") == Some(model.as_str()))
    };
    facts.loaded = Some(list(&running, "models").iter().any(|entry| same(&entry)));
    if let Some(entry) = list(&running, "models").iter().find(same) {
        facts.context = entry.get("context_length").and_then(Value::as_u64).filter(|tokens| *tokens > 0);
    }
    if let Some(entry) = list(&tags, "models").iter().find(same) {
        facts.digest = text(entry, "/digest");
        facts.size_bytes = entry.get("size").and_then(Value::as_u64);
        facts.family = text(entry, "/details/family");
        facts.parameters = text(entry, "/details/parameter_size");
        // Ollama up to 0.11 says `unknown` of what is not quantised at all.
        facts.quantization = text(entry, "/details/quantization_level").filter(|told| told != "unknown");
    }
    if spec.num_ctx.is_some() {
        facts.context = spec.num_ctx.map(u64::from);
    }
    Ok(Found { endpoint: endpoint(&base), model, facts, stand_in })
}

/// The model already loaded, else the smallest, that can do the task.
async fn pick_model(control: &Control, tags: &Value, loaded: &[String], task: Task) -> Option<String> {
    let mut models: Vec<&Value> = list(tags, "models").iter().collect();
    models.sort_by_key(|model| {
        let name = text(model, "/name").unwrap_or_default();
        (!loaded.contains(&name), model.get("size").and_then(Value::as_u64), name)
    });
    for model in models {
        let Some(name) = text(model, "/name") else { continue };
        let mut can = list(model, "capabilities").to_vec();
        if can.is_empty() {
            let shown = control.ask("/api/show", Some(json!({"model": name}))).await.unwrap_or_default();
            can = list(&shown, "capabilities").to_vec();
        }
        let needed = if task == Task::Embed { "embedding" } else { "completion" };
        if can.iter().any(|word| word == needed) {
            return Some(name);
        }
    }
    None
}

fn no_ollama_model(base: &Url, models: &[String], task: Task) -> Missing {
    let (kind, example) = if task == Task::Embed {
        ("an embedding model", "all-minilm")
    } else {
        ("a model that writes text", "qwen3:0.6b")
    };
    let others = if models.is_empty() { String::new() } else { format!(" ({})", there_are(models, "")) };
    Missing::NoModel {
        told: format!(
            "the Ollama at {base} has no {}{others}",
            kind.trim_start_matches("an ").trim_start_matches("a ")
        ),
        hint: format!("get {kind} with `ollama pull {example}`"),
    }
}

fn there_are(models: &[String], otherwise: &str) -> String {
    match models {
        [] => format!("it has no models: {otherwise}"),
        some => format!("it has: {}", some.join(", ")),
    }
}

async fn openai(spec: &OpenAiSpec, task: Task) -> Result<Found, Missing> {
    let mut base = base_url(if spec.url == "auto" { "127.0.0.1:8080" } else { &spec.url }, 8080)?;
    let root = base.path().trim_end_matches('/').trim_end_matches("/v1").to_owned();
    base.set_path(&root);
    let control = Control::new(base.clone(), spec.token.expose())?;
    let unreachable = |why: String| Missing::Unreachable {
        tried: format!("no OpenAI-compatible server at {base} ({why})"),
        hint:
            "start yours (`llama-server -m MODEL.gguf --port 8080`), or say where it is: NATIVE_URL=http://host:port, \
               `url:` of the target, or --target NAME=openai:http://host:port"
                .into(),
    };
    let models = control.send("/v1/models", None).await.map_err(unreachable)?;
    let stand_in = is_stand_in(&models);
    let server = models.headers().get("server").and_then(|server| server.to_str().ok()).map(str::to_owned);
    let status = models.status();
    match status.as_u16() {
        200 => {}
        401 | 403 => {
            return Err(Missing::Different(format!(
                "the server at {base} wants a token (status {status}): set the target's `token: ${{NAME}}`"
            )));
        }
        503 => {
            return Err(Missing::Different(format!(
                "the server at {base} is still loading its model: wait, and run again"
            )));
        }
        _ => {
            return Err(Missing::Different(format!(
                "what answers at {base} is no OpenAI-compatible server: /v1/models gave status {status}"
            )));
        }
    }
    let models: Value = models.json().await.unwrap_or_default();
    let names: Vec<String> = list(&models, "data").iter().filter_map(|model| text(model, "/id")).collect();
    let model = match (spec.model.as_str(), names.first()) {
        ("auto", Some(first)) => first.clone(),
        ("auto", None) => {
            return Err(Missing::NoModel {
                told: format!("the server at {base} lists no model"),
                hint: "name one: `model:` of the target".into(),
            });
        }
        (named, Some(_)) if !names.iter().any(|name| name == named) => {
            return Err(Missing::Different(format!(
                "the server at {base} has no model `{named}`; {}",
                there_are(&names, "")
            )));
        }
        (named, _) => named.to_owned(),
    };
    let _ = task;
    let mut facts = EngineFacts { models: names, loaded: Some(true), ..EngineFacts::default() };
    facts.engine = if stand_in { Some("loadcmp stand-in".to_owned()) } else { server.clone() };
    if let Some(entry) = list(&models, "data").iter().find(|entry| text(entry, "/id").as_deref() == Some(&model)) {
        facts.size_bytes = entry.pointer("/meta/size").and_then(Value::as_u64);
        facts.parameters = entry.pointer("/meta/n_params").and_then(Value::as_u64).map(|n| n.to_string());
        // "all F32" and "mostly Q4_0" are Ollama's "F32" and "Q4_0".
        let told = text(entry, "/meta/ftype");
        facts.quantization = told.map(|t| t.trim_start_matches("all ").trim_start_matches("mostly ").to_owned());
        facts.context = entry.pointer("/meta/n_ctx").and_then(Value::as_u64);
    }
    if let Some(props) = control.ask("/props", None).await {
        facts.slots = props.get("total_slots").and_then(Value::as_u64);
        let context = props.pointer("/default_generation_settings/n_ctx").and_then(Value::as_u64);
        facts.context = context.or(facts.context);
        facts.version = text(&props, "/build_info");
        facts.engine = facts.engine.or(Some("llama.cpp".to_owned()));
    } else if let Some(version) = control.ask("/version", None).await {
        facts.version = text(&version, "/version");
    }
    base.set_path(&format!("{root}/v1"));
    Ok(Found { endpoint: endpoint(&base), model, facts, stand_in })
}

async fn gg_core(spec: &GgCoreSpec) -> Result<Found, Missing> {
    let paths: Vec<PathBuf> = if spec.socket == "auto" {
        GG_CORE_SOCKETS.map(PathBuf::from).to_vec()
    } else {
        vec![PathBuf::from(&spec.socket)]
    };
    let mut tried = Vec::new();
    for path in paths {
        let endpoint = Endpoint::Unix { path };
        match models_of(&endpoint).await {
            Ok(models) => return gg_core_model(spec, endpoint, &models).await,
            Err(why) => tried.push(format!("{endpoint} ({why})")),
        }
    }
    Err(Missing::Unreachable {
        tried: format!("no GG-CORE at {}", tried.join(", nor at ")),
        hint:
            "start its host program, or say where its socket is: GG_CORE_SOCKET_PATH=/path, or `socket:` of the target"
                .into(),
    })
}

async fn models_of(endpoint: &Endpoint) -> Result<Value, String> {
    control(endpoint, &json!({"type": "models_request"})).await
}

/// One question over the socket, with a deadline: that server can fall silent.
async fn control(endpoint: &Endpoint, message: &Value) -> Result<Value, String> {
    let asked = GgConnection::control(endpoint, message, Stopwatch::start());
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(told) => told.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no reply within {} s", PATIENCE.as_secs())),
    }
}

async fn gg_core_model(spec: &GgCoreSpec, endpoint: Endpoint, models: &Value) -> Result<Found, Missing> {
    let all = list(models, "models");
    let names: Vec<String> = all.iter().filter_map(|model| text(model, "/name")).collect();
    let ready = all.iter().find(|model| text(model, "/state").as_deref() == Some("ready"));
    let model = match (spec.model.as_str(), ready.and_then(|model| text(model, "/name"))) {
        ("auto", Some(name)) => name,
        ("auto", None) => {
            return Err(Missing::NoModel {
                told: format!("the GG-CORE at {endpoint} has no model that is ready"),
                hint: "its stock server loads none: start a host program that loads one".into(),
            });
        }
        (named, _) => named.to_owned(),
    };
    // The list's name may differ from the id that requests need: only a warm-up of that id proves it.
    let warmed = control(&endpoint, &json!({"type": "warmup_request", "model_id": model, "tokens": 1})).await;
    if let Ok(told) = &warmed
        && told.get("success").and_then(Value::as_bool) == Some(false)
    {
        let why = text(told, "/error").unwrap_or_default();
        return Err(Missing::Different(format!(
            "the GG-CORE at {endpoint} can't warm up the model `{model}` ({why}); {}",
            there_are(&names, "")
        )));
    }
    let entry = all.iter().find(|entry| text(entry, "/name").as_deref() == Some(&model));
    let stand_in = models.get("server").and_then(Value::as_str).is_some_and(|s| s.starts_with(STAND_IN_SERVER));
    let facts = EngineFacts {
        engine: Some(if stand_in { "loadcmp stand-in" } else { "gg-core" }.to_owned()),
        size_bytes: entry.and_then(|entry| entry.get("size_bytes")).and_then(Value::as_u64),
        context: Some(2048),
        slots: Some(1),
        loaded: Some(ready.is_some()),
        models: names,
        ..EngineFacts::default()
    };
    Ok(Found { endpoint, model, facts, stand_in })
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
        Ok(Err(error)) => error.to_string(),
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
