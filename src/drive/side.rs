//! What lanes are made of, and what of a target outlives its blocks.

use super::prefixes::Prefixes;
use super::stop::Stop;
use super::together::Together;
use crate::host::lock;
use crate::record::Stopwatch;
use crate::record::log::Recorder;
use crate::scenario::plan::Plan;
use crate::target::{Link, Target};
use crate::workload::{Arrivals, Workload};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

/// What lanes are made of.
#[derive(Clone)]
pub struct LaneSetup {
    /// The plan of a run.
    pub plan: Arc<Plan>,
    /// What is asked.
    pub workload: Arc<Workload>,
    /// When it is asked, in an open loop.
    pub arrivals: Option<Arc<Arrivals>>,
    /// Where finished requests go.
    pub recorder: Recorder,
    /// The run's clock.
    pub clock: Stopwatch,
    /// How the run is told to end.
    pub stop: Stop,
    /// What holds this generator and others of the same run together; `None` where it is alone.
    pub together: Option<Arc<dyn Together>>,
}

/// What of a target outlives its blocks.
pub(super) struct LaneTarget {
    pub target: Arc<Target>,
    /// Position of the target in the plan.
    pub number: usize,
    /// Connections that nobody uses now; the one used last is at the end.
    links: Mutex<Vec<Link>>,
    /// Warm-up units begun in all blocks: none is asked twice.
    pub(super) warmups: AtomicU64,
    /// Items whose vector has been kept.
    pub seen: Vec<AtomicBool>,
    /// Since when it takes no connection, on the run's clock; 0 while it does.
    pub(super) refusing: AtomicU64,
    /// How far each group of prompts with a shared prefix is in the measured part.
    pub(super) prefixes: Prefixes,
}

impl LaneTarget {
    pub fn new(workload: &Workload, target: Arc<Target>, number: usize) -> Arc<Self> {
        let seen = workload.items().iter().map(|_| AtomicBool::new(false)).collect();
        let (warmups, refusing) = (AtomicU64::new(0), AtomicU64::new(0));
        let prefixes = Prefixes::of(workload.groups());
        Arc::new(Self { target, number, links: Mutex::default(), warmups, seen, refusing, prefixes })
    }

    pub(super) fn links(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        lock(&self.links)
    }
}
