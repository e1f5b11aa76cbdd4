//! Users that have nothing to do cost nothing: those who wait for an answer, and those who are done.

#![cfg(target_os = "linux")]

use crate::cli::{StandIn, loadcmp, write};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Seconds of processor time that a process has used; the kernel counts them in hundredths.
fn cpu_s(pid: u32) -> f64 {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let fields: Vec<f64> = line
        .rsplit(')')
        .next()
        .expect("its fields")
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    (fields[11] + fields[12]) / 100.0
}

/// Rows of `a`, the one before the load included.
fn answered(path: &std::path::Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().filter(|line| line.starts_with("a,")).count())
}

#[test]
fn two_thousand_users_that_wait_or_are_done_cost_no_core() {
    let drivers: &[&str] = if cfg!(feature = "goose") { &["native", "goose"] } else { &["native"] };
    // A thousand users who are done soon, and a thousand who stand in line for a hundred seconds.
    for driver in drivers {
        let a = StandIn::start(&["--first-token-ms", "1", "--slots", "16", "--queue", "2000"]);
        let b = StandIn::start(&["--first-token-ms", "100", "--slots", "1", "--queue", "2000"]);
        let dir = tempfile::tempdir().expect("a directory");
        let yaml = format!(
            "name: t\ntask: generate\ntargets:\n  a: {{ ollama: {{ url: \"{}\" }} }}\n  b: {{ ollama: {{ url: \"{}\" }} }}\n\
             workload: {{ prompts: {{ inline: [ {{ text: one }} ] }}, sampling: {{ max_tokens: 1 }} }}\n\
             load: {{ closed: {{ users: 1000, requests: 1000 }} }}\ntimeout: 5m\n",
            a.url, b.url
        );
        let path = write(dir.path(), "t.yaml", &yaml);
        let out = dir.path().join("out");
        let mut command = loadcmp();
        command.arg("run").arg(path).args(["--quiet", "--driver", driver, "--out"]).arg(&out);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a run");
        let begun = Instant::now();
        while answered(&out.join("samples.csv")) < 1001 {
            assert!(begun.elapsed() < Duration::from_secs(120), "{driver}: not all of `a` were answered");
            std::thread::sleep(Duration::from_millis(100));
        }
        // What came with the start is over by then.
        std::thread::sleep(Duration::from_secs(2));
        let before = cpu_s(child.id());
        std::thread::sleep(Duration::from_secs(4));
        let used = cpu_s(child.id()) - before;
        assert!(child.try_wait().expect("a child").is_none(), "{driver}: `b` was to be waited for");
        child.kill().expect("an end");
        child.wait().expect("an end");
        println!("{driver}: {:.3} of a core", used / 4.0);
        assert!(used / 4.0 < 0.25, "{driver}: {} of a core", used / 4.0);
    }
}
