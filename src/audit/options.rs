//! Whether the engines were started alike: threads, batches, flash attention, the type of their caches of keys and values.
//! All of it is read once their models are loaded: of an Ollama, from the command line of the model's own process.

use super::judge::{Check, Judge};
use super::{AuditInputs, Severity};
use crate::metrics::human::printable;
use crate::scenario::plan::{EngineFacts, TargetPlan};

pub(super) const CHECKS: [(&str, Check); 4] =
    [("threads", threads), ("batch", batch), ("flash-attention", flash_attention), ("kv-cache-type", kv_cache_type)];

/// How a side is brought to the other's, by engine. One page has all of it side by side.
fn alike(llama_server: &str, ollama: &str) -> String {
    format!("To make them equal: llama-server {llama_server}; Ollama {ollama} (docs/fair-setup.md).")
}

pub(super) fn alike_slots() -> String {
    alike("`-np N`", "`OLLAMA_NUM_PARALLEL=N`")
}

pub(super) fn alike_context() -> String {
    alike("`-c N×slots`", "`num_ctx: N` of the target, or `OLLAMA_CONTEXT_LENGTH=N`")
}

/// What engines leave to themselves.
const OWN_CHOICE: &str = "its default";

/// Speaks where a setting that two or more tell is unlike; where one of them leaves it to itself, no more than a note.
fn compare(
    evidence: &AuditInputs<'_>,
    judge: &mut Judge<'_>,
    of: impl Fn(&EngineFacts) -> Option<String>,
    (what, unlike, how): (&str, &str, String),
) {
    let told = |target: &TargetPlan| Some((target.label(), of(&target.facts)?));
    let told: Vec<(String, String)> = evidence.plan.targets.iter().filter_map(told).collect();
    if told.windows(2).all(|pair| pair[0].1 == pair[1].1) {
        return;
    }
    if told.iter().any(|(_, value)| value.starts_with(OWN_CHOICE) || value == "auto") {
        judge.at_most(Severity::Note);
    }
    let listed = told.iter().map(|(name, value)| format!("{name} {}", printable(value))).collect::<Vec<_>>().join(", ");
    judge.find(None, format!("{unlike}: {listed}. {how}"), &[(what, listed)]);
}

fn threads(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let of = |facts: &EngineFacts| {
        let told = facts.setting("threads")?;
        let set = told.parse::<i64>().ok().filter(|n| *n > 0);
        Some(set.map_or_else(|| format!("{OWN_CHOICE} (every physical core)"), |n| n.to_string()))
    };
    let how =
        alike("`-t N`", "`options: { num_thread: N }` of the target, or `PARAMETER num_thread N` in its Modelfile");
    compare(evidence, judge, of, ("threads", "The engines use different numbers of threads", how));
}

fn batch(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    // Where one side doesn't tell the physical size, there is nothing to compare it with.
    let telling = evidence.plan.targets.iter().filter(|target| target.facts.setting("batch").is_some());
    let physical = telling.into_iter().all(|target| target.facts.setting("ubatch").is_some());
    let of = |facts: &EngineFacts| {
        let batch = facts.setting("batch")?;
        let physical = facts.setting("ubatch").filter(|_| physical);
        Some(physical.map_or_else(|| batch.to_owned(), |physical| format!("{batch} (physical {physical})")))
    };
    let how = alike("`-b N -ub N`", "`options: { num_batch: N }` of the target");
    compare(evidence, judge, of, ("batch", "The engines process prompts in different batch sizes", how));
}

fn flash_attention(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let of = |facts: &EngineFacts| {
        Some(match facts.setting("flash_attention")? {
            "1" | "on" | "true" | "enabled" => "on".to_owned(),
            "0" | "off" | "false" | "disabled" => "off".to_owned(),
            "-1" | "auto" => "auto".to_owned(),
            other => other.to_owned(),
        })
    };
    let how = alike("`--flash-attn on|off|auto`", "`OLLAMA_FLASH_ATTENTION=1|0`");
    compare(evidence, judge, of, ("flash attention", "Flash attention is set differently", how));
}

fn kv_cache_type(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let of = |facts: &EngineFacts| match (facts.setting("kv_cache_k"), facts.setting("kv_cache_v")) {
        (Some(k), Some(v)) if k == v => Some(k.to_owned()),
        (Some(k), Some(v)) => Some(format!("{k}/{v}")),
        _ => facts.setting("kv_cache").map(str::to_owned),
    };
    let how = alike("`-ctk TYPE -ctv TYPE`", "`OLLAMA_KV_CACHE_TYPE=TYPE`");
    compare(evidence, judge, of, ("KV cache", "The KV caches have different types", how));
}
