//! A run next to several earlier runs of the same setup. Runs scatter from night to night by more than any one of them shows:
//! the machine is warmer, a cache lies elsewhere. So the runs are the units here, and what is estimated is where one more run of
//! the same engine would lie: a prediction interval (Hahn and Meeker, Statistical Intervals, 4.3).

use super::compare::smallest_difference;
use super::interval::{Z, t_quantile};
use super::row::tidy;
use super::series::{bound, place};
use super::{Comparison, Figure, StepsBy, TargetFigures, TargetSummary, Verdict, steps, unit};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// One-sided confidence of a prediction: an equal engine lies beyond either end in 1 run of 100.
const CONFIDENCE: f64 = 0.99;

/// Runs from which their own scatter is a measure; with fewer, other runs of the same setup are asked for theirs.
pub const LEAST_RUNS: usize = 3;

/// One run's figures, as a baseline keeps them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFigures {
    /// When the run began, UTC (RFC 3339).
    pub started: String,
    /// Its targets.
    pub targets: Vec<TargetFigures>,
}

impl RunFigures {
    /// A run's.
    pub fn of(started: &str, targets: &[TargetSummary]) -> Self {
        let of = |target: &TargetSummary| TargetFigures::of(&target.name, target.stand_in, &target.rows);
        Self { started: started.to_owned(), targets: targets.iter().map(of).collect() }
    }

    fn figure(&self, target: &str, path: &str) -> Option<Figure> {
        self.targets.iter().find(|of| of.name == target)?.figure(path)
    }
}

/// The runs that a baseline rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nights {
    /// The baseline's own runs, the oldest first: their mean is the level that a run is held to. None in a baseline of an earlier
    /// loadcmp, which kept one run and nothing else.
    #[serde(default)]
    pub runs: Vec<RunFigures>,
    /// Other runs of the same setup, the oldest first, where the baseline has too few: they say how far runs scatter, and are no
    /// part of the level.
    #[serde(default)]
    pub others: Vec<RunFigures>,
}

/// A baseline of one run, of which nothing else is known.
pub static ONE_RUN: Nights = Nights { runs: Vec::new(), others: Vec::new() };

/// Where one more run of the same engine would lie, and where a run does lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// The level of the baseline: the geometric mean of its runs; of differences their mean.
    pub level: f64,
    /// The run ÷ the level; of differences the run − the level.
    pub point: f64,
    /// Lower end of the interval of `point`: of equal engines 1 run in 100 has it above no change.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
    /// Standard deviation of a run: a share of the level; of differences in the figure's unit.
    pub scatter: f64,
    /// Runs that the scatter is estimated from.
    pub runs: usize,
}

/// By how much runs of one engine are taken to scatter where nothing says it: a share of a figure, one standard deviation. Machines
/// that do nothing else were seen at 1 to 5 % from night to night.
pub const ASSUMED_SCATTER: f64 = 0.05;

/// The interval of the ratio of two runs, `point` with its own 95 % interval, widened to where a run of the same engine would lie
/// in 99 of 100 cases to either side if runs scatter by [`ASSUMED_SCATTER`].
pub fn if_runs_scatter(point: f64, (low, high): (f64, f64)) -> (f64, f64) {
    let own = (high.ln() - low.ln()) / (2.0 * Z);
    let half = Z_99 * (2.0 * ASSUMED_SCATTER.powi(2) + own * own).sqrt();
    (point * (-half).exp(), point * half.exp())
}

/// The 99 % point of the standard normal distribution.
const Z_99: f64 = 2.326_347_874_040_841;

impl Nights {
    /// How many runs the level is of: a baseline of an earlier loadcmp has one.
    pub fn count(&self) -> usize {
        self.runs.len().max(1)
    }

    /// How many runs say how far runs scatter; `None` if that isn't known.
    pub fn scattered(&self) -> Option<usize> {
        let most = self.runs.len().max(self.others.len());
        (most > 1).then_some(most)
    }

    /// A target's figure next to what the runs had. `None` where fewer than two runs, or a value that has no logarithm, say
    /// nothing of the scatter. `differences`: compare by difference, as proportions are.
    pub fn predict(&self, target: &str, path: &str, new: &Figure, differences: bool) -> Option<Predicted> {
        let of = |runs: &[RunFigures]| runs.iter().filter_map(|run| run.figure(target, path)).collect::<Vec<_>>();
        predict(new, &of(&self.runs), &of(&self.others), differences)
    }

