//! How one request is spoken: one wire a file. `transport` owns sockets and stamps, the wires only write bodies and read
//! answers, and [`Target::exchange`] makes one request's story of it. No wire reads a clock.

mod answer;
mod body;
pub mod discover;
mod exposition;
mod framing;
mod gg_core;
mod json;
mod lenient;
mod ollama;
mod openai;
mod render;
mod route;
pub mod scrape;
mod thought;
mod transport;
mod words;

pub use answer::Answer;

use crate::record::{Nanos, Outcome, Remark, Stopwatch};
use crate::scenario::plan::{Endpoint, Plan, TargetPlan};
use crate::scenario::{JsonStream, TargetSpec};
use crate::workload::{Item, Workload};
use answer::TEXT_LIMIT;
use body::{Body, Framing, Part};
use bytes::Bytes;
use render::{Asked, Bodies, Settings};
use route::{route, settings_for};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use transport::{HttpConnection, HttpRoute, Marks};

/// Longest wait for the end of a body whose answer is over, and most bytes taken meanwhile: its connection can be kept.
const AFTER: (Duration, u64) = (Duration::from_millis(200), 1 << 20);

/// Deaths of kept connections after which none is kept any more.
const DIED_OFTEN: u64 = 2;

/// A named engine under test, ready to be asked.
#[derive(Debug)]
pub struct Target {
    endpoint: Endpoint,
    spec: TargetSpec,
    model: String,
    settings: Settings,
    route: Option<HttpRoute>,
    bodies: Bodies,
    workload: Arc<Workload>,
    clock: Stopwatch,
    timeout_ms: u64,
    numbers: AtomicU64,
    /// Kept connections that were found dead only when a request had gone out over them.
    died: AtomicU64,
    kicker: OnceLock<gg_core::Kicker>,
    /// A handshake that was refused: five within a minute lock every client out, so none is tried again.
    refused: OnceLock<String>,
    /// Handshakes go one at a time, so that many users don't try a wrong token together.
    door: tokio::sync::Mutex<()>,
}

/// One user's connection to a target, opened when needed and kept.
#[derive(Default)]
pub struct Link {
    connected: Option<Connected>,
    body: Body,
}

enum Connected {
    Http(HttpConnection),
    GgCore(gg_core::GgConnection),
}

/// One request's story: its stamps from sending on, how it ended, and the answer as far as it came.
#[derive(Debug)]
pub struct Exchange {
    /// Last byte of the request written.
    pub sent: Option<Nanos>,
    /// First byte of the answer read.
    pub first_byte: Option<Nanos>,
    /// The answer was complete, or its failure noticed.
    pub end: Nanos,
    /// How it ended.
    pub outcome: Outcome,
    /// The answer.
    pub answer: Answer,
    /// Times it was sent again because a kept connection had died.
    pub retries: u32,
}

/// What is asked: a turn of an item, with its nonce and, where used, the engine's own earlier answers.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Position of the item.
    pub item: usize,
    /// Turn, from 0.
    pub turn: usize,
    /// Nonce at the start of the prompt.
    pub nonce: Option<u32>,
    /// The engine's own answers to the turns before.
    pub history: Option<&'a [String]>,
    /// Another limit of output tokens than the plan's.
    pub max_tokens: Option<u32>,
}

/// Why an exchange broke off.
enum Break {
    /// Nothing of the answer was read.
    Unanswered(String),
    /// Some of it was.
    Midway(String),
}

impl Target {
    /// Makes a target ready: renders the bodies, and refuses what its wire can't do. The error is a sentence.
    pub fn new(plan: &Plan, target: &TargetPlan, workload: Arc<Workload>, clock: Stopwatch) -> Result<Self, String> {
        let settings = settings_for(plan, &target.spec);
        if let TargetSpec::GgCore(spec) = &target.spec
            && let Some(refusal) = gg_core::refusal(spec, &settings, plan.load.concurrency(), workload.items())
        {
            return Err(refusal);
        }
        let route = route(target, &settings)?;
        let mut ready = Self {
            endpoint: target.endpoint.clone(),
            spec: target.spec.clone(),
            model: target.model.clone(),
            settings,
            route,
            bodies: Bodies::default(),
            workload: workload.clone(),
            clock,
            timeout_ms: u64::try_from(plan.timeout.0.as_millis()).unwrap_or(u64::MAX),
            numbers: AtomicU64::new(1),
            died: AtomicU64::new(0),
            kicker: OnceLock::new(),
            refused: OnceLock::new(),
            door: tokio::sync::Mutex::default(),
        };
        let bust = plan.workload.prompt_cache == crate::scenario::PromptCache::Bust;
        ready.bodies = Bodies::prepare(workload.items(), bust, |item, turn, nonce| {
            ready.render(item, turn, None, nonce, ready.settings.sampling.max_tokens)
        });
        Ok(ready)
    }

