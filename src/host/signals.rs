//! One way for the whole process to hear that it is to end: Ctrl-C, SIGTERM, SIGHUP (on Windows Ctrl-C, Ctrl-Break, a
//! closed window), caught from the start of the process on. Process 1 of a container has no default action for any of them:
//! what isn't caught is lost.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::sync::watch;

/// What a signal does to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSignal {
    /// It is counted: who is at work looks, and ends in order.
    Counted,
    /// The process ends at once, with 128 and the signal's number, as a shell has it.
    Ends,
    /// Nothing: another process says when this one is to end.
    Ignored,
}

/// Signals of one kind within this time are one: `timeout`, `make` and shells send one to a process, and one to its group.
const ONE: Duration = Duration::from_millis(50);

/// How many were heard.
static HEARD: LazyLock<watch::Sender<u32>> = LazyLock::new(|| watch::Sender::new(0));

/// Signals that this process was told to end by, so far.
pub fn signals() -> u32 {
    *HEARD.borrow()
}

/// Ends when more signals than `heard` have come; how many there are then.
pub async fn signalled(heard: u32) -> u32 {
    let mut told = HEARD.subscribe();
    // The sender is never dropped; without a sender no signal can come.
    match told.wait_for(|now| *now > heard).await.map(|now| *now) {
        Ok(now) => now,
        Err(_) => std::future::pending().await,
    }
}

/// Catches them, from now to the end of the process.
///
/// # Errors
/// Where the system lets nobody catch signals, or has no thread for it.
pub fn catch_signals(on: OnSignal) -> io::Result<()> {
    // goose takes Ctrl-C for itself, and ends the process at the second one, unless somebody has it by the same crate. Ours
    // stands behind: what is registered later is called first, and then what was there before.
    #[cfg(feature = "goose")]
    ctrlc::set_handler(|| {}).map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut caught = {
        let _inside = runtime.enter();
        Caught::new()?
    };
    let listen = async move {
        loop {
            let number = caught.next().await;
            heard(on, number);
            let pause = tokio::time::sleep(ONE);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    other = caught.next() => if other != number { heard(on, other) },
                }
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(listen)).map(drop)
}

fn heard(on: OnSignal, number: u8) {
    match on {
        OnSignal::Counted => HEARD.send_modify(|heard| *heard += 1),
        OnSignal::Ends => std::process::exit(128 + i32::from(number)),
        OnSignal::Ignored => {}
    }
}

#[cfg(unix)]
struct Caught {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Caught {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // Whoever began this under `nohup` means it to outlive its terminal.
            hangup: if hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// The number of the next signal.
    async fn next(&mut self) -> u8 {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = hangup => 1,
        }
    }
}

/// Whether this process was begun with SIGHUP ignored; where there is no /proc nobody can say.
#[cfg(unix)]
fn hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(windows)]
struct Caught {
    ctrl_c: tokio::signal::windows::CtrlC,
    ctrl_break: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl Caught {
    fn new() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
        Ok(Self { ctrl_c: ctrl_c()?, ctrl_break: ctrl_break()?, close: ctrl_close()? })
    }

    /// The number that the next signal has on other systems.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.ctrl_c.recv() => 2,
            _ = self.ctrl_break.recv() => 15,
            _ = self.close.recv() => 1,
        }
    }
}
