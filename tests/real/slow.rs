//! What takes time on real engines: cold starts, a short soak, and where the time of a request goes.

use super::*;

const ENGINES: [Engine; 3] = [Llama, New, Old];

/// A run of all three in an order; `more` is its load and what else it says.
fn all(order: &str, more: &str) -> Run {
    let lines: String =
        ENGINES.iter().map(|engine| format!("  {}: {}\n", engine.name(), engine.target("cyc"))).collect();
    let yaml = format!(
        "name: real\ntask: generate\nseed: {}\norder: {order}\ntargets:\n{lines}workload: {{ prompts: {{ text: {{ path: \
         data/ring.txt }} }}, format: raw, sampling: {{ max_tokens: 12 }} }}\ntimeout: 30s\n{more}",
        fresh_seed()
    );
    good(&yaml, &[])
}

/// Rows of `summary.csv`, by target and metric.
fn summary(run: &Run) -> BTreeMap<(String, String), Row> {
    let all = cli::rows(&run.path().join("summary.csv"));
    all.into_iter().map(|row| ((row["target"].clone(), row["metric"].clone()), row)).collect()
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn real_models_are_let_go_and_loaded_again() {
    engines();
    let run = all("isolated", "cold_start: { repeats: 3 }\nload: { closed: { users: 1, requests: 6 } }\n");
    let sheet = summary(&run);
    for engine in [New, Old] {
        let told = |metric: &str| {
            let row = sheet.get(&(engine.name().to_owned(), metric.to_owned()));
            row.unwrap_or_else(|| panic!("{} {metric}: {}", engine.name(), run.err))
        };
        let mean = |metric: &str| number(told(metric), "mean").expect("a mean");
        assert_eq!(["cold_ready", "cold_first_token", "cold_answer"].map(|m| told(m)["n"].clone()), ["3", "3", "3"]);
        // The engine's own word for the load, and a client's stamps beyond it; a warm request takes a fraction of either.
        assert!(mean("cold_ready") > 20_000.0 && mean("cold_ready") < mean("cold_first_token"), "{}", engine.name());
        assert!(mean("cold_first_token") <= mean("cold_answer") && mean("cold_answer") > 3.0 * mean("latency"));
    }
    // llama.cpp's server has no way to let a model go, and is started with it.
    assert!(run.err.contains("can't unload its model on request"), "{}", run.err);
    assert!(!sheet.contains_key(&(Llama.name().to_owned(), "cold_ready".to_owned())));
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn the_parts_of_a_real_request_add_up_and_both_clocks_have_their_share() {
    engines();
    let run = all("isolated", "load: { closed: { users: 2, requests: 30 } }\n");
    let sheet = summary(&run);
    for engine in ENGINES {
        let mean = |metric: &str| {
            let row = sheet.get(&(engine.name().to_owned(), metric.to_owned()));
            row.map(|row| number(row, "mean").expect("a mean"))
        };
        let told = |metric: &str| mean(metric).unwrap_or_else(|| panic!("{} {metric}", engine.name()));
        let parts: f64 = sheet
            .iter()
            .filter(|((target, metric), _)| {
                target == engine.name() && metric.starts_with("time_") && metric != "time_whole"
            })
            .map(|(_, row)| number(row, "mean").expect("a mean"))
            .sum();
        let whole = told("time_whole");
        assert!((parts - whole).abs() < 1.0, "{}: {parts} of {whole}", engine.name());
        assert!((whole - told("time_connection") - told("response")).abs() < 50.0, "{}: {whole}", engine.name());
        assert!(told("time_decode") > 0.0 && told("time_prompt") > 0.0, "{}", engine.name());
        // Some of the wait before the first token is neither, and little of all of it stays unexplained.
        assert!(told("time_other") < 0.5 * whole, "{}: {sheet:?}", engine.name());
    }
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn a_short_soak_of_real_engines_shows_no_leak() {
    engines();
    let run = all("concurrent", "load: { soak: { users: 1, duration: 55s, think: 100ms, warmup: 5s } }\n");
    let report = std::fs::read_to_string(run.path().join("report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let soaked = report["soak"]["targets"].as_array().expect("targets");
    assert_eq!(soaked.len(), 3);
    for (engine, told) in ENGINES.iter().zip(soaked) {
        let memory = &told["memory"];
        assert!(memory["from"].as_f64().is_some_and(|bytes| bytes > 10e6), "{}: {told}", engine.name());
        // A minute is little: what it shows is that the memory was watched, and no leak of the size of the model.
        assert!(memory["to"].as_f64() < memory["from"].as_f64().map(|from| from * 1.5), "{}: {told}", engine.name());
    }
    assert!(run.out.contains("leak"), "{}", run.out);
}
