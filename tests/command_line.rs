//! The command line as people meet it: its texts, what goes to which stream, exit codes, and the files beside.

use crate::cli::{Row, StandIn, loadcmp, rows, text, write};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the program in `dir`.
fn at(dir: &Path, args: &[&str]) -> Output {
    loadcmp().current_dir(dir).args(args).output().expect("the program")
}

fn told(output: &Output, code: i32) -> (String, String) {
    let (out, err) = text(output);
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

/// A short scenario of two targets at `url`.
fn scenario(url: &str) -> String {
    format!(
        "name: short\ntask: generate\ntargets:\n  a: {{ openai: {{ url: \"{url}\" }} }}\n  b: {{ ollama: {{ url: \"{url}\" }} }}\n\
         allow_same_endpoint: true\nworkload: {{ prompts: {{ inline: [ {{ text: one }}, {{ text: two }} ] }}, sampling: {{ max_tokens: 2 }} }}\n\
         load: {{ closed: {{ users: 2, requests: 6 }} }}\n"
    )
}

/// A folder with a scenario, and the stand-in it is run on.
fn place() -> (tempfile::TempDir, StandIn) {
    let (dir, engine) = (tempfile::tempdir().expect("a directory"), StandIn::start(&[]));
    write(dir.path(), "short.yaml", &scenario(&engine.url));
    (dir, engine)
}

#[test]
fn the_help_is_as_it_was_read() {
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help-run", &["run", "--help"]),
        ("help-capacity", &["capacity", "--help"]),
        ("help-serve", &["serve", "--help"]),
        ("help-calibrate", &["calibrate", "--help"]),
        ("help-history", &["history", "--help"]),
        ("help-trend", &["trend", "--help"]),
        ("help-prune", &["prune", "--help"]),
    ] {
        if name == "help-run" && cfg!(not(feature = "goose")) {
            continue;
        }
        let output = loadcmp().args(args).env("COLUMNS", "100").output().expect("help");
        insta::assert_snapshot!(name, told(&output, 0).0.replace("loadcmp.exe", "loadcmp"));
    }
}

#[test]
fn exit_codes_are_listed_where_they_are_looked_for() {
    let codes = |text: &str| -> BTreeSet<u32> {
        let list = text.split_once("Exit codes:").expect("a list").1.split("\n\n").next().unwrap_or_default();
        let words = list.split(['\n', '·']).map(str::trim);
        words.filter_map(|entry| entry.split_whitespace().next()?.parse().ok()).collect()
    };
    let all = BTreeSet::from([0, 1, 2, 3, 4, 5, 70]);
    for args in
        [&["--help"][..], &["run", "--help"], &["capacity", "--help"], &["report", "--help"], &["compare", "--help"]]
    {
        let (help, _) = told(&loadcmp().args(args).output().expect("help"), 0);
        assert_eq!(codes(&help), all, "{args:?}: {help}");
        assert!(help.contains("  4  the run is invalid (its audit found"), "{help}");
    }
    let readme = std::fs::read_to_string("README.md").expect("the README");
    let list = readme.split("\n\n").find(|part| part.contains("Exit codes:")).expect("its list");
    assert_eq!(codes(&list.replace('\n', " ")), all);
    assert!(readme.contains("4 the run is invalid"), "it tells what 4 is");
}

#[test]
fn init_writes_what_can_be_checked_and_nothing_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    let kept = std::fs::read_to_string("scenarios/schema.json").expect("the schema");
    assert_eq!(told(&at(dir.path(), &["schema"]), 0).0, kept, "scenarios/schema.json");
    let (out, _) = told(&at(dir.path(), &["init", "demo"]), 0);
    assert!(out.contains("demo.yaml"), "{out}");
    let yaml = std::fs::read_to_string(dir.path().join("demo.yaml")).expect("a scenario");
    assert!(yaml.starts_with("# yaml-language-server: $schema=schema.json\n"));
    assert_eq!(std::fs::read_to_string(dir.path().join("schema.json")).expect("a schema beside it"), kept);
    let (out, _) = told(&at(dir.path(), &["check", "demo.yaml"]), 0);
    assert!(out.contains("No load was sent") && out.contains("from the scenario"), "{out}");

    write(dir.path(), "demo.yaml", "mine");
    write(dir.path(), "schema.json", "mine");
    let (_, err) = told(&at(dir.path(), &["init", "demo.yaml"]), 2);
    assert!(err.contains("already exists"), "{err}");
    told(&at(dir.path(), &["init"]), 0);
    for name in ["demo.yaml", "schema.json"] {
        assert_eq!(std::fs::read_to_string(dir.path().join(name)).expect(name), "mine");
    }
    for name in ["../x", "a/b", "", "a b", ".yaml", "-x", "ü"] {
        told(&at(dir.path(), &["init", name]), 2);
    }
    let there: BTreeSet<_> =
        dir.path().read_dir().expect("files").map(|file| file.expect("a file").file_name()).collect();
    assert_eq!(there.len(), 3, "{there:?}");
}

