//! Gates, tiers and baselines through the command line: exit codes, tables, files, mistakes with their place.

use crate::cli::{StandIn, ask, json, rows, write};
use crate::raw::{Do, Raw, response};
use loadcmp::metrics::{metric, metric_of};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const GATES: &str = "gates:\n  - native.latency.p50 <= 200ms\n  - native.latency.p50 <= 0.9 * ollama.latency.p50\n  - \
                     native.latency.mean <= 1ms\n  - native.memory_ratio <= 1.35\n  - errors == 0\n";

/// A scenario whose native runtime takes 15 ms to the first token and whose reference takes 60; driven in blocks, whose
/// intervals bear a busy machine.
fn yaml(native: &StandIn, ollama: &StandIn, more: &str) -> String {
    format!(
        "name: t\ntask: generate\nseed: 5\ntargets:\n  native: {{ openai: {{ url: \"{}\" }} }}\n  ollama: {{ ollama: {{ url: \"{}\" \
         }} }}\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ fixed: 6 }} }} }}, sampling: {{ max_tokens: 4 }} }}\n\
         order: alternate\nblocks: {{ pairs: 8, settle: 10ms, warmup: 10ms }}\nload: {{ closed: {{ users: 2, duration: 3s }} \
         }}\n{more}",
        native.url, ollama.url
    )
}

fn pair() -> (StandIn, StandIn) {
    (StandIn::start(&["--first-token-ms", "15"]), StandIn::start(&["--first-token-ms", "60"]))
}

fn outcomes(dir: &Path) -> Vec<String> {
    rows(&dir.join("gates.csv")).iter().filter(|row| row["tier"].is_empty()).map(|row| row["outcome"].clone()).collect()
}

#[test]
fn gates_decide_the_exit_code_and_stand_in_every_file() {
    let dir = tempfile::tempdir().unwrap();
    let (native, ollama) = pair();
    let tiers =
        "tiers:\n  functional: [errors == 0]\n  usable: [latency.p50 <= 200ms]\n  optimised: [latency.p50 <= 1ms]\n";
    write(dir.path(), "t.yaml", &yaml(&native, &ollama, &format!("{GATES}{tiers}")));

    // A stand-in passes nothing, and fails nothing either.
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--out", "plain", "-q"]);
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("6 gates: 6 not measured"), "{err}");
    assert!(table.contains("would have passed") && table.contains("has no tiers"), "{table}");
    assert_eq!(outcomes(&dir.path().join("plain")), ["not measured"; 6]);

    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--out", "judged", "-q", "--judge-stand-ins"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("loadcmp: 6 gates: 4 passed, 1 failed, 1 not measured"), "{err}");
    let judged = dir.path().join("judged");
    assert_eq!(outcomes(&judged), ["pass", "pass", "fail", "not measured", "pass", "pass"]);
    assert!(table.contains("FAIL") && table.contains("of a stand-in"), "{table}");
    assert!(
        table.contains("native (stand-in) has reached the tier `usable`; `optimised` lacks latency.p50 <= 1ms"),
        "{table}"
    );
    let report = json(&judged.join("report.json"));
    assert_eq!(report["judgement"]["gates"][1]["measure"], "ratio");
    assert!(report["files"].as_array().unwrap().contains(&"gates.csv".into()));
    for file in ["report.md", "report.html"] {
        let text = std::fs::read_to_string(judged.join(file)).unwrap();
        assert!(text.contains("FAIL") && text.contains("has reached the tier"), "{file}: {text}");
    }

    // A gate may be about whatever is measured, and its bound is in that unit.
    for row in rows(&judged.join("summary.csv")) {
        let known = metric(&row["metric"]).unwrap_or_else(|| panic!("no gate can be about {}", row["metric"]));
        assert_eq!(known.unit, row["unit"], "{}", known.id);
        assert!(known.spread || row["p50"].is_empty(), "{}", known.id);
    }
    for row in rows(&judged.join("comparison.csv")) {
        let known = metric_of(&row["metric"]).unwrap_or_else(|| panic!("no metric is {}", row["metric"]));
        assert_eq!(known.unit, row["unit"], "{}", known.id);
        let share = ["accuracy", "error_rate"].contains(&known.id);
        assert!(share || known.compared.contains(&row["metric"].as_str()), "{}", row["metric"]);
    }

    // Told again it is the same, to the byte and the exit code.
    let files = ["report.json", "report.md", "report.html", "gates.csv", "junit.xml"];
    let before = files.map(|file| std::fs::read(judged.join(file)).unwrap());
    assert_eq!(ask(dir.path(), &["report", "judged"]).0, 1);
    assert!(before == files.map(|file| std::fs::read(judged.join(file)).unwrap()));

    // By the figures themselves; a bound within the interval is decided.
    let mean = |run: &Path| {
        let latency = rows(&run.join("summary.csv")).into_iter().find(|row| row["metric"] == "latency").unwrap();
        latency["mean"].parse::<f64>().unwrap()
    };
    let bound = (mean(&judged) * 1.2).round();
    write(
        dir.path(),
        "s.yaml",
        &yaml(&native, &ollama, &format!("strict: true\ngates: [native.latency.mean <= {bound}us]\n")),
    );
    let (code, table, err) = ask(dir.path(), &["run", "s.yaml", "--out", "strict", "-q", "--judge-stand-ins"]);
    // Another run of the same engine is slower by a fifth on a busy machine: then it fails, and for that reason only.
    let passes = mean(&dir.path().join("strict")) <= bound;
    assert_eq!((code, err.is_empty()), (i32::from(!passes), passes), "{err}{table}");
}

