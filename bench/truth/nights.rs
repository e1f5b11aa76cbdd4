//! Nights that scatter, next to a baseline of one run and of several. The engine is equal, or slower by a share: how often a gate
//! with 5 % of room fails, against the level of a baseline whose runs scatter as the nights do.

use crate::model::MODELS;
use loadcmp::gate::{GateInputs, GateOutcome, Past, judge};
use loadcmp::scenario::gate::Gate;
use loadcmp::scenario::plan::Plan;
use loadcmp::stats::{Nights, Row, RunFigures, TargetSummary, UnitSeries, unit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Most nights of equal engines on which any gate fails.
const MOST: f64 = 0.01;
/// Standard deviation of a run's own estimate: a minute of 50 answers a second.
const WITHIN: f64 = 0.005;
/// Stretches of a run.
const STRETCHES: usize = 12;

/// What came of the nights of a kind.
pub struct Scattered {
    scatter: f64,
    runs: usize,
    nights: u64,
    /// Nights with a failed gate, of equal engines and of ones slower by 10, 20 and 30 %.
    failed: [u64; 4],
    /// Nights of equal engines on which all gates passed whose room is 30 %.
    passed: u64,
}

/// True differences.
const SLOWER: [f64; 4] = [1.0, 1.1, 1.2, 1.3];

/// Judges `nights` of each kind.
pub fn measure(nights: u64) -> Vec<Scattered> {
    println!(
        "\n{:<30} {:>7} {:>12} {:>7} {:>7} {:>7} {:>18}",
        "nights that scatter, by runs", "nights", "equal fails", "+10 %", "+20 %", "+30 %", "30 % room passes"
    );
    let mut all = Vec::new();
    for scatter in [0.01, 0.03, 0.05] {
        for runs in [1, 2, 3, 5, 10, 20] {
            all.push(one(scatter, runs, nights));
        }
    }
    all
}

fn one(scatter: f64, runs: usize, nights: u64) -> Scattered {
    let (roomy, wide) = (plan(1.05), plan(1.3));
    let mut told = Scattered { scatter, runs, nights, failed: [0; 4], passed: 0 };
    for night in 0..nights {
        let mut draw = ChaCha8Rng::seed_from_u64((runs as u64 * 100 + (scatter * 1000.0) as u64) << 32 | night);
        let kept: Vec<TargetSummary> = (0..runs).map(|_| run(scatter, 1.0, &mut draw)).collect();
        let figures = |target: &TargetSummary| RunFigures::of("", std::slice::from_ref(target));
        let of = Nights { runs: kept.iter().map(figures).collect(), others: Vec::new() };
        let Some(last) = kept.last() else { continue };
        let seed = draw.random::<u64>();
        for (at, slower) in SLOWER.into_iter().enumerate() {
            // The same night for each.
            let tonight = run(scatter, slower, &mut ChaCha8Rng::seed_from_u64(seed));
            let outcomes = |plan: &Plan| judged(&tonight, last, &of, plan);
            told.failed[at] += u64::from(outcomes(&roomy).contains(&GateOutcome::Fail));
            if at == 0 {
                told.passed += u64::from(outcomes(&wide).iter().all(|outcome| *outcome == GateOutcome::Pass));
            }
        }
    }
    let percent = |n: u64| format!("{:.1} %", n as f64 / nights.max(1) as f64 * 100.0);
    let [equal, ten, twenty, thirty] = told.failed.map(percent);
    println!(
        "{:<30} {nights:>7} {equal:>12} {ten:>7} {twenty:>7} {thirty:>7} {:>18}",
        format!("{:.0} %, {runs} in the baseline", scatter * 100.0),
        percent(told.passed)
    );
    told
}

/// A run whose figures share most of the night's luck.
fn run(scatter: f64, slower: f64, draw: &mut ChaCha8Rng) -> TargetSummary {
    let shared = normal(draw);
    let mut units = Vec::new();
    let mut figure = |metric: &str, usual: f64| {
        let night = scatter * (0.9 * shared + (1.0_f64 - 0.81).sqrt() * normal(draw));
        let stretch = WITHIN * (STRETCHES as f64).sqrt();
        let logs: Vec<f64> = (0..STRETCHES).map(|_| night + stretch * normal(draw)).collect();
        let of = |log: f64| usual * slower * log.exp();
        let value = of(logs.iter().sum::<f64>() / STRETCHES as f64);
        let values = logs.into_iter().map(of).collect();
        units.push(UnitSeries { metric: format!("latency.{metric}"), values, apart: true });
        let end = |z: f64| Some(value * (z * 1.96 * WITHIN).exp());
        (Some(value), end(-1.0), end(1.0))
    };
    let mut row = Row { n: Some(3000), ..Row::new("latency", unit::MICROS) };
    (row.mean, row.low, row.high) = figure("mean", 22_000.0);
    (row.p50, row.p50_low, row.p50_high) = figure("p50", 20_000.0);
    (row.p95, row.p95_low, row.p95_high) = figure("p95", 45_000.0);
    TargetSummary {
        name: "a".to_owned(),
        stand_in: false,
        window: None,
        steady: None,
        drift: None,
        units,
        work: loadcmp::stats::Work::default(),
        rows: vec![row],
        outcomes: Vec::new(),
        failures: Vec::new(),
        confusion: None,
    }
}

/// A plan whose gates leave so much room to the baseline.
fn plan(room: f64) -> Plan {
    let mut plan = MODELS[0].plan(1);
    let gate = |figure: &str| {
        let text = format!("a.latency.{figure} <= {room} * baseline");
        Gate::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    plan.gates.all = ["p50", "p95", "mean"].map(gate).to_vec();
    plan
}

fn judged(tonight: &TargetSummary, last: &TargetSummary, nights: &Nights, plan: &Plan) -> Vec<GateOutcome> {
    let judgement = judge(&GateInputs {
        plan,
        spoilt: &loadcmp::gate::Spoilt::No,
        targets: std::slice::from_ref(tonight),
        histograms: &[],
        comparisons: &[],
        probe: None,
        past: Ok(Past { targets: std::slice::from_ref(last), histograms: &[], probe: None, nights }),
    });
    judgement.gates.iter().map(|judged| judged.outcome).collect()
}

/// Box and Muller.
fn normal(draw: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (1.0 - draw.random::<f64>(), draw.random());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

impl Scattered {
    /// What is wrong with it: equal engines failed on more nights than may, beyond what chance explains. One run knows no
    /// scatter, and is only told.
    pub fn wrong(&self) -> Option<String> {
        let share = self.failed[0] as f64 / self.nights.max(1) as f64;
        let chance = 2.0 * (MOST * (1.0 - MOST) / self.nights.max(1) as f64).sqrt();
        (self.runs > 1 && share > MOST + chance).then(|| {
            let percent = |x: f64| x * 100.0;
            format!(
                "{} runs that scatter by {:.0} %: a gate failed on {:.2} % of equal nights",
                self.runs,
                percent(self.scatter),
                percent(share)
            )
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "scatter": self.scatter, "runs": self.runs, "nights": self.nights, "nights_failed": self.failed[0],
            "slower_failed": self.failed[1..], "passed": self.passed,
        })
    }
}
