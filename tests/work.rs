//! Rates of engines that take long for an answer: the work that was done inside the window, whatever phase it began in.

use crate::cli::{Row, StandIn, ask, loadcmp, number, rows, write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// A stand-in with enough slots that nobody queues: a first token after `first` ms, the next ones each `token` ms apart.
fn engine(first: u32, token: f64) -> StandIn {
    let (first, rate) = (first.to_string(), (1000.0 / token).to_string());
    StandIn::start(&["--slots", "32", "--first-token-ms", &first, "--decode-rate", &rate])
}

fn scenario(a: &StandIn, b: &StandIn, rest: &str) -> String {
    format!(
        "name: t\ntask: generate\ntargets:\n  a: {{ ollama: {{ url: \"{}\" }} }}\n  b: {{ ollama: {{ url: \"{}\" }} }}\n\
         reference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ fixed: 6 }} }} }}, \
         sampling: {{ max_tokens: 9 }} }}\n{rest}\n",
        a.url, b.url
    )
}

fn value(dir: &Path, target: &str, metric: &str) -> f64 {
    let sheet = rows(&dir.join("summary.csv"));
    let row = sheet.iter().find(|row| row["target"].starts_with(target) && row["metric"] == metric);
    number(row.unwrap_or_else(|| panic!("{target} {metric}")), "mean").unwrap_or_else(|| panic!("{target} {metric}"))
}

fn answered<'a>(all: &'a [Row], target: &'a str) -> impl Iterator<Item = &'a Row> {
    all.iter().filter(move |row| row["target"] == target && row["outcome"] == "ok" && row["phase"] != "cold")
}

/// What users of a closed loop get: their number ÷ the time from one request to the next. By the rows themselves, so that
/// a machine that is busy moves both sides of the comparison.
fn expected(dir: &Path, target: &str, users: f64) -> f64 {
    let all = rows(&dir.join("samples.csv"));
    let times: Vec<f64> = answered(&all, target).filter_map(|row| number(row, "latency_us")).collect();
    users / (times.iter().sum::<f64>() / times.len() as f64 / 1e6)
}

fn near(got: f64, want: f64, share: f64) {
    assert!((got / want - 1.0).abs() < share, "{got} and {want} expected");
}

/// Runs it, and holds rates of both targets to what their users got.
fn held(rest: &str, a: &StandIn, b: &StandIn, users: f64, share: f64) {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "t.yaml", &scenario(a, b, rest));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--quiet", "--out", "out"]);
    assert!(code == 0 || code == 4, "{err}");
    let out = dir.path().join("out");
    for target in ["a", "b"] {
        let want = expected(&out, target, users);
        near(value(&out, target, "requests_per_s"), want, share);
        near(value(&out, target, "output_tokens_per_s"), want * 9.0, share);
    }
}

#[test]
fn a_closed_loop_of_seconds_an_answer_tells_what_its_users_got() {
    // 2 s and 4 s in 9 s: by where answers begin and end, 1.8 and 0.9 at most. First tokens come soon: of tokens it is told
    // when they arrived, and all users are in step.
    let (a, b) = (engine(40, 245.0), engine(80, 490.0));
    held("load: { closed: { users: 4, duration: 9s, warmup: 1s } }", &a, &b, 4.0, 0.04);
}

#[test]
fn a_closed_loop_of_milliseconds_does_too() {
    let (a, b) = (engine(4, 2.0), engine(8, 4.0));
    held("load: { closed: { users: 4, duration: 2s, warmup: 300ms } }", &a, &b, 4.0, 0.06);
}

#[test]
fn blocks_tell_what_their_users_got_whoever_is_first() {
    let (a, b) = (engine(60, 30.0), engine(120, 60.0));
    held(
        "order: alternate\nblocks: { pairs: 2, settle: 10ms, warmup: 200ms }\nload: { closed: { users: 3, duration: 5s, warmup: 200ms } }",
        &a,
        &b,
        3.0,
        0.08,
    );
}

