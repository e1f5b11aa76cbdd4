//! What stands on the last screen of a terminal: who was compared, the figures that decide, whether it was fair, and what to do
//! next. Twelve lines at 80 columns, less where less was measured; a command to be pasted is as long as it is.

use super::draw::{Look, broken, print, short_name};
use super::lines::{Line, compared, lines};
use super::spark::spark;
use super::table::{Cell, brief, judged, matrix, table};
use crate::audit::{RULES, RuleAsked, RuleSpec, Severity, asked};
use crate::report::Report;
use crate::report::human::{cut, printable};
use crate::scenario::plan::TargetPlan;
use crate::stats::{TargetSummary, Verdict};
use std::io::{self, Write};
use std::path::Path;

/// Lines below the picture, at most: what fits above a prompt at 80 columns without pushing anything else off the screen.
const LINES: usize = 12;
/// Lines of figures, at least, whatever else there is to say.
const FIGURES: usize = 3;

/// Targets that are named with their engine; more stand in a table of one row each.
const NAMED: usize = 5;

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

/// Writes what a terminal shows of a run: what was asked and what to watch out for (with `full`, every figure), then a picture
/// and the verdict, last. `files` is the directory with everything else.
pub fn terminal(report: &Report, look: Look, files: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    if look.full {
        table(report, look, out)?
    } else {
        brief(report, look, out)?
    }
    last(report, look, files, out)
}

fn last(report: &Report, look: Look, files: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    let picture = spark(report, width, look.ascii);
    if !picture.is_empty() {
        writeln!(out)?;
    }
    for line in picture {
        writeln!(out, "{}", printable(&line))?;
    }
    writeln!(out)?;
    let named = if report.targets.len() > NAMED { 0 } else { report.targets.len() };
    for (target, summary) in report.plan.targets.iter().zip(&report.targets).take(named) {
        writeln!(out, "{}", engine(&summary.label(), target, width))?;
    }
    let mut below = vec![cut(&fairness(report), width)];
    for words in next(report) {
        below.extend(broken(&words, width, "  "));
    }
    if let Some(files) = files {
        below.push(format!("report: {}", files.join("report.html").display()));
    }
    let lines = lines(report);
    if named == 0 {
        let rows = LINES.saturating_sub(1 + below.len()).max(FIGURES);
        by_target(report, &lines, rows, look, out)?;
        return below.iter().try_for_each(|line| writeln!(out, "{line}"));
    }
    let most = |below: &[String]| LINES.saturating_sub(named + 1 + below.len()).max(FIGURES);
    let mut chosen = chosen(report, &lines, most(&below));
    if chosen.iter().any(|line| line.values.iter().any(|value| value.starts_with('~'))) {
        below.insert(0, "~ too few requests for a confidence interval".to_owned());
        chosen.truncate(most(&below));
    }
    figures(report, &lines, &chosen, look, out)?;
    below.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// A target with its engine, its version, model and quantisation, as far as it told them. Of a line that is too long, the middle
/// of the model's name gives way: what it ends with says which variant it is.
fn engine(label: &str, target: &TargetPlan, width: usize) -> String {
    let facts = &target.facts;
    let name = facts.engine.as_ref().map(|engine| match &facts.version {
        Some(version) => format!("{engine} {version}"),
        None => engine.clone(),
    });
    let line = |model: String| {
        let told = [name.clone(), Some(model), facts.quantization.clone()];
        let told: Vec<String> = told.into_iter().flatten().filter(|word| !word.is_empty()).collect();
        let told = if told.is_empty() { "engine and model unknown".to_owned() } else { told.join(", ") };
        printable(&format!("{label}: {told}"))
    };
    let whole = line(target.model.clone());
    let over = whole.chars().count().saturating_sub(width);
    if over == 0 {
        return whole;
    }
    let length = target.model.chars().count().saturating_sub(over).max(LEAST_MODEL);
    cut(&line(shortened(&target.model, length)), width)
}

/// Characters of a model's name, at least.
const LEAST_MODEL: usize = 9;

/// A text of so many characters, without its middle.
fn shortened(text: &str, length: usize) -> String {
    let all = text.chars().count();
    if all <= length {
        return text.to_owned();
    }
    let head = length.saturating_sub(1) / 2;
    let tail = length.saturating_sub(1 + head);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(all - tail)).collect()
}

/// The figures that decide, `most` lines of them.
fn chosen<'a>(report: &Report, lines: &'a [Line], most: usize) -> Vec<&'a Line<'a>> {
    let main = lines.iter().filter(|line| line.path == report.primary);
    let others = PATHS.iter().filter(|path| **path != report.primary);
    let others = others.filter_map(|path| lines.iter().find(|line| line.path == *path));
    main.chain(others).take(most).collect()
}

