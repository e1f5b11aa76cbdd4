//! What loadcmp makes of every byte that a real GG-CORE was recorded to send (`captures/gg-core-0.8.2`).

use crate::cli::{Row, ask, rows, write};
use crate::gg_core::{Do, GgCore, folder, healthy, recorded};
use std::collections::BTreeSet;

/// Where in a conversation a case belongs.
#[derive(Clone, Copy, PartialEq, Debug)]
enum At {
    Handshake,
    Models,
    Warmup,
    /// In the place of an answer; the tokens that are asked for.
    Answer(u32),
    /// In the place of a stream.
    Stream(u32),
}
use At::{Answer, Handshake, Models, Stream, Warmup};

/// What is made of a case: the outcome of its requests, tokens, finish, pieces of text, what the error holds.
type Made = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// Cases in the place of an answer.
const ANSWERS: [(&str, At, Made); 38] = [
    ("generate", Answer(16), ("ok", "16", "length", "1", "")),
    ("generate-two", Answer(8), ("ok", "8", "length", "1", "")),
    ("generate-stops-at-once", Answer(32), ("ok", "32", "length", "1", "")),
    ("generate-unicode", Answer(24), ("ok", "24", "length", "1", "")),
    ("generate-redacted", Answer(200), ("ok", "200", "length", "1", "")),
    ("error-unknown-model", Answer(8), ("error_frame", "", "", "0", "Model not loaded: nope")),
    ("error-classifier", Answer(8), ("error_frame", "", "", "0", "Model returned non-generation output")),
    ("error-embedder", Answer(8), ("error_frame", "", "", "0", "Model returned non-generation output")),
    ("error-empty-prompt", Answer(8), ("error_frame", "", "", "0", "Missing required field: prompt")),
    ("error-max-tokens-0", Answer(8), ("error_frame", "", "", "0", "max_tokens must be > 0")),
    ("error-temperature-3", Answer(8), ("error_frame", "", "", "0", "temperature must be between 0.0 and 2.0")),
    ("error-top-p-0", Answer(8), ("error_frame", "", "", "0", "top_p must be in (0, 1]")),
    ("error-security", Answer(8), ("error_frame", "", "", "0", "request rejected by security policy")),
    ("error-too-large", Answer(8), ("rejected", "", "", "0", "prompt too large: ~5000 tokens (max 4096)")),
    ("error-no-room", Answer(8), ("error_frame", "", "", "0", "NoKvCacheSlot (prompt and answer are longer than")),
    ("error-bad-json", Answer(8), ("error_frame", "", "", "0", "Serialization error: key must be a string")),
    ("error-missing-field", Answer(8), ("error_frame", "", "", "0", "missing field `temperature`")),
    // The frame is no JSON: its message is read out of it all the same.
    (
        "error-id-text",
        Answer(8),
        ("error_frame", "", "", "0", "=Serialization error: invalid type: string \"abc\", expected u64"),
    ),
    ("error-unknown-type", Answer(8), ("error_frame", "", "", "0", "Unexpected message type")),
    ("error-unauthenticated", Answer(8), ("error_frame", "", "", "0", "Not authenticated")),
    ("error-unauthenticated-stream", Stream(8), ("error_frame", "", "", "0", "Not authenticated")),
    ("error-session-limit", Answer(1), ("error_frame", "", "", "0", "Session request rate limit exceeded")),
    ("queued-past-timeout-ms", Answer(8), ("error_frame", "", "", "0", "worker dropped response channel")),
    ("frame-too-large", Answer(8), ("connect", "", "", "0", "")),
    ("killed-ordinary", Answer(8), ("connect", "", "", "0", "")),
    ("killed-stream", Stream(8), ("connect", "", "", "0", "")),
    // Streams count no tokens, and when their text comes says nothing of when it was made.
    ("stream", Stream(48), ("ok", "", "", "20", "")),
    ("stream-short", Stream(6), ("ok", "", "", "1", "")),
    ("stream-ring", Stream(64), ("ok", "", "", "40", "")),
    ("stream-stops-at-once", Stream(32), ("ok", "", "", "2", "")),
    ("stream-max-tokens-0", Stream(8), ("ok", "", "", "0", "")),
    ("stream-ends-by-itself", Stream(64), ("error_frame", "", "", "0", "use whole answers, `stream: false`")),
    ("stream-unknown-model", Stream(8), ("error_frame", "", "", "0", "Model not loaded: nope")),
    ("stream-classifier", Stream(8), ("error_frame", "", "", "0", "model does not support streaming")),
    ("stream-security", Stream(8), ("error_frame", "", "", "0", "prompt rejected by ingress security scan")),
    ("stream-no-room", Stream(64), ("error_frame", "", "", "1022", "NoKvCacheSlot")),
    ("stream-no-kick", Stream(8), ("timeout", "", "", "0", "no reply within the time allowed")),
    ("stream-too-large", Stream(8), ("timeout", "", "", "0", "no reply within the time allowed")),
];

