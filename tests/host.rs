//! What the machine and the engines' processes did during a run, as its manifest and resources.csv tell it.

use crate::cli::{StandIn, json, loadcmp, number, rows, text, write};
use serde_json::Value;
use std::path::Path;

/// Runs one target against each URL for a second and a half, and gives the manifest; `more` goes to the command line.
fn run(dir: &Path, urls: &[&str], more: &[&str]) -> Value {
    let target = |(at, url): (usize, &&str)| format!("  t{at}: {{ ollama: {{ url: \"{url}\" }} }}\n");
    let targets: String = urls.iter().enumerate().map(target).collect();
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n{targets}workload: {{ prompts: {{ inline: [ {{ text: one }} ] }}, \
         sampling: {{ max_tokens: 3 }} }}\nload: {{ closed: {{ users: 2, duration: 1500ms, warmup: 200ms }} }}\n"
    );
    let path = write(dir, "t.yaml", &yaml);
    let output = loadcmp().arg("run").arg(path).arg("--out").arg(dir.join("out")).args(more).output().expect("a run");
    assert!(output.status.success(), "{}", text(&output).1);
    serde_json::from_slice(&std::fs::read(dir.join("out/manifest.json")).expect("a manifest")).expect("JSON")
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_tells_what_each_side_took_of_the_machine() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (StandIn::start(&[]), StandIn::start(&["--first-token-ms", "200"]));
    let manifest = run(dir.path(), &[&a.url, &b.url], &[]);
    let told = &manifest["conditions"];
    let cores = |name: &str| told[name].as_f64().unwrap_or_else(|| panic!("{name}: {told}"));
    let side = |at: usize| told["target_cores"][at].as_f64().unwrap_or_else(|| panic!("side {at}: {told}"));
    assert!(side(0) > 0.02, "it answers as fast as it can: {told}");
    assert!(side(1) < side(0), "it waits most of the time: {told}");
    assert!(cores("own_cores") > 0.02 && cores("own_cores_most") <= cores("cores") * 1.5, "{told}");
    assert!((1.0..=2.0).contains(&cores("own_cores_allowed")), "{told}");
    assert!(cores("busy_cores") <= cores("cores") && cores("busy_cores") > 0.0, "{told}");
    assert!(cores("other_cores") >= 0.0 && cores("other_cores") <= cores("busy_cores"), "{told}");
    assert!(cores("swap_bytes") >= 0.0 && cores("swapped_bytes") >= 0.0, "{told}");
    assert!(told["clock_jump_s"].as_f64().is_some_and(|jump| (0.0..60.0).contains(&jump)), "{told}");

    let resources = rows(&dir.path().join("out/resources.csv"));
    for who in ["host", "loadcmp", "t0", "t1"] {
        let of: Vec<_> = resources.iter().filter(|row| row["who"].starts_with(who)).collect();
        assert!(!of.is_empty(), "{who}: {resources:?}");
        assert!(of.iter().any(|row| number(row, "cpu_cores").is_some_and(|c| c >= 0.0)), "{who}: {of:?}");
        assert!(of.iter().all(|row| number(row, "rss_bytes").is_some_and(|b| b > 100_000.0)), "{who}: {of:?}");
    }

    // A run told again keeps them: they can't be read again.
    let before = std::fs::read(dir.path().join("out/manifest.json")).expect("a manifest");
    assert!(loadcmp().arg("report").arg(dir.path().join("out")).output().expect("a report").status.success());
    assert_eq!(std::fs::read(dir.path().join("out/manifest.json")).expect("a manifest"), before);
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_work_cost_each_engine_is_told_by_request_and_token() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (StandIn::start(&[]), StandIn::start(&["--first-token-ms", "200"]));
    let manifest = run(dir.path(), &[&a.url, &b.url], &[]);
    let summary = || rows(&dir.path().join("out/summary.csv"));
    let sheet = summary();
    let row = |target: &str, metric: &str| {
        let found = sheet.iter().find(|row| row["target"].starts_with(target) && row["metric"] == metric);
        found.unwrap_or_else(|| panic!("{metric} of {target}"))
    };
    let mean = |target: &str, metric: &str| number(row(target, metric), "mean").expect("a figure");
    for (at, target) in ["t0", "t1"].into_iter().enumerate() {
        let used = &manifest["conditions"]["targets"][at];
        let cpu_us = used["cpu_s"].as_f64().expect("processor time") * 1e6;
        let work = &json(&dir.path().join("out/report.json"))["targets"][at]["work"];
        let done = |what: &str| work[what].as_f64().expect("work");
        let seconds = mean(target, "window") / 1e6;
        if cpu_us < 1e5 {
            // Ten ticks of the kernel's are too few to be divided by anything.
            assert!(sheet.iter().all(|row| !(row["target"].starts_with(target) && row["metric"].starts_with("cpu_"))));
        } else {
            let near = |a: f64, b: f64| (a / b - 1.0).abs() <= 1e-4;
            assert!(near(mean(target, "cpu_per_request") * done("answers"), cpu_us), "{target}: {used}");
            assert!(near(mean(target, "cpu_cores") * seconds * 1e6, cpu_us), "{target}: {used}");
            let per_1000 = mean(target, "cpu_per_1k_tokens");
            assert!(near(per_1000 * done("output_tokens") / 1000.0, cpu_us), "{target}: {used}");
            let cores = manifest["conditions"]["target_cores"][at].as_f64().expect("cores");
            assert!((mean(target, "cpu_cores") - cores).abs() < 0.01, "{target}: {used}");
        }
        // What it is made of is read a moment after the sum.
        let (peak, parts) =
            (mean(target, "memory_peak"), mean(target, "memory_anonymous") + mean(target, "memory_file"));
        assert!((parts / peak - 1.0).abs() < 0.1 && peak > 1e6, "{target}: {used}");
        assert!(mean(target, "memory_rest") > 1e6 && mean(target, "threads") >= 1.0, "{target}: {used}");
    }
    let cpu = |at: usize| manifest["conditions"]["targets"][at]["cpu_s"].as_f64();
    assert!(cpu(0) > cpu(1), "the second waits most of the time");
    let page = std::fs::read_to_string(dir.path().join("out/report.md")).expect("a report");
    assert!(page.contains("peak RSS"), "{page}");
    // Told again, they are the same: they stand in the manifest.
    assert!(loadcmp().arg("report").arg(dir.path().join("out")).output().expect("a report").status.success());
    assert_eq!(summary(), sheet);
}

