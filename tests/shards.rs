//! Several generators of one run, and one result of theirs, through the command line: what one generator would have sent, from
//! all of them once; and whatever goes wrong is told, and never a smaller result that looks whole.

use crate::cli::{StandIn, json, loadcmp, rows, text, write};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Some generators in one folder, each with a directory of results of its own.
struct Generators {
    dir: tempfile::TempDir,
    address: String,
}

impl Generators {
    fn of(yaml: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), "s.yaml", yaml);
        // An address of loopback that nothing else in these tests has: a port that is free now is free later.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let own = NEXT.fetch_add(1, Ordering::Relaxed) % 250 + 2;
        let host = if cfg!(target_os = "linux") {
            format!("127.{}.{low}.{own}", high % 200 + 1)
        } else {
            "127.0.0.1".to_owned()
        };
        let free = TcpListener::bind(format!("{host}:0")).expect("a port");
        let address = free.local_addr().expect("its address").to_string();
        Self { dir, address }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start(&self, index: u32, of: u32, more: &[&str]) -> Child {
        let mut command = loadcmp();
        command.current_dir(self.dir.path()).args(["run", "s.yaml", "--quiet", "--out", &format!("{of}-{index}")]);
        command.args(["--shard", &format!("{index}/{of}"), "--rendezvous", &self.address]).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a generator")
    }

    /// All of them to their end, and their directories.
    fn run(&self, of: u32) -> Vec<PathBuf> {
        let all: Vec<Child> = (0..of).map(|index| self.start(index, of, &[])).collect();
        for child in all {
            let output = child.wait_with_output().expect("an end");
            let (_, err) = text(&output);
            assert_eq!(output.status.code(), Some(0), "{err}");
            assert!(err.contains("`loadcmp merge` makes the result"), "{err}");
        }
        (0..of).map(|index| self.out(&format!("{of}-{index}"))).collect()
    }

    /// Takes the lines of a part's rows that `gone` picks out, merges, and puts them back; what is said of it, without a result.
    fn without(&self, dirs: &[PathBuf], part: usize, gone: impl Fn(&[&str]) -> bool) -> String {
        let samples = dirs[part].join("samples.csv");
        let before = std::fs::read_to_string(&samples).expect("its rows");
        let kept: Vec<&str> = before.lines().filter(|line| !gone(&line.split(',').collect::<Vec<_>>())).collect();
        assert!(kept.len() < before.lines().count(), "nothing is gone");
        std::fs::write(&samples, kept.join("\n") + "\n").expect("a file");
        let output = self.merge(dirs, "never");
        std::fs::write(&samples, &before).expect("a file");
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(4), "{err}");
        assert!(!self.out("never").join("samples.csv").exists());
        err
    }

    fn merge(&self, dirs: &[PathBuf], out: &str) -> Output {
        let mut command = loadcmp();
        command.current_dir(self.dir.path()).arg("merge").args(dirs).args(["--out", out]);
        command.output().expect("the program")
    }

    fn whole(&self, out: &str) {
        let mut command = loadcmp();
        let output =
            command.current_dir(self.dir.path()).args(["run", "s.yaml", "--quiet", "--driver", "native", "--out", out]);
        let (_, err) = text(&output.output().expect("the program"));
        assert!(self.out(out).join("report.json").exists(), "{err}");
    }
}

fn scenario(engine: &StandIn, load: &str) -> String {
    format!(
        "name: s\ntask: generate\nseed: 7\ntargets:\n  a: {{ openai: {{ url: \"{0}\" }} }}\n  b: {{ ollama: {{ url: \"{0}\" }} \
         }}\nallow_same_endpoint: true\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ fixed: 6 }} }} }}, sampling: {{ \
         max_tokens: 4 }} }}\nload: {load}\ntimeout: 20s\ndrain: 2s\n",
        engine.url
    )
}

/// Measured requests of a target: when each was planned, in nanoseconds, by its number.
fn planned(dir: &Path, target: &str) -> BTreeMap<u64, u64> {
    let of = |row: &crate::cli::Row| {
        let nanos = (row["planned_us"].parse::<f64>().expect("a time") * 1e3).round() as u64;
        (row["index"].parse().expect("a number"), nanos)
    };
    let all = rows(&dir.join("samples.csv"));
    all.iter().filter(|row| row["phase"] == "measure" && row["target"] == target).map(of).collect()
}

