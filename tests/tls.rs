//! https through the front door: what is measured over it, what isn't, and what people read when a certificate isn't good.

#[path = "common/sealed.rs"]
mod sealed;

use crate::cli::{Row, StandIn, json, loadcmp, number, rows, text, write};
use crate::raw::response;
use sealed::{After, Kind, Manner, Sealed, made};
use std::path::Path;
use std::time::{Duration, Instant};

const LOAD: &str = "closed: { users: 1, requests: 3, warmup: 0s }";

fn scenario(targets: &str, stream: bool, load: &str) -> String {
    format!(
        "name: t\ntask: generate\nallow_same_endpoint: true\ntargets:\n{targets}\
         workload: {{ prompts: {{ synthetic: {{ count: 8, words: {{ fixed: 5 }} }} }}, \
         stream: {stream}, sampling: {{ max_tokens: 8 }} }}\nload: {{ {load} }}\n"
    )
}

/// Runs a scenario with some variables set; its exit code, and what was printed.
fn run(dir: &Path, yaml: &str, args: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    write(dir, "t.yaml", yaml);
    let _ = std::fs::remove_dir_all(dir.join("out"));
    let mut command = loadcmp();
    // What this machine trusts must not matter.
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    command
        .current_dir(dir)
        .args(["run", "t.yaml", "--full", "--out", "out"])
        .args(args)
        .envs(variables.iter().copied());
    let output = command.output().expect("a run");
    let (out, err) = text(&output);
    (output.status.code().unwrap_or(-1), format!("{out}{err}").split_whitespace().collect::<Vec<_>>().join(" "))
}

fn measured(dir: &Path) -> Vec<Row> {
    rows(&dir.join("out/samples.csv")).into_iter().filter(|row| row["phase"] == "measure").collect()
}

