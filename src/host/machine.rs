//! What the machine's counters and loadcmp's own stand at: on Linux from /proc and /sys, elsewhere what sysinfo knows.

use super::processes::text;
use std::time::SystemTime;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// Most cores whose frequency is read: a second's reading must stay cheap on a large machine.
const FREQUENCIES: usize = 32;

/// One reading. Times are sums since some beginning, in core-seconds: only differences mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counters {
    /// Cores that the times are of: the machine's, of which this process may be allowed a few only.
    pub(super) cores: Option<f64>,
    /// Time in which cores had work.
    pub(super) busy_s: Option<f64>,
    /// Time in which the hypervisor gave our cores to others.
    pub(super) stolen_s: Option<f64>,
    /// Processor time of this process.
    pub(super) own_s: Option<f64>,
    /// Memory that could be given without swapping, in bytes: the cache's pages among it.
    pub(super) available_bytes: Option<u64>,
    /// Memory in use, in bytes.
    pub(super) used_bytes: Option<u64>,
    /// Memory of this process, in bytes.
    pub(super) own_bytes: Option<u64>,
    /// Swap in use, in bytes.
    pub(super) swap_bytes: Option<u64>,
    /// Bytes swapped in and out since the machine's start.
    pub(super) swapped_bytes: Option<u64>,
    /// Mean frequency over the cores now, in MHz.
    pub(super) frequency_mhz: Option<f64>,
    /// Wall clock less the run's clock, in seconds.
    pub(super) wall_offset_s: Option<f64>,
}

/// Reads them.
pub(super) struct Machine {
    system: Option<System>,
    own: Pid,
    frequencies: Vec<String>,
    /// Busy time where only a share since the last reading can be had: summed up here.
    shares: Option<(f64, f64)>,
    table: Table,
}

/// Whether the kernel's table of processor times is one: in some containers it is there and doesn't move, or is made up.
#[derive(Debug, Default)]
struct Table {
    /// When it was read last, and the sum of all times then.
    last: Option<(f64, f64)>,
    untrue: bool,
}

/// Shortest time over which the table is looked at, in seconds.
const LOOKED_AT: f64 = 0.5;

impl Table {
    /// Whether the times are true, as far as can be seen: all together, each core's grow by a second each second.
    fn is_true(&mut self, t_s: f64, cores: f64, total: f64) -> bool {
        let (since, before) = *self.last.get_or_insert((t_s, total));
        let passed = (t_s - since) * cores;
        if t_s - since >= LOOKED_AT {
            self.untrue |= !(0.5 * passed..=2.0 * passed).contains(&(total - before));
            self.last = Some((t_s, total));
        }
        self.untrue |= total <= 0.0;
        !self.untrue
    }
}

impl Machine {
    pub(super) fn new() -> Self {
        let what = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing().with_usage());
        let cores = cores();
        let stride = cores.div_ceil(FREQUENCIES).max(1);
        let path = |core| format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq");
        Self {
            system: System::new_with_specifics(what).ok(),
            own: Pid::from_u32(std::process::id()),
            frequencies: (0..cores).step_by(stride).map(path).filter(|path| text(path).is_some()).collect(),
            shares: None,
            table: Table::default(),
        }
    }

    /// Reads everything at `t_s` of the run's clock.
    pub(super) fn read(&mut self, clock: &dyn Fn() -> f64) -> Counters {
        let t_s = clock();
        let mut read = Counters { wall_offset_s: wall_offset(clock), ..Counters::default() };
        match text("/proc/stat").as_deref().and_then(|stat| processor_times(stat, ticks_per_second())) {
            Some(times) => {
                if self.table.is_true(t_s, times.cores, times.total) {
                    read.cores = Some(times.cores);
                    read.busy_s = Some(t_s * times.cores - times.idle - times.stolen);
                    read.stolen_s = Some(times.stolen);
                }
            }
            None => read.busy_s = self.busy_by_shares(t_s),
        }
        if let Some(system) = &mut self.system {
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram().with_swap());
            let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.own]), true, what);
            read.used_bytes = Some(system.used_memory()).filter(|bytes| *bytes > 0);
            read.available_bytes = Some(system.available_memory()).filter(|bytes| *bytes > 0);
            read.swap_bytes = read.used_bytes.map(|_| system.used_swap());
            let own = system.process(self.own);
            read.own_bytes = own.map(sysinfo::Process::memory);
            read.own_s = own.map(|own| own.accumulated_cpu_time() as f64 / 1e3);
        }
        // To the nanosecond, where the system keeps it so.
        read.own_s = own_processor_time().or(read.own_s);
        read.swapped_bytes = text("/proc/vmstat").as_deref().and_then(|vmstat| swapped_pages(vmstat, page_bytes()));
        read.frequency_mhz = self.frequency();
        read
    }

    /// Busy time, from shares of the time between two readings.
    fn busy_by_shares(&mut self, t_s: f64) -> Option<f64> {
        let system = self.system.as_mut()?;
        system.refresh_cpu_usage();
        let share = f64::from(system.global_cpu_usage()) / 100.0 * system.cpus().len() as f64;
        let (last, sum) = self.shares.unwrap_or((t_s, 0.0));
        let sum = sum + share * (t_s - last);
        self.shares = Some((t_s, sum));
        Some(sum).filter(|sum| sum.is_finite())
    }

    fn frequency(&self) -> Option<f64> {
        let khz = self.frequencies.iter().filter_map(|path| text(path)?.trim().parse::<f64>().ok());
        mean(khz.map(|khz| khz / 1e3)).or_else(|| mean(cpuinfo_mhz(&text("/proc/cpuinfo")?).into_iter()))
    }
}

