use super::*;
use crate::record::{Nanos, Outcome, Phase, Sample};
use crate::scenario::Slo;
use crate::stats::fixture::{MS, S, sample};
use crate::stats::{self, Window};
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

fn show(slo: &Slo, seconds: u64, rows: impl IntoIterator<Item = Sample>, generator: Option<String>) -> ProbeEvidence {
    let mut gather = ProbeFold::new(slo, true, Window { from: Nanos(S), to: Nanos(S + seconds * S) });
    rows.into_iter().for_each(|row| gather.push(&row));
    gather.finish(generator)
}

fn slo(text: &str) -> Slo {
    Slo::parse(text).unwrap().with_errors()
}

fn of(text: &str, rows: impl IntoIterator<Item = Sample>) -> (ProbeEvidence, JudgedLoad) {
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
    assert_eq!(
        (judged.certain, judged.leans_pass, judged.over_saturated),
        (LoadVerdict::Pass, true, false),
        "{judged:?}"
    );
    assert_eq!((evidence.requests, evidence.failed), (200, 0));
    assert!((evidence.achieved_per_s - 100.0).abs() < 1.0 && evidence.goodput_per_s == 100.0, "{evidence:?}");
    assert_eq!((evidence.shown[0].value, evidence.shown[1].value), (Some(10_000.0), Some(5_000.0)));
    let (_, judged) = of("latency.p95 <= 20ms and ttft.mean <= 4ms", even(|_| 10));
    assert_eq!((judged.certain, judged.reason.as_str()), (LoadVerdict::Fail, "ttft.mean is beyond its limit"));
    // One in ten is slow, in no order: of a p95 that is too many, of a p50 not.
    let tenth = || even(|i| if i % 10 == i / 10 % 10 { 30 } else { 10 });
    assert_eq!(of("latency.p95 <= 20ms", tenth()).1.certain, LoadVerdict::Fail);
    assert_eq!(of("latency.p50 <= 20ms", tenth()).1.certain, LoadVerdict::Pass);
    assert_eq!(of("latency.p90 <= 20ms", tenth()).1.certain, LoadVerdict::CantTell);
    assert_eq!(of("goodput >= 80% and latency.p50 <= 20ms", tenth()).1.certain, LoadVerdict::Pass);
    assert_eq!(of("goodput >= 99% and latency.p50 <= 20ms", tenth()).1.certain, LoadVerdict::Fail);
}

#[test]
fn few_requests_tell_nothing_and_neighbours_that_wait_together_count_as_few() {
    let (_, judged) = of("latency.p95 <= 20ms", (0..20).map(|i| request(i * 100, 10)));
    assert_eq!((judged.certain, judged.likely), (LoadVerdict::CantTell, LoadVerdict::Pass));
    let (_, judged) = of("latency.p95 <= 20ms", (0..10).map(|i| request(i * 200, 10)));
    assert_eq!((judged.certain, judged.likely), (LoadVerdict::CantTell, LoadVerdict::CantTell));
    // All the slow ones in one stall: 7 % of the requests, and a single event.
    let (evidence, judged) = of("latency.p95 <= 20ms", even(|i| if (100..114).contains(&i) { 30 } else { 10 }));
    assert!(evidence.shown[0].n_eff < 60.0, "{:?}", evidence.shown[0]);
    assert_eq!((judged.certain, judged.leans_pass), (LoadVerdict::CantTell, false));
}

#[test]
fn failures_are_beyond_every_percentile_and_are_counted() {
    let rows =
        || even(|_| 10).into_iter().enumerate().map(|(i, row)| if i % 8 == 3 { failed(i as u64 * 10) } else { row });
    let (evidence, judged) = of("latency.p95 <= 20ms and errors <= 50%", rows());
    assert_eq!((judged.certain, evidence.failed), (LoadVerdict::Fail, 25), "{judged:?}");
    assert!(evidence.shown[0].infinite && evidence.shown[0].value.is_none());
    assert_eq!(of("latency.p50 <= 20ms", rows()).1.certain, LoadVerdict::Fail, "errors are limited unasked");
    assert_eq!(of("latency.p50 <= 20ms and errors <= 20%", rows()).1.certain, LoadVerdict::Pass);
    assert_eq!(of("latency.p50 <= 20ms", (0..200).map(|i| failed(i * 10))).1.certain, LoadVerdict::Fail);
    let fine = even(|_| 10).into_iter().take(60);
    assert_eq!(of("latency.p50 <= 20ms", fine).1.certain, LoadVerdict::Pass, "a few without an error will do");
}

