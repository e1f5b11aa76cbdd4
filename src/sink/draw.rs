//! What a terminal's tables and sentences are drawn with: how they are to look, columns, lines broken at a width.

use crate::report::human::{cut, printable};
use crate::report::words::ratio_words;
use crate::stats::Comparison;
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

/// A target's name, no longer than a column of figures can be.
pub(super) fn short_name(name: &str) -> String {
    cut(&printable(name), 16)
}

/// A comparison's ratio with its interval, and its verdict.
pub(super) fn verdict(comparison: Option<&Comparison>) -> [String; 2] {
    comparison.map_or_else(Default::default, |c| [ratio_words(c).unwrap_or_default(), c.verdict.as_str().to_owned()])
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
pub(super) fn draw(
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
