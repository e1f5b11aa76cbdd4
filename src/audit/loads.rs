//! Loads of a model, told from waits. What Ollama calls the time to load begins when a request comes in, and ends when a runner
//! is its own: waiting in a queue and asking a busy runner how it is are in it. So a load is a stretch of that time in which
//! the model can't have been there: one in which it served no other request of the target.

use crate::record::{Nanos, Phase, Sample};
use crate::scenario::plan::Plan;
use std::collections::BTreeMap;

/// Stretches and waits that are kept before those that nothing can change any more are settled.
const KEPT: usize = 1024;

/// How many measured requests waited for a load, and the longest of those loads.
pub type Waited = (u64, Nanos);

/// The loads of one target, from samples of all phases: a model that answered the warm-up and is loaded in the measured window
/// was loaded again.
#[derive(Clone, Debug, Default)]
pub struct Loads {
    /// From how long on a load counts, as the rules `cold-load` and `model-reload` are set, in nanoseconds.
    limits: [u64; 2],
    /// Longest that a request may be in flight, in nanoseconds.
    longest: u64,
    /// When the first answer ended that waited for no load: from then on the model was there.
    warm_from: Option<Nanos>,
    /// Stretches in which the model was there, for it served a request: by their beginnings, apart by as much as a load that
    /// counts.
    served: BTreeMap<u64, u64>,
    /// Waits that a request which is yet to end may explain.
    open: Vec<Wait>,
    /// What is settled: before the model had answered, and after.
    settled: [Waited; 2],
}

/// What a measured request waited before its engine began with it.
#[derive(Clone, Copy, Debug)]
struct Wait {
    from: u64,
    to: u64,
    /// Whether the model had answered before.
    again: bool,
}

