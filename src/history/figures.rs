//! The figures of a run that a trend is drawn of: those of `summary.csv`, each with its interval.

use crate::stats::{Row, unit};
use serde::{Deserialize, Serialize};

/// The words after a metric's name, in the order their numbers are kept.
const WORDS: [&str; 8] = ["mean", "p50", "p95", "p99", "p90", "p999", "min", "max"];

/// One figure, with its 95 % interval where it has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// Unit of all three.
    pub unit: String,
}

/// A row of `summary.csv`, kept small: an index of a thousand runs has a hundred thousand of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(rename = "m")]
    pub metric: String,
    #[serde(rename = "u")]
    pub unit: String,
    /// Numbers in the order of [`WORDS`], then the ends of the first four's intervals; cut off after the last that is known.
    #[serde(rename = "v")]
    values: Vec<Option<f64>>,
}

impl Kept {
    /// `None` of a row without a number.
    pub fn of(row: &Row) -> Option<Self> {
        let mut values = vec![row.mean, row.p50, row.p95, row.p99, row.p90, row.p999, row.min, row.max];
        values.extend([row.low, row.high, row.p50_low, row.p50_high, row.p95_low, row.p95_high]);
        values.extend([row.p99_low, row.p99_high]);
        let known = values.iter().rposition(Option::is_some)?;
        values.truncate(known + 1);
        Some(Self { metric: row.metric.clone(), unit: row.unit.clone(), values })
    }

    fn number(&self, at: usize) -> Option<f64> {
        self.values.get(at).copied().flatten()
    }

    /// Whether it is a distribution, whose figures have words of their own, and not one number.
    fn is_distribution(&self) -> bool {
        (1..WORDS.len()).any(|at| self.number(at).is_some())
    }

    /// The figure of a word.
    fn figure(&self, word: &str) -> Option<Figure> {
        let at = WORDS.iter().position(|known| *known == word)?;
        let end = |end: usize| if at < 4 { self.number(WORDS.len() + 2 * at + end) } else { None };
        Some(Figure { value: self.number(at)?, low: end(0), high: end(1), unit: self.unit.clone() })
    }

    /// Everything it can be asked for: `latency.p50`; `requests_per_s`.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        let lone = (!self.is_distribution()).then(|| self.metric.clone());
        let words = WORDS.iter().enumerate().filter(|(at, _)| self.is_distribution() && self.number(*at).is_some());
        lone.into_iter().chain(words.map(|(_, word)| format!("{}.{word}", self.metric)))
    }
}

/// The figure that `latency.p95` or `requests_per_s` means; `None` if it wasn't measured.
pub(super) fn figure(rows: &[Kept], path: &str) -> Option<Figure> {
    let (metric, word) = path.split_once('.').unwrap_or((path, "mean"));
    rows.iter().find(|row| row.metric == metric)?.figure(word)
}

/// Whether more of a figure is better; `None` where neither is, as of a count of tokens.
pub fn more_is_better(path: &str, of: &str) -> Option<bool> {
    let metric = path.split_once('.').map_or(path, |(metric, _)| metric);
    let starts = |words: &[&str]| words.iter().any(|word| metric.starts_with(word));
    if metric == "window" || starts(&["cached", "warmup"]) {
        None
    } else if starts(&["accuracy", "macro_f1", "agreement", "cosine"]) || metric.contains("per_s") {
        Some(true)
    } else if of == unit::MICROS || starts(&["error_rate", "unparsed", "memory", "gpu_memory", "cpu", "joules"]) {
        Some(false)
    } else {
        None
    }
}
