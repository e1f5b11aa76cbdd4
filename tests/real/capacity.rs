//! A small search for capacity on a real engine.

use super::*;
use serde_json::Value;

#[test]
#[ignore = "needs the real engines: make engines"]
fn a_real_engine_has_a_capacity_between_a_pass_and_a_fail() {
    engines();
    let dir = tempfile::tempdir().expect("a directory");
    let yaml = format!(
        "name: real\ntask: generate\ntargets:\n  llama: {}\nworkload: {{ prompts: {{ inline: [ {{ text: baba }} ] }}, sampling: {{ \
         max_tokens: 24 }} }}\nload: {{ open: {{ rate: 5, duration: 1s, in_flight: 64 }} }}\ndrain: 3s\n",
        Llama.target("cyc")
    );
    let file = write(dir.path(), "real.yaml", &yaml);
    let out = dir.path().join("out");
    let started = Instant::now();
    let output = loadcmp()
        .args(["capacity", "--slo", "latency.p90 <= 400ms and errors <= 1%", "--probe", "1s", "--precision", "25%"])
        .args(["--real", "--budget", "50s", "--out"])
        .args([&out, &file])
        .output()
        .expect("loadcmp");
    let (told, errors) = text(&output);
    // On a machine that does much else the time may not do.
    assert!(matches!(output.status.code(), Some(0 | 4 | 5)), "{told}{errors}");
    assert!(started.elapsed() < Duration::from_secs(90), "its time is bounded");
    let file = std::fs::read_to_string(out.join("capacity.json")).expect("what was found");
    let told: Value = serde_json::from_str(&file).expect("JSON");
    let target = &told["targets"][0];
    assert_eq!(target["searched"]["stand_in"], false);
    let probes = target["probes"].as_array().expect("probes");
    assert!(probes.len() >= 3, "{file}");
    let found = &target["capacity"];
    if let (Some(low), Some(value), Some(high)) =
        (found["low"].as_f64(), found["value"].as_f64(), found["high"].as_f64())
    {
        assert!(low <= value && value <= high, "{found}");
    }
    let unmeasured = probes.iter().filter(|probe| probe["evidence"]["requests"].as_u64() == Some(0)).count();
    assert_eq!(unmeasured, 0, "{file}");
    assert!(target["searched"]["alone_us"].as_f64().is_some_and(|us| us > 100.0), "{file}");
}
