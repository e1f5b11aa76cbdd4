//! The first request to a target, whose model may have to be loaded: its limit, told while it is waited for, sent again where that
//! may help, and Ctrl-C ends it at once, also where goose has run before.
#![cfg(unix)]

use crate::cli::{ask, json, loadcmp, rows, text, write};
use crate::raw::{request, response};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// What is done with the n-th request for text, from 0.
enum Act {
    Answer,
    /// Answers after this time.
    Late(Duration),
    /// Takes the request, and is never heard of again.
    Silent,
    /// Says that it is loading.
    Loading,
    /// Closes the connection without a word.
    Close,
    /// Knows no such model.
    Missing,
}

const ANSWER: &str = r#"{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
const MODELS: &str = r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#;

/// An engine on OpenAI's wire, and how many requests for text it has had.
fn engine(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let asked = Arc::<AtomicUsize>::default();
    let (act, count) = (Arc::new(act), asked.clone());
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (act, count) = (act.clone(), count.clone());
            std::thread::spawn(move || serve(socket, &*act, &count));
        }
    });
    (url, asked)
}

fn serve(mut socket: TcpStream, act: &dyn Fn(usize) -> Act, count: &AtomicUsize) {
    let mut kept = Vec::new();
    while let Some((head, _)) = request(&mut socket, &mut kept) {
        let (status, body) = match head.as_str() {
            head if head.starts_with("GET /v1/models ") => ("200 OK", MODELS),
            head if head.starts_with("POST /v1/chat/completions ") => match act(count.fetch_add(1, SeqCst)) {
                Act::Answer => ("200 OK", ANSWER),
                Act::Late(time) => {
                    std::thread::sleep(time);
                    ("200 OK", ANSWER)
                }
                Act::Silent => {
                    // To the end of the connection.
                    let _ = socket.read(&mut [0; 1]);
                    return;
                }
                Act::Close => return,
                Act::Missing => ("404 Not Found", r#"{"error":{"message":"no such model"}}"#),
                Act::Loading => ("503 Service Unavailable", r#"{"error":{"message":"Loading model","code":503}}"#),
            },
            _ => ("404 Not Found", "{}"),
        };
        if socket.write_all(response(status, "", body).as_bytes()).is_err() {
            return;
        }
    }
}

fn scenario(dir: &Path, url: &str, more: &str) {
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  a: {{ openai: {{ url: \"{url}\" }} }}\n\
         workload: {{ prompts: {{ inline: [{{ text: hello }}] }}, stream: false }}\n\
         load: {{ closed: {{ users: 1, requests: 2 }} }}\ntimeout: 1s\n{more}"
    );
    write(dir, "t.yaml", &yaml);
}

fn cold(out: &Path) -> Vec<crate::cli::Row> {
    rows(&out.join("samples.csv")).into_iter().filter(|row| row["phase"] == "cold").collect()
}

#[test]
fn a_model_that_loads_for_longer_than_a_request_may_take_is_waited_for_and_told_of() {
    let dir = tempfile::tempdir().expect("a directory");
    let (url, asked) = engine(|n| if n == 0 { Act::Late(Duration::from_millis(3500)) } else { Act::Answer });
    scenario(dir.path(), &url, "load_timeout: 10m\n");
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!((code, asked.load(SeqCst)), (0, 3), "{err}");
    assert!(err.contains("waiting for the first answer of `a`: 3 s (limit 10 min)"), "{err}");
    let cold = cold(&dir.path().join("out"));
    assert_eq!((cold.len(), cold[0]["outcome"].as_str()), (1, "ok"));
}

#[test]
fn the_limit_of_a_first_request_is_a_setting_and_what_ran_into_it_isnt_tried_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let (url, asked) = engine(|_| Act::Silent);
    scenario(dir.path(), &url, "load_timeout: 2s\n");
    let (_, plan, _) = ask(dir.path(), &["check", "t.yaml"]);
    let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plan.contains("1 s for an answer, 2 s for a target's first"), "{plan}");
    let since = Instant::now();
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert!(code == 3 && err.contains("`a` gave no answer to the first request (timeout)"), "{code}: {err}");
    assert!(since.elapsed() >= Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(asked.load(SeqCst), 1, "not retried");
    assert_eq!(cold(&dir.path().join("out")).len(), 1);
    scenario(dir.path(), &url, "load_timeout: 0s\n");
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 2 && err.contains("`load_timeout` must be more than 0"), "{err}");
}

#[test]
fn a_timeout_that_is_written_holds_for_the_first_request_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let (url, asked) = engine(|_| Act::Late(Duration::from_secs(6)));
    scenario(dir.path(), &url, "");
    let plan = |dir: &Path| ask(dir, &["check", "t.yaml"]).1.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plan(dir.path()).contains("1 s for an answer, 1 s for a target's first"), "{}", plan(dir.path()));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert!(code == 3 && err.contains("(timeout)") && err.contains("`load_timeout`"), "{code}: {err}");
    assert_eq!((asked.load(SeqCst), cold(&dir.path().join("out")).len()), (1, 1));
    // Where neither is written, a model has time to load.
    let yaml = std::fs::read_to_string(dir.path().join("t.yaml")).expect("a scenario").replace("timeout: 1s\n", "");
    write(dir.path(), "t.yaml", &yaml);
    assert!(plan(dir.path()).contains("60 s for an answer, or longer"), "{}", plan(dir.path()));
}

/// One failure of a flaky engine loses no night: each try is a row, and its reason is told, there and then and in the report.
#[test]
fn a_first_request_that_fails_is_sent_again_a_stated_number_of_times() {
    let dir = tempfile::tempdir().expect("a directory");
    let (url, _) = engine(|n| match n {
        0 => Act::Close,
        1 => Act::Loading,
        _ => Act::Answer,
    });
    scenario(dir.path(), &url, "");
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    let words = err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("first request to `a` failed (connect)") && words.contains("in 1 s (try 2 of 3)"), "{err}");
    assert!(words.contains("failed (rejected): Loading model; sent again in 3 s (try 3 of 3)"), "{err}");
    let outcomes: Vec<_> = cold(&dir.path().join("out")).iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes, ["connect", "rejected", "ok"]);
    let findings = json(&dir.path().join("out/report.json"))["findings"].clone();
    let finding = findings.as_array().expect("findings").iter().find(|found| found["id"] == "first-requests");
    let sentence = finding.expect("a finding")["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("failed 2 times before it was answered (rejected: Loading model)"), "{sentence}");
    assert!(table.split_whitespace().collect::<Vec<_>>().join(" ").contains("failed 2 times"), "{table}");
}

