//! Loads that others recorded: their times, lengths and shared prefixes reach the engine, and a file that isn't one is told what
//! it looks like.

use crate::cli::{Row, StandIn, ask, json, number, one_line, rows, write};
use std::path::Path;

/// Copies one of the samples, and gives its name.
fn sample(dir: &Path, name: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/traces").join(name);
    std::fs::copy(from, dir.join(name)).expect("the sample");
}

fn scenario(task: &str, target: &str, file: &str, load: &str) -> String {
    format!(
        "name: t\ntask: {task}\nseed: 5\ntargets:\n{target}workload: {{ prompts: {{ trace: {{ path: {file} }} }}, prompt_cache: bust \
         }}\nload: {load}\n"
    )
}

fn target(wire: &str, engine: &StandIn) -> String {
    format!("  b: {{ {wire}: {{ url: \"{}\" }} }}\n", engine.url)
}

/// The measured rows, by their numbers.
fn measured(dir: &Path) -> Vec<Row> {
    let mut all = rows(&dir.join("out/samples.csv"));
    all.retain(|row| row["phase"] == "measure");
    all.sort_by_key(|row| row["index"].parse::<u64>().expect("a number"));
    all
}

/// A trace replayed `speed` times as fast on a stand-in: the rows that it served, in the order of arrival.
fn replayed(file: &str, wire: &str, speed: f64, expected: &[(f64, f64, f64)]) -> Vec<Row> {
    let dir = tempfile::tempdir().expect("a directory");
    sample(dir.path(), file);
    let record = dir.path().join("record.csv");
    // It would end many answers early by itself.
    let engine = StandIn::start(&[
        "--template-tokens",
        "6",
        "--prefix-cache",
        "100",
        "--early-stop",
        "0.9",
        "--slots",
        "8",
        "--record",
        record.to_str().expect("a path"),
    ]);
    let load = format!("{{ open: {{ trace: {{ path: {file}, speed: {speed} }} }} }}");
    write(dir.path(), "t.yaml", &scenario("generate", &target(wire, &engine), file, &load));
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 0, "{err}");
    assert!(one_line(&told).contains(&format!("of {} requests in", expected.len())), "{told}");
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    let all = measured(dir.path());
    assert_eq!(all.len(), expected.len());
    let planned = |row: &Row| number(row, "planned_us").expect("a plan");
    for (row, (at, input, output)) in all.iter().zip(expected) {
        let since = (planned(row) - planned(&all[0])) / 1e6 * speed;
        assert!((since - at).abs() < 1e-5, "{since} s in the place of {at}");
        assert_eq!(number(row, "prompt_tokens"), Some(*input));
        assert_eq!(number(row, "requested_prompt_tokens"), Some(*input));
        if wire == "openai" {
            assert_eq!(number(row, "output_tokens"), Some(*output), "`ignore_eos` is sent where it is known");
        }
        assert!(row["prefix_group"].is_empty());
    }
    let recorded = &json(&dir.path().join("out/manifest.json"))["plan"]["workload"]["tokens"]["recorded"];
    assert_eq!(recorded["requests"].as_u64(), Some(expected.len() as u64));
    let findings = rows(&dir.path().join("out/findings.csv"));
    assert!(findings.iter().all(|row| row["id"] != "cache-when-busting"), "what is shared is meant to be found");
    // What the engine itself says it was asked: the last ones, behind the questions and the first request.
    let mut served = rows(&record);
    served.retain(|row| !row["text_hash"].is_empty());
    let mut last = served.split_off(served.len() - expected.len());
    let arrived = |row: &Row| number(row, "arrived_us").expect("a time");
    last.sort_by(|a, b| arrived(a).total_cmp(&arrived(b)));
    for (row, (_, input, _)) in last.iter().zip(expected) {
        assert_eq!(number(row, "prompt_tokens"), Some(*input));
    }
    // It is never asked before its time, which the first one may have been behind.
    let first = arrived(&last[0]);
    let span = (arrived(&last[last.len() - 1]) - first) / 1e6 * speed;
    assert!(span > expected[expected.len() - 1].0 * 0.5, "{span}");
    last
}

#[test]
fn an_azure_trace_is_replayed() {
    let expected = [(0.0, 120.0, 5.0), (0.2, 64.0, 3.0), (0.25, 300.0, 9.0), (0.9, 64.0, 1.0)];
    replayed("azure.csv", "openai", 1.0, &expected);
}

