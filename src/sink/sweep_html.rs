//! `sweep.html`: one page on its own, in the frame of `report.html`.

use super::filters::{self, link};
use super::html::unbroken;
use super::plot::{Axis, Chart, Mark, Scale, Series, plot};
use super::sweep::{Sheet, about, by_point, fit_words, more_tables, points};
use super::terms;
use crate::metrics::{metric_words, value_words};
use crate::report::sweep::{SWEEP_FILES, Scaling, Sweep, SweptRun, point_words, short_path};
use crate::report::{Status, human};
use crate::stats::unit;
use askama::Template;
use serde_json::Value;
use std::io::{self, Write};

/// Charts of the swept values that a page shows, at most; the table has all points.
const MOST_CHARTS: usize = 8;

/// A row of the table of points, and the point's runs with their pages.
type PointRow = (Vec<String>, Vec<(String, String)>);

/// Everything on the page as text; the template escapes all of it.
#[derive(Template)]
#[template(path = "sweep.html")]
struct Page<'a> {
    name: &'a str,
    about: Option<&'a str>,
    headlines: Vec<String>,
    interrupted: bool,
    has_stand_in: bool,
    swept: String,
    /// The table of points: its title, its heads, and its rows with the pages of the point's runs.
    title: String,
    heads: Vec<String>,
    points: Vec<PointRow>,
    sheets: Vec<Sheet>,
    charts: Vec<Chart>,
    words: Vec<String>,
    notes: &'a [String],
    files: &'static [(&'static str, &'static str)],
    tool: &'a str,
    started: &'a str,
}

/// Writes it.
pub fn sweep_html(sweep: &Sweep, out: &mut dyn Write) -> io::Result<()> {
    // Who wins at which point comes first, then how efficiently each target grows.
    let (mut sheets, rest): (Vec<Sheet>, Vec<Sheet>) =
        more_tables(sweep).into_iter().partition(|sheet| sheet.header.iter().any(|head| head == "efficiency"));
    sheets.extend(rest);
    let run = |run: &&SweptRun| {
        let folder = &run.planned.folder;
        (format!("run {}", run.planned.repeat), link(&format!("{folder}/report.html")))
    };
    let table = points(sweep, 2);
    let pages = by_point(sweep).into_iter().map(|runs| runs.iter().map(run).collect());
    let mut charts: Vec<Chart> = tokens_chart(sweep).into_iter().collect();
    charts.extend(curves(sweep));
    charts.extend(sweep.scaling.first().and_then(|_| scaling_chart(sweep)));
    let page = Page {
        name: &sweep.manifest.name,
        about: sweep.manifest.about.as_deref(),
        headlines: sweep.headlines().iter().map(|words| unbroken(words)).collect(),
        interrupted: sweep.manifest.status != Status::Complete,
        has_stand_in: sweep.has_stand_in(),
        swept: about(sweep),
        title: "By point".to_owned(),
        heads: table.header,
        points: table.rows.into_iter().zip(pages).collect(),
        sheets,
        charts,
        words: fit_words(sweep),
        notes: &sweep.notes,
        files: &SWEEP_FILES,
        tool: &sweep.manifest.tool,
        started: &sweep.manifest.started,
    };
    out.write_all(page.render().map_err(io::Error::other)?.as_bytes())
}

/// What a prompt's length is swept by.
const LENGTHS: [&str; 3] = [
    "workload.prompts.synthetic.tokens",
    "workload.prompts.synthetic.prefix.tokens",
    "workload.prompts.synthetic.words",
];

