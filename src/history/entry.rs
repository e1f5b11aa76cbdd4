//! One run as its `report.json` tells it: what a list shows of it, and what a trend needs.

use crate::audit::Severity;
use crate::host::Facts;
use crate::report::{SCHEMA_VERSION, Status};
use crate::scenario::plan::{Plan, TargetPlan};
use crate::stats::{Comparison, Row, TargetFigures, Verdict};
use serde::{Deserialize, Serialize};

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunEntry {
    /// Its directory, below the folder that was read: `nightly-20261121T020000Z`. Empty if it is that folder itself.
    pub dir: String,
    /// When it began, UTC (RFC 3339).
    pub started: String,
    /// When it ended; `None` if it was killed.
    pub ended: Option<String>,
    /// Whether it ran to its end.
    pub status: Status,
    /// What its audit found that makes it worthless, in sentences.
    pub invalid: Vec<String>,
    /// The program and version that wrote it.
    pub tool: String,
    /// The machine that sent the load.
    pub machine: Facts,
    /// The metric that was declared the main one.
    pub primary: String,
    /// What came of the main metric, of each target but the reference.
    pub verdicts: Vec<MainVerdict>,
    /// The plan of the run.
    pub plan: Plan,
    /// The targets, in the plan's order.
    pub targets: Vec<TargetFigures>,
    /// Whether its samples are still there.
    #[serde(skip)]
    pub samples: bool,
}

/// What came of the main metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MainVerdict {
    /// Position of the target.
    pub target: usize,
    /// Target ÷ reference.
    pub ratio: Option<f64>,
    /// Lower end of the ratio's 95 % interval.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It ran to its end and is valid.
    Complete,
    /// It was stopped early.
    Interrupted,
    /// Its audit found it invalid.
    Invalid,
}

impl RunState {
    /// The word in tables and files.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Complete => "complete",
            RunState::Interrupted => "interrupted",
            RunState::Invalid => "invalid",
        }
    }
}

/// The part of `report.json` that is read: distributions and series are passed over.
#[derive(Deserialize)]
struct ReportParts {
    schema_version: u32,
    tool: String,
    started: String,
    ended: Option<String>,
    status: Status,
    primary: String,
    #[serde(default)]
    findings: Vec<ToldFinding>,
    targets: Vec<ToldTarget>,
    comparisons: Vec<Comparison>,
    machine: Facts,
    plan: Plan,
}

#[derive(Deserialize)]
struct ToldFinding {
    severity: Severity,
    sentence: String,
}

#[derive(Deserialize)]
struct ToldTarget {
    name: String,
    stand_in: bool,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

impl RunEntry {
    /// Reads what a `report.json` holds; why it can't be, in words.
    pub(super) fn parse(dir: &str, bytes: &[u8]) -> Result<Self, String> {
        let later = |version: u32| {
            format!(
                "its report has format version {version}; this loadcmp reads version \
                                    {SCHEMA_VERSION}"
            )
        };
        let told: ReportParts = serde_json::from_slice(bytes).map_err(|error| {
            // A later form need not fit the types.
            let version = serde_json::from_slice(bytes).map(|Version { schema_version }| schema_version);
            match version {
                Ok(version) if version > SCHEMA_VERSION => later(version),
                _ => format!("its report.json is not from loadcmp ({error})"),
            }
        })?;
        if told.schema_version > SCHEMA_VERSION {
            return Err(later(told.schema_version));
        }
        if told.started.parse::<jiff::Timestamp>().is_err() {
            return Err("its report.json does not say when it began".to_owned());
        }
        if told.plan.targets.len() != told.targets.len() {
            return Err("its report.json has other targets than its plan".to_owned());
        }
        let main = told.comparisons.iter().filter(|c| c.metric == told.primary);
        let verdict = |c: &Comparison| MainVerdict {
            target: c.target,
            ratio: c.ratio,
            low: c.low,
            high: c.high,
            verdict: c.verdict,
        };
        let invalid = told.findings.into_iter().filter(|finding| finding.severity == Severity::Invalid);
        let target = |target: ToldTarget| TargetFigures::of(&target.name, target.stand_in, &target.rows);
        Ok(Self {
            dir: dir.to_owned(),
            started: told.started,
            ended: told.ended,
            status: told.status,
            invalid: invalid.map(|finding| finding.sentence).collect(),
            tool: told.tool,
            machine: told.machine,
            verdicts: main.map(verdict).collect(),
            primary: told.primary,
            plan: told.plan,
            targets: told.targets.into_iter().map(target).collect(),
            samples: false,
        })
    }

    /// How it developed.
    pub fn state(&self) -> RunState {
        if self.status != Status::Complete {
            RunState::Interrupted
        } else if self.invalid.is_empty() {
            RunState::Complete
        } else {
            RunState::Invalid
        }
    }

    /// Whether any of its targets was a stand-in.
    pub fn has_stand_in(&self) -> bool {
        self.targets.iter().any(|target| target.stand_in)
    }

    /// A target, with its plan.
    pub fn target(&self, name: &str) -> Option<(&TargetFigures, &TargetPlan)> {
        self.targets.iter().zip(&self.plan.targets).find(|(target, _)| target.name == name)
    }
}
