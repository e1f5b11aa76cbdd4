//! One reading of the machine and of each target's processes, and what makes them.

use super::counts::Counts;
use super::energy::Packages;
use super::gpu::{Device, Devices, Look, look};
use super::lookup::{ProcessHoldings, ProcessLookup, WatchedTarget};
use super::machine::{Counters, Machine, cores, page_bytes, ticks_per_second};
use super::processes::snapshot;
use super::tree::Tree;
use std::collections::BTreeSet;

/// What everything stood at, at one instant. Times are sums since the first reading, in core-seconds.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Seconds since the run's start.
    pub(super) t_s: f64,
    /// Logical cores.
    pub(super) cores: usize,
    /// Whether it is one of those a period apart, and not one at a window's edge.
    pub(super) regular: bool,
    /// Whether it is the last of all.
    pub(super) last: bool,
    pub(super) machine: Counters,
    /// Processor time of each target's processes; `None` for those not found, or not read this time.
    pub(super) targets: Vec<Option<f64>>,
    /// What each target's processes hold; `None` for those not found.
    pub(super) held: Vec<Option<ProcessHoldings>>,
    /// What each target's processes counted.
    pub(super) counts: Vec<Counts>,
    /// What each graphics device stands at.
    pub(super) gpus: Vec<Device>,
    /// Energy that the processor packages took, in joules.
    pub(super) energy_j: Option<f64>,
    /// Processor time of the thread that reads, and of one that reads devices for it.
    pub(super) watching_s: Option<f64>,
    /// Lowest and highest mean frequency over the cores since the reading before, in MHz.
    pub(super) frequency_mhz: Option<(f64, f64)>,
    /// The most cores that loadcmp kept busy in one second since the reading before.
    pub(super) own_most: Option<f64>,
    /// Most by which the wall clock and the run's came to differ since the reading before, in seconds.
    pub(super) jump_s: Option<f64>,
    /// Processor time of the targets' processes together, each once; `None` if one is on this machine and wasn't found.
    pub(super) all_targets: Option<f64>,
}

/// Processor time that reading the process table may take of each second on average, in seconds: on a machine of thousands of
/// processes it is read less often. So may the graphics devices.
const BUDGET: f64 = 0.005;

/// Least seconds between two regular readings of what is dear to read: shares of memory, context switches of each thread.
const SELDOM: f64 = 10.0;

/// And between such readings for windows' edges.
const LEAST_SELDOM: f64 = 1.0;

/// Most of the time that these dear readings may take: one that took long is followed by a longer wait.
const SELDOM_SHARE: f64 = 0.005;

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

/// Time that a kind of reading may take, on average.
struct Allowance {
    /// Time not yet spent, in seconds; below zero while it must wait.
    credit: f64,
    last_t: Option<f64>,
}

impl Allowance {
    /// Whether there is any left at `now`.
    fn left(&mut self, now: f64) -> bool {
        let since = self.last_t.replace(now).map_or(1.0, |last| now - last);
        self.credit = (self.credit + since * BUDGET).min(BUDGET);
        self.credit >= 0.0
    }
}

/// Processor time of this thread, or else the time by the clock: what reading costs others. On a busy machine a reading may
/// take long and cost little.
fn spent(clock: &dyn Fn() -> f64) -> f64 {
    super::machine::thread_processor_time().unwrap_or_else(clock)
}

/// Makes readings.
pub(super) struct Reader {
    machine: Machine,
    packages: Packages,
    gpu: Option<Look>,
    devices: Devices,
    targets: Vec<WatchedTarget>,
    /// All targets' processes as one: two targets may be served by the same.
    together: Tree,
    ticks: f64,
    page: u64,
    table: Allowance,
    gpus: Allowance,
    /// When what is dear was read last, and how long that took.
    dear: Option<(f64, f64)>,
}

impl Reader {
    pub(super) fn new(targets: Vec<ProcessLookup>) -> Self {
        Self::with(targets, look())
    }

    /// One that reads the graphics devices by `gpu`.
    fn with(targets: Vec<ProcessLookup>, gpu: Option<Look>) -> Self {
        let allowance = || Allowance { credit: 0.0, last_t: None };
        Self {
            machine: Machine::new(),
            packages: Packages::new(),
            gpu,
            devices: Devices::default(),
            targets: targets.into_iter().map(WatchedTarget::new).collect(),
            together: Tree::new(std::process::id()),
            ticks: ticks_per_second(),
            page: page_bytes(),
            table: allowance(),
            gpus: allowance(),
            dear: None,
        }
    }

