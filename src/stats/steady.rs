//! Whether a run was steady: where its beginning ends, found in the data, and whether it drifted.

use super::interval::t_quantile;
use super::row::tidy;
use serde::{Deserialize, Serialize};

/// Batch means kept at most; past it, neighbours merge.
const MOST: usize = 1024;
/// Rows of a batch at first.
const FIRST: u64 = 5;
/// Fewest batches that anything is said of.
const LEAST: usize = 20;

/// Where a run became steady.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Steady {
    /// Seconds from the start of the window to the first row of the steady part; 0 if all of it is steady.
    pub from_s: f64,
    /// Share of the rows before it.
    pub cut_share: f64,
    /// Mean of the rows after it ÷ mean of all rows.
    pub mean_ratio: f64,
}

/// Finds the end of the transient by MSER-5: of all places to cut, the one that minimises the marginal standard error of
/// the mean of the rest (White, Simulation 69(6), 1997; White, Cobb and Spratt, Winter Simulation Conference 2000), over
/// means of five rows. Nothing is cut; it is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Transient {
    /// Mean of a batch and when its first row was planned, in seconds from the window's opening.
    batches: Vec<(f64, f64)>,
    /// Rows of a batch, in batches of five.
    merged: u64,
    sum: f64,
    rows: u64,
    from: f64,
}

impl Transient {
    /// Takes the next row: its value, and when it was planned.
    pub fn push(&mut self, value: f64, planned_s: f64) {
        if self.rows == 0 {
            self.from = planned_s;
        }
        self.sum += value;
        self.rows += 1;
        let size = FIRST << self.merged;
        if self.rows < size {
            return;
        }
        self.batches.push((self.sum / size as f64, self.from));
        (self.sum, self.rows) = (0.0, 0);
        if self.batches.len() >= MOST {
            let pairs = self.batches.chunks_exact(2).map(|pair| (f64::midpoint(pair[0].0, pair[1].0), pair[0].1));
            self.batches = pairs.collect();
            self.merged += 1;
        }
    }

    /// Where the steady part begins; `None` if there are too few rows to say, or if it isn't in the first half: then the
    /// run never became steady (`Some` with all of the first half cut).
    pub fn steady(&self) -> Option<Steady> {
        let n = self.batches.len();
        if n < LEAST {
            return None;
        }
        // From the back: mean and squares of the rest, for each place to cut (Welford).
        let (mut mean, mut squares) = (0.0, 0.0);
        let (mut best, mut at, mut rest_mean) = (f64::INFINITY, 0, 0.0);
        for (count, place) in (1..=n).zip((0..n).rev()) {
            let off = self.batches[place].0 - mean;
            mean += off / count as f64;
            squares += off * (self.batches[place].0 - mean);
            // White's rule looks at the first half only: of a short rest anything can be said.
            if place <= n / 2 {
                let error = squares / (count as f64 * count as f64);
                // The earliest of equals: nothing is cut without gain.
                if error <= best {
                    (best, at, rest_mean) = (error, place, mean);
                }
            }
        }
        let mean_ratio = if mean == 0.0 { 1.0 } else { rest_mean / mean };
        let from_s = if at == 0 { 0.0 } else { self.batches[at].1 };
        Some(Steady { from_s: tidy(from_s), cut_share: tidy(at as f64 / n as f64), mean_ratio: tidy(mean_ratio) })
    }
}

/// How a metric changed over the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Drift {
    /// Value at the window's end ÷ at its beginning, less 1.
    pub change: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The drift of values in equal stretches of time: least squares of their logarithms on time, t interval of the slope with
