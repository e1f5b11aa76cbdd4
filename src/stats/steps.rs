//! Steps in a history: where the level of a series of runs changed for good.
//!
//! A divisive search like E-divisive (Matteson & James, JASA 109(505), 2014): the best place for one change in a stretch, a
//! permutation test of it, and the two parts again; where one change shows nothing, a change and one back, as in circular
//! binary segmentation (Olshen, Venkatraman & others, Biostatistics 5(4), 2004). The statistic is the share of all squares that lies between the two
//! means, on the log scale: of one number a run it tells what the energy statistic tells, and it is found in one pass.
//!
//! Two things a history has that the test alone would fall for. A noisy night is no step, and would hide one: runs that
//! stand alone are set aside first ([`Steps::lone`]). And nights resemble their neighbours: where the runs show it, histories
//! are also drawn in which as much is carried from a run to the next (a sieve bootstrap: Bühlmann, Bernoulli 3(2), 1997),
//! and a step has to be as rare among these. `make truth ARGS="--only steps"` tells how often it errs.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Runs further apart than so many standard deviations of one run's noise are not of one level.
const APART: f64 = 4.0;
/// Median of the absolute difference of two standard normal numbers.
const MEDIAN_DIFFERENCE: f64 = 0.953_873;
/// Values from which a test makes do with fewer draws.
const LONG: usize = 300;
const LONG_DRAWS: u32 = 199;
/// Stream of the permutations' draws.
const STREAM: u64 = 0x57e9_5000;

/// What steps are looked for by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepsBy {
    /// Highest p-value at which a step is reported; for one that was taken back, half of it.
    pub alpha: f64,
    /// Fewest runs of a level: fewer are no step, but runs that stand alone.
    pub least: usize,
    /// The smallest step that is told: a share of the level before (0.02), or a difference where values are compared so.
    pub smallest: f64,
    /// Compare values by their difference, as proportions are; values that are not all positive always are.
    pub differences: bool,
    /// Permutations a test draws.
    pub permutations: u32,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for StepsBy {
    fn default() -> Self {
        Self { alpha: 0.01, least: 3, smallest: 0.02, differences: false, permutations: 999, seed: 42 }
    }
}

impl StepsBy {
    /// Fewest values among which a step can be told at all: so many that a split into halves that are wholly apart is rare
    /// enough by chance.
    pub fn fewest(&self) -> usize {
        let splits = |n: usize| (1..=n / 2).fold(1.0, |ways, i| ways * (n + 1 - i) as f64 / i as f64);
        let alpha = self.alpha.max(1e-6);
        (2 * self.least.max(2)..200).find(|n| 2.0 / splits(*n) <= alpha).unwrap_or(200)
    }
}

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Position of the first value after it.
    pub at: usize,
    /// Median of the level before, those that stand alone left out.
    pub before: f64,
    /// Median of the level after.
    pub after: f64,
    /// p of the permutation test; where runs resemble their neighbours, the larger of it and the sieve's.
    pub p: f64,
}

/// What a history shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    /// The steps, in the order of the values.
    pub steps: Vec<Step>,
    /// Positions of values that stand alone: further than four times a run's noise, and than the smallest step, from nearly
    /// all runs around them. No step, whatever their size, and no part of a level.
    pub lone: Vec<usize>,
    /// Median of the last level; `None` without a value.
    pub level: Option<f64>,
    /// p of all values being of one level; `None` where no step is told.
    pub p: Option<f64>,
}

