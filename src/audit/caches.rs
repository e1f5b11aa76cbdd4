//! Prompts, prefix caches, and models that load while they are measured.

use super::human::{percent, time};
use super::judge::{Check, Judge, proportions_differ};
use super::{Evidence, Severity, Side};
use crate::record::{Nanos, Remark};
use crate::scenario::{PromptCache, Task};

pub(super) const CHECKS: [(&str, Check); 7] = [
    ("unequal-prompts", unequal_prompts),
    ("truncated-prompts", truncated_prompts),
    ("cold-load", cold_load),
    ("model-reload", model_reload),
    ("cache-when-busting", cache_when_busting),
    ("nonce-in-answers", nonce_in_answers),
    ("one-sided-cache", one_sided_cache),
];

/// Tokens that templates may add without another word: what a short prompt is allowed beside the limit.
const TEMPLATE: f64 = 8.0;

fn unequal_prompts(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let told: Vec<(String, f64)> =
        evidence.sides().filter_map(|side| Some((side.name(), side.summary.row("prompt_tokens")?.mean?))).collect();
    let (least, most) = told.iter().fold((f64::INFINITY, 0_f64), |(low, high), (_, n)| (low.min(*n), high.max(*n)));
    if most > least * (1.0 + judge.limit) + TEMPLATE {
        let list = told.iter().map(|(name, n)| format!("{name} {n:.0}")).collect::<Vec<_>>().join(", ");
        let sentence = format!(
            "The same prompts are unlike numbers of tokens, on average {list}: templates or tokenisers differ, or one \
             engine cuts what is too long."
        );
        judge.find(None, sentence, &[("prompt tokens, mean:", list)]);
    }
}

fn truncated_prompts(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    for (side, plan) in evidence.sides().zip(&evidence.plan.targets) {
        let (full, answered) = (side.gathered.full_prompts, side.gathered.answered);
        if full as f64 > answered as f64 * judge.limit {
            let context = plan.facts.context.unwrap_or(0).to_string();
            let sentence = format!(
                "{}: {full} of {answered} prompts fill the whole context of {context} tokens: they were cut, and are less \
                 work than they were meant to be.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("prompts", full.to_string()), ("context", context)]);
        }
    }
}

/// Speaks of each target where requests waited for a load.
fn loads(evidence: &Evidence<'_>, judge: &mut Judge<'_>, of: fn(&Side<'_>) -> (u64, Nanos), what: &str) {
    for side in evidence.sides() {
        let (count, longest) = of(&side);
        if count > 0 {
            let longest = time(longest.micros());
            let were = if count == 1 { "measured request" } else { "measured requests" };
            let sentence = format!("{}: {count} {were} waited {longest} for its model{what}", side.name());
            judge.find(Some(side.at), sentence, &[("requests", count.to_string()), ("longest load", longest)]);
        }
    }
}

fn cold_load(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    loads(evidence, judge, |side| side.gathered.cold, ": it was loaded inside the window.");
}

fn model_reload(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let what = ", which had answered before: it was loaded again in mid-run (dropped for want of memory or time, or by a \
                change of its settings).";
    loads(evidence, judge, |side| side.gathered.reloaded, what);
}

fn cache_when_busting(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides().filter(|_| evidence.plan.workload.prompt_cache == PromptCache::Bust) {
        if let Some(share) = side.gathered.cached_share().filter(|share| *share > judge.limit) {
            let sentence = format!(
                "{} served {} of its prompt tokens from a cache, though each prompt begins with a nonce of its own.",
                side.name(),
                percent(share)
            );
            let (prompt, cached) = side.gathered.first_turns;
            judge.find(
                Some(side.at),
                sentence,
                &[("cached", cached.to_string()), ("prompt tokens", prompt.to_string())],
            );
        }
    }
}

fn nonce_in_answers(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let (workload, task) = (&evidence.plan.workload, evidence.plan.task);
    if workload.prompt_cache != PromptCache::Bust || task == Task::Embed {
        return;
    }
    let mut repeated = false;
    for side in evidence.sides() {
        let (count, answered) = (side.gathered.remarked(Remark::NonceRepeated), side.gathered.answered);
        if count as f64 > answered as f64 * judge.limit {
            repeated = true;
            let share = percent(count as f64 / answered as f64);
            let sentence = format!(
                "{}: {count} of {answered} answers ({share}) repeat the nonce that `prompt_cache: bust` puts before each prompt: \
                 they are answers to another task, in accuracy and in length. `prompt_cache: as_is` asks without it.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("repeat", count.to_string()), ("answers", answered.to_string())]);
        }
    }
    let accuracy = evidence.sides().any(|side| side.summary.value("accuracy").is_some());
    if task == Task::Classify && workload.system.is_none() && accuracy && !repeated {
        judge.at_most(Severity::Note);
        let sentence = "Accuracy is of prompts that begin with a nonce (`prompt_cache: bust`), and a small model may answer \
                        other than without: `prompt_cache: as_is` asks without it.";
        let answered: u64 = evidence.sides().map(|side| side.gathered.answered).sum();
        judge.find(None, sentence, &[("answers to prompts with a nonce", answered.to_string())]);
    }
}

fn one_sided_cache(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    for (side, reference) in evidence.pairs() {
        let (Some(a), Some(b)) = (side.gathered.cached_share(), reference.gathered.cached_share()) else { continue };
        // Tokens of a prompt are cached together: prompts, not tokens, are what chance draws.
        let (n, m) = (side.gathered.answered as f64, reference.gathered.answered as f64);
        if (a - b).abs() > judge.limit && proportions_differ(a * n, n, b * m, m) {
            let sentence = format!(
                "{} served {} of its prompt tokens from a cache, {} {}: the same prompts were unlike work.",
                side.name(),
                percent(a),
                reference.name(),
                percent(b)
            );
            judge.find(Some(side.at), sentence, &[("cached", percent(a)), ("reference", percent(b))]);
        }
    }
}
