//! The ratio to the reference next to a figure: what makes a machine slow makes both sides slow, and the ratio stays. A step that
//! the figure shows and the ratio doesn't is the machine's; one that the ratio shows is an engine's.

use super::document::{Mover, NEAR, RatioLine};
use crate::stats::{Step, Steps, StepsBy, steps, t_quantile};

impl RatioLine {
    /// The ratios that there are, with their positions in the line.
    fn known(&self) -> (Vec<usize>, Vec<f64>) {
        self.values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?))).unzip()
    }

    /// Looks for steps in the ratios; `p` alone, if `by` draws more.
    pub(super) fn look(&self, by: &StepsBy) -> (Vec<usize>, Steps) {
        let (at, values) = self.known();
        (at, steps(&values, by))
    }

    /// What moved at a step of the figure, whose level reaches from `from` to `to`, positions in the line.
    pub(super) fn mover(
        &self,
        step: &Step,
        (from, to): (usize, usize),
        change: Option<f64>,
        differences: bool,
    ) -> Mover {
        if self.step_at(step.at, change).is_some() {
            return Mover::Engine;
        }
        let scale = |x: f64| if differences { x } else { x.ln() };
        let of = |range: std::ops::Range<usize>| -> Vec<f64> {
            let kept = range.filter(|at| !self.alone.contains(at));
            kept.filter_map(|at| self.values.get(at).copied().flatten()).map(scale).filter(|x| x.is_finite()).collect()
        };
        let whole = scale(step.after) - scale(step.before);
        match interval(&of(from..step.at), &of(step.at..to)) {
            // The ratio moved by less than half as much, for certain.
            Some((low, high)) if low.abs().max(high.abs()) < whole.abs() / 2.0 => Mover::Machine,
            _ => Mover::Unknown,
        }
    }
}

/// Whether a step lies near one of some.
pub(super) fn near(at: usize, steps: &[Step], places: impl Fn(usize) -> usize) -> bool {
    steps.iter().any(|step| places(step.at).abs_diff(at) <= NEAR)
}

/// The 95 % interval of the difference of two means: Student's t with the variance of both (as both are of one line).
fn interval(before: &[f64], after: &[f64]) -> Option<(f64, f64)> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let squares = |values: &[f64], mean: f64| values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    let (n, m) = (before.len() as f64, after.len() as f64);
    if n < 2.0 || m < 2.0 {
        return None;
    }
    let (a, b) = (mean(before), mean(after));
    let variance = (squares(before, a) + squares(after, b)) / (n + m - 2.0);
    let half = t_quantile(0.975, n + m - 2.0)? * (variance * (1.0 / n + 1.0 / m)).sqrt();
    Some((b - a - half, b - a + half))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f64]) -> RatioLine {
        RatioLine {
            to: "b".to_owned(),
            values: values.iter().copied().map(Some).collect(),
            compared: Vec::new(),
            alone: Vec::new(),
            steps: Vec::new(),
            level: None,
            p: None,
        }
    }

    #[test]
    fn a_ratio_that_stays_says_the_machine_and_one_that_can_not_tell_says_so() {
        let step = Step { at: 4, before: 100.0, after: 110.0, p: 0.001 };
        let of = |values: &[f64]| line(values).mover(&step, (0, 8), Some(0.1), false);
        assert_eq!(of(&[1.0, 1.01, 0.99, 1.0, 1.0, 1.01, 1.0, 0.99]), Mover::Machine);
        assert_eq!(of(&[1.0, 1.3, 0.8, 1.0, 1.2, 0.9, 1.1, 0.9]), Mover::Unknown);
        // Moved, though no step was found in it.
        assert_eq!(of(&[1.0, 1.01, 0.99, 1.0, 1.1, 1.11, 1.09, 1.1]), Mover::Unknown);
        assert_eq!(of(&[]), Mover::Unknown);
    }
}
