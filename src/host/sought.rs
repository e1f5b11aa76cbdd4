//! A target's processes: where they are looked for, and what is read of them once they are found.

use super::counts::{Counts, Stand, Tally};
use super::detail::{disk_read, memory, proportional, switches};
use super::gpu::Devices;
use super::processes::{Place, listeners, named};
use super::reading::{Held, Memory};
use super::tree::{Snapshot, Tree};
use crate::scenario::ProcessSpec;
use crate::scenario::plan::Endpoint;

/// A target whose processes are to be watched.
#[derive(Clone, Debug)]
pub struct Sought {
    /// Its name.
    pub name: String,
    /// Where it answers: who listens there is looked for.
    pub endpoint: Endpoint,
    /// Which processes they are instead, if the scenario says.
    pub process: Option<ProcessSpec>,
}

impl From<(String, Endpoint)> for Sought {
    fn from((name, endpoint): (String, Endpoint)) -> Self {
        Self { name, endpoint, process: None }
    }
}

/// Readings between two looks for a target's processes that weren't found, or that ended; or for more of its name.
const LOOK_AGAIN: u32 = 5;

/// A target that is watched.
pub(super) struct Target {
    sought: Sought,
    pub(super) tree: Tree,
    state: State,
    tallies: Tallies,
}

enum State {
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

impl Target {
    pub(super) fn new(sought: Sought) -> Self {
        // What a child that ended had counted is in its parent's faults and bytes, and in nobody's context switches.
        let tallies = Tallies {
            minor_faults: Tally::new(true),
            major_faults: Tally::new(true),
            disk_read: Tally::new(true),
            voluntary: Tally::new(false),
            involuntary: Tally::new(false),
        };
        let state = State::Lost { again: 0, ever: false };
        Self { sought, tree: Tree::new(std::process::id()), state, tallies }
    }

    /// Whether it is on this machine and was never found.
    pub(super) fn hidden(&self) -> bool {
        matches!(self.state, State::Lost { ever: false, .. })
    }

    /// Whether what its processes used is known.
    pub(super) fn known(&self) -> bool {
        matches!(self.state, State::Found { .. } | State::Lost { ever: true, .. })
    }

    /// What its processes hold, if they are known; what is dear to read only if asked.
    pub(super) fn held(&self, page: u64, dear: bool, devices: &Devices) -> Option<Held> {
        if !matches!(self.state, State::Found { .. }) {
            return None;
        }
        let add = |sum: Memory, one: Memory| Memory {
            anonymous: sum.anonymous.saturating_add(one.anonymous),
            file: sum.file.saturating_add(one.file),
        };
        let memory = self.tree.pids().map(memory).try_fold(Memory::default(), |sum, one| Some(add(sum, one?)));
        let shares = || self.tree.pids().map(proportional).try_fold(0, |sum: u64, one| Some(sum.saturating_add(one?)));
        Some(Held {
            bytes: self.tree.pages() * page,
            memory,
            threads: self.tree.threads(),
            proportional: dear.then(shares).flatten(),
            gpu_bytes: devices.held_by(self.tree.pids()),
        })
    }

    /// What its processes counted since they are watched, if they are known; context switches only if asked.
    pub(super) fn counts(&mut self, dear: bool) -> Counts {
        if !matches!(self.state, State::Found { .. }) {
            return Counts::default();
        }
        let (minor, major) = self.faults();
        Counts {
            minor_faults: Some(self.tallies.minor_faults.step(&minor)),
            major_faults: Some(self.tallies.major_faults.step(&major)),
            disk_read_bytes: self.disk_reads().map(|now| self.tallies.disk_read.step(&now)),
            ..match dear.then(|| self.switches()).flatten() {
                Some((own, made)) => Counts {
                    voluntary: Some(self.tallies.voluntary.step(&own)),
                    involuntary: Some(self.tallies.involuntary.step(&made)),
                    ..Counts::default()
                },
                None => Counts::default(),
            }
        }
    }

    fn faults(&self) -> (Vec<Stand>, Vec<Stand>) {
        let members = || self.tree.members();
        (
            members().map(|(pid, process)| ((pid, process.started), process.minor_faults)).collect(),
            members().map(|(pid, process)| ((pid, process.started), process.major_faults)).collect(),
        )
    }

    /// `None` if one of them may not be read: what it reads would be missing.
    fn disk_reads(&self) -> Option<Vec<Stand>> {
        self.tree.members().map(|(pid, process)| Some(((pid, process.started), disk_read(pid)?))).collect()
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

    /// Looks for the processes, if they aren't known and it is time.
    pub(super) fn look(&mut self, now: &Snapshot, together: &mut Tree) {
        let ever = match &mut self.state {
            State::Elsewhere => return,
            State::Found { again } if self.tree.alive() => {
                // Another of the same name may have come.
                if !matches!(self.sought.process, Some(ProcessSpec::Name(_))) {
                    return;
                }
                if *again > 0 {
                    *again -= 1;
                    return;
                }
                true
            }
            State::Found { .. } => true,
            State::Lost { again, .. } if *again > 0 => {
                *again -= 1;
                return;
            }
            State::Lost { ever, .. } => *ever,
        };
        let place = match &self.sought.process {
            // Its number may be another's by now.
            Some(ProcessSpec::Pid(_)) if ever => Place::Hidden,
            Some(ProcessSpec::Pid(pid)) => Place::Here(vec![*pid]),
            Some(ProcessSpec::Name(name)) => Place::Here(named(name)),
            None => listeners(&self.sought.endpoint),
        };
        self.state = match place {
            Place::Elsewhere => State::Elsewhere,
            Place::Here(mut pids) => {
                let known: Vec<u32> = self.tree.pids().collect();
                pids.retain(|pid| !known.contains(pid));
                if !pids.is_empty() {
                    self.tree.take_in(&pids, now);
                    together.take_in(&pids, now);
                    self.begin();
                }
                // Our own process serves it, or it came after the table was read.
                let again = LOOK_AGAIN;
                if self.tree.alive() { State::Found { again } } else { State::Lost { again, ever } }
            }
            Place::Hidden => State::Lost { again: LOOK_AGAIN, ever },
        };
    }

    /// What those that were taken in just now had counted before does not count.
    fn begin(&mut self) {
        let (minor, major) = self.faults();
        self.tallies.minor_faults.begin(&minor);
        self.tallies.major_faults.begin(&major);
        if let Some(bytes) = self.disk_reads() {
            self.tallies.disk_read.begin(&bytes);
        }
        if let Some((own, made)) = self.switches() {
            self.tallies.voluntary.begin(&own);
            self.tallies.involuntary.begin(&made);
        }
    }
}
