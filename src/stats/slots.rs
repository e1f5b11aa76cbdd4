//! A target's measured rows by stretches of time, and by the blocks they were driven in: what ratios are taken over.
//!
//! A row's times belong to the stretch that it was planned in, so that in an open loop the same requests stand beside each
//! other; its work belongs to the stretches that it was done in. At most [`MOST_SLOTS`] slots: when a window
//! outgrows them, neighbours merge in pairs. Which slot a sample is in depends on the samples alone, not on their order.

use super::buckets::Buckets;
use super::{Metric, Window, Work};
use crate::record::{Nanos, Outcome, Sample};
use std::collections::BTreeMap;

/// Slots a window has at most.
pub(super) const MOST_SLOTS: u64 = 64;
/// Width of a slot at first, in nanoseconds.
const FIRST_WIDTH: u64 = 50_000_000;

/// One value per request: its buckets (for quantiles) and its sum (for the mean).
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    buckets: Buckets,
    pub n: u64,
    sum: f64,
    /// What the sum is divided by for the mean: `n`, where each request counts once.
    weight: f64,
}

impl Times {
    fn record(&mut self, ticks: f64, weight: f64, quantiles: bool) {
        self.n += 1;
        self.sum += ticks * weight;
        self.weight += weight;
        if quantiles {
            self.buckets.record(ticks.max(0.0) as u64);
        }
    }

    fn add(&mut self, other: &Times) {
        self.n += other.n;
        self.sum += other.sum;
        self.weight += other.weight;
        self.buckets.add(&other.buckets);
    }

    /// Mean in ticks.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.weight)
    }

    /// What the sum is divided by for the mean.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Sum in ticks.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The values in ticks, to the bucket, each with its count; none where quantiles aren't read.
    pub fn counts(&self) -> impl Iterator<Item = (f64, u32)> + '_ {
        self.buckets.counts()
    }

    /// Median-unbiased quantile in ticks.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.buckets.unbiased_quantile(q)
    }
}

/// The times that are kept of each request, and whether quantiles are read of them.
pub(super) const TIMES: [(Metric, bool); 9] = [
    (Metric::Latency, true),
    (Metric::Ttft, true),
    (Metric::Ttfat, true),
    (Metric::TtftLater, true),
    (Metric::Response, true),
    (Metric::ResponseTtft, true),
    (Metric::Itl, false),
    (Metric::Tpot, false),
    (Metric::TokensPerS, true),
];

/// What belongs to a slot, or to several merged.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    times: [Times; TIMES.len()],
    /// The work that was done in it.
    pub work: Work,
    /// Seconds that the users of a closed loop spent in it, summed over them: asking, waiting and thinking.
    pub spent: f64,
}

impl Slot {
    /// The times of a metric; none are kept of those that no ratio is told of.
    pub fn times(&self, metric: Metric) -> Option<&Times> {
        TIMES.iter().position(|(known, _)| *known == metric).map(|at| &self.times[at])
    }

    /// So much work in so many seconds, and no times.
    pub fn of_work(work: Work, seconds: f64) -> Self {
        Self { work, spent: seconds, ..Self::default() }
    }

    /// Takes one value of the times at `at` of [`TIMES`], and how much it counts in the mean.
    pub fn record(&mut self, at: usize, ticks: f64, weight: f64, quantiles: bool) {
        self.times[at].record(ticks, weight, quantiles);
    }

    fn take_times(&mut self, sample: &Sample, open: bool) {
        for ((metric, quantiles), times) in TIMES.iter().zip(&mut self.times) {
            // In a closed loop a request is planned when its user is ready: the two times are one.
            if let Some(ticks) = metric.ticks(sample).filter(|_| open || !metric.definition().from_plan) {
                times.record(ticks, metric.weight(sample.gaps.len()), *quantiles);
            }
        }
    }

    pub fn add(&mut self, other: &Slot) {
        self.times.iter_mut().zip(&other.times).for_each(|(mine, others)| mine.add(others));
        self.work.add(&other.work);
        self.spent += other.spent;
    }
}

