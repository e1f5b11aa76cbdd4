//! The table of contents of a run: from a scenario to a directory of results. Also what needs no load: `check`, and
//! `retell`, which makes every file of a run again from its manifest and samples.

mod against_baseline;
mod begin;
mod calibrate;
mod cannot;
mod capacity;
mod child;
mod cold;
mod command_line;
mod compare;
mod deadline;
mod demo;
mod doctor;
mod engine_counts;
mod engine_log;
mod filled;
mod fits;
mod folder;
mod guard;
mod guarded;
mod in_turn;
mod interference;
mod keep;
mod kinds;
mod learned;
mod length;
mod load;
mod nightly;
mod paced;
mod prepare;
mod probe;
mod progress;
mod repeats;
mod same;
mod say;
mod shard;
mod sized;
mod started;
mod suite;
mod sweep;
mod templates;
mod tokens;
mod unread;
mod wanting;
mod watching;

pub use against_baseline::{check_against, kept};
pub use begin::{calibrate, capacity, check, demo_install, doctor, repeats, run, suite, sweep};
pub use calibrate::{CalibrateOptions, kept as kept_calibration};
pub use capacity::{Search, SearchResult, is_search, search_again};
pub use compare::{CompareGates, compare, report_of, runs_of};
pub use demo::{Install, Installed};
pub use guard::{become_bound, guard};
pub use keep::{Keep, RESULTS, keep};
pub use kinds::{is_repeats, is_suite};
pub use nightly::nights;
pub use prepare::{Prepared, prepare};
pub use progress::Among;
pub use repeats::{Repeated, repeats_words, retell_repeats};
pub use say::tell;
pub use shard::{ShardOptions, ShardStart, merge};
pub use suite::{SuiteRun, Suited, retell_suite};
pub use sweep::{Swept, is_sweep, load_words, retell_sweep, sweep_words};

use crate::audit::{Gather, Gathered};
use crate::drive::{Driver, LaneSetup, LaneWindow, Listener, Stop, cold_starts, drive};
use crate::host::lock;
use crate::host::{self, signalled, signals};
use crate::record::answers::read_answers;
use crate::record::columns::Names;
use crate::record::log::{Log, read_vectors};
use crate::record::rows::read_rows_for;
use crate::record::zst::{PACKED, PLAIN, pack, rows_file};
use crate::record::{Outcome, Stopwatch};
use crate::report::answers::AnswerPicks;
use crate::report::{Cause, Manifest, Report, Status, TwoRuns, replace};
use crate::scenario::gate::Inconclusive;
use crate::scenario::{Loaded, Overrides, scrub};
use crate::sink;
use crate::stats::Folded;
use crate::target::Target;
use anyhow::{Context, anyhow};
use folder::RunFolder;
use started::Engines;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use watching::{Watching, levels, recalled, stretches};

/// How a command went wrong, as its exit code.
#[derive(Debug)]
pub enum Failure {
    /// 2: the scenario or the command line is wrong.
    Usage(String),
    /// 2: a target's wire can't do what the scenario asks; another scenario of a suite may be right for it.
    Cannot(String),
    /// 3: a target can't be reached, or isn't what the scenario says.
    Target(String),
    /// 4: the run is invalid.
    Invalid(String),
    /// 4: a signal ended it before there was anything to report.
    Interrupted(String),
    /// 70: something else failed: a disk, a runtime.
    Other(anyhow::Error),
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) | Failure::Cannot(_) => 2,
            Failure::Target(_) => 3,
            Failure::Invalid(_) | Failure::Interrupted(_) => 4,
            Failure::Other(_) => 70,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Usage(text)
            | Failure::Cannot(text)
            | Failure::Target(text)
            | Failure::Invalid(text)
            | Failure::Interrupted(text) => f.write_str(&scrub(text)),
            Failure::Other(error) => f.write_str(&scrub(&format!("error: {error:#}"))),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Other(error)
    }
}

