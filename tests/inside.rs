//! What engines report of the tokens of an answer beyond their number, from the wire to the table: guessed ahead, of thought.

use crate::cli::{Row, StandIn, ask, json, made_again, number, rows, write};
use crate::common::gguf;
use crate::raw::{Do, Raw, response};
use std::path::Path;

/// A scenario of two targets `a` and `b`, each a line of YAML.
fn scenario(a: &str, b: &str, workload: &str) -> String {
    format!(
        "name: t\ntask: generate\nseed: 5\ntargets:\n  a: {a}\n  b: {b}\nreference: b\nworkload: {{ prompts: {{ synthetic: {{ \
         count: 20, words: {{ fixed: 12 }} }} }}, {workload} }}\nload: {{ closed: {{ users: 2, requests: 24 }} }}\n"
    )
}

fn measured(dir: &Path, target: &str) -> Vec<Row> {
    let all = crate::cli::measured(dir, target);
    assert_eq!(all.len(), 24);
    all
}

fn summary(dir: &Path, target: &str, metric: &str) -> Option<f64> {
    let all = rows(&dir.join("out/summary.csv"));
    all.iter().find(|row| row["target"] == target && row["metric"] == metric).and_then(|row| number(row, "mean"))
}

fn findings(dir: &Path, id: &str) -> Vec<Row> {
    let mut all = rows(&dir.join("out/findings.csv"));
    all.retain(|row| row["id"] == id);
    all
}

const NINE: &str = "sampling: { max_tokens: 9 }";

