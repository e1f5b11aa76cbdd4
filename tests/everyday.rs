//! The everyday flags do what the fields of the scenario do that they stand for, whatever kind of load it has; and mistakes on
//! the command line speak of the command line.

use crate::cli::{Row, StandIn, ask, json, loadcmp, one_line, rows, write};
use std::path::Path;

/// A scenario of one stand-in under a load.
fn place(load: &str, engine: &StandIn) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "name: t\ntask: generate\ntargets: {{ b: {{ ollama: {{ url: \"{}\", model: standin }} }} }}\nworkload: {{ prompts: \
         {{ inline: [{{ text: one }}] }}, sampling: {{ max_tokens: 3 }} }}\nload: {load}\n",
        engine.url
    );
    write(dir.path(), "t.yaml", &text);
    dir
}

fn measured(dir: &Path) -> Vec<Row> {
    let mut all = rows(&dir.join("out/samples.csv"));
    all.retain(|row| row["phase"] == "measure");
    all
}

#[test]
fn the_load_is_what_the_flags_say() {
    let engine = StandIn::start(&["--first-token-ms", "5", "--decode-rate", "1000"]);
    let closed = "{ closed: { users: 1, duration: 1s } }";
    let open = "{ open: { rate: 50, duration: 1s, in_flight: 77 } }";
    let stages = "{ open: { stages: [{ rate: 5, duration: 1s }] } }";
    // The kind of load, one of its fields, and what it is.
    for (load, flags, kind, field, value) in [
        (closed, &["-u", "3", "-n", "9"][..], "Closed", "users", "3"),
        (closed, &["--rate", "40", "-d", "500ms"], "Open", "in_flight", "1024"),
        (open, &["--users", "2", "-d", "700ms"], "Closed", "users", "2"),
        (open, &["-d", "600ms"], "Open", "in_flight", "77"),
        (stages, &["-u", "2", "-n", "8"], "Closed", "users", "2"),
        (stages, &["--rate", "30", "-d", "600ms"], "Open", "in_flight", "1024"),
    ] {
        let dir = place(load, &engine);
        let (code, _, err) = ask(dir.path(), &[&["run", "t.yaml", "-q", "--out", "out"], flags].concat());
        assert_eq!(code, 0, "{load} {flags:?}: {err}");
        let told = json(&dir.path().join("out/report.json"));
        let load = &told["plan"]["load"];
        assert_eq!(load[kind.to_lowercase()][field].to_string(), value, "{flags:?}: {load}");
        if let Some(at) = flags.iter().position(|flag| *flag == "-n") {
            assert_eq!(measured(dir.path()).len().to_string(), flags[at + 1], "{flags:?}");
        }
    }
}

#[test]
fn prompts_come_from_anywhere_and_answers_are_as_long_as_asked() {
    let record = tempfile::tempdir().expect("a directory");
    let record = record.path().join("record.csv");
    let engine = StandIn::start(&["--record", record.to_str().expect("a path")]);
    let other = tempfile::tempdir().expect("a directory");
    let dir = place("{ closed: { users: 1, requests: 4 } }", &engine);
    for (name, text) in [
        ("p.csv", "text\nfirst of a sheet\nsecond of a sheet\n"),
        ("p.jsonl", "{\"text\": \"first of lines\"}\n{\"text\": \"second of lines\"}\n"),
        ("p.txt", "first of a text\nsecond of a text\n"),
    ] {
        let file = write(other.path(), name, text);
        let _ = std::fs::remove_dir_all(dir.path().join("out"));
        let args =
            ["run", "t.yaml", "-q", "--out", "out", "--max-tokens", "7", "--prompts", file.to_str().expect("a path")];
        let (code, _, err) = ask(dir.path(), &args);
        assert_eq!(code, 0, "{name}: {err}");
        let all = measured(dir.path());
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|row| row["output_tokens"] == "7"), "{all:?}");
        let plan = json(&dir.path().join("out/report.json"))["plan"]["workload"].clone();
        assert_eq!(plan["items"], 2, "{name}: {plan}");
    }
    // The scenario itself may read nothing there.
    let file = other.path().join("p.txt");
    let text = std::fs::read_to_string(dir.path().join("t.yaml")).expect("the scenario");
    let inline = "{ inline: [{ text: one }] }";
    assert!(text.contains(inline));
    write(dir.path(), "u.yaml", &text.replace(inline, &format!("{{ text: {{ path: {} }} }}", file.display())));
    let (code, _, err) = ask(dir.path(), &["run", "u.yaml", "-q", "--out", "other"]);
    assert!(code == 2 && err.contains("is outside"), "{err}");
    // Every answer was made by the engine, as long as was asked.
    let served = rows(&record);
    assert!(served.iter().filter(|row| row["output_tokens"] == "7").count() >= 12, "{served:?}");
}

