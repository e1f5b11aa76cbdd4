//! What comparisons tell of two figures.

use super::GateInputs;
use crate::stats::{Comparison, TargetSummary, compare_summaries};

/// Two values, their ratio with its interval, or why there is none.
pub(super) struct PairRatio {
    pub value: f64,
    pub other: f64,
    pub ratio: f64,
    pub ends: Result<(f64, f64), String>,
}

impl PairRatio {
    fn of(c: &Comparison) -> Option<Self> {
        let reason = || c.reason.clone().unwrap_or_else(|| "there is no interval".to_owned());
        let (value, other) = c.target_value.zip(c.reference_value)?;
        Some(Self { value, other, ratio: c.ratio?, ends: c.low.zip(c.high).ok_or_else(reason) })
    }

    /// The other over the one.
    fn inverted(self) -> Self {
        let (value, other) = (self.other, self.value);
        Self { value, other, ratio: 1.0 / self.ratio, ends: self.ends.map(|(low, high)| (1.0 / high, 1.0 / low)) }
    }
}

/// What the run's comparisons say of two of its targets in a metric; `None` if none is made of it.
pub(super) fn of_targets(evidence: &GateInputs<'_>, a: usize, b: usize, path: &str) -> Option<PairRatio> {
    let find = |target: usize, reference: usize| {
        let mut all = evidence.comparisons.iter();
        all.find(|c| (c.target, c.reference) == (target, reference) && c.metric == path)
    };
    if let Some(told) = find(a, b) {
        return PairRatio::of(told);
    }
    if let Some(told) = find(b, a) {
        return PairRatio::of(told).map(PairRatio::inverted);
    }
    of_runs(evidence, evidence.targets.get(a)?, evidence.targets.get(b)?, path)
}

/// The same of two summaries, whose units aren't paired.
pub(super) fn of_runs(
    evidence: &GateInputs<'_>,
    target: &TargetSummary,
    other: &TargetSummary,
    path: &str,
) -> Option<PairRatio> {
    let compared = compare_summaries(target, other, &evidence.settings());
    PairRatio::of(compared.iter().find(|c| c.metric == path)?)
}
