//! What will happen: every default filled in, every `auto` found. Nothing validates after this.
//!
//! A plan is a pure value; it is kept in `manifest.json` as it may be told (`told.rs`), so a run can be told again from its
//! directory.

use super::gate::{Gate, Inconclusive};
use super::{
    AuditSpec, BlocksSpec, ColdStartSpec, Constrain, History, KeepAnswers, Least, OpenSpec, Order, Pacing, PromptCache,
    PromptFormat, Sampling, Scenario, Shard, Share, Slo, Span, TargetSpec, Task, TemplatePlan, Think, TokensPlan,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// The plan of a run.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Plan {
    /// The scenario's name.
    pub name: String,
    /// One sentence of description.
    pub about: Option<String>,
    /// The task of the engines.
    pub task: Task,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// The engines, in the scenario's order.
    pub targets: Vec<TargetPlan>,
    /// Names of the targets that are variants of one.
    #[serde(default)]
    pub variants: Vec<String>,
    /// Scheduler of the users of a closed loop (`goose`, `native`); `None` in an open one, and in reports of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Position of the reference in `targets`.
    pub reference: usize,
    /// What is asked.
    pub workload: WorkloadPlan,
    /// All at once, one after another, or in alternating blocks.
    pub order: Order,
    /// Whether targets may be one server and model.
    #[serde(default)]
    pub allow_same_endpoint: bool,
    /// The blocks of `order: alternate`.
    pub blocks: BlocksSpec,
    /// Whether this run is one of the two of an interference measurement.
    pub interference: bool,
    /// Whether this run is a soak: it looks for growth, drift and bursts.
    #[serde(default)]
    pub soak: bool,
    /// The cold starts that come before the load.
    #[serde(default)]
    pub cold_start: Option<ColdStartSpec>,
    /// The limits that goodput is counted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<Slo>,
    /// The smallest difference that matters.
    pub smallest_effect: Share,
    /// Half the relative width of the main ratio's interval at which the run may end early; `None` without such a
    /// target.
    pub until_ci: Option<Share>,
    /// The minimum to measure, if the run chooses its length; the load's length is the maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<Least>,
    /// How requests are sent.
    pub load: LoadPlan,
    /// Deadline of one request.
    pub timeout: Span,
    /// Whether it is found from the first answers (`timeout: auto`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timeout_auto: bool,
    /// Longest wait for the first answer of each target.
    #[serde(default = "super::defaults::load_timeout")]
    pub load_timeout: Span,
    /// Time for requests in flight once sending has stopped.
    pub drain: Span,
    /// Whether that is as long as a deadline that is found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drain_auto: bool,
    /// Which answers are kept for people to look at.
    #[serde(default, skip_serializing_if = "KeepAnswers::is_default")]
    pub keep_answers: KeepAnswers,
    /// Settings of the audit rules.
    #[serde(default)]
    pub audit: AuditSpec,
    /// The conditions that decide the exit code.
    #[serde(default, skip_serializing_if = "GatesPlan::is_empty")]
    pub gates: GatesPlan,
    /// The commands that start engines, by target; `None` in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<IndexMap<String, Vec<String>>>,
    /// Which of several generators this one is: the plan is the whole run's, and it drives its part.
    #[serde(skip)]
    pub shard: Option<Shard>,
    /// What came from the environment or from files, as it was written; see [`Plan::told`].
    #[serde(skip)]
    pub written: Option<Arc<Written>>,
}

impl Plan {
    /// Users, or requests in flight, of a target that this generator drives.
    pub fn own_concurrency(&self) -> u32 {
        let all = self.load.concurrency();
        self.shard.map_or(all, |shard| shard.share(all))
    }

    /// Whether answers are kept: those of embeddings are no texts.
    pub fn keeps_answers(&self) -> bool {
        self.keep_answers != KeepAnswers::None && self.task != Task::Embed
    }

    /// Sets a deadline that was found, and the time to drain where that is as long.
    pub fn allow(&mut self, timeout: Span) {
        self.timeout = timeout;
        if self.drain_auto {
            self.drain = timeout;
        }
    }

    /// Whether the run may end before its load's length is over.
    pub fn ends_early(&self) -> bool {
        self.until_ci.is_some() || self.least.is_some()
    }
}

