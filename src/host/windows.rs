//! Readings folded over the measured stretches of a run.

use super::lookup::ProcessHoldings;
use super::reading::Reading;
use super::{Conditions, Gpu, Stretch, Used};

/// How long after a stretch's end a reading of what is held is still of it, in seconds: a window that the last answer closes is
/// known to be over when its users have gone home.
const LATE: f64 = 0.9;

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
        let stretches_of =
            |number: usize| joined(stretches.iter().filter(|s| s.target == number).map(|s| (s.from_s, s.to_s)));
        let target =
            |number: usize| self::rate(readings, &stretches_of(number), &|r| r.targets.get(number).copied().flatten());
        // The kernel's ticks make it a little less than nothing now and then.
        let others = |over: &[(f64, f64)]| {
            let rate = |of: &dyn Fn(&Reading) -> Option<f64>| self::rate(readings, over, of);
            let (busy, own) = (rate(&|r| r.machine.busy_s)?, rate(&|r| r.machine.own_s)?);
            Some((busy - own - rate(&|r| r.all_targets)?).max(0.0))
        };
        let inside = |t_s: f64| all.iter().any(|(from, to)| (*from..=*to).contains(&t_s));
        let within: Vec<&Reading> = readings.iter().filter(|r| inside(r.t_s)).collect();
        let swapped =
            all.iter().map(|(from, to)| growth(readings, *from, *to, &|r| Some(r.machine.swapped_bytes? as f64)));
        let cores = readings.first().map(|r| r.cores as f64);
        let machine_cores = readings.iter().find_map(|r| r.machine.cores);
        // Of what /proc tells, no more than there is.
        let at_most = |busy: f64| machine_cores.or(cores).map_or(busy, |cores| busy.min(cores));
        let devices = readings.iter().map(|r| r.gpus.len()).max().unwrap_or(0);
        Self {
            cores,
            machine_cores,
            busy_cores: busy.map(at_most),
            own_cores: own,
            own_cores_most: most(readings, &all).or(own),
            own_cores_allowed: Some(super::generator_threads() as f64),
            target_cores: (0..targets).map(target).collect(),
            targets: (0..targets).map(|number| used(readings, stretches, number)).collect(),
            other_cores: others(&all).map(at_most),
            other_cores_beside: (0..targets).map(|number| others(&stretches_of(number)).map(at_most)).collect(),
            stolen_cores: rate(&|r| r.machine.stolen_s),
            swap_bytes: within.iter().filter_map(|r| r.machine.swap_bytes).max(),
            swapped_bytes: sum(swapped).map(|bytes| bytes.round() as u64),
            frequency_mhz: range(within.iter().filter_map(|r| r.frequency_mhz)),
            watching_cores: rate(&|r| r.watching_s),
            energy_j: grown(readings, &all, &|r| r.energy_j),
            gpus: (0..devices).map(|at| gpu(readings, &within, &all, at)).collect(),
            stopped: Vec::new(),
            clock_jump_s: jump(readings, &all),
        }
    }
}

