//! What an answer turned out to be. Wires fill it piece by piece, with stamps the transport gave them; they read no
//! clock. What isn't filled is not known.

use super::thought::{Bit, Thoughts};
use crate::metrics::human;
use crate::record::{Details, Nanos, Remark, Remarks};
use crate::scenario::scrub;

/// Most text kept of an answer: a million tokens have less.
pub(super) const TEXT_LIMIT: usize = 4 << 20;

/// What an engine says of the probability of one token of its answer.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub(super) struct TokenProbability {
    /// Its natural logarithm.
    pub(super) logprob: Option<f64>,
}

/// Log-probabilities of an answer's tokens, as far as they have come.
#[derive(Clone, Copy, Debug, Default)]
struct Weighed {
    sum: f64,
    tokens: u64,
    /// One of them can't be.
    odd: bool,
}

/// Waits that are kept of one answer: 256 KiB of a stream that never ends.
const MOST_GAPS: usize = 1 << 16;

/// The wait between two pieces in whole microseconds: the difference of the rounded stamps, so that the waits of an answer add up
/// to its length.
fn gap(last: Nanos, stamp: Nanos) -> u32 {
    let micros = |at: Nanos| (at.0 + 500) / 1000;
    u32::try_from(micros(stamp).saturating_sub(micros(last))).unwrap_or(u32::MAX)
}

/// An answer as far as it has come.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The text, joined.
    pub text: String,
    /// The embedding.
    pub vector: Option<Vec<f32>>,
    /// Pieces with text.
    pub chunks: u32,
    /// Those of them that are reasoning, and no part of the text.
    pub thoughts: u32,
    /// Stamp of the first piece with text; streams only.
    pub first_token: Option<Nanos>,
    /// Stamp of the first piece with text that is no reasoning; streams only.
    pub first_answer: Option<Nanos>,
    /// Stamp of the last piece with text; streams only.
    pub last_token: Option<Nanos>,
    /// Longest wait between two pieces.
    pub itl_max: Option<Nanos>,
    /// Waits between neighbouring pieces, in microseconds: of the first 65,537 pieces.
    pub gaps: Vec<u32>,
    /// The engine's word for why it stopped.
    pub finish: Option<String>,
    /// Prompt tokens by the engine's count.
    pub prompt_tokens: Option<u64>,
    /// Prompt tokens from a cache.
    pub cached_tokens: Option<u64>,
    /// Output tokens by the engine's count.
    pub output_tokens: Option<u64>,
    /// The engine's total time.
    pub server_total: Option<Nanos>,
    /// The engine's time to get the model ready.
    pub server_load: Option<Nanos>,
    /// The engine's time for the prompt.
    pub server_prompt: Option<Nanos>,
    /// The engine's time for the output.
    pub server_output: Option<Nanos>,
    /// What the engine reports of the tokens beyond their number.
    pub details: Details,
    /// HTTP status.
    pub status: Option<u16>,
    /// How long to wait before asking again, by the engine's own word.
    pub retry_after: Option<std::time::Duration>,
    /// Stamp of the end marker, once it has come.
    pub done: Option<Nanos>,
    /// An error the engine told inside its answer, or one about the answer's form.
    pub error: Option<String>,
    /// The engine said that it is full.
    pub rejected: bool,
    /// What was odd about it and no failure.
    pub remarks: Remarks,
    /// What it lacks, though the engine or the wire has ended it: it can't become complete any more.
    pub(super) lacks: Option<String>,
    /// Prompt tokens, and those of them from a cache, as told while the answer began.
    pub(super) begun: Option<(u64, Option<u64>)>,
    /// Something was at a place where the answer should be, if only an empty text.
    pub(super) seen: bool,
    /// More text came than is kept.
    pub(super) overfull: bool,
    /// When its pieces came says nothing of when they were made.
    untimed: bool,
    weighed: Weighed,
    thinking: Thoughts,
    /// The piece that began what `thinking` holds back, and how many such pieces there are.
    held: Option<(Nanos, u32)>,
}

