//! What a ratio of two figures rests on: groups of paired requests, stretches of time, or blocks. Requests that wait in the
//! same queue are no evidence of their own; groups far enough apart are.

use super::dependence::{inflation, of_neighbours, seen};
use super::figure::{Figure, Parts};
use super::interval::{t_above, t_quantile};
use super::queue::{Outlook, Queue};
use super::slots::Slot;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cmp::Ordering;

/// Fewest units an interval is taken over.
pub const LEAST_UNITS: usize = 6;
/// Resamples: their standard deviation is known to 4 %.
const RESAMPLES: usize = 300;
/// One-sided point of the standard normal at which neighbouring units are joined (10 %): joining costs little.
const ALIKE: f64 = 1.281_551_565_544_600_5;
/// The point at which units that can't be joined any further are refused (1 %): a refusal costs the run.
const DEPENDENT: f64 = 2.326_347_874_040_841;
/// The p below which a difference is beyond doubt already in the first stage of a run. One look as strict as this leaves the
/// error rate of the interval at the end what it is (0.05 becomes 0.0505 at most): Haybittle, British Journal of Radiology 44,
/// 1971; Peto and others, British Journal of Cancer 34, 1976.
pub const BEYOND_DOUBT: f64 = 0.001;
/// Units from which on their own scatter alone tells the error. That of fewer is known to a third at best.
const FEW_UNITS: usize = 20;

/// What a ratio rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct RatioEvidence {
    /// The log of the ratio.
    pub centre: f64,
    /// Lower end of its 95 % interval, on the log scale.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Independent units that the interval rests on.
    pub units: usize,
    /// Standard error of the centre.
    pub error: f64,
    /// Degrees of freedom of that error.
    pub free: f64,
    /// What the length of a longer run is reckoned from.
    pub(super) outlook: Outlook,
}

impl RatioEvidence {
    /// Student's t interval of an error with `free` degrees of freedom around the log of a ratio.
    pub fn new(centre: f64, error: f64, free: f64, units: usize) -> Option<Self> {
        let half = t_quantile(0.975, free)? * error;
        let outlook = Outlook { squared: error * error, free };
        Some(Self { centre, low: centre - half, high: centre + half, units, error, free, outlook })
            .filter(|told| told.low.is_finite() && told.high.is_finite())
    }
}

/// Neighbours depend on each other however many are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependent;

/// The von Neumann ratio as a standard normal under independence: positive for neighbours that are alike (von Neumann,
/// Annals of Mathematical Statistics 12(4), 1941; as Fishman and Yarberry use it, INFORMS J. on Computing 9(3), 1997).
fn likeness(values: &[f64]) -> f64 {
    let k = values.len() as f64;
    let mean = values.iter().sum::<f64>() / k;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    if squares <= 0.0 || values.len() < 3 {
        return 0.0;
    }
    let steps: f64 = values.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
    (1.0 - steps / (2.0 * squares)) * ((k * k - 1.0) / (k - 2.0)).sqrt()
}

/// How many neighbours have to be joined, as LBATCH does, until their means look independent; the remainder joins the last.
/// One where they were driven `apart`: then they are independent by their making. Else `overlap` neighbours are joined to begin
/// with, if twelve are left: so many were under way at once, and waited for each other.
fn join(values: &[f64], apart: bool, overlap: usize) -> Result<usize, Dependent> {
    let mut size = if apart { 1 } else { overlap.min(values.len() / (2 * LEAST_UNITS)).max(1) };
    loop {
        let joined = joined(values, size);
        let last = values.len() / (size + 1) < LEAST_UNITS;
        if joined.len() < LEAST_UNITS || !apart && last && likeness(&joined) > DEPENDENT {
            return Err(Dependent);
        }
        if apart || last || likeness(&joined) <= ALIKE {
            return Ok(size);
        }
        size += 1;
    }
}

/// The means of `size` neighbours each; the remainder joins the last.
fn joined(logs: &[f64], size: usize) -> Vec<f64> {
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    spans(logs.len(), size).map(|(from, to)| mean(&logs[from..to])).collect()
}

/// From where to where each of so many neighbours reach.
fn spans(len: usize, size: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = len / size;
    (0..count).map(move |i| (i * size, if i + 1 == count { len } else { (i + 1) * size }))
}

/// Two figures and the evidence of their ratio: the target's, the reference's.
pub(super) type Quotient = (f64, f64, Result<RatioEvidence, Dependent>);

