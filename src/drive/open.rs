//! The open loop: requests leave at their planned instants, whether answers have come or not.
//!
//! Shortly before an instant a request is armed for each lane: a connection is taken, the body is written, and the
//! request waits at its gate. At the instant the pacer opens the gates and polls each request once itself: that poll
//! writes to the socket. The rest of the request's life is a task of the runtime's. Nothing ever waits for a free
//! connection: what finds none is a row `unsent`.

use super::ask::{Due, Request};
use super::lane::Lane;
use super::pacer::{Pacer, sharpen_thread};
use super::pool::{Pool, Seat};
use crate::host::lock;
use crate::record::{Nanos, Phase};
use crate::scenario::Pacing;
use crate::workload::Unit;
use anyhow::Context as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long before its instant a request is armed: time to open a connection that is missing, and far from the time
/// after which an idle one is not used any more.
const AHEAD: Nanos = Nanos(10_000_000);

/// Longest stretch that is waited for without a look at whether the run goes on.
const LOOK: Nanos = Nanos(50_000_000);

/// Time between the opening of the clock and the schedule's zero, so that its first arrivals are in the future.
pub(super) const LEAD: Nanos = Nanos(20_000_000);

/// Drives the lanes over their schedule. Ends when the window has closed and every answer has come or been given up.
pub(super) async fn run(lanes: &[Arc<Lane>], pacing: Pacing, start: impl Fn()) -> anyhow::Result<()> {
    let pools: Vec<Arc<Pool>> = lanes.iter().cloned().map(Pool::new).collect();
    for pool in &pools {
        pool.fill().await;
    }
    start();
    let Some(lane) = lanes.first() else { return Ok(()) };
    // Every ride holds an end of this channel: when all are gone, all rides are over.
    let (riding, mut over) = mpsc::channel::<()>(1);
    let pacer = Pacer::new(pacing, lane.setup.clock);
    let blocks = pacer.blocks();
    let departures = depart(pools, pacer, riding);
    if blocks {
        let (done, told) = tokio::sync::oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            sharpen_thread();
            runtime.block_on(departures);
            let _ = done.send(());
        };
        std::thread::Builder::new().name("pacer".into()).spawn(work).context("starting the pacing thread")?;
        told.await.context("the pacing thread ended early")?;
    } else {
        tokio::spawn(departures).await.context("pacing the requests")?;
    }
    // The window is as long as planned, also when its last arrival lies well before its end.
    while !lane.setup.stop.stopped() && lane.closes().is_some_and(|at| lane.now() < at) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    over.recv().await;
    Ok(())
}

/// Lets every request of the schedule go at its instant.
async fn depart(pools: Vec<Arc<Pool>>, mut pacer: Pacer, riding: mpsc::Sender<()>) {
    let Some(lane) = pools.first().map(|pool| pool.lane.clone()) else { return };
    let (Some(arrivals), Some(window)) = (lane.stretch.arrivals.clone(), lane.window()) else { return };
    let clock = lane.setup.clock;
    let start = Nanos(window.from.0.saturating_sub(Nanos::from(lane.stretch.warmup).0));
    let warmups = arrivals.warmup().iter().map(|at| (Phase::Warmup, 0, start + *at));
    let measures = arrivals.measure().iter().zip(lane.stretch.first..);
    let measures = measures.map(|(at, number)| (Phase::Measure, number, window.from + *at));
    let mut armed = Vec::with_capacity(pools.len());
    let shard = lane.setup.plan.shard;
    for (place, (phase, number, at)) in warmups.chain(measures).enumerate() {
        // Another generator's.
        if shard.is_some_and(|shard| !shard.has(if phase == Phase::Warmup { place as u64 } else { number })) {
            continue;
        }
        let early = Nanos(at.0.saturating_sub(AHEAD.0));
        while clock.now() < early && !lane.setup.stop.stopped() {
            let look = (clock.now() + LOOK).min(early);
            pacer.until(clock, look).await;
        }
        if lane.setup.stop.stopped() || lane.closes().is_some_and(|closes| at >= closes) {
            return;
        }
        // Another first from arrival to arrival: the later of two leaves a few microseconds behind the first.
        let first = place % pools.len();
        for pool in pools[first..].iter().chain(&pools[..first]) {
            let number = if phase == Phase::Warmup { pool.lane.warm() } else { number };
            if pool.lane.gone().is_some() {
                let unit = pool.lane.setup.workload.unit(phase, number);
                let request = Request { phase, unit: &unit, turn: 0 };
                pool.lane.setup.recorder.push(pool.lane.unsent(request, at, pool.lane.gone_words()));
                continue;
            }
            armed.push(Armed::new(pool, phase, number, at, &riding));
        }
        pacer.until(clock, at).await;
        if lane.setup.stop.stopped() {
            return;
        }
        for request in armed.drain(..) {
            request.release();
        }
        // A schedule that is behind must not keep the answers from being read.
        tokio::task::consume_budget().await;
    }
}

