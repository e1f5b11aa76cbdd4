//! A suite in words.

use super::{Check, ScenarioState, Suite};
use crate::gate::{GateOutcome, Measure};
use crate::report::{Status, human};

impl Check {
    /// What it rests on, or why there is nothing: of the worst of its judgements.
    pub fn told(&self) -> String {
        let Some((at, judged)) = self.judged.first() else {
            return self.why.clone().unwrap_or_default();
        };
        let parts = [at.clone(), judged.figures(), judged.reason.clone().unwrap_or_default()];
        let mut told = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
        let others = self.judged.iter().filter(|(_, other)| other.outcome == judged.outcome).count() - 1;
        if others > 0 {
            told += &format!("; and {others} more");
        }
        if let Some(why) = &self.why {
            told += &format!("; {why}");
        }
        told
    }

    /// How it stands beside the run before: `was FAIL`, `1.04 × before`; empty where nothing changed that can be
    /// told.
    pub fn change(&self) -> String {
        let Some(before) = &self.before else { return String::new() };
        if before.outcome != self.outcome {
            return format!("was {}", before.outcome.as_str());
        }
        let now = self.judged.first().map(|(_, judged)| judged);
        let Some((now, judged)) = now.and_then(|judged| Some((judged.point?, judged))) else { return String::new() };
        match before.point {
            Some(then) if judged.measure == Measure::Difference => format!("{:+.1} pp since", (now - then) * 100.0),
            Some(then) if then > 0.0 => format!("{} × before", human::ratio(now / then)),
            _ => String::new(),
        }
    }
}

impl Suite {
    /// What came of it, in a sentence.
    pub fn headline(&self) -> String {
        let total = self.total();
        let rate = total.rate().map(|rate| format!(" ({})", human::percent(rate))).unwrap_or_default();
        let made = self
            .scenarios
            .iter()
            .filter(|scenario| !matches!(scenario.state, ScenarioState::Planned | ScenarioState::Running));
        let cut = match self.status {
            Status::Complete => String::new(),
            _ => format!("Interrupted after {} of {} scenarios. ", made.count(), self.scenarios.len()),
        };
        let mut words = cut
            + &match total.all() {
                0 => "None of the checks can be measured through an engine's interface".to_owned(),
                all => format!("{} of {all} checks passed{rate}", total.passed),
            };
        if total.failed > 0 {
            words += &format!(", {} failed", total.failed);
        }
        if total.inconclusive > 0 {
            words += &format!(", {} inconclusive", total.inconclusive);
        }
        if total.not_measured > 0 {
            words += &format!(", {} not measured", total.not_measured);
            let not_run = self
                .checks
                .iter()
                .filter(|check| {
                    check.cannot.is_none() && check.outcome == GateOutcome::NotMeasured && self.not_run(check)
                })
                .count();
            if not_run > 0 {
                words += &format!(" ({not_run} of scenarios that were not run)");
            }
        }
        if total.cannot > 0 && total.all() > 0 {
            words += &format!("; {} more can't be measured through an engine's interface", total.cannot);
        }
        if let Some(before) = total.passed_before {
            words += &format!("; before, {before} passed");
        }
        words + "."
    }

    /// Whether a check's scenario was not run, or could not be.
    fn not_run(&self, check: &Check) -> bool {
        let scenario = self.scenarios.iter().find(|scenario| Some(&scenario.name) == check.scenario.as_ref());
        scenario.is_none_or(|scenario| !scenario.ran())
    }

    /// What is to be known of the scenarios: a sentence for each that didn't run to its end, is invalid, or was cut to fit.
    pub fn scenario_notes(&self) -> Vec<String> {
        let cut = |scenario: &super::ScenarioRun| {
            let cut = scenario.cut.as_ref().filter(|_| scenario.ran())?;
            Some(format!("{}: {cut}", scenario.name))
        };
        self.scenarios.iter().flat_map(|scenario| scenario.trouble().into_iter().chain(cut(scenario))).collect()
    }
}
