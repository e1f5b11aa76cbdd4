//! How the machine fared while the load ran: what a run's figures have to be read with.

use super::reading::Reading;
use serde::{Deserialize, Serialize};

/// How the machine fared over the measured part of a run; `None` where a thing could not be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Logical cores of the machine.
    pub cores: Option<f64>,
    /// Cores kept busy by all processes, on average.
    pub busy_cores: Option<f64>,
    /// Cores kept busy by loadcmp itself, on average: its generator, and what writes and watches beside it.
    pub own_cores: Option<f64>,
    /// The most of it in one second.
    pub own_cores_most: Option<f64>,
    /// Cores that loadcmp may use: its generator's threads.
    pub own_cores_allowed: Option<f64>,
    /// Cores kept busy by each target's processes while it was measured, in the plan's order; `None` for one that isn't on
    /// this machine, or couldn't be found.
    #[serde(default)]
    pub target_cores: Vec<Option<f64>>,
    /// What each target's processes used and held, in the plan's order.
    #[serde(default)]
    pub targets: Vec<Used>,
    /// Cores kept busy by everything else: other processes on the machine. `None`, too, where a target is on this machine
    /// and its processes couldn't be found: they'd count as others.
    pub other_cores: Option<f64>,
    /// Cores that the hypervisor gave to other machines meanwhile, on average: Linux's `steal`.
    #[serde(default)]
    pub stolen_cores: Option<f64>,
    /// Swap in use at its most, in bytes.
    pub swap_bytes: Option<u64>,
    /// Bytes swapped in or out meanwhile.
    pub swapped_bytes: Option<u64>,
    /// Lowest and highest mean frequency over the cores in one second, in MHz.
    pub frequency_mhz: Option<(f64, f64)>,
    /// Most by which the wall clock and the run's monotonic clock came to differ between two readings, in seconds.
    pub clock_jump_s: Option<f64>,
}

/// What a target's processes, with all they started, used and held; `None` where it isn't known. Memory is resident
/// memory in bytes; what several processes share counts for each of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Processor time while it was measured, in seconds, of all its cores together.
    pub cpu_s: Option<f64>,
    /// Memory when the run began, before anything was asked of it by loadcmp.
    pub rest_bytes: Option<u64>,
    /// The most memory while it was measured.
    pub peak_bytes: Option<u64>,
    /// The part of that peak which is of no file: heap, caches of keys and values, weights that were read and not mapped.
    pub peak_anonymous_bytes: Option<u64>,
    /// The part of that peak which is pages of files, such as weights that are mapped.
    pub peak_file_bytes: Option<u64>,
    /// The most threads while it was measured.
    pub threads: Option<u64>,
}

/// A stretch of the run in which a target was measured, in seconds since the run's start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Position of the target in the plan.
    pub target: usize,
    /// When it began.
    pub from_s: f64,
    /// When it ended.
    pub to_s: f64,
}

/// A second is one if two readings are this far apart at least: over less, the kernel's ticks tell little.
const A_SECOND: f64 = 0.5;

/// How long after a stretch's end a reading is still of it, in seconds.
const LATE: f64 = 0.1;

/// Share of a stretch that readings must cover: a reading at its edge may come late, a target found in its midst tells
/// nothing of its beginning.
const COVERED: f64 = 0.8;

impl Conditions {
    /// Folds readings over the measured stretches: each target's processes over its own, everything else over all of
    /// them. A counter between two readings is taken to have grown evenly.
    pub fn of(readings: &[Reading], stretches: &[Stretch], targets: usize) -> Self {
        let all = joined(stretches.iter().map(|s| (s.from_s, s.to_s)));
        let rate = |of: &dyn Fn(&Reading) -> Option<f64>| rate(readings, &all, of);
        let busy = rate(&|r| r.machine.busy_s);
        let own = rate(&|r| r.machine.own_s);
        let target = |number: usize| {
            let own = joined(stretches.iter().filter(|s| s.target == number).map(|s| (s.from_s, s.to_s)));
            self::rate(readings, &own, &|r| r.targets.get(number).copied().flatten())
        };
        let served = rate(&|r| r.all_targets);
        let inside = |t_s: f64| all.iter().any(|(from, to)| (*from..=*to).contains(&t_s));
        let within: Vec<&Reading> = readings.iter().filter(|r| inside(r.t_s)).collect();
        let swapped =
            all.iter().map(|(from, to)| growth(readings, *from, *to, &|r| Some(r.machine.swapped_bytes? as f64)));
        let cores = readings.first().map(|r| r.cores as f64);
        Self {
            cores,
            busy_cores: busy.map(|busy| cores.map_or(busy, |cores| busy.min(cores))),
            own_cores: own,
            own_cores_most: most(readings, &all, &|r| r.machine.own_s).or(own),
            own_cores_allowed: Some(super::generator_threads() as f64),
            target_cores: (0..targets).map(target).collect(),
            targets: (0..targets).map(|number| used(readings, stretches, number)).collect(),
            // The kernel's ticks make it a little less than nothing now and then.
            other_cores: busy.zip(own).zip(served).map(|((busy, own), served)| (busy - own - served).max(0.0)),
            stolen_cores: rate(&|r| r.machine.stolen_s),
            swap_bytes: within.iter().filter_map(|r| r.machine.swap_bytes).max(),
            swapped_bytes: sum(swapped).map(|bytes| bytes.round() as u64),
            frequency_mhz: range(within.iter().filter_map(|r| r.machine.frequency_mhz)),
            clock_jump_s: jump(readings, &all),
        }
    }
}

