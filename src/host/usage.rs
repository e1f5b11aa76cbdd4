//! The rows of `resources.csv`: what each used between one reading and the next, and held then.

use super::reading::Reading;
use serde::{Deserialize, Serialize};

/// Shortest stretch that rates are told of, in seconds: over less, the kernel's own accounting tells nothing.
const SHORTEST: f64 = 0.1;

/// What one of those used in the time before a reading; `None` for what isn't known, or doesn't apply. Counts are of the
/// time since the row before that tells them, context switches therefore of about ten seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Seconds since the run's start, at the reading.
    pub t_s: f64,
    /// `host`, `loadcmp`, `gpu0` and on, or a target's name.
    pub who: String,
    /// Cores kept busy, on average since the row before.
    pub cpu_cores: Option<f64>,
    /// Memory in use, in bytes; of several processes the sum of what is resident, what they share counted for each.
    pub rss_bytes: Option<u64>,
    /// The part of it that is of no file.
    pub rss_anonymous_bytes: Option<u64>,
    /// The part of it that is pages of files.
    pub rss_file_bytes: Option<u64>,
    /// Proportional share of the memory that processes hold together, in bytes; read about every ten seconds.
    pub pss_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Page faults that needed no disk.
    pub minor_faults: Option<u64>,
    /// Page faults that waited for a disk.
    pub major_faults: Option<u64>,
    /// Bytes fetched from storage.
    pub disk_read_bytes: Option<u64>,
    /// Context switches that the threads asked for by waiting; of those that live.
    pub voluntary_switches: Option<u64>,
    /// Context switches that were forced on them.
    pub involuntary_switches: Option<u64>,
    /// Memory of graphics devices in use, in bytes; a target's part of it in its own row.
    pub gpu_memory_bytes: Option<u64>,
    /// Share of the driver's last sampling period in which a graphics device had work.
    pub gpu_busy: Option<f64>,
    /// Power that a graphics device drew, or the processor packages did on average, in watts.
    pub power_w: Option<f64>,
    /// Temperature of a graphics device, in degrees Celsius.
    pub temperature_c: Option<f64>,
    /// Cores kept busy by all but loadcmp and the targets (host).
    pub other_cores: Option<f64>,
    /// Memory that could be given without swapping, in bytes (host).
    pub available_bytes: Option<u64>,
    /// Swap in use, in bytes (host).
    pub swap_bytes: Option<u64>,
    /// Mean frequency over the cores, in MHz (host).
    pub frequency_mhz: Option<f64>,
    /// Cores that the hypervisor gave to other machines (host).
    pub stolen_cores: Option<f64>,
    /// Bytes swapped in and out (host).
    pub swapped_bytes: Option<u64>,
    /// Memory of a target's server that serves other models, in bytes: it is in no other figure of the target's.
    pub other_models_bytes: Option<u64>,
}

/// A growing value with when it was told last.
#[derive(Clone, Copy, Debug, Default)]
struct LastValue<T>(Option<(f64, T)>);

impl LastValue<f64> {
    /// Growth a second since it was told last.
    fn rate(&mut self, t_s: f64, now: Option<f64>) -> Option<f64> {
        let now = now?;
        if self.0.is_some_and(|(since, _)| t_s - since < SHORTEST) {
            return None;
        }
        let (since, before) = self.0.replace((t_s, now))?;
        Some((now - before) / (t_s - since)).filter(|rate| rate.is_finite()).map(|rate| rate.max(0.0))
    }
}

impl LastValue<u64> {
    /// Growth since it was told last.
    fn growth(&mut self, t_s: f64, now: Option<u64>) -> Option<u64> {
        let now = now?;
        let (_, before) = self.0.replace((t_s, now))?;
        Some(now.saturating_sub(before))
    }
}

/// Makes rows of readings as they come.
#[derive(Debug, Default)]
pub(super) struct Rows {
    names: Vec<String>,
    last_t: Option<f64>,
    host: Host,
    own: LastValue<f64>,
    targets: Vec<TargetUsage>,
    /// Energy of each graphics device.
    gpus: Vec<LastValue<f64>>,
}

#[derive(Debug, Default)]
struct Host {
    busy: LastValue<f64>,
    others: LastValue<f64>,
    stolen: LastValue<f64>,
    swapped: LastValue<u64>,
    energy: LastValue<f64>,
}

#[derive(Clone, Debug, Default)]
struct TargetUsage {
    busy: LastValue<f64>,
    minor_faults: LastValue<u64>,
    major_faults: LastValue<u64>,
    disk_read: LastValue<u64>,
    voluntary: LastValue<u64>,
    involuntary: LastValue<u64>,
}

