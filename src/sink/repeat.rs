//! What it takes to do a run again, and what stood behind its figures: every fact that the report has of it.

use crate::report::{Report, human};
use crate::scenario::plan::{LoadPlan, TargetPlan};
use crate::scenario::yaml_word;
use std::collections::BTreeSet;

/// Facts of the whole run: what, and its value.
pub(super) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let (plan, machine) = (&report.plan, &report.machine);
    let workload = &plan.workload;
    let sampling = &workload.sampling;
    let mut facts = vec![
        ("Scenario", format!("{}, task {}, reference {}", plan.name, yaml_word(&plan.task), reference(report))),
        ("Load", report.load_words()),
        ("Prompts", report.workload_words()),
        ("Seed", plan.seed.to_string()),
        ("Hash of the workload", workload.hash.clone()),
    ];
    if let LoadPlan::Open(open) = &plan.load {
        facts.push(("Hash of the send times", open.hash.clone()));
    }
    let mut sent = vec![
        format!("temperature {}", sampling.temperature),
        format!("at most {} tokens", sampling.max_tokens),
        format!("top-k {}", sampling.top_k),
        format!("top-p {}", sampling.top_p),
        format!("min-p {}", sampling.min_p),
        format!("repeat penalty {} over {}", sampling.repeat_penalty, sampling.repeat_last_n),
        format!("seed {}", sampling.seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string())),
    ];
    sent.extend(sampling.stop.iter().map(|stop| format!("ends at {stop:?}")));
    facts.push(("Sampling", sent.join(", ")));
    let streams = if workload.stream { "streamed" } else { "whole answers" };
    facts.push((
        "Requests",
        format!(
            "{} format, {streams}, prompt cache {}, timeout {}{}, drain {}",
            yaml_word(&workload.format),
            yaml_word(&workload.prompt_cache),
            plan.timeout,
            if plan.timeout_auto { " (auto)" } else { "" },
            plan.drain
        ),
    ));
    facts.extend(workload.system.as_ref().map(|system| ("System message", system.clone())));
    if !workload.labels.is_empty() {
        facts.push(("Labels", format!("{}; constrain {}", workload.labels.join(", "), yaml_word(&workload.constrain))));
    }
    facts.push(("Smallest effect", format!("{}", plan.smallest_effect)));
    let more = [machine.os.clone(), machine.kernel.as_ref().map(|kernel| format!("kernel {kernel}"))];
    let known: Vec<String> = hardware(report).into_iter().chain(more.into_iter().flatten()).collect();
    facts.push(("Machine", known.join(", ")));
    let ended = report.ended.as_ref().map(|ended| format!(" to {ended}")).unwrap_or_default();
    facts.push(("When", format!("{}{ended}", report.started)));
    facts.push(("Written by", format!("{}, format {} of report.json", report.tool, report.schema_version)));
    facts
}

/// The machine in words, as far as it is known: processor, cores, memory.
pub(super) fn hardware(report: &Report) -> Vec<String> {
    let machine = &report.machine;
    let known = [
        machine.cpu.clone(),
        machine.logical_cores.map(|n| format!("{n} logical cores")),
        machine.memory_bytes.map(human::bytes),
    ];
    known.into_iter().flatten().collect()
}

fn reference(report: &Report) -> String {
    report.reference().map(|target| target.label()).unwrap_or_default()
}

/// What each engine told of itself: heads, then a row a fact; a fact that none told is left out, and a dash is what this one
/// didn't.
pub(super) fn engines(report: &Report) -> Vec<(String, Vec<String>)> {
    let plan = &report.plan;
    let of = |fact: fn(&crate::scenario::plan::TargetPlan) -> Option<String>| -> Vec<Option<String>> {
        plan.targets.iter().map(fact).collect()
    };
    let all = [
        ("engine", of(|t| t.facts.engine.clone())),
        ("version", of(|t| t.facts.version.clone())),
        ("model", of(|t| Some(t.model.clone()))),
        ("digest", of(|t| t.facts.digest.clone())),
        ("family", of(|t| t.facts.family.clone())),
        ("parameters", of(|t| t.facts.parameters.clone())),
        ("quantisation", of(|t| t.facts.quantization.clone())),
        ("size", of(size)),
        ("context", of(|t| t.facts.context.map(|n| n.to_string()))),
        ("slots", of(|t| t.facts.slots.map(|n| n.to_string()))),
        ("loaded before", of(|t| t.facts.loaded.map(|yes| if yes { "yes" } else { "no" }.to_owned()))),
        ("wire", of(|t| Some(t.wire().to_owned()))),
        ("address", of(|t| Some(t.endpoint.to_string()))),
    ];
    let told = all.into_iter().filter(|(_, values)| values.iter().any(Option::is_some));
    let told = told.map(|(what, values)| (what.to_owned(), values));
    let shown = |values: Vec<Option<String>>| values.into_iter().map(|v| v.unwrap_or_else(|| "–".to_owned())).collect();
    told.chain(settings(&plan.targets)).map(|(what, values)| (what, shown(values))).collect()
}

