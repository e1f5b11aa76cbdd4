//! The first request to each target, whose model may have to be loaded: told apart, with a limit of its own, told of while it
//! is waited for, and asked again where that may help.

use super::lane::Lane;
use super::side::{LaneSetup, LaneTarget};
use super::stretch::Stretch;
use crate::record::{Outcome, Sample};
use crate::scenario::Span;
use crate::target::Target;
use std::sync::Arc;
use std::time::Duration;

/// Times a first request is tried, and the pauses between the tries: an engine may refuse one while it loads, or stumble once.
const TRIES: u64 = 1 + PAUSES.len() as u64;
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// How often it is told that a first answer is waited for.
const TOLD: Duration = Duration::from_secs(1);

/// How a target's first request went.
#[derive(Clone, Debug)]
pub struct ColdStart {
    /// How the last try ended.
    pub outcome: Outcome,
    /// What went wrong.
    pub error: Option<String>,
    /// The last try itself; `None` where there was none.
    pub sample: Option<Sample>,
}

/// What there is to be told of a first request before it has ended.
#[derive(Clone, Copy, Debug)]
pub enum FirstRequest<'a> {
    /// It is waited for.
    Waiting {
        /// The target's name.
        name: &'a str,
        /// For how many whole seconds.
        seconds: u64,
        /// Longest that it is waited for.
        limit: Span,
    },
    /// It failed, and is sent again.
    Again {
        /// The target's name.
        name: &'a str,
        /// How it ended.
        outcome: Outcome,
        /// What went wrong, in words.
        why: &'a str,
        /// The pause before the next try.
        pause: Duration,
        /// The number of the next try, from 1, and of all there are.
        tries: (u64, u64),
    },
}

/// Sends the first request to each target, one target after another; a model that has to be loaded is loaded here. `tell`
/// hears every second that an answer is still waited for, and of each try that failed. When the run is interrupted, nothing is
/// waited for any more.
pub async fn cold_starts(
    setup: &LaneSetup,
    targets: &[Arc<Target>],
    tell: impl Fn(FirstRequest<'_>),
) -> Vec<ColdStart> {
    let told = all(setup, targets, &tell);
    tokio::pin!(told);
    tokio::select! {
        told = &mut told => return told,
        () = setup.stop.heard() => setup.stop.abort(),
    }
    // The row of the one in flight is written yet.
    told.await
}

async fn all(setup: &LaneSetup, targets: &[Arc<Target>], tell: &impl Fn(FirstRequest<'_>)) -> Vec<ColdStart> {
    let mut told = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        let name = setup.plan.targets.get(number).map_or("", |target| target.name.as_str());
        let mut last = ColdStart { outcome: Outcome::Unsent, error: None, sample: None };
        for attempt in 0..TRIES {
            if setup.stop.stopped() {
                break;
            }
            let (sample, asked_for) = loudly(setup, target, number, attempt, (name, tell)).await;
            let again = may_mend(&sample, target);
            last = ColdStart { outcome: sample.outcome, error: sample.error.clone(), sample: Some(sample) };
            let Some(pause) = PAUSES.get(attempt as usize).filter(|_| again && !setup.stop.stopped()) else { break };
            let pause = (*pause).max(asked_for.unwrap_or_default());
            let why = last.error.as_deref().unwrap_or("it said no more");
            tell(FirstRequest::Again { name, outcome: last.outcome, why, pause, tries: (attempt + 2, TRIES) });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = setup.stop.aborted() => {}
            }
        }
        told.push(last);
    }
    told
}

/// Whether asking again may help. What is wrong with the request itself (a key, a name, a field) is wrong the next time, a
/// client whose handshake was refused would lock itself out, and what ran into its limit would take as long again.
fn may_mend(sample: &Sample, target: &Target) -> bool {
    let of_request = sample.outcome == Outcome::HttpStatus
        && sample.http_status.is_some_and(|s| (400..500).contains(&s) && s != 408);
    let ends = matches!(sample.outcome, Outcome::Timeout | Outcome::Unfinished);
    !sample.outcome.answered() && !of_request && !ends && !target.refused()
}

/// One first request, told of while it is waited for; with how long the engine asked to be left alone.
async fn loudly(
    setup: &LaneSetup,
    target: &Arc<Target>,
    number: usize,
    attempt: u64,
    (name, tell): (&str, &impl Fn(FirstRequest<'_>)),
) -> (Sample, Option<Duration>) {
    let asked = ask(setup, target, number, attempt);
    tokio::pin!(asked);
    for seconds in 1.. {
        tokio::select! {
            told = &mut asked => return told,
            () = tokio::time::sleep(TOLD) => tell(FirstRequest::Waiting { name, seconds, limit: setup.plan.load_timeout }),
        }
    }
    asked.await
}

/// Sends one request to a target, over a connection of its own, and records it as one whose model may have to be loaded.
/// `number` is the target's place in the plan, `attempt` the request's number among those.
pub async fn cold_request(setup: &LaneSetup, target: &Arc<Target>, number: usize, attempt: u64) -> Sample {
    ask(setup, target, number, attempt).await.0
}

async fn ask(setup: &LaneSetup, target: &Arc<Target>, number: usize, attempt: u64) -> (Sample, Option<Duration>) {
    let (stop, clock) = (setup.stop.clone(), setup.clock);
    let deadlines = tokio::spawn(async move { stop.watch_deadlines(clock).await });
    let side = LaneTarget::new(&setup.workload, target.clone(), number);
    let lane = Lane::new(setup.clone(), side, Stretch::whole(&setup.plan, None));
    let told = lane.ask_cold(attempt).await;
    deadlines.abort();
    told
}
