//! Whole runs over each wire against the stand-in: what the engine got is what every other wire's engine got.

use crate::cli::{Row, Run, StandIn, loadcmp, rows, write};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;

const INLINE: &str =
    "{ inline: [ { text: Why is the sky blue? }, { text: Name three rivers. }, { text: Say hello. } ] }";

/// A scenario; `targets` is one a line, `workload` a flow map's inside.
fn scenario(task: &str, targets: &[&str], workload: &str, load: &str) -> String {
    let targets: String = targets.iter().map(|target| format!("  {target}\n")).collect();
    format!(
        "name: t\ntask: {task}\nseed: 3\ntargets:\n{targets}workload: {{ {workload} }}\nload: {{ closed: {load} }}\n\
         timeout: 5s\ndrain: 2s\nallow_same_endpoint: true\n"
    )
}

/// Every measured request of a target ended well; gives how many there were.
fn all_ok(run: &Run, target: &str) -> usize {
    assert_eq!(run.code, 0, "{}", run.err);
    let samples = run.measured(target);
    let failed = samples.iter().find(|row| row["outcome"] != "ok");
    assert!(failed.is_none(), "{target}: {failed:?}");
    samples.len()
}

fn run(yaml: &str, env: &[(&str, &str)], more: &[&str]) -> Run {
    Run::of_text(yaml, |command| {
        command.arg("--full").args(more).envs(env.iter().copied());
    })
}

/// The record of a stand-in: what it was asked on a wire, by route, and how often.
fn asked(record: &Path, wire: &str) -> BTreeMap<String, Vec<String>> {
    let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mut row in rows(record) {
        if row["wire"] == wire && !row["text_hash"].is_empty() {
            let hash = row.remove("text_hash").expect("a hash");
            asked.entry(row.remove("route").expect("a route")).or_default().push(hash);
        }
    }
    asked.values_mut().for_each(|hashes| hashes.sort());
    asked
}

/// What each request of a target was, by its number.
fn identities(samples: &[Row]) -> BTreeMap<u64, &str> {
    samples.iter().map(|row| (row["index"].parse().expect("a number"), row["request_hash"].as_str())).collect()
}

#[cfg(unix)]
mod gg_core {
    use super::*;

    const TICKETS: &str = "text,label\nThe parcel is late,shipping\nI was charged twice,billing\nIt crashes,bug\n";

