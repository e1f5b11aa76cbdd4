//! What the program says of itself: its metrics, completions for shells, its manual page.

use super::{CommandResult, look, show};
use crate::Cli;
use clap::CommandFactory;
use loadcmp::sink;

pub(crate) fn metrics(json: bool) -> CommandResult {
    show("the metrics", |text| match json {
        true => sink::metrics_json(text),
        false => sink::metrics_table(look(), text),
    })
}

pub(crate) fn completions(shell: clap_complete::Shell) -> CommandResult {
    show("the completions", |text| {
        clap_complete::generate(shell, &mut Cli::command(), "loadcmp", text);
        Ok(())
    })
}

pub(crate) fn man() -> CommandResult {
    show("the manual page", |text| clap_mangen::Man::new(Cli::command()).render(text))
}
