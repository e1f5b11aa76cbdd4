//! A run beside its baseline, and its gates judged.

use super::beside::{Pair, matched, pairs};
use super::setup::{Unlike, unlike_setups};
use super::{Report, Status};
use crate::audit::Finding;
use crate::gate::{self, Judged, Past, Spoilt};
use crate::scenario::audit::rule;
use crate::scenario::gate::Gate;
use serde::{Deserialize, Serialize};

/// The baseline of a run, and the run beside it.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Against {
    /// The baseline's name.
    pub name: String,
    /// When it was kept, UTC (RFC 3339).
    pub saved: String,
    /// Why it was kept.
    pub reason: String,
    /// When its run began, UTC (RFC 3339).
    pub started: String,
    /// What the two runs don't have in common: the comparison is across these.
    pub across: Vec<Unlike>,
    /// The targets of both: `target_value` is this run's, `reference_value` the baseline's.
    pub pairs: Vec<Pair>,
    /// Targets of either run that have none beside them.
    pub unmatched: Vec<String>,
}

impl Against {
    /// Puts a run beside a kept one, whatever they differ in.
    pub fn new(name: &str, saved: &str, reason: &str, kept: &Report, run: &Report) -> Self {
        let matched = matched(kept, run);
        let mut unmatched: Vec<String> = Vec::new();
        for (report, used, of) in [
            (kept, matched.iter().map(|m| m.0).collect::<Vec<_>>(), "the baseline"),
            (run, matched.iter().map(|m| m.1).collect(), "this run"),
        ] {
            let rest = report.targets.iter().enumerate().filter(|(at, _)| !used.contains(at));
            unmatched.extend(rest.map(|(_, target)| format!("{} of {of}", target.label())));
        }
        Self {
            name: name.to_owned(),
            saved: saved.to_owned(),
            reason: reason.to_owned(),
            started: kept.started.clone(),
            across: unlike_setups((&kept.plan, &kept.machine), (&run.plan, &run.machine)),
            pairs: pairs(kept, run, &matched),
            unmatched,
        }
    }

    /// What the baseline is, in a sentence.
    pub fn words(&self) -> String {
        let across = match self.across.len() {
            0 => String::new(),
            _ => format!(
                "; ACROSS unlike setups: {}",
                self.across.iter().map(Unlike::words).collect::<Vec<_>>().join(", ")
            ),
        };
        format!("Baseline `{}` of {} ({}){across}.", self.name, self.started, self.reason)
    }
}

/// Why a baseline isn't compared with that was like the run as long as no model was loaded.
const OTHER_SETUP: &str = "the baseline is of another setup, as the engines told once their models were loaded (--across \
                           compares anyway)";

impl Report {
    /// Judges a gate that isn't the scenario's own; once for each target where it names none.
    pub fn judge_gate(&self, gate: &Gate, past: Option<&Report>) -> Vec<Judged> {
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
        past: Result<&'a Report, &'static str>,
    ) -> gate::Evidence<'a> {
        gate::Evidence {
            plan: &self.plan,
            spoilt,
            targets: &self.targets,
            histograms: &self.histograms,
            comparisons: &self.comparisons,
            probe: self.probe.as_ref(),
            past: past.map(|kept| Past {
                targets: &kept.targets,
                histograms: &kept.histograms,
                probe: kept.probe.as_ref(),
            }),
        }
    }

    /// Takes the baseline, if there is one, and judges the gates: those that need it only where it may be compared with, which
    /// of another setup it may if `across` was asked for.
    pub fn hold(&mut self, kept: Option<(Against, &Report)>, across: bool) {
        if !self.plan.gates.is_empty() {
            let past = match &kept {
                None => Err(gate::NO_BASELINE),
                Some((against, _)) if !across && !against.across.is_empty() => Err(OTHER_SETUP),
                Some((_, kept)) => Ok(*kept),
            };
            self.judgement = Some(gate::judge(&self.evidence(&self.gates_spoilt(), past)));
        }
        self.files = super::files(&self.plan, kept.is_some()).into_iter().map(|(name, _)| name.to_owned()).collect();
        self.baseline = kept.map(|(against, _)| Box::new(against));
    }
}
