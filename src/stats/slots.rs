//! A target's measured rows by stretches of time, and by the blocks they were driven in: what ratios are taken over.
//!
//! A row's times belong to the stretch that it was planned in, so that in an open loop the same requests stand beside each
//! other; what is counted for rates belongs to the stretch that it ended in. At most [`MOST_SLOTS`] slots: when a window
//! outgrows them, neighbours merge in pairs. Which slot a sample is in depends on the samples alone, not on their order.

use super::buckets::Buckets;
use super::{Metric, Window};
use crate::record::{Nanos, Sample};
use std::collections::BTreeMap;

/// Slots a window has at most.
pub(super) const MOST_SLOTS: u64 = 64;
/// Width of a slot at first, in nanoseconds.
const FIRST_WIDTH: u64 = 50_000_000;

/// One value a request: its buckets (for quantiles) and its sum (for the mean).
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    buckets: Buckets,
    pub n: u64,
    sum: f64,
}

impl Times {
    fn record(&mut self, ticks: f64, quantiles: bool) {
        self.n += 1;
        self.sum += ticks;
        if quantiles {
            self.buckets.record(ticks.max(0.0) as u64);
        }
    }

    fn add(&mut self, other: &Times) {
        self.n += other.n;
        self.sum += other.sum;
        self.buckets.add(&other.buckets);
    }

    /// Mean in ticks.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// Median-unbiased quantile in ticks.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.buckets.unbiased_quantile(q)
    }
}

/// The times that are kept of each request, and whether quantiles are read of them.
const TIMES: [(Metric, bool); 6] = [
    (Metric::Latency, true),
    (Metric::Ttft, true),
    (Metric::Response, true),
    (Metric::ResponseTtft, true),
    (Metric::Itl, false),
    (Metric::Tpot, false),
];

/// What belongs to a slot, or to several merged.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    times: [Times; TIMES.len()],
    /// Answers that ended inside the window.
    pub ended: u64,
    /// Those of them that kept every limit of the scenario's `slo`; 0 where it has none.
    pub good: u64,
    /// Their output tokens, by the engine's count.
    pub output_tokens: u64,
    /// Their prompt tokens, by the engine's count.
    pub prompt_tokens: u64,
}

impl Slot {
    /// The times of a metric; none are kept of those that no ratio is told of.
    pub fn times(&self, metric: Metric) -> Option<&Times> {
        TIMES.iter().position(|(known, _)| *known == metric).map(|at| &self.times[at])
    }

    fn take_times(&mut self, sample: &Sample, open: bool) {
        for ((metric, quantiles), times) in TIMES.iter().zip(&mut self.times) {
            // In a closed loop a request is planned when its user is ready: the two times are one.
            let told = open || !matches!(metric, Metric::Response | Metric::ResponseTtft);
            if let Some(ticks) = metric.ticks(sample).filter(|_| told) {
                times.record(ticks, *quantiles);
            }
        }
    }

    fn take_end(&mut self, sample: &Sample, good: bool) {
        self.ended += 1;
        self.good += u64::from(good);
        self.output_tokens = self.output_tokens.saturating_add(sample.output_tokens.unwrap_or(0));
        self.prompt_tokens = self.prompt_tokens.saturating_add(sample.prompt_tokens.unwrap_or(0));
    }

    pub fn add(&mut self, other: &Slot) {
        self.times.iter_mut().zip(&other.times).for_each(|(mine, others)| mine.add(others));
        self.ended += other.ended;
        self.good += other.good;
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
    }
}

/// A stretch of a window, or a block: what belongs to it, and how long it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    pub slot: Slot,
    pub seconds: f64,
}

/// The slots of one window.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// Where slot 0 begins.
    origin: u64,
    /// The window's end, where it is known.
    to: Option<u64>,
    width: u64,
    open_loop: bool,
    /// Whether a window was told; else it begins with the first row.
    told: bool,
    /// Slots it may have.
    most: u64,
    slots: BTreeMap<u64, Slot>,
    /// First planned and last end of the rows.
    seen: Option<(u64, u64)>,
}

impl Slots {
    pub fn new(open_loop: bool) -> Self {
        Self {
            origin: 0,
            to: None,
            width: FIRST_WIDTH,
            open_loop,
            told: false,
            most: MOST_SLOTS,
            slots: BTreeMap::new(),
            seen: None,
        }
    }

    /// Sets the window, or, once it is known, its end.
    pub fn window(&mut self, from: Nanos, to: Option<Nanos>) {
        if self.slots.is_empty() {
            (self.origin, self.told) = (from.0, true);
        }
        self.to = to.map(|to| to.0);
    }

    /// Takes a measured request whatever became of it: the window of a run without a fixed end reaches to its last.
    pub fn see(&mut self, planned: Nanos, end: Nanos) {
        let (from, to) = self.seen.unwrap_or((planned.0, end.0));
        self.seen = Some((from.min(planned.0), to.max(end.0)));
        if !self.told && self.slots.is_empty() {
            self.origin = from.min(planned.0);
        }
    }

