//! Suites through the command line: what is run, what is judged, what is taken up again, one exit code.

use crate::cli::{StandIn, ask, json, rows, write};
use std::path::Path;

const SCENARIO: &str = "name: base\ntask: generate\nseed: 5\ntargets:\n  native: { openai: { url: \"http://127.0.0.1:1\" } }\n  ollama: { ollama: { url: \
                        \"http://127.0.0.1:1\" } }\nworkload: { prompts: { synthetic: { count: 40, words: { fixed: 6 } } }, sampling: { \
                        max_tokens: 4 } }\nload: { closed: { users: 1, duration: 60s } }\n";

fn suite(native: &StandIn, ollama: &StandIn, more: &str) -> String {
    format!(
        "name: t\nabout: A trial\ntargets:\n  native: {{ openai: {{ url: \"{}\" }} }}\n  ollama: {{ ollama: {{ url: \"${{TRIAL_URL:-{}}}\" }} \
         }}\nset: {{ load.closed.users: 2 }}\nquick: {{ load.closed.duration: 1s }}\nscenarios:\n  one: {{ file: base.yaml }}\n  many: {{ \
         file: base.yaml, set: {{ sweep: {{ over: {{ load.closed.users: [1, 2] }}, repeats: 1 }} }} }}\nchecks:\n  - {{ name: fast, category: \
         latency, scenario: one, gate: native.latency.p50 <= 1s }}\n  - {{ name: impossible, category: latency, scenario: one, gate: \
         native.latency.mean <= 1us }}\n  - {{ name: at two users, category: load, scenario: many, gate: errors == 0, at: {{ \
         load.closed.users: 2 }} }}\n  - {{ name: at all, category: load, scenario: many, gate: native.latency.p50 <= 1s }}\n  - {{ name: fused \
         kernels, category: kernels, cannot: no engine tells which kernels it ran }}\n{more}",
        native.url, ollama.url
    )
}

fn outcomes(dir: &Path) -> Vec<(String, String)> {
    let checks = json(&dir.join("suite.json"));
    let word = |check: &serde_json::Value, field: &str| check[field].as_str().unwrap_or_default().to_owned();
    checks["checks"].as_array().unwrap().iter().map(|check| (word(check, "name"), word(check, "outcome"))).collect()
}

#[test]
fn a_suite_is_run_judged_and_told_with_one_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let (native, ollama) = (StandIn::start(&[]), StandIn::start(&[]));
    write(dir.path(), "base.yaml", SCENARIO);
    write(dir.path(), "t.yaml", &suite(&native, &ollama, ""));
    let (code, told, _) = ask(dir.path(), &["suite", "check", "t.yaml", "--quick"]);
    assert!(code == 0 && told.contains("suite t: 2 scenarios, 5 checks"), "{told}");
    let (code, table, err) =
        ask(dir.path(), &["suite", "run", "t.yaml", "--quick", "--judge-stand-ins", "--out", "r/a"]);
    assert_eq!(code, 1, "{table}{err}");
    assert!(err.contains("suite t: 2 scenarios, about "), "{err}");
    let made = dir.path().join("r/a");
    let told = outcomes(&made);
    let told: Vec<_> = told.iter().map(|(name, outcome)| (name.as_str(), outcome.as_str())).collect();
    assert_eq!(
        told,
        [
            ("fast", "pass"),
            ("impossible", "fail"),
            ("at two users", "pass"),
            ("at all", "pass"),
            ("fused kernels", "not_measured")
        ]
    );
    assert!(table.contains("3 of 4 checks passed (75.0 %), 1 failed; 1 more can't be measured"), "{table}");
    let checks = rows(&made.join("checks.csv"));
    // Once for the lone point, once for each target at the one point, once for each point.
    assert_eq!(checks.iter().filter(|row| row["check"] == "at two users").count(), 2);
    assert_eq!(checks.iter().filter(|row| row["check"] == "at all").count(), 2);
    assert!(made.join("one/report.html").is_file() && made.join("many/sweep.html").is_file());
    for file in ["suite.md", "suite.html", "junit.xml"] {
        let text = std::fs::read_to_string(made.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains("impossible") && text.contains("fused kernels"), "{file}: {text}");
    }

    // Told again, the same; a later run stands beside it.
    let before = std::fs::read_to_string(made.join("suite.json")).unwrap();
    assert_eq!(ask(dir.path(), &["report", "r/a"]).0, 1);
    let again = std::fs::read_to_string(made.join("suite.json")).unwrap();
    let unlike: Vec<_> = before.lines().zip(again.lines()).filter(|(before, again)| before != again).collect();
    assert!(before == again, "{unlike:#?}");
    let eased = suite(&native, &ollama, "").replace("<= 1us", "<= 2s");
    write(dir.path(), "t.yaml", &eased);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let (code, table, err) =
        ask(dir.path(), &["suite", "run", "t.yaml", "--quick", "--judge-stand-ins", "--out", "r/b", "-q"]);
    assert_eq!((code, err.as_str()), (0, ""), "{table}");
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("was FAIL") && words.contains("before, 3 passed") && words.contains("Before: a, of "),
        "{table}"
    );
}

