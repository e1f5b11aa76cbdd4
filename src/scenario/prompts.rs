//! Where the prompts come from, as written. Reading them is the workload's (`workload::source`).

use super::{DataPath, Lengths, Span};
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
    /// One JSON object a line.
    Jsonl(JsonlPrompts),
    /// A text file: one prompt a line, or blocks parted by a blank line.
    Text(TextPrompts),
    /// Made up from words, with a distribution of lengths.
    Synthetic(SyntheticPrompts),
    /// A load that others recorded: its lengths, or its conversations.
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
    /// The scripted answer, which stands in the history of the next turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<String>,
    /// Pause of the user before this turn, in the place of the load's `think`; none before the first turn of a conversation.
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
    /// What parts one prompt from the next.
    #[serde(default)]
    pub split: TextSplit,
}

/// What parts one prompt from the next in a text file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextSplit {
    /// Each line is a prompt; empty lines are passed over.
    #[default]
    Lines,
    /// A blank line parts prompts.
    Blocks,
    /// The whole file is one prompt.
    File,
}

/// A load that others recorded. What kind of file it is, its first line tells: Azure's or BurstGPT's CSV and Mooncake's JSONL have
/// lengths, to which prompts and limits of answers are made, in the file's order; ShareGPT's and OpenAI's `messages` have
/// conversations.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`trace` of prompts")]
pub struct TracePrompts {
    /// The file.
    pub path: DataPath,
}

/// Made-up prompts, their lengths given in words or in tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`synthetic`")]
pub struct SyntheticPrompts {
    /// How many different prompts.
    #[serde(default = "super::defaults::hundred")]
    #[schemars(range(min = 1, max = 100000))]
    pub count: u32,
    /// Length of each, in words: a word is about one token for most tokenisers of English.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::lengths::written")]
    #[schemars(schema_with = "super::lengths::schema")]
    pub words: Option<Lengths>,
    /// Length of each, in tokens: of the whole prompt as the engine counts it, template, system message and nonce included.
    /// Reached by asking the reference (or the first target that tells) before the load.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::lengths::written")]
    #[schemars(schema_with = "super::lengths::schema")]
    pub tokens: Option<Lengths>,
    /// What groups of prompts begin with alike, on top of `tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<PrefixSpec>,
    /// Turns of each conversation (chat).
    #[serde(default = "super::defaults::one")]
    #[schemars(range(min = 1, max = 100))]
    pub turns: u32,
}

/// The same text at the start of every prompt of a group, such as a long system message or a document with many questions. The
/// prefix of a group is the same for all its requests and all targets, and each group has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`prefix`")]
pub struct PrefixSpec {
    /// Tokens of the prefix's text, as the engine that is asked counts them.
    #[schemars(range(min = 1, max = 1000000))]
    pub tokens: u32,
    /// Groups, each with its own prefix. Every round of `groups` requests asks each group once.
    #[serde(default = "super::defaults::one")]
    #[schemars(range(min = 1, max = 10000))]
    pub groups: u32,
}