/// What one target's processes used over its stretches, and held.
fn used(readings: &[Reading], stretches: &[Stretch], number: usize) -> Used {
    let own = joined(stretches.iter().filter(|s| s.target == number).map(|s| (s.from_s, s.to_s)));
    let held = |r: &Reading| r.held.get(number).copied().flatten();
    // A reading at a window's edge may come a little after it.
    let inside = |t_s: f64| own.iter().any(|(from, to)| (*from..=*to + LATE).contains(&t_s));
    let within: Vec<_> = readings.iter().filter(|r| inside(r.t_s)).filter_map(held).collect();
    let peak = within.iter().max_by_key(|held| held.bytes);
    let made_of = peak.and_then(|held| held.memory);
    let counted = |of: &dyn Fn(&super::counts::Counts) -> Option<u64>| {
        grown(readings, &own, &|r| Some(of(r.counts.get(number)?)? as f64)).map(|count| count.max(0.0).round() as u64)
    };
    let most = |of: &dyn Fn(&ProcessHoldings) -> Option<u64>| within.iter().filter_map(of).max();
    let rest = readings.first().and_then(held);
    let alone =
        !stretches.iter().filter(|s| s.target != number).any(|s| own.iter().any(|(a, b)| s.from_s < *b && s.to_s > *a));
    let energy = |of: &dyn Fn(&Reading) -> Option<f64>| if alone { grown(readings, &own, of) } else { None };
    Used {
        cpu_s: grown(readings, &own, &|r| r.targets.get(number).copied().flatten()).map(|seconds| seconds.max(0.0)),
        rest_bytes: rest.map(|held| held.bytes),
        peak_bytes: peak.map(|held| held.bytes),
        peak_anonymous_bytes: made_of.map(|memory| memory.anonymous),
        peak_file_bytes: made_of.map(|memory| memory.file),
        begin_bytes: within.first().map(|held| held.bytes),
        end_bytes: within.last().map(|held| held.bytes),
        other_models_bytes: most(&|held| held.other_models_bytes),
        unclear: within.iter().any(|held| held.unclear),
        threads: within.iter().map(|held| held.threads).max(),
        rest_proportional_bytes: rest.and_then(|held| held.proportional),
        peak_proportional_bytes: most(&|held| held.proportional),
        minor_faults: counted(&|counts| counts.minor_faults),
        major_faults: counted(&|counts| counts.major_faults),
        disk_read_bytes: counted(&|counts| counts.disk_read_bytes),
        voluntary_switches: counted(&|counts| counts.voluntary),
        involuntary_switches: counted(&|counts| counts.involuntary),
        gpu_peak_bytes: most(&|held| held.gpu_bytes),
        energy_j: energy(&|r| r.energy_j),
        gpu_energy_j: energy(&gpu_energy),
        missed_s: missed(readings, &own, &|r| held(r).is_some()),
        published: false,
    }
}

/// Seconds of stretches through which something was not known that had been known before.
fn missed(readings: &[Reading], over: &[(f64, f64)], known: &dyn Fn(&Reading) -> bool) -> f64 {
    let mut ever = false;
    let mut sum = 0.0;
    for pair in readings.windows(2) {
        ever |= known(&pair[0]);
        if ever && !(known(&pair[0]) && known(&pair[1])) {
            let inside = |(from, to): &(f64, f64)| (pair[1].t_s.min(*to) - pair[0].t_s.max(*from)).max(0.0);
            sum += over.iter().map(inside).sum::<f64>();
        }
    }
    sum
}

/// Energy of all graphics devices; `None` if one doesn't tell its own. What the package's counter has is no part of it.
fn gpu_energy(reading: &Reading) -> Option<f64> {
    sum(reading.gpus.iter().filter(|device| !device.in_package).map(|device| device.energy_j))
}

/// What one graphics device did.
fn gpu(readings: &[Reading], within: &[&Reading], all: &[(f64, f64)], at: usize) -> Gpu {
    let told: Vec<_> = within.iter().filter_map(|r| r.gpus.get(at)).collect();
    let seconds: f64 = all.iter().map(|(from, to)| to - from).sum();
    let energy_j = grown(readings, all, &|r| r.gpus.get(at)?.energy_j);
    let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    Gpu {
        peak_bytes: told.iter().filter_map(|device| device.memory_bytes).max(),
        busy: mean(told.iter().filter_map(|device| device.busy).collect()),
        // What was taken over the time is better than the mean of moments.
        power_w: energy_j
            .filter(|_| seconds > 0.0)
            .map(|energy| energy / seconds)
            .or_else(|| mean(told.iter().filter_map(|device| device.power_w).collect())),
        temperature_c: told.iter().filter_map(|device| device.temperature_c).reduce(f64::max),
        energy_j,
    }
}

/// Stretches without overlap, in order.
pub(super) fn joined(stretches: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
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
    between(&known, from, to)
}