fn of<'a>(rows: &'a [Row], target: &str, column: &str) -> Vec<Option<f64>> {
    rows.iter().filter(|row: &&'a Row| row["target"] == target).map(|row| number(row, column)).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A `json` target at a raw server's.
fn target(url: &str, more: &str) -> String {
    format!(
        "  a: {{ json: {{ url: \"{url}\", path: /x, body: {{ p: \"{{{{prompt}}}}\" }}, answer: {{ text: /text, finish: /finish, \
         output_tokens: /n }}{more} }} }}\n"
    )
}

const INSECURE: &str = ", tls: { insecure: true }";
const BODY: &str = r#"{"text":"yes it is","n":3,"finish":"stop"}"#;

#[test]
fn every_wire_is_measured_over_tls_as_without_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = ["--first-token-ms", "120", "--decode-rate", "200", "--slots", "8", "--tls-listen", "127.0.0.1:0"];
    let save = dir.path().join("ca.pem");
    let save = ["--tls-save", save.to_str().expect("a path")];
    let server = StandIn::start(&[&engine[..], &save].concat());
    let (plain, sealed) = (&server.url, &server.tls_url);
    let json = "path: /api/generate, stream: ndjson, body: { model: standin, prompt: \"{{prompt}}\", stream: true, \
                options: { num_predict: \"{{max_tokens}}\" } }, answer: { text: /response, done: /done, output_tokens: /eval_count }";
    let targets = format!(
        "  plain: {{ openai: {{ url: \"{plain}\" }} }}\n  openai: {{ openai: {{ url: \"{sealed}/v1\", tls: {{ ca: ca.pem }} }} }}\n  \
         ollama: {{ ollama: {{ url: \"{}\", tls: {{ ca: ca.pem }} }} }}\n  json: {{ json: {{ url: \"{sealed}\", {json}, tls: {{ ca: \
         ca.pem }} }} }}\n",
        // A name of the certificate's, and not an address.
        sealed.replace("127.0.0.1", "localhost")
    );
    let (code, told) =
        run(dir.path(), &scenario(&targets, true, "closed: { users: 1, requests: 6, warmup: 0s }"), &[], &[]);
    assert_eq!(code, 0, "{told}");
    let rows = measured(dir.path());
    assert!(rows.iter().all(|row| row["outcome"] == "ok" && row["output_tokens"] == "8"), "{rows:?}");
    let ttft = |target: &str| {
        let all = of(&rows, target, "first_token_us").into_iter().zip(of(&rows, target, "sent_us"));
        median(all.map(|(first, sent)| first.expect("a token") - sent.expect("a start")).collect())
    };
    for target in ["plain", "openai", "ollama", "json"] {
        // What the engine declares, and what a busy machine adds to it.
        assert!((118_000.0..220_000.0).contains(&ttft(target)), "{target}: {}", ttft(target));
    }
    for row in &rows {
        let at = |name: &str| number(row, name).expect("an instant");
        assert!(at("sent_us") <= at("first_byte_us") && at("first_byte_us") <= at("first_token_us"), "{row:?}");
    }
    let report = json_of(dir.path());
    let targets = report["plan"]["targets"].as_array().expect("targets");
    assert_eq!(targets[1]["endpoint"]["tcp"]["tls"], true);
    assert!(told.contains("handshake") || told.to_lowercase().contains("tls"), "{told}");
}

fn json_of(dir: &Path) -> serde_json::Value {
    json(&dir.join("out/manifest.json"))
}

#[test]
fn a_handshake_is_one_of_each_connection_and_in_no_latency() {
    let dir = tempfile::tempdir().expect("a directory");
    let slow = Manner { delay: Duration::from_millis(600), after: After::Farewell, ..Manner::default() };
    let work = Duration::from_millis(100);
    let answer = move |_: &str| {
        std::thread::sleep(work);
        response("200 OK", "Connection: close\r\n", BODY)
    };
    let server = Sealed::start(move |_| slow, answer);
    let (code, told) = run(dir.path(), &scenario(&target(&server.url, INSECURE), false, LOAD), &[], &[]);
    assert_eq!(code, 0, "{told}");
    let rows = measured(dir.path());
    let all = |column: &str| of(&rows, "a", column).into_iter().flatten().collect::<Vec<f64>>();
    // The first measured one goes over a connection of its own, as every other.
    assert_eq!((rows.len(), all("connect_us").len()), (3, 3), "{rows:?}");
    assert!(all("connect_us").iter().all(|us| *us >= 600_000.0), "{rows:?}");
    assert!(median(all("latency_us")) < 400_000.0 && median(all("response_us")) < 400_000.0, "{rows:?}");
    assert!(rows.iter().all(|row| row["outcome"] == "ok" && row["retries"] == "0"), "{rows:?}");
    // The first byte is one of the answer, and none of TLS's own: its tickets come before.
    for (first, sent) in all("first_byte_us").iter().zip(all("sent_us")) {
        assert!(first - sent >= 99_000.0, "{rows:?}");
    }

    // Kept, it is paid once.
    let server = Sealed::start(move |_| Manner { after: After::Stay, ..slow }, |_| response("200 OK", "", BODY));
    let (code, told) = run(dir.path(), &scenario(&target(&server.url, INSECURE), false, LOAD), &[], &[]);
    assert!(code == 0, "{told}");
    let rows = measured(dir.path());
    assert!(of(&rows, "a", "connect_us").into_iter().flatten().count() <= 1, "{rows:?}");
}

#[test]
fn a_handshake_for_a_request_that_is_sent_again_is_in_no_latency_either() {
    let dir = tempfile::tempdir().expect("a directory");
    let slow = Manner { delay: Duration::from_millis(600), ..Manner::default() };
    // The first request has a connection of its own; from then on each connection dies on its third, without a word.
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let answer = move |head: &str| {
        let posts = usize::from(head.starts_with("POST"));
        let number = asked.fetch_add(posts, std::sync::atomic::Ordering::SeqCst);
        let dies = posts == 1 && number % 4 == 3;
        if dies { String::new() } else { response("200 OK", "", BODY) }
    };
    let server = Sealed::start(move |_| slow, answer);
    let load = "closed: { users: 1, requests: 9, warmup: 0s }";
    let (_, told) = run(dir.path(), &scenario(&target(&server.url, INSECURE), false, load), &[], &[]);
    let rows = measured(dir.path());
    assert_eq!(rows.len(), 9, "{told}");
    // On a busy machine a close itself may come late: then it is a failure.
    let again: Vec<&Row> = rows.iter().filter(|row| row["retries"] == "1").collect();
    assert!(!again.is_empty(), "{rows:?}");
    for row in again {
        let us = |column: &str| number(row, column).expect("a time");
        assert_eq!((row["outcome"].as_str(), row["connection"].as_str()), ("ok", "closed"), "{row:?}");
        assert!(us("connect_us") >= 600_000.0, "{row:?}");
        assert!(us("latency_us") < 400_000.0 && us("response_us") < 400_000.0, "{row:?}");
    }
}

#[test]
fn records_that_come_byte_by_byte_and_ends_without_a_farewell_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    // One whose answer ends with its connection.
    let body = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{BODY}");
    let manner = |number| Manner {
        in_bytes: number % 2 == 0,
        after: if number < 4 { After::Gone } else { After::Farewell },
        ..Manner::default()
    };
    let server = Sealed::start(manner, move |_| body.clone());
    let (code, told) = run(
        dir.path(),
        &scenario(&target(&server.url, INSECURE), false, "closed: { users: 1, requests: 6, warmup: 0s }"),
        &[],
        &[],
    );
    assert_eq!(code, 0, "{told}");
    let rows = measured(dir.path());
    assert!(
        rows.len() == 6 && rows.iter().all(|row| row["outcome"] == "ok" && row["output_tokens"] == "3"),
        "{rows:?}"
    );
}

