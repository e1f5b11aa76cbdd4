//! What a user does with a unit: connects, asks each turn, and records what came of it.

use super::lane::{Lane, User};
use crate::record::answers::{ANSWERS_KEPT, Answer};
use crate::record::log::Vector;
use crate::record::{Nanos, Outcome, Phase, PrefixUse, Sample};
use crate::scenario::plan::LoadPlan;
use crate::scenario::{History, KeepAnswers};
use crate::target::{Ask, Exchange, NoConnection};
use crate::workload::Unit;
use bytes::Bytes;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// What a row says that wasn't waited for.
const NOT_WAITED_FOR: &str = "unfinished: the run ended before the answer was complete";

/// Why a request has no connection that needed a new one when the run ended.
const RUN_OVER: &str = "unfinished: the run ended before a connection was open";

/// One turn of a unit in a phase.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub phase: Phase,
    pub unit: &'a Unit,
    pub turn: usize,
}

/// A request that could leave at once: its body is written, and its connection stands or is known not to.
pub(super) struct Ready {
    pub body: Bytes,
    /// The time that a new connection took, if one was opened, or why there is none.
    pub connected: Result<Option<Nanos>, NoConnection>,
}

/// A request, and when it was due. What isn't given is the instant of sending.
pub(super) struct Due {
    pub ready: Ready,
    pub planned: Option<Nanos>,
    pub dispatched: Option<Nanos>,
}

/// How an exchange went: its instants by the driver, and its story, or why there was none.
pub(super) struct Attempt {
    pub planned: Nanos,
    pub dispatched: Nanos,
    pub connect: Option<Nanos>,
    pub story: Result<Exchange, (Nanos, NoConnection)>,
}

impl Lane {
    /// Asks every turn of a unit. The first may be due already, in an open loop.
    pub async fn ask_unit(&self, user: &mut User, phase: Phase, unit: &Unit, mut first: Option<Due>) {
        let all = &self.setup.workload.items()[unit.item].turns;
        let turns = all.len();
        let own = self.setup.plan.workload.history == History::Own;
        let open = matches!(self.setup.plan.load, LoadPlan::Open(_));
        // In an open loop the user of a conversation is ready for its next turn when the answer has come.
        let mut ready_at = None;
        user.own.clear();
        for turn in 0..turns {
            if turn > 0 && self.over() {
                return;
            }
            let request = Request { phase, unit, turn };
            let due = match first.take() {
                Some(due) => due,
                None => Due { ready: self.ready(user, request).await, planned: ready_at, dispatched: None },
            };
            let (outcome, text) = self.ask(user, request, due).await;
            // Without its answer there is no history to go on with.
            let ends = own && !outcome.answered();
            if open && (ends || turn + 1 == turns) {
                return;
            }
            self.pause(user, all.get(turn + 1).and_then(|next| next.think)).await;
            if ends {
                return;
            }
            if own {
                user.own.push(text);
            }
            ready_at = open.then(|| self.now());
        }
    }

    /// The first request to this target: its model may have to be loaded. Kept apart from every distribution. With it comes how
    /// long the engine asked to be left alone.
    pub async fn ask_cold(&self, attempt: u64) -> (Sample, Option<Duration>) {
        let unit = self.setup.workload.unit(Phase::Cold, attempt);
        let mut user = self.user();
        let request = Request { phase: Phase::Cold, unit: &unit, turn: 0 };
        let due = Due { ready: self.ready(&mut user, request).await, planned: None, dispatched: None };
        let sample = self.exchange(&mut user, request, due).await.0;
        self.setup.recorder.push(sample.clone());
        (sample, user.retry_after)
    }

    /// Asks one turn, and records it.
    pub async fn ask(&self, user: &mut User, request: Request<'_>, due: Due) -> (Outcome, String) {
        let in_flight = self.setup.stop.leaves();
        let (sample, text, vector) = self.exchange(user, request, due).await;
        drop(in_flight);
        let outcome = sample.outcome;
        let measured = request.phase == Phase::Measure;
        if let Some(numbers) = vector
            && measured
            && !self.side.seen[request.unit.item].swap(true, Relaxed)
        {
            let vector = Vector { target: self.side.number, item: request.unit.item, index: sample.index, numbers };
            self.setup.recorder.push_vector(vector);
        }
        self.keep_answer(request, &sample, &text);
        if let Some(end) = sample.stamps.end.filter(|_| measured) {
            self.ended(end, outcome.answered());
        }
        if request.phase == Phase::Warmup {
            self.warmed(user);
        }
        self.note(&sample);
        self.setup.recorder.push(sample);
        (outcome, text)
    }