#[test]
fn what_is_guessed_ahead_is_in_rows_table_and_gates_and_one_side_alone_is_doubted() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (StandIn::start(&["--draft", "4", "--draft-accept", "0.5"]), StandIn::start(&[]));
    let targets = |wire: &str, engine: &StandIn| format!("{{ {wire}: {{ url: \"{}\" }} }}", engine.url);
    let text = scenario(&targets("openai", &a), &targets("ollama", &b), NINE);
    write(dir.path(), "t.yaml", &(text + "gates: [ a.draft_acceptance >= 10% ]\n"));
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out", "--judge-stand-ins"]);
    assert_eq!(code, 0, "{err}");
    assert!(table.contains("pass     a.draft_acceptance >= 10%"), "{table}");
    // 1 + (2 of 4) + 1 + (2 of 4) + 1 + (0 of 1) + 1 are nine tokens.
    for row in measured(dir.path(), "a") {
        assert_eq!([&*row["draft_tokens"], &row["draft_accepted"], &row["output_tokens"]], ["9", "4", "9"], "{row:?}");
    }
    assert!(
        measured(dir.path(), "b").iter().all(|row| row["draft_tokens"].is_empty() && row["draft_accepted"].is_empty())
    );
    assert!((summary(dir.path(), "a", "draft_acceptance").expect("a share") - 4.0 / 9.0).abs() < 1e-6);
    assert_eq!(summary(dir.path(), "b", "draft_acceptance"), None);
    let line = table.lines().find(|line| line.starts_with("draft acceptance")).expect("a line");
    assert!(line.contains("44.4 %") && line.contains('–'), "{line}");
    let found = findings(dir.path(), "drafting");
    let [told] = &found[..] else { panic!("{found:?}") };
    assert!(
        told["sentence"].contains("a (stand-in) uses speculative decoding in 24 of 24 answers, 44.4 % of")
            && told["sentence"].contains("b (stand-in) reports none"),
        "{told:?}"
    );
    assert_eq!(told["severity"], "warning");
    let settings = json(&dir.path().join("out/manifest.json"))["plan"]["targets"][0]["facts"]["settings"].to_string();
    assert!(settings.contains(r#""name":"speculative","value":"true","by":"/slots""#), "{settings}");
    made_again(dir.path(), &["summary.csv", "findings.csv"], &table);
}

#[test]
fn where_both_sides_or_none_guess_ahead_nothing_is_doubted() {
    for (drafts, line) in [("4", true), ("0", false)] {
        let dir = tempfile::tempdir().expect("a directory");
        let engines = [(); 2].map(|()| StandIn::start(&["--draft", drafts]));
        let [a, b] = engines.each_ref().map(|engine| format!("{{ openai: {{ url: \"{}\" }} }}", engine.url));
        write(dir.path(), "t.yaml", &scenario(&a, &b, NINE));
        let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
        assert_eq!(code, 0, "{err}");
        assert_eq!(table.contains("draft acceptance"), line, "{table}");
        assert!(findings(dir.path(), "drafting").is_empty());
    }
}

/// Tokens of thought that a stand-in has at each level, of eight: it heeds all words but Ollama's `think: false`.
const LEVELS: [&str; 5] = ["off", "on", "low", "medium", "high"];

/// For each wire: the target, whether its engine reports tokens of thought, and how many it has at each level.
const WIRES: [(&str, &str, bool, [u64; 5]); 4] = [
    ("ollama", "ollama: { url: \"{url}\" }", false, [8, 8, 2, 4, 8]),
    ("chat", "openai: { url: \"{url}\" }", true, [0, 4, 2, 4, 8]),
    ("responses", "openai: { url: \"{url}\", api: responses }", true, [0, 4, 2, 4, 8]),
    ("messages", "openai: { url: \"{url}\", api: messages }", false, [0, 8, 2, 4, 8]),
];

/// Levels of reasoning on each wire, as streams: pieces, tokens where they are reported, and the times of both first tokens.
#[test]
fn thoughts_are_counted_apart_from_the_answer_at_each_level_on_each_wire() {
    // A first token after 10 ms, and one each 10 ms.
    let engine =
        StandIn::start(&["--think-tokens", "8", "--first-token-ms", "10", "--decode-rate", "100", "--slots", "32"]);
    std::thread::scope(|scope| {
        for at in 0..LEVELS.len() {
            let engine = &engine;
            scope.spawn(move || thoughts_at(at, engine));
        }
    });
}

fn thoughts_at(at: usize, engine: &StandIn) {
    let level = LEVELS[at];
    let dir = tempfile::tempdir().expect("a directory");
    let targets: String = WIRES
        .iter()
        .map(|(name, target, ..)| format!("  {name}: {{ {} }}\n", target.replace("{url}", &engine.url)))
        .collect();
    let text = format!(
        "name: t\ntask: chat\nseed: 5\ntargets:\n{targets}reference: chat\nworkload:\n  prompts: {{ synthetic: {{ count: 20, words: \
             {{ fixed: 12 }} }} }}\n  think: {level}\n  sampling: {{ max_tokens: 12 }}\norder: isolated\nallow_same_endpoint: true\n\
             load: {{ closed: {{ users: 4, requests: 6 }} }}\n"
    );
    write(dir.path(), "t.yaml", &text);
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{level}: {err}");
    for (name, _, reports, thoughts) in WIRES {
        let thoughts = thoughts[at];
        let mut all = rows(&dir.path().join("out/samples.csv"));
        all.retain(|row| row["target"] == name && row["phase"] == "measure");
        assert_eq!(all.len(), 6, "{level} {name}");
        let mut later = 0;
        let reported = if reports && thoughts > 0 { thoughts.to_string() } else { String::new() };
        for row in &all {
            let told = [&*row["output_tokens"], &row["chunks"], &row["thoughts"], &row["thought_tokens"]];
            assert_eq!(told, ["12", "12", &thoughts.to_string(), &reported], "{level} {name}: {row:?}");
            let [sent, first, answer] =
                ["sent_us", "first_token_us", "first_answer_us"].map(|column| number(row, column).expect(column));
            assert!(first - sent >= 10_000.0, "{level} {name}: {row:?}");
            // Each thought takes its gap, and the answer's first token one more.
            assert!(answer - sent >= 10_000.0 + 10_000.0 * thoughts as f64 - 1.0, "{level} {name}: {row:?}");
            // A client that is kept waiting reads both at once.
            assert!(answer >= first && (thoughts > 0 || answer == first), "{level} {name}: {row:?}");
            later += usize::from(answer > first);
        }
        assert!(later > 0 || thoughts == 0, "{level} {name}: {all:?}");
        let mean = |metric: &str| summary(dir.path(), name, metric);
        let some = (thoughts > 0).then_some(thoughts as f64);
        assert_eq!(mean("thought_pieces"), some, "{level} {name}");
        assert_eq!(mean("thought_tokens"), some.filter(|_| reports), "{level} {name}");
        assert_eq!(mean("answer_tokens"), some.filter(|_| reports).map(|n| 12.0 - n), "{level} {name}");
        let times = ["ttft", "ttfat"].map(|metric| mean(metric).expect(metric));
        assert!(times[1] - times[0] > 0.0 || thoughts == 0, "{level} {name}: {times:?}");
    }
    assert_eq!(table.contains("thought tokens, mean"), level != "off", "{table}");
    assert!(table.contains("thought pieces, mean"), "{table}");
}

/// Counts of thought that are none: 0 although it thinks (Ollama's `/v1/responses`), and more than there are tokens.
#[test]
fn a_count_of_thoughts_that_cannot_be_is_none() {
    let stream = |count: &str| {
        let thought = r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#;
        let text = r#"{"choices":[{"delta":{"content":" yes"},"finish_reason":"stop"}]}"#;
        let usage = format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":5,"completion_tokens":4,"completion_tokens_details":{{"reasoning_tokens":{count}}}}}}}"#
        );
        let events = [thought, text, &usage, "[DONE]"].map(|event| format!("data: {event}\n\n")).concat();
        let length = events.len();
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {length}\r\n\r\n{events}")
    };
    for (count, told, remarks) in [
        ("3", "3", ""),
        ("0", "", ""),
        ("4", "4", ""),
        ("5", "", "bad_count"),
        ("-1", "", "bad_count"),
        ("null", "", ""),
    ] {
        let answer = stream(count);
        let server = Raw::start(move |_, _| Do::Reply(answer.clone()));
        let dir = tempfile::tempdir().expect("a directory");
        let target = format!("{{ openai: {{ url: \"{}\", model: m }} }}", server.url);
        let text = scenario(&target, &target, NINE).replace("task: generate", "task: chat");
        write(dir.path(), "t.yaml", &(text + "allow_same_endpoint: true\n"));
        let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
        assert!(dir.path().join("out/samples.csv").exists(), "{code}: {err}");
        for row in measured(dir.path(), "a") {
            assert_eq!((&*row["thought_tokens"], &*row["remarks"]), (told, remarks), "{count}: {row:?}");
        }
    }
}

