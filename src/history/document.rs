//! A trend as it is told: lines of runs, their steps, and the ratios next to them.

use super::read::Damaged;
use crate::stats::StepsBy;
use serde::{Deserialize, Serialize};

/// A metric over time: what the terminal, the page and other documents are made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// Version of this document's form.
    pub schema_version: u32,
    /// What made it, with its version.
    pub tool: String,
    /// The folder that was read.
    pub folder: String,
    /// The figure, by its word.
    pub metric: String,
    /// What steps were looked for by.
    pub by: StepsBy,
    /// The lines that were looked at together.
    pub family: Family,
    /// A line for each scenario and target.
    pub series: Vec<Series>,
    /// Directories of runs that can't be told.
    pub damaged: Vec<Damaged>,
}

/// Of the lines in which a step is told as a finding, the most that are expected to be flat.
pub const FALSE_RATE: f64 = 0.05;

/// The lines that were looked at together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Lines with runs enough for a step: figures, and their ratios to the reference.
    pub lines: usize,
    /// The rate of false ones among the findings.
    pub rate: f64,
}

/// One figure of one target over the runs of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The scenario.
    pub scenario: String,
    /// Of an interference measurement, which of its two runs: `concurrent` or `isolated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The target.
    pub target: String,
    /// Whether a stand-in took the place of a real engine.
    pub stand_in: bool,
    /// Unit of the figure.
    pub unit: String,
    /// Whether more of it is better; `None` where neither is.
    pub more_is_better: Option<bool>,
    /// Hash of the workload that all of them had.
    pub workload_hash: String,
    /// The runs, the oldest first.
    pub points: Vec<SeriesPoint>,
    /// Positions of the points that stand alone: they are part of no level.
    pub alone: Vec<usize>,
    /// Where the level changed, in the order of the points.
    pub steps: Vec<StepTold>,
    /// Median of the points since the last step, those that stand alone left out; `None` without a point.
    pub level: Option<f64>,
    /// p of the line being flat throughout; `None` where no step was seen.
    #[serde(default)]
    pub p: Option<f64>,
    /// Whether the target is the runs' reference.
    #[serde(default)]
    pub reference: bool,
    /// The same over the reference's, which a machine that became slower leaves as it is; `None` where there is no other target, or
    /// one of the two is a stand-in.
    #[serde(default)]
    pub ratio: Option<RatioLine>,
    /// Runs of this scenario and target that don't stand in the line, and why.
    pub left_out: Vec<LeftOut>,
}

impl Series {
    /// Its steps, and those that its ratio shows alone. A reference has none of these: they are told of the other.
    pub fn told(&self) -> impl Iterator<Item = &StepTold> {
        let ratio = self.ratio.iter().filter(|_| !self.reference);
        let alone = ratio.flat_map(move |ratio| {
            let own: Vec<usize> =
                self.steps.iter().filter_map(|step| ratio.step_at(step.at, step.change)).map(|step| step.at).collect();
            ratio.steps.iter().filter(move |step| step.mover == Some(Mover::Engine) && !own.contains(&step.at))
        });
        self.steps.iter().chain(alone)
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoint {
    /// Its directory.
    pub dir: String,
    /// When it began, UTC (RFC 3339).
    pub started: String,
    /// The figure.
    pub value: f64,
    /// Lower end of its 95 % interval, where the run told one.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// Whether the run's own audit found it worthless; such runs stand here only if they were asked for.
    pub invalid: bool,
}

/// A change of level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTold {
    /// Position of the first point after it.
    pub at: usize,
    /// Directory of the first run after it.
    pub dir: String,
    /// When that run began.
    pub started: String,
    /// Directory of the last run of the level before.
    pub dir_before: String,
    /// Median of the level before.
    pub before: f64,
    /// Median of the level after.
    pub after: f64,
    /// The change: a share of the level before, `None` if that was nothing; of a proportion, in points of 1.
    pub change: Option<f64>,
    /// Whether that is better; `None` where neither is.
    pub better: Option<bool>,
    /// p of the permutation test.
    pub p: f64,
    /// Whether it is a step of the ratio: its levels are ratios then.
    #[serde(default)]
    pub of_ratio: bool,
    /// What moved; `None` where there is no ratio to tell it by.
    #[serde(default)]
    pub mover: Option<Mover>,
    /// Whether it is a finding among all the lines that were looked at together; one that isn't was seen, no more.
    #[serde(default)]
    pub certain: bool,
    /// What differs between the last run before and the first after.
    pub differs: Vec<Differs>,
}

/// A thing that two runs differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    /// What it is, in words.
    pub what: String,
    /// How it was before.
    pub before: String,
    /// How it was after.
    pub after: String,
}

/// A run that doesn't stand in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its directory.
    pub dir: String,
    /// When it began.
    pub started: String,
    /// Why.
    pub why: String,
}

/// Runs by which the place of one step may differ in two lines.
pub(super) const NEAR: usize = 2;

/// What moved at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mover {
    /// The target: its ratio to the other moved, too.
    Engine,
    /// The other target: its figure moved, and this one's didn't.
    Other,
    /// The machine, or whatever both sides share: the ratio did not move.
    Machine,
    /// The ratio is too noisy to say.
    Unknown,
}

/// A figure over the same figure of another target, in the runs of a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioLine {
    /// The other target: the reference; of the reference itself, the first of the others.
    pub to: String,
    /// The ratio in each run; of a proportion the difference. `None` where the other wasn't measured, or is zero.
    pub values: Vec<Option<f64>>,
    /// What each run itself reported of the ratio, where it is of the run's main metric: the quotient over the requests that both
    /// answered, with its 95 % interval.
    #[serde(default)]
    pub compared: Vec<Option<Compared>>,
    /// Positions of the runs whose ratio stands alone.
    pub alone: Vec<usize>,
    /// Where the level of the ratio changed.
    pub steps: Vec<StepTold>,
    /// Median of the ratio since its last step.
    pub level: Option<f64>,
    /// p of the ratio being flat throughout; `None` where no step was seen in it.
    pub p: Option<f64>,
}

impl RatioLine {
    /// The step of the ratio that a step of the figure is.
    pub fn step_at(&self, at: usize, change: Option<f64>) -> Option<&StepTold> {
        self.steps.iter().find(|step| step.at.abs_diff(at) <= NEAR && same_way(step.change, change))
    }
}

/// A ratio that a run reported, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The ratio.
    pub ratio: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
}

/// Whether two changes go the same way; one that isn't known goes any.
fn same_way(a: Option<f64>, b: Option<f64>) -> bool {
    a.zip(b).is_none_or(|(a, b)| (a > 0.0) == (b > 0.0))
}
