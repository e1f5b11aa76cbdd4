//! One line of a trend: the runs of one scenario that may stand beside each other, a target's figure in each, and the steps.

use super::comparable::{differs, unlike};
use super::document::{Compared, LeftOut, Mover, RatioLine, Series, SeriesPoint, StepTold};
use super::entry::{RunEntry, RunState};
use super::filter::TrendQuery;
use super::ratio::near;
use crate::metrics::more_is_better;
use crate::scenario::yaml_word;
use crate::stats::{Figure, Step, Steps, StepsBy, steps, unit};

/// The line of a target through the runs of its scenario; `None` if none of them measured the figure.
pub(super) fn series(runs: &[&RunEntry], target: &str, asked: &TrendQuery) -> Option<Series> {
    let figure = |entry: &RunEntry| entry.target(target)?.0.figure(&asked.metric);
    let usable = |entry: &RunEntry| -> Result<Figure, String> {
        match entry.state() {
            RunState::Interrupted => return Err("it was interrupted".to_owned()),
            RunState::Invalid if !asked.invalid => {
                let why = entry.invalid.first().map(String::as_str).unwrap_or_default();
                return Err(format!("its audit found it invalid ({})", why.trim_end_matches('.')));
            }
            _ => {}
        }
        figure(entry).ok_or_else(|| format!("{} was not measured", asked.metric))
    };
    runs.iter().find_map(|entry| figure(entry))?;
    let stand_in = |entry: &RunEntry| entry.target(target).is_some_and(|(target, _)| target.stand_in);
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
    let line = Line {
        used: &used,
        target,
        points: of == unit::ONE,
        more: more_is_better(&asked.metric),
        metric: &asked.metric,
    };
    let found = steps(&values, &line.by(&asked.by, &values));
    let (ratio, reference, theirs) = match anchor {
        Some(anchor) => line.ratio(anchor, &values, asked),
        None => (None, false, Steps::default()),
    };
    let ends: Vec<usize> =
        std::iter::once(0).chain(found.steps.iter().map(|step| step.at)).chain([values.len()]).collect();
    let told = |(number, step): (usize, &Step)| {
        let told = line.told(step, |at| at, &found.lone);
        let reach = (ends[number], ends[number + 2]);
        let mover = ratio.as_ref().map(|ratio| ratio.mover(step, reach, told.change, line.points));
        StepTold { mover, ..told }
    };
    let steps: Vec<StepTold> = found.steps.iter().enumerate().map(told).collect();
    let ratio = ratio.map(|ratio| blamed(ratio, &steps, &theirs));
    let point = |(entry, figure): (&&RunEntry, &Figure)| SeriesPoint {
        dir: entry.dir.clone(),
        started: entry.started.clone(),
        value: figure.value,
        low: figure.low,
        high: figure.high,
        invalid: entry.state() == RunState::Invalid,
    };
    Some(Series {
        scenario: runs.first().map(|entry| entry.plan.name.clone()).unwrap_or_default(),
        part: runs.first().and_then(|entry| part(entry)),
        target: target.to_owned(),
        stand_in: anchor.is_some_and(|anchor| stand_in(anchor)),
        unit: of,
        more_is_better: line.more,
        workload_hash: anchor.map(|anchor| anchor.plan.workload.hash.clone()).unwrap_or_default(),
        points: used.iter().zip(&figures).map(point).collect(),
        steps,
        level: found.level,
        p: found.p,
        reference,
        ratio,
        alone: found.lone,
        left_out,
    })
}

/// The runs of a line, and how its figure is read.
struct Line<'a> {
    used: &'a [&'a RunEntry],
    target: &'a str,
    metric: &'a str,
    /// Whether it is a proportion, which is compared by points.
    points: bool,
    more: Option<bool>,
}