/// What one target's processes used over its stretches, and held.
fn used(readings: &[Reading], stretches: &[Stretch], number: usize) -> Used {
    let own = joined(stretches.iter().filter(|s| s.target == number).map(|s| (s.from_s, s.to_s)));
    let cpu = own.iter().map(|(from, to)| growth(readings, *from, *to, &|r| r.targets.get(number).copied().flatten()));
    let held = |r: &Reading| r.held.get(number).copied().flatten();
    // A reading at a window's edge may come a little after it.
    let inside = |t_s: f64| own.iter().any(|(from, to)| (*from..=*to + LATE).contains(&t_s));
    let within: Vec<_> = readings.iter().filter(|r| inside(r.t_s)).filter_map(held).collect();
    let peak = within.iter().max_by_key(|held| held.bytes);
    let made_of = peak.and_then(|held| held.memory);
    Used {
        cpu_s: sum(cpu).map(|seconds| seconds.max(0.0)),
        rest_bytes: readings.first().and_then(held).map(|held| held.bytes),
        peak_bytes: peak.map(|held| held.bytes),
        peak_anonymous_bytes: made_of.map(|memory| memory.anonymous),
        peak_file_bytes: made_of.map(|memory| memory.file),
        threads: within.iter().map(|held| held.threads).max(),
    }
}

/// Stretches without overlap, in order.
fn joined(stretches: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, f64)> = stretches.filter(|(from, to)| to > from).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (from, to) in all {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// What a counter grew by from `from` to `to`; `None` where it wasn't read through most of it.
fn growth(readings: &[Reading], from: f64, to: f64, of: &dyn Fn(&Reading) -> Option<f64>) -> Option<f64> {
    let known: Vec<(f64, f64)> = readings.iter().filter_map(|r| Some((r.t_s, of(r)?))).collect();
    let (mut sum, mut covered) = (0.0, 0.0);
    for pair in known.windows(2) {
        let (begin, end) = (pair[0].0.max(from), pair[1].0.min(to));
        let length = pair[1].0 - pair[0].0;
        if end > begin && length > 0.0 {
            sum += (pair[1].1 - pair[0].1) * (end - begin) / length;
            covered += end - begin;
        }
    }
    (covered >= COVERED * (to - from) && covered > 0.0).then(|| sum / covered * (to - from))
}

/// Mean growth of a counter a second over stretches.
fn rate(readings: &[Reading], over: &[(f64, f64)], of: &dyn Fn(&Reading) -> Option<f64>) -> Option<f64> {
    let seconds: f64 = over.iter().map(|(from, to)| to - from).sum();
    let grown = sum(over.iter().map(|(from, to)| growth(readings, *from, *to, of)))?;
    (seconds > 0.0).then(|| (grown / seconds).max(0.0))
}

/// The most a counter grew a second between two readings about a second apart, as far as they lie in the stretches.
fn most(readings: &[Reading], over: &[(f64, f64)], of: &dyn Fn(&Reading) -> Option<f64>) -> Option<f64> {
    let seconds: Vec<&Reading> = readings.iter().filter(|r| r.regular).collect();
    let rates = seconds.windows(2).filter_map(|pair| {
        let inside: f64 = over.iter().map(|(from, to)| (pair[1].t_s.min(*to) - pair[0].t_s.max(*from)).max(0.0)).sum();
        let length = pair[1].t_s - pair[0].t_s;
        // A second that lies half outside is not the window's.
        let counts = length >= A_SECOND && inside >= 0.9 * length;
        counts.then(|| Some((of(pair[1])? - of(pair[0])?) / length)).flatten()
    });
    rates.reduce(f64::max)
}

fn sum(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum())
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, v| Some(range.map_or((v, v), |(low, high): (f64, f64)| (low.min(v), high.max(v)))))
}

