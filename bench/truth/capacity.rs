//! Searches for capacity whose answer is known: the machine that `loadcmp capacity` is driven by, against simulated engines.
//! Of one the capacity is declared (slots ÷ service time); of those that queue at random, the load at which the limit is just
//! kept is found beforehand, over millions of requests.

use crate::simulate::{Block, LAG, Load, all_rows, instants, row};
use loadcmp::capacity::{
    Basis, Boundary, By, Next, ProbeEvidence, ProbeFold, Reach, Tried, fitted, found, levels, long_s, next, probe_seed,
    window_s,
};
use loadcmp::record::{Nanos, Sample};
use loadcmp::scenario::Slo;
use loadcmp::stats::{Verdict, Window, wilson};

const S: u64 = 1_000_000_000;
/// How near the truth an answer has to be.
const NEAR: f64 = 0.03;

/// An engine, the load it gets, its limit, and the time there is.
struct Known {
    name: &'static str,
    engine: Engine,
    by: By,
    slo: &'static str,
    /// Seconds of a short probe; the load before it is a fifth of it.
    probe: f64,
    /// Seconds of a search.
    budget: f64,
}

#[derive(Clone, Copy)]
enum Engine {
    /// So many slots, each with a service of so many milliseconds that scatters by 2 %; even arrivals.
    Declared { slots: usize, service_ms: f64 },
    /// The simulated engine of the other figures: two slots, heavy tails, a speed that wanders.
    Even,
    /// The same, with Poisson arrivals, so many times as slow.
    Poisson(f64),
    /// The same, with users who each wait for their answers.
    Users(f64),
}

const fn known(name: &'static str, engine: Engine, slo: &'static str) -> Known {
    let by = if matches!(engine, Engine::Users(_)) { By::Users } else { By::Rate };
    Known { name, engine, by, slo, probe: 5.0, budget: 300.0 }
}

/// So many times as slow as the engine of 15 ms an answer is one of two seconds.
const TWO_SECONDS: f64 = 134.0;

/// As the command sizes the probes of an engine of two seconds: five answers.
const fn slow(known: Known) -> Known {
    Known { probe: 10.0, ..known }
}

const KNOWN: [Known; 10] = [
    known(
        "declared: 2 slots, 20 ms",
        Engine::Declared { slots: 2, service_ms: 20.0 },
        "latency.p95 <= 100ms and errors <= 1%",
    ),
    known("heavy tails, even", Engine::Even, "latency.p95 <= 100ms and errors <= 1%"),
    known("Poisson, p95", Engine::Poisson(1.0), "latency.p95 <= 60ms and errors <= 1%"),
    Known {
        budget: 900.0,
        ..known("Poisson, p95, 15 min", Engine::Poisson(1.0), "latency.p95 <= 60ms and errors <= 1%")
    },
    known("Poisson, p99", Engine::Poisson(1.0), "latency.p99 <= 100ms and errors <= 1%"),
    Known {
        budget: 900.0,
        ..known("Poisson, p99, 15 min", Engine::Poisson(1.0), "latency.p99 <= 100ms and errors <= 1%")
    },
    Known {
        probe: 0.5,
        ..known("Poisson, p95, probes of 0.5 s", Engine::Poisson(1.0), "latency.p95 <= 60ms and errors <= 1%")
    },
    slow(known("Poisson, p95, 2 s an answer", Engine::Poisson(TWO_SECONDS), "latency.p95 <= 8s and errors <= 1%")),
    known("users, p95", Engine::Users(1.0), "latency.p95 <= 60ms and errors <= 1%"),
    slow(known("users, p95, 2 s an answer", Engine::Users(TWO_SECONDS), "latency.p95 <= 8s and errors <= 1%")),
];

/// What the searches of one kind came to.
pub struct Searched {
    name: &'static str,
    truth: f64,
    runs: u64,
    /// Those whose estimate lies near the truth.
    near: u64,
    /// Those that told a 95 % interval, those of them that hold the truth, and the sum of their widths.
    intervals: Ends,
    /// The same of those that told the last pass and the first fail.
    brackets: Ends,
    /// Two searches of equal engines, whose capacities are called different.
    different: u64,
    probes: u64,
    seconds: f64,
}

#[derive(Clone, Copy, Default)]
struct Ends {
    told: u64,
    hold: u64,
    width: f64,
}

impl Ends {
    fn add(&mut self, (low, high): (f64, f64), truth: f64) {
        self.told += 1;
        self.hold += u64::from((low..=high).contains(&truth));
        self.width += high / low - 1.0;
    }

