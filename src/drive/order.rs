//! Which lanes run at the same time, and what comes before: the first request to each target, told apart.

use super::group::Group;
use super::judge::{Judge, ask, first_pairs};
use super::lane::{Lane, LaneSetup, Side, Window};
use super::stretch::{Cutter, Stretch};
use super::warm::warm;
use crate::record::{Outcome, Sample};
use crate::scenario::Order;
use crate::target::Target;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Duration;

/// Keeps the draw of the order apart from the workload's draws from the same seed.
const ORDER_STREAM: u64 = 0x006f_7264_6572;

/// Times a first request is tried: an engine may refuse one while it loads.
const COLD_TRIES: u64 = 3;

/// What schedules the users of a closed loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// goose's scheduler.
    #[cfg(feature = "goose")]
    Goose,
    /// A small one of our own.
    Native,
}

impl Default for Driver {
    fn default() -> Self {
        #[cfg(feature = "goose")]
        return Driver::Goose;
        #[cfg(not(feature = "goose"))]
        return Driver::Native;
    }
}

/// How a target's first request went.
#[derive(Clone, Debug)]
pub struct ColdStart {
    /// How the last try ended.
    pub outcome: Outcome,
    /// What went wrong.
    pub error: Option<String>,
}

/// Sends the first request to each target, one target after another; a model that has to be loaded is loaded here.
pub async fn cold_starts(setup: &LaneSetup, targets: &[Arc<Target>]) -> Vec<ColdStart> {
    let mut told = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        let mut last = ColdStart { outcome: Outcome::Unsent, error: None };
        for attempt in 0..COLD_TRIES {
            let sample = cold_request(setup, target, number, attempt).await;
            last = ColdStart { outcome: sample.outcome, error: sample.error };
            if last.outcome.answered() || last.outcome == Outcome::Connect || setup.stop.stopped() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        told.push(last);
    }
    told
}

/// Sends one request to a target, over a connection of its own, and records it as one whose model may have to be loaded.
/// `number` is the target's place in the plan, `attempt` the request's number among those.
pub async fn cold_request(setup: &LaneSetup, target: &Arc<Target>, number: usize, attempt: u64) -> Sample {
    let (stop, clock) = (setup.stop.clone(), setup.clock);
    let deadlines = tokio::spawn(async move { stop.watch_deadlines(clock).await });
    let side = Side::new(&setup.workload, target.clone(), number);
    let lane = Lane::new(setup.clone(), side, Stretch::whole(&setup.plan, None));
    let sample = lane.ask_cold(attempt).await;
    deadlines.abort();
    sample
}

/// Drives every lane in the plan's order; blocks in turns by [`Driver::Native`], whatever `driver` is. `opened` hears of
/// each target's measured window as soon as it is known, and again when its end is known better. `judge` may end the run
/// early; in isolated order it isn't asked, for there is nothing to compare before the last target's turn.
pub async fn drive(
    setup: &LaneSetup,
    targets: &[Arc<Target>],
    driver: Driver,
    judge: Option<Arc<dyn Judge>>,
    opened: impl Fn(Window) + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let side = |(number, target): (usize, &Arc<Target>)| Side::new(&setup.workload, target.clone(), number);
    let sides: Vec<Arc<Side>> = targets.iter().enumerate().map(side).collect();
    // Each block would be an attack of goose's own: half a second of start and end, in which it takes Ctrl-C for a second.
    let driver = if setup.plan.order == Order::Alternate { Driver::Native } else { driver };
    let group = Group { run: setup.clone(), driver, opened: Arc::new(opened) };
    let whole = Stretch::whole(&setup.plan, setup.arrivals.as_ref());
    match setup.plan.order {
        Order::Concurrent => {
            warm(setup, &sides).await;
            if !setup.stop.stopped() {
                group.drive(&sides, &whole, judge).await?;
            }
        }
        Order::Isolated => {
            for side in &sides {
                warm(setup, std::slice::from_ref(side)).await;
                if setup.stop.stopped() {
                    break;
                }
                group.drive(std::slice::from_ref(side), &whole, None).await?;
            }
        }
        Order::Alternate => {
            // One after the other: an engine that warms beside another would be slow with it.
            for side in &sides {
                warm(setup, std::slice::from_ref(side)).await;
            }
            alternate(&group, &sides, judge).await?;
        }
    }
    Ok(())
}

/// Drives blocks of equal work, one target at a time: A B B A.
async fn alternate(group: &Group, sides: &[Arc<Side>], judge: Option<Arc<dyn Judge>>) -> anyhow::Result<()> {
    let (plan, stop) = (&group.run.plan, &group.run.stop);
    let mut cutter = Cutter::new(plan, group.run.arrivals.as_ref());
    let mut pairs = plan.blocks.pairs;
    let (stage, mut judge) = (first_pairs(pairs), judge);
    let mut first = true;
    for round in 0..plan.blocks.pairs {
        if round == stage
            && let Some(judge) = judge.take()
            && let Some(needed) = ask(judge, round).await
        {
            pairs = needed.clamp(stage, pairs);
        }
        if round >= pairs {
            break;
        }
        for number in turns(sides.len(), plan.seed, round) {
            if !std::mem::take(&mut first) {
                group.settle(plan.blocks.settle.0).await;
            }
            if stop.stopped() {
                return Ok(());
            }
            let (Some(stretch), Some(side)) = (cutter.block(round), sides.get(number)) else { continue };
            for lane in group.drive(std::slice::from_ref(side), &stretch, None).await? {
                cutter.done(lane.begun());
                if let Some(window) = lane.closed_window() {
                    (group.opened)(window);
                }
            }
        }
    }
    Ok(())
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