/// The quotient of a figure of two sides, and what it rests on. `groups` are pairs of what both sides did: of the same
/// requests, of the same stretch of time, or of the blocks of a round, which were driven `apart`. `None` with fewer than six, or
/// where a figure isn't above zero. Users of a closed loop may have waited in `queue`.
///
/// The error is the standard deviation of the log quotient over resamples of the groups, both sides together (paired block
/// bootstrap: Künsch, Annals of Statistics 17(3), 1989; with the factor K / (K - 1) of few groups: Davison and Hinkley,
/// Bootstrap Methods, 1997, 2.5.1). Dependent neighbours are joined first, and what dependence is left widens the
/// error ([`inflation`]). The interval is Student's t with K - 1 degrees of freedom, K - 2 where a correlation was looked for.
///
/// Of a mean or a rate that fewer than [`FEW_UNITS`] units are left of, it is put together with what single groups and a
/// queue say ([`Queue::sure`]), each by its degrees of freedom: that covers the truth more often, and is narrower (`make truth`).
pub(super) fn quotient(
    groups: &[(&Slot, &Slot)],
    figure: Figure,
    apart: bool,
    queue: Queue,
    seed: u64,
) -> Option<Quotient> {
    // What has no rows for the figure is no group.
    let groups: Vec<(&Slot, &Slot)> =
        groups.iter().copied().filter(|(a, b)| has(figure, a) && has(figure, b)).collect();
    let sides = |size: usize| {
        let of = |first: bool| -> Vec<Vec<&Slot>> {
            spans(groups.len(), size)
                .map(|(from, to)| groups[from..to].iter().map(|(a, b)| if first { *a } else { *b }).collect())
                .collect()
        };
        (Parts::new(figure, &of(true)), Parts::new(figure, &of(false)))
    };
    let one_each = vec![1; groups.len()];
    let (a, b) = sides(1);
    let (x, y) = (a.value(&one_each)?, b.value(&one_each)?);
    let off: Vec<f64> = a.off(x).iter().zip(b.off(y)).map(|(a, b)| a - b).collect();
    if groups.len() < LEAST_UNITS {
        return None;
    }
    let size = match join(&off, apart, queue.overlap()) {
        Ok(size) => size,
        Err(dependent) => return Some((x, y, Err(dependent))),
    };
    let units = joined(&off, size);
    let k = units.len();
    let (a, b) = if size == 1 { (a, b) } else { sides(size) };
    let error = resampled(k, seed, |weights| Some((a.value(weights)? / b.value(weights)?).ln()))?;
    let free = k as f64 - if apart { 1.0 } else { 2.0 };
    if apart {
        return Some((x, y, Ok(RatioEvidence::new((x / y).ln(), error, free, k)?)));
    }
    let left = inflation(of_neighbours(seen(&units, 1), k as f64));
    let of_units = error * error * left;
    let linear = !matches!(figure, Figure::Quantile(..));
    let sure = queue.sure(&off).filter(|_| linear && queue.users > 1);
    let few = sure.filter(|_| k < FEW_UNITS);
    let squared = few.map_or(of_units, |sure| {
        let of_groups = off.len() as f64 / sure.factor;
        (sure.squared * of_groups + of_units * free) / (of_groups + free)
    });
    let mut told = RatioEvidence::new((x / y).ln(), squared.sqrt(), free, k)?;
    if let Some(sure) = sure {
        let sizes: Vec<f64> = groups.iter().map(|(a, b)| figure.weight(a) + figure.weight(b)).collect();
        told.outlook = Outlook::of(sure, told.error, &sizes);
    }
    Some((x, y, Ok(told)))
}

/// Whether a part has rows for a figure.
fn has(figure: Figure, part: &Slot) -> bool {
    match figure {
        Figure::Rate(_) => part.spent > 0.0,
        figure => figure.rows(part) > 0,
    }
}

/// The standard error of a statistic of `k` independent units, by the bootstrap.
fn resampled(k: usize, seed: u64, statistic: impl Fn(&[u32]) -> Option<f64>) -> Option<f64> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = vec![0_u32; k];
    let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for _ in 0..RESAMPLES {
        weights.fill(0);
        (0..k).for_each(|_| weights[draw.random_range(0..k)] += 1);
        let Some(value) = statistic(&weights).filter(|value| value.is_finite()) else { continue };
        n += 1.0;
        let off = value - mean;
        mean += off / n;
        squares += off * (value - mean);
    }
    // Where half of the draws leave nothing to divide, the rest says nothing either.
    (n >= RESAMPLES as f64 / 2.0).then(|| (squares / (n - 1.0) * k as f64 / (k as f64 - 1.0)).sqrt())
}

