//! No gate passes on a point: each metric that a gate may name, each figure of it, each form of a bound.

use super::tests::Run;
use super::*;
use crate::scenario::gate::{Figure, Kind, METRICS, Of};
use crate::stats::Row;

/// A bound that everything keeps.
fn roomy(kind: Kind) -> &'static str {
    match kind {
        Kind::Time => "900min",
        Kind::Share => "99%",
        Kind::Bytes => "900GB",
        Kind::PerSecond | Kind::Number => "900000",
    }
}

/// A run whose every metric was measured, and none has an interval.
fn points() -> Run {
    let mut run = Run::new(&[]);
    run.folded.comparisons.clear();
    run.folded.histograms.clear();
    for target in &mut run.folded.targets {
        target.units.clear();
        target.rows = METRICS
            .iter()
            .map(|known| {
                let value = Some(if known.id == "error_rate" { 0.005 } else { 0.5 });
                let spread = if known.spread { value } else { None };
                Row {
                    // Six of them would bound what is typical.
                    n: Some(if known.spread { 5 } else { 1000 }),
                    mean: value,
                    min: spread,
                    p50: spread,
                    p90: spread,
                    p95: spread,
                    p99: spread,
                    p999: spread,
                    max: spread,
                    ..Row::new(known.id, "1")
                }
            })
            .collect();
    }
    run
}

#[test]
fn none_passes_on_a_point() {
    let (mut run, past) = (points(), points());
    let past = Past { targets: &past.folded.targets, histograms: &[], probe: None, nights: &crate::stats::ONE_RUN };
    for known in METRICS {
        let figures: &[&str] = if known.spread {
            &[".mean", ".p50", ".p75", ".p90", ".p95", ".p99", ".p999", ".min", ".max"]
        } else {
            &[""]
        };
        for figure in figures {
            let path = format!("{}{figure}", known.id);
            let mut gates = vec![
                format!("native.{path} <= {}", roomy(known.kind)),
                format!("native.{path} <= 3 * ollama.{path}"),
                format!("native.{path} <= 3 * baseline"),
            ];
            if known.kind == Kind::Share {
                gates.push(format!("native.{path} <= ollama.{path} + 50pp"));
            }
            if known.spread && matches!(known.kind, Kind::Time | Kind::PerSecond) {
                let other = if *figure == ".p90" { "p50" } else { "p90" };
                gates.push(format!("native.{path} <= 3 * native.{}.{other}", known.id));
            }
            run.plan.gates.all = gates.iter().map(|text| Gate::parse(text).unwrap()).collect();
            let judged = judge(&GateInputs { past: Ok(past), ..run.evidence() });
            assert_eq!(judged.gates.len(), gates.len());
            for (judged, gate) in judged.gates.iter().zip(&run.plan.gates.all) {
                let of_extremes = |subject: &crate::scenario::gate::Subject| {
                    known.exact || matches!(subject.figure, Figure::Min | Figure::Max)
                };
                let other = match &gate.bound.from {
                    crate::scenario::gate::From::Target(other) => of_extremes(other),
                    _ => true,
                };
                let exact = of_extremes(&gate.subject) && other;
                assert_eq!(judged.outcome == GateOutcome::Pass, exact, "{}: {judged:?}", judged.gate);
                if !exact {
                    let told = judged.reason.as_deref().is_some_and(|why| !why.is_empty());
                    assert!(told && judged.low.is_none() && judged.outcome != GateOutcome::Fail, "{judged:?}");
                }
            }
        }
    }
}

/// What the folds make, they make with intervals: but for those of which none is known.
#[test]
fn what_is_estimated_has_an_interval_or_is_known_to_have_none() {
    const NONE: [&str; 1] = ["cached_share"];
    let run = Run::new(&[]);
    for row in run.folded.targets.iter().flat_map(|target| &target.rows) {
        let known = crate::scenario::gate::metric(&row.metric).unwrap();
        let measured = row.mean.is_some() && !known.exact && row.n.is_some_and(|n| n > 1);
        assert!(!measured || row.low.is_some() || NONE.contains(&known.id), "{row:?}");
    }
}

