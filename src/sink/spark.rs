//! The distributions in a few characters: one line for each target on a shared axis of time, for a terminal.

use crate::metrics::metric_words;
use crate::report::{Report, human};

/// Heights of a column, from the least that is there to the most; and the same for a terminal without Unicode.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['.', ':', '-', '=', '+', '*', '#', '@'];

/// Columns that an axis has, at most: more show no more of some hundred requests.
const MOST: usize = 60;
/// Fewest that are a picture.
const LEAST: usize = 16;

/// Ranks at which a distribution is read; what lies above the last, one in a hundred, would squeeze all the others.
const RANKS: usize = 396;
const OF: usize = 400;

/// From here on, highest by lowest, the axis is logarithmic.
const WIDE: f64 = 20.0;

/// The picture's lines, each at most `width` long: the metric, a line a target, the axis. Empty where fewer than two targets
/// have a distribution to be shown, or all their values are one.
pub(super) fn spark(report: &Report, width: usize, ascii: bool) -> Vec<String> {
    let Some((metric, drawn)) = distributions(report) else { return Vec::new() };
    let names = || report.targets.iter().map(|target| target.name.as_str());
    let label = names().map(|name| name.chars().count()).max().unwrap_or(0) + 2;
    let columns = width.saturating_sub(label).min(MOST);
    let all = || drawn.iter().flatten().copied();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    if columns < LEAST || low <= 0.0 || high <= low {
        return Vec::new();
    }
    let wide = high > WIDE * low;
    let place = |x: f64| if wide { (x / low).ln() / (high / low).ln() } else { (x - low) / (high - low) };
    let marks = if ascii { ASCII } else { BLOCKS };
    let mut lines = Vec::new();
    for (name, values) in names().zip(&drawn) {
        let mut counts = vec![0_usize; columns];
        for x in values {
            counts[((place(*x) * columns as f64) as usize).min(columns - 1)] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let mark = |n: usize| if n == 0 { ' ' } else { marks[(n * marks.len()).div_ceil(most) - 1] };
        let picture: String = counts.into_iter().map(mark).collect();
        lines.push(format!("{name:label$}{picture}").trim_end().to_owned());
    }
    let scale = if wide { ", logarithmic" } else { "" };
    let (from, what, to) = (human::time(low), format!("{}{scale}", metric_words(metric)), human::time(high));
    let free = columns.saturating_sub(from.chars().count() + what.chars().count() + to.chars().count());
    let (before, after) = (" ".repeat(free / 2), " ".repeat(free - free / 2));
    lines.push(format!("{:label$}{from}{before}{what}{after}{to}", ""));
    lines
}

/// What is drawn, and each target's values at even ranks: of the main metric, or else of the time people wait for.
fn distributions(report: &Report) -> Option<(&str, Vec<Vec<f64>>)> {
    let waited = if report.comparing().open_loop { "response" } else { "latency" };
    let main = report.primary.split('.').next().unwrap_or_default();
    let ranks: Vec<f64> = (0..RANKS).map(|at| (at as f64 + 0.5) / OF as f64).collect();
    [main, waited].into_iter().find_map(|metric| {
        let of = |at: usize| report.histogram(at, metric);
        let drawn: Vec<Vec<f64>> =
            (0..report.targets.len()).map(|at| of(at).map(|h| h.values_at(&ranks)).unwrap_or_default()).collect();
        (drawn.iter().filter(|values| !values.is_empty()).count() > 1).then_some((metric, drawn))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::Task;

    #[test]
    fn two_targets_stand_on_one_axis() {
        let report = report(Task::Classify, false);
        let lines = spark(&report, 80, false);
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        let first = |line: &str| line.chars().position(|c| BLOCKS.contains(&c));
        // The slower one's fastest answer lies to the right of the faster one's.
        assert!(first(&lines[0]) < first(&lines[1]) && first(&lines[0]).is_some(), "{lines:#?}");
        assert!(lines[2].contains("latency") && lines[2].contains("ms"), "{lines:#?}");
        let plain = spark(&report, 80, true);
        assert!(plain.iter().all(|line| line.is_ascii()), "{plain:#?}");
        assert_eq!(plain[0].matches('@').count(), lines[0].matches('█').count());
        assert!(spark(&report, 20, false).is_empty());
    }
}
