//! Which measured requests the parts of a merge hold: each planned one is to be there once.

use crate::record::lines::Key;
use crate::record::{Nanos, Outcome, Phase};
use crate::report::{Manifest, Status};
use crate::scenario::plan::{LoadPlan, Plan, Until};
use crate::scenario::{Shard, Task};
use std::collections::BTreeMap;

/// No run has as many: a number above it was never planned, and nothing is kept of it.
const MOST: u64 = 1 << 30;

/// What was there of a run.
pub(super) struct Seen {
    /// One a target, in the plan's order.
    targets: Vec<OfTarget>,
    /// What is divided: a request, or a conversation.
    unit: &'static str,
    /// How many are planned, where that is a number.
    planned: Option<u64>,
    /// In an open loop each planned request has a row, also one that nobody was there for.
    open: bool,
    /// The first request that was there twice.
    twice: Option<(usize, u64)>,
    /// The first that another generator should have sent, or nobody: in words, and whose rows it was in.
    foreign: Option<(usize, String, Shard)>,
}

#[derive(Default)]
struct OfTarget {
    /// What is divided, a bit each by its number.
    units: Bits,
    /// Of conversations: the requests, a bit each by its number, and the turns of each: how many there were, and the last one's
    /// number.
    requests: Bits,
    turns: BTreeMap<u64, (u32, u32)>,
    /// The request of each generator's block that was due last: when, and whether it says that there was nobody to ask.
    last: BTreeMap<(u32, u32), (Nanos, bool)>,
}

#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn has(&self, number: u64) -> bool {
        self.0.get((number / 64) as usize).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// Sets a number's bit; whether it was set.
    fn set(&mut self, number: u64) -> bool {
        let (word, bit) = ((number / 64) as usize, 1_u64 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let was = self.0[word] & bit != 0;
        self.0[word] |= bit;
        was
    }
}

impl Seen {
    pub(super) fn new(plan: &Plan) -> Self {
        let (open, planned) = match (&plan.load, plan.load.until()) {
            (LoadPlan::Open(open), _) => (true, Some(open.planned)),
            (_, Until::Requests(all)) => (false, Some(all)),
            (_, Until::Duration(_)) => (false, None),
        };
        Self {
            targets: plan.targets.iter().map(|_| OfTarget::default()).collect(),
            unit: if plan.task == Task::Chat { "conversation" } else { "request" },
            planned,
            open,
            twice: None,
            foreign: None,
        }
    }

    /// Takes note of a row of a generator's.
    pub(super) fn row(&mut self, row: &Key, shard: Shard) {
        let (Phase::Measure, Some(target)) = (row.phase, self.targets.get_mut(row.target)) else {
            return;
        };
        let unit = row.conversation.unwrap_or(row.index);
        let most = self.planned.unwrap_or(MOST).min(MOST);
        if unit >= most || !shard.has(unit) {
            self.foreign.get_or_insert_with(|| (row.target, format!("{} {unit}", self.unit), shard));
            return;
        }
        if row.index >= MOST {
            self.foreign.get_or_insert_with(|| (row.target, format!("request {}", row.index), shard));
            return;
        }
        let mut twice = target.units.set(unit);
        if row.conversation.is_some() {
            twice = target.requests.set(row.index);
            let (there, last) = target.turns.entry(unit).or_default();
            (*there, *last) = (there.saturating_add(1), row.turn.unwrap_or(1).max(*last));
        }
        if twice {
            self.twice.get_or_insert((row.target, row.index));
        }
        let nobody = matches!(row.outcome, Outcome::Connect | Outcome::Unsent);
        let last = target.last.entry((shard.index, row.block)).or_insert((row.planned, nobody));
        if row.planned >= last.0 {
            *last = (row.planned, nobody);
        }
    }