#[test]
fn a_first_request_that_cannot_succeed_is_not_sent_again_and_one_that_never_does_ends_the_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let (url, asked) = engine(|_| Act::Missing);
    scenario(dir.path(), &url, "");
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "missing"]);
    assert!(code == 3 && err.contains("no such model") && !err.contains("try 2"), "{code}: {err}");
    assert_eq!(asked.load(SeqCst), 1);
    let (url, asked) = engine(|_| Act::Close);
    scenario(dir.path(), &url, "");
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "closed"]);
    assert!(code == 3 && err.contains("`a` dropped the first request (connect)"), "{code}: {err}");
    assert_eq!((asked.load(SeqCst), cold(&dir.path().join("closed")).len()), (3, 3));
}

fn start(dir: &Path, args: &[&str]) -> Child {
    let mut command = loadcmp();
    command.current_dir(dir).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("a run")
}

/// Presses Ctrl-C once the engine has had so many requests; the exit code, standard error and how long it took.
fn interrupted(child: Child, asked: &AtomicUsize, after: usize) -> (Option<i32>, String, Duration) {
    let since = Instant::now();
    while asked.load(SeqCst) < after {
        assert!(since.elapsed() < Duration::from_secs(60), "{} requests", asked.load(SeqCst));
        std::thread::sleep(Duration::from_millis(20));
    }
    // It waits by now.
    std::thread::sleep(Duration::from_millis(300));
    let pressed = Instant::now();
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let output = child.wait_with_output().expect("an end");
    (output.status.code(), text(&output).1, pressed.elapsed())
}

