//! Runs of one plan, told together: the runs are what its headline, its verdicts and its gates rest on.

mod build;
#[cfg(test)]
mod tests;
mod words;

use super::Status;
use crate::gate::{GateOutcome, Judgement};
use crate::scenario::Task;
use crate::scenario::gate::Inconclusive;
use crate::stats::{Comparison, Verdict};
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use build::RepeatsBuilder;

/// Version of the form of `repeats.json` and `repeats-manifest.json`.
pub const REPEATS_VERSION: u32 = 1;

/// `repeats-manifest.json`: the planned runs, from which the report can be rebuilt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RepeatsManifest {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The program and version that wrote it.
    pub tool: String,
    /// The command that began it, secrets masked.
    pub command: String,
    /// The scenario's name.
    pub name: String,
    /// One sentence of description.
    pub about: Option<String>,
    /// The task of the engines.
    pub task: Task,
    /// Seed of the runs, and of the order of the targets in each.
    pub seed: u64,
    /// When the first run began, UTC (RFC 3339).
    pub started: String,
    /// When the last one ended.
    pub ended: Option<String>,
    /// How far it got.
    pub status: Status,
    /// The targets, in the scenario's order.
    pub targets: Vec<String>,
    /// The target that ratios are against.
    pub reference: String,
    /// Pause between two runs, in seconds.
    pub pause_s: f64,
    /// Targets whose engines loadcmp's own commands started anew for each run.
    pub restarted: Vec<String>,
    /// What an inconclusive gate does to the exit code.
    #[serde(default)]
    pub inconclusive: Inconclusive,
    /// Targets whose engine was looked for: where none was there, the stand-in in its place was started anew for each run.
    pub sought: Vec<String>,
    /// The runs, in the order in which they are made.
    pub runs: Vec<PlannedRepeat>,
}

/// A run that is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PlannedRepeat {
    /// Its folder, below the results directory: `repeats/01`.
    pub folder: String,
    /// The targets, in the order in which this run has them: the first asks first, and is driven first where targets take turns.
    pub order: Vec<String>,
    /// Why there is no result of it, if it was begun and failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The exit code of the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
}

/// Runs of one plan, told: `repeats.json`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Repeats {
    /// Version of this document's form.
    pub schema_version: u32,
    /// What was to be.
    pub manifest: RepeatsManifest,
    /// The targets, in the scenario's order.
    pub targets: Vec<RepeatedTarget>,
    /// Position of the reference.
    pub reference: usize,
    /// The metric that was declared the main one beforehand.
    pub primary: String,
    /// The smallest difference that matters, as a share.
    pub smallest_effect: f64,
    /// The runs that were begun and not cut off before there was anything to tell, in their order.
    pub runs: Vec<RepeatRun>,
    /// Each target's figures over the runs that count.
    pub figures: Vec<RunsFigure>,
    /// Each target but the reference beside the reference, over the runs that count: `blocks` is their number.
    pub comparisons: Vec<Comparison>,
    /// What became of the gates over the runs that count; `None` without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// Why all of it is worthless, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// Reasons to read it with care, in sentences.
    pub notes: Vec<String>,
}

/// A target of all runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct RepeatedTarget {
    /// The scenario's name for it.
    pub name: String,
    /// Whether an embedded engine stood in for a real one in any run.
    pub stand_in: bool,
}

impl RepeatedTarget {
    /// The name as tables show it.
    pub fn label(&self) -> String {
        if self.stand_in { format!("{} (stand-in)", self.name) } else { self.name.clone() }
    }
}

/// One run.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct RepeatRun {
    /// As it was planned.
    #[serde(flatten)]
    pub planned: PlannedRepeat,
    /// Its number, from 1.
    pub number: usize,
    /// When it began, UTC (RFC 3339).
    pub started: String,
    /// How far it got.
    pub status: Status,
    /// Why it doesn't count, if it doesn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// Worst outcome of the gates of this run; `None` without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<GateOutcome>,
    /// Each target's figures.
    pub figures: Vec<RunFigure>,
    /// Each target but the reference beside the reference, as the run itself tells it.
    pub comparisons: Vec<RunComparison>,
}

impl RepeatRun {
    /// Whether it counts.
    pub fn counts(&self) -> bool {
        self.left_out.is_none()
    }

    /// A figure of a target.
    pub fn figure(&self, target: usize, metric: &str) -> Option<&RunFigure> {
        self.figures.iter().find(|figure| figure.target == target && figure.metric == metric)
    }

    /// The comparison of a target in a metric.
    pub fn comparison(&self, target: usize, metric: &str) -> Option<&RunComparison> {
        self.comparisons.iter().find(|c| c.target == target && c.metric == metric)
    }
}

/// A figure of one run.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RunFigure {
    /// Its name: `latency.p50`.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Position of the target.
    pub target: usize,
    /// Its value.
    pub value: f64,
}

/// What one run says of a target and the reference.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RunComparison {
    /// The metric: `latency.p50`.
    pub metric: String,
    /// Position of the target.
    pub target: usize,
    /// The target's value.
    pub target_value: f64,
    /// The reference's value.
    pub reference_value: f64,
    /// Their quotient; `None` where one of the two alone is a stand-in.
    pub ratio: Option<f64>,
    /// What the run says by itself.
    pub verdict: Verdict,
}

/// A figure over runs.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RunsFigure {
    /// Its name: `latency.p50`.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Position of the target.
    pub target: usize,
    /// Runs that measured it.
    pub runs: usize,
    /// Their mean: geometric for times and rates, plain for shares.
    pub value: f64,
    /// Lower end of its 95 % interval over runs; `None` for fewer than three.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
}

impl Repeats {
    /// The runs that count.
    pub fn counted(&self) -> impl Iterator<Item = &RepeatRun> {
        self.runs.iter().filter(|run| run.counts())
    }

    /// Whether any target was a stand-in.
    pub fn has_stand_in(&self) -> bool {
        self.targets.iter().any(|target| target.stand_in)
    }

    /// A figure of a target over runs.
    pub fn figure(&self, target: usize, metric: &str) -> Option<&RunsFigure> {
        self.figures.iter().find(|figure| figure.target == target && figure.metric == metric)
    }

    /// The comparison of a target in a metric over runs.
    pub fn comparison(&self, target: usize, metric: &str) -> Option<&Comparison> {
        self.comparisons.iter().find(|c| c.target == target && c.metric == metric)
    }
}

/// The JSON Schema of `repeats.json` as it is written (draft-07). Within one version fields are added, and none is taken away.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft07().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Repeats>().to_value();
    schema["title"] = json!(format!("repeats.json of loadcmp, version {REPEATS_VERSION}"));
    schema["description"] = json!("Several runs of one plan. Times are in microseconds unless a unit says otherwise.");
    schema["properties"]["schema_version"] = json!({
        "description": "Version of this document's format. A reader should refuse a later one.",
        "const": REPEATS_VERSION,
    });
    schema
}
