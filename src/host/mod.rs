//! What the machine is, what it and the targets' processes did meanwhile, and what it can be measured to. sysinfo's and
//! /proc's door is this room.
//!
//! `machine` reads counters, `gpu` and `energy` the devices' and packages', `apple` those of Apple's chips; `processes` finds who listens and reads the
//! process table, `detail` what it doesn't hold; `tree` sums the time of processes that come and go, `counts` what they
//! count, `sought` is one target's; `argv` reads command lines, by which `models` tells a model's processes from others', and
//! `served` what they were started with. `reading` puts them together, `watch` does it once a second, `usage` makes rows of it
//! as it goes, `thin` keeps what `folded` makes `conditions` of, and `recall` makes it again of rows; `published` is what engines
//! told of themselves. `signals` hears that this process is to end, `group` starts processes and ends them. `calibration` is what is
//! kept of the machine from run to run; `abilities` are what a machine lets a run measure at all; `mutex` is how every room
//! locks one.
//!
//! No host name and no user name is read: a report is meant to be shown to others.

mod abilities;
#[cfg(any(test, all(target_os = "macos", target_arch = "aarch64")))]
mod apple;
mod argv;
mod calibration;
mod conditions;
mod counts;
mod detail;
mod downsample;
mod energy;
mod gpu;
mod group;
mod limits;
mod lookup;
mod machine;
mod models;
mod mutex;
mod probe;
mod processes;
mod published;
mod reading;
mod recall;
mod served;
mod signals;
mod tree;
mod usage;
mod watch;
mod windows;

pub use abilities::{Ability, Doctor, abilities};
pub use calibration::{
    Bound, CALIBRATION_VERSION, Calibration, Floor, INSTRUMENT, Rate, Streams, Transport, Wire, calibration_path,
    least_difference_us, least_first_token_difference_us,
};
pub use conditions::{Conditions, Gpu, Stopped, Stretch, Used};
#[cfg(target_os = "linux")]
pub use group::ends_with_parent;
pub use group::{Exit, ProcessGroup, own_group};
pub use limits::{OTHER_FILES, is_own_limit, local_ports, open_files, raise_open_files};
pub use lookup::ProcessLookup;
pub use machine::own_processor_time;
pub use models::Model;
pub use mutex::lock;
pub use probe::{Probe, READ_BYTES, memory, read, rounds};
pub use processes::listens_at_both;
pub use published::Published;
pub use recall::Recall;
pub use served::{Environment, Served, WeightsFile, served};
pub use signals::{OnSignal, catch_signals, signalled, signals};
pub use usage::Usage;
pub use watch::{Edges, Watch, Watched};

#[cfg(test)]
pub(crate) mod fixture;

use crate::scenario::ProcessSpec;
use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Facts about the machine; `None` if not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Facts {
    /// Operating system with its version.
    pub os: Option<String>,
    /// Version of the kernel.
    pub kernel: Option<String>,
    /// Model of the processor.
    pub cpu: Option<String>,
    /// Logical cores.
    pub logical_cores: Option<usize>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
}

impl Facts {
    /// What tells two machines apart, if anything does: what it is, of this one, and of the other. Patch levels of a kernel,
    /// and memory, are no other machine.
    pub fn unlike(&self, other: &Facts) -> Option<(&'static str, String, String)> {
        let major = |facts: &Facts| facts.kernel.as_deref().and_then(|k| k.split('.').next()).map(str::to_owned);
        let cores = |facts: &Facts| facts.logical_cores.map(|n| n.to_string());
        let pairs = [
            ("CPU", self.cpu.clone(), other.cpu.clone()),
            ("number of cores", cores(self), cores(other)),
            ("kernel", major(self), major(other)),
        ];
        let shown = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
        let found = pairs.into_iter().find(|(_, a, b)| a != b);
        found.map(|(what, a, b)| (what, shown(a), shown(b)))
    }
}

/// Threads that drive requests: two, where there are two cores. A token that arrives while another is being parsed is
/// still stamped when it arrives; more would only take cores from engines on the same machine.
pub fn generator_threads() -> usize {
    machine::cores().min(2)
}

/// The processes of this machine that a scenario means by `process`: none, if there is no such one now.
pub fn processes_of(process: &ProcessSpec) -> Vec<u32> {
    match process {
        ProcessSpec::Pid(pid) => Some(*pid).filter(|pid| processes::exists(*pid)).into_iter().collect(),
        ProcessSpec::Name(name) => processes::named(name),
    }
}

/// Reads the facts of this machine.
pub fn facts() -> Facts {
    let what =
        RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what).ok();
    let cpus = system.as_ref().map(System::cpus).unwrap_or_default();
    let text = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
    Facts {
        os: System::long_os_version().ok().as_deref().and_then(text),
        kernel: System::kernel_version().ok().as_deref().and_then(text),
        cpu: cpus.first().and_then(|cpu| text(cpu.brand())),
        logical_cores: Some(cpus.len()).filter(|n| *n > 0),
        memory_bytes: system.map(|system| system.total_memory()).filter(|bytes| *bytes > 0),
    }
}

/// Bytes of memory that a program could still have on this machine: all but what is in use and can't be given up, and no more
/// than the container's limit. `None` where the machine doesn't tell.
pub fn memory_left() -> Option<u64> {
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what).ok()?;
    // What a container has taken counts its files in memory, too: its limit is compared, not what it says is free.
    let limit = system.cgroup_limits().map(|limits| limits.total_memory).filter(|bytes| *bytes > 0);
    let left = Some(system.available_memory()).filter(|bytes| *bytes > 0);
    left.into_iter().chain(limit).min()
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_has_cores_and_memory() {
        assert!(super::memory_left().is_some_and(|bytes| bytes > 1 << 20));
        let facts = super::facts();
        assert!(facts.logical_cores.is_some_and(|n| n > 0), "{facts:?}");
        assert!(facts.memory_bytes.is_some_and(|bytes| bytes > 1 << 20), "{facts:?}");
        assert!(facts.kernel.is_some(), "{facts:?}");
    }
}
