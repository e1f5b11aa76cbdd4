//! A process in a group of its own, which the terminal's Ctrl-C doesn't reach, and the end of all of the group: an engine's
//! runners with the engine. Where there are no groups (Windows) it is the process alone.

use super::mutex::lock;
#[cfg(unix)]
use super::processes::group_runs;
use std::io;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Between two looks whether all of a group have ended.
const LOOK: Duration = Duration::from_millis(20);

/// Longest that is waited for processes that were killed.
#[cfg(unix)]
const KILLED: Duration = Duration::from_secs(1);

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// In words: `exit status: 1`, `signal: 9`.
    pub words: String,
    /// Whether it said that all went well.
    pub well: bool,
}

/// Puts a command that is run in a group of its own.
pub fn own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Has this process, and the program that takes its place, asked to end when its parent is gone. Whether the parent was still
/// there: one that ended before is not heard of.
///
/// # Errors
/// Where the system doesn't do so.
#[cfg(target_os = "linux")]
pub fn ends_with_parent(parent: u32) -> io::Result<bool> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::TERM))?;
    Ok(getppid().is_some_and(|now| u32::try_from(now.as_raw_nonzero().get()) == Ok(parent)))
}

/// A group, by its first process.
pub struct ProcessGroup {
    leader: Arc<Mutex<Child>>,
}

impl ProcessGroup {
    /// Runs a command as the first of a group of its own.
    ///
    /// # Errors
    /// Those of starting it.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        own_group(command);
        Ok(Self { leader: Arc::new(Mutex::new(command.spawn()?)) })
    }

    /// Calls `told` from a thread of its own when the first process has ended. Its number stays its own until the group is
    /// ended: a number that is free may be another group's.
    ///
    /// # Errors
    /// Where there is no thread for it.
    #[cfg(unix)]
    pub fn when_ended(&self, told: impl FnOnce(Exit) + Send + 'static) -> io::Result<()> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let leader = self.number();
        let wait = move || {
            let Some(leader) = leader else { return };
            let status = loop {
                match waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                    Err(rustix::io::Errno::INTR) => {}
                    status => break status.ok().flatten(),
                }
            };
            let Some(status) = status else { return };
            let words = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => format!("exit status: {code}"),
                (None, Some(signal)) => format!("signal: {signal}"),
                (None, None) => "an unknown status".to_owned(),
            };
            told(Exit { words, well: status.exit_status() == Some(0) });
        };
        std::thread::Builder::new().name("engine-end".into()).spawn(wait).map(drop)
    }

    /// Calls `told` from a thread of its own when the process has ended.
    ///
    /// # Errors
    /// Where there is no thread for it.
    #[cfg(not(unix))]
    pub fn when_ended(&self, told: impl FnOnce(Exit) + Send + 'static) -> io::Result<()> {
        let leader = self.leader.clone();
        let wait = move || {
            loop {
                match lock(&leader).try_wait() {
                    Ok(None) => {}
                    Ok(Some(status)) => return told(Exit { words: status.to_string(), well: status.success() }),
                    Err(_) => return,
                }
                std::thread::sleep(LOOK);
            }
        };
        std::thread::Builder::new().name("engine-end".into()).spawn(wait).map(drop)
    }

    /// Ends all of the group: asks first, and kills what is there after `grace`. `now` is a clock's, and `meanwhile` is called
    /// again and again while it waits.
    #[cfg(unix)]
    pub fn end(self, grace: Duration, now: impl Fn() -> Duration, mut meanwhile: impl FnMut()) {
        use rustix::process::{Signal, kill_process_group, test_kill_process_group};
        let Some(leader) = self.number() else { return };
        let id = lock(&self.leader).id();
        for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, KILLED)] {
            // None of it left is what is wanted.
            let _ = kill_process_group(leader, signal);
            let until = now() + patience;
            while now() < until {
                meanwhile();
                // From here on its number may be another's: but not for seconds.
                let gone = lock(&self.leader).try_wait().is_ok_and(|status| status.is_some());
                // What has ended and is nobody's to be waited for is still a member: nobody does where the first process of a
                // container is no init.
                if gone && (test_kill_process_group(leader).is_err() || !group_runs(id)) {
                    return;
                }
                std::thread::sleep(LOOK);
            }
        }
    }

    /// Ends the process.
    #[cfg(not(unix))]
    pub fn end(self, _: Duration, _: impl Fn() -> Duration, mut meanwhile: impl FnMut()) {
        meanwhile();
        let mut leader = lock(&self.leader);
        let _ = leader.kill();
        let _ = leader.wait();
    }

    #[cfg(unix)]
    fn number(&self) -> Option<rustix::process::Pid> {
        rustix::process::Pid::from_raw(i32::try_from(lock(&self.leader).id()).ok()?)
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::time::Instant;

    #[test]
    fn what_has_ended_and_nobody_waits_for_holds_up_no_end() {
        let group = ProcessGroup::start(Command::new("sleep").arg("1000")).unwrap();
        let leader = i32::try_from(lock(&group.leader).id()).unwrap();
        let mut member = Command::new("sleep").arg("1000").process_group(leader).spawn().unwrap();
        let begun = Instant::now();
        group.end(Duration::from_secs(60), || begun.elapsed(), || {});
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        assert!(!member.wait().unwrap().success());
    }
}
