//! What commands wait for, each as a boxed future: it is made here, so that its code is compiled with this crate and not once
//! more, for the better part of a minute, with the program.

use super::calibrate::CalibrateOptions;
use super::capacity::{Search, SearchResult};
use super::demo::{Install, Installed};
use super::repeats::Repeated;
use super::suite::{SuiteRun, Suited};
use super::sweep::Swept;
use super::{Failure, Finished, Options, Prepared};
use crate::host::{Calibration, Doctor};
use crate::scenario::Loaded;
use std::path::PathBuf;
use std::pin::Pin;

/// A command's work.
type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + 'a>>;

/// Runs a scenario. Everything that isn't the result goes to standard error.
pub fn run(loaded: Loaded, options: &Options) -> Work<'_, Finished> {
    Box::pin(super::run_one(loaded, options))
}

/// The targets made ready, and the plan, for a look before a run: no load is sent.
pub fn check(loaded: Loaded, options: &Options) -> Work<'_, Prepared> {
    Box::pin(super::check_one(loaded, options))
}

/// Runs a scenario several times.
pub fn repeats(loaded: Loaded, options: &Options) -> Work<'_, Repeated> {
    Box::pin(super::repeats::repeats(loaded, options))
}

/// Runs a scenario once for each point of its sweep.
pub fn sweep(loaded: Loaded, options: &Options) -> Work<'_, Swept> {
    Box::pin(super::sweep::sweep(loaded, options))
}

/// Runs a suite's scenarios, and judges its checks.
pub fn suite(run: SuiteRun, options: &Options) -> Work<'_, Suited> {
    Box::pin(super::suite::suite(run, options))
}

/// Searches for the most that each target sustains.
pub fn capacity<'a>(loaded: Loaded, search: &'a Search, options: &'a Options) -> Work<'a, SearchResult> {
    Box::pin(super::capacity::capacity(loaded, search, options))
}

/// Measures this machine, and keeps it. Gives the calibration and its file.
pub fn calibrate(options: CalibrateOptions) -> Work<'static, (Calibration, PathBuf)> {
    Box::pin(super::calibrate::calibrate(options))
}

/// Looks at what this machine can measure, and for engines.
pub fn doctor() -> Work<'static, Doctor> {
    Box::pin(async { Ok(super::doctor::doctor().await) })
}

/// Puts a model file into a running Ollama.
pub fn demo_install(asked: &Install) -> Work<'_, Installed> {
    Box::pin(super::demo::install(asked))
}