#[test]
fn a_queue_that_grows_is_a_fail_though_no_limit_is_broken_yet() {
    // A server of 80 a second: each waits longer than the one before.
    let (evidence, judged) = of("latency.p95 <= 10s", even(|i| 10 + i * 5 / 2));
    assert!(judged.certain == LoadVerdict::Fail && judged.over_saturated, "{judged:?}");
    assert!(judged.reason.contains("the queue grew") && evidence.achieved_per_s < 85.0, "{judged:?}");
    // In a closed loop nothing grows without end.
    let slo = slo("latency.p95 <= 10s");
    let closed = judge(&slo, &[&evidence], false);
    assert!(closed.certain != LoadVerdict::Fail && !closed.over_saturated && closed.leans_pass, "{closed:?}");
    // What was never sent is the target's doing, too: as many are in flight as may be.
    let unsent = |i: u64| {
        let mut row = request(i * 10, 10);
        (row.stamps.sent, row.stamps.end, row.outcome) = (None, None, Outcome::Unsent);
        row
    };
    let rows = even(|_| 10).into_iter().take(199).chain([unsent(199)]);
    let (evidence, judged) = of("latency.p50 <= 10s", rows);
    assert_eq!((judged.certain, evidence.unsent, evidence.failed), (LoadVerdict::Fail, 1, 1), "{judged:?}");
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
    assert_eq!(judged(25, None).certain, LoadVerdict::Fail);
    let excused = judged(25, Some("send lag"));
    assert_eq!((excused.certain, excused.generator.as_deref()), (LoadVerdict::CantTell, Some("send lag")));
    assert_eq!(judged(5, Some("send lag")).certain, LoadVerdict::Fail, "25 ms are the target's own");
    // A pass in spite of it is a pass.
    let kept = judge(&slo, &[&show(&slo, 2, even(|_| 10), Some("send lag".to_owned()))], true);
    assert_eq!((kept.certain, kept.generator), (LoadVerdict::Pass, None));
}

#[test]
fn what_was_not_measured_is_said() {
    let mut rows = even(|_| 10);
    rows.iter_mut().for_each(|row| row.stamps.first_token = None);
    let (evidence, judged) = of("ttft.p95 <= 20ms", rows);
    assert_eq!(judged.unmeasured.as_deref(), Some("ttft.p95"));
    assert_eq!((judged.certain, judged.reason.as_str()), (LoadVerdict::CantTell, "ttft.p95 was not measured"));
    assert_eq!(evidence.shown[0], Shown::default());
    // Rows outside the measured phase are no part of it.
    let mut warm = even(|_| 500);
    warm.iter_mut().for_each(|row| row.phase = Phase::Warmup);
    let (evidence, _) = of("latency.p95 <= 20ms", warm.into_iter().chain(even(|_| 10)));
    assert_eq!(evidence.requests, 200);
}

#[test]
fn a_load_stands_for_what_its_probes_said_one_by_one() {
    let slo = slo("latency.p80 <= 20ms");
    let shows = |took: u64, n: u64| show(&slo, 2, (0..n).map(|i| request(i * 2000 / n, took)), None);
    let tried = |at: f64, long: bool| Tried { folder: String::new(), at, attempt: 0, long };
    let told = |all: &[(Tried, ProbeEvidence)]| -> Vec<LoadVerdict> {
        let (tried, evidence): (Vec<_>, Vec<_>) = all.iter().cloned().unzip();
        levels(&slo, true, &tried, &evidence).iter().map(|level| level.judged.certain).collect()
    };
    let few = || (tried(20.0, false), shows(10, 8));
    // Two that can't tell don't pass together, for nobody was told so.
    assert_eq!(told(&[few(), few()]), [LoadVerdict::CantTell]);
    let (pass, fail) = (|long| (tried(20.0, long), shows(10, 100)), |long| (tried(20.0, long), shows(30, 100)));
    assert_eq!(told(&[few(), pass(false)]), [LoadVerdict::Pass]);
    assert_eq!(told(&[pass(false), fail(false)]), [LoadVerdict::CantTell]);
    // A long one outweighs the short ones.
    assert_eq!(told(&[pass(false), fail(true)]), [LoadVerdict::Fail]);
    // And each probe's verdict in the document is what it shows by itself.
    let alone = judge(&slo, &[&shows(30, 100)], true);
    assert_eq!(alone.certain, LoadVerdict::Fail);
}

