//! A row a target and second, so that a stall is seen and not averaged away. All phases are in it.

use super::Work;
use super::buckets::Buckets;
use super::row::tidy;
use crate::record::{Nanos, Phase, Sample};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Seconds behind the newest one for which histograms stay open; later answers still count, but move no percentile.
const OPEN_SECONDS: u64 = 6;
/// Longest timeline whose empty seconds are filled in: a week.
const MOST_SECONDS: u64 = 7 * 86_400;

/// Longest answer whose tokens are put into the seconds they arrived in: an hour. Of a longer one the last hour is told.
const LONGEST_SECONDS: u64 = 3600;

/// Least share of a second in which answers are counted as a rate.
const LEAST_DRIVEN: f64 = 1.0 / 3.0;
/// Longest silence within a warm-up, in nanoseconds: after a longer one another stretch begins, since another target had its
/// turn meanwhile.
const SILENCE: u64 = 500_000_000;

/// A second in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// One second of one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since the run's start, rounded down.
    pub t_s: u64,
    /// Position in the report's targets.
    pub target: usize,
    /// Requests sent.
    pub sent: u64,
    /// Requests that ended, well or not.
    pub ended: u64,
    /// Those of them with a complete answer.
    pub ok: u64,
    /// Those of them without one.
    pub errors: u64,
    /// Median latency of the answers, in microseconds; `None` if there were none.
    pub latency_p50_us: Option<f64>,
    /// 95th percentile of their latency, in microseconds.
    pub latency_p95_us: Option<f64>,
    /// Longest of their latencies, in microseconds.
    pub latency_max_us: Option<f64>,
    /// Median time to their first token, in microseconds.
    pub ttft_p50_us: Option<f64>,
    /// Output tokens of answers, in the second they arrived in; by the engine's count. `None` if there was none to count.
    pub output_tokens: Option<u64>,
    /// Share of the second in which the target was driven: from 0 to 1, without cold requests. A block begins and ends within
    /// a second.
    #[serde(default)]
    pub driven: f64,
    /// Answers per driven second, without those to cold requests; `None` where the target was driven for less than a third of
    /// the second.
    #[serde(default)]
    pub answers_per_s: Option<f64>,
}

/// A second whose percentiles aren't final yet.
#[derive(Clone, Debug)]
struct Open {
    t_s: u64,
    latency: Buckets,
    ttft: Buckets,
}

/// The seconds of one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    seconds: BTreeMap<u64, Second>,
    /// Output tokens by second, in parts.
    tokens: BTreeMap<u64, f64>,
    open: VecDeque<Open>,
    newest: u64,
    /// Answers to cold requests by second.
    cold: BTreeMap<u64, u64>,
    /// From the first to the last measured request of each block.
    blocks: BTreeMap<u32, (Nanos, Nanos)>,
    /// The stretches of warm-up, in the order they ended in.
    warm: Vec<(Nanos, Nanos)>,
}

impl Timeline {
    pub fn push(&mut self, sample: &Sample, open_loop: bool) {
        self.drive(sample);
        if let Some(sent) = sample.stamps.sent {
            self.second(sent).sent += 1;
        }
        let end = sample.stamps.end.or(sample.stamps.sent).unwrap_or(sample.stamps.planned);
        let answered = sample.outcome.answered();
        let second = self.second(end);
        second.ended += 1;
        second.ok += u64::from(answered);
        second.errors += u64::from(sample.outcome.failed());
        if answered {
            if let Some(latency) = sample.latency() {
                let longest = second.latency_max_us.unwrap_or(0.0);
                second.latency_max_us = Some(longest.max(latency.micros()));
                self.time(whole_seconds(end), latency, sample.ttft());
            }
            self.tokens(sample, open_loop);
        }
    }

    /// Notes that the target was driven.
    fn drive(&mut self, sample: &Sample) {
        let from = sample.stamps.sent.unwrap_or(sample.stamps.planned);
        let to = sample.stamps.end.unwrap_or(from).max(from);
        let join = |(a, b): &mut (Nanos, Nanos)| (*a, *b) = ((*a).min(from), (*b).max(to));
        match sample.phase {
            Phase::Cold => {
                *self.cold.entry(whole_seconds(to)).or_default() += u64::from(sample.outcome.answered());
            }
            Phase::Warmup => match self.warm.last_mut() {
                Some(last) if from.0 <= last.1.0.saturating_add(SILENCE) => join(last),
                _ => self.warm.push((from, to)),
            },
            Phase::Measure => join(self.blocks.entry(sample.block).or_insert((from, to))),
        }
    }

