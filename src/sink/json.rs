//! `report.json`: the report itself, for machines and for baselines.

use crate::report::{Report, pretty};
use std::io::{self, Write};

/// Writes it, with a line break at its end.
pub fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    pretty(out, report)
}
