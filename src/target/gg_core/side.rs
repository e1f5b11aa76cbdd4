//! The side connection over which a server's worker is woken.

use super::{GgConnection, Kicker};
use crate::record::Stopwatch;
use crate::scenario::plan::Endpoint;
use serde_json::json;
use std::time::Duration;

/// A model that no server has.
const NO_MODEL: &str = "loadcmp/wakes-the-worker";

/// Longest wait for a kick's answer.
const LIMIT: Duration = Duration::from_secs(30);

impl Kicker {
    /// Starts the side connection on the current runtime. It is kept: while the server generates an ordinary answer, it reads
    /// no new one.
    pub(in crate::target) fn start(endpoint: Endpoint, clock: Stopwatch) -> Self {
        let (kicker, mut waiting) = Self::new();
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
        kicker
    }
}