/// Two-sided p that the true ratio lies no further from one than the smallest effect: Student's t.
pub fn p_beyond(told: &RatioEvidence, smallest_effect: f64) -> Option<f64> {
    let beyond = told.centre.abs() - bound(told.centre, smallest_effect);
    if told.error <= 0.0 {
        return Some(if beyond > 0.0 { 0.0 } else { 1.0 });
    }
    Some((2.0 * t_above(beyond / told.error, told.free)?).min(1.0))
}

/// The smallest effect on the log scale, on the side of the estimate: a ratio of 1 + e, or of 1 - e.
pub fn bound(centre: f64, smallest_effect: f64) -> f64 {
    if centre < 0.0 { -(-smallest_effect).ln_1p() } else { smallest_effect.ln_1p() }
}

/// Where an interval lies: wholly below the lower bound, wholly above the upper one, or (`Equal`) within both; `None` across one.
pub fn place((low, high): (f64, f64), (below, above): (f64, f64)) -> Option<Ordering> {
    if high < below {
        Some(Ordering::Less)
    } else if low > above {
        Some(Ordering::Greater)
    } else {
        (low >= below && high <= above).then_some(Ordering::Equal)
    }
}

/// How many times as long as its first stage a run has to be for the ratio's 95 % interval to have a half width of `half` on
/// the log scale, at least once.
///
/// Stein's two-stage rule (Annals of Mathematical Statistics 16(3), 1945): the length is set from the first stage's scatter
/// alone, which is independent of the ratio, so that stopping there doesn't raise the error rate. A difference that is beyond
/// doubt ([`BEYOND_DOUBT`]) needs no more.
pub fn times_as_long(told: &RatioEvidence, half: f64, smallest_effect: f64) -> Option<f64> {
    if half <= 0.0 {
        return None;
    }
    if p_beyond(told, smallest_effect).is_some_and(|p| p < BEYOND_DOUBT) {
        return Some(1.0);
    }
    let now = t_quantile(0.975, told.free)? * told.error;
    Some((now / half).powi(2).clamp(1.0, 1e6)).filter(|times| times.is_finite())
}

/// Interval of the ratio of two runs made apart, from the logs of their units: Welch's t (Biometrika 34, 1947). Gives the
/// standard error and the degrees of freedom.
///
/// Each side's units are its logs, and whether they were driven apart.
pub fn welch(a: (&[f64], bool), b: (&[f64], bool)) -> Option<(f64, f64)> {
    let part = |units: &[f64]| {
        let k = units.len() as f64;
        let mean = units.iter().sum::<f64>() / k;
        (units.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (k - 1.0) / k, k)
    };
    let units = |(logs, apart): (&[f64], bool)| {
        let few = logs.len() < LEAST_UNITS || logs.iter().any(|x| !x.is_finite());
        if few {
            None
        } else if apart {
            Some(logs.to_vec())
        } else {
            join(logs, false, 1).ok().map(|size| joined(logs, size))
        }
    };
    let (a, b) = (units(a)?, units(b)?);
    let ((va, ka), (vb, kb)) = (part(&a), part(&b));
    let all = va + vb;
    let free = if all > 0.0 { all * all / (va * va / (ka - 1.0) + vb * vb / (kb - 1.0)) } else { ka + kb - 2.0 };
    all.is_finite().then_some((all.sqrt(), free))
}

