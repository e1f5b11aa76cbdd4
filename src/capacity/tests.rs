use super::*;
use crate::record::{Nanos, Outcome, Phase, Sample};
use crate::scenario::Slo;
use crate::stats::Window;
use crate::stats::fixture::{MS, S, sample};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A request planned after `at_ms` of the window, answered after `took_ms` (first token after half of it).
fn request(at_ms: u64, took_ms: u64) -> Sample {
    let mut row = sample(0, at_ms);
    row.stamps.planned = Nanos(S + at_ms * MS);
    row.stamps.sent = Some(Nanos(S + at_ms * MS));
    row.stamps.first_token = Some(Nanos(S + at_ms * MS + took_ms * MS / 2));
    row.stamps.end = Some(Nanos(S + (at_ms + took_ms) * MS));
    row
}

fn failed(at_ms: u64) -> Sample {
    Sample { outcome: Outcome::HttpStatus, ..request(at_ms, 1) }
}

fn show(slo: &Slo, seconds: u64, rows: impl IntoIterator<Item = Sample>, generator: Option<String>) -> Evidence {
    let mut gather = Gather::new(slo, true, Window { from: Nanos(S), to: Nanos(S + seconds * S) });
    rows.into_iter().for_each(|row| gather.push(&row));
    gather.finish(generator)
}

fn slo(text: &str) -> Slo {
    Slo::parse(text).unwrap().with_errors()
}

#[test]
fn rare_excursions_need_many_requests() {
    assert_eq!(requests_needed(&slo("latency.p99 <= 2s")), 8000);
    assert_eq!(requests_needed(&slo("latency.p95 <= 2s")), 1600);
    assert_eq!(requests_needed(&slo("errors <= 2%")), 0);
}

fn of(text: &str, rows: impl IntoIterator<Item = Sample>) -> (Evidence, Judged) {
    let slo = slo(text);
    let evidence = show(&slo, 2, rows, None);
    let judged = judge(&slo, &[&evidence], true);
    (evidence, judged)
}

/// A hundred a second for two seconds.
fn even(took: impl Fn(u64) -> u64) -> Vec<Sample> {
    (0..200).map(|i| request(i * 10, took(i))).collect()
}

#[test]
fn a_load_passes_by_every_limit_or_not_at_all() {
    let (evidence, judged) = of("latency.p95 <= 20ms and ttft.mean <= 6ms", even(|_| 10));
    assert_eq!((judged.certain, judged.leans_pass, judged.over_saturated), (Verdict::Pass, true, false), "{judged:?}");
    assert_eq!((evidence.requests, evidence.failed), (200, 0));
    assert!((evidence.achieved_per_s - 100.0).abs() < 1.0 && evidence.goodput_per_s == 100.0, "{evidence:?}");
    assert_eq!((evidence.shown[0].value, evidence.shown[1].value), (Some(10_000.0), Some(5_000.0)));
    let (_, judged) = of("latency.p95 <= 20ms and ttft.mean <= 4ms", even(|_| 10));
    assert_eq!((judged.certain, judged.reason.as_str()), (Verdict::Fail, "ttft.mean lies beyond its limit"));
    // One in ten is slow, in no order: of a p95 that is too many, of a p50 not.
    let tenth = || even(|i| if i % 10 == i / 10 % 10 { 30 } else { 10 });
    assert_eq!(of("latency.p95 <= 20ms", tenth()).1.certain, Verdict::Fail);
    assert_eq!(of("latency.p50 <= 20ms", tenth()).1.certain, Verdict::Pass);
    assert_eq!(of("latency.p90 <= 20ms", tenth()).1.certain, Verdict::CantTell);
    assert_eq!(of("goodput >= 80% and latency.p50 <= 20ms", tenth()).1.certain, Verdict::Pass);
    assert_eq!(of("goodput >= 99% and latency.p50 <= 20ms", tenth()).1.certain, Verdict::Fail);
}