impl Answer {
    /// Takes a piece of a stream: empty text is no token.
    pub(super) fn piece(&mut self, text: &str, stamp: Nanos) {
        if text.is_empty() {
            return;
        }
        self.stamped(stamp);
        if self.thinking.plain(text) {
            self.first_answer.get_or_insert(stamp);
            return self.keep(text);
        }
        let (mut thinking, held) = (std::mem::take(&mut self.thinking), self.held.take());
        let (mut spoke, mut thought, mut first) = (false, false, held);
        thinking.take(text, &mut |bit| {
            // What was held back has turned out to be this.
            let held = first.take();
            match bit {
                Bit::Text(text) => {
                    spoke = true;
                    self.first_answer.get_or_insert(held.map_or(stamp, |(since, _)| since));
                    self.keep(text);
                }
                Bit::Thought => {
                    thought = true;
                    self.thoughts += held.map_or(0, |(_, pieces)| pieces);
                }
                Bit::Recant => {
                    thought = true;
                    self.recant();
                    self.thoughts = self.chunks - 1;
                }
            }
        });
        if thought && !spoke {
            self.thoughts += 1;
        }
        if thinking.waits() {
            let whole = !spoke && !thought;
            self.held = Some(match first {
                Some((since, pieces)) => (since, pieces + 1),
                None => (stamp, u32::from(whole)),
            });
        }
        self.thinking = thinking;
    }

    /// Takes a piece of a stream that holds its text back: when it comes says nothing of when its tokens were made, so that it
    /// leaves no stamps.
    pub(super) fn held_back(&mut self, text: &str) {
        self.untimed = true;
        self.piece(text, Nanos::default());
        self.first_answer = None;
    }

    /// All text so far was reasoning.
    fn recant(&mut self) {
        self.text.clear();
        self.first_answer = None;
    }

    /// Takes a piece of a tool's call: output like any other.
    pub(super) fn call(&mut self, arguments: &str, stamp: Nanos) {
        self.stamped(stamp);
        self.first_answer.get_or_insert(stamp);
        self.keep(arguments);
    }

    fn keep(&mut self, text: &str) {
        if self.text.len() + text.len() > TEXT_LIMIT {
            self.overfull = true;
        } else {
            self.text.push_str(text);
        }
    }

    /// Takes a piece of reasoning: a token like any other for the clock, but no part of the answer's text.
    pub(super) fn thought(&mut self, stamp: Nanos) {
        self.thoughts += 1;
        self.stamped(stamp);
    }

    fn stamped(&mut self, stamp: Nanos) {
        self.chunks += 1;
        if self.untimed {
            return;
        }
        match self.last_token {
            None => self.first_token = Some(stamp),
            Some(last) => {
                self.itl_max = self.itl_max.max(Some(stamp.since(last)));
                if self.gaps.len() < MOST_GAPS {
                    self.gaps.push(gap(last, stamp));
                }
            }
        }
        self.last_token = Some(stamp);
    }

    /// Takes the log-probabilities of a piece's tokens; those of reasoning (`of_answer` false) are none of the answer's.
    pub(super) fn add_logprobs(&mut self, told: impl IntoIterator<Item = Option<f64>>, of_answer: bool) {
        for logprob in told.into_iter().filter(|_| of_answer) {
            // Rounding may make a certain token's a little more than 0.
            match logprob.filter(|logprob| logprob.is_finite() && *logprob <= 1e-4) {
                Some(logprob) => {
                    self.weighed.sum += logprob;
                    self.weighed.tokens += 1;
                }
                None => self.weighed.odd = true,
            }
        }
    }

