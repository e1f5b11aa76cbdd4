//! A thread that reads once a second, and at the edges of measured windows, what the machine, loadcmp itself and the
//! targets' processes use.

use super::reading::{Reader, Reading, When};
use super::{Conditions, Stretch};
use crate::scenario::plan::Endpoint;
use serde::{Deserialize, Serialize};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Seconds between two readings.
const PERIOD: f64 = 1.0;

/// Shortest stretch that a row is written for, in seconds: over less, the kernel's own accounting tells nothing.
const SHORTEST: f64 = 0.1;

/// What one of those used in the time before a reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds since the run's start, at the reading.
    pub t_s: f64,
    /// `host`, `loadcmp`, or a target's name.
    pub who: String,
    /// Cores kept busy, on average since the reading before; `None` if it can't be told.
    pub cpu_cores: Option<f64>,
    /// Memory in use, in bytes; of several processes the sum, what they share counted for each.
    pub rss_bytes: Option<u64>,
}

/// The running thread. It ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Watch {
    edges: Sender<f64>,
    thread: JoinHandle<Vec<Reading>>,
    names: Vec<String>,
}

/// Tells the watch of windows; cheap to clone.
#[derive(Clone, Debug)]
pub struct Edges(Sender<f64>);

impl Edges {
    /// Asks for a reading at `t_s` seconds after the run's start, or at once if that is past.
    pub fn at(&self, t_s: f64) {
        // A watch that has ended needs none.
        let _ = self.0.send(t_s);
    }
}

/// Everything read.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    readings: Vec<Reading>,
    names: Vec<String>,
}

impl Watch {
    /// Starts reading. `clock` gives seconds since the run's start: this room has no clock of its own. `targets` are names
    /// and where they answer: the processes that listen there are looked for, and watched with all they start.
    pub fn start(clock: impl Fn() -> f64 + Send + 'static, targets: Vec<(String, Endpoint)>) -> std::io::Result<Self> {
        let (edges, asked) = channel();
        let (names, endpoints) = targets.into_iter().unzip();
        let thread = std::thread::Builder::new()
            .name("host-watch".to_owned())
            .spawn(move || read_on(Reader::new(endpoints), &clock, &asked))?;
        Ok(Self { edges, thread, names })
    }

    /// What tells it of windows' edges.
    pub fn edges(&self) -> Edges {
        Edges(self.edges.clone())
    }

    /// Stops reading, and gives everything read.
    pub fn stop(self) -> Watched {
        // Not a number is no instant: it ends the thread, even while an `Edges` lives.
        let _ = self.edges.send(f64::NAN);
        // The thread may have broken; then nothing is known.
        Watched { readings: self.thread.join().unwrap_or_default(), names: self.names }
    }
}

fn read_on(mut reader: Reader, clock: &dyn Fn() -> f64, asked: &Receiver<f64>) -> Vec<Reading> {
    // Usage is a difference: the first reading only begins it.
    let mut readings = vec![reader.read(clock, When::Regular)];
    let mut next = clock() + PERIOD;
    let mut edges: Vec<f64> = Vec::new();
    loop {
        let due = edges.iter().copied().fold(next, f64::min);
        let wait = Duration::try_from_secs_f64(due - clock()).unwrap_or_default();
        match asked.recv_timeout(wait) {
            Ok(at) if at.is_nan() => break,
            Ok(at) => edges.push(at),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let now = clock();
                if now < due {
                    continue;
                }
                let regular = now >= next;
                readings.push(reader.read(clock, if regular { When::Regular } else { When::Edge }));
                edges.retain(|at| *at > now);
                if regular {
                    // After a stall, no readings are made up for.
                    next = (next + PERIOD).max(now + PERIOD / 2.0);
                }
            }
        }
    }
    readings.push(reader.read(clock, When::Last));
    readings
}

impl Watched {
    /// How the machine fared over the measured stretches.
    pub fn conditions(&self, stretches: &[Stretch]) -> Conditions {
        Conditions::of(&self.readings, stretches, self.names.len())
    }

