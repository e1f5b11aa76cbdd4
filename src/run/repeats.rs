//! A scenario run several times: the same plan each time, the targets in an order drawn anew, each run whole and in a folder of
//! its own; and what the runs say together.

use super::in_turn::{InTurn, inside, keep, left_words, read};
use super::kinds::REPEATS;
use super::started::{allowed, start};
use super::{
    Engines, Failure, Options, RESULTS, command_line, directory, free, interrupted, not_pruned, now, paced, prepare,
    report_of, retell_one, tell, unless_signalled,
};
use crate::record::Stopwatch;
use crate::report::repeats::{PlannedRepeat, REPEATS_VERSION, Repeats, RepeatsBuilder, RepeatsManifest};
use crate::report::words::about;
use crate::report::{Status, TOOL};
use crate::scenario::gate::Inconclusive;
use crate::scenario::{Loaded, RepeatsSpec, Scenario};
use crate::sink;
use crate::target::discover::is_auto;
use anyhow::Context;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};

/// Where the runs lie, below the results directory.
const FOLDER: &str = "repeats";

/// Finished repeats.
pub struct Repeated {
    /// What came of them.
    pub repeats: Repeats,
    /// Where they lie.
    pub dir: PathBuf,
}

/// The runs in words, for whoever is about to start them; nothing where there is one run.
pub fn repeats_words(loaded: &Loaded) -> Option<String> {
    let spec = loaded.scenario.repeats.as_ref()?;
    let pause = if spec.pause.0.is_zero() { String::new() } else { format!(", {} pause between runs", spec.pause) };
    let load = loaded.scenario.load_length().map(|one| format!(", about {} of load in all", about(one * spec.runs)));
    Some(format!("{} runs of the same plan{pause}{}", spec.runs, load.unwrap_or_default()))
}

/// Drives a scenario that has `repeats`. Everything that isn't the result goes to standard error.
pub async fn repeats(loaded: Loaded, options: &Options) -> Result<Repeated, Failure> {
    let clock = Stopwatch::start();
    options.out.as_deref().map_or(Ok(()), free)?;
    let Some(spec) = loaded.scenario.repeats.clone() else {
        return Err(Failure::Usage("error: the scenario has no `repeats`".to_owned()));
    };
    let loaded = unless_signalled(paced::found(loaded, options)).await?;
    // Kept to the end, where the engines are to go on running between the runs.
    let mut kept = running(&loaded, &spec, options).await?;
    let dir = directory(options, Path::new(RESULTS), &loaded.scenario.name)?;
    if let Some(kept) = &mut kept {
        kept.log_into(&dir);
    }
    let mut manifest = RepeatsManifest { inconclusive: options.inconclusive, ..planned(&loaded, &spec) };
    let folder = dir.join(FOLDER);
    std::fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
    keep(&manifest, &dir, REPEATS)?;
    if !options.quiet {
        tell(format_args!("loadcmp: {}", repeats_words(&loaded).unwrap_or_default()));
    }
    let of_run = Options { engines_run: kept.is_some(), ..options.clone() };
    let mut builder = RepeatsBuilder::new(&manifest);
    let mut turns = InTurn::default();
    for at in 0..manifest.runs.len() {
        if !turns.goes_on(interrupted() || at > 0 && pause(&spec).await.is_err()) {
            break;
        }
        let run = manifest.runs[at].clone();
        if !options.quiet {
            let all = manifest.runs.len();
            let left = left_words(&clock, at, all);
            tell(format_args!("loadcmp: run {} of {all}: {}{left}", at + 1, run.order.join(", ")));
        }
        let one = ordered(&loaded, &manifest.reference, &run.order);
        // What is said of engines and prompts is said once.
        let quiet = options.quiet || at > 0;
        match super::run_one(one, &Options { out: Some(dir.join(&run.folder)), quiet, ..of_run.clone() }).await {
            Ok(finished) => {
                builder.push(at + 1, run.clone(), &finished.report);
                if turns.ended(finished.report.status) {
                    break;
                }
            }
            // What can't begin at all leaves nothing behind, as a single run wouldn't.
            Err(failure) if at == 0 && !dir.join(&run.folder).exists() => {
                let _ = std::fs::remove_file(dir.join(REPEATS)).and_then(|()| std::fs::remove_dir(&folder));
                let _ = std::fs::remove_dir(&dir);
                return Err(failure);
            }
            Err(failure) => {
                let Some((why, code)) = turns.failed(failure)? else { break };
                (manifest.runs[at].failed, manifest.runs[at].code) = (Some(why), Some(code));
                keep(&manifest, &dir, REPEATS)?;
                if !options.quiet {
                    turns.tell();
                }
            }
        }
    }
    drop(kept);
    manifest.status = turns.status();
    manifest.ended = Some(now());
    keep(&manifest, &dir, REPEATS)?;
    turns.failure(!builder.is_empty()).map_or_else(|| finish(builder, manifest, dir), Err)
}

