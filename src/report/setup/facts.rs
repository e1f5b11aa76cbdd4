//! The list itself: every fact of a run, each with what it is about.

use super::{AUTO, Fact, Kind, NOT_SET, length};
use crate::host::Facts;
use crate::scenario::plan::{CONTEXT_BYTES, Endpoint, EngineFacts, LoadPlan, Plan, TargetPlan};
use crate::scenario::yaml_word as word;
use crate::scenario::{Order, Span, TargetSpec, Task, Think};
use serde_json::Value;

/// Fields of a target that are no settings: where it is and who may ask (facts of their own, or none), and what only watches.
const NO_SETTINGS: [&str; 6] = ["url", "socket", "model", "token", "process", "metrics"];

fn fact(kind: Kind, what: &str, value: impl ToString) -> Fact {
    Fact { kind, what: what.to_owned(), value: Some(value.to_string()) }
}

/// Facts of a run as a whole.
pub(super) fn run_facts(plan: &Plan) -> Vec<Fact> {
    use Kind::{Asked, Judging, Length, Setup, System};
    let work = &plan.workload;
    // The hash covers prompts, their order, the system message, sampling and the cache rule.
    let prompts = format!("{:.12}…, {} prompts, seed {}", work.hash, work.items, plan.seed);
    let mut all = vec![fact(Asked, "task", word(&plan.task)), fact(Asked, "prompts and sampling", prompts)];
    all.push(fact(Asked, "prompt format", word(&work.format)));
    all.push(fact(Asked, "stream", work.stream));
    all.push(fact(Asked, "think", work.think.map_or("unset", Think::word)));
    all.push(fact(Asked, "logprobs", work.logprobs));
    all.push(fact(Asked, "schema", work.schema.as_ref().map_or_else(|| "none".to_owned(), Value::to_string)));
    all.push(fact(Asked, "prompt cache", word(&work.prompt_cache)));
    if plan.task == Task::Classify {
        all.push(fact(Asked, "constrain", word(&work.constrain)));
        all.push(fact(Asked, "labels", work.labels.join(", ")));
    }
    if plan.task == Task::Chat {
        all.push(fact(Asked, "history", word(&work.history)));
    }
    all.push(fact(Asked, "load", driven(&plan.load)));
    if let LoadPlan::Open(open) = &plan.load {
        if open.spec.trace.is_some() {
            all.push(fact(Asked, "trace", format!("{:.12}…, {} requests", open.hash, open.planned)));
        }
        all.push(fact(Setup, "max in flight", open.in_flight));
        all.push(fact(Setup, "pacing", word(&open.pacing)));
    }
    all.push(fact(Setup, "order", word(&plan.order)));
    if plan.order == Order::Alternate {
        all.push(fact(Setup, "blocks", plain(&serde_json::to_value(plan.blocks).unwrap_or_default())));
    }
    all.push(Fact { kind: System, what: "driver".to_owned(), value: plan.driver.clone() });
    all.push(fact(Setup, "interference", plan.interference));
    let mut names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    names.sort_unstable();
    all.push(fact(Setup, "targets", names.join(", ")));
    all.push(fact(Setup, "warm-up", plan.load.warmup()));
    let cold = plan.cold_start.as_ref().map(|cold| serde_json::to_value(cold).unwrap_or_default());
    all.push(fact(Setup, "cold starts", cold.map_or_else(|| "none".to_owned(), |cold| plain(&cold))));
    all.push(fact(Setup, "timeout", limit(plan.timeout_auto, plan.timeout)));
    all.push(fact(Setup, "load timeout", plan.load_timeout));
    all.push(fact(Setup, "drain", limit(plan.drain_auto, plan.drain)));
    all.push(fact(Length, "length", length(&plan.load)));
    let least = plan.least.map(|least| format!("after {} and {} answers", least.time, least.answers));
    let ratio = plan.until_ci.map(|ci| format!("the main ratio known within {ci}"));
    let early: Vec<String> = ratio.into_iter().chain(least).collect();
    let early = if early.is_empty() { "none".to_owned() } else { early.join(", ") };
    all.push(fact(Length, "earlier end", early));
    all.push(fact(Judging, "slo", plan.slo.as_ref().map_or_else(|| "none".to_owned(), |slo| slo.text())));
    all.push(fact(Judging, "smallest effect", plan.smallest_effect));
    all
}

/// A limit in words: one that is found for each run anew is alike whatever was found, or no baseline would hold.
fn limit(auto: bool, span: Span) -> String {
    if auto { AUTO.to_owned() } else { span.to_string() }
}

