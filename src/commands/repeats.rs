//! What is printed of several runs of one plan.

use super::{CommandResult, look, show};
use crate::Format;
use loadcmp::gate::Judgement;
use loadcmp::report::Status;
use loadcmp::report::human::printable;
use loadcmp::run::{Repeated, tell};
use loadcmp::sink;

/// Prints them; the exit code, and a line that says why it isn't 0.
pub(super) fn tell_repeats(repeated: &Repeated, format: Format, quiet: bool) -> CommandResult {
    let Repeated { repeats, dir } = repeated;
    show("the result", |text| match format {
        Format::Table => sink::repeats_table(repeats, look(), text),
        Format::Json => sink::repeats_json(repeats, text),
        Format::Csv => sink::repeats_csv(repeats, text),
        Format::Markdown => sink::repeats_markdown(repeats, text),
    })?;
    if !quiet {
        tell(format_args!("\nfiles: {}", dir.display()));
    }
    if repeats.manifest.status == Status::Interrupted {
        tell("loadcmp: interrupted: the files hold the runs that had ended");
        return Ok(4);
    }
    if let Some(why) = &repeats.invalid {
        tell(format_args!("loadcmp: invalid: {}", printable(why)));
        // Where nothing but targets that couldn't be asked is at fault, that is what it ended with.
        let spoilt = repeats.runs.iter().any(|run| !run.counts());
        let failed = repeats.manifest.runs.iter().rev().find_map(|run| run.code).filter(|_| !spoilt);
        return Ok(failed.unwrap_or(4));
    }
    let code = repeats.judgement.as_ref().map_or(0, |judgement| judgement.code(repeats.manifest.inconclusive));
    if code == 0 {
        return Ok(0);
    }
    let summary = repeats.judgement.as_ref().and_then(Judgement::summary).unwrap_or_default();
    tell(format_args!("loadcmp: over the runs: {summary}"));
    Ok(code)
}
