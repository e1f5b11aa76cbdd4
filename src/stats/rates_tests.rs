use super::*;
use crate::record::Nanos;
use crate::stats::fixture::{MS, S, sample};
use crate::stats::slots::{Loop, Slots};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 5e-4 * b.abs().max(1.0)
}

/// A window of `seconds` in which an answer of 10 ms ends at each of these instants, in seconds; an open loop's.
fn window(seconds: u64, at: &[f64]) -> Slots {
    let mut slots = Slots::new(Loop::Open);
    slots.window(Nanos(S), Some(Nanos(S + seconds * S)));
    for (n, at) in at.iter().enumerate() {
        let mut row = sample(0, n as u64);
        let end = S + (at * S as f64) as u64;
        let begin = end.saturating_sub(10 * MS).max(S);
        row.stamps.planned = Nanos(begin);
        (row.stamps.sent, row.stamps.end) = (Some(Nanos(begin)), Some(Nanos(end)));
        slots.see(Nanos(begin), Nanos(end));
        slots.work(&row, false);
        slots.push(&row);
    }
    slots
}

/// The rate and its interval.
fn told(slots: Slots) -> (f64, f64, f64) {
    let (whole, blocks) = (slots.whole(), BTreeMap::from([(0, slots)]));
    let value = whole.per_second(|work| work.answers).unwrap();
    let mut rows = vec![Row::total(&crate::metrics::REQUESTS_PER_S, 1, Some(value))];
    intervals(&mut rows, &Batches::new(&blocks), &whole);
    (value, rows[0].low.unwrap(), rows[0].high.unwrap())
}

#[test]
fn a_count_bounds_what_was_to_be_expected_as_garwood_has_it() {
    // Garwood's table: none, 1, 10, 50 counted.
    for (count, low, high) in
        [(0.0, 0.0, 3.6889), (1.0, 0.0253, 5.5716), (10.0, 4.7954, 18.3904), (50.0, 37.1110, 65.9190)]
    {
        let told = counted(count, ALIKE).unwrap();
        let times = if count > 0.0 { count } else { 1.0 };
        assert!(near(told.0 * times, low) && near(told.1 * times, high), "{count}: {told:?}");
    }
    // Many: 1.96 standard errors.
    let (low, high) = counted(40_000.0, ALIKE).unwrap();
    assert!((low - (1.0 - 1.96 / 200.0)).abs() < 1e-4 && (high - (1.0 + 1.96 / 200.0)).abs() < 1e-4, "{low} {high}");
    // Of answers that differ, as many say less.
    let unlike = counted(10.0, Weights { square: 2.0, largest: 4.0 }).unwrap();
    assert!(unlike.0 < 0.47954 && unlike.1 > 1.83904, "{unlike:?}");
}

#[test]
fn a_rate_far_from_a_bound_is_never_a_matter_of_chance() {
    // Seventy answers a second for 30 s, evenly.
    let even: Vec<f64> = (0..2100).map(|n| f64::from(n) / 70.0).collect();
    let (value, low, high) = told(window(30, &even));
    assert!((value / 70.0 - 1.0).abs() < 0.01 && low > 69.0 && high < 71.0, "{value} {low} {high}");
    // One that drifts all along: three thirds, and wide. Still no 1.
    let drifts: Vec<f64> = (0..2100).map(|n| 30.0 * (f64::from(n) / 2100.0).sqrt()).collect();
    let (value, low, high) = told(window(30, &drifts));
    assert!(low > 1.0 && low < 0.7 * value && high > 1.4 * value, "{value} {low} {high}");
}

#[test]
fn few_answers_are_counted_and_none_bound_a_rate() {
    // Five answers in 100 s, evenly: Garwood's 1.6235 to 11.668.
    let (value, low, high) = told(window(100, &[10.0, 30.0, 50.0, 70.0, 90.0]));
    assert!(near(value, 0.05) && low <= 0.0163 && (0.1166..0.13).contains(&high), "{value} {low} {high}");
    // All at once: the stretches scatter more than that.
    let (_, low, high) = told(window(100, &[90.0, 90.1, 90.2, 90.3, 90.4]));
    assert!(low < 1e-9 && high > 0.15, "{low} {high}");
    // An engine that stopped halfway.
    let half: Vec<f64> = (0..700).map(|n| f64::from(n) / 70.0).collect();
    let (value, low, high) = told(window(20, &half));
    assert!((value / 35.0 - 1.0).abs() < 0.01 && low < 20.0 && high > 50.0, "{value} {low} {high}");
    // Nothing in 60 s: at most 3.689 were to be expected.
    let mut nothing = Slots::new(Loop::Open);
    nothing.window(Nanos(0), Some(Nanos(60 * S)));
    nothing.see(Nanos(0), Nanos(59 * S));
    let (value, low, high) = told(nothing);
    assert!(value == 0.0 && low == 0.0 && near(high, 3.6889 / 60.0), "{value} {low} {high}");
}

#[test]
fn the_interval_holds_the_true_rate() {
    // Exponential gaps, 0.2 to 20 a second over 30 s: 6 answers to 600.
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for rate in [0.2, 1.0, 20.0] {
        let runs = 200;
        let held = (0..runs).filter(|_| {
            let (mut at, mut all) = (0.0, Vec::new());
            loop {
                at -= (1.0 - random.random::<f64>()).ln() / rate;
                if at >= 30.0 {
                    break;
                }
                all.push(at);
            }
            if all.is_empty() {
                return true;
            }
            let (_, low, high) = told(window(30, &all));
            (low..=high).contains(&rate)
        });
        let held = held.count();
        assert!(held >= 182, "{rate}: {held} of {runs}");
    }
}

proptest! {
    #[test]
    fn an_interval_lies_around_its_rate(ends in prop::collection::vec(0.02_f64..29.9, 1..80)) {
        let mut ends = ends;
        ends.sort_by(f64::total_cmp);
        let (value, low, high) = told(window(30, &ends));
        prop_assert!(0.0 <= low && low <= value && value <= high, "{} {} {}", low, value, high);
    }
}
