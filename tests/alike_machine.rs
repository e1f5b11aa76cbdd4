//! Whether two sides are alike in how they were started, and whose memory is counted: an Ollama that keeps a process for each
//! model, and says how it loaded one only once it has.

#![cfg(target_os = "linux")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/fake_ollama.rs"]
mod fake_ollama;
#[path = "common/raw.rs"]
mod raw;

use cli::{StandIn, json, loadcmp, number, rows, text, write};
use fake_ollama::{BLOB_BYTES, FakeOllama, Model};
use serde_json::Value;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

const MIB: f64 = 1_048_576.0;

/// One test at a time: what another starts would be this process's, as the server's children are.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs models of one server against each other, and gives the results directory's report.
fn run(dir: &Path, server: &FakeOllama, models: &[&str], load: &str) -> Value {
    let target =
        |name: &&str| format!("  {name}: {{ ollama: {{ url: \"{}\", model: \"{name}:latest\" }} }}\n", server.url);
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n{}workload: {{ prompts: {{ inline: [ {{ text: one }} ] }}, sampling: {{ max_tokens: 3 }} }}\n\
         load: {{ closed: {{ users: 2, {load}, warmup: 200ms }} }}\n",
        models.iter().map(target).collect::<String>()
    );
    let path = write(dir, "t.yaml", &yaml);
    let output = loadcmp().arg("run").arg(path).arg("--out").arg(dir.join("out")).output().expect("a run");
    assert!(output.status.success(), "{}", text(&output).1);
    json(&dir.join("out/report.json"))
}

fn found<'a>(report: &'a Value, id: &str) -> &'a Value {
    let all = report["findings"].as_array().expect("findings");
    all.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id}: {all:#?}"))
}

fn setting(facts: &Value, name: &str) -> (String, String) {
    let all = facts["settings"].as_array().unwrap_or_else(|| panic!("{facts}"));
    let found = all.iter().find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("no {name}: {facts}"));
    (found["value"].as_str().expect("text").to_owned(), found["by"].as_str().expect("text").to_owned())
}

#[test]
fn each_model_of_a_server_has_its_own_process_and_settings() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let a = Model {
        hex: 'a',
        shown: true,
        mib: 20,
        options: "--port 1 -c 4096 -np 2 -t 1 -b 512 -ub 512 --flash-attn on --cache-ram 0",
        context: 2048,
        ..Model::default()
    };
    let b = Model {
        hex: 'b',
        mib: 150,
        options: "--port 2 --ctx-size=1024 --parallel 1 --threads 2 -b 2048 --flash-attn off -ctk q8_0 -ctv q8_0",
        context: 1024,
        ..a.clone()
    };
    let c = Model { hex: 'c', mib: 100, options: "--port 3 -c 512", ..a.clone() };
    let server = FakeOllama::start(dir.path(), &[("a:latest", a), ("b:latest", b), ("c:latest", c)]);
    // Another's child is there before the run; those of the two are started by their first requests.
    server.load("c:latest");
    let report = run(dir.path(), &server, &["a", "b"], "duration: 2s");

    let facts = |at: usize| &report["plan"]["targets"][at]["facts"];
    assert_eq!((&facts(0)["context"], &facts(0)["slots"]), (&Value::from(2048), &Value::from(2)), "{}", facts(0));
    assert_eq!((&facts(1)["context"], &facts(1)["slots"]), (&Value::from(1024), &Value::from(1)), "{}", facts(1));
    // The list of models says what all of a model's files take together; its weights' file is there to be looked at.
    assert_eq!((&facts(0)["size_bytes"], &facts(0)["size_of"]), (&Value::from(BLOB_BYTES), &Value::from("the file")));
    let told = |at: usize, name: &str| setting(facts(at), name);
    let by = |value: &str, by: &str| (value.to_owned(), by.to_owned());
    assert_eq!((told(0, "threads"), told(1, "threads")), (by("1", "command line"), by("2", "command line")));
    assert_eq!((told(1, "ubatch"), told(0, "kv_cache_k")), (by("512", "default"), by("f16", "default")));
    assert_eq!(
        (told(0, "cache_ram_mib"), told(1, "cache_ram_mib")),
        (by("0", "command line"), by("512", "environment"))
    );
    for (id, words) in [
        ("context-length", "a 2048, b 1024"),
        ("slots", "a 2, b 1"),
        ("threads", "a 1, b 2"),
        ("batch", "a 512 (physical 512), b 2048 (physical 512)"),
        ("flash-attention", "a on, b off"),
        ("kv-cache-type", "a f16, b q8_0"),
    ] {
        let sentence = found(&report, id)["sentence"].as_str().expect("a sentence");
        assert!(
            sentence.contains(words) && sentence.contains("To make them equal: llama-server `-"),
            "{id}: {sentence}"
        );
    }
    assert!(report["findings"].as_array().expect("findings").iter().all(|finding| finding["id"] != "which-process"));

    // Each has the memory of its own model's process; what the others hold stands beside it.
    let out = dir.path().join("out");
    let manifest = json(&out.join("manifest.json"));
    let used = |at: usize, what: &str| {
        manifest["conditions"]["targets"][at][what].as_f64().unwrap_or_else(|| panic!("{what}: {manifest}"))
    };
    let [a, b, c] = ["a:latest", "b:latest", "c:latest"].map(|model| server.resident(model));
    let more = used(1, "peak_bytes") - used(0, "peak_bytes");
    assert!((more - (b - a)).abs() < 0.15 * (b - a), "{more} more, and {} are", b - a);
    assert!(used(0, "peak_bytes") > a && used(0, "peak_bytes") < b, "{} against {a}", used(0, "peak_bytes"));
    assert!(used(0, "other_models_bytes") > 0.9 * (b + c), "{} of {}", used(0, "other_models_bytes"), b + c);
    assert!(used(0, "rest_bytes") < 0.9 * c, "another's model is no part of what it holds at rest");
    let summary = rows(&out.join("summary.csv"));
    let ratio = summary.iter().find(|row| row["target"] == "a" && row["metric"] == "memory_ratio").expect("a ratio");
    let of = used(0, "peak_bytes") / BLOB_BYTES as f64;
    assert!((number(ratio, "mean").expect("a figure") / of - 1.0).abs() < 1e-3, "{of}: {ratio:?}");
    let resources = rows(&out.join("resources.csv"));
    assert!(
        resources.iter().any(|row| row["who"] == "b" && number(row, "other_models_bytes").is_some()),
        "{resources:?}"
    );
    let page = std::fs::read_to_string(out.join("report.md")).expect("a report");
    assert!(page.contains("Other models of a's server:"), "{page}");
    assert!(page.contains("threads ≠ a 1 (command line), b 2 (command line)"), "{page}");
    let page = std::fs::read_to_string(out.join("report.html")).expect("a report");
    assert!(page.contains("threads ≠") && page.contains("1 (command line)"), "the settings are a table");

    // No other value of an environment is kept anywhere; told again, the facts are the same.
    for file in std::fs::read_dir(&out).expect("a folder").flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("hush-this"), "{}", file.path().display());
    }
    assert!(loadcmp().arg("report").arg(&out).output().expect("a report").status.success());
    assert_eq!(json(&out.join("report.json")), report);
}

