//! One metric of a target, as a row of `summary.csv` has it.

use super::{Estimate, unit};
use crate::metrics::Definition;
use serde::{Deserialize, Serialize};

/// What a figure needs for its interval: total rows, and total seconds at the run's own rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Needs {
    /// The figure: `p99`.
    pub figure: String,
    /// Rows of each target in all.
    pub rows: u64,
    /// Seconds of the measured window in all; `None` where the rate isn't known.
    pub seconds: Option<f64>,
}

/// One metric of one target. Blank means not measured, or too few rows; never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Row {
    /// Its word, such as `latency` or `requests_per_s`.
    pub metric: String,
    /// Unit of every number but `n`.
    pub unit: String,
    /// Rows the numbers rest on.
    pub n: Option<u64>,
    /// Mean; for totals the total itself.
    pub mean: Option<f64>,
    /// Sample standard deviation.
    pub sd: Option<f64>,
    /// Smallest value.
    pub min: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Lower end of the 95 % interval of `mean`.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// Effective number of independent rows, by batch means.
    #[serde(default)]
    pub n_eff: Option<f64>,
    /// Lower end of the median's 95 % interval, from order statistics at the effective number.
    #[serde(default)]
    pub p50_low: Option<f64>,
    /// Upper end of it.
    #[serde(default)]
    pub p50_high: Option<f64>,
    /// Lower end of the 95th percentile's.
    #[serde(default)]
    pub p95_low: Option<f64>,
    /// Upper end of it.
    #[serde(default)]
    pub p95_high: Option<f64>,
    /// Lower end of the 99th percentile's.
    #[serde(default)]
    pub p99_low: Option<f64>,
    /// Upper end of it.
    #[serde(default)]
    pub p99_high: Option<f64>,
    /// The quantile from which the percentiles are infinite (`…_or_failed` only): the failures' share lies beyond it.
    #[serde(default)]
    pub infinite_from: Option<f64>,
    /// What the percentiles need for an interval.
    #[serde(default)]
    pub needs: Vec<Needs>,
    /// Values that the histogram behind the percentiles could not take as they were.
    #[serde(default)]
    pub clamped: u64,
}

/// A number without binary noise: millionths are kept, and read back from JSON as they were written.
pub(crate) fn tidy(x: f64) -> f64 {
    if x.abs() < 1e9 { (x * 1e6).round() / 1e6 } else { x }
}

impl Row {
    /// The row without binary noise in its numbers.
    pub(crate) fn tidied(self) -> Self {
        let tidy = |x: Option<f64>| x.map(tidy);
        Self {
            mean: tidy(self.mean),
            sd: tidy(self.sd),
            min: tidy(self.min),
            p50: tidy(self.p50),
            p90: tidy(self.p90),
            p95: tidy(self.p95),
            p99: tidy(self.p99),
            p999: tidy(self.p999),
            max: tidy(self.max),
            low: tidy(self.low),
            high: tidy(self.high),
            n_eff: tidy(self.n_eff),
            p50_low: tidy(self.p50_low),
            p50_high: tidy(self.p50_high),
            p95_low: tidy(self.p95_low),
            p95_high: tidy(self.p95_high),
            p99_low: tidy(self.p99_low),
            p99_high: tidy(self.p99_high),
            infinite_from: tidy(self.infinite_from),
            ..self
        }
    }

    /// A row with nothing filled in.
    pub fn new(metric: &str, unit: &str) -> Self {
        Self { metric: metric.to_owned(), unit: unit.to_owned(), ..Self::default() }
    }

    /// A total, and the rows it rests on.
    pub fn total(metric: &Definition, n: u64, value: Option<f64>) -> Self {
        Self { n: Some(n), mean: value.filter(|v| v.is_finite()), ..Self::new(metric.id, metric.unit) }
    }

    /// A count of requests out of `n`.
    pub fn count(metric: &str, count: u64, n: u64) -> Self {
        Self { n: Some(n), mean: Some(count as f64), ..Self::new(metric, unit::REQUESTS) }
    }

    /// A proportion with its interval.
    pub fn proportion(metric: &Definition, estimate: Estimate) -> Self {
        let total = Self::total(metric, estimate.n, Some(estimate.value));
        Self { low: Some(estimate.low), high: Some(estimate.high), ..total }
    }

    /// The number that a word after the metric's name means: `p95` of `latency.p95`.
    pub fn figure(&self, word: &str) -> Option<f64> {
        match word {
            "mean" => self.mean,
            "sd" => self.sd,
            "min" => self.min,
            "p50" => self.p50,
            "p90" => self.p90,
            "p95" => self.p95,
            "p99" => self.p99,
            "p999" => self.p999,
            "max" => self.max,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};

    /// A row whose every number is another, with more digits than are kept.
    fn full() -> (Row, Map<String, Value>) {
        let Value::Object(mut fields) = json!(Row::new("latency", unit::MICROS)) else { panic!() };
        let names: Vec<String> =
            fields.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone()).collect();
        for (at, name) in names.iter().filter(|name| *name != "n").enumerate() {
            fields.insert(name.clone(), json!((at + 1) as f64 / 3.0));
        }
        (serde_json::from_value(Value::Object(fields.clone())).unwrap(), fields)
    }

    #[test]
    fn every_number_of_a_row_is_tidied() {
        let (row, fields) = full();
        let tidied = json!(row.tidied());
        let floats: Vec<_> = fields.iter().filter_map(|(name, value)| Some((name, value.as_f64()?))).collect();
        assert!(floats.len() > 18, "{fields:?}");
        for (name, x) in floats {
            assert_eq!(tidied[name].as_f64(), Some(tidy(x)), "{name}");
        }
        // Of numbers of ten digits millionths are noise in themselves.
        assert_eq!([tidy(1e9 / 3.0), tidy(1e9), tidy(1e9 + 1.0 / 3.0)], [333_333_333.333_333, 1e9, 1e9 + 1.0 / 3.0]);
    }

    #[test]
    fn a_figure_is_called_by_its_word() {
        let (row, fields) = full();
        for word in ["mean", "sd", "min", "p50", "p90", "p95", "p99", "p999", "max"] {
            assert_eq!(row.figure(word), fields[word].as_f64(), "{word}");
        }
        assert_eq!((row.figure("low"), row.figure("p42")), (None, None));
    }
}
