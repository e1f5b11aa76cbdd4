//! What graphics devices report of themselves, joined from their sources: NVIDIA's library, the Linux kernel's files for AMD's
//! and Intel's devices and for what processes hold of them, and what Apple's chips report.

#[cfg(target_os = "linux")]
mod fdinfo;
mod nvidia;
#[cfg(target_os = "linux")]
mod sysfs;

use std::collections::BTreeMap;

/// What one device stands at; `None` for what it doesn't tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Device {
    /// Its memory in use, in bytes, whoever uses it.
    pub(super) memory_bytes: Option<u64>,
    /// Share of the driver's last sampling period (up to a second) in which it had work.
    pub(super) busy: Option<f64>,
    /// Power drawn, in watts.
    pub(super) power_w: Option<f64>,
    /// Temperature in degrees Celsius.
    pub(super) temperature_c: Option<f64>,
    /// Energy taken since some beginning, in joules.
    pub(super) energy_j: Option<f64>,
    /// Whether it is a part of the processor's package: the package's counter has its energy.
    pub(super) in_package: bool,
}

/// What processes hold of a source's devices, in bytes; `None` for a process that may not be read.
pub(super) type HeldByProcess = BTreeMap<u32, Option<u64>>;

/// The devices at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Devices {
    /// In each source's order, NVIDIA's first.
    pub(super) all: Vec<Device>,
    /// What processes hold of them, by each source that tells: in many containers NVIDIA's doesn't.
    pub(super) held: Vec<HeldByProcess>,
    /// Processor time of a source's thread, in seconds: what reading costs besides the time of who looks.
    pub(super) thread_s: f64,
}

impl Devices {
    /// What these processes hold of the devices' memory. `None`, and not 0, where none of them is known to hold any: inside
    /// a container NVIDIA's driver tells the numbers that processes have outside. What one source may not read takes nothing
    /// from what another knows.
    pub(super) fn held_by(&self, pids: impl Iterator<Item = u32>) -> Option<u64> {
        let pids: Vec<u32> = pids.collect();
        let of = |held: &HeldByProcess| pids.iter().filter_map(|pid| held.get(pid).copied()).sum::<Option<u64>>();
        Some(self.held.iter().filter_map(of).sum()).filter(|bytes| *bytes > 0)
    }

    fn and(mut self, more: Self) -> Self {
        self.all.extend(more.all);
        self.held.extend(more.held);
        self.thread_s += more.thread_s;
        self
    }
}

/// What reads the devices, given the processes whose part of them is asked for.
pub(super) type Look = Box<dyn FnMut(&[u32]) -> Devices + Send>;

/// A look at the devices of all sources; `None` where there is none.
pub(super) fn look() -> Option<Look> {
    joined([nvidia::look(), system_look()].into_iter().flatten().collect())
}

fn joined(mut looks: Vec<Look>) -> Option<Look> {
    if looks.len() < 2 {
        return looks.pop();
    }
    Some(Box::new(move |pids| looks.iter_mut().map(|look| look(pids)).fold(Devices::default(), Devices::and)))
}

#[cfg(target_os = "linux")]
fn system_look() -> Option<Look> {
    sysfs::look()
}

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
fn system_look() -> Option<Look> {
    let chip = super::apple::Chip::watched()?;
    Some(Box::new(move |_| Devices { all: vec![of_chip(chip.now())], held: Vec::new(), thread_s: chip.thread_s() }))
}

#[cfg(not(any(target_os = "linux", all(target_os = "macos", target_arch = "aarch64"))))]
fn system_look() -> Option<Look> {
    None
}

/// Apple's device. Its memory is the machine's, of which nobody tells what is in use for graphics.
#[cfg(any(test, all(target_os = "macos", target_arch = "aarch64")))]
fn of_chip(now: super::apple::Stand) -> Device {
    Device {
        memory_bytes: None,
        busy: now.gpu_busy,
        power_w: now.gpu_w,
        temperature_c: now.gpu_c,
        energy_j: now.gpu_j,
        in_package: false,
    }
}

/// Each source that this system can have, and its devices with what they report; the error says why there are none.
pub(super) fn sources() -> Vec<(&'static str, Result<String, String>)> {
    #[cfg(target_os = "linux")]
    return vec![("GPU (NVML)", nvidia::names()), ("GPU (AMD, Intel)", sysfs::names())];
    #[cfg(all(target_os = "macos", target_arch = "aarch64"))]
    return vec![("GPU (IOReport)", super::apple::described())];
    #[cfg(all(target_os = "macos", not(target_arch = "aarch64")))]
    return vec![("GPU (IOReport)", Err("only Apple silicon has it, and this program is for Intel Macs".to_owned()))];
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    vec![("GPU (NVML)", nvidia::names()), ("GPU (AMD, Intel)", Err("read from the Linux kernel only".to_owned()))]
}

#[cfg(test)]
mod tests {
    use super::super::apple::Stand;
    use super::*;

    #[test]
    fn a_targets_part_is_its_processes() {
        let held = BTreeMap::from([(5, Some(100)), (6, Some(20)), (9, Some(7))]);
        let devices = Devices { held: vec![held.clone()], ..Devices::default() };
        assert_eq!(devices.held_by([5, 6, 7].into_iter()), Some(120));
        assert_eq!(devices.held_by([7].into_iter()), None, "nothing is claimed");
        assert_eq!(Devices::default().held_by([5].into_iter()), None);
        // Another source adds what it knows, and takes nothing away where it may not look.
        let both = Devices { held: vec![held, BTreeMap::from([(5, Some(3)), (6, None)])], ..Devices::default() };
        assert_eq!(both.held_by([5].into_iter()), Some(103));
        assert_eq!(both.held_by([5, 6].into_iter()), Some(120));
        let silent = Devices { held: vec![BTreeMap::from([(5, Some(3)), (6, None)])], ..Devices::default() };
        assert_eq!((silent.held_by([5, 6].into_iter()), silent.held_by([5].into_iter())), (None, Some(3)));
    }

    #[test]
    fn sources_are_joined_in_order() {
        let source = |watts: f64, pid: u32| -> Look {
            let device = Device { power_w: Some(watts), ..Device::default() };
            Box::new(move |pids| Devices {
                all: vec![device.clone()],
                held: vec![pids.iter().filter(|asked| **asked == pid).map(|pid| (*pid, Some(1))).collect()],
                thread_s: 0.25,
            })
        };
        let read = joined(vec![source(1.0, 7), source(2.0, 8)]).map(|mut look| look(&[8])).unwrap();
        assert_eq!(read.all.iter().map(|device| device.power_w).collect::<Vec<_>>(), [Some(1.0), Some(2.0)]);
        assert_eq!((read.held_by([7, 8].into_iter()), read.thread_s), (Some(1), 0.5));
        assert!(joined(Vec::new()).is_none());
    }

    #[test]
    fn a_chips_memory_is_no_devices() {
        let stand = Stand { gpu_busy: Some(0.25), gpu_w: Some(8.5), gpu_c: Some(51.0), gpu_j: Some(17.0), cpu_j: None };
        let device = Device {
            busy: Some(0.25),
            power_w: Some(8.5),
            temperature_c: Some(51.0),
            energy_j: Some(17.0),
            ..Device::default()
        };
        assert_eq!(of_chip(stand), device);
    }

    #[test]
    fn looking_is_free_of_errors_anywhere() {
        if let Some(mut look) = look() {
            look(&[std::process::id()]);
        }
        assert!(sources().into_iter().all(|(_, found)| !found.unwrap_or_else(|why| why).is_empty()));
    }
}
