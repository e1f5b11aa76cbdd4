//! Several runs of one plan as people make them: the program, stand-ins of declared speed, the files.

use crate::cli::{Row, StandIn, ask, json, loadcmp, made_again, number, one_line, rows, text, write};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn scenario(a: &str, b: &str, more: &str) -> String {
    format!(
        "name: s\ntask: generate\nseed: 5\ntargets:\n  a: {{ ollama: {{ url: \"{a}\" }} }}\n  b: {{ ollama: {{ url: \"{b}\" }} }}\n\
         reference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 20, words: {{ fixed: 6 }} }} }}, sampling: {{ max_tokens: 2 }} }}\n\
         load: {{ closed: {{ users: 1, requests: 24 }} }}\n{more}"
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port()
}

/// An engine that is started anew for each run, each time with the next of these arguments: what it does wanders from run to
/// run, and never within one.
fn wandering(dir: &Path, port: u16, runs: &[&str]) -> String {
    let cases: String = runs.iter().enumerate().map(|(at, args)| format!("{at}) args='{args}';;\n")).collect();
    let script = format!(
        "cd '{}'\nn=$(cat count 2>/dev/null || echo 0)\necho $((n+1)) >count\ncase $((n % {})) in\n{cases}esac\n\
         exec '{}' serve --listen 127.0.0.1:{port} $args\n",
        dir.display(),
        runs.len(),
        env!("CARGO_BIN_EXE_loadcmp")
    );
    format!("start: {{ a: [sh, \"{}\"] }}\n", write(dir, "engine.sh", &script).display())
}

fn starts(dir: &Path) -> u32 {
    std::fs::read_to_string(dir.join("count")).expect("a count").trim().parse().expect("a number")
}

fn main_row<'a>(told: &'a Value, metric: &str) -> &'a Value {
    let all = told["comparisons"].as_array().expect("comparisons");
    all.iter().find(|c| c["metric"] == metric).expect("a row")
}

fn names(dir: &Path) -> BTreeSet<String> {
    let files = dir.read_dir().expect("files");
    files.map(|file| file.expect("a file").file_name().into_string().expect("a name")).collect()
}

