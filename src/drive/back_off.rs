//! A user's pause after a failure that came at once. An engine that refuses, is dead or fails in no time must not be
//! hammered: that slows the other target, and a million rows of refusals tell no more than a thousand.
//!
//! The pause is the user's, between two requests: it is in no latency. In an open loop the schedule says when requests leave.

use super::lane::{Lane, User};
use crate::record::{Nanos, Outcome, Sample};
use crate::scenario::Span;
use std::time::Duration;

/// A failure that took less than this was a quick one.
const QUICK: Nanos = Nanos(1_000_000_000);

/// Pauses after quick failures in a row, doubling between the two.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// Longest that an engine's `Retry-After` is waited for.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// How often a user who waits for long looks whether the run goes on.
const LOOK: Duration = Duration::from_secs(1);

/// How long to wait after so many quick failures in a row.
pub(super) fn back_off(failures: u32) -> Duration {
    PAUSES[0].saturating_mul(1 << failures.saturating_sub(1).min(10)).min(PAUSES[1])
}

impl User {
    /// Takes note of how a request ended, and of what the engine asked for.
    pub(super) fn note(&mut self, sample: &Sample, retry_after: Option<Duration>) {
        self.retry_after = retry_after.filter(|_| sample.outcome.failed()).map(|asked| asked.min(RETRY_AFTER));
        // What a limit of ours kept from being sent would be tried at full speed, too.
        let failed = sample.outcome.failed() || sample.outcome == Outcome::Unsent;
        let from = sample.stamps.sent.unwrap_or(sample.stamps.planned);
        let quick = sample.stamps.end.is_none_or(|end| end.since(from) < QUICK);
        self.failures = if failed && quick { self.failures + 1 } else { 0 };
    }

    /// The pause that is due before the next request.
    fn pause(&self, think: Duration) -> Duration {
        let failed = if self.failures > 0 { back_off(self.failures) } else { Duration::ZERO };
        think.max(failed).max(self.retry_after.unwrap_or_default())
    }
}

impl Lane {
    /// A user's pause between two requests: to think (as the next turn says, or the load), after a failure, or as long as the
    /// engine asked. It ends with the run.
    pub(super) async fn pause(&self, user: &User, think: Option<Span>) {
        let think = think.unwrap_or(self.setup.plan.load.think()).0;
        let pause = user.pause(think);
        if pause.is_zero() {
            return;
        }
        let mut end = self.now() + pause.into();
        // Nobody waits for an engine beyond the end of the window; to think is the load that was asked for.
        if pause > think {
            end = self.closes().map_or(end, |closes| end.min(closes));
        }
        loop {
            let left = Duration::from_nanos(end.since(self.now()).0);
            if left.is_zero() || self.setup.stop.stopped() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left.min(LOOK)) => {}
                () = self.setup.stop.aborted() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_second() {
        let ms = |n| Duration::from_millis(n);
        assert_eq!([1, 2, 3, 5, 6, 99].map(back_off), [ms(50), ms(100), ms(200), ms(800), ms(1000), ms(1000)]);
    }
}
