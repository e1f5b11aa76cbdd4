//! Two summaries and what the difference between them comes to: a ratio, its interval, and one of four verdicts.

use super::batches::{Batches, beside};
use super::figure::Figure;
use super::headline::{HEADLINES, Headline, primary};
use super::needed::times_longer;
use super::pairs::Pairs;
use super::proportion::{self, Difference};
use super::queue::Queue;
use super::row::tidy;
use super::series::{Dependent, LEAST_UNITS, RatioEvidence, bound, holm, p_beyond, place, quotient, welch};
use super::slots::Slot;
use super::{Needs, TargetSummary, series};
use crate::metrics::human::count;
use crate::metrics::{self, Better};
use crate::scenario::Task;
use crate::scenario::plan::{LoadPlan, Plan};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// The verdict of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The target is better than the reference by more than the smallest effect.
    Better,
    /// The target is worse by more than it.
    Worse,
    /// The two are equal: the whole interval lies within the smallest effect.
    Equal,
    /// The data allow more than one of these. Reports before version 2 wrote `not shown`.
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
    /// Number of independent units behind the interval: batches of paired requests, batches of time, or blocks.
    pub blocks: Option<usize>,
    /// Number of requests answered by both, the basis of both values; `None` if each value covers the whole run.
    #[serde(default)]
    pub pairs: Option<u64>,
    /// Requests with a value on one side only, which are left out: the target's, and the reference's.
    #[serde(default)]
    pub unpaired: Option<(u64, u64)>,
    /// Two-sided p that the true ratio lies within the smallest effect, corrected by Holm: the main metric's for the number of
    /// targets, the others' for the number of targets and metrics together.
    #[serde(default)]
    pub p: Option<f64>,
    /// How large the run should have been to detect a difference of 5 % (at the default `smallest_effect`) nine times
    /// in ten.
    #[serde(default)]
    pub needs: Option<Needs>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is undecided, or not compared.
    pub reason: Option<String>,
    /// What the verdict is made from; `None` where there is nothing, and in what was read from a file.
    #[serde(skip)]
    pub(crate) basis: Option<Basis>,
}

/// What the interval of one run is called.
const THE_INTERVAL: &str = "the CI";

/// What a verdict is made from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Basis {
    weight: Weight,
    more_is_better: bool,
    /// Why the figure says nothing of the engines, whatever its interval is.
    spoilt: Option<String>,
    /// What its interval is called.
    interval: &'static str,
    /// Measured requests and seconds of the longer side, where a longer run of the same kind tells more.
    size: Option<(u64, f64)>,
}

impl Basis {
    /// That of a ratio over runs, none of which is longer than it is; `spoilt` says why it says nothing of the engines.
    pub(super) fn over_runs(told: RatioEvidence, more_is_better: bool, spoilt: Option<String>) -> Self {
        Self { weight: Weight::Ratio(told), more_is_better, spoilt, interval: "the CI over runs", size: None }
    }
}

/// The evidence, on the scale that the verdict goes by.
#[derive(Clone, Debug, PartialEq)]
enum Weight {
    /// A ratio.
    Ratio(RatioEvidence),
    /// A difference of two proportions.
    Difference(Difference),
}

impl Comparison {
    /// Whether the two values differ by less than `least`, in their unit; false where one wasn't measured.
    pub fn closer_than(&self, least: f64) -> bool {
        self.target_value.zip(self.reference_value).is_some_and(|(a, b)| (a - b).abs() < least)
    }

