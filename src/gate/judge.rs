//! One gate held to one target.

use super::adapt::Adapt;
use super::bound::{BoundedValue, outcome};
use super::certainty::{Certainty, Value, difference, ratio};
use super::figure::{INFINITE, figure};
use super::pair::{self, PairRatio};
use super::{GateInputs, GateOutcome, JudgedGate, Measure, Spoilt};
use crate::scenario::gate::{From, Gate, Kind, Of};
use crate::stats::{TargetSummary, tidy};

/// Judges a gate for a target.
pub(super) fn judge(gate: &Gate, at: Option<usize>, evidence: &GateInputs<'_>, adapt: &Adapt) -> JudgedGate {
    let blank = JudgedGate {
        gate: gate.text.clone(),
        target: at,
        outcome: GateOutcome::NotMeasured,
        value: None,
        unit: String::new(),
        other: None,
        measure: Measure::Value,
        point: None,
        low: None,
        high: None,
        bound: None,
        unscaled: None,
        reason: None,
    };
    let Some((at, target)) = at.and_then(|at| Some((at, evidence.targets.get(at)?))) else {
        let name = gate.subject.target.as_deref().unwrap_or_default();
        return JudgedGate { reason: Some(format!("the run has no target `{name}`")), ..blank };
    };
    let unit = target.row(gate.subject.metric.id).map(|row| row.unit.clone()).unwrap_or_default();
    let blank = JudgedGate { unit, ..blank };
    let held = match measured(gate, at, target, evidence, adapt) {
        Ok(held) => held,
        Err(reason) => return JudgedGate { reason: Some(reason), ..blank },
    };
    let strict = evidence.plan.gates.strict;
    let (outcome, reason) = match outcome(gate, &held, strict) {
        (GateOutcome::Fail, _) if held.two_runs && !strict => super::nights::fails_by_two_runs(gate, &held),
        told => told,
    };
    let rests = held.rests.or_else(|| held.two_runs.then(|| super::nights::TWO_RUNS.to_owned()));
    let reason = match (reason, rests) {
        (Some(reason), Some(rests)) => Some(format!("{reason}; {rests}")),
        (reason, rests) => reason.or(rests),
    };
    let infinite = held.value.is_some_and(f64::is_infinite);
    let reason = reason.or_else(|| infinite.then(|| format!("{} {INFINITE}", gate.subject.path())));
    let finite = |x: f64| Some(x).filter(|x| x.is_finite());
    let (low, high) = held.sure.ends().unzip();
    let judged = JudgedGate {
        outcome,
        value: held.value.and_then(finite),
        other: held.other,
        measure: held.measure,
        point: finite(held.point),
        low: low.and_then(finite),
        high: high.and_then(finite),
        bound: Some(held.bound),
        unscaled: held.unscaled,
        reason,
        ..blank
    };
    unless_spoilt(judged, gate, target, evidence)
}

/// Takes back what became of a gate where it doesn't count.
pub(super) fn unless_spoilt(
    judged: JudgedGate,
    gate: &Gate,
    target: &TargetSummary,
    evidence: &GateInputs<'_>,
) -> JudgedGate {
    let not = |outcome: GateOutcome, why: &str| JudgedGate { outcome, reason: Some(why.to_owned()), ..judged.clone() };
    let two_sided = matches!(&gate.bound.from, From::Target(of) if of.target.as_deref() != Some(target.name.as_str()));
    match evidence.spoilt {
        Spoilt::Run(why) if judged.outcome != GateOutcome::Fail || two_sided || !is_counted(gate) => {
            return not(GateOutcome::NotMeasured, why);
        }
        Spoilt::Comparison(why) if two_sided => return not(GateOutcome::NotMeasured, why),
        _ => {}
    }
    let mut sides = std::iter::once((target, "")).chain(other_side(gate, target, evidence));
    if let Some((side, whose)) =
        sides.clone().find(|(side, _)| side.stand_in).filter(|_| !evidence.plan.gates.stand_ins)
    {
        let would = match judged.outcome {
            GateOutcome::Pass => "would have passed",
            GateOutcome::Fail => "would have failed",
            GateOutcome::Inconclusive | GateOutcome::NotMeasured => "would not have been decided",
        };
        let reason = format!("{}{whose} is a stand-in, not a real engine: it {would}", side.name);
        return JudgedGate { outcome: GateOutcome::NotMeasured, reason: Some(reason), ..judged };
    }
    let metric = gate.subject.metric;
    if let Spoilt::Undecided(why) = evidence.spoilt
        && two_sided
        && judged.outcome != GateOutcome::Inconclusive
        && metric.of != Of::Content
    {
        return not(GateOutcome::Inconclusive, why);
    }
    // Times of the answered ones are no evidence then: failing the slow ones would pass.
    let failed = sides.find_map(|(side, whose)| Some((side, whose, side.too_many_failed()?)));
    match failed.filter(|_| metric.of != Of::Run && judged.outcome == GateOutcome::Pass) {
        Some((side, whose, share)) => {
            let reason = format!(
                "{:.1} % of the requests to {}{whose} failed: the answered ones alone can't pass a gate",
                share * 100.0,
                side.name
            );
            JudgedGate { outcome: GateOutcome::Inconclusive, reason: Some(reason), ..judged }
        }
        None => judged,
    }
}

