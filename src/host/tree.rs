//! The processor time of a process and everything it started: of those that live, and of those that ended meanwhile.
//!
//! Pure: readings of the process table go in, ticks come out. An engine may start a runner for each model and end it
//! again; what a runner used must not be lost with it, nor counted twice when its parent takes it in.

use std::collections::{BTreeMap, BTreeSet};

/// What one reading tells of a process. Times are in ticks of the kernel's (`ticks_per_second`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Process {
    /// Its parent.
    pub(super) parent: u32,
    /// When it started. Numbers are used again: the two together name a process for good.
    pub(super) started: u64,
    /// Time used by its own threads, in user and kernel mode.
    pub(super) own: u64,
    /// Time used by its children that ended and were waited for, theirs included.
    pub(super) reaped: u64,
    /// Memory it holds, in pages.
    pub(super) pages: u64,
    /// Its threads.
    pub(super) threads: u64,
    /// Page faults of its own and of its children that were waited for: those that needed no disk, and those that did.
    pub(super) minor_faults: u64,
    pub(super) major_faults: u64,
}

/// The processes at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    processes: BTreeMap<u32, Process>,
    children: BTreeMap<u32, Vec<u32>>,
}

impl FromIterator<(u32, Process)> for Snapshot {
    fn from_iter<T: IntoIterator<Item = (u32, Process)>>(all: T) -> Self {
        let mut snapshot = Self::default();
        for (pid, process) in all {
            snapshot.children.entry(process.parent).or_default().push(pid);
            snapshot.processes.insert(pid, process);
        }
        snapshot
    }
}

impl Snapshot {
    /// The process of that number, if it is the one that started then.
    fn same(&self, pid: u32, started: u64) -> Option<&Process> {
        self.processes.get(&pid).filter(|process| process.started == started)
    }

    /// Whether no process was read.
    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    fn children(&self, pid: u32) -> &[u32] {
        self.children.get(&pid).map_or(&[], Vec::as_slice)
    }
}

/// What the kernel's rounding may hide when a child's time moves to its parent: user and kernel mode, each cut to a tick.
const ROUNDING: u64 = 2;

/// Some processes with their descendants, and what they used together since they are watched.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// A process that is never a part of it, nor what it starts: loadcmp itself, whoever started it.
    except: u32,
    members: BTreeMap<u32, Process>,
    /// Processes under its roots that are somebody else's, with what they start: the roots of those parts, and all of them.
    /// They are followed, so that their time isn't taken for their parent's when it takes them in.
    apart: BTreeSet<u32>,
    others: BTreeMap<u32, Process>,
    /// Ended members whose time no ancestor had taken in at the last reading: the nearest ancestor, and the time. It may
    /// have been read just before it did.
    waiting: Vec<(u32, u64)>,
    used: u64,
}

impl Tree {
    /// A tree without processes.
    pub(super) fn new(except: u32) -> Self {
        Self { except, ..Self::default() }
    }

    /// Watches these and their descendants from this reading on: what they used before does not count.
    pub(super) fn take_in(&mut self, roots: &[u32], now: &Snapshot) {
        let (found, others) = self.divide(self.reach(roots.iter().copied(), now), now);
        for (pid, process) in found {
            self.members.entry(pid).or_insert(process);
        }
        self.others.extend(others);
    }

    /// Leaves these and what they start out from now on, and none else.
    pub(super) fn leave_apart(&mut self, these: BTreeSet<u32>) {
        self.apart = these;
    }

    /// These that live and all their descendants now: number and start. With those that are apart.
    pub(super) fn family(&self, roots: &[u32], now: &Snapshot) -> Vec<(u32, u64)> {
        let known = self.members.iter().chain(&self.others);
        let alive = known.filter(|(pid, process)| now.same(**pid, process.started).is_some());
        let all = self.reach(alive.map(|(pid, _)| *pid).chain(roots.iter().copied()), now);
        all.into_iter().map(|(pid, process)| (pid, process.started)).collect()
    }

