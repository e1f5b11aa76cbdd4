//! The search for the most that a target sustains within limits: a pure machine over judged probes. Limits are read, rows
//! become evidence, evidence a verdict, verdicts the next load and at last a boundary with its interval.
//!
//! A percentile within its limit is a statement on a share: `ttft.p95 <= 300ms` says that at most 5 % of the requests take
//! longer, failed ones among them. So every limit but those on means is judged as a proportion, at the number of requests
//! that dependent ones are worth.

mod boundary;
mod effective;
mod evidence;
mod fit;
mod judge;
mod outcome;
mod ratio;
mod search;

#[cfg(test)]
mod tests;

pub use boundary::{Basis, Boundary, boundary};
pub use evidence::{ProbeEvidence, ProbeFold, Shown};
pub use fit::{Fit, fit};
pub use judge::{JudgedLoad, LoadVerdict, judge};
pub use outcome::{
    CAPACITY_VERSION, Capacity, Failed, JudgedProbe, SearchSettings, Searched, TargetCapacity, Tried, fitted, found,
    levels, ratios,
};
pub use ratio::{Ratio, ratio};
pub use search::{By, Ended, Level, Next, PROBES, Reach, long_s, next, probe_seed, window_s};
