//! `loadcmp init`, and the schemas that an editor takes (`loadcmp schema`).

use super::{CommandResult, Failure, say, show};
use anyhow::Context;
use loadcmp::scenario;
use std::io::Write;
use std::path::PathBuf;

/// The name of a file to be written, without its end.
fn plain_name(name: &str) -> Result<&str, Failure> {
    let name = name.trim_end_matches(".yaml");
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(Failure::Usage(format!(
            "error: `{name}` is not a valid name: use letters, digits, dash and underscore"
        )));
    }
    Ok(name)
}

/// Makes files that aren't there yet; none if one of them is.
fn create_all(files: &[(PathBuf, String)]) -> Result<(), Failure> {
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(Failure::Usage(format!("error: {} already exists: nothing was written", path.display())));
    }
    for (path, text) in files {
        let mut file = std::fs::File::create_new(path).with_context(|| format!("creating {}", path.display()))?;
        file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Writes a schema beside an example, whose first line points an editor at it. One that is there may be somebody's own.
fn keep_schema(path: &str, schema: &serde_json::Value) -> Result<(), Failure> {
    match std::fs::File::create_new(path) {
        Ok(mut file) => Ok(loadcmp::report::pretty(&mut file, schema).with_context(|| format!("writing {path}"))?),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Failure::Other(anyhow::anyhow!("creating {path}: {error}"))),
    }
}

pub(crate) fn init_suite(name: &str) -> CommandResult {
    let name = plain_name(name)?;
    let (suite, load) = (PathBuf::from(format!("{name}.yaml")), PathBuf::from(format!("{name}-load.yaml")));
    let load_name = format!("{name}-load");
    create_all(&[(suite.clone(), scenario::example_suite(name)), (load.clone(), scenario::example(&load_name))])?;
    keep_schema("schema.json", &scenario::editor_schema())?;
    keep_schema("suite-schema.json", &scenario::editor_suite_schema())?;
    let (suite, load) = (suite.display(), load.display());
    say(&format!("{suite} and {load} written. Edit them, then: loadcmp suite run {suite} --quick\n"))
}

pub(crate) fn init(name: &str) -> CommandResult {
    let name = plain_name(name)?;
    let path = PathBuf::from(format!("{name}.yaml"));
    create_all(&[(path.clone(), scenario::example(name))])?;
    keep_schema("schema.json", &scenario::editor_schema())?;
    say(&format!("{} written. Edit it, then: loadcmp run {}\n", path.display(), path.display()))
}

pub(crate) fn schema(report: bool, suite: bool) -> CommandResult {
    let schema = match (report, suite) {
        (true, _) => loadcmp::report::schema(),
        (_, true) => scenario::editor_suite_schema(),
        _ => scenario::editor_schema(),
    };
    show("the schema", |out| loadcmp::report::pretty(out, &schema))
}
