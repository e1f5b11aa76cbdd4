//! What a simulated run is made of: what is asked, the engines, and a machine whose speed wanders.

use crate::simulate::mix;
use loadcmp::record::{Details, Nanos, Outcome, Phase, Remarks, Sample, Stamps};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A second, in nanoseconds.
pub const S: u64 = 1_000_000_000;
/// From planned to sent, in nanoseconds: a quiet generator's lag.
const LAG: u64 = 30_000;
/// Prompts in the list that is asked over and over.
const ITEMS: usize = 60;
/// Labels of a task that has them.
const LABELS: u64 = 6;
/// Scatter of the lengths of prompts and answers (standard deviation of the logarithm): from prompt to prompt, and of answers
/// from one asking to the next (the nonce).
const LENGTHS: (f64, f64, f64) = (0.6, 0.5, 0.15);

/// How a speed wanders: standard deviation of its logarithm, and how long it is remembered, in seconds.
pub type Drift = (f64, f64);

/// A standard normal number that belongs to a place.
fn normal_at(a: u64, b: u64) -> f64 {
    StandardNormal.sample(&mut ChaCha8Rng::seed_from_u64(mix(a, b)))
}

/// A lognormal number with this mean.
fn lognormal(mean: f64, sd: f64, z: f64) -> f64 {
    mean * (sd * z - sd * sd / 2.0).exp()
}

/// An engine, and what it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Requests it works on at the same time.
    pub slots: usize,
    /// Mean time of a request in a slot, in seconds.
    pub service: f64,
    /// Whether short answers are classified; else answers are long, and streamed.
    pub short: bool,
    /// Scatter of the time of a request about what its tokens take.
    pub noise: f64,
    /// The machine's speed, which both engines share.
    pub shared: Drift,
    /// Each engine's own.
    pub own: Drift,
    /// Scatter of answers' lengths from side to side, for one prompt.
    pub unlike: f64,
    /// Share of requests that fail.
    pub failures: f64,
    /// How much slower an engine begins, and how long that lasts, in seconds.
    pub cold: (f64, f64),
}

impl Spec {
    /// An engine whose mean answer takes so many seconds in a slot.
    pub const fn new(service: f64, slots: usize, short: bool) -> Self {
        Self {
            slots,
            service,
            short,
            noise: 0.05,
            shared: (0.03, 5.0),
            own: (0.0, 1.0),
            unlike: 0.0,
            failures: 0.0,
            cold: (0.0, 1.0),
        }
    }

    /// Mean tokens of a prompt and of an answer.
    fn tokens(&self) -> (f64, f64) {
        if self.short { (120.0, 3.0) } else { (300.0, 80.0) }
    }

    /// The prompt's share of the time.
    fn prefill(&self) -> f64 {
        if self.short { 0.6 } else { 0.15 }
    }
}

/// A speed that wanders: an Ornstein-Uhlenbeck process on the log scale, straight between points a tenth of its memory apart.
pub struct Wander {
    drift: Drift,
    random: ChaCha8Rng,
    path: Vec<f64>,
}

impl Wander {
    pub fn new(drift: Drift, seed: u64) -> Self {
        Self { drift, random: ChaCha8Rng::seed_from_u64(seed), path: Vec::new() }
    }

    /// What times are longer by at an instant, as a factor.
    pub fn at(&mut self, at: u64) -> f64 {
        if self.drift.0 == 0.0 {
            return 1.0;
        }
        let place = at as f64 / 1e9 / (self.drift.1 / 10.0);
        let kept = (-0.1_f64).exp();
        while self.path.len() < place as usize + 2 {
            let news: f64 = StandardNormal.sample(&mut self.random);
            let next = self.path.last().map_or(news, |last| last * kept + news * (1.0 - kept * kept).sqrt());
            self.path.push(next);
        }
        let (a, b) = (self.path[place as usize], self.path[place as usize + 1]);
        (self.drift.0 * (a + (b - a) * place.fract())).exp()
    }
}

/// What all targets of a run share.
pub struct World {
    pub spec: Spec,
    /// The order in which the list is asked, drawn from the run's seed.
    order: Vec<usize>,
    seed: u64,
    machine: Wander,
}

/// One request's lengths.
struct Asked {
    item: usize,
    prompt: f64,
    output: f64,
}