/// A judge of a target whose capacity is known: surer the farther from it and the longer the probes.
fn opinion(at: f64, attempts: u32, truth: f64, noise: f64, random: &mut ChaCha8Rng) -> JudgedLoad {
    let units = f64::from((1_u32 << attempts.saturating_sub(1)).max(1));
    let normal: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    // On the boundary itself the load is sustained.
    let distance = if at <= truth { (at / truth).ln() - 1e-9 } else { (at / truth).ln() };
    let z = if noise == 0.0 { distance * 1e12 } else { distance / noise * units.sqrt() + normal };
    let verdict = |reach: f64| match z {
        z if z > reach => LoadVerdict::Fail,
        z if z < -reach => LoadVerdict::Pass,
        _ => LoadVerdict::CantTell,
    };
    JudgedLoad {
        certain: verdict(1.96),
        plain: verdict(3.29),
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
        match next(reach, &levels, None) {
            Next::Done(ended) => return (levels, ended, probes),
            Next::Probe { at, attempt, long } => {
                probes += 1;
                assert!(at >= reach.least && at <= reach.most, "{at} of {reach:?}");
                let known = levels.iter().position(|level| level.at == at);
                assert_eq!(attempt, known.map_or(0, |known| levels[known].attempts), "a load is counted on");
                let capacity = if after_fail && hurt { truth / 1.5 } else { truth };
                let before = known.map_or(0, |known| levels[known].long);
                let longs = before + u32::from(long);
                let judged = opinion(at, if longs > 0 { longs + 2 } else { 1 }, capacity, noise, &mut random);
                hurt = judged.certain == LoadVerdict::Fail;
                let level = Level { at, attempts: attempt + 1, long: longs, judged };
                match known {
                    Some(known) => levels[known] = level,
                    None => levels.push(level),
                }
            }
        }
    }
}

fn found_by(reach: &Reach, levels: &[Level]) -> Boundary {
    boundary(&slo("latency.p95 <= 20ms"), reach.by, levels, None, 0.0)
}

const RATES: Reach = Reach { by: By::Rate, start: 10.0, least: 0.1, most: 100_000.0, precision: 0.03 };
const USERS: Reach = Reach { by: By::Users, start: 1.0, least: 1.0, most: 1024.0, precision: 0.03 };

#[test]
fn without_noise_the_boundary_is_found() {
    for truth in [0.3, 7.0, 10.0, 10.01, 99.9, 1234.5] {
        let (levels, ended, probes) = search(&RATES, truth, 0.0, false, 1);
        let found = found_by(&RATES, &levels);
        assert_eq!(ended, Ended::Found, "{truth}");
        let (value, low, high) = (found.value.unwrap(), found.low.unwrap(), found.high.unwrap());
        assert!(low <= truth && truth <= high && high / low <= 1.0302 && probes < 25, "{truth}: {found:?}, {probes}");
        assert!((value / truth - 1.0).abs() < 0.016, "{truth}: {found:?}");
    }
    for truth in [1.0, 2.0, 3.0, 30.0, 37.0] {
        let (levels, ended, _) = search(&USERS, truth, 0.0, false, 1);
        let found = found_by(&USERS, &levels);
        let gap = (truth * 0.03_f64).max(1.0);
        assert_eq!((ended, found.contradicted), (Ended::Found, false));
        assert!(found.low.unwrap() <= truth && found.high.unwrap() > truth, "{truth}: {found:?}");
        assert!(found.high.unwrap() - found.low.unwrap() <= gap + 1.0, "{truth}: {found:?}");
    }
}

#[test]
fn what_is_out_of_reach_has_one_end_only() {
    let (levels, ended, _) = search(&RATES, 1e9, 0.0, false, 1);
    let found = found_by(&RATES, &levels);
    assert_eq!((ended, found.value, found.low, found.high), (Ended::AtMost, None, Some(100_000.0), None));
    let (levels, ended, _) = search(&RATES, 0.01, 0.0, false, 1);
    let found = found_by(&RATES, &levels);
    assert_eq!((ended, found.value, found.low, found.high), (Ended::Never, None, None, Some(0.1)));
    let mut unmeasured = opinion(10.0, 1, 1.0, 0.0, &mut ChaCha8Rng::seed_from_u64(1));
    unmeasured.unmeasured = Some("ttft.p95".to_owned());
    assert_eq!(
        next(&RATES, &[Level { at: 10.0, attempts: 1, long: 0, judged: unmeasured }], None),
        Next::Done(Ended::Unmeasured)
    );
    assert_eq!(found_by(&RATES, &[]), Boundary::default());
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
        let found = found_by(&reach, &levels);
        let certain = |verdict: LoadVerdict| {
            levels.iter().filter(move |l| (l.long > 0 || users) && l.judged.certain == verdict).map(|l| l.at)
        };
        if let (Some(low), Some(high), Some(_)) = (found.low, found.high, found.value) {
            prop_assert!(low < high);
            let value = found.value.unwrap();
            prop_assert!(low <= value && value <= high);
            // Every load that certainly failed below the upper end lies below one that certainly passed, and is told so.
            let below = certain(LoadVerdict::Fail).any(|at| at < high);
            prop_assert_eq!(below, found.contradicted);
            prop_assert_eq!(found.basis, Basis::Bracket);
        }
        if !found.contradicted {
            prop_assert!(certain(LoadVerdict::Fail).all(|at| found.low.is_none_or(|low| at > low)));
            prop_assert!(certain(LoadVerdict::Pass).all(|at| found.high.is_none_or(|high| at < high)));
        }
    }
}

