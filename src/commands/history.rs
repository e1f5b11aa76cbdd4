//! `loadcmp history`, `trend` and `prune`: earlier runs.

use super::{CommandResult, look, show};
use anyhow::Context;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use loadcmp::history::{self, Filter, History, RunState, Stamp, TrendQuery};
use loadcmp::report::replace;
use loadcmp::run::{Failure, RESULTS, tell};
use loadcmp::sink;
use loadcmp::stats::StepsBy;
use std::path::PathBuf;

/// Which runs are meant.
#[derive(Args)]
struct Which {
    /// Only runs of this scenario
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Only runs with this target
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Only runs started at or after this time: 2026-11-21, 2026-11-21T02:00:00Z, or a time ago: 14d, 36h, 2w
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only runs started at or before this time; a day includes its end (UTC)
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only runs of real engines
    #[arg(long, conflicts_with = "stand_ins")]
    real: bool,
    /// Only runs with a stand-in
    #[arg(long)]
    stand_ins: bool,
    /// Also the single runs of capacity searches, sweeps and repeats
    #[arg(long)]
    parts: bool,
}

#[derive(Args)]
pub(crate) struct HistoryArgs {
    /// Results folder
    #[arg(default_value = RESULTS)]
    dir: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Only runs with this status
    #[arg(long, value_enum)]
    status: Option<StatusArg>,
    /// Only the last N runs
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    format: ListFormat,
}

#[derive(Args)]
pub(crate) struct TrendArgs {
    /// Metric: ttft.p95, latency.p50, output_tokens_per_s; an unknown name lists the known ones
    metric: String,
    /// Results folder
    #[arg(default_value = RESULTS)]
    dir: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Include invalid runs
    #[arg(long)]
    invalid: bool,
    /// Highest p-value at which a step is reported
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    alpha: f64,
    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    format: ListFormat,
    /// Also write an HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct PruneArgs {
    /// Results folder
    #[arg(default_value = RESULTS)]
    dir: PathBuf,
    /// Remove the samples of runs that ended longer ago than this: 30d, 36h, 8w
    #[arg(long, value_name = "AGE")]
    samples_older_than: String,
    /// List what would be removed, without removing it
    #[arg(long)]
    dry_run: bool,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StatusArg {
    /// It ran to its end and is valid.
    Complete,
    /// It was stopped early.
    Interrupted,
    /// Its audit found it invalid.
    Invalid,
    /// Its directory can't be read.
    Damaged,
}

/// Output format on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// For people.
    Table,
    /// All data, for programs.
    Json,
    /// One row per run and target, for programs.
    Csv,
}

pub(crate) fn history(args: &HistoryArgs) -> CommandResult {
    let mut filter = filter(&args.which)?;
    filter.state = args.status.and_then(|status| match status {
        StatusArg::Complete => Some(RunState::Complete),
        StatusArg::Interrupted => Some(RunState::Interrupted),
        StatusArg::Invalid => Some(RunState::Invalid),
        StatusArg::Damaged => None,
    });
    let mut told = read(&args.dir, args.which.parts)?;
    told.entries.retain(|entry| filter.takes(entry));
    match args.status {
        Some(StatusArg::Damaged) => told.entries.clear(),
        Some(_) => told.damaged.clear(),
        None => {}
    }
    if let Some(limit) = args.limit {
        told.entries.drain(..told.entries.len().saturating_sub(limit));
    }
    show("the list", |text| match args.format {
        ListFormat::Table => sink::history_table(&told, look(), text),
        ListFormat::Json => sink::history_json(&told, text),
        ListFormat::Csv => sink::history_csv(&told, text),
    })
}

pub(crate) fn trend(args: &TrendArgs) -> CommandResult {
    if !(0.001..=0.2).contains(&args.alpha) {
        return Err(Failure::Usage(format!("error: --alpha must be from 0.001 to 0.2, not {}", args.alpha)));
    }
    let asked = TrendQuery {
        // As the tables name it, too.
        metric: loadcmp::metrics::typed(&args.metric).map_or_else(|| args.metric.clone(), |typed| typed.text),
        filter: filter(&args.which)?,
        invalid: args.invalid,
        by: StepsBy { alpha: args.alpha, ..StepsBy::default() },
    };
    let told = read(&args.dir, args.which.parts)?;
    let trend = history::trend(&told, &asked).map_err(|why| Failure::Usage(format!("error: {why}")))?;
    show("the trend", |text| match args.format {
        ListFormat::Table => sink::trend_table(&trend, look(), text),
        ListFormat::Json => sink::trend_json(&trend, text),
        ListFormat::Csv => sink::trend_csv(&trend, text),
    })?;
    if let Some(path) = &args.html {
        let to = super::leads(path, &args.dir);
        replace(path, |out| sink::trend_html(&trend, &to, out))
            .with_context(|| format!("writing {}", path.display()))?;
        tell(format_args!("\nfile: {}", path.display()));
    }
    Ok(0)
}

pub(crate) fn prune(args: &PruneArgs) -> CommandResult {
    let age = history::age(&args.samples_older_than).ok_or_else(|| {
        Failure::Usage(format!(
            "error: --samples-older-than must be a time in hours, days or weeks, such as 36h, 30d or 8w, not `{}`",
            args.samples_older_than
        ))
    })?;
    folder(&args.dir)?;
    let pruned = history::prune(&args.dir, age, Timestamp::now(), args.dry_run)?;
    show("what was removed", |text| sink::pruned_table(&pruned, args.dry_run, look(), text))
}

fn read(dir: &std::path::Path, parts: bool) -> Result<History, Failure> {
    folder(dir)?;
    Ok(history::read(dir, parts)?)
}

fn folder(dir: &std::path::Path) -> Result<(), Failure> {
    if dir.is_dir() {
        return Ok(());
    }
    let what = if dir.exists() { "is not a directory" } else { "doesn't exist" };
    Err(Failure::Usage(format!("error: {} {what}; name the results folder", dir.display())))
}

fn filter(which: &Which) -> Result<Filter, Failure> {
    let now = Timestamp::now();
    let stamp = |name: &str, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        Stamp::parse(text, now).map(Some).ok_or_else(|| {
            Failure::Usage(format!(
                "error: --{name} must be a day (2026-11-21), a time (2026-11-21T02:00:00Z) or a time ago (14d, 36h, \
                 2w), not `{text}`"
            ))
        })
    };
    Ok(Filter {
        scenario: which.scenario.clone(),
        target: which.target.clone(),
        since: stamp("since", &which.since)?.map(|stamp| stamp.first),
        until: stamp("until", &which.until)?.map(|stamp| stamp.last),
        state: None,
        stand_ins: if which.real { Some(false) } else { which.stand_ins.then_some(true) },
    })
}
