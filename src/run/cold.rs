//! Cold starts before the load: each target's model is let go, or its engine started anew, and asked at once; so often
//! that it makes a distribution.

use super::started::answering;
use super::{lock, tell};
use crate::drive::{LaneSetup, cold_request};
use crate::record::{FIRST_REQUESTS, Nanos};
use crate::report::{ColdRun, Manifest};
use crate::scenario::ColdStartSpec;
use crate::scenario::plan::TargetPlan;
use crate::target::Target;
use crate::target::discover::{answers, can_unload, unload};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::process::Command;

/// Longest time a command may take to come back.
const COMMAND: Duration = Duration::from_secs(60);
/// Between two looks whether it does: what it is found ready by is as fine as this.
const LOOK: Duration = Duration::from_millis(10);

/// Makes the cold starts that the plan asks for, one target after another, and keeps them in the manifest. When the run is
/// interrupted, nothing is waited for any more, and what was in flight has its row.
pub(super) async fn cold_starts(
    setup: &LaneSetup,
    targets: &[Arc<Target>],
    manifest: &Mutex<Manifest>,
    say: impl Fn(String),
) {
    let all = all(setup, targets, manifest, say);
    tokio::pin!(all);
    tokio::select! {
        () = &mut all => return,
        () = setup.stop.heard() => setup.stop.abort(),
    }
    all.await;
}

async fn all(setup: &LaneSetup, targets: &[Arc<Target>], manifest: &Mutex<Manifest>, say: impl Fn(String)) {
    let Some(spec) = setup.plan.cold_start.clone() else { return };
    for (number, (target, plan)) in targets.iter().zip(&setup.plan.targets).enumerate() {
        for repeat in 1..=spec.repeats {
            if setup.stop.stopped() {
                return;
            }
            say(format!("{}: cold start {repeat} of {}", plan.name, spec.repeats));
            let run = once(setup, target, (number, plan), &spec, repeat).await;
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
    spec: &ColdStartSpec,
    repeat: u32,
) -> ColdRun {
    let mut run = ColdRun { target: number, repeat, ..ColdRun::default() };
    let begun = tokio::select! {
        begun = started(setup, plan, spec) => begun,
        () = setup.stop.aborted() => Err("interrupted".to_owned()),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(why) => return ColdRun { error: Some(why), ..run },
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

async fn started(setup: &LaneSetup, plan: &TargetPlan, spec: &ColdStartSpec) -> Result<Begun, String> {
    let Some(words) = spec.restart.get(&plan.name) else {
        if !can_unload(plan) {
            return Err("it can't unload its model by request; `cold_start.restart` names a command".to_owned());
        }
        unload(plan).await?;
        return Ok(Begun { at: setup.clock.now(), ready: None });
    };
    let at = setup.clock.now();
    command(words).await?;
    answering(LOOK, async || Ok(answers(plan, setup.plan.task).await)).await?;
    Ok(Begun { at, ready: Some(setup.clock.now()) })
}

/// Runs a command to its end. What it prints is let go: a report is no place for it.
async fn command(words: &[String]) -> Result<(), String> {
    let Some((program, rest)) = words.split_first() else { return Err("its command has no words".to_owned()) };
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let status = tokio::time::timeout(COMMAND, command.status()).await;
    match status {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("`{program}` ended with {status}")),
        Ok(Err(error)) => Err(format!("`{program}` can't be run: {error}")),
        Err(_) => Err(format!("`{program}` didn't come back within {} s", COMMAND.as_secs())),
    }
}
