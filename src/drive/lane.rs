//! A lane is one target's stream of requests in a block; users take its next unit, ask, and record. The list is the same
//! for every lane, and units leave in its order, so that two targets differ in how far they got and in nothing else.
//!
//! When a measured window opens: once the time to warm up is over and every user of the group has had an answer, so that no
//! stretch of it is empty because the first answers still had to come.

use super::fit;
use super::side::{LaneSetup, LaneTarget};
use super::stop::Deadline;
use super::stretch::{End, LaneWindow, Opened, Stretch};
use super::together::MeetingPoint;
use crate::host::lock;
use crate::record::{Nanos, Phase};
use crate::scenario::plan::LoadPlan;
use crate::target::Link;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

/// One target's stream of requests in a block.
pub(super) struct Lane {
    pub setup: LaneSetup,
    pub side: Arc<LaneTarget>,
    pub stretch: Stretch,
    /// When its clock was opened.
    started: OnceLock<Nanos>,
    /// What opens its window, until it has.
    opening: OnceLock<Weak<Opening>>,
    window: OnceLock<LaneWindow>,
    /// When no more units leave, on the run's clock; `u64::MAX` where nothing but their number ends it.
    closes: AtomicU64,
    /// When it was ended since its target had gone.
    pub(super) gone: OnceLock<Nanos>,
    measures: AtomicU64,
    last_end: AtomicU64,
    answered: AtomicU64,
    users: AtomicU32,
    /// Users that have had an answer in the warm-up, or a failure.
    warmed: AtomicU32,
    /// Begin and end of each warm-up unit, where a stretch is there to learn a target's pace.
    paced: Mutex<Vec<(Nanos, Nanos)>>,
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
    /// Whether a request of its warm-up has ended.
    warmed: bool,
    side: Arc<LaneTarget>,
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
    pub fn new(setup: LaneSetup, side: Arc<LaneTarget>, stretch: Stretch) -> Self {
        Self {
            setup,
            side,
            stretch,
            started: OnceLock::new(),
            opening: OnceLock::new(),
            window: OnceLock::new(),
            closes: AtomicU64::new(u64::MAX),
            gone: OnceLock::new(),
            measures: AtomicU64::new(0),
            last_end: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            users: AtomicU32::new(0),
            warmed: AtomicU32::new(0),
            paced: Mutex::default(),
        }
    }

    /// The time on the run's clock.
    pub fn now(&self) -> Nanos {
        self.setup.clock.now()
    }

    /// The next user of this lane, with a connection if one is left from an earlier block.
    pub fn user(&self) -> User {
        let number = u64::from(self.users.fetch_add(1, Relaxed));
        User {
            // Of several generators' users each has another number.
            number: u32::try_from(self.number(0, number)).unwrap_or(u32::MAX),
            link: self.side.links().pop().unwrap_or_default(),
            failures: 0,
            retry_after: None,
            own: Vec::new(),
            deadline: self.setup.stop.deadline(),
            warmed: false,
            side: self.side.clone(),
            #[cfg(feature = "goose")]
            left: false,
        }
    }

    /// Opens the lane's clock at `start`: the warm-up runs from here.
    pub fn start(&self, start: Nanos) {
        let _ = self.started.set(start);
    }

    /// Says what opens the window.
    pub fn opened_by(&self, opening: &Arc<Opening>) {
        let _ = self.opening.set(Arc::downgrade(opening));
    }

    /// Opens the measured window at `from`.
    pub fn open(&self, from: Nanos) {
        if let End::Clock(length) = self.stretch.end {
            self.closes.store((from + length.into()).0, Relaxed);
        }
        let _ = self.window.set(self.stretch.window(self.side.number, from));
    }

    /// Notes that a request of a user's warm-up has ended.
    pub fn warmed(&self, user: &mut User) {
        if !std::mem::replace(&mut user.warmed, true) {
            // In one order for all: of two users that are the last at once, one has to see both.
            self.warmed.fetch_add(1, SeqCst);
            if let Some(opening) = self.opening.get().and_then(Weak::upgrade) {
                opening.look();
            }
        }
    }

    /// Whether each of so many users has had an answer in the warm-up, or a failure.
    pub fn warm_for(&self, users: u32) -> bool {
        self.warmed.load(SeqCst) >= users
    }

    /// Units per second in a stretch that was there to learn them, its warm-up of `after` left out.
    pub fn pace(&self, after: Duration) -> Option<f64> {
        let (from, to) = (*self.started.get()? + after.into(), self.window.get()?.from);
        fit::pace(&lock(&self.paced), from, to)
    }

    /// The measured window, once it is known when it opens.
    pub fn window(&self) -> Option<LaneWindow> {
        let window = *self.window.get()?;
        Some(LaneWindow { to: self.closes().filter(|_| self.stretch.timed), ..window })
    }

