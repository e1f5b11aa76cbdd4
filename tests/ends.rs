//! A run ends well: by a signal, twice by signals, killed; as the first process of a container; and what it started ends with
//! it. `loadcmp report` exits as the run did.
#![cfg(unix)]

use crate::cli::{StandIn, ask, json, loadcmp, rows, text, write};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

const DRIVERS: &[&str] = if cfg!(feature = "goose") { &["native", "goose"] } else { &["native"] };

/// What "at once" may take at most: the issue's own bound.
const AT_ONCE: Duration = Duration::from_secs(5);

/// An OpenAI engine that answers its first `answers` requests for text, and takes the others and says nothing; or, with
/// `refuses`, says no to every one. Its address, and the requests so far.
fn engine(answers: usize, refuses: bool) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let count = count.clone();
            std::thread::spawn(move || {
                loop {
                    let mut peeked = [0; 16];
                    if !matches!(socket.peek(&mut peeked), Ok(1..)) {
                        return;
                    }
                    let post = peeked.starts_with(b"POST");
                    crate::common::read_request(&mut socket);
                    let n = if post { count.fetch_add(1, SeqCst) } else { 0 };
                    let (status, body) = match post {
                        false => ("200 OK", r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#),
                        true if refuses => ("400 Bad Request", r#"{"error":{"message":"not today"}}"#),
                        true if n < answers => ("200 OK", ANSWER),
                        // To the end of the connection.
                        true => return drop(std::io::Read::read(&mut socket, &mut peeked)),
                    };
                    let head = "content-type: application/json\r\ncontent-length";
                    let answer = format!("HTTP/1.1 {status}\r\n{head}: {}\r\n\r\n{body}", body.len());
                    if socket.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, asked)
}

const ANSWER: &str = r#"{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;

/// A scenario of some targets, each a line of YAML.
fn scenario(targets: &[String], load: &str, more: &str) -> String {
    format!(
        "name: t\ntask: generate\ntargets:\n  {}\nworkload: {{ prompts: {{ inline: [{{ text: hello }}] }}, stream: false }}\n\
         load: {{ closed: {load} }}\n{more}",
        targets.join("\n  ")
    )
}

fn openai(name: &str, url: &str) -> String {
    format!("{name}: {{ openai: {{ url: \"{url}\" }} }}")
}

fn start(dir: &Path, args: &[&str]) -> Child {
    let mut command = loadcmp();
    command.current_dir(dir).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("a run")
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a number")).expect("a process");
    kill_process(pid, signal).expect("a signal");
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ended(child: Child) -> (Output, String, String) {
    let output = child.wait_with_output().expect("its end");
    let (out, err) = text(&output);
    (output, out, err)
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Whether a process runs; one that has ended and isn't waited for by its parent doesn't.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// The group of a process.
fn group(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(2)?.parse().ok()
}

fn number(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// The top of every report of a run that was ended by a signal.
fn says_unfinished(out: &Path, table: &str) {
    let sentence = "Unfinished: interrupted after 00:00:";
    let far = "of 00:10:00; figures cover what was done until then.";
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect("a file");
    for (name, text) in
        [("the table", table.to_owned()), ("report.md", read("report.md")), ("report.html", read("report.html"))]
    {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let at = words.find(sentence).unwrap_or_else(|| panic!("{name}: {text}"));
        assert!(words[at..].contains(far), "{name}: {text}");
        assert!(!words.contains("INVALID: Unfinished"), "{name}: said once: {text}");
    }
    assert!(read("benchstat.txt").contains(&format!("# {sentence}")));
    assert!(read("junit.xml").contains("the run ended by itself"));
    assert_eq!(json(&out.join("report.json"))["unfinished"]["cause"], "signal");
}

#[test]
fn the_first_signal_drains_and_everything_is_written() {
    let work = |driver: &str, signal: Signal| {
        let engines = [(); 2].map(|()| StandIn::start(&["--first-token-ms", "900", "--slots", "4"]));
        let dir = tempfile::tempdir().expect("a directory");
        let targets = [openai("a", &engines[0].url), openai("b", &engines[1].url)];
        write(dir.path(), "t.yaml", &scenario(&targets, "{ users: 2, duration: 10m }", "gates: [\"errors == 0\"]\n"));
        let child = start(dir.path(), &["run", "t.yaml", "--out", "out", "--driver", driver]);
        let out = dir.path().join("out");
        wait_for("measured rows", || lines(&out.join("samples.csv")) > 8);
        send(child.id(), signal);
        let (output, table, err) = ended(child);
        assert_eq!(output.status.code(), Some(4), "{driver} {signal:?}: {err}");
        let said = ["1 request", "2 requests", "3 requests", "4 requests"];
        let said = said.map(|n| format!("draining {n}, send the signal again to stop"));
        assert!(said.iter().any(|words| err.contains(words.as_str())), "{driver}: {err}");
        let samples = rows(&out.join("samples.csv"));
        assert!(samples.iter().all(|row| row["outcome"] == "ok"), "{driver}: what was in flight was waited for");
        says_unfinished(&out, &table);
        let (code, again, _) = ask(dir.path(), &["report", "out"]);
        assert_eq!(code, 4);
        says_unfinished(&out, &again);
    };
    std::thread::scope(|threads| {
        for driver in DRIVERS {
            threads.spawn(|| work(driver, Signal::TERM));
        }
        // Whoever runs this under nohup has it ignored, and so has the run.
        threads.spawn(|| work("native", if hangup_is_ignored() { Signal::INT } else { Signal::HUP }));
    });
}

#[test]
fn a_second_signal_of_any_kind_ends_it_at_once() {
    let work = |driver: &str, first: Signal, second: Signal| {
        // The first request, and one of each user.
        let (url, asked) = engine(3, false);
        let dir = tempfile::tempdir().expect("a directory");
        let more = "timeout: 30s\ngates: [\"errors == 0\"]\n";
        write(dir.path(), "t.yaml", &scenario(&[openai("a", &url)], "{ users: 2, duration: 10m }", more));
        let child = start(dir.path(), &["run", "t.yaml", "--out", "out", "--driver", driver]);
        wait_for("two requests in flight", || asked.load(SeqCst) >= 5);
        std::thread::sleep(Duration::from_millis(100));
        let pid = child.id();
        send(pid, first);
        std::thread::sleep(Duration::from_millis(400));
        assert!(runs(pid), "the first waits");
        let since = Instant::now();
        send(pid, second);
        let (output, _, err) = ended(child);
        let took = since.elapsed();
        assert_eq!(output.status.code(), Some(4), "{driver}: {err}");
        assert!(took < AT_ONCE, "{driver}: {took:?}");
        assert!(err.contains("draining 2 requests, send the signal again to stop"), "{driver}: {err}");
        assert!(err.contains("stopping without waiting for 2 requests in flight"), "{driver}: {err}");
        let samples = rows(&dir.path().join("out/samples.csv"));
        assert_eq!(samples.iter().filter(|row| row["outcome"] == "unfinished").count(), 2, "{driver}");
        assert!(dir.path().join("out/report.html").exists());
    };
    std::thread::scope(|threads| {
        for driver in DRIVERS {
            threads.spawn(|| work(driver, Signal::INT, Signal::INT));
            threads.spawn(|| work(driver, Signal::INT, Signal::TERM));
        }
    });
}

#[test]
fn an_engine_that_is_asked_nothing_else_while_it_is_at_work_ends_as_soon() {
    // A GG-CORE at an answer of many seconds says nothing to anybody, and not what it has counted.
    let work = |first_token_ms: &str, second: bool, most: Duration| {
        let dir = tempfile::tempdir().expect("a directory");
        let socket = dir.path().join("gg.sock").display().to_string();
        let serve = ["--socket", &socket, "--gg-faithful", "--first-token-ms", first_token_ms];
        let _engine = StandIn::start(&serve);
        let target = format!("a: {{ gg_core: {{ socket: \"{socket}\" }} }}");
        write(dir.path(), "t.yaml", &scenario(&[target], "{ users: 1, duration: 10m }", "timeout: 60s\n"));
        let child = start(dir.path(), &["run", "t.yaml", "--out", "out"]);
        let out = dir.path().join("out");
        wait_for("the first request", || lines(&out.join("samples.csv")) > 1);
        std::thread::sleep(Duration::from_millis(700));
        let mut since = Instant::now();
        send(child.id(), Signal::INT);
        if second {
            std::thread::sleep(Duration::from_millis(300));
            since = Instant::now();
            send(child.id(), Signal::TERM);
        }
        let (output, _, err) = ended(child);
        let took = since.elapsed();
        assert_eq!(output.status.code(), Some(4), "{err}");
        assert!(err.contains("draining 1 request"), "{err}");
        assert!(took < most, "{took:?}: {err}");
        assert!(out.join("report.html").exists(), "{err}");
    };
    std::thread::scope(|threads| {
        threads.spawn(|| work("9000", true, AT_ONCE));
        // The time to drain is 8 s; the answer would come after 13 s.
        threads.spawn(|| work("14000", false, Duration::from_secs(12)));
    });
}

#[test]
fn suites_nights_searches_and_calibrations_end_by_signals_too() {
    let suite = "name: s\nscenarios:\n  one: { file: t.yaml }\n  two: { file: t.yaml }\n\
                 checks:\n  - { name: x, category: y, scenario: one, gate: errors == 0 }\n";
    let work = |args: &[&str], document: &str| {
        let (url, asked) = engine(3, false);
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), "t.yaml", &scenario(&[openai("a", &url)], "{ users: 2, duration: 10m }", "timeout: 30s\n"));
        write(dir.path(), "s.yaml", suite);
        let child = start(dir.path(), args);
        wait_for("requests", || asked.load(SeqCst) > 3);
        std::thread::sleep(Duration::from_millis(100));
        let pid = child.id();
        send(pid, Signal::TERM);
        std::thread::sleep(Duration::from_millis(300));
        let since = Instant::now();
        send(pid, Signal::TERM);
        let (output, out, err) = ended(child);
        let took = since.elapsed();
        assert_eq!(output.status.code(), Some(4), "{args:?}: {out}{err}");
        assert!(took < AT_ONCE, "{args:?}: {took:?}");
        assert!(dir.path().join(document).exists(), "{args:?}: {err}");
        assert!(asked.load(SeqCst) <= 5, "nothing else is begun");
        if let Some(folder) = document.split('/').next().filter(|_| !args.contains(&"nightly")) {
            let (code, _, err) = ask(dir.path(), &["report", folder]);
            assert_eq!(code, 4, "{args:?}: {err}");
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a file");
        if args.contains(&"nightly") {
            assert!(read("nights/index.html").contains("Interrupted after 0 of 2 scenarios."));
        }
        if args.contains(&"suite") {
            assert!(
                out.contains("Interrupted after 0 of 2 scenarios.") && !dir.path().join("out/two").exists(),
                "{out}"
            );
            assert!(read("out/junit.xml").contains("the run ended by itself"));
        }
    };
    let calibrate = || {
        let dir = tempfile::tempdir().expect("a directory");
        let (kept, rest) = (dir.path().join("calibration.json"), dir.path().join("tmp"));
        std::fs::create_dir(&rest).expect("a folder");
        let mut command = loadcmp();
        command.args(["calibrate", "--quick"]).env("LOADCMP_CALIBRATION", &kept).env("TMPDIR", &rest);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("loadcmp");
        let mut said = std::io::BufReader::new(child.stderr.take().expect("its standard error"));
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).expect("a line");
        send(child.id(), Signal::TERM);
        assert_eq!(child.wait().expect("its end").code(), Some(4));
        assert!(!kept.exists());
        assert_eq!(std::fs::read_dir(&rest).expect("a folder").count(), 0, "nothing is left in the temporary folder");
    };
    std::thread::scope(|threads| {
        threads.spawn(|| work(&["suite", "run", "s.yaml", "--out", "out"], "out/suite.html"));
        threads.spawn(|| work(&["nightly", "s.yaml", "--results", "nights"], "nights/index.html"));
        let limits = ["--slo", "latency.p95 <= 300ms", "--start", "1"];
        threads
            .spawn(move || work(&[&["capacity", "t.yaml", "--out", "out"], &limits[..]].concat(), "out/capacity.html"));
        threads.spawn(calibrate);
    });
}

/// A program that starts a stand-in at a port and a child of its own, and writes down who they are.
fn engine_script(dir: &Path, port: u16, more: &str) -> PathBuf {
    let script = format!(
        "cd '{}'\n{more}\nsleep 1000 &\necho $! >runner\necho $$ >engine\necho a word on stdout\n\
         exec '{}' serve --listen 127.0.0.1:{port} --first-token-ms 50\n",
        dir.display(),
        env!("CARGO_BIN_EXE_loadcmp")
    );
    write(dir, "engine.sh", &script)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port()
}

#[test]
fn engines_that_a_run_starts_end_with_it_however_it_ends() {
    // By a signal, killed, and with a runner that doesn't hear of the signal.
    let work = |signal: Signal, more: &str| {
        let dir = tempfile::tempdir().expect("a directory");
        let (port, rest) = (free_port(), dir.path().join("tmp"));
        std::fs::create_dir(&rest).expect("a folder");
        let script = engine_script(dir.path(), port, more);
        // The other is a stand-in that the run starts by itself.
        let targets = [openai("a", &format!("http://127.0.0.1:{port}")), "b: { gg_core: {} }".to_owned()];
        let start = format!("start: {{ a: [sh, \"{}\"] }}\n", script.display());
        write(dir.path(), "t.yaml", &scenario(&targets, "{ users: 2, duration: 10m }", &start));
        let mut command = loadcmp();
        command
            .current_dir(dir.path())
            .args(["run", "t.yaml", "--out", "out", "--allow-commands"])
            .env("TMPDIR", &rest);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
        let out = dir.path().join("out");
        wait_for("rows", || lines(&out.join("samples.csv")) > 6);
        let of = |name: &str| number(&dir.path().join(name)).expect("a number");
        let (engine, runner) = (of("engine"), of("runner"));
        let own = group(child.id()).expect("a group");
        let engines = group(engine).expect("a group");
        assert!(own != engines && group(runner) == Some(engines), "{own} {engines}");
        let stand_ins = processes_with(&rest);
        assert!(!stand_ins.is_empty() && stand_ins.iter().all(|pid| group(*pid) != Some(own)), "{stand_ins:?}");
        let killed = signal == Signal::KILL;
        send(child.id(), signal);
        let (output, _, err) = ended(child);
        if killed {
            let gone = || ![engine, runner].iter().chain(&stand_ins).any(|pid| runs(*pid));
            wait_for("they end without it", gone);
            wait_for("its temporary folder", || std::fs::read_dir(&rest).expect("a folder").count() == 0);
        } else {
            assert_eq!(output.status.code(), Some(4), "{err}");
            let left: Vec<_> = [engine, runner].into_iter().chain(stand_ins).filter(|pid| runs(*pid)).collect();
            assert!(left.is_empty(), "{left:?}");
            assert_eq!(std::fs::read_dir(&rest).expect("a folder").count(), 0, "nothing is left there");
        }
        let log = |name: &str| std::fs::read_to_string(out.join("engines").join(name)).expect("a log");
        assert!(log("a.log").contains("a word on stdout") && log("a.log").contains("listening on"), "{}", log("a.log"));
        assert!(log("b.log").contains("listening on unix:"), "{}", log("b.log"));
    };
    std::thread::scope(|threads| {
        threads.spawn(|| work(Signal::TERM, ""));
        threads.spawn(|| work(Signal::KILL, ""));
        threads.spawn(|| work(Signal::INT, "trap '' TERM"));
    });
}

#[test]
fn the_second_signal_ends_an_engine_that_does_not_want_to_end_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let port = free_port();
    // The stand-in itself ends at SIGTERM: the shell before it, which doesn't, is the engine.
    let script = format!(
        "trap '' TERM\ncd '{}'\necho $$ >engine\n'{}' serve --listen 127.0.0.1:{port} --first-token-ms 20000 &\n\
         while :; do sleep 1; done\n",
        dir.path().display(),
        env!("CARGO_BIN_EXE_loadcmp")
    );
    let (url, asked) = engine(3, false);
    let script = write(dir.path(), "engine.sh", &script);
    let more = format!("start: {{ b: [sh, \"{}\"] }}\norder: isolated\n", script.display());
    // The started one is asked last: nobody waits for its first answer.
    let targets = [openai("a", &url), openai("b", &format!("http://127.0.0.1:{port}"))];
    write(dir.path(), "t.yaml", &scenario(&targets, "{ users: 2, duration: 10m }", &more));
    let child = start(dir.path(), &["run", "t.yaml", "--out", "out", "--allow-commands"]);
    wait_for("the first request", || asked.load(SeqCst) >= 1);
    std::thread::sleep(Duration::from_millis(300));
    let engine = number(&dir.path().join("engine")).expect("a number");
    send(child.id(), Signal::INT);
    std::thread::sleep(Duration::from_millis(500));
    let since = Instant::now();
    send(child.id(), Signal::TERM);
    let (output, _, err) = ended(child);
    let took = since.elapsed();
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(took < AT_ONCE, "{took:?}: {err}");
    assert!(!runs(engine), "{err}");
}

#[test]
#[cfg(target_os = "linux")]
fn an_engine_ends_with_its_guard_where_that_is_killed_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let port = free_port();
    let script = format!(
        "cd '{}'\necho $PPID >guard\necho $$ >engine\nexec '{}' serve --listen 127.0.0.1:{port} --first-token-ms 50\n",
        dir.path().display(),
        env!("CARGO_BIN_EXE_loadcmp")
    );
    let script = write(dir.path(), "engine.sh", &script);
    let more = format!("start: {{ a: [sh, \"{}\"] }}\n", script.display());
    let targets = [openai("a", &format!("http://127.0.0.1:{port}"))];
    write(dir.path(), "t.yaml", &scenario(&targets, "{ users: 1, duration: 10m }", &more));
    let child = start(dir.path(), &["run", "t.yaml", "--out", "out", "--allow-commands"]);
    wait_for("rows", || lines(&dir.path().join("out/samples.csv")) > 3);
    let of = |name: &str| number(&dir.path().join(name)).expect("a number");
    let (guard, engine) = (of("guard"), of("engine"));
    assert!(guard != child.id() && runs(engine));
    send(guard, Signal::KILL);
    send(child.id(), Signal::KILL);
    ended(child);
    wait_for("the engine's end", || !runs(engine));
}

/// The processes whose command line names a folder.
fn processes_with(folder: &Path) -> Vec<u32> {
    let folder = folder.display().to_string();
    let all = std::fs::read_dir("/proc").expect("processes").flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers
        .filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(&folder)))
        .collect()
}

