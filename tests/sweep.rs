//! Sweeps and variants as people run them: the program, stand-ins of declared cost, the files.

use crate::cli::{Row, StandIn, ask, json, loadcmp, made_again, number, rows, text, write};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

fn scenario(targets: &[(&str, &str)], more: &str) -> String {
    let target = |(name, url): &(&str, &str)| format!("  {name}: {{ ollama: {{ url: \"{url}\" }} }}\n");
    format!(
        "name: s\ntask: generate\nseed: 5\ntargets:\n{}reference: {}\nworkload: {{ prompts: {{ synthetic: {{ count: 20, words: \
         {{ fixed: 10 }} }} }}, sampling: {{ max_tokens: 4 }} }}\nload: {{ closed: {{ users: 1, requests: 6 }} }}\n{more}",
        targets.iter().map(target).collect::<String>(),
        targets.last().expect("a target").0,
    )
}

/// Held by tests that hold times against declared ones: one at a time, or they would measure each other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn names(dir: &Path) -> BTreeSet<String> {
    dir.read_dir()
        .expect("files")
        .map(|file| file.expect("a file").file_name().into_string().expect("a name"))
        .collect()
}

#[test]
fn declared_costs_are_found_and_told_beside_each_other() {
    let _alone = alone();
    // A request, a prompt token and an output token: 30 ms, 1 ms, 5 ms; and 45 ms, 1 ms, 8 ms. The first output token comes
    // with the prompt, so the fixed cost is an output token less.
    let declared = [(30.0, 1.0, 5.0), (45.0, 1.0, 8.0)];
    let start = |(fixed, prompt, output): (f64, f64, f64)| {
        let number = |x: f64| x.to_string();
        let (prefill, decode, scale) = (number(1000.0 / prompt), number(1000.0 / output), number(fixed + output));
        StandIn::start(&[
            "--prefill-rate",
            &prefill,
            "--decode-rate",
            &decode,
            "--jitter",
            "constant",
            "--jitter-scale",
            &scale,
        ])
    };
    let (a, b) = (start(declared[0]), start(declared[1]));
    let dir = tempfile::tempdir().expect("a directory");
    let sweep = "sweep:\n  over:\n    workload.prompts.synthetic.words.fixed: [10, 60]\n    workload.sampling.max_tokens: [2, 14]\n";
    write(dir.path(), "s.yaml", &scenario(&[("a", &a.url), ("b", &b.url)], sweep));
    let (code, table, err) = ask(dir.path(), &["run", "s.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("4 points, 4 runs") && err.contains("4 of 4: "), "{err}");
    assert!(table.contains("Cost of a request with 1 in flight"), "{table}");

    let out = dir.path().join("out");
    let files = ["points", "sweep-manifest.json", "sweep.csv", "sweep.html", "sweep.json", "sweep.md"];
    assert_eq!(names(&out), files.map(str::to_owned).into());
    let told = json(&out.join("sweep.json"));
    let fits = told["costs"]["fits"].as_array().expect("fits");
    assert_eq!(fits.len(), 2);
    for (fit, (fixed, prompt, output)) in fits.iter().zip(declared) {
        let ms = |field: &str, end: &str| fit[field][end].as_f64().expect("a number") / 1e3;
        for (field, want) in [("prompt_token_us", prompt), ("output_token_us", output)] {
            let (value, low, high) = (ms(field, "value"), ms(field, "low"), ms(field, "high"));
            assert!(low <= value && value <= high, "{fit}");
            // Within 2 %, and what a machine that is busy with other tests adds: the interval says how much that is.
            let half = (high - low) / 2.0;
            let near = (value - want).abs() < 0.02 * want + 2.0 * half;
            assert!(near, "{field}: {want} declared, {value} ({low} to {high})");
        }
        // Nothing is faster than declared; what is slower is the machine and the wire.
        let half = (ms("fixed_us", "high") - ms("fixed_us", "low")) / 2.0;
        let value = ms("fixed_us", "value");
        assert!(value > 0.98 * fixed - 2.0 * half && value < fixed + 15.0 + 2.0 * half, "{fixed} declared, {fit}");
        assert!((0.5..=1.0).contains(&fit["r2"].as_f64().expect("a number")), "{fit}");
    }
    let beside = &told["costs"]["comparisons"][0]["output_token"];
    let (low, high) = (beside["low"].as_f64().expect("an end"), beside["high"].as_f64().expect("an end"));
    let ratio = beside["value"].as_f64().expect("a ratio");
    assert!((ratio - 5.0 / 8.0).abs() < 0.02 + (high - low), "{beside}");
    let headline = table.split("\n\n").last().expect("headlines");
    assert!(headline.trim_end().ends_with("/sweep.html"), "{headline}");
    let headline = headline.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(headline.contains("per output token") && headline.contains("fixed cost"), "{headline}");

    every_form_says_the_same(&out, &told);
    // A run of it is a run like others: what `run --set` makes, with files that other commands take.
    let runs: Vec<String> = names(&out.join("points")).into_iter().collect();
    let of = |part: &str| runs.iter().find(|name| name.ends_with(part)).expect("a run").clone();
    let set = ["--set", "workload.sampling.max_tokens=14", "--set", "workload.prompts.synthetic.words.fixed=60"];
    write(dir.path(), "alone.yaml", &scenario(&[("a", &a.url), ("b", &b.url)], ""));
    let alone = ["run", "alone.yaml", "--full", "--out", "alone", "--driver", "native", "--quiet"];
    let (code, _, err) = ask(dir.path(), &[&alone[..], &set].concat());
    assert_eq!(code, 0, "{err}");
    let hash = |path: &str| json(&dir.path().join(path).join("manifest.json"))["workload_hash"].clone();
    let point = format!("out/points/{}", of("words.fixed-60-max_tokens-14"));
    assert_eq!(hash(&point), hash("alone"));
    let (code, _, err) = ask(dir.path(), &["compare", &point, &point]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = ask(dir.path(), &["compare", "out", &point]);
    assert!(code == 2 && err.contains("holds a sweep"), "{err}");
    // Made again from the runs, it is the same to the byte.
    made_again(dir.path(), &files[2..], &table);
}

/// The sheet has the figures of the document and of the runs' own files; Markdown and the page their tables.
fn every_form_says_the_same(out: &Path, told: &Value) {
    let sheet = rows(&out.join("sweep.csv"));
    let mut counted = 0;
    for run in told["runs"].as_array().expect("runs") {
        let folder = run["folder"].as_str().expect("a folder");
        let of_run = rows(&out.join(folder).join("summary.csv"));
        for (target, met) in ["a", "b"].iter().zip(run["targets"].as_array().expect("targets")) {
            for figure in met["figures"].as_array().expect("figures") {
                let metric = figure["metric"].as_str().expect("a name");
                let is = |row: &&Row| row["folder"] == folder && row["target"] == *target && row["metric"] == metric;
                let row = sheet.iter().find(is).unwrap_or_else(|| panic!("{folder} {target} {metric}"));
                assert_eq!(number(row, "value"), figure["value"].as_f64());
                assert_eq!(number(row, "low"), figure["low"].as_f64());
                assert_eq!(row["workload.sampling.max_tokens"], run["values"][1].to_string());
                counted += 1;
                if metric == "latency.p50" {
                    let of = of_run.iter().find(|row| row["target"] == *target && row["metric"] == "latency");
                    assert_eq!(number(row, "value"), number(of.expect("a row"), "p50"));
                    assert!(row["stand_in"] == "true" && row["run_valid"] == "true", "{row:?}");
                }
            }
        }
    }
    assert_eq!(counted, sheet.len());
    let markdown = std::fs::read_to_string(out.join("sweep.md")).expect("a file");
    assert!(markdown.starts_with("### s\n") && markdown.contains("| + per output token |"), "{markdown}");
    let page = std::fs::read_to_string(out.join("sweep.html")).expect("a file");
    assert!(page.matches("<svg viewBox=\"0 0 720 260\"").count() >= 2 && !page.contains("<script"), "no charts");
    assert!(page.contains("A stand-in took the place"), "not said");
}

#[test]
fn users_that_queue_for_slots_show_in_efficiency_and_slowdown() {
    let _alone = alone();
    // Two slots of 40 ms: from the third user on they only queue.
    let engine = StandIn::start(&["--first-token-ms", "40", "--slots", "2"]);
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "s.yaml", &scenario(&[("a", &engine.url)], ""));
    let args = [
        "run",
        "s.yaml",
        "--out",
        "out",
        "--quiet",
        "--sweep",
        "load.closed.users=1,2,4,8",
        "--set",
        "load.closed.requests=16",
        "--set",
        "sweep.repeats=2",
    ];
    let (code, table, err) = ask(dir.path(), &args);
    // A machine too busy for eight users says so, and then there is nothing to hold against.
    if code == 4 {
        assert!(err.contains("invalid"), "{err}");
        return;
    }
    assert_eq!(code, 0, "{err}");
    let told = json(&dir.path().join("out/sweep.json"));
    let scaling = &told["scaling"][0];
    let levels = scaling["levels"].as_array().expect("levels");
    let of = |at: usize, field: &str| levels[at][field].as_f64().unwrap_or_else(|| panic!("{field} of {levels:?}"));
    assert_eq!(levels.iter().map(|level| level["concurrency"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 4, 8]);
    assert_eq!((of(0, "efficiency"), of(0, "slowdown")), (1.0, 1.0));
    // 2 of 8 are served at once: a quarter, and four times the time.
    assert!(
        of(3, "efficiency") < 0.4 && of(3, "slowdown") > 2.5 && of(3, "slowest_user") >= of(3, "slowdown"),
        "{levels:?}"
    );
    assert!(of(3, "fairness") > 0.7 && of(3, "fairness") <= 1.0, "{levels:?}");
    let law = &scaling["usl"];
    let end = |field: &str, end: &str, none: f64| law[field][end].as_f64().unwrap_or(none);
    // Alone a user is served 25 times a second, and the law leaves no doubt that there is contention.
    assert!(end("sigma", "high", 1.0) > 0.2 && end("lambda", "low", 0.0) < 27.0 && law["runs"] == 8, "{law}");
    assert!(table.contains("scalability law") && table.contains("efficiency"), "{table}");
}

#[test]
fn a_point_that_fails_leaves_the_others() {
    let _alone = alone();
    let engine = StandIn::start(&["--model", "there"]);
    let dir = tempfile::tempdir().expect("a directory");
    let sweep =
        "sweep: { points: [{ targets.a.ollama.model: there }, { targets.a.ollama.model: absent }], repeats: 2 }\n";
    write(dir.path(), "s.yaml", &scenario(&[("a", &engine.url)], sweep));
    let (code, _, err) = ask(dir.path(), &["run", "s.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("2 of 4 runs failed"), "{err}");
    let told = json(&dir.path().join("out/sweep.json"));
    assert_eq!(told["runs"].as_array().map(Vec::len), Some(2));
    let notes = told["notes"].to_string();
    assert!(notes.contains("2 of 4 runs were made.") && notes.contains("absent"), "{notes}");
    assert_eq!(ask(dir.path(), &["report", "out"]).0, 3);
}

#[test]
#[cfg(unix)]
fn a_sweep_that_is_stopped_keeps_what_it_has() {
    let _alone = alone();
    let engine = StandIn::start(&["--first-token-ms", "20"]);
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "s.yaml", &scenario(&[("a", &engine.url)], ""));
    let args = ["run", "s.yaml", "--full", "--out", "out", "--sweep", "workload.sampling.max_tokens=[2, 4, 8, 16, 32]"];
    let mut more = loadcmp();
    more.current_dir(dir.path()).args(args).args(["--set", "load.closed.requests=60"]).stderr(Stdio::piped());
    let child = more.stdout(Stdio::piped()).spawn().expect("the program");
    let first = || names(&dir.path().join("out/points")).len() >= 2;
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(50));
        if dir.path().join("out/points").is_dir() && first() {
            break;
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let output = child.wait_with_output().expect("its end");
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(out.contains("INTERRUPTED") && err.contains("interrupted"), "{out}\n{err}");
    let told = json(&dir.path().join("out/sweep.json"));
    assert_eq!(told["manifest"]["status"], "interrupted");
    let runs = told["runs"].as_array().expect("runs").len();
    assert!((1..5).contains(&runs), "{runs}");
    let (code, again, _) = ask(dir.path(), &["report", "out"]);
    assert_eq!((code, again), (4, out));
}

#[test]
fn check_tells_of_the_sweep_and_the_limit_ends_it() {
    let _alone = alone();
    let engine = StandIn::start(&["--first-token-ms", "10"]);
    let dir = tempfile::tempdir().expect("a directory");
    let sweep = "sweep: { over: { workload.sampling.max_tokens: [2, 4, 8] }, limit: 1us }\n";
    write(dir.path(), "s.yaml", &scenario(&[("a", &engine.url)], sweep));
    let (code, plan, err) = ask(dir.path(), &["check", "s.yaml"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        plan.contains("sweep over workload.sampling.max_tokens: 3 points, 3 runs; no run starts after 1us"),
        "{plan}"
    );
    let (code, out, err) = ask(dir.path(), &["run", "s.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 4, "{err}");
    assert!(out.contains("0 of 3 runs were made") && out.contains("INTERRUPTED"), "{out}");
}

#[test]
fn variants_that_others_are_better_than_in_everything_are_not_on_the_front() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let labels = ["billing", "bug", "praise"];
    let tickets: String = (0..60).map(|n| format!("ticket number {n} about things,{}\n", labels[n % 3])).collect();
    let path = write(dir.path(), "tickets.csv", &format!("text,label\n{tickets}"));
    let start = |ms: &str, accuracy: &str| {
        let labels = path.to_str().expect("a path");
        StandIn::start(&["--first-token-ms", ms, "--accuracy", accuracy, "--labels", labels])
    };
    let (quick, good, poor) = (start("3", "0.5"), start("40", "1"), start("120", "0.5"));
    let yaml = format!(
        "name: v\ntask: classify\nseed: 5\ntargets: {{ ollama: {{ ollama: {{ url: \"{}\" }} }} }}\nvariants:\n  ollama:\n    \
         good: {{}}\n    quick: {{ ollama.url: \"{}\" }}\n    poor: {{ ollama.url: \"{}\" }}\n    twin: {{ }}\nworkload: {{ \
         prompts: {{ csv: {{ path: tickets.csv, text: text, label: label }} }}, labels: [{}] }}\norder: alternate\nblocks: {{ \
         pairs: 6, settle: 5ms, warmup: 5ms }}\nload: {{ closed: {{ users: 1, requests: 36 }} }}\n",
        good.url,
        quick.url,
        poor.url,
        labels.join(", ")
    );
    write(dir.path(), "v.yaml", &yaml);
    let (code, table, err) = ask(dir.path(), &["run", "v.yaml", "--full", "--out", "out", "--quiet"]);
    assert_eq!(code, 0, "{err}");
    let out = dir.path().join("out");
    let report = json(&out.join("report.json"));
    let order: Vec<&str> =
        report["plan"]["targets"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(order, ["ollama-good", "ollama-quick", "ollama-poor", "ollama-twin"]);
    // The first stands for the target that it is a variant of.
    assert_eq!(report["plan"]["reference"], 0);
    let front = &report["front"];
    let on = |at: usize| front["candidates"][at]["on_front"].as_bool().expect("told");
    assert_eq!((on(0), on(1), on(2)), (true, true, false), "{front}");
    let values =
        |at: usize| front["candidates"][at]["values"].as_array().unwrap().iter().map(Value::as_f64).collect::<Vec<_>>();
    assert!(values(0)[0] > values(1)[0] && values(2)[0] > values(0)[0], "{front}");
    assert!(values(0)[3] == Some(1.0) && values(1)[3].unwrap() < 0.8, "{front}");
    // Two of them are one process: whose memory it is can't be told.
    let memory = &front["respects"][1];
    assert!(memory["metric"] == "memory_peak" && memory["left_out"].is_string(), "{memory}");
    let sheet = rows(&out.join("variants.csv"));
    assert_eq!(sheet.len(), 16);
    for row in &sheet {
        let at = order.iter().position(|name| *name == row["target"]).expect("a target");
        let respect = front["respects"].as_array().unwrap().iter().position(|r| r["metric"] == row["metric"].as_str());
        assert_eq!(number(row, "value"), values(at)[respect.expect("a respect")]);
        assert_eq!((row["on_front"] == "true", row["stand_in"].as_str()), (on(at), "true"));
    }
    assert!(table.contains("Pareto front") && table.contains("peak RSS is left out"), "{table}");
    let page = std::fs::read_to_string(out.join("report.html")).expect("a file");
    assert!(page.contains(">Variants</a></h2>"));
    assert!(
        std::fs::read_to_string(out.join("report.md")).expect("a file").contains("same") || table.contains("accuracy")
    );
    let (code, again, _) = ask(dir.path(), &["report", "out", "--full"]);
    assert_eq!((code, again), (0, table));
}