/// Holm's step-down correction: the adjusted p of each, in the order given (Scandinavian Journal of Statistics 6(2), 1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut most: f64 = 0.0;
    for (place, at) in order.into_iter().enumerate() {
        most = most.max(p[at] * (p.len() - place) as f64).min(1.0);
        adjusted[at] = most;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Metric, Work};

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn neighbours_that_are_alike_are_told_from_those_that_are_not() {
        // 1..6: squares 17.5, steps 5: (1 - 5/35) sqrt(35/4).
        assert!(near(likeness(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), (1.0 - 5.0 / 35.0) * (35.0_f64 / 4.0).sqrt()));
        assert!(likeness(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]) < -1.9);
        assert_eq!(likeness(&[1.0, 1.0, 1.0, 1.0]), 0.0);
        assert_eq!(likeness(&[1.0, 2.0]), 0.0);
        // Three are enough: squares 42/9, steps 5.
        assert!(near(likeness(&[1.0, 2.0, 4.0]), (1.0 - 5.0 / (2.0 * 42.0 / 9.0)) * 8.0_f64.sqrt()));
    }

    #[test]
    fn dependent_units_are_joined_until_they_are_not() {
        // Four equals in a row are alike; of their halves it can't be said.
        let fours: Vec<f64> = (0..32).map(|i| f64::from(1 - i / 4 % 2)).collect();
        let twos: Vec<f64> = (0..16).map(|i| f64::from(1 - i / 2 % 2)).collect();
        assert_eq!((join(&fours, false, 1), joined(&fours, 2)), (Ok(2), twos));
        // The remainder joins the last.
        let joined = joined(&[fours.clone(), vec![3.0]].concat(), 2);
        assert_eq!((joined.len(), joined[15]), (16, 1.0));
        let trend: Vec<f64> = (0..30).map(f64::from).collect();
        assert_eq!(join(&trend, false, 1), Err(Dependent));
        assert_eq!((join(&trend, true, 1), join(&fours, true, 1)), (Ok(1), Ok(1)), "driven apart");
        assert_eq!(join(&[1.0, 0.0, 1.0, 0.0, 1.0], true, 1), Err(Dependent));
        // Units that can't be joined are refused at 1 %, not at 10 %: 1.5 and 2.5 of a standard normal.
        let some = [0.0, 1.0, 2.0, 2.0, 1.0, 1.0, 3.0, 3.0];
        assert!((ALIKE..DEPENDENT).contains(&likeness(&some)), "{}", likeness(&some));
        assert_eq!(join(&some, false, 1), Ok(1));
        assert!(likeness(&trend[..8]) > DEPENDENT);
        assert_eq!(join(&trend[..8], false, 1), Err(Dependent));
    }

    /// A group of work done in some seconds.
    fn group(answers: f64, seconds: f64) -> Slot {
        Slot::of_work(Work { answers, ..Work::default() }, seconds)
    }

    fn told(groups: &[(Slot, Slot)], apart: bool) -> Option<Quotient> {
        let groups: Vec<(&Slot, &Slot)> = groups.iter().map(|(a, b)| (a, b)).collect();
        quotient(&groups, Figure::Rate(crate::stats::figure::Done::Answers), apart, Queue::NONE, 7)
    }

    #[test]
    fn a_quotient_is_of_the_two_figures_and_its_error_the_formulas() {
        // Ten groups of as many answers, in 1 s and 2 s in turns on the target; in 1 s on the reference.
        let groups: Vec<_> =
            (0..10).map(|i| (group(5.0, if i % 2 == 0 { 1.0 } else { 2.0 }), group(5.0, 1.0))).collect();
        let (x, y, evidence) = told(&groups, true).unwrap();
        let evidence = evidence.unwrap();
        assert!(near(x, 5.0 / 1.5) && near(y, 5.0) && near(evidence.centre, (1.0 / 1.5_f64).ln()));
        // The linearised error of ln(sum of seconds): sd of (1, 2) / 1.5 / sqrt 10; the bootstrap knows it to 4 %.
        let want = 0.527_046 / 1.5 / 10.0_f64.sqrt();
        assert!((evidence.error / want - 1.0).abs() < 0.15, "{} {want}", evidence.error);
        assert_eq!((evidence.units, evidence.free), (10, 9.0));
        assert!(near(evidence.high - evidence.centre, 2.262_157_163 * evidence.error), "{evidence:?}");
        assert_eq!(told(&groups, true), told(&groups, true), "the same every time");
        // Neighbours were looked at: a degree of freedom less. Alternating ones are no reason to join.
        assert_eq!(told(&groups, false).unwrap().2.unwrap().free, 8.0);
        assert_eq!(told(&groups[..5], true), None);
        let idle: Vec<_> = (0..10).map(|_| (group(0.0, 1.0), group(5.0, 1.0))).collect();
        assert_eq!(told(&idle, true), None);
    }

    #[test]
    fn what_both_sides_share_is_no_scatter_of_the_ratio() {
        // Groups of one to ten seconds on both sides, the target a tenth slower.
        let shared: Vec<_> =
            (0..20).map(|i| f64::from(1 + i * 7 % 10)).map(|s| (group(5.0, 1.1 * s), group(5.0, s))).collect();
        let (.., evidence) = told(&shared, true).unwrap();
        let evidence = evidence.unwrap();
        assert!(evidence.error < 1e-9 && near(evidence.centre, (1.0 / 1.1_f64).ln()), "{evidence:?}");
        assert!(p_beyond(&evidence, 0.02).is_some_and(|p| p < 1e-12));
    }

    #[test]
    fn groups_that_depend_are_refused_unless_they_were_driven_apart() {
        let trend: Vec<_> = (0..12).map(|i| (group(5.0, 1.0 + f64::from(i)), group(5.0, 1.0))).collect();
        assert_eq!(told(&trend, false).unwrap().2, Err(Dependent));
        assert!(told(&trend, true).unwrap().2.is_ok());
    }

    #[test]
    fn a_quantile_of_a_draw_is_that_of_its_rows() {
        let slots: Vec<Slot> = (0..6)
            .map(|i| {
                let mut slot = Slot::default();
                (0..10).for_each(|j| slot.record(0, f64::from(1000 + i * 100 + j * 7), 1.0, true));
                slot
            })
            .collect();
        let parts =
            Parts::new(Figure::Quantile(Metric::Latency, 0.5), &slots.iter().map(|s| vec![s]).collect::<Vec<_>>());
        let weights = [0, 2, 0, 1, 3, 0];
        let mut drawn = Slot::default();
        for (slot, weight) in slots.iter().zip(weights) {
            (0..weight).for_each(|_| drawn.add(slot));
        }
        let want = drawn.times(Metric::Latency).unwrap().quantile(0.5);
        assert_eq!(parts.value(&weights), want);
        assert_eq!(parts.value(&[0; 6]), None);
        let all = parts.value(&[1; 6]).unwrap();
        assert!(parts.off(all).iter().sum::<f64>().abs() < 0.1);
    }

    #[test]
    fn p_is_of_lying_beyond_the_smallest_effect() {
        let of = |centre: f64, error: f64| p_beyond(&RatioEvidence::new(centre, error, 9.0, 10).unwrap(), 0.02);
        // t(9) at 2.262157 leaves 2.5 % above.
        assert!((of(0.02_f64.ln_1p() + 2.262_157 * 0.01, 0.01).unwrap() - 0.05).abs() < 1e-6);
        assert!((of(0.98_f64.ln() - 2.262_157 * 0.01, 0.01).unwrap() - 0.05).abs() < 1e-6);
        assert_eq!(of(0.0, 0.01), Some(1.0));
        assert_eq!((of(0.5, 0.0), of(0.01, 0.0)), (Some(0.0), Some(1.0)));
        assert!(near(bound(0.1, 0.02), 1.02_f64.ln()) && near(bound(-0.1, 0.02), -(0.98_f64.ln())));
    }

    #[test]
    fn steins_rule_needs_the_first_stages_scatter_alone_but_for_what_is_beyond_doubt() {
        let of = |centre: f64| RatioEvidence::new(centre, 0.1, 9.0, 10).unwrap();
        let want = (2.262_157_f64 * 0.1 / 0.05).powi(2);
        for centre in [0.0, 0.1, -0.3] {
            assert!((times_as_long(&of(centre), 0.05, 0.02).unwrap() / want - 1.0).abs() < 1e-5);
        }
        assert_eq!(times_as_long(&of(0.0), 0.5, 0.02), Some(1.0));
        assert_eq!(times_as_long(&of(-1.0), 0.05, 0.02), Some(1.0));
        assert_eq!(times_as_long(&of(0.0), 0.0, 0.02), None);
    }

    #[test]
    fn two_runs_made_apart_are_compared_by_welch() {
        let (a, b) = ([1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0]);
        let (error, free) = welch((&a, false), (&b, true)).unwrap();
        let (va, vb) = (0.3 / 6.0, 32.0 / 7.0 / 8.0);
        assert!(near(error, f64::sqrt(va + vb)), "{error}");
        let want = (va + vb) * (va + vb) / (va * va / 5.0 + vb * vb / 7.0);
        assert!(near(free, want), "{free} {want}");
        assert_eq!(welch((&[1.0; 6], true), (&[2.0; 6], true)), Some((0.0, 10.0)));
        assert_eq!(welch((&a[..5], true), (&b, true)), None);
        assert_eq!(welch((&[f64::NAN; 6], true), (&b, true)), None);
        let trend: Vec<f64> = (0..30).map(f64::from).collect();
        assert!(welch((&trend, true), (&b, true)).is_some() && welch((&trend, false), (&b, true)).is_none());
    }

    #[test]
    fn holm_steps_down_and_keeps_the_order() {
        // The textbook's example: 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, want) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!(near(*got, want), "{adjusted:?}");
        }
        assert_eq!(holm(&[0.9, 0.6]), [1.0, 1.0]);
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }
}
