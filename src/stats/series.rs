//! What a series of units says: stretches of time or blocks, each with the logarithm of a ratio. Rows wait in the same
//! queue and are no evidence of their own; units far enough apart are.

use super::interval::{chi_squared_quantile, t_above, t_quantile};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Fewest units an interval is taken over: below, the signed-rank test can show nothing either.
pub const LEAST_UNITS: usize = 6;
/// Units from which the bootstrap is used; a resample of fewer is too often of two or three different ones.
const BOOTSTRAP_FROM: usize = 12;
/// Resamples.
const RESAMPLES: usize = 1999;
/// One-sided point of the standard normal at which neighbouring units are joined (10 %): joining costs little.
const ALIKE: f64 = 1.281_551_565_544_600_5;
/// The point at which units that can't be joined any further are refused (1 %): a refusal costs the run.
const DEPENDENT: f64 = 2.326_347_874_040_841;
/// The true difference that a run should be long enough to show.
const WORTH_SHOWING: f64 = 0.05;

/// What a series of independent units comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The log ratio: the mean of the units'.
    pub centre: f64,
    /// Lower end of the 95 % interval, on the log scale.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Units the interval rests on, once dependent neighbours were joined.
    pub units: usize,
    /// Standard error of the centre.
    pub error: f64,
    /// p of the signed-rank test.
    pub rank_p: Option<f64>,
    /// Variance of a unit, dependence included; `None` where the units are of two runs made apart.
    pub variance: Option<f64>,
}

/// Neighbours depend on each other however many are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependent;

/// The von Neumann ratio as a standard normal under independence: positive for neighbours that are alike (von Neumann,
/// Annals of Mathematical Statistics 12(4), 1941; as Fishman and Yarberry use it, INFORMS J. on Computing 9(3), 1997).
fn alike(values: &[f64]) -> f64 {
    let k = values.len() as f64;
    let mean = values.iter().sum::<f64>() / k;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    if squares <= 0.0 || values.len() < 3 {
        return 0.0;
    }
    let steps: f64 = values.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
    (1.0 - steps / (2.0 * squares)) * ((k * k - 1.0) / (k - 2.0)).sqrt()
}

/// Joins neighbours by their means until they look independent, as LBATCH does; the remainder joins the last.
fn independent(logs: &[f64]) -> Result<Vec<f64>, Dependent> {
    let mut size = 1;
    loop {
        let joined = joined(logs, size);
        let last = logs.len() / (size + 1) < LEAST_UNITS;
        if joined.len() < LEAST_UNITS || last && alike(&joined) > DEPENDENT {
            return Err(Dependent);
        }
        if last || alike(&joined) <= ALIKE {
            return Ok(joined);
        }
        size += 1;
    }
}

/// The means of `size` neighbours each; the remainder joins the last.
fn joined(logs: &[f64], size: usize) -> Vec<f64> {
    let count = logs.len() / size;
    let part = |i: usize| &logs[i * size..if i + 1 == count { logs.len() } else { (i + 1) * size }];
    (0..count).map(|i| part(i).iter().sum::<f64>() / part(i).len() as f64).collect()
}

