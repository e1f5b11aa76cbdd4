//! Soaks of engines whose leaks and drift are known.

#[path = "common/cli.rs"]
mod cli;

use cli::{StandIn, loadcmp, rows, text, write};
use serde_json::Value;
use std::path::Path;

/// Soaks `a` and `b`; the table, the report and the page.
fn soak(dir: &Path, a: &str, b: &str, load: &str) -> (String, Value, String) {
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  a: {{ ollama: {{ url: \"{a}\" }} }}\n  b: {{ ollama: {{ url: \"{b}\" }} }}\n\
         reference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ fixed: 6 }} }} }}, sampling: {{ max_tokens: 4 \
         }} }}\nload: {{ soak: {load} }}\n"
    );
    write(dir, "t.yaml", &yaml);
    let output = loadcmp().current_dir(dir).args(["run", "t.yaml", "--quiet", "--out", "out"]).output().expect("a run");
    let (table, err) = text(&output);
    let report = std::fs::read(dir.join("out/report.json")).unwrap_or_else(|_| panic!("no report: {err}"));
    let page = std::fs::read_to_string(dir.join("out/report.html")).expect("a page");
    (table.split_whitespace().collect::<Vec<_>>().join(" "), serde_json::from_slice(&report).expect("JSON"), page)
}

#[test]
fn a_soak_that_is_too_short_says_how_long_it_takes() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (StandIn::start(&["--first-token-ms", "5"]), StandIn::start(&["--first-token-ms", "5"]));
    for load in ["{ users: 2, duration: 3s }", "{ rate: 40, duration: 3s }"] {
        let (table, report, page) = soak(dir.path(), &a.url, &b.url, load);
        assert!(table.contains("memory leak undecided: it needs 60.0 s of measurement"), "{table}");
        assert!(page.contains("Over the time of the soak</a></h2>"), "{load}");
        assert_eq!(report["soak"]["targets"].as_array().map(Vec::len), Some(2), "{load}");
        assert_eq!(report["plan"]["soak"], true);
        std::fs::remove_dir_all(dir.path().join("out")).expect("gone");
    }
}

/// Seconds of the long one.
fn long() -> u64 {
    std::env::var("LOADCMP_SOAK_S").ok().and_then(|s| s.parse().ok()).unwrap_or(150)
}

#[test]
#[ignore = "takes minutes: make soak"]
fn a_leak_and_a_drift_are_found_and_loadcmp_stays_as_it_is() {
    let seconds = long();
    let dir = tempfile::tempdir().expect("a directory");
    // 8 KiB a request; and 10 ms to the first token that become 13 by the end.
    let a = StandIn::start(&["--first-token-ms", "10", "--leak-kib-per-request", "8", "--slots", "32"]);
    let slower = format!("{}", 3.0 / seconds as f64);
    let b = StandIn::start(&["--first-token-ms", "10", "--slower-ms-per-s", &slower, "--slots", "32"]);
    let rate = if seconds > 1000 { 100 } else { 200 };
    let load = format!("{{ rate: {rate}, duration: {seconds}s, warmup: 10s }}");
    let (table, report, page) = soak(dir.path(), &a.url, &b.url, &load);
    println!("{table}");
    let targets = &report["soak"]["targets"];
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}: {table}"));

    let leak = &targets[0];
    assert_eq!(leak["memory"]["course"], "grows", "{table}");
    let a_request = number(&leak["memory_per_1000"]) / 1000.0;
    // What the allocator keeps beside it is a few per cent more.
    assert!((a_request / 8192.0 - 1.0).abs() < 0.1, "{a_request} bytes a request");
    assert_ne!(targets[1]["memory"]["course"], "grows", "{table}");
    assert!(page.contains("memory of the engines&#39; processes"), "a chart of it");

    let drift = |target: &Value, metric: &str| {
        let all = target["drifts"].as_array().expect("drifts").clone();
        all.into_iter().find(|drift| drift["metric"] == metric).unwrap_or_else(|| panic!("{metric}: {table}"))["drift"]
            .clone()
    };
    let slower = drift(&targets[1], "latency.p50");
    assert!(number(&slower["low"]) > 0.1 && number(&slower["high"]) < 0.5, "{slower}: {table}");
    let level = drift(&targets[0], "latency.p50");
    assert!(number(&level["change"]).abs() < 0.1, "{level}: {table}");

    // loadcmp itself keeps no samples: an hour costs it what a minute does.
    assert_ne!(report["soak"]["own"]["course"], "grows", "{table}");
    let sheet = rows(&dir.path().join("out/summary.csv"));
    let growth = sheet.iter().find(|row| row["target"].starts_with('a') && row["metric"] == "memory_growth");
    let growth = growth.unwrap_or_else(|| panic!("{table}"));
    assert_eq!(growth["unit"], "bytes/h");
    let cell = |name: &str| growth[name].parse::<f64>().expect("a number");
    assert!(cell("mean_low") < cell("mean") && cell("mean") < cell("mean_high"), "{growth:?}");
}
