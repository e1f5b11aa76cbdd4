//! The command line: clap types, dispatch, exit codes; nothing else.

#![forbid(unsafe_code)]

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
   3  a target can't be reached, or is not what the scenario says it is
   4  the run is invalid (its audit found unequal work, an overloaded generator or impossible
      figures), or it was interrupted
   5  inconclusive: the data could not decide a gate (see --inconclusive), a gate was not measured,
      or a capacity search found no boundary
  70  something else went wrong: a disk, a broken install";

/// Send identical seeded workloads to a native inference runtime and to Ollama, and compare them.
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
    /// Run scenarios and print the comparison.
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// Find the highest rate, or the most users, that each target sustains within the limits.
    ///
    /// Probes one target at a time, in turns. The load is doubled until a limit is broken, then bisected until the last
    /// pass and the first fail differ by at most --precision; both are then repeated. Every probe is a complete run
    /// under probes/. A probe passes or fails with 95 % confidence; if it can't decide, it is extended.
    ///
    /// In a rate search, `ttft` and `latency` count from the planned time, so time spent waiting behind late answers is
    /// included.
    #[command(after_help = EXIT_CODES)]
    Capacity(CapacityArgs),
    /// Validate a scenario, query each target and print the plan, without sending load.
    Check(CheckArgs),
    /// List the scenarios and suites shipped with the program.
    List,
    /// Write a commented scenario as a starting point.
    Init(InitArgs),
    /// Print the JSON Schema (draft-07) of scenarios, for editors.
    Schema {
        /// Print the schema of report.json instead
        #[arg(long, conflicts_with = "suite")]
        report: bool,
        /// Print the schema of suites instead
        #[arg(long)]
        suite: bool,
    },
    /// Prepare a first comparison of real engines: load a model file into a running Ollama.
    Demo(commands::DemoArgs),
    /// Run the stand-in: a small engine with configurable timing, on loopback.
    Serve(loadcmp::standin::ServeArgs),
    /// Measure this machine's noise floor once: loadcmp against a server that does nothing.
    ///
    /// Later runs report this floor for each target's wire. It takes about a minute on an idle machine and is saved to
    /// $XDG_STATE_HOME/loadcmp/calibration.json (~/.local/state/...), or to the file named by $LOADCMP_CALIBRATION.
    Calibrate(CalibrateArgs),
    /// Show what this machine can measure, what not and why, and which engines answer: for a bug report.
    ///
    /// No load is sent. The names of this machine and of its user are not shown; addresses in OLLAMA_HOST, NATIVE_URL and
    /// GG_CORE_SOCKET_PATH are.
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Rebuild all report files of a run from its raw data.
    #[command(after_help = EXIT_CODES)]
    Report(ReportArgs),
    /// Merge the results of all generators of one run (`run --shard`) into one.
    #[command(after_help = EXIT_CODES)]
    Merge(MergeArgs),
    /// Save runs as baselines that later runs are compared with.
    #[command(after_help = EXIT_CODES)]
    Baseline(commands::BaselineArgs),
    /// Run several scenarios and the checks on them: one table, one exit code.
    Suite(commands::SuiteArgs),
    /// Run a suite as tonight's entry and rebuild the page of all nights.
    #[command(after_help = EXIT_CODES)]
    Nightly(commands::NightlyArgs),
    /// Compare runs of the same workload: ratios of each run to the first, with confidence intervals.
    #[command(after_help = EXIT_CODES)]
    Compare(CompareArgs),
    /// List earlier runs: every run directory below a results folder.
    History(commands::history::HistoryArgs),
    /// Follow a metric through earlier runs, find steps in it, and name the first run after each step.
    ///
    /// Only comparable runs form a series: same workload, load, machine and order, and either all real engines or all
    /// stand-ins. Runs that are left out are listed with the reason.
    Trend(commands::history::TrendArgs),
    /// Remove the samples of old runs; their reports are kept.
    Prune(commands::history::PruneArgs),
    /// Print every metric: id, unit, direction, where it is used, and what it is.
    Metrics {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print shell completions.
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff).
    Man,
    /// What stands between a run and an engine that it starts; for loadcmp's own use.
    #[command(hide = true)]
    Guard {
        /// The guard, for the engine's own process
        #[arg(long)]
        bound_to: Option<u32>,
        /// The engine's command
        #[arg(last = true)]
        words: Vec<String>,
    },
}

