//! What this machine lets a run measure, and what not and why: the host's part of `loadcmp doctor`.

use super::machine::{Counters, Machine};
use super::{Facts, gpu, limits};
use crate::metrics::human::count;
use serde::Serialize;

/// Connections that a run of some size needs, with its other files.
const ENOUGH_FILES: u64 = 1024 + limits::OTHER_FILES;

/// One thing that a run measures, or needs of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ability {
    /// What, in a word or two.
    pub what: &'static str,
    /// Whether it can be had here.
    pub available: bool,
    /// What was found, or why it can't be had.
    pub found: String,
    /// What to do about it, where something can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Ability {
    /// Something that can be had.
    pub fn there(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, available: true, found: found.into(), advice: None }
    }

    /// Something that can't, and why.
    pub fn missing(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, available: false, found: why.into(), advice: None }
    }

    /// With what to do about it.
    pub fn advised(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// What a bug report needs to know of a machine. Neither its name nor its user's is in it; addresses of
/// engines that the environment gives are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doctor {
    /// This program and its version.
    pub tool: &'static str,
    /// The machine.
    pub machine: Facts,
    /// What can be measured, and what not and why.
    pub abilities: Vec<Ability>,
    /// The engines at their usual addresses.
    pub engines: Vec<Ability>,
}

/// What the machine has of each.
pub fn abilities() -> Vec<Ability> {
    let read = Machine::new().read(&|| 0.0);
    let mut all = vec![timer(), cpu_time(&read), other_users(), frequency(&read), energy()];
    all.extend(gpus());
    all.extend([open_files(), ports()]);
    all
}

/// By what requests of an open loop are released.
fn timer() -> Ability {
    if cfg!(target_os = "linux") {
        Ability::there("timer", "the kernel's (timerfd): requests are released within some tens of microseconds")
    } else {
        Ability::there("timer", "a thread's sleep; `pacing: precise` adds a spin and takes a core")
    }
}

fn cpu_time(read: &Counters) -> Ability {
    match (read.cores, read.busy_s) {
        (Some(cores), _) => {
            let whence = if cfg!(target_os = "linux") { ", from /proc" } else { "" };
            Ability::there("CPU time", format!("of {cores} cores and of each process{whence}"))
        }
        (None, Some(_)) => Ability::there("CPU time", "from the system's shares of the last second"),
        (None, None) => Ability::missing("CPU time", "the system's table of CPU times can't be used (a container?)"),
    }
}

/// Engines are often services, run by another user.
fn other_users() -> Ability {
    let what = "other users' processes";
    if !cfg!(target_os = "linux") {
        return Ability::there(what, "as far as the system allows");
    }
    // Whose open sockets can be read is whose process is found by its port.
    match std::fs::read_dir("/proc/1/fd") {
        Ok(_) => Ability::there(what, "an engine is found by its port whoever runs it"),
        Err(_) => {
            Ability::missing(what, "an engine of another user isn't found by its port: no memory and no CPU of it")
                .advised("run loadcmp as the engine's user or as root, or name it with `process:`")
        }
    }
}

fn frequency(read: &Counters) -> Ability {
    match read.frequency_mhz {
        Some(mhz) => Ability::there("CPU frequency", format!("{:.1} GHz now", mhz / 1e3)),
        None => Ability::missing("CPU frequency", "the system doesn't publish it, as in many virtual machines"),
    }
}

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
fn energy() -> Ability {
    let what = "energy (IOReport)";
    super::apple::cpu_described().map_or_else(|why| Ability::missing(what, why), |found| Ability::there(what, found))
}

#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
fn energy() -> Ability {
    if !cfg!(target_os = "linux") {
        return Ability::missing("energy", "read on Linux and Apple silicon only");
    }
    match super::energy::packages() {
        (0, 0) => Ability::missing("energy (RAPL)", "the kernel publishes no CPU package, as in virtual machines"),
        (0, _) => Ability::missing("energy (RAPL)", "only root may read it")
            .advised("chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj, at each start of the machine"),
        (readable, _) => Ability::there("energy (RAPL)", format!("{readable} CPU packages")),
    }
}

/// One for each source that this system can have.
fn gpus() -> impl Iterator<Item = Ability> {
    gpu::sources().into_iter().map(|(source, found)| match found {
        Ok(devices) => Ability::there(source, devices),
        Err(why) => Ability::missing(source, why),
    })
}

fn open_files() -> Ability {
    let what = "open files";
    match limits::open_files() {
        None => Ability::there(what, "no limit"),
        Some(most) if most >= ENOUGH_FILES => Ability::there(what, format!("{} at most", count(most))),
        Some(most) => Ability::missing(
            what,
            format!("{} at most: about {} connections", count(most), count(most.saturating_sub(limits::OTHER_FILES))),
        )
        .advised("raise the limit: ulimit -n 65536"),
    }
}

fn ports() -> Ability {
    match limits::local_ports() {
        Some(ports) => Ability::there("local ports", format!("{} connections to one address at most", count(ports))),
        None => Ability::there("local ports", "the system doesn't publish how many"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_with_its_reason() {
        let all = abilities();
        let names: std::collections::BTreeSet<&str> = all.iter().map(|ability| ability.what).collect();
        assert_eq!(names.len(), all.len(), "{all:?}");
        assert!(all.iter().all(|ability| !ability.found.is_empty()), "{all:?}");
    }
}
