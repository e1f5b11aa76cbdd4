//! `loadcmp suite run`: the scenarios of a suite one after another, each a run of its own, and the checks on what came of
//! them. What is done is written down after each, so that a run that was cut off is taken up where it ended.

mod judge;
mod timing;

use super::kinds::{SUITE, read_suite};
use super::{Failure, Options, directory, interrupted, nightly, now, tell};
use crate::record::Stopwatch;
use crate::report::{Status, TOOL, pretty, replace};
use crate::scenario::{CheckSpec, Loaded, LoadedSuite};
use crate::suite::{Check, Night, SUITE_VERSION, ScenarioRun, ScenarioState, Schedule, Suite, Turn};
use crate::{drive::Driver, gate::GateOutcome, scenario::plan::GatesPlan, sink};
use anyhow::Context;
use std::path::{Path, PathBuf};
use timing::Timing;

/// A suite that is to be run: its scenarios read, with all that is laid over them.
pub struct SuiteRun {
    /// The suite.
    pub suite: LoadedSuite,
    /// Its scenarios, by the suite's names.
    pub scenarios: Vec<(String, Loaded)>,
    /// Whether this is the quick form.
    pub quick: bool,
    /// The directory of a run that was cut off, to be taken up.
    pub resume: Option<PathBuf>,
    /// Where results go unless a directory is named.
    pub results: PathBuf,
}

/// A suite that was run, and where it lies.
pub struct Suited {
    /// What came of it.
    pub suite: Suite,
    /// Where it lies.
    pub dir: PathBuf,
}

/// Runs a suite. Everything that isn't the result goes to standard error.
pub async fn suite(run: SuiteRun, options: &Options) -> Result<Suited, Failure> {
    let clock = Stopwatch::start();
    if let Some((name, _)) = run.scenarios.iter().find(|(_, loaded)| loaded.scenario.repeats.is_some()) {
        return Err(Failure::Usage(format!(
            "error: `{name}` has `repeats`, which suites don't support\n  run it by itself, or add `repeats: null` to \
             its `set` in the suite"
        )));
    }
    let mut told = planned(&run, options);
    let dir = match &run.resume {
        Some(dir) => {
            told = taken_up(dir, told)?;
            dir.clone()
        }
        None => directory(options, &run.results, &run.suite.spec.name)?,
    };
    keep(&told, &dir)?;
    let loaded = |name: &str| run.scenarios.iter().find(|(known, _)| known == name).map(|(_, loaded)| loaded);
    let left = told.scenarios.iter().filter(|scenario| scenario.state != ScenarioState::Done);
    let timing = Timing::of(left.filter_map(|scenario| loaded(&scenario.name)), &dir, options).await?;
    told.paces = timing.paces();
    let mut schedule = Schedule::new(&mut told, |name| timing.cost(loaded(name)?));
    keep(&told, &dir)?;
    if !options.quiet && !interrupted() {
        schedule.announce(&told).iter().for_each(tell);
    }
    for at in 0..told.scenarios.len() {
        if matches!(told.scenarios[at].state, ScenarioState::Done) {
            continue;
        }
        if interrupted() {
            break;
        }
        let spent = clock.now().seconds();
        let name = told.scenarios[at].name.clone();
        let share = match schedule.turn(&told, at, spent) {
            Turn::Skip(why) => {
                if !options.quiet {
                    tell(format_args!("loadcmp: {} of {}: {name} is skipped: {why}", at + 1, told.scenarios.len()));
                }
                (told.scenarios[at].state, told.scenarios[at].why) = (ScenarioState::Skipped, Some(why));
                keep(&told, &dir)?;
                continue;
            }
            Turn::Run(share) => share,
        };
        let Some(whole) = loaded(&name) else { continue };
        let mut loaded = whole.clone();
        told.scenarios[at].cut = timing.cut(&mut loaded, share).map(|words| schedule.cut_words(&told, &words));
        told.scenarios[at].expected_s = schedule.expected(at, share);
        if !options.quiet {
            tell(schedule.turn_words(&told, at, share, spent));
        }
        told.scenarios[at].folder = folder(&dir, &name);
        told.scenarios[at].state = ScenarioState::Running;
        keep(&told, &dir)?;
        let of_run = Options { out: Some(dir.join(&told.scenarios[at].folder)), ..options.clone() };
        let ended = one(&mut told.scenarios[at], &loaded, of_run).await;
        let took = clock.now().seconds() - spent;
        told.scenarios[at].took_s = Some(crate::stats::tidy(took));
        schedule.ended(&told.scenarios[at], at, share, took);
        keep(&told, &dir)?;
        if !ended? || interrupted() {
            break;
        }
    }
    let cut =
        told.scenarios.iter().any(|scenario| matches!(scenario.state, ScenarioState::Planned | ScenarioState::Running));
    told.status = if cut { Status::Interrupted } else { Status::Complete };
    told.ended = Some(now());
    finish(told, dir)
}