fn opened(dir: &Path) -> u64 {
    json(&dir.join("manifest.json"))["windows"][0]["from"].as_u64().expect("a window")
}

#[test]
fn one_three_and_eight_generators_come_to_the_same() {
    let engine = StandIn::start(&["--first-token-ms", "150", "--slots", "64"]);
    let generators = Generators::of(&scenario(&engine, "{ closed: { users: 8, duration: 4s, warmup: 500ms } }"));
    generators.whole("whole");
    let figure = |dir: &Path, target: usize, metric: &str| {
        let report = json(&dir.join("report.json"));
        let rows = report["targets"][target]["rows"].as_array().expect("rows").clone();
        let row = rows.into_iter().find(|row| row["metric"] == metric).expect(metric);
        row["mean"].as_f64().or(row["value"].as_f64()).expect("a figure")
    };
    for of in [1, 3, 8] {
        let dirs = generators.run(of);
        let out = format!("merged-{of}");
        let (told, err) = text(&generators.merge(&dirs, &out));
        let merged = generators.out(&out);
        assert!(merged.join("report.json").exists(), "{told}{err}");
        for (number, target) in ["a", "b"].into_iter().enumerate() {
            let parts: usize = dirs.iter().map(|dir| planned(dir, target).len()).sum();
            let all = planned(&merged, target);
            assert_eq!(all.len(), parts, "each request once");
            // Every user asks one after another: what one generator gets in its time, so do several.
            for metric in ["latency", "requests_per_s"] {
                let (one, several) =
                    (figure(&generators.out("whole"), number, metric), figure(&merged, number, metric));
                assert!((several / one - 1.0).abs() < 0.15, "{of}: {target} {metric}: {one} and {several}");
            }
        }
        let salt = |dir: &Path| json(&dir.join("manifest.json"))["plan"]["workload"]["nonce_salt"].clone();
        assert!(dirs.iter().all(|dir| salt(dir) == salt(&merged)), "one run's nonces");
        let users: BTreeSet<String> = rows(&merged.join("samples.csv")).iter().map(|row| row["user"].clone()).collect();
        assert_eq!(users.len(), 8, "each user has its own number: {users:?}");
        // None of them looks like a result by itself.
        assert!(!dirs[0].join("report.json").exists());
        let alone = loadcmp().arg("report").arg(&dirs[0]).output().expect("the program");
        assert_eq!(alone.status.code(), Some(2));
        assert!(text(&alone).1.contains("`loadcmp merge` makes one result"), "{}", text(&alone).1);
    }
}

#[test]
fn merged_times_are_those_of_the_engines_own_record() {
    for (ms, users, requests) in [("20", 3, 60), ("2000", 6, 12)] {
        let folder = tempfile::tempdir().expect("a directory");
        let record = folder.path().join("record.csv");
        let file = record.to_str().expect("a path");
        let engine = StandIn::start(&["--first-token-ms", ms, "--slots", "64", "--record", file]);
        let load = format!("{{ closed: {{ users: {users}, requests: {requests}, warmup: 0s }} }}");
        let generators = Generators::of(&scenario(&engine, &load));
        let dirs = generators.run(3);
        let (told, err) = text(&generators.merge(&dirs, "merged"));
        let merged = generators.out("merged");
        assert!(merged.join("report.json").exists(), "{told}{err}");
        let middle = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        let at = |row: &crate::cli::Row, column: &str| row[column].parse::<f64>().expect("a time") / 1e3;
        let all = rows(&merged.join("samples.csv"));
        let all: Vec<_> = all.iter().filter(|row| row["phase"] == "measure").collect();
        for (target, wire) in [("a", "openai"), ("b", "ollama")] {
            let mut own: Vec<f64> =
                all.iter().filter(|row| row["target"] == target).map(|row| at(row, "latency_us")).collect();
            assert_eq!(own.len(), requests, "{target}");
            own.sort_by(f64::total_cmp);
            let below = own[own.len() / 2 - 1];
            let served = rows(&record);
            let served = served.iter().filter(|row| row["wire"] == wire && !row["first_token_us"].is_empty());
            let (own, served) =
                (middle(own), middle(served.map(|row| at(row, "end_us") - at(row, "arrived_us")).collect()));
            // A busy machine adds to both of them, and not the same.
            assert!((0.0..5.0 + served * 0.01).contains(&(own - served)), "{target}: {own} ms, served in {served}");
            let told = rows(&merged.join("summary.csv"));
            let row = told.iter().find(|row| row["target"] == target && row["metric"] == "latency").expect("latency");
            assert!((below * 0.998..own * 1.002).contains(&at(row, "p50")), "{row:?}: {below} to {own}");
        }
        let shards: BTreeSet<&str> = all.iter().map(|row| row["shard"].as_str()).collect();
        assert_eq!(shards, BTreeSet::from(["0", "1", "2"]));
    }
}

