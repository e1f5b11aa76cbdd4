//! The signed-rank test: whether differences lie around zero, from their order alone.

/// Most pairs the exact distribution is used for; above, the normal approximation is as good.
const EXACT: usize = 50;

/// Two-sided p of Wilcoxon's signed-rank test (Biometrics Bulletin 1(6), 1945) that `differences` lie around zero.
///
/// Zeros are left out; equal sizes share their mean rank. Exact over all signs up to 50 pairs (ties included: ranks are
/// counted in halves), else normal with the tie-corrected variance. `None` without a difference.
pub fn signed_rank(differences: &[f64]) -> Option<f64> {
    let mut sizes: Vec<(f64, bool)> =
        differences.iter().filter(|d| d.is_finite() && **d != 0.0).map(|d| (d.abs(), *d > 0.0)).collect();
    if sizes.is_empty() {
        return None;
    }
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Twice the ranks, so that shared ones are whole.
    let mut ranks = vec![0_usize; sizes.len()];
    let mut from = 0;
    while from < sizes.len() {
        let to = from + sizes[from..].iter().take_while(|s| s.0 == sizes[from].0).count();
        ranks[from..to].fill(from + 1 + to);
        from = to;
    }
    let above: usize = ranks.iter().zip(&sizes).filter(|(_, s)| s.1).map(|(r, _)| r).sum();
    let all: usize = ranks.iter().sum();
    let least = above.min(all - above);
    Some(if sizes.len() <= EXACT { exact(&ranks, least) } else { normal(&ranks, least) })
}

/// Twice the share of sign patterns whose rank sum is at most `least`.
fn exact(ranks: &[usize], least: usize) -> f64 {
    let mut share = vec![0.0; least + 1];
    share[0] = 1.0;
    for rank in ranks {
        for sum in (0..=least).rev() {
            let with = if sum >= *rank { share[sum - rank] } else { 0.0 };
            share[sum] = (share[sum] + with) / 2.0;
        }
    }
    (2.0 * share.iter().sum::<f64>()).min(1.0)
}

fn normal(ranks: &[usize], least: usize) -> f64 {
    // In halves of ranks: mean sum/2, variance sum of squares / 4.
    let mean = ranks.iter().sum::<usize>() as f64 / 2.0;
    let sd = (ranks.iter().map(|r| (r * r) as f64).sum::<f64>() / 4.0).sqrt();
    // Half a rank (one, in halves) of continuity.
    let z = ((mean - least as f64 - 1.0) / sd).max(0.0);
    (2.0 * super::interval::normal_above(z)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_pairs_on_one_side_are_the_fewest_that_show_anything() {
        assert_eq!(signed_rank(&[1.0, 2.0, 3.0, 4.0, 5.0]), Some(0.0625));
        assert_eq!(signed_rank(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), Some(0.03125));
        assert_eq!(signed_rank(&[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]), Some(0.03125));
    }

    #[test]
    fn known_values() {
        // Rank sum 1 of 2^4: patterns {} and {1}: 2 x 2/16.
        assert_eq!(signed_rank(&[-1.0, 2.0, 3.0, 4.0]), Some(0.25));
        // n = 10, W = 8: the table's two-sided p is 0.0488.
        let w8 = [-1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -7.0, 8.0, 9.0, 10.0];
        assert!((signed_rank(&w8).unwrap() - 0.048_828_125).abs() < 1e-12);
        assert_eq!(signed_rank(&[1.0, -1.0]), Some(1.0));
        // Ties: sizes 1, 1, 2 with ranks 1.5, 1.5, 3; all positive is one pattern of eight.
        assert_eq!(signed_rank(&[1.0, 1.0, 2.0]), Some(0.25));
        assert_eq!(signed_rank(&[0.0, 0.0]), None);
        assert_eq!(signed_rank(&[0.0, f64::NAN, 1.0]), Some(1.0));
    }

    #[test]
    fn many_pairs_are_told_by_the_normal_distribution_as_by_all_signs() {
        let of = |n: i32| (1..=n).map(|i| if i % 3 == 0 { -f64::from(i) } else { f64::from(i) }).collect::<Vec<_>>();
        let (exact, approximate) = (signed_rank(&of(50)).unwrap(), {
            let ranks: Vec<usize> = (1..=50).map(|r| 2 * r).collect();
            let least: usize = (1..=50).filter(|i| i % 3 == 0).map(|r| 2 * r).sum();
            normal(&ranks, least)
        });
        assert!((exact - approximate).abs() < 0.003, "{exact} {approximate}");
        assert!((signed_rank(&of(60)).unwrap() - 0.036).abs() < 0.001, "{:?}", signed_rank(&of(60)));
    }
}
