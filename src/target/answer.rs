//! What an answer turned out to be. Wires fill it piece by piece, with stamps the transport gave them; they read no
//! clock. What isn't filled is not known.

use crate::record::{Nanos, Remarks};

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
    pub gap_max: Option<Nanos>,
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
}

impl Answer {
    /// Takes a piece of a stream: empty text is no token.
    pub(super) fn piece(&mut self, text: &str, stamp: Nanos) {
        if text.is_empty() {
            return;
        }
        self.stamped(stamp);
        self.first_answer.get_or_insert(stamp);
        self.text.push_str(text);
    }

    /// Takes a piece of reasoning: a token like any other for the clock, but no part of the answer's text.
    pub(super) fn thought(&mut self, stamp: Nanos) {
        self.thoughts += 1;
        self.stamped(stamp);
    }

    fn stamped(&mut self, stamp: Nanos) {
        self.chunks += 1;
        match self.last_token {
            None => self.first_token = Some(stamp),
            Some(last) => self.gap_max = self.gap_max.max(Some(stamp.since(last))),
        }
        self.last_token = Some(stamp);
    }

    /// Takes the reasoning of an answer that came whole.
    pub(super) fn whole_thought(&mut self) {
        self.chunks += 1;
        self.thoughts += 1;
    }

    /// Takes the text of an answer that came whole: it has no first token.
    pub(super) fn whole(&mut self, text: &str) {
        if !text.is_empty() {
            self.chunks += 1;
            self.text.push_str(text);
        }
    }

    /// Notes an error, the first of them.
    pub(super) fn fail(&mut self, error: impl Into<String>) {
        self.error.get_or_insert_with(|| error.into());
    }
}

/// Milliseconds of a server's clock as nanoseconds; `None` for what is no time.
pub(super) fn millis(ms: Option<f64>) -> Option<Nanos> {
    ms.filter(|ms| ms.is_finite() && *ms >= 0.0).map(|ms| Nanos((ms * 1e6).round() as u64))
}

/// The start of an engine's error text, on one line, fit for a row.
pub(super) fn brief(text: &str) -> String {
    let mut line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    if text.trim().chars().count() > 300 {
        line.push('…');
    }
    line
}