/// What a gate holds its target to, if that was measured: a target of the run, or of the baseline; and how that is told.
fn other_side<'a>(
    gate: &Gate,
    target: &TargetSummary,
    evidence: &GateInputs<'a>,
) -> Option<(&'a TargetSummary, &'static str)> {
    match &gate.bound.from {
        From::Constant => None,
        From::Target(of) => {
            let other = evidence.targets.iter().find(|other| Some(other.name.as_str()) == of.target.as_deref());
            Some((other?, ""))
        }
        From::Baseline(of) => {
            let targets = evidence.past.ok()?.targets;
            let at = past_target(of.target.as_deref().unwrap_or(&target.name), evidence)?;
            Some((targets.get(at)?, " of the baseline"))
        }
    }
}

/// Position of a target in the baseline, by its name; of a lone one beside the run's lone one, whatever their names.
fn past_target(name: &str, evidence: &GateInputs<'_>) -> Option<usize> {
    let targets = evidence.past.ok()?.targets;
    let lone = (targets.len() == 1 && evidence.targets.len() == 1).then_some(0);
    targets.iter().position(|target| target.name == name).or(lone)
}

/// Whether a gate is about what became of requests: a failure that was counted stays one, whatever spoilt the run's times.
fn is_counted(gate: &Gate) -> bool {
    let name = gate.subject.metric.id;
    matches!(gate.bound.from, From::Constant) && (name == "error_rate" || name.starts_with("outcome_"))
}

fn measured(
    gate: &Gate,
    at: usize,
    target: &TargetSummary,
    evidence: &GateInputs<'_>,
    adapt: &Adapt,
) -> Result<BoundedValue, String> {
    let subject = &gate.subject;
    match &gate.bound.from {
        From::Constant => {
            let Value { value, sure } = figure(subject, target, at, evidence.histograms)?;
            let factor = adapt.factor(subject.metric);
            let bound = tidy(gate.bound.plus * factor.unwrap_or(1.0));
            Ok(BoundedValue {
                measure: Measure::Value,
                value: Some(value),
                other: None,
                point: value,
                sure,
                bound,
                bounds: (bound, bound),
                unscaled: factor.map(|_| gate.bound.plus),
                rests: None,
                two_runs: false,
            })
        }
        From::Target(of) => {
            let name = of.target.as_deref().unwrap_or_default();
            let other = evidence.targets.iter().position(|target| target.name == name);
            let other = other.ok_or_else(|| format!("the run has no target `{name}`"))?;
            let theirs = figure(of, &evidence.targets[other], other, evidence.histograms)
                .map_err(|reason| format!("{reason}, on {name}"))?;
            let ours = figure(subject, target, at, evidence.histograms)?;
            // Two figures of one target are compared by nobody but here.
            beside(gate, ours, theirs, || {
                (at != other).then(|| pair::of_targets(evidence, at, other, &subject.path())).flatten()
            })
        }
        From::Baseline(of) => {
            let past = evidence.past?;
            let name = of.target.as_deref().unwrap_or(&target.name);
            let other = past_target(name, evidence).ok_or_else(|| format!("the baseline has no target `{name}`"))?;
            let theirs = figure(of, &past.targets[other], other, past.histograms)
                .map_err(|reason| format!("{reason}, in the baseline"))?;
            let ours = figure(subject, target, at, evidence.histograms)?;
            if let Some(told) = super::nights::by_runs(gate, of, &ours, &past.targets[other].name, past.nights) {
                return Ok(told);
            }
            let told = || pair::of_runs(evidence, target, &past.targets[other], &subject.path());
            Ok(BoundedValue { two_runs: true, ..beside(gate, ours, theirs, told)? })
        }
    }
}

/// The ratio, or of shares the difference, of a figure to what it is held to. What a comparison tells, it tells with its own
/// two values: figures, ratio and interval belong together.
fn beside(
    gate: &Gate,
    ours: Value,
    theirs: Value,
    told: impl FnOnce() -> Option<PairRatio>,
) -> Result<BoundedValue, String> {
    let bound = &gate.bound;
    if gate.subject.metric.kind == Kind::Share && bound.factor == 1.0 {
        return Ok(BoundedValue {
            measure: Measure::Difference,
            value: Some(ours.value),
            other: Some(theirs.value),
            point: ours.value - theirs.value,
            sure: difference(&ours, &theirs),
            bound: bound.plus,
            bounds: (bound.plus, bound.plus),
            unscaled: None,
            rests: None,
            two_runs: false,
        });
    }
    if theirs.value <= 0.0 || theirs.value.is_infinite() {
        return Err(format!("the value it is compared with is {}: no ratio is possible", theirs.value));
    }
    let (values, point, sure) = match told() {
        Some(PairRatio { value, other, ratio, ends }) => {
            let sure = ends.map_or_else(Certainty::Unknown, |(low, high)| Certainty::Interval(low, high));
            ((value, other), ratio, sure)
        }
        None => ((ours.value, theirs.value), ours.value / theirs.value, ratio(&ours, &theirs)),
    };
    let at = |other: f64| if bound.plus == 0.0 { bound.factor } else { bound.factor + bound.plus / other };
    // What is added to a measured value is so much of it, and no surer than it.
    let (sure, bounds) = match theirs.between() {
        _ if bound.plus == 0.0 => (sure, (bound.factor, bound.factor)),
        Ok((low, high)) if low > 0.0 => (sure, (tidy(at(low)), tidy(at(high)))),
        Ok(_) => {
            (Certainty::Unknown("the value it is compared with may be 0".to_owned()), (at(values.1), at(values.1)))
        }
        Err(why) => (Certainty::Unknown(why.to_owned()), (at(values.1), at(values.1))),
    };
    Ok(BoundedValue {
        measure: Measure::Ratio,
        value: Some(values.0),
        other: Some(values.1),
        point,
        sure,
        bound: tidy(at(values.1)),
        bounds,
        unscaled: None,
        rests: None,
        two_runs: false,
    })
}
