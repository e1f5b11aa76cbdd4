use super::*;
use crate::host::Probe;
use crate::scenario::Task;
use crate::scenario::plan::GatesPlan;
use crate::stats::{Folded, ONE_RUN, Row, fixture};

/// A plan with gates, and a run of it: native 12 ms, ollama 20 ms.
pub(super) struct Run {
    pub plan: Plan,
    pub folded: Folded,
}

impl Run {
    pub fn new(gates: &[&str]) -> Self {
        let mut plan = fixture::plan(Task::Classify, false);
        plan.gates.all = gates.iter().map(|text| Gate::parse(text).unwrap()).collect();
        let folded = fixture::folded(&plan);
        Self { plan, folded }
    }

    pub fn evidence(&self) -> GateInputs<'_> {
        GateInputs {
            plan: &self.plan,
            spoilt: &Spoilt::No,
            targets: &self.folded.targets,
            histograms: &self.folded.histograms,
            comparisons: &self.folded.comparisons,
            probe: None,
            past: Err(NO_BASELINE),
        }
    }

    pub fn judge(&self) -> Judgement {
        judge(&self.evidence())
    }

    pub fn outcomes(&self) -> Vec<GateOutcome> {
        self.judge().gates.iter().map(|judged| judged.outcome).collect()
    }
}

#[test]
fn a_gate_passes_fails_or_is_inconclusive_by_its_interval() {
    let run = Run::new(&["native.latency.p50 <= 20ms"]);
    let judged = &run.judge().gates[0];
    let (low, high) = (judged.low.unwrap(), judged.high.unwrap());
    assert!(low < judged.value.unwrap() && judged.value.unwrap() < high && judged.unit == "us", "{judged:?}");
    let at = |bound: f64| {
        let run = Run::new(&[&format!("native.latency.p50 <= {}us", bound.round())]);
        run.outcomes()[0]
    };
    assert_eq!(at(high + 2.0), GateOutcome::Pass);
    assert_eq!(at((low + high) / 2.0), GateOutcome::Inconclusive);
    assert_eq!(at(low - 2.0), GateOutcome::Fail);
    // By the figures themselves nothing is inconclusive.
    let mut strict = Run::new(&[&format!("native.latency.p50 <= {}us", (judged.value.unwrap() + 1.0).ceil())]);
    strict.plan.gates.strict = true;
    assert_eq!(strict.outcomes(), [GateOutcome::Pass]);
}

#[test]
fn targets_are_held_to_each_other_by_the_ratios_interval() {
    let run = Run::new(&[
        "native.latency.p50 <= 0.9 * ollama.latency.p50",
        "ollama.latency.p50 <= 1.1 * native.latency.p50",
        "ollama.latency.p50 >= 1.1 * native.latency.p50",
        "native.latency.p50 <= ollama.latency.p50 + 1ms",
        "native.latency.p99 <= 0.9 * ollama.latency.p99",
        "native.accuracy >= ollama.accuracy - 10pp",
    ]);
    let judgement = run.judge();
    let told: Vec<_> = judgement.gates.iter().map(|judged| (judged.outcome, judged.measure)).collect();
    let ratio = |outcome| (outcome, Measure::Ratio);
    assert_eq!(told[..3], [ratio(GateOutcome::Pass), ratio(GateOutcome::Fail), ratio(GateOutcome::Pass)]);
    assert_eq!(told[3], ratio(GateOutcome::Pass));
    let added = &judgement.gates[3];
    assert!((added.bound.unwrap() - (1.0 + 1000.0 / added.other.unwrap())).abs() < 1e-6, "{added:?}");
    // No comparison is made of a 99th percentile: its interval is made of the two.
    assert_eq!(told[4].1, Measure::Ratio);
    let p99 = &judgement.gates[4];
    assert!(p99.low.is_some() && p99.low < p99.point && p99.point < p99.high, "{p99:?}");
    assert_eq!(told[5].1, Measure::Difference);
}

#[test]
fn what_was_not_measured_is_no_pass() {
    let mut run = Run::new(&[
        "native.memory_ratio <= 1.35",
        "native.ttft.p95 <= 1s",
        "gone.latency.p50 <= 1s",
        "native.ttft.p95 <= 1.1 * baseline",
        "native.latency.p95 <= 1.1 * baseline",
        "errors == 0",
    ]);
    let judgement = run.judge();
    let told: Vec<GateOutcome> = judgement.gates.iter().map(|judged| judged.outcome).collect();
    assert_eq!(told[..5], [GateOutcome::NotMeasured; 5]);
    // Once for each target: one request of the reference failed.
    assert_eq!(told[5..], [GateOutcome::Pass, GateOutcome::Fail]);
    let reasons: Vec<&str> = judgement.gates.iter().filter_map(|judged| judged.reason.as_deref()).collect();
    assert!(reasons[0].contains("memory_ratio was not measured"), "{reasons:?}");
    assert!(reasons[2].contains("no target `gone`") && reasons[4].contains("no baseline"), "{reasons:?}");
    assert_eq!(judgement.worst(), Some(GateOutcome::Fail));
    // A value that was read once is what it is.
    run.folded.targets[0].rows.push(Row::total(&crate::metrics::MEMORY_RATIO, 1, Some(1.4)));
    assert_eq!(run.outcomes()[0], GateOutcome::Fail);
}