/// The evidence of a series of log ratios. `apart` says that the units were driven apart, each drained and warmed: then
/// they are independent by their making. Else dependent neighbours are joined, and what dependence is left widens the error
/// by sqrt((1 + r) / (1 - r)), r the units' correlation with their neighbours (first-order autoregression, as in ASAP3:
/// Steiger and others, ACM TOMACS 15(1), 2005).
///
/// From twelve units on the interval is a studentised bootstrap over the paired units (bootstrap-t: Hall, Annals of
/// Statistics 16(3), 1988; Davison and Hinkley, Bootstrap Methods, 1997, 5.2); below, Student's t with K - 1 degrees of
/// freedom, K - 2 where a correlation was looked for. Its centre is the units' mean and not the whole run's ratio: that one is ruled by the units with the longest
/// queues, which scatters more than the units tell (with bursts 14 % of equal engines' p95 were called different).
pub fn evidence(logs: &[f64], apart: bool, seed: u64) -> Option<Result<Evidence, Dependent>> {
    if logs.len() < LEAST_UNITS || logs.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let units = match if apart { Ok(logs.to_vec()) } else { independent(logs) } {
        Ok(units) => units,
        Err(dependent) => return Some(Err(dependent)),
    };
    let k = units.len() as f64;
    let centre = units.iter().sum::<f64>() / k;
    let left = if apart { 1.0 } else { inflation(&units) };
    let variance = units.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / (k - 1.0) * left;
    let error = (variance / k).sqrt();
    // One more degree of freedom is spent on the correlation.
    let t = t_quantile(0.975, if apart { k - 1.0 } else { k - 2.0 })?;
    let (below, above) =
        if units.len() >= BOOTSTRAP_FROM { bootstrap_t(&units, seed).unwrap_or((-t, t)) } else { (-t, t) };
    Some(Ok(Evidence {
        centre,
        low: centre - above * error,
        high: centre - below * error,
        units: units.len(),
        error,
        rank_p: super::rank::signed_rank(&units),
        variance: Some(variance),
    }))
}

/// Factor of the variance of a mean of units that resemble their neighbours; 1 where they don't.
fn inflation(units: &[f64]) -> f64 {
    let k = units.len() as f64;
    let mean = units.iter().sum::<f64>() / k;
    let squares: f64 = units.iter().map(|x| (x - mean).powi(2)).sum();
    if squares <= 0.0 {
        return 1.0;
    }
    let products: f64 = units.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    // The estimate lies 1 / K too low (Kendall and Stuart, The Advanced Theory of Statistics 3, 48.4).
    let r = (products / squares + 1.0 / k).clamp(0.0, 0.9);
    (1.0 + r) / (1.0 - r)
}

/// The 2.5 % and 97.5 % points of the studentised mean over resampled units.
fn bootstrap_t(units: &[f64], seed: u64) -> Option<(f64, f64)> {
    let k = units.len();
    let mean = units.iter().sum::<f64>() / k as f64;
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut told: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..k {
                let x = units[draw.random_range(0..k)] - mean;
                sum += x;
                squares += x * x;
            }
            let off = sum / k as f64;
            let variance = (squares - sum * off) / (k as f64 - 1.0);
            (variance > 0.0).then(|| off / (variance / k as f64).sqrt())
        })
        .collect();
    // Units that are all alike have no scatter to resample.
    if told.len() < RESAMPLES / 2 {
        return None;
    }
    told.sort_by(f64::total_cmp);
    // Places (B + 1) q, as Davison and Hinkley number them.
    let at = |q: f64| told[(((told.len() + 1) as f64 * q) as usize).clamp(1, told.len()) - 1];
    Some((at(0.025), at(0.975)))
}

/// Two-sided p that a log ratio lies no further from zero than the smallest effect: Student's t, K - 1 degrees of freedom.
pub fn p_beyond(centre: f64, error: f64, units: usize, smallest_effect: f64) -> Option<f64> {
    let beyond = centre.abs() - bound(centre, smallest_effect);
    if error <= 0.0 {
        return Some(if beyond > 0.0 { 0.0 } else { 1.0 });
    }
    Some((2.0 * t_above(beyond / error, units as f64 - 1.0)?).min(1.0))
}

/// The smallest effect on the log scale, on the side of the estimate: a ratio of 1 + e, or of 1 - e.
pub fn bound(centre: f64, smallest_effect: f64) -> f64 {
    if centre < 0.0 { -(-smallest_effect).ln_1p() } else { smallest_effect.ln_1p() }
}