    /// The bytes of a request's body.
    pub fn body(&self, ask: &Ask<'_>) -> Bytes {
        if ask.history.is_none()
            && ask.max_tokens.is_none()
            && let Some(body) = self.bodies.get(ask.item, ask.turn, ask.nonce)
        {
            return body;
        }
        let item = &self.workload.items()[ask.item];
        let max_tokens = ask.max_tokens.unwrap_or(self.settings.sampling.max_tokens);
        self.render(item, ask.turn, ask.history, ask.nonce, max_tokens).into()
    }

    fn render(
        &self,
        item: &Item,
        turn: usize,
        history: Option<&[String]>,
        nonce: Option<u32>,
        max_tokens: u32,
    ) -> Vec<u8> {
        let (settings, model) = (&self.settings, self.model.as_str());
        let asked = Asked::new(settings, item, turn, history, nonce, max_tokens);
        let body = match &self.spec {
            TargetSpec::Ollama(spec) => ollama::body(spec, model, settings, &asked),
            TargetSpec::OpenAi(spec) => openai::body(spec, model, settings, &asked),
            TargetSpec::Json(spec) => json::body(spec, settings, &asked),
            TargetSpec::GgCore(_) => return gg_core::body(model, settings, &asked, self.timeout_ms),
        };
        body.to_string().into_bytes()
    }

    /// Whether the link has a connection that can carry a request as it is.
    pub async fn usable(&self, link: &mut Link) -> bool {
        // llama.cpp's server closes after each stream though it promises to keep alive: such an engine gets a new
        // connection for each request, opened before the request is due.
        if self.died.load(Relaxed) >= DIED_OFTEN {
            link.connected = None;
        }
        let now = self.clock.now();
        match (&mut link.connected, &self.spec) {
            (Some(Connected::Http(connection)), _) => connection.usable(now).await,
            (Some(Connected::GgCore(connection)), TargetSpec::GgCore(spec)) => {
                connection.usable(spec, now).await.unwrap_or_else(|error| {
                    self.note_refusal(&error);
                    false
                })
            }
            _ => false,
        }
    }

    /// Opens a connection; outside every timed region. Gives the time it took, handshake included.
    pub async fn connect(&self, link: &mut Link) -> Result<Nanos, String> {
        let start = self.clock.now();
        link.connected = None;
        let connected = match &self.spec {
            TargetSpec::GgCore(spec) => {
                let _one = self.door.lock().await;
                if let Some(why) = self.refused.get() {
                    return Err(format!("{why}; not tried again, for that locks every client out"));
                }
                let opened = gg_core::GgConnection::open(&self.endpoint, spec.token.expose(), self.clock).await;
                opened.inspect_err(|error| self.note_refusal(error)).map(Connected::GgCore)
            }
            _ => HttpConnection::open(&self.endpoint, self.clock).await.map(Connected::Http),
        };
        link.connected = Some(connected.map_err(|error| format!("no connection to {}: {error}", self.endpoint))?);
        Ok(self.clock.now().since(start))
    }

    fn note_refusal(&self, error: &std::io::Error) {
        if error.kind() == std::io::ErrorKind::PermissionDenied && matches!(self.spec, TargetSpec::GgCore(_)) {
            let _ = self.refused.set(error.to_string());
        }
    }

    /// Sends one request over a connected link, and follows its answer to the end, or until `cut` ends.
    pub async fn exchange(&self, link: &mut Link, body: Bytes, cut: impl Future<Output = ()>) -> Exchange {
        let mut answer = Answer::default();
        let mut retries = 0;
        let stopped = {
            let story = self.story(link, body, &mut answer, &mut retries);
            tokio::select! {
                // The limit is looked at first: a story that never has to wait must not outrun it.
                biased;
                () = cut => Err(None),
                told = story => told.map_err(Some),
            }
        };
        let now = self.clock.now();
        let (sent, first_byte) = link.marks().map_or((None, None), |m| (m.last_write(), m.first_read()));
        let read_to_the_end = stopped.is_ok();
        let outcome = match stopped {
            Err(None) if !answer.over() => {
                let words = if first_byte.is_some() { "the answer was not complete" } else { "no reply" };
                answer.error = Some(format!("{words} within the time allowed"));
                Outcome::Timeout
            }
            Err(Some(Break::Unanswered(error))) => {
                answer.error = Some(error);
                Outcome::Connect
            }
            Err(Some(Break::Midway(error))) if !answer.over() => {
                answer.fail(format!("the answer broke off: {error}"));
                Outcome::Truncated
            }
            _ => settled(&mut answer),
        };
        link.settle(read_to_the_end, now);
        let end = if outcome == Outcome::Ok { answer.done.unwrap_or(now) } else { now };
        Exchange { sent, first_byte, end, outcome, answer, retries }
    }