/// What the command line adds to a scenario.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is laid over the YAML.
    pub overrides: Overrides,
    /// The results directory; none stands for `results/<scenario>-<utc>`.
    pub out: Option<PathBuf>,
    /// Refuse stand-ins.
    pub real: bool,
    /// Say nothing but the result.
    pub quiet: bool,
    /// What schedules the users.
    pub driver: Driver,
    /// Whether the scenario's commands may be run (`start`, `cold_start.restart`).
    pub allow_commands: bool,
    /// The baseline to hold the run to, in the place of the scenario's: a name, or a path to a file.
    pub baseline: Option<String>,
    /// The folder of baselines; none stands for `baselines`.
    pub baselines: Option<PathBuf>,
    /// Whether a baseline of another setup is compared anyway.
    pub across: bool,
    /// Whether gates judge stand-ins like real engines.
    pub judge_stand_ins: bool,
    /// Whether the engines that the scenario's commands start run already: they were started for several runs.
    pub engines_run: bool,
    /// What an inconclusive gate does to the exit code.
    pub inconclusive: Inconclusive,
    /// Whether it is a run within a run, of which nothing is kept: whoever asked for it hears the signals.
    pub look: bool,
    /// Which of several scenarios this is.
    pub among: Among,
    /// Which of several generators of one run this is; `None` where it is alone.
    pub shard: Option<ShardOptions>,
    /// Whether rows are compressed once they are all there.
    pub packed: bool,
}

/// A finished run.
pub struct Finished {
    /// What came of it.
    pub report: Report,
    /// Where it lies.
    pub dir: PathBuf,
    /// Of an interference measurement, whose `report` is the run of all targets at once: the run of one after another, and
    /// the two beside each other.
    pub alone: Option<Box<(Report, TwoRuns)>>,
}

impl Finished {
    /// The directories of the reports, in the order of [`Finished::reports`].
    pub fn folders(&self) -> Vec<PathBuf> {
        match &self.alone {
            Some(_) => interference::folders(&self.dir).collect(),
            None => vec![self.dir.clone()],
        }
    }

    /// The reports of what was run, in the order in which it was.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        std::iter::once(&self.report).chain(self.alone.as_deref().map(|(isolated, _)| isolated))
    }
}

/// Runs a scenario. Everything that isn't the result goes to standard error.
async fn run_one(loaded: Loaded, options: &Options) -> Result<Finished, Failure> {
    let clock = Stopwatch::start();
    // Before anything is looked for: a directory that is taken must not cost the wait.
    options.out.as_deref().map_or(Ok(()), free)?;
    let named = against_baseline::Named::of(&loaded);
    if options.shard.is_some() && paced::waits(&loaded.scenario) {
        let why = "each generator would find another rate: give one";
        return Err(Failure::Usage(format!("error: a run of several generators can't have `rate: auto`: {why}")));
    }
    let loaded = paced::found(loaded, options).await?;
    let mut prepared = found(loaded, options).await?;
    same::refuse(&prepared.plan)?;
    unless_signalled(tokens::fit(&mut prepared, tokens::Asking::Requests, options.quiet)).await?;
    (prepared.plan.gates.stand_ins, prepared.plan.gates.inconclusive) = (options.judge_stand_ins, options.inconclusive);
    let baseline = against_baseline::baseline(&named, &prepared.plan, options)?;
    if !options.quiet {
        prepare::named(&prepared.plan.told()).for_each(|note| tell(format!("loadcmp: {note}")));
    }
    // Before there is a directory: a target that refuses leaves nothing half-written.
    let targets = prepared.targets(clock)?;
    let part = match &options.shard {
        Some(shard) => Some(Arc::new(shard::meet(&mut prepared, shard, clock, options.quiet)?)),
        None => None,
    };
    // Once more, with the nonces that all generators have.
    let targets = if part.is_some() { prepared.targets(clock)? } else { targets };
    let dir = results_directory(&prepared, options)?;
    prepared.log_into(&dir);
    if let Some(baseline) = baseline {
        baseline.copy(&dir).with_context(|| format!("saving the baseline in {}", dir.display()))?;
    }
    if prepared.plan.interference {
        return interference::run(prepared, clock, &dir, options).await;
    }
    measure(&prepared, targets, clock, dir, options, part).await
}