/// Judges the checks of a suite's directory again, and writes its files again.
pub fn retell_suite(dir: &Path) -> Result<Suited, Failure> {
    let mut suite = read_suite(dir)?;
    if suite.status == Status::Running {
        suite.status = Status::Interrupted;
    }
    finish(suite, dir.to_owned())
}

/// Judges and writes.
fn finish(mut suite: Suite, dir: PathBuf) -> Result<Suited, Failure> {
    judge::judge(&mut suite, &dir);
    let folder = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A folder that can't be read has nothing to say of what was before.
    let beside = nightly::suites(folder).unwrap_or_default();
    if let Some(before) = last_before(&suite, &dir, &beside) {
        suite.compare(&before.folder, &before.suite);
    }
    let nights = nightly::gather(folder, beside, Some(&suite)).ok().flatten().filter(|nights| nights.nights.len() > 1);
    sink::write_suite(&dir, &suite, nights.as_ref())
        .with_context(|| format!("writing the files of {}", dir.display()))?;
    Ok(Suited { suite, dir })
}

/// What is to be, before anything is run.
fn planned(run: &SuiteRun, options: &Options) -> Suite {
    let spec = &run.suite.spec;
    let scenario = |(name, loaded): &(String, Loaded)| ScenarioRun {
        name: name.clone(),
        folder: name.clone(),
        sweep: loaded.scenario.sweep.is_some(),
        hash: hash(loaded),
        state: ScenarioState::Planned,
        why: None,
        code: None,
        expected_s: None,
        took_s: None,
        headlines: Vec::new(),
        invalid: Vec::new(),
        cut: None,
        stand_in: false,
        engines: Vec::new(),
    };
    let mut suite = Suite {
        schema_version: SUITE_VERSION,
        tool: TOOL.to_owned(),
        name: spec.name.clone(),
        about: spec.about.clone(),
        quick: run.quick,
        judge_stand_ins: options.judge_stand_ins,
        inconclusive: options.inconclusive,
        started: now(),
        ended: None,
        status: Status::Running,
        budget_s: spec.time(run.quick).map(|time| time.0.as_secs_f64()),
        paces: Vec::new(),
        scenarios: run.scenarios.iter().map(scenario).collect(),
        checks: spec.checks.iter().map(|spec| check(spec, run.quick)).collect(),
        before: None,
    };
    for (name, loaded) in &run.scenarios {
        suite.own_gates(name, GatesPlan::of(&loaded.scenario).all.iter().map(|gate| gate.text.as_str()));
    }
    suite
}

fn check(spec: &CheckSpec, quick: bool) -> Check {
    Check {
        name: spec.name.clone(),
        category: spec.category.clone(),
        scenario: spec.scenario.clone(),
        gate: spec.asked(quick).map(str::to_owned),
        full: spec.gate.clone().filter(|gate| spec.asked(quick) != Some(gate)),
        needs: spec.needs.clone(),
        at: spec.at.iter().map(|(path, value)| (path.clone(), value.clone())).collect(),
        cannot: spec.cannot.clone(),
        outcome: GateOutcome::NotMeasured,
        judged: Vec::new(),
        why: None,
        before: None,
    }
}

