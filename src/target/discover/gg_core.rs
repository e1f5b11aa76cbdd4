//! A GG-CORE: asked over its socket, on one connection, each question with a deadline. It is at work where it took the
//! connection and is silent: while it generates an ordinary answer it answers nothing else.

use super::{FoundEngine, Missing, STAND_IN_SERVER, list, text, there_are};
use crate::record::{Stopwatch, chain};
use crate::scenario::GgCoreSpec;
use crate::scenario::plan::{Endpoint, EngineFacts};
use crate::target::gg_core::{GgConnection, is_refused, note_refusal};
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Where GG-CORE's socket usually lies: today's path, and that of versions up to 0.8.1; on Windows its pipe.
#[cfg(not(windows))]
const GG_CORE_SOCKETS: [&str; 2] = ["/var/run/gg-core/GG-CORE.sock", "/var/run/veritas/GG-CORE.sock"];
#[cfg(windows)]
const GG_CORE_SOCKETS: [&str; 1] = [r"\\.\pipe\GG-CORE"];

/// Longest wait for an answer of a server that took the connection: an answer that it is at may take half a minute.
const BUSY: Duration = Duration::from_secs(40);

/// A GG-CORE that answers.
struct Server {
    endpoint: Endpoint,
    connection: GgConnection,
}

/// Why a question has no answer.
enum Silent {
    /// Nobody takes a connection there.
    Absent(String),
    /// Somebody does, and that is all.
    There(String),
}

/// Looks for it, and shakes hands.
pub(super) async fn find(spec: &GgCoreSpec) -> Result<FoundEngine, Missing> {
    let paths: Vec<PathBuf> = if spec.socket == "auto" {
        GG_CORE_SOCKETS.map(PathBuf::from).to_vec()
    } else {
        vec![PathBuf::from(&spec.socket)]
    };
    let mut tried = Vec::new();
    for path in paths {
        let endpoint = Endpoint::Unix { path };
        let mut server = match Server::reach(endpoint.clone()).await {
            Ok(server) => server,
            Err(Silent::Absent(why)) => {
                tried.push(format!("{endpoint} ({why})"));
                continue;
            }
            Err(Silent::There(why)) => return Err(Missing::Different(format!("at {endpoint} {why}"))),
        };
        let models = server.models().await?;
        let model = server.model(spec, &models).await?;
        server.greet(spec.token.expose()).await?;
        return Ok(found(spec, endpoint, model, &models));
    }
    Err(Missing::Unreachable {
        tried: format!("no GG-CORE at {}", tried.join(", nor at ")),
        hint: "start its host program, or give its socket: GG_CORE_SOCKET_PATH=/path, or the target's `socket:`".into(),
    })
}

/// What it counts of a model's ordinary requests, by its own word: how many it has answered well, and their mean time in
/// milliseconds. `None` where it doesn't say in time: it may be at work.
pub(in crate::target) async fn counts(endpoint: &Endpoint, model: &str, patience: Duration) -> Option<(u64, f64)> {
    let asked = async {
        let mut connection = GgConnection::plain(endpoint, Stopwatch::start()).await.ok()?;
        connection.question(&json!({"type": "models_request"})).await.ok()
    };
    let models = tokio::time::timeout(patience, asked).await.ok()??;
    let entry = list(&models, "models").iter().find(|entry| text(entry, "/name").as_deref() == Some(model))?;
    Some((entry.get("request_count")?.as_u64()?, entry.get("avg_latency_ms")?.as_f64()?))
}

