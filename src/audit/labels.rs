//! Whether the labels that were read say anything of the engines.

use super::judge::{Check, Judge};
use super::{AuditInputs, AuditedTarget};
use crate::metrics::human::percent;

pub(super) const CHECKS: [(&str, Check); 2] =
    [("unparsed-labels", unreadable_labels), ("no-better-than-commonest", no_better_than_commonest)];

/// Fewest answers of each side that accuracy is judged on.
const ANSWERS: u64 = 10;

fn unreadable_labels(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let of = |side: &AuditedTarget<'_>| side.summary.row("unparsed_rate").and_then(|row| row.mean.zip(row.n));
    let rates: Vec<_> = evidence.sides().filter_map(|side| Some((side, of(&side)?))).collect();
    let over: Vec<_> = rates.iter().filter(|(_, (share, _))| *share > judge.limit).collect();
    let words =
        |(side, (share, n)): &(AuditedTarget<'_>, (f64, u64))| format!("{} {} of {n}", side.name(), percent(*share));
    if over.is_empty() {
        return;
    }
    // On every side it is the question that is wrong; on one, most often its engine or template.
    let (target, whom) =
        if over.len() == rates.len() { (None, "every target") } else { (Some(over[0].0.at), "a target") };
    let all = over.iter().map(|one| words(one)).collect::<Vec<_>>().join(", ");
    let sentence =
        format!("Most answers of {whom} hold no readable label: {all}. {}", evidence.plan.for_readable_labels());
    judge.find(target, sentence, &[("unparsed", all)]);
}

fn no_better_than_commonest(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let of = |side: AuditedTarget<'_>| {
        let (accuracy, commonest) = (side.summary.row("accuracy")?, side.summary.value("accuracy_commonest")?);
        let enough = accuracy.n? >= ANSWERS && side.gathered.labels() > 1;
        Some((side.name(), accuracy.mean?, commonest, enough))
    };
    let told: Vec<_> = evidence.sides().filter_map(of).collect();
    let beaten = |(_, accuracy, commonest, enough): &(String, f64, f64, bool)| *enough && accuracy <= commonest;
    if told.is_empty() || !told.iter().all(beaten) {
        return;
    }
    let all: Vec<String> = told
        .iter()
        .map(|(name, accuracy, commonest, _)| format!("{name} {} vs {}", percent(*accuracy), percent(*commonest)))
        .collect();
    let all = all.join(", ");
    let sentence = format!(
        "No target is right more often than by always giving the commonest label: {all}. Their accuracy says nothing \
         about the runtimes; agreement and speed do. Use a model that can do the task."
    );
    judge.find(None, sentence, &[("accuracy", all)]);
}
