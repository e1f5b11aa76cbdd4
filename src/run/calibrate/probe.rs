//! One probe of a calibration: a closed loop of so many users for so long, by the same path that a run takes, and what
//! came of it. What is written of its rows goes to a temporary directory: writing them is a part of what a run costs.

use super::super::Failure;
use super::super::prepare::Prepared;
use crate::drive::{Driver, LaneSetup, LaneWindow, Stop, drive};
use crate::host::lock;
use crate::host::{Transport, own_processor_time};
use crate::record::columns::Names;
use crate::record::log::{Folder, Log, Vector};
use crate::record::{Nanos, Phase, Sample, Stopwatch};
use crate::scenario::Span;
use crate::scenario::plan::{ClosedPlan, LoadPlan, Plan, Until};
use crate::stats::Work;
use crate::target::Target;
use anyhow::Context;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How hard and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) users: u32,
    pub(super) warmup: Duration,
    pub(super) length: Duration,
}

/// What came of a probe. Times in microseconds, sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct ProbeFigures {
    pub(super) responses: Vec<f64>,
    pub(super) ttfts: Vec<f64>,
    pub(super) lags: Vec<f64>,
    /// Answers by the work that was done inside the window.
    pub(super) answered: f64,
    /// Tokens that arrived inside it.
    pub(super) tokens: f64,
    /// What went wrong with a request, if one did.
    pub(super) failed: Option<String>,
    /// The measured window, in seconds on the calibration's clock.
    pub(super) window: (f64, f64),
    /// Processor time of this process inside the window, in seconds.
    pub(super) own_s: Option<f64>,
}

impl ProbeFigures {
    pub(super) fn seconds(&self) -> f64 {
        self.window.1 - self.window.0
    }
}

/// Nearest-rank quantile of sorted values; `None` without values.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

/// Keeps what a probe is read for.
#[derive(Default)]
struct Keep {
    samples: Vec<Sample>,
}

impl Folder for Keep {
    fn sample(&mut self, sample: &Sample) {
        self.samples.push(sample.clone());
    }

    fn vector(&mut self, _: &Vector) {}
}

/// A wire that is ready to be probed.
pub(super) struct Wired {
    pub(super) way: Way,
    pub(super) prepared: Prepared,
    pub(super) targets: Vec<Arc<Target>>,
}

/// Drives one closed loop.
pub(super) async fn probe(wired: &Wired, clock: Stopwatch, load: Load) -> Result<ProbeFigures, Failure> {
    let closed = ClosedPlan {
        users: load.users,
        until: Until::Duration(Span(load.length)),
        think: Span::default(),
        warmup: Span(load.warmup),
    };
    let plan = Arc::new(Plan { load: LoadPlan::Closed(closed), ..wired.prepared.plan.clone() });
    let dir = tempfile::tempdir().context("a directory for the calibration's rows")?;
    let (log, recorder) = Log::start(dir.path(), Names::of(&plan), false, Keep::default())?;
    let workload = wired.prepared.workload.clone();
    let setup = LaneSetup { plan, workload, arrivals: None, recorder, clock, stop: Stop::default(), together: None };
    let meter = Arc::new(Meter::default());
    let opened = {
        let meter = meter.clone();
        move |window: LaneWindow| meter.clone().over(clock, window)
    };
    drive(&setup, &wired.targets, Driver::Native, None, opened).await?;
    meter.done().await;
    let interrupted = setup.stop.interrupted();
    drop(setup);
    let kept = log.finish()?;
    if interrupted {
        return Err(super::interrupted());
    }
    Ok(meter.read(kept))
}

/// Reads this process's processor time at a window's edges.
#[derive(Default)]
struct Meter {
    read: Mutex<Metered>,
}

#[derive(Default)]
struct Metered {
    reader: Option<JoinHandle<()>>,
    window: Option<(Nanos, Nanos)>,
    first: Option<f64>,
    last: Option<f64>,
}

impl Meter {
    /// Hears of the window, and reads at its edges. What comes once it is over, when its end is known, says nothing new: a second
    /// reading would begin and end after the load.
    fn over(self: Arc<Self>, clock: Stopwatch, window: LaneWindow) {
        let Some(to) = window.to else { return };
        let mut known = false;
        self.set(|read| {
            known = read.window.is_some();
            read.window.get_or_insert((window.from, to));
        });
        if known {
            return;
        }
        let meter = self.clone();
        let reader = tokio::spawn(async move {
            tokio::time::sleep_until(clock.instant(window.from).into()).await;
            meter.set(|read| read.first = own_processor_time());
            tokio::time::sleep_until(clock.instant(to).into()).await;
            meter.set(|read| read.last = own_processor_time());
        });
        self.set(|read| read.reader = Some(reader));
    }

    /// Ends when both edges were read: the load may end a moment before its window does.
    async fn done(&self) {
        let mut reader = None;
        self.set(|read| reader = read.reader.take());
        if let Some(reader) = reader {
            // It neither panics nor is aborted.
            let _ = reader.await;
        }
    }

    fn set(&self, change: impl FnOnce(&mut Metered)) {
        change(&mut lock(&self.read));
    }

    fn read(&self, kept: Keep) -> ProbeFigures {
        let Metered { window, first, last, .. } = *lock(&self.read);
        let (from, to) = window.unwrap_or_default();
        let mut seen = ProbeFigures {
            window: (from.seconds(), to.seconds()),
            own_s: first.zip(last).map(|(first, last)| last - first),
            ..ProbeFigures::default()
        };
        for mut sample in kept.samples {
            // A stand-in sends a piece a token.
            sample.output_tokens = sample.output_tokens.or(Some(u64::from(sample.chunks)));
            if !sample.outcome.answered() {
                let what = || sample.error.unwrap_or_else(|| sample.outcome.as_str().to_owned());
                seen.failed.get_or_insert_with(what);
                continue;
            }
            let work = Work::within(&sample, false, false, from, to);
            seen.answered += work.answers;
            seen.tokens += work.output_tokens;
            if sample.phase != Phase::Measure {
                continue;
            }
            seen.responses.extend(sample.response().map(Nanos::micros));
            seen.ttfts.extend(sample.ttft().map(Nanos::micros));
            seen.lags.extend(sample.lag().map(Nanos::micros));
        }
        for values in [&mut seen.responses, &mut seen.ttfts, &mut seen.lags] {
            values.sort_by(f64::total_cmp);
        }
        seen
    }
}

/// A way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) wire: &'static str,
    pub(super) transport: Transport,
    pub(super) stream: bool,
}

impl Way {
    /// Whether more than its floor is measured. Over TLS it is the floor alone: how much a generator can send is found out
    /// over the transports below it.
    pub(super) fn is_measured_in_full(&self) -> bool {
        self.transport != Transport::Tls
    }
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} over {}", self.wire, self.transport.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!([0.5, 0.95, 0.99, 0.0, 1.0].map(|q| quantile(&ten, q)), [5.0, 10.0, 10.0, 1.0, 10.0].map(Some));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
