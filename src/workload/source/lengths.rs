//! The prompts of a recorded load: made to its lengths, or its conversations as they are.

use super::{Maker, Source, SourceError, recorded};
use crate::scenario::{RecordedPlan, Task, TracePart};
use crate::workload::{Fit, Item, Recorded, Turn, as_recorded};
use std::sync::Arc;

/// Recorded lengths, and what is told of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The requests, in their order.
    pub requests: Arc<Vec<Recorded>>,
    /// What they are, in words.
    pub plan: RecordedPlan,
}

/// What there is to tell of a trace beside its prompts.
pub(super) enum TraceNotes {
    Lengths(Record),
    LeftOut(Vec<String>),
}

impl Maker<'_> {
    /// What others recorded: lengths, to which prompts are made, or conversations.
    pub(super) fn trace(
        &self,
        source: &Source,
        seed: u64,
        part: TracePart,
    ) -> Result<(Vec<Item>, TraceNotes), SourceError> {
        let chat = self.task == Task::Chat;
        match recorded::read(source, part)?.ok_or_else(|| recorded::unknown(source))? {
            recorded::Record::Lengths(kind, _) if chat => {
                Err(source.wrong(0, format!("it is {}, with single requests: write `task: generate`", kind.name())))
            }
            recorded::Record::Talks(kind, ..) if !chat => {
                Err(source.wrong(0, format!("these are {}: write `task: chat`", kind.name())))
            }
            recorded::Record::Lengths(kind, recorded::Lengths { all, left_out }) => {
                let seconds = all.last().map_or(0.0, |(at, _)| *at);
                let requests: Vec<Recorded> = all.into_iter().map(|(_, recorded)| recorded).collect();
                let whole = |recorded: &Recorded| u64::from(recorded.input) + u64::from(recorded.output);
                let plan = RecordedPlan {
                    kind: kind.name().to_owned(),
                    requests: requests.len() as u64,
                    seconds,
                    prompts: recorded::spread(requests.iter().map(|recorded| recorded.input)),
                    answers: recorded::spread(requests.iter().map(|recorded| recorded.output)),
                    longest_prompt: requests.iter().map(|recorded| recorded.input).max().unwrap_or(0),
                    longest_answer: requests.iter().map(|recorded| recorded.output).max().unwrap_or(0),
                    longest: requests.iter().map(whole).max().unwrap_or(0),
                    shared: requests.iter().any(|recorded| !recorded.blocks.is_empty()),
                    left_out,
                };
                let items = as_recorded(&requests, None, seed, &Fit::guess());
                Ok((items, TraceNotes::Lengths(Record { requests: Arc::new(requests), plan })))
            }
            recorded::Record::Talks(_, talks, told) => {
                let item = |(i, (id, turns)): (usize, (Option<String>, Vec<Turn>))| Item {
                    id: id.unwrap_or_else(|| (i + 1).to_string()),
                    turns,
                    ..Item::default()
                };
                Ok((talks.into_iter().enumerate().map(item).collect(), TraceNotes::LeftOut(told)))
            }
        }
    }
}
