//! One simulated run, driven as the program drives a real one, through the fold that users get.

use crate::side::{Load, Side, schedule};
use crate::ways::{Length, Way};
use crate::world::{S, World};
use loadcmp::record::Nanos;
use loadcmp::scenario::{FIRST_PAIRS, MOST_PAIRS, Order};
use loadcmp::stats::{Fold, Folded};

/// The rule of `duration: auto`: known to ±5 %, at least 20 s and 30 answers a side, at most 3 minutes; and the first stage's
/// end at the latest.
const HALF: f64 = 0.05;
const LEAST: u64 = 20 * S;
const ANSWERS: usize = 30;
const MOST: u64 = 180 * S;
const LATEST: u64 = MOST / SHARE as u64;
/// Pairs of blocks of `auto`, and of its first stage: they are cut so that six of each target are `least`. A longer run has
/// more of them, as the advised command says.
const AUTO_PAIRS: u32 = FIRST_PAIRS * (MOST / LEAST) as u32;
/// The first stage's share of the most, at which it ends with fewer answers than it should.
const SHARE: u32 = 6;
/// Between two blocks, and before each; before the first.
const SETTLE: u64 = S / 2;
const BLOCK_WARMUP: u64 = S;
const WARMUP: u64 = 3 * S;

/// What came of a run.
pub struct Ran {
    pub folded: Folded,
    /// Seconds that each target was measured for.
    pub seconds: f64,
}

struct Run<'a> {
    way: &'a Way,
    world: World,
    sides: Vec<Side>,
    fold: Fold,
    seed: u64,
}

/// Drives a run, its first target `slower` than the others by a factor.
pub fn run(way: &Way, slower: f64, seed: u64) -> Ran {
    let world = World::new(way.spec, seed);
    let sides =
        (0..way.targets).map(|target| Side::new(&world, target, if target == 0 { slower } else { 1.0 })).collect();
    let fold = Fold::new(&way.plan(seed), 60);
    let mut run = Run { way, world, sides, fold, seed };
    let seconds = match (way.order, way.load) {
        (Order::Concurrent, _) => {
            let all: Vec<usize> = (0..way.targets).collect();
            run.together(&all, 0).1
        }
        (Order::Isolated, _) => {
            let mut at = 0;
            let each = (0..way.targets).map(|target| {
                let (end, seconds) = run.together(&[target], at);
                at = end + SETTLE;
                seconds
            });
            each.fold(0.0, f64::max)
        }
        (Order::Alternate, load) => run.blocks(load),
    };
    Ran { folded: run.fold.finish(), seconds }
}