    fn socket() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("gg.sock").display().to_string();
        (dir, path)
    }

    #[test]
    fn four_users_outlive_many_sessions_and_ask_what_ollama_is_asked() {
        let (dir, socket) = socket();
        let labels = write(dir.path(), "tickets.csv", TICKETS).display().to_string();
        let record = dir.path().join("record");
        let recorded = record.display().to_string();
        let limits = ["--socket", &socket, "--gg-session-limit", "20", "--labels", &labels, "--record", &recorded];
        let engine = StandIn::start(&limits);
        let native = format!("native: {{ gg_core: {{ socket: \"{socket}\", session_requests: 10 }} }}");
        let ollama = format!("ollama: {{ ollama: {{ url: \"{}\" }} }}", engine.url);
        let tickets = "{ inline: [ { text: The parcel is late, label: shipping }, { text: I was charged twice, label: billing }, \
                       { text: It crashes, label: bug } ] }";
        let workload = format!(
            "prompts: {tickets}, labels: [shipping, billing, bug], sampling: {{ max_tokens: 8 }}, prompt_cache: bust"
        );
        let yaml = scenario("classify", &[&native, &ollama], &workload, "{ users: 4, requests: 300 }");
        let done = run(&yaml, &[], &[]);
        assert_eq!((all_ok(&done, "native"), all_ok(&done, "ollama")), (300, 300));
        let (a, b) = (done.measured("native"), done.measured("ollama"));
        assert_eq!(identities(&a), identities(&b));
        drop(engine);
        let (native, ollama) = (asked(&record, "gg_core"), asked(&record, "ollama"));
        let (native, ollama): (Vec<_>, Vec<_>) =
            (native.into_values().flatten().collect(), ollama.into_values().flatten().collect());
        assert_eq!(native.len(), 301);
        assert_eq!(BTreeSet::from_iter(native), BTreeSet::from_iter(ollama), "the same texts");
        // Accuracy is told for both, and the plan says what the one can't do.
        assert!(done.out.contains("accuracy") && done.out.contains("stand-in"), "{}", done.out);
        let inequalities = done.report()["plan"]["targets"][0]["inequalities"].to_string();
        assert!(inequalities.contains("repetition penalty") && inequalities.contains("one request at a time"));

        // A session that is not renewed in time: rows, not silence, and the run goes on.
        let engine = StandIn::start(&limits[..6]);
        let yaml =
            yaml.replace("session_requests: 10", "session_requests: 1000").replace(&done_url(&yaml), &engine.url);
        let late = run(&yaml, &[], &[]);
        // The targets did unequal work: told, and invalid.
        assert_eq!(late.code, 4, "{}", late.err);
        assert!(late.err.contains("different amounts of work"), "{}", late.err);
        let native = late.measured("native");
        let refused: Vec<&Row> = native.iter().filter(|row| row["outcome"] != "ok").collect();
        assert_eq!(native.len(), 300);
        assert!(!refused.is_empty() && refused.len() < 30, "{}", refused.len());
        assert!(refused.iter().all(|row| row["error"].contains("rate limit exceeded")), "{refused:?}");
        assert!(late.measured("ollama").iter().all(|row| row["outcome"] == "ok"));
    }

    /// The address written in a scenario.
    fn done_url(yaml: &str) -> String {
        let at = yaml.find("http://").expect("an address");
        yaml[at..].split('"').next().expect("its end").to_owned()
    }

    #[test]
    fn what_it_could_not_do_is_refused_before_anything_is_sent() {
        let (dir, socket) = socket();
        let record = dir.path().join("record");
        let engine = StandIn::start(&["--socket", &socket, "--record", &record.display().to_string()]);
        let target = |more: &str| format!("g: {{ gg_core: {{ socket: \"{socket}\"{more} }} }}");
        let whole = format!("prompts: {INLINE}, stream: false, sampling: {{ max_tokens: 4 }}");
        let streamed = whole.replace("false", "true");
        let long = format!(
            "prompts: {{ inline: [ {{ text: \"{}\" }} ] }}, stream: false, sampling: {{ max_tokens: 100 }}",
            "word ".repeat(2100)
        );
        let system = format!("system: \"{}\", {whole}", "word ".repeat(2100));
        let embed = format!("prompts: {INLINE}");
        let few = ", max_connections: 4";
        for (task, more, workload, users, words) in [
            ("generate", few, &whole, 5, &["5 users need 5 connections", "max_connections"][..]),
            ("generate", few, &streamed, 4, &["4 users need 5 connections", "max_connections"]),
            ("generate", "", &long, 1, &["10500 bytes", "2048 tokens", "`batch`"]),
            ("embed", "", &embed, 1, &["only generates", "non-generation output"]),
            // A system message is a part of the prompt, and so is a template.
            ("generate", ", template: chatml", &system, 1, &["2048 tokens", "`batch`"]),
            ("generate", ", context: 24, template: chatml", &whole, 1, &["plus 4 output tokens: beyond 24 tokens"]),
            ("generate", few, &streamed, 0, &["5 requests in flight need 6 connections", "`load.open.in_flight`"]),
        ] {
            let load = format!("{{ users: {users}, requests: 10 }}");
            let mut yaml = scenario(task, &[&target(more)], workload, &load);
            if users == 0 {
                yaml = yaml.replace(&format!("closed: {load}"), "open: { rate: 20, duration: 1s, in_flight: 5 }");
            }
            let refused = run(&yaml, &[], &[]);
            assert_eq!(refused.code, 2, "{}", refused.err);
            assert!(words.iter().all(|word| refused.err.contains(word)), "{words:?}: {}", refused.err);
            assert!(!refused.dir.path().join("out").exists() && refused.out.is_empty());
        }
        let fits = run(&scenario("generate", &[&target(few)], &whole, "{ users: 4, requests: 10 }"), &[], &[]);
        assert_eq!(all_ok(&fits, "g"), 10);
        let bare =
            run(&scenario("generate", &[&target(", context: 24")], &whole, "{ users: 4, requests: 10 }"), &[], &[]);
        assert_eq!(all_ok(&bare, "g"), 10, "without a template, the same prompts fit");
        // Where nothing is written, an open loop has as many in flight as there are connections, less one for the streams.
        let open = "{ users: 4, requests: 10 }";
        let yaml = scenario("generate", &[&target(few)], &streamed, open);
        let yaml = yaml.replace(&format!("closed: {open}"), "open: { rate: 20, duration: 1s }");
        let open = run(&yaml, &[], &[]);
        assert_eq!((open.code, &open.report()["plan"]["load"]["open"]["in_flight"]), (0, &3.into()), "{}", open.err);
        // What is counted to the token isn't guessed: as text, 1,400 common words could be 2,000 tokens.
        let exact = "prompts: { synthetic: { count: 5, tokens: 1400 } }, stream: false, sampling: { max_tokens: 64 }";
        let other = format!("o: {{ openai: {{ url: \"{}\" }} }}", engine.url);
        let exact = run(&scenario("generate", &[&target(""), &other], exact, "{ users: 2, requests: 6 }"), &[], &[]);
        assert_eq!((all_ok(&exact, "g"), all_ok(&exact, "o")), (6, 6), "{}", exact.err);
        // The embedded engine is known wherever it runs.
        assert!(fits.out.contains("g (stand-in)"), "{}", fits.out);
        let real = run(&scenario("generate", &[&target("")], &whole, "{ users: 4, requests: 10 }"), &[], &["--real"]);
        assert_eq!(real.code, 3, "{}", real.err);
        assert!(real.err.contains("is a stand-in"), "{}", real.err);
    }

    #[test]
    fn a_wrong_token_is_told_and_never_tried_into_the_lock_out() {
        let (_dir, socket) = socket();
        let mut engine = StandIn::start_knowing("right", &["--socket", &socket, "--first-token-ms", "5"]);
        let target = format!("g: {{ gg_core: {{ socket: \"{socket}\", token: \"${{KEY}}\" }} }}");
        let workload = format!("prompts: {INLINE}, stream: false, sampling: {{ max_tokens: 2 }}");
        let yaml = scenario("generate", &[&target], &workload, "{ users: 8, requests: 16 }");
        let wrong = run(&yaml, &[("KEY", "wrong")], &[]);
        assert_eq!(wrong.code, 3, "{}", wrong.err);
        assert!(wrong.err.contains("`g`") && wrong.err.contains("Invalid handshake token"), "{}", wrong.err);
        assert!(!wrong.err.contains("wrong"), "no token in a message: {}", wrong.err);
        assert_eq!(all_ok(&run(&yaml, &[("KEY", "right")], &[]), "g"), 16, "nobody is locked out");

        // The server comes back with another token in mid-run: eight users, and fewer than five wrong tries.
        let dir = tempfile::tempdir().expect("a directory");
        let path = write(dir.path(), "t.yaml", &yaml.replace("requests: 16", "duration: 3s"));
        let samples = dir.path().join("out/samples.csv");
        let mut command = loadcmp();
        command
            .args(["run", "--full"])
            .arg(path)
            .arg("--out")
            .arg(dir.path().join("out"))
            .env("KEY", "right")
            .arg("--quiet");
        let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("a run");
        let begun = std::time::Instant::now();
        while std::fs::read_to_string(&samples).map_or(0, |text| text.lines().count()) < 20 {
            assert!(begun.elapsed().as_secs() < 90, "no rows");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        engine.kill();
        let engine = StandIn::start_knowing("other", &["--socket", &socket]);
        assert!(child.wait().expect("an end").success());
        let told = rows(&samples);
        assert!(told.iter().any(|row| row["outcome"] == "connect" && row["error"].contains("not retried")));
        assert_eq!(all_ok(&run(&yaml, &[("KEY", "other")], &[]), "g"), 16, "nobody is locked out");
        drop(engine);
    }

    #[test]
    fn streams_of_a_faithful_server_come_to_their_end() {
        let (_dir, socket) = socket();
        let _engine = StandIn::start(&["--socket", &socket, "--gg-faithful"]);
        let target = format!("g: {{ gg_core: {{ socket: \"{socket}\" }} }}");
        let workload = format!("prompts: {INLINE}, stream: true, sampling: {{ max_tokens: 60 }}");
        for users in [1, 4] {
            let load = format!("{{ users: {users}, requests: 40 }}");
            let done = run(&scenario("generate", &[&target], &workload, &load), &[], &[]);
            assert_eq!(all_ok(&done, "g"), 40);
            // What is held back says nothing of when it was made.
            let untimed = |row: &Row| row["first_token_us"].is_empty() && row["output_tokens"].is_empty();
            assert!(done.measured("g").iter().all(|row| untimed(row) && row["chunks"] != "0"));
            let inequalities = done.report()["plan"]["targets"][0]["inequalities"].to_string();
            assert!(inequalities.contains("holds back 128 characters"), "{inequalities}");
        }
    }

    #[test]
    fn json_over_a_unix_socket_is_json_over_tcp() {
        let (_dir, socket) = socket();
        let engine = StandIn::start(&[]);
        forward(&socket, engine.url.trim_start_matches("http://"));
        let json = |name: &str, place: String| {
            let body = "{ model: standin, prompt: \"{{prompt}}\", stream: true, options: { num_predict: \"{{max_tokens}}\" } }";
            let answer = "{ text: /response, done: /done, output_tokens: /eval_count }";
            format!(
                "{name}: {{ json: {{ {place}, path: /api/generate, stream: ndjson, body: {body}, answer: {answer} }} }}"
            )
        };
        let (a, b) = (json("a", format!("socket: \"{socket}\"")), json("b", format!("url: \"{}\"", engine.url)));
        let workload = format!("prompts: {INLINE}, sampling: {{ max_tokens: 5 }}");
        let done = run(&scenario("generate", &[&a, &b], &workload, "{ users: 2, requests: 20 }"), &[], &[]);
        assert_eq!((all_ok(&done, "a"), all_ok(&done, "b")), (20, 20));
        assert!(done.measured("a").iter().all(|row| row["output_tokens"] == "5" && !row["first_token_us"].is_empty()));
        assert!(done.out.contains("Unix socket"), "the difference of transports is told: {}", done.out);
    }

    /// A Unix socket in front of a TCP address.
    fn forward(socket: &str, address: &str) {
        let listener = std::os::unix::net::UnixListener::bind(socket).expect("a socket");
        let address = address.to_owned();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = std::net::TcpStream::connect(&address) else { return };
                let _ = far.set_nodelay(true);
                let (Ok(mut from), Ok(mut to)) = (near.try_clone(), far.try_clone()) else { return };
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let (mut from, mut to) = (far, near);
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut buffer) {
                        if to.write_all(&buffer[..read]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
    }
}

#[test]
fn json_runtimes_are_spoken_to_in_each_of_their_ways() {
    let dir = tempfile::tempdir().expect("a directory");
    let record = dir.path().join("record");
    let engine = StandIn::start(&["--record", &record.display().to_string()]);
    let json = |name: &str, path: &str, stream: &str, body: &str, answer: &str| {
        let url = &engine.url;
        format!(
            "{name}: {{ json: {{ url: \"{url}\", path: {path}, stream: {stream}, model: standin, body: {body}, answer: {answer} }} }}"
        )
    };
    let generate = |stream: bool| {
        format!(
            "{{ model: \"{{{{model}}}}\", prompt: \"{{{{prompt}}}}\", stream: {stream}, \
             options: {{ num_predict: \"{{{{max_tokens}}}}\", temperature: \"{{{{temperature}}}}\", seed: \"{{{{seed}}}}\" }} }}"
        )
    };
    let timed = "server_total: /total_duration, time_unit: ns, finish: /done_reason, prompt_tokens: /prompt_eval_count";
    let answer = format!("{{ text: /response, done: /done, output_tokens: /eval_count, {timed} }}");
    let whole = json("whole", "/api/generate", "none", &generate(false), &answer);
    let lines = json("lines", "/api/generate", "ndjson", &generate(true), &answer);
    let events = json(
        "events",
        "/v1/completions",
        "sse",
        "{ model: \"{{model}}\", prompt: \"{{prompt}}\", stream: true, max_tokens: \"{{max_tokens}}\" }",
        "{ text: /choices/0/text, finish: /choices/0/finish_reason }",
    );
    let workload = format!("prompts: {INLINE}, format: raw, sampling: {{ max_tokens: 5 }}");
    let yaml = scenario("generate", &[&whole, &lines, &events], &workload, "{ users: 2, requests: 12 }");
    let done = run(&yaml, &[], &[]);
    for name in ["whole", "lines", "events"] {
        assert_eq!(all_ok(&done, name), 12);
        let samples = done.measured(name);
        assert!(samples.iter().all(|row| row["finish"] == "length"), "{name}: {samples:?}");
        let told = if name == "events" { "" } else { "5" };
        assert!(samples.iter().all(|row| row["output_tokens"] == told && row["http_status"] == "200"), "{name}");
        assert_eq!(samples.iter().all(|row| row["server_total_us"].is_empty()), name == "events");
        assert_eq!(samples.iter().all(|row| row["first_token_us"].is_empty()), name == "whole", "{name}");
        assert_eq!(identities(&samples), identities(&done.measured("whole")));
    }
    assert!(done.out.contains("stand-in"), "the embedded engine is known behind this wire, too: {}", done.out);
    let inequalities = done.report()["plan"]["targets"][2]["inequalities"].to_string();
    assert!(inequalities.contains("`temperature` isn't sent"), "{inequalities}");

    // Messages, and vectors.
    let chat = json(
        "chat",
        "/v1/chat/completions",
        "sse",
        "{ model: \"{{model}}\", messages: \"{{messages}}\", stream: true, max_tokens: \"{{max_tokens}}\" }",
        "{ text: /choices/0/delta/content }",
    );
    let ollama = format!("ollama: {{ ollama: {{ url: \"{}\" }} }}", engine.url);
    let conversations = "prompts: { synthetic: { count: 3, words: { fixed: 5 }, turns: 3 } }, system: Be brief., sampling: { max_tokens: 3 }";
    let done = run(&scenario("chat", &[&chat, &ollama], conversations, "{ users: 2, requests: 4 }"), &[], &[]);
    assert_eq!((all_ok(&done, "chat"), all_ok(&done, "ollama")), (12, 12));
    assert_eq!(identities(&done.measured("chat")), identities(&done.measured("ollama")));
    let vector = json(
        "vector",
        "/api/embed",
        "none",
        "{ model: \"{{model}}\", input: \"{{prompt}}\" }",
        "{ embedding: /embeddings/0 }",
    );
    let done = run(
        &scenario("embed", &[&vector, &ollama], &format!("prompts: {INLINE}"), "{ users: 1, requests: 6 }"),
        &[],
        &[],
    );
    assert_eq!((all_ok(&done, "vector"), all_ok(&done, "ollama")), (6, 6));
    assert!(done.measured("vector").iter().all(|row| row["dimensions"] == "384"));
    assert!(done.out.contains("cosine"), "{}", done.out);
    drop(engine);
    let (openai, ollama) = (asked(&record, "openai"), asked(&record, "ollama"));
    assert_eq!(openai["/v1/chat/completions"], ollama["/api/chat"], "the same messages");
}

#[test]
fn openai_servers_are_asked_the_same_as_ollama() {
    for (task, format, ours, theirs) in [
        ("generate", "chat", "/v1/chat/completions", "/api/chat"),
        ("generate", "raw", "/v1/completions", "/api/generate"),
        ("embed", "chat", "/v1/embeddings", "/api/embed"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let record = dir.path().join("record");
        let engine = StandIn::start(&["--record", &record.display().to_string()]);
        let (a, b) = (
            format!("a: {{ openai: {{ url: \"{}\" }} }}", engine.url),
            format!("b: {{ ollama: {{ url: \"{}\" }} }}", engine.url),
        );
        let more =
            if task == "embed" { String::new() } else { format!(", format: {format}, sampling: {{ max_tokens: 3 }}") };
        let yaml = scenario(task, &[&a, &b], &format!("prompts: {INLINE}{more}"), "{ users: 2, requests: 12 }");
        let done = run(&yaml, &[], &[]);
        assert_eq!((all_ok(&done, "a"), all_ok(&done, "b")), (12, 12), "{task} {format}");
        assert_eq!(identities(&done.measured("a")), identities(&done.measured("b")));
        drop(engine);
        let (openai, ollama) = (asked(&record, "openai"), asked(&record, "ollama"));
        let (Some(ours), Some(theirs)) = (openai.get(ours), ollama.get(theirs)) else {
            panic!("{task} {format}: {:?} {:?}", openai.keys(), ollama.keys())
        };
        assert_eq!(ours.len(), 13, "{task} {format}");
        assert_eq!(ours, theirs, "{task} {format}");
    }
}

/// An Ollama that has no model.
fn bare_ollama() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut lines = BufReader::new(socket.try_clone().expect("a handle")).lines().map_while(Result::ok);
            let asked = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let body = if asked.contains("/api/version") { r#"{"version":"0.11.4"}"# } else { r#"{"models":[]}"# };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let _ = write!(socket, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = socket.flush();
            let _ = socket.read(&mut [0; 1]);
        }
    });
    address
}

#[test]
fn an_ollama_without_a_model_is_told_how_to_get_one() {
    let address = bare_ollama();
    let target = format!("ollama: {{ ollama: {{ url: \"{address}\" }} }}");
    for (task, example) in [("generate", "ollama pull qwen3:0.6b"), ("embed", "ollama pull all-minilm")] {
        let more = if task == "embed" { "" } else { ", sampling: { max_tokens: 2 }" };
        let yaml = scenario(task, &[&target], &format!("prompts: {INLINE}{more}"), "{ users: 1, requests: 3 }");
        // The address was typed: no stand-in takes its place, asked for or not.
        for more in [&[][..], &["--real"]] {
            let done = run(&yaml, &[], more);
            assert_eq!(done.code, 3, "{}", done.err);
            assert!(done.err.contains(example) && !done.err.contains("STAND-IN"), "{}", done.err);
            assert!(done.out.is_empty(), "{}", done.out);
        }
        let named = run(&yaml, &[], &["--set", "targets.ollama.ollama.model=mine"]);
        assert_eq!(named.code, 3, "{}", named.err);
        assert!(named.err.contains("no model `mine`") && named.err.contains("ollama pull"), "{}", named.err);
    }
}
