//! A scenario at several points: each run as `loadcmp run SCENARIO --set path=value` makes it, in a folder of its own, in an
//! order drawn from the seed; and what the runs say together.

use super::in_turn::{InTurn, inside, keep, left_words, read};
use super::{Failure, Options, free, interrupted, now, results_directory, retell_one, tell, usable};
use crate::metrics::human::file_part;
use crate::record::Stopwatch;
use crate::record::columns::Names;
use crate::record::rows::read_rows;
use crate::record::zst::rows_file;
use crate::report::sweep::{
    Gathering, PlannedRun, SWEEP_VERSION, Sweep, SweepBuilder, SweepManifest, point_words, short_path, value_words,
};
use crate::report::words::about;
use crate::report::{Report, Status, TOOL};
use crate::scenario::{Loaded, SweepPoint};
use crate::sink;
use anyhow::Context;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MANIFEST: &str = "sweep-manifest.json";

/// A finished sweep.
pub struct Swept {
    /// What came of it.
    pub sweep: Sweep,
    /// Where it lies.
    pub dir: PathBuf,
}

/// Whether a directory holds a sweep.
pub fn is_sweep(dir: &Path) -> bool {
    dir.join(MANIFEST).is_file()
}

/// The runs of a sweep in words, for whoever is about to start it; nothing without a sweep.
pub fn sweep_words(loaded: &Loaded) -> Option<String> {
    let sweep = loaded.scenario.sweep.as_ref()?;
    let (points, runs) = (loaded.points.len(), loaded.points.len() * sweep.repeats as usize);
    let lengths: Option<Vec<Duration>> = loaded.points.iter().map(|point| point.scenario.load_length()).collect();
    let lasting = match lengths {
        Some(all) => {
            let whole: Duration = all.iter().sum::<Duration>() * sweep.repeats;
            format!(", {} of load", about(whole))
        }
        None => String::new(),
    };
    let paths: Vec<&str> = loaded.points.first()?.values.iter().map(|(path, _)| path.as_str()).collect();
    Some(format!(
        "sweep over {}: {points} points, {runs} runs{lasting}; no run starts after {}",
        paths.join(", "),
        sweep.limit
    ))
}

/// The load of a scenario in a line: its length, and how many points it has.
pub fn load_words(loaded: &Loaded) -> String {
    if let Some(words) = sweep_words(loaded) {
        return words;
    }
    match loaded.scenario.load_length() {
        Some(time) => format!("{} of load", about(time)),
        None => "as long as its requests take".to_owned(),
    }
}

/// Drives a scenario that has a sweep. Everything that isn't the result goes to standard error.
pub async fn sweep(loaded: Loaded, options: &Options) -> Result<Swept, Failure> {
    let clock = Stopwatch::start();
    options.out.as_deref().map_or(Ok(()), free)?;
    let Some(spec) = loaded.scenario.sweep.clone() else {
        return Err(Failure::Usage("error: the scenario has no `sweep`".to_owned()));
    };
    let words = sweep_words(&loaded).unwrap_or_default();
    let points = loaded.points.clone();
    // The engines are looked for once before all, so that one that isn't there is told before a directory is made.
    let base = Loaded { points: Vec::new(), ..loaded.clone() };
    let prepared = usable(base, options).await?;
    let dir = results_directory(&prepared, options)?;
    drop(prepared);
    let scenario = &loaded.scenario;
    let mut manifest = SweepManifest {
        schema_version: SWEEP_VERSION,
        tool: TOOL.to_owned(),
        name: scenario.name.clone(),
        about: scenario.shown.as_ref().map_or(&scenario.about, |shown| &shown.about).clone(),
        task: scenario.task,
        seed: scenario.seed,
        started: now(),
        ended: None,
        status: Status::Running,
        paths: points.first().map(|p| p.values.iter().map(|(path, _)| path.clone()).collect()).unwrap_or_default(),
        repeats: spec.repeats,
        runs: planned(&points, spec.repeats, scenario.seed),
    };
    let folder = dir.join("points");
    std::fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
    keep(&manifest, &dir, MANIFEST)?;
    if !options.quiet {
        tell(format_args!("loadcmp: {words}"));
    }
    let (mut builder, mut turns) = (SweepBuilder::new(), InTurn::default());
    for at in 0..manifest.runs.len() {
        let (run, taken) = (manifest.runs[at].clone(), Duration::from_nanos(clock.now().0));
        if !turns.goes_on(interrupted() || taken >= spec.limit.0) {
            break;
        }
        if !options.quiet {
            let set = point_words(manifest.paths.iter().zip(&run.values));
            let all = manifest.runs.len();
            tell(format_args!("loadcmp: {} of {all}: {set}{}", at + 1, left_words(&clock, at, all)));
        }
        let Some(point) = points.get(run.point - 1) else { break };
        let one = Loaded { scenario: point.scenario.clone(), points: Vec::new(), ..loaded.clone() };
        let of_run = Options { out: Some(dir.join(&run.folder)), quiet: true, ..options.clone() };
        match super::run_one(one, &of_run).await {
            Ok(finished) => {
                let gathered = gather(&finished.dir, &finished.report)?;
                builder.push(run, &finished.report, gathered);
                if turns.ended(finished.report.status) {
                    break;
                }
            }
            Err(failure) => {
                let Some((why, code)) = turns.failed(failure)? else { break };
                (manifest.runs[at].failed, manifest.runs[at].code) = (Some(why), Some(code));
                keep(&manifest, &dir, MANIFEST)?;
                if !options.quiet {
                    turns.tell();
                }
            }
        }
    }
    manifest.status = turns.status();
    manifest.ended = Some(now());
    keep(&manifest, &dir, MANIFEST)?;
    turns.failure(!builder.is_empty()).map_or_else(|| finish(builder, manifest, dir), Err)
}

