//! Made-up prompts whose lengths are given in tokens, before they are made.

use crate::scenario::{PrefixSpec, SyntheticPrompts, TokensPlan};
use crate::workload::{Fit, Item, Record, as_recorded, made_up};

/// Where the lengths of made-up prompts come from.
#[derive(Clone, Debug)]
pub(super) enum Made {
    /// From a distribution.
    Drawn(SyntheticPrompts),
    /// From a record.
    Recorded(Record),
}

/// Made-up prompts whose lengths are given in tokens, and what stands around each.
#[derive(Clone, Debug)]
pub(super) struct Wanting {
    pub(super) made: Made,
    pub(super) instruction: Option<String>,
    /// The instruction as it may be shown, where that is another.
    pub(super) shown: Option<String>,
}

impl Wanting {
    /// What is wanted, before anybody was asked; `None` where no lengths in tokens are.
    pub(super) fn plan(&self) -> Option<TokensPlan> {
        let (wanted, longest, prefix, recorded) = match &self.made {
            Made::Drawn(spec) => {
                let lengths = spec.tokens?;
                let wanted = match spec.prefix {
                    None => lengths.to_string(),
                    Some(PrefixSpec { tokens, groups: 1 }) => format!("{lengths} after one prefix of {tokens}"),
                    Some(PrefixSpec { tokens, groups }) => {
                        format!("{lengths} after a prefix of {tokens} ({groups} groups)")
                    }
                };
                let prefix = spec.prefix.map_or(0, |prefix| u64::from(prefix.tokens));
                (wanted, u64::from(lengths.longest()) + prefix, spec.prefix, None)
            }
            Made::Recorded(record) => {
                let plan = record.plan.clone();
                (plan.prompts.clone(), plan.longest_prompt.into(), None, Some(plan))
            }
        };
        Some(TokensPlan {
            wanted,
            longest,
            by: None,
            how: None,
            questions: 0,
            around: 0,
            exact: false,
            prefix,
            recorded,
        })
    }

    pub(super) fn items(&self, seed: u64, fit: &Fit) -> Vec<Item> {
        self.within(self.instruction.as_deref(), seed, fit)
    }

    /// The same prompts as they may be shown; `None` where they are what is sent.
    pub(super) fn shown(&self, seed: u64, fit: &Fit) -> Option<Vec<Item>> {
        self.shown.as_deref().map(|instruction| self.within(Some(instruction), seed, fit))
    }

    fn within(&self, instruction: Option<&str>, seed: u64, fit: &Fit) -> Vec<Item> {
        match &self.made {
            Made::Drawn(spec) => made_up(spec, instruction, seed, fit),
            Made::Recorded(record) => as_recorded(&record.requests, instruction, seed, fit),
        }
    }
}