    /// The nanoseconds of each second in which the target was driven.
    fn driven(&self) -> BTreeMap<u64, u64> {
        let mut stretches: Vec<(u64, u64)> =
            self.blocks.values().chain(&self.warm).map(|(from, to)| (from.0, to.0)).collect();
        stretches.sort_unstable();
        let (mut all, mut done): (BTreeMap<u64, u64>, u64) = Default::default();
        for (from, to) in stretches {
            let from = from.max(done);
            // As long as the timeline is filled in, and no longer.
            for t_s in (from / SECOND..=to / SECOND).take(MOST_SECONDS as usize) {
                let begins = t_s.saturating_mul(SECOND);
                let within = to.min(begins.saturating_add(SECOND)).saturating_sub(from.max(begins));
                *all.entry(t_s).or_default() += within;
            }
            done = done.max(to);
        }
        all
    }

    /// Puts an answer's tokens into the seconds that they arrived in.
    fn tokens(&mut self, sample: &Sample, open_loop: bool) {
        let (Some(sent), Some(end), true) = (sample.stamps.sent, sample.stamps.end, sample.output_tokens.is_some())
        else {
            return;
        };
        let (begun, done) = (sample.stamps.first_token.unwrap_or(sent), sample.stamps.last_token.unwrap_or(end));
        let first = whole_seconds(begun).max(whole_seconds(done).saturating_sub(LONGEST_SECONDS));
        for t_s in first..=whole_seconds(done) {
            let from = Nanos(t_s.saturating_mul(SECOND));
            let work = Work::within(sample, false, open_loop, from, from + Nanos(SECOND));
            *self.tokens.entry(t_s).or_default() += work.output_tokens;
        }
    }

    fn second(&mut self, at: Nanos) -> &mut Second {
        let t_s = whole_seconds(at);
        self.seconds.entry(t_s).or_insert_with(|| Second { t_s, ..Second::default() })
    }

    /// Takes a latency into the second's histogram, and closes the seconds that are old by now.
    fn time(&mut self, t_s: u64, latency: Nanos, ttft: Option<Nanos>) {
        self.newest = self.newest.max(t_s);
        let oldest = self.newest.saturating_sub(OPEN_SECONDS - 1);
        while self.open.front().is_some_and(|open| open.t_s < oldest) {
            if let Some(open) = self.open.pop_front() {
                self.close(&open);
            }
        }
        if t_s < oldest {
            return;
        }
        let at = self.open.partition_point(|open| open.t_s < t_s);
        if self.open.get(at).is_none_or(|open| open.t_s != t_s) {
            self.open.insert(at, Open { t_s, latency: Buckets::default(), ttft: Buckets::default() });
        }
        if let Some(open) = self.open.get_mut(at) {
            open.latency.record(latency.0);
            if let Some(ttft) = ttft {
                open.ttft.record(ttft.0);
            }
        }
    }

    fn close(&mut self, open: &Open) {
        let quantile = |buckets: &Buckets, q| buckets.quantile(q).map(|ticks| Nanos(ticks).micros());
        if let Some(second) = self.seconds.get_mut(&open.t_s) {
            // A bucket's upper bound may lie beyond the largest value in it.
            let most = second.latency_max_us.unwrap_or(f64::MAX);
            second.latency_p50_us = quantile(&open.latency, 0.5).map(|x| x.min(most));
            second.latency_p95_us = quantile(&open.latency, 0.95).map(|x| x.min(most));
            second.ttft_p50_us = quantile(&open.ttft, 0.5);
        }
    }

    /// The rows of target number `target`, a row for every second between the first and the last.
    pub fn finish(mut self, target: usize) -> Vec<Second> {
        for open in std::mem::take(&mut self.open) {
            self.close(&open);
        }
        // Rounded so that their sum is the tokens' own.
        let (mut sum, mut told) = (0.0, 0);
        for (t_s, tokens) in std::mem::take(&mut self.tokens) {
            sum += tokens;
            let whole = sum.round() as u64;
            self.second(Nanos(t_s.saturating_mul(SECOND))).output_tokens = Some(whole.saturating_sub(told));
            told = whole.max(told);
        }
        let (Some((&first, _)), Some((&last, _))) = (self.seconds.first_key_value(), self.seconds.last_key_value())
        else {
            return Vec::new();
        };
        if last - first < MOST_SECONDS {
            for t_s in first..=last {
                self.seconds.entry(t_s).or_insert_with(|| Second { t_s, ..Second::default() });
            }
        }
        let (driven, cold) = (self.driven(), std::mem::take(&mut self.cold));
        let all = self.seconds.into_values().map(|second| {
            let nanos = driven.get(&second.t_s).copied().unwrap_or_default().min(SECOND);
            let driven = nanos as f64 / SECOND as f64;
            let answers = second.ok.saturating_sub(cold.get(&second.t_s).copied().unwrap_or_default());
            let answers_per_s = (driven >= LEAST_DRIVEN).then(|| tidy(answers as f64 / driven));
            Second { target, driven, answers_per_s, ..second }
        });
        all.collect()
    }
}