#[test]
fn before_anything_was_sent_one_signal_ends_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let targets = [openai("a", &format!("http://127.0.0.1:{}", free_port()))];
    let script = format!("echo $$ >'{}/pid'\nexec sleep 1000\n", dir.path().display());
    let more = format!("start: {{ a: [sh, \"{}\"] }}\n", write(dir.path(), "a.sh", &script).display());
    write(dir.path(), "t.yaml", &scenario(&targets, "{ users: 1, requests: 2 }", &more));
    for command in ["run", "check"] {
        let mut args = vec![command, "t.yaml", "--allow-commands"];
        args.extend((command == "run").then_some(["--out", "out"]).into_iter().flatten());
        let child = start(dir.path(), &args);
        wait_for("the engine", || number(&dir.path().join("pid")).is_some());
        let engine = number(&dir.path().join("pid")).expect("a number");
        send(child.id(), Signal::TERM);
        let (output, _, err) = ended(child);
        assert_eq!(output.status.code(), Some(4), "{command}: {err}");
        assert!(err.contains("interrupted before anything was sent"), "{command}: {err}");
        assert!(!runs(engine) && !dir.path().join("out").exists(), "{command}");
        std::fs::remove_file(dir.path().join("pid")).expect("gone");
    }
}

#[test]
fn a_signal_while_the_rate_is_measured_ends_it_and_says_that_nothing_was_saved() {
    let engine = StandIn::start(&["--first-token-ms", "3000", "--slots", "8"]);
    let dir = tempfile::tempdir().expect("a directory");
    let yaml = format!(
        "name: t\ntask: generate\ntargets: {{ {} }}\nworkload: {{ prompts: {{ inline: [{{ text: hello }}] }}, stream: false }}\n\
         load: {{ open: {{ rate: auto, duration: 10s }} }}\n",
        openai("a", &engine.url)
    );
    write(dir.path(), "t.yaml", &yaml);
    let rest = dir.path().join("tmp");
    std::fs::create_dir(&rest).expect("a folder");
    let mut command = loadcmp();
    command.current_dir(dir.path()).args(["run", "t.yaml", "--out", "out"]).env("TMPDIR", &rest);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
    let look = || {
        let mut all = std::fs::read_dir(&rest).expect("a folder").flatten();
        all.any(|entry| lines(&entry.path().join("look/samples.csv")) > 1)
    };
    wait_for("the first request of the look", look);
    std::thread::sleep(Duration::from_millis(700));
    let since = Instant::now();
    send(child.id(), Signal::TERM);
    let (output, _, err) = ended(child);
    let took = since.elapsed();
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(err.contains("interrupted while the rate was measured: nothing was saved"), "{err}");
    assert!(!err.contains("draining") && !err.contains("before anything was sent"), "{err}");
    assert!(took < AT_ONCE && !dir.path().join("out").exists(), "{took:?}");
}

