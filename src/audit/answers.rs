//! Whether the answers are answers, and of a like.

use super::judge::{CHANCE, Check, Judge, proportions_differ};
use super::{AuditInputs, AuditedTarget};
use crate::metrics::human::{percent, three, time};
use crate::scenario::plan::{Plan, TargetPlan};
use crate::scenario::{TargetSpec, Task, Think};

pub(super) const CHECKS: [(&str, Check); 11] = [
    ("zero-tokens", zero_tokens),
    ("missing-tokens", missing_tokens),
    ("empty-answers", empty_answers),
    ("unequal-output", unequal_output),
    ("output-lengths", output_lengths),
    ("one-token-answers", one_token_answers),
    ("finish-reasons", finish_reasons),
    ("claimed-limit", claimed_limit),
    ("tokens-per-chunk", tokens_per_chunk),
    ("same-answers", same_answers),
    ("thinking", thinking),
];

/// Whether rates of tokens are told: of labels and vectors they would mean nothing.
fn makes_text(evidence: &AuditInputs<'_>) -> bool {
    matches!(evidence.plan.task, Task::Generate | Task::Chat)
}

/// Speaks of each target of whose answers more than the limit are `count`ed.
pub(super) fn share_of_answers(
    evidence: &AuditInputs<'_>,
    judge: &mut Judge<'_>,
    count: impl Fn(&AuditedTarget<'_>) -> u64,
    what: &str,
    so: &str,
) {
    for side in evidence.sides() {
        let (count, answered) = (count(&side), side.gathered.answered);
        if count as f64 > answered as f64 * judge.limit {
            let share = percent(count as f64 / answered as f64);
            let sentence = format!("{}: {count} of {answered} answers ({share}) {what}{so}", side.name());
            judge.find(Some(side.at), sentence, &[(what, count.to_string()), ("answers", answered.to_string())]);
        }
    }
}

fn zero_tokens(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    if makes_text(evidence) {
        let so = ": it produced nothing, quickly.";
        share_of_answers(evidence, judge, |side| side.gathered.no_tokens, "report 0 tokens", so);
    }
}

fn missing_tokens(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    if makes_text(evidence) {
        let so = ": its token rates are not reported, and its times are for texts of unknown length.";
        let missing = |side: &AuditedTarget<'_>| side.gathered.answered - side.gathered.counted;
        share_of_answers(evidence, judge, missing, "have no token count", so);
    }
}

fn empty_answers(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    share_of_answers(evidence, judge, |side| side.gathered.without_text, "are empty", ".");
}

fn one_token_answers(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    if makes_text(evidence) {
        let so = ", which has no rate: engines that report one divide by a time of zero.";
        share_of_answers(evidence, judge, |side| side.gathered.one_token, "are a single token", so);
    }
}

/// Tokens by which the same answer may be counted: some engines count the one that ends it, and some don't.
const ONE: f64 = 1.0;

fn unequal_output(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, reference) in evidence.pairs() {
        let row = |side: &AuditedTarget<'_>| {
            let row = side.summary.row("output_tokens")?;
            Some((row.mean?, row.sd.unwrap_or(0.0), row.n? as f64))
        };
        let (Some((a, sd_a, n)), Some((b, sd_b, m))) = (row(&side), row(&reference)) else { continue };
        let error = (sd_a * sd_a / n + sd_b * sd_b / m).sqrt();
        let apart = (a - b).abs();
        if apart > ONE && a.max(b) > a.min(b) * (1.0 + judge.limit) && apart > CHANCE * error {
            let sentence = format!(
                "{} answered with {} tokens on average, {} with {}: the work was not the same.",
                side.name(),
                three(a),
                reference.name(),
                three(b)
            );
            let figures =
                [("mean", three(a)), ("reference", three(b)), ("standard error of the difference", three(error))];
            judge.find(Some(side.at), sentence, &figures);
        }
    }
}

fn output_lengths(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, reference) in evidence.pairs() {
        let (a, b) = (&side.gathered.lengths, &reference.gathered.lengths);
        let Some(distance) = a.distance(b) else { continue };
        let chance = a.by_chance(b);
        if distance > judge.limit && distance > chance {
            let sentence = format!(
                "Answer lengths are distributed differently: {} and {} differ by {} (Kolmogorov-Smirnov distance).",
                side.name(),
                reference.name(),
                percent(distance)
            );
            let figures = [("distance", percent(distance)), ("by chance at most", percent(chance))];
            judge.find(Some(side.at), sentence, &figures);
        }
    }
}

fn finish_reasons(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, reference) in evidence.pairs() {
        let (mine, other) = (&side.gathered.finishes, &reference.gathered.finishes);
        // Of no answers at all, shares are no numbers, and no rule speaks of those.
        let (n, m) = (mine.values().sum::<u64>() as f64, other.values().sum::<u64>() as f64);
        let of = |all: &std::collections::BTreeMap<&str, u64>, word| all.get(word).copied().unwrap_or(0) as f64;
        let furthest = mine
            .keys()
            .chain(other.keys())
            .map(|word| (*word, of(mine, word), of(other, word)))
            .max_by(|(_, a, b), (_, c, d)| (a / n - b / m).abs().total_cmp(&(c / n - d / m).abs()));
        let Some((word, a, b)) = furthest else { continue };
        if (a / n - b / m).abs() > judge.limit && proportions_differ(a, n, b, m) {
            let (mine, other) = (percent(a / n), percent(b / m));
            let sentence = format!(
                "Answers ended for different reasons: `{word}` in {mine} of the answers of {}, {other} of {}.",
                side.name(),
                reference.name()
            );
            judge.find(Some(side.at), sentence, &[(word, mine), ("reference", other)]);
        }
    }
}