/// The targets made ready, and the plan, for a look before a run: no load is sent.
async fn check_one(loaded: Loaded, options: &Options) -> Result<Prepared, Failure> {
    let mut prepared = usable(loaded, options).await?;
    unless_signalled(tokens::fit(&mut prepared, tokens::Asking::Tokenisers, options.quiet)).await?;
    // Once more, with the prompts as they will be.
    prepared.targets(Stopwatch::start())?;
    let told = unless_signalled(async { Ok(templates::told_at_first(&prepared.plan, options.quiet).await) }).await?;
    templates::keep(&mut prepared.plan, &told);
    prepared.notes = prepare::notes(&prepared.plan.told());
    Ok(prepared)
}

/// Finds the engines, and sees that they can be asked.
async fn usable(loaded: Loaded, options: &Options) -> Result<Prepared, Failure> {
    let prepared = found(loaded, options).await?;
    same::refuse(&prepared.plan)?;
    prepared.targets(Stopwatch::start())?;
    Ok(prepared)
}

/// Starts and finds the engines, and makes the plan.
async fn found(loaded: Loaded, options: &Options) -> Result<Prepared, Failure> {
    unless_signalled(prepare(loaded, options)).await
}

/// Does what comes before anything is sent. Nothing is there to report then: a signal ends it at once, and what was started
/// with it.
async fn unless_signalled<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        _ = signalled(0) => Err(Failure::Interrupted("loadcmp: interrupted before anything was sent".to_owned())),
    }
}

