//! How the machine fared while the load ran: what a run's figures have to be read with.

use serde::{Deserialize, Serialize};

/// How the machine fared over the measured part of a run; `None` where a thing could not be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Logical cores of the machine.
    pub cores: Option<f64>,
    /// Cores kept busy by all processes, on average.
    pub busy_cores: Option<f64>,
    /// Cores kept busy by loadcmp itself, on average.
    pub own_cores: Option<f64>,
    /// The most of it in one second.
    pub own_cores_most: Option<f64>,
    /// Cores that loadcmp may use: its generator's threads.
    pub own_cores_allowed: Option<f64>,
    /// Cores kept busy by each target's processes, in the plan's order; `None` for one that isn't on this machine, or
    /// couldn't be found.
    #[serde(default)]
    pub target_cores: Vec<Option<f64>>,
    /// Cores kept busy by everything else: other processes on the machine.
    pub other_cores: Option<f64>,
    /// Swap in use at its most, in bytes.
    pub swap_bytes: Option<u64>,
    /// Bytes swapped in or out meanwhile.
    pub swapped_bytes: Option<u64>,
    /// Lowest and highest mean frequency over the cores in one second, in MHz.
    pub frequency_mhz: Option<(f64, f64)>,
    /// Most by which the wall clock and the run's monotonic clock came to differ between two readings, in seconds.
    pub clock_jump_s: Option<f64>,
}