#[test]
fn ctrl_c_ends_the_wait_for_a_first_answer_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (url, asked) = engine(|_| Act::Silent);
    scenario(dir.path(), &url, "load_timeout: 10m\n");
    let (code, err, took) = interrupted(start(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]), &asked, 1);
    assert_eq!(code, Some(4), "{err}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(err.contains("interrupted"), "{err}");
    let cold = cold(&dir.path().join("out"));
    assert_eq!((cold.len(), cold[0]["outcome"].as_str()), (1, "unfinished"), "{cold:?}");
    assert!(cold[0]["error"].contains("unfinished: the run ended"), "{cold:?}");
}

#[test]
fn ctrl_c_ends_it_in_the_second_scenario_of_a_suite_too() {
    let dir = tempfile::tempdir().expect("a directory");
    // Three requests that time the engine, the first scenario's three, and then no more.
    let (url, asked) = engine(|n| if n < 6 { Act::Answer } else { Act::Silent });
    scenario(dir.path(), &url, "load_timeout: 10m\n");
    write(
        dir.path(),
        "s.yaml",
        "name: s\nscenarios:\n  one: { file: t.yaml }\n  two: { file: t.yaml }\n\
                           checks:\n  - { name: x, category: y, scenario: one, gate: errors == 0 }\n",
    );
    let args = ["suite", "run", "s.yaml", "--out", "out"];
    let (code, err, took) = interrupted(start(dir.path(), &args), &asked, 7);
    assert_eq!(code, Some(4), "{err}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let (one, two) = (cold(&dir.path().join("out/one")), cold(&dir.path().join("out/two")));
    assert_eq!((one[0]["outcome"].as_str(), two[0]["outcome"].as_str()), ("ok", "unfinished"));
}

#[test]
fn ctrl_c_ends_the_timing_of_a_suites_engines_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let (url, asked) = engine(|_| Act::Silent);
    scenario(dir.path(), &url, "load_timeout: 10m\n");
    let suite = "name: s\nscenarios: { one: { file: t.yaml } }\nchecks: [{ name: x, category: y, scenario: one, gate: errors == 0 }]\n";
    write(dir.path(), "s.yaml", suite);
    let (code, err, took) = interrupted(start(dir.path(), &["suite", "run", "s.yaml", "--out", "out"]), &asked, 1);
    assert_eq!(code, Some(4), "{err}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(!dir.path().join("out/timing").exists() && !dir.path().join("out/one").exists(), "{err}");
    assert_eq!(json(&dir.path().join("out/suite.json"))["status"], "interrupted");
}

/// A cold start that the scenario asks for is a first request, too: cut by Ctrl-C, it has its row.
#[test]
fn ctrl_c_in_a_cold_start_leaves_its_row() {
    let dir = tempfile::tempdir().expect("a directory");
    let (url, asked) = engine(|n| if n < 1 { Act::Answer } else { Act::Silent });
    scenario(dir.path(), &url, "load_timeout: 10m\ncold_start: { repeats: 2, restart: { a: [\"true\"] } }\n");
    let child = start(dir.path(), &["run", "t.yaml", "--full", "--out", "out", "--allow-commands"]);
    let (code, err, took) = interrupted(child, &asked, 2);
    assert_eq!(code, Some(4), "{err}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let outcomes: Vec<_> = cold(&dir.path().join("out")).iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes, ["ok", "unfinished"], "{err}");
}
