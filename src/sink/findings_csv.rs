//! `findings.csv`: reasons to doubt the comparison, one a row, the gravest first.

use super::csv_text::{rows, text};
use crate::report::Report;
use std::io::{self, Write};

/// Writes it. A finding of no single target has a blank there.
pub fn findings_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let header = ["id", "severity", "target", "sentence", "evidence", "threshold"];
    let label = |at: usize| report.targets.get(at).map(|target| target.label()).unwrap_or_default();
    let cells = report.findings.iter().map(|finding| {
        [
            text(&finding.id).into_owned(),
            finding.severity.as_str().to_owned(),
            text(&finding.target.map(label).unwrap_or_default()).into_owned(),
            text(&finding.sentence).into_owned(),
            text(&finding.evidence_words()).into_owned(),
            text(finding.threshold.as_deref().unwrap_or_default()).into_owned(),
        ]
    });
    rows(out, header, cells)
}