impl Rows {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { targets: vec![TargetUsage::default(); names.len()], names, ..Self::default() }
    }

    /// The rows of a reading: of the host, of loadcmp, of each target whose processes are known, of each graphics device.
    /// Readings at windows' edges make none of their own. The first tells what is held at rest.
    pub(super) fn of(&mut self, now: &Reading) -> Vec<Usage> {
        let mut rows = Vec::new();
        // The last has what is held in the end, however soon it comes.
        if !now.regular || self.last_t.is_some_and(|last| now.t_s - last < SHORTEST && !now.last) {
            return rows;
        }
        self.last_t = Some(now.t_s);
        let t_s = now.t_s;
        let named = |who: &str| Usage { t_s, who: who.to_owned(), ..Usage::default() };
        let machine = &now.machine;
        let others =
            machine.busy_s.zip(machine.own_s).zip(now.all_targets).map(|((all, own), served)| all - own - served);
        rows.push(Usage {
            cpu_cores: self.host.busy.rate(t_s, machine.busy_s),
            other_cores: self.host.others.rate(t_s, others),
            stolen_cores: self.host.stolen.rate(t_s, machine.stolen_s),
            rss_bytes: machine.used_bytes,
            available_bytes: machine.available_bytes,
            swap_bytes: machine.swap_bytes,
            swapped_bytes: self.host.swapped.growth(t_s, machine.swapped_bytes),
            frequency_mhz: machine.frequency_mhz,
            power_w: self.host.energy.rate(t_s, now.energy_j),
            ..named("host")
        });
        rows.push(Usage {
            cpu_cores: self.own.rate(t_s, machine.own_s),
            rss_bytes: machine.own_bytes,
            ..named("loadcmp")
        });
        for (at, (name, told)) in self.names.iter().zip(&mut self.targets).enumerate() {
            // The process table isn't read each time: a target's row reaches back to when it was read last.
            let busy = now.targets.get(at).copied().flatten();
            let (Some(_), Some(held)) = (busy, now.held.get(at).copied().flatten()) else { continue };
            let counts = now.counts.get(at).copied().unwrap_or_default();
            rows.push(Usage {
                cpu_cores: told.busy.rate(t_s, busy),
                rss_bytes: Some(held.bytes),
                rss_anonymous_bytes: held.memory.map(|memory| memory.anonymous),
                rss_file_bytes: held.memory.map(|memory| memory.file),
                pss_bytes: held.proportional,
                threads: Some(held.threads),
                minor_faults: told.minor_faults.growth(t_s, counts.minor_faults),
                major_faults: told.major_faults.growth(t_s, counts.major_faults),
                disk_read_bytes: told.disk_read.growth(t_s, counts.disk_read_bytes),
                voluntary_switches: told.voluntary.growth(t_s, counts.voluntary),
                involuntary_switches: told.involuntary.growth(t_s, counts.involuntary),
                gpu_memory_bytes: held.gpu_bytes,
                other_models_bytes: held.other_models_bytes,
                ..named(name)
            });
        }
        self.gpus.resize(now.gpus.len().max(self.gpus.len()), LastValue::default());
        for (at, (device, energy)) in now.gpus.iter().zip(&mut self.gpus).enumerate() {
            let nothing = named(&format!("gpu{at}"));
            // Where the driver only counts energy, its growth is the power.
            let mean_w = energy.rate(t_s, device.energy_j);
            let row = Usage {
                gpu_memory_bytes: device.memory_bytes,
                gpu_busy: device.busy,
                power_w: device.power_w.or(mean_w),
                temperature_c: device.temperature_c,
                ..nothing.clone()
            };
            rows.extend(Some(row).filter(|row| *row != nothing));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::super::counts::Counts;
    use super::super::detail::Memory;
    use super::super::gpu::Device;
    use super::super::lookup::ProcessHoldings;
    use super::super::machine::Counters;
    use super::*;

    fn reading(t_s: f64, busy: Option<f64>, bytes: Option<u64>) -> Reading {
        Reading {
            t_s,
            cores: 2,
            regular: true,
            targets: vec![busy],
            held: vec![bytes.map(|bytes| ProcessHoldings { bytes, ..ProcessHoldings::default() })],
            counts: vec![Counts::default()],
            all_targets: busy,
            ..Reading::default()
        }
    }

    fn of(readings: &[Reading], who: &str) -> Vec<Usage> {
        let mut rows = Rows::new(vec!["t".to_owned()]);
        readings.iter().flat_map(|reading| rows.of(reading)).filter(|row| row.who == who).collect()
    }

    #[test]
    fn a_reading_without_the_process_table_costs_a_target_no_row() {
        let told = |readings: &[Reading]| {
            of(readings, "t").into_iter().map(|row| (row.t_s, row.cpu_cores, row.rss_bytes)).collect::<Vec<_>>()
        };
        let known = [(0.0, Some(0.0)), (1.0, None), (2.0, Some(1.0)), (3.0, None), (4.0, None), (5.0, Some(1.5))];
        let readings = known.map(|(t_s, busy)| reading(t_s, busy, Some(8192)));
        let later = [(2.0, Some(0.5), Some(8192)), (5.0, Some(0.5 / 3.0), Some(8192))];
        assert_eq!(told(&readings), [[(0.0, None, Some(8192))].as_slice(), &later].concat());
        let late: Vec<_> = known[1..].iter().map(|(t_s, busy)| reading(*t_s, *busy, Some(4096))).collect();
        assert_eq!(told(&late), [(2.0, None, Some(4096)), (5.0, Some(0.5 / 3.0), Some(4096))]);
        let ended = [reading(0.0, Some(0.0), Some(1)), reading(1.0, Some(1.0), None)];
        assert_eq!(told(&ended), [(0.0, None, Some(1))]);
    }

    #[test]
    fn counts_are_since_they_were_told_last_and_edges_make_no_row() {
        let mut readings: Vec<Reading> =
            (0..4).map(|t| reading(f64::from(t), Some(f64::from(t) * 0.5), Some(100))).collect();
        for (at, reading) in readings.iter_mut().enumerate() {
            let n = at as u64;
            reading.counts[0] = Counts {
                minor_faults: Some(100 * n),
                major_faults: Some(n),
                disk_read_bytes: Some(4096 * n),
                voluntary: (at != 1).then_some(10 * n),
                involuntary: (at != 1).then_some(n),
            };
            let held = reading.held[0].as_mut().unwrap();
            held.memory = Some(Memory { anonymous: 60, file: 40 });
        }
        readings[2].regular = false;
        let rows = of(&readings, "t");
        let told = |row: &Usage| (row.minor_faults, row.major_faults, row.disk_read_bytes, row.voluntary_switches);
        assert_eq!(
            rows.iter().map(told).collect::<Vec<_>>(),
            [
                (None, None, None, None),
                (Some(100), Some(1), Some(4096), None),
                (Some(200), Some(2), Some(8192), Some(30)),
            ]
        );
        assert_eq!(
            (rows[2].cpu_cores, rows[2].rss_anonymous_bytes, rows[2].rss_file_bytes),
            (Some(0.5), Some(60), Some(40))
        );
    }

    #[test]
    fn the_last_reading_has_a_row_however_soon_it_comes_and_no_rate_of_so_short_a_time() {
        let mut readings =
            vec![reading(0.0, Some(0.0), Some(1)), reading(1.0, Some(0.5), Some(2)), reading(1.05, Some(0.6), Some(3))];
        assert_eq!(of(&readings, "t").len(), 2);
        readings[2].last = true;
        let rows = of(&readings, "t");
        assert_eq!((rows.len(), rows[2].cpu_cores, rows[2].rss_bytes), (3, None, Some(3)));
    }

    #[test]
    fn the_host_and_devices_have_rows() {
        let at = |t_s: f64| Reading {
            machine: Counters {
                busy_s: Some(1.5 * t_s),
                own_s: Some(0.25 * t_s),
                swapped_bytes: Some(4096),
                available_bytes: Some(7),
                ..Counters::default()
            },
            energy_j: Some(30.0 * t_s),
            gpus: vec![
                Device { memory_bytes: Some(9), busy: Some(0.5), ..Device::default() },
                Device::default(),
                Device { energy_j: Some(1e4 + 45.0 * t_s), ..Device::default() },
                Device { energy_j: Some(t_s), power_w: Some(7.0), ..Device::default() },
            ],
            ..reading(t_s, Some(t_s), Some(1))
        };
        let readings = [at(1.0), at(3.0)];
        let host = &of(&readings, "host")[1];
        assert_eq!((host.cpu_cores, host.other_cores, host.power_w), (Some(1.5), Some(0.25), Some(30.0)));
        assert_eq!((host.swapped_bytes, host.available_bytes, host.stolen_cores), (Some(0), Some(7), None));
        assert_eq!(of(&readings, "gpu0")[1].gpu_busy, Some(0.5));
        assert_eq!(of(&readings, "gpu1"), [], "it tells nothing");
        let watts = |who| of(&readings, who).into_iter().map(|row| row.power_w).collect::<Vec<_>>();
        assert_eq!((watts("gpu2"), watts("gpu3")), (vec![Some(45.0)], vec![Some(7.0); 2]), "energy is power, at need");
    }
}
