//! What a probe shows: its rows folded into what the limits are judged by.

use super::effective::effective_n;
use crate::record::{Nanos, Outcome, Phase, Sample};
use crate::scenario::{Figure, Limit, Measure, Slo};
use crate::stats::{Reason, Window, Work, effective_rows, kept, measured, quantile_interval, so_far, t_quantile};
use serde::{Deserialize, Serialize};

/// Stretches of a probe's window over which the queue is watched.
const STRETCHES: usize = 20;

/// What one limit has to be judged by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Requests it rests on.
    pub n: u64,
    /// What they are worth as independent ones.
    pub n_eff: f64,
    /// The share that breaks the limit; of a limit on a mean, the mean itself.
    pub x: f64,
    /// Standard deviation, of a limit on a mean.
    #[serde(default)]
    pub sd: f64,
    /// The limited figure itself, in the measure's unit; `None` if it wasn't measured, or is infinite by failures.
    pub value: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Whether failed requests make the figure infinite.
    #[serde(default)]
    pub infinite: bool,
}

/// What one probe shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeEvidence {
    /// Length of the measured window in seconds.
    pub seconds: f64,
    /// Requests planned inside it.
    pub requests: u64,
    /// Those without a complete answer, unsent ones among them; those that were not waited for aren't.
    pub failed: u64,
    /// Those that were not waited for, because the probe had ended: nobody knows what would have become of them.
    #[serde(default)]
    pub unfinished: u64,
    /// Those that were never sent: as many were in flight as may be.
    pub unsent: u64,
    /// Answers a second by the work that was done inside it.
    pub achieved_per_s: f64,
    /// Those of them that kept every limit on times and token rates.
    pub goodput_per_s: f64,
    /// By limit, times from the planned instant.
    pub shown: Vec<Shown>,
    /// By limit, times from the instant sent: what is left if all of the generator's lateness is taken off.
    pub from_sent: Vec<Shown>,
    /// Requests in flight at the end of each twentieth of the window, less those at its beginning.
    pub queue: Vec<f64>,
    /// What the audit says against the generator, if it does.
    #[serde(default)]
    pub generator: Option<String>,
    /// Why requests failed, the most frequent reason first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Reason>,
    /// By limit, whose figure is no mean, each request's value in the order planned: what several probes are judged by
    /// together. Kept in memory only; the rows have it.
    #[serde(skip)]
    pub series: Vec<Vec<f32>>,
}

/// One request, as a limit sees it.
#[derive(Clone, Copy)]
struct LimitedRequest {
    planned: Nanos,
    value: f64,
    from_sent: f64,
}

/// Takes a probe's rows, in any order.
pub struct ProbeFold<'a> {
    slo: &'a Slo,
    open_loop: bool,
    window: Window,
    seen: Vec<Vec<LimitedRequest>>,
    arrived: Vec<f64>,
    ended: Vec<f64>,
    requests: u64,
    failed: u64,
    unfinished: u64,
    unsent: u64,
    work: Work,
}

impl<'a> ProbeFold<'a> {
    /// For rows of a window.
    pub fn new(slo: &'a Slo, open_loop: bool, window: Window) -> Self {
        Self {
            slo,
            open_loop,
            window,
            seen: vec![Vec::new(); slo.limits.len()],
            arrived: vec![0.0; STRETCHES],
            ended: vec![0.0; STRETCHES],
            requests: 0,
            failed: 0,
            unfinished: 0,
            unsent: 0,
            work: Work::default(),
        }
    }

    /// The stretch of the window that an instant lies in.
    fn stretch(&self, at: Nanos) -> Option<usize> {
        let (from, to) = (self.window.from, self.window.to);
        let inside = at >= from && at < to;
        inside.then(|| (u128::from(at.since(from).0) * STRETCHES as u128 / u128::from(to.since(from).0)) as usize)
    }

    /// Takes a row.
    pub fn push(&mut self, sample: &Sample) {
        if sample.phase == Phase::Cold {
            return;
        }
        let stamps = &sample.stamps;
        if let Some(at) = self.stretch(stamps.planned) {
            self.arrived[at] += 1.0;
        }
        // What was never sent never ended either: it is what the queue would hold.
        let unfinished = sample.outcome == Outcome::Unfinished;
        let end = stamps.end.filter(|_| stamps.sent.is_some() && !unfinished);
        if let Some(at) = end.and_then(|end| self.stretch(end)) {
            self.ended[at] += 1.0;
        }
        let answered = sample.outcome.answered();
        let good = answered && self.slo.of_each().all(|limit| kept(limit, sample, false));
        self.work.add(&Work::within(sample, good, self.open_loop, self.window.from, self.window.to));
        if sample.phase != Phase::Measure {
            return;
        }
        self.requests += 1;
        self.failed += u64::from(!answered && !unfinished);
        self.unfinished += u64::from(unfinished);
        self.unsent += u64::from(stamps.sent.is_none() && !unfinished);
        if unfinished {
            self.push_unfinished(sample);
            return;
        }
        for (limit, seen) in self.slo.limits.iter().zip(&mut self.seen) {
            let told = match limit.measure {
                // As shares of broken ones, both.
                Measure::Errors => Some((f64::from(u8::from(!answered)), f64::from(u8::from(!answered)))),
                Measure::Goodput => Some((f64::from(u8::from(!good)), f64::from(u8::from(!good)))),
                measure if answered => measured(measure, sample, false).zip(measured(measure, sample, true)),
                // Infinitely slow, or no tokens at all: beyond any limit. A mean is told of answers.
                _ if limit.figure == Figure::Mean => None,
                measure => Some(if measure.at_most() { (f64::INFINITY, f64::INFINITY) } else { (0.0, 0.0) }),
            };
            if let Some((value, from_sent)) = told {
                seen.push(LimitedRequest { planned: stamps.planned, value, from_sent });
            }
        }
    }

