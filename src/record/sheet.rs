//! The lines of `samples.csv`, cut into rows and cells.
//!
//! Where a row begins and ends, and its cells, are looked up here, not by the csv crate: hardly a row has a quote in it, and
//! `report` of millions of rows waits for this. One that has goes to the crate (and a test of `rows` holds the two together).

use super::columns::{COLUMNS, FORMER, NEWER};
use anyhow::{Context, anyhow};
use std::io::BufRead;
use std::ops::Range;

/// What came of a row.
pub(super) enum Taken {
    /// It was one.
    Row,
    /// It is none of this run's.
    NoRow,
    /// No more are wanted.
    Enough,
}

/// Hands on every row with how many of the newer columns the file has. A last row that was cut off by a crash is passed over.
///
/// # Errors
///
/// The file can't be read, its columns are not ours, or a row before the last is none.
pub(super) fn each_row(from: impl BufRead, mut take: impl FnMut(&Cells<'_>, usize) -> Taken) -> anyhow::Result<()> {
    let mut sheet = Cutter::of(from);
    if !sheet.next()? {
        return Err(anyhow!("it is empty"));
    }
    let headers = sheet.cells()?.context("its first line is no row of columns")?;
    let known = headers.iter().filter(|column| NEWER.contains(column)).count();
    let of_then = COLUMNS.iter().filter(|column| !NEWER[known..].contains(column));
    let columns = headers.iter().count();
    let headers =
        headers.iter().map(|column| FORMER.iter().find(|(was, _)| *was == column).map_or(column, |(_, is)| is));
    if headers.ne(of_then.copied()) {
        return Err(anyhow!("its columns are not those of this version of loadcmp"));
    }
    // Only the last row may be a torso: the process may have ended in the middle of it.
    let mut torso = None;
    while sheet.next()? {
        if let Some(line) = torso {
            return Err(anyhow!("line {line} is not a row of this run"));
        }
        let line = sheet.line;
        match sheet.cells()?.filter(|row| row.cells.len() == columns).map(|row| take(&row, known)) {
            Some(Taken::Row) => {}
            Some(Taken::Enough) => break,
            Some(Taken::NoRow) | None => torso = Some(line),
        }
    }
    Ok(())
}

/// A file of rows, and the row that was read last.
pub(super) struct Cutter<R> {
    from: R,
    /// Lines that were read.
    lines: u64,
    /// The row: its first line, its bytes without the line's end, and how many quotes are in it.
    line: u64,
    row: Vec<u8>,
    quotes: usize,
    /// Where its cells stand in `row`, or in `unquoted`.
    cells: Vec<Range<usize>>,
    unquoted: csv::StringRecord,
}

impl<R: BufRead> Cutter<R> {
    pub(super) fn of(from: R) -> Self {
        let (cells, unquoted) = (Vec::with_capacity(COLUMNS.len()), csv::StringRecord::new());
        Self { from, lines: 0, line: 0, row: Vec::new(), quotes: 0, cells, unquoted }
    }

    /// Reads the next row, which goes on in the next line where a quote is open; false at the end. Empty lines are none.
    pub(super) fn next(&mut self) -> std::io::Result<bool> {
        (self.line, self.quotes) = (self.lines + 1, 0);
        self.row.clear();
        loop {
            let before = self.row.len();
            if self.from.read_until(b'\n', &mut self.row)? == 0 {
                return Ok(!self.row.is_empty());
            }
            self.lines += 1;
            self.quotes += memchr::memchr_iter(b'"', &self.row[before..]).count();
            if self.quotes % 2 == 1 {
                continue;
            }
            for end in [b'\n', b'\r'] {
                self.row.pop_if(|last| *last == end);
            }
            if !self.row.is_empty() {
                return Ok(true);
            }
            self.line += 1;
        }
    }

    /// The cells of the row; `None` where it isn't text: a torso may end inside a character.
    pub(super) fn cells(&mut self) -> anyhow::Result<Option<Cells<'_>>> {
        self.cells.clear();
        if self.quotes > 0 {
            let mut row = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&*self.row);
            let mut record = std::mem::take(&mut self.unquoted).into_byte_record();
            row.read_byte_record(&mut record)?;
            self.unquoted = match csv::StringRecord::from_byte_record(record) {
                Ok(record) => record,
                Err(_) => return Ok(None),
            };
            self.cells.extend((0..self.unquoted.len()).filter_map(|at| self.unquoted.range(at)));
            return Ok(Some(Cells { text: self.unquoted.as_slice(), cells: &self.cells, plain: false }));
        }
        let Ok(text) = std::str::from_utf8(&self.row) else { return Ok(None) };
        let (mut from, cells) = (0, &mut self.cells);
        commas(&self.row, |comma| {
            cells.push(from..comma);
            from = comma + 1;
        });
        cells.push(from..self.row.len());
        Ok(Some(Cells { text, cells: &self.cells, plain: true }))
    }
}

/// Where the commas are, eight bytes at a time: cells are so short that a search that begins again at each takes twice as long.
fn commas(row: &[u8], mut at: impl FnMut(usize)) {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let mut begin = 0;
    let (words, rest) = row.as_chunks::<8>();
    for word in words {
        // A byte is nought where a comma is, and its highest bit the only one that is set then.
        let word = u64::from_le_bytes(*word) ^ 0x2c2c_2c2c_2c2c_2c2c;
        let mut found = !(((word & LOW) + LOW) | word | LOW);
        while found != 0 {
            at(begin + found.trailing_zeros() as usize / 8);
            found &= found - 1;
        }
        begin += 8;
    }
    rest.iter().enumerate().filter(|(_, byte)| **byte == b',').for_each(|(place, _)| at(begin + place));
}

/// The cells of a row.
pub(super) struct Cells<'a> {
    text: &'a str,
    cells: &'a [Range<usize>],
    /// Whether the text is the row as it stands in the file, with a comma between its cells: there is no quote in it.
    pub(super) plain: bool,
}

impl<'a> Cells<'a> {
    pub(super) fn get(&self, at: usize) -> Option<&'a str> {
        self.text.get(self.cells.get(at)?.clone())
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<&'a str> {
        self.text.get(self.cells.last()?.clone())
    }

    /// The text from one cell to before another, with the comma behind each.
    pub(super) fn between(&self, from: usize, to: usize) -> Option<&'a str> {
        self.text.get(self.cells.get(from)?.start..self.cells.get(to)?.start)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> + Clone {
        let text = self.text;
        self.cells.iter().filter_map(move |cell| text.get(cell.clone()))
    }
}
