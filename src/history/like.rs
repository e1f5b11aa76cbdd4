//! Which runs may stand in one line, and what two that do differ in.

use super::entry::{Entry, EntryTarget};
use super::series::Differs;
use crate::report::words::yaml_word;
use crate::report::{length, unlike_plans, unlike_workloads};
use crate::scenario::plan::TargetPlan;

/// Why a run's figures can't stand beside those of another, as of a target; `None` if they can.
pub(super) fn unlike(entry: &Entry, anchor: &Entry, target: &str) -> Option<String> {
    let stand_in = |entry: &Entry| entry.target(target).map(|(target, _)| target.stand_in);
    match (stand_in(entry), stand_in(anchor)) {
        (Some(true), Some(false)) => return Some("a stand-in answered, not a real engine".to_owned()),
        (Some(false), Some(true)) => return Some("a real engine answered, not a stand-in".to_owned()),
        _ => {}
    }
    if let Some(unlike) = unlike_workloads(&entry.plan, &anchor.plan).into_iter().next() {
        return Some(format!("another {}: {}, not {}", unlike.what, unlike.first, unlike.second));
    }
    let (a, b) = (&entry.plan, &anchor.plan);
    if (a.order, a.interference) != (b.order, b.interference) {
        return Some(format!("another order: {}, not {}", yaml_word(&a.order), yaml_word(&b.order)));
    }
    let beside = |entry: &Entry| {
        let mut names: Vec<&str> = entry.targets.iter().map(|target| target.name.as_str()).collect();
        names.sort_unstable();
        names.join(", ")
    };
    if beside(entry) != beside(anchor) {
        return Some(format!("other targets: {}, not {}", beside(entry), beside(anchor)));
    }
    let (what, here, there) = entry.machine.unlike(&anchor.machine).filter(|(what, ..)| *what != "kernel")?;
    Some(format!("another machine: {what} {here}, not {there}"))
}

/// What differs between two runs that stand beside each other in a line: the target's own first.
pub(super) fn differs(before: &Entry, after: &Entry, target: &str) -> Vec<Differs> {
    let mut all = Vec::new();
    let mut targets: Vec<&EntryTarget> = after.targets.iter().collect();
    targets.sort_by_key(|one| one.name != target);
    for one in targets {
        let (Some((_, a)), Some((_, b))) = (before.target(&one.name), after.target(&one.name)) else { continue };
        let of = |what: &str| {
            let what = if what == "version" { "engine version" } else { what };
            if one.name == target { what.to_owned() } else { format!("{what} of {}", one.name) }
        };
        all.extend(unlike_plans(a, b).into_iter().map(|unlike| Differs {
            what: of(&unlike.what),
            before: unlike.first,
            after: unlike.second,
        }));
        let (first, second) = (settings(a), settings(b));
        if first != second {
            all.push(Differs { what: of("settings"), before: first, after: second });
        }
    }
    let (m, n) = (&before.machine, &after.machine);
    let memory = |bytes: Option<u64>| bytes.map(crate::report::human::bytes);
    let load = |entry: &Entry| length(&entry.plan.load);
    let told = [
        ("kernel", m.kernel.clone(), n.kernel.clone()),
        ("operating system", m.os.clone(), n.os.clone()),
        ("memory", memory(m.memory_bytes), memory(n.memory_bytes)),
        ("loadcmp", Some(before.tool.clone()), Some(after.tool.clone())),
        ("length of the load", Some(load(before)), Some(load(after))),
    ];
    let none = || "not told".to_owned();
    all.extend(told.into_iter().filter(|(_, a, b)| a != b).map(|(what, a, b)| Differs {
        what: what.to_owned(),
        before: a.unwrap_or_else(none),
        after: b.unwrap_or_else(none),
    }));
    all
}

/// A target's settings as written, without where it answers: a port may be another each night.
fn settings(plan: &TargetPlan) -> String {
    let mut told = serde_json::to_value(&plan.spec).unwrap_or_default();
    for spec in told.as_object_mut().into_iter().flat_map(|wires| wires.values_mut()) {
        if let Some(fields) = spec.as_object_mut() {
            fields.retain(|name, _| !["url", "socket", "process", "metrics", "model"].contains(&name.as_str()));
        }
    }
    told.to_string()
}
