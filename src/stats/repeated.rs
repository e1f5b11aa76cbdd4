//! Runs as the units of a comparison: what a run can't know of itself, runs know of each other.
//!
//! A speed that wanders slowly and on one side only looks like a difference to any single run, however many requests it has:
//! its stretches of time share the wander. Runs made apart don't. Each gives one value, the logarithm of target / reference;
//! the interval is Student's t over them, N - 1 degrees of freedom (measuring.md 8, "separate blocks as the unit").

use super::compare::{Basis, Comparison, Verdict};
use super::headline::{HEADLINES, Headline};
use super::nights::LEAST_RUNS;
use super::row::tidy;
use super::series::RatioEvidence;

/// The mean of one value a run, on the scale that they are given on, with Student's t interval. `None` for fewer runs than [`LEAST_RUNS`], and for values that are
/// no numbers.
pub fn over_runs(values: &[f64]) -> Option<RatioEvidence> {
    if values.len() < LEAST_RUNS || values.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let k = values.len() as f64;
    let centre = values.iter().sum::<f64>() / k;
    let variance = values.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / (k - 1.0);
    let error = (variance / k).sqrt();
    RatioEvidence::new(centre, error, k - 1.0, values.len())
}

/// The geometric mean of values above zero; `None` for others, and of none.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let logs: Option<f64> = values.iter().map(|x| (x.is_finite() && *x > 0.0).then(|| x.ln())).sum();
    (!values.is_empty()).then_some((logs? / values.len() as f64).exp())
}

/// A metric whose ratio is told over runs: its path, its unit, and whether more of it is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunMetric {
    /// Its name: `latency.p50`.
    pub path: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Whether more of it is better.
    pub more_is_better: bool,
    /// Whether it is a time of answered requests, which failures distort.
    of_answers: bool,
}

/// The metrics that ratios with intervals are told for.
pub fn run_metrics(open_loop: bool) -> impl Iterator<Item = RunMetric> {
    let told = move |headline: &&Headline| open_loop || !headline.from_plan;
    HEADLINES.iter().filter(told).map(|headline| RunMetric {
        path: headline.path,
        unit: headline.unit,
        more_is_better: headline.more_is_better,
        of_answers: headline.of_answers,
    })
}

/// What one run says of a target and the reference in one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPair {
    /// The target's value.
    pub target: f64,
    /// The reference's value.
    pub reference: f64,
    /// Whether too many requests of one of the two failed.
    pub failed: bool,
}

/// A metric over runs, with the verdict of it alone ([`decide_by`](super::decide_by) gives those of all metrics together). The
/// values are geometric means, so that the ratio is their quotient; `pairs` are of the runs that
/// measured it on both sides, `runs` is how many there are in all.
pub fn compare_runs(
    metric: RunMetric,
    (target, reference): (usize, usize),
    pairs: &[RunPair],
    runs: usize,
    smallest_effect: f64,
) -> Option<Comparison> {
    let values = |side: fn(&RunPair) -> f64| geometric_mean(&pairs.iter().map(side).collect::<Vec<_>>()).map(tidy);
    let (a, b) = (values(|pair| pair.target)?, values(|pair| pair.reference)?);
    let told = over_runs(&pairs.iter().map(|pair| (pair.target / pair.reference).ln()).collect::<Vec<_>>());
    let end = |of: fn(&RatioEvidence) -> f64| told.as_ref().map(|told| tidy(of(told).exp())).filter(|x| x.is_finite());
    let mut row = Comparison {
        metric: metric.path.to_owned(),
        unit: metric.unit.to_owned(),
        target,
        reference,
        target_value: Some(a),
        reference_value: Some(b),
        ratio: Some(tidy(a / b)),
        low: end(|told| told.low),
        high: end(|told| told.high),
        blocks: Some(pairs.len()),
        pairs: None,
        unpaired: None,
        p: None,
        needs: None,
        verdict: Verdict::Undecided,
        reason: told.is_none().then(|| few(pairs.len(), runs)),
        basis: None,
    };
    let failed = pairs.iter().filter(|pair| pair.failed).count();
    let spoilt = (metric.of_answers && failed > 0)
        .then(|| format!("in {failed} of {} runs more than 1 % of a side's requests failed", pairs.len()));
    row.basis = told.map(|told| Basis::over_runs(told, metric.more_is_better, spoilt));
    row.settle(smallest_effect);
    row.p = row.p.map(tidy);
    Some(row)
}

