//! Variants beside each other: `variants.csv`, and one table for the terminal, Markdown and the page.

use super::csv_text::{number, rows, text};
use crate::metrics::value_words;
use crate::report::pareto::{Front, Respect};
use crate::report::{Report, human};
use crate::stats::unit;
use std::io::{self, Write};

/// Writes a row a target and respect.
pub fn variants_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let header =
        ["target", "stand_in", "metric", "unit", "value", "more_is_better", "takes_part", "reason", "on_front"];
    let front = report.front.iter();
    let cells = front.flat_map(|front| {
        let each =
            front.candidates.iter().flat_map(|c| front.respects.iter().zip(&c.values).map(move |(r, v)| (c, r, v)));
        each.map(|(candidate, respect, value)| {
            let target = report.targets.get(candidate.target);
            [
                target.map(|target| text(&target.name).into_owned()).unwrap_or_default(),
                target.is_some_and(|target| target.stand_in).to_string(),
                respect.metric.clone(),
                respect.unit.clone(),
                number(*value),
                respect.more_is_better.to_string(),
                respect.left_out.is_none().to_string(),
                text(respect.left_out.as_deref().unwrap_or_default()).into_owned(),
                candidate.on_front.map(|on| on.to_string()).unwrap_or_default(),
            ]
        })
    });
    rows(out, header, cells)
}

/// The table: header, and a row a target. What takes no part stands in brackets.
pub(super) fn front_table(report: &Report, front: &Front) -> (Vec<String>, Vec<Vec<String>>) {
    let mut header = vec![String::new()];
    header.extend(front.respects.iter().map(|respect| short(&respect.metric)));
    header.push("front".to_owned());
    let row = |candidate: &crate::report::pareto::Candidate| {
        let label = report.targets.get(candidate.target).map(|target| target.label()).unwrap_or_default();
        let mut row = vec![human::printable(&label)];
        row.extend(front.respects.iter().zip(&candidate.values).map(|(respect, value)| cell(respect, *value)));
        row.push(
            match candidate.on_front {
                Some(true) => "yes",
                Some(false) => "no",
                None => "–",
            }
            .to_owned(),
        );
        row
    };
    (header, front.candidates.iter().map(row).collect())
}

fn short(metric: &str) -> String {
    match metric {
        "memory_peak" => "memory".to_owned(),
        "same_answers" => "same answers".to_owned(),
        "cosine.mean" => "cosine".to_owned(),
        other => crate::report::words::metric_words(other),
    }
}

fn cell(respect: &Respect, value: Option<f64>) -> String {
    let Some(x) = value else { return "–".to_owned() };
    let words = match (respect.metric.as_str(), respect.unit.as_str()) {
        // A model of tests is smaller than a mebibyte.
        (_, unit::BYTES) if x < 1e7 => format!("{:.2} MiB", x / f64::from(1 << 20)),
        (metric, unit) => value_words(metric, unit, x),
    };
    if respect.left_out.is_some() { format!("({words})") } else { words }
}
