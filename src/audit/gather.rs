//! What the rules need of the samples and summaries don't hold: a streaming fold, pure and in bounded memory.

use super::absent::Presence;
use super::cached::Cached;
use super::lengths::Lengths;
use super::line::Line;
use super::loads::Loads;
use crate::record::{FIRST_REQUESTS, Nanos, OWN_LIMIT, Opened, Outcome, Phase, Remark, Sample};
use crate::scenario::plan::Plan;
use crate::stats::Distribution;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Different things that are counted exactly; of more, these many are known to be there.
const MOST: usize = 4096;
/// First answers whose latencies are looked at for repeats: among many more, nanoseconds repeat by themselves.
const LOOKED_AT: usize = 1000;
/// Lengths of vectors that are told apart.
const LENGTHS: usize = 64;

/// Folds samples, target by target. Feed it the rows in the order of `samples.csv`.
#[derive(Clone, Debug)]
pub struct Gather {
    targets: Vec<Gathered>,
}

/// What was gathered of one target. Counts are of measured requests, or of the answered ones among them.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Context of the engine, in tokens.
    context: Option<u64>,
    /// Most tokens of an answer.
    max_tokens: u64,
    /// Tokens that the prompts of a group have in common at the most.
    shared: Option<u64>,
    /// Requests, whatever became of them.
    pub(super) rows: u64,
    /// Requests, or conversations where there are turns, that were begun.
    pub(super) begun: u64,
    /// Those of them that were sent.
    pub(super) begun_sent: u64,
    /// By block: the first planned instant, and the last end.
    blocks: BTreeMap<u32, (Nanos, Nanos)>,
    /// Time in flight, summed over requests: from sent to the end, and from planned to the end; in seconds.
    pub(super) in_flight_s: f64,
    pub(super) occupied_s: f64,
    /// Requests that opened a connection since the engine had closed the one that was there.
    pub(super) closed: u64,
    /// Requests that opened one since none is kept for a while: loadcmp's own choice.
    pub(super) not_kept: u64,
    /// Requests of any phase that a limit of ours kept from being sent, measured ones among them, and the first one's words.
    pub(super) own_limits: (u64, u64),
    pub(super) own_limit: Option<String>,
    /// Requests that were sent again.
    pub(super) resent: u64,
    /// The first requests, by block and number.
    pub(super) asked: HashMap<(u32, u64), ComparedRequest>,
    pub(super) answered: u64,
    /// Answers with a count of tokens: of none at all, of one.
    pub(super) counted: u64,
    pub(super) no_tokens: u64,
    pub(super) one_token: u64,
    pub(super) lengths: Lengths,
    /// Tokens and pieces of the streams with a count.
    pub(super) streamed_tokens: u64,
    pub(super) chunks: u64,
    /// Answers with pieces of reasoning.
    pub(super) thought: u64,
    /// Answers for which the engine reports tokens that it guessed ahead.
    pub(super) drafted: u64,
    /// Answers by what was odd about them, in the order of [`Remark::ALL`].
    remarks: [u64; Remark::ALL.len()],
    /// Answers outside the schema that was asked for, of those that reached the limit of tokens.
    pub(super) cut_out_of_schema: u64,
    /// Vectors by their length; at most [`LENGTHS`] lengths are told apart.
    pub(super) dimensions: BTreeMap<u32, u64>,
    /// Answers without a text (or vector).
    pub(super) without_text: u64,
    /// Answers by why they ended.
    pub(super) finishes: BTreeMap<&'static str, u64>,
    /// Answers that ended by themselves, and those of them that count exactly the limit.
    pub(super) stopped: u64,
    pub(super) stopped_at_limit: u64,
    /// Different prompts, different answers; at most [`MOST`] of each are told apart.
    prompts: HashSet<(usize, u32)>,
    texts: HashSet<u64>,
    labels: BTreeSet<usize>,
    /// Latencies of the first answers.
    first: HashSet<u64>,
    first_n: usize,
    /// Sum of a mix of every latency: equal for the same latencies in whatever order.
    pub(super) fingerprint: u64,
    pub(super) fastest: Option<Nanos>,
    /// Latency (µs) by tokens of the answer and of the prompt.
    pub(super) by_output: Line,
    pub(super) by_prompt: Line,
    /// Answers of which the engine told its own total time; those where that is more than the client waited.
    pub(super) server_told: u64,
    pub(super) server_more: u64,
    pub(super) server_most_over: Nanos,
    /// Answers that waited for the model to load.
    pub(super) loads: Loads,
    /// Prompts as long as the context.
    pub(super) full_prompts: u64,
    /// How prompts of wanted lengths came out.
    pub(super) requested: Requested,
    /// Prompt tokens of first turns, and what of them came from a cache.
    pub(super) first_turns: Cached,
    /// First requests to the target, before any load, that came to nothing; and what the last of them came to.
    pub(super) first_failed: u64,
    pub(super) first_failure: Option<String>,
    /// Whether a first request was answered.
    pub(super) first_answered: bool,
    /// How it was there.
    pub(super) presence: Presence,
    /// What each of several generators' own parts of a request took, by shard; empty where there was one.
    pub(super) generators: BTreeMap<u32, Generator>,
}

