//! `comparison.csv`: targets beside the reference, with ratios, intervals and verdicts.

use super::csv_text::{count, number, rows, text};
use crate::report::Report;
use std::io::{self, Write};

/// Writes it. A stand-in is marked in its name.
pub fn comparison_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let header = [
        "metric",
        "unit",
        "target",
        "reference",
        "target_value",
        "reference_value",
        "ratio",
        "low",
        "high",
        "verdict",
        "units",
        "pairs",
        "unpaired_target",
        "unpaired_reference",
        "p",
        "needs_requests",
        "needs_s",
        "reason",
    ];
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
            count(c.blocks.map(|units| units as u64)),
            count(c.pairs),
            count(c.unpaired.map(|alone| alone.0)),
            count(c.unpaired.map(|alone| alone.1)),
            number(c.p),
            count(c.needs.as_ref().map(|needs| needs.rows)),
            number(c.needs.as_ref().and_then(|needs| needs.seconds)),
            text(c.reason.as_deref().unwrap_or_default()).into_owned(),
        ]
    });
    rows(out, header, cells)
}
