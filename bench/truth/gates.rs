//! Nights whose truth is known: two equal engines, tonight and when the baseline was kept; and one engine, held to the numbers that
//! are true of it. How often a gate fails that should not.

use crate::model::{MODELS, Model};
use loadcmp::gate::{GateInputs, GateOutcome, NO_BASELINE, Past, Spoilt, judge};
use loadcmp::scenario::gate::Gate;
use loadcmp::stats::Folded;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Most nights with a failed gate, as a share, where bounds leave 5 % of room.
const MOST: f64 = 0.01;

/// Most gates that fail at the truth itself, as a share: half of what a 95 % interval gives away.
const MOST_AT_TRUTH: f64 = 0.025;

/// The same of gates on numbers: a run tells of one engine's own speed, which wanders, and no other side takes that out.
const MOST_OF_NUMBERS: f64 = 0.05;

/// What came of the nights of a way of driving.
pub struct Judged {
    name: String,
    nights: u64,
    /// Nights on which any of the gates failed that leave 5 % of room, and how many of these gates failed.
    failed: u64,
    roomy_failed: u64,
    /// Gates at the truth itself that failed, and all of them.
    at_truth: (u64, u64),
    /// Gates with room that passed, and all of them.
    passed: (u64, u64),
    /// Whether it is gate by gate that few may fail: where a run scatters by more than the room, each gate's interval is as right
    /// as it says, and of six at once more nights have one that fails.
    by_gate: bool,
    /// The share of gates at the truth that may fail; `None` of what is printed as what it is: 40 s of a queue under random
    /// arrivals are no measure of its long run, whose truth is told here.
    most_at_truth: Option<f64>,
}

/// The gates of a night: `room` times the reference, and the baseline.
fn gates(model: &Model, room: f64) -> Vec<Gate> {
    let metric = model.metric();
    let figures = ["p50", "p95", "mean"];
    let beside = figures.map(|figure| format!("a.{metric}.{figure} <= {room} * b.{metric}.{figure}"));
    let before = figures.map(|figure| format!("a.{metric}.{figure} <= {room} * baseline"));
    beside.into_iter().chain(before).map(|text| read(&text)).collect()
}

fn read(text: &str) -> Gate {
    Gate::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Judges `nights` of each way of driving.
pub fn measure(nights: u64) -> Vec<Judged> {
    println!(
        "\n{:<38} {:>7} {:>14} {:>16} {:>12}",
        "equal engines, gates", "nights", "a gate failed", "at the truth", "passed"
    );
    let beside = (0..).zip(&MODELS).map(|(number, model)| one(model, number, nights));
    beside.chain(numbers(nights)).collect()
}

/// Tallies nights on all cores. `night` gives the outcomes with room and those without.
fn over(
    name: String,
    nights: u64,
    by_gate: bool,
    most_at_truth: Option<f64>,
    night: impl Fn(u64) -> (Vec<GateOutcome>, Vec<GateOutcome>) + Sync,
) -> Judged {
    let next = AtomicU64::new(0);
    let counts = [const { AtomicU64::new(0) }; 6];
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    if at >= nights {
                        return;
                    }
                    let (roomy, tight) = night(at);
                    let count =
                        |all: &[GateOutcome], what| all.iter().filter(|outcome| **outcome == what).count() as u64;
                    counts[0].fetch_add(u64::from(roomy.contains(&GateOutcome::Fail)), Relaxed);
                    counts[1].fetch_add(count(&tight, GateOutcome::Fail), Relaxed);
                    counts[2].fetch_add(tight.len() as u64, Relaxed);
                    counts[3].fetch_add(count(&roomy, GateOutcome::Pass), Relaxed);
                    counts[4].fetch_add(roomy.len() as u64, Relaxed);
                    counts[5].fetch_add(count(&roomy, GateOutcome::Fail), Relaxed);
                }
            });
        }
    });
    let [failed, tight, tights, passed, all, roomy_failed] = counts.map(AtomicU64::into_inner);
    let judged = Judged {
        name,
        nights,
        failed,
        roomy_failed,
        at_truth: (tight, tights),
        passed: (passed, all),
        by_gate,
        most_at_truth,
    };
    let share = |(a, b): (u64, u64)| format!("{:.2} %", a as f64 / b.max(1) as f64 * 100.0);
    println!(
        "{:<38} {:>7} {:>14} {:>16} {:>12}",
        judged.name,
        nights,
        share((failed, nights)),
        share(judged.at_truth),
        share(judged.passed)
    );
    judged
}

