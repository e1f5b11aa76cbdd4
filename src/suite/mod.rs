//! A suite, told: what became of its scenarios and of its checks, category by category, now and before.

mod checks;
mod cost;
mod nightly;
mod pace;
mod schedule;
#[cfg(test)]
mod tests;
mod words;

pub use checks::{RunAtPoint, judge_check};
pub use cost::{Cost, RequestSize, RunTimes, cut, fit};
pub use nightly::{Night, Nightly};
pub use pace::{Pace, Timed};
pub use schedule::{Schedule, Turn};

use crate::gate::{GateOutcome, JudgedGate};
use crate::report::Status;
use crate::scenario::gate::Inconclusive;
use serde::{Deserialize, Serialize};

/// Version of the form of `suite.json`.
pub const SUITE_VERSION: u32 = 2;

/// The files of a suite's directory, each with what it is.
pub const SUITE_FILES: [(&str, &str); 5] = [
    ("suite.json", "everything, for programs; used to resume a run"),
    ("checks.csv", "one row per check"),
    ("junit.xml", "the checks, for CI"),
    ("suite.md", "for a pull request"),
    ("suite.html", "this page"),
];

/// The category of the checks that scenarios bring along: their own gates.
const OWN_GATES: &str = "own gates";

/// How far a scenario got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioState {
    /// It waits for its turn.
    Planned,
    /// It was begun, and cut off if it still stands so.
    Running,
    /// It ran to its end.
    Done,
    /// It could not be run.
    Failed,
    /// There was no time for it.
    Skipped,
    /// A target's wire can't do it.
    Cannot,
}

impl ScenarioState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ScenarioState::Planned => "not run",
            ScenarioState::Running => "interrupted",
            ScenarioState::Done => "done",
            ScenarioState::Failed => "failed",
            ScenarioState::Skipped => "skipped",
            ScenarioState::Cannot => "can't be run",
        }
    }

    /// The words for it in a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            ScenarioState::Done => "was run",
            ScenarioState::Failed => "could not be run",
            ScenarioState::Planned => "was not run",
            ScenarioState::Running => "was interrupted",
            ScenarioState::Skipped => "was skipped",
            ScenarioState::Cannot => "can't be run",
        }
    }
}

/// One scenario of a suite, and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScenarioRun {
    /// The suite's name for it.
    pub name: String,
    /// Its folder, from the suite's.
    pub folder: String,
    /// Whether it is a sweep, whose runs lie in folders of their own.
    pub sweep: bool,
    /// Hash of what is to be run: text and everything laid over it. A run that is taken up again has to find the same.
    pub hash: String,
    /// How far it got.
    pub state: ScenarioState,
    /// Why it failed or was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The exit code of the failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// Seconds that were expected; `None` if only the engines know.
    pub expected_s: Option<f64>,
    /// How much of its load was driven so that the suite ended in its time, in words; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// Seconds that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_s: Option<f64>,
    /// What came of its main metric, in sentences.
    #[serde(default)]
    pub headlines: Vec<String>,
    /// Why its own audit found it invalid.
    #[serde(default)]
    pub invalid: Vec<String>,
    /// Whether a stand-in answered.
    #[serde(default)]
    pub stand_in: bool,
    /// The engines that answered, each with its target's name, its wire and its model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<String>,
}

impl ScenarioRun {
    /// Whether other engines answered in an earlier run of it, as far as both say which.
    fn has_other_engines(&self, before: &ScenarioRun) -> bool {
        !self.engines.is_empty() && !before.engines.is_empty() && self.engines != before.engines
    }

    /// Whether anything was sent, so that there may be something to judge.
    pub fn ran(&self) -> bool {
        matches!(self.state, ScenarioState::Done | ScenarioState::Running)
    }

    /// Why nothing follows from it, in words; `None` of one that ran to its end and is valid.
    pub fn trouble(&self) -> Option<String> {
        let why = self.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        match (self.state, self.invalid.first()) {
            (ScenarioState::Done, Some(invalid)) => Some(format!("{} is invalid: {invalid}", self.name)),
            (ScenarioState::Done, None) => None,
            (state, _) => Some(format!("{} {}{why}", self.name, state.as_str())),
        }
    }
}

