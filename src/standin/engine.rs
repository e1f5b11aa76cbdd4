//! The engine behind all wires: its model, its slots, its clock. The wires ask (`admit`), get a `job`, and speak it.

use super::labels::Labels;
use super::leak::Leak;
use super::prefixes::Prefixes;
use super::spec::{EngineSpec, Jitter, Kind};
use super::store::Store;
use super::timer::Timer;
use crate::record::{Nanos, Stopwatch};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) spec: EngineSpec,
    pub(super) clock: Stopwatch,
    pub(super) timer: Arc<Timer>,
    /// What Ollama's clients have uploaded and named.
    pub(super) store: Store,
    started: jiff::Timestamp,
    pub(super) labels: Labels,
    pub(super) slots: Arc<Semaphore>,
    pub(super) waiting: AtomicU32,
    /// When the model is or was loaded; 0 = it is not.
    ready_at: AtomicU64,
    /// When an idle model is unloaded.
    expires_at: AtomicU64,
    /// Whether nothing is drawn for a request.
    pub(super) plain: bool,
    pub(super) asked: Mutex<HashMap<u64, u32>>,
    pub(super) leak: Leak,
    pub(super) prefixes: Prefixes,
    ids: AtomicU64,
    /// Requests that quirks could be played on.
    pub(super) asked_oddly: AtomicU64,
}

impl Engine {
    /// Lets a listener's connections finish what they are at, for two seconds at most.
    pub(super) async fn let_finish<T: 'static>(&self, mut connections: JoinSet<T>) {
        let patience = self.timer.until(self.clock.now() + millis(2000.0));
        tokio::select! {
            () = patience => {}
            () = async { while connections.join_next().await.is_some() {} } => {}
        }
        connections.shutdown().await;
    }

    pub(super) fn new(spec: EngineSpec) -> anyhow::Result<Arc<Self>> {
        spec.check()?;
        let clock = Stopwatch::start();
        let faulty = spec.faults.shares().iter().any(|share| *share > 0.0);
        let jitters = !matches!(spec.jitter, Jitter::None | Jitter::Constant);
        Ok(Arc::new(Self {
            labels: spec.labels.as_deref().map(Labels::read).transpose()?.unwrap_or_default(),
            timer: Timer::new(clock),
            store: Store::default(),
            started: jiff::Timestamp::now(),
            slots: Arc::new(Semaphore::new(spec.slots as usize)),
            waiting: AtomicU32::new(0),
            ready_at: AtomicU64::new(0),
            expires_at: AtomicU64::new(u64::MAX),
            plain: !faulty && !jitters && spec.early_stop == 0.0,
            asked: Mutex::default(),
            leak: Leak::of(spec.leak_kib_per_request),
            prefixes: Prefixes::of(spec.prefix_cache),
            ids: AtomicU64::new(1),
            asked_oddly: AtomicU64::new(0),
            clock,
            spec,
        }))
    }

    /// The time of day at `at`.
    pub(super) fn wall(&self, at: Nanos) -> jiff::Timestamp {
        self.started + jiff::SignedDuration::from_nanos(i64::try_from(at.0).unwrap_or(i64::MAX))
    }

    /// A number that no other request has.
    pub(super) fn id(&self) -> u64 {
        self.ids.fetch_add(1, Relaxed)
    }

    pub(super) fn makes_text(&self) -> bool {
        self.spec.kind != Kind::Embedding
    }

    pub(super) fn makes_vectors(&self) -> bool {
        self.spec.kind != Kind::Completion
    }

    /// Requests that wait for a slot, as GG-CORE's socket tells it.
    pub(super) fn queued(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// Whether the model is there at `now`.
    pub(super) fn is_loaded(&self, now: Nanos) -> bool {
        let ready = self.ready_at.load(Relaxed);
        ready != 0 && ready <= now.0 && now.0 < self.expires_at.load(Relaxed)
    }

    /// When an idle model goes; none = never.
    pub(super) fn expires(&self) -> Option<Nanos> {
        Some(self.expires_at.load(Relaxed)).filter(|at| *at != u64::MAX).map(Nanos)
    }

    /// Keeps the model until `until` from now on; none = for ever.
    pub(super) fn keep(&self, until: Option<Nanos>) {
        self.expires_at.store(until.map_or(u64::MAX, |at| at.0), Relaxed);
    }

    /// Drops the model; the next request loads it again.
    pub(super) fn unload(&self) {
        self.ready_at.store(0, Relaxed);
        self.expires_at.store(u64::MAX, Relaxed);
    }

    /// Starts loading unless the model is there or on its way; says when it is there.
    pub(super) fn load(&self, now: Nanos) -> Nanos {
        if now.0 >= self.expires_at.load(Relaxed) {
            self.unload();
        }
        let ready = self.ready_at.load(Relaxed);
        if ready != 0 {
            return Nanos(ready);
        }
        let ready = (now + millis(self.spec.load_ms)).0.max(1);
        Nanos(self.ready_at.compare_exchange(0, ready, Relaxed, Relaxed).err().unwrap_or(ready))
    }
}

/// Milliseconds as nanoseconds.
pub(super) fn millis(ms: f64) -> Nanos {
    Nanos((ms * 1e6) as u64)
}
