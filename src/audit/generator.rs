//! Whether loadcmp itself kept up.

use super::gather::Generator;
use super::judge::{Check, Judge};
use super::{AuditInputs, Severity};
use crate::metrics::human::{percent, three, time};
use crate::record::Outcome;
use crate::scenario::Pacing;
use crate::scenario::plan::LoadPlan;
use crate::stats::{Comparison, Distribution, Verdict, unit};

pub(super) const CHECKS: [(&str, Check); 10] = [
    ("send-lag", generator_lag),
    ("send-lag-share", lag_of_difference),
    ("own-limits", own_limits),
    ("unsent-requests", unsent_requests),
    ("missed-rate", missed_rate),
    ("generator-cpu", generator_cpu),
    ("different-generators", different_generators),
    ("unchecked-clocks", unchecked_clocks),
    ("low-concurrency", low_concurrency),
    ("precise-pacing", precise_pacing),
];

/// Share of the median latency that a lag may have beside the limit (measuring.md 9).
const OF_LATENCY: f64 = 0.01;

fn generator_lag(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    if evidence.is_closed() {
        // A user who comes late makes the load a little less; latency begins when the request is sent.
        judge.at_most(Severity::Warning);
    }
    for side in evidence.sides() {
        let (Some(lag), Some(median)) = (side.summary.value("send_lag.p99"), side.summary.value("latency.p50")) else {
            continue;
        };
        if lag > judge.limit.max(median * OF_LATENCY) {
            let sentence = format!(
                "{}: the send lag of loadcmp itself is {} at the 99th percentile: it was short of CPU.",
                side.name(),
                time(lag)
            );
            judge.find(Some(side.at), sentence, &[("send lag p99", time(lag)), ("median latency", time(median))]);
        }
    }
}

/// The difference that a headline rests on: of the main metric where that is a time, else of the median latency.
fn told_difference<'a>(evidence: &AuditInputs<'a>, target: usize) -> Option<&'a Comparison> {
    let comparison = |metric: &str| evidence.comparisons.iter().find(move |c| c.target == target && c.metric == metric);
    comparison(evidence.primary).filter(|c| c.unit == unit::MICROS).or_else(|| comparison("latency.p50"))
}

fn lag_of_difference(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, reference) in evidence.pairs() {
        let Some(c) =
            told_difference(evidence, side.at).filter(|c| matches!(c.verdict, Verdict::Better | Verdict::Worse))
        else {
            continue;
        };
        let (Some(a), Some(b)) = (c.target_value, c.reference_value) else { continue };
        let lag = [side, reference].iter().filter_map(|side| side.summary.value("send_lag.p50")).fold(0.0, f64::max);
        if lag > (a - b).abs() * judge.limit {
            let difference = time((a - b).abs());
            let sentence = format!(
                "{} and {} differ by {difference} in {}, and loadcmp's own send lag is {}: too small a difference for \
                 this instrument.",
                side.name(),
                reference.name(),
                c.metric.replace('.', " "),
                time(lag)
            );
            judge.find(Some(side.at), sentence, &[("send lag p50", time(lag)), ("difference", difference)]);
        }
    }
}

fn own_limits(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let ((all, _), Some(words)) = (&side.gathered.own_limits, &side.gathered.own_limit) else { continue };
        let were = if *all == 1 { "request was" } else { "requests were" };
        let sentence = format!(
            "{}: {all} {were} not sent because of a limit of this process or machine ({words}). Raise it (open files: \
             `ulimit -n`) or lower the load.",
            side.name()
        );
        judge.find(Some(side.at), sentence, &[("not sent", all.to_string())]);
    }
}

fn unsent_requests(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let outcomes = side.summary.outcomes.iter();
        let unsent = outcomes.filter(|(outcome, _)| *outcome == Outcome::Unsent).map(|(_, n)| *n).sum::<u64>();
        // Those are told by a rule of their own.
        let unsent = unsent.saturating_sub(side.gathered.own_limits.1);
        let planned = side.summary.requests();
        if unsent as f64 > planned as f64 * judge.limit {
            let sentence = format!(
                "{}: {unsent} of {planned} planned requests were never sent, because `in_flight` was reached.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("unsent", unsent.to_string()), ("planned", planned.to_string())]);
        }
    }
}

