//! The first request to each target, whose model may have to be loaded: told apart, with a limit of its own, and told of
//! while it is waited for.

use super::lane::{Lane, LaneSetup, Side};
use super::stretch::Stretch;
use crate::record::{Outcome, Sample};
use crate::target::Target;
use std::sync::Arc;
use std::time::Duration;

/// Times a first request is tried: an engine may refuse one while it loads.
const TRIES: u64 = 3;

/// A refusal that took longer than this was no refusal, but work: it isn't asked for again.
const QUICK: Duration = Duration::from_secs(5);

/// How often it is told that a first answer is waited for.
const TOLD: Duration = Duration::from_secs(1);

/// How a target's first request went.
#[derive(Clone, Debug)]
pub struct ColdStart {
    /// How the last try ended.
    pub outcome: Outcome,
    /// What went wrong.
    pub error: Option<String>,
}

/// A first answer that is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// The target's name.
    pub name: &'a str,
    /// For how many whole seconds.
    pub seconds: u64,
    /// Longest that it is waited for.
    pub limit: crate::scenario::Span,
}

/// Sends the first request to each target, one target after another; a model that has to be loaded is loaded here. `waiting`
/// hears every second that an answer is still waited for. When the run is interrupted, nothing is waited for any more.
pub async fn cold_starts(setup: &LaneSetup, targets: &[Arc<Target>], waiting: impl Fn(Waiting<'_>)) -> Vec<ColdStart> {
    let told = all(setup, targets, &waiting);
    tokio::pin!(told);
    tokio::select! {
        told = &mut told => return told,
        () = setup.stop.heard() => setup.stop.abort(),
    }
    // The row of the one in flight is written yet.
    told.await
}

async fn all(setup: &LaneSetup, targets: &[Arc<Target>], waiting: &impl Fn(Waiting<'_>)) -> Vec<ColdStart> {
    let mut told = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        let mut last = ColdStart { outcome: Outcome::Unsent, error: None };
        for attempt in 0..TRIES {
            if setup.stop.stopped() {
                break;
            }
            let sample = loudly(setup, target, number, attempt, waiting).await;
            let refused = refused_quickly(&sample);
            last = ColdStart { outcome: sample.outcome, error: sample.error };
            if !refused {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        told.push(last);
    }
    told
}

/// Whether an engine said no at once: what it was asked for may be there in a moment. One that took its time, or never
/// answered, would take it again.
fn refused_quickly(sample: &Sample) -> bool {
    let slow = sample.latency().is_some_and(|took| took > QUICK.into());
    !sample.outcome.answered() && !slow && !matches!(sample.outcome, Outcome::Connect | Outcome::Timeout)
}

/// One first request, told of while it is waited for.
async fn loudly(
    setup: &LaneSetup,
    target: &Arc<Target>,
    number: usize,
    attempt: u64,
    waiting: &impl Fn(Waiting<'_>),
) -> Sample {
    let asked = cold_request(setup, target, number, attempt);
    tokio::pin!(asked);
    let name = setup.plan.targets.get(number).map_or("", |target| target.name.as_str());
    for seconds in 1.. {
        tokio::select! {
            sample = &mut asked => return sample,
            () = tokio::time::sleep(TOLD) => waiting(Waiting { name, seconds, limit: setup.plan.load_timeout }),
        }
    }
    asked.await
}

/// Sends one request to a target, over a connection of its own, and records it as one whose model may have to be loaded.
/// `number` is the target's place in the plan, `attempt` the request's number among those.
pub async fn cold_request(setup: &LaneSetup, target: &Arc<Target>, number: usize, attempt: u64) -> Sample {
    let (stop, clock) = (setup.stop.clone(), setup.clock);
    let deadlines = tokio::spawn(async move { stop.watch_deadlines(clock).await });
    let side = Side::new(&setup.workload, target.clone(), number);
    let lane = Lane::new(setup.clone(), side, Stretch::whole(&setup.plan, None));
    let sample = lane.ask_cold(attempt).await;
    deadlines.abort();
    sample
}
