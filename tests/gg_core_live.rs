//! GG-CORE's wire as people run it: the environment, busy servers, sockets of others, its own count, suites.

use crate::cli::{Row, StandIn, ask, json, loadcmp, rows, text, write};
use crate::gg_core::{Do, GgCore, healthy};
use std::path::Path;

fn scenario(target: &str, workload: &str, load: &str) -> String {
    format!(
        "name: t\ntask: generate\ntargets:\n  g: {{ gg_core: {{ {target} }} }}\nworkload: {{ prompts: {{ inline: [ {{ text: Say \
         hello. }}, {{ text: Name a river. }} ] }}, {workload} }}\nload: {{ closed: {load} }}\ntimeout: 10s\ndrain: 2s\n"
    )
}

const WHOLE: &str = "stream: false, sampling: { max_tokens: 4 }";

/// A run of a scenario in `dir`; its exit code, and all that it said.
fn run(dir: &Path, yaml: &str, variables: &[(&str, &str)], more: &[&str]) -> (i32, String) {
    write(dir, "t.yaml", yaml);
    let _ = std::fs::remove_dir_all(dir.join("out"));
    let mut command = loadcmp();
    command
        .current_dir(dir)
        .args(["run", "t.yaml", "--full", "--out", "out"])
        .args(more)
        .envs(variables.iter().copied());
    let output = command.output().expect("a run");
    let (out, err) = text(&output);
    (output.status.code().unwrap_or(-1), format!("{out}{err}"))
}

fn measured(dir: &Path) -> Vec<Row> {
    let mut told = rows(&dir.join("out/samples.csv"));
    told.retain(|row| row["phase"] == "measure");
    told
}

fn finding(dir: &Path, id: &str) -> Option<String> {
    let report = json(&dir.join("out/report.json"));
    let all = report["findings"].as_array().expect("findings").clone();
    all.iter().find(|finding| finding["id"] == id).map(|finding| finding["sentence"].as_str().expect("text").to_owned())
}

#[test]
fn every_user_shakes_hands_before_the_load() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("gg.sock").display().to_string();
    // While it makes an answer of half a second it reads nobody new.
    let _engine = StandIn::start(&["--socket", &socket, "--gg-faithful", "--first-token-ms", "500"]);
    let yaml = scenario(&format!("socket: \"{socket}\""), WHOLE, "{ users: 4, requests: 6 }");
    let (code, said) = run(dir.path(), &yaml, &[], &[]);
    assert_eq!(code, 0, "{said}");
    let told = measured(dir.path());
    assert!(told.len() == 6 && told.iter().all(|row| row["outcome"] == "ok"), "{told:?}");
    // None of them had to connect when it was due.
    assert!(told.iter().all(|row| row["connect_us"].is_empty()), "{told:?}");
    assert!(said.contains("doesn't report its limits") || !said.contains("`context`"), "{said}");
}

