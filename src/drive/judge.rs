//! When a run that finds its own length ends: a judge is asked once, after a first stage, how long it has to be in all.
//!
//! Two stages, not a look after each block: the length is decided from the first stage's variance alone, so the error
//! rate of the interval at the end is not inflated by looking (C. Stein, A two-sample test for a linear hypothesis whose
//! power is independent of the variance, Ann. Math. Statist. 16, 1945). The one look at the first stage's mean is as strict as
//! Haybittle's and Peto's, which costs the interval at the end next to nothing ([`Said::Decided`]).

use super::lane::Lane;
use super::stretch::{End, Opened};
use crate::record::Nanos;
use crate::scenario::plan::Plan;
use crate::scenario::{FIRST_PAIRS, Least, Order, Span};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The first stage's share of the most that may be measured, at which it ends though it has fewer answers than it should: one
/// in so many.
const SHARE: u32 = 6;

/// How often it is looked whether the first stage is over, or whether there are answers enough.
const LOOK: Duration = Duration::from_millis(20);

/// What the first stage of a run says of how long it has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said {
    /// It is decided: the main metric's difference is shown with p < 0.001 already (Haybittle, Br. J. Radiol. 44, 1971; Peto
    /// et al., Br. J. Cancer 34, 1976), so that no more has to be measured than must be.
    Decided,
    /// So many times as long as so far, for the main ratio to be known as well as it is to be.
    Times(f64),
    /// No length helps: one of the targets fails.
    Failing,
    /// Nothing: the answers are too few, or too much alike in time.
    Unknown,
    /// There is no ratio to wait for.
    Alone,
}

/// Says how long a run has to be.
pub trait Judge: Send + Sync {
    /// What has been recorded so far says.
    ///
    /// Asked once, on a thread that may block. Rows reach the recorder's folder some 50 ms after their end: it is up to the
    /// judge to wait for them.
    fn say(&self) -> Said;

    /// Hears how long the run is going to be, and again if it turns out otherwise.
    fn set(&self, found: Found);
}

/// The length that a run with `auto` or `until` chose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Found {
    /// Measured time per target when it was decided.
    pub first: Span,
    /// Answers by then, for the target with the fewest.
    pub answers: u64,
    /// Total measured time per target.
    pub length: Span,
    /// Why it has this length.
    pub why: Why,
}

/// Why a run has its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The main metric was decided in the first stage.
    Decided,
    /// The main ratio needs this long to reach the requested precision.
    Known,
    /// It would have needed this long, which is more than the maximum.
    Most(Span),
    /// The first stage didn't show how long it needs: the maximum is measured.
    Unknown,
    /// One of the targets failed, so a longer run would not help.
    Failing,
    /// There is no ratio to estimate: the minimum is measured.
    Least,
    /// Each target needed this long for the minimum number of answers, or the maximum was reached.
    Answers,
}

/// What bounds a run that finds its own length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub least: Least,
    /// The most that may be measured of each target, where the clock says it.
    pub most: Option<Duration>,
}

impl Bounds {
    /// Whether the first stage is over: there is as much as must be measured in any case, or a share of the most is gone.
    fn staged(&self, elapsed: Duration, answers: u64) -> bool {
        let least = self.least.time.0;
        let enough = elapsed >= least && answers >= self.least.answers;
        enough || self.most.is_some_and(|most| elapsed >= least.max(most / SHARE).min(most))
    }

