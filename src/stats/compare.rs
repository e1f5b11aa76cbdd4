//! Two summaries and what the difference between them comes to: a ratio, its interval, and one of four verdicts.

use super::headline::{HEADLINES, Headline, primary};
use super::interval::{Z, normal_above, t_quantile};
use super::series::{Evidence, LEAST_UNITS, bound, evidence, holm, longer, p_beyond, times_as_long, welch};
use super::summary::tidy;
use super::units::{Lacking, Units, logs};
use super::{Estimate, Needs, TargetSummary, newcombe, proportion_ratio, unit};
use crate::scenario::Task;
use crate::scenario::plan::{LoadPlan, Plan};
use serde::{Deserialize, Serialize};

/// Share of failed requests above which times of the answered ones are no fair comparison: failures leave out the
/// requests that were slow, and counted as infinite they would make p99 infinite (measuring.md 10).
pub(super) const MOST_FAILED: f64 = 0.01;

/// What the evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The target is better than the reference by more than the smallest effect.
    Better,
    /// The target is worse by more than it.
    Worse,
    /// The two are equal: the whole interval lies within the smallest effect.
    Equal,
    /// The evidence shows none of these. Documents before version 2 said "not shown".
    #[serde(alias = "not shown")]
    Undecided,
    /// There is nothing to compare: one of the two is a stand-in, the other a real engine.
    #[serde(rename = "not compared")]
    NotCompared,
}

impl Verdict {
    /// The words in `comparison.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Equal => "equal",
            Verdict::Undecided => "undecided",
            Verdict::NotCompared => "not compared",
        }
    }
}

/// One metric, side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// Target ÷ reference: the quotient of the two values.
    pub ratio: Option<f64>,
    /// Lower end of the ratio's 95 % interval.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// Independent units that the interval rests on: groups of paired requests, stretches of time, or blocks.
    pub blocks: Option<usize>,
    /// Requests that both answered, over which both values are; `None` where each value is of the whole run.
    #[serde(default)]
    pub pairs: Option<u64>,
    /// Requests with a value on one side alone, which are left out: the target's, and the reference's.
    #[serde(default)]
    pub unpaired: Option<(u64, u64)>,
    /// Two-sided p that the true ratio lies within the smallest effect; but for the main metric, corrected by Holm for the
    /// number of metrics.
    #[serde(default)]
    pub p: Option<f64>,
    /// p of the signed-rank test over the units, uncorrected: beside the interval, not in its place.
    #[serde(default)]
    pub rank_p: Option<f64>,
    /// How large the run should have been to show a difference of 5 % (`worth_showing`) nine times in ten.
    #[serde(default)]
    pub needs: Option<Needs>,
    /// What that comes to.
    pub verdict: Verdict,
    /// Why a verdict is not shown.
    pub reason: Option<String>,
}

impl Comparison {
    /// Whether the two values differ by less than `least`, in their unit; false where one wasn't measured.
    pub fn closer_than(&self, least: f64) -> bool {
        self.target_value.zip(self.reference_value).is_some_and(|(a, b)| (a - b).abs() < least)
    }

    /// Takes a verdict back, and says why.
    pub fn doubt(&mut self, reason: String) {
        self.verdict = Verdict::Undecided;
        self.reason = Some(reason);
    }
}

/// What a comparison is made by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The smallest difference that matters, of a ratio.
    pub smallest_effect: f64,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// What was asked.
    pub task: Task,
    /// Whether requests left at planned instants.
    pub open_loop: bool,
}

impl Settings {
    /// A plan's.
    pub fn of(plan: &Plan) -> Self {
        let open_loop = matches!(plan.load, LoadPlan::Open(_));
        Self { smallest_effect: plan.smallest_effect.0, seed: plan.seed, task: plan.task, open_loop }
    }

    /// The smallest difference that matters of a proportion: half as many points as per cent of a ratio.
    fn smallest_difference(&self) -> f64 {
        self.smallest_effect / 2.0
    }

    /// The metric declared the main one: its verdict needs no correction for the others.
    pub fn primary(&self, tokens_counted: bool) -> &'static str {
        primary(self.task, self.open_loop, tokens_counted)
    }
}

/// One side of a comparison.
pub(super) struct Side<'a> {
    pub at: usize,
    pub summary: &'a TargetSummary,
    pub units: &'a Units<'a>,
    pub items: u64,
}