/// Times as long a run would have to be for a true difference of [`worth_showing`] to be shown beyond the smallest effect
/// in nine runs of ten, at as many units of more rows each. `family` is the number of metrics that Holm corrects together.
///
/// A difference d is shown with power 0.975 if (ln(1 + d) - ln(1 + e)) / error is the sum of t's points at
/// 1 - 0.025 / family (Holm's first step, the strictest) and at 97.5 %. The variance is itself an estimate: its upper 95 %
/// bound, s² (K - 1) / chi²(5 %), is taken (Kieser and Wassmer, Biometrical Journal 38(8), 1996). Planned without
/// regard to Holm, and for 0.95, 80 to 88 % of runs of that length found it (`make truth`).
pub fn longer(evidence: &Evidence, smallest_effect: f64, family: usize) -> Option<f64> {
    let room = worth_showing(smallest_effect).ln_1p() - smallest_effect.ln_1p();
    let free = evidence.units as f64 - 1.0;
    let points = t_quantile(1.0 - 0.025 / family.max(1) as f64, free)? + t_quantile(0.975, free)?;
    let upper = evidence.variance? * free / chi_squared_quantile(0.05, free)?;
    Some(upper / evidence.units as f64 / (room / points).powi(2)).filter(|times| times.is_finite())
}

/// The true difference that a run should be long enough to show, as a share: `Comparison::needs` is told for it. Below the
/// smallest effect nothing is ever shown: then one half as large again is aimed at.
pub fn worth_showing(smallest_effect: f64) -> f64 {
    WORTH_SHOWING.max(smallest_effect * 1.5 + 0.01)
}

/// How many times as long as its first stage a run has to be, by [`stein`]; units that weren't driven `apart` are joined
/// until they look independent. `None` where they don't, or are too few.
pub fn times_as_long(first: &[f64], apart: bool, half: f64) -> Option<f64> {
    let units = if apart { first.to_vec() } else { independent(first).ok()? };
    Some(stein(&units, half)? as f64 / units.len() as f64)
}

/// Stein's two-stage rule: units needed in all for a 95 % interval of half width `half` on the log scale, from the scatter
/// of the first stage alone (Annals of Mathematical Statistics 16(3), 1945). Since nothing but that scatter decides, and it is
/// independent of the mean, stopping there doesn't raise the error rate.
fn stein(first: &[f64], half: f64) -> Option<usize> {
    let k = first.len();
    if k < LEAST_UNITS || half <= 0.0 || first.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let mean = first.iter().sum::<f64>() / k as f64;
    let variance = first.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (k as f64 - 1.0);
    let t = t_quantile(0.975, k as f64 - 1.0)?;
    let needed = (variance * (t / half).powi(2)).ceil();
    Some((needed.min(1e6) as usize).max(k))
}

/// Interval of the ratio of two runs made apart, from the logs of their units: Welch's t (Biometrika 34, 1947). Gives the
/// standard error and the degrees of freedom.
///
/// Each side's units are its logs, and whether they were driven apart.
pub fn welch(a: (&[f64], bool), b: (&[f64], bool)) -> Option<(f64, f64)> {
    let part = |units: &[f64]| {
        let k = units.len() as f64;
        let mean = units.iter().sum::<f64>() / k;
        (units.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (k - 1.0) / k, k)
    };
    let units = |(logs, apart): (&[f64], bool)| {
        let few = logs.len() < LEAST_UNITS || logs.iter().any(|x| !x.is_finite());
        if few {
            None
        } else if apart {
            Some(logs.to_vec())
        } else {
            independent(logs).ok()
        }
    };
    let (a, b) = (units(a)?, units(b)?);
    let ((va, ka), (vb, kb)) = (part(&a), part(&b));
    let all = va + vb;
    let free = if all > 0.0 { all * all / (va * va / (ka - 1.0) + vb * vb / (kb - 1.0)) } else { ka + kb - 2.0 };
    all.is_finite().then_some((all.sqrt(), free))
}

