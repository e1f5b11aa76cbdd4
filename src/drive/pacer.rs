//! Waiting for an instant. The runtime's own timers round up to the next millisecond, so arrivals are paced by the
//! kernel's timer, a file descriptor that the runtime watches; or, where asked for, by a thread that spins.

use crate::record::{Nanos, Stopwatch};
use crate::scenario::Pacing;
use std::time::Duration;

/// How long before an instant the precise pacer stops sleeping: a sleep ends late by some tens of microseconds, seldom by
/// more than two hundred.
const SPIN: Nanos = Nanos(250_000);

/// Something that waits until an instant on the run's clock.
pub(super) enum Pacer {
    /// The kernel's timer.
    #[cfg(target_os = "linux")]
    Timer(timer::Timer),
    /// A thread's sleep, and a spin for the last stretch: it blocks its thread.
    Thread {
        /// Length of that stretch.
        spin: Nanos,
    },
}

impl Pacer {
    /// The pacer of a plan. To be made inside the runtime.
    pub fn new(pacing: Pacing, clock: Stopwatch) -> Self {
        match pacing {
            Pacing::Precise => Pacer::Thread { spin: SPIN },
            #[cfg(target_os = "linux")]
            Pacing::Timer => timer::Timer::new(clock).map_or(Pacer::Thread { spin: Nanos(0) }, Pacer::Timer),
            #[cfg(not(target_os = "linux"))]
            Pacing::Timer => {
                let _ = clock;
                Pacer::Thread { spin: Nanos(0) }
            }
        }
    }

    /// Whether it needs a thread of its own.
    pub fn blocks(&self) -> bool {
        matches!(self, Pacer::Thread { .. })
    }

    /// Waits until `at`; at once if that has passed.
    pub async fn until(&mut self, clock: Stopwatch, at: Nanos) {
        match self {
            #[cfg(target_os = "linux")]
            Pacer::Timer(timer) => {
                if timer.until(clock, at).await.is_err() {
                    tokio::time::sleep_until(clock.instant(at).into()).await;
                }
            }
            Pacer::Thread { spin } => {
                let left = at.since(clock.now() + *spin);
                if left.0 > 0 {
                    std::thread::sleep(Duration::from_nanos(left.0));
                }
                while clock.now() < at {
                    std::hint::spin_loop();
                }
            }
        }
    }
}

/// Lets this thread's sleeps end as near their instants as the kernel can, where that can be set.
pub(super) fn sharpen_thread() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

#[cfg(target_os = "linux")]
mod timer {
    use super::{Nanos, Stopwatch};
    use rustix::time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
        timerfd_settime,
    };
    use std::io;
    use std::os::fd::OwnedFd;
    use tokio::io::unix::AsyncFd;

    /// The kernel's timer, set to absolute instants of its monotonic clock.
    pub(in super::super) struct Timer {
        descriptor: AsyncFd<OwnedFd>,
        /// The kernel's clock at the run's start.
        origin: u64,
    }

    impl Timer {
        pub fn new(clock: Stopwatch) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            // Its successor is unsafe, for descriptors that may be closed under it: an owned one stays open as long as this.
            #[allow(deprecated)]
            let descriptor = AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?)?;
            // Both clocks are read one after the other: the closest pair of a few is right to well below a microsecond.
            let read = || {
                let (before, kernel, after) = (clock.now(), clock_gettime(ClockId::Monotonic), clock.now());
                let kernel = kernel.tv_sec as u64 * 1_000_000_000 + kernel.tv_nsec as u64;
                (after.since(before), kernel.saturating_sub((before.0 + after.0) / 2))
            };
            let (_, origin) = (0..8).map(|_| read()).min().unwrap_or_else(read);
            Ok(Self { descriptor, origin })
        }

        pub async fn until(&mut self, clock: Stopwatch, at: Nanos) -> io::Result<()> {
            if clock.now() >= at {
                return Ok(());
            }
            let kernel = self.origin + at.0;
            let value = Timespec { tv_sec: (kernel / 1_000_000_000) as i64, tv_nsec: (kernel % 1_000_000_000) as _ };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
            timerfd_settime(self.descriptor.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
            loop {
                let mut guard = self.descriptor.readable().await?;
                // Cleared first: a notice of an earlier setting may still be there, and the timer decides by the clock.
                guard.clear_ready();
                if clock.now() >= at {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_pacer_is_early_and_none_drifts() {
        for pacing in [Pacing::Timer, Pacing::Precise] {
            let clock = Stopwatch::start();
            let mut pacer = Pacer::new(pacing, clock);
            let start = clock.now();
            for n in 1..=40 {
                let at = start + Nanos(n * 3_000_000);
                pacer.until(clock, at).await;
                assert!(clock.now() >= at, "{pacing:?}");
            }
            // Forty waits of 3 ms, each 1 ms late, would be 160 ms if lateness added up: absolute instants don't.
            pacer.until(clock, start).await;
            let passed = clock.now().since(start);
            assert!(passed.0 < 5_000_000_000, "{pacing:?}: {passed:?}");
        }
    }
}