/// A run that was cut off, taken up: what is done stays, everything else is as it is planned now. It has to be of the same
/// suite, and each scenario that is done the same as now.
fn taken_up(dir: &Path, planned: Suite) -> Result<Suite, Failure> {
    let before = read_suite(dir)?;
    let refuse = |why: String| Failure::Usage(format!("error: {} can't be resumed: {why}", dir.display()));
    if (&before.name, before.quick) != (&planned.name, planned.quick) {
        let form = |suite: &Suite| format!("{}{}", suite.name, if suite.quick { " --quick" } else { "" });
        return Err(refuse(format!("it is a run of {}, not of {}", form(&before), form(&planned))));
    }
    let mut told = Suite { started: before.started.clone(), ..planned };
    for done in before.scenarios.into_iter().filter(|scenario| scenario.state == ScenarioState::Done) {
        match told.scenarios.iter_mut().find(|scenario| scenario.name == done.name) {
            Some(scenario) if scenario.hash == done.hash => *scenario = done,
            _ => return Err(refuse(format!("`{}` has changed since it was run", done.name))),
        }
    }
    Ok(told)
}

/// Runs one scenario; whether the suite is to go on.
async fn one(told: &mut ScenarioRun, loaded: &Loaded, options: Options) -> Result<bool, Failure> {
    let ended = if told.sweep {
        let options = Options { driver: Driver::Native, ..options };
        super::sweep(loaded.clone(), &options).await.map(|swept| {
            let sweep = swept.sweep;
            let interrupted = sweep.manifest.status == Status::Interrupted;
            told.headlines = sweep.headlines();
            told.invalid = sweep.invalid().flat_map(|run| run.invalid.first().cloned()).take(1).collect();
            told.stand_in = sweep.has_stand_in();
            // Of some runs that failed, the checks on them say so.
            interrupted
        })
    } else {
        super::run_one(loaded.clone(), &options).await.map(|finished| {
            let report = finished.report;
            told.headlines = report.headlines();
            told.invalid = report.invalid().iter().map(|finding| finding.sentence.clone()).collect();
            told.stand_in = report.has_stand_in();
            report.status != Status::Complete
        })
    };
    match ended {
        Ok(interrupted) => {
            told.state = if interrupted { ScenarioState::Running } else { ScenarioState::Done };
            if interrupted {
                // What it found invalid is that it was interrupted.
                told.invalid.clear();
            }
            Ok(!interrupted)
        }
        Err(Failure::Interrupted(_)) => {
            told.state = ScenarioState::Planned;
            Ok(false)
        }
        Err(Failure::Cannot(text)) => {
            let first = text.lines().next().unwrap_or_default();
            told.state = ScenarioState::Cannot;
            told.why = Some(first.trim_start_matches("error: ").to_owned());
            tell(&text);
            Ok(true)
        }
        // A disk that is full is full for the next scenario, too.
        Err(failure @ Failure::Other(_)) => Err(failure),
        Err(failure) => {
            told.state = ScenarioState::Failed;
            let text = failure.to_string();
            let first = text.lines().next().unwrap_or_default();
            told.why = Some(first.trim_start_matches("error: ").to_owned());
            told.code = Some(failure.code());
            tell(&text);
            Ok(true)
        }
    }
}

/// A folder for a scenario: its name, or what is free beside a part of it that was cut off.
fn folder(dir: &Path, name: &str) -> String {
    let more = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(more).find(|folder| !dir.join(folder).exists()).unwrap_or_default()
}

/// What a scenario is, as a hash: whatever is laid over it is in it. Secrets are masked before.
fn hash(loaded: &Loaded) -> String {
    let text = serde_json::to_string(&loaded.scenario).unwrap_or_default();
    let points: String = loaded.points.iter().map(|point| format!("{:?}", point.values)).collect();
    crate::workload::hash_of(&[text.as_bytes(), points.as_bytes()])
}

fn keep(suite: &Suite, dir: &Path) -> Result<(), Failure> {
    let path = dir.join(SUITE);
    let written = replace(&path, |out| pretty(out, suite)).with_context(|| format!("writing {}", path.display()));
    Ok(written?)
}

/// The last of the runs in its folder that it can be compared with.
fn last_before<'a>(suite: &Suite, dir: &Path, beside: &'a [Night]) -> Option<&'a Night> {
    let own = dir.file_name().map(|name| name.to_string_lossy());
    let others = beside.iter().filter(|night| Some(night.folder.as_str()) != own.as_deref());
    others.filter(|night| suite.comparable(&night.suite)).max_by(|a, b| a.suite.started.cmp(&b.suite.started))
}
