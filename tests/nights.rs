//! Baselines of several runs, through the command line: what is kept, and that a gate allows for the scatter from run to run.

use crate::cli::{StandIn, ask, json, write};
use serde_json::Value;
use std::path::Path;

/// Gates that no scatter of the stand-ins' decides, and one that it leaves open.
const GATES: &str = "gates:\n  - a.latency.p50 <= 1.02 * baseline\n  - a.latency.p50 <= 20 * baseline\n";

fn yaml(engine: &StandIn, gates: &str) -> String {
    format!(
        "name: t\ntask: generate\nseed: 5\ntargets:\n  a: {{ openai: {{ url: \"{}\" }} }}\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ \
         fixed: 6 }} }} }}, sampling: {{ max_tokens: 2 }} }}\nload: {{ closed: {{ users: 2, requests: 30 }} }}\n{gates}",
        engine.url
    )
}

/// Runs of an engine that takes so long to the first token, as `results/NAME`.
fn run(dir: &Path, name: &str, ms: u32, more: &[&str]) -> (i32, String) {
    let engine = StandIn::start(&["--first-token-ms", &ms.to_string()]);
    let gates = if more.is_empty() { "" } else { GATES };
    write(dir, "t.yaml", &yaml(&engine, gates));
    let out = format!("results/{name}");
    let (code, table, err) = ask(dir, &[&["run", "t.yaml", "-q", "--judge-stand-ins", "--out", &out], more].concat());
    (code, format!("{table}{err}").split_whitespace().collect::<Vec<_>>().join(" "))
}

