//! When a measured window opens: once the time to warm up is over and every user of the group has had an answer, so that no
//! stretch of it is empty because the first answers still had to come.

use super::group::Group;
use super::lane::Lane;
use crate::record::Nanos;
use crate::scenario::plan::LoadPlan;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// How often it is looked whether waiting has taken too long.
const LOOK: Duration = Duration::from_millis(50);

/// What opens the windows of a group, all at the same instant.
pub(super) struct Opening {
    group: Group,
    lanes: Vec<Arc<Lane>>,
    /// The end of the warm-up's time.
    planned: Nanos,
    /// Whether the window opens as planned, whatever has come of the warm-up.
    fixed: bool,
    opened: AtomicBool,
}

impl Opening {
    /// For lanes whose clock was opened at `start`. The schedule of an open loop is fixed beforehand, and so is its window;
    /// where there is no warm-up, nothing is waited for.
    pub fn new(group: &Group, lanes: &[Arc<Lane>], start: Nanos) -> Self {
        let warmup = lanes.first().map(|lane| lane.stretch.warmup).unwrap_or_default();
        let fixed = matches!(group.run.plan.load, LoadPlan::Open(_)) || warmup.is_zero();
        Self {
            group: group.clone(),
            lanes: lanes.to_vec(),
            planned: start + warmup.into(),
            fixed,
            opened: AtomicBool::new(false),
        }
    }

    /// Opens the windows at once if nothing has to be waited for; else the users' first answers will.
    pub fn at_once(self: &Arc<Self>) {
        if self.fixed {
            self.open(self.planned);
        } else {
            self.lanes.iter().for_each(|lane| lane.opened_by(self));
        }
    }

    /// Opens the windows if every user has had an answer or a failure by now: asked by each user that has its first, so that
    /// already its next request is a measured one.
    pub fn look(&self) {
        let users = self.group.run.plan.load.concurrency();
        if self.lanes.iter().all(|lane| lane.warm_for(users)) {
            self.open(self.planned.max(self.group.run.clock.now()));
        }
    }

    /// Opens the windows, if they aren't by then, when a request begun at the end of the warm-up's time would have timed out.
    pub async fn at_the_latest(self: Arc<Self>) {
        let latest = self.planned + self.group.run.plan.timeout.0.into();
        while !self.opened.load(Relaxed) {
            let now = self.group.run.clock.now();
            if self.lanes.iter().any(|lane| lane.setup.stop.stopped()) {
                return;
            }
            if now >= latest {
                self.open(now);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Who hears of windows does so before the first request in one can have ended.
    fn open(&self, from: Nanos) {
        if self.opened.swap(true, Relaxed) {
            return;
        }
        for lane in self.lanes.iter().filter(|lane| !lane.stretch.pace) {
            (self.group.opened)(lane.stretch.window(lane.side.number, from));
        }
        self.lanes.iter().for_each(|lane| lane.open(from));
    }
}
