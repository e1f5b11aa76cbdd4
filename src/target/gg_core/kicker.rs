//! Wakes an idle worker: a stream sent to one is not started until some ordinary request arrives. A warm-up request for a
//! model that isn't there does it, on a connection of its own: it is refused within a tenth of a millisecond and generates
//! nothing, where one for the loaded model would be a generation in the way of what is measured.

use super::GgConnection;
use crate::record::Stopwatch;
use crate::scenario::plan::Endpoint;
use serde_json::json;
use std::future::Future;
use std::time::Duration;

/// A model that no server has.
const NO_MODEL: &str = "loadcmp/wakes-the-worker";

/// First pause before a stream that hasn't begun gets another kick; it doubles.
const AGAIN: Duration = Duration::from_millis(2);

/// Longest pause before another kick.
const PAUSE: Duration = Duration::from_secs(1);

/// Longest wait for a kick's answer.
const LIMIT: Duration = Duration::from_secs(30);

/// What wakes the worker of one server.
#[derive(Debug)]
pub(in crate::target) struct Kicker {
    kicks: tokio::sync::mpsc::Sender<()>,
}

impl Kicker {
    /// Starts the side connection on the current runtime. It is kept: while the server generates an ordinary answer, it reads
    /// no new one.
    pub(in crate::target) fn start(endpoint: Endpoint, clock: Stopwatch) -> Self {
        let (kicks, mut waiting) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let message = json!({"type": "warmup_request", "model_id": NO_MODEL, "tokens": 1});
            let mut side: Option<GgConnection> = None;
            while waiting.recv().await.is_some() {
                let kick = async {
                    let mut open = match side.take() {
                        Some(open) => open,
                        None => GgConnection::plain(&endpoint, clock).await?,
                    };
                    open.question(&message).await?;
                    std::io::Result::Ok(open)
                };
                // A kick that fails shows as a stream that times out: nothing else to do about it here.
                side = tokio::time::timeout(LIMIT, kick).await.ok().and_then(Result::ok);
            }
        });
        Self { kicks }
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
