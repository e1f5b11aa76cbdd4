//! Readings made again of rows: a run that was killed left its `resources.csv`, and nothing folded.
//!
//! Rates become counters again, grown evenly between two rows; what only readings at windows' edges told is gone, so that
//! figures are to the second and not to its hundredth.

use super::counts::Counts;
use super::detail::Memory;
use super::downsample::ThinnedReadings;
use super::gpu::Device;
use super::lookup::ProcessHoldings;
use super::machine::Counters;
use super::reading::Reading;
use super::usage::Usage;
use super::{Conditions, Stretch};

/// More graphics devices than any machine has: a file may be damaged.
const MOST_GPUS: usize = 1024;

/// Takes rows in the order they were written.
#[derive(Debug)]
pub struct Recall {
    names: Vec<String>,
    kept: ThinnedReadings,
    now: Option<Reading>,
    sums: Sums,
}

#[derive(Debug, Default)]
struct Sums {
    busy: Sum,
    own: Sum,
    others: Sum,
    stolen: Sum,
    energy: Sum,
    swapped: u64,
    targets: Vec<(Sum, Counts)>,
}

/// A counter made of rates.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    since: Option<f64>,
    sum: f64,
}

impl Sum {
    /// What it stands at, at `t_s`. A row without a rate begins it.
    fn grow(&mut self, t_s: f64, rate: Option<f64>) -> Option<f64> {
        let since = self.since.replace(t_s);
        match (since, rate) {
            (Some(since), Some(rate)) => self.sum += rate * (t_s - since),
            (Some(_), None) => return None,
            (None, _) => {}
        }
        Some(self.sum)
    }
}

impl Recall {
    /// Of a run with these targets.
    pub fn new(names: Vec<String>) -> Self {
        let sums = Sums { targets: vec![(Sum::default(), Counts::default()); names.len()], ..Sums::default() };
        Self { names, kept: ThinnedReadings::default(), now: None, sums }
    }

    /// Takes a row.
    pub fn push(&mut self, row: &Usage) {
        let t_s = row.t_s;
        if self.now.as_ref().is_some_and(|now| now.t_s != t_s) {
            self.end();
        }
        let n = self.names.len();
        let now = self.now.get_or_insert_with(|| Reading {
            t_s,
            cores: super::machine::cores(),
            regular: true,
            targets: vec![None; n],
            held: vec![None; n],
            counts: vec![Counts::default(); n],
            ..Reading::default()
        });
        let sums = &mut self.sums;
        match row.who.as_str() {
            "host" => {
                sums.swapped += row.swapped_bytes.unwrap_or(0);
                let own = now.machine.own_s;
                now.machine = Counters {
                    own_s: own,
                    busy_s: sums.busy.grow(t_s, row.cpu_cores),
                    stolen_s: sums.stolen.grow(t_s, row.stolen_cores),
                    swap_bytes: row.swap_bytes,
                    swapped_bytes: row.swap_bytes.map(|_| sums.swapped),
                    ..Counters::default()
                };
                now.all_targets = sums.others.grow(t_s, row.other_cores);
                now.energy_j = sums.energy.grow(t_s, row.power_w);
                now.frequency_mhz = row.frequency_mhz.map(|mhz| (mhz, mhz));
            }
            "loadcmp" => now.machine.own_s = sums.own.grow(t_s, row.cpu_cores),
            who => match self.names.iter().position(|name| name == who) {
                Some(at) => sums.target(at, now, row),
                None => {
                    // One that had nothing to tell has no row, and keeps its place.
                    let at =
                        who.strip_prefix("gpu").and_then(|at| at.parse::<usize>().ok()).filter(|at| *at < MOST_GPUS);
                    let Some(at) = at else { return };
                    now.gpus.resize(now.gpus.len().max(at + 1), Device::default());
                    now.gpus[at] = Device {
                        memory_bytes: row.gpu_memory_bytes,
                        busy: row.gpu_busy,
                        power_w: row.power_w,
                        temperature_c: row.temperature_c,
                        // No row tells them.
                        energy_j: None,
                        in_package: false,
                    };
                }
            },
        }
    }

    fn end(&mut self) {
        if let Some(mut now) = self.now.take() {
            // What is written is what others used: the targets' is what is left.
            let machine = &now.machine;
            now.all_targets =
                now.all_targets.zip(machine.busy_s).zip(machine.own_s).map(|((others, all), own)| all - own - others);
            self.kept.push(now);
        }
    }

    /// The end of what was read, in seconds since the run's start.
    pub fn until_s(&self) -> Option<f64> {
        self.now.as_ref().or(self.kept.readings().last()).map(|reading| reading.t_s)
    }

    /// How the machine fared over the measured stretches.
    pub fn conditions(mut self, stretches: &[Stretch]) -> Conditions {
        self.end();
        Conditions::of(self.kept.readings(), stretches, self.names.len())
    }
}

