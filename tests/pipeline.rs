//! Whole runs through the front door: the program, real sockets, the files it leaves.

use crate::cli::{Row, Run, StandIn, loadcmp, number, rows, text, write};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A scenario of two targets on one wire; `load` and `workload` are YAML flow maps.
fn scenario(task: &str, prompts: &str, more: &str, load: &str) -> String {
    format!(
        "name: t\ntask: {task}\nseed: 5\ntargets:\n  a: {{ ollama: {{ url: \"${{A}}\" }} }}\n  b: {{ ollama: {{ url: \"${{B}}\" }} }}\n\
         reference: b\nallow_same_endpoint: true\nworkload: {{ prompts: {prompts}, {more} }}\nload: {{ closed: {load} }}\ndrain: 2s\n"
    )
}

/// What can schedule the users of a closed loop.
const DRIVERS: &[&str] = if cfg!(feature = "goose") { &["native", "goose"] } else { &["native"] };

const SHORT: &str = "{ synthetic: { count: 40, words: { uniform: { min: 3, max: 12 } } } }";

fn run(yaml: &str, a: &str, b: &str, more: &[&str]) -> Run {
    Run::of_text(yaml, |command| {
        command.args(more).env("A", a).env("B", b);
    })
}

fn of<'a>(rows: &'a [Row], target: &str, phase: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row["target"] == target && row["phase"] == phase).collect()
}

#[test]
fn both_targets_get_the_same_bodies_in_the_same_order() {
    for driver in DRIVERS {
        for (users, exact) in [("1", true), ("5", false)] {
            let records = tempfile::tempdir().expect("a directory");
            let path = |name: &str| records.path().join(name).display().to_string();
            let (a, b) = (StandIn::start(&["--record", &path("a")]), StandIn::start(&["--record", &path("b")]));
            let load = format!("{{ users: {users}, requests: 90 }}");
            let more = "prompt_cache: bust, sampling: { max_tokens: 2 }";
            let run = run(&scenario("generate", SHORT, more, &load), &a.url, &b.url, &["--driver", driver]);
            assert_eq!(run.code, 0, "{}", run.err);
            drop((a, b));
            let served = |name: &str| -> Vec<(String, String)> {
                let all = rows(Path::new(&path(name)));
                let asked = all.into_iter().filter(|row| row["route"].contains("/api/"));
                let asked = asked.filter(|row| !row["text_hash"].is_empty());
                asked.map(|mut row| (row.remove("body_hash").unwrap(), row.remove("headers").unwrap())).collect()
            };
            let (mut a, mut b) = (served("a"), served("b"));
            assert_eq!(a.len(), 91, "90 measured and one before");
            if !exact {
                // Several connections: the order at the server is the order of departure but for races of its reads.
                a.sort();
                b.sort();
            }
            assert_eq!(a, b, "{driver}, {users} users");
            let bodies: BTreeSet<_> = a.iter().map(|(body, _)| body).collect();
            assert_eq!(bodies.len(), 91, "each prompt has a different nonce");

            let samples = run.samples();
            for target in ["a", "b"] {
                let mut sent: Vec<(f64, u64)> = of(&samples, target, "measure")
                    .iter()
                    .map(|row| (number(row, "planned_us").unwrap(), row["index"].parse().unwrap()))
                    .collect();
                sent.sort_by(|x, y| x.0.total_cmp(&y.0));
                let indices: BTreeSet<u64> = sent.iter().map(|(_, index)| *index).collect();
                assert_eq!(indices, (0..90).collect());
                assert!(!exact || sent.iter().map(|(_, index)| *index).eq(0..90));
            }
            let hashes = |target| {
                let rows = of(&samples, target, "measure");
                rows.iter().map(|row| (row["index"].clone(), row["request_hash"].clone())).collect::<BTreeSet<_>>()
            };
            assert_eq!(hashes("a"), hashes("b"));
        }
    }
}

