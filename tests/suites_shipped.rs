//! The suites that are shipped: each loads with all of its scenarios, in both forms; its checks are those of its plan, each is
//! about what is there, and what can't be measured says why.

use loadcmp::scenario::gate::Gate;
use loadcmp::scenario::{Loaded, LoadedSuite, Overrides, load, load_suite};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SUITES: [&str; 5] = ["herald", "vibrant", "gg-core", "trainer", "muse"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suites").join(format!("{name}.yaml"))
}

fn suite(name: &str) -> LoadedSuite {
    load_suite(&path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn scenarios(suite: &LoadedSuite, quick: bool) -> BTreeMap<String, Loaded> {
    let read = |(name, scenario): (&String, &loadcmp::scenario::SuiteScenario)| {
        let overrides = suite.overrides(name, quick, &Overrides::default());
        let loaded = load(&suite.file(scenario), &overrides);
        (name.clone(), loaded.unwrap_or_else(|error| panic!("{name} (quick: {quick}): {error}")))
    };
    suite.spec.scenarios.iter().map(read).collect()
}

/// How many checks each category has.
fn categories(suite: &LoadedSuite) -> Vec<(&str, usize)> {
    let mut told: Vec<(&str, usize)> = Vec::new();
    for check in &suite.spec.checks {
        match told.iter_mut().find(|(name, _)| *name == check.category) {
            Some((_, n)) => *n += 1,
            None => told.push((&check.category, 1)),
        }
    }
    told
}

#[test]
fn each_suite_and_all_of_its_scenarios_are_right_in_both_forms() {
    for name in SUITES {
        let suite = suite(name);
        assert_eq!(suite.spec.name, name);
        assert!(suite.spec.about.is_some() && suite.spec.budget.is_some(), "{name}");
        for quick in [false, true] {
            let scenarios = scenarios(&suite, quick);
            for check in &suite.spec.checks {
                let Some(gate) = check.asked(quick) else { continue };
                let told = format!("{name}, {}: {gate}", check.name);
                let loaded = &scenarios[check.scenario.as_deref().unwrap()];
                let gate = Gate::parse(gate).unwrap();
                for target in gate.targets() {
                    assert!(loaded.scenario.targets.contains_key(target), "{told}: no target `{target}`");
                }
                // A check on a point is on one that the sweep has, whichever form is run.
                let fits = |point: &&loadcmp::scenario::SweepPoint| {
                    check.at.iter().all(|at| point.values.contains(&(at.0.clone(), at.1.clone())))
                };
                assert!(check.at.is_empty() || loaded.points.iter().any(|point| fits(&point)), "{told}: no such point");
            }
            for (scenario, loaded) in &scenarios {
                let used = suite.spec.checks.iter().any(|check| check.scenario.as_ref() == Some(scenario));
                assert!(used, "{name}: nothing is asked of `{scenario}`");
                assert!(loaded.scenario.gates.is_empty(), "{name}: `{scenario}` has gates of its own");
            }
        }
        assert!(
            suite.spec.scenarios.values().all(|scenario| !scenario.quick.is_empty()),
            "{name}: a quick form is missing"
        );
    }
}

#[test]
fn the_checks_are_those_of_each_plan() {
    let herald = suite("herald");
    assert_eq!(herald.spec.checks.len(), 33);
    assert_eq!(categories(&herald), [("performance", 7), ("model", 10), ("memory", 7), ("throughput", 9)]);

    assert_eq!(categories(&suite("vibrant")), [("minimum", 6), ("target", 3), ("stretch", 5), ("components", 5)]);

    let gg_core = suite("gg-core");
    let told = categories(&gg_core);
    for (category, least) in [
        ("classification", 3),
        ("embedding", 3),
        ("generation", 3),
        ("memory", 3),
        ("concurrency", 4),
        ("prompt length", 3),
        ("batch", 1),
        ("error handling", 4),
        ("service level", 4),
        ("protocol", 3),
    ] {
        assert!(told.iter().any(|(name, n)| *name == category && *n >= least), "{category}: {told:?}");
    }
    // Each tier of each task, by the plan's own numbers.
    let asked = |gate: &str| gg_core.spec.checks.iter().filter(|check| check.gate.as_deref() == Some(gate)).count();
    for gate in ["latency.p95 <= 100ms", "latency.p95 <= 20ms", "latency.p95 <= 5ms", "latency.p95 <= 50ms"] {
        assert_eq!(asked(&format!("native.{gate}")), 1, "{gate}");
    }
    for gate in
        ["tokens_per_s >= 10", "tokens_per_s >= 50", "memory_ratio_loaded <= 1.5", "memory_ratio_loaded <= 1.35"]
    {
        assert_eq!(asked(&format!("native.{gate}")), 1, "{gate}");
    }
    let swept = |suite: &LoadedSuite, scenario: &str| -> Vec<serde_json::Value> {
        scenarios(suite, true)[scenario].points.iter().map(|point| point.values[0].1.clone()).collect()
    };
    assert_eq!(swept(&gg_core, "concurrency"), [1, 4, 16, 64]);

    let trainer = suite("trainer");
    assert_eq!(swept(&trainer, "horizon"), [1, 5, 10, 15, 25, 50, 75]);
    assert_eq!(
        categories(&trainer),
        [
            ("speed-up", 7),
            ("equal work", 3),
            ("fitted line", 2),
            ("quality", 1),
            ("memory", 2),
            ("micro-benchmarks", 5)
        ]
    );

    let muse: Vec<_> = categories(&suite("muse")).into_iter().map(|(name, _)| name.to_owned()).collect();
    let kinds = ["prompt suite", "inference", "system", "compilation", "quantisation", "kernel", "attention"];
    assert_eq!(muse, kinds);
}

#[test]
fn what_cant_be_measured_says_why_at_some_length() {
    for name in SUITES {
        let suite = suite(name);
        let all = suite.spec.checks.len();
        let reasons: Vec<&str> = suite.spec.checks.iter().filter_map(|check| check.cannot.as_deref()).collect();
        assert!(reasons.iter().all(|why| why.split_whitespace().count() >= 10), "{name}: {reasons:?}");
        assert!(
            !reasons.is_empty() && reasons.len() * 3 <= all,
            "{name}: {} of {all} can't be measured",
            reasons.len()
        );
    }
}

/// What a short form doesn't ask, it can't find out: it asks for the same as the full form, and for less of it. The one prompt
/// that no small engine takes is held to a gate that a short run can break, and not keep.
#[test]
fn short_forms_ask_what_the_checks_are_about() {
    let mut lesser = Vec::new();
    for name in SUITES {
        let suite = suite(name);
        let (full, quick) = (scenarios(&suite, false), scenarios(&suite, true));
        for check in &suite.spec.checks {
            let told = format!("{name}: {}", check.name);
            assert!(!check.name.contains("quick"), "{told}");
            if check.quick.is_some() {
                lesser.push(check.name.clone());
                continue;
            }
            let Some(scenario) = check.scenario.as_deref().filter(|_| !check.needs.is_empty()) else { continue };
            let prompts = |all: &BTreeMap<String, Loaded>| {
                serde_json::to_value(&all[scenario].scenario.workload.prompts).expect("prompts")
            };
            if check.needs.iter().any(|need| need.contains("prompt_tokens")) {
                assert_eq!(prompts(&full), prompts(&quick), "{told}");
            }
            for need in check.needs.iter().filter(|need| need.contains("requests")) {
                let wanted: u64 = need.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number");
                for all in [&full, &quick] {
                    let closed = all[scenario].scenario.load.closed.as_ref().expect("a closed loop");
                    assert!(closed.requests >= Some(wanted), "{told}: {:?}", closed.requests);
                }
            }
        }
        assert!(suite.spec.time(true).is_some_and(|time| time.0.as_secs() == 300), "{name}");
    }
    assert_eq!(lesser, ["Context capacity: a prompt of 1,000,000 tokens"]);
}
