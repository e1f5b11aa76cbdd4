//! `capacity.html`: one page on its own. No script, nothing fetched; light or dark as its reader's system is.

use super::super::filters::link;
use super::super::html::{CapacityPage, ProbeLine};
use super::super::plot::{Axis, Chart, Mark, Scale, Series, plot};
use super::words;
use crate::capacity::{Capacity, JudgedProbe, LoadVerdict, TargetCapacity};
use crate::report::human;
use crate::scenario::{Limit, Slo};
use crate::stats;
use std::io::{self, Write};

/// Writes it.
pub fn capacity_html(capacity: &Capacity, out: &mut dyn Write) -> io::Result<()> {
    let settings = &capacity.settings;
    let lead = capacity.ratios.iter().map(|ratio| match ratio.verdict {
        stats::Verdict::Better => "better",
        stats::Verdict::Worse => "worse",
        stats::Verdict::Equal | stats::Verdict::Undecided | stats::Verdict::NotCompared => "",
    });
    let class = |verdict: LoadVerdict| match verdict {
        LoadVerdict::Pass => "better",
        LoadVerdict::Fail => "worse",
        LoadVerdict::CantTell => "unshown",
    };
    let probed = capacity.targets.iter().filter(|target| !target.probes.is_empty());
    let tables = probed.map(|target| {
        let row = |probe: &JudgedProbe| {
            let mut cells = words::cells(settings, probe, true);
            let verdict = cells.pop().unwrap_or_default();
            let page = link(&format!("probes/{}/report.html", probe.folder));
            ProbeLine { cells, verdict, class: class(probe.verdict), why: words::why(probe), page }
        };
        let mut heads = words::columns(settings, &target.label());
        heads.pop();
        (target.label(), heads, words::by_load(target).into_iter().map(row).collect())
    });
    let engines = capacity.targets.iter().map(|target| {
        let searched = &target.searched;
        let engine = searched.engine.clone().unwrap_or_else(|| "unknown engine".to_owned());
        let alone = searched.alone_us.map(|us| format!(", {} for a single request", human::time(us)));
        (target.label(), format!("{engine}, model {}{}", searched.model, alone.unwrap_or_default()))
    });
    let page = CapacityPage {
        name: &settings.name,
        title: words::title(settings),
        headlines: words::headlines(capacity).into_iter().zip(lead.chain(std::iter::repeat(""))).collect(),
        doubts: words::of_probes(capacity),
        has_stand_in: capacity.has_stand_in(),
        method: words::method(settings),
        charts: charts(capacity),
        tables: tables.collect(),
        failed_heads: words::FAILED,
        failed: words::failed(capacity),
        legend: words::legend(settings),
        engines: engines.collect(),
        tool: &capacity.tool,
        started: &settings.started,
    };
    page.write(out)
}

/// What a dot says.
fn dot_word(capacity: &Capacity, target: &TargetCapacity, probe: &JudgedProbe, figure: &str) -> String {
    let load = words::load(&capacity.settings, probe.asked);
    format!("{} at {load}: {figure}; {} ({})", target.label(), probe.verdict.as_str(), words::why(probe))
}

/// What became of a probe.
fn mark(probe: &JudgedProbe) -> Mark {
    match probe.verdict {
        LoadVerdict::Pass => Mark::Dot,
        LoadVerdict::Fail => Mark::Cross,
        LoadVerdict::CantTell => Mark::Ring,
    }
}

/// What the marks mean.
const MARKS: [(Mark, &str); 3] = [(Mark::Dot, "passed"), (Mark::Cross, "failed"), (Mark::Ring, "undecided")];

/// A chart for each limit on a time, and one of what was answered.
fn charts(capacity: &Capacity) -> Vec<Chart> {
    let limits = Slo::parse(&capacity.settings.slo).map(|slo| slo.limits).unwrap_or_default();
    let mut charts: Vec<Chart> = Vec::new();
    for (at, limit) in limits.iter().enumerate().filter(|(_, limit)| limit.measure.is_time()) {
        let chart = limited(capacity, at, limit);
        // Two limits on one figure: the first one's drawing has its points.
        charts.extend(chart.filter(|chart| charts.iter().all(|other| other.id != chart.id)));
    }
    charts.extend(achieved(capacity));
    charts.iter_mut().for_each(|chart| chart.marks = MARKS.to_vec());
    charts
}

