//! How `/v1/messages` writes an answer: the events of its streams.

use super::job::Job;
use super::spec::Fault;
use super::text::{Finish, push_escaped};
use bytes::BytesMut;
use serde_json::{Value, json as object};
use std::fmt::Write as _;

/// An error inside a 200.
const BROKEN: &str = r#"{"type":"error","error":{"type":"api_error","message":"a declared fault of the stand-in"}}"#;

/// How the events of a stream are written.
pub(super) struct Voice {
    id: u64,
    /// The model's name, as JSON.
    model: String,
}

impl Voice {
    /// Of an answer.
    pub(super) fn new(job: &Job) -> Self {
        let model = Value::from(job.engine.spec.model.as_str()).to_string();
        Self { id: job.engine.id(), model }
    }

    /// The number of the block that a piece is in: thoughts have one of their own.
    fn block(job: &Job, index: u32) -> u32 {
        u32::from(job.answer.thoughts > 0 && index >= job.answer.thoughts)
    }

    pub(super) fn open(&self, job: &Job, out: &mut BytesMut) {
        let _ = write!(
            out,
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_{}\",\"type\":\"message\",\
             \"role\":\"assistant\",\"content\":[],\"model\":{},\"stop_reason\":null,\"stop_sequence\":null,\
             \"usage\":{{\"cache_read_input_tokens\":{},\"input_tokens\":{},\"output_tokens\":0}}}}}}\n\n",
            self.id,
            self.model,
            job.cached_tokens,
            job.prompt_tokens.saturating_sub(job.cached_tokens)
        );
    }

    pub(super) fn token(&self, job: &Job, index: u32, out: &mut BytesMut) {
        let block = Self::block(job, index);
        let thought = index < job.answer.thoughts;
        if index == 0 || index == job.answer.thoughts {
            if block > 0 {
                stopped(0, out);
            }
            let content = if thought { r#""thinking","thinking":"""# } else { r#""text","text":"""# };
            let _ = write!(
                out,
                "event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":{block},\
                 \"content_block\":{{\"type\":{content}}}}}\n\n"
            );
        }
        let delta = if thought { r#""thinking_delta","thinking":""# } else { r#""text_delta","text":""# };
        let _ = write!(
            out,
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{block},\"delta\":{{\"type\":{delta}"
        );
        push_escaped(out, job.answer.piece(index));
        out.extend_from_slice(b"\"}}\n\n");
    }

    pub(super) fn error(out: &mut BytesMut) {
        let _ = write!(out, "event: error\ndata: {BROKEN}\n\n");
    }

    pub(super) fn end(&self, job: &Job, out: &mut BytesMut) {
        if let Some(last) = job.made.min(job.answer.len()).checked_sub(1) {
            stopped(Self::block(job, last), out);
        }
        let _ = write!(
            out,
            "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{}\",\"stop_sequence\":null}},\
             \"usage\":{{\"output_tokens\":{}}}}}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n",
            reason(job),
            job.made
        );
    }

    /// The answer in one piece; one that breaks off has no reason for its end.
    pub(super) fn whole(&self, job: &Job, out: &mut BytesMut) {
        if job.fault == Some(Fault::ErrorFrame) {
            return out.extend_from_slice(BROKEN.as_bytes());
        }
        let broken = job.fault == Some(Fault::Truncate);
        let said = if broken { job.answer.first(job.made) } else { job.answer.whole() };
        let mut content = Vec::new();
        if job.answer.thoughts > 0 {
            content.push(object!({ "type": "thinking", "thinking": job.answer.thought(), "signature": "" }));
        }
        content.push(object!({ "type": "text", "text": said }));
        let whole = object!({
            "id": format!("msg_{}", self.id), "type": "message", "role": "assistant", "content": content,
            "model": job.engine.spec.model, "stop_reason": (!broken).then(|| reason(job)), "stop_sequence": null,
            "usage": {
                "cache_read_input_tokens": job.cached_tokens, "output_tokens": job.made,
                "input_tokens": job.prompt_tokens.saturating_sub(job.cached_tokens),
            },
        });
        out.extend_from_slice(whole.to_string().as_bytes());
    }
}

fn stopped(block: u32, out: &mut BytesMut) {
    let _ = write!(out, "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":{block}}}\n\n");
}

fn reason(job: &Job) -> &'static str {
    if job.answer.finish == Finish::Stop { "end_turn" } else { "max_tokens" }
}