#[test]
fn a_known_ratio_is_found_and_every_form_tells_it_from_the_runs_alone() {
    let (a, b) = (StandIn::start(&["--first-token-ms", "120"]), StandIn::start(&["--first-token-ms", "30"]));
    let dir = tempfile::tempdir().expect("a directory");
    let more = "gates: [\"a.latency.p50 <= 10 * b.latency.p50\", \"a.latency.p50 >= 10ms\", \"error_rate == 0\"]\n";
    write(dir.path(), "s.yaml", &scenario(&a.url, &b.url, more));
    let args = ["run", "s.yaml", "--repeats", "4", "--set", "repeats.pause=0", "--out", "out", "--judge-stand-ins"];
    let (code, table, err) = ask(dir.path(), &args);
    assert_eq!(code, 0, "{err}\n{table}");
    assert!(err.contains("4 runs of the same plan") && err.contains("run 4 of 4: "), "{err}");
    let out = dir.path().join("out");
    let files = ["junit.xml", "repeats", "repeats-manifest.json", "repeats.csv", "repeats.json", "report.md"];
    assert_eq!(names(&out), files.map(str::to_owned).into());
    assert_eq!(names(&out.join("repeats")), ["01", "02", "03", "04"].map(str::to_owned).into());

    let told = json(&out.join("repeats.json"));
    assert_eq!((&told["schema_version"], &told["primary"]), (&1.into(), &"output_tokens_per_s".into()));
    for (metric, verdict) in [("latency.p50", "worse"), ("output_tokens_per_s", "worse")] {
        let row = main_row(&told, metric);
        let of = |field: &str| row[field].as_f64().expect("a number");
        assert_eq!((&row["verdict"], &row["blocks"]), (&verdict.into(), &4.into()), "{row}");
        assert!((of("target_value") / of("reference_value") - of("ratio")).abs() < 1e-5, "{row}");
        assert!(of("low") <= of("ratio") && of("ratio") <= of("high"), "{row}");
    }
    // Nothing is faster than declared, and what is slower is the machine.
    let latency = main_row(&told, "latency.p50");
    assert!(latency["target_value"].as_f64() > Some(119e3) && latency["reference_value"].as_f64() > Some(29e3));
    let headline = one_line(&table);
    assert!(headline.contains("Over 4 runs a (stand-in) is worse than b (stand-in) in output tokens/s"), "{table}");
    assert!(headline.contains("Not restarted between runs: a (stand-in), b (stand-in)."), "{table}");
    assert!(headline.contains("the same prompts in the same order"), "{table}");

    // The same plan each time: one workload, another order, nonces of their own; each of two is first as often.
    let manifest = |run: &str| json(&out.join("repeats").join(run).join("manifest.json"));
    let all: Vec<Value> = ["01", "02", "03", "04"].iter().map(|run| manifest(run)).collect();
    let of = |path: &str| all.iter().map(|m| m.pointer(path).expect("a field").to_string()).collect::<BTreeSet<_>>();
    assert_eq!((of("/workload_hash").len(), of("/plan/workload/nonce_salt").len()), (1, 4));
    let firsts = all.iter().filter(|m| m["plan"]["targets"][0]["name"] == "a").count();
    assert_eq!(firsts, 2);
    for m in &all {
        let reference = m["plan"]["reference"].as_u64().expect("a place") as usize;
        assert_eq!(m["plan"]["targets"][reference]["name"], "b");
    }
    every_form_says_the_same(&out, &told);
    every_gate_passes_in_every_form(&out, &told, &table);

    // A run of it is a run like others; all of it together is none.
    let (code, _, err) = ask(dir.path(), &["compare", "out/repeats/01", "out/repeats/02"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = ask(dir.path(), &["compare", "out", "out/repeats/02"]);
    assert!(code == 2 && err.contains("holds several runs of one plan"), "{err}");
    // They belong together, and are no four nights; the sheet has a row a run and target.
    let listed = |more: &[&str]| ask(dir.path(), &[&["history", ".", "--format", "csv"][..], more].concat()).1;
    assert_eq!((listed(&[]).lines().count(), listed(&["--parts"]).lines().count()), (1, 9));

    // Made again from the runs it is the same to the byte, and without samples the reports still tell it.
    made_again(dir.path(), &files[3..], &table);
}

/// The sheet has the figures of the document and of the runs' own files.
fn every_form_says_the_same(out: &Path, told: &Value) {
    let sheet = rows(&out.join("repeats.csv"));
    let find = |run: &str, target: &str, metric: &str| -> &Row {
        let is = |row: &&Row| row["run"] == run && row["target"] == target && row["metric"] == metric;
        sheet.iter().find(is).unwrap_or_else(|| panic!("{run} {target} {metric}"))
    };
    let row = main_row(told, "latency.p50");
    let all = find("all", "a", "latency.p50");
    for field in ["target_value", "reference_value", "ratio", "low", "high", "p"] {
        assert_eq!(number(all, field), row[field].as_f64(), "{field}");
    }
    assert_eq!((all["verdict"].as_str(), all["runs"].as_str()), ("worse", "4"));
    let mut logs = 0.0;
    for (at, run) in told["runs"].as_array().expect("runs").iter().enumerate() {
        let folder = run["folder"].as_str().expect("a folder");
        let own = rows(&out.join(folder).join("comparison.csv"));
        let own = own.iter().find(|row| row["metric"] == "latency.p50").expect("a row");
        let of = find(&(at + 1).to_string(), "a", "latency.p50");
        for field in ["target_value", "reference_value"] {
            assert_eq!(number(of, field), number(own, field), "{folder} {field}");
        }
        assert!(of["counts"] == "true" && of["folder"] == folder, "{of:?}");
        logs += (number(of, "target_value").expect("a value") / number(of, "reference_value").expect("a value")).ln();
    }
    let ratio = row["ratio"].as_f64().expect("a ratio");
    assert!(((logs / 4.0).exp() / ratio - 1.0).abs() < 1e-5, "{ratio}");
    let page = std::fs::read_to_string(out.join("report.md")).expect("a page");
    assert!(page.contains("**Over 4 runs a (stand-in) is worse than b (stand-in)"), "{page}");
}

fn every_gate_passes_in_every_form(out: &Path, told: &Value, table: &str) {
    let gates = told["judgement"]["gates"].as_array().expect("gates");
    // The last names no target: one for each.
    assert_eq!(gates.len(), 4);
    assert!(gates.iter().all(|gate| gate["outcome"] == "pass"), "{gates:?}");
    let first = &gates[0];
    let (low, high) = (first["low"].as_f64().expect("an end"), first["high"].as_f64().expect("an end"));
    let row = main_row(told, "latency.p50");
    let near = |a: f64, b: &Value| (a / b.as_f64().expect("a number") - 1.0).abs() < 1e-4;
    assert!(near(low, &row["low"]) && near(high, &row["high"]), "{first} {row}");
    let junit = std::fs::read_to_string(out.join("junit.xml")).expect("a file");
    assert!(junit.contains("tests=\"4\" failures=\"0\" errors=\"0\" skipped=\"0\""), "{junit}");
    assert_eq!(table.matches("\npass ").count(), 4, "{table}");
}

/// What the issue is about: an engine whose speed is drawn anew with each start. By itself each run says better or worse, and is
/// sure of it; over the runs nothing is decided, and no gate passes.
#[test]
fn an_engine_that_wanders_from_run_to_run_is_not_called_better_or_worse() {
    let b = StandIn::start(&["--first-token-ms", "60"]);
    let (dir, port) = (tempfile::tempdir().expect("a directory"), free_port());
    let start = wandering(dir.path(), port, &["--first-token-ms 15", "--first-token-ms 240"]);
    let url = format!("http://127.0.0.1:{port}");
    let more = format!("repeats: {{ runs: 4, pause: 0 }}\ngates: [\"a.latency.p50 <= 1.1 * b.latency.p50\"]\n{start}");
    write(dir.path(), "s.yaml", &scenario(&url, &b.url, &more));
    let (code, _, err) = ask(dir.path(), &["run", "s.yaml", "--out", "out"]);
    assert!(code == 2 && err.contains("--allow-commands") && !dir.path().join("out").exists(), "{err}");
    let (code, table, err) =
        ask(dir.path(), &["run", "s.yaml", "--out", "out", "--allow-commands", "--judge-stand-ins"]);
    assert_eq!(code, 5, "{err}\n{table}");
    assert_eq!(starts(dir.path()), 4);
    let told = json(&dir.path().join("out/repeats.json"));
    let by_itself: Vec<String> = (1..=4)
        .map(|run| {
            let own = json(&dir.path().join(format!("out/repeats/0{run}/report.json")));
            main_row(&own, "latency.p50")["verdict"].as_str().expect("a word").to_owned()
        })
        .collect();
    // On a busy machine one of them may be unsure of itself; none says the other thing.
    for (at, verdict) in by_itself.iter().enumerate() {
        assert_ne!(verdict, ["worse", "better"][at % 2], "{by_itself:?} {table}");
    }
    assert!(by_itself.iter().any(|verdict| verdict == "better" || verdict == "worse"), "{by_itself:?} {table}");
    for metric in ["latency.p50", "output_tokens_per_s"] {
        let row = main_row(&told, metric);
        assert_eq!(row["verdict"], "undecided", "{row}");
        assert!(row["low"].as_f64() < Some(1.0) && row["high"].as_f64() > Some(1.0), "{row}");
    }
    assert_eq!(told["judgement"]["gates"][0]["outcome"], "inconclusive");
    let table = one_line(&table);
    assert!(table.contains("Undecided over 4 runs in output tokens/s: a (stand-in)"), "{table}");
    assert!(table.contains(" Single runs: "), "{table}");
    assert!(table.contains("Restarted for each run: a (stand-in). Not restarted between runs: b"), "{table}");
    // Each run says of itself that it is one.
    let own = |run: usize| {
        let page = std::fs::read_to_string(dir.path().join(format!("out/repeats/0{run}/report.md"))).expect("a page");
        page.contains("In this run a (stand-in) is ")
    };
    for run in 1..=4 {
        let report = json(&dir.path().join(format!("out/repeats/0{run}/report.json")));
        let verdict = &main_row(&report, "output_tokens_per_s")["verdict"];
        assert_eq!(own(run), verdict == "better" || verdict == "worse", "{run} {verdict}");
    }

    // Where the engine goes on running, that is said, and it is the same one to the end.
    std::fs::remove_file(dir.path().join("count")).expect("gone");
    write(dir.path(), "s.yaml", &scenario(&url, &b.url, &more.replace("pause: 0", "pause: 0, restart: false")));
    let (code, table, err) =
        ask(dir.path(), &["run", "s.yaml", "--out", "kept", "--allow-commands", "--judge-stand-ins", "--repeats", "4"]);
    assert_eq!(code, 0, "{err}\n{table}");
    assert_eq!(starts(dir.path()), 1);
    assert!(one_line(&table).contains("Not restarted between runs: a (stand-in), b (stand-in)."), "{table}");
    assert!(one_line(&table).contains("Over 4 runs a (stand-in) is better"), "{table}");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "it ends with the last run");
}

#[test]
fn an_invalid_run_is_left_out_and_more_than_a_third_of_them_spoil_it() {
    let b = StandIn::start(&["--first-token-ms", "20"]);
    let (dir, port) = (tempfile::tempdir().expect("a directory"), free_port());
    let url = format!("http://127.0.0.1:{port}");
    let (good, bad) = ("--first-token-ms 80", "--first-token-ms 80 --fault-status 0.5");
    let with = |runs: &[&str]| {
        let _ = std::fs::remove_file(dir.path().join("count"));
        let more = format!(
            "repeats: {{ runs: {}, pause: 0 }}\naudit: {{ error-rate: invalid }}\ngates: [\"a.latency.p50 >= 0.05 * b.latency.p50\"]\n{}",
            runs.len(),
            wandering(dir.path(), port, runs)
        );
        write(dir.path(), "s.yaml", &scenario(&url, &b.url, &more));
        let out = format!("out{}", runs.iter().filter(|run| **run == bad).count());
        let args = ["run", "s.yaml", "--out", &out, "--allow-commands", "--judge-stand-ins"];
        let (code, table, err) = ask(dir.path(), &args);
        (code, one_line(&table), err, json(&dir.path().join(out).join("repeats.json")))
    };
    let (code, table, err, told) = with(&[good, bad, good, good]);
    assert_eq!(code, 0, "{err}\n{table}");
    assert_eq!(main_row(&told, "latency.p50")["blocks"], 3);
    assert!(
        table.contains("repeats/02 is left out: invalid: ")
            && table.contains("4 runs of the same plan, 1 of them left out:"),
        "{table}"
    );
    assert_eq!(told["judgement"]["gates"][0]["outcome"], "pass");
    let (code, table, err, told) = with(&[good, bad, bad, good]);
    assert_eq!(code, 4, "{table}");
    assert!(err.contains("of 4 runs 2 are invalid: more than a third"), "{err}");
    assert!(table.contains("INVALID: of 4 runs 2 are invalid"), "{table}");
    assert_eq!(told["judgement"]["gates"][0]["outcome"], "not_measured");
    // Two runs that are left carry no interval, either.
    let row = main_row(&told, "latency.p50");
    assert_eq!((&row["verdict"], &row["low"]), (&"undecided".into(), &Value::Null));
}

#[test]
fn what_a_signal_or_a_dead_engine_leaves_is_told_by_how_many_runs_there_are() {
    let (a, mut b) = (StandIn::start(&["--first-token-ms", "60"]), StandIn::start(&["--first-token-ms", "15"]));
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "s.yaml", &scenario(&a.url, &b.url, "repeats: { runs: 20, pause: 100ms }\n"));
    let run = |out: &str| {
        let mut command = loadcmp();
        command.current_dir(dir.path()).args(["run", "s.yaml", "--out", out]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run")
    };
    let wait = |file: &str| {
        let (begun, path) = (Instant::now(), dir.path().join(file));
        while !path.is_file() {
            assert!(begun.elapsed() < Duration::from_secs(120), "{file} isn't there");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let child = run("cut");
    wait("cut/repeats/03/report.json");
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let output = child.wait_with_output().expect("its end");
    let (table, err) = text(&output);
    assert_eq!(output.status.code(), Some(4), "{err}");
    let told = json(&dir.path().join("cut/repeats.json"));
    let whole = told["runs"].as_array().expect("runs").iter().filter(|run| run["status"] == "complete").count();
    assert!((3..20).contains(&whole), "{whole}");
    assert!(
        one_line(&table).contains(&format!("Interrupted after {whole} of 20 runs; figures cover those.")),
        "{table}"
    );
    assert_eq!(main_row(&told, "latency.p50")["blocks"], whole);
    assert_eq!(told["manifest"]["status"], "interrupted");
    // Told again it is what it was.
    let (code, again, _) = ask(dir.path(), &["report", "cut"]);
    assert_eq!((code, again), (4, table));

    // The engine dies after a run: the others can't be made, which is told, and by the exit code too.
    let child = run("dead");
    wait("dead/repeats/01/report.json");
    b.kill();
    let output = child.wait_with_output().expect("its end");
    let (table, err) = text(&output);
    assert!(matches!(output.status.code(), Some(3 | 4)), "{err}");
    let told = json(&dir.path().join("dead/repeats.json"));
    let failed = told["manifest"]["runs"].as_array().expect("runs").iter().filter(|run| run["failed"].is_string());
    let failed = failed.count();
    assert!((1..=3).contains(&failed), "{failed}");
    assert!(told["invalid"].is_string(), "{told}");
    assert!(one_line(&table).contains("has no result: target `b`"), "{table}");

    // Where nothing answers from the beginning, nothing is left behind.
    let (code, _, err) = ask(dir.path(), &["run", "s.yaml", "--out", "none"]);
    assert!(code == 3 && err.contains("target `b`") && !dir.path().join("none").exists(), "{err}");
}

#[test]
fn one_target_and_three_are_told_over_runs_too() {
    let engines: Vec<StandIn> = ["20", "60", "20"].iter().map(|ms| StandIn::start(&["--first-token-ms", ms])).collect();
    let dir = tempfile::tempdir().expect("a directory");
    let of = |names: &[&str]| {
        let targets: String = names
            .iter()
            .zip(&engines)
            .map(|(name, engine)| format!("  {name}: {{ ollama: {{ url: \"{}\" }} }}\n", engine.url))
            .collect();
        format!(
            "name: s\ntask: embed\ntargets:\n{targets}workload: {{ prompts: {{ synthetic: {{ count: 9, words: {{ fixed: 6 }} }} }} }}\n\
             load: {{ closed: {{ users: 1, requests: 20 }} }}\nrepeats: {{ runs: 3, pause: 0s }}\n"
        )
    };
    write(dir.path(), "one.yaml", &of(&["a"]).replace("task: embed", "task: generate"));
    let (code, table, err) = ask(dir.path(), &["run", "one.yaml", "--out", "one"]);
    assert_eq!(code, 0, "{err}");
    assert!(one_line(&table).contains("over 3 runs.") && !table.contains("ratio"), "{table}");
    let told = json(&dir.path().join("one/repeats.json"));
    let figure = told["figures"].as_array().expect("figures").iter().find(|f| f["metric"] == "latency.p50");
    let figure = figure.expect("a figure");
    assert!(figure["low"].as_f64() <= figure["value"].as_f64() && figure["value"].as_f64() <= figure["high"].as_f64());

    write(dir.path(), "three.yaml", &of(&["a", "b", "c"]).replace("task: embed", "task: generate"));
    let (code, table, err) = ask(dir.path(), &["run", "three.yaml", "--out", "three"]);
    assert_eq!(code, 0, "{err}");
    let told = json(&dir.path().join("three/repeats.json"));
    let pairs: BTreeSet<(u64, u64)> = told["comparisons"]
        .as_array()
        .expect("comparisons")
        .iter()
        .map(|c| (c["target"].as_u64().expect("a place"), c["reference"].as_u64().expect("a place")))
        .collect();
    assert_eq!(pairs, BTreeSet::from([(0, 2), (1, 2)]));
    assert_eq!(table.matches("ratio (95 % CI)").count(), 2, "{table}");
}

#[test]
fn the_schema_beside_the_docs_is_the_one_the_types_make() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/repeats-1.schema.json");
    let made = serde_json::to_string_pretty(&loadcmp::report::repeats::schema()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &made).expect("the schema's file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/repeats-1.schema.json is not what the types make; run: UPDATE_SCHEMA=1 cargo test --test all"
    );
}

#[test]
fn what_makes_several_runs_of_its_own_says_that_it_takes_no_repeats() {
    let engine = StandIn::start(&["--first-token-ms", "5"]);
    let dir = tempfile::tempdir().expect("a directory");
    let one = scenario(&engine.url, &engine.url, "allow_same_endpoint: true\nrepeats: 3\n");
    write(dir.path(), "s.yaml", &one);
    let (code, table, err) = ask(dir.path(), &["check", "s.yaml"]);
    assert!(code == 0 && table.contains("3 runs of the same plan, 5s pause between runs"), "{table} {err}");
    let suite = |set: &str| {
        let text = format!(
            "name: t\nscenarios:\n  one: {{ file: s.yaml, set: {{ {set} }} }}\nchecks:\n  - {{ name: x, category: y, scenario: one, \
             gate: a.latency.p50 <= 60s }}\n"
        );
        write(dir.path(), "t.yaml", &text);
        ask(dir.path(), &["suite", "run", "t.yaml", "--out", "out", "--judge-stand-ins"])
    };
    let (code, _, err) = suite("seed: 5");
    assert!(code == 2 && err.contains("`one` has `repeats`") && !dir.path().join("out").exists(), "{err}");
    let (code, _, err) = suite("repeats: null");
    assert_eq!(code, 0, "{err}");
    for (more, words) in [(&["--sweep", "seed=1,2"][..], "`repeats` and `sweep`"), (&["--repeats", "1"], "--repeats")] {
        let (code, _, err) = ask(dir.path(), &[&["run", "s.yaml", "--out", "none"], more].concat());
        assert!(code == 2 && err.contains(words) && !dir.path().join("none").exists(), "{err}");
    }
}
