//! Prompts of groups that share a prefix: the first of a group works it through, the later ones find it in a cache.

use crate::cli::{Row, StandIn, ask, json, measured, number, rows, target, write};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A scenario whose prompts share prefixes.
fn scenario(targets: &str, prefix: &str, own: u32, requests: u32) -> String {
    format!(
        "name: t\ntask: generate\nseed: 5\ntargets:\n{targets}reference: b\nworkload:\n  prompts: {{ synthetic: {{ count: 40, \
         tokens: {own}, prefix: {prefix} }} }}\n  prompt_cache: bust\n  sampling: {{ max_tokens: 2 }}\nload: {{ closed: {{ \
         users: 2, requests: {requests}, warmup: 0s }} }}\n"
    )
}

fn summary(dir: &Path, target: &str, metric: &str, figure: &str) -> Option<f64> {
    let all = rows(&dir.join("out/summary.csv"));
    let row = all.into_iter().find(|row| row["target"] == target && row["metric"] == metric)?;
    number(&row, figure)
}

fn found(dir: &Path, rule: &str) -> bool {
    rows(&dir.join("out/findings.csv")).iter().any(|row| row["id"] == rule)
}

/// A run against engines that work through `rate` prompt tokens per second and keep prompts: a prefix of `prefix` tokens for
/// each of `groups`, and `own` after it.
fn known_answer(rate: u32, (prefix, groups): (u32, u32), own: u32, requests: u32) {
    let dir = tempfile::tempdir().expect("a directory");
    let rate_text = rate.to_string();
    let paced = ["--prefill-rate", &rate_text, "--prefix-cache", "200", "--slots", "8"];
    let (a, b) = (StandIn::start(&paced), StandIn::start(&paced));
    let targets = target("a", "ollama", &a) + &target("b", "openai", &b);
    let spec = format!("{{ tokens: {prefix}, groups: {groups} }}");
    write(dir.path(), "t.yaml", &scenario(&targets, &spec, own, requests));
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    let mut groups_of: BTreeMap<String, String> = BTreeMap::new();
    for name in ["a", "b"] {
        let all = measured(dir.path(), name);
        assert_eq!(all.len(), requests as usize);
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for row in &all {
            *counts.entry(row["prefix_group"].as_str()).or_default() += 1;
            let other = groups_of.entry(row["index"].clone()).or_insert(row["prefix_group"].clone());
            assert_eq!(*other, row["prefix_group"], "the same request, the same group on every target");
        }
        assert_eq!(counts.len(), groups as usize);
        assert!(counts.values().all(|count| *count == requests / groups), "{counts:?}");
        let of = |found: &str| all.iter().filter(|row| row["prefix_use"] == found).collect::<Vec<_>>();
        let (first, later) = (of("first"), of("later"));
        assert_eq!(first.iter().map(|row| &row["prefix_group"]).collect::<BTreeSet<_>>().len(), groups as usize);
        assert_eq!(first.len(), groups as usize, "one a group: the warm-up and the first request asked other prefixes");
        assert!(!later.is_empty());
        for (rows, is_first) in [(&first, true), (&later, false)] {
            for row in rows {
                let cell = |column: &str| number(row, column).expect(column);
                assert_eq!(cell("requested_prompt_tokens"), f64::from(prefix + own));
                if name == "b" {
                    assert_eq!(cell("prompt_tokens"), f64::from(prefix + own), "as its tokeniser counts them");
                }
                let (cached, prefix) = (cell("cached_tokens"), f64::from(prefix));
                // What stands before the text is less than 20 tokens: a role, the nonce.
                let right = if is_first { cached < 20.0 } else { cached >= prefix && cached < prefix + 20.0 };
                assert!(right, "{cached} of {row:?}");
                // An engine is never faster than it is declared to be; a client's clock may be by a timer's grain.
                let ttft = (cell("first_token_us") - cell("sent_us")) / 1e6;
                let worked = (cell("prompt_tokens") - cached) / f64::from(rate);
                assert!(ttft >= worked * 0.98 - 0.000_5, "{ttft} s for {worked} s of work");
            }
        }
        let told = |metric: &str, figure: &str| summary(dir.path(), name, metric, figure).expect(metric);
        assert_eq!((told("ttft_first", "n"), told("ttft_later", "n")), (first.len() as f64, later.len() as f64));
        assert!(told("cached_first", "mean") < 20.0 && told("cached_later", "mean") >= f64::from(prefix));
        // Whole prompts against their rests; a busy machine makes both later, the fastest of each hardly.
        let whole = f64::from(prefix + own) / f64::from(rate) * 1e6;
        assert!(told("ttft_first", "min") >= whole * 0.9, "{}", told("ttft_first", "min"));
        assert!(told("ttft_later", "min") < told("ttft_first", "min") * 0.7);
    }
    let compared = rows(&dir.path().join("out/comparison.csv"));
    assert!(compared.iter().any(|row| row["metric"] == "ttft_later.p50" && !row["ratio"].is_empty()), "{compared:?}");
    for words in ["TTFT (prefix, first) p50", "TTFT (prefix, later) p50", "cached (prefix, later), mean"] {
        assert!(table.contains(words), "{table}");
    }
    let report = std::fs::read_to_string(dir.path().join("out/report.json")).expect("a report");
    assert!(report.contains("\"ttft_first\"") && report.contains("\"cached_later\""));
    assert!(!found(dir.path(), "cache-when-busting") && !found(dir.path(), "one-sided-cache"));
    let plan = &json(&dir.path().join("out/manifest.json"))["plan"]["workload"]["tokens"]["prefix"];
    assert_eq!((plan["tokens"].as_u64(), plan["groups"].as_u64()), (Some(prefix.into()), Some(groups.into())));
}

