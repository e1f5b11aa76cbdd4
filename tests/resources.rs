//! `resources.csv` and the costs folded of it, held to what is known: memory that grows by a known amount, a run that was
//! killed, processes named by hand.

#![cfg(target_os = "linux")]

use crate::cli::{Row, StandIn, loadcmp, number, rows, text, write};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

/// A scenario of targets that are written out, under a closed loop.
fn scenario(dir: &Path, targets: &str, load: &str) -> PathBuf {
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n{targets}allow_same_endpoint: true\nworkload: {{ prompts: {{ inline: [ {{ text: one }} ] }}, \
         sampling: {{ max_tokens: 3 }} }}\nload: {{ closed: {{ {load} }} }}\n"
    );
    write(dir, "t.yaml", &yaml)
}

fn run(dir: &Path, targets: &str, load: &str) -> Output {
    let path = scenario(dir, targets, load);
    loadcmp().arg("run").arg(path).arg("--out").arg(dir.join("out")).output().expect("a run")
}

fn of(resources: &[Row], who: &str) -> Vec<Row> {
    resources.iter().filter(|row| row["who"].starts_with(who)).cloned().collect()
}

fn figures(rows: &[Row], column: &str) -> Vec<f64> {
    rows.iter().filter_map(|row| number(row, column)).collect()
}

#[test]
fn memory_that_grows_by_a_known_amount_is_seen_to() {
    const KIB: f64 = 512.0;
    let dir = tempfile::tempdir().expect("a directory");
    let (leaky, tight) = (StandIn::start(&["--leak-kib-per-request", "512"]), StandIn::start(&[]));
    let targets = format!(
        "  leaky: {{ ollama: {{ url: \"{}\" }} }}\n  tight: {{ ollama: {{ url: \"{}\" }} }}\n",
        leaky.url, tight.url
    );
    let output = run(dir.path(), &targets, "users: 2, requests: 300, think: 5ms");
    assert!(output.status.success(), "{}", text(&output).1);
    let out = dir.path().join("out");
    let resources = rows(&out.join("resources.csv"));
    let asked = of(
        &rows(&out.join("samples.csv"))
            .iter()
            .map(|row| Row::from([("who".to_owned(), row["target"].clone())]))
            .collect::<Vec<_>>(),
        "leaky",
    )
    .len();
    assert!(asked >= 300, "{asked}");
    let known = asked as f64 * KIB * 1024.0;
    let growth = |who: &str, column: &str| {
        let all = figures(&of(&resources, who), column);
        all.last().expect("a row") - all.first().expect("a row")
    };
    for column in ["rss_bytes", "rss_anonymous_bytes"] {
        let grown = growth("leaky", column);
        // What its threads and its allocator take beside it, more where they stand in line, is some per cent.
        assert!((0.95..1.2).contains(&(grown / known)), "{column}: {grown} of {known}");
        assert!(growth("tight", column) < 0.15 * known, "{column}");
    }
    // Shares are read at the beginning and at the end at least.
    let shares = figures(&of(&resources, "leaky"), "pss_bytes");
    if shares.len() > 1 {
        let grown = shares.last().expect("a share") - shares[0];
        assert!((0.8..1.2).contains(&(grown / known)), "{grown} of {known}: {shares:?}");
    }
    // Each page of it was a fault, if it came in small pages; and they are counted from row to row.
    let faults: f64 = figures(&of(&resources, "leaky"), "minor_faults").iter().sum();
    assert!(faults > 0.0);
    let summary = rows(&out.join("summary.csv"));
    let metric = |target: &str, metric: &str| {
        summary
            .iter()
            .find(|row| row["target"].starts_with(target) && row["metric"] == metric)
            .and_then(|row| number(row, "mean"))
    };
    let peak = metric("leaky", "memory_peak").expect("a peak") - metric("leaky", "memory_rest").expect("a rest");
    assert!((0.94..1.2).contains(&(peak / known)), "{peak} of {known}");
    assert!(
        metric("leaky", "minor_faults_per_request").is_some()
            && metric("tight", "voluntary_switches_per_request").is_some()
    );
    let page = std::fs::read_to_string(out.join("report.md")).expect("a report");
    assert!(page.contains("Monitoring the machine") && page.contains("% of a core"), "{page}");
    // The host's own row has what is known of it.
    let host = of(&resources, "host");
    assert!(
        figures(&host, "available_bytes").iter().all(|bytes| *bytes > 0.0) && !figures(&host, "other_cores").is_empty()
    );
}

