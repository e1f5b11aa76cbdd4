//! `suite.html`: one page on its own, which leads to the pages of its scenarios.

use super::filters::{self, link};
use super::history::{PageSeries, StepLine};
use super::html::unbroken;
use super::nightly::{page_lines, steps};
use super::suite::{about, by_category};
use super::terms;
use crate::gate::GateOutcome;
use crate::report::{Status, human};
use crate::suite::{Nightly, SUITE_FILES, ScenarioState, Suite};
use askama::Template;
use std::io::{self, Write};

/// From a suite's folder to that of its nights.
const NIGHTS: &str = "../";

/// A check: outcome, its class, name, gate, what it rests on, what changed.
type Line = (String, &'static str, String, String, String, String);

/// A scenario: name, what became of it, where its page is, and what came of it.
struct ScenarioLine {
    name: String,
    state: String,
    page: Option<String>,
    headlines: Vec<String>,
}

/// Everything on the page as text; the template escapes all of it.
#[derive(Template)]
#[template(path = "suite.html")]
struct Page<'a> {
    name: &'a str,
    about: Option<&'a str>,
    headline: String,
    class: &'static str,
    interrupted: bool,
    notes: Vec<String>,
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
    sheets: Vec<(String, Vec<Line>)>,
    scenarios: Vec<ScenarioLine>,
    /// What changed over its runs and since when; each figure over them.
    steps: Vec<StepLine>,
    quiet: Option<String>,
    lines: Vec<PageSeries>,
    files: &'static [(&'static str, &'static str)],
    tool: &'a str,
    started: &'a str,
}

/// Writes it.
pub(super) fn suite_html(suite: &Suite, nights: Option<&Nightly>, out: &mut dyn Write) -> io::Result<()> {
    let (heads, rows) = by_category(suite);
    let line = |check: &crate::suite::Check| {
        let outcome = if check.cannot.is_some() { "can't be measured" } else { check.outcome.as_str() };
        let class = match check.outcome {
            GateOutcome::Pass => "better",
            GateOutcome::Fail => "worse",
            GateOutcome::Inconclusive | GateOutcome::NotMeasured => "unshown",
        };
        let gate = check.gate.clone().unwrap_or_default();
        (outcome.to_owned(), class, check.name.clone(), gate, check.told(), check.change())
    };
    let sheet = |category: crate::suite::Category| {
        let lines = suite.checks.iter().filter(|check| check.category == category.name).map(line).collect();
        (category.name, lines)
    };
    let scenario = |scenario: &crate::suite::ScenarioRun| {
        let page = if scenario.sweep { "sweep.html" } else { "report.html" };
        let took = scenario.took_s.map(|s| format!(" in {}", human::length(s))).unwrap_or_default();
        ScenarioLine {
            name: scenario.name.clone(),
            state: format!("{}{took}", scenario.state.as_str()),
            page: (scenario.state == ScenarioState::Done).then(|| link(&format!("{}/{page}", scenario.folder))),
            headlines: scenario.headlines.iter().map(|words| unbroken(words)).collect(),
        }
    };
    let (steps, quiet) = nights.map(|nights| steps(nights, NIGHTS)).unzip();
    let page = Page {
        name: &suite.name,
        about: suite.about.as_deref(),
        headline: unbroken(&suite.headline()),
        class: match suite.code() {
            0 => "better",
            1 => "worse",
            _ => "",
        },
        interrupted: suite.status != Status::Complete,
        notes: about(suite),
        heads,
        rows,
        sheets: suite.categories().into_iter().map(sheet).collect(),
        scenarios: suite.scenarios.iter().map(scenario).collect(),
        steps: steps.unwrap_or_default(),
        quiet,
        lines: nights.map(|nights| page_lines(nights, NIGHTS)).unwrap_or_default(),
        files: &SUITE_FILES,
        tool: &suite.tool,
        started: &suite.started,
    };
    out.write_all(page.render().map_err(io::Error::other)?.as_bytes())
}
