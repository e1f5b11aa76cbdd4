//! A run beside its baseline, and its gates judged.

use super::beside::{Pair, matched, pairs};
use super::likeness::{Unlike, unlike_setups};
use super::{Report, Status};
use crate::gate::{self, Past};
use serde::{Deserialize, Serialize};

/// The baseline of a run, and the run beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

impl Report {
    /// Takes the baseline, if there is one, and judges the gates.
    pub fn hold(&mut self, kept: Option<(Against, &Report)>) {
        if !self.plan.gates.is_empty() {
            let worthless = match (self.status, self.invalid().first()) {
                (Status::Complete, None) => None,
                (Status::Complete, Some(finding)) => Some(format!("the run is invalid: {}", finding.sentence)),
                _ => Some("the run was interrupted".to_owned()),
            };
            let past = kept.as_ref().map(|(_, kept)| Past {
                targets: &kept.targets,
                histograms: &kept.histograms,
                probe: kept.probe.as_ref(),
            });
            self.judgement = Some(gate::judge(&gate::Evidence {
                plan: &self.plan,
                worthless: worthless.as_deref(),
                targets: &self.targets,
                histograms: &self.histograms,
                comparisons: &self.comparisons,
                probe: self.probe.as_ref(),
                past,
            }));
        }
        self.files = super::files(&self.plan, kept.is_some()).into_iter().map(|(name, _)| name.to_owned()).collect();
        self.baseline = kept.map(|(against, _)| Box::new(against));
    }
}