impl Run<'_> {
    /// Drives some targets at the same time from `at` on; when all is over, and how many seconds each was measured.
    fn together(&mut self, targets: &[usize], at: u64) -> (u64, f64) {
        let Self { world, sides, fold, way, seed } = self;
        let most = match way.length {
            Length::Auto => MOST,
            Length::Seconds(seconds) => (seconds * 1e9) as u64,
        };
        let (mut opens, mut instants) = (at + WARMUP, Vec::new());
        if let Load::Closed(users) = way.load {
            targets.iter().for_each(|target| sides[*target].come(users, at));
            for target in targets {
                opens = opens.max(sides[*target].warm(world, at + WARMUP, 0));
            }
            for target in targets {
                sides[*target].warm(world, opens, 0);
            }
        } else {
            instants = schedule(way.load, at, opens + most, *seed);
            targets.iter().for_each(|target| sides[*target].rewind());
        }
        for target in targets {
            fold.window(*target, 0, Nanos(opens), Some(Nanos(opens + most)));
        }
        let mut until = |sides: &mut Vec<Side>, to: u64| {
            for target in targets {
                if let Load::Closed(_) = way.load {
                    sides[*target].measure(world, to, (0, u64::MAX), 0);
                } else {
                    sides[*target].follow(world, &instants, opens, to);
                }
            }
        };
        let mut length = most;
        if matches!(way.length, Length::Auto) {
            let mut stage = LEAST;
            until(sides, opens + stage);
            while stage < LATEST && targets.iter().any(|t| sides[*t].answers(opens + stage) < ANSWERS) {
                stage += S / 4;
                until(sides, opens + stage);
            }
            let had: Vec<usize> = sides.iter().map(|side| side.answers(opens + stage)).collect();
            push(fold, sides, opens + stage);
            let times = fold.times_as_long(HALF);
            length = times.map_or(MOST, |times| ((stage as f64 * times) as u64).clamp(stage, MOST));
            // Not before each has the answers that it must have.
            until(sides, opens + length);
            let lacks = |sides: &[Side], to: u64| targets.iter().any(|t| had[*t] + sides[*t].answers(to) < ANSWERS);
            while length < MOST && lacks(sides, opens + length) {
                length = (length + S / 4).min(MOST);
                until(sides, opens + length);
            }
            for target in targets {
                fold.window(*target, 0, Nanos(opens), Some(Nanos(opens + length)));
            }
        }
        until(sides, opens + length);
        let last = targets.iter().map(|target| sides[*target].last()).fold(opens + length, u64::max);
        push(fold, sides, u64::MAX);
        (last, length as f64 / 1e9)
    }

    /// Drives blocks, A B B A; the seconds each target was measured.
    fn blocks(&mut self, load: Load) -> f64 {
        let Load::Closed(users) = load else { panic!("blocks of an open loop aren't simulated here") };
        let (mut pairs, length) = match self.way.length {
            Length::Auto => (AUTO_PAIRS, MOST),
            Length::Seconds(seconds) => {
                let length = (seconds * 1e9) as u64;
                (((length * u64::from(AUTO_PAIRS)).div_ceil(MOST) as u32).clamp(FIRST_PAIRS, MOST_PAIRS), length)
            }
        };
        let Self { world, sides, fold, seed, .. } = self;
        let targets = sides.len();
        let turn = |round: u32, place: usize| {
            let there = (u64::from(round) + *seed) % 2 == 0;
            if there { place } else { targets - 1 - place }
        };
        // Paces are learned in a stretch that isn't measured.
        let (mut clock, mut units) = (0, 0.0);
        for place in 0..targets {
            let side = &mut sides[turn(0, place)];
            side.come(users, clock);
            let from = clock + WARMUP;
            let ready = side.warm(world, from + length / u64::from(pairs), 0);
            let inside = |row: &&loadcmp::record::Sample| row.stamps.end.is_some_and(|end| end.0 > from);
            let rows = side.ended(u64::MAX);
            units += rows.iter().filter(inside).count() as f64 / (ready - from) as f64 / targets as f64;
            clock = rows.last().and_then(|row| row.stamps.end).map_or(ready, |end| end.0) + SETTLE;
        }
        let each = (units * length as f64 / f64::from(pairs) / users as f64).floor().max(1.0);
        // Where an answer of each user takes longer than a block, there are fewer.
        pairs = pairs.min((units * length as f64 / users as f64 / each).round() as u32).max(FIRST_PAIRS);
        let quota = each as u64 * users as u64;
        let (mut measured, mut staged) = (0.0, false);
        let mut round = 0;
        while round < pairs {
            for place in 0..targets {
                let target = turn(round, place);
                let side = &mut sides[target];
                side.come(users, clock);
                let opens = side.warm(world, clock + BLOCK_WARMUP, round);
                fold.window(target, round, Nanos(opens), None);
                side.measure(world, u64::MAX, (quota * u64::from(round), quota), round);
                let last = side.last();
                side.ended(u64::MAX).iter().for_each(|row| fold.push(row));
                fold.window(target, round, Nanos(opens), Some(Nanos(last)));
                measured += (last - opens) as f64 / 1e9 / targets as f64;
                clock = last + SETTLE;
            }
            round += 1;
            let enough = measured * 1e9 >= LEAST as f64 && u64::from(round) * quota >= ANSWERS as u64;
            let over = round >= FIRST_PAIRS && (enough || round >= pairs / SHARE);
            if matches!(self.way.length, Length::Auto) && !staged && over {
                staged = true;
                let times = fold.times_as_long(HALF);
                pairs = times.map_or(pairs, |times| ((f64::from(round) * times).ceil() as u32).clamp(round, pairs));
                // Not before each has the answers that it must have.
                pairs = pairs.max((ANSWERS as u64).div_ceil(quota).min(u64::from(AUTO_PAIRS)) as u32);
            }
        }
        measured
    }
}

/// Gives the fold what has ended by `at`, in the order of their ends, as `samples.csv` has them.
fn push(fold: &mut Fold, sides: &mut [Side], at: u64) {
    let mut rows: Vec<_> = sides.iter_mut().flat_map(|side| side.ended(at)).collect();
    rows.sort_by_key(|row| row.stamps.end);
    rows.iter().for_each(|row| fold.push(row));
}
