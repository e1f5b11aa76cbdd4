//! `loadcmp suite` and `loadcmp nightly`: several scenarios and the checks on them, one table, one exit code.

use super::{CommandResult, Shipped, block_on, look, say, show};
use crate::{Hold, Over};
use loadcmp::run::{Failure, Options, RESULTS, SuiteRun, Suited, tell};
use loadcmp::scenario::{LoadedSuite, load_suite};
use loadcmp::sink;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct SuiteArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
// One is made in the life of the process.
#[allow(clippy::large_enum_variant)]
enum Command {
    /// Run a suite's scenarios one after another and judge its checks.
    #[command(after_help = crate::EXIT_CODES)]
    Run {
        #[command(flatten)]
        args: SuiteRunArgs,
        /// Directory for the results (must be empty). Default: results/<suite>-<utc>
        #[arg(long, value_name = "DIR", conflicts_with = "resume")]
        out: Option<PathBuf>,
        /// Resume an interrupted run: finished scenarios are not repeated
        #[arg(long, value_name = "DIR")]
        resume: Option<PathBuf>,
    },
    /// List the suites shipped with the program.
    List,
    /// Read a suite and its scenarios and print what would be run, without sending anything.
    Check {
        /// Suite file, or the name of a shipped one
        #[arg(value_name = "SUITE")]
        suite: PathBuf,
        /// Use the quick form
        #[arg(long)]
        quick: bool,
        #[command(flatten)]
        over: Over,
    },
}

#[derive(clap::Args)]
pub(crate) struct SuiteRunArgs {
    /// Suite file, or the name of a shipped one
    #[arg(value_name = "SUITE")]
    suite: PathBuf,
    /// Use the quick form: shorter loads, wider intervals
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    over: Over,
    #[command(flatten)]
    hold: Hold,
    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = SuiteFormat::Table)]
    format: SuiteFormat,
    /// Print only the result
    #[arg(long, short)]
    quiet: bool,
}

/// What of a suite is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SuiteFormat {
    /// For people.
    Table,
    /// suite.json
    Json,
    /// checks.csv
    Csv,
    /// suite.md
    Markdown,
}

pub(crate) fn suite(args: SuiteArgs) -> CommandResult {
    match args.command {
        Command::Run { args, out, resume } => {
            let suited = run(&args, out, resume, Path::new(RESULTS))?;
            tell_suite(&suited, args.format, args.quiet)
        }
        Command::List => super::list::suites(),
        Command::Check { suite, quick, over } => {
            let shipped = Shipped::default();
            let loaded = load(&shipped, &suite)?;
            let scenarios = scenarios(&loaded, quick, &over, false)?;
            let mut text = format!(
                "suite {}: {} scenarios, {} checks\n",
                loaded.spec.name,
                scenarios.len(),
                loaded.spec.checks.len()
            );
            for (name, scenario) in &scenarios {
                let length = loadcmp::run::load_words(scenario);
                text += &format!("  {name}: {length}\n");
            }
            say(&text)
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct NightlyArgs {
    #[command(flatten)]
    args: SuiteRunArgs,
    /// Folder of the nights; its index.html shows all of them
    #[arg(long, value_name = "DIR", default_value = "results/nightly")]
    results: PathBuf,
    /// Name of this night. Default: <suite>-<utc>
    #[arg(long, value_name = "NAME")]
    night: Option<String>,
}

/// A night: the suite, and the page of all nights anew.
pub(crate) fn nightly(args: NightlyArgs) -> CommandResult {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if args.night.as_ref().is_some_and(|name| name.is_empty() || !name.chars().all(plain)) {
        return Err(Failure::Usage("error: --night must consist of letters, digits, dash and underscore".to_owned()));
    }
    let out = args.night.map(|name| args.results.join(name));
    let suited = run(&args.args, out, None, &args.results)?;
    let code = tell_suite(&suited, args.args.format, args.args.quiet)?;
    // The night is told whatever becomes of the page of all.
    let nights = loadcmp::run::nights(&args.results)?;
    if !args.args.quiet {
        tell(format_args!("\nnights: {} in {}", nights.nights.len(), args.results.join("index.html").display()));
        sink::nightly_words(&nights).iter().for_each(|words| tell(format_args!("  {words}")));
    }
    Ok(code)
}

/// Makes every file of a suite again.
pub(super) fn again(dir: &Path, format: super::Format) -> CommandResult {
    let format = match format {
        super::Format::Table => SuiteFormat::Table,
        super::Format::Json => SuiteFormat::Json,
        super::Format::Csv => SuiteFormat::Csv,
        super::Format::Markdown => SuiteFormat::Markdown,
    };
    tell_suite(&loadcmp::run::retell_suite(dir)?, format, false)
}

fn run(args: &SuiteRunArgs, out: Option<PathBuf>, resume: Option<PathBuf>, results: &Path) -> Result<Suited, Failure> {
    let shipped = Shipped::default();
    let loaded = load(&shipped, &args.suite)?;
    // All are read before any is run: a mistake in the last must not come after an hour of the first.
    let scenarios = scenarios(&loaded, args.quick, &args.over, args.quiet)?;
    let options = Options {
        out,
        real: args.over.real,
        quiet: args.quiet,
        allow_commands: args.over.allow_commands,
        ..args.hold.options()
    };
    let run = SuiteRun { suite: loaded, scenarios, quick: args.quick, resume, results: results.to_owned() };
    block_on(loadcmp::run::suite(run, &options))?
}

fn load(shipped: &Shipped, path: &Path) -> Result<LoadedSuite, Failure> {
    let path = shipped.suite(path)?;
    load_suite(&path).map_err(|error| {
        let unknown = !path.exists() && path.parent().is_none_or(|parent| parent.as_os_str().is_empty());
        let names =
            if unknown { format!("\nshipped with loadcmp: {}", Shipped::suites().join(", ")) } else { String::new() };
        Failure::Usage(error.to_string().trim_end().to_owned() + &names)
    })
}

fn scenarios(
    loaded: &LoadedSuite,
    quick: bool,
    over: &Over,
    quiet: bool,
) -> Result<Vec<(String, loadcmp::scenario::Loaded)>, Failure> {
    let last = super::overrides(over);
    let read = |(name, scenario): (&String, &loadcmp::scenario::SuiteScenario)| {
        let overrides = loaded.overrides(name, quick, &last);
        let told = loadcmp::scenario::load(&loaded.file(scenario), &overrides);
        told.map(|scenario| (name.clone(), scenario)).map_err(|error| Failure::Usage(error.to_string()))
    };
    let read = loaded.spec.scenarios.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
    super::tell_followed(read.iter().map(|(_, scenario)| scenario), quiet);
    Ok(read)
}

/// Prints a suite; its exit code, and a line that says why it isn't 0.
fn tell_suite(suited: &Suited, format: SuiteFormat, quiet: bool) -> CommandResult {
    let Suited { suite, dir } = suited;
    show("the result", |text| match format {
        SuiteFormat::Table => sink::suite_table(suite, look(), text),
        SuiteFormat::Json => sink::suite_json(suite, text),
        SuiteFormat::Csv => sink::checks_csv(suite, text),
        SuiteFormat::Markdown => sink::suite_markdown(suite, text),
    })?;
    if !quiet {
        tell(format_args!("\nfiles: {}", dir.display()));
    }
    let code = suite.code();
    if suite.status != loadcmp::report::Status::Complete {
        tell(format_args!("loadcmp: interrupted: continue with --resume {}", dir.display()));
    } else if code != 0 {
        tell(format_args!("loadcmp: {}", suite.headline()));
    }
    Ok(code)
}
