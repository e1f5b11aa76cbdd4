//! What earlier runs left behind: every directory of a run is an entry, and no database is needed.
//!
//! [`read`] finds the entries of a folder, quickened by an index file that may be deleted at any time; [`trend`] follows a
//! metric through them, and tells the steps in it, and in its ratio to the reference; [`prune()`] removes what is large and leaves the reports.

mod comparable;
mod document;
mod entry;
mod family;
mod filter;
mod folders;
mod index;
mod prune;
mod ratio;
mod read;
mod series;
mod trend;

pub use document::{
    Compared, Differs, FALSE_RATE, Family, LeftOut, Mover, RatioLine, Series, SeriesPoint, StepTold, Trend,
};
pub use entry::{MainVerdict, RunEntry, RunState};
pub use filter::{Filter, Stamp, TrendQuery};
pub use index::INDEX;
pub use prune::{PRUNED, Pruned, PrunedFile, PrunedRun, Spared, age, prune, pruned};
pub use read::{Damaged, History, read};
pub use trend::{trend, trends};
