//! Whether the engines and their models are of a like, as far as they tell: all of it is known before the run.

use super::AuditInputs;
use super::Severity;
use super::judge::{Check, Judge};
use super::options::{alike_context, alike_slots};
use crate::metrics::human;
use crate::scenario::plan::{Endpoint, TargetPlan};
use crate::scenario::{History, TargetSpec, Task};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const CHECKS: [(&str, Check); 13] = [
    ("stand-in", stand_in),
    ("quantisation", quantisation),
    ("parameters", parameters),
    ("model-size", model_size),
    ("context-length", context_length),
    ("slots", slots),
    ("own-sampling", own_sampling),
    ("cannot-honour", cannot_honour),
    ("own-history", own_history),
    ("different-transports", different_transports),
    ("tls-on-one-side", tls_on_one_side),
    ("unchecked-certificate", unchecked_certificate),
    ("same-endpoint", same_endpoint),
];

fn stand_in(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let targets = &evidence.plan.targets;
    if targets.iter().all(|target| target.stand_in) {
        // Nobody takes a run of nothing but stand-ins for one of engines: a trial, a demonstration, a test.
        judge.at_most(Severity::Note);
    }
    for (at, target) in targets.iter().enumerate().filter(|(_, target)| target.stand_in) {
        let spoken = target.wire();
        let sentence = format!(
            "{} is loadcmp's embedded stand-in on the {spoken} wire, not a real {spoken} engine: its figures say \
             nothing about one.",
            target.label()
        );
        judge.find(Some(at), sentence, &[]);
    }
}

/// What targets tell of a thing, with their names. One alone is unlike nothing.
fn told<T>(targets: &[TargetPlan], of: impl Fn(&TargetPlan) -> Option<T>) -> Vec<(String, T)> {
    targets.iter().filter_map(|target| Some((target.label(), of(target)?))).collect()
}

fn listed<T: std::fmt::Display>(told: &[(String, T)]) -> String {
    told.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

fn unlike<T: PartialEq>(told: &[(String, T)]) -> bool {
    told.windows(2).any(|pair| pair[0].1 != pair[1].1)
}

fn quantisation(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let told = told(&evidence.plan.targets, |target| Some(target.facts.quantization.as_deref()?.to_uppercase()));
    if unlike(&told) {
        let sentence = format!("Different quantisation: {}.", listed(&told));
        judge.find(None, sentence, &[("quantisation", listed(&told))]);
    }
}

/// A number of parameters as engines write it: `7B`, `494.03M`, `1.1e9`.
fn count(text: &str) -> Option<f64> {
    let text = text.trim();
    let (number, times) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 1e3),
        (at, 'M' | 'm') => (&text[..at], 1e6),
        (at, 'B' | 'b' | 'G') => (&text[..at], 1e9),
        (at, 'T') => (&text[..at], 1e12),
        _ => (text, 1.0),
    };
    number.trim().parse::<f64>().ok().map(|n| n * times).filter(|n| n.is_finite() && *n > 0.0)
}

fn parameters(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let targets = &evidence.plan.targets;
    let counts = told(targets, |target| count(target.facts.parameters.as_deref()?));
    let (least, most) = counts.iter().fold((f64::INFINITY, 0_f64), |(low, high), (_, n)| (low.min(*n), high.max(*n)));
    if most > least * (1.0 + judge.limit) {
        let words = told(targets, |target| target.facts.parameters.clone());
        let sentence = format!("The models differ in size: {} parameters.", listed(&words));
        judge.find(None, sentence, &[("parameters", listed(&words))]);
    }
}

/// Where all report their parameters, `parameters` judges, and other sizes of the same are `quantisation`.
fn model_size(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let targets = &evidence.plan.targets;
    if targets.iter().all(|target| target.facts.parameters.is_some()) {
        return;
    }
    // A stand-in's file is made up.
    let of = |target: &TargetPlan| target.facts.size_bytes.filter(|bytes| *bytes > 0 && !target.stand_in);
    let sizes = told(targets, of);
    let (least, most) = sizes.iter().fold((u64::MAX, 0), |(low, high), (_, n)| (low.min(*n), high.max(*n)));
    if most as f64 > least as f64 * (1.0 + judge.limit) {
        let words: Vec<(String, String)> = sizes.into_iter().map(|(name, size)| (name, human::bytes(size))).collect();
        let sentence = format!(
            "The models' files differ in size: {}. They can't be the same weights, and not every engine reports its parameters.",
            listed(&words)
        );
        judge.find(None, sentence, &[("sizes", listed(&words))]);
    }
}

fn context_length(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let told = told(&evidence.plan.targets, |target| target.facts.context);
    if unlike(&told) {
        let sentence =
            format!("The engines have different context lengths: {} tokens. {}", listed(&told), alike_context());
        judge.find(None, sentence, &[("context", listed(&told))]);
    }
}

fn slots(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let told = told(&evidence.plan.targets, |target| target.facts.slots);
    let asked = u64::from(evidence.plan.load.concurrency());
    if !unlike(&told) {
        return;
    }
    let serve = format!("The engines serve different numbers of requests at once: {}.", listed(&told));
    let sentence = if told.iter().any(|(_, slots)| *slots < asked) {
        format!("{serve} With up to {asked} in flight, one queues where another works. {}", alike_slots())
    } else {
        // Nobody waits for a slot; but each slot has its part of the context and of the memory.
        judge.at_most(Severity::Note);
        format!("{serve} All are enough for the {asked} in flight; more slots take more memory. {}", alike_slots())
    };
    judge.find(None, sentence, &[("slots", listed(&told)), ("max in flight", asked.to_string())]);
}

