//! JUnit XML: what a CI server lists as tests, from whatever was judged. A case that was not measured is skipped and says so;
//! one that could be neither passed nor failed is an error, and never a pass.

use crate::gate::Outcome;
use crate::report::{Report, Status};
use crate::suite::Suite;
use std::io::{self, Write};

/// What is judged where a run did not end by itself.
const ENDED: &str = "the run ended by itself";

/// One judgement.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it belongs to: a scenario's name.
    pub suite: String,
    /// What was judged: `native.latency.p95 <= 20ms`.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, for people; empty says nothing more.
    pub message: String,
    /// What it took, in seconds; `None` where that isn't known.
    pub seconds: Option<f64>,
}

/// `junit.xml` of a run: its gates.
pub fn gates_junit(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let case = |[outcome, name, message]: [String; 3], judged: &crate::gate::Judged| Case {
        suite: report.plan.name.clone(),
        name,
        outcome: seen(judged.outcome),
        message: if judged.outcome == Outcome::NotMeasured { format!("{outcome}: {message}") } else { message },
        seconds: None,
    };
    let judged = report.judgement.iter().flat_map(|judgement| &judgement.gates);
    // Whatever the gates say of what was done: it isn't what was asked for.
    let unfinished = report.unfinished.iter().map(|unfinished| Case {
        suite: report.plan.name.clone(),
        name: ENDED.to_owned(),
        outcome: Outcome::Inconclusive,
        message: unfinished.sentence.clone(),
        seconds: None,
    });
    let gates = super::gates::rows(report).into_iter().zip(judged).map(|(row, judged)| case(row, judged));
    junit(&unfinished.chain(gates).collect::<Vec<_>>(), out)
}

/// `junit.xml` of a suite: its checks, by category. One that can't be measured is skipped; one that could be and wasn't is an
/// error, as its exit code has it.
pub fn suite_junit(suite: &Suite, out: &mut dyn Write) -> io::Result<()> {
    let case = |check: &crate::suite::Check| {
        let told = check.told();
        let gate = check.gate.as_deref().map(|gate| format!("{gate}: ")).unwrap_or_default();
        let (outcome, message) = match (check.cannot.is_some(), check.outcome) {
            (true, _) => (Outcome::NotMeasured, told),
            (false, Outcome::NotMeasured) => (Outcome::Inconclusive, format!("{gate}not measured: {told}")),
            (false, outcome) => (outcome, format!("{gate}{told}")),
        };
        Case { suite: check.category.clone(), name: check.name.clone(), outcome, message, seconds: None }
    };
    let unfinished = (suite.status != Status::Complete).then(|| Case {
        suite: suite.name.clone(),
        name: ENDED.to_owned(),
        outcome: Outcome::Inconclusive,
        message: suite.headline(),
        seconds: None,
    });
    // A scenario without checks is no less missing than one with.
    let scenarios = suite.scenarios.iter().filter(|scenario| scenario.ran() || suite.status == Status::Complete);
    let scenarios = scenarios.filter_map(|scenario| {
        let name = format!("scenario {}", scenario.name);
        let message = scenario.trouble()?;
        Some(Case {
            suite: suite.name.clone(),
            name,
            outcome: Outcome::Inconclusive,
            message,
            seconds: scenario.took_s,
        })
    });
    let cases = unfinished.into_iter().chain(scenarios).chain(suite.checks.iter().map(case));
    junit(&cases.collect::<Vec<_>>(), out)
}

/// What a CI server is told: what could be measured and wasn't is no test that was skipped.
fn seen(outcome: Outcome) -> Outcome {
    if outcome == Outcome::NotMeasured { Outcome::Inconclusive } else { outcome }
}

