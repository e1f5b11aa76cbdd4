//! A distribution in bounded memory: a histogram of three digits for quantiles, exact moments and extremes beside it.

use super::effective::EffectiveRows;
use super::interval::{mean_interval, quantile_interval};
use super::{Needs, Row};
use hdrhistogram::Histogram;

/// Fewest rows a quantile is written for: 1 / (1 - q), below which its nearest rank is the maximum.
pub const LEAST_N: [(f64, u64); 5] = [(0.5, 2), (0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1000)];

/// Fewest independent rows for which a quantile has a finite two-sided 95 % interval from order statistics (exact
/// binomial; measuring.md 8). Between [`LEAST_N`] and this, tables put `~` before the number.
pub const FIRM_N: [(f64, u64); 5] = [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)];

/// The quantiles' names, in the order of those lists.
const FIGURES: [&str; 5] = ["p50", "p90", "p95", "p99", "p999"];

/// Largest value a histogram takes, in ticks: a day in nanoseconds. Larger values are clamped, and counted.
const MOST_TICKS: f64 = 86_400e9;

/// The values of one metric of one target, in ticks.
///
/// Quantiles are nearest-rank, from buckets at most 0.1 % wide. `n`, mean, standard deviation, minimum and maximum are
/// exact: Welford's running moments (Technometrics 4(3), 1962), since a bucket's bound is no maximum.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    /// Made with the first value: a metric that isn't measured takes no memory.
    histogram: Option<Histogram<u64>>,
    n: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
    clamped: u64,
    batches: EffectiveRows,
    /// Whether rows have several values each.
    many: bool,
    /// Times that were cut off, and would have been longer.
    censored: Option<Box<Censored>>,
}

/// Lower bounds: what a request had taken when nobody waited for it any more.
#[derive(Clone, Debug)]
struct Censored {
    histogram: Histogram<u64>,
    max: f64,
}

impl Distribution {
    /// Takes a value in ticks. A value that is no number is left out.
    pub fn record(&mut self, ticks: f64) {
        if !ticks.is_finite() {
            return;
        }
        self.take(ticks);
        self.batches.push(ticks);
    }

    fn take(&mut self, ticks: f64) {
        self.n += 1;
        let off = ticks - self.mean;
        self.mean += off / self.n as f64;
        self.squares += off * (ticks - self.mean);
        (self.min, self.max) = if self.n == 1 { (ticks, ticks) } else { (self.min.min(ticks), self.max.max(ticks)) };
        let held = ticks.clamp(0.0, MOST_TICKS);
        self.clamped += u64::from(held != ticks);
        if self.histogram.is_none() {
            self.histogram = Histogram::new(3).ok();
        }
        if let Some(histogram) = &mut self.histogram {
            record(histogram, held.round() as u64);
        }
    }

    /// Takes the values of one row, of which the mean is `mean`, in ticks: each counts, but no more of them are independent than their
    /// row is.
    pub fn record_all(&mut self, values: impl IntoIterator<Item = f64>, mean: f64) {
        values.into_iter().filter(|ticks| ticks.is_finite()).for_each(|ticks| self.take(ticks));
        self.batches.push(mean);
        self.many = true;
    }

    /// Takes a lower bound of a value: a request that was cut off by us had taken so long, and would have taken longer. It is
    /// no value: it moves quantiles and the maximum, and nothing else.
    pub fn censor(&mut self, ticks: f64) {
        if !ticks.is_finite() {
            return;
        }
        if self.censored.is_none() {
            self.censored = Histogram::new(3).ok().map(|histogram| Box::new(Censored { histogram, max: 0.0 }));
        }
        if let Some(censored) = &mut self.censored {
            censored.max = censored.max.max(ticks);
            record(&mut censored.histogram, ticks.clamp(0.0, MOST_TICKS).round() as u64);
        }
    }

    /// Number of values.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// What follows was driven apart from what came before.
    pub fn cut(&mut self) {
        self.batches.cut();
    }

    /// Effective number of values: what they are worth as independent ones. Where rows have several each, as many as would scatter
    /// the mean as much as the effective rows' means do (Kish's design effect, Survey Sampling, 1965, 5.4).
    pub fn effective(&self) -> Option<f64> {
        let rows = self.batches.effective()?;
        if !self.many || self.n < 2 {
            return Some(rows);
        }
        let of_values = self.squares.max(0.0) / (self.n - 1) as f64;
        let of_means = self.batches.variance().filter(|variance| *variance > 0.0);
        Some(of_means.map_or(rows, |of_means| rows * of_values / of_means).clamp(rows, self.n as f64))
    }

    /// Values that did not fit into the histogram; exact figures hold them as they were.
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// The histogram, if there was a value.
    pub(super) fn histogram(&self) -> Option<&Histogram<u64>> {
        self.histogram.as_ref()
    }

