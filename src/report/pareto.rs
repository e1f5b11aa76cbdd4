//! Variants of a target beside each other in everything that matters at once: speed, memory, size, quality. What no other is
//! better than in all of it is on the front (Pareto's).

use super::Report;
use crate::metrics::{self, Better, Definition, metric_of, metric_words};
use crate::scenario::Task;
use crate::stats::{Estimate, Row, Stands, Verdict, compare_summaries, newcombe, non_dominated, unit, wilson};
use serde::{Deserialize, Serialize};

/// What the targets are like, and which no other is better than in everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Front {
    /// In what they are compared.
    pub respects: Vec<Respect>,
    /// The targets, in the plan's order.
    pub candidates: Vec<Candidate>,
}

/// One thing that variants are compared in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Respect {
    /// What it is called in files: `memory_peak`.
    pub metric: String,
    /// In words.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Whether more of it is better.
    pub more_is_better: bool,
    /// Why it takes no part in who is on the front; `None` if it does.
    pub left_out: Option<String>,
}

/// One of the targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Candidate {
    /// Position of the target.
    pub target: usize,
    /// Its figures, in the order of the respects; `None` where one wasn't measured.
    pub values: Vec<Option<f64>>,
    /// Whether no other is better in everything; `None` if nothing takes part.
    pub on_front: Option<bool>,
}

/// Puts the targets beside each other; `None` if the run has no variants, or but one target.
pub fn front(report: &Report) -> Option<Front> {
    let plan = &report.plan;
    if plan.variants.is_empty() || report.targets.len() < 2 {
        return None;
    }
    let each = |value: &dyn Fn(usize) -> Option<f64>| (0..report.targets.len()).map(value).collect::<Vec<_>>();
    let figure = |path: &str| each(&|at| report.targets[at].value(path));
    let size = each(&|at| plan.targets.get(at)?.facts.size_bytes.map(|bytes| bytes as f64));
    let (quality, quality_name, qualities) = match plan.task {
        Task::Classify => ("accuracy", "accuracy", figure("accuracy")),
        // A vector is like itself.
        Task::Embed => ("cosine.mean", "cosine with the reference", {
            each(&|at| if at == plan.reference { Some(1.0) } else { report.targets[at].value("cosine.mean") })
        }),
        Task::Generate | Task::Chat => {
            let shares = each(&|at| same_answers(report, at).map(|share| share.value));
            ("same_answers", "answers identical to the reference's", shares)
        }
    };
    let speed = metric_words(&report.primary);
    let of = |path: &str| metric_of(path).unwrap_or(&metrics::LATENCY);
    let columns = [
        (report.primary.as_str(), speed.as_str(), of(&report.primary), figure(&report.primary)),
        ("memory_peak", "peak RSS", &metrics::MEMORY_PEAK, figure("memory_peak")),
        ("size", "size on disk", &metrics::MODEL_SIZE, size),
        (quality, quality_name, of(quality), qualities),
    ];
    let respect = |(id, name, metric, values): &(&str, &str, &Definition, Vec<Option<f64>>)| Respect {
        metric: (*id).to_owned(),
        name: (*name).to_owned(),
        unit: metric.unit.to_owned(),
        more_is_better: metric.better == Better::More,
        left_out: left_out(report, id, values),
    };
    let mut told = Front { respects: columns.iter().map(respect).collect(), candidates: Vec::new() };
    let values: Vec<Vec<Option<f64>>> =
        (0..report.targets.len()).map(|at| columns.iter().map(|column| column.3[at]).collect()).collect();
    let taking: Vec<usize> = (0..told.respects.len()).filter(|at| told.respects[*at].left_out.is_none()).collect();
    let stands = |a: usize, b: usize, respect: usize| {
        let at = taking[respect];
        let (Some(x), Some(y)) = (values[a][at], values[b][at]) else { return Stands::NoWorse };
        standing(report, (a, x), (b, y), &told.respects[at])
    };
    let on = non_dominated(values.len(), taking.len(), stands);
    told.candidates = values
        .into_iter()
        .zip(on)
        .enumerate()
        .map(|(target, (values, on))| Candidate { target, values, on_front: (!taking.is_empty()).then_some(on) })
        .collect();
    Some(told)
}