#[test]
fn a_run_told_again_from_its_directory_is_the_same_to_the_byte() {
    let (a, b) = (StandIn::start(&["--fault-truncate", "0.1"]), StandIn::start(&[]));
    let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 5 }", "{ users: 3, duration: 1s, warmup: 300ms }");
    let run = run(&yaml, &a.url, &b.url, &[]);
    assert_eq!(run.code, 0, "{}", run.err);
    let dir = run.dir.path().join("out");
    let names =
        ["summary.csv", "comparison.csv", "timeline.csv", "report.json", "report.md", "report.html", "histograms.hlog"];
    let before: Vec<Vec<u8>> = names.iter().map(|name| std::fs::read(dir.join(name)).expect(name)).collect();
    for name in names {
        std::fs::remove_file(dir.join(name)).expect(name);
    }
    let output = loadcmp().arg("report").arg(&dir).output().expect("a report");
    assert!(output.status.success(), "{}", text(&output).1);
    assert_eq!(text(&output).0, run.out, "the table");
    for (name, before) in names.iter().zip(before) {
        let after = std::fs::read(dir.join(name)).expect(name);
        assert!(
            after == before,
            "{name} differs:\n{}\n---\n{}",
            String::from_utf8_lossy(&before),
            String::from_utf8_lossy(&after)
        );
    }
}

#[test]
fn warm_up_is_kept_and_left_out() {
    let (a, b) = (StandIn::start(&["--first-token-ms", "5"]), StandIn::start(&["--first-token-ms", "5"]));
    let yaml =
        scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 2, duration: 600ms, warmup: 400ms }");
    let run = run(&yaml, &a.url, &b.url, &["--format", "csv"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let samples = run.samples();
    for target in ["a", "b"] {
        assert_eq!(of(&samples, target, "cold").len(), 1);
        assert!(!of(&samples, target, "warmup").is_empty());
        let measured = of(&samples, target, "measure").len();
        let summary = rows(&run.dir.path().join("out/summary.csv"));
        let told = summary.iter().find(|row| row["target"] == target && row["metric"] == "latency").expect("latency");
        assert_eq!(told["n"], measured.to_string());
        for row in of(&samples, target, "measure") {
            assert!(number(row, "first_token_us").unwrap() - number(row, "sent_us").unwrap() >= 5000.0, "{row:?}");
        }
    }
}

#[test]
fn isolated_targets_never_overlap() {
    let (a, b) = (StandIn::start(&["--first-token-ms", "3"]), StandIn::start(&["--first-token-ms", "3"]));
    let yaml =
        scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 2, duration: 400ms, warmup: 100ms }");
    let run = run(&(yaml + "order: isolated\n"), &a.url, &b.url, &[]);
    assert_eq!(run.code, 0, "{}", run.err);
    let samples = run.samples();
    let edge = |target, column: &str, pick: fn(f64, f64) -> f64| {
        let rows = samples.iter().filter(|row| row["target"] == target && row["phase"] != "cold");
        rows.filter_map(|row| number(row, column)).reduce(pick).expect("rows")
    };
    assert!(edge("a", "end_us", f64::max) <= edge("b", "planned_us", f64::min));
    assert!(samples.iter().all(|row| row["block"] == "0"));
}

