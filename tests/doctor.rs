//! What a machine can measure, and who answers there: for a bug report, so nobody's name is in it.

use crate::cli::{StandIn, loadcmp, text};
use serde_json::Value;

#[test]
fn engines_and_what_is_missing_are_named_and_no_user_is() {
    let engine = StandIn::start(&[]);
    let asked = |args: &[&str]| {
        let mut command = loadcmp();
        command.args(["doctor"]).args(args).env("HOME", "/home/somebody").env("OLLAMA_HOST", &engine.url);
        command.env("NATIVE_URL", "http://127.0.0.1:1").env("GG_CORE_SOCKET_PATH", "/home/somebody/gg.sock");
        command.env("LOADCMP_CALIBRATION", "/home/somebody/calibration.json");
        let output = command.output().expect("the program");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output).1);
        text(&output).0
    };
    let json: Value = serde_json::from_str(&asked(&["--json"])).expect("JSON");
    let of = |list: &str, what: &str| {
        let mut all = json[list].as_array().expect("a list").iter();
        all.find(|one| one["what"] == what).unwrap_or_else(|| panic!("{what}: {json}")).clone()
    };
    let ollama = of("engines", "ollama");
    assert_eq!(ollama["available"], true, "{ollama}");
    assert!(ollama["found"].as_str().is_some_and(|found| found.contains("loadcmp stand-in")), "{ollama}");
    let openai = of("engines", "openai");
    let advice = openai["advice"].as_str().unwrap_or_default();
    assert!(openai["available"] == false && advice.contains("NATIVE_URL="), "{openai}");
    let gg_core = of("engines", "gg_core");
    assert!(
        gg_core["available"] == false && gg_core["found"].as_str().is_some_and(|why| why.contains("~/gg.sock")),
        "{gg_core}"
    );
    let calibration = of("abilities", "calibration");
    assert!(calibration["available"] == false && calibration["advice"] == "loadcmp calibrate", "{calibration}");
    assert_eq!(of("abilities", "clock")["available"], true);

    let table = asked(&[]);
    assert!(table.contains("  yes  ollama") && table.contains("  no   openai"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    for told in [table, json.to_string()] {
        assert!(!told.contains("somebody"), "{told}");
    }
}