#[test]
fn a_run_that_is_killed_keeps_what_was_read_and_it_is_told_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&[]);
    let targets = format!("  a: {{ ollama: {{ url: \"{}\" }} }}\n", engine.url);
    let path = scenario(dir.path(), &targets, "users: 2, duration: 60s");
    let out = dir.path().join("out");
    let mut child = loadcmp().arg("run").arg(path).arg("--out").arg(&out).arg("--quiet").spawn().expect("a run");
    let file = out.join("resources.csv");
    let until = Instant::now() + Duration::from_secs(40);
    let told = || std::fs::read_to_string(&file).unwrap_or_default();
    while told().lines().filter(|line| line.contains(",a")).count() < 5 {
        assert!(Instant::now() < until && child.try_wait().expect("a child").is_none(), "{}", told());
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().expect("an end");
    child.wait().expect("an end");
    let before = told();
    let again = loadcmp().arg("report").arg(&out).output().expect("a report");
    assert!(out.join("summary.csv").is_file(), "{}", text(&again).1);
    assert_eq!(told(), before, "the file stays");
    let summary = rows(&out.join("summary.csv"));
    let mean = |metric: &str| summary.iter().find(|row| row["metric"] == metric).and_then(|row| number(row, "mean"));
    assert!(mean("memory_peak").is_some_and(|bytes| bytes > 1e6), "{before}");
    // The kernel tells less than ten ticks of a processor, and they are divided by nothing, if the machine is very busy.
    let ticks = before
        .lines()
        .filter(|line| line.contains(",a"))
        .filter_map(|line| line.split(',').nth(2)?.parse::<f64>().ok());
    if ticks.sum::<f64>() > 0.3 {
        assert!(mean("cpu_per_request").is_some_and(|us| us > 1.0), "{before}");
    }
}

#[test]
fn processes_can_be_named_by_hand() {
    let dir = tempfile::tempdir().expect("a directory");
    let (engine, other) = (StandIn::start(&[]), StandIn::start(&[]));
    // The other's processes are watched as this one's: what is written is done.
    let target = |process: &str| format!("  a: {{ ollama: {{ url: \"{}\", process: {process} }} }}\n", engine.url);
    let output = run(dir.path(), &target(&format!("{{ pid: {} }}", other.child.id())), "users: 2, duration: 1s");
    assert!(output.status.success(), "{}", text(&output).1);
    let manifest = |out: &Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(out.join("manifest.json")).expect("a manifest")).expect("JSON")
    };
    let told = &manifest(&dir.path().join("out"))["conditions"]["targets"][0];
    assert!(told["cpu_s"].as_f64().is_some_and(|seconds| seconds < 0.1), "it has nothing to do: {told}");

    // By a name that several go by: all of them, and it is said.
    let two = tempfile::tempdir().expect("a directory");
    let output = run(two.path(), &target("{ name: loadcmp }"), "users: 1, requests: 20");
    assert!(output.status.success(), "{}", text(&output).1);
    let said = text(&output).1.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("processes are called loadcmp"), "{said}");
    let rest = |dir: &Path| {
        let told = manifest(&dir.join("out"));
        told["conditions"]["targets"][0]["rest_bytes"].as_f64().unwrap_or_else(|| panic!("{told}"))
    };
    assert!(rest(two.path()) > 1.5 * rest(dir.path()), "both stand-ins at least");

    // One that isn't there is told before anything is sent.
    let none = tempfile::tempdir().expect("a directory");
    let output = run(none.path(), &target("{ pid: 4194305 }"), "users: 1, requests: 1");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output).1);
    assert!(text(&output).1.contains("there is no process 4194305"), "{}", text(&output).1);
    assert!(!none.path().join("out").exists());
}