    /// Lets comparisons of a run with the baseline's allow for the scatter of runs: the level takes the place of the one run, the
    /// interval becomes that of a prediction, and a verdict that it doesn't carry is taken back.
    pub fn widen(&self, name: &str, target: &TargetFigures, rows: &mut [Comparison], smallest_effect: f64) {
        for row in rows.iter_mut().filter(|row| row.verdict != Verdict::NotCompared) {
            let Some(new) = target.figure(&row.metric) else { continue };
            let share = row.unit == unit::ONE;
            let Some(told) = self.predict(name, &row.metric, &new, share) else { continue };
            // Of a proportion the difference decides; its ratio has ends where no run has nought.
            let ratio = if share { self.predict(name, &row.metric, &new, false) } else { Some(told) };
            row.reference_value = Some(tidy(told.level));
            row.ratio = Some(new.value / told.level).filter(|ratio| ratio.is_finite()).map(tidy);
            row.low = ratio.map(|ratio| tidy(ratio.low));
            row.high = ratio.map(|ratio| tidy(ratio.high));
            (row.blocks, row.p, row.needs) = (Some(told.runs), None, None);
            let (down, up) = if share {
                (-smallest_difference(smallest_effect), smallest_difference(smallest_effect))
            } else {
                ((-bound(-1.0, smallest_effect)).exp(), bound(1.0, smallest_effect).exp())
            };
            let lies = place((told.low, told.high), (down, up));
            let carried = match row.verdict {
                Verdict::Equal => lies == Some(Ordering::Equal),
                Verdict::Better | Verdict::Worse => lies.is_some_and(Ordering::is_ne),
                Verdict::Undecided | Verdict::NotCompared => true,
            };
            if !carried {
                row.undecided(format!("{} runs vary by {}", told.runs, told.scatter_words(share)));
            }
        }
    }
}

impl Predicted {
    /// The scatter for people: `3.1 %`, of a proportion `0.4 percentage points`.
    pub fn scatter_words(&self, share: bool) -> String {
        let number = self.scatter * 100.0;
        let number = if number < 9.95 { format!("{number:.1}") } else { format!("{number:.0}") };
        format!("{number} {}", if share { "percentage points" } else { "%" })
    }
}

/// Where one more run would lie beside `runs`, and where `new` does.
///
/// The variance of a run is that between the baseline's runs; with fewer than [`LEAST_RUNS`] of them that of `others`, around
/// each of their levels where steps lie between them, joins it. It is at least what the runs' own intervals explain, since
/// a few runs may resemble each other by chance, and `new` adds what its own interval is wider by (a shorter run scatters more). The
/// level is the mean of k runs: 1/k more of it. Student's t, by the degrees of freedom of the runs.
fn predict(new: &Figure, runs: &[Figure], others: &[Figure], differences: bool) -> Option<Predicted> {
    let k = runs.len() as f64;
    let scale = |x: f64| if differences { Some(x) } else { (x > 0.0).then(|| x.ln()) };
    let scaled = |all: &[Figure]| all.iter().map(|figure| scale(figure.value)).collect::<Option<Vec<f64>>>();
    let (mine, theirs, x) = (scaled(runs)?, scaled(others)?, scale(new.value)?);
    let level = mean(&mine);
    let mut squares: f64 = mine.iter().map(|y| (y - level).powi(2)).sum();
    let (mut free, mut of) = (mine.len().checked_sub(1)?, mine.len());
    if runs.len() < LEAST_RUNS && theirs.len() > 1 {
        for part in levels(others, &theirs, differences) {
            let middle = mean(&part);
            squares += part.iter().map(|y| (y - middle).powi(2)).sum::<f64>();
            free += part.len().saturating_sub(1);
            of += part.len();
        }
    }
    if free == 0 {
        return None;
    }
    // The standard error within a run, from its 95 % interval.
    let within = |figure: &Figure| {
        let ends = scale(figure.low?).zip(scale(figure.high?))?;
        Some(((ends.1 - ends.0) / (2.0 * Z)).powi(2)).filter(|variance| variance.is_finite())
    };
    let inside = runs.iter().map(|run| within(run).unwrap_or(0.0)).sum::<f64>() / k;
    let variance = (squares / free as f64).max(inside);
    let excess = (within(new).unwrap_or(0.0) - inside).max(0.0);
    let half = t_quantile(CONFIDENCE, free as f64)? * (variance * (1.0 + 1.0 / k) + excess).sqrt();
    let told = |x: f64| if differences { x } else { x.exp() };
    let scatter = variance.sqrt();
    Some(Predicted {
        level: told(level),
        point: told(x - level),
        low: told(x - level - half),
        high: told(x - level + half),
        scatter: if differences { scatter } else { scatter.exp_m1() },
        runs: of,
    })
}

