//! A run beside its baseline, and its gates judged.

use super::compare::{Pair, matched, pairs};
use super::setup::{Unlike, unlike_setups};
use super::{Report, Status};
use crate::audit::Finding;
use crate::gate::{self, JudgedGate, Past, Spoilt};
use crate::scenario::audit::rule;
use crate::scenario::gate::Gate;
use crate::stats::{Nights, TargetFigures};
use serde::{Deserialize, Serialize};

/// What was kept, as a run is held to it.
#[derive(Clone, Copy, Debug)]
pub struct KeptRuns<'a> {
    /// Its last run.
    pub report: &'a Report,
    /// All of its runs.
    pub nights: &'a Nights,
}

/// The baseline of a run, and the run beside it.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BaselineDelta {
    /// The baseline's name.
    pub name: String,
    /// When it was kept, UTC (RFC 3339).
    pub saved: String,
    /// Why it was kept.
    pub reason: String,
    /// When its run began, UTC (RFC 3339); of several, the last.
    pub started: String,
    /// When the first of its runs began, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_started: Option<String>,
    /// How many runs it is of.
    #[serde(default = "one")]
    pub runs: usize,
    /// How many runs, other ones of the same setup among them, say how far runs scatter; `None` where that isn't known, and what
    /// is said of the two runs holds for these two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scatter_of: Option<usize>,
    /// What the two runs don't have in common: the comparison is across these.
    pub across: Vec<Unlike>,
    /// The targets of both: `target_value` is this run's, `reference_value` the baseline's, of several runs their mean, with the
    /// interval of one more run of an equal engine (98 %).
    pub pairs: Vec<Pair>,
    /// Targets of either run that have none beside them.
    pub unmatched: Vec<String>,
}

impl BaselineDelta {
    /// Puts a run beside a kept one, whatever they differ in.
    pub fn new(name: &str, saved: &str, reason: &str, of: KeptRuns<'_>, run: &Report) -> Self {
        let (kept, nights) = (of.report, of.nights);
        let matched = matched(kept, run);
        let mut unmatched: Vec<String> = Vec::new();
        for (report, used, of) in [
            (kept, matched.iter().map(|m| m.0).collect::<Vec<_>>(), "the baseline"),
            (run, matched.iter().map(|m| m.1).collect(), "this run"),
        ] {
            let rest = report.targets.iter().enumerate().filter(|(at, _)| !used.contains(at));
            unmatched.extend(rest.map(|(_, target)| format!("{} of {of}", target.label())));
        }
        let mut pairs = pairs(kept, run, &matched);
        for ((before, now), pair) in matched.iter().zip(&mut pairs) {
            let target = &run.targets[*now];
            let figures = TargetFigures::of(&target.name, target.stand_in, &target.rows);
            let effect = run.plan.smallest_effect.0;
            nights.widen(&kept.targets[*before].name, &figures, &mut pair.comparisons, effect);
        }
        Self {
            name: name.to_owned(),
            saved: saved.to_owned(),
            reason: reason.to_owned(),
            started: kept.started.clone(),
            first_started: nights.runs.first().filter(|_| nights.runs.len() > 1).map(|run| run.started.clone()),
            runs: nights.count(),
            scatter_of: nights.scattered(),
            across: unlike_setups((&kept.plan, &kept.machine), (&run.plan, &run.machine)),
            pairs,
            unmatched,
        }
    }

    /// What the baseline is, in a sentence.
    pub fn words(&self) -> String {
        let across = match self.across.len() {
            0 => String::new(),
            _ => {
                format!("; DIFFERENT SETUPS: {}", self.across.iter().map(Unlike::words).collect::<Vec<_>>().join(", "))
            }
        };
        let of = match &self.first_started {
            Some(first) => format!("{} runs, {first} to {}", self.runs, self.started),
            None => self.started.clone(),
        };
        let scatter = match (self.runs, self.scatter_of) {
            (1, None) => format!(
                " It is a single run, so the variation between runs is not known: the result holds for these two runs \
                 only. Save several: loadcmp baseline save {} --last 5 --reason WHY",
                self.name
            ),
            (_, Some(of)) if of > self.runs => {
                format!(" The variation between runs is estimated from {of} other runs of its setup.")
            }
            _ => String::new(),
        };
        format!("Baseline `{}` of {of} ({}){across}.{scatter}", self.name, self.reason)
    }
}

fn one() -> usize {
    1
}

/// Why a baseline isn't compared with that was like the run as long as no model was loaded.
const OTHER_SETUP: &str = "the baseline has a different setup, as the engines reported once their models were loaded \
                           (--across compares anyway)";

impl Report {
    /// Judges a gate that isn't the scenario's own; once for each target where it names none.
    pub fn judge_gate(&self, gate: &Gate, past: Option<KeptRuns<'_>>) -> Vec<JudgedGate> {
        gate::judge_one(gate, &self.evidence(&self.gates_spoilt(), past.ok_or(gate::NO_BASELINE)))
    }

    /// What doesn't follow from the run, and why.
    pub(super) fn gates_spoilt(&self) -> Spoilt {
        if self.status != Status::Complete {
            return Spoilt::Run("the run was interrupted".to_owned());
        }
        let invalid = self.invalid();
        let of_sides = |finding: &Finding| rule(&finding.id).is_some_and(|rule| rule.of_sides);
        let words = |finding: &Finding| format!("the run is invalid: {}", finding.sentence);
        match (invalid.iter().find(|finding| !of_sides(finding)), invalid.first()) {
            (Some(finding), _) => Spoilt::Run(words(finding)),
            (None, Some(finding)) => Spoilt::Comparison(words(finding)),
            (None, None) => self.undecided().map_or(Spoilt::No, Spoilt::Undecided),
        }
    }

    pub(super) fn evidence<'a>(
        &'a self,
        spoilt: &'a Spoilt,
        past: Result<KeptRuns<'a>, &'static str>,
    ) -> gate::GateInputs<'a> {
        gate::GateInputs {
            plan: &self.plan,
            spoilt,
            targets: &self.targets,
            histograms: &self.histograms,
            comparisons: &self.comparisons,
            probe: self.probe.as_ref(),
            past: past.map(|kept| Past {
                targets: &kept.report.targets,
                histograms: &kept.report.histograms,
                probe: kept.report.probe.as_ref(),
                nights: kept.nights,
            }),
        }
    }

    /// Takes the baseline, if there is one, and judges the gates: those that need it only where it may be compared with, which
    /// of another setup it may if `across` was asked for.
    pub fn set_baseline(&mut self, kept: Option<(BaselineDelta, KeptRuns<'_>)>, across: bool) {
        if !self.plan.gates.is_empty() {
            let past = match &kept {
                None => Err(gate::NO_BASELINE),
                Some((against, _)) if !across && !against.across.is_empty() => Err(OTHER_SETUP),
                Some((_, kept)) => Ok(*kept),
            };
            self.judgement = Some(gate::judge(&self.evidence(&self.gates_spoilt(), past)));
        }
        self.files = super::files(&self.plan, kept.is_some(), self.packed())
            .into_iter()
            .map(|(name, _)| name.to_owned())
            .collect();
        self.baseline = kept.map(|(against, _)| Box::new(against));
    }
}