/// Every comparison of a target with the reference; what neither side measured is left out.
pub(super) fn compare(target: &Side, reference: &Side, settings: &Settings) -> Vec<Comparison> {
    let interval = |headline: &Headline| {
        let logs = logs(headline, target.units, reference.units).map_err(|why| lacking(&why))?;
        let apart = target.units.apart() && reference.units.apart();
        let told = evidence(&logs, apart, settings.seed);
        told.ok_or("a ratio needs two values above zero")?.map_err(|_| DEPENDENT.to_owned())
    };
    let items = |metric: &str, n: (u64, u64)| match metric {
        "accuracy" => (n.0.min(target.items), n.1.min(reference.items)),
        _ => n,
    };
    all((target.at, target.summary), (reference.at, reference.summary), settings, &interval, &items)
}

/// The same for summaries of two runs that were made apart, from their units: positions are those given. Welch's t stands
/// in the place of pairs.
pub fn compare_summaries(target: &TargetSummary, reference: &TargetSummary, settings: &Settings) -> Vec<Comparison> {
    let interval = |headline: &Headline| {
        let series = |summary: &TargetSummary| {
            let series = summary.units.iter().find(|series| series.metric == headline.path)?;
            Some((series.values.iter().map(|v| v.ln()).collect::<Vec<_>>(), series.apart))
        };
        let (Some(a), Some(b)) = (series(target), series(reference)) else {
            return Err(format!("fewer than {LEAST_UNITS} units in a run"));
        };
        let told = welch((&a.0, a.1), (&b.0, b.1));
        let (error, free) = told.ok_or_else(|| DEPENDENT.to_owned())?;
        let half = t_quantile(0.975, free).ok_or("no interval")? * error;
        let mean = |logs: &[f64]| logs.iter().sum::<f64>() / logs.len() as f64;
        let centre = mean(&a.0) - mean(&b.0);
        Ok(Evidence {
            centre,
            low: centre - half,
            high: centre + half,
            units: a.0.len().min(b.0.len()),
            error,
            rank_p: None,
            variance: None,
        })
    };
    all((0, target), (0, reference), settings, &interval, &|_, n| n)
}

/// Why neighbours that depend on each other carry no interval, and what to do.
const DEPENDENT: &str = "neighbouring stretches of the run depend on each other, as in a queue that is never empty: \
    `order: alternate` drives blocks apart, or a longer run holds more of them";

type Interval<'a> = &'a dyn Fn(&Headline) -> Result<Evidence, String>;
type Trusted<'a> = &'a dyn Fn(&str, (u64, u64)) -> (u64, u64);

fn all(
    target: (usize, &TargetSummary),
    reference: (usize, &TargetSummary),
    settings: &Settings,
    interval: Interval,
    trusted: Trusted,
) -> Vec<Comparison> {
    let mut rows = Vec::new();
    let mut evidences = Vec::new();
    for headline in HEADLINES.iter().filter(|headline| settings.open_loop || !headline.from_plan) {
        rows.extend(begin(headline.path, headline.unit, target, reference).map(|row| {
            let (row, evidence) = judge(headline, row, (target.1, reference.1), settings, interval);
            evidences.push(evidence);
            row
        }));
    }
    for (path, more_is_better) in [("accuracy", true), ("error_rate", false)] {
        rows.extend(begin(path, unit::ONE, target, reference).map(|row| {
            let sides = estimate(target.1, path).zip(estimate(reference.1, path));
            let sides = sides.map(|(a, b)| {
                let (n, m) = trusted(path, (a.n, b.n));
                ((a, n), (b, m))
            });
            judge_proportion(row, sides, more_is_better, settings.smallest_difference())
        }));
    }
    if let Some(reason) = lone_stand_in((&target.1.name, target.1.stand_in), (&reference.1.name, reference.1.stand_in))
    {
        return rows.into_iter().map(|row| uncompared(row, &reason)).collect();
    }
    let counted = rows.iter().any(|row| row.metric == "output_tokens_per_s" && row.ratio.is_some());
    let primary = settings.primary(counted);
    let family = correct(&mut rows, primary);
    let requests = target.1.requests().max(reference.1.requests());
    let window = |side: &TargetSummary| side.value("window").unwrap_or(0.0);
    let seconds = window(target.1).max(window(reference.1)) / 1e6;
    for (row, evidence) in rows.iter_mut().zip(evidences) {
        let family = if row.metric == primary { 1 } else { family };
        let times = evidence.and_then(|evidence| longer(&evidence, settings.smallest_effect, family));
        row.needs = times.map(|times| Needs {
            figure: row.metric.clone(),
            rows: (requests as f64 * times).ceil() as u64,
            seconds: Some(tidy(seconds * times)).filter(|s| *s > 0.0),
        });
    }
    rows
}

