//! `loadcmp calibrate` through the front door: what it measures, where it keeps it, and what runs make of it.

use crate::cli::{StandIn, loadcmp, text, write};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Output;

fn told(output: &Output, code: i32) -> (String, String) {
    let (out, err) = text(output);
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

fn calibrate(file: &Path, args: &[&str]) -> Output {
    loadcmp().arg("calibrate").args(args).env("LOADCMP_CALIBRATION", file).output().expect("the program")
}

/// Runs a short scenario over two wires with that calibration, and gives the manifest and standard error.
fn run(dir: &Path, out: &str, file: &Path, args: &[&str]) -> (Value, String) {
    let engine = StandIn::start(&[]);
    let url = &engine.url;
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  a: {{ openai: {{ url: \"{url}\" }} }}\n  b: {{ ollama: {{ url: \"{url}\" }} }}\n\
         workload: {{ prompts: {{ inline: [ {{ text: one }} ] }}, stream: false, sampling: {{ max_tokens: 2 }} }}\n\
         load: {{ closed: {{ users: 1, requests: 3 }} }}\nallow_same_endpoint: true\n"
    );
    let path = write(dir, "t.yaml", &yaml);
    let mut command = loadcmp();
    command.arg("run").arg(path).arg("--out").arg(dir.join(out)).args(args).env("LOADCMP_CALIBRATION", file);
    let (_, err) = told(&command.output().expect("a run"), 0);
    let manifest = std::fs::read(dir.join(out).join("manifest.json")).expect("a manifest");
    (serde_json::from_slice(&manifest).expect("JSON"), err)
}

/// What is in a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    dir.read_dir().map(|all| all.map(|file| file.expect("a file").path()).collect()).unwrap_or_default()
}

fn sane(kept: &Value) {
    let wires = kept["wires"].as_array().expect("wires");
    let names: Vec<&str> = wires.iter().map(|wire| wire["floor"]["wire"].as_str().expect("a name")).collect();
    // Each for whole answers and streams (GG-CORE's have no times); HTTP with and without TLS, JSON over local sockets, too.
    for (name, expected) in [("ollama", 4), ("openai", 4), ("json", 6), ("gg_core", 1)] {
        assert_eq!(names.iter().filter(|n| **n == name).count(), expected, "{names:?}");
    }
    for wire in wires {
        let floor = &wire["floor"];
        let figure = |name: &str| floor[name].as_f64().unwrap_or_else(|| panic!("{name}: {wire}"));
        let (p50, p95, p99) = (figure("response_p50_us"), figure("response_p95_us"), figure("response_p99_us"));
        assert!(0.0 < p50 && p50 <= p95 && p95 <= p99, "{wire}");
        assert!((figure("spread_us") - (p99 - p50)).abs() < 1e-6 && figure("between_us") >= 0.0, "{wire}");
        assert!(figure("requests") >= 5.0, "{wire}");
        if cfg!(unix) {
            // A request takes two system calls at least, each of the better part of a microsecond; and one user has a core at
            // most, however much others keep it from it.
            let cpu = figure("cpu_per_request_us");
            assert!(cpu > 2.0 && cpu < 20.0 * p99, "{wire}");
        }
        if floor["transport"] == "tls" {
            // Its floor alone.
            assert!(wire["highest"].is_null() && wire["streams"].is_null(), "{wire}");
        } else if floor["stream"] == true {
            assert!(0.0 < figure("ttft_p50_us"), "{wire}");
            assert!(wire["streams"]["at_once"].is_u64() && wire["highest"].is_null(), "{wire}");
        } else {
            let highest = &wire["highest"];
            // What share of the machine it had in that moment nobody knows: requests were answered, and no more than a core
            // could send.
            assert!(highest["requests_per_s"].as_f64().is_some_and(|rate| (1.0..1e6).contains(&rate)), "{wire}");
            assert!(floor["ttft_p50_us"].is_null() && wire["streams"].is_null(), "{wire}");
        }
    }
}

#[test]
fn a_calibration_is_kept_shown_and_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("state/loadcmp/kept.json");
    let (out, err) = told(&calibrate(&file, &["--quick"]), 0);
    assert!(out.contains("gg_core") || !cfg!(unix), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert!(err.contains("kept.json"), "{err}");
    assert_eq!(
        files(file.parent().expect("a folder")),
        std::slice::from_ref(&file),
        "and nothing half-written beside it"
    );
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
    sane(&kept);

    let (shown, _) = told(&calibrate(&file, &["--show"]), 0);
    assert_eq!(shown, out);
    let (as_json, err) = told(&calibrate(&file, &["--show", "--format", "json", "--quiet"]), 0);
    assert_eq!(serde_json::from_str::<Value>(&as_json).expect("JSON"), kept);
    assert!(err.is_empty(), "{err}");

    let (manifest, err) = run(dir.path(), "own", &file, &[]);
    let floors = manifest["floors"].as_array().expect("floors");
    let of = |at: usize| (&floors[at]["wire"], &floors[at]["stream"], &floors[at]["transport"]);
    assert_eq!(
        (floors.len(), of(0), of(1)),
        (2, (&json!("openai"), &json!(false), &json!("tcp")), (&json!("ollama"), &json!(false), &json!("tcp")))
    );
    assert!(floors.iter().all(|floor| floor["response_p50_us"].as_f64().is_some_and(|us| us > 0.0)), "{floors:?}");
    assert!(!err.contains("calibrat"), "{err}");

    // The same file, from another machine and from another version.
    for (change, part) in [
        ("/machine/cpu", "another CPU"),
        ("/tool", "another version of loadcmp"),
        ("/machine/kernel", "another kernel"),
    ] {
        let mut foreign = kept.clone();
        *foreign.pointer_mut(change).expect("a field") = json!("0 of elsewhere");
        let path = write(dir.path(), "foreign.json", &foreign.to_string());
        let (manifest, err) = run(dir.path(), &format!("foreign{}", part.replace(' ', "-")), &path, &[]);
        assert_eq!(manifest["floors"], json!([null, null]));
        let said = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("is not used") && said.contains(part), "{err}");
        assert!(told(&calibrate(&path, &["--show"]), 0).1.contains("don't use"));
    }
}

#[test]
fn without_a_calibration_there_is_a_hint_and_no_floor() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("none.json");
    let (manifest, err) = run(dir.path(), "loud", &file, &[]);
    assert_eq!(manifest["floors"], json!([null, null]));
    assert_eq!(err.matches("loadcmp calibrate").count(), 1, "{err}");
    let (_, err) = run(dir.path(), "quiet", &file, &["--quiet"]);
    assert!(err.is_empty(), "{err}");
    let (_, err) = told(&calibrate(&file, &["--show"]), 2);
    assert!(err.contains("no calibration in") && err.contains("none.json"), "{err}");
}

#[test]
fn what_is_broken_or_unwritable_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let broken = write(dir.path(), "broken.json", "{\"schema_version\": 1, \"too");
    let (manifest, err) = run(dir.path(), "out", &broken, &[]);
    assert_eq!(manifest["floors"], json!([null, null]));
    assert!(err.contains("can't be used") && err.contains("broken.json"), "{err}");
    let (_, err) = told(&calibrate(&broken, &["--show"]), 70);
    assert!(err.contains("broken.json") && err.contains("loadcmp calibrate"), "{err}");
    for (at, bytes) in
        ["", "[]", "\0\u{1}", "{\"schema_version\": 2}", "{\"schema_version\": 1, \"wires\": 3}"].iter().enumerate()
    {
        let (manifest, err) = run(dir.path(), &format!("out{at}"), &write(dir.path(), "odd.json", bytes), &[]);
        assert_eq!(manifest["floors"], json!([null, null]), "{bytes:?}");
        assert!(err.contains("can't be used") && err.contains("odd.json"), "{bytes:?}: {err}");
    }

    // A file where a folder should be: told before the measuring, not after.
    let began = std::time::Instant::now();
    let (out, err) = told(&calibrate(&broken.join("x/c.json"), &[]), 70);
    assert!(out.is_empty() && err.contains("can't be saved") && err.contains("LOADCMP_CALIBRATION"), "{err}");
    let (_, err) = told(&calibrate(dir.path(), &[]), 70);
    assert!(err.contains("it is a directory"), "{err}");
    assert!(began.elapsed().as_secs() < 20, "it measured first");
    told(&calibrate(&broken, &["--show", "--quick"]), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn it_is_kept_where_the_system_keeps_state() {
    let dir = tempfile::tempdir().expect("a directory");
    for (state, home, expected) in [
        ("/nowhere/state", "/nowhere/home", "/nowhere/state/loadcmp/calibration.json"),
        ("", "/nowhere/home", "/nowhere/home/.local/state/loadcmp/calibration.json"),
        ("not/absolute", "/nowhere/home", "/nowhere/home/.local/state/loadcmp/calibration.json"),
        ("", "", "LOADCMP_CALIBRATION=FILE"),
    ] {
        let mut command = loadcmp();
        command.args(["calibrate", "--show"]).current_dir(dir.path()).env_remove("LOADCMP_CALIBRATION");
        let (_, err) = told(&command.env("XDG_STATE_HOME", state).env("HOME", home).output().expect("the program"), 2);
        assert!(err.contains(expected), "{err}");
    }
}

#[cfg(unix)]
#[test]
fn interrupted_it_keeps_nothing() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("kept.json");
    let mut child = loadcmp()
        .arg("calibrate")
        .env("LOADCMP_CALIBRATION", &file)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program");
    let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
    assert!(lines.next().expect("a line").expect("text").contains("floors"));
    std::thread::sleep(std::time::Duration::from_millis(500));
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(kill.success());
    assert_eq!(child.wait().expect("an end").code(), Some(4));
    assert!(lines.map_while(Result::ok).any(|line| line.contains("nothing was saved")));
    assert!(files(dir.path()).is_empty(), "{:?}", files(dir.path()));
}
