//! Prompts, prefix caches, and models that load while they are measured.

use super::judge::{Check, Judge, proportions_differ};
use super::loads::Waited;
use super::{AuditInputs, AuditedTarget, Severity, templates};
use crate::metrics::human::{percent, time};
use crate::record::Remark;
use crate::scenario::{PromptCache, Task};

pub(super) const CHECKS: [(&str, Check); 8] = [
    ("requested-prompts", requested_prompts),
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

fn unequal_prompts(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    // What is said of a pair's templates isn't said again of its tokens.
    let others = evidence.sides().filter(|side| !templates::speak(evidence, side.at));
    let told: Vec<(String, f64)> =
        others.filter_map(|side| Some((side.name(), side.summary.row("prompt_tokens")?.mean?))).collect();
    let (least, most) = told.iter().fold((f64::INFINITY, 0_f64), |(low, high), (_, n)| (low.min(*n), high.max(*n)));
    if most > least * (1.0 + judge.limit) + TEMPLATE {
        let list = told.iter().map(|(name, n)| format!("{name} {n:.0}")).collect::<Vec<_>>().join(", ");
        let sentence = format!(
            "The same prompts have different numbers of tokens, on average {list}: templates or tokenisers differ, or \
             one engine cuts long prompts."
        );
        judge.find(None, sentence, &[("prompt tokens, mean:", list)]);
    }
}

/// How the prompts of wanted numbers of tokens came out on each target.
fn requested_prompts(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let requested = &side.gathered.requested;
        let (least, most) = (requested.least, requested.most);
        if requested.n == 0 || (least.unsigned_abs().max(most.unsigned_abs()) as f64) <= judge.limit {
            continue;
        }
        let mean = requested.sum as f64 / requested.n as f64;
        let more = |n: i64| if n < 0 { format!("{} fewer", n.unsigned_abs()) } else { format!("{n} more") };
        let range = if least == most {
            more(most)
        } else {
            format!("{} to {}, {mean:+.1} on average", more(least), more(most))
        };
        let by = match evidence.plan.workload.tokens.as_ref().and_then(|tokens| tokens.by.as_deref()) {
            Some(by) if by != evidence.plan.targets[side.at].name => {
                format!(" (the texts were fitted to `{by}`; another tokeniser or template counts differently)")
            }
            _ => String::new(),
        };
        let sentence = format!(
            "{}: {} of {} prompts don't have the requested number of tokens: {range}{by}.",
            side.name(),
            requested.off,
            requested.n
        );
        judge.find(Some(side.at), sentence, &[("difference in tokens", range.clone())]);
    }
}

fn truncated_prompts(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, plan) in evidence.sides().zip(&evidence.plan.targets) {
        let (full, answered) = (side.gathered.full_prompts, side.gathered.answered);
        if full as f64 > answered as f64 * judge.limit {
            let context = plan.facts.context.unwrap_or(0).to_string();
            let sentence = format!(
                "{}: {full} of {answered} prompts fill the whole context of {context} tokens: they were cut, so they \
                 are less work than intended.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("prompts", full.to_string()), ("context", context)]);
        }
    }
}

/// Share of the median latency that a load has to be longer than, beside the limit: of an answer that takes half a minute, a
/// tenth of a second is nothing.
const OF_LATENCY: f64 = 0.01;

/// Share of the cold request's load that another load has to be longer than: an engine that is kept from the processor for a
/// moment while it looks at its model has loaded nothing.
const OF_COLD_LOAD: f64 = 0.25;

