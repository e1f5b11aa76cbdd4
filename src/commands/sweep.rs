//! What is printed of a sweep.

use super::{Told, look, say};
use crate::Format;
use anyhow::Context;
use loadcmp::gate::Outcome;
use loadcmp::report::Status;
use loadcmp::report::human::printable;
use loadcmp::run::{Swept, tell};
use loadcmp::sink;

/// Prints a sweep; its exit code, and a line that says why it isn't 0.
pub(super) fn tell_sweep(swept: &Swept, format: Format, quiet: bool) -> Told {
    let Swept { sweep, dir } = swept;
    let mut text = Vec::new();
    let written = match format {
        Format::Table => sink::sweep_table(sweep, look(false), &mut text),
        Format::Json => sink::sweep_json(sweep, &mut text),
        Format::Csv => sink::sweep_csv(sweep, &mut text),
        Format::Markdown => sink::sweep_markdown(sweep, &mut text),
    };
    written.context("writing the result")?;
    say(&String::from_utf8_lossy(&text))?;
    if !quiet {
        tell(format_args!("\nfiles: {}", dir.display()));
    }
    if sweep.manifest.status == Status::Interrupted {
        tell("loadcmp: interrupted: the runs that had ended by then are in the files");
        return Ok(4);
    }
    if let Some(run) = sweep.failed().next() {
        tell(format_args!(
            "loadcmp: {} of {} runs failed, the first: {}",
            sweep.failed().count(),
            sweep.manifest.runs.len(),
            run.folder
        ));
        return Ok(3);
    }
    if let Some(run) = sweep.invalid().next() {
        let why = run.invalid.first().map(String::as_str).unwrap_or_default();
        tell(format_args!(
            "loadcmp: {} runs are invalid, the first {}: {}",
            sweep.invalid().count(),
            run.planned.folder,
            printable(why)
        ));
        return Ok(4);
    }
    for (outcome, code) in [(Outcome::Fail, 1), (Outcome::NotMeasured, 5), (Outcome::Inconclusive, 5)] {
        if let Some(run) = sweep.judged(outcome).next() {
            let (n, word) = (sweep.judged(outcome).count(), outcome.as_str());
            tell(format_args!("loadcmp: gates: {word} in {n} runs, the first {}", run.planned.folder));
            return Ok(code);
        }
    }
    Ok(0)
}
