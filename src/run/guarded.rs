//! A command that a run starts, with its guard: in a group of its own, what it writes in the results, gone with the run.

use super::guard::{Ended, GRACE, Order, Start, Word};
use crate::host::own_group;
use crate::metrics::human::{file_part, printable};
use crate::record::Stopwatch;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Between two looks whether a guard has ended, and longest that it is waited for after its engine's grace.
const LOOK: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(5);

/// A command under guard; it and all that it started end when this is dropped.
pub(super) struct Guarded {
    guard: Child,
    orders: Option<ChildStdin>,
    words: UnboundedReceiver<Word>,
    ended: Option<Ended>,
}

impl Guarded {
    /// Starts a command. `with` changes the environment that it gets. What went wrong, in words.
    pub(super) fn start(mut start: Start, with: impl FnOnce(&mut Command)) -> Result<Self, String> {
        let words = |error: std::io::Error| format!("can't start its guard process: {error}");
        let mut command = Command::new(std::env::current_exe().map_err(words)?);
        command.arg("guard").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        with(&mut command);
        // Ctrl-C reaches all of the terminal's group, and the guard is to see to the engine then.
        own_group(&mut command);
        let mut guard = command.spawn().map_err(words)?;
        let (orders, out) = (guard.stdin.take(), guard.stdout.take());
        let (told, heard) = unbounded_channel();
        let listen = move || {
            let lines = out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok);
            for word in lines.filter_map(|line| serde_json::from_str::<Word>(&line).ok()) {
                if told.send(word).is_err() {
                    return;
                }
            }
        };
        let mut guarded = Self { guard, orders, words: heard, ended: None };
        std::thread::Builder::new().name("guard".into()).spawn(listen).map_err(words)?;
        // Its log is one of the run's files, and scrubbed as all are.
        start.secrets.extend(crate::scenario::scrubbed_values());
        guarded.order(&Order::Start(start));
        Ok(guarded)
    }

    /// What it writes, and has written, belongs in this file.
    pub(super) fn log_to(&mut self, path: &Path) {
        // A path that JSON can't hold has no log.
        self.order(&Order::Log(path.to_owned()));
    }

    fn order(&mut self, order: &Order) {
        let (Some(orders), Ok(mut line)) = (&mut self.orders, serde_json::to_string(order)) else { return };
        line.push('\n');
        // A guard that is gone is told of by its words, which end.
        let _ = orders.write_all(line.as_bytes()).and_then(|()| orders.flush());
    }

    /// Waits for the line that was to be listened for. What came instead, in words.
    pub(super) async fn line(&mut self) -> Result<String, String> {
        match self.words.recv().await {
            Some(Word::Line(line)) => Ok(line),
            Some(Word::Failed(why)) => Err(why),
            Some(Word::Ended(ended)) => {
                let why = format!("it ended with {}{}", ended.how, ended.last_words());
                self.ended = Some(ended);
                Err(why)
            }
            None => Err(GONE.to_owned()),
        }
    }

    /// Waits until the command itself has ended. Why it can't be waited for, in words.
    pub(super) async fn ended(&mut self) -> Result<Ended, String> {
        while self.ended.is_none() {
            match self.words.recv().await {
                Some(Word::Ended(ended)) => self.ended = Some(ended),
                Some(Word::Line(_)) => {}
                Some(Word::Failed(why)) => return Err(why),
                None => return Err(GONE.to_owned()),
            }
        }
        self.ended.clone().ok_or_else(|| GONE.to_owned())
    }

    /// Tells it to end; it is waited for where this is dropped. Several end at the same time, who are told first.
    pub(super) fn let_go(&mut self) {
        self.orders = None;
    }
}

const GONE: &str = "its guard process is gone";

impl Drop for Guarded {
    fn drop(&mut self) {
        self.let_go();
        let (clock, longest) = (Stopwatch::start(), GRACE + PATIENCE);
        while Duration::from_nanos(clock.now().0) < longest
            && self.guard.try_wait().is_ok_and(|status| status.is_none())
        {
            std::thread::sleep(LOOK);
        }
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

impl Ended {
    /// The end of what it wrote, to be read by a person: nothing, or lines after a colon.
    pub(super) fn last_words(&self) -> String {
        let lines: Vec<String> = self.last.trim().lines().map(|line| format!("\n  {}", printable(line))).collect();
        if lines.is_empty() { String::new() } else { format!(":{}", lines.concat()) }
    }
}

/// The file of what a target's engine writes, below a folder of results.
pub(super) fn log_path(dir: &Path, name: &str, what: &str) -> std::path::PathBuf {
    dir.join("engines").join(format!("{}{what}.log", file_part(name)))
}
