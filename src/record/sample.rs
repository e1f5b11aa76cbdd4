//! The atom of every result: one request's life. Everything after it is a fold over samples.

use super::{Nanos, Opened, PrefixUse, Remarks};
use serde::{Deserialize, Serialize};

/// The part of a run a request belongs to. Only `Measure` enters a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The first request to a target, which may find its model unloaded: told apart, never in a distribution.
    Cold,
    /// Sent before the measured window opened.
    Warmup,
    /// Planned inside the measured window.
    Measure,
}

impl Phase {
    /// The word in `samples.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Cold => "cold",
            Phase::Warmup => "warmup",
            Phase::Measure => "measure",
        }
    }

    /// The phase of a word in `samples.csv`.
    pub fn parse(word: &str) -> Option<Self> {
        [Phase::Cold, Phase::Warmup, Phase::Measure].into_iter().find(|p| p.as_str() == word)
    }
}

/// Numbers of the first requests to a target lie below this; cold starts that the scenario asks for are numbered from here.
pub const FIRST_REQUESTS: u64 = 1000;

/// How the words begin of a request that a limit of our own kept from being sent: of open files, of ports.
pub const OWN_LIMIT: &str = "loadcmp's own limit: ";

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A complete answer, with its end marker.
    Ok,
    /// A complete answer without a readable label or vector, or that ended inside its reasoning (the request itself
    /// succeeded).
    Unparsed,
    /// An HTTP error status other than 429 and 503.
    HttpStatus,
    /// An error inside an answer that began well, or an error frame.
    ErrorFrame,
    /// The answer ended without its end marker.
    Truncated,
    /// No complete answer within the deadline; the stamps known by then are kept.
    Timeout,
    /// No connection, or it broke before any byte of the answer.
    Connect,
    /// The engine was busy and said so (429, 503, or the wire's equivalent).
    Rejected,
    /// Planned, but never sent because of a limit of loadcmp, such as `in_flight` or the number of open files. Not a
    /// failure of the engine.
    Unsent,
    /// Still open when the run ended: censored, its elapsed time is a lower bound. Not a failure.
    Unfinished,
}

impl Outcome {
    /// Every outcome, in the order they are told in.
    pub const ALL: [Outcome; 10] = [
        Outcome::Ok,
        Outcome::Unparsed,
        Outcome::HttpStatus,
        Outcome::ErrorFrame,
        Outcome::Truncated,
        Outcome::Timeout,
        Outcome::Connect,
        Outcome::Rejected,
        Outcome::Unsent,
        Outcome::Unfinished,
    ];

    /// The word in `samples.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Unparsed => "unparsed",
            Outcome::HttpStatus => "http_status",
            Outcome::ErrorFrame => "error_frame",
            Outcome::Truncated => "truncated",
            Outcome::Timeout => "timeout",
            Outcome::Connect => "connect",
            Outcome::Rejected => "rejected",
            Outcome::Unsent => "unsent",
            Outcome::Unfinished => "unfinished",
        }
    }

    /// The outcome of a word in `samples.csv`.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == word)
    }

    /// Whether the engine gave a complete answer: its latency is a latency, an error's is not.
    pub fn answered(self) -> bool {
        matches!(self, Outcome::Ok | Outcome::Unparsed)
    }

    /// Whether the engine failed: it gave no complete answer, and the reason wasn't ours.
    pub fn failed(self) -> bool {
        !self.answered() && !matches!(self, Outcome::Unsent | Outcome::Unfinished)
    }
}

/// The instants of one request, all on the run's one clock; `None` where a thing did not happen or is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// When the request was due: in an open loop, its place in the schedule; in a closed one, when its user was ready for
    /// it.
    pub planned: Nanos,
    /// When the driver let it go (in a closed loop, the connection stood by then).
    pub dispatched: Option<Nanos>,
    /// Last byte of the request handed to the socket: read just before the call that took it, since the engine may be at
    /// work before that call returns.
    pub sent: Option<Nanos>,
    /// First byte of the answer read, headers included.
    pub first_byte: Option<Nanos>,
    /// First non-empty text of a streamed answer; never set for an answer that came whole.
    pub first_token: Option<Nanos>,
    /// First non-empty text of a streamed answer that is no reasoning.
    pub first_answer: Option<Nanos>,
    /// Last non-empty text of a streamed answer.
    pub last_token: Option<Nanos>,
    /// The answer was complete, or the failure was noticed.
    pub end: Option<Nanos>,
}

impl Stamps {
    /// Hands every one that there is to `change`.
    pub fn all_mut(&mut self, mut change: impl FnMut(&mut Nanos)) {
        let Self { planned, dispatched, sent, first_byte, first_token, first_answer, last_token, end } = self;
        change(planned);
        [dispatched, sent, first_byte, first_token, first_answer, last_token, end]
            .into_iter()
            .flatten()
            .for_each(change);
    }
}