fn missed_rate(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let LoadPlan::Open(open) = &evidence.plan.load else { return };
    if evidence.unfinished.is_some() || evidence.plan.ends_early() {
        return;
    }
    for side in evidence.sides() {
        let (sent, planned) = (side.gathered.begun_sent, open.planned);
        if (sent as f64) < planned as f64 * (1.0 - judge.limit) {
            let share = percent(sent as f64 / planned as f64);
            let sentence = format!(
                "{}: {sent} of {planned} scheduled requests were sent ({share}): the requested rate was not reached.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("sent", sent.to_string()), ("planned", planned.to_string())]);
        }
    }
}

/// Shortest window, in seconds, in which a share of processor time says anything: a run of some milliseconds is all start
/// and end.
const LEAST_WINDOW_S: f64 = 0.25;

fn generator_cpu(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    if evidence.window_s().is_some_and(|longest| longest < LEAST_WINDOW_S) {
        return;
    }
    let Some(conditions) = evidence.conditions else { return };
    let (Some(own), Some(allowed)) = (conditions.own_cores, conditions.own_cores_allowed) else { return };
    if allowed > 0.0 && own > allowed * judge.limit {
        let sentence = format!(
            "loadcmp itself used {} of the {} cores it may use: it may have been the bottleneck.",
            three(own),
            three(allowed)
        );
        judge.find(None, sentence, &[("cores used", three(own)), ("cores allowed", three(allowed))]);
    }
}

fn different_generators(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    type Of = fn(&Generator) -> &Distribution;
    let kinds: [(&str, Of); 2] =
        [("send lag", |generator| &generator.lag), ("time to connect", |generator| &generator.connect)];
    for side in evidence.sides() {
        let Some(latency) = side.summary.value("latency.p50") else { continue };
        for (what, of) in kinds {
            let medians = || {
                let all = side.gathered.generators.iter();
                all.filter_map(|(shard, generator)| Some((*shard, of(generator).quantile(0.5)? / 1e3)))
            };
            let by_time = |a: &(u32, f64), b: &(u32, f64)| a.1.total_cmp(&b.1);
            let Some(((quick, least), (slow, most))) = medians().min_by(by_time).zip(medians().max_by(by_time)) else {
                continue;
            };
            if most - least > judge.limit.max(latency * OF_LATENCY) {
                let sentence = format!(
                    "{}: the median {what} is {} on shard {slow} and {} on shard {quick}: these generators do not \
                     measure the same.",
                    side.name(),
                    time(most),
                    time(least)
                );
                let (slow, quick) = (format!("shard {slow}"), format!("shard {quick}"));
                judge.find(Some(side.at), sentence, &[(&slow, time(most)), (&quick, time(least))]);
            }
        }
    }
}

fn unchecked_clocks(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let generators = evidence.unchecked_clocks;
    if generators > 0 {
        let sentence = format!(
            "{generators} generators started by the time of day (`--start-at`), and their clocks were not checked: how well their \
             requests were sent at the same time is not known."
        );
        judge.find(None, sentence, &[("generators", generators.to_string())]);
    }
}

/// Requests a user must have made for the rule to speak: a few end unevenly by themselves.
const EACH: u64 = 10;

fn low_concurrency(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let LoadPlan::Closed(closed) = &evidence.plan.load else { return };
    for side in evidence.sides().filter(|side| side.gathered.rows >= EACH * u64::from(closed.users)) {
        let span = side.gathered.span_s();
        let thought = closed.think.0.as_secs_f64() * side.gathered.rows as f64;
        // In no time at all, nobody is found missing: the share is no number then.
        let (users, reached) = (f64::from(closed.users), (side.gathered.occupied_s + thought) / span);
        if reached < users * (1.0 - judge.limit) {
            let sentence = format!(
                "{}: {} of {users} users were active on average: the load was lower than planned.",
                side.name(),
                three(reached)
            );
            judge.find(Some(side.at), sentence, &[("reached", three(reached)), ("users", users.to_string())]);
        }
    }
}

/// Cores from which a thread that spins leaves enough to the others.
const FEW_CORES: f64 = 2.0;

fn precise_pacing(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let LoadPlan::Open(open) = &evidence.plan.load else { return };
    let cores = evidence.conditions.and_then(|conditions| conditions.cores);
    if let Some(cores) = cores.filter(|cores| open.pacing == Pacing::Precise && *cores <= FEW_CORES) {
        let sentence = format!(
            "Precise pacing uses up to one core, and this machine has {cores:.0}: it takes CPU from the engines and \
             from reading their answers."
        );
        judge.find(None, sentence, &[("cores", format!("{cores:.0}"))]);
    }
}