/// What is laid over a scenario.
#[derive(clap::Args)]
struct Over {
    /// A target: NAME=WIRE:ADDRESS[,field=value...], such as native=openai:http://127.0.0.1:8080,model=qwen or
    /// native=gg_core:/run/gg.sock. If every given name is one of the scenario's targets, the scenario's other targets
    /// are kept; otherwise only the given ones are used
    #[arg(long = "target", value_name = "NAME=SPEC")]
    targets: Vec<String>,
    /// Users per target; each sends its next request after the previous answer (closed loop)
    #[arg(short, long, value_name = "N")]
    users: Option<String>,
    /// Measured requests per target, instead of a duration
    #[arg(short = 'n', long, value_name = "N")]
    requests: Option<String>,
    /// Length of the measured window: 30s, 5m, or auto (until the main metric is decided)
    #[arg(short, long, value_name = "TIME")]
    duration: Option<String>,
    /// Requests per second per target, sent whether or not answers have come (open loop), or auto
    #[arg(long, value_name = "N")]
    rate: Option<String>,
    /// The model of all targets, or of one: NAME=MODEL
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// How the targets take turns: concurrent (all at once), isolated (one after another) or alternate (in blocks)
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,
    /// Prompts: a .csv or .jsonl file, or a text file with one prompt per line
    #[arg(long, value_name = "FILE")]
    prompts: Option<String>,
    /// Maximum tokens per answer
    #[arg(long, value_name = "N")]
    max_tokens: Option<String>,
    /// Override any value of the YAML: workload.sampling.temperature=0.7; null removes it
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Run once for each of several values, one folder each: load.closed.users=1,2,4,8
    #[arg(long, value_name = "PATH=VALUES")]
    sweep: Vec<String>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Refuse stand-ins
    #[arg(long)]
    real: bool,
    /// Allow the scenario to run its commands that start engines (`start`, `cold_start.restart`)
    #[arg(long)]
    allow_commands: bool,
}

/// What a run is held to.
#[derive(clap::Args)]
struct Hold {
    /// Compare the run with a baseline: a name in --baselines, or a path to a file. Default: the scenario's `baseline`
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// The folder of baselines
    #[arg(long, value_name = "DIR", default_value = loadcmp::baseline::FOLDER)]
    baselines: PathBuf,
    /// Allow a baseline with a different setup (engine, model, load, machine); the report says so
    #[arg(long)]
    across: bool,
    /// Let gates judge stand-ins like real engines (this says nothing about a real engine)
    #[arg(long)]
    judge_stand_ins: bool,
    #[command(flatten)]
    decided: Decided,
}

/// What becomes of gates that can't be decided.
#[derive(clap::Args)]
struct Decided {
    /// How a gate that neither passed nor failed counts: as passed, as failed, or exit code 5. A gate that was not
    /// measured always gives exit code 5
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
    /// Scenario files, or names of shipped ones (classify, embed, generate, chat). Default: classify, with the given
    /// --target or whatever is found running
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// Directory for the results (must be empty); with several scenarios, one folder each in it; with --shard, {shard}
    /// stands for its number. Default: results/<scenario>-<utc>
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    over: Over,
    #[command(flatten)]
    hold: Hold,
    /// Run it N times (2 to 50), with a newly drawn order of the targets each time, and base the verdict on the
    /// variation between runs, which a single run can't show. Replaces the scenario's `repeats`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=50))]
    repeats: Option<u32>,
    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print every metric, not only the main ones
    #[arg(long)]
    full: bool,
    /// Print the confusion matrix of expected and received labels (classify)
    #[arg(long)]
    confusion: bool,
    /// Print only the result
    #[arg(long, short)]
    quiet: bool,
    /// Scheduler of the users of a closed loop. Default: goose where it is built in; `order: alternate` always uses
    /// native
    #[arg(long, value_enum)]
    driver: Option<DriverArg>,
    #[command(flatten)]
    samples: SamplesArgs,
    #[command(flatten)]
    part: PartArgs,
}

