//! Two runs beside each other, `loadcmp compare` and `interference: true`; and figures that stand in several files.

use crate::cli::{Row, StandIn, ask, json, rows, write};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Two runs of one workload, `before` and `now`, and one of another, `other`.
struct Runs {
    dir: tempfile::TempDir,
    a: StandIn,
    b: StandIn,
}

fn yaml(a: &str, b: &str, more: &str) -> String {
    format!(
        "name: t\ntask: generate\nseed: 5\ntargets:\n  a: {{ ollama: {{ url: \"{a}\" }} }}\n  b: {{ ollama: {{ url: \"{b}\" }} }}\n\
         reference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ fixed: 6 }} }} }}, sampling: {{ max_tokens: 4 \
         }} }}\nload: {{ closed: {{ users: 2, duration: 6s }} }}\n{more}"
    )
}

/// Made once: `a` is four times as slow now as before.
fn runs() -> &'static Runs {
    static MADE: OnceLock<Runs> = OnceLock::new();
    MADE.get_or_init(|| {
        let (a, b) = (StandIn::start(&["--first-token-ms", "15"]), StandIn::start(&["--first-token-ms", "30"]));
        let slower = StandIn::start(&["--first-token-ms", "60"]);
        let runs = Runs { dir: tempfile::tempdir().expect("a directory"), a, b };
        let run = |name: &str, yaml: &str, set: &[&str]| {
            write(runs.dir.path(), "t.yaml", yaml);
            let sets = set.iter().flat_map(|set| ["--set", set]);
            let args: Vec<&str> = ["run", "t.yaml", "--quiet", "--out", name].into_iter().chain(sets).collect();
            let (code, _, err) = ask(runs.dir.path(), &args);
            assert_eq!(code, 0, "{err}");
        };
        // In blocks: stretches of one long run may depend on each other on a busy machine, and then carry no interval.
        let blocks = "order: alternate\nblocks: { pairs: 8, settle: 10ms, warmup: 10ms }\n";
        run("before", &yaml(&runs.a.url, &runs.b.url, blocks), &[]);
        run("now", &yaml(&slower.url, &runs.b.url, blocks), &[]);
        run(
            "other",
            &yaml(&runs.a.url, &runs.b.url, ""),
            &["workload.sampling.max_tokens=3", "load.closed.users=1", "load.closed.duration=1s"],
        );
        runs
    })
}

fn compare(first: &str, second: &str, more: &[&str]) -> (i32, String, String) {
    ask(runs().dir.path(), &[&["compare", first, second], more].concat())
}

fn row<'a>(sheet: &'a [Row], column: &str, target: &str, metric: &str) -> &'a Row {
    let found = sheet.iter().find(|row| row[column].starts_with(target) && row["metric"] == metric);
    found.unwrap_or_else(|| panic!("{target} {metric}"))
}