#[test]
fn mistakes_in_gates_are_told_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let (native, ollama) = pair();
    let wrong = "gates:\n  - native.latncy.p95 <= 20ms\n  - \"nativ.latency.p95 <= 20ms\"\n  - native.latency.p95 <= 20\n  - \
                 native.ttft.p95 <= 1.1 * baseline\ntiers: { good: [native.ttft.p95 <= 1s], none: [] }\n";
    write(dir.path(), "t.yaml", &yaml(&native, &ollama, wrong));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "o"]);
    assert_eq!(code, 2);
    for told in [
        "unknown metric `latncy`\n  --> t.yaml:12:12",
        "did you mean `latency`? `loadcmp metrics`",
        "the gate names no target: `nativ`",
        "`20` has the wrong unit\n  --> t.yaml:14:27",
        "a gate of a tier has no target",
        "a tier needs at least one gate",
        "5 mistakes",
    ] {
        assert!(err.contains(told), "{told}: {err}");
    }
    // What needs a baseline says so before anything is sent.
    write(dir.path(), "b.yaml", &yaml(&native, &ollama, "gates: [native.ttft.p95 <= 1.1 * baseline]\n"));
    let (code, _, err) = ask(dir.path(), &["run", "b.yaml", "--out", "o"]);
    assert!(code == 2 && err.contains("needs a baseline"), "{err}");
    let (code, _, err) = ask(dir.path(), &["run", "b.yaml", "--out", "o", "--baseline", "x"]);
    assert!(code == 2 && err.contains("no baseline `x`: baselines/x.json doesn't exist"), "{err}");
    // A scenario may come from someone else: its baseline lies near it.
    write(dir.path(), "e.yaml", &yaml(&native, &ollama, "baseline: /etc/passwd\n"));
    let (code, _, err) = ask(dir.path(), &["run", "e.yaml", "--out", "o"]);
    assert!(code == 2 && err.contains("`baseline`: /etc/passwd is outside"), "{err}");
    assert!(!dir.path().join("o").exists());
}