/// The size of a model, with what it is the size of.
pub(super) fn size(target: &TargetPlan) -> Option<String> {
    let of = target.facts.size_of.as_ref().map(|of| format!(" ({of})")).unwrap_or_default();
    target.facts.size_bytes.map(|bytes| format!("{}{of}", human::bytes(bytes)))
}

/// What a row of settings ends in where they are unlike.
pub(super) const UNLIKE: &str = "≠";

/// Every setting that any engine tells, a row each, with who told it; those that are unlike are marked.
pub(super) fn settings(targets: &[TargetPlan]) -> Vec<(String, Vec<Option<String>>)> {
    let names: BTreeSet<&str> =
        targets.iter().flat_map(|target| &target.facts.settings).map(|setting| setting.name.as_str()).collect();
    let row = |name: &str| {
        let of = |target: &TargetPlan| target.facts.settings.iter().find(|setting| setting.name == name).cloned();
        let told: Vec<_> = targets.iter().map(of).collect();
        let known: Vec<&str> = told.iter().flatten().map(|setting| setting.value.as_str()).collect();
        // A variable keeps its name.
        let what = if name.starts_with(char::is_uppercase) { name.to_owned() } else { name.replace('_', " ") };
        let unlike = known.windows(2).any(|pair| pair[0] != pair[1]);
        let cells = told.into_iter().map(|told| told.map(|told| format!("{} ({})", told.value, told.by)));
        (if unlike { format!("{what} {UNLIKE}") } else { what }, cells.collect())
    };
    names.into_iter().map(row).collect()
}

/// What engines cannot honour of the scenario, each with whose it is.
pub(super) fn inequalities(report: &Report) -> Vec<String> {
    let of = |target: &crate::scenario::plan::TargetPlan| {
        let label = target.label();
        target.inequalities.iter().map(move |words| format!("{label}: {words}")).collect::<Vec<_>>()
    };
    report.plan.targets.iter().flat_map(of).collect()
}

/// The whole plan as JSON, with every default filled in; secrets are masked in it.
pub(super) fn plan(report: &Report) -> String {
    serde_json::to_string_pretty(&report.plan).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::scenario::Task;

    #[test]
    fn what_is_needed_is_there_and_what_no_engine_told_is_not() {
        let mut report = fixture::report(Task::Classify, true);
        report.plan.targets[0].facts.digest = Some("sha256:abc".to_owned());
        for (at, threads) in [(0, "1"), (1, "2")] {
            report.plan.targets[at].facts.set("threads", threads, "command line");
            report.plan.targets[at].facts.set("flash_attention", "auto", "default");
        }
        report.plan.targets[1].facts.set("OLLAMA_NUM_PARALLEL", "4", "environment");
        let facts = facts(&report);
        for what in ["Seed", "Hash of the workload", "Sampling", "Machine", "Labels", "Written by"] {
            assert!(facts.iter().any(|(known, value)| *known == what && !value.is_empty()), "{what}: {facts:?}");
        }
        let engines = engines(&report);
        assert!(
            engines.iter().any(|(what, values)| *what == "digest" && *values == ["sha256:abc", "–"]),
            "{engines:?}"
        );
        assert!(engines.iter().all(|(what, _)| *what != "slots"), "{engines:?}");
        let row = |name: &str| engines.iter().find(|(what, _)| what == name).map(|(_, values)| values.join("|"));
        assert_eq!(row("threads ≠").as_deref(), Some("1 (command line)|2 (command line)"), "{engines:?}");
        assert_eq!(row("flash attention").as_deref(), Some("auto (default)|auto (default)"));
        assert_eq!(row("OLLAMA_NUM_PARALLEL").as_deref(), Some("–|4 (environment)"));
        assert!(plan(&report).contains("\"seed\""));
    }
}
