//! How fast a machine is, by two short pieces of work that never change: what a bound that was set on one machine may be
//! scaled by on another. The work stands here; `run` times it, where the clock is.

use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// How fast a machine is, on one core, at its best of several tries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Probe {
    /// Rounds of [`rounds`] a second.
    pub rounds_per_s: f64,
    /// Bytes that [`read`] reads a second.
    pub bytes_per_s: f64,
}

/// Bytes that are read: more than caches hold, as the weights of a model are.
pub const READ_BYTES: usize = 64 << 20;

/// Works through `n` rounds of whole and floating numbers, each of which needs the one before.
pub fn rounds(n: u64) {
    let (mut whole, mut real) = (0x9E37_79B9_7F4A_7C15_u64, 1.5_f64);
    for _ in 0..n {
        whole ^= whole << 13;
        whole ^= whole >> 7;
        whole ^= whole << 17;
        real = real.mul_add(0.999_999, (whole >> 40) as f64 * 1e-9);
    }
    black_box((whole, real));
}

/// What [`read`] reads. Every page is written once, so that each is there.
pub fn memory() -> Vec<u64> {
    (0..READ_BYTES as u64 / 8).collect()
}

/// Reads all of it once.
pub fn read(memory: &[u64]) {
    // Four sums, so that no addition waits for the one before.
    let mut sums = [0_u64; 4];
    for four in memory.chunks_exact(4) {
        for (sum, x) in sums.iter_mut().zip(four) {
            *sum = sum.wrapping_add(*x);
        }
    }
    black_box(sums);
}