fn one(model: &'static Model, number: u64, nights: u64) -> Judged {
    over(model.name.to_owned(), nights, false, Some(MOST_AT_TRUTH), |night| {
        let seed = |kind: u64| (number * 16 + 12 + kind) * 1_000_000 + night;
        let tonight = model.run(model.units, 1.0, seed(0));
        let before = model.run(model.units, 1.0, seed(1));
        let past = Past {
            targets: &before.targets,
            histograms: &before.histograms,
            probe: None,
            nights: &loadcmp::stats::ONE_RUN,
        };
        let outcomes = |room: f64| told(model, gates(model, room), &tonight, Ok(past));
        (outcomes(1.05), outcomes(1.0))
    })
}

/// Gates on numbers: for each way of driving, and for engines that take seconds an answer, of which a run has few. Both
/// sides of the truth are tried: that it is at most so much, and at least so much.
fn numbers(nights: u64) -> Vec<Judged> {
    let driven = MODELS.iter().filter(|model| model.until.is_none()).map(|model| (model, 1.0));
    let slow = [30.0, 150.0, 300.0, 600.0].into_iter().map(|slower| (&MODELS[0], slower));
    (0..)
        .zip(driven.chain(slow))
        .flat_map(|(number, (model, slower))| number_of(model, slower, number, nights))
        .collect()
}

fn number_of(model: &'static Model, slower: f64, number: u64, nights: u64) -> [Judged; 2] {
    let seed = |kind: u64, run: u64| (5_000 + number * 4 + kind) * 1_000_000 + run;
    let metric = model.metric();
    let times = ["p50", "p95", "mean"].map(|figure| format!("{metric}.{figure}"));
    let rates = ["requests_per_s".to_owned()];
    let long: Vec<Folded> = (0..8).map(|run| model.run(model.units * 10, slower, seed(0, run))).collect();
    let truth = |path: &str| {
        let all: Vec<f64> = long.iter().filter_map(|run| run.targets[0].value(path)).collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    let most = (!model.open()).then_some(MOST_OF_NUMBERS);
    let held = |what: &str, paths: &[String]| {
        let truths: Vec<f64> = paths.iter().map(|path| truth(path)).collect();
        let gates = |room: f64| -> Vec<Gate> {
            let unit = |path: &str| if path.contains('.') { "us" } else { "" };
            let both = |(path, truth): (&String, &f64)| {
                let (most, least, unit) = (truth * room, truth / room, unit(path));
                [read(&format!("a.{path} <= {most:.6}{unit}")), read(&format!("a.{path} >= {least:.6}{unit}"))]
            };
            paths.iter().zip(&truths).flat_map(both).collect()
        };
        let seconds = if slower > 1.0 { format!(", {:.1} s an answer", 0.0149 * slower) } else { String::new() };
        over(format!("{what}, {}{seconds}", model.name), nights, true, most, |night| {
            let tonight = model.run(model.units, slower, seed(1, night));
            let outcomes = |room: f64| told(model, gates(room), &tonight, Err(NO_BASELINE));
            (outcomes(1.05), outcomes(1.0))
        })
    };
    [held("times", &times), held("rate", &rates)]
}

fn told(model: &Model, gates: Vec<Gate>, tonight: &Folded, past: Result<Past<'_>, &'static str>) -> Vec<GateOutcome> {
    let mut plan = model.plan(0);
    plan.gates.all = gates;
    plan.gates.stand_ins = true;
    let judgement = judge(&GateInputs {
        plan: &plan,
        spoilt: &Spoilt::No,
        targets: &tonight.targets,
        histograms: &tonight.histograms,
        comparisons: &tonight.comparisons,
        probe: None,
        past,
    });
    judgement.gates.iter().map(|judged| judged.outcome).collect()
}

impl Judged {
    /// What is wrong with it: more failed than may, beyond what chance explains.
    pub fn wrong(&self) -> Option<String> {
        let beyond = |(failed, all): (u64, u64), most: f64| {
            let (share, all) = (failed as f64 / all.max(1) as f64, all.max(1) as f64);
            (share > most + 2.0 * (most * (1.0 - most) / all).sqrt()).then_some(share * 100.0)
        };
        let most = self.most_at_truth?;
        // The gates of a night depend on each other: as many nights as there are tell as much as there are nights.
        let per_night = (self.at_truth.0 * self.nights / self.at_truth.1.max(1), self.nights);
        let (failed, what) = if self.by_gate {
            (self.roomy_failed * self.nights / self.passed.1.max(1), "of those with room failed")
        } else {
            (self.failed, "of nights had one that failed")
        };
        if let Some(share) = beyond((failed, self.nights), MOST) {
            return Some(format!("gates, {}: {share:.2} % {what}", self.name));
        }
        let share = beyond(per_night, most)?;
        Some(format!("gates, {}: {share:.2} % of those at the truth failed", self.name))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name, "nights": self.nights, "nights_failed": self.failed, "failed": self.roomy_failed,
            "at_truth_failed": self.at_truth.0, "at_truth": self.at_truth.1, "passed": self.passed.0, "gates": self.passed.1,
        })
    }
}
