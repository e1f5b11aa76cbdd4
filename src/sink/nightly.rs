//! The nights of a suite: a page that leads to each, Markdown for a job's summary, and JSON.

use super::filters::{self, link};
use super::grid::{Grid, grid};
use super::history::{Drawings, PageSeries, StepLine, counts, drawings, page_of, page_series, step_words};
use super::html::unbroken;
use super::markup::plain;
use super::plot::Chart;
use super::terms;
use crate::gate::GateOutcome;
use crate::history::{Series, StepTold, Trend};
use crate::report::{human, pretty};
use crate::suite::{Night, Nightly, ScenarioState};
use askama::Template;
use std::io::{self, Write};

/// A night: when, folder, class, outcome, counts.
struct NightLine {
    when: String,
    folder: String,
    class: &'static str,
    headline: String,
    /// Names of the checks that failed.
    failed: String,
}

#[derive(Template)]
#[template(path = "nightly.html")]
struct Page<'a> {
    name: &'a str,
    headline: String,
    class: &'static str,
    has_stand_in: bool,
    /// What the scenarios of the last night say of their main metric: name, its page, and the sentence.
    verdicts: Vec<(String, Option<String>, String)>,
    /// Each step that is a finding and what differs at it, the latest first; those beyond the first few; and those that were
    /// seen and are none.
    steps: Vec<StepLine>,
    more_steps: Vec<StepLine>,
    seen: Vec<StepLine>,
    quiet: String,
    grid: Grid,
    /// The drawings of scenarios in which something changed; and the others.
    drawings: Vec<Drawings>,
    calm: Vec<Drawings>,
    /// The nights, the latest first; those of the table, and those that are folded.
    nights: Vec<NightLine>,
    earlier: Vec<NightLine>,
    /// The drawings of figures in which a step is a finding; and all figures by scenario.
    moved: Vec<Chart>,
    figures: Vec<(String, Vec<PageSeries>)>,
    series: usize,
    method: String,
    files: [(&'static str, &'static str); 3],
    tool: &'a str,
    started: String,
}

fn class(night: &Night) -> &'static str {
    match night.suite.code() {
        0 => "better",
        1 => "worse",
        _ => "unshown",
    }
}

/// Checks that a night names, at most.
const NAMED: usize = 2;

/// The checks that failed, by name.
fn failed(night: &Night) -> String {
    let failed = night.suite.checks.iter().filter(|check| check.outcome == GateOutcome::Fail);
    let names: Vec<String> = failed.map(|check| human::printable(&check.name)).collect();
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if names.is_empty() {
        String::new()
    } else {
        format!("failed: {}{more}", names[..names.len().min(NAMED)].join(", "))
    }
}

/// What the scenarios of a night say of their main metric: name, page and sentence.
fn verdicts(night: &Night) -> Vec<(String, Option<String>, String)> {
    let of = night.suite.scenarios.iter().filter_map(|scenario| {
        let page = if scenario.sweep { "sweep.html" } else { "report.html" };
        let page = (scenario.state == ScenarioState::Done)
            .then(|| link(&format!("{}/{}/{page}", night.folder, scenario.folder)));
        Some((human::printable(&scenario.name), page, unbroken(scenario.headlines.first()?)))
    });
    of.collect()
}

/// The files of the nights, each with what it is.
const NIGHTLY_FILES: [(&str, &str); 3] =
    [("index.html", "this page"), ("nightly.md", "for a job's summary"), ("nightly.json", "everything, for programs")];

/// Nights that stand open in the table of nights.
const OPEN: usize = 7;
/// Steps that stand open.
const STEPS: usize = 8;
/// Drawings of figures with a step.
const MOVED: usize = 2;
/// Scenarios whose drawings stand open.
const DRAWN: usize = 4;

/// The drawings of the figures in which a step is a finding, and every figure by scenario.
fn figures(nightly: &Nightly) -> (Vec<Chart>, Vec<(String, Vec<PageSeries>)>) {
    let (mut moved, mut all): (Vec<Chart>, Vec<(String, Vec<PageSeries>)>) = Default::default();
    for (trend, series) in
        nightly.trends.iter().flat_map(|trend| trend.series.iter().map(move |series| (trend, series)))
    {
        let line = page_series(trend, series, "");
        if line.moved && moved.len() < MOVED {
            // Each drawing has a name of its own on the page, and this one is drawn twice.
            moved.extend(line.chart.clone().map(|chart| Chart { id: format!("moved-{}", chart.id), ..chart }));
        }
        let scenario = human::printable(&series.scenario);
        match all.iter_mut().find(|(name, _)| *name == scenario) {
            Some((_, lines)) => lines.push(line),
            None => all.push((scenario, vec![line])),
        }
    }
    (moved, all)
}

/// The verdict in a sentence, without its numbers.
fn verdict_of(headline: &str) -> &'static str {
    let words = ["better", "worse", "equal", "ndecided", "ot compared"];
    let found = words.into_iter().filter_map(|word| Some((headline.find(word)?, word)));
    found.min().map_or("", |(_, word)| word)
}

/// The drawings of the scenarios in which something changed, and those of the others: a step that is a finding in any of its
/// figures, or another verdict than in the night before.
fn changed(nightly: &Nightly) -> (Vec<Drawings>, Vec<Drawings>) {
    let said = |night: &Night, name: &str| {
        let scenario = night.suite.scenarios.iter().find(|scenario| scenario.name == name)?;
        Some(verdict_of(scenario.headlines.first()?))
    };
    let mut nights = nightly.nights.iter().rev();
    let (last, before) = (nights.next(), nights.next());
    let steps = nightly.steps();
    let moved = |name: &str| {
        let stepped = steps.iter().any(|(_, series, step)| series.scenario == name && counts(step));
        let [now, then] = [last, before].map(|night| night.and_then(|night| said(night, name)));
        stepped || (now.is_some() && then.is_some() && now != then)
    };
    let (mut open, mut calm) = (Vec::new(), Vec::new());
    for drawings in drawings(nightly) {
        let to = if open.len() < DRAWN && moved(&drawings.scenario) { &mut open } else { &mut calm };
        to.push(drawings);
    }
    (open, calm)
}

