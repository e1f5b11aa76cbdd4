//! What became of gates, as it is told in three places at once: the table, `junit.xml`, the exit code.

use crate::cli::{StandIn, ask, rows, write};
use crate::raw::{Do, Raw, response};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// A scenario of 30 requests each to two engines.
fn yaml(a: &str, b: &str, gates: &[&str]) -> String {
    let gates: String = gates.iter().map(|gate| format!("  - {gate}\n")).collect();
    format!(
        "name: t\ntask: generate\ntargets:\n{a}{b}reference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 8, words: {{ fixed: \
         5 }} }} }}, sampling: {{ max_tokens: 8 }} }}\nload: {{ closed: {{ users: 1, requests: 30 }} }}\ngates:\n{gates}"
    )
}

/// The cases of a `junit.xml`, by name: the tag in each, `pass` where there is none.
fn cases(junit: &str) -> BTreeMap<String, String> {
    let plain = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">");
    let mut all = BTreeMap::new();
    for line in junit.lines().filter(|line| line.contains("<testcase ")) {
        let name = line.split(" name=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a name");
        let tag = ["failure", "error", "skipped"].into_iter().find(|tag| line.contains(&format!("<{tag} ")));
        all.insert(plain(name), tag.unwrap_or("pass").to_owned());
    }
    let of = |tag: &str| all.values().filter(|found| *found == tag).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        all.len(),
        of("failure"),
        of("error"),
        of("skipped")
    );
    assert!(junit.contains(&counts), "{counts}: {junit}");
    all
}

/// The outcomes of the table, by gate.
fn outcomes(table: &str, gates: &[&str]) -> BTreeMap<String, String> {
    const WORDS: [&str; 4] = ["pass", "FAIL", "inconclusive", "not measured"];
    let of = |gate: &&str| {
        let line = table.lines().find(|line| line.contains(*gate)).unwrap_or_else(|| panic!("{gate}: {table}"));
        let words = line.trim_start_matches([' ', '│', '|']);
        let word = WORDS.into_iter().find(|word| words.starts_with(word)).unwrap_or_else(|| panic!("{line}"));
        ((*gate).to_owned(), word.to_owned())
    };
    gates.iter().map(of).collect()
}

