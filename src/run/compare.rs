//! Runs that were made before, compared: nothing is sent.

use super::Failure;
use crate::report::{Beside, Relation, Report, SCHEMA_VERSION};
use crate::scenario::gate::{Gate, Inconclusive};
use std::path::{Path, PathBuf};

/// What the second of two runs is held to.
#[derive(Clone, Debug, Default)]
pub struct CompareGates {
    /// The gates, as they were written; what they call the baseline is the first run.
    pub gates: Vec<String>,
    /// Whether stand-ins are judged like real engines.
    pub judge_stand_ins: bool,
    /// What an inconclusive gate does to the exit code.
    pub inconclusive: Inconclusive,
}

/// Compares runs with the first of them: directories of results, or their `report.json`. Ratios are `other` ÷ `first`. Gates are
/// for one other run.
pub fn compare(first: &Path, others: &[PathBuf], hold: &CompareGates) -> Result<Vec<Beside>, Failure> {
    if others.len() > 1 && !hold.gates.is_empty() {
        return Err(Failure::Usage(format!(
            "error: --gate judges one run against the first, and there are {}: compare them one by one",
            others.len()
        )));
    }
    let a = report_of(first)?;
    others.iter().map(|other| compare_two((first, &a), other, hold)).collect()
}

fn compare_two((first, a): (&Path, &Report), second: &Path, hold: &CompareGates) -> Result<Beside, Failure> {
    let b = report_of(second)?;
    let names = (first.display().to_string(), second.display().to_string());
    let gates = hold.gates.iter().map(|text| gate(text, &b)).collect::<Result<Vec<_>, _>>()?;
    let beside = Beside::new(Relation::Compare, (&names.0, a), (&names.1, &b)).map_err(|unlike| {
        let mut text =
            format!("error: {} and {} have different workloads, so ratios would mean nothing:", names.0, names.1);
        for unlike in unlike {
            text += &format!("\n  {}: {} vs {}", unlike.what, unlike.first, unlike.second);
        }
        Failure::Usage(text)
    });
    let mut beside = beside?;
    beside.hold(a, &b, gates, hold.judge_stand_ins, hold.inconclusive);
    Ok(beside)
}

/// A gate of the command line, on a run that has the targets it names.
fn gate(text: &str, run: &Report) -> Result<Gate, Failure> {
    let wrong = |why: String| Failure::Usage(format!("error: --gate '{text}': {why}"));
    let gate = Gate::parse(text).map_err(|error| wrong(error.to_string()))?;
    let known = |name: &str| run.targets.iter().any(|target| target.name == name);
    if let Some(name) = gate.targets().find(|name| !known(name)) {
        let names: Vec<&str> = run.targets.iter().map(|target| target.name.as_str()).collect();
        return Err(wrong(format!("the second run has no target `{name}`; it has {}", names.join(", "))));
    }
    Ok(gate)
}

/// Reads a report: `report.json` of a directory, or a file.
pub fn report_of(path: &Path) -> Result<Report, Failure> {
    let file = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
    let wrong = |why: String| Failure::Usage(format!("error: {}: {why}", path.display()));
    let bytes = std::fs::read(&file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound if path.is_dir() && path.join("manifest.json").is_file() => {
            wrong("has no report.json; create it with: loadcmp report DIR".to_owned())
        }
        std::io::ErrorKind::NotFound if super::interference::is_of_two(path) => {
            wrong("holds two runs; name one of them: its folder `concurrent` or `isolated`".to_owned())
        }
        std::io::ErrorKind::NotFound if super::is_sweep(path) => {
            wrong("holds a sweep; name one of its runs: a folder in its `points`".to_owned())
        }
        std::io::ErrorKind::NotFound if super::is_repeats(path) => {
            wrong("holds several runs of one plan; name one of them: a folder in its `repeats`".to_owned())
        }
        std::io::ErrorKind::NotFound if path.is_dir() => {
            wrong("is not a results directory: it has no report.json".to_owned())
        }
        _ => wrong(format!("can't be read: {error}")),
    })?;
    // The version first: a later form need not fit the types.
    #[derive(serde::Deserialize)]
    struct Version {
        schema_version: u32,
    }
    let not_ours = |error: serde_json::Error| wrong(format!("is not a loadcmp report ({error})"));
    let Version { schema_version } = serde_json::from_slice(&bytes).map_err(not_ours)?;
    if schema_version > SCHEMA_VERSION {
        return Err(wrong(format!(
            "its format is version {schema_version}; this loadcmp reads version {SCHEMA_VERSION}"
        )));
    }
    serde_json::from_slice(&bytes).map_err(not_ours)
}
