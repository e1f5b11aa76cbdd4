//! What was really served: one row a request, appended to a CSV file by a thread of its own. Times are taken when the
//! bytes are given to the socket, not when they were meant to be. Memory is bounded: a writer that falls behind by
//! thousands of rows holds the engine up rather than lose one.

use super::job::Job;
use crate::host::lock;
use crate::record::{Nanos, Stopwatch};
use anyhow::Context;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// Rows that may wait for the writer.
const BACKLOG: usize = 8192;

/// The file's columns. The `_us` stamps count from the stand-in's start; blank = did not happen.
pub const COLUMNS: &str = "seq,wire,route,connection,arrived_us,slot_us,first_token_us,last_token_us,free_us,end_us,\
                           text_hash,body_hash,prompt_tokens,output_tokens,fault,status,headers,cached_tokens,made_first_us,made_last_us";

/// One request as it was served.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) wire: &'static str,
    pub(super) route: String,
    /// The request was fully received.
    pub(super) arrived: Nanos,
    /// It got its slot.
    pub(super) slot: Option<Nanos>,
    /// Its first token was written; blank if the answer was not streamed.
    pub(super) first_token: Option<Nanos>,
    pub(super) last_token: Option<Nanos>,
    /// It gave its slot back.
    pub(super) free: Option<Nanos>,
    pub(super) text_hash: Option<u64>,
    pub(super) body_hash: u64,
    pub(super) prompt_tokens: Option<u32>,
    pub(super) output_tokens: Option<u32>,
    pub(super) fault: &'static str,
    pub(super) status: Option<u16>,
    /// Prompt tokens that it had kept from earlier prompts.
    pub(super) cached_tokens: Option<u32>,
    /// Names of the request's headers, in their order.
    pub(super) headers: String,
    /// Its first and its last token were made: what the engine's own times are taken from, before anything is written.
    pub(super) made_first: Option<Nanos>,
    pub(super) made_last: Option<Nanos>,
    pub(super) seq: u64,
    pub(super) connection: u64,
    pub(super) end: Option<Nanos>,
}

/// The open record of a stand-in.
#[derive(Debug)]
pub(super) struct Recorder {
    rows: SyncSender<Row>,
    clock: Stopwatch,
    next: AtomicU64,
    connections: AtomicU64,
}

/// The writer's thread; to be joined once every [`Recorder`] and [`Tape`] is gone.
pub(super) type Writer = JoinHandle<std::io::Result<()>>;

impl Recorder {
    pub(super) fn open(path: &Path, clock: Stopwatch) -> anyhow::Result<(Arc<Self>, Writer)> {
        let named = || format!("opening the stand-in's record {}", path.display());
        let mut file = File::options().create(true).append(true).open(path).with_context(named)?;
        if file.metadata().with_context(named)?.len() == 0 {
            writeln!(file, "{COLUMNS}").with_context(named)?;
        }
        let (rows, received) = sync_channel(BACKLOG);
        let writer = std::thread::Builder::new()
            .name("standin-record".into())
            .spawn(move || write(&received, file))
            .with_context(named)?;
        Ok((Arc::new(Self { rows, clock, next: AtomicU64::new(1), connections: AtomicU64::new(1) }), writer))
    }

    /// The tape of a new connection.
    pub(super) fn tape(self: &Arc<Self>) -> Arc<Tape> {
        let connection = self.connections.fetch_add(1, Relaxed);
        Arc::new(Tape { recorder: self.clone(), connection, state: Mutex::default() })
    }
}