#[test]
fn a_command_that_starts_an_engine_anew_is_ended_with_the_run() {
    let engine = StandIn::start(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let script = format!("echo \"anew $ENDS_TOKEN\"\necho $$ >'{}/pid'\nexec sleep 1000\n", dir.path().display());
    let script = write(dir.path(), "a.sh", &script);
    let more = format!("cold_start: {{ restart: {{ a: [sh, \"{}\"] }} }}\n", script.display());
    write(dir.path(), "t.yaml", &scenario(&[openai("a", &engine.url)], "{ users: 1, requests: 2 }", &more));
    // A search has no cold starts: what a probe starts anew would end with the probe.
    let search =
        ["capacity", "t.yaml", "--slo", "latency.p95 <= 10s", "--by", "users", "--budget", "12s", "--allow-commands"];
    let more = ["--most", "1", "--start", "1", "--probe", "1s", "--out", "search"];
    let (code, _, err) = ask(dir.path(), &[&search[..], &more].concat());
    let probed = dir.path().join("search/probes/01-a-1").exists();
    assert!([0, 5].contains(&code) && probed && !dir.path().join("pid").exists(), "{code}: {err}");
    let mut run = loadcmp();
    run.current_dir(dir.path()).args(["run", "t.yaml", "--allow-commands", "--out", "out"]);
    run.env("ENDS_TOKEN", "ends-4711-token").stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = run.spawn().expect("a run");
    wait_for("the command", || number(&dir.path().join("pid")).is_some());
    let command = number(&dir.path().join("pid")).expect("a number");
    assert!(group(command) != group(child.id()));
    send(child.id(), Signal::TERM);
    let (output, _, err) = ended(child);
    assert_eq!(output.status.code(), Some(4), "{err}");
    wait_for("the command's end", || !runs(command));
    assert_eq!(std::fs::read_to_string(dir.path().join("out/engines/a.restart.log")).expect("a log"), "anew ***\n");
    let report = std::fs::read_to_string(dir.path().join("out/report.md")).expect("a report");
    assert!(report.contains("Unfinished: interrupted; nothing was measured."), "{report}");
}

#[test]
fn report_exits_as_the_run_did_where_a_target_refused() {
    let (url, _) = engine(0, true);
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "t.yaml", &scenario(&[openai("a", &url)], "{ users: 1, requests: 2 }", ""));
    let (answers, _) = engine(usize::MAX, false);
    let two = [openai("a", &url), openai("b", &answers)];
    write(dir.path(), "i.yaml", &scenario(&two, "{ users: 1, requests: 2 }", "interference: true\n"));
    let sweep = ["run", "t.yaml", "--sweep", "load.closed.users=1,2"];
    let capacity = ["capacity", "t.yaml", "--slo", "latency.p95 <= 1s"];
    for (args, out) in
        [(&["run", "t.yaml"][..], "one"), (&["run", "i.yaml"], "two"), (&sweep, "sweep"), (&capacity, "search")]
    {
        let (code, _, err) = ask(dir.path(), &[args, &["--out", out]].concat());
        assert!(code == 3 && err.contains("not today"), "{args:?}: {code}: {err}");
        let (code, _, err) = ask(dir.path(), &["report", out]);
        assert!(code == 3, "{args:?}: {code}: {err}");
    }
    let told = std::fs::read_to_string(dir.path().join("one/report.md")).expect("a report");
    assert!(told.contains("failed on the first request (http\\_status): not today; nothing was measured."), "{told}");
}

