//! How one request is spoken: one wire a file. `socket` owns the stamps, `tls` what is encrypted, `transport` HTTP; the wires
//! only write bodies and read answers, and [`Target::exchange`] makes one request's story of it. No wire reads a clock.

mod answer;
mod body;
pub mod discover;
mod exposition;
mod framing;
mod gg_core;
pub mod gguf;
mod json;
mod keep;
mod lenient;
mod messages;
mod ollama;
mod openai;
mod openai_fields;
mod reading;
mod render;
mod responses;
mod route;
pub mod scrape;
mod socket;
mod template;
mod thought;
mod tls;
mod transport;
mod words;

pub use answer::Answer;

use crate::host::is_own_limit;
use crate::record::{Nanos, OWN_LIMIT, Opened, Outcome, Stopwatch, chain};
use crate::scenario::plan::{Endpoint, Plan, TargetPlan};
use crate::scenario::{TIMEOUT_MOST, TargetSpec};
use crate::workload::{Item, Nonce, NonceForm, Workload};
use body::{Body, Framing};
use bytes::Bytes;
use keep::Keeping;
use render::{Bodies, RequestSettings, RequestText, keep_limit};
pub use route::ignores_eos;
use route::{route, settings_for};
use socket::Marks;
use std::future::Future;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tls::Tls;
use transport::{HttpConnection, HttpRoute};

/// Longest that a connection may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A named engine under test, ready to be asked.
#[derive(Debug)]
pub struct Target {
    endpoint: Endpoint,
    spec: TargetSpec,
    model: String,
    settings: RequestSettings,
    route: Option<HttpRoute>,
    /// How its connections are encrypted; `None` for plain ones.
    tls: Option<Tls>,
    bodies: Bodies,
    workload: Arc<Workload>,
    clock: Stopwatch,
    /// The deadline that a body tells its engine: of one that is still to be found, the most that it can be.
    timeout_ms: u64,
    numbers: AtomicU64,
    /// Whether connections are kept.
    keeping: Keeping,
    kicker: OnceLock<gg_core::Kicker>,
    /// The longest that an answer may take, in milliseconds.
    longest_ms: AtomicU64,
    /// Until one handshake has come through they go one at a time, so that many users don't try a wrong token together.
    door: tokio::sync::Mutex<()>,
    /// Whether one has.
    welcome: AtomicBool,
}

/// One user's connection to a target, opened when needed and kept.
#[derive(Default)]
pub struct Link {
    connected: Option<Connected>,
    body: Body,
    /// Why it has no connection, or can't use the one it had; `None` while it never had one.
    lost: Option<Opened>,
    /// Whether its last request failed.
    failed: bool,
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
    /// Times it was sent again because a kept connection was dead when it was written.
    pub retries: u32,
    /// The time that the new connection took over which it was sent again: it is in none of the stamps.
    pub connect: Option<Nanos>,
}

/// Why no connection could be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoConnection {
    /// What a request without it comes to: `connect`, or `unsent` where a limit of our own is why (open files, ports), or
    /// `timeout` where the engine is there and too busy to take it, or `unfinished` where the run was over.
    pub outcome: Outcome,
    /// In words.
    pub why: String,
}

/// A request's first sending, where it was sent again.
#[derive(Default)]
struct Again {
    /// Times it was sent again.
    times: u32,
    /// When it was sent first: its time counts from there, so that none is hidden; later by what the new connection took, which
    /// is no more a part of it than another connection's.
    first_sent: Option<Nanos>,
    /// What the new connection took.
    connect: Option<Nanos>,
}

/// What is asked: a turn of an item, with its nonce and, where used, the engine's own earlier answers.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Position of the item.
    pub item: usize,
    /// Turn, from 0.
    pub turn: usize,
    /// Its nonces: at the start of the system message, or of the prompt where there is none, and behind a shared prefix.
    pub nonce: Option<Nonce>,
    /// The engine's own answers to the turns before.
    pub history: Option<&'a [String]>,
}

