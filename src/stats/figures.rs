//! The figures of a run, kept small: those of `summary.csv`, each with its interval. Histories draw trends of them, and
//! baselines keep those of several runs.

use super::Row;
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
struct SummaryRow {
    #[serde(rename = "m")]
    metric: String,
    #[serde(rename = "u")]
    unit: String,
    /// Numbers in the order of [`WORDS`], then the ends of the first four's intervals; cut off after the last that is known.
    #[serde(rename = "v")]
    values: Vec<Option<f64>>,
}

impl SummaryRow {
    /// `None` of a row without a number.
    fn of(row: &Row) -> Option<Self> {
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
    fn paths(&self) -> impl Iterator<Item = String> {
        let lone = (!self.is_distribution()).then(|| self.metric.clone());
        let words = WORDS.iter().enumerate().filter(|(at, _)| self.is_distribution() && self.number(*at).is_some());
        lone.into_iter().chain(words.map(|(_, word)| format!("{}.{word}", self.metric)))
    }
}

/// The figure that `latency.p95` or `requests_per_s` means; `None` if it wasn't measured.
fn figure(rows: &[SummaryRow], path: &str) -> Option<Figure> {
    let (metric, word) = path.split_once('.').unwrap_or((path, "mean"));
    rows.iter().find(|row| row.metric == metric)?.figure(word)
}

/// A target's figures in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetFigures {
    /// The scenario's name for it.
    pub name: String,
    /// Whether a stand-in took the place of a real engine.
    pub stand_in: bool,
    rows: Vec<SummaryRow>,
}

impl TargetFigures {
    /// Those of a target's rows that hold a number.
    pub fn of(name: &str, stand_in: bool, rows: &[Row]) -> Self {
        Self { name: name.to_owned(), stand_in, rows: rows.iter().filter_map(SummaryRow::of).collect() }
    }

    /// The figure that `latency.p95` or `requests_per_s` means; `None` if it wasn't measured.
    pub fn figure(&self, path: &str) -> Option<Figure> {
        figure(&self.rows, path)
    }

    /// Every figure that it has, by its word.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        self.rows.iter().flat_map(SummaryRow::paths)
    }

    /// The name as tables show it: with `(stand-in)` after it where that is so.
    pub fn label(&self) -> String {
        if self.stand_in { format!("{} (stand-in)", self.name) } else { self.name.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::unit;

    #[test]
    fn a_figure_has_its_word_and_its_interval() {
        let row = Row {
            mean: Some(5.0),
            low: Some(4.0),
            p50: Some(3.0),
            p95: Some(9.0),
            p95_high: Some(11.0),
            max: Some(20.0),
            ..Row::new("latency", unit::MICROS)
        };
        let rows = [row, Row::total(&crate::metrics::REQUESTS_PER_S, 7, Some(2.5)), Row::new("ttft", unit::MICROS)];
        let kept: Vec<SummaryRow> = rows.iter().filter_map(SummaryRow::of).collect();
        let all: Vec<String> = kept.iter().flat_map(SummaryRow::paths).collect();
        assert_eq!(all, ["latency.mean", "latency.p50", "latency.p95", "latency.max", "requests_per_s"]);
        let of = |path: &str| figure(&kept, path).map(|figure| (figure.value, figure.low, figure.high));
        assert_eq!(of("latency.mean"), Some((5.0, Some(4.0), None)));
        assert_eq!(of("latency.p95"), Some((9.0, None, Some(11.0))));
        assert_eq!(of("latency.max"), Some((20.0, None, None)));
        assert_eq!(of("requests_per_s"), Some((2.5, None, None)));
        assert_eq!([of("latency.p99"), of("latency.p42"), of("ttft.p50"), of("nothing")], [None; 4]);
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Vec<SummaryRow>>(&text).unwrap(), kept);
    }
}