    /// Takes a reading.
    pub(super) fn step(&mut self, now: &Snapshot) {
        let mut before = std::mem::take(&mut self.members);
        before.append(&mut self.others);
        let alive = before.iter().filter(|(pid, process)| now.same(**pid, process.started).is_some());
        (self.members, self.others) = self.divide(self.reach(alive.map(|(pid, _)| *pid), now), now);
        let mut taken_in = BTreeMap::new();
        for (pid, process) in self.members.iter().chain(&self.others) {
            let counted = self.members.contains_key(pid);
            let (own, all) = if counted { (process.own, process.own + process.reaped) } else { (0, 0) };
            match before.get(pid).filter(|known| known.started == process.started) {
                Some(known) => {
                    self.used += own.saturating_sub(known.own);
                    taken_in.insert(*pid, process.reaped.saturating_sub(known.reaped));
                }
                // Born since: all of its time is new.
                None => self.used += all,
            }
        }
        let mut ended: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        let still: Vec<(u32, u64)> = std::mem::take(&mut self.waiting);
        for (ancestor, time) in &still {
            ended.entry(*ancestor).or_default().push(*time);
        }
        let mut fresh = BTreeMap::new();
        for (pid, process) in before.iter().filter(|(pid, process)| now.same(**pid, process.started).is_none()) {
            if let Some(ancestor) = nearest(*pid, &before, &taken_in) {
                let time = process.own + process.reaped;
                ended.entry(ancestor).or_default().push(time);
                fresh.entry((ancestor, time)).and_modify(|n| *n += 1).or_insert(1_u32);
            }
        }
        for (ancestor, gain) in taken_in {
            let mut times = ended.remove(&ancestor).unwrap_or_default();
            times.sort_unstable_by(|a, b| b.cmp(a));
            let mut left = gain;
            for time in times {
                if time <= left + ROUNDING && left > 0 {
                    // Known already, from when it lived: only what it used after its last reading is new.
                    left = left.saturating_sub(time);
                } else if let Some(n) = fresh.get_mut(&(ancestor, time)).filter(|n| **n > 0) {
                    *n -= 1;
                    self.waiting.push((ancestor, time));
                }
            }
            if self.members.contains_key(&ancestor) {
                self.used += left;
            }
        }
    }

    /// Ticks used by all of them since they are watched; never less than before.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Whether any of them lives.
    pub(super) fn alive(&self) -> bool {
        !self.members.is_empty()
    }

    /// The processes with their numbers, as they were at the last reading.
    pub(super) fn members(&self) -> impl Iterator<Item = (u32, &Process)> {
        self.members.iter().map(|(pid, process)| (*pid, process))
    }

    /// The processes' numbers, as they were at the last reading.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.members.keys().copied()
    }

    /// Pages of memory that they hold. What several share counts for each.
    pub(super) fn pages(&self) -> u64 {
        self.members.values().map(|process| process.pages).sum()
    }

    /// The processes under its roots that are left out, with their numbers.
    pub(super) fn others(&self) -> impl Iterator<Item = (u32, &Process)> {
        self.others.iter().map(|(pid, process)| (*pid, process))
    }

    /// Threads that they have.
    pub(super) fn threads(&self) -> u64 {
        self.members.values().map(|process| process.threads).sum()
    }

    /// What was reached, without and with only what is apart.
    fn divide(
        &self,
        mut all: BTreeMap<u32, Process>,
        now: &Snapshot,
    ) -> (BTreeMap<u32, Process>, BTreeMap<u32, Process>) {
        let roots: Vec<u32> = self.apart.iter().copied().filter(|pid| all.contains_key(pid)).collect();
        let others = self.reach(roots.into_iter(), now);
        all.retain(|pid, _| !others.contains_key(pid));
        (all, others)
    }

    /// These and all their descendants.
    fn reach(&self, from: impl Iterator<Item = u32>, now: &Snapshot) -> BTreeMap<u32, Process> {
        let mut todo: Vec<u32> = from.collect();
        let mut seen = BTreeSet::new();
        let mut found = BTreeMap::new();
        while let Some(pid) = todo.pop() {
            if pid == self.except || !seen.insert(pid) {
                continue;
            }
            if let Some(process) = now.processes.get(&pid) {
                found.insert(pid, *process);
                todo.extend(now.children(pid));
            }
        }
        found
    }
}

