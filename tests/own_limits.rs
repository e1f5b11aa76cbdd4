//! What this process may have of the machine, and what it takes: open files, memory, certificates. None of it may be told as an
//! engine's failure.
#![cfg(target_os = "linux")]

use crate::cli::{json, loadcmp, rows, text, write};
use crate::raw::{Do, Raw};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn scenario(dir: &Path, targets: &[String], workload: &str, rest: &str) {
    let text = format!("name: t\ntask: generate\ntargets:\n{}workload: {{ {workload} }}\n{rest}", targets.concat());
    write(dir, "t.yaml", &text);
}

const FEW: &str = "prompts: { synthetic: { count: 8, words: { fixed: 5 } } }";

/// The program in `dir`, started by a shell that has done something first.
fn shell(dir: &Path, first: &str, args: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_loadcmp");
    let mut command = Command::new("sh");
    command.current_dir(dir).args(["-c", &format!("{first} exec {program} {args}")]);
    command.env("NO_COLOR", "1").env("LOADCMP_CALIBRATION", "/nowhere/calibration.json").stdin(Stdio::null());
    command.output().expect("a shell")
}

#[test]
fn a_load_that_needs_more_open_files_than_there_may_be_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let servers = [Raw::start(|_, _| Do::Answer(ms(1))), Raw::start(|_, _| Do::Answer(ms(1)))];
    let targets = [servers[0].target("a"), servers[1].target("b")];
    let load = "load: { closed: { users: 100, requests: 100 } }\nreference: b\n";
    scenario(dir.path(), &targets, FEW, load);
    for what in ["check t.yaml", "run t.yaml --out out"] {
        let output = shell(dir.path(), "ulimit -Sn 100; ulimit -Hn 200;", what);
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{out}{err}");
        assert!(
            err.contains("264 open files")
                && err.contains("limit of this process is 200")
                && err.contains("ulimit -n 264"),
            "{err}"
        );
    }
    assert_eq!(servers[0].seen(|seen| seen.posts.len()), 0, "nothing was asked");
    // The soft limit alone refuses nothing: it is raised.
    let output = shell(dir.path(), "ulimit -Sn 100; ulimit -Hn 300;", "run t.yaml --out out");
    let (out, err) = text(&output);
    assert!(matches!(output.status.code(), Some(0 | 4)), "{out}{err}");
    let failed = rows(&dir.path().join("out/samples.csv")).iter().filter(|row| row["outcome"] != "ok").count();
    assert_eq!(failed, 0, "{out}{err}");
}

#[test]
fn files_that_run_out_in_mid_run_are_ours_and_make_the_run_invalid() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let dir = tempfile::tempdir().expect("a directory");
    // Every request needs a new connection.
    let server = Raw::start(|_, _| Do::AnswerAndClose(ms(10), ms(0)));
    scenario(dir.path(), &[server.target("a")], FEW, "load: { closed: { users: 2, duration: 3s, warmup: 0s } }\n");
    let child = loadcmp()
        .current_dir(dir.path())
        .args(["run", "t.yaml", "--out", "out", "--driver", "native"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let began = Instant::now();
    while server.seen(|seen| seen.posts.len()) < 10 {
        assert!(began.elapsed() < Duration::from_secs(60), "no load came");
        std::thread::sleep(ms(5));
    }
    let pid = Pid::from_raw(child.id() as i32).expect("a number");
    let few = Rlimit { current: Some(3), maximum: Some(4096) };
    prlimit(Some(pid), Resource::Nofile, few).expect("a lower limit");
    std::thread::sleep(ms(1000));
    // Its files have to be written.
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(4096), maximum: Some(4096) })
        .expect("the limit as it was");
    let output = child.wait_with_output().expect("its end");
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(4), "{out}{err}");
    let all = rows(&dir.path().join("out/samples.csv"));
    let unsent: Vec<_> = all.iter().filter(|row| row["outcome"] == "unsent").collect();
    assert!(!unsent.is_empty(), "{out}{err}");
    for row in &unsent {
        assert!(row["error"].starts_with("loadcmp's own limit: ") && row["error"].contains("open files"), "{row:?}");
        assert_eq!((row["sent_us"].as_str(), row["end_us"].as_str()), ("", ""));
    }
    // A user who can't send doesn't try at full speed.
    assert!(unsent.len() < 60, "{}", unsent.len());
    // On a busy machine a connection's death may be noticed late, and is then the engine's; the limit never is.
    let blamed = |row: &&crate::cli::Row| row["outcome"] != "unsent" && row["error"].contains("open files");
    assert!(!all.iter().any(|row| blamed(&row)), "{out}{err}");
    let report = json(&dir.path().join("out/report.json"));
    let findings = report["findings"].as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["id"] == "own-limits").expect("the rule");
    assert_eq!(found["severity"], "invalid");
    assert!(findings.iter().all(|finding| finding["id"] != "error-rate" && finding["id"] != "unsent-requests"));
    assert!(out.contains("open files") || err.contains("open files"), "{out}{err}");
}

