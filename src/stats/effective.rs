//! How many independent rows a run of dependent ones is worth: queued requests wait together, and say less than their
//! number.

use super::dependence::{inflation, of_neighbours};
use super::interval::mean_interval;

/// Fewest batches that a variance of batch means is taken over.
const LEAST_BATCHES: u64 = 20;

/// Fewest rows that say what neighbours have in common. Fewer count as half of them, and as [`FEW`] at most, unless each was driven
/// apart: users who wait for each other say little, and a percentile of so few has no interval.
const LEAST_ROWS: u64 = 16;

/// What few rows are taken to be worth.
const FEW: f64 = 4.0;

/// Batch means of one metric at every power of two, in bounded memory, and how far rows resemble their neighbours.
///
/// Rows come in time order. The effective number of rows is n var(row) / (m var(mean of m rows)), at the largest batch
/// size m that still has 20 batches (batch means: Law, Simulation Modeling and Analysis, 5th ed., 9.5.3); of few rows these
/// batches are too short to hold what neighbours have in common, and it is n (1 - r) / (1 + r) where that is less, r the rows'
/// correlation with their neighbours (first-order autoregression, as in ASAP3: Steiger and others, ACM TOMACS 15(1), 2005).
#[derive(Clone, Debug, Default)]
pub(super) struct EffectiveRows {
    levels: Vec<Level>,
    neighbours: Neighbours,
}

/// Rows and the ones after them, as sums of what they lie above the first.
#[derive(Clone, Copy, Debug, Default)]
struct Neighbours {
    first: Option<f64>,
    /// The row before, unless it is apart.
    before: Option<f64>,
    pairs: f64,
    products: f64,
    sums: f64,
}

impl Neighbours {
    fn take(&mut self, value: f64) {
        let off = value - *self.first.get_or_insert(value);
        if let Some(before) = self.before.replace(off) {
            self.pairs += 1.0;
            self.products += before * off;
            self.sums += before + off;
        }
    }

    /// The correlation of rows with their neighbours, from 0 on.
    fn correlation(&self, rows: &Level) -> Option<f64> {
        let (n, variance) = (rows.n as f64, rows.variance().filter(|variance| *variance > 0.0)?);
        let mean = rows.mean - self.first?;
        let covariance = (self.products - mean * self.sums) / self.pairs + mean * mean;
        let told = covariance * n / ((n - 1.0) * variance);
        Some(of_neighbours(told, n)).filter(|_| self.pairs > 0.0)
    }
}

/// The batches of one size.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// Sum of a batch that waits for its other half.
    open: Option<f64>,
    /// Batches so far, their mean, and the sum of squares around it (Welford).
    n: u64,
    mean: f64,
    squares: f64,
}

impl Level {
    fn take(&mut self, mean: f64) {
        self.n += 1;
        let off = mean - self.mean;
        self.mean += off / self.n as f64;
        self.squares += off * (mean - self.mean);
    }

    fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.squares / (self.n - 1) as f64)
    }
}

impl EffectiveRows {
    /// Takes the next row.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.neighbours.take(value);
        let (mut sum, mut share) = (value, 1.0);
        for size in 0..63 {
            if self.levels.len() <= size {
                self.levels.push(Level::default());
            }
            let level = &mut self.levels[size];
            // Half as much at each level: as exact as a division, and quicker.
            level.take(sum * share);
            share *= 0.5;
            match level.open.take() {
                Some(other) => sum += other,
                None => {
                    level.open = Some(sum);
                    return;
                }
            }
        }
    }

    /// What follows is apart from what came before: no batch spans the two.
    pub fn cut(&mut self) {
        self.levels.iter_mut().for_each(|level| level.open = None);
        self.neighbours.before = None;
    }

    /// The 95 % interval of the rows' mean, by Student's t over the effective number of them.
    pub fn mean_ends(&self) -> Option<(f64, f64)> {
        let rows = self.levels.first()?;
        mean_interval(rows.mean, rows.variance()?.sqrt(), self.effective()?)
    }

    /// Variance of the rows.
    pub fn variance(&self) -> Option<f64> {
        self.levels.first()?.variance()
    }

    /// Effective number of rows, from 1 to their number; of fewer than 16 that were not driven apart a half, four at most. `None`
    /// without rows.
    pub fn effective(&self) -> Option<f64> {
        let rows = self.levels.first().filter(|level| level.n > 0)?;
        let n = rows.n as f64;
        if rows.n < LEAST_ROWS && self.neighbours.pairs > 0.0 {
            return Some((n / 2.0).clamp(1.0, FEW));
        }
        let of_batches = || {
            let size = self.levels.iter().rposition(|level| level.n >= LEAST_BATCHES)?;
            let of_means = self.levels[size].variance().filter(|variance| *variance > 0.0)?;
            Some(n * rows.variance()? / (1_u64 << size) as f64 / of_means)
        };
        let of_neighbours = || self.neighbours.correlation(rows).map(|r| n / inflation(r));
        Some(of_batches().unwrap_or(n).min(of_neighbours().unwrap_or(n)).clamp(1.0, n))
    }
}

