//! What is asked of the engines, as written: sampling, format, caches. Where the prompts come from is `prompts`.

use super::{DataPath, PromptsSpec, Think};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The prompts, and how answers are read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a workload")]
pub struct WorkloadSpec {
    /// Where the prompts come from.
    pub prompts: PromptsSpec,
    /// The labels (classify): the label of each prompt is one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The prompt with a placeholder for each text (not for chat): `{text}`, `{labels}` and `{examples}` are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Number of examples in each prompt (classify): texts with their labels, drawn from the data by the seed and
    /// balanced over the labels. They are the same for every target and prompt, and are not used as prompts themselves.
    #[serde(default, skip_serializing_if = "none")]
    #[schemars(range(min = 0, max = 200))]
    pub examples: u32,
    /// System message (chat format only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Whether a schema forces engines to answer with a label (classify).
    #[serde(default)]
    pub constrain: Constrain,
    /// A JSON schema that engines must answer by (generate, chat): written here, or in a file. Sent as `format` of Ollama and
    /// `response_format` elsewhere; `valid_json` is the share of the answers that have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaSpec>,
    /// `chat` sends messages, and each engine applies its own template; `raw` sends the text as it is. Default: `raw`
    /// if a target uses GG-CORE without a `template`, otherwise `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<PromptFormat>,
    /// Sampling, sent in full to every engine that supports it.
    #[serde(default)]
    pub sampling: Sampling,
    /// Reasoning before the answer: `off`, `on`, `low`, `medium`, `high`; the report notes targets that can't do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<Think>,
    /// Whether to request the log-probability of each output token (not for embed). It costs the engines time, so don't
    /// use it to measure speed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logprobs: bool,
    /// Whether to stream the answers. Default: yes for generate and chat, no for classify. Embeddings never stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// How prefix caches are handled.
    #[serde(default)]
    pub prompt_cache: PromptCache,
    /// Earlier answers in a conversation (chat): `scripted` ones from the data, the same for every engine, or each engine's `own`.
    #[serde(default)]
    pub history: History,
}

/// A JSON schema of answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "`schema`")]
pub enum SchemaSpec {
    /// The schema, as YAML.
    Inline(serde_json::Map<String, serde_json::Value>),
    /// A JSON file with it, in the scenario's directory or below it.
    File(DataPath),
}

/// Whether there are none.
fn none(examples: &u32) -> bool {
    *examples == 0
}

/// Whether a label is forced by a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Constrain {
    /// `schema` if every target's wire supports it (`ollama`, `openai`), otherwise `none` for all of them, so that both
    /// sides do the same work. `max_tokens` is then at least the length of the schema's JSON.
    Auto,
    /// The prompt asks; the answer is free text.
    #[default]
    None,
    /// An enum schema (`format` of Ollama, `response_format` of OpenAI) where the wire supports it; the report notes
    /// where it doesn't.
    Schema,
}

/// How a prompt is sent to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptFormat {
    /// As messages; the engine applies its own template.
    Chat,
    /// As it is.
    Raw,
}

/// How prefix caches are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptCache {
    /// A nonce, different per request and the same for every target, is put before each prompt (`Request 5f0c77a1.`, in
    /// the system message if there is one): nothing after it can be reused.
    Bust,
    /// Every prompt is sent once to every target before the load begins.
    Warm,
    /// Prompts are sent as they are.
    #[default]
    AsIs,
}

/// Which answers are kept for people to look at: in `answers.jsonl`, and some of them on the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepAnswers {
    /// None.
    None,
    /// Those of the first 100 measured requests of each target.
    #[default]
    Some,
    /// Those of all measured requests.
    All,
}

impl KeepAnswers {
    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Earlier answers in a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// From the data: every engine gets exactly the same.
    #[default]
    Scripted,
    /// Each engine's own answers: realistic, but no longer identical work. The report notes it.
    Own,
}

/// Sampling options: all are sent, so that engine defaults don't matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "`sampling`")]
pub struct Sampling {
    /// Maximum number of output tokens. 0 is refused, because one engine takes it for "no limit".
    #[schemars(range(min = 1, max = 1000000))]
    pub max_tokens: u32,
    /// 0 is greedy.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: f64,
    /// Keep only the k most likely tokens.
    #[schemars(range(min = 0))]
    pub top_k: u32,
    /// Keep only the most likely tokens up to this total probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub top_p: f64,
    /// Drop tokens less likely than this share of the most likely one.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_p: f64,
    /// Penalty for repeated tokens; 1 is none.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub repeat_penalty: f64,
    /// Number of last tokens checked for repeats.
    #[schemars(range(min = 0))]
    pub repeat_last_n: u32,
    /// Seed for the engines. Default: the scenario's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Texts that end the output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            max_tokens: 128,
            temperature: 0.0,
            top_k: 40,
            top_p: 1.0,
            min_p: 0.0,
            repeat_penalty: 1.0,
            repeat_last_n: 64,
            seed: None,
            stop: Vec::new(),
        }
    }
}
