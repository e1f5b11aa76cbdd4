//! Every metric once: its id, label, unit, direction, and where it is judged. Comparisons, gates, limits, trends, tables, files and
//! docs are made from this table, and what it says is said nowhere else.
//!
//! The rows themselves are made higher up, in `stats` and `report`; tests hold those of real runs to this table.

mod docs;
pub mod human;
mod table;
mod typed;
pub mod unit;
mod words;

pub use docs::{document, places};
pub use table::*;
pub use typed::{Typed, names, typed};
pub use words::{metric_words, more_is_better, value_words};

use serde::Serialize;

/// What the values of a metric are, and so how a bound on it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Microseconds; a bound needs a unit of time.
    Time,
    /// Tokens or requests per second.
    PerSecond,
    /// A share from 0 to 1, written `1%`.
    Share,
    /// Bytes, written with a unit such as `GiB`.
    Bytes,
    /// Any other number.
    Number,
}

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Large ones.
    More,
    /// Small ones.
    Less,
    /// Neither: it is a description, such as a count of tokens.
    Neither,
}

impl Better {
    /// Whether more is better; `None` where neither is.
    pub const fn more(self) -> Option<bool> {
        match self {
            Better::More => Some(true),
            Better::Less => Some(false),
            Better::Neither => None,
        }
    }
}

/// What a metric is of, and so what spoils it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// How the answered requests went: failing the slow ones makes it better, and so does a machine at rest.
    Answers,
    /// What is in the answers, whatever else the machine did meanwhile: failing the hard ones makes it better.
    Content,
    /// All requests, whatever became of them, or the engine's processes.
    Run,
}

/// How a value without a unit is written for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As [`human::value`] writes its unit.
    InUnit,
    /// Three decimals: of F1 and cosines, the third counts.
    Score,
    /// One thing by another.
    Ratio,
    /// A count.
    Count,
}

/// What kind of thing a line of the tables for people tells, in the order of these tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// How long people wait.
    Wait,
    /// How much is done.
    Rate,
    /// What the answers are worth.
    Answers,
    /// Where the time of a request goes, on average.
    Spent,
    /// What it cost the engines' processes.
    Cost,
    /// What the engines say themselves, and what went before.
    Engine,
}

impl Section {
    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Section::Wait => "Time",
            Section::Rate => "Rate",
            Section::Answers => "Answers",
            Section::Spent => "Where a request's time goes (means)",
            Section::Cost => "Cost to the engine's processes",
            Section::Engine => "By the engine's own clock",
        }
    }
}

/// A line of the tables for people: a figure, and the words before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The figure: `latency.p50`; of a metric that is one value, its id.
    pub path: &'static str,
    /// The words.
    pub label: &'static str,
}

/// A metric: everything that is known of it before anything is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Definition {
    /// What it is called in files, gates and YAML: the `metric` of `summary.csv`.
    pub id: &'static str,
    /// What it is called in sentences and on pages.
    pub label: &'static str,
    /// Unit of its values, as `summary.csv` writes it ([`mod@unit`]).
    pub unit: &'static str,
    /// Which values are better.
    pub better: Better,
    /// What its values are.
    pub kind: Kind,
    /// Whether it is a distribution over requests, with figures such as p95; else it is one value.
    pub spread: bool,
    /// Whether its one value is what it is of the run: counted, or read of the whole of it. All else is an estimate, and says
    /// nothing without an interval.
    pub exact: bool,
    /// What it is of.
    pub of: Of,
    /// Whether it counts from the planned instant: in a closed loop a request is planned when its user is ready, and that is no
    /// other time than from sent.
    pub from_plan: bool,
    /// What it is, in a line without a full stop.
    pub about: &'static str,
    /// Its figures that are compared, target by reference, with an interval and a verdict.
    pub compared: &'static [&'static str],
    /// Whether a limit of `slo` and `capacity` may be on it.
    pub slo: bool,
    /// Its figures that are followed from night to night beside each scenario's main metric.
    pub followed: &'static [&'static str],
    /// Where its lines stand in the tables for people; nowhere without a line.
    pub section: Section,
    /// Its lines in these tables.
    pub shown: &'static [Line],
    #[serde(skip)]
    form: Form,
}

/// The names people write in the place of longer ones.
pub const ALIASES: [(&str, &str); 2] = [("errors", "error_rate"), ("throughput", "requests_per_s")];

/// What metrics were called in earlier versions: gates, limits and baselines of then name them so.
const FORMER: [(&str, &str); 4] = [
    ("gap_max", "itl_max"),
    ("lag", "send_lag"),
    ("cpu_per_1000_tokens", "cpu_per_1k_tokens"),
    ("time_unexplained", "time_other"),
];

/// The metric of a word, or of what people write in its place.
pub fn metric(word: &str) -> Option<&'static Definition> {
    let id = ALIASES.iter().chain(&FORMER).find(|(alias, _)| *alias == word).map_or(word, |(_, id)| id);
    METRICS.iter().find(|known| known.id == id)
}

/// The metric that a figure is of: `latency.p95`, `requests_per_s`.
pub fn metric_of(path: &str) -> Option<&'static Definition> {
    metric(path.split_once('.').map_or(path, |(id, _)| id))
}

/// Every word that [`metric`] knows, in the table's order, what people write instead first.
pub fn ids() -> impl Iterator<Item = &'static str> {
    ALIASES.iter().map(|(alias, _)| *alias).chain(METRICS.iter().map(|known| known.id))
}

/// Every figure that is compared, with its metric: those from the planned instant first, then the other distributions, then
/// what is one value; each in the table's order.
pub fn compared() -> impl Iterator<Item = (&'static Definition, &'static str)> {
    let mut all: Vec<&Definition> = METRICS.iter().collect();
    all.sort_by_key(|metric| (!metric.from_plan, !metric.spread));
    all.into_iter().flat_map(|metric| metric.compared.iter().map(move |path| (metric, *path)))
}

/// Every figure that is followed from night to night, in the table's order.
pub fn followed() -> impl Iterator<Item = &'static str> {
    METRICS.iter().flat_map(|metric| metric.followed).copied()
}

/// Every line of the tables for people, with its metric: by section, those from the planned instant first, then in the table's
/// order.
pub fn lines() -> impl Iterator<Item = (&'static Definition, &'static Line)> {
    let mut all: Vec<&Definition> = METRICS.iter().collect();
    all.sort_by_key(|metric| (metric.section, !metric.from_plan));
    all.into_iter().flat_map(|metric| metric.shown.iter().map(move |line| (metric, line)))
}

#[cfg(test)]
mod tests;