/// One request's life, one row of `samples.csv`. Names that repeat (target, label) are positions in the plan's lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Position in `plan.targets`.
    pub target: usize,
    /// Which part of the run.
    pub phase: Phase,
    /// Number of the target's block in alternating order, the same for the blocks that are compared; else 0.
    pub block: u32,
    /// The user of the closed loop, or the connection of the open one, from 0.
    pub user: u32,
    /// Number of the request within its phase, the same for every target.
    pub index: u64,
    /// Number of the conversation within its phase (chat only).
    pub conversation: Option<u64>,
    /// Turn of the conversation, from 1 (chat only).
    pub turn: Option<u32>,
    /// All the instants.
    pub stamps: Stamps,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status, where the wire has one.
    pub http_status: Option<u16>,
    /// The engine's word for why it stopped (`stop`, `length`, ...).
    pub finish: Option<String>,
    /// Prompt tokens by the engine's own count.
    pub prompt_tokens: Option<u64>,
    /// Those of them served from a prefix cache, where the engine says so.
    pub cached_tokens: Option<u64>,
    /// Output tokens by the engine's own count; never a count of chunks.
    pub output_tokens: Option<u64>,
    /// Pieces of text that arrived (lines, events or frames with text).
    pub chunks: u32,
    /// Position of the right label in `plan.workload.labels` (classify only).
    pub expected_label: Option<usize>,
    /// Position of the label read from the answer (classify only).
    pub label: Option<usize>,
    /// The engine's own total time.
    pub server_total: Option<Nanos>,
    /// The engine's own time to get the model ready.
    pub server_load: Option<Nanos>,
    /// The engine's own time for the prompt.
    pub server_prompt: Option<Nanos>,
    /// The engine's own time for the output.
    pub server_output: Option<Nanos>,
    /// Hash of what was asked, equal for every target: 16 hex digits when written.
    pub request_hash: u64,
    /// Hash of the answer's text (or of an embedding's bytes); `None` if there was none.
    pub text_hash: Option<u64>,
    /// What went wrong, in the engine's or the system's words.
    pub error: Option<String>,
    /// Position of the prompt in the workload's list of items.
    pub item: usize,
    /// Longest wait between two pieces of text of this answer: a stall shows here.
    pub itl_max: Option<Nanos>,
    /// Every wait between neighbouring pieces of text, in whole microseconds and in order (of the first 65,537 pieces).
    pub gaps: Vec<u32>,
    /// Which of several generators sent it, where the rows of all were merged.
    pub shard: Option<u32>,
    /// Numbers in the embedding (embed only).
    pub dimensions: Option<u32>,
    /// Time to open a connection for this request, if one was opened: before `planned`, outside every latency. In an open
    /// loop a connection that was not open ahead of time delays its request, and is then a part of the lag.
    pub connect: Option<Nanos>,
    /// Times the request was sent again because a kept-alive connection had died before any byte of the answer.
    pub retries: u32,
    /// Those of the pieces that are reasoning, and no part of the answer.
    pub thoughts: u32,
    /// What was odd about an answer and no failure.
    pub remarks: Remarks,
    /// Why a connection was opened for this request, if one was.
    pub opened: Option<Opened>,
    /// Tokens that the whole prompt was to have, where the scenario says so.
    pub wanted_prompt: Option<u64>,
    /// Number of the group whose prefix it shares, from 1; `None` outside the measured part, whose prefixes are others.
    pub prefix_group: Option<u32>,
    /// What it could find of that prefix.
    pub prefix_use: Option<PrefixUse>,
    /// What the engine reports of the answer's tokens beyond their number.
    pub details: Details,
}

/// What an engine reports of the tokens of an answer beyond their number; `None` where it doesn't.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Details {
    /// Tokens that speculative decoding guessed ahead (llama-server's `draft_n`). A server that guesses none for an answer
    /// reports none, not 0.
    pub drafted: Option<u64>,
    /// Those of them that the model accepted (`draft_n_accepted`).
    pub accepted: Option<u64>,
    /// Output tokens that are reasoning. A 0 is taken for "not reported": Ollama's `/v1/responses` writes it whatever its model
    /// thought.
    pub thought_tokens: Option<u64>,
    /// Mean natural log-probability of the answer's own tokens, 0 or less, where it is asked for and that of all of them is
    /// reported.
    pub logprob: Option<f64>,
}

/// How long a target may take no connection before its lane is ended: a service that is started anew is back by then.
pub const GONE: Nanos = Nanos(10_000_000_000);

impl Sample {
    /// Whether nobody was there to take the request's connection.
    pub fn refused(&self) -> bool {
        self.outcome == Outcome::Connect && self.stamps.sent.is_none()
    }

    /// Service time: from the last byte of the request sent to the end of the answer.
    pub fn latency(&self) -> Option<Nanos> {
        Some(self.stamps.end?.since(self.stamps.sent?))
    }

    /// Response time: from the planned instant to the end of the answer.
    pub fn response(&self) -> Option<Nanos> {
        Some(self.stamps.end?.since(self.stamps.planned))
    }