#[test]
fn init_writes_a_suite_that_can_be_checked_and_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let (out, _) = told(&at(dir.path(), &["init", "mine", "--suite"]), 0);
    assert!(out.contains("mine.yaml and mine-load.yaml written"), "{out}");
    let schema = std::fs::read_to_string(dir.path().join("suite-schema.json")).expect("a schema beside it");
    assert_eq!(told(&at(dir.path(), &["schema", "--suite"]), 0).0, schema);
    assert_eq!(schema, std::fs::read_to_string("suites/schema.json").expect("the shipped schema"));
    let (out, _) = told(&at(dir.path(), &["suite", "check", "mine.yaml"]), 0);
    assert!(out.contains("2 scenarios, 4 checks"), "{out}");
    // Nothing is written over, not even in part.
    std::fs::remove_file(dir.path().join("mine.yaml")).expect("gone");
    let (_, err) = told(&at(dir.path(), &["init", "mine", "--suite"]), 2);
    assert!(err.contains("mine-load.yaml already exists") && !dir.path().join("mine.yaml").exists(), "{err}");
    let (out, _) = told(&at(dir.path(), &["suite", "list"]), 0);
    for name in ["herald", "vibrant", "gg-core", "trainer", "muse"] {
        assert!(out.lines().any(|line| line.starts_with(name)), "{name}: {out}");
    }
}

#[test]
fn completions_and_the_manual_are_what_their_readers_take() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (out, err) = told(&loadcmp().args(["completions", shell]).output().expect("completions"), 0);
        assert!(out.contains("loadcmp") && err.is_empty(), "{shell}");
        if shell == "bash"
            && let Ok(mut bash) = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn()
        {
            use std::io::Write;
            bash.stdin.take().expect("its input").write_all(out.as_bytes()).expect("bytes");
            assert!(bash.wait().expect("an end").success());
        }
    }
    let (out, _) = told(&loadcmp().arg("man").output().expect("the manual"), 0);
    assert!(out.contains(".TH loadcmp") && out.contains(".SH NAME") && out.contains(".SH SYNOPSIS"), "{out}");
}

