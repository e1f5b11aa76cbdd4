//! What each command does, and what it prints. The result goes to standard output, everything else to standard error.

mod baseline;
mod capacity;
mod demo;
pub(crate) mod history;
mod list;
mod repeats;
mod suite;
mod sweep;

use super::{
    CalibrateArgs, CalibrateFormat, CheckArgs, Cli, CompareArgs, DriverArg, Format, Hold, Over, ReportArgs, RunArgs,
};
use anyhow::Context;
pub(crate) use baseline::{BaselineArgs, baseline};
pub(crate) use capacity::capacity;
use clap::CommandFactory;
pub(crate) use demo::{DemoArgs, demo};
pub(crate) use list::list;
use loadcmp::drive::Driver;
use loadcmp::gate::{GateOutcome, Judgement};
use loadcmp::host::signals;
use loadcmp::report::human::printable;
use loadcmp::report::{Beside, Cause, Report, Status, Unfinished};
use loadcmp::run::{Among, CalibrateOptions, CompareGates, Failure, Finished, Options, tell};
use loadcmp::scenario::{self, Everyday, Loaded, Overrides};
use loadcmp::sink;
use repeats::tell_repeats;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
pub(crate) use suite::{NightlyArgs, SuiteArgs, nightly, suite};
use sweep::tell_sweep;

pub(crate) type CommandResult = Result<u8, Failure>;

/// The scenarios that come with the program, and their data.
const SHIPPED: [(&str, &str); 23] = [
    ("classify.yaml", include_str!("../scenarios/classify.yaml")),
    ("embed.yaml", include_str!("../scenarios/embed.yaml")),
    ("generate.yaml", include_str!("../scenarios/generate.yaml")),
    ("chat.yaml", include_str!("../scenarios/chat.yaml")),
    ("open.yaml", include_str!("../scenarios/open.yaml")),
    ("alternate.yaml", include_str!("../scenarios/alternate.yaml")),
    ("soak.yaml", include_str!("../scenarios/soak.yaml")),
    ("ladder.yaml", include_str!("../scenarios/ladder.yaml")),
    ("prefix.yaml", include_str!("../scenarios/prefix.yaml")),
    ("sweep.yaml", include_str!("../scenarios/sweep.yaml")),
    ("data/tickets.csv", include_str!("../scenarios/data/tickets.csv")),
    ("data/prompts.jsonl", include_str!("../scenarios/data/prompts.jsonl")),
    ("data/conversations.jsonl", include_str!("../scenarios/data/conversations.jsonl")),
    ("data/sentences.csv", include_str!("../scenarios/data/sentences.csv")),
    ("suites/herald.yaml", include_str!("../suites/herald.yaml")),
    ("suites/vibrant.yaml", include_str!("../suites/vibrant.yaml")),
    ("suites/gg-core.yaml", include_str!("../suites/gg-core.yaml")),
    ("suites/trainer.yaml", include_str!("../suites/trainer.yaml")),
    ("suites/muse.yaml", include_str!("../suites/muse.yaml")),
    ("suites/scenarios/banter.yaml", include_str!("../suites/scenarios/banter.yaml")),
    ("suites/scenarios/builds.yaml", include_str!("../suites/scenarios/builds.yaml")),
    ("suites/scenarios/quantised.yaml", include_str!("../suites/scenarios/quantised.yaml")),
    ("suites/scenarios/data/banter.jsonl", include_str!("../suites/scenarios/data/banter.jsonl")),
];

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
    let out = |name: &str| match &args.out {
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

/// The name of a file to be written, without its end.
fn plain_name(name: &str) -> Result<&str, Failure> {
    let name = name.trim_end_matches(".yaml");
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(Failure::Usage(format!(
            "error: `{name}` is not a valid name: use letters, digits, dash and underscore"
        )));
    }
    Ok(name)
}

/// Makes files that aren't there yet; none if one of them is.
fn create_all(files: &[(PathBuf, String)]) -> Result<(), Failure> {
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(Failure::Usage(format!("error: {} already exists: nothing was written", path.display())));
    }
    for (path, text) in files {
        let mut file = std::fs::File::create_new(path).with_context(|| format!("creating {}", path.display()))?;
        file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Writes a schema beside an example, whose first line points an editor at it. One that is there may be somebody's own.
fn keep_schema(path: &str, schema: &serde_json::Value) -> Result<(), Failure> {
    match std::fs::File::create_new(path) {
        Ok(mut file) => Ok(loadcmp::report::pretty(&mut file, schema).with_context(|| format!("writing {path}"))?),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Failure::Other(anyhow::anyhow!("creating {path}: {error}"))),
    }
}

