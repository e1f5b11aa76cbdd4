//! Histories whose truth is known: flat ones, in which no step is to be told, and ones with a step of 8 %.

use loadcmp::stats::{Steps, StepsBy, finding, permutations, steps};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How the noise of a history is made.
#[derive(Clone, Copy)]
enum Noise {
    /// Normal.
    Normal,
    /// Student's t with three degrees of freedom, of the same standard deviation.
    Heavy,
    /// Each run carries so much of what the one before it was off by.
    Carried(f64),
}

/// A kind of history.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    noise: Noise,
    /// Standard deviation of a run, as a share.
    sd: f64,
    n: usize,
    /// Position and size of a step; none in a flat one.
    step: Option<(usize, f64)>,
    /// Position at which it is taken back.
    back: Option<usize>,
    /// Position and size of a night that is off by itself.
    burst: Option<(usize, f64)>,
    /// The most false alarms, or the least found, as a share; none where it is only told.
    bound: Option<f64>,
}

/// What came of the histories of a kind.
pub struct Told {
    name: String,
    n: usize,
    runs: u64,
    flat: bool,
    /// Histories in which a step was told: any in a flat one, one at the step else.
    found: u64,
    /// Histories with a step where there is none.
    elsewhere: u64,
    bound: Option<f64>,
}

/// All of them.
fn kinds() -> Vec<Kind> {
    let mut all = Vec::new();
    let noises = [
        ("normal", Noise::Normal, Some(0.02)),
        ("heavy tails", Noise::Heavy, Some(0.02)),
        ("carried 0.3", Noise::Carried(0.3), None),
        ("carried 0.6", Noise::Carried(0.6), None),
    ];
    for (name, noise, bound) in noises {
        for n in [14, 30, 100] {
            all.push(Kind { name, noise, sd: 0.02, n, step: None, back: None, burst: None, bound });
        }
    }
    for sd in [0.01, 0.02, 0.03] {
        let name = match (sd * 100.0) as u64 {
            1 => "8 % on night 9, noise 1 %",
            2 => "8 % on night 9, noise 2 %",
            _ => "8 % on night 9, noise 3 %",
        };
        let bound = match (sd * 100.0) as u64 {
            1 => Some(0.95),
            2 => Some(0.9),
            _ => None,
        };
        let burst = Some((4, 0.4));
        all.push(Kind { name, noise: Noise::Normal, sd, n: 14, step: Some((8, 0.08)), back: None, burst, bound });
    }
    for (name, n) in [("the same, seen on night 11", 11), ("seen on night 12", 12), ("seen on night 13", 13)] {
        let (step, burst) = (Some((8, 0.08)), Some((4, 0.4)));
        all.push(Kind { name, noise: Noise::Normal, sd: 0.01, n, step, back: None, burst, bound: None });
    }
    all.push(Kind {
        name: "8 % on night 9, heavy tails 2 %",
        noise: Noise::Heavy,
        sd: 0.02,
        n: 14,
        step: Some((8, 0.08)),
        back: None,
        burst: None,
        bound: None,
    });
    all.push(Kind {
        name: "8 % on night 11, gone on night 20",
        noise: Noise::Normal,
        sd: 0.02,
        n: 28,
        step: Some((10, 0.08)),
        back: Some(19),
        burst: None,
        bound: None,
    });
    all
}

/// Looks for steps in `runs` histories of each kind, and prints what was told.
pub fn measure(runs: u64) -> Vec<Told> {
    println!(
        "\nsteps in histories                  nights   runs  step told  at its night  elsewhere\n{:>82}",
        "% of histories"
    );
    let one = |(number, kind): (u64, Kind)| {
        let told = of_kind(&kind, number, runs);
        let percent = |part: u64| part as f64 / runs as f64 * 100.0;
        let (told_words, night) = if told.flat {
            (format!("{:>10.1}", percent(told.found)), format!("{:>14}", "–"))
        } else {
            (format!("{:>10}", ""), format!("{:>14.1}", percent(told.found)))
        };
        println!("{:<35} {:>6} {runs:>6} {told_words}{night} {:>10.1}", told.name, told.n, percent(told.elsewhere));
        told
    };
    let lines: Vec<Told> = (0..).zip(kinds()).map(one).collect();
    println!("\npages of figures                    nights  pages  a step told  at its night");
    lines.into_iter().chain(pages(runs.div_ceil(5))).collect()
}

/// Figures of a page.
const FIGURES: usize = 100;
/// Nights of a page.
const NIGHTS: usize = 60;
/// Rate of false ones among the findings, as `history` declares it.
const FALSE_RATE: f64 = 0.05;

/// Pages of many figures: flat ones, on which no step is to be a finding, and ones on which one figure has a step.
fn pages(runs: u64) -> Vec<Told> {
    let all = [
        ("100 flat figures, normal", 0.0, Noise::Normal, None, 0.05),
        ("the same, two thirds in common", 0.667, Noise::Normal, None, 0.05),
        ("the same, heavy tails", 0.0, Noise::Heavy, None, 0.05),
        ("one of 100 with 8 % on night 41", 0.0, Noise::Normal, Some(0.08), 0.95),
        ("one of 100 with 4 % on night 41", 0.0, Noise::Normal, Some(0.04), 0.95),
    ];
    let one = |(number, (name, common, noise, size, bound)): (u64, (&str, f64, Noise, Option<f64>, f64))| {
        let step = size.map(|size| (40, size));
        let kind = Kind { name: "", noise, sd: 0.02, n: NIGHTS, step, back: None, burst: None, bound: Some(bound) };
        let page = |run: u64| page(&kind, common, (900 + number) * 1_000_000 + run * 1000);
        let (found, elsewhere) = over(runs, page);
        let told =
            Told { name: name.to_owned(), n: NIGHTS, runs, flat: step.is_none(), found, elsewhere, bound: kind.bound };
        let percent = |part: u64| format!("{:.1} %", part as f64 / runs as f64 * 100.0);
        let (any, night) =
            if told.flat { (percent(found), String::new()) } else { (percent(elsewhere), percent(found)) };
        println!("{:<35} {:>6} {runs:>6} {any:>12} {night:>13}", told.name, told.n);
        told
    };
    (0..).zip(all).map(one).collect()
}

