//! `prompt_cache: warm`: every prompt is asked once on every target before any clock opens, so that what is measured is
//! prompts that the engine has seen. It is a phase of its own, the same for every load, order and driver; its rows are of the
//! warm-up.

use super::ask::{Due, Request};
use super::lane::{Lane, User};
use super::side::{LaneSetup, LaneTarget};
use super::stop::Stop;
use super::stretch::Stretch;
use crate::record::Phase;
use crate::scenario::plan::LoadPlan;
use crate::scenario::{History, PromptCache};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::task::JoinSet;

/// Users that warm the prompts of an open loop, which has none of its own.
const OPEN_USERS: u32 = 8;

/// Times that a prompt is asked until it is answered.
const TRIES: u32 = 3;

/// Failures in a row after which a target is left as it is: its rows tell why.
const GIVE_UP: u32 = 20;

/// How often it is looked whether the run goes on.
const LOOK: Duration = Duration::from_millis(50);

/// Warms every prompt on some targets at the same time, if the plan says so. Ends early if the run does.
pub(super) async fn warm(run: &LaneSetup, sides: &[Arc<LaneTarget>]) {
    if run.plan.workload.prompt_cache != PromptCache::Warm {
        return;
    }
    // What cuts this phase short must not end the load after it.
    let setup = LaneSetup { stop: Stop::default(), ..run.clone() };
    let (stop, clock) = (setup.stop.clone(), setup.clock);
    let deadlines = tokio::spawn({
        let stop = stop.clone();
        async move { stop.watch_deadlines(clock).await }
    });
    let mut users = JoinSet::new();
    for side in sides {
        let stretch = Stretch::whole(&run.plan, None);
        let all = Arc::new(All {
            lane: Lane::new(setup.clone(), side.clone(), stretch),
            next: AtomicU64::new(0),
            failures: AtomicU32::new(0),
        });
        let many = match &run.plan.load {
            LoadPlan::Closed(_) => run.plan.own_concurrency(),
            LoadPlan::Open(_) => run.plan.own_concurrency().min(OPEN_USERS),
        };
        for _ in 0..many.min(u32::try_from(run.workload.items().len()).unwrap_or(u32::MAX)) {
            let all = all.clone();
            users.spawn(async move { all.user().await });
        }
    }
    let over = async { while users.join_next().await.is_some() {} };
    tokio::pin!(over);
    tokio::select! {
        () = &mut over => {}
        () = interrupted(run) => {
            // Those in flight become rows.
            stop.abort();
            over.await;
        }
    }
    deadlines.abort();
}

/// Ends when somebody ends the run, or its rows can't be kept.
async fn interrupted(run: &LaneSetup) {
    while !run.stop.stopped() && !run.recorder.broken() {
        tokio::time::sleep(LOOK).await;
    }
    run.stop.interrupt();
}

/// The prompts of one target, and how far its users are with them.
struct All {
    lane: Lane,
    next: AtomicU64,
    failures: AtomicU32,
}

impl All {
    /// One user: asks the next prompt until there is none.
    async fn user(&self) {
        let mut user = self.lane.user();
        let items = self.lane.setup.workload.items().len() as u64;
        // Each generator of several warms its part.
        while self.goes_on() && self.lane.number(0, self.next.fetch_add(1, Relaxed)) < items {
            let unit = self.lane.setup.workload.unit(Phase::Warmup, self.lane.warm() % items);
            for _ in 0..TRIES {
                if !self.goes_on() || self.asked(&mut user, &unit).await {
                    break;
                }
                self.lane.pause(&user, None).await;
            }
        }
    }

    fn goes_on(&self) -> bool {
        !self.lane.setup.stop.stopped() && self.failures.load(Relaxed) < GIVE_UP
    }

    /// Asks every turn of a prompt; whether all were answered.
    async fn asked(&self, user: &mut User, unit: &crate::workload::Unit) -> bool {
        let setup = &self.lane.setup;
        let own = setup.plan.workload.history == History::Own;
        user.own.clear();
        for turn in 0..setup.workload.items()[unit.item].turns.len() {
            let request = Request { phase: Phase::Warmup, unit, turn };
            let due = Due { ready: self.lane.ready(user, request).await, planned: None, dispatched: None };
            let (outcome, text) = self.lane.ask(user, request, due).await;
            if !outcome.answered() {
                self.failures.fetch_add(1, Relaxed);
                return false;
            }
            self.failures.store(0, Relaxed);
            if own {
                user.own.push(text);
            }
        }
        user.own.clear();
        true
    }
}
