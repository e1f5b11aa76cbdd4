//! What a target's samples come to: one row a metric, as `summary.csv` has them.

use super::{Confusion, Drift, Reason, Row, Steady, Window, Work};
use crate::metrics;
use crate::record::Outcome;
use serde::{Deserialize, Serialize};

/// Share of failed requests above which times of the answered ones are no fair comparison: failures leave out the
/// requests that were slow, and counted as infinite they would make p99 infinite (measuring.md 10).
pub(super) const MOST_FAILED: f64 = 0.01;

/// One headline metric in each batch or block of a target's run, so that runs can be compared without their samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnitSeries {
    /// The metric: `latency.p50`.
    pub metric: String,
    /// Its value in each unit, in time order; the unit of measure is the summary's.
    pub values: Vec<f64>,
    /// Whether these are separate blocks.
    pub apart: bool,
}

/// The summary of one target's samples.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TargetSummary {
    /// The scenario's name for it.
    pub name: String,
    /// Whether a stand-in took the place of a real engine.
    pub stand_in: bool,
    /// The measured window: as driven, or from the first request planned to the last end; of blocks, from the first's
    /// opening to the last's close. `None` without samples.
    pub window: Option<Window>,
    /// Where the run became steady; `None` for blocks, which are warmed each, and for few rows.
    #[serde(default)]
    pub steady: Option<Steady>,
    /// How the median latency changed over the window.
    #[serde(default)]
    pub drift: Option<Drift>,
    /// The headline metrics in each batch or block.
    #[serde(default)]
    pub units: Vec<UnitSeries>,
    /// The work that was done inside the window.
    #[serde(default)]
    pub work: Work,
    /// One row per metric, then the totals.
    pub rows: Vec<Row>,
    /// Measured requests by outcome, in the order of [`Outcome::ALL`]; outcomes that did not happen are left out.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Why measured requests failed, the most frequent reason first.
    #[serde(default)]
    pub failures: Vec<Reason>,
    /// What was expected and what was read (classify).
    pub confusion: Option<Confusion>,
}

impl TargetSummary {
    /// The name as tables show it: with `(stand-in)` after it where that is so.
    pub fn label(&self) -> String {
        if self.stand_in { format!("{} (stand-in)", self.name) } else { self.name.clone() }
    }

    /// The row of a metric; `None` if it wasn't measured.
    pub fn row(&self, metric: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.metric == metric)
    }

    /// The number that `latency.p95` or `accuracy` means; `None` if it wasn't measured.
    pub fn value(&self, path: &str) -> Option<f64> {
        match path.split_once('.') {
            Some((metric, figure)) => self.row(metric)?.figure(figure),
            None => self.row(path)?.mean,
        }
    }

    /// The share of its requests that failed, where that is surely more than 1 %: the lower end of its interval is
    /// above it. One failure in forty is chance, of which nothing follows.
    pub fn too_many_failed(&self) -> Option<f64> {
        let row = self.row(metrics::ERROR_RATE.id)?;
        row.mean.filter(|_| row.low.is_some_and(|low| low > MOST_FAILED))
    }

    /// Whether its answers have reasoning in them: then their first token isn't that of the answer.
    pub fn thinks(&self) -> bool {
        let of = |metric: &str| self.row(metric).map(|row| (row.n, row.mean));
        of("ttfat") != of("ttft")
    }

    /// Measured requests, whatever became of them.
    pub fn requests(&self) -> u64 {
        self.outcomes.iter().map(|(_, n)| n).sum()
    }

    /// Measured requests of an outcome.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.outcomes.iter().filter(|(known, _)| *known == outcome).map(|(_, n)| n).sum()
    }

    /// Measured requests with a complete answer.
    pub fn answered(&self) -> u64 {
        self.outcomes.iter().filter(|(outcome, _)| outcome.answered()).map(|(_, n)| n).sum()
    }
}