/// Facts of one target.
pub(super) fn target_facts(plan: &Plan, target: &TargetPlan) -> Vec<Fact> {
    use Kind::{Engine, Place, Setup};
    let mut all = vec![
        fact(Engine, "what answered", if target.stand_in { "stand-in" } else { "real engine" }),
        fact(Setup, "wire", target.wire()),
        fact(Engine, "model", &target.model),
    ];
    type FactReader = fn(&EngineFacts) -> Option<String>;
    let facts: [(&str, FactReader); 14] = [
        ("engine", |f| f.engine.clone()),
        ("version", |f| f.version.clone()),
        ("model digest", |f| f.digest.clone()),
        ("quantisation", |f| f.quantization.clone()),
        ("parameters", |f| f.parameters.clone()),
        ("context", |f| f.context.map(|n| n.to_string())),
        ("slots", |f| f.slots.map(|n| n.to_string())),
        ("threads", |f| f.setting("threads").map(str::to_owned)),
        ("batch", |f| f.setting("batch").map(str::to_owned)),
        ("physical batch", |f| f.setting("ubatch").map(str::to_owned)),
        ("flash attention", |f| f.setting("flash_attention").map(str::to_owned)),
        ("KV cache", |f| f.setting("kv_cache_k").or(f.setting("kv_cache")).map(str::to_owned)),
        ("prompt cache in memory (MiB)", |f| f.setting("cache_ram_mib").map(str::to_owned)),
        ("chat template", |f| f.setting("template_sha256").map(str::to_owned)),
    ];
    all.extend(facts.map(|(what, told)| Fact { kind: Engine, what: what.to_owned(), value: told(&target.facts) }));
    all.extend(other_settings(&target.facts));
    // A stand-in's port is another each time.
    let place = (!target.stand_in).then(|| place(&target.endpoint));
    all.push(Fact { kind: Place, what: "address".to_owned(), value: place });
    let start = |commands: &indexmap::IndexMap<String, Vec<String>>| {
        commands.get(&target.name).map_or_else(|| NOT_SET.to_owned(), |words| words.join(" "))
    };
    all.push(Fact { kind: Setup, what: "start".to_owned(), value: plan.start.as_ref().map(start) });
    all.extend(settings(&target.spec).into_iter().map(|(what, value)| fact(Setup, &what, value)));
    let filled = "settings from the environment".to_owned();
    all.push(Fact { kind: Setup, what: filled, value: target.filled.clone() });
    all
}

/// Settings of an engine that are facts by another name, and those that follow from others.
const SAID_ELSEWHERE: [&str; 12] = [
    "threads",
    "batch",
    "ubatch",
    "flash_attention",
    "kv_cache_k",
    "kv_cache",
    "cache_ram_mib",
    "template_sha256",
    "slots",
    "context_total",
    CONTEXT_BYTES,
    "size_vram",
];

/// What a program does without where its command line doesn't name it: it has no default that is one value.
const WITHOUT_DEFAULT: [&str; 5] = ["gpu_layers", "load_mode", "no_mmap", "speculative", "threads_batch"];

/// Every setting that an engine, its command line or its environment tells besides.
fn other_settings(facts: &EngineFacts) -> Vec<Fact> {
    let told = facts.settings.iter().filter(|setting| !SAID_ELSEWHERE.contains(&setting.name.as_str()));
    let mut all: Vec<Fact> = told.map(|setting| fact(Kind::Engine, &setting.name, &setting.value)).collect();
    // Where its command line was read, an option that isn't there is not set.
    if facts.setting("program").is_some() {
        let missing = WITHOUT_DEFAULT.iter().filter(|name| facts.setting(name).is_none());
        all.extend(missing.map(|name| fact(Kind::Engine, name, NOT_SET)));
    }
    all
}

/// Facts of the machine, and of what changes on it; `tool` made the run.
pub(super) fn machine_facts(machine: &Facts, tool: &str) -> Vec<Fact> {
    let gib = |bytes: u64| format!("{:.0} GiB", bytes as f64 / (1_u64 << 30) as f64);
    let told = [
        (Kind::Machine, "CPU", machine.cpu.clone()),
        (Kind::Machine, "logical cores", machine.logical_cores.map(|n| n.to_string())),
        (Kind::Machine, "memory", machine.memory_bytes.map(gib)),
        (Kind::System, "kernel", machine.kernel.clone()),
        (Kind::System, "operating system", machine.os.clone()),
        (Kind::System, "loadcmp", Some(tool.to_owned())),
    ];
    told.into_iter().map(|(kind, what, value)| Fact { kind, what: what.to_owned(), value }).collect()
}

/// Where an engine answers; this machine has several names.
fn place(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Tcp { host, port, prefix, tls } if matches!(host.as_str(), "localhost" | "::1") => {
            Endpoint::Tcp { host: "127.0.0.1".to_owned(), port: *port, prefix: prefix.clone(), tls: *tls }.to_string()
        }
        endpoint => endpoint.to_string(),
    }
}

/// A target's settings as they are told, one by one: `keep_alive`, `options.num_thread`. Values of the environment are the
/// references that were written, so that another token is no other setting.
fn settings(spec: &TargetSpec) -> Vec<(String, String)> {
    let spec = serde_json::to_value(spec).unwrap_or_default();
    let mut all = Vec::new();
    for (name, value) in
        spec.as_object().into_iter().flat_map(|wires| wires.values()).filter_map(Value::as_object).flatten()
    {
        match value {
            _ if NO_SETTINGS.contains(&name.as_str()) => {}
            // Their values are secrets.
            Value::Object(headers) if name == "headers" => {
                all.push((name.clone(), headers.keys().cloned().collect::<Vec<_>>().join(", ")));
            }
            Value::Object(fields) => {
                all.extend(fields.iter().map(|(key, value)| (format!("{name}.{key}"), plain(value))))
            }
            value => all.push((name.clone(), plain(value))),
        }
    }
    // What isn't there is off.
    all.retain(|(_, value)| !matches!(value.as_str(), "" | "false" | "null"));
    all
}

/// A value in plain words: `pairs 8, settle 10ms`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    }
}

/// How a load drives, whatever its length.
fn driven(load: &LoadPlan) -> String {
    match load {
        LoadPlan::Closed(closed) if closed.think.0.is_zero() => format!("closed loop, {} users", closed.users),
        LoadPlan::Closed(closed) => format!("closed loop, {} users, {} think time", closed.users, closed.think),
        LoadPlan::Open(open) => format!("open loop, {}", open.about),
    }
}
