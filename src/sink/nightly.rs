//! The nights of a suite: a page that leads to each, Markdown for a job's summary, and JSON.

use super::grid::{Grid, grid};
use super::history::{Drawings, PageSeries, drawings, page_series, step_words};
use super::html::unbroken;
use super::markdown::plain;
use crate::gate::Outcome;
use crate::report::{human, pretty};
use crate::suite::{Night, Nightly};
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
    /// What the scenarios of the last night say of their main metric.
    verdicts: Vec<String>,
    /// Each step that is a finding and what differs at it, the latest first; and those that were seen and are none.
    steps: Vec<(String, String)>,
    seen: Vec<(String, String)>,
    quiet: String,
    grid: Grid,
    drawings: Vec<Drawings>,
    /// The nights, the latest first; those of the table, and those that are folded.
    nights: Vec<NightLine>,
    earlier: Vec<NightLine>,
    /// The figures in which a step is a finding; and all others by scenario.
    moved: Vec<PageSeries>,
    others: Vec<(String, Vec<PageSeries>)>,
    method: String,
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

/// The checks that failed, by name.
fn failed(night: &Night) -> String {
    let failed = night.suite.checks.iter().filter(|check| check.outcome == Outcome::Fail);
    let names: Vec<String> = failed.map(|check| human::printable(&check.name)).collect();
    if names.is_empty() { String::new() } else { format!("failed: {}", names.join(", ")) }
}

/// What the scenarios of a night say of their main metric.
fn verdicts(night: &Night) -> Vec<String> {
    let of = night.suite.scenarios.iter().flat_map(|scenario| {
        scenario.headlines.iter().take(1).map(move |headline| format!("{}: {headline}", scenario.name))
    });
    of.map(|words| unbroken(&words)).collect()
}

/// Nights that stand open in the table of nights.
const OPEN: usize = 14;
/// Figures with a step that stand open.
const MOVED: usize = 6;

/// Every figure over the nights, by scenario: those with a step that is a finding, and the others.
fn figures(nightly: &Nightly) -> (Vec<PageSeries>, Vec<(String, Vec<PageSeries>)>) {
    let (mut moved, mut others): (Vec<PageSeries>, Vec<(String, Vec<PageSeries>)>) = Default::default();
    for (trend, series) in
        nightly.trends.iter().flat_map(|trend| trend.series.iter().map(move |series| (trend, series)))
    {
        let line = page_series(trend, series);
        if line.moved && moved.len() < MOVED {
            moved.push(line);
            continue;
        }
        let scenario = human::printable(&series.scenario);
        match others.iter_mut().find(|(name, _)| *name == scenario) {
            Some((_, lines)) => lines.push(line),
            None => others.push((scenario, vec![line])),
        }
    }
    (moved, others)
}

/// Every figure over the nights.
pub(super) fn page_lines(nightly: &Nightly) -> Vec<PageSeries> {
    let of = nightly.trends.iter().flat_map(|trend| trend.series.iter().map(move |series| (trend, series)));
    of.map(|(trend, series)| page_series(trend, series)).collect()
}

/// Each step in words, with what differs at it.
type StepWords = Vec<(String, String)>;

/// What the steps say: those that are findings, and those that were only seen.
fn parted(nightly: &Nightly) -> (StepWords, StepWords) {
    let (certain, seen): (Vec<_>, Vec<_>) = nightly.steps().into_iter().partition(|(_, _, step)| step.certain);
    let words =
        |steps: Vec<_>| steps.into_iter().map(|(trend, series, step)| step_words(trend, series, step)).collect();
    (words(certain), words(seen))
}

/// What the steps say, those that are findings first; and over what they were looked for.
pub(super) fn steps(nightly: &Nightly) -> (StepWords, String) {
    let (mut told, seen) = parted(nightly);
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
    let (steps, seen) = parted(nightly);
    let (moved, others) = figures(nightly);
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
        seen,
        quiet: followed(nightly),
        grid: grid(nightly),
        drawings: drawings(nightly),
        nights: nightly.nights.iter().rev().take(OPEN).map(line).collect(),
        earlier: nightly.nights.iter().rev().skip(OPEN).map(line).collect(),
        moved,
        others,
        method: nightly.trends.first().map(super::history::method).unwrap_or_default(),
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
        verdicts(night).iter().try_for_each(|words| writeln!(out, "- {}", plain(words)))?;
    }
    let (steps, quiet) = steps(nightly);
    for (step, differs) in &steps {
        writeln!(out, "- **{}** {}", plain(step), plain(differs))?;
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
    let (steps, quiet) = steps(nightly);
    let none = steps.is_empty().then(|| "No step over the nights.".to_owned());
    steps.into_iter().map(|(step, differs)| format!("{step} {differs}")).chain(none).chain([quiet]).collect()
}
