//! Nights whose truth is known: two equal engines, tonight and when the baseline was kept. How often a gate fails that should
//! not.

use crate::model::{MODELS, Model};
use loadcmp::gate::{Evidence, Outcome, Past, judge};
use loadcmp::scenario::gate::Gate;
use loadcmp::stats::Folded;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Most nights with a failed gate, as a share, where bounds leave 5 % of room.
const MOST: f64 = 0.01;

/// What came of the nights of a way of driving.
pub struct Judged {
    name: &'static str,
    nights: u64,
    /// Nights on which any of the gates failed that leave 5 % of room.
    failed: u64,
    /// Gates at the truth itself that failed, and all of them.
    at_truth: (u64, u64),
    /// Gates with room that passed, and all of them.
    passed: (u64, u64),
}

/// The gates of a night: `room` times the reference, and the baseline.
fn gates(model: &Model, room: f64) -> Vec<Gate> {
    let metric = model.metric();
    let figures = ["p50", "p95", "mean"];
    let beside = figures.map(|figure| format!("a.{metric}.{figure} <= {room} * b.{metric}.{figure}"));
    let before = figures.map(|figure| format!("a.{metric}.{figure} <= {room} * baseline"));
    let read = |text: String| Gate::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    beside.into_iter().chain(before).map(read).collect()
}

/// Judges `nights` of each way of driving.
pub fn measure(nights: u64) -> Vec<Judged> {
    println!(
        "\n{:<30} {:>7} {:>14} {:>16} {:>12}",
        "equal engines, gates", "nights", "a gate failed", "at the truth", "passed"
    );
    (0..).zip(&MODELS).map(|(number, model)| one(model, number, nights)).collect()
}

fn one(model: &'static Model, number: u64, nights: u64) -> Judged {
    let next = AtomicU64::new(0);
    let counts = [const { AtomicU64::new(0) }; 5];
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let night = next.fetch_add(1, Relaxed);
                    if night >= nights {
                        return;
                    }
                    let seed = |kind: u64| (number * 16 + 12 + kind) * 1_000_000 + night;
                    let tonight = model.run(model.units, 1.0, seed(0));
                    let before = model.run(model.units, 1.0, seed(1));
                    let outcomes = |room: f64| told(model, seed(0), &tonight, &before, room);
                    let (roomy, tight) = (outcomes(1.05), outcomes(1.0));
                    let count = |all: &[Outcome], what| all.iter().filter(|outcome| **outcome == what).count() as u64;
                    counts[0].fetch_add(u64::from(roomy.contains(&Outcome::Fail)), Relaxed);
                    counts[1].fetch_add(count(&tight, Outcome::Fail), Relaxed);
                    counts[2].fetch_add(tight.len() as u64, Relaxed);
                    counts[3].fetch_add(count(&roomy, Outcome::Pass), Relaxed);
                    counts[4].fetch_add(roomy.len() as u64, Relaxed);
                }
            });
        }
    });
    let [failed, tight, tights, passed, all] = counts.map(AtomicU64::into_inner);
    let judged = Judged { name: model.name, nights, failed, at_truth: (tight, tights), passed: (passed, all) };
    let share = |(a, b): (u64, u64)| format!("{:.2} %", a as f64 / b.max(1) as f64 * 100.0);
    println!(
        "{:<30} {:>7} {:>14} {:>16} {:>12}",
        judged.name,
        nights,
        share((failed, nights)),
        share(judged.at_truth),
        share(judged.passed)
    );
    judged
}

fn told(model: &Model, seed: u64, tonight: &Folded, before: &Folded, room: f64) -> Vec<Outcome> {
    let mut plan = model.plan(seed);
    plan.gates.all = gates(model, room);
    plan.gates.stand_ins = true;
    let judgement = judge(&Evidence {
        plan: &plan,
        spoilt: &loadcmp::gate::Spoilt::No,
        targets: &tonight.targets,
        histograms: &tonight.histograms,
        comparisons: &tonight.comparisons,
        probe: None,
        past: Ok(Past {
            targets: &before.targets,
            histograms: &before.histograms,
            probe: None,
            nights: &loadcmp::stats::ONE_RUN,
        }),
    });
    judgement.gates.iter().map(|judged| judged.outcome).collect()
}

impl Judged {
    /// What is wrong with it: more nights failed than may, beyond what chance explains.
    pub fn wrong(&self) -> Option<String> {
        let share = self.failed as f64 / self.nights.max(1) as f64;
        let chance = 2.0 * (MOST * (1.0 - MOST) / self.nights.max(1) as f64).sqrt();
        (share > MOST + chance)
            .then(|| format!("gates, {}: failed on {:.2} % of equal nights", self.name, share * 100.0))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name, "nights": self.nights, "nights_failed": self.failed,
            "at_truth_failed": self.at_truth.0, "at_truth": self.at_truth.1, "passed": self.passed.0, "gates": self.passed.1,
        })
    }
}