#[test]
fn a_failing_scenario_hides_nothing_and_a_run_is_taken_up_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (native, ollama) = (StandIn::start(&[]), StandIn::start(&[]));
    write(dir.path(), "base.yaml", SCENARIO);
    // The first scenario's targets aren't there.
    let text = suite(&native, &ollama, "").replace(
        "one: { file: base.yaml }",
        "one: { file: base.yaml, set: { targets.native.openai.url: \"http://127.0.0.1:1\" } }",
    );
    write(dir.path(), "t.yaml", &text);
    let run = ["suite", "run", "t.yaml", "--quick", "--judge-stand-ins", "-q"];
    let (code, table, _) = ask(dir.path(), &[&run[..], &["--out", "a"]].concat());
    assert_eq!(code, 3, "{table}");
    let made = dir.path().join("a");
    let told: Vec<String> = outcomes(&made).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(told, ["not_measured", "not_measured", "pass", "pass", "not_measured"]);
    assert!(table.contains("one failed: ") && table.contains("127.0.0.1:1"), "{table}");

    // Once it is there, only what isn't done is run; what is done is not sent again.
    let samples = |folder: &str| std::fs::metadata(made.join(folder).join("sweep.json")).unwrap().modified().unwrap();
    let before = samples("many");
    let mended = text.replace("\"http://127.0.0.1:1\" }", &format!("\"{}\" }}", native.url));
    write(dir.path(), "t.yaml", &mended);
    let (code, table, err) = ask(dir.path(), &[&run[..], &["--resume", "a"]].concat());
    assert_eq!(code, 1, "{table}{err}");
    assert_eq!(before, samples("many"));
    assert_eq!(outcomes(&made)[0].1, "pass");

    // What is done has to be what it would be now.
    let other = mended.replace("load.closed.users: [1, 2]", "load.closed.users: [1, 3]");
    write(dir.path(), "t.yaml", &other);
    let (code, _, err) = ask(dir.path(), &[&run[..], &["--resume", "a"]].concat());
    assert!(code == 2 && err.contains("`many` has changed since it was run"), "{err}");
}

#[test]
fn what_there_is_no_time_for_is_not_measured() {
    let dir = tempfile::tempdir().unwrap();
    let (native, ollama) = (StandIn::start(&[]), StandIn::start(&[]));
    write(dir.path(), "base.yaml", SCENARIO);
    // The sweep would take too long; it comes last. A short form would be cut, a long one isn't.
    let text = suite(&native, &ollama, "budget: 9m\n")
        .replace("set: { load.closed.users: 2 }", "set: { load.closed.users: 2, load.closed.duration: 1s }");
    write(
        dir.path(),
        "t.yaml",
        &text.replace("repeats: 1", "repeats: 100").replace("users: [1, 2]", "users: [1, 2, 3, 4, 5]"),
    );
    let run = ["suite", "run", "t.yaml", "--judge-stand-ins", "--out", "a"];
    let (code, table, err) = ask(dir.path(), &run);
    assert_eq!(code, 1, "{table}{err}");
    assert!(err.contains("within 9 min"), "{err}");
    let told: Vec<String> = outcomes(&dir.path().join("a")).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(told[..4], ["pass", "fail", "not_measured", "not_measured"]);
    assert!(table.contains("many skipped: ") && table.contains("of 9 min were left for it"), "{table}");
}

#[test]
fn mistakes_of_a_suite_are_told_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "base.yaml", SCENARIO);
    let text = "name: t\nscenarios:\n  one: { file: base.yaml, set: { load.closed.usrs: 2 } }\nchecks:\n  - { name: a, category: x, scenario: on, gate: \
                errors == 0 }\n  - { name: b, category: x, scenario: one, gate: native.latncy.p50 <= 1s }\n  - { name: c, category: x }\n  - { name: c, category: \
                x, cannot: no }\n";
    write(dir.path(), "t.yaml", text);
    let (code, _, err) = ask(dir.path(), &["suite", "run", "t.yaml"]);
    assert_eq!(code, 2);
    for told in [
        "the suite has no scenario called `on`; did you mean `one`?",
        "unknown metric `latncy`\n --> t.yaml:6:57",
        "a check needs a `scenario` and a `gate`",
        "another check of `x` is called `c`",
        "4 mistakes",
    ] {
        assert!(err.contains(told), "{told}: {err}");
    }
    // A mistake in what is laid over says where that was written.
    let right = "name: t\nscenarios:\n  one: { file: base.yaml, set: { load.closed.usrs: 2 } }\nchecks: [{ name: a, category: x, scenario: one, gate: \
                 errors == 0 }]\n";
    write(dir.path(), "t.yaml", right);
    let (code, _, err) = ask(dir.path(), &["suite", "run", "t.yaml"]);
    assert!(code == 2 && err.contains("unknown field `usrs`") && err.contains("`set` of `one` of t.yaml"), "{err}");
    write(dir.path(), "t.yaml", &right.replace("file: base.yaml", "file: /etc/passwd"));
    let (code, _, err) = ask(dir.path(), &["suite", "run", "t.yaml"]);
    assert!(code == 2 && err.contains("/etc/passwd is outside the suite's parent folder"), "{err}");
    assert!(err.contains("--> t.yaml:3:16"), "{err}");
    let (code, _, err) = ask(dir.path(), &["suite", "run", "herald-2"]);
    assert!(code == 2 && err.contains("shipped with loadcmp: herald, vibrant, gg-core, trainer, muse"), "{err}");
    let (code, _, err) = ask(dir.path(), &["suite", "run", "none.yaml"]);
    assert!(code == 2 && err.contains("no such file"), "{err}");
    assert!(!dir.path().join("results").exists());
}

