//! Runs that find their own length (`duration: auto`): when they end, on engines that are quick, slow, dead; and that every file
//! says what was done.
#![cfg(unix)]

use crate::cli::{Row, StandIn, ask, json, number, rows, write};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// An engine whose every answer takes so many milliseconds.
fn engine(ms: u32) -> StandIn {
    let ms = ms.to_string();
    StandIn::start(&["--first-token-ms", &ms, "--decode-rate", "0", "--slots", "8"])
}

fn scenario(dir: &Path, targets: &[(&str, &str)], load: &str, more: &str) {
    let target = |(name, url): &(&str, &str)| format!("  {name}: {{ ollama: {{ url: \"{url}\" }} }}\n");
    let targets: String = targets.iter().map(target).collect();
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n{targets}\
         workload: {{ prompts: {{ inline: [{{ text: one two }}, {{ text: three }}] }}, sampling: {{ max_tokens: 2 }} }}\n\
         load: {load}\n{more}"
    );
    write(dir, "t.yaml", &yaml);
}

/// What a run left: what it found, and the windows (target, from, to) in seconds.
struct Made {
    found: Value,
    windows: Vec<(u64, f64, f64)>,
    samples: Vec<Row>,
    page: String,
    err: String,
    took: Duration,
}

impl Made {
    fn run(dir: &Path, out: &str) -> Self {
        let began = Instant::now();
        let (_, table, err) = ask(dir, &["run", "t.yaml", "--out", out]);
        let (took, out) = (began.elapsed(), dir.join(out));
        let manifest = json(&out.join("manifest.json"));
        let second =
            |window: &Value, end: &str| window[end].as_f64().unwrap_or_else(|| panic!("{window}: {err}")) / 1e9;
        let window = |w: &Value| (w["target"].as_u64().expect("a target"), second(w, "from"), second(w, "to"));
        let page = std::fs::read_to_string(out.join("report.md")).expect("a report");
        // The table says it, too; where it wraps doesn't matter.
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (found, report) = (manifest["found"].clone(), json(&out.join("report.json")));
        assert_eq!(report["found"], found, "the report has what the manifest has");
        let made = Self {
            windows: manifest["windows"].as_array().expect("windows").iter().map(window).collect(),
            samples: rows(&out.join("samples.csv")),
            page: flat(&page),
            err: flat(&err),
            found,
            took,
        };
        let load = made.page.split("closed loop, ").nth(1).or(made.page.split("open loop, ").nth(1));
        let load = load.and_then(|load| load.split(';').next()).unwrap_or_else(|| panic!("{}", made.page));
        assert!(flat(&table).contains(load), "the table says what the page says: {load}\n{table}");
        made
    }

    fn why(&self) -> String {
        let why = &self.found["why"];
        why.as_str().or_else(|| why.as_object()?.keys().next().map(String::as_str)).unwrap_or_default().to_owned()
    }

    fn length(&self) -> f64 {
        seconds(&self.found["length"])
    }

    /// Length of the window of all targets, which is one.
    fn window(&self) -> f64 {
        let (_, from, to) = self.windows[0];
        assert!(self.windows.iter().all(|window| (window.1, window.2) == (from, to)), "{:?}", self.windows);
        // Nothing is begun after it.
        let late = |row: &&Row| row["phase"] == "measure" && number(row, "planned_us") > Some(to * 1e6 + 500_000.0);
        assert_eq!(self.samples.iter().filter(late).count(), 0, "{:?}", self.windows);
        to - from
    }

    fn answers(&self, target: &str) -> usize {
        let of = |row: &&Row| row["target"].starts_with(target) && row["phase"] == "measure" && row["outcome"] == "ok";
        self.samples.iter().filter(of).count()
    }
}

/// A length of time as it is written: `2.013s`, `250ms`, `2m`.
fn seconds(span: &Value) -> f64 {
    let text = span.as_str().unwrap_or_else(|| panic!("no length of time: {span}"));
    loadcmp::scenario::Span::parse(text).expect("a length of time").0.as_secs_f64()
}