#[test]
fn one_model_or_all_and_an_order() {
    let engine = StandIn::start(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "name: t\ntask: generate\ntargets: {{ a: {{ openai: {{ url: \"{0}\", model: x }} }}, b: {{ ollama: {{ url: \"{0}\", model: \
         y }} }} }}\nallow_same_endpoint: true\nworkload: {{ prompts: {{ inline: [{{ text: one }}] }} }}\nload: {{ closed: \
         {{ users: 1, requests: 12 }} }}\n",
        engine.url
    );
    write(dir.path(), "t.yaml", &text);
    let models = |flags: &[&str], out: &str| {
        let (code, _, err) = ask(dir.path(), &[&["run", "t.yaml", "-q", "--out", out], flags].concat());
        let told = json(&dir.path().join(out).join("report.json"));
        assert_eq!(code, 0, "{err}");
        let model = |at: usize| told["plan"]["targets"][at]["model"].as_str().unwrap_or_default().to_owned();
        (model(0), model(1), told["plan"]["order"].clone())
    };
    let (a, b, order) = models(&["--model", "standin", "--order", "isolated"], "all");
    assert!(a == "standin" && b.starts_with("standin") && order == "isolated", "{a} {b} {order}");
    let (code, out, err) = ask(dir.path(), &["check", "t.yaml", "--model", "b=standin", "--set", "targets.a=null"]);
    assert!(code == 0 && !out.contains("a (stand-in)") && out.contains("b (stand-in)"), "{out}{err}");
}

#[test]
fn mistakes_on_the_command_line_speak_of_it() {
    let engine = StandIn::start(&[]);
    let dir = place("{ open: { rate: 5, duration: 1s } }", &engine);
    for (flags, words) in [
        (&["-n", "5"][..], "--requests is for a closed loop, and this load is `open`"),
        (&["-u", "0"], "--users 0"),
        (&["-u", "2", "--rate", "3"], "`closed` and `open` are alternatives"),
        (&["--rate", "fast"], "--rate fast"),
        (&["--prompts", "/nowhere/p.csv"], "there is no file /nowhere/p.csv"),
        (&["--order", "sideways"], "--order sideways"),
        (&["--set", "targets.c=null"], "there is no target `c` to leave out"),
        (&["--max-tokens", "none"], "--max-tokens none"),
    ] {
        let (code, _, err) = ask(dir.path(), &[&["check", "t.yaml"], flags].concat());
        assert!(code == 2 && one_line(&err).contains(words), "{flags:?}: {err}");
    }
    // A shipped scenario lies in no file that its user has heard of.
    let missing = "workload.prompts.csv.text=nosuch";
    for flags in
        [&["--set", "load.closed.user=3"][..], &["-u", "0"], &["--set", missing, "--target", "a=ollama:127.0.0.1:1"]]
    {
        let (code, _, err) = ask(dir.path(), &[&["check", "classify"], flags].concat());
        assert!(code == 2 && !err.contains(&*std::env::temp_dir().to_string_lossy()), "{flags:?}: {err}");
    }
}

