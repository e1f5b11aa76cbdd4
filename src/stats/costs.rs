//! What a request costs: a fixed part, a part per prompt token, and a part per output token. A
//! straight line through the points of a sweep, for each target, and two targets' lines beside each other.
//!
//! Ordinary least squares over the answered requests, every point of the sweep counted alike and by its own relative error
//! (weights 1 / (n ȳ²): times scatter in proportion to their size). Requests of one point depend on each other, so a point is
//! the unit that intervals rest on: the cluster jackknife (CV3 of MacKinnon, Nielsen and Webb, "Fast and reliable jackknife and
//! bootstrap methods for cluster-robust inference", Journal of Applied Econometrics 38, 2023), which leaves out one point
//! after the other, with Student's t over points less coefficients.

use super::interval::t_quantile;
use super::least_squares::{COLUMNS, Sums};
use crate::record::Sample;
use serde::{Deserialize, Serialize};

/// Columns of the problem: 1, prompt tokens, output tokens, and the squares of the two.
const PROMPT: usize = 1;
const OUTPUT: usize = 2;
const SQUARE: usize = 2;

/// Spread (sd / mean) below which a count of tokens hardly varied, and carries no slope.
const LEAST_SPREAD: f64 = 0.1;
/// Squared correlation of the two counts above which their costs can't be told apart.
const MOST_ALIKE: f64 = 0.95;
/// How far a curve must lie from the straight line, as a share of the mean time, to be worth a word.
const BENT: f64 = 0.02;

/// A figure and its 95 % interval; the ends are `None` where too few points carry one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The figure.
    pub value: f64,
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end; `None` with a lower end means that it isn't bounded.
    pub high: Option<f64>,
}

impl Bounds {
    /// Whether the whole interval lies on one side of `none`.
    pub fn beyond(&self, none: f64) -> bool {
        self.low.is_some_and(|low| low > none) || self.high.is_some_and(|high| high < none)
    }

    fn around(value: f64, error: Option<f64>) -> Self {
        Self { value, low: error.map(|e| value - e), high: error.map(|e| value + e) }
    }
}

/// What one target's answered requests at one point add up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct CostSums {
    sums: Sums,
    /// Answered requests whose tokens weren't told.
    uncounted: u64,
}

impl CostSums {
    /// Takes an answered, measured request: its service time and its real counts of tokens. Prompt tokens that came from a
    /// cache cost nothing, where the engine tells of them.
    pub fn push(&mut self, sample: &Sample) {
        let Some(latency) = sample.latency() else { return };
        let Some(prompt) = sample.prompt_tokens else {
            self.uncounted += 1;
            return;
        };
        let prompt = prompt.saturating_sub(sample.cached_tokens.unwrap_or(0)) as f64;
        // An embedding has no output, and says nothing of it.
        let output = sample.output_tokens.unwrap_or(0) as f64;
        self.push_row(prompt, output, latency.0 as f64 / 1e3);
    }

    /// The same from numbers: tokens, and microseconds.
    pub fn push_row(&mut self, prompt: f64, output: f64, us: f64) {
        self.sums.push([1.0, prompt, output, prompt * prompt, output * output], us);
    }

    /// Takes another's requests.
    pub fn add(&mut self, other: &CostSums) {
        self.sums.add(&other.sums, 1.0);
        self.uncounted += other.uncounted;
    }

    /// Requests in it.
    pub fn requests(&self) -> f64 {
        self.sums.product(0, 0)
    }

    /// Mean of a column.
    fn mean(&self, column: usize) -> f64 {
        self.sums.product(0, column) / self.requests()
    }

    /// Mean service time, in microseconds.
    pub fn mean_us(&self) -> f64 {
        self.sums.with_y(0) / self.requests()
    }

    /// Mean tokens of prompts and of answers.
    pub fn mean_tokens(&self) -> (f64, f64) {
        (self.mean(PROMPT), self.mean(OUTPUT))
    }
}

/// A target's fitted costs. Times are microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostFit {
    /// Position of the target.
    pub target: usize,
    /// Cost of a request whatever its tokens.
    pub fixed_us: Bounds,
    /// Cost of a prompt token; `None` if prompts hardly varied.
    pub prompt_token_us: Option<Bounds>,
    /// Cost of an output token; `None` if answers hardly varied.
    pub output_token_us: Option<Bounds>,
    /// Share of the variance between points' mean times that the line explains.
    pub r2: f64,
    /// Points it rests on.
    pub points: usize,
    /// Answered requests it rests on.
    pub requests: u64,
    /// Where the times are no straight line, in sentences.
    pub bent: Vec<String>,
    /// The fit without each of its points in turn, by which two fits are compared.
    #[serde(skip)]
    without: Vec<Vec<f64>>,
    #[serde(skip)]
    columns: Vec<usize>,
}

