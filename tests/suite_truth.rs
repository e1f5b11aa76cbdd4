//! What a suite says of itself: the table, the JUnit file and the exit code agree, what wasn't measured is no pass, and how long it
//! takes is told by what its engines take.

use crate::cli::{StandIn, ask, json, one_line, write};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

const SCENARIO: &str = "name: base\ntask: generate\nseed: 5\norder: isolated\ntargets:\n  native: { openai: { url: \"http://127.0.0.1:1\" } }\n\
                        workload: { prompts: { synthetic: { count: 40, words: { fixed: 6 } } }, sampling: { max_tokens: 4 } }\n\
                        load: { closed: { users: 1, requests: 20 } }\n";

/// A suite over one engine: scenarios and checks as they are written.
fn suite(dir: &Path, url: &str, scenarios: &str, checks: &str, more: &str) {
    write(dir, "base.yaml", SCENARIO);
    let text = format!(
        "name: t\ntargets: {{ native: {{ openai: {{ url: \"{url}\" }} }} }}\n{more}scenarios:\n{scenarios}checks:\n{checks}"
    );
    write(dir, "t.yaml", &text);
}

/// What became of a suite.
struct Told {
    code: i32,
    table: String,
    err: String,
    document: Value,
    junit: String,
}

impl Told {
    fn outcome(&self, name: &str) -> &str {
        let checks = self.document["checks"].as_array().expect("checks");
        let check = checks.iter().find(|check| check["name"] == name);
        check.unwrap_or_else(|| panic!("{name}: {}", self.table))["outcome"].as_str().expect("an outcome")
    }

    /// A number of JUnit's root.
    fn counted(&self, attribute: &str) -> usize {
        let root = self.junit.lines().find(|line| line.starts_with("<testsuites")).expect("a root");
        let rest = root.split(&format!(" {attribute}=\"")).nth(1).expect(attribute);
        rest.split('"').next().and_then(|n| n.parse().ok()).expect("a number")
    }

    /// The three read together.
    fn agree(&self) {
        let checks = self.document["checks"].as_array().expect("checks");
        let able: Vec<&Value> = checks.iter().filter(|check| check["cannot"].is_null()).collect();
        let of = |outcome: &str| able.iter().filter(|check| check["outcome"] == outcome).count();
        let told = format!("{}{}{}", self.table, self.err, self.junit);
        let words = self.table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("{} of {} checks passed", of("pass"), able.len())), "{told}");
        assert_eq!(self.counted("failures"), of("fail"), "{told}");
        let (bad, left_out) = (self.counted("errors"), self.counted("skipped"));
        let passed = self.counted("tests") - self.counted("failures") - bad - left_out;
        assert_eq!(passed, of("pass"), "{told}");
        let troubled = self.document["scenarios"].as_array().expect("scenarios").iter();
        let troubled = troubled.filter(|one| one["state"] != "done" || one["invalid"][0].is_string()).count();
        assert!(bad + left_out >= troubled + of("not_measured"), "{told}");
        let whole = of("pass") == able.len() && troubled == 0;
        match self.code {
            0 => assert!(whole && bad == 0, "{told}"),
            1 => assert!(of("fail") > 0, "{told}"),
            3 | 4 => assert!(troubled > 0 && bad > 0 && of("fail") == 0, "{told}"),
            5 => assert!(!whole && of("fail") == 0, "{told}"),
            code => panic!("{code}: {told}"),
        }
    }
}

fn run(dir: &Path, args: &[&str]) -> Told {
    let all = [&["suite", "run", "t.yaml", "--judge-stand-ins", "--out", "out"], args].concat();
    let (code, table, err) = ask(dir, &all);
    let out = dir.join("out");
    let junit = std::fs::read_to_string(out.join("junit.xml")).unwrap_or_else(|error| panic!("{error}: {err}"));
    let told = Told { code, table, err, document: json(&out.join("suite.json")), junit };
    told.agree();
    told
}

const ANSWERED: &str = "  - { name: answered, category: x, scenario: one, gate: native.errors == 0 }\n";

#[test]
fn a_scenarios_own_gate_is_a_row_and_fails_the_suite() {
    let (dir, engine) = (tempfile::tempdir().expect("a directory"), StandIn::start(&[]));
    let own = "  one: { file: base.yaml, set: { gates: [native.latency.p50 <= 1us, native.errors == 0] } }\n";
    suite(dir.path(), &engine.url, own, ANSWERED, "");
    let told = run(dir.path(), &[]);
    assert_eq!(told.code, 1);
    assert_eq!(told.outcome("one: native.latency.p50 <= 1us"), "fail");
    assert_eq!((told.outcome("one: native.errors == 0"), told.outcome("answered")), ("pass", "pass"));
    assert!(told.junit.contains("one: native.latency.p50 &lt;= 1us"), "{}", told.junit);
    // Without it, all is well.
    suite(dir.path(), &engine.url, "  one: { file: base.yaml }\n", ANSWERED, "");
    std::fs::remove_dir_all(dir.path().join("out")).expect("no results");
    assert_eq!(run(dir.path(), &[]).code, 0);
}

