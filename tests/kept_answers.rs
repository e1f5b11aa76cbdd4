//! Answers that are kept for people to look at: which, whose, what the page shows of them, and that no secret is among them.

use crate::cli::{ask, loadcmp, write};
use crate::raw::{Do, Raw, response};
use std::path::Path;

/// A server that answers a prompt with `head`, a blank, and the prompt's last word; one every `wait` milliseconds.
fn echoes(head: &'static str, wait: u64) -> Raw {
    Raw::start_by_body(move |body| {
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let prompt = body["p"].as_str().unwrap_or_default();
        let last = prompt.split_whitespace().last().unwrap_or_default();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let answer = serde_json::json!({ "text": format!("{head} {last}"), "finish": "stop" });
        Do::Reply(response("200 OK", "", &answer.to_string()))
    })
}

fn target(name: &str, server: &Raw) -> String {
    format!(
        "  {name}: {{ json: {{ url: \"{}\", path: /x, body: {{ p: \"{{{{prompt}}}}\" }}, answer: {{ text: /text, finish: /finish }} }} }}\n",
        server.url
    )
}

/// Runs a scenario of two servers; how it ended.
fn run(dir: &Path, task: &str, workload: &str, more: &str, [a, b]: [&Raw; 2], requests: usize) {
    let yaml = format!(
        "name: t\ntask: {task}\nseed: 3\n{more}targets:\n{}{}reference: b\nworkload: {{ stream: false, {workload} }}\nload: {{ \
         closed: {{ users: 1, requests: {requests} }} }}\n",
        target("a", a),
        target("b", b)
    );
    write(dir, "t.yaml", &yaml);
    let _ = std::fs::remove_dir_all(dir.join("out"));
    let (code, _, err) = ask(dir, &["run", "t.yaml", "--out", "out"]);
    assert!([0, 4].contains(&code), "{code}: {err}");
}

/// The lines of `answers.jsonl`.
fn lines(dir: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("out/answers.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn page(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("out/report.html")).expect("a page")
}

/// Prompts that end in a number of their own.
fn prompts(count: usize) -> String {
    let all: Vec<String> = (0..count).map(|n| format!("{{ text: \"Say the word number{n}\" }}")).collect();
    format!("prompts: {{ inline: [{}] }}", all.join(", "))
}

#[test]
fn the_first_answers_of_each_target_stand_in_a_file_and_some_on_the_page() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (echoes("<b>first</b>", 0), echoes("second", 0));
    run(dir.path(), "generate", &prompts(150), "", [&a, &b], 150);
    let kept = lines(dir.path());
    assert_eq!(kept.len(), 200, "the first hundred of both");
    for line in &kept {
        let (prompt, answer) =
            (line["prompt"].as_str().expect("a prompt"), line["answer"].as_str().expect("an answer"));
        let (target, index) = (line["target"].as_str().expect("a name"), line["index"].as_u64().expect("a number"));
        assert!(index < 100 && prompt.starts_with("Say the word number"), "{line}");
        let head = if target == "a" { "<b>first</b>" } else { "second" };
        assert_eq!(answer, format!("{head} {}", prompt.rsplit(' ').next().expect("a word")), "the one that it got");
    }
    // The same number is the same prompt on both sides.
    let of = |target: &str| {
        let mut all: Vec<(u64, String)> = kept
            .iter()
            .filter(|line| line["target"] == target)
            .map(|line| (line["index"].as_u64().expect("a number"), line["prompt"].to_string()))
            .collect();
        all.sort();
        all
    };
    assert_eq!(of("a"), of("b"));
    let html = page(dir.path());
    assert_eq!(html.matches("<details class=\"asked\"").count(), 10, "five by the seed, five that differ");
    assert!(html.contains("&#60;b&#62;first&#60;/b&#62; number") && !html.contains("<b>first"), "escaped");
    assert!(html.contains("chosen by the seed") && html.contains("latencies differ by a factor of"));
    // Told again from its directory, the page is the same.
    let again = loadcmp().current_dir(dir.path()).args(["report", "out"]).output().expect("runs");
    assert!(again.status.success());
    assert_eq!(page(dir.path()), html);
}

