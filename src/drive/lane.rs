//! A lane is one target's stream of requests in a run; users take its next unit, ask, and record. The list is the same
//! for every lane, and units leave in its order, so that two targets differ in how far they got and in nothing else.

use super::stop::{Deadline, Stop};
use crate::record::log::{Recorder, Vector};
use crate::record::{Nanos, Outcome, Phase, Sample, Stamps, Stopwatch};
use crate::scenario::plan::{Plan, Until};
use crate::scenario::{History, PromptCache, Task};
use crate::target::{Ask, Exchange, Link, Target};
use crate::workload::{Unit, Workload, read_label, text_hash};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Longest a connection may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Pauses of a user after refusals in a row, of connections or by a full queue, doubling between the two: an engine that
/// is dead or full must not be hammered, and a million rows of refusals tell no more than a thousand.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// Longest wait for the first answer of a model that may have to be loaded.
const COLD_LIMIT: Duration = Duration::from_secs(600);

/// What lanes are made of.
#[derive(Clone)]
pub struct LaneSetup {
    /// What will happen.
    pub plan: Arc<Plan>,
    /// What is asked.
    pub workload: Arc<Workload>,
    /// Where finished requests go.
    pub recorder: Recorder,
    /// The run's clock.
    pub clock: Stopwatch,
    /// How the run is told to end.
    pub stop: Stop,
}

/// A measured window of a target: from its opening to its close, if that is fixed by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Window {
    /// Position of the target in the plan.
    pub target: usize,
    /// Number of the block; 0 where there is one.
    pub block: u32,
    /// When it opened.
    pub from: Nanos,
    /// When it closed; `None` if the last answer closes it.
    pub to: Option<Nanos>,
}

/// One target's stream of requests.
pub struct Lane {
    setup: LaneSetup,
    target: Arc<Target>,
    number: usize,
    block: u32,
    window: OnceLock<Window>,
    warmups: AtomicU64,
    measures: AtomicU64,
    users: AtomicU32,
    seen: Vec<AtomicBool>,
}

/// One user of the closed loop: a connection, and a number.
pub struct User {
    number: u32,
    link: Link,
    failures: u32,
    own: Vec<String>,
    #[cfg(feature = "goose")]
    left: bool,
    deadline: Arc<Deadline>,
}

impl User {
    fn new(number: u32, stop: &Stop) -> Self {
        Self {
            number,
            link: Link::default(),
            failures: 0,
            own: Vec::new(),
            #[cfg(feature = "goose")]
            left: false,
            deadline: stop.deadline(),
        }
    }

    /// Notes that this user has nothing left to do; whether it had said so before.
    #[cfg(feature = "goose")]
    pub(super) fn leave(&mut self) -> bool {
        std::mem::replace(&mut self.left, true)
    }
}

impl Lane {
    /// The lane of target `number`, driven in block `block`.
    pub fn new(setup: LaneSetup, target: Arc<Target>, number: usize, block: u32) -> Self {
        let seen = setup.workload.items().iter().map(|_| AtomicBool::new(false)).collect();
        Self {
            setup,
            target,
            number,
            block,
            window: OnceLock::new(),
            warmups: AtomicU64::new(0),
            measures: AtomicU64::new(0),
            users: AtomicU32::new(0),
            seen,
        }
    }

    /// The time on the run's clock.
    #[cfg(feature = "goose")]
    pub(super) fn now(&self) -> Nanos {
        self.setup.clock.now()
    }

    /// Position of the target in the plan.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The next user of this lane.
    pub fn user(&self) -> User {
        User::new(self.users.fetch_add(1, Relaxed), &self.setup.stop)
    }

    /// Opens the lane's clock at `start`: the warm-up runs from here, and the measured window after it.
    pub fn open(&self, start: Nanos) {
        let load = &self.setup.plan.load;
        let from = start + load.warmup().0.into();
        let to = match load.until() {
            Until::Duration(length) => Some(from + length.0.into()),
            Until::Requests(_) => None,
        };
        let _ = self.window.set(Window { target: self.number, block: self.block, from, to });
    }

    /// The measured window, once the lane is open.
    pub fn window(&self) -> Option<Window> {
        self.window.get().copied()
    }

