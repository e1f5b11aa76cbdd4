//! Intervals: how far off an estimate may be. All are two-sided, 95 %.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal, StudentsT};

/// The 97.5 % point of the standard normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate itself.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Observations the estimate rests on.
    pub n: u64,
}

/// Wilson's score interval of a proportion (JASA 22, 1927, p. 209): `value` seen in `n` observations.
///
/// `trusted` is the number of independent observations, at most `n`; the interval rests on it, `n` is only reported.
/// `None` without observations.
pub fn wilson(value: f64, n: u64, trusted: u64) -> Option<Estimate> {
    let (low, high) = wilson_at(Z, value, trusted.min(n) as f64)?;
    Some(Estimate { value, low, high, n })
}

/// Wilson's score interval that reaches `z` standard errors to each side, of `trusted` independent observations.
pub fn wilson_at(z: f64, value: f64, trusted: f64) -> Option<(f64, f64)> {
    if trusted <= 0.0 || !(0.0..=1.0).contains(&value) {
        return None;
    }
    let (m, z2) = (trusted, z * z);
    let middle = (value + z2 / (2.0 * m)) / (1.0 + z2 / m);
    let half = z / (1.0 + z2 / m) * (value * (1.0 - value) / m + z2 / (4.0 * m * m)).sqrt();
    // Rounding may push the ends past the estimate at 0 and 1, where they meet it exactly.
    Some(((middle - half).clamp(0.0, value), (middle + half).clamp(value, 1.0)))
}

/// Newcombe's interval of the difference of two proportions, a - b, from their Wilson intervals (method 10 of
/// Statistics in Medicine 17, 1998, p. 873).
pub fn newcombe(a: Estimate, b: Estimate) -> (f64, f64) {
    let difference = a.value - b.value;
    let below = ((a.value - a.low).powi(2) + (b.high - b.value).powi(2)).sqrt();
    let above = ((a.high - a.value).powi(2) + (b.value - b.low).powi(2)).sqrt();
    (difference - below, difference + above)
}

/// Interval of the ratio of two proportions by the delta method on its logarithm (Katz and others, Biometrics 34, 1978,
/// p. 469): var = (1 - a) / (a n) + (1 - b) / (b m). `None` where a proportion is zero.
pub fn proportion_ratio(a: Estimate, trusted_a: u64, b: Estimate, trusted_b: u64) -> Option<(f64, f64)> {
    if a.value <= 0.0 || b.value <= 0.0 || trusted_a == 0 || trusted_b == 0 {
        return None;
    }
    let part = |p: f64, n: u64| (1.0 - p) / (p * n as f64);
    let half = Z * (part(a.value, trusted_a) + part(b.value, trusted_b)).sqrt();
    let middle = (a.value / b.value).ln();
    Some(((middle - half).exp(), (middle + half).exp()))
}

/// The point below which Student's t with `free` degrees of freedom lies with probability `q`.
pub fn t_quantile(q: f64, free: f64) -> Option<f64> {
    Some(StudentsT::new(0.0, 1.0, free).ok()?.inverse_cdf(q)).filter(|t| t.is_finite())
}

/// The probability that Student's t lies above `t`.
pub(super) fn t_above(t: f64, free: f64) -> Option<f64> {
    Some(StudentsT::new(0.0, 1.0, free).ok()?.sf(t)).filter(|p| p.is_finite())
}

