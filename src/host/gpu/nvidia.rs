//! What NVIDIA's devices tell of themselves, by their library (NVML), which is loaded where it is there and costs nothing
//! where it isn't. NVML's door is this file.

use super::{Device, Devices, HeldByProcess, Look};
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;

/// The library's look; `None` where there is no library, no driver, or no device.
pub(super) fn look() -> Option<Look> {
    let (nvml, count) = opened().ok()?;
    Some(Box::new(move |_| read(&nvml, count)))
}

/// The devices' names; the error says why there are none.
#[cfg_attr(target_os = "macos", expect(dead_code, reason = "no Mac has such a device"))]
pub(super) fn names() -> Result<String, String> {
    let (nvml, count) = opened()?;
    let name = |at| nvml.device_by_index(at).and_then(|device| device.name()).map_err(|error| error.to_string());
    Ok((0..count).map(name).collect::<Result<Vec<_>, _>>()?.join(", "))
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
    let mut held = Some(HeldByProcess::new());
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
            in_package: false,
        });
        let computing = device.running_compute_processes().ok();
        held = held.zip(computing).and_then(|(sum, processes)| added(sum, processes));
    }
    devices.held.extend(held);
    devices
}

fn added(mut sum: HeldByProcess, processes: Vec<ProcessInfo>) -> Option<HeldByProcess> {
    for process in processes {
        let UsedGpuMemory::Used(bytes) = process.used_gpu_memory else { return None };
        let held = sum.entry(process.pid).or_insert(Some(0));
        *held = held.map(|before| before + bytes);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_silent_leaves_no_sum() {
        let process = |pid, used_gpu_memory| ProcessInfo {
            pid,
            used_gpu_memory,
            gpu_instance_id: None,
            compute_instance_id: None,
        };
        let told = added(HeldByProcess::from([(1, Some(5))]), vec![process(1, UsedGpuMemory::Used(7))]);
        assert_eq!(told, Some(HeldByProcess::from([(1, Some(12))])));
        assert_eq!(added(HeldByProcess::new(), vec![process(1, UsedGpuMemory::Unavailable)]), None);
    }

    #[test]
    fn looking_is_free_of_errors_anywhere() {
        if let Some(mut look) = look() {
            assert!(!look(&[]).all.is_empty());
        }
    }
}