/// What wires call the sampling and the length that a scenario sets for all targets, and what they have in common.
const SAMPLING: [(&str, &str); 16] = [
    ("temperature", "temperature"),
    ("top_k", "top_k"),
    ("top_p", "top_p"),
    ("min_p", "min_p"),
    ("repeat_penalty", "repeat_penalty"),
    ("repetition_penalty", "repeat_penalty"),
    ("repeat_last_n", "repeat_last_n"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("seed", "seed"),
    ("stop", "stop"),
    ("max_tokens", "max_tokens"),
    ("max_completion_tokens", "max_tokens"),
    ("num_predict", "max_tokens"),
    ("n_predict", "max_tokens"),
    ("ignore_eos", "ignore_eos"),
];

fn own_sampling(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let targets = &evidence.plan.targets;
    let own = |target: &TargetPlan| -> BTreeMap<&'static str, Value> {
        let fields = match &target.spec {
            TargetSpec::Ollama(spec) => &spec.options,
            TargetSpec::OpenAi(spec) => &spec.extra,
            TargetSpec::GgCore(_) | TargetSpec::Json(_) => return BTreeMap::new(),
        };
        SAMPLING.iter().filter_map(|(name, common)| Some((*common, fields.get(*name)?.clone()))).collect()
    };
    let all: Vec<_> = targets.iter().map(own).collect();
    // The same for all is a scenario's right; vectors aren't sampled.
    if evidence.plan.task == Task::Embed || all.windows(2).all(|pair| pair[0] == pair[1]) {
        return;
    }
    if all.iter().flat_map(BTreeMap::values).all(Value::is_null) {
        judge.at_most(Severity::Note);
    }
    for (at, fields) in all.iter().enumerate().filter(|(_, fields)| !fields.is_empty()) {
        let word = |(name, value): (&&str, &Value)| match value {
            Value::Null => format!("{name} left out"),
            value => format!("{name} {}", human::printable(&value.to_string())),
        };
        let words = fields.iter().map(word).collect::<Vec<_>>().join(", ");
        let sentence = format!(
            "{} uses its own sampling instead of the scenario's: {words}. Its answers may differ in text and length.",
            targets[at].label()
        );
        judge.find(Some(at), sentence, &[("its own:", words)]);
    }
}

fn cannot_honour(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (at, target) in evidence.plan.targets.iter().enumerate() {
        for what in &target.inequalities {
            judge.find(Some(at), format!("{}: {what}", target.label()), &[]);
        }
    }
}

fn own_history(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    if evidence.plan.task == Task::Chat && evidence.plan.workload.history == History::Own {
        let sentence = "Each conversation continues with the engine's own answers: later turns are not identical work.";
        judge.find(None, sentence, &[]);
    }
}

fn different_transports(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let word = |target: &TargetPlan| match target.endpoint {
        Endpoint::Unix { .. } => "Unix socket",
        Endpoint::Tcp { .. } => "TCP",
    };
    let told = told(&evidence.plan.targets, |target| Some(word(target)));
    if unlike(&told) {
        let sentence =
            "One target is reached over a Unix socket and another over TCP: part of the difference comes from that.";
        judge.find(None, sentence, &[("transports", listed(&told))]);
    }
}

fn is_https(target: &TargetPlan) -> bool {
    matches!(target.endpoint, Endpoint::Tcp { tls: true, .. })
}

fn tls_on_one_side(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let word = |target: &TargetPlan| if is_https(target) { "TLS" } else { "none" };
    let told = told(&evidence.plan.targets, |target| Some(word(target)));
    if unlike(&told) {
        let sentence = "One target is reached over TLS and another isn't: encryption is part of the difference. \
                        Handshakes are not, they are in `connect`.";
        judge.find(None, sentence, &[("encryption", listed(&told))]);
    }
}

fn unchecked_certificate(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (at, target) in evidence.plan.targets.iter().enumerate() {
        if is_https(target) && target.spec.tls().is_some_and(|tls| tls.insecure) {
            let sentence = format!(
                "{}: its certificate is not checked (`insecure: true`), so it is not known who answered.",
                target.label()
            );
            judge.find(Some(at), sentence, &[]);
        }
    }
}

fn same_endpoint(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    if evidence.plan.allow_same_endpoint {
        judge.at_most(Severity::Note);
    }
    let targets = &evidence.plan.targets;
    for (at, target) in targets.iter().enumerate() {
        let same = |other: &&TargetPlan| target.same_as.as_ref() == Some(&other.name);
        if let Some(other) = targets[..at].iter().find(same) {
            let sentence = format!(
                "{} and {} are the same model on the same server: an engine compared with itself.",
                other.label(),
                target.label()
            );
            let at_both = [other, target].map(|target| human::printable(&target.endpoint.to_string()));
            judge.find(Some(at), sentence, &[("addresses", at_both.join(", "))]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn numbers_of_parameters_are_read_as_engines_write_them() {
        for (text, n) in
            [("7B", 7e9), ("494.03M", 494.03e6), ("0.5b", 5e8), ("1.1e9", 1.1e9), ("10 K", 1e4), ("2T", 2e12)]
        {
            assert!(count(text).is_some_and(|got| (got / n - 1.0).abs() < 1e-12), "{text}");
        }
        for text in ["", "big", "B", "-7B", "0B", "nanB", "8x7B"] {
            assert_eq!(count(text), None, "{text}");
        }
    }
}
