//! A target that takes no connection for some seconds on end has gone: its lane ends, since nobody who is asked again and
//! again while he isn't there says more than that. The rest of the run goes on.
//!
//! It is told from an engine that is there and says that it is full (429, 503, a wire's own word), from one that breaks
//! connections which it took, and from one that is back within the time.

use super::lane::Lane;
use super::side::LaneTarget;
use crate::record::{GONE, Nanos, Outcome, Sample};
use std::sync::atomic::Ordering::Relaxed;

impl LaneTarget {
    /// Takes note of how a request ended; since when its target has been gone, if it is gone for good.
    fn noted(&self, sample: &Sample) -> bool {
        if sample.refused() {
            let begun = sample.stamps.planned.0.max(1);
            let since = match self.refusing.compare_exchange(0, begun, Relaxed, Relaxed) {
                Ok(_) => begun,
                Err(since) => since,
            };
            return sample.stamps.end.is_some_and(|end| end.since(Nanos(since)) >= GONE);
        }
        if !matches!(sample.outcome, Outcome::Unsent | Outcome::Unfinished) {
            self.refusing.store(0, Relaxed);
        }
        false
    }
}

impl Lane {
    /// Takes note of how a request ended; ends the lane where its target has gone.
    pub(super) fn note(&self, sample: &Sample) {
        if self.side.noted(sample) {
            let _ = self.gone.set(self.now());
        }
    }

    /// When the lane was ended since its target had gone.
    pub(super) fn gone(&self) -> Option<Nanos> {
        self.gone.get().copied()
    }

    /// Why a request isn't sent any more.
    pub(super) fn gone_words(&self) -> String {
        let since = Nanos(self.side.refusing.load(Relaxed)).seconds();
        format!("not sent: the target has accepted no connection since {since:.1} s into the run")
    }
}
