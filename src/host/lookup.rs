//! A target's processes: where they are looked for, and what is read of them once they are found.

use super::counts::{Counts, Stand, Tally};
use super::detail::{Memory, disk_read, memory, proportional, switches};
use super::gpu::Devices;
use super::models::{Kin, Model};
use super::processes::{Place, listeners, named};
use super::tree::{Process, Snapshot, Tree};
use crate::scenario::ProcessSpec;
use crate::scenario::plan::Endpoint;
use std::collections::BTreeSet;

/// A target whose processes are to be watched.
#[derive(Clone, Debug)]
pub struct ProcessLookup {
    /// Its name.
    pub name: String,
    /// Where it answers: who listens there is looked for.
    pub endpoint: Endpoint,
    /// Which processes they are instead, if the scenario says.
    pub process: Option<ProcessSpec>,
    /// The model that is asked for: what serves others under the same server is left out.
    pub model: Model,
}

impl From<(String, Endpoint)> for ProcessLookup {
    fn from((name, endpoint): (String, Endpoint)) -> Self {
        Self { name, endpoint, process: None, model: Model::default() }
    }
}

/// Readings between two looks for a target's processes that weren't found, or for more of its name.
const LOOK_AGAIN: u32 = 5;

/// Readings between two looks for processes that were found and have ended: their place is taken within a second where an
/// engine is started anew, and what it uses until it is found is missing.
fn look_again(ever: bool) -> u32 {
    if ever { 0 } else { LOOK_AGAIN }
}

/// A target that is watched.
pub(super) struct WatchedTarget {
    sought: ProcessLookup,
    pub(super) tree: Tree,
    /// The processes that were found, whose descendants the others are.
    roots: BTreeSet<u32>,
    kin: Kin,
    /// Of their descendants, those that serve other models.
    apart: BTreeSet<u32>,
    state: Whereabouts,
    tallies: Tallies,
}

enum Whereabouts {
    /// Its processes are known; readings until more of them are looked for, where they go by a name.
    Found { again: u32 },
    /// Readings until it is looked for again. Once found, what it used is kept.
    Lost { again: u32, ever: bool },
    /// On another machine.
    Elsewhere,
}

struct Tallies {
    minor_faults: Tally,
    major_faults: Tally,
    disk_read: Tally,
    voluntary: Tally,
    involuntary: Tally,
}

impl WatchedTarget {
    pub(super) fn new(sought: ProcessLookup) -> Self {
        // What a child that ended had counted is in its parent's faults and bytes, and in nobody's context switches.
        let tallies = Tallies {
            minor_faults: Tally::new(true),
            major_faults: Tally::new(true),
            disk_read: Tally::new(true),
            voluntary: Tally::new(false),
            involuntary: Tally::new(false),
        };
        let state = Whereabouts::Lost { again: 0, ever: false };
        let kin = Kin::of(sought.model.clone());
        let (roots, apart) = (BTreeSet::new(), BTreeSet::new());
        Self { sought, tree: Tree::new(std::process::id()), roots, kin, apart, state, tallies }
    }

    /// Takes a reading of the processes that are known; those that serve other models are left out of it.
    pub(super) fn step(&mut self, now: &Snapshot) {
        self.divide(&[], now);
        self.tree.step(now);
    }

    /// Looks which of the processes, and of what `more` start, serve other models.
    fn divide(&mut self, more: &[u32], now: &Snapshot) {
        self.roots.extend(more);
        let descendants: Vec<(u32, u64)> =
            self.tree.family(more, now).into_iter().filter(|(pid, _)| !self.roots.contains(pid)).collect();
        self.apart = self.kin.others(&descendants);
        self.tree.leave_apart(self.apart.clone());
    }

    /// The processes that serve other models.
    pub(super) fn apart(&self) -> &BTreeSet<u32> {
        &self.apart
    }

    /// Whether it is on this machine and was never found.
    pub(super) fn hidden(&self) -> bool {
        matches!(self.state, Whereabouts::Lost { ever: false, .. })
    }

    /// Whether what its processes used is known.
    pub(super) fn known(&self) -> bool {
        matches!(self.state, Whereabouts::Found { .. } | Whereabouts::Lost { ever: true, .. })
    }

    /// What its processes hold, if they are known; what is dear to read only if asked.
    pub(super) fn held(&self, page: u64, dear: bool, devices: &Devices) -> Option<ProcessHoldings> {
        if !matches!(self.state, Whereabouts::Found { .. }) {
            return None;
        }
        let add = |sum: Memory, one: Memory| Memory {
            anonymous: sum.anonymous.saturating_add(one.anonymous),
            file: sum.file.saturating_add(one.file),
        };
        let memory = self.tree.pids().map(memory).try_fold(Memory::default(), |sum, one| Some(add(sum, one?)));
        let shares = || self.tree.pids().map(proportional).try_fold(0, |sum: u64, one| Some(sum.saturating_add(one?)));
        Some(ProcessHoldings {
            bytes: self.tree.pages() * page,
            memory,
            threads: self.tree.threads(),
            proportional: dear.then(shares).flatten(),
            gpu_bytes: devices.held_by(self.tree.pids()),
            other_models_bytes: Some(self.tree.others().map(|(_, process)| process.pages).sum::<u64>() * page)
                .filter(|_| !self.apart.is_empty()),
            unclear: self.kin.unclear(),
        })
    }