/// One target's costs beside the reference's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostComparison {
    /// Position of the target.
    pub target: usize,
    /// Position of the reference.
    pub reference: usize,
    /// Fixed cost, target - reference, in microseconds.
    pub fixed_us: Bounds,
    /// Cost of a prompt token, target / reference.
    pub prompt_token: Option<Bounds>,
    /// Cost of an output token, target / reference.
    pub output_token: Option<Bounds>,
}

/// The weighted problem of some points.
fn problem<'a>(points: impl Iterator<Item = &'a CostSums>) -> Sums {
    let mut all = Sums::default();
    for point in points {
        let mean = point.mean_us();
        all.add(&point.sums, 1.0 / (point.requests() * mean * mean));
    }
    all
}

/// Fits a target's costs over the points of a sweep; the error says what is lacking.
pub fn fit_costs(target: usize, points: &[CostSums]) -> Result<CostFit, String> {
    let told: Vec<&CostSums> = points.iter().filter(|p| p.requests() > 0.0 && p.mean_us() > 0.0).collect();
    if told.is_empty() {
        let uncounted = points.iter().any(|p| p.uncounted > 0);
        return Err(if uncounted { "its token counts were not reported" } else { "no request was answered" }.to_owned());
    }
    let all = problem(told.iter().copied());
    let columns = columns(&told)?;
    if told.len() <= columns.len() {
        let least = columns.len() + 1;
        return Err(format!("{} points, and {} costs need {least} or more", told.len(), columns.len()));
    }
    let apart = "prompt and output tokens grew together, so their costs can't be separated: sweep each by itself";
    let fitted = all.solve(&columns).ok_or(apart)?;
    let without = leave_out(&told, &columns);
    let bounds = |at: usize| {
        let replicates: Option<Vec<f64>> = without.as_ref().map(|all| all.iter().map(|fit| fit[at]).collect());
        Bounds::around(fitted[at], replicates.and_then(|r| jackknife(fitted[at], &r, columns.len())))
    };
    let of = |column: usize| columns.iter().position(|c| *c == column).map(bounds);
    Ok(CostFit {
        target,
        fixed_us: bounds(0),
        prompt_token_us: of(PROMPT),
        output_token_us: of(OUTPUT),
        r2: explained(&told, &columns, &fitted),
        points: told.len(),
        requests: told.iter().map(|p| p.requests()).sum::<f64>() as u64,
        bent: columns.iter().skip(1).filter_map(|column| bent(&told, &columns, *column)).collect(),
        without: without.unwrap_or_default(),
        columns,
    })
}

/// The columns that varied enough to carry a slope, after the fixed cost's.
fn columns(told: &[&CostSums]) -> Result<Vec<usize>, String> {
    // Each point counted alike.
    let mut even = Sums::default();
    told.iter().for_each(|p| even.add(&p.sums, 1.0 / p.requests()));
    let n = even.product(0, 0);
    let covariance = |i: usize, j: usize| even.product(i, j) / n - even.product(0, i) * even.product(0, j) / (n * n);
    let spread = |i: usize| covariance(i, i).max(0.0).sqrt() / (even.product(0, i) / n);
    let mut columns = vec![0];
    columns.extend([PROMPT, OUTPUT].into_iter().filter(|i| spread(*i) > LEAST_SPREAD));
    if columns.len() == 1 {
        return Err(
            "neither prompts nor answers varied in length: sweep workload.sampling.max_tokens, or the length of \
                    synthetic prompts"
                .to_owned(),
        );
    }
    let alike = covariance(PROMPT, OUTPUT).powi(2) / (covariance(PROMPT, PROMPT) * covariance(OUTPUT, OUTPUT));
    if columns.len() == 3 && alike > MOST_ALIKE {
        return Err("prompt and output tokens grew together, so their costs can't be separated: sweep each by itself"
            .to_owned());
    }
    Ok(columns)
}

/// The fit without each point in turn; `None` if one of them is all that tells two costs apart.
fn leave_out(told: &[&CostSums], columns: &[usize]) -> Option<Vec<Vec<f64>>> {
    let rest = |out: usize| problem(told.iter().enumerate().filter(move |(at, _)| *at != out).map(|(_, p)| *p));
    (0..told.len()).map(|out| rest(out).solve(columns)).collect()
}

