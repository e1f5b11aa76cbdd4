//! What a stand-in declares about itself: model, timing, capacity, faults. Every number here is a promise that its
//! record can be held to. Read from the command line (`loadcmp serve --help`) or from YAML; the defaults agree.

use super::parse::{amount, share};
use super::quirk::Quirks;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A stand-in's declared timing and behaviour. Zero delays, the default, make it a null server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSpec {
    /// Name of the model it serves.
    #[arg(long, default_value = "standin", value_name = "NAME")]
    pub model: String,
    /// What the model can do.
    #[arg(long, value_enum, default_value_t = Kind::Any)]
    pub kind: Kind,
    /// Requests served at the same time; others queue.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub slots: u32,
    /// Maximum length of the queue; further requests are refused.
    #[arg(long, default_value_t = 512, value_name = "N")]
    pub queue: u32,
    /// Context length of the model in tokens.
    #[arg(long, default_value_t = 4096, value_name = "TOKENS")]
    pub context: u32,
    /// Quantisation that it reports for its model (Ollama wire only).
    #[arg(long, default_value = "F16", value_name = "NAME")]
    pub quantization: String,
    /// Number of parameters that it reports for its model, such as 7B (Ollama wire only).
    #[arg(long, default_value = "1", value_name = "NUMBER")]
    pub parameters: String,
    /// Time to load the model: the first request waits for it.
    #[arg(long, default_value_t = 0.0, value_name = "MS", value_parser = amount)]
    pub load_ms: f64,
    /// Prompt tokens per second; 0 = immediately.
    #[arg(long, default_value_t = 0.0, value_name = "TOKENS/S", value_parser = amount)]
    pub prefill_rate: f64,
    /// Output tokens per second after the first; 0 = immediately.
    #[arg(long, default_value_t = 0.0, value_name = "TOKENS/S", value_parser = amount)]
    pub decode_rate: f64,
    /// Time from getting a slot to the first token, independent of prompt length; replaces --prefill-rate.
    #[arg(long, value_name = "MS", value_parser = amount)]
    pub first_token_ms: Option<f64>,
    /// Number of recent prompts in the prefix cache: a beginning shared with one of them is not processed again. 0 =
    /// none.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub prefix_cache: u32,
    /// Delay added to the first token per second of uptime: an engine that slows down.
    #[arg(long, default_value_t = 0.0, value_name = "MS", value_parser = amount)]
    pub slower_ms_per_s: f64,
    /// How the configured times vary.
    #[arg(long, value_enum, default_value_t = Jitter::None)]
    pub jitter: Jitter,
    /// Milliseconds for constant and exponential jitter, sigma for lognormal.
    #[arg(long, default_value_t = 0.0, value_name = "X", value_parser = amount)]
    pub jitter_scale: f64,
    /// Output tokens of a request that names no limit.
    #[arg(long, default_value_t = 64, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    pub output_tokens: u32,
    /// Reasoning tokens before each answer on the Ollama and OpenAI chat wires, sent without being asked for; they
    /// count as output.
    #[arg(long, default_value_t = 0, value_name = "TOKENS")]
    pub think_tokens: u32,
    /// Tokens it claims to draft per step (speculative decoding; `timings` of the OpenAI wire only). It doesn't make
    /// tokens faster.
    #[arg(long, default_value_t = 0, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(..=1024))]
    pub draft: u32,
    /// Share of the drafted tokens it claims were accepted.
    #[arg(long, default_value_t = 0.7, value_name = "SHARE", value_parser = share)]
    pub draft_accept: f64,
    /// Words of a system message that its chat template adds to each conversation; they count as prompt tokens.
    #[arg(long, default_value_t = 0, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(..=4096))]
    pub template_tokens: u32,
    /// Share of answers that end by themselves before their limit.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub early_stop: f64,
    /// Share of tickets that get the right label.
    #[arg(long, default_value_t = 1.0, value_name = "SHARE", value_parser = share)]
    pub accuracy: f64,
    /// CSV file with the columns `text` and `label`: the right labels of the tickets.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Numbers in an embedding.
    #[arg(long, default_value_t = 384, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub dimensions: u32,
    /// Length of the random vector added to each embedding (whose own length is 1), drawn from seed and text.
    #[arg(long, default_value_t = 0.0, value_name = "X", value_parser = amount)]
    pub embed_noise: f64,
    /// Send all tokens that are due in one write, instead of one write per token.
    #[arg(long)]
    pub coalesce: bool,
    /// Memory leaked per request.
    #[arg(long, default_value_t = 0, value_name = "KIB", value_parser = clap::value_parser!(u32).range(..=1_048_576))]
    pub leak_kib_per_request: u32,
    /// Seed of everything random: jitter, faults, labels, noise.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// What goes wrong.
    #[command(flatten)]
    pub faults: Faults,
    /// Quirks of real engines to imitate.
    #[command(flatten)]
    pub quirks: Quirks,
    /// Settings of the GG-CORE wire.
    #[command(flatten)]
    pub gg_core: GgCoreSpec,
}

