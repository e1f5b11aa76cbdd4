//! Lines drawn as SVG: what the page shows of distributions and of time. Numbers in, shapes out; no drawing crate.

use crate::report::{Report, human};

/// Size of the drawing's plane, in its own units; the page scales it.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
/// Room for the words at the left, the right, above and below.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BELOW: f64 = 30.0;

/// A drawing: lines on two axes.
pub(super) struct Chart {
    pub title: &'static str,
    pub about: &'static str,
    pub x_ticks: Vec<Tick>,
    pub y_ticks: Vec<Tick>,
    pub lines: Vec<Drawn>,
}

/// A word at an axis, and where.
pub(super) struct Tick {
    pub at: String,
    pub word: String,
}

/// A line, and whose it is.
pub(super) struct Drawn {
    /// Number of its colour.
    pub colour: usize,
    pub name: String,
    pub points: String,
}

/// Colours that the page has.
const COLOURS: usize = 4;

/// A target's points, in the axes' own units.
type Points = Vec<(f64, f64)>;

/// Latency by percentile, the axis stretched toward 100 %: where tails differ is where it matters.
pub(super) fn distribution(report: &Report) -> Option<Chart> {
    let curve = |at: usize| -> Points {
        let Some(packed) = report.histograms.iter().find(|h| h.target == at && h.metric == "latency") else {
            return Vec::new();
        };
        // Beyond 1 - 1/n there is but one request.
        let most = (packed.n() as f64).log10().clamp(0.0, 4.0);
        let xs: Vec<f64> = (0..=120).map(|i| most * f64::from(i) / 120.0).collect();
        let quantiles: Vec<f64> = xs.iter().map(|x| 1.0 - 10_f64.powf(-x)).collect();
        xs.into_iter().zip(packed.values_at(&quantiles)).collect()
    };
    let curves: Vec<Points> = (0..report.targets.len()).map(curve).collect();
    let words = [(0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
    let x_ticks = words.map(|(q, word)| (-f64::log10(1.0 - q), word.to_owned()));
    let title = "Latency by percentile";
    let about = "Of 100 requests, how many were answered within this time. The axis stretches toward the slowest.";
    draw(report, title, about, &curves, &x_ticks, human::time)
}

/// Answers in each second of the run.
pub(super) fn over_time(report: &Report) -> Option<Chart> {
    let mut all: Vec<Points> = vec![Vec::new(); report.targets.len()];
    for second in &report.timeline {
        if let Some(points) = all.get_mut(second.target) {
            points.push((second.t_s as f64, second.ok as f64));
        }
    }
    // The last second is cut short by the run's end, and would look like a fall.
    for points in &mut all {
        points.pop();
    }
    let last = all.iter().flatten().map(|(x, _)| *x).fold(0.0, f64::max);
    let step = nice(last / 6.0).max(1.0);
    let x_ticks: Vec<_> = (0..).map(|i| f64::from(i) * step).take_while(|x| *x <= last).collect();
    let x_ticks: Vec<_> = x_ticks.into_iter().map(|x| (x, format!("{x:.0} s"))).collect();
    let about = "Complete answers in each second since the start, warm-up included. A stall is a dip.";
    draw(report, "Answers per second", about, &all, &x_ticks, |y| format!("{y:.0}"))
}

/// Lays points of all targets onto one plane; `None` if there is no line to draw.
fn draw(
    report: &Report,
    title: &'static str,
    about: &'static str,
    all: &[Points],
    x_ticks: &[(f64, String)],
    y_word: impl Fn(f64) -> String,
) -> Option<Chart> {
    let flat = || all.iter().flatten();
    let (right, top) = flat().fold((0.0, 0.0), |(x, y): (f64, f64), point| (x.max(point.0), y.max(point.1)));
    if all.iter().all(|points| points.len() < 2) || !(right > 0.0 && top > 0.0 && right.is_finite() && top.is_finite())
    {
        return None;
    }
    let step = nice(top / 4.0);
    let top = (top / step).ceil() * step;
    let x = |x: f64| LEFT + x / right * (WIDTH - LEFT - RIGHT);
    let y = |y: f64| HEIGHT - BELOW - y / top * (HEIGHT - TOP - BELOW);
    let lines = all.iter().zip(&report.targets).enumerate().filter(|(_, (points, _))| points.len() > 1);
    let lines = lines.map(|(at, (points, target))| Drawn {
        colour: at % COLOURS,
        name: target.label(),
        points: points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect::<Vec<_>>().join(" "),
    });
    let ticks = (0..=20).map(|i| f64::from(i) * step).take_while(|tick| *tick <= top * 1.0001);
    Some(Chart {
        title,
        about,
        lines: lines.collect(),
        x_ticks: x_ticks
            .iter()
            .filter(|(at, _)| *at <= right)
            .map(|(at, word)| Tick { at: format!("{:.1}", x(*at)), word: word.clone() })
            .collect(),
        y_ticks: ticks
            .map(|tick| Tick {
                at: format!("{:.1}", y(tick)),
                word: if tick == 0.0 { "0".to_owned() } else { y_word(tick) },
            })
            .collect(),
    })
}

/// The next of 1, 2 and 5 times a power of ten.
fn nice(x: f64) -> f64 {
    if x <= 0.0 || !x.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(x.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= x * 0.9999).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::scenario::Task;

    #[test]
    fn steps_are_round() {
        for (x, want) in [(0.9, 1.0), (1.1, 2.0), (2.0, 2.0), (3.0, 5.0), (7.0, 10.0), (1234.0, 2000.0), (0.0, 1.0)] {
            assert!((nice(x) - want).abs() < 1e-9, "{x}: {}", nice(x));
        }
    }

    #[test]
    fn lines_stay_on_the_plane() {
        let report = fixture::report(Task::Generate, true);
        for chart in [distribution(&report), over_time(&report)] {
            let chart = chart.unwrap();
            assert_eq!(chart.lines.len(), 2);
            assert!(chart.x_ticks.len() >= 3 && chart.y_ticks.len() >= 3, "{}", chart.title);
            for point in chart.lines.iter().flat_map(|line| line.points.split(' ')) {
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{}: {point}", chart.title);
            }
        }
    }
}