impl Loads {
    /// None yet, of a target of this plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let limit = |id: &str| (plan.audit.limit(id) * 1e3) as u64;
        let longest = plan.timeout.max(plan.load_timeout).0.as_nanos();
        let longest = u64::try_from(longest).unwrap_or(u64::MAX);
        Self { limits: [limit("cold-load"), limit("model-reload")], longest, ..Self::default() }
    }

    /// Takes the next sample, in the order in which they ended.
    pub(super) fn push(&mut self, sample: &Sample) {
        let (Some(sent), Some(end)) = (sample.stamps.sent, sample.stamps.end) else { return };
        // When the engine had the request: by its own clock, as its load is.
        let came = sample.server_total.map_or(sent, |total| Nanos(end.0.saturating_sub(total.0)).max(sent));
        let load = sample.server_load.filter(|_| sample.outcome.answered());
        // Of one that came to nothing the engine says nothing: it may have been served all the while.
        let unknown = (!sample.outcome.answered()).then_some(sent);
        let began = load.map(|load| came + load).or(sample.stamps.first_token).or(unknown);
        if let Some(began) = began.filter(|began| *began < end) {
            self.serve(began.0, end.0);
        }
        let Some(load) = load else { return };
        let least = self.least();
        if load.0 < least {
            self.warm_from.get_or_insert(end);
        } else if sample.phase == Phase::Measure {
            let again = self.warm_from.is_some_and(|warm| warm <= sample.stamps.planned);
            self.open.push(Wait { from: came.0, to: (came + load).0, again });
        }
        if self.open.len() > KEPT || self.served.len() > KEPT {
            self.settle(end.0.saturating_sub(self.longest));
        }
    }

    fn least(&self) -> u64 {
        self.limits[0].min(self.limits[1])
    }

    /// Notes that the model was there for a while.
    fn serve(&mut self, mut from: u64, mut to: u64) {
        let gap = self.least();
        while let Some((&a, &b)) = self.served.range(..=to.saturating_add(gap)).next_back() {
            if b.saturating_add(gap) <= from && b < from {
                break;
            }
            self.served.remove(&a);
            (from, to) = (from.min(a), to.max(b));
        }
        self.served.insert(from, to);
    }

    /// The longest part of a wait in which the model served nobody.
    fn away(&self, wait: &Wait) -> u64 {
        let before = self.served.range(..=wait.from).next_back();
        let (mut free_from, mut longest) = (before.map_or(wait.from, |(_, to)| wait.from.max(*to)), 0);
        for (from, to) in self.served.range(wait.from..wait.to) {
            longest = longest.max(from.saturating_sub(free_from));
            free_from = free_from.max(*to);
        }
        longest.max(wait.to.saturating_sub(free_from))
    }

    /// Adds what came of a wait.
    fn count(&self, wait: &Wait, into: &mut [Waited; 2]) {
        let (kind, away) = (usize::from(wait.again), self.away(wait));
        if away >= self.limits[kind] {
            let (count, most) = &mut into[kind];
            (*count, *most) = (*count + 1, (*most).max(Nanos(away)));
        }
    }

    /// Settles the waits that were over at `before`, from when on requests in flight may have been served.
    fn settle(&mut self, before: u64) {
        let (over, open): (Vec<Wait>, Vec<Wait>) = self.open.iter().copied().partition(|wait| wait.to < before);
        let mut settled = self.settled;
        over.iter().for_each(|wait| self.count(wait, &mut settled));
        (self.settled, self.open) = (settled, open);
        let needed = self.open.iter().map(|wait| wait.from).fold(before, u64::min);
        self.served.retain(|_, to| *to >= needed);
    }

    fn all(&self) -> [Waited; 2] {
        let mut all = self.settled;
        self.open.iter().for_each(|wait| self.count(wait, &mut all));
        all
    }

    /// Requests that waited for the first load.
    pub(super) fn cold(&self) -> Waited {
        self.all()[0]
    }

    /// Requests that waited for a load after the model had answered.
    pub(super) fn again(&self) -> Waited {
        self.all()[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn loads() -> Loads {
        Loads { limits: [100 * MS; 2], longest: 60_000 * MS, ..Loads::default() }
    }

    fn away(served: &[(u64, u64)], wait: (u64, u64)) -> u64 {
        let mut loads = loads();
        served.iter().for_each(|(from, to)| loads.serve(from * MS, to * MS));
        loads.away(&Wait { from: wait.0 * MS, to: wait.1 * MS, again: true }) / MS
    }

    #[test]
    fn a_load_is_the_longest_part_of_a_wait_in_which_nobody_was_served() {
        assert_eq!(away(&[], (1000, 3000)), 2000);
        assert_eq!(away(&[(500, 3500)], (1000, 3000)), 0);
        // Served until its middle; from its middle on; in its midst; before and after it.
        assert_eq!(away(&[(500, 2200)], (1000, 3000)), 800);
        assert_eq!(away(&[(2200, 4000)], (1000, 3000)), 1200);
        assert_eq!(away(&[(1500, 1700)], (1000, 3000)), 1300);
        assert_eq!(away(&[(100, 1000), (3000, 4000)], (1000, 3000)), 2000);
        // Many in turn, each gap shorter than a load that counts.
        assert_eq!(away(&[(900, 1500), (1590, 2200), (2299, 3100)], (1000, 3000)), 0);
        assert_eq!(away(&[(900, 1500), (1601, 3100)], (1000, 3000)), 101);
    }

    #[test]
    fn stretches_are_joined_in_whatever_order_they_come() {
        let mut loads = loads();
        for (from, to) in [(1000, 2000), (4000, 5000), (2050, 2100), (500, 600), (1900, 4500), (680, 690)] {
            loads.serve(from * MS, to * MS);
        }
        let all: Vec<(u64, u64)> = loads.served.iter().map(|(from, to)| (from / MS, to / MS)).collect();
        assert_eq!(all, [(500, 690), (1000, 5000)]);
    }

    #[test]
    fn what_is_kept_of_a_long_run_is_bounded_and_nothing_is_counted_twice() {
        let mut loads = loads();
        for n in 0..5000 {
            let from = n * 1000 * MS;
            loads.serve(from + 600 * MS, from + 700 * MS);
            loads.open.push(Wait { from, to: from + 600 * MS, again: n > 0 });
            if loads.open.len() > KEPT {
                loads.settle(from.saturating_sub(loads.longest));
            }
        }
        assert!(loads.open.len() <= KEPT && loads.served.len() <= 2 * KEPT, "{}", loads.served.len());
        assert_eq!((loads.cold(), loads.again()), ((1, Nanos(600 * MS)), (4999, Nanos(600 * MS))));
    }
}
