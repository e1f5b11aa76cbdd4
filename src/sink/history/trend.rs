//! A metric over time: a run a line in the terminal, `csv` and `json`.

use super::super::csv_text::{number, rows, text};
use super::super::draw::{Look, wrapped};
use super::words;
use crate::history::{Series, Trend};
use crate::metrics::value_words;
use crate::report::pretty;
use crate::scenario::yaml_word;
use std::io::{self, Write};

/// Runs that are drawn at most; of more, the last.
const MOST_LINES: usize = 60;
/// Columns from which a run's directory stands beside it.
const WIDE: usize = 110;

/// Writes it as JSON.
pub fn trend_json(trend: &Trend, out: &mut dyn Write) -> io::Result<()> {
    pretty(out, trend)
}

/// Writes a row a run.
pub fn trend_csv(trend: &Trend, out: &mut dyn Write) -> io::Result<()> {
    let header = [
        "scenario",
        "target",
        "stand_in",
        "metric",
        "unit",
        "dir",
        "started",
        "value",
        "low",
        "high",
        "invalid",
        "alone",
        "level",
        "step",
        "change",
        "p",
        "mover",
        "certain",
        "ratio",
        "ratio_step",
    ];
    let cells = trend.series.iter().flat_map(|series| {
        series.points.iter().enumerate().map(move |(at, point)| {
            let step = series.steps.iter().find(|step| step.at == at);
            let level = series.steps.iter().filter(|step| step.at <= at).count() + 1;
            [
                text(&series.scenario).into_owned(),
                text(&series.target).into_owned(),
                series.stand_in.to_string(),
                text(&trend.metric).into_owned(),
                series.unit.clone(),
                text(&point.dir).into_owned(),
                text(&point.started).into_owned(),
                number(Some(point.value)),
                number(point.low),
                number(point.high),
                point.invalid.to_string(),
                series.alone.contains(&at).to_string(),
                level.to_string(),
                step.is_some().to_string(),
                number(step.and_then(|step| step.change)),
                number(step.map(|step| step.p)),
                step.and_then(|step| step.mover).map(|mover| yaml_word(&mover)).unwrap_or_default(),
                step.map(|step| step.certain.to_string()).unwrap_or_default(),
                number(series.ratio.as_ref().and_then(|ratio| ratio.values.get(at).copied().flatten())),
                series.ratio.iter().flat_map(|ratio| &ratio.steps).any(|step| step.at == at).to_string(),
            ]
        })
    });
    rows(out, header, cells)
}

/// Writes it for a terminal.
pub fn trend_table(trend: &Trend, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    for series in &trend.series {
        wrapped(out, &words::headline(trend, series), width, "  ")?;
        let steps = words::steps(series);
        if let Some(last) = steps.last() {
            wrapped(out, &words::differs(last), width, "  ")?;
        }
        if let Some(alone) = words::alone(trend, series) {
            wrapped(out, &alone, width, "  ")?;
        }
        writeln!(out)?;
        lines(trend, series, width, out)?;
        for step in steps.iter().rev().skip(1) {
            writeln!(out)?;
            wrapped(out, &format!("Earlier: {}.", words::step(trend, series, step)), width, "  ")?;
            wrapped(out, &words::differs(step), width, "  ")?;
        }
        if !series.left_out.is_empty() {
            writeln!(out)?;
        }
        for left in words::left_out(series) {
            wrapped(out, &left, width, "  ")?;
        }
        writeln!(out)?;
    }
    if let Some(damaged) = words::damaged(trend) {
        wrapped(out, &damaged, width, "  ")?;
    }
    wrapped(out, &words::method(trend), width, "")
}

/// A run a line: when, the figure, and its place between the least and the most.
fn lines(trend: &Trend, series: &Series, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let from = series.points.len().saturating_sub(MOST_LINES);
    let shown = &series.points[from..];
    if from > 0 {
        writeln!(out, "the last {} of {} runs:", shown.len(), series.points.len())?;
    }
    let values: Vec<String> = shown.iter().map(|point| value_words(&trend.metric, &series.unit, point.value)).collect();
    let column = values.iter().map(|value| value.chars().count()).max().unwrap_or(0);
    let dirs = shown.iter().map(|point| words::folder(&point.dir).chars().count()).max().unwrap_or(0);
    let beside = if width >= WIDE { dirs.min(width / 3) } else { 0 };
    // The ratio to the reference, in a column of its own below its name.
    let ratio = |at: usize| series.ratio.as_ref().map(|line| line.values.get(at).copied().flatten());
    let name = series.ratio.as_ref().map(|line| words::ratio_name(series, line));
    let ratios: Vec<String> = (from..series.points.len())
        .filter_map(|at| Some(ratio(at)?.map_or_else(|| "–".to_owned(), |ratio| words::ratio(series, ratio))))
        .collect();
    let second = ratios.iter().chain(&name).map(|cell| cell.chars().count() + 2).max().unwrap_or(0).min(width / 4);
    if let Some(name) = &name {
        let cut: String = name.chars().take(second.saturating_sub(2)).collect();
        writeln!(out, "{:16}  {:>column$}{cut:>second$}", "", "")?;
    }
    let plane = width.saturating_sub(16 + 2 + column + second + 2 + if beside > 0 { beside + 2 } else { 0 }).max(10);
    // What stands alone may lie far out: it is drawn at the edge, so that the rest is told apart.
    let kept = |at: &usize| !series.alone.contains(at);
    let inside = (from..series.points.len()).filter(kept).map(|at| series.points[at].value);
    let (low, high) = inside.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let span = if high > low { high - low } else { 1.0 };
    for (at, (point, value)) in (from..).zip(shown.iter().zip(&values)) {
        if let Some(step) = series.steps.iter().find(|step| step.at == at) {
            let verdict = if words::counts(step) { words::verdict(step) } else { "" };
            let word = format!("── {} {verdict} ", words::size(series, step)).replace("  ", " ");
            let rule = width.saturating_sub(18 + word.chars().count());
            writeln!(out, "{:18}{word}{}", "", "─".repeat(rule))?;
        }
        let place = ((point.value - low) / span).clamp(0.0, 1.0) * (plane - 1) as f64;
        let outside = point.value < low || point.value > high;
        let mark = match (outside, point.value > high) {
            (true, true) => '»',
            (true, false) => '«',
            _ if point.invalid => '×',
            _ => '●',
        };
        let line = format!(
            "{:16}  {value:>column$}{:>second$}  {}{mark}",
            words::when(&point.started),
            ratios.get(at - from).map(String::as_str).unwrap_or_default(),
            " ".repeat(place.round() as usize)
        );
        let dir: String = words::folder(&point.dir).chars().take(beside).collect();
        let gap = width.saturating_sub(beside + line.chars().count());
        let line = if beside > 0 { format!("{line}{}{dir}", " ".repeat(gap)) } else { line };
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
