//! A results directory that a test can spoil: the files of a real run of two stand-ins, with quiet timing.

use crate::cli::{Row, StandIn, loadcmp, number, rows, text, write};
use loadcmp::audit::{Finding, Severity};
use loadcmp::report::Report;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// Measured requests of each target.
pub const REQUESTS: usize = 120;

/// What `loadcmp report` reads.
#[derive(Clone)]
pub struct Directory {
    pub manifest: Value,
    columns: Vec<String>,
    rows: Vec<Row>,
}

impl Directory {
    /// A healthy run; it is made once.
    pub fn healthy() -> Self {
        static MADE: OnceLock<Directory> = OnceLock::new();
        MADE.get_or_init(Self::made).clone()
    }

    fn made() -> Self {
        let engine = ["--first-token-ms", "2", "--decode-rate", "4000", "--early-stop", "0.6", "--slots", "8"];
        let more = ["--jitter", "lognormal", "--jitter-scale", "0.2"];
        let start = || StandIn::start(&[&engine[..], &more[..]].concat());
        let (a, b) = (start(), start());
        let yaml = format!(
            "name: t\ntask: generate\nseed: 5\ntargets:\n  a: {{ ollama: {{ url: \"{}\" }} }}\n  b: {{ ollama: {{ url: \"{}\" }} }}\n\
             reference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ uniform: {{ min: 3, max: 12 }} }} }} }}, \
             sampling: {{ max_tokens: 32 }} }}\nload: {{ closed: {{ users: 4, requests: {REQUESTS} }} }}\n",
            a.url, b.url
        );
        let dir = tempfile::tempdir().expect("a directory");
        let path = write(dir.path(), "t.yaml", &yaml);
        let out = dir.path().join("out");
        let output = loadcmp().arg("run").arg(path).arg("--out").arg(&out).output().expect("a run");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output).1);
        let manifest = std::fs::read(out.join("manifest.json")).expect("a manifest");
        let sheet =
            csv::Reader::from_path(out.join("samples.csv")).expect("samples").headers().expect("a header").clone();
        let mut made = Self {
            manifest: serde_json::from_slice(&manifest).expect("JSON"),
            columns: sheet.iter().map(str::to_owned).collect(),
            rows: rows(&out.join("samples.csv")),
        };
        made.calm();
        made
    }

    /// As on a quiet machine, whatever this one is: each user asks as soon as the last answer has come.
    fn calm(&mut self) {
        self.manifest["conditions"] = json!({ "cores": 8.0, "own_cores": 0.5, "own_cores_allowed": 2.0 });
        let mut free = std::collections::HashMap::new();
        let column = |row: &Row, name: &str| number(row, name).expect("a number");
        self.rows.sort_by(|x, y| column(x, "planned_us").total_cmp(&column(y, "planned_us")));
        for row in self.rows.iter_mut().filter(|row| row["phase"] == "measure") {
            let begins = free.entry((row["target"].clone(), row["user"].clone())).or_insert(10_000_000.0);
            // The engine's own time, with some scatter: a machine that had other things to do must not show.
            let (index, tokens, sent) = (column(row, "index"), column(row, "output_tokens"), column(row, "sent_us"));
            let other = if row["target"] == "a" { 0.0 } else { 0.31 };
            let scatter = 1.0 + 0.4 * ((index * 0.618_034 + other).fract() - 0.5);
            let scale = (2_000.0 + 250.0 * tokens) * scatter / (column(row, "end_us") - sent);
            for name in [
                "dispatched_us",
                "sent_us",
                "first_byte_us",
                "first_token_us",
                "first_answer_us",
                "last_token_us",
                "end_us",
            ] {
                if let Some(at) = number(row, name) {
                    row.insert(name.to_owned(), format!("{:.3}", *begins + 20.0 + (at - sent).max(-10.0) * scale));
                }
            }
            for name in ["server_total_us", "server_load_us", "server_prompt_us", "server_output_us", "itl_max_us"] {
                if let Some(took) = number(row, name) {
                    row.insert(name.to_owned(), format!("{:.3}", took * scale));
                }
            }
            let gaps = row["itl_us"].split_ascii_whitespace().map(|gap| gap.parse::<f64>().expect("a number") * scale);
            let gaps: Vec<String> = gaps.map(|gap| format!("{gap:.0}")).collect();
            row.insert("itl_us".to_owned(), gaps.join(" "));
            row.insert("planned_us".to_owned(), format!("{:.3}", *begins));
            *begins = column(row, "end_us") + 5.0;
        }
        // In the order of samples.csv: as they ended.
        self.rows.sort_by(|x, y| column(x, "end_us").total_cmp(&column(y, "end_us")));
        for window in self.manifest["windows"].as_array_mut().expect("windows") {
            (window["from"], window["to"]) = (json!(10_000_000_000_u64), Value::Null);
        }
    }

    /// Changes the measured rows of a target, in the order of their numbers.
    pub fn each(&mut self, target: &str, mut change: impl FnMut(usize, &mut Row)) -> &mut Self {
        let mut measured: Vec<&mut Row> =
            self.rows.iter_mut().filter(|row| row["phase"] == "measure" && row["target"] == target).collect();
        measured.sort_by_key(|row| row["index"].parse::<u64>().expect("a number"));
        measured.into_iter().enumerate().for_each(|(at, row)| change(at, row));
        self
    }

    /// The same for both targets.
    pub fn both(&mut self, mut change: impl FnMut(usize, &mut Row)) -> &mut Self {
        self.each("a", &mut change).each("b", &mut change)
    }

    /// Sets a column of a target's first `count` measured rows.
    pub fn set(&mut self, target: &str, column: &str, count: usize, value: &str) -> &mut Self {
        self.each(target, |at, row| {
            if at < count {
                row.insert(column.to_owned(), value.to_owned());
            }
        })
    }

    /// Sets the latency of a target's measured rows, in microseconds, by number.
    pub fn latencies(&mut self, target: &str, of: impl Fn(usize, f64) -> f64) -> &mut Self {
        self.each(target, |at, row| {
            let (sent, end) = (number(row, "sent_us").expect("sent"), number(row, "end_us").expect("an end"));
            row.insert("end_us".to_owned(), format!("{:.3}", sent + of(at, end - sent)));
        })
    }

    /// Leaves out a target's measured rows from this number on.
    pub fn keep(&mut self, target: &str, count: usize) -> &mut Self {
        let number = |row: &Row| row["index"].parse::<usize>().expect("a number");
        self.rows.retain(|row| row["phase"] != "measure" || row["target"] != target || number(row) < count);
        self
    }

    /// Sets a column of a target's first request, before the load.
    pub fn first(&mut self, target: &str, column: &str, value: &str) -> &mut Self {
        let first = self.rows.iter_mut().find(|row| row["phase"] == "cold" && row["target"] == target);
        first.expect("a first request").insert(column.to_owned(), value.to_owned());
        self
    }

    /// Blanks a column of every row that isn't measured.
    pub fn forget_before(&mut self, column: &str) -> &mut Self {
        for row in self.rows.iter_mut().filter(|row| row["phase"] != "measure") {
            row.insert(column.to_owned(), String::new());
        }
        self
    }

    /// Something in the plan of a target, by its position.
    pub fn target(&mut self, at: usize) -> &mut Value {
        &mut self.manifest["plan"]["targets"][at]
    }

    /// A number of a target's measured row.
    pub fn number(&self, target: &str, index: usize, column: &str) -> f64 {
        let row = self
            .rows
            .iter()
            .find(|row| row["target"] == target && row["phase"] == "measure" && row["index"] == index.to_string());
        number(row.expect("a row"), column).expect("a number")
    }

    /// Writes the two files, and has the report told from them.
    pub fn told(&self) -> Report {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("manifest.json"), self.manifest.to_string()).expect("a manifest");
        let mut sheet = csv::Writer::from_path(dir.path().join("samples.csv")).expect("a sheet");
        sheet.write_record(&self.columns).expect("a header");
        for row in &self.rows {
            sheet.write_record(self.columns.iter().map(|name| &row[name])).expect("a row");
        }
        drop(sheet);
        loadcmp::run::retell(dir.path()).unwrap_or_else(|error| panic!("{error}")).report
    }

    /// What the audit finds.
    pub fn found(&self) -> Vec<Finding> {
        self.told().findings
    }
}

/// The ids of findings of at least this severity.
pub fn ids(found: &[Finding], least: Severity) -> Vec<&str> {
    found.iter().filter(|finding| finding.severity >= least).map(|finding| finding.id.as_str()).collect()
}
