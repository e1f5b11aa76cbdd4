//! `loadcmp guard`, which nobody calls by hand: a process between a run and an engine that it starts. The engine is in a
//! group of its own, so that the terminal's Ctrl-C doesn't reach it, and ends with the run however that ends, killed too:
//! the guard hears it by its standard input, which closes. What the engine writes goes by here into a file.
//!
//! Orders come as lines of JSON on standard input, words go as such to standard output; nothing of the engine's stands in
//! an argument list.

use super::engine_log::{Log, clean, file, last_words_in};
use crate::host::{Exit, ProcessGroup};
use crate::record::Stopwatch;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How long an engine has to end when it is asked to; then it is killed.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// How long the last of it may take to arrive once it has ended.
const LATE: Duration = Duration::from_millis(300);
/// What a guard is told to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Start this. It comes first, and once.
    Start(Start),
    /// What was written until now, and what comes, belongs in this file.
    Log(PathBuf),
}

/// A command to start.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Start {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// One after another: the first line that holds this is told.
    pub listen_for: Vec<String>,
    /// Its standard input stays open for as long as the guard lives; else it has none.
    pub holds_stdin: bool,
    /// What it writes goes straight into this file, which is searched for secrets at the guard's end, and its own end is told
    /// at once; else it goes by the guard.
    pub log: Option<PathBuf>,
    /// Values that stand in no file: `***` is kept in their place.
    pub secrets: Vec<String>,
    /// What it left running when it ended well outlives the run.
    pub leave: bool,
    /// A folder that is removed at the end.
    pub remove: Option<PathBuf>,
}

/// What a guard tells.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// The command can't be run.
    Failed(String),
    /// A line that was listened for.
    Line(String),
    /// It ended by itself. What it started may still be there.
    Ended(Ended),
}

/// How a command ended by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    /// In words: `exit status: 1`.
    pub how: String,
    /// Whether it said that all went well.
    pub well: bool,
    /// The last that it wrote.
    pub last: String,
}

enum Event {
    Order(Order),
    /// Nobody gives orders any more: the run is over, or was killed.
    Over,
    Written(Vec<u8>),
    WroteAll,
    Ended(Exit),
}

/// Guards one engine, to the end of standard input.
///
/// # Errors
/// Where there are no threads or pipes, or no first order.
pub fn guard() -> anyhow::Result<()> {
    let (send, events) = sync_channel(64);
    let orders = send.clone();
    spawn("orders", move || read_orders(&orders))?;
    let start = match events.recv() {
        Ok(Event::Order(Order::Start(start))) => start,
        Ok(Event::Over) | Err(_) => return Ok(()),
        Ok(_) => anyhow::bail!("`loadcmp guard` is for internal use only"),
    };
    let group = match begin(&start, &send) {
        Ok(group) => group,
        Err(why) => {
            tell(&Word::Failed(why));
            return Ok(());
        }
    };
    let mut log = Log::new(start.listen_for, start.secrets.clone());
    let well = watch(&events, &mut log, start.log.as_deref().map(|path| (path, start.secrets.as_slice())));
    if !(start.leave && well) {
        let clock = Stopwatch::start();
        group.end(
            GRACE,
            || Duration::from_nanos(clock.now().0),
            || {
                while let Ok(event) = events.try_recv() {
                    if let Event::Written(bytes) = event {
                        log.take(&bytes);
                    }
                }
            },
        );
    }
    log.finish();
    if let Some(path) = &start.log {
        clean(path, start.secrets);
    }
    if let Some(folder) = &start.remove {
        let _ = std::fs::remove_dir_all(folder);
    }
    Ok(())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).context("starting a thread")
}

fn read_orders(events: &SyncSender<Event>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if let Ok(order) = serde_json::from_str(&line)
            && events.send(Event::Order(order)).is_err()
        {
            return;
        }
    }
    let _ = events.send(Event::Over);
}

/// A command that ends with this process, killed or not: nobody guards the guard. On Linux it goes by [`become_bound`].
fn bound(program: &str) -> Command {
    #[cfg(target_os = "linux")]
    if let Ok(own) = std::env::current_exe() {
        let mut command = Command::new(own);
        command.args(["guard", "--bound-to"]).arg(std::process::id().to_string()).args(["--", program]);
        return command;
    }
    Command::new(program)
}

