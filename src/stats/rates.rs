//! How sure a rate is: how much it scattered over the run, and where few answers were counted, what the count itself bounds.

use super::batches::Batches;
use super::interval::{rate_interval, t_quantile};
use super::series::{LEAST_UNITS, welch};
use super::slots::Unit;
use super::{Row, Work};
use statrs::distribution::{ChiSquared, ContinuousCDF};
use std::collections::BTreeMap;

/// Fewest answers that a stretch of a run needs for a rate of its own.
const LEAST_ANSWERS: f64 = 3.0;

/// A rate of `summary.csv`.
struct Rate {
    metric: &'static str,
    work: fn(&Work) -> f64,
    /// What is counted.
    answers: fn(&Work) -> f64,
    /// The row of how much work each of those is; none where each is one.
    each: Option<&'static str>,
}

const RATES: [Rate; 4] = [
    Rate { metric: "requests_per_s", work: |w| w.answers, answers: |w| w.answers, each: None },
    Rate { metric: "goodput", work: |w| w.good, answers: |w| w.good, each: None },
    Rate {
        metric: "output_tokens_per_s",
        work: |w| w.output_tokens,
        answers: |w| w.answers,
        each: Some("output_tokens"),
    },
    Rate {
        metric: "prompt_tokens_per_s",
        work: |w| w.prompt_tokens,
        answers: |w| w.answers,
        each: Some("prompt_tokens"),
    },
];

/// How much the work of single answers differs: the mean of its square ÷ the square of its mean, and its largest ÷ its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weights {
    square: f64,
    largest: f64,
}

/// Each answer is one.
const ALIKE: Weights = Weights { square: 1.0, largest: 1.0 };

impl Weights {
    fn of(row: &Row) -> Option<Self> {
        let mean = row.mean.filter(|mean| *mean > 0.0)?;
        let spread = row.sd.unwrap_or(0.0) / mean;
        Some(Self { square: 1.0 + spread * spread, largest: (row.max? / mean).max(1.0) })
    }
}

/// Fills in the 95 % intervals of a target's rates. `whole` is all that was done in its windows, as one unit.
pub(super) fn intervals(rows: &mut [Row], units: &Batches, whole: &Unit) {
    for rate in &RATES {
        let weights = match rate.each {
            None => Some(ALIKE),
            Some(each) => rows.iter().find(|row| row.metric == each).and_then(Weights::of),
        };
        let Some(row) = rows.iter_mut().find(|row| row.metric == rate.metric) else { continue };
        let Some(value) = row.mean else { continue };
        if let Some((low, high)) = ends(rate, value, weights, units, whole) {
            (row.low, row.high) = (Some(low), Some(high));
        }
    }
}

/// Where every stretch (or block) of the run has the answers for a rate of its own: their scatter, dependent neighbours joined,
/// laid around the whole run's rate. Else the wider of what the count bounds and what the stretches scatter: an engine that
/// stopped halfway is no Poisson process.
fn ends(rate: &Rate, value: f64, weights: Option<Weights>, units: &Batches, whole: &Unit) -> Option<(f64, f64)> {
    let full = |unit: &Unit| {
        let told = unit.per_second(rate.work)?;
        (told > 0.0 && (rate.answers)(&unit.slot.work) >= LEAST_ANSWERS).then_some(told)
    };
    let cut = |way| units.cut(way).values().map(full).collect::<Option<Vec<f64>>>();
    let rates = units.ways().find_map(|way| cut(way).filter(|rates| rates.len() >= LEAST_UNITS));
    let finite = |ends: &(f64, f64)| ends.0.is_finite() && ends.1.is_finite();
    if let Some(rates) = rates {
        return by_units(value, &rates, units.are_blocks()).filter(finite);
    }
    let seconds = whole.users.map_or(whole.seconds, |users| whole.slot.spent / users as f64);
    let counted = counted((rate.answers)(&whole.slot.work), weights?)
        .map(|(low, high)| if value > 0.0 { (value * low, value * high) } else { (0.0, high / seconds) });
    let scattered = units.ways().next_back().and_then(|way| scattered(value, units.cut(way), rate.work));
    [counted, scattered].into_iter().flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).filter(finite)
}

/// By the units' own rates: Student's t on the logarithmic scale, dependent neighbours joined. Units that depend on each other
/// however many are joined are taken in three, with two degrees of freedom: what drifts all along says little of what it would do
/// next.
fn by_units(value: f64, rates: &[f64], apart: bool) -> Option<(f64, f64)> {
    let logs: Vec<f64> = rates.iter().map(|rate| rate.ln()).collect();
    // Beside itself: twice the variance of one, and twice its degrees of freedom. One is spent on looking for dependence.
    let Some((error, free)) = welch((&logs, apart), (&logs, apart)) else {
        let third = |i: usize| &rates[i * rates.len() / 3..(i + 1) * rates.len() / 3];
        let thirds: Vec<f64> = (0..3).map(|i| third(i).iter().sum::<f64>() / third(i).len() as f64).collect();
        return rate_interval(value, &thirds);
    };
    let half = t_quantile(0.975, free / 2.0 - f64::from(u8::from(!apart)))? * error / std::f64::consts::SQRT_2;
    Some((value * (-half).exp(), value * half.exp()))
}

/// Student's t over the units as they are, those without an answer among them; none of fewer than two.
fn scattered(value: f64, units: &BTreeMap<u32, Unit>, work: fn(&Work) -> f64) -> Option<(f64, f64)> {
    let mut rates: Vec<f64> = units.values().filter_map(|unit| unit.per_second(work)).collect();
    if rates.is_empty() {
        // A window whose rows all lie in so short a part of it that it isn't cut: all in one of its stretches.
        rates = vec![0.0; units.len()];
        *rates.first_mut()? = value * units.len() as f64;
    }
    let k = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / k;
    let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (k - 1.0);
    let half = t_quantile(0.975, k - 1.0).filter(|_| rates.len() > 1)? * (variance / k).sqrt();
    Some(((value - half).max(0.0), value + half))
}

/// What a count says of the number to be expected, as multiples of it (of none, as the number itself): Garwood's exact interval
/// of a Poisson number (Biometrika 28, 1936), and where the counted are not alike, Fay and Feuer's of a weighted sum of
/// them (Statistics in Medicine 16, 1997, p. 791), which of alike ones is Garwood's.
fn counted(count: f64, weights: Weights) -> Option<(f64, f64)> {
    let chi_squared = |q: f64, free: f64| Some(ChiSquared::new(free).ok()?.inverse_cdf(q)).filter(|x| x.is_finite());
    let point = |q: f64, y: f64, v: f64| Some(v / (2.0 * y) * chi_squared(q, 2.0 * y * y / v)?);
    let (variance, largest) = (count * weights.square, weights.largest);
    let low = if count > 0.0 { point(0.025, count, variance)? } else { 0.0 };
    let high = point(0.975, count + largest, variance + largest * largest)?;
    Some(if count > 0.0 { (low / count, high / count) } else { (0.0, high) })
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;
