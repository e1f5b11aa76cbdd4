//! The terminal: side by side, the main metric first, made for 80 columns and better with more.

use super::draw::{Look, draw, natural_width, print, short_name, verdict, wrapped};
use super::failures;
use super::lines::{Line, MARK, compared, lines, marked, outcome_words, reasons};
use super::pareto::front_table;
use crate::audit::Severity;
use crate::metrics::MEMORY_PEAK;
use crate::report::Report;
use crate::report::human::{self, printable};
use crate::stats::Verdict;
use std::io::{self, Write};

/// Writes the table, and what is to be read with it.
pub fn table(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    head(report, width, out)?;
    writeln!(out)?;
    let lines = lines(report);
    let compared = compared(report, &lines);
    // One pair stands in one table; the ratios of more stand in a table of their own below.
    let beside = if let [only] = compared[..] { Some(only) } else { None };
    side_by_side(report, &lines, beside, look, out)?;
    if compared.len() > 1 {
        writeln!(out)?;
        let judged: Vec<&Line> = lines.iter().filter(|line| line.comparisons.iter().any(Option::is_some)).collect();
        matrix(report, &judged, &compared, &[Cell::Ratio, Cell::Short, Cell::Verdict], look, out)?;
    }
    front(report, look, width, out)?;
    writeln!(out)?;
    for target in &report.targets {
        wrapped(out, &format!("{}: {}", target.label(), outcome_words(target)), width, "  ")?;
    }
    failures(report, look, out)?;
    wrapped(out, &report.floor_words(), width, "  ")?;
    if let Some(words) = report.watching_words() {
        wrapped(out, &words, width, "  ")?;
    }
    soak(report, width, out)?;
    if look.confusion {
        confusion(report, look, out)?;
    }
    legend(report, &lines, &compared, width, out)?;
    super::gates::table(report, look, out)
}

/// Writes what stands above the verdict where nobody asked for every figure.
pub(super) fn brief(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    head(report, width, out)?;
    front(report, look, width, out)?;
    failures(report, look, out)?;
    soak(report, width, out)?;
    if look.confusion {
        confusion(report, look, out)?;
    }
    super::gates::table(report, look, out)
}

/// What was run, whether it counts, what came of it, and what to doubt.
fn head(report: &Report, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let name = &report.plan.name;
    let about = report.plan.about.as_ref().map(|about| format!(": {about}")).unwrap_or_default();
    wrapped(out, &format!("{}{about}", printable(name)), width, "")?;
    wrapped(out, &format!("{}; {}", report.load_words(), report.workload_words()), width, "")?;
    if let Some(unfinished) = &report.unfinished {
        wrapped(out, &unfinished.sentence, width, "  ")?;
    }
    writeln!(out)?;
    for finding in report.spoilt() {
        wrapped(out, &format!("INVALID: {}", finding.sentence), width, "  ")?;
    }
    // What would decide it stands at the end.
    for statement in report.statements() {
        wrapped(out, &statement, width, "")?;
    }
    for finding in report.found(Severity::Warning) {
        wrapped(out, &format!("warning: {}", finding.sentence), width, "  ")?;
    }
    Ok(())
}

/// The variants in what they are chosen by, and those that nothing beats in everything.
fn front(report: &Report, look: Look, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let Some(front) = &report.front else { return Ok(()) };
    writeln!(out)?;
    let (header, rows) = front_table(report, front);
    print(header, rows, front.respects.len() + 1, look, out)?;
    front.words(report).iter().try_for_each(|words| wrapped(out, words, width, "  "))
}

/// What a long run shows of leaks and drift.
fn soak(report: &Report, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let words = report.soak_words();
    if !words.is_empty() {
        writeln!(out)?;
    }
    words.iter().try_for_each(|words| wrapped(out, words, width, "  "))
}

/// Why requests failed, and which are no failures.
fn failures(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    let rows = failures::rows(report);
    if !rows.is_empty() {
        writeln!(out)?;
        let cells = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect());
        print(failures::HEADS.map(str::to_owned).to_vec(), cells.collect(), 4, look, out)?;
        failures::legend(report).map_or(Ok(()), |words| wrapped(out, &words, width, "  "))?;
        writeln!(out)?;
    }
    failures::ours(report).map_or(Ok(()), |words| wrapped(out, &words, width, "  "))
}

/// The values of all targets; with one comparison, its ratio and verdict beside them.
fn side_by_side(
    report: &Report,
    lines: &[Line],
    beside: Option<usize>,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut header = vec![String::new()];
    // Who is a stand-in stands below.
    header.extend(report.targets.iter().map(|target| short_name(&target.name)));
    if beside.is_some() {
        header.extend(["ratio (95 % CI)".to_owned(), "verdict".to_owned()]);
    }
    let mut rows = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if at > 0 && line.section != lines[at - 1].section {
            rows.push(vec![String::new(); header.len()]);
        }
        let mut row = vec![line.name.to_owned()];
        row.extend(line.values.iter().cloned());
        if let Some(target) = beside {
            row.extend(judged(report, line, target));
        }
        rows.push(row);
    }
    draw(header, rows, report.targets.len() + 1, true, look, out)
}