/// Logical cores.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Sums over the cores of the machine, in core-seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Times {
    cores: f64,
    idle: f64,
    stolen: f64,
    /// Of everything.
    total: f64,
}

/// Times from /proc/stat.
///
/// Busy time is what is left of the whole: on kernels that stop the tick of an idle core, idle time is kept exactly,
/// while user and system time are samples by a tick that short bursts of work can escape.
fn processor_times(stat: &str, ticks: f64) -> Option<Times> {
    let cores = stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // user nice system idle iowait irq softirq steal ...
    let times: Vec<f64> = all.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
    let idle = times.get(3)? + times.get(4)?;
    // What guests used is a part of user and nice.
    let total = times.iter().take(8).sum::<f64>() / ticks;
    let stolen = times.get(7).unwrap_or(&0.0) / ticks;
    (cores > 0).then_some(Times { cores: cores as f64, idle: idle / ticks, stolen, total })
}

/// Bytes swapped in and out, from /proc/vmstat.
fn swapped_pages(vmstat: &str, page: u64) -> Option<u64> {
    let of =
        |name: &str| -> Option<u64> { vmstat.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok() };
    Some((of("pswpin ")? + of("pswpout ")?) * page)
}

/// Frequencies from /proc/cpuinfo, in MHz.
fn cpuinfo_mhz(text: &str) -> Vec<f64> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("cpu MHz"));
    lines.filter_map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().parse().ok()).take(FREQUENCIES).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_u32), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

/// The wall clock less the run's, in seconds. Both are read several times and the closest pair is taken: a thread that is
/// put aside between two readings must not look like a clock that jumped.
fn wall_offset(clock: &dyn Fn() -> f64) -> Option<f64> {
    let pair = || {
        let before = clock();
        let wall = SystemTime::UNIX_EPOCH.elapsed().ok()?.as_secs_f64();
        let after = clock();
        Some((after - before, wall - (before + after) / 2.0))
    };
    (0..3).filter_map(|_| pair()).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, offset)| offset)
}

/// Processor time of this process, its ended threads included, in seconds; `None` where the system doesn't keep it finely.
pub fn own_processor_time() -> Option<f64> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
    }
    #[cfg(not(unix))]
    None
}

/// Processor time of the thread that asks, in seconds; `None` where the system doesn't keep it finely.
pub(super) fn thread_processor_time() -> Option<f64> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
    }
    #[cfg(not(unix))]
    None
}

/// Ticks of the kernel's in a second, the unit of /proc's times.
pub(super) fn ticks_per_second() -> f64 {
    #[cfg(unix)]
    return rustix::param::clock_ticks_per_second() as f64;
    #[cfg(not(unix))]
    100.0
}

/// Bytes in a page of memory.
pub(super) fn page_bytes() -> u64 {
    #[cfg(unix)]
    return rustix::param::page_size() as u64;
    #[cfg(not(unix))]
    4096
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let stat =
            "cpu  10 0 20 700 100 3 4 50 0 0\ncpu0 5 0 10 350 50 1 2 25 0 0\ncpu1 5 0 10 350 50 1 2 25 0 0\nintr 9";
        let times = Times { cores: 2.0, idle: 8.0, stolen: 0.5, total: 8.87 };
        assert_eq!(processor_times(stat, 100.0), Some(times));
        let old = Times { cores: 1.0, idle: 8.0, stolen: 0.0, total: 8.3 };
        assert_eq!(processor_times("cpu  10 0 20 700 100\ncpu0 1", 100.0), Some(old), "an old kernel");
        assert_eq!(processor_times("", 100.0), None);
        assert_eq!(processor_times("cpu  1 2", 100.0), None);
        assert_eq!(swapped_pages("pswpin 2\npswpout 3\npswpouts 9\n", 4096), Some(5 * 4096));
        assert_eq!(swapped_pages("pswpin 2\n", 4096), None);
        assert_eq!(cpuinfo_mhz("cpu MHz\t\t: 2000.5\nmodel : x\ncpu MHz\t\t: 3000\n"), [2000.5, 3000.0]);
    }

    #[test]
    fn a_table_that_does_not_move_tells_nothing() {
        let trusts = |readings: &[(f64, f64)]| {
            let mut table = Table::default();
            readings.iter().map(|(t_s, total)| table.is_true(*t_s, 4.0, *total)).collect::<Vec<_>>()
        };
        assert_eq!(trusts(&[(0.0, 100.0), (0.1, 100.0), (1.0, 104.1), (2.0, 107.9)]), [true; 4]);
        // Zeros, a table that stands still, and one of another machine: once it was wrong, it isn't believed again.
        assert_eq!(trusts(&[(0.0, 0.0), (1.0, 0.0)]), [false; 2]);
        assert_eq!(trusts(&[(0.0, 100.0), (1.0, 100.0), (2.0, 104.0)]), [true, false, false]);
        assert_eq!(trusts(&[(0.0, 100.0), (1.0, 300.0)]), [true, false]);
    }

    #[test]
    fn counters_only_grow() {
        let clock = || SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |time| time.as_secs_f64());
        let mut machine = Machine::new();
        let first = machine.read(&clock);
        std::hint::black_box((0..2_000_000_u64).fold(0, |a, b| a ^ b.wrapping_mul(7)));
        let second = machine.read(&clock);
        assert!(second.own_s > first.own_s, "{first:?} {second:?}");
        assert!(second.own_bytes.is_some_and(|bytes| bytes > 100_000));
        assert!(second.wall_offset_s.is_some_and(|offset| offset.abs() < 1.0), "{second:?}");
        if cfg!(target_os = "linux") {
            assert!(second.stolen_s >= first.stolen_s && second.busy_s.is_some() && second.swapped_bytes.is_some());
        }
    }
}