#[test]
fn a_difference_that_is_plain_ends_the_run_at_the_least() {
    let dir = tempfile::tempdir().expect("a directory");
    let (slow, quick) = (engine(300), engine(20));
    let load = "{ closed: { users: 4, duration: auto, warmup: 300ms }, until: { least: 5s, most: 60s } }";
    scenario(dir.path(), &[("slow", &slow.url), ("quick", &quick.url)], load, "");
    let made = Made::run(dir.path(), "out");
    let said = format!("{} {} {}", made.found, made.err, made.page);
    assert!(["decided", "known"].contains(&made.why().as_str()), "{said}");
    let window = made.window();
    assert!((5.0..40.0).contains(&window), "{said}");
    assert!((window - made.length()).abs() < 0.1, "{window} {said}");
    assert!(made.page.contains("(5 s to 60 s: "), "{said}");
    assert!(
        made.err.contains("for 5 s to 60 s, until the main metric is decided or its ratio known within 5 %"),
        "{said}"
    );
    assert!(made.err.contains("answers each so far; measuring for "), "{said}");
    assert!(made.page.contains("All targets ran at the same time"), "{said}");
}

#[test]
fn equal_engines_end_once_the_ratio_is_known_and_not_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (engine(20), engine(20));
    let load = "{ closed: { users: 4, duration: auto, warmup: 300ms }, until: { ci: 90%, least: 3s, most: 30s } }";
    scenario(dir.path(), &[("one", &one.url), ("other", &other.url)], load, "");
    let made = Made::run(dir.path(), "out");
    let said = format!("{} {}", made.found, made.err);
    assert_eq!(made.why(), "known", "{said}");
    let (window, length) = (made.window(), made.length());
    assert!((3.0..15.0).contains(&window) && (window - length).abs() < 0.1, "{window} {said}");
    assert!(made.page.contains("is then known within 90 %)"), "{}", made.page);
    assert!(made.found["answers"].as_u64() >= Some(30), "{said}");
    // A precision that nothing reaches: it goes to the most, in time, and says so.
    let load = "{ closed: { users: 4, duration: auto, warmup: 300ms }, until: { ci: 0.01%, least: 2s, most: 5s } }";
    scenario(dir.path(), &[("one", &one.url), ("other", &other.url)], load, "");
    let made = Made::run(dir.path(), "far");
    assert!(["most", "unknown"].contains(&made.why().as_str()), "{}", made.found);
    assert!((made.window() - 5.0).abs() < 0.01 && made.length() == 5.0, "{} {:?}", made.found, made.windows);
    let told = ["a ratio within 0.01 % would take about", "don't show how long a ratio within 0.01 %"];
    assert!(told.iter().any(|told| made.page.contains(told)), "{}", made.page);
}

#[test]
fn engines_that_take_seconds_are_measured_for_the_most_and_no_longer() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (engine(2000), engine(2000));
    let load = "{ closed: { users: 2, duration: auto, warmup: 100ms }, until: { least: 2s, most: 9s } }";
    scenario(dir.path(), &[("one", &one.url), ("other", &other.url)], load, "");
    let made = Made::run(dir.path(), "out");
    let said = format!("{} {}", made.found, made.page);
    // Four answers of each user, far from thirty.
    assert!((made.window() - 9.0).abs() < 0.01 && made.length() == 9.0, "{said}");
    assert!(made.answers("one") >= 4 && made.found["answers"].as_u64() < Some(30), "{said}");
    let told = ["until each had 30 answers", "don't show how long", "known within 5 % would take about"];
    assert!(told.iter().any(|told| made.page.contains(told)), "{said}");
    // First requests, one answer of each user to warm up, the window, and the last answers.
    assert!(made.took < Duration::from_secs(40), "{:?} {said}", made.took);
}

#[test]
fn it_waits_for_the_answers_that_each_must_have() {
    let dir = tempfile::tempdir().expect("a directory");
    let slow = engine(250);
    let load = "{ closed: { users: 1, duration: auto, warmup: 100ms }, until: { least: 1s, answers: 12, most: 60s } }";
    scenario(dir.path(), &[("slow", &slow.url)], load, "");
    let made = Made::run(dir.path(), "out");
    assert!(made.answers("slow") >= 12, "{}", made.found);
    assert!((2.9..40.0).contains(&made.window()), "{} {:?}", made.found, made.windows);
}