    fn holds(&self) -> f64 {
        self.hold as f64 / self.told.max(1) as f64 * 100.0
    }

    fn mean_width(&self) -> f64 {
        self.width / self.told.max(1) as f64
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "told": self.told, "hold": self.hold, "mean_width": self.mean_width() })
    }
}

/// Searches `runs` times of each kind, on every core; those whose name has `only` in it.
pub fn measure(runs: u64, only: Option<&str>) -> Vec<Searched> {
    println!(
        "\nsearches for capacity           truth   runs  within 3 %  interval  holds  width  bracket  holds  width  different  probes  load, s"
    );
    let one = |known: &Known| {
        let sought = one_kind(known, runs);
        println!(
            "{:<30} {:>6.1}  {:>5} {:>10.1}% {:>8.1}% {:>5.1}% {:>5.1}% {:>7.1}% {:>5.1}% {:>5.1}% {:>9.1}% {:>7.1} {:>8.0}",
            sought.name,
            sought.truth,
            sought.runs,
            sought.percent(sought.near),
            sought.percent(sought.intervals.told),
            sought.intervals.holds(),
            sought.intervals.mean_width() * 100.0,
            sought.percent(sought.brackets.told),
            sought.brackets.holds(),
            sought.brackets.mean_width() * 100.0,
            sought.percent(sought.different) * 2.0,
            sought.probes as f64 / sought.runs as f64,
            sought.seconds / sought.runs as f64,
        );
        sought
    };
    KNOWN.iter().filter(|known| only.is_none_or(|only| known.name.contains(only))).map(one).collect()
}

impl Searched {
    fn percent(&self, part: u64) -> f64 {
        part as f64 / self.runs.max(1) as f64 * 100.0
    }

    /// What lies outside, in sentences.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let pairs = self.runs / 2;
        let mut bars = vec![
            ("intervals that hold the truth", self.intervals.hold, self.intervals.told, 0.93),
            ("pairs of equal engines not called different", pairs - self.different, pairs, 0.94),
        ];
        if self.name.starts_with("declared") {
            bars.push(("runs within 3 % of the truth", self.near, self.runs, 0.95));
            bars.push(("brackets that hold the truth", self.brackets.hold, self.brackets.told, 0.95));
        }
        for (what, part, of, least) in bars {
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
            "name": self.name, "truth": self.truth, "runs": self.runs, "within_3_percent": self.near,
            "intervals": self.intervals.json(), "brackets": self.brackets.json(),
            "equal_pairs_called_different": self.different,
            "mean_probes": self.probes as f64 / self.runs.max(1) as f64,
            "mean_load_s": self.seconds / self.runs.max(1) as f64,
        })
    }
}

fn one_kind(known: &Known, runs: u64) -> Searched {
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
    let (intervals, brackets) = (Ends::default(), Ends::default());
    let mut sought =
        Searched { name: known.name, truth, runs, near: 0, intervals, brackets, different: 0, probes: 0, seconds: 0.0 };
    for (found, probes, seconds) in &results {
        sought.probes += probes;
        sought.seconds += seconds;
        sought.near += u64::from(found.value.is_some_and(|value| (value / truth - 1.0).abs() <= NEAR));
        let Some(ends) = found.low.zip(found.high) else { continue };
        match found.basis {
            Basis::Interval => sought.intervals.add(ends, truth),
            Basis::Bracket => sought.brackets.add(ends, truth),
            Basis::Rough => {}
        }
    }
    for pair in results.chunks_exact(2) {
        let ratio = loadcmp::capacity::ratio(1, (&pair[0].0, &pair[1].0), known.by, 0.02);
        sought.different += u64::from(matches!(ratio.verdict, Verdict::Better | Verdict::Worse));
    }
    sought
}

