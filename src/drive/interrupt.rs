//! What a signal does to a run: the first lets nothing more leave and waits for the answers in flight, the next ends the
//! wait. Signals are heard in one place for the whole process (`host::signals`): one that came before a run began ends it,
//! too.

use super::Stop;
use super::group::PATIENCE;
use crate::host::{signalled, signals};
use std::io::IsTerminal;
use tokio::task::JoinHandle;

/// Tells a run of every signal, for as long as this is kept.
pub struct Listener(JoinHandle<()>);

impl Listener {
    /// Listens for a run. `tell` shows a line to whoever sent the signal.
    pub fn start(stop: &Stop, tell: impl Fn(&str) + Send + 'static) -> Self {
        let mut heard = signals();
        (0..heard).for_each(|_| stop.press());
        let stop = stop.clone();
        Self(tokio::spawn(async move {
            loop {
                let now = signalled(heard).await;
                (heard..now).for_each(|_| stop.press());
                heard = now;
                tell(&words(stop.presses(), stop.in_flight()));
            }
        }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is said at the n-th signal, with so many requests in flight.
fn words(presses: u32, in_flight: usize) -> String {
    let requests = if in_flight == 1 { "1 request".to_owned() } else { format!("{in_flight} requests") };
    match (presses, in_flight) {
        (_, 0) => "stopping".to_owned(),
        (1, _) => {
            let again = if std::io::stderr().is_terminal() { "press again" } else { "send the signal again" };
            format!("draining {requests}, {again} to stop ({} s at most)", PATIENCE.as_secs())
        }
        _ => format!("stopping without waiting for {requests} in flight"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_says_what_is_waited_for() {
        let first = words(1, 3);
        assert!(
            first.starts_with("draining 3 requests, ") && first.contains(" again to stop (8 s at most)"),
            "{first}"
        );
        assert!(words(1, 1).starts_with("draining 1 request, "));
        assert_eq!(words(2, 3), "stopping without waiting for 3 requests in flight");
        assert_eq!(words(1, 0), "stopping");
    }
}