/// Cases before any answer: where they belong, the exit code of a run and of a check, and what is said.
const BEFORE: [(&str, At, i32, &str); 17] = [
    ("handshake", Handshake, 0, ""),
    ("handshake-v2", Handshake, 0, ""),
    ("handshake-v3", Handshake, 3, "unknown variant `V3`"),
    ("handshake-wrong-token", Handshake, 3, "Invalid handshake token"),
    ("locked-out", Handshake, 3, "Too many failed attempts"),
    ("connection-too-many", Handshake, 3, "its maximum of connections"),
    ("models", Models, 0, ""),
    ("models-three", Models, 0, ""),
    ("warmup", Warmup, 0, ""),
    ("warmup-not-loaded", Warmup, 3, "has no model that generates text: smol (Model not loaded: not-loaded)"),
    ("warmup-classifier", Warmup, 3, "smol (Inference failed: Model returned non-generation output)"),
    // Answers to what loadcmp doesn't ask are none to what it does.
    ("health-full", Models, 3, "not GG-CORE"),
    ("health-readiness", Models, 3, "not GG-CORE"),
    ("metrics", Models, 3, "not GG-CORE"),
    ("cancel", Models, 3, "not GG-CORE"),
    ("error-bad-json", Models, 3, "not GG-CORE"),
    ("frame-too-large", Models, 3, "was closed instead of an answer"),
];

/// What becomes of the connection after each case, as it was recorded.
fn after(case: &str) -> String {
    let text = std::fs::read_to_string(folder().join("cases.md")).expect("the cases");
    let line = text.lines().find(|line| line.starts_with(&format!("| {case} |"))).expect("a line of the case");
    line.trim_end_matches('|').rsplit('|').next().expect("a last column").trim().to_owned()
}

fn play(case: &str) -> Do {
    match after(case).as_str() {
        "open" => Do::Say(recorded(case)),
        "closed" => Do::SayAndClose(recorded(case)),
        "silence" => Do::Silence,
        "eof" | "reset" => Do::Reset,
        other => panic!("{case}: {other}"),
    }
}

fn scenario(server: &GgCore, tokens: u32, stream: bool, load: &str) -> String {
    format!(
        "name: t\ntask: generate\ntargets:\n  g: {{ gg_core: {{ socket: \"{}\" }} }}\nworkload:\n  prompts: {{ inline: [ {{ text: \
         Say hello. }} ] }}\n  sampling: {{ max_tokens: {tokens} }}\n  stream: {stream}\nload: {{ closed: {load} }}\ntimeout: \
         1s\ndrain: 1s\n",
        server.at()
    )
}

/// A run; its exit code, the rows of its measured requests, and what it said.
fn run(server: &GgCore, tokens: u32, stream: bool, load: &str) -> (i32, Vec<Row>, String) {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "t.yaml", &scenario(server, tokens, stream, load));
    let (code, out, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    let samples = dir.path().join("out/samples.csv");
    let mut told = if samples.is_file() { rows(&samples) } else { Vec::new() };
    told.retain(|row| row["phase"] == "measure");
    (code, told, format!("{out}{err}"))
}

/// Does something with each of a list, a few at a time: most of them wait.
fn each<T: Copy + Send + Sync>(all: &[T], what: impl Fn(T) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    what(*one);
                }
            });
        }
    });
}

