//! How long a scenario takes, by the pace of its engines; and how a short form is fitted into its time.

use super::Pace;
use crate::scenario::{Length, Order, Scenario, Span, TIMEOUT_MOST, Task};
use std::time::Duration;

/// Output tokens of an answer that is a label.
const LABEL_TOKENS: f64 = 8.0;

/// Fewest requests that a load is cut to: that many of each user, and in all.
const LEAST: u64 = 3;

/// Answers, one after the other, that the shortest measured window holds.
const LEAST_ANSWERS: f64 = 3.0;

/// Shortest that a load driven for a time is cut to, in seconds, of engines that answer at once.
const LEAST_S: f64 = 1.0;

/// What a scenario asks, on the average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestSize {
    /// Words of a request's prompt, with whatever stands before it.
    pub words: f64,
    /// Requests of a conversation; 1 but for chats.
    pub turns: f64,
}

/// What one run of a scenario takes, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Part {
    /// Whatever is asked: finding the engines, first requests, cold starts, last answers, files.
    fixed: f64,
    /// The load; the most of one that finds its own length.
    load: f64,
    /// The share of it after which it may have found its length; 1 of any other.
    soonest: f64,
    /// The load at its least.
    least: f64,
    /// Whether the load is driven for a time, and takes that whatever its engines do.
    timed: bool,
}

/// What all runs of a scenario take: one, or a sweep's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    parts: Vec<Part>,
    /// Seconds after which a sweep begins no more runs.
    limit: Option<f64>,
}

impl Cost {
    /// Seconds of all of it with the load cut to a share of itself, those that its engines decide being `factor` times as long.
    pub fn seconds(&self, share: f64, factor: f64) -> f64 {
        let (timed, guessed) = self.parted(share);
        let all = timed + guessed * factor;
        self.limit.map_or(all, |limit| all.min(limit))
    }

    /// The least and the most of it: they are one unless a load finds its own length.
    pub fn range(&self, share: f64, factor: f64) -> (f64, f64) {
        let most = self.seconds(share, factor);
        let saved: f64 = self.parts.iter().map(|part| (part.load * share).max(part.least) * (1.0 - part.soonest)).sum();
        ((most - saved).max(0.0), most)
    }

    /// The same in two parts: what is driven for a time, and what its engines decide.
    pub fn parted(&self, share: f64) -> (f64, f64) {
        self.parts.iter().fold((0.0, 0.0), |(timed, guessed), part| {
            let load = (part.load * share).max(part.least);
            if part.timed { (timed + load, guessed + part.fixed) } else { (timed, guessed + part.fixed + load) }
        })
    }
}

/// What a run takes besides its load, in seconds, and what its engines take for an answer.
#[derive(Clone, Debug)]
pub struct RunTimes<'a> {
    /// Finding the engines, writing files.
    pub run_s: f64,
    /// The paces of the scenario's engines, by name.
    pub paces: &'a [Pace],
}

