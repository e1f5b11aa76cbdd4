//! A metric over time: a run a line in the terminal, `csv` and `json`.

use super::super::csv_text::{number, rows, text};
use super::super::table::{Look, wrapped};
use super::words;
use crate::history::{Series, Trend};
use crate::report::{human, pretty};
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
        "scenario", "target", "stand_in", "metric", "unit", "dir", "started", "value", "low", "high", "invalid",
        "alone", "level", "step", "change", "p",
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
        if let Some(last) = series.steps.last() {
            wrapped(out, &words::differs(last), width, "  ")?;
        }
        if let Some(alone) = words::alone(series) {
            wrapped(out, &alone, width, "  ")?;
        }
        writeln!(out)?;
        lines(series, width, out)?;
        for step in series.steps.iter().rev().skip(1) {
            writeln!(out)?;
            wrapped(out, &format!("Earlier: {}.", words::step(series, step)), width, "  ")?;
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
fn lines(series: &Series, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let from = series.points.len().saturating_sub(MOST_LINES);
    let shown = &series.points[from..];
    if from > 0 {
        writeln!(out, "the last {} of {} runs:", shown.len(), series.points.len())?;
    }
    let values: Vec<String> = shown.iter().map(|point| human::value(point.value, &series.unit)).collect();
    let column = values.iter().map(|value| value.chars().count()).max().unwrap_or(0);
    let dirs = shown.iter().map(|point| words::folder(&point.dir).chars().count()).max().unwrap_or(0);
    let beside = if width >= WIDE { dirs.min(width / 3) } else { 0 };
    let plane = width.saturating_sub(16 + 2 + column + 2 + if beside > 0 { beside + 2 } else { 0 }).max(10);
    // What stands alone may lie far out: it is drawn at the edge, so that the rest is told apart.
    let kept = |at: &usize| !series.alone.contains(at);
    let inside = (from..series.points.len()).filter(kept).map(|at| series.points[at].value);
    let (low, high) = inside.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let span = if high > low { high - low } else { 1.0 };
    for (at, (point, value)) in (from..).zip(shown.iter().zip(&values)) {
        if let Some(step) = series.steps.iter().find(|step| step.at == at) {
            let word = format!("── {} {} ", words::size(series, step), words::verdict(step)).replace("  ", " ");
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
            "{:16}  {value:>column$}  {}{mark}",
            words::when(&point.started),
            " ".repeat(place.round() as usize)
        );
        let dir: String = words::folder(&point.dir).chars().take(beside).collect();
        let gap = width.saturating_sub(beside + line.chars().count());
        let line = if beside > 0 { format!("{line}{}{dir}", " ".repeat(gap)) } else { line };
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
