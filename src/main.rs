//! The command line: clap types, dispatch, exit codes; nothing else.

#![forbid(unsafe_code)]

mod capacity_command;
mod commands;

use clap::{Parser, Subcommand};
use loadcmp::host::{OnSignal, catch_signals};
use loadcmp::scenario::gate::Inconclusive;
use std::path::PathBuf;
use std::process::ExitCode;

/// The measured path allocates a little for each request; this makes that cheaper than the system's allocator does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXIT_CODES: &str = "\
Exit codes:
   0  done, and every gate passed
   1  a gate failed
   2  the scenario or the command line is wrong
   3  a target can't be reached, or is not what the scenario says
   4  the run is invalid: its audit found unequal work, a generator that was the bottleneck or
      figures that can't be, or it was interrupted
   5  inconclusive: a gate could be neither passed nor failed on this evidence (--inconclusive says
      what that counts as) or was not measured, or a search for capacity found no boundary
  70  something else went wrong: a disk, a broken install";

/// Drives identical seeded workloads against a native inference runtime and Ollama at the same time, and compares them.
#[derive(Parser)]
#[command(name = "loadcmp", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
// One is made in the life of the process.
#[allow(clippy::large_enum_variant)]
enum Command {
    /// Run scenarios, and print the comparison.
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// Find the highest rate, or the most users, that each target sustains within limits.
    ///
    /// Probes each target by itself, the targets in turns: the load is doubled until a limit is broken, then halved in
    /// between until the last pass and the first fail lie --precision apart; both are tried again. Every probe is a run of
    /// its own under probes/. A probe passes or fails with 95 % confidence, or can't tell and is made longer.
    ///
    /// In a rate search `ttft` and `latency` count from the planned instant, so that waiting behind late answers counts.
    #[command(after_help = EXIT_CODES)]
    Capacity(CapacityArgs),
    /// Validate a scenario, ask each target who it is, and print the plan; send no load.
    Check(CheckArgs),
    /// List the scenarios and suites that come with the program.
    List,
    /// Write a commented scenario to start from.
    Init(InitArgs),
    /// Print the JSON Schema of scenarios (draft-07), for editors.
    Schema {
        /// That of report.json, for programs that read it
        #[arg(long, conflicts_with = "suite")]
        report: bool,
        /// That of suites
        #[arg(long)]
        suite: bool,
    },
    /// What a first comparison of real engines needs: a model's file in a running Ollama.
    Demo(commands::DemoArgs),
    /// Run the stand-in: a small engine with declared timing, on loopback.
    Serve(loadcmp::standin::ServeArgs),
    /// Measure what this machine can be measured to, once: loadcmp's own cost against a server that does nothing.
    ///
    /// Later runs read it, and keep the floor of each target's wire beside what they measure. It takes about a minute of a
    /// quiet machine, and is kept in $XDG_STATE_HOME/loadcmp/calibration.json (~/.local/state/...), or in the file of
    /// $LOADCMP_CALIBRATION.
    Calibrate(CalibrateArgs),
    /// Make every file of a run again from its manifest and samples.
    #[command(after_help = EXIT_CODES)]
    Report(ReportArgs),
    /// Keep runs that later ones are held to.
    #[command(after_help = EXIT_CODES)]
    Baseline(commands::BaselineArgs),
    /// Several scenarios and the checks on them: one table, one exit code.
    Suite(commands::SuiteArgs),
    /// A night of a suite: run it, and tell all nights on one page, with the steps in their figures.
    #[command(after_help = EXIT_CODES)]
    Nightly(commands::NightlyArgs),
    /// Compare runs of the same workload: ratios with confidence intervals, each run over the first.
    #[command(after_help = EXIT_CODES)]
    Compare(CompareArgs),
    /// List earlier runs: every directory of a run below a folder of results.
    History(commands::history::HistoryArgs),
    /// Follow a metric through earlier runs, find the steps in it, and name the first run after each.
    ///
    /// Only runs that may stand beside each other are in a line: the same workload and load, machine, order, and real engines
    /// or stand-ins. What is left out is told, and why.
    Trend(commands::history::TrendArgs),
    /// Remove the samples of old runs; reports stay for ever.
    Prune(commands::history::PruneArgs),
    /// Print every metric: its id, unit, direction, where it is judged, and what it is.
    Metrics {
        /// For programs: JSON
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff).
    Man,
    /// What stands between a run and an engine that it starts; for loadcmp's own use.
    #[command(hide = true)]
    Guard,
}