    /// The verdict of this row alone, with its p; where it has no evidence it stays as it is.
    pub(super) fn settle(&mut self, smallest_effect: f64) {
        let Some(basis) = self.basis.take() else { return };
        let (ends, bounds) = match &basis.weight {
            Weight::Ratio(told) => {
                self.p = p_beyond(told, smallest_effect);
                ((told.low, told.high), (-bound(-1.0, smallest_effect), bound(1.0, smallest_effect)))
            }
            Weight::Difference(told) => {
                let smallest = smallest_difference(smallest_effect);
                self.p = Some(told.p(smallest));
                ((told.low, told.high), (-smallest, smallest))
            }
        };
        self.reason = None;
        match (&basis.spoilt, place(ends, bounds)) {
            (Some(why), _) => self.undecided(why.clone()),
            (None, Some(Ordering::Equal)) => self.verdict = Verdict::Equal,
            (None, Some(side)) => {
                let better = (side == Ordering::Greater) == basis.more_is_better;
                self.verdict = if better { Verdict::Better } else { Verdict::Worse };
            }
            (None, None) => self.undecided(match &basis.weight {
                Weight::Ratio(_) => {
                    format!("{} overlaps ±{} %", basis.interval, tidy(smallest_effect * 100.0))
                }
                Weight::Difference(_) => {
                    let points = |x: f64| format!("{:+.1}", x * 100.0);
                    format!("the difference may be {} to {} percentage points", points(ends.0), points(ends.1))
                }
            }),
        }
        self.basis = Some(basis);
    }

    /// Leaves it undecided, and says why.
    pub(crate) fn undecided(&mut self, reason: String) {
        self.verdict = Verdict::Undecided;
        self.reason = Some(reason);
    }
}

/// Says why a comparison's difference is none of the engines', if so.
pub type WhyNot<'a> = &'a dyn Fn(&Comparison) -> Option<String>;

/// What is known of a run besides its samples that a verdict can't be given against.
#[derive(Clone, Copy, Default)]
pub struct Doubts<'a> {
    /// Why a difference as small as this one shows nothing of the engines.
    pub of_difference: Option<WhyNot<'a>>,
    /// Why nothing that was measured of the two says anything of them together.
    pub of_all: Option<&'a str>,
}

/// What a comparison is made by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComparisonSettings {
    /// The smallest difference that matters, of a ratio.
    pub smallest_effect: f64,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// What was asked.
    pub task: Task,
    /// Whether requests left at planned instants.
    pub open_loop: bool,
}

impl ComparisonSettings {
    /// A plan's.
    pub fn of(plan: &Plan) -> Self {
        let open_loop = matches!(plan.load, LoadPlan::Open(_));
        Self { smallest_effect: plan.smallest_effect.0, seed: plan.seed, task: plan.task, open_loop }
    }

    /// The metric declared the main one: its verdict needs no correction for the others.
    pub fn primary(&self, tokens_counted: bool) -> &'static str {
        primary(self.task, self.open_loop, tokens_counted)
    }
}

/// The smallest difference that matters of a proportion: half as many points as per cent of a ratio.
pub(super) fn smallest_difference(smallest_effect: f64) -> f64 {
    smallest_effect / 2.0
}

/// One side of a comparison.
pub(super) struct ComparedTarget<'a> {
    pub at: usize,
    pub summary: &'a TargetSummary,
    pub units: &'a Batches<'a>,
    /// Users of a closed loop.
    pub users: Option<usize>,
}

/// A figure of two sides, and its evidence or why there is none.
type Read = (Option<(f64, f64)>, Result<RatioEvidence, String>);