impl Sums {
    fn target(&mut self, at: usize, now: &mut Reading, row: &Usage) {
        let (cpu, counts) = &mut self.targets[at];
        now.targets[at] = cpu.grow(row.t_s, row.cpu_cores);
        let memory = row.rss_anonymous_bytes.zip(row.rss_file_bytes);
        now.held[at] = row.rss_bytes.map(|bytes| ProcessHoldings {
            bytes,
            memory: memory.map(|(anonymous, file)| Memory { anonymous, file }),
            threads: row.threads.unwrap_or(0),
            proportional: row.pss_bytes,
            gpu_bytes: row.gpu_memory_bytes,
            other_models_bytes: row.other_models_bytes,
            // No row tells it.
            unclear: false,
        });
        // The first row tells no growth: there every count begins. One that no later row tells stays a single point,
        // which is no growth either.
        let add = |sum: &mut Option<u64>, more: Option<u64>| match (*sum, more) {
            (None, more) => sum.insert(more.unwrap_or(0)).to_owned().into(),
            (Some(before), Some(more)) => sum.insert(before.saturating_add(more)).to_owned().into(),
            (Some(_), None) => None,
        };
        now.counts[at] = Counts {
            minor_faults: add(&mut counts.minor_faults, row.minor_faults),
            major_faults: add(&mut counts.major_faults, row.major_faults),
            disk_read_bytes: add(&mut counts.disk_read_bytes, row.disk_read_bytes),
            voluntary: add(&mut counts.voluntary, row.voluntary_switches),
            involuntary: add(&mut counts.involuntary, row.involuntary_switches),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::usage::Rows;
    use super::*;

    #[test]
    fn a_device_without_a_row_keeps_its_place() {
        let mut recall = Recall::new(vec!["gpu7".to_owned()]);
        let row = |t_s, who: &str, busy| Usage { t_s, who: who.to_owned(), gpu_busy: Some(busy), ..Usage::default() };
        let all = [row(0.0, "gpu0", 0.5), row(1.0, "gpu1", 0.25), row(2.0, "gpu0", 0.5), row(3.0, "gpu1", 0.75)];
        all.iter().for_each(|row| recall.push(row));
        for who in ["gpu", "gpu-1", "gpux", "gpu99999999999999999999", "gpu4000000000", "gpu7"] {
            recall.push(&row(3.0, who, 1.0));
        }
        let gpus = recall.conditions(&[Stretch { target: 0, from_s: 0.0, to_s: 4.0 }]).gpus;
        assert_eq!(gpus.iter().map(|gpu| gpu.busy).collect::<Vec<_>>(), [Some(0.5), Some(0.5)]);
    }

    #[test]
    fn what_rows_tell_is_what_was_read() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let (mut rows, mut recall, mut kept) =
            (Rows::new(names.clone()), Recall::new(names), ThinnedReadings::default());
        for second in 0..60_u32 {
            let t_s = f64::from(second);
            let n = u64::from(second);
            let reading = Reading {
                t_s,
                cores: super::super::machine::cores(),
                regular: true,
                machine: Counters {
                    busy_s: Some(50.0 + 1.5 * t_s),
                    own_s: Some(0.25 * t_s),
                    stolen_s: Some(0.01 * t_s),
                    swap_bytes: Some(5),
                    swapped_bytes: Some(4096 * n),
                    ..Counters::default()
                },
                targets: vec![Some(0.5 * t_s), None],
                held: vec![
                    Some(ProcessHoldings {
                        bytes: 100 + n,
                        threads: 3,
                        proportional: Some(50),
                        ..ProcessHoldings::default()
                    }),
                    None,
                ],
                counts: vec![
                    Counts {
                        minor_faults: Some(7 * n),
                        voluntary: (second % 10 == 0).then_some(n),
                        ..Counts::default()
                    },
                    Counts::default(),
                ],
                all_targets: Some(0.5 * t_s),
                energy_j: Some(20.0 * t_s),
                ..Reading::default()
            };
            rows.of(&reading).iter().for_each(|row| recall.push(row));
            kept.push(reading);
        }
        assert_eq!(recall.until_s(), Some(59.0));
        let stretches = [Stretch { target: 0, from_s: 10.0, to_s: 50.0 }];
        let mut told = recall.conditions(&stretches);
        let mut read = Conditions::of(kept.readings(), &stretches, 2);
        let near = |a: Option<f64>, b: Option<f64>| a.zip(b).is_some_and(|(a, b)| (a - b).abs() < 1e-9);
        let (used, of) = (&mut told.targets[0], &mut read.targets[0]);
        for (a, b) in [
            (&mut told.busy_cores, &mut read.busy_cores),
            (&mut told.own_cores, &mut read.own_cores),
            (&mut told.own_cores_most, &mut read.own_cores_most),
            (&mut told.other_cores, &mut read.other_cores),
            (&mut told.stolen_cores, &mut read.stolen_cores),
            (&mut told.energy_j, &mut read.energy_j),
            (&mut told.target_cores[0], &mut read.target_cores[0]),
            (&mut used.cpu_s, &mut of.cpu_s),
            (&mut used.energy_j, &mut of.energy_j),
        ] {
            assert!(near(*a, *b), "{a:?} {b:?}");
            (*a, *b) = (None, None);
        }
        // A counter that no row tells is none.
        assert_eq!(told, read);
    }
}
