//! Keeping runs as a baseline: those of directories, or the last of a history. And what a history says of how far runs scatter,
//! where a baseline has too few of its own.

use super::{Failure, is_suite, now, retell};
use crate::baseline::{self, KeptBaseline};
use crate::history::{self, INDEX, RunEntry, RunState};
use crate::report::{Report, unlike_setups};
use crate::stats::{LEAST_RUNS, RunFigures};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// The folder of results that nobody has to name.
pub const RESULTS: &str = "results";

/// Which runs are kept.
#[derive(Clone, Copy, Debug)]
pub enum Keep<'a> {
    /// Those of these directories.
    Dirs(&'a [PathBuf]),
    /// The last of a folder of results that have the setup of the last one.
    Last {
        /// How many.
        runs: usize,
        /// The folder.
        folder: &'a Path,
        /// Of this scenario; may be left out where the folder has one.
        scenario: Option<&'a str>,
    },
}

/// Keeps runs as a baseline.
///
/// # Errors
/// No reason, no runs, one that can't be kept, or runs of unlike setups; a file that can't be read or written.
pub fn keep(path: &Path, which: Keep<'_>, reason: &str, stand_ins: bool) -> Result<KeptBaseline, Failure> {
    if reason.is_empty() {
        return Err(Failure::Usage("error: a baseline needs a reason: --reason TEXT".to_owned()));
    }
    let dirs = match which {
        Keep::Dirs(dirs) => dirs.to_vec(),
        Keep::Last { runs, folder, scenario } => last(runs, folder, scenario, stand_ins)?,
    };
    let mut kept: Vec<(jiff::Timestamp, &Path, RunFigures)> = Vec::new();
    let mut latest: Option<(jiff::Timestamp, &Path, Report)> = None;
    for dir in &dirs {
        // Told again from its samples: what is kept is what was measured, whatever became of the report.
        let report = retell(dir)?.report;
        if let Some(why) = baseline::unfit(&report, stand_ins) {
            return Err(Failure::Usage(format!("error: {} can't become a baseline: {why}", dir.display())));
        }
        let began = report.started.parse().with_context(|| format!("when {} began", dir.display()))?;
        if let Some((_, same, _)) = kept.iter().find(|(at, _, _)| *at == began) {
            let text = format!("error: {} and {} are the same run", same.display(), dir.display());
            return Err(Failure::Usage(text));
        }
        kept.push((began, dir, RunFigures::of(&report.started, &report.targets)));
        if let Some((_, other, first)) = &latest {
            let unlike = unlike_setups((&first.plan, &first.machine), (&report.plan, &report.machine));
            if let Some(unlike) = unlike.first() {
                let (a, b) = (other.display(), dir.display());
                let text =
                    format!("error: {a} and {b} have different setups and can't form one baseline: {}", unlike.words());
                return Err(Failure::Usage(text));
            }
        }
        if latest.as_ref().is_none_or(|(at, _, _)| began > *at) {
            latest = Some((began, dir, report));
        }
    }
    let Some((_, _, report)) = latest else {
        let text = "error: no runs given: name their directories, or save the last runs of a results folder with \
                    --last 5";
        return Err(Failure::Usage(text.to_owned()));
    };
    let before = match KeptBaseline::read(path) {
        Ok(kept) => Some(kept),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Failure::Usage(format!("error: {} is in the way: {error}", path.display())));
        }
    };
    kept.sort_by_key(|(began, _, _)| *began);
    let runs = kept.into_iter().map(|(_, _, figures)| figures).collect();
    let kept = KeptBaseline::new(report, runs, now(), reason.to_owned(), before);
    kept.write(path).with_context(|| format!("writing {}", path.display()))?;
    Ok(kept)
}