/// Every comparison of a target with the reference, without verdicts; what neither side measured is left out.
pub(super) fn compare(
    target: &ComparedTarget,
    reference: &ComparedTarget,
    pairs: &Pairs,
    settings: &ComparisonSettings,
) -> Vec<Comparison> {
    let stretches = beside(target.units, reference.units);
    let users = target.users.max(reference.users);
    let read = |headline: &Headline| -> Read {
        let by_time = matches!(headline.figure, Figure::Rate(_)) && settings.open_loop;
        let groups: Vec<(&Slot, &Slot)> = if by_time {
            stretches.iter().map(|(a, b)| (a, b)).collect()
        } else {
            pairs.groups().into_iter().map(|group| (&group.sides[0], &group.sides[1])).collect()
        };
        let n: u64 = groups.iter().map(|(a, b)| headline.figure.rows(a).min(headline.figure.rows(b))).sum();
        let apart = if by_time { target.units.are_blocks() } else { pairs.are_blocks() };
        let queue = if by_time { Queue::NONE } else { pairs.queue(users) };
        let Some((x, y, told)) = quotient(&groups, headline.figure, apart, queue, settings.seed) else {
            return (None, Err(few(n, groups.len(), headline)));
        };
        // Per user, and in ticks; as they are told.
        let scale = match (headline.figure, users) {
            (Figure::Rate(_), Some(users)) if !by_time => users as f64,
            _ => headline.ticks_per_unit().recip(),
        };
        let told = told.map_err(|Dependent| DEPENDENT.to_owned());
        let told = if n < headline.least_pairs() { Err(few(n, groups.len(), headline)) } else { told };
        (Some((x * scale, y * scale)), told)
    };
    let mut rows = all((target.at, target.summary), (reference.at, reference.summary), settings, &read);
    let (both, alone) = pairs.counts();
    for row in &mut rows {
        let by_time = settings.open_loop && HEADLINES.iter().any(|h| h.path == row.metric && !h.of_answers);
        if row.basis.is_some() && row.metric != "error_rate" && !by_time {
            (row.pairs, row.unpaired) = (Some(both), Some(alone));
        }
    }
    if let Some(told) = proportion::paired(pairs.items()) {
        for row in rows.iter_mut().filter(|row| row.metric == "accuracy" && row.reason.is_none()) {
            decide_row(row, told, true);
            (row.pairs, row.unpaired) = (Some(both), Some(alone));
        }
    }
    rows
}

/// The same for summaries of two runs that were made apart, from their units: positions are those given. Welch's t stands
/// in the place of pairs.
pub fn compare_summaries(
    target: &TargetSummary,
    reference: &TargetSummary,
    settings: &ComparisonSettings,
) -> Vec<Comparison> {
    let read = |headline: &Headline| -> Read {
        let series = |summary: &TargetSummary| {
            let series = summary.units.iter().find(|series| series.metric == headline.path)?;
            Some((series.values.iter().map(|v| v.ln()).collect::<Vec<_>>(), series.apart))
        };
        let values = target.value(headline.path).zip(reference.value(headline.path));
        let told = || {
            let (Some(a), Some(b)) = (series(target), series(reference)) else {
                return Err(format!("a run has fewer than {LEAST_UNITS} batches"));
            };
            let (x, y) = values.filter(|(x, y)| *x > 0.0 && *y > 0.0).ok_or("a ratio needs two values above zero")?;
            let (error, free) = welch((&a.0, a.1), (&b.0, b.1)).ok_or_else(|| DEPENDENT.to_owned())?;
            let units = a.0.len().min(b.0.len());
            RatioEvidence::new((x / y).ln(), error, free, units).ok_or_else(|| "no interval".to_owned())
        };
        (values, told())
    };
    let mut rows = all((0, target), (0, reference), settings, &read);
    // Of runs that were made apart it isn't known what longer ones would show.
    rows.iter_mut().filter_map(|row| row.basis.as_mut()).for_each(|basis| basis.size = None);
    decide(&mut rows, settings, Doubts::default());
    rows
}

/// Why neighbours that depend on each other carry no interval, and what to do.
const DEPENDENT: &str = "consecutive requests of the run depend on each other, as in a queue that is never empty: use \
                         `order: alternate`, or a longer run";

/// Why there is no interval: too few answers, or enough of them in too few groups of neighbours.
fn few(n: u64, groups: usize, headline: &Headline) -> String {
    let least = headline.least_pairs();
    if n < least || groups >= LEAST_UNITS {
        return format!("{} answers to the same requests, and an interval needs {least}", count(n));
    }
    format!("{} answers to the same requests form {groups} batches, and an interval needs {LEAST_UNITS}", count(n))
}

