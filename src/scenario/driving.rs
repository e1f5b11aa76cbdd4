//! How requests are driven, as written: closed and open loops, orders, blocks.

use super::{DataPath, Length, Rate, Span, UntilSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the targets are driven at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All at once: they share the machine and compete for it.
    #[default]
    Concurrent,
    /// One after another: nothing is shared, but a drift of the machine affects only one of them.
    Isolated,
    /// In blocks of equal work, A B B A: nothing is shared, and a drift affects all equally. The best choice for a
    /// verdict.
    Alternate,
}

/// The blocks of `order: alternate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`blocks`")]
pub struct BlocksSpec {
    /// Blocks per target; the load's duration or requests are divided among them. More blocks give better intervals.
    #[serde(default = "defaults::pairs")]
    #[schemars(range(min = 2, max = 200))]
    pub pairs: u32,
    /// Pause between blocks, after the last answer of the previous one.
    #[serde(default = "defaults::settle")]
    pub settle: Span,
    /// Warm-up before each block, not measured. A target's first block uses the load's own `warmup`; in a closed loop
    /// with a `duration`, that one comes before its pace is measured.
    #[serde(default = "defaults::block_warmup")]
    pub warmup: Span,
}

impl Default for BlocksSpec {
    fn default() -> Self {
        Self { pairs: defaults::pairs(), settle: defaults::settle(), warmup: defaults::block_warmup() }
    }
}

/// How requests are sent: in a `closed` or an `open` loop.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a load")]
pub struct LoadSpec {
    /// A number of users, each sending the next request after the previous answer: throughput at that concurrency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ClosedSpec>,
    /// Requests are sent at planned times, whether or not answers have come: latency at that rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenSpec>,
    /// One long run, to find growing memory, answers that slow down and bursts of failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<SoakSpec>,
    /// Ends the run early, once the main ratio is known precisely enough.
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
    /// Length of the measured window; slow changes need hours.
    pub duration: Span,
    /// Users per target, each sending the next request after the previous answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub users: Option<u32>,
    /// Requests per second per target, at planned times (Poisson).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.001, max = 1_000_000))]
    pub rate: Option<f64>,
    /// Pause of a user between an answer and the next request.
    #[serde(default)]
    pub think: Span,
    /// Load sent before the measured window, so that caches can fill.
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
    /// Load sent before the measured window; kept in samples.csv, but left out of every summary.
    #[serde(default)]
    pub warmup: Span,
}

/// An open loop. One of `rate`, `ramp`, `stages` and `trace` must be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`open`")]
pub struct OpenSpec {
    /// Requests per second per target (for chat: conversations started), or `auto`: half of what the slower target can
    /// answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// A rate that grows or falls evenly over the duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<RampSpec>,
    /// Rates one after another, each with its own duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub stages: Option<Vec<StageSpec>>,
    /// Recorded send times, from a CSV file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceSpec>,
    /// How requests are distributed in time.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// For `gamma`: 1 is Poisson, less is more bursty, more is more even (the shape of the gap distribution; the
    /// coefficient of variation of a gap is 1 / sqrt(burstiness), as in vLLM's benchmark).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.01, max = 1000))]
    pub burstiness: Option<f64>,
    /// For `bursts`: the size and spacing of a burst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<BurstSpec>,
    /// Length of the measured window, or `auto`: as long as the main metric needs. `stages` and `trace` have their own
    /// length; a trace ends one mean gap after its last send time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Length>,
    /// Load sent before the measured window, at its first rate (for a trace: the mean rate); kept in samples.csv, but
    /// left out of every summary.
    #[serde(default)]
    pub warmup: Span,
    /// Maximum requests in flight per target. A request that is due at the maximum is neither sent nor delayed, but
    /// recorded as `unsent`. Default: 1024, or with a `gg_core` target as many as its connections allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536))]
    pub in_flight: Option<u32>,
    /// How send times are kept.
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
            in_flight: None,
            pacing: Pacing::default(),
        }
    }
}

/// How requests are distributed in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Independent of each other, as from many independent users: exponential gaps.
    #[default]
    Poisson,
    /// Evenly spaced.
    Constant,
    /// Gamma-distributed gaps, by `burstiness`.
    Gamma,
    /// Bursts of several requests (`burst`), at Poisson-distributed times.
    Bursts,
}

/// A burst: several requests close together. The rate counts requests, not bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`burst`")]
pub struct BurstSpec {
    /// Requests in it.
    #[schemars(range(min = 1, max = 10000))]
    pub size: u32,
    /// Time between two requests.
    #[serde(default)]
    pub gap: Span,
}

/// A rate that changes evenly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`ramp`")]
pub struct RampSpec {
    /// Requests per second at the beginning of the window.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub from: f64,
    /// Requests per second at its end.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub to: f64,
}

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a stage")]
pub struct StageSpec {
    /// Requests per second (at the end, if `from` is given).
    #[schemars(range(min = 0, max = 1_000_000))]
    pub rate: f64,
    /// Requests per second at the beginning: the rate changes evenly from there. Default: `rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub from: Option<f64>,
    /// Its length.
    pub duration: Span,
}

/// Recorded send times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`trace`")]
pub struct TraceSpec {
    /// CSV file with a header, in the scenario's directory or below it.
    pub path: DataPath,
    /// Column with seconds, from any starting point and in any order: the earliest becomes the start of the window.
    #[serde(default = "defaults::offset")]
    pub column: String,
    /// Replay speed: 2 is twice as fast.
    #[serde(default = "defaults::speed")]
    #[schemars(range(min = 0.001, max = 1000))]
    pub speed: f64,
    /// Number of requests to use, from the beginning of the file. Default: all, or as many as a `trace` of prompts uses, which
    /// also says how long they may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub requests: Option<u64>,
}

/// How send times are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pacing {
    /// The kernel's timer: tens of microseconds late, almost no CPU.
    #[default]
    Timer,
    /// A thread that spins before each send time: a few microseconds late, up to one core of CPU.
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
    pub fn offset() -> String {
        "offset_s".to_owned()
    }
    pub fn speed() -> f64 {
        1.0
    }
}