#[test]
fn what_is_shipped_is_listed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (code, out, _) = ask(dir.path(), &["list"]);
    assert_eq!(code, 0);
    for name in ["classify", "ladder", "prefix", "herald", "gg-core"] {
        let line =
            out.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{name}: {out}"));
        assert!(line.trim().len() > name.len() + 10, "{line}");
    }
}

#[test]
fn a_rule_that_is_off_counts_as_none_that_was_passed() {
    let engine = StandIn::start(&[]);
    let dir = place("{ closed: { users: 1, requests: 12 } }", &engine);
    let fair = |out: &str, flags: &[&str]| {
        let (code, told, err) = ask(dir.path(), &[&["run", "t.yaml", "--out", out], flags].concat());
        assert_eq!(code, 0, "{err}");
        let line = told.lines().find(|line| line.starts_with("fair: ")).unwrap_or_else(|| panic!("{told}")).to_owned();
        let of = line.split([' ', ':', ',']).filter_map(|word| word.parse::<u64>().ok()).max().expect("a number");
        (line, of)
    };
    let (before, all) = fair("all", &[]);
    let (now, fewer) = fair("fewer", &["--set", "audit.clock-jump=off"]);
    // Of a lone target, nothing is asked that compares two.
    assert!(
        all < 96 && fewer == all - 1 && now.ends_with("1 off: clock-jump") && !before.contains("off"),
        "{before} {now}"
    );
    let page = std::fs::read_to_string(dir.path().join("fewer/report.html")).expect("the page");
    let check = page.lines().find(|line| line.contains("<code>clock-jump</code>")).expect("its line");
    assert!(check.contains("<strong>off</strong>") && !check.contains('✓'), "{check}");
}

#[test]
fn labels_are_typed_as_the_tables_show_them() {
    let engine = StandIn::start(&[]);
    let dir = place("{ closed: { users: 1, requests: 12 } }", &engine);
    let gates = "gates=[\"TTFT p95 <= 10s\", \"requests/s >= 0.001\", \"latency p95 <= 60 s\"]";
    let (code, out, err) = ask(dir.path(), &["run", "t.yaml", "--judge-stand-ins", "--out", "out", "--set", gates]);
    assert!(code == 0 || code == 5, "{out}{err}");
    for id in ["ttft.p95 <= 10s", "requests_per_s >= 0.001", "latency.p95 <= 60s"] {
        assert!(out.contains(id), "{id}: {out}");
    }
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--set", "gates=[\"unparsd <= 1%\"]", "--out", "no"]);
    assert!(code == 2 && err.contains("did you mean `unparsed_rate`?") && err.len() < 600, "{err}");
    let (code, out, err) = ask(dir.path(), &["trend", "Latency P50", "."]);
    assert!(code == 0 && out.contains("latency p50"), "{out}{err}");
}

/// Colour where it is asked for, none where it isn't wanted, whatever the output is.
#[test]
fn colours_are_as_the_environment_says() {
    let engine = StandIn::start(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "name: t\ntask: generate\ntargets: {{ a: {{ ollama: {{ url: \"{0}\", model: standin }} }}, b: {{ openai: {{ url: \"{0}\", \
         model: standin }} }} }}\nallow_same_endpoint: true\norder: alternate\nworkload: {{ prompts: {{ inline: [{{ text: one }}] }}, \
         sampling: {{ max_tokens: 3 }} }}\nload: {{ closed: {{ users: 1, requests: 12 }} }}\n",
        engine.url
    );
    write(dir.path(), "t.yaml", &text);
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "-q", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    for (set, coloured) in [
        (&[][..], false),
        (&[("FORCE_COLOR", "1")], true),
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR_FORCE", "0")], false),
        (&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], false),
        (&[("FORCE_COLOR", "1"), ("NO_COLOR", "")], true),
    ] {
        let mut command = loadcmp();
        for name in ["NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        let output = command
            .current_dir(dir.path())
            .args(["report", "out"])
            .envs(set.iter().copied())
            .output()
            .expect("a report");
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.contains("\x1b["), coloured, "{set:?}: {told}");
    }
}
