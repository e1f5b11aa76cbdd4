//! Metrics in words: what a figure is called, which way it is better, and its value.

use super::{Form, human, metric_of};

/// A figure for people: `latency.p50` is `latency p50`, `requests_per_s` is `requests per second`.
pub fn metric_words(path: &str) -> String {
    match (metric_of(path), path.split_once('.')) {
        (Some(metric), Some((_, figure))) => format!("{} {figure}", metric.label),
        (Some(metric), None) => metric.label.to_owned(),
        (None, _) => path.replace('.', " ").replace("_per_s", " per second").replace('_', " "),
    }
}

/// Whether more of a figure is better; `None` where neither is, as of a count of tokens, and of what isn't known.
pub fn more_is_better(path: &str) -> Option<bool> {
    metric_of(path).and_then(|metric| metric.better.more())
}

/// The value of a figure, in its unit: of what has none, as the metric is read. `path` may be the metric alone.
pub fn value_words(path: &str, unit: &str, x: f64) -> String {
    match metric_of(path).map(|metric| metric.form) {
        Some(Form::Score) => format!("{x:.3}"),
        Some(Form::Ratio) => human::ratio(x),
        Some(Form::Count) if x.fract() == 0.0 => format!("{x:.0}"),
        Some(Form::Count) => human::three(x),
        Some(Form::InUnit) | None => human::value(x, unit),
    }
}