/// Drives the load, and writes every file.
async fn measure(
    prepared: &Prepared,
    targets: Vec<Arc<Target>>,
    clock: Stopwatch,
    dir: PathBuf,
    options: &Options,
    part: Option<Arc<shard::Part>>,
) -> Result<Finished, Failure> {
    let plan = Arc::new(prepared.plan.clone());
    let begun = Manifest::begin(&plan, host::facts(), now());
    // What every file and figure is made from, now and when the run is told again.
    let told = begun.plan.clone();
    let floors = calibrate::floors(&plan, options.quiet);
    let probe = plan.gates.adaptive.then(probe::probe);
    let shard = part.as_deref().map(shard::Part::facts);
    let manifest = Manifest { floors, probe, shard, command: command_line::told(), ..begun };
    let manifest = Arc::new(Mutex::new(manifest));
    let keep = {
        let (manifest, path) = (manifest.clone(), dir.join("manifest.json"));
        move |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = lock(&manifest);
            change(&mut manifest);
            manifest.write(&path).with_context(|| format!("writing {}", path.display()))
        }
    };
    // Before the first request: a run that is killed can be told from here on.
    keep(&|_| {})?;
    let bars = Arc::new(progress::Progress::start(&told, options.quiet, options.among));
    let fold = lock(&manifest).fold();
    let folder = RunFolder::new(fold, Gather::new(&told), manifest.clone(), dir.join("manifest.json"), bars.view());
    let folder = folder.looking_at(unread::Unread::of(&plan, &bars));
    let judge = length::Length::judge(&plan, folder.fold(), &manifest, &bars);
    let (log, recorder) = Log::start(&dir, Names::of(&told), plan.keeps_answers(), folder)?;
    let watch = Watching::start(&plan, clock, &dir)?;
    let stop = Stop::default();
    let mut setup = LaneSetup {
        plan: plan.clone(),
        workload: prepared.workload.clone(),
        arrivals: prepared.arrivals.clone(),
        recorder,
        clock,
        stop: stop.clone(),
        together: part.as_deref().map(shard::Part::together),
    };
    let others = part.clone().map(|part| tokio::spawn(shard::watch(part, stop.clone())));

    let listener = (!options.look).then(|| {
        let bars = bars.clone();
        Listener::start(&stop, move |text| bars.tell(&format!("loadcmp: {text}")))
    });
    // To the end: what is started anew is what is measured.
    let mut restarted = cold::Restarted::new(prepared, &dir);
    let mut fewer_blocks = None;
    bars.say("first request to each target");
    let cold = cold_starts(&setup, &targets, |told| bars.first(told)).await;
    let failed = cold.iter().zip(&plan.targets).find(|(cold, _)| !cold.outcome.answered());
    let failed = failed.filter(|_| !stop.interrupted());
    let refused = failed.map(|(cold, target)| refusal(&target.name, cold.outcome, cold.error.as_deref()));
    if refused.is_none() && !stop.interrupted() {
        cold::cold_starts(&setup, &targets, &manifest, &mut restarted, |text| bars.say(&text)).await;
        tokio::select! {
            // The models are loaded now, and no request is under way.
            told = async {
                learned::learn(&plan, &manifest).await;
                templates::told(&plan).await
            } => keep(&|manifest| templates::keep(&mut manifest.plan, &told))?,
            () = stop.heard() => {}
        }
        if plan.timeout_auto {
            setup = deadline::found(&setup, &targets, &cold, &manifest, |text| bars.note(text));
            keep(&|_| {})?;
        }
        if plan.workload.prompt_cache == crate::scenario::PromptCache::Warm {
            bars.warming(plan.workload.items);
        }
        bars.load();
        let opened = {
            let (manifest, edges, bars) = (manifest.clone(), watch.edges(), bars.clone());
            move |window: LaneWindow| {
                bars.opened(window, clock.now());
                edges.at(window.from.seconds());
                if let Some(to) = window.to {
                    edges.at(to.seconds());
                }
                // The recorder's thread writes it: the clock runs here.
                lock(&manifest).opened(window);
            }
        };
        if !stop.interrupted() {
            // An engine counts the requests of all generators.
            let counting = match &part {
                Some(_) => None,
                None => tokio::select! {
                    counting = engine_counts::Counting::begin(&plan) => Some(counting),
                    () = stop.heard() => None,
                },
            };
            let fewer = drive(&setup, &targets, options.driver, judge, opened).await?;
            // Whoever ends a run early doesn't wait for an engine's word about all of it.
            if let Some(counting) = counting.filter(|_| !stop.interrupted()) {
                tokio::select! {
                    () = counting.end(&plan, &manifest) => {}
                    () = stop.heard() => {}
                }
            }
            fewer_blocks = fewer.filter(|_| !options.quiet).map(|made| load::fewer_blocks(&plan, made));
        }
    }
    let over = match &part {
        None => None,
        Some(part) => part.finish(&stop, refused.as_deref()).await,
    };
    if let Some(others) = others {
        others.abort();
    }
    drop(listener);
    // Where no window told its end, the last answer was just now.
    let end = clock.now();
    let watched = watch.stop(options.quiet);
    drop(setup);
    let folder = log.finish()?;
    bars.finish();
    if options.packed {
        pack_rows(&dir, options.quiet);
    }
    if let Some(words) = fewer_blocks {
        tell(say::wrapped(&words));
    }
    // What our own limits keep from being asked is no fault of the target's.
    let unsent = failed.is_some_and(|(cold, _)| cold.outcome == Outcome::Unsent);
    let cause = match &refused {
        Some(why) if unsent => Some(Cause::NotAsked(why.clone())),
        Some(why) => Some(Cause::Refused(why.clone())),
        // What ended the run for all, also where a scheduler has ended this one since.
        None => over.map(Cause::Shard).or_else(|| stop.interrupted().then_some(Cause::Signal)),
    };
    let status = if cause.is_some() { Status::Interrupted } else { Status::Complete };
    let ended = now();
    keep(&|manifest| {
        manifest.status = status;
        manifest.cause.clone_from(&cause);
        manifest.ended = Some(ended.clone());
        manifest.conditions = Some(watched(&stretches(&manifest.windows, end)));
        manifest.shard = part.as_deref().map(shard::Part::facts);
    })?;
    let manifest = lock(&manifest).clone();
    let (folded, gathered, picks) = folder.finish(manifest.status == Status::Complete);
    let report = tell_files(&dir, &manifest, folded, &gathered, &picks)?;
    match refused {
        Some(why) if unsent => Err(Failure::Invalid(format!("error: {why}\n  the rows are in {}", dir.display()))),
        Some(why) => Err(Failure::Target(format!("error: {why}\n  the rows are in {}", dir.display()))),
        None => Ok(Finished { report, dir, alone: None }),
    }
}