#[test]
fn a_burstgpt_trace_is_replayed_at_another_speed_and_what_ollama_cannot_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    replayed("burstgpt.csv", "openai", 2.0, &[(0.0, 80.0, 4.0), (0.4, 250.0, 7.0), (1.0, 60.0, 2.0)]);
    sample(dir.path(), "burstgpt.csv");
    let engine = StandIn::start(&[]);
    let load = "{ closed: { users: 1, requests: 3 } }";
    write(dir.path(), "t.yaml", &scenario("generate", &target("ollama", &engine), "burstgpt.csv", load));
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 0, "{err}");
    let told = one_line(&told);
    for words in [
        "a BurstGPT trace of 3 requests in 1 s: prompts of 60 to 250 (p50 80, p90 250, p99 250) tokens, answers of 2 to 7",
        "so answers may be shorter than recorded",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    let counts = |column: &str| measured(dir.path()).iter().map(|row| row[column].clone()).collect::<Vec<_>>();
    assert_eq!(counts("requested_prompt_tokens"), ["80", "250", "60"], "in the record's order in a closed loop, too");
    assert_eq!(counts("output_tokens"), ["4", "7", "2"], "the stand-in ends none by itself here");
}

#[test]
fn a_mooncake_traces_blocks_are_shared_prefixes() {
    let expected = [(0.0, 1100.0, 3.0), (0.3, 1200.0, 4.0), (0.6, 700.0, 5.0), (0.9, 600.0, 2.0)];
    let served = replayed("mooncake.jsonl", "openai", 1.0, &expected);
    let cached: Vec<f64> = served.iter().map(|row| number(row, "cached_tokens").expect("a count")).collect();
    // What stands before the text is in common anyway; a word or two are alike by chance.
    let common = |n: usize, least: f64| assert!(cached[n] >= least && cached[n] < least + 30.0, "{cached:?}");
    common(1, 1024.0);
    common(2, 512.0);
    for n in [0, 3] {
        assert!(cached[n] < 30.0, "{cached:?}: the first request and the questions asked others");
    }
}

#[test]
fn conversations_of_others_are_asked_turn_by_turn() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&[]);
    for (file, told) in [("sharegpt.json", "1 conversations without a question are left out"), ("messages.jsonl", "")] {
        let _ = std::fs::remove_dir_all(dir.path().join("out"));
        sample(dir.path(), file);
        let load = "{ closed: { users: 1, requests: 2 } }";
        let text = scenario("chat", &target("openai", &engine), file, load);
        write(dir.path(), "t.yaml", &text);
        let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
        assert_eq!(code, 0, "{err}");
        assert!(one_line(&err).contains(told), "{err}");
        let turns: Vec<String> = measured(dir.path()).iter().map(|row| row["turn"].clone()).collect();
        let mut sorted = turns.clone();
        sorted.sort();
        assert_eq!(sorted, ["1", "1", "2"], "{turns:?}");
        write(dir.path(), "t.yaml", &text.replace("task: chat", "task: generate"));
        let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert!(code == 2 && err.contains("write `task: chat`"), "{err}");
    }
}

#[test]
fn a_session_has_think_times_of_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&[]);
    write(
        dir.path(),
        "talks.jsonl",
        r#"{"turns": [{"user": "One", "assistant": "1"}, {"user": "Two", "think": "400ms", "assistant": "2"}, {"user": "Three"}]}"#,
    );
    for load in ["{ closed: { users: 1, requests: 2 } }", "{ open: { rate: 1, arrivals: constant, duration: 1900ms } }"]
    {
        let _ = std::fs::remove_dir_all(dir.path().join("out"));
        let text = scenario("chat", &target("openai", &engine), "talks.jsonl", load);
        write(dir.path(), "t.yaml", &text.replace("trace:", "jsonl:"));
        let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
        assert_eq!(code, 0, "{err}");
        let all = measured(dir.path());
        assert_eq!(all.len(), 6);
        for talk in all.chunks(3) {
            let cell = |turn: usize, column: &str| number(&talk[turn], column).expect(column);
            assert!(cell(1, "planned_us") - cell(0, "end_us") >= 399_000.0, "{load}: {talk:?}");
            // Another turn has none: it comes at once, but for a busy machine.
            assert!(cell(2, "planned_us") - cell(1, "end_us") < 390_000.0, "{load}: {talk:?}");
        }
    }
}

