//! Who is served next on GG-CORE's wire, where the real one's habits are asked for.

use crate::host::lock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{oneshot, watch};

/// The real one's single worker: one request at a time, streams first, and a stream never wakes it.
#[derive(Debug)]
pub(super) struct Worker {
    /// None: as many at a time as the engine has slots.
    line: Option<Mutex<Line>>,
    /// Whether an ordinary answer is being generated.
    ordinary: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Line {
    busy: bool,
    streams: VecDeque<oneshot::Sender<Turn>>,
    ordinary: VecDeque<oneshot::Sender<Turn>>,
}

/// The worker's attention; it turns to the next in line when this is dropped.
#[derive(Debug)]
pub(super) struct Turn(Arc<Worker>);

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(mut line) = self.0.lock() {
            line.busy = false;
        }
        self.0.ordinary.send_replace(false);
        self.0.serve_next();
    }
}

impl Worker {
    pub fn new(single: bool) -> Arc<Self> {
        Arc::new(Self { line: single.then(Mutex::default), ordinary: watch::Sender::new(false) })
    }

    fn lock(&self) -> Option<MutexGuard<'_, Line>> {
        self.line.as_ref().map(|line| lock(line))
    }

    /// Waits in line. An idle worker is woken by ordinary requests only.
    pub async fn turn(self: &Arc<Self>, stream: bool) -> Option<Turn> {
        let turn = self.join(stream)?;
        if !stream {
            self.serve_next();
        }
        let turn = turn.await.ok();
        if !stream && turn.is_some() {
            self.ordinary.send_replace(true);
        }
        turn
    }

    /// Wakes an idle worker for the streams that wait.
    pub fn wake(self: &Arc<Self>) {
        self.serve_next();
    }

    /// Waits until no ordinary answer is being generated: the real one reads no new connection meanwhile.
    pub async fn heard(&self) {
        let _ = self.ordinary.subscribe().wait_for(|ordinary| !ordinary).await;
    }

    fn join(&self, stream: bool) -> Option<oneshot::Receiver<Turn>> {
        let (sender, turn) = oneshot::channel();
        let mut line = self.lock()?;
        let queue = if stream { &mut line.streams } else { &mut line.ordinary };
        queue.push_back(sender);
        Some(turn)
    }

    fn serve_next(self: &Arc<Self>) {
        let Some(mut line) = self.lock() else { return };
        if line.busy {
            return;
        }
        let Some(next) = line.streams.pop_front().or_else(|| line.ordinary.pop_front()) else { return };
        line.busy = true;
        drop(line);
        // Whoever left the line gives the turn back at once, which serves the one behind.
        drop(next.send(Turn(self.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_alone_starves_until_an_ordinary_request_comes() {
        let worker = Worker::new(true);
        let stream = tokio::spawn({
            let worker = worker.clone();
            async move { worker.turn(true).await.is_some() }
        });
        tokio::task::yield_now().await;
        assert!(!stream.is_finished());
        let ordinary = worker.turn(false).await;
        assert!(ordinary.is_some());
        assert!(stream.await.unwrap(), "and it went first");
    }

    #[tokio::test]
    async fn nobody_new_is_heard_while_an_ordinary_answer_is_made() {
        let worker = Worker::new(true);
        worker.heard().await;
        let ordinary = worker.turn(false).await;
        let heard = tokio::spawn({
            let worker = worker.clone();
            async move { worker.heard().await }
        });
        tokio::task::yield_now().await;
        assert!(!heard.is_finished());
        drop(ordinary);
        heard.await.unwrap();
        let stream = tokio::spawn({
            let worker = worker.clone();
            async move { worker.turn(true).await }
        });
        tokio::task::yield_now().await;
        worker.wake();
        let turn = stream.await.unwrap();
        assert!(turn.is_some());
        worker.heard().await;
    }

    #[tokio::test]
    async fn who_left_the_line_does_not_hold_it_up() {
        let worker = Worker::new(true);
        let held = worker.turn(false).await;
        let gone = tokio::spawn({
            let worker = worker.clone();
            async move { worker.turn(false).await.is_some() }
        });
        tokio::task::yield_now().await;
        gone.abort();
        let _ = gone.await;
        drop(held);
        assert!(worker.turn(false).await.is_some());
        assert!(Worker::new(false).turn(true).await.is_none(), "no line, no wait");
    }
}