/// K - 2 degrees of freedom. `None` for fewer than six, or values that aren't above zero.
pub fn drift(values: &[f64]) -> Option<Drift> {
    let k = values.len();
    if k < 6 || values.iter().any(|v| *v <= 0.0) {
        return None;
    }
    let middle = (k as f64 - 1.0) / 2.0;
    let logs: Vec<f64> = values.iter().map(|v| v.ln()).collect();
    let mean = logs.iter().sum::<f64>() / k as f64;
    let spread: f64 = (0..k).map(|i| (i as f64 - middle).powi(2)).sum();
    let slope = logs.iter().enumerate().map(|(i, y)| (i as f64 - middle) * y).sum::<f64>() / spread;
    let rest: f64 = logs.iter().enumerate().map(|(i, y)| (y - mean - slope * (i as f64 - middle)).powi(2)).sum();
    let error = (rest / (k as f64 - 2.0) / spread).sqrt();
    let half = t_quantile(0.975, k as f64 - 2.0)? * error;
    // From the window's beginning to its end are k stretches.
    let over = |slope: f64| (slope * k as f64).exp_m1();
    let over = |slope| Some(tidy(over(slope))).filter(|x| x.is_finite());
    Some(Drift { change: over(slope)?, low: over(slope - half)?, high: over(slope + half)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transient(values: impl IntoIterator<Item = f64>) -> Transient {
        let mut all = Transient::default();
        values.into_iter().enumerate().for_each(|(i, v)| all.push(v, i as f64));
        all
    }

    fn noise(i: usize) -> f64 {
        [1.0, -1.0, 0.5, -0.5, 0.25][(i * 7 + i / 5 * 3) % 5]
    }

    #[test]
    fn a_slow_beginning_is_found_and_a_steady_run_is_not_cut() {
        let steady = transient((0..500).map(|i| 100.0 + noise(i))).steady().unwrap();
        assert!(steady.cut_share <= 0.5 && (steady.mean_ratio - 1.0).abs() < 0.01, "{steady:?}");
        let found = transient((0..500).map(|i| if i < 100 { 300.0 } else { 100.0 } + noise(i))).steady().unwrap();
        assert_eq!((found.from_s, found.cut_share), (100.0, 0.2));
        assert!((found.mean_ratio - 100.0 / 140.0).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn only_the_first_half_is_looked_at_and_few_rows_tell_nothing() {
        let never = transient((0..500).map(|i| if i < 400 { 300.0 } else { 100.0 })).steady().unwrap();
        assert!(never.cut_share <= 0.5, "{never:?}");
        assert_eq!(transient((0..99).map(|_| 1.0)).steady(), None);
        let equal = transient((0..100).map(|_| 1.0)).steady().unwrap();
        assert_eq!((equal.from_s, equal.cut_share, equal.mean_ratio), (0.0, 0.0, 1.0));
    }

    #[test]
    fn many_rows_are_kept_in_few_batches() {
        let long = transient((0..40_000).map(|i| if i < 8_000 { 300.0 } else { 100.0 }));
        assert!(long.batches.len() <= MOST);
        let found = long.steady().unwrap();
        assert!((found.cut_share - 0.2).abs() < 0.01 && (found.from_s - 8_000.0).abs() < 200.0, "{found:?}");
    }

    #[test]
    fn drift_is_told_from_beginning_to_end() {
        let grows: Vec<f64> = (0..10).map(|i| 100.0 * 1.01_f64.powi(i)).collect();
        let told = drift(&grows).unwrap();
        assert!((told.change - (1.01_f64.powi(10) - 1.0)).abs() < 1e-6, "{told:?}");
        assert!((told.low - told.change).abs() < 1e-5 && (told.high - told.change).abs() < 1e-5);
        let level = drift(&[1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0]).unwrap();
        assert!(level.low < 0.0 && level.high > 0.0, "{level:?}");
        assert_eq!(drift(&[1.0; 5]), None);
        assert_eq!(drift(&[1.0, 1.0, 0.0, 1.0, 1.0, 1.0]), None);
        // Textbook least squares: y = ln of (1, e, e, e2, e2, e3), slope 19/35, error 0.0700, t(4) 2.776.
        let e = std::f64::consts::E;
        let told = drift(&[1.0, e, e, e * e, e * e, e * e * e]).unwrap();
        assert!(((told.change + 1.0).ln() / 6.0 - 19.0 / 35.0).abs() < 1e-6, "{told:?}");
        assert!(((told.high + 1.0).ln() / 6.0 - 19.0 / 35.0 - 0.194_31).abs() < 1e-4, "{told:?}");
    }
}