/// A long probe with so many requests, of which a share is beyond a limit of 20 ms, spread evenly.
fn shared(n: u64, share: f64) -> ProbeEvidence {
    let slo = slo("latency.p95 <= 20ms");
    let slow = |i: u64| (i as f64 * share).floor() < ((i + 1) as f64 * share).floor();
    show(&slo, 100, (0..n).map(|i| request(i * 100_000 / n, if slow(i) { 30 } else { 10 })), None)
}

/// The share beyond the limit at a load, where 5 % are beyond it at a load of 100.
fn logistic(at: f64) -> f64 {
    1.0 / (1.0 + (-((0.05_f64 / 0.95).ln() + 25.0 * (at / 100.0).ln())).exp())
}

#[test]
fn all_long_probes_together_find_the_boundary_of_shares() {
    let slo = slo("latency.p95 <= 20ms");
    let probe = |at: f64| (at, shared(4000, logistic(at)));
    let all: Vec<(f64, ProbeEvidence)> = [94.0, 96.0, 98.0, 101.0, 103.0, 106.0].map(probe).to_vec();
    let of = |all: &[(f64, ProbeEvidence)]| {
        fit(&slo, false, &all.iter().map(|(at, evidence)| (*at, evidence)).collect::<Vec<_>>())
    };
    let found = of(&all).expect("a fit");
    let (low, high) = (found.low.expect("an end"), found.high.expect("an end"));
    assert!((found.value - 100.0).abs() < 0.3 && (found.slope - 25.0).abs() < 1.5, "{found:?}");
    assert!(found.firm && low < 99.9 && high > 100.1 && low > 98.0 && high < 102.0, "{found:?}");
    // Five are too few to tell an interval, and so are short ones.
    assert!(!of(&all[..5]).expect("a fit").firm);
    let few: Vec<(f64, ProbeEvidence)> = all.iter().map(|(at, _)| (*at, shared(400, logistic(*at)))).collect();
    assert!(!of(&few).expect("a fit").firm);
    // Where nothing is broken, or the generator was late, nothing is fitted.
    assert_eq!(of(&all[..3]), None);
    let late = |(at, evidence): &(f64, ProbeEvidence)| {
        (*at, ProbeEvidence { generator: Some("late".to_owned()), ..evidence.clone() })
    };
    assert_eq!(of(&all.iter().map(late).collect::<Vec<_>>()), None);
    // A queue that grew counts as beyond the limit, whatever the probe saw of it.
    let grew = ProbeEvidence { queue: (1..=20).map(|i| f64::from(i) * 20.0).collect(), ..shared(4000, 0.0) };
    let pair = [(90.0, &shared(4000, 0.0)), (110.0, &grew)];
    let found = fit(&slo, true, &pair).expect("a fit");
    assert!(found.value > 88.0 && found.value < 112.0, "{found:?}");
    assert_eq!(fit(&slo, false, &pair), None, "in a closed loop nothing grows without end");
}

