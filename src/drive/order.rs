//! Which lanes run at the same time, and what comes before: the first request to each target, told apart.

use super::lane::{Lane, LaneSetup, Window};
use super::{Stop, native};
use crate::record::Outcome;
use crate::scenario::Order;
use crate::target::Target;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Times a first request is tried: an engine may refuse one while it loads.
const COLD_TRIES: u64 = 3;

/// What schedules the users of a closed loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// goose's scheduler.
    #[cfg(feature = "goose")]
    Goose,
    /// A small one of our own.
    Native,
}

impl Default for Driver {
    fn default() -> Self {
        #[cfg(feature = "goose")]
        return Driver::Goose;
        #[cfg(not(feature = "goose"))]
        return Driver::Native;
    }
}

/// How a target's first request went.
#[derive(Clone, Debug)]
pub struct ColdStart {
    /// How the last try ended.
    pub outcome: Outcome,
    /// What went wrong.
    pub error: Option<String>,
}

/// Sends the first request to each target, one target after another; a model that has to be loaded is loaded here.
pub async fn cold_starts(setup: &LaneSetup, targets: &[Arc<Target>]) -> Vec<ColdStart> {
    let (stop, clock) = (setup.stop.clone(), setup.clock);
    let deadlines = tokio::spawn(async move { stop.watch_deadlines(clock).await });
    let mut told = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        let lane = Lane::new(setup.clone(), target.clone(), number, 0);
        let mut last = (Outcome::Unsent, None);
        for attempt in 0..COLD_TRIES {
            last = lane.ask_cold(attempt).await;
            if last.0.answered() || last.0 == Outcome::Connect || setup.stop.stopped() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        told.push(ColdStart { outcome: last.0, error: last.1 });
    }
    deadlines.abort();
    told
}

/// Drives every lane in the plan's order. `opened` hears of each target's measured window as soon as it is known.
pub async fn drive(
    setup: &LaneSetup,
    targets: &[Arc<Target>],
    driver: Driver,
    opened: impl Fn(Window) + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let groups: Vec<Vec<usize>> = match setup.plan.order {
        Order::Concurrent => vec![(0..targets.len()).collect()],
        Order::Isolated | Order::Alternate => (0..targets.len()).map(|number| vec![number]).collect(),
    };
    let opened = Arc::new(opened);
    for numbers in groups {
        if setup.stop.stopped() {
            break;
        }
        // A group ends by itself: what stops it must not stop the next one.
        let own = LaneSetup { stop: Stop::default(), ..setup.clone() };
        let lane = |number: usize| Arc::new(Lane::new(own.clone(), targets[number].clone(), number, 0));
        drive_group(setup, &own, numbers.into_iter().map(lane).collect(), driver, opened.clone()).await?;
    }
    Ok(())
}

/// Drives some lanes at the same time.
async fn drive_group(
    run: &LaneSetup,
    setup: &LaneSetup,
    lanes: Vec<Arc<Lane>>,
    driver: Driver,
    opened: Arc<impl Fn(Window) + Send + Sync + 'static>,
) -> anyhow::Result<()> {
    let watch = Arc::new(Mutex::new(None));
    let start = {
        let (run, setup, lanes, watch) = (run.stop.clone(), setup.clone(), lanes.clone(), watch.clone());
        move || {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            if watch.is_some() {
                return;
            }
            // One start for all lanes of the group: their windows are the same.
            let now = setup.clock.now();
            for lane in &lanes {
                lane.open(now);
                if let Some(window) = lane.window() {
                    opened(window);
                }
            }
            let close = lanes.first().and_then(|lane| lane.window()).and_then(|window| window.to);
            *watch =
                Some(tokio::spawn(watch_over(run.clone(), setup.clone(), close.map(|to| setup.clock.instant(to)))));
        }
    };
    let users = setup.plan.load.concurrency();
    let (stop, clock) = (setup.stop.clone(), setup.clock);
    let deadlines = tokio::spawn(async move { stop.watch_deadlines(clock).await });
    match driver {
        #[cfg(feature = "goose")]
        Driver::Goose => {
            let stop = run.stop.clone();
            super::closed::run(&lanes, users, start, move || stop.interrupt()).await?;
        }
        Driver::Native => native::run(&lanes, users, start).await,
    }
    deadlines.abort();
    if let Some(watch) = watch.lock().unwrap_or_else(PoisonError::into_inner).take() {
        watch.abort();
    }
    Ok(())
}

/// Waits for the end of sending, by the clock or by Ctrl-C, and then for the time to drain; then gives up waiting.
///
/// Under goose, which takes the signal's handler, the interruption comes by way of its kill switch.
async fn watch_over(run: Stop, setup: LaneSetup, close: Option<std::time::Instant>) {
    let closed = async {
        match close {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = closed => {}
        _ = tokio::signal::ctrl_c() => run.interrupt(),
        () = interrupted(&run) => {}
    }
    if run.interrupted() {
        setup.stop.interrupt();
    }
    let drain = tokio::time::sleep(setup.plan.drain.0);
    tokio::select! {
        () = drain => {}
        _ = tokio::signal::ctrl_c() => run.interrupt(),
    }
    setup.stop.abort();
}

/// Ends when the run was interrupted from elsewhere.
async fn interrupted(run: &Stop) {
    while !run.interrupted() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