/// The directories of the last runs of a folder that have the setup of the last one, the oldest first.
fn last(runs: usize, folder: &Path, scenario: Option<&str>, stand_ins: bool) -> Result<Vec<PathBuf>, Failure> {
    let usage = |why: String| Failure::Usage(format!("error: {}: {why}", folder.display()));
    if !folder.is_dir() {
        return Err(usage("is not a results folder; name one with --results".to_owned()));
    }
    let told = history::read(folder, false)?;
    let meant = told.entries.iter().filter(|entry| scenario.is_none_or(|name| entry.plan.name == name));
    let meant: Vec<&RunEntry> = meant.filter(|entry| entry.state() == RunState::Complete).collect();
    let fit: Vec<&RunEntry> = meant.iter().copied().filter(|entry| stand_ins || !entry.has_stand_in()).collect();
    let Some(anchor) = fit.last() else {
        let why = if meant.is_empty() { "" } else { " of real engines (--stand-ins allows runs with stand-ins)" };
        let of = scenario.map(|name| format!(" of scenario `{name}`")).unwrap_or_default();
        return Err(usage(format!("holds no complete and valid run{of}{why}")));
    };
    if let Some(other) = fit.iter().find(|entry| entry.plan.name != anchor.plan.name) {
        let why = format!(
            "holds several scenarios (`{}`, `{}`): name one with --scenario",
            anchor.plan.name, other.plan.name
        );
        return Err(usage(why));
    }
    let unlike = |entry: &RunEntry| unlike_setups((&anchor.plan, &anchor.machine), (&entry.plan, &entry.machine));
    let like: Vec<&RunEntry> = fit.iter().copied().filter(|entry| unlike(entry).is_empty()).collect();
    if like.len() < runs {
        let other = fit.iter().rev().find_map(|entry| Some((&entry.dir, unlike(entry).into_iter().next()?)));
        let other =
            other.map(|(dir, unlike)| format!("; the latest one left out, {dir}, has another {}", unlike.words()));
        let why = format!(
            "holds {} run{} of the setup of {} that ended and {} valid, and not {runs}{}",
            like.len(),
            if like.len() == 1 { "" } else { "s" },
            anchor.dir,
            if like.len() == 1 { "is" } else { "are" },
            other.unwrap_or_default()
        );
        return Err(usage(why));
    }
    Ok(like[like.len() - runs..].iter().map(|entry| folder.join(&entry.dir)).collect())
}

/// Lets a baseline of too few runs take the scatter of runs from the history that a run joins: those of the same setup in its
/// folder of results. `dir` is the run's directory, or none for the usual place; `except` a run that is no part of it.
pub(super) fn scatter(kept: &mut KeptBaseline, dir: Option<&Path>, except: Option<&str>) {
    let runs = &kept.nights.runs;
    if runs.is_empty() || runs.len() >= LEAST_RUNS {
        return;
    }
    let Some(folder) = dir.map_or_else(|| Some(PathBuf::from(RESULTS)), folder_of) else { return };
    // Without a folder, or one that can't be read, the scatter isn't known, and the report says so.
    let Ok(told) = history::read(&folder, false) else { return };
    let known = |started: &str| except == Some(started) || runs.iter().any(|run| run.started == started);
    let like = |entry: &&RunEntry| {
        entry.state() == RunState::Complete
            && !known(&entry.started)
            && kept.unlike(&entry.plan, &entry.machine).is_empty()
    };
    let figures = |entry: &RunEntry| RunFigures { started: entry.started.clone(), targets: entry.targets.clone() };
    kept.nights.others = told.entries.iter().filter(like).map(figures).collect();
}

/// The folder of results that a run's directory lies in; `None` where it is no such folder, and might be anything.
fn folder_of(dir: &Path) -> Option<PathBuf> {
    let above = |dir: &Path| {
        let parent = dir.parent()?;
        Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
    };
    let folder = above(dir)?;
    // A night of a suite: its runs of other nights lie in the folders beside it.
    if is_suite(&folder) {
        return above(&folder);
    }
    let named = folder.file_name().is_some_and(|name| name == RESULTS);
    (named || folder.join(INDEX).is_file()).then_some(folder)
}
