//! Engines that declare a fault, the run they spoil, and what the program says of it.

use crate::cli::{StandIn, loadcmp, rows, text, write};
use std::path::Path;

/// A run of `a` with these faults against a healthy `b`.
fn run(faults: &[&str], more: &[&str], dir: &Path) -> (i32, String, String) {
    let (a, b) = (StandIn::start(faults), StandIn::start(&["--decode-rate", "20000"]));
    let yaml = format!(
        "name: t\ntask: generate\nseed: 5\ntargets:\n  a: {{ ollama: {{ url: \"{}\" }} }}\n  b: {{ ollama: {{ url: \"{}\" }} }}\n\
         reference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ uniform: {{ min: 3, max: 12 }} }} }} }}, \
         sampling: {{ max_tokens: 16 }} }}\nload: {{ closed: {{ users: 2, requests: 60 }} }}\n",
        a.url, b.url
    );
    let path = write(dir, "t.yaml", &yaml);
    let output = loadcmp()
        .args(["run", "--full"])
        .arg(path)
        .arg("--out")
        .arg(dir.join("out"))
        .args(more)
        .output()
        .expect("a run");
    let (out, err) = text(&output);
    (output.status.code().unwrap_or(-1), out, err)
}

fn found(dir: &Path) -> Vec<String> {
    rows(&dir.join("out/findings.csv")).iter().map(|row| row["id"].clone()).collect()
}

#[test]
fn a_side_that_fails_makes_the_run_invalid_and_every_file_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let (code, out, err) = run(&["--fault-status", "0.3"], &[], dir.path());
    assert_eq!(code, 4, "{err}");
    let told: Vec<&str> = err.lines().filter(|line| line.starts_with("loadcmp: invalid: ")).collect();
    assert!(matches!(told[..], [line] if line.contains("different amounts of work")), "{err}");
    let first = out.find("INVALID: The targets completed different amounts of work").expect("it stands in the table");
    assert!(first < out.find("ratio (95 % CI)").expect("a table"), "before the figures\n{out}");
    assert!(out.contains("warning: a (stand-in) failed more often than b (stand-in)"), "{out}");
    let ids = found(dir.path());
    for id in ["unequal-requests", "error-rate", "one-sided-failures", "stand-in"] {
        assert!(ids.iter().any(|found| found == id), "{id} in {ids:?}");
    }
    for name in ["report.json", "report.md", "report.html", "findings.csv"] {
        let text = std::fs::read_to_string(dir.path().join("out").join(name)).expect(name);
        assert!(text.contains("completed different amounts of work"), "{name}");
    }
    // Told again it is no better.
    let output = loadcmp().args(["report", "--full"]).arg(dir.path().join("out")).output().expect("a report");
    assert_eq!((output.status.code(), text(&output).0), (Some(4), out));
}

#[test]
fn a_scenario_says_what_it_takes_for_what() {
    let dir = tempfile::tempdir().expect("a directory");
    let more = [
        "--set",
        "audit.unequal-requests=note",
        "--set",
        "audit.error-rate=off",
        "--set",
        "audit.few-samples=invalid 61",
    ];
    let (code, out, err) = run(&["--fault-status", "0.3"], &more, dir.path());
    assert_eq!(code, 4, "{err}");
    assert!(out.contains("note: The targets completed different amounts of work"), "{out}");
    let sheet = rows(&dir.path().join("out/findings.csv"));
    let few = sheet.iter().find(|row| row["id"] == "few-samples").expect("too few");
    assert_eq!((few["severity"].as_str(), few["threshold"].as_str()), ("invalid", "61 answers"));
    assert!(!sheet.iter().any(|row| row["id"] == "error-rate"));
    let ids = found(dir.path());
    assert_eq!(ids[0], "few-samples", "the gravest first: {ids:?}");
}

#[test]
fn answers_that_end_early_on_one_side_are_doubted_and_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let (code, out, err) = run(&["--early-stop", "1"], &[], dir.path());
    assert_eq!(code, 0, "{err}");
    let ids = found(dir.path());
    for id in ["unequal-output", "output-lengths", "finish-reasons"] {
        assert!(ids.iter().any(|found| found == id), "{id} in {ids:?}");
    }
    let doubt = out.find("warning: ").expect("printed with the verdict");
    assert!(doubt < out.find("ratio (95 % CI)").expect("a table"), "{out}");
}
