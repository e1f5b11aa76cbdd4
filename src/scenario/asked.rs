//! What is asked of the engines, as written: sampling, format, caches. Where the prompts come from is `prompts`.

use super::{PromptsSpec, Think};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked, and how the answer is read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a workload")]
pub struct WorkloadSpec {
    /// Where the prompts come from.
    pub prompts: PromptsSpec,
    /// The labels (classify): the label of each prompt is one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The prompt around each text (not for chat): `{text}`, `{labels}` and `{examples}` are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Examples in each prompt (classify): so many texts with their labels, drawn from the data by the seed, as many of each
    /// label as can be had. They are the same for every target and every prompt, and are not asked themselves.
    #[serde(default, skip_serializing_if = "none")]
    #[schemars(range(min = 0, max = 200))]
    pub examples: u32,
    /// System message (chat format only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Whether engines are held to a label by a schema (classify).
    #[serde(default)]
    pub constrain: Constrain,
    /// `chat` sends messages, and each engine puts its own template around them; `raw` sends the text as it is.
    /// Default: `raw` where a target speaks GG-CORE without a `template`, else `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<PromptFormat>,
    /// Sampling, sent in full to every engine that can be told.
    #[serde(default)]
    pub sampling: Sampling,
    /// Reasoning before the answer: `off`, `on`, `low`, `medium`, `high`; told as an inequality where a target can't be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<Think>,
    /// Whether engines are asked for the log-probability of each token that they answer with (not for embed). It is work for
    /// them: no setting for measurements of speed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logprobs: bool,
    /// Whether answers are asked for as a stream. Default: yes for generate and chat, no for classify. Embeddings never stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What is done about prefix caches.
    #[serde(default)]
    pub prompt_cache: PromptCache,
    /// Earlier answers in a conversation (chat): `scripted` ones from the data, the same for every engine, or each engine's `own`.
    #[serde(default)]
    pub history: History,
}

/// Whether there are none.
fn none(examples: &u32) -> bool {
    *examples == 0
}

/// Whether a label is forced by a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Constrain {
    /// `schema` where every target's wire can (`ollama`, `openai`), else `none` for all of them: both sides do the same work.
    /// `max_tokens` is then at least what the schema's JSON takes.
    Auto,
    /// The prompt asks; the answer is free text.
    #[default]
    None,
    /// An enum schema (`format` of Ollama, `response_format` of OpenAI) where the wire can; told as an inequality where not.
    Schema,
}

/// How a prompt is put to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptFormat {
    /// As messages; the engine's own template goes around them.
    Chat,
    /// As it is.
    Raw,
}

/// What is done about prefix caches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptCache {
    /// A nonce, one a request and the same for every target, stands at the start of each prompt (`Request 5f0c77a1.`, in the
    /// system message where there is one): nothing after it can be reused.
    Bust,
    /// Every prompt is asked once on every target before the load begins.
    Warm,
    /// Prompts go out as they are.
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
    /// From the data: every engine is asked exactly the same.
    #[default]
    Scripted,
    /// Each engine's own answers: real, and no longer identical work. Told as an inequality.
    Own,
}

/// Sampling options: all are sent, so that no engine's default decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "`sampling`")]
pub struct Sampling {
    /// Most output tokens. 0 is refused: one engine takes it for "no limit".
    #[schemars(range(min = 1, max = 1000000))]
    pub max_tokens: u32,
    /// 0 is greedy.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: f64,
    /// Keep the k likeliest tokens.
    #[schemars(range(min = 0))]
    pub top_k: u32,
    /// Keep the likeliest tokens up to this mass.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub top_p: f64,
    /// Drop tokens less likely than this share of the likeliest.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_p: f64,
    /// Penalty for repeats; 1 is none.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub repeat_penalty: f64,
    /// Tokens looked back for repeats.
    #[schemars(range(min = 0))]
    pub repeat_last_n: u32,
    /// The engines' own seed. Default: the scenario's.
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