/// Why two targets aren't compared, if one of them alone is a stand-in; each is told by its name, and whether it is one.
pub fn lone_stand_in(a: (&str, bool), b: (&str, bool)) -> Option<String> {
    let one = [a, b].into_iter().find(|(_, stand_in)| *stand_in).filter(|_| a.1 != b.1);
    one.map(|(name, _)| format!("`{name}` is a stand-in"))
}

/// The two values, and nothing said of them together.
fn uncompared(row: Comparison, reason: &str) -> Comparison {
    Comparison {
        ratio: None,
        low: None,
        high: None,
        blocks: None,
        pairs: None,
        unpaired: None,
        p: None,
        rank_p: None,
        needs: None,
        verdict: Verdict::NotCompared,
        reason: Some(reason.to_owned()),
        ..row
    }
}

/// Corrects the p of all but the main metric for their number, and takes back the verdicts that it doesn't carry. Gives
/// their number.
fn correct(rows: &mut [Comparison], primary: &str) -> usize {
    let others: Vec<usize> =
        (0..rows.len()).filter(|at| rows[*at].metric != primary && rows[*at].p.is_some()).collect();
    let adjusted = holm(&others.iter().filter_map(|at| rows[*at].p).collect::<Vec<_>>());
    let family = others.len();
    for (at, p) in others.into_iter().zip(adjusted) {
        rows[at].p = Some(tidy(p));
        if p >= 0.05 && matches!(rows[at].verdict, Verdict::Better | Verdict::Worse) {
            rows[at].doubt("one of many metrics: corrected for their number (Holm) it is not shown".to_owned());
        }
    }
    family
}

/// The two values and their ratio; `None` if neither was measured.
fn begin(
    path: &str,
    unit: &str,
    (target, a): (usize, &TargetSummary),
    (reference, b): (usize, &TargetSummary),
) -> Option<Comparison> {
    let (x, y) = (a.value(path), b.value(path));
    x.or(y)?;
    let missing = match (x, y) {
        (None, _) => Some(a.label()),
        (_, None) => Some(b.label()),
        _ => None,
    };
    Some(Comparison {
        metric: path.to_owned(),
        unit: unit.to_owned(),
        target,
        reference,
        target_value: x,
        reference_value: y,
        ratio: x.zip(y).map(|(x, y)| x / y).filter(|ratio| ratio.is_finite()).map(tidy),
        low: None,
        high: None,
        blocks: None,
        pairs: None,
        unpaired: None,
        p: None,
        rank_p: None,
        needs: None,
        verdict: Verdict::Undecided,
        reason: missing.map(|name| format!("not measured on {name}")),
    })
}

fn lacking(why: &Lacking) -> String {
    match why {
        Lacking::Units { have, blocks: true } => {
            format!("{have} blocks have another beside them, and an interval needs {LEAST_UNITS}")
        }
        Lacking::Units { .. } => format!("the measured window is too short to be cut into {LEAST_UNITS} stretches"),
        Lacking::Rows { least, have } => {
            let needed = least * LEAST_UNITS as u64;
            if *have >= needed {
                return format!(
                    "{have} answers on one side, unevenly in time: an interval needs {least} in each of {LEAST_UNITS} stretches"
                );
            }
            format!(
                "{have} answers on one side: an interval needs {least} in each of {LEAST_UNITS} stretches, {needed} in all"
            )
        }
    }
}

