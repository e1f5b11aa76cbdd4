//! Two summaries and what the difference between them is worth: a ratio, its interval, and a verdict in one word.

use super::slots::{Block, Slots};
use super::summary::tidy;
use super::{Estimate, TargetSummary, Window, log_ratio_interval, newcombe, proportion_ratio, unit};
use serde::{Deserialize, Serialize};

/// The smallest effect a verdict is given for: 2 % of a ratio. The whole interval must lie beyond it.
pub const SMALLEST_EFFECT: f64 = 0.02;
/// The same for proportions: one percentage point of difference.
const SMALLEST_DIFFERENCE: f64 = 0.01;
/// Share of failed requests above which times of the answered ones are no fair comparison: failures leave out the
/// requests that were slow, and counted as infinite they would make p99 infinite (measuring.md 10).
const MOST_FAILED: f64 = 0.01;
/// Blocks of time that an interval is taken over, where the rows allow, and the fewest it is taken over.
const BLOCKS: std::ops::RangeInclusive<usize> = 6..=10;

/// What the evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The target is better than the reference by more than the smallest effect.
    Better,
    /// The target is worse by more than it.
    Worse,
    /// The evidence shows neither.
    #[serde(rename = "not shown")]
    NotShown,
}

impl Verdict {
    /// The words in `comparison.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::NotShown => "not shown",
        }
    }
}

/// One metric, side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The metric and figure, such as `latency.p95`.
    pub metric: String,
    /// Unit of the two values.
    pub unit: String,
    /// Position of the target in the report's targets.
    pub target: usize,
    /// Position of the reference in the report's targets.
    pub reference: usize,
    /// The target's value; `None` if not measured.
    pub target_value: Option<f64>,
    /// The reference's value; `None` if not measured.
    pub reference_value: Option<f64>,
    /// Target ÷ reference.
    pub ratio: Option<f64>,
    /// Lower end of the ratio's 95 % interval.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// Blocks of time the interval rests on, where it does.
    pub blocks: Option<usize>,
    /// What that comes to.
    pub verdict: Verdict,
    /// Why a verdict is not shown.
    pub reason: Option<String>,
}

/// A metric that ratios with intervals are told for.
struct Headline {
    path: &'static str,
    unit: &'static str,
    more_is_better: bool,
    /// Whether it is a time of answered requests, which failures distort.
    of_answers: bool,
    /// Fewest rows a block must have on each side: engines may take seconds an answer, so that few make do for a median
    /// or a mean (their scatter widens the interval); a 95th percentile has no rank in fewer than 20.
    least_rows: u64,
    /// Its value in a block (in any unit, the same for both sides), and the rows that it rests on.
    read: fn(&Block) -> (Option<f64>, u64),
}

const fn time(path: &'static str, least_rows: u64, read: fn(&Block) -> (Option<f64>, u64)) -> Headline {
    Headline { path, unit: unit::MICROS, more_is_better: false, of_answers: true, least_rows, read }
}

const fn rate(path: &'static str, unit: &'static str, read: fn(&Block) -> (Option<f64>, u64)) -> Headline {
    Headline { path, unit, more_is_better: true, of_answers: false, least_rows: 3, read }
}

const HEADLINES: [Headline; 9] = [
    time("latency.p50", 3, |b| (b.slot.latency.quantile(0.5), b.slot.latency.n)),
    time("latency.p95", 20, |b| (b.slot.latency.quantile(0.95), b.slot.latency.n)),
    time("latency.mean", 3, |b| (b.slot.latency.mean(), b.slot.latency.n)),
    time("ttft.p50", 3, |b| (b.slot.ttft.quantile(0.5), b.slot.ttft.n)),
    time("ttft.p95", 20, |b| (b.slot.ttft.quantile(0.95), b.slot.ttft.n)),
    time("itl.mean", 3, |b| (b.slot.itl.mean(), b.slot.itl.n)),
    time("tpot.mean", 3, |b| (b.slot.tpot.mean(), b.slot.tpot.n)),
    rate("requests_per_s", unit::REQUESTS_PER_S, |b| (per_second(b.slot.ended, b.seconds), b.slot.ended)),
    rate("output_tokens_per_s", unit::TOKENS_PER_S, |b| (per_second(b.slot.output_tokens, b.seconds), b.slot.ended)),
];

/// A rate; `None` if it is no finite number.
pub(super) fn per_second(count: u64, seconds: f64) -> Option<f64> {
    Some(count as f64 / seconds).filter(|rate| rate.is_finite())
}

/// One side of a comparison.
pub(super) struct Side<'a> {
    pub at: usize,
    pub summary: &'a TargetSummary,
    pub slots: &'a Slots,
    pub items: u64,
}

/// Every comparison of a target with the reference; what neither side measured is left out.
pub(super) fn compare(target: &Side, reference: &Side) -> Vec<Comparison> {
    let mut rows = Vec::new();
    let windows = target.summary.window.zip(reference.summary.window);
    for headline in &HEADLINES {
        if let Some(row) = begin(headline.path, headline.unit, target, reference) {
            rows.push(judge(headline, row, target, reference, windows));
        }
    }
    for (path, more_is_better) in [("accuracy", true), ("error_rate", false)] {
        rows.extend(begin(path, unit::ONE, target, reference).map(|row| {
            let trusted = |side: &Side, e: Estimate| if path == "accuracy" { e.n.min(side.items) } else { e.n };
            let sides = estimate(target.summary, path).zip(estimate(reference.summary, path));
            let sides = sides.map(|(a, b)| ((a, trusted(target, a)), (b, trusted(reference, b))));
            judge_proportion(row, sides, more_is_better)
        }));
    }
    rows
}

