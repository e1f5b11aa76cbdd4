//! What the page of a run draws of its distributions: all targets on one axis of percentiles.

use super::plot::{Axis, Chart, Scale, Series, plot};
use crate::report::{Report, human};

/// Points of a curve: more are no more to be seen.
const POINTS: usize = 96;

/// From here on, highest by lowest, an axis of times is logarithmic: what is short would lie flat on the floor.
const WIDE: f64 = 30.0;

/// The distributions that are drawn: their metric where users wait for answers, where requests leave by a schedule, and
/// what they are called.
const CURVES: [(&str, &str, &str, &str); 4] = [
    ("latency", "response", "Latency", "requests, how many were answered within this time"),
    ("ttft", "response_ttft", "TTFT", "requests, how many showed their first text within this time"),
    ("itl", "itl", "ITL", "tokens, how many came within this time of the one before"),
    ("itl_max", "itl_max", "ITL max", "requests, how many never paused longer during their answer"),
];

/// Where percentiles are marked.
const TICKS: [(f64, &str); 6] =
    [(0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];

/// A curve for each distribution that was measured, the axis stretched toward 100 %: where tails differ is where it matters.
pub(super) fn distributions(report: &Report) -> Vec<Chart> {
    CURVES.iter().filter_map(|(closed, open, name, what)| distribution(report, closed, open, name, what)).collect()
}

fn distribution(report: &Report, closed: &str, open: &str, name: &str, what: &str) -> Option<Chart> {
    let planned = report.comparing().open_loop;
    let metric = if planned { open } else { closed };
    let lines: Vec<Series> = report
        .targets
        .iter()
        .enumerate()
        .map(|(at, target)| Series {
            name: target.label(),
            colour: at,
            points: curve(report, at, metric),
            band: band(report, at, metric),
            joined: true,
            ..Series::default()
        })
        .filter(|line| line.points.len() > 1)
        .collect();
    let ys = || lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y).filter(|y| *y > 0.0);
    let wide = ys().fold(0.0, f64::max) > WIDE * ys().fold(f64::INFINITY, f64::min);
    let scale = if wide { Scale::Log } else { Scale::Linear };
    let title = match (planned && metric != closed, name) {
        (true, "Latency") => "Response time by percentile, from the planned instant".to_owned(),
        (true, _) => format!("{name} by percentile, from the planned instant"),
        (false, _) => format!("{name} by percentile"),
    };
    let banded =
        if lines.iter().any(|line| !line.band.is_empty()) { " Bands are 95 % confidence intervals." } else { "" };
    let logarithmic = if wide { " The times are logarithmic." } else { "" };
    let about = format!("Of 100 {what}.{banded}{logarithmic}");
    let x_ticks = TICKS.map(|(q, word)| (-f64::log10(1.0 - q), word.to_owned())).to_vec();
    let x = Axis { scale: Scale::Linear, ticks: Some(x_ticks), word: &|x| x.to_string() };
    plot(&title, &about, &x, &Axis { scale, ticks: None, word: &human::time }, lines)
}

/// One target's curve: how far toward 100 %, and the value there.
fn curve(report: &Report, at: usize, metric: &str) -> Vec<(f64, f64)> {
    let Some(packed) = report.histogram(at, metric) else {
        return Vec::new();
    };
    // Beyond 1 - 1/n there is but one request.
    let most = (packed.n() as f64).log10().clamp(0.0, 4.0);
    let xs: Vec<f64> = (0..=POINTS).map(|i| most * i as f64 / POINTS as f64).collect();
    let quantiles: Vec<f64> = xs.iter().map(|x| 1.0 - 10_f64.powf(-x)).collect();
    xs.into_iter().zip(packed.values_at(&quantiles)).collect()
}

