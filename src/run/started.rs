//! Engines that the scenario's own commands start: there before they are looked for, gone when the run has ended.

use super::child::StandIn;
use super::guard::Start;
use super::guarded::{Guarded, log_path};
use super::say::wrapped;
use super::{Failure, tell};
use crate::host::lock;
use crate::scenario::{Scenario, TargetSpec, Task, sought};
use crate::target::discover::discover;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// Longest wait until an engine that was started answers.
const READY: Duration = Duration::from_secs(300);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(100);

/// An engine of the scenario's. It ends when this is dropped.
pub(super) struct Started {
    name: String,
    guarded: Guarded,
}

/// The engines and stand-ins that a run started. They end when this is dropped, all at the same time.
#[derive(Default)]
pub(super) struct Engines {
    pub(super) stand_ins: Vec<StandIn>,
    pub(super) started: Vec<Started>,
    /// Commands of the run's that have been told to end.
    ending: Mutex<Vec<Guarded>>,
}

impl Engines {
    /// Waits for these, too, when this is dropped. They have been told to end.
    pub(super) fn wait_for(&self, ending: impl IntoIterator<Item = Guarded>) {
        lock(&self.ending).extend(ending);
    }

    /// What they write belongs into a folder of results.
    pub(super) fn log_into(&mut self, dir: &Path) {
        self.stand_ins.iter_mut().for_each(|one| one.log_into(dir));
        self.started.iter_mut().for_each(|one| one.guarded.log_to(&log_path(dir, &one.name, "")));
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        self.stand_ins.iter_mut().for_each(StandIn::let_go);
        self.started.iter_mut().for_each(|one| one.guarded.let_go());
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
        "error: {} has commands that start engines ({})\n  read them, then allow them with --allow-commands",
        path.display(),
        fields.join(", ")
    )))
}

/// Starts the engines of the scenario's targets, one after another, each until it answers.
pub(super) async fn start(scenario: &Scenario, quiet: bool) -> Result<Engines, Failure> {
    let mut all = Engines::default();
    for (name, spec) in &scenario.targets {
        let Some(words) = scenario.start.get(name) else { continue };
        if !quiet {
            tell(wrapped(&format!("loadcmp: starting `{name}`: {}", words.first().map_or("", String::as_str))));
        }
        let failed = |why: String| Failure::Target(format!("error: target `{name}`: {why}"));
        // What answers already is somebody else's, and would be measured in its place.
        if discover(spec, scenario.task).await.is_ok() {
            return Err(failed("something already answers there before its command was run; stop it first".to_owned()));
        }
        let run = Start { words: words.clone(), secrets: secrets(scenario.targets.values()), ..Start::default() };
        let guarded = Guarded::start(run, |_| {}).map_err(failed)?;
        // Before it is waited for: if that is the end, all end at the same time.
        all.started.push(Started { name: name.clone(), guarded });
        if let Some(started) = all.started.last_mut() {
            ready(started, spec, scenario.task).await.map_err(failed)?;
        }
    }
    Ok(all)
}

/// What an engine may have been given and could write.
pub(super) fn secrets<'a>(targets: impl IntoIterator<Item = &'a TargetSpec>) -> Vec<String> {
    let of = |spec: &'a TargetSpec| {
        let token = match spec {
            TargetSpec::GgCore(gg_core) => Some(&gg_core.token),
            TargetSpec::OpenAi(openai) => Some(&openai.token),
            TargetSpec::Json(_) | TargetSpec::Ollama(_) => None,
        };
        token.into_iter().chain(spec.headers().into_iter().flat_map(|headers| headers.values()))
    };
    let all = targets.into_iter().flat_map(of).map(|secret| secret.expose());
    all.filter(|value| sought(value)).map(str::to_owned).collect()
}

/// Waits until it answers, or ends.
async fn ready(started: &mut Started, spec: &TargetSpec, task: Task) -> Result<(), String> {
    tokio::select! {
        ended = started.guarded.ended() => {
            let ended = ended?;
            Err(format!("its command ended with {}{}", ended.how, ended.last_words()))
        }
        told = answering(LOOK, async || Ok(discover(spec, task).await.is_ok_and(|found| !found.busy))) => told,
    }
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
    told.unwrap_or_else(|_| Err(format!("it didn't answer within {} s after its start", READY.as_secs())))
}