/// Why so few of the runs carry no interval.
fn few(measured: usize, runs: usize) -> String {
    let of = if measured < runs { format!(" of {runs}") } else { String::new() };
    let word = if measured == 1 && of.is_empty() { "run" } else { "runs" };
    format!("{measured}{of} {word} measured it, and an interval over runs needs {LEAST_RUNS}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Doubts, decide_by};
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn metric(path: &str) -> RunMetric {
        run_metrics(true).find(|metric| metric.path == path).unwrap()
    }

    fn pairs(ratios: &[f64]) -> Vec<RunPair> {
        let of = |(i, ratio): (usize, &f64)| {
            let reference = 100.0 + i as f64;
            RunPair { target: reference * ratio, reference, failed: false }
        };
        ratios.iter().enumerate().map(of).collect()
    }

    fn told(path: &str, ratios: &[f64]) -> Comparison {
        compare_runs(metric(path), (0, 1), &pairs(ratios), ratios.len(), 0.02).unwrap()
    }

    #[test]
    fn students_interval_is_the_tables() {
        // 1, 2, 3: error 1 / sqrt 3, t(2) 4.302653.
        let got = over_runs(&[1.0, 2.0, 3.0]).unwrap();
        assert!(
            (got.centre - 2.0).abs() < 1e-12 && (got.high - 2.0 - 4.302_653 / 3.0_f64.sqrt()).abs() < 1e-5,
            "{got:?}"
        );
        assert_eq!((over_runs(&[1.0, 2.0]), over_runs(&[1.0, 2.0, f64::NAN])), (None, None));
        assert_eq!(geometric_mean(&[2.0, 8.0]), Some(4.0));
        assert_eq!((geometric_mean(&[]), geometric_mean(&[1.0, 0.0])), (None, None));
    }

    #[test]
    fn four_verdicts_over_runs() {
        for (path, ratios, want) in [
            ("latency.p50", &[0.80, 0.81, 0.79, 0.80][..], Verdict::Better),
            ("latency.p50", &[1.30, 1.25, 1.35], Verdict::Worse),
            ("output_tokens_per_s", &[1.30, 1.25, 1.35], Verdict::Better),
            ("output_tokens_per_s", &[0.80, 0.81, 0.79, 0.80], Verdict::Worse),
            ("latency.p50", &[1.0, 1.001, 0.999, 1.0, 1.002], Verdict::Equal),
            // Each far from equal, and not by the same sign: that is what runs know of each other.
            ("latency.p50", &[0.7, 1.4, 0.9, 1.3], Verdict::Undecided),
        ] {
            let got = told(path, ratios);
            assert_eq!(got.verdict, want, "{got:?}");
            assert_eq!(got.reason.is_some(), want == Verdict::Undecided);
            assert_eq!(got.blocks, Some(ratios.len()));
        }
    }

    #[test]
    fn two_runs_and_failures_decide_nothing_and_say_why() {
        let two = told("latency.p50", &[0.5, 0.5]);
        assert_eq!((two.verdict, two.low, two.ratio), (Verdict::Undecided, None, Some(0.5)));
        assert!(two.reason.unwrap().contains("needs 3"));
        let mut failing = pairs(&[0.5, 0.5, 0.51]);
        failing[1].failed = true;
        let of = |path| compare_runs(metric(path), (0, 1), &failing, 3, 0.02).unwrap();
        let (time, rate) = (of("latency.p50"), of("requests_per_s"));
        assert_eq!((time.verdict, rate.verdict), (Verdict::Undecided, Verdict::Worse));
        assert!(time.reason.unwrap().starts_with("in 1 of 3 runs more than 1 %"));
        // Measured in some of the runs only.
        let some = compare_runs(metric("ttft.p95"), (0, 1), &pairs(&[0.5, 0.5]), 5, 0.02).unwrap();
        assert!(some.reason.unwrap().starts_with("2 of 5 runs measured it"));
        assert_eq!(compare_runs(metric("ttft.p95"), (0, 1), &[], 5, 0.02), None);
    }

    #[test]
    fn many_metrics_are_corrected_and_the_main_one_is_not() {
        // Log ratios -0.0662 and 0.02, 0.04 to either side: (0.0662 - 0.0202) / 0.01414 is 3.25, with 4 degrees p = 0.031.
        let close = [0.8992, 0.9174, 0.9359, 0.9549, 0.9741];
        let mut rows: Vec<Comparison> =
            ["latency.p50", "latency.mean", "ttft.p50", "itl.mean"].iter().map(|path| told(path, &close)).collect();
        let alone = rows[0].p.unwrap();
        assert!(alone < 0.05 && rows.iter().all(|row| row.verdict == Verdict::Better), "{rows:?}");
        decide_by(&mut rows, "latency.p50", 0.02, Doubts::default());
        assert_eq!((rows[0].p, rows[0].verdict), (Some(alone), Verdict::Better));
        assert!(rows[1..].iter().all(|row| row.verdict == Verdict::Undecided && row.p > Some(alone)), "{rows:?}");
    }

    /// Two sides that are equal on average, each run's speed drawn anew by 10 %: within a run nothing of it is to be seen. A
    /// single run is off by more than 2 % nearly always; over five runs at most one in twenty is.
    #[test]
    fn equal_sides_that_differ_by_run_are_called_different_in_at_most_one_of_twenty() {
        let mut draw = ChaCha8Rng::seed_from_u64(7);
        let mut normal = || (0..12).map(|_| draw.random_range(0.0..1.0)).sum::<f64>() - 6.0;
        let trials = 2000;
        let mut wrong = 0;
        for _ in 0..trials {
            let ratios: Vec<f64> = (0..5).map(|_| (0.1 * normal()).exp()).collect();
            wrong += u32::from(matches!(told("latency.p50", &ratios).verdict, Verdict::Better | Verdict::Worse));
        }
        // 5 % would be 100; its upper 99.9 % point is 131.
        assert!(wrong <= 131, "{wrong} of {trials}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_ratio_is_the_quotient_of_the_values_beside_it_and_lies_in_its_interval(
            ratios in proptest::collection::vec(0.05_f64..20.0, 3..12)
        ) {
            let got = told("latency.p50", &ratios);
            let (a, b, ratio) = (got.target_value.unwrap(), got.reference_value.unwrap(), got.ratio.unwrap());
            // To the sixth decimal, as they are written.
            prop_assert!((a / b - ratio).abs() < 1.1e-6);
            prop_assert!(got.low.unwrap() <= ratio + 2e-6 && ratio <= got.high.unwrap() + 2e-6);
        }

        #[test]
        fn swapping_the_sides_turns_the_verdict_around(ratios in proptest::collection::vec(0.5_f64..2.0, 3..8)) {
            let there = told("latency.p50", &ratios);
            let back: Vec<f64> = ratios.iter().map(|ratio| 1.0 / ratio).collect();
            let back = told("latency.p50", &back);
            let claim = |c: &Comparison| matches!(c.verdict, Verdict::Better | Verdict::Worse);
            // The smallest effect is 2 % of either side, so an end that lies between 1/1.02 and 0.98 may fall on either side of it.
            if claim(&there) && claim(&back) {
                prop_assert!(there.verdict != back.verdict);
            }
        }
    }
}
