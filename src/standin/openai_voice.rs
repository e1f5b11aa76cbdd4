//! How the OpenAI wire says an answer: the frames of a stream, or all of it, with llama-server's `timings`.

use super::job::{Job, push_logprobs};
use super::spec::Fault;
use super::text::{Finish, push_escaped};
use bytes::BytesMut;
use std::fmt::Write as _;

/// How the OpenAI wire writes the frames of a stream.
pub(super) struct Voice {
    chat: bool,
    /// A last chunk without choices tells the usage.
    usage: bool,
    id: u64,
    created: i64,
    /// The model's name, escaped.
    model: String,
}

/// An error inside a 200.
pub(super) const BROKEN: &str =
    r#"{"error":{"code":500,"message":"a declared fault of the stand-in","type":"server_error"}}"#;

impl Voice {
    pub(super) fn new(job: &Job, chat: bool, usage: bool) -> Self {
        let engine = &job.engine;
        let mut model = BytesMut::with_capacity(engine.spec.model.len());
        push_escaped(&mut model, &engine.spec.model);
        let model = String::from_utf8_lossy(&model).into_owned();
        let created = engine.wall(engine.clock.now()).as_second();
        Self { chat, usage, id: engine.id(), created, model }
    }

    /// The fields that are in every answer.
    fn common(&self, chunk: bool, out: &mut BytesMut) {
        let (id, object) = match (self.chat, chunk) {
            (true, true) => ("chatcmpl", "chat.completion.chunk"),
            (true, false) => ("chatcmpl", "chat.completion"),
            (false, _) => ("cmpl", "text_completion"),
        };
        let _ = write!(
            out,
            "\"created\":{},\"id\":\"{id}-{}\",\"model\":\"{}\",\"system_fingerprint\":\"loadcmp-standin\",\
             \"object\":\"{object}\"",
            self.created, self.id, self.model
        );
    }

    fn chunk(&self, choice: impl FnOnce(&mut BytesMut), finish: Option<&str>, out: &mut BytesMut) {
        self.chunk_of(choice, finish, |out| out.extend_from_slice(b"null"), out);
    }

    fn chunk_of(
        &self,
        choice: impl FnOnce(&mut BytesMut),
        finish: Option<&str>,
        logprobs: impl FnOnce(&mut BytesMut),
        out: &mut BytesMut,
    ) {
        out.extend_from_slice(b"data: {\"choices\":[{\"finish_reason\":");
        let _ = match finish {
            Some(reason) => write!(out, "\"{reason}\""),
            None => write!(out, "null"),
        };
        out.extend_from_slice(b",\"index\":0,\"logprobs\":");
        logprobs(out);
        out.extend_from_slice(b",");
        choice(out);
        out.extend_from_slice(b"}],");
        self.common(true, out);
    }

    pub(super) fn open(&self, out: &mut BytesMut) {
        if self.chat {
            let role =
                |out: &mut BytesMut| out.extend_from_slice(b"\"delta\":{\"role\":\"assistant\",\"content\":null}");
            self.chunk(role, None, out);
            out.extend_from_slice(b"}\n\n");
        }
    }

    pub(super) fn token(&self, job: &Job, index: u32, out: &mut BytesMut) {
        let said = |out: &mut BytesMut| {
            let thought = index < job.answer.thoughts;
            out.extend_from_slice(match (self.chat, thought) {
                (true, false) => b"\"delta\":{\"content\":\"",
                (true, true) => b"\"delta\":{\"reasoning_content\":\"",
                (false, false) => b"\"text\":\"",
                // Only for a quirk to put it into the text: the wire has no place for it.
                (false, true) => b"\"text\":\"\",\"reasoning_content\":\"",
            });
            push_escaped(out, job.answer.piece(index));
            out.extend_from_slice(if self.chat { b"\"}" } else { b"\"" });
        };
        self.chunk_of(said, None, |out| logprobs(job, index..index + 1, out), out);
        out.extend_from_slice(b"}\n\n");
    }

    pub(super) fn error(out: &mut BytesMut) {
        let _ = write!(out, "data: {BROKEN}\n\n");
    }

