//! A suite in words.

use super::{Check, State, Suite};
use crate::gate::{Measure, Outcome};
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
        let decided = total.passed + total.failed;
        let rate = total.rate().map(|rate| format!(" ({})", human::percent(rate))).unwrap_or_default();
        let made = self.scenarios.iter().filter(|scenario| !matches!(scenario.state, State::Planned | State::Running));
        let cut = match self.status {
            Status::Complete => String::new(),
            _ => format!("Interrupted after {} of {} scenarios. ", made.count(), self.scenarios.len()),
        };
        let mut words = cut
            + &match decided {
                0 => format!("None of {} checks was decided", total.all()),
                _ => format!("{} of {decided} decided checks passed{rate}", total.passed),
            };
        if total.failed > 0 {
            words += &format!(", {} failed", total.failed);
        }
        let cannot = self.checks.iter().filter(|check| check.cannot.is_some()).count();
        let lacking = total.not_measured - cannot;
        for (n, what) in [
            (total.inconclusive, "inconclusive"),
            (lacking, "not measured"),
            (cannot, "can't be measured through an engine's interface"),
        ] {
            if n > 0 {
                words += &format!(", {n} {what}");
            }
        }
        if let Some(before) = total.passed_before {
            words += &format!("; before, {before} passed");
        }
        words + "."
    }

    /// What is to be known of the scenarios: a sentence for each that didn't run to its end, or is invalid.
    pub fn scenario_notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for scenario in &self.scenarios {
            let why = scenario.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            match scenario.state {
                State::Done => {}
                state => notes.push(format!("{} {}{why}", scenario.name, state.as_str())),
            }
            if let Some(invalid) = scenario.invalid.first() {
                notes.push(format!("{} is invalid: {invalid}", scenario.name));
            }
            if matches!(scenario.gates, Some(Outcome::Fail)) {
                notes.push(format!("{}: a gate of its own failed", scenario.name));
            }
        }
        notes
    }
}