    /// Refuses what isn't every planned request once; the error is a sentence.
    pub(super) fn whole(&self, shards: &[Shard], merged: &Manifest) -> Result<(), String> {
        let name = |target: usize| merged.plan.targets.get(target).map_or("", |target| target.name.as_str());
        if let Some((target, index)) = self.twice {
            return Err(format!("request {index} of `{}` is there twice", name(target)));
        }
        if let Some((target, what, shard)) = &self.foreign {
            return Err(format!("{what} of `{}` is not one of {shard}", name(*target)));
        }
        if merged.status != Status::Complete {
            return Ok(());
        }
        for (number, target) in self.targets.iter().enumerate() {
            // A closed loop sends no more in a block once its target has gone.
            let gone = |shard: &&Shard| {
                !self.open && target.last.iter().any(|((of, _), (_, nobody))| *of == shard.index && *nobody)
            };
            let missing =
                shards.iter().filter(|shard| !gone(shard)).find_map(|shard| target.missing(*shard, self.planned));
            if let Some(unit) = missing {
                return Err(format!("{} {unit} of `{}` is missing", self.unit, name(number)));
            }
            if let Some((unit, (_, last))) = target.turns.iter().find(|(_, (there, last))| there != last) {
                return Err(format!(
                    "a turn of conversation {unit} of `{}` is missing: there are some up to turn {last}",
                    name(number)
                ));
            }
        }
        Ok(())
    }
}

impl OfTarget {
    /// The first unit of a generator's that isn't there: up to the end, where that is a number, else as far as it got.
    fn missing(&self, shard: Shard, planned: Option<u64>) -> Option<u64> {
        let end = planned.unwrap_or(self.units.0.len() as u64 * 64);
        let own = || (0..).map(|nth| shard.number(0, nth)).take_while(move |unit| *unit < end);
        let last = own().filter(|unit| self.units.has(*unit)).last();
        own().find(|unit| !self.units.has(*unit)).filter(|unit| planned.is_some() || Some(*unit) < last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::manifest;
    use crate::scenario::Span;
    use crate::scenario::plan::ClosedPlan;
    use crate::stats::fixture::plan;

    /// Requests 0 to 7 of two generators, in blocks of four, but for those that `how` has no outcome of.
    fn told(how: impl Fn(u64) -> Option<(u64, Outcome)>) -> Result<(), String> {
        let mut plan = plan(Task::Classify, true);
        let (think, warmup) = (Span::default(), Span::default());
        plan.load = LoadPlan::Closed(ClosedPlan { users: 2, until: Until::Requests(8), think, warmup });
        let shards = [0, 1].map(|index| Shard { index, of: 2 });
        let mut seen = Seen::new(&plan);
        // In the order of their ends.
        let mut rows: Vec<(u64, u64, Outcome)> =
            (0..8).filter_map(|index| how(index).map(|(end, outcome)| (end, index, outcome))).collect();
        rows.sort_unstable_by_key(|(end, ..)| *end);
        for (end, index, outcome) in rows {
            for target in 0..plan.targets.len() {
                let row = Key {
                    target,
                    phase: Phase::Measure,
                    block: (index / 4) as u32,
                    index,
                    conversation: None,
                    turn: None,
                    planned: Nanos(index),
                    end: Some(Nanos(end)),
                    outcome,
                };
                seen.row(&row, shards[(index % 2) as usize]);
            }
        }
        seen.whole(&shards, &manifest(plan))
    }

    #[test]
    fn a_target_that_has_gone_leaves_the_rest_of_its_block() {
        assert_eq!(told(|index| Some((index, Outcome::Ok))), Ok(()));
        let ok = |index| (index != 2).then_some((index, Outcome::Ok));
        assert!(told(ok).unwrap_err().starts_with("request 2 of"));
        // Request 0 found nobody, and ended its block.
        let refused = |index| (index != 2).then_some((index, if index == 0 { Outcome::Connect } else { Outcome::Ok }));
        assert_eq!(told(refused), Ok(()));
        // One that was sent before may end last.
        let late = |index| match index {
            4 => Some((90, Outcome::Timeout)),
            6 => Some((6, Outcome::Connect)),
            2 => None,
            _ => Some((index, Outcome::Ok)),
        };
        assert_eq!(told(late), Ok(()));
        // The other generator's is missing all the same.
        let other = |index| (index != 7).then_some((index, if index == 0 { Outcome::Connect } else { Outcome::Ok }));
        assert!(told(other).unwrap_err().starts_with("request 7 of"));
    }
}
