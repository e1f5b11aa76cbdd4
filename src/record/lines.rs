//! The rows of `samples.csv` as a merge takes them: their stamps on another clock, and all else as it stands in the file.
//!
//! A merge copies rows by the ten million: read as samples and written again, each would cost three times as much.

use super::columns::{COLUMNS, NEWER, Names, Numbers, write_row};
use super::rows::{maybe, nanos, opened, sample};
use super::sheet::{Cells, Taken, each_row};
use super::{Nanos, Opened, Outcome, Phase, Sample};
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
    /// Number of the request within its phase.
    pub index: u64,
    /// Number of the conversation within its phase (chat only).
    pub conversation: Option<u64>,
    /// Turn of the conversation, from 1 (chat only).
    pub turn: Option<u32>,
    /// When the request was due, on the other numbers.
    pub planned: Nanos,
    /// When it ended, on the other numbers.
    pub end: Option<Nanos>,
    /// How it ended.
    pub outcome: Outcome,
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
        let from = batch.text.len();
        // Quotes, and columns that were not there yet, take the long way.
        let whole = row.plain && known == NEWER.len();
        let key = if whole {
            moved(&mut batch.text, row, names, shard, &at)
        } else {
            sample(row, names, known).map(|sample| written(&mut batch.text, sample, names, shard, &at))
        };
        let Some(key) = key else {
            batch.text.truncate(from);
            return Taken::NoRow;
        };
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

/// Writes a sample.
fn written(text: &mut Vec<u8>, mut sample: Sample, names: &Names, shard: u32, at: &impl Fn(Nanos) -> Nanos) -> Key {
    sample.stamps.all_mut(|stamp| *stamp = at(*stamp));
    sample.shard = Some(shard);
    write_row(text, names, &sample);
    Key {
        target: sample.target,
        phase: sample.phase,
        index: sample.index,
        conversation: sample.conversation,
        turn: sample.turn,
        planned: sample.stamps.planned,
        end: sample.stamps.end,
        outcome: sample.outcome,
    }
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

const PHASE: usize = column("phase");
const INDEX: usize = column("index");
const CONVERSATION: usize = column("conversation");
const TURN: usize = column("turn");
const PLANNED: usize = column("planned_us");
const SENT: usize = column("sent_us");
const END: usize = column("end_us");
const OUTCOME: usize = column("outcome");
const DISPATCHED: usize = column("dispatched_us");
const LATENCY: usize = column("latency_us");
const RESPONSE: usize = column("response_us");
const FIRST_ANSWER: usize = column("first_answer_us");
const SHARD: usize = column("shard");
// What is copied lies between them.
const _: () = assert!(SENT == PLANNED + 1 && END == PLANNED + 5 && RESPONSE == LATENCY + 1);

/// Writes a row of a file without quotes by its cells; `None` if it is none.
fn moved(text: &mut Vec<u8>, row: &Cells<'_>, names: &Names, shard: u32, at: &impl Fn(Nanos) -> Nanos) -> Option<Key> {
    let cell = |name: usize| row.get(name);
    let stamp = |name: usize| nanos(cell(name)?);
    let planned = stamp(PLANNED)??;
    let (sent, end) = (stamp(SENT)?, stamp(END)?);
    let key = Key {
        target: names.target_number(cell(0)?)?,
        phase: Phase::parse(cell(PHASE)?)?,
        index: cell(INDEX)?.parse().ok()?,
        conversation: maybe(cell(CONVERSATION)?)?,
        turn: maybe(cell(TURN)?)?,
        planned: at(planned),
        end: end.map(at),
        outcome: Outcome::parse(cell(OUTCOME)?)?,
    };
    let last = row.last()?;
    Opened::parse(last)?;
    let copy = |text: &mut Vec<u8>, from: usize, to: usize| {
        text.extend_from_slice(row.between(from, to)?.as_bytes());
        Some(())
    };
    let mut numbers = Numbers::default();
    copy(text, 0, PLANNED)?;
    for name in PLANNED..=END {
        numbers.micros(text, stamp(name)?.map(at));
    }
    copy(text, END + 1, DISPATCHED)?;
    numbers.micros(text, stamp(DISPATCHED)?.map(at));
    copy(text, DISPATCHED + 1, LATENCY)?;
    numbers.micros(text, key.end.zip(sent).map(|(end, sent)| end.since(at(sent))));
    numbers.micros(text, key.end.map(|end| end.since(key.planned)));
    copy(text, RESPONSE + 1, FIRST_ANSWER)?;
    numbers.micros(text, stamp(FIRST_ANSWER)?.map(at));
    copy(text, FIRST_ANSWER + 1, SHARD)?;
    numbers.whole(text, Some(shard));
    text.extend_from_slice(last.as_bytes());
    text.push(b'\n');
    Some(key)
}