impl Line<'_> {
    /// By what steps are looked for in values of the figure.
    fn by(&self, asked: &StepsBy, values: &[f64]) -> StepsBy {
        let mut by = *asked;
        if self.points {
            // Told in points, and half as many of them matter.
            by.differences = true;
            by.smallest /= 2.0;
        } else if values.iter().any(|value| *value <= 0.0) {
            // Compared by differences: what matters is a share of the usual size.
            by.smallest *= values.iter().map(|value| value.abs()).sum::<f64>() / values.len().max(1) as f64;
        }
        by
    }

    /// A step of values whose positions in the line are `place`'s.
    fn told(&self, step: &Step, place: impl Fn(usize) -> usize, lone: &[usize]) -> StepTold {
        // One that stands alone is of neither level: what came with it came after the last run before it.
        let last = (0..step.at).rev().find(|before| !lone.contains(before)).unwrap_or(step.at);
        let (at, before) = (place(step.at), self.used[place(last)]);
        let first = self.used[at];
        StepTold {
            at,
            dir: first.dir.clone(),
            started: first.started.clone(),
            dir_before: before.dir.clone(),
            before: step.before,
            after: step.after,
            change: Some(if self.points { step.after - step.before } else { step.after / step.before - 1.0 })
                .filter(|change| change.is_finite()),
            better: self.more.map(|more| more == (step.after > step.before)),
            p: step.p,
            of_ratio: false,
            mover: None,
            certain: false,
            differs: differs(before, first, self.target),
        }
    }

    /// The ratio of the figure to that of the reference (of the reference itself, to the first of the others), whether the
    /// target is the reference, and what steps the other's own figure has.
    fn ratio(&self, anchor: &RunEntry, values: &[f64], asked: &TrendQuery) -> (Option<RatioLine>, bool, Steps) {
        let names = anchor.targets.iter().map(|target| target.name.as_str());
        let reference = anchor.targets.get(anchor.plan.reference).map(|target| target.name.as_str());
        let is_reference = reference == Some(self.target);
        let other = if is_reference { names.clone().find(|name| *name != self.target) } else { reference };
        let stand_in = |name: &str| anchor.target(name).map(|(target, _)| target.stand_in);
        let Some(other) = other.filter(|other| stand_in(other) == stand_in(self.target)) else {
            return (None, is_reference, Steps::default());
        };
        let theirs = |entry: &RunEntry| Some(entry.target(other)?.0.figure(self.metric)?.value);
        let all: Vec<Option<f64>> = self.used.iter().map(|entry| theirs(entry)).collect();
        let ratio = |(value, other): (&f64, &Option<f64>)| {
            let told = if self.points { value - (*other)? } else { value / (*other)? };
            (told.is_finite() && (self.points || told > 0.0)).then_some(told)
        };
        let values: Vec<Option<f64>> = values.iter().zip(&all).map(ratio).collect();
        let compared = |entry: &&RunEntry| {
            let of_main = entry.primary == self.metric && !is_reference;
            let at = entry.targets.iter().position(|target| target.name == self.target).filter(|_| of_main)?;
            let told = entry.verdicts.iter().find(|verdict| verdict.target == at)?;
            Some(Compared { ratio: told.ratio?, low: told.low?, high: told.high? })
        };
        let mut line = RatioLine {
            to: other.to_owned(),
            values,
            compared: self.used.iter().map(compared).collect(),
            alone: Vec::new(),
            steps: Vec::new(),
            level: None,
            p: None,
        };
        let (places, found) = line.look(&self.by(&asked.by, &[]));
        line.alone = found.lone.iter().map(|at| places[*at]).collect();
        let told = |step: &Step| StepTold { of_ratio: true, ..self.told(step, |at| places[at], &found.lone) };
        line.steps = found.steps.iter().map(told).collect();
        (line.level, line.p) = (found.level, found.p);
        // Steps of the other's figure, by their places in this line.
        let (at, theirs): (Vec<usize>, Vec<f64>) =
            all.iter().enumerate().filter_map(|(at, x)| Some((at, (*x)?))).unzip();
        let mut theirs = steps(&theirs, &self.by(&asked.by, &theirs));
        theirs.steps.iter_mut().for_each(|step| step.at = at[step.at]);
        (Some(line), is_reference, theirs)
    }
}

/// Says of each step of a ratio what moved: where only the other's figure has a step there, the other.
fn blamed(mut ratio: RatioLine, own: &[StepTold], theirs: &Steps) -> RatioLine {
    let own: Vec<(usize, Option<f64>)> = own.iter().map(|step| (step.at, step.change)).collect();
    let matched: Vec<usize> =
        own.iter().filter_map(|(at, change)| ratio.step_at(*at, *change)).map(|step| step.at).collect();
    for step in &mut ratio.steps {
        let other = !matched.contains(&step.at) && near(step.at, &theirs.steps, |at| at);
        step.mover = Some(if other { Mover::Other } else { Mover::Engine });
    }
    ratio
}

impl Series {
    /// Draws the p of its lines in which a step was seen once more, as finely as `by` says.
    pub(super) fn refine(&mut self, by: &StepsBy) {
        let values: Vec<f64> = self.points.iter().map(|point| point.value).collect();
        let line = Line { used: &[], target: "", metric: "", points: self.unit == unit::ONE, more: None };
        // What the finer look no longer shows keeps the p that it had.
        if self.p.is_some() {
            self.p = steps(&values, &line.by(by, &values)).p.or(self.p);
        }
        if let Some(ratio) = self.ratio.as_mut().filter(|ratio| ratio.p.is_some()) {
            ratio.p = ratio.look(&line.by(by, &[])).1.p.or(ratio.p);
        }
    }
}

/// Which of the two runs of an interference measurement a run is; `None` if it is of none.
pub(super) fn part(entry: &RunEntry) -> Option<String> {
    entry.plan.interference.then(|| yaml_word(&entry.plan.order))
}