/// The same of a counter's values, each with when it was read.
pub(super) fn between(known: &[(f64, f64)], from: f64, to: f64) -> Option<f64> {
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

/// What a counter grew by over stretches.
fn grown(readings: &[Reading], over: &[(f64, f64)], of: &dyn Fn(&Reading) -> Option<f64>) -> Option<f64> {
    sum(over.iter().map(|(from, to)| growth(readings, *from, *to, of)))
}

/// Mean growth of a counter a second over stretches.
fn rate(readings: &[Reading], over: &[(f64, f64)], of: &dyn Fn(&Reading) -> Option<f64>) -> Option<f64> {
    let seconds: f64 = over.iter().map(|(from, to)| to - from).sum();
    let grown = grown(readings, over, of)?;
    (seconds > 0.0).then(|| (grown / seconds).max(0.0))
}

/// The most cores that loadcmp kept busy in one second, as far as the seconds lie in the stretches.
fn most(readings: &[Reading], over: &[(f64, f64)]) -> Option<f64> {
    let seconds: Vec<&Reading> = readings.iter().filter(|r| r.regular).collect();
    let rates = seconds.windows(2).filter_map(|pair| {
        let inside: f64 = over.iter().map(|(from, to)| (pair[1].t_s.min(*to) - pair[0].t_s.max(*from)).max(0.0)).sum();
        // A second that lies half outside is not the window's.
        pair[1].own_most.filter(|_| inside >= 0.9 * (pair[1].t_s - pair[0].t_s))
    });
    rates.reduce(f64::max)
}

fn sum(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum())
}

fn range(values: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    values.reduce(|(low, high), (l, h)| (low.min(l), high.max(h)))
}