    /// How long the run has to be, by what a first stage of `first` with so many answers said; `before` = as long as an
    /// earlier target was driven.
    pub fn found(&self, first: Duration, answers: u64, said: Said, before: Duration) -> Found {
        let least = self.least.time.0.max(first).max(before);
        let capped = |length: Duration| self.most.map_or(length, |most| length.min(most));
        let (length, why) = match said {
            Said::Decided => (least, Why::Decided),
            Said::Failing => (least, Why::Failing),
            Said::Alone => (least, Why::Least),
            Said::Unknown => (self.most.unwrap_or(Duration::MAX), Why::Unknown),
            Said::Times(times) => {
                let wanted = Duration::try_from_secs_f64(first.as_secs_f64() * times.max(1.0)).unwrap_or(Duration::MAX);
                let beyond = self.most.is_some_and(|most| wanted > most);
                (wanted.max(least), if beyond { Why::Most(to_the_ms(wanted)) } else { Why::Known })
            }
        };
        Found { first: to_the_ms(first), answers, length: to_the_ms(capped(length)), why }
    }
}

/// Digits that mean something; a length past all reason is told as a century.
fn to_the_ms(time: Duration) -> Span {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    Span(Duration::from_millis(time.min(CENTURY).as_millis() as u64))
}

/// Whether the first stage of an alternating run of at most `pairs` is over after `round` of them, each side having so much
/// behind it.
pub(super) fn staged(round: u32, pairs: u32, least: &Least, measured: Duration, answers: u64) -> bool {
    let enough = measured >= least.time.0 && answers >= least.answers;
    round >= FIRST_PAIRS.min(pairs) && (enough || round >= pairs / SHARE)
}

/// Asks, away from the threads that measure.
pub(super) async fn ask(plan: &Plan, judge: &Arc<dyn Judge>) -> Said {
    if plan.until_ci.is_none() || plan.order == Order::Isolated {
        return Said::Alone;
    }
    let judge = judge.clone();
    tokio::task::spawn_blocking(move || judge.say()).await.unwrap_or(Said::Unknown)
}