/// What a run that is no good for a comparison says all the same: what one side did, and failures that were counted.
#[test]
fn what_is_spoilt_is_not_judged_and_the_rest_is() {
    let gates = [
        "native.latency.p50 <= 1s",
        "native.latency.p50 <= 1ms",
        "native.latency.p50 <= 2 * ollama.latency.p50",
        "native.latency.p99 <= 90 * native.latency.p50",
        "native.errors == 0",
        "ollama.errors == 0",
        "native.errors <= ollama.errors + 50pp",
        "native.output_tokens.max <= 1.0 * ollama.output_tokens.max",
    ];
    let run = Run::new(&gates);
    let outcomes = |spoilt: &Spoilt| -> Vec<GateOutcome> {
        judge(&GateInputs { spoilt, ..run.evidence() }).gates.iter().map(|judged| judged.outcome).collect()
    };
    use GateOutcome::{Fail, Inconclusive, NotMeasured, Pass};
    assert_eq!(outcomes(&Spoilt::No), [Pass, Fail, Pass, Pass, Pass, Fail, Pass, Pass]);
    let why = || "because".to_owned();
    assert_eq!(outcomes(&Spoilt::Undecided(why())), [Pass, Fail, Inconclusive, Pass, Pass, Fail, Inconclusive, Pass]);
    assert_eq!(
        outcomes(&Spoilt::Comparison(why())),
        [Pass, Fail, NotMeasured, Pass, Pass, Fail, NotMeasured, NotMeasured]
    );
    let none = NotMeasured;
    assert_eq!(outcomes(&Spoilt::Run(why())), [none, none, none, none, none, Fail, none, none]);
    let judged = &judge(&GateInputs { spoilt: &Spoilt::Run(why()), ..run.evidence() }).gates;
    assert_eq!((judged[0].reason.as_deref(), judged[5].reason.as_deref()), (Some("because"), None));
}

#[test]
fn a_stand_in_passes_nothing_unless_it_is_meant() {
    let mut run = Run::new(&["native.latency.p50 <= 1s", "native.latency.p50 <= 2 * ollama.latency.p50"]);
    run.folded.targets[1].stand_in = true;
    let judgement = run.judge();
    assert_eq!(judgement.gates[0].outcome, GateOutcome::Pass);
    assert_eq!(judgement.gates[1].outcome, GateOutcome::NotMeasured);
    let reason = judgement.gates[1].reason.as_deref().unwrap();
    assert!(reason.contains("ollama is a stand-in") && reason.contains("would have passed"), "{reason}");
    // Also where there is another reason not to tell the two apart.
    let spoilt = Spoilt::Undecided("because".to_owned());
    let judged = judge(&GateInputs { spoilt: &spoilt, ..run.evidence() });
    assert_eq!(judged.gates[1].outcome, GateOutcome::NotMeasured);
    run.plan.gates.stand_ins = true;
    assert_eq!(run.outcomes(), [GateOutcome::Pass; 2]);
}

#[test]
fn failing_the_slow_ones_passes_nothing() {
    let mut run = Run::new(&["native.latency.p50 <= 1s", "native.latency.p50 <= 1ms", "native.errors <= 1%"]);
    let rows = &mut run.folded.targets[0].rows;
    let row = rows.iter_mut().find(|row| row.metric == "error_rate").unwrap();
    (row.mean, row.low, row.high) = (Some(0.3), Some(0.25), Some(0.35));
    assert_eq!(run.outcomes(), [GateOutcome::Inconclusive, GateOutcome::Fail, GateOutcome::Fail]);
}

