//! How requests are driven, as written: closed and open loops, orders, blocks.

use super::{DataPath, Length, Rate, Span, UntilSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the targets are driven at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All at once: they share the machine, and contend for it.
    #[default]
    Concurrent,
    /// One after another: nothing shared, but drift of the machine falls on one of them.
    Isolated,
    /// In blocks of equal work, A B B A: nothing shared, and drift falls on all alike. The one for a verdict.
    Alternate,
}

/// The blocks of `order: alternate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`blocks`")]
pub struct BlocksSpec {
    /// Blocks of each target; the load's duration or requests are divided among them. An interval rests on their number.
    #[serde(default = "defaults::pairs")]
    #[schemars(range(min = 2, max = 200))]
    pub pairs: u32,
    /// Pause between two blocks, once the last answer of the one before has come.
    #[serde(default = "defaults::settle")]
    pub settle: Span,
    /// Load before each block, kept apart as the load's own `warmup` is. A target's first block has the load's own, but in a
    /// closed loop driven for a `duration`, which has that before its pace is learned.
    #[serde(default = "defaults::block_warmup")]
    pub warmup: Span,
}

impl Default for BlocksSpec {
    fn default() -> Self {
        Self { pairs: defaults::pairs(), settle: defaults::settle(), warmup: defaults::block_warmup() }
    }
}

/// How the requests are driven: a `closed` or an `open` loop.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a load")]
pub struct LoadSpec {
    /// A number of users, each of whom sends the next request after the last answer: capacity at that concurrency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ClosedSpec>,
    /// Requests leave at instants drawn beforehand, whether answers have come or not: latency at that rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenSpec>,
    /// One long stretch, in which memory that grows, answers that slow down and bursts of failures are looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<SoakSpec>,
    /// Ends the run early, once the main ratio is known well enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UntilSpec>,
    /// Whether `duration: auto` was written, in whose place the most stands by now.
    #[serde(skip)]
    pub(super) auto: bool,
}

impl LoadSpec {
    /// A soak is a loop like others, driven for long: which one, unless the scenario writes one beside it.
    pub(super) fn resolve(&mut self) {
        self.size();
        let Some(soak) = self.soak.filter(|_| self.closed.is_none() && self.open.is_none()) else { return };
        let SoakSpec { duration, users, rate, think, warmup } = soak;
        self.closed = users.map(|users| ClosedSpec {
            users,
            duration: Some(Length::Of(duration)),
            requests: None,
            think,
            warmup,
        });
        self.open = rate.filter(|_| users.is_none()).map(|rate| OpenSpec {
            rate: Some(Rate::Of(rate)),
            duration: Some(Length::Of(duration)),
            warmup,
            ..OpenSpec::default()
        });
    }
}

/// A soak. One of `users` and `rate` must be given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`soak`")]
pub struct SoakSpec {
    /// Length of the measured window: hours, for what is slow.
    pub duration: Span,
    /// Users on each target, each of whom sends the next request after the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub users: Option<u32>,
    /// Requests a second, on each target, at instants drawn beforehand (Poisson).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.001, max = 1_000_000))]
    pub rate: Option<f64>,
    /// Pause of a user between an answer and the next request.
    #[serde(default)]
    pub think: Span,
    /// Load sent before the measured window opens: caches that fill are no leak.
    #[serde(default)]
    pub warmup: Span,
}

/// A closed loop. One of `duration` and `requests` must be given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`closed`")]
pub struct ClosedSpec {
    /// Users on each target.
    #[schemars(range(min = 1, max = 10000))]
    pub users: u32,
    /// Length of the measured window, or `auto`: as long as the main metric needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Length>,
    /// Measured requests on each target (conversations, for chat).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub requests: Option<u64>,
    /// Pause of a user between an answer and the next request.
    #[serde(default)]
    pub think: Span,
    /// Load sent before the measured window opens; kept in samples.csv, left out of every summary.
    #[serde(default)]
    pub warmup: Span,
}

