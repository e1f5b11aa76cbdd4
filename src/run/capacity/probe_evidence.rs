//! From a probe's directory to what it shows, during the search and whenever it is told again.

use super::super::{Failure, Finished, retell_one};
use super::SearchResult;
use crate::capacity::{Capacity, ProbeEvidence, ProbeFold, SearchSettings};
use crate::record::columns::Names;
use crate::record::rows::read_rows;
use crate::report::{Report, TOOL, pretty, replace};
use crate::scenario::plan::LoadPlan;
use crate::scenario::{Severity, Slo};
use crate::sink;
use anyhow::{Context, anyhow};
use std::path::Path;

/// What a search is made of, beside its probes.
const SETTINGS: &str = "search.json";

/// Findings of a probe's audit that say that the generator was at its end. Requests that were not sent are no such thing here:
/// as many were in flight as may be, so the target was.
const GENERATOR: [&str; 4] = ["send-lag", "generator-cpu", "missed-rate", "own-limits"];

pub(super) fn write_settings(dir: &Path, settings: &SearchSettings) -> anyhow::Result<()> {
    let path = dir.join(SETTINGS);
    replace(&path, |out| pretty(out, settings)).with_context(|| format!("writing {}", path.display()))
}

/// What a finished probe shows.
pub(super) fn evidence(slo: &Slo, probe: &Finished) -> Result<ProbeEvidence, Failure> {
    let target = probe.report.targets.first();
    let Some(window) = target.and_then(|target| target.window) else {
        return Err(Failure::Other(anyhow!("{}: no request was measured", probe.dir.display())));
    };
    let open_loop = matches!(probe.report.plan.load, LoadPlan::Open(_));
    let mut gather = ProbeFold::new(slo, open_loop, window);
    let names = Names::of(&probe.report.plan);
    read_rows(&probe.dir, &names, |sample| gather.push(sample))?;
    let failures = target.map(|target| target.failures.clone()).unwrap_or_default();
    Ok(ProbeEvidence { failures, ..gather.finish(generator(&probe.report)) })
}

fn generator(report: &Report) -> Option<String> {
    let unsent = report.targets.first().and_then(|target| target.value("outcome_unsent")).is_some_and(|n| n > 0.0);
    let found = report
        .found(Severity::Invalid)
        .find(|finding| GENERATOR.contains(&finding.id.as_str()) && !(finding.id == "missed-rate" && unsent));
    found.map(|finding| finding.sentence.clone())
}

/// Whether a directory holds a search.
pub fn is_search(dir: &Path) -> bool {
    dir.join(SETTINGS).is_file()
}

/// Makes every file of a search and of its probes again.
pub fn search_again(dir: &Path) -> Result<SearchResult, Failure> {
    let path = dir.join(SETTINGS);
    let wrong = |why: String| Failure::Usage(format!("error: {}: {why}", path.display()));
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let settings: SearchSettings =
        serde_json::from_str(&text).map_err(|error| wrong(format!("not from loadcmp ({error})")))?;
    let slo = Slo::parse(&settings.slo).map_err(|error| wrong(error.to_string()))?;
    let mut all = Vec::new();
    for target in &settings.targets {
        let mut evidence_of = Vec::new();
        for tried in &target.probes {
            // Folders of this search: a name that leads elsewhere was not written by it.
            if tried.folder.contains(['/', '\\']) || tried.folder.starts_with('.') {
                return Err(wrong(format!("`{}` is not the folder of a probe", tried.folder)));
            }
            evidence_of.push(evidence(&slo, &retell_one(&dir.join("probes").join(&tried.folder))?)?);
        }
        all.push(evidence_of);
    }
    let capacity = Capacity::new(TOOL, &settings, &slo, all);
    sink::write_capacity(dir, &capacity).with_context(|| format!("writing the files of {}", dir.display()))?;
    Ok(SearchResult { capacity, dir: dir.to_owned() })
}
