//! What was odd about answers and is no failure: lenient in what is read, but told.

use super::answers::share_of_answers;
use super::judge::{Check, Judge};
use super::{AuditInputs, AuditedTarget};
use crate::metrics::human::percent;
use crate::record::Remark;

pub(super) const CHECKS: [(&str, Check); 9] = [
    ("no-stream", no_stream),
    ("no-end-mark", |evidence, judge| {
        let so = ", but with a finish reason: they count as complete.";
        remarked(evidence, judge, Remark::NoEnd, "ended without the end mark", so);
    }),
    ("bad-counts", |evidence, judge| {
        let so = ": it is left blank, and rates and means are over the other answers.";
        remarked(evidence, judge, Remark::BadCount, "hold a count or a time that can't be read", so);
    }),
    ("bad-text", |evidence, judge| {
        let so = ", replaced by U+FFFD.";
        remarked(evidence, judge, Remark::BadText, "hold invalid UTF-8 or half a character", so);
    }),
    ("open-thoughts", |evidence, judge| {
        let so = ": the answer itself is missing, most often because `max_tokens` was reached.";
        remarked(evidence, judge, Remark::OpenThought, "started reasoning and never finished it", so);
    }),
    ("schema-not-kept", schema_not_kept),
    ("bad-vectors", bad_vectors),
    ("vector-lengths", vector_lengths),
    ("undefined-cosines", undefined_cosines),
];

fn no_stream(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides().filter(|_| evidence.plan.workload.stream) {
        let (_, answered) = side.counts();
        let whole = side.gathered.remarked(Remark::NoStream);
        if answered > 0.0 && side.summary.row("ttft").is_none() {
            let sentence =
                format!("{} was asked for a stream and sent none: it has no first-token times.", side.name());
            judge.find(Some(side.at), sentence, &[("answers", answered.to_string())]);
        } else if whole as f64 > answered * judge.limit {
            let share = percent(whole as f64 / answered);
            let sentence = format!(
                "{} was asked for streams, but {whole} of {answered} answers ({share}) came whole: first-token times \
                 are from the others.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("whole", whole.to_string()), ("answers", answered.to_string())]);
        }
    }
}

fn remarked(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>, remark: Remark, what: &str, so: &str) {
    share_of_answers(evidence, judge, |side| side.gathered.remarked(remark), what, so);
}

fn schema_not_kept(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let (outside, cut) = (side.gathered.remarked(Remark::OutOfSchema), side.gathered.cut_out_of_schema);
        let answered = side.gathered.answered;
        if outside as f64 > answered as f64 * judge.limit {
            let share = percent(outside as f64 / answered as f64);
            let why = match cut {
                0 => "the engine does not enforce it".to_owned(),
                all if all == outside => "all of them were cut at `max_tokens`".to_owned(),
                some => {
                    format!("{some} of them were cut at `max_tokens`; for the others the engine does not enforce it")
                }
            };
            let sentence = format!(
                "{}: {outside} of {answered} answers ({share}) are outside the schema that was sent: {why}.",
                side.name()
            );
            let counts = [("outside", outside), ("cut", cut), ("answers", answered)];
            judge.find(Some(side.at), sentence, &counts.map(|(what, n)| (what, n.to_string())));
        }
    }
}

fn bad_vectors(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let vectors: u64 = side.gathered.dimensions.values().sum();
        let kinds = [
            (side.gathered.dimensions.get(&0).copied().unwrap_or(0), "empty"),
            (side.gathered.remarked(Remark::ZeroVector), "all zeros"),
            (side.gathered.remarked(Remark::BadVector), "with non-finite numbers"),
        ];
        let bad: u64 = kinds.iter().map(|(n, _)| n).sum();
        if bad as f64 > vectors as f64 * judge.limit {
            let told: Vec<(&str, String)> =
                kinds.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| (what, n.to_string())).collect();
            let kinds = told.iter().map(|(what, n)| format!("{n} {what}")).collect::<Vec<_>>().join(", ");
            let share = percent(bad as f64 / vectors as f64);
            let sentence = format!("{}: {bad} of {vectors} vectors ({share}) are unusable: {kinds}.", side.name());
            judge.find(Some(side.at), sentence, &told);
        }
    }
}

/// The lengths of a target's vectors, the most frequent first, but for empty ones, which are `bad-vectors`.
fn lengths(side: &AuditedTarget<'_>) -> Vec<(u32, u64)> {
    let mut all: Vec<(u32, u64)> =
        side.gathered.dimensions.iter().map(|(length, n)| (*length, *n)).filter(|(length, _)| *length > 0).collect();
    all.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    all
}

/// Lengths that a sentence lists.
const LISTED: usize = 5;

fn vector_lengths(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let all = lengths(&side);
        if all.len() > 1 {
            let list: Vec<String> =
                all.iter().take(LISTED).map(|(length, n)| format!("{length} ({n} times)")).collect();
            let more = if all.len() > LISTED { ", …" } else { "" };
            let list = format!("{}{more}", list.join(", "));
            let sentence = format!("{}: its vectors vary in length: {list}.", side.name());
            judge.find(Some(side.at), sentence, &[("numbers in a vector", list)]);
        }
    }
    for (side, reference) in evidence.pairs() {
        let (mine, other) = (lengths(&side), lengths(&reference));
        if let (Some((a, _)), Some((b, _))) = (mine.first(), other.first())
            && a != b
        {
            let sentence = format!(
                "Vectors of {} have {a} numbers, those of {} {b}: they can't be compared; the models differ.",
                side.name(),
                reference.name()
            );
            judge.find(Some(side.at), sentence, &[("dimensions", a.to_string()), ("reference", b.to_string())]);
        }
    }
}

fn undefined_cosines(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, reference) in evidence.pairs() {
        let Some(row) = side.summary.row("cosine_undefined") else { continue };
        let (Some(without), Some(pairs)) = (row.mean.filter(|n| *n > 0.0), row.n) else { continue };
        let sentence = format!(
            "{without:.0} of {pairs} pairs of vectors of {} and {} have no cosine (one is unusable, or their lengths \
             differ): the cosine is from the others.",
            side.name(),
            reference.name()
        );
        judge.find(Some(side.at), sentence, &[("undefined", format!("{without:.0}")), ("pairs", pairs.to_string())]);
    }
}