fn outcomes(dir: &Path, name: &str) -> Vec<String> {
    let report = json(&dir.join("results").join(name).join("report.json"));
    let gates = report["judgement"]["gates"].as_array().cloned().unwrap_or_default();
    gates.iter().map(|gate| gate["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

fn edit(path: &Path, change: impl Fn(&mut Value)) {
    let mut told = json(path);
    change(&mut told);
    std::fs::write(path, told.to_string()).expect("a file");
}

#[test]
fn a_gate_allows_for_the_scatter_between_the_runs_of_its_baseline() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path();
    let say = |args: &[&str]| ask(at, args);
    for (name, ms) in [("one", 40), ("two", 48), ("three", 44)] {
        let (code, told) = run(at, name, ms, &[]);
        assert_eq!(code, 0, "{told}");
        // A run began in a second of its own.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    let save =
        |more: &[&str]| say(&[&["baseline", "save", "x", "--reason", "the start", "--stand-ins"], more].concat());

    // Of several, and what is no good as several.
    let (code, out, err) = save(&["results/two", "results/one", "results/three"]);
    assert!(code == 0 && out.contains("t of 3 runs, ") && !err.contains("one run"), "{out}{err}");
    let kept = json(&at.join("baselines/x.json"));
    let runs = kept["nights"]["runs"].as_array().expect("runs");
    let began: Vec<&str> = runs.iter().filter_map(|run| run["started"].as_str()).collect();
    assert!(began.len() == 3 && began.is_sorted() && kept["report"]["started"] == began[2], "{began:?}");
    let (code, _, err) = save(&["results/one", "results/one"]);
    assert!(code == 2 && err.contains("are the same run"), "{err}");
    let (code, _, err) = save(&[]);
    assert!(code == 2 && err.contains("<DIRS>"), "{err}");
    let (_, shown, _) = say(&["baseline", "show", "x"]);
    let (_, list, _) = say(&["baseline", "list"]);
    assert!(shown.contains("3 runs, ") && list.contains("3 runs"), "{shown}{list}");

    // An engine like them is 10 % off one of them, and within what they are off each other; one ten times as slow is not.
    let (code, told) = run(at, "four", 46, &["--baseline", "x"]);
    assert_eq!((code, outcomes(at, "four")), (5, vec!["inconclusive".to_owned(), "pass".to_owned()]), "{told}");
    assert!(told.contains("98 % interval over 3 runs of the baseline; runs vary by "), "{told}");
    assert!(told.contains("Baseline `x` of 3 runs, ") && !told.contains("is not known"), "{told}");
    let report = json(&at.join("results/four/report.json"));
    let gate = &report["judgement"]["gates"][0];
    let of = |field: &str| gate[field].as_f64().expect("a number");
    assert!((of("point") - of("value") / of("other")).abs() < 1e-6 && of("low") < of("point"), "{gate}");
    assert_eq!((&report["baseline"]["runs"], &report["baseline"]["scatter_of"]), (&3.into(), &3.into()));
    let (code, told) = run(at, "slow", 400, &["--baseline", "x"]);
    assert_eq!((code, outcomes(at, "slow")[0].as_str()), (1, "fail"), "{told}");
    // Told again, the same.
    assert_eq!(say(&["report", "results/slow"]).0, 1);
    assert_eq!(say(&["baseline", "check", "x", "results/four"]).0, 5);

    // A run that failed is no baseline; one that the baseline before it left open may be.
    let (code, _, err) = save(&["--last", "2", "--scenario", "t"]);
    assert!(code == 2 && err.contains("slow can't become a baseline: not all gates passed"), "{err}");
    assert_eq!(save(&["results/three", "results/four"]).0, 0);
}

#[test]
fn the_last_runs_of_a_history_are_kept_and_one_run_takes_its_scatter_from_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path();
    for (name, ms) in [("one", 40), ("two", 48), ("three", 44)] {
        let (code, told) = run(at, name, ms, &[]);
        assert_eq!(code, 0, "{told}");
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    let save =
        |name: &str, more: &[&str]| ask(at, &[&["baseline", "save", name, "--reason", "the start"], more].concat());
    let (code, _, err) = save("x", &["--last", "2"]);
    assert!(code == 2 && err.contains("holds no complete and valid run of real engines (--stand-ins"), "{err}");
    let (code, _, err) = save("x", &["--last", "4", "--stand-ins"]);
    assert!(code == 2 && err.contains("holds 3 runs of the setup of three") && err.contains("and not 4"), "{err}");
    let (code, _, err) = save("x", &["--last", "2", "--stand-ins", "--results", "none"]);
    assert!(code == 2 && err.contains("not a results folder"), "{err}");
    let (code, out, err) = save("last", &["--last", "2", "--stand-ins"]);
    assert!(code == 0 && out.contains("2 runs"), "{out}{err}");
    assert_eq!(json(&at.join("baselines/last.json"))["nights"]["runs"].as_array().map(Vec::len), Some(2));

    // One run says so, and takes what the history knows: two other runs.
    let (code, _, err) = save("one", &["results/one", "--stand-ins"]);
    assert!(code == 0 && err.contains("one run only: the variation between runs is not known"), "{err}");
    let (code, told) = run(at, "four", 46, &["--baseline", "one"]);
    assert_eq!(code, 5, "{told}");
    assert!(told.contains("the baseline's run and 2 other runs of its setup"), "{told}");
    assert!(told.contains("The variation between runs is estimated from 2 other runs of its setup."), "{told}");

    // Where nothing is known of other runs, what is said holds for the two. So does a baseline of an earlier loadcmp.
    edit(&at.join("baselines/one.json"), |kept| drop(kept.as_object_mut().expect("fields").remove("nights")));
    let engine = StandIn::start(&["--first-token-ms", "400"]);
    write(at, "t.yaml", &yaml(&engine, GATES));
    let args = ["run", "t.yaml", "-q", "--judge-stand-ins", "--out", "elsewhere/five", "--baseline", "one"];
    let (code, table, err) = ask(at, &args);
    let told = format!("{table}{err}").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 1 || code == 5, "{told}");
    assert!(
        told.contains("in these two runs") && told.contains("is not known: the result holds for these two runs"),
        "{told}"
    );
}
