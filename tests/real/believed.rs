//! What makes a measurement believable, on real engines: instants that are the same for all, blocks in turns, an audit that
//! finds what was done to an engine and is silent where nothing was.

use super::*;
use serde_json::Value;

/// The audit's findings: rule, severity, and the sentence.
fn findings(run: &Run) -> Vec<(String, String, String)> {
    let report = run.report();
    let told = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    let all = report["findings"].as_array().expect("findings");
    all.iter().map(|finding| (told(finding, "id"), told(finding, "severity"), told(finding, "sentence"))).collect()
}

fn found(run: &Run, id: &str) -> bool {
    findings(run).iter().any(|(found, ..)| found == id)
}

/// What a machine that does much else may bring about at any time, and no engine.
pub(super) const OF_THE_MACHINE: [&str; 9] = [
    "other-load",
    "stolen-time",
    "cpu-frequency",
    "swap-in-use",
    "swapping",
    "send-lag",
    "send-lag-share",
    "not-steady",
    "drift",
];

/// A scenario of the ring's prompts; `more` are its load and what else it says.
fn ring(targets: &[(&str, String)], more: &str) -> String {
    let lines: String = targets.iter().map(|(name, target)| format!("  {name}: {target}\n")).collect();
    format!(
        "name: real\ntask: generate\nseed: {}\ntargets:\n{lines}workload: {{ prompts: {{ text: {{ path: data/ring.txt }} }}, \
         format: raw, sampling: {{ max_tokens: 6 }} }}\ntimeout: 30s\n{more}",
        fresh_seed()
    )
}

