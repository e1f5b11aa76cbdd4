//! The baseline that a run is held to: found and looked at before any load is sent, kept beside the results.

use super::{Failure, Options};
use crate::baseline::{self, FOLDER, KeptBaseline};
use crate::host;
use crate::report::{Report, Unlike};
use crate::scenario::plan::Plan;
use crate::scenario::{Loaded, data_path};
use crate::stats::Nights;
use std::path::{Path, PathBuf};

/// The copy in a run's directory: with it the run is told again as it was.
pub(super) const COPY: &str = "baseline.json";

/// A baseline and what it goes by.
pub(super) struct Baseline {
    name: String,
    kept: KeptBaseline,
    across: bool,
}

/// The baseline that a scenario names.
pub(super) struct Named {
    /// Its name or path.
    path: Option<String>,
    /// The same as it may be told.
    shown: Option<String>,
    /// The directory that a path starts from.
    base: PathBuf,
}

impl Named {
    pub(super) fn of(loaded: &Loaded) -> Self {
        let path = loaded.scenario.baseline.clone();
        let shown = loaded.scenario.shown.as_ref().map_or_else(|| path.clone(), |shown| shown.baseline.clone());
        Self { path, shown, base: loaded.base.clone() }
    }
}

/// The baseline that the command line or the scenario names. It has to be there, and of the same setup as the plan, unless
/// the comparison is asked for across what differs.
pub(super) fn baseline(named: &Named, plan: &Plan, options: &Options) -> Result<Option<Baseline>, Failure> {
    let base = named.base.as_path();
    let folder = options.baselines.clone().unwrap_or_else(|| PathBuf::from(FOLDER));
    let (name, path) = match (&options.baseline, named.path.as_deref()) {
        (Some(name), _) => (name.as_str(), baseline::file(&folder, name)),
        // A path in a scenario starts from the scenario, which may come from someone else: it stays near it.
        (None, Some(name)) => match baseline::file(&folder, name) {
            path if path == Path::new(name) => {
                let path = data_path(base, &path);
                (name, path.map_err(|why| Failure::Usage(format!("error: `baseline`: {why}")))?)
            }
            path => (name, path),
        },
        (None, None) => {
            let needs = plan.gates.all.iter().find(|gate| gate.needs_baseline());
            return needs.map_or(Ok(None), |gate| {
                let text = format!(
                    "error: the gate `{}` needs a baseline\n  name one with --baseline, or as `baseline:` in the \
                     scenario; save one with: loadcmp baseline save NAME DIR --reason WHY",
                    gate.text
                );
                Err(Failure::Usage(text))
            });
        }
    };
    let mut kept = read(&folder, name, &path)?;
    super::keep::scatter(&mut kept, options.out.as_deref(), None);
    let name = if options.baseline.is_none() { named.shown.as_deref().unwrap_or(name) } else { name };
    let unlike = kept.unlike(&plan.told(), &host::facts());
    if !unlike.is_empty() && !options.across {
        return Err(refused(name, &unlike, "now"));
    }
    Ok(Some(Baseline { name: shown(name), kept, across: options.across }))
}

/// What a baseline goes by in reports: its name without folders and ending.
fn shown(name: &str) -> String {
    Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// Reads a baseline; a wrong one is told with those that are there.
pub(super) fn read(folder: &Path, name: &str, path: &Path) -> Result<KeptBaseline, Failure> {
    KeptBaseline::read(path).map_err(|error| {
        let mut text = format!("error: no baseline `{name}`: {} ", path.display());
        text += &match error.kind() {
            std::io::ErrorKind::NotFound => "doesn't exist".to_owned(),
            _ => format!("can't be read ({error})"),
        };
        let names: Vec<String> =
            baseline::list(folder).unwrap_or_default().into_iter().map(|found| found.name).collect();
        if !names.is_empty() {
            text += &format!("\n  in {}: {}", folder.display(), names.join(", "));
        }
        Failure::Usage(text)
    })
}

impl Baseline {
    /// Keeps a copy beside the results.
    pub(super) fn copy(&self, dir: &Path) -> std::io::Result<()> {
        #[derive(serde::Serialize)]
        struct Named<'a> {
            name: &'a str,
            kept: &'a KeptBaseline,
            across: bool,
        }
        crate::report::replace(&dir.join(COPY), |out| {
            crate::report::pretty(out, &Named { name: &self.name, kept: &self.kept, across: self.across })
        })
    }
}

/// The baseline whose copy lies in a run's directory: its last run, and what is known of all of them.
pub(super) fn copied(dir: &Path) -> anyhow::Result<Option<(Report, Nights)>> {
    Ok(read_copy(dir)?.map(|copy| (copy.kept.report, copy.kept.nights)))
}

#[derive(serde::Deserialize)]
struct Copied {
    name: String,
    kept: KeptBaseline,
    /// Whether it is compared whatever differs; a copy of an earlier loadcmp, which doesn't say so, was.
    #[serde(default = "yes")]
    across: bool,
}

fn yes() -> bool {
    true
}

fn read_copy(dir: &Path) -> anyhow::Result<Option<Copied>> {
    match std::fs::read(dir.join(COPY)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Puts a run beside the baseline whose copy lies in its directory, and judges its gates.
pub(super) fn judge(dir: &Path, report: &mut Report) -> anyhow::Result<()> {
    let copy = read_copy(dir)?;
    let against = copy.as_ref().map(|copy| (copy.kept.against(&copy.name, report), copy.kept.runs()));
    report.set_baseline(against, copy.as_ref().is_some_and(|copy| copy.across));
    Ok(())
}

/// Reads a baseline by its name or path.
pub fn kept(folder: &Path, name: &str) -> Result<KeptBaseline, Failure> {
    read(folder, name, &baseline::file(folder, name))
}

/// The run of a directory held to a baseline; nothing is written.
pub fn check_against(folder: &Path, name: &str, dir: &Path, across: bool) -> Result<Report, Failure> {
    let mut kept = kept(folder, name)?;
    let mut report = super::report_of(dir)?;
    super::keep::scatter(&mut kept, Some(dir), Some(&report.started));
    let unlike = kept.unlike(&report.plan, &report.machine);
    if !unlike.is_empty() && !across {
        return Err(refused(name, &unlike, "in the run"));
    }
    let against = kept.against(&shown(name), &report);
    report.set_baseline(Some((against, kept.runs())), across);
    Ok(report)
}

/// Why a baseline of another setup isn't compared with.
fn refused(name: &str, unlike: &[Unlike], other: &str) -> Failure {
    let mut text = format!("error: the baseline `{name}` has a different setup:");
    for unlike in unlike {
        text += &format!("\n  {}: {} in the baseline, {} {other}", unlike.what, unlike.first, unlike.second);
    }
    Failure::Usage(text + "\n  --across compares them anyway; every file then says so")
}
