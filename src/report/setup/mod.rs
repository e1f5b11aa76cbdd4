//! What a run was made with, as one list of facts: what was asked, how it was driven, the engines with their settings, the
//! machine. Whoever puts two runs beside each other goes by it, each as strictly as it has to: `compare` refuses two that asked
//! other things and tells all else, a baseline refuses whatever changes the work, and a trend begins another line there.

mod facts;

use crate::host::Facts;
use crate::scenario::plan::{LoadPlan, Plan, TargetPlan, Until};
use facts::{machine_facts, run_facts, target_facts};
use serde::{Deserialize, Serialize};

/// A thing that two runs don't have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Unlike {
    /// What it is, in words.
    pub what: String,
    /// How the first run has it.
    pub first: String,
    /// How the second has it.
    pub second: String,
}

impl Unlike {
    /// The difference in a few words: `version 0.30.1 against 0.34.1`.
    pub fn words(&self) -> String {
        format!("{} {} vs {}", self.what, self.first, self.second)
    }
}

/// What a fact is about: that decides how much a difference in it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was asked, and how it was driven: of runs that differ in it, a ratio means nothing.
    Asked,
    /// What else changes an engine's work: its settings, how it was started, what ran beside it, warm-up, limits.
    Setup,
    /// The engine and the model: what one compares runs for.
    Engine,
    /// Where an engine answers.
    Place,
    /// How long the load lasts.
    Length,
    /// The class of the machine.
    Machine,
    /// What the system is: it changes with every update.
    System,
    /// By what the figures are judged.
    Judging,
}

/// One thing that a run was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    kind: Kind,
    what: String,
    /// `None` where it isn't known: an engine doesn't tell it, or the report is of a loadcmp that didn't.
    value: Option<String>,
}

/// A fact in which two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub kind: Kind,
    /// The target that it is of, by its name in the first run; `None` for what is of the run as a whole.
    pub target: Option<String>,
    /// The fact, and how each has it.
    pub unlike: Unlike,
}

/// What stands where an engine, a machine or a report doesn't tell a thing.
const NOT_TOLD: &str = "not reported";
/// A limit that each run finds for itself.
const AUTO: &str = "auto";
/// What a limit was before it was found: earlier runs' baselines still hold.
const BEFORE_AUTO: &str = "60s";
/// What stands where a target doesn't have a setting that the other has.
const NOT_SET: &str = "not set";

impl Difference {
    /// Whether both runs tell the fact.
    pub fn is_known(&self) -> bool {
        self.unlike.first != NOT_TOLD && self.unlike.second != NOT_TOLD
    }

    /// The difference, its target named.
    pub fn named(self) -> Unlike {
        match self.target {
            Some(target) => Unlike { what: format!("{target}: {}", self.unlike.what), ..self.unlike },
            None => self.unlike,
        }
    }
}

/// A run's setup: its plan, its machine, and what made it.
pub type Setup<'a> = (&'a Plan, &'a Facts, &'a str);

/// Everything in which two runs differ: of the runs, then of each target that both have, then of their machines.
pub fn differences(first: Setup<'_>, second: Setup<'_>) -> Vec<Difference> {
    let (a, b) = (first.0, second.0);
    let mut all = differ(None, run_facts(a), run_facts(b));
    let lone = a.targets.len() == 1 && b.targets.len() == 1;
    for target in &a.targets {
        let named = b.targets.iter().find(|other| other.name == target.name);
        let other = named.or_else(|| b.targets.first().filter(|_| lone));
        all.extend(other.map(|other| of_targets((a, target), (b, other))).unwrap_or_default());
    }
    all.extend(differ(None, machine_facts(first.1, first.2), machine_facts(second.1, second.2)));
    all
}

/// What two targets of two runs differ in: the engine, the model, where it is, its settings.
pub fn of_targets(first: (&Plan, &TargetPlan), second: (&Plan, &TargetPlan)) -> Vec<Difference> {
    differ(Some(&first.1.name), target_facts(first.0, first.1), target_facts(second.0, second.1))
}

/// What makes a baseline another setup than a run: whatever changes the work. What either doesn't tell is no difference (an
/// Ollama tells its context only of a loaded model), nor is what changes with every update or only judges.
pub fn unlike_setups(first: (&Plan, &Facts), second: (&Plan, &Facts)) -> Vec<Unlike> {
    let all = differences((first.0, first.1, ""), (second.0, second.1, ""));
    let counts = |one: &Difference| one.is_known() && !matches!(one.kind, Kind::System | Kind::Judging);
    all.into_iter().filter(counts).map(Difference::named).collect()
}

/// What makes two workloads unlike: what was asked, and how it was driven.
pub fn unlike_workloads(first: &Plan, second: &Plan) -> Vec<Unlike> {
    let all = differ(None, run_facts(first), run_facts(second));
    all.into_iter().filter(|one| one.kind == Kind::Asked).map(|one| one.unlike).collect()
}

/// The facts of two lists that differ, in the order of the first; a setting that only one has is not set by the other.
fn differ(target: Option<&str>, first: Vec<Fact>, second: Vec<Fact>) -> Vec<Difference> {
    let mut all = Vec::new();
    let absent = |kind: Kind| (kind == Kind::Setup && target.is_some()).then(|| NOT_SET.to_owned());
    let mut tell = |kind: Kind, what: &str, a: Option<String>, b: Option<String>| {
        let matters = matches!(kind, Kind::Engine | Kind::Machine | Kind::System) || (a.is_some() && b.is_some());
        if a != b && matters && !both_by_default(what, [&a, &b]) {
            let told = |value: Option<String>| value.unwrap_or_else(|| NOT_TOLD.to_owned());
            let unlike = Unlike { what: what.to_owned(), first: told(a), second: told(b) };
            all.push(Difference { kind, target: target.map(str::to_owned), unlike });
        }
    };
    for fact in &first {
        let other = second.iter().find(|other| other.what == fact.what);
        tell(fact.kind, &fact.what, fact.value.clone(), other.map_or_else(|| absent(fact.kind), |o| o.value.clone()));
    }
    for fact in second {
        if !first.iter().any(|other| other.what == fact.what) {
            tell(fact.kind, &fact.what, absent(fact.kind), fact.value);
        }
    }
    all
}

/// Whether two limits differ only in that one was the default before limits were found, and one was found.
fn both_by_default(what: &str, values: [&Option<String>; 2]) -> bool {
    let default = |value: &&Option<String>| value.as_deref().is_some_and(|value| [AUTO, BEFORE_AUTO].contains(&value));
    matches!(what, "timeout" | "drain") && values.iter().all(default)
}

/// How long a load drives: a time, or requests.
pub fn length(load: &LoadPlan) -> String {
    match load.until() {
        Until::Duration(span) => span.to_string(),
        Until::Requests(n) => format!("{n} requests"),
    }
}

#[cfg(test)]
mod tests;