fn of(engines: &[Engine]) -> Vec<(&'static str, String)> {
    engines.iter().map(|engine| (engine.name(), engine.target("cyc"))).collect()
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn an_open_loop_asks_all_engines_at_the_same_instants() {
    engines();
    let load =
        "order: isolated\nload: { open: { rate: 12, arrivals: poisson, duration: 5s, warmup: 1s, in_flight: 32 } }\n";
    let run = good(&ring(&of(&[Llama, New]), load), &[]);
    let samples = run.samples();
    times_agree(&samples);
    // From each target's first request: the two are driven one after the other.
    let instants = |engine: Engine| {
        let mut rows: Vec<(u64, f64)> = samples
            .iter()
            .filter(|row| row["target"] == engine.name() && row["phase"] != "cold")
            .map(|row| (row["index"].parse().expect("a number"), number(row, "planned_us").expect("an instant")))
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        rows
    };
    let (llama, new) = (instants(Llama), instants(New));
    assert!(llama.len() > 30 && llama.len() == new.len(), "{} {}", llama.len(), new.len());
    let gap = new[0].1 - llama[0].1;
    for (a, b) in llama.iter().zip(&new) {
        assert!(a.0 == b.0 && (b.1 - a.1 - gap).abs() < 0.01, "{a:?} {b:?} {gap}");
    }
    for row in measured(&samples, Llama) {
        let told = |column| ms(row, column).expect(column);
        let lag = told("sent_us") - told("planned_us");
        assert!((told("response_us") - told("latency_us") - lag).abs() < 1e-6 && lag >= 0.0, "{row:?}");
    }
    for id in ["missed-rate", "unsent-requests", "planned-requests", "different-requests", "same-host"] {
        assert!(!found(&run, id), "{id}: {:?}", findings(&run));
    }
    let sheet = rows(&run.path().join("comparison.csv"));
    assert!(sheet.iter().any(|row| row["metric"] == "response.p95" && !row["ratio"].is_empty()), "{sheet:?}");
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn a_rate_beyond_an_engine_is_told_as_unsent_and_makes_the_run_invalid() {
    engines();
    let load =
        "order: isolated\nload: { open: { rate: 3000, arrivals: constant, duration: 1s, warmup: 0s, in_flight: 4 } }\n";
    let run = run(&ring(&of(&[Llama]), load), &[]);
    assert_eq!(run.code, 4, "{} {}", run.out, run.err);
    let samples = run.samples();
    let rows = measured(&samples, Llama);
    let unsent: Vec<&&Row> = rows.iter().filter(|row| row["outcome"] == "unsent").collect();
    assert_eq!(rows.len(), 3000, "every planned request has a row");
    assert!(unsent.len() > 100 && unsent.iter().all(|row| number(row, "planned_us").is_some()), "{}", unsent.len());
    assert!(unsent.iter().all(|row| row["sent_us"].is_empty() && row["latency_us"].is_empty()));
    assert!(found(&run, "unsent-requests") && found(&run, "missed-rate"), "{:?}", findings(&run));
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn a_real_engine_in_turns_with_itself_is_neither_better_nor_worse() {
    engines();
    let blocks = "order: alternate\nblocks: { pairs: 8, settle: 50ms, warmup: 100ms }\n\
                  load: { closed: { users: 1, requests: 240, warmup: 300ms } }\n";
    let twice = [("one", Llama.target("cyc")), ("two", Llama.target("cyc"))];
    let run = good(&ring(&twice, blocks), &[]);
    let sheet = rows(&run.path().join("comparison.csv"));
    assert!(sheet.len() > 5 && sheet.iter().all(|row| row["verdict"] == "undecided"), "{sheet:#?}");
    let latency = sheet.iter().find(|row| row["metric"] == "latency.p50").expect("the median latency");
    assert_eq!(latency["units"], "8");
    assert!(found(&run, "same-endpoint") && !found(&run, "same-host"), "{:?}", findings(&run));
    // Each block is of one target alone, and of as much work as the others.
    let samples = run.samples();
    for name in ["one", "two"] {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for row in samples.iter().filter(|row| row["target"] == name && row["phase"] == "measure") {
            *sizes.entry(&row["block"]).or_default() += 1;
        }
        assert_eq!(sizes.into_values().collect::<Vec<_>>(), [30; 8], "{name}");
    }
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn a_fair_run_of_real_engines_is_not_doubted() {
    engines();
    let load = "order: isolated\nload: { closed: { users: 1, requests: 300, warmup: 1s } }\n";
    let doubted = |pair: [Engine; 2]| {
        let all = findings(&good(&ring(&of(&pair), load), &[])).into_iter();
        let all = all.filter(|(id, severity, _)| severity != "note" && !OF_THE_MACHINE.contains(&id.as_str()));
        // Two versions of one engine do differ in what they wait for between tokens.
        let all = all.filter(|(id, _, _)| id != "different-cores");
        all.collect::<Vec<_>>()
    };
    let none = doubted([Old, New]);
    assert!(none.is_empty(), "{none:#?}");
    // llama.cpp's server closes the connection after each streamed answer, and its one user is at work the less.
    for (id, _, sentence) in doubted([New, Llama]) {
        assert!(
            ["reconnects", "low-concurrency"].contains(&id.as_str()) && sentence.starts_with("llama: "),
            "{sentence}"
        );
    }
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn a_model_unloaded_in_mid_run_is_found_as_loaded_again() {
    engines();
    for engine in [Old, New] {
        // An engine that is never idle lets go of nothing: its user thinks between two requests.
        let load = "load: { closed: { users: 1, duration: 5s, warmup: 500ms, think: 30ms } }\n";
        let (dir, path) = folder(&ring(&of(&[engine]), load));
        let out = dir.path().join("out");
        let mut command = loadcmp();
        command.arg("run").arg(path).args(["--quiet", "--out"]).arg(&out).stdout(Stdio::null());
        let mut child = command.spawn().expect("a run");
        let samples = out.join("samples.csv");
        let measuring = || std::fs::read_to_string(&samples).is_ok_and(|text| text.contains(",measure,"));
        wait_for("a measured row", measuring);
        let body = "{\"model\":\"cyc\",\"keep_alive\":0,\"stream\":false}";
        assert_eq!(engine.ask("/api/generate", Some(body)).expect("an answer").0, 200);
        let code = child.wait().expect("an end").code().unwrap_or(-1);
        let run = Run { dir, code, out: String::new(), err: String::new() };
        assert_eq!(code, 0, "{engine:?}");
        assert!(found(&run, "model-reload") && !found(&run, "cold-load"), "{engine:?}: {:?}", findings(&run));
    }
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn what_engines_tell_of_unlike_settings_is_found() {
    engines();
    let with = |context: u32| {
        let options = format!("options: {{ num_thread: 1, num_ctx: {context} }}");
        format!("{{ ollama: {{ url: \"{}\", model: cyc, {options} }} }}", New.address())
    };
    let load = "order: isolated\nload: { closed: { users: 1, requests: 30 } }\n";
    let run = good(&ring(&[("narrow", with(512)), ("wide", with(1024))], load), &[]);
    for (id, severity) in [("context-length", "note"), ("cold-load", "warning")] {
        // One engine with one model loads it anew for each of the two, and without a warm-up that is measured.
        assert!(findings(&run).iter().any(|told| told.0 == id && told.1 == severity), "{id}: {:?}", findings(&run));
    }
    assert!(!found(&run, "quantisation") && !found(&run, "parameters"), "{:?}", findings(&run));
}
