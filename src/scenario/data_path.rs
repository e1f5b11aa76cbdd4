//! A file of data that a scenario names, and whether it may be read.

use super::mistake::nearest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A data file. In a scenario, the path is relative to the scenario's directory and must stay in it or below the
/// current directory; on the command line, it is relative to the current directory and may be anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DataPath {
    path: PathBuf,
    /// Whether the command line names it.
    #[serde(skip)]
    pub(super) given: bool,
}

impl DataPath {
    /// Where it is looked for; paths of the scenario start from `base`.
    pub fn file(&self, base: &Path) -> PathBuf {
        if self.given { self.path.clone() } else { joined(base, &self.path) }
    }

    /// The file, if it may be read.
    ///
    /// # Errors
    ///
    /// It isn't there, is no regular file, can't be reached, or lies where a scenario may not read; in words.
    pub fn open(&self, base: &Path) -> Result<PathBuf, String> {
        if self.given { regular(self.path.clone()) } else { data_path(base, &self.path) }
    }
}

impl Deref for DataPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl<T: Into<PathBuf>> From<T> for DataPath {
    fn from(path: T) -> Self {
        Self { path: path.into(), given: false }
    }
}

/// A file that a scenario names, if it may be read. A scenario may come from someone else: it may not read what lies outside
/// its own directory and the current one, by `..`, by an absolute path or by a link.
///
/// # Errors
///
/// As of [`DataPath::open`].
pub fn data_path(base: &Path, path: &Path) -> Result<PathBuf, String> {
    let file = regular(joined(base, path))?;
    let real = file.canonicalize().map_err(|error| format!("can't read {}: {error}", file.display()))?;
    let roots: Vec<PathBuf> = [base, Path::new(".")].iter().filter_map(|root| root.canonicalize().ok()).collect();
    if !roots.iter().any(|root| real.starts_with(root)) {
        return Err(format!(
            "{} is outside the scenario's directory and the current one, so it is not read",
            real.display()
        ));
    }
    Ok(file)
}

/// A path that starts from `base`; from the current directory it stays as it is written.
fn joined(base: &Path, path: &Path) -> PathBuf {
    if base == Path::new(".") { path.to_owned() } else { base.join(path) }
}

/// A file, if it is there and a regular one.
fn regular(file: PathBuf) -> Result<PathBuf, String> {
    match std::fs::metadata(&file) {
        Ok(facts) if facts.is_file() => Ok(file),
        Ok(_) => Err(format!("{} is not a regular file", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let near = near(&file).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Err(format!("there is no file {}{near}", file.display()))
        }
        Err(error) => Err(format!("can't read {}: {error}", file.display())),
    }
}

/// The name nearest to a missing file's in its directory.
fn near(file: &Path) -> Option<String> {
    let entries = std::fs::read_dir(file.parent()?).ok()?.flatten().take(1000);
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    nearest(&file.file_name()?.to_string_lossy(), names.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_beside_the_scenario_or_below_the_current_directory_are_read() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.txt"), "x").unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("data")).unwrap();
        std::fs::write(directory.path().join("data/words.txt"), "x").unwrap();
        let read = |path: &str| data_path(directory.path(), Path::new(path));
        assert!(read("data/words.txt").is_ok());
        assert!(read("data/../data/words.txt").is_ok());
        assert!(read(directory.path().join("data/words.txt").to_str().unwrap()).is_ok());
        assert!(read(&format!("{}/Cargo.toml", env!("CARGO_MANIFEST_DIR"))).is_ok(), "below the current directory");
        let secret = outside.path().join("secret.txt");
        let name = outside.path().file_name().unwrap().to_str().unwrap();
        for path in ["/etc/passwd", secret.to_str().unwrap(), &format!("../{name}/secret.txt")] {
            assert!(read(path).unwrap_err().contains("outside"), "{path}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&secret, directory.path().join("link.txt")).unwrap();
            assert!(read("link.txt").unwrap_err().contains("outside"));
        }
        assert!(read("data/word.txt").unwrap_err().contains("did you mean `words.txt`?"));
        assert!(read("data").unwrap_err().contains("not a regular file"));
        assert!(read("data/words.txt\0").is_err());
    }
}
