//! Labels that were expected and read, and how sure a macro-averaged F1 of them is.

use super::Estimate;
use super::interval::{Z, wilson_at};
use serde::{Deserialize, Serialize};

/// Macro-F1 with its 95 % interval. `trusted` is the number of different items: the same one asked again is no new evidence.
///
/// The variance is that of the delta method over the matrix's cells (Takahashi, Yamamoto, Kuchiba and Koyama, Applied
/// Intelligence 52, 2022, p. 4961): an answer expected as i and read as j moves the F1 of label l, 2 TP / (expected + read), by
/// (2 [i = j = l] - F1 ([i = l] + [j = l])) / (expected + read). The interval is Wilson's at the number of independent
/// answers that have this variance, and at most at that of a mean of proportions, one a label: labels² / sum (1 / answers of a
/// label). Where everything is right the delta method knows no variance, and a seldom label is as uncertain as it is seldom.
///
/// `None` without answers.
pub(super) fn estimate(matrix: &Confusion, trusted: u64) -> Option<Estimate> {
    let n = matrix.n();
    let value = matrix.macro_f1()?;
    let labels: Vec<(usize, f64, f64)> = matrix
        .by_label()
        .into_iter()
        .enumerate()
        .filter_map(|(at, score)| Some((at, score.f1()?, (score.expected + score.read) as f64)))
        .collect();
    let count = labels.len() as f64;
    let moved = |i: usize, j: usize| {
        let one = |(l, f1, all): &(usize, f64, f64)| {
            let (expected, read) = (f64::from(u8::from(i == *l)), f64::from(u8::from(j == *l)));
            (2.0 * expected * read - f1 * (expected + read)) / all
        };
        labels.iter().map(one).sum::<f64>() / count
    };
    // Each answer moves it by so much: the sum of squares is the variance, as each is one of n.
    let cells = matrix.counts.iter().enumerate().flat_map(|(i, row)| {
        let moved = &moved;
        row.iter().enumerate().map(move |(j, answers)| *answers as f64 * moved(i, j).powi(2))
    });
    // As many degrees of freedom are spent as there are labels.
    let free = (n as f64 - count).max(1.0) / n as f64;
    let variance = cells.sum::<f64>() / free;
    // Half of those expected and read: an answer that is both counts once.
    let alike = count * count / labels.iter().map(|(_, _, all)| 2.0 / all).sum::<f64>();
    let worth = if variance > 0.0 { (value * (1.0 - value) / variance).min(alike) } else { alike };
    let share = trusted.min(n) as f64 / n as f64;
    let (low, high) = wilson_at(Z, value.clamp(0.0, 1.0), worth.max(f64::MIN_POSITIVE) * share)?;
    Some(Estimate { value, low, high, n })
}

/// What was expected and what was read, counted over answered requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Confusion {
    /// The labels, in the scenario's order.
    pub labels: Vec<String>,
    /// By expected label, then by read label; the additional last column is for answers without a readable label.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Requests in it.
    pub fn n(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Requests whose label is the right one.
    pub fn right(&self) -> u64 {
        self.counts.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum()
    }

    /// Requests whose right label is the commonest: what always giving that one gets right.
    pub fn commonest(&self) -> u64 {
        self.counts.iter().map(|row| row.iter().sum()).max().unwrap_or(0)
    }

    /// How each label fared, in their order.
    pub fn by_label(&self) -> Vec<LabelScore> {
        let cell =
            |row: usize, column: usize| self.counts.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0);
        let score = |label: usize| LabelScore {
            expected: self.counts.get(label).map_or(0, |row| row.iter().sum()),
            read: (0..self.counts.len()).map(|row| cell(row, label)).sum(),
            right: cell(label, label),
        };
        (0..self.labels.len()).map(score).collect()
    }

    /// Mean over labels of F1; labels neither expected nor read are left out. An unreadable answer is a miss of the expected
    /// label. `None` without requests.
    pub fn macro_f1(&self) -> Option<f64> {
        let scores: Vec<f64> = self.by_label().into_iter().filter_map(LabelScore::f1).collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }
}