    /// Nearest-rank quantile in ticks, within 0.1 %; `None` without values. With lower bounds among them, the quantile of
    /// Kaplan and Meier's estimate (Journal of the American Statistical Association 53(282), 1958); where that reaches beyond
    /// what was seen, the largest of all: a lower bound, too.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let histogram = self.histogram()?;
        let value = match &self.censored {
            None => histogram.value_at_quantile(q) as f64,
            Some(censored) => match survived(histogram, &censored.histogram, q) {
                Some(value) => value as f64,
                None => return Some(self.largest()),
            },
        };
        Some(value.clamp(self.min, self.max))
    }

    /// The largest value, or the largest lower bound if that is above it.
    fn largest(&self) -> f64 {
        self.censored.as_ref().map_or(self.max, |censored| censored.max.max(self.max))
    }

    /// The row in which `failed` more requests count as infinitely slow: nearest ranks over all of them, so that one
    /// beyond the answered ones is infinite, and none is made of two (measuring.md 10). `None` without values.
    pub fn row_with_failures(&self, metric: &str, unit: &str, ticks_per_unit: f64, failed: u64) -> Option<Row> {
        let answered = (self.n > 0).then_some(self.n)?;
        let n = answered + failed;
        let share = answered as f64 / n as f64;
        let quantile = |at: usize| {
            let (q, least) = LEAST_N[at];
            let rank = ((q * n as f64).ceil() as u64).max(1);
            let told = n >= least && rank <= answered;
            // Half a rank below, so that rounding can't step over to the next.
            told.then(|| self.quantile((rank as f64 - 0.5) / answered as f64))
                .flatten()
                .map(|ticks| ticks / ticks_per_unit)
        };
        // Failures are taken to depend on each other as the answers do.
        let effective = self.effective().map(|effective| effective / share);
        // Ranks of the interval that lie among the failures have no value: that end is infinite.
        let value = |rank: f64| Some(rank / share).filter(|q| *q <= 1.0).and_then(|q| self.quantile(q));
        let ends = |at: usize| {
            let (q, least) = LEAST_N[at];
            let ranks = effective.filter(|_| n >= least).and_then(|effective| quantile_interval(q, effective));
            let of = |rank: Option<f64>| rank.and_then(value).map(|ticks| ticks / ticks_per_unit);
            (of(ranks.map(|ranks| ranks.0)), of(ranks.map(|ranks| ranks.1)))
        };
        let [p50, p95, p99] = [ends(0), ends(2), ends(3)];
        Some(Row {
            n: Some(n),
            n_eff: effective,
            min: Some(self.min / ticks_per_unit),
            p50: quantile(0),
            p90: quantile(1),
            p95: quantile(2),
            p99: quantile(3),
            p999: quantile(4),
            max: (failed == 0).then_some(self.largest() / ticks_per_unit),
            p50_low: p50.0,
            p50_high: p50.1,
            p95_low: p95.0,
            p95_high: p95.1,
            p99_low: p99.0,
            p99_high: p99.1,
            infinite_from: (failed > 0).then_some(share),
            clamped: self.clamped,
            ..Row::new(metric, unit)
        })
    }

    /// The row of `summary.csv`, in units; `None` without values.
    pub fn row(&self, metric: &str, unit: &str, ticks_per_unit: f64) -> Option<Row> {
        let n = (self.n > 0).then_some(self.n)?;
        let quantile = |at: usize| {
            let (q, least) = LEAST_N[at];
            if n < least { None } else { self.quantile(q).map(|ticks| ticks / ticks_per_unit) }
        };
        let effective = self.effective();
        let sd = (n > 1).then(|| (self.squares.max(0.0) / (n - 1) as f64).sqrt() / ticks_per_unit);
        // What can't be below nought has no mean below it.
        let mean = mean_ends(self.mean / ticks_per_unit, sd, effective)
            .map(|(low, high)| (if self.min >= 0.0 { low.max(0.0) } else { low }, high));
        // The interval of a quantile that is written: the values at the ranks around it.
        let ends = |at: usize| {
            let (q, _) = LEAST_N[at];
            let (low, high) = quantile(at).and(quantile_interval(q, effective?))?;
            Some((self.quantile(low)? / ticks_per_unit, self.quantile(high)? / ticks_per_unit))
        };
        let [p50, p95, p99] = [ends(0), ends(2), ends(3)];
        Some(Row {
            n: Some(n),
            n_eff: effective,
            mean: Some(self.mean / ticks_per_unit),
            sd,
            low: mean.map(|ends| ends.0),
            high: mean.map(|ends| ends.1),
            p50_low: p50.map(|ends| ends.0),
            p50_high: p50.map(|ends| ends.1),
            p95_low: p95.map(|ends| ends.0),
            p95_high: p95.map(|ends| ends.1),
            p99_low: p99.map(|ends| ends.0),
            p99_high: p99.map(|ends| ends.1),
            needs: needs(n, effective),
            min: Some(self.min / ticks_per_unit),
            p50: quantile(0),
            p90: quantile(1),
            p95: quantile(2),
            p99: quantile(3),
            p999: quantile(4),
            max: Some(self.largest() / ticks_per_unit),
            clamped: self.clamped,
            ..Row::new(metric, unit)
        })
    }
}