fn write(rows: &Receiver<Row>, file: File) -> std::io::Result<()> {
    let mut out = BufWriter::new(file);
    let mut line = String::new();
    loop {
        match rows.recv_timeout(Duration::from_millis(500)) {
            Ok(row) => {
                // A busy second is flushed too: a batch is what has come until now, then the file has it.
                for row in std::iter::once(row).chain(rows.try_iter().take(BACKLOG)) {
                    line.clear();
                    row.line(&mut line);
                    out.write_all(line.as_bytes())?;
                }
                out.flush()?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return out.flush(),
        }
    }
}

impl Row {
    fn line(&self, out: &mut String) {
        fn micros(out: &mut String, at: Option<Nanos>) {
            out.push(',');
            if let Some(Nanos(ns)) = at {
                let _ = write!(out, "{}.{:03}", ns / 1000, ns % 1000);
            }
        }
        let _ = write!(out, "{},{},", self.seq, self.wire);
        out.extend(self.route.chars().filter(|c| !matches!(c, ',' | '"' | '\r' | '\n')));
        let _ = write!(out, ",{}", self.connection);
        micros(out, Some(self.arrived));
        for at in [self.slot, self.first_token, self.last_token, self.free, self.end] {
            micros(out, at);
        }
        match self.text_hash {
            Some(hash) => write!(out, ",{hash:016x},{:016x}", self.body_hash),
            None => write!(out, ",,{:016x}", self.body_hash),
        }
        .unwrap_or_default();
        for count in [self.prompt_tokens, self.output_tokens] {
            out.push(',');
            let _ = count.map_or(Ok(()), |count| write!(out, "{count}"));
        }
        let _ = write!(out, ",{},", self.fault);
        let _ = self.status.map_or(Ok(()), |status| write!(out, "{status}"));
        let _ = write!(out, ",{},", self.headers);
        let _ = self.cached_tokens.map_or(Ok(()), |count| write!(out, "{count}"));
        micros(out, self.made_first);
        micros(out, self.made_last);
        out.push('\n');
    }
}

/// The row of the request that a connection is serving.
#[derive(Debug)]
pub(super) struct Tape {
    recorder: Arc<Recorder>,
    connection: u64,
    state: Mutex<TapeState>,
}

#[derive(Debug, Default)]
struct TapeState {
    row: Option<Row>,
    /// A token waits to be written.
    token: bool,
    /// Everything has been handed over for writing.
    done: bool,
}

impl Tape {
    fn lock(&self) -> MutexGuard<'_, TapeState> {
        lock(&self.state)
    }

    /// A request has been received.
    pub(super) fn begin(&self, mut row: Row) {
        let mut state = self.lock();
        self.finish(&mut state);
        (row.seq, row.connection) = (self.recorder.next.fetch_add(1, Relaxed), self.connection);
        state.row = Some(row);
    }

    /// What a job has made, and when it gave its slot back.
    pub(super) fn made(&self, job: &Job, free: Nanos) {
        self.note(|row| {
            (row.free, row.output_tokens) = (Some(free), Some(job.made));
            (row.made_first, row.made_last) = (job.first, job.first.map(|_| job.last));
        });
    }

    /// More is known about the request.
    pub(super) fn note(&self, note: impl FnOnce(&mut Row)) {
        if let Some(row) = &mut self.lock().row {
            note(row);
        }
    }

    /// A token is handed over for writing.
    pub(super) fn token(&self) {
        self.lock().token = true;
    }

    /// The whole answer is handed over for writing.
    pub(super) fn done(&self) {
        self.lock().done = true;
    }

    /// Bytes have been taken by the socket.
    pub(super) fn wrote(&self) {
        let now = self.recorder.clock.now();
        let mut state = self.lock();
        let token = std::mem::take(&mut state.token);
        if let Some(row) = &mut state.row {
            row.end = Some(now);
            if token {
                row.first_token.get_or_insert(now);
                row.last_token = Some(now);
            }
        }
    }

    /// Nothing is left to write for now.
    pub(super) fn flushed(&self) {
        let mut state = self.lock();
        if state.done && state.row.as_ref().is_some_and(|row| row.end.is_some()) {
            self.finish(&mut state);
        }
    }

    fn finish(&self, state: &mut TapeState) {
        let (done, _) = (std::mem::take(&mut state.done), std::mem::take(&mut state.token));
        if let Some(mut row) = state.row.take() {
            if !done && row.fault.is_empty() {
                row.fault = "client_gone";
            }
            // Fails only when the writer has failed, which the end of `serve` reports.
            let _ = self.recorder.rows.send(row);
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        let mut state = std::mem::take(&mut *self.lock());
        self.finish(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_field_for_every_column_and_blanks_for_what_did_not_happen() {
        let row = Row {
            wire: "ollama",
            route: "/api/generate".into(),
            arrived: Nanos(1_234_567),
            text_hash: Some(0xab),
            output_tokens: Some(3),
            headers: "host accept".into(),
            ..Row::default()
        };
        let mut line = String::new();
        row.line(&mut line);
        let expected = "0,ollama,/api/generate,0,1234.567,,,,,,00000000000000ab,0000000000000000,,3,,,host accept,,,\n";
        assert_eq!(line, expected);
        assert_eq!(line.matches(',').count(), COLUMNS.matches(',').count());
    }
}