#[test]
fn a_cache_that_grows_is_told_with_its_switch_and_what_cannot_be_told_apart_is_all_counted() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let grows =
        Model { hex: 'd', mib: 20, more: Some((80, 2)), shown: true, options: "-c 512 -np 1", ..Model::default() };
    let server = FakeOllama::start(dir.path(), &[("d:latest", grows.clone())]);
    let report = run(dir.path(), &server, &["d"], "duration: 5s");
    let sentence = found(&report, "prompt-cache-growth")["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("up to 512 MiB") && sentence.contains("`LLAMA_ARG_CACHE_RAM=0`"), "{sentence}");
    assert_eq!(found(&report, "prompt-cache-growth")["severity"], "note");

    // Nothing says which of the two serves the model.
    let dir = tempfile::tempdir().expect("a directory");
    let e = Model { hex: 'e', mib: 20, more: None, shown: false, ..grows };
    let server =
        FakeOllama::start(dir.path(), &[("e:latest", e.clone()), ("f:latest", Model { hex: 'f', mib: 100, ..e })]);
    server.load("f:latest");
    let report = run(dir.path(), &server, &["e"], "requests: 40");
    assert_eq!(found(&report, "which-process")["severity"], "warning");
    let manifest = json(&dir.path().join("out/manifest.json"));
    let peak = manifest["conditions"]["targets"][0]["peak_bytes"].as_f64().expect("a peak");
    assert!(peak > server.resident("e:latest") + server.resident("f:latest"), "{} MiB", peak / MIB);
}

#[test]
fn the_settings_in_an_engines_environment_are_recorded_and_its_secrets_are_not() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("core.sock");
    let variables = [
        ("GG_CORE_MAX_QUEUE_DEPTH", "77"),
        ("GG_CORE_MAX_CONTEXT_TOKENS", "4096"),
        ("GG_CORE_ADMIN_TOKEN", "hush-this-is-secret"),
        ("OLLAMA_NUM_PARALLEL", "9"),
    ];
    let engine = StandIn::start_in(&variables, &["--socket", &socket.display().to_string()]);
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  core: {{ gg_core: {{ socket: \"{}\" }} }}\n  other: {{ ollama: {{ url: \"{}\" }} }}\n\
         workload: {{ prompts: {{ inline: [ {{ text: one }} ] }}, sampling: {{ max_tokens: 3 }} }}\n\
         load: {{ closed: {{ users: 1, requests: 5 }} }}\n",
        socket.display(),
        engine.url
    );
    let path = write(dir.path(), "t.yaml", &yaml);
    let output = loadcmp().arg("run").arg(path).arg("--out").arg(dir.path().join("out")).output().expect("a run");
    assert!(output.status.success(), "{}", text(&output).1);
    let report = json(&dir.path().join("out/report.json"));
    let facts = |at: usize| &report["plan"]["targets"][at]["facts"];
    let environment = |value: &str| (value.to_owned(), "environment".to_owned());
    assert_eq!(setting(facts(0), "GG_CORE_MAX_QUEUE_DEPTH"), environment("77"));
    assert_eq!(setting(facts(0), "GG_CORE_MAX_CONTEXT_TOKENS"), environment("4096"));
    assert_eq!(setting(facts(1), "OLLAMA_NUM_PARALLEL"), environment("9"));
    assert!(!report.to_string().contains("hush-this"), "{report}");
}
