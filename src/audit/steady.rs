//! Whether the times of a run are all of one kind: steady, without a drift, and by clocks that agree.

use super::judge::{Check, Judge};
use super::{AuditInputs, AuditedTarget};
use crate::metrics::human::{between, change, percent, time};

pub(super) const CHECKS: [(&str, Check); 3] =
    [("not-steady", not_steady), ("drift", drift), ("server-time", server_time)];

/// What a machine's own noise adds to an answer, in microseconds: a scheduler that has other things to do, a processor that
/// changes its pace. Of answers of two milliseconds that is all there is to them, and says nothing of a run.
const NOISE: f64 = 2_000.0;

fn not_steady(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let Some(steady) = side.summary.steady else { continue };
        // The mean of the rows that MSER-5 would cut, against the rest's; of a few rows it is chance.
        let cut = steady.cut_share;
        let before = (1.0 / steady.mean_ratio - (1.0 - cut)) / cut;
        let Some(rest) = side.summary.value("latency.mean").map(|mean| mean * steady.mean_ratio) else { continue };
        // Users who ask for the first time at once are no beginning that a longer warm-up would leave out.
        let wave = if evidence.is_closed() { f64::from(evidence.plan.load.concurrency()) } else { 0.0 };
        let begins = cut >= 0.05 && cut * side.summary.answered() as f64 > wave;
        if begins && (before - 1.0).abs() > judge.limit.max(NOISE / rest) {
            let sentence = format!(
                "{} became steady only {} into the measured window (MSER-5). A longer `warmup` would leave the \
                 beginning out; without it the mean is {} of the reported one.",
                side.name(),
                time(steady.from_s * 1e6),
                percent(steady.mean_ratio)
            );
            let evidence = [
                ("steady from", time(steady.from_s * 1e6)),
                ("rows before it", percent(cut)),
                ("their mean", time(before * rest)),
                ("of the rest", time(rest)),
            ];
            judge.find(Some(side.at), sentence, &evidence);
        }
    }
}

fn drift(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let limit = judge.limit;
    let drifted = |side: &AuditedTarget| {
        let drift = side.summary.drift?;
        let noise = side.summary.value("latency.p50").map_or(0.0, |median| NOISE / median);
        let limit = limit.max(noise);
        // The near end of the interval decides: what may be chance is not told.
        Some(drift).filter(|drift| drift.low > limit || drift.high < -limit)
    };
    for side in evidence.sides() {
        let Some(drift) = drifted(&side) else { continue };
        let mut sentence = format!(
            "The median latency of {} changed by {} from the beginning of the window to its end (95 % CI {}).",
            side.name(),
            change(drift.change),
            between(&change(drift.low), &change(drift.high))
        );
        let mut facts = vec![("change", change(drift.change))];
        // What both share cancels out of a ratio. What only one has, no single run can tell from a difference between them.
        let still = evidence.sides().filter(|other| other.summary.drift.is_some() && drifted(other).is_none());
        let still: Vec<String> = still.map(|other| other.name()).collect();
        if !still.is_empty() {
            let others = still.join(", ");
            sentence += &format!(
                " That of {others} did not: the difference in this run may hold for this run alone. `--repeats 5` \
                 bases the verdict on several runs."
            );
            facts.push(("no drift", others));
        }
        judge.find(Some(side.at), sentence, &facts);
    }
}

fn server_time(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let (more, told) = (side.gathered.server_more, side.gathered.server_told);
        if more as f64 > told as f64 * judge.limit {
            let over = time(side.gathered.server_most_over.micros());
            let sentence = format!(
                "{}: for {more} of {told} answers the engine reports more time than the client waited, by up to \
                 {over}: one of the two clocks is wrong.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("answers", more.to_string()), ("most", over)]);
        }
    }
}
