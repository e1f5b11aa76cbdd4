//! A target's measured window cut into slots of time, so that a ratio can be taken block of time by block of time.
//!
//! At most [`MOST_SLOTS`] slots: when a run outgrows them, neighbours merge in pairs and slots become twice as wide.
//! Which slot a sample ends in depends on the samples alone, not on the order they come in.

use super::distribution::{record, unbiased_quantile};
use super::{Metric, Window};
use crate::record::{Nanos, Sample};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Slots a target has at most.
pub(super) const MOST_SLOTS: u64 = 32;
/// Width of a slot at first, in nanoseconds.
const FIRST_WIDTH: u64 = 250_000_000;

/// One value a request: its histogram (for quantiles) and its sum (for the mean).
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    histogram: Option<Histogram<u32>>,
    pub n: u64,
    sum: f64,
}

impl Times {
    fn record(&mut self, ticks: f64, quantiles: bool) {
        self.n += 1;
        self.sum += ticks;
        if quantiles {
            if self.histogram.is_none() {
                self.histogram = Histogram::new(3).ok();
            }
            if let Some(histogram) = &mut self.histogram {
                // A day at most, as in the distributions: it bounds the histogram's size.
                record(histogram, ticks.clamp(0.0, 86_400e9) as u64);
            }
        }
    }

    fn add(&mut self, other: &Times) {
        self.n += other.n;
        self.sum += other.sum;
        match (&mut self.histogram, &other.histogram) {
            // Both grow as needed, so that adding can't fail.
            (Some(mine), Some(others)) => drop(mine.add(others)),
            (None, Some(others)) => self.histogram = Some(others.clone()),
            (_, None) => {}
        }
    }

    /// Mean in ticks.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// Median-unbiased quantile in ticks.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        unbiased_quantile(self.histogram.as_ref()?, q)
    }
}

/// What ended in a slot, or in several merged.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    pub latency: Times,
    pub ttft: Times,
    pub itl: Times,
    pub tpot: Times,
    /// Answers that ended inside the window.
    pub ended: u64,
    /// Their output tokens, by the engine's count.
    pub output_tokens: u64,
    /// Their prompt tokens, by the engine's count.
    pub prompt_tokens: u64,
}

impl Slot {
    fn push(&mut self, sample: &Sample, inside: bool) {
        for (times, metric, quantiles) in [
            (&mut self.latency, Metric::Latency, true),
            (&mut self.ttft, Metric::Ttft, true),
            (&mut self.itl, Metric::Itl, false),
            (&mut self.tpot, Metric::Tpot, false),
        ] {
            if let Some(ticks) = metric.ticks(sample) {
                times.record(ticks, quantiles);
            }
        }
        if inside {
            self.ended += 1;
            self.output_tokens = self.output_tokens.saturating_add(sample.output_tokens.unwrap_or(0));
            self.prompt_tokens = self.prompt_tokens.saturating_add(sample.prompt_tokens.unwrap_or(0));
        }
    }

    fn add(&mut self, other: &Slot) {
        self.latency.add(&other.latency);
        self.ttft.add(&other.ttft);
        self.itl.add(&other.itl);
        self.tpot.add(&other.tpot);
        self.ended += other.ended;
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
    }
}

/// A stretch of the window: what ended in it, and how long it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub slot: Slot,
    pub seconds: f64,
}

/// The slots of one target.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// Where slot 0 begins.
    origin: u64,
    /// The window's end, where it was known beforehand.
    to: Option<u64>,
    width: u64,
    slots: BTreeMap<u64, Slot>,
}

impl Default for Slots {
    fn default() -> Self {
        Self { origin: 0, to: None, width: FIRST_WIDTH, slots: BTreeMap::new() }
    }
}

impl Slots {
    /// Sets the window; without effect once a sample is in.
    pub fn window(&mut self, from: Nanos, to: Option<Nanos>) {
        if self.slots.is_empty() {
            (self.origin, self.to) = (from.0, to.map(|to| to.0));
        }
    }

