//! Which measured requests the parts of a merge hold: each planned one is to be there once.

use crate::record::lines::Key;
use crate::record::{Outcome, Phase};
use crate::report::{Manifest, Status};
use crate::scenario::Shard;
use crate::scenario::plan::{LoadPlan, Plan, Until};
use std::collections::BTreeSet;

/// No run has as many: a number above it was never planned, and nothing is kept of it.
const MOST: u64 = 1 << 32;

/// What was there of a run.
pub(super) struct Seen {
    /// One a target, in the plan's order.
    targets: Vec<OfTarget>,
    /// What a request is called that is told of.
    unit: &'static str,
    /// The first that was there twice.
    twice: Option<(usize, u64)>,
    /// The first that another generator should have sent, or nobody.
    foreign: Option<(usize, u64, Shard)>,
}

#[derive(Default)]
struct OfTarget {
    /// A bit a request, by its number.
    requests: Vec<u64>,
    /// What is divided: requests, or conversations, a bit each by its number.
    units: Vec<u64>,
    /// The turns of each conversation: how many there were, and the last one's number.
    turns: Vec<(u32, u32)>,
    /// The generators whose last row says that there was nobody to ask.
    refused: BTreeSet<u32>,
}

/// Whether a number's bit is set.
fn has(bits: &[u64], number: u64) -> bool {
    bits.get((number / 64) as usize).is_some_and(|word| word & (1 << (number % 64)) != 0)
}

/// Sets a number's bit; whether it was set.
fn set(bits: &mut Vec<u64>, number: u64) -> bool {
    let (word, bit) = ((number / 64) as usize, 1_u64 << (number % 64));
    if bits.len() <= word {
        bits.resize(word + 1, 0);
    }
    let was = bits[word] & bit != 0;
    bits[word] |= bit;
    was
}

impl Seen {
    pub(super) fn new(plan: &Plan) -> Self {
        let chat = plan.task == crate::scenario::Task::Chat;
        Self {
            targets: plan.targets.iter().map(|_| OfTarget::default()).collect(),
            unit: if chat { "conversation" } else { "request" },
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
        if row.index >= MOST || unit >= MOST || !shard.has(unit) {
            self.foreign.get_or_insert((row.target, unit, shard));
            return;
        }
        if set(&mut target.requests, row.index) {
            self.twice.get_or_insert((row.target, row.index));
        }
        set(&mut target.units, unit);
        if let Some(turn) = row.turn {
            if target.turns.len() <= unit as usize {
                target.turns.resize(unit as usize + 1, (0, 0));
            }
            let (there, last) = &mut target.turns[unit as usize];
            (*there, *last) = (*there + 1, turn.max(*last));
        }
        match row.outcome {
            Outcome::Connect | Outcome::Unsent => target.refused.insert(shard.index),
            _ => target.refused.remove(&shard.index),
        };
    }

    /// Refuses what isn't every planned request once; the error is a sentence.
    pub(super) fn whole(&self, shards: &[Shard], merged: &Manifest) -> Result<(), String> {
        let name = |target: usize| merged.plan.targets.get(target).map_or("", |target| target.name.as_str());
        if let Some((target, index)) = self.twice {
            return Err(format!("request {index} of `{}` is there twice", name(target)));
        }
        if let Some((target, number, shard)) = self.foreign {
            return Err(format!("{} {number} of `{}` is not one of {shard}", self.unit, name(target)));
        }
        if merged.status != Status::Complete {
            return Ok(());
        }
        let (open, planned) = match (&merged.plan.load, merged.plan.load.until()) {
            (LoadPlan::Open(open), _) => (true, Some(open.planned)),
            (_, Until::Requests(all)) => (false, Some(all)),
            (_, Until::Duration(_)) => (false, None),
        };
        for (number, target) in self.targets.iter().enumerate() {
            for shard in shards {
                // An open loop has a row of each planned request, also of one that nobody was there for.
                let gone = !open && target.refused.contains(&shard.index);
                if let Some(unit) = target.missing(*shard, planned, gone) {
                    return Err(format!("{} {unit} of `{}` is missing", self.unit, name(number)));
                }
            }
            if let Some((number_of, (_, last))) =
                target.turns.iter().enumerate().find(|(_, (there, last))| there != last)
            {
                return Err(format!(
                    "a turn of conversation {number_of} of `{}` is missing: there are some up to turn {last}",
                    name(number)
                ));
            }
        }
        Ok(())
    }
}

impl OfTarget {
    /// The first unit of a generator's that isn't there: none may be missing as far as it got; and that is the end, where the end is a
    /// number, unless the target was `gone` before it.
    fn missing(&self, shard: Shard, planned: Option<u64>, gone: bool) -> Option<u64> {
        let end = planned.unwrap_or(self.units.len() as u64 * 64);
        let own = || (0..).map(|nth| shard.number(0, nth)).take_while(move |unit| *unit < end);
        let last = own().filter(|unit| has(&self.units, *unit)).last();
        let whole = planned.is_some() && !gone;
        own().find(|unit| !has(&self.units, *unit)).filter(|unit| whole || Some(*unit) < last)
    }
}