    /// Reads everything.
    pub(super) fn read(&mut self, clock: &dyn Fn() -> f64, when: When) -> Reading {
        let t_s = clock();
        let machine = self.machine.read(clock);
        let energy_j = self.packages.joules();
        let fresh = self.read_processes(clock, when);
        self.read_devices(clock, when);
        let seconds = |tree: &Tree| tree.used() as f64 / self.ticks;
        let hidden = self.targets.iter().any(WatchedTarget::hidden);
        let dear = fresh && self.worth_it(t_s, when);
        let began = spent(clock);
        let held: Vec<_> = self.targets.iter().map(|target| target.held(self.page, dear, &self.devices)).collect();
        let counts = self.targets.iter_mut().map(|target| if fresh { target.counts(dear) } else { Counts::default() });
        let counts = counts.collect();
        if dear {
            self.dear = Some((t_s, spent(clock) - began));
        }
        Reading {
            t_s,
            cores: cores(),
            regular: when != When::Edge,
            last: when == When::Last,
            machine,
            targets: self.targets.iter().map(|t| (fresh && t.known()).then(|| seconds(&t.tree))).collect(),
            held,
            counts,
            gpus: self.devices.all.clone(),
            energy_j,
            watching_s: super::machine::thread_processor_time().map(|time| time + self.devices.thread_s),
            all_targets: (fresh && !hidden).then(|| seconds(&self.together)),
            frequency_mhz: machine.frequency_mhz.map(|mhz| (mhz, mhz)),
            own_most: None,
            jump_s: None,
        }
    }

    /// Whether it is time for what is dear to read.
    fn worth_it(&self, t_s: f64, when: When) -> bool {
        let Some((last, took)) = self.dear.filter(|_| when != When::Last) else { return true };
        let least = if when == When::Regular { SELDOM } else { LEAST_SELDOM };
        t_s - last >= least.max(took / SELDOM_SHARE)
    }

    /// Reads the process table, if there is somebody to look for and its time has come, and takes it into the trees.
    /// Whether it was read.
    fn read_processes(&mut self, clock: &dyn Fn() -> f64, when: When) -> bool {
        if self.targets.is_empty() {
            return true;
        }
        let began = spent(clock);
        // A window's edge is worth it always: its figures begin and end there. So is the last: nothing is measured any more.
        if !self.table.left(clock()) && when == When::Regular {
            return false;
        }
        let Some(now) = snapshot() else { return false };
        self.table.credit -= spent(clock) - began;
        let mut found = Vec::new();
        for target in &mut self.targets {
            target.step(&now);
            found.extend(target.look(&now));
        }
        self.together.leave_apart(self.nobodys());
        self.together.step(&now);
        self.together.take_in(&found, &now);
        true
    }

    /// Processes that serve no target's model, under servers that do.
    fn nobodys(&self) -> BTreeSet<u32> {
        let is_anybodys = |pid: &u32| self.targets.iter().any(|target| target.tree.pids().any(|own| own == *pid));
        self.targets.iter().flat_map(WatchedTarget::apart).copied().filter(|pid| !is_anybodys(pid)).collect()
    }

    /// Reads the graphics devices, if there are any and their time has come.
    fn read_devices(&mut self, clock: &dyn Fn() -> f64, when: When) {
        let Some(look) = &mut self.gpu else { return };
        let began = spent(clock);
        if self.gpus.left(clock()) || when != When::Regular {
            let pids: Vec<u32> = self.targets.iter().flat_map(|target| target.tree.pids()).collect();
            self.devices = look(&pids);
            self.gpus.credit -= spent(clock) - began;
        } else {
            // What they stood at before is not what they stand at.
            let all = vec![Device::default(); self.devices.all.len()];
            self.devices = Devices { all, held: Vec::new(), thread_s: self.devices.thread_s };
        }
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ProcessSpec;
    use crate::scenario::plan::Endpoint;
    use std::collections::BTreeMap;

    #[test]
    fn devices_are_read_and_a_targets_part_of_them_is_its_processes() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        // A process so young has no memory to speak of: its own program isn't loaded yet.
        while std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() != "sleep\n" {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        let look: Look = Box::new(move |pids| {
            assert!(pids.is_empty() || pids == [pid], "a target's processes are asked for");
            Devices {
                all: vec![Device { memory_bytes: Some(9 << 30), busy: Some(0.5), ..Device::default() }],
                held: vec![BTreeMap::from([(pid, Some(3 << 30)), (1, Some(6 << 30))])],
                thread_s: 0.0,
            }
        });
        let endpoint = Endpoint::Unix { path: "/nowhere/x.sock".into() };
        let sought = ProcessLookup {
            name: "x".to_owned(),
            endpoint,
            process: Some(ProcessSpec::Pid(pid)),
            model: Default::default(),
        };
        let mut reader = Reader::with(vec![sought], Some(look));
        let reading = reader.read(&|| 1.0, When::Regular);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(reading.gpus[0].memory_bytes, Some(9 << 30));
        let held = reading.held[0].expect("the process is there");
        assert_eq!((held.gpu_bytes, held.threads), (Some(3 << 30), 1));
        // The kernel counts the pages of a process so young in batches: only what it sums up by itself is sure to be there.
        assert!(held.memory.is_some_and(|m| m.anonymous + m.file > 10_000), "{reading:?}");
        assert_eq!(reading.counts[0].minor_faults, Some(0));
        assert!(reading.counts[0].voluntary.is_some(), "what is dear is read at the beginning");
        // It is gone for good: its number may become another's.
        let gone = reader.read(&|| 2.0, When::Last);
        assert_eq!((gone.held[0], gone.targets[0]), (None, Some(0.0)), "what it used is kept");
    }
}
