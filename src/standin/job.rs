//! A request that has its slot: when each of its tokens is due, what has been made, and what is to go wrong. The
//! wires drive it; the only clock is the engine's.

use super::engine::{Engine, millis};
use super::quirk::Play;
use super::spec::{EngineSpec, Fault, Jitter};
use super::text::{Answer, push_escaped};
use super::timer::Wait;
use crate::record::Nanos;
use bytes::BytesMut;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A request that has its slot.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) engine: Arc<Engine>,
    pub(super) answer: Answer,
    pub(super) fault: Option<Fault>,
    /// The quirks that are played on it.
    pub(super) play: Option<Play>,
    /// It tells the log-probability of each token.
    pub(super) logprobs: bool,
    pub(super) prompt_tokens: u32,
    /// Those of them that were kept from an earlier prompt.
    pub(super) cached_tokens: u32,
    pub(super) arrived: Nanos,
    /// When the model was there for it.
    pub(super) loaded: Nanos,
    /// When it had its slot.
    pub(super) granted: Nanos,
    /// When the first token was ready; none before.
    pub(super) first: Option<Nanos>,
    /// When the newest token was ready.
    pub(super) last: Nanos,
    /// Unload the model after this one.
    pub(super) unload: bool,
    /// Tokens made so far.
    pub(super) made: u32,
    pub(super) pace: Pace,
    pub(super) slot: Option<OwnedSemaphorePermit>,
}

/// When the tokens of an answer are due.
#[derive(Debug)]
pub(super) struct Pace {
    /// Deadline of the next token.
    due: Nanos,
    gap: f64,
    /// Before this token comes an extra silence.
    stall: Option<(u32, Nanos)>,
    lognormal: Option<(f64, ChaCha8Rng)>,
}

/// Time from the slot to the first and to the last of `tokens` tokens of an answer, as an engine of this spec draws it:
/// for simulations, which ask no engine. Faults are left out.
pub fn token_times(spec: &EngineSpec, prompt_tokens: u32, tokens: u32, random: ChaCha8Rng) -> (Nanos, Nanos) {
    Pace::new(spec, Nanos(0), prompt_tokens, tokens, (None, Some(random))).ends(tokens)
}

impl Pace {
    /// The pace of an answer whose prompt is taken up at `start`.
    pub(super) fn new(
        spec: &EngineSpec,
        start: Nanos,
        prompt: u32,
        tokens: u32,
        (fault, random): (Option<Fault>, Option<ChaCha8Rng>),
    ) -> Self {
        let mut first = match spec.first_token_ms {
            Some(ms) => ms * 1e6,
            None if spec.prefill_rate > 0.0 => f64::from(prompt) / spec.prefill_rate * 1e9,
            None => 0.0,
        };
        first += start.seconds() * spec.slower_ms_per_s * 1e6;
        let mut lognormal = None;
        match (spec.jitter, random) {
            (Jitter::Constant, _) => first += spec.jitter_scale * 1e6,
            (Jitter::Exponential, Some(mut random)) => {
                first -= (1.0 - random.random::<f64>()).ln() * spec.jitter_scale * 1e6;
            }
            (Jitter::Lognormal, Some(mut random)) => {
                first *= factor(&mut random, spec.jitter_scale);
                lognormal = Some((spec.jitter_scale, random));
            }
            _ => {}
        }
        let gap = if spec.decode_rate > 0.0 { 1e9 / spec.decode_rate } else { 0.0 };
        let stall = (fault == Some(Fault::Stall)).then(|| (half(tokens), millis(spec.faults.stall_for_ms)));
        let mut pace = Self { due: start + Nanos(first as u64), gap, stall, lognormal };
        if tokens == 0
            && let Some((_, silence)) = pace.stall.take()
        {
            pace.due = pace.due + silence;
        }
        pace
    }

    /// When the first token is due.
    pub(super) fn due(&self) -> Nanos {
        self.due
    }

    /// When the first and the last of `tokens` tokens are due.
    fn ends(mut self, tokens: u32) -> (Nanos, Nanos) {
        let first = self.due;
        for made in 1..tokens {
            self.step(made);
        }
        (first, self.due)
    }

    /// Token number `made` has been made; the next is due a gap later.
    fn step(&mut self, made: u32) {
        let mut gap = self.gap;
        if let Some((sigma, random)) = &mut self.lognormal {
            gap *= factor(random, *sigma);
        }
        self.due = self.due + Nanos(gap as u64);
        if let Some((_, silence)) = self.stall.filter(|(at, _)| *at == made) {
            self.due = self.due + silence;
        }
    }
}

impl Job {
    /// When the next token is due.
    pub(super) fn due(&self) -> Nanos {
        self.pace.due
    }

    /// The next token is made: the number of its piece.
    pub(super) fn make(&mut self) -> u32 {
        let index = self.made;
        self.made += 1;
        if self.made == 1 || self.made >= self.goal() {
            self.last = self.engine.clock.now();
            self.first.get_or_insert(self.last);
        }
        self.pace.step(self.made);
        index
    }

    /// Tokens it will make, with its fault.
    pub(super) fn goal(&self) -> u32 {
        match self.fault {
            Some(Fault::ErrorFrame | Fault::Truncate | Fault::Cut) => half(self.answer.tokens),
            _ => self.answer.tokens,
        }
    }

    /// Waits until all of its tokens are made; what an answer that is not streamed does.
    pub(super) async fn whole(&mut self) {
        let goal = self.goal();
        self.wait().await;
        if goal == 0 {
            self.last = self.engine.clock.now();
            self.first = Some(self.last);
        }
        while self.made < goal {
            if self.made > 0 && self.made + 1 < goal {
                self.made += 1;
                self.pace.step(self.made);
            } else {
                self.wait().await;
                self.make();
            }
        }
    }

    /// Waits until the next token is due.
    pub(super) async fn wait(&self) {
        if self.engine.clock.now() < self.pace.due {
            self.waiter().await;
        }
    }

    /// A wait for the next token's moment.
    pub(super) fn waiter(&self) -> Wait {
        self.engine.timer.until(self.pace.due)
    }

    /// Gives the slot back; says when.
    pub(super) fn free(&mut self) -> Nanos {
        if self.slot.take().is_some() && self.unload {
            self.engine.unload();
        }
        self.engine.clock.now()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.slot.take().is_some() && self.unload {
            self.engine.unload();
        }
    }
}

/// The log-probabilities of some tokens, as a list: -0.25, -0.5, -0.75, -1, and again.
pub(super) fn push_logprobs(job: &Job, tokens: std::ops::Range<u32>, out: &mut BytesMut) {
    out.extend_from_slice(b"[");
    for index in tokens.clone() {
        out.extend_from_slice(if index > tokens.start { b",{\"token\":\"" } else { b"{\"token\":\"" });
        push_escaped(out, job.answer.piece(index));
        let _ = write!(out, "\",\"logprob\":{}}}", -0.25 * f64::from(index % 4 + 1));
    }
    out.extend_from_slice(b"]");
}

/// Half of the tokens, but one where there is any.
fn half(tokens: u32) -> u32 {
    tokens.div_ceil(2)
}

fn factor(random: &mut ChaCha8Rng, sigma: f64) -> f64 {
    let z: f64 = random.sample(StandardNormal);
    (sigma * z).exp()
}
