//! The ways of driving that are tried, and one run of each through the fold that users get.

use crate::simulate::{Block, Load, rows};
use loadcmp::record::Nanos;
use loadcmp::scenario::plan::Plan;
use loadcmp::scenario::{BlocksSpec, Order, Sampling};
use loadcmp::stats::{Fold, Folded};

const S: u64 = 1_000_000_000;

/// A way of driving.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub name: &'static str,
    pub load: Load,
    pub alternate: bool,
    /// Units of a run of usual size: pairs of blocks; of one long run, a sixteenth of it.
    pub units: u64,
    /// Seconds of a unit.
    pub seconds: f64,
    /// Ends once the main ratio's interval should be this narrow.
    pub until: Option<f64>,
}

/// Answers a second that the simulated engine can give: two slots, 14.9 ms each on the average.
const CAPACITY: f64 = 134.0;

const fn model(name: &'static str, load: Load, alternate: bool) -> Model {
    let (units, seconds) = if alternate { (10, 4.0) } else { (16, 2.5) };
    Model { name, load, alternate, units, seconds, until: None }
}

pub const MODELS: [Model; 7] = [
    model("closed, concurrent", Load::Closed(4), false),
    model("closed, alternate", Load::Closed(4), true),
    model("constant 50 %, concurrent", Load::Constant(0.5 * CAPACITY), false),
    model("Poisson 50 %, concurrent", Load::Poisson(0.5 * CAPACITY), false),
    model("Poisson 70 %, alternate", Load::Poisson(0.7 * CAPACITY), true),
    model("bursts 50 %, alternate", Load::Bursts(0.5 * CAPACITY, 8), true),
    Model { until: Some(0.05), ..model("Poisson 50 %, alt., until 5 %", Load::Poisson(0.5 * CAPACITY), true) },
];

impl Model {
    pub fn open(&self) -> bool {
        !matches!(self.load, Load::Closed(_))
    }

    /// The metric that the three figures are of.
    pub fn metric(&self) -> &'static str {
        if self.open() { "response" } else { "latency" }
    }

    /// One run of `units`, the target `slower` than the reference by a factor.
    pub fn run(&self, units: u64, slower: f64, seed: u64) -> Folded {
        let plan = self.plan(seed);
        let mut fold = Fold::new(&plan, 1);
        if !self.alternate {
            let length = (self.seconds * units as f64 * S as f64) as u64;
            (0..2).for_each(|target| self.block(&mut fold, target, 0, 2 * S, length, slower, seed));
            return fold.finish();
        }
        let mut most = units;
        let mut done = 0;
        let mut clock = 2 * S;
        while done < most {
            // A B B A.
            for turn in 0..2 {
                let target = usize::from((turn + done + seed) % 2 == 1);
                let length = (self.seconds * S as f64) as u64;
                self.block(&mut fold, target, done as u32, clock, length, slower, seed);
                clock += length + 2 * S;
            }
            done += 1;
            if let Some(half) = self.until.filter(|_| done == units) {
                let times = fold.times_as_long(half).unwrap_or(1.0);
                most = ((done as f64 * times).ceil() as u64).clamp(units, 200);
            }
        }
        fold.finish()
    }

    #[allow(clippy::too_many_arguments, reason = "each is a number of its own")]
    fn block(&self, fold: &mut Fold, target: usize, block: u32, from: u64, length: u64, slower: f64, seed: u64) {
        let workload = seed.wrapping_mul(1_000_003).wrapping_add(u64::from(block));
        let engine = workload.wrapping_mul(2).wrapping_add(target as u64) ^ 0x5eed_0000_0000_0000;
        let slower = if target == 0 { slower } else { 1.0 };
        fold.window(target, block, Nanos(from), Some(Nanos(from + length)));
        let driven = Block { target, block, from, length, warmup: S, workload, engine, slower };
        rows(self.load, &driven).iter().for_each(|row| fold.push(row));
    }

    /// A plan of two targets, the second one the reference.
    pub fn plan(&self, seed: u64) -> Plan {
        let target = |name: &str| {
            serde_json::json!({
                "name": name, "stand_in": true, "model": "m", "inequalities": [],
                "endpoint": { "unix": { "path": "/tmp/none" } }, "spec": { "gg_core": {} },
                "facts": { "models": [] },
            })
        };
        let load = if self.open() {
            serde_json::json!({ "open": {
                "about": self.name, "spec": { "rate": 1.0 }, "duration": "40s", "warmup": "1s", "in_flight": 1024,
                "pacing": "timer", "planned": 0, "hash": "00",
            } })
        } else {
            serde_json::json!({ "closed": {
                "users": 4, "until": { "duration": "40s" }, "think": "0s", "warmup": "1s",
            } })
        };
        let plan = serde_json::json!({
            "name": "truth", "about": null, "task": "embed", "seed": seed,
            "targets": [target("a"), target("b")], "reference": 1,
            "workload": {
                "source": "none", "items": 1, "hash": "00", "labels": [], "constrain": "none", "format": "raw",
                "system": null, "sampling": Sampling::default(), "stream": false, "prompt_cache": "bust",
                "history": "scripted",
            },
            "order": if self.alternate { Order::Alternate } else { Order::Concurrent },
            "blocks": BlocksSpec::default(), "interference": false, "smallest_effect": "2%", "until_ci": null,
            "load": load, "timeout": "60s", "drain": "10s",
        });
        serde_json::from_value(plan).unwrap_or_else(|error| panic!("the simulated plan: {error}"))
    }
}