    pub(super) fn end(&self, job: &Job, out: &mut BytesMut) {
        let empty = |out: &mut BytesMut| {
            out.extend_from_slice(if self.chat { b"\"delta\":{}" } else { b"\"text\":\"\"" });
        };
        self.chunk(empty, Some(finish(job)), out);
        if !self.chat {
            usage(job, out);
        }
        if !self.chat || !self.usage {
            timings(job, out);
        }
        out.extend_from_slice(b"}\n\n");
        if self.usage {
            out.extend_from_slice(b"data: {\"choices\":[],");
            self.common(true, out);
            usage(job, out);
            timings(job, out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// The answer in one piece; one that breaks off has no reason for its end.
    pub(super) fn whole(&self, job: &Job, out: &mut BytesMut) {
        if job.fault == Some(Fault::ErrorFrame) {
            return out.extend_from_slice(BROKEN.as_bytes());
        }
        out.extend_from_slice(b"{\"choices\":[{\"finish_reason\":");
        let broken = job.fault == Some(Fault::Truncate);
        let _ = if broken { write!(out, "null") } else { write!(out, "\"{}\"", finish(job)) };
        let said = if broken { job.answer.first(job.made) } else { job.answer.whole() };
        out.extend_from_slice(b",\"index\":0,\"logprobs\":");
        logprobs(job, 0..job.made.min(job.answer.len()), out);
        out.extend_from_slice(b",");
        out.extend_from_slice(if self.chat {
            b"\"message\":{\"role\":\"assistant\",\"content\":\""
        } else {
            b"\"text\":\""
        });
        push_escaped(out, &said);
        if job.answer.thoughts > 0 {
            out.extend_from_slice(b"\",\"reasoning_content\":\"");
            push_escaped(out, &job.answer.thought());
        }
        out.extend_from_slice(if self.chat { b"\"}}]," } else { b"\"}]," });
        self.common(false, out);
        usage(job, out);
        timings(job, out);
        out.extend_from_slice(b"}");
    }
}

/// The log-probabilities of some tokens, where they are asked for.
fn logprobs(job: &Job, tokens: std::ops::Range<u32>, out: &mut BytesMut) {
    if !job.logprobs {
        return out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b"{\"content\":");
    push_logprobs(job, tokens, out);
    out.extend_from_slice(b"}");
}

fn finish(job: &Job) -> &'static str {
    if job.answer.finish == Finish::Stop { "stop" } else { "length" }
}

fn usage(job: &Job, out: &mut BytesMut) {
    let (prompt, output) = (job.prompt_tokens, job.made);
    let total = prompt.saturating_add(output);
    let _ = write!(
        out,
        ",\"usage\":{{\"completion_tokens\":{output},\"prompt_tokens\":{prompt},\"total_tokens\":{total},\
         \"prompt_tokens_details\":{{\"cached_tokens\":{}}}",
        job.cached_tokens
    );
    if job.answer.thoughts > 0 {
        let thoughts = job.answer.thoughts.min(output);
        let _ = write!(out, ",\"completion_tokens_details\":{{\"reasoning_tokens\":{thoughts}}}");
    }
    out.extend_from_slice(b"}");
}

/// llama-server's `timings`: milliseconds; rates over one token less than were made.
pub(super) fn timings(job: &Job, out: &mut BytesMut) {
    let first = job.first.unwrap_or(job.last);
    let prompt_ms = first.since(job.granted).0 as f64 / 1e6;
    let steps = f64::from(job.made.saturating_sub(1));
    let output_ms = if job.made == 1 { 0.001 } else { job.last.since(first).0 as f64 / 1e6 };
    let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
    let fresh = job.prompt_tokens.saturating_sub(job.cached_tokens);
    let prompt = f64::from(fresh);
    let _ = write!(
        out,
        ",\"timings\":{{\"cache_n\":{},\"prompt_n\":{},\"prompt_ms\":{prompt_ms:?},\"prompt_per_token_ms\":{:?},\
         \"prompt_per_second\":{:?},\"predicted_n\":{},\"predicted_ms\":{output_ms:?},\
         \"predicted_per_token_ms\":{:?},\"predicted_per_second\":{:?}",
        job.cached_tokens,
        fresh,
        ratio(prompt_ms, prompt),
        ratio(prompt * 1e3, prompt_ms),
        job.made,
        if steps > 0.0 { output_ms / steps } else { 0.0 },
        if steps > 0.0 { ratio(steps * 1e3, output_ms) } else { 0.0 },
    );
    let (drafted, accepted) = drafts(job.engine.spec.draft, job.engine.spec.draft_accept, job.made);
    if drafted > 0 {
        let _ = write!(out, ",\"draft_n\":{drafted},\"draft_n_accepted\":{accepted}");
    }
    out.extend_from_slice(b"}");
}

/// Tokens guessed ahead for an answer of so many, and those of them that were accepted. After its first token each step guesses
/// `ahead`, as far as there is room, takes those accepted, and makes one token itself; over all steps the accepted ones are the
/// declared share of the guessed ones, rounded down.
fn drafts(ahead: u32, share: f64, tokens: u32) -> (u32, u32) {
    let (mut made, mut drafted, mut accepted) = (1, 0, 0);
    while made + 1 < tokens && ahead > 0 {
        let guessed = ahead.min(tokens - made - 1);
        drafted += guessed;
        let taken = ((f64::from(drafted) * share + 1e-9) as u32 - accepted).min(guessed);
        accepted += taken;
        made += taken + 1;
    }
    (drafted, accepted)
}

#[cfg(test)]
mod tests {
    use super::drafts;

    #[test]
    fn as_many_drafts_are_accepted_as_declared() {
        // 1 + (2 of 4) + 1 + (2 of 4) + 1 + (0 of 1) + 1 = 9 tokens.
        for (ahead, share, tokens, told) in [
            (4, 0.5, 9, (9, 4)),
            (4, 1.0, 9, (6, 6)),
            (4, 0.0, 4, (3, 0)),
            // As llama-server told of SmolLM2 with itself as the draft model.
            (3, 1.0, 24, (17, 17)),
            (0, 0.5, 9, (0, 0)),
            (4, 0.5, 1, (0, 0)),
            (4, 0.5, 0, (0, 0)),
        ] {
            assert_eq!(drafts(ahead, share, tokens), told, "{ahead} {share} {tokens}");
        }
        let (drafted, accepted) = drafts(4, 0.7, 1000);
        assert!((f64::from(accepted) / f64::from(drafted) - 0.7).abs() < 0.002);
    }
}
