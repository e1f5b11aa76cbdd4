//! What a search for capacity found: for the terminal, a pull request, programs, and a page.

mod csv;
mod page;
mod words;

pub use csv::capacity_csv;
pub use page::capacity_html;

use super::draw::{Look, last, print, wrapped};
use super::markup::{cells, plain};
use super::{Sink, write_each};
use crate::capacity::Capacity;
use crate::report::pretty;
use std::io::{self, Write};
use std::path::Path;

const SINKS: [(&str, Sink<Capacity>); 4] = [
    ("capacity.json", capacity_json),
    ("capacity.csv", capacity_csv),
    ("capacity.md", capacity_markdown),
    ("capacity.html", capacity_html),
];

/// Writes every file but what the search is made of.
pub fn write_capacity(directory: &Path, capacity: &Capacity) -> io::Result<()> {
    write_each(directory, capacity, &SINKS)
}

/// Writes it as JSON.
pub fn capacity_json(capacity: &Capacity, out: &mut dyn Write) -> io::Result<()> {
    pretty(out, capacity)
}

/// Columns from which a probe's reason stands beside it.
const WIDE: u16 = 110;

/// Writes it for a terminal: what was found last, and then the page, which is in `files`.
pub fn capacity_table(capacity: &Capacity, look: Look, files: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    let settings = &capacity.settings;
    wrapped(out, &words::title(settings), width, "")?;
    wrapped(out, &words::method(settings), width, "")?;
    let doubts = words::doubts(capacity);
    if !doubts.is_empty() {
        writeln!(out)?;
    }
    for doubt in doubts {
        wrapped(out, &doubt, width, "  ")?;
    }
    for target in capacity.targets.iter().filter(|target| !target.probes.is_empty()) {
        let wide = look.width >= WIDE;
        let mut header = words::columns(settings, &target.label());
        if wide {
            header.push("why".to_owned());
        }
        let right = header.len() - 1 - usize::from(wide);
        let row = |probe: &crate::capacity::JudgedProbe| {
            let mut row = words::cells(settings, probe, false);
            row.extend(wide.then(|| words::why(probe)));
            row
        };
        writeln!(out)?;
        let rows = words::by_load(target).into_iter().map(row).collect();
        print(header, rows, right, look, out)?;
    }
    let failed = words::failed(capacity);
    if !failed.is_empty() {
        writeln!(out)?;
        print(words::FAILED.map(str::to_owned).to_vec(), failed.into_iter().map(Vec::from).collect(), 3, look, out)?;
    }
    writeln!(out)?;
    wrapped(out, &words::legend(settings), width, "")?;
    last(&words::headlines(capacity), files.map(|files| files.join("capacity.html")), width, out)
}

/// Writes it for a pull request.
pub fn capacity_markdown(capacity: &Capacity, out: &mut dyn Write) -> io::Result<()> {
    let settings = &capacity.settings;
    writeln!(out, "### {}\n", plain(&words::title(settings)))?;
    for sentence in words::headlines(capacity) {
        writeln!(out, "**{}**\n", plain(&sentence))?;
    }
    for doubt in words::doubts(capacity) {
        writeln!(out, "> {}\n", plain(&doubt))?;
    }
    writeln!(out, "{}\n", plain(&words::method(settings)))?;
    for target in capacity.targets.iter().filter(|target| !target.probes.is_empty()) {
        let header = words::columns(settings, &target.label());
        let rules = header.iter().map(|_| "--:").collect::<Vec<_>>().join("|");
        writeln!(out, "| {} | why |\n|{rules}|:--|", cells(&header))?;
        for probe in words::by_load(target) {
            writeln!(out, "| {} | {} |", cells(&words::cells(settings, probe, false)), plain(&words::why(probe)))?;
        }
        writeln!(out)?;
    }
    let failed = words::failed(capacity);
    if !failed.is_empty() {
        writeln!(out, "| {} |\n|:--|--:|--:|:--|", words::FAILED.join(" | "))?;
        for row in failed {
            writeln!(out, "| {} |", cells(&row))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", plain(&words::legend(settings)))
}
