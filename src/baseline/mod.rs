//! Kept runs: what later runs are held to. One file each in `baselines/`, tracked in git like the code they speak of.

use crate::gate::GateOutcome;
use crate::host::Facts;
use crate::report::{
    BaselineDelta, KeptRuns, Report, SCHEMA_VERSION, Status, TOOL, Unlike, pretty, replace, unlike_setups,
};
use crate::scenario::gate::Gate;
use crate::scenario::plan::Plan;
use crate::stats::{Nights, RunFigures};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The folder that baselines are kept in, below the current one.
pub const FOLDER: &str = "baselines";

/// A run, or several, that was kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptBaseline {
    /// Version of this document's form.
    pub schema_version: u32,
    /// What kept it, with its version.
    pub tool: String,
    /// When and why it was kept, and what it took the place of: the latest last.
    pub log: Vec<KeptRun>,
    /// The run itself, of several the last. What it was made with is its fingerprint: workload, seed, load, order, engines, models,
    /// machine. All of its runs have the same.
    pub report: Report,
    /// The figures of each of its runs, one value a run: how far runs scatter.
    #[serde(default)]
    pub nights: Nights,
}

/// One time that a run was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRun {
    /// When it was kept, UTC (RFC 3339).
    pub saved: String,
    /// Why.
    pub reason: String,
    /// When the run began, UTC (RFC 3339).
    pub started: String,
}

/// A file that should hold a baseline.
#[derive(Debug)]
pub struct BaselineFile {
    /// Its name, without the ending.
    pub name: String,
    /// What is in it, or why that can't be told.
    pub kept: Result<KeptBaseline, String>,
}

/// Whether a text can be a baseline's name: it becomes a file's.
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= 100 && text.chars().all(plain) && !text.starts_with('.')
}

/// The file of a baseline: a name stands for one in `folder`, anything with a slash or `.json` at its end for itself.
pub fn file(folder: &Path, name: &str) -> PathBuf {
    if name.contains('/') || name.ends_with(".json") {
        PathBuf::from(name)
    } else {
        folder.join(format!("{name}.json"))
    }
}

/// Why a run can't be kept; `None` if it can. `stand_ins`: whether one of stand-ins is meant.
pub fn unfit(report: &Report, stand_ins: bool) -> Option<String> {
    if report.status != Status::Complete {
        return Some("the run was interrupted".to_owned());
    }
    if let Some(finding) = report.invalid().first() {
        return Some(format!("the run is invalid: {}", finding.sentence));
    }
    if report.has_stand_in() && !stand_ins {
        return Some(
            "a stand-in answered: its figures say nothing about a real engine (--stand-ins saves it marked as such)"
                .to_owned(),
        );
    }
    let judged = report.judgement.iter().flat_map(|judgement| &judgement.gates);
    // Of stand-ins no gate is judged; one that is kept as what it is has none to pass.
    let failed = judged.filter(|judged| match judged.outcome {
        GateOutcome::Pass => false,
        // What the baseline before it could not decide is no reason to keep that one.
        GateOutcome::NotMeasured | GateOutcome::Inconclusive if of_baseline(&judged.gate) => false,
        GateOutcome::NotMeasured => !(stand_ins && report.has_stand_in()),
        GateOutcome::Fail | GateOutcome::Inconclusive => true,
    });
    let failed: Vec<String> = failed.map(|judged| format!("{} ({})", judged.gate, judged.outcome.as_str())).collect();
    (!failed.is_empty()).then(|| format!("not all gates passed: {}", failed.join(", ")))
}

fn of_baseline(gate: &str) -> bool {
    Gate::parse(gate).is_ok_and(|gate| gate.needs_baseline())
}

impl KeptBaseline {
    /// Keeps a run, with the figures of all that are kept with it (its own among them, the oldest first), in the place of what
    /// was kept before.
    pub fn new(
        report: Report,
        runs: Vec<RunFigures>,
        saved: String,
        reason: String,
        before: Option<KeptBaseline>,
    ) -> Self {
        let mut log = before.map(|before| before.log).unwrap_or_default();
        log.push(KeptRun { saved, reason, started: report.started.clone() });
        Self {
            schema_version: SCHEMA_VERSION,
            tool: TOOL.to_owned(),
            log,
            report,
            nights: Nights { runs, others: Vec::new() },
        }
    }