/// Becomes an engine's command that is asked to end when `guard`, its parent, is gone. It comes back only if that fails.
///
/// # Errors
/// Where the command can't be run.
pub fn become_bound(guard: u32, words: &[String]) -> anyhow::Result<()> {
    let Some((program, rest)) = words.split_first() else { anyhow::bail!("`loadcmp guard` is for internal use only") };
    #[cfg(target_os = "linux")]
    {
        // Where it can't be had, the engine runs as it does on other systems.
        if crate::host::ends_with_parent(guard).is_ok_and(|there| !there) {
            return Ok(());
        }
    }
    let _ = guard;
    let mut command = Command::new(program);
    command.args(rest);
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    #[cfg(not(unix))]
    let error = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Err(anyhow::anyhow!("`{program}` can't be run: {error}"))
}

/// Starts the command. What went wrong, in words.
fn begin(start: &Start, events: &SyncSender<Event>) -> Result<ProcessGroup, String> {
    let Some((program, rest)) = start.words.split_first() else { return Err("its command is empty".to_owned()) };
    let no_place = |error: std::io::Error| format!("can't create its log file: {error}");
    let mut command = bound(program);
    command.args(rest).stdin(if start.holds_stdin { Stdio::piped() } else { Stdio::null() });
    let by_here = match &start.log {
        Some(path) => {
            let (into, too) = file(path).and_then(|file| Ok((file.try_clone()?, file))).map_err(no_place)?;
            command.stdout(into).stderr(too);
            None
        }
        None => {
            let (out, into) = std::io::pipe().map_err(no_place)?;
            command.stdout(into.try_clone().map_err(no_place)?).stderr(into);
            Some(out)
        }
    };
    let group = ProcessGroup::start(&mut command).map_err(|error| format!("`{program}` can't be run: {error}"))?;
    // With it our ends that are written to: the pipe ends with the last process that holds it.
    drop(command);
    let written = events.clone();
    let pump = move || {
        let Some(mut out) = by_here else { return };
        let mut buffer = [0; 8192];
        while let Ok(n @ 1..) = out.read(&mut buffer) {
            if written.send(Event::Written(buffer.get(..n).unwrap_or_default().to_vec())).is_err() {
                return;
            }
        }
        let _ = written.send(Event::WroteAll);
    };
    let ended = events.clone();
    let threads = spawn("engine-output", pump).and_then(|()| {
        let told = move |exit| {
            let _ = ended.send(Event::Ended(exit));
        };
        group.when_ended(told).context("starting a thread")
    });
    if let Err(error) = threads {
        let clock = Stopwatch::start();
        group.end(GRACE, || Duration::from_nanos(clock.now().0), || {});
        return Err(error.to_string());
    }
    Ok(group)
}

/// Keeps what the engine writes and tells how it ended, until the run is over; whether it ended well by then. `straight` is
/// the file that it writes itself, and what must not be told of it.
fn watch(events: &Receiver<Event>, log: &mut Log, straight: Option<(&Path, &[String])>) -> bool {
    let late = if straight.is_some() { Duration::ZERO } else { LATE };
    let (mut ended, mut ended_well): (Option<Exit>, bool) = (None, false);
    loop {
        let event = match &ended {
            Some(_) => events.recv_timeout(late),
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match event {
            Ok(Event::Order(Order::Log(path))) => log.write_to(&path),
            Ok(Event::Order(Order::Start(_))) => {}
            Ok(Event::Written(bytes)) => {
                for line in log.take(&bytes) {
                    tell(&Word::Line(line));
                }
            }
            Ok(Event::Ended(exit)) => ended = Some(exit),
            // All that it wrote is here, or is late.
            Ok(Event::WroteAll) | Err(RecvTimeoutError::Timeout) => {
                if let Some(Exit { words, well }) = ended.take() {
                    log.flush();
                    ended_well = well;
                    let last =
                        straight.map_or_else(|| log.last_words(), |(path, secrets)| last_words_in(path, secrets));
                    tell(&Word::Ended(Ended { how: words, well, last }));
                }
            }
            Ok(Event::Over) | Err(RecvTimeoutError::Disconnected) => return ended_well,
        }
    }
}

/// Tells the run; one that is gone hears nothing.
fn tell(word: &Word) {
    let mut line = serde_json::to_string(word).unwrap_or_default();
    line.push('\n');
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
