//! The stand-in (`loadcmp serve`): a small engine with declared timing, served over the wires that loadcmp speaks, on
//! loopback. It says what it is in every HTTP header and version, keeps a record of what it really served, and never
//! reads what the load generator measured.
//!
//! [`EngineSpec`] is declared, `engine` turns it into slots, draws and deadlines, `text`, `labels` and `vectors` make
//! the content, and each wire speaks it: `ollama` and `openai` (with `messages` and `responses`) over `http`, `gg_core` over a local socket.

mod admit;
mod args;
mod call;
mod engine;
mod gg_core;
mod gg_infer;
mod gg_link;
mod gg_worker;
mod http;
mod job;
mod labels;
mod leak;
mod listen;
mod local;
mod messages;
mod messages_voice;
mod ollama;
mod ollama_fields;
mod ollama_models;
mod ollama_voice;
mod openai;
mod openai_fields;
mod openai_voice;
mod parse;
mod prefixes;
mod quirk;
mod quirk_events;
mod quirk_reply;
mod record;
mod responses;
mod responses_voice;
mod spec;
mod store;
mod stream;
mod text;
mod timer;
mod tls;
mod vectors;

pub use args::{ServeArgs, run};
pub use job::token_times;
pub use listen::{Listeners, bind, bind_http_socket, bind_https};
pub use ollama_models::VERSION;
pub use quirk::{Quirk, Quirks};
pub use record::COLUMNS;
pub use spec::{EngineSpec, Faults, GgCoreSpec, Jitter, Kind};

use anyhow::Context;
use engine::Engine;
use record::Recorder;
use std::future::Future;
use std::path::PathBuf;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Serves an engine on the listeners until `stop` ends; with `record`, appends a row a request to that file. What is
/// being answered then has two seconds to end.
pub async fn serve(
    spec: EngineSpec,
    listeners: Listeners,
    record: Option<PathBuf>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let engine = Engine::new(spec)?;
    let (recorder, writer) = match &record {
        Some(path) => Some(Recorder::open(path, engine.clock)?).unzip(),
        None => (None, None),
    };
    let (stopping, stopped) = watch::channel(false);
    let mut wires = JoinSet::new();
    if let Some(listener) = listeners.http {
        wires.spawn(http::serve(engine.clone(), http::Door::Tcp(listener), recorder.clone(), stopped.clone()));
    }
    if let Some((listener, acceptor)) = listeners.https {
        let door = http::Door::Tls(listener, acceptor);
        wires.spawn(http::serve(engine.clone(), door, recorder.clone(), stopped.clone()));
    }
    if let Some(listener) = listeners.http_socket {
        wires.spawn(http::serve(engine.clone(), http::Door::Local(listener), recorder.clone(), stopped.clone()));
    }
    if let Some(listener) = listeners.gg_core {
        let token = std::env::var("CORE_AUTH_TOKEN").unwrap_or_default();
        let server = gg_link::Server::new(engine.clone(), token);
        wires.spawn(gg_core::serve(server, listener, recorder.clone(), stopped.clone()));
    }
    drop((stopped, recorder));
    stop.await;
    stopping.send_replace(true);
    while let Some(ended) = wires.join_next().await {
        ended.context("serving the stand-in")?;
    }
    if let (Some(writer), Some(path)) = (writer, record) {
        let written = tokio::task::spawn_blocking(move || writer.join()).await.context("closing the record")?;
        let written = written.map_err(|_| anyhow::anyhow!("the record's writer failed"))?;
        written.with_context(|| format!("writing the stand-in's record {}", path.display()))?;
    }
    Ok(())
}
