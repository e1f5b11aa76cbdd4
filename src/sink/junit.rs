//! JUnit XML: what a CI server lists as tests, from whatever was judged. It says what the exit code says: what is inconclusive is
//! skipped, unless that counts as passed or failed; what could have been measured and wasn't is an error, and so is a run that
//! is invalid or didn't end by itself.

use crate::gate::{GateOutcome, Judgement};
use crate::report::{Report, Status, TwoRuns};
use crate::scenario::gate::Inconclusive;
use crate::suite::Suite;
use std::io::{self, Write};

/// What is judged where a run did not end by itself.
const ENDED: &str = "the run ended by itself";

/// What is judged where a run is invalid.
const VALID: &str = "the run is valid";

/// What a CI server is told of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseResult {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It could have been judged and wasn't.
    Error,
    /// It was left out: it can't be judged, or not on this evidence.
    Skipped,
}

/// One judgement.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it belongs to: a scenario's name.
    pub suite: String,
    /// What was judged: `native.latency.p95 <= 20ms`.
    pub name: String,
    /// What came of it.
    pub seen: CaseResult,
    /// A word for what came of it that isn't a pass: `inconclusive`.
    pub kind: &'static str,
    /// Why, for people; empty says nothing more.
    pub message: String,
    /// What it took, in seconds; `None` where that isn't known.
    pub seconds: Option<f64>,
}

impl Case {
    /// A gate or a check.
    pub(super) fn judged(
        suite: &str,
        name: String,
        outcome: GateOutcome,
        counts: Inconclusive,
        message: String,
    ) -> Self {
        let (seen, kind) = match (outcome, counts) {
            (GateOutcome::Pass, _) => (CaseResult::Passed, "passed"),
            (GateOutcome::Fail, _) => (CaseResult::Failed, "failed"),
            (GateOutcome::Inconclusive, Inconclusive::Fail) => (CaseResult::Failed, "inconclusive"),
            (GateOutcome::Inconclusive, _) => (CaseResult::Skipped, "inconclusive"),
            (GateOutcome::NotMeasured, _) => (CaseResult::Error, "not measured"),
        };
        // A reader of what was skipped is told no type: it stands in the message.
        let told = matches!(outcome, GateOutcome::Inconclusive | GateOutcome::NotMeasured);
        let message = match (told, message.is_empty()) {
            (true, true) => kind.to_owned(),
            (true, false) => format!("{kind}: {message}"),
            (false, _) => message,
        };
        Self { suite: suite.to_owned(), name, seen, kind, message, seconds: None }
    }

    /// What is wrong with all of it.
    pub(super) fn error(suite: &str, name: &str, kind: &'static str, message: String) -> Self {
        Self { suite: suite.to_owned(), name: name.to_owned(), seen: CaseResult::Error, kind, message, seconds: None }
    }
}

/// `junit.xml` of a run: its gates. What they say of what was done is no pass of what was asked for: a run that is invalid, or
/// that didn't end by itself, is an error of its own.
pub fn gates_junit(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let name = report.plan.name.as_str();
    let unfinished =
        report.unfinished.iter().map(|unfinished| Case::error(name, ENDED, "unfinished", unfinished.sentence.clone()));
    let invalid = report.invalid().into_iter().filter(|_| report.unfinished.is_none()).take(1);
    let invalid = invalid.map(|finding| Case::error(name, VALID, "invalid", finding.sentence.clone()));
    let gates = cases(name, report.judgement.as_ref(), super::gates::rows(report), report.plan.gates.inconclusive);
    junit(&unfinished.chain(invalid).chain(gates).collect::<Vec<_>>(), out)
}

/// The gates that a run was held to beside an earlier one.
pub fn compare_junit(beside: &TwoRuns, out: &mut dyn Write) -> io::Result<()> {
    let invalid = [&beside.first, &beside.second].into_iter().filter(|side| side.invalid);
    let invalid = invalid.map(|side| {
        Case::error(&beside.second.name, VALID, "invalid", format!("{} is invalid by its own audit", side.name))
    });
    let rows = super::gates::rows_of(beside.judgement.as_ref(), &beside.targets);
    let gates = cases(&beside.second.name, beside.judgement.as_ref(), rows, beside.inconclusive);
    junit(&invalid.chain(gates).collect::<Vec<_>>(), out)
}

