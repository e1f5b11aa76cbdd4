//! Simulated runs: requests through a FIFO queue before the stand-in's own engine, as rows that a fold takes.

use loadcmp::record::{Details, Nanos, Outcome, Phase, Remarks, Sample, Stamps};
use loadcmp::standin::{EngineSpec, Jitter, token_times};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};

/// Requests that an engine works on at the same time.
const SLOTS: usize = 2;
/// From planned to sent, in nanoseconds: a quiet generator's lag.
pub const LAG: u64 = 30_000;
/// Scatter of an engine's speed (standard deviation of its logarithm), and how long it takes to forget, in seconds.
const DRIFT: (f64, f64) = (0.03, 1.0);

/// How requests leave.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Users who each wait for their answer, in a closed loop.
    Closed(usize),
    /// Evenly, so many a second.
    Constant(f64),
    /// Independent of each other.
    Poisson(f64),
    /// So many at once, at Poisson instants; the rate counts requests.
    Bursts(f64, usize),
}

/// The engine that is simulated: a first token after 4 ms in the median, then 2 ms a token, each heavy-tailed.
fn spec() -> EngineSpec {
    EngineSpec {
        first_token_ms: Some(4.0),
        decode_rate: 500.0,
        jitter: Jitter::Lognormal,
        jitter_scale: 0.6,
        ..EngineSpec::default()
    }
}

/// A number that belongs to two others, as if drawn.
pub fn mix(a: u64, b: u64) -> u64 {
    let x = (a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x632b_e59b_d9b4_e019);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Tokens of request number `index`: the workload's, the same for every target.
fn tokens(workload: u64, index: u64) -> u32 {
    1 + (mix(workload, index) % 8) as u32
}

/// One engine, whose speed wanders slowly.
struct Engine {
    spec: EngineSpec,
    random: ChaCha8Rng,
    free: [u64; SLOTS],
    speed: f64,
    looked: u64,
    slower: f64,
}

impl Engine {
    fn new(seed: u64, slower: f64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let speed: f64 = StandardNormal.sample(&mut random);
        Self { spec: spec(), random, free: [0; SLOTS], speed, looked: 0, slower }
    }

    /// Takes a request at `at`; when its answer ends.
    fn serve(&mut self, at: u64, tokens: u32) -> u64 {
        let slot = usize::from(self.free[1] < self.free[0]);
        let start = at.max(self.free[slot]);
        // An Ornstein-Uhlenbeck process, looked at when an answer begins.
        let passed = start.saturating_sub(self.looked) as f64 / 1e9;
        let kept = (-passed / DRIFT.1).exp();
        let news: f64 = StandardNormal.sample(&mut self.random);
        self.speed = self.speed * kept + news * (1.0 - kept * kept).sqrt();
        self.looked = self.looked.max(start);
        let own = ChaCha8Rng::seed_from_u64(self.random.random());
        let (_, took) = token_times(&self.spec, 10, tokens, own);
        self.free[slot] = start + (took.0 as f64 * self.slower * (DRIFT.0 * self.speed).exp()) as u64;
        self.free[slot]
    }
}

/// A stretch of driving, on one target.
pub struct Block {
    pub target: usize,
    pub block: u32,
    /// When its window opens, and how long it is, in nanoseconds.
    pub from: u64,
    pub length: u64,
    /// Load before the window, in nanoseconds.
    pub warmup: u64,
    /// What its requests are drawn from, the same for both targets.
    pub workload: u64,
    /// What the engine draws from.
    pub engine: u64,
    /// How much slower the engine is: 1.05 is 5 %.
    pub slower: f64,
}

/// The measured rows of a block, in the order they end.
pub fn rows(load: Load, block: &Block) -> Vec<Sample> {
    let mut all = all_rows(load, block);
    all.retain(|row| row.phase == Phase::Measure);
    all
}

/// The rows of a block and of the load before it, in the order they end.
pub fn all_rows(load: Load, block: &Block) -> Vec<Sample> {
    // In an open loop every answer is stretched about its planned instant, in a closed one the engine is slowed down:
    // both make every time longer by exactly that factor.
    let (engine_slower, stretch) = match load {
        Load::Closed(_) => (block.slower, 1.0),
        _ => (1.0, block.slower),
    };
    let mut engine = Engine::new(block.engine, engine_slower);
    let begin = block.from.saturating_sub(block.warmup);
    let close = block.from + block.length;
    let mut all = Vec::new();
    let mut take = |index: u64, planned: u64, end: u64, tokens: u32| {
        if planned < close {
            // Numbers go on from block to block, as a run's do.
            all.push(row(block, u64::from(block.block) * 1_000_000 + index, planned, end, tokens));
        }
    };
    match load {
        Load::Closed(users) => {
            // Users who are ready, the earliest first.
            let mut ready = vec![begin; users];
            for index in 0.. {
                let Some((user, &at)) =
                    ready.iter().enumerate().min_by_key(|(_, at)| **at).filter(|(_, at)| **at < close)
                else {
                    break;
                };
                let tokens = tokens(block.workload, index);
                let end = engine.serve(at + LAG, tokens);
                take(index, at, end, tokens);
                ready[user] = end + LAG;
            }
        }
        _ => {
            for (index, at) in (0..).zip(instants(load, begin, close, block.workload)) {
                let tokens = tokens(block.workload, index);
                let end = engine.serve(at + LAG, tokens);
                take(index, at, at + ((end - at) as f64 * stretch) as u64, tokens);
            }
        }
    }
    all.sort_by_key(|row| row.stamps.end);
    all
}

/// The instants of an open load.
pub fn instants(load: Load, begin: u64, close: u64, seed: u64) -> Vec<u64> {
    let mut random = ChaCha8Rng::seed_from_u64(mix(seed, 77));
    let (mut at, mut all) = (begin as f64, Vec::new());
    while (at as u64) < close {
        let gap: f64 = Exp1.sample(&mut random);
        match load {
            Load::Constant(rate) => {
                all.push(at as u64);
                at += 1e9 / rate;
            }
            Load::Poisson(rate) => {
                at += gap * 1e9 / rate;
                all.push(at as u64);
            }
            Load::Bursts(rate, size) => {
                at += gap * 1e9 / rate * size as f64;
                all.extend(std::iter::repeat_n(at as u64, size));
            }
            Load::Closed(_) => break,
        }
    }
    all.retain(|at| *at < close);
    all
}

/// A request that was answered.
pub fn row(block: &Block, index: u64, planned: u64, end: u64, tokens: u32) -> Sample {
    Sample {
        target: block.target,
        phase: if planned < block.from { Phase::Warmup } else { Phase::Measure },
        block: block.block,
        user: 0,
        index,
        conversation: None,
        turn: None,
        stamps: Stamps {
            planned: Nanos(planned),
            sent: Some(Nanos(planned + LAG)),
            end: Some(Nanos(end)),
            ..Stamps::default()
        },
        outcome: Outcome::Ok,
        http_status: Some(200),
        finish: None,
        prompt_tokens: None,
        cached_tokens: None,
        output_tokens: Some(u64::from(tokens)),
        chunks: 1,
        expected_label: None,
        label: None,
        server_total: None,
        server_load: None,
        server_prompt: None,
        server_output: None,
        request_hash: index,
        text_hash: None,
        error: None,
        item: 0,
        itl_max: None,
        gaps: Vec::new(),
        shard: None,
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