#[test]
fn quality_of_the_answered_few_passes_nothing() {
    let gates = [
        "native.accuracy >= 10%",
        "native.macro_f1 >= 0.1",
        "native.accuracy >= ollama.accuracy - 90pp",
        "native.unparsed_rate <= 90%",
        "native.latency.p50 <= 10s",
        "native.output_tokens.max <= 100000",
        "native.requests_per_s >= 0.001",
        "native.errors <= 90%",
        "native.accuracy >= 99.9%",
    ];
    let mut run = Run::new(&gates);
    use GateOutcome::{Fail, Inconclusive, Pass};
    let mut before = run.outcomes();
    let last = before.pop();
    assert!(before.iter().all(|outcome| *outcome == Pass) && last == Some(Fail), "{before:?} {last:?}");
    for target in 0..2 {
        let row = run.folded.targets[target].rows.iter_mut().find(|row| row.metric == "error_rate").unwrap();
        (row.mean, row.low, row.high) = (Some(0.6), Some(0.55), Some(0.65));
        assert_eq!(
            run.outcomes(),
            [Inconclusive, Inconclusive, Inconclusive, Inconclusive, Inconclusive, Inconclusive, Pass, Pass, Fail]
        );
    }
    let why = run.judge().gates[0].reason.clone().unwrap();
    assert!(why.contains("60.0 % of the requests to native failed"), "{why}");
    assert!(METRICS.iter().filter(|known| known.of == Of::Content).all(|known| known.kind != Kind::Time));
}

#[test]
fn a_percentile_among_the_failures_has_failed() {
    let gates = ["native.latency_or_failed.p95 <= 10s", "native.latency_or_failed.p50 <= 10s"];
    let mut run = Run::new(&gates);
    let set = |run: &mut Run, set: &dyn Fn(&mut Row)| {
        set(run.folded.targets[0].rows.iter_mut().find(|row| row.metric == "latency_or_failed").unwrap());
    };
    assert_eq!(run.outcomes(), [GateOutcome::Pass; 2]);
    // Of 1,000 a third failed: the 95th percentile lies among them, whatever chance does.
    set(&mut run, &|row| {
        (row.n, row.n_eff, row.infinite_from) = (Some(1000), Some(1000.0), Some(0.66));
        (row.p95, row.p95_low, row.p95_high) = (None, None, None);
    });
    let judged = run.judge().gates;
    assert_eq!((judged[0].outcome, judged[1].outcome), (GateOutcome::Fail, GateOutcome::Pass));
    assert!(judged[0].reason.as_deref().unwrap().contains("is infinite") && judged[0].value.is_none(), "{judged:?}");
    // Some 5 %: it may lie on either side.
    set(&mut run, &|row| (row.p95_low, row.infinite_from) = (Some(9000.0), Some(0.949)));
    assert_eq!(run.outcomes()[0], GateOutcome::Inconclusive);
}

#[test]
fn what_is_added_is_no_surer_than_what_it_is_added_to() {
    // 12 ms against 20 ms and 1 ms more; the reference's p50 may be anything from 1 to 40 ms.
    let mut run = Run::new(&["native.latency.p50 <= 0.1 * ollama.latency.p50 + 13ms"]);
    let row = run.folded.targets[1].rows.iter_mut().find(|row| row.metric == "latency").unwrap();
    let p50 = row.p50.unwrap();
    (row.p50_low, row.p50_high) = (Some(p50 * 0.99), Some(p50 * 1.01));
    assert_eq!(run.outcomes(), [GateOutcome::Pass]);
    let row = run.folded.targets[1].rows.iter_mut().find(|row| row.metric == "latency").unwrap();
    (row.p50_low, row.p50_high) = (Some(p50 * 0.5), Some(p50 * 2.0));
    assert_eq!(run.outcomes(), [GateOutcome::Inconclusive]);
}

