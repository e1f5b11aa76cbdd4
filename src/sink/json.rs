//! `report.json`: the report itself, for machines and for baselines.

use crate::report::Report;
use std::io::{self, Write};

/// Writes it, with a line break at its end.
pub fn json(report: &Report, mut out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, report)?;
    out.write_all(b"\n")
}
