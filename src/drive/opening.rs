//! When a measured window opens: once the time to warm up is over and every user of the group has had an answer, so that no
//! stretch of it is empty because the first answers still had to come.

use super::group::Group;
use super::lane::Lane;
use crate::record::Nanos;
use crate::scenario::plan::LoadPlan;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether every user has had an answer.
const LOOK: Duration = Duration::from_millis(5);

/// How far ahead a late opening lies, so that all that is done at it is done in time.
const AHEAD: Nanos = Nanos(10_000_000);

/// What opens the windows of a group, all at the same instant.
pub(super) struct Opening {
    group: Group,
    lanes: Vec<Arc<Lane>>,
    /// The end of the warm-up's time.
    planned: Nanos,
    /// Whether the window opens as planned, whatever has come of the warm-up.
    fixed: bool,
}

impl Opening {
    /// For lanes whose clock was opened at `start`. The schedule of an open loop is fixed beforehand, and so is its window;
    /// where there is no warm-up, nothing is waited for.
    pub fn new(group: &Group, lanes: &[Arc<Lane>], start: Nanos) -> Self {
        let warmup = lanes.first().map(|lane| lane.stretch.warmup).unwrap_or_default();
        let fixed = matches!(group.run.plan.load, LoadPlan::Open(_)) || warmup.is_zero();
        Self { group: group.clone(), lanes: lanes.to_vec(), planned: start + warmup.into(), fixed }
    }

    /// Opens the windows at once if nothing has to be waited for; else gives itself back.
    pub fn at_once(self) -> Option<Self> {
        if self.fixed {
            self.open(self.planned);
        }
        (!self.fixed).then_some(self)
    }

    /// Opens the windows when every user has had an answer or a failure; at the latest when a request begun at the end of the
    /// warm-up's time would have timed out.
    pub async fn wait(self) {
        let Some(clock) = self.lanes.first().map(|lane| lane.setup.clock) else { return };
        let users = self.group.run.plan.load.concurrency();
        let latest = self.planned + self.group.run.plan.timeout.0.into();
        while clock.now() < latest && !self.lanes.iter().all(|lane| lane.warm_for(users)) {
            if self.lanes.iter().any(|lane| lane.setup.stop.stopped()) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.open(self.planned.max(clock.now() + AHEAD));
    }

    /// Who hears of windows does so before the first request in one can have ended.
    fn open(&self, from: Nanos) {
        for lane in self.lanes.iter().filter(|lane| !lane.stretch.pace) {
            (self.group.opened)(lane.stretch.window(lane.side.number, from));
        }
        self.lanes.iter().for_each(|lane| lane.open(from));
    }
}