/// Shares of requests that go wrong, each in its way; at most one fault a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Share answered with status 500.
    #[arg(long = "fault-status", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub status: f64,
    /// Share answered with an error inside a 200; in a stream, after half of the tokens.
    #[arg(long = "fault-error-frame", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub error_frame: f64,
    /// Share that ends properly after half of the tokens, but without the end mark.
    #[arg(long = "fault-truncate", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub truncate: f64,
    /// Share whose connection is closed during the answer.
    #[arg(long = "fault-cut", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub cut: f64,
    /// Share that stalls after half of the tokens, for --stall-for-ms.
    #[arg(long = "fault-stall", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub stall: f64,
    /// How long a stalled answer pauses.
    #[arg(long, default_value_t = 60_000.0, value_name = "MS", value_parser = amount)]
    pub stall_for_ms: f64,
    /// Share whose first byte is delayed by --slow-first-byte-ms.
    #[arg(long = "fault-slow-first-byte", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub slow_first_byte: f64,
    /// Delay of a slow first byte.
    #[arg(long, default_value_t = 1_000.0, value_name = "MS", value_parser = amount)]
    pub slow_first_byte_ms: f64,
    /// Share whose pieces are each sent in two writes, split in the middle of a line; harmless for a correct client.
    #[arg(long = "fault-split", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub split: f64,
    /// Share answered with the id of another request (GG-CORE wire only).
    #[arg(long = "fault-wrong-id", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub wrong_id: f64,
    /// Share whose connection is closed before the first byte of the answer.
    #[arg(long = "fault-hang-up", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub hang_up: f64,
}

/// Limits and habits of the GG-CORE wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct GgCoreSpec {
    /// Imitate the habits that distort benchmarks: one worker; new connections are not read while an ordinary answer is
    /// generated; streams start only after an ordinary request (a warm-up of an unknown model is enough), hold back 128
    /// characters and fail if the model ends them by itself; answers beyond 2048 tokens are lost.
    #[arg(long = "gg-faithful")]
    pub faithful: bool,
    /// Names of additional models that are ready but generate nothing (classifiers); the list has a different order
    /// after each start.
    #[arg(long = "gg-other-model", value_name = "NAME", value_delimiter = ',')]
    pub other_models: Vec<String>,
    /// Maximum simultaneous connections; further ones are accepted and dropped.
    #[arg(long = "gg-connections", default_value_t = 64, value_name = "N")]
    pub connections: u32,
    /// Inference requests allowed per session and window.
    #[arg(long = "gg-session-limit", default_value_t = 1000, value_name = "N")]
    pub session_limit: u32,
    /// Length of a session's window.
    #[arg(long = "gg-session-window-ms", default_value_t = 60_000.0, value_name = "MS", value_parser = amount)]
    pub session_window_ms: f64,
    /// How long five wrong tokens lock out everyone.
    #[arg(long = "gg-lockout-ms", default_value_t = 30_000.0, value_name = "MS", value_parser = amount)]
    pub lockout_ms: f64,
}

/// What the model can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text and vectors.
    #[default]
    Any,
    /// Text only.
    Completion,
    /// Vectors only.
    Embedding,
}

/// How the declared times vary from request to request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// They don't.
    #[default]
    None,
    /// The first token is always late by the scale.
    Constant,
    /// The first token and each gap are multiplied by separate draws with median 1 and the scale as sigma.
    Lognormal,
    /// The first token is late by a random time whose mean is the scale.
    Exponential,
}

impl Default for EngineSpec {
    fn default() -> Self {
        Self {
            model: "standin".into(),
            kind: Kind::Any,
            slots: 4,
            queue: 512,
            context: 4096,
            quantization: "F16".into(),
            parameters: "1".into(),
            load_ms: 0.0,
            prefill_rate: 0.0,
            decode_rate: 0.0,
            first_token_ms: None,
            prefix_cache: 0,
            slower_ms_per_s: 0.0,
            jitter: Jitter::None,
            jitter_scale: 0.0,
            output_tokens: 64,
            think_tokens: 0,
            draft: 0,
            draft_accept: 0.7,
            template_tokens: 0,
            early_stop: 0.0,
            accuracy: 1.0,
            labels: None,
            dimensions: 384,
            embed_noise: 0.0,
            coalesce: false,
            leak_kib_per_request: 0,
            seed: 1,
            faults: Faults::default(),
            quirks: Quirks::default(),
            gg_core: GgCoreSpec::default(),
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            status: 0.0,
            error_frame: 0.0,
            truncate: 0.0,
            cut: 0.0,
            stall: 0.0,
            stall_for_ms: 60_000.0,
            slow_first_byte: 0.0,
            slow_first_byte_ms: 1_000.0,
            split: 0.0,
            wrong_id: 0.0,
            hang_up: 0.0,
        }
    }
}