#[test]
fn the_first_process_of_a_container_hears_signals_too() {
    let inside = ["--pid", "--fork", "--mount-proc"];
    if !Command::new("unshare").args(inside).arg("true").stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
        eprintln!("skipped: this machine lets nobody make a namespace of processes (unshare --pid)");
        return;
    }
    let engine = StandIn::start(&["--first-token-ms", "300"]);
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "t.yaml", &scenario(&[openai("a", &engine.url)], "{ users: 1, duration: 10m }", ""));
    let first_process = |args: &[&str]| {
        let plain = loadcmp();
        let mut command = Command::new("unshare");
        command.args(inside).arg(plain.get_program()).args(args).current_dir(dir.path());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a run")
    };
    let child_of = |parent: u32| {
        let mut child = None;
        wait_for("the first process", || {
            let told = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
            child = told.split_whitespace().next().and_then(|pid| pid.parse().ok());
            child.is_some()
        });
        child.expect("a number")
    };
    let run = first_process(&["run", "t.yaml", "--out", "out"]);
    wait_for("rows", || lines(&dir.path().join("out/samples.csv")) > 4);
    send(child_of(run.id()), Signal::TERM);
    let (output, _, err) = ended(run);
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(err.contains("draining") && dir.path().join("out/report.html").exists(), "{err}");
    // A stand-in that somebody serves in one.
    let mut serve = first_process(&["serve", "--listen", "127.0.0.1:0"]);
    let mut line = String::new();
    let mut said = std::io::BufReader::new(serve.stderr.take().expect("its standard error"));
    std::io::BufRead::read_line(&mut said, &mut line).expect("a line");
    send(child_of(serve.id()), Signal::TERM);
    assert_eq!(serve.wait().expect("its end").code(), Some(0), "{line}");
}
