//! When requests leave in an open loop: instants built before the run, the same for every target.

use crate::record::Nanos;

/// The instants of an open loop, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Before the measured window: offsets from the lane's start, below the length of the warm-up.
    warmup: Vec<Nanos>,
    /// Inside it: offsets from the window's opening, below its length. Place `n` is unit `n` of the measured phase.
    measure: Vec<Nanos>,
}

impl Arrivals {
    /// Arrivals at known instants; each list must be in order.
    pub fn at(warmup: Vec<Nanos>, measure: Vec<Nanos>) -> Self {
        Self { warmup, measure }
    }

    /// Offsets of the warm-up's arrivals from the lane's start.
    pub fn warmup(&self) -> &[Nanos] {
        &self.warmup
    }

    /// Offsets of the measured arrivals from the window's opening.
    pub fn measure(&self) -> &[Nanos] {
        &self.measure
    }
}
