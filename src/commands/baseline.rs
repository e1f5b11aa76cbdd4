//! `loadcmp baseline`: keeps runs that later ones are held to.

use super::{CommandResult, Format, look, say, show};
use anyhow::Context;
use loadcmp::report::{Report, human::printable};
use loadcmp::run::{Failure, Keep, RESULTS, tell};
use loadcmp::sink::Look;
use loadcmp::{baseline, run, sink};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    command: Command,
    /// Folder of the baselines
    #[arg(long, value_name = "DIR", default_value = baseline::FOLDER, global = true)]
    baselines: PathBuf,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Save runs that ended, are valid and passed all their gates. With several runs (five or more), gates allow for
    /// the variation between runs.
    Save {
        /// Name of the baseline; an existing one is replaced, and its log of reasons is kept
        name: String,
        /// Results directories of the runs, all with the same setup
        #[arg(required_unless_present = "last")]
        dirs: Vec<PathBuf>,
        /// Save the last N runs of a results folder that have the setup of the latest one
        #[arg(long, value_name = "N", conflicts_with = "dirs", value_parser = clap::value_parser!(u16).range(1..))]
        last: Option<u16>,
        /// Results folder for --last
        #[arg(long, value_name = "DIR", default_value = RESULTS, requires = "last")]
        results: PathBuf,
        /// Scenario for --last, if the folder has several
        #[arg(long, value_name = "NAME", requires = "last")]
        scenario: Option<String>,
        /// Why it is saved or replaced; shown in every report that compares with it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Allow a run with stand-ins; it stays marked as such
        #[arg(long)]
        stand_ins: bool,
    },
    /// List the baselines.
    List,
    /// Show a baseline: its setup, its reasons, its report.
    Show {
        /// Name of the baseline, or a path to a file
        name: String,
        /// Output format on standard output
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Compare an existing run with a baseline: same tables and exit code as a run with --baseline.
    Check {
        /// Name of the baseline, or a path to a file
        name: String,
        /// Results directory of the run
        dir: PathBuf,
        /// Allow a baseline with a different setup
        #[arg(long)]
        across: bool,
        /// Output format on standard output
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Remove a baseline.
    Rm {
        /// Name of the baseline
        name: String,
    },
}

pub(crate) fn baseline(args: BaselineArgs) -> CommandResult {
    let folder = args.baselines;
    match args.command {
        Command::Save { name, dirs, last, results, scenario, reason, stand_ins } => {
            let path = named(&folder, &name)?;
            let which = match last {
                Some(runs) => Keep::Last { runs: usize::from(runs), folder: &results, scenario: scenario.as_deref() },
                None => Keep::Dirs(&dirs),
            };
            let kept = run::keep(&path, which, reason.trim(), stand_ins)?;
            let again = if kept.log.len() > 1 { format!(" (saved {} times)", kept.log.len()) } else { String::new() };
            say(&format!("{}: {} of {}{again}\n", path.display(), kept.report.plan.name, kept.told()))?;
            if kept.nights.scattered().is_none() {
                tell(
                    "loadcmp: one run only: the variation between runs is not known, so gates will compare just two \
                      runs. Save several: --last 5",
                );
            }
            Ok(0)
        }
        Command::List => {
            let found = baseline::list(&folder).with_context(|| format!("reading {}", folder.display()))?;
            if found.is_empty() {
                return say(&format!("none in {}\n", folder.display()));
            }
            show("the list", |text| sink::baselines(&found, look(), text))
        }
        Command::Show { name, format } => {
            let kept = run::kept(&folder, &name)?;
            if format == Format::Table {
                show("the baseline", |text| sink::kept(&kept, look(), text))?;
            }
            super::print::print_one(&kept.report, None, format, Look { full: true, ..look() }).map(|()| 0)
        }
        Command::Check { name, dir, across, format } => {
            let report: Report = run::check_against(&folder, &name, &dir, across)?;
            super::print::print_one(&report, None, format, look())?;
            Ok(super::report::standing(&report))
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
            tell("loadcmp: the data did not decide it");
        }
    })
}

/// The file of a name that stays in the folder.
fn named(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    if baseline::is_name(name) && !name.ends_with(".json") {
        return Ok(baseline::file(folder, name));
    }
    let text = format!(
        "error: `{}` is not a valid baseline name: use letters, digits, dash, dot and underscore",
        printable(name)
    );
    Err(Failure::Usage(text))
}