/// An open loop. One of `rate`, `ramp`, `stages` and `trace` must be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`open`")]
pub struct OpenSpec {
    /// Requests a second, on each target (conversations begun, for chat), or `auto`: half of what the slower target answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// A rate that grows or falls evenly over the duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<RampSpec>,
    /// Rates one after another, each for a time of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub stages: Option<Vec<StageSpec>>,
    /// Recorded instants, from a CSV file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceSpec>,
    /// How requests lie around the rate.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// For `gamma`: 1 is Poisson, less comes in bursts, more is more even (the shape of the gaps' distribution; a gap's
    /// coefficient of variation is 1 / sqrt(burstiness), as in vLLM's benchmark).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.01, max = 1000))]
    pub burstiness: Option<f64>,
    /// For `bursts`: what a burst is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<BurstSpec>,
    /// Length of the measured window, or `auto`: as long as the main metric needs. For `stages` and `trace` it is their own, a
    /// trace's being a mean gap longer than its last instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Length>,
    /// Load sent before the measured window opens, at the rate the window begins with (a trace's mean rate); kept in
    /// samples.csv, left out of every summary.
    #[serde(default)]
    pub warmup: Span,
    /// Most requests in flight on a target. One that is due while so many are is not sent and not delayed: it is a row
    /// `unsent`.
    #[serde(default = "defaults::in_flight")]
    #[schemars(range(min = 1, max = 65536))]
    pub in_flight: u32,
    /// How an instant is waited for.
    #[serde(default)]
    pub pacing: Pacing,
}

/// One of which nothing is written, not even when requests leave.
impl Default for OpenSpec {
    fn default() -> Self {
        Self {
            rate: None,
            ramp: None,
            stages: None,
            trace: None,
            arrivals: Arrivals::default(),
            burstiness: None,
            burst: None,
            duration: None,
            warmup: Span::default(),
            in_flight: defaults::in_flight(),
            pacing: Pacing::default(),
        }
    }
}

/// How requests lie around a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Independent of each other, as from many users who don't know of one another: exponential gaps.
    #[default]
    Poisson,
    /// Evenly, a metronome.
    Constant,
    /// Gamma-distributed gaps, by `burstiness`.
    Gamma,
    /// Bursts of some requests (`burst`), at Poisson instants.
    Bursts,
}

/// A burst: some requests close together. The rate counts requests, not bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`burst`")]
pub struct BurstSpec {
    /// Requests in it.
    #[schemars(range(min = 1, max = 10000))]
    pub size: u32,
    /// Time between two of them.
    #[serde(default)]
    pub gap: Span,
}

/// A rate that changes evenly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`ramp`")]
pub struct RampSpec {
    /// Requests a second at the window's beginning.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub from: f64,
    /// Requests a second at its end.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub to: f64,
}

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a stage")]
pub struct StageSpec {
    /// Requests a second (at its end, if `from` is given).
    #[schemars(range(min = 0, max = 1_000_000))]
    pub rate: f64,
    /// Requests a second at its beginning: the rate changes evenly from there. Default: `rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub from: Option<f64>,
    /// Its length.
    pub duration: Span,
}

/// Recorded instants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`trace`")]
pub struct TraceSpec {
    /// CSV file with a header, beside the scenario or below it.
    pub path: DataPath,
    /// Column that holds seconds, counted from anywhere and in any order: the earliest becomes the window's opening.
    #[serde(default = "defaults::offset")]
    pub column: String,
    /// Speed it is replayed at: 2 is twice as fast.
    #[serde(default = "defaults::speed")]
    #[schemars(range(min = 0.001, max = 1000))]
    pub speed: f64,
}

/// How an instant is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pacing {
    /// The kernel's timer: some tens of microseconds late, next to no processor time.
    #[default]
    Timer,
    /// A thread that spins before each instant: some microseconds late, and up to a core of processor time.
    Precise,
}

pub(super) mod defaults {
    use super::Span;
    use std::time::Duration;

    pub fn pairs() -> u32 {
        10
    }
    pub fn settle() -> Span {
        Span(Duration::from_millis(500))
    }
    pub fn block_warmup() -> Span {
        Span(Duration::from_secs(1))
    }
    pub fn in_flight() -> u32 {
        1024
    }
    pub fn offset() -> String {
        "offset_s".to_owned()
    }
    pub fn speed() -> f64 {
        1.0
    }
}
