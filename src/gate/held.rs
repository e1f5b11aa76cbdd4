//! One gate held to one target.

use super::adapt::Adapt;
use super::pair::{difference, ratio};
use super::{Evidence, Judged, Measure, Outcome, Spoilt};
use crate::scenario::gate::{Figure, From, Gate, Kind, Relation, Subject};
use crate::stats::{Packed, Row, TargetSummary, quantile_interval, tidy};

/// Share of failed requests above which times of the answered ones are no evidence: failing the slow ones would pass.
const MOST_FAILED: f64 = 0.01;

/// A figure, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    pub value: f64,
    /// Its 95 % interval. `Ok(None)` for one that was counted, or read once: it is what it is.
    pub ends: Option<(f64, f64)>,
}

/// What is judged, and the bound it is held to.
pub(super) struct Held {
    pub measure: Measure,
    pub value: Option<f64>,
    pub other: Option<f64>,
    pub point: f64,
    /// Its interval; an error says why a thing that is estimated has none.
    pub ends: Result<Option<(f64, f64)>, String>,
    pub bound: f64,
    pub unscaled: Option<f64>,
    /// What it rests on, where that isn't the run alone.
    pub rests: Option<String>,
}

/// Judges a gate for a target.
pub(super) fn hold(gate: &Gate, at: Option<usize>, evidence: &Evidence<'_>, adapt: &Adapt) -> Judged {
    let blank = Judged {
        gate: gate.text.clone(),
        target: at,
        outcome: Outcome::NotMeasured,
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
        return Judged { reason: Some(format!("the run has no target `{name}`")), ..blank };
    };
    let unit = target.row(gate.subject.metric.name).map(|row| row.unit.clone()).unwrap_or_default();
    let blank = Judged { unit, ..blank };
    let held = match weigh(gate, at, target, evidence, adapt) {
        Ok(held) => held,
        Err(reason) => return Judged { reason: Some(reason), ..blank },
    };
    let (outcome, reason) = outcome(gate, &held, evidence.plan.gates.strict);
    let reason = match (reason, held.rests) {
        (Some(reason), Some(rests)) => Some(format!("{reason}; {rests}")),
        (reason, rests) => reason.or(rests),
    };
    let ends = held.ends.ok().flatten();
    let judged = Judged {
        outcome,
        value: held.value,
        other: held.other,
        measure: held.measure,
        point: Some(held.point),
        low: ends.map(|ends| ends.0),
        high: ends.map(|ends| ends.1),
        bound: Some(held.bound),
        unscaled: held.unscaled,
        reason,
        ..blank
    };
    counted(judged, gate, target, evidence)
}

/// What is in the answers, whatever else the machine did meanwhile.
const OF_ANSWERS: [&str; 7] =
    ["prompt_tokens", "output_tokens", "dimensions", "cosine", "accuracy", "macro_f1", "agreement"];

/// Takes back what became of a gate where it doesn't count.
pub(super) fn counted(judged: Judged, gate: &Gate, target: &TargetSummary, evidence: &Evidence<'_>) -> Judged {
    let not = |outcome: Outcome, why: &str| Judged { outcome, reason: Some(why.to_owned()), ..judged.clone() };
    let two_sided = matches!(&gate.bound.from, From::Target(of) if of.target.as_deref() != Some(target.name.as_str()));
    match evidence.spoilt {
        Spoilt::Run(why) if judged.outcome != Outcome::Fail || two_sided || !is_counted(gate) => {
            return not(Outcome::NotMeasured, why);
        }
        Spoilt::Comparison(why) if two_sided => return not(Outcome::NotMeasured, why),
        _ => {}
    }
    let other = match &gate.bound.from {
        From::Target(of) => evidence.targets.iter().find(|other| Some(other.name.as_str()) == of.target.as_deref()),
        From::Constant | From::Baseline(_) => None,
    };
    let mut sides = std::iter::once(target).chain(other);
    if let Some(side) = sides.clone().find(|side| side.stand_in).filter(|_| !evidence.plan.gates.stand_ins) {
        let would = match judged.outcome {
            Outcome::Pass => "would have passed",
            Outcome::Fail => "would have failed",
            Outcome::Inconclusive | Outcome::NotMeasured => "would not have been decided",
        };
        let reason = format!("{} is a stand-in, no real engine: it {would}", side.name);
        return Judged { outcome: Outcome::NotMeasured, reason: Some(reason), ..judged };
    }
    let metric = gate.subject.metric;
    if let Spoilt::Undecided(why) = evidence.spoilt
        && two_sided
        && judged.outcome != Outcome::Inconclusive
        && !OF_ANSWERS.contains(&metric.name)
    {
        return not(Outcome::Inconclusive, why);
    }
    let of_answers = metric.spread
        && matches!(metric.kind, Kind::Time | Kind::PerSecond)
        && !metric.name.ends_with("_or_failed")
        && !metric.name.starts_with("cold_");
    let failed = sides.find_map(|side| Some((side, side.value("error_rate").filter(|share| *share > MOST_FAILED)?)));
    match failed.filter(|_| of_answers && judged.outcome == Outcome::Pass) {
        Some((side, share)) => {
            let reason = format!(
                "{:.1} % of the requests to {} failed: times of the answered ones alone pass nothing",
                share * 100.0,
                side.name
            );
            Judged { outcome: Outcome::Inconclusive, reason: Some(reason), ..judged }
        }
        None => judged,
    }
}

