//! Goodput: of an engine that is slow as often as it was told to be, the rest is good.

use crate::cli::{Row, StandIn, ask, json, number, rows, write};
use std::path::Path;

const LIMIT_US: f64 = 40_000.0;

/// Three of ten first bytes come 60 ms late.
const SLOW: [&str; 6] = ["--first-token-ms", "5", "--fault-slow-first-byte", "0.3", "--slow-first-byte-ms", "60"];

fn scenario(a: &str, b: &str, load: &str) -> String {
    format!(
        "name: t\ntask: generate\nslo: ttft.p95 <= 40ms and errors <= 1%\ntargets:\n  a: {{ ollama: {{ url: \"{a}\" }} }}\n  \
         b: {{ ollama: {{ url: \"{b}\" }} }}\nreference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ fixed: 6 \
         }} }} }}, sampling: {{ max_tokens: 4 }} }}\nload: {load}\n"
    )
}

fn found<'a>(sheet: &'a [Row], target: &str, metric: &str) -> &'a Row {
    let row = sheet.iter().find(|row| row["target"].starts_with(target) && row["metric"] == metric);
    row.unwrap_or_else(|| panic!("{target} {metric}"))
}

/// The share of measured rows that were answered with their first token in time, counted from `since`.
fn kept(dir: &Path, target: &str, since: &str) -> f64 {
    let all = rows(&dir.join("samples.csv"));
    let own: Vec<_> = all.iter().filter(|row| row["target"] == target && row["phase"] == "measure").collect();
    let good = |row: &&&Row| {
        let first = number(row, "first_token_us").zip(number(row, since));
        row["outcome"] == "ok" && first.is_some_and(|(first, since)| first - since <= LIMIT_US)
    };
    own.iter().filter(good).count() as f64 / own.len() as f64
}

#[test]
fn the_declared_share_of_slow_answers_is_missing_from_goodput() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (StandIn::start(&SLOW), StandIn::start(&["--first-token-ms", "5"]));
    for (load, since) in [
        ("{ open: { rate: 60, duration: 4s, warmup: 300ms } }", "planned_us"),
        ("{ closed: { users: 2, requests: 200 } }", "sent_us"),
    ] {
        write(dir.path(), "t.yaml", &scenario(&a.url, &b.url, load));
        let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--quiet", "--out", "out"]);
        assert!(code == 0 || code == 4, "{err}");
        let out = dir.path().join("out");
        let sheet = rows(&out.join("summary.csv"));
        let value = |target: &str, metric: &str| number(found(&sheet, target, metric), "mean").expect("a number");
        for target in ["a", "b"] {
            let share = value(target, "goodput_share");
            assert!((share - kept(&out, target, since)).abs() < 1e-6, "{target} {load}: {share}");
            // Whatever ended inside the window and was good: at most all that did.
            assert!(value(target, "goodput") <= value(target, "requests_per_s") + 1e-9, "{load}");
            let row = found(&sheet, target, "goodput_share");
            assert!(number(row, "mean_low") <= Some(share) && number(row, "mean_high") >= Some(share), "{row:?}");
        }
        // A busy machine makes more of them slow, and none fast that was told to be slow.
        let share = value("a", "goodput_share");
        assert!((0.4..0.82).contains(&share), "{load}: {share}");
        assert_eq!(found(&sheet, "a", "goodput")["unit"], "requests/s");
        let lines: Vec<&str> = table.lines().collect();
        let at = lines.iter().position(|line| line.starts_with("requests/s ")).expect("requests");
        assert!(lines[at + 1].starts_with("goodput") && lines[at + 2].contains("of requests"), "{table}");
        let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("goodput counts answers with ttft <= 40ms, measured from "), "{table}");
        for file in ["report.md", "report.html"] {
            assert!(std::fs::read_to_string(out.join(file)).expect("a file").contains("goodput"), "{file}");
        }
        let compared = rows(&out.join("comparison.csv"));
        assert!(compared.iter().any(|row| row["metric"] == "goodput" && !row["low"].is_empty()), "{compared:?}");

        // Told again of the rows alone, it is the same.
        let before = std::fs::read(out.join("summary.csv")).expect("a file");
        assert_eq!(json(&out.join("manifest.json"))["plan"]["slo"], "ttft.p95 <= 40ms and errors <= 1%");
        std::fs::remove_file(out.join("report.json")).expect("gone");
        let (code, ..) = ask(dir.path(), &["report", "out"]);
        assert!(code == 0 || code == 4);
        assert!(before == std::fs::read(out.join("summary.csv")).expect("a file"), "told again");
        std::fs::remove_dir_all(out).expect("gone");
    }
}

#[test]
fn a_mistake_in_the_limits_has_its_place_and_without_limits_there_is_no_goodput() {
    let dir = tempfile::tempdir().expect("a directory");
    let yaml = scenario("http://127.0.0.1:9", "http://127.0.0.1:9", "{ closed: { users: 1, requests: 3 } }");
    write(dir.path(), "t.yaml", &yaml.replace("ttft", "ttf"));
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 2 && err.contains("t.yaml:3:6") && err.contains("did you mean `ttft`?"), "{err}");
    let (code, _, err) = ask(dir.path(), &["capacity", "t.yaml"]);
    assert!(code == 2 && err.contains("t.yaml:3:6"), "{err}");
    write(dir.path(), "t.yaml", &yaml.replace("slo: ttft.p95 <= 40ms and errors <= 1%\n", ""));
    let (code, _, err) = ask(dir.path(), &["capacity", "t.yaml"]);
    assert!(code == 2 && err.contains("error: no limits given"), "{err}");
    let (a, b) = (StandIn::start(&[]), StandIn::start(&[]));
    let yaml = scenario(&a.url, &b.url, "{ closed: { users: 1, requests: 5 } }");
    write(dir.path(), "t.yaml", &yaml.replace("slo: ttft.p95 <= 40ms and errors <= 1%\n", ""));
    let (_, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--quiet", "--out", "out"]);
    let sheet = rows(&dir.path().join("out/summary.csv"));
    assert!(!table.contains("goodput") && sheet.iter().all(|row| !row["metric"].contains("goodput")), "{err}");
}
