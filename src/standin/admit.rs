//! What a wire asks for ([`Ask`]), and how it gets its [`Job`]: what is random about it is drawn, it waits for the model and a slot,
//! and its answer and pace are decided.
//!
//! Everything drawn comes from the seed, the prompt and how often that prompt was asked before: never from the order in which
//! requests meet.

use super::engine::{Engine, millis};
use super::job::{Job, Pace};
use super::labels::Choice;
use super::prefixes::LookedUp;
use super::quirk::{Play, Quirk};
use super::spec::Fault;
use super::text::{Answer, Finish, mix, quick_hash};
use crate::host::lock;
use crate::record::Nanos;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Prompts whose askings are counted; later ones count as asked for the first time.
const MOST_PROMPTS: usize = 1 << 20;

/// What a wire asks for.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// When the request reached its handler.
    pub(super) arrived: Nanos,
    pub(super) prompt: &'a str,
    pub(super) prompt_tokens: u32,
    /// Tokens wanted; none = the engine's own limit.
    pub(super) limit: Option<u32>,
    pub(super) stops: &'a [String],
    /// The answer is to be JSON.
    pub(super) json: bool,
    /// The JSON Schema of the answer.
    pub(super) schema: Option<&'a serde_json::Value>,
    /// The wire has a place for thoughts.
    pub(super) thinks: bool,
    /// The share of its thoughts that it has, by a level of reasoning.
    pub(super) effort: f64,
    /// The fewest tokens of thought, by a quirk.
    pub(super) least_thoughts: u32,
    /// The quirks that are played on it.
    pub(super) play: Option<Play>,
    /// The answer doesn't end by itself.
    pub(super) goes_on: bool,
    /// No text is wanted: vectors.
    pub(super) embed: bool,
    /// The log-probability of each token is wanted.
    pub(super) logprobs: bool,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            arrived: Nanos::default(),
            prompt: "",
            prompt_tokens: 0,
            limit: None,
            stops: &[],
            json: false,
            schema: None,
            thinks: false,
            effort: 1.0,
            least_thoughts: 0,
            play: None,
            goes_on: false,
            embed: false,
            logprobs: false,
        }
    }
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

/// A request's own draws.
#[derive(Debug, Default)]
pub(super) struct Draw {
    pub(super) fault: Option<Fault>,
    hash: u64,
    random: Option<ChaCha8Rng>,
}

impl Engine {
    /// Draws what is random about a request.
    pub(super) fn draw(&self, prompt: &str) -> Draw {
        let hash = quick_hash(prompt.as_bytes());
        if self.plain {
            return Draw { hash, ..Draw::default() };
        }
        let mut asked = lock(&self.asked);
        let mut ordinal = 0;
        if asked.len() < MOST_PROMPTS || asked.contains_key(&hash) {
            let count = asked.entry(hash).or_insert(0);
            ordinal = *count;
            *count = count.wrapping_add(1);
        }
        drop(asked);
        let mut random = ChaCha8Rng::seed_from_u64(mix(self.spec.seed ^ mix(hash ^ mix(u64::from(ordinal) + 1))));
        let mut place: f64 = random.random();
        let faults = [
            Fault::Status,
            Fault::ErrorFrame,
            Fault::Truncate,
            Fault::Cut,
            Fault::Stall,
            Fault::SlowFirstByte,
            Fault::Split,
            Fault::WrongId,
            Fault::HangUp,
        ];
        let fault = faults.into_iter().zip(self.spec.faults.shares()).find_map(|(fault, share)| {
            place -= share;
            (place < 0.0).then_some(fault)
        });
        Draw { fault, hash, random: Some(random) }
    }

