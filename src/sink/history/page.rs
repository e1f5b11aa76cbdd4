//! A metric over time as a page on its own. No script, nothing fetched; light and dark as its reader's system is.

use super::super::filters;
use super::super::html::unbroken;
use super::super::plot::{Axis, Chart, Mark, Scale, Series as Line, plot};
use super::super::terms;
use super::words;
use crate::history::{Series, StepTold, Trend};
use crate::metrics::{metric_words, value_words};
use crate::report::human;
use askama::Template;
use std::io::{self, Write};

/// Dates below a chart, at most.
const MOST_DATES: usize = 6;

#[derive(Template)]
#[template(path = "trend.html")]
struct Page<'a> {
    name: String,
    has_stand_in: bool,
    lines: Vec<PageSeries>,
    damaged: Option<String>,
    method: String,
    tool: &'a str,
    folder: &'a str,
}

/// One line with all that is said of it.
pub(in crate::sink) struct PageSeries {
    /// Whose line it is, of which there is one on a page.
    pub name: String,
    pub headline: String,
    pub class: &'static str,
    /// Each step, the last first.
    pub steps: Vec<StepLine>,
    pub alone: Option<String>,
    /// Whether a step in it is a finding, and not the machine's.
    pub moved: bool,
    pub chart: Option<Chart>,
    pub left_out: Vec<String>,
    /// What the ratio beside the figure is; `None` without one.
    pub ratio: Option<String>,
    /// When, figure, ratio to the reference (blank without one), what is to be said of it, run; and the run's page.
    pub rows: Vec<([String; 5], String)>,
    /// Runs before the first row.
    pub earlier: usize,
}

/// Rows of a line's table, at most: the last runs.
const ROWS: usize = 60;

/// A step as a page says it: the sentence, what differs, and the page of the first run after it.
pub(in crate::sink) struct StepLine {
    pub text: String,
    pub differs: String,
    pub page: String,
}

/// The page of a run, from a page that reaches the runs by `to`.
pub(in crate::sink) fn page_of(to: &str, dir: &str) -> String {
    let dir = if dir.is_empty() { String::new() } else { format!("{dir}/") };
    super::super::filters::link(&format!("{to}{dir}report.html"))
}

/// Writes it. `to` leads from the page's folder to the runs': empty, or with a slash at its end.
pub fn trend_html(trend: &Trend, to: &str, out: &mut dyn Write) -> io::Result<()> {
    let page = Page {
        name: format!("{} over time", metric_words(&trend.metric)),
        has_stand_in: trend.series.iter().any(|series| series.stand_in),
        lines: trend.series.iter().map(|series| page_series(trend, series, to)).collect(),
        damaged: words::damaged(trend),
        method: words::method(trend),
        tool: &trend.tool,
        folder: &trend.folder,
    };
    out.write_all(page.render().map_err(io::Error::other)?.as_bytes())
}

/// One line of a trend, for a page that reaches the runs by `to`.
pub(in crate::sink) fn page_series(trend: &Trend, series: &Series, to: &str) -> PageSeries {
    let row = |(at, point): (usize, &crate::history::SeriesPoint)| {
        let step = series.steps.iter().find(|step| step.at == at);
        let note = match step {
            Some(step) => format!("{} from here on", words::size(series, step)),
            None if series.alone.contains(&at) => "outlier".to_owned(),
            None if point.invalid => "invalid by its audit".to_owned(),
            None => String::new(),
        };
        let ratio = series.ratio.as_ref().and_then(|ratio| ratio.values.get(at).copied().flatten());
        let ratio = ratio.map(|ratio| words::ratio(series, ratio)).unwrap_or_default();
        let cells = [
            words::when(&point.started),
            value_words(&trend.metric, &series.unit, point.value),
            ratio,
            note,
            words::folder(&point.dir),
        ];
        (cells, page_of(to, &point.dir))
    };
    let step = |step: &&StepTold| StepLine {
        text: unbroken(&format!("{}.", words::step(trend, series, step))),
        differs: words::differs(step),
        page: page_of(to, &step.dir),
    };
    let earlier = series.points.len().saturating_sub(ROWS);
    let steps = words::steps(series);
    PageSeries {
        name: words::title(trend, series),
        headline: unbroken(&words::headline(trend, series)),
        class: steps.last().filter(|step| words::counts(step)).map(|step| words::verdict(step)).unwrap_or_default(),
        steps: steps.iter().rev().map(step).collect(),
        ratio: series.ratio.as_ref().map(|ratio| words::ratio_name(series, ratio)),
        alone: words::alone(trend, series),
        moved: steps.iter().any(|step| words::counts(step)),
        chart: chart(trend, series),
        left_out: words::left_out(series),
        rows: series.points.iter().enumerate().skip(earlier).map(row).collect(),
        earlier,
    }
}

