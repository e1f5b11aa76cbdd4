//! Levels over the time of a run: memory of each process tree, frequency of the machine's cores. Read from `resources.csv`
//! once the run has ended, so that nothing of it is held while it goes on.

use crate::host::Usage;
use std::collections::BTreeMap;

/// Readings in the order of time: seconds since the run's start, and the value.
pub type Level = Vec<(f64, f64)>;

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// Cores kept busy since the reading before, by target, and by `loadcmp`.
    pub cores: BTreeMap<String, Level>,
    /// Resident memory in bytes, by target, and of `loadcmp`.
    pub memory: BTreeMap<String, Level>,
    /// Mean frequency over the machine's cores, in MHz.
    pub frequency: Level,
    /// Cores that all but loadcmp and the targets kept busy.
    pub others: Level,
    /// Memory that could be given without swapping, in bytes.
    pub available: Level,
}

impl Levels {
    /// Takes a row of `resources.csv`.
    pub fn push(&mut self, row: &Usage) {
        if row.who == "host" {
            self.frequency.extend(row.frequency_mhz.map(|mhz| (row.t_s, mhz)));
            self.others.extend(row.other_cores.map(|cores| (row.t_s, cores)));
            self.available.extend(row.available_bytes.map(|bytes| (row.t_s, bytes as f64)));
            return;
        }
        if let Some(cores) = row.cpu_cores {
            self.cores.entry(row.who.clone()).or_default().push((row.t_s, cores));
        }
        if let Some(bytes) = row.rss_bytes {
            self.memory.entry(row.who.clone()).or_default().push((row.t_s, bytes as f64));
        }
    }

    /// The cores that one of them kept busy; empty where that wasn't read.
    pub fn cores_of(&self, who: &str) -> &[(f64, f64)] {
        self.cores.get(who).map_or(&[], Vec::as_slice)
    }

    /// The memory of one of them; empty where it wasn't read.
    pub fn memory_of(&self, who: &str) -> &[(f64, f64)] {
        self.memory.get(who).map_or(&[], Vec::as_slice)
    }
}
