//! What goes on beside the load: reading what the machine and the engines' processes use, and the engines' own
//! published metrics; and what is told of it afterwards.

use super::tell;
use crate::drive::LaneWindow;
use crate::host::{Conditions, Edges, Model, ProcessLookup, Published, Recall, Stopped, Stretch, Usage, Watch};
use crate::record::{Nanos, Stopwatch};
use crate::report::{Levels, Manifest};
use crate::scenario::Address;
use crate::scenario::plan::{Endpoint, Plan, TargetPlan};
use crate::sink::{MetricsFile, ResourcesFile, read_metrics, read_resources};
use crate::target::scrape::{Page, Scraped, Scraper};
use anyhow::Context;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// All that watches a run.
pub(super) struct Watching {
    watch: Watch,
    scraper: Option<Scraper>,
    published: Arc<Mutex<Vec<Published>>>,
    stopped: Arc<Mutex<Vec<Stopped>>>,
    names: Vec<String>,
}

impl Watching {
    /// Starts it; the rows are appended to files of the results directory.
    pub(super) fn start(plan: &Plan, clock: Stopwatch, dir: &Path) -> anyhow::Result<Self> {
        let mut file = ResourcesFile::create(dir, plan).context("writing resources.csv")?;
        let sought = plan.targets.iter().map(|target| ProcessLookup {
            name: target.name.clone(),
            endpoint: target.endpoint.clone(),
            process: target.spec.process().cloned(),
            model: Model { name: target.model.clone(), blobs: target.facts.blobs.clone() },
        });
        let stopped = Arc::new(Mutex::new(Vec::new()));
        let given_up = stopped.clone();
        let take = move |rows: &[Usage]| {
            let at_s = rows.first().map_or(0.0, |row| row.t_s);
            give_up(&given_up, "resources.csv", at_s, file.append(rows));
        };
        let watch =
            Watch::start(move || clock.now().seconds(), sought.collect(), take).context("watching the machine")?;
        let published = Arc::new(Mutex::new(vec![Published::default(); plan.targets.len()]));
        let pages = pages(plan);
        let scraper = if pages.is_empty() {
            None
        } else {
            let mut file = MetricsFile::create(dir, plan).context("writing metrics.csv")?;
            let published = published.clone();
            let given_up = stopped.clone();
            let take = move |figures: &[Scraped]| {
                let at_s = figures.first().map_or(0.0, |figure| figure.t_s);
                give_up(&given_up, "metrics.csv", at_s, file.append(figures));
                note(&mut crate::host::lock(&published), figures);
            };
            Some(Scraper::start(pages, clock, take).context("reading the engines' own figures")?)
        };
        let names = plan.targets.iter().map(|target| target.name.clone()).collect();
        Ok(Self { watch, scraper, published, stopped, names })
    }

    /// What tells it of windows' edges.
    pub(super) fn edges(&self) -> Edges {
        self.watch.edges()
    }

    /// Stops it, and gives what it comes to over the measured stretches.
    pub(super) fn stop(self, quiet: bool) -> impl Fn(&[Stretch]) -> Conditions {
        let watched = self.watch.stop();
        let silent = self.scraper.map(Scraper::stop).unwrap_or_default();
        for (at, why) in silent.iter().filter(|_| !quiet) {
            let name = self.names.get(*at).map(String::as_str).unwrap_or_default();
            tell(format!("loadcmp: `{name}`: its `metrics` were not read: {why}"));
        }
        let published = crate::host::lock(&self.published).clone();
        let stopped = crate::host::lock(&self.stopped).clone();
        move |stretches| {
            let mut conditions = watched.conditions(stretches);
            conditions.stopped.clone_from(&stopped);
            for (at, told) in published.iter().enumerate() {
                conditions.publish(at, told, stretches);
            }
            conditions
        }
    }
}

/// Says that a file can't be written any more, and keeps it for the report. It is an error once for each.
fn give_up(stopped: &Mutex<Vec<Stopped>>, file: &str, at_s: f64, written: std::io::Result<()>) {
    let Err(error) = written else { return };
    tell(format!("loadcmp: {file} ends {at_s:.0} s into the run, because it can't be written: {error}"));
    crate::host::lock(stopped).push(Stopped { file: file.to_owned(), at_s: at_s.round(), why: error.to_string() });
}

/// The pages that targets name.
fn pages(plan: &Plan) -> Vec<Page> {
    let page = |(target, planned): (usize, &TargetPlan)| {
        let url = planned.spec.metrics()?.to_owned();
        Some(Page { target, own: is_own(planned, &url), spec: planned.spec.clone(), url })
    };
    plan.targets.iter().enumerate().filter_map(page).collect()
}

/// Whether a page is of the very server that a target is, and so may have its token and headers.
fn is_own(target: &TargetPlan, page: &str) -> bool {
    let (Endpoint::Tcp { host, port, tls, .. }, Ok(page)) = (&target.endpoint, Address::parse(page)) else {
        return false;
    };
    page.host.eq_ignore_ascii_case(host) && page.port_or_default() == *port && page.tls == *tls
}

/// Keeps what is folded of a page: a server of several processes tells each, and their sum counts.
fn note(published: &mut [Published], figures: &[Scraped]) {
    let Some(first) = figures.first() else { return };
    let Some(told) = published.get_mut(first.target) else { return };
    let sum = |name: &str| {
        let all = figures.iter().filter(|figure| figure.metric == name).map(|figure| figure.value);
        all.reduce(|sum, one| sum + one).map(|value| (first.t_s, value))
    };
    told.cpu_s.extend(sum("process_cpu_seconds_total"));
    told.rss_bytes.extend(sum("process_resident_memory_bytes"));
}

/// The measured windows as stretches of time, each to its end or that of the run, whichever came first.
pub(super) fn stretches(windows: &[LaneWindow], end: Nanos) -> Vec<Stretch> {
    let stretch = |window: &LaneWindow| Stretch {
        target: window.target,
        from_s: window.from.seconds(),
        to_s: window.to.unwrap_or(end).min(end).seconds(),
    };
    windows.iter().map(stretch).collect()
}

/// How the machine fared in a run that was killed before it could say, as far as its rows tell.
pub(super) fn recalled(dir: &Path, manifest: &Manifest) -> Option<Conditions> {
    let mut recall = Recall::new(manifest.plan.targets.iter().map(|target| target.name.clone()).collect());
    if let Err(error) = read_resources(dir, &manifest.plan, |row| recall.push(&row)) {
        tell(format!("loadcmp: resource use of the processes is left out: {error}"));
        return None;
    }
    let end = recall.until_s().map(|s| Nanos((s * 1e9) as u64))?;
    let stretches = stretches(&manifest.windows, end);
    let mut conditions = recall.conditions(&stretches);
    let mut published = vec![Published::default(); manifest.plan.targets.len()];
    if let Err(error) = read_metrics(dir, &manifest.plan, |figures| note(&mut published, figures)) {
        tell(format!("loadcmp: the engines' own published metrics are left out: {error}"));
        return Some(conditions);
    }
    for (at, told) in published.iter().enumerate() {
        conditions.publish(at, told, &stretches);
    }
    Some(conditions)
}

/// What stood at which level when, as far as the rows of a run tell.
pub(super) fn levels(dir: &Path, plan: &Plan) -> Levels {
    let mut levels = Levels::default();
    if let Err(error) = read_resources(dir, plan, |row| levels.push(&row)) {
        tell(format!("loadcmp: memory over time is left out: {error}"));
    }
    levels
}
