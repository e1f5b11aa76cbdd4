//! What is large and old is removed: the samples of runs that ended long ago. Reports stay for ever.

use super::filter::ago;
use super::folders::folders;
use super::read::below;
use crate::record::zst::{PACKED, PLAIN, rows_file};
use crate::report::{Manifest, Status, TOOL, pretty, replace};
use anyhow::{Context, anyhow};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file that says of a run what was removed.
pub const PRUNED: &str = "pruned.json";

/// What is removed: a row a request, and the embeddings and answers beside it. No other file of a run grows with its requests.
const REMOVED: [&str; 4] = [PLAIN, PACKED, "vectors.csv", "answers.jsonl"];

/// What was removed of a run: `pruned.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrunedRun {
    /// Its directory, below the folder; empty in the file itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dir: String,
    /// What removed it, with its version.
    pub tool: String,
    /// When, UTC (RFC 3339).
    pub when: String,
    /// The files.
    pub files: Vec<PrunedFile>,
}

/// A file that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrunedFile {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

impl PrunedRun {
    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// A run whose samples stay, though they may be old.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spared {
    /// Its directory.
    pub dir: String,
    /// Why.
    pub why: String,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Of these runs.
    pub runs: Vec<PrunedRun>,
    /// Of these not, though they have samples and are not known to be young.
    pub spared: Vec<Spared>,
    /// Runs whose samples are younger.
    pub young: usize,
}

/// Reads how old samples have to be: `36h`, `30d`, `2w`.
pub fn age(text: &str) -> Option<SignedDuration> {
    ago(text).filter(|age| age.is_positive())
}

/// Removes the samples of runs below a folder that ended longer than `age` before `now`; only says which with `dry`.
///
/// # Errors
/// The folder can't be read, or a file can't be written or removed.
pub fn prune(folder: &Path, age: SignedDuration, now: Timestamp, dry: bool) -> anyhow::Result<Pruned> {
    if !folder.is_dir() {
        return Err(anyhow!("{} is not a directory", folder.display()));
    }
    let found = folders(folder, true).with_context(|| format!("reading {}", folder.display()))?;
    let mut told = Pruned::default();
    for dir in &found.runs {
        let files = removable(dir);
        if files.is_empty() {
            continue;
        }
        let name = below(folder, dir);
        match ended(dir) {
            Ok(ended) if ended + age > now => told.young += 1,
            Ok(_) => {
                let run = PrunedRun {
                    dir: String::new(),
                    tool: TOOL.to_owned(),
                    when: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                    files,
                };
                if !dry {
                    remove(dir, &run)?;
                }
                told.runs.push(PrunedRun { dir: name, ..run });
            }
            Err(why) => told.spared.push(Spared { dir: name, why }),
        }
    }
    Ok(told)
}

/// The files of a run that may be removed: plain files, never links.
fn removable(dir: &Path) -> Vec<PrunedFile> {
    // Samples that lie elsewhere are somebody's arrangement: the rest of the run stays with them.
    let elsewhere = |name: &str| std::fs::symlink_metadata(dir.join(name)).is_ok_and(|told| told.is_symlink());
    if [PLAIN, PACKED].into_iter().any(elsewhere) {
        return Vec::new();
    }
    let file = |name: &&str| {
        let told = std::fs::symlink_metadata(dir.join(name)).ok().filter(std::fs::Metadata::is_file)?;
        Some(PrunedFile { name: (*name).to_owned(), bytes: told.len() })
    };
    REMOVED.iter().filter_map(file).collect()
}

/// When a run ended, if it is one of loadcmp's that is over and told; else why its samples stay.
fn ended(dir: &Path) -> Result<Timestamp, String> {
    let manifest = Manifest::read(&dir.join("manifest.json"))
        .map_err(|error| format!("its manifest.json is not from loadcmp ({error})"))?;
    if manifest.status == Status::Running {
        return Err("its manifest does not say that it ended: it may still be running".to_owned());
    }
    // A run whose report can't be read has nothing but its samples.
    let report = std::fs::read(dir.join("report.json"))
        .map_err(|error| format!("it has no report.json that could replace them ({error})"))?;
    super::entry::RunEntry::parse("", &report).map_err(|why| format!("{why}, so its samples are its only data"))?;
    let ended = manifest.ended.unwrap_or(manifest.started);
    ended.parse().map_err(|_| "its manifest does not say when it ended".to_owned())
}

/// Removes the files. What says so is written first: a run without samples and without a reason is a riddle.
fn remove(dir: &Path, run: &PrunedRun) -> anyhow::Result<()> {
    let note = dir.join(PRUNED);
    replace(&note, |out| pretty(out, run)).with_context(|| format!("writing {}", note.display()))?;
    for file in &run.files {
        let path = dir.join(&file.name);
        std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}

/// What was removed of a run, if its samples were.
pub fn pruned(dir: &Path) -> Option<PrunedRun> {
    let bytes = std::fs::read(dir.join(PRUNED)).ok()?;
    let run: PrunedRun = serde_json::from_slice(&bytes).ok()?;
    rows_file(dir).is_none().then_some(run)
}