/// The conditions that decide the exit code, and the levels that targets may reach.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GatesPlan {
    /// The gates, in the order written.
    pub all: Vec<Gate>,
    /// The tiers, the lowest first: name and gates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<(String, Vec<Gate>)>,
    /// Whether figures are judged in the place of their intervals.
    #[serde(default)]
    pub strict: bool,
    /// Whether bounds that are numbers are scaled by the machine's speed beside the baseline's.
    #[serde(default)]
    pub adaptive: bool,
    /// Whether stand-ins are judged like real engines: what they show is of themselves alone.
    #[serde(default)]
    pub stand_ins: bool,
    /// What an inconclusive gate does to the exit code.
    #[serde(default, skip_serializing_if = "Inconclusive::is_told")]
    pub inconclusive: Inconclusive,
}

impl GatesPlan {
    /// The gates of a scenario that was found right; one that can't be read is left out.
    pub fn of(scenario: &Scenario) -> Self {
        let read = |texts: &[String]| texts.iter().filter_map(|text| Gate::parse(text).ok()).collect();
        Self {
            all: read(&scenario.gates),
            tiers: scenario.tiers.iter().map(|(name, gates)| (name.clone(), read(gates))).collect(),
            strict: scenario.strict,
            adaptive: scenario.adaptive,
            stand_ins: false,
            inconclusive: Inconclusive::default(),
        }
    }

    /// Whether there is nothing to judge.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.tiers.is_empty()
    }
}

/// One engine, as found.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TargetPlan {
    /// The scenario's name for it.
    pub name: String,
    /// Whether this is the embedded engine in place of a real one.
    pub stand_in: bool,
    /// Where it answers.
    pub endpoint: Endpoint,
    /// The model to use.
    pub model: String,
    /// The settings as written (secrets masked when serialised).
    pub spec: TargetSpec,
    /// What the engine reported about itself.
    pub facts: EngineFacts,
    /// What this target can't do as the scenario asks, or what couldn't be checked, in sentences.
    pub inequalities: Vec<String>,
    /// The template that loadcmp applies to its prompts, if its engine has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplatePlan>,
    /// The name of an earlier target that is the same server and model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// A short hash of the values from the environment or a file in its settings, if there are any: two runs that differ in it
    /// asked for different things. Addresses, tokens and headers are not part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<String>,
}

impl TargetPlan {
    /// The word for the wire: `ollama`, `openai`, `gg_core` or `json`.
    pub fn wire(&self) -> &'static str {
        self.spec.wire()
    }

    /// How large llama.cpp's cache of earlier prompts' states may grow in the engine's memory, in words; `None` where it is
    /// off, or the engine is not known to have one.
    pub fn host_prompt_cache(&self) -> Option<String> {
        let facts = &self.facts;
        if let Some(told) = facts.setting("cache_ram_mib") {
            return match told.parse::<i64>() {
                Ok(0) => None,
                Ok(mib) if mib > 0 => Some(format!("up to {mib} MiB")),
                _ => Some("without a limit".to_owned()),
            };
        }
        // Its command line isn't seen. Ollama starts llama-server from 0.30 on.
        let mut numbers =
            facts.version.as_deref().unwrap_or_default().split('.').map(|n| n.parse::<u32>().unwrap_or(0));
        let ollama_runs_it = matches!(self.spec, TargetSpec::Ollama(_))
            && (numbers.next() > Some(0) || numbers.next() >= Some(30))
            && facts.setting("program").is_none_or(|program| program == "llama-server");
        let is = |name: &str| facts.engine.as_deref() == Some(name);
        (!self.stand_in && (is("llama.cpp") || (is("ollama") && ollama_runs_it)))
            .then(|| "up to 8192 MiB by default".to_owned())
    }

    /// The name as tables show it: with `(stand-in)` after it where that is so.
    pub fn label(&self) -> String {
        if self.stand_in { format!("{} (stand-in)", self.name) } else { self.name.clone() }
    }
}

/// Where an engine answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// HTTP or https over TCP.
    Tcp {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
        /// Path before every request's path, without a slash at its end; often empty.
        prefix: String,
        /// Whether it is https.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        tls: bool,
    },
    /// A Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
    },
}