/// Whether a gate is about what became of requests: a failure that was counted stays one, whatever spoilt the run's times.
fn is_counted(gate: &Gate) -> bool {
    let name = gate.subject.metric.name;
    matches!(gate.bound.from, From::Constant) && (name == "error_rate" || name.starts_with("outcome_"))
}

fn weigh(
    gate: &Gate,
    at: usize,
    target: &TargetSummary,
    evidence: &Evidence<'_>,
    adapt: &Adapt,
) -> Result<Held, String> {
    let subject = &gate.subject;
    match &gate.bound.from {
        From::Constant => {
            let value = figure(subject, target, at, evidence.histograms)?;
            let factor = adapt.factor(subject.metric);
            let bound = tidy(gate.bound.plus * factor.unwrap_or(1.0));
            Ok(Held {
                measure: Measure::Value,
                value: Some(value.value),
                other: None,
                point: value.value,
                ends: settled(subject, target, value),
                bound,
                unscaled: factor.map(|_| gate.bound.plus),
                rests: None,
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
            beside(gate, (target, ours), (&evidence.targets[other], theirs), || {
                (at != other).then(|| super::pair::of_targets(evidence, at, other, &subject.path())).flatten()
            })
        }
        From::Baseline(of) => {
            let past = evidence.past?;
            let name = of.target.as_deref().unwrap_or(&target.name);
            let other = past.targets.iter().position(|target| target.name == name);
            let lone = (past.targets.len() == 1 && evidence.targets.len() == 1).then_some(0);
            let other = other.or(lone).ok_or_else(|| format!("the baseline has no target `{name}`"))?;
            let theirs = figure(of, &past.targets[other], other, past.histograms)
                .map_err(|reason| format!("{reason}, in the baseline"))?;
            let ours = figure(subject, target, at, evidence.histograms)?;
            if let Some(told) = super::nights::hold(gate, of, ours, &past.targets[other].name, past.nights) {
                return Ok(told);
            }
            let held = beside(gate, (target, ours), (&past.targets[other], theirs), || {
                super::pair::of_runs(evidence, target, &past.targets[other], &subject.path())
            })?;
            Ok(Held { rests: Some(super::nights::TWO_RUNS.to_owned()), ..held })
        }
    }
}

/// The ratio, or of shares the difference, of a figure to what it is held to.
fn beside(
    gate: &Gate,
    (target, ours): (&TargetSummary, Value),
    (other, theirs): (&TargetSummary, Value),
    told: impl FnOnce() -> Option<super::pair::Told>,
) -> Result<Held, String> {
    let bound = &gate.bound;
    let (value, against) = (Some(ours.value), Some(theirs.value));
    if gate.subject.metric.kind == Kind::Share && bound.factor == 1.0 {
        let ends = difference(ours, theirs).map(Some).ok_or_else(|| "it has no interval".to_owned());
        let point = ours.value - theirs.value;
        let measure = Measure::Difference;
        return Ok(Held {
            measure,
            value,
            other: against,
            point,
            ends,
            bound: bound.plus,
            unscaled: None,
            rests: None,
        });
    }
    if theirs.value <= 0.0 {
        return Err(format!("what it is held to is {}: nothing can be told against that", theirs.value));
    }
    let (point, ends) = match told() {
        Some(told) => (told.ratio, told.ends.map(Some)),
        None => {
            let exact = ours.ends.is_none() && theirs.ends.is_none();
            let sure = settled(&gate.subject, target, ours).and(settled(&gate.subject, other, theirs));
            let ends = if exact { sure } else { sure.map(|_| ratio(ours, theirs)) };
            (ours.value / theirs.value, ends)
        }
    };
    let bound = tidy(bound.factor + bound.plus / theirs.value);
    Ok(Held { measure: Measure::Ratio, value, other: against, point, ends, bound, unscaled: None, rests: None })
}

/// The interval of a figure, or why it has none though it is an estimate.
fn settled(subject: &Subject, target: &TargetSummary, value: Value) -> Result<Option<(f64, f64)>, String> {
    let estimated = match subject.figure {
        Figure::Min | Figure::Max => false,
        Figure::Quantile(_) => true,
        Figure::Mean => subject.metric.spread || subject.metric.kind == Kind::PerSecond,
    };
    if value.ends.is_some() || !estimated {
        return Ok(value.ends);
    }
    let row = target.row(subject.metric.name);
    let needs = row.and_then(|row| row.needs.iter().find(|needs| needs.figure == subject.figure.word()));
    let n = row.and_then(|row| row.n).unwrap_or(0);
    Err(match needs {
        Some(needs) => format!("{n} requests carry no interval of it; about {} would", needs.rows),
        None if subject.metric.spread => format!("{n} requests carry no interval of it"),
        None => "the measured window is too short for an interval of it".to_owned(),
    })
}

fn outcome(gate: &Gate, held: &Held, strict: bool) -> (Outcome, Option<String>) {
    let (point, bound) = (held.point, held.bound);
    let side = |pass: bool| if pass { (Outcome::Pass, None) } else { (Outcome::Fail, None) };
    let keeps = |x: f64| match gate.relation {
        Relation::AtMost => x <= bound,
        Relation::AtLeast => x >= bound,
        Relation::Equal => (x - bound).abs() < 1e-12,
    };
    // Nought is counted: the interval of a share never lies wholly at it.
    let counted = gate.relation == Relation::Equal || bound == 0.0 && held.measure == Measure::Value;
    if counted || strict {
        return side(keeps(point));
    }
    match &held.ends {
        Ok(None) => side(keeps(point)),
        Ok(Some((low, high))) => match (keeps(*low), keeps(*high)) {
            (true, true) => side(true),
            (false, false) => side(false),
            _ => (Outcome::Inconclusive, Some("the bound lies in the interval".to_owned())),
        },
        Err(why) => (Outcome::Inconclusive, Some(why.clone())),
    }
}

/// A figure of a target, with its interval; an error says that it wasn't measured.
fn figure(subject: &Subject, target: &TargetSummary, at: usize, packed: &[Packed]) -> Result<Value, String> {
    let name = subject.metric.name;
    let row = target.row(name).ok_or_else(|| format!("{name} was not measured"))?;
    let value = match subject.figure {
        Figure::Mean => row.mean.map(|value| Value { value, ends: row.low.zip(row.high) }),
        Figure::Min => row.min.map(|value| Value { value, ends: None }),
        Figure::Max => row.max.map(|value| Value { value, ends: None }),
        Figure::Quantile(q) => quantile(q, row, packed.iter().find(|p| p.target == at && p.metric == name)),
    };
    value.ok_or_else(|| match (row.n, row.infinite_from) {
        (Some(_), Some(_)) => format!("{} is infinite: too many requests failed", subject.path()),
        (Some(n), _) => format!("{n} requests carry no {}", subject.path()),
        _ => format!("{} was not measured", subject.path()),
    })
}

/// A percentile: as the row has it, or read from the distribution.
fn quantile(q: f64, row: &Row, packed: Option<&Packed>) -> Option<Value> {
    let word = Figure::Quantile(q).word();
    let ends = match word.as_str() {
        "p50" => row.p50_low.zip(row.p50_high),
        "p95" => row.p95_low.zip(row.p95_high),
        "p99" => row.p99_low.zip(row.p99_high),
        _ => packed.zip(row.n_eff).and_then(|(packed, effective)| {
            let (low, high) = quantile_interval(q, effective)?;
            match packed.values_at(&[low, high])[..] {
                [low, high] => Some((low, high)),
                _ => None,
            }
        }),
    };
    if let Some(value) = row.figure(&word) {
        return Some(Value { value, ends });
    }
    // Written by no row: read where there are the requests for it (one beyond on average).
    let least = 1.0 / (1.0 - q).min(q);
    let enough = row.n.is_some_and(|n| n as f64 >= least) && !["p50", "p90", "p95", "p99", "p999"].contains(&&*word);
    let value = packed.filter(|_| enough)?.values_at(&[q]).first().copied()?;
    Some(Value { value, ends })
}
