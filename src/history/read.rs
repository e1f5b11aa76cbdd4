//! A folder of results, read: every directory of a run is an entry.

use super::entry::RunEntry;
use super::folders::folders;
use super::index::{FileStamp, Index, IndexedRun};
use crate::record::zst::rows_file;
use crate::report::{Manifest, Status};
use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A folder of results.
#[derive(Clone, Debug)]
pub struct History {
    /// The folder.
    pub folder: PathBuf,
    /// The runs, the oldest first.
    pub entries: Vec<RunEntry>,
    /// Directories of runs that can't be told, by name.
    pub damaged: Vec<Damaged>,
    /// Reports that were read because the index didn't know them as they are.
    pub read_anew: usize,
}

/// A directory of a run that can't be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damaged {
    /// The directory, below the folder that was read.
    pub dir: String,
    /// Why it can't be told, and what to do.
    pub why: String,
}

/// Reads a folder. The runs that a search, a sweep or repeats are made of are entries only if `parts` says so.
///
/// # Errors
/// The folder itself can't be read. Whatever is wrong with a run makes it a damaged one.
pub fn read(folder: &Path, parts: bool) -> anyhow::Result<History> {
    if !folder.is_dir() {
        return Err(anyhow!("{} is not a directory", folder.display()));
    }
    let found = folders(folder, parts).with_context(|| format!("reading {}", folder.display()))?;
    let name = |path: &Path| below(folder, path);
    let mut damaged: Vec<Damaged> = found
        .unreadable
        .iter()
        .map(|(path, error)| Damaged { dir: name(path), why: format!("it can't be read: {error}") })
        .collect();
    let mut index = Index::read(folder);
    let (mut fresh, mut unread) = (Index::new(), Vec::new());
    for path in &found.runs {
        let (dir, file) = (name(path), path.join("report.json"));
        match std::fs::metadata(&file) {
            Ok(told) if told.is_file() => {
                let seen = FileStamp::of(&told);
                match index.runs.remove(&dir).filter(|known| known.seen == seen) {
                    Some(known) => drop(fresh.runs.insert(dir, known)),
                    None => unread.push((dir, file, seen)),
                }
            }
            _ => damaged.push(Damaged { why: untold(path), dir }),
        }
    }
    let read_anew = unread.len();
    // What the other way of reading knows stays known.
    let gone = index.runs.keys().any(|dir| !folder.join(dir).is_dir());
    index.runs.retain(|dir, _| folder.join(dir).is_dir());
    fresh.runs.extend(read_all(&unread));
    let mut entries = Vec::new();
    for (dir, known) in &fresh.runs {
        match &known.read {
            Ok(entry) => {
                let samples = rows_file(&folder.join(dir)).is_some();
                entries.push(RunEntry { samples, ..entry.clone() });
            }
            Err(why) => damaged.push(Damaged { dir: dir.clone(), why: why.clone() }),
        }
    }
    if read_anew > 0 || gone {
        fresh.runs.append(&mut index.runs);
        // A folder that can't be written to is read all the same.
        let _ = fresh.write(folder);
    }
    entries.sort_by_cached_key(|entry| (entry.started.parse::<jiff::Timestamp>().ok(), entry.dir.clone()));
    damaged.sort_by(|a, b| a.dir.cmp(&b.dir));
    Ok(History { folder: folder.to_owned(), entries, damaged, read_anew })
}

/// Reads reports, on every core.
fn read_all(unread: &[(String, PathBuf, FileStamp)]) -> Vec<(String, IndexedRun)> {
    let one = |(dir, file, seen): &(String, PathBuf, FileStamp)| {
        let bytes = std::fs::read(file).map_err(|error| format!("its report.json can't be read: {error}"));
        (dir.clone(), IndexedRun { seen: *seen, read: bytes.and_then(|bytes| RunEntry::parse(dir, &bytes)) })
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 8);
    if unread.len() < 2 * cores {
        return unread.iter().map(one).collect();
    }
    std::thread::scope(|scope| {
        let share = unread.len().div_ceil(cores);
        let workers: Vec<_> =
            unread.chunks(share).map(|part| scope.spawn(|| part.iter().map(one).collect::<Vec<_>>())).collect();
        // A worker that panicked leaves its runs out; none does.
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    })
}

/// Why a run has no report.
fn untold(dir: &Path) -> String {
    match Manifest::read(&dir.join("manifest.json")) {
        Err(error) => format!("it has no report.json, and its manifest.json is not from loadcmp ({error})"),
        Ok(manifest) if manifest.status == Status::Running => {
            "it is still running or was interrupted: it has no report.json; `loadcmp report DIR` makes one from the \
             data so far"
                .to_owned()
        }
        Ok(_) => "it has no report.json; `loadcmp report DIR` makes it".to_owned(),
    }
}

/// A directory's path below the folder, with `/` between its parts.
pub(super) fn below(folder: &Path, path: &Path) -> String {
    let rest = path.strip_prefix(folder).unwrap_or(path);
    rest.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