#[test]
fn a_run_is_held_to_its_past() {
    let past = Run::new(&[]);
    let mut run = Run::new(&["native.latency.p50 <= 1.05 * baseline", "ollama.latency.p50 <= 0.5 * baseline"]);
    let held = |run: &Run| {
        let past =
            Past { targets: &past.folded.targets, histograms: &past.folded.histograms, nights: &ONE_RUN, probe: None };
        judge(&GateInputs { past: Ok(past), ..run.evidence() })
    };
    let judgement = held(&run);
    let told: Vec<GateOutcome> = judgement.gates.iter().map(|judged| judged.outcome).collect();
    assert_eq!(told[1], GateOutcome::Fail);
    assert_eq!((judgement.gates[0].point, judgement.gates[0].measure), (Some(1.0), Measure::Ratio));
    // The same workload, a fifth slower, and again: one run doesn't say how far runs scatter, so that a fifth may be chance.
    let mut slower = || {
        for target in &mut run.folded.targets {
            for series in target.units.iter_mut().filter(|series| series.metric.starts_with("latency")) {
                series.values.iter_mut().for_each(|x| *x *= 1.2);
            }
            let row = target.rows.iter_mut().find(|row| row.metric == "latency").unwrap();
            row.p50 = row.p50.map(|x| x * 1.2);
        }
        held(&run).gates.swap_remove(0)
    };
    let judged = slower();
    let why = judged.reason.unwrap_or_default();
    assert_eq!(judged.outcome, GateOutcome::Inconclusive);
    assert!(why.contains("5 % is allowed") && why.contains("--last 5") && why.ends_with("in these two runs"), "{why}");
    assert_eq!(slower().outcome, GateOutcome::Fail);
    // Told to judge by the figures alone, it does.
    run.plan.gates.strict = true;
    run.folded.targets.clone_from(&past.folded.targets);
    assert_eq!(held(&run).gates[1].outcome, GateOutcome::Fail);
}

#[test]
fn bounds_follow_the_machine_and_ratios_do_not() {
    let past = Run::new(&[]);
    let mut run =
        Run::new(&["native.latency.p50 <= 10ms", "native.latency.p50 <= 0.5 * ollama.latency.p50", "errors <= 5%"]);
    run.plan.gates.adaptive = true;
    let (then, now) = (Probe { rounds_per_s: 4e8, bytes_per_s: 8e9 }, Probe { rounds_per_s: 2e8, bytes_per_s: 4e9 });
    let held = |probe: Option<&Probe>| {
        let past = Past { targets: &past.folded.targets, histograms: &past.folded.histograms, nights: &ONE_RUN, probe };
        judge(&GateInputs { past: Ok(past), probe: Some(&now), ..run.evidence() })
    };
    let scaled = held(Some(&then));
    assert_eq!((scaled.gates[0].bound, scaled.gates[0].unscaled), (Some(20_000.0), Some(10_000.0)));
    assert_eq!(scaled.gates[0].outcome, GateOutcome::Pass, "12 ms on a machine half as fast");
    assert_eq!(scaled.gates[1].bound, Some(0.5));
    assert_eq!(scaled.gates[2].unscaled, None);
    assert!(scaled.gates[0].figures().contains("bound 20.0 ms on this machine (10.0 ms as written)"));
    assert!(scaled.adapted.unwrap().contains("2.00 times as long"));
    let unscaled = held(None);
    assert_eq!((unscaled.gates[0].bound, unscaled.gates[0].outcome), (Some(10_000.0), GateOutcome::Fail));
    assert!(unscaled.adapted.unwrap().contains("was not probed"));
}

#[test]
fn tiers_are_climbed_one_by_one() {
    let mut run = Run::new(&[]);
    let tier =
        |name: &str, gates: &[&str]| (name.to_owned(), gates.iter().map(|text| Gate::parse(text).unwrap()).collect());
    run.plan.gates = GatesPlan {
        tiers: vec![
            tier("functional", &["errors <= 5%"]),
            tier("usable", &["latency.p50 <= 15ms", "accuracy >= 10%"]),
            tier("competitive", &["latency.p50 <= 1ms"]),
        ],
        ..GatesPlan::default()
    };
    let tiers = run.judge().tiers;
    let told: Vec<_> = tiers.iter().map(|r| (r.tier.as_deref(), r.next.as_deref(), r.lacks.len())).collect();
    assert_eq!(told, [(Some("usable"), Some("competitive"), 1), (Some("functional"), Some("usable"), 1)]);
    assert_eq!(tiers[1].lacks[0].gate, "latency.p50 <= 15ms");
}

#[test]
fn percentiles_that_no_row_has_are_read_from_the_distribution() {
    let run = Run::new(&["native.latency.p75 <= 1s", "native.latency.p90 <= 1s", "native.latency.max <= 10s"]);
    let judgement = run.judge();
    for judged in &judgement.gates[..2] {
        assert!(
            judged.outcome == GateOutcome::Pass && judged.low < judged.value && judged.value < judged.high,
            "{judged:?}"
        );
    }
    assert!(judgement.gates[0].value < judgement.gates[1].value);
    assert!(judgement.gates[2].low.is_none() && judgement.gates[2].outcome == GateOutcome::Pass);
    assert_eq!(judgement.summary().unwrap(), "all 3 gates passed");
}
