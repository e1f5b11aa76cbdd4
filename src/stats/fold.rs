//! The fold itself: samples go in one at a time, and everything a report says of them comes out.

use super::answers::Answers;
use super::batches::Batches;
use super::compare::{ComparedTarget, ComparisonSettings, Doubts, compare, decide, times_as_long};
use super::goodput::Good;
use super::means::Means;
use super::pairs::{Of, Pairs};
use super::parts::Parts;
use super::reasons::Reasons;
use super::row::tidy;
use super::slots::{Loop, Slots, Unit};
use super::steady::{Transient, drift};
use super::time_parts::TimeParts;
use super::timeline::Timeline;
use super::vectors::{Vectors, exact_row};
use super::{Comparison, Distribution, Metric, Packed, Row, Second, TargetSummary, Window, Work, wilson};
use crate::metrics::{self, Definition};
use crate::record::rows::Taker;
use crate::record::{Nanos, Outcome, Phase, Sample};
use crate::scenario::plan::{LoadPlan, Plan};
use crate::scenario::{Order, Task};
use std::collections::BTreeMap;

/// What a fold comes to.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// One a target, in the plan's order.
    pub targets: Vec<TargetSummary>,
    /// Each target compared with the reference.
    pub comparisons: Vec<Comparison>,
    /// A row a target and second; by target, then second.
    pub timeline: Vec<Second>,
    /// One a target and measured metric.
    pub histograms: Vec<Packed>,
}

/// Folds samples into summaries. Give the windows first, then the samples in the order of `samples.csv`.
#[derive(Clone, Debug)]
pub struct Fold {
    targets: Vec<Lane>,
    timelines: Timelines,
    labels: Vec<String>,
    reference: usize,
    vectors: Vectors,
    settings: ComparisonSettings,
    pairs: Paired,
    /// Whether answers are texts.
    texts: bool,
}

/// Each target's requests with the reference's, in the plan's order; the reference's own stay empty.
#[derive(Clone, Debug)]
struct Paired {
    reference: usize,
    good: Option<Good>,
    of: Vec<Pairs>,
}

/// Each target's seconds, in the plan's order.
#[derive(Clone, Debug)]
struct Timelines {
    open_loop: bool,
    of: Vec<Timeline>,
}

/// What is kept of one target.
#[derive(Clone, Debug)]
struct Lane {
    name: String,
    stand_in: bool,
    /// By block: one, but in alternating order.
    blocks: BTreeMap<u32, Slots>,
    /// The block of the last row.
    block: u32,
    driven: Loop,
    transient: Transient,
    distributions: Vec<Distribution>,
    answers: Answers,
    outcomes: [u64; Outcome::ALL.len()],
    warmup: u64,
    retries: u64,
    reasons: Reasons,
    /// `None` where the scenario has no limits.
    good: Option<Good>,
    /// The first request: when it was planned, its latency, the engine's time to load.
    cold: Option<(Nanos, Option<Nanos>, Option<Nanos>)>,
    /// The last end of all rows.
    last: Option<Nanos>,
    counted: Counted,
    spent: TimeParts,
}

/// Tokens of answered requests, by the engine's count.
#[derive(Clone, Debug, Default)]
struct Counted {
    without_output: u64,
    without_prompt: u64,
    cached: Parts,
    drafted: Parts,
    logprobs: Means,
}

