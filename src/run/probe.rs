//! Times the probe of the machine's speed.

use crate::host::{self, Probe, READ_BYTES};
use crate::record::Stopwatch;

/// Rounds in one try: some twenty milliseconds.
const ROUNDS: u64 = 5_000_000;
const TRIES: usize = 7;

/// Probes the machine: some 300 ms of one core, before any load is sent. The best of several tries is kept, which others'
/// work disturbs least.
pub(super) fn probe() -> Probe {
    let clock = Stopwatch::start();
    let best = |work: &dyn Fn()| {
        let seconds = (0..TRIES).map(|_| {
            let from = clock.now();
            work();
            clock.now().since(from).seconds()
        });
        seconds.fold(f64::INFINITY, f64::min)
    };
    let rounds = best(&|| host::rounds(ROUNDS));
    let memory = host::memory();
    let read = best(&|| host::read(&memory));
    Probe { rounds_per_s: ROUNDS as f64 / rounds, bytes_per_s: READ_BYTES as f64 / read }
}