/// One generator's own parts of requests, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Generator {
    /// From the plan to the departure.
    pub lag: Distribution,
    /// Until a connection stood, where one was opened.
    pub connect: Distribution,
}

/// How prompts of wanted numbers of tokens came out, by the engine's count: tokens more than wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Requested {
    /// Prompts with a count, and those of them that are not as wanted.
    pub n: u64,
    pub off: u64,
    /// The least, the most, and all of the differences.
    pub least: i64,
    pub most: i64,
    pub sum: i64,
}

impl Requested {
    fn push(&mut self, wanted: u64, counted: u64) {
        let more = i64::try_from(counted).unwrap_or(i64::MAX).saturating_sub(i64::try_from(wanted).unwrap_or(i64::MAX));
        (self.least, self.most) = if self.n == 0 { (more, more) } else { (self.least.min(more), self.most.max(more)) };
        self.n += 1;
        self.off += u64::from(more != 0);
        self.sum = self.sum.saturating_add(more);
    }
}

/// What is kept of a request to be put beside another target's of the same number.
#[derive(Clone, Copy, Debug)]
pub(super) struct ComparedRequest {
    /// Hash of what was asked.
    pub hash: u64,
    /// Latency in nanoseconds, where it was answered.
    pub latency: Option<u64>,
    /// Tokens of the prompt where it was answered; of first turns, for later ones hold more than one message.
    pub prompt: Option<u64>,
    /// Whether it was told how many of them came from a cache.
    pub cache_told: bool,
}

impl ComparedRequest {
    fn of(sample: &Sample) -> Self {
        let answered = sample.outcome.answered();
        Self {
            hash: sample.request_hash,
            latency: sample.latency().filter(|_| answered).map(|latency| latency.0),
            prompt: sample.prompt_tokens.filter(|_| answered && sample.turn.is_none_or(|turn| turn == 1)),
            cache_told: sample.cached_tokens.is_some(),
        }
    }
}

impl Gather {
    /// A fold over the plan's targets.
    pub fn new(plan: &Plan) -> Self {
        let target = |target: &crate::scenario::plan::TargetPlan| Gathered {
            loads: Loads::new(plan),
            context: target.facts.context,
            max_tokens: u64::from(plan.workload.sampling.max_tokens),
            shared: plan.workload.tokens.as_ref().and_then(|tokens| tokens.shared()),
            ..Gathered::default()
        };
        Self { targets: plan.targets.iter().map(target).collect() }
    }

    /// Takes the engines' contexts, which may be known only once their models are loaded.
    pub fn contexts(&mut self, plan: &Plan) {
        for (gathered, target) in self.targets.iter_mut().zip(&plan.targets) {
            gathered.context = target.facts.context;
        }
    }

    /// Takes one sample; of a target that isn't in the plan, it is left out.
    pub fn push(&mut self, sample: &Sample) {
        if let Some(target) = self.targets.get_mut(sample.target) {
            target.push(sample);
        }
    }

    /// What came together, in the plan's order.
    pub fn finish(self) -> Vec<Gathered> {
        self.targets
    }
}

impl Gathered {
    fn push(&mut self, sample: &Sample) {
        if sample.phase == Phase::Measure {
            self.measured(sample);
        }
        self.loads.push(sample);
        self.presence.push(sample);
        if sample.phase == Phase::Cold && sample.index < FIRST_REQUESTS {
            self.first(sample);
        }
        let ours = |words: &&String| sample.outcome == Outcome::Unsent && words.starts_with(OWN_LIMIT);
        if let Some(words) = sample.error.as_ref().filter(ours) {
            self.own_limits.0 += 1;
            self.own_limits.1 += u64::from(sample.phase == Phase::Measure);
            self.own_limit.get_or_insert_with(|| words[OWN_LIMIT.len()..].to_owned());
        }
    }