#[test]
fn alternate_blocks_go_there_and_back_with_the_same_requests_and_never_overlap() {
    {
        for load in ["{ users: 2, requests: 42, warmup: 100ms }", "{ users: 2, duration: 1200ms, warmup: 100ms }"] {
            let (a, b) = (StandIn::start(&["--first-token-ms", "4"]), StandIn::start(&["--first-token-ms", "9"]));
            let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", load)
                + "order: alternate\nblocks: { pairs: 4, settle: 60ms, warmup: 40ms }\n";
            let run = run(&yaml, &a.url, &b.url, &[]);
            assert_eq!(run.code, 0, "{}", run.err);
            let samples = run.samples();
            let stamp = |row: &Row, column: &str| number(row, column).unwrap();
            // Each target's block as first planned, last end, and the numbers asked.
            let mut blocks = Vec::new();
            for target in ["a", "b"] {
                for block in 0..4 {
                    let of_block = |row: &&Row| row["target"] == target && row["block"] == block.to_string();
                    // Before the first block of a given time each target's pace is learned, in warm-up rows.
                    let learned = |row: &&Row| load.contains("duration") && block == 0 && row["phase"] == "warmup";
                    let rows: Vec<&Row> =
                        samples.iter().filter(of_block).filter(|row| row["phase"] != "cold" && !learned(row)).collect();
                    let measured: Vec<&&Row> = rows.iter().filter(|row| row["phase"] == "measure").collect();
                    assert!(!measured.is_empty());
                    let from = rows.iter().map(|row| stamp(row, "planned_us")).fold(f64::MAX, f64::min);
                    let to = rows.iter().map(|row| stamp(row, "end_us")).fold(0.0, f64::max);
                    let asked: BTreeSet<u64> = measured.iter().map(|row| row["index"].parse().unwrap()).collect();
                    assert_eq!(asked.len(), measured.len());
                    let ended = measured.iter().map(|row| stamp(row, "end_us")).fold(0.0, f64::max);
                    let window = window_of(&run, target == "b", block);
                    assert!((window.1 - ended).abs() < 1.0, "{window:?} {ended}");
                    assert!(measured.iter().all(|row| stamp(row, "planned_us") >= window.0));
                    blocks.push((from, to, target, block, asked));
                }
            }
            let asked = |target: &str, block: usize| {
                blocks.iter().find(|b| b.2 == target && b.3 == block as u32).map(|b| b.4.clone()).unwrap()
            };
            for block in 0..4 {
                assert_eq!(asked("a", block), asked("b", block), "the same requests");
            }
            let all: Vec<u64> = (0..4).flat_map(|block| asked("a", block)).collect();
            assert!(all.iter().copied().eq(0..all.len() as u64), "all of them, in order: {all:?}");
            assert!(load.contains("duration") || all.len() == 42);
            assert!(!of(&samples, "a", "warmup").is_empty() && !of(&samples, "b", "warmup").is_empty());
            blocks.sort_by(|x, y| x.0.total_cmp(&y.0));
            let order: String = blocks.iter().map(|block| block.2).collect();
            assert!(order == "abbaabba" || order == "baabbaab", "{order}");
            for pair in blocks.windows(2) {
                assert!(pair[1].0 - pair[0].1 >= 60_000.0, "settled: {} us", pair[1].0 - pair[0].1);
            }
        }
    }
}