/// A page of figures: processor time of half a core from when it is first asked for, 100 MB of memory, and others.
fn page() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut begun = None;
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = [0; 4096];
            let n = stream.read(&mut head).unwrap_or(0);
            // One who had no time to ask.
            if n == 0 {
                continue;
            }
            assert!(head[..n].starts_with(b"GET /own/metrics HTTP/1.1"));
            let cpu = 100.0 + begun.get_or_insert_with(Instant::now).elapsed().as_secs_f64() / 2.0;
            let body = format!(
                "# HELP x y\nprocess_cpu_seconds_total {cpu}\nprocess_resident_memory_bytes 1e8\n\
                 vllm:num_requests_running{{model_name=\"=a\"}} 3\nunknown_metric 4\n"
            );
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        }
    });
    format!("http://{address}/own/metrics")
}

#[test]
fn what_an_engine_publishes_stands_in_for_processes_that_cannot_be_seen() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&["--first-token-ms", "20"]);
    let targets = format!(
        "  far: {{ ollama: {{ url: \"{0}\", process: {{ name: no-such-engine }}, metrics: \"{1}\" }} }}\n  \
         mute: {{ ollama: {{ url: \"{0}\", metrics: \"{0}/metrics\" }} }}\n",
        engine.url,
        page()
    );
    let output = run(dir.path(), &targets, "users: 1, duration: 6s, warmup: 1s");
    assert!(output.status.success(), "{}", text(&output).1);
    assert!(
        text(&output).1.contains("`mute`: its `metrics` were not read: it returned status 404"),
        "{}",
        text(&output).1
    );
    let out = dir.path().join("out");
    let metrics = rows(&out.join("metrics.csv"));
    assert!(
        metrics.iter().all(|row| row["target"].starts_with("far") && row["metric"] != "unknown_metric"),
        "{metrics:?}"
    );
    let running: Vec<_> = metrics.iter().filter(|row| row["metric"] == "vllm:num_requests_running").collect();
    assert!(
        running.len() >= 3 && running.iter().all(|row| row["labels"] == "model_name=\"=a\"" && row["value"] == "3"),
        "{metrics:?}"
    );
    let summary = rows(&out.join("summary.csv"));
    let mean = |metric: &str| {
        let row = summary.iter().find(|row| row["target"].starts_with("far") && row["metric"] == metric);
        row.and_then(|row| number(row, "mean")).unwrap_or_else(|| panic!("no {metric}"))
    };
    assert!((mean("cpu_cores") - 0.5).abs() < 0.2, "{}", mean("cpu_cores"));
    assert_eq!(mean("memory_peak"), 1e8);
    let told = std::fs::read_to_string(out.join("report.md")).expect("a report");
    assert!(told.contains("are what it published itself"), "{told}");

    // Killed before it could say so, the run's rows still tell it.
    let path = out.join("manifest.json");
    let mut killed = crate::cli::json(&path);
    killed["conditions"] = serde_json::Value::Null;
    std::fs::write(&path, killed.to_string()).expect("a file");
    let output = loadcmp().arg("report").arg(&out).output().expect("a report");
    assert!(output.status.success(), "{}", text(&output).1);
    let again = rows(&out.join("summary.csv"));
    let of = |metric: &str| {
        let row = again.iter().find(|row| row["target"].starts_with("far") && row["metric"] == metric);
        row.and_then(|row| number(row, "mean")).unwrap_or_else(|| panic!("no {metric}"))
    };
    assert!((of("cpu_cores") / mean("cpu_cores") - 1.0).abs() < 0.01 && of("memory_peak") == 1e8);
}
