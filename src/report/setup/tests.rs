use super::*;
use crate::report::fixture::report;
use crate::scenario::plan::Endpoint;
use crate::scenario::{Order, Span, Task};
use serde_json::json;
use std::time::Duration;

/// What differs between a run and the same of another plan.
fn of(run: &crate::report::Report, plan: &Plan) -> Vec<(Kind, String)> {
    let all = differences((&run.plan, &run.machine, "x"), (plan, &run.machine, "x"));
    all.into_iter().map(|one| (one.kind, one.named().what)).collect()
}

/// A change of one fact of a plan.
type Change = fn(&mut Plan);

fn ollama(plan: &mut Plan, spec: serde_json::Value) {
    plan.targets[1].spec = serde_json::from_value(json!({ "ollama": spec })).unwrap();
}

#[test]
fn a_run_is_like_itself() {
    for task in [Task::Classify, Task::Chat, Task::Embed] {
        let run = report(task, true);
        let setup = (&run.plan, &run.machine, "x");
        assert_eq!(differences(setup, setup), []);
    }
}

#[test]
fn each_fact_changed_alone_is_told_and_nothing_else() {
    let cases: [(Kind, &str, Change); 29] = [
        (Kind::Asked, "prompt format", |p| p.workload.format = crate::scenario::PromptFormat::Chat),
        (Kind::Asked, "prompt cache", |p| p.workload.prompt_cache = crate::scenario::PromptCache::Warm),
        (Kind::Asked, "constrain", |p| p.workload.constrain = crate::scenario::Constrain::Auto),
        (Kind::Setup, "drain", |p| p.drain = Span(Duration::from_secs(9))),
        (Kind::Setup, "interference", |p| p.interference = !p.interference),
        (Kind::Setup, "native: settings from the environment", |p| p.targets[0].filled = Some("0".repeat(12))),
        (Kind::Asked, "prompts and sampling", |p| p.workload.hash = "0".repeat(64)),
        (Kind::Asked, "stream", |p| p.workload.stream = !p.workload.stream),
        (Kind::Asked, "think", |p| p.workload.think = Some(crate::scenario::Think::Low)),
        (Kind::Asked, "logprobs", |p| p.workload.logprobs = true),
        (Kind::Asked, "schema", |p| p.workload.schema = Some(json!({ "type": "object" }))),
        (Kind::Asked, "labels", |p| p.workload.labels.truncate(2)),
        (Kind::Asked, "load", |p| {
            if let LoadPlan::Closed(closed) = &mut p.load {
                closed.users = 8;
            }
        }),
        (Kind::Length, "length", |p| {
            if let LoadPlan::Closed(closed) = &mut p.load {
                closed.until = Until::Requests(5);
            }
        }),
        (Kind::Setup, "warm-up", |p| {
            if let LoadPlan::Closed(closed) = &mut p.load {
                closed.warmup = Span(Duration::from_secs(9));
            }
        }),
        (Kind::Setup, "order", |p| p.order = Order::Isolated),
        (Kind::Setup, "timeout", |p| p.timeout = Span(Duration::from_secs(9))),
        (Kind::System, "driver", |p| p.driver = Some("goose".to_owned())),
        (Kind::Setup, "load timeout", |p| p.load_timeout = Span(Duration::from_secs(9))),
        (Kind::Length, "earlier end", |p| p.until_ci = Some(crate::scenario::Share(0.05))),
        (Kind::Setup, "targets", |p| drop(p.targets.pop())),
        (Kind::Setup, "cold starts", |p| p.cold_start = serde_json::from_value(json!({ "repeats": 3 })).unwrap()),
        (Kind::Setup, "native: max_connections", |p| {
            p.targets[0].spec = serde_json::from_value(json!({ "gg_core": { "max_connections": 8 } })).unwrap();
        }),
        (Kind::Engine, "native: version", |p| p.targets[0].facts.version = Some("9".to_owned())),
        (Kind::Engine, "native: model", |p| p.targets[0].model = "other".to_owned()),
        (Kind::Engine, "native: context", |p| p.targets[0].facts.context = Some(4096)),
        (Kind::Place, "native: address", |p| {
            p.targets[0].endpoint =
                Endpoint::Tcp { host: "box".to_owned(), port: 1, prefix: String::new(), tls: false };
        }),
        (Kind::Judging, "smallest effect", |p| p.smallest_effect = crate::scenario::Share(0.05)),
        (Kind::Judging, "slo", |p| p.slo = crate::scenario::Slo::parse("latency.p95 <= 1s").ok()),
    ];
    let mut run = report(Task::Classify, false);
    run.plan.driver = Some("native".to_owned());
    run.plan.targets[0].filled = Some("1".repeat(12));
    for (kind, what, change) in cases {
        changes(&run, kind, what, change);
    }
}

