//! One connection with its session: opened, renewed, asked.

use super::frame::{Expected, refusal_words, take};
use super::{CONNECT_LIMIT, Kicker, limit_of, patience};
use crate::record::{Nanos, Stopwatch};
use crate::scenario::GgCoreSpec;
use crate::scenario::plan::Endpoint;
use crate::target::answer::{Answer, TEXT_LIMIT, brief};
use crate::target::socket::{Marks, Stamped};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Largest frame taken, as the server's own limit.
const FRAME_LIMIT: usize = 16 << 20;

/// Age at which a session is renewed; the server's limit is 3600 s.
const SESSION_AGE: Nanos = Nanos(3_000_000_000_000);

/// Bytes that are shown of what isn't GG-CORE's.
const SHOWN: usize = 60;

/// One connection with its session.
pub(in crate::target) struct GgConnection {
    socket: Stamped,
    buffer: Vec<u8>,
    taken: usize,
    requests: u32,
    since: Nanos,
    open: bool,
}

impl GgConnection {
    /// Connects and shakes hands. The handshake is waited for as long as an answer may take, `timeout`: a busy server is not
    /// an absent one.
    pub(in crate::target) async fn open(
        endpoint: &Endpoint,
        token: &str,
        clock: Stopwatch,
        timeout: Duration,
    ) -> io::Result<Self> {
        let mut connection = Self::plain(endpoint, clock).await?;
        connection.greet(token, timeout).await?;
        Ok(connection)
    }

    /// Connects, for messages that need no session.
    pub(in crate::target) async fn plain(endpoint: &Endpoint, clock: Stopwatch) -> io::Result<Self> {
        let opened = tokio::time::timeout(CONNECT_LIMIT, Stamped::open(endpoint, clock)).await;
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {CONNECT_LIMIT:?}"));
        let socket = opened.map_err(late)??;
        Ok(Self { socket, buffer: Vec::new(), taken: 0, requests: 0, since: clock.now(), open: true })
    }

    /// A handshake: on a running connection it starts a new session with a fresh budget. It is waited for as long as an answer
    /// may take, `timeout`.
    pub(in crate::target) async fn greet(&mut self, token: &str, timeout: Duration) -> io::Result<()> {
        // Who gives up waiting must find it closed: the answer may still come.
        self.open = false;
        let hello = json!({"type": "handshake", "token": token, "protocol_version": "V1"}).to_string();
        let answered = async {
            self.write(hello.as_bytes()).await?;
            self.frame().await
        };
        let limit = patience(timeout);
        let frame = match tokio::time::timeout(limit, answered).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(error)) if ended(&error) => {
                let words = "the connection was closed instead of a handshake: the server has reached its maximum of \
                             connections (GG_CORE_MAX_CONNECTIONS), or has ended";
                return Err(io::Error::new(error.kind(), words));
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let words = format!(
                    "the server is busy: it accepted the connection, but no handshake came within {} s (none comes \
                     while it generates an ordinary answer)",
                    limit.as_secs()
                );
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, words));
            }
        };
        if serde_json::from_slice::<Value>(&frame).is_ok_and(|v| v["type"] == "handshake_ack") {
            self.open = true;
            return Ok(());
        }
        let words = format!("the handshake was refused: {}", refusal_words(&frame));
        Err(io::Error::new(io::ErrorKind::PermissionDenied, words))
    }

    /// Whether another request can go over it; renews the session before its limit, and waits for that no longer than an
    /// answer may take.
    pub(in crate::target) async fn usable(
        &mut self,
        spec: &GgCoreSpec,
        now: Nanos,
        timeout: Duration,
    ) -> io::Result<bool> {
        if !self.open {
            return Ok(false);
        }
        if self.requests < spec.session_requests && now.since(self.since) < SESSION_AGE {
            return Ok(true);
        }
        self.requests = 0;
        self.since = now;
        self.greet(spec.token.expose(), timeout).await.map(|()| true)
    }

    /// The stamps of the request in flight.
    pub(in crate::target) fn marks(&self) -> &Marks {
        self.socket.marks()
    }

    /// Marks the connection as spent: a late answer may still come over it.
    pub(in crate::target) fn close(&mut self) {
        self.open = false;
    }

    /// Sends a request and reads its answer to the end; with a kicker, a stream.
    pub(in crate::target) async fn ask(
        &mut self,
        number: u64,
        rest: &[u8],
        kicker: Option<&Kicker>,
        answer: &mut Answer,
    ) -> io::Result<()> {
        let expected = Expected { number, streamed: kicker.is_some(), limit: limit_of(rest) };
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
            self.open = take(&frame, expected, stamp, answer);
            if answer.overfull {
                self.open = false;
                return Err(io::Error::other(format!("more than {} MiB of text", TEXT_LIMIT >> 20)));
            }
        }
        Ok(())
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
                    return Err(io::Error::new(io::ErrorKind::InvalidData, no_frame(&self.buffer, length)));
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
    pub(in crate::target) async fn question(&mut self, message: &Value) -> io::Result<Value> {
        self.write(message.to_string().as_bytes()).await?;
        let frame = self.frame().await?;
        let other = || {
            let words = format!("the server is not GG-CORE: it sent `{}`", refusal_words(&frame));
            io::Error::new(io::ErrorKind::InvalidData, words)
        };
        serde_json::from_slice(&frame).map_err(|_| other())
    }
}

/// Whether the other side closed the connection.
pub(super) fn ended(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}

/// What is said of bytes that don't begin with a frame's length: another protocol is spoken there, most likely.
fn no_frame(bytes: &[u8], length: usize) -> String {
    if bytes.iter().take(4).all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let shown = &line[..line.len().min(SHOWN)];
        return format!("the server is not GG-CORE: it sent `{}`", brief(&String::from_utf8_lossy(shown)));
    }
    format!("a frame of {length} bytes was announced")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_protocol_is_known_by_its_words() {
        let http = b"HTTP/1.1 400 Bad Request\r\nserver: x\r\n";
        assert_eq!(no_frame(http, 1), "the server is not GG-CORE: it sent `HTTP/1.1 400 Bad Request`");
        assert_eq!(no_frame(&[0xff; 8], 77), "a frame of 77 bytes was announced");
    }
}