impl Fold {
    /// A fold over the plan's targets; `items` is the number of different prompts.
    pub fn new(plan: &Plan, items: usize) -> Self {
        let open_loop = matches!(plan.load, LoadPlan::Open(_));
        let think = u64::try_from(plan.load.think().0.as_nanos()).unwrap_or(u64::MAX);
        let driven = if open_loop { Loop::Open } else { Loop::Closed { think } };
        let good = plan.slo.as_ref().and_then(|slo| Good::by(slo, open_loop));
        let lane = |target: &crate::scenario::plan::TargetPlan| Lane {
            name: target.name.clone(),
            stand_in: target.stand_in,
            blocks: BTreeMap::new(),
            block: 0,
            driven,
            transient: Transient::default(),
            distributions: vec![Distribution::default(); Metric::ALL.len()],
            answers: Answers::new(plan.workload.labels.len(), items, plan.sends_a_schema(target)),
            outcomes: [0; Outcome::ALL.len()],
            warmup: 0,
            retries: 0,
            reasons: Reasons::default(),
            good: good.clone(),
            cold: None,
            last: None,
            counted: Counted::default(),
            spent: TimeParts::default(),
        };
        Self {
            targets: plan.targets.iter().map(lane).collect(),
            timelines: Timelines { open_loop, of: vec![Timeline::default(); plan.targets.len()] },
            labels: plan.workload.labels.clone(),
            reference: plan.reference,
            vectors: Vectors::default(),
            settings: ComparisonSettings::of(plan),
            texts: plan.task != Task::Embed,
            pairs: Paired {
                reference: plan.reference,
                of: vec![Pairs::new(driven, plan.order == Order::Alternate); plan.targets.len()],
                good,
            },
        }
    }

    /// Sets the measured window of a target's block (0 where there is one); to be called before its first measured sample
    /// is pushed, and again when its end is known. `to` is known beforehand for runs of a given duration; without it the
    /// window ends with the last answer. Never set, it begins with the first request planned.
    pub fn window(&mut self, target: usize, block: u32, from: Nanos, to: Option<Nanos>) {
        if let Some(lane) = self.targets.get_mut(target) {
            lane.slots(block).window(from, to);
        }
    }

    /// Takes one sample; of a target that isn't in the plan, it is left out.
    pub fn push(&mut self, sample: &Sample) {
        if let Some(lane) = self.targets.get_mut(sample.target) {
            lane.push(sample);
        }
        self.timelines.push(sample);
        self.pairs.push(sample);
    }

    /// Its parts, each of which takes all samples: together they do what [`Fold::push`] does, on as many threads as there are.
    pub fn takers(&mut self) -> Vec<Taker<'_>> {
        let lanes = self.targets.iter_mut().enumerate().map(|(at, lane)| -> Taker<'_> {
            Box::new(move |sample| {
                if sample.target == at {
                    lane.push(sample);
                }
            })
        });
        let (timelines, pairs) = (&mut self.timelines, &mut self.pairs);
        let others = |sample: &Sample| {
            timelines.push(sample);
            pairs.push(sample);
        };
        lanes.chain([Box::new(others) as Taker<'_>]).collect()
    }

    /// Takes a target's first vector for an item (embed).
    pub fn vector(&mut self, target: usize, item: usize, vector: &[f32]) {
        self.vectors.add(target, item, target == self.reference, vector);
    }

    /// How many times as long as so far the run has to be for the main ratio's 95 % interval to have a half width of `half`
    /// (relative), by Stein's rule; the most over the targets. One where the main ratio is beyond doubt already. `None` while
    /// that can't be told.
    pub fn times_as_long(&self, half: f64) -> Option<f64> {
        times_as_long(&self.so_far().comparisons, &self.settings, half)
    }

    /// The results, as far as there are any: the windows' ends are still to come.
    pub fn so_far(&self) -> Folded {
        let mut so_far = self.clone();
        so_far.targets.iter_mut().flat_map(|lane| lane.blocks.values_mut()).for_each(|slots| *slots = slots.so_far());
        so_far.finish()
    }

    /// The run was cut off, by a person or by whatever ended the process: its windows end with the last row that there is.
    pub fn cut_off(&mut self) {
        let Some(last) = self.targets.iter().filter_map(|lane| lane.last).max() else { return };
        self.targets.iter_mut().flat_map(|lane| lane.blocks.values_mut()).for_each(|slots| slots.cut_off(last));
    }

    /// The results.
    pub fn finish(self) -> Folded {
        let reference = self.targets.get(self.reference);
        let units: Vec<Batches> = self.targets.iter().map(Lane::units).collect();
        let summaries: Vec<TargetSummary> = self
            .targets
            .iter()
            .enumerate()
            .map(|(at, lane)| {
                let other = reference.filter(|_| at != self.reference).map(|lane| &lane.answers);
                let mut summary = lane.summary(&self.labels, other, &units[at]);
                super::rates::intervals(&mut summary.rows, &units[at], &lane.whole());
                summary.rows.extend(self.cosines(at));
                summary.rows.extend(self.same_answers(at));
                summary.rows = summary.rows.into_iter().map(Row::tidied).collect();
                summary
            })
            .collect();
        let side = |at: usize| {
            let (lane, summary, units) = (self.targets.get(at)?, summaries.get(at)?, units.get(at)?);
            Some(ComparedTarget { at, summary, units, users: lane.whole().users })
        };
        let against = side(self.reference);
        let compared = |at: usize| Some(compare(&side(at)?, against.as_ref()?, &self.pairs.of[at], &self.settings));
        let others = (0..self.targets.len()).filter(|at| *at != self.reference);
        let mut comparisons: Vec<Comparison> = others.filter_map(compared).flatten().collect();
        decide(&mut comparisons, &self.settings, Doubts::default());
        let histograms = self.targets.iter().enumerate().flat_map(|(at, lane)| {
            let metrics = Metric::ALL.iter().zip(&lane.distributions);
            metrics.filter_map(move |(metric, distribution)| Packed::new(at, *metric, distribution))
        });
        let histograms = histograms.collect();
        let timeline = self.timelines.of.into_iter().enumerate().flat_map(|(at, seconds)| seconds.finish(at)).collect();
        Folded { targets: summaries, comparisons, timeline, histograms }
    }

    /// The share of a target's answers that are the reference's; none of vectors, and of the reference itself.
    fn same_answers(&self, target: usize) -> Option<Row> {
        let texts = self.texts && target != self.reference;
        Some(Row::proportion(&metrics::SAME_ANSWERS, self.pairs.of.get(target).filter(|_| texts)?.same()?))
    }

    /// The rows of a target's vectors against the reference's.
    fn cosines(&self, target: usize) -> Vec<Row> {
        let (cosines, without) = self.vectors.of(target);
        let pairs = cosines.len() as u64 + without;
        let mut rows: Vec<Row> = exact_row(&metrics::COSINE, &cosines).into_iter().collect();
        if without > 0 {
            rows.push(Row::total(&metrics::COSINE_UNDEFINED, pairs, Some(without as f64)));
        }
        rows
    }
}