/// The share of a target's answers that are the reference's word for word; of the reference itself it is 1 by what it means.
fn same_answers(report: &Report, at: usize) -> Option<Estimate> {
    let target = report.targets.get(at)?;
    if at == report.plan.reference {
        return wilson(1.0, target.answered(), target.answered());
    }
    let row = target.row(metrics::SAME_ANSWERS.id)?;
    let n = row.n?;
    // The summary has six decimals of it; it is a number of answers.
    wilson((row.mean? * n as f64).round() / n as f64, n, n)
}

/// Adds to the targets' summaries what only runs with variants have: `model_size`, the bytes of the model's file.
pub fn summed(report: &mut Report) {
    for (target, plan) in report.targets.iter_mut().zip(&report.plan.targets) {
        let size = plan.facts.size_bytes.map(|bytes| Row::total(&metrics::MODEL_SIZE, 1, Some(bytes as f64)));
        target.rows.extend(size.map(Row::tidied));
    }
}

/// Why a respect takes no part; `values` are the targets' own in it.
fn left_out(report: &Report, metric: &str, values: &[Option<f64>]) -> Option<String> {
    let stand_in = report.targets.iter().find(|target| target.stand_in);
    if let Some(stand_in) = stand_in.filter(|_| !report.targets.iter().all(|target| target.stand_in)) {
        return Some(format!("not compared: `{}` is a stand-in", stand_in.name));
    }
    let lacking: Vec<&str> =
        report.targets.iter().zip(values).filter(|(_, value)| value.is_none()).map(|(t, _)| t.name.as_str()).collect();
    if !lacking.is_empty() {
        return Some(format!("not measured for {}", lacking.join(", ")));
    }
    let endpoints = || report.plan.targets.iter().map(|target| &target.endpoint);
    let shared = endpoints().enumerate().any(|(at, one)| endpoints().skip(at + 1).any(|other| other == one));
    (metric == "memory_peak" && shared)
        .then(|| "targets of one server share its processes, so their memory can't be separated".to_owned())
}

/// How two targets stand in one respect. Worse is only what is worse by more than the smallest difference that matters.
fn standing(report: &Report, (a, x): (usize, f64), (b, y): (usize, f64), respect: &Respect) -> Stands {
    let settings = report.comparing();
    let smallest = report.plan.smallest_effect.0;
    // How much better the first is: points of a proportion, else a share.
    let better =
        if respect.unit == unit::ONE { x - y } else { (x / y).ln() * if respect.more_is_better { 1.0 } else { -1.0 } };
    let least = if respect.unit == unit::ONE { smallest / 2.0 } else { smallest.ln_1p() };
    if better < -least {
        return Stands::Worse;
    }
    let shown = match respect.metric.as_str() {
        "memory_peak" | "size" | "cosine.mean" => better > least,
        "same_answers" => {
            let beyond = |(a, b): (Estimate, Estimate)| newcombe(a, b).0 > least;
            same_answers(report, a).zip(same_answers(report, b)).is_some_and(beyond)
        }
        metric => compare_summaries(&report.targets[a], &report.targets[b], &settings)
            .iter()
            .any(|c| c.metric == metric && c.verdict == Verdict::Better),
    };
    if shown { Stands::Better } else { Stands::NoWorse }
}

