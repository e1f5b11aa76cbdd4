//! The search for the most that a target sustains within limits: a pure machine over judged probes. Limits are read, rows
//! become evidence, evidence a verdict, verdicts the next load and at last a boundary with its interval.
//!
//! A percentile within its limit is a statement on a share: `ttft.p95 <= 300ms` says that at most 5 % of the requests take
//! longer, failed ones among them. So every limit but those on means is judged as a proportion, at the number of requests
//! that dependent ones are worth.

mod evidence;
mod found;
mod judge;
mod search;
mod worth;

#[cfg(test)]
mod tests;

pub use evidence::{Evidence, Gather, Shown};
pub use found::{CAPACITY_VERSION, Capacity, Probe, Ratio, Searched, Settings, Target, Tried, levels};
pub use judge::{Judged, Verdict, judge};
pub use search::{
    ATTEMPTS, Boundary, By, Ended, LONG, Level, Next, PROBES, Reach, boundary, length, next, probe_seed, window_s,
};
pub use worth::requests_needed;