/// The mean log-probability of each answer of a target's; blank cells are left out.
fn logprobs(dir: &Path, target: &str) -> Vec<f64> {
    measured(dir, target).iter().filter_map(|row| number(row, "answer_logprob")).collect()
}

/// Six tokens of -0.25, -0.5, -0.75, -1, -0.25 and -0.5.
const SIX: &str = "sampling: { max_tokens: 6 }, logprobs: true";

#[test]
fn the_probability_of_its_own_answer_is_reported_where_both_sides_are_asked_for_it() {
    let (a, b) = (StandIn::start(&[]), StandIn::start(&[]));
    let target = |wire: &str, engine: &StandIn| format!("{{ {wire}: {{ url: \"{}\" }} }}", engine.url);
    for more in ["", ", stream: false", ", format: raw", ", format: raw, stream: false"] {
        let dir = tempfile::tempdir().expect("a directory");
        let text = scenario(&target("openai", &a), &target("ollama", &b), &format!("{SIX}{more}"));
        write(dir.path(), "t.yaml", &text);
        let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
        assert_eq!(code, 0, "{more}: {err}");
        for target in ["a", "b"] {
            let each = logprobs(dir.path(), target);
            assert!(
                each.len() == 24 && each.iter().all(|mean| (mean + 3.25 / 6.0).abs() < 1e-9),
                "{more} {target}: {each:?}"
            );
            let mean = summary(dir.path(), target, "answer_logprob").expect("a mean");
            assert!((mean + 3.25 / 6.0).abs() < 1e-6, "{mean}");
        }
        let line = table.lines().find(|line| line.starts_with("own answer's logprob")).expect("a line");
        assert_eq!(line.matches("-0.542").count(), 2, "{line}");
        made_again(dir.path(), &["summary.csv"], &table);
    }
    // Nobody asks, nobody reports.
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "t.yaml", &scenario(&target("openai", &a), &target("ollama", &b), "sampling: { max_tokens: 6 }"));
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    assert!(logprobs(dir.path(), "a").is_empty() && logprobs(dir.path(), "b").is_empty() && !table.contains("logprob"));
}