pub(crate) fn init_suite(name: &str) -> CommandResult {
    let name = plain_name(name)?;
    let (suite, load) = (PathBuf::from(format!("{name}.yaml")), PathBuf::from(format!("{name}-load.yaml")));
    let load_name = format!("{name}-load");
    create_all(&[(suite.clone(), scenario::example_suite(name)), (load.clone(), scenario::example(&load_name))])?;
    keep_schema("schema.json", &scenario::editor_schema())?;
    keep_schema("suite-schema.json", &scenario::editor_suite_schema())?;
    let (suite, load) = (suite.display(), load.display());
    say(&format!("{suite} and {load} written. Edit them, then: loadcmp suite run {suite} --quick\n"))
}

pub(crate) fn init(name: &str) -> CommandResult {
    let name = plain_name(name)?;
    let path = PathBuf::from(format!("{name}.yaml"));
    create_all(&[(path.clone(), scenario::example(name))])?;
    keep_schema("schema.json", &scenario::editor_schema())?;
    say(&format!("{} written. Edit it, then: loadcmp run {}\n", path.display(), path.display()))
}

pub(crate) fn schema(report: bool, suite: bool) -> CommandResult {
    let schema = match (report, suite) {
        (true, _) => loadcmp::report::schema(),
        (_, true) => scenario::editor_suite_schema(),
        _ => scenario::editor_schema(),
    };
    show("the schema", |out| loadcmp::report::pretty(out, &schema))
}

pub(crate) fn report(args: ReportArgs) -> CommandResult {
    if loadcmp::run::is_sweep(&args.dir) {
        return tell_sweep(&loadcmp::run::retell_sweep(&args.dir)?, args.format, false);
    }
    if loadcmp::run::is_repeats(&args.dir) {
        return tell_repeats(&loadcmp::run::retell_repeats(&args.dir)?, args.format, false);
    }
    if loadcmp::run::is_suite(&args.dir) {
        return suite::again(&args.dir, args.format);
    }
    if loadcmp::run::is_search(&args.dir) {
        return capacity::again(&args);
    }
    let finished = loadcmp::run::retell(&args.dir)?;
    print(&finished, args.format, sink::Look { confusion: args.confusion, full: args.full, ..look() }, false)?;
    Ok(standing_of(&finished))
}

/// The exit code of a run; of an interference measurement, which is two, the first's that isn't whole, else the one's that it
/// is about.
fn standing_of(finished: &Finished) -> u8 {
    let unfinished = finished.reports().find(|report| report.unfinished.is_some());
    standing(unfinished.unwrap_or(&finished.report))
}

/// The exit code of a result, and a line that says why it isn't 0.
fn standing(report: &Report) -> u8 {
    // What failed by its own count did so whatever the rest is worth.
    if report.judgement.as_ref().and_then(Judgement::worst) == Some(GateOutcome::Fail)
        && (report.unfinished.is_some() || !report.invalid().is_empty())
    {
        judged(report);
    }
    if let Some(Unfinished { cause, .. }) = &report.unfinished {
        return match cause {
            Cause::Refused(why) => {
                tell(format_args!("error: {}", printable(why)));
                3
            }
            Cause::NotAsked(why) => {
                tell(format_args!("error: {}", printable(why)));
                4
            }
            Cause::Signal | Cause::Killed => {
                tell("loadcmp: interrupted: the files hold what was done so far");
                4
            }
        };
    }
    let invalid = report.invalid();
    let Some(first) = invalid.first() else { return judged(report) };
    let more = match invalid.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    tell(format_args!("loadcmp: invalid: {}{more}", printable(&first.sentence)));
    4
}

/// The exit code of the gates, and a line that says why it isn't 0.
fn judged(report: &Report) -> u8 {
    let Some(judgement) = &report.judgement else { return 0 };
    let code = judgement.code(report.plan.gates.inconclusive);
    if code != 0 {
        tell(format_args!("loadcmp: {}", judgement.summary().unwrap_or_default()));
    }
    code
}

