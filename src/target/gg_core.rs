//! GG-CORE's local socket: frames of a little-endian length and JSON, a session a connection, one request in flight on
//! each.
//!
//! The handshake and its renewal stand outside every timed region. That server can fall silent for good, so nothing
//! here waits without the caller's deadline.

use super::answer::{Answer, TEXT_LIMIT, brief};
use super::lenient;
use super::render::{Asked, Settings};
use super::socket::{Marks, Stamped};
use crate::record::{Nanos, Remark, Stopwatch};
use crate::scenario::plan::Endpoint;
use crate::scenario::{GgCoreSpec, Task};
use crate::workload::Item;
use serde::Deserialize;
use serde_json::{Value, json};
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Largest frame taken, as the server's own limit.
const FRAME_LIMIT: usize = 16 << 20;

/// Age at which a session is renewed; the server's limit is 3600 s.
const SESSION_AGE: Nanos = Nanos(3_000_000_000_000);

/// First pause before a stream that hasn't begun gets another kick; it doubles.
const KICK_AGAIN: Duration = Duration::from_millis(2);

/// Longest pause before another kick.
const KICK_PAUSE: Duration = Duration::from_secs(1);

/// Longest wait for a kick's answer: it stands in the worker's queue behind all streams.
const KICK_LIMIT: Duration = Duration::from_secs(30);

/// Tokens of prompt and answer together that the server survives.
const CONTEXT: usize = 2048;

/// The part of a request after its number; the number is put in front when it is sent.
pub(super) fn body(model: &str, settings: &Settings, asked: &Asked<'_>, timeout_ms: u64) -> Vec<u8> {
    let sampling = &settings.sampling;
    // Temperatures and masses outside the server's bounds were told as inequalities; all four fields are mandatory.
    let rest = json!({
        "model_id": model,
        "prompt": asked.prompt,
        "parameters": {
            "max_tokens": asked.max_tokens,
            "temperature": sampling.temperature,
            "top_p": if sampling.top_p > 0.0 { sampling.top_p } else { 1.0 },
            "top_k": sampling.top_k,
            "stream": settings.stream,
            "timeout_ms": timeout_ms,
        }
    });
    rest.to_string().into_bytes()
}

/// What a frame says that is no acknowledgement: its message, or all of it where that can't be read.
fn refusal_words(frame: &[u8]) -> String {
    let told = serde_json::from_slice::<Value>(frame).ok();
    let message = told.as_ref().and_then(|value| value["message"].as_str()).map(str::to_owned);
    brief(&message.unwrap_or_else(|| String::from_utf8_lossy(frame).into_owned()))
}

/// Why this wire can't do a run, if it can't.
pub(super) fn refusal(spec: &GgCoreSpec, settings: &Settings, users: u32, items: &[Item]) -> Option<String> {
    if settings.task == Task::Embed {
        return Some("GG-CORE's socket generates only: it has no embeddings; take another target for this task".into());
    }
    let side = u32::from(settings.stream);
    if users.saturating_add(side) > spec.max_connections {
        return Some(format!(
            "{users} users need {} connections, and the server takes {}: lower `load.closed.users`, or raise the server's \
             GG_CORE_MAX_CONNECTIONS and this target's `max_connections`",
            users + side,
            spec.max_connections
        ));
    }
    let longest = items
        .iter()
        .map(|item| {
            item.turns.iter().map(|t| t.user.len() + t.assistant.as_ref().map_or(0, String::len)).sum::<usize>()
        })
        .max()
        .unwrap_or(0);
    // Four bytes a token is too kind to short words; three is what plain English never passes.
    let tokens = longest / 3 + settings.sampling.max_tokens as usize;
    (tokens > CONTEXT).then(|| {
        format!(
            "the longest prompt has {longest} bytes (up to {} tokens) and {} more are asked for: beyond {CONTEXT} tokens \
             GG-CORE loses the answer or ends; shorten the prompts or `max_tokens`",
            longest / 3,
            settings.sampling.max_tokens
        )
    })
}

/// One connection with its session.
pub(super) struct GgConnection {
    socket: Stamped,
    buffer: Vec<u8>,
    taken: usize,
    requests: u32,
    since: Nanos,
    open: bool,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    request_id: Option<u64>,
    output: Option<String>,
    tokens_generated: Option<u64>,
    text: Option<String>,
    #[serde(default)]
    is_final: bool,
    error: Option<String>,
    error_code: Option<String>,
    code: Option<u16>,
    message: Option<String>,
}

