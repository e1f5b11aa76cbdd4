//! GG-CORE's wire on a local socket: framing, handshake, sessions and their limits, and the messages. One request in
//! flight a connection, answered in order; a client that leaves does not stop what it asked for. The inference itself
//! is in `gg_infer.rs`.

use super::engine::{Engine, millis};
use super::gg_infer::{Inference, infer, warm_up};
use super::gg_link::{Link, Next, Server};
use super::local::LocalListener;
use super::parse::Text;
use super::record::{Recorder, Row};
use crate::record::Nanos;
use crate::workload::text_hash;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::BufReader;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A session's life.
const SESSION: Nanos = Nanos(3600 * 1_000_000_000);

/// A connection's session.
#[derive(Debug)]
struct Session {
    started: Nanos,
    window: Nanos,
    requests: u32,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message<'a> {
    Handshake {
        #[serde(borrow)]
        token: Text<'a>,
        protocol_version: Option<String>,
    },
    InferenceRequest(#[serde(borrow)] Inference<'a>),
    HealthCheck {
        check_type: Check,
    },
    ModelsRequest,
    MetricsRequest,
    WarmupRequest {
        #[serde(borrow, default)]
        model_id: Text<'a>,
    },
    CancelRequest {
        request_id: u64,
    },
    PrometheusRequest,
    SpansRequest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Check {
    Liveness,
    Readiness,
    Full,
}

/// Accepts connections until `stop` turns true, then lets what is being answered end.
pub(super) async fn serve(
    server: Arc<Server>,
    mut listener: LocalListener,
    recorder: Option<Arc<Recorder>>,
    mut stop: watch::Receiver<bool>,
) {
    let engine = server.engine.clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok(stream) => {
                if server.open.fetch_add(1, Relaxed) >= engine.spec.gg_core.connections {
                    server.open.fetch_sub(1, Relaxed);
                    continue;
                }
                let link = Link { stream: BufReader::new(stream), tape: recorder.as_ref().map(Recorder::tape) };
                let (server, stop) = (server.clone(), stop.clone());
                connections.spawn(async move {
                    // A broken connection is the client's affair; the record shows it.
                    let _ = connection(&server, link, stop).await;
                    server.open.fetch_sub(1, Relaxed);
                });
            }
            Err(_) => engine.timer.until(engine.clock.now() + millis(10.0)).await,
        }
    }
    drop(listener);
    engine.let_finish(connections).await;
}

async fn connection(server: &Arc<Server>, mut link: Link, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let mut session = None;
    let mut frame = Vec::new();
    loop {
        let read = tokio::select! {
            read = link.read(&mut frame) => read?,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        if !read || answer(server, &mut link, &mut session, &frame).await? == Next::Close {
            return Ok(());
        }
    }
}

async fn answer(
    server: &Arc<Server>,
    link: &mut Link,
    session: &mut Option<Session>,
    frame: &[u8],
) -> io::Result<Next> {
    let arrived = server.engine.clock.now();
    let message = serde_json::from_slice(frame);
    if let Some(tape) = &link.tape {
        tape.begin(Row {
            wire: "gg_core",
            route: message.as_ref().map_or("unreadable", Message::name).to_owned(),
            arrived,
            body_hash: text_hash(frame),
            ..Row::default()
        });
    }
    // Who has a session is read; nobody else while an ordinary answer is made.
    if session.is_none() {
        server.worker.heard().await;
    }
    let text = match message {
        Err(error) => return link.error(400, &format!("Serialization error: {error}"), Next::Open).await,
        Ok(Message::Handshake { token, protocol_version }) => {
            return server.handshake(link, session, &token, protocol_version.as_deref()).await;
        }
        Ok(Message::InferenceRequest(asked)) => {
            let stream = asked.parameters.stream;
            let Some(session) = session.as_mut() else {
                let (code, next) = if stream { (401, Next::Open) } else { (500, Next::Close) };
                return link.error(code, "Not authenticated", next).await;
            };
            return match (session.admits(arrived, &server.engine), stream) {
                (Ok(()), _) => infer(server, link, &asked, arrived).await,
                // The real one's habit: no answer, and the connection stays open.
                (Err(_), true) => Ok(Next::Open),
                (Err(why), false) => link.error(500, &format!("Authentication error: {why}"), Next::Close).await,
            };
        }
        Ok(Message::HealthCheck { check_type }) => server.health(check_type),
        Ok(Message::ModelsRequest) => server.models(),
        Ok(Message::MetricsRequest) => {
            r#"{"type":"metrics_response","counters":{},"gauges":{},"histograms":{},"bucketed_histograms":{}}"#.into()
        }
        Ok(Message::WarmupRequest { model_id }) => warm_up(server, &model_id, arrived).await,
        Ok(Message::CancelRequest { request_id }) => {
            format!(r#"{{"type":"cancel_response","request_id":{request_id},"cancelled":false}}"#)
        }
        Ok(Message::PrometheusRequest | Message::SpansRequest) => {
            return link.error(400, "Unexpected message type", Next::Open).await;
        }
    };
    link.last(&text).await?;
    Ok(Next::Open)
}

impl Message<'_> {
    fn name(&self) -> &'static str {
        match self {
            Message::Handshake { .. } => "handshake",
            Message::InferenceRequest(_) => "inference_request",
            Message::HealthCheck { .. } => "health_check",
            Message::ModelsRequest => "models_request",
            Message::MetricsRequest => "metrics_request",
            Message::WarmupRequest { .. } => "warmup_request",
            Message::CancelRequest { .. } => "cancel_request",
            Message::PrometheusRequest => "prometheus_request",
            Message::SpansRequest => "spans_request",
        }
    }
}

