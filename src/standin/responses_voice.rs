//! How `/v1/responses` writes an answer: the events of its streams.

use super::job::Job;
use super::openai_voice::{BROKEN, timings};
use super::spec::Fault;
use super::text::{Finish, push_escaped};
use bytes::BytesMut;
use serde_json::{Value, json as object};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How the events of a stream are written.
pub(super) struct Voice {
    id: u64,
    /// Events so far: each has its number.
    events: AtomicU64,
}

impl Voice {
    /// Of the answer with this number.
    pub(super) fn new(id: u64) -> Self {
        Self { id, events: AtomicU64::new(0) }
    }

    fn event(&self, kind: &str, mut fields: Value, out: &mut BytesMut) {
        fields["type"] = kind.into();
        fields["sequence_number"] = self.events.fetch_add(1, Relaxed).into();
        let _ = write!(out, "event: {kind}\ndata: {fields}\n\n");
    }

    /// The response with what is known of it: its status, its items, its usage.
    fn response(&self, job: &Job, status: &str, output: Vec<Value>, usage: Option<Value>) -> Value {
        let cut = (status == "incomplete").then(|| object!({ "reason": "max_output_tokens" }));
        object!({
            "id": format!("resp_{}", self.id), "object": "response",
            "created_at": job.engine.wall(job.granted).as_second(), "status": status, "error": null,
            "incomplete_details": cut, "instructions": null, "metadata": {}, "model": job.engine.spec.model,
            "output": output, "parallel_tool_calls": true, "temperature": null, "tool_choice": "auto", "tools": [],
            "top_p": null, "usage": usage,
        })
    }

    fn reasoning(&self, job: &Job, thought: &str) -> Value {
        let content = object!([{ "type": "reasoning_text", "text": thought }]);
        object!({ "id": format!("rs_{}", self.id), "type": "reasoning", "summary": [], "content": content,
                  "status": if job.made > job.answer.thoughts { "completed" } else { "incomplete" } })
    }

    fn message(&self, status: &str, text: Option<&str>) -> Value {
        let content = text.map_or_else(Vec::new, |text| vec![Self::part(text)]);
        object!({ "id": format!("msg_{}", self.id), "type": "message", "role": "assistant", "status": status,
                  "content": content })
    }

    fn part(text: &str) -> Value {
        object!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
    }

    /// The answer in one piece.
    pub(super) fn whole(&self, job: &Job, out: &mut BytesMut) {
        match job.fault {
            Some(Fault::ErrorFrame) => out.extend_from_slice(BROKEN.as_bytes()),
            _ => out.extend_from_slice(self.all(job).to_string().as_bytes()),
        }
    }

    /// All of it; one that breaks off is still in progress.
    fn all(&self, job: &Job) -> Value {
        let (status, said) = match job.fault {
            Some(Fault::Truncate) => ("in_progress", job.answer.first(job.made)),
            _ if job.answer.finish == Finish::Stop => ("completed", job.answer.whole()),
            _ => ("incomplete", job.answer.whole()),
        };
        let mut output = Vec::new();
        if job.answer.thoughts > 0 {
            output.push(self.reasoning(job, &job.answer.thought()));
        }
        output.push(self.message(status, Some(&said)));
        let usage = object!({
            "input_tokens": job.prompt_tokens, "input_tokens_details": { "cached_tokens": job.cached_tokens },
            "output_tokens": job.made,
            "output_tokens_details": { "reasoning_tokens": job.answer.thoughts.min(job.made) },
            "total_tokens": job.prompt_tokens.saturating_add(job.made),
        });
        self.response(job, status, output, Some(usage))
    }

    pub(super) fn open(&self, job: &Job, out: &mut BytesMut) {
        let begun = self.response(job, "in_progress", Vec::new(), None);
        self.event("response.created", object!({ "response": begun.clone() }), out);
        self.event("response.in_progress", object!({ "response": begun }), out);
    }

    pub(super) fn token(&self, job: &Job, index: u32, out: &mut BytesMut) {
        let thoughts = job.answer.thoughts;
        let (thought, place) = (index < thoughts, u32::from(thoughts > 0 && index >= thoughts));
        if index == 0 && thought {
            let item = self.reasoning(job, "");
            self.event("response.output_item.added", object!({ "output_index": 0, "item": item }), out);
        }
        if index == thoughts {
            if thoughts > 0 {
                let item = self.reasoning(job, &job.answer.thought());
                self.event("response.output_item.done", object!({ "output_index": 0, "item": item }), out);
            }
            let item = self.message("in_progress", None);
            self.event("response.output_item.added", object!({ "output_index": place, "item": item }), out);
            let part = object!({ "item_id": format!("msg_{}", self.id), "output_index": place, "content_index": 0,
                                 "part": Self::part("") });
            self.event("response.content_part.added", part, out);
        }
        // The event of a token, written without a tree of values: there are many.
        let (kind, item) =
            if thought { ("response.reasoning_text.delta", "rs") } else { ("response.output_text.delta", "msg") };
        let _ = write!(
            out,
            "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{},\"item_id\":\"{item}_{}\",\
             \"output_index\":{place},\"content_index\":0,\"logprobs\":[],\"delta\":\"",
            self.events.fetch_add(1, Relaxed),
            self.id
        );
        push_escaped(out, job.answer.piece(index));
        out.extend_from_slice(b"\"}\n\n");
    }

    pub(super) fn error(&self, out: &mut BytesMut) {
        let told = object!({ "code": "server_error", "message": "a declared fault of the stand-in", "param": null });
        self.event("error", told, out);
    }

    pub(super) fn end(&self, job: &Job, out: &mut BytesMut) {
        let whole = self.all(job);
        let place = u32::from(job.answer.thoughts > 0);
        let text = job.answer.whole();
        if job.made > job.answer.thoughts {
            let at = |mut fields: Value| {
                fields["item_id"] = format!("msg_{}", self.id).into();
                fields["output_index"] = place.into();
                fields["content_index"] = 0.into();
                fields
            };
            self.event("response.output_text.done", at(object!({ "text": text, "logprobs": [] })), out);
            self.event("response.content_part.done", at(object!({ "part": Self::part(&text) })), out);
            let item = self.message("completed", Some(&text));
            self.event("response.output_item.done", object!({ "output_index": place, "item": item }), out);
        }
        let kind = if whole["status"] == "completed" { "response.completed" } else { "response.incomplete" };
        let number = self.events.fetch_add(1, Relaxed);
        let _ =
            write!(out, "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number},\"response\":{whole}");
        timings(job, out);
        out.extend_from_slice(b"}\n\n");
    }
}
