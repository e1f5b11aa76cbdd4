//! Requests that both sides ended, pair by pair: the same index is the same prompt, with the same nonce.
//!
//! What makes requests unlike (their length above all) is alike on both sides of a pair, and cancels in the ratio. Pairs are
//! held in at most [`MOST_GROUPS`] groups of neighbours in the list, or by block; a request waits for its other one in
//! bounded space.

use super::queue::Queue;
use super::slots::{Loop, Slot, TIMES};
use super::{Estimate, wilson};
use crate::record::{Outcome, Sample};
use std::collections::{BTreeMap, HashMap};

/// Groups that the list is cut into at most.
pub(super) const MOST_GROUPS: u64 = 64;
/// Requests of a side that may wait for their other ones: 64 MiB. The first of the list are kept: whoever is slower gets to them.
const MOST_WAITING: usize = 1 << 20;

/// The target's place, and the reference's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Target = 0,
    Reference = 1,
}

/// What is compared of one request.
#[derive(Clone, Copy, Debug)]
struct PairedRequest {
    /// In ticks; not a number where there is none.
    times: [f32; TIMES.len()],
    /// How many inter-token latencies its mean of them is of.
    gaps: u32,
    answered: bool,
    good: bool,
    /// Output tokens; not a number where they weren't counted.
    tokens: f32,
    /// Seconds that a user spent on it.
    spent: f32,
    /// Whether its label is the right one, where there is a right one.
    right: Option<bool>,
    /// Hash of its answer's text.
    text: Option<u64>,
}

/// Both sides of the pairs of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// The target's, then the reference's.
    pub sides: [Slot; 2],
}

/// An item whose answers can be right: how often both sides had it answered, and how often each was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rightness {
    pub n: u32,
    pub right: [u32; 2],
}

/// The pairs of a target and the reference.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    driven: Loop,
    /// Whether groups are the blocks that were driven apart.
    blocks: bool,
    /// Requests of a group, by their place in the list.
    width: u64,
    groups: BTreeMap<u64, Group>,
    waiting: [HashMap<u64, PairedRequest>; 2],
    /// Answers of each side, and of both to the same request.
    answered: [u64; 2],
    both: u64,
    items: BTreeMap<usize, Rightness>,
    /// Pairs of texts, and those that are the same.
    texts: (u64, u64),
}

impl Pairs {
    pub fn new(driven: Loop, blocks: bool) -> Self {
        Self {
            driven,
            blocks,
            width: 1,
            groups: BTreeMap::new(),
            waiting: Default::default(),
            answered: [0; 2],
            both: 0,
            items: BTreeMap::new(),
            texts: (0, 0),
        }
    }

    /// The queue that so many users of a closed loop may make; none where nobody waits for an answer to ask.
    pub fn queue(&self, users: Option<usize>) -> Queue {
        users.map_or(Queue::NONE, |users| Queue { users, width: self.width })
    }

    /// Whether groups are blocks that were each drained and warmed.
    pub fn are_blocks(&self) -> bool {
        self.blocks && self.groups.len() > 1
    }

    /// Takes a measured request; `good`: it kept every limit.
    pub fn push(&mut self, of: Of, sample: &Sample, good: bool) {
        // Of what we cut off, or never sent, it isn't known what it would have come to.
        if !(sample.outcome.answered() || sample.outcome.failed()) {
            return;
        }
        let kept = self.keep(sample, good);
        self.answered[of as usize] += u64::from(kept.answered);
        let other = 1 - of as usize;
        let Some(theirs) = self.waiting[other].remove(&sample.index) else {
            let waiting = &mut self.waiting[of as usize];
            if waiting.len() < MOST_WAITING {
                waiting.insert(sample.index, kept);
            }
            return;
        };
        let pair = if of == Of::Target { [kept, theirs] } else { [theirs, kept] };
        self.both += u64::from(kept.answered && theirs.answered);
        if let [Some(a), Some(b)] = pair.map(|side| side.text) {
            self.texts = (self.texts.0 + 1, self.texts.1 + u64::from(a == b));
        }
        if let [Some(a), Some(b)] = pair.map(|side| side.right) {
            let item = self.items.entry(sample.item).or_default();
            item.n += 1;
            item.right[0] += u32::from(a);
            item.right[1] += u32::from(b);
        }
        let place = if self.blocks { u64::from(sample.block) } else { sample.index / self.width };
        self.groups.entry(place).or_default().take(&pair);
        self.fit();
    }