/// The greatest step of the wall clock against the run's between two readings that touch the stretches.
fn jump(readings: &[Reading], over: &[(f64, f64)]) -> Option<f64> {
    let steps =
        readings.windows(2).filter(|pair| over.iter().any(|(from, to)| pair[1].t_s > *from && pair[0].t_s < *to));
    let steps = steps.filter_map(|pair| Some((pair[1].machine.wall_offset_s? - pair[0].machine.wall_offset_s?).abs()));
    steps.reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::super::machine::Counters;
    use super::*;

    /// Readings of a machine of four cores, at the given seconds: busy 2 cores, own 0.5 and in the third second 1.5,
    /// the first target 0.75, the second hidden.
    fn readings(at: &[f64]) -> Vec<Reading> {
        let reading = |t: &f64| Reading {
            t_s: *t,
            cores: 4,
            regular: true,
            machine: Counters {
                busy_s: Some(100.0 + 2.0 * t),
                own_s: Some(0.5 * t + (t - 2.0).clamp(0.0, 1.0)),
                stolen_s: Some(0.1 * t),
                swap_bytes: Some(1000 + *t as u64),
                swapped_bytes: Some(if *t >= 2.0 { 8192 } else { 0 }),
                frequency_mhz: Some(2000.0 + 100.0 * t),
                wall_offset_s: Some(if *t >= 3.0 { 7.25 } else { 7.0 }),
                ..Counters::default()
            },
            targets: vec![Some(0.75 * t), None],
            held: vec![None; 2],
            all_targets: Some(0.75 * t),
        };
        at.iter().map(reading).collect()
    }

    fn stretch(target: usize, from_s: f64, to_s: f64) -> Stretch {
        Stretch { target, from_s, to_s }
    }

    fn near(told: Option<f64>, expected: f64) -> bool {
        told.is_some_and(|told| (told - expected).abs() < 1e-9)
    }

    #[test]
    fn only_the_measured_part_counts() {
        let told =
            Conditions::of(&readings(&[0.0, 1.0, 2.0, 3.0, 4.0]), &[stretch(0, 0.5, 2.0), stretch(1, 0.5, 2.0)], 2);
        assert!(near(told.busy_cores, 2.0) && near(told.own_cores, 0.5) && near(told.stolen_cores, 0.1), "{told:?}");
        assert!(near(told.own_cores_most, 0.5), "the third second lies outside: {told:?}");
        assert!(near(told.target_cores[0], 0.75) && told.target_cores[1].is_none(), "{told:?}");
        assert!(near(told.other_cores, 2.0 - 0.5 - 0.75), "{told:?}");
        assert_eq!((told.swap_bytes, told.swapped_bytes), (Some(1002), Some(8192)));
        assert_eq!(told.frequency_mhz, Some((2100.0, 2200.0)));
        assert!(near(told.clock_jump_s, 0.0) && near(told.cores, 4.0), "{told:?}");
        let later = Conditions::of(&readings(&[0.0, 1.0, 2.0, 3.0, 4.0]), &[stretch(0, 2.0, 4.0)], 1);
        assert!(
            near(later.own_cores, 1.0) && near(later.own_cores_most, 1.5) && near(later.clock_jump_s, 0.25),
            "{later:?}"
        );
        assert_eq!(later.swapped_bytes, Some(0));
    }

    #[test]
    fn each_target_has_its_own_stretches_and_the_rest_all_of_them() {
        let mut readings = readings(&[0.0, 1.0, 2.0, 3.0, 4.0]);
        for (at, reading) in readings.iter_mut().enumerate() {
            reading.targets = vec![Some([0.0, 1.0, 1.0, 2.0, 2.0][at]), Some([0.0, 0.0, 0.5, 0.5, 1.0][at])];
        }
        let turns = [stretch(0, 0.0, 1.0), stretch(1, 1.0, 2.0), stretch(0, 2.0, 3.0), stretch(1, 3.0, 4.0)];
        let told = Conditions::of(&readings, &turns, 2);
        assert!(near(told.target_cores[0], 1.0) && near(told.target_cores[1], 0.5), "{told:?}");
        assert!(near(told.own_cores, 0.75), "three seconds of 0.5 and one of 1.5: {told:?}");
    }

    #[test]
    fn what_was_not_read_is_not_there() {
        let none = Conditions::of(&[], &[stretch(0, 0.0, 1.0)], 1);
        assert_eq!((none.busy_cores, none.target_cores, none.other_cores), (None, vec![None], None));
        let mut blind = readings(&[0.0, 1.0, 2.0]);
        blind.iter_mut().for_each(|r| r.all_targets = None);
        let told = Conditions::of(&blind, &[stretch(0, 0.0, 2.0)], 2);
        assert!(told.other_cores.is_none() && told.busy_cores.is_some(), "what isn't found isn't others': {told:?}");
        let never = Conditions::of(&readings(&[0.0, 1.0, 2.0]), &[], 2);
        assert!(never.busy_cores.is_none() && never.swap_bytes.is_none() && never.clock_jump_s.is_none(), "{never:?}");
        let outside = Conditions::of(&readings(&[0.0, 1.0]), &[stretch(0, 5.0, 9.0)], 1);
        assert_eq!(outside.busy_cores, None);
        // A target found only in mid-run has no figure for the whole of it.
        let mut late = readings(&[0.0, 1.0, 2.0]);
        late[0].targets[0] = None;
        assert_eq!(Conditions::of(&late, &[stretch(0, 0.0, 2.0)], 1).target_cores, [None]);
    }
}
