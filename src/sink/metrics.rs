//! The table of metrics, for people and for programs.

use super::draw::{Look, print, wrapped};
use crate::metrics::{ALIASES, Definition, METRICS, places};
use crate::report::{TOOL, pretty};
use serde_json::json;
use std::io::{self, Write};

/// Writes it for people: a metric, and under it what it is.
pub fn metrics_table(look: Look, out: &mut dyn Write) -> io::Result<()> {
    let header = ["id", "unit", "better", "judged"].map(str::to_owned).to_vec();
    let row = |metric: &Definition| {
        vec![metric.id.to_owned(), metric.unit.to_owned(), metric.better.as_str().to_owned(), places(metric)]
    };
    print(header, METRICS.iter().map(row).collect(), 0, look, out)?;
    writeln!(out)?;
    let width = usize::from(look.width.clamp(40, 160));
    for metric in METRICS {
        let label = if metric.label.replace(' ', "_") == metric.id { "" } else { metric.label };
        let called = if label.is_empty() { String::new() } else { format!(" ({label})") };
        wrapped(out, &format!("{}{called}: {}", metric.id, metric.about), width, "    ")?;
    }
    writeln!(out)?;
    let aliases: Vec<String> = ALIASES.iter().map(|(alias, id)| format!("{alias} for {id}")).collect();
    let words = format!(
        "A distribution has figures: .mean, .min, .max and percentiles such as .p50, .p95, .p99.9. Gates also take {}.",
        aliases.join(", ")
    );
    wrapped(out, &words, width, "")
}

/// Writes it for programs.
pub fn metrics_json(out: &mut dyn Write) -> io::Result<()> {
    let aliases: serde_json::Map<_, _> = ALIASES.iter().map(|(alias, id)| ((*alias).to_owned(), json!(id))).collect();
    pretty(out, &json!({ "tool": TOOL, "metrics": METRICS, "aliases": aliases }))
}