/// Makes every file of a sweep and of its runs again.
pub fn retell_sweep(dir: &Path) -> Result<Swept, Failure> {
    let version = |manifest: &SweepManifest| manifest.schema_version;
    let mut manifest = read(&dir.join(MANIFEST), version, SWEEP_VERSION)?;
    if manifest.status == Status::Running {
        manifest.status = Status::Interrupted;
    }
    let mut builder = SweepBuilder::new();
    for run in &manifest.runs {
        let (inside, folder) = (inside(&run.folder), dir.join(&run.folder));
        if inside {
            super::not_pruned(&folder)?;
        }
        if inside && run.failed.is_none() && rows_file(&folder).is_some() {
            let finished = retell_one(&folder)?;
            let gathered = gather(&folder, &finished.report)?;
            builder.push(run.clone(), &finished.report, gathered);
        }
    }
    finish(builder, manifest, dir.to_owned())
}

fn finish(builder: SweepBuilder, manifest: SweepManifest, dir: PathBuf) -> Result<Swept, Failure> {
    let sweep = builder.finish(manifest);
    sink::write_sweep(&dir, &sweep).with_context(|| format!("writing the files of {}", dir.display()))?;
    Ok(Swept { sweep, dir })
}

/// The runs in the order they are driven: every round has all points once, each round in an order of its own, so that what
/// drifts on the machine falls on all points alike.
fn planned(points: &[SweepPoint], repeats: u32, seed: u64) -> Vec<PlannedRun> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut runs = Vec::new();
    let digits = (points.len() * repeats as usize).to_string().len().max(2);
    for repeat in 1..=repeats {
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.shuffle(&mut draw);
        for at in order {
            let values = points.get(at).map(|point| point.values.as_slice()).unwrap_or_default();
            let name: Vec<String> =
                values.iter().map(|(path, value)| format!("{}-{}", short_path(path), value_words(value))).collect();
            let number = runs.len() + 1;
            let round = if repeats > 1 { format!("-r{repeat}") } else { String::new() };
            runs.push(PlannedRun {
                folder: format!("points/{number:0digits$}-{}{round}", file_part(&name.join("-"))),
                point: at + 1,
                repeat,
                values: values.iter().map(|(_, value)| value.clone()).collect(),
                failed: None,
                code: None,
            });
        }
    }
    runs
}

/// What the fits need of a run's samples.
fn gather(dir: &Path, report: &Report) -> Result<Gathering, Failure> {
    let mut gathered = Gathering::new(report.targets.len());
    read_rows(dir, &Names::of(&report.plan), |sample| gathered.push(sample))?;
    Ok(gathered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load_str};

    fn loaded(more: &str) -> Loaded {
        let text = format!(
            "name: x\ntask: generate\ntargets: {{ a: {{ ollama: {{}} }}, b: {{ ollama: {{}} }} }}\n\
             workload: {{ prompts: {{ inline: [{{ text: hi }}] }} }}\nload: {{ closed: {{ users: 1, duration: 4s, warmup: 1s }} }}\n\
             {more}\n"
        );
        load_str("x.yaml", &text, &Overrides::default()).map_err(|e| e.to_string()).unwrap()
    }

    #[test]
    fn each_round_has_every_point_once_in_an_order_of_its_own() {
        let loaded = loaded("sweep: { over: { load.closed.users: [1, 2, 4, 8], seed: [1, 2, 3] }, repeats: 3 }");
        let runs = planned(&loaded.points, 3, 42);
        assert_eq!(runs, planned(&loaded.points, 3, 42));
        let order = |round: u32| runs.iter().filter(|r| r.repeat == round).map(|r| r.point).collect::<Vec<_>>();
        for round in 1..=3 {
            let mut all = order(round);
            all.sort_unstable();
            assert_eq!(all, (1..=12).collect::<Vec<_>>());
        }
        assert!(order(1) != order(2) && order(1) != (1..=12).collect::<Vec<_>>());
        let folders: std::collections::BTreeSet<&str> = runs.iter().map(|run| run.folder.as_str()).collect();
        assert_eq!(folders.len(), 36);
        let eighth = runs.iter().find(|run| run.point == 8 && run.repeat == 2).unwrap();
        assert!(eighth.folder.ends_with("-users-4-seed-2-r2"), "{}", eighth.folder);
    }

    #[test]
    fn how_long_it_takes_is_told_beforehand() {
        let loaded = loaded("sweep: { over: { load.closed.duration: [4s, 14s] }, repeats: 3, limit: 5m }");
        let words = sweep_words(&loaded).unwrap();
        assert_eq!(words, "sweep over load.closed.duration: 2 points, 6 runs, 60 s of load; no run starts after 5m");
        assert_eq!(sweep_words(&super::tests::loaded("")), None);
    }

    #[test]
    fn names_of_folders_are_plain() {
        assert_eq!(file_part("model-x:q4/../é"), "model-x-q4-..--");
    }
}