/// A check and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What it is called.
    pub name: String,
    /// What it belongs to.
    pub category: String,
    /// The scenario that it is about; `None` for one that can't be measured.
    pub scenario: Option<String>,
    /// What has to hold; `None` for one that can't be measured.
    pub gate: Option<String>,
    /// What has to hold in the full form, where `gate` is what a quick run is held to in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<String>,
    /// What its scenario must have done for it to be judged, as gates with a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// The points of a sweep that it is about, paths and values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<(String, serde_json::Value)>,
    /// Why it can't be measured, said beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cannot: Option<String>,
    /// What became of it: the worst over targets and points.
    pub outcome: GateOutcome,
    /// The judgements that it rests on, the worst first; of a sweep's points each with its values in words.
    #[serde(default)]
    pub judged: Vec<(String, JudgedGate)>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The last comparable run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// What became of a check in the last comparable run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// How it developed.
    pub outcome: GateOutcome,
    /// What was judged then; of the same measure and unit as now.
    pub point: Option<f64>,
}

/// A suite, told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Suite {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The program and version that wrote it.
    pub tool: String,
    /// Its name.
    pub name: String,
    /// One sentence of description.
    pub about: Option<String>,
    /// Whether this was the quick form.
    pub quick: bool,
    /// Whether stand-ins are judged like real engines.
    pub judge_stand_ins: bool,
    /// What an inconclusive check or gate does to the exit code.
    #[serde(default, skip_serializing_if = "Inconclusive::is_told")]
    pub inconclusive: Inconclusive,
    /// When it began, UTC (RFC 3339).
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How far it got.
    pub status: Status,
    /// Seconds that all of it may take.
    pub budget_s: Option<f64>,
    /// What requests to the engines took before the first scenario: what lengths were told by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paces: Vec<Pace>,
    /// The scenarios, in the order they are run.
    pub scenarios: Vec<ScenarioRun>,
    /// The checks, in the order they are told.
    pub checks: Vec<Check>,
    /// The last comparable run: its folder and when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<(String, String)>,
}

/// The checks of a category, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// Checks that passed.
    pub passed: usize,
    /// Checks that failed.
    pub failed: usize,
    /// Checks whose bound lies in the interval.
    pub inconclusive: usize,
    /// Checks that could be measured and weren't.
    pub not_measured: usize,
    /// Checks that no engine's interface can tell.
    pub cannot: usize,
    /// Those of the last comparable run that passed; `None` without one.
    pub passed_before: Option<usize>,
}

impl Category {
    /// Its checks that can be measured, whether they were or not.
    pub fn all(&self) -> usize {
        self.passed + self.failed + self.inconclusive + self.not_measured
    }

    /// The share that passed of all that can be measured: what was skipped, or not decided, is no pass. `None` if none can be.
    pub fn rate(&self) -> Option<f64> {
        (self.all() > 0).then(|| self.passed as f64 / self.all() as f64)
    }
}

impl Suite {
    /// The checks by category, in the order they first stand in.
    pub fn categories(&self) -> Vec<Category> {
        let mut all: Vec<Category> = Vec::new();
        for check in &self.checks {
            let at = all.iter().position(|category| category.name == check.category).unwrap_or_else(|| {
                all.push(Category { name: check.category.clone(), ..Category::default() });
                all.len() - 1
            });
            let category = &mut all[at];
            match check.outcome {
                _ if check.cannot.is_some() => category.cannot += 1,
                GateOutcome::Pass => category.passed += 1,
                GateOutcome::Fail => category.failed += 1,
                GateOutcome::Inconclusive => category.inconclusive += 1,
                GateOutcome::NotMeasured => category.not_measured += 1,
            }
            if let Some(before) = &check.before {
                *category.passed_before.get_or_insert(0) += usize::from(before.outcome == GateOutcome::Pass);
            }
        }
        all
    }

    /// All checks, counted.
    pub fn total(&self) -> Category {
        let mut total = Category { name: "all".to_owned(), ..Category::default() };
        for category in self.categories() {
            total.passed += category.passed;
            total.failed += category.failed;
            total.inconclusive += category.inconclusive;
            total.not_measured += category.not_measured;
            total.cannot += category.cannot;
            if let Some(before) = category.passed_before {
                *total.passed_before.get_or_insert(0) += before;
            }
        }
        total
    }

