//! The terminal: side by side, the main metric first, made for 80 columns and better with more.

use super::failures;
use super::front::front_table;
use super::lines::{Line, MARK, compared, lines, marked, outcome_words, reasons};
use crate::audit::Severity;
use crate::metrics::MEMORY_PEAK;
use crate::report::Report;
use crate::report::human::{self, cut, printable};
use crate::report::words::ratio_words;
use crate::stats::{Comparison, Verdict};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table};
use std::io::{self, Write};

/// How the table is to look; what the terminal is and whether it takes colour is the caller's to know.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns there are.
    pub width: u16,
    /// Whether to colour verdicts.
    pub colour: bool,
    /// Whether the terminal has nothing but ASCII to draw with.
    pub ascii: bool,
    /// Whether to show what was expected and what was read.
    pub confusion: bool,
    /// Whether to show every figure, not only those that decide.
    pub full: bool,
    /// Whether a table does without the line below its head.
    pub plain: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 80, colour: false, ascii: false, confusion: false, full: false, plain: false }
    }
}

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

/// A target's name, no longer than a column of figures can be.
pub(super) fn short_name(name: &str) -> String {
    cut(&printable(name), 16)
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

/// A comparison's ratio with its interval, and its verdict.
pub(super) fn verdict(comparison: Option<&Comparison>) -> [String; 2] {
    comparison.map_or_else(Default::default, |c| [ratio_words(c).unwrap_or_default(), c.verdict.as_str().to_owned()])
}

/// The quotient of two peaks of memory, of targets that are compared in other figures.
fn ratio_of_values(report: &Report, line: &Line, at: usize) -> Option<String> {
    let compared = report.comparisons.iter().any(|c| c.target == at && c.verdict != Verdict::NotCompared);
    let value = |at: usize| report.targets.get(at)?.value(line.path).filter(|bytes| *bytes > 0.0);
    let quotient = value(at)? / value(report.plan.reference)?;
    (line.path == MEMORY_PEAK.id && compared).then(|| human::ratio(quotient))
}

/// Columns that a table takes unbroken, with so many blanks between two of its own; a head may have several lines.
pub(super) fn natural_width(header: &[String], rows: &[Vec<String>], blanks: usize) -> usize {
    let widest = |(at, head): (usize, &String)| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(String::as_str);
        head.lines().chain(cells).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    header.iter().enumerate().map(widest).sum::<usize>() + blanks * header.len().saturating_sub(1)
}

/// Draws one table; columns from 1 to `right` hold numbers, and stand to the right.
pub(super) fn print(
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    right: usize,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    draw(header, rows, right, false, look, out)
}

/// A space that no line is broken at.
const FIXED: char = '\u{a0}';

/// The same; with `fixed`, only the first column may give way.
fn draw(
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    right: usize,
    fixed: bool,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::new();
    let style = comfy_table::presets::NOTHING;
    let style = match look.plain {
        true => style,
        false => style.header_separator(comfy_table::LineStyle::none().fill('─').junction('─')),
    };
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic).set_width(look.width.clamp(40, 160));
    // A figure isn't broken from its unit, and what stands further in stays there.
    let kept = |(at, cell): (usize, String)| {
        let inner = cell.len() - cell.trim_start_matches(' ').len();
        let chars: Vec<char> = cell.chars().collect();
        let of_unit = |i: usize| chars[..i].last().is_some_and(char::is_ascii_digit) && chars.get(i + 1) != Some(&'(');
        let stays = |i: usize| i < inner || (1..right).contains(&at) && of_unit(i);
        chars.iter().enumerate().map(|(i, c)| if *c == ' ' && stays(i) { FIXED } else { *c }).collect::<String>()
    };
    // Where there is no room for two blanks between columns, one is enough.
    let tight = fixed && !look.plain && natural_width(&header, &rows, 2) > usize::from(look.width.clamp(40, 160));
    let last = header.len() - 1;
    table.set_header(header);
    table.add_rows(rows.into_iter().map(|row| row.into_iter().enumerate().map(kept).collect::<Vec<_>>()));
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at == last || tight { 0 } else { 1 }));
        if fixed && at > 0 {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        if (1..right).contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        let line = line.replace(FIXED, " ");
        writeln!(out, "{}", coloured(line.trim_end(), look.colour))?;
    }
    Ok(())
}

/// Colours the verdict that ends a line.
fn coloured(line: &str, colour: bool) -> String {
    for (word, code) in [("pass ", 32), ("FAIL ", 31)] {
        if let Some(rest) = line.strip_prefix(word).filter(|_| colour) {
            return format!("\x1b[{code}m{word}\x1b[0m{rest}");
        }
    }
    for (word, code) in [("better", 32), ("worse", 31), ("equal", 36), ("undecided", 2)] {
        if let Some(rest) = line.strip_suffix(word).filter(|_| colour) {
            return format!("{rest}\x1b[{code}m{word}\x1b[0m");
        }
    }
    line.to_owned()
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

/// Writes what is read last: what came of it, and where the page is.
pub(super) fn last(
    sentences: &[String],
    page: Option<std::path::PathBuf>,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out)?;
    sentences.iter().try_for_each(|words| wrapped(out, words, width, "  "))?;
    page.map_or(Ok(()), |page| writeln!(out, "report: {}", page.display()))
}

/// Writes a text in lines of at most `width`, each but the first begun with `indent`.
pub(super) fn wrapped(out: &mut dyn Write, text: &str, width: usize, indent: &str) -> io::Result<()> {
    broken(text, width, indent).iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// A text in lines of at most `width`, each but the first begun with `indent`; one line of an empty text.
pub(super) fn broken(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in printable(text).split_whitespace() {
        if !line.trim().is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        }
        if !line.trim().is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}
