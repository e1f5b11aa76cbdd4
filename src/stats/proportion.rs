//! Two proportions, and how far apart they are: of two runs' requests, or item by item where both sides were asked the same.

use super::interval::{Z, normal_above};
use super::pairs::Rightness;
use super::{Estimate, TargetSummary, newcombe, proportion_ratio, wilson};
use statrs::distribution::{Binomial, DiscreteCDF};

/// Two proportions with the 95 % interval of their difference, target - reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    pub target: f64,
    pub reference: f64,
    pub low: f64,
    pub high: f64,
    /// Interval of the ratio; `None` where a proportion is zero.
    pub ratio: Option<(f64, f64)>,
    /// p of McNemar's exact test, where items were asked of both.
    exact: Option<f64>,
}

impl Difference {
    /// Two-sided p that the difference lies within the smallest one, read back from its 95 % interval: the distance to the bound
    /// in half widths of the end that looks at it, as a standard normal (Altman and Bland, BMJ 343, 2011, d2304). Never less
    /// than McNemar's.
    pub fn p(&self, smallest: f64) -> f64 {
        let difference = self.target - self.reference;
        let half = if difference > 0.0 { difference - self.low } else { self.high - difference };
        let beyond = difference.abs() - smallest;
        let p = if half > 0.0 {
            (2.0 * normal_above(beyond / half * Z)).min(1.0)
        } else if beyond > 0.0 {
            0.0
        } else {
            1.0
        };
        p.max(self.exact.unwrap_or(0.0))
    }
}

/// A proportion of two summaries, each with an interval of its own (Newcombe's method 10).
pub(super) fn difference(target: &TargetSummary, reference: &TargetSummary, path: &str) -> Option<Difference> {
    let of = |summary: &TargetSummary| {
        let row = summary.row(path)?;
        Some(Estimate { value: row.mean?, low: row.low?, high: row.high?, n: row.n? })
    };
    let (a, b) = (of(target)?, of(reference)?);
    let (low, high) = newcombe(a, b);
    let ratio = proportion_ratio(a, a.n, b, b.n);
    Some(Difference { target: a.value, reference: b.value, low, high, ratio, exact: None })
}

/// The shares of right answers to the same requests; its evidence are the items, for the same item asked again mostly gets the
/// same answer. `None` with fewer than two items.
///
/// The interval is Newcombe's for paired proportions, from the Wilson intervals of each and the correlation of the two
/// (method 10 of Statistics in Medicine 17, 1998, p. 2635); beside it stands McNemar's exact test of the items on which one
/// side alone is right more often (Psychometrika 12, 1947).
pub(super) fn paired<'a>(items: impl Iterator<Item = &'a Rightness>) -> Option<Difference> {
    let items: Vec<(f64, f64, f64)> = items
        .filter(|item| item.n > 0)
        .map(|item| {
            let n = f64::from(item.n);
            (n, f64::from(item.right[0]) / n, f64::from(item.right[1]) / n)
        })
        .collect();
    let all: f64 = items.iter().map(|(n, ..)| n).sum();
    let k = items.len() as u64;
    if k < 2 {
        return None;
    }
    let share = |of: fn(&(f64, f64, f64)) -> f64| items.iter().map(|item| item.0 * of(item)).sum::<f64>() / all;
    let (x, y) = (share(|item| item.1), share(|item| item.2));
    let (a, b) = (wilson(x, k, k)?, wilson(y, k, k)?);
    let product = |of: &dyn Fn(&(f64, f64, f64)) -> f64| items.iter().map(|item| item.0 * of(item)).sum::<f64>() / all;
    let together = product(&|item| (item.1 - x) * (item.2 - y));
    let scatter = product(&|item| (item.1 - x).powi(2)) * product(&|item| (item.2 - y).powi(2));
    let phi = if scatter > 0.0 { (together / scatter.sqrt()).clamp(-1.0, 1.0) } else { 0.0 };
    let off = |up: f64, down: f64| (up * up - 2.0 * phi * up * down + down * down).max(0.0).sqrt();
    let low = x - y - off(x - a.low, b.high - y);
    let high = x - y + off(a.high - x, y - b.low);
    let (more, less) =
        items.iter().fold((0_u64, 0_u64), |(more, less), (_, a, b)| (more + u64::from(a > b), less + u64::from(a < b)));
    let ratio = proportion_ratio(a, k, b, k);
    Some(Difference { target: x, reference: y, low, high, ratio, exact: mcnemar(more, less) })
}

/// Two-sided p of so many discordant pairs each way, if either were as likely; `None` without any.
fn mcnemar(more: u64, less: u64) -> Option<f64> {
    let binomial = Binomial::new(0.5, more + less).ok().filter(|_| more + less > 0)?;
    Some((2.0 * binomial.cdf(more.min(less))).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(counts: &[(u32, [u32; 2], usize)]) -> Vec<Rightness> {
        counts.iter().flat_map(|(n, right, times)| vec![Rightness { n: *n, right: *right }; *times]).collect()
    }

    #[test]
    fn paired_proportions_match_published_figures() {
        // 36, 12, 2, 0 of 50: 0.2000, interval 0.0562 to 0.3292 (Newcombe 1998, p. 2635, table III, method 10 without
        // the correction of phi: 0.0569 to 0.3404).
        let told = paired(items(&[(1, [1, 1], 36), (1, [1, 0], 12), (1, [0, 1], 2)]).iter()).unwrap();
        assert!((told.target - 0.96).abs() < 1e-12 && (told.reference - 0.76).abs() < 1e-12);
        assert!((told.low - 0.0569).abs() < 2e-3 && (told.high - 0.3404).abs() < 2e-3, "{told:?}");
        // 12 against 2: 2 P(X <= 2 of 14) = 2 (1 + 14 + 91) / 2^14.
        assert!((told.exact.unwrap() - 2.0 * 106.0 / 16384.0).abs() < 1e-9);
    }

    #[test]
    fn the_same_answers_are_equal_however_often_they_are_asked() {
        let same = items(&[(1, [1, 1], 50), (1, [0, 0], 10)]);
        let told = paired(same.iter()).unwrap();
        // Sixty items without one that tells them apart leave room for four in a hundred.
        assert!(told.low > -0.05 && told.high < 0.05 && told.exact.is_none(), "{told:?}");
        assert_eq!(told.p(0.01), 1.0);
        let often = items(&[(70, [70, 70], 50), (70, [0, 0], 10)]);
        assert_eq!(paired(often.iter()), Some(told));
        // As two samples of their own they'd say next to nothing.
        let (low, high) = newcombe(wilson(50.0 / 60.0, 60, 60).unwrap(), wilson(50.0 / 60.0, 60, 60).unwrap());
        assert!(low < -0.1 && high > 0.1);
    }

    #[test]
    fn few_discordant_items_show_nothing() {
        let told = paired(items(&[(1, [1, 1], 50), (1, [1, 0], 5), (1, [0, 0], 5)]).iter()).unwrap();
        assert!((told.exact.unwrap() - 0.0625).abs() < 1e-9 && told.p(0.01) >= 0.0624);
        assert_eq!(paired(items(&[(3, [1, 2], 1)]).iter()), None);
        assert_eq!(mcnemar(0, 0), None);
        assert_eq!(mcnemar(3, 3), Some(1.0));
    }
}
