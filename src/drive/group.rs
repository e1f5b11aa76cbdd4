//! Lanes that are driven at the same time: one start, one end, one watch over both.

use super::judge::{Judge, midway};
use super::lane::{Lane, Opening};
use super::side::{LaneSetup, LaneTarget};
use super::stretch::{Opened, Stretch};
use super::together::MeetingPoint;
use super::{native, open};
use crate::host::lock;
use crate::record::Nanos;
use crate::scenario::Order;
use crate::scenario::plan::{LoadPlan, Plan};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What sets a group's length once it runs, and how long an earlier group was driven, which it is too.
pub(super) type LengthJudge = (Arc<dyn Judge>, Duration);

/// How often the watch looks at what nobody tells it.
const LOOK: Duration = Duration::from_millis(50);

/// Longest that answers are waited for once somebody has interrupted the run: containers are killed 10 s after they were
/// asked to end, and the files are to be written by then.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);

/// What a group needs beside its lanes.
#[derive(Clone)]
pub(super) struct Group {
    /// The run's setup; its stop is the run's.
    pub run: LaneSetup,
    /// What schedules the users of a closed loop.
    pub driver: Driver,
    /// Hears of windows.
    pub opened: Opened,
}

impl Group {
    /// Drives some targets at the same time, each over the same stretch. Gives the lanes back, for what they got done.
    pub async fn drive(
        &self,
        sides: &[Arc<LaneTarget>],
        stretch: &Stretch,
        judge: Option<LengthJudge>,
    ) -> anyhow::Result<Vec<Arc<Lane>>> {
        // A group ends by itself: what stops it must not stop the next one.
        let setup = LaneSetup { stop: self.run.stop.of_a_part(), ..self.run.clone() };
        let lane = |side: &Arc<LaneTarget>| Arc::new(Lane::new(setup.clone(), side.clone(), stretch.clone()));
        let lanes: Vec<Arc<Lane>> = sides.iter().map(lane).collect();
        let watch = Arc::new(Mutex::new(None));
        let begin = match &setup.together {
            None => None,
            Some(together) => match together.meet(MeetingPoint::Begin).await {
                Some(begin) => Some(begin),
                None => return Ok(lanes),
            },
        };
        // An open loop opens its first connections meanwhile: its schedule begins at that instant, whatever is done by then.
        if let Some(begin) = begin.filter(|_| matches!(setup.plan.load, LoadPlan::Closed(_))) {
            until(&self.run, begin).await;
        }
        let start = {
            let (group, setup, lanes, watch) = (self.clone(), setup.clone(), lanes.clone(), watch.clone());
            let lead = if matches!(setup.plan.load, LoadPlan::Open(_)) { open::LEAD } else { Nanos(0) };
            move || {
                let mut watch = lock(&watch);
                if watch.is_some() {
                    return;
                }
                // One start for all lanes of the group: their windows are the same.
                let now = begin.unwrap_or_else(|| setup.clock.now()) + lead;
                let opening = Arc::new(Opening::new(&group.run, &group.opened, &lanes, now));
                lanes.iter().for_each(|lane| lane.start(now));
                opening.at_once();
                let judged = judge.clone();
                let judged = judged.map(|(judge, before)| midway(lanes.clone(), judge, before, group.opened.clone()));
                let over = watch_over(group.run.clone(), lanes.clone());
                *watch = Some(tokio::spawn(async move {
                    let judged = async {
                        if let Some(judged) = judged {
                            judged.await;
                        }
                    };
                    tokio::join!(opening.at_the_latest(), judged, over);
                }));
            }
        };
        let (stop, clock) = (setup.stop.clone(), setup.clock);
        let deadlines = tokio::spawn(async move { stop.watch_deadlines(clock).await });
        let users = setup.plan.own_concurrency();
        let told = match (&setup.plan.load, self.driver) {
            (LoadPlan::Open(load), _) => open::run(&lanes, load.pacing, start).await,
            #[cfg(feature = "goose")]
            (LoadPlan::Closed(_), Driver::Goose) => super::closed::run(&lanes, users, start).await,
            (LoadPlan::Closed(_), Driver::Native) => {
                native::run(&lanes, users, start).await;
                Ok(())
            }
        };
        deadlines.abort();
        if let Some(watch) = lock(&watch).take() {
            watch.abort();
        }
        // Where the clock didn't close it, or the target had gone, its end is known by now: without it what the processes used
        // would be reckoned over what others did afterwards, too.
        for lane in lanes.iter().filter(|lane| !lane.stretch.pace) {
            let closed = lane.closed_window().filter(|window| window.to.is_some_and(|to| to > window.from));
            closed.into_iter().for_each(|window| (self.opened)(window));
        }
        told.map(|()| lanes)
    }