    /// Takes a row that was not waited for. What it took so far is the least it would have taken: a limit that this breaks is
    /// broken; of any other it says nothing.
    fn push_unfinished(&mut self, sample: &Sample) {
        let shown = |limit: &Limit| -> Option<(f64, f64)> {
            let sure = |from_sent| so_far(limit, sample, from_sent).filter(|_| limit.figure != Figure::Mean);
            // From the instant sent it may still have been in time.
            sure(false).map(|value| (value, sure(true).unwrap_or_default()))
        };
        let broken = self.slo.of_each().any(|limit| shown(limit).is_some_and(|(value, _)| limit.broken_by(value)));
        for (limit, seen) in self.slo.limits.iter().zip(&mut self.seen) {
            let told = match limit.measure {
                Measure::Errors => None,
                Measure::Goodput => broken.then_some((1.0, 1.0)),
                _ => shown(limit),
            };
            if let Some((value, from_sent)) = told {
                seen.push(LimitedRequest { planned: sample.stamps.planned, value, from_sent });
            }
        }
    }

    /// What the rows show. `generator` is what the audit says against the generator.
    pub fn finish(mut self, generator: Option<String>) -> ProbeEvidence {
        self.seen.iter_mut().for_each(|seen| seen.sort_by_key(|seen| seen.planned));
        let seconds = self.window.seconds().max(f64::MIN_POSITIVE);
        let of = |from_sent: bool| {
            let limits = self.slo.limits.iter().zip(&self.seen);
            let values = |seen: &Vec<LimitedRequest>| -> Vec<f64> {
                seen.iter().map(|seen| if from_sent { seen.from_sent } else { seen.value }).collect()
            };
            limits.map(|(limit, seen)| shown(limit, &values(seen))).collect()
        };
        let series = self.seen.iter().map(|seen| seen.iter().map(|seen| seen.value as f32).collect()).collect();
        let mut queue = Vec::with_capacity(STRETCHES);
        let mut more = 0.0;
        for (arrived, ended) in self.arrived.iter().zip(&self.ended) {
            more += arrived - ended;
            queue.push(more);
        }
        ProbeEvidence {
            seconds,
            requests: self.requests,
            failed: self.failed,
            unfinished: self.unfinished,
            unsent: self.unsent,
            achieved_per_s: self.work.answers / seconds,
            goodput_per_s: self.work.good / seconds,
            shown: of(false),
            from_sent: of(true),
            queue,
            generator,
            failures: Vec::new(),
            series,
        }
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

fn shown(limit: &Limit, values: &[f64]) -> Shown {
    let n = values.len();
    if n == 0 {
        return Shown::default();
    }
    let of = values.len() as f64;
    let share = |mark: &dyn Fn(f64) -> bool| values.iter().filter(|v| mark(**v)).count() as f64 / of;
    let base = Shown { n: n as u64, ..Shown::default() };
    match limit.figure {
        Figure::Share => {
            let broken = |v: f64| v > 0.5;
            let (x, n_eff) = (share(&broken), effective_n(limit, &[&narrow(values)]));
            let ends = crate::stats::wilson(x, n as u64, n_eff as u64);
            let (value, low, high) = if limit.measure.at_most() {
                (Some(x), ends.map(|e| e.low), ends.map(|e| e.high))
            } else {
                (Some(1.0 - x), ends.map(|e| 1.0 - e.high), ends.map(|e| 1.0 - e.low))
            };
            Shown { n_eff, x, value, low, high, ..base }
        }
        Figure::Mean => {
            let mean = values.iter().sum::<f64>() / of;
            let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (of - 1.0).max(1.0)).sqrt();
            let n_eff = effective_rows([values.iter().copied()]);
            let half = t_quantile(0.975, n_eff - 1.0).filter(|_| n_eff >= 2.0).map(|t| t * sd / n_eff.sqrt());
            let (low, high) = (half.map(|half| mean - half), half.map(|half| mean + half));
            Shown { n_eff, x: mean, sd, value: Some(mean), low, high, ..base }
        }
        Figure::Quantile(q) => {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            let at = |rank: f64| sorted[(rank.ceil() as usize).clamp(1, n) - 1];
            let own = at(q * of);
            let x = share(&|v| limit.broken_by(v));
            let n_eff = effective_n(limit, &[&narrow(values)]);
            let ranks = quantile_interval(q, n_eff);
            let finite = |v: f64| Some(v).filter(|v| v.is_finite());
            Shown {
                n_eff,
                x,
                value: finite(own),
                low: ranks.and_then(|(low, _)| finite(at(low * of))),
                high: ranks.and_then(|(_, high)| finite(at(high * of))),
                infinite: own.is_infinite(),
                ..base
            }
        }
    }
}
