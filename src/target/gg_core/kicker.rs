//! Wakes an idle worker: a stream sent to one is not started until some ordinary request arrives. A warm-up request for a
//! model that isn't there does it, on a connection of its own: it is refused within a tenth of a millisecond and generates
//! nothing, where one for the loaded model would be a generation in the way of what is measured.

use std::future::Future;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// First pause before a stream that hasn't begun gets another kick; it doubles.
const AGAIN: Duration = Duration::from_millis(2);

/// Longest pause before another kick.
const PAUSE: Duration = Duration::from_secs(1);

/// What wakes the worker of one server.
#[derive(Debug)]
pub(in crate::target) struct Kicker {
    kicks: Sender<()>,
}

impl Kicker {
    /// One whose kicks somebody has to send: a second may wait for the first.
    pub(super) fn new() -> (Self, Receiver<()>) {
        let (kicks, waiting) = channel(1);
        (Self { kicks }, waiting)
    }

    /// Kicks until `begun` ends. Once is not enough: the kick goes over a connection of its own, and can overtake the
    /// stream that it is meant for. While the worker is busy, only one of them waits in its queue.
    pub(super) async fn until<T>(&self, begun: impl Future<Output = T>) -> T {
        let mut begun = std::pin::pin!(begun);
        let mut pause = AGAIN;
        loop {
            self.kick();
            tokio::select! {
                biased;
                told = &mut begun => return told,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE),
            }
        }
    }

    /// Asks for one kick; one that is already due does for both.
    fn kick(&self) {
        let _ = self.kicks.try_send(());
    }
}
