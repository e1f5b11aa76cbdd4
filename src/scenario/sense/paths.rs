//! Which files a scenario may read: those beside it or below the current directory, and no others.

use crate::scenario::mistake::nearest;
use std::path::{Path, PathBuf};

/// The file a scenario's path means. A scenario may come from someone else: it may not read what lies outside its own
/// directory and the current one, by `..`, by an absolute path or by a link.
pub fn data_path(base: &Path, path: &Path) -> Result<PathBuf, String> {
    let file = if base == Path::new(".") { path.to_owned() } else { base.join(path) };
    let real = match file.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let near = near(&file).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("there is no file {}{near}", file.display()));
        }
        Err(error) => return Err(format!("can't read {}: {error}", file.display())),
    };
    let roots: Vec<PathBuf> = [base, Path::new(".")].iter().filter_map(|root| root.canonicalize().ok()).collect();
    if !roots.iter().any(|root| real.starts_with(root)) {
        return Err(format!(
            "{} lies outside the scenario's directory and the current one, and is not read",
            real.display()
        ));
    }
    match std::fs::metadata(&real) {
        Ok(facts) if facts.is_file() => Ok(file),
        Ok(_) => Err(format!("{} is not a regular file", file.display())),
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
