//! Lines drawn as SVG: what the page shows of distributions and of time. Numbers in, shapes out; no drawing crate.

use crate::report::{Report, human};
use crate::scenario::Order;
use std::collections::HashSet;

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
    /// An SVG path, with a new beginning after each gap.
    pub path: String,
}

/// Colours that the page has.
const COLOURS: usize = 4;

/// A target's points, in the axes' own units; a y that is no number leaves a gap.
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
    let asked: HashSet<(u64, usize)> =
        report.timeline.iter().filter(|second| second.sent > 0).map(|second| (second.t_s, second.target)).collect();
    let alone = report.plan.order != Order::Concurrent;
    for second in &report.timeline {
        // Not asked while another was: no stall, but that one's turn.
        let others = || (0..report.targets.len()).any(|at| at != second.target && asked.contains(&(second.t_s, at)));
        let waits = alone && second.sent == 0 && second.ok == 0 && others();
        if let Some(points) = all.get_mut(second.target) {
            points.push((second.t_s as f64, if waits { f64::NAN } else { second.ok as f64 }));
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
    let about = if alone {
        "Complete answers in each second since the start, warm-up included. A stall is a dip; where a line is broken, it was \
         another target's turn."
    } else {
        "Complete answers in each second since the start, warm-up included. A stall is a dip."
    };
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
        path: path(points.iter().map(|point| point.1.is_finite().then(|| (x(point.0), y(point.1))))),
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

/// Straight lines from point to point; none over a gap.
fn path(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let (mut words, mut pen_down) = (Vec::new(), false);
    for point in points {
        if let Some((x, y)) = point {
            words.push(format!("{}{x:.1},{y:.1}", if pen_down { "L" } else { "M" }));
        }
        pen_down = point.is_some();
    }
    words.join(" ")
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
    use crate::stats::Second;

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
            for point in chart.lines.iter().flat_map(|line| line.path.split(' ')) {
                let point = point.trim_start_matches(['M', 'L']);
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{}: {point}", chart.title);
            }
        }
    }
    #[test]
    fn a_target_that_waits_for_its_turn_has_a_gap_and_one_that_stalls_has_none() {
        let mut report = fixture::report(Task::Generate, true);
        let second = |t_s, target, sent| Second { t_s, target, sent, ok: sent, ..Second::default() };
        // The first: asked, silent, asked, then the other's turn, then asked again.
        report.timeline = [4, 0, 4, 0, 4, 4, 4].into_iter().zip(0..).map(|(sent, t_s)| second(t_s, 0, sent)).collect();
        report.timeline.extend([0, 0, 0, 4, 0, 0, 0].into_iter().zip(0..).map(|(sent, t_s)| second(t_s, 1, sent)));
        let lines = |report: &Report| -> Vec<(usize, usize)> {
            let chart = over_time(report).unwrap();
            let count = |line: &Drawn, letter| line.path.matches(letter).count();
            chart.lines.iter().map(|line| (count(line, 'M'), count(line, 'L'))).collect()
        };
        assert_eq!(lines(&report), [(1, 5), (1, 5)]);
        report.plan.order = Order::Alternate;
        assert_eq!(lines(&report), [(2, 3), (2, 0)]);
    }
}
