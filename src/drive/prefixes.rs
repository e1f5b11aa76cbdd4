//! Which request of a group is the first that its target is sent, and which come when the prefix is there.

use super::ask::Request;
use super::lane::Lane;
use crate::record::{Phase, PrefixUse, Sample};
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::SeqCst;

/// How far a group is on a target.
const UNASKED: u8 = 0;
const ASKED: u8 = 1;
const ANSWERED: u8 = 2;

/// How far each group is on a target.
#[derive(Debug)]
pub(super) struct Prefixes(Vec<AtomicU8>);

impl Prefixes {
    pub(super) fn of(groups: usize) -> Self {
        Self((0..groups).map(|_| AtomicU8::new(UNASKED)).collect())
    }

    /// What a request of a group that leaves now is to it.
    fn leaves(&self, group: u32) -> Option<PrefixUse> {
        let state = self.0.get(group as usize)?;
        match state.compare_exchange(UNASKED, ASKED, SeqCst, SeqCst) {
            Ok(_) => Some(PrefixUse::First),
            Err(ANSWERED) => Some(PrefixUse::Later),
            Err(_) => None,
        }
    }

    /// How a request of a group ended. One that nobody got leaves its place to the next; one that failed on the way may have
    /// left its prefix in a cache, or not.
    fn ended(&self, group: u32, found: Option<PrefixUse>, answered: bool, sent: bool) {
        let Some(state) = self.0.get(group as usize) else { return };
        if answered {
            state.store(ANSWERED, SeqCst);
        } else if found == Some(PrefixUse::First) && !sent {
            let _ = state.compare_exchange(ASKED, UNASKED, SeqCst, SeqCst);
        }
    }
}

impl Lane {
    /// The group whose prefix a request shares. The warm-up's prefixes are others, so that those of the measured part are new.
    pub(super) fn group(&self, Request { phase, unit, .. }: Request<'_>) -> Option<u32> {
        let asked = self.setup.plan.workload.tokens.as_ref();
        let shared = phase == Phase::Measure && asked.is_some_and(|tokens| tokens.prefix.is_some());
        self.setup.workload.items()[unit.item].group.filter(|_| shared)
    }

    /// Notes that a request leaves: what it is to its group.
    pub(super) fn prefix_leaves(&self, request: Request<'_>) -> Option<PrefixUse> {
        self.group(request).and_then(|group| self.side.prefixes.leaves(group))
    }

    /// Notes how a request has ended.
    pub(super) fn prefix_ended(&self, request: Request<'_>, sample: &Sample) {
        if let Some(group) = self.group(request) {
            let (answered, sent) = (sample.outcome.answered(), sample.stamps.sent.is_some());
            self.side.prefixes.ended(group, sample.prefix_use, answered, sent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_first_is_one_and_later_ones_come_after_an_answer() {
        let groups = Prefixes::of(2);
        let (first, later) = (Some(PrefixUse::First), Some(PrefixUse::Later));
        assert_eq!([groups.leaves(0), groups.leaves(0), groups.leaves(1)], [first, None, first]);
        groups.ended(0, None, true, true);
        assert_eq!([groups.leaves(0), groups.leaves(1)], [later, None]);
        // A first one that nobody got: the next is the first. One that broke off leaves it open.
        groups.ended(1, first, false, false);
        assert_eq!(groups.leaves(1), first);
        groups.ended(1, first, false, true);
        assert_eq!(groups.leaves(1), None);
        groups.ended(1, None, true, true);
        assert_eq!([groups.leaves(1), groups.leaves(7)], [later, None]);
    }
}