impl Front {
    /// What it says, in a sentence; and what took no part.
    pub fn words(&self, report: &Report) -> Vec<String> {
        let label = |at: usize| report.targets.get(at).map(|target| target.label()).unwrap_or_default();
        let on: Vec<String> =
            self.candidates.iter().filter(|c| c.on_front == Some(true)).map(|c| label(c.target)).collect();
        let taking: Vec<&str> =
            self.respects.iter().filter(|r| r.left_out.is_none()).map(|r| r.name.as_str()).collect();
        let mut told = Vec::new();
        if !taking.is_empty() {
            told.push(format!(
                "Pareto front: {} (by {}). No other variant is better in everything.",
                on.join(", "),
                taking.join("; ")
            ));
        }
        for respect in &self.respects {
            if let Some(why) = &respect.left_out {
                told.push(format!("{} is left out: {why}.", respect.name));
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;

    fn of(task: Task, change: impl Fn(&mut Report)) -> Option<Front> {
        let mut report = report(task, false);
        report.plan.variants = vec!["native".to_owned(), "ollama".to_owned()];
        change(&mut report);
        let told = front(&report);
        if let Some(front) = &told {
            let words = front.words(&report).join(" ");
            assert_eq!(
                words.matches("is left out").count(),
                front.respects.iter().filter(|r| r.left_out.is_some()).count()
            );
        }
        told
    }

    fn on(front: &Front) -> Vec<Option<bool>> {
        front.candidates.iter().map(|candidate| candidate.on_front).collect()
    }

    fn respect<'a>(front: &'a Front, metric: &str) -> &'a Respect {
        front.respects.iter().find(|respect| respect.metric == metric).unwrap()
    }

    #[test]
    fn sizes_are_in_the_summaries() {
        let mut report = report(Task::Generate, false);
        let reference = report.plan.reference;
        report.plan.targets[reference].facts.size_bytes = Some(5);
        summed(&mut report);
        let value = |at: usize, metric: &str| report.targets[at].value(metric);
        assert_eq!((value(reference, "model_size"), value(1 - reference, "model_size")), (Some(5.0), None));
    }

    #[test]
    fn a_run_without_variants_has_no_front() {
        assert!(of(Task::Classify, |report| report.plan.variants.clear()).is_none());
        assert!(of(Task::Classify, |report| report.targets.truncate(1)).is_none());
    }

    #[test]
    fn the_faster_of_two_that_are_as_good_is_alone_on_the_front() {
        // 12 ms beside 20 ms; quality is made the same.
        let same = |report: &mut Report| {
            let accuracy = report.targets[0].row("accuracy").cloned().unwrap();
            let place = report.targets[1].rows.iter().position(|row| row.metric == "accuracy").unwrap();
            report.targets[1].rows[place] = accuracy;
        };
        let front = of(Task::Classify, same).unwrap();
        assert_eq!(on(&front), [Some(true), Some(false)], "{front:?}");
        assert_eq!(respect(&front, "memory_peak").left_out.as_deref(), Some("not measured for native, ollama"));
        // A better answer is a reason to be on it; so is a smaller file.
        let smaller = |report: &mut Report| {
            same(report);
            report.plan.targets[0].facts.size_bytes = Some(2 << 30);
            report.plan.targets[1].facts.size_bytes = Some(1 << 30);
        };
        assert_eq!(on(&of(Task::Classify, smaller).unwrap()), [Some(true), Some(true)]);
    }

    #[test]
    fn what_is_measured_of_one_alone_takes_no_part() {
        let front = of(Task::Generate, |report| report.plan.targets[0].facts.size_bytes = Some(1)).unwrap();
        assert_eq!(respect(&front, "size").left_out.as_deref(), Some("not measured for ollama"));
        assert!(respect(&front, "same_answers").left_out.is_some());
        let none =
            of(Task::Generate, |report| report.targets.iter_mut().for_each(|target| target.rows.clear())).unwrap();
        assert_eq!(on(&none), [None, None]);
    }

    #[test]
    fn the_memory_of_one_server_is_nobodys() {
        let shared = |report: &mut Report| {
            report.plan.targets[1].endpoint = report.plan.targets[0].endpoint.clone();
            for target in &mut report.targets {
                target.rows.push(crate::stats::Row::total(&crate::metrics::MEMORY_PEAK, 9, Some(1e9)));
            }
        };
        let front = of(Task::Classify, shared).unwrap();
        assert!(respect(&front, "memory_peak").left_out.as_deref().is_some_and(|why| why.contains("one server")));
    }
}
