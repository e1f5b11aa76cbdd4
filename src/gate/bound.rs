//! A figure and the bound that it is held to, and what its interval then says.

use super::certainty::Certainty;
use super::{GateOutcome, Measure};
use crate::scenario::gate::{Gate, Relation};

/// What is judged, and the bound it is held to.
pub(super) struct BoundedValue {
    pub measure: Measure,
    pub value: Option<f64>,
    pub other: Option<f64>,
    pub point: f64,
    pub sure: Certainty,
    pub bound: f64,
    /// Between what the bound lies, where a measured value is in it.
    pub bounds: (f64, f64),
    pub unscaled: Option<f64>,
    /// What it rests on, where that isn't the run alone.
    pub rests: Option<String>,
    /// Whether it is the run beside the one run of a baseline, of whose scatter nothing is known.
    pub two_runs: bool,
}

/// What becomes of a gate by its figure.
pub(super) fn outcome(gate: &Gate, held: &BoundedValue, strict: bool) -> (GateOutcome, Option<String>) {
    if is_counted_bound(gate, held.bound, held.measure) || strict {
        return side(keeps(gate, held.point, held.bound));
    }
    let ends = match &held.sure {
        Certainty::Exact => (held.point, held.point),
        Certainty::Interval(low, high) => (*low, *high),
        Certainty::Unknown(why) => return (GateOutcome::Inconclusive, Some(why.clone())),
    };
    by_interval(gate, ends, held.bounds, "the bound is inside the interval")
}

/// Whether a value keeps a gate's bound.
pub(super) fn keeps(gate: &Gate, x: f64, bound: f64) -> bool {
    match gate.relation {
        Relation::AtMost => x <= bound,
        Relation::AtLeast => x >= bound,
        Relation::Equal => (x - bound).abs() < 1e-12,
    }
}

/// Whether it is counted whether the bound is kept. Nought is: the interval of a share never lies wholly at it.
pub(super) fn is_counted_bound(gate: &Gate, bound: f64, measure: Measure) -> bool {
    gate.relation == Relation::Equal || bound == 0.0 && measure == Measure::Value
}

pub(super) fn side(pass: bool) -> (GateOutcome, Option<String>) {
    (if pass { GateOutcome::Pass } else { GateOutcome::Fail }, None)
}

/// Passed or failed if the whole of an interval does, wherever between `bounds` the bound lies; else `across` says why not.
pub(super) fn by_interval(
    gate: &Gate,
    (low, high): (f64, f64),
    (one, other): (f64, f64),
    across: &str,
) -> (GateOutcome, Option<String>) {
    let all = [keeps(gate, low, one), keeps(gate, low, other), keeps(gate, high, one), keeps(gate, high, other)];
    if all.iter().all(|kept| *kept == all[0]) {
        return side(all[0]);
    }
    (GateOutcome::Inconclusive, Some(across.to_owned()))
}
