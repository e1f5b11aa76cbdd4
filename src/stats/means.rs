//! Means over answers of what an engine reports of each.

use super::Row;
use super::effective::EffectiveRows;
use crate::metrics::Definition;

/// Values of the answers that have one.
#[derive(Clone, Debug, Default)]
pub(super) struct Means {
    n: u64,
    sum: f64,
    values: EffectiveRows,
}

impl Means {
    /// Takes an answer's value, if it has one.
    pub(super) fn push(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.n += 1;
            self.sum += value;
            self.values.push(value);
        }
    }

    /// The mean with its 95 % interval; `None` where no answer has a value.
    pub(super) fn row(&self, metric: &Definition) -> Option<Row> {
        let mean = (self.n > 0).then(|| self.sum / self.n as f64)?;
        let (low, high) = self.values.mean_ends().unzip();
        Some(Row { low, high, ..Row::total(metric, self.n, Some(mean)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::ANSWER_LOGPROB;

    #[test]
    fn the_mean_is_of_those_that_have_a_value() {
        let mut all = Means::default();
        all.push(None);
        assert_eq!(all.row(&ANSWER_LOGPROB), None);
        (0..100).for_each(|n| all.push((n % 2 == 0).then_some(f64::from(n % 4) - 2.0)));
        let row = all.row(&ANSWER_LOGPROB).unwrap();
        assert_eq!((row.n, row.mean), (Some(50), Some(-1.0)));
        assert!(row.low.unwrap() < -1.0 && row.high.unwrap() > -1.0, "{row:?}");
    }
}