impl Endpoint {
    /// Whether it is on this machine, by its address alone.
    pub fn is_here(&self) -> bool {
        match self {
            Endpoint::Unix { .. } => true,
            Endpoint::Tcp { host, .. } => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
            }
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Tcp { host, port, prefix, tls } => {
                let scheme = if *tls { "https" } else { "http" };
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "{scheme}://{open}{host}{close}:{port}{prefix}")
            }
            Endpoint::Unix { path } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What an engine reported about itself; `None` if it didn't.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EngineFacts {
    /// The engine's name for itself (`ollama`, `llama.cpp`, `gg-core`, `loadcmp stand-in`).
    pub engine: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Digest of the model.
    pub digest: Option<String>,
    /// Architecture or family of the model.
    pub family: Option<String>,
    /// Number of parameters, as the engine writes it.
    pub parameters: Option<String>,
    /// Quantisation.
    pub quantization: Option<String>,
    /// Context length in tokens, of one slot.
    pub context: Option<u64>,
    /// Requests served at once.
    pub slots: Option<u64>,
    /// Size of the model in bytes.
    pub size_bytes: Option<u64>,
    /// What that size refers to, in words: the weights file if visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_of: Option<String>,
    /// Whether the model was loaded before the run's first request.
    pub loaded: Option<bool>,
    /// How it renders the first messages of a chat, with `{system}` and `{prompt}` instead of their texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Its models.
    pub models: Vec<String>,
    /// Digests of the model's files, if the engine stores models by digest (Ollama): 64 hex digits each. They identify
    /// the processes that serve this model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<String>,
    /// What it counted between the first requests and the end of the load, if it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// The known settings, under the same name for all engines where possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<EngineSetting>,
}

/// The setting that holds what the keys and values of the whole context take, in bytes: of all slots together.
pub const CONTEXT_BYTES: &str = "context_bytes";

/// What an engine counted itself during the load: an independent check.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Counted {
    /// Requests that it answered successfully.
    pub requests: u64,
    /// Their mean time, in milliseconds.
    pub mean_ms: f64,
}

/// A setting of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EngineSetting {
    /// Its name: `threads`, `OLLAMA_NUM_PARALLEL`.
    pub name: String,
    /// Its value, as reported.
    pub value: String,
    /// The source: `command line`, `environment`, `default` of the engine, or a path of its wire.
    pub by: String,
}

