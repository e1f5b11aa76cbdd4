//! The rules that doubt a comparison. Each is a pure function over [`AuditInputs`], and finds with a sentence, what it rests
//! on, and the threshold it was held against; its id, default and line stand in [`RULES`].
//!
//! [`Gather`] folds the samples for what summaries don't hold. It is fed the same rows, live and told again from a
//! directory, so both find the same.

mod absent;
mod answers;
mod asked;
mod cached;
mod caches;
mod drafting;
mod enough;
mod finding;
mod gather;
mod generator;
mod judge;
mod labels;
mod lengths;
mod line;
mod loads;
mod machine;
mod memory;
mod oddities;
mod options;
mod settings;
mod shape;
mod slow;
mod steady;
mod templates;
mod work;

pub use crate::scenario::audit::{RULES, RuleSpec, Severity, Threshold, Unit, rule_groups};
pub use asked::{RuleAsked, asked};
pub use finding::{Finding, threshold_words};
pub use gather::{Gather, Gathered};
pub use work::identical_requests;

use crate::host::Conditions;
use crate::record::Outcome;
use crate::scenario::plan::{LoadPlan, Plan};
use crate::stats::{Comparison, Second, TargetSummary};
use judge::{Check, Judge};

/// All that is known of a run: what the rules look at.
#[derive(Clone, Copy, Debug)]
pub struct AuditInputs<'a> {
    /// The plan of the run.
    pub plan: &'a Plan,
    /// Why the run didn't reach its end, in a sentence, if it didn't.
    pub unfinished: Option<&'a str>,
    /// Whether it was another generator of the same run that kept it from its end.
    pub shard_lost: bool,
    /// Generators that started by the time of day, and of whose clocks nobody knows how well they agree.
    pub unchecked_clocks: usize,
    /// The targets, in the plan's order.
    pub targets: &'a [TargetSummary],
    /// Each target compared with the reference.
    pub comparisons: &'a [Comparison],
    /// What was gathered of each target's samples, in the plan's order.
    pub gathered: &'a [Gathered],
    /// A row a target and second.
    pub timeline: &'a [Second],
    /// The metric that was declared the main one.
    pub primary: &'a str,
    /// How the machine fared; `None` where that wasn't kept.
    pub conditions: Option<&'a Conditions>,
}

impl<'a> AuditInputs<'a> {
    /// Each target with what was gathered of it.
    fn sides(&self) -> impl Iterator<Item = AuditedTarget<'a>> + use<'a> {
        let both = self.targets.iter().zip(self.gathered).enumerate();
        both.map(|(at, (summary, gathered))| AuditedTarget { at, summary, gathered })
    }

    /// Each target compared with the reference.
    fn pairs(&self) -> impl Iterator<Item = (AuditedTarget<'a>, AuditedTarget<'a>)> + use<'a> {
        let at = self.plan.reference;
        let reference = self.sides().find(|side| side.at == at);
        self.sides().filter(move |side| side.at != at).filter_map(move |side| Some((side, reference?)))
    }

    /// Seconds of the longest measured window, where it is known.
    fn window_s(&self) -> Option<f64> {
        self.targets.iter().filter_map(|target| target.window).map(|window| window.seconds()).reduce(f64::max)
    }

    /// Whether the load is a closed loop.
    fn is_closed(&self) -> bool {
        matches!(self.plan.load, LoadPlan::Closed(_))
    }
}

/// One target.
#[derive(Clone, Copy, Debug)]
struct AuditedTarget<'a> {
    /// Position in the plan's targets.
    at: usize,
    summary: &'a TargetSummary,
    gathered: &'a Gathered,
}

impl AuditedTarget<'_> {
    fn name(&self) -> String {
        self.summary.label()
    }

    /// Measured requests that failed; what was never sent, or not waited for, is no failure.
    fn failed(&self) -> f64 {
        let outcomes = self.summary.outcomes.iter().filter(|(outcome, _)| outcome.failed());
        outcomes.map(|(_, n)| n).sum::<u64>() as f64
    }

    /// Measured requests that were not waited for.
    fn unfinished(&self) -> f64 {
        let outcomes = self.summary.outcomes.iter().filter(|(outcome, _)| *outcome == Outcome::Unfinished);
        outcomes.map(|(_, n)| n).sum::<u64>() as f64
    }

    /// Measured requests, those of them with an answer.
    fn counts(&self) -> (f64, f64) {
        (self.summary.requests() as f64, self.summary.answered() as f64)
    }
}

/// The rules' functions, by family.
const FAMILIES: [&[(&str, Check)]; 17] = [
    &work::CHECKS,
    &absent::CHECKS,
    &answers::CHECKS,
    &oddities::CHECKS,
    &labels::CHECKS,
    &settings::CHECKS,
    &templates::CHECKS,
    &options::CHECKS,
    &drafting::CHECKS,
    &caches::CHECKS,
    &generator::CHECKS,
    &machine::CHECKS,
    &memory::CHECKS,
    &steady::CHECKS,
    &shape::CHECKS,
    &slow::CHECKS,
    &enough::CHECKS,
];

/// Everything the rules find, the gravest first, then in the order of [`RULES`].
pub fn audit(evidence: &AuditInputs<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in &RULES {
        let check = FAMILIES.iter().flat_map(|family| family.iter()).find(|(id, _)| *id == rule.id);
        if let Some((_, check)) = check
            && let Some(mut judge) = Judge::new(rule, &evidence.plan.audit, &mut found)
        {
            check(evidence, &mut judge);
        }
    }
    // Stable: findings of one severity stay in the table's order.
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

/// What the rules find in a plan before any load is sent.
pub fn of_plan(plan: &Plan) -> Vec<Finding> {
    let evidence = AuditInputs {
        plan,
        unfinished: None,
        shard_lost: false,
        unchecked_clocks: 0,
        targets: &[],
        comparisons: &[],
        gathered: &[],
        timeline: &[],
        primary: "",
        conditions: None,
    };
    audit(&evidence)
}

/// The rules as a table in Markdown: id, severity, threshold, what it finds.
pub fn rules_table() -> String {
    let mut table = String::from("| id | severity | threshold | what it finds |\n|:--|:--|:--|:--|\n");
    for rule in &RULES {
        let threshold = rule.threshold.map(|t| threshold_words(t.default, t.unit)).unwrap_or_default();
        table.push_str(&format!("| `{}` | {} | {threshold} | {} |\n", rule.id, rule.severity.as_str(), rule.about));
    }
    table
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