impl World {
    pub fn new(spec: Spec, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..ITEMS).collect();
        order.sort_by_key(|item| mix(seed ^ 0x0006_f726, *item as u64));
        Self { spec, order, seed, machine: Wander::new(spec.shared, mix(seed, 1)) }
    }

    /// Request `index` of a phase as a target gets it: the list is the same in all runs, its order and the nonces are the run's.
    fn asked(&self, phase: Phase, index: u64, target: usize) -> Asked {
        let item = self.order[(index % ITEMS as u64) as usize];
        let (prompts, outputs, nonces) = LENGTHS;
        let (prompt, output) = self.spec.tokens();
        let number = index * 2 + u64::from(phase == Phase::Measure);
        let nonce = normal_at(mix(self.seed, 2), number);
        let unlike = if self.spec.unlike > 0.0 { normal_at(mix(self.seed, 3 + target as u64), number) } else { 0.0 };
        let spread = (outputs * outputs + nonces * nonces + self.spec.unlike * self.spec.unlike).sqrt();
        let z = (outputs * normal_at(11, item as u64) + nonces * nonce + self.spec.unlike * unlike) / spread;
        Asked {
            item,
            prompt: lognormal(prompt, prompts, normal_at(10, item as u64)).round().max(1.0),
            output: lognormal(output, spread, z).round().max(1.0),
        }
    }

    /// The label that a target gives an item, and the right one: four of five are right, on each side by itself in one of ten.
    fn labels(&self, item: usize, target: usize) -> (usize, usize) {
        let of = |key: u64| mix(mix(self.seed, key), item as u64);
        let right = (of(20) % LABELS) as usize;
        let side = if of(21) % 10 == 0 { 23 + target as u64 } else { 22 };
        (right, if of(side) % 5 == 0 { (right + 1) % LABELS as usize } else { right })
    }
}

/// One engine of a run.
pub struct Engine {
    target: usize,
    random: ChaCha8Rng,
    free: Vec<u64>,
    speed: Wander,
    slower: f64,
}

/// Where a request belongs.
#[derive(Clone, Copy)]
pub struct Place {
    pub phase: Phase,
    pub block: u32,
    pub user: u32,
    pub index: u64,
}

impl Engine {
    pub fn new(world: &World, target: usize, slower: f64) -> Self {
        let seed = |key: u64| mix(mix(world.seed, 100 + target as u64), key);
        Self {
            target,
            random: ChaCha8Rng::seed_from_u64(seed(0)),
            free: vec![0; world.spec.slots],
            speed: Wander::new(world.spec.own, seed(1)),
            slower,
        }
    }

    /// Answers a request planned at `planned`. Requests come in the order of these instants.
    pub fn answer(&mut self, world: &mut World, planned: u64, place: Place) -> Sample {
        let spec = world.spec;
        let asked = world.asked(place.phase, place.index, self.target);
        let sent = planned + LAG;
        let slot = (0..self.free.len()).min_by_key(|slot| self.free[*slot]).unwrap_or(0);
        let start = sent.max(self.free[slot]);
        let cold = 1.0 + spec.cold.0 * (-(start as f64) / 1e9 / spec.cold.1).exp();
        let noise: f64 = StandardNormal.sample(&mut self.random);
        let slow = self.slower * (spec.noise * noise).exp() * cold * world.machine.at(start) * self.speed.at(start);
        let seconds = |share: f64, tokens: f64, mean: f64| spec.service * share * tokens / mean * slow;
        let (prompts, outputs) = spec.tokens();
        let prefill = seconds(spec.prefill(), asked.prompt, prompts);
        let decode = seconds(1.0 - spec.prefill(), asked.output, outputs);
        let failed = spec.failures > 0.0 && self.random.random::<f64>() < spec.failures;
        let at = |seconds: f64| start + (seconds * 1e9) as u64;
        // A request that fails does so within a fifth of its time.
        let end = if failed { at((prefill + decode) * 0.2) } else { at(prefill + decode) };
        self.free[slot] = end;
        let first = at(prefill + decode / asked.output);
        let streamed = !spec.short && !failed;
        let (right, label) = world.labels(asked.item, self.target);
        let labelled = spec.short && !failed;
        Sample {
            target: self.target,
            phase: place.phase,
            block: place.block,
            user: place.user,
            index: place.index,
            conversation: None,
            turn: None,
            stamps: Stamps {
                planned: Nanos(planned),
                dispatched: Some(Nanos(planned + LAG / 2)),
                sent: Some(Nanos(sent)),
                first_byte: Some(Nanos(if streamed { first } else { end })),
                first_token: streamed.then_some(Nanos(first)),
                first_answer: streamed.then_some(Nanos(first)),
                last_token: streamed.then_some(Nanos(end)),
                end: Some(Nanos(end)),
            },
            outcome: if failed { Outcome::HttpStatus } else { Outcome::Ok },
            http_status: Some(if failed { 500 } else { 200 }),
            finish: None,
            prompt_tokens: (!failed).then_some(asked.prompt as u64),
            cached_tokens: None,
            output_tokens: (!failed).then_some(asked.output as u64),
            chunks: 1,
            expected_label: spec.short.then_some(right),
            label: labelled.then_some(label),
            server_total: None,
            server_load: None,
            server_prompt: None,
            server_output: None,
            request_hash: asked.item as u64,
            text_hash: None,
            error: None,
            item: asked.item,
            itl_max: None,
            // The tokens of an answer come evenly here: one wait stands for all of them.
            shard: None,
            gaps: if streamed && asked.output as u64 > 1 {
                vec![((end - first) as f64 / (asked.output as u64 - 1) as f64 / 1e3).round() as u32]
            } else {
                Vec::new()
            },
            dimensions: None,
            connect: None,
            retries: 0,
            thoughts: 0,
            remarks: Remarks::default(),
            opened: None,
            wanted_prompt: None,
            prefix_group: None,
            prefix_use: None,
            details: Details::default(),
        }
    }
}