/// The probability that a standard normal lies above `z`.
pub(super) fn normal_above(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// Interval of a mean: Student's t over the effective number of rows.
pub(super) fn mean_interval(mean: f64, sd: f64, effective: f64) -> Option<(f64, f64)> {
    let half = t_quantile(0.975, effective - 1.0).filter(|_| effective >= 2.0)? * sd / effective.sqrt();
    Some((mean - half, mean + half))
}

/// Interval of a rate from its values in units of a run (stretches of time, or blocks): Student's t over their logarithms,
/// laid around the rate as a whole. `None` with fewer than three units, or where one has no rate.
pub(super) fn rate_interval(rate: f64, units: &[f64]) -> Option<(f64, f64)> {
    let n = units.len() as f64;
    if units.len() < 3 || units.iter().any(|x| *x <= 0.0) {
        return None;
    }
    let logs: Vec<f64> = units.iter().map(|x| x.ln()).collect();
    let mean = logs.iter().sum::<f64>() / n;
    let sd = (logs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let half = t_quantile(0.975, n - 1.0)? * sd / n.sqrt();
    Some((rate * (-half).exp(), rate * half.exp())).filter(|(low, high)| low.is_finite() && high.is_finite())
}

/// The shares of the ordered rows between which the true `q` quantile lies, from order statistics: ranks of the binomial
/// distribution of `effective` rows (Conover, Practical Nonparametric Statistics, 3rd ed., 3.2; Hahn and Meeker,
/// Statistical Intervals, 5.2). `None` where no rank is high or low enough: the rows can't carry an interval.
pub fn quantile_interval(q: f64, effective: f64) -> Option<(f64, f64)> {
    // Whole rows, rounded down: a part of a row carries nothing.
    let n = effective.floor() as u64;
    let binomial = Binomial::new(q, n).ok().filter(|_| n > 0)?;
    // The interval from rank l to rank u covers with probability P(l <= X < u): at most 2.5 % are given away on each side.
    let low = first(n, |rank| binomial.cdf(rank) > 0.025);
    let high = first(n, |rank| binomial.cdf(rank) >= 0.975) + 1;
    (low >= 1 && high <= n).then(|| (low as f64 / n as f64, high as f64 / n as f64))
}

/// The first of 0 to `n` that a condition holds for, which stays true once it is; `n` if it doesn't.
fn first(n: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut from, mut to) = (0, n);
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) { to = middle } else { from = middle + 1 }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-5
    }

    #[test]
    fn wilson_matches_published_figures() {
        // (successes, n, low, high): Newcombe, Statistics in Medicine 17, 1998, p. 857, table I, method 3.
        for (k, n, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let got = wilson(f64::from(k) / n as f64, n, n).unwrap();
            assert!(near(got.low, low) && near(got.high, high), "{k} of {n}: {got:?}");
        }
        assert_eq!(wilson(0.5, 0, 0), None);
        // 0 failures of 1000 still allows 0.38 % (measuring.md 8).
        assert!(near(wilson(0.0, 1000, 1000).unwrap().high, 0.0038));
    }

    #[test]
    fn newcombe_matches_published_figures() {
        // 56/70 against 48/80: 0.0524 to 0.3339 (Newcombe 1998, p. 873, table II, row a, method 10).
        let side = |k: f64, n: u64| wilson(k / n as f64, n, n).unwrap();
        let (low, high) = newcombe(side(56.0, 70), side(48.0, 80));
        assert!(near(low, 0.0524) && near(high, 0.3339), "{low} {high}");
        // 10/10 against 0/20: 0.6791 to 1 (row e).
        let (low, high) = newcombe(side(10.0, 10), side(0.0, 20));
        assert!(near(low, 0.6791) && near(high, 1.0), "{low} {high}");
    }

    #[test]
    fn a_ratio_of_proportions_needs_both() {
        let side = |k: f64| wilson(k / 100.0, 100, 100).unwrap();
        let (low, high) = proportion_ratio(side(80.0), 100, side(40.0), 100).unwrap();
        // sqrt(0.2/80 + 0.6/40) = 0.1323; 2 exp(-+ 1.96 * 0.1323).
        assert!(near(low, 1.54320) && near(high, 2.59201), "{low} {high}");
        assert_eq!(proportion_ratio(side(0.0), 100, side(40.0), 100), None);
    }

    #[test]
    fn the_mean_of_effective_rows() {
        // t(3) 3.182446 x 1 / 2.
        let (low, high) = mean_interval(5.0, 1.0, 4.0).unwrap();
        assert!(near(low, 5.0 - 1.591_223) && near(high, 5.0 + 1.591_223), "{low} {high}");
        assert_eq!(mean_interval(5.0, 1.0, 1.9), None);
        assert!(mean_interval(5.0, 1.0, 2.0).is_some());
    }

    #[test]
    fn a_rate_is_as_sure_as_its_units_are_alike() {
        assert_eq!(rate_interval(5.0, &[5.0, 5.0, 5.0]), Some((5.0, 5.0)));
        // Logs -0.1, 0, 0.1: sd 0.1; t(2) 4.302653 x 0.1 / sqrt 3 = 0.248414.
        let (low, high) = rate_interval(10.0, &[(-0.1_f64).exp(), 1.0, 0.1_f64.exp()]).unwrap();
        assert!(near(low / 10.0, (-0.248_414_f64).exp()) && near(high / 10.0, 0.248_414_f64.exp()), "{low} {high}");
        assert_eq!((rate_interval(5.0, &[5.0, 5.0]), rate_interval(5.0, &[5.0, 0.0, 5.0])), (None, None));
    }

    #[test]
    fn quantiles_have_an_interval_from_the_published_numbers_of_rows_on() {
        for (q, n) in [(0.5, 6.0), (0.9, 36.0), (0.95, 72.0), (0.99, 368.0), (0.999, 3688.0)] {
            assert!(quantile_interval(q, n).is_some(), "{q} {n}");
            assert_eq!(quantile_interval(q, n - 0.001), None, "{q} {n}");
        }
        // At 1,000 rows the interval of p99 is the 983rd to the 997th value.
        let (low, high) = quantile_interval(0.99, 1000.9).unwrap();
        assert!(near(low, 0.983) && near(high, 0.997), "{low} {high}");
        // At 10 the median's is the 2nd to the 9th (Conover's table: P = 0.979).
        assert_eq!(quantile_interval(0.5, 10.0), Some((0.2, 0.9)));
        assert_eq!(quantile_interval(0.5, 0.0), None);
    }

    #[test]
    fn published_points_of_the_distributions() {
        assert!(near(t_quantile(0.975, 9.0).unwrap(), 2.262_157) && near(t_above(2.262_157, 9.0).unwrap(), 0.025));
        assert!(near(normal_above(1.959_964), 0.025));
        assert_eq!(t_quantile(0.975, 0.0), None);
    }
}
