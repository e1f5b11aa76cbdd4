//! Embeddings of the same item by two targets, as the cosine between them.

use super::interval::{mean_interval, quantile_interval};
use crate::metrics::Definition;

/// Cosine of the angle between two vectors; `None` if they are unlike in length, empty, all zero or not finite.
pub fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.len() != b.len() {
        return None;
    }
    let (mut dot, mut aa, mut bb) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        dot += x * y;
        aa += x * x;
        bb += y * y;
    }
    let cosine = dot / (aa.sqrt() * bb.sqrt());
    cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
}

/// First vectors of one target and the reference; a pair becomes a number as soon as both are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Vectors {
    /// By item: the reference's vector.
    reference: std::collections::BTreeMap<usize, Vec<f32>>,
    /// By target and item: vectors whose reference hasn't come yet.
    waiting: std::collections::BTreeMap<(usize, usize), Vec<f32>>,
    /// By target and item; `None` for a pair that has no cosine.
    cosines: std::collections::BTreeMap<(usize, usize), Option<f64>>,
}

impl Vectors {
    /// Takes the first vector of a target for an item; a second one for the same pair is left out.
    pub fn add(&mut self, target: usize, item: usize, is_reference: bool, vector: &[f32]) {
        if is_reference {
            if self.reference.contains_key(&item) {
                return;
            }
            let waiting: Vec<_> = self.waiting.keys().filter(|(_, i)| *i == item).copied().collect();
            for key in waiting {
                if let Some(other) = self.waiting.remove(&key) {
                    self.cosines.insert(key, cosine(&other, vector));
                }
            }
            self.reference.insert(item, vector.to_vec());
        } else if !self.cosines.contains_key(&(target, item)) {
            match self.reference.get(&item) {
                Some(reference) => drop(self.cosines.insert((target, item), cosine(vector, reference))),
                None => drop(self.waiting.entry((target, item)).or_insert_with(|| vector.to_vec())),
            }
        }
    }

    /// The cosines of a target to the reference, sorted, and the number of pairs that have none.
    pub fn of(&self, target: usize) -> (Vec<f64>, u64) {
        let pairs = || self.cosines.iter().filter(|((t, _), _)| *t == target).map(|(_, c)| c);
        let mut cosines: Vec<f64> = pairs().flatten().copied().collect();
        cosines.sort_by(f64::total_cmp);
        (cosines, pairs().filter(|c| c.is_none()).count() as u64)
    }
}

/// The row of `summary.csv` over sorted values, exact: there is one value an item, and cosines can be negative. The values are
/// taken for independent: of other items, or of engines that were started anew.
pub fn exact_row(metric: &Definition, sorted: &[f64]) -> Option<super::Row> {
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let n = sorted.len();
    let mean = sorted.iter().sum::<f64>() / n as f64;
    let squares = sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    let quantile = |at: usize| {
        let (q, least) = super::LEAST_N[at];
        let rank = (q * n as f64 - 1e-9).ceil().max(1.0) as usize;
        (n as u64 >= least).then(|| sorted[rank.min(n) - 1])
    };
    let sd = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
    let (low, high) = sd.and_then(|sd| mean_interval(mean, sd, n as f64)).unzip();
    let ends = |at: usize| {
        let rank = |share: f64| sorted[((share * n as f64).round() as usize).clamp(1, n) - 1];
        let ends = quantile(at).and(quantile_interval(super::LEAST_N[at].0, n as f64));
        ends.map(|(low, high)| (rank(low), rank(high))).unzip()
    };
    let [(p50_low, p50_high), (p95_low, p95_high), (p99_low, p99_high)] = [ends(0), ends(2), ends(3)];
    Some(super::Row {
        n: Some(n as u64),
        n_eff: Some(n as f64),
        mean: Some(mean),
        sd,
        // What can't be below nought has no mean below it.
        low: low.map(|low| if min >= 0.0 { low.max(0.0) } else { low }),
        high,
        p50_low,
        p50_high,
        p95_low,
        p95_high,
        p99_low,
        p99_high,
        min: Some(min),
        p50: quantile(0),
        p90: quantile(1),
        p95: quantile(2),
        p99: quantile(3),
        p999: quantile(4),
        max: Some(max),
        ..super::Row::new(metric.id, metric.unit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines() {
        for (a, b, want) in [
            (&[1.0, 0.0][..], &[0.0, 2.0][..], Some(0.0)),
            (&[1.0, 2.0], &[2.0, 4.0], Some(1.0)),
            (&[1.0, 2.0], &[-1.0, -2.0], Some(-1.0)),
            (&[1.0], &[1.0, 2.0], None),
            (&[0.0, 0.0], &[1.0, 2.0], None),
            (&[], &[], None),
            (&[f32::NAN], &[1.0], None),
        ] {
            match (cosine(a, b), want) {
                (Some(got), Some(want)) => assert!((got - want).abs() < 1e-12, "{a:?} {b:?} {got}"),
                (got, want) => assert_eq!(got, want, "{a:?} {b:?}"),
            }
        }
    }

    #[test]
    fn the_first_vectors_pair_whichever_comes_first() {
        let mut vectors = Vectors::default();
        vectors.add(0, 5, false, &[1.0, 0.0]);
        vectors.add(0, 5, false, &[0.0, 1.0]);
        vectors.add(1, 5, true, &[1.0, 0.0]);
        vectors.add(1, 6, true, &[1.0, 1.0]);
        vectors.add(0, 6, false, &[1.0, 1.0, 1.0]);
        assert_eq!(vectors.of(0), (vec![1.0], 1));
        assert!(vectors.waiting.is_empty());
    }
}
