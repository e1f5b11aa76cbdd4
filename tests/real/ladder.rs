//! `ladder` beside llama-bench: the same build, file, thread and batch, once without a server and once over HTTP.

use super::weights::{address, cache, weights};
use super::*;

const BENCH: (&str, &str) = ("LOADCMP_REAL_BENCH", "http://127.0.0.1:21443");
const LENGTHS: [u32; 2] = [128, 1024];
const DEPTH: u32 = 1024;
const TURNS: usize = 4;

/// What llama-bench gets in tokens/s, the best of its tries, of a prompt or an answer of so many tokens behind `depth` others.
fn bench(prompt: u32, answer: u32, depth: u32) -> f64 {
    let mut command = Command::new(cache().join("llama-bench/llama-bench"));
    command.arg("-m").arg(weights("smollm2")).args(["-t", "1", "-r", "2", "-o", "json"]);
    for (name, count) in [("-p", prompt), ("-n", answer), ("-d", depth)] {
        command.args([name, &count.to_string()]);
    }
    let output = command.output().expect("`make engines` installs llama-bench");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("its JSON");
    let tries = told[0]["samples_ts"].as_array().expect("its tries");
    tries.iter().filter_map(serde_json::Value::as_f64).fold(0.0, f64::max)
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn a_ladder_over_http_tells_what_llama_bench_tells() {
    // Debian's packages are not to be had everywhere.
    if !cache().join("stamps/bench").exists() {
        return println!("NOT RUN: llama-bench is not installed (scripts/engines/engines.sh install bench)");
    }
    let dir = tempfile::tempdir().expect("a directory");
    // The shipped one, of one engine.
    let shipped = std::fs::read_to_string("scenarios/ladder.yaml").expect("the scenario");
    let (head, rest) = shipped.split_once("\ntargets:\n").expect("its targets");
    let (_, rest) = rest.split_once("\nreference: ollama").expect("its reference");
    let target = format!("native: {{ openai: {{ url: \"{}\", model: smollm2 }} }}", address(BENCH));
    write(dir.path(), "ladder.yaml", &format!("{head}\ntargets:\n  {target}\nreference: native{rest}"));
    let climb = |folder: &str, settings: &[&str]| {
        let mut command = loadcmp();
        command.args([
            "run",
            "ladder.yaml",
            "--real",
            "--quiet",
            "--out",
            folder,
            "--set",
            "workload.sampling.max_tokens=32",
        ]);
        command.args(settings);
        let output = command.current_dir(dir.path()).output().expect("a run");
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(0), "{err}");
        rows(&dir.path().join(folder).join("sweep.csv"))
    };
    // The fastest of some requests against the fastest of two tries: what a shared machine takes away is left out.
    let best = |points: &[Row], folder: &str, (path, tokens): (&str, u32), metric: &str| {
        let point = points.iter().find(|row| row[path] == tokens.to_string()).expect("a point");
        let summary = dir.path().join(folder).join(&point["folder"]).join("summary.csv");
        let row = rows(&summary).into_iter().find(|row| row["metric"] == metric);
        row.and_then(|row| number(&row, "max")).unwrap_or_else(|| panic!("{metric} at {tokens}"))
    };
    // What loadcmp tells and what llama-bench does, one right after the other; behind `depth` tokens that the engine has in its
    // cache, or none.
    let turn = |tokens: u32, depth: u32, turn: usize| {
        let folder = format!("{tokens}-{depth}-{turn}");
        if depth == 0 {
            let path = "workload.prompts.synthetic.tokens";
            let alone = "workload.prompts.synthetic.prefix.tokens=0";
            let sweep = format!("{path}={tokens}");
            let points = climb(&folder, &["--set", "load.closed.requests=3", "--sweep", &sweep, "--sweep", alone]);
            let told = |metric: &str| best(&points, &folder, (path, tokens), metric);
            return vec![
                (format!("pp{tokens}"), told("prefill_tokens_per_s"), bench(tokens, 0, 0)),
                (format!("tg32 at {tokens}"), told("decode_tokens_per_s"), bench(0, 32, tokens)),
            ];
        }
        let path = "workload.prompts.synthetic.prefix.tokens";
        // In the place of the ladder's own lengths.
        let (length, sweep) = (format!("workload.prompts.synthetic.tokens={tokens}"), format!("{path}={depth}"));
        let points = climb(&folder, &["--set", "load.closed.requests=4", "--sweep", &length, "--sweep", &sweep]);
        assert!(points.iter().all(|row| row["point"] == "1"), "{points:?}");
        assert!(best(&points, &folder, (path, depth), "cached_later") >= f64::from(depth));
        let told = best(&points, &folder, (path, depth), "prefill_tokens_per_s");
        vec![(format!("pp{tokens} at {depth}"), told, bench(tokens, 0, depth))]
    };
    // A machine whose cores are shared is slower for seconds on end, by half and for either of the two: each one's best of
    // some turns says what it can do. The server adds HTTP, sampling and a first token; it takes nothing away.
    let alike = |figures: &[(String, f64, f64)], range: std::ops::Range<f64>| {
        figures.iter().all(|(_, told, bench)| range.contains(&(told / bench)))
    };
    for (tokens, depth) in [(LENGTHS[0], 0), (LENGTHS[1], 0), (128, DEPTH)] {
        let mut figures = turn(tokens, depth, 0);
        for again in 1..TURNS {
            if alike(&figures, 0.75..1.2) {
                break;
            }
            for (kept, (_, told, bench)) in figures.iter_mut().zip(turn(tokens, depth, again)) {
                (kept.1, kept.2) = (kept.1.max(told), kept.2.max(bench));
            }
        }
        for (what, told, bench) in &figures {
            println!("{what}: {told:.1} tokens/s, llama-bench {bench:.1}");
        }
        // Tokens taken from the cache and counted as read, or a time that isn't the part's own, are off by far more.
        assert!(alike(&figures, 0.6..1.6), "{figures:?}");
    }
}