impl Frame {
    /// What can be read of an unusual frame; a count that can't be sets `bad`.
    fn lenient(value: &Value, bad: &mut bool) -> Option<Self> {
        let text = |at: &str| {
            value.get(at).filter(|told| !told.is_null()).map(|told| lenient::said(Some(told)).text.into_owned())
        };
        let count = |at: &str, bad: &mut bool| lenient::count(value.get(at), bad);
        Some(Self {
            kind: value.get("type")?.as_str()?.to_owned(),
            request_id: count("request_id", bad),
            output: text("output"),
            tokens_generated: count("tokens_generated", bad),
            text: text("text"),
            is_final: value.get("is_final").is_some_and(super::words::truthy),
            error: value.get("error").filter(|error| super::words::truthy(error)).map(super::words::of),
            error_code: text("error_code"),
            code: count("code", bad).and_then(|code| u16::try_from(code).ok()),
            message: text("message"),
        })
    }
}

impl GgConnection {
    /// Connects and shakes hands.
    pub(super) async fn open(endpoint: &Endpoint, token: &str, clock: Stopwatch) -> io::Result<Self> {
        let socket = Stamped::open(endpoint, clock).await?;
        let mut connection = Self { socket, buffer: Vec::new(), taken: 0, requests: 0, since: clock.now(), open: true };
        connection.shake_hands(token).await?;
        Ok(connection)
    }