#[test]
fn all_departures_are_those_of_one_generator() {
    let engine = StandIn::start(&["--first-token-ms", "5", "--slots", "64"]);
    let generators =
        Generators::of(&scenario(&engine, "{ open: { rate: 60, arrivals: poisson, duration: 3s, warmup: 500ms } }"));
    generators.whole("whole");
    let from = opened(&generators.out("whole"));
    let one: BTreeMap<u64, u64> =
        planned(&generators.out("whole"), "a").into_iter().map(|(index, at)| (index, at - from)).collect();
    let dirs = generators.run(3);
    let mut union = BTreeMap::new();
    for dir in &dirs {
        let from = opened(dir);
        for (index, at) in planned(dir, "a") {
            assert_eq!(union.insert(index, at - from), None, "{index} is there once");
        }
    }
    assert_eq!(union, one, "bit by bit");
    let output = generators.merge(&dirs, "merged");
    assert!(generators.out("merged").join("report.json").exists(), "{}", text(&output).1);
    // On one clock they are where they were planned, as well as the clocks are known.
    let merged = planned(&generators.out("merged"), "a");
    let from = opened(&generators.out("merged"));
    for (index, at) in merged {
        assert!(at.abs_diff(from + one[&index]) < 5_000_000, "{index}: {at}");
    }
}

#[test]
fn the_parts_of_a_split_file_merge_to_its_whole() {
    let engine = StandIn::start(&["--first-token-ms", "5"]);
    let generators = Generators::of(&scenario(&engine, "{ closed: { users: 2, requests: 30, warmup: 0s } }"));
    let dirs = generators.run(1);
    assert!(generators.merge(&dirs, "whole").status.code().is_some());
    let whole = std::fs::read_to_string(generators.out("whole").join("samples.csv")).expect("its rows");
    let manifest = json(&dirs[0].join("manifest.json"));
    let (header, lines) = whole.split_once('\n').expect("a header");
    let number = |line: &str| line.split(',').nth(5).expect("its index").parse::<u64>().expect("a number");
    let mut parts = Vec::new();
    for index in 0..3_u64 {
        let part = generators.out(&format!("part-{index}"));
        std::fs::create_dir(&part).expect("a folder");
        let own: String =
            lines.lines().filter(|line| number(line) % 3 == index).map(|line| format!("{line}\n")).collect();
        std::fs::write(part.join("samples.csv"), format!("{header}\n{own}")).expect("a file");
        let mut told = manifest.clone();
        told["shard"]["shard"] = serde_json::json!({ "index": index, "of": 3 });
        std::fs::write(part.join("manifest.json"), told.to_string()).expect("a file");
        parts.push(part);
    }
    // In any order.
    parts.reverse();
    let output = generators.merge(&parts, "again");
    let again = std::fs::read_to_string(generators.out("again").join("samples.csv"));
    let again = again.unwrap_or_else(|_| panic!("{}", text(&output).1));
    // But for who sent them, they are the same to the last byte.
    let without = |rows: &str| rows.lines().map(|line| without_shard(line).0).collect::<Vec<_>>();
    assert_eq!(without(&again), without(&whole));
    for line in again.lines().skip(1) {
        assert_eq!(without_shard(line).1, (number(line) % 3).to_string(), "{line}");
    }

    // What isn't there once is told.
    let refused = |parts: &[PathBuf], code: i32, what: &str| {
        let output = generators.merge(parts, "never");
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(code), "{err}");
        assert!(err.contains(what), "{err}");
        assert!(!generators.out("never").join("samples.csv").exists());
    };
    refused(&parts[..2], 2, "missing: 0");
    refused(&[parts[0].clone(), parts[0].clone()], 2, "given twice");
    refused(&[generators.out("whole")], 2, "a whole run");
    refused(&[generators.out("nothing")], 2, "manifest.json");
    let rows_of = |part: &Path| std::fs::read_to_string(part.join("samples.csv")).expect("its rows");
    let last = parts[0].join("samples.csv");
    let before = rows_of(&parts[0]);
    let short: Vec<&str> =
        before.lines().filter(|line| !(line.starts_with("a,") && line.split(',').nth(5) == Some("5"))).collect();
    std::fs::write(&last, short.join("\n") + "\n").expect("a file");
    refused(&parts, 4, "request 5 of `a` is missing");
    let double = before.lines().rfind(|line| line.contains(",measure,")).expect("a row");
    std::fs::write(&last, format!("{before}{double}\n")).expect("a file");
    refused(&parts, 4, "is there twice");
    let mut other = json(&parts[0].join("manifest.json"));
    other["plan"]["seed"] = 8.into();
    std::fs::write(&last, before).expect("a file");
    std::fs::write(parts[0].join("manifest.json"), other.to_string()).expect("a file");
    refused(&parts, 2, "seed is");
}