impl Server {
    async fn reach(endpoint: Endpoint) -> Result<Self, Silent> {
        match GgConnection::plain(&endpoint, Stopwatch::start()).await {
            Ok(connection) => Ok(Self { endpoint, connection }),
            // It is there, and isn't for us.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(Silent::There(format!("is a socket that can't be opened: {}", chain(&error))))
            }
            Err(error) => Err(Silent::Absent(chain(&error))),
        }
    }

    /// One question, with a deadline: that server can fall silent.
    async fn ask(&mut self, message: &Value, kind: &str) -> Result<Value, Missing> {
        let told = tokio::time::timeout(BUSY, self.connection.question(message)).await;
        let why = match told {
            Ok(Ok(told)) if told["type"] == kind => return Ok(told),
            Ok(Ok(told)) => format!("the server is not GG-CORE: it sent `{told}`"),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => chain(&error),
            Ok(Err(error)) => format!(
                "the connection was closed instead of an answer ({}): the server has reached its maximum of \
                 connections, or it is not GG-CORE's socket",
                chain(&error)
            ),
            Err(_) => format!(
                "it accepted a connection, but answered nothing within {} s: GG-CORE is busy, or it is another \
                 program's socket",
                BUSY.as_secs()
            ),
        };
        Err(Missing::Different(format!("at {} {why}", self.endpoint)))
    }

    async fn models(&mut self) -> Result<Value, Missing> {
        self.ask(&json!({"type": "models_request"}), "models_response").await
    }

    /// Why a model can't be warmed up; `None` if it can.
    async fn cold(&mut self, model: &str) -> Result<Option<String>, Missing> {
        let warm_up = json!({"type": "warmup_request", "model_id": model, "tokens": 1});
        let told = self.ask(&warm_up, "warmup_response").await?;
        let refused = told.get("success").and_then(Value::as_bool) == Some(false);
        Ok(refused.then(|| text(&told, "/error").unwrap_or_else(|| "it didn't say why".to_owned())))
    }

    /// The model that will be asked: the one that is named, else the first by name that is ready and generates text. Their
    /// order in the list is another after each start.
    async fn model(&mut self, spec: &GgCoreSpec, models: &Value) -> Result<String, Missing> {
        let all = list(models, "models");
        let mut names: Vec<String> = all.iter().filter_map(|model| text(model, "/name")).collect();
        names.sort();
        if spec.model != "auto" {
            // The list's name may differ from the id that requests need: only a warm-up of that id proves it.
            let Some(why) = self.cold(&spec.model).await? else { return Ok(spec.model.clone()) };
            return Err(Missing::Different(format!(
                "the GG-CORE at {} can't warm up the model `{}` ({why}); {}",
                self.endpoint,
                spec.model,
                there_are(&names, "")
            )));
        }
        let is_ready = |name: &String| {
            let state = |model: &Value| text(model, "/state").as_deref() == Some("ready");
            all.iter().any(|model| text(model, "/name").as_ref() == Some(name) && state(model))
        };
        let mut refused = Vec::new();
        for name in names.iter().filter(|name| is_ready(name)) {
            match self.cold(name).await? {
                None => return Ok(name.clone()),
                Some(why) => refused.push(format!("{name} ({why})")),
            }
        }
        let told = if refused.is_empty() {
            format!("the GG-CORE at {} has no model that is ready", self.endpoint)
        } else {
            format!("the GG-CORE at {} has no model that generates text: {}", self.endpoint, refused.join(", "))
        };
        let hint = "its own server loads none: start a host program that loads a GGUF model".into();
        Err(Missing::NoModel { told, hint })
    }

    /// Shakes hands, once, so that a wrong token is told before any load.
    async fn greet(&mut self, token: &str) -> Result<(), Missing> {
        let words = |why: String| {
            Missing::Different(format!(
                "the GG-CORE at {}: {why}; the token comes from the target's `token`, CORE_AUTH_TOKEN, or the file \
                 named by CORE_AUTH_TOKEN_FILE",
                self.endpoint
            ))
        };
        if let Some(why) = is_refused(&self.endpoint, token) {
            return Err(words(format!("{why} (not retried, because that would lock out every client)")));
        }
        let greeted = self.connection.greet(token, BUSY).await;
        greeted.inspect_err(|error| note_refusal(&self.endpoint, token, error)).map_err(|error| words(chain(&error)))
    }
}

fn found(spec: &GgCoreSpec, endpoint: Endpoint, model: String, models: &Value) -> FoundEngine {
    let all = list(models, "models");
    let mut names: Vec<String> = all.iter().filter_map(|model| text(model, "/name")).collect();
    names.sort();
    let entry = all.iter().find(|entry| text(entry, "/name").as_deref() == Some(&model));
    let stand_in = models.get("server").and_then(Value::as_str).is_some_and(|s| s.starts_with(STAND_IN_SERVER));
    let facts = EngineFacts {
        engine: Some(if stand_in { "loadcmp stand-in" } else { "gg-core" }.to_owned()),
        size_bytes: entry.and_then(|entry| entry.get("size_bytes")).and_then(Value::as_u64),
        context: Some(u64::from(spec.context())),
        slots: Some(1),
        loaded: Some(true),
        models: names,
        ..EngineFacts::default()
    };
    FoundEngine { endpoint, model, facts, stand_in, untold: spec.assumed().into_iter().collect(), busy: false }
}
