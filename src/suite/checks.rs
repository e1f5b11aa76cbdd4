//! A check judged by the reports of the scenario that it is about.

use super::{Check, ScenarioRun, ScenarioState};
use crate::gate::{GateOutcome, JudgedGate};
use crate::metrics::value_words;
use crate::report::{KeptRuns, Report};
use crate::scenario::gate::{Gate, Relation};
use crate::stats::Nights;

/// One run of a scenario: the point of its sweep, and its report. A scenario without a sweep has one, of no values.
pub struct RunAtPoint {
    /// What is set at it, by path.
    pub values: Vec<(String, serde_json::Value)>,
    /// What came of it; an error says why there is none.
    pub report: Result<Report, String>,
    /// The baseline that the run was held to: its last run, and what is known of all of them.
    pub past: Option<(Report, Nights)>,
}

/// Judges a check by the runs of its scenario; what became of it before is left alone.
pub fn judge_check(check: &mut Check, scenario: Option<&ScenarioRun>, points: &[RunAtPoint]) {
    check.judged.clear();
    check.outcome = GateOutcome::NotMeasured;
    check.why = None;
    let (Some(scenario), Some(gate)) = (scenario, check.gate.as_deref().and_then(|text| Gate::parse(text).ok())) else {
        check.why = check.cannot.clone();
        return;
    };
    if scenario.state == ScenarioState::Cannot {
        // Told when it was tried, as if it had been said beforehand: it never passes, and fails nothing.
        check.cannot = scenario.why.clone();
        check.why = scenario.why.clone();
        return;
    }
    if !scenario.ran() {
        let state = format!("{} {}", scenario.name, scenario.state.in_words());
        check.why = Some(scenario.why.as_ref().map_or(state.clone(), |why| format!("{state}: {why}")));
        return;
    }
    let needs: Vec<Gate> = check.needs.iter().filter_map(|text| Gate::parse(text).ok()).collect();
    let fits = |point: &&RunAtPoint| check.at.iter().all(|wanted| point.values.contains(wanted));
    let mut met = 0;
    for point in points.iter().filter(fits) {
        met += 1;
        let words = crate::report::sweep::point_words(point.values.iter().map(|(path, value)| (path, value)));
        match &point.report {
            Ok(report) => {
                let past = point.past.as_ref().map(|(report, nights)| KeptRuns { report, nights });
                let judged = report.judge_gate(&gate, past);
                let had =
                    needs.iter().flat_map(|need| report.judge_gate(need, None).into_iter().map(move |had| (need, had)));
                let lacks: Vec<(&Gate, String)> =
                    had.filter_map(|(need, had)| Some((need, lack(need, &had)?))).collect();
                // Too little of the right work can't show that something holds, and can show that it doesn't: but for a gate that
                // asks for so many requests, which couldn't come to be.
                let amount = ["requests", "window"];
                let lacks_kind = lacks.iter().any(|(need, _)| !amount.contains(&need.subject.metric.id))
                    || (gate.relation == Relation::AtLeast && judged.iter().any(|judged| judged.unit == "requests"));
                let judged = judged.into_iter().map(|judged| match lacks.first() {
                    Some((_, why)) if lacks_kind || judged.outcome != GateOutcome::Fail => {
                        JudgedGate { outcome: GateOutcome::NotMeasured, reason: Some(why.clone()), ..judged }
                    }
                    _ => judged,
                });
                check.judged.extend(judged.map(|judged| (words.clone(), judged)));
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
        (Some(GateOutcome::Pass | GateOutcome::Inconclusive), Some(_)) | (None, _) => GateOutcome::NotMeasured,
        // What a short form is held to in the gate's place was kept, and the gate itself was not put to the test.
        (Some(GateOutcome::Pass), None) if check.full.is_some() => {
            check.why = check
                .full
                .as_ref()
                .map(|full| format!("quick form: meets what a short run can show; not tested: {full}"));
            GateOutcome::NotMeasured
        }
        (Some(outcome), _) => outcome,
    };
}

/// Why a run doesn't speak of a check's subject, if it doesn't: what it did, beside what it had to do. By what was counted, and
/// not by an interval: it is about what was asked, and not about how fast it was.
fn lack(need: &Gate, had: &JudgedGate) -> Option<String> {
    let bound = need.bound.plus;
    let met = |value: f64| match need.relation {
        Relation::AtMost => value <= bound,
        Relation::AtLeast => value >= bound,
        Relation::Equal => (value - bound).abs() <= f64::EPSILON * bound.abs(),
    };
    match had.value {
        Some(value) if met(value) => None,
        Some(value) => {
            let had = value_words(need.subject.metric.id, &had.unit, value);
            Some(format!("it needs {}, and here that was {had}", need.text))
        }
        None => Some(format!(
            "it needs {}, which is not known here{}",
            need.text,
            had.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default()
        )),
    }
}