/// What is laid over a scenario.
#[derive(clap::Args)]
struct Over {
    /// A target of the run: NAME=WIRE:ADDRESS[,field=value...], such as
    /// native=openai:http://127.0.0.1:8080,model=qwen or native=gg_core:/run/gg.sock. The scenario's others stay only where
    /// each one given replaces one of its own
    #[arg(long = "target", value_name = "NAME=SPEC")]
    targets: Vec<String>,
    /// Users on each target, each of whom sends the next request after the last answer (a closed loop)
    #[arg(short, long, value_name = "N")]
    users: Option<String>,
    /// Measured requests on each target, in the place of a length of time
    #[arg(short = 'n', long, value_name = "N")]
    requests: Option<String>,
    /// Length of the measured window: 30s, 5m, or auto (until the main metric is decided)
    #[arg(short, long, value_name = "TIME")]
    duration: Option<String>,
    /// Requests per second on each target, whether answers have come or not (an open loop), or auto
    #[arg(long, value_name = "N")]
    rate: Option<String>,
    /// The model of every target; of one: NAME=MODEL
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// Whether the targets run at the same time: concurrent, isolated or alternate
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,
    /// The prompts: a .csv or .jsonl file, or a text with one prompt per line, from anywhere
    #[arg(long, value_name = "FILE")]
    prompts: Option<String>,
    /// Longest answer
    #[arg(long, value_name = "N")]
    max_tokens: Option<String>,
    /// Override anything of the YAML: workload.sampling.temperature=0.7; null takes it out
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Run at several values of anything of the YAML, one folder each: load.closed.users=1,2,4,8
    #[arg(long, value_name = "PATH=VALUES")]
    sweep: Vec<String>,
    /// Seed of everything drawn at random
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Refuse stand-ins
    #[arg(long)]
    real: bool,
    /// Run the commands by which the scenario starts engines (`start`, `cold_start.restart`)
    #[arg(long)]
    allow_commands: bool,
}

/// What a run is held to.
#[derive(clap::Args)]
struct Hold {
    /// Hold the run to a baseline: a name in --baselines, or a path to a file. Default: the scenario's `baseline`
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// The folder of baselines
    #[arg(long, value_name = "DIR", default_value = loadcmp::baseline::FOLDER)]
    baselines: PathBuf,
    /// Compare with a baseline of another setup (engine, model, load, machine) anyway, and say so
    #[arg(long)]
    across: bool,
    /// Let gates judge stand-ins like real engines: of a real one it says nothing
    #[arg(long)]
    judge_stand_ins: bool,
    #[command(flatten)]
    decided: Decided,
}

/// What becomes of gates that can't be decided.
#[derive(clap::Args)]
struct Decided {
    /// What a gate that is neither passed nor failed does to the exit code: it counts as passed, as failed, or makes it 5.
    /// What was not measured makes it 5 in any case
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = InconclusiveArg::Exit5)]
    inconclusive: InconclusiveArg,
}

/// What an inconclusive gate does to the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum InconclusiveArg {
    /// It counts as passed.
    Pass,
    /// It counts as failed.
    Fail,
    /// The exit code is 5.
    Exit5,
}

impl Decided {
    fn inconclusive(&self) -> Inconclusive {
        match self.inconclusive {
            InconclusiveArg::Pass => Inconclusive::Pass,
            InconclusiveArg::Fail => Inconclusive::Fail,
            InconclusiveArg::Exit5 => Inconclusive::Exit5,
        }
    }
}

