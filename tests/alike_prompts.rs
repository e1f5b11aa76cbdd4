//! Whether both sides read the same: templates that differ, prompts that a nonce changes, schemas that aren't kept.

use crate::cli::{Row, StandIn, ask, json, number, rows, write};
use std::path::Path;

/// A scenario of two targets, and what is asked.
fn scenario(targets: [String; 2], task: &str, workload: &str, load: &str) -> String {
    let [a, b] = targets;
    format!(
        "name: t\ntask: {task}\nseed: 5\ntargets:\n  a: {a}\n  b: {b}\nreference: b\nworkload: {{ {workload} }}\nload: {{ \
         closed: {{ {load} }} }}\n"
    )
}

fn openai(engine: &StandIn) -> String {
    format!("{{ openai: {{ url: \"{}\" }} }}", engine.url)
}

fn ollama(engine: &StandIn) -> String {
    format!("{{ ollama: {{ url: \"{}\" }} }}", engine.url)
}

/// Runs it; the findings, and what was said.
fn run(dir: &Path, yaml: &str) -> (Vec<Row>, String) {
    write(dir, "t.yaml", yaml);
    let (code, out, err) = ask(dir, &["run", "t.yaml", "--full", "--out", "out"]);
    assert!([0, 4].contains(&code), "{code}: {err}");
    (rows(&dir.join("out/findings.csv")), out)
}

fn finding<'a>(found: &'a [Row], id: &str, target: &str) -> Option<&'a Row> {
    found.iter().find(|row| row["id"] == id && row["target"].starts_with(target))
}

const WORDS: &str =
    "prompts: { synthetic: { count: 40, words: { uniform: { min: 3, max: 12 } } } }, sampling: { max_tokens: 4 }";

#[test]
fn a_template_that_adds_a_system_message_is_found_and_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (StandIn::start(&["--template-tokens", "21"]), StandIn::start(&[]));
    let yaml = scenario([openai(&a), ollama(&b)], "generate", WORDS, "users: 2, requests: 24");
    // Before any load.
    write(dir.path(), "t.yaml", &yaml);
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 0, "{err}");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("template a (stand-in), b (stand-in) render a prompt differently"), "{told}");
    assert!(told.contains("a (stand-in): `the river runs past") && told.contains("b (stand-in): `{prompt}`"), "{told}");
    // By a run.
    let (found, table) = run(dir.path(), &yaml);
    let row = finding(&found, "templates-differ", "a").expect("the finding");
    assert_eq!(row["severity"], "warning");
    let sentence = &row["sentence"];
    assert!(sentence.contains("21 tokens longer than those of b (stand-in) (100.0 % of 24 pairs)"), "{sentence}");
    assert!(
        sentence.contains("a (stand-in): `the river runs past") && sentence.contains("b (stand-in): `{prompt}`"),
        "{sentence}"
    );
    let manifest = json(&dir.path().join("out/manifest.json"));
    assert_eq!(manifest["plan"]["targets"][1]["facts"]["template"], "{prompt}");
    // Prompt tokens stand beside each other in the table.
    let line = table.lines().find(|line| line.starts_with("prompt tokens, mean")).expect("the line");
    let figures: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!((figures[0] - figures[1] - 21.0).abs() < 0.2, "{line}");
    // The same from the directory alone.
    let (code, _, err) = ask(dir.path(), &["report", "out"]);
    assert_eq!(code, 0, "{err}");
    let again = rows(&dir.path().join("out/findings.csv"));
    assert_eq!(finding(&again, "templates-differ", "a").map(|row| &row["sentence"]), Some(sentence));
}

#[test]
fn like_templates_and_raw_prompts_are_no_finding() {
    let dir = tempfile::tempdir().expect("a directory");
    // The same template on both sides, a message of the workload's own, and a cache that serves much of it.
    let (a, b) = (StandIn::start(&["--template-tokens", "9"]), StandIn::start(&["--template-tokens", "9"]));
    let workload = format!("{WORDS}, system: Be brief., prompt_cache: as_is");
    let yaml = scenario([openai(&a), ollama(&b)], "generate", &workload, "users: 2, requests: 24");
    write(dir.path(), "t.yaml", &yaml);
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 0 && told.contains("a (stand-in), b (stand-in) render a prompt identically"), "{told}\n{err}");
    let found = run(dir.path(), &yaml).0;
    assert!(finding(&found, "templates-differ", "a").is_none(), "{found:?}");
    // A side that doesn't tell is named, and nothing is made of it.
    let json = format!(
        "{{ json: {{ url: \"{}\", path: /api/generate, body: {{ model: standin, prompt: \"{{{{prompt}}}}\", stream: false }}, \
         answer: {{ text: /response }} }} }}",
        a.url
    );
    write(dir.path(), "t.yaml", &scenario([json, ollama(&b)], "generate", WORDS, "users: 2, requests: 24"));
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 0 && told.contains("template not compared; not reported by a (stand-in)"), "{told}\n{err}");
    // Raw: no template is put around, whatever it is.
    let dir = tempfile::tempdir().expect("a directory");
    let other = StandIn::start(&[]);
    let workload = format!("{WORDS}, format: raw");
    let yaml = scenario([openai(&a), ollama(&other)], "generate", &workload, "users: 2, requests: 24");
    write(dir.path(), "t.yaml", &yaml);
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 0 && !told.contains("render a prompt"), "{told}\n{err}");
    assert!(finding(&run(dir.path(), &yaml).0, "templates-differ", "a").is_none());
}

