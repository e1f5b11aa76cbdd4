//! What all connections of GG-CORE's wire share, and one end of a connection: frames, and who may come in.

use super::engine::{Engine, millis};
use super::gg_worker::Worker;
use super::local::LocalStream;
use super::record::Tape;
use crate::host::lock;
use crate::record::Nanos;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};

/// A longer frame ends the connection.
const LONGEST_FRAME: u32 = 16 << 20;

/// Wrong tokens within a minute that lock everybody out.
const FAILURES: usize = 5;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) engine: Arc<Engine>,
    pub(super) worker: Arc<Worker>,
    /// Ordinary requests answered well, and the nanoseconds they took.
    pub(super) served: AtomicU64,
    pub(super) took: AtomicU64,
    token: String,
    pub(super) open: AtomicU32,
    door: Mutex<Door>,
}

impl Server {
    /// A server whose clients must know `token`; empty = only those that say nothing.
    pub(super) fn new(engine: Arc<Engine>, token: String) -> Arc<Self> {
        let worker = Worker::new(engine.spec.gg_core.faithful);
        let (served, took, open) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU32::new(0));
        Arc::new(Self { engine, worker, served, took, token, open, door: Mutex::default() })
    }

    /// Whether a token opens the door; the fifth wrong one in a minute locks it for everybody.
    pub(super) fn knock(&self, token: &str, now: Nanos) -> Result<(), &'static str> {
        let mut door = lock(&self.door);
        if now < door.locked_until {
            return Err("Too many failed attempts, please try again later");
        }
        if token == self.token {
            door.failures.clear();
            return Ok(());
        }
        door.failures.retain(|at| now.since(*at) < millis(60_000.0));
        door.failures.push_back(now);
        if door.failures.len() >= FAILURES {
            door.failures.clear();
            door.locked_until = now + millis(self.engine.spec.gg_core.lockout_ms);
        }
        Err("Invalid handshake token")
    }
}

/// Who may come in.
#[derive(Debug, Default)]
struct Door {
    failures: VecDeque<Nanos>,
    locked_until: Nanos,
}

/// One end of a connection, with the record's eye on its writes.
pub(super) struct Link {
    pub(super) stream: BufReader<LocalStream>,
    pub(super) tape: Option<Arc<Tape>>,
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Open,
    Close,
}

impl Link {
    /// Reads the next frame; false at a clean end, or when its announced length is beyond all bounds.
    pub(super) async fn read(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        let length = match self.stream.read_u32_le().await {
            Ok(length) if length <= LONGEST_FRAME => length,
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        };
        frame.clear();
        frame.resize(length as usize, 0);
        self.stream.read_exact(frame).await?;
        Ok(true)
    }

    /// Writes bytes as they are.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        if let Some(tape) = &self.tape {
            tape.wrote();
        }
        Ok(())
    }

    /// Writes the last frame of an answer.
    pub(super) async fn last(&mut self, text: &str) -> io::Result<()> {
        self.write(&framed(text)).await?;
        self.served();
        Ok(())
    }

    /// Nothing more will be written for this request.
    pub(super) fn served(&self) {
        if let Some(tape) = &self.tape {
            tape.done();
            tape.flushed();
        }
    }

    /// Writes an error frame, as the real one does: its message is not escaped.
    pub(super) async fn error(&mut self, code: u16, message: &str, next: Next) -> io::Result<Next> {
        if let Some(tape) = &self.tape {
            tape.note(|row| row.status = Some(code));
        }
        self.last(&format!(r#"{{"type":"error","code":{code},"message":"{message}"}}"#)).await?;
        Ok(next)
    }
}

/// A frame: length and text.
pub(super) fn framed(text: &str) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + text.len());
    frame.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::EngineSpec;

    fn server(token: &str) -> Arc<Server> {
        Server::new(Engine::new(EngineSpec::default()).unwrap(), token.to_owned())
    }

    #[test]
    fn five_wrong_tokens_lock_everybody_out_for_a_while() {
        let server = server("right");
        let at = |seconds: u64| Nanos(seconds * 1_000_000_000);
        for second in 0..4 {
            assert_eq!(server.knock("wrong", at(second)), Err("Invalid handshake token"));
        }
        assert_eq!(server.knock("right", at(5)), Ok(()), "a good one clears the count");
        for second in 6..11 {
            assert_eq!(server.knock("", at(second)), Err("Invalid handshake token"));
        }
        assert!(server.knock("right", at(12)).unwrap_err().starts_with("Too many failed attempts"));
        assert_eq!(server.knock("right", at(41)), Ok(()));
    }
}
