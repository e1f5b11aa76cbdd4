//! What is printed of a sweep.

use super::{CommandResult, look, show};
use crate::Format;
use loadcmp::gate::{GateOutcome, worst_code};
use loadcmp::report::Status;
use loadcmp::report::human::printable;
use loadcmp::run::{Swept, tell};
use loadcmp::sink;

/// Prints a sweep; its exit code, and a line that says why it isn't 0.
pub(super) fn tell_sweep(swept: &Swept, format: Format, quiet: bool) -> CommandResult {
    let Swept { sweep, dir } = swept;
    show("the result", |text| match format {
        Format::Table => sink::sweep_table(sweep, look(), Some(dir), text),
        Format::Json => sink::sweep_json(sweep, text),
        Format::Csv => sink::sweep_csv(sweep, text),
        Format::Markdown => sink::sweep_markdown(sweep, text),
    })?;
    // A table ends with the page's path.
    if !quiet && !matches!(format, Format::Table) {
        tell(format_args!("\nfiles: {}", dir.display()));
    }
    if sweep.manifest.status == Status::Interrupted {
        tell("loadcmp: interrupted: the files hold the runs that had ended");
        return Ok(4);
    }
    if let Some(run) = sweep.failed().next() {
        // Of what has no figures at all, the last failure is the sweep's.
        let all = sweep.failed().last().filter(|_| sweep.runs.is_empty()).and_then(|last| last.code);
        tell(format_args!(
            "loadcmp: {} of {} runs failed, the first: {}",
            sweep.failed().count(),
            sweep.manifest.runs.len(),
            run.folder
        ));
        return Ok(all.unwrap_or(3));
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
    let worst = GateOutcome::worst(sweep.runs.iter().filter_map(|run| run.gates));
    let code = worst_code(sweep.runs.iter().map(|run| run.code));
    let Some(outcome) = worst.filter(|_| code != 0) else { return Ok(0) };
    let first = sweep.judged(outcome).next().map(|run| run.planned.folder.as_str()).unwrap_or_default();
    let (n, word) = (sweep.judged(outcome).count(), outcome.as_str());
    tell(format_args!("loadcmp: gates: {word} in {n} runs, the first {first}"));
    Ok(code)
}
