//! What stands behind the memory of an engine's processes: whose they are, and a cache that grows with what is asked.

use super::AuditInputs;
use super::judge::{Check, Judge};
use crate::metrics::human::bytes;
use crate::scenario::TargetSpec;

pub(super) const CHECKS: [(&str, Check); 2] =
    [("which-process", which_process), ("prompt-cache-growth", prompt_cache_growth)];

fn which_process(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let used = evidence.conditions.map(|conditions| conditions.targets.as_slice()).unwrap_or_default();
    for (at, (target, used)) in evidence.plan.targets.iter().zip(used).enumerate() {
        if used.unclear {
            let sentence = format!(
                "{}: its server has processes for several models, and it isn't known which serves this one: memory and \
                 CPU are for all of them. Unload the others, or name the process (`process: {{ pid: … }}`).",
                target.label()
            );
            judge.find(Some(at), sentence, &[]);
        }
    }
}

/// Growth below this is within what allocators keep for themselves, in bytes.
const LEAST: f64 = 33_554_432.0;

fn prompt_cache_growth(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let used = evidence.conditions.map(|conditions| conditions.targets.as_slice()).unwrap_or_default();
    for (at, (target, used)) in evidence.plan.targets.iter().zip(used).enumerate() {
        let (Some(cache), Some(begin), Some(end)) = (target.host_prompt_cache(), used.begin_bytes, used.end_bytes)
        else {
            continue;
        };
        let grown = end as f64 - begin as f64;
        if grown <= LEAST.max(judge.limit * begin as f64) {
            continue;
        }
        let switch = match target.spec {
            TargetSpec::Ollama(_) => "`LLAMA_ARG_CACHE_RAM=0` in the environment of `ollama serve`",
            _ => "`--cache-ram 0`",
        };
        let sentence = format!(
            "{}: memory grew from {} to {} during the run. llama.cpp keeps the state of earlier prompts in memory, \
             {cache}: peak RSS and peak RSS ÷ model file depend on the length of the run. {switch} turns it off.",
            target.label(),
            bytes(begin),
            bytes(end),
        );
        judge.find(Some(at), sentence, &[("at first", bytes(begin)), ("at last", bytes(end))]);
    }
}