    /// Reads one. One of a later form is refused.
    pub fn read(path: &Path) -> io::Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let bytes = std::fs::read(path)?;
        let Version { schema_version } = serde_json::from_slice(&bytes)?;
        if schema_version > SCHEMA_VERSION {
            let known = format!("its format is version {schema_version}; this loadcmp reads version {SCHEMA_VERSION}");
            return Err(io::Error::other(known));
        }
        let mut kept: Self = serde_json::from_slice(&bytes)?;
        if kept.nights.runs.is_empty() {
            // An earlier loadcmp kept one run.
            kept.nights.runs = vec![RunFigures::of(&kept.report.started, &kept.report.targets)];
        }
        Ok(kept)
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        replace(path, |out| pretty(out, self))
    }

    /// What a run that is about to be made would differ in from this one.
    pub fn unlike(&self, plan: &Plan, machine: &Facts) -> Vec<Unlike> {
        unlike_setups((&self.report.plan, &self.report.machine), (plan, machine))
    }

    /// When its runs were made: `2026-11-21T05:00:00Z`, `5 runs, … to …`.
    pub fn told(&self) -> String {
        match self.nights.runs.first().filter(|_| self.nights.runs.len() > 1) {
            Some(first) => format!("{} runs, {} to {}", self.nights.runs.len(), first.started, self.report.started),
            None => self.report.started.clone(),
        }
    }

    /// What runs are held to.
    pub fn runs(&self) -> KeptRuns<'_> {
        KeptRuns { report: &self.report, nights: &self.nights }
    }

    /// A run beside this one.
    pub fn against(&self, name: &str, run: &Report) -> BaselineDelta {
        let last = self.log.last();
        let of = |field: fn(&KeptRun) -> &String| last.map(field).cloned().unwrap_or_default();
        BaselineDelta::new(name, &of(|entry| &entry.saved), &of(|entry| &entry.reason), self.runs(), run)
    }
}

/// Every baseline of a folder, by name; a folder that isn't there has none.
pub fn list(folder: &Path) -> io::Result<Vec<BaselineFile>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(name) = name.strip_suffix(".json").filter(|name| is_name(name)) {
            found.push(BaselineFile {
                name: name.to_owned(),
                kept: KeptBaseline::read(&path).map_err(|error| error.to_string()),
            });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::Task;

    fn kept(report: Report, before: Option<KeptBaseline>) -> KeptBaseline {
        KeptBaseline::new(report, Vec::new(), "2026-11-21T05:00:00Z".to_owned(), "first".to_owned(), before)
    }

    #[test]
    fn a_kept_run_reads_back_and_remembers_what_was_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "nightly");
        let first = kept(report(Task::Classify, false), None);
        first.write(&path).unwrap();
        std::fs::write(folder.path().join("damaged.json"), "{}").unwrap();
        std::fs::write(folder.path().join("README.md"), "").unwrap();
        let second = kept(report(Task::Classify, false), Some(KeptBaseline::read(&path).unwrap()));
        second.write(&path).unwrap();
        let found = list(folder.path()).unwrap();
        assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["damaged", "nightly"]);
        assert!(found[0].kept.is_err());
        let read = found[1].kept.as_ref().unwrap();
        assert_eq!(read.log.len(), 2);
        assert_eq!(read.unlike(&second.report.plan, &second.report.machine), []);
        assert!(list(&folder.path().join("none")).unwrap().is_empty());
        let against = read.against("nightly", &second.report);
        assert!(against.across.is_empty() && against.pairs.len() == 2, "{}", against.words());
    }

    #[test]
    fn a_baseline_that_turns_out_to_be_of_another_setup_is_not_compared_unless_asked_for() {
        let kept = kept(report(Task::Classify, false), None);
        let reason = |across: bool| {
            let mut run = report(Task::Classify, false);
            run.plan.targets[0].facts.version = Some("9".to_owned());
            let gate = crate::scenario::gate::Gate::parse("native.latency.p50 <= 2 * baseline");
            run.plan.gates.all = vec![gate.unwrap()];
            let against = kept.against("x", &run);
            run.set_baseline(Some((against, kept.runs())), across);
            run.judgement.unwrap().gates[0].reason.clone().unwrap_or_default()
        };
        assert!(reason(false).contains("has a different setup"), "{}", reason(false));
        assert!(!reason(true).contains("has a different setup"), "{}", reason(true));
    }

    #[test]
    fn what_a_run_is_made_with_is_its_fingerprint() {
        let kept = kept(report(Task::Classify, false), None);
        let mut other = report(Task::Classify, false);
        other.plan.seed = 7;
        other.plan.workload.hash = "0".repeat(64);
        other.plan.targets[0].facts.version = Some("9".to_owned());
        other.machine.logical_cores = Some(64);
        let told: Vec<String> = kept.unlike(&other.plan, &other.machine).into_iter().map(|u| u.what).collect();
        assert_eq!(told, ["prompts and sampling", "native: version", "logical cores"]);
        assert!(kept.against("x", &other).words().contains("DIFFERENT SETUPS"));
    }

    #[test]
    fn only_a_run_that_holds_is_kept() {
        let good = report(Task::Classify, false);
        assert_eq!(unfit(&good, false), None);
        let mut stopped = good.clone();
        stopped.status = Status::Interrupted;
        assert!(unfit(&stopped, false).unwrap().contains("interrupted"));
        let stand_in = report(Task::Classify, true);
        assert!(unfit(&stand_in, false).unwrap().contains("stand-in"));
        assert_eq!(unfit(&stand_in, true), None);
    }

    #[test]
    fn names_stay_in_their_folder() {
        assert!(is_name("nightly-2026.11_a"));
        for name in ["", ".", "..", ".x", "a/b", "../x", "a b", "ä"] {
            assert!(!is_name(name), "{name}");
        }
        assert_eq!(file(Path::new("b"), "x"), Path::new("b/x.json"));
        assert_eq!(file(Path::new("b"), "kept/x.json"), Path::new("kept/x.json"));
    }
}