    /// Takes an answered request, and whether it kept every limit.
    pub fn push(&mut self, sample: &Sample, good: bool) {
        let Some(end) = sample.stamps.end else { return };
        let planned = self.place(sample.stamps.planned);
        let open_loop = self.open_loop;
        self.slots.entry(planned).or_default().take_times(sample, open_loop);
        if end.0 >= self.origin && self.to.is_none_or(|to| end.0 <= to) {
            let at = self.place(end);
            self.slots.entry(at).or_default().take_end(sample, good);
        }
        self.fit();
    }

    /// The block is over: as one of many it is a unit of its own, and is never cut. Four hundred blocks of 64 slots would
    /// hold gigabytes.
    pub fn close(&mut self) {
        self.most = 1;
        self.fit();
    }

    fn fit(&mut self) {
        while let (Some((first, _)), Some((last, _))) = (self.slots.first_key_value(), self.slots.last_key_value()) {
            if last - first < self.most {
                break;
            }
            self.merge();
        }
    }

    /// What ended inside the window: answers, good ones, their output tokens, their prompt tokens.
    pub fn ended(&self) -> [u64; 4] {
        self.slots.values().fold([0; 4], |sums, slot| {
            let more = [slot.ended, slot.good, slot.output_tokens, slot.prompt_tokens];
            [0, 1, 2, 3].map(|i| sums[i].saturating_add(more[i]))
        })
    }

    /// The slot of an instant. The instant a window closes belongs to it, and to its last slot.
    fn place(&self, at: Nanos) -> u64 {
        let last = self.to.map_or(u64::MAX, |to| to.saturating_sub(1));
        at.0.min(last).saturating_sub(self.origin) / self.width
    }

    fn merge(&mut self) {
        self.width = self.width.saturating_mul(2);
        for (at, slot) in std::mem::take(&mut self.slots) {
            self.slots.entry(at / 2).or_default().add(&slot);
        }
    }

    /// The window as driven; where its end wasn't fixed, to the last answer.
    pub fn span(&self) -> Option<Window> {
        let (_, last) = self.seen?;
        Some(Window { from: Nanos(self.origin), to: Nanos(self.to.unwrap_or(last).max(self.origin)) })
    }

    /// When it opened.
    pub fn opened(&self) -> Nanos {
        Nanos(self.origin)
    }

    /// The same, with the last answer as its end if that is before the window's.
    pub fn so_far(&self) -> Self {
        let last = self.seen.map(|(_, last)| last);
        Self { to: self.to.map_or(last, |to| last.map(|last| last.min(to))), ..self.clone() }
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.span().map_or(0.0, Window::seconds)
    }

    /// All of it as one unit.
    pub fn whole(&self) -> Unit {
        let mut all = Unit { slot: Slot::default(), seconds: self.seconds() };
        self.slots.values().for_each(|slot| all.slot.add(slot));
        all
    }

    /// Number of slots that the window spans.
    pub fn spanned(&self) -> u64 {
        let length = self.length();
        if length == 0 { 0 } else { (length - 1) / self.width + 1 }
    }

    fn length(&self) -> u64 {
        self.span().map_or(0, |window| window.to.since(window.from).0)
    }