/// The number of independent rows that dependent ones count as, from 1 to their number; 0 without rows. Each part is in time
/// order, and no batch spans two parts.
pub fn effective_rows<P: IntoIterator<Item = f64>>(parts: impl IntoIterator<Item = P>) -> f64 {
    let mut batches = EffectiveRows::default();
    for part in parts {
        part.into_iter().for_each(|value| batches.push(value));
        batches.cut();
    }
    batches.effective().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture::autoregressive;

    fn of(values: impl IntoIterator<Item = f64>) -> EffectiveRows {
        let mut all = EffectiveRows::default();
        values.into_iter().for_each(|v| all.push(v));
        all
    }

    #[test]
    fn independent_rows_count_in_full_and_dependent_ones_in_part() {
        let n = 20_000;
        let share = |a| of(autoregressive(a, n)).effective().unwrap() / n as f64;
        assert!(share(0.0) > 0.6, "{}", share(0.0));
        // (1 - 0.5) / 1.5 = 0.33 and 0.1 / 1.9 = 0.053; twenty to forty batches tell them within a factor of two.
        assert!((0.17..0.66).contains(&share(0.5)), "{}", share(0.5));
        assert!((0.026..0.106).contains(&share(0.9)), "{}", share(0.9));
    }

    #[test]
    fn batch_means_are_taken_at_the_largest_size_with_twenty() {
        // Pairs of equal rows: 20 batches of two have the variance of rows, so half of the rows count.
        let pairs = of((0..20).flat_map(|i| [f64::from(i % 2), f64::from(i % 2)]));
        assert!((pairs.effective().unwrap() - 19.487_179_487).abs() < 1e-6, "{:?}", pairs.effective());
        // One batch fewer than twenty: nothing is told of dependence.
        let few = of((0..19).flat_map(|i| [f64::from(i % 2); 1]));
        assert_eq!(few.effective(), Some(19.0));
    }

    #[test]
    fn few_rows_count_as_half_and_alike_neighbours_as_fewer() {
        let all = |n: usize| of((0..n).map(|i| f64::from(u32::try_from(i * 7 % 5).unwrap()))).effective();
        assert_eq!([all(2), all(6), all(15), all(16)], [Some(1.0), Some(3.0), Some(4.0), Some(16.0)]);
        // Eight rows of one height, eight of another: pairs of neighbours are alike, (14 - 1) / 15 and what so few hide.
        let halves = of((0..16).map(|i| f64::from(i / 8))).effective().unwrap();
        assert!((1.0..2.0).contains(&halves), "{halves}");
    }

    #[test]
    fn the_number_is_from_one_to_all() {
        assert_eq!(of([]).effective(), None);
        assert_eq!(of([3.0]).effective(), Some(1.0));
        assert_eq!(of([f64::NAN, 3.0]).effective(), Some(1.0));
        // Alternating rows cancel in their batches: not more than all of them.
        assert_eq!(of((0..100).map(|i| f64::from(i % 2))).effective(), Some(100.0));
        // A trend: no more than its batches, 32 of 128.
        let trend = of((0..4096).map(f64::from)).effective().unwrap();
        assert!((trend - 31.0).abs() < 1.5, "{trend}");
        assert_eq!(of([2.0; 100]).effective(), Some(100.0));
    }

    #[test]
    fn parts_are_pooled_and_no_batch_spans_two() {
        assert_eq!(effective_rows([[0.0; 0]]), 0.0);
        let long = autoregressive(0.5, 20_000);
        let parts = effective_rows(long.chunks(2000).map(|part| part.iter().copied()));
        assert!((0.17..0.66).contains(&(parts / 20_000.0)), "{parts}");
        // Nothing of a part's neighbour is seen: of parts of one row nothing is known of dependence.
        assert_eq!(effective_rows((0..60).map(|i| [f64::from(i)])), 60.0);
    }

    #[test]
    fn a_cut_keeps_batches_apart() {
        let mut cut = EffectiveRows::default();
        for i in 0..60 {
            cut.push(f64::from(i));
            cut.cut();
        }
        // Every batch of two was cut: rows are all there is.
        assert_eq!(cut.levels.len(), 1);
        assert_eq!(cut.effective(), Some(60.0));
    }
}
