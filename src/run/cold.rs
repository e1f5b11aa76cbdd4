//! Cold starts before the load: each target's model is let go, or its engine started anew, and asked at once; so often
//! that it makes a distribution.

use super::guard::Start;
use super::guarded::{Guarded, log_path};
use super::prepare::Prepared;
use super::started::{answering, secrets};
use super::tell;
use crate::drive::{LaneSetup, cold_request};
use crate::host::lock;
use crate::record::{FIRST_REQUESTS, Nanos};
use crate::report::{ColdRun, Manifest};
use crate::scenario::plan::TargetPlan;
use crate::scenario::{ColdStartSpec, scrubbed};
use crate::target::Target;
use crate::target::discover::{answers, can_unload, unload};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longest time a command may take to come back.
const COMMAND: Duration = Duration::from_secs(60);
/// Between two looks whether it does: what it is found ready by is as fine as this.
const LOOK: Duration = Duration::from_millis(10);

/// The guards of `cold_start.restart`'s commands. What these left running in the place of an engine that the run had started
/// is told to end when this is dropped, and has ended when the run's engines have; an engine that was there before the run is
/// there after it.
pub(super) struct Restarted<'a> {
    prepared: &'a Prepared,
    dir: PathBuf,
    secrets: Vec<String>,
    all: Vec<Guarded>,
}

impl<'a> Restarted<'a> {
    /// `dir` = the run's results.
    pub(super) fn new(prepared: &'a Prepared, dir: &Path) -> Self {
        let secrets = secrets(prepared.plan.targets.iter().map(|target| &target.spec));
        Self { prepared, dir: dir.to_owned(), secrets, all: Vec::new() }
    }

    /// Runs a target's command to its end.
    async fn command(&mut self, target: &str, repeat: u32, words: &[String]) -> Result<(), String> {
        let own = self.prepared.own_engines().iter().any(|name| name == target);
        // A file each: its guard writes it anew, and all end at the same time.
        let what = if repeat == 1 { ".restart".to_owned() } else { format!(".restart-{repeat}") };
        let log = Some(log_path(&self.dir, target, &what));
        let start =
            Start { words: words.to_vec(), log, leave: !own, secrets: self.secrets.clone(), ..Start::default() };
        // Kept before it is waited for: nothing is waited for here when the run is interrupted.
        self.all.push(Guarded::start(start, |_| {})?);
        let Some(guarded) = self.all.last_mut() else { return Ok(()) };
        let program = words.first().map_or("", String::as_str);
        let why = match tokio::time::timeout(COMMAND, guarded.ended()).await {
            Ok(Ok(ended)) if ended.well => return Ok(()),
            Ok(Ok(ended)) => format!("`{program}` ended with {}{}", ended.how, ended.last_words()),
            Ok(Err(why)) => why,
            Err(_) => format!("`{program}` didn't return within {} s", COMMAND.as_secs()),
        };
        guarded.let_go();
        Err(why)
    }
}

impl Drop for Restarted<'_> {
    fn drop(&mut self) {
        self.all.iter_mut().for_each(Guarded::let_go);
        self.prepared.engines().wait_for(self.all.drain(..));
    }
}

/// Makes the cold starts that the plan asks for, one target after another, and keeps them in the manifest. When the run is
/// interrupted, nothing is waited for any more, and what was in flight has its row.
pub(super) async fn cold_starts(
    setup: &LaneSetup,
    targets: &[Arc<Target>],
    manifest: &Mutex<Manifest>,
    restarted: &mut Restarted<'_>,
    say: impl Fn(String),
) {
    let all = all(setup, targets, manifest, restarted, say);
    tokio::pin!(all);
    tokio::select! {
        () = &mut all => return,
        () = setup.stop.heard() => setup.stop.abort(),
    }
    all.await;
}

async fn all(
    setup: &LaneSetup,
    targets: &[Arc<Target>],
    manifest: &Mutex<Manifest>,
    restarted: &mut Restarted<'_>,
    say: impl Fn(String),
) {
    let Some(spec) = setup.plan.cold_start.clone() else { return };
    for (number, (target, plan)) in targets.iter().zip(&setup.plan.targets).enumerate() {
        for repeat in 1..=spec.repeats {
            if setup.stop.stopped() {
                return;
            }
            say(format!("{}: cold start {repeat} of {}", plan.name, spec.repeats));
            let run = once(setup, target, (number, plan), (&spec, repeat), restarted).await;
            let failed = run.error.clone();
            lock(manifest).cold_starts.push(run);
            if setup.stop.stopped() {
                return;
            }
            if let Some(why) = failed {
                // What failed once would most likely fail again, and each time for minutes.
                tell(format_args!("loadcmp: no cold start of `{}`: {why}", plan.name));
                break;
            }
        }
    }
}

async fn once(
    setup: &LaneSetup,
    target: &Arc<Target>,
    (number, plan): (usize, &TargetPlan),
    (spec, repeat): (&ColdStartSpec, u32),
    restarted: &mut Restarted<'_>,
) -> ColdRun {
    let mut run = ColdRun { target: number, repeat, ..ColdRun::default() };
    let begun = tokio::select! {
        begun = started(setup, plan, (spec, repeat), restarted) => begun,
        () = setup.stop.aborted() => Err("interrupted".to_owned()),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(why) => return ColdRun { error: Some(scrubbed(why)), ..run },
    };
    let sample = cold_request(setup, target, number, FIRST_REQUESTS + u64::from(repeat)).await;
    let since = |at: Option<Nanos>| at.map(|at| at.since(begun.at).micros());
    // Its engine never went: that it was made ready is what the engine says of the load.
    let told = sample.server_load.map(Nanos::micros).filter(|us| *us > 0.0);
    run.ready_us = begun.ready.map(|ready| ready.since(begun.at).micros()).or(told);
    run.ready_by_engine = begun.ready.is_none();
    run.first_token_us = since(sample.stamps.first_token);
    run.answer_us = since(sample.stamps.end.filter(|_| sample.outcome.answered()));
    if !sample.outcome.answered() {
        run.error = Some(sample.error.unwrap_or_else(|| sample.outcome.as_str().to_owned()));
    }
    run
}

/// From when a cold start counts, and when the engine answered again where it had to be started.
struct Begun {
    at: Nanos,
    ready: Option<Nanos>,
}

async fn started(
    setup: &LaneSetup,
    plan: &TargetPlan,
    (spec, repeat): (&ColdStartSpec, u32),
    restarted: &mut Restarted<'_>,
) -> Result<Begun, String> {
    let Some(words) = spec.restart.get(&plan.name) else {
        if !can_unload(plan) {
            return Err("it can't unload its model on request; set a command with `cold_start.restart`".to_owned());
        }
        unload(plan).await?;
        return Ok(Begun { at: setup.clock.now(), ready: None });
    };
    let at = setup.clock.now();
    restarted.command(&plan.name, repeat, words).await?;
    answering(LOOK, async || Ok(answers(plan, setup.plan.task).await)).await?;
    Ok(Begun { at, ready: Some(setup.clock.now()) })
}