#[test]
fn a_run_is_held_to_a_baseline_of_the_same_setup() {
    let dir = tempfile::tempdir().unwrap();
    let (native, ollama) = pair();
    let gate = "gates: [native.latency.p50 <= 2 * baseline]\n";
    // Other load on the machine may make one of two equal runs twice as slow.
    write(dir.path(), "t.yaml", &yaml(&native, &ollama, "gates: [native.latency.p50 <= 20 * baseline]\n"));
    write(dir.path(), "first.yaml", &yaml(&native, &ollama, "adaptive: true\ngates: [errors == 0]\n"));
    let say = |args: &[&str]| ask(dir.path(), args);
    assert_eq!(say(&["run", "first.yaml", "--out", "first", "-q", "--judge-stand-ins"]).0, 0);
    assert!(json(&dir.path().join("first/manifest.json"))["probe"]["rounds_per_s"].as_f64().unwrap() > 1e6);

    // Of a stand-in only where that is meant, and only with a reason.
    let (code, _, err) = say(&["baseline", "save", "base", "first", "--reason", "the start"]);
    assert!(code == 2 && err.contains("a stand-in answered"), "{err}");
    let (code, _, err) = say(&["baseline", "save", "base", "first", "--reason", " ", "--stand-ins"]);
    assert!(code == 2 && err.contains("needs a reason"), "{err}");
    let (code, _, err) = say(&["baseline", "save", "../base", "first", "--reason", "x", "--stand-ins"]);
    assert!(code == 2 && err.contains("not a valid baseline name"), "{err}");
    assert_eq!(say(&["baseline", "save", "base", "first", "--reason", "the start", "--stand-ins"]).0, 0);
    let (code, list, _) = say(&["baseline", "list"]);
    assert!(code == 0 && list.contains("base") && list.contains("the start"), "{list}");
    let (code, shown, _) = say(&["baseline", "show", "base"]);
    assert!(code == 0 && shown.contains("workload ") && shown.contains("probed: "), "{shown}");

    // As fast as it was; the copy in the directory is what it is told again by.
    let (code, table, err) = say(&["run", "t.yaml", "--out", "same", "-q", "--judge-stand-ins", "--baseline", "base"]);
    assert_eq!(code, 0, "{table}{err}");
    assert!(table.contains("Baseline `base` of ") && table.contains("(the start)"), "{table}");
    assert_eq!(say(&["baseline", "check", "base", "same"]).0, 0);
    assert_eq!(say(&["report", "same"]).0, 0);

    // Four times as slow, at another address: that is no part of a fingerprint.
    let slower = StandIn::start(&["--first-token-ms", "60"]);
    write(dir.path(), "slow.yaml", &yaml(&slower, &ollama, gate));
    let slow = ["run", "slow.yaml", "--out", "slow", "-q", "--judge-stand-ins", "--baseline", "base"];
    let (code, table, err) = say(&slow);
    assert!(code == 1 && table.contains("FAIL") && table.contains("worse"), "{table}{err}");
    let (code, _, err) = say(&["baseline", "save", "base", "slow", "--reason", "worse", "--stand-ins"]);
    assert!(code == 2 && err.contains("not all gates passed"), "{err}");

    // Another load is another setup: told before anything is sent, and compared only where that is asked for.
    let other = ["--set", "load.closed.users=1", "--judge-stand-ins", "--baseline", "base", "-q"];
    let (code, _, err) = say(&[&["run", "t.yaml", "--out", "other"][..], &other].concat());
    assert!(code == 2 && err.contains("load: closed loop, 2 users in the baseline, closed loop, 1 users now"), "{err}");
    assert!(!dir.path().join("other").exists());
    let (_, table, _) = say(&[&["run", "t.yaml", "--out", "other", "--across"][..], &other].concat());
    assert!(table.contains("DIFFERENT SETUPS: load closed loop, 2 users"), "{table}");
    let across = &json(&dir.path().join("other/report.json"))["baseline"]["across"];
    let what: BTreeSet<_> = across.as_array().unwrap().iter().filter_map(|unlike| unlike["what"].as_str()).collect();
    assert_eq!(what, BTreeSet::from(["load"]));

    assert_eq!(say(&["baseline", "rm", "base"]).0, 0);
    assert_eq!(say(&["baseline", "rm", "base"]).0, 2);
}

/// More than half of one side's requests fail: the work was unequal, and the comparison is invalid. That they failed is no
/// matter of comparison.
#[test]
fn what_one_side_did_is_judged_where_the_comparison_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Raw::start(|number, _| match number % 9 {
        0 | 2 | 4 | 6 => Do::Answer(Duration::from_millis(5)),
        _ => Do::Reply(response("500 Internal Server Error", "", r#"{"error":"out of memory"}"#)),
    });
    let good = Raw::start(|_, _| Do::Answer(Duration::from_millis(5)));
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n{}{}reference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 8, words: {{ fixed: 5 \
         }} }} }}, sampling: {{ max_tokens: 8 }} }}\nload: {{ closed: {{ users: 1, requests: 18 }} }}\ngates:\n  - errors == 0\n  \
         - a.latency.p50 <= 100 * b.latency.p50\n  - b.latency.max <= 60s\n",
        broken.target("a"),
        good.target("b")
    );
    write(dir.path(), "t.yaml", &yaml);
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("loadcmp: invalid:") && err.contains("different amounts of work"), "{err}");
    assert!(err.contains("4 gates: 2 passed, 1 failed, 1 not measured") && table.contains("FAIL"), "{table}{err}");
    let out = dir.path().join("out");
    assert_eq!(outcomes(&out), ["fail", "pass", "not measured", "pass"]);
    let gates = json(&out.join("report.json"))["judgement"]["gates"].clone();
    assert_eq!((gates[0]["outcome"].as_str(), gates[0]["value"].as_f64().map(|x| x > 0.5)), (Some("fail"), Some(true)));
    assert!(gates[2]["reason"].as_str().is_some_and(|why| why.contains("the run is invalid")), "{gates}");
    let junit = std::fs::read_to_string(out.join("junit.xml")).unwrap();
    assert!(junit.contains("failures=\"1\"") && junit.contains("type=\"failed\""), "{junit}");
    assert_eq!(ask(dir.path(), &["report", "out"]).0, 4);
}