#[test]
fn the_result_goes_to_stdout_and_everything_else_to_stderr() {
    let (dir, _engine) = place();
    for (number, (format, quiet)) in [
        ("table", false),
        ("table", true),
        ("json", false),
        ("json", true),
        ("csv", false),
        ("csv", true),
        ("markdown", true),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("out{number}");
        let mut args = vec!["run", "short.yaml", "--out", &name, "--format", format];
        args.extend(quiet.then_some("--quiet"));
        let output = loadcmp().current_dir(dir.path()).args(args).env_remove("NO_COLOR").output().expect("a run");
        let (out, err) = told(&output, 0);
        assert!(!out.contains('\x1b') && !err.contains('\x1b'), "{out}{err}");
        assert_eq!(err.is_empty(), quiet, "{err}");
        assert_eq!(err.contains("files: "), !quiet && format != "table");
        assert_eq!(out.contains(&format!("report: {name}/report.html")), format == "table", "{out}");
        match format {
            "json" => {
                let report: serde_json::Value = serde_json::from_str(&out).expect("JSON and nothing else");
                assert_eq!(report["status"], "complete", "{out}");
                assert_eq!(out, std::fs::read_to_string(dir.path().join(&name).join("report.json")).expect("a report"));
            }
            "csv" => {
                let mut sheet = csv::Reader::from_reader(out.as_bytes());
                assert!(sheet.records().all(|row| row.is_ok()));
                assert_eq!(
                    out,
                    std::fs::read_to_string(dir.path().join(&name).join("summary.csv")).expect("a summary")
                );
            }
            "markdown" => assert!(out.lines().any(|line| line.starts_with("|") && line.contains("--")), "{out}"),
            _ => assert!(out.contains("latency p50") && out.lines().all(|line| line.chars().count() <= 100), "{out}"),
        }
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (dir, _engine) = place();
    for (out, what) in [("a", "| head -1"), ("b", "2>&1 | head -1"), ("c", "2>&1 | true"), ("d", ">&- 2>&-")] {
        let line = format!(
            "\"$PROGRAM\" run short.yaml --out {out} {what} >first; \"$PROGRAM\" schema | head -1 >/dev/null; \
             \"$PROGRAM\" run nosuch {what} >>first; exit ${{PIPESTATUS[0]}}"
        );
        let ran = Command::new("bash")
            .args(["-c", &line])
            .current_dir(dir.path())
            .env("PROGRAM", env!("CARGO_BIN_EXE_loadcmp"))
            .output()
            .expect("a shell");
        let (said, err) = text(&ran);
        assert!(!said.contains("panick") && !err.contains("panick"), "{what}: {said}{err}");
        assert_eq!(ran.status.code(), Some(2), "{what}: {said}{err}");
        assert!(dir.path().join(out).join("report.json").exists(), "{what}: the run went on to its end");
    }
}

#[test]
fn several_scenarios_get_a_folder_each_and_nothing_is_written_over() {
    let (dir, engine) = place();
    write(dir.path(), "other.yaml", &scenario(&engine.url).replace("name: short", "name: other"));
    told(&at(dir.path(), &["run", "short.yaml", "other.yaml", "--out", "both", "-q"]), 0);
    for name in ["short", "other"] {
        assert_eq!(rows(&dir.path().join("both").join(name).join("samples.csv")).len(), 14);
    }
    // One of them is taken: told before the other is run.
    let (out, err) = told(&at(dir.path(), &["run", "other.yaml", "short.yaml", "--out", "both"]), 2);
    assert!(err.contains("not empty") && out.is_empty(), "{err}");
    std::fs::remove_dir_all(dir.path().join("both").join("other")).expect("a folder");
    told(&at(dir.path(), &["run", "other.yaml", "short.yaml", "--out", "both"]), 2);
    assert!(!dir.path().join("both").join("other").exists());
    let (_, err) = told(&at(dir.path(), &["run", "short.yaml", "short.yaml", "--out", "twice"]), 2);
    assert!(err.contains("named `short`"), "{err}");
    let (_, err) = told(&at(dir.path(), &["run", "short.yaml", "--out", "short.yaml"]), 2);
    assert!(err.contains("not a directory"), "{err}");
    let (_, err) = told(&at(dir.path(), &["run", "short.yaml", "missing.yaml", "--out", "none"]), 2);
    assert!(err.contains("missing.yaml") && !dir.path().join("none").exists(), "{err}");
    // An empty one is free, and a name of its own is found where none is given.
    std::fs::create_dir(dir.path().join("empty")).expect("a folder");
    told(&at(dir.path(), &["run", "short.yaml", "--out", "empty", "-q"]), 0);
    told(&at(dir.path(), &["run", "short.yaml", "short.yaml", "-q"]), 0);
    assert_eq!(dir.path().join("results").read_dir().expect("results").count(), 2);
}

#[test]
fn shipped_scenarios_run_by_name_from_anywhere() {
    let (dir, engine) = place();
    std::fs::create_dir(dir.path().join("classify")).expect("a folder of that name is no scenario");
    let (native, ollama) = (format!("native=openai:{}", engine.url), format!("ollama=ollama:{}", engine.url));
    let same = ["--set", "allow_same_endpoint=true", "--target", &native, "--target", &ollama];
    let short = [&["--set", "load={closed: {users: 2, requests: 12}}"][..], &same].concat();
    let run = |more: &[&str], out: &str| {
        let args = [&["run"], more, &short[..], &["--out", out, "--quiet", "--format", "json"]].concat();
        let (out, _) = told(&at(dir.path(), &args), 0);
        serde_json::from_str::<serde_json::Value>(&out).expect("a report")
    };
    let report = run(&[], "bare");
    assert_eq!(report["plan"]["name"], "classify");
    let report = run(&["generate"], "named");
    assert_eq!(report["plan"]["name"], "generate");
    let args = [&["check", "chat"][..], &same].concat();
    assert!(told(&at(dir.path(), &args), 0).0.contains("40 prompts"), "its data are there, too");
    let (_, err) = told(&at(dir.path(), &["run", "clasify"]), 2);
    assert!(
        err.contains("classify, embed, generate, chat, open, alternate, soak")
            && err.contains("did you mean `classify`?"),
        "{err}"
    );
    let (_, err) = told(&at(dir.path(), &["run", "./nosuch.yaml"]), 2);
    assert!(err.contains("no such file") && err.contains("short.yaml"), "{err}");
}

#[test]
fn the_seed_makes_the_workload() {
    let (dir, _engine) = place();
    let hash = |seed: &str| {
        let (out, _) = told(&at(dir.path(), &["check", "short.yaml", "--seed", seed]), 0);
        out.split("hash ").nth(1).expect("a hash").lines().next().expect("a line").to_owned()
    };
    let (one, again, two) = (hash("1"), hash("1"), hash("2"));
    assert_eq!(one, again);
    assert_ne!(one, two);
    let (_, err) = told(&at(dir.path(), &["check", "short.yaml", "--seed", "many"]), 2);
    assert!(err.contains("--seed"), "{err}");
}

#[test]
fn exit_codes_are_those_that_the_help_lists() {
    let (dir, engine) = place();
    let own = format!("a=openai:{}", engine.url);
    for (args, code, words) in [
        (&["run", "short.yaml", "--set", "load.closed.usrs=3"][..], 2, "did you mean `users`?"),
        (&["run", "short.yaml", "--set", "nothing"], 2, "--set"),
        (&["run", "short.yaml", "--target", "x=telnet:host"], 2, "telnet"),
        (&["run", "short.yaml", "--frmat", "csv"], 2, "--format"),
        (&["walk"], 2, "walk"),
        (&["run", "short.yaml", "--target", "b=ollama:127.0.0.1:9"], 3, "127.0.0.1:9"),
        (
            &["run", "short.yaml", "--target", "a=ollama:127.0.0.1:9", "--target", "b=ollama:127.0.0.1:7"],
            3,
            "127.0.0.1:7",
        ),
        (&["check", "short.yaml", "--target", "b=ollama:127.0.0.1:9"], 3, "ollama serve"),
        (&["run", "short.yaml", "--real"], 3, "--real refuses"),
        (&["check", "short.yaml", "--real"], 3, "--real refuses"),
        (&["run", "short.yaml", "--target", &(own + ",model=nope")], 3, "standin"),
        (&["report", "."], 2, "no manifest.json"),
        (&["report", "nowhere"], 2, "nowhere"),
        (&["--version"], 0, ""),
    ] {
        let (out, err) = told(&at(dir.path(), args), code);
        assert!(err.contains(words), "{args:?}: {err}");
        assert_eq!(out.is_empty(), code != 0, "{args:?}: {out}");
        assert!(err.lines().all(|line| !line.contains('\x1b')));
    }
    assert!(!dir.path().join("results").exists(), "no half-written results");
}

#[test]
fn a_first_request_that_fails_ends_the_run_and_leaves_its_rows() {
    let (dir, _) = place();
    let broken = StandIn::start(&["--fault-status", "1"]);
    write(dir.path(), "short.yaml", &scenario(&broken.url));
    let (out, err) = told(&at(dir.path(), &["run", "short.yaml", "--out", "out"]), 3);
    assert!(out.is_empty() && err.contains("`a` failed on the first request"), "{err}");
    let samples = rows(&dir.path().join("out/samples.csv"));
    assert!(samples.iter().all(|row| row["phase"] == "cold" && row["outcome"] == "http_status"), "{samples:?}");
}

#[test]
fn a_run_can_be_told_again_where_its_files_are_sound_and_is_refused_where_not() {
    let (dir, _engine) = place();
    let (table, _) = told(&at(dir.path(), &["run", "short.yaml", "--out", "out"]), 0);
    let out = dir.path().join("out");
    let samples = std::fs::read(out.join("samples.csv")).expect("samples");
    assert_eq!(told(&at(dir.path(), &["report", "out"]), 0).0, table);

    // The process ended in the middle of the last row: one side has an answer less, and the comparison is worthless.
    std::fs::write(out.join("samples.csv"), &samples[..samples.len() - 40]).expect("a cut");
    let report = told(&at(dir.path(), &["report", "out", "--format", "json"]), 4).0;
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["findings"][0]["id"], "unequal-requests");
    let count = |rows: &[Row]| -> f64 {
        let asked = rows.iter().filter(|row| row["metric"] == "requests");
        asked.map(|row| row["mean"].parse::<f64>().expect("a number")).sum()
    };
    assert_eq!(count(&rows(&out.join("summary.csv"))), 11.0);

    let text = String::from_utf8(samples.clone()).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let foreign = text.replacen("planned_us", "planned", 1);
    let torn = lines[0][..lines[0].len() / 2].to_owned();
    let middle = [lines[0], lines[1], "nonsense", lines[2], lines[3]].join("\n");
    for (bytes, words) in [(&foreign[..], "columns"), (&torn, "columns"), ("", "it is empty"), (&middle, "line 3")] {
        std::fs::write(out.join("samples.csv"), bytes).expect("a file");
        let (said, err) = told(&at(dir.path(), &["report", "out"]), 2);
        assert!(err.contains("samples.csv") && err.contains(words) && said.is_empty(), "{err}");
    }
    std::fs::remove_file(out.join("samples.csv")).expect("gone");
    assert!(told(&at(dir.path(), &["report", "out"]), 2).1.contains("it has no samples.csv"));
    std::fs::write(out.join("samples.csv"), &samples).expect("a file");
    for manifest in ["", "{", "{\"schema_version\": 1}", "[]"] {
        std::fs::write(out.join("manifest.json"), manifest).expect("a file");
        let (_, err) = told(&at(dir.path(), &["report", "out"]), 2);
        assert!(err.contains("manifest.json is not from loadcmp"), "{err}");
    }
}