    /// Whether any target was a stand-in.
    pub fn has_stand_in(&self) -> bool {
        self.scenarios.iter().any(|scenario| scenario.stand_in)
    }

    /// Makes checks of a scenario's own gates: what it is held to by itself, it is held to here.
    pub fn own_gates<'a>(&mut self, scenario: &str, gates: impl Iterator<Item = &'a str>) {
        for gate in gates {
            let name = format!("{scenario}: {gate}");
            if self.checks.iter().any(|check| check.category == OWN_GATES && check.name == name) {
                continue;
            }
            self.checks.push(Check {
                name,
                category: OWN_GATES.to_owned(),
                scenario: Some(scenario.to_owned()),
                gate: Some(gate.to_owned()),
                full: None,
                needs: Vec::new(),
                at: Vec::new(),
                cannot: None,
                outcome: GateOutcome::NotMeasured,
                judged: Vec::new(),
                why: None,
                before: None,
            });
        }
    }

    /// The exit code: 4 if it was interrupted; 1 if a check failed, scenarios' own gates among them; 4 if a scenario is invalid, 3
    /// if one could not be run; 5 if a check that can be measured wasn't, or was inconclusive (unless that counts as something
    /// else), or a scenario was skipped; else 0.
    pub fn code(&self) -> u8 {
        let check =
            |outcome: GateOutcome| self.checks.iter().any(|check| check.cannot.is_none() && check.outcome == outcome);
        let inconclusive = |counts: Inconclusive| self.inconclusive == counts && check(GateOutcome::Inconclusive);
        let skipped = self.scenarios.iter().any(|scenario| scenario.state == ScenarioState::Skipped);
        match () {
            () if self.status != Status::Complete => 4,
            () if check(GateOutcome::Fail) || inconclusive(Inconclusive::Fail) => 1,
            () if self.scenarios.iter().any(|scenario| !scenario.invalid.is_empty() || scenario.code == Some(4)) => 4,
            () if self.scenarios.iter().any(|scenario| scenario.state == ScenarioState::Failed) => 3,
            () if inconclusive(Inconclusive::Exit5) || check(GateOutcome::NotMeasured) || skipped => 5,
            () => 0,
        }
    }

    /// Takes what became of the same checks in an earlier run.
    pub fn compare(&mut self, folder: &str, before: &Suite) {
        self.before = Some((folder.to_owned(), before.started.clone()));
        // A stand-in's figures are no before of a real engine's, and those of one engine none of another's.
        let of = |suite: &Suite, name: &Option<String>| {
            suite.scenarios.iter().find(|scenario| Some(&scenario.name) == name.as_ref()).cloned()
        };
        let now: Vec<_> = self.checks.iter().map(|check| of(self, &check.scenario)).collect();
        for (check, now) in self.checks.iter_mut().zip(now) {
            let same = |other: &&Check| (&other.category, &other.name) == (&check.category, &check.name);
            let alike = |other: &&Check| match (&now, of(before, &other.scenario)) {
                (Some(now), Some(then)) => now.stand_in == then.stand_in && !now.has_other_engines(&then),
                (now, then) => now.is_none() && then.is_none(),
            };
            let other = before.checks.iter().find(same).filter(alike);
            check.before = other.map(|other| {
                let like = check.judged.first().zip(other.judged.first());
                let like = like.filter(|((_, a), (_, b))| a.measure == b.measure && a.unit == b.unit);
                Before { outcome: other.outcome, point: like.and_then(|(_, (_, judged))| judged.point) }
            });
        }
    }

    /// Whether an earlier run is one that this can be told beside: of the same form, on the same engines, and ended.
    pub fn comparable(&self, before: &Suite) -> bool {
        (&self.name, self.quick, self.has_stand_in()) == (&before.name, before.quick, before.has_stand_in())
            && before.status == Status::Complete
            && before.started < self.started
            && !self
                .scenarios
                .iter()
                .any(|now| before.scenarios.iter().any(|then| now.name == then.name && now.has_other_engines(then)))
    }
}
