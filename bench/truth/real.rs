//! The same over real sockets: the real program against two stand-ins that are alike, short runs on loopback.

#[path = "../../tests/common/cli.rs"]
mod cli;

use cli::{StandIn, loadcmp};
use loadcmp::stats::wilson;
use serde_json::{Value, json};
use std::path::Path;

/// The figures of the latency that are looked at.
const FIGURES: [&str; 3] = ["p50", "p95", "mean"];
/// Runs of the real program.
const RUNS: u64 = 40;

/// What they came to.
#[derive(Default)]
pub struct Real {
    runs: u64,
    /// Runs with a verdict, of any metric.
    false_verdicts: u64,
    /// Intervals of each figure's ratio, and those that leave out 1.
    intervals: [u64; 3],
    excluded: [u64; 3],
}

/// Forty runs of four seconds.
pub fn measure() -> Result<Real, String> {
    let mut real = Real::default();
    let dir = tempfile::tempdir().map_err(|error| format!("a directory: {error}"))?;
    let timing = ["--first-token-ms", "2", "--decode-rate", "1000", "--jitter", "lognormal", "--jitter-scale", "0.5"];
    let start = |seed: &str| StandIn::start(&[&timing[..], &["--slots", "2", "--seed", seed]].concat());
    let (a, b) = (start("1"), start("2"));
    for run in 0..RUNS {
        // In turn, so that what one process has over the other falls on both sides.
        let (first, second) = if run % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let out = dir.path().join(format!("run{run}"));
        let report = one(dir.path(), &out, run, [&first.url, &second.url])?;
        real.take(&report);
    }
    Ok(real)
}

/// One run; its report.
fn one(dir: &Path, out: &Path, run: u64, urls: [&str; 2]) -> Result<Value, String> {
    let scenario = dir.join("equal.yaml");
    let text = format!(
        "name: equal\ntask: generate\nseed: {}\ntargets:\n  a: {{ openai: {{ url: \"{}\" }} }}\n  b: {{ openai: {{ url: \"{}\" }} }}\n\
         reference: b\nworkload: {{ prompts: {{ inline: [ {{ text: one }}, {{ text: two }}, {{ text: three }} ] }}, \
         sampling: {{ max_tokens: 6 }} }}\nload: {{ closed: {{ users: 2, duration: 4s, warmup: 200ms }} }}\n",
        1000 + run,
        urls[0],
        urls[1]
    );
    std::fs::write(&scenario, text).map_err(|error| format!("{}: {error}", scenario.display()))?;
    let output = loadcmp().arg("run").arg(&scenario).arg("--quiet").arg("--out").arg(out).output();
    let output = output.map_err(|error| format!("running loadcmp: {error}"))?;
    let path = out.join("report.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("{}: {error}; {}", path.display(), String::from_utf8_lossy(&output.stderr)))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

impl Real {
    fn take(&mut self, report: &Value) {
        self.runs += 1;
        let all = report["comparisons"].as_array().cloned().unwrap_or_default();
        self.false_verdicts += u64::from(all.iter().any(|c| c["verdict"] == "better" || c["verdict"] == "worse"));
        for (at, figure) in FIGURES.iter().enumerate() {
            let path = format!("latency.{figure}");
            let told = all.iter().find(|c| c["metric"] == path.as_str());
            if let Some((low, high)) = told.and_then(|c| c["low"].as_f64().zip(c["high"].as_f64())) {
                self.intervals[at] += 1;
                self.excluded[at] += u64::from(!(low..=high).contains(&1.0));
            }
        }
    }

    /// What they came to, in sentences.
    pub fn words(&self) -> String {
        let ends = |part: u64, all: u64| {
            let ends = wilson(part as f64 / all.max(1) as f64, all, all);
            ends.map_or(String::new(), |e| format!(" (95 % interval {:.1} to {:.1} %)", e.low * 100.0, e.high * 100.0))
        };
        let mut text = format!(
            "\nOver real sockets, {} runs of 4 s of two equal stand-ins:\n  {} with a false verdict of any metric{}\n",
            self.runs,
            self.false_verdicts,
            ends(self.false_verdicts, self.runs)
        );
        for (figure, (excluded, intervals)) in FIGURES.iter().zip(self.excluded.iter().zip(self.intervals)) {
            let share = ends(*excluded, intervals);
            text +=
                &format!("  {excluded} of {intervals} intervals of the ratio of latency {figure} leave out 1{share}\n");
        }
        text
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        json!({
            "runs": self.runs, "false_verdicts": self.false_verdicts, "figures": FIGURES, "intervals": self.intervals,
            "excluded": self.excluded,
        })
    }

    /// What lies outside: more wrong than 6 % allows, beyond chance (6 or more of 40 come in one of fifty such sittings).
    pub fn wrong(&self) -> Vec<String> {
        let beyond =
            |part: u64, all: u64| all == 0 || wilson(part as f64 / all as f64, all, all).is_none_or(|e| e.low > 0.06);
        let mut wrong = Vec::new();
        if beyond(self.false_verdicts, self.runs) {
            wrong.push(format!("real sockets: {} of {} runs have a false verdict", self.false_verdicts, self.runs));
        }
        for (at, figure) in FIGURES.iter().enumerate() {
            let (excluded, intervals) = (self.excluded[at], self.intervals[at]);
            if beyond(excluded, intervals) {
                wrong.push(format!("real sockets: {excluded} of {intervals} intervals of {figure} leave out 1"));
            }
        }
        wrong
    }
}
