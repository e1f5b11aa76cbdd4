//! How the machine fared while the load ran: what a run's figures have to be read with.

use serde::{Deserialize, Serialize};

/// How the machine fared over the measured part of a run; `None` where a thing could not be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Logical cores that this process may use.
    pub cores: Option<f64>,
    /// Cores that the machine's times below are of, where the kernel tells it: more than `cores` where this process is allowed
    /// a few of them only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_cores: Option<f64>,
    /// Cores kept busy by all processes, on average.
    pub busy_cores: Option<f64>,
    /// Cores kept busy by loadcmp itself, on average: its generator, and what writes and watches beside it.
    pub own_cores: Option<f64>,
    /// The most of it in one second.
    pub own_cores_most: Option<f64>,
    /// Cores that loadcmp may use: its generator's threads.
    pub own_cores_allowed: Option<f64>,
    /// Cores kept busy by each target's processes while it was measured, in the plan's order; `None` for one that isn't on
    /// this machine, or couldn't be found.
    #[serde(default)]
    pub target_cores: Vec<Option<f64>>,
    /// What each target's processes used and held, in the plan's order.
    #[serde(default)]
    pub targets: Vec<Used>,
    /// Cores kept busy by everything else: other processes on the machine. `None`, too, where a target is on this machine
    /// and its processes couldn't be found: they'd count as others.
    pub other_cores: Option<f64>,
    /// The same while each target was measured, in the plan's order: with `order: isolated` one may have shared the machine and
    /// another not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_cores_beside: Vec<Option<f64>>,
    /// Cores that the hypervisor gave to other machines meanwhile, on average: Linux's `steal`.
    #[serde(default)]
    pub stolen_cores: Option<f64>,
    /// Swap in use at its most, in bytes.
    pub swap_bytes: Option<u64>,
    /// Bytes swapped in or out meanwhile.
    pub swapped_bytes: Option<u64>,
    /// Lowest and highest mean frequency over the cores in one second, in MHz.
    pub frequency_mhz: Option<(f64, f64)>,
    /// Cores kept busy by the thread that reads all this: what watching itself cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watching_cores: Option<f64>,
    /// Energy that the processor packages took meanwhile, in joules, whoever worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_j: Option<f64>,
    /// What the graphics devices did meanwhile, NVIDIA's first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
    /// Files that readings could not be written to until the run's end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<Stopped>,
    /// Most by which the wall clock and the run's monotonic clock came to differ between two readings, in seconds.
    pub clock_jump_s: Option<f64>,
}

impl Conditions {
    /// Takes what is known there, and not here, of the targets' processes: of the same run, seen from another machine.
    pub fn learn_targets(&mut self, there: &Self) {
        self.targets.resize(self.targets.len().max(there.targets.len()), Used::default());
        self.target_cores.resize(self.target_cores.len().max(there.target_cores.len()), None);
        for (here, there) in self.targets.iter_mut().zip(&there.targets).filter(|(here, _)| **here == Used::default()) {
            here.clone_from(there);
        }
        for (here, there) in self.target_cores.iter_mut().zip(&there.target_cores) {
            *here = here.or(*there);
        }
    }
}

/// What a target's processes, with all they started, used and held; `None` where it isn't known. Memory is resident
/// memory in bytes; what several processes share counts for each of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Processor time while it was measured, in seconds, of all its cores together.
    pub cpu_s: Option<f64>,
    /// Memory when the run began, before anything was asked of it by loadcmp.
    pub rest_bytes: Option<u64>,
    /// The most memory while it was measured.
    pub peak_bytes: Option<u64>,
    /// The part of that peak which is of no file: heap, caches of keys and values, weights that were read and not mapped.
    pub peak_anonymous_bytes: Option<u64>,
    /// The part of that peak which is pages of files, such as weights that are mapped.
    pub peak_file_bytes: Option<u64>,
    /// Memory at the first reading of the time in which it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_bytes: Option<u64>,
    /// Memory at the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_bytes: Option<u64>,
    /// The most memory of the same server's processes that serve other models, which is in none of these figures; `None`
    /// where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_models_bytes: Option<u64>,
    /// Whether several processes may have been the model's, and all are counted for want of a word which was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unclear: bool,
    /// The most threads while it was measured.
    pub threads: Option<u64>,
    /// Their share of memory when the run began: of pages that several processes hold, each counts its part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_proportional_bytes: Option<u64>,
    /// The most of it that was seen while it was measured; it is read about every ten seconds, and at the edges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_proportional_bytes: Option<u64>,
    /// Page faults that needed no disk, while it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor_faults: Option<u64>,
    /// Page faults that waited for a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major_faults: Option<u64>,
    /// Bytes fetched from storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_read_bytes: Option<u64>,
    /// Context switches that threads asked for by waiting; of threads that ended, only up to the reading before their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voluntary_switches: Option<u64>,
    /// Context switches that were forced on threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub involuntary_switches: Option<u64>,
    /// The most memory of graphics devices while it was measured, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_peak_bytes: Option<u64>,
    /// Energy that the processor packages took while it was measured, in joules; `None` where another target worked at the
    /// same time, for a package can't be divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_j: Option<f64>,
    /// The same of the graphics devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_energy_j: Option<f64>,
    /// Seconds of the stretches through which its processes were gone, after they had been known: what those used that came
    /// in their place is missing in part.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub missed_s: f64,
    /// Whether this is what the engine published of itself: its processes were not seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub published: bool,
}

/// What a graphics device did over the measured part of a run; `None` for what it doesn't tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// The most of its memory that was in use, in bytes, whoever used it.
    pub peak_bytes: Option<u64>,
    /// Mean share of the time in which it had work.
    pub busy: Option<f64>,
    /// Mean power drawn, in watts.
    pub power_w: Option<f64>,
    /// Highest temperature, in degrees Celsius.
    pub temperature_c: Option<f64>,
    /// Energy taken, in joules.
    pub energy_j: Option<f64>,
}

/// A stretch of the run in which a target was measured, in seconds since the run's start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Position of the target in the plan.
    pub target: usize,
    /// When it began.
    pub from_s: f64,
    /// When it ended.
    pub to_s: f64,
}

/// A file that was given up in the midst of a run: a row must never hang on to half of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Its name.
    pub file: String,
    /// When, in seconds since the run's start.
    pub at_s: f64,
    /// Why.
    pub why: String,
}
fn is_nothing(seconds: &f64) -> bool {
    *seconds == 0.0
}
