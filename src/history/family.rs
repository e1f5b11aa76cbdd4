//! Many lines at once: of a hundred flat figures one shows a step at p 0.01 on nearly every page. What is told as a finding is
//! what a declared rate of false ones allows.

use super::document::{FALSE_RATE, Family, RatioLine, Series, StepTold, Trend};
use crate::stats::{StepsBy, finding, permutations};

/// Says of every step whether it is a finding among all the lines of these trends ([`finding`]); `make truth ARGS="--only steps"` has
/// pages of a hundred.
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
        let by = StepsBy { permutations: permutations(trend.by.permutations, lines, FALSE_RATE), ..trend.by };
        for series in &mut trend.series {
            if by.permutations > trend.by.permutations {
                series.refine(&by);
            }
            let ratio = series.ratio.as_ref().filter(|_| !series.reference).and_then(|ratio| ratio.p);
            all.extend(series.p.into_iter().chain(ratio));
        }
    }
    let limit = finding(&all, lines, FALSE_RATE);
    let certain = |p: Option<f64>| p.zip(limit).is_some_and(|(p, limit)| p <= limit);
    for series in trends.iter_mut().flat_map(|trend| &mut trend.series) {
        let ratio_certain = series.ratio.as_ref().is_some_and(|ratio| certain(ratio.p));
        for step in series.ratio.iter_mut().flat_map(|ratio| &mut ratio.steps) {
            step.certain = ratio_certain;
        }
        let figure_certain = certain(series.p);
        let mark = |step: &mut StepTold, ratio: Option<&RatioLine>| {
            let borne = ratio.and_then(|ratio| ratio.step_at(step.at, step.change)).is_some_and(|step| step.certain);
            step.certain = figure_certain || borne;
        };
        let Series { steps, ratio, .. } = series;
        steps.iter_mut().for_each(|step| mark(step, ratio.as_ref()));
    }
}
