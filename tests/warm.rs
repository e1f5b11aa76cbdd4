//! `prompt_cache: warm`: every prompt is asked once on every target before the window opens, whatever drives the load.

use crate::cli::{Row, ask, number, rows, write};
use crate::raw::{Do, Raw};
use std::collections::BTreeSet;
use std::time::Duration;

const PROMPTS: usize = 12;

/// An engine that takes 60 ms for a prompt that it has not seen, and 2 ms for one that it has.
fn caching() -> Raw {
    let seen = std::sync::Mutex::new(BTreeSet::new());
    Raw::start_by_body(move |body| {
        let new = seen.lock().expect("what was seen").insert(body.to_owned());
        Do::Answer(Duration::from_millis(if new { 60 } else { 2 }))
    })
}

/// Runs a load with warm prompts; the rows of the measured window and those of the warm-up.
fn run(load: &str, more: &str, args: &[&str]) -> (Vec<Row>, Vec<Row>, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let servers = [caching(), caching()];
    let text = format!(
        "name: t\ntask: generate\ntargets:\n{}{}reference: b\nworkload: {{ prompt_cache: warm, prompts: {{ synthetic: {{ count: \
         {PROMPTS}, words: {{ fixed: 5 }} }} }} }}\nload: {{ {load} }}\n{more}",
        servers[0].target("a"),
        servers[1].target("b")
    );
    write(dir.path(), "t.yaml", &text);
    let all: Vec<&str> = ["run", "t.yaml", "--out", "out"].iter().chain(args).copied().collect();
    let (_, out, err) = ask(dir.path(), &all);
    let all = rows(&dir.path().join("out/samples.csv"));
    let of = |phase: &str| all.iter().filter(|row| row["phase"] == phase).cloned().collect::<Vec<_>>();
    (of("measure"), of("warmup"), format!("{out}{err}"))
}

/// That every prompt was asked on both targets before anything was measured of it, and nothing cold was measured.
fn is_warm(measured: &[Row], warmup: &[Row], told: &str) {
    for target in ["a", "b"] {
        let mine = |rows: &[Row]| rows.iter().filter(|row| row["target"] == target).cloned().collect::<Vec<_>>();
        let (measured, warmup) = (mine(measured), mine(warmup));
        assert!(measured.len() >= 10, "{target}: {}\n{told}", measured.len());
        let first = measured.iter().filter_map(|row| number(row, "planned_us")).fold(f64::MAX, f64::min);
        let ended = |row: &&Row| number(row, "end_us").is_some_and(|end| end <= first);
        let items: BTreeSet<String> = warmup.iter().filter(ended).map(|row| row["item"].clone()).collect();
        assert_eq!(items.len(), PROMPTS, "{target}: {told}");
        // The warm-up's own are slow, the measured ones are not.
        let slow =
            |rows: &[Row]| rows.iter().filter(|row| number(row, "latency_us").is_some_and(|us| us >= 60_000.0)).count();
        assert!(slow(&warmup) >= PROMPTS - 1, "{target}: {told}");
        // A busy machine may hold up a few; an engine that was not warm would be slow in the first dozen.
        assert!(slow(&measured) <= 2, "{target}: {} of {}\n{told}", slow(&measured), measured.len());
    }
    assert!(told.contains("sending every prompt once before the load (12"), "{told}");
}

#[test]
fn prompts_are_warm_in_a_closed_loop_of_either_driver() {
    for driver in if cfg!(feature = "goose") { &["goose", "native"][..] } else { &["native"] } {
        let (measured, warmup, told) = run("closed: { users: 2, requests: 40, warmup: 0s }", "", &["--driver", driver]);
        is_warm(&measured, &warmup, &told);
        assert_eq!(warmup.len(), 2 * PROMPTS, "each prompt once\n{told}");
    }
}

#[test]
fn prompts_are_warm_in_an_open_loop() {
    let load = "open: { rate: 40, duration: 1s, arrivals: constant, warmup: 0s, in_flight: 16 }";
    let (measured, warmup, told) = run(load, "", &[]);
    is_warm(&measured, &warmup, &told);
    assert_eq!(measured.len(), 80, "{told}");
}

#[test]
fn prompts_are_warm_in_blocks_and_one_after_another() {
    for order in ["alternate", "isolated"] {
        let blocks = if order == "alternate" { "blocks: { pairs: 3, settle: 0s, warmup: 0s }\n" } else { "" };
        let load = "closed: { users: 2, requests: 30, warmup: 0s }";
        let (measured, warmup, told) = run(load, &format!("order: {order}\n{blocks}"), &[]);
        is_warm(&measured, &warmup, &told);
    }
}

/// An interrupted warm-up ends at once, and what was in flight is a row.
#[test]
#[cfg(unix)]
fn ctrl_c_ends_the_warming() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::process::Stdio;
    use std::time::Instant;
    let dir = tempfile::tempdir().expect("a directory");
    // The first request, which comes before, is quick.
    let server = Raw::start(|number, _| Do::Answer(Duration::from_secs(if number == 0 { 0 } else { 20 })));
    let text = format!(
        "name: t\ntask: generate\ntargets:\n{}workload: {{ prompt_cache: warm, prompts: {{ synthetic: {{ count: {PROMPTS}, \
         words: {{ fixed: 5 }} }} }} }}\nload: {{ closed: {{ users: 2, requests: 10 }} }}\n",
        server.target("a")
    );
    write(dir.path(), "t.yaml", &text);
    let child = crate::cli::loadcmp()
        .current_dir(dir.path())
        .args(["run", "t.yaml", "--out", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let began = Instant::now();
    while server.seen(|seen| seen.posts.len()) < 3 {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was warmed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pressed = Instant::now();
    kill_process(Pid::from_raw(child.id() as i32).expect("a number"), Signal::INT).expect("a signal");
    let output = child.wait_with_output().expect("its end");
    assert!(pressed.elapsed() < Duration::from_secs(10), "{:?}", pressed.elapsed());
    let (out, err) = crate::cli::text(&output);
    assert_eq!(output.status.code(), Some(4), "{out}{err}");
    let all = rows(&dir.path().join("out/samples.csv"));
    assert_eq!(all.iter().filter(|row| row["phase"] == "warmup").count(), 2, "{out}{err}");
    assert!(all.iter().all(|row| row["phase"] != "measure"), "{out}{err}");
}
