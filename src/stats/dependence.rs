//! How far values resemble their neighbours, and what that makes of their number.

/// Largest correlation that is reckoned with.
const MOST_ALIKE: f64 = 0.95;

/// The correlation of values with those `lag` places further on, around their own mean; 0 where they don't scatter.
pub(super) fn seen(values: &[f64], lag: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    let products: f64 = values.iter().zip(values.iter().skip(lag)).map(|(a, b)| (a - mean) * (b - mean)).sum();
    if squares > 0.0 { products / squares } else { 0.0 }
}

/// The correlation of values with their neighbours, from what is seen of it in `n` of them around their own mean: from 0 on.
/// What is seen lies (1 + 3 r) / n too low (Kendall and Stuart, The Advanced Theory of Statistics 3, 48.4); of fewer than twelve
/// the second term is less sure than what it puts right, and is taken as of twelve.
pub(super) fn of_neighbours(seen: f64, n: f64) -> f64 {
    ((seen + 1.0 / n) / (1.0 - 3.0 / n.max(12.0))).clamp(0.0, MOST_ALIKE)
}

/// Factor of the variance of a mean of values whose correlation with their neighbours is `r`, and falls as its powers
/// (first-order autoregression, as in ASAP3: Steiger and others, ACM TOMACS 15(1), 2005).
pub(super) fn inflation(r: f64) -> f64 {
    (1.0 + r) / (1.0 - r)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture::autoregressive;

    #[test]
    fn what_is_seen_around_an_own_mean_is_put_right() {
        assert!((seen(&[0.0, 1.0, 2.0, 2.0, 1.0, 1.0, 3.0, 3.0], 1) - 2.109_375 / 7.875).abs() < 1e-9);
        assert_eq!((seen(&[1.0; 6], 1), seen(&[1.0], 1), seen(&[], 3)), (0.0, 0.0, 0.0));
        assert_eq!((of_neighbours(-1.0, 6.0), of_neighbours(0.99, 6.0)), (0.0, MOST_ALIKE));
        assert!((inflation(0.5) - 3.0).abs() < 1e-12 && inflation(0.0) == 1.0);
        // Twenty values of a correlation of 0.5, 500 times.
        let all = autoregressive(0.5, 10_000);
        let told: f64 = all.chunks(20).map(|part| seen(part, 1)).sum::<f64>() / 500.0;
        assert!(told < 0.42, "{told}");
        assert!((of_neighbours(told, 20.0) - 0.5).abs() < 0.08, "{told}");
    }
}