/// Whether a page tells a step as a finding: any on a flat one, one in the figure that has it else; and one in another figure.
fn page(kind: &Kind, common: f64, seed: u64) -> (bool, bool) {
    let shared = values(&Kind { step: None, ..*kind }, seed);
    let figure = |at: usize| {
        let own = values(&Kind { step: kind.step.filter(|_| at == 0), ..*kind }, seed + 1 + at as u64);
        let (a, b) = (common.sqrt(), (1.0 - common).sqrt());
        own.iter().zip(&shared).map(|(own, shared)| (b * own.ln() + a * shared.ln()).exp()).collect::<Vec<f64>>()
    };
    let fine = permutations(StepsBy::default().permutations, FIGURES, FALSE_RATE);
    let look = |at: usize| {
        let (values, by) = (figure(at), StepsBy::default());
        let p = steps(&values, &by).p?;
        Some((at, steps(&values, &StepsBy { permutations: fine, ..by }).p.unwrap_or(p)))
    };
    let seen: Vec<(usize, f64)> = (0..FIGURES).filter_map(look).collect();
    let limit = finding(&seen.iter().map(|(_, p)| *p).collect::<Vec<_>>(), FIGURES, FALSE_RATE);
    let told = |at: usize| seen.iter().any(|(figure, p)| *figure == at && limit.is_some_and(|limit| *p <= limit));
    let elsewhere = (1..FIGURES).any(told);
    if kind.step.is_none() { (told(0) || elsewhere, false) } else { (told(0), elsewhere) }
}

/// Counts what came of `runs` histories or pages, on every core.
fn over(runs: u64, one: impl Fn(u64) -> (bool, bool) + Sync) -> (u64, u64) {
    let cores = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    let one = &one;
    std::thread::scope(|scope| {
        let work = |core: u64| {
            scope.spawn(move || {
                (core..runs).step_by(cores as usize).map(one).fold((0, 0), |(found, elsewhere), (is, other)| {
                    (found + u64::from(is), elsewhere + u64::from(other))
                })
            })
        };
        let workers: Vec<_> = (0..cores).map(work).collect();
        let joined = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        joined.fold((0, 0), |(a, b), (found, elsewhere): (u64, u64)| (a + found, b + elsewhere))
    })
}

fn of_kind(kind: &Kind, number: u64, runs: u64) -> Told {
    let (found, elsewhere) = over(runs, |run| {
        let told = look(kind, number * 1_000_000 + run);
        let at = kind.step.map(|(at, _)| at);
        let found = match at {
            None => !told.steps.is_empty(),
            Some(at) => told.steps.iter().any(|step| step.at == at),
        };
        (found, told.steps.iter().any(|step| Some(step.at) != at && Some(step.at) != kind.back))
    });
    Told { name: kind.name.to_owned(), n: kind.n, runs, flat: kind.step.is_none(), found, elsewhere, bound: kind.bound }
}

/// One history, and what is told of it.
fn look(kind: &Kind, seed: u64) -> Steps {
    steps(&values(kind, seed), &StepsBy { seed, ..StepsBy::default() })
}

/// The figures of a history.
fn values(kind: &Kind, seed: u64) -> Vec<f64> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed ^ 0x0057_e950);
    let mut off = 0.0;
    (0..kind.n)
        .map(|night| {
            let noise = match kind.noise {
                Noise::Normal => normal(&mut draw),
                Noise::Heavy => {
                    let squares: f64 = (0..3).map(|_| normal(&mut draw).powi(2)).sum();
                    // Its variance is 3.
                    normal(&mut draw) / (squares / 3.0).sqrt() / 3.0_f64.sqrt()
                }
                Noise::Carried(share) => {
                    let new = normal(&mut draw);
                    off = if night == 0 { new } else { share * off + (1.0 - share * share).sqrt() * new };
                    off
                }
            };
            let step = kind
                .step
                .filter(|(at, _)| night >= *at && kind.back.is_none_or(|back| night < back))
                .map_or(0.0, |(_, size)| size);
            let burst = kind.burst.filter(|(at, _)| night == *at).map_or(0.0, |(_, size)| size);
            12_000.0 * (1.0 + step) * (1.0 + burst) * (kind.sd * noise).exp()
        })
        .collect()
}

/// Box and Muller.
fn normal(draw: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (1.0 - draw.random::<f64>(), draw.random());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

impl Told {
    /// What lies outside, in sentences.
    pub fn wrong(&self) -> Option<String> {
        let bound = self.bound?;
        let ends = loadcmp::stats::wilson(self.found as f64 / self.runs.max(1) as f64, self.runs, self.runs)?;
        let outside = if self.flat { ends.low > bound } else { ends.high < bound };
        let what = if self.flat { "flat histories with a step" } else { "steps found at their night" };
        outside.then(|| format!("steps, {}, {} nights: {} of {} {what}", self.name, self.n, self.found, self.runs))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name, "nights": self.n, "runs": self.runs, "flat": self.flat, "found": self.found,
            "elsewhere": self.elsewhere,
        })
    }
}
