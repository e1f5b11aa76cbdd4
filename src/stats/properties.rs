//! What holds for any samples.

use super::fixture::{S, closed_loop, folded, plan, sample};
use super::*;
use crate::record::{Nanos, Outcome, Phase, Sample};
use crate::scenario::Task;
use proptest::prelude::*;

fn summaries(samples: &[Sample]) -> Folded {
    let plan = plan(Task::Classify, false);
    let mut fold = Fold::new(&plan, 60);
    for target in 0..2 {
        fold.window(target, 0, Nanos(3 * S), Some(Nanos(23 * S)));
    }
    samples.iter().for_each(|row| fold.push(row));
    fold.finish()
}

fn assert_finite(value: &serde_json::Value, at: &str) {
    match value {
        serde_json::Value::Object(all) => all.iter().for_each(|(key, v)| assert_finite(v, &format!("{at}.{key}"))),
        serde_json::Value::Array(all) => all.iter().for_each(|v| assert_finite(v, at)),
        serde_json::Value::Number(n) => assert!(n.as_f64().is_some_and(f64::is_finite), "{at}: {n}"),
        _ => {}
    }
}

/// Every float in a row, without going through JSON, which would turn infinities into null.
fn floats(row: &Row) -> Vec<f64> {
    [
        row.mean,
        row.sd,
        row.min,
        row.p50,
        row.p90,
        row.p95,
        row.p99,
        row.p999,
        row.max,
        row.low,
        row.high,
        row.n_eff,
        row.p50_low,
        row.p50_high,
        row.p95_low,
        row.p95_high,
        row.p99_low,
        row.p99_high,
    ]
    .into_iter()
    .flatten()
    .collect()
}