/// What a cell of a matrix of targets and figures has.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// `14,225 tok/s 1.72 (1.69–1.75) better`
    Value,
    /// `1.72 (1.69–1.75) better`
    Ratio,
    /// `1.72 better`
    Short,
    /// `better`
    Verdict,
}

/// Several targets compared with the reference, one row per figure, in as much detail as there is room for; `details` from the
/// most to the least.
pub(super) fn matrix(
    report: &Report,
    lines: &[&Line],
    compared: &[usize],
    details: &[Cell],
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = |at: usize| report.targets.get(at).map(|target| short_name(&target.name)).unwrap_or_default();
    let reference = report.plan.reference;
    let made = |detail: Cell| -> (Vec<String>, Vec<Vec<String>>) {
        let mut header = vec![String::new()];
        header.extend(compared.iter().map(|at| format!("{} ÷ {}", name(*at), name(reference))));
        if detail == Cell::Verdict {
            header.iter_mut().zip(compared.iter().map(|at| name(*at))).skip(1).for_each(|(head, name)| *head = name);
        }
        header.push(name(reference));
        let rows = lines.iter().map(|line| {
            let cells = compared.iter().map(|at| cell(report, line, *at, detail));
            let value = line.values.get(reference).cloned().unwrap_or_default();
            [vec![line.name.trim().to_owned()], cells.collect(), vec![value]].concat()
        });
        let rows = rows.collect();
        (header, rows)
    };
    let fits = |(header, rows): &(Vec<String>, Vec<Vec<String>>)| {
        natural_width(header, rows, 1) <= usize::from(look.width.clamp(40, 160))
    };
    let all: Vec<_> = details.iter().map(|detail| made(*detail)).collect();
    let Some((header, rows)) = all.iter().find(|made| fits(made)).or(all.last()).cloned() else { return Ok(()) };
    let columns = header.len();
    draw(header, rows, columns, false, look, out)
}

/// What a target's figure is next to the reference's.
fn cell(report: &Report, line: &Line, at: usize, detail: Cell) -> String {
    let [ratio, verdict] = judged(report, line, at);
    let short = || {
        let ratio = line.comparisons[at].and_then(|c| c.ratio).map(human::ratio);
        ratio.unwrap_or_else(|| ratio_of_values(report, line, at).unwrap_or_default())
    };
    let words = match detail {
        Cell::Value => vec![line.values.get(at).cloned().unwrap_or_default(), ratio, verdict],
        Cell::Ratio => vec![ratio, verdict],
        Cell::Short => vec![short(), verdict],
        Cell::Verdict if line.comparisons[at].is_none() => vec![short()],
        Cell::Verdict => vec![verdict],
    };
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a line's row says of a target: ratio with interval, and verdict; of peak memory, which is read and no estimate, the plain quotient.
pub(super) fn judged(report: &Report, line: &Line, at: usize) -> [String; 2] {
    match line.comparisons[at] {
        Some(c) => verdict(Some(c)),
        None => [ratio_of_values(report, line, at).unwrap_or_default(), String::new()],
    }
}

/// The quotient of two peaks of memory, of targets that are compared in other figures.
fn ratio_of_values(report: &Report, line: &Line, at: usize) -> Option<String> {
    let compared = report.comparisons.iter().any(|c| c.target == at && c.verdict != Verdict::NotCompared);
    let value = |at: usize| report.targets.get(at)?.value(line.path).filter(|bytes| *bytes > 0.0);
    let quotient = value(at)? / value(report.plan.reference)?;
    (line.path == MEMORY_PEAK.id && compared).then(|| human::ratio(quotient))
}

/// Writes what was expected (down) and what was read (across), of every target that has labels to read.
pub fn confusion(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    for target in &report.targets {
        let Some(matrix) = &target.confusion else { continue };
        writeln!(out, "\n{}: expected (down), read (across)", printable(&target.label()))?;
        let mut header = vec![String::new()];
        header.extend(matrix.labels.iter().map(|label| printable(label)));
        header.push("unread".to_owned());
        let right = header.len();
        let row = |(label, counts): (&String, &Vec<u64>)| {
            let cells = counts.iter().map(|n| if *n == 0 { "·".to_owned() } else { human::count(*n) });
            std::iter::once(printable(label)).chain(cells).collect()
        };
        print(header, matrix.labels.iter().zip(&matrix.counts).map(row).collect(), right, look, out)?;
    }
    Ok(())
}

/// What marks mean, why verdicts aren't shown, and what to be careful about.
fn legend(report: &Report, lines: &[Line], compared: &[usize], width: usize, out: &mut dyn Write) -> io::Result<()> {
    if !compared.is_empty() {
        writeln!(out)?;
        wrapped(out, &report.ratios_words(), width, "")?;
    }
    if marked(lines) {
        wrapped(out, MARK, width, "")?;
    }
    for lacks in report.footnotes() {
        wrapped(out, &lacks, width, "  ")?;
    }
    for reason in reasons(report, compared) {
        wrapped(out, &format!("undecided: {reason}"), width, "  ")?;
    }
    for (number, finding) in report.found(Severity::Note).enumerate() {
        if number == 0 {
            writeln!(out)?;
        }
        wrapped(out, &format!("note: {}", finding.sentence), width, "  ")?;
    }
    Ok(())
}
