//! What came from the environment or from a file stands nowhere: not in a file, not in what is printed, not on a command line.
//! Every value here has a mark in it, and whatever was written is searched for the mark.

use crate::cli::{StandIn, loadcmp, text, write};
use crate::raw::{Do, Raw, response};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

/// Stands in every value. Base64 has no dash, so no histogram has it by chance.
const MARK: &str = "zq9-v";

/// The variables: a value each, of its own.
const NAMES: [&str; 25] = [
    "ABOUT",
    "SYSTEM",
    "PROMPT",
    "STOP",
    "OPTION",
    "PROCESS",
    "EXTRA",
    "DEEP",
    "MODEL",
    "PATHWORD",
    "HEADER",
    "BODY",
    "POINTER",
    "PREFIX",
    "CLI",
    "BEARER",
    "LABEL",
    "INSTRUCTION",
    "BASELINE",
    "SWEPT",
    "CHECK",
    "CATEGORY",
    "CANNOT",
    "USERS",
    "MY_API_KEY",
];

fn value(name: &str) -> String {
    format!("{MARK}-{}-4711", name.to_lowercase().replace('_', "-"))
}

fn program(dir: &Path, args: &[&str]) -> Output {
    let mut command = loadcmp();
    command.current_dir(dir).args(args).env("COLUMNS", "180");
    for name in NAMES {
        command.env(name, value(name));
    }
    command.output().expect("loadcmp")
}

/// What it printed, which has no value in it; its exit code.
fn clean(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = program(dir, args);
    let (out, err) = text(&output);
    assert!(!out.contains(MARK), "{args:?} prints a value:\n{}", around(&out));
    assert!(!err.contains(MARK), "{args:?} says a value:\n{}", around(&err));
    (output.status.code().unwrap_or(-1), out, err)
}

/// The first lines with a value.
fn around(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.find(MARK).map(|at| (line, at)));
    let cut = |(line, at): (&str, usize)| line.chars().skip(at.saturating_sub(80)).take(200).collect::<String>();
    lines.take(5).map(cut).collect::<Vec<_>>().join("\n")
}

/// Every file below a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.is_file() {
            all.push(path);
        }
    }
    all
}

/// That no file has a value in it, nor in its name.
fn nothing_in(dir: &Path) {
    for path in files(dir) {
        assert!(!path.display().to_string().contains(MARK), "{}", path.display());
        let bytes = std::fs::read(&path).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        let planted = path.extension().is_some_and(|ending| ending == "secret");
        assert!(planted || !text.contains(MARK), "{}:\n{}", path.display(), around(&text));
    }
}

/// A server that repeats what it was sent: as an error every third time, and within its answer.
fn parrot() -> Raw {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Raw::start_by_body(move |body| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if number % 3 == 2 {
            let told = serde_json::json!({ "error": format!("{}{body}", "not allowed: ".repeat(5)) });
            return Do::Reply(response("401 Unauthorized", "", &told.to_string()));
        }
        let pointer = value("POINTER");
        let told = serde_json::json!({ pointer: format!("what is {}", value("PROMPT")), "finish": value("STOP") });
        Do::Reply(response("200 OK", "", &told.to_string()))
    })
}

fn target(parrot: &Raw) -> String {
    format!(
        "{{ json: {{ url: \"{}/${{PREFIX}}\", path: \"/x/${{PATHWORD}}\", model: \"${{MODEL}}\", headers: {{ X-Key: \"${{HEADER}}\", \
         Authorization: \"Bearer ${{file:bearer.secret}}\" }}, body: {{ p: \"{{{{prompt}}}}\", m: \"{{{{model}}}}\", k: \
         \"${{BODY}}\", deep: [ {{ x: \"a ${{DEEP}} b\" }} ] }}, answer: {{ text: \"/${{POINTER}}\", finish: /finish }}, process: {{ name: \
         \"${{PROCESS}}\" }} }} }}",
        parrot.url
    )
}

