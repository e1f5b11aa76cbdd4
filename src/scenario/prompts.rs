//! Where the prompts come from, as written. Reading them is the workload's (`workload::source`).

use super::{DataPath, Lengths, Scenario, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the prompts come from. Paths are relative to the scenario's file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "a source of prompts")]
pub enum PromptsSpec {
    /// Written here.
    Inline(#[schemars(length(min = 1))] Vec<InlinePrompt>),
    /// A CSV file with a header line.
    Csv(CsvPrompts),
    /// One JSON object per line.
    Jsonl(JsonlPrompts),
    /// A text file: one prompt per line, or blocks separated by blank lines.
    Text(TextPrompts),
    /// Generated from words, with a distribution of lengths.
    Synthetic(SyntheticPrompts),
    /// A recorded load: its lengths, or its conversations.
    Trace(TracePrompts),
}

/// A prompt written in the scenario.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "an inline prompt")]
pub struct InlinePrompt {
    /// The text (classify, embed, generate).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The right label (classify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The turns of a conversation (chat).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<TurnSpec>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a turn")]
pub struct TurnSpec {
    /// What the user says.
    pub user: String,
    /// The scripted answer, used in the history of the next turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<String>,
    /// Pause of the user before this turn, instead of the load's `think`; none before the first turn of a conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<Span>,
}

/// Prompts from a CSV file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`csv`")]
pub struct CsvPrompts {
    /// The file.
    pub path: DataPath,
    /// Column of the text.
    #[serde(default = "super::defaults::text")]
    pub text: String,
    /// Column of the label (classify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Prompts from a JSONL file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`jsonl`")]
pub struct JsonlPrompts {
    /// The file.
    pub path: DataPath,
    /// Field of the text.
    #[serde(default = "super::defaults::text")]
    pub text: String,
    /// Field of the label (classify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Field of the turns (chat): a list of `{"user": ..., "assistant": ...}`.
    #[serde(default = "super::defaults::turns")]
    pub turns: String,
}

/// Prompts from a text file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`text`")]
pub struct TextPrompts {
    /// The file.
    pub path: DataPath,
    /// How prompts are separated.
    #[serde(default)]
    pub split: TextSplit,
}

/// How prompts are separated in a text file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextSplit {
    /// Each line is a prompt; empty lines are skipped.
    #[default]
    Lines,
    /// Prompts are separated by blank lines.
    Blocks,
    /// The whole file is one prompt.
    File,
}

/// A recorded load. The kind of file is detected from its first line: Azure's or BurstGPT's CSV and Mooncake's JSONL
/// have lengths, from which prompts and answer limits are generated in the file's order; ShareGPT's and OpenAI's
/// `messages` have conversations.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`trace` of prompts")]
pub struct TracePrompts {
    /// The file.
    pub path: DataPath,
    /// Number of requests (or conversations) to use, from the beginning of the file; what comes after them is not read.
    /// Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub requests: Option<u64>,
    /// Leaves out requests of more tokens than this, prompt and answer together, and reports how many: an engine's context is
    /// often shorter than the longest request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2))]
    pub longest: Option<u64>,
}

impl TracePrompts {
    /// What of the file is used.
    pub fn part(&self) -> TracePart {
        TracePart { requests: self.requests, longest: self.longest }
    }
}

impl Scenario {
    /// Has a record's prompts be of as many requests as its times, where only those say how many.
    pub fn one_part(&mut self) {
        let times = self.load.open.as_ref().and_then(|open| open.trace.as_ref()?.requests);
        if let PromptsSpec::Trace(trace) = &mut self.workload.prompts {
            trace.requests = trace.requests.or(times);
        }
    }
}

/// What of a recorded load is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TracePart {
    /// The first so many requests; `None` for all.
    pub requests: Option<u64>,
    /// The most tokens of a request, its prompt and answer together; longer ones are left out.
    pub longest: Option<u64>,
}

/// Generated prompts, with lengths in words or in tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`synthetic`")]
pub struct SyntheticPrompts {
    /// Number of different prompts.
    #[serde(default = "super::defaults::hundred")]
    #[schemars(range(min = 1, max = 100000))]
    pub count: u32,
    /// Length of each, in words: a word is about one token for most English tokenisers.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::lengths::written")]
    #[schemars(schema_with = "super::lengths::schema")]
    pub words: Option<Lengths>,
    /// Length of each whole prompt in tokens, as the engine counts it, including template, system message and nonce.
    /// Found by asking the reference (or the first target that counts tokens) before the load.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::lengths::written")]
    #[schemars(schema_with = "super::lengths::schema")]
    pub tokens: Option<Lengths>,
    /// A shared prefix for groups of prompts, in addition to `tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_prefix")]
    pub prefix: Option<PrefixSpec>,
    /// Turns of each conversation (chat).
    #[serde(default = "super::defaults::one")]
    #[schemars(range(min = 1, max = 100))]
    pub turns: u32,
}

/// Reads a prefix; one of no tokens is none.
fn some_prefix<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<PrefixSpec>, D::Error> {
    Ok(Option::<PrefixSpec>::deserialize(deserializer)?.filter(|prefix| prefix.tokens > 0))
}

/// The same text at the start of every prompt of a group, such as a long system message or a document with many
/// questions. Each group has a different prefix, the same for all its requests and all targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`prefix`")]
pub struct PrefixSpec {
    /// Tokens of the prefix's text, as the engine that is asked counts them; 0 for none, as the first step of a sweep.
    #[schemars(range(min = 0, max = 1000000))]
    pub tokens: u32,
    /// Number of groups, each with its own prefix. Each round of `groups` requests has one request per group.
    #[serde(default = "super::defaults::one")]
    #[schemars(range(min = 1, max = 10000))]
    pub groups: u32,
}
