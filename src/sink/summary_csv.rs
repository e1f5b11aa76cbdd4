//! `summary.csv`: one row a target and metric.

use super::csv_text::{count, number, rows, text};
use crate::report::Report;
use std::io::{self, Write};

/// Writes it.
pub fn summary_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let header =
        ["target", "stand_in", "metric", "unit", "n", "mean", "sd", "min", "p50", "p90", "p95", "p99", "p999", "max"];
    let all = report.targets.iter().flat_map(|target| target.rows.iter().map(move |row| (target, row)));
    let cells = all.map(|(target, row)| {
        [
            text(&target.name).into_owned(),
            target.stand_in.to_string(),
            text(&row.metric).into_owned(),
            row.unit.clone(),
            count(row.n),
            number(row.mean),
            number(row.sd),
            number(row.min),
            number(row.p50),
            number(row.p90),
            number(row.p95),
            number(row.p99),
            number(row.p999),
            number(row.max),
        ]
    });
    rows(out, header, cells)
}
