//! The program as people run it: its binary, a stand-in as a child, its files.

#![allow(dead_code)] // Each test program uses a part.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program that cargo built with the tests, or another: `make test-real` takes the optimized one, so that the processor is the
/// engines'.
pub fn loadcmp() -> Command {
    let program = std::env::var_os("LOADCMP_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_loadcmp").into());
    let mut command = Command::new(program);
    // What the machine of the test happens to run must not matter.
    for name in ["OLLAMA_HOST", "NATIVE_URL", "OLLAMA_MODEL", "NATIVE_MODEL", "GG_CORE_SOCKET_PATH", "CORE_AUTH_TOKEN"]
    {
        command.env_remove(name);
    }
    // Nor whether it was calibrated.
    command.env("LOADCMP_CALIBRATION", "/nowhere/calibration.json");
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// A stand-in; it ends when this is dropped.
pub struct StandIn {
    pub child: Child,
    pub url: String,
    /// The same over TLS, where `--tls-listen` asks for it; else empty.
    pub tls_url: String,
}

impl StandIn {
    pub fn start(args: &[&str]) -> Self {
        Self::start_knowing("", args)
    }

    /// One whose GG-CORE wire wants a token.
    pub fn start_knowing(token: &str, args: &[&str]) -> Self {
        Self::start_in(&[("CORE_AUTH_TOKEN", token)], args)
    }

    /// One with variables in its environment.
    pub fn start_in(variables: &[(&str, &str)], args: &[&str]) -> Self {
        let mut child = loadcmp()
            .args(["serve", "--listen", "127.0.0.1:0", "--until-stdin-closes"])
            .args(args)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a stand-in");
        let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let mut at = |scheme: &str| loop {
            let line = lines.next().expect("a line that tells where it listens").expect("text");
            if let Some(at) = line.find(scheme) {
                break line[at..].trim().trim_end_matches('/').to_owned();
            }
        };
        let url = at("http://");
        let tls_url = if args.contains(&"--tls-listen") { at("https://") } else { String::new() };
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, tls_url }
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.kill();
    }
}

pub type Row = HashMap<String, String>;

/// The rows of a CSV file, by column.
pub fn rows(path: &Path) -> Vec<Row> {
    let mut sheet = csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let names = sheet.headers().expect("a header").clone();
    let row = |r: csv::StringRecord| names.iter().map(str::to_owned).zip(r.iter().map(str::to_owned)).collect();
    sheet.records().map(|record| row(record.expect("a row"))).collect()
}

pub fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Removes files of the results in `out`, has them made again by `report`, and holds them to what they were: to the byte, and
/// what is printed to the table that the run printed.
pub fn made_again(dir: &Path, files: &[&str], table: &str) {
    let out = dir.join("out");
    let read = |name: &&str| std::fs::read(out.join(name)).expect("a file");
    let kept: Vec<Vec<u8>> = files.iter().map(read).collect();
    files.iter().for_each(|name| std::fs::remove_file(out.join(name)).expect("gone"));
    let (code, again, _) = ask(dir, &["report", "out", "--full"]);
    assert_eq!((code, again.as_str()), (0, table));
    for (name, bytes) in files.iter().zip(kept) {
        assert!(read(name) == bytes, "{name}");
    }
}

/// The program in `dir`; its exit code, standard output and standard error.
pub fn ask(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = loadcmp().current_dir(dir).args(args).output().expect("the program");
    let (out, err) = text(&output);
    (output.status.code().unwrap_or(-1), out, err)
}

/// A file as JSON.
pub fn json(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// A scenario's file in `dir`.
pub fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

pub fn number(row: &Row, column: &str) -> Option<f64> {
    row[column].parse().ok()
}

/// A target of a scenario: its wire, and where it is.
pub fn target(name: &str, wire: &str, engine: &StandIn) -> String {
    format!("  {name}: {{ {wire}: {{ url: \"{}\" }} }}\n", engine.url)
}

/// The measured rows of a target, of a run in `out`.
pub fn measured(dir: &Path, target: &str) -> Vec<Row> {
    let mut all = rows(&dir.join("out/samples.csv"));
    all.retain(|row| row["target"] == target && row["phase"] == "measure");
    all
}

/// A wrapped text without its line ends.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A run that has ended, in a folder of its own: results in `out`.
pub struct Run {
    pub dir: tempfile::TempDir,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    /// `loadcmp run` of a scenario in `dir`, with what `more` adds to the command.
    pub fn of(dir: tempfile::TempDir, scenario: &Path, more: impl FnOnce(&mut Command)) -> Self {
        let mut command = loadcmp();
        command.arg("run").arg(scenario).arg("--out").arg(dir.path().join("out"));
        more(&mut command);
        let output = command.output().expect("a run");
        let (out, err) = text(&output);
        Self { dir, code: output.status.code().unwrap_or(-1), out, err }
    }

    /// The same of a scenario's text.
    pub fn of_text(yaml: &str, more: impl FnOnce(&mut Command)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = write(dir.path(), "t.yaml", yaml);
        Self::of(dir, &path, more)
    }

    /// Its folder of results.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// All rows of its samples.
    pub fn samples(&self) -> Vec<Row> {
        rows(&self.path().join("samples.csv"))
    }

    /// The measured rows of a target: at least one.
    pub fn measured(&self, target: &str) -> Vec<Row> {
        assert!(self.path().join("samples.csv").exists(), "{}: {}\n{}", self.code, self.out, self.err);
        let rows = measured(self.dir.path(), target);
        assert!(!rows.is_empty(), "{}: {}\n{}", self.code, self.out, self.err);
        rows
    }

    pub fn report(&self) -> serde_json::Value {
        json(&self.path().join("report.json"))
    }

    pub fn manifest(&self) -> serde_json::Value {
        json(&self.path().join("manifest.json"))
    }
}
