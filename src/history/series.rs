//! One line of a trend: the runs of one scenario that may stand beside each other, a target's figure in each, and the steps.

use super::entry::{Entry, State};
use super::figures::{Figure, more_is_better};
use super::like::{differs, unlike};
use super::trend::Asked;
use crate::report::words::yaml_word;
use crate::stats::{Step, steps, unit};
use serde::{Deserialize, Serialize};

/// One figure of one target over the runs of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The scenario.
    pub scenario: String,
    /// Of an interference measurement, which of its two runs: `concurrent` or `isolated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The target.
    pub target: String,
    /// Whether an embedded engine stood in for a real one.
    pub stand_in: bool,
    /// Unit of the figure.
    pub unit: String,
    /// Whether more of it is better; `None` where neither is.
    pub more_is_better: Option<bool>,
    /// Hash of the workload that all of them had.
    pub workload_hash: String,
    /// The runs, the oldest first.
    pub points: Vec<Point>,
    /// Positions of the points that stand alone: they are part of no level.
    pub alone: Vec<usize>,
    /// Where the level changed, in the order of the points.
    pub steps: Vec<StepTold>,
    /// Median of the points since the last step, those that stand alone left out; `None` without a point.
    pub level: Option<f64>,
    /// Runs of this scenario and target that don't stand in the line, and why.
    pub left_out: Vec<LeftOut>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its directory.
    pub dir: String,
    /// When it began, UTC (RFC 3339).
    pub started: String,
    /// The figure.
    pub value: f64,
    /// Lower end of its 95 % interval, where the run told one.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// Whether the run's own audit found it worthless; such runs stand here only if they were asked for.
    pub invalid: bool,
}

/// A change of level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTold {
    /// Position of the first point after it.
    pub at: usize,
    /// Directory of the first run after it.
    pub dir: String,
    /// When that run began.
    pub started: String,
    /// Directory of the last run of the level before.
    pub dir_before: String,
    /// Median of the level before.
    pub before: f64,
    /// Median of the level after.
    pub after: f64,
    /// The change: a share of the level before, `None` if that was nothing; of a proportion, in points of 1.
    pub change: Option<f64>,
    /// Whether that is better; `None` where neither is.
    pub better: Option<bool>,
    /// p of the permutation test.
    pub p: f64,
    /// What differs between the last run before and the first after.
    pub differs: Vec<Differs>,
}

/// A thing that two runs differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    /// What it is, in words.
    pub what: String,
    /// How it was before.
    pub before: String,
    /// How it was after.
    pub after: String,
}

/// A run that doesn't stand in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its directory.
    pub dir: String,
    /// When it began.
    pub started: String,
    /// Why.
    pub why: String,
}

/// The line of a target through the runs of its scenario; `None` if none of them measured the figure.
pub(super) fn series(runs: &[&Entry], target: &str, asked: &Asked) -> Option<Series> {
    let figure = |entry: &Entry| entry.target(target)?.0.figure(&asked.metric);
    let usable = |entry: &Entry| -> Result<Figure, String> {
        match entry.state() {
            State::Interrupted => return Err("it was interrupted".to_owned()),
            State::Invalid if !asked.invalid => {
                let why = entry.invalid.first().map(String::as_str).unwrap_or_default();
                return Err(format!("its audit found it invalid: {}", why.trim_end_matches('.')));
            }
            _ => {}
        }
        figure(entry).ok_or_else(|| format!("{} was not measured", asked.metric))
    };
    runs.iter().find_map(|entry| figure(entry))?;
    let stand_in = |entry: &Entry| entry.target(target).is_some_and(|(target, _)| target.stand_in);
    // The last run says what the others are held against; one of a real engine before one of a stand-in.
    let fit = || runs.iter().rev().filter(|entry| usable(entry).is_ok());
    let anchor = fit().find(|entry| !stand_in(entry)).or_else(|| fit().next());
    let (mut used, mut figures, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for entry in runs {
        let told = anchor.and_then(|anchor| unlike(entry, anchor, target));
        match usable(entry).and_then(|figure| told.map_or(Ok(figure), Err)) {
            Ok(figure) => {
                used.push(*entry);
                figures.push(figure);
            }
            Err(why) => left_out.push(LeftOut { dir: entry.dir.clone(), started: entry.started.clone(), why }),
        }
    }
    let values: Vec<f64> = figures.iter().map(|figure| figure.value).collect();
    let of = figures.first().map(|figure| figure.unit.clone()).unwrap_or_default();
    let points = of == unit::ONE;
    let mut by = asked.by;
    if points {
        // Told in points, and half as many of them matter.
        by.differences = true;
        by.smallest /= 2.0;
    } else if values.iter().any(|value| *value <= 0.0) {
        // Compared by differences: what matters is a share of the usual size.
        by.smallest *= values.iter().map(|value| value.abs()).sum::<f64>() / values.len().max(1) as f64;
    }
    let found = steps(&values, &by);
    let more = more_is_better(&asked.metric, &of);
    // One that stands alone is of neither level: what came with it came after the last run before it.
    let last = |at: usize| (0..at).rev().find(|before| !found.lone.contains(before)).unwrap_or(at);
    let told = |step: &Step| StepTold {
        at: step.at,
        dir: used[step.at].dir.clone(),
        started: used[step.at].started.clone(),
        dir_before: used[last(step.at)].dir.clone(),
        before: step.before,
        after: step.after,
        change: Some(if points { step.after - step.before } else { step.after / step.before - 1.0 })
            .filter(|change| change.is_finite()),
        better: more.map(|more| more == (step.after > step.before)),
        p: step.p,
        differs: differs(used[last(step.at)], used[step.at], target),
    };
    let point = |(entry, figure): (&&Entry, &Figure)| Point {
        dir: entry.dir.clone(),
        started: entry.started.clone(),
        value: figure.value,
        low: figure.low,
        high: figure.high,
        invalid: entry.state() == State::Invalid,
    };
    Some(Series {
        scenario: runs.first().map(|entry| entry.plan.name.clone()).unwrap_or_default(),
        part: runs.first().and_then(|entry| part(entry)),
        target: target.to_owned(),
        stand_in: anchor.is_some_and(|anchor| stand_in(anchor)),
        unit: of,
        more_is_better: more,
        workload_hash: anchor.map(|anchor| anchor.plan.workload.hash.clone()).unwrap_or_default(),
        points: used.iter().zip(&figures).map(point).collect(),
        steps: found.steps.iter().map(told).collect(),
        level: found.level,
        alone: found.lone,
        left_out,
    })
}

/// Which of the two runs of an interference measurement a run is; `None` if it is of none.
pub(super) fn part(entry: &Entry) -> Option<String> {
    entry.plan.interference.then(|| yaml_word(&entry.plan.order))
}
