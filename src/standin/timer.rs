//! Waiting until a moment, finer than the runtime's own timer (which rounds up to whole milliseconds): one thread
//! sleeps until the earliest deadline and wakes the task that waits for it. The thread starts with the first wait, so
//! that an engine without delays has none, and ends with the [`Timer`].

use crate::host::lock;
use crate::record::{Nanos, Stopwatch};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The thread that wakes tasks, and the deadlines it knows.
#[derive(Debug)]
pub(super) struct Timer {
    clock: Stopwatch,
    shared: Arc<Shared>,
    started: OnceLock<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<TimerState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct TimerState {
    deadlines: BinaryHeap<Reverse<Deadline>>,
    over: bool,
}

#[derive(Debug)]
struct Deadline {
    at: Nanos,
    waker: Waker,
}

impl Timer {
    pub(super) fn new(clock: Stopwatch) -> Arc<Self> {
        Arc::new(Self { clock, shared: Arc::default(), started: OnceLock::new() })
    }

    /// Waits until `at`; does not wait if that is now or past.
    pub(super) fn until(self: &Arc<Self>, at: Nanos) -> Wait {
        Wait { timer: self.clone(), at, waits: None }
    }

    fn wake(&self, at: Nanos, waker: Waker) {
        self.started.get_or_init(|| {
            let (clock, shared) = (self.clock, self.shared.clone());
            // Without the thread, waits would hang; the system refuses one only when nothing else works either.
            let _ = std::thread::Builder::new().name("standin-timer".into()).spawn(move || shared.run(clock));
        });
        let mut state = self.shared.lock();
        let earliest = state.deadlines.peek().is_none_or(|Reverse(next)| at < next.at);
        state.deadlines.push(Reverse(Deadline { at, waker }));
        drop(state);
        if earliest {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, TimerState> {
        lock(&self.state)
    }

    fn run(&self, clock: Stopwatch) {
        let mut due = Vec::new();
        let mut state = self.lock();
        while !state.over {
            let now = clock.now();
            while let Some(Reverse(next)) = state.deadlines.peek()
                && next.at <= now
            {
                due.extend(state.deadlines.pop().map(|Reverse(deadline)| deadline.waker));
            }
            if !due.is_empty() {
                drop(state);
                due.drain(..).for_each(Waker::wake);
                state = self.lock();
                continue;
            }
            let sleep = state.deadlines.peek().map(|Reverse(next)| Duration::from_nanos(next.at.since(now).0));
            state = match sleep {
                Some(sleep) => self.changed.wait_timeout(state, sleep).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// A wait for a moment.
#[derive(Debug)]
pub(super) struct Wait {
    timer: Arc<Timer>,
    at: Nanos,
    /// The waker that the thread holds for this wait.
    waits: Option<Waker>,
}

impl Wait {
    /// Waits for another moment from now on.
    pub(super) fn reset(&mut self, at: Nanos) {
        self.at = at;
        self.waits = None;
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.at == Nanos(0) || self.timer.clock.now() >= self.at {
            return Poll::Ready(());
        }
        if !self.waits.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waits = Some(context.waker().clone());
            self.timer.wake(self.at, context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_woken_early_and_all_are_woken() {
        let clock = Stopwatch::start();
        let timer = Timer::new(clock);
        let waits = [7, 3, 5, 0, 3].map(|ms| {
            let timer = timer.clone();
            tokio::spawn(async move {
                let at = Nanos(ms * 1_000_000);
                timer.until(at).await;
                clock.now() >= at
            })
        });
        for wait in waits {
            assert!(wait.await.unwrap());
        }
    }
}
