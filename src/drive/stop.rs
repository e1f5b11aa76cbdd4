//! How a run is told to end: first no more requests, then, when the time to drain is over, no more waiting.

use crate::host::lock;
use crate::record::{Nanos, Stopwatch};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;

/// Tells every user of a run to end. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    inner: Arc<Inner>,
    /// Requests of the load that are in flight: of all parts of a run.
    in_flight: Arc<AtomicUsize>,
}

/// A request in flight, for as long as this is kept.
pub(super) struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[derive(Debug, Default)]
struct Inner {
    sending: AtomicBool,
    interrupted: AtomicBool,
    presses: AtomicU32,
    waiting: AtomicBool,
    aborted: Notify,
    heard: Notify,
    deadlines: Mutex<Vec<Arc<Deadline>>>,
}

impl Stop {
    /// One for a part of a run, which ends by itself: what stops it doesn't stop the run.
    pub(super) fn of_a_part(&self) -> Self {
        Self { inner: Arc::default(), in_flight: self.in_flight.clone() }
    }

    /// Counts a request as in flight.
    pub(super) fn leaves(&self) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self.in_flight.clone())
    }

    /// Requests of the load that are in flight now.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// No more requests: somebody interrupted the run.
    pub fn interrupt(&self) {
        self.inner.interrupted.store(true, Relaxed);
        self.inner.sending.store(true, Relaxed);
        self.inner.heard.notify_waiters();
    }

    /// A signal came: the first time no more requests leave, and the next time their answers are not waited for.
    pub fn press(&self) {
        self.inner.presses.fetch_add(1, Relaxed);
        self.interrupt();
    }

    /// How many signals came.
    pub(super) fn presses(&self) -> u32 {
        self.inner.presses.load(Relaxed)
    }

    /// Ends when the run is interrupted.
    pub async fn heard(&self) {
        // Made before the flag is read: a notice between the two is not missed.
        let notice = self.inner.heard.notified();
        if !self.interrupted() {
            notice.await;
        }
    }

    /// Whether somebody interrupted the run.
    pub fn interrupted(&self) -> bool {
        self.inner.interrupted.load(Relaxed)
    }

    /// Whether no more requests may be sent.
    pub fn stopped(&self) -> bool {
        self.inner.sending.load(Relaxed)
    }

    /// Gives up waiting for the answers in flight.
    pub fn abort(&self) {
        self.inner.sending.store(true, Relaxed);
        self.inner.waiting.store(true, Relaxed);
        self.inner.aborted.notify_waiters();
    }

    /// Ends when waiting is given up.
    pub async fn aborted(&self) {
        // Made before the flag is read: a notice between the two is not missed.
        let notice = self.inner.aborted.notified();
        if !self.inner.waiting.load(Relaxed) {
            notice.await;
        }
    }
}

/// How often deadlines are looked at: they are late by this much at most.
const TICK: Duration = Duration::from_millis(5);

/// One user's deadline. Set and cleared by two stores: a timer of the runtime's costs a hundred times that, and every
/// request would pay for two.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    /// Nanoseconds on the run's clock; 0 while nothing is waited for.
    at: AtomicU64,
    passed: AtomicBool,
    /// It passed before its time: the run is over, and nobody waits any more.
    given_up: AtomicBool,
    waiter: Mutex<Option<Waker>>,
}

impl Deadline {
    /// Sets it; the future that `passed` gives ends when it has gone by, or waiting is given up.
    pub(super) fn set(&self, at: Nanos) {
        self.passed.store(false, Relaxed);
        self.given_up.store(false, Relaxed);
        self.at.store(at.0.max(1), Relaxed);
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        self.at.store(0, Relaxed);
    }

    /// Ends when it has gone by.
    pub(super) async fn passed(&self) {
        std::future::poll_fn(|cx| {
            let mut waiter = lock(&self.waiter);
            if self.passed.load(Relaxed) {
                return Poll::Ready(());
            }
            match &mut *waiter {
                Some(known) => known.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await;
    }

    /// Whether it was not the time allowed that was over, but the run.
    pub(super) fn given_up(&self) -> bool {
        self.given_up.load(Relaxed)
    }

    fn look(&self, now: Nanos, all: bool) {
        let at = self.at.load(Relaxed);
        if at != 0 && (all || now.0 >= at) {
            self.given_up.store(now.0 < at, Relaxed);
            // Under the lock, as the reader reads it: a wait that begins now sees it.
            let mut waiter = lock(&self.waiter);
            self.passed.store(true, Relaxed);
            let waiter = waiter.take();
            if let Some(waiter) = waiter {
                waiter.wake();
            }
        }
    }
}

impl Stop {
    /// A deadline for a new user, looked after by `watch_deadlines`.
    pub(super) fn deadline(&self) -> Arc<Deadline> {
        let deadline = Arc::<Deadline>::default();
        lock(&self.inner.deadlines).push(deadline.clone());
        deadline
    }

    /// Looks at every user's deadline, for as long as it is polled.
    pub(super) async fn watch_deadlines(&self, clock: Stopwatch) {
        loop {
            tokio::time::sleep(TICK).await;
            let (now, all) = (clock.now(), self.inner.waiting.load(Relaxed));
            for deadline in lock(&self.inner.deadlines).iter() {
                deadline.look(now, all);
            }
        }
    }
}