#[test]
fn a_server_that_stops_shaking_hands_is_busy_and_is_not_waited_for_for_ever() {
    // Discovery, the first request, the user; from then on it takes connections and says nothing.
    let server = GgCore::start(|kind, before, _| match kind {
        "handshake" if before >= 3 => Do::Silence,
        kind => healthy(kind),
    });
    let dir = tempfile::tempdir().expect("a directory");
    let target = format!("socket: \"{}\", session_requests: 2", server.at());
    let workload = WHOLE.replace("max_tokens: 4", "max_tokens: 16");
    let yaml = scenario(&target, &workload, "{ users: 1, requests: 3 }").replace("10s", "1s");
    let begun = std::time::Instant::now();
    let (_, said) = run(dir.path(), &yaml, &[], &[]);
    assert!(begun.elapsed().as_secs() < 60, "the renewal was waited for for ever");
    let told = measured(dir.path());
    let outcomes: Vec<&str> = told.iter().map(|row| row["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["ok", "ok", "timeout"], "{said}");
    assert!(told[2]["error"].contains("the server is busy"), "{}", told[2]["error"]);
}

#[test]
fn a_kick_names_a_model_that_is_not_there() {
    let server = GgCore::start(|kind, _, _| match kind {
        "inference_request" => Do::Late(std::time::Duration::from_millis(30), crate::gg_core::recorded("stream")),
        kind => healthy(kind),
    });
    let dir = tempfile::tempdir().expect("a directory");
    let workload = "stream: true, sampling: { max_tokens: 48 }";
    let yaml = scenario(&format!("socket: \"{}\"", server.at()), workload, "{ users: 1, requests: 4 }");
    let (code, said) = run(dir.path(), &yaml, &[], &[]);
    assert_eq!(code, 0, "{said}");
    let kicks = server.seen("warmup_request");
    let (own, others): (Vec<_>, Vec<_>) = kicks.iter().partition(|came| came.message["model_id"] == "smol");
    // Discovery proves the model; whatever wakes the worker asks it for nothing.
    assert!(own.len() == 1 && others.len() >= 5, "{} and {}", own.len(), others.len());
    let connections: std::collections::BTreeSet<usize> = others.iter().map(|came| came.connection).collect();
    assert_eq!(connections.len(), 1, "they go over one connection");
    assert!(said.contains("workload.stream=false"), "what to do is told: {said}");
}

#[test]
fn socket_and_token_come_from_the_environment_for_any_target() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("gg.sock").display().to_string();
    let _engine = StandIn::start_knowing("sesame-open", &["--socket", &socket]);
    let token = write(dir.path(), "token", "sesame-open\n").display().to_string();
    let yaml = scenario("socket: /nowhere.sock", WHOLE, "{ users: 1, requests: 2 }").replace("  g:", "  native:");
    let target = ["--target", "native=gg_core"];
    let at = ("GG_CORE_SOCKET_PATH", socket.as_str());
    for token in [("CORE_AUTH_TOKEN", "sesame-open"), ("CORE_AUTH_TOKEN_FILE", token.as_str())] {
        let (code, said) = run(dir.path(), &yaml, &[at, token], &target);
        assert_eq!((code, measured(dir.path()).len()), (0, 2), "{said}");
        for file in ["report.json", "manifest.json"] {
            let text = std::fs::read_to_string(dir.path().join("out").join(file)).expect("a file");
            assert!(!text.contains("sesame-open"), "{file} has the token");
        }
    }
    // The first by name of those that are ready generates nothing, and the token is proved by a look.
    let check = |variables: &[(&str, &str)]| {
        let mut command = loadcmp();
        command.current_dir(dir.path()).args(["check", "t.yaml"]).args(target).envs(variables.iter().copied());
        let output = command.output().expect("a check");
        (output.status.code(), text(&output).0 + &text(&output).1)
    };
    let (code, said) = check(&[at, ("CORE_AUTH_TOKEN", "another-one")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("Invalid handshake token") && said.contains("CORE_AUTH_TOKEN"), "{said}");
    assert!(!said.contains("another-one"), "{said}");
    let (code, said) = check(&[at, ("CORE_AUTH_TOKEN", "sesame-open")]);
    assert_eq!(code, Some(0), "{said}");
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("assumed, unless the target sets them: a context of 2048 tokens (`context`)"), "{said}");
    let (code, said) = check(&[at, ("CORE_AUTH_TOKEN_FILE", "/nowhere/token")]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`CORE_AUTH_TOKEN_FILE` names /nowhere/token, which can't be read"), "{said}");
    // An address that somebody gave is never replaced by a stand-in.
    let (code, said) = check(&[("GG_CORE_SOCKET_PATH", "/nowhere/gg.sock")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("no GG-CORE at unix:/nowhere/gg.sock"), "{said}");
}

#[test]
fn a_socket_that_is_not_its_own_is_told_from_one_that_is_not_there() {
    use std::io::{Read, Write};
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("http.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let file = write(dir.path(), "file.sock", "").display().to_string();
    let http = path.display().to_string();
    for (socket, words) in [
        (http.as_str(), "not GG-CORE: it sent `HTTP/1.1 400 Bad Request`"),
        (file.as_str(), "no GG-CORE at"),
        ("/nowhere/gg.sock", "No such file or directory"),
    ] {
        let yaml = scenario(&format!("socket: \"{socket}\""), WHOLE, "{ users: 1, requests: 1 }");
        write(dir.path(), "t.yaml", &yaml);
        let (code, out, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert!(code == 3 && err.contains(words), "{socket}: {out}{err}");
    }
}

#[test]
fn the_engines_own_count_is_a_second_ruler() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("gg.sock").display().to_string();
    let _engine = StandIn::start(&["--socket", &socket, "--first-token-ms", "2", "--gg-other-model", "aaa,bbb"]);
    let yaml = scenario(&format!("socket: \"{socket}\""), WHOLE, "{ users: 2, requests: 40 }");
    let (code, said) = run(dir.path(), &yaml, &[], &[]);
    assert_eq!(code, 0, "{said}");
    let counted = &json(&dir.path().join("out/report.json"))["plan"]["targets"][0]["facts"]["counted"];
    assert_eq!(counted["requests"], 40, "{counted}");
    assert!(counted["mean_ms"].as_f64().is_some_and(|ms| ms >= 2.0), "{counted}");
    assert_eq!((finding(dir.path(), "engine-count"), finding(dir.path(), "engine-mean")), (None, None));
    // The recorded one says the same number before and after: its answers are not its own.
    let server = GgCore::start(|kind, _, _| healthy(kind));
    let workload = WHOLE.replace("max_tokens: 4", "max_tokens: 16");
    let yaml = scenario(&format!("socket: \"{}\"", server.at()), &workload, "{ users: 1, requests: 3 }");
    let (_, said) = run(dir.path(), &yaml, &[], &[]);
    assert!(finding(dir.path(), "engine-count").is_some_and(|told| told.contains("0 answered requests")), "{said}");
}

#[test]
fn an_end_token_is_counted_as_ollama_counts_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("gg.sock").display().to_string();
    let _engine = StandIn::start(&["--socket", &socket, "--early-stop", "1"]);
    // The same draws, asked in the same order.
    let other = StandIn::start(&["--early-stop", "1"]);
    let yaml = scenario(
        &format!("socket: \"{socket}\""),
        "stream: false, sampling: { max_tokens: 30 }",
        "{ users: 1, requests: 6 }",
    );
    let ollama = format!("  o: {{ ollama: {{ url: \"{}\" }} }}\nworkload", other.url);
    let yaml = yaml.replacen("workload", &ollama, 1) + "allow_same_endpoint: true\n";
    let (code, said) = run(dir.path(), &yaml, &[], &[]);
    assert_eq!(code, 0, "{said}");
    let told = measured(dir.path());
    let of = |name: &str| -> Vec<(String, String, String)> {
        let mut all: Vec<_> = told
            .iter()
            .filter(|row| row["target"] == name)
            .map(|row| (row["index"].clone(), row["output_tokens"].clone(), row["finish"].clone()))
            .collect();
        all.sort();
        all
    };
    assert_eq!(of("g"), of("o"));
    assert!(of("g").iter().any(|(_, _, finish)| finish == "stop"), "{told:?}");
    assert!(said.contains("doesn't count the end token") || dir.path().join("out/report.json").is_file());
}

const SUITE: &str = "name: s\ntargets:\n  native: { openai: { url: \"http://127.0.0.1:9\" } }\nif_set:\n  \
                     GG_CORE_SOCKET_PATH: { targets.native: { gg_core: {} } }\nscenarios:\n  vectors: { file: embed.yaml }\n  \
                     texts: { file: generate.yaml, if_set: { GG_CORE_SOCKET_PATH: { workload.stream: false } } }\nchecks:\n  - { \
                     category: a, name: vectors, scenario: vectors, gate: native.errors == 0 }\n  - { category: a, name: texts, \
                     scenario: texts, gate: native.errors == 0 }\n";

/// Copies a folder's YAML files, and the data below it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &name);
        } else {
            std::fs::copy(&path, &name).expect("a copy");
        }
    }
}

