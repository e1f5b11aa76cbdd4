//! Which lanes run at the same time, and which one after another.

use super::ahead::open_ahead;
use super::fit::{self, Fit};
use super::group::{Driver, Group};
use super::judge::{Bounds, Found, Judge, Why, ask, staged};
use super::side::{LaneSetup, LaneTarget};
use super::stretch::{Cutter, LaneWindow, Stretch};
use super::warm::warm;
use crate::record::Nanos;
use crate::scenario::plan::{Plan, Until};
use crate::scenario::{Order, Span};
use crate::target::Target;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Duration;

/// Keeps the draw of the order apart from the workload's draws from the same seed.
const ORDER_STREAM: u64 = 0x006f_7264_6572;

/// Drives every lane in the plan's order; blocks in turns by [`Driver::Native`], whatever `driver` is. `opened` hears of
/// each target's measured window as soon as it is known, and again when its end is known better. `judge` sets the length
/// of a run that finds its own (`Plan::least`); in isolated order it isn't asked, for there is nothing to compare before the last
/// target's turn: each is driven for the least that has to be measured, and as long as those before it. Gives the number of blocks
/// of each target where the time had room for fewer than were asked for.
pub async fn drive(
    setup: &LaneSetup,
    targets: &[Arc<Target>],
    driver: Driver,
    judge: Option<Arc<dyn Judge>>,
    opened: impl Fn(LaneWindow) + Send + Sync + 'static,
) -> anyhow::Result<Option<u32>> {
    let side = |(number, target): (usize, &Arc<Target>)| LaneTarget::new(&setup.workload, target.clone(), number);
    let sides: Vec<Arc<LaneTarget>> = targets.iter().enumerate().map(side).collect();
    let driver = driver.of(&setup.plan).unwrap_or(driver);
    let group = Group { run: setup.clone(), driver, opened: Arc::new(opened) };
    let whole = Stretch::whole(&setup.plan, setup.arrivals.as_ref());
    open_ahead(setup, &sides).await;
    match setup.plan.order {
        Order::Concurrent => {
            warm(setup, &sides).await;
            if !setup.stop.stopped() {
                group.drive(&sides, &whole, judge.map(|judge| (judge, Duration::ZERO))).await?;
            }
        }
        Order::Isolated => {
            let mut before = Duration::ZERO;
            for side in &sides {
                warm(setup, std::slice::from_ref(side)).await;
                if setup.stop.stopped() {
                    break;
                }
                let judge = judge.clone().map(|judge| (judge, before));
                for lane in group.drive(std::slice::from_ref(side), &whole, judge).await? {
                    before = before.max(lane.closed_window().map_or(Duration::ZERO, length));
                }
            }
        }
        Order::Alternate => {
            // One after the other: an engine that warms beside another would be slow with it.
            for side in &sides {
                warm(setup, std::slice::from_ref(side)).await;
            }
            return alternate(&group, &sides, judge).await;
        }
    }
    Ok(None)
}

/// Drives blocks of equal work, one target at a time: A B B A.
async fn alternate(
    group: &Group,
    sides: &[Arc<LaneTarget>],
    judge: Option<Arc<dyn Judge>>,
) -> anyhow::Result<Option<u32>> {
    let Group { run: LaneSetup { plan, stop, clock, .. }, .. } = group;
    let began = clock.now();
    let mut cutter = Cutter::new(plan, group.run.arrivals.as_ref());
    let fit = match cutter.pace() {
        Some(stretch) => learned(group, sides, &stretch, began).await?,
        None => None,
    };
    if stop.stopped() {
        return Ok(None);
    }
    cutter.fit(fit.map_or(1, |(fit, _)| fit.units));
    // Of each target: where they differ much, nearly all of the time is the slower one's.
    let cap = match plan.load.until() {
        Until::Duration(most) => Some(most.0),
        Until::Requests(_) => None,
    };
    let mut sized = judge.zip(plan.least).map(|(judge, least)| Sized {
        judge,
        bounds: Bounds { least, most: cap },
        pairs: fit.map_or(plan.blocks.pairs, |(fit, _)| fit.pairs),
        done: vec![(Duration::ZERO, 0); sides.len()],
        found: None,
    });
    let (mut first, blocks_began) = (fit.is_none(), clock.now());
    for round in 0..plan.blocks.pairs {
        let took = clock.now().since(blocks_began).seconds();
        let over = match &mut sized {
            Some(sized) => sized.over(plan, round).await,
            None => false,
        };
        if over {
            break;
        }
        if fit.is_some_and(|(fit, seconds)| !fit::goes_on(&fit, round, took, seconds)) {
            // One that finds its own length was not promised a number of blocks.
            let fewer = sized.is_none().then_some(round);
            sized.iter_mut().for_each(Sized::ended);
            return Ok(fewer);
        }
        for number in turns(sides.len(), plan.seed, round) {
            if !std::mem::take(&mut first) {
                group.settle(plan.blocks.settle.0).await;
            }
            if stop.stopped() {
                return Ok(None);
            }
            let (Some(stretch), Some(side)) = (cutter.block(round), sides.get(number)) else { continue };
            for lane in group.drive(std::slice::from_ref(side), &stretch, None).await? {
                if let Some(window) = lane.closed_window()
                    && let Some((time, answers)) = sized.as_mut().and_then(|sized| sized.done.get_mut(number))
                {
                    *time += length(window);
                    *answers += lane.answered();
                }
            }
        }
    }
    sized.iter_mut().for_each(Sized::ended);
    Ok(None)
}

