//! What NVIDIA's devices tell of themselves, by their library (NVML), which is loaded where it is there and costs nothing
//! where it isn't. NVML's door is this file.

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
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
}

/// The devices at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Devices {
    /// In the library's order.
    pub(super) all: Vec<Device>,
    /// Memory of the devices that each process holds, in bytes; `None` where the driver won't tell of processes, as in
    /// many containers.
    pub(super) held: Option<BTreeMap<u32, u64>>,
}

impl Devices {
    /// What these processes hold of the devices' memory. `None`, and not 0, where none of them is known to hold any: inside
    /// a container the driver tells the numbers that processes have outside.
    pub(super) fn held_by(&self, pids: impl Iterator<Item = u32>) -> Option<u64> {
        let held = self.held.as_ref()?;
        Some(pids.filter_map(|pid| held.get(&pid)).sum()).filter(|bytes| *bytes > 0)
    }
}

/// What reads them: NVML, or a test.
pub(super) type Look = Box<dyn FnMut() -> Devices + Send>;

/// The library's look; `None` where there is no library, no driver, or no device.
pub(super) fn look() -> Option<Look> {
    let (nvml, count) = opened().ok()?;
    Some(Box::new(move || read(&nvml, count)))
}

/// The devices' names; the error says why there are none.
pub(super) fn names() -> Result<Vec<String>, String> {
    let (nvml, count) = opened()?;
    let name = |at| nvml.device_by_index(at).and_then(|device| device.name()).map_err(|error| error.to_string());
    (0..count).map(name).collect()
}

/// The library, and how many devices it has: one at least. The error is in words.
fn opened() -> Result<(Nvml, u32), String> {
    let nvml = Nvml::init().map_err(|error| match error {
        NvmlError::LibloadingError(_) => "NVML not found: there is no NVIDIA driver".to_owned(),
        other => format!("NVML doesn't start: {other}"),
    })?;
    match nvml.device_count().map_err(|error| error.to_string())? {
        0 => Err("NVML finds no device".to_owned()),
        count => Ok((nvml, count)),
    }
}

fn read(nvml: &Nvml, count: u32) -> Devices {
    let mut devices = Devices::default();
    // Of whom all devices tell: what one is silent about would be missing from the sum.
    let mut held = Some(BTreeMap::new());
    for device in (0..count).map(|at| nvml.device_by_index(at)) {
        let Ok(device) = device else {
            devices.all.push(Device::default());
            held = None;
            continue;
        };
        devices.all.push(Device {
            memory_bytes: device.memory_info().ok().map(|memory| memory.used),
            busy: device.utilization_rates().ok().map(|rates| f64::from(rates.gpu) / 100.0),
            power_w: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
            temperature_c: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
            energy_j: device.total_energy_consumption().ok().map(|millijoules| millijoules as f64 / 1e3),
        });
        let computing = device.running_compute_processes().ok();
        held = held.zip(computing).and_then(|(sum, processes)| added(sum, processes));
    }
    devices.held = held;
    devices
}

fn added(mut sum: BTreeMap<u32, u64>, processes: Vec<ProcessInfo>) -> Option<BTreeMap<u32, u64>> {
    for process in processes {
        let UsedGpuMemory::Used(bytes) = process.used_gpu_memory else { return None };
        *sum.entry(process.pid).or_default() += bytes;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_targets_part_is_its_processes() {
        let held = Some(BTreeMap::from([(5, 100), (6, 20), (9, 7)]));
        let devices = Devices { held, ..Devices::default() };
        assert_eq!(devices.held_by([5, 6, 7].into_iter()), Some(120));
        assert_eq!(devices.held_by([7].into_iter()), None, "nothing is claimed");
        assert_eq!(Devices::default().held_by([5].into_iter()), None);
    }

    #[test]
    fn one_that_is_silent_leaves_no_sum() {
        let process = |pid, used_gpu_memory| ProcessInfo {
            pid,
            used_gpu_memory,
            gpu_instance_id: None,
            compute_instance_id: None,
        };
        let told = added(BTreeMap::from([(1, 5)]), vec![process(1, UsedGpuMemory::Used(7))]);
        assert_eq!(told, Some(BTreeMap::from([(1, 12)])));
        assert_eq!(added(BTreeMap::new(), vec![process(1, UsedGpuMemory::Unavailable)]), None);
    }

    #[test]
    fn looking_is_free_of_errors_anywhere() {
        if let Some(mut look) = look() {
            assert!(!look().all.is_empty());
        }
    }
}
