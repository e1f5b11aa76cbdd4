//! Where a limit is just kept, by all long probes together: the share of requests beyond it, as a logistic function of the
//! logarithm of the load, and the interval of the load at which that share is what may be.
//!
//! The interval is by profile likelihood (Venzon and Moolgavkar, Applied Statistics 37(1), 1988) with a scale for dependence
//! (quasi-likelihood: McCullagh and Nelder, Generalized Linear Models, 2nd ed., 4.5): requests wait behind each other, so that
//! the variance of a share is some times that of a binomial one. The scale is the larger of two: by batch means of what is left
//! when the fit is taken off (`stats`), and by Pearson's statistic over the probes. What is chosen here was chosen by searches
//! whose truth is known (`make truth ARGS="--only capacity"`, docs/capacity.md).

use super::effective::beyond;
use super::evidence::ProbeEvidence;
use super::judge::{allowed, saturated};
use crate::scenario::{Figure, Limit, Slo};
use crate::stats::{effective_rows, t_quantile};

/// Fewest long probes that carry an interval.
const LEAST_PROBES: usize = 6;
/// A probe has to be so many times as long as requests remember: a shorter one begins without the queue that it would have.
const MEMORIES: f64 = 40.0;
/// Requests that should be expected beyond the limit in all probes together.
const EXPECTED_BEYOND: f64 = 500.0;
/// Probes that the time for an interval is told for.
const USUAL_PROBES: f64 = 8.0;
/// Slopes that are looked at: by how much the logarithm of the odds grows with that of the load. A queue near its end has 20
/// and more.
const SLOPES: (f64, f64) = (1.0, 400.0);
/// Loads that are looked at reach so far beyond those that were tried.
const BEYOND: f64 = 1.4;

/// What long probes say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The load at which the first limit is just kept.
    pub value: f64,
    /// Lower end of its 95 % interval; `None` where it reaches beyond all that was tried.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// By how much the logarithm of the odds of being beyond the limit grows with that of the load.
    pub slope: f64,
    /// Whether the probes carry the interval.
    pub firm: bool,
    /// Requests near the boundary that an interval takes.
    pub requests: f64,
}

/// A long probe, as one limit sees it.
struct FitPoint<'a> {
    at: f64,
    n: f64,
    /// Share beyond the limit.
    x: f64,
    values: &'a [f32],
}

/// Fits long probes of these loads. `None` where no limit on shares is broken by any, where one on a mean is, and of fewer than
/// two probes.
pub fn fit(slo: &Slo, open: bool, probes: &[(f64, &ProbeEvidence)]) -> Option<Fit> {
    let mut all: Option<Fit> = None;
    for (at, limit) in slo.limits.iter().enumerate() {
        let may = allowed(limit);
        let mut broken = false;
        let mut points = Vec::new();
        // A probe in which the generator was late shows the generator.
        for (load, probe) in probes.iter().filter(|(_, probe)| probe.generator.is_none()) {
            let Some(shown) = probe.shown.get(at).filter(|shown| shown.n > 0) else { continue };
            let mut x = if limit.figure == Figure::Mean && !limit.measure.at_most() { -shown.x } else { shown.x };
            broken |= x > may;
            if limit.figure != Figure::Mean && limit.of_each() && open && x <= may && saturated(&[probe]) {
                // Every later request would wait longer: the probe ended before the limit was reached.
                (x, broken) = (1.0, true);
            }
            let values = probe.series.get(at).map(Vec::as_slice).unwrap_or_default();
            points.push(FitPoint { at: *load, n: shown.n as f64, x, values });
        }
        if !broken {
            continue;
        }
        if limit.figure == Figure::Mean || points.len() < 2 {
            return None;
        }
        let own = of_limit(limit, may, &points)?;
        // The least of all limits: where one ends, so does the target.
        all = Some(all.map_or(own, |all| Fit {
            value: all.value.min(own.value),
            low: all.low.zip(own.low).map(|(a, b)| a.min(b)),
            high: [all.high, own.high].into_iter().flatten().reduce(f64::min),
            slope: if own.value < all.value { own.slope } else { all.slope },
            firm: all.firm && own.firm,
            requests: all.requests.max(own.requests),
        }));
    }
    all
}

/// Requests that an interval takes, where nothing is known yet of how they depend on each other.
pub fn requests_needed(slo: &Slo) -> f64 {
    let shares = slo.limits.iter().filter(|limit| limit.figure != Figure::Mean && limit.of_each());
    shares.map(|limit| EXPECTED_BEYOND / allowed(limit).max(1e-6)).fold(0.0, f64::max)
}