/// The two values and their ratio; `None` if neither was measured.
fn begin(path: &str, unit: &str, target: &Side, reference: &Side) -> Option<Comparison> {
    let (a, b) = (target.summary.value(path), reference.summary.value(path));
    a.or(b)?;
    let missing = match (a, b) {
        (None, _) => Some(target.summary.label()),
        (_, None) => Some(reference.summary.label()),
        _ => None,
    };
    Some(Comparison {
        metric: path.to_owned(),
        unit: unit.to_owned(),
        target: target.at,
        reference: reference.at,
        target_value: a,
        reference_value: b,
        ratio: a.zip(b).map(|(a, b)| a / b).filter(|ratio| ratio.is_finite()).map(tidy),
        low: None,
        high: None,
        blocks: None,
        verdict: Verdict::NotShown,
        reason: missing.map(|name| format!("not measured on {name}")),
    })
}

/// The ratio of a headline metric, by blocks of time.
fn judge(
    headline: &Headline,
    row: Comparison,
    target: &Side,
    reference: &Side,
    windows: Option<(Window, Window)>,
) -> Comparison {
    if row.reason.is_some() {
        return row;
    }
    let (Some(ratio), Some(windows)) = (row.ratio, windows) else {
        return not_shown(row, "a ratio needs two values above zero");
    };
    match interval(headline, target, reference, windows) {
        Err(reason) => not_shown(row, &reason),
        Ok((k, low, high)) => {
            let row = Comparison { low: Some(tidy(low)), high: Some(tidy(high)), blocks: Some(k), ..row };
            let failed = [target, reference].into_iter().find_map(|side| {
                let share = side.summary.value("error_rate").filter(|share| *share > MOST_FAILED)?;
                Some(format!("{:.1} % of the requests to {} failed", share * 100.0, side.summary.label()))
            });
            let (below, above) = (high < 1.0 - SMALLEST_EFFECT, low > 1.0 + SMALLEST_EFFECT);
            if let Some(failed) = failed.filter(|_| headline.of_answers) {
                not_shown(row, &failed)
            } else if !(low..=high).contains(&ratio) {
                // Quantiles of blocks and of the whole differ where a run isn't steady.
                not_shown(row, "the run wasn't steady: its blocks and the whole of it disagree")
            } else if below || above {
                Comparison { verdict: worded(above == headline.more_is_better), ..row }
            } else {
                not_shown(row, "the interval comes within 2 % of equal")
            }
        }
    }
}

/// The interval of the ratio over as many blocks as the rows allow, and their number; or why there is none.
fn interval(
    headline: &Headline,
    target: &Side,
    reference: &Side,
    windows: (Window, Window),
) -> Result<(usize, f64, f64), String> {
    let spanned = target.slots.spanned(windows.0).min(reference.slots.spanned(windows.1));
    if spanned < *BLOCKS.start() as u64 {
        return Err("the measured window is too short to be cut into 6 blocks".to_owned());
    }
    for k in BLOCKS.rev().filter(|k| *k as u64 <= spanned) {
        let (a, b) = (target.slots.blocks(windows.0, k), reference.slots.blocks(windows.1, k));
        let read = |block: &Block| {
            let (value, rows) = (headline.read)(block);
            value.filter(|value| rows >= headline.least_rows && *value > 0.0)
        };
        let logs: Option<Vec<f64>> = a.iter().zip(&b).map(|(a, b)| Some((read(a)? / read(b)?).ln())).collect();
        if let Some((low, high)) = logs.and_then(|logs| log_ratio_interval(&logs)) {
            return Ok((k, low, high));
        }
    }
    Err(format!("fewer than {} answers in one of 6 blocks of time", headline.least_rows))
}

fn estimate(summary: &TargetSummary, path: &str) -> Option<Estimate> {
    let row = summary.row(path)?;
    Some(Estimate { value: row.mean?, low: row.low?, high: row.high?, n: row.n? })
}

/// A proportion, with the observations its interval rests on.
type Proportion = (Estimate, u64);

/// A proportion: the verdict goes by the interval of the difference, the ratio's interval is told beside it.
fn judge_proportion(row: Comparison, sides: Option<(Proportion, Proportion)>, more_is_better: bool) -> Comparison {
    let Some(((a, trusted_a), (b, trusted_b))) = sides.filter(|_| row.reason.is_none()) else {
        let reason = row.reason.clone().unwrap_or_else(|| "no interval".to_owned());
        return not_shown(row, &reason);
    };
    let (low, high) = newcombe(a, b);
    let ends = row.ratio.and_then(|_| proportion_ratio(a, trusted_a, b, trusted_b));
    let row = Comparison { low: ends.map(|e| tidy(e.0)), high: ends.map(|e| tidy(e.1)), ..row };
    if low > SMALLEST_DIFFERENCE || high < -SMALLEST_DIFFERENCE {
        Comparison { verdict: worded((low > 0.0) == more_is_better), ..row }
    } else {
        let points = |x: f64| format!("{:+.1}", x * 100.0);
        not_shown(row, &format!("the difference may be {} to {} percentage points", points(low), points(high)))
    }
}

fn worded(better: bool) -> Verdict {
    if better { Verdict::Better } else { Verdict::Worse }
}

fn not_shown(row: Comparison, reason: &str) -> Comparison {
    Comparison { verdict: Verdict::NotShown, reason: Some(reason.to_owned()), ..row }
}