/// Looks for steps in values in the order of their time. Values that are no numbers must be left out beforehand.
///
/// Positive values are compared by their ratio, unless `by` says otherwise; others by their difference. Equal input gives
/// equal output.
pub fn steps(values: &[f64], by: &StepsBy) -> Steps {
    let ratios = !by.differences && values.iter().all(|value| *value > 0.0);
    let scaled: Vec<f64> = values.iter().map(|value| if ratios { value.ln() } else { *value }).collect();
    let least = by.least.max(2);
    let smallest = if ratios { by.smallest.ln_1p() } else { by.smallest };
    let lone = set_aside(&scaled, least, smallest);
    let kept: Vec<usize> = (0..values.len()).filter(|at| !lone[*at]).collect();
    let levelled: Vec<f64> = kept.iter().map(|at| scaled[*at]).collect();
    let mut found: Vec<(usize, f64)> = Vec::new();
    let whole = divide(&levelled, 0, least, by, &mut found);
    relocate(&levelled, least, &mut found);
    // What is too small to matter is none: the smallest first, for it joins two levels.
    loop {
        let ends: Vec<usize> = std::iter::once(0).chain(found.iter().map(|(at, _)| *at)).chain([kept.len()]).collect();
        let levels: Vec<f64> = ends.windows(2).filter_map(|ends| median(levelled[ends[0]..ends[1]].to_vec())).collect();
        let size = |at: usize| (levels[at + 1] - levels[at]).abs();
        let least = (0..found.len()).min_by(|a, b| size(*a).total_cmp(&size(*b)));
        if let Some(at) = least.filter(|at| size(*at) < smallest) {
            found.remove(at);
            continue;
        }
        let told = |x: f64| if ratios { x.exp() } else { x };
        let step = |(number, (at, p)): (usize, &(usize, f64))| Step {
            at: kept[*at],
            before: told(levels[number]),
            after: told(levels[number + 1]),
            p: *p,
        };
        let steps = found.iter().enumerate().map(step).collect();
        let lone = (0..values.len()).filter(|at| lone[*at]).collect();
        let level = levels.last().map(|level| told(*level));
        let p = whole.filter(|_| !found.is_empty());
        return Steps { steps, lone, level, p };
    }
}

/// Finds the steps of a stretch that begins at `from`: the best, if a test shows it, and those of its parts. Gives the p of the
/// stretch being of one level: two tests were made for it, the second at half the level of the first, so of either the p of both
/// together is told.
fn divide(values: &[f64], from: usize, least: usize, by: &StepsBy, found: &mut Vec<(usize, f64)>) -> Option<f64> {
    // One change first. What changed and changed back is no better told by any one: it is looked for by itself, with half the
    // chance of an error.
    let (place, p, tests) =
        tested(values, from, least, by, one_change, by.alpha).map(|(place, p)| (place, p, 1.5)).or_else(|| {
            tested(values, from, least, by, there_and_back, by.alpha / 2.0).map(|(place, p)| (place, p, 3.0))
        })?;
    let mut begin = 0;
    for end in [place.at, place.to] {
        divide(&values[begin..end], from + begin, least, by, found);
        if end < values.len() {
            found.push((from + end, p));
        }
        begin = end;
    }
    divide(&values[begin..], from + begin, least, by, found);
    Some((p * tests).min(1.0))
}

/// A place where the level is another: from a position to another, which may be the end.
#[derive(Clone, Copy, Debug)]
struct Placed {
    at: usize,
    to: usize,
    /// Share of all squares that lies between the two levels. It grows as the square of Student's t does, and with nothing
    /// else.
    share: f64,
}

/// The best place of a kind, and its p, if that is small enough.
fn tested(
    values: &[f64],
    from: usize,
    least: usize,
    by: &StepsBy,
    best: fn(&[f64], usize) -> Option<Placed>,
    alpha: f64,
) -> Option<(Placed, f64)> {
    let seen = best(values, least)?;
    // Of a long history few draws make do: it has no lack of evidence.
    let draws = if values.len() > LONG { by.permutations.min(LONG_DRAWS) } else { by.permutations };
    let most = (alpha * f64::from(draws + 1)).floor() as u32;
    let mut draw = ChaCha8Rng::seed_from_u64(by.seed ^ STREAM ^ ((from as u64) << 32) ^ values.len() as u64);
    // The same values in another order come to the same but for the last digits.
    let as_good =
        |drawn: &[f64]| u32::from(best(drawn, least).is_some_and(|place| place.share >= seen.share * (1.0 - 1e-9)));
    let mut drawn = values.to_vec();
    let mut shuffled = 1;
    for _ in 0..draws {
        drawn.shuffle(&mut draw);
        shuffled += as_good(&drawn);
        if shuffled > most {
            return None;
        }
    }
    // In a short history chance alone makes neighbours alike; what is beyond its standard error is taken for true.
    let (share, mut news) = carried(values, seen);
    let mut rebuilt = 1;
    if share * share * values.len() as f64 > 1.0 {
        for _ in 0..draws {
            news.shuffle(&mut draw);
            let mut off = 0.0;
            for (value, new) in drawn.iter_mut().zip(&news) {
                off = share * off + new;
                *value = off;
            }
            rebuilt += as_good(&drawn);
            if rebuilt > most {
                return None;
            }
        }
    }
    Some((seen, f64::from(shuffled.max(rebuilt)) / f64::from(draws + 1)))
}

