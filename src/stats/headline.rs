//! The metrics that ratios with intervals are told for, and how each is read.

use super::Metric;
use super::figure::{Done, Figure};
use super::slots::Unit;
use crate::metrics::{self, Definition, Of};
use crate::scenario::Task;
use std::sync::LazyLock;

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
    /// How it is read.
    pub figure: Figure,
}

impl Headline {
    /// Its value in a stretch of time or a block, in ticks or per second, if there are the rows for it.
    ///
    /// A median or a mean takes three: engines may take seconds an answer, and the scatter of few widens the interval. A
    /// 95th percentile has no rank in fewer than twenty.
    pub fn value(&self, unit: &Unit) -> Option<f64> {
        let least = if matches!(self.figure, Figure::Quantile(_, q) if q > 0.9) { 20 } else { 3 };
        let value = match self.figure {
            Figure::Rate(done) => unit.per_second(|work| done.of(work)),
            figure => figure.value(&unit.slot),
        };
        value.filter(|value| self.figure.rows(&unit.slot) >= least && *value > 0.0)
    }

    /// Fewest pairs of requests that its ratio has an interval of: five beyond a quantile on its thinner side (`make truth`).
    pub fn least_pairs(&self) -> u64 {
        match self.figure {
            Figure::Quantile(_, q) => (5.0 / (1.0 - q)).round().max(12.0) as u64,
            Figure::Mean(_) | Figure::Rate(_) => 6,
        }
    }

    /// What its figures in ticks are divided by for its unit.
    pub fn ticks_per_unit(&self) -> f64 {
        match self.figure {
            Figure::Quantile(metric, _) | Figure::Mean(metric) => metric.ticks_per_unit(),
            Figure::Rate(_) => 1.0,
        }
    }
}

/// How a figure of the table is read; `None` of one that isn't kept in a form to compare.
fn read(metric: &Definition, path: &str) -> Option<Figure> {
    let done = [(&metrics::REQUESTS_PER_S, Done::Answers), (&metrics::GOODPUT, Done::Good)];
    let done = done.into_iter().chain([(&metrics::OUTPUT_TOKENS_PER_S, Done::OutputTokens)]);
    let Some((_, figure)) = path.split_once('.') else {
        return done.into_iter().find(|(known, _)| known.id == metric.id).map(|(_, done)| Figure::Rate(done));
    };
    let metric = Metric::ALL.into_iter().find(|known| known.name() == metric.id)?;
    match figure {
        "p50" => Some(Figure::Quantile(metric, 0.5)),
        "p95" => Some(Figure::Quantile(metric, 0.95)),
        "mean" => Some(Figure::Mean(metric)),
        _ => None,
    }
}

fn headline((metric, path): (&Definition, &'static str)) -> Option<Headline> {
    Some(Headline {
        path,
        unit: metric.unit,
        more_is_better: metric.better.more()?,
        of_answers: metric.of == Of::Answers,
        from_plan: metric.from_plan,
        figure: read(metric, path)?,
    })
}

/// All of them, in the order they are told in: the figures of the table of metrics that are compared.
pub(super) static HEADLINES: LazyLock<Vec<Headline>> =
    LazyLock::new(|| metrics::compared().filter_map(headline).collect());

/// The main metric of a task: in an open loop the time that whoever arrives waits (the rate is the schedule's); in a closed
/// one the rate of tokens where answers are long and may differ in length, and the time of an answer where they are short,
/// or where tokens weren't counted on a side. Its mean: prompt by prompt, unlike lengths cancel in the ratio of two means, which
/// shows a difference of 10 % in a fifth of the requests that the ratio of two medians takes (`make truth`); and it is what a
/// user's requests per second come from. Under Poisson arrivals the rare long queues rule a mean, and the median is surer.
pub(super) fn primary(task: Task, open_loop: bool, tokens_counted: bool) -> &'static str {
    match task {
        _ if open_loop => "response.p50",
        Task::Generate | Task::Chat if tokens_counted => "output_tokens_per_s",
        _ => "latency.mean",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_that_is_compared_can_be_read() {
        let paths: Vec<_> = HEADLINES.iter().map(|headline| headline.path).collect();
        assert_eq!(paths, metrics::compared().map(|(_, path)| path).collect::<Vec<_>>());
        assert!(HEADLINES.iter().all(|headline| headline.of_answers != matches!(headline.figure, Figure::Rate(_))));
    }

    #[test]
    fn the_main_metric_is_one_that_is_told() {
        for (task, open, counted, want) in [
            (Task::Generate, false, true, "output_tokens_per_s"),
            (Task::Chat, false, true, "output_tokens_per_s"),
            (Task::Chat, false, false, "latency.mean"),
            (Task::Classify, false, true, "latency.mean"),
            (Task::Embed, false, true, "latency.mean"),
            (Task::Generate, true, true, "response.p50"),
        ] {
            assert_eq!(primary(task, open, counted), want);
            assert!(HEADLINES.iter().any(|headline| headline.path == want));
        }
    }
}
