//! The distributions that are kept: what each is called, its unit, and how it is read from a sample.

use super::unit;
use crate::record::{Nanos, Sample};

/// One distribution over a target's answered requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is documented by `Metric::about`")]
pub enum Metric {
    Latency,
    Response,
    Lag,
    Ttft,
    Ttfat,
    ResponseTtft,
    LastToken,
    ResponseLastToken,
    Itl,
    Tpot,
    GapMax,
    TokensPerS,
    PromptTokens,
    OutputTokens,
    Dimensions,
    ServerTotal,
    ServerLoad,
    ServerPrompt,
    ServerOutput,
    ServerDecodePerS,
    OutsideServer,
    Connect,
}

impl Metric {
    /// Every metric, in the order of `summary.csv`.
    pub const ALL: [Metric; 22] = [
        Metric::Latency,
        Metric::Response,
        Metric::Lag,
        Metric::Ttft,
        Metric::Ttfat,
        Metric::ResponseTtft,
        Metric::LastToken,
        Metric::ResponseLastToken,
        Metric::Itl,
        Metric::Tpot,
        Metric::GapMax,
        Metric::TokensPerS,
        Metric::PromptTokens,
        Metric::OutputTokens,
        Metric::Dimensions,
        Metric::ServerTotal,
        Metric::ServerLoad,
        Metric::ServerPrompt,
        Metric::ServerOutput,
        Metric::ServerDecodePerS,
        Metric::OutsideServer,
        Metric::Connect,
    ];

    /// The word in `summary.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Latency => "latency",
            Metric::Response => "response",
            Metric::Lag => "lag",
            Metric::Ttft => "ttft",
            Metric::Ttfat => "ttfat",
            Metric::ResponseTtft => "response_ttft",
            Metric::LastToken => "last_token",
            Metric::ResponseLastToken => "response_last_token",
            Metric::Itl => "itl",
            Metric::Tpot => "tpot",
            Metric::GapMax => "gap_max",
            Metric::TokensPerS => "tokens_per_s",
            Metric::PromptTokens => "prompt_tokens",
            Metric::OutputTokens => "output_tokens",
            Metric::Dimensions => "dimensions",
            Metric::ServerTotal => "server_total",
            Metric::ServerLoad => "server_load",
            Metric::ServerPrompt => "server_prompt",
            Metric::ServerOutput => "server_output",
            Metric::ServerDecodePerS => "server_decode_per_s",
            Metric::OutsideServer => "outside_server",
            Metric::Connect => "connect",
        }
    }

    /// What it is, in a few words, for people.
    pub fn about(self) -> &'static str {
        match self {
            Metric::Latency => "from the last byte of the request sent to the end of the answer",
            Metric::Response => "from the planned instant to the end of the answer",
            Metric::Lag => "how late the generator sent, from the planned instant",
            Metric::Ttft => "from sent to the first non-empty text of a stream",
            Metric::Ttfat => "from sent to the first non-empty text of a stream that isn't reasoning",
            Metric::ResponseTtft => "from the planned instant to the first non-empty text of a stream",
            Metric::LastToken => "from sent to the last non-empty text of a stream",
            Metric::ResponseLastToken => "from the planned instant to the last non-empty text of a stream",
            Metric::Itl => "mean gap between tokens of a request: (last token - first token) / (tokens - 1)",
            Metric::Tpot => "time per output token of a request, as `itl`: (last token - first token) / (tokens - 1)",
            Metric::GapMax => "longest wait between two pieces of text of an answer",
            Metric::TokensPerS => "output tokens of a request per second of its latency",
            Metric::PromptTokens => "prompt tokens of a request, by the engine's count",
            Metric::OutputTokens => "output tokens of a request, by the engine's count",
            Metric::Dimensions => "numbers in an embedding",
            Metric::ServerTotal => "total time by the engine's own clock",
            Metric::ServerLoad => "time to get the model ready, by the engine's own clock",
            Metric::ServerPrompt => "time for the prompt, by the engine's own clock",
            Metric::ServerOutput => "time for the output, by the engine's own clock",
            Metric::ServerDecodePerS => "(tokens - 1) per second of output time, by the engine's own clock",
            Metric::OutsideServer => "latency less the engine's own total: queue, transport, client",
            Metric::Connect => "time to open a connection, where one was opened; outside every latency",
        }
    }

    /// Unit of its values, as `summary.csv` writes it.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::TokensPerS | Metric::ServerDecodePerS => unit::TOKENS_PER_S,
            Metric::PromptTokens | Metric::OutputTokens => unit::TOKENS,
            Metric::Dimensions => unit::ONE,
            _ => unit::MICROS,
        }
    }

    /// Whether it is told from the planned instant: in a closed loop a request is planned when its user is ready, and that is
    /// no other time than from sent.
    pub fn from_plan(self) -> bool {
        matches!(self, Metric::Response | Metric::ResponseTtft | Metric::ResponseLastToken)
    }

    /// Ticks of the histogram in one unit: times are kept in nanoseconds and rates in thousandths, so that three
    /// digits stay three digits down to a microsecond and a token a second.
    pub fn ticks_per_unit(self) -> f64 {
        match self.unit() {
            unit::MICROS | unit::TOKENS_PER_S => 1e3,
            _ => 1.0,
        }
    }

    /// The metric's value of a sample, in ticks; `None` if the sample doesn't have it.
    ///
    /// Can be negative for `OutsideServer` alone: an engine's clock may claim more time than passed.
    pub fn ticks(self, sample: &Sample) -> Option<f64> {
        let time = |t: Nanos| t.0 as f64;
        match self {
            Metric::Latency => sample.latency().map(time),
            Metric::Response => sample.response().map(time),
            Metric::Lag => sample.lag().map(time),
            Metric::Ttft => sample.ttft().map(time),
            Metric::Ttfat => sample.ttfat().map(time),
            Metric::ResponseTtft => sample.stamps.first_token.map(|at| time(at.since(sample.stamps.planned))),
            Metric::LastToken => {
                sample.stamps.last_token.zip(sample.stamps.sent).map(|(at, sent)| time(at.since(sent)))
            }
            Metric::ResponseLastToken => sample.stamps.last_token.map(|at| time(at.since(sample.stamps.planned))),
            Metric::Itl => sample.itl(),
            Metric::Tpot => sample.tpot(),
            Metric::GapMax => sample.gap_max.map(time),
            Metric::TokensPerS => sample.tokens_per_s().map(|rate| rate * 1e3),
            Metric::PromptTokens => sample.prompt_tokens.map(|n| n as f64),
            Metric::OutputTokens => sample.output_tokens.map(|n| n as f64),
            Metric::Dimensions => sample.dimensions.map(f64::from),
            Metric::ServerTotal => sample.server_total.map(time),
            Metric::ServerLoad => sample.server_load.map(time),
            Metric::ServerPrompt => sample.server_prompt.map(time),
            Metric::ServerOutput => sample.server_output.map(time),
            Metric::ServerDecodePerS => sample.server_decode_per_s().map(|rate| rate * 1e3),
            Metric::OutsideServer => Some(time(sample.latency()?) - time(sample.server_total?)),
            Metric::Connect => sample.connect.map(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Metric;
    use std::collections::BTreeSet;

    #[test]
    fn each_metric_has_a_name_and_words_of_its_own() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        let words: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.about()).collect();
        assert_eq!((names.len(), words.len()), (Metric::ALL.len(), Metric::ALL.len()));
        assert!(names.iter().all(|name| !name.is_empty()) && words.iter().all(|words| words.len() > 10));
    }
}
