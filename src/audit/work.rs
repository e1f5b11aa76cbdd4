//! Whether the work was done, and the same work by all.

use super::judge::{Check, Judge, proportions_differ};
use super::{AuditInputs, AuditedTarget, Gathered, Severity};
use crate::metrics::human::{count, percent};
use crate::scenario::plan::{LoadPlan, Until};
use crate::scenario::{History, Task};

pub(super) const CHECKS: [(&str, Check); 11] = [
    ("interrupted", interrupted),
    ("shard-lost", shard_lost),
    ("no-answers", no_answers),
    ("first-requests", first_requests),
    ("unequal-requests", unequal_requests),
    ("different-requests", different_requests),
    ("planned-requests", planned_requests),
    ("error-rate", error_rate),
    ("one-sided-failures", one_sided_failures),
    ("retries", retries),
    ("reconnects", reconnects),
];

fn interrupted(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    if let Some(sentence) = evidence.unfinished.filter(|_| !evidence.shard_lost) {
        judge.find(None, sentence, &[]);
    }
}

fn shard_lost(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    if let Some(sentence) = evidence.unfinished.filter(|_| evidence.shard_lost) {
        judge.find(None, sentence, &[]);
    }
}

fn no_answers(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let (requests, answered) = side.counts();
        if answered < judge.limit {
            let name = side.name();
            let sentence = if requests == 0.0 {
                format!("{name} has no measured requests.")
            } else if answered == 0.0 {
                format!("{name} answered none of {} requests: nothing was measured.", count(requests as u64))
            } else {
                let answers = if answered == 1.0 {
                    "a single answer".to_owned()
                } else {
                    format!("{} answers", count(answered as u64))
                };
                format!("{name} gave {answers} to {} requests: too few to measure anything.", count(requests as u64))
            };
            let counts = [("requests", requests.to_string()), ("answers", answered.to_string())];
            judge.find(Some(side.at), sentence, &counts);
        }
    }
}

fn first_requests(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let (failed, why) = (side.gathered.first_failed, side.gathered.first_failure.as_deref().unwrap_or_default());
        if failed > 0 {
            let times = if failed == 1 { "once".to_owned() } else { format!("{failed} times") };
            let then = if side.gathered.first_answered { "before it was answered" } else { "and was never answered" };
            let sentence = format!("{}: the first request failed {times} {then} ({why}).", side.name());
            judge.find(Some(side.at), sentence, &[("failed", failed.to_string())]);
        }
    }
}

/// Requests that were asked for, where the load is a number of them.
fn asked_for(evidence: &AuditInputs<'_>) -> Option<u64> {
    match &evidence.plan.load {
        LoadPlan::Closed(closed) => match closed.until {
            Until::Requests(n) => Some(n),
            Until::Duration(_) => None,
        },
        LoadPlan::Open(open) => Some(open.planned),
    }
}

/// Answers completed by all, named: `a 90, b 100`.
fn listed(evidence: &AuditInputs<'_>, count: impl Fn(&AuditedTarget<'_>) -> f64) -> String {
    evidence.sides().map(|side| format!("{} {}", side.name(), count(&side))).collect::<Vec<_>>().join(", ")
}

fn unequal_requests(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    // What wasn't waited for was no less work for that.
    let done = |side: &AuditedTarget<'_>| side.counts().1 + side.unfinished();
    let counts: Vec<f64> = evidence.sides().map(|side| done(&side)).collect();
    let (least, most) = counts.iter().fold((f64::INFINITY, 0_f64), |(low, high), n| (low.min(*n), high.max(*n)));
    // A single request that failed, of a few, is a failure, and told as one; one that is missing is another thing.
    let asked: std::collections::BTreeSet<u64> = evidence.sides().map(|side| side.summary.requests()).collect();
    let more = most - least > 1.0 || asked.len() > 1;
    if more && asked_for(evidence).is_some() && least < most * (1.0 - judge.limit) {
        let sentence = format!(
            "The targets completed different amounts of work: {} answers. A target that does less is not faster.",
            listed(evidence, done)
        );
        judge.find(None, sentence, &[("answers", listed(evidence, done))]);
    }
}

/// Of the requests that all targets were asked, by number: how many were the same by their hash, and how many were compared.
/// `None` without a second target, or without a request in common.
pub fn identical_requests(gathered: &[Gathered]) -> Option<(u64, u64)> {
    let (first, others) = gathered.split_first().filter(|(_, others)| !others.is_empty())?;
    let (mut same, mut compared) = (0, 0);
    for (number, asked) in &first.asked {
        let hashes: Option<Vec<u64>> = others.iter().map(|other| Some(other.asked.get(number)?.hash)).collect();
        let Some(hashes) = hashes else { continue };
        compared += 1;
        same += u64::from(hashes.iter().all(|hash| *hash == asked.hash));
    }
    (compared > 0).then_some((same, compared))
}

