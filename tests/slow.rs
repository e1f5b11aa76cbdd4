//! Engines that take seconds for an answer are slow, and don't fail: what is waited for, what is `unfinished`, when the window
//! opens, and how blocks fit into the time that was said.
#![cfg(unix)]

use crate::cli::{Row, StandIn, ask, json, loadcmp, number, one_line, rows, text, write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// An engine whose every answer takes so many milliseconds.
fn engine(ms: u32, slots: u32) -> StandIn {
    let (ms, slots) = (ms.to_string(), slots.to_string());
    StandIn::start(&["--first-token-ms", &ms, "--decode-rate", "0", "--slots", &slots])
}

fn scenario(dir: &Path, targets: &[(&str, &StandIn)], load: &str, more: &str) {
    let target = |(name, engine): &(&str, &StandIn)| format!("  {name}: {{ ollama: {{ url: \"{}\" }} }}\n", engine.url);
    let targets: String = targets.iter().map(target).collect();
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n{targets}\
         workload: {{ prompts: {{ inline: [{{ text: one two }}, {{ text: three }}] }}, sampling: {{ max_tokens: 2 }} }}\n\
         load: {load}\n{more}"
    );
    write(dir, "t.yaml", &yaml);
}

fn measured(out: &Path, target: &str) -> Vec<Row> {
    let all = rows(&out.join("samples.csv"));
    all.into_iter().filter(|row| row["target"].starts_with(target) && row["phase"] == "measure").collect()
}

#[test]
fn every_request_gets_its_whole_time_though_the_window_has_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (slow, quick) = (engine(3000, 4), engine(20, 4));
    scenario(
        dir.path(),
        &[("slow", &slow), ("quick", &quick)],
        "{ closed: { users: 2, duration: 1s } }",
        "timeout: 20s\ngates: [errors == 0]\n",
    );
    let (_, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out", "--judge-stand-ins"]);
    let out = dir.path().join("out");
    let rows = measured(&out, "slow");
    assert_eq!(rows.len(), 2, "{err}");
    assert!(rows.iter().all(|row| row["outcome"] == "ok"), "{rows:?}");
}

#[test]
fn a_deadline_is_found_from_the_first_answer_and_the_users_before_the_slots() {
    let dir = tempfile::tempdir().expect("a directory");
    // One answer of 12 tokens takes 2.75 s or more, and ten users wait for one slot.
    let slow = StandIn::start(&["--first-token-ms", "10", "--decode-rate", "4", "--slots", "1"]);
    let fast = engine(5, 4);
    let targets = [("slow", &slow), ("fast", &fast)];
    scenario(dir.path(), &targets, "{ closed: { users: 10, requests: 2 } }", "gates: [errors == 0]\n");
    let set = ["--set", "workload.sampling.max_tokens=12", "--judge-stand-ins"];
    let run = |out: &str, more: &[&str]| {
        let (code, table, err) =
            ask(dir.path(), &[&["run", "t.yaml", "--full", "--out", out], &set[..], more].concat());
        assert_eq!(code, 0, "{table}{err}");
        (json(&dir.path().join(out).join("manifest.json")), one_line(&table), one_line(&err))
    };
    let (manifest, table, err) = run("out", &[]);
    let plan = &manifest["plan"];
    // Whole minutes are written as such.
    let seconds = |field: &str| {
        let text = plan[field].as_str()?;
        let minutes = text.strip_suffix('m').map(|n| n.parse::<u64>().map(|n| n * 60));
        minutes.or_else(|| Some(text.strip_suffix('s')?.parse::<u64>()))?.ok()
    };
    let found = seconds("timeout").expect("whole seconds");
    assert!(found >= 3 * 10 * 11 / 4 && plan["timeout_auto"] == true, "{plan}");
    assert_eq!(seconds("drain"), Some(found), "the end waits for as long");
    assert!(table.contains(" per answer (timeout: auto)"), "{table}");
    assert!(err.contains("loadcmp: timeout: auto is ") && err.contains("a full answer of `slow` takes"), "{err}");
    // Neither the hash nor a baseline knows of it.
    let (written, table, _) = run("again", &["--set", "timeout=20s", "--set", "drain=5s"]);
    let hash = |manifest: &serde_json::Value| manifest["plan"]["workload"]["hash"].clone();
    assert_eq!(hash(&manifest), hash(&written));
    assert_eq!((&written["plan"]["timeout"], &written["plan"]["drain"]), (&"20s".into(), &"5s".into()));
    assert!(written["plan"].get("timeout_auto").is_none() && !table.contains("per answer"), "{table}");
    let (code, told, _) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(
        code == 0 && one_line(&told).contains("or longer where the first answers ask for it (`timeout: auto`)"),
        "{told}"
    );
}