#[test]
fn few_requests_tell_nothing_and_neighbours_that_wait_together_count_as_few() {
    let (_, judged) = of("latency.p95 <= 20ms", (0..20).map(|i| request(i * 100, 10)));
    assert_eq!((judged.certain, judged.likely), (Verdict::CantTell, Verdict::Pass));
    let (_, judged) = of("latency.p95 <= 20ms", (0..10).map(|i| request(i * 200, 10)));
    assert_eq!((judged.certain, judged.likely), (Verdict::CantTell, Verdict::CantTell));
    // All the slow ones in one stall: 7 % of the requests, and a single event.
    let (evidence, judged) = of("latency.p95 <= 20ms", even(|i| if (100..114).contains(&i) { 30 } else { 10 }));
    assert!(evidence.shown[0].n_eff < 60.0, "{:?}", evidence.shown[0]);
    assert_eq!((judged.certain, judged.leans_pass), (Verdict::CantTell, false));
}

#[test]
fn failures_are_beyond_every_percentile_and_are_counted() {
    let rows =
        || even(|_| 10).into_iter().enumerate().map(|(i, row)| if i % 8 == 3 { failed(i as u64 * 10) } else { row });
    let (evidence, judged) = of("latency.p95 <= 20ms and errors <= 50%", rows());
    assert_eq!((judged.certain, evidence.failed), (Verdict::Fail, 25), "{judged:?}");
    assert!(evidence.shown[0].infinite && evidence.shown[0].value.is_none());
    assert_eq!(of("latency.p50 <= 20ms", rows()).1.certain, Verdict::Fail, "errors are limited unasked");
    assert_eq!(of("latency.p50 <= 20ms and errors <= 20%", rows()).1.certain, Verdict::Pass);
    assert_eq!(of("latency.p50 <= 20ms", (0..200).map(|i| failed(i * 10))).1.certain, Verdict::Fail);
    let fine = even(|_| 10).into_iter().take(60);
    assert_eq!(of("latency.p50 <= 20ms", fine).1.certain, Verdict::Pass, "a few without an error will do");
}

#[test]
fn a_queue_that_grows_is_a_fail_though_no_limit_is_broken_yet() {
    // A server of 80 a second: each waits longer than the one before.
    let (evidence, judged) = of("latency.p95 <= 10s", even(|i| 10 + i * 5 / 2));
    assert!(judged.certain == Verdict::Fail && judged.over_saturated, "{judged:?}");
    assert!(judged.reason.contains("the queue grew") && evidence.achieved_per_s < 85.0, "{judged:?}");
    // In a closed loop nothing grows without end.
    let slo = slo("latency.p95 <= 10s");
    let closed = judge(&slo, &[&evidence], false);
    assert!(closed.certain != Verdict::Fail && !closed.over_saturated && closed.leans_pass, "{closed:?}");
    // What was never sent is the target's doing, too: as many are in flight as may be.
    let unsent = |i: u64| {
        let mut row = request(i * 10, 10);
        (row.stamps.sent, row.stamps.end, row.outcome) = (None, None, Outcome::Unsent);
        row
    };
    let rows = even(|_| 10).into_iter().take(199).chain([unsent(199)]);
    let (evidence, judged) = of("latency.p50 <= 10s", rows);
    assert_eq!((judged.certain, evidence.unsent, evidence.failed), (Verdict::Fail, 1, 1), "{judged:?}");
}

#[test]
fn what_the_generator_did_is_no_failure_of_the_target() {
    let slo = slo("latency.p95 <= 20ms");
    let late = |by_ms: u64| -> Vec<Sample> {
        let mut rows = even(|_| 30);
        rows.iter_mut().for_each(|row| row.stamps.sent = Some(Nanos(row.stamps.planned.0 + by_ms * MS)));
        rows
    };
    let judged =
        |by: u64, generator: Option<&str>| judge(&slo, &[&show(&slo, 2, late(by), generator.map(str::to_owned))], true);
    assert_eq!(judged(25, None).certain, Verdict::Fail);
    let excused = judged(25, Some("sent late"));
    assert_eq!((excused.certain, excused.generator.as_deref()), (Verdict::CantTell, Some("sent late")));
    assert_eq!(judged(5, Some("sent late")).certain, Verdict::Fail, "25 ms are the target's own");
    // A pass in spite of it is a pass.
    let kept = judge(&slo, &[&show(&slo, 2, even(|_| 10), Some("sent late".to_owned()))], true);
    assert_eq!((kept.certain, kept.generator), (Verdict::Pass, None));
}

