//! A request and its reply, as the wires' handlers have them.

use super::admit::Ask;
use super::engine::Engine;
use super::job::Job;
use super::quirk::{Play, Quirk};
use super::record::Tape;
use super::spec::Fault;
use super::stream::{Answering, Voice};
use crate::record::Nanos;
use crate::workload::text_hash;
use bytes::{Bytes, BytesMut};
use hyper::header::{CONTENT_TYPE, HeaderValue, SERVER};
use hyper::{Response, StatusCode};
use std::sync::Arc;

/// An answer.
pub(super) type Reply = Response<Answering>;

/// A request, and what its handler needs.
pub(super) struct Call {
    pub(super) engine: Arc<Engine>,
    pub(super) tape: Option<Arc<Tape>>,
    /// When the request's head had been read.
    pub(super) entered: Nanos,
    pub(super) body: Bytes,
    /// The quirks that are played on it.
    pub(super) play: Option<Play>,
}

/// Why a request gets no job.
pub(super) enum Refusal {
    /// The queue is full.
    Busy,
    /// It is to fail, as declared.
    Fault,
    /// Its connection is to be closed, as declared.
    HangUp,
}

/// Marks a reply that is never written: its connection is closed in its stead.
#[derive(Clone)]
pub(super) struct HangUp;

impl Call {
    /// Draws the request's fate and waits for its slot; the record learns both.
    pub(super) async fn admit(&self, ask: Ask<'_>) -> Result<Job, Refusal> {
        let mut draw = self.engine.draw(ask.prompt);
        let mut ask = Ask { play: self.play, ..ask };
        if let Some(play) = self.play {
            ask.least_thoughts = play.thoughts();
            if play.has(Quirk::ErrorAfterTokens) {
                draw.fault = Some(Fault::ErrorFrame);
            }
        }
        if let Some(tape) = &self.tape {
            tape.note(|row| {
                row.text_hash = Some(text_hash(ask.prompt.as_bytes()));
                row.prompt_tokens = Some(ask.prompt_tokens);
                row.fault = draw.fault.filter(|fault| *fault != Fault::WrongId).map_or("", Fault::name);
            });
        }
        match draw.fault {
            Some(Fault::Status) => return Err(Refusal::Fault),
            Some(Fault::HangUp) => return Err(Refusal::HangUp),
            _ => {}
        }
        let job = self.engine.admit(ask, draw).await.map_err(|_| Refusal::Busy)?;
        if let Some(tape) = &self.tape {
            tape.note(|row| (row.slot, row.cached_tokens) = (Some(job.granted), Some(job.cached_tokens)));
        }
        Ok(job)
    }

    /// Waits until the whole answer is made, and gives the slot back.
    pub(super) async fn finish(&self, job: &mut Job) {
        job.whole().await;
        let free = job.free();
        if let Some(tape) = &self.tape {
            tape.made(job, free);
        }
    }
}

/// The type of a stream of server-sent events.
pub(super) const EVENTS: &str = "text/event-stream";

impl Call {
    /// The answer as it was asked for: a stream of a type, or all of it at once when it is made.
    pub(super) async fn answer(&self, mut job: Job, voice: Voice, streamed: Option<&'static str>) -> Reply {
        if let Some(content_type) = streamed {
            return reply(StatusCode::OK, content_type, Answering::stream(job, voice, self.tape.clone()));
        }
        self.finish(&mut job).await;
        let mut out = BytesMut::with_capacity(1024 + 8 * job.made as usize);
        voice.whole(&job, &mut out);
        reply(StatusCode::OK, "application/json; charset=utf-8", Answering::whole(out.freeze(), job.fault))
    }
}

/// An answer with a body of a type.
pub(super) fn reply(status: StatusCode, content_type: &'static str, body: Answering) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply.headers_mut().insert(SERVER, HeaderValue::from_static("loadcmp-standin"));
    reply
}

/// No answer: the connection is closed.
pub(super) fn hang_up() -> Reply {
    let mut reply = Response::new(Answering::Whole(Bytes::new()));
    reply.extensions_mut().insert(HangUp);
    reply
}

/// A whole JSON answer.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    reply(status, "application/json; charset=utf-8", Answering::Whole(body.into()))
}

/// A whole plain answer.
pub(super) fn text(status: StatusCode, body: &'static str) -> Reply {
    reply(status, "text/plain; charset=utf-8", Answering::Whole(Bytes::from_static(body.as_bytes())))
}
