//! HTTP on a TCP port, over TLS on one, or on a local socket: connections, the reading of requests, and which wire answers a path. Cheap on purpose: one
//! task a connection, one read buffer, one write an answer.

use super::call::{Call, HangUp, Reply, text};
use super::engine::{Engine, millis};
use super::local::{LocalListener, LocalStream};
use super::quirk_reply::{self, Entered, Served};
use super::record::{Recorder, Row, Tape};
use super::stream::Answering;
use super::{ollama, ollama_models, openai};
use crate::workload::text_hash;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::rt::ReadBufCursor;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::{Accept, TlsAcceptor};

/// The longest body that is read; a blob is hashed as it comes and may be longer.
const LONGEST_BODY: usize = 64 << 20;

/// Longest wait for a caller's TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Where connections come in.
pub(super) enum Door {
    Tcp(TcpListener),
    Tls(TcpListener, TlsAcceptor),
    Local(LocalListener),
}

/// Who came in.
enum Caller {
    Tcp(TcpStream),
    Tls(Box<Accept<TcpStream>>),
    Local(LocalStream),
}

impl Door {
    async fn accept(&mut self) -> io::Result<Caller> {
        match self {
            Door::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                let _ = stream.set_nodelay(true);
                Caller::Tcp(stream)
            }),
            Door::Tls(listener, acceptor) => listener.accept().await.map(|(stream, _)| {
                let _ = stream.set_nodelay(true);
                Caller::Tls(Box::new(acceptor.accept(stream)))
            }),
            Door::Local(listener) => listener.accept().await.map(Caller::Local),
        }
    }
}

/// Accepts connections until `stop` turns true, then lets what is being answered end.
pub(super) async fn serve(
    engine: Arc<Engine>,
    mut door: Door,
    recorder: Option<Arc<Recorder>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = door.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok(caller) => {
                let tape = recorder.as_ref().map(Recorder::tape);
                let (engine, stop) = (engine.clone(), stop.clone());
                match caller {
                    Caller::Tcp(stream) => connections.spawn(connection(engine, stream, tape, stop)),
                    Caller::Tls(handshake) => connections.spawn(async move {
                        // Who speaks no TLS here, or doesn't like the certificate, is gone again; nor is one waited for that
                        // falls silent in its handshake.
                        let shaken = tokio::time::timeout(HANDSHAKE_LIMIT, *handshake).await;
                        if let Ok(Ok(stream)) = shaken {
                            connection(engine, stream, tape, stop).await;
                        }
                    }),
                    Caller::Local(stream) => connections.spawn(connection(engine, stream, tape, stop)),
                };
            }
            // No file handles left, or a peer that was gone already: others may still be served.
            Err(_) => engine.timer.until(engine.clock.now() + millis(10.0)).await,
        }
    }
    drop(door);
    engine.let_finish(connections).await;
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    engine: Arc<Engine>,
    stream: S,
    tape: Option<Arc<Tape>>,
    mut stop: watch::Receiver<bool>,
) {
    let io = Io { stream, buffer: vec![0; 16 * 1024].into_boxed_slice(), tape: tape.clone() };
    let over = Arc::new(Notify::new());
    let served = over.clone();
    let service = service_fn(|request| {
        let (engine, tape, over) = (engine.clone(), tape.clone(), over.clone());
        async move {
            let reply = answer(engine, tape, request).await;
            let hangs_up = reply.extensions().get::<HangUp>().is_some();
            if hangs_up { Err(io::Error::other("a declared fault")) } else { Ok(Served::reply(reply, &over)) }
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.auto_date_header(false).writev(false);
    let mut connection = pin!(http.serve_connection(io, service));
    tokio::select! {
        // A broken connection is the client's affair; the record shows it.
        _ = connection.as_mut() => return,
        // A quirk: the connection was promised to stay.
        () = served.notified() => connection.as_mut().graceful_shutdown(),
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(engine: Arc<Engine>, tape: Option<Arc<Tape>>, request: Request<Incoming>) -> Reply {
    let entered = engine.clock.now();
    let (head, body) = request.into_parts();
    let (method, path) = (&head.method, head.uri.path());
    let openai = openai::speaks(path);
    if let Some(digest) = path.strip_prefix("/api/blobs/") {
        return ollama_models::blob(&engine, method, digest, body).await;
    }
    let body = match read(body).await {
        Ok(body) => body,
        Err(status) => return text(status, "the body could not be read"),
    };
    if let Some(tape) = &tape {
        let mut headers = String::new();
        for name in head.headers.keys() {
            headers.push_str(if headers.is_empty() { "" } else { " " });
            headers.push_str(name.as_str());
        }
        tape.begin(Row {
            wire: if openai { "openai" } else { "ollama" },
            route: path.to_owned(),
            arrived: engine.clock.now(),
            body_hash: text_hash(&body),
            headers,
            ..Row::default()
        });
    }
    let reply = match quirk_reply::enter(&engine, method, path, body).await {
        Entered::Replied(reply) => {
            if let Some(tape) = &tape {
                tape.note(|row| row.fault = "quirk");
            }
            reply
        }
        Entered::Answered(play, body) => {
            let call = Call { engine, tape: tape.clone(), entered, body, play };
            let reply =
                if openai { openai::route(call, method, path).await } else { ollama::route(call, method, path).await };
            match play {
                Some(play) => quirk_reply::leave(play, reply),
                None => reply,
            }
        }
    };
    if let Some(tape) = &tape {
        let whole = matches!(reply.body(), Answering::Whole(_) | Answering::Halves { second: Some(_), .. });
        tape.note(|row| row.status = Some(reply.status().as_u16()));
        if whole || *method == Method::HEAD {
            tape.done();
        }
    }
    reply
}

async fn read(body: Incoming) -> Result<Bytes, StatusCode> {
    let size = body.size_hint();
    if size.exact() == Some(0) {
        return Ok(Bytes::new());
    }
    if size.lower() > LONGEST_BODY as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut body = pin!(body);
    let mut whole = Bytes::new();
    let mut parts: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        match &mut parts {
            None if whole.is_empty() => whole = data,
            None => parts = Some([&*whole, &*data].concat().as_slice().into()),
            Some(parts) => parts.extend_from_slice(&data),
        }
        if parts.as_ref().map_or(whole.len(), |parts| parts.len()) > LONGEST_BODY {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
    }
    Ok(parts.map_or(whole, BytesMut::freeze))
}

/// A stream as hyper wants it, with the record's eye on its writes.
struct Io<S> {
    stream: S,
    buffer: Box<[u8]>,
    tape: Option<Arc<Tape>>,
}

impl<S: AsyncRead + Unpin> hyper::rt::Read for Io<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let Self { stream, buffer, .. } = self.get_mut();
        let room = into.remaining().min(buffer.len());
        let mut read = ReadBuf::new(&mut buffer[..room]);
        ready!(Pin::new(stream).poll_read(context, &mut read))?;
        into.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for Io<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        if let Some(tape) = &self.tape
            && written.is_ok()
        {
            tape.wrote();
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket buffers nothing of its own, TLS may; hyper asks once it has written all it has.
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if let Some(tape) = &self.tape {
            tape.flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