#[test]
fn what_was_not_measured_is_said() {
    let mut rows = even(|_| 10);
    rows.iter_mut().for_each(|row| row.stamps.first_token = None);
    let (evidence, judged) = of("ttft.p95 <= 20ms", rows);
    assert_eq!(judged.unmeasured.as_deref(), Some("ttft.p95"));
    assert_eq!((judged.certain, judged.reason.as_str()), (Verdict::CantTell, "ttft.p95 was not measured"));
    assert_eq!(evidence.shown[0], Shown::default());
    // Rows outside the measured phase are no part of it.
    let mut warm = even(|_| 500);
    warm.iter_mut().for_each(|row| row.phase = Phase::Warmup);
    let (evidence, _) = of("latency.p95 <= 20ms", warm.into_iter().chain(even(|_| 10)));
    assert_eq!(evidence.requests, 200);
}

#[test]
fn loads_help_their_neighbours() {
    let slo = slo("latency.p20 <= 20ms");
    let few = |took: u64| Evidence { length: 4.0, ..show(&slo, 2, (0..50).map(|i| request(i * 40, took)), None) };
    let tried = |at: f64| Tried { folder: String::new(), at, attempt: 1 };
    let all = [tried(10.0), tried(20.0), tried(40.0), tried(80.0)];
    let told = levels(&slo, true, &all, &[few(10), few(10), few(30), few(30)]);
    let verdicts: Vec<Verdict> = told.iter().map(|level| level.judged.certain).collect();
    // Fifty are too few by themselves; with the fifty above them they do.
    assert_eq!(verdicts, [Verdict::Pass, Verdict::CantTell, Verdict::Fail, Verdict::Fail]);
}

/// A judge of a target whose capacity is known: surer the farther from it and the longer the probes.
fn opinion(at: f64, attempts: u32, truth: f64, noise: f64, random: &mut ChaCha8Rng) -> Judged {
    let units = f64::from((1_u32 << attempts.saturating_sub(1)).max(1));
    let normal: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    // On the boundary itself the load is sustained.
    let distance = if at <= truth { (at / truth).ln() - 1e-9 } else { (at / truth).ln() };
    let z = if noise == 0.0 { distance * 1e12 } else { distance / noise * units.sqrt() + normal };
    let verdict = |reach: f64| match z {
        z if z > reach => Verdict::Fail,
        z if z < -reach => Verdict::Pass,
        _ => Verdict::CantTell,
    };
    Judged {
        certain: verdict(1.96),
        likely: verdict(0.84),
        leans_pass: z <= 0.0,
        reason: String::new(),
        over_saturated: false,
        generator: None,
        unmeasured: None,
    }
}

/// Searches against such a judge; `after_fail` says that every probe right after a failed one fails, too.
fn search(reach: &Reach, truth: f64, noise: f64, after_fail: bool, seed: u64) -> (Vec<Level>, Ended, u32) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut levels, mut probes, mut hurt): (Vec<Level>, u32, bool) = (Vec::new(), 0, false);
    loop {
        match next(reach, &levels) {
            Next::Done(ended) => return (levels, ended, probes),
            Next::Probe { at, attempt } => {
                probes += 1;
                assert!(at >= reach.least && at <= reach.most, "{at} of {reach:?}");
                let known = levels.iter().position(|level| level.at == at);
                assert_eq!(attempt, known.map_or(0, |known| levels[known].attempts), "a load is counted on");
                let capacity = if after_fail && hurt { truth / 1.5 } else { truth };
                let judged = opinion(at, attempt + 1, capacity, noise, &mut random);
                hurt = judged.certain == Verdict::Fail;
                let level = Level { at, attempts: attempt + 1, judged };
                match known {
                    Some(known) => levels[known] = level,
                    None => levels.push(level),
                }
            }
        }
    }
}