/// The runs of each level of a history, as its trend has them: without those that stand alone, as on a night on which others kept
/// the machine busy.
fn levels(runs: &[Figure], scaled: &[f64], differences: bool) -> Vec<Vec<f64>> {
    let values: Vec<f64> = runs.iter().map(|run| run.value).collect();
    let told = steps(&values, &StepsBy { differences, ..StepsBy::default() });
    let starts = told.steps.iter().map(|step| step.at);
    let ends: Vec<usize> = std::iter::once(0).chain(starts).chain([scaled.len()]).collect();
    let level = |from: usize, to: usize| (from..to).filter(|at| !told.lone.contains(at)).map(|at| scaled[at]).collect();
    ends.windows(2).map(|ends| level(ends[0], ends[1])).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Row;
    use proptest::prelude::*;

    fn figure(value: f64) -> Figure {
        Figure { value, low: None, high: None, unit: unit::MICROS.to_owned() }
    }

    fn wide(value: f64, half: f64) -> Figure {
        Figure { low: Some(value * (-half * Z).exp()), high: Some(value * (half * Z).exp()), ..figure(value) }
    }

    fn of(values: &[f64]) -> Vec<Figure> {
        values.iter().map(|x| figure(*x)).collect()
    }

    #[test]
    fn two_runs_are_given_the_scatter_that_runs_have() {
        // Two runs, each 5 % of scatter: 0.0707; with an own error of 0.0707, too, it is 0.1.
        let own = 0.005_f64.sqrt() * Z;
        let (low, high) = if_runs_scatter(2.0, (2.0 * (-own).exp(), 2.0 * own.exp()));
        assert!(
            (low - 2.0 * (-0.232_634_787_4_f64).exp()).abs() < 1e-9 && (high * low - 4.0).abs() < 1e-9,
            "{low} {high}"
        );
        let (low, _) = if_runs_scatter(1.0, (1.0, 1.0));
        assert!((low.ln() + 0.164_497_6).abs() < 1e-6, "{low}");
    }

    #[test]
    fn the_interval_is_students_t_over_the_runs() {
        // Logs 0, 0.03, 0.06: mean 0.03, standard deviation 0.03; t(2, 99 %) = 6.9646.
        let runs = of(&[1.0, 0.03_f64.exp(), 0.06_f64.exp()]);
        let told = predict(&figure(0.13_f64.exp()), &runs, &[], false).unwrap();
        let half = 6.964_557 * 0.03 * (4.0_f64 / 3.0).sqrt();
        assert!((told.level.ln() - 0.03).abs() < 1e-12 && (told.point.ln() - 0.1).abs() < 1e-12, "{told:?}");
        assert!(
            (told.low.ln() - (0.1 - half)).abs() < 1e-6 && (told.high.ln() - (0.1 + half)).abs() < 1e-6,
            "{told:?}"
        );
        assert_eq!((told.runs, told.scatter_words(false).as_str()), (3, "3.0 %"));
    }

    #[test]
    fn a_run_that_is_less_sure_than_the_baselines_is_given_more_room_and_equal_runs_are_not_taken_for_certain() {
        let runs: Vec<Figure> = [100.0, 101.0, 102.0].map(|x| wide(x, 0.01)).to_vec();
        let width = |new: &Figure, runs: &[Figure]| {
            let told = predict(new, runs, &[], false).unwrap();
            told.high.ln() - told.low.ln()
        };
        assert!((width(&wide(100.0, 0.01), &runs) - width(&wide(100.0, 0.005), &runs)).abs() < 1e-12);
        assert!(width(&wide(100.0, 0.05), &runs) > 2.0 * width(&wide(100.0, 0.01), &runs));
        // Three runs that came out the same by chance scatter by what each is unsure of.
        let same = [100.0; 3].map(|x| wide(x, 0.01)).to_vec();
        assert!(width(&wide(100.0, 0.01), &same) > 0.15, "{}", width(&wide(100.0, 0.01), &same));
        // What is counted and never differs is what it is.
        assert_eq!(width(&figure(100.0), &of(&[100.0; 3])), 0.0);
    }

    #[test]
    fn one_run_knows_no_scatter_and_takes_that_of_others_around_their_levels() {
        assert_eq!(predict(&figure(1.0), &of(&[1.0]), &[], false), None);
        assert_eq!(predict(&figure(1.0), &of(&[1.0]), &of(&[1.0]), false), None);
        assert_eq!(predict(&figure(1.0), &[], &of(&[1.0; 9]), false), None);
        let flat = [12.05, 11.93, 12.11, 11.98, 12.02, 12.16, 11.89, 12.07];
        let stepped: Vec<f64> = flat.iter().copied().chain(flat.iter().map(|x| x * 1.3)).collect();
        let told = |others: &[f64]| predict(&figure(12.0), &of(&[12.0]), &of(others), false).unwrap();
        let (one, two) = (told(&flat), told(&stepped));
        assert!(
            (one.scatter - 0.0075).abs() < 0.001 && (one.scatter / two.scatter - 1.0).abs() < 0.05,
            "{one:?} {two:?}"
        );
        assert_eq!((one.level, one.runs, two.runs), (12.0_f64.ln().exp(), 9, 17));
        // A night on which others kept the machine busy stands alone.
        let busy: Vec<f64> = flat.iter().enumerate().map(|(at, x)| if at == 3 { x * 1.5 } else { *x }).collect();
        assert!(told(&busy).scatter < 0.01 && told(&busy).runs == 8, "{:?}", told(&busy));
        // Three runs of its own are enough.
        let own = predict(&figure(12.0), &of(&flat[..3]), &of(&stepped), false).unwrap();
        assert_eq!(own.runs, 3);
    }

    #[test]
    fn a_verdict_that_the_scatter_of_runs_does_not_carry_is_taken_back() {
        let row = |p50: f64| Row { p50: Some(p50), ..Row::new("latency", unit::MICROS) };
        let target = |p50: f64| TargetFigures::of("a", false, &[row(p50)]);
        let run = |p50: f64| RunFigures { started: String::new(), targets: vec![target(p50)] };
        let nights = Nights { runs: [100.0, 103.0, 97.0, 101.0, 99.0].map(run).to_vec(), others: Vec::new() };
        let told = |new: f64, before: Verdict| {
            let text = serde_json::json!({
                "metric": "latency.p50", "unit": "us", "target": 0, "reference": 0, "target_value": new,
                "reference_value": 99.0, "ratio": new / 99.0, "low": 1.0, "high": 1.0, "blocks": 9,
                "verdict": before.as_str(), "reason": null,
            });
            let mut rows = [serde_json::from_value::<Comparison>(text).unwrap()];
            nights.widen("a", &target(new), &mut rows, 0.02);
            let [row] = rows;
            row
        };
        let near = told(105.0, Verdict::Worse);
        assert_eq!((near.verdict, near.blocks), (Verdict::Undecided, Some(5)));
        assert!(near.reason.is_some_and(|why| why.contains("5 runs vary by 2.")), "{:?}", near.low);
        let far = told(150.0, Verdict::Worse);
        assert_eq!(far.verdict, Verdict::Worse);
        assert!((far.ratio.unwrap() - 150.0 / far.reference_value.unwrap()).abs() < 1e-5, "{far:?}");
        assert_eq!(told(150.0, Verdict::Undecided).verdict, Verdict::Undecided);
        assert_eq!(told(100.0, Verdict::Equal).verdict, Verdict::Undecided);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_point_and_scales_with_the_unit(
            runs in proptest::collection::vec(0.5..2.0_f64, 2..8), new in 0.5..2.0_f64, factor in 0.1..10.0_f64,
        ) {
            let told = predict(&figure(new), &of(&runs), &[], false).unwrap();
            prop_assert!(told.low <= told.point && told.point <= told.high);
            let scaled: Vec<f64> = runs.iter().map(|x| x * factor).collect();
            let again = predict(&figure(new * factor), &of(&scaled), &[], false).unwrap();
            prop_assert!((again.low / told.low - 1.0).abs() < 1e-6 && (again.high / told.high - 1.0).abs() < 1e-6);
        }
    }
}
