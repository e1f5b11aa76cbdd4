//! The connections of a lane in an open loop: taken for a request, given back after it, the one used last first, and a
//! few opened ahead of time so that opening seldom stands between planned and sent.

use super::back_off::back_off;
use super::lane::{Lane, User};
use crate::host::lock;
use crate::record::Nanos;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// Connections kept ready at least.
const SPARE: usize = 4;

/// Connections kept ready at most, however dense the schedule.
const SPARE_MOST: usize = 64;

/// Stretch of a schedule whose arrivals should each find an open connection.
const DENSE: Nanos = Nanos(2_000_000);

/// A lane's users.
pub(super) struct Pool {
    pub lane: Arc<Lane>,
    limit: usize,
    spare: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Users with a connection; the one used last is at the back.
    idle: VecDeque<User>,
    /// Users without one.
    bare: Vec<User>,
    out: usize,
    opening: usize,
    failures: u32,
    /// When a connection may be opened ahead again, after one that could not be.
    again: Nanos,
}

/// A user while it is out of the pool.
pub(super) struct Seat {
    pool: Arc<Pool>,
    user: Option<User>,
}

impl Pool {
    pub fn new(lane: Arc<Lane>) -> Arc<Self> {
        let limit = lane.setup.plan.own_concurrency().max(1) as usize;
        let dense = lane.stretch.arrivals.as_ref().map_or(0, |all| densest(all.measure(), DENSE));
        let spare = dense.clamp(SPARE, SPARE_MOST).min(limit);
        Arc::new(Self { lane, limit, spare, inner: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Opens the first connections, before anything is due.
    pub async fn fill(self: &Arc<Self>) {
        let mut opening = tokio::task::JoinSet::new();
        while self.may_open() {
            opening.spawn(self.clone().open());
        }
        while opening.join_next().await.is_some() {}
    }

    /// A user for a request; `None` if as many are out as may be.
    pub fn take(self: &Arc<Self>) -> Option<Seat> {
        let mut inner = self.lock();
        if inner.out >= self.limit {
            return None;
        }
        inner.out += 1;
        let user = inner.idle.pop_back().or_else(|| inner.bare.pop());
        drop(inner);
        let user = user.unwrap_or_else(|| self.lane.user());
        if self.may_open() {
            tokio::spawn(self.clone().open());
        }
        Some(Seat { pool: self.clone(), user: Some(user) })
    }

    /// Whether one more connection should be opened ahead of time; counts it as being opened if so.
    fn may_open(&self) -> bool {
        let mut inner = self.lock();
        let ready = inner.idle.len() + inner.opening;
        let open = ready < self.spare && ready + inner.out < self.limit && self.lane.now() >= inner.again;
        inner.opening += usize::from(open);
        open
    }

    async fn open(self: Arc<Self>) {
        let bare = self.lock().bare.pop();
        let mut user = bare.unwrap_or_else(|| self.lane.user());
        let opened = if user.link.connected() {
            Ok(())
        } else {
            tokio::select! {
                biased;
                told = self.lane.connect(&mut user) => told.map(drop).map_err(drop),
                () = self.lane.setup.stop.aborted() => Err(()),
            }
        };
        let now = self.lane.now();
        let mut inner = self.lock();
        inner.opening -= 1;
        match opened {
            Ok(()) => {
                inner.failures = 0;
                // Behind those that have been used.
                inner.idle.push_front(user);
            }
            Err(()) => {
                inner.failures += 1;
                inner.again = now + back_off(inner.failures).into();
                inner.bare.push(user);
            }
        }
    }
}

impl Seat {
    /// Who sits here.
    pub fn user(&mut self) -> &mut User {
        let lane = &self.pool.lane;
        self.user.get_or_insert_with(|| lane.user())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.pool.lock();
        inner.out -= 1;
        match self.user.take() {
            Some(user) if user.link.connected() && inner.idle.len() + inner.out < self.pool.limit => {
                inner.idle.push_back(user);
            }
            Some(mut user) => {
                user.link = Default::default();
                inner.bare.push(user);
            }
            None => {}
        }
    }
}

/// Most instants of a list in order that lie within any stretch of length `span`.
fn densest(instants: &[Nanos], span: Nanos) -> usize {
    let (mut first, mut most) = (0, 0);
    for (at, instant) in instants.iter().enumerate() {
        while instant.since(instants[first]) > span {
            first += 1;
        }
        most = most.max(at + 1 - first);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_densest_stretch_of_a_schedule_is_found() {
        let at = |list: &[u64]| list.iter().map(|n| Nanos(*n)).collect::<Vec<_>>();
        assert_eq!(densest(&[], Nanos(10)), 0);
        assert_eq!(densest(&at(&[0, 100, 200]), Nanos(10)), 1);
        assert_eq!(densest(&at(&[0, 50, 55, 60, 61, 200]), Nanos(10)), 3);
        assert_eq!(densest(&at(&[7, 7, 7, 7]), Nanos(0)), 4);
    }
}
