//! The closed loop on goose: one attack, one goose scenario a target, our own connection in each user's session data.
//!
//! goose schedules users and nothing else: its client is never asked, its metrics, controllers and printing are off, and
//! neither its clock nor its stop decides anything. When every lane is done we end the attack by its kill switch.

use super::interrupt;
use super::lane::{Lane, User};
use crate::record::{Nanos, chain};
use anyhow::anyhow;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::prelude::{GooseAttack, GooseUser, Scenario, Transaction, TransactionFunction};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
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

/// How often the kill switch is looked at.
const WATCH: Duration = Duration::from_millis(50);

/// Whether an attack is under way: its kill switch is then looked at by the attack's own watch.
static UNDER_WAY: AtomicBool = AtomicBool::new(false);

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
    interrupt: impl Fn() + Send + 'static,
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
    // The switch is one for the process: it is left clear after each attack, so one that is set now is a Ctrl-C between two.
    look_between_attacks();
    UNDER_WAY.store(true, Relaxed);
    let watch = tokio::spawn(watch_kill_switch(running, interrupt));
    let told = attack.execute().await;
    watch.abort();
    goose::reset_killswitch();
    UNDER_WAY.store(false, Relaxed);
    // goose installs a logger and sets the process's level.
    log::set_max_level(level);
    told.map(|_| ()).map_err(|error| anyhow!("goose: {}", chain(&error)))
}

/// Looks whether Ctrl-C set the kill switch while no attack was under way, tells everybody, and clears the switch: goose ends
/// the process at a Ctrl-C that finds it set.
pub(super) fn look_between_attacks() {
    if !UNDER_WAY.load(Relaxed) && goose::is_killswitch_triggered() {
        goose::reset_killswitch();
        interrupt::heard();
    }
}

/// Hears of Ctrl-C by goose's kill switch: goose takes the signal's handler for itself, and a listener that was there
/// before never hears again. A kill switch with users still at work is not ours. It is cleared, so that the next Ctrl-C is
/// heard, too, and doesn't end the process: the users end by themselves.
async fn watch_kill_switch(running: Arc<Running>, interrupt: impl Fn()) {
    loop {
        if goose::is_killswitch_triggered() && running.users.load(Relaxed) > 0 {
            goose::reset_killswitch();
            interrupt::heard();
            interrupt();
            // The last user may have set it in between, for the attack to end.
            if running.users.load(Relaxed) == 0 {
                goose::trigger_killswitch("every lane is done");
                return;
            }
        }
        tokio::time::sleep(WATCH).await;
    }
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
