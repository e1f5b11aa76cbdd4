//! Two figures beside each other: the ratio that a comparison tells, or one made of two intervals.

use super::Evidence;
use super::held::Value;
use crate::stats::{Comparison, Estimate, TargetSummary, compare_summaries, newcombe};

/// A ratio with its interval, or why there is none.
pub(super) struct Told {
    pub ratio: f64,
    pub ends: Result<(f64, f64), String>,
}

impl Told {
    fn of(c: &Comparison) -> Option<Self> {
        let reason = || c.reason.clone().unwrap_or_else(|| "there is no interval".to_owned());
        Some(Self { ratio: c.ratio?, ends: c.low.zip(c.high).ok_or_else(reason) })
    }

    /// The other over the one.
    fn inverted(self) -> Self {
        Self { ratio: 1.0 / self.ratio, ends: self.ends.map(|(low, high)| (1.0 / high, 1.0 / low)) }
    }
}

/// What the run's comparisons say of two of its targets in a metric; `None` if none is made of it.
pub(super) fn of_targets(evidence: &Evidence<'_>, a: usize, b: usize, path: &str) -> Option<Told> {
    let find = |target: usize, reference: usize| {
        let mut all = evidence.comparisons.iter();
        all.find(|c| (c.target, c.reference) == (target, reference) && c.metric == path)
    };
    if let Some(told) = find(a, b) {
        return Told::of(told);
    }
    if let Some(told) = find(b, a) {
        return Told::of(told).map(Told::inverted);
    }
    of_runs(evidence, evidence.targets.get(a)?, evidence.targets.get(b)?, path)
}

/// The same of two summaries, whose units aren't paired.
pub(super) fn of_runs(
    evidence: &Evidence<'_>,
    target: &TargetSummary,
    other: &TargetSummary,
    path: &str,
) -> Option<Told> {
    let compared = compare_summaries(target, other, &evidence.settings());
    Told::of(compared.iter().find(|c| c.metric == path)?)
}

/// Interval of the ratio of two figures with intervals of their own, on the logarithmic scale, by the method of variance
/// estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008, p. 1693). It takes them for independent; figures of
/// one run that rise and fall together make it too wide, which errs on the safe side. A figure without an interval is taken as
/// it is.
pub(super) fn ratio(a: Value, b: Value) -> Option<(f64, f64)> {
    let ends = |x: Value| x.ends.unwrap_or((x.value, x.value));
    let ((low_a, high_a), (low_b, high_b)) = (ends(a), ends(b));
    if [a.value, b.value, low_a, low_b].iter().any(|x| *x <= 0.0) {
        return None;
    }
    let (la, lb) = (a.value.ln(), b.value.ln());
    let below = ((la - low_a.ln()).powi(2) + (high_b.ln() - lb).powi(2)).sqrt();
    let above = ((high_a.ln() - la).powi(2) + (lb - low_b.ln()).powi(2)).sqrt();
    Some(((la - lb - below).exp(), (la - lb + above).exp()))
}

/// Interval of the difference of two shares.
pub(super) fn difference(a: Value, b: Value) -> Option<(f64, f64)> {
    let estimate = |x: Value| x.ends.map(|(low, high)| Estimate { value: x.value, low, high, n: 0 });
    Some(newcombe(estimate(a)?, estimate(b)?))
}
