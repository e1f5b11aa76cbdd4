//! The search for capacity through the front door: the program, a stand-in whose capacity is declared, the files it leaves.

use crate::cli::{StandIn, json, loadcmp, number, rows, text, write};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A scenario of targets at these addresses.
fn scenario(dir: &Path, urls: &[&str], stream: bool, load: &str) -> PathBuf {
    let targets: Vec<String> = urls
        .iter()
        .zip(["a", "b"])
        .map(|(url, name)| format!("  {name}: {{ openai: {{ url: \"{url}\" }} }}"))
        .collect();
    let text = format!(
        "name: sought\ntask: generate\nseed: 5\ntargets:\n{}\nreference: {}\nworkload: {{ prompts: {{ inline: [ {{ text: one }}, \
         {{ text: two }} ] }}, stream: {stream}, sampling: {{ max_tokens: 2 }} }}\nload: {load}\ndrain: 2s\n",
        targets.join("\n"),
        if urls.len() > 1 { "b" } else { "a" }
    );
    write(dir, "sought.yaml", &text)
}

/// One slot of 10 ms: 100 answers a second.
const ONE: [&str; 6] = ["--slots", "1", "--first-token-ms", "10", "--decode-rate", "0"];
/// Two of them.
const TWO: [&str; 6] = ["--slots", "2", "--first-token-ms", "10", "--decode-rate", "0"];

/// What was said on standard error, a line for each thing said: wrapped lines are joined.
fn said_lines(errors: &str) -> Vec<String> {
    let joined = errors.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.split("loadcmp: ").map(|line| line.trim().to_owned()).collect()
}

const EVEN: &str = "{ open: { rate: 1, duration: 1s, arrivals: constant } }";