/// A window of the manifest, in microseconds.
fn window_of(run: &Run, second: bool, block: u32) -> (f64, f64) {
    let text = std::fs::read(run.dir.path().join("out/manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let all = manifest["windows"].as_array().expect("windows");
    let mut own = all.iter().filter(|window| window["target"] == usize::from(second) && window["block"] == block);
    let window = own.next().expect("a window");
    assert!(own.next().is_none(), "a window is told once");
    (window["from"].as_f64().unwrap() / 1e3, window["to"].as_f64().expect("an end") / 1e3)
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_alternating_blocks_between_and_within() {
    // Within a block of slow answers; in a pause between two blocks that is most of the run; and where a run under goose,
    // which takes the signal's handler for itself, came before in the same process.
    for (slow, settle, before) in [("50", "1ms", false), ("1", "120s", false), ("50", "1ms", true), ("1", "120s", true)]
    {
        let (a, b) = (StandIn::start(&["--first-token-ms", slow]), StandIn::start(&["--first-token-ms", slow]));
        let dir = tempfile::tempdir().expect("a directory");
        // A block of slow answers would take half a minute.
        let load = if slow == "1" { "{ users: 2, requests: 800 }" } else { "{ users: 2, requests: 8000 }" };
        let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", load);
        let blocks = format!("order: alternate\nblocks: {{ pairs: 4, settle: {settle}, warmup: 1ms }}\n");
        let path = write(dir.path(), "t.yaml", &(yaml + &blocks));
        let first = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 2, requests: 4 }");
        let first = write(dir.path(), "first.yaml", &first.replace("name: t", "name: first"));
        let out = dir.path().join("out");
        let mut command = loadcmp();
        command.arg("run").args(before.then_some(first)).arg(path).arg("--out").arg(&out);
        let mut child = command
            .env("A", &a.url)
            .env("B", &b.url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a run");
        let out = if before { out.join("t") } else { out };
        // The first block of fast answers is 200 requests of two users, and then comes the pause.
        let enough = if slow == "1" { 200 } else { 30 };
        wait_for(|| lines(&out.join("samples.csv")) > enough);
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        let at = Instant::now();
        assert_eq!(child.wait().expect("an end").code(), Some(4), "{slow}, {settle}, {before}");
        assert!(at.elapsed() < Duration::from_secs(25), "{slow}, {settle}, {before}: {:?}", at.elapsed());
        assert!(rows(&out.join("samples.csv")).iter().all(|row| row["outcome"] == "ok"));
    }
}

#[cfg(feature = "goose")]
#[test]
fn goose_is_refused_where_it_cannot_drive() {
    let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 2, requests: 80 }");
    let run = run(&(yaml + "order: alternate\n"), "http://127.0.0.1:9", "http://127.0.0.1:9", &["--driver", "goose"]);
    assert_eq!(run.code, 2, "{}", run.err);
    for words in ["`--driver goose` can't be used with `alternate`", "t.yaml:12:8", "^^^^^^^^^", "leave `--driver` out"]
    {
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
    assert!(run.out.is_empty() && !run.dir.path().join("out").exists());
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_ends_the_run_at_once() {
    let a = StandIn::start(&["--first-token-ms", "2"]);
    for driver in DRIVERS {
        let dir = tempfile::tempdir().expect("a directory");
        let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 4, duration: 60s }");
        let path = write(dir.path(), "t.yaml", &yaml);
        // A file may grow to some tens of kilobytes here; the signal that would say so is off, as on a full disk.
        let at = Instant::now();
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_loadcmp"), "run"])
            .arg(path)
            .args(["--driver", driver, "--out"])
            .arg(dir.path().join("out"))
            .env("A", &a.url)
            .env("B", &a.url)
            .stdin(Stdio::null())
            .output();
        let (_, err) = text(&output.expect("a run"));
        assert!(err.contains("samples.csv") && err.contains("error"), "{err}");
        assert!(at.elapsed() < Duration::from_secs(30), "{:?}", at.elapsed());
    }
}

#[test]
fn conversations_carry_their_number_and_turn_and_grow() {
    let (a, b) = (StandIn::start(&[]), StandIn::start(&[]));
    let prompts = "{ synthetic: { count: 4, words: { fixed: 5 }, turns: 3 } }";
    let yaml = scenario("chat", prompts, "sampling: { max_tokens: 3 }", "{ users: 2, requests: 6 }");
    let run = run(&yaml, &a.url, &b.url, &[]);
    assert_eq!(run.code, 0, "{}", run.err);
    let samples = run.samples();
    let rows = of(&samples, "a", "measure");
    assert_eq!(rows.len(), 18);
    for row in &rows {
        let (index, conversation, turn) = (&row["index"], &row["conversation"], &row["turn"]);
        let [index, conversation, turn] = [index, conversation, turn].map(|n| n.parse::<u64>().expect("a number"));
        assert_eq!(index, conversation * 3 + turn - 1);
        let tokens: u64 = row["prompt_tokens"].parse().expect("tokens");
        assert!(turn == 1 || tokens > 10, "{row:?}");
    }
}

#[test]
fn a_target_that_dies_leaves_rows() {
    let mut a = StandIn::start(&["--first-token-ms", "10"]);
    let b = StandIn::start(&["--first-token-ms", "10"]);
    let dir = tempfile::tempdir().expect("a directory");
    let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 3, duration: 2s }");
    let path = write(dir.path(), "t.yaml", &yaml);
    let mut child = loadcmp()
        .arg("run")
        .arg(path)
        .arg("--out")
        .arg(dir.path().join("out"))
        .env("A", &a.url)
        .env("B", &b.url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a run");
    wait_for(|| lines(&dir.path().join("out/samples.csv")) > 50);
    a.kill();
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    let samples = rows(&dir.path().join("out/samples.csv"));
    let (a, b) = (of(&samples, "a", "measure"), of(&samples, "b", "measure"));
    assert!(a.iter().any(|row| row["outcome"] == "ok") && a.iter().any(|row| row["outcome"] == "connect"));
    assert!(a.len() < 5000, "a dead target is not hammered: {}", a.len());
    assert!(b.iter().all(|row| row["outcome"] == "ok"));
}

#[test]
fn after_kill_9_the_rows_are_there_and_the_run_can_be_told() {
    let (a, b) = (StandIn::start(&["--first-token-ms", "5"]), StandIn::start(&["--first-token-ms", "5"]));
    let dir = tempfile::tempdir().expect("a directory");
    let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 2, duration: 30s }");
    let path = write(dir.path(), "t.yaml", &yaml);
    let out = dir.path().join("out");
    let mut child =
        loadcmp().arg("run").arg(path).arg("--out").arg(&out).env("A", &a.url).env("B", &b.url).spawn().expect("a run");
    wait_for(|| lines(&out.join("samples.csv")) > 10);
    let (seen, at) = (lines(&out.join("samples.csv")), Instant::now());
    // A second on, every request that has ended by now is in the file.
    wait_for(|| at.elapsed() > Duration::from_millis(1000));
    let after = lines(&out.join("samples.csv"));
    child.kill().expect("a kill");
    let _ = child.wait();
    assert!(after > seen + 10, "{seen} rows, then {after}: two users at 5 ms make some hundreds a second");
    let output = loadcmp().arg("report").arg(&out).output().expect("a report");
    assert_eq!(output.status.code(), Some(4), "{}", text(&output).1);
    assert!(text(&output).0.contains("interrupted"), "{}", text(&output).0);
    let told = rows(&out.join("summary.csv"));
    let requests: u64 = told.iter().filter(|r| r["metric"] == "latency").map(|r| r["n"].parse::<u64>().unwrap()).sum();
    assert!(requests as usize >= after - 10, "{requests} of {after}");
}

#[cfg(unix)]
#[test]
fn the_first_interrupt_drains_and_writes_everything_the_second_stops() {
    for (driver, twice) in DRIVERS.iter().flat_map(|driver| [(*driver, false), (*driver, true)]) {
        let slow = ["--first-token-ms", "700", "--slots", "8"];
        let (a, b) = (StandIn::start(&slow), StandIn::start(&slow));
        let dir = tempfile::tempdir().expect("a directory");
        let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 2, duration: 30s }");
        let path = write(dir.path(), "t.yaml", &yaml.replace("drain: 2s", "drain: 60s"));
        let out = dir.path().join("out");
        let mut child = loadcmp()
            .arg("run")
            .arg(path)
            .args(["--driver", driver])
            .arg("--out")
            .arg(&out)
            .env("A", &a.url)
            .env("B", &b.url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a run");
        wait_for(|| lines(&out.join("samples.csv")) > 6);
        let interrupt = || {
            std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        };
        interrupt();
        let at = Instant::now();
        if twice {
            std::thread::sleep(Duration::from_millis(150));
            interrupt();
        }
        let status = child.wait().expect("an end");
        if twice {
            assert!(at.elapsed() < Duration::from_secs(30), "{driver}: {:?}", at.elapsed());
            assert!(!status.success());
            continue;
        }
        assert_eq!(status.code(), Some(4), "{driver}");
        let samples = rows(&out.join("samples.csv"));
        assert!(samples.iter().all(|row| row["outcome"] == "ok"), "{driver}: what was in flight was waited for");
        assert!(out.join("report.html").exists() && out.join("summary.csv").exists());
    }
}

#[test]
fn faults_become_outcomes() {
    for (fault, outcome) in [
        ("--fault-status", "http_status"),
        ("--fault-error-frame", "error_frame"),
        ("--fault-truncate", "truncated"),
        ("--fault-stall", "timeout"),
    ] {
        let (a, b) = (StandIn::start(&[fault, "0.3", "--stall-for-ms", "1000"]), StandIn::start(&[]));
        let more = "sampling: { max_tokens: 4 }";
        let yaml =
            scenario("generate", SHORT, more, "{ users: 4, requests: 40 }") + "timeout: 300ms\nload_timeout: 10s\n";
        let run = run(&yaml, &a.url, &b.url, &[]);
        // A third of the requests failed on one side: the targets did unequal work.
        assert_eq!(run.code, 4, "{fault}: {}", run.err);
        assert!(run.err.contains("loadcmp: invalid: The targets completed different amounts of work"), "{}", run.err);
        let samples = run.samples();
        let rows = of(&samples, "a", "measure");
        let failed = rows.iter().filter(|row| row["outcome"] == outcome).count();
        assert!(failed > 0 && failed < 40, "{fault}: {failed} of {}", rows.len());
        let other: Vec<_> = rows.iter().filter(|row| row["outcome"] != outcome && row["outcome"] != "ok").collect();
        assert!(other.is_empty(), "{fault}: {other:?}");
        assert!(rows.iter().filter(|row| row["outcome"] == outcome).all(|row| !row["error"].is_empty()));
    }
}

#[test]
fn a_full_queue_is_told_as_rejected() {
    let (a, b) = (StandIn::start(&["--slots", "1", "--queue", "0", "--first-token-ms", "20"]), StandIn::start(&[]));
    let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 4, requests: 30 }");
    let run = run(&yaml, &a.url, &b.url, &[]);
    let rejected =
        run.samples().iter().filter(|row| row["outcome"] == "rejected" && row["http_status"] == "503").count();
    assert!(rejected > 0, "{}", run.err);
}

#[test]
fn a_secret_is_in_no_file_and_in_no_output() {
    let a = StandIn::start(&[]);
    let yaml = "name: t\ntask: generate\ntargets:\n  a: { openai: { url: \"${A}\", token: \"${KEY}\" } }\n\
                workload: { prompts: { inline: [ { text: hello } ] } }\nload: { closed: { users: 1, requests: 3 } }\n";
    let dir = tempfile::tempdir().expect("a directory");
    let path = write(dir.path(), "t.yaml", yaml);
    let out = dir.path().join("out");
    let output = loadcmp()
        .arg("run")
        .arg(path)
        .arg("--out")
        .arg(&out)
        .env("A", &a.url)
        .env("KEY", "hunter2hunter2")
        .output()
        .expect("a run");
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{stderr}");
    assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"));
    for file in out.read_dir().expect("files") {
        let path = file.expect("a file").path();
        let bytes = std::fs::read(&path).expect("bytes");
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "{}", path.display());
    }
}

