//! `report.md`: short enough for a comment on a pull request.

use super::failures;
use super::lines::{MARK, Section, compared, engine_words, lines, marked, outcome_words, ratio_cell, reasons};
use super::markup::{cells, plain};
use super::pareto::front_table;
use super::repeat::{UNLIKE, facts, settings};
use crate::audit::Severity;
use crate::report::pareto::Front;
use crate::report::{Report, human};
use crate::scenario::yaml_word;
use std::io::{self, Write};

/// Most bytes of it: a comment on GitHub holds 65,536 characters, and somebody may put words around it.
const MOST: usize = 60_000;

/// Writes it. What would make it too long for a comment is left out from the end, and that is said.
pub fn markdown(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut text = head(report);
    let mut parts = vec![outcomes(report), failed(report), findings(report)];
    parts.extend(report.front.as_ref().map(|front| variants(report, front)));
    let costs = |section| !matches!(section, Section::Wait | Section::Rate | Section::Answers);
    let table = side_by_side(report, &|section| costs(section));
    let title = "Time, cost and the engines' own clocks";
    parts.extend(table.map(|table| folded(title, &table)));
    parts.push(repeat(report));
    for part in parts {
        if text.len() + part.len() > MOST {
            text.push_str("\nThe rest is in report.html: this comment is full.\n");
            break;
        }
        text.push_str(&part);
    }
    out.write_all(text.as_bytes())
}

/// What is read first: the verdict, what stands against it, and the figures people ask for.
fn head(report: &Report) -> String {
    let mut text = format!("### {}\n\n", plain(&report.plan.name));
    let mut add = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if let Some(unfinished) = &report.unfinished {
        add(format!("**{}**\n", plain(&unfinished.sentence)));
    }
    for finding in report.spoilt() {
        add(format!("**INVALID: {}**\n", plain(&finding.sentence)));
    }
    for headline in report.headlines() {
        add(format!("**{}**\n", plain(&headline)));
    }
    for finding in report.found(Severity::Warning) {
        add(format!("- warning: {}", plain(&finding.sentence)));
    }
    if report.found(Severity::Warning).next().is_some() {
        add(String::new());
    }
    if report.has_stand_in() {
        add("A stand-in took the place of a real engine. Its figures say nothing about that engine.\n".to_owned());
    }
    let judged = super::gates::markdown(report);
    if !judged.is_empty() {
        add(judged);
    }
    add(format!("{}; {}\n", plain(&report.load_words()), plain(&report.workload_words())));
    let asked_for = |section| matches!(section, Section::Wait | Section::Rate | Section::Answers);
    add(side_by_side(report, &|section| asked_for(section)).unwrap_or_default());
    text
}

/// Lines of a table of these sections: targets, then a ratio and a verdict for each that is compared; `None` without a line.
fn side_by_side(report: &Report, of: &dyn Fn(Section) -> bool) -> Option<String> {
    let all = lines(report);
    let shown: Vec<_> = all.into_iter().filter(|line| of(line.section)).collect();
    let compared = compared(report, &shown);
    let label = |at: usize| report.targets.get(at).map(|target| plain(&target.label())).unwrap_or_default();
    let mut header = vec!["metric".to_owned()];
    header.extend(report.targets.iter().map(|target| plain(&target.label())));
    for at in &compared {
        let of = if compared.len() > 1 { format!(" of {}", label(*at)) } else { String::new() };
        header.extend([format!("ratio{of} (95 % CI)"), "verdict".to_owned()]);
    }
    let mut text = format!("| {} |\n", header.join(" | "));
    text += &format!("|:--|{}{}\n", "--:|".repeat(report.targets.len()), "--:|:--|".repeat(compared.len()));
    for line in &shown {
        // A part of the line before stands further in.
        let name =
            if line.name.starts_with(' ') { format!("&emsp;{}", line.name.trim()) } else { line.name.to_owned() };
        let name = if line.path == report.primary { format!("**{name}**") } else { name };
        let mut cells = vec![name];
        cells.extend(line.values.iter().map(|value| plain(value)));
        for at in &compared {
            let comparison = line.comparisons[*at];
            cells.push(comparison.and_then(|c| ratio_cell(line, c)).unwrap_or_default());
            cells.push(match comparison.map(|c| c.verdict.as_str()) {
                Some(verdict @ ("better" | "worse")) => format!("**{verdict}**"),
                verdict => verdict.unwrap_or_default().to_owned(),
            });
        }
        text += &format!("| {} |\n", cells.join(" | "));
    }
    if marked(&shown) {
        text += &format!("\n{}\n", plain(MARK));
    }
    (!shown.is_empty()).then_some(text)
}