#[test]
fn what_was_skipped_or_could_not_be_run_is_no_pass() {
    let (dir, engine) = (tempfile::tempdir().expect("a directory"), StandIn::start(&[]));
    let long =
        "  one: { file: base.yaml }\n  long: { file: base.yaml, set: { load.closed: { users: 1, duration: 1h } } }\n";
    let checks = format!(
        "{ANSWERED}  - {{ name: for an hour, category: x, scenario: long, gate: native.errors == 0 }}\n  - {{ name: kernels, category: x, \
         cannot: no engine tells }}\n"
    );
    suite(dir.path(), &engine.url, long, &checks, "budget: 10m\n");
    let told = run(dir.path(), &[]);
    assert_eq!((told.code, told.outcome("for an hour")), (5, "not_measured"));
    let words = told.table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("1 of 2 checks passed (50.0 %), 1 not measured (1 of scenarios that were not run)"),
        "{words}"
    );
    assert!(words.contains("1 more can't be measured"), "{words}");
    assert!(words.contains("long skipped: it takes about 1 h, and "), "{words}");

    // One that can't be run, though nothing is asked of it.
    let gone = "  one: { file: base.yaml }\n  gone: { file: base.yaml, set: { targets.native.openai.url: \"http://127.0.0.1:1\" } }\n";
    suite(dir.path(), &engine.url, gone, ANSWERED, "");
    std::fs::remove_dir_all(dir.path().join("out")).expect("no results");
    let told = run(dir.path(), &[]);
    assert_eq!((told.code, told.outcome("answered")), (3, "pass"));
    assert!(told.junit.contains("name=\"scenario gone\"") && told.table.contains("gone failed: "), "{}", told.table);
}

#[test]
fn a_short_form_speaks_only_of_what_it_asked() {
    let (dir, engine) = (tempfile::tempdir().expect("a directory"), StandIn::start(&[]));
    let one = "  one: { file: base.yaml, quick: { load.closed.requests: 10 } }\n";
    let checks = "  - { name: a million tokens, category: x, scenario: one, gate: native.prompt_tokens.max >= 1000000, quick: \
                  native.prompt_tokens.max >= 2 }\n\
                  \x20 - { name: of 20, category: x, scenario: one, gate: native.errors == 0, needs: [native.requests >= 20] }\n\
                  \x20 - { name: all 20, category: x, scenario: one, gate: native.outcome_ok >= 20, needs: [native.requests >= 20] }\n\
                  \x20 - { name: long prompts, category: x, scenario: one, gate: native.latency.p50 <= 1us, needs: \
                  [native.prompt_tokens.mean >= 4000] }\n\
                  \x20 - { name: too slow anyway, category: x, scenario: one, gate: native.latency.p50 <= 1us, needs: [native.requests >= 20] \
                  }\n";
    suite(dir.path(), &engine.url, one, checks, "");
    let told = run(dir.path(), &["--quick"]);
    assert_eq!(told.code, 1);
    for name in ["a million tokens", "of 20", "all 20", "long prompts"] {
        assert_eq!(told.outcome(name), "not_measured", "{name}: {}", told.table);
    }
    assert_eq!(told.outcome("too slow anyway"), "fail");
    let words = told.table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("it needs native.requests >= 20, and here that was 10"), "{words}");
    assert!(words.contains("not tested: native.prompt_tokens.max >= 1000000"), "{words}");
    // In full, what it asked is what is asked.
    std::fs::remove_dir_all(dir.path().join("out")).expect("no results");
    let told = run(dir.path(), &[]);
    assert_eq!((told.outcome("of 20"), told.outcome("all 20")), ("pass", "pass"), "{}", told.table);
    assert_eq!((told.outcome("a million tokens"), told.outcome("long prompts")), ("fail", "not_measured"));
    let (code, _, err) = {
        suite(
            dir.path(),
            &engine.url,
            one,
            &checks.replace("[native.requests >= 20]", "[native.requests >= 2 * native.ok]"),
            "",
        );
        ask(dir.path(), &["suite", "check", "t.yaml"])
    };
    assert!(code == 2 && err.contains("t.yaml:"), "{err}");
}

/// A first token after 100 ms, then twenty a second, one request at a time.
fn slow() -> StandIn {
    StandIn::start(&["--first-token-ms", "100", "--decode-rate", "20", "--slots", "1"])
}

