//! The nights of a suite: every one in a folder of its own, and above them the page that tells them all.

use super::Failure;
use super::kinds::{is_suite, read_suite};
use crate::suite::{Night, Nightly, Suite};
use crate::{history, sink};
use anyhow::Context;
use std::path::Path;

/// Tells the nights of a folder anew: what became of each, and the steps in their figures.
pub fn nights(folder: &Path) -> Result<Nightly, Failure> {
    let none = || Failure::Usage(format!("error: {} holds no suite run", folder.display()));
    let nightly = gather(folder, suites(folder)?, None)?.ok_or_else(none)?;
    sink::write_nightly(folder, &nightly).with_context(|| format!("writing the files of {}", folder.display()))?;
    Ok(nightly)
}

/// The runs of suites that lie in a folder.
pub(super) fn suites(folder: &Path) -> Result<Vec<Night>, Failure> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut nights = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // What can't be read is no night: the history lists its runs as damaged.
        if is_suite(&path)
            && let Ok(suite) = read_suite(&path)
        {
            nights.push(Night { folder: name, suite });
        }
    }
    Ok(nights)
}

/// Those of the runs in a folder that are of a suite, or of the one that the last run is of, with the history of their figures.
pub(super) fn gather(folder: &Path, runs: Vec<Night>, of: Option<&Suite>) -> Result<Option<Nightly>, Failure> {
    Ok(Nightly::new(runs, &history::read(folder, false)?, of))
}
