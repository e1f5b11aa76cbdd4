//! Runs in which nothing is wrong: the audit finds what is true of two stand-ins on one machine, and no more.

use crate::audit::run::{Live, Told};
use std::collections::BTreeSet;

/// What the machine of the test has a part in: other tests run beside this one, and take its processors.
const MACHINE: [&str; 13] = [
    "other-load",
    "stolen-time",
    "swapping",
    "swap-in-use",
    "cpu-frequency",
    "clock-jump",
    "send-lag",
    "send-lag-share",
    "generator-cpu",
    "low-concurrency",
    "drift",
    "not-steady",
    "missed-rate",
];

/// That a run has these findings, and of the others only what the machine may have brought.
fn expect(told: &Told, wanted: &[(&str, &str)]) {
    let found: BTreeSet<_> = told.ids().into_iter().filter(|(id, _)| !MACHINE.contains(id)).collect();
    assert_eq!(found, wanted.iter().copied().collect(), "{}", told.err);
    let grave: Vec<_> = told.found.iter().filter(|row| row["severity"] == "invalid").collect();
    assert_eq!(told.code == 4, !grave.is_empty());
    assert!(grave.iter().all(|row| MACHINE.contains(&row["id"].as_str())), "{grave:?}");
}

const BOTH: [(&str, &str); 3] = [("stand-in", "a (stand-in)"), ("stand-in", "b (stand-in)"), ("same-host", "")];

/// Latency varies from request to request, and answers from prompt to prompt: as engines are.
const ENGINE: [&str; 12] = [
    "--first-token-ms",
    "4",
    "--decode-rate",
    "2000",
    "--early-stop",
    "0.5",
    "--slots",
    "8",
    "--jitter",
    "lognormal",
    "--jitter-scale",
    "0.2",
];

#[test]
fn a_closed_loop_that_went_well() {
    let load = "{ closed: { users: 4, requests: 160, warmup: 200ms } }";
    let live = Live { load, ..Live::default() };
    expect(&live.run(&ENGINE, &ENGINE), &BOTH);
    // One after another they don't contend.
    let told = Live { more: "order: isolated\n", ..live }.run(&ENGINE, &ENGINE);
    expect(&told, &BOTH[..2]);
}

#[test]
fn an_open_loop_that_went_well() {
    let load = "{ open: { rate: 60, duration: 2s, warmup: 200ms } }";
    expect(&Live { load, ..Live::default() }.run(&ENGINE, &ENGINE), &BOTH);
}