#[test]
fn what_is_missing_of_conversations_and_at_the_end_of_a_schedule_is_told() {
    let engine = StandIn::start(&["--first-token-ms", "100", "--slots", "4"]);
    let generators = Generators::of(&format!(
        "name: s\ntask: chat\nseed: 7\ntargets:\n  a: {{ openai: {{ url: \"{}\" }} }}\nworkload: {{ prompts: {{ synthetic: {{ count: 5, \
         words: {{ fixed: 6 }}, turns: 3 }} }}, sampling: {{ max_tokens: 4 }} }}\nload: {{ closed: {{ users: 4, requests: \
         12, warmup: 0s }} }}\n",
        engine.url
    ));
    let dirs = generators.run(2);
    let measured = |cells: &[&str]| cells[2] == "measure";
    let err = generators.without(&dirs, 1, |cells| measured(cells) && cells[6] == "5" && cells[7] == "2");
    assert!(err.contains("a turn of conversation 5 of `a` is missing: there are some up to turn 3"), "{err}");
    let err = generators.without(&dirs, 0, |cells| measured(cells) && cells[6] == "10");
    assert!(err.contains("conversation 10 of `a` is missing"), "{err}");
    let err = generators.without(&[dirs[0].clone(), dirs[1].clone()], 1, |cells| measured(cells) && cells[6] == "11");
    assert!(err.contains("conversation 11 of `a` is missing"), "{err}");
    let samples = dirs[0].join("samples.csv");
    let before = std::fs::read_to_string(&samples).expect("its rows");
    let strange = |line: &str| {
        let mut cells: Vec<&str> = line.split(',').collect();
        if measured(&cells) && cells[6] == "10" {
            cells[6] = "4294967294";
        }
        cells.join(",")
    };
    std::fs::write(&samples, before.lines().map(strange).collect::<Vec<_>>().join("\n") + "\n").expect("a file");
    let (_, err) = text(&generators.merge(&dirs, "never"));
    assert!(err.contains("conversation 4294967294 of `a` is not one of shard 0 of 2"), "{err}");
    std::fs::write(&samples, before).expect("a file");
    let output = generators.merge(&dirs, "merged");
    let merged = rows(&generators.out("merged").join("samples.csv"));
    assert_eq!(merged.iter().filter(|row| row["phase"] == "measure").count(), 36, "{}", text(&output).1);

    // The engine has one place and is long at it: the last requests of the schedule are never sent, and have rows.
    let engine = StandIn::start(&["--first-token-ms", "2500", "--slots", "1"]);
    let load = "{ open: { rate: 20, duration: 2s, in_flight: 2, warmup: 0s } }";
    let generators = Generators::of(&scenario(&engine, load));
    let dirs = generators.run(2);
    let planned = |cells: &[&str]| measured(cells) && cells[0] == "a";
    let last = |dir: &Path| {
        let all = rows(&dir.join("samples.csv"));
        let all = all.iter().filter(|row| row["phase"] == "measure" && row["target"] == "a");
        all.max_by_key(|row| row["index"].parse::<u64>().expect("a number")).expect("rows").clone()
    };
    assert_eq!(last(&dirs[1])["outcome"], "unsent");
    let number = last(&dirs[1])["index"].clone();
    let err = generators.without(&dirs, 1, |cells| planned(cells) && cells[5] == number);
    assert!(err.contains(&format!("request {number} of `a` is missing")), "{err}");
}