    /// The window cut into `k` stretches of about equal time: a slot goes to the stretch that its middle lies in.
    pub fn stretches(&self, k: usize) -> Vec<Unit> {
        let mut stretches = vec![Unit::default(); k];
        let length = self.length();
        if length == 0 || self.spanned() > 4 * MOST_SLOTS {
            return stretches;
        }
        for at in 0..=(length - 1) / self.width {
            let (begin, end) = (at * self.width, length.min((at + 1) * self.width));
            let middle = begin as f64 + (end - begin) as f64 / 2.0;
            let stretch = &mut stretches[((middle / length as f64 * k as f64) as usize).min(k - 1)];
            stretch.seconds += (end - begin) as f64 / 1e9;
            if let Some(slot) = self.slots.get(&at) {
                stretch.slot.add(slot);
            }
        }
        stretches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    const S: u64 = 1_000_000_000;

    fn row(planned: u64, end: u64) -> Sample {
        let mut sample = fixture::sample(0, 0);
        sample.stamps.planned = Nanos(planned);
        sample.stamps.end = Some(Nanos(end));
        sample.stamps.sent = Some(Nanos(end.saturating_sub(1000)));
        sample.output_tokens = Some(3);
        sample
    }

    fn filled(ends: impl IntoIterator<Item = u64>, to: Option<u64>) -> Slots {
        let mut slots = Slots::new(false);
        slots.window(Nanos(S), to.map(Nanos));
        for end in ends {
            slots.see(Nanos(end.saturating_sub(2000)), Nanos(end));
            slots.push(&row(end.saturating_sub(2000), end), false);
        }
        slots
    }

    fn latency(unit: &Unit) -> u64 {
        unit.slot.times(Metric::Latency).unwrap().n
    }

    #[test]
    fn slots_double_and_keep_their_totals() {
        let slots = filled((0..1000).map(|i| S + 5000 + i * S / 10), Some(101 * S));
        assert_eq!(slots.width, FIRST_WIDTH << 5);
        assert!(slots.slots.len() as u64 <= MOST_SLOTS);
        assert_eq!(slots.whole().slot.ended, 1000);
        for k in 1..=30 {
            let units = slots.stretches(k);
            assert_eq!(units.iter().map(|u| u.slot.ended).sum::<u64>(), 1000);
            assert_eq!(units.iter().map(latency).sum::<u64>(), 1000);
            assert!((units.iter().map(|u| u.seconds).sum::<f64>() - 100.0).abs() < 1e-9);
            assert!(units.iter().all(|u| u.seconds > 0.0));
        }
        assert_eq!(slots.spanned(), 63);
    }

    #[test]
    fn slots_are_counted_from_the_windows_opening_to_its_end() {
        // 64 slots to the nanosecond; a nanosecond more is another.
        let spans = |length: u64| filled([S + length / 2], Some(S + length)).spanned();
        let most = MOST_SLOTS * FIRST_WIDTH;
        assert_eq!([spans(most - 1), spans(most), spans(most + 1), spans(1)], [64, 64, 65, 1]);
        // Rows that all lie late in a long window are near to each other: they keep their width.
        let late = filled((0..40).map(|i| 90 * S + i * FIRST_WIDTH), Some(101 * S));
        assert_eq!((late.width, late.slots.len()), (FIRST_WIDTH, 41));
    }

    #[test]
    fn a_block_that_is_over_is_one_slot_and_still_takes_a_late_row() {
        let ends = (0..1000).map(|i| S + 5000 + i * S / 10);
        let (open, mut closed) = (filled(ends.clone(), Some(101 * S)), filled(ends.take(999), Some(101 * S)));
        closed.close();
        assert_eq!(closed.slots.len(), 1);
        let last = S + 5000 + 999 * S / 10;
        closed.see(Nanos(last - 2000), Nanos(last));
        closed.push(&row(last - 2000, last), false);
        let told = |slots: &Slots| {
            let whole = slots.whole();
            let times = whole.slot.times(Metric::Latency).unwrap();
            (whole.slot.ended, times.n, times.mean(), times.quantile(0.5), whole.seconds)
        };
        assert_eq!((told(&closed), closed.slots.len()), (told(&open), 1));
    }

    #[test]
    fn the_end_of_the_window_is_inside_and_later_is_not() {
        let slots = filled([2 * S, 3 * S, 3 * S + 1], Some(3 * S));
        let whole = slots.whole();
        assert_eq!((whole.slot.ended, latency(&whole), whole.slot.output_tokens), (2, 3, 6));
        assert_eq!(whole.seconds, 2.0);
        assert_eq!(slots.stretches(2)[1].slot.ended, 2);
    }

    #[test]
    fn times_belong_to_where_a_request_was_planned_and_rates_to_where_it_ended() {
        let mut slots = Slots::new(true);
        slots.window(Nanos(0), Some(Nanos(2 * S)));
        slots.see(Nanos(S / 2), Nanos(3 * S / 2));
        slots.push(&row(S / 2, 3 * S / 2), false);
        let [first, second] = &slots.stretches(2)[..] else { panic!() };
        assert_eq!((latency(first), latency(second)), (1, 0));
        assert_eq!((first.slot.ended, second.slot.ended), (0, 1));
        // The response is told in an open loop, and only there.
        assert_eq!(first.slot.times(Metric::Response).unwrap().mean(), Some(1e9));
        assert!(first.slot.times(Metric::Lag).is_none());
        let closed = filled([2 * S], Some(3 * S));
        assert_eq!(closed.whole().slot.times(Metric::Response).unwrap().n, 0);
    }

    #[test]
    fn a_window_without_an_end_reaches_to_the_last_answer_until_it_is_told() {
        let mut slots = filled([2 * S, 5 * S], None);
        assert_eq!(slots.span(), Some(Window { from: Nanos(S), to: Nanos(5 * S) }));
        slots.window(Nanos(9 * S), Some(Nanos(6 * S)));
        assert_eq!(slots.span(), Some(Window { from: Nanos(S), to: Nanos(6 * S) }));
        assert_eq!(Slots::new(false).span(), None);
        assert_eq!((Slots::new(false).spanned(), Slots::new(false).whole().seconds), (0, 0.0));
        let mut unset = Slots::new(false);
        unset.see(Nanos(4 * S), Nanos(5 * S));
        assert_eq!(unset.span().map(|w| w.from), Some(Nanos(4 * S)));
    }
}
