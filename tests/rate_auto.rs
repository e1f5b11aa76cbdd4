//! `rate: auto`: half of what the slower target can answer, known from what the stand-ins are declared to do.

use crate::cli::{StandIn, ask, json, rows, write};
use std::path::Path;

fn scenario(engines: &[(&str, &StandIn)], load: &str, more: &str) -> String {
    let targets: String = engines
        .iter()
        .map(|(name, engine)| format!("  {name}: {{ openai: {{ url: \"{}\" }} }}\n", engine.url))
        .collect();
    format!(
        "name: t\ntask: generate\nseed: 5\ntargets:\n{targets}workload: {{ prompts: {{ synthetic: {{ count: 20, words: 8 }} }}, \
         sampling: {{ max_tokens: 4 }} }}\nload: {{ open: {{ {load} }} }}\n{more}"
    )
}

fn engine(slots: &str, ms: &str, more: &[&str]) -> StandIn {
    StandIn::start(&[&["--slots", slots, "--first-token-ms", ms, "--decode-rate", "0"], more].concat())
}

/// The rate and the hash of the instants in a run's manifest.
fn planned(dir: &Path) -> (f64, String) {
    let plan = &json(&dir.join("manifest.json"))["plan"]["load"]["open"];
    let rate = plan["spec"]["rate"].as_f64().unwrap_or_else(|| panic!("no rate: {plan}"));
    (rate, plan["hash"].as_str().expect("a hash").to_owned())
}

#[test]
fn it_is_half_of_what_the_slower_one_answers_and_can_be_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let record = dir.path().join("fast.csv");
    let slow = engine("1", "200", &[]);
    let fast = engine("4", "200", &["--record", record.to_str().expect("a path")]);
    let text = scenario(&[("slow", &slow), ("fast", &fast)], "rate: auto, duration: 4s", "order: isolated\n");
    write(dir.path(), "t.yaml", &text);
    let (code, out, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("measured before the load"), "{out}");
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert_eq!(code, 0, "{err}\n{table}");
    let (rate, hash) = planned(&dir.path().join("out"));
    // One slot of 200 ms answers 5 a second; on a busy machine it may be fewer, and never more.
    assert!((0.8..=2.5).contains(&rate), "{rate}");
    assert!(
        err.contains(&format!("rate: auto is {rate}/s")) && err.contains("fast ") && err.contains("slow "),
        "{err}"
    );
    assert!(table.contains(&format!("Poisson, {rate}/s each")), "{table}");
    // Its own record: two first requests, four of the look, and the schedule's.
    let sent = rows(&dir.path().join("out/samples.csv"))
        .iter()
        .filter(|row| row["target"] == "fast" && row["phase"] == "measure")
        .count();
    let asked = rows(&record).iter().filter(|row| !row["text_hash"].is_empty()).count();
    assert_eq!(asked, 2 + 4 + sent, "{table}");
    // The same rate, written: the same instants.
    let args = ["run", "t.yaml", "--out", "again", "--set", &format!("load.open.rate={rate}")];
    let (code, _, err) = ask(dir.path(), &args);
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains("measuring what the targets"), "{err}");
    assert_eq!(planned(&dir.path().join("again")), (rate, hash));
}

#[test]
fn two_seconds_an_answer_get_one_in_four_seconds() {
    let dir = tempfile::tempdir().expect("a directory");
    let slow = engine("1", "2000", &[]);
    write(dir.path(), "t.yaml", &scenario(&[("slow", &slow)], "rate: auto, duration: 12s, arrivals: constant", ""));
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert_eq!(code, 0, "{err}\n{table}");
    let (rate, _) = planned(&dir.path().join("out"));
    // Four of 2 s, one after another; what a busy machine adds to 8 s is a small part of it.
    assert!((0.2..=0.25).contains(&rate), "{rate}");
}

#[test]
fn one_rate_holds_for_all_runs_of_a_plan() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (engine("2", "60", &[]), engine("2", "60", &[]));
    let more = "order: isolated\nrepeats: { runs: 3, pause: 0 }\n";
    write(dir.path(), "t.yaml", &scenario(&[("a", &a), ("b", &b)], "rate: auto, duration: 2s", more));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert!([0, 4].contains(&code), "{err}");
    assert_eq!(err.matches("rate: auto is").count(), 1, "{err}");
    let runs = std::fs::read_dir(dir.path().join("out/repeats")).expect("runs").map(|run| run.expect("a run").path());
    let all: Vec<(f64, String)> = runs.map(|run| planned(&run)).collect();
    assert!(all.len() == 3 && all.iter().all(|run| *run == all[0]), "{all:?}");
}

#[test]
fn what_finds_no_rate_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let dead = engine("1", "10", &["--fault-status", "1"]);
    write(dir.path(), "t.yaml", &scenario(&[("dead", &dead)], "rate: auto, duration: 2s", ""));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("`dead`") && !dir.path().join("out").exists(), "{err}");
    let (a, b) = (engine("1", "300", &[]), engine("1", "300", &[]));
    let more = "order: alternate\nblocks: { pairs: 100 }\n";
    write(dir.path(), "t.yaml", &scenario(&[("a", &a), ("b", &b)], "rate: auto, duration: 3s", more));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("too few requests for 100 blocks") && err.contains("blocks.pairs"), "{err}");
    write(dir.path(), "t.yaml", &scenario(&[("a", &a)], "rate: soon, duration: 3s", ""));
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("`rate` must be a number, or `auto`") && err.contains("t.yaml:7:"), "{err}");
    write(dir.path(), "t.yaml", &scenario(&[("a", &a)], "rate: 0, duration: 3s", ""));
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("`rate` must be from 0.001 to 1000000"), "{err}");
}