#[test]
fn a_declared_capacity_is_found_and_everything_is_kept_and_told_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = tempfile::tempdir().expect("a directory");
    let record = |name: &str| records.path().join(name).display().to_string();
    let start = |slots: &[&str], name: &str| StandIn::start(&[slots, &["--record", &record(name)]].concat());
    let (half, whole) = (start(&ONE, "half"), start(&TWO, "whole"));
    let file = scenario(dir.path(), &[&whole.url, &half.url], true, EVEN);
    let out = dir.path().join("out");
    let output = loadcmp()
        .args(["capacity", "--slo", "latency.p50 <= 200ms and errors <= 5%", "--probe", "300ms", "--start", "64"])
        .args(["--precision", "50%", "--budget", "2m", "--out"])
        .args([&out, &file])
        .env("COLUMNS", "120")
        .output()
        .expect("loadcmp");
    let (table, errors) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{table}{errors}");
    drop((half, whole));
    // What a slot served a second, by the stand-in's own record: on a busy machine, less than declared.
    let pace = |name: &str| {
        let rows = rows(Path::new(&record(name)));
        let held = rows.iter().filter_map(|row| Some(number(row, "free_us")? - number(row, "slot_us")?));
        let held: Vec<f64> = held.collect();
        1e6 * held.len() as f64 / held.iter().sum::<f64>()
    };
    let told = json(&out.join("capacity.json"));
    for (at, truth, served) in [(0, 200.0, 2.0 * pace("whole")), (1, 100.0, pace("half"))] {
        let found = &told["targets"][at]["capacity"];
        let [value, low, high] = ["value", "low", "high"].map(|end| found[end].as_f64().expect("a number"));
        assert!(low <= value && value <= high, "{found}");
        // A busy machine makes the stand-in slower, and nothing makes it faster than it was declared.
        assert!(value < truth * 1.25 && low <= truth * 1.02, "{found} where {truth} is true");
        assert!(value > served.min(truth) * 0.35, "{found} where {served} was served");
        // Slots and even arrivals leave nothing to chance: no interval, but the last pass and the first fail.
        assert!(["bracket", "interval"].contains(&found["basis"].as_str().expect("a word")), "{found}");
    }
    assert!(table.contains(" sustains "), "{table}");
    // What was said of a probe while the search ran is what the table, the files and the page say of it.
    for probe in rows(&out.join("capacity.csv")) {
        let line = format!("{}: {}/s for ", probe["target"], probe["asked_per_s"]);
        let verdict = format!("s: {}: {}", probe["verdict"], probe["reason"]);
        assert!(
            said_lines(&errors).iter().any(|said| said.contains(&line) && said.contains(&verdict)),
            "{probe:?}: {errors}"
        );
        assert!(table.contains(&probe["verdict"]), "{probe:?}: {table}");
    }
    let ratio = &told["ratios"][0];
    // Where a busy machine cost one of them so much that the two brackets meet, nothing is shown.
    let end = |at: usize, end: &str| told["targets"][at]["capacity"][end].as_f64();
    let parted = end(0, "sure_low") > end(1, "sure_high").map(|high| high * 1.05) && end(1, "sure_high").is_some();
    assert_eq!(ratio["target"].as_u64(), Some(0));
    assert_ne!(ratio["verdict"].as_str(), Some("worse"), "{ratio}");
    if parted {
        assert_eq!(ratio["verdict"].as_str(), Some("better"), "{ratio}");
        assert!(table.contains("a (stand-in) is better than b (stand-in) in capacity: ratio"), "{table}");
    }
    let said: String = errors.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("for a pass and a fail of each target") && said.contains("at most 2 min"), "{errors}");

    let probes = rows(&out.join("capacity.csv"));
    let folders = std::fs::read_dir(out.join("probes")).expect("the probes").count();
    // One request at a time on each target, and a folder for each row.
    assert_eq!(probes.len() + 2, folders);
    let mut worst: f64 = 0.0;
    for probe in &probes {
        assert_eq!(probe["stand_in"], "true");
        let (asked, achieved, goodput) =
            (number(probe, "asked_per_s"), number(probe, "achieved_per_s"), number(probe, "goodput_per_s"));
        assert!(achieved <= asked.map(|asked| asked * 1.2) && goodput.is_some(), "{probe:?}");
        let p50 = number(probe, "latency.p50_us").expect("a figure");
        assert!(number(probe, "latency.p50_us_low").is_none_or(|low| low <= p50), "{probe:?}");
        worst = worst.max(p50);
        let report = json(&out.join("probes").join(&probe["folder"]).join("report.json"));
        assert_eq!(report["targets"][0]["name"], probe["target"].as_str());
    }
    assert!(worst > 200_000.0, "some probe broke the limit");
    // The same loads at the beginning, for both.
    let first = |name: &str| probes.iter().filter(|p| p["target"] == name).map(|p| p["asked_per_s"].clone()).next();
    assert_eq!((first("a"), first("b")), (Some("64".to_owned()), Some("64".to_owned())));

    let page = std::fs::read_to_string(out.join("capacity.html")).expect("a page");
    assert!(page.contains("A stand-in took the place") && page.contains("latency.p50 by load"), "{page}");
    assert!(!page.contains("<script") && page.matches("<svg").count() >= 2);

    let before = std::fs::read(out.join("capacity.json")).expect("a file");
    std::fs::remove_file(out.join("capacity.json")).expect("to remove it");
    std::fs::remove_file(out.join("capacity.html")).expect("to remove it");
    let again = loadcmp().arg("report").arg(&out).env("COLUMNS", "120").output().expect("loadcmp");
    assert_eq!((again.status.code(), text(&again).0), (Some(0), table));
    assert_eq!(std::fs::read(out.join("capacity.json")).expect("a file"), before, "to the last byte");
    assert_eq!(std::fs::read_to_string(out.join("capacity.html")).expect("a page"), page);
}

#[test]
fn the_most_users_are_found() {
    let dir = tempfile::tempdir().expect("a directory");
    // Three users take turns at two slots, each then waits for half a service: 150 ms. A busy machine adds some.
    let engine = StandIn::start(&["--slots", "2", "--first-token-ms", "300", "--decode-rate", "0"]);
    let file = scenario(dir.path(), &[&engine.url], true, "{ closed: { users: 1, duration: 1s } }");
    let out = dir.path().join("out");
    let output = loadcmp()
        .args(["capacity", "--by", "users", "--slo", "ttft.mean <= 400ms", "--probe", "2600ms", "--most", "8"])
        .args(["--start", "2", "--format", "json", "--quiet", "--out"])
        .args([&out, &file])
        .output()
        .expect("loadcmp");
    let (told, errors) = text(&output);
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""), "{told}");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let found = &told["targets"][0]["capacity"];
    assert_eq!((found["low"].as_f64(), found["high"].as_f64()), (Some(2.0), Some(3.0)), "{told}");
    assert_eq!(told["settings"]["slo"], "ttft.mean <= 400ms and errors <= 1%");
}

