//! What a run makes of the machine's floor, through the front door: it stands beside what was measured, and a difference
//! below it is not shown.

use crate::cli::{StandIn, loadcmp, one_line, rows, text, write};
use serde_json::{Value, json};
use std::path::Path;

/// Two engines, one of them ten times as fast: what a busy machine adds to both, tens of milliseconds, hides no tenth of
/// that difference.
struct Engines {
    fast: StandIn,
    slow: StandIn,
}

impl Engines {
    fn start() -> Self {
        let engine = |ms: &str| StandIn::start(&["--first-token-ms", ms, "--slots", "8"]);
        Self { fast: engine("15"), slow: engine("150") }
    }

    /// Runs `a` and `b` with a kept calibration, and gives standard output.
    fn run(&self, dir: &Path, out: &str, swapped: bool, calibration: &Path) -> String {
        let (a, b) = if swapped { (&self.slow, &self.fast) } else { (&self.fast, &self.slow) };
        let yaml = format!(
            "name: t\ntask: generate\ntargets:\n  a: {{ openai: {{ url: \"{}\" }} }}\n  b: {{ ollama: {{ url: \"{}\" }} }}\n\
             reference: b\nworkload: {{ prompts: {{ inline: [ {{ text: one }} ] }}, stream: true, sampling: {{ max_tokens: 2 }} }}\n\
             load: {{ closed: {{ users: 8, duration: 6s }} }}\n",
            a.url, b.url
        );
        let path = write(dir, "t.yaml", &yaml);
        let mut command = loadcmp();
        command
            .args(["run", "--full"])
            .arg(path)
            .arg("--out")
            .arg(dir.join(out))
            .env("LOADCMP_CALIBRATION", calibration);
        let (stdout, stderr) = text(&command.output().expect("a run"));
        assert!(dir.join(out).join("report.json").is_file(), "{stdout}\n{stderr}");
        stdout
    }
}

/// The words of a text, one space apart: lines break where the terminal ends.
fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// A calibration of the machine that a manifest tells of, as the program keeps it. Times in microseconds.
fn calibration(machine: &Value, between: f64) -> Value {
    let wire = |wire: &str| {
        json!({ "floor": {
            "wire": wire, "stream": true, "transport": "tcp", "requests": 1000, "response_p50_us": 61.0,
            "response_p95_us": 70.0, "response_p99_us": 90.0, "spread_us": 29.0, "between_us": between,
            "ttft_p50_us": 40.0, "cpu_per_request_us": 20.0, "cpu_per_token_us": 3.0,
        }, "highest": null, "streams": null })
    };
    json!({
        "schema_version": 1, "tool": loadcmp::host::INSTRUMENT, "made": "2026-11-21T01:02:03Z", "quick": false,
        "machine": machine, "method": [], "wires": [wire("openai"), wire("ollama")],
    })
}

fn verdict(report: &Value, metric: &str) -> (String, String) {
    let all = report["comparisons"].as_array().expect("comparisons");
    let one = all.iter().find(|c| c["metric"] == metric).unwrap_or_else(|| panic!("{metric} in {all:?}"));
    let word = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
    (word("verdict"), word("reason"))
}

/// What `loadcmp compare` says of a metric of target `a`, and its notes.
fn compared(first: &Path, second: &Path, metric: &str) -> (String, String) {
    let output =
        loadcmp().arg("compare").args([first, second]).args(["--format", "json"]).output().expect("the program");
    let (out, err) = text(&output);
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"));
    let pair = told["pairs"]
        .as_array()
        .and_then(|all| all.iter().find(|pair| pair["first"] == "a (stand-in)"))
        .expect("a pair");
    (verdict(pair, metric).0, told["notes"].to_string())
}

const TIMES: [&str; 3] = ["latency.p50", "latency.p95", "ttft.p50"];