    /// Mean log-probability of the answer's tokens; `None` where it isn't that of all of them. llama-server writes 0 for tokens
    /// that were guessed ahead, or leaves them out of a stream. Thoughts that came whole stand among the answer's tokens.
    fn logprob(&self) -> Option<f64> {
        let Weighed { sum, tokens, odd } = self.weighed;
        let mixed = self.thoughts > 0 && self.first_token.is_none();
        let guessed = self.details.drafted.is_some_and(|drafted| drafted > 0);
        // The token that ends an answer may be counted and not weighed.
        let whole = self.thoughts > 0 || self.output_tokens.is_none_or(|output| tokens + 1 >= output);
        (tokens > 0 && !odd && !mixed && !guessed && whole).then(|| sum / tokens as f64)
    }

    /// What the engine reports of the tokens beyond their number, of an answer that is over.
    pub fn reported(&mut self) -> Details {
        if self.weighed.odd {
            self.remark(Remark::BadCount);
        }
        Details { logprob: self.logprob(), ..self.details }
    }

    /// Takes the engine's count of tokens of reasoning. 0 is what engines write that count none; more than there are tokens can't be.
    pub(super) fn reasoned(&mut self, tokens: Option<u64>) {
        let Some(tokens) = tokens.filter(|tokens| *tokens > 0) else { return };
        let possible = self.output_tokens.is_none_or(|output| tokens <= output);
        self.details.thought_tokens = possible.then_some(tokens);
        if !possible {
            self.remark(Remark::BadCount);
        }
    }

    /// Takes the reasoning of an answer that came whole.
    pub(super) fn whole_thought(&mut self) {
        self.chunks += 1;
        self.thoughts += 1;
    }

    /// Takes the text of an answer that came whole: it has no first token.
    pub(super) fn whole(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let (mut thinking, mut thought) = (std::mem::take(&mut self.thinking), false);
        let before = self.text.len();
        let mut take = |bit: Bit<'_>| match bit {
            Bit::Text(text) => self.keep(text),
            Bit::Thought => thought = true,
            Bit::Recant => {
                thought = true;
                self.recant();
            }
        };
        thinking.take(text, &mut take);
        thinking.end(&mut take);
        self.thinking = thinking;
        if thought {
            self.whole_thought();
        }
        if self.text.len() > before || self.overfull {
            self.chunks += 1;
        }
    }

    /// Takes a tool's call of an answer that came whole.
    pub(super) fn whole_call(&mut self, arguments: &str) {
        self.chunks += 1;
        self.keep(arguments);
    }

    /// No more will come: what was held back is taken for what it looks like.
    pub(super) fn close(&mut self) {
        let mut thinking = std::mem::take(&mut self.thinking);
        let held = self.held.take();
        thinking.end(&mut |bit| match bit {
            Bit::Text(text) => {
                self.first_answer = self.first_answer.or(held.filter(|_| !self.untimed).map(|(since, _)| since));
                self.keep(text);
            }
            _ => self.thoughts += held.map_or(0, |(_, pieces)| pieces),
        });
        if thinking.open() {
            self.remark(Remark::OpenThought);
        }
        self.thinking = thinking;
    }

    /// Notes something odd that is no failure.
    pub(super) fn remark(&mut self, remark: Remark) {
        self.remarks.add(remark);
    }

    /// Whether nothing that may still come can make it another answer, but for an error.
    pub(super) fn over(&self) -> bool {
        self.done.is_some() || self.error.is_some() || self.lacks.is_some()
    }

    /// The engine has ended an answer that isn't one.
    pub(super) fn lack(&mut self, what: impl Into<String>) {
        self.lacks.get_or_insert_with(|| what.into());
    }

    /// Notes an error, the first of them.
    pub(super) fn fail(&mut self, error: impl Into<String>) {
        self.error.get_or_insert_with(|| error.into());
    }
}

/// The start of an engine's error text, on one line, fit for a row.
pub(super) fn brief(text: &str) -> String {
    // Before it is cut: of a value that it repeats, the rest would stand there.
    human::cut(&human::printable(scrub(text).trim()), 300)
}
