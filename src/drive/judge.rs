//! When a run may end early: a judge is asked once, after a first stage, how long the run has to be in all.
//!
//! Two stages, not a look after each block: the length is decided from the first stage's variance alone, so the error
//! rate of the interval at the end is not inflated by looking (C. Stein, A two-sample test for a linear hypothesis whose
//! power is independent of the variance, Ann. Math. Statist. 16, 1945).

use super::group::Opened;
use super::lane::Lane;
use super::stretch::End;
use crate::record::Nanos;
use std::sync::Arc;
use std::time::Duration;

/// Equal stretches of time that the first stage of a concurrent run is seen as.
const STRETCHES: u32 = 10;

/// The first stage's share of a concurrent run: one in so many.
const SHARE: u32 = 4;

/// Least pairs of blocks in a first stage: with fewer, a variance says next to nothing.
const LEAST_PAIRS: u32 = 6;

/// How often it is looked whether the first stage is over.
const LOOK: Duration = Duration::from_millis(20);

/// Says how long a run has to be.
pub trait Judge: Send + Sync {
    /// Blocks that are needed in all, from what has been recorded so far, in `done` blocks; `None` = go on to the end.
    ///
    /// Asked once, on a thread that may block. In alternating order blocks are pairs of blocks; else they are stretches
    /// of time of one length, counted from the window's opening. Rows reach the recorder's folder some 50 ms after their
    /// end: it is up to the judge to wait for them.
    fn blocks(&self, done: u32) -> Option<u32>;
}

/// Pairs of blocks in the first stage of an alternating run of at most `pairs`.
pub(super) fn first_pairs(pairs: u32) -> u32 {
    LEAST_PAIRS.max(pairs / SHARE).min(pairs)
}

/// Asks, away from the threads that measure.
pub(super) async fn ask(judge: Arc<dyn Judge>, done: u32) -> Option<u32> {
    tokio::task::spawn_blocking(move || judge.blocks(done)).await.ok().flatten()
}

/// Asks the judge of a concurrent run once its first stage is over, and closes the windows accordingly.
pub(super) async fn midway(lanes: Vec<Arc<Lane>>, judge: Arc<dyn Judge>, opened: Opened) {
    let from = loop {
        match lanes.first().map(|lane| lane.window()) {
            None => return,
            Some(Some(window)) => break window.from,
            // Still warming up.
            Some(None) => tokio::time::sleep(LOOK).await,
        }
    };
    let over = |now: Nanos| match lanes.first().map(|lane| lane.stretch.end) {
        Some(End::Clock(length)) => now >= from + (length / SHARE).into(),
        // The slowest decides: all have this much behind them.
        Some(End::Units(n)) => lanes.iter().all(|lane| lane.begun() >= n.div_ceil(SHARE.into())),
        None => true,
    };
    while !over(lanes.first().map_or(from, |lane| lane.now())) {
        tokio::time::sleep(LOOK).await;
    }
    let stage = match lanes.first().map(|lane| (lane.stretch.end, lane.now())) {
        Some((End::Clock(length), _)) => Nanos::from(length / SHARE),
        Some((End::Units(_), now)) => now.since(from),
        None => return,
    };
    let Some(needed) = ask(judge, STRETCHES).await else { return };
    let length = Nanos((u128::from(stage.0) * u128::from(needed.max(STRETCHES)) / u128::from(STRETCHES)) as u64);
    for lane in &lanes {
        // Not in the past: what was sent meanwhile was sent inside the window.
        lane.close((from + length).max(lane.now()));
        if let Some(window) = lane.window().filter(|window| window.to.is_some()) {
            opened(window);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_stage_is_six_pairs_or_a_quarter_and_never_more_than_there_are() {
        let told: Vec<u32> = [2, 6, 10, 24, 40, 200].map(first_pairs).to_vec();
        assert_eq!(told, [2, 6, 6, 6, 10, 50]);
    }
}