#[test]
fn a_kept_connection_that_was_closed_is_opened_anew_and_no_failure() {
    let dir = tempfile::tempdir().expect("a directory");
    let manner =
        |number| Manner { after: if number % 2 == 0 { After::Farewell } else { After::Gone }, ..Manner::default() };
    // It promises to stay, and doesn't.
    let server = Sealed::start(manner, |_| response("200 OK", "", BODY));
    let load = "closed: { users: 1, requests: 6, think: 60ms, warmup: 0s }";
    let (code, told) = run(dir.path(), &scenario(&target(&server.url, INSECURE), false, load), &[], &[]);
    assert_eq!(code, 0, "{told}");
    let rows = measured(dir.path());
    assert!(rows.len() == 6 && rows.iter().all(|row| row["outcome"] == "ok"), "{rows:?}");
    assert!(rows.iter().filter(|row| row["connection"] == "closed").count() >= 4, "{rows:?}");
}

#[test]
fn what_goes_wrong_in_mid_run_stands_in_rows_in_words() {
    let dir = tempfile::tempdir().expect("a directory");
    // Found, asked whether it is a stand-in, asked first: then its port speaks TLS no more.
    let manner = |number| Manner { plain: number > 5, after: After::Farewell, ..Manner::default() };
    let server = Sealed::start(manner, |_| response("200 OK", "Connection: close\r\n", BODY));
    let load = "closed: { users: 1, requests: 8, warmup: 0s }";
    let (_, told) = run(dir.path(), &scenario(&target(&server.url, INSECURE), false, load), &[], &[]);
    let rows = measured(dir.path());
    let failed: Vec<&Row> = rows.iter().filter(|row| row["outcome"] == "connect").collect();
    assert!(!failed.is_empty() && failed.len() < 8, "{told}");
    assert!(failed.iter().all(|row| row["error"].contains("doesn't use TLS")), "{failed:?}");
}