#[test]
fn two_runs_are_told_in_every_form() {
    let (code, table, err) = compare("before", "now", &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(table.contains("ratio = second ÷ first") && table.contains("latency p50"), "{table}");
    let (code, csv, _) = compare("before", "now", &["--format", "csv"]);
    assert_eq!(code, 0);
    let sheet = write(runs().dir.path(), "beside.csv", &csv);
    let sheet = rows(&sheet);
    let (code, told, _) = compare("before", "now", &["--format", "json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(
        (code, told["relation"].as_str(), told["pairs"].as_array().map(Vec::len)),
        (0, Some("compare"), Some(2))
    );

    // Each target stands beside itself; values are those of the two reports, and all forms tell the same.
    for target in ["a", "b"] {
        let of = |run: &str| {
            let report = json(&runs().dir.path().join(run).join("report.json"));
            let at = report["targets"].as_array().unwrap().iter().position(|t| t["name"] == target).unwrap();
            let rows = report["targets"][at]["rows"].as_array().unwrap().clone();
            rows.into_iter().find(|row| row["metric"] == "latency").unwrap()["p50"].as_f64().unwrap()
        };
        let row = row(&sheet, "first_target", target, "latency.p50");
        let cell = |name: &str| row[name].parse::<f64>().unwrap();
        assert_eq!((cell("first_value"), cell("second_value")), (of("before"), of("now")));
        assert!((cell("ratio") - of("now") / of("before")).abs() < 0.2, "{row:?}");
        assert!(cell("low") <= cell("ratio") && cell("ratio") <= cell("high"), "{row:?}");
        let pair = told["pairs"].as_array().unwrap().iter().find(|pair| pair["first"] == row["first_target"]).unwrap();
        let same = pair["comparisons"].as_array().unwrap().iter().find(|c| c["metric"] == "latency.p50").unwrap();
        assert_eq!(
            (same["ratio"].as_f64().unwrap(), same["verdict"].as_str().unwrap()),
            (cell("ratio"), &*row["verdict"])
        );
    }
    let slower = row(&sheet, "first_target", "a", "latency.p50");
    assert!(slower["verdict"] == "worse" && slower["ratio"].parse::<f64>().unwrap() > 1.3, "{slower:?}");

    // Files as well as directories, a run beside itself, and Markdown with a row a metric.
    let (code, same, _) = compare("before/report.json", "now/report.json", &["--format", "csv"]);
    assert_eq!((code, same), (0, csv));
    let (_, itself, _) = compare("before", "before", &["--format", "csv"]);
    assert!(itself.lines().skip(1).all(|line| !line.contains("better") && !line.contains("worse")), "{itself}");
    let (_, markdown, _) = compare("before", "now", &["--format", "markdown"]);
    assert!(markdown.starts_with("### ") && markdown.contains("| latency p50 |"), "{markdown}");
    assert_eq!(markdown.matches("| metric").count() + markdown.matches("|:--|--:|").count(), 2, "{markdown}");
}

/// The second run is held to gates, with the first as its baseline; table, JUnit and exit code say the same.
#[test]
fn many_runs_are_each_compared_with_the_first() {
    let dir = runs().dir.path();
    let page = dir.join("many.html");
    let page_name = page.display().to_string();
    let (code, out, err) =
        ask(dir, &["compare", "before", "now", "./before/report.json", "--format", "csv", "--html", &page_name]);
    assert_eq!(code, 0, "{err}");
    let sheet = write(dir, "many.csv", &out);
    let all = rows(&sheet);
    let told = |run: &str, target: &str| {
        let of = |row: &&Row| row["run"] == run && row["metric"] == "latency.p50" && row["target"].starts_with(target);
        let row = all.iter().find(of).unwrap_or_else(|| panic!("{run} {target}: {out}"));
        (row["ratio"].parse::<f64>().expect("a ratio"), row["verdict"].clone())
    };
    // `a` takes 15 ms to its first token before, 60 ms now: its own record, and that of one run compared with itself.
    let (ratio, verdict) = told("now", "a");
    assert!(ratio > 2.0 && verdict == "worse", "{ratio} {verdict}");
    let (same, verdict) = told("./before/report.json", "a");
    assert!((same - 1.0).abs() < 1e-9 && verdict != "worse" && verdict != "better", "{same} {verdict}");
    let html = std::fs::read_to_string(&page).expect("the page");
    assert!(html.contains("3 runs compared") && html.contains("class=\"forest\""), "{html}");
    assert!(html.contains("href=\"before/report.html\"") && html.contains("href=\"now/report.html\""), "{html}");
    let (code, table, err) = ask(dir, &["compare", "before", "now", "before"]);
    assert_eq!(code, 0, "{err}");
    assert!(table.contains("reference") && table.contains("worse"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    // The page is written without being asked for; and a pattern in quotes is what it fits.
    assert!(err.contains("file: compare.html"), "{err}");
    assert!(std::fs::read_to_string(dir.join("compare.html")).expect("the page").contains("3 runs compared"));
    let (code, out, err) = ask(dir, &["compare", "now", "befor*", "--format", "csv"]);
    assert_eq!((code, out), (0, ask(dir, &["compare", "now", "before", "--format", "csv"]).1), "{err}");
    let (code, _, err) = ask(dir, &["compare", "now"]);
    assert!(code == 2 && err.contains("only one run was found"), "{err}");
    let (code, _, err) = ask(dir, &["compare", "now", "nothing-*"]);
    assert!(code == 2 && err.contains("nothing fits the pattern nothing-*"), "{err}");
    // A gate is about one run.
    let (code, _, err) = ask(dir, &["compare", "before", "now", "before", "--gate", "errors <= 1%"]);
    assert!(code == 2 && err.contains("one by one"), "{err}");
}

#[test]
fn two_runs_are_held_to_gates() {
    let dir = runs().dir.path();
    let slower = "a.latency.p50 <= 1.1 * baseline";
    let gates = ["--gate", slower, "--gate", "b.latency.p50 <= 5 * baseline.latency.p50", "--gate", "errors == 0"];
    let judged = ["--judge-stand-ins", "--junit", "compared.xml"];
    let (code, table, err) = compare("before", "now", &[&gates[..], &judged[..]].concat());
    assert_eq!(code, 1, "{table}{err}");
    assert!(err.contains("4 gates: 3 passed, 1 failed"), "{err}");
    assert!(table.contains("FAIL") && table.contains(slower) && table.contains("ratio"), "{table}");
    let junit = std::fs::read_to_string(dir.join("compared.xml")).expect("a file");
    assert!(junit.contains("tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"0\""), "{junit}");
    assert!(junit.contains("name=\"a.latency.p50 &lt;= 1.1 * baseline\"><failure"), "{junit}");
    let (code, told, _) = compare("before", "now", &[&gates[..], &["--judge-stand-ins", "--format", "json"]].concat());
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let gate = &told["judgement"]["gates"][0];
    assert_eq!((code, gate["outcome"].as_str(), gate["measure"].as_str()), (1, Some("fail"), Some("ratio")));
    // What is judged is what the comparison tells.
    let of =
        |pair: &Value| pair["comparisons"].as_array().unwrap().iter().find(|c| c["metric"] == "latency.p50").cloned();
    let pair = told["pairs"].as_array().unwrap().iter().find(|pair| pair["first"].as_str().unwrap().starts_with('a'));
    let row = of(pair.expect("a")).expect("a row");
    for (ours, theirs) in
        [("value", "target_value"), ("other", "reference_value"), ("point", "ratio"), ("low", "low"), ("high", "high")]
    {
        assert_eq!(gate[ours], row[theirs], "{ours}: {gate} {row}");
    }
    let (_, markdown, _) =
        compare("before", "now", &[&gates[..], &["--judge-stand-ins", "--format", "markdown"]].concat());
    assert!(markdown.contains("**FAIL**"), "{markdown}");

    // A stand-in passes nothing; what can't be decided counts as is asked.
    assert_eq!(compare("before", "now", &gates).0, 5);
    assert_eq!(compare("before", "now", &[&gates[..], &["--inconclusive", "pass"]].concat()).0, 5);
    let open = ["--gate", "a.latency.p50 <= baseline", "--judge-stand-ins", "--inconclusive"];
    for (counts, code) in [("pass", 0), ("fail", 1), ("exit5", 5)] {
        // A run beside itself: whatever the interval, 1 lies in it, or there is none.
        assert_eq!(compare("before", "before", &[&open[..], &[counts]].concat()).0, code, "{counts}");
    }
    // Mistakes are told before anything is.
    for (more, told) in [
        (&["--gate", "a.latncy.p50 <= 1s"][..], "did you mean `latency`?"),
        (&["--gate", "c.latency.p50 <= 1s"], "the second run has no target `c`; it has a, b"),
        (&["--junit", "x.xml"], "--gate"),
    ] {
        let (code, out, err) = compare("before", "now", more);
        assert!(code == 2 && out.is_empty() && err.contains(told), "{told}: {err}");
    }
}

#[test]
fn unlike_workloads_are_refused_with_what_they_differ_in() {
    for format in ["table", "json", "csv", "markdown"] {
        let (code, out, err) = compare("before", "other", &["--format", format]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(
            err.starts_with("error: before and other have different workloads, so ratios would mean nothing:\n"),
            "{err}"
        );
        assert!(err.contains("\n  prompts and sampling: ") && err.contains("\n  load: "), "{err}");
    }
}

#[test]
fn what_is_no_finished_run_is_refused_and_named() {
    let dir = runs().dir.path();
    for (name, bytes) in [
        ("empty.json", ""),
        ("half.json", "{\"schema_version\": 1, \"tool\""),
        ("list.json", "[]"),
        ("later.json", "{\"schema_version\": 999}"),
        ("other.json", "{\"schema_version\": 1}"),
    ] {
        write(dir, name, bytes);
        let words = if name == "later.json" { "version 999" } else { "is not a loadcmp report" };
        for (first, second) in [(name, "now"), ("now", name)] {
            let (code, out, err) = compare(first, second, &[]);
            assert_eq!((code, out.as_str()), (2, ""), "{err}");
            assert!(err.contains(name) && err.contains(words), "{err}");
        }
    }
    // A directory of a run that was killed has its rows and no report yet: told how to get one.
    let killed = dir.join("killed");
    std::fs::create_dir(&killed).expect("a folder");
    for file in ["manifest.json", "samples.csv"] {
        std::fs::copy(dir.join("before").join(file), killed.join(file)).expect("a copy");
    }
    std::fs::create_dir(dir.join("nothing")).expect("a folder");
    for (name, words) in [
        ("killed", "has no report.json; create it with: loadcmp report DIR"),
        ("nothing", "is not a results directory"),
        ("absent", "can't be read"),
    ] {
        let (code, out, err) = compare("before", name, &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(name) && err.contains(words), "{err}");
    }
    let (code, _, err) = ask(dir, &["report", "killed"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(compare("before", "killed", &[]).0, 0);
    let (code, _, err) = ask(dir, &["compare", "before"]);
    assert!(code == 2 && err.contains("only one run was found"), "{err}");
}

#[test]
fn interference_is_two_runs_and_what_lies_between_them() {
    // One slot, which both targets share: at once, each waits for the other.
    let engine = StandIn::start(&["--first-token-ms", "8", "--slots", "1"]);
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "t.yaml", &yaml(&engine.url, &engine.url, "interference: true\nallow_same_endpoint: true\n"));
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    assert!(table.contains("Interference: the cost of sharing the machine") && table.contains("at once"), "{table}");
    let out = dir.path().join("out");
    let there: BTreeSet<String> =
        out.read_dir().expect("files").map(|file| file.expect("a file").file_name().into_string().unwrap()).collect();
    let wanted = ["concurrent", "interference.csv", "interference.json", "interference.md", "isolated"];
    assert_eq!(there, wanted.map(str::to_owned).into());
    let sheet = rows(&out.join("interference.csv"));
    let told = json(&out.join("interference.json"));
    assert_eq!(told["relation"], "interference");
    for target in ["a", "b"] {
        let of = |run: &str| {
            let sheet = rows(&out.join(run).join("summary.csv"));
            row(&sheet, "target", target, "latency")["p50"].parse::<f64>().unwrap()
        };
        let row = row(&sheet, "first_target", target, "latency.p50");
        let cell = |name: &str| row[name].parse::<f64>().unwrap();
        assert_eq!((cell("first_value"), cell("second_value")), (of("isolated"), of("concurrent")));
        // A busy machine may make neighbouring stretches alike, or one of many metrics uncertain: then it is not shown, and why.
        let doubted = ["consecutive requests", "not significant"].iter().any(|why| row["reason"].starts_with(why));
        assert!((row["verdict"] == "worse" || doubted) && cell("ratio") > 1.3, "{row:?}");
    }
    assert!(std::fs::read_to_string(out.join("interference.md")).unwrap().contains("| latency p50 |"));
    // Told again, it is the same.
    let kept = std::fs::read(out.join("interference.csv")).expect("a file");
    std::fs::remove_file(out.join("interference.csv")).expect("gone");
    let (code, again, _) = ask(dir.path(), &["report", "out"]);
    assert_eq!((code, again), (0, table));
    assert_eq!(std::fs::read(out.join("interference.csv")).expect("a file"), kept);
    // The two are runs like others: each can be compared, their common folder can't.
    let (code, beside, _) = ask(dir.path(), &["compare", "out/isolated", "out/concurrent", "--format", "csv"]);
    assert_eq!((code, beside.as_bytes()), (0, &kept[..]));
    let (code, _, err) = ask(dir.path(), &["compare", "out", "out/isolated"]);
    assert!(code == 2 && err.contains("holds two runs"), "{err}");
}

/// Columns of `summary.csv` and the fields of a row of the report.
const SUMMARY: [(&str, &str); 18] = [
    ("n", "n"),
    ("mean", "mean"),
    ("sd", "sd"),
    ("min", "min"),
    ("p50", "p50"),
    ("p90", "p90"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("p999", "p999"),
    ("max", "max"),
    ("n_eff", "n_eff"),
    ("mean_low", "low"),
    ("mean_high", "high"),
    ("p50_low", "p50_low"),
    ("p50_high", "p50_high"),
    ("p95_low", "p95_low"),
    ("p95_high", "p95_high"),
    ("p99_low", "p99_low"),
];

/// Columns of `comparison.csv` and where they lie in a comparison.
const COMPARISON: [(&str, &str); 12] = [
    ("target_value", "/target_value"),
    ("reference_value", "/reference_value"),
    ("ratio", "/ratio"),
    ("low", "/low"),
    ("high", "/high"),
    ("units", "/blocks"),
    ("p", "/p"),
    ("pairs", "/pairs"),
    ("unpaired_target", "/unpaired/0"),
    ("unpaired_reference", "/unpaired/1"),
    ("needs_requests", "/needs/rows"),
    ("needs_s", "/needs/seconds"),
];

/// That cells hold what the report does, blanks where it has nothing; counts those that are no blanks.
fn agree(row: &Row, value: &Value, columns: &[(&str, &str)], told: &mut BTreeSet<String>) {
    for (column, field) in columns {
        let of_report = if field.starts_with('/') { value.pointer(field) } else { value.get(field) };
        let cell = row[*column].parse::<f64>().ok();
        assert_eq!(cell, of_report.and_then(Value::as_f64), "{column} of {row:?}");
        assert!(cell.is_some() || row[*column].is_empty(), "{column} of {row:?}");
        if cell.is_some() {
            told.insert((*column).to_owned());
        }
    }
}

#[test]
fn figures_in_the_sheets_are_those_of_the_report_and_fit_together() {
    let out = runs().dir.path().join("before");
    let (report, mut told) = (json(&out.join("report.json")), BTreeSet::new());
    let sheet = rows(&out.join("summary.csv"));
    let mut of_report = Vec::new();
    for target in report["targets"].as_array().unwrap() {
        of_report.extend(target["rows"].as_array().unwrap().iter().map(|row| (target["name"].clone(), row.clone())));
    }
    assert_eq!(sheet.len(), of_report.len());
    for (row, (name, value)) in sheet.iter().zip(&of_report) {
        assert_eq!((name.as_str(), value["metric"].as_str()), (Some(&*row["target"]), Some(&*row["metric"])));
        agree(row, value, &SUMMARY, &mut told);
        let cell = |name: &str| row[name].parse::<f64>().ok();
        for (figure, low, high) in [
            ("mean", "mean_low", "mean_high"),
            ("p50", "p50_low", "p50_high"),
            ("p95", "p95_low", "p95_high"),
            ("p99", "p99_low", "p99_high"),
        ] {
            if let (Some(x), Some(low), Some(high)) = (cell(figure), cell(low), cell(high)) {
                assert!(low <= x && x <= high, "{figure} of {row:?}");
            }
        }
        if let (Some(effective), Some(n)) = (cell("n_eff"), cell("n")) {
            assert!(effective > 0.0 && effective <= n, "{row:?}");
        }
    }
    // A busy machine may leave the tails without an interval.
    let least = ["n", "mean", "p50", "p95", "n_eff", "mean_low", "mean_high", "p50_low", "p50_high"];
    assert!(least.iter().all(|column| told.contains(*column)), "{told:?}");

    told.clear();
    let sheet = rows(&out.join("comparison.csv"));
    let of_report = report["comparisons"].as_array().unwrap();
    assert_eq!(sheet.len(), of_report.len());
    for (row, value) in sheet.iter().zip(of_report) {
        assert_eq!(
            (value["metric"].as_str(), value["verdict"].as_str()),
            (Some(&*row["metric"]), Some(&*row["verdict"]))
        );
        assert_eq!(value["reason"].as_str().unwrap_or_default(), row["reason"]);
        agree(row, value, &COMPARISON, &mut told);
        let cell = |name: &str| row[name].parse::<f64>().ok();
        for p in ["p"].into_iter().filter_map(cell) {
            assert!((0.0..=1.0).contains(&p), "{row:?}");
        }
        if let (Some(ratio), Some(low), Some(high)) = (cell("ratio"), cell("low"), cell("high")) {
            assert!(low <= high && ratio > 0.0, "{row:?}");
            let (target, reference) = (cell("target_value").unwrap(), cell("reference_value").unwrap());
            assert!((ratio / (target / reference) - 1.0).abs() < 1e-5, "the quotient of its two values: {row:?}");
            if row["verdict"] == "equal" {
                assert!(row["unit"] == "1" || low >= 0.98 && high <= 1.02, "{row:?}");
            } else if row["verdict"] != "undecided" {
                // Holm's correction is in `p` already: what is said, is said at 5 %, and from the smallest effect on.
                assert!(high < 0.98 || low > 1.02, "{row:?}");
                assert!(cell("p").is_none_or(|p| p <= 0.05), "{row:?}");
            }
        }
    }
    let names = COMPARISON.map(|(column, _)| column.to_owned());
    assert_eq!(told, names.into(), "each column holds something somewhere");
}