/// The 95 % interval of each value of a curve: x, low, high. Of n effective requests, the value at a share p lies between those at
/// p ± 1.96 √(p (1 − p) / n) (order statistics: Conover, Practical Nonparametric Statistics, 1999, 3.2). It ends where its upper end
/// would lie beyond the requests; none where the effective number isn't known.
fn band(report: &Report, at: usize, metric: &str) -> Vec<(f64, f64, f64)> {
    let effective = report.targets.get(at).and_then(|target| target.row(metric)?.n_eff).filter(|n| *n >= 1.0);
    let Some((packed, n)) = report.histogram(at, metric).zip(effective) else { return Vec::new() };
    let most = (packed.n() as f64).log10().clamp(0.0, 4.0);
    let last = 1.0 - 1.0 / packed.n() as f64;
    let shares = (0..=POINTS).map(|i| {
        let x = most * i as f64 / POINTS as f64;
        let share = 1.0 - 10_f64.powf(-x);
        let half = 1.959_964 * (share * (1.0 - share) / n).sqrt();
        (x, (share - half).max(0.0), share + half)
    });
    let shares: Vec<(f64, f64, f64)> = shares.take_while(|(_, _, high)| *high <= last).collect();
    let of = |side: fn(&(f64, f64, f64)) -> f64| packed.values_at(&shares.iter().map(side).collect::<Vec<_>>());
    let (low, high) = (of(|share| share.1), of(|share| share.2));
    shares.iter().zip(low.into_iter().zip(high)).map(|((x, _, _), (low, high))| (*x, low, high)).collect()
}

/// The same as a table: heads, then of each distribution a row a target. What the rows can't carry is marked, or blank.
pub(super) fn percentiles(report: &Report) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let heads = ["", "values", "p50", "p90", "p95", "p99", "p99.9", "longest"];
    let planned = report.comparing().open_loop;
    let mut rows = Vec::new();
    for (closed, open, name, _) in CURVES {
        let metric = if planned { open } else { closed };
        for target in &report.targets {
            let Some(row) = target.row(metric).filter(|row| row.n.is_some_and(|n| n > 0)) else { continue };
            let figures = ["p50", "p90", "p95", "p99", "p999", "max"];
            let mut cells = vec![format!("{name}, {}", target.label())];
            cells.push(row.n.map(|n| n.to_string()).unwrap_or_default());
            cells.extend(figures.map(|figure| {
                super::lines::value(target, &format!("{metric}.{figure}")).unwrap_or_else(|| "–".to_owned())
            }));
            rows.push(cells);
        }
    }
    (heads.to_vec(), rows)
}

#[cfg(test)]
mod tests {
    use super::super::plot::{HEIGHT, WIDTH};
    use super::*;
    use crate::report::fixture;
    use crate::scenario::Task;

    #[test]
    fn curves_stay_on_the_plane_and_end_where_the_rows_do() {
        let report = fixture::report(Task::Generate, true);
        let charts = distributions(&report);
        let titles: Vec<_> = charts.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(&titles[..3], ["Latency by percentile", "TTFT by percentile", "ITL by percentile"]);
        for chart in &charts {
            assert_eq!(chart.lines.len(), 2);
            assert!(chart.x_ticks.len() >= 3 && chart.y_ticks.len() >= 3, "{}", chart.title);
            assert_eq!((chart.x_ticks[0].word.as_str(), chart.x_ticks[1].word.as_str()), ("0 %", "50 %"));
            // Some hundred requests: nothing is known beyond 99.9 %. Of tokens there are thousands.
            let far = chart.x_ticks.iter().any(|tick| tick.word == "99.99 %");
            assert!(far == chart.title.starts_with("ITL by"), "{:?}", chart.x_ticks);
            for point in chart.lines.iter().flat_map(|line| line.path.split(' ')) {
                let point = point.trim_start_matches(['M', 'L']);
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{}: {point}", chart.title);
            }
        }
        assert!(distributions(&fixture::report(Task::Classify, true)).len() == 1, "whole answers have no first token");
    }

    #[test]
    fn the_table_tells_the_same() {
        let report = fixture::report(Task::Generate, true);
        let (heads, rows) = percentiles(&report);
        assert!(rows.iter().all(|row| row.len() == heads.len()), "{rows:?}");
        assert!(
            rows.len() >= 6 && rows[0][0].starts_with("Latency, ") && rows[1][0].ends_with("(stand-in)"),
            "{rows:?}"
        );
    }
}