#[test]
fn a_difference_below_the_floor_is_not_shown_anywhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let (engines, at) = (Engines::start(), |name: &str| dir.path().join(name));

    let shown = engines.run(dir.path(), "bare", false, &at("none.json"));
    let bare = read(&at("bare/report.json"));
    for metric in TIMES {
        assert_eq!(verdict(&bare, metric).0, "better", "{metric}: {shown}");
    }
    assert_eq!(one_line(&shown).matches("not calibrated (loadcmp calibrate)").count(), 1, "{shown}");
    assert_eq!(bare["floors"], json!([null, null]));

    // A minute between repeats: nothing here is told apart.
    let machine = &read(&at("bare/manifest.json"))["machine"];
    let kept = write(dir.path(), "coarse.json", &calibration(machine, 60_000_000.0).to_string());
    let shown = engines.run(dir.path(), "coarse", false, &kept);
    let coarse = read(&at("coarse/report.json"));
    for metric in TIMES {
        let (word, why) = verdict(&coarse, metric);
        assert_eq!(word, "undecided", "{metric}: {shown}");
        assert!(why.contains("is below this machine's noise floor, 60.0 s by its calibration"), "{why}");
    }
    assert_eq!(coarse["floors"][0]["between_us"], 60_000_000.0);
    let floor = "Noise floor: a (stand-in) 61.0 µs (60.0 s between repeats), TTFT 40.0 µs; b (stand-in) 61.0 µs (60.0 s between \
                 repeats), TTFT 40.0 µs. Differences below 60.0 s can't be measured.";
    assert!(one_line(&shown).contains(floor), "{shown}");
    assert!(one_line(&shown).contains("below this machine's noise floor"), "{shown}");
    for file in ["report.md", "report.html"] {
        let told = std::fs::read_to_string(at("coarse").join(file)).expect("a file").replace("&#39;", "'");
        assert!(told.contains(floor) && told.contains("below this machine's noise floor"), "{file}: {told}");
    }
    let csv = rows(&at("coarse/comparison.csv"));
    let row = csv.iter().find(|row| row["metric"] == "latency.p50").expect("a row");
    assert_eq!(row["verdict"], "undecided");

    // Told again, with another calibration at hand: the run's own counts.
    let again = loadcmp().args(["report", "--full"]).arg(at("coarse")).output().expect("the program");
    assert!(one_line(&text(&again).0).contains(floor), "{again:?}");
    assert_eq!(read(&at("coarse/report.json"))["comparisons"], coarse["comparisons"]);

    // Beside another run, in which `a` is slow.
    engines.run(dir.path(), "swapped", true, &kept);
    let (word, notes) = compared(&at("coarse"), &at("swapped"), "latency.p50");
    assert!(word == "undecided" && !notes.contains("smallest measurable difference"), "{word} {notes}");
    let (word, notes) = compared(&at("bare"), &at("swapped"), "latency.p50");
    assert!(word == "worse" && notes.contains("was not calibrated"), "{word} {notes}");
    let mut elsewhere = coarse.clone();
    elsewhere["machine"]["cpu"] = json!("Other");
    let path = write(dir.path(), "elsewhere.json", &elsewhere.to_string());
    let (word, notes) = compared(&path, &at("swapped"), "latency.p50");
    assert!(word == "worse" && notes.contains("two machines"), "{word} {notes}");
}

#[test]
fn a_difference_above_the_floor_stays_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let engines = Engines::start();
    let machine = serde_json::to_value(loadcmp::host::facts()).expect("JSON");
    let kept = write(dir.path(), "fine.json", &calibration(&machine, 7.0).to_string());
    let shown = engines.run(dir.path(), "fine", false, &kept);
    let report = read(&dir.path().join("fine/report.json"));
    for metric in TIMES {
        assert_eq!(verdict(&report, metric).0, "better", "{metric}: {shown}");
    }
    assert!(one_line(&shown).contains("Differences below 7.00 µs can't be measured."), "{shown}");
}