    /// Sends and reads; once more on a fresh connection if a kept one had died unnoticed.
    async fn story(&self, link: &mut Link, body: Bytes, answer: &mut Answer, retries: &mut u32) -> Result<(), Break> {
        let reused = matches!(&link.connected, Some(Connected::Http(connection)) if connection.used());
        match self.attempt(link, body.clone(), answer).await {
            Err(Break::Unanswered(_)) if reused => {
                self.died.fetch_add(1, Relaxed);
                self.connect(link).await.map_err(Break::Unanswered)?;
                *retries += 1;
                self.attempt(link, body, answer).await
            }
            other => other,
        }
    }

    async fn attempt(&self, link: &mut Link, body: Bytes, answer: &mut Answer) -> Result<(), Break> {
        let Link { connected, body: read } = link;
        match connected {
            None => Err(Break::Unanswered("no connection".into())),
            Some(Connected::GgCore(connection)) => {
                let number = self.numbers.fetch_add(1, Relaxed);
                let start = || gg_core::Kicker::start(self.endpoint.clone(), self.model.clone(), self.clock);
                let kicker = self.settings.stream.then(|| self.kicker.get_or_init(start));
                let told = connection.ask(number, &body, kicker, answer).await;
                told.map_err(|error| broken(connection.marks(), error.to_string()))
            }
            Some(Connected::Http(connection)) => {
                let Some(route) = &self.route else { return Err(Break::Unanswered("no route".into())) };
                let sent = connection.send(route, body).await;
                let mut head = sent.map_err(|error| broken(connection.marks(), error))?;
                answer.status = Some(head.status);
                let fine = (200..300).contains(&head.status);
                read.begin(if fine { self.framing() } else { Framing::Refusal });
                let told = self.read(connection, &mut head, read, answer).await;
                if !fine {
                    answer.rejected = head.status == 503;
                    answer.error = Some(words::told(read.whole()));
                } else if told.is_ok() {
                    self.ended(read, answer);
                }
                told
            }
        }
    }

    /// Reads a body to its end, or to where it is given up.
    async fn read(
        &self,
        connection: &mut HttpConnection,
        head: &mut transport::Head,
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
                    let late = |_| Err("the answer was over, and its body went on".to_owned());
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
                    return Err(Break::Midway("the answer was over, and its body went on".to_owned()));
                }
                _ => {}
            }
        }
    }

    /// The body came to its proper end.
    fn ended(&self, read: &mut Body, answer: &mut Answer) {
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
    fn framing(&self) -> Framing {
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
            TargetSpec::OpenAi(_) => openai::take(answer, data, stamp, streamed),
            TargetSpec::Json(spec) => json::take(spec, answer, data, stamp, streamed),
            TargetSpec::GgCore(_) => {}
        }
        if !streamed && self.framing() != Framing::Whole && answer.done.is_some() && answer.error.is_none() {
            answer.remark(Remark::NoStream);
        }
    }
}

impl Link {
    /// Whether it holds a connection, be it still alive or not.
    pub fn connected(&self) -> bool {
        self.connected.is_some()
    }

    fn marks(&self) -> Option<&Marks> {
        match self.connected.as_ref()? {
            Connected::Http(connection) => Some(connection.marks()),
            Connected::GgCore(connection) => Some(connection.marks()),
        }
    }

    /// Keeps the connection if the answer left it clean, else drops it.
    fn settle(&mut self, clean: bool, now: Nanos) {
        match &mut self.connected {
            Some(Connected::Http(connection)) if clean => connection.rest(now),
            // GG-CORE's own rules say which errors close: the connection knows.
            Some(Connected::GgCore(_)) if clean => {}
            Some(Connected::GgCore(connection)) => {
                connection.close();
                self.connected = None;
            }
            _ => self.connected = None,
        }
    }
}

/// How an answer that was read to its end turned out.
fn settled(answer: &mut Answer) -> Outcome {
    answer.close();
    match (answer.status, &answer.error) {
        (_, Some(_)) if answer.rejected => Outcome::Rejected,
        (Some(status), Some(_)) if !(200..300).contains(&status) => Outcome::HttpStatus,
        (_, Some(_)) => Outcome::ErrorFrame,
        (_, None) if answer.done.is_none() => {
            let words = answer.lacks.take();
            answer.fail(words.unwrap_or_else(|| "the answer ended without its end marker".to_owned()));
            Outcome::Truncated
        }
        _ => Outcome::Ok,
    }
}

fn broken(marks: &Marks, error: String) -> Break {
    if marks.first_read().is_none() { Break::Unanswered(error) } else { Break::Midway(error) }
}
