//! Many tests at once: which of them are findings, at a declared rate of false ones.

/// A line's p is at most so many times that of one of the tests that it is drawn from ([`super::Steps::p`]).
const OF_ONE_TEST: f64 = 1.5;
/// Permutations that a p is drawn from at most.
const MOST_PERMUTATIONS: u32 = 49_999;

/// The largest p that is a finding among `tests` tests, of which at most the share `rate` of findings is expected to be false;
/// `None` where there is no finding. `p` are those that are known; larger ones may be left out.
///
/// Benjamini and Hochberg (Journal of the Royal Statistical Society B 57(1), 1995): the largest p_(k) that is at most k / m of the rate.
/// It bears figures that rise and fall together (Benjamini and Yekutieli, Annals of Statistics 29(4), 2001).
pub fn finding(p: &[f64], tests: usize, rate: f64) -> Option<f64> {
    let mut ordered = p.to_vec();
    ordered.sort_by(f64::total_cmp);
    let share = |place: usize| (place + 1) as f64 / tests.max(1) as f64 * rate;
    (0..ordered.len()).rev().find(|place| ordered[*place] <= share(*place)).map(|place| ordered[place])
}

/// Permutations that tell the smallest p which [`finding`] may ask for among so many tests, three times as fine; `least` where that
/// is enough.
pub fn permutations(least: u32, tests: usize, rate: f64) -> u32 {
    let wanted = 3.0 * OF_ONE_TEST * tests as f64 / rate;
    (wanted.min(f64::from(MOST_PERMUTATIONS)) as u32).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_steps_up_through_the_ordered_p() {
        // Benjamini and Hochberg's own example, 15 tests at 5 %: the first four.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0,
        ];
        assert_eq!(finding(&p, 15, 0.05), Some(0.0095));
        // Only the smallest are known, and come to the same.
        assert_eq!(finding(&p[..4], 15, 0.05), Some(0.0095));
        assert_eq!((finding(&[0.009], 100, 0.05), finding(&[], 0, 0.05)), (None, None));
        assert_eq!(finding(&[0.009], 1, 0.05), Some(0.009));
        let of = |tests| permutations(999, tests, 0.05);
        assert_eq!((of(3), of(100), of(100_000)), (999, 9000, 49_999));
    }
}