/// Why an exchange broke off.
enum Break {
    /// Nothing of the answer was read.
    Unanswered(String),
    /// It couldn't be sent, for a reason of ours.
    Ours(String),
    /// Some of it was.
    Midway(String),
}

/// A time in whole milliseconds.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What a target's wire can't do of a plan, in a sentence; `None` if it can do all of it.
pub fn cannot(plan: &Plan, target: &TargetPlan, workload: &Workload) -> Option<String> {
    let TargetSpec::GgCore(spec) = &target.spec else { return None };
    gg_core::refusal(spec, plan, &settings_for(plan, target), workload.items())
}

impl Target {
    /// Makes a target ready: renders the bodies. The error is a sentence.
    pub fn new(plan: &Plan, target: &TargetPlan, workload: Arc<Workload>, clock: Stopwatch) -> Result<Self, String> {
        let settings = settings_for(plan, target);
        let route = route(target, &settings)?;
        let mut ready = Self {
            endpoint: target.endpoint.clone(),
            spec: target.spec.clone(),
            model: target.model.clone(),
            settings,
            route,
            tls: Tls::of(&target.endpoint, &target.spec)?,
            bodies: Bodies::default(),
            workload: workload.clone(),
            clock,
            timeout_ms: millis(if plan.timeout_auto { TIMEOUT_MOST } else { plan.timeout.0 }),
            numbers: AtomicU64::new(1),
            keeping: Keeping::default(),
            kicker: OnceLock::new(),
            longest_ms: AtomicU64::new(millis(plan.timeout.0)),
            door: tokio::sync::Mutex::default(),
            welcome: AtomicBool::new(false),
        };
        let bust = plan.workload.prompt_cache == crate::scenario::PromptCache::Bust;
        let bust = bust.then(|| NonceForm::of(&plan.workload));
        let (system, limit) = (plan.workload.system.as_ref().map_or(0, String::len), keep_limit(plan.targets.len()));
        ready.bodies = Bodies::prepare(workload.items(), system, limit, bust, |item, turn, nonce| {
            ready.render(item, turn, None, nonce)
        });
        Ok(ready)
    }

    /// Sets how long an answer may take, once that is found.
    pub fn allow(&self, timeout: Duration) {
        self.longest_ms.store(millis(timeout), Relaxed);
    }

    /// The longest that an answer may take.
    fn longest(&self) -> Duration {
        Duration::from_millis(self.longest_ms.load(Relaxed))
    }

    /// Whether its requests hold a schema: one that leaves no answer but a label, or the scenario's own.
    pub fn asks_for_a_schema(&self) -> bool {
        // Of a wire that takes none, the settings hold none.
        self.settings.constrain == crate::scenario::Constrain::Schema || self.settings.schema.is_some()
    }

    /// The bytes of a request's body.
    pub fn body(&self, ask: &Ask<'_>) -> Bytes {
        if ask.history.is_none()
            && let Some(body) = self.bodies.get(ask.item, ask.turn, ask.nonce)
        {
            return body;
        }
        let item = &self.workload.items()[ask.item];
        self.render(item, ask.turn, ask.history, ask.nonce).into()
    }

    fn render(&self, item: &Item, turn: usize, history: Option<&[String]>, nonce: Option<Nonce>) -> Vec<u8> {
        let (settings, model) = (&self.settings, self.model.as_str());
        let asked = RequestText::new(settings, item, turn, history, nonce);
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
        let now = self.clock.now();
        if matches!(&link.connected, Some(Connected::Http(kept)) if kept.used()) && !self.keeping.keeps(now) {
            (link.connected, link.lost) = (None, Some(Opened::NotKept));
            return false;
        }
        match (&mut link.connected, &self.spec) {
            (Some(Connected::Http(connection)), _) => match connection.usable(now).await {
                Ok(()) => true,
                Err(why) => {
                    link.lost = Some(link.blamed(why));
                    false
                }
            },
            (Some(Connected::GgCore(connection)), TargetSpec::GgCore(spec)) => {
                let usable = connection.usable(spec, now, self.longest()).await.unwrap_or_else(|error| {
                    gg_core::note_refusal(&self.endpoint, spec.token.expose(), &error);
                    false
                });
                if !usable {
                    link.lost = Some(link.blamed(Opened::Closed));
                }
                usable
            }
            _ => false,
        }
    }