fn different_requests(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    // With each engine's own answers in the history, later turns are unlike by design: `own-history` says so.
    if evidence.plan.task == Task::Chat && evidence.plan.workload.history == History::Own {
        return;
    }
    for (side, reference) in evidence.pairs() {
        let other = &reference.gathered.asked;
        let both: Vec<bool> = side
            .gathered
            .asked
            .iter()
            .filter_map(|(number, asked)| Some(other.get(number)?.hash != asked.hash))
            .collect();
        let unlike = both.iter().filter(|unlike| **unlike).count();
        if unlike > 0 {
            let sentence = format!(
                "{} and {} got different requests under the same number: {unlike} of {}.",
                side.name(),
                reference.name(),
                both.len()
            );
            judge.find(
                Some(side.at),
                sentence,
                &[("different", unlike.to_string()), ("compared", both.len().to_string())],
            );
        }
    }
}

fn planned_requests(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    // A run may end early because it was stopped, or because it knew enough.
    let Some(planned) = asked_for(evidence).filter(|_| evidence.unfinished.is_none() && !evidence.plan.ends_early())
    else {
        return;
    };
    for side in evidence.sides() {
        let begun = side.gathered.begun;
        if (begun as f64) < planned as f64 * (1.0 - judge.limit) {
            let (wanted, made) = (count(planned), count(begun));
            let sentence = format!("{}: {wanted} requests were planned, {made} were started.", side.name());
            judge.find(Some(side.at), sentence, &[("planned", planned.to_string()), ("started", begun.to_string())]);
        }
    }
}

fn error_rate(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let requests = side.counts().0;
        let failed = side.failed();
        if failed > requests * judge.limit {
            let share = percent(failed / requests);
            let sentence = format!(
                "{}: {} of {} requests ({share}) have no complete answer; times are from the others.",
                side.name(),
                count(failed as u64),
                count(requests as u64)
            );
            judge.find(Some(side.at), sentence, &[("failed", failed.to_string()), ("requests", requests.to_string())]);
        }
    }
}

fn one_sided_failures(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, reference) in evidence.pairs() {
        let ((n, m), (a, b)) = ((side.counts().0, reference.counts().0), (side.failed(), reference.failed()));
        // Of no requests, shares are no numbers, and nothing is said.
        let (p, q) = (a / n, b / m);
        if (p - q).abs() > judge.limit && proportions_differ(a, n, b, m) {
            let (worse, other) = if p > q { (side, reference) } else { (reference, side) };
            let sentence = format!(
                "{} failed more often than {}: {} vs {} of the requests. Its slow requests may be among those that \
                 failed and are left out.",
                worse.name(),
                other.name(),
                percent(p.max(q)),
                percent(p.min(q))
            );
            let figures =
                [(side, p), (reference, q)].map(|(side, share)| format!("{} {}", side.name(), percent(share)));
            judge.find(Some(worse.at), sentence, &[("failed:", figures.join(", "))]);
        }
    }
}

fn retries(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let (resent, rows) = (side.gathered.resent, side.gathered.rows);
        if resent as f64 > rows as f64 * judge.limit {
            let were = if resent == 1 { "request was" } else { "requests were" };
            let sentence = format!(
                "{}: {resent} {were} sent again over a new connection, because the kept-alive one was dead when the \
                 request was written; the time counts from the first send.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("sent again", resent.to_string()), ("requests", rows.to_string())]);
        }
    }
}

/// Connections that an engine may close without a word: of forty requests that take half a minute each, one is above any share.
const SEVERAL: u64 = 3;

fn reconnects(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    // An open loop opens connections as it needs them: only a closed one has a user to each. A connection that was idle for
    // long is opened anew by our own rule, and that says nothing of the engine.
    if !evidence.is_closed() {
        return;
    }
    let share = |n: u64, rows: u64| format!("{} of {} measured requests", count(n), count(rows));
    for side in evidence.sides() {
        let (closed, rows) = (side.gathered.closed, side.gathered.rows);
        if closed >= SEVERAL && closed as f64 > rows as f64 * judge.limit {
            let sentence = format!(
                "{}: {} needed a new connection, because the engine had closed the previous one.",
                side.name(),
                share(closed, rows)
            );
            let counts = [("closed by the engine", closed.to_string()), ("requests", rows.to_string())];
            judge.find(Some(side.at), sentence, &counts);
        }
    }
    judge.at_most(Severity::Note);
    for side in evidence.sides() {
        let (ours, rows) = (side.gathered.not_kept, side.gathered.rows);
        if ours as f64 > rows as f64 * judge.limit {
            let sentence = format!(
                "{}: loadcmp itself opened new connections for {}: more than a fifth of the kept-alive ones were dead \
                 when a request was written, so for a while it kept none.",
                side.name(),
                share(ours, rows)
            );
            judge.find(
                Some(side.at),
                sentence,
                &[("new connections", ours.to_string()), ("requests", rows.to_string())],
            );
        }
    }
}