#[test]
fn first_and_later_requests_of_a_group_are_told_apart_at_20_ms() {
    known_answer(16_000, (280, 4), 40, 24);
}

#[test]
fn first_and_later_requests_of_a_group_are_told_apart_at_2_s() {
    known_answer(180, (300, 2), 40, 8);
}

#[test]
fn an_engine_without_a_cache_works_every_prefix_through_and_an_earlier_run_leaves_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let a = StandIn::start(&["--prefill-rate", "20000"]);
    let b = StandIn::start(&["--prefill-rate", "20000", "--prefix-cache", "500"]);
    let targets = target("a", "openai", &a) + &target("b", "openai", &b);
    write(dir.path(), "t.yaml", &scenario(&targets, "{ tokens: 200, groups: 3 }", 40, 12));
    for _ in 0..2 {
        let _ = std::fs::remove_dir_all(dir.path().join("out"));
        let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
        assert_eq!(code, 0, "{err}");
        let told = |name: &str, metric: &str| summary(dir.path(), name, metric, "mean");
        assert_eq!(told("a", "cached_later"), Some(0.0));
        assert!(told("b", "cached_first").is_some_and(|tokens| tokens < 20.0), "not the first run's prefixes");
        assert!(told("b", "cached_later").is_some_and(|tokens| tokens >= 200.0));
        assert!(!found(dir.path(), "one-sided-cache"), "it is what is measured");
    }
}

#[test]
fn blocks_ask_the_first_of_a_group_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let b = StandIn::start(&["--prefill-rate", "20000", "--prefix-cache", "500"]);
    let a = StandIn::start(&["--prefill-rate", "20000", "--prefix-cache", "500"]);
    let targets = target("a", "openai", &a) + &target("b", "openai", &b);
    let text = scenario(&targets, "{ tokens: 100, groups: 3 }", 30, 24);
    write(dir.path(), "t.yaml", &(text + "order: alternate\nblocks: { pairs: 3, settle: 10ms, warmup: 100ms }\n"));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    for name in ["a", "b"] {
        let all = measured(dir.path(), name);
        let first: Vec<&Row> = all.iter().filter(|row| row["prefix_use"] == "first").collect();
        assert_eq!(first.len(), 3, "{first:?}");
        assert!(all.iter().any(|row| row["block"] != all[0]["block"]), "several blocks");
        assert!(all.iter().filter(|row| row["prefix_use"] == "later").all(|row| row["cached_tokens"] != "0"));
        let warm = rows(&dir.path().join("out/samples.csv"));
        assert!(warm.iter().filter(|row| row["phase"] != "measure").all(|row| row["prefix_group"].is_empty()));
    }
}

#[test]
fn what_would_spoil_a_prefix_is_refused_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let b = StandIn::start(&[]);
    let whole = scenario(&target("b", "openai", &b), "{ tokens: 64, groups: 4 }", 40, 8);
    let cases = [
        (
            "  prompt_cache: bust\n",
            "",
            "`prefix` needs `prompt_cache: bust`: otherwise caches could hold prefixes of the warm-up or an earlier \
             run, and whole prompts that repeat --> t.yaml:8:50",
        ),
        ("prompt_cache: bust", "prompt_cache: warm", "whole prompts that repeat --> t.yaml:9:17"),
        ("groups: 4", "groups: 400", "400 groups but only 40 prompts: some groups would have none"),
        ("tokens: 40,", "words: 40,", "`prefix` is given in tokens, but these prompts in words"),
        ("task: generate", "task: embed", "can't be used with embeddings"),
    ];
    for (old, new, words) in cases {
        assert!(whole.contains(old), "{old}");
        write(dir.path(), "t.yaml", &whole.replacen(old, new, 1));
        let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
        let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 2 && err.contains(words), "{words}: {err}");
    }
    // Too few tokens for what stands around, and for the nonce behind the prefix: known once the engine was asked.
    write(dir.path(), "t.yaml", &whole.replacen("tokens: 40,", "tokens: 12,", 1));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert!(code == 2 && err.contains("plus 8 for the nonce after the prefix"), "{err}");
    // The prefix counts for the context.
    let narrow = StandIn::start(&["--context", "100"]);
    write(dir.path(), "t.yaml", &scenario(&target("b", "openai", &narrow), "{ tokens: 80 }", 40, 8));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert!(code == 2 && err.contains("a context of 100 tokens, and prompts of 120"), "{err}");
}