#[test]
fn in_an_open_loop_a_target_that_keeps_up_has_the_schedules_rate() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (engine(100, 50.0), engine(300, 200.0));
    let load = "load: { open: { rate: 5, arrivals: constant, duration: 6s, warmup: 3s } }";
    write(dir.path(), "t.yaml", &scenario(&a, &b, load));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--quiet", "--out", "out"]);
    assert!(code == 0 || code == 4, "{err}");
    for target in ["a", "b"] {
        near(value(&dir.path().join("out"), target, "requests_per_s"), 5.0, 0.06);
        near(value(&dir.path().join("out"), target, "output_tokens_per_s"), 45.0, 0.06);
    }
}

/// Starts a run of a minute, and ends it by a signal after some seconds.
fn ended_by(signal: &str) -> (tempfile::TempDir, Option<i32>) {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (engine(100, 75.0), engine(200, 150.0));
    let load = "drain: 100ms\nload: { closed: { users: 4, duration: 60s, warmup: 1s } }";
    write(dir.path(), "t.yaml", &scenario(&a, &b, load));
    let mut child = loadcmp()
        .current_dir(dir.path())
        .args(["run", "t.yaml", "--quiet", "--out", "out"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    // Until there is enough to tell rates of.
    let samples = dir.path().join("out/samples.csv");
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(100));
        let lines = std::fs::read_to_string(&samples).map_or(0, |text| text.matches(",measure,").count());
        if lines > 40 {
            break;
        }
    }
    let kill = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
    (dir, child.wait().expect("its end").code())
}

#[test]
fn a_run_that_was_interrupted_tells_rates_over_the_time_that_it_had() {
    let (dir, code) = ended_by("-INT");
    assert_eq!(code, Some(4));
    let out = dir.path().join("out");
    for target in ["a", "b"] {
        near(value(&out, target, "requests_per_s"), expected(&out, target, 4.0), 0.06);
    }
}

#[test]
fn so_does_one_that_was_killed() {
    let (dir, _) = ended_by("-KILL");
    let (code, _, err) = ask(dir.path(), &["report", "out"]);
    assert!(code == 0 || code == 4, "{err}");
    let out = dir.path().join("out");
    for target in ["a", "b"] {
        near(value(&out, target, "requests_per_s"), expected(&out, target, 4.0), 0.06);
    }
}

/// Else a target that is driven before another has its processor time divided by the other's time, too.
#[test]
fn a_window_that_answers_close_ends_with_the_last_of_them() {
    for order in ["isolated", "concurrent"] {
        let (a, b) = (engine(20, 2.0), engine(20, 2.0));
        let dir = tempfile::tempdir().expect("a directory");
        let rest = format!("order: {order}\nload: {{ closed: {{ users: 2, requests: 30 }} }}");
        write(dir.path(), "t.yaml", &scenario(&a, &b, &rest));
        let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--quiet", "--out", "out"]);
        assert!(code == 0 || code == 4, "{err}");
        let told = crate::cli::json(&dir.path().join("out/manifest.json"));
        let windows = told["windows"].as_array().expect("windows");
        assert_eq!(windows.len(), 2, "{order}: {windows:?}");
        let all = rows(&dir.path().join("out/samples.csv"));
        for (number_of, target) in ["a", "b"].into_iter().enumerate() {
            let ends = answered(&all, target).filter(|row| row["phase"] == "measure");
            let last = ends.filter_map(|row| number(row, "end_us")).fold(0.0, f64::max);
            let window = windows.iter().find(|window| window["target"] == number_of).expect("its window");
            let to = window["to"].as_f64().unwrap_or_else(|| panic!("{order} {target}: no end: {window}")) / 1e3;
            assert!((to - last).abs() < 1.0, "{order} {target}: {to} and {last}");
        }
    }
}
