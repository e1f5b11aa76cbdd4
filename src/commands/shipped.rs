//! The scenarios that come with the program, by their names.

use super::Failure;
use anyhow::Context;
use loadcmp::scenario::{self, Loaded, Overrides};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The scenarios that come with the program, and their data.
pub(super) const SHIPPED: [(&str, &str); 23] = [
    ("classify.yaml", include_str!("../../scenarios/classify.yaml")),
    ("embed.yaml", include_str!("../../scenarios/embed.yaml")),
    ("generate.yaml", include_str!("../../scenarios/generate.yaml")),
    ("chat.yaml", include_str!("../../scenarios/chat.yaml")),
    ("open.yaml", include_str!("../../scenarios/open.yaml")),
    ("alternate.yaml", include_str!("../../scenarios/alternate.yaml")),
    ("soak.yaml", include_str!("../../scenarios/soak.yaml")),
    ("ladder.yaml", include_str!("../../scenarios/ladder.yaml")),
    ("prefix.yaml", include_str!("../../scenarios/prefix.yaml")),
    ("sweep.yaml", include_str!("../../scenarios/sweep.yaml")),
    ("data/tickets.csv", include_str!("../../scenarios/data/tickets.csv")),
    ("data/prompts.jsonl", include_str!("../../scenarios/data/prompts.jsonl")),
    ("data/conversations.jsonl", include_str!("../../scenarios/data/conversations.jsonl")),
    ("data/sentences.csv", include_str!("../../scenarios/data/sentences.csv")),
    ("suites/herald.yaml", include_str!("../../suites/herald.yaml")),
    ("suites/vibrant.yaml", include_str!("../../suites/vibrant.yaml")),
    ("suites/gg-core.yaml", include_str!("../../suites/gg-core.yaml")),
    ("suites/trainer.yaml", include_str!("../../suites/trainer.yaml")),
    ("suites/muse.yaml", include_str!("../../suites/muse.yaml")),
    ("suites/scenarios/banter.yaml", include_str!("../../suites/scenarios/banter.yaml")),
    ("suites/scenarios/builds.yaml", include_str!("../../suites/scenarios/builds.yaml")),
    ("suites/scenarios/quantised.yaml", include_str!("../../suites/scenarios/quantised.yaml")),
    ("suites/scenarios/data/banter.jsonl", include_str!("../../suites/scenarios/data/banter.jsonl")),
];

/// The shipped scenarios, laid out in a temporary directory when one is asked for by name.
#[derive(Default)]
pub(crate) struct Shipped {
    dir: std::cell::OnceCell<tempfile::TempDir>,
}

/// Where shipped scenarios were laid out, of which nobody who asked for one by its name has heard.
static LAID_OUT: OnceLock<String> = OnceLock::new();

/// A text for people, in which shipped files have the names by which they are shipped.
pub(crate) fn by_shipped_names(text: &str) -> String {
    LAID_OUT.get().map_or_else(|| text.to_owned(), |dir| text.replace(dir, ""))
}

impl Shipped {
    /// Reads a scenario: a file, or the name of a shipped one.
    pub(crate) fn load(&self, path: &Path, overrides: &Overrides) -> Result<Loaded, Failure> {
        let name = path.display().to_string();
        let named = format!("{name}.yaml");
        let shipped = SHIPPED.iter().any(|(name, _)| *name == named);
        // A directory that happens to have the name is not meant.
        let path =
            if shipped && !path.is_file() { self.lay_out()?.join("scenarios").join(named) } else { path.to_owned() };
        let told = scenario::load(&path, overrides).map_err(|error| error.to_string());
        let unknown = !path.exists() && !name.contains(['/', '\\']);
        told.map_err(|error| Failure::Usage(if unknown { error + "\n" + &shipped_names(&name) } else { error }))
    }

    /// The file of a suite: one that is there, or a shipped one by its name.
    pub(crate) fn suite(&self, path: &Path) -> Result<PathBuf, Failure> {
        let name = format!("suites/{}.yaml", path.display());
        let shipped = SHIPPED.iter().any(|(shipped, _)| *shipped == name);
        Ok(if shipped && !path.is_file() { self.lay_out()?.join(name) } else { path.to_owned() })
    }

    /// The shipped suites' names.
    pub(crate) fn suites() -> Vec<&'static str> {
        let names = SHIPPED.iter().filter_map(|(name, _)| name.strip_prefix("suites/")?.strip_suffix(".yaml"));
        names.filter(|name| !name.contains('/')).collect()
    }

    fn lay_out(&self) -> Result<PathBuf, Failure> {
        if self.dir.get().is_none() {
            let dir = tempfile::tempdir().context("making a temporary directory")?;
            for (name, text) in SHIPPED {
                // As they lie in the repository: suites name scenarios beside their own folder.
                let path = if name.starts_with("suites/") {
                    dir.path().join(name)
                } else {
                    dir.path().join("scenarios").join(name)
                };
                let folder = path.parent().unwrap_or(dir.path());
                std::fs::create_dir_all(folder).context("making a temporary directory")?;
                std::fs::write(path, text).context("laying out the shipped scenarios")?;
            }
            let _ = LAID_OUT.set(format!("{}/", dir.path().display()));
            let _ = self.dir.set(dir);
        }
        Ok(self.dir.get().map(|dir| dir.path().to_owned()).unwrap_or_default())
    }
}

/// The shipped scenarios' names, for whoever wrote one that is none.
fn shipped_names(written: &str) -> String {
    let names: Vec<&str> =
        SHIPPED.iter().filter_map(|(name, _)| name.strip_suffix(".yaml")).filter(|name| !name.contains('/')).collect();
    let near = scenario::nearest(written.trim_end_matches(".yaml"), names.iter().copied());
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("shipped with loadcmp: {}{near}", names.join(", "))
}
