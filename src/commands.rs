//! What each command does, and what it prints. The result goes to standard output, everything else to standard error.

mod baseline;
mod calibrate;
mod capacity;
mod check;
mod compare;
mod demo;
mod doctor;
pub(crate) mod history;
mod init;
mod itself;
mod list;
mod merge;
mod print;
mod repeats;
mod report;
mod run;
mod shipped;
mod suite;
mod sweep;

pub(crate) use baseline::{BaselineArgs, baseline};
pub(crate) use calibrate::calibrate;
pub(crate) use capacity::capacity;
pub(crate) use check::check;
pub(crate) use compare::{compare, leads};
pub(crate) use demo::{DemoArgs, demo};
pub(crate) use doctor::doctor;
pub(crate) use init::{init, init_suite, schema};
pub(crate) use itself::{completions, man, metrics};
pub(crate) use list::list;
pub(crate) use merge::merge;
pub(crate) use print::{look, say, show};
pub(crate) use report::report;
pub(crate) use run::run;
pub(crate) use shipped::{Shipped, by_shipped_names};
pub(crate) use suite::{NightlyArgs, SuiteArgs, nightly, suite};

use super::{Format, Hold, Over};
use anyhow::Context;
use loadcmp::run::{Failure, Options, tell};
use loadcmp::scenario::{Everyday, Loaded, Overrides};
use print::{print, print_compare, width};
use std::collections::BTreeSet;
use std::time::Duration;

pub(crate) type CommandResult = Result<u8, Failure>;

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
