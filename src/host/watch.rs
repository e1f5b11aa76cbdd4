//! A thread that reads once a second what the machine, loadcmp itself and known processes use.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// Time between two readings.
const PERIOD: Duration = Duration::from_secs(1);

/// What one of those used in the time before a reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds since the run's start, at the reading.
    pub t_s: f64,
    /// `host`, `loadcmp`, or the name given for a process.
    pub who: String,
    /// Cores kept busy, on average since the reading before; `None` if it can't be told.
    pub cpu_cores: Option<f64>,
    /// Memory in use, in bytes.
    pub rss_bytes: Option<u64>,
}

/// The running thread. It ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Usage>>,
}

impl Watch {
    /// Starts reading. `clock` gives seconds since the run's start: this room has no clock of its own. `pids` are
    /// processes beside our own, each with the name it goes by.
    pub fn start(clock: impl Fn() -> f64 + Send + 'static, pids: Vec<(String, u32)>) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("host-watch".to_owned())
            .spawn(move || Reader::new(pids).map(|reader| reader.run(&clock, &stopped)).unwrap_or_default())?;
        Ok(Self { stop, thread })
    }

    /// Stops reading, and gives everything read.
    pub fn stop(self) -> Vec<Usage> {
        // The thread may have ended by itself; what it read is still there.
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

struct Reader {
    system: System,
    processes: Vec<(String, Pid)>,
    pids: Vec<Pid>,
    /// Milliseconds of processor time that a process had used at the last reading.
    used: BTreeMap<Pid, u64>,
}

impl Reader {
    fn new(pids: Vec<(String, u32)>) -> Option<Self> {
        let own = ("loadcmp".to_owned(), std::process::id());
        let processes: Vec<_> =
            std::iter::once(own).chain(pids).map(|(name, pid)| (name, Pid::from_u32(pid))).collect();
        let pids = processes.iter().map(|(_, pid)| *pid).collect();
        let cpu = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing().with_usage());
        let system = System::new_with_specifics(cpu).ok()?;
        Some(Self { system, processes, pids, used: BTreeMap::new() })
    }

    fn run(mut self, clock: &dyn Fn() -> f64, stopped: &Receiver<()>) -> Vec<Usage> {
        let mut rows = Vec::new();
        let mut last = clock();
        // Usage is a difference: the first reading only begins it.
        self.read(last, 0.0);
        loop {
            let ended = stopped.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout);
            let now = clock();
            // A stretch shorter than the kernel's own accounting tells nothing.
            if now - last >= 0.1 {
                rows.extend(self.read(now, now - last));
                last = now;
            }
            if ended {
                return rows;
            }
        }
    }

    fn read(&mut self, t_s: f64, since: f64) -> Vec<Usage> {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&self.pids), true, what);
        let cores = f64::from(self.system.global_cpu_usage()) / 100.0 * self.system.cpus().len() as f64;
        let mut rows = vec![Usage {
            t_s,
            who: "host".to_owned(),
            cpu_cores: Some(cores).filter(|c| c.is_finite()),
            rss_bytes: Some(self.system.used_memory()),
        }];
        for (who, pid) in &self.processes {
            // A process that has ended leaves no row.
            let Some(process) = self.system.process(*pid) else { continue };
            let used = process.accumulated_cpu_time();
            let before = self.used.insert(*pid, used);
            let busy = before.map(|before| used.saturating_sub(before) as f64 / 1e3 / since);
            rows.push(Usage {
                t_s,
                who: who.clone(),
                cpu_cores: busy.filter(|busy| busy.is_finite()),
                rss_bytes: Some(process.memory()),
            });
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn wall() -> f64 {
        SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |time| time.as_secs_f64())
    }

    #[test]
    fn a_busy_second_is_seen() {
        let began = wall();
        let watch = Watch::start(move || wall() - began, vec![("gone".to_owned(), u32::MAX - 1)]).unwrap();
        while wall() - began < 1.3 {
            std::hint::black_box((0..1000_u64).sum::<u64>());
        }
        let rows = watch.stop();
        let own: Vec<_> = rows.iter().filter(|row| row.who == "loadcmp").collect();
        assert!(own.iter().any(|row| row.cpu_cores.is_some_and(|c| c > 0.05)), "{rows:?}");
        assert!(own.iter().all(|row| row.rss_bytes.is_some_and(|b| b > 100_000)), "{rows:?}");
        assert!(rows.iter().any(|row| row.who == "host"));
        assert!(rows.iter().all(|row| row.who != "gone"));
        assert!(rows.windows(2).all(|pair| pair[0].t_s <= pair[1].t_s));
    }
}
