//! What sharing the machine costs each target: the same load twice, on all targets at once and on one after another, and
//! the two runs beside each other.

use super::{Failure, Finished, Options, Prepared, measure, retell_one};
use crate::record::Stopwatch;
use crate::report::{Relation, TwoRuns, replace};
use crate::scenario::Order;
use crate::sink;
use anyhow::Context;
use std::path::{Path, PathBuf};

/// The two runs' folders, in the order in which they are driven.
const PARTS: [(&str, Order); 2] = [("concurrent", Order::Concurrent), ("isolated", Order::Isolated)];

const MANIFEST: &str = "manifest.json";

/// Whether a directory holds the two runs of an interference measurement, or the first of them.
pub(super) fn is_of_two(dir: &Path) -> bool {
    made(dir).next().is_some() && !dir.join(MANIFEST).is_file()
}

/// The folders of the two runs.
pub(super) fn folders(dir: &Path) -> impl Iterator<Item = PathBuf> {
    PARTS.iter().map(|(name, _)| dir.join(name))
}

/// Those of the runs that were begun.
fn made(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let all = folders(dir);
    all.filter(|part| part.join(MANIFEST).is_file()).collect::<Vec<_>>().into_iter()
}

/// Drives both, each into a folder of its own, and tells them beside each other.
pub(super) async fn run(
    mut prepared: Prepared,
    clock: Stopwatch,
    dir: &Path,
    options: &Options,
) -> Result<Finished, Failure> {
    let mut runs = Vec::new();
    for (name, order) in PARTS {
        let part = dir.join(name);
        std::fs::create_dir(&part).with_context(|| format!("creating {}", part.display()))?;
        prepared.plan.order = order;
        let targets = prepared.targets(clock)?;
        let finished = measure(&prepared, targets, clock, part, options, None).await?;
        let interrupted = finished.report.status != crate::report::Status::Complete;
        runs.push(finished);
        if interrupted {
            break;
        }
    }
    tell(dir, runs)
}

/// Makes every file of both runs again.
pub(super) fn retell(dir: &Path) -> Result<Finished, Failure> {
    let runs = made(dir).map(|part| retell_one(&part)).collect::<Result<Vec<_>, _>>()?;
    tell(dir, runs)
}

/// Writes what the runs say together. One that was interrupted in its first half has nothing to be held against.
fn tell(dir: &Path, mut runs: Vec<Finished>) -> Result<Finished, Failure> {
    let dir = dir.to_owned();
    let Some(Finished { report: isolated, .. }) = (if runs.len() == PARTS.len() { runs.pop() } else { None }) else {
        let first = runs.pop().map(|first| Finished { dir, ..first });
        return first.ok_or_else(|| Failure::Other(anyhow::anyhow!("no run was made")));
    };
    let Some(Finished { report: concurrent, .. }) = runs.pop() else {
        return Err(Failure::Other(anyhow::anyhow!("no run was made")));
    };
    let beside = TwoRuns::new(Relation::Interference, ("isolated", &isolated), ("concurrent", &concurrent))
        .map_err(|unlike| Failure::Other(anyhow::anyhow!("the two runs have different workloads: {unlike:?}")))?;
    let write = |name: &str, sink: fn(&TwoRuns, &mut dyn std::io::Write) -> std::io::Result<()>| {
        replace(&dir.join(name), |out| sink(&beside, out)).with_context(|| format!("writing {name}"))
    };
    write("interference.csv", sink::compare_csv)?;
    write("interference.json", sink::compare_json)?;
    write("interference.md", sink::compare_markdown)?;
    Ok(Finished { report: concurrent, dir, alone: Some(Box::new((isolated, beside))) })
}