#[test]
fn what_is_no_trace_is_told_what_it_looks_like() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&[]);
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-01-01 00:00:01,5,5\n";
    let mooncake = "{\"timestamp\": 5, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [1, 2]}\n";
    let cases: &[(&str, String, &str)] = &[
        ("x.csv", String::new(), "x.csv:1: the file is empty"),
        ("x.csv", "a,b\n1,2\n".into(), "x.csv:1: the first line is not that of a known trace format: `a,b`"),
        ("x.csv", azure.lines().next().expect("a line").to_owned() + "\n", "x.csv: there are no prompts in it"),
        (
            "x.csv",
            azure.replace(",GeneratedTokens", ""),
            "x.csv:1: looks like an Azure trace, but has no column `GeneratedTokens`",
        ),
        (
            "x.csv",
            azure.to_owned() + "2024-01-01 00:00:02,x,5\n",
            "x.csv:3: looks like an Azure trace, but line 3 has no number of tokens in `ContextTokens`: `x`",
        ),
        (
            "x.csv",
            azure.to_owned() + "soon,5,5\n",
            "x.csv:3: looks like an Azure trace, but line 3 has no time in `TIMESTAMP`: `soon`",
        ),
        (
            "x.csv",
            azure.to_owned() + "2024-01-01 00:00:00,5,5\n",
            "line 3 has a `TIMESTAMP` earlier than that of the line above",
        ),
        (
            "x.csv",
            azure.replace(",5,5", ",0,5") + "2024-01-01 00:00:02,5,0\n",
            "looks like an Azure trace, but nothing is left of it: 2 requests are left out: `ContextTokens` or \
             `GeneratedTokens` is 0",
        ),
        (
            "x.csv",
            azure.to_owned() + &"2024-01-01 00:00:02,4000000,5\n".repeat(26),
            "line 27 has more than 100000000 prompt tokens so far, the limit: use a part of the file with `requests: N`",
        ),
        (
            "x.csv",
            "Timestamp,Request tokens,Response tokens\n-3,5,5\n".into(),
            "line 2 has a negative time in `Timestamp`: `-3`",
        ),
        (
            "x.jsonl",
            mooncake.replace("5,", "-5,"),
            "x.jsonl:1: looks like a Mooncake trace, but line 1 has a negative time in `timestamp`",
        ),
        ("x.jsonl", mooncake.replace(", 2]", "]"), "line 1 has 1 `hash_ids` for 600 tokens, which are 2 blocks of 512"),
        ("x.jsonl", mooncake.to_owned() + "{\"timestamp\": 9}\n", "line 2 has no `input_length`"),
        (
            "x.jsonl",
            mooncake.to_owned() + "{\"timestamp\n",
            "x.jsonl:2:11: looks like a Mooncake trace, but line 2 is not a JSON object",
        ),
    ];
    for (file, text, words) in cases {
        write(dir.path(), file, text);
        let load = "{ closed: { users: 1, requests: 3 } }";
        write(dir.path(), "t.yaml", &scenario("generate", &target("openai", &engine), file, load));
        let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert!(code == 2 && one_line(&err).contains(words), "{words}: {err}");
    }
    // The times and the prompts of two files don't belong together; conversations have no times.
    write(dir.path(), "a.csv", azure);
    let load = "{ open: { trace: { path: b.csv } } }";
    write(dir.path(), "t.yaml", &scenario("generate", &target("openai", &engine), "a.csv", load));
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(
        code == 2 && err.contains("t.yaml:7:") && err.contains("times and prompts must come from the same file"),
        "{err}"
    );
    let limited = scenario("generate", &target("openai", &engine), "a.csv", "{ closed: { users: 1, requests: 1 } }");
    write(dir.path(), "t.yaml", &limited.replace("prompt_cache: bust", "sampling: { max_tokens: 9 }"));
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 2 && one_line(&err).contains("whose requests have their own limits"), "{err}");
    sample(dir.path(), "messages.jsonl");
    let load = "{ open: { trace: { path: messages.jsonl } } }";
    write(dir.path(), "t.yaml", &scenario("chat", &target("openai", &engine), "messages.jsonl", load));
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 2 && err.contains("which have no times"), "{err}");
    // Longer than a context.
    let narrow = StandIn::start(&["--context", "100"]);
    sample(dir.path(), "azure.csv");
    let load = "{ closed: { users: 1, requests: 3 } }";
    write(dir.path(), "t.yaml", &scenario("generate", &target("openai", &narrow), "azure.csv", load));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert!(code == 2 && one_line(&err).contains("requests of up to 309 with their answers don't fit"), "{err}");
    assert!(one_line(&err).contains("`--set workload.prompts.trace.longest=100`"), "{err}");
    // Two numbers of requests for one file.
    let load = "{ open: { trace: { path: azure.csv, requests: 2 } } }";
    let text = scenario("generate", &target("openai", &engine), "azure.csv, requests: 3", load);
    write(dir.path(), "t.yaml", &text);
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 2 && one_line(&err).contains("write `requests` once, in `workload.prompts.trace`"), "{err}");
    // Conversations have no recorded lengths.
    let load = "{ closed: { users: 1, requests: 3 } }";
    let text = scenario("chat", &target("openai", &engine), "messages.jsonl, longest: 50", load);
    write(dir.path(), "t.yaml", &text);
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 2 && one_line(&err).contains("whose lengths are not recorded: leave out `longest`"), "{err}");
}