/// That a change is told as one fact, and nothing else is.
fn changes(run: &crate::report::Report, kind: Kind, what: &str, change: Change) {
    let mut plan = run.plan.clone();
    change(&mut plan);
    assert_eq!(of(run, &plan), [(kind, what.to_owned())]);
}

#[test]
fn what_only_some_loads_and_tasks_have_is_told_too() {
    fn open(plan: &mut Plan, change: impl Fn(&mut crate::scenario::plan::OpenPlan)) {
        if let LoadPlan::Open(open) = &mut plan.load {
            change(open);
        }
    }
    let mut run = report(Task::Classify, false);
    let spec = json!({ "trace": { "path": "t.csv" } });
    run.plan.load = serde_json::from_value(json!({ "open": {
        "about": "a trace", "spec": spec, "duration": "30s", "warmup": "0s", "in_flight": 64, "pacing": "timer",
        "planned": 600, "hash": "1".repeat(64)
    } }))
    .unwrap();
    changes(&run, Kind::Asked, "trace", |p| open(p, |open| open.hash = "2".repeat(64)));
    changes(&run, Kind::Setup, "max in flight", |p| open(p, |open| open.in_flight = 8));
    changes(&run, Kind::Setup, "pacing", |p| open(p, |open| open.pacing = crate::scenario::Pacing::Precise));
    let mut run = report(Task::Classify, false);
    run.plan.order = Order::Alternate;
    changes(&run, Kind::Setup, "blocks", |p| p.blocks.pairs += 1);
    let run = report(Task::Chat, false);
    changes(&run, Kind::Asked, "history", |p| p.workload.history = crate::scenario::History::Own);
}

