//! Whether two runs asked the same, and what else was unlike: what stands between two reports and a comparison of them.

use super::Report;
use super::words::yaml_word as word;
use crate::host::Facts;
use crate::scenario::Task;
use crate::scenario::plan::{LoadPlan, Plan, TargetPlan, Until};
use serde::{Deserialize, Serialize};

/// A thing that two runs don't have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Unlike {
    /// What it is, in words.
    pub what: String,
    /// How the first run has it.
    pub first: String,
    /// How the second has it.
    pub second: String,
}

/// What stands where an engine or a machine doesn't tell a thing.
const NOT_TOLD: &str = "not told";

impl Unlike {
    /// The difference in a few words: `version 0.30.1 against 0.34.1`.
    pub fn words(&self) -> String {
        format!("{} {} against {}", self.what, self.first, self.second)
    }
}

/// Everything in which two setups differ that makes their figures another thing: the workload and its load, the order, the
/// engines with their versions and models, the class of the machine. Of `first` and `second`, plan and machine.
pub fn unlike_setups(first: (&Plan, &Facts), second: (&Plan, &Facts)) -> Vec<Unlike> {
    let mut unlike = Differences(unlike_workloads(first.0, second.0));
    unlike.told("order", word(&first.0.order), word(&second.0.order));
    unlike.told("length", length(&first.0.load), length(&second.0.load));
    for target in &first.0.targets {
        let other = second.0.targets.iter().find(|other| other.name == target.name);
        let lone =
            (first.0.targets.len() == 1 && second.0.targets.len() == 1).then(|| second.0.targets.first()).flatten();
        for differs in other.or(lone).map(|other| unlike_plans(target, other)).unwrap_or_default() {
            // An engine may not tell everything every time (Ollama its context only of a loaded model): that is no difference.
            if ![&differs.first, &differs.second].contains(&&NOT_TOLD.to_owned()) {
                unlike.0.push(Unlike { what: format!("{}: {}", target.name, differs.what), ..differs });
            }
        }
    }
    machines(&mut unlike, first.1, second.1);
    unlike.0
}

/// The class of a machine: processor, cores, memory in whole GiB.
fn machines(unlike: &mut Differences, m: &Facts, n: &Facts) {
    let none = || NOT_TOLD.to_owned();
    unlike.told("processor", m.cpu.clone().unwrap_or_else(none), n.cpu.clone().unwrap_or_else(none));
    let cores = |cores: Option<usize>| cores.map_or_else(none, |n| n.to_string());
    unlike.told("logical cores", cores(m.logical_cores), cores(n.logical_cores));
    let gib = |bytes: Option<u64>| bytes.map_or_else(none, |b| format!("{:.0} GiB", b as f64 / (1_u64 << 30) as f64));
    unlike.told("memory", gib(m.memory_bytes), gib(n.memory_bytes));
}

/// What makes two workloads unlike: what was asked, and how it was driven. Of runs that differ in it, a ratio means nothing.
pub fn unlike_workloads(first: &Plan, second: &Plan) -> Vec<Unlike> {
    let mut unlike = Differences(Vec::new());
    unlike.told("task", word(&first.task), word(&second.task));
    let short =
        |plan: &Plan| format!("{:.12}…, {} prompts, seed {}", plan.workload.hash, plan.workload.items, plan.seed);
    if first.workload.hash != second.workload.hash {
        // The hash covers prompts, their order, the system message, sampling and the cache rule.
        unlike.told("prompts and sampling", short(first), short(second));
    }
    let (a, b) = (&first.workload, &second.workload);
    unlike.told("prompt format", word(&a.format), word(&b.format));
    unlike.told("stream", a.stream, b.stream);
    if first.task == Task::Classify {
        unlike.told("constrain", word(&a.constrain), word(&b.constrain));
        unlike.told("labels", a.labels.join(", "), b.labels.join(", "));
    }
    if first.task == Task::Chat {
        unlike.told("history", word(&a.history), word(&b.history));
    }
    unlike.told("load", driven(&first.load), driven(&second.load));
    unlike.0
}

/// What else to know of two runs before their figures are compared: none of it stops a comparison.
pub fn told_differences(first: &Report, second: &Report) -> Vec<Unlike> {
    let mut unlike = Differences(Vec::new());
    let (a, b) = (&first.plan, &second.plan);
    unlike.told("order", word(&a.order), word(&b.order));
    unlike.told("length", length(&a.load), length(&b.load));
    unlike.told("loadcmp", &first.tool, &second.tool);
    let none = || NOT_TOLD.to_owned();
    let (m, n) = (&first.machine, &second.machine);
    machines(&mut unlike, m, n);
    unlike.told("kernel", m.kernel.clone().unwrap_or_else(none), n.kernel.clone().unwrap_or_else(none));
    unlike.0
}