/// Rows that take seconds to compress, in bytes.
const MANY_BYTES: u64 = 200_000_000;

/// Compresses a run's rows. Where that fails they stay as they are: the run has its results all the same.
fn pack_rows(dir: &Path, quiet: bool) {
    let plain = dir.join(PLAIN);
    let packed = || {
        let from = std::fs::File::open(&plain)?;
        let bytes = from.metadata()?.len();
        if bytes > MANY_BYTES && !quiet {
            tell(format_args!("loadcmp: compressing {} of rows", crate::metrics::human::bytes(bytes)));
        }
        replace(&dir.join(PACKED), |to| pack(from, to))?;
        // Of two files nobody knows which one counts.
        std::fs::remove_file(&plain).inspect_err(|_| drop(std::fs::remove_file(dir.join(PACKED))))
    };
    if let Err(error) = packed() {
        tell(format_args!("warning: {} could not be compressed: {error}; its rows stay as they are", plain.display()));
    }
}

/// Makes every file of a run again from its manifest and samples.
pub fn retell(dir: &Path) -> Result<Finished, Failure> {
    if interference::is_of_two(dir) { interference::retell(dir) } else { retell_one(dir) }
}

/// Makes every file of one run again.
fn retell_one(dir: &Path) -> Result<Finished, Failure> {
    let no_run = |why: String| Failure::Usage(format!("error: {} is not a results directory: {why}", dir.display()));
    not_pruned(dir)?;
    if !dir.join("manifest.json").is_file() {
        return Err(no_run("it has no manifest.json".to_owned()));
    }
    if rows_file(dir).is_none() {
        return Err(no_run(format!("it has no {PLAIN}")));
    }
    let mut manifest = Manifest::read(&dir.join("manifest.json"))
        .map_err(|error| no_run(format!("its manifest.json is not from loadcmp ({error:#})")))?;
    if let Some(facts) = &manifest.shard {
        return Err(Failure::Usage(format!(
            "error: {} is {} and no whole run\n  `loadcmp merge` makes one result of all of them",
            dir.display(),
            facts.shard
        )));
    }
    let names = Names::of(&manifest.plan);
    let (mut fold, mut gather) = (manifest.fold(), Gather::new(&manifest.plan));
    let mut picks = AnswerPicks::default();
    if manifest.conditions.is_none() {
        manifest.conditions = recalled(dir, &manifest);
    }
    let mut takers = fold.takers();
    takers.push(Box::new(|sample| {
        gather.push(sample);
        picks.sample(sample);
    }));
    read_rows_for(dir, &names, takers).map_err(|error| Failure::Usage(format!("error: {error:#}")))?;
    read_vectors(dir, &names, |vector| fold.vector(vector.target, vector.item, &vector.numbers))?;
    read_answers(dir, &names, |answer| picks.answer(answer))?;
    if manifest.status != Status::Complete {
        fold.cut_off();
    }
    let report = tell_files(dir, &manifest, fold.finish(), &gather.finish(), &picks)?;
    Ok(Finished { report, dir: dir.to_owned(), alone: None })
}