#[cfg(unix)]
#[test]
fn a_stand_in_in_the_place_of_an_engine_is_loud_unless_asked_to_be_quiet() {
    if ["/var/run/gg-core/GG-CORE.sock", "/var/run/veritas/GG-CORE.sock"].iter().any(|path| Path::new(path).exists()) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    // A token that the environment doesn't hold: the stand-in takes the target's.
    let whole = scenario("");
    let yaml = whole.lines().filter(|line| !line.contains("ollama") && !line.contains("openai")).collect::<Vec<_>>();
    let yaml = yaml
        .join("\n")
        .replace("targets:", "targets:\n  g: { gg_core: { token: \"${KEY:-}\" } }")
        .replace("sampling", "stream: false, sampling");
    write(dir.path(), "g.yaml", &yaml);
    let run = |args: &[&str]| {
        loadcmp()
            .current_dir(dir.path())
            .args(args)
            .env("KEY", "k")
            .env("CORE_AUTH_TOKEN", "other")
            .output()
            .expect("a run")
    };
    let (out, err) = told(&run(&["check", "g.yaml"]), 0);
    assert!(err.contains("STAND-IN for `g`") && out.contains("STAND-IN") && out.contains("g (stand-in)"), "{err}{out}");
    assert!(err.lines().all(|line| line.chars().count() <= 80), "{err}");
    let (out, err) = told(&run(&["run", "g.yaml", "--out", "a"]), 0);
    assert!(err.contains("STAND-IN for `g`") && out.contains("g (stand-in)"), "{err}{out}");
    assert!(err.lines().all(|line| line.chars().count() <= 80), "{err}");
    let (out, err) = told(&run(&["run", "g.yaml", "--out", "b", "--quiet"]), 0);
    assert!(err.is_empty() && out.contains("g (stand-in)"), "{err}{out}");
    let (out, err) = told(&run(&["run", "g.yaml", "--real"]), 3);
    assert!(err.contains("GG-CORE.sock") && err.contains("GG_CORE_SOCKET_PATH") && out.is_empty(), "{err}");
}