/// The ratio of a headline metric, and the evidence it rests on.
fn judge(
    headline: &Headline,
    row: Comparison,
    sides: (&TargetSummary, &TargetSummary),
    settings: &Settings,
    interval: Interval,
) -> (Comparison, Option<Evidence>) {
    if row.reason.is_some() {
        return (row, None);
    }
    if row.ratio.is_none_or(|ratio| ratio <= 0.0) {
        return (not_shown(row, "a ratio needs two values above zero"), None);
    }
    let told = match interval(headline) {
        Err(reason) => return (not_shown(row, &reason), None),
        Ok(told) => told,
    };
    let row = Comparison {
        // The mean over units, which the interval is of; the values beside it are the whole run's.
        ratio: Some(tidy(told.centre.exp())).filter(|x| x.is_finite()),
        low: Some(tidy(told.low.exp())).filter(|x| x.is_finite()),
        high: Some(tidy(told.high.exp())).filter(|x| x.is_finite()),
        blocks: Some(told.units),
        p: p_beyond(told.centre, told.error, told.units, settings.smallest_effect).map(tidy),
        rank_p: told.rank_p.map(tidy),
        ..row
    };
    let failed = [sides.0, sides.1].into_iter().find_map(|side| {
        let share = side.value("error_rate").filter(|share| *share > MOST_FAILED)?;
        Some(format!("{:.1} % of the requests to {} failed", share * 100.0, side.label()))
    });
    let effect = settings.smallest_effect;
    let (below, above) = (told.high < -bound(-1.0, effect), told.low > bound(1.0, effect));
    let judged = if let Some(failed) = failed.filter(|_| headline.of_answers) {
        not_shown(row, &failed)
    } else if below || above {
        Comparison { verdict: worded(above == headline.more_is_better), ..row }
    } else if told.low >= -bound(-1.0, effect) && told.high <= bound(1.0, effect) {
        Comparison { verdict: Verdict::Equal, ..row }
    } else {
        not_shown(row, &format!("the interval comes within {} % of equal", tidy(effect * 100.0)))
    };
    (judged, Some(told))
}

/// How many times as long as so far a run has to be for a metric's ratio to have a half width of `half` (relative).
pub(super) fn longer_by(target: &Units, reference: &Units, path: &str, half: f64) -> Option<f64> {
    let headline = HEADLINES.iter().find(|headline| headline.path == path)?;
    times_as_long(&logs(headline, target, reference).ok()?, target.apart(), half.ln_1p())
}

fn estimate(summary: &TargetSummary, path: &str) -> Option<Estimate> {
    let row = summary.row(path)?;
    Some(Estimate { value: row.mean?, low: row.low?, high: row.high?, n: row.n? })
}

/// A proportion, with the observations its interval rests on.
type Proportion = (Estimate, u64);

/// A proportion: the verdict goes by the interval of the difference, the ratio's interval is told beside it.
fn judge_proportion(
    row: Comparison,
    sides: Option<(Proportion, Proportion)>,
    more_is_better: bool,
    smallest_difference: f64,
) -> Comparison {
    let Some(((a, trusted_a), (b, trusted_b))) = sides.filter(|_| row.reason.is_none()) else {
        let reason = row.reason.clone().unwrap_or_else(|| "no interval".to_owned());
        return not_shown(row, &reason);
    };
    let (low, high) = newcombe(a, b);
    let ends = row.ratio.and_then(|_| proportion_ratio(a, trusted_a, b, trusted_b));
    let p = p_of_difference(a.value - b.value, (low, high), smallest_difference);
    let row = Comparison { low: ends.map(|e| tidy(e.0)), high: ends.map(|e| tidy(e.1)), p: Some(tidy(p)), ..row };
    if low > smallest_difference || high < -smallest_difference {
        Comparison { verdict: worded((low > 0.0) == more_is_better), ..row }
    } else if low >= -smallest_difference && high <= smallest_difference {
        Comparison { verdict: Verdict::Equal, ..row }
    } else {
        let points = |x: f64| format!("{:+.1}", x * 100.0);
        not_shown(row, &format!("the difference may be {} to {} percentage points", points(low), points(high)))
    }
}

/// Two-sided p that a difference lies within the smallest one, read back from its 95 % interval: the distance to the bound in
/// half widths of the end that looks at it, as a standard normal (Altman and Bland, BMJ 343, 2011, d2304).
fn p_of_difference(difference: f64, (low, high): (f64, f64), smallest: f64) -> f64 {
    let half = if difference > 0.0 { difference - low } else { high - difference };
    let beyond = difference.abs() - smallest;
    if half <= 0.0 {
        return if beyond > 0.0 { 0.0 } else { 1.0 };
    }
    (2.0 * normal_above(beyond / half * Z)).min(1.0)
}

fn worded(better: bool) -> Verdict {
    if better { Verdict::Better } else { Verdict::Worse }
}

fn not_shown(mut row: Comparison, reason: &str) -> Comparison {
    row.doubt(reason.to_owned());
    row
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
