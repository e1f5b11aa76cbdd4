//! Cold starts, as written: how often each engine's model is let go and loaded again.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Unloads and loads each target's model before the load, and reports how long it takes until it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`cold_start`")]
pub struct ColdStartSpec {
    /// Number of cold starts per target.
    #[serde(default = "repeats")]
    #[schemars(range(min = 1, max = 100))]
    pub repeats: u32,
    /// For targets that can't unload on request: the command that restarts each, as a list of words, run without a
    /// shell. It must return once the engine is starting, and it runs only with `--allow-commands` on the command line.
    /// Ollama needs none. A single empty word, such as an unset variable (`["${RESTART:-}"]`), means no command.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub restart: IndexMap<String, Vec<String>>,
}

impl ColdStartSpec {
    /// Leaves out commands that a variable would have named and doesn't.
    pub(super) fn resolve(&mut self) {
        self.restart.retain(|_, words| !matches!(&words[..], [word] if word.trim().is_empty()));
    }
}

fn repeats() -> u32 {
    5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_no_variable_names_is_none() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let restart = [("a", words(&[""])), ("b", words(&["run", ""])), ("c", words(&[]))];
        let restart = restart.into_iter().map(|(name, words)| (name.to_owned(), words)).collect();
        let mut cold = ColdStartSpec { repeats: 1, restart };
        cold.resolve();
        // One that was written without a word is a mistake, and told elsewhere.
        assert_eq!(cold.restart.keys().collect::<Vec<_>>(), ["b", "c"]);
    }
}