/// The table of variants.
fn variants(report: &Report, front: &Front) -> String {
    let (header, rows) = front_table(report, front);
    let mut text = format!("\n| {} |\n|:--|{}\n", cells(&header), "--:|".repeat(header.len() - 1));
    rows.iter().for_each(|row| text += &format!("| {} |\n", cells(row)));
    front.words(report).iter().for_each(|words| text += &format!("\n{}\n", plain(words)));
    text
}

/// What became of the requests, and of a soak.
fn outcomes(report: &Report) -> String {
    let of = report.targets.iter().map(|target| format!("{}: {}", target.label(), outcome_words(target)));
    of.chain(report.soak_words()).map(|words| format!("- {}\n", plain(&words))).collect()
}

/// Why requests failed, and which are no failures; nothing where every request was answered.
fn failed(report: &Report) -> String {
    let rows = failures::rows(report);
    let mut text = String::new();
    if !rows.is_empty() {
        text = format!("\n| {} |\n|:--|--:|--:|--:|:--|\n", failures::HEADS.join(" | "));
        rows.iter().for_each(|row| text += &format!("| {} |\n", cells(row)));
    }
    failures::legend(report)
        .into_iter()
        .chain(failures::ours(report))
        .for_each(|words| text += &format!("\n{}\n", plain(&words)));
    text
}

/// Folded away: all that the audit found, with what it rests on.
fn findings(report: &Report) -> String {
    let words = [
        (Severity::Invalid, "invalid", "invalid"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Note, "note", "notes"),
    ];
    let counts = words.map(|(severity, one, many)| (report.found(severity).count() as u64, one, many));
    let told: Vec<String> =
        counts.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| human::counted(*n, one, many)).collect();
    if told.is_empty() {
        return "\nAll checks of the audit passed.\n".to_owned();
    }
    let mut text = String::new();
    for finding in &report.findings {
        let evidence = match finding.evidence_words() {
            words if words.is_empty() => String::new(),
            words => format!(": {words}"),
        };
        let severity = yaml_word(&finding.severity);
        let words = format!("{severity}: {} ({}{evidence})", finding.sentence, finding.id);
        text += &format!("- {}\n", plain(&words));
    }
    folded(&format!("What the audit found: {}", told.join(", ")), &text)
}

/// Folded away: reasons, and what it takes to do it again.
fn repeat(report: &Report) -> String {
    let lines = lines(report);
    let compared = compared(report, &lines);
    let ratios = (!compared.is_empty()).then(|| format!("{}\n\n", plain(&report.ratios_words())));
    let mut text = ratios.unwrap_or_default();
    let mut add = |words: String| text += &format!("- {}\n", plain(&words));
    reasons(report, &compared).into_iter().for_each(|reason| add(format!("undecided: {reason}")));
    report.footnotes().into_iter().for_each(&mut add);
    add(report.floor_words());
    report.watching_words().into_iter().for_each(&mut add);
    for target in &report.plan.targets {
        let digest = target.facts.digest.as_ref().map(|digest| format!(", digest {digest}")).unwrap_or_default();
        add(format!("{}: {}{digest}", target.label(), engine_words(target)));
    }
    for (what, values) in settings(&report.plan.targets).into_iter().filter(|(what, _)| what.ends_with(UNLIKE)) {
        let told = report.targets.iter().zip(values);
        let told = told.filter_map(|(target, value)| Some(format!("{} {}", target.label(), value?)));
        add(format!("{what} {}", told.collect::<Vec<_>>().join(", ")));
    }
    for (what, fact) in facts(report).into_iter().filter(|(what, _)| SHORT.contains(what)) {
        add(format!("{}: {fact}", what.to_lowercase()));
    }
    if !report.command.is_empty() {
        // In a fence nothing is markup; a line of backticks would end it.
        text += &format!("\n```\n{}\n```\n", report.command.replace(['\n', '\r'], " ").replace("```", "` ` `"));
    }
    folded("Audit, and how to repeat the run", &text)
}

/// The facts that a comment has room for.
const SHORT: [&str; 6] = ["Seed", "Hash of the workload", "Sampling", "Machine", "When", "Written by"];

/// A part that opens when it is asked for.
fn folded(title: &str, text: &str) -> String {
    format!("\n<details><summary>{}</summary>\n\n{text}\n</details>\n", plain(title))
}