/// How a page at `page` reaches what lies in `folder`: by names of folders, each with a slash; the whole path where they have
/// nothing in common.
pub(crate) fn leads(page: &Path, folder: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_default();
    let from = page.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (from, to) = (whole(from), whole(folder));
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| "../".to_owned());
    let down = to.components().skip(common).map(|part| format!("{}/", part.as_os_str().to_string_lossy()));
    up.chain(down).collect()
}

/// The page of a run that is named by its directory or its report.json, from a page; `None` where there is none.
fn page_of(page: &Path, run: &str) -> Option<String> {
    let run = Path::new(run);
    let dir = if run.is_dir() { run } else { run.parent()? };
    dir.join("report.html").is_file().then(|| format!("{}report.html", leads(page, dir)))
}

pub(crate) fn compare(args: CompareArgs) -> CommandResult {
    let hold = CompareGates {
        gates: args.gates,
        judge_stand_ins: args.judge_stand_ins,
        inconclusive: args.decided.inconclusive(),
    };
    let runs = loadcmp::run::runs_of(std::iter::once(&args.first).chain(&args.others))?;
    let Some((first, others)) = runs.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Err(Failure::Usage("error: only one run was found: name another to compare with it".to_owned()));
    };
    let besides = loadcmp::run::compare(first, others, &hold)?;
    let write = |path: &Path| {
        loadcmp::report::replace(path, |page| sink::many_html(&besides, &|run| page_of(path, run), page))
            .with_context(|| format!("writing {}", path.display()))
    };
    match &args.html {
        Some(path) => write(path)?,
        None if others.len() > 1 => {
            // Nobody asked for it: a folder that can't be written to is no failure.
            let path = first.parent().unwrap_or(Path::new("")).join("compare.html");
            match write(&path) {
                Ok(()) => tell(format_args!("file: {}", path.display())),
                Err(error) => tell(format_args!("warning: {error:#}; --html FILE writes the page elsewhere")),
            }
        }
        None => {}
    }
    let [beside] = &besides[..] else {
        show("the result", |text| match args.format {
            Format::Table => sink::many_table(&besides, look(), text),
            Format::Json => sink::many_json(&besides, text),
            Format::Csv => sink::many_csv(&besides, text),
            Format::Markdown => sink::many_markdown(&besides, text),
        })?;
        return Ok(besides.iter().map(loadcmp::report::Beside::code).max().unwrap_or(0));
    };
    print_beside(beside, args.format)?;
    if let Some(path) = &args.junit {
        let mut text = Vec::new();
        sink::beside_junit(beside, &mut text).context("writing the gates")?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    let code = beside.code();
    if code != 0
        && let Some(words) = beside.judgement.as_ref().and_then(Judgement::summary)
    {
        tell(format_args!("loadcmp: {words}"));
    }
    Ok(code)
}

pub(crate) fn calibrate(args: &CalibrateArgs) -> CommandResult {
    let (calibration, path) = if args.show {
        loadcmp::run::kept_calibration()?
    } else {
        let options = CalibrateOptions { quick: args.quick, quiet: args.quiet };
        block_on(loadcmp::run::calibrate(options))??
    };
    let mut text = Vec::new();
    match args.format {
        CalibrateFormat::Table => sink::calibration(&calibration, &mut text).context("writing the calibration")?,
        CalibrateFormat::Json => {
            serde_json::to_writer_pretty(&mut text, &calibration).context("writing the calibration")?;
            text.push(b'\n');
        }
    }
    say(&String::from_utf8_lossy(&text))?;
    if !args.quiet {
        tell(format_args!("\nfile: {}", path.display()));
    }
    Ok(0)
}

pub(crate) fn metrics(json: bool) -> CommandResult {
    show("the metrics", |text| match json {
        true => sink::metrics_json(text),
        false => sink::metrics_table(look(), text),
    })
}

pub(crate) fn completions(shell: clap_complete::Shell) -> CommandResult {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "loadcmp", &mut text);
    say(&String::from_utf8_lossy(&text))
}

pub(crate) fn man() -> CommandResult {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text).context("making the manual page")?;
    say(&String::from_utf8_lossy(&text))
}