/// A stretch of a window, or a block: what belongs to it, and how long it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    pub slot: Slot,
    pub seconds: f64,
    /// Users of a closed loop; `None` in an open one.
    pub users: Option<usize>,
}

impl Unit {
    /// How much of a kind of work was done a second.
    ///
    /// In an open loop that is work ÷ time. In a closed one it is users × work ÷ the time that users spent: the same while all
    /// are at work, and where they aren't (the last answers of a block, a run that was cut off) what they'd have done.
    pub fn per_second(&self, work: impl Fn(&Work) -> f64) -> Option<f64> {
        let done = work(&self.slot.work);
        let rate = match self.users {
            Some(users) => users as f64 * done / self.slot.spent,
            None => done / self.seconds,
        };
        Some(rate).filter(|rate| rate.is_finite())
    }
}

/// How a target is driven, as far as its slots care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loop {
    /// Requests leave at planned instants.
    Open,
    /// Users ask when they have their answer, after a pause of so many nanoseconds.
    Closed {
        /// The pause.
        think: u64,
    },
}

/// The slots of one window.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// Where slot 0 begins.
    origin: u64,
    /// The window's end, where it is known.
    to: Option<u64>,
    width: u64,
    driven: Loop,
    /// Whether a window was told; else it begins with the first row.
    told: bool,
    /// Slots it may have.
    most: u64,
    slots: BTreeMap<u64, Slot>,
    /// First planned and last end of the measured rows.
    seen: Option<(u64, u64)>,
    /// Up to where each user's time is counted.
    users: BTreeMap<u32, u64>,
    /// Requests that weren't waited for: their user, when they were sent, and when they were given up.
    cut: Vec<(u32, u64, u64)>,
    /// Longest life of an answer.
    longest: u64,
    /// Answers of which a part lies inside.
    parts: u64,
}

impl Slots {
    pub fn new(driven: Loop) -> Self {
        Self {
            origin: 0,
            to: None,
            width: FIRST_WIDTH,
            driven,
            told: false,
            most: MOST_SLOTS,
            slots: BTreeMap::new(),
            seen: None,
            users: BTreeMap::new(),
            cut: Vec::new(),
            longest: 0,
            parts: 0,
        }
    }

    /// Sets the window, or, once it is known, its end.
    pub fn window(&mut self, from: Nanos, to: Option<Nanos>) {
        if self.slots.is_empty() {
            (self.origin, self.told) = (from.0, true);
        }
        self.to = to.map(|to| to.0);
    }

    /// The run was cut off at `at`: its window ends there, if it was to end later.
    pub fn cut_off(&mut self, at: Nanos) {
        self.to = self.to.map(|to| to.min(at.0));
    }

    /// Takes a measured request whatever became of it: the window of a run without a fixed end reaches to its last.
    pub fn see(&mut self, planned: Nanos, end: Nanos) {
        let (from, to) = self.seen.unwrap_or((planned.0, end.0));
        self.seen = Some((from.min(planned.0), to.max(end.0)));
        if !self.told && self.slots.is_empty() {
            self.origin = from.min(planned.0);
        }
    }

    /// Takes what a request of the warm-up or of the window did inside the window, whatever became of it; `good`: it kept
    /// every limit. A user's requests come in the order of their ends.
    pub fn work(&mut self, sample: &Sample, good: bool) {
        let (Some(end), true) = (sample.stamps.end, self.told || self.seen.is_some()) else { return };
        let begun = sample.stamps.sent.unwrap_or(sample.stamps.planned);
        let last = self.to.unwrap_or(u64::MAX);
        if let Loop::Closed { .. } = self.driven {
            let origin = self.origin;
            let until = self.users.entry(sample.user).or_insert(origin);
            if sample.outcome == Outcome::Unfinished {
                // What it would have come to isn't known: neither its work nor the time for it is counted.
                self.cut.push((sample.user, begun.0, end.0));
                return;
            }
            let from = std::mem::replace(until, end.0.max(*until));
            self.spend(from, end.0.min(last));
        }
        if !sample.outcome.answered() {
            return;
        }
        self.longest = self.longest.max(end.since(begun).0);
        let (from, to) = (begun.0.max(self.origin), end.0.min(last));
        // What took no time, or ended with the window, has its place in the last slot.
        if from > to || end.0 < self.origin {
            return;
        }
        let mut inside = 0.0;
        for at in self.reach(from, to) {
            let (begin, close) = self.edges(at);
            let work = Work::within(sample, good, self.driven == Loop::Open, Nanos(begin), Nanos(close));
            inside += work.answers;
            self.slots.entry(at).or_default().work.add(&work);
        }
        self.parts += u64::from(inside > 0.0);
    }

