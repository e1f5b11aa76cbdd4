//! Readings of a run of any length in memory that doesn't grow with it.
//!
//! A fold over a window needs the counters at its edges, and the most of some values between. Once there are [`MOST`]
//! readings, every second of the regular ones goes, and hands its extremes on to the one after it: the edges stay, and a
//! run of hours is told by readings some seconds apart.

use super::lookup::ProcessHoldings;
use super::reading::Reading;

/// Readings kept before they are thinned: all of a run of an hour.
const MOST: usize = 4096;

/// Readings, thinned once there are many.
#[derive(Clone, Debug, Default)]
pub(super) struct ThinnedReadings {
    readings: Vec<Reading>,
    /// Readings at which they are thinned next: edges can't go, however many there are.
    limit: usize,
    /// The regular reading before, for what is told of the time between two.
    last: Option<(f64, Option<f64>)>,
    /// The wall clock's place at the reading before.
    wall: Option<f64>,
}

impl ThinnedReadings {
    /// Takes a reading.
    pub(super) fn push(&mut self, mut reading: Reading) {
        let own = reading.machine.own_s;
        if reading.regular {
            let before = self.last.replace((reading.t_s, own));
            let rate = |(t_s, before): (f64, Option<f64>)| Some((own? - before?) / (reading.t_s - t_s));
            reading.own_most = before.filter(|(t_s, _)| reading.t_s - t_s >= A_SECOND).and_then(rate);
        }
        let wall = reading.machine.wall_offset_s;
        reading.jump_s = self.wall.zip(wall).map(|(before, now)| (now - before).abs());
        self.wall = wall.or(self.wall);
        self.readings.push(reading);
        if self.readings.len() >= self.limit.max(MOST) {
            self.readings = thinned(std::mem::take(&mut self.readings));
            // Where edges are most of them, thinning at each reading would only cost time.
            self.limit = (self.readings.len() * 3 / 2).max(MOST);
        }
    }

    /// What is kept.
    pub(super) fn readings(&self) -> &[Reading] {
        &self.readings
    }
}

/// A second is one if two readings are this far apart at least: over less, the kernel's ticks tell little.
const A_SECOND: f64 = 0.5;

/// Without every second one of the regular readings that stand between two regular ones. The first stays, as what was at
/// rest, and the last.
fn thinned(readings: Vec<Reading>) -> Vec<Reading> {
    let mut kept: Vec<Reading> = Vec::with_capacity(readings.len() / 2 + 2);
    let mut all = readings.into_iter().peekable();
    let mut dropped_last = true;
    while let Some(reading) = all.next() {
        let inner = reading.regular && kept.last().is_some_and(|before| before.regular);
        match all.peek_mut() {
            Some(next) if inner && next.regular && !dropped_last && same_processes(&reading, next) => {
                hand_on(&reading, next);
                dropped_last = true;
            }
            _ => {
                dropped_last = false;
                kept.push(reading);
            }
        }
    }
    kept
}

/// Whether the next knows all that this one knows: what was read last before it wasn't any more has to stay. A reading that
/// knows nothing of a target tells a fold nothing of it.
fn same_processes(this: &Reading, next: &Reading) -> bool {
    let known = |this: bool, next: bool| !this || next;
    known(this.all_targets.is_some(), next.all_targets.is_some())
        && this.targets.iter().zip(&next.targets).all(|(this, next)| known(this.is_some(), next.is_some()))
}

/// The extremes of a reading that goes, handed on to the next.
fn hand_on(gone: &Reading, next: &mut Reading) {
    next.own_most = most(gone.own_most, next.own_most);
    next.jump_s = most(gone.jump_s, next.jump_s);
    next.machine.swap_bytes = gone.machine.swap_bytes.max(next.machine.swap_bytes);
    next.frequency_mhz = match (gone.frequency_mhz, next.frequency_mhz) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (a, b) => a.or(b),
    };
    for (gone, next) in gone.held.iter().zip(&mut next.held) {
        *next = match (*gone, *next) {
            (Some(gone), Some(next)) => Some(ProcessHoldings {
                threads: gone.threads.max(next.threads),
                proportional: gone.proportional.max(next.proportional),
                gpu_bytes: gone.gpu_bytes.max(next.gpu_bytes),
                other_models_bytes: gone.other_models_bytes.max(next.other_models_bytes),
                unclear: gone.unclear || next.unclear,
                ..if gone.bytes > next.bytes { gone } else { next }
            }),
            (gone, next) => next.or(gone),
        };
    }
    for (gone, next) in gone.gpus.iter().zip(&mut next.gpus) {
        next.memory_bytes = gone.memory_bytes.max(next.memory_bytes);
        next.temperature_c = most(gone.temperature_c, next.temperature_c);
    }
}