fn generate(engine: &StandIn, socket: &Path, parrot: &Raw) -> String {
    let url = &engine.url;
    format!(
        "name: planted\nallow_same_endpoint: true\nabout: \"About ${{ABOUT}}\"\ntask: generate\ntargets:\n  a: {{ ollama: {{ url: \"{url}\", options: {{ word: \
         \"${{OPTION}}\" }} }} }}\n  b: {{ openai: {{ url: \"{url}\", token: \"${{BEARER}}\", extra: {{ \
         user: \"${{EXTRA}}\", deep: {{ list: [\"${{DEEP}}\"] }} }}, metrics: \"{url}/${{PREFIX}}\" }} }}\n  c: {{ gg_core: {{ socket: \"{}\", token: \"${{BEARER}}\" }} \
         }}\n  d: {}\nreference: a\nworkload:\n  prompts: {{ inline: [ {{ text: \"say ${{PROMPT}}\" }}, {{ text: two }} ] }}\n  \
         sampling: {{ max_tokens: 4, stop: [\"${{STOP}}\"] }}\n  stream: false\nload: {{ closed: {{ users: 1, requests: 12 }} }}\n",
        socket.display(),
        target(parrot)
    )
}

#[test]
fn a_value_that_is_sent_on_every_wire_stands_in_nothing_that_a_run_leaves_or_prints() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let socket = at.join("gg.sock");
    let parrot = parrot();
    let engine =
        StandIn::start_knowing(&value("BEARER"), &["--first-token-ms", "2", "--socket", socket.to_str().unwrap()]);
    write(at, "bearer.secret", &format!("{}\n", value("BEARER")));
    write(at, "t.yaml", &generate(&engine, &socket, &parrot));

    let (code, plan, err) = clean(at, &["check", "t.yaml"]);
    assert_eq!(code, 0, "{plan}{err}");
    let set = "targets.d.json.body.more=${CLI}";
    // As a shell would have put it there.
    let by_shell = format!("targets.d.json.body.key={}", value("MY_API_KEY"));
    let run = ["run", "t.yaml", "--out", "out", "--set", set, "--set", &by_shell];
    let (code, table, err) = clean(at, &run);
    assert!([0, 4].contains(&code), "{code}: {table}{err}");
    parrot.seen(|seen| {
        let body = &seen.posts.last().expect("a request").body;
        for name in ["BODY", "DEEP", "MODEL", "CLI", "MY_API_KEY"] {
            assert!(body.contains(&value(name)), "{name} was not sent: {body}");
        }
    });
    nothing_in(&at.join("out"));
    let manifest = std::fs::read_to_string(at.join("out/manifest.json")).unwrap();
    for shown in ["${BODY}", "a ${DEEP} b", "${EXTRA}", "${OPTION}", "say", "/x/${PATHWORD}", "${MODEL}", "/***"] {
        assert!(shown == "say" || manifest.contains(shown), "{shown} is not shown:\n{manifest}");
    }
    assert!(
        manifest.contains("--set 'targets.d.json.body.more=${CLI}'") || manifest.contains("more=${CLI}"),
        "{manifest}"
    );
    let failures = std::fs::read_to_string(at.join("out/samples.csv")).unwrap();
    assert!(failures.contains("${BODY}") && failures.contains("not allowed"), "{failures}");

    // Told again it is the same, to the byte; and so is whatever reads it.
    let told = |out: &str| -> BTreeMap<PathBuf, Vec<u8>> {
        files(&at.join(out)).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let before = told("out");
    clean(at, &["report", "out"]);
    for (path, bytes) in told("out") {
        assert!(before[&path] == bytes, "{} is told otherwise", path.display());
    }
    for format in ["json", "csv", "markdown"] {
        clean(at, &["report", "out", "--format", format]);
    }
    clean(at, &["compare", "out", "out"]);
    clean(at, &["history", "."]);
    clean(at, &["trend", "latency.p50", ".", "--target", "d"]);
    nothing_in(at);
}

