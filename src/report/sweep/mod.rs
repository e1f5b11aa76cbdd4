//! A sweep, told: the runs at its points, what a request costs, and how throughput grows with concurrency.

mod build;
mod words;

use super::Status;
use crate::gate::GateOutcome;
use crate::scenario::Task;
use crate::stats::{Comparison, CostComparison, CostFit, Usl, lone_stand_in};
use serde::{Deserialize, Serialize};

pub use build::{Gathering, SweepBuilder};
pub use words::{cost_words, point_words, short_path, value_words};

/// Version of the form of `sweep.json` and `sweep-manifest.json`. From 2 on, `verdicts` are whole comparisons.
pub const SWEEP_VERSION: u32 = 2;

/// The files of a sweep's directory, each with what it is.
pub const SWEEP_FILES: [(&str, &str); 6] = [
    ("sweep-manifest.json", "the planned runs"),
    ("points/", "one results directory per run"),
    ("sweep.csv", "one row per run, target and metric"),
    ("sweep.json", "everything, for programs"),
    ("sweep.md", "for a pull request"),
    ("sweep.html", "this page"),
];

/// `sweep-manifest.json`: what a sweep was to be, so that it can be told again from its runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SweepManifest {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The program and version that wrote it.
    pub tool: String,
    /// The scenario's name.
    pub name: String,
    /// One sentence of description.
    pub about: Option<String>,
    /// The task of the engines.
    pub task: Task,
    /// Seed of the runs and of their order.
    pub seed: u64,
    /// When it began, UTC (RFC 3339).
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How far it got.
    pub status: Status,
    /// The paths that are set at each point.
    pub paths: Vec<String>,
    /// Times that each point is run.
    pub repeats: u32,
    /// The runs in the order in which they are driven.
    pub runs: Vec<PlannedRun>,
}

/// A run that is to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedRun {
    /// Its folder, from the sweep's.
    pub folder: String,
    /// Number of its point, from 1, in the order they are written.
    pub point: usize,
    /// Which of the point's runs it is, from 1.
    pub repeat: u32,
    /// What is set at the point, in the order of the paths.
    pub values: Vec<serde_json::Value>,
    /// Why there is no result of it, if it was begun and failed.
    #[serde(default)]
    pub failed: Option<String>,
    /// The exit code of the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
}

/// A sweep, told.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// Version of this document's form.
    pub schema_version: u32,
    /// What was to be.
    pub manifest: SweepManifest,
    /// The targets, in the scenario's order.
    pub targets: Vec<SweptTarget>,
    /// Position of the reference.
    pub reference: usize,
    /// The metric that was declared the main one.
    pub primary: String,
    /// The runs that were made, in the order they were driven.
    pub runs: Vec<SweptRun>,
    /// What a request costs each target: milliseconds by request, prompt token and output token.
    pub costs: Costs,
    /// How throughput grew, for each target and each combination of what else was swept.
    pub scaling: Vec<Scaling>,
    /// Reasons to read it with care, in sentences.
    pub notes: Vec<String>,
}

/// A target of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SweptTarget {
    /// The scenario's name for it.
    pub name: String,
    /// Whether an embedded engine stood in for a real one at any point.
    pub stand_in: bool,
}

/// Why two targets of a sweep aren't compared, if one of them alone is a stand-in.
fn uncompared(targets: &[SweptTarget], a: usize, b: usize) -> Option<String> {
    let (a, b) = (targets.get(a)?, targets.get(b)?);
    lone_stand_in((&a.name, a.stand_in), (&b.name, b.stand_in))
}

impl SweptTarget {
    /// The name as tables show it.
    pub fn label(&self) -> String {
        if self.stand_in { format!("{} (stand-in)", self.name) } else { self.name.clone() }
    }
}

