//! How throughput grows with concurrency: the universal scalability law, and how evenly users are served.

use super::costs::Bounds;
use super::interval::t_quantile;
use super::least_squares::{COLUMNS, Sums};
use crate::record::Sample;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Levels of concurrency that a fit of the law needs: one more than it has constants.
pub const LEAST_LEVELS: usize = 4;

/// How each user of one target fared at one point.
#[derive(Clone, Debug, Default)]
pub struct Users {
    /// Answered requests, and the sum of their response times in nanoseconds, by user.
    served: BTreeMap<u32, (u64, u64)>,
}

impl Users {
    /// Takes an answered, measured request.
    pub fn push(&mut self, sample: &Sample) {
        if let Some(latency) = sample.latency() {
            let (answers, time) = self.served.entry(sample.user).or_default();
            *answers += 1;
            *time = time.saturating_add(latency.0);
        }
    }

    /// Jain's index of fairness over the users' rates of service, (Σx)² / (n Σx²): 1 if all are served alike, 1/n if one is
    /// served alone (Jain, Chiu and Hawe, DEC-TR-301, 1984). A user's rate is its answers by the time it waited for them.
    pub fn jain(&self) -> Option<f64> {
        let rates: Vec<f64> =
            self.served.values().filter(|(_, time)| *time > 0).map(|(n, time)| *n as f64 / *time as f64).collect();
        let (sum, squares): (f64, f64) = (rates.iter().sum(), rates.iter().map(|x| x * x).sum());
        (squares > 0.0).then(|| sum * sum / (rates.len() as f64 * squares))
    }

    /// Mean latency of each user, the slowest's, in microseconds.
    pub fn slowest_us(&self) -> Option<f64> {
        self.means().max_by(f64::total_cmp)
    }

    /// Mean over users of their mean latency, in microseconds.
    pub fn mean_us(&self) -> Option<f64> {
        let means: Vec<f64> = self.means().collect();
        (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
    }

    fn means(&self) -> impl Iterator<Item = f64> {
        self.served.values().filter(|(n, _)| *n > 0).map(|(n, time)| *time as f64 / *n as f64 / 1e3)
    }
}

/// The universal scalability law, X(N) = λN / (1 + σ(N−1) + κN(N−1)) (Gunther, Guerrilla Capacity Planning, 2007, chapter 4),
/// fitted to throughputs.
///
/// N / X(N) is a straight line in (N−1) and N(N−1), whose coefficients are 1/λ, σ/λ and κ/λ: the best ones with none below
/// zero and σ at most 1, by relative errors (throughputs scatter in proportion to their size), are found without a search for a
/// start. Intervals are profiles of the sum of squares with Student's t over runs less three (Bates and Watts, Nonlinear
/// Regression Analysis, 1988, 6.1): they stay honest at the bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usl {
    /// Throughput of one alone.
    pub lambda: Bounds,
    /// Contention: the share of work that is done one after another.
    pub sigma: Bounds,
    /// Coherence: what keeping each two in step costs.
    pub kappa: Bounds,
    /// Concurrency of the highest throughput, √((1−σ)/κ); `None` if throughput has no peak (κ is 0).
    pub peak: Option<Bounds>,
    /// Share of the variance of throughputs that the law explains.
    pub r2: f64,
    /// Runs it rests on.
    pub runs: usize,
}

impl Usl {
    /// The law's throughput at `n`.
    pub fn at(&self, n: f64) -> f64 {
        let (s, k) = (self.sigma.value, self.kappa.value);
        self.lambda.value * n / (1.0 + s * (n - 1.0) + k * n * (n - 1.0))
    }
}

/// Fits the law to runs, each a concurrency and a throughput; the error says what is lacking.
pub fn fit_usl(runs: &[(f64, f64)]) -> Result<Usl, String> {
    let runs: Vec<(f64, f64)> = runs.iter().copied().filter(|(n, x)| *n >= 1.0 && *x > 0.0).collect();
    let mut levels: Vec<f64> = runs.iter().map(|(n, _)| *n).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    if levels.len() < LEAST_LEVELS {
        return Err(format!(
            "the scalability law needs {LEAST_LEVELS} levels of concurrency, and has {}",
            levels.len()
        ));
    }
    let law = Law { runs };
    let (best, least) = law.least(&free).ok_or("the throughputs can't be fitted")?;
    let [a, b, c] = best;
    let n = law.runs.len();
    // Of as many runs as constants nothing is left to tell the scatter by.
    let t = t_quantile(0.975, n as f64 - 3.0).filter(|_| n > 3).ok_or("too few runs")?;
    // A sum of squares above this is shown to be wrong. A fit that is exact still has the last digit's doubt.
    let limit = least.max(n as f64 * 1e-16) * (1.0 + t * t / (n as f64 - 3.0));
    let fits = |basis: &dyn Fn(f64) -> [f64; 3]| law.least(basis).is_some_and(|(_, left)| left <= limit);
    let (sigma, kappa) = (b / a, c / a);
    // 1/λ is held at a value by making it the only one: y - a is then fitted by the other two.
    let of_a = |a: f64| law.least_at(a).is_some_and(|left| left <= limit);
    let of_sigma = |s: f64| fits(&|n: f64| [1.0 + s * (n - 1.0), 0.0, n * (n - 1.0)]);
    let of_kappa = |k: f64| fits(&|n: f64| [1.0 + k * n * (n - 1.0), n - 1.0, 0.0]);
    let (low_a, high_a) = (edge(a, 0.0, &of_a), above(a, &of_a));
    let ends = |at: f64, fits: &dyn Fn(f64) -> bool| (edge(at, 0.0, fits), above(at.max(1e-9), fits));
    let (sigma_ends, kappa_ends) = (ends(sigma, &of_sigma), ends(kappa, &of_kappa));
    let peak = (kappa > 0.0 && sigma < 1.0).then(|| ((1.0 - sigma) / kappa).sqrt());
    let peak = peak.map(|at| {
        // κ = (1−σ)/P²: y = a(1 + N(N−1)/P²) + b((N−1) − N(N−1)/P²).
        let of_peak = |p: f64| {
            let m = |n: f64| n * (n - 1.0) / (p * p);
            fits(&|n: f64| [1.0 + m(n), n - 1.0 - m(n), 0.0])
        };
        Bounds { value: at, low: Some(edge(at, 1.0, &of_peak)), high: above(at, &of_peak) }
    });
    Ok(Usl {
        lambda: Bounds {
            value: 1.0 / a,
            low: high_a.map(|a| 1.0 / a),
            high: Some(1.0 / low_a).filter(|x| x.is_finite()),
        },
        sigma: Bounds { value: sigma, low: Some(sigma_ends.0), high: Some(sigma_ends.1.map_or(1.0, |s| s.min(1.0))) },
        kappa: Bounds { value: kappa, low: Some(kappa_ends.0), high: kappa_ends.1 },
        peak,
        r2: law.explained([a, b, c]),
        runs: n,
    })
}