#[test]
fn a_value_in_a_prompt_is_shown_as_it_was_written_however_short_it_is() {
    // Too short to be looked for in every text: a word of five letters, and a number of eight digits.
    let (word, number) = ("zq9vk", "48151623");
    let engine = StandIn::start(&["--first-token-ms", "1"]);
    let target = format!("targets:\n  a: {{ ollama: {{ url: \"{}\" }} }}\n", engine.url);
    let load = "load: { closed: { users: 1, requests: 4 } }\nkeep_answers: all\n";
    let inline = "prompts: { inline: [ { text: \"say ${W} now\" }, { text: \"and ${N}\" } ] }";
    let turns =
        "prompts: { inline: [ { turns: [ { user: \"say ${W}\", assistant: \"${N}\" }, { user: \"and ${N}\" } ] } ] }";
    let made = "prompts: { synthetic: { count: 4, words: { fixed: 5 } } }";
    let tokens = "prompts: { synthetic: { count: 4, tokens: { fixed: 60 } } }";
    let instruction = "instruction: \"by ${W}: {text} ${N}\"";
    for (task, workload, shown) in [
        ("generate", inline.to_owned(), "say ${W} now"),
        ("generate", format!("{inline}, {instruction}"), "by ${W}: say ${W} now ${N}"),
        ("generate", format!("{made}, {instruction}"), "by ${W}: "),
        ("generate", format!("{tokens}, {instruction}"), "by ${W}: "),
        ("chat", turns.to_owned(), "and ${N}"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let yaml =
            format!("name: t\ntask: {task}\n{target}workload: {{ {workload}, sampling: {{ max_tokens: 4 }} }}\n{load}");
        write(dir.path(), "t.yaml", &yaml);
        let mut command = loadcmp();
        command.current_dir(dir.path()).args(["run", "t.yaml", "--out", "out"]).env("W", word).env("N", number);
        let output = command.output().expect("loadcmp");
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(0), "{workload}: {out}{err}");
        for path in files(dir.path()) {
            let written = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
            assert!(!written.contains(word) && !written.contains(number), "{workload}: {}", path.display());
        }
        assert!(!format!("{out}{err}").contains(word), "{workload}: {out}{err}");
        let kept = std::fs::read_to_string(dir.path().join("out/answers.jsonl")).unwrap();
        let prompts: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(prompts.iter().any(|line| line["prompt"].as_str().unwrap().contains(shown)), "{workload}: {kept}");
    }
}