/// How rows are kept.
#[derive(clap::Args)]
struct SamplesArgs {
    /// Form of the rows: csv, or zst, which compresses samples.csv to samples.csv.zst once it is complete
    #[arg(long, value_name = "FORM", value_enum, default_value_t = SamplesArg::Csv, hide_possible_values = true)]
    samples: SamplesArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SamplesArg {
    Csv,
    Zst,
}

impl SamplesArgs {
    fn packed(&self) -> bool {
        self.samples == SamplesArg::Zst
    }
}

/// Which of several generators of one run this is.
#[derive(clap::Args)]
struct PartArgs {
    /// Drive one part of the run: i/N (i from 0), or auto, by what Kubernetes, Slurm or MPI has set. All N run the same
    /// scenario; `loadcmp merge` makes one result of theirs
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// Start together: shard 0 listens here, the others dial it. An address that isn't loopback needs a token in
    /// LOADCMP_SHARD_TOKEN, or the file that LOADCMP_SHARD_TOKEN_FILE names
    #[arg(long, value_name = "HOST:PORT", requires = "shard", conflicts_with = "start_at")]
    rendezvous: Option<String>,
    /// Start at this instant, such as 2026-11-30T12:00:00Z, where there is no network between the shards; their clocks are
    /// not checked
    #[arg(long, value_name = "TIME", requires = "shard")]
    start_at: Option<String>,
    /// Longest wait for the other shards
    #[arg(long, value_name = "TIME", requires = "shard", default_value = "2m")]
    shard_wait: String,
}

#[derive(clap::Args)]
struct MergeArgs {
    /// The results directories of all shards of a run
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// Directory for the merged results (must be empty)
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    samples: SamplesArgs,
    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print every metric, not only the main ones
    #[arg(long)]
    full: bool,
}

#[derive(clap::Args)]
struct CapacityArgs {
    /// Scenario file, or the name of a shipped one. Its load sets the arrivals or the users' pause, not the rate
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// Limits, joined by `and`: 'ttft.p95 <= 300ms and errors <= 1%'. Metrics: ttft, latency, itl, tpot, itl_max,
    /// tokens_per_s (each with .mean or a percentile such as .p95), errors, goodput. Without a limit on errors, 1% is
    /// added. Default: the scenario's `slo`
    #[arg(long, value_name = "LIMITS")]
    slo: Option<String>,
    /// What to vary
    #[arg(long, value_enum, default_value_t = ByArg::Rate)]
    by: ByArg,
    /// Largest relative difference between the last pass and the first fail
    #[arg(long, value_name = "SHARE", default_value = "3%")]
    precision: String,
    /// Time limit for the whole search, all targets together
    #[arg(long, value_name = "TIME", default_value = "10m")]
    budget: String,
    /// Length of a short probe, extended to at least five answers of the slowest target. Long probes, which decide the
    /// result, are 4 to 12 times as long
    #[arg(long, value_name = "TIME", default_value = "5s")]
    probe: String,
    /// The first load. Default: half the rate of one request after another, or one user
    #[arg(long, value_name = "N")]
    start: Option<f64>,
    /// The highest load to try. Default: 4096 times the start, or 1024 users
    #[arg(long, value_name = "N")]
    most: Option<f64>,
    /// Directory for the results (must be empty). Default: results/<scenario>-<utc>
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    over: Over,
    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = CapacityFormat::Table)]
    format: CapacityFormat,
    /// Print only the result
    #[arg(long, short)]
    quiet: bool,
}

/// What a search varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ByArg {
    /// Requests per second, in an open loop.
    Rate,
    /// Users who each wait for their answer, in a closed loop.
    Users,
}

