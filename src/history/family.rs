//! Many lines at once: of a hundred flat figures one shows a step at p 0.01 on nearly every page. What is told as a finding is
//! what a declared rate of false ones allows.

use super::series::{Series, StepTold};
use super::trend::Trend;
use crate::stats::StepsBy;
use serde::{Deserialize, Serialize};

/// Of the lines in which a step is told as a finding, the most that are expected to be flat.
pub const FALSE_RATE: f64 = 0.05;
/// Permutations that a line's p is drawn from at most.
const MOST_PERMUTATIONS: u32 = 49_999;

/// The lines that were looked at together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Lines with runs enough for a step: figures, and their ratios to the reference.
    pub lines: usize,
    /// The rate of false ones among the findings.
    pub rate: f64,
}

/// Says of every step whether it is a finding among all the lines of these trends, by the procedure of Benjamini and Hochberg
/// (Journal of the Royal Statistical Society B 57(1), 1995): of m lines the k with the smallest p are findings, k the largest for which the
/// k-th p is at most k / m of the rate. Figures of one run rise and fall together, which the procedure bears (Benjamini and
/// Yekutieli, Annals of Statistics 29(4), 2001); `make truth ARGS="--only steps"` has pages of a hundred.
pub(super) fn settle(trends: &mut [Trend]) {
    let tested = |trend: &Trend, series: &Series| {
        let least = trend.by.fewest();
        let ratios = series.ratio.as_ref().map_or(0, |ratio| ratio.values.iter().flatten().count());
        // The reference's ratio is that of another line, turned over.
        usize::from(series.points.len() >= least) + usize::from(!series.reference && ratios >= least)
    };
    let lines = trends.iter().flat_map(|trend| trend.series.iter().map(|series| tested(trend, series))).sum();
    let family = Family { lines, rate: FALSE_RATE };
    let mut all: Vec<f64> = Vec::new();
    for trend in trends.iter_mut() {
        trend.family = family;
        let by = StepsBy { permutations: permutations(trend.by.permutations, lines), ..trend.by };
        for series in &mut trend.series {
            if by.permutations > trend.by.permutations {
                series.refine(&by);
            }
            let ratio = series.ratio.as_ref().filter(|_| !series.reference).and_then(|ratio| ratio.p);
            all.extend(series.p.into_iter().chain(ratio));
        }
    }
    let limit = limit(&mut all, lines);
    let certain = |p: Option<f64>| p.is_some_and(|p| p <= limit);
    for series in trends.iter_mut().flat_map(|trend| &mut trend.series) {
        let ratio_certain = series.ratio.as_ref().is_some_and(|ratio| certain(ratio.p));
        for step in series.ratio.iter_mut().flat_map(|ratio| &mut ratio.steps) {
            step.certain = ratio_certain;
        }
        let figure_certain = certain(series.p);
        let mark = |step: &mut StepTold, ratio: Option<&super::RatioLine>| {
            let borne = ratio.and_then(|ratio| ratio.step_at(step.at, step.change)).is_some_and(|step| step.certain);
            step.certain = figure_certain || borne;
        };
        let Series { steps, ratio, .. } = series;
        steps.iter_mut().for_each(|step| mark(step, ratio.as_ref()));
    }
}

/// Permutations that tell the smallest p which may be asked for among so many lines.
fn permutations(least: u32, lines: usize) -> u32 {
    // A line's p is one and a half times a test's; three times as fine as has to be told.
    let wanted = 4.5 * lines as f64 / FALSE_RATE;
    (wanted.min(f64::from(MOST_PERMUTATIONS)) as u32).max(least)
}

/// The largest p of a finding; below nought where there is none.
fn limit(p: &mut [f64], lines: usize) -> f64 {
    p.sort_by(f64::total_cmp);
    let share = |place: usize| (place + 1) as f64 / lines.max(1) as f64 * FALSE_RATE;
    (0..p.len()).rev().find(|place| p[*place] <= share(*place)).map_or(-1.0, |place| p[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_steps_up_through_the_ordered_p() {
        // Benjamini and Hochberg's own example, 15 tests at 5 %: the first four.
        let mut p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
            1.0,
        ];
        assert_eq!(limit(&mut p, 15), 0.0095);
        // Only those below the screen are known, and come to the same.
        assert_eq!(limit(&mut p[..4].to_vec(), 15), 0.0095);
        assert_eq!(limit(&mut [0.009], 100), -1.0);
        assert_eq!(limit(&mut [], 0), -1.0);
        assert_eq!((permutations(999, 3), permutations(999, 100), permutations(999, 100_000)), (999, 9000, 49_999));
    }
}
