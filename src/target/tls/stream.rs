//! A TLS stream whose stamps are those of the socket below it: a piece of an answer has the stamp of the read that brought the
//! last byte of the record it came in, and a request that of the write that took its last record.

use crate::record::Stopwatch;
use crate::target::socket::{Marks, Stamped};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

/// TLS over a stamped socket, its handshake done.
pub(in crate::target) struct Sealed {
    stream: TlsStream<Stamped>,
    /// Stamps of what HTTP sees. The socket's own are of all that passed it: tickets, alerts, halves of records.
    marks: Arc<Marks>,
}

impl Sealed {
    pub(super) fn new(stream: TlsStream<Stamped>, clock: Stopwatch) -> Self {
        Self { stream, marks: Marks::new(clock) }
    }

    /// The stamps of what was asked and answered.
    pub(in crate::target) fn marks(&self) -> &Arc<Marks> {
        &self.marks
    }

    fn socket(&self) -> &Marks {
        self.stream.get_ref().0.marks()
    }

    pub(in crate::target) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let told = Pin::new(&mut self.stream).poll_read(cx, buffer);
        // Nothing is read from the socket while there is something to hand on: its last read brought this.
        if buffer.filled().len() > before
            && let Some(at) = self.socket().last_read()
        {
            self.marks.read(at);
        }
        match told {
            // Gone without TLS's word of farewell, as many servers do: the end of a connection as any other. Whether an answer
            // was complete by then is HTTP's to say.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            told => told,
        }
    }

    pub(in crate::target) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writing(|stream| stream.poll_write(cx, bytes))
    }

    pub(in crate::target) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing(|stream| stream.poll_flush(cx))
    }

    pub(in crate::target) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Writes of the request are noted; what goes out while an answer is read is none.
    fn writing<T>(&mut self, write: impl FnOnce(Pin<&mut TlsStream<Stamped>>) -> T) -> T {
        let before = self.socket().last_write();
        let told = write(Pin::new(&mut self.stream));
        if let Some(at) = self.socket().last_write().filter(|_| self.socket().last_write() != before) {
            self.marks.written(at);
        }
        told
    }
}
