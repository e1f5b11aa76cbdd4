//! Cold starts of engines whose time to load is known: by request, and by a command.
#![cfg(unix)]

use crate::cli::{Row, StandIn, ask, loadcmp, rows, write};
use std::path::Path;
use std::process::Command;

fn yaml(targets: &str, more: &str) -> String {
    format!(
        "name: t\ntask: generate\ntargets:\n{targets}reference: b\nallow_same_endpoint: true\n\
         workload: {{ prompts: {{ inline: [{{ text: one two three }}] }}, sampling: {{ max_tokens: 4 }} }}\n\
         cold_start: {more}\nload: {{ closed: {{ users: 1, requests: 5 }} }}\n"
    )
}

fn run(dir: &Path, more: &[&str]) -> (i32, String, String) {
    ask(dir, &[&["run", "t.yaml", "--full", "--out", "out"], more].concat())
}

fn row(dir: &Path, target: &str, metric: &str) -> Option<Row> {
    let all = rows(&dir.join("out/summary.csv"));
    all.into_iter().find(|row| row["target"].starts_with(target) && row["metric"] == metric)
}

fn ms(row: &Row, column: &str) -> f64 {
    row[column].parse::<f64>().unwrap_or_else(|_| panic!("{column} of {row:?}")) / 1e3
}

#[test]
fn a_model_is_let_go_by_request_as_often_as_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (
        StandIn::start(&["--load-ms", "60", "--first-token-ms", "15"]),
        StandIn::start(&["--load-ms", "150", "--first-token-ms", "15"]),
    );
    let targets = format!(
        "  a: {{ ollama: {{ url: \"{}\" }} }}\n  b: {{ ollama: {{ url: \"{}\" }} }}\n  c: {{ openai: {{ url: \"{}\" }} }}\n",
        a.url, b.url, a.url
    );
    write(dir.path(), "t.yaml", &yaml(&targets, "{ repeats: 6 }"));
    let (code, table, err) = run(dir.path(), &[]);
    assert_eq!(code, 0, "{err}");
    assert!(table.contains("cold start p50") && table.contains("  ready"), "{table}");
    for (target, load) in [("a", 60.0), ("b", 150.0)] {
        let told = |metric: &str| row(dir.path(), target, metric).unwrap_or_else(|| panic!("{metric}: {err}"));
        let (ready, first, answer) = (told("cold_ready"), told("cold_first_token"), told("cold_answer"));
        assert_eq!([&ready["n"], &first["n"], &answer["n"]], ["6", "6", "6"], "{target}");
        // What was declared, and on a busy machine more: milliseconds all the same.
        assert!(ms(&ready, "min") >= load - 1.0 && ms(&ready, "p50") < load + 1000.0, "{ready:?}");
        assert!(ms(&first, "min") >= load + 14.0 && ms(&first, "p50") < load + 1000.0, "{first:?}");
        assert!(ms(&answer, "min") >= ms(&first, "min"), "{answer:?}");
    }
    // What can't be asked for is told, and has no rows.
    let words = err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("no cold start of `c`: it can't unload its model on request"), "{err}");
    assert!(row(dir.path(), "c", "cold_ready").is_none());
    let samples = rows(&dir.path().join("out/samples.csv"));
    let of =
        |target: &str, phase: &str| samples.iter().filter(|r| r["target"] == target && r["phase"] == phase).count();
    assert_eq!([of("a", "cold"), of("b", "cold"), of("c", "cold")], [7, 7, 1], "one before, and each of the six");
    assert_eq!(of("a", "measure"), 5);

    // Told again from the directory, they are the same.
    let kept = std::fs::read(dir.path().join("out/summary.csv")).expect("a file");
    let again = loadcmp().current_dir(dir.path()).args(["report", "out"]).output().expect("a report");
    assert!(again.status.success());
    assert_eq!(std::fs::read(dir.path().join("out/summary.csv")).expect("a file"), kept);
}

/// An engine that a script starts anew at one port; ended when this is dropped.
struct Restarted<'a>(&'a Path);

impl Restarted<'_> {
    fn port() -> u16 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        free.local_addr().expect("its address").port()
    }
}

impl Drop for Restarted<'_> {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.0.join("pid")) {
            let _ = Command::new("kill").arg(pid.trim()).status();
        }
    }
}

