//! A run of two stand-ins over real sockets, and what the audit found in it.

use crate::cli::{Row, StandIn, loadcmp, rows, text, write};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;

/// A finished run.
pub struct Told {
    dir: tempfile::TempDir,
    pub code: i32,
    pub err: String,
    pub found: Vec<Row>,
}

impl Told {
    /// Ids with the targets they speak of.
    pub fn ids(&self) -> BTreeSet<(&str, &str)> {
        self.found.iter().map(|row| (row["id"].as_str(), row["target"].as_str())).collect()
    }

    pub fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// A finding of `target`, or of no single one.
    pub fn finding(&self, id: &str, target: &str) -> &Row {
        let label = if target.is_empty() { String::new() } else { format!("{target} (stand-in)") };
        let found = self.found.iter().find(|row| row["id"] == id && row["target"] == label);
        found.unwrap_or_else(|| panic!("{id} of {target:?} is not in {:?}\n{}", self.ids(), self.err))
    }

    /// That these rules speak of `a`, and of `b` not.
    pub fn only_a(&self, ids: &[&str]) {
        for id in ids {
            self.finding(id, "a");
            let b = self.found.iter().find(|row| row["id"] == *id && row["target"] == "b (stand-in)");
            assert!(b.is_none(), "{b:?}");
        }
    }
}

/// Engines that take long enough for a few users to be at work at once.
pub const STEADY: [&str; 6] = ["--first-token-ms", "3", "--decode-rate", "4000", "--slots", "8"];

/// A scenario: targets as YAML with `{a}` and `{b}` for the addresses, and what is laid over.
pub struct Live<'a> {
    pub targets: &'a str,
    pub load: &'a str,
    pub set: &'a [&'a str],
    pub more: &'a str,
    /// Instants of arrivals, for `trace.csv` beside the scenario.
    pub trace: &'a str,
}

/// Engines that tell their context and slots.
pub const OPENAI: &str = "  a: { openai: { url: \"{a}\" } }\n  b: { openai: { url: \"{b}\" } }\n";

pub const OLLAMA: &str = "  a: { ollama: { url: \"{a}\" } }\n  b: { ollama: { url: \"{b}\" } }\n";

impl Default for Live<'_> {
    fn default() -> Self {
        Self { targets: OLLAMA, load: "{ closed: { users: 2, requests: 40 } }", set: &[], more: "", trace: "" }
    }
}

impl Live<'_> {
    pub fn yaml(&self, a: &str, b: &str) -> String {
        let targets = self.targets.replace("{a}", a).replace("{b}", b);
        format!(
            "name: t\ntask: generate\nseed: 5\ntargets:\n{targets}reference: b\nworkload: {{ prompts: {{ synthetic: \
             {{ count: 40, words: {{ uniform: {{ min: 3, max: 12 }} }} }} }}, sampling: {{ max_tokens: 16 }} }}\n\
             load: {}\n{}",
            self.load, self.more
        )
    }

    /// Runs it against two engines.
    pub fn run(&self, a: &[&str], b: &[&str]) -> Told {
        let (a, b) = (StandIn::start(a), StandIn::start(b));
        self.run_at(&a.url, &b.url)
    }

    pub fn run_at(&self, a: &str, b: &str) -> Told {
        self.run_while(a, b, |_, _| {})
    }

    /// Does something to the process once it measures.
    pub fn run_while(&self, a: &str, b: &str, meanwhile: impl FnOnce(u32, &dyn Fn() -> bool)) -> Told {
        let dir = tempfile::tempdir().expect("a directory");
        let path = write(dir.path(), "t.yaml", &self.yaml(a, b));
        write(dir.path(), "trace.csv", self.trace);
        let out = dir.path().join("out");
        let mut command = loadcmp();
        command.arg("run").arg(path).arg("--out").arg(&out).args(["--driver", "native"]);
        for set in self.set {
            command.args(["--set", set]);
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
        let samples = out.join("samples.csv");
        let measures = || std::fs::read_to_string(&samples).is_ok_and(|text| text.matches(",measure,").count() > 2);
        meanwhile(child.id(), &measures);
        let output = child.wait_with_output().expect("a run");
        let (code, err) = (output.status.code().unwrap_or(-1), text(&output).1);
        assert!(out.join("findings.csv").exists(), "{code}: {err}");
        let found = rows(&out.join("findings.csv"));
        Told { dir, code, err, found }
    }
}