/// Load against one limited time, with its limit and the boundaries.
fn limited(capacity: &Capacity, at: usize, limit: &Limit) -> Option<Chart> {
    let mut series = Vec::new();
    let mut ends: Option<(f64, f64)> = None;
    let mut heights = vec![limit.bound];
    for (colour, target) in capacity.targets.iter().enumerate() {
        let mut line = Series { name: target.label(), colour, joined: true, ..Series::default() };
        for probe in words::by_load(target) {
            ends = Some(ends.map_or((probe.asked, probe.asked), |(a, b)| (a.min(probe.asked), b.max(probe.asked))));
            let shown = probe.evidence.shown.get(at);
            let Some((shown, value)) = shown.and_then(|shown| Some((shown, shown.value?))) else {
                // Failures made it infinite: the line ends.
                line.points.push((probe.asked, f64::NAN));
                continue;
            };
            heights.push(value);
            let figure = words::shown_words(limit.measure, shown, true);
            let word = dot_word(capacity, target, probe, &format!("{} {figure}", limit.subject()));
            line.points.push((probe.asked, value));
            line.dots.push((probe.asked, value, mark(probe), word));
        }
        series.push(line);
    }
    let top = heights.iter().copied().fold(0.0, f64::max);
    let bottom = heights.iter().copied().fold(f64::INFINITY, f64::min);
    series.extend(knees(capacity, bottom, top));
    let (from, to) = ends?;
    let points = vec![(from, limit.bound), (to, limit.bound)];
    series.push(Series {
        name: format!("limit: {}", limit.text),
        colour: 3,
        points,
        joined: true,
        ..Series::default()
    });
    let title = format!("{} by load", limit.subject());
    let about = "The value of each probe against its requested load, both axes logarithmic. The horizontal line is the \
                 limit; vertical lines are the capacities with their intervals. There is no point where failures make a \
                 value infinite.";
    let x = Axis { scale: Scale::Log, ticks: Some(tried(capacity)), word: &|x| words::load(&capacity.settings, x) };
    let y = Axis { scale: Scale::Log, ticks: None, word: &|us| human::time(us) };
    plot(&title, about, &x, &y, series)
}

/// The loads that were tried, as ticks: those that lie too near another are left out, from the knee outward.
fn tried(capacity: &Capacity) -> Vec<(f64, String)> {
    let mut loads: Vec<f64> = capacity.targets.iter().flat_map(|t| t.probes.iter().map(|probe| probe.asked)).collect();
    let (from, to) = loads.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
    let knee = capacity.targets.iter().find_map(|target| target.capacity.value).unwrap_or(to);
    loads.sort_by(|a, b| (a / knee).ln().abs().total_cmp(&(b / knee).ln().abs()));
    let mut kept: Vec<f64> = Vec::new();
    for load in loads {
        if kept.iter().all(|other| (load / other).ln().abs() > (to / from).ln() / 9.0) {
            kept.push(load);
        }
    }
    kept.into_iter().map(|at| (at, words::load(&capacity.settings, at))).collect()
}

/// The boundaries, as upright lines with bands.
fn knees(capacity: &Capacity, bottom: f64, top: f64) -> Vec<Series> {
    let knee = |(colour, target): (usize, &TargetCapacity)| {
        let found = target.capacity;
        let at = found.value?;
        let band = match (found.low, found.high) {
            (Some(low), Some(high)) => vec![(low, bottom, top), (high, bottom, top)],
            _ => Vec::new(),
        };
        Some(Series {
            name: format!("{}: capacity {}", target.label(), words::load(&capacity.settings, at)),
            colour,
            points: vec![(at, bottom), (at, top)],
            joined: true,
            band,
            ..Series::default()
        })
    };
    capacity.targets.iter().enumerate().filter_map(knee).collect()
}

/// Answers a second against the load, with the boundaries.
fn achieved(capacity: &Capacity) -> Option<Chart> {
    let settings = &capacity.settings;
    let mut series = Vec::new();
    let (mut from, mut to, mut top, mut bottom) = (f64::INFINITY, 0.0_f64, 0.0_f64, f64::INFINITY);
    for (colour, target) in capacity.targets.iter().enumerate() {
        let mut line = Series { name: target.label(), colour, joined: true, ..Series::default() };
        for probe in words::by_load(target) {
            (from, to) = (from.min(probe.asked), to.max(probe.asked));
            let evidence = &probe.evidence;
            let answers = evidence.achieved_per_s;
            if answers > 0.0 {
                (top, bottom) = (top.max(answers), bottom.min(answers));
            }
            let figure =
                format!("{} answers/s, goodput {}/s", human::three(answers), human::three(evidence.goodput_per_s));
            let word = dot_word(capacity, target, probe, &figure);
            line.points.push((probe.asked, answers));
            line.dots.push((probe.asked, answers, mark(probe), word));
        }
        series.push(line);
    }
    if bottom < top {
        series.extend(knees(capacity, bottom, top));
    }
    if settings.reach.by == crate::capacity::By::Rate && from < to {
        let points = vec![(from, from), (to, to)];
        series.push(Series { name: "as requested".to_owned(), colour: 3, points, joined: true, ..Series::default() });
    }
    let about = "Answers per second against the load. Below capacity a target answers everything; beyond it the line \
                 bends, and requests queue. Vertical lines are the capacities with their intervals.";
    let x = Axis { scale: Scale::Log, ticks: Some(tried(capacity)), word: &|x| words::load(settings, x) };
    let y = Axis { scale: Scale::Log, ticks: None, word: &|y| format!("{}/s", human::three(y)) };
    plot("Achieved by load", about, &x, &y, series)
}
