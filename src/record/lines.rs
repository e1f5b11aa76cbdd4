//! The rows of `samples.csv` as a merge takes them: their stamps on another clock, and all else as it stands in the file.
//!
//! A merge copies rows by the ten million: written again, each would cost half as much more.

use super::columns::{COLUMNS, NEWER, Names, Numbers, write_row};
use super::rows::{opened, sample};
use super::sheet::{Cells, Taken, each_row};
use super::{Nanos, Outcome, Phase, Sample};
use anyhow::Context;
use std::io::BufRead;
use std::path::Path;
use std::sync::mpsc::SyncSender;

/// Rows that are handed on in one go.
const BATCH: usize = 512;

/// What a merge has to know of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// Position in `plan.targets`.
    pub target: usize,
    /// Which part of the run.
    pub phase: Phase,
    /// Number of the target's block in alternating order; else 0.
    pub block: u32,
    /// Number of the request within its phase.
    pub index: u64,
    /// Number of the conversation within its phase (chat only).
    pub conversation: Option<u64>,
    /// Turn of the conversation, from 1 (chat only).
    pub turn: Option<u32>,
    /// When the request was due, on the other clock.
    pub planned: Nanos,
    /// When it ended, on the other clock.
    pub end: Option<Nanos>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Key {
    /// Of a sample whose stamps are on the other clock.
    pub(super) fn of(sample: &Sample) -> Self {
        Self {
            target: sample.target,
            phase: sample.phase,
            block: sample.block,
            index: sample.index,
            conversation: sample.conversation,
            turn: sample.turn,
            planned: sample.stamps.planned,
            end: sample.stamps.end,
            outcome: sample.outcome,
        }
    }
}

/// Some rows, ready to be written.
#[derive(Debug, Default)]
pub struct Lines {
    text: Vec<u8>,
    /// Each row's key, and where its line ends.
    rows: Vec<(Key, usize)>,
}

impl Lines {
    /// The keys, in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.rows.iter().map(|(key, _)| key)
    }

    /// A row's key, and its line with the end of it; `None` if there are fewer.
    pub fn row(&self, number: usize) -> Option<(&Key, &[u8])> {
        let (key, to) = self.rows.get(number)?;
        let from = number.checked_sub(1).and_then(|before| self.rows.get(before)).map_or(0, |(_, to)| *to);
        Some((key, self.text.get(from..*to)?))
    }
}

/// Reads the rows of a generator's directory, puts their stamps on the clock that `at` maps to, says that it was `shard` that sent
/// them, and hands them on until nobody takes them any more. A last row that was cut off by a crash is passed over.
///
/// # Errors
///
/// The file can't be read, its columns are not ours, or a row before the last is none of this run's.
pub fn read_lines(
    dir: &Path,
    names: &Names,
    shard: u32,
    at: impl Fn(Nanos) -> Nanos,
    lines: &SyncSender<Lines>,
) -> anyhow::Result<()> {
    let (file, path) = opened(dir)?;
    for_all(file, names, shard, at, |batch| lines.send(batch).is_ok())
        .with_context(|| format!("reading {}", path.display()))
}

/// Reads rows and hands them on, until nobody takes them.
pub(super) fn for_all(
    from: impl BufRead,
    names: &Names,
    shard: u32,
    at: impl Fn(Nanos) -> Nanos,
    mut take: impl FnMut(Lines) -> bool,
) -> anyhow::Result<()> {
    let mut batch = Lines::default();
    let mut more = true;
    each_row(from, |row, known| {
        // Every cell is read: what is no row here is none in the result.
        let Some(mut sample) = sample(row, names, known) else { return Taken::NoRow };
        sample.stamps.all_mut(|stamp| *stamp = at(*stamp));
        sample.shard = Some(shard);
        // Quotes, and columns that were not there yet, take the long way.
        if !row.plain || known != NEWER.len() || copied(&mut batch.text, row, &sample).is_none() {
            write_row(&mut batch.text, names, &sample);
        }
        let key = Key::of(&sample);
        batch.rows.push((key, batch.text.len()));
        if batch.rows.len() == BATCH {
            let room = Vec::with_capacity(batch.text.len() + batch.text.len() / 8);
            let next = Lines { text: room, rows: Vec::with_capacity(BATCH) };
            more = take(std::mem::replace(&mut batch, next));
        }
        if more { Taken::Row } else { Taken::Enough }
    })?;
    if more {
        // Who takes no more needs no more.
        take(batch);
    }
    Ok(())
}

/// The place of a column; it doesn't compile with a name that none has.
const fn column(name: &str) -> usize {
    let mut at = 0;
    while !same(COLUMNS[at].as_bytes(), name.as_bytes()) {
        at += 1;
    }
    at
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

const PLANNED: usize = column("planned_us");
const END: usize = column("end_us");
const DISPATCHED: usize = column("dispatched_us");
const LATENCY: usize = column("latency_us");
const RESPONSE: usize = column("response_us");
const FIRST_ANSWER: usize = column("first_answer_us");
const SHARD: usize = column("shard");
// What is copied lies between them.
const _: () = assert!(END == PLANNED + 5 && RESPONSE == LATENCY + 1);

/// Writes a sample whose stamps have changed, and nothing else but its shard, by the row that it was read of, which has no quotes.
/// `None`, and nothing written, if the row has too few cells.
fn copied(text: &mut Vec<u8>, row: &Cells<'_>, sample: &Sample) -> Option<()> {
    let pieces = [
        row.between(0, PLANNED)?,
        row.between(END + 1, DISPATCHED)?,
        row.between(DISPATCHED + 1, LATENCY)?,
        row.between(RESPONSE + 1, FIRST_ANSWER)?,
        row.between(FIRST_ANSWER + 1, SHARD)?,
        row.last()?,
    ];
    let [to_planned, to_dispatched, to_latency, to_answer, to_shard, last] = pieces.map(str::as_bytes);
    let (stamps, mut numbers) = (&sample.stamps, Numbers::default());
    text.extend_from_slice(to_planned);
    numbers.micros(text, Some(stamps.planned));
    for stamp in [stamps.sent, stamps.first_byte, stamps.first_token, stamps.last_token, stamps.end] {
        numbers.micros(text, stamp);
    }
    text.extend_from_slice(to_dispatched);
    numbers.micros(text, stamps.dispatched);
    text.extend_from_slice(to_latency);
    numbers.micros(text, sample.latency());
    numbers.micros(text, sample.response());
    text.extend_from_slice(to_answer);
    numbers.micros(text, stamps.first_answer);
    text.extend_from_slice(to_shard);
    numbers.whole(text, sample.shard);
    text.extend_from_slice(last);
    text.push(b'\n');
    Some(())
}
