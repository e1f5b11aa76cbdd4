//! Engines that the scenario's own commands start: there before they are looked for, gone when the run has ended.

use super::prepare::wrapped;
use super::{Failure, tell};
use crate::scenario::{Scenario, TargetSpec, Task};
use crate::target::discover::discover;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longest wait until an engine that was started answers.
const READY: Duration = Duration::from_secs(300);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(100);
/// Of what it said before it ended, at most this many bytes are told.
const LAST_WORDS: u64 = 400;

/// An engine of the scenario's. It ends when this is dropped.
pub(super) struct Started {
    child: Child,
    /// What it writes to standard error, in a file without a name.
    said: File,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Refuses a scenario whose commands the command line doesn't allow: nobody is to run a stranger's commands by running his
/// benchmark.
pub(super) fn allowed(scenario: &Scenario, path: &Path, options: &super::Options) -> Result<(), Failure> {
    let restarts = scenario.cold_start.as_ref().is_some_and(|cold| !cold.restart.is_empty());
    let fields: Vec<&str> = [(!scenario.start.is_empty(), "`start`"), (restarts, "`cold_start.restart`")]
        .into_iter()
        .filter_map(|(there, field)| there.then_some(field))
        .collect();
    if fields.is_empty() || options.allow_commands {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "error: {} names commands that start engines ({})\n  --allow-commands runs them; read them first",
        path.display(),
        fields.join(", ")
    )))
}

/// Starts the engines of the scenario's targets, one after another, each until it answers.
pub(super) async fn start(scenario: &Scenario, quiet: bool) -> Result<Vec<Started>, Failure> {
    let mut all = Vec::new();
    for (name, spec) in &scenario.targets {
        let Some(words) = scenario.start.get(name) else { continue };
        if !quiet {
            tell(wrapped(&format!("loadcmp: starting `{name}`: {}", words.first().map_or("", String::as_str))));
        }
        let failed = |why: String| Failure::Target(format!("error: target `{name}`: {why}"));
        // What answers already is somebody else's, and would be measured in its place.
        if discover(spec, scenario.task).await.is_ok() {
            return Err(failed("something answers there already, before its command was run; end it first".to_owned()));
        }
        let mut started = run(words).map_err(failed)?;
        ready(&mut started, spec, scenario.task).await.map_err(failed)?;
        all.push(started);
    }
    Ok(all)
}

fn run(words: &[String]) -> Result<Started, String> {
    let Some((program, rest)) = words.split_first() else { return Err("its command has no words".to_owned()) };
    let file = tempfile::tempfile().and_then(|file| Ok((file.try_clone()?, file)));
    let (writes, said) = file.map_err(|error| format!("no place for what it says: {error}"))?;
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::null()).stderr(writes);
    let child = command.spawn().map_err(|error| format!("`{program}` can't be run: {error}"))?;
    Ok(Started { child, said })
}

async fn ready(started: &mut Started, spec: &TargetSpec, task: Task) -> Result<(), String> {
    let answers = async || match started.child.try_wait().map_err(|error| error.to_string())? {
        Some(status) => Err(format!("its command ended with {status}{}", started.last_words())),
        None => Ok(discover(spec, task).await.is_ok()),
    };
    answering(LOOK, answers).await
}

/// Waits until an engine that was started answers, and looks again after `look`; what went wrong, in words.
pub(super) async fn answering(
    look: Duration,
    mut answers: impl AsyncFnMut() -> Result<bool, String>,
) -> Result<(), String> {
    let wait = async {
        while !answers().await? {
            tokio::time::sleep(look).await;
        }
        Ok(())
    };
    let told = tokio::time::timeout(READY, wait).await;
    told.unwrap_or_else(|_| Err(format!("it didn't answer within {} s of its start", READY.as_secs())))
}

impl Started {
    /// The end of what it wrote to standard error, to be read by a person.
    fn last_words(&mut self) -> String {
        let mut bytes = Vec::new();
        let length = self.said.seek(SeekFrom::End(0)).unwrap_or(0);
        let _ = self.said.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS)));
        let _ = (&mut self.said).take(LAST_WORDS).read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let printable: String =
            text.trim().chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
        if printable.is_empty() { String::new() } else { format!(":\n  {}", printable.replace('\n', "\n  ")) }
    }
}