/// How much of what a run was off by the next one carries, beside a change of level; and what each was off by beside that.
/// Corrected for the levels being estimated (Marriott & Pope, Biometrika 41, 1954).
fn carried(values: &[f64], place: Placed) -> (f64, Vec<f64>) {
    let inside = place.at..place.to;
    let of = |within: bool| {
        let part = || values.iter().enumerate().filter(|(at, _)| inside.contains(at) == within).map(|(_, x)| x);
        part().sum::<f64>() / part().count().max(1) as f64
    };
    let levels = (of(false), of(true));
    let level = |at: usize| if inside.contains(&at) { levels.1 } else { levels.0 };
    let off: Vec<f64> = values.iter().enumerate().map(|(at, x)| x - level(at)).collect();
    let squares: f64 = off.iter().map(|x| x * x).sum();
    let pairs: f64 = off.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let seen = if squares > 0.0 { pairs / squares } else { 0.0 };
    let share = (seen + (1.0 + 3.0 * seen) / values.len() as f64).clamp(0.0, 0.95);
    let before = std::iter::once(0.0).chain(off.iter().copied());
    let news = off.iter().zip(before).map(|(x, before)| x - share * before).collect();
    (share, news)
}

/// The best place for one change; `None` if no place leaves enough on both sides, or all values are the same.
fn one_change(values: &[f64], least: usize) -> Option<Placed> {
    let n = values.len();
    best_end(values, least, least..(n + 1).saturating_sub(least), |_| n..n + 1)
}

/// The best place for a change and one back, with enough before, between and after.
fn there_and_back(values: &[f64], least: usize) -> Option<Placed> {
    let last = (values.len() + 1).saturating_sub(least);
    best_end(values, least, least..last, |at| at + least..last)
}

/// The best of the given beginnings and their ends.
fn best_end(
    values: &[f64],
    least: usize,
    begins: std::ops::Range<usize>,
    ends: impl Fn(usize) -> std::ops::Range<usize>,
) -> Option<Placed> {
    let n = values.len();
    if n < 2 * least {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let all: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    let mut sums = Vec::with_capacity(n + 1);
    sums.push(0.0);
    sums.extend(values.iter().scan(0.0, |sum, x| {
        *sum += x - mean;
        Some(*sum)
    }));
    let mut found = None::<Placed>;
    for at in begins {
        for to in ends(at) {
            let (sum, inside) = (sums[to] - sums[at], (to - at) as f64);
            let share = sum * sum * n as f64 / (inside * (n as f64 - inside)) / all;
            if share > 0.0 && found.is_none_or(|known| share > known.share) {
                found = Some(Placed { at, to, share });
            }
        }
    }
    found
}

/// Which values stand alone: of those up to `least + 1` places away on either side, fewer than `least - 1` lie near. What is
/// nearer than `smallest` is near, however quiet the rest.
fn set_aside(values: &[f64], least: usize, smallest: f64) -> Vec<bool> {
    let reach = least + 1;
    if values.len() < 2 * least {
        return vec![false; values.len()];
    }
    let near = (APART * noise(values)).max(smallest);
    let alone = |(at, x): (usize, &f64)| {
        let around = &values[at.saturating_sub(reach)..(at + reach + 1).min(values.len())];
        // Itself is among them.
        around.iter().filter(|other| (*other - x).abs() <= near).count() < least
    };
    values.iter().enumerate().map(alone).collect()
}

/// Standard deviation of one run's noise, by the differences of neighbours: a step makes but one of them large.
fn noise(values: &[f64]) -> f64 {
    let differences = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    median(differences).unwrap_or(0.0) / MEDIAN_DIFFERENCE
}

/// Each step once more between its neighbours: found in a longer stretch, it may have been drawn towards another.
fn relocate(values: &[f64], least: usize, found: &mut [(usize, f64)]) {
    for number in 0..found.len() {
        let from = number.checked_sub(1).map_or(0, |before| found[before].0);
        let to = found.get(number + 1).map_or(values.len(), |next| next.0);
        if let Some(place) = one_change(&values[from..to], least) {
            found[number].0 = from + place.at;
        }
    }
}

/// The middle value, the mean of the two middle ones; `None` of none.
fn median(mut values: Vec<f64>) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, high, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let high = *high;
    let low = if even { below.iter().copied().fold(f64::NEG_INFINITY, f64::max) } else { high };
    Some(f64::midpoint(low, high))
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
