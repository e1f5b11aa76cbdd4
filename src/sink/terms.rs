//! The glossary of every page: the terms that are no metric, and what is said of a column's head when it is pointed at.

use crate::metrics::{Definition, ids, metric};

/// Each term and what it means.
pub(super) const TERMS: [(&str, &str); 25] = [
    ("95 % CI", "confidence interval: where the true value lies, with 95 % confidence. Narrower with more requests."),
    ("ratio", "target ÷ reference. Of a share, such as accuracy, it is the difference in percentage points."),
    ("reference", "the target that the others are compared with."),
    ("better", "the whole interval is on the better side of the smallest effect."),
    ("worse", "the whole interval is on the worse side of the smallest effect."),
    ("equal", "the whole interval is within the smallest effect: the difference is too small to matter."),
    (
        "undecided",
        "the interval reaches both sides of the smallest effect: more requests, or a quieter machine, may decide.",
    ),
    ("smallest effect", "the difference that matters, declared beforehand: 2 % unless the scenario says otherwise."),
    ("pairs", "requests with the same number that both targets answered: the same prompt in the same place."),
    ("batch", "consecutive requests taken together, so that neighbours that resemble each other count as one."),
    ("block", "a stretch of load on one target, while the others wait. Blocks take turns: A B B A."),
    ("warm-up", "requests before the measured window. They are in the timeline, and in no figure."),
    ("cold start", "the first request to a target whose model isn’t loaded. It is reported by itself."),
    ("closed loop", "a fixed number of users: each sends its next request after its last answer."),
    ("open loop", "requests leave by a schedule, whether or not earlier ones are answered."),
    ("stand-in", "an embedded imitation of an engine. Its figures say nothing about the real one."),
    ("goodput", "requests per second that met every limit of the SLO."),
    ("p50", "median: half of the values are at most this."),
    ("p90", "90 % of the values are at most this."),
    ("p95", "95 % of the values are at most this."),
    ("p99", "99 % of the values are at most this."),
    ("efficiency", "throughput per user, as a share of that with the fewest users."),
    ("in flight", "requests that were sent and aren’t answered yet."),
    ("outlier", "a run far from its neighbours: it is part of no level and of no step."),
    ("step", "a change of level over runs that is beyond chance."),
];

/// What a head of a column means; empty where nothing is known of it.
pub(super) fn about(head: &str) -> &'static str {
    let head = head.trim();
    let term = |word: &str| TERMS.iter().find(|(term, _)| *term == word).map(|(_, about)| *about);
    let called = |word: &str| {
        let is_it = |known: &&Definition| known.label == word || known.id == word;
        ids().filter_map(metric).find(is_it).map(|known| known.about)
    };
    let exact = term(head).or_else(|| called(head));
    // `latency p95`, `latency.p95`: a metric and a figure of it; `ratio (95 % CI)`.
    let parts = head.rsplit_once(['.', ' ']);
    let whole = parts.and_then(|(metric_name, figure)| term(figure).and(called(metric_name)));
    exact.or(whole).or_else(|| head.starts_with("ratio").then(|| term("ratio")).flatten()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_columns_have_a_meaning_and_terms_stand_once() {
        for head in ["p95", "latency.p95", "latency p50", "TTFT", "ratio (95 % CI)", "goodput", "in flight"] {
            assert!(!about(head).is_empty(), "{head}");
        }
        for head in ["", "native", "users", "a.b"] {
            assert_eq!(about(head), "", "{head}");
        }
        for (at, (term, about)) in TERMS.iter().enumerate() {
            assert!(TERMS[at + 1..].iter().all(|(other, _)| other != term) && about.ends_with('.'), "{term}");
        }
    }
}
