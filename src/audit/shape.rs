//! Whether the numbers look like measurements: what no engine and no socket brings about by itself.

use super::judge::{Check, Judge};
use super::line::Line;
use super::{AuditInputs, AuditedTarget};
use crate::metrics::human::{percent, three, time};
use crate::stats::Row;

pub(super) const CHECKS: [(&str, Check); 8] = [
    ("equal-samples", equal_samples),
    ("identical-samples", identical_samples),
    ("impossible-times", impossible_times),
    ("too-much-throughput", too_much_throughput),
    ("flat-latency", flat_latency),
    ("fixed-percentiles", fixed_percentiles),
    ("impossible-figures", impossible_figures),
    ("clamped-values", clamped_values),
];

/// Fewest answers whose likeness means anything.
const FEW: usize = 5;

fn equal_samples(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let Some((share, of)) = side.gathered.different_latencies() else { continue };
        // Of five answers with one latency, a fifth are different.
        let one = share * of as f64 <= 1.0;
        if of >= FEW && (one || share < judge.limit) {
            let different = (share * of as f64).round();
            let sentence = format!(
                "{}: {of} answers have only {different} different latencies, to the nanosecond: these are not \
                 measurements.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("different", different.to_string()), ("answers", of.to_string())]);
        }
    }
}

fn identical_samples(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let sides: Vec<AuditedTarget<'_>> = evidence.sides().collect();
    for (number, side) in sides.iter().enumerate() {
        let answered = side.gathered.answered;
        let same = |other: &&AuditedTarget<'_>| {
            other.gathered.fingerprint == side.gathered.fingerprint && other.gathered.answered == answered
        };
        if answered >= FEW as u64
            && let Some(other) = sides[..number].iter().find(same)
        {
            let sentence = format!(
                "{} and {} have the same {answered} latencies, to the nanosecond: one is a copy of the other.",
                other.name(),
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("equal latencies", answered.to_string())]);
        }
    }
}

fn impossible_times(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        if let Some(fastest) = side.gathered.fastest.map(|fastest| fastest.micros()).filter(|us| *us < judge.limit) {
            let sentence = format!("{}: an answer took {}, faster than any socket.", side.name(), time(fastest));
            judge.find(Some(side.at), sentence, &[("fastest", time(fastest))]);
        }
    }
}

fn too_much_throughput(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let most = f64::from(evidence.plan.load.concurrency());
    for side in evidence.sides() {
        let span = side.gathered.span_s();
        let in_flight = side.gathered.in_flight_s / span;
        if in_flight > most * (1.0 + judge.limit) {
            let sentence = format!(
                "{}: by their latencies, {} requests were in flight on average, but at most {most} can be (Little's \
                 law): the latencies or the elapsed time are wrong.",
                side.name(),
                three(in_flight)
            );
            judge.find(Some(side.at), sentence, &[("in flight", three(in_flight)), ("maximum", most.to_string())]);
        }
    }
}

/// Fewest answers for a line to be drawn through.
const POINTS: f64 = 30.0;
/// Spread of lengths (standard deviation / mean) from which they must show in latency.
const SPREAD: [f64; 2] = [0.3, 0.5];
/// Tokens of a long prompt (mean and two standard deviations) from which prompts must show, too: shorter ones are read in
/// the time of a round trip.
const LONG: f64 = 1000.0;

/// Whether there is enough in a line to be judged.
fn tells(line: &Line, spread: f64) -> bool {
    line.n() >= POINTS && line.sd_x() >= line.mean_x() * spread
}

fn flat_latency(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let (output, prompt) = (&side.gathered.by_output, &side.gathered.by_prompt);
        let long = prompt.mean_x() + 2.0 * prompt.sd_x() >= LONG;
        // What comes from a cache takes no time.
        let uncached = side.gathered.first_turns.share().is_none_or(|share| share < 0.5);
        for (line, enough, of) in [
            (output, tells(output, SPREAD[0]), "answers"),
            (prompt, long && uncached && tells(prompt, SPREAD[1]), "prompts"),
        ] {
            if let Some(growth) = line.most_growth().filter(|growth| enough && *growth < judge.limit) {
                let sentence = format!(
                    "{}: latency does not grow with the length of {of} ({} tokens on average, standard deviation {}): \
                     the time is not spent on the work.",
                    side.name(),
                    three(line.mean_x()),
                    three(line.sd_x())
                );
                judge.find(Some(side.at), sentence, &[("max growth", percent(growth)), ("of", of.to_owned())]);
            }
        }
    }
}

/// Relative difference below which two ratios of measured times are the same to every digit that is kept: percentiles are
/// kept to 0.1 %, so ratios to the exact mean coincide this closely less than once in a thousand runs.
const SAME: f64 = 1e-6;
/// Fewest seconds with figures of their own.
const SECONDS: usize = 5;

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

/// A row's percentiles as multiples of its mean, where there is a distribution to speak of.
fn multiples(row: &Row) -> Option<[f64; 2]> {
    let (mean, sd) = (row.mean?, row.sd?);
    (sd > mean * 0.01).then_some(())?;
    Some([row.p50? / mean, row.p95? / mean])
}

/// Requests of two sides whose latencies are compared one by one, at least.
const BESIDE: usize = 10;
/// The same, for latencies that are kept to the nanosecond: of 100 us and more.
const SAME_LATENCY: f64 = 1e-5;