    /// Opens a connection; outside every timed region. Gives the time it took, handshake included.
    pub async fn connect(&self, link: &mut Link) -> Result<Nanos, NoConnection> {
        let start = self.clock.now();
        link.connected = None;
        let connected = match &self.spec {
            TargetSpec::GgCore(spec) => {
                // One that is lost may be so since the server was started anew, with another token.
                let known = self.welcome.load(Relaxed) && link.lost.is_none();
                let _one = if known { None } else { Some(self.door.lock().await) };
                let token = spec.token.expose();
                if let Some(why) = gg_core::is_refused(&self.endpoint, token) {
                    let why = format!("{why}; not retried, because that would lock out every client");
                    return Err(NoConnection { outcome: Outcome::Connect, why });
                }
                let opened = gg_core::GgConnection::open(&self.endpoint, token, self.clock, self.longest()).await;
                self.welcome.store(opened.is_ok(), Relaxed);
                opened.inspect_err(|error| gg_core::note_refusal(&self.endpoint, token, error)).map(Connected::GgCore)
            }
            _ => HttpConnection::open(&self.endpoint, self.tls.as_ref(), self.clock).await.map(Connected::Http),
        };
        link.connected = Some(connected.map_err(|error| {
            let (outcome, whose) = match error.kind() {
                _ if is_own_limit(&error) => (Outcome::Unsent, OWN_LIMIT),
                // It is there, and at work.
                ErrorKind::ResourceBusy => (Outcome::Timeout, ""),
                _ => (Outcome::Connect, ""),
            };
            NoConnection { outcome, why: format!("{whose}no connection to {}: {}", self.endpoint, chain(&error)) }
        })?);
        Ok(self.clock.now().since(start))
    }

    /// Whether the engine refused our handshake: it isn't asked for another.
    pub fn refused(&self) -> bool {
        let TargetSpec::GgCore(spec) = &self.spec else { return false };
        gg_core::is_refused(&self.endpoint, spec.token.expose()).is_some()
    }

    /// Longest that a connection is waited for.
    pub fn connect_limit(&self) -> Duration {
        match &self.spec {
            TargetSpec::GgCore(_) => gg_core::CONNECT_LIMIT + gg_core::patience(self.longest()) * 2,
            _ => CONNECT_LIMIT,
        }
    }

    /// Whether connections have to be open before the load: a server that is at work reads no new one.
    pub fn opens_ahead(&self) -> bool {
        matches!(self.spec, TargetSpec::GgCore(_))
    }

