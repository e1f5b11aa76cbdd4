//! Which directories below a folder hold a run. Links are not followed: what lies elsewhere belongs to somebody else.

use std::io;
use std::path::{Path, PathBuf};

/// Most folders that a run lies below the one that is read.
const DEEPEST: usize = 6;

/// The runs that a search, a sweep or repeats are made of: what marks its directory, and the folder that they lie in.
const PARTS: [(&str, &str); 3] =
    [("search.json", "probes"), ("sweep-manifest.json", "points"), ("repeats-manifest.json", "repeats")];

/// The directories with a `manifest.json`, by name, and those that can't be looked into. The runs that a search, a sweep
/// or repeats are made of are among them only if `parts` says so.
pub(super) struct Folders {
    pub runs: Vec<PathBuf>,
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

pub(super) fn folders(root: &Path, parts: bool) -> io::Result<Folders> {
    let mut found = Folders { runs: Vec::new(), unreadable: Vec::new() };
    look(root, parts, 0, &mut found)?;
    found.runs.sort();
    Ok(found)
}

fn look(folder: &Path, parts: bool, depth: usize, found: &mut Folders) -> io::Result<()> {
    let (mut below, mut names) = (Vec::new(), Vec::new());
    for entry in folder.read_dir()? {
        let entry = entry?;
        // Of a link this is its own kind, not that of what it leads to.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            below.push(entry.path());
        } else if kind.is_file() {
            names.push(entry.file_name());
        }
    }
    if names.iter().any(|name| name == "manifest.json") {
        found.runs.push(folder.to_owned());
        return Ok(());
    }
    if depth == DEEPEST {
        return Ok(());
    }
    for path in below {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let part = PARTS.iter().any(|(mark, parts)| name == *parts && names.iter().any(|known| known == mark));
        if name.starts_with('.') || (part && !parts) {
            continue;
        }
        if let Err(error) = look(&path, parts, depth + 1, found) {
            found.unreadable.push((path, error));
        }
    }
    Ok(())
}
