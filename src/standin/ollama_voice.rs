//! How Ollama writes an answer: its streams' frames, its metrics.

use super::job::{Job, push_logprobs};
use super::spec::Fault;
use super::text::{Finish, push_escaped};
use crate::record::Nanos;
use bytes::BytesMut;
use std::fmt::Write as _;

/// What the error of a stream says.
const BROKEN: &str = "an error was encountered while running the model: unexpected EOF";

/// How Ollama writes the frames of a stream.
pub(super) struct Voice {
    model: String,
    chat: bool,
    /// The last frame lists the tokens of the whole conversation.
    context: bool,
}

impl Voice {
    /// Of an answer.
    pub(super) fn new(model: &str, chat: bool, context: bool) -> Self {
        let mut name = BytesMut::with_capacity(model.len());
        push_escaped(&mut name, model);
        Self { model: String::from_utf8_lossy(&name).into_owned(), chat, context }
    }

    /// The answer in one piece; one that breaks off isn't done.
    pub(super) fn whole(&self, job: &Job, out: &mut BytesMut) {
        match job.fault {
            Some(Fault::ErrorFrame) => Self::error(out),
            Some(Fault::Truncate) => {
                self.head(job, &job.answer.first(job.made), "", out);
                out.extend_from_slice(b",\"done\":false}");
            }
            _ => {
                self.last(job, &job.answer.whole(), &job.answer.thought(), out);
                // Before the object's end.
                out.truncate(out.len() - 1);
                logprobs(job, 0..job.made.min(job.answer.len()), out);
                out.extend_from_slice(b"}");
            }
        }
    }

    fn head(&self, job: &Job, said: &str, thought: &str, out: &mut BytesMut) {
        self.head_at(job.engine.wall(job.engine.clock.now()), said, thought, out);
    }

    pub(super) fn head_at(&self, at: jiff::Timestamp, said: &str, thought: &str, out: &mut BytesMut) {
        out.extend_from_slice(b"{\"model\":\"");
        out.extend_from_slice(self.model.as_bytes());
        let _ = write!(out, "\",\"created_at\":\"{at:.9}\",");
        let field: &[u8] =
            if self.chat { b"\"message\":{\"role\":\"assistant\",\"content\":\"" } else { b"\"response\":\"" };
        out.extend_from_slice(field);
        push_escaped(out, said);
        if !thought.is_empty() {
            out.extend_from_slice(b"\",\"thinking\":\"");
            push_escaped(out, thought);
        }
        out.extend_from_slice(if self.chat { b"\"}" } else { b"\"" });
    }

    pub(super) fn token(&self, job: &Job, index: u32, out: &mut BytesMut) {
        let piece = job.answer.piece(index);
        let (said, thought) = if index < job.answer.thoughts { ("", piece) } else { (piece, "") };
        self.head(job, said, thought, out);
        logprobs(job, index..index + 1, out);
        out.extend_from_slice(b",\"done\":false}\n");
    }

    pub(super) fn error(out: &mut BytesMut) {
        let _ = writeln!(out, "{{\"error\":\"{BROKEN}\"}}");
    }

    pub(super) fn end(&self, job: &Job, out: &mut BytesMut) {
        self.last(job, "", "", out);
        out.extend_from_slice(b"\n");
    }

    /// The object with `done:true`.
    fn last(&self, job: &Job, said: &str, thought: &str, out: &mut BytesMut) {
        self.head(job, said, thought, out);
        let reason = if job.answer.finish == Finish::Stop { "stop" } else { "length" };
        let _ = write!(out, ",\"done\":true,\"done_reason\":\"{reason}\"");
        if self.context {
            out.extend_from_slice(b",\"context\":[1");
            for token in 2..=job.prompt_tokens.saturating_add(job.made) {
                let _ = write!(out, ",{token}");
            }
            out.extend_from_slice(b"]");
        }
        metrics(job, out);
        out.extend_from_slice(b"}");
    }
}

/// The log-probabilities of some tokens, where they are asked for.
fn logprobs(job: &Job, tokens: std::ops::Range<u32>, out: &mut BytesMut) {
    if job.logprobs {
        out.extend_from_slice(b",\"logprobs\":");
        push_logprobs(job, tokens, out);
    }
}

/// The metrics of a generation; the zeros left out, but for the cached count, which Ollama has always sent.
fn metrics(job: &Job, out: &mut BytesMut) {
    durations(job, out);
    let first = job.first.unwrap_or(job.last);
    // One token takes no time of its own; the real one says a microsecond then.
    let eval = if job.made == 1 { Nanos(1000) } else { job.last.since(first) };
    let mut field = |name: &str, value: u64| {
        if value > 0 {
            let _ = write!(out, ",\"{name}\":{value}");
        }
    };
    field("prompt_eval_count", u64::from(job.prompt_tokens));
    field("prompt_eval_duration", first.since(job.granted).0);
    field("eval_count", u64::from(job.made));
    field("eval_duration", eval.0);
    let _ = write!(out, ",\"prompt_eval_cached_count\":{}", job.cached_tokens);
}

/// The times that every answer has.
pub(super) fn durations(job: &Job, out: &mut BytesMut) {
    let total = job.engine.clock.now().since(job.arrived).0;
    let load = job.loaded.since(job.arrived).0.max(1);
    let _ = write!(out, ",\"total_duration\":{total},\"load_duration\":{load}");
}
