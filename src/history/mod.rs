//! What earlier runs left behind: every directory of a run is an entry, and no database is needed.
//!
//! [`read`] finds the entries of a folder, quickened by an index file that may be deleted at any time; [`trend`] follows a
//! metric through them, and tells the steps in it; [`prune()`] removes what is large and leaves the reports.

mod entry;
mod figures;
mod filter;
mod folders;
mod index;
mod like;
mod prune;
mod read;
mod series;
mod trend;

pub use entry::{Entry, EntryTarget, MainVerdict, State};
pub use figures::{Figure, more_is_better};
pub use filter::{Filter, Stamp};
pub use index::INDEX;
pub use prune::{PRUNED, Pruned, PrunedFile, PrunedRun, Spared, age, prune, pruned};
pub use read::{Damaged, History, read};
pub use series::{Differs, LeftOut, Point, Series, StepTold};
pub use trend::{Asked, Trend, trend};