/// The nearest ancestor of an ended member that lives, and was watched before.
fn nearest(pid: u32, before: &BTreeMap<u32, Process>, alive: &BTreeMap<u32, u64>) -> Option<u32> {
    let mut at = before.get(&pid)?.parent;
    // A chain is no longer than there are members.
    for _ in 0..before.len() {
        if alive.contains_key(&at) {
            return Some(at);
        }
        at = before.get(&at)?.parent;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn process(parent: u32, own: u64, reaped: u64) -> Process {
        Process { parent, started: 1, own, reaped, pages: 3, threads: 2, ..Process::default() }
    }

    fn table(all: &[(u32, Process)]) -> Snapshot {
        all.iter().copied().collect()
    }

    fn watched(roots: &[u32], readings: &[&[(u32, Process)]]) -> Tree {
        let mut tree = Tree::new(999);
        tree.take_in(roots, &table(readings[0]));
        readings[1..].iter().for_each(|reading| tree.step(&table(reading)));
        tree
    }

    #[test]
    fn what_was_used_before_does_not_count_and_what_is_used_later_does() {
        let tree = watched(
            &[5],
            &[
                &[(5, process(1, 100, 40)), (6, process(5, 70, 0)), (7, process(1, 0, 0))],
                &[(5, process(1, 103, 40)), (6, process(5, 75, 0)), (7, process(1, 50, 0)), (8, process(6, 4, 2))],
            ],
        );
        assert_eq!((tree.used(), tree.pages(), tree.threads(), tree.alive()), (3 + 5 + 6, 9, 6, true));
        assert_eq!(tree.pids().collect::<Vec<_>>(), [5, 6, 8]);
    }

    #[test]
    fn a_child_that_ends_is_counted_once_whoever_takes_it_in() {
        let begin = [(5, process(1, 0, 0)), (6, process(5, 0, 0))];
        let worked = [(5, process(1, 0, 0)), (6, process(5, 70, 0))];
        // Waited for: its last ten ticks are known from its parent.
        assert_eq!(watched(&[5], &[&begin, &worked, &[(5, process(1, 0, 80))]]).used(), 80);
        // Waited for only after the next reading.
        let late = watched(&[5], &[&begin, &worked, &[(5, process(1, 0, 0))], &[(5, process(1, 0, 80))]]);
        assert_eq!(late.used(), 80);
        // Never waited for: its last reading stays.
        assert_eq!(watched(&[5], &[&begin, &worked, &[(5, process(1, 2, 0))], &[(5, process(1, 3, 0))]]).used(), 73);
        // Lived and died between two readings.
        assert_eq!(watched(&[5], &[&begin, &[(5, process(1, 0, 33)), (6, process(5, 0, 0))]]).used(), 33);
        // The root went with it.
        let gone = watched(&[5], &[&begin, &worked, &[]]);
        assert_eq!((gone.used(), gone.alive()), (70, false));
    }

    #[test]
    fn what_is_apart_is_nobodys_while_it_lives_and_when_its_parent_takes_it_in() {
        // 6 is the model's, 7 another's with a child 8.
        let all = |own: u64, reaped: u64, a: u64, b: u64| {
            vec![(5, process(1, own, reaped)), (6, process(5, a, 0)), (7, process(5, b, 0)), (8, process(7, b, 0))]
        };
        let mut tree = Tree::new(999);
        tree.leave_apart(BTreeSet::from([7]));
        tree.take_in(&[5], &table(&all(0, 0, 0, 100)));
        assert_eq!(tree.family(&[5], &table(&all(0, 0, 0, 0))).len(), 4);
        tree.step(&table(&all(1, 0, 10, 500)));
        assert_eq!((tree.used(), tree.pages(), tree.threads()), (11, 6, 4));
        assert_eq!(tree.others().map(|(pid, _)| pid).collect::<Vec<_>>(), [7, 8]);
        // Both are ended and waited for: 2 ticks of theirs after their last reading can't be told from the parent's.
        tree.step(&table(&[(5, process(1, 1, 1002)), (6, process(5, 12, 0))]));
        assert_eq!(tree.used(), 15);
        // One that comes later and is apart from its birth, and one that is not.
        tree.leave_apart(BTreeSet::from([9]));
        let born = [(5, process(1, 1, 1002)), (6, process(5, 12, 0)), (9, process(5, 70, 0)), (10, process(5, 3, 0))];
        tree.step(&table(&born));
        assert_eq!(tree.used(), 18);
        // What was apart is not from now on: what it used before stays away.
        tree.leave_apart(BTreeSet::new());
        let mut now = born;
        now[2].1.own = 75;
        tree.step(&table(&now));
        assert_eq!((tree.used(), tree.others().count()), (23, 0));
    }

    #[test]
    fn a_grandchild_is_taken_in_by_way_of_its_dead_parent() {
        let chain = |a: u64, b: u64, c: u64| [(5, process(1, a, 0)), (6, process(5, b, 0)), (7, process(6, c, 0))];
        let tree = watched(&[5], &[&chain(0, 0, 0), &chain(1, 10, 20), &[(5, process(1, 2, 36))]]);
        assert_eq!(tree.used(), 2 + 36);
    }

    #[test]
    fn a_number_used_again_is_another_process_and_an_orphan_stays() {
        let again = Process { started: 9, ..process(1, 500, 0) };
        let tree = watched(&[5], &[&[(5, process(1, 10, 0))], &[(5, again)]]);
        assert_eq!((tree.used(), tree.alive()), (0, false));
        let orphan = watched(
            &[5],
            &[&[(5, process(1, 0, 0)), (6, process(5, 0, 0))], &[(6, process(1, 8, 0))], &[(6, process(1, 9, 0))]],
        );
        assert_eq!((orphan.used(), orphan.alive()), (9, true));
    }

    #[test]
    fn loadcmp_is_no_part_of_what_started_it() {
        let all = [(5, process(1, 0, 0)), (999, process(5, 0, 0)), (1000, process(999, 0, 0))];
        let later = [(5, process(1, 1, 0)), (999, process(5, 50, 0)), (1000, process(999, 70, 0))];
        assert_eq!(watched(&[5], &[&all, &later]).used(), 1);
        assert_eq!(watched(&[1000], &[&all, &later]).used(), 70, "a stand-in is its own root");
    }

    /// A machine that never was: processes work, fork, end, and are waited for at once.
    #[derive(Debug, Clone)]
    enum Event {
        Work(usize, u64),
        Fork(usize),
        End(usize),
        Read,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            (0..20_usize, 0..50_u64).prop_map(|(who, n)| Event::Work(who, n)),
            (0..20_usize).prop_map(Event::Fork),
            (0..20_usize).prop_map(Event::End),
            Just(Event::Read),
        ];
        proptest::collection::vec(event, 0..80)
    }

    proptest! {
        #[test]
        fn all_time_is_counted_and_none_twice(events in events()) {
            let mut now = BTreeMap::from([(5, process(1, 17, 4))]);
            let mut tree = Tree::new(999);
            tree.take_in(&[5], &now.iter().map(|(p, s)| (*p, *s)).collect());
            let (mut next, mut worked, mut last) = (6, 0, 0);
            for event in events.into_iter().chain([Event::Read]) {
                let who = |n: usize| now.keys().copied().nth(n % now.len()).unwrap_or(5);
                match event {
                    Event::Work(n, ticks) => {
                        let pid = who(n);
                        now.get_mut(&pid).unwrap().own += ticks;
                        worked += ticks;
                    }
                    Event::Fork(n) => {
                        now.insert(next, process(who(n), 0, 0));
                        next += 1;
                    }
                    Event::End(n) => {
                        let pid = who(n);
                        let leaf = now.values().all(|process| process.parent != pid);
                        if pid != 5 && leaf {
                            let gone = now.remove(&pid).unwrap();
                            now.get_mut(&gone.parent).unwrap().reaped += gone.own + gone.reaped;
                        }
                    }
                    Event::Read => {
                        tree.step(&now.iter().map(|(p, s)| (*p, *s)).collect());
                        prop_assert!(tree.used() >= last);
                        last = tree.used();
                        prop_assert_eq!(tree.used(), worked);
                    }
                }
            }
        }
    }
}
