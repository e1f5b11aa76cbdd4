//! `make truth`: whether the statistics say what is true. Runs whose truth is known go through the very fold that users
//! get, some thousands of them a way of driving, and three figures come out for p50, p95 and the mean:
//!
//! - how often two equal engines are called different (an interval of the ratio that leaves out 1, and verdicts over all
//!   metrics of a run),
//! - how often the 95 % interval holds the true ratio, which is 1 or 1.05,
//! - how often a true difference of 5 % is found at the size that the tool itself recommends after a run of usual size.
//!
//! Then searches for capacity go against the same engine, whose boundary is known: how often the answer lies within 3 % of it
//! (`--only capacity` runs these alone). And histories of runs, flat and with a step (`--only steps`), and nights of equal engines, on
//! which gates should not fail (`--only gates`), also where nights scatter (`--only nights`).
//!
//! Every draw comes from fixed seeds: the same figures each time. Then the real program runs over real sockets, 40 times
//! against two stand-ins that are alike (not with `--quick` or `--only`).

mod capacity;
mod gates;
mod model;
mod nights;
mod real;
mod simulate;
mod steps;
mod tally;

use model::{MODELS, Model};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tally::{Figures, Tally};

/// Runs of each kind and way of driving, and the pilots a size is recommended after.
#[derive(Clone, Copy)]
struct Size {
    equal: u64,
    different: u64,
    pilots: u64,
}

/// Pairs of blocks that a scenario may have at most.
const MOST_PAIRS: f64 = 200.0;

fn main() {
    let options: Vec<String> = std::env::args().collect();
    let has = |word: &str| options.iter().any(|option| option == word);
    let after = |word: &str| options.iter().position(|o| o == word).and_then(|at| options.get(at + 1)).cloned();
    let number = |word: &str, usual: u64| after(word).and_then(|n| n.parse().ok()).unwrap_or(usual);
    let size = if has("--quick") {
        Size { equal: 400, different: 0, pilots: 0 }
    } else {
        Size { equal: number("--runs", 2500), different: number("--runs", 600), pilots: number("--pilots", 100) }
    };
    println!("{}", tally::HEADER);
    let mut all = Vec::new();
    for (number, model) in (0..).zip(&MODELS) {
        if after("--only").is_some_and(|only| !model.name.contains(&only)) {
            continue;
        }
        let figures = measure(model, number, size);
        print!("{}", figures.table());
        all.push(figures);
    }
    let sought = if has("--quick") || after("--only").is_some_and(|only| !"capacity".contains(&only)) {
        Vec::new()
    } else {
        capacity::measure(number("--runs", 300))
    };
    let stepped = if after("--only").is_some_and(|only| !"steps".contains(&only)) {
        Vec::new()
    } else {
        steps::measure(if has("--quick") { 400 } else { number("--runs", 2000) })
    };
    let judged = if after("--only").is_some_and(|only| !"gates".contains(&only)) {
        Vec::new()
    } else {
        gates::measure(if has("--quick") { 200 } else { number("--runs", 1000) })
    };
    let scattered = if after("--only").is_some_and(|only| !"nights".contains(&only)) {
        Vec::new()
    } else {
        nights::measure(if has("--quick") { 1000 } else { number("--runs", 4000) })
    };
    let whole = !has("--quick") && !has("--only") || has("--real");
    let real = match whole.then(real::measure).transpose() {
        Ok(real) => real,
        Err(error) => {
            eprintln!("truth: {error}");
            std::process::exit(2);
        }
    };
    if let Some(real) = &real {
        print!("{}", real.words());
    }
    if let Some(path) = after("--json") {
        let text = tally::json(&all, real.as_ref(), &sought, &stepped, &judged, &scattered);
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("writing {path}: {error}");
            std::process::exit(2);
        }
    }
    let wrong: Vec<String> =
        all.iter().flat_map(Figures::wrong).chain(real.iter().flat_map(real::Real::wrong)).collect();
    let wrong: Vec<String> = wrong.into_iter().chain(sought.iter().flat_map(capacity::Sought::wrong)).collect();
    let wrong: Vec<String> = wrong.into_iter().chain(stepped.iter().filter_map(steps::Told::wrong)).collect();
    let wrong: Vec<String> = wrong.into_iter().chain(judged.iter().filter_map(gates::Judged::wrong)).collect();
    let wrong: Vec<String> = wrong.into_iter().chain(scattered.iter().filter_map(nights::Scattered::wrong)).collect();
    if !wrong.is_empty() {
        println!("\nOutside:\n  {}", wrong.join("\n  "));
        std::process::exit(1);
    }
    println!("\nAll inside.");
}

/// The figures of one way of driving.
fn measure(model: &Model, number: u64, size: Size) -> Figures {
    let seed = |kind: u64, run: u64| (number * 16 + kind) * 1_000_000 + run;
    let equal =
        over(size.equal, |run, tally: &mut Tally| tally.equal(model, &model.run(model.units, 1.0, seed(1, run))));
    let different = over(size.different, |run, tally: &mut Tally| {
        tally.different(model, &model.run(model.units, 1.05, seed(2, run)));
    });
    // A size advised in blocks is some times as long.
    let pilots = if model.alternate { size.pilots.div_ceil(4) } else { size.pilots };
    let power = over(pilots, |run, tally: &mut Tally| {
        let pilot = model.run(model.units, 1.0, seed(3, run));
        for (at, figure) in tally::FIGURES.iter().enumerate() {
            let path = format!("{}.{figure}", model.metric());
            let needs = pilot.comparisons.iter().find(|c| c.metric == path).and_then(|c| c.needs.as_ref());
            let Some(needs) = needs else {
                tally.no_advice[at] += 1;
                continue;
            };
            // What is recommended is a length. It is told in units as long as the pilot's own, and driven in at most as many
            // blocks as a scenario may have, each as much longer.
            let length = needs.seconds.unwrap_or(0.0);
            let units = (length / model.seconds).ceil().max(6.0);
            let blocks = if model.alternate { units.min(MOST_PAIRS) } else { units };
            let whole = Model { until: None, seconds: model.seconds.max(length / blocks), ..*model };
            tally.sized(at, units as u64, &path, &whole.run(blocks as u64, 1.05, seed(4 + at as u64, run)));
        }
    });
    Figures { name: model.name, equal, different, power }
}

/// Runs `n` times, on every core; what is counted doesn't depend on their order.
fn over(n: u64, work: impl Fn(u64, &mut Tally) + Sync) -> Tally {
    let next = AtomicU64::new(0);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let (next, work) = (&next, &work);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    loop {
                        let run = next.fetch_add(1, Relaxed);
                        if run >= n {
                            return tally;
                        }
                        work(run, &mut tally);
                    }
                })
            })
            .collect();
        workers.into_iter().fold(Tally::default(), |all, worker| match worker.join() {
            Ok(tally) => all.plus(&tally),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