/// Runs, and reads all three; each has to say what the others do. The exit code, and what became of each gate.
fn decided(dir: &Path, targets: (&str, &str), gates: &[&str], more: &[&str]) -> (i32, Vec<String>) {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let out = format!("out{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    write(dir, "t.yaml", &yaml(targets.0, targets.1, gates));
    let (code, table, err) = ask(dir, &[&["run", "t.yaml", "--out", &out, "-q"], more].concat());
    let junit = std::fs::read_to_string(dir.join(&out).join("junit.xml")).unwrap_or_else(|_| panic!("{err}"));
    let (cases, outcomes) = (cases(&junit), outcomes(&table, gates));
    let sheet: Vec<String> = rows(&dir.join(&out).join("gates.csv")).iter().map(|row| row["outcome"].clone()).collect();
    let counts = more.iter().position(|arg| *arg == "--inconclusive").map(|at| more[at + 1]);
    for (gate, told) in gates.iter().zip(&sheet) {
        assert_eq!(outcomes[*gate].to_lowercase(), *told, "{table}");
        let tag = match (told.as_str(), counts) {
            ("pass", _) => "pass",
            ("fail", _) | ("inconclusive", Some("fail")) => "failure",
            ("inconclusive", _) => "skipped",
            _ => "error",
        };
        assert_eq!(cases[*gate], tag, "{gate}: {junit}");
    }
    // What a CI server makes of the file is what the exit code says.
    let has = |tag: &str| cases.values().any(|found| found == tag);
    let invalid = cases.get("the run is valid").is_some_and(|tag| tag == "error");
    let want = match () {
        () if invalid => 4,
        () if has("failure") => 1,
        () if has("error") || has("skipped") && counts != Some("pass") => 5,
        () => 0,
    };
    assert_eq!(code, want, "{junit}{err}");
    // Told again it is the same.
    assert_eq!(ask(dir, &["report", &out]).0, code);
    assert_eq!(std::fs::read_to_string(dir.join(&out).join("junit.xml")).expect("a file"), junit);
    (code, sheet)
}

#[test]
fn table_junit_and_exit_code_say_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let engine = || Raw::start(|_, _| Do::Answer(Duration::from_millis(5)));
    let (a, b) = (engine(), engine());
    let targets = (a.target("a"), b.target("b"));
    let targets = (targets.0.as_str(), targets.1.as_str());
    // A rate far above its bound is no matter of chance, however few the answers.
    let passed = ["a.latency.max <= 60s", "a.requests_per_s >= 0.5", "b.errors == 0"];
    assert_eq!(decided(dir, targets, &passed, &[]), (0, vec!["pass".to_owned(); 3]));
    let failed = ["a.latency.min <= 1ms", "a.requests_per_s >= 5000", "a.errors == 0"];
    assert_eq!(decided(dir, targets, &failed, &[]).0, 1);
    assert_eq!(decided(dir, targets, &failed, &["--inconclusive", "pass"]).1[..2], ["fail", "fail"]);
    // Thirty requests carry no interval of a 95th percentile.
    let open = ["a.latency.p95 <= 60s", "b.errors == 0"];
    for (more, code) in [
        (&[][..], 5),
        (&["--inconclusive", "exit5"], 5),
        (&["--inconclusive", "pass"], 0),
        (&["--inconclusive", "fail"], 1),
    ] {
        assert_eq!(decided(dir, targets, &open, more), (code, vec!["inconclusive".to_owned(), "pass".to_owned()]));
    }
    // What was not measured is never a pass.
    let missing = ["a.ttft.p50 <= 60s", "b.errors == 0"];
    for more in [&[][..], &["--inconclusive", "pass"], &["--inconclusive", "fail"]] {
        assert_eq!(decided(dir, targets, &missing, more), (5, vec!["not measured".to_owned(), "pass".to_owned()]));
    }
    // A stand-in passes nothing, and fails nothing.
    let stand_in = StandIn::start(&["--first-token-ms", "5"]);
    let openai = format!("  a: {{ openai: {{ url: \"{}\" }} }}\n", stand_in.url);
    let gates = ["a.latency.max <= 60s", "b.errors == 0"];
    let (code, told) = decided(dir, (&openai, targets.1), &gates, &["--inconclusive", "pass"]);
    assert_eq!((code, told), (5, vec!["not measured".to_owned(), "pass".to_owned()]));
    let (code, _, err) = ask(dir, &["run", "t.yaml", "--inconclusive", "never"]);
    assert!(code == 2 && err.contains("exit5"), "{err}");
}

#[test]
fn an_invalid_run_is_an_error_in_all_three() {
    let dir = tempfile::tempdir().expect("a directory");
    let broken = Raw::start(|number, _| match number % 9 {
        0 | 2 | 4 | 6 => Do::Answer(Duration::from_millis(5)),
        _ => Do::Reply(response("500 Internal Server Error", "", r#"{"error":"out of memory"}"#)),
    });
    let good = Raw::start(|_, _| Do::Answer(Duration::from_millis(5)));
    let targets = (broken.target("a"), good.target("b"));
    // What one side did is judged, and passes: the run is invalid all the same.
    let gates = ["b.latency.max <= 60s", "b.errors == 0"];
    let (code, told) = decided(dir.path(), (&targets.0, &targets.1), &gates, &["--inconclusive", "pass"]);
    assert_eq!((code, told), (4, vec!["pass".to_owned(); 2]));
    // Times of the answered ones alone pass nothing, nor does what is in them.
    let few = ["a.latency.max <= 60s", "a.output_tokens.max <= 1000"];
    assert_eq!(decided(dir.path(), (&targets.0, &targets.1), &few, &[]).1, ["inconclusive"; 2]);
}
