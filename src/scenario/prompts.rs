//! Where the prompts come from, as written. Reading them is the workload's (`workload::source`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
}

/// Prompts from a CSV file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`csv`")]
pub struct CsvPrompts {
    /// The file.
    pub path: PathBuf,
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
    pub path: PathBuf,
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
    pub path: PathBuf,
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

/// Made-up prompts: a word is about one token for most tokenisers of English.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`synthetic`")]
pub struct SyntheticPrompts {
    /// How many different prompts.
    #[schemars(range(min = 1, max = 100000))]
    pub count: u32,
    /// Length of each, in words.
    pub words: Lengths,
    /// Turns of each conversation (chat).
    #[serde(default = "super::defaults::one")]
    #[schemars(range(min = 1, max = 100))]
    pub turns: u32,
}

/// A distribution of lengths, in words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "a distribution of lengths")]
pub enum Lengths {
    /// All the same.
    Fixed(#[schemars(range(min = 1, max = 2_000_000))] u32),
    /// Evenly between two lengths, both included.
    Uniform {
        /// Shortest.
        #[schemars(range(min = 1, max = 100000))]
        min: u32,
        /// Longest.
        #[schemars(range(min = 1, max = 100000))]
        max: u32,
    },
    /// Lognormal: many short ones and a long tail.
    Lognormal {
        /// Median length.
        #[schemars(range(min = 1, max = 100000))]
        median: f64,
        /// Standard deviation of the logarithm (0.5 is mild, 1 is wide).
        #[schemars(range(min = 0.0, max = 5.0))]
        sigma: f64,
        /// Longest allowed; longer draws are cut to it.
        #[schemars(range(min = 1, max = 100000))]
        max: u32,
    },
    /// Short ones and long ones, nothing between.
    Bimodal {
        /// Length of the short ones.
        #[schemars(range(min = 1, max = 100000))]
        short: u32,
        /// Length of the long ones.
        #[schemars(range(min = 1, max = 100000))]
        long: u32,
        /// Share of long ones, 0 to 1.
        #[schemars(range(min = 0.0, max = 1.0))]
        long_share: f64,
    },
}