/// Refuses a run whose samples were removed: its files say all there is to say of it.
fn not_pruned(dir: &Path) -> Result<(), Failure> {
    let Some(pruned) = crate::history::pruned(dir) else { return Ok(()) };
    Err(Failure::Usage(format!(
        "error: {}: its samples were removed by `loadcmp prune` ({}), so its files can't be rebuilt\n  report.md, \
         report.html and report.json are still there",
        dir.display(),
        pruned.when
    )))
}

/// Makes the report of a run that has ended, and writes every file that is made from it.
fn tell_files(
    dir: &Path,
    manifest: &Manifest,
    folded: Folded,
    gathered: &[Gathered],
    picks: &AnswerPicks,
) -> anyhow::Result<Report> {
    let mut report = Report::build(manifest, folded, gathered, levels(dir, &manifest.plan));
    if rows_file(dir).is_some_and(|path| path.ends_with(PACKED)) {
        report.pack();
    }
    report.answers = picks.pick(&report.plan);
    report.liken(picks);
    report.front = crate::report::pareto::front(&report);
    if report.front.is_some() {
        crate::report::pareto::summed(&mut report);
    }
    against_baseline::judge(dir, &mut report).with_context(|| format!("reading the baseline in {}", dir.display()))?;
    // A part of a run would look like a smaller one.
    if manifest.shard.is_some() {
        return Ok(report);
    }
    sink::write_all(dir, &report).with_context(|| format!("writing the files of {}", dir.display()))?;
    Ok(report)
}

/// What a first request that failed says of its target.
fn refusal(name: &str, outcome: Outcome, error: Option<&str>) -> String {
    let words = match outcome {
        Outcome::Timeout => "gave no answer to the first request",
        Outcome::Connect => "dropped the first request",
        Outcome::Unsent => "could not be reached",
        _ => "failed on the first request",
    };
    let longer = match outcome {
        Outcome::Timeout => "\n  if its model takes longer to load, set `load_timeout`",
        _ => "",
    };
    format!("`{name}` {words} ({}): {}{longer}", outcome.as_str(), error.unwrap_or("it said no more"))
}

/// The time of day, UTC (RFC 3339).
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Whether a signal has come: what hasn't begun is not begun.
fn interrupted() -> bool {
    signals() > 0
}

/// Whether results may go into a directory: it is empty, or isn't there yet.
pub fn free(dir: &Path) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::Usage(format!("error: {} {why}", dir.display())));
    match dir.read_dir().map(|mut files| files.next().is_some()) {
        Ok(false) => Ok(()),
        Ok(true) => refuse("is not empty: results are never overwritten; name another directory, or remove it"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(_) if !dir.is_dir() => refuse("is not a directory"),
        Err(error) => refuse(&format!("can't be read: {error}")),
    }
}

/// Makes the directory of a run.
fn results_directory(prepared: &Prepared, options: &Options) -> Result<PathBuf, Failure> {
    directory(options, Path::new(RESULTS), &prepared.plan.name)
}

/// Makes the directory that results go into: the one that is named, which has to be empty, or a dated one in `folder`.
fn directory(options: &Options, folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let Some(dir) = &options.out else { return dated(folder, name) };
    std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    free(dir)?;
    Ok(dir.clone())
}

/// Makes a directory that nothing has used: `<name>-<utc>` in a folder.
fn dated(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    for number in 1..1000 {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let dir = folder.join(format!("{name}-{stamp}{more}"));
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Failure::Other(anyhow!("creating {}: {error}", dir.display()))),
        }
    }
    Err(Failure::Other(anyhow!("no free name for a directory under {}", folder.display())))
}
