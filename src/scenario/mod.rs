//! What was written: the scenario's YAML as types, and the one way to read it (`load`).
//!
//! A YAML text becomes a located tree, environment variables and `--set` are laid over it, the JSON Schema made from
//! these types checks it (every mistake at once, each with its line), and only then is it decoded. What will happen,
//! every default filled in, is [`plan::Plan`].

mod address;
mod asked;
pub mod audit;
mod auto;
mod check;
mod cold_start;
mod constrain;
mod cut;
mod data_path;
mod driving;
mod environment;
mod everyday;
mod example;
pub mod gate;
mod gg_core;
mod given;
mod length;
mod lengths;
mod load;
mod look;
mod masked;
mod mistake;
mod model;
mod overlay;
mod path;
pub mod plan;
mod prompts;
mod rate;
mod repeats;
mod schedule;
mod schema;
mod secret;
mod sense;
mod shard;
mod share;
mod slo;
mod span;
mod suite;
mod sweep;
mod targets;
mod template;
mod think;
mod tls;
mod tokens;
pub mod told;
mod tree;
mod until;
mod variants;
mod wires;
mod word;

pub use address::Address;
pub use asked::{Constrain, History, KeepAnswers, PromptCache, PromptFormat, Sampling, SchemaSpec, WorkloadSpec};
pub use audit::{AuditSpec, Severity};
pub use auto::{FIRST_PAIRS, Least, MOST_PAIRS};
pub use cold_start::ColdStartSpec;
pub use constrain::room_for_a_label;
pub use data_path::{DataPath, data_path};
pub use driving::{
    Arrivals, BlocksSpec, BurstSpec, ClosedSpec, LoadSpec, OpenSpec, Order, Pacing, RampSpec, SoakSpec, StageSpec,
    TraceSpec,
};
pub use everyday::Everyday;
pub use example::{example, example_suite};
pub use gg_core::GgCoreSpec;
pub use given::Followed;
pub use length::{TIMEOUT_LEAST, TIMEOUT_MOST};
pub use lengths::Lengths;
pub use load::{Loaded, load, load_str, load_with, located};
pub use masked::masked;
pub use mistake::nearest;
pub use mistake::{Mistake, Place, ScenarioError};
pub use model::same_model;
pub use overlay::{Laid, Overrides};
pub use prompts::{
    CsvPrompts, InlinePrompt, JsonlPrompts, PrefixSpec, PromptsSpec, SyntheticPrompts, TextPrompts, TextSplit,
    TracePart, TracePrompts, TurnSpec,
};
pub use rate::Rate;
pub use repeats::{LEAST as LEAST_REPEATS, MOST as MOST_REPEATS, RepeatsSpec};
pub use schedule::MOST_ARRIVALS;
pub use schema::{editor_schema, schema};
pub use secret::{Secret, release, scrub, scrubbed, scrubbed_values, sought};
pub use shard::Shard;
pub use share::Share;
pub use slo::{Figure, Limit, Measure, Slo, SloError};
pub use span::Span;
pub use suite::{CheckSpec, LoadedSuite, SuiteScenario, SuiteSpec, editor_suite_schema, load_suite, suite_schema};
pub use sweep::{SweepPoint, SweepSpec};
pub use targets::{TargetSpec, most_at_once};
pub use template::{Family, TemplatePlan, TemplateSpec};
pub use think::Think;
pub use tls::TlsSpec;
pub use tokens::{RecordedPlan, TokensPlan};
pub use until::{Length, UntilSpec};
pub use variants::{Variants, variant_name};
pub use wires::{Api, JsonPointers, JsonSpec, JsonStream, Method, OllamaSpec, OpenAiSpec, ProcessSpec, TimeUnit};
pub use word::yaml_word;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scenario, as written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a scenario")]
pub struct Scenario {
    /// Short name (letters, digits, dash and underscore); also names the results directory.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// One sentence of description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The task of the engines.
    pub task: Task,
    /// Seed of everything random: order of the prompts, nonces, synthetic prompts, sampling.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// The engines under test, each with a name you choose (letters, digits, `-`, `_`, and dots between them). Usually
    /// two; any number works.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", "maxLength": 64 }))]
    pub targets: IndexMap<String, TargetSpec>,
    /// The reference of the ratios (target ÷ reference). Default: the target called `ollama`, otherwise the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Variants of targets (models, quantisations, options); each becomes a separate target:
    /// `ollama: { q4: { ollama.model: "x:q4" } }` replaces `ollama` with `ollama-q4`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("propertyNames" = { "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", "maxLength": 64 }))]
    pub variants: Variants,
    /// What is asked.
    pub workload: WorkloadSpec,
    /// Whether the targets are driven at the same time or one after another.
    #[serde(default)]
    pub order: Order,
    /// Allows two targets that are the same server and model to run at once, for example to test the measurement
    /// itself. Otherwise this is refused, because each would wait for the other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_same_endpoint: bool,
    /// The blocks of `order: alternate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BlocksSpec>,
    /// Runs the load twice, all targets at once and then one after another, and reports the cost of sharing the machine
    /// for each target.
    #[serde(default)]
    pub interference: bool,
    /// The smallest difference that matters: the verdicts `better` and `worse` need a larger one.
    #[serde(default = "defaults::smallest_effect")]
    pub smallest_effect: Share,
    /// Limits that a request must meet to count for goodput, joined by `and`:
    /// `ttft.p95 <= 300ms and tokens_per_s.p5 >= 20`. Also the limits of `loadcmp capacity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<String>,
    /// How requests are sent.
    pub load: LoadSpec,
    /// Commands that start engines, by target: each a list of words, run without a shell. The command must stay running
    /// as the engine; it is started before the run and stopped after it, and only with `--allow-commands` on the
    /// command line.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub start: IndexMap<String, Vec<String>>,
    /// Unloads and loads each target's model before the load, and reports how long it takes until it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_start: Option<ColdStartSpec>,
    /// Deadline of one request, or `auto` (the default): 60s, or as long as the users before an engine's slots need by its
    /// first answer, times 3, up to 30m; the same for all targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Length>,
    /// Longest wait for the first answer of each target, which may load its model. Default: `timeout` if that is a
    /// duration, otherwise 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_timeout: Option<Span>,
    /// Time for requests in flight to finish after sending has stopped; requests still open after that are
    /// `unfinished`, which is not a failure. Default: `timeout`, so that every request gets its full time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Span>,
    /// Which answers are kept for people to look at (not for embeddings): `none`, `some` or `all`.
    #[serde(default, skip_serializing_if = "KeepAnswers::is_default")]
    pub keep_answers: KeepAnswers,
    /// Settings of the audit rules.
    #[serde(default, skip_serializing_if = "AuditSpec::is_empty")]
    pub audit: AuditSpec,
    /// Conditions that decide the exit code: `native.latency.p95 <= 20ms`, `native.ttft.p95 <= 1.05 * ollama.ttft.p95`,
    /// `native.ttft.p95 <= 1.10 * baseline`, `errors == 0`. A gate fails if the whole 95 % confidence interval is
    /// beyond the bound, and is inconclusive if the bound is inside the interval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<String>,
    /// Named levels, lowest first, each a list of gates without targets (`tokens_per_s >= 25`): the report shows which
    /// level each target has reached, and what is missing for the next. They don't affect the exit code.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub tiers: IndexMap<String, Vec<String>>,
    /// Judges gates by the values themselves instead of their intervals; no gate is then inconclusive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// Scales bounds that are numbers by the speed of this machine relative to the baseline's, measured by a short CPU
    /// and memory probe. Gates that compare measured values are not scaled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adaptive: bool,
    /// The baseline for gates and the report: a name in `baselines/`, or a path to a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub baseline: Option<String>,
    /// Runs the scenario at several points, each with some values changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSpec>,
    /// Runs the scenario several times and bases the verdict on the variation between runs: a number of runs, or a map
    /// with `runs`, `pause` and `restart`. A single run can't distinguish a slow drift of one side from a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<RepeatsSpec>,
    /// The same as it may be told: what came from the environment or a file as the reference that was written.
    #[serde(skip)]
    pub shown: Option<Box<Scenario>>,
}

/// The task of the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Prompts with a known label; the label is read from the answer.
    Classify,
    /// Texts to vectors.
    Embed,
    /// One prompt, one text.
    Generate,
    /// Conversations of several turns; each turn is a request.
    Chat,
}

/// What a field holds when it isn't written.
mod defaults {
    use super::{Share, Span};
    use std::time::Duration;

    pub fn seed() -> u64 {
        42
    }
    pub fn smallest_effect() -> Share {
        Share(0.02)
    }
    pub fn load_timeout() -> Span {
        Span(Duration::from_secs(600))
    }
    pub fn auto() -> String {
        "auto".to_owned()
    }
    pub fn keep_alive() -> String {
        "5m".to_owned()
    }
    pub fn gg_core_session() -> u32 {
        900
    }
    pub fn text() -> String {
        "text".to_owned()
    }
    pub fn turns() -> String {
        "turns".to_owned()
    }
    pub fn one() -> u32 {
        1
    }
    pub fn hundred() -> u32 {
        100
    }
}