#[test]
fn figures_ratio_and_interval_are_the_comparisons() {
    let mut run =
        Run::new(&["native.latency.p50 <= 0.9 * ollama.latency.p50", "ollama.latency.p50 >= 1.1 * native.latency.p50"]);
    let row = run.folded.comparisons.iter_mut().find(|row| row.metric == "latency.p50").unwrap();
    // As over the requests that both answered, which are others than each side's own.
    (row.target_value, row.reference_value) = (Some(3000.0), Some(4000.0));
    (row.ratio, row.low, row.high) = (Some(0.75), Some(0.7), Some(0.8));
    let judged = run.judge().gates;
    let told = |at: usize| (judged[at].value, judged[at].other, judged[at].point, judged[at].low, judged[at].high);
    assert_eq!(told(0), (Some(3000.0), Some(4000.0), Some(0.75), Some(0.7), Some(0.8)));
    assert_eq!(told(1), (Some(4000.0), Some(3000.0), Some(1.0 / 0.75), Some(1.25), Some(1.0 / 0.7)));
    assert_eq!(run.outcomes(), [GateOutcome::Pass; 2]);
    // Without an interval, its reason is the gate's.
    let row = run.folded.comparisons.iter_mut().find(|row| row.metric == "latency.p50").unwrap();
    (row.low, row.high, row.reason) = (None, None, Some("too few pairs".to_owned()));
    let judged = &run.judge().gates[0];
    assert_eq!((judged.outcome, judged.reason.as_deref()), (GateOutcome::Inconclusive, Some("too few pairs")));
}

#[test]
fn the_exit_code_is_that_of_the_worst_and_of_what_inconclusive_counts_as() {
    use GateOutcome::{Fail, Inconclusive as Open, NotMeasured, Pass};
    let code = |all: &[GateOutcome], counts| exit_code(all.iter().copied(), counts);
    for (all, pass, fail, told) in [
        (&[][..], 0, 0, 0),
        (&[Pass], 0, 0, 0),
        (&[Pass, Open], 0, 1, 5),
        (&[Open, NotMeasured], 5, 1, 5),
        (&[NotMeasured, Pass], 5, 5, 5),
        (&[NotMeasured, Fail, Open], 1, 1, 1),
    ] {
        assert_eq!(code(all, Inconclusive::Pass), pass, "{all:?}");
        assert_eq!(code(all, Inconclusive::Fail), fail, "{all:?}");
        assert_eq!(code(all, Inconclusive::Exit5), told, "{all:?}");
    }
}

#[test]
fn a_bound_that_every_one_of_few_answers_misses_by_twice_is_missed() {
    use GateOutcome::{Fail, Inconclusive, Pass};
    let gates = ["p50 <= 1ms", "p50 <= 9ms", "p50 <= 30ms", "p95 <= 1ms", "p95 <= 30ms", "mean <= 1ms"];
    let gates = gates.map(|gate| format!("native.latency.{gate}"));
    let mut run = Run::new(&gates.each_ref().map(String::as_str));
    let of = |n: u64, run: &mut Run| {
        let row = run.folded.targets[0].rows.iter_mut().find(|row| row.metric == "latency").unwrap();
        (row.n, row.n_eff, row.min, row.max) = (Some(n), Some(4.0), Some(10_000.0), Some(12_000.0));
        (row.mean, row.low, row.high) = (Some(11_000.0), Some(-3000.0), Some(25_000.0));
        (row.p50_low, row.p50_high, row.p95_low, row.p95_high) = (None, None, None, None);
        run.outcomes()
    };
    let told = of(10, &mut run);
    assert_eq!(told[..5], [Fail, Inconclusive, Pass, Fail, Inconclusive]);
    assert_eq!(told[5], Fail);
    assert_eq!(of(5, &mut run)[..4], [Inconclusive; 4]);
}