/// A server that lists no models, and repeats what it is asked to render: once so that a cut goes through the value.
fn repeater() -> Raw {
    let told = |head: &str| {
        head.starts_with("GET /props").then(|| response("200 OK", "", r#"{"total_slots":1,"build_info":"b1"}"#))
    };
    Raw::start_telling(told, |body| {
        let told = if body.contains("add_generation_prompt") {
            let (before, after) = ("x".repeat(1990), "y".repeat(3000));
            serde_json::json!({ "prompt": format!("{before}{}{after}{body}", value("DEEP")) })
        } else {
            let message = serde_json::json!({ "role": "assistant", "content": "two words" });
            serde_json::json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
                                "usage": { "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5 } })
        };
        Do::Reply(response("200 OK", "", &told.to_string()))
    })
}

#[test]
fn a_model_on_trust_and_a_template_that_repeats_what_was_sent_show_no_value() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let (repeater, engine) = (repeater(), StandIn::start(&["--first-token-ms", "2", "--decode-rate", "0"]));
    let yaml = format!(
        "name: told\ntask: generate\ntargets:\n  a: {{ openai: {{ url: \"{}\", model: \"${{MODEL}}\", extra: {{ chat_template_kwargs: \
         {{ word: \"${{DEEP}}\" }} }} }} }}\n  b: {{ openai: {{ url: \"{}\" }} }}\nworkload: {{ prompts: {{ inline: [ {{ text: one \
         }} ] }}, sampling: {{ max_tokens: 2 }}, stream: false }}\nload: {{ closed: {{ users: 1, requests: 8 }} }}\n",
        repeater.url, engine.url
    );
    write(at, "t.yaml", &yaml);
    let (code, told, err) = clean(at, &["check", "t.yaml"]);
    assert_eq!(code, 0, "{told}{err}");
    let (code, told, err) = clean(at, &["run", "t.yaml", "--out", "out"]);
    assert!([0, 4].contains(&code), "{code}: {told}{err}");
    nothing_in(at);
    let manifest = std::fs::read_to_string(at.join("out/manifest.json")).unwrap();
    assert!(manifest.contains("`${MODEL}` is used without a check"), "{manifest}");
    assert!(manifest.contains(&format!("{}${{DEEP}}", "x".repeat(1990))), "{manifest}");
}

#[test]
fn labels_schedules_sweeps_suites_and_searches_show_no_value_either() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let engine = StandIn::start(&["--first-token-ms", "2", "--decode-rate", "0"]);
    let url = &engine.url;
    let base = |task: &str, workload: &str, load: &str| {
        format!(
            "name: base\nallow_same_endpoint: true\nabout: \"${{ABOUT}}\"\ntask: {task}\nslo: latency.p50 <= 900ms\ntargets:\n  a: {{ openai: {{ url: \"{url}\", extra: {{ user: \"${{EXTRA}}\" }} }} }}\n  b: {{ \
             ollama: {{ url: \"{url}\" }} }}\nworkload: {{ {workload} }}\nload: {load}\n"
        )
    };
    let text_of = "system: \"be ${SYSTEM}\", prompts: { inline: [ { text: one } ] }, sampling: { max_tokens: 2 }";
    let closed = "{ closed: { users: 1, requests: 8 } }";

    let labels = "instruction: \"{text} ${INSTRUCTION}\", labels: [\"${LABEL}\", other], prompts: { inline: [ { text: one, label: \
                  \"${LABEL}\" }, { text: two, label: other } ] }";
    write(at, "labels.yaml", &base("classify", labels, closed));
    let (code, table, err) = clean(at, &["run", "labels.yaml", "--out", "r/labels", "--confusion"]);
    assert!([0, 4].contains(&code), "{table}{err}");
    let rows = std::fs::read_to_string(at.join("r/labels/samples.csv")).unwrap();
    assert!(rows.contains("${LABEL}"), "{rows}");
    let (again, ..) = clean(at, &["report", "r/labels"]);
    assert_eq!(again, code);

    std::fs::create_dir(at.join(value("SWEPT"))).unwrap();
    std::fs::write(at.join(value("SWEPT")).join("trace.csv"), "offset_s\n0\n0.1\n0.2\n").unwrap();
    write(at, "trace.yaml", &base("generate", text_of, "{ open: { trace: { path: \"${SWEPT}/trace.csv\" } } }"));
    let (code, table, err) = clean(at, &["run", "trace.yaml", "--out", "r/trace"]);
    assert!([0, 4].contains(&code), "{table}{err}");
    assert!(table.contains("${SWEPT}/trace.csv"), "{table}");

    write(at, "base.yaml", &base("generate", text_of, closed));
    let swept = "targets.a.openai.extra.user=[\"${SWEPT}\", \"plain\"]";
    let (code, table, err) = clean(at, &["run", "base.yaml", "--sweep", swept, "--out", "r/sweep"]);
    assert!([0, 4].contains(&code), "{table}{err}");

    let suite = "name: t\nabout: \"${ABOUT}\"\nset: { targets.a.openai.extra.more: \"${DEEP}\" }\nscenarios:\n  one: { file: \
                 base.yaml }\nchecks:\n  - { name: \"${CHECK}\", category: \"${CATEGORY}\", scenario: one, gate: errors == 0 }\n  - { \
                 name: x, category: y, cannot: \"${CANNOT}\" }\n";
    write(at, "s.yaml", suite);
    for night in ["n1", "n2"] {
        let (code, table, err) =
            clean(at, &["nightly", "s.yaml", "--judge-stand-ins", "--results", "r/nights", "--night", night]);
        assert_eq!(code, 0, "{table}{err}");
    }
    clean(at, &["report", "r/nights/n2"]);

    let search = [
        "capacity",
        "base.yaml",
        "--by",
        "users",
        "--most",
        "2",
        "--probe",
        "300ms",
        "--budget",
        "20s",
        "--out",
        "r/search",
    ];
    let (code, table, err) = clean(at, &search);
    assert!([0, 4, 5].contains(&code), "{code}: {table}{err}");

    // A baseline, by a path that the environment names.
    write(at, "held.yaml", &format!("{}baseline: \"${{BASELINE}}.json\"\n", base("generate", text_of, closed)));
    let (code, _, err) = clean(at, &["run", "held.yaml", "--out", "r/unheld"]);
    assert_eq!(code, 2, "{err}");
    let (code, _, err) = clean(at, &["run", "base.yaml", "--out", "r/kept", "-q"]);
    assert!([0, 4].contains(&code), "{err}");
    if code == 0 {
        clean(at, &["baseline", "save", "b", "r/kept", "--reason", "x", "--stand-ins"]);
        std::fs::copy(at.join("baselines/b.json"), at.join(format!("{}.json", value("BASELINE")))).unwrap();
        let (code, table, err) = clean(at, &["run", "held.yaml", "--out", "r/held"]);
        assert!([0, 4].contains(&code), "{table}{err}");
        clean(at, &["baseline", "list"]);
    }
    nothing_in(&at.join("r"));
}

#[test]
fn no_mistake_and_no_refusal_tells_a_value() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let engine = StandIn::start(&[]);
    let url = &engine.url;
    let yaml = |more: &str| {
        format!(
            "name: t\ntask: generate\ntargets:\n  a: {{ openai: {{ url: \"{url}\" }} }}\nworkload: {{ prompts: {{ inline: [ {{ text: x }} ] \
             }} }}\nload: {{ closed: {{ users: 1, requests: 4 }} }}\n{more}"
        )
    };
    write(at, "t.yaml", &yaml(""));
    for (set, expected, told) in [
        ("load.closed.users=${USERS}", 2, "not what `USERS` holds"),
        ("order=${USERS}", 2, "not what `USERS` holds"),
        ("timeout=${USERS}", 2, "not what `USERS` holds"),
        ("reference=${USERS}", 2, "`reference` names no target"),
        ("gates=[\"a.latency.p50 <= ${USERS}\"]", 2, ""),
        ("slo=${USERS} <= 3", 2, ""),
        ("baseline=${BASELINE}", 2, "no baseline"),
        ("targets.a.openai.url=http://u:${BEARER}@box", 2, "password"),
        ("targets.a.openai.url=http://127.0.0.1:${BEARER}", 2, "port"),
        ("targets.a.openai.url=http://127.0.0.1:1/${PREFIX}", 3, ""),
        ("targets.a.openai.model=${MODEL}", 3, "no model `${MODEL}`"),
        ("workload.prompts={csv: {path: \"${PATHWORD}.csv\"}}", 2, "no file ${PATHWORD}.csv"),
        ("targets.a.openai.keep=${EXTRA}", 2, "unknown field"),
        ("name=${ABOUT}", 2, "`name` appears in every file"),
        ("start={a: [nosuch, --key, \"${BEARER}\"]}", 2, "in its arguments"),
        ("cold_start={restart: {a: [nosuch, \"${BEARER}\"]}}", 2, "in its arguments"),
        ("start={a: [\"${PROCESS}\"]}", 2, "--allow-commands"),
    ] {
        let (code, _, err) = clean(at, &["run", "t.yaml", "--out", "out", "--set", set]);
        assert_eq!(code, expected, "{set}: {err}");
        assert!(err.contains(told), "{set}: {err}");
    }
    let (code, _, err) = clean(
        at,
        &[
            "run",
            "t.yaml",
            "--set",
            "targets.a.openai.url=http://127.0.0.1:1",
            "--set",
            "start={a: [\"${PROCESS}\"]}",
            "--allow-commands",
        ],
    );
    assert_eq!(code, 3, "{err}");
    nothing_in(at);
}