/// A case a gate, with the figures and words of its row in tables.
fn cases<'a>(
    suite: &'a str,
    judgement: Option<&'a Judgement>,
    rows: Vec<[String; 3]>,
    counts: Inconclusive,
) -> impl Iterator<Item = Case> + 'a {
    let judged = judgement.into_iter().flat_map(|judgement| &judgement.gates);
    rows.into_iter()
        .zip(judged)
        .map(move |([_, name, told], judged)| Case::judged(suite, name, judged.outcome, counts, told))
}

/// `junit.xml` of a suite: its checks, by category. One that can't be measured is skipped.
pub fn suite_junit(suite: &Suite, out: &mut dyn Write) -> io::Result<()> {
    let case = |check: &crate::suite::Check| {
        let told = check.told();
        let gate = check.gate.as_deref().map(|gate| format!("{gate}: ")).unwrap_or_default();
        match check.cannot.is_some() {
            true => {
                Case { seen: CaseResult::Skipped, ..Case::error(&check.category, &check.name, "not measured", told) }
            }
            false => {
                let message = format!("{gate}{told}");
                Case::judged(&check.category, check.name.clone(), check.outcome, suite.inconclusive, message)
            }
        }
    };
    let unfinished =
        (suite.status != Status::Complete).then(|| Case::error(&suite.name, ENDED, "unfinished", suite.headline()));
    // A scenario without checks is no less missing than one with.
    let scenarios = suite.scenarios.iter().filter(|scenario| scenario.ran() || suite.status == Status::Complete);
    let scenarios = scenarios.filter_map(|scenario| {
        let name = format!("scenario {}", scenario.name);
        let told = Case::error(&suite.name, &name, scenario.state.as_str(), scenario.trouble()?);
        Some(Case { seconds: scenario.took_s, ..told })
    });
    junit(&unfinished.into_iter().chain(scenarios).chain(suite.checks.iter().map(case)).collect::<Vec<_>>(), out)
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
    let n = |seen| cases.iter().filter(|case| case.seen == seen).count();
    let (failed, errors, skipped) = (n(CaseResult::Failed), n(CaseResult::Error), n(CaseResult::Skipped));
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
    let tag = match case.seen {
        CaseResult::Passed if message.is_empty() => return writeln!(out, "/>"),
        CaseResult::Passed => return writeln!(out, "><system-out>{message}</system-out></testcase>"),
        CaseResult::Failed => "failure",
        CaseResult::Error => "error",
        CaseResult::Skipped => "skipped",
    };
    // Its schema knows no type of what was skipped.
    let kind = if case.seen == CaseResult::Skipped { String::new() } else { format!(" type=\"{}\"", case.kind) };
    let message = if message.is_empty() { escaped(case.kind) } else { message };
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

    fn case(suite: &str, name: &str, outcome: GateOutcome, message: &str, seconds: Option<f64>) -> Case {
        let case = Case::judged(suite, name.to_owned(), outcome, Inconclusive::Exit5, message.to_owned());
        Case { seconds, ..case }
    }

    #[test]
    fn what_is_inconclusive_is_told_as_it_counts() {
        let seen = |counts| {
            let case = Case::judged("s", "n".to_owned(), GateOutcome::Inconclusive, counts, "why".to_owned());
            (case.seen, case.message)
        };
        let why = "inconclusive: why".to_owned();
        assert_eq!(seen(Inconclusive::Exit5), (CaseResult::Skipped, why.clone()));
        assert_eq!(seen(Inconclusive::Pass), (CaseResult::Skipped, why.clone()));
        assert_eq!(seen(Inconclusive::Fail), (CaseResult::Failed, why));
    }

    #[test]
    fn each_outcome_is_what_ci_servers_read() {
        let cases = [
            case("classify", "p95 <= 20ms", GateOutcome::Pass, "", Some(30.0)),
            case("generate", "accuracy >= \"0.9\"", GateOutcome::Fail, "0.8 < 0.9 & falling\nsecond", Some(1.5)),
            case("classify", "energy <= 1", GateOutcome::NotMeasured, "", None),
            case("classify", "ratio <= 1", GateOutcome::Inconclusive, "the interval holds 1", Some(f64::NAN)),
            case("classify", "told", GateOutcome::Pass, "19 ms", None),
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
    <testcase classname="classify" name="energy &lt;= 1"><error type="not measured" message="not measured"/></testcase>
    <testcase classname="classify" name="ratio &lt;= 1"><skipped message="inconclusive: the interval holds 1"/></testcase>
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
