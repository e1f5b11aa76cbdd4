//! Goodput: the answers that kept every limit of the scenario's `slo` on a single request.

use super::effective::EffectiveRows;
use super::interval::Z;
use super::{Row, wilson_at};
use crate::metrics;
use crate::record::{Nanos, Outcome, Sample};
use crate::scenario::{Limit, Measure, Slo};

/// A measure's value of an answered request, in the limit's own unit; `None` if it has none. Times to the first token and to
/// the end are from the planned instant, or `from_sent`.
pub fn measured(measure: Measure, sample: &Sample, from_sent: bool) -> Option<f64> {
    let stamps = &sample.stamps;
    let begin = if from_sent { stamps.sent? } else { stamps.planned };
    match measure {
        Measure::Ttft => Some(stamps.first_token?.since(begin).micros()),
        Measure::Latency => Some(stamps.end?.since(begin).micros()),
        Measure::Itl => sample.itl().map(|ns| ns / 1e3),
        Measure::Tpot => sample.tpot().map(|ns| ns / 1e3),
        Measure::GapMax => sample.itl_max.map(Nanos::micros),
        Measure::TokensPerS => sample.tokens_per_s(),
        Measure::Errors | Measure::Goodput => None,
    }
}

/// What is sure of a request that was not waited for, as a limit sees it: its time to the first token if that had come; else
/// infinity where a time has passed its limit already. `None` where nothing is sure.
pub fn so_far(limit: &Limit, sample: &Sample, from_sent: bool) -> Option<f64> {
    let passed = || {
        let elapsed = measured(Measure::Latency, sample, from_sent);
        elapsed.filter(|us| limit.broken_by(*us)).map(|_| f64::INFINITY)
    };
    match limit.measure {
        Measure::Ttft => measured(Measure::Ttft, sample, from_sent).or_else(passed),
        Measure::Latency => passed(),
        _ => None,
    }
}

/// Whether an answered request kept a limit: what it has no value of (a gap, where there was one token) it can't break.
pub fn kept(limit: &Limit, sample: &Sample, from_sent: bool) -> bool {
    measured(limit.measure, sample, from_sent).is_none_or(|value| !limit.broken_by(value))
}

/// What of a target's requests was good.
#[derive(Clone, Debug)]
pub(super) struct Good {
    /// The limits on single requests, each with whether any answer had a value for it.
    limits: Vec<(Limit, bool)>,
    from_sent: bool,
    requests: u64,
    answered: u64,
    good: u64,
    batches: EffectiveRows,
}

impl Good {
    /// By these limits; `None` if none of them is on a single request. In an open loop requests wait from the planned
    /// instant, in a closed one from when they were sent.
    pub fn by(slo: &Slo, open_loop: bool) -> Option<Self> {
        let limits: Vec<_> = slo.of_each().map(|limit| (limit.clone(), false)).collect();
        (!limits.is_empty()).then(|| Self {
            limits,
            from_sent: !open_loop,
            requests: 0,
            answered: 0,
            good: 0,
            batches: EffectiveRows::default(),
        })
    }

    /// Takes a measured request; whether it was good. What a request has no value of (a gap, where there was one token) it
    /// can't break; what no answer has a value of was not measured, and then neither was goodput.
    pub fn push(&mut self, sample: &Sample) -> bool {
        if sample.outcome == Outcome::Unfinished {
            let broken =
                |limit: &Limit| so_far(limit, sample, self.from_sent).is_some_and(|value| limit.broken_by(value));
            // What would have become of it isn't known, but for a limit that it had broken by then.
            if !self.limits.iter().any(|(limit, _)| broken(limit)) {
                return false;
            }
        }
        let answered = sample.outcome.answered();
        let mut good = answered;
        for (limit, seen) in self.limits.iter_mut().filter(|_| answered) {
            let value = measured(limit.measure, sample, self.from_sent);
            *seen |= value.is_some();
            good &= value.is_none_or(|value| !limit.broken_by(value));
        }
        self.requests += 1;
        self.answered += u64::from(answered);
        self.good += u64::from(good);
        self.batches.push(f64::from(u8::from(good)));
        good
    }

    /// Whether a request kept every limit; of one that isn't counted.
    pub fn kept(&self, sample: &Sample) -> bool {
        sample.outcome.answered() && self.limits.iter().all(|(limit, _)| kept(limit, sample, self.from_sent))
    }

    /// What follows was driven apart from what came before.
    pub fn cut(&mut self) {
        self.batches.cut();
    }

    /// Whether every limit was measured. Where nothing was answered, nothing was good: that is known.
    pub fn known(&self) -> bool {
        self.answered == 0 || self.limits.iter().all(|(_, seen)| *seen)
    }

    /// The share of all measured requests; its interval is Wilson's at the number of requests that they are worth.
    pub fn share(&self) -> Option<Row> {
        let share = (self.requests > 0 && self.known()).then(|| self.good as f64 / self.requests as f64)?;
        let effective = self.batches.effective().unwrap_or(self.requests as f64);
        let ends = wilson_at(Z, share, effective);
        Some(Row {
            n_eff: Some(effective),
            low: ends.map(|ends| ends.0),
            high: ends.map(|ends| ends.1),
            ..Row::total(&metrics::GOODPUT_SHARE, self.requests, Some(share))
        })
    }
}