/// Half of the interval of a figure, from the figure without each point in turn.
fn jackknife(value: f64, without: &[f64], coefficients: usize) -> Option<f64> {
    let n = without.len() as f64;
    let free = n - coefficients as f64;
    let variance = (n - 1.0) / n * without.iter().map(|w| (w - value).powi(2)).sum::<f64>();
    let half = t_quantile(0.975, free).filter(|_| free >= 1.0)? * variance.sqrt();
    half.is_finite().then_some(half)
}

/// What a fit gives for a point's mean time: it is linear, so the mean tokens give the mean time.
fn fitted_mean(point: &CostSums, columns: &[usize], fitted: &[f64]) -> f64 {
    columns.iter().zip(fitted).map(|(column, b)| b * point.mean(*column)).sum()
}

fn explained(told: &[&CostSums], columns: &[usize], fitted: &[f64]) -> f64 {
    let weight = |p: &CostSums| 1.0 / p.mean_us().powi(2);
    let all: f64 = told.iter().map(|p| weight(p)).sum();
    let middle = told.iter().map(|p| weight(p) * p.mean_us()).sum::<f64>() / all;
    let left: f64 = told.iter().map(|p| weight(p) * (p.mean_us() - fitted_mean(p, columns, fitted)).powi(2)).sum();
    let total: f64 = told.iter().map(|p| weight(p) * (p.mean_us() - middle).powi(2)).sum();
    if total > 0.0 { 1.0 - left / total } else { 0.0 }
}

/// Whether the cost of a token changes with their number: the square of the count, added to the line, is shown to matter.
fn bent(told: &[&CostSums], columns: &[usize], column: usize) -> Option<String> {
    let more: Vec<usize> = columns.iter().copied().chain([column + SQUARE]).collect();
    debug_assert!(column + SQUARE < COLUMNS);
    let fitted = problem(told.iter().copied()).solve(&more).filter(|_| told.len() > more.len())?;
    let last = more.len() - 1;
    let without: Vec<f64> = leave_out(told, &more)?.iter().map(|fit| fit[last]).collect();
    let error = jackknife(fitted[last], &without, more.len())?;
    let ends = told.iter().map(|p| p.mean(column));
    let (low, high) = ends.fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
    let mean = told.iter().map(|p| p.mean_us()).sum::<f64>() / told.len() as f64;
    // The farthest that the curve lies from its chord.
    let away = fitted[last].abs() * (high - low).powi(2) / 4.0 / mean;
    if fitted[last].abs() <= error || away < BENT {
        return None;
    }
    let at = columns.iter().position(|c| *c == column)?;
    let slope = |x: f64| super::row::tidy((fitted[at] + 2.0 * fitted[last] * x) / 1e3);
    let what = if column == PROMPT { "prompt" } else { "output" };
    Some(format!(
        "the cost per additional {what} token is not constant: about {:.3} ms at {low:.0} tokens, {:.3} ms at {high:.0}",
        slope(low),
        slope(high)
    ))
}

/// Two targets' costs beside each other, over the same points in the same order.
pub fn compare_costs(target: &CostFit, reference: &CostFit) -> CostComparison {
    let paired = target.without.len() == reference.without.len() && target.columns == reference.columns;
    type TwoRuns<'a> = &'a dyn Fn(&[f64], &[f64]) -> Option<f64>;
    let replicates = |of: TwoRuns| -> Option<Vec<f64>> {
        let both = target.without.iter().zip(&reference.without).filter(|_| paired);
        let all: Option<Vec<f64>> = both.map(|(a, b)| of(a, b)).collect();
        all.filter(|all| !all.is_empty())
    };
    let k = target.columns.len();
    let difference = target.fixed_us.value - reference.fixed_us.value;
    let error = replicates(&|a, b| Some(a[0] - b[0])).and_then(|r| jackknife(difference, &r, k));
    // On the log scale, as ratios are told everywhere.
    let ratio = |column: usize, a: Option<Bounds>, b: Option<Bounds>| {
        let log = |a: f64, b: f64| (a > 0.0 && b > 0.0).then(|| (a / b).ln());
        let middle = log(a?.value, b?.value)?;
        let at = target.columns.iter().position(|c| *c == column)?;
        let error = replicates(&|a, b| log(a[at], b[at])).and_then(|r| jackknife(middle, &r, k));
        let ends = Bounds::around(middle, error);
        Some(Bounds { value: middle.exp(), low: ends.low.map(f64::exp), high: ends.high.map(f64::exp) })
    };
    CostComparison {
        target: target.target,
        reference: reference.target,
        fixed_us: Bounds::around(difference, error),
        prompt_token: ratio(PROMPT, target.prompt_token_us, reference.prompt_token_us),
        output_token: ratio(OUTPUT, target.output_token_us, reference.output_token_us),
    }
}

#[cfg(test)]
#[path = "costs_tests.rs"]
mod tests;