/// How one label fared, counted over answered requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelScore {
    /// Requests it was the right label of.
    pub expected: u64,
    /// Answers that it was read from.
    pub read: u64,
    /// Both at once.
    pub right: u64,
}

impl LabelScore {
    /// The share of those expected that were read so; `None` where none was expected.
    pub fn recall(self) -> Option<f64> {
        (self.expected > 0).then(|| self.right as f64 / self.expected as f64)
    }

    /// The share of those read that were right; `None` where none was read.
    pub fn precision(self) -> Option<f64> {
        (self.read > 0).then(|| self.right as f64 / self.read as f64)
    }

    /// F1 = 2 TP / (2 TP + FP + FN); `None` where it was neither expected nor read.
    pub fn f1(self) -> Option<f64> {
        let all = self.expected + self.read;
        (all > 0).then(|| 2.0 * self.right as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn matrix(counts: &[&[u64]]) -> Confusion {
        let labels = (0..counts.len()).map(|i| format!("l{i}")).collect();
        Confusion { labels, counts: counts.iter().map(|row| row.to_vec()).collect() }
    }

    #[test]
    fn all_right_is_as_sure_as_the_seldomest_label() {
        let even = estimate(&matrix(&[&[50, 0, 0], &[0, 50, 0]]), 100).unwrap();
        // Wilson's of 100 of 100.
        assert!(even.value == 1.0 && (even.low - 0.963).abs() < 1e-3 && even.high == 1.0, "{even:?}");
        let seldom = estimate(&matrix(&[&[98, 0, 0], &[0, 2, 0]]), 100).unwrap();
        assert!(seldom.low < 0.7, "{seldom:?}");
        // Each item twice is no more than once.
        let twice = estimate(&matrix(&[&[50, 0, 0], &[0, 50, 0]]), 50).unwrap();
        assert!((twice.low - 50.0 / (50.0 + 3.8415)).abs() < 1e-3, "{twice:?}");
        assert_eq!(estimate(&matrix(&[&[0, 0, 0], &[0, 0, 0]]), 0), None);
        let wrong = estimate(&matrix(&[&[0, 10, 0], &[10, 0, 0]]), 20).unwrap();
        assert!(wrong.value == 0.0 && wrong.low == 0.0 && wrong.high > 0.1, "{wrong:?}");
    }

    #[test]
    fn the_interval_holds_the_true_f1() {
        // Three labels of shares 0.5, 0.3, 0.2; read rightly in 90, 80 and 70 %, else as the next.
        let (shares, right) = ([0.5_f64, 0.3, 0.2], [0.9_f64, 0.8, 0.7]);
        let cell = |i: usize, j: usize| match (i == j, (i + 1) % 3 == j) {
            (true, _) => shares[i] * right[i],
            (_, true) => shares[i] * (1.0 - right[i]),
            _ => 0.0,
        };
        let all = [0, 1, 2].map(|i| [0, 1, 2].map(|j| (cell(i, j) * 1e6_f64).round() as u64));
        let all = matrix(&all.each_ref().map(|row| &row[..]));
        let truth = all.macro_f1().unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let runs = 400;
        let held = (0..runs).filter(|_| {
            let mut counts = vec![vec![0_u64; 4]; 3];
            for _ in 0..120 {
                let (mut x, mut at) = (random.random::<f64>(), (0, 0));
                'found: for i in 0..3 {
                    for j in 0..3 {
                        at = (i, j);
                        x -= cell(i, j);
                        if x < 0.0 {
                            break 'found;
                        }
                    }
                }
                counts[at.0][at.1] += 1;
            }
            let told = estimate(&matrix(&counts.iter().map(|row| &row[..]).collect::<Vec<_>>()), 120).unwrap();
            (told.low..=told.high).contains(&truth)
        });
        let held = held.count();
        assert!((364..=396).contains(&held), "{held} of {runs}");
    }
}
