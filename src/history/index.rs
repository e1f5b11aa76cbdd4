//! The index file: what the reports said when they were last read, so that a thousand of them need not be read again. It is a
//! copy and never the truth: an entry holds as long as its report has the same size and time, and without the file all is
//! read anew.

use super::entry::RunEntry;
use crate::report::{SCHEMA_VERSION, TOOL, replace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Its name, in the folder that was read.
pub const INDEX: &str = ".loadcmp-index.json";

/// Version of its form.
const INDEX_VERSION: u32 = 1;

/// What a report's file was like when it was read. A report is written beside and renamed, so that each has a number of its
/// own on file systems that number files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileStamp {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: Option<u64>,
    inode: u64,
}

impl FileStamp {
    pub fn of(file: &Metadata) -> Self {
        let since = file.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(file);
        #[cfg(not(unix))]
        let inode = 0;
        Self { bytes: file.len(), modified: since.and_then(|since| u64::try_from(since.as_nanos()).ok()), inode }
    }
}

/// A run, or why its report can't be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct IndexedRun {
    pub seen: FileStamp,
    pub read: Result<RunEntry, String>,
}

/// What is known of the runs, by directory.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Index {
    index_version: u32,
    report_version: u32,
    tool: String,
    pub runs: BTreeMap<String, IndexedRun>,
}

/// The part that says whether the rest is worth reading.
#[derive(Deserialize)]
struct Form {
    index_version: u32,
    report_version: u32,
    tool: String,
}

impl Index {
    /// One with nothing in it.
    pub fn new() -> Self {
        Self {
            index_version: INDEX_VERSION,
            report_version: SCHEMA_VERSION,
            tool: TOOL.to_owned(),
            runs: BTreeMap::new(),
        }
    }

    /// The one of a folder; an empty one if there is none, or if anything but this very loadcmp wrote it.
    pub fn read(folder: &Path) -> Self {
        let Ok(bytes) = std::fs::read(folder.join(INDEX)) else { return Self::new() };
        let ours = |form: &Form| {
            (form.index_version, form.report_version, form.tool.as_str()) == (INDEX_VERSION, SCHEMA_VERSION, TOOL)
        };
        // What comes first tells whether the rest fits the types.
        if !serde_json::from_slice(&bytes).is_ok_and(|form: Form| ours(&form)) {
            return Self::new();
        }
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Self::new())
    }

    /// Writes it. Where it can't be, every reading takes longer, and that is all.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        replace(&folder.join(INDEX), |out| serde_json::to_writer(out, self).map_err(io::Error::other))
    }
}