impl Timelines {
    fn push(&mut self, sample: &Sample) {
        if let Some(seconds) = self.of.get_mut(sample.target) {
            seconds.push(sample, self.open_loop);
        }
    }
}

impl Paired {
    fn push(&mut self, sample: &Sample) {
        if sample.phase != Phase::Measure || sample.target >= self.of.len() {
            return;
        }
        let good = self.good.as_ref().is_some_and(|good| good.kept(sample));
        if sample.target != self.reference {
            self.of[sample.target].push(Of::Target, sample, good);
            return;
        }
        let others = self.of.iter_mut().enumerate().filter(|(at, _)| *at != sample.target);
        others.for_each(|(_, pairs)| pairs.push(Of::Reference, sample, good));
    }
}

impl Lane {
    fn push(&mut self, sample: &Sample) {
        self.last = self.last.max(sample.stamps.end);
        self.reasons.push(sample);
        match sample.phase {
            Phase::Cold => {
                // The earliest planned is the first, in whatever order rows came.
                if self.cold.is_none_or(|(planned, ..)| sample.stamps.planned < planned) {
                    let latency = sample.latency().filter(|_| sample.outcome.answered());
                    self.cold = Some((sample.stamps.planned, latency, sample.server_load));
                }
            }
            Phase::Warmup => {
                self.warmup += 1;
                let good = self.good.as_ref().is_some_and(|good| good.kept(sample));
                self.slots(sample.block).work(sample, good);
            }
            Phase::Measure => self.measure(sample),
        }
    }

