//! Runs made one after another, of a sweep or of one plan several times: how they fare together, and the manifest that says
//! what they were to be.

use super::{Failure, tell};
use crate::record::Stopwatch;
use crate::report::words::about;
use crate::report::{Status, pretty, replace};
use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Component, Path};
use std::time::Duration;

/// Runs that may fail one after another before the rest is given up.
const MOST_FAILED: usize = 3;

/// How the runs so far fared.
#[derive(Default)]
pub(super) struct InTurn {
    failed_last: usize,
    last_failure: Option<Failure>,
    cut_short: bool,
}

impl InTurn {
    /// Whether another run is begun; `cut`: something wants them to end.
    pub fn goes_on(&mut self, cut: bool) -> bool {
        self.cut_short = cut;
        !cut && self.failed_last < MOST_FAILED
    }

    /// A run ended; whether it was cut short, and all of them with it.
    pub fn ended(&mut self, status: Status) -> bool {
        self.failed_last = 0;
        self.cut_short = status != Status::Complete;
        self.cut_short
    }

    /// A run failed: why, and the exit code, to be kept in its place. `None` if it was interrupted, which ends all of them.
    ///
    /// # Errors
    /// What would happen to the next run, too: a disk that is full.
    pub fn failed(&mut self, failure: Failure) -> Result<Option<(String, u8)>, Failure> {
        match failure {
            Failure::Interrupted(_) => {
                self.cut_short = true;
                Ok(None)
            }
            Failure::Other(_) => Err(failure),
            failure => {
                // What a point of its own can't be is no sign of what the next will come to.
                self.failed_last += usize::from(!matches!(failure, Failure::Usage(_)));
                let told = (failure.to_string().trim_start_matches("error: ").to_owned(), failure.code());
                self.last_failure = Some(failure);
                Ok(Some(told))
            }
        }
    }

    /// The last failure, told.
    pub fn tell(&self) {
        if let Some(failure) = &self.last_failure {
            tell(failure.to_string());
        }
    }

    /// How far they got.
    pub fn status(&self) -> Status {
        if self.cut_short { Status::Interrupted } else { Status::Complete }
    }

    /// What they failed by, if there is nothing else to tell: `any` is whether a run has a result.
    pub fn failure(self, any: bool) -> Option<Failure> {
        self.last_failure.filter(|_| !any && !self.cut_short)
    }
}

/// How long the rest takes at the pace so far: `, about 3 min left`; nothing before the first.
pub(super) fn left_words(clock: &Stopwatch, done: usize, all: usize) -> String {
    let each = Duration::from_nanos(clock.now().0).checked_div(done as u32);
    each.map(|each| format!(", about {} left", about(each * (all - done) as u32))).unwrap_or_default()
}

/// Reads a manifest that is no newer than `known`.
pub(super) fn read<M: DeserializeOwned>(path: &Path, version: fn(&M) -> u32, known: u32) -> Result<M, Failure> {
    let wrong = |why: String| Failure::Usage(format!("error: {}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| wrong(format!("can't be read: {error}")))?;
    let manifest: M =
        serde_json::from_slice(&bytes).map_err(|error| wrong(format!("is not from loadcmp ({error})")))?;
    match version(&manifest) {
        version if version > known => Err(wrong(format!(
            "its format is version {version}; this loadcmp reads version \
                                                         {known}"
        ))),
        _ => Ok(manifest),
    }
}

/// Writes a manifest.
pub(super) fn keep(manifest: &impl Serialize, dir: &Path, name: &str) -> Result<(), Failure> {
    let written = replace(&dir.join(name), |out| pretty(out, manifest));
    Ok(written.with_context(|| format!("writing {name}"))?)
}

/// Whether a folder lies below its manifest's. What a manifest says may come from elsewhere: only folders of its own are read
/// and written.
pub(super) fn inside(folder: &str) -> bool {
    Path::new(folder).components().all(|part| matches!(part, Component::Normal(_)))
}
