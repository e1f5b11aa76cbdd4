//! What gates come to: passed, failed, inconclusive or not measured, each with the figure, its interval and the bound.
//!
//! A gate passes where the whole 95 % interval lies on the right side of its bound, fails where the whole of it lies on
//! the wrong one, and is inconclusive in between. A stand-in passes no gate, unless the run was told to judge it.

mod adapt;
mod bound;
mod certainty;
mod figure;
mod judge;
mod nights;
mod pair;
#[cfg(test)]
mod point_tests;
mod repeated;
#[cfg(test)]
mod tests;
mod words;

use crate::host::Probe;
use crate::scenario::gate::{Gate, Inconclusive};
use crate::scenario::plan::Plan;
use crate::stats::{Comparison, ComparisonSettings, Nights, Packed, TargetSummary};
use serde::{Deserialize, Serialize};

pub use repeated::{OfRun, judge_runs};

/// What became of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Outcome")]
pub enum GateOutcome {
    /// The whole interval lies on the right side of the bound.
    Pass,
    /// The whole interval lies on the wrong side of the bound.
    Fail,
    /// The bound lies in the interval, or there is none.
    Inconclusive,
    /// There is no figure to be judged, or none that counts.
    NotMeasured,
}

impl GateOutcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            GateOutcome::Pass => "pass",
            GateOutcome::Fail => "FAIL",
            GateOutcome::Inconclusive => "inconclusive",
            GateOutcome::NotMeasured => "not measured",
        }
    }

    /// How bad it is, 0 for a pass: a failure beats all, then what isn't known.
    pub fn gravity(self) -> u8 {
        match self {
            GateOutcome::Pass => 0,
            GateOutcome::Inconclusive => 1,
            GateOutcome::NotMeasured => 2,
            GateOutcome::Fail => 3,
        }
    }

    /// The worst of several; `None` of none.
    pub fn worst(all: impl Iterator<Item = GateOutcome>) -> Option<GateOutcome> {
        all.max_by_key(|outcome| outcome.gravity())
    }
}

/// The exit code of what became of gates. One that failed beats all; one that wasn't measured is never a pass, whatever an
/// inconclusive one counts as.
pub fn exit_code(outcomes: impl Iterator<Item = GateOutcome>, inconclusive: Inconclusive) -> u8 {
    let code = |outcome| match (outcome, inconclusive) {
        (GateOutcome::Pass, _) | (GateOutcome::Inconclusive, Inconclusive::Pass) => 0,
        (GateOutcome::Fail, _) | (GateOutcome::Inconclusive, Inconclusive::Fail) => 1,
        (GateOutcome::Inconclusive, Inconclusive::Exit5) | (GateOutcome::NotMeasured, _) => 5,
    };
    worst_code(outcomes.map(code))
}

/// The exit code of several of gates: 1 if there is one, else 5, else 0.
pub fn worst_code(codes: impl Iterator<Item = u8>) -> u8 {
    codes.reduce(|a, b| if a == 1 || b == 1 { 1 } else { a.max(b) }).unwrap_or(0)
}

/// What the interval and the bound of a gate are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The figure itself, in its unit.
    Value,
    /// The figure ÷ what it is compared with.
    Ratio,
    /// The figure − what it is compared with, for shares.
    Difference,
}

impl Measure {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Value => "value",
            Measure::Ratio => "ratio",
            Measure::Difference => "difference",
        }
    }
}

/// A gate and what became of it, of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Judged")]
pub struct JudgedGate {
    /// The gate as it was written.
    pub gate: String,
    /// Position of the target in the report's targets; `None` where the run doesn't have it.
    pub target: Option<usize>,
    /// How it developed.
    pub outcome: GateOutcome,
    /// The figure compared with the bound, in its unit.
    pub value: Option<f64>,
    /// Its unit, as `summary.csv` has it.
    pub unit: String,
    /// The figure of the other target, or of the baseline.
    pub other: Option<f64>,
    /// What the four below are of.
    pub measure: Measure,
    /// What was judged: the figure, or its ratio or difference to the other.
    pub point: Option<f64>,
    /// Lower end of its 95 % interval, 98 % where it is of a prediction over the runs of a baseline; `None` for one value that was
    /// counted.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// The bound.
    pub bound: Option<f64>,
    /// The bound as it was written, where the machine's speed scaled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unscaled: Option<f64>,
    /// Why it is inconclusive or not measured; what it rests on, where that is a baseline.
    pub reason: Option<String>,
}

/// How far a target got in the tiers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reached {
    /// Position of the target in the report's targets.
    pub target: usize,
    /// The highest tier whose gates it passed, with all below; `None` if not even the first.
    pub tier: Option<String>,
    /// The tier above; `None` at the top.
    pub next: Option<String>,
    /// The gates of that tier which it didn't pass.
    pub lacks: Vec<JudgedGate>,
}