fn of_limit(limit: &Limit, may: f64, points: &[FitPoint<'_>]) -> Option<Fit> {
    let may = may.clamp(1e-6, 1.0 - 1e-6);
    let model = Model { odds: (may / (1.0 - may)).ln(), points };
    let least = points.iter().map(|p| p.at).fold(f64::INFINITY, f64::min) / BEYOND;
    let most = points.iter().map(|p| p.at).fold(0.0, f64::max) * BEYOND;
    let (value, slope, top) = model.best(least, most);
    let count = points.len() as f64;
    let n: f64 = points.iter().map(|p| p.n).sum();
    let expected = |p: &FitPoint<'_>| model.share(p.at, value, slope);
    let left = points.iter().map(|p| {
        let share = expected(p);
        p.values.iter().map(move |v| f64::from(u8::from(beyond(limit, *v))) - share)
    });
    let effective = effective_rows(left);
    let batches = if effective > 0.0 { n / effective } else { 1.0 };
    let off = |p: &FitPoint<'_>| {
        let share = expected(p);
        p.n * (p.x - share).powi(2) / (share * (1.0 - share)).max(1e-9)
    };
    let pearson = points.iter().map(off).sum::<f64>() / (count - 2.0).max(1.0);
    let scale = batches.max(pearson).max(1.0);
    let reach = t_quantile(0.975, (count - 2.0).max(1.0))?.powi(2);
    let inside = |at: f64| 2.0 * (top - model.profile(at).0) / scale <= reach;
    let end = |far: f64| {
        if inside(far) {
            return None;
        }
        let (mut near, mut far) = (value, far);
        for _ in 0..14 {
            let middle = (near * far).sqrt();
            *(if inside(middle) { &mut near } else { &mut far }) = middle;
        }
        Some((near * far).sqrt())
    };
    let (low, high) = (end(least), end(most));
    let long_enough = n / count >= MEMORIES * scale;
    let requests = (EXPECTED_BEYOND / may).max(MEMORIES * USUAL_PROBES * scale);
    let firm =
        points.len() >= LEAST_PROBES && long_enough && n * may >= EXPECTED_BEYOND && low.is_some() && high.is_some();
    Some(Fit { value, low, high, slope, firm, requests })
}

/// Shares beyond a limit, by load.
struct Model<'a> {
    /// The logarithm of the odds at the boundary.
    odds: f64,
    points: &'a [FitPoint<'a>],
}

impl Model<'_> {
    /// The share beyond the limit at a load, if the boundary lies at `at`.
    fn share(&self, load: f64, at: f64, slope: f64) -> f64 {
        1.0 / (1.0 + (-(self.odds + slope * (load / at).ln()).clamp(-40.0, 40.0)).exp())
    }

    /// The logarithm of the likelihood, its slope and its bend, all in the model's slope.
    fn likelihood(&self, at: f64, slope: f64) -> (f64, f64, f64) {
        let (mut all, mut first, mut second) = (0.0, 0.0, 0.0);
        for point in self.points {
            let u = (point.at / at).ln();
            let odds = (self.odds + slope * u).clamp(-40.0, 40.0);
            let share = 1.0 / (1.0 + (-odds).exp());
            all += point.n * (point.x * odds - odds.exp().ln_1p());
            first += point.n * u * (point.x - share);
            second += point.n * u * u * share * (1.0 - share);
        }
        (all, first, second)
    }

    /// The most likely slope for a boundary: the likelihood is concave in it, so that Newton's steps within halving brackets
    /// find it.
    fn profile(&self, at: f64) -> (f64, f64) {
        let (mut low, mut high) = SLOPES;
        let mut slope = 20.0;
        for _ in 0..60 {
            let (_, first, second) = self.likelihood(at, slope);
            *(if first > 0.0 { &mut low } else { &mut high }) = slope;
            let step = slope + first / second.max(1e-12);
            let next = if step > low && step < high { step } else { f64::midpoint(low, high) };
            let near = (next - slope).abs() < 1e-4 * slope;
            slope = next;
            if near {
                break;
            }
        }
        (self.likelihood(at, slope).0, slope)
    }

    /// The most likely boundary, its slope, and the likelihood there: the best of a grid, then closer.
    fn best(&self, least: f64, most: f64) -> (f64, f64, f64) {
        let step = (most / least).powf(1.0 / 40.0);
        let mut best = (least, SLOPES.0, f64::NEG_INFINITY);
        let mut take = |at: f64| {
            let (likelihood, slope) = self.profile(at);
            if likelihood > best.2 {
                best = (at, slope, likelihood);
            }
            best.0
        };
        let middle = (0..=40).fold(least, |_, i| take(least * step.powi(i)));
        let (mut low, mut high) = (middle / step, middle * step);
        for _ in 0..12 {
            let (a, b) = ((low * low * high).cbrt(), (low * high * high).cbrt());
            if self.profile(a).0 < self.profile(b).0 {
                low = a;
            } else {
                high = b;
            }
        }
        take((low * high).sqrt());
        best
    }
}