fn whole_seconds(at: Nanos) -> u64 {
    at.0 / SECOND
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Outcome;
    use crate::stats::fixture;

    fn ended(end_ms: u64, latency_ms: u64, outcome: Outcome) -> Sample {
        let mut sample = fixture::sample(0, 0);
        sample.stamps.sent = Some(Nanos((end_ms - latency_ms) * 1_000_000));
        sample.stamps.end = Some(Nanos(end_ms * 1_000_000));
        sample.outcome = outcome;
        sample
    }

    #[test]
    fn a_stall_is_a_row_of_zeros() {
        let mut timeline = Timeline::default();
        timeline.push(&ended(500, 100, Outcome::Ok), false);
        timeline.push(&ended(900, 200, Outcome::Timeout), false);
        timeline.push(&ended(3100, 2500, Outcome::Ok), false);
        let rows = timeline.finish(1);
        let counts: Vec<_> = rows.iter().map(|r| (r.t_s, r.target, r.sent, r.ended, r.ok, r.errors)).collect();
        assert_eq!(counts, [(0, 1, 3, 2, 1, 1), (1, 1, 0, 0, 0, 0), (2, 1, 0, 0, 0, 0), (3, 1, 0, 1, 1, 0)]);
        assert_eq!(rows[0].latency_max_us, Some(100_000.0));
        assert_eq!(rows[1].latency_p50_us, None);
    }

    #[test]
    fn tokens_are_in_the_seconds_that_they_arrived_in() {
        let mut timeline = Timeline::default();
        for user in 0..2 {
            let mut sample = ended(4500 + user * 100, 4000, Outcome::Ok);
            (sample.stamps.first_token, sample.stamps.last_token) = (Some(Nanos(SECOND)), Some(Nanos(SECOND * 4)));
            sample.output_tokens = Some(50);
            timeline.push(&sample, false);
        }
        let rows = timeline.finish(0);
        let tokens: Vec<_> = rows.iter().map(|second| second.output_tokens).collect();
        assert_eq!(tokens, [None, Some(33), Some(34), Some(33), Some(0)]);
    }

    #[test]
    fn a_second_in_part_is_no_drop() {
        let mut timeline = Timeline::default();
        // A cold request, a pause, and 12 answers a second: from 1.5 s to 4 s, from 6.7 s to 7.25 s.
        let mut cold = ended(300, 300, Outcome::Ok);
        cold.phase = Phase::Cold;
        timeline.push(&cold, false);
        let mut block = |number, from: u64, to: u64| {
            for i in 0..(to - from) * 12 / 1000 {
                let mut sample = ended(from + (i + 1) * 1000 / 12, 83, Outcome::Ok);
                (sample.block, sample.phase) = (number, Phase::Measure);
                timeline.push(&sample, false);
            }
        };
        block(0, 1500, 4000);
        block(1, 6700, 7250);
        let rows = timeline.finish(0);
        let driven: Vec<u64> = rows.iter().map(|second| (second.driven * 100.0).round() as u64).collect();
        assert_eq!(driven, [0, 50, 100, 100, 0, 0, 30, 20]);
        for second in &rows[1..4] {
            assert!((second.answers_per_s.unwrap() - 12.0).abs() < 2.1, "{second:?}");
        }
        assert!(rows.iter().filter(|second| second.driven < 0.33).all(|second| second.answers_per_s.is_none()));
    }

    #[test]
    fn a_stall_is_driven_and_a_pause_in_the_warm_up_is_not() {
        let mut timeline = Timeline::default();
        for (end, latency, phase) in
            [(900, 800, Phase::Warmup), (6000, 900, Phase::Warmup), (9000, 2900, Phase::Measure)]
        {
            let mut sample = ended(end, latency, Outcome::Ok);
            sample.phase = phase;
            timeline.push(&sample, false);
        }
        let rows = timeline.finish(0);
        let told: Vec<Option<u64>> = rows.iter().map(|row| row.answers_per_s.map(|rate| rate.round() as u64)).collect();
        assert_eq!(told, [Some(1), None, None, None, None, Some(0), Some(1), Some(0), Some(0), None]);
    }

    #[test]
    fn only_a_few_seconds_are_open() {
        let mut timeline = Timeline::default();
        for i in 1..2000 {
            timeline.push(&ended(i * 100, 20, Outcome::Ok), false);
            assert!(timeline.open.len() as u64 <= OPEN_SECONDS);
        }
        // After a long silence, too.
        timeline.push(&ended(500_000, 20, Outcome::Ok), false);
        assert_eq!(timeline.open.len(), 1);
        let rows = timeline.finish(0);
        assert_eq!(rows.len(), 501);
        assert!(rows.iter().filter(|r| r.ok > 0).all(|r| r.latency_p50_us == Some(20_000.0)));
    }
}
