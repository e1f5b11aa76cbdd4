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
pub mod plan;
mod prompts;
mod rate;
mod repeats;
mod schedule;
mod schema;
mod secret;
mod sense;
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
mod variants;
mod word;

pub use address::Address;
pub use asked::{Constrain, History, KeepAnswers, PromptCache, PromptFormat, Sampling, WorkloadSpec};
pub use audit::{AuditSpec, Severity};
pub use auto::{FIRST_PAIRS, Least, Length, MOST_PAIRS, UntilSpec};
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
pub use lengths::Lengths;
pub use load::{Loaded, load, load_str, load_with, located};
pub use masked::masked;
pub use mistake::nearest;
pub use mistake::{Mistake, Place, ScenarioError};
pub use model::same_model;
pub use overlay::Overrides;
pub use prompts::{
    CsvPrompts, InlinePrompt, JsonlPrompts, PrefixSpec, PromptsSpec, SyntheticPrompts, TextPrompts, TextSplit,
    TracePrompts, TurnSpec,
};
pub use rate::Rate;
pub use repeats::{LEAST as LEAST_REPEATS, MOST as MOST_REPEATS, RepeatsSpec};
pub use schedule::MOST_ARRIVALS;
pub use schema::{editor_schema, editor_suite_schema, schema};
pub use secret::{Secret, release, scrub, scrubbed, scrubbed_values, sought};
pub use share::Share;
pub use slo::{Figure, Limit, Measure, Slo, SloError};
pub use span::Span;
pub use suite::{CheckSpec, Laid, LoadedSuite, SuiteScenario, SuiteSpec, load_suite, suite_schema};
pub use sweep::{Point, SweepSpec};
pub use targets::{
    Api, JsonPointers, JsonSpec, JsonStream, Method, OllamaSpec, OpenAiSpec, ProcessSpec, TargetSpec, TimeUnit,
};
pub use template::{Family, TemplatePlan, TemplateSpec};
pub use think::Think;
pub use tls::TlsSpec;
pub use tokens::{RecordedPlan, TokensPlan};
pub use variants::{Variants, variant_name};
pub use word::yaml_word;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scenario as written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a scenario")]
pub struct Scenario {
    /// Short name: letters, digits, dash and underscore; names the results directory.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// One sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What is asked of the engines.
    pub task: Task,
    /// Seed of everything drawn at random: order of the prompts, nonces, synthetic prompts, sampling.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// The engines under test, by a name of your own (letters, digits, `-`, `_`, and dots between them). Two is usual; any number
    /// works.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", "maxLength": 64 }))]
    pub targets: IndexMap<String, TargetSpec>,
    /// The target that ratios are told against (target / reference). Default: the target called `ollama`, else the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Variants of targets (models, quantisations, options), each a target in its own right: `ollama: { q4: { ollama.model: "x:q4" } }`
    /// puts `ollama-q4` in the place of `ollama`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("propertyNames" = { "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", "maxLength": 64 }))]
    pub variants: Variants,
    /// What is asked.
    pub workload: WorkloadSpec,
    /// Whether the targets are driven at the same time or one after another.
    #[serde(default)]
    pub order: Order,
    /// Drives two targets at once although they are one server and model, as a trial of the measurement itself does. Without it
    /// that is refused: each would wait for the other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_same_endpoint: bool,
    /// The blocks of `order: alternate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BlocksSpec>,
    /// Drives the load twice, all targets at once and then one after another, and tells what sharing the machine costs
    /// each of them.
    #[serde(default)]
    pub interference: bool,
    /// The smallest difference that matters: `better` and `worse` are said of what lies beyond it.
    #[serde(default = "defaults::smallest_effect")]
    pub smallest_effect: Share,
    /// Limits that each request has to keep to count for goodput, joined by `and`: `ttft.p95 <= 300ms and tokens_per_s.p5 >= 20`.
    /// `loadcmp capacity` searches by them, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<String>,
    /// How the requests are driven.
    pub load: LoadSpec,
    /// Commands that start engines, by target: each a list of words that no shell reads. The engine is the command itself; it
    /// runs from before it is looked for until the run has ended, and only where the command line allows it
    /// (`--allow-commands`).
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub start: IndexMap<String, Vec<String>>,
    /// Unloads and loads each target's model before the load, and tells how long it takes until it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_start: Option<ColdStartSpec>,
    /// Deadline of one request. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Longest wait for the first answer of each target, whose model may have to be loaded. Default: `timeout` where that is
    /// written, else 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_timeout: Option<Span>,
    /// How long requests in flight may take to finish once sending has stopped; what then still isn't answered is
    /// `unfinished`, which is no failure. Default: `timeout`, so that every request gets its whole time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Span>,
    /// Which answers are kept for people to look at (not of embeddings): `none`, `some` or `all`.
    #[serde(default, skip_serializing_if = "KeepAnswers::is_default")]
    pub keep_answers: KeepAnswers,
    /// How the rules that doubt a comparison are set.
    #[serde(default, skip_serializing_if = "AuditSpec::is_empty")]
    pub audit: AuditSpec,
    /// Conditions that decide the exit code: `native.latency.p95 <= 20ms`, `native.ttft.p95 <= 1.05 * ollama.ttft.p95`,
    /// `native.ttft.p95 <= 1.10 * baseline`, `errors == 0`. A gate fails where the 95 % interval lies beyond the bound, and
    /// is inconclusive where the bound lies in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<String>,
    /// Named levels, the lowest first, each a list of gates without targets (`tokens_per_s >= 25`): the report says which
    /// each target has reached, and what the next lacks. They don't decide the exit code.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub tiers: IndexMap<String, Vec<String>>,
    /// Judges gates by the figures themselves in the place of their intervals: no gate is inconclusive then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// Scales bounds that are numbers by how fast this machine is beside the one of the baseline, as a short probe of its
    /// processor and memory tells. Gates that compare measured values are left as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adaptive: bool,
    /// The baseline that gates and the report compare with: a name in `baselines/`, or a path to a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub baseline: Option<String>,
    /// Runs the scenario at several points, each with some of its values changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSpec>,
    /// Runs the scenario several times, and rests what it says on how the runs differ: a number of runs, or a map with `runs`,
    /// `pause` and `restart`. A speed that wanders slowly on one side only is taken for a difference by any single run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<RepeatsSpec>,
    /// The same as it may be told: what came from the environment or a file as the reference that was written.
    #[serde(skip)]
    pub shown: Option<Box<Scenario>>,
}

/// What is asked of the engines.
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
    pub fn timeout() -> Span {
        Span(Duration::from_secs(60))
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