#[test]
fn a_command_starts_an_engine_anew_where_the_command_line_allows_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let port = Restarted::port();
    let script = format!(
        "cd '{}'\n[ -f pid ] && kill \"$(cat pid)\"\nsleep 0.2\n'{}' serve --listen 127.0.0.1:{port} >log 2>&1 &\necho $! >pid\n",
        dir.path().display(),
        env!("CARGO_BIN_EXE_loadcmp")
    );
    let path = write(dir.path(), "start.sh", &script);
    let started = Restarted(dir.path());
    assert!(Command::new("sh").arg(&path).status().expect("a shell").success());
    let b = StandIn::start(&[]);
    let targets =
        format!("  a: {{ openai: {{ url: \"127.0.0.1:{port}\" }} }}\n  b: {{ ollama: {{ url: \"{}\" }} }}\n", b.url);
    let restart = format!("{{ repeats: 2, restart: {{ a: [sh, \"{}\"] }} }}", path.display());
    write(dir.path(), "t.yaml", &yaml(&targets, &restart));
    let up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    for _ in 0..200 {
        if up() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Nobody runs a stranger's commands by reading a benchmark of his.
    let (code, _, err) = run(dir.path(), &[]);
    assert!(code == 2 && err.contains("read them, then allow them with --allow-commands"), "{err}");
    let (code, _, err) = run(dir.path(), &["--allow-commands"]);
    assert_eq!(code, 0, "{err}");
    let ready = row(dir.path(), "a", "cold_ready").unwrap_or_else(|| panic!("{err}"));
    // From the command on: it sleeps for 200 ms.
    assert!(ready["n"] == "2" && ms(&ready, "min") > 200.0 && ms(&ready, "max") < 10_000.0, "{ready:?}");
    let first = row(dir.path(), "a", "cold_first_token").expect("a row");
    assert!(ms(&first, "min") > ms(&ready, "min"), "{first:?}");

    // A command that fails is told, and the run goes on without.
    write(dir.path(), "t.yaml", &yaml(&targets, "{ restart: { a: [sh, -c, exit 3] } }"));
    std::fs::remove_dir_all(dir.path().join("out")).expect("gone");
    let (code, _, err) = run(dir.path(), &["--allow-commands"]);
    let words = err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 0 && words.contains("no cold start of `a`: `sh` ended with exit status: 3"), "{err}");
    assert!(row(dir.path(), "a", "cold_ready").is_none());
    drop(started);
}

#[test]
fn variants_have_servers_of_their_own_that_a_run_starts_and_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let ports = [Restarted::port(), Restarted::port()];
    let program = env!("CARGO_BIN_EXE_loadcmp");
    let yaml = |second: &str| {
        format!(
            "name: t\ntask: generate\ntargets:\n  a: {{ ollama: {{}} }}\nvariants:\n  a:\n    \
             slow: {{ ollama.url: \"127.0.0.1:{0}\" }}\n    fast: {{ ollama.url: \"127.0.0.1:{1}\" }}\nreference: a-slow\norder: isolated\n\
             start:\n  a-slow: [\"{program}\", serve, --listen, \"127.0.0.1:{0}\", --first-token-ms, \"40\"]\n  \
             a-fast: {second}\n\
             workload: {{ prompts: {{ inline: [{{ text: one two }}] }}, sampling: {{ max_tokens: 3 }} }}\n\
             load: {{ closed: {{ users: 1, requests: 12 }} }}\n",
            ports[0], ports[1]
        )
    };
    let fast = format!("[\"{program}\", serve, --listen, \"127.0.0.1:{}\", --first-token-ms, \"5\"]", ports[1]);
    write(dir.path(), "t.yaml", &yaml(&fast));
    let up = |port: u16| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let (code, _, err) = run(dir.path(), &[]);
    assert!(code == 2 && err.contains("(`start`)") && err.contains("--allow-commands"), "{err}");
    assert!(!up(ports[0]) && !dir.path().join("out").exists());
    let (code, table, err) = run(dir.path(), &["--allow-commands"]);
    assert_eq!(code, 0, "{err}");
    assert!(table.contains("a-fast (stand-in)") && !up(ports[0]) && !up(ports[1]), "{table}");
    let latency = |target: &str| ms(&row(dir.path(), target, "latency").expect("a row"), "min");
    assert!(latency("a-slow") >= 39.0 && latency("a-fast") < 39.0);
    // One that ends at once tells why in its own words, and the other isn't left behind.
    std::fs::remove_dir_all(dir.path().join("out")).expect("gone");
    write(dir.path(), "t.yaml", &yaml("[sh, -c, \"echo no such model >&2; exit 7\"]"));
    let (code, _, err) = run(dir.path(), &["--allow-commands"]);
    assert!(code == 3 && err.contains("`a-fast`: its command ended with exit status: 7:\n  no such model"), "{err}");
    assert!(!up(ports[0]) && !dir.path().join("out").exists());
    // Nor is somebody else's engine taken for one that was started.
    let other = StandIn::start(&["--first-token-ms", "1"]);
    let taken = yaml(&fast).replace(&format!("url: \"127.0.0.1:{}\"", ports[0]), &format!("url: \"{}\"", other.url));
    write(dir.path(), "t.yaml", &taken);
    let (code, _, err) = run(dir.path(), &["--allow-commands"]);
    assert!(code == 3 && err.contains("something already answers there"), "{err}");
}
