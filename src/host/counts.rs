//! Counters of processes that come and go: page faults, bytes read from disks, context switches.
//!
//! Pure: what each process's counter stands at goes in, what all of them counted together since they are watched comes out.

use std::collections::BTreeMap;

/// What a target's processes have counted since they are watched; `None` for what wasn't read this time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Page faults that needed no reading: memory given, pages of files that the cache had.
    pub(super) minor_faults: Option<u64>,
    /// Page faults that waited for a disk.
    pub(super) major_faults: Option<u64>,
    /// Bytes fetched from storage.
    pub(super) disk_read_bytes: Option<u64>,
    /// Times a thread gave its core up to wait for something.
    pub(super) voluntary: Option<u64>,
    /// Times a thread was put aside for another.
    pub(super) involuntary: Option<u64>,
}

/// Who counts (a process's or thread's number, and when it started: numbers are used again), and what its counter stands at.
pub(super) type Stand = ((u32, u64), u64);

/// Sums one counter over those that are watched.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Whether a parent's counter takes in that of a child that ended.
    inherited: bool,
    known: BTreeMap<(u32, u64), u64>,
    /// Those under the same parents that are not summed: what they counted goes into a parent's counter, too.
    apart: BTreeMap<(u32, u64), u64>,
    total: u64,
}

impl Tally {
    /// A sum of nothing yet.
    pub(super) fn new(inherited: bool) -> Self {
        Self { inherited, ..Self::default() }
    }

    /// Watches these from now on: what they counted before does not count. `apart` are under the same parents, and are
    /// not summed.
    pub(super) fn begin(&mut self, now: &[Stand], apart: &[Stand]) {
        for (who, count) in now {
            self.known.entry(*who).or_insert(*count);
        }
        self.apart.extend(apart.iter().copied());
    }

    /// Takes a reading, and gives the sum: never less than before.
    ///
    /// What an ended child had counted is known already when its parent's counter takes it in, and is taken off that gain.
    /// Where the parent didn't take it in, a gain of the parents' that is no greater goes lost with it; nothing is ever
    /// counted twice.
    pub(super) fn step(&mut self, now: &[Stand], apart: &[Stand]) -> u64 {
        let mut before = std::mem::take(&mut self.known);
        before.append(&mut self.apart);
        self.known = now.iter().copied().collect();
        self.apart = apart.iter().copied().collect();
        let (mut gained, mut born) = (0_u64, 0_u64);
        for (who, count) in &self.known {
            match before.get(who) {
                Some(known) => gained = gained.saturating_add(count.saturating_sub(*known)),
                None => born = born.saturating_add(*count),
            }
        }
        if self.inherited {
            let lives = |who: &(u32, u64)| self.known.contains_key(who) || self.apart.contains_key(who);
            let ended = before.iter().filter(|(who, _)| !lives(who)).map(|(_, count)| *count);
            gained = gained.saturating_sub(ended.fold(0, u64::saturating_add));
        }
        self.total = self.total.saturating_add(gained).saturating_add(born);
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_child_counted_is_counted_once() {
        let mut tally = Tally::new(true);
        tally.begin(&[((1, 1), 1000)], &[]);
        assert_eq!(tally.step(&[((1, 1), 1010)], &[]), 10);
        // A child is born, counts 500, and ends; its parent takes in its 600.
        assert_eq!(tally.step(&[((1, 1), 1010), ((2, 5), 500)], &[]), 510);
        assert_eq!(tally.step(&[((1, 1), 1615)], &[]), 615, "100 more of the child's, 5 of the parent's own");
        // Another of the same number.
        assert_eq!(tally.step(&[((1, 1), 1615), ((2, 9), 7)], &[]), 622);
        assert_eq!(tally.step(&[((1, 1), 1615)], &[]), 622, "nobody took it in, and what is known stays");
    }

    #[test]
    fn what_is_apart_is_not_summed_when_a_parent_takes_it_in() {
        let mut tally = Tally::new(true);
        tally.begin(&[((1, 1), 100)], &[((2, 5), 9000)]);
        assert_eq!(tally.step(&[((1, 1), 105)], &[((2, 5), 9500)]), 5);
        assert_eq!(tally.step(&[((1, 1), 9607)], &[]), 7);
        // One that was taken for the server's until it was known to be another's, and back.
        assert_eq!(tally.step(&[((1, 1), 9607), ((3, 7), 4)], &[]), 11);
        assert_eq!(tally.step(&[((1, 1), 9608)], &[((3, 7), 6)]), 12);
        assert_eq!(tally.step(&[((1, 1), 9608), ((3, 7), 8)], &[]), 14);
    }

    #[test]
    fn threads_take_nothing_in() {
        let mut tally = Tally::new(false);
        tally.begin(&[((1, 0), 50)], &[]);
        assert_eq!(tally.step(&[((1, 0), 60), ((2, 0), 5)], &[]), 15);
        assert_eq!(tally.step(&[((1, 0), 70)], &[]), 25);
        assert_eq!(tally.step(&[], &[]), 25);
    }

    proptest! {
        #[test]
        fn it_never_falls(inherited: bool, readings in prop::collection::vec(
            prop::collection::vec(((0_u32..4, 0_u64..2), any::<u64>()), 0..6), 1..8)) {
            let mut tally = Tally::new(inherited);
            let mut last = 0;
            for reading in &readings {
                let sum = tally.step(reading, &[]);
                prop_assert!(sum >= last);
                last = sum;
            }
        }
    }
}