impl Hold {
    /// What a run is held to, all else as it is by default.
    pub(crate) fn options(&self) -> Options {
        Options {
            baseline: self.baseline.clone(),
            baselines: Some(self.baselines.clone()),
            across: self.across,
            judge_stand_ins: self.judge_stand_ins,
            inconclusive: self.decided.inconclusive(),
            ..Options::default()
        }
    }
}

/// Says what `--target` changed in scenarios besides their targets, each thing once. That gates are left out is said in any
/// case, since the exit code says less then, and so is a target that stayed and may be whatever answers.
pub(crate) fn tell_followed<'a>(loaded: impl IntoIterator<Item = &'a Loaded>, quiet: bool) {
    let mut told = BTreeSet::new();
    for Loaded { followed, .. } in loaded {
        let notes = followed.notes.iter().filter(|_| !quiet);
        for words in notes.chain(&followed.always) {
            if told.insert(words) {
                tell(format_args!("loadcmp: {}", loadcmp::report::human::printable(words)));
            }
        }
    }
}

pub(crate) fn overrides(over: &Over) -> Overrides {
    Overrides {
        set: over.set.clone(),
        targets: over.targets.clone(),
        sweep: over.sweep.clone(),
        seed: over.seed,
        everyday: Everyday {
            users: over.users.clone(),
            requests: over.requests.clone(),
            duration: over.duration.clone(),
            rate: over.rate.clone(),
            models: over.models.clone(),
            order: over.order.clone(),
            prompts: over.prompts.clone(),
            max_tokens: over.max_tokens.clone(),
        },
        ..Overrides::default()
    }
}

/// Longest wait at the end for what can't be cut off: the lookup of a name may take minutes, and nobody wants it any more.
const LATE: Duration = Duration::from_millis(100);

/// Does what requests are driven by, to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LATE);
    Ok(done)
}

/// The runtime that requests are driven on.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let threads = loadcmp::host::generator_threads();
    let mut builder = if threads > 1 {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let built = builder.worker_threads(threads.max(1)).enable_all().build();
    Ok(built.context("starting the runtime")?)
}

/// Prints a result. Of an interference measurement a terminal gets all, a program what it was made for.
fn print(finished: &Finished, format: Format, look: sink::Look, quiet: bool) -> Result<(), Failure> {
    let beside = finished.alone.as_deref().map(|(_, beside)| beside);
    if beside.is_none() || format == Format::Table {
        for (report, files) in finished.reports().zip(finished.folders()) {
            print_one(report, Some(&files), format, look)?;
            beside.map_or(Ok(0), |_| say("\n"))?;
        }
    }
    beside.map_or(Ok(()), |beside| print_beside(beside, format))?;
    // A table ends with the path of its page.
    if !quiet && format != Format::Table {
        tell(format_args!("\nfiles: {}", finished.dir.display()));
    }
    Ok(())
}

/// Prints two runs beside each other.
fn print_beside(beside: &Beside, format: Format) -> Result<(), Failure> {
    show("the result", |text| match format {
        Format::Table => sink::beside_table(beside, look(), text),
        Format::Json => sink::beside_json(beside, text),
        Format::Csv => sink::beside_csv(beside, text),
        Format::Markdown => sink::beside_markdown(beside, text),
    })
    .map(|_| ())
}

/// Prints one run.
fn print_one(report: &Report, files: Option<&Path>, format: Format, look: sink::Look) -> Result<(), Failure> {
    show("the result", |text| match format {
        Format::Table => sink::terminal(report, look, files, text),
        Format::Json => sink::json(report, text),
        Format::Csv => sink::summary_csv(report, text),
        Format::Markdown => sink::markdown(report, text),
    })
    .map(|_| ())
}

/// How a table is to look here.
pub(crate) fn look() -> sink::Look {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let forced = set("FORCE_COLOR") || set("CLICOLOR_FORCE");
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = !plain && (forced || std::io::stdout().is_terminal() && !dumb);
    sink::Look { width: width(), colour, ascii: dumb || !unicode(), ..sink::Look::default() }
}

/// Whether the locale, where one is set, is of UTF-8; where none is, it's taken for one.
fn unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default().to_lowercase();
    locale.is_empty() || locale.replace('-', "").contains("utf8")
}