    /// Lag: how late the generator sent it, from the planned instant to the last byte sent.
    pub fn lag(&self) -> Option<Nanos> {
        Some(self.stamps.sent?.since(self.stamps.planned))
    }

    /// Time to first token (TTFT): from sent to the first non-empty text; streams only.
    pub fn ttft(&self) -> Option<Nanos> {
        Some(self.stamps.first_token?.since(self.stamps.sent?))
    }

    /// Time to the first answer token (TTFAT): from sent to the first non-empty text that is no reasoning; streams only.
    pub fn ttfat(&self) -> Option<Nanos> {
        Some(self.stamps.first_answer?.since(self.stamps.sent?))
    }

    /// Time to first token of a request that found its group's prefix so.
    pub fn ttft_of(&self, found: PrefixUse) -> Option<Nanos> {
        self.ttft().filter(|_| self.prefix_use == Some(found))
    }

    /// Prompt tokens from a cache, of a request that found its group's prefix so.
    pub fn cached_of(&self, found: PrefixUse) -> Option<u64> {
        self.cached_tokens.filter(|_| self.prefix_use == Some(found))
    }

    /// Every inter-token latency (ITL) of this answer, in nanoseconds: the waits between neighbouring pieces of its text, which are
    /// tokens where a stream brings them singly. As vLLM's `itl`: a distribution over all of them, not over requests.
    pub fn itls(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        self.gaps.iter().map(|micros| f64::from(*micros) * 1e3)
    }

    /// The mean of them, in nanoseconds.
    pub fn itl(&self) -> Option<f64> {
        (!self.gaps.is_empty()).then(|| self.itls().sum::<f64>() / self.gaps.len() as f64)
    }

    /// Time per output token (TPOT), in nanoseconds: (last token - first token) / (tokens - 1); needs two tokens by the engine's
    /// own count and a stream. It ends at the last token, not at `[DONE]` or a usage that trails it. vLLM's is (latency - TTFT) /
    /// (tokens - 1), with the latency up to the last chunk; AIPerf's (request latency - TTFT) / (tokens - tokens of the first
    /// chunk), with the latency up to the last content.
    pub fn tpot(&self) -> Option<f64> {
        let gaps = self.output_tokens.filter(|n| *n >= 2)? - 1;
        Some(self.stamps.last_token?.since(self.stamps.first_token?).0 as f64 / gaps as f64)
    }

    /// Effective token rate, output tokens per second of latency; needs two tokens.
    pub fn tokens_per_s(&self) -> Option<f64> {
        let tokens = self.output_tokens.filter(|n| *n >= 2)?;
        let seconds = self.latency()?.seconds();
        (seconds > 0.0).then(|| tokens as f64 / seconds)
    }

    /// Output tokens that are no reasoning, where the engine reports both counts.
    pub fn answer_tokens(&self) -> Option<u64> {
        self.output_tokens?.checked_sub(self.details.thought_tokens?)
    }

    /// Pieces of reasoning in which a stream came, if it had any: events or lines, no tokens.
    pub fn thought_pieces(&self) -> Option<u32> {
        Some(self.thoughts).filter(|pieces| *pieces > 0 && self.stamps.first_token.is_some())
    }

    /// Prompt tokens that were worked through: without those that came from a cache, where the engine tells of them.
    fn prefilled(&self) -> Option<u64> {
        self.prompt_tokens?.checked_sub(self.cached_tokens.unwrap_or(0)).filter(|tokens| *tokens > 0)
    }

    /// Prefill rate as a client sees it: prompt tokens worked through / TTFT, with whatever else is in that time (the way,
    /// a queue, the first token's own decoding). llama-bench's pp of the same prompt is the rate without those.
    pub fn prefill_per_s(&self) -> Option<f64> {
        rate(self.prefilled()?, self.ttft()?)
    }

    /// Decode rate as a client sees it: (tokens - 1) / (last token - first token), the inverse of [`Sample::tpot`]; needs two
    /// tokens and a stream. llama-bench's tg.
    pub fn decode_per_s(&self) -> Option<f64> {
        let gaps = self.output_tokens.filter(|n| *n >= 2)? - 1;
        rate(gaps, self.stamps.last_token?.since(self.stamps.first_token?))
    }

    /// Prefill rate by the engine's own clock: prompt tokens worked through / prompt time.
    pub fn server_prefill_per_s(&self) -> Option<f64> {
        rate(self.prefilled()?, self.server_prompt?)
    }

    /// Decode rate by the engine's own clock: (tokens - 1) / output time; needs two tokens.
    pub fn server_decode_per_s(&self) -> Option<f64> {
        let gaps = self.output_tokens.filter(|n| *n >= 2)? - 1;
        rate(gaps, self.server_output?)
    }
}

/// So many per second; `None` where no time passed.
fn rate(count: u64, time: Nanos) -> Option<f64> {
    let seconds = time.seconds();
    (seconds > 0.0).then(|| count as f64 / seconds)
}