impl EngineFacts {
    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|setting| setting.name == name).map(|setting| setting.value.as_str())
    }

    /// What the keys and values of the whole context take, in bytes, where that can be told.
    pub fn context_bytes(&self) -> Option<u64> {
        self.setting(CONTEXT_BYTES)?.parse().ok()
    }

    /// Sets it, in the place of what it was before.
    pub fn set(&mut self, name: &str, value: impl Into<String>, by: &str) {
        self.settings.retain(|setting| setting.name != name);
        self.settings.push(EngineSetting { name: name.to_owned(), value: value.into(), by: by.to_owned() });
    }

    /// Takes what was told later: it has the last word, where it has one.
    pub fn learn(&mut self, later: EngineFacts) {
        fn take<T>(own: &mut Option<T>, later: Option<T>) {
            if later.is_some() {
                *own = later;
            }
        }
        // Whether it was loaded *before* the first request, and which models there are, is not to be told anew.
        take(&mut self.engine, later.engine);
        take(&mut self.version, later.version);
        take(&mut self.digest, later.digest);
        take(&mut self.family, later.family);
        take(&mut self.parameters, later.parameters);
        take(&mut self.quantization, later.quantization);
        take(&mut self.context, later.context);
        take(&mut self.slots, later.slots);
        if later.size_of.is_some() {
            (self.size_bytes, self.size_of) = (later.size_bytes, later.size_of);
        }
        if !later.blobs.is_empty() {
            self.blobs = later.blobs;
        }
        for setting in later.settings {
            self.set(&setting.name, setting.value, &setting.by);
        }
        self.settings.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

impl Plan {
    /// How much a target's model is to reason: its own setting, else the workload's. `None` where nobody says.
    pub fn think(&self, target: &TargetPlan) -> Option<Think> {
        target.spec.think().or(self.workload.think)
    }
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WorkloadPlan {
    /// Where the prompts come from, in words.
    pub source: String,
    /// Number of different prompts or conversations.
    pub items: usize,
    /// The data's names for the examples in each prompt (classify), which are not among `items`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// Hash over all of it: 64 hex digits. Equal hash, equal work.
    pub hash: String,
    /// The labels (classify).
    pub labels: Vec<String>,
    /// Whether a schema forces a label.
    pub constrain: Constrain,
    /// The schema of answers that is sent (generate, chat).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// As messages or as it is.
    pub format: PromptFormat,
    /// System message.
    pub system: Option<String>,
    /// Sampling; its seed filled in.
    pub sampling: Sampling,
    /// Reasoning of the models, unless their targets set it; `None` if the scenario doesn't set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<Think>,
    /// Whether the log-probabilities of output tokens are requested.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logprobs: bool,
    /// Streams or whole answers.
    pub stream: bool,
    /// How prefix caches are handled.
    pub prompt_cache: PromptCache,
    /// The salt of this run's nonces (16 hex digits), different for each run, so that no run finds its prompts in a
    /// cache.
    #[serde(default)]
    pub nonce_salt: String,
    /// Earlier answers in a conversation.
    pub history: History,
    /// How prompts of a requested number of tokens were made; `None` if none was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokensPlan>,
}

/// How requests are sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadPlan {
    /// Users who each wait for their answer, in a closed loop.
    Closed(ClosedPlan),
    /// Planned send times.
    Open(Box<OpenPlan>),
}

impl LoadPlan {
    /// Load before the measured window.
    pub fn warmup(&self) -> Span {
        match self {
            LoadPlan::Closed(closed) => closed.warmup,
            LoadPlan::Open(open) => open.warmup,
        }
    }

    /// When the measured part ends.
    pub fn until(&self) -> Until {
        match self {
            LoadPlan::Closed(closed) => closed.until,
            LoadPlan::Open(open) => Until::Duration(open.duration),
        }
    }

    /// Most requests that a target has in flight at once.
    pub fn concurrency(&self) -> u32 {
        match self {
            LoadPlan::Closed(closed) => closed.users,
            LoadPlan::Open(open) => open.in_flight,
        }
    }

    /// Pause of a user between an answer and the next request (in an open loop, between a conversation's turns: none).
    pub fn think(&self) -> Span {
        match self {
            LoadPlan::Closed(closed) => closed.think,
            LoadPlan::Open(_) => Span::default(),
        }
    }
}

/// The closed loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClosedPlan {
    /// Users on each target.
    pub users: u32,
    /// When it ends.
    pub until: Until,
    /// Pause between an answer and the next request.
    pub think: Span,
    /// Load before the measured window.
    pub warmup: Span,
}

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// After this time.
    Duration(Span),
    /// After this many requests (conversations, for chat) on each target.
    Requests(u64),
}

/// The open loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OpenPlan {
    /// The schedule in words: `Poisson, 20/s`.
    pub about: String,
    /// The specification of the send times; with the plan's seed it gives the same ones again.
    pub spec: OpenSpec,
    /// Length of the measured window, the schedule's own where it has one.
    pub duration: Span,
    /// Load before the measured window.
    pub warmup: Span,
    /// Most requests in flight on a target.
    pub in_flight: u32,
    /// How send times are kept.
    pub pacing: Pacing,
    /// Requests planned inside the measured window (conversations, for chat).
    pub planned: u64,
    /// Hash of the send times: 64 hex digits. Equal hash, equal send times.
    pub hash: String,
}

/// What a plan has from the environment or from files, as it was written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// One sentence of description.
    pub about: Option<String>,
    /// Where the prompts come from, in words.
    pub source: String,
    /// The labels.
    pub labels: Vec<String>,
    /// System message.
    pub system: Option<String>,
    /// Texts that end an answer.
    pub stop: Vec<String>,
    /// The cold starts.
    pub cold_start: Option<ColdStartSpec>,
    /// The commands that start engines.
    pub start: IndexMap<String, Vec<String>>,
    /// An open loop's schedule, in words and as written.
    pub open: Option<(String, OpenSpec)>,
    /// The targets' settings, by name.
    pub targets: IndexMap<String, TargetSpec>,
}

impl Written {
    /// Of a scenario as it may be told ([`Scenario::shown`]); `source` and `open` say where its prompts come from and how an
    /// open loop goes, in words.
    pub fn of(shown: &Scenario, source: String, open: Option<String>) -> Self {
        Self {
            about: shown.about.clone(),
            source,
            labels: shown.workload.labels.clone(),
            system: shown.workload.system.clone(),
            stop: shown.workload.sampling.stop.clone(),
            cold_start: shown.cold_start.clone(),
            start: shown.start.clone(),
            open: open.zip(shown.load.open.clone()),
            targets: shown.targets.clone(),
        }
    }
}
