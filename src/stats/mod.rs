//! Folds over samples, and intervals: no input or output, no clock, no async.
//!
//! Samples go in one at a time and in the order of `samples.csv`; summaries, comparisons, a timeline and packed
//! histograms come out. What a fold holds grows with targets, metrics, items and seconds, never with samples. The same
//! samples give the same bits again, which is what `loadcmp report DIR` rests on. hdrhistogram's door is this room.

mod answers;
mod batches;
mod compare;
mod distribution;
mod fold;
mod headline;
mod interval;
mod metric;
mod packed;
mod rank;
mod series;
mod slots;
mod steady;
mod summary;
mod timeline;
mod units;
mod vectors;

pub use answers::Confusion;
pub use compare::{Comparison, Settings, Verdict, compare_summaries};
pub use distribution::{Distribution, FIRM_N, LEAST_N};
pub use fold::{Fold, Folded, Window};
pub use interval::{Estimate, newcombe, proportion_ratio, quantile_interval, t_quantile, wilson, wilson_at};
pub use metric::Metric;
pub use packed::{Packed, write_interval_log};
pub use series::worth_showing;
pub use steady::{Drift, Steady};
pub use summary::{Needs, Row, TargetSummary, UnitSeries, unit};
pub use timeline::Second;
pub use vectors::cosine;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod properties;
