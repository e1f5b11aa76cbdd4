//! Whether the window is long beside an answer: what is under way at its edges, or when it opens, then weighs more than it
//! should.

use super::judge::{Check, Judge};
use super::{AuditInputs, AuditedTarget, Severity};
use crate::metrics::human::{percent, time};
use crate::scenario::Order;
use crate::scenario::plan::Until;

pub(super) const CHECKS: [(&str, Check); 3] =
    [("long-answers", long_answers), ("short-warmup", short_warmup), ("unequal-contention", unequal_contention)];

/// What an answer of a target takes on average, and the window of a load that is driven for a time, in microseconds. Blocks,
/// and a number of requests, end with an answer: no edge cuts one.
fn spans(evidence: &AuditInputs<'_>, side: &AuditedTarget<'_>) -> Option<(f64, f64)> {
    let answer = side.summary.value("latency.mean")?;
    let Until::Duration(length) = evidence.plan.load.until() else { return None };
    // One that finds its own length has another window than it was given.
    let made = side.summary.window.map(|window| window.seconds()).filter(|_| evidence.plan.ends_early());
    let window = made.unwrap_or(length.0.as_secs_f64()) * 1e6;
    (window > 0.0 && evidence.plan.order != Order::Alternate).then_some((answer, window))
}

fn long_answers(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let Some((answer, window)) = spans(evidence, &side) else { continue };
        let share = answer / window;
        if share > judge.limit {
            let sentence = format!(
                "{}: an answer takes {}, {} of the measured window ({}). Use a longer window.",
                side.name(),
                time(answer),
                percent(share),
                time(window)
            );
            judge.find(Some(side.at), sentence, &[("answer", time(answer)), ("window", time(window))]);
        }
    }
}

fn short_warmup(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let warmup = evidence.plan.load.warmup().0.as_secs_f64() * 1e6;
    // There the window waited for every user's first answer.
    if evidence.is_closed() && warmup > 0.0 {
        judge.at_most(Severity::Note);
    }
    for side in evidence.sides() {
        let Some((answer, window)) = spans(evidence, &side) else { continue };
        if warmup < answer && answer / window > judge.limit {
            let (begins, given) = match (evidence.is_closed(), warmup > 0.0) {
                (true, true) => ("the window opened later than planned, after every user's first answer", time(warmup)),
                (_, true) => ("the window begins before the target is fully loaded", time(warmup)),
                (_, false) => ("the window begins before the target is fully loaded", "none".to_owned()),
            };
            let sentence = format!(
                "{}: the warm-up ({given}) is shorter than an answer ({}): {begins}.",
                side.name(),
                time(answer)
            );
            judge.find(Some(side.at), sentence, &[("warm-up", given), ("answer", time(answer))]);
        }
    }
}

fn unequal_contention(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let counted = matches!(evidence.plan.load.until(), Until::Requests(_));
    if !counted || evidence.plan.order != Order::Concurrent {
        return;
    }
    let ends: Vec<_> = evidence.sides().filter_map(|side| Some((side, side.gathered.edges()?))).collect();
    for (side, (from, to)) in &ends {
        let others = ends.iter().filter(|(other, _)| other.at != side.at);
        let Some((last, (_, ended))) = others.max_by_key(|(_, (_, ended))| *ended) else { continue };
        let (alone, whole) = (to.since(*ended).micros(), to.since(*from).micros());
        if whole > 0.0 && alone / whole > judge.limit {
            let sentence = format!(
                "{} ran alone for {} of its {}, after {} had ended, and had the machine to itself. With `duration` \
                 instead of `requests` both end together.",
                side.name(),
                time(alone),
                time(whole),
                last.name()
            );
            judge.find(Some(side.at), sentence, &[("alone", time(alone)), ("share", percent(alone / whole))]);
        }
    }
}