/// What every process of this user was called by.
#[cfg(target_os = "linux")]
fn command_lines() -> Vec<String> {
    let pids = std::fs::read_dir("/proc").expect("/proc").flatten();
    pids.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn no_process_is_called_by_a_value_while_a_run_lasts() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    // The stand-in that takes the place of an engine gets its token; the engine that is started reads its own.
    let yaml = "name: t\ntask: generate\ntargets:\n  a: { gg_core: { token: \"${BEARER}\", socket: auto } }\n  b: { openai: { url: auto, \
                extra: { user: \"${EXTRA}\" } } }\nworkload: { prompts: { inline: [ { text: \"${PROMPT}\" } ] } }\nload: { \
                closed: { users: 1, duration: 2s } }\n";
    write(at, "t.yaml", yaml);
    let mut command = loadcmp();
    command.current_dir(at).args(["run", "t.yaml", "--out", "out", "-q"]);
    for name in NAMES {
        command.env(name, value(name));
    }
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut seen = 0;
    while child.try_wait().unwrap().is_none() {
        // Another test of this program has a shell's argument with a value in it.
        for line in command_lines().iter().filter(|line| !line.contains(&value("MY_API_KEY"))) {
            assert!(!line.contains(MARK), "{line}");
            seen += usize::from(line.contains("--until-stdin-closes"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(seen > 0, "no stand-in was seen");
    nothing_in(&at.join("out"));
}