/// Asks the judge of lanes that run at the same time once their first stage is over, and closes their windows accordingly: all
/// at one instant, and not before each has the answers that it must have. They are measured as long as `before` at least.
pub(super) async fn midway(lanes: Vec<Arc<Lane>>, judge: Arc<dyn Judge>, before: Duration, opened: Opened) {
    let Some(first) = lanes.first() else { return };
    let plan = &first.setup.plan;
    let Some(least) = plan.least else { return };
    let from = loop {
        match first.window() {
            Some(window) => break window.from,
            // Still warming up.
            None => tokio::time::sleep(LOOK).await,
        }
    };
    let (most, units) = match first.stretch.end {
        End::Clock(length) => (Some(length), None),
        End::Units(units) => (None, Some(units)),
    };
    let bounds = Bounds { least, most };
    let elapsed = || Duration::from_nanos(first.now().since(from).0);
    let answers = || lanes.iter().map(|lane| lane.answered()).min().unwrap_or(0);
    // The slowest decides: all have this much behind them.
    let begun = |share: u64| lanes.iter().all(|lane| lane.begun() >= share);
    while !bounds.staged(elapsed(), answers()) && !units.is_some_and(|units| begun(units.div_ceil(SHARE.into()))) {
        tokio::time::sleep(LOOK).await;
    }
    let (stage, answered) = (elapsed(), answers());
    let found = bounds.found(stage, answered, ask(plan, &judge).await, before);
    judge.set(found);
    let over = || most.is_some_and(|most| elapsed() >= most);
    let lacking = || found.why != Why::Failing && answers() < least.answers;
    let lacked = lacking();
    while lacking() && !over() {
        tokio::time::sleep(LOOK).await;
    }
    if found.length == to_the_ms(Duration::MAX) {
        return;
    }
    // Not in the past: what was sent meanwhile was sent inside the window.
    let wanted = from + Nanos::from(found.length.0);
    let close = wanted.max(first.now());
    let close = most.map_or(close, |most| close.min(from + Nanos::from(most)));
    for lane in &lanes {
        lane.close(close);
        if let Some(window) = lane.window().filter(|window| window.to.is_some()) {
            opened(window);
        }
    }
    if close > wanted {
        let length = to_the_ms(Duration::from_nanos(close.since(from).0));
        // By the time that it took to judge, or by what was waited for.
        judge.set(Found { length, why: if lacked { Why::Answers } else { found.why }, ..found });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn bounds() -> Bounds {
        Bounds { least: Least { time: Span(S(20)), answers: 30 }, most: Some(S(180)) }
    }

    #[test]
    fn a_first_stage_is_the_least_or_a_sixth_of_the_most() {
        // The seconds at which it is over, for engines with so many answers a second.
        let over = |per_s: f64| {
            let now = |s: u64| bounds().staged(S(s), (per_s * s as f64) as u64);
            (0..=180).find(|s| now(*s))
        };
        // 57 ms, 0.44 s, 2.2 s, 10 s and 18 s an answer, with four users.
        let told = [70.0, 9.0, 1.8, 0.4, 0.22].map(over);
        assert_eq!(told, [Some(20), Some(20), Some(20), Some(30), Some(30)]);
        let short = Bounds { least: Least { time: Span(S(2)), answers: 30 }, most: Some(S(2)) };
        assert!(!short.staged(S(1), 100) && short.staged(S(2), 0));
        let counted = Bounds { most: None, ..bounds() };
        assert!(!counted.staged(S(500), 29) && counted.staged(S(20), 30));
    }

    #[test]
    fn what_the_first_stage_says_is_the_length_between_the_bounds() {
        let found = |first: u64, said: Said| {
            let found = bounds().found(S(first), 30, said, Duration::ZERO);
            (found.length.0, found.why)
        };
        assert_eq!(found(20, Said::Decided), (S(20), Why::Decided));
        assert_eq!(found(20, Said::Times(1.0)), (S(20), Why::Known));
        assert_eq!(found(20, Said::Times(2.5)), (S(50), Why::Known));
        assert_eq!(found(30, Said::Times(20.0)), (S(180), Why::Most(Span(S(600)))));
        assert_eq!(found(30, Said::Unknown), (S(180), Why::Unknown));
        assert_eq!(found(30, Said::Failing), (S(30), Why::Failing));
        assert_eq!(found(20, Said::Alone), (S(20), Why::Least));
        let second = bounds().found(S(20), 30, Said::Alone, S(70));
        assert_eq!((second.length.0, second.why), (S(70), Why::Least), "as long as the first");
        let counted = Bounds { most: None, ..bounds() };
        assert_eq!(counted.found(S(20), 30, Said::Unknown, S(0)).length, to_the_ms(Duration::MAX));
        assert_eq!(counted.found(S(20), 30, Said::Times(3.0), S(0)).length.0, S(60));
    }

    #[test]
    fn a_first_stage_of_blocks_is_six_pairs_at_least_and_never_more_than_there_are() {
        let least = Least { time: Span(S(20)), answers: 30 };
        let over = |pairs: u32, seconds: u64, answers: u64| {
            let at = |n: u32| staged(n, pairs, &least, S(seconds * u64::from(n)), answers * u64::from(n));
            (0..=pairs).find(|n| at(*n)).unwrap()
        };
        assert_eq!((over(54, 4, 40), over(2, 60, 4)), (6, 2));
        // Slow engines with few answers a block; and blocks that are short.
        assert_eq!((over(13, 10, 4), over(54, 3, 3), over(200, 1, 9)), (6, 9, 20));
    }

    proptest! {
        #[test]
        fn no_length_is_outside_its_bounds(first in 0.0..400.0f64, times in 0.0..1e12f64, before in 0.0..180.0f64) {
            let first = Duration::from_secs_f64(first).min(S(180));
            let before = Duration::from_secs_f64(before);
            for said in [Said::Decided, Said::Times(times), Said::Failing, Said::Unknown, Said::Alone] {
                let found = bounds().found(first, 0, said, before);
                prop_assert!(found.length.0 >= to_the_ms(first.max(S(20))).0 && found.length.0 <= S(180), "{:?}", found);
            }
        }
    }
}
