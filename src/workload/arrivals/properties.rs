//! What the instants of an open loop must be, whatever the seed and the rates.

use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn open(fields: &str) -> OpenSpec {
    serde_json::from_str(&format!("{{{fields}}}")).unwrap()
}

fn build(fields: &str, seed: u64) -> Arrivals {
    Arrivals::build(&open(fields), None, seed).unwrap()
}

fn seconds(list: &[Nanos]) -> Vec<f64> {
    list.iter().map(|at| at.seconds()).collect()
}

/// Mean and coefficient of variation of the gaps.
fn gaps(list: &[Nanos]) -> (f64, f64) {
    let gaps: Vec<f64> = list.windows(2).map(|pair| pair[1].since(pair[0]).seconds()).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / (gaps.len() - 1) as f64;
    (mean, variance.sqrt() / mean)
}

const KINDS: [&str; 6] = [
    r#""arrivals": "constant""#,
    r#""arrivals": "poisson""#,
    r#""arrivals": "gamma", "burstiness": 0.25"#,
    r#""arrivals": "gamma", "burstiness": 4"#,
    r#""arrivals": "bursts", "burst": {"size": 5, "gap": "3ms"}"#,
    r#""arrivals": "bursts", "burst": {"size": 3}"#,
];

fn any_rates() -> impl Strategy<Value = String> {
    let number = 0u32..80;
    let stage = (number.clone(), number.clone(), 1u64..900)
        .prop_map(|(a, b, ms)| format!(r#"{{"from": {a}, "rate": {b}, "duration": "{ms}ms"}}"#));
    prop_oneof![
        (1u32..400, 200u64..3000).prop_map(|(rate, ms)| format!(r#""rate": {rate}, "duration": "{ms}ms""#)),
        (number.clone(), 1u32..80, 500u64..3000)
            .prop_map(|(a, b, ms)| format!(r#""ramp": {{"from": {a}, "to": {b}}}, "duration": "{ms}ms""#)),
        proptest::collection::vec(stage, 1..5).prop_map(|list| format!(r#""stages": [{}]"#, list.join(","))),
    ]
}

proptest! {
    #[test]
    fn arrivals_are_in_order_and_inside_their_windows(rates in any_rates(), kind in 0..KINDS.len(), seed: u64, ms in 0u64..900) {
        let spec = open(&format!(r#"{rates}, {}, "warmup": "{ms}ms""#, KINDS[kind]));
        // A thin rate may leave a short window empty, and that is told.
        if let Ok(arrivals) = Arrivals::build(&spec, None, seed) {
            for (list, window) in [(arrivals.measure(), spec.window()), (arrivals.warmup(), spec.warmup)] {
                prop_assert!(list.is_sorted());
                prop_assert!(list.iter().all(|at| *at < Nanos::from(window.0)));
            }
            prop_assert_eq!(&arrivals, &Arrivals::build(&spec, None, seed).unwrap());
            prop_assert_eq!(arrivals.first(), 0);
        }
    }

    #[test]
    fn blocks_are_the_whole_list_each_in_a_window_of_its_own(rates in any_rates(), kind in 0..KINDS.len(), seed: u64, of in 1u32..12) {
        let spec = open(&format!("{rates}, {}", KINDS[kind]));
        if let Ok(whole) = Arrivals::build(&spec, None, seed) {
            let (mut all, mut end) = (Vec::new(), Nanos(0));
            for number in 0..of {
                let (from, to) = Arrivals::stretch(number, of, spec.window());
                prop_assert_eq!(from, end);
                end = to;
                let block = whole.block(number, of, Span::default(), spec.window()).unwrap();
                prop_assert_eq!(block.first(), all.len() as u64);
                prop_assert!(block.measure().iter().all(|at| from + *at < to));
                prop_assert!(block.warmup().is_empty());
                all.extend(block.measure().iter().map(|at| from + *at));
            }
            prop_assert_eq!(end, Nanos::from(spec.window().0));
            prop_assert_eq!(all.as_slice(), whole.measure());
        }
    }
}

#[test]
fn stretches_are_equal_to_a_nanosecond() {
    let window = Span(Duration::from_nanos(10));
    let edges: Vec<(u64, u64)> =
        (0..3).map(|n| Arrivals::stretch(n, 3, window)).map(|(from, to)| (from.0, to.0)).collect();
    assert_eq!(edges, [(0, 3), (3, 6), (6, 10)]);
}

/// Rate and spread of each kind, over 40,000 requests: the mean within five standard errors or so of each.
#[test]
fn the_mean_rate_and_the_spread_of_the_gaps_are_those_asked_for() {
    let within = [(1e-9, 0.0, 1e-9), (0.02, 1.0, 0.03), (0.05, 2.0, 0.1), (0.015, 0.5, 0.015)];
    for (kind, (rate_within, spread, spread_within)) in KINDS.into_iter().zip(within) {
        for seed in [1, 2, 3] {
            let list = build(&format!(r#""rate": 400, "duration": "100s", {kind}"#), seed);
            let number = list.measure().len() as f64;
            assert!((number / 40_000.0 - 1.0).abs() <= rate_within, "{kind}: {number}");
            let (mean, cv) = gaps(list.measure());
            assert!((mean * 400.0 - 1.0).abs() <= rate_within, "{kind}: {mean}");
            assert!((cv - spread).abs() <= spread_within, "{kind}: {cv}");
        }
    }
}

/// A stream that began with a whole gap would hold (CV² - 1) / 2 requests more, here 4.5 in 20.
#[test]
fn short_windows_of_gamma_arrivals_hold_their_number_too() {
    let spec = open(r#""rate": 20, "duration": "1s", "arrivals": "gamma", "burstiness": 0.1"#);
    let total: usize = (0..4000).map(|seed| Arrivals::build(&spec, None, seed).map_or(0, |a| a.measure().len())).sum();
    let mean = total as f64 / 4000.0;
    assert!((mean - 20.0).abs() < 1.2, "{mean}");
}

#[test]
fn a_metronome_beats_from_the_opening_on() {
    let list = build(r#""rate": 4, "duration": "1s", "warmup": "600ms", "arrivals": "constant""#, 1);
    assert_eq!(seconds(list.measure()), [0.0, 0.25, 0.5, 0.75]);
    assert_eq!(seconds(list.warmup()), [0.0, 0.25, 0.5]);
    // Three tenths of a second are no binary fraction: nothing may leave at the window's very end.
    let list = build(r#""rate": 10, "duration": "300ms", "arrivals": "constant""#, 1);
    assert_eq!(list.measure().len(), 3);
}

#[test]
fn a_ramp_holds_as_many_as_the_area_under_it() {
    for (kind, within) in [("constant", 1.0), ("poisson", 300.0)] {
        let fields = format!(r#""ramp": {{"from": 100, "to": 500}}, "duration": "100s", "arrivals": "{kind}""#);
        let list = seconds(build(&fields, 5).measure());
        for t in [25.0, 50.0, 75.0, 100.0] {
            let expected = 100.0 * t + 2.0 * t * t;
            let counted = list.partition_point(|at| *at < t) as f64;
            assert!((counted - expected).abs() <= within, "{kind}, {t} s: {counted} for {expected}");
        }
    }
}

#[test]
fn stages_follow_each_other_and_silence_is_kept() {
    let fields = r#""stages": [{"rate": 10, "duration": "1s"}, {"rate": 0, "duration": "2s"}, {"rate": 4, "duration": "1s"}],
                    "arrivals": "constant", "warmup": "500ms""#;
    let list = build(fields, 1);
    let within = |from, to| seconds(list.measure()).iter().filter(|at| (from..to).contains(*at)).count();
    assert_eq!([within(0.0, 1.0), within(1.0, 3.0), within(3.0, 4.0)], [10, 0, 4]);
    assert_eq!(list.warmup().len(), 5, "at the rate the window begins with");
}

#[test]
fn a_burst_is_so_many_requests_so_far_apart_and_is_cut_at_the_windows_end() {
    let spec = open(r#""rate": 50, "duration": "200s", "arrivals": "bursts", "burst": {"size": 10, "gap": "1ms"}"#);
    let list = Arrivals::build(&spec, None, 8).unwrap();
    assert!((list.measure().len() as f64 / 10_000.0 - 1.0).abs() < 0.15, "{}", list.measure().len());
    // About a thousand bursts; the gaps within them are exact, nine of ten where none overlaps.
    let exact = list.measure().windows(2).filter(|pair| pair[1].since(pair[0]) == Nanos(1_000_000)).count();
    assert!(exact > 7500 && exact < 9 * 1100, "{exact}");
    let lone = open(r#""rate": 10, "duration": "10s", "arrivals": "bursts", "burst": {"size": 4, "gap": "1h"}"#);
    let lone = Arrivals::build(&lone, None, 8).unwrap();
    assert!(
        lone.measure().len() > 8 && lone.measure().len() < 60,
        "only the firsts are inside: {}",
        lone.measure().len()
    );
    let together = build(r#""rate": 60, "duration": "10s", "arrivals": "bursts", "burst": {"size": 3}"#, 8);
    assert!(together.measure().chunks(3).all(|burst| burst.len() == 3 && burst[0] == burst[2]));
    let longest =
        open(r#""rate": 10, "duration": "10s", "arrivals": "bursts", "burst": {"size": 9999, "gap": "5000000h"}"#);
    let _ = Arrivals::build(&longest, None, 8);
}

/// The first instants of one list, so that the stream never changes unnoticed: with another, every kept seed would mean
/// another workload.
#[test]
fn a_seed_keeps_its_meaning() {
    let told = |fields: &str| {
        let list = build(&format!(r#""rate": 100, "duration": "1s", "warmup": "100ms", {fields}"#), 42);
        (
            list.measure()[..4].iter().map(|at| at.0).collect::<Vec<_>>(),
            list.warmup()[..2].iter().map(|at| at.0).collect::<Vec<_>>(),
        )
    };
    insta::assert_compact_debug_snapshot!(told(KINDS[1]), @"([1796215, 9605873, 10823554, 30008985], [7969829, 21564594])");
    insta::assert_compact_debug_snapshot!(told(KINDS[2]), @"([2602630, 41597734, 46374181, 60635941], [16286776, 16333831])");
}

#[test]
fn seeds_warm_ups_and_blocks_are_drawn_apart() {
    let fields = r#""rate": 100, "duration": "2s", "warmup": "2s""#;
    let (one, two) = (build(fields, 1), build(fields, 2));
    assert_ne!(one.measure(), two.measure());
    assert_ne!(one.warmup(), two.warmup());
    assert_ne!(one.measure(), one.warmup());
    assert_eq!(build(r#""rate": 100, "duration": "2s""#, 1).measure(), one.measure(), "no warm-up changes the list");
    let second = Span(Duration::from_secs(2));
    let warm = |number| one.block(number, 2, second, second).unwrap().warmup().to_vec();
    assert_ne!(warm(0), warm(1));
    assert_ne!(warm(0), one.warmup());
    assert_eq!(warm(1), warm(1));
}

#[test]
fn the_hash_tells_lists_apart_and_where_the_warm_up_ends() {
    let (a, b) = (Nanos(1), Nanos(2));
    let hash = |warmup: &[Nanos], measure: &[Nanos]| Arrivals::at(warmup.to_vec(), measure.to_vec()).hash();
    let all = [hash(&[], &[]), hash(&[a], &[b]), hash(&[], &[a, b]), hash(&[a, b], &[]), hash(&[a], &[a])];
    for (i, one) in all.iter().enumerate() {
        assert!(one.len() == 64 && one.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(all[..i].iter().all(|other| other != one));
    }
    assert_eq!(hash(&[a], &[b]), hash(&[a], &[b]));
}

#[test]
fn a_blocks_warm_up_has_the_rate_its_stretch_begins_with() {
    let spec = open(r#""ramp": {"from": 0, "to": 1000}, "duration": "100s", "arrivals": "constant""#);
    let whole = Arrivals::build(&spec, None, 1).unwrap();
    let warm = |number| whole.block(number, 4, Span(Duration::from_secs(1)), spec.window()).unwrap().warmup().len();
    assert_eq!([warm(0), warm(1), warm(2), warm(3)], [0, 250, 500, 750]);
}

#[test]
fn a_trace_is_replayed_and_warmed_up_at_its_own_rate() {
    let recorded: Vec<f64> =
        (0..1000).map(|n| f64::from(n) * 0.01).chain((0..500).map(|n| 10.0 + f64::from(n) * 0.02)).collect();
    let trace = Trace::new(recorded, 2.0).unwrap();
    let spec = open(r#""trace": {"path": "a.csv", "speed": 2}, "warmup": "100s""#);
    let list = Arrivals::build(&spec, Some(&trace), 3).unwrap();
    assert_eq!(list.measure(), trace.offsets());
    // 1500 in 20 s, at twice the speed: 150 a second.
    assert!((list.warmup().len() as f64 / 15_000.0 - 1.0).abs() < 0.04, "{}", list.warmup().len());
    assert_ne!(list.warmup(), Arrivals::build(&spec, Some(&trace), 4).unwrap().warmup());
    let half = |number| list.block(number, 2, Span(Duration::from_secs(100)), trace.duration()).unwrap();
    assert!((half(0).warmup().len() as f64 / 20_000.0 - 1.0).abs() < 0.04, "{}", half(0).warmup().len());
    assert!((half(1).warmup().len() as f64 / 10_000.0 - 1.0).abs() < 0.04, "{}", half(1).warmup().len());
}

#[test]
fn too_many_and_none_at_all_are_told() {
    let error = |fields: &str| Arrivals::build(&open(fields), None, 1).unwrap_err();
    let many = error(r#""rate": 1000000, "duration": "11s""#);
    assert_eq!(many, "about 11000000 requests would be planned; the limit is 10000000");
    assert!(error(r#""rate": 1000000, "duration": "1s", "warmup": "10s""#).contains("11000000"));
    assert!(error(r#""rate": 0.001, "duration": "1ms""#).contains("no request falls"));
    assert!(error(r#""rate": 5, "duration": "1s", "arrivals": "gamma""#).contains("`burstiness`"));
    assert!(error(r#""rate": 5, "duration": "1s", "arrivals": "bursts""#).contains("`burst`"));
    let list = build(r#""rate": 1000, "duration": "1s""#, 1);
    let hours = Span(Duration::from_secs(20_000));
    assert!(list.block(0, 1, hours, Span(Duration::from_secs(1))).unwrap_err().contains("20000000"));
    assert_eq!(allowed(1e7), Ok(()));
}
