//! The distributions that are kept, and how each is read from a sample.

use super::unit;
use crate::metrics::{self, Definition};
use crate::record::{Nanos, PrefixUse, Sample};

/// One distribution over a target's answered requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is documented by `Metric::definition`")]
pub enum Metric {
    Latency,
    Response,
    Lag,
    Ttft,
    Ttfat,
    TtftFirst,
    TtftLater,
    ResponseTtft,
    LastToken,
    ResponseLastToken,
    Itl,
    Tpot,
    GapMax,
    TokensPerS,
    PrefillPerS,
    DecodePerS,
    RequestedPromptTokens,
    PromptTokens,
    OutputTokens,
    CachedFirst,
    CachedLater,
    ThoughtTokens,
    AnswerTokens,
    ThoughtPieces,
    Dimensions,
    ServerTotal,
    ServerLoad,
    ServerPrompt,
    ServerOutput,
    ServerPrefillPerS,
    ServerDecodePerS,
    OutsideServer,
    Connect,
}

impl Metric {
    /// Every metric, in the order of `summary.csv`.
    pub const ALL: [Metric; 33] = [
        Metric::Latency,
        Metric::Response,
        Metric::Lag,
        Metric::Ttft,
        Metric::Ttfat,
        Metric::TtftFirst,
        Metric::TtftLater,
        Metric::ResponseTtft,
        Metric::LastToken,
        Metric::ResponseLastToken,
        Metric::Itl,
        Metric::Tpot,
        Metric::GapMax,
        Metric::TokensPerS,
        Metric::PrefillPerS,
        Metric::DecodePerS,
        Metric::RequestedPromptTokens,
        Metric::PromptTokens,
        Metric::OutputTokens,
        Metric::CachedFirst,
        Metric::CachedLater,
        Metric::ThoughtTokens,
        Metric::AnswerTokens,
        Metric::ThoughtPieces,
        Metric::Dimensions,
        Metric::ServerTotal,
        Metric::ServerLoad,
        Metric::ServerPrompt,
        Metric::ServerOutput,
        Metric::ServerPrefillPerS,
        Metric::ServerDecodePerS,
        Metric::OutsideServer,
        Metric::Connect,
    ];