    /// Counts a user's time from `from` to `to`.
    fn spend(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        for at in self.reach(from, to) {
            let (begin, close) = self.edges(at);
            let spent = to.min(close).saturating_sub(from.max(begin));
            self.slots.entry(at).or_default().spent += spent as f64 / 1e9;
        }
    }

    /// The slots from one instant to another, made wide enough that there are no more than there may be.
    fn reach(&mut self, from: u64, to: u64) -> std::ops::RangeInclusive<u64> {
        loop {
            let (begin, end) = (self.place(Nanos(from)), self.place(Nanos(to)));
            let first = self.slots.first_key_value().map_or(begin, |(first, _)| begin.min(*first));
            let last = self.slots.last_key_value().map_or(end, |(last, _)| end.max(*last));
            if last - first < self.most {
                return begin..=end;
            }
            self.merge();
        }
    }

    /// From where to where a slot reaches. The instant a window closes belongs to its last slot.
    fn edges(&self, at: u64) -> (u64, u64) {
        let begin = self.origin.saturating_add(at.saturating_mul(self.width));
        let close = begin.saturating_add(self.width);
        match self.to {
            Some(to) if close >= to => (begin, to.saturating_add(1)),
            _ => (begin, close),
        }
    }

    /// Takes the times of an answered request that was begun in the window.
    pub fn push(&mut self, sample: &Sample) {
        let planned = self.place(sample.stamps.planned);
        let open = self.driven == Loop::Open;
        self.slots.entry(planned).or_default().take_times(sample, open);
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

    /// Answers of which a part lies inside the window.
    pub fn parts(&self) -> u64 {
        self.parts
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
        let mut all = Unit { slot: Slot::default(), seconds: self.seconds(), users: self.count() };
        self.slots.values().for_each(|slot| all.slot.add(slot));
        all.slot.spent += self.spent_beside(self.origin, u64::MAX);
        all
    }

    /// Users of a closed loop that asked anything.
    fn count(&self) -> Option<usize> {
        (self.driven != Loop::Open).then_some(self.users.len())
    }

    /// Users' time from `from` to `to` that no row of theirs ends: the pause after their last answer, and what a request that
    /// wasn't waited for took beyond the longest answer: so long a wait is no work under way, but an engine that hangs.
    fn spent_beside(&self, from: u64, to: u64) -> f64 {
        let Loop::Closed { think } = self.driven else { return 0.0 };
        let overlap = |begin: u64, end: u64| end.min(to).saturating_sub(begin.max(from)) as f64 / 1e9;
        // Where the last answer closed the window, a pause belongs to every answer in it; else the clock cut it.
        let closed = self.to.filter(|to| self.seen.is_none_or(|(_, last)| last != *to)).unwrap_or(u64::MAX);
        let pause = |until: u64| overlap(until, until.saturating_add(think).min(closed));
        let pauses: f64 = self.users.values().map(|until| pause(*until)).sum();
        let hung = |(user, begin, end): &(u32, u64, u64)| {
            let counted = self.users.get(user).copied().unwrap_or_default();
            overlap(begin.saturating_add(self.longest).max(counted), (*end).min(closed))
        };
        pauses + self.cut.iter().map(hung).sum::<f64>()
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
        let mut stretches = vec![Unit { users: self.count(), ..Unit::default() }; k];
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
            stretch.slot.spent += self.spent_beside(self.origin + begin, self.origin + end);
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
        let mut slots = Slots::new(Loop::Open);
        slots.window(Nanos(S), to.map(Nanos));
        for end in ends {
            slots.see(Nanos(end.saturating_sub(2000)), Nanos(end));
            slots.work(&row(end.saturating_sub(2000), end), false);
            slots.push(&row(end.saturating_sub(2000), end));
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
        assert!((slots.whole().slot.work.answers - 1000.0).abs() < 1e-6);
        for k in 1..=30 {
            let units = slots.stretches(k);
            assert!((units.iter().map(|u| u.slot.work.answers).sum::<f64>() - 1000.0).abs() < 1e-6);
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
        closed.work(&row(last - 2000, last), false);
        closed.push(&row(last - 2000, last));
        let told = |slots: &Slots| {
            let whole = slots.whole();
            let times = whole.slot.times(Metric::Latency).unwrap();
            (whole.slot.work.answers.round(), times.n, times.mean(), times.quantile(0.5), whole.seconds)
        };
        assert_eq!((told(&closed), closed.slots.len()), (told(&open), 1));
    }

    #[test]
    fn the_windows_last_instant_is_inside_and_later_is_not() {
        let slots = filled([2 * S, 3 * S, 3 * S + 1, 3 * S + 1000], Some(3 * S));
        let whole = slots.whole();
        assert_eq!((whole.slot.work.answers, slots.parts(), latency(&whole), whole.seconds), (2.0, 2, 4, 2.0));
        assert_eq!(slots.stretches(2)[1].slot.work.answers, 2.0);
    }

    /// A user's request from `from` to `to`, in tenths of a second.
    fn asked(user: u32, from: u64, to: u64, outcome: Outcome) -> Sample {
        let mut sample = row(from * S / 10, to * S / 10);
        (sample.user, sample.outcome) = (user, outcome);
        sample.stamps.sent = Some(Nanos(from * S / 10));
        sample
    }

    fn told(slots: &mut Slots, rows: &[Sample]) {
        for row in rows {
            slots.see(row.stamps.planned, row.stamps.end.unwrap());
            slots.work(row, false);
        }
    }

    fn rate(slots: &Slots) -> f64 {
        slots.whole().per_second(|work| work.answers).unwrap()
    }

    #[test]
    fn work_counts_whatever_phase_it_began_in_and_wherever_it_ends() {
        // Two users, 2 s an answer, out of step with a window from 1 s to 6 s: one a second.
        let mut slots = Slots::new(Loop::Closed { think: 0 });
        slots.window(Nanos(S), Some(Nanos(6 * S)));
        let rows: Vec<Sample> = (0..4)
            .flat_map(|n| [(0, n * 20), (1, n * 20 + 7)])
            .map(|(user, at)| asked(user, at, at + 20, Outcome::Ok))
            .collect();
        told(&mut slots, &rows);
        assert!((rate(&slots) - 1.0).abs() < 0.07, "{}", rate(&slots));
        // The second user began at 0.7 s: of the window all is work.
        let stretches = slots.stretches(5);
        assert!(stretches.iter().all(|unit| (unit.per_second(|work| work.answers).unwrap() - 1.0).abs() < 0.01));
        assert!(stretches.iter().all(|unit| (unit.slot.spent - 2.0).abs() < 0.01));
    }

    #[test]
    fn the_tail_of_a_block_in_which_users_have_nothing_left_to_do_is_no_time_of_theirs() {
        // Three requests of 2 s over two users: the second one is done at 2 s, the block at 4 s.
        let mut slots = Slots::new(Loop::Closed { think: 0 });
        slots.window(Nanos(0), None);
        told(&mut slots, &[asked(0, 0, 20, Outcome::Ok), asked(1, 0, 20, Outcome::Ok), asked(0, 20, 40, Outcome::Ok)]);
        assert!((rate(&slots) - 1.0).abs() < 1e-9, "{}", rate(&slots));
        // Each with a pause of 2 s after it: half as fast.
        let mut slots = Slots::new(Loop::Closed { think: 2 * S });
        slots.window(Nanos(0), None);
        told(&mut slots, &[asked(0, 0, 20, Outcome::Ok), asked(1, 0, 20, Outcome::Ok), asked(0, 40, 60, Outcome::Ok)]);
        slots.window(Nanos(0), Some(Nanos(6 * S)));
        assert!((rate(&slots) - 0.5).abs() < 1e-9, "{}", rate(&slots));
    }

    #[test]
    fn a_request_that_was_not_waited_for_takes_no_time_unless_the_engine_hangs() {
        let run = |cut: u64| {
            let mut slots = Slots::new(Loop::Closed { think: 0 });
            slots.window(Nanos(0), Some(Nanos(60 * S)));
            told(
                &mut slots,
                &[asked(0, 0, 20, Outcome::Ok), asked(0, 20, 40, Outcome::Ok), asked(0, 40, cut, Outcome::Unfinished)],
            );
            slots.cut_off(Nanos(cut * S / 10));
            rate(&slots)
        };
        assert!((run(55) - 0.5).abs() < 1e-9 && (run(60) - 0.5).abs() < 1e-9);
        // Cut after 16 s of waiting, where 2 s are usual: 14 s without work.
        assert!((run(200) - 2.0 / 18.0).abs() < 1e-9, "{}", run(200));
        // A failure takes time and does nothing.
        let mut slots = Slots::new(Loop::Closed { think: 0 });
        slots.window(Nanos(0), Some(Nanos(4 * S)));
        told(&mut slots, &[asked(0, 0, 20, Outcome::Ok), asked(0, 20, 60, Outcome::Timeout)]);
        assert!((rate(&slots) - 0.25).abs() < 1e-9);
    }

    #[test]
    fn times_belong_to_where_a_request_was_planned_and_work_to_where_it_was_done() {
        let mut slots = Slots::new(Loop::Open);
        slots.window(Nanos(0), Some(Nanos(2 * S)));
        slots.see(Nanos(S / 2), Nanos(3 * S / 2));
        slots.work(&row(S / 2, 3 * S / 2), false);
        slots.push(&row(S / 2, 3 * S / 2));
        let [first, second] = &slots.stretches(2)[..] else { panic!() };
        assert_eq!((latency(first), latency(second)), (1, 0));
        assert_eq!((first.slot.work.answers, second.slot.work.answers), (0.0, 1.0));
        // The response is told in an open loop, and only there.
        assert_eq!(first.slot.times(Metric::Response).unwrap().mean(), Some(1e9));
        assert!(first.slot.times(Metric::Lag).is_none());
        let mut closed = Slots::new(Loop::Closed { think: 0 });
        closed.window(Nanos(0), Some(Nanos(2 * S)));
        closed.push(&row(S / 2, 3 * S / 2));
        assert_eq!(closed.whole().slot.times(Metric::Response).unwrap().n, 0);
    }

    #[test]
    fn a_window_without_an_end_reaches_to_the_last_answer_until_it_is_told() {
        let mut slots = filled([2 * S, 5 * S], None);
        assert_eq!(slots.span(), Some(Window { from: Nanos(S), to: Nanos(5 * S) }));
        slots.window(Nanos(9 * S), Some(Nanos(6 * S)));
        assert_eq!(slots.span(), Some(Window { from: Nanos(S), to: Nanos(6 * S) }));
        assert_eq!(Slots::new(Loop::Open).span(), None);
        assert_eq!((Slots::new(Loop::Open).spanned(), Slots::new(Loop::Open).whole().seconds), (0, 0.0));
        let mut unset = Slots::new(Loop::Open);
        unset.see(Nanos(4 * S), Nanos(5 * S));
        assert_eq!(unset.span().map(|w| w.from), Some(Nanos(4 * S)));
    }
}
