//! One gate over several runs of the same plan: what each run's judgement held to the bound is one value, and Student's t
//! interval over the runs is held to the bound in the place of any run's own.

use super::bound::{by_interval, is_counted_bound, keeps, side};
use super::judge::unless_spoilt;
use super::{GateInputs, GateOutcome, JudgedGate, Measure};
use crate::scenario::gate::{From, Gate, Kind};
use crate::stats::{LEAST_RUNS, geometric_mean, over_runs, tidy};

/// A gate as one run judged it, and what that run takes back of each outcome, whatever the others say: of a stand-in, of times
/// of the few that didn't fail.
#[derive(Clone, Debug)]
pub struct OfRun {
    judged: JudgedGate,
    taken_back: Vec<(GateOutcome, GateOutcome, String)>,
}

impl OfRun {
    /// The gates that a run judged, in the order in which it did.
    pub fn all(judged: &[JudgedGate], evidence: &GateInputs<'_>) -> Vec<Self> {
        judged.iter().map(|judged| Self::new(judged, evidence)).collect()
    }

    fn new(judged: &JudgedGate, evidence: &GateInputs<'_>) -> Self {
        let target = judged.target.and_then(|at| evidence.targets.get(at));
        let taken_back = Gate::parse(&judged.gate).ok().zip(target).map(|(gate, target)| {
            let outcomes = [GateOutcome::Pass, GateOutcome::Fail, GateOutcome::Inconclusive];
            let what_counts = |outcome| {
                let told =
                    unless_spoilt(JudgedGate { outcome, reason: None, ..judged.clone() }, &gate, target, evidence);
                (told.outcome != outcome).then(|| (outcome, told.outcome, told.reason.unwrap_or_default()))
            };
            outcomes.into_iter().filter_map(what_counts).collect()
        });
        Self { judged: judged.clone(), taken_back: taken_back.unwrap_or_default() }
    }

    /// The gate as it was written.
    pub fn gate(&self) -> &str {
        &self.judged.gate
    }

    /// What was held to the bound: of a ratio the quotient of the two figures that are told.
    fn point(&self) -> Option<f64> {
        let JudgedGate { measure, value, other, point, .. } = &self.judged;
        let quotient = value.zip(*other).filter(|_| *measure == Measure::Ratio).map(|(a, b)| a / b);
        point.and(quotient.filter(|x| x.is_finite()).or(*point))
    }

    /// Position of the target among the run's.
    pub fn target(&self) -> Option<usize> {
        self.judged.target
    }
}

/// Judges a gate of one target by several runs, of which there is one at least; `strict`: by the figures, not their interval.
pub fn judge_runs(runs: &[&OfRun], strict: bool) -> Option<JudgedGate> {
    let first = &runs.first()?.judged;
    let of_all = JudgedGate {
        outcome: GateOutcome::NotMeasured,
        value: mean(runs.iter().map(|run| run.judged.value)),
        other: mean(runs.iter().map(|run| run.judged.other)),
        point: None,
        low: None,
        high: None,
        bound: None,
        unscaled: first.unscaled,
        reason: None,
        ..first.clone()
    };
    let Ok(gate) = Gate::parse(&first.gate) else { return Some(of_all) };
    let points: Option<Vec<(f64, f64)>> = runs.iter().map(|run| run.point().zip(run.judged.bound)).collect();
    let Some(points) = points else {
        let lacks: Vec<&OfRun> = runs.iter().copied().filter(|run| run.judged.point.is_none()).collect();
        let why = lacks.first().and_then(|run| run.judged.reason.clone()).unwrap_or_else(|| "not measured".to_owned());
        let reason =
            if lacks.len() == runs.len() { why } else { format!("{why} (in {} of {} runs)", lacks.len(), runs.len()) };
        return Some(JudgedGate { reason: Some(reason), ..of_all });
    };
    let ValueOfRuns { point, ends, bound } = told(&gate, runs, &points);
    let each = points.iter().all(|(point, bound)| keeps(&gate, *point, *bound));
    let (outcome, reason) = outcome(&gate, first.measure, point, &ends, bound, (each, strict));
    let ends = ends.ok();
    let judged = JudgedGate {
        outcome,
        point: Some(tidy(point)),
        low: ends.map(|ends| tidy(ends.0)),
        high: ends.map(|ends| tidy(ends.1)),
        bound: Some(tidy(bound)),
        reason,
        ..of_all
    };
    let taken = runs.iter().flat_map(|run| &run.taken_back).filter(|(of, ..)| *of == outcome);
    // What isn't measured comes before what isn't decided.
    Some(match taken.max_by_key(|(_, to, _)| to.gravity()) {
        Some((_, to, why)) => JudgedGate { outcome: *to, reason: Some(why.clone()), ..judged },
        None => judged,
    })
}

/// What is held to the bound.
struct ValueOfRuns {
    point: f64,
    /// The interval, or why there is none.
    ends: Result<(f64, f64), String>,
    bound: f64,
}