    /// Waits for the model and a slot, and decides the answer and its pace.
    pub(super) async fn admit(self: &Arc<Self>, ask: Ask<'_>, draw: Draw) -> Result<Job, Busy> {
        let slot = match self.slots.clone().try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let _waiting = Waiting::enter(self)?;
                self.slots.clone().acquire_owned().await.map_err(|_| Busy)?
            }
        };
        let mut granted = self.clock.now();
        let ready = self.load(granted);
        let mut loaded = granted.min(ask.arrived.max(ready));
        if ready > granted {
            self.timer.until(ready).await;
            granted = self.clock.now();
            loaded = granted;
        }
        self.leak.grow();
        let Draw { fault, hash, mut random } = draw;
        let mut start = granted;
        if fault == Some(Fault::SlowFirstByte) {
            start = start + millis(self.spec.faults.slow_first_byte_ms);
            self.timer.until(start).await;
        }
        let answer = self.answer(&ask, hash, random.as_mut());
        let found = if ask.embed { LookedUp::default() } else { self.prefixes.look_up(ask.prompt, start) };
        let cached = found.cached.min(ask.prompt_tokens);
        let pace = Pace::new(&self.spec, start, ask.prompt_tokens - cached, answer.tokens, (fault, random));
        if !ask.embed {
            self.prefixes.keep(found, pace.due());
        }
        Ok(Job {
            engine: self.clone(),
            answer,
            fault,
            play: ask.play,
            logprobs: ask.logprobs,
            prompt_tokens: ask.prompt_tokens,
            cached_tokens: cached,
            arrived: ask.arrived,
            loaded,
            granted,
            first: None,
            last: granted,
            unload: false,
            made: 0,
            pace,
            slot: Some(slot),
        })
    }

    fn answer(&self, ask: &Ask<'_>, hash: u64, random: Option<&mut ChaCha8Rng>) -> Answer {
        if ask.embed {
            return Answer::words(hash, 0, Finish::Stop);
        }
        // Thoughts count towards the limit, as in real engines; one token of answer is left.
        let limit = ask.limit.unwrap_or(self.spec.output_tokens);
        let thoughts = if ask.thinks { (f64::from(self.spec.think_tokens) * ask.effort).ceil() as u32 } else { 0 };
        let thoughts = thoughts.max(ask.least_thoughts).min(limit.saturating_sub(1));
        self.said(ask, limit - thoughts, hash, random).after(thoughts)
    }

    fn said(&self, ask: &Ask<'_>, limit: u32, hash: u64, random: Option<&mut ChaCha8Rng>) -> Answer {
        let plays = |quirk| ask.play.is_some_and(|play| play.has(quirk));
        let heeded = !plays(Quirk::SchemaIgnored);
        if let Some(choice) = Choice::asked(ask.prompt, ask.schema.filter(|_| heeded)) {
            let text = if plays(Quirk::ListsLabels) {
                choice.all()
            } else if plays(Quirk::RepeatsStart) {
                ask.prompt.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
            } else {
                choice.answer(ask.prompt, &self.labels, self.spec.accuracy, self.spec.seed)
            };
            return Answer::text(&text, limit).stopped_at(ask.stops);
        }
        if ask.json && heeded {
            let properties = ask.schema.and_then(|schema| schema.get("properties")?.as_object());
            let name = properties.and_then(|map| map.keys().next()).map_or("answer", String::as_str);
            let value = Answer::words(hash, 4, Finish::Stop).whole();
            return Answer::text(&serde_json::json!({ name: value.trim() }).to_string(), limit).stopped_at(ask.stops);
        }
        let (mut count, mut finish) = (limit, Finish::Length);
        if let Some(random) = random {
            let (early, length): (f64, f64) = (random.random(), random.random());
            if early < self.spec.early_stop && limit > 1 && !ask.goes_on {
                count = 1 + (length * f64::from(limit - 1)) as u32;
                finish = Finish::Stop;
            }
        }
        Answer::words(hash, count, finish).stopped_at(ask.stops)
    }
}

/// A place in the queue, given back also when the client goes away.
struct Waiting<'a>(&'a Engine);