fn all(
    target: (usize, &TargetSummary),
    reference: (usize, &TargetSummary),
    settings: &ComparisonSettings,
    read: &dyn Fn(&Headline) -> Read,
) -> Vec<Comparison> {
    let requests = target.1.requests().max(reference.1.requests());
    let window = |side: &TargetSummary| side.value("window").unwrap_or(0.0);
    let size = (requests, window(target.1).max(window(reference.1)) / 1e6);
    let mut rows = Vec::new();
    for headline in HEADLINES.iter().filter(|headline| settings.open_loop || !headline.from_plan) {
        // Without shared prefixes no request comes after another of its group.
        let later = |side: &TargetSummary| side.row(metrics::TTFT_LATER.id).is_some();
        if headline.path.starts_with(metrics::TTFT_LATER.id) && !later(target.1) && !later(reference.1) {
            continue;
        }
        if headline.path.starts_with("ttfat") && !target.1.thinks() && !reference.1.thinks() {
            continue;
        }
        let Some(mut row) = begin(headline.path, headline.unit, target, reference) else { continue };
        if row.reason.is_none() {
            let (values, told) = read(headline);
            if let Some((x, y)) = values {
                (row.target_value, row.reference_value) = (Some(tidy(x)), Some(tidy(y)));
                row.ratio = Some(tidy(x / y)).filter(|ratio| ratio.is_finite());
            }
            match told {
                _ if row.ratio.is_none_or(|ratio| ratio <= 0.0) => {
                    row.undecided("a ratio needs two values above zero".to_owned());
                }
                Err(reason) => row.undecided(reason),
                Ok(told) => {
                    row.low = Some(tidy(told.low.exp())).filter(|x| x.is_finite());
                    row.high = Some(tidy(told.high.exp())).filter(|x| x.is_finite());
                    row.blocks = Some(told.units);
                    let failed = [target.1, reference.1].into_iter().find_map(failed);
                    row.basis = Some(Basis {
                        weight: Weight::Ratio(told),
                        more_is_better: headline.more_is_better,
                        spoilt: failed.filter(|_| headline.of_answers),
                        interval: THE_INTERVAL,
                        size: Some(size),
                    });
                }
            }
        }
        rows.push(row);
    }
    for share in [&metrics::ACCURACY, &metrics::ERROR_RATE] {
        let Some(mut row) = begin(share.id, share.unit, target, reference) else { continue };
        match proportion::difference(target.1, reference.1, share.id) {
            _ if row.reason.is_some() => {}
            None => row.undecided("no interval".to_owned()),
            Some(told) => decide_row(&mut row, told, share.better == Better::More),
        }
        rows.push(row);
    }
    if let Some(reason) = lone_stand_in((&target.1.name, target.1.stand_in), (&reference.1.name, reference.1.stand_in))
    {
        return rows.into_iter().map(|row| uncompared(row, &reason)).collect();
    }
    rows
}

/// Puts the evidence of a proportion into its row.
fn decide_row(row: &mut Comparison, told: Difference, more_is_better: bool) {
    (row.target_value, row.reference_value) = (Some(tidy(told.target)), Some(tidy(told.reference)));
    row.ratio = Some(told.target / told.reference).filter(|ratio| ratio.is_finite()).map(tidy);
    let ends = row.ratio.and(told.ratio);
    (row.low, row.high) = (ends.map(|ends| tidy(ends.0)), ends.map(|ends| tidy(ends.1)));
    let weight = Weight::Difference(told);
    row.basis = Some(Basis { weight, more_is_better, spoilt: None, interval: THE_INTERVAL, size: None });
}

/// Why the times of a target's answers say little of it: it failed too often.
fn failed(side: &TargetSummary) -> Option<String> {
    let share = side.too_many_failed()?;
    Some(format!("{:.1} % of the requests to {} failed", share * 100.0, side.label()))
}