    /// Sends one request over a connected link, and follows its answer to the end, or until `cut` ends.
    pub async fn exchange(&self, link: &mut Link, body: Bytes, cut: impl Future<Output = ()>) -> Exchange {
        let mut answer = Answer::default();
        let mut again = Again::default();
        let stopped = {
            let mut story = std::pin::pin!(self.story(link, body, &mut answer, &mut again));
            tokio::select! {
                // The limit is looked at first: a story that never has to wait must not outrun it.
                biased;
                () = cut => Err(None),
                told = &mut story => told.map_err(Some),
            }
        };
        let now = self.clock.now();
        let (sent, first_byte) = link.marks().map_or((None, None), |m| (m.last_write(), m.first_read()));
        let sent = again.first_sent.or(sent);
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
            Err(Some(Break::Ours(error))) => {
                answer.error = Some(error);
                Outcome::Unsent
            }
            Err(Some(Break::Midway(error))) if !answer.over() => {
                answer.fail(format!("the answer was cut off: {error}"));
                Outcome::Truncated
            }
            _ => outcome_of(&mut answer),
        };
        link.settle(read_to_the_end, now);
        link.failed = !outcome.answered();
        let end = if outcome == Outcome::Ok { answer.done.unwrap_or(now) } else { now };
        Exchange { sent, first_byte, end, outcome, answer, retries: again.times, connect: again.connect }
    }

    /// Sends and reads; once more on a fresh connection if a kept one was dead when the request was written. What the engine
    /// had for any longer is its failure.
    async fn story(&self, link: &mut Link, body: Bytes, answer: &mut Answer, again: &mut Again) -> Result<(), Break> {
        let kept = matches!(&link.connected, Some(Connected::Http(connection)) if connection.used());
        let begun = if kept { self.clock.now() } else { Nanos::default() };
        if kept {
            self.keeping.used();
        }
        let told = self.attempt(link, body.clone(), answer).await;
        let Err(Break::Unanswered(_)) = &told else { return told };
        let (written, now) = (link.marks().and_then(Marks::last_write), self.clock.now());
        let reset = matches!(&link.connected, Some(Connected::Http(connection)) if connection.was_reset());
        if !kept || !keep::was_dead(written, now, reset) {
            return told;
        }
        self.keeping.died(now);
        // Rare, and large: the usual request carries no room for it.
        Box::pin(self.once_more(link, body, answer, again, written.unwrap_or(begun))).await
    }

    /// Sends a request again that was sent first at `first`, over a new connection.
    async fn once_more(
        &self,
        link: &mut Link,
        body: Bytes,
        answer: &mut Answer,
        again: &mut Again,
        first: Nanos,
    ) -> Result<(), Break> {
        again.first_sent = Some(first);
        link.lost = Some(link.blamed(Opened::Closed));
        let took = self.connect(link).await.map_err(|no| match no.outcome {
            Outcome::Unsent => Break::Ours(no.why),
            _ => Break::Unanswered(no.why),
        })?;
        (again.first_sent, again.connect) = (Some(first + took), Some(took));
        again.times += 1;
        self.attempt(link, body, answer).await
    }

    async fn attempt(&self, link: &mut Link, body: Bytes, answer: &mut Answer) -> Result<(), Break> {
        let Link { connected, body: read, .. } = link;
        match connected {
            None => Err(Break::Unanswered("no connection".into())),
            Some(Connected::GgCore(connection)) => {
                let number = self.numbers.fetch_add(1, Relaxed);
                let start = || gg_core::Kicker::start(self.endpoint.clone(), self.clock);
                let kicker = self.settings.stream.then(|| self.kicker.get_or_init(start));
                let told = Box::pin(connection.ask(number, &body, kicker, answer)).await;
                told.map_err(|error| broken(connection.marks(), chain(&error)))
            }
            Some(Connected::Http(connection)) => {
                let Some(route) = &self.route else { return Err(Break::Unanswered("no route".into())) };
                let sent = connection.send(route, body).await;
                let mut head = sent.map_err(|error| broken(connection.marks(), error))?;
                (answer.status, answer.retry_after) = (Some(head.status), head.retry_after);
                let fine = (200..300).contains(&head.status);
                read.begin(if fine { self.framing() } else { Framing::Refusal });
                let told = self.read(connection, &mut head, read, answer).await;
                if !fine {
                    answer.rejected = matches!(head.status, 429 | 503);
                    answer.error = Some(words::told(read.whole()));
                } else if told.is_ok() {
                    self.ended(read, answer);
                }
                told
            }
        }
    }
}

impl Link {
    /// Whether it holds a connection, be it still alive or not.
    pub fn connected(&self) -> bool {
        self.connected.is_some()
    }

    /// Why a connection had to be opened.
    pub fn opened(&self) -> Opened {
        self.lost.unwrap_or(Opened::First)
    }

    /// Why a connection is lost that was found closed: an engine that closes it after a request that failed (one that ran into
    /// the limit we set for it, one that it refused) says nothing more by that.
    fn blamed(&self, why: Opened) -> Opened {
        if self.failed && why == Opened::Closed { Opened::Broken } else { why }
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
                (self.connected, self.lost) = (None, Some(Opened::Broken));
            }
            _ => (self.connected, self.lost) = (None, Some(Opened::Broken)),
        }
    }
}

/// How an answer that was read to its end turned out.
fn outcome_of(answer: &mut Answer) -> Outcome {
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