/// A host's own wires, described by variables: its classification and its embeddings are measured on them.
#[test]
fn the_shipped_suite_speaks_a_hosts_own_json() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = StandIn::start(&["--first-token-ms", "2", "--decode-rate", "4000"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["suites", "scenarios"] {
        copy(&root.join(folder), &dir.path().join(folder));
    }
    // Its first two scenarios, and their checks.
    let path = dir.path().join("suites/gg-core.yaml");
    let whole = std::fs::read_to_string(&path).expect("the suite");
    let (scenarios, rest) = whole.split_once("  # The comparison plan").expect("the first scenarios");
    let (_, checks) = rest.split_once("\nchecks:\n").expect("the checks");
    let about = |line: &&str| line.contains("scenario: classify,") || line.contains("scenario: embed,");
    let checks: Vec<&str> = checks.lines().filter(about).collect();
    let cut = format!("{scenarios}\nchecks:\n{}\n", checks.join("\n"));
    let cut = cut.replace("requests: 540", "requests: 12").replace("requests: 600", "requests: 12").replace("3s", "0s");
    std::fs::write(&path, cut).expect("the suite");
    let mut command = loadcmp();
    command.current_dir(dir.path()).args(["suite", "run", "suites/gg-core.yaml", "--out", "out", "--judge-stand-ins"]);
    command.env("OLLAMA_HOST", &engine.url).envs([
        ("NATIVE_JSON_URL", engine.url.as_str()),
        ("NATIVE_JSON_PATH", "/api/generate"),
        ("NATIVE_JSON_BODY", r#"{ "model": "standin", "prompt": "{{prompt}}", "stream": false, "options": { "num_predict": "{{max_tokens}}" } }"#),
        ("NATIVE_JSON_TEXT", "/response"),
        ("NATIVE_JSON_EMBED_URL", engine.url.as_str()),
        ("NATIVE_JSON_EMBED_PATH", "/api/embed"),
        ("NATIVE_JSON_EMBED_BODY", r#"{ "model": "standin", "input": "{{prompt}}" }"#),
        ("NATIVE_JSON_EMBED_VECTOR", "/embeddings/0"),
    ]);
    let output = command.output().expect("a suite");
    let said = text(&output).0 + &text(&output).1;
    let told = json(&dir.path().join("out/suite.json"));
    for (at, name) in ["classify", "embed"].into_iter().enumerate() {
        let run = &told["scenarios"][at];
        assert_eq!((&run["name"], &run["state"]), (&name.into(), &"done".into()), "{said}");
        assert!(run["engines"].to_string().contains("native: json"), "{run}");
        let samples = rows(&dir.path().join("out").join(run["folder"].as_str().expect("a folder")).join("samples.csv"));
        let mine: Vec<&Row> =
            samples.iter().filter(|row| row["target"] == "native" && row["phase"] == "measure").collect();
        assert!(mine.len() == 12 && mine.iter().all(|row| ["ok", "unparsed"].contains(&&*row["outcome"])), "{mine:?}");
    }
}

/// The shipped suite itself, with GG-CORE's socket and fewer requests: what runs on it, and what can't, with its reason.
#[test]
fn the_shipped_suite_runs_on_the_socket() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("gg.sock").display().to_string();
    let engine =
        StandIn::start(&["--socket", &socket, "--first-token-ms", "2", "--decode-rate", "4000", "--slots", "4"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["suites", "scenarios"] {
        copy(&root.join(folder), &dir.path().join(folder));
    }
    let path = dir.path().join("suites/gg-core.yaml");
    let mut suite = std::fs::read_to_string(&path).expect("the suite");
    for requests in [540, 600, 500, 200, 120, 60] {
        suite = suite.replace(&format!("requests: {requests}"), "requests: 8");
    }
    for warmup in ["1s", "2s", "3s"] {
        suite = suite.replace(&format!("warmup: {warmup}"), "warmup: 0s");
    }
    std::fs::write(&path, suite).expect("the suite");
    let mut command = loadcmp();
    command.current_dir(dir.path()).args(["suite", "run", "suites/gg-core.yaml", "--out", "out", "--judge-stand-ins"]);
    command.env("GG_CORE_SOCKET_PATH", &socket).env("OLLAMA_HOST", &engine.url);
    let output = command.output().expect("a suite");
    let said = text(&output).0 + &text(&output).1;
    let told = json(&dir.path().join("out/suite.json"));
    let all = told["scenarios"].as_array().expect("its scenarios");
    let of = |state: &str| -> Vec<&str> {
        all.iter().filter(|run| run["state"] == state).filter_map(|run| run["name"].as_str()).collect()
    };
    let on_it = ["classify", "generate", "concurrency", "tokens100", "tokens1000", "after", "http", "socket"];
    assert_eq!(of("done"), on_it, "{said}");
    assert_eq!(of("cannot"), ["embed", "tokens4000", "batch", "oversize", "service"], "{said}");
    for run in all {
        let words = match run["name"].as_str().expect("a name") {
            "embed" | "batch" | "service" => "non-generation output",
            "tokens4000" | "oversize" => "n_batch",
            _ => {
                let engines = run["engines"].to_string();
                assert!(engines.contains("native: gg_core"), "{engines}");
                continue;
            }
        };
        assert!(run["why"].as_str().is_some_and(|why| why.contains(words)), "{run}");
    }
    // Every check about what can't be done says so, and fails nothing.
    let checks = told["checks"].as_array().expect("its checks");
    let cannot = |check: &&serde_json::Value| {
        ["embed", "tokens4000", "batch", "oversize", "service"].iter().any(|name| check["scenario"] == *name)
    };
    assert!(checks.iter().filter(cannot).all(|check| check["cannot"].is_string()), "{told}");
    // What it printed of the engines' pace has no first token where there is none.
    let said = crate::cli::one_line(&said);
    assert!(said.contains(" for a short answer") && !said.contains("to a first token"), "{said}");
}

#[test]
fn a_suite_says_what_the_wire_cannot_do_and_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("gg.sock").display().to_string();
    let _engine = StandIn::start(&["--socket", &socket]);
    write(dir.path(), "s.yaml", SUITE);
    for task in ["embed", "generate"] {
        let yaml = format!(
            "name: {task}\ntask: {task}\ntargets:\n  native: {{ openai: {{}} }}\nworkload: {{ prompts: {{ inline: [ {{ text: Say \
             hello. }} ] }}, sampling: {{ max_tokens: 4 }} }}\nload: {{ closed: {{ users: 1, requests: 4 }} }}\n"
        );
        write(dir.path(), &format!("{task}.yaml"), &yaml);
    }
    let mut command = loadcmp();
    command.current_dir(dir.path()).args(["suite", "run", "s.yaml", "--out", "out", "--judge-stand-ins"]);
    let output = command.env("GG_CORE_SOCKET_PATH", &socket).output().expect("a suite");
    let told = json(&dir.path().join("out/suite.json"));
    let said = text(&output).0 + &text(&output).1;
    assert_eq!(told["scenarios"][0]["state"], "cannot", "{said}");
    assert!(told["checks"][0]["cannot"].as_str().is_some_and(|why| why.contains("non-generation output")), "{told}");
    assert_eq!(
        (&told["scenarios"][1]["state"], &told["scenarios"][1]["engines"]),
        (&serde_json::json!("done"), &serde_json::json!(["native: gg_core loadcmp stand-in standin"]))
    );
    // What can't be done fails nothing.
    assert!(![1, 2, 3, 4].contains(&output.status.code().unwrap_or(-1)), "{said}");
}
