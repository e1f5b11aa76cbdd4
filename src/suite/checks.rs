//! A check judged by the reports of the scenario that it is about.

use super::{Check, ScenarioRun, State};
use crate::gate::Outcome;
use crate::report::{KeptRuns, Report};
use crate::scenario::gate::Gate;
use crate::stats::Nights;

/// One run of a scenario: the point of its sweep, and its report. A scenario without a sweep has one, of no values.
pub struct Point {
    /// What is set at it, by path.
    pub values: Vec<(String, serde_json::Value)>,
    /// What came of it; an error says why there is none.
    pub report: Result<Report, String>,
    /// The baseline that the run was held to: its last run, and what is known of all of them.
    pub past: Option<(Report, Nights)>,
}

/// Judges a check by the runs of its scenario; what became of it before is left alone.
pub fn judge_check(check: &mut Check, scenario: Option<&ScenarioRun>, points: &[Point]) {
    check.judged.clear();
    check.outcome = Outcome::NotMeasured;
    check.why = None;
    let (Some(scenario), Some(gate)) = (scenario, check.gate.as_deref().and_then(|text| Gate::parse(text).ok())) else {
        check.why = check.cannot.clone();
        return;
    };
    if matches!(scenario.state, State::Planned | State::Skipped | State::Failed) {
        let why = scenario.why.clone().unwrap_or_else(|| "its scenario was not run".to_owned());
        check.why = Some(why);
        return;
    }
    let fits = |point: &&Point| check.at.iter().all(|wanted| point.values.contains(wanted));
    let mut met = 0;
    for point in points.iter().filter(fits) {
        met += 1;
        let words = crate::report::sweep::point_words(point.values.iter().map(|(path, value)| (path, value)));
        match &point.report {
            Ok(report) => {
                let judged =
                    report.judge_gate(&gate, point.past.as_ref().map(|(report, nights)| KeptRuns { report, nights }));
                check.judged.extend(judged.into_iter().map(|judged| (words.clone(), judged)));
            }
            Err(why) => check.why = Some(if words.is_empty() { why.clone() } else { format!("{words}: {why}") }),
        }
    }
    if met == 0 && check.why.is_none() {
        check.why = Some("the scenario has no such point".to_owned());
    }
    // A point that has no report is a gap, whatever the others say.
    check.judged.sort_by_key(|(_, judged)| std::cmp::Reverse(judged.outcome.gravity()));
    let first = check.judged.first().map(|(_, judged)| judged.outcome);
    check.outcome = match (first, &check.why) {
        (Some(Outcome::Pass | Outcome::Inconclusive), Some(_)) | (None, _) => Outcome::NotMeasured,
        (Some(outcome), _) => outcome,
    };
}
