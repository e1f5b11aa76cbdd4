//! Why a run ended before its load was done, and how far it got.

use crate::scenario::Order;
use crate::scenario::plan::{Plan, Until};
use crate::stats::TargetSummary;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A signal: Ctrl-C, SIGTERM, SIGHUP.
    Signal,
    /// A target did not answer its first request; the reason in words.
    Refused(String),
    /// loadcmp couldn't send the first request to a target; the reason in words.
    NotAsked(String),
    /// It was killed, or the machine went down.
    Killed,
    /// Another generator of the same run ended it for all, or was lost; the reason in words.
    Shard(String),
}

/// Why and when a run ended early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Unfinished {
    /// Why.
    pub cause: Cause,
    /// Why and how far, in a sentence.
    pub sentence: String,
}

impl Unfinished {
    pub(super) fn new(cause: Cause, plan: &Plan, targets: &[TargetSummary]) -> Self {
        let why = match &cause {
            Cause::Signal => "interrupted",
            Cause::Killed => "interrupted without a signal (killed?)",
            Cause::Refused(why) | Cause::NotAsked(why) | Cause::Shard(why) => why,
        };
        let sentence = match progress(plan, targets) {
            Some(far) => format!("Unfinished: {why} {far}; figures cover what was done until then."),
            None if why.ends_with('.') => format!("Unfinished: {why} Nothing was measured."),
            None => format!("Unfinished: {why}; nothing was measured."),
        };
        Self { cause, sentence }
    }
}

/// How far the load got: `after 00:01:12 of 00:05:00`; `None` where no request was measured.
fn progress(plan: &Plan, targets: &[TargetSummary]) -> Option<String> {
    let windows: Vec<_> = targets.iter().filter_map(|target| target.window).collect();
    let (first, last) = (windows.iter().map(|w| w.from).min()?, windows.iter().map(|w| w.to).max()?);
    let requests: u64 = targets.iter().map(TargetSummary::requests).sum();
    if requests == 0 {
        return None;
    }
    let each = targets.len().max(1) as u32;
    match plan.load.until() {
        Until::Requests(units) => Some(format!("after {requests} of {} requests", units * u64::from(each))),
        Until::Duration(length) => {
            let (done, all) = match plan.order {
                Order::Concurrent => (last.since(first).seconds(), length.0),
                Order::Isolated => (windows.iter().map(|window| window.seconds()).sum(), length.0 * each),
                Order::Alternate => (last.since(first).seconds(), plan.load_length().unwrap_or(length.0)),
            };
            let done = Duration::try_from_secs_f64(done).unwrap_or_default().min(all);
            let most = if plan.least.is_some() { "at most " } else { "" };
            Some(format!("after {} of {most}{}", clock(done), clock(all)))
        }
    }
}

/// Hours, minutes and seconds: `00:01:12`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Nanos;
    use crate::scenario::Task;
    use crate::stats::{Window, fixture};

    fn told(cause: Cause, to: Option<u64>) -> String {
        let plan = fixture::plan(Task::Classify, true);
        let mut folded = fixture::folded(&plan).targets;
        let window = to.map(|to| Window { from: Nanos(3_000_000_000), to: Nanos((3 + to) * 1_000_000_000) });
        folded.iter_mut().for_each(|target| target.window = window);
        Unfinished::new(cause, &plan, &folded).sentence
    }

    #[test]
    fn it_says_why_and_how_far() {
        let far = "00:00:12 of 00:00:20; figures cover what was done until then.";
        assert_eq!(told(Cause::Signal, Some(12)), format!("Unfinished: interrupted after {far}"));
        assert_eq!(
            told(Cause::Killed, Some(12)),
            format!("Unfinished: interrupted without a signal (killed?) after {far}")
        );
        assert_eq!(told(Cause::Signal, None), "Unfinished: interrupted; nothing was measured.");
        let refused = Cause::Refused("`a` failed on the first request (rejected): loading".to_owned());
        let words = "Unfinished: `a` failed on the first request (rejected): loading; nothing was \
                     measured.";
        assert_eq!(told(refused, None), words);
        assert_eq!(clock(Duration::from_secs(3 * 3600 + 62)), "03:01:02");
    }
}