    /// A row a second for the host, for loadcmp, and for each target whose processes are known.
    pub fn usage(&self) -> Vec<Usage> {
        let mut rows = Vec::new();
        let mut regular = self.readings.iter().filter(|reading| reading.regular);
        let Some(mut last) = regular.next() else { return rows };
        // The process table isn't read each time: a target's row reaches back to when it was read last.
        let known = |reading: &Reading, at: usize| reading.targets[at].map(|busy| (reading.t_s, busy));
        let mut targets: Vec<_> = (0..self.names.len()).map(|at| known(last, at)).collect();
        for now in regular {
            let since = now.t_s - last.t_s;
            if since < SHORTEST {
                continue;
            }
            let rate = |before: Option<f64>, after: Option<f64>| {
                before.zip(after).map(|(before, after)| ((after - before) / since).max(0.0)).filter(|r| r.is_finite())
            };
            let mut row = |who: &str, cpu_cores, rss_bytes| {
                rows.push(Usage { t_s: now.t_s, who: who.to_owned(), cpu_cores, rss_bytes });
            };
            let (before, after) = (&last.machine, &now.machine);
            row("host", rate(before.busy_s, after.busy_s), after.used_bytes);
            row("loadcmp", rate(before.own_s, after.own_s), after.own_bytes);
            for (at, name) in self.names.iter().enumerate() {
                let Some((t_s, busy)) = known(now, at) else { continue };
                let before = targets[at].replace((t_s, busy));
                // Processes that aren't known, or have ended, leave no row.
                if let (Some((since, before)), Some(held)) = (before, now.held[at]) {
                    row(name, Some(((busy - before) / (t_s - since)).max(0.0)), Some(held.bytes));
                }
            }
            last = now;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::machine::Counters;
    use crate::host::reading::Held;
    use std::time::SystemTime;

    #[test]
    fn a_reading_without_the_process_table_costs_a_target_no_row() {
        let reading = |t_s: f64, busy: Option<f64>, bytes: Option<u64>| Reading {
            t_s,
            cores: 2,
            regular: true,
            machine: Counters::default(),
            targets: vec![busy],
            held: vec![bytes.map(|bytes| Held { bytes, ..Held::default() })],
            all_targets: busy,
        };
        let of = |readings: Vec<Reading>| {
            let rows = Watched { readings, names: vec!["t".to_owned()] }.usage();
            let told = rows.into_iter().filter(|row| row.who == "t");
            told.map(|row| (row.t_s, row.cpu_cores, row.rss_bytes)).collect::<Vec<_>>()
        };
        let known = [(0.0, Some(0.0)), (1.0, None), (2.0, Some(1.0)), (3.0, None), (4.0, None), (5.0, Some(1.5))];
        let readings = known.map(|(t_s, busy)| reading(t_s, busy, Some(8192)));
        assert_eq!(of(readings.to_vec()), [(2.0, Some(0.5), Some(8192)), (5.0, Some(0.5 / 3.0), Some(8192))]);
        let late = known[1..].iter().map(|(t_s, busy)| reading(*t_s, *busy, Some(4096))).collect();
        assert_eq!(of(late), [(5.0, Some(0.5 / 3.0), Some(4096))]);
        let ended = vec![reading(0.0, Some(0.0), Some(1)), reading(1.0, Some(1.0), None)];
        assert_eq!(of(ended), []);
    }

    fn wall() -> f64 {
        SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |time| time.as_secs_f64())
    }

    #[test]
    fn a_busy_second_is_seen() {
        let began = wall();
        let nowhere = Endpoint::Unix { path: "/nowhere/x.sock".into() };
        let watch = Watch::start(move || wall() - began, vec![("gone".to_owned(), nowhere)]).unwrap();
        watch.edges().at(0.2);
        while wall() - began < 1.3 {
            std::hint::black_box((0..1000_u64).sum::<u64>());
        }
        let watched = watch.stop();
        let rows = watched.usage();
        let own: Vec<_> = rows.iter().filter(|row| row.who == "loadcmp").collect();
        assert!(own.iter().any(|row| row.cpu_cores.is_some_and(|c| c > 0.05)), "{rows:?}");
        assert!(own.iter().all(|row| row.rss_bytes.is_some_and(|b| b > 100_000)), "{rows:?}");
        assert!(rows.iter().any(|row| row.who == "host"));
        assert!(rows.iter().all(|row| row.who != "gone"));
        assert!(rows.windows(2).all(|pair| pair[0].t_s <= pair[1].t_s));
        assert!(watched.readings.iter().any(|r| !r.regular && (0.2..1.0).contains(&r.t_s)), "a reading at the edge");

        let told = watched.conditions(&[Stretch { target: 0, from_s: 0.2, to_s: 1.2 }]);
        assert!(told.own_cores.is_some_and(|cores| cores > 0.05) && told.target_cores == [None], "{told:?}");
        assert!(told.busy_cores >= told.own_cores.map(|own| own * 0.5), "{told:?}");
        assert_eq!(told.other_cores, None, "who isn't found isn't other");
    }
}