#[test]
fn an_engine_that_hangs_is_waited_for_until_the_deadline_and_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hangs, stays) = (engine(20, 4), engine(20, 4));
    // Its deadline is found: answers of 20 ms have the least, 60 s.
    scenario(dir.path(), &[("hangs", &hangs), ("stays", &stays)], "{ closed: { users: 2, duration: 8s } }", "");
    let out = dir.path().join("out");
    let mut command = loadcmp();
    command.current_dir(dir.path()).args(["run", "t.yaml", "--out", "out", "--judge-stand-ins"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
    let begun = Instant::now();
    let lines = || std::fs::read_to_string(out.join("samples.csv")).map_or(0, |text| text.lines().count());
    while lines() < 60 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no answers");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Its port still takes connections, and nobody reads them.
    let pid = hangs.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-STOP", &pid]).status().expect("kill").success());
    let output = child.wait_with_output().expect("an end");
    assert!(begun.elapsed() > Duration::from_secs(60), "{:?}", begun.elapsed());
    let (told, err) = text(&output);
    assert_eq!(output.status.code(), Some(4), "{told}{err}");
    let told = one_line(&told);
    assert!(
        told.contains("INVALID: target-gone") && told.contains("hangs (stand-in) has answered nothing since"),
        "{told}"
    );
    // More of the same is no cure.
    assert!(!told.contains("To show a difference"), "{told}");

    let rows = measured(&out, "hangs");
    let waited: Vec<&Row> = rows.iter().filter(|row| row["outcome"] == "timeout").collect();
    assert!(waited.len() == 2 && rows.iter().filter(|row| row["outcome"] != "ok").count() == 2, "{rows:?}");
    let us = |row: &Row, column: &str| row[column].parse::<f64>().expect("a number");
    assert!(waited.iter().all(|row| (59.9e6..61e6).contains(&(us(row, "end_us") - us(row, "sent_us")))), "{waited:?}");
    assert!(measured(&out, "stays").iter().all(|row| row["outcome"] == "ok"));
    // Since when: the last answer that came.
    let last = rows.iter().filter(|row| row["outcome"] == "ok").map(|row| us(row, "end_us")).fold(0.0, f64::max);
    let report = json(&out.join("report.json"));
    let findings = report["findings"].as_array().expect("findings");
    let gone = findings.iter().find(|finding| finding["id"] == "target-gone").expect("it is told");
    let since = gone["evidence"][0][1].as_str().expect("a time").trim_end_matches(" s");
    assert!((since.parse::<f64>().expect("a number") - last / 1e6).abs() < 0.2, "{gone}");
}

#[test]
fn what_isnt_waited_for_is_unfinished_in_every_load_and_no_failure() {
    let (slow, quick) = (engine(4000, 16), engine(20, 16));
    let loads = [
        ("closed", "{ closed: { users: 2, duration: 600ms } }"),
        ("open", "{ open: { rate: 10, duration: 600ms, arrivals: constant } }"),
        ("soak", "{ soak: { users: 2, duration: 600ms } }"),
    ];
    let run = |(name, load): (&str, &str)| {
        let dir = tempfile::tempdir().expect("a directory");
        scenario(
            dir.path(),
            &[("slow", &slow), ("quick", &quick)],
            load,
            "drain: 300ms\ngates: [errors == 0, slow.errors <= 1%]\n",
        );
        let (_, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out", "--judge-stand-ins"]);
        let out = dir.path().join("out");
        let rows = measured(&out, "slow");
        assert!(rows.len() >= 2, "{name}: {err}");
        for row in &rows {
            assert_eq!(row["outcome"], "unfinished", "{name}: {row:?}");
            assert!(row["error"].contains("unfinished: the run ended"), "{name}: {row:?}");
            // Sent, and given up some hundred milliseconds later: a lower bound of what it would have taken.
            let took = number(row, "end_us").zip(number(row, "sent_us")).map(|(end, sent)| end - sent);
            assert!(took.is_some_and(|us| (200_000.0..3_900_000.0).contains(&us)), "{name}: {row:?}");
        }
        let told = one_line(&table);
        assert!(told.contains("unfinished when the run ended (not failures)"), "{name}: {table}");
        let page = std::fs::read_to_string(out.join("report.md")).expect("a report");
        assert!(page.contains("unfinished when the run ended"), "{name}");
        let failed = json(&out.join("report.json"))["targets"][0]["outcomes"].to_string();
        assert!(!failed.contains("timeout") && failed.contains("unfinished"), "{name}: {failed}");
    };
    std::thread::scope(|threads| {
        for load in loads {
            threads.spawn(move || run(load));
        }
    });
}

#[test]
fn ctrl_c_leaves_unfinished_rows_and_no_failures() {
    let dir = tempfile::tempdir().expect("a directory");
    let slow = engine(6000, 4);
    scenario(dir.path(), &[("slow", &slow)], "{ closed: { users: 2, duration: 60s } }", "drain: 300ms\n");
    let out = dir.path().join("out");
    let mut command = loadcmp();
    command.current_dir(dir.path()).args(["run", "t.yaml", "--full", "--out", "out"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
    // Its first request is answered after six seconds; then its users begin.
    let since = Instant::now();
    let lines = || std::fs::read_to_string(out.join("samples.csv")).map_or(0, |text| text.lines().count());
    while lines() < 2 {
        assert!(since.elapsed() < Duration::from_secs(60), "no first answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(1000));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(4), "{}", text(&output).1);
    let outcomes: Vec<_> = measured(&out, "slow").iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes, ["unfinished", "unfinished"]);
}

#[test]
fn the_window_opens_once_every_user_has_had_an_answer() {
    let dir = tempfile::tempdir().expect("a directory");
    let (slow, quick) = (engine(1500, 4), engine(20, 4));
    scenario(
        dir.path(),
        &[("slow", &slow), ("quick", &quick)],
        "{ closed: { users: 2, duration: 3s, warmup: 300ms } }",
        "",
    );
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    let out = dir.path().join("out");
    let manifest = json(&out.join("manifest.json"));
    let windows = manifest["windows"].as_array().unwrap_or_else(|| panic!("{code}: {err}"));
    let at = |window: &serde_json::Value, end: &str| window[end].as_f64().expect("an instant") / 1e3;
    assert_eq!((windows.len(), at(&windows[0], "from")), (2, at(&windows[1], "from")), "one for both");
    let (from, to) = (at(&windows[0], "from"), at(&windows[0], "to"));
    assert!((to - from - 3e6).abs() < 1.0, "as long as it was to be: {from} {to}");
    let samples = rows(&out.join("samples.csv"));
    let warm = |row: &&Row| row["phase"] == "warmup" && row["target"].starts_with("slow");
    let ends: Vec<f64> = samples.iter().filter(warm).filter_map(|row| number(row, "end_us")).collect();
    assert!(ends.iter().filter(|end| **end <= from).count() >= 2, "each user's: {from} {ends:?}");
    assert!(samples.iter().filter(|row| row["phase"] == "measure").all(|row| number(row, "planned_us") >= Some(from)));
    // Nobody waits for ever, and without a warm-up for nobody.
    scenario(
        dir.path(),
        &[("slow", &slow), ("quick", &quick)],
        "{ closed: { users: 2, duration: 500ms, warmup: 100ms } }",
        "timeout: 400ms\nload_timeout: 10s\n",
    );
    ask(dir.path(), &["run", "t.yaml", "--full", "--out", "failing"]);
    let manifest = json(&dir.path().join("failing/manifest.json"));
    assert_eq!(manifest["windows"].as_array().map(Vec::len), Some(2), "a failure is as good as an answer");
}

/// Seconds from a plan's `about 12 s`.
fn announced(dir: &Path) -> f64 {
    let (_, plan, err) = ask(dir, &["check", "t.yaml"]);
    let plan = one_line(&plan);
    let told = plan.split("lasts about ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    told.unwrap_or_else(|| panic!("{plan}{err}"))
}

#[test]
fn blocks_of_a_fast_and_a_slow_engine_take_as_long_as_was_said() {
    let run = |seed: u32| {
        let (fast, slow) = (engine(2, 4), engine(400, 4));
        let dir = tempfile::tempdir().expect("a directory");
        scenario(
            dir.path(),
            &[("fast", &fast), ("slow", &slow)],
            "{ closed: { users: 1, duration: 4s } }",
            &format!("order: alternate\nblocks: {{ pairs: 4, settle: 50ms, warmup: 50ms }}\nseed: {seed}\n"),
        );
        let told = announced(dir.path());
        let (_, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
        let samples = rows(&dir.path().join("out/samples.csv"));
        let load: Vec<_> = samples.iter().filter(|row| row["phase"] != "cold").collect();
        let begun = load.iter().filter_map(|row| number(row, "planned_us")).fold(f64::MAX, f64::min);
        let ended = load.iter().filter_map(|row| number(row, "end_us")).fold(0.0, f64::max);
        let took = (ended - begun) / 1e6;
        // A busy machine is slower than was said, but not without bound.
        assert!(took > told * 0.75 && took < told * 1.4, "seed {seed}: {took} of {told} s: {err}");
        let block = |target: &str, block: &str| -> Vec<String> {
            let of = samples.iter().filter(|row| row["phase"] == "measure" && row["target"].starts_with(target));
            let mut all: Vec<_> = of.filter(|row| row["block"] == block).map(|row| row["index"].clone()).collect();
            all.sort();
            all
        };
        for number in ["0", "1"] {
            let (a, b) = (block("fast", number), block("slow", number));
            assert!(!a.is_empty() && a == b, "seed {seed}, block {number}: {a:?} {b:?}");
        }
    };
    // Whoever the seed lets begin.
    std::thread::scope(|threads| {
        for seed in [1, 2, 3] {
            threads.spawn(move || run(seed));
        }
    });
}

#[test]
fn where_an_answer_takes_longer_than_a_block_there_are_fewer_blocks_and_it_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (engine(500, 4), engine(700, 4));
    scenario(
        dir.path(),
        &[("a", &a), ("b", &b)],
        "{ closed: { users: 2, duration: 2s } }",
        "order: alternate\nblocks: { pairs: 10, settle: 20ms, warmup: 20ms }\n",
    );
    let told = announced(dir.path());
    let since = Instant::now();
    let (_, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert!(one_line(&err).contains("blocks per target instead of 10"), "{err}");
    // Two rounds at least, each of a warm-up and an answer of both, after both paces were learned.
    let least = 2.0 * 2.0 * 1.2 + 1.5;
    let took = since.elapsed().as_secs_f64();
    assert!(took < told.max(least) * 1.5 + 3.0, "{took} s where {told} were said");
    let samples = rows(&dir.path().join("out/samples.csv"));
    let of = |target: &str| {
        let rows = samples.iter().filter(|row| row["phase"] == "measure" && row["target"] == target);
        rows.map(|row| (row["block"].clone(), row["index"].clone())).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(of("a").len() >= 4, "{err}");
    assert_eq!(of("a"), of("b"), "the same work in the same blocks");
}

#[test]
fn an_engine_that_takes_two_seconds_has_a_capacity() {
    let dir = tempfile::tempdir().expect("a directory");
    let slow = engine(2000, 4);
    scenario(dir.path(), &[("slow", &slow)], "{ closed: { users: 1, duration: 5s } }", "");
    let args = ["capacity", "--by", "users", "--slo", "latency.p50 <= 3s", "--probe", "1s", "--start", "4"];
    let (code, table, err) = ask(dir.path(), &[&args[..], &["--budget", "47s", "--out", "out", "t.yaml"]].concat());
    let told = one_line(&err);
    assert!(told.contains("about 5 consecutive answers of the slowest target"), "{code} {table}{err}");
    assert!(told.contains("--budget 47s leaves time for about"), "{err}");
    let told = json(&dir.path().join("out/capacity.json"));
    let found = &told["targets"][0]["capacity"];
    let probes = rows(&dir.path().join("out/capacity.csv"));
    assert!(probes.iter().all(|probe| probe["failed"] == "0"), "{probes:?}");
    // Four at once, for that is how many it works on; eight wait for each other.
    let [value, high] = ["value", "high"].map(|end| found[end].as_f64().unwrap_or_default());
    assert!((4.0..8.0).contains(&value) && (high == 8.0 || high == 6.0), "{told}");
    assert!(one_line(&table).contains("a 95 % CI would take about"), "{table}");
}