    /// What is known of it before anything is measured.
    pub fn definition(self) -> &'static Definition {
        match self {
            Metric::Latency => &metrics::LATENCY,
            Metric::Response => &metrics::RESPONSE,
            Metric::Lag => &metrics::SEND_LAG,
            Metric::Ttft => &metrics::TTFT,
            Metric::Ttfat => &metrics::TTFAT,
            Metric::TtftFirst => &metrics::TTFT_FIRST,
            Metric::TtftLater => &metrics::TTFT_LATER,
            Metric::ResponseTtft => &metrics::RESPONSE_TTFT,
            Metric::LastToken => &metrics::LAST_TOKEN,
            Metric::ResponseLastToken => &metrics::RESPONSE_LAST_TOKEN,
            Metric::Itl => &metrics::ITL,
            Metric::Tpot => &metrics::TPOT,
            Metric::GapMax => &metrics::ITL_MAX,
            Metric::TokensPerS => &metrics::TOKENS_PER_S,
            Metric::PrefillPerS => &metrics::PREFILL_TOKENS_PER_S,
            Metric::DecodePerS => &metrics::DECODE_TOKENS_PER_S,
            Metric::RequestedPromptTokens => &metrics::REQUESTED_PROMPT_TOKENS,
            Metric::PromptTokens => &metrics::PROMPT_TOKENS,
            Metric::OutputTokens => &metrics::OUTPUT_TOKENS,
            Metric::CachedFirst => &metrics::CACHED_FIRST,
            Metric::CachedLater => &metrics::CACHED_LATER,
            Metric::ThoughtTokens => &metrics::THOUGHT_TOKENS,
            Metric::AnswerTokens => &metrics::ANSWER_TOKENS,
            Metric::ThoughtPieces => &metrics::THOUGHT_PIECES,
            Metric::Dimensions => &metrics::DIMENSIONS,
            Metric::ServerTotal => &metrics::SERVER_TOTAL,
            Metric::ServerLoad => &metrics::SERVER_LOAD,
            Metric::ServerPrompt => &metrics::SERVER_PROMPT,
            Metric::ServerOutput => &metrics::SERVER_OUTPUT,
            Metric::ServerPrefillPerS => &metrics::SERVER_PREFILL_PER_S,
            Metric::ServerDecodePerS => &metrics::SERVER_DECODE_PER_S,
            Metric::OutsideServer => &metrics::OUTSIDE_SERVER,
            Metric::Connect => &metrics::CONNECT,
        }
    }

    /// The word in `summary.csv`.
    pub fn name(self) -> &'static str {
        self.definition().id
    }

    /// Unit of its values, as `summary.csv` writes it.
    pub fn unit(self) -> &'static str {
        self.definition().unit
    }

    /// Ticks of the histogram in one unit: times are kept in nanoseconds and rates in thousandths, so that three
    /// digits stay three digits down to a microsecond and a token a second.
    pub fn ticks_per_unit(self) -> f64 {
        match self.unit() {
            unit::MICROS | unit::TOKENS_PER_S => 1e3,
            _ => 1.0,
        }
    }

    /// How much the value of an answer with so many inter-token latencies counts in a mean: one of those as many times as there
    /// are, any other once.
    pub fn weight(self, gaps: usize) -> f64 {
        if self == Metric::Itl { gaps as f64 } else { 1.0 }
    }

    /// The metric's value of a sample, in ticks; `None` if the sample doesn't have it. Of [`Metric::Itl`], of which a sample has
    /// many, their mean.
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
            Metric::TtftFirst => sample.ttft_of(PrefixUse::First).map(time),
            Metric::TtftLater => sample.ttft_of(PrefixUse::Later).map(time),
            Metric::ResponseTtft => sample.stamps.first_token.map(|at| time(at.since(sample.stamps.planned))),
            Metric::LastToken => {
                sample.stamps.last_token.zip(sample.stamps.sent).map(|(at, sent)| time(at.since(sent)))
            }
            Metric::ResponseLastToken => sample.stamps.last_token.map(|at| time(at.since(sample.stamps.planned))),
            Metric::Itl => sample.itl(),
            Metric::Tpot => sample.tpot(),
            Metric::GapMax => sample.itl_max.map(time),
            Metric::TokensPerS => sample.tokens_per_s().map(|rate| rate * 1e3),
            Metric::PrefillPerS => sample.prefill_per_s().map(|rate| rate * 1e3),
            Metric::DecodePerS => sample.decode_per_s().map(|rate| rate * 1e3),
            Metric::RequestedPromptTokens => sample.wanted_prompt.map(|n| n as f64),
            Metric::PromptTokens => sample.prompt_tokens.map(|n| n as f64),
            Metric::OutputTokens => sample.output_tokens.map(|n| n as f64),
            Metric::CachedFirst => sample.cached_of(PrefixUse::First).map(|n| n as f64),
            Metric::CachedLater => sample.cached_of(PrefixUse::Later).map(|n| n as f64),
            Metric::ThoughtTokens => sample.details.thought_tokens.map(|n| n as f64),
            Metric::AnswerTokens => sample.answer_tokens().map(|n| n as f64),
            Metric::ThoughtPieces => sample.thought_pieces().map(f64::from),
            Metric::Dimensions => sample.dimensions.map(f64::from),
            Metric::ServerTotal => sample.server_total.map(time),
            Metric::ServerLoad => sample.server_load.map(time),
            Metric::ServerPrompt => sample.server_prompt.map(time),
            Metric::ServerOutput => sample.server_output.map(time),
            Metric::ServerPrefillPerS => sample.server_prefill_per_s().map(|rate| rate * 1e3),
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
    fn each_is_a_distribution_of_the_table() {
        let all: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(all.len(), Metric::ALL.len());
        assert!(Metric::ALL.iter().all(|metric| metric.definition().spread));
    }
}