/// Whether the output tokens of every target were counted.
pub(super) fn tokens_counted(rows: &[Comparison]) -> bool {
    let mut told = rows.iter().filter(|row| row.metric == "output_tokens_per_s").peekable();
    told.peek().is_some() && told.all(|row| row.target_value.is_some() && row.reference_value.is_some())
}

/// Gives every comparison of a run its verdict, or says why it has none: all targets and metrics together, for they are
/// corrected for their number (Holm). Gives the same again when it is asked again with more known.
pub fn decide(rows: &mut [Comparison], settings: &ComparisonSettings, doubts: Doubts<'_>) {
    decide_by(rows, settings.primary(tokens_counted(rows)), settings.smallest_effect, doubts);
}

/// The same, where it is known which metric is the main one.
pub fn decide_by(rows: &mut [Comparison], primary: &str, smallest_effect: f64, doubts: Doubts<'_>) {
    rows.iter_mut().for_each(|row| row.settle(smallest_effect));
    for main in [true, false] {
        let family: Vec<usize> =
            (0..rows.len()).filter(|at| (rows[*at].metric == primary) == main && rows[*at].p.is_some()).collect();
        let adjusted = holm(&family.iter().filter_map(|at| rows[*at].p).collect::<Vec<_>>());
        let size = family.len();
        for (at, p) in family.into_iter().zip(adjusted) {
            let row = &mut rows[at];
            row.p = Some(tidy(p));
            if p >= 0.05 && matches!(row.verdict, Verdict::Better | Verdict::Worse) {
                row.undecided("not significant after correction for the number of comparisons (Holm)".to_owned());
            }
            if let Some(Basis { weight: Weight::Ratio(told), spoilt: None, size: Some((requests, seconds)), .. }) =
                &row.basis
            {
                row.needs = times_longer(told, smallest_effect, size).map(|times| Needs {
                    figure: row.metric.clone(),
                    rows: (*requests as f64 * times).ceil() as u64,
                    seconds: Some(tidy(seconds * times)).filter(|s| *s > 0.0),
                });
            }
        }
    }
    for row in rows.iter_mut().filter(|row| row.basis.is_some()) {
        let small = doubts.of_difference.filter(|_| matches!(row.verdict, Verdict::Better | Verdict::Worse));
        // More of the same tells no more there.
        if let Some(why) = small.and_then(|small| small(row)) {
            row.undecided(why);
            row.needs = None;
        }
        if let Some(why) = doubts.of_all {
            row.undecided(why.to_owned());
            row.needs = None;
        }
    }
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
        needs: None,
        verdict: Verdict::NotCompared,
        reason: Some(reason.to_owned()),
        basis: None,
        ..row
    }
}

/// The two values of the whole runs and their ratio; `None` if neither was measured.
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
        needs: None,
        verdict: Verdict::Undecided,
        reason: missing.map(|name| format!("not measured on {name}")),
        basis: None,
    })
}

/// The comparisons of the main metric, one a target.
pub fn main_of<'a>(rows: &'a [Comparison], settings: &ComparisonSettings) -> impl Iterator<Item = &'a Comparison> {
    let primary = settings.primary(tokens_counted(rows));
    rows.iter().filter(move |row| row.metric == primary)
}

/// How many times as long as so far a run has to be for its main ratio to have a half width of `half` (relative); the most over
/// the targets. `None` while that can't be told.
pub fn times_as_long(rows: &[Comparison], settings: &ComparisonSettings, half: f64) -> Option<f64> {
    let longer = |row: &Comparison| match &row.basis.as_ref()?.weight {
        Weight::Ratio(told) => series::times_as_long(told, half.ln_1p(), settings.smallest_effect),
        Weight::Difference(_) => None,
    };
    main_of(rows, settings).map(longer).reduce(|a, b| Some(a?.max(b?)))?
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