#[test]
fn certificates_that_are_not_good_are_told_before_anything_is_measured() {
    let dir = tempfile::tempdir().expect("a directory");
    let kinds = [
        ("good", "127.0.0.1", Kind::default()),
        ("old", "127.0.0.1", Kind { expired: true, ca: false }),
        ("other", "engine.example", Kind::default()),
        ("own", "127.0.0.1", Kind { expired: false, ca: true }),
        ("own-old", "127.0.0.1", Kind { expired: true, ca: true }),
        ("own-other", "engine.example", Kind { expired: false, ca: true }),
    ];
    let mut servers = Vec::new();
    for (name, host, kind) in kinds {
        let (certificate, key) = made(host, kind).files(dir.path(), name);
        let path = |path: &Path| path.to_str().expect("a path").to_owned();
        let (certificate, key) = (path(&certificate), path(&key));
        let args = ["--tls-listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key];
        servers.push((name, StandIn::start(&args)));
    }
    let at = |name: &str| servers.iter().find(|(known, _)| *known == name).map(|(_, server)| server).expect("a server");
    let good = dir.path().join("good.pem");
    let trusted = [("SSL_CERT_FILE", good.to_str().expect("a path"))];
    let none = [("SSL_CERT_FILE", "/nowhere/ca.pem")];
    let once = "closed: { users: 1, requests: 2, warmup: 0s }";
    // What is good is so for every wire; what isn't is found in one place, so the wires take turns.
    let turn = std::cell::Cell::new(0);
    let ask = |url: &str, tls: &str, variables: &[(&str, &str)], code: i32, parts: &[&str]| {
        turn.set(turn.get() + 1);
        for (at, wire) in ["openai", "ollama", "json"].into_iter().enumerate() {
            let here = if code == 0 { wire != "json" } else { at == turn.get() % 3 };
            if !here {
                continue;
            }
            let yaml = match wire {
                "json" => target(url, tls),
                wire => format!("  a: {{ {wire}: {{ url: \"{url}\"{tls} }} }}\n"),
            };
            let (got, told) = run(dir.path(), &scenario(&yaml, false, once), &[], variables);
            assert_eq!(got, code, "{wire} {url} {tls}: {told}");
            for part in parts {
                assert!(told.contains(part), "{wire} {url} {tls}: {part} isn't in {told}");
            }
        }
    };
    // Plain http needs no list, as in a container of one file.
    ask(&at("good").url, "", &none, 0, &[]);
    // The machine's own list, and a file: both are believed.
    ask(&at("good").tls_url, "", &trusted, 0, &[]);
    ask(&at("own").tls_url, ", tls: { ca: own.pem }", &none, 0, &[]);
    let unknown = ["isn't signed by a known authority", "ca: FILE", "insecure: true"];
    ask(&at("own").tls_url, "", &trusted, 3, &unknown);
    ask(&at("good").tls_url, ", tls: { ca: own.pem }", &trusted, 3, &unknown);
    ask(&at("old").tls_url, ", tls: { ca: old.pem }", &none, 3, &["has expired on 2020-02-03"]);
    ask(&at("own-old").tls_url, ", tls: { ca: own-old.pem }", &none, 3, &["has expired on 2020-02-03"]);
    ask(&at("other").tls_url, ", tls: { ca: other.pem }", &none, 3, &["is for engine.example, not for 127.0.0.1"]);
    ask(
        &at("own-other").tls_url,
        ", tls: { ca: own-other.pem }",
        &none,
        3,
        &["is for engine.example, not for 127.0.0.1"],
    );
    ask(&at("good").tls_url, "", &none, 3, &["no list of certificate authorities", "ca-certificates"]);
    // The wrong scheme, either way.
    let plain = at("good").url.replace("http://", "https://");
    ask(&plain, INSECURE, &none, 3, &["TLS", "http://"]);
}

#[test]
fn a_port_that_speaks_something_else_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = StandIn::start(&["--tls-listen", "127.0.0.1:0"]);
    let wrong = server.tls_url.replace("https://", "http://");
    for wire in ["openai", "ollama"] {
        let yaml = scenario(&format!("  a: {{ {wire}: {{ url: \"{wrong}\" }} }}\n"), false, LOAD);
        let (code, told) = run(dir.path(), &yaml, &[], &[]);
        assert_eq!(code, 3, "{told}");
        assert!(told.contains("it uses TLS: write https://"), "{told}");
    }
    // A server that takes the connection, and never shakes hands.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", silent.local_addr().expect("an address"));
    let began = Instant::now();
    let yaml = scenario(&format!("  a: {{ openai: {{ url: \"{url}\"{INSECURE} }} }}\n"), false, LOAD);
    let (code, told) = run(dir.path(), &yaml, &[], &[]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("TLS handshake took more than"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn headers_are_on_every_request_and_in_no_file() {
    let dir = tempfile::tempdir().expect("a directory");
    // Whoever comes without the header is sent away, whatever it asks for.
    let answer = |head: &str| {
        let body = match head.split(' ').nth(1).unwrap_or_default() {
            _ if !head.to_lowercase().contains("x-key: s3cr3t-value") => return response("401 Unauthorized", "", "{}"),
            "/v1/models" => r#"{"data":[{"id":"m"}]}"#,
            "/v1/chat/completions" => {
                r#"{"choices":[{"message":{"content":"yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#
            }
            "/api/version" => r#"{"version":"0.12.0"}"#,
            "/api/tags" => r#"{"models":[{"name":"m:latest","capabilities":["completion"]}]}"#,
            "/api/chat" => {
                r#"{"message":{"content":"yes"},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":1}"#
            }
            "/metrics" => "process_resident_memory_bytes 5\n",
            _ => "{}",
        };
        response("200 OK", "", body)
    };
    let server = Sealed::start(|_| Manner::default(), answer);
    let settings = "headers: { X-Key: \"${file:key}\" }, tls: { insecure: true }";
    let url = &server.url;
    let targets = format!(
        "  a: {{ openai: {{ url: \"{url}\", metrics: \"{url}/metrics\", {settings} }} }}\n  b: {{ ollama: {{ url: \"{url}\", {settings} }} }}\n"
    );
    write(dir.path(), "key", "s3cr3t-value\n");
    let (code, told) = run(dir.path(), &scenario(&targets, false, LOAD), &[], &[]);
    assert_eq!(code, 0, "{told}");
    let heads = server.heads();
    assert!(heads.iter().any(|head| head.contains("/metrics")), "{heads:?}");
    assert!(heads.iter().all(|head| head.to_lowercase().contains("x-key: s3cr3t-value")), "{heads:?}");
    for file in dir.path().join("out").read_dir().expect("results").flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("s3cr3t-value"), "{:?}", file.path());
    }
    assert!(!told.contains("s3cr3t-value"), "{told}");
}

#[test]
fn https_is_taken_from_the_environment_and_from_the_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = StandIn::start(&["--tls-listen", "127.0.0.1:0"]);
    let targets = "  ollama: { ollama: { url: \"${OLLAMA_HOST:-auto}\", tls: { insecure: true } } }\n  a: { openai: { url: auto } }\n";
    let spec = format!("a=openai:{},tls.insecure=true", server.tls_url);
    let host = [("OLLAMA_HOST", server.tls_url.as_str())];
    let (code, told) = run(dir.path(), &scenario(targets, true, LOAD), &["--target", &spec], &host);
    assert_eq!(code, 0, "{told}");
    let manifest = json_of(dir.path());
    for target in manifest["plan"]["targets"].as_array().expect("targets") {
        assert_eq!(target["endpoint"]["tcp"]["tls"], true, "{target}");
    }
    // Without a port it is https's own.
    let (code, told) = run(dir.path(), &scenario(targets, true, LOAD), &[], &[("OLLAMA_HOST", "https://127.0.0.1")]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("https://127.0.0.1/") && !told.contains("11434"), "{told}");
}