    fn measured(&mut self, sample: &Sample) {
        self.rows += 1;
        if let Some(shard) = sample.shard {
            let Generator { lag, connect } = self.generators.entry(shard).or_default();
            sample.lag().into_iter().for_each(|time| lag.record(time.0 as f64));
            sample.connect.into_iter().for_each(|time| connect.record(time.0 as f64));
        }
        if sample.turn.is_none_or(|turn| turn == 1) {
            self.begun += 1;
            self.begun_sent += u64::from(sample.outcome != Outcome::Unsent);
        }
        self.closed += u64::from(sample.opened == Some(Opened::Closed));
        self.not_kept += u64::from(sample.opened == Some(Opened::NotKept));
        self.resent += u64::from(sample.retries > 0);
        if self.asked.len() < MOST && sample.index < MOST as u64 {
            self.asked.insert((sample.block, sample.index), ComparedRequest::of(sample));
        }
        if let Some(end) = sample.stamps.end {
            let planned = sample.stamps.planned;
            let (first, last) = self.blocks.entry(sample.block).or_insert((planned, end));
            (*first, *last) = ((*first).min(planned), (*last).max(end));
            self.occupied_s += end.since(planned).seconds();
            self.in_flight_s += sample.stamps.sent.map_or(0.0, |sent| end.since(sent).seconds());
        }
        if sample.outcome.answered() {
            self.answer(sample);
        }
    }

    fn answer(&mut self, sample: &Sample) {
        self.answered += 1;
        self.thought += u64::from(sample.thoughts > 0);
        self.drafted += u64::from(sample.details.drafted.is_some_and(|tokens| tokens > 0));
        for (count, remark) in self.remarks.iter_mut().zip(Remark::ALL) {
            *count += u64::from(sample.remarks.has(remark));
        }
        let cut = sample.finish.as_deref().is_some_and(|word| reason(word) == Some("length"));
        self.cut_out_of_schema += u64::from(cut && sample.remarks.has(Remark::OutOfSchema));
        if let Some(length) = sample.dimensions
            && (self.dimensions.len() < LENGTHS || self.dimensions.contains_key(&length))
        {
            *self.dimensions.entry(length).or_default() += 1;
        }
        self.without_text += u64::from(sample.text_hash.is_none());
        remember(&mut self.prompts, (sample.item, sample.turn.unwrap_or(0)));
        if let Some(text) = sample.text_hash {
            remember(&mut self.texts, text);
        }
        self.labels.extend(sample.expected_label);
        if let Some(tokens) = sample.output_tokens {
            self.output(sample, tokens);
        }
        if let Some(finish) = &sample.finish {
            self.finish(finish);
        }
        if let Some(latency) = sample.latency() {
            self.latency(sample, latency);
        }
        if let Some((wanted, counted)) = sample.wanted_prompt.zip(sample.prompt_tokens) {
            self.requested.push(wanted, counted);
        }
        if let Some(prompt) = sample.prompt_tokens {
            // The last place may be kept for the first token of the answer.
            self.full_prompts += u64::from(self.context.is_some_and(|context| prompt + 1 >= context));
            if let Some(cached) = sample.cached_tokens.filter(|_| sample.turn.is_none_or(|turn| turn == 1)) {
                // What a group of prompts shares is meant to come from a cache; by a tokeniser of its own, it is as much more or less.
                let by_wanted = |shared: u64| match sample.wanted_prompt {
                    Some(wanted) if wanted > 0 => (shared as f64 * prompt as f64 / wanted as f64).ceil() as u64,
                    _ => shared,
                };
                let shared = self.shared.filter(|_| sample.wanted_prompt.is_some()).map_or(0, by_wanted).min(prompt);
                self.first_turns.push(prompt - shared, cached.saturating_sub(shared));
            }
        }
    }

