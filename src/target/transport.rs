//! HTTP over a stamped socket, or over TLS over one: the one door of hyper's client. A connection carries one request at a
//! time, and every read and write is stamped at the socket, before anybody decrypts or parses anything.
//!
//! The connection's driver is polled by the task that waits for the answer: no second task, no channel between the
//! read and its reader, so the stamp of a piece of an answer is the stamp of the read that delivered it.

use super::socket::{Marks, Stamped};
use super::tls::{Sealed, Tls};
use crate::record::{Nanos, Opened, Stopwatch, chain};
use crate::scenario::plan::Endpoint;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
pub(super) use hyper::{Method, Uri};

/// Longest a kept connection may have been idle before it is opened anew: llama-server closes at 5 s.
const IDLE_LIMIT: Nanos = Nanos(4_000_000_000);

/// What carries a connection's HTTP: a stamped socket, or TLS over one.
enum Wire {
    Plain(Stamped),
    Sealed(Box<Sealed>),
}

impl Wire {
    /// Opens it; over TLS with the handshake done. Outside every timed region.
    async fn open(endpoint: &Endpoint, tls: Option<&Tls>, clock: Stopwatch) -> io::Result<Self> {
        let socket = Stamped::open(endpoint, clock).await?;
        match tls {
            None => Ok(Wire::Plain(socket)),
            Some(tls) => Ok(Wire::Sealed(Box::new(tls.seal(socket).await?))),
        }
    }

    fn marks(&self) -> Arc<Marks> {
        match self {
            Wire::Plain(socket) => socket.marks().clone(),
            Wire::Sealed(sealed) => sealed.marks().clone(),
        }
    }
}

impl hyper::rt::Read for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Through a buffer of our own: filling hyper's in place needs unsafe code, and a copy of a few hundred bytes
        // costs less than the read did.
        let mut space = [std::mem::MaybeUninit::<u8>::uninit(); 8192];
        let limit = cursor.remaining().min(space.len());
        let mut buffer = ReadBuf::uninit(&mut space[..limit]);
        let told = match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_read(cx, &mut buffer),
            Wire::Sealed(sealed) => sealed.poll_read(cx, &mut buffer),
        };
        if matches!(told, Poll::Ready(Ok(()))) {
            cursor.put_slice(buffer.filled());
        }
        told
    }
}

impl hyper::rt::Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Wire::Sealed(sealed) => sealed.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Wire::Sealed(sealed) => sealed.poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Wire::Sealed(sealed) => sealed.poll_shutdown(cx),
        }
    }
}

type Driver = Pin<Box<http1::Connection<Wire, Full<Bytes>>>>;

/// One kept-alive HTTP connection, used by one user.
pub(super) struct HttpConnection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Option<Driver>,
    marks: Arc<Marks>,
    idle_since: Nanos,
    used: bool,
    reset: bool,
}

/// The fixed part of a target's requests.
#[derive(Clone, Debug)]
pub(super) struct HttpRoute {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
}

/// The head of an answer.
pub(super) struct Head {
    pub(super) status: u16,
    /// How long to wait before asking again, where the engine says it.
    pub(super) retry_after: Option<Duration>,
    body: Incoming,
}

impl HttpConnection {
    /// Opens a connection, over TLS where that is given.
    pub(super) async fn open(endpoint: &Endpoint, tls: Option<&Tls>, clock: Stopwatch) -> io::Result<Self> {
        let wire = Wire::open(endpoint, tls, clock).await?;
        let marks = wire.marks();
        let (sender, driver) = http1::Builder::new().handshake(wire).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Some(Box::pin(driver)), marks, idle_since: clock.now(), used: false, reset: false })
    }

    /// Whether this connection can carry another request; else why it can't: it was idle for long, or the engine closed it.
    pub(super) async fn usable(&mut self, now: Nanos) -> Result<(), Opened> {
        if now.since(self.idle_since) > IDLE_LIMIT {
            return Err(Opened::Idle);
        }
        let open = self.driver.is_some() && drive(&mut self.driver, self.sender.ready()).await.is_ok();
        if open && self.driver.is_some() { Ok(()) } else { Err(Opened::Closed) }
    }

    /// Whether a request has gone over it before.
    pub(super) fn used(&self) -> bool {
        self.used
    }

    /// Whether the other side reset the connection under the last request: it had closed its end with the request unread. One
    /// that has read it and goes away ends the connection in order.
    pub(super) fn was_reset(&self) -> bool {
        self.reset
    }

    /// The stamps of the request in flight.
    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Sends a request and waits for the head of its answer. The error is in words.
    pub(super) async fn send(&mut self, route: &HttpRoute, body: Bytes) -> Result<Head, String> {
        self.marks.clear();
        self.used = true;
        let mut request = hyper::Request::new(Full::new(body));
        *request.method_mut() = route.method.clone();
        *request.uri_mut() = route.uri.clone();
        *request.headers_mut() = route.headers.clone();
        let answer = drive(&mut self.driver, self.sender.send_request(request)).await;
        let answer = answer.inspect_err(|error| self.reset = is_reset(error)).map_err(|error| chain(&error))?;
        let (parts, body) = answer.into_parts();
        let status = parts.status.as_u16();
        // Only a refusal is looked at: the headers of an answer tell nothing that is needed.
        let retry_after = if matches!(status, 429 | 503) { retry_after(&parts.headers) } else { None };
        Ok(Head { status, retry_after, body })
    }

    /// The next piece of the body and the stamp of the read that delivered it; `None` at its proper end.
    pub(super) async fn piece(&mut self, head: &mut Head) -> Result<Option<(Bytes, Nanos)>, String> {
        loop {
            if head.body.is_end_stream() {
                return Ok(None);
            }
            match drive(&mut self.driver, head.body.frame()).await {
                None => return Ok(None),
                Some(Err(error)) => return Err(chain(&error)),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some((bytes, self.marks.last_read().unwrap_or_default())));
                    }
                }
            }
        }
    }

    /// Notes that the connection is idle from `now` on.
    pub(super) fn rest(&mut self, now: Nanos) {
        self.idle_since = now;
    }
}

/// Whether an error is a reset, or a write to what was closed.
fn is_reset(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|error| {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(kind, Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe))
    })
}

/// Polls a connection's driver and a future of it together, until the future is done.
async fn drive<F: Future>(driver: &mut Option<Driver>, future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        if let Some(running) = driver
            && running.as_mut().poll(cx).is_ready()
        {
            // Closed, well or badly: the future below tells which.
            *driver = None;
        }
        future.as_mut().poll(cx)
    })
    .await
}

/// What `Retry-After` asks for: seconds, or a date, which is set against the answer's own `Date` (no clock of ours agrees with
/// the engine's) or, without one, against the time of day.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::trim);
    let asked = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp());
    let now = text(header::DATE).and_then(date).unwrap_or_else(jiff::Timestamp::now);
    Duration::try_from(date(asked)?.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(after: &str, date: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_str(after).unwrap());
        headers.insert(header::DATE, HeaderValue::from_str(date).unwrap());
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(asked("120", now), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT", now), Some(Duration::from_secs(30)));
        // What is past, and what is no time, asks for nothing.
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:00 GMT", now), None);
        assert_eq!((asked("soon", now), asked("-1", now), asked("1.5", now)), (None, None, None));
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