const RATES: Reach = Reach { by: By::Rate, start: 10.0, least: 0.1, most: 100_000.0, precision: 0.03 };
const USERS: Reach = Reach { by: By::Users, start: 1.0, least: 1.0, most: 1024.0, precision: 0.03 };

#[test]
fn without_noise_the_boundary_is_found() {
    for truth in [0.3, 7.0, 10.0, 10.01, 99.9, 1234.5] {
        let (levels, ended, probes) = search(&RATES, truth, 0.0, false, 1);
        let found = boundary(&levels);
        assert_eq!(ended, Ended::Found, "{truth}");
        let (value, low, high) = (found.value.unwrap(), found.low.unwrap(), found.high.unwrap());
        assert!(low <= truth && truth <= high && high / low <= 1.0302 && probes < 25, "{truth}: {found:?}, {probes}");
        assert!((value / truth - 1.0).abs() < 0.016, "{truth}: {found:?}");
    }
    for truth in [1.0, 2.0, 3.0, 30.0, 37.0] {
        let (levels, ended, _) = search(&USERS, truth, 0.0, false, 1);
        let found = boundary(&levels);
        let gap = (truth * 0.03_f64).max(1.0);
        assert_eq!((ended, found.contradicted), (Ended::Found, false));
        assert!(found.low.unwrap() <= truth && found.high.unwrap() > truth, "{truth}: {found:?}");
        assert!(found.high.unwrap() - found.low.unwrap() <= gap + 1.0, "{truth}: {found:?}");
    }
}

#[test]
fn what_is_out_of_reach_has_one_end_only() {
    let (levels, ended, _) = search(&RATES, 1e9, 0.0, false, 1);
    let found = boundary(&levels);
    assert_eq!((ended, found.value, found.low, found.high), (Ended::AtMost, None, Some(100_000.0), None));
    let (levels, ended, _) = search(&RATES, 0.01, 0.0, false, 1);
    let found = boundary(&levels);
    assert_eq!((ended, found.value, found.low, found.high), (Ended::Never, None, None, Some(0.1)));
    let mut unmeasured = opinion(10.0, 1, 1.0, 0.0, &mut ChaCha8Rng::seed_from_u64(1));
    unmeasured.unmeasured = Some("ttft.p95".to_owned());
    assert_eq!(next(&RATES, &[Level { at: 10.0, attempts: 1, judged: unmeasured }]), Next::Done(Ended::Unmeasured));
    assert_eq!(boundary(&[]), Boundary::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_search_ends_and_stays_below_what_certainly_failed(
        truth in 0.05_f64..50_000.0, noise in 0.0_f64..0.3, seed in 0_u64..1000, users in any::<bool>(), hurt in any::<bool>(),
    ) {
        let reach = if users { USERS } else { RATES };
        let (levels, ended, probes) = search(&reach, truth, noise, hurt, seed);
        prop_assert!(probes <= PROBES, "{} probes, {:?}", probes, ended);
        let found = boundary(&levels);
        let certain = |verdict: Verdict| levels.iter().filter(move |l| l.judged.certain == verdict).map(|l| l.at);
        if let (Some(low), Some(high), Some(_)) = (found.low, found.high, found.value) {
            prop_assert!(low < high);
            let value = found.value.unwrap();
            prop_assert!(low <= value && value <= high);
            // Every load that certainly failed below the upper end lies below one that certainly passed, and is told so.
            let below = certain(Verdict::Fail).any(|at| at < high);
            prop_assert_eq!(below, found.contradicted);
        }
        if !found.contradicted {
            prop_assert!(certain(Verdict::Fail).all(|at| found.low.is_none_or(|low| at > low)));
            prop_assert!(certain(Verdict::Pass).all(|at| found.high.is_none_or(|high| at < high)));
        }
    }
}