/// Everything that was judged of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Judgement {
    /// The gates, in the order written; one without a target once for each.
    pub gates: Vec<JudgedGate>,
    /// Each target's tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Reached>,
    /// How the machine's speed changed bounds, or why it didn't, in a sentence; `None` unless that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted: Option<String>,
    /// Whether figures were judged in the place of intervals.
    #[serde(default)]
    pub strict: bool,
}

impl Judgement {
    /// How many gates ended so.
    pub fn count(&self, outcome: GateOutcome) -> usize {
        self.gates.iter().filter(|judged| judged.outcome == outcome).count()
    }

    /// The exit code: 0 if every gate passed, 1 if one failed, 5 if one could not be decided.
    pub fn code(&self, inconclusive: Inconclusive) -> u8 {
        exit_code(self.gates.iter().map(|judged| judged.outcome), inconclusive)
    }

    /// The worst that became of a gate; `None` without gates.
    pub fn worst(&self) -> Option<GateOutcome> {
        GateOutcome::worst(self.gates.iter().map(|judged| judged.outcome))
    }
}

/// What was kept, which gates are held to.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// The targets of its last run.
    pub targets: &'a [TargetSummary],
    /// Their distributions.
    pub histograms: &'a [Packed],
    /// How fast its machine was.
    pub probe: Option<&'a Probe>,
    /// All of its runs: how far one run lies from another.
    pub nights: &'a Nights,
}

/// What takes from what gates come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoilt {
    /// Nothing does.
    No,
    /// The sides can't be told apart, and the run is valid: what compares two of them is inconclusive.
    Undecided(String),
    /// The comparison is invalid: what compares two sides isn't judged, and what one side did is.
    Comparison(String),
    /// The run is invalid: of all that was measured, failures that were counted stand.
    Run(String),
}

/// All that gates are judged by.
#[derive(Clone, Copy, Debug)]
pub struct GateInputs<'a> {
    /// What was to happen, gates and all.
    pub plan: &'a Plan,
    /// What doesn't follow from the run, and why.
    pub spoilt: &'a Spoilt,
    /// The targets, in the plan's order.
    pub targets: &'a [TargetSummary],
    /// Their distributions.
    pub histograms: &'a [Packed],
    /// Each target compared with the reference.
    pub comparisons: &'a [Comparison],
    /// How fast the machine is.
    pub probe: Option<&'a Probe>,
    /// The baseline; an error says why there is none to compare with.
    pub past: Result<Past<'a>, &'static str>,
}

/// Why there is no baseline where none was named.
pub const NO_BASELINE: &str = "there is no baseline";

impl GateInputs<'_> {
    fn settings(&self) -> ComparisonSettings {
        ComparisonSettings::of(self.plan)
    }
}

/// Judges one gate; once for each target where it names none.
pub fn judge_one(gate: &Gate, evidence: &GateInputs<'_>) -> Vec<JudgedGate> {
    let adapt = adapt::Adapt::new(evidence);
    let at: Vec<Option<usize>> = match &gate.subject.target {
        Some(name) => vec![evidence.targets.iter().position(|target| target.name == *name)],
        None => (0..evidence.targets.len()).map(Some).collect(),
    };
    at.into_iter().map(|at| judge::judge(gate, at, evidence, &adapt)).collect()
}

/// Judges all gates and tiers of a plan.
pub fn judge(evidence: &GateInputs<'_>) -> Judgement {
    let plan = &evidence.plan.gates;
    let adapt = adapt::Adapt::new(evidence);
    Judgement {
        gates: plan.all.iter().flat_map(|gate| judge_one(gate, evidence)).collect(),
        tiers: tiers(evidence, |gate, at| judge::judge(gate, Some(at), evidence, &adapt)),
        adapted: plan.adaptive.then(|| adapt.words()),
        strict: plan.strict,
    }
}

fn tiers(evidence: &GateInputs<'_>, hold: impl Fn(&Gate, usize) -> JudgedGate) -> Vec<Reached> {
    let tiers = &evidence.plan.gates.tiers;
    if tiers.is_empty() {
        return Vec::new();
    }
    let reached = |target: usize| {
        let mut tier = None;
        for (name, gates) in tiers {
            let judged: Vec<JudgedGate> = gates.iter().map(|gate| hold(gate, target)).collect();
            let lacks: Vec<JudgedGate> =
                judged.into_iter().filter(|judged| judged.outcome != GateOutcome::Pass).collect();
            if !lacks.is_empty() {
                return Reached { target, tier, next: Some(name.clone()), lacks };
            }
            tier = Some(name.clone());
        }
        Reached { target, tier, next: None, lacks: Vec::new() }
    };
    (0..evidence.targets.len()).map(reached).collect()
}
