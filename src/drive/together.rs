//! Where several generators of one run wait for each other: before each group's load, and before its measured window.

use crate::record::Nanos;
use std::pin::Pin;

/// What holds the generators of a run together.
pub trait Together: Send + Sync {
    /// Waits until all are at this point, the next one in the run; gives the instant, on this run's clock, at which they go on, all
    /// at the same time. `None` if the run is over.
    fn meet(&self) -> Pin<Box<dyn Future<Output = Option<Nanos>> + Send + '_>>;
}