/// Where a run stands on the axis of runs.
pub(super) fn place(at: usize) -> f64 {
    at as f64 + 1.0
}

/// Days below a chart of runs that began so, and their places.
pub(super) fn dates(started: &[&str]) -> Vec<(f64, String)> {
    let stride = started.len().div_ceil(MOST_DATES).max(1);
    let date = |at: usize| started[at].get(5..10).map(human::printable).unwrap_or_default();
    (0..started.len()).step_by(stride).map(|at| (place(at), date(at))).collect()
}

/// How a run of a line is marked.
pub(super) fn mark(series: &Series, at: usize) -> Mark {
    if series.alone.contains(&at) { Mark::Cross } else { Mark::ring(series.points[at].invalid) }
}

/// The runs in their order, the levels, and the steps as upright lines.
fn chart(trend: &Trend, series: &Series) -> Option<Chart> {
    let points = &series.points;
    // A night far out would press the rest into a line: it is drawn at the edge, as a cross.
    let kept = || (0..points.len()).filter(|at| !series.alone.contains(at)).map(|at| points[at].value);
    let (low, high) = kept().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let room = (high - low) * 0.25;
    let dot = |(at, point): (usize, &crate::history::SeriesPoint)| {
        let word = format!(
            "{}: {} ({})",
            words::when(&point.started),
            value_words(&trend.metric, &series.unit, point.value),
            words::folder(&point.dir)
        );
        (place(at), point.value.clamp(low - room, high + room), mark(series, at), word)
    };
    let runs = Line { name: "runs".to_owned(), dots: points.iter().enumerate().map(dot).collect(), ..Line::default() };
    let ends: Vec<usize> =
        std::iter::once(0).chain(series.steps.iter().map(|step| step.at)).chain([points.len()]).collect();
    let levels = series.steps.iter().map(|step| step.before).chain(series.level);
    let mut level = Line { name: "level (median)".to_owned(), colour: 2, joined: true, ..Line::default() };
    for (ends, value) in ends.windows(2).zip(levels) {
        // A point that is no number ends the level before.
        level.points.extend([(place(ends[0]) - 0.4, value), (place(ends[1]) - 0.6, value), (f64::NAN, f64::NAN)]);
    }
    let mut drawn = vec![runs, level];
    for step in &series.steps {
        let at = place(step.at) - 0.5;
        drawn.push(Line {
            name: format!("step: {}", words::when(&step.started)),
            colour: 1,
            points: vec![(at, low - room), (at, high + room)],
            joined: true,
            ..Line::default()
        });
    }
    let started: Vec<&str> = points.iter().map(|point| point.started.as_str()).collect();
    let about = "One dot per run, in order of time; the line is the median of each level. The axis does not start at \
                 zero. Crosses are outliers, not part of any level, and may lie beyond the edge. Rings: invalid by \
                 their own audit.";
    let x = Axis { scale: Scale::Close, ticks: Some(dates(&started)), word: &|_| String::new() };
    let y = Axis { scale: Scale::Close, ticks: None, word: &|value| value_words(&trend.metric, &series.unit, value) };
    plot(&words::title(trend, series), about, &x, &y, drawn)
}