/// One search; what it found, in how many probes, over how many seconds of load.
fn search(known: &Known, slo: &Slo, run: u64) -> (Boundary, u64, f64) {
    let (by, open) = (known.by, known.by == By::Rate);
    // As the command begins: at what one request after the other comes to, or half of it; and no lower than a 64th of that.
    let start = if open { (1000.0 / 15.0 / known.engine.slower() * 0.5).max(0.01) } else { 1.0 };
    let (least, most) = if open { (start / 64.0, start * 4096.0) } else { (1.0, 1024.0) };
    let reach = Reach { by, start, least, most, precision: 0.03 };
    let (mut tried, mut evidence, mut seconds) = (Vec::<Tried>::new(), Vec::<ProbeEvidence>::new(), 0.0);
    let (answer, mut further) = (0.015 * known.engine.slower(), None);
    loop {
        let levels = levels(slo, open, &tried, &evidence);
        let told = |seconds: f64| (found(slo, by, &tried, &evidence, &levels), tried.len() as u64, seconds);
        let (at, attempt, long) = match next(&reach, &levels, fitted(slo, open, &tried, &evidence).as_ref()) {
            Next::Probe { at, attempt, long } => (at, attempt, long),
            Next::Done(_) => return told(seconds),
        };
        let many = tried.iter().filter(|tried| tried.long).count() as u32;
        let mut window = window_s(by, (known.probe, answer >= 1.0), at);
        let mut warmup = (known.probe / 5.0).max(answer * 2.0);
        if long {
            let length = long_s(known.probe, many, known.budget - seconds);
            window = if many < 2 { length } else { *further.get_or_insert(length) };
            warmup = warmup.max(window / 5.0);
        }
        // With the pause before it, its first answer and its last.
        let takes = window + warmup + (known.probe / 5.0).min(0.5) + answer * 2.0;
        if seconds + takes > known.budget {
            return told(seconds);
        }
        seconds += takes;
        // As the command does it: instants by the seed, the load and the attempt, the engine's own luck new each time.
        let workload = probe_seed(run, at, attempt);
        let engine = (run * 1000 + tried.len() as u64) ^ 0x00ca_9ac1;
        let nanos = |seconds: f64| (seconds * S as f64) as u64;
        evidence.push(known.probe(slo, at, nanos(window), nanos(warmup), workload, engine));
        tried.push(Tried { folder: String::new(), at, attempt, long });
    }
}

impl Engine {
    /// How much slower it is than the engine of 15 ms an answer.
    fn slower(self) -> f64 {
        match self {
            Engine::Poisson(slower) | Engine::Users(slower) => slower,
            Engine::Declared { .. } | Engine::Even => 1.0,
        }
    }
}

impl Known {
    fn probe(&self, slo: &Slo, at: f64, length: u64, warmup: u64, workload: u64, engine: u64) -> ProbeEvidence {
        // A slower engine is the same one in a slower time: what it gets and gives is stretched.
        let slower = self.engine.slower();
        let squeezed = |nanos: u64| (nanos as f64 / slower) as u64;
        let (length, warmup) = (squeezed(length), squeezed(warmup));
        let from = warmup + S;
        let block = Block { target: 0, block: 0, from, length, warmup, workload, engine, slower: 1.0 };
        let mut rows = match self.engine {
            Engine::Declared { slots, service_ms } => declared(at, slots, service_ms, &block),
            Engine::Even => all_rows(Load::Constant(at), &block),
            Engine::Poisson(_) => all_rows(Load::Poisson(at * slower), &block),
            Engine::Users(_) => all_rows(Load::Closed(at as usize), &block),
        };
        let stretched = |nanos: Nanos| Nanos((nanos.0 as f64 * slower) as u64);
        for row in &mut rows {
            let stamps = &mut row.stamps;
            stamps.planned = stretched(stamps.planned);
            stamps.sent = stamps.sent.map(stretched);
            stamps.end = stamps.end.map(stretched);
        }
        let window = Window { from: stretched(Nanos(from)), to: stretched(Nanos(from + length)) };
        let mut gather = ProbeFold::new(slo, self.by == By::Rate, window);
        rows.iter().for_each(|row| gather.push(row));
        gather.finish(None)
    }

    /// The load at which the limit is just kept; the most users that keep it.
    fn truth(&self, slo: &Slo) -> f64 {
        if let Engine::Declared { slots, service_ms } = self.engine {
            return slots as f64 * 1000.0 / service_ms;
        }
        // Half a million requests leave about a tenth of the 3 % that are asked for.
        let slower = self.engine.slower();
        let broken = |at: f64| {
            let rate = if self.by == By::Users { 130.0 } else { at * slower };
            let length = (5e5 / rate * slower * S as f64) as u64;
            let evidence = self.probe(slo, at, length, (10.0 * slower) as u64 * S, 77, 7);
            evidence.shown.first().map_or(1.0, |shown| shown.value.unwrap_or(f64::INFINITY) / slo.limits[0].bound)
        };
        if self.by == By::Users {
            return (1..64_u32).map(f64::from).take_while(|users| broken(*users) <= 1.0).last().unwrap_or(0.0);
        }
        let (mut low, mut high) = (20.0 / slower, 400.0 / slower);
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
