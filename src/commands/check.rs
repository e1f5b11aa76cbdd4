//! `loadcmp check`.

use super::{CommandResult, Shipped, block_on, overrides, say, tell_followed, width};
use crate::CheckArgs;
use loadcmp::run::Options;
use loadcmp::sink;

pub(crate) fn check(args: CheckArgs) -> CommandResult {
    let overrides = overrides(&args.over);
    // Kept until the prompts are read: a shipped scenario's data lie in it.
    let shipped = Shipped::default();
    let loaded = shipped.load(&args.scenario, &overrides)?;
    tell_followed([&loaded], false);
    let allow_commands = args.over.allow_commands;
    let options = Options { overrides, real: args.over.real, allow_commands, ..Options::default() };
    let several = loadcmp::run::sweep_words(&loaded).or_else(|| loadcmp::run::repeats_words(&loaded));
    let prepared = block_on(loadcmp::run::check(loaded, &options))??;
    let text = sink::plan(&prepared.plan.told(), &prepared.notes, width());
    say(&text)?;
    several.map_or(Ok(0), |words| say(&format!("{words}\n")))
}
