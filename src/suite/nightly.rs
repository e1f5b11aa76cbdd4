//! The nights of a suite, told: what became of each, and how its figures went from night to night.

use super::Suite;
use crate::history::{Filter, History, Series, StepTold, Trend, TrendQuery, trends};
use crate::metrics::followed;
use crate::report::TOOL;
use crate::stats::StepsBy;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Version of the form of `nightly.json`.
pub const NIGHTLY_VERSION: u32 = 1;

/// One night.
#[derive(Clone, Debug, Serialize)]
pub struct Night {
    /// Its folder, from the nights'.
    pub folder: String,
    /// What came of it.
    pub suite: Suite,
}

/// The nights of a suite.
#[derive(Clone, Debug, Serialize)]
pub struct Nightly {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The program and version that wrote it.
    pub tool: String,
    /// The suite.
    pub name: String,
    /// The nights, the oldest first; none is no document.
    pub nights: Vec<Night>,
    /// The main metric of each scenario, as its last run declared it.
    pub primary: BTreeMap<String, String>,
    /// The figures that were followed, each over the scenarios of the last night.
    pub trends: Vec<Trend>,
}

impl Nightly {
    /// The nights of a suite, or of the one that the last night is of. `None` without a night.
    pub fn new(mut nights: Vec<Night>, history: &History, of: Option<&Suite>) -> Option<Self> {
        nights.sort_by(|a, b| a.suite.started.cmp(&b.suite.started));
        let last = of.or(nights.last().map(|night| &night.suite))?.clone();
        nights.retain(|night| (&night.suite.name, night.suite.quick) == (&last.name, last.quick));
        let scenarios: BTreeSet<&str> = last.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        let of_suite = || history.entries.iter().filter(|entry| scenarios.contains(entry.plan.name.as_str()));
        let primaries: BTreeSet<&str> = of_suite().map(|entry| entry.primary.as_str()).collect();
        let primary = of_suite().map(|entry| (entry.plan.name.clone(), entry.primary.clone())).collect();
        let others = followed().filter(|metric| !primaries.contains(metric));
        let follow = |metric: &str| {
            let by = StepsBy::default();
            TrendQuery { metric: metric.to_owned(), filter: Filter::default(), invalid: false, by }
        };
        let asked: Vec<TrendQuery> = primaries.iter().copied().map(follow).chain(others.map(follow)).collect();
        let keep = |series: &Series| scenarios.contains(series.scenario.as_str()) && series.points.len() > 1;
        let trends = trends(history, &asked, keep);
        let tool = TOOL.to_owned();
        Some(Self { schema_version: NIGHTLY_VERSION, tool, name: last.name, nights, primary, trends })
    }

    /// The last night.
    pub fn last(&self) -> Option<&Night> {
        self.nights.last()
    }

    /// Every step of every figure, and those that its ratio to the reference shows alone; the latest first.
    pub fn steps(&self) -> Vec<(&Trend, &Series, &StepTold)> {
        let mut steps: Vec<_> = self
            .trends
            .iter()
            .flat_map(|trend| trend.series.iter().map(move |series| (trend, series)))
            .flat_map(|(trend, series)| series.told().map(move |step| (trend, series, step)))
            .collect();
        steps.sort_by(|a, b| b.2.started.cmp(&a.2.started));
        steps
    }
}