const TICKETS: &str = "prompts: { csv: { path: tickets.csv, text: text, label: label } }, labels: [bug, praise]";

/// Tickets of two labels, and the file.
fn tickets(dir: &Path, count: usize) -> String {
    let line = |n: usize| format!("\"Ticket number {n}, please look at it\",{}\n", ["bug", "praise"][n % 2]);
    let text = format!("text,label\n{}", (0..count).map(line).collect::<String>());
    write(dir, "tickets.csv", &text).display().to_string()
}

#[test]
fn a_schema_that_is_not_kept_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = tickets(dir.path(), 12);
    // One keeps it; the other was never told of it, for its body says nothing of it.
    let keeps = StandIn::start(&["--labels", &file]);
    let free = StandIn::start(&["--labels", &file, "--quirk", "schema-ignored"]);
    let workload = format!("{TICKETS}, constrain: schema, sampling: {{ max_tokens: 32 }}");
    let found =
        run(dir.path(), &scenario([openai(&free), ollama(&keeps)], "classify", &workload, "users: 2, requests: 24")).0;
    let sentence = &finding(&found, "schema-not-kept", "a").expect("the finding")["sentence"];
    assert!(sentence.contains("24 of 24 answers (100.0 %)") && sentence.contains("does not enforce it"), "{sentence}");
    assert!(finding(&found, "schema-not-kept", "b").is_none(), "{found:?}");
    let samples = rows(&dir.path().join("out/samples.csv"));
    for row in samples.iter().filter(|row| row["phase"] == "measure") {
        assert_eq!(row["remarks"], if row["target"] == "a" { "out_of_schema" } else { "" }, "{row:?}");
        // A bare label is read all the same.
        assert_eq!(row["label"], row["expected_label"], "{row:?}");
    }
}

#[test]
fn a_limit_that_cuts_the_schema_is_refused_with_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    tickets(dir.path(), 4);
    let workload = format!("{TICKETS}, constrain: schema, sampling: {{ max_tokens: 8 }}");
    let auto = || "{ ollama: { url: auto } }".to_owned();
    write(dir.path(), "t.yaml", &scenario([auto(), auto()], "classify", &workload, "users: 2, requests: 24"));
    for command in ["check", "run"] {
        let (code, _, err) = ask(dir.path(), &[command, "t.yaml"]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains("`max_tokens` is 8") && err.contains("{\"label\": \"praise\"}"), "{err}");
        assert!(err.contains("max_tokens: 32") && err.contains("t.yaml:8:"), "{err}");
    }
}

#[test]
fn a_list_of_the_labels_is_no_answer() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = tickets(dir.path(), 12);
    let (lists, says) =
        (StandIn::start(&["--labels", &file, "--quirk", "lists-labels"]), StandIn::start(&["--labels", &file]));
    let workload = format!("{TICKETS}, sampling: {{ max_tokens: 32 }}");
    run(dir.path(), &scenario([openai(&lists), ollama(&says)], "classify", &workload, "users: 2, requests: 24"));
    let summary = rows(&dir.path().join("out/summary.csv"));
    let unparsed = |target: &str| {
        let row = summary.iter().find(|row| row["target"] == target && row["metric"] == "unparsed_rate");
        row.and_then(|row| number(row, "mean"))
    };
    assert_eq!((unparsed("a"), unparsed("b")), (Some(1.0), Some(0.0)));
}

#[test]
fn a_nonce_stands_before_what_is_asked_and_an_answer_that_repeats_it_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = tickets(dir.path(), 12);
    let record = dir.path().join("record.csv");
    let (a, b) = (
        StandIn::start(&["--labels", &file, "--record", &record.display().to_string()]),
        StandIn::start(&["--labels", &file, "--quirk", "repeats-start"]),
    );
    let workload = format!("{TICKETS}, prompt_cache: bust, sampling: {{ max_tokens: 8 }}");
    let found = run(dir.path(), &scenario([openai(&a), ollama(&b)], "classify", &workload, "users: 2, requests: 24")).0;
    let row = finding(&found, "nonce-in-answers", "b").expect("the finding");
    assert_eq!(row["severity"], "warning");
    assert!(row["sentence"].contains("24 of 24 answers (100.0 %) repeat the nonce"), "{row:?}");
    assert!(finding(&found, "nonce-in-answers", "a").is_none(), "{found:?}");
    // An engine that minds the task says the right label, nonce or not.
    let summary = rows(&dir.path().join("out/summary.csv"));
    let accuracy = summary.iter().find(|row| row["target"] == "a" && row["metric"] == "accuracy").expect("accuracy");
    assert_eq!(number(accuracy, "mean"), Some(1.0));
}