#[test]
fn a_lost_generator_ends_the_run_for_all_and_is_named() {
    let engine = StandIn::start(&["--first-token-ms", "20", "--slots", "16"]);
    let generators = Generators::of(&scenario(&engine, "{ closed: { users: 3, duration: 60s, warmup: 200ms } }"));
    // Compressed or not, their rows are merged.
    let forms: [&[&str]; 3] = [&[], &[], &["--samples", "zst"]];
    let mut all: Vec<Child> = (0..).zip(forms).map(|(index, form)| generators.start(index, 3, form)).collect();
    let begun = Instant::now();
    while !(0..3).all(|index| rows_of(&generators.out(&format!("3-{index}"))) > 20) {
        assert!(begun.elapsed() < Duration::from_secs(60), "no rows came");
        std::thread::sleep(Duration::from_millis(20));
    }
    all[1].kill().expect("it is ours");
    let killed = Instant::now();
    for (index, child) in all.into_iter().enumerate() {
        let output = child.wait_with_output().expect("an end");
        if index != 1 {
            let (_, err) = text(&output);
            assert_eq!(output.status.code(), Some(4), "{err}");
            assert!(err.contains("shard 1 was lost after"), "{index}: {err}");
        }
    }
    assert!(killed.elapsed() < Duration::from_secs(30), "{:?}", killed.elapsed());
    let dirs: Vec<PathBuf> = (0..3).map(|index| generators.out(&format!("3-{index}"))).collect();
    assert!(dirs[2].join("samples.csv.zst").exists() && !dirs[2].join("samples.csv").exists());
    let output = generators.merge(&dirs, "merged");
    assert_eq!(output.status.code(), Some(4), "{}", text(&output).1);
    let report = json(&generators.out("merged/report.json"));
    let sentence = report["unfinished"]["sentence"].as_str().expect("it isn't whole");
    assert!(sentence.contains("shard 1 was lost"), "{sentence}");
    let found = report["findings"].as_array().expect("findings").iter().find(|found| found["id"] == "shard-lost");
    assert_eq!(found.expect("it is found")["sentence"], sentence);
}

/// A line of `samples.csv` without the cell of its generator, and that cell.
fn without_shard(line: &str) -> (String, &str) {
    let (before, connection) = line.rsplit_once(',').expect("cells");
    let (before, shard) = before.rsplit_once(',').expect("cells");
    (format!("{before},{connection}"), shard)
}

fn rows_of(dir: &Path) -> usize {
    std::fs::read_to_string(dir.join("samples.csv")).map_or(0, |text| text.lines().count())
}

