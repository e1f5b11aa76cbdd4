//! What stands on the last screen of a terminal: who was compared, the figures that decide, whether it was fair, and what to do
//! next. Twelve lines at 80 columns, less where less was measured; a command to be pasted is as long as it is.

use super::lines::{Line, compared, lines};
use super::table::{Look, print, table, verdict, wrapped};
use crate::audit::{RULES, Severity};
use crate::report::Report;
use crate::report::human::printable;
use crate::scenario::plan::TargetPlan;
use crate::stats::Verdict;
use std::io::{self, Write};

/// Lines of figures, at most, without the head.
const FIGURES: usize = 7;

/// Figures that decide, beside the main one, in the order in which they stand; the last ones give way first.
const PATHS: [&str; 9] = [
    "ttft.p50",
    "tpot.mean",
    "response.p50",
    "latency.p50",
    "latency.p95",
    "error_rate",
    "requests_per_s",
    "accuracy",
    "memory_peak",
];

/// Writes what a terminal shows of a run: the table, what is to be read with it, and the verdict last.
pub fn terminal(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    table(report, look, out)?;
    last(report, look, out)
}

fn last(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    writeln!(out)?;
    for (target, summary) in report.plan.targets.iter().zip(&report.targets) {
        let told = format!("{}: {}", summary.label(), engine(target));
        wrapped(out, &cut(&told, width), width, "  ")?;
    }
    let lines = lines(report);
    let compared = compared(report, &lines);
    let beside = if let [only] = compared[..] { Some(only) } else { None };
    figures(report, &lines, beside, look, out)?;
    wrapped(out, &cut(&fairness(report), width), width, "  ")?;
    for words in next(report) {
        wrapped(out, &words, width, "  ")?;
    }
    Ok(())
}

/// An engine, its version, model and quantisation, as far as it told them.
fn engine(target: &TargetPlan) -> String {
    let facts = &target.facts;
    let name = facts.engine.as_ref().map(|engine| match &facts.version {
        Some(version) => format!("{engine} {version}"),
        None => engine.clone(),
    });
    let told = [name, Some(target.model.clone()), facts.quantization.clone()];
    let told: Vec<String> = told.into_iter().flatten().filter(|word| !word.is_empty()).collect();
    printable(&told.join(", "))
}

fn figures(report: &Report, lines: &[Line], beside: Option<usize>, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let main = lines.iter().filter(|line| line.path == report.primary);
    let others = PATHS.iter().filter(|path| **path != report.primary);
    let others = others.filter_map(|path| lines.iter().find(|line| line.path == *path));
    let chosen: Vec<&Line> = main.chain(others).take(FIGURES).collect();
    let mut header = vec![String::new()];
    // Who is a stand-in stands above.
    header.extend(report.plan.targets.iter().map(|target| printable(&target.name)));
    if beside.is_some() {
        header.extend(["ratio (95 %)".to_owned(), "verdict".to_owned()]);
    }
    let rows = chosen.into_iter().map(|line| {
        let ratio = beside.map(|at| verdict(line.comparisons[at]).to_vec()).unwrap_or_default();
        [vec![line.name.trim().to_owned()], line.values.clone(), ratio].concat()
    });
    print(header, rows.collect(), report.targets.len() + 1, look, out)
}

/// Whether the comparison was fair, by the rules that spoke.
fn fairness(report: &Report) -> String {
    let ids = |severity: Severity| {
        let mut ids: Vec<&str> = report.found(severity).map(|finding| finding.id.as_str()).collect();
        ids.dedup();
        ids
    };
    let (invalid, doubts) = (ids(Severity::Invalid), ids(Severity::Doubt));
    let all = RULES.len();
    match (&invalid[..], &doubts[..]) {
        ([], []) => format!("fair: none of {all} rules found a reason to doubt it"),
        ([], doubts) => format!("fair: {} of {all} rules doubt it: {}", doubts.len(), doubts.join(", ")),
        (invalid, doubts) => format!("INVALID: {}", [invalid, doubts].concat().join(", ")),
    }
}

/// What to do where the main metric is undecided.
fn next(report: &Report) -> Vec<String> {
    let main = report.comparisons.iter().filter(|c| c.metric == report.primary && c.verdict == Verdict::Undecided);
    let mut told: Vec<String> = main.map(|c| report.longer_words(c).trim().to_owned()).collect();
    told.retain(|words| !words.is_empty());
    told.dedup();
    told.truncate(1);
    told
}

/// A line's worth of a text.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::Task;

    #[test]
    fn the_verdict_fits_below_a_prompt_at_80_columns() {
        for (task, name) in [(Task::Classify, "last_classify"), (Task::Generate, "last_generate")] {
            let report = report(task, false);
            let mut text = Vec::new();
            last(&report, Look { width: 80, ..Look::default() }, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(text.trim().lines().count() <= 12, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(text.contains("verdict") && text.contains("fair: "), "{text}");
            insta::assert_snapshot!(name, text);
        }
    }

    #[test]
    fn a_long_line_is_cut_at_the_width() {
        assert_eq!([cut("abc", 3), cut("abcd", 3)], ["abc".to_owned(), "ab…".to_owned()]);
    }
}