#[test]
fn two_seconds_an_answer_have_a_certain_capacity_within_a_minute() {
    let dir = tempfile::tempdir().expect("a directory");
    // One slot: one user waits two seconds, two wait four each.
    let engine = StandIn::start(&["--slots", "1", "--first-token-ms", "2000", "--decode-rate", "0"]);
    let file = scenario(dir.path(), &[&engine.url], true, "{ closed: { users: 1, duration: 1s } }");
    let out = dir.path().join("out");
    let output = loadcmp()
        .args(["capacity", "--by", "users", "--slo", "latency.p50 <= 3s", "--budget", "3m", "--out"])
        .args([&out, &file])
        .env("COLUMNS", "200")
        .output()
        .expect("loadcmp");
    let (table, errors) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{table}{errors}");
    let told = json(&out.join("capacity.json"));
    let found = &told["targets"][0]["capacity"];
    let ends = ["value", "low", "high"].map(|end| found[end].as_f64());
    assert_eq!((ends, found["basis"].as_str()), ([Some(1.0), Some(1.0), Some(2.0)], Some("bracket")), "{told}");
    assert!(table.contains("sustains 1 user, but not 2"), "{table}");
}

#[test]
fn why_requests_failed_stands_in_every_form_of_the_result() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&[&ONE[..], &["--fault-status", "0.2"]].concat());
    let file = scenario(dir.path(), &[&engine.url], true, EVEN);
    let out = dir.path().join("out");
    let output = loadcmp()
        .args(["capacity", "--slo", "latency.p50 <= 1s and errors <= 70%", "--probe", "300ms", "--start", "20"])
        .args(["--most", "20", "--budget", "1m", "--out"])
        .args([&out, &file])
        .env("COLUMNS", "200")
        .output()
        .expect("loadcmp");
    let (table, errors) = text(&output);
    let failed: f64 = rows(&out.join("capacity.csv")).iter().filter_map(|row| number(row, "failed")).sum();
    assert!(failed >= 1.0, "{table}{errors}");
    let told = json(&out.join("capacity.json"));
    let reason = &told["targets"][0]["failures"][0];
    assert_eq!((reason["http_status"].as_u64(), reason["count"].as_f64()), (Some(500), Some(failed)), "{told}");
    assert_eq!((reason["least"].as_f64(), reason["most"].as_f64()), (Some(20.0), Some(20.0)), "{told}");
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect("a file");
    for (form, text) in [("table", table), ("md", read("capacity.md")), ("html", read("capacity.html"))] {
        assert!(text.to_lowercase().contains("why requests failed") && text.contains("HTTP 500"), "{form}: {text}");
    }
}

/// GG-CORE takes 64 connections, one of them for the streams: neither an open loop's default nor the most users ask for more.
#[cfg(unix)]
#[test]
fn gg_core_is_asked_for_no_more_than_its_connections() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("gg.sock").display().to_string();
    let _engine = StandIn::start(&["--socket", &socket, "--first-token-ms", "2", "--decode-rate", "0"]);
    let file = scenario(dir.path(), &["http://127.0.0.1:1"], true, "{ closed: { users: 1, duration: 1s } }");
    for (by, start, most) in [("users", "60", &[][..]), ("rate", "8", &["--most", "16"])] {
        let output = loadcmp()
            .args(["capacity", "--by", by, "--start", start, "--slo", "latency.p50 <= 10s", "--probe", "300ms"])
            .args(["--precision", "50%", "--budget", "30s", "--format", "json", "--quiet"])
            .args(most)
            .args(["--target", &format!("a=gg_core:{socket}"), "--out"])
            .args([&dir.path().join(by), &file])
            .output()
            .expect("loadcmp");
        let (told, errors) = text(&output);
        // No load was too much: it is inconclusive, and nothing was refused.
        assert!([Some(0), Some(5)].contains(&output.status.code()) && !errors.contains("error:"), "{told}{errors}");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let low = told["targets"][0]["capacity"]["low"].as_f64();
        assert!(low.is_some_and(|low| (8.0..=63.0).contains(&low)), "{told}");
    }
}