/// Holm's step-down correction: the adjusted p of each, in the order given (Scandinavian Journal of Statistics 6(2), 1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut most: f64 = 0.0;
    for (place, at) in order.into_iter().enumerate() {
        most = most.max(p[at] * (p.len() - place) as f64).min(1.0);
        adjusted[at] = most;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn neighbours_that_are_alike_are_told_from_those_that_are_not() {
        // 1..6: squares 17.5, steps 5: (1 - 5/35) sqrt(35/4).
        assert!(near(alike(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), (1.0 - 5.0 / 35.0) * (35.0_f64 / 4.0).sqrt()));
        assert!(alike(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]) < -1.9);
        assert_eq!(alike(&[1.0, 1.0, 1.0, 1.0]), 0.0);
        assert_eq!(alike(&[1.0, 2.0]), 0.0);
        // Three are enough: squares 42/9, steps 5.
        assert!(near(alike(&[1.0, 2.0, 4.0]), (1.0 - 5.0 / (2.0 * 42.0 / 9.0)) * 8.0_f64.sqrt()));
    }

    #[test]
    fn dependent_units_are_joined_until_they_are_not() {
        // Four equals in a row are alike; of their halves it can't be said.
        let fours: Vec<f64> = (0..32).map(|i| f64::from(1 - i / 4 % 2)).collect();
        let twos: Vec<f64> = (0..16).map(|i| f64::from(1 - i / 2 % 2)).collect();
        assert_eq!(independent(&fours), Ok(twos));
        // The remainder joins the last.
        let joined = independent(&[fours, vec![3.0]].concat()).unwrap();
        assert_eq!((joined.len(), joined[15]), (16, 1.0));
        let trend: Vec<f64> = (0..30).map(f64::from).collect();
        assert_eq!(independent(&trend), Err(Dependent));
        assert_eq!(independent(&[1.0, 0.0, 1.0, 0.0, 1.0]), Err(Dependent));
        // Units that can't be joined are refused at 1 %, not at 10 %: 1.5 and 2.5 of a standard normal.
        let some = [0.0, 1.0, 2.0, 2.0, 1.0, 1.0, 3.0, 3.0];
        assert!((ALIKE..DEPENDENT).contains(&alike(&some)), "{}", alike(&some));
        assert_eq!(independent(&some).map(|units| units.len()), Ok(8));
        assert!(alike(&trend[..8]) > DEPENDENT);
        assert_eq!(independent(&trend[..8]), Err(Dependent));
        assert_eq!(independent(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]).unwrap().len(), 6);
    }

    #[test]
    fn few_units_have_students_interval_around_their_mean() {
        let logs = [0.3, 0.1, 0.3, 0.1, 0.3, 0.1];
        let told = evidence(&logs, true, 1).unwrap().unwrap();
        // s² = 6 x 0.01 / 5; error sqrt(0.012/6); t(5) = 2.570582.
        assert!(near(told.centre, 0.2) && near(told.error, 0.002_f64.sqrt()), "{told:?}");
        assert!(
            near(told.high - 0.2, 2.570_582 * 0.002_f64.sqrt()) && near(0.2 - told.low, told.high - 0.2),
            "{told:?}"
        );
        assert_eq!((told.units, told.rank_p), (6, Some(0.03125)));
        assert!(evidence(&logs[..5], true, 1).is_none());
        assert!(evidence(&[0.1, 0.2, f64::NAN, 0.1, 0.1, 0.1], true, 1).is_none());
    }

    #[test]
    fn what_dependence_is_left_widens_the_error() {
        // Squares 10.875, products 3.578125: r = 0.329023 + 1/8.
        let some = [0.0, 1.0, 2.0, 2.0, 1.0, 1.0, 3.0, 3.0];
        let mean = 13.0 / 8.0;
        let squares: f64 = some.iter().map(|x: &f64| (x - mean).powi(2)).sum();
        let products: f64 = some.windows(2).map(|p| (p[0] - mean) * (p[1] - mean)).sum();
        let r = products / squares + 0.125;
        assert!(near(squares, 7.875) && near(inflation(&some), (1.0 + r) / (1.0 - r)), "{squares} {products}");
        let (dependent, apart) =
            (evidence(&some, false, 1).unwrap().unwrap(), evidence(&some, true, 1).unwrap().unwrap());
        assert!(near(dependent.error / apart.error, inflation(&some).sqrt()));
        // Eight units: t(7), and t(6) where one degree of freedom is spent on the correlation.
        assert!(near((apart.high - apart.centre) / apart.error, 2.364_624), "{apart:?}");
        assert!(near((dependent.high - dependent.centre) / dependent.error, 2.446_912), "{dependent:?}");
        assert_eq!(inflation(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]), 1.0);
        assert_eq!(inflation(&[1.0; 6]), 1.0);
        assert!(near(inflation(&(0..400).map(f64::from).collect::<Vec<_>>()), 19.0));
    }

    #[test]
    fn units_that_depend_are_refused_unless_they_were_driven_apart() {
        let trend: Vec<f64> = (0..12).map(|i| f64::from(i) * 0.01).collect();
        assert_eq!(evidence(&trend, false, 1), Some(Err(Dependent)));
        assert!(evidence(&trend, true, 1).unwrap().is_ok());
    }

    #[test]
    fn the_bootstrap_is_the_same_every_time_and_leans_with_the_skew() {
        let skewed: Vec<f64> = (0..16).map(|i| if i % 8 == 7 { 1.0 } else { f64::from(i % 4) * 0.01 }).collect();
        let one = evidence(&skewed, true, 7).unwrap().unwrap();
        assert_eq!(Some(Ok(one.clone())), evidence(&skewed, true, 7));
        assert_ne!(Some(Ok(one.clone())), evidence(&skewed, true, 8));
        // A long tail upwards: more room above than below.
        assert!(one.high - one.centre > 1.2 * (one.centre - one.low), "{one:?}");
        // Eleven units have Student's interval, which doesn't lean.
        let few = evidence(&skewed[5..], true, 7).unwrap().unwrap();
        assert!(near(few.high - few.centre, few.centre - few.low), "{few:?}");
        let (below, above) = bootstrap_t(&[1.0, -1.0].repeat(15), 3).unwrap();
        assert!((below + 2.05).abs() < 0.25 && (above - 2.05).abs() < 0.25, "{below} {above}");
        assert_eq!(bootstrap_t(&[1.0; 12], 3), None);
        // The same draws give the same points; the 2.5 % of a sample with one far above all others lies far below.
        insta::assert_compact_debug_snapshot!(bootstrap_t(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 40.0], 3), @"Some((-5.005809598739984, 1.4865182986170808))");
    }

    #[test]
    fn p_is_of_lying_beyond_the_smallest_effect() {
        // t(9) at 2.262157 leaves 2.5 % above.
        let error = 0.01;
        let centre = 0.02_f64.ln_1p() + 2.262_157 * error;
        assert!((p_beyond(centre, error, 10, 0.02).unwrap() - 0.05).abs() < 1e-6);
        let under = 0.98_f64.ln() - 2.262_157 * error;
        assert!((p_beyond(under, error, 10, 0.02).unwrap() - 0.05).abs() < 1e-6);
        assert_eq!(p_beyond(0.0, error, 10, 0.02), Some(1.0));
        assert_eq!((p_beyond(0.5, 0.0, 10, 0.02), p_beyond(0.01, 0.0, 10, 0.02)), (Some(0.0), Some(1.0)));
        assert!(near(bound(0.1, 0.02), 1.02_f64.ln()) && near(bound(-0.1, 0.02), -(0.98_f64.ln())));
    }

    #[test]
    fn a_run_is_told_how_much_longer_it_should_be() {
        let told =
            |units, variance| Evidence { centre: 0.0, low: 0.0, high: 0.0, units, error: 0.1, rank_p: None, variance };
        // K = 10: chi²(5 %, 9) = 3.325113, t(9) at 97.5 % 2.262157; at 1 - 0.025 / 5, 3.249836.
        let want = |room: f64, points: f64| 0.01 * 9.0 / 3.325_113 / 10.0 / (room / points).powi(2);
        let close = |got: Option<f64>, want: f64| (got.unwrap() / want - 1.0).abs() < 1e-5;
        let room = 1.05_f64.ln() - 1.02_f64.ln();
        assert!(close(longer(&told(10, Some(0.01)), 0.02, 1), want(room, 2.0 * 2.262_157)));
        assert!(close(longer(&told(10, Some(0.01)), 0.02, 5), want(room, 3.249_836 + 2.262_157)));
        assert_eq!(longer(&told(10, Some(0.01)), 0.02, 0), longer(&told(10, Some(0.01)), 0.02, 1));
        assert!(near(worth_showing(0.02), 0.05) && near(worth_showing(0.1), 0.16));
        let room = 1.16_f64.ln() - 1.1_f64.ln();
        assert!(close(longer(&told(10, Some(0.01)), 0.1, 1), want(room, 2.0 * 2.262_157)));
        // Two runs made apart: nothing is told of a longer one.
        assert_eq!(longer(&told(10, None), 0.02, 1), None);
    }

    #[test]
    fn steins_rule_needs_the_first_stages_scatter_alone() {
        let first = [0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.1, -0.1];
        // s² = 0.1/9, t(9)² = 5.117354: n = 0.0568595 / d².
        assert_eq!(stein(&first, 0.05), Some(23));
        assert_eq!(stein(&first, 0.5), Some(10));
        assert_eq!(stein(&[0.3; 6], 0.01), Some(6));
        assert_eq!((stein(&first[..5], 0.05), stein(&first, 0.0)), (None, None));
        assert_eq!(stein(&[f64::NAN; 6], 0.1), None);
        assert_eq!((times_as_long(&first, true, 0.05), times_as_long(&first, false, 0.5)), (Some(2.3), Some(1.0)));
        let trend: Vec<f64> = (0..10).map(|i| f64::from(i) * 0.01).collect();
        assert!(times_as_long(&trend, true, 0.05).is_some() && times_as_long(&trend, false, 0.05).is_none());
        assert_eq!(stein(&[1e9, -1e9, 1e9, -1e9, 1e9, -1e9], 1e-9), Some(1_000_000));
    }

    #[test]
    fn two_runs_made_apart_are_compared_by_welch() {
        let (a, b) = ([1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0]);
        let (error, free) = welch((&a, false), (&b, true)).unwrap();
        let (va, vb) = (0.3 / 6.0, 32.0 / 7.0 / 8.0);
        assert!(near(error, f64::sqrt(va + vb)), "{error}");
        let want = (va + vb) * (va + vb) / (va * va / 5.0 + vb * vb / 7.0);
        assert!(near(free, want), "{free} {want}");
        assert_eq!(welch((&[1.0; 6], true), (&[2.0; 6], true)), Some((0.0, 10.0)));
        assert_eq!(welch((&a[..5], true), (&b, true)), None);
        assert_eq!(welch((&[f64::NAN; 6], true), (&b, true)), None);
        let trend: Vec<f64> = (0..30).map(f64::from).collect();
        assert!(welch((&trend, true), (&b, true)).is_some() && welch((&trend, false), (&b, true)).is_none());
    }

    #[test]
    fn holm_steps_down_and_keeps_the_order() {
        // The textbook's example: 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, want) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!(near(*got, want), "{adjusted:?}");
        }
        assert_eq!(holm(&[0.9, 0.6]), [1.0, 1.0]);
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }
}