/// The smallest value beyond which no more than 1 - q remain by the product-limit estimate; `None` if more do beyond all.
fn survived(values: &Histogram<u64>, censored: &Histogram<u64>, q: f64) -> Option<u64> {
    let mut left = values.len() + censored.len();
    let mut cut = censored.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).peekable();
    let mut survival = 1.0;
    for at in values.iter_recorded() {
        let (value, count) = (at.value_iterated_to(), at.count_at_value());
        // What was cut off at a time that others ended at would have gone on beyond it.
        while let Some((_, gone)) = cut.next_if(|(until, _)| *until < value) {
            left -= gone;
        }
        survival *= 1.0 - count as f64 / left.max(1) as f64;
        left -= count;
        // A hair of rounding must not step over to the next value.
        if 1.0 - survival >= q - 1e-12 {
            return Some(value);
        }
    }
    None
}

fn mean_ends(mean: f64, sd: Option<f64>, effective: Option<f64>) -> Option<(f64, f64)> {
    mean_interval(mean, sd?, effective?)
}

/// What the quantiles lack for an interval of their own: effective rows are as many times short as rows are.
fn needs(n: u64, effective: Option<f64>) -> Vec<Needs> {
    let Some(effective) = effective else { return Vec::new() };
    let lacks = FIRM_N.iter().zip(FIGURES).filter(|((_, firm), _)| effective < *firm as f64);
    let rows = |firm: u64| (n as f64 * firm as f64 / effective).ceil() as u64;
    lacks.map(|((_, firm), figure)| Needs { figure: figure.to_owned(), rows: rows(*firm), seconds: None }).collect()
}