    /// Waits between two blocks; ends at once if the run does.
    pub async fn settle(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = ended(&self.run, &[]) => {}
        }
    }
}

/// Waits for an instant, nearer to it than the runtime's timers are.
async fn until(run: &LaneSetup, at: Nanos) {
    const NEAR: Nanos = Nanos(3_000_000);
    let left = at.since(run.clock.now()).since(NEAR);
    tokio::select! {
        () = tokio::time::sleep(Duration::from_nanos(left.0)) => {}
        () = run.stop.heard() => return,
    }
    while run.clock.now() < at {
        tokio::task::yield_now().await;
    }
}

/// Waits for the end of sending, by the clock or by a signal, and then for the time to drain; then gives up waiting. A
/// second signal ends the wait at once.
async fn watch_over(run: LaneSetup, lanes: Vec<Arc<Lane>>) {
    let Some(own) = lanes.first().map(|lane| lane.setup.stop.clone()) else { return };
    ended(&run, &lanes).await;
    let mut until = run.clock.now() + run.plan.drain.0.into();
    let mut interrupted = false;
    while !run.recorder.broken() && run.stop.presses() < 2 && run.clock.now() < until {
        if run.stop.interrupted() && !interrupted {
            interrupted = true;
            own.interrupt();
            until = until.min(run.clock.now() + PATIENCE.into());
        }
        tokio::time::sleep(LOOK).await;
    }
    own.abort();
}

/// Ends when the lanes' windows have closed by the clock (with no lanes: never), or when the run is interrupted: by a
/// person, from elsewhere, or because its rows can't be kept.
async fn ended(run: &LaneSetup, lanes: &[Arc<Lane>]) {
    loop {
        let now = run.clock.now();
        let close = lanes.iter().filter_map(|lane| lane.closes()).max();
        if run.recorder.broken() {
            run.stop.interrupt();
        }
        if run.stop.interrupted() || close.is_some_and(|at| now >= at) {
            return;
        }
        let left = close.map_or(LOOK, |at| Duration::from_nanos(at.since(now).0));
        tokio::time::sleep(left.min(LOOK)).await;
    }
}

/// What schedules the users of a closed loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// goose's scheduler.
    #[cfg(feature = "goose")]
    Goose,
    /// A small one of our own.
    Native,
}

impl Driver {
    /// What schedules the users of a plan for which this is asked: blocks in turns are our own scheduler's, since each would be
    /// an attack of goose's, half a second of start and end. `None` in an open loop, which has no users.
    pub fn of(self, plan: &Plan) -> Option<Driver> {
        match (&plan.load, plan.order) {
            (LoadPlan::Open(_), _) => None,
            (LoadPlan::Closed(_), Order::Alternate) => Some(Driver::Native),
            // goose's users start when it likes: those of several generators are to start together.
            (LoadPlan::Closed(_), _) if plan.shard.is_some() => Some(Driver::Native),
            (LoadPlan::Closed(_), _) => Some(self),
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "goose")]
            Driver::Goose => "goose",
            Driver::Native => "native",
        }
    }
}

impl Default for Driver {
    fn default() -> Self {
        #[cfg(feature = "goose")]
        return Driver::Goose;
        #[cfg(not(feature = "goose"))]
        return Driver::Native;
    }
}