#[test]
fn an_engine_that_dies_in_the_first_stage_doesnt_cost_the_most() {
    let dir = tempfile::tempdir().expect("a directory");
    let (well, mut dying) = (engine(20), engine(20));
    let load = "{ closed: { users: 4, duration: auto, warmup: 200ms }, until: { least: 5s, most: 90s } }";
    scenario(dir.path(), &[("well", &well.url), ("dying", &dying.url)], load, "");
    let samples = dir.path().join("out/samples.csv");
    let made = std::thread::scope(|threads| {
        threads.spawn(|| {
            let since = Instant::now();
            let measured =
                || std::fs::read_to_string(&samples).is_ok_and(|text| text.matches(",measure,").count() > 20);
            while !measured() && since.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(20));
            }
            dying.kill();
        });
        Made::run(dir.path(), "out")
    });
    let said = format!("{} {}", made.found, made.err);
    assert_eq!(made.why(), "failing", "{said}");
    // The window of the one that is gone ends where that was found; of the other, no later than its first stage.
    let lengths: Vec<_> = made.windows.iter().map(|(_, from, to)| to - from).collect();
    assert!(lengths.iter().all(|length| (5.0..30.0).contains(length)), "{said} {:?}", made.windows);
    assert!(made.page.contains("a target fails"), "{}", made.page);
}

#[test]
fn an_open_loop_ends_early_and_sends_the_same_list_as_far_as_it_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let (slow, quick) = (engine(80), engine(10));
    let load = "{ open: { rate: 40, duration: auto, warmup: 300ms }, until: { ci: 90%, least: 2s, most: 30s } }";
    scenario(dir.path(), &[("slow", &slow.url), ("quick", &quick.url)], load, "");
    let made = Made::run(dir.path(), "out");
    let said = format!("{} {}", made.found, made.err);
    let window = made.window();
    // Of engines that differ eightfold; a busy machine may leave it unsaid how long it takes.
    assert!(window >= 2.0 && (window - made.length()).abs() < 0.1, "{window} {said}");
    assert!(window < 15.0 || ["unknown", "most"].contains(&made.why().as_str()), "{window} {said}");
    let sent = |target: &str| {
        let of = |row: &&Row| row["target"].starts_with(target) && row["phase"] == "measure";
        made.samples.iter().filter(of).count()
    };
    assert!(sent("slow") == sent("quick") && sent("slow") > 40, "{said}");
    // What was not sent any more is no rate that was missed.
    assert!(!made.page.contains("was not reached") && !made.page.contains("were started"), "{}", made.page);
}

#[test]
fn one_after_another_the_second_is_driven_as_long_as_the_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let (slow, quick) = (engine(150), engine(20));
    let load = "{ closed: { users: 1, duration: auto, warmup: 100ms }, until: { least: 1s, answers: 16, most: 60s } }";
    scenario(dir.path(), &[("slow", &slow.url), ("quick", &quick.url)], load, "order: isolated\n");
    let made = Made::run(dir.path(), "out");
    let length = |at: usize| made.windows[at].2 - made.windows[at].1;
    assert!(length(0) >= 2.3 && length(1) >= length(0) - 0.1 && length(1) < 40.0, "{:?}", made.windows);
    assert!(made.answers("slow") >= 16 && made.answers("quick") >= 16, "{}", made.found);
    assert!(["least", "answers"].contains(&made.why().as_str()), "{}", made.found);
    assert!(made.page.contains("one after another") && made.page.contains("affects only one of them"), "{}", made.page);
}