/// The most memory of a run, in MiB, and its exit code.
fn memory_of(dir: &Path, args: &[&str]) -> (u64, i32, String) {
    let mut child = loadcmp()
        .current_dir(dir)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::from(std::fs::File::create(dir.join("err")).expect("a file")))
        .spawn()
        .expect("the program");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let code = loop {
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let peak =
            told.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok());
        most = most.max(peak.unwrap_or(0_u64) / 1024);
        if let Some(ended) = child.try_wait().expect("its state") {
            break ended.code().unwrap_or(-1);
        }
        std::thread::sleep(ms(5));
    };
    (most, code, std::fs::read_to_string(dir.join("err")).unwrap_or_default())
}

#[test]
fn bodies_with_a_long_system_message_are_not_all_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let servers = [Raw::start(|_, _| Do::Answer(ms(1))), Raw::start(|_, _| Do::Answer(ms(1)))];
    let targets = [servers[0].target("a"), servers[1].target("b")];
    // 2,000 prompts of 200 kB each, for two targets: 800 MB, if they were kept.
    let system = "all work and no play ".repeat(10_000);
    let workload = format!("system: \"{system}\", prompts: {{ synthetic: {{ count: 2000, words: {{ fixed: 5 }} }} }}");
    scenario(dir.path(), &targets, &workload, "load: { closed: { users: 2, requests: 40 } }\nreference: b\n");
    let (most, code, err) = memory_of(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert!(matches!(code, 0 | 4), "{err}");
    assert!(most < 300, "{most} MiB\n{err}");
    servers[0].seen(|seen| assert!(seen.posts.iter().all(|post| post.body.len() > 200_000)));
}

#[test]
fn control_calls_and_runs_need_no_certificates() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = crate::cli::StandIn::start(&["--first-token-ms", "1"]);
    let target = |name: &str| format!("  {name}: {{ ollama: {{ url: \"{}\" }} }}\n", engine.url);
    let targets = [target("a"), target("b")];
    scenario(
        dir.path(),
        &targets,
        FEW,
        "load: { closed: { users: 2, requests: 40, warmup: 0s } }\nreference: b\nallow_same_endpoint: true\n",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_loadcmp"))
        .env_clear()
        .env("SSL_CERT_FILE", "/nowhere/certs.pem")
        .env("SSL_CERT_DIR", "/nowhere/certs")
        .current_dir(dir.path())
        .args(["run", "t.yaml", "--out", "out"])
        .stdin(Stdio::null())
        .output()
        .expect("the program");
    let (out, err) = text(&output);
    assert!(!err.contains("builder error") && !err.contains("HTTP client"), "{err}");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{out}{err}");
    assert_eq!(rows(&dir.path().join("out/samples.csv")).iter().filter(|row| row["outcome"] == "ok").count(), 82);
}