/// Speaks of each target where requests waited for a load.
fn loads(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>, of: fn(&AuditedTarget<'_>) -> Waited, what: &str) {
    for side in evidence.sides() {
        let (count, longest) = of(&side);
        let part = |path: &str, share: f64| side.summary.value(path).unwrap_or(0.0) * share;
        let least = part("latency.p50", OF_LATENCY).max(part("cold_server_load", OF_COLD_LOAD));
        if count > 0 && longest.micros() > least {
            let longest = time(longest.micros());
            let were = if count == 1 { "measured request" } else { "measured requests" };
            let sentence = format!("{}: {count} {were} waited {longest} for its model{what}", side.name());
            judge.find(Some(side.at), sentence, &[("requests", count.to_string()), ("longest load", longest)]);
        }
    }
}

fn cold_load(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    loads(evidence, judge, |side| side.gathered.loads.cold(), ": it was loaded during the measured window.");
}

fn model_reload(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let what = ", which had answered before: it was loaded again during the run (unloaded for lack of memory, after a \
                timeout, or by a change of settings), and served no one meanwhile.";
    loads(evidence, judge, |side| side.gathered.loads.again(), what);
}

fn cache_when_busting(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides().filter(|_| evidence.plan.workload.prompt_cache == PromptCache::Bust) {
        let turns = &side.gathered.first_turns;
        if let Some(share) = turns.share_beyond_head().filter(|share| *share > judge.limit) {
            let head = turns.head();
            let beyond = match head {
                0 => "of its prompt tokens from a cache".to_owned(),
                _ => {
                    format!("of its prompt tokens from a cache, not counting the {head} that all its prompts may share")
                }
            };
            let sentence = format!(
                "{} served {} {beyond}, though each prompt has a different nonce.",
                side.name(),
                percent(share)
            );
            let (prompt, cached) = turns.tokens();
            let counts = [("cached", cached), ("prompt tokens", prompt), ("shared", head)]
                .map(|(what, n)| (what, n.to_string()));
            judge.find(Some(side.at), sentence, &counts);
        }
    }
}

fn nonce_in_answers(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
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
                "{}: {count} of {answered} answers ({share}) repeat the nonce that `prompt_cache: bust` puts before \
                 each prompt: it changed the task, so accuracy and length are not those of the prompts alone. \
                 `prompt_cache: as_is` leaves it out.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("repeat", count.to_string()), ("answers", answered.to_string())]);
        }
    }
    let accuracy = evidence.sides().any(|side| side.summary.value("accuracy").is_some());
    if task == Task::Classify && workload.system.is_none() && accuracy && !repeated {
        judge.at_most(Severity::Note);
        let sentence = "Accuracy was measured on prompts that begin with a nonce (`prompt_cache: bust`), which can \
                        change the answers of a small model. `prompt_cache: as_is` leaves it out.";
        let answered: u64 = evidence.sides().map(|side| side.gathered.answered).sum();
        judge.find(None, sentence, &[("answers to prompts with a nonce", answered.to_string())]);
    }
}

/// Tokens by which prompts may differ in work and be alike: one that begins every text, a digit of a nonce.
const FEW: f64 = 4.0;

fn one_sided_cache(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, reference) in evidence.pairs() {
        let (mine, other) = (&side.gathered.first_turns, &reference.gathered.first_turns);
        let (Some(a), Some(b)) = (mine.share(), other.share()) else { continue };
        // A template's head that comes from a cache makes the share larger, and the work no less than without the head.
        let (x, y) = (mine.worked().unwrap_or(0.0), other.worked().unwrap_or(0.0));
        let apart = (x - y).abs();
        // Tokens of a prompt are cached together: prompts, not tokens, are what chance draws.
        let (n, m) = (side.gathered.answered as f64, reference.gathered.answered as f64);
        let unlike_work = apart > FEW.max(x.max(y) * judge.limit);
        if unlike_work && (a - b).abs() > judge.limit && proportions_differ(a * n, n, b * m, m) {
            let sentence = format!(
                "{} served {} of its prompt tokens from a cache, {} {}: the same prompts were different work.",
                side.name(),
                percent(a),
                reference.name(),
                percent(b)
            );
            judge.find(Some(side.at), sentence, &[("cached", percent(a)), ("reference", percent(b))]);
        }
    }
}