    /// Has an answer kept for people to look at, if the scenario wants it.
    fn keep_answer(&self, request: Request<'_>, sample: &Sample, text: &str) {
        let plan = &self.setup.plan;
        let wanted = sample.index < ANSWERS_KEPT || plan.keep_answers == KeepAnswers::All;
        if plan.keeps_answers() && wanted && request.phase == Phase::Measure && sample.outcome.answered() {
            let prompt = self.setup.workload.shown(request.unit.item, request.turn).to_owned();
            let text = text.to_owned();
            self.setup.recorder.push_answer(Answer { target: sample.target, index: sample.index, prompt, text });
        }
    }

    /// Writes a request's body, and sees to its connection.
    pub async fn ready(&self, user: &mut User, request: Request<'_>) -> Ready {
        let history = (!user.own.is_empty()).then_some(user.own.as_slice());
        let Request { unit, turn, .. } = request;
        let ask = Ask { item: unit.item, turn, nonce: unit.nonce, history };
        let body = self.side.target.body(&ask);
        // The usual case has its connection: no timer is set for it, and it carries no room for what opening one needs.
        let connected = async {
            match self.side.target.usable(&mut user.link).await {
                true => Ok(None),
                false => Box::pin(self.connect(user)).await.map(Some),
            }
        };
        let connected = tokio::select! {
            biased;
            told = connected => told,
            () = self.setup.stop.aborted() => Err(no(Outcome::Unfinished, RUN_OVER.to_owned())),
        };
        Ready { body, connected }
    }

    /// Opens a user's connection, in time.
    pub async fn connect(&self, user: &mut User) -> Result<Nanos, NoConnection> {
        let limit = self.side.target.connect_limit();
        tokio::time::timeout(limit, self.side.target.connect(&mut user.link))
            .await
            .unwrap_or_else(|_| Err(no(Outcome::Connect, format!("no connection within {} s", limit.as_secs()))))
    }

    /// One request's life, as a sample.
    async fn exchange(&self, user: &mut User, request: Request<'_>, due: Due) -> (Sample, String, Option<Vec<f32>>) {
        let setup = &self.setup;
        let Due { ready: Ready { body, connected }, planned, dispatched } = due;
        let now = setup.clock.now();
        // Before it leaves: what comes back meanwhile to another user comes too late for this one.
        let found = self.prefix_leaves(request);
        let (connect, story) = match connected {
            Err(error) => (None, Err((now, error))),
            Ok(connect) => {
                let plan = &setup.plan;
                let limit = if request.phase == Phase::Cold { plan.load_timeout } else { plan.timeout };
                user.deadline.set(now + limit.0.into());
                let mut told = self.side.target.exchange(&mut user.link, body, user.deadline.passed()).await;
                user.deadline.clear();
                // Not the time allowed was over, but the run: how long it would have taken isn't known, and it didn't fail.
                if told.outcome == Outcome::Timeout && user.deadline.given_up() {
                    told.outcome = Outcome::Unfinished;
                    told.answer.error = Some(NOT_WAITED_FOR.to_owned());
                }
                (connect, Ok(told))
            }
        };
        // One that was opened on the way, since the kept one was dead, is in no time but its own, as one that was opened before.
        let again = story.as_ref().ok().and_then(|story| story.connect);
        let (now, connect) = (now + again.unwrap_or_default(), connect.or(again));
        let (planned, dispatched) = (planned.unwrap_or(now), dispatched.unwrap_or(now));
        let retry_after = story.as_ref().ok().and_then(|story| story.answer.retry_after);
        let (mut sample, text, vector) =
            self.sample(user.number, request, Attempt { planned, dispatched, connect, story });
        sample.prefix_use = found;
        self.prefix_ended(request, &sample);
        sample.opened = connect.map(|_| user.link.opened());
        user.note(&sample, retry_after);
        (sample, text, vector)
    }
}

impl Lane {
    /// The group whose prefix a request shares. The warm-up's prefixes are others, so that those of the measured part are new.
    pub(super) fn group(&self, Request { phase, unit, .. }: Request<'_>) -> Option<u32> {
        let asked = self.setup.plan.workload.tokens.as_ref();
        let shared = phase == Phase::Measure && asked.is_some_and(|tokens| tokens.prefix.is_some());
        self.setup.workload.items()[unit.item].group.filter(|_| shared)
    }

    /// Notes that a request leaves: what it is to its group.
    pub(super) fn prefix_leaves(&self, request: Request<'_>) -> Option<PrefixUse> {
        self.group(request).and_then(|group| self.side.prefixes.leaves(group))
    }

    /// Notes how a request has ended.
    pub(super) fn prefix_ended(&self, request: Request<'_>, sample: &Sample) {
        if let Some(group) = self.group(request) {
            let (answered, sent) = (sample.outcome.answered(), sample.stamps.sent.is_some());
            self.side.prefixes.ended(group, sample.prefix_use, answered, sent);
        }
    }
}

/// No connection, and what a request without it comes to.
fn no(outcome: Outcome, why: String) -> NoConnection {
    NoConnection { outcome, why }
}