prop_compose! {
    /// A sample with anything in it.
    fn any_sample()(
        target in 0..3_usize,
        phase in prop::sample::select(vec![Phase::Cold, Phase::Warmup, Phase::Measure, Phase::Measure, Phase::Measure]),
        outcome in prop::sample::select(Outcome::ALL.to_vec()),
        planned in 0..40 * S,
        // One that is out of all reason makes a timeline of hours: a few of them do.
        stamps in prop::collection::vec(prop::option::of(prop_oneof![30 => 0..60 * S, 1 => any::<u64>()]), 6),
        tokens in prop::collection::vec(prop::option::of(prop_oneof![0..5_u64, any::<u64>()]), 3),
        server in prop::collection::vec(prop::option::of(prop_oneof![0..S, any::<u64>()]), 6),
        labels in prop::collection::vec(prop::option::of(0..9_usize), 2),
        item in 0..80_usize,
    ) -> Sample {
        let at = |i: usize| stamps[i].map(Nanos);
        let mut row = sample(target, 0);
        row.stamps.planned = Nanos(planned);
        row.stamps.dispatched = at(0);
        row.stamps.sent = at(1);
        row.stamps.first_byte = at(2);
        row.stamps.first_token = at(3);
        row.stamps.last_token = at(4);
        row.stamps.end = at(5);
        Sample {
            phase, outcome, item,
            prompt_tokens: tokens[0], cached_tokens: tokens[1], output_tokens: tokens[2],
            server_total: server[0].map(Nanos), server_load: server[1].map(Nanos),
            server_prompt: server[2].map(Nanos), server_output: server[3].map(Nanos),
            itl_max: server[4].map(Nanos), gaps: server[4].map_or(Vec::new(), |longest| vec![(longest / 1000) as u32; 3]), shard: None, connect: server[5].map(Nanos),
            expected_label: labels[0], label: labels[1],
            ..row
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_samples_fold_to_finite_numbers(samples in prop::collection::vec(any_sample(), 0..120)) {
        let folded = summaries(&samples);
        for summary in &folded.targets {
            for row in &summary.rows {
                prop_assert!(floats(row).iter().all(|x| x.is_finite()), "{row:?}");
            }
            prop_assert_eq!(summary.value("requests"), Some(summary.requests() as f64));
        }
        for c in &folded.comparisons {
            let all = [c.target_value, c.reference_value, c.ratio, c.low, c.high];
            prop_assert!(all.iter().flatten().all(|x| x.is_finite()), "{c:?}");
            prop_assert!(c.verdict != Verdict::Undecided || c.reason.is_some());
        }
        assert_finite(&serde_json::to_value(&folded.timeline).unwrap(), "timeline");
    }

    #[test]
    fn the_order_of_samples_moves_nothing_but_rounding(
        samples in prop::collection::vec(any_sample(), 1..80),
        turn in 0..80_usize,
    ) {
        let mut other = samples.clone();
        other.rotate_left(turn % samples.len());
        other.reverse();
        // Two steps of the last digit that is kept: what is cut at six decimals may fall on either side of one.
        let near = |a: f64, b: f64| (a - b).abs() <= 2e-6 * a.abs().max(b.abs()).max(1.0);
        let (a, b) = (summaries(&samples), summaries(&other));
        for (a, b) in a.targets.iter().zip(&b.targets) {
            prop_assert_eq!(&a.outcomes, &b.outcomes);
            prop_assert_eq!(a.window, b.window);
            // Labels of equal number are told apart by arrival, so agreement may differ here; real numbers are unique.
            for (a, b) in a.rows.iter().zip(&b.rows).filter(|(a, _)| a.metric != "agreement") {
                prop_assert_eq!(&a.metric, &b.metric);
                let (x, y) = (floats(a), floats(b));
                // Means and deviations near the top of u64 lose more than their last digits.
                let huge = a.max.or(a.mean).is_some_and(|most| most > 1e12);
                prop_assert!(huge || x.len() == y.len() && x.iter().zip(&y).all(|(x, y)| near(*x, *y)), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values(
        values in prop::collection::vec(1_000.0..1e11_f64, 1..400),
        q in 0.01..1.0_f64,
    ) {
        let mut all = Distribution::default();
        values.iter().for_each(|v| all.record(v.round()));
        let mut sorted: Vec<f64> = values.iter().map(|v| v.round()).collect();
        sorted.sort_by(f64::total_cmp);
        let rank = (q * sorted.len() as f64 - 1e-9).ceil().max(1.0) as usize;
        let (got, want) = (all.quantile(q).unwrap(), sorted[rank.min(sorted.len()) - 1]);
        prop_assert!((got / want - 1.0).abs() <= 1e-3, "{got} {want}");
    }

    #[test]
    fn wilson_holds_its_estimate_inside_zero_and_one(n in 1..5000_u64, part in 0.0..=1.0_f64, trusted in 1..9000_u64) {
        let value = (part * n as f64).round() / n as f64;
        let got = wilson(value, n, trusted).unwrap();
        prop_assert!(0.0 <= got.low && got.low <= value && value <= got.high && got.high <= 1.0);
        prop_assert!(got.low < got.high);
        // Less trust, wider interval.
        let less = wilson(value, n, (trusted / 2).max(1)).unwrap();
        prop_assert!(less.high - less.low >= got.high - got.low - 1e-12);
    }

    #[test]
    fn newcombe_holds_the_difference_and_turns_round(a in 0..=50_u64, b in 0..=80_u64) {
        let (a, b) = (wilson(a as f64 / 50.0, 50, 50).unwrap(), wilson(b as f64 / 80.0, 80, 80).unwrap());
        let (low, high) = newcombe(a, b);
        prop_assert!(-1.0 - 1e-12 <= low && low <= a.value - b.value && a.value - b.value <= high && high <= 1.0 + 1e-12);
        let (turned_low, turned_high) = newcombe(b, a);
        prop_assert!((low + turned_high).abs() < 1e-12 && (high + turned_low).abs() < 1e-12);
    }
}

#[test]
fn the_same_samples_give_the_same_bytes() {
    let plan = plan(Task::Generate, false);
    let text = |folded: &Folded| {
        serde_json::to_string(&(&folded.targets, &folded.comparisons, &folded.timeline, &folded.histograms)).unwrap()
    };
    assert_eq!(text(&folded(&plan)), text(&folded(&plan)));
}

/// Two targets that are truly alike are called different about as often as the intervals allow, and targets with a true
/// ratio of 0.6 have it inside the interval and are called better.
#[test]
fn ratio_intervals_cover_the_truth() {
    let plan = plan(Task::Generate, false);
    let mut covered = std::collections::BTreeMap::<String, (u32, u32, u32, u32)>::new();
    let rounds = 12;
    for (ms, truth) in [(20.0, 1.0), (12.0, 0.6)] {
        for round in 0..rounds {
            let mut fold = Fold::new(&plan, 60);
            for target in 0..2 {
                fold.window(target, 0, Nanos(3 * S), Some(Nanos(23 * S)));
            }
            closed_loop(&plan, 0, ms, 0.3, 1000 + round).iter().for_each(|row| fold.push(row));
            let mut other = closed_loop(&plan, 1, 20.0, 0.3, 5000 + round);
            other.iter_mut().for_each(|row| row.outcome = Outcome::Ok);
            other.iter().for_each(|row| fold.push(row));
            for c in fold.finish().comparisons.iter().filter(|c| c.unit == unit::MICROS) {
                let entry = covered.entry(format!("{} {truth}", c.metric)).or_default();
                let (Some(low), Some(high)) = (c.low, c.high) else {
                    // Independent groups look dependent now and then: counted as neither.
                    entry.3 += 1;
                    continue;
                };
                assert!(c.blocks.is_some_and(|units| (6..=64).contains(&units)), "{c:?}");
                entry.0 += u32::from((low..=high).contains(&truth));
                entry.1 += u32::from(c.verdict == Verdict::Better);
                entry.2 += u32::from(c.verdict == Verdict::Worse);
            }
        }
    }
    for (metric, (inside, better, worse, without)) in covered {
        assert!(without <= 3, "{metric}: {without} of {rounds} have no interval");
        // Of 12 at 95 %: 8 or more in all but two of ten thousand.
        assert!(inside + without >= 8, "{metric}: {inside} of {rounds}");
        if metric.ends_with(" 1") {
            assert!(better + worse <= 3, "{metric}: {better} better, {worse} worse of {rounds}");
        } else {
            assert!(better + without >= 11 && worse == 0, "{metric}: {better} better of {rounds}");
        }
    }
}

#[test]
fn whatever_was_not_measured_is_not_there() {
    let folded = folded(&plan(Task::Embed, false));
    let native = &folded.targets[0];
    for metric in ["ttft", "itl", "tpot", "accuracy", "agreement", "output_tokens", "cached_share"] {
        assert!(native.row(metric).is_none(), "{metric}");
    }
    assert_eq!(native.value("output_tokens_per_s"), None);
    assert!(native.value("prompt_tokens_per_s").is_some());
    assert_eq!(native.value("dimensions"), Some(384.0));
    assert!(native.value("cosine.p50").is_some_and(|c| c > 0.99));
    assert!(folded.targets[1].row("cosine").is_none());
}

#[test]
fn only_measured_requests_enter_a_summary() {
    let folded = folded(&plan(Task::Classify, false));
    let native = &folded.targets[0];
    assert!(native.value("latency.max").unwrap() < 200_000.0);
    assert_eq!(native.value("cold_latency"), Some(949_970.0));
    assert_eq!(native.value("cold_server_load"), Some(900_000.0));
    assert!(native.value("warmup_requests").unwrap() > 100.0);
    let rate = native.value("requests_per_s").unwrap();
    assert!((rate - native.answered() as f64 / 20.0).abs() < 1.0, "{rate}");
    assert_eq!(folded.comparisons.iter().find(|c| c.metric == "latency.p50").unwrap().verdict, Verdict::Better);
}