#[test]
fn stand_ins_are_told_in_every_file_and_refused_when_asked() {
    let a = StandIn::start(&[]);
    let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 1, requests: 12 }");
    let found = run(&yaml, &a.url, &a.url, &[]);
    assert_eq!(found.code, 0, "{}", found.err);
    assert!(found.out.contains("stand-in"), "{}", found.out);
    for name in
        ["samples.csv", "summary.csv", "comparison.csv", "report.json", "report.md", "report.html", "manifest.json"]
    {
        let text = std::fs::read_to_string(found.dir.path().join("out").join(name)).expect(name);
        assert!(text.contains("stand-in") || text.contains("stand_in"), "{name}");
    }
    let refused = run(&yaml, &a.url, &a.url, &["--real"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("stand-in") && refused.out.is_empty());
}

#[test]
fn what_is_missing_is_told_with_what_would_help() {
    let a = StandIn::start(&[]);
    let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 1, requests: 2 }");
    let gone = run(&yaml, &a.url, "127.0.0.1:9", &[]);
    assert_eq!(gone.code, 3);
    assert!(gone.err.contains("127.0.0.1:9") && gone.err.contains("ollama serve"), "{}", gone.err);
    let unknown = run(&yaml, &a.url, &a.url, &["--set", "targets.b.ollama.model=nope"]);
    assert_eq!(unknown.code, 3);
    assert!(unknown.err.contains("nope") && unknown.err.contains("standin"), "{}", unknown.err);
    assert!(!gone.dir.path().join("out").exists(), "nothing half-written");
}

