//! A target that takes no connection for some seconds on end: its lane ends, and the other's goes on.

use crate::cli::{Row, StandIn, json, loadcmp, rows, write};
use std::process::Stdio;
use std::time::{Duration, Instant};

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(90), "{what} didn't come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_target_that_is_gone_is_not_asked_for_ever_and_the_other_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut dies = StandIn::start(&["--first-token-ms", "20"]);
    let stays = StandIn::start(&["--first-token-ms", "20"]);
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  dies: {{ ollama: {{ url: \"{}\" }} }}\n  stays: {{ ollama: {{ url: \"{}\" }} \
         }}\nworkload: {{ prompts: {{ inline: [ {{ text: Say hello. }} ] }}, sampling: {{ max_tokens: 2 }} }}\nload: {{ closed: {{ \
         users: 2, duration: 16s }} }}\ndrain: 2s\n",
        dies.url, stays.url
    );
    write(dir.path(), "t.yaml", &yaml);
    let mut command = loadcmp();
    command.current_dir(dir.path()).args(["run", "t.yaml", "--out", "out", "--quiet"]);
    let mut child = command.stdout(Stdio::null()).spawn().expect("a run");
    let samples = dir.path().join("out/samples.csv");
    wait_for("rows", || std::fs::read_to_string(&samples).is_ok_and(|text| text.lines().count() > 40));
    dies.kill();
    assert_eq!(child.wait().expect("an end").code(), Some(4), "what is known of one of them is of a part of the time");
    let told = rows(&samples);
    let of = |name: &str| -> Vec<&Row> {
        told.iter().filter(|row| row["target"] == name && row["phase"] == "measure").collect()
    };
    let planned = |row: &Row| row["planned_us"].parse::<f64>().expect("a number") / 1e6;
    let refused: Vec<f64> = of("dies").into_iter().filter(|row| row["outcome"] == "connect").map(planned).collect();
    let (first, last) = (refused[0], refused[refused.len() - 1]);
    // Some ten seconds, and then no more: the other's go on.
    assert!(last - first > 8.0, "{first} to {last}");
    assert!(of("stays").into_iter().map(planned).fold(0.0, f64::max) > last);
    assert!(refused.len() < 60, "{}", refused.len());
    let report = json(&dir.path().join("out/report.json"));
    let findings = report["findings"].as_array().expect("findings");
    let gone = findings.iter().find(|finding| finding["id"] == "target-gone").expect("it is told");
    let since =
        gone["evidence"][0][1].as_str().expect("a time").trim_end_matches(" s").parse::<f64>().expect("a number");
    assert!((since - first).abs() < 0.2, "{since}, {first}: {gone}");
}
