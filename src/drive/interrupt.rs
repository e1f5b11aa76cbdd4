//! One way for the whole process to hear of Ctrl-C.
//!
//! tokio's handler of the signal stands until goose takes it for itself, with its first attack; from then on Ctrl-C comes
//! by goose's kill switch, and no listener of tokio's hears of it again. Whoever waits here hears of both.

use super::Stop;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often goose's kill switch is looked at.
const WATCH: Duration = Duration::from_millis(50);

/// How often goose's kill switch was found to be set by a person, in this process.
static HEARD: AtomicU64 = AtomicU64::new(0);

/// Notes that goose's kill switch was found set by a person: everybody who waits is to know.
#[cfg_attr(not(feature = "goose"), allow(dead_code))]
pub(super) fn heard() {
    HEARD.fetch_add(1, Relaxed);
}

/// Ends when Ctrl-C is pressed the next time.
pub async fn pressed() {
    let before = HEARD.load(Relaxed);
    let by_goose = async {
        while HEARD.load(Relaxed) == before {
            #[cfg(feature = "goose")]
            super::closed::look_between_attacks();
            tokio::time::sleep(WATCH).await;
        }
    };
    tokio::select! {
        () = by_goose => {}
        // Where the handler can't be set there is nothing to hear by it.
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
}

/// Tells a run of every Ctrl-C, for as long as this is kept.
pub struct Listener(JoinHandle<()>);

impl Listener {
    /// Listens for a run.
    pub fn start(stop: &Stop) -> Self {
        let stop = stop.clone();
        Self(tokio::spawn(async move {
            loop {
                pressed().await;
                stop.press();
            }
        }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}
