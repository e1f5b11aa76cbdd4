//! The two drawings of a scenario over its nights: every target's main figure on one axis, and the ratio with its interval.

use super::super::plot::{Axis, Chart, Scale, Series as Line, plot};
use super::page::{dates, mark, place};
use super::words;
use crate::history::{Series, Trend};
use crate::metrics::{metric_words, value_words};
use crate::report::human;
use crate::suite::Nightly;
use std::collections::BTreeSet;

/// A scenario's drawings.
pub(in crate::sink) struct Drawings {
    /// The scenario.
    pub scenario: String,
    /// Its name, or its name and which of two runs it is.
    pub name: String,
    /// Every target's main figure; the ratio of each to the reference.
    pub charts: Vec<Chart>,
}

/// Those of every scenario that has a main figure in two nights or more, in the suite's order.
pub(in crate::sink) fn drawings(nightly: &Nightly) -> Vec<Drawings> {
    let names = nightly.last().map(|night| night.suite.scenarios.as_slice()).unwrap_or_default();
    let mut all = Vec::new();
    for name in names.iter().map(|scenario| scenario.name.as_str()) {
        let main = nightly.primary.get(name);
        let Some(trend) = main.and_then(|main| nightly.trends.iter().find(|trend| trend.metric == *main)) else {
            continue;
        };
        let of = |series: &&Series| series.scenario == name;
        let parts: BTreeSet<&Option<String>> = trend.series.iter().filter(of).map(|series| &series.part).collect();
        for part in parts {
            let lines: Vec<&Series> = trend.series.iter().filter(of).filter(|series| series.part == *part).collect();
            let title = human::printable(&match part {
                Some(part) => format!("{name}, {part}"),
                None => name.to_owned(),
            });
            let charts = [figures(&title, trend, &lines), ratios(&title, trend, &lines)];
            let charts: Vec<Chart> = charts.into_iter().flatten().collect();
            if !charts.is_empty() {
                all.push(Drawings { scenario: name.to_owned(), name: title, charts });
            }
        }
    }
    all
}

/// The nights of some lines, the oldest first: when each began.
fn nights<'a>(lines: &[&'a Series]) -> Vec<&'a str> {
    let all: BTreeSet<&str> =
        lines.iter().flat_map(|series| &series.points).map(|point| point.started.as_str()).collect();
    all.into_iter().collect()
}

/// Every target's figure, with its interval as a band.
fn figures(title: &str, trend: &Trend, lines: &[&Series]) -> Option<Chart> {
    let nights = nights(lines);
    let at = |started: &str| nights.iter().position(|night| *night == started);
    let line = |(colour, series): (usize, &&Series)| {
        let mut line = Line { name: human::printable(&series.target), colour, joined: true, ..Line::default() };
        for (number, point) in series.points.iter().enumerate() {
            let Some(x) = at(&point.started).map(place) else { continue };
            let value = value_words(&trend.metric, &series.unit, point.value);
            line.dots.push((
                x,
                point.value,
                mark(series, number),
                format!("{}: {} {value}", words::when(&point.started), line.name),
            ));
            // A night far out is no part of the line: it would hide what the others do.
            if !series.alone.contains(&number) {
                line.points.push((x, point.value));
                line.band.extend(point.low.zip(point.high).map(|(low, high)| (x, low, high)));
            }
        }
        line
    };
    let unit = lines.first().map(|series| series.unit.clone()).unwrap_or_default();
    let word = |value: f64| value_words(&trend.metric, &unit, value);
    let x = Axis { scale: Scale::Close, ticks: Some(dates(&nights)), word: &|_| String::new() };
    let y = Axis { scale: Scale::Close, ticks: None, word: &word };
    let title = format!("{title}: {}", metric_words(&trend.metric));
    plot(&title, "", &x, &y, lines.iter().enumerate().map(line).collect())
}

/// The ratio of each target to the reference, with its interval where its run reported one.
fn ratios(title: &str, trend: &Trend, lines: &[&Series]) -> Option<Chart> {
    let nights = nights(lines);
    let at = |started: &str| nights.iter().position(|night| *night == started);
    let mut drawn = Vec::new();
    let mut to = None;
    for (colour, series) in lines.iter().enumerate().filter(|(_, series)| !series.reference) {
        let Some(ratio) = &series.ratio else { continue };
        to = Some((&ratio.to, series));
        let mut line = Line { name: human::printable(&series.target), colour, joined: true, ..Line::default() };
        for (number, point) in series.points.iter().enumerate() {
            let Some(x) = at(&point.started).map(place) else { continue };
            let compared = ratio.compared.get(number).copied().flatten();
            let told = compared.map(|compared| compared.ratio).or(ratio.values.get(number).copied().flatten());
            let Some(value) = told else { continue };
            let interval = compared.map(|c| format!(" (95 % CI {}–{})", human::ratio(c.low), human::ratio(c.high)));
            let word = format!(
                "{}: {}{}",
                words::when(&point.started),
                words::ratio(series, value),
                interval.unwrap_or_default()
            );
            line.dots.push((x, value, mark(series, number), word));
            line.points.push((x, value));
            line.band.extend(compared.map(|compared| (x, compared.low, compared.high)));
        }
        drawn.push(line);
    }
    let (to, series) = to?;
    let equal = if series.unit == crate::stats::unit::ONE { 0.0 } else { 1.0 };
    let name = if equal == 0.0 { "no difference" } else { "equal" };
    drawn.push(Line {
        name: name.to_owned(),
        colour: 3,
        joined: true,
        points: vec![(0.5, equal), (place(nights.len()) + 0.5, equal)],
        ..Line::default()
    });
    let word = |value: f64| words::ratio(series, value);
    let x = Axis { scale: Scale::Close, ticks: Some(dates(&nights)), word: &|_| String::new() };
    let y = Axis { scale: Scale::Close, ticks: None, word: &word };
    let what = if equal == 0.0 { "difference from" } else { "ratio to" };
    let title = human::printable(&format!("{title}: {} {what} {to}", metric_words(&trend.metric)));
    plot(&title, "", &x, &y, drawn)
}