    fn measure(&mut self, sample: &Sample) {
        let end = sample.stamps.end.or(sample.stamps.sent).unwrap_or(sample.stamps.planned);
        if sample.block != self.block {
            if let Some(over) = self.blocks.get_mut(&self.block) {
                over.close();
            }
            self.block = sample.block;
            self.distributions.iter_mut().for_each(Distribution::cut);
            self.good.iter_mut().for_each(Good::cut);
        }
        self.slots(sample.block).see(sample.stamps.planned, end);
        if let Some(at) = Outcome::ALL.iter().position(|o| *o == sample.outcome) {
            self.outcomes[at] += 1;
        }
        self.retries += u64::from(sample.retries);
        let good = self.good.as_mut().is_some_and(|good| good.push(sample));
        self.slots(sample.block).work(sample, good);
        if sample.outcome == Outcome::Unfinished {
            for (metric, distribution) in Metric::ALL.iter().zip(&mut self.distributions) {
                if let (Metric::Latency | Metric::Response, Some(ticks)) = (metric, metric.ticks(sample)) {
                    distribution.censor(ticks);
                }
            }
        }
        if !sample.outcome.answered() {
            return;
        }
        for (metric, distribution) in Metric::ALL.iter().zip(&mut self.distributions) {
            match metric.ticks(sample) {
                Some(mean) if *metric == Metric::Itl => distribution.record_all(sample.itls(), mean),
                Some(ticks) => distribution.record(ticks),
                None => {}
            }
        }
        let slots = self.slots(sample.block);
        slots.push(sample);
        let opened = slots.opened();
        let open_loop = self.driven == Loop::Open;
        let metric = if open_loop { Metric::Response } else { Metric::Latency };
        if let Some(ticks) = metric.ticks(sample) {
            self.transient.push(ticks, sample.stamps.planned.since(opened).seconds());
        }
        self.answers.push(sample);
        self.spent.push(sample, open_loop);
        let counted = &mut self.counted;
        counted.without_output += u64::from(sample.output_tokens.is_none());
        counted.without_prompt += u64::from(sample.prompt_tokens.is_none());
        counted.cached.push(sample.prompt_tokens, sample.cached_tokens);
        counted.drafted.push(sample.details.drafted, sample.details.accepted);
        counted.logprobs.push(sample.details.logprob);
    }

    fn summary(&self, labels: &[String], reference: Option<&Answers>, units: &Batches) -> TargetSummary {
        let window = self.window();
        let distributions = Metric::ALL.iter().zip(&self.distributions);
        let mut rows: Vec<Row> = distributions
            .filter_map(|(metric, all)| all.row(metric.name(), metric.unit(), metric.ticks_per_unit()))
            .collect();
        rows.extend(self.or_failed());
        let seconds = self.blocks.values().map(Slots::seconds).sum::<f64>();
        rows.extend(self.spent.rows());
        rows.extend(self.totals(seconds));
        let per_row = seconds / self.outcomes.iter().sum::<u64>().max(1) as f64;
        for needs in rows.iter_mut().flat_map(|row| &mut row.needs) {
            needs.seconds = Some(tidy(needs.rows as f64 * per_row)).filter(|s| s.is_finite() && *s > 0.0);
        }
        rows.extend(self.answers.rows(labels, reference));
        TargetSummary {
            name: self.name.clone(),
            stand_in: self.stand_in,
            window,
            steady: (self.blocks.len() == 1).then(|| self.transient.steady()).flatten(),
            drift: units.values("latency.p50").as_deref().and_then(drift),
            units: units.series(),
            work: self.whole().slot.work.tidied(),
            rows,
            outcomes: Outcome::ALL.into_iter().zip(self.outcomes).filter(|(_, n)| *n > 0).collect(),
            failures: self.reasons.list(),
            confusion: self.answers.confusion(labels),
        }
    }

    /// The slots of a block.
    fn slots(&mut self, block: u32) -> &mut Slots {
        let driven = self.driven;
        self.blocks.entry(block).or_insert_with(|| Slots::new(driven))
    }

    /// From the first block's opening to the last one's close.
    fn window(&self) -> Option<Window> {
        let windows = self.blocks.values().filter_map(Slots::span);
        windows.reduce(|all, one| Window { from: all.from.min(one.from), to: all.to.max(one.to) })
    }