fn free(n: f64) -> [f64; 3] {
    [1.0, n - 1.0, n * (n - 1.0)]
}

struct Law {
    runs: Vec<(f64, f64)>,
}

impl Law {
    /// The best coefficients over three columns, none below zero, and the sum of squared relative errors. Weighted by what
    /// the last round fitted, so that a run that came out fast by chance is not believed more than the others.
    fn least(&self, basis: &dyn Fn(f64) -> [f64; 3]) -> Option<([f64; 3], f64)> {
        let mut told: Option<([f64; 3], f64)> = None;
        for _ in 0..4 {
            let fitted = |n: f64| told.map(|(b, _)| basis(n).iter().zip(b).map(|(x, b)| x * b).sum::<f64>());
            let mut sums = Sums::default();
            for (n, x) in &self.runs {
                let y = n / x;
                let scale = fitted(*n).filter(|f| *f > 0.0).unwrap_or(y);
                let [a, b, c] = basis(*n).map(|x| x / scale);
                let row: [f64; COLUMNS] = [a, b, c, 0.0, 0.0];
                sums.push(row, y / scale);
            }
            // Without the first column nothing is served at one user: that is no law.
            let (all, left) = sums.solve_nonnegative(&[0, 1, 2])?;
            told = (all[0] > 0.0).then_some(([all[0], all[1].min(all[0]), all[2]], left));
            told?;
        }
        told
    }

    /// The least sum of squares with 1/λ held at `a`.
    fn least_at(&self, a: f64) -> Option<f64> {
        let mut fit = [a, 0.0, 0.0];
        let mut least = None;
        if a <= 0.0 {
            return None;
        }
        for round in 0..4 {
            let mut sums = Sums::default();
            for (n, x) in &self.runs {
                let (y, basis) = (n / x, free(*n));
                let fitted: f64 = basis.iter().zip(fit).map(|(x, b)| x * b).sum();
                let scale = if round == 0 { y } else { fitted };
                sums.push([0.0, basis[1] / scale, basis[2] / scale, 0.0, 0.0], (y - a) / scale);
            }
            let none = sums.left(&[1, 2], &[0.0, 0.0]);
            let (rest, left) = sums.solve_nonnegative(&[1, 2]).unwrap_or((vec![0.0, 0.0], none));
            let (rest, left) = if left <= none { (rest, left) } else { (vec![0.0, 0.0], none) };
            fit = [a, rest[0], rest[1]];
            least = Some(left);
        }
        least
    }

    fn explained(&self, [a, b, c]: [f64; 3]) -> f64 {
        let mean = self.runs.iter().map(|(_, x)| x).sum::<f64>() / self.runs.len() as f64;
        let law = |n: f64| n / (a + b * (n - 1.0) + c * n * (n - 1.0));
        let left: f64 = self.runs.iter().map(|(n, x)| (x - law(*n)).powi(2)).sum();
        let total: f64 = self.runs.iter().map(|(_, x)| (x - mean).powi(2)).sum();
        if total > 0.0 { 1.0 - left / total } else { 0.0 }
    }
}

/// The lowest value down to `floor` that still fits, below one that does.
fn edge(at: f64, floor: f64, fits: &dyn Fn(f64) -> bool) -> f64 {
    if fits(floor) {
        return floor;
    }
    bisect(floor, at, fits)
}

/// The highest value that still fits, above one that does; `None` if there is no end to them.
fn above(at: f64, fits: &dyn Fn(f64) -> bool) -> Option<f64> {
    let mut out = at * 2.0;
    for _ in 0..60 {
        if !fits(out) {
            return Some(bisect(out, at, fits));
        }
        out *= 2.0;
    }
    None
}

/// Between a value that doesn't fit and one that does: the last that does.
fn bisect(mut out: f64, mut inside: f64, fits: &dyn Fn(f64) -> bool) -> f64 {
    for _ in 0..60 {
        let middle = f64::midpoint(out, inside);
        if fits(middle) { inside = middle } else { out = middle }
    }
    inside
}

#[cfg(test)]
#[path = "scaling_tests.rs"]
mod tests;