impl RunTimes<'_> {
    /// What the runs of a scenario take: of its points, or of itself. `None` where an engine's pace isn't known.
    pub fn cost<'s>(
        &self,
        scenarios: impl Iterator<Item = (&'s Scenario, RequestSize)>,
        more: (u32, Option<f64>),
    ) -> Option<Cost> {
        let one: Vec<Part> = scenarios.map(|(scenario, asked)| self.part(scenario, asked)).collect::<Option<_>>()?;
        let (repeats, limit) = more;
        let parts = (0..repeats.max(1)).flat_map(|_| one.iter().copied()).collect();
        Some(Cost { parts, limit })
    }

    fn part(&self, scenario: &Scenario, asked: RequestSize) -> Option<Part> {
        let pace = |name: &String| self.paces.iter().find(|pace| pace.target == *name);
        let paces: Vec<&Pace> = scenario.targets.keys().map(pace).collect::<Option<_>>()?;
        let answer = |pace: &Pace| pace.answer_s(asked.words, tokens(scenario));
        let users = users(scenario);
        // What is in flight at the end is waited for, behind whatever else is.
        // One that is still to be found gives them the time.
        let drain = scenario.drain.or(scenario.written_limit()).map_or(TIMEOUT_MOST, |span| span.0).as_secs_f64();
        let tail = |pace: &Pace| (answer(pace) * f64::from(users) / pace.gain(users)).min(drain.max(answer(pace)));
        let together = |of: &dyn Fn(&Pace) -> f64| in_order(scenario, &paces, of);
        let cold = scenario.cold_start.as_ref().map_or(0.0, |cold| {
            paces.iter().map(|pace| pace.first_s.max(answer(pace))).sum::<f64>() * f64::from(cold.repeats)
        });
        let first: f64 = paces.iter().map(|pace| answer(pace)).sum();
        let fixed = self.run_s + first + cold;
        let closed = scenario.load.closed.as_ref();
        let timed = closed.is_none_or(|closed| closed.requests.is_none());
        let mut soonest = 1.0;
        let (load, least) = match closed.and_then(|closed| Some((closed, closed.requests?))) {
            Some((closed, requests)) => {
                let think = closed.think.0.as_secs_f64();
                let of = |requests: u64| {
                    together(&|pace| {
                        let one = answer(pace) / pace.gain(users) + think / f64::from(users);
                        requests as f64 * asked.turns * one + closed.warmup.0.as_secs_f64()
                    }) + pauses(scenario)
                };
                (of(requests), of(least_requests(scenario, requests)) - warmed(scenario, &paces))
            }
            None => {
                let (early, length) = scenario.load_range()?;
                let length = length.as_secs_f64();
                soonest = if length > 0.0 { early.as_secs_f64() / length } else { 1.0 };
                let measured = measured(scenario)?.as_secs_f64();
                let least = least_s(scenario, self.slowest_s(scenario, asked)).min(measured);
                let tails = together(&tail);
                (length + tails, length * if measured > 0.0 { least / measured } else { 1.0 } + tails)
            }
        };
        Some(Part { fixed, load, soonest, least: least.clamp(0.0, load), timed })
    }

    /// Seconds of the slowest engine's answer in a scenario.
    pub fn slowest_s(&self, scenario: &Scenario, asked: RequestSize) -> f64 {
        let of = self.paces.iter().filter(|pace| scenario.targets.contains_key(&pace.target));
        of.map(|pace| pace.answer_s(asked.words, tokens(scenario))).fold(0.0, f64::max)
    }
}

/// Output tokens of an answer: as many as it may have, and few where it is a label.
fn tokens(scenario: &Scenario) -> f64 {
    let most = f64::from(scenario.workload.sampling.max_tokens);
    match scenario.task {
        Task::Embed => 0.0,
        Task::Classify => most.min(LABEL_TOKENS),
        Task::Generate | Task::Chat => most,
    }
}

/// Users on each target; an open loop's requests come on their own, and one is taken for them.
fn users(scenario: &Scenario) -> u32 {
    scenario.load.closed.as_ref().map_or(1, |closed| closed.users.max(1))
}

/// Seconds of something that each engine takes time for, in the scenario's order. At once they share the machine: between the
/// longest and the sum, in the geometric middle.
fn in_order(scenario: &Scenario, paces: &[&Pace], of: &dyn Fn(&Pace) -> f64) -> f64 {
    let sum: f64 = paces.iter().map(|pace| of(pace)).sum();
    let most = paces.iter().map(|pace| of(pace)).fold(0.0, f64::max);
    let at_once = (most * sum).sqrt();
    match scenario.order {
        _ if scenario.interference => at_once + sum,
        Order::Concurrent => at_once,
        Order::Isolated | Order::Alternate => sum,
    }
}

/// Seconds of warm-up that go with a load's share.
fn warmed(scenario: &Scenario, paces: &[&Pace]) -> f64 {
    let warmup = scenario.load.closed.as_ref().map_or(0.0, |closed| closed.warmup.0.as_secs_f64());
    in_order(scenario, paces, &|_| warmup)
}

/// Seconds between and before the blocks of a load that is counted in requests.
fn pauses(scenario: &Scenario) -> f64 {
    if scenario.order != Order::Alternate {
        return 0.0;
    }
    let blocks = scenario.blocks.unwrap_or_default();
    let all = f64::from(blocks.pairs) * scenario.targets.len() as f64;
    all * (blocks.settle.0 + blocks.warmup.0).as_secs_f64()
}

/// Length of the measured window of a load that is driven for a time.
fn measured(scenario: &Scenario) -> Option<Duration> {
    let (closed, open) = (scenario.load.closed.as_ref(), scenario.load.open.as_ref());
    let written = closed.and_then(|closed| closed.duration).or_else(|| open.and_then(|open| open.duration));
    written.and_then(Length::span).map(|span| span.0)
}

