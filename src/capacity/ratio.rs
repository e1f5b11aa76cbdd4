//! A target's capacity against the reference's.

use super::boundary::{Basis, Boundary};
use super::search::By;
use crate::stats;
use serde::{Deserialize, Serialize};

/// A target's capacity ÷ the reference's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Position of the target.
    pub target: usize,
    /// Of the two estimates.
    pub ratio: Option<f64>,
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Whether its ends are a 95 % confidence interval; else they are the least and the most that it can be while each capacity
    /// lies between its last pass and its first fail.
    pub interval: bool,
    /// By the ends, and the smallest effect that matters.
    pub verdict: stats::Verdict,
}

/// The ratio of two capacities. `target` is the position of the first among all targets, `smallest` the effect that matters.
pub fn ratio(target: usize, (own, against): (&Boundary, &Boundary), by: By, smallest: f64) -> Ratio {
    let over = own.value.zip(against.value).map(|(a, b)| a / b);
    let interval = own.basis == Basis::Interval && against.basis == Basis::Interval;
    let (own_ends, ends) = (own.ends(by), against.ends(by));
    let divided = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a / b);
    // What is known of one end only still bounds the ratio on one side.
    let (mut low, mut high) = (divided(own_ends.0, ends.1), divided(own_ends.1, ends.0));
    if let (true, Some(over), (Some(a), Some(b)), (Some(c), Some(d))) = (interval, over, own_ends, ends) {
        let value = |boundary: &Boundary| boundary.value.unwrap_or(1.0);
        let both = recovered(over, (value(own), (a, b)), (value(against), (c, d)));
        (low, high) = (Some(both.0), Some(both.1));
    }
    Ratio { target, ratio: over, low, high, interval, verdict: verdict(low, high, smallest) }
}

/// The interval of a quotient from those of its parts, on the logarithm: variances are recovered from each end (MOVER: Zou and
/// Donner, Statistics in Medicine 27(10), 2008). The worst case of both would hold the truth too often.
fn recovered(
    over: f64,
    (a, (a_low, a_high)): (f64, (f64, f64)),
    (b, (b_low, b_high)): (f64, (f64, f64)),
) -> (f64, f64) {
    let far = |x: f64, y: f64| (x / y).ln().powi(2);
    let below = (far(a, a_low) + far(b_high, b)).sqrt();
    let above = (far(a_high, a) + far(b, b_low)).sqrt();
    (over * (-below).exp(), over * above.exp())
}

/// All of the ends beyond the smallest effect, or all within.
fn verdict(low: Option<f64>, high: Option<f64>, smallest: f64) -> stats::Verdict {
    let most = 1.0 + smallest;
    if low.is_some_and(|low| low > most) {
        stats::Verdict::Better
    } else if high.is_some_and(|high| high < 1.0 / most) {
        stats::Verdict::Worse
    } else if low.zip(high).is_some_and(|(low, high)| low >= 1.0 / most && high <= most) {
        stats::Verdict::Equal
    } else {
        stats::Verdict::Undecided
    }
}
