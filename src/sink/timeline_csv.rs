//! `timeline.csv`: one row a target and second, all phases.

use super::csv_text::{count, number, rows, text};
use crate::report::Report;
use std::io::{self, Write};

/// Writes it. A stand-in is marked in its name.
pub fn timeline_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let header = [
        "t_s",
        "target",
        "sent",
        "ended",
        "ok",
        "errors",
        "latency_p50_us",
        "latency_p95_us",
        "latency_max_us",
        "ttft_p50_us",
        "output_tokens",
        "driven",
        "answers_per_s",
    ];
    let labels: Vec<String> = report.targets.iter().map(|target| text(&target.label()).into_owned()).collect();
    let cells = report.timeline.iter().map(|second| {
        [
            second.t_s.to_string(),
            labels.get(second.target).cloned().unwrap_or_default(),
            second.sent.to_string(),
            second.ended.to_string(),
            second.ok.to_string(),
            second.errors.to_string(),
            number(second.latency_p50_us),
            number(second.latency_p95_us),
            number(second.latency_max_us),
            number(second.ttft_p50_us),
            count(second.output_tokens),
            number(Some(second.driven)),
            number(second.answers_per_s),
        ]
    });
    rows(out, header, cells)
}