/// The table of metrics: every id with what it is, for people in any width and for programs.
#[test]
fn the_metrics_are_printed_for_people_and_for_programs() {
    let (out, err) = told(&loadcmp().args(["metrics", "--json"]).output().expect("metrics"), 0);
    assert_eq!(err, "");
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let all = json["metrics"].as_array().expect("a list");
    assert_eq!(json["aliases"]["errors"], "error_rate");
    let of = |id: &str| all.iter().find(|metric| metric["id"] == id).unwrap_or_else(|| panic!("no {id}"));
    let ttft = of("ttft");
    assert_eq!((&ttft["unit"], &ttft["better"], &ttft["slo"]), (&"us".into(), &"less".into(), &true.into()));
    assert_eq!(ttft["compared"], serde_json::json!(["ttft.p50", "ttft.p95"]));
    assert_eq!((&of("goodput")["better"], &of("window")["better"]), (&"more".into(), &"neither".into()));
    for width in ["60", "100", "160"] {
        let (table, err) = told(&loadcmp().arg("metrics").env("COLUMNS", width).output().expect("metrics"), 0);
        assert_eq!(err, "");
        let words: Vec<&str> = table.split_whitespace().collect();
        for metric in all {
            let id = metric["id"].as_str().expect("an id");
            let told = words.iter().any(|word| word.trim_end_matches(':') == id);
            assert!(told && words.contains(&"throughput"), "{id} in {width} columns");
        }
        let width: usize = width.parse().expect("a number");
        assert!(table.lines().all(|line| line.chars().count() <= width), "{table}");
    }
}