/// What of a search is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CapacityFormat {
    /// A table for people.
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
    /// Name of the scenario; written to NAME.yaml
    #[arg(default_value = "scenario")]
    name: String,
    /// Write a suite and the scenario it runs
    #[arg(long)]
    suite: bool,
}

#[derive(clap::Args)]
struct CalibrateArgs {
    /// Take about 10 s instead of 50 s, with less precision
    #[arg(long)]
    quick: bool,
    /// Print the saved calibration without measuring
    #[arg(long, conflicts_with = "quick")]
    show: bool,
    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = CalibrateFormat::Table)]
    format: CalibrateFormat,
    /// Print only the result
    #[arg(long, short)]
    quiet: bool,
}

/// What of a calibration is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CalibrateFormat {
    /// A table for people.
    Table,
    /// The saved file.
    Json,
}

#[derive(clap::Args)]
struct ReportArgs {
    /// Results directory of a run
    dir: PathBuf,
    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print every metric, not only the main ones
    #[arg(long)]
    full: bool,
    /// Print the confusion matrix of expected and received labels (classify)
    #[arg(long)]
    confusion: bool,
}

#[derive(clap::Args)]
struct CompareArgs {
    /// Results directory of a run, or its report.json: the reference of the ratios. Or a folder of runs, the earliest one first,
    /// or a pattern in quotes, such as 'results/build-*'
    #[arg(value_name = "RUN")]
    first: PathBuf,
    /// The runs to compare with it; folders of runs and patterns, too. Targets are matched by name; if each run has only one
    /// target, these are compared
    #[arg(value_name = "RUN")]
    others: Vec<PathBuf>,
    /// Write the comparison as an HTML page: every run and metric, with intervals. Of more than two runs it is written by default,
    /// as compare.html next to the first
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// A gate for the second run, as in a scenario; the first run is its `baseline`. Repeatable. Examples:
    /// 'native.latency.p95 <= 1.05 * baseline' or, for every target, 'errors <= 1%'
    #[arg(long = "gate", value_name = "GATE")]
    gates: Vec<String>,
    /// Write the outcomes of the gates as JUnit XML
    #[arg(long, value_name = "FILE", requires = "gates")]
    junit: Option<PathBuf>,
    /// Let gates judge stand-ins like real engines (this says nothing about a real engine)
    #[arg(long, requires = "gates")]
    judge_stand_ins: bool,
    #[command(flatten)]
    decided: Decided,
    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Output format on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for people.
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
    /// loadcmp's own.
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
            // An engine's own process hears of signals what the system says.
            Command::Guard { bound_to: Some(_), .. } => None,
            Command::Guard { bound_to: None, .. } => Some(OnSignal::Ignored),
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
        loadcmp::run::tell(format_args!("loadcmp: can't catch signals: {error}"));
    }
    let told = match cli.command {
        Command::Run(args) => commands::run(args),
        Command::Capacity(args) => commands::capacity(args),
        Command::Check(args) => commands::check(args),
        Command::List => commands::list(),
        Command::Init(args) if args.suite => commands::init_suite(&args.name),
        Command::Init(args) => commands::init(&args.name),
        Command::Schema { report, suite } => commands::schema(report, suite),
        Command::Demo(args) => commands::demo(args),
        Command::Serve(args) => loadcmp::standin::run(args).map(|()| 0).map_err(loadcmp::run::Failure::Other),
        Command::Calibrate(args) => commands::calibrate(&args),
        Command::Doctor { json } => commands::doctor(json),
        Command::Report(args) => commands::report(args),
        Command::Merge(args) => commands::merge(&args),
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
        Command::Guard { bound_to: Some(guard), words } => {
            loadcmp::run::become_bound(guard, &words).map(|()| 1).map_err(loadcmp::run::Failure::Other)
        }
        Command::Guard { bound_to: None, .. } => {
            loadcmp::run::guard().map(|()| 0).map_err(loadcmp::run::Failure::Other)
        }
    };
    match told {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            loadcmp::run::tell(commands::by_shipped_names(failure.to_string().trim_end()));
            ExitCode::from(failure.code())
        }
    }
}