/// Columns of the terminal, or of $COLUMNS; where neither is known, 100.
fn width() -> u16 {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0);
    asked.or_else(terminal).unwrap_or(100).clamp(60, 200)
}

/// Writes something to standard output; `what` it is, for whoever reads why that failed.
pub(crate) fn show(what: &str, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> CommandResult {
    let mut text = Vec::new();
    write(&mut text).with_context(|| format!("writing {what}"))?;
    say(&String::from_utf8_lossy(&text))
}

/// Writes to standard output; a reader that went away is no error.
pub(crate) fn say(text: &str) -> CommandResult {
    match std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        // So is a terminal that was closed, which ended the run.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe && signals() == 0 => {
            Err(Failure::Other(anyhow::anyhow!("writing to standard output: {error}")))
        }
        _ => Ok(0),
    }
}

/// The shipped scenarios, laid out in a temporary directory when one is asked for by name.
#[derive(Default)]
pub(crate) struct Shipped {
    dir: std::cell::OnceCell<tempfile::TempDir>,
}

/// Where shipped scenarios were laid out, of which nobody who asked for one by its name has heard.
static LAID_OUT: OnceLock<String> = OnceLock::new();

/// A text for people, in which shipped files have the names by which they are shipped.
pub(crate) fn by_shipped_names(text: &str) -> String {
    LAID_OUT.get().map_or_else(|| text.to_owned(), |dir| text.replace(dir, ""))
}

impl Shipped {
    /// Reads a scenario: a file, or the name of a shipped one.
    pub(crate) fn load(&self, path: &Path, overrides: &Overrides) -> Result<Loaded, Failure> {
        let name = path.display().to_string();
        let named = format!("{name}.yaml");
        let shipped = SHIPPED.iter().any(|(name, _)| *name == named);
        // A directory that happens to have the name is not meant.
        let path =
            if shipped && !path.is_file() { self.lay_out()?.join("scenarios").join(named) } else { path.to_owned() };
        let told = scenario::load(&path, overrides).map_err(|error| error.to_string());
        let unknown = !path.exists() && !name.contains(['/', '\\']);
        told.map_err(|error| Failure::Usage(if unknown { error + "\n" + &shipped_names(&name) } else { error }))
    }

    /// The file of a suite: one that is there, or a shipped one by its name.
    pub(crate) fn suite(&self, path: &Path) -> Result<PathBuf, Failure> {
        let name = format!("suites/{}.yaml", path.display());
        let shipped = SHIPPED.iter().any(|(shipped, _)| *shipped == name);
        Ok(if shipped && !path.is_file() { self.lay_out()?.join(name) } else { path.to_owned() })
    }

    /// The shipped suites' names.
    pub(crate) fn suites() -> Vec<&'static str> {
        let names = SHIPPED.iter().filter_map(|(name, _)| name.strip_prefix("suites/")?.strip_suffix(".yaml"));
        names.filter(|name| !name.contains('/')).collect()
    }

    fn lay_out(&self) -> Result<PathBuf, Failure> {
        if self.dir.get().is_none() {
            let dir = tempfile::tempdir().context("making a temporary directory")?;
            for (name, text) in SHIPPED {
                // As they lie in the repository: suites name scenarios beside their own folder.
                let path = if name.starts_with("suites/") {
                    dir.path().join(name)
                } else {
                    dir.path().join("scenarios").join(name)
                };
                let folder = path.parent().unwrap_or(dir.path());
                std::fs::create_dir_all(folder).context("making a temporary directory")?;
                std::fs::write(path, text).context("laying out the shipped scenarios")?;
            }
            let _ = LAID_OUT.set(format!("{}/", dir.path().display()));
            let _ = self.dir.set(dir);
        }
        Ok(self.dir.get().map(|dir| dir.path().to_owned()).unwrap_or_default())
    }
}

/// The shipped scenarios' names, for whoever wrote one that is none.
fn shipped_names(written: &str) -> String {
    let names: Vec<&str> =
        SHIPPED.iter().filter_map(|(name, _)| name.strip_suffix(".yaml")).filter(|name| !name.contains('/')).collect();
    let near = scenario::nearest(written.trim_end_matches(".yaml"), names.iter().copied());
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("shipped with loadcmp: {}{near}", names.join(", "))
}
