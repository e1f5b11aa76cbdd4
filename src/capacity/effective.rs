//! How many independent requests dependent ones count as, for the question whether a limit is kept: requests wait behind each
//! other, so that those beyond a limit come in clusters. The estimator is the one of `stats`.

use crate::scenario::{Figure, Limit};
use crate::stats::effective_rows;

/// Of the requests of one or several probes, each in time order. Where fewer are beyond the limit than may be, those beyond the
/// requests' own quantile are looked at: a limit that nobody comes near shows nothing of how they depend on each other.
pub(super) fn effective_n(limit: &Limit, probes: &[&[f32]]) -> f64 {
    let n: usize = probes.iter().map(|probe| probe.len()).sum();
    if n == 0 {
        return 0.0;
    }
    let upward = upward(limit);
    let mut bound = bound(limit);
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
    effective_rows(probes.iter().map(|probe| probe.iter().map(|value| f64::from(u8::from(beyond(value))))))
}

/// Whether values above the bound are those beyond the limit. Shares come as 1 for each request that breaks them.
fn upward(limit: &Limit) -> bool {
    limit.measure.at_most() || limit.figure == Figure::Share
}

fn bound(limit: &Limit) -> f32 {
    if limit.figure == Figure::Share { 0.5 } else { limit.bound as f32 }
}

/// Whether a request's value, as a probe keeps it, breaks the limit.
pub(super) fn beyond(limit: &Limit, value: f32) -> bool {
    if upward(limit) { value > bound(limit) } else { value < bound(limit) }
}
