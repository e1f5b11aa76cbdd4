//! Who is compared: the targets of the command line, servers that are one, addresses that were typed, a stand-in on one
//! side, names with dots. Nothing of load is sent but in short runs.

use crate::cli::{StandIn, ask, json, loadcmp, one_line, rows, text, write};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// A server that answers what it is told by path, a status alone where that is told, and anything else with 404. It ends with the test's process.
fn server(routes: &'static [(&'static str, &'static str)]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            std::thread::spawn(move || serve(socket, routes));
        }
    });
    port
}

fn serve(mut socket: TcpStream, routes: &[(&str, &str)]) {
    let (mut kept, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let head = kept.windows(4).position(|four| four == b"\r\n\r\n");
        let whole = head.and_then(|at| {
            let head = String::from_utf8_lossy(&kept[..at]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            let end = at + 4 + length.unwrap_or(0usize);
            (kept.len() >= end).then(|| (head.split(' ').nth(1).unwrap_or_default().to_owned(), end))
        });
        if let Some((path, end)) = whole {
            kept.drain(..end);
            let found = routes.iter().find(|(known, _)| *known == path);
            let (status, body) = match found {
                None => ("404 Not Found", "{}"),
                Some((_, status)) if status.starts_with("40") => (*status, "{}"),
                Some((_, body)) => ("200 OK", *body),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            if socket.write_all(answer.as_bytes()).is_err() {
                return;
            }
            continue;
        }
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(n) => kept.extend_from_slice(&buffer[..n]),
        }
    }
}

const COMPLETION: &str = r#"{"choices":[{"message":{"role":"assistant","content":"bug"},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":4,"completion_tokens":1}}"#;
const CHAT: &str = r#"{"model":"tiny","message":{"role":"assistant","content":"bug"},"done":true,"done_reason":"stop",
    "prompt_eval_count":4,"eval_count":1,"total_duration":1000}"#;