    fn output(&mut self, sample: &Sample, tokens: u64) {
        self.counted += 1;
        self.no_tokens += u64::from(tokens == 0);
        self.one_token += u64::from(tokens == 1);
        self.lengths.push(tokens);
        if sample.stamps.first_token.is_some() {
            self.streamed_tokens = self.streamed_tokens.saturating_add(tokens);
            self.chunks += u64::from(sample.chunks);
        }
        if sample.finish.as_deref().is_some_and(|word| reason(word) == Some("stop")) {
            self.stopped += 1;
            self.stopped_at_limit += u64::from(tokens == self.max_tokens);
        }
    }

    fn finish(&mut self, word: &str) {
        // What /v1/responses of llama-server and Ollama say of every answer, cut by the limit or not: no reason at all.
        if word == "completed" {
            return;
        }
        *self.finishes.entry(reason(word).unwrap_or("another reason")).or_default() += 1;
    }

    fn latency(&mut self, sample: &Sample, latency: Nanos) {
        self.fastest = Some(self.fastest.map_or(latency, |fastest| fastest.min(latency)));
        self.fingerprint = self.fingerprint.wrapping_add(mix(latency.0));
        if self.first_n < LOOKED_AT {
            self.first_n += 1;
            self.first.insert(latency.0);
        }
        if let Some(tokens) = sample.output_tokens {
            self.by_output.push(tokens as f64, latency.micros());
        }
        if let Some(tokens) = sample.prompt_tokens {
            self.by_prompt.push(tokens as f64, latency.micros());
        }
        if let Some(total) = sample.server_total {
            self.server_told += 1;
            // Two clocks may run apart by a little; the engine's is read inside the client's.
            let slack = Nanos(100_000 + latency.0 / 100);
            if total.0 > latency.0.saturating_add(slack.0) {
                self.server_more += 1;
                self.server_most_over = self.server_most_over.max(total.since(latency));
            }
        }
    }

    /// A first request to the target. One that we cut off came to nothing for no fault of its own.
    fn first(&mut self, sample: &Sample) {
        self.first_answered |= sample.outcome.answered();
        if !sample.outcome.answered() && sample.outcome != Outcome::Unfinished {
            self.first_failed += 1;
            let words = sample.error.as_deref().unwrap_or("it said no more");
            self.first_failure = Some(format!("{}: {words}", sample.outcome.as_str()));
        }
    }

    /// Time in which the target was asked, in seconds: its blocks, from the first planned instant to the last end.
    pub(super) fn span_s(&self) -> f64 {
        self.blocks.values().map(|(from, to)| to.since(*from).seconds()).sum()
    }

    /// The first planned instant and the last end.
    pub(super) fn edges(&self) -> Option<(Nanos, Nanos)> {
        let from = self.blocks.values().map(|(from, _)| *from).min()?;
        Some((from, self.blocks.values().map(|(_, to)| *to).max()?))
    }

    /// Share of different latencies among the first answers, and their number.
    pub(super) fn different_latencies(&self) -> Option<(f64, usize)> {
        (self.first_n > 0).then(|| (self.first.len() as f64 / self.first_n as f64, self.first_n))
    }

    /// Answers that a remark is on.
    pub(super) fn remarked(&self, remark: Remark) -> u64 {
        self.remarks.iter().zip(Remark::ALL).filter(|(_, known)| *known == remark).map(|(n, _)| n).sum()
    }

    /// Different prompts that were answered, and different answers.
    pub(super) fn prompts_and_texts(&self) -> (usize, usize) {
        (self.prompts.len(), self.texts.len())
    }

    /// Different labels that were expected.
    pub(super) fn labels(&self) -> usize {
        self.labels.len()
    }
}

fn remember<T: std::hash::Hash + Eq>(set: &mut HashSet<T>, value: T) {
    if set.len() < MOST {
        set.insert(value);
    }
}

/// Engines' words for why an answer ended, as one: `length` at the limit, `stop` by itself. `None` for any other word.
fn reason(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "length" | "limit" | "max_tokens" | "max_output_tokens" => Some("length"),
        "stop" | "eos" | "end_turn" | "stop_sequence" | "complete" => Some("stop"),
        _ => None,
    }
}

/// A number's bits well mixed (splitmix64's finaliser), so that sums of different numbers differ.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::mix;

    #[test]
    fn numbers_are_mixed_as_splitmix64_does() {
        // The first two numbers of the published generator from the seed 0.
        assert_eq!([mix(0), mix(0x9e37_79b9_7f4a_7c15)], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }
}
