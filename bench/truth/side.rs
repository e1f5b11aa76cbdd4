//! One target as the driver has it: its users or its schedule, and the rows that come of them.

use crate::world::{Engine, Place, World};
use loadcmp::record::{Phase, Sample};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};

/// How requests leave.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Users who each wait for their answer, in a closed loop.
    Closed(usize),
    /// Evenly, so many a second.
    Constant(f64),
    /// Independent of each other.
    Poisson(f64),
}

/// One target.
pub struct Side {
    engine: Engine,
    /// Warm-up requests so far: none is asked twice.
    warmups: u64,
    /// When each user is ready, and when it had its first answer.
    ready: Vec<u64>,
    first: Vec<Option<u64>>,
    /// What of a schedule has left.
    left: usize,
    /// Measured requests begun in this block.
    begun: u64,
    /// Rows that nobody has taken.
    rows: Vec<Sample>,
}

impl Side {
    pub fn new(world: &World, target: usize, slower: f64) -> Self {
        Self {
            engine: Engine::new(world, target, slower),
            warmups: 0,
            ready: Vec::new(),
            first: Vec::new(),
            left: 0,
            begun: 0,
            rows: Vec::new(),
        }
    }

    /// Users come, at the same time, for a block.
    pub fn come(&mut self, users: usize, at: u64) {
        (self.ready, self.first, self.begun) = (vec![at; users], vec![None; users], 0);
    }

    fn ask(&mut self, world: &mut World, user: usize, phase: Phase, index: u64, block: u32) {
        let row = self.engine.answer(world, self.ready[user], Place { phase, block, user: user as u32, index });
        let end = row.stamps.end.map_or(0, |end| end.0);
        self.first[user].get_or_insert(end);
        // What a client does between an answer and its next request.
        self.ready[user] = end + 30_000;
        self.rows.push(row);
    }

    fn earliest(&self) -> (usize, u64) {
        self.ready.iter().copied().enumerate().min_by_key(|(_, at)| *at).unwrap_or((0, u64::MAX))
    }

    /// Warms up until `until`, and until every user has had an answer: when that is.
    pub fn warm(&mut self, world: &mut World, until: u64, block: u32) -> u64 {
        loop {
            let firsts: Option<Vec<u64>> = self.first.iter().copied().collect();
            let over = firsts.map_or(u64::MAX, |firsts| firsts.into_iter().fold(until, u64::max));
            let (user, at) = self.earliest();
            if at >= over {
                return over;
            }
            self.warmups += 1;
            self.ask(world, user, Phase::Warmup, self.warmups - 1, block);
        }
    }

    /// Lets the users measure until `until`, or until `most` requests have begun; the first has number `from`.
    pub fn measure(&mut self, world: &mut World, until: u64, (from, most): (u64, u64), block: u32) {
        loop {
            let (user, at) = self.earliest();
            if at >= until || self.begun >= most {
                return;
            }
            self.begun += 1;
            self.ask(world, user, Phase::Measure, from + self.begun - 1, block);
        }
    }

    /// Sends what a schedule has until `until`; its window opens at `opens`. `schedule` has an instant for each request.
    pub fn follow(&mut self, world: &mut World, schedule: &[u64], opens: u64, until: u64) {
        while let Some(at) = schedule.get(self.left).copied().filter(|at| *at < until) {
            let phase = if at < opens { Phase::Warmup } else { Phase::Measure };
            let before = schedule.partition_point(|at| *at < opens);
            let index = if at < opens { self.left } else { self.left - before };
            let place = Place { phase, block: 0, user: 0, index: index as u64 };
            let row = self.engine.answer(world, at, place);
            self.rows.push(row);
            self.left += 1;
        }
    }

    /// Begins its schedule anew, as another block or another target's turn does.
    pub fn rewind(&mut self) {
        self.left = 0;
    }

    /// Takes the rows that have ended by `at`, in the order they ended.
    pub fn ended(&mut self, at: u64) -> Vec<Sample> {
        let end = |row: &Sample| row.stamps.end.map_or(0, |end| end.0);
        let (mut over, rest): (Vec<Sample>, Vec<Sample>) =
            std::mem::take(&mut self.rows).into_iter().partition(|row| end(row) <= at);
        self.rows = rest;
        over.sort_by_key(end);
        over
    }

    /// Measured requests that have ended by `at`, of those nobody has taken.
    pub fn answers(&self, at: u64) -> usize {
        let counts = |row: &&Sample| row.phase == Phase::Measure && row.stamps.end.is_some_and(|end| end.0 <= at);
        self.rows.iter().filter(counts).count()
    }

    /// When its last request ends.
    pub fn last(&self) -> u64 {
        self.rows.iter().filter_map(|row| row.stamps.end).map(|end| end.0).max().unwrap_or(0)
    }
}

/// The instants of an open load from `from` to `until`.
pub fn schedule(load: Load, from: u64, until: u64, seed: u64) -> Vec<u64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5c4e_d01e);
    let (mut at, mut all) = (from as f64, Vec::new());
    loop {
        let gap: f64 = Exp1.sample(&mut random);
        at += match load {
            Load::Constant(rate) => 1e9 / rate,
            Load::Poisson(rate) => gap * 1e9 / rate,
            Load::Closed(_) => return all,
        };
        if at as u64 >= until {
            return all;
        }
        all.push(at as u64);
    }
}