impl Session {
    /// Counts a request; says why if it is one too many.
    fn admits(&mut self, now: Nanos, engine: &Engine) -> Result<(), &'static str> {
        if now.since(self.started) > SESSION {
            return Err("Session expired");
        }
        let limits = &engine.spec.gg_core;
        if now.since(self.window) >= millis(limits.session_window_ms) {
            (self.window, self.requests) = (now, 0);
        }
        self.requests = self.requests.saturating_add(1);
        if self.requests > limits.session_limit { Err("Session request rate limit exceeded") } else { Ok(()) }
    }
}

impl Server {
    async fn handshake(
        &self,
        link: &mut Link,
        session: &mut Option<Session>,
        token: &str,
        version: Option<&str>,
    ) -> io::Result<Next> {
        let version = version.unwrap_or("V1");
        if !matches!(version, "V1" | "V2") {
            let message = format!("Serialization error: unknown variant `{version}`, expected `V1` or `V2`");
            return link.error(400, &message, Next::Open).await;
        }
        let now = self.engine.clock.now();
        if let Err(why) = self.knock(token, now) {
            return link.error(500, &format!("Authentication error: {why}"), Next::Close).await;
        }
        *session = Some(Session { started: now, window: now, requests: 0 });
        let number = Sha256::digest(format!("session {} {}", self.engine.spec.seed, self.engine.id()));
        let id: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
        link.last(&format!(r#"{{"type":"handshake_ack","session_id":"{id}","protocol_version":"{version}"}}"#)).await?;
        Ok(Next::Open)
    }

    fn health(&self, check: Check) -> String {
        let report = serde_json::json!({
            "state": "Healthy", "ready": true, "accepting_requests": true, "models_loaded": 1,
            "memory_used_bytes": 1_048_576, "queue_depth": self.engine.queued(),
            "uptime_secs": self.engine.clock.now().seconds() as u64,
        });
        let report = if check == Check::Full { report } else { serde_json::Value::Null };
        let check = format!("{check:?}");
        serde_json::json!({ "type": "health_response", "check_type": check, "ok": true, "report": report }).to_string()
    }

    fn models(&self) -> String {
        let (served, took) = (self.served.load(Relaxed), self.took.load(Relaxed));
        let mean = if served > 0 { took as f64 / 1e6 / served as f64 } else { 0.0 };
        let model = serde_json::json!({
            "handle_id": 1, "name": self.engine.spec.model, "format": "unknown", "size_bytes": 1_048_576,
            "memory_bytes": 1_048_576, "state": "ready", "request_count": served, "avg_latency_ms": mean,
            "loaded_at": self.engine.wall(Nanos(0)).to_string(),
        });
        let other = |(n, name): (usize, &String)| {
            serde_json::json!({
                "handle_id": n + 2, "name": name, "format": "unknown", "size_bytes": 1000, "memory_bytes": 1000,
                "state": "ready", "request_count": 0, "avg_latency_ms": 0.0,
                "loaded_at": self.engine.wall(Nanos(0)).to_string(),
            })
        };
        let mut models: Vec<serde_json::Value> =
            self.engine.spec.gg_core.other_models.iter().enumerate().map(other).collect();
        models.push(model);
        // A hash map's order, another after each start.
        let turn = self.engine.wall(Nanos(0)).subsec_nanosecond().unsigned_abs() as usize;
        let all = models.len();
        models.rotate_left(turn % all);
        let bytes = 1_048_576;
        // GG-CORE says nothing of itself; a stand-in must, or it could pass for one.
        let server = format!("loadcmp-standin/{}", env!("CARGO_PKG_VERSION"));
        serde_json::json!({ "type": "models_response", "models": models, "total_memory_bytes": bytes, "server": server })
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::EngineSpec;

    #[test]
    fn a_session_has_a_budget_a_window_and_an_end() {
        let engine = Engine::new(EngineSpec::default()).unwrap();
        let mut session = Session { started: Nanos(0), window: Nanos(0), requests: 999 };
        assert!(session.admits(Nanos(1), &engine).is_ok());
        assert!(session.admits(Nanos(2), &engine).is_err());
        assert!(session.admits(Nanos(60_000_000_000), &engine).is_ok());
        assert_eq!(session.admits(Nanos(3_601_000_000_000), &engine), Err("Session expired"));
    }

    #[test]
    fn errors_read_as_the_real_ones() {
        let error = |text: &'static str| serde_json::from_str::<Message<'_>>(text).err().unwrap().to_string();
        let missing = r#"{"type":"inference_request","request_id":1,"model_id":"m","prompt":"x",
            "parameters":{"max_tokens":1,"top_p":1.0,"top_k":1}}"#;
        assert_eq!(error(missing), "missing field `temperature`");
        let wrong = r#"{"type":"cancel_request","request_id":"abc"}"#;
        assert_eq!(error(wrong), r#"invalid type: string "abc", expected u64"#);
    }
}
