//! Runs that were made before, compared: nothing is sent.

use super::Failure;
use crate::report::{Relation, Report, SCHEMA_VERSION, TwoRuns};
use crate::scenario::gate::{Gate, Inconclusive};
use glob::{MatchOptions, glob_with};
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

/// The runs that are named: a results directory or its `report.json` as it is, the runs of a folder of them (the earliest first),
/// and what a pattern with `*` or `?` fits (by name).
pub fn runs_of<'a>(given: impl Iterator<Item = &'a PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    let mut runs: Vec<PathBuf> = Vec::new();
    for path in given {
        let is_pattern = !path.exists() && path.to_string_lossy().contains(['*', '?']);
        let named = if is_pattern { fitting(path) } else { vec![path.clone()] };
        if named.is_empty() {
            return Err(Failure::Usage(format!("error: nothing fits the pattern {}", path.display())));
        }
        for path in named {
            let inside = if is_run(&path) { Vec::new() } else { runs_in(&path) };
            match inside.is_empty() {
                // A pattern may fit other things, too: a page, a folder of baselines.
                true if is_pattern && !is_run(&path) => {}
                true => runs.push(path),
                false => runs.extend(inside),
            }
        }
    }
    Ok(runs)
}

/// Whether it is a run, or is to be read as one: a file, a directory with its report or its manifest, or one of two runs,
/// of which it is said which to name.
fn is_run(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "json")
        || ["report.json", "manifest.json"].iter().any(|name| path.join(name).is_file())
        || super::interference::is_of_two(path)
}

/// The runs in a folder, the earliest first.
fn runs_in(folder: &Path) -> Vec<PathBuf> {
    let inside = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let runs = inside.filter(|path| path.join("report.json").is_file());
    let mut runs: Vec<(String, PathBuf)> =
        runs.map(|path| (report_of(&path).map(|report| report.started).unwrap_or_default(), path)).collect();
    runs.sort();
    runs.into_iter().map(|(_, path)| path).collect()
}

/// The paths that a pattern fits, by name, as in a shell: a wildcard stays within its part of the path, and what is hidden has to
/// be asked for.
fn fitting(pattern: &Path) -> Vec<PathBuf> {
    let shell =
        MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, ..MatchOptions::new() };
    glob_with(&pattern.to_string_lossy(), shell).into_iter().flatten().flatten().collect()
}

/// Compares runs with the first of them: directories of results, or their `report.json`. Ratios are `other` ÷ `first`. Gates are
/// for one other run.
pub fn compare(first: &Path, others: &[PathBuf], hold: &CompareGates) -> Result<Vec<TwoRuns>, Failure> {
    if others.len() > 1 && !hold.gates.is_empty() {
        return Err(Failure::Usage(format!(
            "error: --gate judges one run against the first, and there are {}: compare them one by one",
            others.len()
        )));
    }
    let a = report_of(first)?;
    others.iter().map(|other| compare_two((first, &a), other, hold)).collect()
}

fn compare_two((first, a): (&Path, &Report), second: &Path, hold: &CompareGates) -> Result<TwoRuns, Failure> {
    let b = report_of(second)?;
    let names = (first.display().to_string(), second.display().to_string());
    let gates = hold.gates.iter().map(|text| gate(text, &b)).collect::<Result<Vec<_>, _>>()?;
    let beside = TwoRuns::new(Relation::Compare, (&names.0, a), (&names.1, &b)).map_err(|unlike| {
        let mut text =
            format!("error: {} and {} have different workloads, so ratios would mean nothing:", names.0, names.1);
        for unlike in unlike {
            text += &format!("\n  {}: {} vs {}", unlike.what, unlike.first, unlike.second);
        }
        Failure::Usage(text)
    });
    let mut beside = beside?;
    beside.judge(a, &b, gates, hold.judge_stand_ins, hold.inconclusive);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_patterns_are_the_runs_in_them() {
        let dir = tempfile::tempdir().unwrap();
        for (name, file) in [
            ("b-1", "report.json"),
            ("b-2", "report.json"),
            ("other", "x.txt"),
            ("c", "manifest.json"),
            (".d", "report.json"),
        ] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join(file), "{}").unwrap();
        }
        let of = |given: &str| {
            let runs = runs_of([dir.path().join(given)].iter()).map_err(|_| ());
            let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
            runs.map(|runs| runs.iter().map(name).collect::<Vec<_>>())
        };
        assert_eq!(of("b-*").unwrap(), ["b-1", "b-2"]);
        assert_eq!(of("").unwrap(), [".d", "b-1", "b-2"], "a folder of runs");
        assert_eq!(of("*").unwrap(), ["b-1", "b-2", "c"]);
        assert_eq!(of("?-[2-9]").unwrap(), ["b-2"]);
        assert_eq!(of("b-2").unwrap(), ["b-2"]);
        assert_eq!(of("gone").unwrap(), ["gone"], "what is wrong with it is said when it is read");
        assert!(of("z*").is_err());
    }
}