/// Makes every file of the repeats and of their runs again.
pub fn retell_repeats(dir: &Path) -> Result<Repeated, Failure> {
    let version = |manifest: &RepeatsManifest| manifest.schema_version;
    let mut manifest = read(&dir.join(REPEATS), version, REPEATS_VERSION)?;
    if manifest.status == Status::Running {
        manifest.status = Status::Interrupted;
    }
    let mut builder = RepeatsBuilder::new(&manifest);
    for (at, run) in manifest.runs.iter().enumerate() {
        let folder = dir.join(&run.folder);
        if !inside(&run.folder) || run.failed.is_some() || !folder.join("manifest.json").is_file() {
            continue;
        }
        // Of a run whose samples were removed, the report says all there is to say.
        let report = if not_pruned(&folder).is_ok() { retell_one(&folder)?.report } else { report_of(&folder)? };
        builder.push(at + 1, run.clone(), &report);
    }
    finish(builder, manifest, dir.to_owned())
}

fn finish(builder: RepeatsBuilder, manifest: RepeatsManifest, dir: PathBuf) -> Result<Repeated, Failure> {
    let repeats = builder.finish(manifest);
    sink::write_repeats(&dir, &repeats).with_context(|| format!("writing the files of {}", dir.display()))?;
    Ok(Repeated { repeats, dir })
}

/// Waits between two runs; an error is a signal.
async fn pause(spec: &RepeatsSpec) -> Result<(), Failure> {
    if spec.pause.0.is_zero() {
        return Ok(());
    }
    unless_signalled(async {
        tokio::time::sleep(spec.pause.0).await;
        Ok(())
    })
    .await
}

/// The engines of the scenario's own commands, where they are to go on running from run to run.
async fn running(loaded: &Loaded, spec: &RepeatsSpec, options: &Options) -> Result<Option<Engines>, Failure> {
    if loaded.scenario.start.is_empty() || spec.restarts(&loaded.scenario) {
        return Ok(None);
    }
    allowed(&loaded.scenario, &loaded.path, options)?;
    unless_signalled(start(&loaded.scenario, options.quiet)).await.map(Some)
}

/// What is to be, before anything is run. Every run has the targets in an order of its own, drawn from the seed.
fn planned(loaded: &Loaded, spec: &RepeatsSpec) -> RepeatsManifest {
    let scenario = &loaded.scenario;
    let targets: Vec<String> = scenario.targets.keys().cloned().collect();
    let names: Vec<&str> = targets.iter().map(String::as_str).collect();
    let reference = targets.get(prepare::reference(scenario, &names)).cloned().unwrap_or_default();
    let own = |name: &&String| scenario.start.contains_key(*name);
    let restarted = targets.iter().filter(own).filter(|_| spec.restarts(scenario)).cloned().collect();
    let sought = scenario.targets.iter().filter(|(_, spec)| is_auto(spec)).map(|(name, _)| name.clone()).collect();
    RepeatsManifest {
        schema_version: REPEATS_VERSION,
        inconclusive: Inconclusive::default(),
        tool: TOOL.to_owned(),
        command: command_line::told(),
        name: scenario.name.clone(),
        about: scenario.shown.as_ref().map_or(&scenario.about, |shown| &shown.about).clone(),
        task: scenario.task,
        seed: scenario.seed,
        started: now(),
        ended: None,
        status: Status::Running,
        runs: orders(&targets, spec.runs, scenario.seed),
        targets,
        reference,
        pause_s: spec.pause.0.as_secs_f64(),
        restarted,
        sought,
    }
}

/// The runs, each with the targets in an order of its own. In each pair of runs the second has the first's order turned around:
/// whatever the first place is worth, each of two targets has it as often as the other.
fn orders(targets: &[String], runs: u32, seed: u64) -> Vec<PlannedRepeat> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut order = targets.to_vec();
    let run = |number: u32| {
        if number % 2 == 1 {
            order.shuffle(&mut draw);
        } else {
            order.reverse();
        }
        PlannedRepeat { folder: format!("{FOLDER}/{number:02}"), order: order.clone(), failed: None, code: None }
    };
    (1..=runs).map(run).collect()
}

/// The scenario with its targets in this order; the reference stays what it is.
fn ordered(loaded: &Loaded, reference: &str, order: &[String]) -> Loaded {
    let place = |name: &String| order.iter().position(|known| known == name);
    let turn = |scenario: &mut Scenario| {
        scenario.targets.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
        scenario.reference = Some(reference.to_owned());
        scenario.repeats = None;
    };
    let mut one = Loaded { points: Vec::new(), ..loaded.clone() };
    turn(&mut one.scenario);
    if let Some(shown) = &mut one.scenario.shown {
        turn(shown);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(targets: &[&str]) -> Vec<String> {
        targets.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_run_has_each_target_once_and_each_of_two_is_first_as_often() {
        for seed in 0..20 {
            let runs = orders(&names(&["a", "b"]), 6, seed);
            assert_eq!(runs, orders(&names(&["a", "b"]), 6, seed));
            assert_eq!(runs.iter().filter(|run| run.order[0] == "a").count(), 3, "{runs:?}");
            assert_eq!(runs[5].folder, "repeats/06");
        }
        let three = names(&["a", "b", "c"]);
        let runs = orders(&three, 10, 42);
        for run in &runs {
            let mut order = run.order.clone();
            order.sort();
            assert_eq!(order, three);
        }
        let different: std::collections::BTreeSet<_> = runs.iter().map(|run| run.order.clone()).collect();
        assert!(different.len() > 2, "{runs:?}");
    }
}