#[test]
fn every_setting_of_an_engine_that_changes_its_work_is_a_fact() {
    let bare = report(Task::Classify, false);
    let with = |settings: &[(&str, &str)]| {
        let mut run = bare.clone();
        settings.iter().for_each(|(name, value)| run.plan.targets[1].facts.set(name, *value, "command line"));
        run
    };
    let told = |first: &[(&str, &str)], second: &[(&str, &str)]| {
        let (first, second) = (with(first), with(second));
        let all = unlike_setups((&first.plan, &first.machine), (&second.plan, &second.machine));
        all.iter().map(Unlike::words).collect::<Vec<_>>()
    };
    for (name, a, b) in [
        ("gpu_layers", "0", "99"),
        ("speculative", "none", "draft-model"),
        ("kv_cache_v", "f16", "q8_0"),
        ("threads_batch", "1", "8"),
        ("no_mmap", "no", "yes"),
        ("model_parameters", "num_ctx 512", "num_ctx 2048"),
        ("OLLAMA_NUM_PARALLEL", "1", "4"),
        ("GG_CORE_BATCH", "1", "4"),
        ("default temperature", "0.8", "0.2"),
    ] {
        assert_eq!(told(&[(name, a)], &[(name, b)]), [format!("ollama: {name} {a} vs {b}")]);
        assert_eq!(told(&[(name, a)], &[(name, a)]), Vec::<String>::new());
        // An engine that doesn't tell it is no other.
        assert_eq!(told(&[(name, a)], &[]), Vec::<String>::new());
    }
    // Where the command line was read, what isn't there is not set.
    let program = ("program", "llama-server");
    assert_eq!(told(&[program], &[program, ("gpu_layers", "99")]), ["ollama: gpu_layers not set vs 99"]);
    assert_eq!(
        told(&[program], &[program, ("speculative", "draft-model")]),
        ["ollama: speculative not set vs draft-model"]
    );
    // These follow from others, or change by themselves.
    for name in ["context_bytes", "size_vram", "context_total", "slots"] {
        assert_eq!(told(&[(name, "1")], &[(name, "2")]), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_deadline_that_was_found_is_like_any_other_that_was_and_like_the_default_before() {
    let mut run = report(Task::Classify, false);
    (run.plan.drain, run.plan.timeout_auto, run.plan.drain_auto) = (run.plan.timeout, true, true);
    let other = |change: Change| {
        let mut plan = run.plan.clone();
        change(&mut plan);
        of(&run, &plan)
    };
    assert_eq!(other(|p| p.allow(Span(Duration::from_secs(700)))), []);
    assert_eq!(other(|p| (p.timeout_auto, p.drain_auto) = (false, false)), [], "60s, as it was");
    let written = other(|p| (p.timeout_auto, p.timeout) = (false, Span(Duration::from_secs(5))));
    assert_eq!(written, [(Kind::Setup, "timeout".to_owned())]);
}

#[test]
fn settings_are_told_one_by_one_and_one_that_is_not_there_is_not_set() {
    let (mut run, mut other) = (report(Task::Classify, false), report(Task::Classify, false));
    ollama(
        &mut run.plan,
        json!({ "num_ctx": 2048, "options": { "num_thread": 1, "same": 1 }, "url": "a:1", "model": "a" }),
    );
    ollama(
        &mut other.plan,
        json!({ "keep_alive": "1h", "options": { "num_thread": 8, "same": 1 }, "url": "b:1", "model": "b" }),
    );
    let told: Vec<String> =
        unlike_setups((&run.plan, &run.machine), (&other.plan, &other.machine)).iter().map(Unlike::words).collect();
    assert_eq!(
        told,
        ["ollama: keep_alive 5m vs 1h", "ollama: num_ctx 2048 vs not set", "ollama: options.num_thread 1 vs 8"]
    );
}

#[test]
fn a_stand_ins_port_is_no_difference_and_names_of_this_machine_are_one() {
    let at = |host: &str, port: u16| Endpoint::Tcp { host: host.to_owned(), port, prefix: String::new(), tls: false };
    let changed = |stand_in: bool, second: Endpoint| {
        let (mut run, mut other) = (report(Task::Classify, stand_in), report(Task::Classify, stand_in));
        run.plan.targets[1].endpoint = at("127.0.0.1", 1);
        other.plan.targets[1].endpoint = second;
        unlike_setups((&run.plan, &run.machine), (&other.plan, &other.machine)).len()
    };
    assert_eq!((changed(true, at("127.0.0.1", 2)), changed(false, at("127.0.0.1", 2))), (0, 1));
    assert_eq!((changed(false, at("localhost", 1)), changed(false, at("box", 1))), (0, 1));
}

#[test]
fn a_report_that_does_not_tell_a_fact_is_not_unlike_for_it() {
    let (run, mut other) = (report(Task::Classify, false), report(Task::Classify, false));
    other.plan.start = Some([("ollama".to_owned(), vec!["ollama".to_owned(), "serve".to_owned()])].into());
    assert_eq!(run.plan.start, None, "as of an earlier loadcmp");
    assert_eq!(unlike_setups((&run.plan, &run.machine), (&other.plan, &other.machine)), []);
    let mut none = other.plan.clone();
    none.start = Some(indexmap::IndexMap::new());
    let told = unlike_setups((&other.plan, &run.machine), (&none, &run.machine));
    assert_eq!(told.iter().map(Unlike::words).collect::<Vec<_>>(), ["ollama: start ollama serve vs not set"]);
}

#[test]
fn what_was_asked_alone_keeps_two_runs_from_being_compared() {
    let run = report(Task::Generate, false);
    let mut other = report(Task::Generate, false);
    other.plan.order = Order::Alternate;
    other.machine.logical_cores = Some(64);
    assert_eq!(unlike_workloads(&run.plan, &other.plan), []);
    let mut users = run.plan.clone();
    if let LoadPlan::Closed(closed) = &mut users.load {
        closed.users = 8;
    }
    let load = unlike_workloads(&run.plan, &users).pop().unwrap();
    assert_eq!((load.first.as_str(), load.second.as_str()), ("closed loop, 4 users", "closed loop, 8 users"));
}

#[test]
fn engines_that_changed_are_told() {
    let run = report(Task::Generate, false);
    let mut other = report(Task::Generate, true);
    other.plan.targets[1].facts.version = None;
    let told = of_targets((&run.plan, &run.plan.targets[1]), (&other.plan, &other.plan.targets[1]));
    assert_eq!(
        told.iter().map(|one| one.unlike.what.as_str()).collect::<Vec<_>>(),
        ["what answered", "engine", "version"]
    );
    assert!(told[2].unlike.second == "not reported" && !told[2].is_known());
}