#[test]
fn blocks_are_driven_until_it_is_known_and_each_target_has_as_many() {
    let dir = tempfile::tempdir().expect("a directory");
    let (slow, quick) = (engine(60), engine(20));
    let load = "{ closed: { users: 2, duration: auto, warmup: 100ms }, until: { least: 2s, most: 20s } }";
    let more = "order: alternate\nblocks: { settle: 20ms, warmup: 50ms }\n";
    scenario(dir.path(), &[("slow", &slow.url), ("quick", &quick.url)], load, more);
    let made = Made::run(dir.path(), "out");
    let said = format!("{} {}", made.found, made.err);
    let blocks = |target: u64| made.windows.iter().filter(|window| window.0 == target).count();
    assert!(blocks(0) == blocks(1) && (6..=60).contains(&blocks(0)), "{said} {:?}", made.windows);
    assert!(["decided", "known", "most", "unknown"].contains(&made.why().as_str()), "{said}");
    let measured: f64 = made.windows.iter().filter(|window| window.0 == 0).map(|window| window.2 - window.1).sum();
    assert!(measured >= 2.0 && (measured - made.length()).abs() < measured * 0.05 + 0.1, "{measured} {said}");
    assert!(made.page.contains("at most 60 blocks of each") && made.page.contains("in turns"), "{}", made.page);
}

#[test]
fn a_lone_target_has_the_least_to_go_by_and_check_says_how_long_it_takes() {
    let dir = tempfile::tempdir().expect("a directory");
    let quick = engine(20);
    let load = "{ closed: { users: 2, duration: auto, warmup: 1s } }";
    scenario(dir.path(), &[("quick", &quick.url)], load, "");
    let (code, out, err) = ask(dir.path(), &["check", "t.yaml"]);
    let told = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, 0, "{err}");
    assert!(told.contains("for 20 s to 3 min after 1 s of warm-up, until each has 30 answers"), "{out}");
    assert!(told.contains("from about 21 s to about 3 min"), "{out}");
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out", "--set", "load.until.least=1s"]);
    assert_eq!(code, 0, "{err}");
    let manifest = json(&dir.path().join("out/manifest.json"));
    assert_eq!(manifest["found"]["why"], "least", "{}", manifest["found"]);
    assert!((1.0..20.0).contains(&seconds(&manifest["found"]["length"])), "{}", manifest["found"]);
}

#[test]
fn what_auto_cant_be_is_told_where_it_stands() {
    let dir = tempfile::tempdir().expect("a directory");
    let wrong = |load: &str, more: &str, told: &str| {
        scenario(dir.path(), &[("a", "http://127.0.0.1:1"), ("b", "http://127.0.0.1:2")], load, more);
        let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert!(code == 2 && err.contains(told), "{load}: {code}: {err}");
    };
    wrong("{ open: { ramp: { from: 1, to: 9 }, duration: auto } }", "", "`ramp` needs a fixed `duration`");
    wrong("{ open: { stages: [{ rate: 1, duration: auto }] } }", "", "must be a duration");
    wrong("{ soak: { users: 1, duration: auto } }", "", "must be a duration");
    wrong("{ closed: { users: 1, duration: autos } }", "", "or `auto`");
    wrong("{ closed: { users: 1, duration: 20 } }", "", "did you mean `20s`?");
    let until = "{ closed: { users: 1, duration: auto }, until: { least: 9s, most: 3s } }";
    wrong(until, "", "`most` is less than `least`");
    let until = "{ closed: { users: 1, duration: auto }, until: { ci: 5% } }";
    wrong(until, "order: isolated\n", "no ratio before its end");
}

/// The settings that a report advises for a longer run, on a scenario whose run may end early: it doesn't.
#[test]
fn the_advised_settings_make_a_run_of_that_length() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (engine(20), engine(20));
    let targets = [("one", one.url.as_str()), ("other", other.url.as_str())];
    for load in [
        "{ closed: { users: 4, duration: auto } }",
        "{ closed: { users: 4, duration: 30s }, until: { ci: 3%, least: 5s, most: 20s } }",
    ] {
        scenario(dir.path(), &targets, load, "order: alternate\n");
        let set = ["--set", "load.closed.duration=8m", "--set", "load.until=null", "--set", "blocks.pairs=144"];
        let (code, out, err) = ask(dir.path(), &[&["check", "t.yaml"], &set[..]].concat());
        let flat = format!("{out} {err}").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 0 && flat.contains("for 8 min after") && flat.contains("144 blocks"), "{flat}");
        assert!(!flat.contains("until the main metric is decided"), "{flat}");
    }
}
