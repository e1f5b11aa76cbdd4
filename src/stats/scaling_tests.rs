use super::*;
use crate::record::{Nanos, Outcome};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};

fn law(n: f64, lambda: f64, sigma: f64, kappa: f64) -> f64 {
    lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
}

/// Three rounds over six levels.
fn runs(truth: [f64; 3], noise: f64, seed: u64) -> Vec<(f64, f64)> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let factor = LogNormal::new(0.0, noise).unwrap();
    let levels = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
    let one = |n: f64, draw: &mut ChaCha8Rng| (n, law(n, truth[0], truth[1], truth[2]) * factor.sample(draw));
    (0..3).flat_map(|_| levels).map(|n| one(n, &mut draw)).collect()
}

#[test]
fn the_law_is_found_again() {
    let usl = fit_usl(&runs([40.0, 0.05, 0.002], 0.0, 1)).unwrap();
    for (bounds, want) in [(usl.lambda, 40.0), (usl.sigma, 0.05), (usl.kappa, 0.002)] {
        assert!((bounds.value / want - 1.0).abs() < 1e-6, "{usl:?}");
        assert!(bounds.low.unwrap() <= want && bounds.high.unwrap() >= want, "{usl:?}");
    }
    let peak = usl.peak.unwrap();
    assert!((peak.value - (0.95_f64 / 0.002).sqrt()).abs() < 1e-3 && usl.r2 > 0.999_999, "{usl:?}");
    assert!((usl.at(16.0) / law(16.0, 40.0, 0.05, 0.002) - 1.0).abs() < 1e-6);
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let truth = [40.0, 0.08, 0.002];
    let (mut held, mut peaks) = ([0_u32; 3], 0_u32);
    for seed in 0..120 {
        let usl = fit_usl(&runs(truth, 0.04, seed)).unwrap();
        for (at, (bounds, want)) in [usl.lambda, usl.sigma, usl.kappa].into_iter().zip(truth).enumerate() {
            held[at] += u32::from(!bounds.beyond(want));
        }
        peaks += u32::from(usl.peak.is_none_or(|peak| !peak.beyond((0.92_f64 / 0.002).sqrt())));
    }
    // 95 % of 120 is 114; within 4 standard deviations (2.4 each).
    assert!(held.iter().all(|n| *n >= 104) && peaks >= 104, "{held:?} {peaks}");
}

#[test]
fn at_a_bound_nothing_is_made_up() {
    // Perfect scaling: neither contention nor coherence, and no peak is claimed.
    let usl = fit_usl(&runs([40.0, 0.0, 0.0], 0.01, 7)).unwrap();
    assert!(usl.sigma.low == Some(0.0) && usl.sigma.value < 0.02 && usl.kappa.low == Some(0.0), "{usl:?}");
    // One slot: users only queue, X(N) = λ.
    let usl = fit_usl(&runs([40.0, 1.0, 0.0], 0.01, 8)).unwrap();
    assert!(usl.sigma.value > 0.95 && usl.sigma.value <= 1.0 && usl.sigma.high.unwrap() <= 1.0, "{usl:?}");
    let few = fit_usl(&[(1.0, 10.0), (2.0, 18.0), (4.0, 30.0), (4.0, 31.0)]).unwrap_err();
    assert!(few.contains("needs 4 levels of concurrency, and has 3"), "{few}");
}

#[test]
fn fairness_is_jains() {
    let sample = |user: u32, ms: u64| {
        let mut sample = crate::stats::fixture::sample(0, 0);
        (sample.user, sample.outcome) = (user, Outcome::Ok);
        sample.stamps.sent = Some(Nanos(0));
        sample.stamps.end = Some(Nanos(ms * 1_000_000));
        sample
    };
    let of = |rows: &[(u32, u64)]| {
        let mut users = Users::default();
        rows.iter().for_each(|(user, ms)| users.push(&sample(*user, *ms)));
        users
    };
    assert!((of(&[(0, 10), (1, 10), (1, 10), (2, 10)]).jain().unwrap() - 1.0).abs() < 1e-12);
    // Rates 1 and 1/3: (4/3)² / (2 x 10/9) = 0.8.
    let uneven = of(&[(0, 10), (1, 30), (1, 30)]);
    assert!((uneven.jain().unwrap() - 0.8).abs() < 1e-12);
    assert_eq!((uneven.slowest_us(), uneven.mean_us()), (Some(30_000.0), Some(20_000.0)));
    assert_eq!(Users::default().jain(), None);
}
