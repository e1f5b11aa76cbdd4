//! A figure held to a baseline of several runs: by where one more run of the same engine would lie.

use super::bound::{BoundedValue, by_interval};
use super::certainty::{Certainty, Value};
use super::{GateOutcome, Measure};
use crate::scenario::gate::{Gate, Kind, Subject};
use crate::stats::{ASSUMED_SCATTER, Figure, Nights, if_runs_scatter, tidy};

/// What a gate rests on whose baseline doesn't know how far runs scatter.
pub(super) const TWO_RUNS: &str = "in these two runs";

/// What becomes of a gate that fails by two runs alone: one run in the baseline doesn't say how far runs scatter, so that it fails
/// only beyond what a usual scatter explains.
pub(super) fn fails_by_two_runs(gate: &Gate, held: &BoundedValue) -> (GateOutcome, Option<String>) {
    let Certainty::Interval(low, high) = held.sure else { return (GateOutcome::Fail, None) };
    if held.measure != Measure::Ratio || held.point <= 0.0 || low <= 0.0 {
        return (GateOutcome::Fail, None);
    }
    let why = format!(
        "one run doesn't show how much runs vary, so {:.0} % is allowed: save the baseline from several runs (`loadcmp \
         baseline save NAME --last 5`)",
        ASSUMED_SCATTER * 100.0
    );
    match by_interval(gate, if_runs_scatter(held.point, (low, high)), held.bounds, "") {
        (GateOutcome::Fail, _) => (GateOutcome::Fail, None),
        _ => (GateOutcome::Inconclusive, Some(why)),
    }
}

/// What is judged by the runs of a baseline; `None` where they don't say how far one run lies from another. `name` is the
/// target's in the baseline.
pub(super) fn by_runs(gate: &Gate, of: &Subject, ours: &Value, name: &str, nights: &Nights) -> Option<BoundedValue> {
    let new = Figure {
        value: ours.value,
        low: ours.sure.ends().map(|ends| ends.0),
        high: ours.sure.ends().map(|ends| ends.1),
        unit: String::new(),
    };
    let differences = gate.subject.metric.kind == Kind::Share && gate.bound.factor == 1.0;
    let told = nights.predict(name, &of.path(), &new, differences)?;
    let (measure, bound) = match differences {
        true => (Measure::Difference, gate.bound.plus),
        false => (Measure::Ratio, tidy(gate.bound.factor + gate.bound.plus / told.level)),
    };
    let own = match nights.runs.len() {
        1 => "the baseline's run".to_owned(),
        runs => format!("{runs} runs of the baseline"),
    };
    let beside = match told.runs.saturating_sub(nights.runs.len()) {
        0 => own,
        others => format!("{own} and {others} other runs of its setup"),
    };
    let scatter = told.scatter_words(differences);
    Some(BoundedValue {
        measure,
        value: Some(ours.value),
        other: Some(told.level),
        point: told.point,
        sure: Certainty::Interval(told.low, told.high),
        bound,
        bounds: (bound, bound),
        unscaled: None,
        rests: Some(format!("98 % interval over {beside}; runs vary by {scatter}")),
        two_runs: false,
    })
}
