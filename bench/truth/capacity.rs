//! Searches for capacity whose answer is known: the machine that `loadcmp capacity` is driven by, against simulated engines.
//! Of one the capacity is declared (slots ÷ service time); of those that queue at random, the load at which the limit is just
//! kept is found beforehand, over millions of requests.

use crate::simulate::{Block, LAG, Load, all_rows, instants, row};
use loadcmp::capacity::{
    Boundary, By, Ended, Evidence, Gather, Next, Reach, Tried, boundary, length, levels, next, probe_seed,
    requests_needed, window_s,
};
use loadcmp::record::{Nanos, Sample};
use loadcmp::scenario::Slo;
use loadcmp::stats::{Window, wilson};

const S: u64 = 1_000_000_000;
/// How near the truth an answer has to be.
const NEAR: f64 = 0.03;

/// An engine, the load it gets, and its limit.
struct Known {
    name: &'static str,
    engine: Engine,
    slo: &'static str,
    /// Seconds of a first probe; the load before it is a fifth of it.
    probe: f64,
}

enum Engine {
    /// So many slots, each with a service of so many milliseconds that scatters by 2 %; even arrivals.
    Declared { slots: usize, service_ms: f64 },
    /// The simulated engine of the other figures: two slots, heavy tails, a speed that wanders.
    Even,
    /// The same, with Poisson arrivals.
    Poisson,
}

const KNOWN: [Known; 5] = [
    Known {
        name: "declared: 2 slots, 20 ms",
        engine: Engine::Declared { slots: 2, service_ms: 20.0 },
        slo: "latency.p95 <= 100ms and errors <= 1%",
        probe: 5.0,
    },
    Known { name: "heavy tails, even", engine: Engine::Even, slo: "latency.p95 <= 100ms and errors <= 1%", probe: 5.0 },
    Known {
        name: "heavy tails, Poisson",
        engine: Engine::Poisson,
        slo: "latency.p95 <= 60ms and errors <= 1%",
        probe: 5.0,
    },
    Known {
        name: "heavy tails, Poisson, p99",
        engine: Engine::Poisson,
        slo: "latency.p99 <= 100ms and errors <= 1%",
        probe: 5.0,
    },
    Known {
        name: "the same, a tenth as long",
        engine: Engine::Poisson,
        slo: "latency.p95 <= 60ms and errors <= 1%",
        probe: 0.5,
    },
];

/// What the searches of one kind came to.
pub struct Sought {
    name: &'static str,
    truth: f64,
    runs: u64,
    near: u64,
    holds: u64,
    told: u64,
    probes: u64,
    seconds: f64,
    width: f64,
}

/// Searches `runs` times of each kind, on every core.
pub fn measure(runs: u64) -> Vec<Sought> {
    println!(
        "\nsearches for capacity           truth   runs  told  within 3 %   holds  width  probes  load, s\n{:>72}",
        "% of runs  % of told"
    );
    let one = |known: &Known| {
        let sought = one_kind(known, runs);
        println!(
            "{:<30} {:>6.1}  {:>5} {:>5.1} {:>11.1} {:>7.1} {:>5.1}% {:>7.1} {:>8.0}",
            sought.name,
            sought.truth,
            sought.runs,
            sought.percent(sought.told),
            sought.percent(sought.near),
            sought.holds as f64 / sought.told.max(1) as f64 * 100.0,
            sought.width / sought.told.max(1) as f64 * 100.0,
            sought.probes as f64 / sought.runs as f64,
            sought.seconds / sought.runs as f64,
        );
        sought
    };
    KNOWN.iter().map(one).collect()
}

impl Sought {
    fn percent(&self, part: u64) -> f64 {
        part as f64 / self.runs.max(1) as f64 * 100.0
    }

    /// What lies outside, in sentences.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let declared = self.name.starts_with("declared");
        let near = (format!("runs within {:.0} % of the truth", NEAR * 100.0), self.near, self.runs, 0.95);
        // Where a queue is random, no search of minutes pins its tail down: what is told has to be true, that is all.
        let holds =
            ("intervals that hold the truth".to_owned(), self.holds, self.told, if declared { 0.95 } else { 0.8 });
        for (what, part, of, least) in if declared { vec![near, holds] } else { vec![holds] } {
            // What chance alone explains is no fault.
            let ends = wilson(part as f64 / of.max(1) as f64, of, of);
            if ends.is_some_and(|ends| ends.high < least) {
                wrong.push(format!("capacity, {}: {part} of {of} {what}", self.name));
            }
        }
        wrong
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name, "truth_per_s": self.truth, "runs": self.runs, "told": self.told, "within_3_percent": self.near,
            "interval_holds": self.holds, "mean_width": self.width / self.told.max(1) as f64,
            "mean_probes": self.probes as f64 / self.runs.max(1) as f64,
            "mean_load_s": self.seconds / self.runs.max(1) as f64,
        })
    }
}