#[test]
fn all_or_none_are_kept_where_the_scenario_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (echoes("x", 0), echoes("y", 0));
    run(dir.path(), "generate", &prompts(120), "keep_answers: all\n", [&a, &b], 120);
    assert_eq!(lines(dir.path()).len(), 240);
    run(dir.path(), "generate", &prompts(20), "keep_answers: none\n", [&a, &b], 20);
    assert!(!dir.path().join("out/answers.jsonl").exists());
    assert!(!page(dir.path()).contains("Samples of answers"));
}

/// A metric of target `a` in summary.csv: its mean and its rows.
fn summed(dir: &Path, metric: &str) -> Option<(f64, u64)> {
    let all = crate::cli::rows(&dir.join("out/summary.csv"));
    let row = all.into_iter().find(|row| row["target"] == "a" && row["metric"] == metric)?;
    Some((row["mean"].parse().ok()?, row["n"].parse().ok()?))
}

#[test]
fn texts_are_compared_with_the_references() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (echoes("kitten", 0), echoes("sitting", 0));
    run(dir.path(), "generate", &prompts(10), "", [&a, &b], 10);
    // Three edits of `sitting number7`.
    assert_eq!(summed(dir.path(), "answer_similarity"), Some((0.8, 10)));
    assert_eq!(summed(dir.path(), "same_answers"), Some((0.0, 10)));
    let read = |name: &str| std::fs::read_to_string(dir.path().join("out").join(name)).expect("a file");
    assert!(page(dir.path()).contains("0.800 of 10"));
    let (sheet, html) = (read("summary.csv"), page(dir.path()));
    let (code, table, err) = ask(dir.path(), &["report", "out", "--full"]);
    assert_eq!(code, 0, "{err}");
    assert!(table.contains("answer similarity") && table.contains("same answers"), "{table}");
    assert_eq!((read("summary.csv"), page(dir.path())), (sheet, html), "the same, from its directory");
    let same = echoes("kitten", 0);
    run(dir.path(), "generate", &prompts(10), "keep_answers: none\n", [&a, &same], 10);
    assert_eq!((summed(dir.path(), "answer_similarity"), summed(dir.path(), "same_answers")), (None, Some((1.0, 10))));
}

#[test]
fn what_the_targets_disagree_in_is_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    // One answers with the last word of the prompt, which is the right label; the other always says `bug`.
    let (a, b) = (
        echoes("label:", 0),
        Raw::start_by_body(|_| Do::Reply(response("200 OK", "", r#"{"text":"bug","finish":"stop"}"#))),
    );
    let all: Vec<String> = (0..60)
        .map(|n| {
            let label = if n % 3 == 0 { "praise" } else { "bug" };
            format!("{{ text: \"Ticket {n} {label}\", label: {label} }}")
        })
        .collect();
    let workload =
        format!("labels: [bug, praise], instruction: \"{{text}}\", prompts: {{ inline: [{}] }}", all.join(", "));
    run(dir.path(), "classify", &workload, "", [&a, &b], 60);
    let html = page(dir.path());
    let shown = html.matches("the labels differ, expected label: praise").count();
    assert_eq!(shown, 5, "twenty differ; five of them, beside those of the seed");
    assert!(html.contains("label: praise") && html.contains("label: bug"));
}

#[test]
fn a_secret_is_in_no_answer_that_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (echoes("tok-very-secret-1", 0), echoes("y", 0));
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  a: {{ json: {{ url: \"{}\", path: /x, headers: {{ X-Key: \"${{KEY_FOR_TEST}}\" }}, body: {{ p: \
         \"{{{{prompt}}}}\" }}, answer: {{ text: /text, finish: /finish }} }} }}\n{}reference: b\nworkload: {{ stream: false, {} }}\nload: \
         {{ closed: {{ users: 1, requests: 20 }} }}\n",
        a.url,
        target("b", &b),
        prompts(20)
    );
    write(dir.path(), "t.yaml", &yaml);
    let ran = loadcmp()
        .current_dir(dir.path())
        .env("KEY_FOR_TEST", "tok-very-secret-1")
        .args(["run", "t.yaml", "--out", "out"])
        .output()
        .expect("runs");
    assert!([Some(0), Some(4)].contains(&ran.status.code()), "{}", String::from_utf8_lossy(&ran.stderr));
    let kept = std::fs::read_to_string(dir.path().join("out/answers.jsonl")).expect("the file");
    assert!(kept.contains("\"a\"") && !kept.contains("tok-very-secret"), "{kept}");
    assert!(!page(dir.path()).contains("tok-very-secret"));
}