#[derive(clap::Args)]
struct RunArgs {
    /// Scenario files, or names of shipped ones (classify, embed, generate, chat). Default: classify, which needs a
    /// --target or what is found running
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// Where the results go (must be empty); with several scenarios, a folder for each in it. Default:
    /// results/<scenario>-<utc>
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    over: Over,
    #[command(flatten)]
    hold: Hold,
    /// Run it N times (2 to 50), with the targets in an order drawn anew, and judge by how the runs differ: what a single run
    /// can't know. In the place of the scenario's `repeats`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=50))]
    repeats: Option<u32>,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print every figure, not only those that decide
    #[arg(long)]
    full: bool,
    /// Show which labels were read where which were expected (classify)
    #[arg(long)]
    confusion: bool,
    /// Print nothing but the result
    #[arg(long, short)]
    quiet: bool,
    /// What schedules the users of a closed loop. Default: goose where it is built in; `order: alternate` is always
    /// driven by native
    #[arg(long, value_enum)]
    driver: Option<DriverArg>,
}

#[derive(clap::Args)]
struct CapacityArgs {
    /// Scenario file, or the name of a shipped one; its load gives the arrivals or the users' pause, not the rate
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// The limits, joined by `and`: 'ttft.p95 <= 300ms and errors <= 1%'. Metrics: ttft, latency, itl, tpot, itl_max,
    /// tokens_per_s (each with .mean or a percentile such as .p95), errors, goodput. Without a limit on errors, 1% is added.
    /// Default: the scenario's `slo`
    #[arg(long, value_name = "LIMITS")]
    slo: Option<String>,
    /// What is varied
    #[arg(long, value_enum, default_value_t = ByArg::Rate)]
    by: ByArg,
    /// How near the last pass and the first fail have to lie
    #[arg(long, value_name = "SHARE", default_value = "3%")]
    precision: String,
    /// Time for all of it, all targets together
    #[arg(long, value_name = "TIME", default_value = "10m")]
    budget: String,
    /// Length of a short probe; it holds five answers of the slowest target at least. Long ones, which are the evidence, are 4 to
    /// 12 times as long
    #[arg(long, value_name = "TIME", default_value = "5s")]
    probe: String,
    /// The first load. Default: half of what one request after the other comes to; one user
    #[arg(long, value_name = "N")]
    start: Option<f64>,
    /// The most that is tried. Default: 4096 times the start; 1024 users
    #[arg(long, value_name = "N")]
    most: Option<f64>,
    /// Where the results go (must be empty). Default: results/<scenario>-<utc>
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    over: Over,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = CapacityFormat::Table)]
    format: CapacityFormat,
    /// Print nothing but the result
    #[arg(long, short)]
    quiet: bool,
}

/// What a search varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ByArg {
    /// Requests a second, of an open loop.
    Rate,
    /// Users who each wait for their answers.
    Users,
}

/// What of a search is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CapacityFormat {
    /// For people.
    Table,
    /// capacity.json
    Json,
    /// capacity.csv
    Csv,
    /// capacity.md
    Markdown,
}

#[derive(clap::Args)]
struct CheckArgs {
    /// Scenario file, or the name of a shipped one
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    #[command(flatten)]
    over: Over,
}

#[derive(clap::Args)]
struct InitArgs {
    /// Name of the scenario; the file is NAME.yaml
    #[arg(default_value = "scenario")]
    name: String,
    /// Write a suite, and the scenario that it runs
    #[arg(long)]
    suite: bool,
}

#[derive(clap::Args)]
struct CalibrateArgs {
    /// Some ten seconds instead of fifty, and rougher
    #[arg(long)]
    quick: bool,
    /// Print the kept calibration; measure nothing
    #[arg(long, conflicts_with = "quick")]
    show: bool,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = CalibrateFormat::Table)]
    format: CalibrateFormat,
    /// Print nothing but the result
    #[arg(long, short)]
    quiet: bool,
}

/// What of a calibration is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CalibrateFormat {
    /// For people.
    Table,
    /// The kept file.
    Json,
}