/// Fewest requests that a load is cut to.
fn least_requests(scenario: &Scenario, requests: u64) -> u64 {
    let blocks = if scenario.order == Order::Alternate {
        u64::from(scenario.blocks.unwrap_or_default().pairs) * u64::from(users(scenario))
    } else {
        0
    };
    requests.min(u64::from(users(scenario)).max(LEAST).max(blocks))
}

/// Seconds of the shortest window that a load driven for a time is cut to: some answers of the slowest engine, and of bursts two.
fn least_s(scenario: &Scenario, slowest_s: f64) -> f64 {
    let open = scenario.load.open.as_ref();
    let bursts =
        open.and_then(|open| Some(2.0 * f64::from(open.burst?.size) / open.rate?.per_second()?)).unwrap_or(0.0);
    let some = open.and_then(|open| open.rate?.per_second()).map_or(0.0, |rate| LEAST as f64 / rate);
    LEAST_S.max(slowest_s * LEAST_ANSWERS).max(bursts).max(some)
}

/// The share of their loads at which what is left fits into the seconds left; and which don't fit even at their least, the
/// longest first, by their places. `factor` = how many times as long as expected engines have taken so far.
pub fn fit(costs: &[Cost], left_s: f64, factor: f64) -> (f64, Vec<usize>) {
    let mut kept: Vec<usize> = (0..costs.len()).collect();
    let mut dropped = Vec::new();
    let all = |kept: &[usize], share: f64| kept.iter().map(|at| costs[*at].seconds(share, factor)).sum::<f64>();
    while all(&kept, 0.0) > left_s {
        let longest = kept
            .iter()
            .copied()
            .max_by(|a, b| costs[*a].seconds(0.0, factor).total_cmp(&costs[*b].seconds(0.0, factor)));
        let Some(longest) = longest else { break };
        kept.retain(|at| *at != longest);
        dropped.push(longest);
    }
    if all(&kept, 1.0) <= left_s {
        return (1.0, dropped);
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if all(&kept, middle) <= left_s { low = middle } else { high = middle }
    }
    (low, dropped)
}

/// Cuts a scenario's load to a share of itself, to its least where that is more. What was done, in words; `None` where nothing
/// was.
pub fn cut(scenario: &mut Scenario, share: f64, slowest_s: f64) -> Option<String> {
    if share >= 1.0 {
        return None;
    }
    let words = cut_load(scenario, share, slowest_s);
    if let Some(mut shown) = scenario.shown.take() {
        cut_load(&mut shown, share, slowest_s);
        scenario.shown = Some(shown);
    }
    words
}

fn cut_load(scenario: &mut Scenario, share: f64, slowest_s: f64) -> Option<String> {
    let least = least_s(scenario, slowest_s);
    let fewest = scenario.load.closed.as_ref().and_then(|closed| closed.requests).map(|n| least_requests(scenario, n));
    let shorter = |span: &mut Span, least: f64| {
        let whole = span.0.as_secs_f64();
        // To the millisecond: it is written into results.
        let cut = ((whole * share).max(least).min(whole) * 1e3).ceil() / 1e3;
        let before = *span;
        span.0 = Duration::from_secs_f64(cut.min(whole));
        (span.0 < before.0).then(|| format!("{span} of {before}"))
    };
    if let Some(closed) = &mut scenario.load.closed {
        shorter(&mut closed.warmup, 0.0);
        return match (&mut closed.requests, fewest) {
            (Some(requests), Some(fewest)) => {
                let before = *requests;
                *requests = ((before as f64 * share).ceil() as u64).clamp(fewest, before);
                (*requests < before).then(|| format!("{requests} of {before} requests"))
            }
            _ => closed.duration.as_mut().and_then(|duration| length(duration, &shorter, least)),
        };
    }
    let open = scenario.load.open.as_mut()?;
    // Stages and traces have a length of their own.
    let duration = open.duration.as_mut()?;
    let words = length(duration, &shorter, least);
    shorter(&mut open.warmup, 0.0);
    words
}

/// Cuts a length. By the time that a load is driven, the most that it takes stands in the place of `auto`.
fn length(length: &mut Length, shorter: &dyn Fn(&mut Span, f64) -> Option<String>, least: f64) -> Option<String> {
    match length {
        Length::Auto => None,
        Length::Of(span) => shorter(span, least),
    }
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