/// A request that waits for its instant.
struct Armed {
    pool: Arc<Pool>,
    phase: Phase,
    unit: Unit,
    planned: Nanos,
    riding: mpsc::Sender<()>,
    gate: Arc<Gate>,
    ride: Ride,
}

enum Ride {
    /// There was no free connection yet.
    None,
    /// It waits at its gate, and is ours to poll.
    Here(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// It still has to open a connection, and is the runtime's.
    Away,
}

impl Armed {
    fn new(pool: &Arc<Pool>, phase: Phase, number: u64, planned: Nanos, riding: &mpsc::Sender<()>) -> Self {
        let unit = pool.lane.setup.workload.unit(phase, number);
        let mut armed = Self {
            pool: pool.clone(),
            phase,
            unit,
            planned,
            riding: riding.clone(),
            gate: Arc::default(),
            ride: Ride::None,
        };
        armed.begin();
        armed
    }

    /// Takes a connection if one is free, and goes as far as the gate.
    fn begin(&mut self) {
        let Some(seat) = self.pool.take() else { return };
        let lane = self.pool.lane.clone();
        let ride = ride(lane, seat, self.phase, self.unit, self.planned, self.gate.clone(), self.riding.clone());
        let mut ride: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(ride);
        // Nobody is to be woken: whoever has the ride next polls it anyway.
        if ride.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            self.ride = Ride::Away;
        } else if self.gate.reached.load(Relaxed) {
            self.ride = Ride::Here(ride);
        } else {
            tokio::spawn(ride);
            self.ride = Ride::Away;
        }
    }

    /// The instant has come.
    fn release(mut self) {
        let lane = self.pool.lane.clone();
        self.gate.open(lane.now());
        if matches!(self.ride, Ride::None) {
            self.begin();
            if matches!(self.ride, Ride::None) {
                let request = Request { phase: self.phase, unit: &self.unit, turn: 0 };
                let most = lane.setup.plan.own_concurrency();
                let why = format!("{most} requests were in flight, the maximum (`in_flight`)");
                lane.setup.recorder.push(lane.unsent(request, self.planned, why));
            }
        }
        if let Ride::Here(mut ride) = std::mem::replace(&mut self.ride, Ride::Away)
            && ride.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
        {
            tokio::spawn(ride);
        }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.gate.shut();
    }
}

/// The life of one arrival: up to its gate, and from there to the end of its last answer.
async fn ride(
    lane: Arc<Lane>,
    mut seat: Seat,
    phase: Phase,
    unit: Unit,
    planned: Nanos,
    gate: Arc<Gate>,
    _riding: mpsc::Sender<()>,
) {
    let user = seat.user();
    user.own.clear();
    let ready = lane.ready(user, Request { phase, unit: &unit, turn: 0 }).await;
    let Some(dispatched) = gate.pass().await else { return };
    let due = Due { ready, planned: Some(planned), dispatched: Some(dispatched) };
    lane.ask_unit(user, phase, &unit, Some(due)).await;
}

/// Holds a request until its instant.
#[derive(Default)]
struct Gate {
    /// When it was opened, on the run's clock; 0 while it is closed, `SHUT` when it will not be opened any more.
    opened: AtomicU64,
    reached: AtomicBool,
    waiter: Mutex<Option<Waker>>,
}

const SHUT: u64 = u64::MAX;

impl Gate {
    fn open(&self, at: Nanos) {
        self.tell(at.0.clamp(1, SHUT - 1));
    }

    /// Lets nobody through who has not passed; no effect once it is open.
    fn shut(&self) {
        self.tell(SHUT);
    }

    fn tell(&self, word: u64) {
        let mut waiter = lock(&self.waiter);
        let _ = self.opened.compare_exchange(0, word, Relaxed, Relaxed);
        if let Some(waiter) = waiter.take() {
            waiter.wake();
        }
    }

    /// Waits for the opening; tells its instant, or `None` if there will be none.
    async fn pass(&self) -> Option<Nanos> {
        let word = std::future::poll_fn(|cx| {
            self.reached.store(true, Relaxed);
            // Under the lock, as the word is told: an opening that comes now is not missed.
            let mut waiter = lock(&self.waiter);
            match self.opened.load(Relaxed) {
                0 => {
                    *waiter = Some(cx.waker().clone());
                    Poll::Pending
                }
                word => Poll::Ready(word),
            }
        });
        Some(word.await).filter(|word| *word != SHUT).map(Nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gate_tells_its_instant_and_a_shut_one_lets_nobody_through() {
        let open = Arc::<Gate>::default();
        let waiting = tokio::spawn({
            let gate = open.clone();
            async move { gate.pass().await }
        });
        tokio::task::yield_now().await;
        open.open(Nanos(7));
        open.shut();
        assert_eq!(waiting.await.unwrap(), Some(Nanos(7)));
        let shut = Gate::default();
        shut.shut();
        shut.open(Nanos(7));
        assert_eq!(shut.pass().await, None);
    }
}
