//! One reading of the machine and of each target's processes, and what makes them.

use super::machine::{Counters, Machine, cores, page_bytes, ticks_per_second};
use super::processes::{Place, listeners, memory, snapshot};
use super::tree::{Snapshot, Tree};
use crate::scenario::plan::Endpoint;

/// What everything stood at, at one instant. Times are sums since the first reading, in core-seconds.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Seconds since the run's start.
    pub(super) t_s: f64,
    /// Logical cores.
    pub(super) cores: usize,
    /// Whether it is one of those a period apart, and not one at a window's edge.
    pub(super) regular: bool,
    pub(super) machine: Counters,
    /// Processor time of each target's processes; `None` for those not found, or not read this time.
    pub(super) targets: Vec<Option<f64>>,
    /// What each target's processes hold; `None` for those not found.
    pub(super) held: Vec<Option<Held>>,
    /// Processor time of the targets' processes together, each once; `None` if one is on this machine and wasn't found.
    pub(super) all_targets: Option<f64>,
}

/// What a process's resident memory is made of, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Its own, that of no file: heap, stacks, shared memory.
    pub(super) anonymous: u64,
    /// Pages of files: programs, libraries, models that are mapped. They are the cache's, too.
    pub(super) file: u64,
}

/// What the processes of a target hold at one moment. What several share counts for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Resident memory, in bytes.
    pub(super) bytes: u64,
    /// What it is made of; `None` where that isn't told of all of them.
    pub(super) memory: Option<Memory>,
    /// Threads.
    pub(super) threads: u64,
}

/// Readings between two looks for a target's processes that weren't found, or that ended.
const LOOK_AGAIN: u32 = 5;

/// Longest that reading the process table may take of each second on average, in seconds: on a machine of thousands of
/// processes it is read less often.
const BUDGET: f64 = 0.005;

/// What a reading is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// One of those a period apart.
    Regular,
    /// A measured window begins or ends.
    Edge,
    /// The run is over.
    Last,
}

/// Makes readings.
pub(super) struct Reader {
    machine: Machine,
    targets: Vec<Watched>,
    /// All targets' processes as one: two targets may be served by the same.
    together: Tree,
    ticks: f64,
    page: u64,
    /// Time not yet spent of the process table's budget, in seconds; below zero while it must wait.
    credit: f64,
    last_t: Option<f64>,
}

struct Watched {
    endpoint: Endpoint,
    tree: Tree,
    state: State,
}

enum State {
    /// Its processes are known.
    Found,
    /// Readings until it is looked for again. Once found, what it used is kept.
    Lost { again: u32, ever: bool },
    /// On another machine.
    Elsewhere,
}

impl Reader {
    pub(super) fn new(endpoints: Vec<Endpoint>) -> Self {
        let own = std::process::id();
        let watched =
            |endpoint| Watched { endpoint, tree: Tree::new(own), state: State::Lost { again: 0, ever: false } };
        Self {
            machine: Machine::new(),
            targets: endpoints.into_iter().map(watched).collect(),
            together: Tree::new(own),
            ticks: ticks_per_second(),
            page: page_bytes(),
            credit: 0.0,
            last_t: None,
        }
    }

    /// Reads everything.
    pub(super) fn read(&mut self, clock: &dyn Fn() -> f64, when: When) -> Reading {
        let t_s = clock();
        let machine = self.machine.read(clock);
        let fresh = self.read_processes(clock, when);
        let seconds = |tree: &Tree| tree.used() as f64 / self.ticks;
        let known =
            |watched: &&Watched| fresh && matches!(watched.state, State::Found | State::Lost { ever: true, .. });
        let hidden = self.targets.iter().any(|watched| matches!(watched.state, State::Lost { ever: false, .. }));
        Reading {
            t_s,
            cores: cores(),
            regular: when != When::Edge,
            machine,
            targets: self.targets.iter().map(|w| Some(w).filter(known).map(|w| seconds(&w.tree))).collect(),
            held: self.targets.iter().map(|w| w.held(self.page)).collect(),
            all_targets: (fresh && !hidden).then(|| seconds(&self.together)),
        }
    }

    /// Reads the process table, if there is somebody to look for and its time has come, and takes it into the trees.
    /// Whether it was read.
    fn read_processes(&mut self, clock: &dyn Fn() -> f64, when: When) -> bool {
        if self.targets.is_empty() {
            return true;
        }
        let began = clock();
        let since = self.last_t.replace(began).map_or(1.0, |last| began - last);
        self.credit = (self.credit + since * BUDGET).min(BUDGET);
        // A window's edge is worth it always: its figures begin and end there. So is the last: nothing is measured any more.
        if when == When::Regular && self.credit < 0.0 {
            return false;
        }
        let Some(now) = snapshot() else { return false };
        self.credit -= clock() - began;
        self.together.step(&now);
        for watched in &mut self.targets {
            watched.tree.step(&now);
            watched.look(&now, &mut self.together);
        }
        true
    }
}

impl Watched {
    /// What its processes hold, if they are known.
    fn held(&self, page: u64) -> Option<Held> {
        if !matches!(self.state, State::Found) {
            return None;
        }
        let add = |sum: Memory, one: Memory| Memory {
            anonymous: sum.anonymous.saturating_add(one.anonymous),
            file: sum.file.saturating_add(one.file),
        };
        let memory = self.tree.pids().map(memory).try_fold(Memory::default(), |sum, one| Some(add(sum, one?)));
        Some(Held { bytes: self.tree.pages() * page, memory, threads: self.tree.threads() })
    }

    /// Looks for the processes, if they aren't known and it is time.
    fn look(&mut self, now: &Snapshot, together: &mut Tree) {
        let ever = match &mut self.state {
            State::Elsewhere => return,
            State::Found if self.tree.alive() => return,
            State::Found => true,
            State::Lost { again, .. } if *again > 0 => {
                *again -= 1;
                return;
            }
            State::Lost { ever, .. } => *ever,
        };
        self.state = match listeners(&self.endpoint) {
            Place::Elsewhere => State::Elsewhere,
            Place::Here(pids) => {
                self.tree.take_in(&pids, now);
                together.take_in(&pids, now);
                // Our own process serves it, or it came after the table was read.
                if self.tree.alive() { State::Found } else { State::Lost { again: LOOK_AGAIN, ever } }
            }
            Place::Hidden => State::Lost { again: LOOK_AGAIN, ever },
        };
    }
}
