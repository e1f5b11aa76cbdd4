//! A small sweep and a run with two variants on real engines: what was asked is what was done, and figures make sense. How
//! fast anything was is not looked at.

use super::{Asking, Llama, New, engines, good, scenario};
use crate::cli::{number, rows};
use serde_json::Value;

fn json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

const GENERATE: Asking = Asking {
    task: "generate",
    workload: "prompts: { synthetic: { count: 12, words: { fixed: 12 } } }, prompt_cache: bust, sampling: { max_tokens: 8 }",
    load: "users: 1, requests: 8",
};

#[test]
#[ignore = "needs real engines"]
fn a_sweep_over_lengths_fits_real_counts_of_tokens() {
    engines();
    let sweep = "order: isolated\nsweep:\n  over:\n    workload.prompts.synthetic.words.fixed: [8, 40]\n    \
                 workload.sampling.max_tokens: [4, 24]\n";
    let yaml = scenario(&[(Llama, "cyc"), (New, "cyc")], GENERATE) + sweep;
    let run = good(&yaml, &[]);
    let told = json(&run.path().join("sweep.json"));
    let runs = told["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 4);
    for run in runs {
        for met in run["targets"].as_array().expect("targets") {
            assert_eq!((met["requests"].as_u64(), met["answered"].as_u64()), (Some(8), Some(8)), "{run}");
            // The engine's own count: as many tokens as were asked for, and a prompt of at least its words.
            assert_eq!(met["output_tokens"].as_f64(), run["values"][1].as_f64(), "{run}");
            assert!(met["prompt_tokens"].as_f64() > Some(1.0), "{run}");
        }
    }
    let fits = told["costs"]["fits"].as_array().expect("fits");
    assert!(fits.len() == 2 && fits.iter().all(|fit| fit["requests"] == 32 && fit["points"] == 4), "{}", told["costs"]);
    assert!(told["costs"]["comparisons"][0]["fixed_us"]["value"].is_number(), "{}", told["costs"]);
    assert!(run.out.contains("Cost of a request with 1 in flight"), "{}", run.out);
    assert!(rows(&run.path().join("sweep.csv")).iter().all(|row| row["stand_in"] == "false"));
}

#[test]
#[ignore = "needs real engines"]
fn two_models_of_one_ollama_are_two_variants() {
    engines();
    let more = format!(
        "order: alternate\nblocks: {{ pairs: 4, settle: 20ms, warmup: 100ms }}\nvariants:\n  {0}:\n    small: {{ ollama.model: cyc \
         }}\n    large: {{ ollama.model: mid }}\nreference: {0}\n",
        New.name()
    );
    let yaml = scenario(&[(Llama, "cyc"), (New, "cyc")], GENERATE) + &more;
    let run = good(&yaml, &[]);
    let report = json(&run.path().join("report.json"));
    let targets: Vec<&str> = report["plan"]["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|t| t["name"].as_str().expect("a name"))
        .collect();
    let (small, large) = (format!("{}-small", New.name()), format!("{}-large", New.name()));
    assert_eq!(targets, [Llama.name(), &small, &large]);
    assert_eq!(report["plan"]["reference"], 1);
    let sheet = rows(&run.path().join("variants.csv"));
    let of = |target: &str, metric: &str| {
        let row = sheet.iter().find(|row| row["target"] == target && row["metric"] == metric).expect("a row");
        (number(row, "value"), row["takes_part"] == "true", row["on_front"] == "true")
    };
    // The larger model is larger on disk; both are served by one process, whose memory is nobody's.
    assert!(of(&large, "size").0 > of(&small, "size").0 && of(&small, "size").1, "{sheet:?}");
    assert!(!of(&small, "memory_peak").1 && of(&small, "same_answers").0 == Some(1.0), "{sheet:?}");
    // Tiny as they are, both rings say the same words, and the larger one is slower by far: it is on no front.
    assert!(of(&small, "size").2 || of(Llama.name(), "size").2, "{sheet:?}");
    assert!(run.out.contains("Pareto front"), "{}", run.out);
}