    fn keep(&self, sample: &Sample, good: bool) -> PairedRequest {
        let answered = sample.outcome.answered();
        let open = self.driven == Loop::Open;
        let think = if let Loop::Closed { think } = self.driven { think } else { 0 };
        let end = sample.stamps.end.or(sample.stamps.sent).unwrap_or(sample.stamps.planned);
        let mut times = [f32::NAN; TIMES.len()];
        for ((metric, _), time) in TIMES.iter().zip(&mut times).filter(|_| answered) {
            if let Some(ticks) = metric.ticks(sample).filter(|_| open || !metric.definition().from_plan) {
                *time = ticks as f32;
            }
        }
        let right = sample.expected_label.filter(|_| answered).map(|right| sample.label == Some(right));
        PairedRequest {
            times,
            gaps: u32::try_from(sample.gaps.len()).unwrap_or(u32::MAX),
            answered,
            good: good && answered && sample.outcome != Outcome::Unfinished,
            tokens: sample.output_tokens.filter(|_| answered).map_or(f32::NAN, |n| n as f32),
            spent: ((end.since(sample.stamps.planned).0 + think) as f64 / 1e9) as f32,
            right,
            text: sample.text_hash.filter(|_| answered),
        }
    }

    fn fit(&mut self) {
        while let (false, Some((first, _)), Some((last, _))) =
            (self.blocks, self.groups.first_key_value(), self.groups.last_key_value())
        {
            if last - first < MOST_GROUPS {
                break;
            }
            self.width = self.width.saturating_mul(2);
            for (at, group) in std::mem::take(&mut self.groups) {
                self.groups.entry(at / 2).or_default().add(&group);
            }
        }
    }

    /// The groups, in the list's order.
    pub fn groups(&self) -> Vec<&Group> {
        self.groups.values().collect()
    }

    /// Requests that both answered, and those that one side alone did: the target, the reference.
    pub fn counts(&self) -> (u64, (u64, u64)) {
        (self.both, (self.answered[0] - self.both, self.answered[1] - self.both))
    }

    /// The share of the answers that are the reference's to the last character; `None` without a pair.
    pub fn same(&self) -> Option<Estimate> {
        let (n, same) = self.texts;
        (n > 0).then(|| wilson(same as f64 / n as f64, n, n)).flatten()
    }

    /// How both sides fared, item by item.
    pub fn items(&self) -> impl Iterator<Item = &Rightness> {
        self.items.values()
    }
}

impl Group {
    fn take(&mut self, pair: &[PairedRequest; 2]) {
        for (at, (metric, quantiles)) in TIMES.iter().enumerate() {
            let values = [f64::from(pair[0].times[at]), f64::from(pair[1].times[at])];
            if values.iter().all(|value| value.is_finite()) {
                for ((side, value), kept) in self.sides.iter_mut().zip(values).zip(pair) {
                    side.record(at, value, metric.weight(kept.gaps as usize), *quantiles);
                }
            }
        }
        for (side, kept) in self.sides.iter_mut().zip(pair) {
            side.spent += f64::from(kept.spent);
            side.work.answers += f64::from(u8::from(kept.answered));
            side.work.good += f64::from(u8::from(kept.good));
            side.work.output_tokens += if kept.answered { f64::from(kept.tokens) } else { 0.0 };
        }
    }