/// Every figure over the nights, for a page that reaches them by `to`.
pub(super) fn page_lines(nightly: &Nightly, to: &str) -> Vec<PageSeries> {
    let of = nightly.trends.iter().flat_map(|trend| trend.series.iter().map(move |series| (trend, series)));
    of.map(|(trend, series)| page_series(trend, series, to)).collect()
}

/// The steps for a page that reaches the nights by `to`: those that are findings, and those that were only seen.
fn parted(nightly: &Nightly, to: &str) -> (Vec<StepLine>, Vec<StepLine>) {
    let (certain, seen): (Vec<_>, Vec<_>) = nightly.steps().into_iter().partition(|(_, _, step)| step.certain);
    let line = |(trend, series, step): (&Trend, &Series, &StepTold)| {
        let (text, differs) = step_words(trend, series, step);
        StepLine { text, differs, page: page_of(to, &step.dir) }
    };
    (certain.into_iter().map(line).collect(), seen.into_iter().map(line).collect())
}

/// What the steps say, those that are findings first; and over what they were looked for.
pub(super) fn steps(nightly: &Nightly, to: &str) -> (Vec<StepLine>, String) {
    let (mut told, seen) = parted(nightly, to);
    told.extend(seen);
    (told, followed(nightly))
}

/// Over what steps were looked for, and how many of them may be false.
fn followed(nightly: &Nightly) -> String {
    let figures: usize = nightly.trends.iter().map(|trend| trend.series.len()).sum();
    let followed = format!("{figures} metrics were followed over {} nights", nightly.nights.len());
    let rate = nightly.trends.first().map(|trend| human::share(trend.family.rate));
    let rate = rate.map(|rate| format!("; at most {rate} of the reported steps are expected to be false"));
    format!("{followed}{}.", rate.unwrap_or_default())
}

/// Writes the page.
pub(super) fn nightly_html(nightly: &Nightly, out: &mut dyn Write) -> io::Result<()> {
    let (mut steps, seen) = parted(nightly, "");
    let more_steps = steps.split_off(STEPS.min(steps.len()));
    let (moved, figures) = figures(nightly);
    let (drawings, calm) = changed(nightly);
    let last = nightly.last();
    let line = |night: &Night| NightLine {
        when: human::printable(&night.suite.started.replacen('T', " ", 1)),
        folder: night.folder.clone(),
        class: class(night),
        headline: unbroken(&night.suite.headline()),
        failed: failed(night),
    };
    let page = Page {
        name: &nightly.name,
        headline: last.map(|night| unbroken(&night.suite.headline())).unwrap_or_default(),
        class: last.map(class).unwrap_or_default(),
        has_stand_in: last.is_some_and(|night| night.suite.has_stand_in()),
        verdicts: last.map(verdicts).unwrap_or_default(),
        steps,
        more_steps,
        seen,
        quiet: followed(nightly),
        grid: grid(nightly),
        drawings,
        calm,
        nights: nightly.nights.iter().rev().take(OPEN).map(line).collect(),
        earlier: nightly.nights.iter().rev().skip(OPEN).map(line).collect(),
        moved,
        series: figures.iter().map(|(_, lines)| lines.len()).sum(),
        figures,
        method: nightly.trends.first().map(super::history::method).unwrap_or_default(),
        files: NIGHTLY_FILES,
        tool: &nightly.tool,
        started: last.map(|night| night.suite.started.clone()).unwrap_or_default(),
    };
    out.write_all(page.render().map_err(io::Error::other)?.as_bytes())
}

/// Writes it for a job's summary.
pub(super) fn nightly_markdown(nightly: &Nightly, out: &mut dyn Write) -> io::Result<()> {
    let headline = nightly.last().map(|night| night.suite.headline()).unwrap_or_default();
    writeln!(out, "### {}, nightly\n\n**{}**\n", plain(&nightly.name), plain(&headline))?;
    if let Some(night) = nightly.last() {
        let line = |(name, _, words): &(String, Option<String>, String)| format!("{name}: {words}");
        verdicts(night).iter().try_for_each(|verdict| writeln!(out, "- {}", plain(&line(verdict))))?;
    }
    let (steps, quiet) = steps(nightly, "");
    for step in &steps {
        writeln!(out, "- **{}** {}", plain(&step.text), plain(&step.differs))?;
    }
    if steps.is_empty() {
        writeln!(out, "- No step.")?;
    }
    writeln!(out, "- {}\n\n| night | result |\n|:--|:--|", plain(&quiet))?;
    for night in nightly.nights.iter().rev().take(30) {
        writeln!(
            out,
            "| {} ({}) | {} |",
            plain(&night.folder),
            plain(&night.suite.started),
            plain(&night.suite.headline())
        )?;
    }
    Ok(())
}

/// Writes it as JSON.
pub(super) fn nightly_json(nightly: &Nightly, out: &mut dyn Write) -> io::Result<()> {
    pretty(out, nightly)
}

/// What the nights say, in lines for a terminal.
pub fn nightly_words(nightly: &Nightly) -> Vec<String> {
    let (steps, quiet) = steps(nightly, "");
    let none = steps.is_empty().then(|| "No step over the nights.".to_owned());
    steps.into_iter().map(|step| format!("{} {}", step.text, step.differs)).chain(none).chain([quiet]).collect()
}
