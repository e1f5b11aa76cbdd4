//! The table as a document.

use super::{Better, Definition, METRICS};

/// Where a metric is judged, in words: `compared (p50, p95), gates, slo, followed (p50)`.
pub fn places(metric: &Definition) -> String {
    let figures = |word: &str, paths: &[&str]| {
        let figures: Vec<&str> = paths.iter().filter_map(|path| Some(path.split_once('.')?.1)).collect();
        match (paths.is_empty(), figures.is_empty()) {
            (true, _) => None,
            (_, true) => Some(word.to_owned()),
            _ => Some(format!("{word} ({})", figures.join(", "))),
        }
    };
    let places = [
        figures("compared", metric.compared),
        Some("gates".to_owned()),
        metric.slo.then(|| "slo".to_owned()),
        figures("followed", metric.followed),
    ];
    places.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What figures a metric has, in words.
fn figures(metric: &Definition) -> &'static str {
    match (metric.spread, metric.exact) {
        (true, _) => "mean, min, max, percentiles",
        (false, true) => "one value, counted or read",
        (false, false) => "one value, estimated",
    }
}

impl Better {
    /// Which values are better, in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Better::More => "more",
            Better::Less => "less",
            Better::Neither => "–",
        }
    }
}

/// The whole table in Markdown: what `docs/metrics.md` shows.
pub fn document() -> String {
    let mut text =
        "| id | label | unit | better | figures | used in | what it is |\n|---|---|---|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        text += &format!(
            "| `{}` | {} | {} | {} | {} | {} | {} |\n",
            metric.id,
            metric.label,
            metric.unit,
            metric.better.as_str(),
            figures(metric),
            places(metric),
            metric.about
        );
    }
    text
}