/// For each swept number, the main metric and the latency over it, at each combination of what else was swept; where the
/// length of prompts is swept, prefill and decode rates first.
fn curves(sweep: &Sweep) -> Vec<Chart> {
    let paths = &sweep.manifest.paths;
    let of_lengths = paths.iter().any(|path| LENGTHS.iter().any(|length| path.starts_with(length)));
    let rates = ["prefill_tokens_per_s.p50", "decode_tokens_per_s.p50"].into_iter().filter(|_| of_lengths);
    let mut metrics: Vec<&str> = rates.collect();
    for metric in [sweep.primary.as_str(), "latency.p50"] {
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    // What has most values makes a curve; of two, there is a line.
    let values = |at: usize| {
        let all = sweep.manifest.runs.iter().filter_map(|run| run.values.get(at));
        all.map(Value::to_string).collect::<std::collections::BTreeSet<_>>().len()
    };
    let mut order: Vec<usize> = (0..paths.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(values(*at)));
    let mut charts = Vec::new();
    // The first metric over everything first: what is cut off is the rest.
    for (at, metric) in order.iter().flat_map(|at| metrics.iter().map(move |metric| (*at, metric))) {
        if let Some(path) = paths.get(at) {
            for (others, runs) in groups(sweep, at) {
                charts.extend(curve(sweep, (at, path), metric, &others, &runs));
            }
        }
    }
    charts.truncate(MOST_CHARTS);
    charts
}

/// The points by what else is set than the value at a place, each with that in words.
fn groups(sweep: &Sweep, at: usize) -> Vec<(String, Vec<Vec<&SweptRun>>)> {
    let mut groups: Vec<(String, Vec<Vec<&SweptRun>>)> = Vec::new();
    for runs in by_point(sweep) {
        let Some(first) = runs.first() else { continue };
        let set = sweep.manifest.paths.iter().zip(&first.planned.values).enumerate();
        let others = point_words(set.filter(|(place, _)| *place != at).map(|(_, set)| set));
        match groups.iter_mut().find(|(known, _)| *known == others) {
            Some((_, all)) => all.push(runs),
            None => groups.push((others, vec![runs])),
        }
    }
    groups
}

fn curve(
    sweep: &Sweep,
    (at, path): (usize, &str),
    metric: &str,
    others: &str,
    points: &[Vec<&SweptRun>],
) -> Option<Chart> {
    let x = |runs: &[&SweptRun]| runs.first().and_then(|run| run.planned.values.get(at)).and_then(Value::as_f64);
    let mut unit = "";
    let mut all: Vec<Series> = Vec::new();
    for (colour, target) in sweep.targets.iter().enumerate() {
        let mut series = Series { name: target.label(), colour, joined: true, ..Series::default() };
        for runs in points {
            let Some(x) = x(runs) else { continue };
            let met: Vec<_> =
                runs.iter().filter_map(|run| Some((run, run.targets.get(colour)?.figure(metric)?))).collect();
            let Some((_, first)) = met.first() else { continue };
            unit = &first.unit;
            let mean = met.iter().map(|(_, f)| f.value).sum::<f64>() / met.len() as f64;
            series.points.push((x, mean));
            // The runs' own intervals from end to end.
            let low = met.iter().map(|(_, f)| f.low.unwrap_or(f.value)).fold(f64::INFINITY, f64::min);
            let high = met.iter().map(|(_, f)| f.high.unwrap_or(f.value)).fold(0.0, f64::max);
            series.band.push((x, low, high));
            series.dots.extend(met.iter().map(|(run, figure)| {
                let words =
                    format!("{}, {}: {}", target.label(), run.planned.folder, value_words(metric, unit, figure.value));
                (x, figure.value, Mark::ring(!run.invalid.is_empty()), words)
            }));
        }
        series.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        series.band.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.push(series);
    }
    let xs: Vec<f64> = all.iter().flat_map(|series| &series.points).map(|point| point.0).collect();
    let (least, most) = xs.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
    if most <= least {
        return None;
    }
    let mut ticks = xs.clone();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    ticks.truncate(12);
    let log = least > 0.0 && most / least >= 8.0;
    let x = Axis {
        scale: if log { Scale::Log } else { Scale::Linear },
        ticks: Some(ticks.into_iter().map(|x| (x, x.to_string())).collect()),
        word: &|x| x.to_string(),
    };
    let unit = unit.to_owned();
    let y = Axis { scale: Scale::Linear, ticks: None, word: &|y| value_words(metric, &unit, y) };
    let title = format!(
        "{} by {}{}",
        metric_words(metric),
        short_path(path),
        if others.is_empty() { String::new() } else { format!(", {others}") }
    );
    let about = "One dot per run, a ring if its own audit found it invalid; the line connects the means, the band \
                 covers the runs' 95 % CIs.";
    plot(&title, about, &x, &y, all)
}

/// Output tokens per second of one user against those of all, from the first combination that has levels: what a user sees of
/// what the machine gives.
fn tokens_chart(sweep: &Sweep) -> Option<Chart> {
    let first = sweep.scaling.first()?;
    let word = |tokens: f64| value_words("output_tokens_per_s", unit::TOKENS_PER_S, tokens);
    let line = |scaling: &Scaling| {
        let name = sweep.targets.get(scaling.target)?.label();
        let known = scaling.levels.iter().filter_map(|level| {
            let (all, users) = (level.output_tokens_per_s?, level.concurrency);
            Some((all / f64::from(users.max(1)), all, users)).filter(|_| all > 0.0)
        });
        let known: Vec<(f64, f64, u32)> = known.collect();
        let dot = |(own, all, users): &(f64, f64, u32)| {
            (
                *own,
                *all,
                Mark::Dot,
                format!("{name}, {users} in flight: {} per user, {} in all", word(*own), word(*all)),
            )
        };
        Some(Series {
            name: name.clone(),
            colour: scaling.target,
            points: known.iter().map(|(own, all, _)| (*own, *all)).collect(),
            joined: true,
            dots: known.iter().map(dot).collect(),
            ..Series::default()
        })
    };
    let of = sweep.scaling.iter().filter(|scaling| scaling.at == first.at);
    let about = "One dot per number of requests in flight, joined in that order, from the right (few) to the left (many): \
                 what one user gets, and what all users get together. Up and to the right is better.";
    let x = Axis { scale: Scale::Linear, ticks: None, word: &|x| human::three(x) };
    let y = Axis { scale: Scale::Linear, ticks: None, word: &|y| human::three(y) };
    let lines: Vec<Series> = of.filter_map(line).filter(|line| line.points.len() > 1).collect();
    plot("Output tokens/s of all users by output tokens/s per user", about, &x, &y, lines)
}

/// Throughput by concurrency, measured and by the law, of the first combination that has all targets.
fn scaling_chart(sweep: &Sweep) -> Option<Chart> {
    let first = sweep.scaling.first()?;
    let of: Vec<&Scaling> = sweep.scaling.iter().filter(|scaling| scaling.at == first.at).collect();
    let mut all = Vec::new();
    for scaling in &of {
        let name = sweep.targets.get(scaling.target)?.label();
        let dots = scaling.levels.iter().map(|level| {
            let words = format!("{name}, {} in flight: {:.1} /s", level.concurrency, level.requests_per_s);
            (f64::from(level.concurrency), level.requests_per_s, Mark::Dot, words)
        });
        let most = scaling.levels.last().map_or(1.0, |level| f64::from(level.concurrency));
        let steps = (0..=60).map(|step| 1.0 + (most - 1.0) * f64::from(step) / 60.0);
        let law = scaling.usl.as_ref();
        let points: Vec<(f64, f64)> = match law {
            Some(usl) => steps.map(|n| (n, usl.at(n))).collect(),
            None => Vec::new(),
        };
        let joined = law.is_some();
        all.push(Series {
            name: name.clone(),
            colour: scaling.target,
            points,
            joined,
            dots: dots.collect(),
            ..Series::default()
        });
    }
    let at = point_words(first.at.iter().map(|(path, value)| (path, value)));
    let title =
        format!("Throughput by requests in flight{}", if at.is_empty() { String::new() } else { format!(", {at}") });
    let about = "Dots are measured; lines are the fitted universal scalability law (with four or more levels).";
    let x = Axis { scale: Scale::Linear, ticks: None, word: &|x| format!("{x:.0}") };
    let y = Axis { scale: Scale::Linear, ticks: None, word: &|y| format!("{} /s", human::three(y)) };
    plot(&title, about, &x, &y, all)
}
