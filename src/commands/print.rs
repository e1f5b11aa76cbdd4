//! The one way to print: results go to standard output, as they are to look there.

use super::{CommandResult, Failure};
use crate::Format;
use anyhow::Context;
use loadcmp::host::signals;
use loadcmp::report::{Report, TwoRuns};
use loadcmp::run::{Finished, tell};
use loadcmp::sink;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Prints a result. Of an interference measurement a terminal gets all, a program what it was made for.
pub(super) fn print(finished: &Finished, format: Format, look: sink::Look, quiet: bool) -> Result<(), Failure> {
    let beside = finished.alone.as_deref().map(|(_, beside)| beside);
    if beside.is_none() || format == Format::Table {
        for (report, files) in finished.reports().zip(finished.folders()) {
            print_one(report, Some(&files), format, look)?;
            beside.map_or(Ok(0), |_| say("\n"))?;
        }
    }
    beside.map_or(Ok(()), |beside| print_compare(beside, format))?;
    // A table ends with the path of its page.
    if !quiet && format != Format::Table {
        tell(format_args!("\nfiles: {}", finished.dir.display()));
    }
    Ok(())
}

/// Prints two runs beside each other.
pub(super) fn print_compare(beside: &TwoRuns, format: Format) -> Result<(), Failure> {
    show("the result", |text| match format {
        Format::Table => sink::compare_table(beside, look(), text),
        Format::Json => sink::compare_json(beside, text),
        Format::Csv => sink::compare_csv(beside, text),
        Format::Markdown => sink::compare_markdown(beside, text),
    })
    .map(|_| ())
}

/// Prints one run.
pub(super) fn print_one(
    report: &Report,
    files: Option<&Path>,
    format: Format,
    look: sink::Look,
) -> Result<(), Failure> {
    show("the result", |text| match format {
        Format::Table => sink::terminal(report, look, files, text),
        Format::Json => sink::json(report, text),
        Format::Csv => sink::summary_csv(report, text),
        Format::Markdown => sink::markdown(report, text),
    })
    .map(|_| ())
}

/// How a table is to look here.
pub(crate) fn look() -> sink::Look {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let forced = set("FORCE_COLOR") || set("CLICOLOR_FORCE");
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = !plain && (forced || std::io::stdout().is_terminal() && !dumb);
    sink::Look { width: width(), colour, ascii: dumb || !unicode(), ..sink::Look::default() }
}

/// Whether the locale, where one is set, is of UTF-8; where none is, it's taken for one.
fn unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default().to_lowercase();
    locale.is_empty() || locale.replace('-', "").contains("utf8")
}

/// Columns of the terminal, or of $COLUMNS; where neither is known, 100.
pub(super) fn width() -> u16 {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0);
    asked.or_else(terminal).unwrap_or(100).clamp(60, 200)
}

/// Writes something to standard output; `what` it is, for whoever reads why that failed.
pub(crate) fn show(what: &str, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> CommandResult {
    let mut text = Vec::new();
    write(&mut text).with_context(|| format!("writing {what}"))?;
    say(&String::from_utf8_lossy(&text))
}

/// Writes to standard output; a reader that went away is no error.
pub(crate) fn say(text: &str) -> CommandResult {
    match std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        // So is a terminal that was closed, which ended the run.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe && signals() == 0 => {
            Err(Failure::Other(anyhow::anyhow!("writing to standard output: {error}")))
        }
        _ => Ok(0),
    }
}
