//! How many independent requests dependent ones are worth: they wait behind each other.

use crate::scenario::{Figure, Limit, Slo};

/// Numbers of batches over which dependence between neighbours is looked for.
const BATCHES: [usize; 2] = [10, 20];
/// Of requests that have nothing to do with each other, this many beyond a limit may lie so near that they look like one
/// excursion of the queue.
const BY_CHANCE: f64 = 0.2;
/// Stretches of a probe, over which the share beyond a limit is compared.
const PARTS: [usize; 2] = [5, 10];

/// Requests beyond a limit that should be expected at the limit itself.
const EXPECTED_BEYOND: f64 = 80.0;
/// Requests that a mean needs.
const MEAN_NEEDS: u64 = 400;

/// Requests that a certain pass of an open loop has to rest on. A queue that is seldom long hides from few requests: of the
/// share that may be beyond a percentile's limit, so many should be expected that several excursions are among them.
pub fn requests_needed(slo: &Slo) -> u64 {
    let of = |limit: &Limit| match limit.figure {
        Figure::Quantile(q) => {
            let beyond = if limit.measure.at_most() { 1.0 - q } else { q };
            (EXPECTED_BEYOND / beyond).ceil() as u64
        }
        Figure::Mean => MEAN_NEEDS,
        Figure::Share => 0,
    };
    slo.limits.iter().map(of).max().unwrap_or(0)
}

/// The number of independent requests that these, of one or several probes and each in time order, are worth for the question
/// whether a limit is kept: requests wait behind each other, so that what is beyond it comes in clusters. Where fewer are
/// beyond the limit than may be, those beyond the requests' own quantile are looked at. The least of two estimates:
///
/// - of clusters of sizes c, n requests are worth n · Σc ÷ Σc² (the variance of a compound Poisson count); clusters are told
///   apart by runs of requests within the limit (Smith and Weissman, Journal of the Royal Statistical Society B 56(3), 1994);
/// - x (1 − x) ÷ the variance of the share x, from how it differs between the stretches of all probes (a ratio estimate over
///   clusters: Cochran, Sampling Techniques, 3rd ed., 9A.1).
pub(super) fn worth(limit: &Limit, probes: &[&[f32]]) -> f64 {
    let n: usize = probes.iter().map(|probe| probe.len()).sum();
    if n == 0 {
        return 0.0;
    }
    let upward = limit.measure.at_most() || limit.figure == Figure::Share;
    let mut bound = if limit.figure == Figure::Share { 0.5 } else { limit.bound as f32 };
    if let Figure::Quantile(q) = limit.figure {
        let mut sorted: Vec<f32> = probes.iter().flat_map(|probe| probe.iter().copied()).collect();
        let place = |share: f64| ((share * n as f64).ceil() as usize).clamp(1, n) - 1;
        // The value itself counts as beyond it: by the least step there is.
        bound = if upward {
            let own = *sorted.select_nth_unstable_by(place(1.0 - q), |a, b| b.total_cmp(a)).1;
            bound.min(own.next_down())
        } else {
            let own = *sorted.select_nth_unstable_by(place(q), f32::total_cmp).1;
            bound.max(own.next_up())
        };
    }
    let beyond = |value: &f32| if upward { *value > bound } else { *value < bound };
    let count = |part: &[f32]| part.iter().filter(|value| beyond(value)).count() as f64;
    let x = probes.iter().map(|probe| count(probe)).sum::<f64>() / n as f64;
    if x <= 0.0 || x >= 1.0 {
        return n as f64;
    }
    let apart = ((BY_CHANCE / x).round() as usize).max(1);
    let mut least = n as f64;
    let sizes: Vec<f64> = probes.iter().flat_map(|probe| clusters(probe, apart, &beyond)).collect();
    least = least.min(n as f64 * sizes.iter().sum::<f64>() / sizes.iter().map(|size| size * size).sum::<f64>());
    for parts in PARTS {
        let stretches: Vec<&[f32]> =
            probes.iter().flat_map(|probe| probe.chunks(probe.len().div_ceil(parts).max(1))).collect();
        let many = stretches.len() as f64;
        let off: f64 = stretches.iter().map(|part| (count(part) - x * part.len() as f64).powi(2)).sum();
        let variance = many / (many - 1.0).max(1.0) * off / (n as f64).powi(2);
        if stretches.len() >= BATCHES[0] && variance > 0.0 {
            least = least.min(x * (1.0 - x) / variance);
        }
    }
    least.clamp(1.0, n as f64)
}

/// Sizes of the clusters of values that are beyond a limit, in time order.
fn clusters(values: &[f32], apart: usize, beyond: &dyn Fn(&f32) -> bool) -> Vec<f64> {
    let (mut sizes, mut since) = (Vec::new(), usize::MAX);
    for value in values {
        if !beyond(value) {
            since = since.saturating_add(1);
            continue;
        }
        match sizes.last_mut() {
            Some(size) if since < apart => *size += 1.0,
            _ => sizes.push(1.0),
        }
        since = 0;
    }
    sizes
}

/// The number of independent observations that a series in time order is worth, from 1 to its length: n var(x) ÷ (m var(mean
/// of m neighbours)), by batch means (Law, Simulation Modeling and Analysis, 5th ed., 9.5.3), over ten and over twenty
/// batches, the smaller; of fewer than twenty observations nothing is known of their dependence.
pub(super) fn effective(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let variance = |of: &[f64]| {
        let mean = of.iter().sum::<f64>() / of.len() as f64;
        of.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (of.len() as f64 - 1.0)
    };
    if values.len() < BATCHES[1] {
        return n;
    }
    let all = variance(values);
    let worth = |batches: usize| {
        let size = values.len() / batches;
        let means: Vec<f64> =
            values.chunks_exact(size).take(batches).map(|batch| batch.iter().sum::<f64>() / size as f64).collect();
        let between = variance(&means);
        if between > 0.0 && all > 0.0 { n * all / size as f64 / between } else { n }
    };
    let least = BATCHES.iter().filter(|batches| values.len() >= **batches * 2).map(|batches| worth(*batches));
    least.fold(n, f64::min).clamp(1.0, n)
}
