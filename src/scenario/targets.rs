//! The engines under test, as written: what is asked of a target whatever its wire.

use super::{
    GgCoreSpec, JsonSpec, OllamaSpec, OpenAiSpec, ProcessSpec, Scenario, Secret, Task, TemplateSpec, Think, TlsSpec,
};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One engine under test: the wire it speaks, and where.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "a target")]
// There are a handful in a run, and they are never moved in a hurry.
#[allow(clippy::large_enum_variant)]
pub enum TargetSpec {
    /// Ollama's own API.
    Ollama(OllamaSpec),
    /// An OpenAI-compatible server: llama-server, vLLM, LM Studio and others.
    #[serde(rename = "openai")]
    OpenAi(OpenAiSpec),
    /// GG-CORE's local socket.
    GgCore(GgCoreSpec),
    /// Any other runtime with JSON over HTTP, on TCP or a Unix socket.
    Json(JsonSpec),
}

impl TargetSpec {
    /// Which processes are its own, if that is written.
    pub fn process(&self) -> Option<&ProcessSpec> {
        match self {
            TargetSpec::Ollama(spec) => spec.process.as_ref(),
            TargetSpec::OpenAi(spec) => spec.process.as_ref(),
            TargetSpec::GgCore(spec) => spec.process.as_ref(),
            TargetSpec::Json(spec) => spec.process.as_ref(),
        }
    }

    /// Its headers; none on a wire that isn't HTTP.
    pub fn headers(&self) -> Option<&IndexMap<String, Secret>> {
        match self {
            TargetSpec::Ollama(spec) => Some(&spec.headers),
            TargetSpec::OpenAi(spec) => Some(&spec.headers),
            TargetSpec::Json(spec) => Some(&spec.headers),
            TargetSpec::GgCore(_) => None,
        }
    }

    /// How its certificate is checked; none on a wire that isn't HTTP.
    pub fn tls(&self) -> Option<&TlsSpec> {
        match self {
            TargetSpec::Ollama(spec) => Some(&spec.tls),
            TargetSpec::OpenAi(spec) => Some(&spec.tls),
            TargetSpec::Json(spec) => Some(&spec.tls),
            TargetSpec::GgCore(_) => None,
        }
    }

    /// The word for the wire: `ollama`, `openai`, `gg_core` or `json`.
    pub fn wire(&self) -> &'static str {
        match self {
            TargetSpec::Ollama(_) => "ollama",
            TargetSpec::OpenAi(_) => "openai",
            TargetSpec::GgCore(_) => "gg_core",
            TargetSpec::Json(_) => "json",
        }
    }

    /// The chat template that loadcmp puts around its prompts, if one is written.
    pub fn template(&self) -> Option<&TemplateSpec> {
        match self {
            TargetSpec::GgCore(spec) => spec.template.as_ref(),
            TargetSpec::Json(spec) => spec.template.as_ref(),
            TargetSpec::Ollama(_) | TargetSpec::OpenAi(_) => None,
        }
    }

    /// Whether its prompts reach the model as they are, without a template.
    pub fn is_raw(&self) -> bool {
        matches!(self, TargetSpec::GgCore(spec) if spec.template.is_none())
    }

    /// Paths in it as seen from here: until then they start from `base`.
    pub(super) fn resolve(&mut self, base: &Path) {
        match self {
            TargetSpec::Ollama(spec) => spec.tls.resolve(base),
            TargetSpec::OpenAi(spec) => spec.tls.resolve(base),
            TargetSpec::Json(spec) => spec.tls.resolve(base),
            TargetSpec::GgCore(_) => {}
        }
    }

    /// How much its model is to reason, as written at the target.
    pub fn think(&self) -> Option<Think> {
        match self {
            TargetSpec::Ollama(spec) => spec.think,
            TargetSpec::OpenAi(spec) => spec.think,
            TargetSpec::GgCore(_) | TargetSpec::Json(_) => None,
        }
    }

    /// The model as written, if one is.
    pub fn model(&self) -> Option<&str> {
        match self {
            TargetSpec::Ollama(spec) => Some(&spec.model),
            TargetSpec::OpenAi(spec) => Some(&spec.model),
            TargetSpec::GgCore(spec) => Some(&spec.model),
            TargetSpec::Json(spec) => spec.model.as_deref(),
        }
    }

    /// The address as written, of a target that is spoken to over HTTP.
    pub fn address(&self) -> Option<&str> {
        match self {
            TargetSpec::Ollama(spec) => Some(&spec.url),
            TargetSpec::OpenAi(spec) => Some(&spec.url),
            TargetSpec::GgCore(_) => None,
            TargetSpec::Json(spec) => spec.url.as_deref(),
        }
    }

    /// Where its figures in Prometheus's format are, if that is written.
    pub fn metrics(&self) -> Option<&str> {
        match self {
            TargetSpec::Ollama(spec) => spec.metrics.as_deref(),
            TargetSpec::OpenAi(spec) => spec.metrics.as_deref(),
            TargetSpec::GgCore(spec) => spec.metrics.as_deref(),
            TargetSpec::Json(spec) => spec.metrics.as_deref(),
        }
    }

    /// Takes from its address what people leave around it, as Ollama does of its OLLAMA_HOST: blanks and quotes.
    pub(super) fn trim(&mut self) {
        let text = match self {
            TargetSpec::Ollama(spec) => &mut spec.url,
            TargetSpec::OpenAi(spec) => &mut spec.url,
            TargetSpec::GgCore(spec) => &mut spec.socket,
            TargetSpec::Json(JsonSpec { url: Some(url), .. }) => url,
            TargetSpec::Json(_) => return,
        };
        *text = text.trim().trim_matches(['"', '\'']).trim().to_owned();
    }
}

/// The most requests at once that all of some targets have connections for; `None` where none has a limit. A stream needs one
/// connection more, which wakes the server.
pub fn most_at_once<'a>(targets: impl Iterator<Item = &'a TargetSpec>, stream: bool) -> Option<u32> {
    let most = |target: &TargetSpec| match target {
        TargetSpec::GgCore(spec) => Some(spec.connections().saturating_sub(u32::from(stream)).max(1)),
        _ => None,
    };
    targets.filter_map(most).min()
}

/// Requests that an open loop may have in flight on a target, where nothing else bounds them.
const IN_FLIGHT: u32 = 1024;

impl Scenario {
    /// Whether answers are streamed.
    pub fn streams(&self) -> bool {
        self.workload.stream.unwrap_or(matches!(self.task, Task::Generate | Task::Chat))
    }

    /// Requests that an open loop may have in flight on each target: as written, else as many as every target takes.
    pub fn in_flight(&self) -> u32 {
        let written = self.load.open.as_ref().and_then(|open| open.in_flight);
        written.unwrap_or_else(|| {
            most_at_once(self.targets.values(), self.streams()).map_or(IN_FLIGHT, |most| most.min(IN_FLIGHT))
        })
    }
}