/// One run of a sweep.
#[derive(Clone, Debug, Serialize)]
pub struct SweptRun {
    /// As it was planned.
    #[serde(flatten)]
    pub planned: PlannedRun,
    /// Most requests that each target had in flight.
    pub concurrency: u32,
    /// How far it got.
    pub status: Status,
    /// Why its own audit found it invalid.
    pub invalid: Vec<String>,
    /// What its own audit doubts.
    pub doubts: Vec<String>,
    /// What came of each target.
    pub targets: Vec<RunTarget>,
    /// The worst that became of its gates; `None` without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<GateOutcome>,
    /// The exit code of its gates.
    #[serde(skip)]
    pub code: u8,
    /// The main metric of each target compared with the reference.
    pub verdicts: Vec<Comparison>,
}

/// One target at one run.
#[derive(Clone, Debug, Serialize)]
pub struct RunTarget {
    /// Measured requests.
    pub requests: u64,
    /// Those with a complete answer.
    pub answered: u64,
    /// Mean tokens of a prompt, less those from a cache, by the engine's count.
    pub prompt_tokens: Option<f64>,
    /// Mean tokens of an answer.
    pub output_tokens: Option<f64>,
    /// What was measured.
    pub figures: Vec<Figure>,
}

impl RunTarget {
    /// A figure by its name, if it was measured.
    pub fn figure(&self, metric: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.metric == metric)
    }
}

/// One figure and its 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its name: `latency.p50`.
    pub metric: &'static str,
    /// Its unit.
    pub unit: String,
    /// Rows it rests on.
    pub n: Option<u64>,
    /// Its value.
    pub value: f64,
    /// Lower end of the interval, where there is one.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// What a request costs each target.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Costs {
    /// Concurrency of the runs that the fits rest on: the least of the sweep.
    pub concurrency: u32,
    /// The fits.
    pub fits: Vec<CostFit>,
    /// Each target but the reference, beside it.
    pub comparisons: Vec<CostComparison>,
    /// Which target has no fit, and what it lacks.
    pub lacking: Vec<(usize, String)>,
}

/// How one target's throughput grew with concurrency.
#[derive(Clone, Debug, Serialize)]
pub struct Scaling {
    /// Position of the target.
    pub target: usize,
    /// What else was set, in the order of the other paths; empty where only concurrency was swept.
    pub at: Vec<(String, serde_json::Value)>,
    /// By concurrency, from the least.
    pub levels: Vec<Level>,
    /// The universal scalability law, fitted.
    pub usl: Option<Usl>,
    /// What a fit of it lacks.
    pub lacking: Option<String>,
}

/// One level of concurrency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// Users, or requests in flight.
    pub concurrency: u32,
    /// Runs it rests on.
    pub runs: usize,
    /// Mean of the runs' requests a second.
    pub requests_per_s: f64,
    /// Mean of the runs' output tokens a second, of all users; `None` where no tokens are counted.
    pub output_tokens_per_s: Option<f64>,
    /// Throughput by user, as a share of that at the least concurrency.
    pub efficiency: f64,
    /// Jain's index over the users' rates of service: 1 is even. The least of the runs'.
    pub fairness: Option<f64>,
    /// Mean latency by that at the least concurrency.
    pub slowdown: Option<f64>,
    /// Mean latency of the user that fared worst by the mean at the least concurrency.
    pub slowest_user: Option<f64>,
}

impl Sweep {
    /// Whether any target was a stand-in.
    pub fn has_stand_in(&self) -> bool {
        self.targets.iter().any(|target| target.stand_in)
    }

    /// The runs that their own audit found invalid.
    pub fn invalid(&self) -> impl Iterator<Item = &SweptRun> {
        self.runs.iter().filter(|run| !run.invalid.is_empty())
    }

    /// The runs whose gates ended so.
    pub fn judged(&self, outcome: GateOutcome) -> impl Iterator<Item = &SweptRun> {
        self.runs.iter().filter(move |run| run.gates == Some(outcome))
    }

    /// The runs that failed.
    pub fn failed(&self) -> impl Iterator<Item = &PlannedRun> {
        self.manifest.runs.iter().filter(|run| run.failed.is_some())
    }
}
