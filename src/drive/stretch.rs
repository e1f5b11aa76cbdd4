//! What a target is to do in one block, or in the whole run where there is one block only.

use crate::record::Nanos;
use crate::scenario::Span;
use crate::scenario::plan::{LoadPlan, Plan, Until};
use crate::workload::Arrivals;
use std::sync::Arc;
use std::time::Duration;

/// A stretch of work: the same for every target that it is given to.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    /// Number of the block, from 0.
    pub block: u32,
    /// Load before the window opens.
    pub warmup: Duration,
    /// Number of the first measured unit.
    pub first: u64,
    /// When the window closes.
    pub end: End,
    /// Whether the window's end is the clock's; else it is the end of the last answer.
    pub timed: bool,
    /// Whether it has no window, and only shows how fast the target is.
    pub pace: bool,
    /// Whether a conversation that has begun is led to its end though the window has closed.
    pub whole: bool,
    /// The schedule of an open loop, counted from the window's opening.
    pub arrivals: Option<Arc<Arrivals>>,
}

/// When a window closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After this time.
    Clock(Duration),
    /// After this many units.
    Units(u64),
}

impl Stretch {
    /// The whole load as one stretch.
    pub fn whole(plan: &Plan, arrivals: Option<&Arc<Arrivals>>) -> Self {
        let end = match plan.load.until() {
            Until::Duration(length) => End::Clock(length.0),
            Until::Requests(n) => End::Units(n),
        };
        Self {
            block: 0,
            warmup: plan.load.warmup().0,
            first: 0,
            end,
            timed: matches!(end, End::Clock(_)),
            pace: false,
            whole: false,
            arrivals: arrivals.filter(|_| matches!(plan.load, LoadPlan::Open(_))).cloned(),
        }
    }

    /// The measured window of target `target`, opened at `from`.
    pub fn window(&self, target: usize, from: Nanos) -> LaneWindow {
        let to = match self.end {
            End::Clock(length) if self.timed => Some(from + length.into()),
            _ => None,
        };
        LaneWindow { target, block: self.block, from, to }
    }
}

/// Divides a load among blocks, so that block `b` of every target is the same work.
pub(super) struct Cutter<'a> {
    plan: &'a Plan,
    arrivals: Option<&'a Arc<Arrivals>>,
    blocks: u32,
    /// Units that each block of a closed loop of a given time has.
    quota: u64,
}

impl<'a> Cutter<'a> {
    pub fn new(plan: &'a Plan, arrivals: Option<&'a Arc<Arrivals>>) -> Self {
        Self { plan, arrivals, blocks: plan.blocks.pairs.max(1), quota: 1 }
    }

    /// The stretch that each target's pace is learned from before the first block, where blocks have to be cut to fit a
    /// given time: `None` where they are cut without.
    pub fn pace(&self) -> Option<Stretch> {
        let (LoadPlan::Closed(closed), Until::Duration(length)) = (&self.plan.load, self.plan.load.until()) else {
            return None;
        };
        let warmup = closed.warmup.0 + length.0 / self.blocks;
        Some(Stretch {
            block: 0,
            warmup,
            first: 0,
            end: End::Units(0),
            timed: false,
            pace: true,
            whole: true,
            arrivals: None,
        })
    }

    /// How many units each block of a closed loop of a given time has.
    pub fn fit(&mut self, units: u64) {
        self.quota = units.max(1);
    }

    /// Block `block`, from 0; `None` if there is nothing left for it.
    pub fn block(&self, block: u32) -> Option<Stretch> {
        // Where paces were learned, that was the load's own warm-up.
        let first = block == 0 && self.pace().is_none();
        let warmup = if first { self.plan.load.warmup().0 } else { self.plan.blocks.warmup.0 };
        let base = Stretch {
            block,
            warmup,
            first: 0,
            end: End::Units(0),
            timed: false,
            pace: false,
            whole: true,
            arrivals: None,
        };
        let (place, blocks) = (u64::from(block), u64::from(self.blocks));
        match (&self.plan.load, self.plan.load.until()) {
            (LoadPlan::Open(open), _) => {
                // A warm-up of too many requests is refused with the scenario.
                let arrivals = self.arrivals?.block(block, self.blocks, Span(warmup), open.duration).ok()?;
                let (from, to) = Arrivals::stretch(block, self.blocks, open.duration);
                let end = End::Clock(Duration::from_nanos(to.since(from).0));
                Some(Stretch { first: arrivals.first(), end, timed: true, arrivals: Some(Arc::new(arrivals)), ..base })
            }
            (LoadPlan::Closed(_), Until::Requests(n)) => {
                // 128 bits: the product of two large counts.
                let upto = |place: u64| (u128::from(n) * u128::from(place) / u128::from(blocks)) as u64;
                let (first, next) = (upto(place), upto(place + 1));
                (next > first).then_some(Stretch { first, end: End::Units(next - first), ..base })
            }
            (LoadPlan::Closed(_), Until::Duration(_)) => {
                Some(Stretch { first: self.quota.saturating_mul(place), end: End::Units(self.quota), ..base })
            }
        }
    }
}

/// A measured window of a target: from its opening to its close, if that is fixed by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LaneWindow {
    /// Position of the target in the plan.
    pub target: usize,
    /// Number of the block; 0 where there is one.
    pub block: u32,
    /// When it opened.
    pub from: Nanos,
    /// When it closed; `None` if the last answer closes it.
    pub to: Option<Nanos>,
}

/// Hears of windows.
pub(super) type Opened = Arc<dyn Fn(LaneWindow) + Send + Sync>;
