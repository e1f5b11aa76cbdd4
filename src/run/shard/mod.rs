//! Several generators of one run: who is one (`--shard`), that all have the same plan (`deal`), how they start and end
//! together (`meeting`, `peer`), and how one result is made of theirs (`merge`).

mod deal;
mod meeting;
mod merge;
mod peer;
mod seen;
mod sorted;

pub use merge::merge;

use super::{Failure, Prepared};
use crate::drive::{Driver, MeetingPoint, Stop, Together};
use crate::record::{Nanos, Stopwatch};
use crate::report::{ClockReading, ShardFacts};
use crate::scenario::plan::{LoadPlan, Until};
use crate::scenario::{Order, PromptCache, Shard, Span};
use deal::Deal;
use meeting::Meeting;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
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
            Bond::Appointed(appointed) => appointed.late.get().map(|late| {
                format!("{}: it was ready {:.1} s after the instant of --start-at", self.shard, late.seconds())
            }),
        }
    }

    fn interrupted(&self) -> String {
        format!("{} was interrupted", self.shard)
    }

    /// What its manifest says of it. Of one that never met the others the clock is that of the appointed instant.
    pub(super) fn facts(&self) -> ShardFacts {
        let (run, clocks, checked) = match &self.together {
            Bond::Meeting(meeting) => (meeting.agreed().0, meeting.clocks(), true),
            Bond::Appointed(appointed) => {
                (appointed.at.to_string(), crate::host::lock(&appointed.began).iter().copied().collect(), false)
            }
        };
        ShardFacts { shard: self.shard, run, clocks, checked, conditions: None }
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
    /// How much later it was ready, if it was: then the run is over.
    late: OnceLock<Nanos>,
}

impl Together for Appointed {
    fn meet(&self, point: MeetingPoint) -> Pin<Box<dyn Future<Output = Option<Nanos>> + Send + '_>> {
        let now = self.clock.now();
        // Nobody can be asked: when a window opens is each one's own.
        let at = match point {
            MeetingPoint::Open => Some(now),
            MeetingPoint::Begin => self.begin(now),
        };
        Box::pin(std::future::ready(at))
    }
}

impl Appointed {
    fn begin(&self, now: Nanos) -> Option<Nanos> {
        let left = self.at.duration_since(jiff::Timestamp::now());
        match Duration::try_from(left) {
            Ok(left) => {
                let at = now + left.into();
                *crate::host::lock(&self.began) = Some(ClockReading { at, offset_ns: 0, error_ns: 0 });
                Some(at)
            }
            Err(_) => {
                let _ = self.late.set(Nanos::from(left.unsigned_abs()));
                None
            }
        }
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
    if matches!(options.start, ShardStart::At(_)) && prepared.plan.order != Order::Concurrent {
        let why =
            "`--start-at` starts once, and this order starts several times: use --rendezvous, or `order: concurrent`";
        return Err(Failure::Usage(format!("error: {why}")));
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
            // The same for all, and another one each time.
            salt(prepared, prepared.plan.seed ^ at.as_nanosecond() as u64);
            Bond::Appointed(Arc::new(Appointed { at: *at, clock, began: Mutex::default(), late: OnceLock::new() }))
        }
        ShardStart::Meet(address) => {
            if !quiet {
                super::tell(format_args!("loadcmp: {shard} waits for the others at {address}"));
            }
            let deal = Deal::of(&prepared.plan.told());
            let drawn = prepared.plan.workload.nonce_salt.clone();
            let meeting = Meeting::open(address, shard, (&deal, &drawn), options.wait.0, clock);
            let meeting = meeting.map_err(|why| Failure::Invalid(format!("error: {shard}: {why}")))?;
            if let Ok(drawn) = u64::from_str_radix(&meeting.agreed().1, 16) {
                salt(prepared, drawn);
            }
            Bond::Meeting(meeting)
        }
    };
    Ok(Part { shard, together })
}

/// Draws the nonces of a run from this, so that all generators have the same.
fn salt(prepared: &mut Prepared, salt: u64) {
    prepared.plan.workload.nonce_salt = format!("{salt:016x}");
    prepared.workload = Arc::new(prepared.workload.salted(salt));
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
    if plan.workload.tokens.as_ref().is_some_and(|tokens| tokens.prefix.is_some()) {
        return Some(
            "a shared `prefix`: which request of a group is the first no generator knows of the others".to_owned(),
        );
    }
    if plan.workload.prompt_cache == PromptCache::Warm && plan.order == Order::Isolated {
        return Some(
            "`prompt_cache: warm` with `order: isolated`: one would warm a target while another measures".to_owned(),
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