    /// The window of a lane that is over: where the clock didn't close it, the last answer did.
    pub fn closed_window(&self) -> Option<LaneWindow> {
        let window = self.window()?;
        let last = Nanos(self.last_end.load(Relaxed));
        let to = self.gone().or(window.to).unwrap_or(last).max(window.from);
        Some(LaneWindow { to: Some(to), ..window })
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

    /// Notes that a measured request has ended, with an answer or without.
    pub fn ended(&self, at: Nanos, answered: bool) {
        self.last_end.fetch_max(at.0, Relaxed);
        self.answered.fetch_add(u64::from(answered), Relaxed);
    }

    /// Measured requests that were answered.
    pub fn answered(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    /// Number of the next warm-up unit.
    pub fn warm(&self) -> u64 {
        self.number(0, self.side.warmups.fetch_add(1, Relaxed))
    }

    /// The `nth` number from `first` on that is this generator's.
    pub fn number(&self, first: u64, nth: u64) -> u64 {
        self.setup.plan.shard.map_or(first + nth, |shard| shard.number(first, nth))
    }

    /// What leaves next in a closed loop; `None` when this lane is done.
    fn next(&self) -> Option<(Phase, u64)> {
        self.started.get()?;
        if self.setup.stop.stopped() || self.gone().is_some() {
            return None;
        }
        // Until it is known when the window opens, all is warm-up.
        let from = self.window.get().map_or(Nanos(u64::MAX), |window| window.from);
        let now = self.setup.clock.now();
        if now < from {
            return Some((Phase::Warmup, self.warm()));
        }
        if now.0 >= self.closes.load(Relaxed) {
            return None;
        }
        let first = self.stretch.first;
        let number = self.number(first, self.measures.fetch_add(1, Relaxed));
        match self.stretch.end {
            End::Units(limit) if number - first >= limit => None,
            _ => Some((Phase::Measure, number)),
        }
    }

    /// One unit by one user, think time included. False when the lane is done.
    pub async fn step(&self, user: &mut User) -> bool {
        let Some((phase, number)) = self.next() else { return false };
        let unit = self.setup.workload.unit(phase, number);
        // Of the usual stretch nobody needs it, and every look at the clock is paid for by every request.
        let begun = self.stretch.pace.then(|| self.now());
        self.ask_unit(user, phase, &unit, None).await;
        if let Some(begun) = begun {
            lock(&self.paced).push((begun, self.now()));
        }
        true
    }

    /// Whether no more requests may leave, between the turns of a conversation.
    pub fn over(&self) -> bool {
        let past = !self.stretch.whole && self.setup.clock.now().0 >= self.closes.load(Relaxed);
        past || self.setup.stop.stopped() || self.gone().is_some()
    }
}

/// How often it is looked whether waiting has taken too long.
const LOOK: Duration = Duration::from_millis(50);

/// What opens the windows of a group, all at the same instant.
pub(super) struct Opening {
    /// The run's setup.
    run: LaneSetup,
    /// Hears of windows.
    opened_to: Opened,
    lanes: Vec<Arc<Lane>>,
    /// The end of the warm-up's time.
    planned: Nanos,
    /// Whether the window opens as planned, whatever has come of the warm-up.
    fixed: bool,
    opened: AtomicBool,
    /// Whether other generators are waited for.
    meeting: AtomicBool,
}

impl Opening {
    /// For lanes whose clock was opened at `start`. The schedule of an open loop is fixed beforehand, and so is its window;
    /// where there is no warm-up, nothing is waited for.
    pub fn new(run: &LaneSetup, opened_to: &Opened, lanes: &[Arc<Lane>], start: Nanos) -> Self {
        let warmup = lanes.first().map(|lane| lane.stretch.warmup).unwrap_or_default();
        let fixed = matches!(run.plan.load, LoadPlan::Open(_)) || warmup.is_zero();
        Self {
            run: run.clone(),
            opened_to: opened_to.clone(),
            lanes: lanes.to_vec(),
            planned: start + warmup.into(),
            fixed,
            opened: AtomicBool::new(false),
            meeting: AtomicBool::new(false),
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
    pub fn look(self: &Arc<Self>) {
        let users = self.run.plan.own_concurrency();
        if self.lanes.iter().all(|lane| lane.warm_for(users)) {
            self.ready(self.run.clock.now());
        }
    }

    /// Opens the windows now, or as planned if that is later; of several generators, when all of them are so far.
    fn ready(self: &Arc<Self>, now: Nanos) {
        let Some(together) = self.run.together.clone() else {
            return self.open(self.planned.max(now));
        };
        if !self.meeting.swap(true, Relaxed) {
            let opening = self.clone();
            tokio::spawn(async move {
                if let Some(at) = together.meet(MeetingPoint::Open).await {
                    opening.open(opening.planned.max(at));
                }
            });
        }
    }

    /// Opens the windows, if they aren't by then, when a request begun at the end of the warm-up's time would have timed out.
    pub async fn at_the_latest(self: Arc<Self>) {
        let latest = self.planned + self.run.plan.timeout.0.into();
        while !self.opened.load(Relaxed) {
            let now = self.run.clock.now();
            if self.lanes.iter().any(|lane| lane.setup.stop.stopped()) {
                return;
            }
            if now >= latest {
                self.ready(now);
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
            (self.opened_to)(lane.stretch.window(lane.side.number, from));
        }
        self.lanes.iter().for_each(|lane| lane.open(from));
    }
}