fn figures(report: &Report, lines: &[Line], chosen: &[&Line], look: Look, out: &mut dyn Write) -> io::Result<()> {
    let compared = compared(report, lines);
    let look = Look { plain: true, ..look };
    if compared.len() > 1 {
        let details = [Cell::Value, Cell::Ratio, Cell::Short, Cell::Verdict];
        return matrix(report, chosen, &compared, &details, look, out);
    }
    let beside = compared.first();
    let mut header = vec![String::new()];
    // Who is a stand-in stands above.
    header.extend(report.plan.targets.iter().map(|target| short_name(&target.name)));
    if beside.is_some() {
        header.extend(["ratio (95 % CI)".to_owned(), "verdict".to_owned()]);
    }
    let rows = chosen.iter().map(|line| {
        let words = beside.map(|at| judged(report, line, *at).to_vec()).unwrap_or_default();
        [vec![line.name.trim().to_owned()], line.values.clone(), words].concat()
    });
    print(header, rows.collect(), report.targets.len() + 1, look, out)
}

/// Many targets, a row each: the main figure with its ratio and verdict, and the median latency. Those that there are no
/// lines for are counted.
fn by_target(report: &Report, lines: &[Line], most: usize, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let shown: Vec<&Line> = chosen(report, lines, 2);
    let all = report.targets.len();
    let rows = if all > most { most - 1 } else { all };
    let mut header = vec![String::new()];
    header.extend(shown.iter().map(|line| line.name.trim().to_owned()));
    header.extend(["ratio (95 % CI)".to_owned(), "verdict".to_owned()]);
    let row = |(at, target): (usize, &TargetSummary)| {
        let mut row = vec![short_name(&target.name)];
        row.extend(shown.iter().map(|line| line.values.get(at).cloned().unwrap_or_default()));
        let words = shown.first().map(|line| judged(report, line, at)).unwrap_or_default();
        row.extend(words);
        if at == report.plan.reference {
            row.pop();
            row.push("reference".to_owned());
        }
        row
    };
    let told = report.targets.iter().enumerate().take(rows).map(row).collect();
    print(header, told, shown.len() + 1, Look { plain: true, ..look }, out)?;
    if all > rows { writeln!(out, "… {} more targets: report.html", all - rows) } else { Ok(()) }
}

/// Whether the comparison was fair, by the rules of the audit that spoke.
pub(super) fn fairness(report: &Report) -> String {
    let ids = |severity: Severity| {
        let mut ids: Vec<&str> = report.found(severity).map(|finding| finding.id.as_str()).collect();
        ids.dedup();
        ids
    };
    let (invalid, doubts) = (ids(Severity::Invalid), ids(Severity::Warning));
    // What was switched off wasn't passed.
    let standing = |wanted: RuleAsked| RULES.iter().filter(move |rule| stands(report, rule) == wanted);
    let all = standing(RuleAsked::Judged).count();
    let off: Vec<&str> = standing(RuleAsked::Off).map(|rule| rule.id).collect();
    let off = if off.is_empty() { String::new() } else { format!(", {} off: {}", off.len(), off.join(", ")) };
    if !invalid.is_empty() {
        return format!("INVALID: {}", [invalid, doubts].concat().join(", "));
    }
    let passed = all.saturating_sub(doubts.len());
    let warnings = match doubts.len() {
        0 => return format!("fair: all {all} checks passed{off}"),
        1 => "1 warning".to_owned(),
        n => format!("{n} warnings"),
    };
    format!("fair: {passed} of {all} checks passed, {warnings}: {}{off}", doubts.join(", "))
}

/// Whether a rule was asked of a run: one that found something was, whatever there was to look at.
pub(super) fn stands(report: &Report, rule: &RuleSpec) -> RuleAsked {
    if report.findings.iter().any(|finding| finding.id == rule.id) {
        return RuleAsked::Judged;
    }
    asked(rule, &report.plan)
}