impl<'a> Waiting<'a> {
    fn enter(engine: &'a Engine) -> Result<Self, Busy> {
        if engine.waiting.fetch_add(1, Relaxed) >= engine.spec.queue {
            engine.waiting.fetch_sub(1, Relaxed);
            return Err(Busy);
        }
        Ok(Self(engine))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::{EngineSpec, Faults, Jitter};

    fn engine(spec: EngineSpec) -> Arc<Engine> {
        Engine::new(spec).unwrap()
    }

    async fn job(engine: &Arc<Engine>, prompt: &str, limit: u32) -> Job {
        let ask = Ask { prompt, prompt_tokens: 10, limit: Some(limit), ..Ask::default() };
        engine.admit(ask, engine.draw(prompt)).await.unwrap()
    }

    #[tokio::test]
    async fn tokens_are_due_as_declared() {
        let engine = engine(EngineSpec { prefill_rate: 1000.0, decode_rate: 500.0, ..EngineSpec::default() });
        let mut job = job(&engine, "x", 4).await;
        let due: Vec<_> = (0..4)
            .map(|_| {
                let due = job.due().since(job.granted).0;
                job.make();
                due
            })
            .collect();
        assert_eq!(due, [10_000_000, 12_000_000, 14_000_000, 16_000_000]);
    }

    #[tokio::test]
    async fn a_whole_answer_takes_as_long_as_a_streamed_one() {
        for tokens in [1, 2, 3, 10] {
            let engine = engine(EngineSpec { first_token_ms: Some(2.0), decode_rate: 2000.0, ..EngineSpec::default() });
            let mut job = job(&engine, "x", tokens).await;
            job.whole().await;
            assert_eq!(job.made, tokens);
            assert!(job.first.unwrap().since(job.granted) >= Nanos(2_000_000));
            assert!(job.last.since(job.granted) >= Nanos(2_000_000 + 500_000 * u64::from(tokens - 1)));
        }
    }

    #[tokio::test]
    async fn the_same_requests_draw_the_same_whatever_their_order() {
        let spec = EngineSpec {
            jitter: Jitter::Lognormal,
            jitter_scale: 0.5,
            first_token_ms: Some(1.0),
            faults: Faults { cut: 0.3, truncate: 0.3, ..Faults::default() },
            early_stop: 0.5,
            ..EngineSpec::default()
        };
        let draws = |engine: Arc<Engine>, prompts: Vec<&'static str>| async move {
            let mut all = Vec::new();
            for prompt in prompts {
                let job = job(&engine, prompt, 100).await;
                all.push((prompt, job.due().since(job.granted), job.fault, job.answer.tokens));
            }
            all.sort_by_key(|(prompt, ..)| *prompt);
            all
        };
        let one = draws(engine(spec.clone()), vec!["a", "b", "a", "c"]).await;
        let other = draws(engine(spec.clone()), vec!["c", "a", "b", "a"]).await;
        assert_eq!(one, other);
        assert_ne!(one[0], one[1], "the same prompt draws anew");
        let third = draws(engine(EngineSpec { seed: 2, ..spec }), vec!["a", "b", "a", "c"]).await;
        assert_ne!(one, third);
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let engine = engine(EngineSpec { slots: 1, queue: 0, ..EngineSpec::default() });
        let held = job(&engine, "a", 1).await;
        assert_eq!(engine.admit(Ask::default(), Draw::default()).await.err(), Some(Busy));
        drop(held);
        assert!(engine.admit(Ask::default(), Draw::default()).await.is_ok());
        assert_eq!(engine.queued(), 0);
    }

    #[tokio::test]
    async fn the_first_request_waits_for_the_model() {
        let engine = engine(EngineSpec { load_ms: 5.0, ..EngineSpec::default() });
        let first = job(&engine, "a", 1).await;
        assert!(first.loaded >= Nanos(5_000_000));
        assert!(engine.is_loaded(engine.clock.now()));
        engine.keep(Some(engine.clock.now()));
        assert!(!engine.is_loaded(engine.clock.now()));
    }
}
