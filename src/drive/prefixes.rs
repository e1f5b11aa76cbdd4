//! Which request of a group is the first that its target is sent, and which come when the prefix is there.

use crate::record::PrefixUse;
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
    pub(super) fn leaves(&self, group: u32) -> Option<PrefixUse> {
        let state = self.0.get(group as usize)?;
        match state.compare_exchange(UNASKED, ASKED, SeqCst, SeqCst) {
            Ok(_) => Some(PrefixUse::First),
            Err(ANSWERED) => Some(PrefixUse::Later),
            Err(_) => None,
        }
    }

    /// How a request of a group ended. One that nobody got leaves its place to the next; one that failed on the way may have
    /// left its prefix in a cache, or not.
    pub(super) fn ended(&self, group: u32, found: Option<PrefixUse>, answered: bool, sent: bool) {
        let Some(state) = self.0.get(group as usize) else { return };
        if answered {
            state.store(ANSWERED, SeqCst);
        } else if found == Some(PrefixUse::First) && !sent {
            let _ = state.compare_exchange(ASKED, UNASKED, SeqCst, SeqCst);
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
