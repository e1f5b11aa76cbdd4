//! Report -> bytes: one format a file, each `fn(&Report, &mut dyn Write)`.
//!
//! Sinks read the report and nothing else. [`write_all`] is the one place where the files of a results directory are
//! written, each whole or not at all.

mod answers;
mod appended;
mod bars;
mod baselines;
mod benchstat;
mod calibration;
mod capacity;
mod chart;
mod compare;
mod comparison_csv;
mod csv_text;
mod doctor;
mod draw;
mod failures;
mod filters;
mod findings_csv;
mod forest;
mod gates;
mod grid;
mod history;
mod hlog;
mod html;
mod json;
pub mod junit;
mod labels;
mod last;
mod lines;
mod many;
mod markdown;
mod markup;
mod metrics;
mod metrics_csv;
mod nightly;
#[cfg(test)]
mod nightly_tests;
mod pareto;
mod plan;
mod plot;
mod prometheus;
mod repeat;
mod repeats;
mod resources_csv;
mod spark;
mod suite;
mod suite_html;
mod summary_csv;
mod sweep;
mod sweep_html;
mod table;
mod terms;
mod timeline;
mod timeline_csv;

pub use baselines::{baselines, kept};
pub use benchstat::benchstat;
pub use calibration::calibration;
pub use capacity::{capacity_csv, capacity_html, capacity_json, capacity_markdown, capacity_table, write_capacity};
pub use compare::{compare_csv, compare_json, compare_markdown, compare_table};
pub use comparison_csv::comparison_csv;
pub use doctor::doctor;
pub use draw::Look;
pub use failures::failures_csv;
pub use findings_csv::findings_csv;
pub use gates::gates_csv;
pub use history::{
    history_csv, history_json, history_table, pruned_table, trend_csv, trend_html, trend_json, trend_table,
};
pub use hlog::hlog;
pub use html::html;
pub use json::json;
pub use junit::compare_junit;
pub use last::terminal;
pub use many::{many_csv, many_html, many_json, many_markdown, many_table};
pub use markdown::markdown;
pub use metrics::{metrics_json, metrics_table};
pub use metrics_csv::{MetricsFile, read_metrics};
pub use nightly::nightly_words;
pub use pareto::variants_csv;
pub use plan::plan;
pub use prometheus::prometheus;
pub use repeats::{repeats_csv, repeats_json, repeats_markdown, repeats_table};
pub use resources_csv::{ResourcesFile, read_resources};
pub use suite::{checks_csv, suite_json, suite_markdown, suite_table};
pub use summary_csv::summary_csv;
pub use sweep::{sweep_csv, sweep_json, sweep_markdown, sweep_table};
pub use sweep_html::sweep_html;
pub use table::{confusion, table};
pub use timeline_csv::timeline_csv;

use crate::report::repeats::Repeats;
use crate::report::sweep::Sweep;
use crate::report::{Report, replace};
use crate::suite::{Nightly, Suite};
use std::io::{self, Write};
use std::path::Path;

/// A format of a document, most often of a report.
pub type Sink<T = Report> = fn(&T, &mut dyn Write) -> io::Result<()>;

/// Every file that is made from a report alone, and by what.
const SINKS: [(&str, Sink); 11] = [
    ("summary.csv", summary_csv),
    ("comparison.csv", comparison_csv),
    ("findings.csv", findings_csv),
    ("failures.csv", failures_csv),
    ("timeline.csv", timeline_csv),
    ("report.json", json),
    ("report.md", markdown),
    ("report.html", html),
    ("histograms.hlog", hlog),
    ("benchstat.txt", benchstat),
    ("metrics.prom", prometheus),
];

/// Writes every file but those that a run appends to, and the manifest, into a results directory.
pub fn write_all(directory: &Path, report: &Report) -> io::Result<()> {
    write_each(directory, report, &SINKS)?;
    if report.judgement.is_some() {
        write_each(directory, report, &[("gates.csv", gates_csv), ("junit.xml", junit::gates_junit)])?;
    }
    if report.front.is_some() {
        write_each(directory, report, &[("variants.csv", variants_csv)])?;
    }
    Ok(())
}

/// Writes files of a document into a directory, each whole or not at all; an error names its file.
fn write_each<T>(directory: &Path, document: &T, sinks: &[(&str, Sink<T>)]) -> io::Result<()> {
    for (name, sink) in sinks {
        let written = replace(&directory.join(name), |out| sink(document, out));
        written.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    }
    Ok(())
}

/// Writes every file of a suite's directory but what its scenarios left.
pub fn write_suite(directory: &Path, suite: &Suite, nights: Option<&Nightly>) -> io::Result<()> {
    let sinks: [(&str, Sink<Suite>); 4] = [
        ("suite.json", suite_json),
        ("checks.csv", checks_csv),
        ("junit.xml", junit::suite_junit),
        ("suite.md", suite_markdown),
    ];
    write_each(directory, suite, &sinks)?;
    replace(&directory.join("suite.html"), |out| suite_html::suite_html(suite, nights, out))
}

/// Writes the files of a suite's nights into the folder that they lie in.
pub fn write_nightly(directory: &Path, nights: &Nightly) -> io::Result<()> {
    let sinks: [(&str, Sink<Nightly>); 3] = [
        ("index.html", nightly::nightly_html),
        ("nightly.md", nightly::nightly_markdown),
        ("nightly.json", nightly::nightly_json),
    ];
    write_each(directory, nights, &sinks)
}

/// Writes every file of a sweep's directory but its manifest and its runs.
pub fn write_sweep(directory: &Path, sweep: &Sweep) -> io::Result<()> {
    let sinks: [(&str, Sink<Sweep>); 4] = [
        ("sweep.csv", sweep_csv),
        ("sweep.json", sweep_json),
        ("sweep.md", sweep_markdown),
        ("sweep.html", sweep_html),
    ];
    write_each(directory, sweep, &sinks)
}

/// Writes every file of a directory of repeats but its manifest and its runs.
pub fn write_repeats(directory: &Path, told: &Repeats) -> io::Result<()> {
    let sinks: [(&str, Sink<Repeats>); 3] =
        [("repeats.csv", repeats_csv), ("repeats.json", repeats_json), ("report.md", repeats_markdown)];
    write_each(directory, told, &sinks)?;
    let gates = [("junit.xml", repeats::repeats_junit as Sink<Repeats>)];
    if told.judgement.is_some() { write_each(directory, told, &gates) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