    /// Takes an answered request of the measured window. One that ended after the window counts in its last slot, for
    /// its latency; for rates it doesn't count.
    pub fn push(&mut self, sample: &Sample) {
        let Some(end) = sample.stamps.end else { return };
        let inside = end.0 >= self.origin && self.to.is_none_or(|to| end.0 <= to);
        // The instant a window closes belongs to it, and to its last slot.
        let last = self.to.map_or(u64::MAX, |to| to.saturating_sub(1));
        let at = end.0.min(last).saturating_sub(self.origin) / self.width;
        self.slots.entry(at).or_default().push(sample, inside);
        while let (Some((first, _)), Some((last, _))) = (self.slots.first_key_value(), self.slots.last_key_value()) {
            if last - first < MOST_SLOTS {
                break;
            }
            self.merge();
        }
    }

    fn merge(&mut self) {
        self.width = self.width.saturating_mul(2);
        for (at, slot) in std::mem::take(&mut self.slots) {
            self.slots.entry(at / 2).or_default().add(&slot);
        }
    }

    /// All of it as one block.
    pub fn whole(&self, window: Window) -> Block {
        let mut all = Block { slot: Slot::default(), seconds: window.seconds() };
        self.slots.values().for_each(|slot| all.slot.add(slot));
        all
    }

    /// Number of slots that the window spans.
    pub fn spanned(&self, window: Window) -> u64 {
        let (from, to) = self.relative(window);
        if to <= from { 0 } else { (to - 1) / self.width - from / self.width + 1 }
    }

    /// The window cut into `k` blocks of about equal time: a slot goes to the block that its middle lies in.
    pub fn blocks(&self, window: Window, k: usize) -> Vec<Block> {
        let mut blocks = vec![Block::default(); k];
        let (from, to) = self.relative(window);
        let length = to.saturating_sub(from);
        if length == 0 || self.spanned(window) > 4 * MOST_SLOTS {
            return blocks;
        }
        for at in from / self.width..=(to - 1) / self.width {
            let (begin, end) = (from.max(at * self.width), to.min((at + 1) * self.width));
            let middle = (begin - from) as f64 + (end - begin) as f64 / 2.0;
            let block = &mut blocks[((middle / length as f64 * k as f64) as usize).min(k - 1)];
            block.seconds += (end - begin) as f64 / 1e9;
            if let Some(slot) = self.slots.get(&at) {
                block.slot.add(slot);
            }
        }
        blocks
    }

    fn relative(&self, window: Window) -> (u64, u64) {
        (window.from.0.saturating_sub(self.origin), window.to.0.saturating_sub(self.origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    const S: u64 = 1_000_000_000;

    fn filled(ends: impl IntoIterator<Item = u64>, to: Option<u64>) -> Slots {
        let mut slots = Slots::default();
        slots.window(Nanos(S), to.map(Nanos));
        for end in ends {
            let mut sample = fixture::sample(0, 0);
            sample.stamps.end = Some(Nanos(end));
            sample.stamps.sent = Some(Nanos(end.saturating_sub(1000)));
            sample.output_tokens = Some(3);
            slots.push(&sample);
        }
        slots
    }

    #[test]
    fn slots_double_and_keep_their_totals() {
        let slots = filled((0..1000).map(|i| S + i * S / 10), Some(101 * S));
        assert_eq!(slots.width, 4 * S);
        assert!(slots.slots.len() as u64 <= MOST_SLOTS);
        let window = Window { from: Nanos(S), to: Nanos(101 * S) };
        assert_eq!(slots.whole(window).slot.ended, 1000);
        for k in 1..=10 {
            let blocks = slots.blocks(window, k);
            assert_eq!(blocks.iter().map(|b| b.slot.ended).sum::<u64>(), 1000);
            assert_eq!(blocks.iter().map(|b| b.slot.latency.n).sum::<u64>(), 1000);
            assert!((blocks.iter().map(|b| b.seconds).sum::<f64>() - 100.0).abs() < 1e-9);
            assert!(blocks.iter().all(|b| b.seconds > 0.0));
        }
    }

    #[test]
    fn the_end_of_the_window_is_inside_and_later_is_not() {
        let slots = filled([2 * S, 3 * S, 3 * S + 1], Some(3 * S));
        let window = Window { from: Nanos(S), to: Nanos(3 * S) };
        let whole = slots.whole(window);
        assert_eq!((whole.slot.ended, whole.slot.latency.n, whole.slot.output_tokens), (2, 3, 6));
        assert_eq!(slots.blocks(window, 2)[1].slot.ended, 2);
    }
}