    /// A handshake: on a running connection it starts a new session with a fresh budget.
    async fn shake_hands(&mut self, token: &str) -> io::Result<()> {
        let hello = json!({"type": "handshake", "token": token, "protocol_version": "V1"}).to_string();
        self.write(hello.as_bytes()).await?;
        let frame = self.frame().await?;
        if serde_json::from_slice::<Value>(&frame).is_ok_and(|v| v["type"] == "handshake_ack") {
            return Ok(());
        }
        self.open = false;
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("the handshake was refused: {}", refusal_words(&frame)),
        ))
    }

    /// Whether another request can go over it; renews the session before its limit.
    pub(super) async fn usable(&mut self, spec: &GgCoreSpec, now: Nanos) -> io::Result<bool> {
        if !self.open {
            return Ok(false);
        }
        if self.requests < spec.session_requests && now.since(self.since) < SESSION_AGE {
            return Ok(true);
        }
        self.requests = 0;
        self.since = now;
        self.shake_hands(spec.token.expose()).await.map(|()| true)
    }

    /// The stamps of the request in flight.
    pub(super) fn marks(&self) -> &Marks {
        self.socket.marks()
    }

    /// Marks the connection as spent: a late answer may still come over it.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// Sends a request and reads its answer to the end; with a kicker, a stream.
    pub(super) async fn ask(
        &mut self,
        number: u64,
        rest: &[u8],
        kicker: Option<&Kicker>,
        answer: &mut Answer,
    ) -> io::Result<()> {
        let head = format!("{{\"type\":\"inference_request\",\"request_id\":{number},");
        let mut frame = Vec::with_capacity(head.len() + rest.len());
        frame.extend_from_slice(head.as_bytes());
        frame.extend_from_slice(rest.strip_prefix(b"{").unwrap_or(rest));
        self.requests += 1;
        self.socket.begin();
        self.write(&frame).await?;
        let mut first = kicker;
        while answer.done.is_none() && answer.error.is_none() {
            let frame = match first.take() {
                Some(kicker) => kicker.until(self.frame()).await?,
                None => self.frame().await?,
            };
            let stamp = self.marks().last_read().unwrap_or_default();
            self.take(&frame, number, kicker.is_some(), stamp, answer);
            if answer.overfull {
                self.open = false;
                return Err(io::Error::other(format!("more than {} MiB of text", TEXT_LIMIT >> 20)));
            }
        }
        Ok(())
    }

    /// Takes one frame of an answer.
    fn take(&mut self, bytes: &[u8], number: u64, streamed: bool, stamp: Nanos, answer: &mut Answer) {
        let frame: Frame = match serde_json::from_slice(bytes) {
            Ok(frame) => frame,
            Err(_) if bytes.starts_with(b"{\"type\":\"error\",\"code\":") => {
                // Its messages stand unescaped: such a frame is no JSON, and an error all the same.
                self.open = bytes[b"{\"type\":\"error\",\"code\":".len()..].first() == Some(&b'4');
                return answer.fail(brief(&String::from_utf8_lossy(bytes)));
            }
            Err(_) => {
                let mended = lenient::read(bytes).ok();
                let mut bad = false;
                let frame = mended.as_ref().and_then(|(value, _)| Frame::lenient(value, &mut bad));
                let Some(frame) = frame else {
                    self.open = false;
                    return answer.fail(format!("a frame that is not GG-CORE's JSON: {}", refusal_words(bytes)));
                };
                if mended.is_some_and(|(_, bad_text)| bad_text) {
                    answer.remark(Remark::BadText);
                }
                if bad {
                    answer.remark(Remark::BadCount);
                }
                frame
            }
        };
        if frame.request_id.is_some_and(|id| id != number) {
            self.open = false;
            return answer.fail(format!("an answer to request {:?} came for request {number}", frame.request_id));
        }
        match frame.kind.as_str() {
            "error" => {
                // After a 500 the server closes; after a 400 or 401 the connection stays.
                self.open = frame.code.is_some_and(|code| code < 500);
                answer.fail(frame.message.unwrap_or_else(|| "an error frame without a message".to_owned()));
            }
            "inference_response" => match frame.error {
                Some(error) => {
                    answer.rejected = frame.error_code.as_deref() == Some("admission_rejected");
                    answer.fail(error);
                }
                None => {
                    answer.whole(&frame.output.unwrap_or_default());
                    answer.output_tokens = frame.tokens_generated;
                    answer.done = Some(stamp);
                }
            },
            "stream_chunk" if streamed => {
                answer.piece(frame.text.as_deref().unwrap_or_default(), stamp);
                match frame.error {
                    Some(error) => answer.fail(error),
                    None if frame.is_final => answer.done = Some(stamp),
                    None => {}
                }
            }
            other => answer.fail(format!("a frame of type `{other}` in place of an answer")),
        }
    }

    async fn write(&mut self, json: &[u8]) -> io::Result<()> {
        let length = u32::try_from(json.len()).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(4 + json.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(json);
        self.socket.write_all(&bytes).await
    }

    /// Reads to the end of the next frame; what came beyond it waits for the next call.
    async fn frame(&mut self) -> io::Result<Vec<u8>> {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        loop {
            if let Some(head) = self.buffer.first_chunk::<4>() {
                let length = u32::from_le_bytes(*head) as usize;
                if length > FRAME_LIMIT {
                    self.open = false;
                    return Err(io::Error::other(format!("a frame of {length} bytes was announced")));
                }
                if let Some(frame) = self.buffer.get(4..4 + length) {
                    self.taken = 4 + length;
                    return Ok(frame.to_vec());
                }
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                self.open = false;
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Sends a message that needs no session, and waits for its answer: health, models, warm-up.
    pub(super) async fn control(endpoint: &Endpoint, message: &Value, clock: Stopwatch) -> io::Result<Value> {
        let socket = Stamped::open(endpoint, clock).await?;
        let mut plain = Self { socket, buffer: Vec::new(), taken: 0, requests: 0, since: clock.now(), open: true };
        plain.write(message.to_string().as_bytes()).await?;
        let frame = plain.frame().await?;
        serde_json::from_slice(&frame).map_err(io::Error::other)
    }
}

/// Wakes an idle worker: a stream sent to one is not started until some ordinary request arrives. A warm-up request on
/// a connection of its own does it; it costs the engine one token, and the plan says so.
#[derive(Debug)]
pub(super) struct Kicker {
    kicks: tokio::sync::mpsc::Sender<()>,
}

impl Kicker {
    /// Starts the side connection on the current runtime.
    pub(super) fn start(endpoint: Endpoint, model: String, clock: Stopwatch) -> Self {
        let (kicks, mut waiting) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            while waiting.recv().await.is_some() {
                let message = json!({"type": "warmup_request", "model_id": model, "tokens": 1});
                // A kick that fails shows as a stream that times out: nothing else to do about it here.
                let kick = GgConnection::control(&endpoint, &message, clock);
                let _ = tokio::time::timeout(KICK_LIMIT, kick).await;
            }
        });
        Self { kicks }
    }

    /// Kicks until `begun` ends. Once is not enough: the kick goes over a connection of its own, and can overtake the
    /// stream that it is meant for. While the worker is busy, only one of them waits in its queue.
    async fn until<T>(&self, begun: impl Future<Output = T>) -> T {
        let mut begun = std::pin::pin!(begun);
        let mut pause = KICK_AGAIN;
        loop {
            self.kick();
            tokio::select! {
                biased;
                told = &mut begun => return told,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(KICK_PAUSE),
            }
        }
    }

    /// Asks for one kick; one that is already due does for both.
    fn kick(&self) {
        let _ = self.kicks.try_send(());
    }
}
