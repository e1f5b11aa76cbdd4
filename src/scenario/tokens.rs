//! How prompts of wanted numbers of tokens were made, for whoever reads a run.

use super::PrefixSpec;
use serde::{Deserialize, Serialize};

/// How prompts of a requested number of tokens were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TokensPlan {
    /// What was requested, in words: `512`, `100 to 900`.
    pub wanted: String,
    /// The longest requested prompt in tokens.
    pub longest: u64,
    /// The target whose counts they were fitted to; `None` if none counts tokens, and a word counts as a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How it was asked: `/tokenize`, or `requests` of one output token each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// How often it was asked.
    #[serde(default)]
    pub questions: u32,
    /// Tokens of a prompt that are not its text: template, system message, instruction, nonce.
    #[serde(default)]
    pub around: u64,
    /// Whether every word used is one token for that target, so that the counts are exact.
    #[serde(default)]
    pub exact: bool,
    /// What groups of prompts begin with alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<PrefixSpec>,
    /// The record whose lengths they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedPlan>,
}

/// Description of a recorded load of lengths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordedPlan {
    /// What it is, as in `an Azure trace`.
    pub kind: String,
    /// Its requests.
    pub requests: u64,
    /// Seconds from its first request to its last, as recorded.
    pub seconds: f64,
    /// Tokens of its prompts, in words: range and quantiles.
    pub prompts: String,
    /// Tokens of its answers, in words.
    pub answers: String,
    /// The most tokens of a prompt.
    pub longest_prompt: u32,
    /// The most tokens of an answer.
    pub longest_answer: u32,
    /// The most tokens of a prompt and its answer together.
    pub longest: u64,
    /// Whether its prompts share blocks.
    pub shared: bool,
    /// What of the file was left out, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl TokensPlan {
    /// Tokens that the prompts of a group have in common at the most: the prefix, and what stands around the text. Of a record
    /// whose prompts share blocks, any may be.
    pub fn shared(&self) -> Option<u64> {
        if self.recorded.as_ref().is_some_and(|recorded| recorded.shared) {
            return Some(u64::MAX);
        }
        self.prefix.map(|prefix| u64::from(prefix.tokens) + self.around)
    }
}
