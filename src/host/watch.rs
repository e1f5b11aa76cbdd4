//! A thread that reads once a second, and at the edges of measured windows, what the machine, loadcmp itself and the
//! targets' processes use.

use super::downsample::ThinnedReadings;
use super::lookup::ProcessLookup;
use super::reading::{Reader, When};
use super::usage::{Rows, Usage};
use super::{Conditions, Stretch};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Seconds between two readings.
const PERIOD: f64 = 1.0;

/// The running thread. It ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Watch {
    edges: Sender<f64>,
    thread: JoinHandle<ThinnedReadings>,
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

/// What was read, as far as it is needed to fold it.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    kept: ThinnedReadings,
    names: Vec<String>,
}

impl Watch {
    /// Starts reading. `clock` gives seconds since the run's start: this room has no clock of its own. The processes of
    /// `targets` are looked for, and watched with all they start. Each reading's rows go to `tell` as they come: only what
    /// folding needs is kept here. When this returns the first reading is made: what was held before anything was asked.
    pub fn start<T: Into<ProcessLookup>>(
        clock: impl Fn() -> f64 + Send + 'static,
        targets: Vec<T>,
        tell: impl FnMut(&[Usage]) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (edges, asked) = channel();
        let targets: Vec<ProcessLookup> = targets.into_iter().map(Into::into).collect();
        let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        let rows = Rows::new(names.clone());
        let (ready, first) = channel();
        let thread = std::thread::Builder::new().name("host-watch".to_owned()).spawn(move || {
            Watching { reader: Reader::new(targets), rows, tell, kept: ThinnedReadings::default() }
                .on(&clock, &asked, ready)
        })?;
        // It ends without a word if the thread broke: then nothing will be known, and the run is none the worse.
        let _ = first.recv();
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
        Watched { kept: self.thread.join().unwrap_or_default(), names: self.names }
    }
}

/// The thread's own.
struct Watching<F> {
    reader: Reader,
    rows: Rows,
    tell: F,
    kept: ThinnedReadings,
}

impl<F: FnMut(&[Usage])> Watching<F> {
    fn read(&mut self, clock: &dyn Fn() -> f64, when: When) {
        let reading = self.reader.read(clock, when);
        let rows = self.rows.of(&reading);
        if !rows.is_empty() {
            (self.tell)(&rows);
        }
        self.kept.push(reading);
    }

    /// Reads until it is told to stop.
    fn on(mut self, clock: &dyn Fn() -> f64, asked: &Receiver<f64>, ready: Sender<()>) -> ThinnedReadings {
        // Usage is a difference: the first reading only begins it.
        self.read(clock, When::Regular);
        drop(ready);
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
                    self.read(clock, if regular { When::Regular } else { When::Edge });
                    edges.retain(|at| *at > now);
                    if regular {
                        // After a stall, no readings are made up for.
                        next = (next + PERIOD).max(now + PERIOD / 2.0);
                    }
                }
            }
        }
        self.read(clock, When::Last);
        self.kept
    }
}

impl Watched {
    /// How the machine fared over the measured stretches.
    pub fn conditions(&self, stretches: &[Stretch]) -> Conditions {
        Conditions::of(self.kept.readings(), stretches, self.names.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::Endpoint;
    use std::sync::{Arc, Mutex};
    use std::time::SystemTime;

    fn wall() -> f64 {
        SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |time| time.as_secs_f64())
    }

    #[test]
    fn a_busy_second_is_seen() {
        let began = wall();
        let nowhere = Endpoint::Unix { path: "/nowhere/x.sock".into() };
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = {
            let told = told.clone();
            move |rows: &[Usage]| told.lock().unwrap().extend_from_slice(rows)
        };
        let watch = Watch::start(move || wall() - began, vec![("gone".to_owned(), nowhere)], tell).unwrap();
        watch.edges().at(0.2);
        while wall() - began < 1.3 {
            std::hint::black_box((0..1000_u64).sum::<u64>());
        }
        let watched = watch.stop();
        let rows = told.lock().unwrap().clone();
        let own: Vec<_> = rows.iter().filter(|row| row.who == "loadcmp").collect();
        assert!(own.iter().any(|row| row.cpu_cores.is_some_and(|c| c > 0.05)), "{rows:?}");
        assert!(own.iter().all(|row| row.rss_bytes.is_some_and(|b| b > 100_000)), "{rows:?}");
        assert!(rows.iter().any(|row| row.who == "host"));
        assert!(rows.iter().all(|row| row.who != "gone"));
        assert!(rows.windows(2).all(|pair| pair[0].t_s <= pair[1].t_s));
        assert!(
            watched.kept.readings().iter().any(|r| !r.regular && (0.2..1.0).contains(&r.t_s)),
            "a reading at the edge"
        );

        let told = watched.conditions(&[Stretch { target: 0, from_s: 0.2, to_s: 1.2 }]);
        assert!(told.own_cores.is_some_and(|cores| cores > 0.05) && told.target_cores == [None], "{told:?}");
        assert!(told.busy_cores >= told.own_cores.map(|own| own * 0.5), "{told:?}");
        assert_eq!(told.other_cores, None, "who isn't found isn't other");
    }
}