#[test]
fn nights_are_told_on_one_page() {
    let dir = tempfile::tempdir().unwrap();
    let (native, ollama) = (StandIn::start(&[]), StandIn::start(&[]));
    write(dir.path(), "base.yaml", SCENARIO);
    let text = suite(&native, &ollama, "");
    let lean = text.split("  many:").next().unwrap().to_owned()
        + "checks:\n  - { name: fast, category: latency, scenario: one, gate: native.latency.p50 <= 1s }\n";
    write(dir.path(), "t.yaml", &lean);
    let night = |name: &str| {
        let args = ["nightly", "t.yaml", "--quick", "--judge-stand-ins", "--results", "nights", "--night", name];
        ask(dir.path(), &args)
    };
    for name in ["one", "two"] {
        let (code, table, err) = night(name);
        assert_eq!(code, 0, "{table}{err}");
        assert!(err.contains("No step over the nights"), "{err}");
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    let (code, _, err) = night("../out");
    assert!(code == 2 && err.contains("--night must consist of letters"), "{err}");
    let told = json(&dir.path().join("nights/nightly.json"));
    assert_eq!(told["nights"].as_array().unwrap().len(), 2);
    // Each run goes by the suite's name for it, and each figure is followed for both targets.
    let series = told["trends"][0]["series"].as_array().unwrap();
    assert!(series.len() == 2 && series.iter().all(|one| one["scenario"] == "one"), "{series:?}");
    for file in ["index.html", "nightly.md"] {
        let text = std::fs::read_to_string(dir.path().join("nights").join(file)).unwrap();
        assert!(text.contains("1 of 1 checks passed"), "{file}: {text}");
    }
    let own = std::fs::read_to_string(dir.path().join("nights/two/suite.html")).unwrap();
    assert!(own.contains("No step over its runs"), "{own}");
    let page = std::fs::read_to_string(dir.path().join("nights/index.html")).unwrap();
    assert!(page.contains("href=\"two/suite.html\"") && !page.contains("<script"), "{page}");
    // A check that was as it is in every night is folded; one that fails stands open, with what it was before, latest first.
    assert!(page.contains("The same in every night: 1") && page.matches("title=\"passed\"").count() == 2, "{page}");
    write(dir.path(), "t.yaml", &lean.replace("p50 <= 1s", "p50 <= 1us"));
    let (code, table, err) = night("three");
    assert_eq!(code, 1, "{table}{err}");
    let page = std::fs::read_to_string(dir.path().join("nights/index.html")).unwrap();
    let row = page.split("<th scope=\"row\">fast").nth(1).and_then(|rest| rest.split("</tr>").next()).expect("its row");
    let cells: Vec<&str> = row.split("title=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(cells, ["failed", "passed", "passed"], "{row}");
    assert!(!page.contains("The same in every night"), "{page}");
    // Both targets on one axis, and their ratio, are in the file once, with a dot per night each.
    let drawn = page.split("<h2 id=\"scenarios\">").nth(1).and_then(|rest| rest.split("<h2").next()).expect("drawings");
    assert_eq!(drawn.matches("<figure class=\"small\">").count(), 2, "{drawn}");
    assert!(drawn.contains("ratio to ollama") && drawn.matches("<circle class=\"dot").count() == 9, "{drawn}");
    let told = json(&dir.path().join("nights/nightly.json"));
    let main = told["primary"]["one"].as_str().expect("the main metric");
    let trend = told["trends"].as_array().unwrap().iter().find(|trend| trend["metric"] == main).expect("its trend");
    let native = trend["series"].as_array().unwrap().iter().find(|one| one["target"] == "native").expect("its line");
    assert_eq!(native["ratio"]["compared"].as_array().map(Vec::len), Some(3), "{native}");
}
