//! The body of an answer over HTTP, read to its end: what is taken of it, by which wire, and how long it may go on once the
//! answer is over.

use super::answer::TEXT_LIMIT;
use super::body::{Body, Framing, Part};
use super::transport::{Head, HttpConnection};
use super::{Answer, Break, Target, json, ollama, openai, words};
use crate::record::{Nanos, Remark};
use crate::scenario::{JsonStream, TargetSpec};
use std::time::Duration;

/// Longest wait for the end of a body whose answer is over, and most bytes taken meanwhile: its connection can be kept.
const AFTER: (Duration, u64) = (Duration::from_millis(200), 1 << 20);

impl Target {
    /// Reads a body to its end, or to where it is given up.
    pub(super) async fn read(
        &self,
        connection: &mut HttpConnection,
        head: &mut Head,
        read: &mut Body,
        answer: &mut Answer,
    ) -> Result<(), Break> {
        // From when on, and how many bytes in, the answer was over.
        let mut over: Option<(Nanos, u64)> = None;
        loop {
            let piece = match over {
                None => connection.piece(head).await,
                Some((since, _)) => {
                    let left = AFTER.0.saturating_sub(Duration::from_nanos(self.clock.now().since(since).0));
                    let late = |_| Err("the body continued after the end of the answer".to_owned());
                    tokio::time::timeout(left, connection.piece(head)).await.unwrap_or_else(late)
                }
            };
            let Some((bytes, stamp)) = piece.map_err(Break::Midway)? else { return Ok(()) };
            let taken = read.push(&bytes, stamp, |part| self.take(answer, part, stamp));
            taken.map_err(Break::Midway)?;
            if answer.overfull {
                return Err(Break::Midway(format!("more than {} MiB of text", TEXT_LIMIT >> 20)));
            }
            match over {
                None if answer.over() => over = Some((stamp, read.taken())),
                Some((_, from)) if read.taken() - from > AFTER.1 => {
                    return Err(Break::Midway("the body continued after the end of the answer".to_owned()));
                }
                _ => {}
            }
        }
    }

    /// The body came to its proper end.
    pub(super) fn ended(&self, read: &mut Body, answer: &mut Answer) {
        let last = read.last();
        read.end(|part| self.take(answer, part, last));
        if answer.over() {
            return;
        }
        match &self.spec {
            TargetSpec::OpenAi(_) => openai::ended(answer, last),
            TargetSpec::Json(spec) => json::ended(spec, answer, last),
            _ => {}
        }
        if !answer.over() && answer.chunks == 0 && !read.odd().is_empty() {
            answer.fail(words::told(read.odd()));
        }
    }

    /// How answers come on this target.
    pub(super) fn framing(&self) -> Framing {
        match &self.spec {
            TargetSpec::Json(spec) => match spec.stream {
                JsonStream::None => Framing::Whole,
                JsonStream::Sse => Framing::Sse,
                JsonStream::Ndjson => Framing::Lines,
            },
            _ if !self.settings.stream => Framing::Whole,
            TargetSpec::OpenAi(_) => Framing::Sse,
            _ => Framing::Lines,
        }
    }

    /// Takes a part of an answer.
    fn take(&self, answer: &mut Answer, part: Part<'_>, stamp: Nanos) {
        // What comes after an error is no answer any more.
        if answer.error.is_some() {
            return;
        }
        let (data, streamed) = match part {
            Part::Error(data) => return answer.fail(words::told(data)),
            Part::Piece(data) => (data, true),
            Part::Whole(data) => (data, false),
        };
        match &self.spec {
            TargetSpec::Ollama(_) => ollama::take(answer, data, stamp, streamed),
            TargetSpec::OpenAi(spec) => openai::take(spec.api, answer, data, stamp, streamed),
            TargetSpec::Json(spec) => json::take(spec, answer, data, stamp, streamed),
            TargetSpec::GgCore(_) => {}
        }
        if !streamed && self.framing() != Framing::Whole && answer.done.is_some() && answer.error.is_none() {
            answer.remark(Remark::NoStream);
        }
    }
}
