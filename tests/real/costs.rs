//! What the work costs real engines: their rows in `resources.csv`, their own figures, and what is folded of both.

use super::*;

/// Threads of the newer Ollama's server, and of one of its children that hold a model.
fn server_and_child() -> (f64, f64) {
    let status = |pid: &str, name: &str| -> Option<String> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    let threads = |pid: &str| status(pid, "Threads:").and_then(|n| n.parse().ok()).unwrap_or(0.0);
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    for pid in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        let called = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let Some(parent) = status(&pid, "PPid:").filter(|_| called.contains("llama-server")) else { continue };
        if status(&parent, "Name:").is_some_and(|name| name == "ollama") {
            return (threads(&parent), threads(&pid));
        }
    }
    (0.0, 0.0)
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn the_costs_of_both_engines_are_there_and_the_child_that_holds_the_model_is_counted() {
    let metrics = format!("metrics: \"http://{}/metrics\"", Llama.address());
    let llama = Llama.target("cyc").replace("model: cyc", &format!("model: cyc, {metrics}"));
    let yaml = format!(
        "name: real\ntask: generate\nseed: {}\ntargets:\n  ollama: {}\n  llama: {llama}\n\
         workload: {{ prompts: {{ text: {{ path: data/ring.txt }} }}, sampling: {{ max_tokens: 32 }} }}\n\
         load: {{ closed: {{ users: 1, duration: 6s, warmup: 1s }} }}\ntimeout: 30s\n",
        fresh_seed(),
        New.target("cyc")
    );
    let run = good(&yaml, &[]);
    let resources = rows(&run.path().join("resources.csv"));
    let summary = rows(&run.path().join("summary.csv"));
    for target in ["ollama", "llama"] {
        let of: Vec<&Row> = resources.iter().filter(|row| row["who"] == target).collect();
        assert!(of.len() >= 4, "{target}: {} rows", of.len());
        let all = |column: &str| of.iter().filter_map(|row| number(row, column)).collect::<Vec<_>>();
        for column in ["rss_bytes", "rss_anonymous_bytes", "rss_file_bytes", "threads", "minor_faults", "pss_bytes"] {
            assert!(!all(column).is_empty(), "{target}: no {column}");
        }
        // What several processes share is counted once there, and for each of them here.
        let (share, resident) = (all("pss_bytes"), all("rss_bytes"));
        assert!(share.iter().all(|bytes| *bytes < resident.iter().copied().fold(0.0, f64::max) * 1.01), "{target}");
        let mean = |metric: &str| {
            let row = summary.iter().find(|row| row["target"] == target && row["metric"] == metric);
            row.and_then(|row| number(row, "mean")).unwrap_or_else(|| panic!("{target}: no {metric}"))
        };
        assert!((0.02..64.0).contains(&mean("cpu_cores")), "{target}: {}", mean("cpu_cores"));
        assert!(mean("cpu_per_request") > 100.0 && mean("cpu_per_1k_tokens") > 1000.0, "{target}");
        // A server with a tiny model: more than 20 MB, less than 4 GB.
        assert!((2e7..4e9).contains(&mean("memory_peak")), "{target}: {}", mean("memory_peak"));
        assert!((1e7..4e9).contains(&mean("memory_share")), "{target}: {}", mean("memory_share"));
        assert!(mean("memory_ratio") > 1.0 || target == "llama", "{target}");
        assert!(mean("voluntary_switches_per_request") > 0.5, "{target}");
    }
    // The model is in a child of the server's, which listens nowhere that loadcmp knows of: the row has both.
    let threads = resources.iter().filter(|row| row["who"] == "ollama").filter_map(|row| number(row, "threads"));
    let most = threads.fold(0.0, f64::max);
    let family = server_and_child();
    assert!(family.1 > 0.0 && most >= family.0 + family.1, "{most} of {family:?}");

    // llama-server's own count of tokens is that of the answers that it gave between two readings, and no other's.
    let told = rows(&run.path().join("metrics.csv"));
    let tokens: Vec<f64> = told
        .iter()
        .filter(|row| row["metric"] == "llamacpp:tokens_predicted_total")
        .filter_map(|row| number(row, "value"))
        .collect();
    let grown = tokens.last().expect("a figure") - tokens[0];
    let answered: f64 = run
        .samples()
        .iter()
        .filter(|row| row["target"] == "llama")
        .filter_map(|row| number(row, "output_tokens"))
        .sum();
    assert!(tokens.len() >= 3 && grown > 0.0 && grown <= answered, "{grown} of {answered}");
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn each_model_of_an_ollama_has_its_own_process_and_what_it_was_started_with() {
    for engine in [New, Old] {
        let loaded = engine.ask("/api/embed", Some("{\"model\":\"emb\",\"input\":\"babe\"}")).expect("an answer");
        assert_eq!(loaded.0, 200, "{}", loaded.1);
        let yaml = format!(
            "name: real\ntask: generate\nseed: {}\ntargets:\n  ollama: {}\n  llama: {}\n\
             workload: {{ prompts: {{ text: {{ path: data/ring.txt }} }}, sampling: {{ max_tokens: 8 }} }}\n\
             load: {{ closed: {{ users: 1, requests: 20 }} }}\ntimeout: 30s\n",
            fresh_seed(),
            engine.target("cyc"),
            Llama.target("cyc")
        );
        let run = good(&yaml, &[]);
        let manifest = cli::json(&run.path().join("manifest.json"));
        let name = engine.name();
        let facts = &manifest["plan"]["targets"][0]["facts"];
        let setting = |wanted: &str| {
            let all = facts["settings"].as_array().unwrap_or_else(|| panic!("{name}: {facts}"));
            let found = all.iter().find(|setting| setting["name"] == wanted);
            found.and_then(|setting| setting["value"].as_str()).unwrap_or_default().to_owned()
        };
        let program = if engine == New { "llama-server" } else { "ollama runner" };
        assert_eq!((setting("program"), setting("threads")), (program.to_owned(), "1".to_owned()), "{name}: {facts}");
        assert!(facts["slots"].as_u64() > Some(0) && facts["context"].as_u64() > Some(0), "{name}: {facts}");
        let size = |target: usize| manifest["plan"]["targets"][target]["facts"]["size_of"].clone();
        assert_eq!((size(0), size(1)), ("the file".into(), "the file".into()), "{name}");
        let used = &manifest["conditions"]["targets"][0];
        let bytes = |what: &str| used[what].as_f64().unwrap_or_else(|| panic!("{name}: no {what}: {used}"));
        assert!(bytes("other_models_bytes") > 1e7 && bytes("peak_bytes") > 1e7, "{name}: {used}");
        assert_eq!(used["unclear"], serde_json::Value::Null, "{name}: {used}");
    }
}
