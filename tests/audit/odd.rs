//! Answers and vectors that are odd and no failure: engines that play a quirk, and what the audit says of it.

use crate::audit::run::{Live, OLLAMA, OPENAI, STEADY, Told};
use crate::cli::{json, rows};

/// An engine that plays quirks beside a plain one.
fn run(targets: &str, quirks: &[&str], set: &[&str]) -> Told {
    Live { targets, set, ..Live::default() }.run(&[&STEADY[..], quirks].concat(), &STEADY)
}

fn failed(told: &Told) -> usize {
    rows(&told.out().join("failures.csv")).len()
}

#[test]
fn streams_that_did_not_come() {
    let told = run(OLLAMA, &["--quirk", "json-for-stream", "--quirk-share", "0.5"], &[]);
    told.only_a(&["no-stream"]);
    let sentence = &told.finding("no-stream", "a")["sentence"];
    assert!(sentence.contains(" of 40 answers (") && sentence.contains("came whole"), "{sentence}");
    assert_eq!(failed(&told), 0);
    run(OPENAI, &["--quirk", "json-for-stream"], &[]).only_a(&["no-stream"]);
}

#[test]
fn ends_counts_and_texts_that_are_odd() {
    let told = run(OPENAI, &["--quirk", "no-done"], &[]);
    told.only_a(&["no-end-mark"]);
    assert_eq!((told.finding("no-end-mark", "a")["severity"].as_str(), failed(&told)), ("note", 0));
    for targets in [OPENAI, OLLAMA] {
        let told = run(targets, &["--quirk", "bad-counts"], &[]);
        told.only_a(&["bad-counts"]);
        assert!(told.finding("bad-counts", "a")["sentence"].contains("40 of 40 answers"));
        assert_eq!(failed(&told), 0);
        let told = run(targets, &["--quirk", "half-character"], &[]);
        told.only_a(&["bad-text"]);
        assert_eq!(failed(&told), 0);
    }
}

/// What a summary has of a target's metric.
fn figure(told: &Told, target: usize, metric: &str) -> Option<f64> {
    let report = json(&told.out().join("report.json"));
    let rows = report["targets"][target]["rows"].as_array().expect("rows").clone();
    rows.iter().find(|row| row["metric"] == metric)?["p50"].as_f64()
}

/// Four thoughts, one each 20 ms, before the answer: the answer's first token comes 80 ms after the first of all.
#[test]
fn thoughts_are_told_with_both_first_tokens() {
    let slow = ["--first-token-ms", "5", "--decode-rate", "50", "--slots", "8"];
    let load = "{ closed: { users: 4, requests: 24 } }";
    for quirk in ["reasoning-content", "think-tags", "think-tags-opened-by-template", "harmony"] {
        let live = Live { targets: OPENAI, load, ..Live::default() };
        let told = live.run(&[&slow[..], &["--quirk", quirk]].concat(), &slow);
        told.only_a(&["thinking"]);
        let sentence = &told.finding("thinking", "a")["sentence"];
        assert!(sentence.contains("24 of 24 answers"), "{quirk}: {sentence}");
        assert!(
            sentence.contains("the first token came after") && sentence.contains("of the answer itself after"),
            "{sentence}"
        );
        let [first, answer] = ["ttft", "ttfat"].map(|metric| figure(&told, 0, metric).expect(metric));
        // Declared, and never early; how late a busy machine makes either is not for this test to say.
        assert!(answer > first && answer >= 80_000.0, "{quirk}: {first} {answer}");
        // The other side has no thoughts: one figure, and the same.
        assert_eq!(figure(&told, 1, "ttft"), figure(&told, 1, "ttfat"));
        let comment = std::fs::read_to_string(told.out().join("report.md")).expect("a comment");
        assert!(comment.contains("TTFT (answer) p50"), "{comment}");
    }
    let told = Live { targets: OPENAI, load, ..Live::default() }.run(&slow, &slow);
    let comment = std::fs::read_to_string(told.out().join("report.md")).expect("a comment");
    assert!(!comment.contains("TTFT (answer)"), "no thoughts, no line\n{comment}");
}

#[test]
fn thoughts_that_never_end() {
    let told = run(OPENAI, &["--quirk", "think-unclosed"], &[]);
    told.only_a(&["open-thoughts", "thinking"]);
}

#[test]
fn vectors_without_a_direction_or_of_changing_length() {
    let set = ["task=embed"];
    for targets in [OPENAI, OLLAMA] {
        let run = |quirk: &str, share: &str| run(targets, &["--quirk", quirk, "--quirk-share", share], &set);
        let told = run("vector-zero", "0.25");
        told.only_a(&["bad-vectors", "undefined-cosines"]);
        let sentence = &told.finding("bad-vectors", "a")["sentence"];
        assert!(sentence.contains("10 of 40 vectors (25.0 %) are unusable: 10 all zeros"), "{sentence}");
        let undefined = &told.finding("undefined-cosines", "a")["sentence"];
        assert!(undefined.contains("10 of 40 pairs"), "{undefined}");
        let summary = rows(&told.out().join("summary.csv"));
        let row =
            |metric: &str| summary.iter().find(|row| row["metric"] == metric && row["target"] == "a").expect("a row");
        assert_eq!((row("cosine")["n"].as_str(), row("cosine_undefined")["mean"].as_str()), ("30", "10"));
        let comment = std::fs::read_to_string(told.out().join("report.md")).expect("a comment");
        assert!(comment.contains("10 of 40 pairs"), "{comment}");

        let told = run("vector-lengths", "1");
        told.only_a(&["vector-lengths", "undefined-cosines"]);
        let sentence = &told.finding("vector-lengths", "a")["sentence"];
        assert!(sentence.contains("384 (20 times)") && sentence.contains("383 (20 times)"), "{sentence}");

        let told = run("vector-nan", "0.25");
        told.only_a(&["bad-vectors", "undefined-cosines"]);
        let sentence = &told.finding("bad-vectors", "a")["sentence"];
        assert!(sentence.contains("10 with non-finite numbers"), "{sentence}");
        // Nothing in it is no vector: the answer counts as one that couldn't be read.
        let told = run("vector-empty", "0.25");
        told.only_a(&["bad-vectors", "undefined-cosines"]);
        let unparsed = rows(&told.out().join("samples.csv"));
        let unparsed = unparsed.iter().filter(|row| row["outcome"] == "unparsed" && row["phase"] == "measure").count();
        assert_eq!(unparsed, 10);
    }
    // Two models: every pair is undefined.
    let live = Live { set: &set, ..Live::default() };
    let told = live.run(&[&STEADY[..], &["--dimensions", "100"]].concat(), &STEADY);
    told.only_a(&["vector-lengths", "undefined-cosines"]);
    assert!(told.finding("vector-lengths", "a")["sentence"].contains("100 numbers"));
}
