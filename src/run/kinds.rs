//! What a directory of results holds besides a single run: each kind has a document of its own.

use super::Failure;
use crate::suite::{SUITE_VERSION, Suite};
use std::path::Path;

pub(super) const REPEATS: &str = "repeats-manifest.json";

/// Whether a directory holds several runs of one plan.
pub fn is_repeats(dir: &Path) -> bool {
    dir.join(REPEATS).is_file()
}

/// The document of a suite's directory.
pub(super) const SUITE: &str = "suite.json";

/// Whether a directory is a suite's.
pub fn is_suite(dir: &Path) -> bool {
    dir.join(SUITE).is_file()
}

/// Reads the document of a suite's directory.
pub(super) fn read_suite(dir: &Path) -> Result<Suite, Failure> {
    let path = dir.join(SUITE);
    let wrong = |why: String| Failure::Usage(format!("error: {}: {why}", path.display()));
    let bytes = std::fs::read(&path).map_err(|error| wrong(format!("can't be read: {error}")))?;
    let suite: Suite =
        serde_json::from_slice(&bytes).map_err(|error| wrong(format!("is not from loadcmp ({error})")))?;
    if suite.schema_version > SUITE_VERSION {
        let version = suite.schema_version;
        return Err(wrong(format!("its format is version {version}; this loadcmp reads version {SUITE_VERSION}")));
    }
    Ok(suite)
}