#[test]
fn who_would_do_something_else_is_refused_before_any_load() {
    let engine = StandIn::start(&[]);
    let generators = Generators::of(&scenario(&engine, "{ closed: { users: 2, requests: 4, warmup: 0s } }"));
    let first = generators.start(0, 2, &["--shard-wait", "6s"]);
    let other = generators.start(1, 2, &["--seed", "8"]).wait_with_output().expect("an end");
    let (_, err) = text(&other);
    assert_eq!(other.status.code(), Some(4), "{err}");
    assert!(err.contains("seed is 7 and 8"), "{err}");
    let other = generators.start(1, 2, &["--set", "workload.stream=false"]).wait_with_output().expect("an end");
    let (_, err) = text(&other);
    assert!(err.contains("workload.stream is true and false"), "{err}");
    let first = first.wait_with_output().expect("an end");
    let (_, err) = text(&first);
    assert_eq!(first.status.code(), Some(4), "{err}");
    assert!(err.contains("missing: 1"), "{err}");
    assert!(!generators.out("2-0").exists() && !generators.out("2-1").exists(), "nothing was begun");
    // Nobody opens it: it says so soon, and once.
    let alone = generators.start(1, 2, &["--shard-wait", "4s"]).wait_with_output().expect("an end");
    assert_eq!(alone.status.code(), Some(4));
    let (_, err) = text(&alone);
    assert!(err.contains("nobody opened the rendezvous"), "{err}");
    let waits = format!("shard 1 of 2 waits for {}: ", generators.address);
    assert_eq!(err.matches(&waits).count(), 1, "{err}");
}

#[test]
fn what_can_t_be_divided_is_refused() {
    let engine = StandIn::start(&[]);
    let generators = Generators::of(&scenario(&engine, "{ closed: { users: 2, requests: 4, warmup: 0s } }"));
    let ask = |args: &[&str]| {
        let mut command = loadcmp();
        let output = command.current_dir(generators.dir.path()).args(["run", "s.yaml", "--quiet"]).args(args).output();
        let output = output.expect("the program");
        (output.status.code(), text(&output).1)
    };
    let meet = ["--rendezvous", generators.address.as_str()];
    for (args, what) in [
        (&["--shard", "3/3"][..], "the last is 2"),
        (&["--shard", "0/0"], "one at least"),
        (&["--shard", "0/3"], "fewer users (2) than generators (3)"),
        (&["--shard", "0/2", "--duration", "auto"], "found as it goes"),
        (&["--shard", "0/2", "--rate", "auto"], "can't have `rate: auto`"),
        (&["--shard", "0/2", "--repeats", "2"], "no repeats"),
        (&["--shard", "0/2", "--sweep", "load.closed.users=2,3"], "no sweep"),
    ] {
        let (code, err) = ask(&[args, &meet].concat());
        assert!(code == Some(2) && err.contains(what), "{args:?}: {code:?} {err}");
    }
    let (code, err) = ask(&["--shard", "0/2"]);
    assert!(code == Some(2) && err.contains("--rendezvous"), "{err}");
    let (code, err) = ask(&["--shard", "0/2", "--start-at", "2020-01-01T00:00:00Z"]);
    assert!(code == Some(2) && err.contains("has passed"), "{err}");
    let (code, err) = ask(&["--shard", "0/2", "--rendezvous", "0.0.0.0:0"]);
    assert!(code == Some(4) && err.contains("LOADCMP_SHARD_TOKEN"), "{err}");
}

#[test]
fn parts_of_two_runs_are_not_merged_and_a_late_one_is_none() {
    let engine = StandIn::start(&["--first-token-ms", "1500"]);
    let generators = Generators::of(&scenario(&engine, "{ closed: { users: 2, requests: 2, warmup: 0s } }"));
    let first = generators.run(2);
    std::fs::rename(&first[1], generators.out("yesterday")).expect("a folder");
    let _ = std::fs::remove_dir_all(&first[0]);
    let today = generators.run(2);
    let output = generators.merge(&[today[0].clone(), generators.out("yesterday")], "never");
    let (_, err) = text(&output);
    assert!(output.status.code() == Some(2) && err.contains("of another run than"), "{err}");
    // Its first answer takes longer than there is time.
    let soon = std::time::SystemTime::now() + Duration::from_secs(2);
    let seconds = soon.duration_since(std::time::UNIX_EPOCH).expect("now").as_secs();
    let instant =
        std::process::Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"]).output();
    let instant = String::from_utf8(instant.expect("date").stdout).expect("text");
    let mut command = loadcmp();
    command.current_dir(generators.dir.path()).args(["run", "s.yaml", "--quiet", "--out", "late", "--shard", "0/2"]);
    let output = command.args(["--start-at", instant.trim()]).output().expect("the program");
    let (_, err) = text(&output);
    assert!(output.status.code() == Some(4) && err.contains("after the instant of --start-at"), "{err}");
}

