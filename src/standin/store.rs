//! What Ollama's clients have uploaded and named.

use crate::host::lock;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Names given to the model, and digests uploaded.
#[derive(Debug, Default)]
pub(super) struct Store {
    state: Mutex<StoredNames>,
    /// The context of the last request, which the model is loaded with; 0 = the engine's own.
    pub(super) context: AtomicU32,
}

#[derive(Debug, Default)]
pub(super) struct StoredNames {
    pub(super) names: BTreeSet<String>,
    pub(super) blobs: BTreeSet<String>,
}

impl Store {
    /// Whether `name` is the model's, with or without `:latest`.
    pub(super) fn knows(&self, name: &str, model: &str) -> bool {
        name == model || bare(name) == bare(model) || {
            let state = lock(&self.state);
            state.names.contains(bare(name))
        }
    }

    /// The model is loaded with this context.
    pub(super) fn loaded_with(&self, context: u32) {
        self.context.store(context, Relaxed);
    }

    /// Looks at what is known, or changes it.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut StoredNames) -> T) -> T {
        work(&mut lock(&self.state))
    }
}

/// A name without its `:latest`.
pub(super) fn bare(name: &str) -> &str {
    name.strip_suffix(":latest").unwrap_or(name)
}
