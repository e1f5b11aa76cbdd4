//! Quirks that take the place of an answer, or are about its connection; and where the others begin.

use super::call::{Reply, hang_up, json, reply};
use super::engine::{Engine, millis};
use super::quirk::{Play, Quirk, Wire};
use super::quirk_events;
use super::stream::Answering;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use serde_json::{Value, json as object};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use tokio::sync::Notify;

/// What an engine says that fails.
const FAILED: &str = "the stand-in imitates a failing engine";

/// What becomes of a request.
pub(super) enum Entered {
    /// It is answered: with these quirks, as if this were its body.
    Answered(Option<Play>, Bytes),
    /// A quirk takes the place of an answer.
    Replied(Reply),
}

/// Decides a request's quirks.
pub(super) async fn enter(engine: &Arc<Engine>, method: &Method, path: &str, body: Bytes) -> Entered {
    let quirks = &engine.spec.quirks;
    let plain = |body| Entered::Answered(None, body);
    if matches!(path, "/v1/responses" | "/v1/messages") && !quirks.names.is_empty() {
        let message = format!("no quirk on {path}");
        return Entered::Replied(error(Wire::OpenAiChat, StatusCode::NOT_IMPLEMENTED, &message));
    }
    let Some(wire) = Wire::of(path).filter(|_| !quirks.names.is_empty() && *method == Method::POST) else {
        return plain(body);
    };
    // What can't be read is the wire's to refuse.
    let Ok(mut asked) = serde_json::from_slice::<Value>(&body) else { return plain(body) };
    let stream = wire.streams(&asked);
    if let Some(misfit) = quirks.misfit(wire, stream) {
        return Entered::Replied(error(wire, StatusCode::NOT_IMPLEMENTED, &misfit));
    }
    let Some(play) = Play::of(&engine.spec.quirks, engine.asked_oddly.fetch_add(1, Relaxed), wire) else {
        return plain(body);
    };
    if let Some(reply) = instead(engine, play).await {
        return Entered::Replied(reply);
    }
    let mut body = body;
    if play.has(Quirk::JsonForStream) {
        asked["stream"] = Value::Bool(false);
        body = asked.to_string().into();
    }
    Entered::Answered(Some(play), body)
}

/// The wire's own form of an error.
fn error(wire: Wire, status: StatusCode, message: &str) -> Reply {
    let inside = object!({ "code": status.as_u16(), "message": message, "type": "server_error" });
    let body = if wire.is_openai() { object!({ "error": inside }) } else { object!({ "error": message }) };
    json(status, body.to_string())
}

/// The reply of a quirk that takes the place of an answer.
async fn instead(engine: &Engine, play: Play) -> Option<Reply> {
    let events = |text: String| reply(StatusCode::OK, "text/event-stream", Answering::Whole(text.into()));
    let failed = |body: Value| json(StatusCode::INTERNAL_SERVER_ERROR, body.to_string());
    if play.has(Quirk::ErrorThenDone) {
        let told = object!({ "object": "error", "message": FAILED, "type": "server_error", "code": 500 });
        return Some(events(format!("data: {told}\n\ndata: [DONE]\n\n")));
    }
    if play.has(Quirk::EventError) {
        return Some(events(format!("event: error\ndata: {}\n\n", object!({ "message": FAILED }))));
    }
    if play.has(Quirk::ErrorField) {
        return Some(events(format!("error: {}\n\n", object!({ "code": 500, "message": FAILED }))));
    }
    if play.has(Quirk::DoneOnly) {
        return Some(events("data: [DONE]\n\n".to_owned()));
    }
    if play.has(Quirk::ErrorString) {
        return Some(failed(object!({ "error": FAILED })));
    }
    if play.has(Quirk::ErrorDetail) {
        return Some(failed(object!({ "detail": FAILED })));
    }
    if play.has(Quirk::ErrorHtml) {
        let page = format!(
            "<!DOCTYPE html>\n<html><head><title>Internal Server Error</title></head>\n<body><h1>Internal Server Error</h1>\
             <p>{FAILED}</p></body></html>\n"
        );
        let body = Answering::Whole(page.into());
        return Some(reply(StatusCode::INTERNAL_SERVER_ERROR, "text/html; charset=utf-8", body));
    }
    if play.has(Quirk::Reject429) {
        let mut told = error(play.wire, StatusCode::TOO_MANY_REQUESTS, "too many requests, says the stand-in");
        told.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return Some(told);
    }
    if play.has(Quirk::Reject503) {
        return Some(error(play.wire, StatusCode::SERVICE_UNAVAILABLE, "no room, says the stand-in"));
    }
    if play.has(Quirk::CloseAfter) {
        engine.timer.until(engine.clock.now() + millis(play.ms)).await;
        return Some(hang_up());
    }
    None
}

/// Marks a reply after which its connection is closed.
#[derive(Clone)]
pub(super) struct Leaves;

/// Plays what is left to play on a reply; a stream plays its own.
pub(super) fn leave(play: Play, mut told: Reply) -> Reply {
    if told.status() == StatusCode::OK
        && let Answering::Whole(bytes) = told.body_mut()
    {
        *bytes = quirk_events::whole(play, bytes);
    }
    if play.has(Quirk::NoKeepAliveThoughPromised) {
        told.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        told.extensions_mut().insert(Leaves);
    }
    told
}

/// A body that says when it is over.
pub(super) struct Served {
    inner: Answering,
    over: Option<Arc<Notify>>,
}

impl Served {
    /// The reply's body; `over` is told where the reply is marked.
    pub(super) fn reply(told: Reply, over: &Arc<Notify>) -> hyper::Response<Self> {
        let over = told.extensions().get::<Leaves>().map(|_| over.clone());
        told.map(|inner| Self { inner, over })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(over) = &self.over {
            over.notify_one();
        }
    }
}

impl Body for Served {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