#[test]
fn probabilities_that_are_not_those_of_the_whole_answer_are_none() {
    // Of what was guessed ahead llama-server reports none; of thoughts in a stream it is known which are theirs, else not.
    let (drafts, thinks) = (StandIn::start(&["--draft", "2"]), StandIn::start(&["--think-tokens", "2"]));
    let target = |engine: &StandIn, more: &str| format!("{{ openai: {{ url: \"{}\"{more} }} }}", engine.url);
    for (stream, of_thinker) in [("", Some(-2.5 / 4.0)), (", stream: false", None)] {
        let dir = tempfile::tempdir().expect("a directory");
        let text = scenario(&target(&drafts, ""), &target(&thinks, ""), &format!("{SIX}{stream}"));
        write(dir.path(), "t.yaml", &text.replace("task: generate", "task: chat"));
        let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
        assert_eq!(code, 0, "{err}");
        assert!(logprobs(dir.path(), "a").is_empty());
        let each = logprobs(dir.path(), "b");
        assert_eq!(each, of_thinker.map(|mean| vec![mean; 24]).unwrap_or_default(), "{stream}");
    }
    // An API without a place for them says so before the load.
    let dir = tempfile::tempdir().expect("a directory");
    let text = scenario(&target(&thinks, ", api: responses"), &target(&thinks, ", api: messages"), SIX);
    write(dir.path(), "t.yaml", &(text + "allow_same_endpoint: true\n"));
    let (code, out, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!((code, out.matches("`logprobs` isn't sent").count()), (0, 2), "{out}{err}");
    // What can't be a logarithm of a probability, and fewer than there are tokens.
    for (told, count, logprob, remarks) in [
        ("-0.5},{\"logprob\":-1.5", 2, "-1", ""),
        ("-0.5},{\"logprob\":-1.5", 3, "-1", ""),
        ("-0.5},{\"logprob\":-1.5", 4, "", ""),
        ("0.5", 1, "", "bad_count"),
        ("null", 1, "", "bad_count"),
    ] {
        let body = format!(
            r#"{{"choices":[{{"message":{{"content":" yes"}},"finish_reason":"stop","logprobs":{{"content":[{{"logprob":{told}}}]}}}}],"usage":{{"prompt_tokens":5,"completion_tokens":{count}}}}}"#
        );
        let answer = response("200 OK", "", &body);
        let server = Raw::start(move |_, _| Do::Reply(answer.clone()));
        let target = format!("{{ openai: {{ url: \"{}\", model: m }} }}", server.url);
        let dir = tempfile::tempdir().expect("a directory");
        let text = scenario(&target, &target, &format!("{SIX}, stream: false"));
        write(dir.path(), "t.yaml", &(text + "allow_same_endpoint: true\n"));
        let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
        assert!(dir.path().join("out/samples.csv").exists(), "{code}: {err}");
        for row in measured(dir.path(), "a") {
            assert_eq!((&*row["answer_logprob"], &*row["remarks"]), (logprob, remarks), "{told} {count}: {row:?}");
        }
    }
}

#[test]
fn answers_by_the_schema_are_counted_where_one_is_sent() {
    let (keeps, ignores) = (StandIn::start(&[]), StandIn::start(&["--quirk", "schema-ignored"]));
    for (constrain, a, b) in [("schema", Some(1.0), Some(0.0)), ("none", None, None)] {
        let dir = tempfile::tempdir().expect("a directory");
        let lines: String = (0..12).map(|n| format!("Ticket {n},{}\n", ["bug", "praise"][n % 2])).collect();
        write(dir.path(), "tickets.csv", &format!("text,label\n{lines}"));
        let text = format!(
            "name: t\ntask: classify\nseed: 5\ntargets:\n  a: {{ openai: {{ url: \"{}\" }} }}\n  b: {{ openai: {{ url: \"{}\" }} }}\n\
             reference: b\nworkload: {{ prompts: {{ csv: {{ path: tickets.csv, text: text, label: label }} }}, labels: [bug, praise], \
             constrain: {constrain} }}\nload: {{ closed: {{ users: 2, requests: 24 }} }}\ngates: [ a.valid_json >= 20% ]\n",
            keeps.url, ignores.url
        );
        write(dir.path(), "t.yaml", &text);
        let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out", "--judge-stand-ins"]);
        assert_eq!(code == 0, a.is_some(), "{constrain}: {code} {err}");
        assert_eq!(
            [summary(dir.path(), "a", "valid_json"), summary(dir.path(), "b", "valid_json")],
            [a, b],
            "{constrain}"
        );
        assert_eq!(table.lines().any(|line| line.starts_with("valid JSON")), a.is_some(), "{table}");
    }
}

/// A model's file with these numbers in its header.
fn model(numbers: &[(&str, u32)]) -> Vec<u8> {
    gguf(&[("general.architecture", "llama"), ("tokenizer.ggml.model", "gpt2")], numbers)
}

/// SmolLM2-135M's shape: 30 layers, 3 heads of 64 numbers; a window that slides; a file that is no model.
const SHAPE: [(&str, u32); 4] = [
    ("llama.block_count", 30),
    ("llama.attention.head_count", 9),
    ("llama.attention.head_count_kv", 3),
    ("llama.embedding_length", 576),
];

#[cfg(target_os = "linux")]
#[test]
fn the_context_of_a_server_that_does_not_tell_its_models_shape_is_computed_by_the_file() {
    let window: Vec<(&str, u32)> = [&SHAPE[..], &[("llama.attention.sliding_window", 512)]].concat();
    // 4 slots of 2048 tokens: llama.cpp logs 180 MiB for 8192 cells of f16.
    for (bytes, context) in
        [(model(&SHAPE), Some(180.0 * 1_048_576.0)), (model(&window), None), (b"GGUF, or so".to_vec(), None)]
    {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("m.gguf");
        std::fs::write(&path, &bytes).expect("a file");
        let path = path.to_str().expect("a path");
        let engine = StandIn::start(&["--model", path, "--context", "2048", "--slots", "4", "--first-token-ms", "40"]);
        let target = format!("{{ openai: {{ url: \"{}\" }} }}", engine.url);
        write(dir.path(), "t.yaml", &(scenario(&target, &target, NINE) + "allow_same_endpoint: true\n"));
        let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
        assert_eq!(code, 0, "{err}");
        assert_eq!(summary(dir.path(), "a", "memory_context"), context, "{table}");
        if context.is_some() {
            let facts = &json(&dir.path().join("out/manifest.json"))["plan"]["targets"][0]["facts"];
            let told = r#""name":"context_bytes","value":"188743680","by":"the model's file""#;
            assert!(facts["settings"].to_string().contains(told), "{facts}");
            assert!(table.lines().any(|line| line.contains("context (KV)") && line.contains("180 MiB")), "{table}");
        }
    }
}

/// A schema of the scenario's own: sent where the wire has a field for one, and every answer looked at.
#[test]
fn answers_are_held_to_a_schema_of_the_scenarios_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&["--slots", "4"]);
    let url = &engine.url;
    let body =
        "{ model: standin, prompt: \"{{prompt}}\", stream: false, options: { num_predict: \"{{max_tokens}}\" } }";
    let run = |schema: &str| {
        let yaml = format!(
            "name: t\ntask: generate\nallow_same_endpoint: true\ntargets:\n  a: {{ openai: {{ url: \"{url}\" }} }}\n  b: {{ ollama: \
             {{ url: \"{url}\" }} }}\n  c: {{ json: {{ url: \"{url}\", path: /api/generate, body: {body}, answer: {{ text: /response }} \
             }} }}\nworkload: {{ prompts: {{ inline: [ {{ text: Name a river. }}, {{ text: Name a tree. }} ] }}, sampling: {{ \
             max_tokens: 64 }}, schema: {{ {schema} }} }}\nload: {{ closed: {{ users: 1, requests: 6 }} }}\n"
        );
        write(dir.path(), "t.yaml", &yaml);
        let _ = std::fs::remove_dir_all(dir.path().join("out"));
        ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"])
    };
    let valid = |target: &str| {
        let all = rows(&dir.path().join("out/summary.csv"));
        let row = all.into_iter().find(|row| row["target"].starts_with(target) && row["metric"] == "valid_json");
        row.and_then(|row| number(&row, "mean"))
    };
    let found = |id: &str| {
        let all = rows(&dir.path().join("out/findings.csv"));
        all.into_iter().filter(|row| row["id"] == id).map(|row| row["sentence"].clone()).collect::<Vec<_>>()
    };
    let fits =
        "{ type: object, required: [summary], properties: { summary: { type: string } }, additionalProperties: false }";
    let (code, table, err) = run(&format!("inline: {fits}"));
    assert!([0, 4].contains(&code) && table.contains("valid JSON"), "{table}{err}");
    assert_eq!(["a", "b", "c"].map(valid), [Some(1.0), Some(1.0), None], "{table}");
    let told = found("cannot-honour");
    assert!(told.iter().any(|text| text.contains("`schema` isn't sent, and its answers are free text")), "{told:?}");
    assert_eq!(found("schema-not-kept"), Vec::<String>::new());
    // Another schema is other work, by the same prompts.
    let plan = |dir: &Path| json(&dir.join("out/manifest.json"))["plan"]["workload"]["schema"].clone();
    assert_eq!(plan(dir.path())["required"], serde_json::json!(["summary"]));
    // From a file. This stand-in writes texts, whatever the type.
    write(dir.path(), "s.json", r#"{"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}"#);
    let (code, table, err) = run("file: s.json");
    assert!([0, 4].contains(&code), "{table}{err}");
    assert_eq!(["a", "b", "c"].map(valid), [Some(0.0), Some(0.0), None], "{table}");
    assert_eq!(found("schema-not-kept").len(), 2);
    // What is no schema is said before anything is sent.
    for (text, words) in [("{", "s.json:1:"), ("[1]", "a schema is a JSON object")] {
        write(dir.path(), "s.json", text);
        let (code, _, err) = run("file: s.json");
        assert!(code == 2 && err.contains(words), "{err}");
    }
    let (code, _, err) = run("file: none.json");
    assert!(code == 2 && err.contains("t.yaml:") && err.contains("none.json"), "{err}");
}
