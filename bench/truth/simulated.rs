//! The ways of driving, each over many runs.

use crate::count::{Count, Figures, HEADER, Truth, own};
use crate::drive::run;
use crate::options::Options;
use crate::ways::{Length, WAYS, Way};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Runs of each kind and way of driving.
#[derive(Clone, Copy)]
struct Size {
    equal: u64,
    different: u64,
    pilots: u64,
    /// Answers in a run that is so long that it is the truth.
    truth: f64,
}

/// Longest length advised that is tried, in answers: what takes longer is no advice.
const LONGEST: f64 = 400_000.0;

/// Measures every way of driving that is wanted, and prints a line of each.
pub fn measure(options: &Options) -> Vec<Figures> {
    let size = if options.short() {
        Size { equal: options.number("--runs", 100), different: 40, pilots: 0, truth: 20_000.0 }
    } else {
        let runs = options.number("--runs", 1000);
        Size { equal: runs, different: runs.div_ceil(2), pilots: options.number("--pilots", 100), truth: 100_000.0 }
    };
    let ways = (0..).zip(&WAYS).filter(|(_, way)| options.wanted(way.name) && (way.short || !options.short()));
    let mut all = Vec::new();
    for (number, way) in ways {
        if all.is_empty() {
            println!("{HEADER}");
        }
        let figures = one(way, number, size);
        print!("{}", figures.table());
        if options.has("--detail") {
            print!("{}", figures.detail());
        }
        all.push(figures);
    }
    all
}

/// The figures of one way of driving.
fn one(way: &Way, number: u64, size: Size) -> Figures {
    let seed = |kind: u64, at: u64| (number * 16 + kind) * 1_000_000 + at;
    let truths = |slower: f64| truth(way, slower, size.truth, seed(15, 0));
    let kind = |kind: u64, runs: u64, slower: f64| {
        let truth = if runs > 0 { truths(slower) } else { Truth::default() };
        over(runs, |at, count: &mut Count| count.take(way, &truth, &run(way, slower, seed(kind, at))))
    };
    let equal = kind(1, size.equal, 1.0);
    let (two, ten) = (kind(2, size.different, 1.02), kind(3, size.different, 1.1));
    let thirty = kind(4, size.different.div_ceil(4), 1.3);
    let told = truths(1.05);
    let five = over(size.pilots, |at, count: &mut Count| {
        let pilot = run(way, 1.0, seed(1, at));
        let needs = pilot.folded.comparisons.iter().find(|c| c.metric == way.main() && c.target == 0);
        let needs = needs.and_then(|told| told.needs.as_ref()?.seconds).filter(|s| s * way.rate() <= LONGEST);
        count.pilots(needs.is_none());
        if let Some(needs) = needs {
            // A length that has been run already is no advice.
            let length = needs.max(pilot.seconds);
            let long = Way { length: Length::Seconds(length), ..*way };
            let ran = run(&long, 1.05, seed(5, at));
            count.take(way, &told, &ran);
            count.tried(way, &ran);
            if needs > pilot.seconds {
                count.advised(length);
            }
        }
    });
    // As many of half the median length, where a true 5 % is shown now and then: they tell most of how long it takes.
    let five = five.median_advised().into_iter().fold(five, |five, median| {
        let long = Way { length: Length::Seconds(median / 2.0), ..*way };
        let half = over(size.pilots, |at, count: &mut Count| count.tried(way, &run(&long, 1.05, seed(6, at))));
        five.plus(half)
    });
    Figures { way: *way, equal, two, ten, thirty, five }
}

/// What is true of a way of driving with one engine `slower`: by symmetry where that tells it, else by a run of `answers`.
fn truth(way: &Way, slower: f64, answers: f64, seed: u64) -> Truth {
    let mut truth = Truth { slower, ..Truth::default() };
    let alike = (slower - 1.0).abs() < 1e-9;
    if !alike && !way.open() {
        // In a closed loop an engine that is slower makes every time longer by the factor, and every rate smaller.
        return truth;
    }
    let long = Way { length: Length::Seconds(answers / way.rate()), order: way.order, ..*way };
    let ran = run(&long, slower, seed);
    if alike {
        let summary = ran.folded.targets.last();
        truth.own = summary.map(own).unwrap_or_default().into_iter().map(|(name, value, _)| (name, value)).collect();
    } else {
        let values = |told: &loadcmp::stats::Comparison| Some(told.target_value? / told.reference_value?);
        truth.ratios =
            ran.folded.comparisons.iter().filter_map(|told| Some((told.metric.clone(), values(told)?))).collect();
    }
    truth
}

/// Runs `n` times, on every core; what is counted doesn't depend on their order.
fn over(n: u64, work: impl Fn(u64, &mut Count) + Sync) -> Count {
    let next = AtomicU64::new(0);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let (next, work) = (&next, &work);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(move || {
                    let mut count = Count::default();
                    loop {
                        let at = next.fetch_add(1, Relaxed);
                        if at >= n {
                            return count;
                        }
                        work(at, &mut count);
                    }
                })
            })
            .collect();
        workers.into_iter().fold(Count::default(), |all, worker| match worker.join() {
            Ok(count) => all.plus(count),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