fn most(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::Counters;
    use super::super::{Conditions, Stretch};
    use super::*;

    /// A reading of a machine whose load swings, at a second; one target is found at `found`.
    fn reading(t_s: f64, regular: bool, found: f64) -> Reading {
        let wave = |period: f64| t_s + (t_s / period).sin() * period / 4.0;
        let bytes = (1e9 + 1e8 * (t_s / 300.0).sin()) as u64;
        Reading {
            t_s,
            cores: 4,
            regular,
            machine: Counters {
                busy_s: Some(2.0 * wave(97.0)),
                own_s: Some(0.25 * wave(31.0)),
                swap_bytes: Some((1000.0 * (1.0 + (t_s / 50.0).sin())) as u64),
                wall_offset_s: Some(if t_s > 7000.5 { 9.5 } else { 9.0 }),
                ..Counters::default()
            },
            frequency_mhz: Some((2000.0 + (t_s / 11.0).sin(), 2000.0 + (t_s / 11.0).sin())),
            targets: vec![(t_s >= found).then(|| wave(41.0))],
            held: vec![(t_s >= found).then(|| ProcessHoldings {
                bytes,
                proportional: Some(bytes / 2),
                threads: 3,
                ..ProcessHoldings::default()
            })],
            all_targets: (t_s >= found).then(|| wave(41.0)),
            ..Reading::default()
        }
    }

    #[test]
    fn a_run_of_hours_is_told_by_few_readings_and_told_the_same() {
        let (mut kept, mut all) =
            (ThinnedReadings::default(), ThinnedReadings { limit: usize::MAX, ..ThinnedReadings::default() });
        let edges = [600.25, 6000.75, 30_000.5];
        for second in 0..36_000 {
            let t_s = f64::from(second);
            for at in edges.iter().filter(|at| (t_s - 1.0..t_s).contains(*at)) {
                kept.push(reading(*at, false, 3.0));
                all.push(reading(*at, false, 3.0));
            }
            kept.push(reading(t_s, true, 3.0));
            all.push(reading(t_s, true, 3.0));
        }
        assert!(kept.readings.len() < MOST + 8, "{}", kept.readings.len());
        assert_eq!(all.readings.len(), 36_003);
        let near =
            |a: Option<f64>, b: Option<f64>, by: f64| a.zip(b).is_some_and(|(a, b)| (a - b).abs() <= by * b.abs());
        for (from_s, to_s) in [(600.25, 6000.75), (6000.75, 30_000.5), (600.25, 30_000.5)] {
            let of =
                |kept: &ThinnedReadings| Conditions::of(kept.readings(), &[Stretch { target: 0, from_s, to_s }], 1);
            let (thin, full) = (of(&kept), of(&all));
            for (a, b) in [
                (thin.busy_cores, full.busy_cores),
                (thin.own_cores, full.own_cores),
                (thin.target_cores[0], full.target_cores[0]),
                (thin.other_cores, full.other_cores),
            ] {
                assert!(near(a, b, 1e-6), "{thin:?} {full:?}");
            }
            assert!(near(thin.own_cores_most, full.own_cores_most, 1e-6), "{thin:?} {full:?}");
            let peaks = |told: &Conditions| (told.targets[0].peak_bytes, told.targets[0].peak_proportional_bytes);
            assert_eq!(
                (peaks(&thin), thin.swap_bytes, thin.frequency_mhz),
                (peaks(&full), full.swap_bytes, full.frequency_mhz)
            );
            assert_eq!(thin.clock_jump_s, full.clock_jump_s);
        }
    }

    #[test]
    fn where_the_process_table_is_read_seldom_they_are_thinned_as_well() {
        let mut kept = ThinnedReadings::default();
        for second in 0..40_000 {
            let mut reading = reading(f64::from(second), true, 0.0);
            if second % 3 != 0 {
                (reading.targets[0], reading.all_targets) = (None, None);
            }
            kept.push(reading);
        }
        assert!(kept.readings.len() < 2 * MOST, "{}", kept.readings.len());
        let told = Conditions::of(kept.readings(), &[Stretch { target: 0, from_s: 100.0, to_s: 39_000.0 }], 1);
        assert!(told.target_cores[0].is_some_and(|cores| (cores - 1.0).abs() < 1e-3), "{told:?}");
    }
}
