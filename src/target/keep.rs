//! Whether connections are kept, and whether a request that died unanswered may be sent again.
//!
//! Some engines promise to keep a connection and close it after each stream (llama.cpp's server does). A request that is
//! written to such a connection is lost, and so is its time: there a new connection for each request, opened before the
//! request is due, is the better choice. It is decided by the share of those that died, so that a restart or a crash here and
//! there changes nothing, and it is tried again after a while.

use crate::host::lock;
use crate::record::Nanos;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// How soon after it was written a request must have died for the connection to have been dead before: the other side's
/// end is on its way by then. An engine that had the request for longer has begun to work on it. It is noticed within some
/// hundred microseconds on a quiet machine, and was 7 and 8 ms late next to two busy loops (llama.cpp's server).
const DEAD_BEFORE: Nanos = Nanos(25_000_000);

/// The same where the connection was reset: that says that nobody had read the request. On a busy machine it may be noticed
/// late; after this time it is an engine that hung.
const RESET_BEFORE: Nanos = Nanos(250_000_000);

/// Requests over kept connections before anything is decided.
const LEAST: u32 = 10;

/// Requests that are looked back on: beyond them the counts are halved, so that what was long ago weighs less.
const WINDOW: u32 = 100;

/// Requests that go over new connections before keeping is tried again; twice as many each time that it fails.
const PAUSE: u32 = 200;

/// The same in time: whichever comes first.
const PAUSE_TIME: Nanos = Nanos(10_000_000_000);

/// Times that a pause is doubled at most.
const DOUBLINGS: u32 = 4;

/// Whether a request that died unanswered at `now`, on a connection that had been kept, was written to a dead connection.
/// `written` is when its last byte was taken; `None` if none was. `reset`: the connection ended by a reset.
pub(super) fn was_dead(written: Option<Nanos>, now: Nanos, reset: bool) -> bool {
    let limit = if reset { RESET_BEFORE } else { DEAD_BEFORE };
    written.is_none_or(|written| now.since(written) <= limit)
}

/// What is known of a target's kept connections.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// Requests over kept connections, and those that were written to a dead one.
    uses: AtomicU32,
    died: AtomicU32,
    /// Whether none is kept just now.
    off: AtomicBool,
    pause: Mutex<Pause>,
}

#[derive(Debug, Default)]
struct Pause {
    /// Pauses in a row.
    number: u32,
    /// Requests until it ends.
    left: u32,
    /// When it ends.
    until: Nanos,
}

impl Keeping {
    /// Whether a connection that is there may carry the next request.
    pub(super) fn keeps(&self, now: Nanos) -> bool {
        if !self.off.load(Relaxed) {
            return true;
        }
        let mut pause = lock(&self.pause);
        pause.left = pause.left.saturating_sub(1);
        if pause.left > 0 && now < pause.until {
            return false;
        }
        self.uses.store(0, Relaxed);
        self.died.store(0, Relaxed);
        self.off.store(false, Relaxed);
        true
    }

    /// A request goes over a kept connection.
    pub(super) fn used(&self) {
        if self.uses.fetch_add(1, Relaxed) + 1 >= WINDOW {
            self.uses.store(WINDOW / 2, Relaxed);
            self.died.store(self.died.load(Relaxed) / 2, Relaxed);
            // It went well for a whole window: the next pause is a short one again.
            lock(&self.pause).number = 0;
        }
    }

    /// A request was written to a connection that was dead.
    pub(super) fn died(&self, now: Nanos) {
        let (died, uses) = (self.died.fetch_add(1, Relaxed) + 1, self.uses.load(Relaxed));
        // More than a fifth.
        if uses < LEAST || died.saturating_mul(5) <= uses {
            return;
        }
        let mut pause = lock(&self.pause);
        if self.off.swap(true, Relaxed) {
            return;
        }
        let longer = 1 << pause.number.min(DOUBLINGS);
        *pause = Pause {
            number: pause.number + 1,
            left: PAUSE * longer,
            until: now + Nanos(PAUSE_TIME.0 * u64::from(longer)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Requests over kept connections, of which one in `every` finds its connection dead; how many went over a kept one.
    fn ask(keeping: &Keeping, requests: u64, every: u64) -> u64 {
        let mut kept = 0;
        for n in 1..=requests {
            let now = Nanos(n * MS);
            if keeping.keeps(now) {
                kept += 1;
                keeping.used();
                if kept % every == 0 {
                    keeping.died(now);
                }
            }
        }
        kept
    }

    #[test]
    fn only_what_died_at_once_was_dead_before() {
        let at = |ms: u64| Nanos(ms * MS);
        assert!(was_dead(None, at(900), false), "nothing was written");
        assert!(was_dead(Some(at(10)), at(35), false));
        assert!(!was_dead(Some(at(10)), at(36), false));
        assert!(!was_dead(Some(at(10)), at(1010), false));
        assert!(was_dead(Some(at(10)), at(260), true), "unread, and noticed late");
        assert!(!was_dead(Some(at(10)), at(261), true), "an engine that hung");
    }

    #[test]
    fn a_death_now_and_then_changes_nothing() {
        let keeping = Keeping::default();
        keeping.used();
        keeping.died(Nanos(1));
        keeping.used();
        keeping.died(Nanos(2));
        assert!(keeping.keeps(Nanos(3)), "two of two are too few to decide by");
        assert_eq!(ask(&Keeping::default(), 10_000, 5), 10_000, "one in five is not more than a fifth");
        assert_eq!(ask(&Keeping::default(), 10_000, 20), 10_000);
    }

    #[test]
    fn where_many_die_none_is_kept_for_a_while_and_then_it_is_tried_again() {
        let keeping = Keeping::default();
        // Ten tries, a pause of 200 requests, ten tries, a pause of 400: each try costs ten.
        assert_eq!(ask(&keeping, 9, 1), 9);
        assert_eq!(ask(&keeping, 1 + 199 + 10 + 399, 1), 1 + 10);
        // The engine is mended: all is kept again, for good.
        let kept = ask(&keeping, 4000, u64::MAX);
        assert!(kept >= 4000 - 400, "{kept}");
    }

    #[test]
    fn a_pause_ends_by_the_clock_where_answers_are_slow() {
        let keeping = Keeping::default();
        for n in 0..10 {
            keeping.used();
            keeping.died(Nanos(n));
        }
        assert!(!keeping.keeps(Nanos(9_000 * MS)));
        assert!(keeping.keeps(Nanos(10_001 * MS)));
    }
}