/// Takes a value into a histogram that grows as needed (`saturating_record` would not grow it, and clamp).
///
/// Growing fails only beyond 63 bits, and callers stay within a day.
fn record(histogram: &mut Histogram<u64>, ticks: u64) {
    let recorded = histogram.record(ticks);
    debug_assert!(recorded.is_ok(), "{ticks}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Distribution {
        let mut all = Distribution::default();
        values.iter().for_each(|v| all.record(*v));
        all
    }

    #[test]
    fn exact_figures_stand_beside_the_histogram() {
        let row = of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).row("x", "u", 1.0).unwrap();
        assert_eq!((row.n, row.mean, row.min, row.max, row.p50), (Some(8), Some(5.0), Some(2.0), Some(9.0), Some(4.0)));
        assert!((row.sd.unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_quantile_that_the_rows_cannot_carry_is_blank() {
        for (n, filled) in [(1, 0), (2, 1), (9, 1), (10, 2), (19, 2), (20, 3), (99, 3), (100, 4), (999, 4), (1000, 5)] {
            let row = of(&(0..n).map(f64::from).collect::<Vec<_>>()).row("x", "u", 1.0).unwrap();
            let got = [row.p50, row.p90, row.p95, row.p99, row.p999];
            assert_eq!(got.iter().flatten().count(), filled, "{n} rows");
            assert!(got[..filled].iter().all(Option::is_some), "{n} rows");
        }
        assert!(of(&[]).row("x", "u", 1.0).is_none());
    }

    #[test]
    fn failures_are_infinitely_slow() {
        let all = of(&(0..90).map(|i| f64::from(i * 37 % 90 + 1)).collect::<Vec<_>>());
        let row = all.row_with_failures("x_or_failed", "u", 1.0, 10).unwrap();
        // Of 100: the 50th, 90th; the 95th is none that was answered.
        assert_eq!((row.n, row.p50, row.p90, row.p95, row.p99), (Some(100), Some(50.0), Some(90.0), None, None));
        assert_eq!((row.infinite_from, row.max, row.mean, row.min), (Some(0.9), None, None, Some(1.0)));
        let none = all.row_with_failures("x_or_failed", "u", 1.0, 0).unwrap();
        assert_eq!((none.infinite_from, none.max, none.p95, none.p99), (None, Some(90.0), Some(86.0), None));
        assert!(of(&[]).row_with_failures("x", "u", 1.0, 5).is_none());
        // The median's interval lies among the answered; that of what lies near the failures has no upper end.
        assert!(row.p50_low < row.p50 && row.p50 < row.p50_high, "{row:?}");
        let all = of(&(0..1900).map(|i| f64::from(i * 37 % 1901)).collect::<Vec<_>>());
        let row = all.row_with_failures("x_or_failed", "u", 1.0, 100).unwrap();
        assert!(row.p95_low.is_some() && row.p95_high.is_none(), "{row:?}");
    }

    #[test]
    fn intervals_stand_where_the_effective_rows_carry_them() {
        let row = of(&(1..=72).map(|i| f64::from(i * 37 % 73)).collect::<Vec<_>>()).row("x", "u", 1.0).unwrap();
        let effective = row.n_eff.unwrap();
        assert!(effective > 36.0, "{effective}");
        assert!(row.low.unwrap() < row.mean.unwrap() && row.mean.unwrap() < row.high.unwrap());
        assert!(row.p50_low.unwrap() < row.p50.unwrap() && row.p50.unwrap() < row.p50_high.unwrap());
        assert_eq!((row.p99_low, row.p99_high), (None, None));
        let p99 = row.needs.iter().find(|needs| needs.figure == "p99").unwrap();
        assert_eq!(p99.rows, (72.0 * 368.0 / effective).ceil() as u64);
        assert!(row.needs.iter().all(|needs| needs.figure != "p50"));
        // A trend: 400 rows that are worth a few, and that lack a median's six times.
        let trend = of(&(0..4096).map(f64::from).collect::<Vec<_>>()).row("x", "u", 1.0).unwrap();
        assert!(trend.needs.iter().any(|needs| needs.figure == "p95" && needs.rows > 4096), "{:?}", trend.needs);
    }

    #[test]
    fn values_of_one_row_count_as_far_as_they_scatter_by_themselves() {
        let rows = |scatter: f64, between: f64| {
            let mut all = Distribution::default();
            for row in 0..200 {
                let mean = 1000.0 + between * f64::from(row * 37 % 101);
                let values = [-scatter, 0.0, scatter].map(|off| mean + off);
                all.record_all(values, mean);
            }
            all
        };
        // All of a row alike: no more than the rows are worth. Rows alike: each value counts.
        let (of_rows, of_values) = (rows(0.0, 1.0), rows(5.0, 0.0));
        assert_eq!((of_rows.n(), of_rows.batches.effective()), (600, Some(200.0)));
        assert!((of_rows.effective().unwrap() / 200.0 - 1.0).abs() < 0.01, "{:?}", of_rows.effective());
        assert_eq!(of_values.effective().map(f64::round), Some(200.0));
        // Between the two: a variance of 850 between rows and of 817 + 850 of all.
        let both = rows(35.0, 1.0).effective().unwrap();
        assert!((both / 200.0 - 1.96).abs() < 0.1, "{both}");
    }

    #[test]
    fn what_was_cut_off_is_a_lower_bound() {
        let mut all = of(&(1..=90).map(f64::from).collect::<Vec<_>>());
        // Ten that had taken 200: the 90th of 100 is 90, what lies beyond is 200 at least.
        (0..10).for_each(|_| all.censor(200.0));
        let row = all.row("x", "u", 1.0).unwrap();
        assert_eq!(
            (row.n, row.mean, row.p50, row.p90, row.p95),
            (Some(90), Some(45.5), Some(50.0), Some(90.0), Some(200.0))
        );
        assert_eq!(row.max, Some(200.0));
        // Ten that were cut before anything ended say nothing.
        let mut early = of(&(1..=90).map(|v| f64::from(v) + 100.0).collect::<Vec<_>>());
        let before = early.row("x", "u", 1.0).unwrap();
        (0..10).for_each(|_| early.censor(5.0));
        let after = early.row("x", "u", 1.0).unwrap();
        assert_eq!((before.p50, before.p90, before.max), (after.p50, after.p90, after.max));
        // Kaplan and Meier by hand: 1, 2+, 3, 4+, 5: 4/5, 4/5 x 2/3, 0.
        let mut few = of(&[1.0, 3.0, 5.0]);
        [2.0, 4.0].into_iter().for_each(|v| few.censor(v));
        assert_eq!([0.2, 0.3, 0.46, 0.5].map(|q| few.quantile(q)), [1.0, 3.0, 3.0, 5.0].map(Some));
    }

    #[test]
    fn what_does_not_fit_is_clamped_counted_and_exact_in_the_extremes() {
        let all = of(&[-5.0, 1.0, 1e18, f64::NAN, f64::INFINITY]);
        assert_eq!((all.n(), all.clamped()), (3, 2));
        let rows = [all.row("x", "u", 1.0), all.row_with_failures("x", "u", 1.0, 1)];
        assert_eq!(rows.map(|row| row.unwrap().clamped), [2, 2]);
        let row = all.row("x", "u", 1.0).unwrap();
        assert_eq!((row.min, row.max), (Some(-5.0), Some(1e18)));
    }
}