#[cfg(all(target_os = "linux", feature = "goose"))]
#[test]
fn goose_opens_no_socket_of_its_own() {
    let a = StandIn::start(&["--first-token-ms", "5"]);
    let dir = tempfile::tempdir().expect("a directory");
    let yaml = scenario("generate", SHORT, "sampling: { max_tokens: 2 }", "{ users: 2, duration: 2s }");
    let path = write(dir.path(), "t.yaml", &yaml);
    let mut child = loadcmp()
        .arg("run")
        .arg(path)
        .args(["--driver", "goose"])
        .arg("--out")
        .arg(dir.path().join("out"))
        .env("A", &a.url)
        .env("B", &a.url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a run");
    wait_for(|| lines(&dir.path().join("out/samples.csv")) > 20);
    let listening = listening_sockets(child.id());
    let _ = child.wait();
    assert!(listening.is_empty(), "{listening:?}");
}

/// Ports on which a process listens: its sockets' inodes, looked up in the kernel's tables.
#[cfg(all(target_os = "linux", feature = "goose"))]
fn listening_sockets(pid: u32) -> Vec<String> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors");
    let inodes: BTreeSet<String> = links
        .filter_map(|link| std::fs::read_link(link.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|name| name.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned))
        .collect();
    assert!(!inodes.is_empty(), "it has connections");
    ["tcp", "tcp6"]
        .iter()
        .flat_map(|table| {
            let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            table.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            cells.get(3) == Some(&"0A") && cells.get(9).is_some_and(|inode| inodes.contains(*inode))
        })
        .collect()
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn wait_for(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(90), "waited in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}
