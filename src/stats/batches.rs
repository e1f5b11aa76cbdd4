//! How many independent rows a run of dependent ones is worth: queued requests wait together, and say less than their
//! number.

use super::interval::mean_interval;

/// Fewest batches that a variance of batch means is taken over.
const LEAST_BATCHES: u64 = 20;

/// Batch means of one metric at every power of two, in bounded memory.
///
/// Rows come in time order. The effective number of rows is n var(row) / (m var(mean of m rows)), at the largest batch
/// size m that still has 20 batches (batch means: Law, Simulation Modeling and Analysis, 5th ed., 9.5.3).
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    levels: Vec<Level>,
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

impl Batches {
    /// Takes the next row.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let mut sum = value;
        for size in 0..63 {
            if self.levels.len() <= size {
                self.levels.push(Level::default());
            }
            let level = &mut self.levels[size];
            level.take(sum / (1_u64 << size) as f64);
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
    }

    /// The 95 % interval of the rows' mean, by Student's t over the effective number of them.
    pub fn mean_ends(&self) -> Option<(f64, f64)> {
        let rows = self.levels.first()?;
        mean_interval(rows.mean, rows.variance()?.sqrt(), self.effective()?)
    }

    /// Effective number of rows, from 1 to their number; `None` without rows.
    pub fn effective(&self) -> Option<f64> {
        let rows = self.levels.first().filter(|level| level.n > 0)?;
        let n = rows.n as f64;
        let largest = self.levels.iter().rposition(|level| level.n >= LEAST_BATCHES);
        let Some((size, of_rows, of_means)) =
            largest.and_then(|at| Some((at, rows.variance()?, self.levels[at].variance()?)))
        else {
            // Too few to tell dependence from chance.
            return Some(n);
        };
        let independent = of_rows / (1_u64 << size) as f64;
        if of_means <= 0.0 {
            return Some(n);
        }
        Some((n * independent / of_means).clamp(1.0, n))
    }
}

/// The number of independent rows that dependent ones count as, from 1 to their number; 0 without rows. Each part is in time
/// order, and no batch spans two parts.
pub fn effective_rows<P: IntoIterator<Item = f64>>(parts: impl IntoIterator<Item = P>) -> f64 {
    let mut batches = Batches::default();
    for part in parts {
        part.into_iter().for_each(|value| batches.push(value));
        batches.cut();
    }
    batches.effective().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn of(values: impl IntoIterator<Item = f64>) -> Batches {
        let mut all = Batches::default();
        values.into_iter().for_each(|v| all.push(v));
        all
    }

    /// An autoregressive series; its effective share is (1 - a) / (1 + a).
    fn series(a: f64, n: usize) -> Vec<f64> {
        let mut draw = ChaCha8Rng::seed_from_u64(5);
        let mut x = 0.0;
        (0..n)
            .map(|_| {
                // Twelve uniforms are near enough to a normal.
                let noise: f64 = (0..12).map(|_| draw.random::<f64>()).sum::<f64>() - 6.0;
                x = a * x + noise;
                x
            })
            .collect()
    }

    #[test]
    fn independent_rows_count_in_full_and_dependent_ones_in_part() {
        let n = 20_000;
        let share = |a| of(series(a, n)).effective().unwrap() / n as f64;
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
        let long = series(0.5, 20_000);
        let parts = effective_rows(long.chunks(2000).map(|part| part.iter().copied()));
        assert!((0.17..0.66).contains(&(parts / 20_000.0)), "{parts}");
        // Nothing of a part's neighbour is seen: of parts of one row nothing is known of dependence.
        assert_eq!(effective_rows((0..60).map(|i| [f64::from(i)])), 60.0);
    }

    #[test]
    fn a_cut_keeps_batches_apart() {
        let mut cut = Batches::default();
        for i in 0..60 {
            cut.push(f64::from(i));
            cut.cut();
        }
        // Every batch of two was cut: rows are all there is.
        assert_eq!(cut.levels.len(), 1);
        assert_eq!(cut.effective(), Some(60.0));
    }
}