#[test]
fn an_interval_comes_before_a_bracket_and_what_has_neither_says_what_it_takes() {
    let slo = slo("latency.p95 <= 20ms");
    let fit = Fit { value: 7.4, low: Some(6.3), high: Some(8.9), slope: 20.0, firm: true, requests: 20_000.0 };
    let judged = |certain: LoadVerdict| JudgedLoad {
        certain,
        plain: certain,
        likely: certain,
        leans_pass: certain == LoadVerdict::Pass,
        reason: String::new(),
        over_saturated: false,
        generator: None,
        unmeasured: None,
    };
    let level = |at: f64, certain: LoadVerdict| Level { at, attempts: 1, long: 1, judged: judged(certain) };
    let ends = [level(6.0, LoadVerdict::Pass), level(9.0, LoadVerdict::Fail)];
    let found = boundary(&slo, By::Users, &ends, Some(&fit), 100.0);
    assert_eq!((found.basis, found.value, found.low, found.high), (Basis::Interval, Some(7.0), Some(6.0), Some(8.0)));
    let loose = Fit { firm: false, ..fit };
    let found = boundary(&slo, By::Users, &ends, Some(&loose), 100.0);
    assert_eq!((found.basis, found.value, found.low, found.high), (Basis::Bracket, Some(6.0), Some(6.0), Some(9.0)));
    assert_eq!(found.needs_s.map(f64::round), Some(280.0));
    let unsure = [level(6.0, LoadVerdict::Pass), level(9.0, LoadVerdict::CantTell)];
    let found = boundary(&slo, By::Rate, &unsure, None, 2.0);
    assert_eq!((found.basis, found.low, found.high, found.known()), (Basis::Rough, Some(6.0), None, false));
    // Ten thousand requests at two a second, and what goes with them.
    assert_eq!(found.needs_s.map(f64::round), Some(7000.0));
}

#[test]
fn a_ratio_has_one_of_four_verdicts() {
    let of = |basis: Basis, value: f64, low: f64, high: f64| Boundary {
        value: Some(value),
        low: Some(low),
        high: Some(high),
        sure_low: Some(low),
        sure_high: Some(high),
        basis,
        ..Boundary::default()
    };
    let verdict = |a: &Boundary, b: &Boundary, by: By| ratio(0, (a, b), by, 0.02);
    let sure = |value: f64, part: f64| of(Basis::Interval, value, value * (1.0 - part), value * (1.0 + part));
    let told = verdict(&sure(104.0, 0.015), &sure(100.0, 0.015), By::Rate);
    // The worst case of both would reach from 1.01; the interval of the quotient is narrower.
    assert!(told.interval && told.low.unwrap() > 1.0175 && told.high.unwrap() < 1.0625, "{told:?}");
    assert_eq!(told.verdict, stats::Verdict::Undecided);
    assert_eq!(verdict(&sure(110.0, 0.015), &sure(100.0, 0.015), By::Rate).verdict, stats::Verdict::Better);
    assert_eq!(verdict(&sure(90.0, 0.015), &sure(100.0, 0.015), By::Rate).verdict, stats::Verdict::Worse);
    assert_eq!(verdict(&sure(100.1, 0.008), &sure(100.0, 0.008), By::Rate).verdict, stats::Verdict::Equal);
    // Six users and seven no longer, against three and four no longer: twice as many.
    let (six, three) = (of(Basis::Bracket, 6.0, 6.0, 7.0), of(Basis::Bracket, 3.0, 3.0, 4.0));
    let told = verdict(&six, &three, By::Users);
    assert_eq!((told.ratio, told.low, told.high, told.interval), (Some(2.0), Some(2.0), Some(2.0), false));
    assert_eq!(verdict(&six, &six, By::Users).verdict, stats::Verdict::Equal);
    // Of rates nothing is known between pass and fail.
    assert_eq!(verdict(&six, &six, By::Rate).verdict, stats::Verdict::Undecided);
    // One end still bounds one side.
    let least = Boundary { sure_low: Some(8.0), ..Boundary::default() };
    assert_eq!(verdict(&least, &three, By::Users).verdict, stats::Verdict::Better);
    assert_eq!(verdict(&Boundary::default(), &three, By::Users).verdict, stats::Verdict::Undecided);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_fit_scales_with_the_loads_and_holds_its_own_estimate(scale in 0.001_f64..1000.0, shift in 0.97_f64..1.03) {
        let slo = slo("latency.p95 <= 20ms");
        let all: Vec<(f64, ProbeEvidence)> =
            [0.94, 0.97, 1.0, 1.03, 1.06].map(|at| (at * 100.0, shared(500, logistic(at * 100.0 * shift)))).to_vec();
        let of = |scale: f64| {
            let scaled: Vec<(f64, &ProbeEvidence)> = all.iter().map(|(at, evidence)| (at * scale, evidence)).collect();
            fit(&slo, false, &scaled).expect("a fit")
        };
        let (one, other) = (of(1.0), of(scale));
        prop_assert!((other.value / one.value / scale - 1.0).abs() < 1e-6, "{:?} {:?}", one, other);
        prop_assert!(one.low.is_none_or(|low| low <= one.value) && one.high.is_none_or(|high| high >= one.value), "{:?}", one);
    }
}
