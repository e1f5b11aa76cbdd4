//! Cold starts, as written: how often each engine's model is let go and loaded again.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Unloads and loads each target's model before the load, and tells how long it takes until it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`cold_start`")]
pub struct ColdStartSpec {
    /// Times for each target.
    #[serde(default = "repeats")]
    #[schemars(range(min = 1, max = 100))]
    pub repeats: u32,
    /// For targets that can't unload by request: the command that starts each anew, as a list of words. It has to come back
    /// once the engine is on its way; no shell reads it. It is run only where the command line allows it
    /// (`--allow-commands`). An Ollama needs none.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub restart: IndexMap<String, Vec<String>>,
}

fn repeats() -> u32 {
    5
}
