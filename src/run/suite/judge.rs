//! Judges the checks of a suite by the files that its scenarios left.

use super::super::{against_baseline, report_of};
use crate::report::sweep::SweepManifest;
use crate::scenario::plan::TargetPlan;
use crate::suite::{RunAtPoint, ScenarioRun, ScenarioState, Suite, judge_check};
use std::collections::HashMap;
use std::path::{Component, Path};

/// Judges every check anew, scenarios' own gates among them.
pub(super) fn judge(suite: &mut Suite, dir: &Path) {
    let mut read: HashMap<String, Vec<RunAtPoint>> = HashMap::new();
    for scenario in
        suite.scenarios.iter().filter(|scenario| matches!(scenario.state, ScenarioState::Done | ScenarioState::Running))
    {
        let mut points = points(scenario, dir);
        for point in &mut points {
            if let Ok(report) = &mut point.report {
                // As the suite is told, and not as the run was.
                report.plan.gates.stand_ins = suite.judge_stand_ins;
            }
        }
        read.insert(scenario.name.clone(), points);
    }
    for scenario in &mut suite.scenarios {
        let points = read.get(&scenario.name).map(Vec::as_slice).unwrap_or_default();
        let reports = points.iter().filter_map(|point| point.report.as_ref().ok());
        let mut engines: Vec<String> = reports.flat_map(|report| &report.plan.targets).map(engine).collect();
        engines.sort();
        engines.dedup();
        scenario.engines = engines;
    }
    for (name, points) in &read {
        // Of a document that doesn't have them.
        let reports = points.iter().filter_map(|point| point.report.as_ref().ok());
        let gates: Vec<&str> =
            reports.flat_map(|report| &report.plan.gates.all).map(|gate| gate.text.as_str()).collect();
        suite.own_gates(name, gates.into_iter());
    }
    for check in &mut suite.checks {
        let scenario = suite.scenarios.iter().find(|scenario| Some(&scenario.name) == check.scenario.as_ref());
        let points = scenario.and_then(|scenario| read.get(&scenario.name)).map(Vec::as_slice).unwrap_or_default();
        judge_check(check, scenario, points);
    }
}

/// A target and what answered for it, without a version: that is what one run is set beside the next for.
fn engine(target: &TargetPlan) -> String {
    let engine = target.facts.engine.as_deref().unwrap_or("?");
    format!("{}: {} {engine} {}", target.name, target.wire(), target.model)
}

/// The runs of a scenario. What a document says may come from elsewhere: only folders of this suite are read.
fn points(scenario: &ScenarioRun, dir: &Path) -> Vec<RunAtPoint> {
    let inside = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside(&scenario.folder) {
        return Vec::new();
    }
    let folder = dir.join(&scenario.folder);
    if !scenario.sweep {
        return vec![point(Vec::new(), &folder)];
    }
    let manifest: Option<SweepManifest> =
        std::fs::read(folder.join("sweep-manifest.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(manifest) = manifest else { return Vec::new() };
    let runs = manifest.runs.iter().filter(|run| inside(&run.folder));
    runs.map(|run| {
        let values = manifest.paths.iter().cloned().zip(run.values.iter().cloned()).collect();
        match &run.failed {
            Some(why) => RunAtPoint { values, report: Err(why.clone()), past: None },
            None => point(values, &folder.join(&run.folder)),
        }
    })
    .collect()
}

fn point(values: Vec<(String, serde_json::Value)>, folder: &Path) -> RunAtPoint {
    let report = report_of(folder).map_err(|failure| {
        let text = failure.to_string();
        text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
    });
    let past = against_baseline::copied(folder).ok().flatten();
    RunAtPoint { values, report, past }
}
