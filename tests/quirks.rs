//! Every quirk of the stand-in as a run reads it: what is an answer, what is a failure, and in which words it is told.

use crate::cli::{Row, StandIn, ask, rows, write};

/// Eight measured requests, of which every other one is answered oddly; the cold one is not.
fn run(wire: &str, task: &str, quirk: &str) -> (Vec<Row>, Vec<Row>, String) {
    let engine =
        StandIn::start(&["--quirk", quirk, "--quirk-share", "0.5", "--quirk-ms", "60", "--decode-rate", "20000"]);
    let dir = tempfile::tempdir().expect("a directory");
    let yaml = format!(
        "name: t\ntask: {task}\nseed: 5\ntargets:\n  a: {{ {wire}: {{ url: \"{}\" }} }}\nworkload: {{ prompts: {{ synthetic: \
         {{ count: 8, words: {{ fixed: 6 }} }} }}, sampling: {{ max_tokens: 8 }} }}\ntimeout: 2s\nload: {{ closed: {{ users: \
         1, requests: 8 }} }}\n",
        engine.url
    );
    write(dir.path(), "t.yaml", &yaml);
    let (_, out, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out", "--quiet", "--driver", "native"]);
    let samples = dir.path().join("out/samples.csv");
    assert!(samples.exists(), "{quirk}: {err}");
    let measured = rows(&samples).into_iter().filter(|row| row["phase"] == "measure").collect();
    (measured, rows(&dir.path().join("out/failures.csv")), out)
}

/// How many of the requests ended so.
fn count(rows: &[Row], outcome: &str) -> usize {
    rows.iter().filter(|row| row["outcome"] == outcome).count()
}

#[test]
fn what_can_be_read_is_an_answer() {
    let openai = [
        "no-done",
        "choices-null",
        "content-parts",
        "null-chunk",
        "bad-counts",
        "bad-durations",
        "half-character",
        "crlf",
        "cr",
        "bom",
        "no-last-blank",
        "empty-data",
        "comments",
        "json-for-stream",
        "late-usage",
        "think-tags",
        "think-tags-opened-by-template",
        "reasoning-content",
        "harmony",
        "tool-calls",
        "no-keep-alive-though-promised",
        "bom,crlf,comments,empty-data,null-chunk,bad-counts,think-tags,no-done",
    ];
    let ollama = [
        "null-chunk",
        "bad-counts",
        "bad-durations",
        "half-character",
        "crlf",
        "json-for-stream",
        "no-newline",
        "late-usage",
        "think-tags",
        "reasoning-content",
        "harmony",
        "tool-calls",
    ];
    let of = |wire: &'static str, all: &[&'static str]| all.iter().map(|quirk| (wire, *quirk)).collect::<Vec<_>>();
    for (wire, quirk) in [of("openai", &openai), of("ollama", &ollama)].concat() {
        let (rows, failures, _) = run(wire, "chat", quirk);
        assert_eq!((rows.len(), count(&rows, "ok")), (8, 8), "{wire} {quirk}: {failures:?}");
        // An odd count is blank, and the plain ones stand beside it.
        let counted = rows.iter().filter(|row| row["output_tokens"] == "8").count();
        let spoiled = quirk.contains("bad-counts");
        assert!(
            counted == if spoiled { 4 } else { 8 } && !rows.iter().any(|row| row["output_tokens"] == "-1"),
            "{quirk}"
        );
        let ids = rows.iter().filter(|row| row["first_token_us"].is_empty()).count();
        assert_eq!(ids, if quirk == "json-for-stream" { 4 } else { 0 }, "{wire} {quirk}");
    }
}

#[test]
fn what_is_no_answer_fails_in_the_engines_words() {
    let words = "the stand-in imitates a failing engine";
    for (wire, quirk, outcome, words) in [
        ("openai", "error-then-done", "error_frame", words),
        ("openai", "event-error", "error_frame", words),
        ("openai", "error-field", "error_frame", words),
        ("openai", "done-only", "", ""),
        ("openai", "error-after-tokens", "error_frame", "a declared fault"),
        ("ollama", "error-after-tokens", "error_frame", "unexpected EOF"),
        ("openai", "error-string", "http_status", words),
        ("ollama", "error-string", "http_status", words),
        ("openai", "error-detail", "http_status", words),
        ("ollama", "error-detail", "http_status", words),
        ("openai", "error-html", "http_status", words),
        ("ollama", "error-html", "http_status", words),
        ("openai", "reject-429", "rejected", "too many requests"),
        ("ollama", "reject-429", "rejected", "too many requests"),
        ("openai", "reject-503", "rejected", "no room"),
    ] {
        let (rows, failures, table) = run(wire, "chat", quirk);
        let failed: Vec<&Row> = rows.iter().filter(|row| row["outcome"] != "ok").collect();
        assert_eq!((rows.len(), failed.len()), (8, 4), "{wire} {quirk}: {failures:?}");
        assert_eq!(failures.len(), 1, "{wire} {quirk}: {failures:?}");
        assert_eq!(failures[0]["requests"], "4", "{wire} {quirk}");
        assert!(outcome.is_empty() || failures[0]["outcome"] == outcome, "{wire} {quirk}: {failures:?}");
        assert!(failures[0]["reason"].contains(words), "{wire} {quirk}: {failures:?}");
        // A narrow table breaks lines: its first word is enough.
        let first = words.split(' ').next().unwrap_or_default();
        assert!(table.contains("why requests failed") && table.contains(first), "{wire} {quirk}: {table}");
    }
}

#[test]
fn vectors_are_read_in_every_form() {
    for wire in ["openai", "ollama"] {
        for (quirk, unparsed) in [("vector-zero", 0), ("vector-lengths", 0), ("vector-nan", 4), ("vector-empty", 4)] {
            let (rows, failures, _) = run(wire, "embed", quirk);
            assert!(failures.is_empty(), "{wire} {quirk}: {failures:?}");
            assert_eq!((count(&rows, "ok"), count(&rows, "unparsed")), (8 - unparsed, unparsed), "{wire} {quirk}");
        }
    }
}

/// A stream without end is ended by us, in time, and is a failure.
#[test]
fn an_answer_without_end_ends() {
    for wire in ["openai", "ollama"] {
        let (rows, failures, _) = run(wire, "chat", "endless");
        let failed = rows.iter().filter(|row| row["outcome"] != "ok").count();
        assert_eq!((rows.len(), failed), (8, 4), "{wire}: {failures:?}");
    }
}

#[test]
fn an_unknown_quirk_is_told_which_there_are() {
    let dir = tempfile::tempdir().expect("a directory");
    for word in ["list", "crfl"] {
        let (code, _, err) = ask(dir.path(), &["serve", "--quirk", word]);
        assert_eq!(code, 2, "{err}");
        for known in ["error-then-done", "crlf", "reject-429", "no-keep-alive-though-promised"] {
            assert!(err.contains(known), "{err}");
        }
    }
    let (code, _, err) = ask(dir.path(), &["serve", "--listen", "127.0.0.1:0", "--quirk", "crlf,cr"]);
    assert!(code != 0 && err.contains("the quirks `crlf` and `cr` can't be combined"), "{code} {err}");
}
