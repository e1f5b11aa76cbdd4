//! One generator's lines, put in the order in which their requests ended. What is sorted are places: lines are ten times as
//! large, and stay where they are.

use crate::record::Nanos;
use crate::record::lines::{Key, Lines};
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

/// Rows are appended in the order in which they ended, give or take what their recorder had not seen yet.
const DISORDER: Nanos = Nanos(2_000_000_000);

/// Where a row stands among all: by its end, as in the file of one run.
pub(super) type Place = (Nanos, Nanos, usize, u64);

fn place(key: &Key) -> Place {
    (key.end.unwrap_or(key.planned), key.planned, key.target, key.index)
}

/// The lines that have come and not gone.
pub(super) struct Sorted {
    batches: Receiver<Lines>,
    /// By slot, each with how many of its lines are still here; those that have none left are free.
    held: Vec<(Lines, usize)>,
    free: Vec<usize>,
    /// The places, in order, each with its line: the slot, and the number in it.
    waiting: VecDeque<(Place, usize, usize)>,
    /// The latest end of a row that has come.
    latest: Nanos,
    more: bool,
}

impl Sorted {
    pub(super) fn new(batches: Receiver<Lines>) -> Self {
        let (held, free, waiting) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { batches, held, free, waiting, latest: Nanos(0), more: true }
    }

    /// The place of the next row, once it is sure to be the next.
    pub(super) fn place(&mut self) -> Option<Place> {
        while self.more && self.waiting.front().is_none_or(|(first, ..)| first.0 + DISORDER >= self.latest) {
            match self.batches.recv() {
                Ok(batch) => self.take(batch),
                Err(_) => self.more = false,
            }
        }
        self.waiting.front().map(|(place, ..)| *place)
    }

    fn take(&mut self, batch: Lines) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.held.push((Lines::default(), 0));
            self.held.len() - 1
        });
        let mut count = 0;
        for (number, key) in batch.keys().enumerate() {
            let place = place(key);
            self.latest = self.latest.max(place.0);
            // Most come in order: few have to be moved for one that doesn't.
            if self.waiting.back().is_none_or(|(last, ..)| *last <= place) {
                self.waiting.push_back((place, slot, number));
            } else {
                let at = self.waiting.partition_point(|(before, ..)| *before <= place);
                self.waiting.insert(at, (place, slot, number));
            }
            count = number + 1;
        }
        self.held[slot] = (batch, count);
        if count == 0 {
            self.free.push(slot);
        }
    }

    /// Hands the row at that place to `take`, if there is one.
    pub(super) fn next<E>(&mut self, take: impl FnOnce(&Key, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let Some((_, slot, number)) = self.waiting.pop_front() else { return Ok(()) };
        let (lines, left) = &mut self.held[slot];
        let taken = lines.row(number).map_or(Ok(()), |(key, line)| take(key, line));
        *left -= 1;
        if *left == 0 {
            self.free.push(slot);
        }
        taken
    }
}
