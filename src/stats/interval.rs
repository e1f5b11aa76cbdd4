//! Intervals: how far off an estimate may be. All are two-sided, 95 %.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The 97.5 % point of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

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
    let trust = trusted.min(n);
    if trust == 0 || !(0.0..=1.0).contains(&value) {
        return None;
    }
    let (m, z2) = (trust as f64, Z * Z);
    let middle = (value + z2 / (2.0 * m)) / (1.0 + z2 / m);
    let half = Z / (1.0 + z2 / m) * (value * (1.0 - value) / m + z2 / (4.0 * m * m)).sqrt();
    // Rounding may push the ends past the estimate at 0 and 1, where they meet it exactly.
    Some(Estimate { value, low: (middle - half).clamp(0.0, value), high: (middle + half).clamp(value, 1.0), n })
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

/// Interval of a ratio from the logarithms of the ratio in separate blocks of time: Student's t on their mean, K - 1
/// degrees of freedom (measuring.md 8, "separate blocks as the unit"; batch means, Law, Simulation Modeling and
/// Analysis, 9.5.3). `None` for fewer than two blocks, or a logarithm that isn't finite.
pub fn log_ratio_interval(logs: &[f64]) -> Option<(f64, f64)> {
    if logs.len() < 2 || logs.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let k = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / k;
    let variance = logs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (k - 1.0);
    let half = StudentsT::new(0.0, 1.0, k - 1.0).ok()?.inverse_cdf(0.975) * (variance / k).sqrt();
    let (low, high) = ((mean - half).exp(), (mean + half).exp());
    (low.is_finite() && high.is_finite()).then_some((low, high))
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
    fn the_t_interval_of_blocks() {
        // Mean 0, sd 1 of four: 3.1824 * 1 / 2.
        let logs = [-1.0, 1.0, -1.0, 1.0].map(|x: f64| x * 0.75_f64.sqrt());
        let (low, high) = log_ratio_interval(&logs).unwrap();
        assert!(near(low.ln(), -1.59122) && near(high.ln(), 1.59122), "{low} {high}");
        assert_eq!(log_ratio_interval(&[0.1]), None);
        assert_eq!(log_ratio_interval(&[0.1, f64::NEG_INFINITY]), None);
    }
}
