//! What the Linux kernel tells of AMD's and Intel's graphics devices without root: /sys/class/drm/cardN/device, by the drivers
//! amdgpu (Documentation/gpu/amdgpu), i915 and xe (Documentation/ABI/testing/sysfs-driver-intel-*-hwmon).

use super::fdinfo::{Slot, held};
use super::{Device, Devices, Look};
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/class/drm";

/// The drivers whose files are known here, and whose devices they are.
const DRIVERS: [(&str, &str); 3] = [("amdgpu", "AMD"), ("i915", "Intel"), ("xe", "Intel")];

/// A device of one of these drivers.
#[derive(Clone, Debug)]
struct Card {
    driver: &'static str,
    vendor: &'static str,
    folder: PathBuf,
    /// The driver's sensors.
    hwmon: Option<PathBuf>,
    /// Its temperature at the edge of the die; where there is no such sensor, the hottest (AMD) or the package's (xe).
    temperature: Option<PathBuf>,
    /// The energy of the card, and not of the package on it, where both are counted.
    energy: Option<PathBuf>,
    slot: Slot,
}

/// The kernel's look; `None` where it has no such device.
pub(super) fn look() -> Option<Look> {
    let cards = cards(Path::new(ROOT));
    (!cards.is_empty()).then(|| Box::new(move |pids: &[u32]| read(&cards, Path::new("/proc"), pids)) as Look)
}

/// The devices' names, each with what it reports and what not; the error says why there are none.
pub(super) fn names() -> Result<String, String> {
    Ok(names_under(Path::new(ROOT))?.join(". "))
}

fn names_under(root: &Path) -> Result<Vec<String>, String> {
    let names: Vec<String> = cards(root).iter().map(Card::described).collect();
    if !names.is_empty() {
        return Ok(names);
    }
    let others: Vec<String> = folders(root).iter().filter_map(|card| driver(&card.join("device"))).collect();
    Err(match others.as_slice() {
        [] => "the kernel has no graphics device".to_owned(),
        others => format!("no device of amdgpu, i915 or xe; the kernel has {}", others.join(", ")),
    })
}

fn read(cards: &[Card], proc: &Path, pids: &[u32]) -> Devices {
    let slots: Vec<Slot> = cards.iter().map(|card| card.slot.clone()).collect();
    let all = cards.iter().filter(|card| card.has_figures()).map(Card::read).collect();
    Devices { all, held: vec![held(proc, pids, &slots)], thread_s: 0.0 }
}