    fn add(&mut self, other: &Group) {
        self.sides.iter_mut().zip(&other.sides).for_each(|(mine, others)| mine.add(others));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Nanos;
    use crate::stats::Metric;
    use crate::stats::fixture::{MS, sample};

    const CLOSED: Loop = Loop::Closed { think: 0 };

    fn row(index: u64, ms: u64, outcome: Outcome) -> Sample {
        let mut row = Sample { index, outcome, output_tokens: Some(3), ..sample(0, index) };
        row.stamps.sent = Some(row.stamps.planned);
        row.stamps.end = Some(row.stamps.planned + Nanos(ms * MS));
        row
    }

    /// Everything in one group.
    fn whole(pairs: &Pairs) -> Group {
        pairs.groups().into_iter().fold(Group::default(), |mut all, group| {
            all.add(group);
            all
        })
    }

    #[test]
    fn answers_are_matched_by_request() {
        let mut pairs = Pairs::new(CLOSED, false);
        let mut push = |of: Of, index: u64, text_hash: Option<u64>| {
            pairs.push(of, &Sample { text_hash, ..row(index, 10, Outcome::Ok) }, true);
        };
        for index in 0..10 {
            push(Of::Reference, index, Some(index));
            push(Of::Target, index + 5, Some(if index == 0 { 99 } else { index + 5 }));
        }
        // Of requests 5 to 9, all but the first are the same.
        let share = pairs.same().unwrap();
        assert_eq!((share.value, share.n), (0.8, 5));
        let mut others = Pairs::new(CLOSED, false);
        others.push(Of::Reference, &Sample { text_hash: Some(1), ..row(1, 10, Outcome::Ok) }, true);
        others.push(Of::Target, &Sample { text_hash: Some(1), ..row(40, 10, Outcome::Ok) }, true);
        others.push(Of::Target, &Sample { text_hash: None, ..row(1, 10, Outcome::Ok) }, true);
        assert_eq!(others.same(), None);
    }

    #[test]
    fn a_pair_is_the_same_request_whenever_each_side_gets_to_it() {
        let mut pairs = Pairs::new(CLOSED, false);
        (0..10).for_each(|n| pairs.push(Of::Target, &row(n, 10, Outcome::Ok), true));
        assert!(pairs.groups().is_empty());
        // Backwards, and of only the first six: a target that got further has no more to be compared.
        (0..6).rev().for_each(|n| pairs.push(Of::Reference, &row(n, 20 + n, Outcome::Ok), false));
        assert_eq!((pairs.groups().len(), pairs.counts()), (6, (6, (4, 0))));
        let [a, b] = whole(&pairs).sides;
        let mean = |side: &Slot| side.times(Metric::Latency).unwrap().mean().unwrap() / 1e6;
        assert!((mean(&a) - 10.0).abs() < 1e-6 && (mean(&b) - 22.5).abs() < 1e-5);
        assert!((a.spent - 0.06).abs() < 1e-8 && (b.spent - 0.135).abs() < 1e-8);
        assert_eq!((a.work.answers, a.work.good, b.work.good, b.work.output_tokens), (6.0, 6.0, 0.0, 18.0));
        // From the plan a closed loop tells nothing.
        assert_eq!(a.times(Metric::Response).unwrap().n, 0);
    }

    #[test]
    fn a_failure_takes_time_and_does_nothing_and_what_we_cut_off_is_no_pair() {
        let mut pairs = Pairs::new(CLOSED, false);
        for (n, outcome) in
            [Outcome::Ok, Outcome::Timeout, Outcome::Unfinished, Outcome::Unsent].into_iter().enumerate()
        {
            pairs.push(Of::Target, &row(n as u64, 10, outcome), false);
            pairs.push(Of::Reference, &row(n as u64, 10, Outcome::Ok), true);
        }
        let [a, b] = whole(&pairs).sides;
        assert_eq!((a.work.answers, b.work.answers, pairs.counts()), (1.0, 2.0, (1, (0, 3))));
        assert_eq!(a.times(Metric::Latency).unwrap().n, 1);
        assert!((a.spent - 0.02).abs() < 1e-8);
    }

    #[test]
    fn groups_are_neighbours_in_the_list_or_blocks() {
        let mut pairs = Pairs::new(CLOSED, false);
        let mut blocks = Pairs::new(CLOSED, true);
        for n in 0..1000 {
            for of in [Of::Target, Of::Reference] {
                pairs.push(of, &row(n, 10, Outcome::Ok), false);
                blocks.push(of, &Sample { block: (n / 100) as u32, ..row(n, 10, Outcome::Ok) }, false);
            }
        }
        let rows = |pairs: &Pairs| pairs.groups().iter().map(|g| g.sides[0].work.answers as u64).collect::<Vec<_>>();
        assert_eq!((pairs.width, pairs.groups().len(), rows(&pairs)[..3].to_vec()), (16, 63, vec![16; 3]));
        assert_eq!((rows(&blocks), blocks.are_blocks(), pairs.are_blocks()), (vec![100; 10], true, false));
    }

    #[test]
    fn items_are_right_or_wrong_on_both_sides() {
        let mut pairs = Pairs::new(CLOSED, false);
        for n in 0..4 {
            let told = |label| Sample {
                item: n as usize % 2,
                expected_label: Some(1),
                label: Some(label),
                ..row(n, 9, Outcome::Ok)
            };
            pairs.push(Of::Target, &told(1), false);
            pairs.push(Of::Reference, &told(n as usize % 2), false);
        }
        let items: Vec<_> = pairs.items().copied().collect();
        assert_eq!(items, [Rightness { n: 2, right: [2, 0] }, Rightness { n: 2, right: [2, 2] }]);
    }
}
