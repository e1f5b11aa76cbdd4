//! A lane is one target's stream of requests in a block; users take its next unit, ask, and record. The list is the same
//! for every lane, and units leave in its order, so that two targets differ in how far they got and in nothing else.

use super::stop::{Deadline, Stop};
use super::stretch::{End, Stretch};
use crate::record::log::Recorder;
use crate::record::{Nanos, Phase, Stopwatch};
use crate::scenario::plan::Plan;
use crate::target::{Link, Target};
use crate::workload::{Arrivals, Workload};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What lanes are made of.
#[derive(Clone)]
pub struct LaneSetup {
    /// What will happen.
    pub plan: Arc<Plan>,
    /// What is asked.
    pub workload: Arc<Workload>,
    /// When it is asked, in an open loop.
    pub arrivals: Option<Arc<Arrivals>>,
    /// Where finished requests go.
    pub recorder: Recorder,
    /// The run's clock.
    pub clock: Stopwatch,
    /// How the run is told to end.
    pub stop: Stop,
}

/// A measured window of a target: from its opening to its close, if that is fixed by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Window {
    /// Position of the target in the plan.
    pub target: usize,
    /// Number of the block; 0 where there is one.
    pub block: u32,
    /// When it opened.
    pub from: Nanos,
    /// When it closed; `None` if the last answer closes it.
    pub to: Option<Nanos>,
}

/// What of a target outlives its blocks.
pub(super) struct Side {
    pub target: Arc<Target>,
    /// Position of the target in the plan.
    pub number: usize,
    /// Connections that nobody uses now; the one used last is at the end.
    links: Mutex<Vec<Link>>,
    /// Warm-up units begun in all blocks: none is asked twice.
    warmups: AtomicU64,
    /// Items whose vector has been kept.
    pub seen: Vec<AtomicBool>,
}

impl Side {
    pub fn new(workload: &Workload, target: Arc<Target>, number: usize) -> Arc<Self> {
        let seen = workload.items().iter().map(|_| AtomicBool::new(false)).collect();
        Arc::new(Self { target, number, links: Mutex::default(), warmups: AtomicU64::new(0), seen })
    }

    fn links(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One target's stream of requests in a block.
pub(super) struct Lane {
    pub setup: LaneSetup,
    pub side: Arc<Side>,
    pub stretch: Stretch,
    window: OnceLock<Window>,
    /// When no more units leave, on the run's clock; `u64::MAX` where nothing but their number ends it.
    closes: AtomicU64,
    measures: AtomicU64,
    last_end: AtomicU64,
    users: AtomicU32,
}

/// One user: a connection, and a number.
pub(super) struct User {
    pub number: u32,
    pub link: Link,
    /// Quick failures in a row.
    pub failures: u32,
    /// How long the engine asked to be left alone.
    pub retry_after: Option<std::time::Duration>,
    pub own: Vec<String>,
    pub deadline: Arc<Deadline>,
    side: Arc<Side>,
    #[cfg(feature = "goose")]
    left: bool,
}

#[cfg(feature = "goose")]
impl User {
    /// Notes that this user has nothing left to do; whether it had said so before.
    pub fn leave(&mut self) -> bool {
        std::mem::replace(&mut self.left, true)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // For the target's next block.
        if self.link.connected() {
            self.side.links().push(std::mem::take(&mut self.link));
        }
    }
}

impl Lane {
    pub fn new(setup: LaneSetup, side: Arc<Side>, stretch: Stretch) -> Self {
        Self {
            setup,
            side,
            stretch,
            window: OnceLock::new(),
            closes: AtomicU64::new(u64::MAX),
            measures: AtomicU64::new(0),
            last_end: AtomicU64::new(0),
            users: AtomicU32::new(0),
        }
    }

    /// The time on the run's clock.
    pub fn now(&self) -> Nanos {
        self.setup.clock.now()
    }

    /// The next user of this lane, with a connection if one is left from an earlier block.
    pub fn user(&self) -> User {
        User {
            number: self.users.fetch_add(1, Relaxed),
            link: self.side.links().pop().unwrap_or_default(),
            failures: 0,
            retry_after: None,
            own: Vec::new(),
            deadline: self.setup.stop.deadline(),
            side: self.side.clone(),
            #[cfg(feature = "goose")]
            left: false,
        }
    }

    /// Opens the lane's clock at `start`: the warm-up runs from here, and the measured window after it.
    pub fn open(&self, start: Nanos) {
        let from = start + self.stretch.warmup.into();
        if let End::Clock(length) = self.stretch.end {
            self.closes.store((from + length.into()).0, Relaxed);
        }
        let _ = self.window.set(self.stretch.window(self.side.number, from));
    }

    /// The measured window, once the lane is open.
    pub fn window(&self) -> Option<Window> {
        let window = *self.window.get()?;
        Some(Window { to: self.closes().filter(|_| self.stretch.timed), ..window })
    }

    /// The window of a lane that is over: where the clock didn't close it, the last answer did.
    pub fn closed_window(&self) -> Option<Window> {
        let window = self.window()?;
        let last = Nanos(self.last_end.load(Relaxed)).max(window.from);
        Some(Window { to: window.to.or(Some(last)), ..window })
    }

    /// When no more units leave, if the clock says it.
    pub fn closes(&self) -> Option<Nanos> {
        Some(Nanos(self.closes.load(Relaxed))).filter(|at| at.0 != u64::MAX)
    }

    /// Closes the window earlier than it would have.
    pub fn close(&self, at: Nanos) {
        self.closes.fetch_min(at.0, Relaxed);
    }

    /// Measured units begun.
    pub fn begun(&self) -> u64 {
        let begun = self.measures.load(Relaxed);
        if let End::Units(limit) = self.stretch.end { begun.min(limit) } else { begun }
    }

    /// Notes that a measured request has ended.
    pub fn ended(&self, at: Nanos) {
        self.last_end.fetch_max(at.0, Relaxed);
    }

    /// Number of the next warm-up unit.
    pub fn warm(&self) -> u64 {
        self.side.warmups.fetch_add(1, Relaxed)
    }

    /// What leaves next in a closed loop; `None` when this lane is done.
    fn next(&self) -> Option<(Phase, u64)> {
        let from = self.window.get()?.from;
        if self.setup.stop.stopped() {
            return None;
        }
        let now = self.setup.clock.now();
        if now < from {
            return Some((Phase::Warmup, self.warm()));
        }
        if now.0 >= self.closes.load(Relaxed) {
            return None;
        }
        let number = self.measures.fetch_add(1, Relaxed);
        match self.stretch.end {
            End::Units(limit) if number >= limit => None,
            _ => Some((Phase::Measure, self.stretch.first + number)),
        }
    }

    /// One unit by one user, think time included. False when the lane is done.
    pub async fn step(&self, user: &mut User) -> bool {
        let Some((phase, number)) = self.next() else { return false };
        let unit = self.setup.workload.unit(phase, number);
        self.ask_unit(user, phase, &unit, None).await;
        true
    }

    /// Whether no more requests may leave, between the turns of a conversation.
    pub fn over(&self) -> bool {
        let past = !self.stretch.whole && self.setup.clock.now().0 >= self.closes.load(Relaxed);
        past || self.setup.stop.stopped()
    }
}