/// One value a run, on a logarithmic scale where it is a time, a rate or a ratio. A bound that each run has of its own (`1 ms
/// more than the other`) is taken off its value, and their mean put on again.
fn told(gate: &Gate, runs: &[&OfRun], points: &[(f64, f64)]) -> ValueOfRuns {
    let measure = runs.first().map_or(Measure::Value, |run| run.judged.measure);
    let kind = gate.subject.metric.kind;
    let scales = match measure {
        Measure::Ratio => true,
        Measure::Value => matches!(kind, Kind::Time | Kind::PerSecond | Kind::Bytes),
        Measure::Difference => false,
    };
    let log = scales && points.iter().all(|(point, bound)| *point > 0.0 && *bound > 0.0);
    let on = |x: f64| if log { x.ln() } else { x };
    let off = |x: f64| if log { x.exp() } else { x };
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    let bounds: Vec<f64> = points.iter().map(|(_, bound)| on(*bound)).collect();
    let bound = mean(&bounds);
    let values: Vec<f64> = points.iter().zip(&bounds).map(|((point, _), own)| on(*point) - own + bound).collect();
    let ends = over_runs(&values).map(|over| (over.low, over.high)).ok_or_else(|| {
        let word = if runs.len() == 1 { "run has" } else { "runs have" };
        format!("{} {word} no interval: it needs {LEAST_RUNS}", runs.len())
    });
    let ends = ends.and_then(|ends| wider(gate, kind, measure, (runs, &on), (mean(&values), ends)));
    ValueOfRuns { point: off(mean(&values)), ends: ends.map(|(low, high)| (off(low), off(high))), bound: off(bound) }
}

/// What the runs' scatter can't know is added to the interval. Shares of a few requests are often all the same, 0 of 30 say, and
/// tell by their scatter nothing: each run's own interval does, as much narrower as a mean of so many runs is. A baseline is
/// one and the same for all runs, so that how sure it is gets no better by them: its gates keep each run's own width.
fn wider(
    gate: &Gate,
    kind: Kind,
    measure: Measure,
    (runs, on): (&[&OfRun], &dyn Fn(f64) -> f64),
    (centre, (low, high)): (f64, (f64, f64)),
) -> Result<(f64, f64), String> {
    let narrower = match (&gate.bound.from, kind, measure) {
        (From::Baseline(_), ..) => 1.0,
        (_, Kind::Share, Measure::Value | Measure::Difference) => (runs.len() as f64).sqrt(),
        _ => return Ok((low, high)),
    };
    let mut own = (0.0, 0.0);
    for JudgedGate { point, low, high, reason, .. } in runs.iter().map(|run| &run.judged) {
        let (Some(point), Some(low), Some(high)) = (point, low, high) else {
            // A single value that was counted, as the most of all, has none and needs none.
            let Some(why) = reason else { continue };
            return Err(why.clone());
        };
        let squares = |a: f64| (on(*point) - on(a)).powi(2) / runs.len() as f64;
        own = (own.0 + squares(*low), own.1 + squares(*high));
    }
    Ok((low.min(centre - own.0.sqrt() / narrower), high.max(centre + own.1.sqrt() / narrower)))
}

/// What becomes of it. `each`: whether each run by itself keeps the bound, which decides what is counted.
fn outcome(
    gate: &Gate,
    measure: Measure,
    point: f64,
    ends: &Result<(f64, f64), String>,
    bound: f64,
    (each, strict): (bool, bool),
) -> (GateOutcome, Option<String>) {
    if is_counted_bound(gate, bound, measure) {
        return side(each);
    }
    if strict {
        return side(keeps(gate, point, bound));
    }
    match ends {
        Ok(ends) => by_interval(gate, *ends, (bound, bound), "the bound is inside the interval over runs"),
        Err(why) => (GateOutcome::Inconclusive, Some(why.clone())),
    }
}

