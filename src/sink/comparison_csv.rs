//! `comparison.csv`: targets beside the reference, with ratios, intervals and verdicts.

use super::csv_text::{number, rows, text};
use crate::report::Report;
use std::io::{self, Write};

/// Writes it. A stand-in is marked in its name.
pub fn comparison_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let header =
        ["metric", "unit", "target", "reference", "target_value", "reference_value", "ratio", "low", "high", "verdict"];
    let label = |at: usize| report.targets.get(at).map(|target| text(&target.label()).into_owned()).unwrap_or_default();
    let cells = report.comparisons.iter().map(|c| {
        [
            c.metric.clone(),
            c.unit.clone(),
            label(c.target),
            label(c.reference),
            number(c.target_value),
            number(c.reference_value),
            number(c.ratio),
            number(c.low),
            number(c.high),
            c.verdict.as_str().to_owned(),
        ]
    });
    rows(out, header, cells)
}