fn one_kind(known: &Known, runs: u64) -> Sought {
    let slo = match Slo::parse(known.slo) {
        Ok(slo) => slo.with_errors(),
        Err(error) => panic!("{error}"),
    };
    let truth = known.truth(&slo);
    let cores = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    let slo = &slo;
    let results: Vec<(Boundary, u64, f64)> = std::thread::scope(|scope| {
        let work = |core: u64| {
            scope.spawn(move || {
                (core..runs).step_by(cores as usize).map(|run| search(known, slo, run)).collect::<Vec<_>>()
            })
        };
        let workers: Vec<_> = (0..cores).map(work).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    let mut sought =
        Sought { name: known.name, truth, runs, near: 0, holds: 0, told: 0, probes: 0, seconds: 0.0, width: 0.0 };
    for (found, probes, seconds) in results {
        sought.probes += probes;
        sought.seconds += seconds;
        sought.near += u64::from(found.value.is_some_and(|value| (value / truth - 1.0).abs() <= NEAR));
        let (Some(low), Some(high)) = (found.low, found.high) else { continue };
        sought.told += 1;
        sought.width += high / low - 1.0;
        sought.holds += u64::from((low..=high).contains(&truth));
    }
    sought
}

/// One search; what it found, in how many probes, over how many seconds of load.
fn search(known: &Known, slo: &Slo, run: u64) -> (Boundary, u64, f64) {
    let reach = Reach { by: By::Rate, start: 30.0, least: 0.5, most: 20_000.0, precision: 0.03 };
    let (mut tried, mut evidence, mut seconds) = (Vec::<Tried>::new(), Vec::<Evidence>::new(), 0.0);
    loop {
        let levels = levels(slo, true, &tried, &evidence);
        let (at, attempt) = match next(&reach, &levels) {
            Next::Probe { at, attempt } => (at, attempt),
            Next::Done(Ended::Found) => return (boundary(&levels), tried.len() as u64, seconds),
            Next::Done(_) => return (Boundary::default(), tried.len() as u64, seconds),
        };
        let window = window_s(By::Rate, (known.probe, false), at, attempt, requests_needed(slo));
        let warmup = known.probe / 5.0 * length(attempt);
        seconds += window + warmup;
        // As the command does it: instants by the seed, the load and the attempt, the engine's own luck new each time.
        let workload = probe_seed(run, at, attempt);
        let engine = (run * 1000 + tried.len() as u64) ^ 0x00ca_9ac1;
        let nanos = |seconds: f64| (seconds * S as f64) as u64;
        let shown = known.probe(slo, at, nanos(window), nanos(warmup), workload, engine);
        evidence.push(Evidence { length: length(attempt), ..shown });
        tried.push(Tried { folder: String::new(), at, attempt });
    }
}

impl Known {
    fn probe(&self, slo: &Slo, rate: f64, length: u64, warmup: u64, workload: u64, engine: u64) -> Evidence {
        let from = warmup + S;
        let block = Block { target: 0, block: 0, from, length, warmup, workload, engine, slower: 1.0 };
        let rows = match self.engine {
            Engine::Declared { slots, service_ms } => declared(rate, slots, service_ms, &block),
            Engine::Even => all_rows(Load::Constant(rate), &block),
            Engine::Poisson => all_rows(Load::Poisson(rate), &block),
        };
        let mut gather = Gather::new(slo, true, Window { from: Nanos(from), to: Nanos(from + length) });
        rows.iter().for_each(|row| gather.push(row));
        gather.finish(None)
    }

    /// The load at which the limit is just kept.
    fn truth(&self, slo: &Slo) -> f64 {
        if let Engine::Declared { slots, service_ms } = self.engine {
            return slots as f64 * 1000.0 / service_ms;
        }
        // Half a million requests leave about a tenth of the 3 % that are asked for.
        let broken = |rate: f64| {
            let length = (5e5 / rate * S as f64) as u64;
            let evidence = self.probe(slo, rate, length, 10 * S, 77, 7);
            evidence.shown.first().map_or(1.0, |shown| shown.value.unwrap_or(f64::INFINITY) / slo.limits[0].bound)
        };
        let (mut low, mut high) = (20.0_f64, 400.0_f64);
        while high / low > 1.002 {
            let middle = (low * high).sqrt();
            if broken(middle) > 1.0 { high = middle } else { low = middle }
        }
        (low * high).sqrt()
    }
}

/// Even arrivals at slots that each take the same time for a request, but for 2 % of scatter.
fn declared(rate: f64, slots: usize, service_ms: f64, block: &Block) -> Vec<Sample> {
    use rand::{RngExt, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(block.engine);
    let mut free = vec![0_u64; slots];
    let begin = block.from - block.warmup;
    let mut rows = Vec::new();
    for (index, at) in (0..).zip(instants(Load::Constant(rate), begin, block.from + block.length, block.workload)) {
        let Some(slot) = free.iter_mut().min() else { break };
        // Uniform: its standard deviation is the half width over the root of three.
        let scatter = 1.0 + 0.02 * 3.0_f64.sqrt() * (2.0 * random.random::<f64>() - 1.0);
        *slot = (at + LAG).max(*slot) + (service_ms * 1e6 * scatter) as u64;
        rows.push(row(block, index, at, *slot, 1));
    }
    rows.sort_by_key(|row| row.stamps.end);
    rows
}
