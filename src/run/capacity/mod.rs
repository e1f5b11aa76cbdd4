//! Drives a search for capacity: each probe is an ordinary run of one target, in a folder of its own, with the load that the
//! search asks for. The same seeds, lengths and warm-up for every target, who take turns.

mod load;
mod probe_evidence;
mod seek;

use super::progress::SearchBar;
use super::{Failure, Options, found, free, now, results_directory, tokens, unless_signalled};
use crate::capacity::{By, Capacity, Reach, SearchSettings, Searched};
use crate::record::Stopwatch;
use crate::scenario::plan::{GatesPlan, Plan};
use crate::scenario::{Loaded, Scenario, Slo, Span, most_at_once};
use anyhow::Context;
use load::Shape;
pub use probe_evidence::{is_search, search_again};
use seek::Seeker;
use std::path::PathBuf;
use std::time::Duration;

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Search {
    /// The limits: `ttft.p95 <= 300ms and errors <= 1%`; without them the scenario's `slo` is taken.
    pub slo: Option<String>,
    /// What is varied.
    pub by: By,
    /// Where the last pass and the first fail lie this near (relative), it is found.
    pub precision: f64,
    /// Time for all of it, of all targets.
    pub budget: Duration,
    /// Length of a short probe's window.
    pub probe: Duration,
    /// The first load; none is chosen by what one request at a time takes.
    pub start: Option<f64>,
    /// The most that is tried.
    pub most: Option<f64>,
}

/// What a search came to.
pub struct SearchResult {
    /// The document.
    pub capacity: Capacity,
    /// Where it lies.
    pub dir: PathBuf,
}

/// Shortest load before a window.
const WARMUP: Duration = Duration::from_secs(1);
/// Longest pause between two probes.
const SETTLE: Duration = Duration::from_millis(500);

/// Searches for what each target sustains. Everything that isn't the result goes to standard error.
pub async fn capacity(loaded: Loaded, search: &Search, options: &Options) -> Result<SearchResult, Failure> {
    let slo = limits(search, &loaded.scenario)?;
    options.out.as_deref().map_or(Ok(()), free)?;
    let shape = Shape::of(&loaded.scenario, search.by);
    let mut prepared = found(loaded, options).await?;
    unless_signalled(tokens::fit(&mut prepared, tokens::Asking::Requests, options.quiet)).await?;
    // The limits of the search are what probes are judged by.
    prepared.plan.gates = GatesPlan::default();
    // A search is about load, and an engine that a probe starts anew ends with the probe.
    prepared.plan.cold_start = None;
    if let Some(limit) = slo.needs_stream().filter(|_| !prepared.plan.workload.stream) {
        return Err(Failure::Usage(format!(
            "error: `{}` needs streamed answers, and this scenario doesn't stream\n  write `workload: {{ stream: true \
             }}`, or limit `latency` instead",
            limit.subject()
        )));
    }
    let dir = results_directory(&prepared, options)?;
    prepared.log_into(&dir);
    let probes = dir.join("probes");
    std::fs::create_dir(&probes).with_context(|| format!("creating {}", probes.display()))?;
    let mut seeker = Seeker {
        settings: settings(&prepared.plan.told(), search, &slo, &shape),
        evidence: vec![Vec::new(); prepared.plan.targets.len()],
        prepared: &prepared,
        options: Options { quiet: true, driver: crate::drive::Driver::Native, ..options.clone() },
        quiet: options.quiet,
        bar: SearchBar::start(search.budget, options.quiet),
        clock: Stopwatch::start(),
        slo,
        dir: dir.clone(),
        shape,
        stopped: false,
        made: 0,
        slow: false,
        long: vec![None; prepared.plan.targets.len()],
    };
    let driven = seeker.drive(search).await;
    if let Err(Failure::Target(why)) = &driven {
        seeker.settings.refused = Some(why.clone());
    }
    // What was found so far is told, however it ended.
    let capacity = seeker.finish()?;
    driven?;
    Ok(SearchResult { capacity, dir })
}

/// The limits to search by.
fn limits(search: &Search, scenario: &Scenario) -> Result<Slo, Failure> {
    let Some(text) = search.slo.as_ref().or(scenario.slo.as_ref()) else {
        return Err(Failure::Usage(
            "error: no limits given\n  give --slo 'ttft.p95 <= 300ms and errors <= 1%', or add `slo` to the scenario"
                .to_owned(),
        ));
    };
    let slo = Slo::parse(text).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(slo.with_errors())
}

fn settings(plan: &Plan, search: &Search, slo: &Slo, shape: &Shape) -> SearchSettings {
    let target = |target: &crate::scenario::plan::TargetPlan| Searched {
        name: target.name.clone(),
        stand_in: target.stand_in,
        engine: target.facts.engine.as_ref().map(|engine| match &target.facts.version {
            Some(version) => format!("{engine} {version}"),
            None => engine.clone(),
        }),
        model: target.model.clone(),
        alone_us: None,
        alone: None,
        probes: Vec::new(),
        ended: None,
    };
    let start = search.start.unwrap_or(1.0);
    let (least, most) = match search.by {
        // More users than a server has connections for can't be asked for.
        By::Users => (
            1.0,
            search.most.unwrap_or_else(|| {
                let targets = plan.targets.iter().map(|target| &target.spec);
                most_at_once(targets, plan.workload.stream).map_or(1024.0, f64::from)
            }),
        ),
        By::Rate => (start / 64.0, search.most.unwrap_or(start * 4096.0)),
    };
    SearchSettings {
        name: plan.name.clone(),
        about: plan.about.clone(),
        slo: slo.text(),
        errors_added: slo.errors_added,
        reach: Reach {
            by: search.by,
            start,
            least: least.min(start),
            most: most.max(start),
            precision: search.precision,
        },
        budget: Span(search.budget),
        probe: Span(search.probe),
        warmup: Span(WARMUP.min(search.probe / 2)),
        settle: Span(SETTLE.min(search.probe / 5)),
        load: shape.words(),
        smallest_effect: plan.smallest_effect,
        reference: plan.reference,
        targets: plan.targets.iter().map(target).collect(),
        started: now(),
        ended: None,
        refused: None,
    }
}