impl Default for GgCoreSpec {
    fn default() -> Self {
        Self {
            faithful: false,
            other_models: Vec::new(),
            connections: 64,
            session_limit: 1000,
            session_window_ms: 60_000.0,
            lockout_ms: 30_000.0,
        }
    }
}

impl EngineSpec {
    /// Says what cannot be meant; the command line has checked most of it, YAML and code have not.
    pub fn check(&self) -> anyhow::Result<()> {
        let faults = &self.faults;
        let shares = [
            ("early_stop", self.early_stop),
            ("accuracy", self.accuracy),
            ("draft_accept", self.draft_accept),
            ("faults", faults.shares().iter().sum()),
            ("faults.least", faults.shares().iter().copied().fold(0.0, f64::min)),
        ];
        for (name, value) in shares {
            anyhow::ensure!((0.0..=1.0 + 1e-9).contains(&value), "`{name}` must be a share from 0 to 1, not {value}");
        }
        let amounts = [
            ("load_ms", self.load_ms),
            ("prefill_rate", self.prefill_rate),
            ("decode_rate", self.decode_rate),
            ("first_token_ms", self.first_token_ms.unwrap_or(0.0)),
            ("slower_ms_per_s", self.slower_ms_per_s),
            ("jitter_scale", self.jitter_scale),
            ("embed_noise", self.embed_noise),
            ("stall_for_ms", faults.stall_for_ms),
            ("slow_first_byte_ms", faults.slow_first_byte_ms),
            ("session_window_ms", self.gg_core.session_window_ms),
            ("lockout_ms", self.gg_core.lockout_ms),
        ];
        for (name, value) in amounts {
            anyhow::ensure!(value.is_finite() && value >= 0.0, "`{name}` must be 0 or more, not {value}");
        }
        anyhow::ensure!(self.slots > 0, "`slots` must be at least 1");
        anyhow::ensure!(self.output_tokens > 0, "`output_tokens` must be at least 1");
        anyhow::ensure!((1..=65536).contains(&self.dimensions), "`dimensions` must be 1 to 65536");
        anyhow::ensure!(!self.model.is_empty(), "`model` must have a name");
        self.quirks.check()
    }
}

impl Faults {
    /// The shares, in the order in which one is drawn.
    pub(super) fn shares(&self) -> [f64; 9] {
        [
            self.status,
            self.error_frame,
            self.truncate,
            self.cut,
            self.stall,
            self.slow_first_byte,
            self.split,
            self.wrong_id,
            self.hang_up,
        ]
    }
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Status,
    ErrorFrame,
    Truncate,
    Cut,
    Stall,
    SlowFirstByte,
    Split,
    WrongId,
    HangUp,
}

impl Fault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Fault::Status => "status",
            Fault::ErrorFrame => "error_frame",
            Fault::Truncate => "truncate",
            Fault::Cut => "cut",
            Fault::Stall => "stall",
            Fault::SlowFirstByte => "slow_first_byte",
            Fault::Split => "split",
            Fault::WrongId => "wrong_id",
            Fault::HangUp => "hang_up",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    fn parse(args: &[&str]) -> Result<EngineSpec, clap::Error> {
        let command = EngineSpec::augment_args(clap::Command::new("x"));
        EngineSpec::from_arg_matches(&command.try_get_matches_from([&["x"], args].concat())?)
    }

    #[test]
    fn the_command_lines_defaults_are_the_codes_defaults() {
        assert_eq!(parse(&[]).unwrap(), EngineSpec::default());
        assert_eq!(serde_json::from_str::<EngineSpec>("{}").unwrap(), EngineSpec::default());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(parse(&["--accuracy", "1.5"]).is_err());
        assert!(parse(&["--decode-rate", "-1"]).is_err());
        assert!(parse(&["--slots", "0"]).is_err());
        assert!(EngineSpec::default().check().is_ok());
        let faults = Faults { status: 0.6, cut: 0.6, ..Faults::default() };
        assert!(EngineSpec { faults, ..EngineSpec::default() }.check().is_err());
        assert!(EngineSpec { load_ms: f64::NAN, ..EngineSpec::default() }.check().is_err());
    }
}
