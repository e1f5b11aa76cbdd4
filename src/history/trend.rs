//! A metric over the runs of a folder, in lines of runs that may stand beside each other, with the steps in each.

use super::document::{FALSE_RATE, Family, Series, Trend};
use super::entry::RunEntry;
use super::family::settle;
use super::filter::TrendQuery;
use super::read::History;
use super::series::{part, series};
use crate::report::TOOL;
use crate::scenario::nearest;
use std::collections::BTreeSet;

/// Version of the document's form.
const TREND_VERSION: u32 = 1;

/// Follows a metric through a history.
///
/// # Errors
/// In words: no run is meant, or none measured the metric.
pub fn trend(history: &History, asked: &TrendQuery) -> Result<Trend, String> {
    let mut one = [of_metric(history, asked)?];
    settle(&mut one);
    let [trend] = one;
    Ok(trend)
}

/// Follows several metrics, as one family: a step is a finding among the lines of all. Those that no run measured are left out,
/// and lines that `keep` doesn't want.
pub fn trends(history: &History, asked: &[TrendQuery], keep: impl Fn(&Series) -> bool) -> Vec<Trend> {
    let mut all: Vec<Trend> = asked.iter().filter_map(|asked| of_metric(history, asked).ok()).collect();
    all.iter_mut().for_each(|trend| trend.series.retain(&keep));
    all.retain(|trend| !trend.series.is_empty());
    settle(&mut all);
    all
}

fn of_metric(history: &History, asked: &TrendQuery) -> Result<Trend, String> {
    let folder = history.folder.display();
    let meant: Vec<&RunEntry> = history.entries.iter().filter(|entry| asked.filter.takes(entry)).collect();
    if meant.is_empty() {
        return Err(none(history, asked));
    }
    // A line for each scenario and target, in the order in which they first came.
    let mut keys: Vec<(&str, Option<String>, &str)> = Vec::new();
    for entry in &meant {
        for target in &entry.targets {
            let key = (entry.plan.name.as_str(), part(entry), target.name.as_str());
            let wanted = asked.filter.target.as_ref().is_none_or(|name| *name == target.name);
            if wanted && !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    let line = |(scenario, half, target): &(&str, Option<String>, &str)| {
        let of =
            |entry: &&RunEntry| entry.plan.name == *scenario && part(entry) == *half && entry.target(target).is_some();
        let runs: Vec<&RunEntry> = meant.iter().copied().filter(of).collect();
        series(&runs, target, asked)
    };
    let lines: Vec<Series> = keys.iter().filter_map(line).collect();
    if lines.is_empty() {
        return Err(unknown(&meant, &asked.metric));
    }
    Ok(Trend {
        schema_version: TREND_VERSION,
        tool: TOOL.to_owned(),
        folder: folder.to_string(),
        metric: asked.metric.clone(),
        by: asked.by,
        family: Family { lines: lines.len(), rate: FALSE_RATE },
        series: lines,
        damaged: history.damaged.clone(),
    })
}

/// Why no run is meant.
fn none(history: &History, asked: &TrendQuery) -> String {
    let folder = history.folder.display();
    if history.entries.is_empty() {
        return format!("{folder} holds no readable run");
    }
    let names = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
    let scenarios: BTreeSet<&str> = history.entries.iter().map(|entry| entry.plan.name.as_str()).collect();
    if let Some(name) = asked.filter.scenario.as_deref().filter(|name| !scenarios.contains(name)) {
        return format!("{folder} holds no run of scenario `{name}`; there are: {}", names(scenarios));
    }
    let targets: BTreeSet<&str> =
        history.entries.iter().flat_map(|entry| entry.targets.iter().map(|target| target.name.as_str())).collect();
    if let Some(name) = asked.filter.target.as_deref().filter(|name| !targets.contains(name)) {
        return format!("{folder} holds no run with a target `{name}`; there are: {}", names(targets));
    }
    format!("none of the {} runs in {folder} matches these options", history.entries.len())
}

/// Says that a metric is not known, and what is.
fn unknown(meant: &[&RunEntry], metric: &str) -> String {
    let all: BTreeSet<String> =
        meant.iter().flat_map(|entry| entry.targets.iter()).flat_map(|target| target.paths()).collect();
    let near = nearest(metric, all.iter().map(String::as_str));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    // Figures of one metric stand together.
    let mut words: Vec<(String, Vec<String>)> = Vec::new();
    for path in &all {
        let (metric, figure) = path.split_once('.').map_or((path.as_str(), None), |(m, figure)| (m, Some(figure)));
        match words.last_mut().filter(|(last, _)| last == metric) {
            Some((_, figures)) => figures.extend(figure.map(str::to_owned)),
            None => words.push((metric.to_owned(), figure.map(str::to_owned).into_iter().collect())),
        }
    }
    let (many, one): (Vec<_>, Vec<_>) = words.into_iter().partition(|(_, figures)| !figures.is_empty());
    let mut text =
        format!("no run measured `{metric}`{near}\n  known, each with a figure such as .p50, .p95, .p99, .mean:\n");
    text += &listed(many.into_iter().map(|(metric, _)| metric));
    text += "  known, without a figure:\n";
    text + listed(one.into_iter().map(|(metric, _)| metric)).trim_end()
}

/// Words in lines of at most 78 columns.
fn listed(words: impl Iterator<Item = String>) -> String {
    let (mut text, mut line) = (String::new(), String::new());
    for word in words {
        if line.len() + word.len() + 2 > 74 {
            text += &format!("    {line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line += ", ";
        }
        line += &word;
    }
    text + &format!("    {line}\n")
}
