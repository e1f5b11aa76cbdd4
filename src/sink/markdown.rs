//! `report.md`: short enough for a comment on a pull request.

use super::front::front_table;
use super::lines::{MARK, compared, engine_words, lines, marked, outcome_words, reasons};
use crate::audit::Severity;
use crate::report::words::ratio_words;
use crate::report::{Report, Status, human};
use std::io::{self, Write};

/// Writes it.
pub fn markdown(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### {}", plain(&report.plan.name))?;
    writeln!(out)?;
    for finding in report.found(Severity::Invalid) {
        writeln!(out, "**INVALID: {}**\n", plain(&finding.sentence))?;
    }
    for headline in report.headlines() {
        writeln!(out, "**{}**\n", plain(&headline))?;
    }
    for finding in report.found(Severity::Doubt) {
        writeln!(out, "- doubt: {}", plain(&finding.sentence))?;
    }
    if report.found(Severity::Doubt).next().is_some() {
        writeln!(out)?;
    }
    if report.status != Status::Complete {
        writeln!(out, "**Interrupted.**\n")?;
    }
    writeln!(out, "{}; {}\n", plain(&report.load_words()), plain(&report.workload_words()))?;
    side_by_side(report, out)?;
    writeln!(out)?;
    if let Some(front) = &report.front {
        let (header, rows) = front_table(report, front);
        let row = |cells: &[String]| cells.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | ");
        writeln!(out, "| {} |\n|:--|{}", row(&header), "--:|".repeat(header.len() - 1))?;
        rows.iter().try_for_each(|cells| writeln!(out, "| {} |", row(cells)))?;
        writeln!(out)?;
        front.words(report).iter().try_for_each(|words| writeln!(out, "{}\n", plain(words)))?;
    }
    for target in &report.targets {
        writeln!(out, "- {}: {}", plain(&target.label()), plain(&outcome_words(target)))?;
    }
    writeln!(out, "- {}", plain(&report.floor_words()))?;
    if let Some(words) = report.watching_words() {
        writeln!(out, "- {}", plain(&words))?;
    }
    report.soak_words().iter().try_for_each(|words| writeln!(out, "- {}", plain(words)))?;
    if report.found(Severity::Note).next().is_some() {
        writeln!(out, "\n**Read with care**\n")?;
        report.found(Severity::Note).try_for_each(|finding| writeln!(out, "- {}", plain(&finding.sentence)))?;
    }
    details(report, out)
}

/// One table: targets, then a ratio and a verdict for each that is compared.
fn side_by_side(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let lines = lines(report);
    let compared = compared(report, &lines);
    let several = compared.len() > 1;
    let label = |at: usize| report.targets.get(at).map(|target| plain(&target.label())).unwrap_or_default();
    let mut header = vec!["metric".to_owned()];
    header.extend(report.targets.iter().map(|target| plain(&target.label())));
    for at in &compared {
        let of = if several { format!(" of {}", label(*at)) } else { String::new() };
        header.extend([format!("ratio{of} (95 %)"), "verdict".to_owned()]);
    }
    writeln!(out, "| {} |", header.join(" | "))?;
    writeln!(out, "|:--|{}{}", "--:|".repeat(report.targets.len()), "--:|:--|".repeat(compared.len()))?;
    for line in &lines {
        let mut cells = vec![line.name.trim().to_owned()];
        cells.extend(line.values.iter().map(|value| plain(value)));
        for at in &compared {
            let comparison = line.comparisons[*at];
            cells.push(comparison.and_then(ratio_words).unwrap_or_default());
            cells.push(comparison.map(|c| c.verdict.as_str().to_owned()).unwrap_or_default());
        }
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    if marked(&lines) {
        writeln!(out, "\n{}", plain(MARK))?;
    }
    for lacks in report.footnotes() {
        writeln!(out, "\n{}", plain(&lacks))?;
    }
    Ok(())
}

/// Folded away: reasons, and what it takes to do it again.
fn details(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n<details><summary>Why, and what it was run on</summary>\n")?;
    writeln!(out, "{}\n", plain(&report.ratios_words()))?;
    for reason in reasons(report, &compared(report, &lines(report))) {
        writeln!(out, "- not shown: {}", plain(&reason))?;
    }
    for target in &report.plan.targets {
        writeln!(out, "- {}: {}", plain(&target.label()), plain(&engine_words(target)))?;
    }
    let machine = &report.machine;
    let known = [
        machine.cpu.clone(),
        machine.logical_cores.map(|n| format!("{n} logical cores")),
        machine.memory_bytes.map(human::bytes),
        machine.os.clone(),
        machine.kernel.clone(),
    ];
    writeln!(out, "- machine: {}", plain(&known.into_iter().flatten().collect::<Vec<_>>().join(", ")))?;
    writeln!(out, "- workload: seed {}, hash `{:.16}`", report.plan.seed, report.plan.workload.hash)?;
    writeln!(out, "- {}, {}", plain(&report.tool), plain(&report.started))?;
    writeln!(out, "\n</details>")
}

/// Text as text: nothing in it formats, links, mentions anyone or ends a cell.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '@' => plain.push_str("&#64;"),
            '#' => plain.push_str("&#35;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '!' => plain.extend(['\\', c]),
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}