/// Published files hold requests that failed (0 tokens), some longer than any context, and far more than a test asks.
#[test]
fn a_part_of_a_published_trace_is_used_and_what_is_left_out_is_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&["--context", "4096", "--slots", "4"]);
    // BurstGPT's own rows, then enough to pass every limit, and one that is no row at all.
    let mut text = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n".to_owned();
    text += "5,ChatGPT,20,3,23,Conversation log\n1106,ChatGPT,0,0,0,Conversation log\n";
    text += "1106,ChatGPT,31,0,31,Conversation log\n1106.5,GPT-4,9000,4,9004,API log\n";
    text += "1107,GPT-4,25,4,29,API log\n1107.5,GPT-4,30,2,32,API log\n";
    text += &"1108,GPT-4,4000000,4,4000004,API log\n".repeat(30);
    text += "later,and no row\n";
    write(dir.path(), "burst.csv", &text);
    let yaml = |part: &str, load: &str| {
        let target = target("openai", &engine);
        write(dir.path(), "t.yaml", &scenario("generate", &target, &format!("burst.csv{part}"), load));
    };
    let load = "{ open: { trace: { path: burst.csv, speed: 1000 } } }";
    yaml(", requests: 3, longest: 4096", load);
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 0, "{err}");
    let told = one_line(&told);
    assert!(told.contains("a BurstGPT trace of 3 requests in "), "{told}");
    let empty = "2 requests are left out: `Request tokens` or `Response tokens` is 0";
    let longer = "1 request is left out: more than 4096 tokens (`longest`)";
    assert!(told.contains(empty) && told.contains(longer), "{told}");
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    assert!(one_line(&err).contains(empty), "{err}");
    let lengths = |row: &Row| number(row, "requested_prompt_tokens").expect("a length");
    let all = measured(dir.path());
    assert_eq!(all.iter().map(lengths).collect::<Vec<_>>(), [20.0, 25.0, 30.0], "{all:?}");
    let planned = |row: &Row| number(row, "planned_us").expect("a plan");
    let after = (planned(&all[1]) - planned(&all[0])) / 1e3;
    assert!((after - 1102.0).abs() < 1.0, "the times of those three, a thousand times as fast: {after} ms");
    // The number may stand with the times as well; without one, the file is read to where its limit ends.
    yaml(", longest: 4096", "{ open: { trace: { path: burst.csv, speed: 1000, requests: 2 } } }");
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 0 && one_line(&told).contains("a BurstGPT trace of 2 requests in "), "{told}{err}");
    yaml(", longest: 4096", load);
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 2 && one_line(&err).contains("burst.csv:38"), "{err}");
    // A plain column of times.
    write(dir.path(), "times.csv", "offset_s\n0\n0.1\n0.2\nsoon\n");
    let plain = format!(
        "name: t\ntask: generate\ntargets:\n{}workload: {{ prompts: {{ inline: [{{ text: hi }}] }} }}\nload: {{ open: {{ trace: \
         {{ path: times.csv, requests: 3 }} }} }}\n",
        target("openai", &engine)
    );
    write(dir.path(), "t.yaml", &plain);
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 0 && one_line(&told).contains("arrivals 3 requests each"), "{told}{err}");
}