    /// All blocks as one unit. The blocks are of the same users.
    fn whole(&self) -> Unit {
        self.blocks.values().map(Slots::whole).fold(Unit::default(), |mut all, block| {
            all.slot.add(&block.slot);
            all.seconds += block.seconds;
            all.users = all.users.max(block.users);
            all
        })
    }

    /// What ratios are taken over.
    fn units(&self) -> Batches<'_> {
        Batches::new(&self.blocks)
    }

    /// The times in which a request that has no answer counts as infinitely slow. What was never sent has no service time.
    fn or_failed(&self) -> Vec<Row> {
        let count = |unsent: bool| {
            let outcomes = Outcome::ALL.into_iter().zip(self.outcomes);
            outcomes.filter(|(o, _)| o.failed() || (unsent && *o == Outcome::Unsent)).map(|(_, n)| n).sum::<u64>()
        };
        let row = |metric: Metric, told: &Definition, failed: u64| {
            let at = Metric::ALL.iter().position(|known| *known == metric)?;
            self.distributions[at].row_with_failures(told.id, told.unit, metric.ticks_per_unit(), failed)
        };
        let latency = row(Metric::Latency, &metrics::LATENCY_OR_FAILED, count(false));
        [latency, row(Metric::Response, &metrics::RESPONSE_OR_FAILED, count(true))].into_iter().flatten().collect()
    }

    /// The totals, as rows of their own.
    fn totals(&self, seconds: f64) -> Vec<Row> {
        let requests: u64 = self.outcomes.iter().sum();
        let outcomes = || Outcome::ALL.into_iter().zip(self.outcomes);
        let answered: u64 = outcomes().filter(|(o, _)| o.answered()).map(|(_, n)| n).sum();
        let mut rows = vec![Row::count("requests", requests, requests), Row::count("ok", answered, requests)];
        rows.extend(outcomes().map(|(o, n)| Row::count(&format!("outcome_{}", o.as_str()), n, requests)));
        if requests > 0 {
            let (whole, parts) = (self.whole(), self.blocks.values().map(Slots::parts).sum::<u64>());
            let rate = |metric: &Definition, work: fn(&Work) -> f64, known: bool| {
                Row::total(metric, parts, whole.per_second(work).filter(|_| known))
            };
            let tokens = |metric: &Definition, work: fn(&Work) -> f64, without: u64| {
                rate(metric, work, answered > 0 && without == 0)
            };
            rows.push(rate(&metrics::REQUESTS_PER_S, |work| work.answers, true));
            if let Some(told) = self.good.as_ref().filter(|told| told.known()) {
                rows.push(rate(&metrics::GOODPUT, |work| work.good, true));
                rows.extend(told.share());
            }
            rows.push(tokens(&metrics::OUTPUT_TOKENS_PER_S, |work| work.output_tokens, self.counted.without_output));
            rows.push(tokens(&metrics::PROMPT_TOKENS_PER_S, |work| work.prompt_tokens, self.counted.without_prompt));
            rows.push(Row::total(&metrics::WINDOW, requests, Some(seconds * 1e6)));
        }
        // What we never sent, or stopped waiting for, says nothing of the engine.
        let failed: u64 = outcomes().filter(|(o, _)| o.failed()).map(|(_, n)| n).sum();
        let ended = answered + failed;
        let share = failed as f64 / ended.max(1) as f64;
        rows.extend(wilson(share, ended, ended).map(|e| Row::proportion(&metrics::ERROR_RATE, e)));
        rows.extend(self.counted.cached.row(&metrics::CACHED_SHARE));
        rows.extend(self.counted.logprobs.row(&metrics::ANSWER_LOGPROB));
        rows.extend(self.counted.drafted.row(&metrics::DRAFT_ACCEPTANCE));
        rows.push(Row::count("retries", self.retries, requests));
        rows.push(Row::count("warmup_requests", self.warmup, self.warmup));
        if let Some((_, latency, load)) = self.cold {
            rows.push(Row::total(&metrics::COLD_LATENCY, 1, latency.map(Nanos::micros)));
            rows.push(Row::total(&metrics::COLD_SERVER_LOAD, 1, load.map(Nanos::micros)));
        }
        rows
    }
}
