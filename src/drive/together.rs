//! Where several generators of one run wait for each other: before each group's load, and before its measured window.

use crate::record::Nanos;
use std::pin::Pin;

/// Where generators wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeetingPoint {
    /// Before the load of the next group.
    Begin,
    /// Before the measured window of the group that has begun.
    Open,
}

/// What holds the generators of a run together.
pub trait Together: Send + Sync {
    /// Waits until all are at this point; gives the instant, on this run's clock, at which they go on, all at the same time. `None`
    /// if the run is over.
    fn meet(&self, point: MeetingPoint) -> Pin<Box<dyn Future<Output = Option<Nanos>> + Send + '_>>;
}