/// By how much a side's latencies are those of the reference, request by request, if it is by the same for each; and how
/// many were looked at. Latencies that are all the same are `equal-samples`.
fn fixed_multiple(side: &AuditedTarget<'_>, reference: &AuditedTarget<'_>) -> Option<(f64, usize)> {
    let other = &reference.gathered.asked;
    let both = side.gathered.asked.iter().filter_map(|(number, mine)| Some((mine.latency, other.get(number)?.latency)));
    let pairs = both.filter_map(|(a, b)| Some((a?, b.filter(|b| *b > 0)?)));
    let pairs: Vec<(f64, f64)> = pairs.map(|(a, b)| (a as f64, b as f64)).collect();
    let (a, b) = *pairs.first().filter(|_| pairs.len() >= BESIDE)?;
    let fixed = pairs.iter().all(|(x, y)| (x / y - a / b).abs() <= SAME_LATENCY * a / b);
    let moving = pairs.iter().any(|(x, _)| !same(*x, a));
    (fixed && moving).then_some((a / b, pairs.len()))
}

fn fixed_percentiles(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, reference) in evidence.pairs() {
        if let Some((times, of)) = fixed_multiple(&side, &reference) {
            let sentence = format!(
                "{of} latencies of {} are each {times:.4} times those of {}: one side is computed from the other, and \
                 so are all percentiles.",
                side.name(),
                reference.name()
            );
            judge.find(Some(side.at), sentence, &[("times", format!("{times:.6}")), ("of requests", of.to_string())]);
        }
        for metric in ["latency", "ttft"] {
            let of = |side: &AuditedTarget<'_>| multiples(side.summary.row(metric)?);
            let (Some(a), Some(b)) = (of(&side), of(&reference)) else { continue };
            if same(a[0], b[0]) && same(a[1], b[1]) {
                let p95 = format!("{:.6}", a[1]);
                let sentence = format!(
                    "{} and {} have the same shape of {metric} to six digits (p95 is {p95} times the mean for both): \
                     percentiles are computed from the mean, or one side from the other.",
                    side.name(),
                    reference.name()
                );
                judge.find(Some(side.at), sentence, &[("p95 / mean", p95), ("p50 / mean", format!("{:.6}", a[0]))]);
            }
        }
    }
    for side in evidence.sides() {
        let seconds = evidence.timeline.iter().filter(|second| second.target == side.at);
        let told = seconds.filter_map(|second| Some((second.latency_p50_us?, second.latency_p95_us?)));
        let told: Vec<(f64, f64)> = told.filter(|(p50, p95)| *p50 > 0.0 && p95 > p50).collect();
        let Some(first) = told.first().map(|(p50, p95)| p95 / p50) else { continue };
        let fixed = told.iter().all(|(p50, p95)| same(p95 / p50, first));
        let moving = told.iter().any(|(p50, _)| !same(*p50, told[0].0));
        if told.len() >= SECONDS && fixed && moving {
            let sentence = format!(
                "{}: in each of {} seconds the 95th percentile is {first:.6} times the median: one is computed from \
                 the other.",
                side.name(),
                told.len()
            );
            judge.find(
                Some(side.at),
                sentence,
                &[("p95 / p50", format!("{first:.6}")), ("seconds", told.len().to_string())],
            );
        }
    }
}

fn impossible_figures(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        for row in &side.summary.rows {
            // Percentiles are told within 0.1 %.
            let known = [row.min, row.p50, row.p90, row.p95, row.p99, row.p999, row.max];
            let ranks: Vec<f64> = known.into_iter().flatten().collect();
            let falls = ranks.windows(2).any(|pair| pair[1] < pair[0] - pair[0].abs() * 0.002);
            let slack = |x: f64| x.abs() * 1e-9 + 1e-6;
            let outside = row.mean.zip(row.min).is_some_and(|(mean, min)| mean < min - slack(min))
                || row.mean.zip(row.max).is_some_and(|(mean, max)| mean > max + slack(max));
            if falls || outside {
                let sentence = format!(
                    "{}: the figures of {} contradict each other: {}.",
                    side.name(),
                    row.metric,
                    if falls { "percentiles fall" } else { "the mean lies outside the smallest and the largest value" }
                );
                let figures = [("min", row.min), ("mean", row.mean), ("p95", row.p95), ("max", row.max)];
                let told: Vec<(&str, String)> = figures.into_iter().filter_map(|(n, x)| Some((n, three(x?)))).collect();
                judge.find(Some(side.at), sentence, &told);
            }
        }
    }
}

fn clamped_values(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let clamped: u64 = side.summary.rows.iter().map(|row| row.clamped).sum();
        if clamped > 0 {
            let lie = if clamped == 1 { "value lies" } else { "values lie" };
            let sentence = format!(
                "{}: {clamped} {lie} outside the histogram's range (below zero, or above a day); percentiles use its \
                 nearest value instead.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("values", clamped.to_string())]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn the_same_is_within_a_millionth() {
        for x in [1e-6, 1.0, 1e6] {
            assert!(same(x, x * 1.000_000_9) && same(x * 1.000_000_9, x), "{x}");
            assert!(!same(x, x * 1.000_001_1) && !same(x * 1.000_001_1, x), "{x}");
        }
        assert!(same(0.0, 0.0) && same(-3.0, -3.0) && !same(3.0, -3.0));
    }
}
