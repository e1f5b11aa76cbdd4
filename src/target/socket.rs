//! Sockets and stamps: every read and write is stamped where the system's call is made, before anybody parses or decrypts
//! anything.

use crate::record::{Nanos, Stopwatch};
use crate::scenario::plan::Endpoint;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The socket under a connection.
pub(super) enum Socket {
    Tcp(tokio::net::TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
    #[cfg(windows)]
    Pipe(tokio::net::windows::named_pipe::NamedPipeClient),
}

impl Socket {
    /// Opens a connection to an endpoint.
    pub(super) async fn open(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp { host, port, .. } => {
                let stream = tokio::net::TcpStream::connect((host.as_str(), *port)).await?;
                // Raw sockets wait for more to send unless told not to: that wait is not the engine's.
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
            #[cfg(unix)]
            Endpoint::Unix { path } => Ok(Socket::Unix(tokio::net::UnixStream::connect(path).await?)),
            #[cfg(windows)]
            Endpoint::Unix { path } => Ok(Socket::Pipe(open_pipe(path).await?)),
            #[cfg(not(any(unix, windows)))]
            Endpoint::Unix { .. } => Err(io::Error::new(io::ErrorKind::Unsupported, "no Unix sockets on this system")),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(unix)]
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(windows)]
            Socket::Pipe(pipe) => Pin::new(pipe).poll_read(cx, buffer),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(unix)]
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(windows)]
            Socket::Pipe(pipe) => Pin::new(pipe).poll_write(cx, bytes),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(unix)]
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(windows)]
            Socket::Pipe(pipe) => Pin::new(pipe).poll_shutdown(cx),
        }
    }
}

/// Opens a named pipe, whose path stands where a Unix socket's does. While all its instances are taken it says so, and is tried
/// again; how long is up to the caller.
#[cfg(windows)]
async fn open_pipe(path: &std::path::Path) -> io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    /// ERROR_PIPE_BUSY
    const BUSY: i32 = 231;
    const AGAIN: std::time::Duration = std::time::Duration::from_millis(20);
    loop {
        match tokio::net::windows::named_pipe::ClientOptions::new().open(path) {
            Err(error) if error.raw_os_error() == Some(BUSY) => tokio::time::sleep(AGAIN).await,
            opened => return opened,
        }
    }
}

/// The instants of a connection's reads and writes; 0 stands for "not yet".
#[derive(Debug)]
pub(super) struct Marks {
    clock: Stopwatch,
    first_read: AtomicU64,
    last_read: AtomicU64,
    last_write: AtomicU64,
}

impl Marks {
    pub(super) fn new(clock: Stopwatch) -> Arc<Self> {
        Arc::new(Self {
            clock,
            first_read: AtomicU64::new(0),
            last_read: AtomicU64::new(0),
            last_write: AtomicU64::new(0),
        })
    }

    /// Forgets all, before a request.
    pub(super) fn clear(&self) {
        self.first_read.store(0, Relaxed);
        self.last_read.store(0, Relaxed);
        self.last_write.store(0, Relaxed);
    }

    /// Notes a read at `at`.
    pub(super) fn read(&self, at: Nanos) {
        self.last_read.store(at.0, Relaxed);
        if self.first_read.load(Relaxed) == 0 {
            self.first_read.store(at.0, Relaxed);
        }
    }

    /// Notes a write at `at`.
    pub(super) fn written(&self, at: Nanos) {
        self.last_write.store(at.0, Relaxed);
    }

    /// The clock that it stamps by.
    pub(super) fn clock(&self) -> Stopwatch {
        self.clock
    }

    pub(super) fn first_read(&self) -> Option<Nanos> {
        some(self.first_read.load(Relaxed))
    }

    pub(super) fn last_read(&self) -> Option<Nanos> {
        some(self.last_read.load(Relaxed))
    }

    pub(super) fn last_write(&self) -> Option<Nanos> {
        some(self.last_write.load(Relaxed))
    }
}

fn some(nanos: u64) -> Option<Nanos> {
    (nanos != 0).then_some(Nanos(nanos))
}

/// A socket whose every successful read and write leaves a stamp.
pub(super) struct Stamped {
    socket: Socket,
    marks: Arc<Marks>,
}

impl Stamped {
    /// Opens a stamped socket.
    pub(super) async fn open(endpoint: &Endpoint, clock: Stopwatch) -> io::Result<Self> {
        Ok(Self::over(Socket::open(endpoint).await?, clock))
    }

    /// Stamps an open socket.
    pub(super) fn over(socket: Socket, clock: Stopwatch) -> Self {
        Self { socket, marks: Marks::new(clock) }
    }

    /// Forgets the stamps of the last request.
    pub(super) fn begin(&self) {
        self.marks.clear();
    }

    /// The stamps since then.
    pub(super) fn marks(&self) -> &Arc<Marks> {
        &self.marks
    }
}

impl AsyncRead for Stamped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = self.socket.poll_read(cx, buffer);
        if matches!(result, Poll::Ready(Ok(()))) && buffer.filled().len() > before {
            self.marks.read(self.marks.clock.now());
        }
        result
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Read before the call: the engine may be at work before the call returns, and its time must not fall outside ours.
        let now = self.marks.clock.now();
        let result = self.socket.poll_write(cx, bytes);
        if matches!(result, Poll::Ready(Ok(_))) {
            self.marks.written(now);
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_shutdown(cx)
    }
}