/// The folders `card0`, `card1` …, and not their connectors (`card0-DP-1`), in the order of their numbers.
fn folders(root: &Path) -> Vec<PathBuf> {
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix("card")?.parse::<u32>().ok();
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<(u32, PathBuf)> = entries.filter_map(|path| Some((number(&path)?, path))).collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

fn cards(root: &Path) -> Vec<Card> {
    folders(root).iter().filter_map(|folder| Card::of(folder.join("device"))).collect()
}

/// The name of a device's driver.
fn driver(device: &Path) -> Option<String> {
    Some(std::fs::read_link(device.join("driver")).ok()?.file_name()?.to_str()?.to_owned())
}

impl Card {
    fn of(folder: PathBuf) -> Option<Self> {
        let driver = driver(&folder)?;
        let (driver, vendor) = DRIVERS.into_iter().find(|(name, _)| *name == driver)?;
        let pdev = std::fs::read_link(&folder).ok()?.file_name()?.to_str()?.to_owned();
        let sensors = std::fs::read_dir(folder.join("hwmon")).into_iter().flatten().flatten().map(|entry| entry.path());
        // i915 has others for parts of the device: `i915_gt0`.
        let hwmon = sensors.into_iter().find(|path| text(&path.join("name")).is_some_and(|name| name == driver));
        // The voltage of the northbridge: amdgpu has it for chips that are processor and graphics in one (but MI300A), and for no
        // card. Intel's are known by their clients, which have no memory but the machine's.
        let in_package = driver == "amdgpu" && hwmon.as_ref().is_some_and(|hwmon| hwmon.join("in1_input").exists());
        let slot = Slot { pdev, in_package };
        let mut card = Self { driver, vendor, folder, hwmon, temperature: None, energy: None, slot };
        card.temperature = card.sensor(&["temp1_input", "temp2_input"]);
        card.energy = card.sensor(&["energy1_input", "energy2_input"]);
        Some(card)
    }

    /// Whether there is a figure of the whole device: Intel's drivers have sensors of cards only.
    fn has_figures(&self) -> bool {
        self.driver == "amdgpu" || self.hwmon.is_some()
    }

    /// Whether it sleeps. Many a kernel would wake it to read a sensor.
    fn suspended(&self) -> bool {
        text(&self.folder.join("power/runtime_status")).is_some_and(|status| status == "suspended")
    }

    /// The first of these sensors that stands at something, else the first there is: one that stands at nothing may measure nothing.
    /// It is chosen once, so that two readings are of one sensor.
    fn sensor(&self, names: &[&str]) -> Option<PathBuf> {
        let there: Vec<PathBuf> =
            names.iter().map(|name| self.hwmon.as_ref().map(|hwmon| hwmon.join(name))).collect::<Option<_>>()?;
        let counts = |path: &&PathBuf| !self.suspended() && number(path).is_some_and(|number| number > 0);
        there.iter().find(counts).or_else(|| there.iter().find(|path| path.exists())).cloned()
    }

    /// What it stands at. A file that can't be read, as of a device that falls asleep, is a figure that isn't known.
    fn read(&self) -> Device {
        let in_package = self.slot.in_package;
        if self.suspended() {
            return Device { in_package, ..Device::default() };
        }
        let of = |name: &str| number(&self.folder.join(name));
        let power = |name: &str| self.hwmon.as_ref().and_then(|hwmon| number(&hwmon.join(name)));
        let sensor = |path: &Option<PathBuf>| path.as_deref().and_then(number).filter(|number| *number > 0);
        let own = of("mem_info_vram_used");
        let percent = of("gpu_busy_percent").filter(|percent| *percent <= 100);
        Device {
            // A card's own memory; in a package also what it has mapped of the machine's, where most of a model lies: what is set
            // aside for it may be half a gibibyte.
            memory_bytes: if in_package {
                own.zip(of("mem_info_gtt_used")).map(|(a, b)| a.saturating_add(b))
            } else {
                own
            },
            busy: percent.map(|percent| percent as f64 / 100.0),
            // In a package it is the processor's, too.
            power_w: ["power1_average", "power1_input"]
                .into_iter()
                .filter_map(power)
                .find(|microwatts| *microwatts > 0 && !in_package)
                .map(micro),
            temperature_c: sensor(&self.temperature).map(|thousandths| thousandths as f64 / 1e3),
            // A counter that stands at nothing counts nothing.
            energy_j: sensor(&self.energy).map(micro),
            in_package,
        }
    }

    /// For people: its name, what it reports now, and what not.
    fn described(&self) -> String {
        let id = |name: &str| text(&self.folder.join(name)).map(|id| id.trim_start_matches("0x").to_owned());
        let ids = id("vendor").zip(id("device")).map(|(vendor, device)| format!("{vendor}:{device}"));
        let product = text(&self.folder.join("product_name")).filter(|name| !name.is_empty());
        let name = product.or(ids).unwrap_or_else(|| self.slot.pdev.clone());
        let vendor = if name.starts_with(self.vendor) { String::new() } else { format!("{} ", self.vendor) };
        let name = format!("{vendor}{name} ({})", self.driver);
        if self.suspended() {
            return format!("{name}: suspended now, and not woken to be read");
        }
        let now = if self.has_figures() { self.read() } else { Device::default() };
        let amd = self.driver == "amdgpu";
        let power = if self.slot.in_package { "GPU and CPU have one figure" } else { "no sensor" };
        let figures = [
            ("memory", now.memory_bytes.is_some(), if amd { "no counter" } else { "the kernel shows it to root only" }),
            ("busy", now.busy.is_some(), if amd { "no counter" } else { "the kernel has it per process" }),
            // Where there is only a counter of energy, its growth is the power.
            ("power", now.power_w.or(now.energy_j).is_some(), power),
            ("temperature", now.temperature_c.is_some(), "no sensor"),
            ("energy", now.energy_j.is_some(), if amd { "not read" } else { "no counter" }),
            ("memory per process", true, ""),
        ];
        let there: Vec<&str> = figures.iter().filter(|(_, there, _)| *there).map(|(what, ..)| *what).collect();
        let missing = figures.iter().filter(|(_, there, _)| !there).map(|(what, _, why)| format!("{what} ({why})"));
        let missing = missing.collect::<Vec<_>>().join(", ");
        let missing = if missing.is_empty() { missing } else { format!("; not {missing}") };
        format!("{name}: {}{missing}", there.join(", "))
    }
}

fn micro(millionths: u64) -> f64 {
    millionths as f64 / 1e6
}

fn number(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

fn text(path: &Path) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests;