#[test]
fn each_recorded_answer_is_made_the_right_row_of() {
    each(&ANSWERS, |(case, at, (outcome, tokens, finish, chunks, error))| {
        let two = recorded(case);
        let server = GgCore::start(move |kind, before, _| match kind {
            // The first request finds a healthy server: what is wanted is rows of the load.
            "inference_request" if before == 0 && matches!(at, Stream(_)) => play("stream"),
            "inference_request" if before == 0 => healthy(kind),
            "inference_request" if case == "generate-two" => {
                let first = 4 + u32::from_le_bytes(*two.first_chunk().expect("a length")) as usize;
                let (one, other) = two.split_at(first);
                Do::Say(if before % 2 == 1 { one } else { other }.to_vec())
            }
            "inference_request" => play(case),
            kind => healthy(kind),
        });
        let (limit, stream) = match at {
            Answer(limit) => (limit, false),
            Stream(limit) => (limit, true),
            _ => panic!("{case}"),
        };
        let (code, told, said) = run(&server, limit, stream, "{ users: 1, requests: 2 }");
        assert_eq!((code, told.len()), (if outcome == "ok" { 0 } else { 4 }, 2), "{case}: {said}");
        for row in &told {
            let of = |column: &str| row[column].as_str();
            assert_eq!(
                (of("outcome"), of("output_tokens"), of("finish"), of("chunks")),
                (outcome, tokens, finish, chunks),
                "{case}: {row:?}"
            );
            let fits = error.strip_prefix('=').map_or(of("error").contains(error), |whole| of("error") == whole);
            assert!(fits && (outcome != "ok" || of("error").is_empty()), "{case}: {row:?}");
            assert!(
                ["first_token_us", "last_token_us", "itl_max_us"].iter().all(|stamp| of(stamp).is_empty()),
                "{row:?}"
            );
        }
        // After an error that leaves the connection open, it is used again.
        let connections: BTreeSet<usize> =
            server.seen("inference_request").into_iter().skip(1).map(|came| came.connection).collect();
        let kept = after(case) == "open";
        assert_eq!(connections.len(), if kept { 1 } else { 2 }, "{case}: {connections:?}");
    });
}

#[test]
fn each_recorded_word_before_the_load_is_understood() {
    each(&BEFORE, |(case, at, code, words)| {
        let server = GgCore::start(move |kind, _, _| match (kind, at) {
            ("handshake", Handshake) | ("models_request", Models) | ("warmup_request", Warmup) => play(case),
            (kind, _) => healthy(kind),
        });
        let (ran, told, said) = run(&server, 16, false, "{ users: 1, requests: 2 }");
        assert_eq!((ran, told.len()), (code, if code == 0 { 2 } else { 0 }), "{case}: {said}");
        assert!(said.contains(words), "{case}: {said}");
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), "t.yaml", &scenario(&server, 16, false, "{ users: 1, requests: 2 }"));
        let (checked, _, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert_eq!(checked, code, "{case}: {err}");
        assert!(err.contains(words) || code == 0, "{case}: {err}");
        if case == "handshake-wrong-token" {
            // Once by the run, once by the check: five lock every client out.
            assert_eq!(server.seen("handshake").len(), 2);
        }
    });
}

#[test]
fn every_recorded_case_is_tested() {
    let text = std::fs::read_to_string(folder().join("cases.md")).expect("the cases");
    let names =
        text.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).filter(|name| *name != "case");
    let tested: BTreeSet<&str> =
        ANSWERS.iter().map(|(case, ..)| *case).chain(BEFORE.iter().map(|(case, ..)| *case)).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), tested);
    for case in tested {
        assert!(folder().join(format!("{case}.bin")).is_file(), "{case}");
    }
}

#[test]
fn a_first_stream_that_its_model_ends_by_itself_is_told_with_the_way_out() {
    let server = GgCore::start(|kind, _, _| match kind {
        "inference_request" => play("stream-ends-by-itself"),
        kind => healthy(kind),
    });
    let (code, _, said) = run(&server, 64, true, "{ users: 1, requests: 2 }");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("Unknown Token Type") && said.contains("`stream: false`"), "{said}");
}

#[test]
fn of_several_models_the_first_by_name_that_generates_is_taken() {
    // The recorded list: emb, cyc, clf. The classifier's warm-up is refused, as it was recorded.
    let server = GgCore::start(|kind, _, message| match (kind, message["model_id"].as_str()) {
        ("models_request", _) => play("models-three"),
        ("warmup_request", Some("cyc")) => play("warmup"),
        ("warmup_request", _) => play("warmup-classifier"),
        (kind, _) => healthy(kind),
    });
    let (code, _, said) = run(&server, 16, false, "{ users: 1, requests: 2 }");
    assert_eq!(code, 0, "{said}");
    let asked: BTreeSet<String> =
        server.seen("inference_request").iter().map(|came| came.message["model_id"].to_string()).collect();
    assert_eq!(asked, BTreeSet::from(["\"cyc\"".to_owned()]));
    let tried = server.seen("warmup_request");
    assert_eq!(
        (tried[0].message["model_id"].as_str(), tried[1].message["model_id"].as_str()),
        (Some("clf"), Some("cyc"))
    );
}