#[derive(clap::Args)]
struct ReportArgs {
    /// Directory of a run
    dir: PathBuf,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print every figure, not only those that decide
    #[arg(long)]
    full: bool,
    /// Show which labels were read where which were expected (classify)
    #[arg(long)]
    confusion: bool,
}

#[derive(clap::Args)]
struct CompareArgs {
    /// Directory of a run, or its report.json: what ratios are told against
    first: PathBuf,
    /// The runs to compare with it, by target name; a run's only target is compared with the first run's only one
    #[arg(required = true, value_name = "RUN")]
    others: Vec<PathBuf>,
    /// Write the comparison as a page: every run and metric with its interval
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// A gate that the second run is held to, as in a scenario; the first is its `baseline`. Several are given one by one.
    /// Such as 'native.latency.p95 <= 1.05 * baseline' or, of every target, 'errors <= 1%'
    #[arg(long = "gate", value_name = "GATE")]
    gates: Vec<String>,
    /// Write what became of the gates as JUnit XML
    #[arg(long, value_name = "FILE", requires = "gates")]
    junit: Option<PathBuf>,
    /// Let gates judge stand-ins like real engines: of a real one it says nothing
    #[arg(long, requires = "gates")]
    judge_stand_ins: bool,
    #[command(flatten)]
    decided: Decided,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// What is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// report.json
    Json,
    /// summary.csv
    Csv,
    /// report.md
    Markdown,
}

/// What schedules the users of a closed loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum DriverArg {
    /// goose's scheduler.
    #[cfg(feature = "goose")]
    Goose,
    /// A small one of our own.
    Native,
}

impl Command {
    /// What a signal does while this is carried out; none stands for what the system does, which is to end the process.
    fn on_signal(&self) -> Option<OnSignal> {
        match self {
            Command::Run(_)
            | Command::Capacity(_)
            | Command::Check(_)
            | Command::Serve(_)
            | Command::Calibrate(_)
            | Command::Suite(_)
            | Command::Nightly(_) => Some(OnSignal::Counted),
            Command::Guard => Some(OnSignal::Ignored),
            // The system does nothing to the first process of a container.
            _ => (std::process::id() == 1).then_some(OnSignal::Ends),
        }
    }
}

fn main() -> ExitCode {
    loadcmp::host::raise_open_files();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // A reader that went away is no error.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if let Err(error) = cli.command.on_signal().map_or(Ok(()), catch_signals) {
        loadcmp::run::tell(format_args!("loadcmp: signals can't be caught: {error}"));
    }
    let told = match cli.command {
        Command::Run(args) => commands::run(args),
        Command::Capacity(args) => capacity_command::capacity(args),
        Command::Check(args) => commands::check(args),
        Command::List => commands::list(),
        Command::Init(args) if args.suite => commands::init_suite(&args.name),
        Command::Init(args) => commands::init(&args.name),
        Command::Schema { report, suite } => commands::schema(report, suite),
        Command::Demo(args) => commands::demo(args),
        Command::Serve(args) => loadcmp::standin::run(args).map(|()| 0).map_err(loadcmp::run::Failure::Other),
        Command::Calibrate(args) => commands::calibrate(&args),
        Command::Report(args) => commands::report(args),
        Command::Baseline(args) => commands::baseline(args),
        Command::Suite(args) => commands::suite(args),
        Command::Nightly(args) => commands::nightly(args),
        Command::Compare(args) => commands::compare(args),
        Command::History(args) => commands::history::history(&args),
        Command::Trend(args) => commands::history::trend(&args),
        Command::Prune(args) => commands::history::prune(&args),
        Command::Metrics { json } => commands::metrics(json),
        Command::Completions { shell } => commands::completions(shell),
        Command::Man => commands::man(),
        Command::Guard => loadcmp::run::guard().map(|()| 0).map_err(loadcmp::run::Failure::Other),
    };
    match told {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            loadcmp::run::tell(commands::by_shipped_names(failure.to_string().trim_end()));
            ExitCode::from(failure.code())
        }
    }
}