#[test]
fn lengths_are_told_by_what_a_short_and_a_long_request_took() {
    let (dir, engine) = (tempfile::tempdir().expect("a directory"), slow());
    // An answer: 0.1 + 10 x 0.05 s. Twelve of them take 7 s at least.
    let more = "set: { workload.sampling.max_tokens: 10, load.closed.requests: 12 }\n";
    suite(dir.path(), &engine.url, "  one: { file: base.yaml }\n  two: { file: base.yaml }\n", ANSWERED, more);
    let told = run(dir.path(), &[]);
    assert_eq!(told.code, 0, "{}", told.err);
    for one in told.document["scenarios"].as_array().expect("scenarios") {
        let (expected, took) = (one["expected_s"].as_f64().expect("seconds"), one["took_s"].as_f64().expect("seconds"));
        assert!(took > 6.0 && expected > took / 2.0 && expected < took * 2.0, "{expected} {took}: {}", told.err);
    }
    let pace = &told.document["paces"][0];
    let token = pace["token_s"].as_f64().expect("seconds");
    assert!(pace["target"] == "native" && (0.04..0.5).contains(&token), "{pace}");
    // At the start, and on the way.
    assert!(
        told.err.contains("suite t: 2 scenarios, about ") && told.err.contains("from a short and a long request"),
        "{}",
        told.err
    );
    assert!(told.err.contains("2 of 2: two, about ") && told.err.contains(" left"), "{}", told.err);
    assert!(!dir.path().join("out/timing").exists());
}

#[test]
fn a_sweep_from_one_token_on_has_the_time_of_its_longest_answers() {
    let (dir, engine) = (tempfile::tempdir().expect("a directory"), slow());
    // The scenario itself has answers of one token; its points' take up to thirty times as long.
    let scenarios = "  steps: { file: base.yaml, set: { workload.sampling.max_tokens: 1, load.closed.requests: 100, sweep: { over: { \
                     workload.sampling.max_tokens: [1, 10, 30] } } } }\n";
    let checks = "  - { name: steps, category: x, scenario: steps, gate: native.errors == 0 }\n";
    suite(dir.path(), &engine.url, scenarios, checks, "quick: { within: 30s }\n");
    let begun = Instant::now();
    let told = run(dir.path(), &["--quick"]);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(75), "{took:?}: {}", told.err);
    let token = told.document["paces"][0]["token_s"].as_f64().expect("seconds");
    assert!((0.04..0.5).contains(&token) && told.err.contains(" tok/s"), "{token}: {}", told.err);
    assert_eq!(told.outcome("steps"), "pass", "{}", told.err);
}

#[test]
fn a_short_form_fits_into_its_time_and_says_what_did_not() {
    let (dir, engine) = (tempfile::tempdir().expect("a directory"), slow());
    // Two minutes of answers, half a minute of load, and 64 users whose first answers alone take half a minute.
    let scenarios = "  many: { file: base.yaml, set: { load.closed.requests: 200 } }\n\
                     \x20 timed: { file: base.yaml, set: { load.closed: { users: 1, duration: 30s } } }\n\
                     \x20 crowd: { file: base.yaml, set: { load.closed: { users: 64, requests: 640 } } }\n";
    let check =
        |name: &str| format!("  - {{ name: {name}, category: x, scenario: {name}, gate: native.errors == 0 }}\n");
    let checks = ["many", "timed", "crowd"].map(check).concat();
    let more = "set: { workload.sampling.max_tokens: 10 }\nquick: { within: 30s }\n";
    suite(dir.path(), &engine.url, scenarios, &checks, more);
    let begun = Instant::now();
    let told = run(dir.path(), &["--quick"]);
    let took = begun.elapsed();
    // On a busy machine everything but the engine is slower.
    assert!(took < Duration::from_secs(75), "{took:?}: {}", told.err);
    assert_eq!(told.code, 5, "{}{}", told.table, told.err);
    assert_eq!((told.outcome("many"), told.outcome("timed"), told.outcome("crowd")), ("pass", "pass", "not_measured"));
    assert!(
        told.err.contains(" of 200 requests, to end within 30 s") && told.err.contains(" of 30s, to end within 30 s"),
        "{}",
        told.err
    );
    assert!(told.table.contains("crowd skipped: it takes about"), "{}", told.table);
    // What is skipped takes no time of what is left.
    let err = one_line(&told.err);
    assert!(err.contains(" s left") && !err.contains(" min left"), "{}", told.err);
    assert!(told.err.contains("loads are shortened; 1 of them still don't fit"), "{}", told.err);
    // A mistake in it has its place.
    suite(dir.path(), &engine.url, scenarios, &checks, "quick: { within: soon }\n");
    let (code, _, err) = ask(dir.path(), &["suite", "check", "t.yaml", "--quick"]);
    assert!(code == 2 && err.contains("`within` is a duration") && err.contains("t.yaml:3:"), "{err}");
}