/// Writes the cases, those of a suite together, suites in the order in which they first come.
pub fn junit(cases: &[Case], out: &mut dyn Write) -> io::Result<()> {
    let mut suites: Vec<(&str, Vec<&Case>)> = Vec::new();
    for case in cases {
        match suites.iter_mut().find(|(name, _)| *name == case.suite) {
            Some((_, of)) => of.push(case),
            None => suites.push((&case.suite, vec![case])),
        }
    }
    let all: Vec<&Case> = cases.iter().collect();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"loadcmp\" {}>", counts(&all))?;
    for (name, of) in suites {
        writeln!(out, "  <testsuite name=\"{}\" {}>", escaped(name), counts(&of))?;
        of.into_iter().try_for_each(|case| one(case, out))?;
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

/// How many there are of each kind, as attributes.
fn counts(cases: &[&Case]) -> String {
    let n = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
    let (failed, errors, skipped) = (n(Outcome::Fail), n(Outcome::Inconclusive), n(Outcome::NotMeasured));
    let known: Vec<f64> = cases.iter().filter_map(|case| seconds(case)).collect();
    let time = if known.is_empty() { String::new() } else { format!(" time=\"{:.3}\"", known.iter().sum::<f64>()) };
    format!("tests=\"{}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"{skipped}\"{time}", cases.len())
}

fn seconds(case: &Case) -> Option<f64> {
    case.seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
}

fn one(case: &Case, out: &mut dyn Write) -> io::Result<()> {
    let time = seconds(case).map(|seconds| format!(" time=\"{seconds:.3}\"")).unwrap_or_default();
    write!(out, "    <testcase classname=\"{}\" name=\"{}\"{time}", escaped(&case.suite), escaped(&case.name))?;
    let message = escaped(&case.message);
    let (tag, kind) = match case.outcome {
        Outcome::Pass if message.is_empty() => return writeln!(out, "/>"),
        Outcome::Pass => return writeln!(out, "><system-out>{message}</system-out></testcase>"),
        Outcome::Fail => ("failure", " type=\"failed\""),
        Outcome::Inconclusive => ("error", " type=\"inconclusive\""),
        // Its schema knows no type of what was skipped.
        Outcome::NotMeasured => ("skipped", ""),
    };
    let message = match (message.is_empty(), case.outcome) {
        (false, _) => message,
        (true, Outcome::NotMeasured) => "not measured".to_owned(),
        (true, Outcome::Inconclusive) => "inconclusive".to_owned(),
        (true, _) => "failed".to_owned(),
    };
    writeln!(out, "><{tag}{kind} message=\"{message}\"/></testcase>")
}

/// Text as text, in attributes and between tags. What XML 1.0 can't hold, escaped or not, is the replacement character.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // As they are, a reader of attributes would take them for spaces.
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(suite: &str, name: &str, outcome: Outcome, message: &str, seconds: Option<f64>) -> Case {
        Case { suite: suite.to_owned(), name: name.to_owned(), outcome, message: message.to_owned(), seconds }
    }

    #[test]
    fn each_outcome_is_what_ci_servers_read() {
        let cases = [
            case("classify", "p95 <= 20ms", Outcome::Pass, "", Some(30.0)),
            case("generate", "accuracy >= \"0.9\"", Outcome::Fail, "0.8 < 0.9 & falling\nsecond", Some(1.5)),
            case("classify", "energy <= 1", Outcome::NotMeasured, "", None),
            case("classify", "ratio <= 1", Outcome::Inconclusive, "the interval holds 1", Some(f64::NAN)),
            case("classify", "told", Outcome::Pass, "19 ms", None),
        ];
        let mut bytes = Vec::new();
        junit(&cases, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="loadcmp" tests="5" failures="1" errors="1" skipped="1" time="31.500">
  <testsuite name="classify" tests="4" failures="0" errors="1" skipped="1" time="30.000">
    <testcase classname="classify" name="p95 &lt;= 20ms" time="30.000"/>
    <testcase classname="classify" name="energy &lt;= 1"><skipped message="not measured"/></testcase>
    <testcase classname="classify" name="ratio &lt;= 1"><error type="inconclusive" message="the interval holds 1"/></testcase>
    <testcase classname="classify" name="told"><system-out>19 ms</system-out></testcase>
  </testsuite>
  <testsuite name="generate" tests="1" failures="1" errors="0" skipped="0" time="1.500">
    <testcase classname="generate" name="accuracy &gt;= &quot;0.9&quot;" time="1.500"><failure type="failed" message="0.8 &lt; 0.9 &amp; falling&#10;second"/></testcase>
  </testsuite>
</testsuites>
"#
        );
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced_and_the_rest_is_text() {
        assert_eq!(escaped("a\u{0}\u{1b}[31m\u{7f}\u{ffff}\t'é"), "a\u{fffd}\u{fffd}[31m\u{7f}\u{fffd}&#9;&apos;é");
        let mut bytes = Vec::new();
        junit(&[], &mut bytes).unwrap();
        assert!(String::from_utf8(bytes).unwrap().contains("tests=\"0\""));
    }
}