    /// What its processes counted since they are watched, if they are known; context switches only if asked.
    pub(super) fn counts(&mut self, dear: bool) -> Counts {
        if !matches!(self.state, Whereabouts::Found { .. }) {
            return Counts::default();
        }
        let [minor, major] = self.faults();
        let reads = self.disk_reads();
        Counts {
            minor_faults: Some(self.tallies.minor_faults.step(&minor.0, &minor.1)),
            major_faults: Some(self.tallies.major_faults.step(&major.0, &major.1)),
            disk_read_bytes: reads.map(|(now, apart)| self.tallies.disk_read.step(&now, &apart)),
            ..match dear.then(|| self.switches()).flatten() {
                Some((own, made)) => Counts {
                    voluntary: Some(self.tallies.voluntary.step(&own, &[])),
                    involuntary: Some(self.tallies.involuntary.step(&made, &[])),
                    ..Counts::default()
                },
                None => Counts::default(),
            }
        }
    }

    /// Page faults without a disk and with one, each of the target's processes and of those apart.
    fn faults(&self) -> [(Vec<Stand>, Vec<Stand>); 2] {
        let of = |count: fn(&Process) -> u64| {
            let stand = |(pid, process): (u32, &Process)| ((pid, process.started), count(process));
            (self.tree.members().map(stand).collect(), self.tree.others().map(stand).collect())
        };
        [of(|process| process.minor_faults), of(|process| process.major_faults)]
    }

    /// `None` if one of them may not be read: what it reads would be missing.
    fn disk_reads(&self) -> Option<(Vec<Stand>, Vec<Stand>)> {
        let stand = |(pid, process): (u32, &Process)| Some(((pid, process.started), disk_read(pid)?));
        let own: Option<_> = self.tree.members().map(stand).collect();
        Some((own?, self.tree.others().filter_map(stand).collect()))
    }

    fn switches(&self) -> Option<(Vec<Stand>, Vec<Stand>)> {
        let (mut own, mut made) = (Vec::new(), Vec::new());
        for pid in self.tree.pids() {
            let (more, most) = switches(pid)?;
            own.extend(more);
            made.extend(most);
        }
        Some((own, made))
    }

    /// Looks for the processes, if they aren't known and it is time; gives those that were found.
    pub(super) fn look(&mut self, now: &Snapshot) -> Vec<u32> {
        let mut found = Vec::new();
        let ever = match &mut self.state {
            Whereabouts::Elsewhere => return found,
            Whereabouts::Found { again } if self.tree.alive() => {
                // Another of the same name may have come.
                if !matches!(self.sought.process, Some(ProcessSpec::Name(_))) {
                    return found;
                }
                if *again > 0 {
                    *again -= 1;
                    return found;
                }
                true
            }
            Whereabouts::Found { .. } => true,
            Whereabouts::Lost { again, .. } if *again > 0 => {
                *again -= 1;
                return found;
            }
            Whereabouts::Lost { ever, .. } => *ever,
        };
        let place = match &self.sought.process {
            // Its number may be another's by now.
            Some(ProcessSpec::Pid(_)) if ever => Place::Hidden,
            Some(ProcessSpec::Pid(pid)) => Place::Here(vec![*pid]),
            Some(ProcessSpec::Name(name)) => Place::Here(named(name)),
            None => listeners(&self.sought.endpoint),
        };
        self.state = match place {
            Place::Elsewhere => Whereabouts::Elsewhere,
            Place::Here(mut pids) => {
                let known: Vec<u32> = self.tree.pids().collect();
                pids.retain(|pid| !known.contains(pid));
                if !pids.is_empty() {
                    self.divide(&pids, now);
                    self.tree.take_in(&pids, now);
                    self.begin();
                    found = pids;
                }
                // Our own process serves it, or it came after the table was read.
                if self.tree.alive() {
                    Whereabouts::Found { again: LOOK_AGAIN }
                } else {
                    Whereabouts::Lost { again: look_again(ever), ever }
                }
            }
            Place::Hidden => Whereabouts::Lost { again: look_again(ever), ever },
        };
        found
    }

    /// What those that were taken in just now had counted before does not count.
    fn begin(&mut self) {
        let [minor, major] = self.faults();
        self.tallies.minor_faults.begin(&minor.0, &minor.1);
        self.tallies.major_faults.begin(&major.0, &major.1);
        if let Some((bytes, apart)) = self.disk_reads() {
            self.tallies.disk_read.begin(&bytes, &apart);
        }
        if let Some((own, made)) = self.switches() {
            self.tallies.voluntary.begin(&own, &[]);
            self.tallies.involuntary.begin(&made, &[]);
        }
    }
}

/// What the processes of a target hold at one moment. What several share counts for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessHoldings {
    /// Resident memory, in bytes.
    pub(super) bytes: u64,
    /// What it is made of; `None` where that isn't told of all of them.
    pub(super) memory: Option<Memory>,
    /// Threads.
    pub(super) threads: u64,
    /// Their proportional share of the memory that processes share, in bytes; `None` where it wasn't read this time.
    pub(super) proportional: Option<u64>,
    /// What they hold of graphics devices' memory, in bytes.
    pub(super) gpu_bytes: Option<u64>,
    /// Resident memory of the same server's processes that serve other models, which is in none of the above; `None` where
    /// there are none.
    pub(super) other_models_bytes: Option<u64>,
    /// Whether several of the processes may be the model's, and all are counted for want of a word which is.
    pub(super) unclear: bool,
}
