//! Of which sources kept figures are: a hash of the code that they come from, without comments, tests and layout.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The folders whose code decides the figures of `make truth`.
const OF_TRUTH: [&str; 4] = ["bench/truth", "src/capacity", "src/gate", "src/stats"];

/// The hash of each folder's code.
pub fn sources() -> Value {
    let all = OF_TRUTH.map(|folder| (folder.to_owned(), json!(hash(Path::new(folder)))));
    Value::Object(all.into_iter().collect())
}

fn hash(folder: &Path) -> String {
    let mut hasher = Sha256::new();
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        hasher.update(code(&text));
        hasher.update([0]);
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A file's code without lines of comments, without what is under `#[cfg(test)]`, and without layout.
pub fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.extend(line.chars().filter(|c| !c.is_whitespace()));
            continue;
        }
        // The item below: one line, or up to the brace that closes it.
        let item = lines.by_ref().find(|line| !line.trim_start().starts_with("#["));
        if item.is_some_and(|item| item.trim_end().ends_with('{')) {
            let indent = line.len() - line.trim_start().len();
            let _ = lines.by_ref().find(|line| line.trim_end() == format!("{}}}", " ".repeat(indent)));
        }
    }
    // Where a list is broken over lines, a comma ends it.
    kept.replace(",)", ")").replace(",]", "]").replace(",}", "}")
}
