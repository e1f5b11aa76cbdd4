//! Five benchmark suites that went wrong: the fault of each, rebuilt as data, is caught.

use crate::audit::directory::{Directory, REQUESTS, ids};
use crate::cli::number;
use loadcmp::audit::Severity;
use loadcmp::report::Report;
use serde_json::json;

/// That a report has these findings, at least as grave as this.
fn caught(report: &Report, least: Severity, want: &[&str]) {
    let found = ids(&report.findings, least);
    for id in want {
        assert!(found.contains(id), "{id} is not in {found:?}");
    }
}

/// HERALD: tokens came from a sleep that knew neither prompt nor answer; latencies were read after the fact, near zero;
/// "200 concurrent" was eight workers.
#[test]
fn herald_measured_a_sleep() {
    let mut slept = Directory::healthy();
    slept
        .latencies("a", |at, _| 8_000.0 + (at * 7919 % 101) as f64)
        .each("a", |at, row| drop(row.insert("output_tokens".into(), (3 + at % 29).to_string())));
    caught(&slept.told(), Severity::Warning, &["flat-latency"]);
    let mut late = Directory::healthy();
    late.latencies("a", |_, _| 0.0);
    caught(&late.told(), Severity::Invalid, &["impossible-times", "equal-samples"]);
    let mut few = Directory::healthy();
    few.manifest["plan"]["load"]["closed"]["users"] = json!(10);
    caught(&few.told(), Severity::Warning, &["low-concurrency"]);
}

/// Vibrant: the rate was the tokens that were asked for by time, though answers stopped at the third; and the output was
/// one token over and over.
#[test]
fn vibrant_counted_what_it_had_asked_for() {
    let mut asked = Directory::healthy();
    asked
        .set("a", "output_tokens", REQUESTS, "32")
        .set("a", "finish", REQUESTS, "stop")
        .set("a", "chunks", REQUESTS, "3");
    caught(&asked.told(), Severity::Warning, &["claimed-limit", "tokens-per-chunk", "unequal-output"]);
    let mut degenerate = Directory::healthy();
    degenerate.set("a", "text_hash", REQUESTS, "00000000000000aa");
    caught(&degenerate.told(), Severity::Warning, &["same-answers"]);
}

/// GG-CORE's tiers: "2,770 times faster than Ollama", which was never run; 190 ns for 100, 1000 and 4000 tokens, of a call
/// that failed; a P95 of integer milliseconds that were all zero.
#[test]
fn gg_core_compared_with_what_was_never_run() {
    let mut absent = Directory::healthy();
    absent.keep("b", 0);
    caught(&absent.told(), Severity::Invalid, &["no-answers", "unequal-requests"]);
    let mut failing = Directory::healthy();
    failing.set("a", "outcome", REQUESTS, "error_frame").latencies("a", |_, _| 0.19);
    caught(&failing.told(), Severity::Invalid, &["no-answers"]);
    let mut flat = Directory::healthy();
    flat.latencies("a", |at, _| [0.189, 0.191, 0.188][at % 3])
        .each("a", |at, row| drop(row.insert("prompt_tokens".into(), [100, 1000, 4000][at % 3].to_string())));
    caught(&flat.told(), Severity::Invalid, &["impossible-times", "equal-samples"]);
    let mut slower = Directory::healthy();
    slower
        .latencies("a", |at, _| 5_000.0 + (at * 7919 % 103) as f64)
        .each("a", |at, row| drop(row.insert("prompt_tokens".into(), [100, 1000, 4000][at % 3].to_string())))
        .set("a", "output_tokens", REQUESTS, "20");
    let report = slower.told();
    let flat = report.findings.iter().find(|finding| finding.id == "flat-latency");
    assert!(flat.is_some_and(|finding| finding.sentence.contains("length of prompts")), "{flat:?}");
    let mut zeros = Directory::healthy();
    zeros.latencies("a", |at, _| if at % 2 == 0 { 0.0 } else { 1_000.0 });
    caught(&zeros.told(), Severity::Invalid, &["equal-samples", "impossible-times"]);
}

/// HybridTrainer: 2.41 times faster, over 30 steps against 50; 14 of 16 scenarios were run; and outputs of a simulation do
/// not change with their input.
#[test]
fn hybrid_trainer_did_less_work() {
    let mut less = Directory::healthy();
    less.keep("a", 72);
    let report = less.told();
    caught(&report, Severity::Invalid, &["unequal-requests"]);
    caught(&report, Severity::Warning, &["planned-requests"]);
    let mut simulated = Directory::healthy();
    simulated.set("a", "text_hash", REQUESTS, "00000000000000aa");
    caught(&simulated.told(), Severity::Warning, &["same-answers"]);
}

/// Muse and Banterhearts: two models with the very same numbers; percentiles made of the mean; one cold load of 9.6 s among
/// five requests; no tokens, one run, and a "measurable improvement".
#[test]
fn muse_made_its_numbers_up() {
    let mut copied = Directory::healthy();
    let of = copied.clone();
    copied.latencies("a", |at, _| of.number("b", at, "end_us") - of.number("b", at, "sent_us"));
    caught(&copied.told(), Severity::Invalid, &["identical-samples"]);
    copied.latencies("a", |_, us| us * 1.2);
    caught(&copied.told(), Severity::Invalid, &["fixed-percentiles"]);

    let mut cold = Directory::healthy();
    cold.keep("a", 5).keep("b", 5).forget_before("server_load_us").set("a", "server_load_us", 1, "9600000.000");
    cold.manifest["plan"]["load"]["closed"]["until"]["requests"] = json!(5);
    cold.each("a", |at, row| {
        let end = number(row, "end_us").expect("an end");
        if at == 0 {
            row.insert("end_us".into(), format!("{:.3}", end + 9.6e6));
        } else {
            row.insert("server_load_us".into(), String::new());
        }
    });
    caught(&cold.told(), Severity::Warning, &["cold-load", "few-samples"]);

    let mut nothing = Directory::healthy();
    nothing.keep("a", 1).keep("b", 1).set("a", "output_tokens", 1, "0");
    nothing.manifest["plan"]["load"]["closed"]["until"]["requests"] = json!(1);
    caught(&nothing.told(), Severity::Invalid, &["no-answers", "zero-tokens"]);
}