/// The mean of a figure: geometric, where all are above zero; `None` where a run has none.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let all: Vec<f64> = values.collect::<Option<_>>()?;
    let plain = || all.iter().sum::<f64>() / all.len() as f64;
    (!all.is_empty()).then(|| tidy(geometric_mean(&all).unwrap_or_else(plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(gate: &str, measure: Measure, point: f64, bound: f64) -> OfRun {
        let judged = JudgedGate {
            gate: gate.to_owned(),
            target: Some(0),
            outcome: GateOutcome::Inconclusive,
            value: Some(point),
            unit: "us".to_owned(),
            other: None,
            measure,
            point: Some(point),
            low: None,
            high: None,
            bound: Some(bound),
            unscaled: None,
            reason: Some("the bound is inside the interval".to_owned()),
        };
        OfRun { judged, taken_back: Vec::new() }
    }

    fn judged(runs: &[OfRun]) -> JudgedGate {
        judge_runs(&runs.iter().collect::<Vec<_>>(), false).unwrap()
    }

    const RATIO: &str = "a.latency.p50 <= 1.05 * b.latency.p50";

    fn ratios(points: &[f64]) -> Vec<OfRun> {
        points.iter().map(|point| run(RATIO, Measure::Ratio, *point, 1.05)).collect()
    }

    #[test]
    fn the_interval_over_runs_decides_and_two_runs_have_none() {
        for (points, want) in [
            (&[0.98, 1.00, 1.01, 0.99][..], GateOutcome::Pass),
            (&[1.20, 1.25, 1.22], GateOutcome::Fail),
            (&[0.90, 1.20, 1.00], GateOutcome::Inconclusive),
            (&[0.5, 0.5], GateOutcome::Inconclusive),
        ] {
            let got = judged(&ratios(points));
            assert_eq!(got.outcome, want, "{got:?}");
            assert_eq!(got.low.is_some(), points.len() > 2);
        }
        assert!(judged(&ratios(&[0.5])).reason.unwrap().starts_with("1 run has no interval"));
        let strict = ratios(&[0.90, 1.20, 1.00]);
        assert_eq!(judge_runs(&strict.iter().collect::<Vec<_>>(), true).unwrap().outcome, GateOutcome::Pass);
        assert_eq!(judge_runs(&[], false), None);
    }

    #[test]
    fn bounds_of_their_own_are_taken_off_each_run() {
        // 5 ms above the other, whose own speed wanders from run to run: each run is 4 to 5 % below its own bound.
        let runs = [(1.05, 1.1), (1.42, 1.5), (1.0, 1.04), (1.14, 1.2)].map(|(x, b)| run(RATIO, Measure::Ratio, x, b));
        assert_eq!(judged(&runs).outcome, GateOutcome::Pass);
    }

    #[test]
    fn shares_that_never_scatter_keep_the_width_of_their_counts() {
        let gate = "a.error_rate <= 5%";
        let with = |n: usize, high: f64| -> Vec<OfRun> {
            let mut one = run(gate, Measure::Value, 0.0, 0.05);
            (one.judged.low, one.judged.high) = (Some(0.0), Some(high));
            vec![one; n]
        };
        // None of 10 failed in each of four runs: that allows 28 %, and of forty still more than 5 %.
        assert_eq!(judged(&with(4, 0.2775)).outcome, GateOutcome::Inconclusive);
        assert_eq!(judged(&with(4, 0.0038)).outcome, GateOutcome::Pass);
        // Nought is counted: one failure in one run is one.
        let none = "a.error_rate == 0";
        let mut runs: Vec<OfRun> = (0..3).map(|_| run(none, Measure::Value, 0.0, 0.0)).collect();
        assert_eq!(judged(&runs).outcome, GateOutcome::Pass);
        runs[1] = run(none, Measure::Value, 0.001, 0.0);
        assert_eq!(judged(&runs).outcome, GateOutcome::Fail);
    }

    #[test]
    fn a_baseline_is_no_surer_by_more_runs_beside_it() {
        let gate = "a.latency.p50 <= 1.05 * baseline";
        let mut one = run(gate, Measure::Ratio, 1.0, 1.05);
        (one.judged.low, one.judged.high) = (Some(0.9), Some(1.1));
        let got = judged(&[one.clone(), one.clone(), one.clone()]);
        assert_eq!(got.outcome, GateOutcome::Inconclusive);
        assert!((got.low.unwrap() - 0.9).abs() < 1e-6 && (got.high.unwrap() - 1.1).abs() < 1e-6, "{got:?}");
        // Without an interval of its own, there is none.
        (one.judged.low, one.judged.high, one.judged.reason) = (None, None, Some("too short".to_owned()));
        let got = judged(&[one.clone(), one.clone(), one]);
        assert_eq!((got.outcome, got.reason.as_deref()), (GateOutcome::Inconclusive, Some("too short")));
    }

    #[test]
    fn what_a_run_lacks_or_takes_back_is_lacking_of_all() {
        let mut runs = ratios(&[0.98, 1.00, 1.01]);
        runs[2].taken_back =
            vec![(GateOutcome::Pass, GateOutcome::Inconclusive, "3 % of the requests failed".to_owned())];
        let got = judged(&runs);
        assert_eq!(
            (got.outcome, got.reason.as_deref()),
            (GateOutcome::Inconclusive, Some("3 % of the requests failed"))
        );
        runs[0].taken_back = vec![(GateOutcome::Pass, GateOutcome::NotMeasured, "a stand-in".to_owned())];
        assert_eq!(judged(&runs).outcome, GateOutcome::NotMeasured);
        (runs[1].judged.point, runs[1].judged.reason) = (None, Some("ttft was not measured".to_owned()));
        assert_eq!(judged(&runs).reason.as_deref(), Some("ttft was not measured (in 1 of 3 runs)"));
    }
}
