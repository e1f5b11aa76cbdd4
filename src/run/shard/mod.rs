//! Several generators of one run: who is one (`--shard`), that all have the same plan (`deal`), how they start and end
//! together (`meeting`, `peer`), and how one result is made of theirs (`merge`).

mod deal;
mod meeting;
mod merge;
mod peer;

pub use merge::merge;

use super::{Failure, Prepared};
use crate::drive::{Driver, Stop, Together};
use crate::record::{Nanos, Stopwatch};
use crate::report::{ClockReading, ShardFacts};
use crate::scenario::plan::{LoadPlan, Until};
use crate::scenario::{Order, Shard, Span};
use deal::Deal;
use meeting::Meeting;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// What the command line says of the generators of a run.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// Which one this is.
    pub shard: Shard,
    /// How all start at the same time.
    pub start: ShardStart,
    /// Longest wait for the others.
    pub wait: Span,
}

/// How the generators of a run start at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardStart {
    /// Shard 0 listens at this address, and the others dial it.
    Meet(String),
    /// At this instant by each one's own clock.
    At(jiff::Timestamp),
}

impl ShardStart {
    /// At an instant, as it is written (RFC 3339). The error is a sentence.
    pub fn at(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("`{text}` is no instant: write one such as 2026-11-30T12:00:00Z");
        text.parse().map(ShardStart::At).map_err(wrong)
    }
}

/// What a run of one generator of several has beside its plan.
pub(super) struct Part {
    shard: Shard,
    together: Bond,
}

enum Bond {
    Meeting(Arc<Meeting>),
    Appointed(Arc<Appointed>),
}

impl Part {
    /// What holds it and the others together.
    pub(super) fn together(&self) -> Arc<dyn Together> {
        match &self.together {
            Bond::Meeting(meeting) => meeting.clone(),
            Bond::Appointed(appointed) => appointed.clone(),
        }
    }

    /// Ends with the reason when another ends the run for all.
    async fn over(&self) -> String {
        match &self.together {
            Bond::Meeting(meeting) => meeting.over().await,
            Bond::Appointed(_) => std::future::pending().await,
        }
    }

    /// Ends the run for all, for this reason.
    fn end(&self, why: &str) {
        if let Bond::Meeting(meeting) = &self.together {
            meeting.end(why);
        }
    }

    /// Its load is done, or a target refused it: reads the clock of shard 0 once more, and waits for the others; why the run is over
    /// for all, if it is.
    pub(super) async fn finish(&self, stop: &Stop, refused: Option<&str>) -> Option<String> {
        match refused {
            Some(why) => self.end(&format!("{}: {why}", self.shard)),
            None if stop.interrupted() => self.end(&self.interrupted()),
            None => {}
        }
        match &self.together {
            Bond::Meeting(meeting) => meeting.finish().await,
            Bond::Appointed(_) => None,
        }
    }

    fn interrupted(&self) -> String {
        format!("{} was interrupted", self.shard)
    }

    /// What its manifest says of it. Of one that never met the others the clock is that of the appointed instant.
    pub(super) fn facts(&self) -> ShardFacts {
        let (clocks, checked) = match &self.together {
            Bond::Meeting(meeting) => (meeting.clocks(), true),
            Bond::Appointed(appointed) => (crate::host::lock(&appointed.began).iter().copied().collect(), false),
        };
        ShardFacts { shard: self.shard, clocks, checked, conditions: None }
    }
}

/// Ends a run when another generator ends it for all, and for all when it is interrupted.
pub(super) async fn watch(part: Arc<Part>, stop: Stop) {
    tokio::select! {
        _ = part.over() => stop.interrupt(),
        () = stop.heard() => part.end(&part.interrupted()),
    }
}

/// Starts at an instant by the time of day.
struct Appointed {
    at: jiff::Timestamp,
    clock: Stopwatch,
    /// When that was on this run's clock.
    began: Mutex<Option<ClockReading>>,
}

impl Together for Appointed {
    fn meet(&self) -> Pin<Box<dyn Future<Output = Option<Nanos>> + Send + '_>> {
        let now = self.clock.now();
        let mut began = crate::host::lock(&self.began);
        let at = if began.is_some() {
            // Nobody can be asked: what comes after the start is each one's own.
            now
        } else {
            let left = self.at.duration_since(jiff::Timestamp::now());
            let at = now + Duration::try_from(left).unwrap_or_default().into();
            *began = Some(ClockReading { at, offset_ns: 0, error_ns: 0 });
            at
        };
        Box::pin(std::future::ready(Some(at)))
    }
}

/// Sees that a plan can be divided, and meets the other generators; outside every timed region, before anything is sent.
pub(super) fn meet(
    prepared: &mut Prepared,
    options: &ShardOptions,
    clock: Stopwatch,
    quiet: bool,
) -> Result<Part, Failure> {
    let shard = options.shard;
    if let Some(why) = cannot(&prepared.plan, shard) {
        return Err(Failure::Usage(format!("error: a run of several generators can't have {why}")));
    }
    prepared.plan.shard = Some(shard);
    let native = || Driver::Native.name().to_owned();
    prepared.plan.driver = prepared.plan.driver.take().map(|_| native());
    let together = match &options.start {
        ShardStart::At(at) => {
            if *at <= jiff::Timestamp::now() {
                return Err(Failure::Usage(format!("error: --start-at {at} has passed")));
            }
            if !quiet {
                super::tell(format_args!("loadcmp: {shard} starts at {at}; clocks not checked"));
            }
            Bond::Appointed(Arc::new(Appointed { at: *at, clock, began: Mutex::default() }))
        }
        ShardStart::Meet(address) => {
            if !quiet {
                super::tell(format_args!("loadcmp: {shard} waits for the others at {address}"));
            }
            let deal = Deal::of(&prepared.plan.told());
            let meeting = Meeting::open(address, shard, &deal, options.wait.0, clock);
            Bond::Meeting(meeting.map_err(|why| Failure::Invalid(format!("error: {shard}: {why}")))?)
        }
    };
    Ok(Part { shard, together })
}

/// What of a plan can't be divided, in words; `None` if all of it can.
fn cannot(plan: &crate::scenario::plan::Plan, shard: Shard) -> Option<String> {
    let all = plan.load.concurrency();
    if plan.ends_early() {
        return Some(
            "a length that is found as it goes (`duration: auto`, `until`): give a duration or a number of requests"
                .to_owned(),
        );
    }
    if plan.interference {
        return Some("`interference`, which is two runs".to_owned());
    }
    if plan.cold_start.is_some() {
        return Some("`cold_start`: each would restart the engines of the others".to_owned());
    }
    if plan.start.as_ref().is_some_and(|start| !start.is_empty()) {
        return Some("`start`: each would start the engines; start them before".to_owned());
    }
    if all < shard.of {
        let what = if matches!(plan.load, LoadPlan::Closed(_)) { "users" } else { "requests in flight" };
        return Some(format!("fewer {what} ({all}) than generators ({})", shard.of));
    }
    let timed = matches!((&plan.load, plan.load.until()), (LoadPlan::Closed(_), Until::Duration(_)));
    (plan.order == Order::Alternate && timed)
        .then(|| "`order: alternate` with a duration, whose blocks are cut by a pace that each would find by itself: give `requests`".to_owned())
}
