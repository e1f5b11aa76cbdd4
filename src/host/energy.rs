//! Energy that the processor packages took, where the kernel tells it (RAPL: /sys/class/powercap) or Apple's chip does, whose
//! CPU it is. It is the whole package's: of two engines that work at once nobody can say whose it was.

use std::path::{Path, PathBuf};

/// Where the kernel keeps them.
const ROOT: &str = "/sys/class/powercap";

/// The packages' counters, each with what it stood at.
#[derive(Debug, Default)]
pub(super) struct Packages {
    counters: Vec<Counter>,
    total_uj: u64,
    #[cfg(all(target_os = "macos", target_arch = "aarch64"))]
    chip: Option<super::apple::Chip>,
}

#[derive(Debug)]
struct Counter {
    path: PathBuf,
    /// It begins at 0 again after this.
    range_uj: u64,
    last_uj: u64,
}

impl Packages {
    /// Those of this machine that may be read; often only root may.
    pub(super) fn new() -> Self {
        Self {
            #[cfg(all(target_os = "macos", target_arch = "aarch64"))]
            chip: super::apple::Chip::watched(),
            ..Self::under(Path::new(ROOT))
        }
    }

    fn under(root: &Path) -> Self {
        let folders = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut counters: Vec<Counter> = folders.filter_map(|folder| Counter::in_folder(&folder)).collect();
        counters.sort_by(|a, b| a.path.cmp(&b.path));
        Self { counters, ..Self::default() }
    }

    /// Joules taken since the first look; `None` where nothing is told. It has to be asked before a counter is round: a
    /// minute or more at any package's full power.
    pub(super) fn joules(&mut self) -> Option<f64> {
        #[cfg(all(target_os = "macos", target_arch = "aarch64"))]
        if let Some(chip) = &self.chip {
            return chip.now().cpu_j;
        }
        for counter in &mut self.counters {
            let now = number(&counter.path)?;
            self.total_uj += grown(counter.last_uj, now, counter.range_uj)?;
            counter.last_uj = now;
        }
        (!self.counters.is_empty()).then_some(self.total_uj as f64 / 1e6)
    }
}

/// How many packages may be read, and how many there are.
#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
pub(super) fn packages() -> (usize, usize) {
    let folders = std::fs::read_dir(ROOT).into_iter().flatten().flatten();
    (Packages::under(Path::new(ROOT)).counters.len(), folders.filter(|entry| is_package(&entry.path())).count())
}

/// Whether a folder is a whole package's. Its parts (`intel-rapl:0:1`) are in it, and the whole platform's (`psys`) has it in
/// itself.
fn is_package(folder: &Path) -> bool {
    let zone = folder.file_name().and_then(|name| name.to_str()?.strip_prefix("intel-rapl:"));
    let named = || std::fs::read_to_string(folder.join("name")).is_ok_and(|name| name.starts_with("package"));
    zone.is_some_and(|zone| !zone.contains(':')) && named()
}

impl Counter {
    /// A package's own counter.
    fn in_folder(folder: &Path) -> Option<Self> {
        let path = is_package(folder).then(|| folder.join("energy_uj"))?;
        Some(Self { range_uj: number(&folder.join("max_energy_range_uj"))?, last_uj: number(&path)?, path })
    }
}

/// What a counter that begins again after `range` went on by; `None` for what can't be.
fn grown(before: u64, now: u64, range: u64) -> Option<u64> {
    if now >= before { Some(now - before) } else { range.checked_sub(before)?.checked_add(now) }
}

fn number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(root: &Path, zone: &str, name: &str, uj: u64) {
        let folder = root.join(zone);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("name"), format!("{name}\n")).unwrap();
        std::fs::write(folder.join("max_energy_range_uj"), "1000000\n").unwrap();
        std::fs::write(folder.join("energy_uj"), format!("{uj}\n")).unwrap();
    }

    #[test]
    fn packages_are_summed_round_their_ends_and_nothing_is_counted_twice() {
        let root = tempfile::tempdir().unwrap();
        let set = |a, b| {
            zone(root.path(), "intel-rapl:0", "package-0", a);
            zone(root.path(), "intel-rapl:1", "package-1", b);
            zone(root.path(), "intel-rapl:0:0", "core", a);
            zone(root.path(), "intel-rapl:2", "psys", a + b);
            zone(root.path(), "intel-rapl-mmio:0", "package-0", a);
        };
        set(900_000, 10);
        let mut packages = Packages::under(root.path());
        assert_eq!(packages.joules(), Some(0.0));
        set(950_000, 10);
        assert_eq!(packages.joules(), Some(0.05));
        set(100_000, 500_010);
        assert_eq!(packages.joules(), Some(0.05 + 0.15 + 0.5));
        // One that can't be read any more leaves nothing to tell.
        std::fs::remove_file(root.path().join("intel-rapl:1/energy_uj")).unwrap();
        assert_eq!(packages.joules(), None);
    }

    #[test]
    fn where_nothing_is_told_nothing_is_known() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Packages::under(root.path()).joules(), None);
        assert_eq!(Packages::under(&root.path().join("nowhere")).joules(), None);
        zone(root.path(), "intel-rapl:0", "package-0", 1);
        std::fs::write(root.path().join("intel-rapl:0/energy_uj"), "x").unwrap();
        assert_eq!(Packages::under(root.path()).joules(), None);
    }

    proptest! {
        #[test]
        fn round_its_end_or_not_it_is_what_was_taken(range in 1_u64..u64::MAX / 4, at: u64, by: u64) {
            let (before, by) = (at % range, by % range);
            let now = if before + by > range { before + by - range } else { before + by };
            prop_assert_eq!(grown(before, now, range), Some(by));
        }
    }
}
