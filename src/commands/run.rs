//! `loadcmp run`.

use super::report::standing_of;
use super::{CommandResult, Failure, Shipped, block_on, look, overrides, print, tell_followed};
use super::{repeats::tell_repeats, sweep::tell_sweep};
use crate::{DriverArg, RunArgs};
use loadcmp::drive::Driver;
use loadcmp::host::signals;
use loadcmp::report::Status;
use loadcmp::run::{Among, Options, tell};
use loadcmp::scenario::Loaded;
use loadcmp::sink;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(crate) fn run(args: RunArgs) -> CommandResult {
    let shipped = Shipped::default();
    let scenarios = if args.scenarios.is_empty() { vec![PathBuf::from("classify")] } else { args.scenarios };
    let mut overrides = overrides(&args.over);
    overrides.repeats = args.repeats;
    overrides.goose = args.driver.is_some_and(|driver| driver != DriverArg::Native);
    // All are read before any is run: a mistake in the last must not come after an hour of the first.
    let mut loaded = Vec::new();
    for path in &scenarios {
        loaded.push(shipped.load(path, &overrides)?);
    }
    tell_followed(&loaded, args.quiet);
    let several = loaded.len() > 1;
    let shard = args.part.shard()?;
    // What a scheduler starts is one command for all of them.
    let named = |dir: &Path| match &shard {
        Some(options) => dir.to_string_lossy().replace("{shard}", &options.shard.index.to_string()).into(),
        None => dir.to_owned(),
    };
    let given = args.out.as_deref().map(named);
    let out = |name: &str| match &given {
        Some(dir) if several => Some(dir.join(name)),
        other => other.clone(),
    };
    let mut taken = BTreeSet::new();
    for Loaded { scenario, path, .. } in &loaded {
        if args.out.is_some() && !taken.insert(&scenario.name) {
            return Err(Failure::Usage(format!(
                "error: {}: two scenarios are named `{}`, and each needs its own folder",
                path.display(),
                scenario.name
            )));
        }
        out(&scenario.name).as_deref().map_or(Ok(()), loadcmp::run::free)?;
    }
    let single = matches!(&loaded[..], [one] if one.scenario.sweep.is_none() && one.scenario.repeats.is_none());
    if shard.is_some() && !single {
        let why = "several generators drive one run of one scenario: no sweep, no repeats, and one scenario a command";
        return Err(Failure::Usage(format!("error: --shard: {why}")));
    }
    let mut worst = 0;
    let lengths: Vec<_> = loaded.iter().map(|loaded| loaded.scenario.load_range().map(|(_, most)| most)).collect();
    for (at, loaded) in loaded.into_iter().enumerate() {
        // A signal that came when a run had ended ends what hasn't begun.
        if signals() > 0 {
            tell("loadcmp: interrupted: the remaining scenarios are not run");
            return Ok(4);
        }
        let out = out(&loaded.scenario.name);
        let swept = loaded.scenario.sweep.is_some();
        let options = Options {
            overrides: overrides.clone(),
            out,
            real: args.over.real,
            quiet: args.quiet,
            among: Among { at: at + 1, all: lengths.len(), after: lengths[at + 1..].iter().copied().sum() },
            allow_commands: args.over.allow_commands,
            shard: shard.clone(),
            packed: args.samples.packed(),
            driver: match args.driver {
                #[cfg(feature = "goose")]
                Some(DriverArg::Goose) => Driver::Goose,
                Some(DriverArg::Native) => Driver::Native,
                // Many short runs: goose takes half a second to start and stop each.
                None if swept => Driver::Native,
                None => Driver::default(),
            },
            ..args.hold.options()
        };
        if swept {
            let swept = block_on(loadcmp::run::sweep(loaded, &options))??;
            let code = tell_sweep(&swept, args.format, args.quiet)?;
            if swept.sweep.manifest.status == Status::Interrupted {
                return Ok(code);
            }
            worst = worst.max(code);
            continue;
        }
        if loaded.scenario.repeats.is_some() {
            let repeated = block_on(loadcmp::run::repeats(loaded, &options))??;
            let code = tell_repeats(&repeated, args.format, args.quiet)?;
            if repeated.repeats.manifest.status == Status::Interrupted {
                return Ok(code);
            }
            worst = worst.max(code);
            continue;
        }
        let finished = block_on(loadcmp::run::run(loaded, &options))??;
        if let Some(code) = super::merge::of_a_part(&finished) {
            return Ok(code);
        }
        let look = sink::Look { confusion: args.confusion, full: args.full, ..look() };
        print(&finished, args.format, look, args.quiet)?;
        let code = standing_of(&finished);
        // Whatever the others came to: there are figures that are not there.
        if finished.reports().any(|report| report.status == Status::Interrupted) {
            return Ok(code);
        }
        worst = worst.max(code);
    }
    Ok(worst)
}