/// Fewest answers that ended by themselves for the rule to speak: a few may well be as long as the limit.
const STOPPED: u64 = 10;

fn claimed_limit(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    // A label or two tokens of text may well be all there is to say.
    let long_enough = evidence.plan.workload.sampling.max_tokens >= 16;
    for side in evidence.sides().filter(|_| makes_text(evidence) && long_enough) {
        let (stopped, at_limit) = (side.gathered.stopped, side.gathered.stopped_at_limit);
        if stopped >= STOPPED && at_limit as f64 > stopped as f64 * judge.limit {
            let share = percent(at_limit as f64 / stopped as f64);
            let sentence = format!(
                "{}: {at_limit} of {stopped} answers that ended by themselves ({share}) report exactly the limit of {} \
                 tokens: the engine seems to report the limit, not what it produced.",
                side.name(),
                evidence.plan.workload.sampling.max_tokens
            );
            judge.find(
                Some(side.at),
                sentence,
                &[("at the limit", at_limit.to_string()), ("ended", stopped.to_string())],
            );
        }
    }
}

fn tokens_per_chunk(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides().filter(|_| makes_text(evidence)) {
        let (tokens, chunks) = (side.gathered.streamed_tokens as f64, side.gathered.chunks as f64);
        if chunks > 0.0 && tokens > chunks * judge.limit {
            let each = three(tokens / chunks);
            let sentence = format!(
                "{} reports {each} tokens per streamed piece of text: it counts tokens that it did not send, or sends \
                 several together.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("tokens", tokens.to_string()), ("pieces", chunks.to_string())]);
        }
    }
}

/// Fewest prompts for their answers to be looked at together.
const PROMPTS: usize = 10;

fn same_answers(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let (prompts, texts) = side.gathered.prompts_and_texts();
        let few = match evidence.plan.task {
            // A few labels are all there can be; a single one to all is none that was read from the prompt.
            Task::Classify => texts == 1 && side.gathered.labels() > 1,
            _ => (texts as f64) < prompts as f64 * judge.limit,
        };
        if prompts >= PROMPTS && texts > 0 && few {
            let answers = if texts == 1 { "answer" } else { "answers" };
            let sentence =
                format!("{} gave {texts} {answers} to {prompts} different prompts: does it read them?", side.name());
            judge.find(
                Some(side.at),
                sentence,
                &[("different answers", texts.to_string()), ("prompts", prompts.to_string())],
            );
        }
    }
}

/// Whether a target is told to let its model think; `None` where the wire has no word for it.
fn thinks(plan: &Plan, target: &TargetPlan) -> bool {
    let asked = plan.think(target).is_some_and(Think::thinks);
    match &target.spec {
        TargetSpec::Ollama(_) => asked,
        TargetSpec::OpenAi(spec) => {
            let template = spec.extra.get("chat_template_kwargs").and_then(|kwargs| kwargs.get("enable_thinking"));
            asked
                || template.and_then(serde_json::Value::as_bool) == Some(true)
                || spec.extra.get("reasoning_effort").is_some_and(|effort| effort != "none")
        }
        TargetSpec::GgCore(_) | TargetSpec::Json(_) => false,
    }
}

/// When first tokens came and when first tokens of answers, where the two differ: medians, or means of too few for one.
fn first_tokens(side: &AuditedTarget<'_>) -> Option<[String; 2]> {
    let of = |metric: &str| side.summary.row(metric).and_then(|row| row.p50.or(row.mean));
    let (first, answer) = (of("ttft")?, of("ttfat")?);
    (answer > first).then(|| [time(first), time(answer)])
}

fn thinking(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let targets = &evidence.plan.targets;
    // What the answers say weighs as much as what was asked for: a template may think unasked.
    let answers = |at: usize| evidence.gathered.get(at).map_or((0, 0), |side| (side.thought, side.answered));
    let thinking: Vec<usize> =
        (0..targets.len()).filter(|at| thinks(evidence.plan, &targets[*at]) || answers(*at).0 > 0).collect();
    if thinking.len() == targets.len() {
        // All alike: tokens of thought are counted for all.
        judge.at_most(super::Severity::Note);
    }
    for at in &thinking {
        let ((thought, answered), label) = (answers(*at), targets[*at].label());
        let told = evidence.sides().find(|side| side.at == *at).as_ref().and_then(first_tokens);
        let counted = match &told {
            Some([first, answer]) => format!(
                "the first token came after {first}, the first token of the answer itself after {answer}; token counts \
                 include the reasoning."
            ),
            None => "first tokens and token counts include the reasoning.".to_owned(),
        };
        let sentence = if thinks(evidence.plan, &targets[*at]) {
            format!("{label}: the model reasons before it answers; {counted}")
        } else {
            format!(
                "{label}: the model reasons in {thought} of {answered} answers though it was not asked to; {counted}"
            )
        };
        let count = format!("{} of {}", thinking.len(), targets.len());
        let mut seen =
            vec![("targets that reason", count), ("answers with reasoning", format!("{thought} of {answered}"))];
        if let Some([first, answer]) = told {
            seen.extend([("TTFT", first), ("TTFT (answer)", answer)]);
        }
        judge.find(Some(*at), sentence, &seen);
    }
}