/// The greatest step of the wall clock against the run's between two readings that touch the stretches.
fn jump(readings: &[Reading], over: &[(f64, f64)]) -> Option<f64> {
    let touches = |pair: &&[Reading]| over.iter().any(|(from, to)| pair[1].t_s > *from && pair[0].t_s < *to);
    readings.windows(2).filter(touches).filter_map(|pair| pair[1].jump_s).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::super::counts::Counts;
    use super::super::gpu::Device;
    use super::super::machine::Counters;
    use super::*;

    #[test]
    fn the_time_without_processes_counts_once_they_had_been_there() {
        let reading = |t_s: f64, there: bool| Reading {
            t_s,
            held: vec![there.then(ProcessHoldings::default)],
            ..Reading::default()
        };
        let seen = [(0.0, false), (1.0, true), (2.0, true), (3.0, false), (4.0, false), (5.0, true), (6.0, true)];
        let readings = seen.map(|(t_s, there)| reading(t_s, there));
        let missed = |from, to| missed(&readings, &[(from, to)], &|r| r.held[0].is_some());
        assert_eq!((missed(0.0, 6.0), missed(2.5, 3.5), missed(5.0, 6.0)), (3.0, 1.0, 0.0));
    }

    /// Readings of a machine of four cores, at the given seconds: busy 2 cores, own 0.5 and in the third second 1.5,
    /// the first target 0.75, the second hidden.
    fn readings(at: &[f64]) -> Vec<Reading> {
        let mut kept = super::super::downsample::ThinnedReadings::default();
        raw(at).into_iter().for_each(|reading| kept.push(reading));
        kept.readings().to_vec()
    }

    fn raw(at: &[f64]) -> Vec<Reading> {
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
                wall_offset_s: Some(if *t >= 3.0 { 7.25 } else { 7.0 }),
                ..Counters::default()
            },
            targets: vec![Some(0.75 * t), None],
            held: vec![None; 2],
            all_targets: Some(0.75 * t),
            frequency_mhz: Some((2000.0 + 100.0 * t, 2000.0 + 100.0 * t)),
            watching_s: Some(0.01 * t),
            energy_j: Some(30.0 * t),
            gpus: vec![device(*t)],
            ..Reading::default()
        };
        at.iter().map(reading).collect()
    }

    /// A device that draws 100 W, has work in every second reading, and warms up.
    fn device(t: f64) -> Device {
        Device {
            memory_bytes: Some(1000 + t as u64),
            busy: Some(t % 2.0),
            power_w: Some(1.0),
            temperature_c: Some(40.0 + t),
            energy_j: Some(100.0 * t),
            in_package: false,
        }
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
        // A process that may use two cores of a machine of 256, 240 of which are busy.
        let mut many = readings(&[0.0, 1.0, 2.0]);
        for reading in &mut many {
            reading.cores = 2;
            (reading.machine.cores, reading.machine.busy_s) = (Some(256.0), Some(241.25 * reading.t_s));
        }
        let told = Conditions::of(&many, &[stretch(0, 0.0, 2.0)], 2);
        assert!(near(told.other_cores, 240.0) && near(told.machine_cores, 256.0) && near(told.cores, 2.0), "{told:?}");
        // Where the kernel's table isn't one, nothing is told.
        many.iter_mut().for_each(|reading| (reading.machine.cores, reading.machine.busy_s) = (None, None));
        let told = Conditions::of(&many, &[stretch(0, 0.0, 2.0)], 2);
        assert!(told.other_cores.is_none() && told.busy_cores.is_none(), "{told:?}");
        let told =
            Conditions::of(&readings(&[0.0, 1.0, 2.0, 3.0, 4.0]), &[stretch(0, 0.5, 2.0), stretch(1, 0.5, 2.0)], 2);
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

    #[test]
    fn devices_and_energy_are_told_over_the_measured_part() {
        let told = Conditions::of(&readings(&[0.0, 1.0, 2.0, 3.0, 4.0]), &[stretch(0, 1.0, 3.0)], 1);
        assert!(near(told.energy_j, 60.0) && near(told.watching_cores, 0.01), "{told:?}");
        let gpu = &told.gpus[0];
        assert_eq!((gpu.peak_bytes, gpu.temperature_c), (Some(1003), Some(43.0)));
        // 1, 0 and 1; and 200 J in two seconds, whatever three moments said.
        assert!(near(gpu.busy, 2.0 / 3.0) && near(gpu.power_w, 100.0) && near(gpu.energy_j, 200.0), "{gpu:?}");
        let mut silent = readings(&[0.0, 1.0, 2.0, 3.0]);
        silent.iter_mut().for_each(|r| r.gpus[0].energy_j = None);
        let told = Conditions::of(&silent, &[stretch(0, 0.0, 3.0)], 1);
        assert!(near(told.gpus[0].power_w, 1.0) && told.targets[0].gpu_energy_j.is_none(), "{told:?}");
        // One in the processor's package has its energy there, and leaves what cards say.
        let mut both = readings(&[0.0, 1.0, 2.0, 3.0]);
        both.iter_mut().for_each(|r| r.gpus.push(Device { in_package: true, ..Device::default() }));
        let told = Conditions::of(&both, &[stretch(0, 0.0, 3.0)], 1);
        assert!(near(told.targets[0].gpu_energy_j, 300.0), "{told:?}");
    }

    #[test]
    fn energy_is_a_targets_only_where_it_works_alone() {
        let readings = readings(&[0.0, 1.0, 2.0, 3.0, 4.0]);
        let turns = [stretch(0, 0.0, 1.0), stretch(1, 1.0, 2.0), stretch(0, 2.0, 3.0)];
        let told = Conditions::of(&readings, &turns, 2);
        assert!(near(told.targets[0].energy_j, 60.0) && near(told.targets[1].energy_j, 30.0), "{told:?}");
        assert!(near(told.targets[0].gpu_energy_j, 200.0), "{told:?}");
        let together = Conditions::of(&readings, &[stretch(0, 0.0, 2.0), stretch(1, 1.5, 3.0)], 2);
        assert_eq!((together.targets[0].energy_j, together.targets[1].gpu_energy_j), (None, None));
        assert!(near(together.energy_j, 90.0));
    }

    #[test]
    fn what_a_target_counted_is_its_stretches_own() {
        let mut readings = readings(&[0.0, 1.0, 2.0, 3.0, 4.0]);
        for (at, reading) in readings.iter_mut().enumerate() {
            let n = at as u64;
            // Switches and shares are read at every second reading only.
            let dear = at % 2 == 0;
            reading.counts = vec![Counts {
                minor_faults: Some(100 * n),
                disk_read_bytes: Some(if at > 2 { 4096 } else { 0 }),
                voluntary: dear.then_some(10 * n),
                ..Counts::default()
            }];
            reading.held[0] =
                Some(ProcessHoldings { bytes: 50, proportional: dear.then_some(20 + n), ..ProcessHoldings::default() });
        }
        let told = &Conditions::of(&readings, &[stretch(0, 1.0, 3.0)], 1).targets[0];
        assert_eq!(
            (told.minor_faults, told.disk_read_bytes, told.voluntary_switches),
            (Some(200), Some(4096), Some(20))
        );
        assert_eq!((told.major_faults, told.involuntary_switches), (None, None), "not read is not 0");
        assert_eq!((told.rest_proportional_bytes, told.peak_proportional_bytes), (Some(20), Some(22)));
    }
}