/// Length of a window that is over.
fn length(window: LaneWindow) -> Duration {
    Duration::from_nanos(window.to.map_or(0, |to| to.since(window.from).0))
}

/// What sets the number of blocks of a run that finds its own length.
struct Sized {
    judge: Arc<dyn Judge>,
    bounds: Bounds,
    /// Pairs of blocks that there is time for.
    pairs: u32,
    /// What was measured of each side so far, and how many answers.
    done: Vec<(Duration, u64)>,
    /// What its length was set to.
    found: Option<Found>,
}

impl Sized {
    /// What the sides have behind them: the time of the slowest, since blocks are equal work, and the answers of the one with
    /// the fewest.
    fn so_far(&self) -> (Duration, u64) {
        let times = self.done.iter().map(|(time, _)| *time).max();
        (times.unwrap_or_default(), self.done.iter().map(|(_, answers)| *answers).min().unwrap_or(0))
    }

    /// Whether enough blocks were driven, after `round` of each; asks the judge once the first stage is over.
    async fn over(&mut self, plan: &Plan, round: u32) -> bool {
        let ((measured, answers), least) = (self.so_far(), self.bounds.least);
        if self.found.is_none() && staged(round, self.pairs, &least, measured, answers) {
            // The rest is as long as the blocks so far were.
            let most = measured * self.pairs.max(round) / round.max(1);
            let most = self.bounds.most.map_or(most, |cap| most.min(cap.max(measured)));
            let bounds = Bounds { most: Some(most), ..self.bounds };
            let found = bounds.found(measured, answers, ask(plan, &self.judge).await, Duration::ZERO);
            self.judge.set(found);
            self.found = Some(found);
        }
        let Some(found) = self.found else { return false };
        let enough = answers >= least.answers || found.why == Why::Failing;
        let most = matches!(found.why, Why::Unknown | Why::Most(_));
        let all = self.bounds.most.is_some_and(|cap| measured >= cap);
        all || (enough && !most && measured >= found.length.0)
    }

    /// The last block is over: tells what it came to.
    fn ended(&mut self) {
        let (measured, answers) = self.so_far();
        let length = Span(Duration::from_millis(measured.as_millis() as u64));
        let found = match self.found {
            Some(found) if found.length == length => return,
            // There was less time than its blocks would have taken.
            Some(found) if found.why == Why::Known && length < found.length => {
                Found { length, why: Why::Most(found.length), ..found }
            }
            Some(found) => Found { length, ..found },
            None => Found { first: length, answers, length, why: Why::Unknown },
        };
        self.judge.set(found);
    }
}

/// Learns each target's pace in a stretch of load that isn't measured, and cuts blocks by it that fit the time there is: how
/// they are cut, and for how many seconds in all. `None` if the run ended meanwhile.
async fn learned(
    group: &Group,
    sides: &[Arc<LaneTarget>],
    stretch: &Stretch,
    began: Nanos,
) -> anyhow::Result<Option<(Fit, f64)>> {
    let plan = &group.run.plan;
    let mut paces = Vec::new();
    for number in turns(sides.len(), plan.seed, 0) {
        if !paces.is_empty() {
            group.settle(plan.blocks.settle.0).await;
        }
        let Some(side) = sides.get(number).filter(|_| !group.run.stop.stopped()) else { return Ok(None) };
        for lane in group.drive(std::slice::from_ref(side), stretch, None).await? {
            paces.extend(lane.pace(plan.load.warmup().0));
        }
    }
    if paces.len() < sides.len() {
        return Ok(None);
    }
    let announced = plan.load_length().unwrap_or_default().as_secs_f64();
    let left = announced - group.run.clock.now().since(began).seconds();
    let fit = fit::fit(&paces, plan.load.concurrency(), left.max(0.0), &plan.blocks);
    Ok(Some((fit, left.max(0.0))))
}

/// The order of the targets in round `round`: drawn from the seed, and reversed in every second round, so that a drift
/// of the machine that is even over time falls on all alike.
fn turns(targets: usize, seed: u64, round: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..targets).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ ORDER_STREAM));
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_take_turns_there_and_back_and_the_seed_draws_who_is_first() {
        for seed in 0..20 {
            for targets in 1..5 {
                let all: Vec<usize> = (0..6).flat_map(|round| turns(targets, seed, round)).collect();
                let (two, rest) = all.split_at(2 * targets);
                let mut back = two.to_vec();
                back.reverse();
                assert_eq!(back, two, "there and back");
                assert_eq!(&rest[..2 * targets], two, "and again");
                let mut sorted = two[..targets].to_vec();
                sorted.sort_unstable();
                assert!(sorted.into_iter().eq(0..targets));
            }
        }
        let first: std::collections::BTreeSet<usize> = (0..20).map(|seed| turns(2, seed, 0)[0]).collect();
        assert_eq!(first.len(), 2, "either may be first");
    }
}
