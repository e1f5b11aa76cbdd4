//! The metrics that ratios with intervals are told for, and how each is read from a unit.

use super::slots::Unit;
use super::{Metric, Work, unit};
use crate::scenario::Task;

/// A metric that ratios with intervals are told for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Headline {
    pub path: &'static str,
    pub unit: &'static str,
    pub more_is_better: bool,
    /// Whether it is a time of answered requests, which failures distort.
    pub of_answers: bool,
    /// Whether it is told from the planned instant: only in an open loop is that another thing.
    pub from_plan: bool,
    /// Fewest rows a unit must have on each side: engines may take seconds an answer, so that few make do for a median
    /// or a mean (their scatter widens the interval); a 95th percentile has no rank in fewer than 20.
    pub least_rows: u64,
    /// Its value in a unit (in any measure, the same for both sides), and the rows that it rests on.
    read: fn(&Unit) -> (Option<f64>, u64),
}

impl Headline {
    /// Its value in a unit, if the unit has the rows for it.
    pub fn value(&self, unit: &Unit) -> Option<f64> {
        let (value, rows) = (self.read)(unit);
        value.filter(|value| rows >= self.least_rows && *value > 0.0)
    }

    /// The rows it rests on.
    pub fn rows(&self, unit: &Unit) -> u64 {
        (self.read)(unit).1
    }
}

const fn time(path: &'static str, least_rows: u64, read: fn(&Unit) -> (Option<f64>, u64)) -> Headline {
    Headline { path, unit: unit::MICROS, more_is_better: false, of_answers: true, from_plan: false, least_rows, read }
}

const fn planned(path: &'static str, least_rows: u64, read: fn(&Unit) -> (Option<f64>, u64)) -> Headline {
    Headline { from_plan: true, ..time(path, least_rows, read) }
}

const fn rate(path: &'static str, unit: &'static str, read: fn(&Unit) -> (Option<f64>, u64)) -> Headline {
    Headline { path, unit, more_is_better: true, of_answers: false, from_plan: false, least_rows: 3, read }
}

fn quantile(unit: &Unit, metric: Metric, q: f64) -> (Option<f64>, u64) {
    unit.slot.times(metric).map_or((None, 0), |times| (times.quantile(q), times.n))
}

fn mean(unit: &Unit, metric: Metric) -> (Option<f64>, u64) {
    unit.slot.times(metric).map_or((None, 0), |times| (times.mean(), times.n))
}

/// All of them, in the order they are told in.
pub(super) const HEADLINES: [Headline; 15] = [
    planned("response.p50", 3, |u| quantile(u, Metric::Response, 0.5)),
    planned("response.p95", 20, |u| quantile(u, Metric::Response, 0.95)),
    planned("response.mean", 3, |u| mean(u, Metric::Response)),
    planned("response_ttft.p50", 3, |u| quantile(u, Metric::ResponseTtft, 0.5)),
    planned("response_ttft.p95", 20, |u| quantile(u, Metric::ResponseTtft, 0.95)),
    time("latency.p50", 3, |u| quantile(u, Metric::Latency, 0.5)),
    time("latency.p95", 20, |u| quantile(u, Metric::Latency, 0.95)),
    time("latency.mean", 3, |u| mean(u, Metric::Latency)),
    time("ttft.p50", 3, |u| quantile(u, Metric::Ttft, 0.5)),
    time("ttft.p95", 20, |u| quantile(u, Metric::Ttft, 0.95)),
    time("itl.mean", 3, |u| mean(u, Metric::Itl)),
    time("tpot.mean", 3, |u| mean(u, Metric::Tpot)),
    rate("requests_per_s", unit::REQUESTS_PER_S, |u| done(u, |work| work.answers, |work| work.answers)),
    rate("goodput", unit::REQUESTS_PER_S, |u| done(u, |work| work.good, |work| work.good)),
    rate("output_tokens_per_s", unit::TOKENS_PER_S, |u| done(u, |work| work.output_tokens, |work| work.answers)),
];

/// A rate of work, and the answers that it rests on.
fn done(unit: &Unit, work: impl Fn(&Work) -> f64, answers: impl Fn(&Work) -> f64) -> (Option<f64>, u64) {
    (unit.per_second(work), answers(&unit.slot.work).round() as u64)
}

/// The main metric of a task: in an open loop the time that whoever arrives waits (the rate is the schedule's); in a closed
/// one the rate of tokens where answers are long and may differ in length, and the time of an answer where they are short.
/// Where tokens weren't counted on a side, the time of an answer.
pub(super) fn primary(task: Task, open_loop: bool, tokens_counted: bool) -> &'static str {
    match task {
        _ if open_loop => "response.p50",
        Task::Generate | Task::Chat if tokens_counted => "output_tokens_per_s",
        _ => "latency.p50",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_metric_is_one_that_is_told() {
        for (task, open, counted, want) in [
            (Task::Generate, false, true, "output_tokens_per_s"),
            (Task::Chat, false, true, "output_tokens_per_s"),
            (Task::Chat, false, false, "latency.p50"),
            (Task::Classify, false, true, "latency.p50"),
            (Task::Embed, false, true, "latency.p50"),
            (Task::Generate, true, true, "response.p50"),
        ] {
            assert_eq!(primary(task, open, counted), want);
            assert!(HEADLINES.iter().any(|headline| headline.path == want));
        }
    }
}