/// Completions, and not a word about models.
const BARE_OPENAI: &[(&str, &str)] = &[("/v1/chat/completions", COMPLETION)];
/// Completions, and models that nobody may list.
const CLOSED_OPENAI: &[(&str, &str)] = &[("/v1/chat/completions", COMPLETION), ("/v1/models", "401 Unauthorized")];
/// Chats, and not a word about versions and models.
const BARE_OLLAMA: &[(&str, &str)] = &[("/api/chat", CHAT), ("/api/generate", CHAT)];
/// An Ollama whose models don't tell what they can do; the smaller is one for embeddings.
const OLD_OLLAMA: &[(&str, &str)] = &[
    ("/api/version", r#"{"version":"0.1.0"}"#),
    (
        "/api/tags",
        r#"{"models":[{"name":"all-minilm:latest","size":1},{"name":"127.0.0.1:5000/ns/Tiny:latest","size":2}]}"#,
    ),
    ("/api/ps", r#"{"models":[]}"#),
    ("/api/chat", CHAT),
];
const EMPTY_OLLAMA: &[(&str, &str)] =
    &[("/api/version", r#"{"version":"0.1.0"}"#), ("/api/tags", r#"{"models":[]}"#), ("/api/ps", r#"{"models":[]}"#)];

/// Nothing listens there.
const DEAD: &str = "127.0.0.1:1";

const REST: &str = "workload: { prompts: { inline: [ { text: one, label: bug }, { text: two, label: praise } ] }, labels: [bug, praise], \
                    sampling: { max_tokens: 4 } }\nload: { closed: { users: 1, requests: 20 } }\n";

fn scenario(targets: &str, more: &str) -> String {
    format!("name: t\ntask: classify\ntargets:\n{targets}{more}{REST}")
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn the_targets_given_are_the_targets_of_the_run() {
    let (dir, a, b) = (dir(), StandIn::start(&[]), StandIn::start(&[]));
    let targets =
        format!("  native: {{ openai: {{ url: \"{DEAD}\" }} }}\n  ollama: {{ ollama: {{ url: \"{DEAD}\" }} }}\n");
    let more = "reference: native\nstrict: true\nstart: { native: [never-run] }\nvariants: { native: { q4: { openai.model: x } } }\n\
                order: alternate\ngates: [\"native-q4.latency.p95 <= 1s\", \"ollama.latency.p95 <= 1.5 * native-q4.latency.p95\"]\n";
    write(dir.path(), "t.yaml", &scenario(&targets, more));
    let (llama, ollama) = (format!("llamacpp=openai:{}", a.url), format!("ollama=ollama:{}", b.url));

    // The scenario's `native` isn't even looked for, and nothing that names it is left.
    let (code, out, err) = ask(dir.path(), &["check", "t.yaml", "--target", &llama, "--target", &ollama]);
    let told = one_line(&err);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("llamacpp (stand-in)") && out.contains("ollama (stand-in), reference"), "{out}");
    assert!(!out.contains("native") && !out.contains("gate"), "{out}");
    assert!(
        told.contains("the reference is `ollama`, because the command line leaves out the scenario's, `native`"),
        "{err}"
    );
    assert!(
        told.contains("gates left out") && told.contains("native-q4.latency.p95 <= 1s; ollama.latency.p95"),
        "{err}"
    );

    // One alone is alone; of a name that the scenario has, the others stay, and that is said.
    let alone = ["check", "t.yaml", "--set", "order=isolated", "--target", &llama];
    let (code, out, _) = ask(dir.path(), &alone);
    assert!(code == 0 && out.contains("llamacpp") && !out.contains("ollama"), "{out}");
    let one = ["check", "t.yaml", "--set", "start={}", "--target", &ollama];
    let (code, _, err) = ask(dir.path(), &one);
    assert!(code == 3 && err.contains("also used, from the scenario: `native"), "{err}");
    assert!(err.contains("target `native-q4`") && !err.contains("target `ollama`"), "{err}");
    // Nobody named it, and whatever answers would be measured: that is said to whoever wants to hear nothing, too.
    let quiet = ["run", "t.yaml", "-q", "--real", "--out", "quiet", "--set", "start={}", "--target", &ollama];
    let (code, _, err) = ask(dir.path(), &quiet);
    assert!(code == 3 && !err.contains("also used"), "{err}");
    let (code, _, err) = ask(dir.path(), &[&quiet[..], &["--set", "targets.native.openai.url=auto"]].concat());
    assert!(code == 3 && err.contains("also used, from the scenario: `native"), "{err}");

    // A value set in a target that is left out would bring half of it back.
    for more in [&["--set", "targets.native.openai.model=x"][..], &["--sweep", "targets.native.openai.model=x,y"]] {
        let (code, _, err) =
            ask(dir.path(), &[&["check", "t.yaml", "--target", &llama, "--target", &ollama], more].concat());
        assert!(code == 2 && err.contains("which the command line leaves out"), "{err}");
    }
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml", "--target", &llama, "--target", &llama]);
    assert!(code == 2 && err.contains("--target gives `llamacpp` twice"), "{err}");
}

#[test]
fn one_server_is_not_driven_twice_at_once() {
    let record = dir();
    let seen = record.path().join("seen.csv");
    let engine = StandIn::start(&["--record", seen.to_str().expect("a path")]);
    let dir = dir();
    let port = engine.url.rsplit(':').next().expect("a port");
    // Another wire, another way to write it, and the same server and model.
    let targets = format!(
        "  a: {{ openai: {{ url: \"http://localhost:{port}/v1\" }} }}\n  b: {{ ollama: {{ url: \"127.0.0.1:{port}\" }} }}\n"
    );
    write(dir.path(), "t.yaml", &scenario(&targets, "reference: b\n"));
    for what in ["check", "run"] {
        let (code, out, err) = ask(dir.path(), &[what, "t.yaml"]);
        assert!(code == 4 && out.is_empty(), "{code} {out}{err}");
        assert!(
            err.contains("`a` and `b` are the same server and model") && err.contains("allow_same_endpoint"),
            "{err}"
        );
    }
    assert!(!dir.path().join("results").exists(), "nothing was begun");
    let is_load =
        |row: &crate::cli::Row| ["chat", "completions", "generate"].iter().any(|word| row["route"].contains(word));
    assert!(!rows(&seen).iter().any(is_load), "no load was sent");

    let finding = |out: &str| {
        let report = json(&dir.path().join(out).join("report.json"));
        let found =
            report["findings"].as_array().expect("findings").iter().find(|f| f["id"] == "same-endpoint").cloned();
        found.unwrap_or_default()["severity"].as_str().unwrap_or_default().to_owned()
    };
    let run = |set: &str, out: &str| {
        let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "-q", "--set", set, "--out", out]);
        assert_eq!(code, 0, "{err}");
    };
    run("allow_same_endpoint=true", "allowed");
    assert_eq!(finding("allowed"), "note");
    run("order=isolated", "isolated");
    assert_eq!(finding("isolated"), "warning");
}

/// Where no model is named, what is asked may say which: two bodies are two models.
#[test]
fn runtimes_without_a_model_are_one_by_what_is_asked_of_them() {
    let (dir, real) = (dir(), server(&[("/complete", r#"{"text":"bug","n":1}"#)]));
    let target = |name: &str, model: &str| {
        format!(
            "  {name}: {{ json: {{ url: \"http://127.0.0.1:{real}\", path: /complete, body: {{ p: \"{{{{prompt}}}}\", m: {model} }}, \
             answer: {{ text: /text, output_tokens: /n }} }} }}\n"
        )
    };
    for (other, expected) in [("y", 0), ("x", 4)] {
        let targets = target("a", "x") + &target("b", other);
        write(dir.path(), "t.yaml", &scenario(&targets, "reference: b\n"));
        let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert_eq!(code, expected, "{err}");
        assert_eq!(
            err.contains(&format!("are the same server and model: http://127.0.0.1:{real}")),
            other == "x",
            "{err}"
        );
    }
}

#[test]
fn an_address_that_was_typed_is_used_or_told() {
    let dir = dir();
    let check = |yaml: &str, host: &str| {
        write(dir.path(), "t.yaml", yaml);
        let mut command = loadcmp();
        command.current_dir(dir.path()).args(["check", "t.yaml"]).env("OLLAMA_HOST", host);
        let output = command.output().expect("the program");
        let (out, err) = text(&output);
        (output.status.code().unwrap_or(-1), one_line(&out), one_line(&err))
    };
    let ollama = |model: &str| {
        scenario(&format!("  o: {{ ollama: {{ url: \"${{OLLAMA_HOST:-auto}}\", model: \"{model}\" }} }}\n"), "")
    };
    let openai = |port: u16, model: &str| {
        scenario(&format!("  o: {{ openai: {{ url: \"HTTP://127.0.0.1:{port}\", model: \"{model}\" }} }}\n"), "")
    };
    let refused = |(code, out, err): (i32, String, String), words: &str| {
        assert!(code == 3 && out.is_empty() && err.contains(words) && !err.contains("STAND-IN"), "{code} {out} {err}");
    };
    // Nobody is there, or nobody who can do it: that is what is told, and no stand-in takes the place.
    refused(check(&ollama("auto"), DEAD), "no Ollama at http://127.0.0.1:1");
    let empty = format!("127.0.0.1:{}", server(EMPTY_OLLAMA));
    refused(check(&ollama("auto"), &empty), "`ollama pull qwen3:0.6b`");
    refused(check(&ollama("x"), &empty), "has no model `x`");
    let (bare, proxy) = (server(BARE_OPENAI), format!("127.0.0.1:{}", server(BARE_OLLAMA)));
    refused(check(&openai(bare, "auto"), ""), "name one with the target's `model:`");
    refused(check(&ollama("auto"), &proxy), "set the target's `model:`");

    // What answers is used, and what it doesn't tell is said.
    let used = |(code, out, err): (i32, String, String), words: &[&str]| {
        assert!(code == 0 && words.iter().all(|word| out.contains(word)), "{code} {out} {err}");
    };
    used(check(&openai(bare, "tiny"), ""), &["it lists no models", "`tiny` is used without a check"]);
    used(check(&ollama("tiny"), &proxy), &["it reports no version", "it lists no models (/api/tags)"]);
    // A token that may not list the models may still ask for one of them.
    let closed = server(CLOSED_OPENAI);
    let with_token = |model: &str| openai(closed, model).replace("openai: {", "openai: { token: \"${OLLAMA_HOST}\",");
    refused(check(&openai(closed, "tiny"), ""), "requires a token (status 401");
    refused(check(&with_token("auto"), "hush"), "refuses the token (/v1/models returned status 401");
    used(check(&with_token("tiny"), "hush"), &["it refuses the token", "`tiny` is used without a check"]);
    let old = server(OLD_OLLAMA);
    let trust = "it doesn't report what its models can do: `127.0.0.1:5000/ns/Tiny:latest` is used without a check";
    for host in [format!(" '127.0.0.1:{old}' "), format!("\"Http://localhost:{old}\"")] {
        used(check(&ollama("auto"), &host), &[trust]);
    }
    for name in ["127.0.0.1:5000/ns/tiny", "127.0.0.1:5000/NS/Tiny:LATEST"] {
        used(check(&ollama(name), &format!("127.0.0.1:{old}")), &["127.0.0.1:5000/ns/Tiny:latest"]);
    }
    used(check(&ollama("All-MiniLM"), &format!("127.0.0.1:{old}")), &["all-minilm:latest"]);
}

#[test]
fn a_stand_in_on_one_side_is_not_compared() {
    let (dir, engine, real) = (dir(), StandIn::start(&[]), server(BARE_OPENAI));
    let targets = format!(
        "  native: {{ openai: {{ url: \"127.0.0.1:{real}\", model: tiny }} }}\n  ollama: {{ ollama: {{ url: \"{}\" }} }}\n",
        engine.url
    );
    write(dir.path(), "t.yaml", &scenario(&targets, "gates: [\"native.latency.p95 <= 1.5 * ollama.latency.p95\"]\n"));
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 5, "the gate is not judged: {err}");
    assert!(table.contains("Not compared: `ollama` is a stand-in."), "{table}");
    assert!(!table.contains("verdict") && !table.contains("ratio (95 % CI)"), "{table}");
    assert!(table.contains("latency p50") && table.contains("models (/v1/models returned status 404"), "{table}");
    let out = dir.path().join("out");
    let compared = rows(&out.join("comparison.csv"));
    assert!(!compared.is_empty());
    for row in &compared {
        let told = [&row["verdict"], &row["reason"], &row["ratio"], &row["low"], &row["p"]];
        assert_eq!(told, ["not compared", "`ollama` is a stand-in", "", "", ""], "{row:?}");
    }
    assert!(compared.iter().any(|row| !row["target_value"].is_empty() && !row["reference_value"].is_empty()));
    for (file, words) in [("report.md", "Not compared: "), ("report.html", "Not compared: ")] {
        let text = std::fs::read_to_string(out.join(file)).expect("a file");
        assert!(text.contains(words) && !text.contains("Ratios are target"), "{file}");
    }
    let report = json(&out.join("report.json"));
    assert!(report["comparisons"].as_array().expect("rows").iter().all(|c| c["verdict"] == "not compared"));
    // Agreement says of how many: both always say the same of each of the two prompts, or never.
    let summary = rows(&out.join("summary.csv"));
    let row = summary.iter().find(|row| row["metric"] == "agreement").expect("the agreement");
    let n = &row["n"];
    assert!(table.contains(&format!(" % of {n}")), "{n}: {table}");
}

#[test]
fn names_have_dots_and_json_runtimes_are_given_on_the_command_line() {
    let (dir, engine, real) = (dir(), StandIn::start(&[]), server(&[("/complete", r#"{"text":"bug","n":1}"#)]));
    let targets = format!(
        "  llama: {{ openai: {{ url: \"{0}\" }} }}\n  llama.cpp: {{ openai: {{ url: \"{DEAD}\", model: nope }} }}\n",
        engine.url
    );
    let more =
        "allow_same_endpoint: true\nreference: llama\ngates: [\"llama.cpp.errors == 0\", \"llama.errors == 0\"]\n";
    write(dir.path(), "t.yaml", &scenario(&targets, more));
    let url = format!("targets.llama.cpp.openai.url={}", engine.url);
    let args = [
        "run",
        "t.yaml",
        "--full",
        "--set",
        &url,
        "--set",
        "targets.\"llama.cpp\".openai.model=standin",
        "--judge-stand-ins",
    ];
    let (code, out, err) = ask(dir.path(), &[&args[..], &["--out", "out"]].concat());
    assert_eq!(code, 0, "{out}{err}");
    let gates = rows(&dir.path().join("out/gates.csv"));
    assert_eq!(gates.iter().map(|row| row["target"].as_str()).collect::<Vec<_>>(), ["llama.cpp", "llama"], "{gates:?}");
    let samples = rows(&dir.path().join("out/samples.csv"));
    assert!(samples.iter().any(|row| row["target"] == "llama.cpp" && row["outcome"] == "ok"));
    let metrics = std::fs::read_to_string(dir.path().join("out/metrics.prom")).expect("a file");
    assert!(metrics.contains("target=\"llama.cpp"), "{metrics}");
    let (code, _, err) = ask(dir.path(), &["report", "out"]);
    assert_eq!(code, 0, "a run told again reads its gates: {err}");

    let json = format!(
        "a.b=json:http://127.0.0.1:{real}/complete,body={{\"p\":\"{{{{prompt}}}}, please\",\"n\":[1,2]}},answer.text=/text,\
         answer.output_tokens=/n"
    );
    let (code, out, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--target", &json, "--out", "json"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("a.b: 20 requests, 20 ok"), "{out}");
    assert!(err.contains("gates left out"), "{err}");
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml", "--target", "a=openai:[::1]:1"]);
    assert!(code == 3 && err.contains("no OpenAI-compatible server at http://[::1]:1/"), "{err}");
}

#[test]
fn a_check_says_nothing_of_a_run() {
    let (dir, a, b) = (dir(), StandIn::start(&[]), StandIn::start(&[]));
    let targets = format!("  a: {{ ollama: {{ url: \"{}\" }} }}\n  b: {{ ollama: {{ url: \"{}\" }} }}\n", a.url, b.url);
    write(dir.path(), "t.yaml", &scenario(&targets, "reference: b\n"));
    let suite = "name: s\nscenarios: { one: { file: t.yaml } }\nchecks: [{ name: x, category: y, scenario: one, gate: errors == 0 }]\n";
    write(dir.path(), "s.yaml", suite);
    let said = |args: &[&str]| {
        let (code, out, err) = ask(dir.path(), args);
        let words = one_line(&(out + &err));
        assert_eq!(code, 0, "{words}");
        for past in [" ran ", "measured", "were driven", "was driven", "took:", "started"] {
            assert!(!words.contains(past), "{past}: {words}");
        }
        words
    };
    assert!(said(&["check", "t.yaml"]).contains("2 targets share the machine that sends the load"));
    for order in ["order=isolated", "order=alternate", "interference=true"] {
        said(&["check", "t.yaml", "--set", order]);
    }
    said(&["check", "t.yaml", "--sweep", "load.closed.users=1,2"]);
    said(&["suite", "check", "s.yaml"]);
}

/// This machine has several addresses: what listens at all of them is one server.
#[test]
#[cfg(target_os = "linux")]
fn a_server_is_one_whichever_address_of_this_machine_it_is_asked_at() {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            std::thread::spawn(move || serve(socket, SLOW));
        }
    });
    let other = server(SLOW);
    // Nothing is sent: the system says by which address it would be.
    let own = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let own = own.ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
    let addresses = [Some("127.0.0.2".to_owned()), own.map(|ip| ip.to_string())].into_iter().flatten();
    for (address, port_of_b, code) in
        addresses.map(|address| (address, port, 4)).chain([("127.0.0.2".to_owned(), other, 3)])
    {
        let dir = dir();
        let targets = format!(
            "  a: {{ openai: {{ url: \"127.0.0.1:{port}\", model: tiny }} }}\n  b: {{ openai: {{ url: \"{address}:{port_of_b}\", model: tiny }} }}\n"
        );
        write(dir.path(), "t.yaml", &scenario(&targets, "reference: b\n"));
        let (found, out, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert_eq!(found, code, "{address}: {out}{err}");
        assert_eq!(err.contains("`a` and `b` are the same server and model"), code == 4, "{address}: {err}");
    }
}

/// A server that is at work: it takes connections, and lets `/v1/models` or `/api/version` wait for so long; requests are
/// answered at once.
fn slow(seconds: f64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut peeked = [0; 4];
                if matches!(socket.peek(&mut peeked), Ok(4)) && &peeked == b"GET " {
                    std::thread::sleep(std::time::Duration::from_secs_f64(seconds));
                }
                serve(socket, SLOW);
            });
        }
    });
    port
}

const SLOW: &[(&str, &str)] = &[
    ("/v1/chat/completions", COMPLETION),
    ("/v1/models", r#"{"object":"list","data":[{"id":"tiny","object":"model"}]}"#),
    ("/api/version", r#"{"version":"0.1.0"}"#),
    ("/api/tags", r#"{"models":[{"name":"tiny:latest","size":1}]}"#),
    ("/api/ps", r#"{"models":[]}"#),
    ("/api/chat", CHAT),
];

/// Whoever takes the connection is there, however long the answer takes.
#[test]
fn a_server_that_is_busy_is_no_server_that_is_absent() {
    let checked = |target: &str| {
        let dir = dir();
        write(dir.path(), "t.yaml", &scenario(&format!("  a: {{ {target} }}\n"), ""));
        let (code, out, err) = ask(dir.path(), &["check", "t.yaml"]);
        (code, one_line(&(out + &err)))
    };
    let (late, silent) = (slow(6.5), slow(300.0));
    std::thread::scope(|threads| {
        for wire in ["openai", "ollama"] {
            for model in ["tiny", "auto"] {
                let target = format!("{wire}: {{ url: \"127.0.0.1:{late}\", model: {model} }}");
                threads.spawn(move || {
                    let (code, told) = checked(&target);
                    assert!(code == 0 && told.contains("tiny") && !told.contains("STAND-IN"), "{code}: {told}");
                    assert!(told.contains("waiting for `a` to identify itself: it may be busy"), "{told}");
                });
            }
            let target = |model: &str| format!("{wire}: {{ url: \"127.0.0.1:{silent}\", model: {model} }}");
            let (named, unnamed) = (target("tiny"), target("auto"));
            threads.spawn(move || {
                let (code, told) = checked(&named);
                assert_eq!(code, 0, "{told}");
                assert!(told.contains("`tiny` is used without a check") && !told.contains("STAND-IN"), "{told}");
            });
            threads.spawn(move || {
                let (code, told) = checked(&unnamed);
                assert!(code == 3 && told.contains("returned nothing within 40 s"), "{code}: {told}");
                assert!(told.contains("name its model") && !told.contains("STAND-IN"), "{told}");
            });
        }
    });
}

/// Two dots, or none at an end: the name of a folder's parent is no target's.
#[test]
fn dots_stand_between_letters() {
    let dir: tempfile::TempDir = dir();
    for name in ["..", ".a", "a.", "a..b"] {
        write(dir.path(), "t.yaml", &scenario(&format!("  \"{name}\": {{ ollama: {{}} }}\n"), ""));
        let (code, _, err) = ask(Path::new(dir.path()), &["check", "t.yaml"]);
        assert!(code == 2 && err.contains("with dots between them"), "{name}: {err}");
    }
}