#[test]
fn without_a_network_they_start_at_an_instant() {
    let engine = StandIn::start(&["--first-token-ms", "5"]);
    let generators = Generators::of(&scenario(&engine, "{ closed: { users: 2, duration: 1s, warmup: 0s } }"));
    let at = std::time::SystemTime::now() + Duration::from_secs(4);
    let seconds = at.duration_since(std::time::UNIX_EPOCH).expect("now").as_secs();
    let output =
        std::process::Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"]).output();
    let instant = String::from_utf8(output.expect("date").stdout).expect("text");
    let all: Vec<Child> = (0..2)
        .map(|index| {
            let mut command = loadcmp();
            command.current_dir(generators.dir.path()).args(["run", "s.yaml", "--out", &format!("2-{index}")]);
            command.args(["--shard", &format!("{index}/2"), "--start-at", instant.trim()]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a generator")
        })
        .collect();
    for child in all {
        let output = child.wait_with_output().expect("an end");
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(0), "{err}");
        assert!(err.contains("clocks not checked"), "{err}");
    }
    let dirs = [generators.out("2-0"), generators.out("2-1")];
    let output = generators.merge(&dirs, "merged");
    let merged = generators.out("merged");
    assert!(merged.join("report.json").exists(), "{}", text(&output).1);
    // Both windows opened at the same instant.
    let first = |dir: &Path, remainder: u64| {
        let all = planned(dir, "a");
        all.into_iter().filter(|(index, _)| index % 2 == remainder).map(|(_, at)| at).min().expect("a request")
    };
    assert!(first(&merged, 0).abs_diff(first(&merged, 1)) < 100_000_000);
    let found = json(&merged.join("report.json"))["findings"].to_string();
    assert!(found.contains("unchecked-clocks") && found.contains("2 generators started by the time of day"), "{found}");
}

/// A manifest of `examples/kubernetes`.
fn manifest(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes").join(name);
    let text = std::fs::read_to_string(&path).expect("a manifest");
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a Job's pod is started with, `$(NAME)` filled in as Kubernetes does: its arguments, and its environment.
fn started_with(job: &Value) -> (Vec<String>, BTreeMap<String, String>) {
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], serde_json::json!(["loadcmp"]));
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    let set = container["env"].as_array().expect("an environment").iter();
    let env: BTreeMap<String, String> = set.map(|one| (word(&one["name"]), word(&one["value"]))).collect();
    let filled = |text: String| env.iter().fold(text, |text, (name, value)| text.replace(&format!("$({name})"), value));
    (container["args"].as_array().expect("arguments").iter().map(|arg| filled(word(arg))).collect(), env)
}

/// The commands of the manifests, on this machine: as many generators as the Job has pods, and one result of them.
#[test]
fn what_the_manifests_of_kubernetes_start_makes_one_result() {
    let (job, merge, service) = (manifest("job.yaml"), manifest("merge.yaml"), manifest("service.yaml"));
    let (args, mut env) = started_with(&job);
    let pods = job["spec"]["completions"].as_u64().expect("a number");
    assert_eq!(job["spec"]["parallelism"], pods);
    assert_eq!(env["LOADCMP_SHARDS"], pods.to_string());
    // The first pod's name, by the Service that gives it one.
    let name = |value: &Value| value["metadata"]["name"].as_str().expect("a name").to_owned();
    let [at, subdomain] = [name(&job), name(&service)];
    assert_eq!(job["spec"]["template"]["spec"]["subdomain"], subdomain);
    assert_eq!(service["spec"]["selector"]["job-name"], at);
    let meeting = format!("{at}-0.{subdomain}:{}", service["spec"]["ports"][0]["port"]);
    assert!(args.contains(&meeting), "{meeting}: {args:?}");

    let [a, b] = [(); 2].map(|()| StandIn::start(&["--first-token-ms", "20", "--slots", "64"]));
    let dir = tempfile::tempdir().expect("a directory");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").to_string();
    write(dir.path(), "token", "0123456789abcdef");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes").display().to_string();
    let here = dir.path().display().to_string();
    let placed = |text: &str| match text {
        _ if *text == meeting => free.clone(),
        _ => {
            ["/results/", "/token/"].iter().fold(text.replace("/scenario/", &format!("{examples}/")), |text, folder| {
                text.replace(folder, &format!("{here}/"))
            })
        }
    };
    env.values_mut().for_each(|value| *value = placed(value));
    let pods: Vec<Child> = (0..pods)
        .map(|index| {
            let mut command = loadcmp();
            command.args(args.iter().map(|arg| placed(arg))).args(["--quiet", "--set", "load.closed.duration=2s"]);
            command.args(["--set", "load.closed.warmup=0s"]).envs(&env).env("JOB_COMPLETION_INDEX", index.to_string());
            command.env("NATIVE_URL", &a.url).env("OLLAMA_HOST", &b.url);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a generator")
        })
        .collect();
    for pod in pods {
        let output = pod.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output).1);
    }
    let (args, _) = started_with(&merge);
    let output = loadcmp().args(args.iter().map(|arg| placed(arg))).output().expect("the program");
    let merged = PathBuf::from(placed(args.last().expect("a folder")));
    assert!(merged.join("report.json").exists(), "{}", text(&output).1);
    let users: BTreeSet<String> = rows(&merged.join("samples.csv")).iter().map(|row| row["user"].clone()).collect();
    assert_eq!(users.len(), 48, "{users:?}");
}

