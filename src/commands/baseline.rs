//! `loadcmp baseline`: keeps runs that later ones are held to.

use super::{Format, Told, look, say, show};
use anyhow::Context;
use loadcmp::report::{Report, human::printable};
use loadcmp::run::{Failure, tell};
use loadcmp::{baseline, run, sink};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    command: Command,
    /// The folder of baselines
    #[arg(long, value_name = "DIR", default_value = baseline::FOLDER, global = true)]
    baselines: PathBuf,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Keep a run: one that ended, that its audit doesn't find invalid, and whose gates all passed.
    Save {
        /// What it is to be called; one of the name is replaced, and its reasons are kept
        name: String,
        /// Directory of the run
        dir: PathBuf,
        /// Why it is kept, or replaced: it stands in every report that compares with it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Keep a run of stand-ins as what it is
        #[arg(long)]
        stand_ins: bool,
    },
    /// List the baselines.
    List,
    /// Show a baseline: its fingerprint, its reasons, its report.
    Show {
        /// Its name, or a path to a file
        name: String,
        /// What is printed on standard output
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Hold a run that was made before to a baseline: the same tables and exit code as of a run with --baseline.
    Check {
        /// Its name, or a path to a file
        name: String,
        /// Directory of the run
        dir: PathBuf,
        /// Compare with a baseline of another setup anyway
        #[arg(long)]
        across: bool,
        /// What is printed on standard output
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Remove a baseline.
    Rm {
        /// Its name
        name: String,
    },
}

pub(crate) fn baseline(args: BaselineArgs) -> Told {
    let folder = args.baselines;
    match args.command {
        Command::Save { name, dir, reason, stand_ins } => {
            let path = named(&folder, &name)?;
            let kept = run::keep(&path, &dir, reason.trim(), stand_ins)?;
            let again = if kept.log.len() > 1 { format!(" (its {}. run)", kept.log.len()) } else { String::new() };
            say(&format!("{}: {} of {}{again}\n", path.display(), kept.report.plan.name, kept.report.started))
        }
        Command::List => {
            let found = baseline::list(&folder).with_context(|| format!("reading {}", folder.display()))?;
            if found.is_empty() {
                return say(&format!("none in {}\n", folder.display()));
            }
            show("the list", |text| sink::baselines(&found, look(false), text))
        }
        Command::Show { name, format } => {
            let kept = run::kept(&folder, &name)?;
            if format == Format::Table {
                show("the baseline", |text| sink::kept(&kept, look(false), text))?;
            }
            super::print_one(&kept.report, format, false).map(|()| 0)
        }
        Command::Check { name, dir, across, format } => {
            let report: Report = run::check_against(&folder, &name, &dir, across)?;
            super::print_one(&report, format, false)?;
            Ok(super::standing(&report))
        }
        Command::Rm { name } => {
            let path = named(&folder, &name)?;
            match std::fs::remove_file(&path) {
                Ok(()) => say(&format!("{} removed\n", path.display())),
                Err(error) => {
                    let why = format!("error: no baseline `{}`: {}: {error}", printable(&name), path.display());
                    Err(Failure::Usage(why))
                }
            }
        }
    }
    .inspect(|code| {
        if *code == 5 {
            tell("loadcmp: not decided on this evidence");
        }
    })
}

/// The file of a name that stays in the folder.
fn named(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    if baseline::is_name(name) && !name.ends_with(".json") {
        return Ok(baseline::file(folder, name));
    }
    let text =
        format!("error: `{}` is no name for a baseline: letters, digits, dash, dot and underscore", printable(name));
    Err(Failure::Usage(text))
}