/// What two targets of two runs differ in: the engine, the model.
pub fn unlike_targets(first: (&Report, usize), second: (&Report, usize)) -> Vec<Unlike> {
    let sides = first.0.plan.targets.get(first.1).zip(second.0.plan.targets.get(second.1));
    sides.map(|(a, b)| unlike_plans(a, b)).unwrap_or_default()
}

/// What two targets differ in by their plans.
pub fn unlike_plans(a: &TargetPlan, b: &TargetPlan) -> Vec<Unlike> {
    let mut unlike = Differences(Vec::new());
    let real = |stand_in: bool| if stand_in { "stand-in" } else { "real engine" };
    unlike.told("what answered", real(a.stand_in), real(b.stand_in));
    unlike.told("wire", a.wire(), b.wire());
    unlike.told("model", &a.model, &b.model);
    type Fact = fn(&crate::scenario::plan::EngineFacts) -> Option<String>;
    let facts: [(&str, Fact); 14] = [
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
    for (what, fact) in facts {
        let told = |f| fact(f).unwrap_or_else(|| NOT_TOLD.to_owned());
        unlike.told(what, told(&a.facts), told(&b.facts));
    }
    unlike.0
}

struct Differences(Vec<Unlike>);

impl Differences {
    fn told(&mut self, what: &str, first: impl ToString, second: impl ToString) {
        let (first, second) = (first.to_string(), second.to_string());
        if first != second {
            self.0.push(Unlike { what: what.to_owned(), first, second });
        }
    }
}

/// How a load drives, whatever its length.
fn driven(load: &LoadPlan) -> String {
    match load {
        LoadPlan::Closed(closed) if closed.think.0.is_zero() => format!("closed loop, {} users", closed.users),
        LoadPlan::Closed(closed) => format!("closed loop, {} users, {} of thought", closed.users, closed.think),
        LoadPlan::Open(open) => format!("open loop, {}", open.about),
    }
}

/// How long a load drives: a time, or requests.
pub fn length(load: &LoadPlan) -> String {
    match load.until() {
        Until::Duration(span) => span.to_string(),
        Until::Requests(n) => format!("{n} requests"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::Order;

    fn words(unlike: &[Unlike]) -> Vec<&str> {
        unlike.iter().map(|u| u.what.as_str()).collect()
    }

    #[test]
    fn a_run_is_like_itself() {
        let run = report(Task::Classify, true);
        assert_eq!(unlike_workloads(&run.plan, &run.plan), []);
        assert_eq!(told_differences(&run, &run), []);
        assert_eq!(unlike_targets((&run, 0), (&run, 0)), []);
    }

    #[test]
    fn what_was_asked_and_how_it_was_driven_must_be_alike() {
        let run = report(Task::Classify, false);
        let mut other = run.plan.clone();
        other.workload.hash = "0".repeat(64);
        other.workload.stream = !other.workload.stream;
        if let LoadPlan::Closed(closed) = &mut other.load {
            closed.users = 8;
            closed.until = Until::Requests(5);
        }
        assert_eq!(words(&unlike_workloads(&run.plan, &other)), ["prompts and sampling", "stream", "load"]);
        let load = unlike_workloads(&run.plan, &other).pop().unwrap();
        assert_eq!((load.first.as_str(), load.second.as_str()), ("closed loop, 4 users", "closed loop, 8 users"));
    }

    #[test]
    fn length_order_and_machine_are_told_and_do_not_make_workloads_unlike() {
        let run = report(Task::Generate, false);
        let mut other = report(Task::Generate, false);
        other.plan.order = Order::Alternate;
        other.machine.logical_cores = Some(64);
        if let LoadPlan::Closed(closed) = &mut other.plan.load {
            closed.until = Until::Requests(5);
        }
        assert_eq!(unlike_workloads(&run.plan, &other.plan), []);
        let told = told_differences(&run, &other);
        assert_eq!(words(&told), ["order", "length", "logical cores"]);
        assert_eq!((told[2].first.as_str(), told[2].second.as_str()), ("2", "64"));
    }

    #[test]
    fn engines_that_changed_are_told() {
        let run = report(Task::Generate, false);
        let mut other = report(Task::Generate, true);
        other.plan.targets[1].facts.version = None;
        let told = unlike_targets((&run, 1), (&other, 1));
        assert_eq!(words(&told), ["what answered", "engine", "version"]);
        assert_eq!(told[2].second, "not told");
    }
}