#[test]
fn mistakes_are_told_before_any_load() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&ONE);
    let file = scenario(dir.path(), &[&engine.url], false, EVEN);
    let run = |more: &[&str]| {
        let out = dir.path().join("out");
        let output = loadcmp().arg("capacity").arg(&file).arg("--out").arg(&out).args(more).output().expect("loadcmp");
        assert!(!out.exists(), "{more:?} left something");
        (output.status.code(), text(&output).1)
    };
    let (code, errors) = run(&["--slo", "errors <= 1% and ttf.p95 <= 3ms"]);
    assert!(code == Some(2) && errors.contains("did you mean `ttft`?") && errors.contains("^^^"), "{errors}");
    let (code, errors) = run(&["--slo", "ttft.p95 <= 300ms"]);
    assert!(code == Some(2) && errors.contains("needs streamed answers"), "{errors}");
    let (code, errors) = run(&["--slo", "latency.p95 <= 3ms", "--sweep", "workload.sampling.max_tokens=1,2"]);
    assert!(code == Some(2) && errors.contains("`capacity` searches one workload"), "{errors}");
    for (more, what) in [
        (["--precision", "0%"], "--precision must be"),
        (["--budget", "1"], "--budget must be a time from 1s to 24h"),
        (["--probe", "1ms"], "--probe must be"),
        (["--start", "-1"], "unexpected argument"),
        (["--start", "0"], "--start must be"),
        (["--most", "nan"], "--most must be"),
    ] {
        let (code, errors) = run(&[&["--slo", "latency.p95 <= 3ms"], &more[..]].concat());
        assert!(code == Some(2) && errors.contains(what), "{more:?}: {errors}");
    }
}

#[test]
fn what_no_load_keeps_and_what_time_does_not_allow_is_inconclusive() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&ONE);
    let file = scenario(dir.path(), &[&engine.url], true, EVEN);
    let run = |slo: &str, budget: &str| {
        let out = dir.path().join(budget);
        let mut command = loadcmp();
        command.args(["capacity", "--slo", slo, "--probe", "300ms", "--start", "30", "--budget", budget, "--out"]);
        // Wide, so that no sentence that is looked for is broken.
        let output = command.arg(&out).arg(&file).env("COLUMNS", "200").output().expect("loadcmp");
        assert!(out.join("capacity.html").is_file() && out.join("capacity.md").is_file());
        (output.status.code(), text(&output).0)
    };
    let (code, table) = run("latency.p95 <= 1ms", "60s");
    assert!(code == Some(5) && table.contains("sustains no load: even one request at a time"), "{table}");
    let (code, table) = run("latency.p95 <= 1s", "1s");
    assert!(code == Some(5) && table.contains("increase --budget"), "{table}");
}

#[test]
fn an_interrupted_search_tells_what_it_has() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&ONE);
    let file = scenario(dir.path(), &[&engine.url], true, EVEN);
    let out = dir.path().join("out");
    let child = loadcmp()
        .args(["capacity", "--slo", "latency.p95 <= 300ms", "--probe", "400ms", "--start", "10", "--out"])
        .args([&out, &file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("loadcmp");
    let since = Instant::now();
    // A probe that is done, and one that has begun.
    let begun = || std::fs::read_dir(out.join("probes")).map_or(0, |probes| probes.count());
    while begun() < 3 {
        assert!(since.elapsed() < Duration::from_secs(60), "no third probe");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
    let output = child.wait_with_output().expect("its end");
    let (table, errors) = text(&output);
    assert_eq!(output.status.code(), Some(4), "{table}{errors}");
    assert!(table.contains("it was interrupted"), "{table}");
    let again = loadcmp().arg("report").arg(&out).output().expect("loadcmp");
    assert_eq!(again.status.code(), Some(4), "{}", text(&again).1);
}