    /// What leaves next; `None` when this lane is done.
    fn next(&self) -> Option<(Phase, u64)> {
        let window = self.window.get()?;
        if self.setup.stop.stopped() {
            return None;
        }
        let now = self.setup.clock.now();
        let every = self.setup.plan.workload.prompt_cache == PromptCache::Warm;
        let owed = if every { self.setup.workload.items().len() as u64 } else { 0 };
        if now < window.from || self.warmups.load(Relaxed) < owed {
            return Some((Phase::Warmup, self.warmups.fetch_add(1, Relaxed)));
        }
        if window.to.is_some_and(|to| now >= to) {
            return None;
        }
        let number = self.measures.fetch_add(1, Relaxed);
        match self.setup.plan.load.until() {
            Until::Requests(limit) if number >= limit => None,
            _ => Some((Phase::Measure, number)),
        }
    }

    /// One unit by one user, think time included. False when the lane is done.
    pub async fn step(&self, user: &mut User) -> bool {
        let Some((phase, number)) = self.next() else { return false };
        let unit = self.setup.workload.unit(phase, number);
        self.ask_unit(user, phase, &unit).await;
        true
    }

    /// Asks every turn of a unit.
    async fn ask_unit(&self, user: &mut User, phase: Phase, unit: &Unit) {
        let turns = self.setup.workload.items()[unit.item].turns.len();
        let own = self.setup.plan.workload.history == History::Own;
        user.own.clear();
        for turn in 0..turns {
            if turn > 0 && self.over() {
                return;
            }
            let (outcome, text) = self.ask(user, phase, unit, turn).await;
            if own {
                if !outcome.answered() {
                    return;
                }
                user.own.push(text);
            }
            let think = self.setup.plan.load.think().0;
            let pause = if user.failures > 0 { think.max(back_off(user.failures)) } else { think };
            if !pause.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.setup.stop.aborted() => {}
                }
            }
        }
    }

    /// Whether no more requests may leave, between the turns of a conversation.
    fn over(&self) -> bool {
        let past = self.window.get().and_then(|w| w.to).is_some_and(|to| self.setup.clock.now() >= to);
        past || self.setup.stop.stopped()
    }

    /// The first request to this target: its model may have to be loaded. Kept apart from every distribution.
    pub async fn ask_cold(&self, attempt: u64) -> (Outcome, Option<String>) {
        let unit = self.setup.workload.unit(Phase::Cold, attempt);
        let mut user = User::new(0, &self.setup.stop);
        let sample = self.exchange(&mut user, Phase::Cold, &unit, 0).await.0;
        let told = (sample.outcome, sample.error.clone());
        self.setup.recorder.push(sample);
        told
    }

    /// Asks one turn, and records it.
    async fn ask(&self, user: &mut User, phase: Phase, unit: &Unit, turn: usize) -> (Outcome, String) {
        let (sample, text, vector) = self.exchange(user, phase, unit, turn).await;
        let outcome = sample.outcome;
        let away = matches!(outcome, Outcome::Connect | Outcome::Rejected);
        user.failures = if away { user.failures + 1 } else { 0 };
        if let Some(numbers) = vector
            && phase == Phase::Measure
            && !self.seen[unit.item].swap(true, Relaxed)
        {
            let vector = Vector { target: self.number, item: unit.item, index: sample.index, numbers };
            self.setup.recorder.push_vector(vector);
        }
        self.setup.recorder.push(sample);
        (outcome, text)
    }

    /// One request's life, as a sample.
    async fn exchange(
        &self,
        user: &mut User,
        phase: Phase,
        unit: &Unit,
        turn: usize,
    ) -> (Sample, String, Option<Vec<f32>>) {
        let setup = &self.setup;
        let history = (!user.own.is_empty()).then_some(user.own.as_slice());
        let ask = Ask { item: unit.item, turn, nonce: unit.nonce, history, max_tokens: None };
        let body = self.target.body(&ask);
        // The usual case has its connection: no timer is set for it.
        let connected = if self.target.usable(&mut user.link).await {
            Ok(None)
        } else {
            tokio::select! {
                biased;
                told = tokio::time::timeout(CONNECT_LIMIT, self.target.connect(&mut user.link)) => told
                    .unwrap_or_else(|_| Err(format!("no connection within {} s", CONNECT_LIMIT.as_secs())))
                    .map(Some),
                () = setup.stop.aborted() => Err("the run ended before a connection was open".to_owned()),
            }
        };
        let planned = setup.clock.now();
        let (connect, told) = match connected {
            Err(error) => (None, Err(error)),
            Ok(connect) => {
                let limit =
                    if phase == Phase::Cold { setup.plan.timeout.0.max(COLD_LIMIT) } else { setup.plan.timeout.0 };
                user.deadline.set(planned + limit.into());
                let told = self.target.exchange(&mut user.link, body, user.deadline.passed()).await;
                user.deadline.clear();
                (connect, Ok(told))
            }
        };
        self.sample(user.number, phase, unit, turn, planned, connect, told)
    }

    /// Puts together what is known of a request.
    #[allow(clippy::too_many_arguments)] // Each is a column of the row, and nothing else holds them together.
    fn sample(
        &self,
        user: u32,
        phase: Phase,
        unit: &Unit,
        turn: usize,
        planned: Nanos,
        connect: Option<Nanos>,
        told: Result<Exchange, String>,
    ) -> (Sample, String, Option<Vec<f32>>) {
        let plan = &self.setup.plan;
        let chat = plan.task == Task::Chat;
        let mut sample = Sample {
            target: self.number,
            phase,
            block: self.block,
            lane: self.number as u32,
            user,
            index: unit.first_index + turn as u64,
            conversation: chat.then_some(unit.number),
            turn: chat.then_some(turn as u32 + 1),
            stamps: Stamps { planned, end: Some(planned), ..Stamps::default() },
            outcome: Outcome::Connect,
            http_status: None,
            finish: None,
            prompt_tokens: None,
            cached_tokens: None,
            output_tokens: None,
            chunks: 0,
            expected_label: self.setup.workload.items()[unit.item].label,
            label: None,
            server_total: None,
            server_load: None,
            server_prompt: None,
            server_output: None,
            request_hash: self.setup.workload.request_hash(unit, turn),
            text_hash: None,
            error: None,
            item: unit.item,
            gap_max: None,
            dimensions: None,
            connect,
            retries: 0,
        };
        let Exchange { sent, first_byte, end, outcome, answer, retries } = match told {
            Ok(told) => told,
            Err(error) => {
                sample.error = Some(error);
                return (sample, String::new(), None);
            }
        };
        sample.stamps = Stamps {
            planned,
            dispatched: Some(planned),
            sent,
            first_byte,
            first_token: answer.first_token,
            last_token: answer.last_token,
            end: Some(end),
        };
        sample.outcome = outcome;
        sample.http_status = answer.status;
        sample.finish = answer.finish;
        sample.prompt_tokens = answer.prompt_tokens;
        sample.cached_tokens = answer.cached_tokens;
        sample.output_tokens = answer.output_tokens;
        sample.chunks = answer.chunks;
        sample.server_total = answer.server_total;
        sample.server_load = answer.server_load;
        sample.server_prompt = answer.server_prompt;
        sample.server_output = answer.server_output;
        sample.gap_max = answer.gap_max;
        sample.error = answer.error;
        sample.retries = retries;
        if let Some(vector) = &answer.vector {
            sample.dimensions = u32::try_from(vector.len()).ok();
            sample.text_hash = Some(text_hash(&vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()));
        } else if !answer.text.is_empty() {
            sample.text_hash = Some(text_hash(answer.text.as_bytes()));
        }
        self.judge(&mut sample, &answer.text, answer.vector.is_some());
        (sample, answer.text, answer.vector)
    }

    /// What an answer that came through is worth to the task.
    fn judge(&self, sample: &mut Sample, text: &str, vector: bool) {
        if sample.outcome != Outcome::Ok {
            return;
        }
        match self.setup.plan.task {
            Task::Classify => {
                sample.label = read_label(text, &self.setup.plan.workload.labels);
                if sample.label.is_none() {
                    sample.outcome = Outcome::Unparsed;
                    let shown: String = text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
                    sample.error = Some(format!("no label in the answer: {shown}"));
                }
            }
            Task::Embed if !vector => {
                sample.outcome = Outcome::Unparsed;
                sample.error = Some("no vector in the answer".to_owned());
            }
            _ => {}
        }
    }
}

fn back_off(failures: u32) -> Duration {
    BACK_OFF[0].saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACK_OFF[1])
}
