//! Folds over samples, and intervals: no input or output, no clock, no async.
//!
//! Samples go in one at a time and in the order of `samples.csv`; summaries, comparisons, a timeline and packed
//! histograms come out. What a fold holds grows with targets, metrics, items and seconds, never with samples. The same
//! samples give the same bits again, which is what `loadcmp report DIR` rests on. hdrhistogram's door is this room.

mod answers;
mod batches;
mod buckets;
mod compare;
mod costs;
mod dependence;
mod discovery;
mod distribution;
mod effective;
mod f1;
mod figure;
mod figures;
mod fold;
mod goodput;
mod growth;
mod headline;
mod interval;
mod least_squares;
mod means;
mod metric;
mod needed;
mod nights;
mod packed;
mod pairs;
mod pareto;
mod parts;
mod proportion;
mod queue;
mod rates;
mod reasons;
mod repeated;
mod row;
mod scaling;
mod series;
mod slots;
mod steady;
mod steps;
mod summary;
mod time_parts;
mod timeline;
mod vectors;
mod work;

pub use crate::metrics::unit;
pub use compare::{
    Comparison, ComparisonSettings, Doubts, Verdict, WhyNot, compare_summaries, decide, decide_by, lone_stand_in,
    main_of, times_as_long,
};
pub use costs::{Bounds, CostComparison, CostFit, CostSums, compare_costs, fit_costs};
pub use discovery::{finding, permutations};
pub use distribution::{Distribution, FIRM_N, LEAST_N};
pub use effective::effective_rows;
pub use f1::{Confusion, LabelScore};
pub use figures::{Figure, TargetFigures};
pub use fold::{Fold, Folded};
pub use goodput::{kept, measured, so_far};
pub use growth::{Burst, Course, Growth, bursts, growth};
pub use interval::{Estimate, newcombe, proportion_ratio, quantile_interval, t_quantile, wilson, wilson_at};
pub use metric::Metric;
pub use needed::worth_showing;
pub use nights::{ASSUMED_SCATTER, LEAST_RUNS, Nights, ONE_RUN, Predicted, RunFigures, if_runs_scatter};
pub use packed::{Packed, write_interval_log};
pub use pareto::{Stands, non_dominated};
pub use reasons::{MOST_REASONS, Reason};
pub use repeated::{RunMetric, RunPair, compare_runs, geometric_mean, over_runs, run_metrics};
pub(crate) use row::tidy;
pub use row::{Needs, Row};
pub use scaling::{LEAST_LEVELS, Users, Usl, fit_usl};
pub use series::{BEYOND_DOUBT, RatioEvidence};
pub use steady::{Drift, Steady, drift};
pub use steps::{Step, Steps, StepsBy, steps};
pub use summary::{TargetSummary, UnitSeries};
pub use time_parts::Part;
pub use timeline::Second;
pub use vectors::{cosine, exact_row};
pub use work::{Window, Work};

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod properties;
