//! `summary.csv`: one row a target and metric.

use super::csv_text::{count, number, rows, text};
use crate::report::Report;
use crate::stats::Row;
use std::io::{self, Write};

/// Writes it.
pub fn summary_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let header = [
        "target",
        "stand_in",
        "metric",
        "unit",
        "n",
        "mean",
        "sd",
        "min",
        "p50",
        "p90",
        "p95",
        "p99",
        "p999",
        "max",
        "n_eff",
        "mean_low",
        "mean_high",
        "p50_low",
        "p50_high",
        "p95_low",
        "p95_high",
        "p99_low",
        "p99_high",
        "p95_needs",
        "p99_needs",
    ];
    let all = report.targets.iter().flat_map(|target| target.rows.iter().map(move |row| (target, row)));
    let cells = all.map(|(target, row)| {
        // A percentile beyond the answered requests is infinite where failures count as infinitely slow.
        let told = |x: Option<f64>, q: f64| match row.infinite_from {
            Some(from) if x.is_none() && q > from => "inf".to_owned(),
            _ => number(x),
        };
        [
            text(&target.name).into_owned(),
            target.stand_in.to_string(),
            text(&row.metric).into_owned(),
            row.unit.clone(),
            count(row.n),
            number(row.mean),
            number(row.sd),
            number(row.min),
            told(row.p50, 0.5),
            told(row.p90, 0.9),
            told(row.p95, 0.95),
            told(row.p99, 0.99),
            told(row.p999, 0.999),
            told(row.max, 1.0),
            number(row.n_eff),
            number(row.low),
            number(row.high),
            number(row.p50_low),
            number(row.p50_high),
            number(row.p95_low),
            number(row.p95_high),
            number(row.p99_low),
            number(row.p99_high),
            needs(row, "p95"),
            needs(row, "p99"),
        ]
    });
    rows(out, header, cells)
}

/// Requests in all that a figure would need for an interval of its own; blank if it has them.
fn needs(row: &Row, figure: &str) -> String {
    count(row.needs.iter().find(|needs| needs.figure == figure).map(|needs| needs.rows))
}
