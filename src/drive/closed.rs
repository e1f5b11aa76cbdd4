//! The closed loop on goose: one attack, one goose scenario a target, our own connection in each user's session data.
//!
//! goose schedules users and nothing else: its client is never asked, its metrics, controllers and printing are off, and
//! neither its clock nor its stop decides anything, and it never hears of Ctrl-C (`host::signals` is there first). When every
//! lane is done we end the attack by its kill switch.

use super::lane::{Lane, User};
use crate::record::{Nanos, chain};
use anyhow::anyhow;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::prelude::{GooseAttack, GooseUser, Scenario, Transaction, TransactionFunction};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{Mutex, Notify};

/// Session data must be `Clone`, so the user stands behind a pointer.
type Session = Arc<Mutex<User>>;

/// How long a user that has nothing left to do waits, at most, before it looks whether goose lets it go. It is woken when
/// the last user is done: thousands that looked again and again would cost a core, and others are still measured.
const IDLE: Duration = Duration::from_secs(5);

/// How long a user waits between two looks once all are done: goose takes up to half a second to let them go.
const LEAVING: Duration = Duration::from_millis(20);

/// How long a user stays with us before goose gets its turn.
const SLICE: Nanos = Nanos(10_000_000);

/// The users that still have something to do.
struct Running {
    users: AtomicUsize,
    /// Tells that there are none.
    none: Notify,
}

impl Running {
    /// One of them is done; the last one ends the attack.
    fn leave(&self) {
        if self.users.fetch_sub(1, Relaxed) == 1 {
            goose::trigger_killswitch("every lane is done");
            self.none.notify_waiters();
        }
    }

    /// Ends when all are done, or after a while.
    async fn ended(&self) {
        // Made before the number is read: a notice between the two is not missed.
        let notice = self.none.notified();
        if self.users.load(Relaxed) > 0 {
            let _ = tokio::time::timeout(IDLE, notice).await;
        } else {
            tokio::time::sleep(LEAVING).await;
        }
    }
}

/// Drives the lanes at the same time, `users` on each, until all are done.
pub(super) async fn run(
    lanes: &[Arc<Lane>],
    users: u32,
    start: impl Fn() + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let level = log::max_level();
    let all = users as usize * lanes.len();
    let running = Arc::new(Running { users: AtomicUsize::new(all), none: Notify::new() });
    let start: Arc<dyn Fn() + Send + Sync> = Arc::new(start);
    let mut attack =
        GooseAttack::initialize_with_config(configuration(all)).map_err(|error| anyhow!("goose: {}", chain(&error)))?;
    // One client that nobody asks, not one a user; and one that reads no certificates, for there may be none.
    let client = GooseClientBuilder::new().accept_invalid_certs(true).without_cookies();
    attack = attack.set_client_builder_without_cookies(client).map_err(|error| anyhow!("goose: {}", chain(&error)))?;
    for (number, lane) in lanes.iter().enumerate() {
        let scenario = Scenario::new(&format!("lane {number}"))
            // Never asked, but goose wants an address.
            .set_host("http://127.0.0.1/")
            .register_transaction(Transaction::new(enter(lane.clone(), start.clone())).set_on_start())
            .register_transaction(Transaction::new(step(lane.clone(), running.clone())));
        attack = attack.register_scenario(scenario);
    }
    let told = attack.execute().await;
    // The switch is one for the process.
    goose::reset_killswitch();
    // goose installs a logger and sets the process's level.
    log::set_max_level(level);
    told.map(|_| ()).map_err(|error| anyhow!("goose: {}", chain(&error)))
}

/// Everything off but the users themselves. Fields, not arguments: parsing may end the process.
#[allow(clippy::field_reassign_with_default)] // Some of its fields are private: no struct expression can be written.
fn configuration(users: usize) -> GooseConfiguration {
    let mut off = GooseConfiguration::default();
    off.users = Some(users);
    // At once: our clock cuts the warm-up, not goose's start.
    off.increase_rate = Some("100000".to_owned());
    off.quiet = 2;
    off.no_metrics = true;
    off.no_print_metrics = true;
    off.no_transaction_metrics = true;
    off.no_scenario_metrics = true;
    off.no_error_summary = true;
    off.no_telnet = true;
    off
}

/// A user's entry: its connection and number. The first one opens the run's clock.
fn enter(lane: Arc<Lane>, start: Arc<dyn Fn() + Send + Sync>) -> TransactionFunction {
    Arc::new(move |user: &mut GooseUser| {
        start();
        user.set_session_data::<Session>(Arc::new(Mutex::new(lane.user())));
        Box::pin(async { Ok(()) })
    })
}

/// One iteration of a user: the units of its lane that fit into a slice of time; of an engine that takes longer than
/// that for an answer, one. goose's own cost is then paid a hundred times a second at most, and not once a request.
fn step(lane: Arc<Lane>, running: Arc<Running>) -> TransactionFunction {
    Arc::new(move |user: &mut GooseUser| {
        let (lane, running) = (lane.clone(), running.clone());
        Box::pin(async move {
            let Some(session) = user.get_session_data::<Session>().cloned() else { return Ok(()) };
            let mut me = session.lock().await;
            let until = lane.now() + SLICE;
            while lane.step(&mut me).await {
                if lane.now() >= until {
                    return Ok(());
                }
            }
            if !me.leave() {
                running.leave();
            }
            running.ended().await;
            Ok(())
        })
    })
}
