//! A figure that a gate is about, as a target's summary has it, and how sure it is.

use super::certainty::{Certainty, Value};
use crate::metrics::human;
use crate::scenario::gate::{Figure, Subject};
use crate::stats::{Packed, Row, TargetSummary, quantile_interval};

/// A figure of a target; an error says that it wasn't measured.
pub(super) fn figure(subject: &Subject, target: &TargetSummary, at: usize, packed: &[Packed]) -> Result<Value, String> {
    let name = subject.metric.id;
    let row = target.row(name).ok_or_else(|| format!("{name} was not measured"))?;
    let sure = |ends: Option<(f64, f64)>| match ends {
        Some((low, high)) => Certainty::Interval(low, high),
        None if subject.metric.exact => Certainty::Exact,
        None => Certainty::Unknown(lacking(subject, row)),
    };
    let value = match subject.figure {
        Figure::Mean => row.mean.map(|value| {
            let ends =
                row.low.zip(row.high).map(|(low, high)| (of_few(row).map_or(low, |(least, _)| low.max(least)), high));
            Value { value, sure: sure(ends) }
        }),
        // The extremes of what was seen are what they are.
        Figure::Min => row.min.map(|value| Value { value, sure: Certainty::Exact }),
        Figure::Max => row.max.map(|value| Value { value, sure: Certainty::Exact }),
        Figure::Quantile(q) => {
            let packed = packed.iter().find(|packed| packed.target == at && packed.metric == name);
            let (value, ends) = quantile(q, row, packed);
            let ends = ends.or_else(|| {
                let (low, high) = of_few(row)?;
                // Of few answers nobody knows how far the rarest lie out.
                Some((if q < 0.5 { 0.0 } else { low }, if q > 0.5 { f64::INFINITY } else { high }))
            });
            value.map(|value| Value { value, sure: sure(ends) })
        }
    };
    value.ok_or_else(|| match (row.n, row.infinite_from) {
        (Some(_), Some(_)) => format!("{} {INFINITE}", subject.path()),
        (Some(n), _) => format!("{} requests are too few for {}", human::count(n), subject.path()),
        _ => format!("{} was not measured", subject.path()),
    })
}

/// Fewest answers that say anything when there are too few for an interval.
const FEWEST: u64 = 6;

/// Between what a typical answer surely lies, where answers are too few or too dependent for an interval: half of the least
/// and twice the largest. A bound that each of six answers misses by more than twice is missed.
fn of_few(row: &Row) -> Option<(f64, f64)> {
    let (low, high) = row.min.zip(row.max).filter(|(low, _)| *low > 0.0)?;
    (row.n? >= FEWEST && row.infinite_from.is_none()).then_some((low / 2.0, high * 2.0))
}

/// What is said of a percentile that lies among the failures.
pub(super) const INFINITE: &str = "is infinite: too many requests failed";

/// Why an estimate has no interval.
fn lacking(subject: &Subject, row: &Row) -> String {
    let needs = row.needs.iter().find(|needs| needs.figure == subject.figure.word());
    let n = human::count(row.n.unwrap_or(0));
    match needs {
        Some(needs) => {
            format!("{n} requests are too few for its interval; it needs about {}", human::count(needs.rows))
        }
        None if subject.metric.spread => format!("{n} requests are too few for its interval"),
        None => format!("{} has no interval", subject.metric.id),
    }
}

/// A percentile: as the row has it, or read from the distribution; and its interval.
fn quantile(q: f64, row: &Row, packed: Option<&Packed>) -> (Option<f64>, Option<(f64, f64)>) {
    let word = Figure::Quantile(q).word();
    let ends = match word.as_str() {
        "p50" => (row.p50_low, row.p50_high),
        "p95" => (row.p95_low, row.p95_high),
        "p99" => (row.p99_low, row.p99_high),
        _ => read_ends(q, row, packed).unzip(),
    };
    // Where failures count as infinitely slow, what lies among them has no value, and yet is known.
    let infinite = |known: bool| row.infinite_from.filter(|_| known).map(|_| f64::INFINITY);
    let value = row.figure(&word).or_else(|| read(q, &word, row, packed));
    let value = value.or_else(|| infinite(row.infinite_from.is_some_and(|from| q > from)));
    let known = row.n_eff.and_then(|effective| quantile_interval(q, effective)).is_some();
    let ends = (ends.0.or(infinite(known)), ends.1.or(infinite(known)));
    (value, ends.0.zip(ends.1))
}

/// The interval of a percentile that no row has one of.
fn read_ends(q: f64, row: &Row, packed: Option<&Packed>) -> Option<(f64, f64)> {
    let (low, high) = quantile_interval(q, row.n_eff?)?;
    match packed?.values_at(&[low, high])[..] {
        [low, high] => Some((low, high)),
        _ => None,
    }
}

/// A percentile that no row is written for: read where there are the requests for it (one beyond on average).
fn read(q: f64, word: &str, row: &Row, packed: Option<&Packed>) -> Option<f64> {
    let least = 1.0 / (1.0 - q).min(q);
    let enough = row.n.is_some_and(|n| n as f64 >= least) && !["p50", "p90", "p95", "p99", "p999"].contains(&word);
    packed.filter(|_| enough)?.values_at(&[q]).first().copied()
}
