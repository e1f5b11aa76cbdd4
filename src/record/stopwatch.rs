//! The one clock of a run. Adapters never read it; the transport stamps, everybody else subtracts.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Nanoseconds since the run's start, or a length of time in nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Microseconds, with decimals.
    pub fn micros(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// Seconds, with decimals.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    pub fn since(self, earlier: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl From<Duration> for Nanos {
    fn from(length: Duration) -> Self {
        Nanos(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl std::ops::Add for Nanos {
    type Output = Nanos;
    fn add(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(other.0))
    }
}

/// A monotonic clock that counts from the run's start; copies of it agree.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    origin: Instant,
}

impl Stopwatch {
    /// Starts counting now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time since the start. This is the only reading of a clock in a measurement.
    pub fn now(&self) -> Nanos {
        Nanos::from(self.origin.elapsed())
    }

    /// The instant `at` on the runtime's clock, for deadlines and sleeps.
    pub fn instant(&self, at: Nanos) -> Instant {
        self.origin + Duration::from_nanos(at.0)
    }
}
