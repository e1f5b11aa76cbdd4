//! Gates, as a person writes them: `native.latency.p95 <= 1.05 * ollama.latency.p95`. What they come to is judged in `gate`.

mod parse;
#[cfg(test)]
mod tests;
mod words;

pub use crate::metrics::{Definition, Kind, METRICS, Of, metric};
pub use parse::GateError;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is read of a metric: its value where it is one, else a figure over the requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// The value of a metric that is one value, or the mean over requests.
    Mean,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// The quantile, from 0 to 1.
    Quantile(f64),
}

/// Whose metric, which, and what of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The target's name; `None` for every target in turn.
    pub target: Option<String>,
    /// The metric.
    pub metric: &'static Definition,
    /// What of it.
    pub figure: Figure,
}

/// How a value has to stand to its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `<=` and `<`: of measured values, they are one.
    AtMost,
    /// `>=` and `>`.
    AtLeast,
    /// `==`: of counts and shares that are to be nought or whole.
    Equal,
}

/// What the bound is measured from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// Nothing: the bound is the constant.
    Constant,
    /// Another target's figure.
    Target(Subject),
    /// The same target's figure in the baseline.
    Baseline(Subject),
}

/// A bound: `factor` × what it is measured from + `plus`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// What it is measured from.
    pub from: From,
    /// The factor; 1 where none is written.
    pub factor: f64,
    /// What is added, in the metric's unit; the constant itself where it is measured from nothing.
    pub plus: f64,
}

/// What a gate that could be neither passed nor failed does to the exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Inconclusive {
    /// It counts as one that passed.
    Pass,
    /// It counts as one that failed.
    Fail,
    /// The exit code is 5.
    #[default]
    Exit5,
}

impl Inconclusive {
    /// Whether the exit code says that something is inconclusive.
    pub fn is_told(&self) -> bool {
        *self == Self::Exit5
    }
}

/// A condition that decides the exit code. Serialised as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Gate {
    /// What is held to a bound.
    pub subject: Subject,
    /// How it has to stand to it.
    pub relation: Relation,
    /// The bound.
    pub bound: Bound,
    /// As it was written, with single spaces.
    pub text: String,
}

impl Gate {
    /// Reads a gate. Whether the targets that it names are there is the scenario's to say.
    pub fn parse(text: &str) -> Result<Self, GateError> {
        parse::gate(text)
    }

    /// Whether it holds a target to a number, and not to another target or to the past.
    pub fn is_absolute(&self) -> bool {
        self.bound.from == From::Constant
    }

    /// Every target it names.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        let other = match &self.bound.from {
            From::Target(subject) => subject.target.as_deref(),
            From::Constant | From::Baseline(_) => None,
        };
        self.subject.target.as_deref().into_iter().chain(other)
    }

    /// Whether it needs a baseline.
    pub fn needs_baseline(&self) -> bool {
        matches!(self.bound.from, From::Baseline(_))
    }
}

impl Subject {
    /// The metric with its figure, as `comparison.csv` has it: `latency.p95`, `accuracy`.
    pub fn path(&self) -> String {
        match self.figure {
            Figure::Mean if !self.metric.spread => self.metric.id.to_owned(),
            figure => format!("{}.{}", self.metric.id, figure.word()),
        }
    }
}

impl Figure {
    /// The word for it: `mean`, `p95`, `p99.5`; `p999` as `summary.csv` writes it.
    pub fn word(self) -> String {
        match self {
            Figure::Mean => "mean".to_owned(),
            Figure::Min => "min".to_owned(),
            Figure::Max => "max".to_owned(),
            Figure::Quantile(q) if (q - 0.999).abs() < 1e-9 => "p999".to_owned(),
            // Percentiles are written in at most one decimal.
            Figure::Quantile(q) => format!("p{}", (q * 1000.0).round() / 10.0),
        }
    }
}

impl JsonSchema for Gate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Gate".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "title": "a gate, as written", "type": "string" })
    }
}

impl TryFrom<String> for Gate {
    type Error = GateError;

    fn try_from(text: String) -> Result<Self, GateError> {
        Self::parse(&text)
    }
}

impl std::convert::From<Gate> for String {
    fn from(gate: Gate) -> Self {
        gate.text
    }
}