/// What to do where the main metric is undecided, and before it is told to others where it is decided.
fn next(report: &Report) -> Vec<String> {
    let main = report.comparisons.iter().filter(|c| c.metric == report.primary && c.verdict == Verdict::Undecided);
    let mut told: Vec<String> = main.map(|c| report.longer_words(c).trim().to_owned()).collect();
    told.retain(|words| !words.is_empty());
    told.dedup();
    told.truncate(1);
    if told.is_empty() {
        told.extend(report.one_start().map(str::to_owned));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::Task;
    use crate::stats::{Comparison, Needs};

    fn told(report: &Report, width: u16) -> String {
        let mut text = Vec::new();
        let files = Path::new("results/classify-20261129T120000Z");
        last(report, Look { width, ..Look::default() }, Some(files), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (_, verdict) = text.trim().split_once("\n\n").expect("a picture, then the verdict");
        assert!(verdict.lines().count() <= LINES && verdict.ends_with("/report.html"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{text}");
        assert!(text.contains("fair: "), "{text}");
        text
    }

    #[test]
    fn the_verdict_fits_below_a_prompt() {
        for (task, name) in [(Task::Classify, "last_classify"), (Task::Generate, "last_generate")] {
            for width in [80, 120] {
                let mut report = report(task, width == 120);
                insta::assert_snapshot!(format!("{name}_{width}"), told(&report, width));
                // Undecided, with a command that doesn't fit into a line.
                report.command =
                    format!("loadcmp run {name} --real --target native=openai:http://127.0.0.1:8080,model=some-model");
                let main = report.comparisons.iter_mut().find(|c| c.metric == report.primary).unwrap();
                main.undecided("the CI overlaps ±2 %".to_owned());
                main.needs = Some(Needs { figure: main.metric.clone(), rows: 9_000_000, seconds: Some(470.0) });
                let text = told(&report, width);
                assert!(text.contains("To show a difference of") && text.contains("model=some-model"), "{text}");
            }
        }
    }

    #[test]
    fn of_several_targets_each_has_its_verdict_beside_its_figure() {
        let mut three = report(Task::Generate, false);
        let third = three.targets[0].clone();
        three.targets.push(crate::stats::TargetSummary { name: "vllm".to_owned(), ..third });
        three.plan.targets.push(three.plan.targets[0].clone());
        three.plan.targets[2].name = "vllm".to_owned();
        let more: Vec<_> = three.comparisons.iter().map(|c| Comparison { target: 2, ..c.clone() }).collect();
        three.comparisons.extend(more);
        for width in [80, 120] {
            let text = told(&three, width);
            assert!(text.contains("1.72 (1.69–1.75) better"), "{text}");
            insta::assert_snapshot!(format!("last_three_{width}"), text);
        }
        // Four to twelve stay within twelve lines, too.
        for all in 4..13 {
            let mut more = three.clone();
            for at in 3..all {
                more.targets.push(TargetSummary { name: format!("build-{at}"), ..more.targets[2].clone() });
                more.plan.targets.push(more.plan.targets[2].clone());
                more.plan.targets[at].name = format!("build-{at}");
                let of: Vec<_> = more.comparisons.iter().filter(|c| c.target == 2).cloned().collect();
                more.comparisons.extend(of.into_iter().map(|c| Comparison { target: at, ..c }));
            }
            for width in [80, 120] {
                let text = told(&more, width);
                assert!(text.contains("better"), "{text}");
                if [4, 8].contains(&all) {
                    insta::assert_snapshot!(format!("last_{all}_{width}"), text);
                }
            }
        }
    }

    #[test]
    fn peak_memory_has_a_plain_quotient() {
        let mut report = report(Task::Generate, false);
        for (target, bytes) in report.targets.iter_mut().zip([1e9, 2e9]) {
            let row = crate::stats::Row {
                metric: "memory_peak".into(),
                unit: "bytes".into(),
                mean: Some(bytes),
                ..target.rows[0].clone()
            };
            target.rows.push(row);
        }
        let all = lines(&report);
        let peak = all.iter().find(|line| line.path == "memory_peak").unwrap();
        assert_eq!(judged(&report, peak, 0), ["0.50".to_owned(), String::new()]);
        for c in &mut report.comparisons {
            c.verdict = Verdict::NotCompared;
        }
        let all = lines(&report);
        let peak = all.iter().find(|line| line.path == "memory_peak").unwrap();
        assert_eq!(judged(&report, peak, 0), [String::new(), String::new()]);
    }

    #[test]
    fn a_long_models_name_loses_its_middle_and_not_the_quantisation() {
        let mut report = report(Task::Generate, false);
        report.plan.targets[0].model = "some-organisation/a-very-long-name-of-a-model-instruct-2507:latest".to_owned();
        let line = engine("native (stand-in)", &report.plan.targets[0], 80);
        assert!(line.chars().count() == 80 && line.ends_with("07:latest, Q4_K_M") && line.contains('…'), "{line}");
        assert_eq!([shortened("abcdef", 5), shortened("abc", 5)], ["ab…ef", "abc"]);
    }

    #[test]
    fn a_long_line_is_cut_at_the_width() {
        assert_eq!([cut("abc", 3), cut("abcd", 3)], ["abc".to_owned(), "ab…".to_owned()]);
    }
}