#[cfg(target_os = "linux")]
#[test]
fn one_engine_on_both_sides_is_not_counted_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&[]);
    let told = &run(dir.path(), &[&engine.url, &engine.url], &["--set", "allow_same_endpoint=true"])["conditions"];
    let figure = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{told}"));
    let (a, b) = (figure(&told["target_cores"][0]), figure(&told["target_cores"][1]));
    assert!((a - b).abs() < 0.01 && a > 0.02, "{told}");
    // Ticks and an uneven second may blur it, a second count of the engine may not hide in that.
    let whole = figure(&told["own_cores"]) + a + figure(&told["other_cores"]);
    assert!(whole >= figure(&told["busy_cores"]) - 0.05, "{told}");
}

/// An engine that is killed in mid-run and started anew at its address: another process, found again at once, and what it used
/// meanwhile is reported as missing.
#[cfg(target_os = "linux")]
#[test]
fn an_engine_that_is_started_anew_is_found_within_a_second() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    let dir = tempfile::tempdir().expect("a directory");
    let mut engine = StandIn::start(&["--first-token-ms", "20"]);
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  t0: {{ ollama: {{ url: \"{}\" }} }}\nworkload: {{ prompts: {{ inline: [ {{ text: \
         one }} ] }}, sampling: {{ max_tokens: 3 }} }}\nload: {{ closed: {{ users: 2, duration: 8s }} }}\n",
        engine.url
    );
    let path = write(dir.path(), "t.yaml", &yaml);
    let out = dir.path().join("out");
    let mut run = loadcmp();
    run.arg("run").arg(path).arg("--out").arg(&out).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = run.spawn().expect("a run");
    let begun = Instant::now();
    // It answers, and has been read of.
    let lines = |name: &str| std::fs::read_to_string(out.join(name)).unwrap_or_default().lines().count();
    while lines("samples.csv") < 20 || lines("resources.csv") < 5 {
        assert!(begun.elapsed().as_secs() < 90, "no rows");
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Instant::now();
    engine.kill();
    // So long that a reading falls into it.
    std::thread::sleep(Duration::from_millis(1500));
    let address = engine.url.trim_start_matches("http://").to_owned();
    let mut again = loadcmp();
    again.args(["serve", "--listen", &address, "--until-stdin-closes", "--first-token-ms", "20"]);
    let mut again = again.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("another");
    let mut said = BufReader::new(again.stderr.take().expect("its standard error"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line that tells where it listens");
    let away = killed.elapsed().as_secs_f64();
    let ended = run.wait().expect("an end");
    let alive = again.try_wait().expect("a state").is_none();
    again.kill().expect("an end");
    again.wait().expect("an end");
    assert!(alive, "the second one ended by itself: {line}");

    let all = rows(&out.join("resources.csv"));
    let at = |row: &crate::cli::Row| number(row, "t_s").expect("a time");
    let seen: Vec<f64> = all
        .iter()
        .filter(|row| row["who"].starts_with("t0") && number(row, "rss_bytes").is_some_and(|bytes| bytes > 1e5))
        .map(at)
        .collect();
    let every: Vec<f64> = all.iter().filter(|row| row["who"] == "host").map(at).collect();
    let period = every.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max);
    let gap = seen.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max);
    assert!(gap > period, "{ended}: a reading is missing: {seen:?} of {every:?}");
    // It was gone for `away`; then a reading, and a second.
    assert!(gap < away + 2.0 * period + 1.0, "{gap} s without, gone for {away} s: {seen:?} of {every:?}");
    let report = json(&out.join("report.json"));
    let found = report["findings"].as_array().expect("findings").iter().find(|found| found["id"] == "processes-missed");
    let sentence =
        found.and_then(|found| found["sentence"].as_str()).unwrap_or_else(|| panic!("{}", report["findings"]));
    assert!(sentence.contains("its processes were gone for"), "{sentence}");
}

#[cfg(target_os = "linux")]
mod trees {
    use crate::cli::StandIn;
    use loadcmp::host::{Stretch, Usage, Watch};
    use loadcmp::record::Stopwatch;
    use loadcmp::scenario::plan::Endpoint;
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    /// Ticks that a process and its ended children have used, from its line in /proc.
    fn ticks(pid: u32) -> f64 {
        let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
        let fields: Vec<f64> = line
            .rsplit(')')
            .next()
            .expect("its fields")
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        fields[11..15].iter().sum()
    }

    #[test]
    fn what_an_engines_children_used_is_not_lost_with_them() {
        // A shell that listens, by way of its standard input, and lets children work, one after another.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let work = "while :; do (i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done); done";
        let mut shell = Command::new("sh");
        shell.args(["-c", work]).stdin(Stdio::from(OwnedFd::from(listener)));
        let mut child = shell.spawn().expect("a shell");
        // Nothing but the shell holds the socket from here on.
        drop(shell);
        let clock = Stopwatch::start();
        let endpoint = Endpoint::Tcp { host: "127.0.0.1".to_owned(), port, prefix: String::new(), tls: false };
        let (rows, told) = std::sync::mpsc::channel();
        let tell = move |all: &[Usage]| all.iter().for_each(|row| drop(rows.send(row.clone())));
        let watch =
            Watch::start(move || clock.now().seconds(), vec![("x".to_owned(), endpoint)], tell).expect("a watch");
        std::thread::sleep(Duration::from_millis(500));
        let (from_s, before) = (clock.now().seconds(), ticks(child.id()));
        watch.edges().at(from_s);
        std::thread::sleep(Duration::from_millis(2500));
        let (to_s, after) = (clock.now().seconds(), ticks(child.id()));
        let rows: Vec<Usage> = {
            std::thread::sleep(Duration::from_millis(600));
            told.try_iter().collect()
        };
        let told = watch.stop().conditions(&[Stretch { target: 0, from_s, to_s }]);
        child.kill().expect("an end");
        child.wait().expect("an end");
        // What has ended, for certain; what works just then comes on top: at most the length of one child's life.
        let truth = (after - before) / 100.0 / (to_s - from_s);
        let cores = told.target_cores[0].unwrap_or_else(|| panic!("not found: {told:?}"));
        assert!(truth > 0.0 && cores > 0.6 * truth && cores < 1.4 * truth + 0.3, "{cores} of {truth}: {told:?}");
        assert!(rows.iter().any(|row| row.who == "x" && row.cpu_cores.is_some()));
    }

    #[test]
    fn an_engine_on_a_unix_socket_is_found_and_one_that_ends_keeps_its_time() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("engine.sock");
        let mut engine = StandIn::start(&["--socket", &path.display().to_string()]);
        let clock = Stopwatch::start();
        let port = engine.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let tcp = |port| Endpoint::Tcp { host: "127.0.0.1".to_owned(), port, prefix: String::new(), tls: false };
        let targets = [("unix", Endpoint::Unix { path }), ("tcp", tcp(port)), ("none", tcp(1))];
        let targets = targets.map(|(name, endpoint)| (name.to_owned(), endpoint)).to_vec();
        let watch = Watch::start(move || clock.now().seconds(), targets, |_| ()).expect("a watch");
        std::thread::sleep(Duration::from_millis(700));
        watch.edges().at(0.0);
        std::thread::sleep(Duration::from_millis(100));
        engine.kill();
        std::thread::sleep(Duration::from_millis(600));
        let to_s = clock.now().seconds();
        let told = watch.stop().conditions(&[0, 1, 2].map(|target| Stretch { target, from_s: 0.1, to_s }));
        assert!(told.target_cores[0].is_some() && told.target_cores[0] == told.target_cores[1], "{told:?}");
        assert_eq!(told.target_cores[2], None, "nobody listens there: {told:?}");
        assert_eq!(told.other_cores, None, "{told:?}");
        assert!(told.busy_cores.is_some());
    }
}
