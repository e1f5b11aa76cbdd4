//! The one definition of work done inside a stretch of time, for runs, blocks, sweeps, probes, calibration and soaks.
//!
//! What counts is what was done inside, whatever phase a request began in: an answer that is half inside is half an answer.
//! Counted by where answers end, a window of 20 s would miss a tenth of the work of an engine that takes 2 s an answer, and
//! half of one that takes 9 s; the slower side would be hit harder.

use super::row::tidy;
use crate::record::{Nanos, Sample};
use serde::{Deserialize, Serialize};

/// Work done inside a time span. Parts of answers and tokens count, so the numbers aren't whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Work {
    /// Complete answers, each by the part of it that lies inside.
    pub answers: f64,
    /// Those of them that kept every limit of the scenario's `slo`.
    pub good: f64,
    /// Output tokens by the engine's count, when they arrived.
    pub output_tokens: f64,
    /// Prompt tokens by the engine's count, when they were read.
    pub prompt_tokens: f64,
}

impl Work {
    /// What a request did from `from` to `to`; nothing, if it has no complete answer. `good`: it kept every limit.
    ///
    /// A stream's output tokens arrive evenly from its first to its last, and its prompt is read from sent to its first token.
    /// All else is spread evenly over the answer's life, from sent to end. In an open loop a part of that life, and when the
    /// engine can't keep up the most of it, is the wait in a queue, in which nothing is done: there a stream's life begins
    /// with its first token, and all of an answer that came whole is done when it ends. What took no time belongs where it
    /// ended.
    pub fn within(sample: &Sample, good: bool, open_loop: bool, from: Nanos, to: Nanos) -> Self {
        let stamps = &sample.stamps;
        let (Some(sent), Some(end)) = (stamps.sent, stamps.end) else { return Self::default() };
        if !sample.outcome.answered() {
            return Self::default();
        }
        let part = |begin: Nanos, end: Nanos| part(begin, end, from, to);
        let begun = if open_loop { stamps.first_token.unwrap_or(end) } else { sent };
        let life = part(begun, end);
        let (prompt, output) = match stamps.first_token.zip(stamps.last_token) {
            Some((first, last)) => (part(if open_loop { first } else { sent }, first), part(first, last)),
            None => (life, life),
        };
        let tokens = |count: Option<u64>, part: f64| count.map_or(0.0, |count| count as f64 * part);
        Self {
            answers: life,
            good: if good { life } else { 0.0 },
            output_tokens: tokens(sample.output_tokens, output),
            prompt_tokens: tokens(sample.prompt_tokens, prompt),
        }
    }

    /// The same without binary noise.
    pub(super) fn tidied(self) -> Self {
        let [answers, good, output_tokens, prompt_tokens] =
            [self.answers, self.good, self.output_tokens, self.prompt_tokens].map(tidy);
        Self { answers, good, output_tokens, prompt_tokens }
    }

    /// Adds more work.
    pub fn add(&mut self, other: &Work) {
        self.answers += other.answers;
        self.good += other.good;
        self.output_tokens += other.output_tokens;
        self.prompt_tokens += other.prompt_tokens;
    }
}

/// The share of what went on evenly from `begin` to `end` that lies in `from..to`. An instant lies in the stretch that it
/// ends in or begins, and never in two: `to` is outside.
pub(super) fn part(begin: Nanos, end: Nanos, from: Nanos, to: Nanos) -> f64 {
    let length = end.since(begin).0;
    if length == 0 {
        return f64::from(u8::from(from <= end && end < to));
    }
    end.min(to).since(begin.max(from)).0 as f64 / length as f64
}

/// The time in which a target was measured, on the run's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Window {
    /// When it opened.
    pub from: Nanos,
    /// When it closed.
    pub to: Nanos,
}

impl Window {
    /// Its length in seconds.
    pub fn seconds(self) -> f64 {
        self.to.since(self.from).seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, Stamps};
    use crate::stats::fixture;
    use proptest::prelude::*;

    fn row(sent: u64, first: Option<u64>, last: Option<u64>, end: u64) -> Sample {
        let stamps = Stamps {
            planned: Nanos(sent),
            sent: Some(Nanos(sent)),
            first_token: first.map(Nanos),
            last_token: last.map(Nanos),
            end: Some(Nanos(end)),
            ..Stamps::default()
        };
        Sample { stamps, output_tokens: Some(10), prompt_tokens: Some(4), ..fixture::sample(0, 0) }
    }

    #[test]
    fn an_answer_counts_by_the_part_of_its_life_inside() {
        let whole = row(50, None, None, 150);
        let work = Work::within(&whole, true, false, Nanos(100), Nanos(200));
        assert_eq!((work.answers, work.good, work.output_tokens, work.prompt_tokens), (0.5, 0.5, 5.0, 2.0));
        assert_eq!(Work::within(&whole, false, false, Nanos(0), Nanos(1000)).good, 0.0);
        assert_eq!(Work::within(&whole, true, false, Nanos(200), Nanos(300)), Work::default());
        let failed = Sample { outcome: Outcome::Timeout, ..whole };
        assert_eq!(Work::within(&failed, true, false, Nanos(0), Nanos(1000)), Work::default());
    }

    #[test]
    fn a_streams_tokens_count_when_they_arrived() {
        let work = |first, last| {
            let row = row(0, Some(first), Some(last), 1000);
            let work = Work::within(&row, false, false, Nanos(100), Nanos(200));
            (work.output_tokens, work.prompt_tokens)
        };
        assert_eq!(work(110, 190), (10.0, 4.0 * 10.0 / 110.0));
        assert_eq!((work(50, 150).0, work(150, 250).0, work(10, 20).0, work(210, 220).0), (5.0, 5.0, 0.0, 0.0));
        assert_eq!((work(150, 150).0, work(250, 250).0, work(100, 100).0), (10.0, 0.0, 10.0), "all at once");
    }

    #[test]
    fn the_wait_in_a_queue_of_an_open_loop_is_no_work() {
        let work = |row: &Sample| Work::within(row, true, true, Nanos(100), Nanos(200));
        // Two thirds of its life in the window, and all of its answer after it.
        let queued = row(0, Some(300), Some(390), 400);
        assert_eq!(work(&queued), Work::default());
        assert_eq!(work(&row(0, None, None, 300)), Work::default());
        let half = work(&row(0, Some(50), Some(150), 150));
        assert_eq!((half.answers, half.output_tokens, half.prompt_tokens), (0.5, 5.0, 0.0));
        assert_eq!(work(&row(0, None, None, 150)).answers, 1.0);
    }

    proptest! {
        #[test]
        fn stretches_side_by_side_have_all_of_it_and_nothing_twice(
            sent in 0..500_u64, first in 0..300_u64, last in 0..300_u64, rest in 0..300_u64, cuts in prop::collection::vec(0..2000_u64, 0..6), open: bool,
        ) {
            let row = row(sent, Some(sent + first), Some(sent + first + last), sent + first + last + rest);
            let mut edges = cuts;
            edges.extend([0, 3000]);
            edges.sort_unstable();
            let mut all = Work::default();
            edges.windows(2).for_each(|edge| all.add(&Work::within(&row, true, open, Nanos(edge[0]), Nanos(edge[1]))));
            for (got, want) in [(all.answers, 1.0), (all.good, 1.0), (all.output_tokens, 10.0), (all.prompt_tokens, 4.0)] {
                prop_assert!((got - want).abs() < 1e-9, "{all:?}");
            }
        }
    }
}