#[test]
fn an_engine_is_seen_by_the_generator_on_its_machine_and_what_is_no_request_of_the_run_is_refused() {
    let engine = StandIn::start(&["--first-token-ms", "5"]);
    let generators = Generators::of(&scenario(&engine, "{ closed: { users: 2, requests: 40, warmup: 0s } }"));
    let dirs = generators.run(2);
    let change = |dir: &Path, change: &dyn Fn(&mut serde_json::Value)| {
        let path = dir.join("manifest.json");
        let mut told = json(&path);
        change(&mut told["conditions"]);
        std::fs::write(path, told.to_string()).expect("a file");
    };
    // Shard 1 is the busiest, and on a machine without engines.
    let used = serde_json::json!({ "cpu_s": 1.5, "rest_bytes": 1000, "peak_bytes": 123_456_789, "peak_anonymous_bytes": null,
        "peak_file_bytes": null });
    change(&dirs[0], &|told| {
        (told["own_cores_most"], told["own_cores_allowed"]) = (0.1.into(), 2.0.into());
        (told["targets"], told["target_cores"]) = (serde_json::json!([used, used]), serde_json::json!([0.5, 0.5]));
    });
    change(&dirs[1], &|told| {
        (told["own_cores_most"], told["own_cores_allowed"]) = (1.0.into(), 2.0.into());
        (told["targets"], told["target_cores"]) = (serde_json::json!([]), serde_json::json!([null, null]));
    });
    let (told, err) = text(&generators.merge(&dirs, "merged"));
    let merged = json(&generators.out("merged").join("manifest.json"));
    assert_eq!(merged["conditions"]["own_cores_most"], 1.0, "{told}{err}");
    assert_eq!(merged["conditions"]["targets"][1]["peak_bytes"], 123_456_789);
    assert_eq!(merged["conditions"]["target_cores"][0], 0.5);
    let report = json(&generators.out("merged").join("report.json"));
    let rows = report["targets"][0]["rows"].as_array().expect("rows");
    let peak = rows.iter().find(|row| row["metric"] == "memory_peak").expect("the engine's memory");
    assert_eq!(peak["mean"], 123_456_789.0);

    let samples = dirs[1].join("samples.csv");
    let sheet = std::fs::read_to_string(&samples).expect("its rows");
    let (lines, last) = sheet.trim_end().rsplit_once('\n').expect("rows");
    let mut cells: Vec<String> = last.split(',').map(str::to_owned).collect();
    assert_eq!(cells[2], "measure");
    cells[5] = u64::MAX.to_string();
    std::fs::write(&samples, format!("{lines}\n{}\n", cells.join(","))).expect("a file");
    let output = generators.merge(&dirs, "never");
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output).1.contains("request 18446744073709551615 of"), "{}", text(&output).1);
}
