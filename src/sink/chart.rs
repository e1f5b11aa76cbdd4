//! What the page of a run draws: distributions, and time.

use super::plot::{Axis, Chart, Scale, Series, nice, plot};
use crate::host::Point;
use crate::report::{Report, human};
use crate::scenario::Order;
use std::collections::HashSet;

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
    draw(report, title, about, curves, &x_ticks, human::time)
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
    let x_ticks = seconds(&all);
    let about = if alone {
        "Complete answers in each second since the start, warm-up included. A stall is a dip; where a line is broken, it was \
         another target's turn."
    } else {
        "Complete answers in each second since the start, warm-up included. A stall is a dip."
    };
    draw(report, "Answers per second", about, all, &x_ticks, |y| format!("{y:.0}"))
}

/// Ticks for seconds since the run's start.
fn seconds(all: &[Points]) -> Vec<(f64, String)> {
    let last = all.iter().flatten().map(|(x, _)| *x).fold(0.0, f64::max);
    let step = nice(last / 6.0).max(1.0);
    let ticks = (0..).map(|i| f64::from(i) * step).take_while(|x| *x <= last);
    ticks.map(|x| (x, format!("{x:.0} s"))).collect()
}

/// Cores that each engine's processes kept busy.
pub(super) fn cores(report: &Report) -> Option<Chart> {
    let about = "Cores that each engine's processes kept busy, with all they started, warm-up and drain included.";
    used(report, "Processor", about, |point| point.cpu_cores, |cores| format!("{} cores", (cores * 1e6).round() / 1e6))
}

/// Memory that each engine's processes held.
pub(super) fn memory(report: &Report) -> Option<Chart> {
    const MIB: f64 = 1_048_576.0;
    let about = "Resident memory of each engine's processes; what several of them share counts for each.";
    let mib = |point: &Point| point.rss_bytes.map(|bytes| bytes as f64 / MIB);
    used(report, "Memory", about, mib, |mib| format!("{mib:.0} MiB"))
}

/// What each engine's processes used over the run.
fn used(
    report: &Report,
    title: &str,
    about: &str,
    value: impl Fn(&Point) -> Option<f64>,
    word: impl Fn(f64) -> String,
) -> Option<Chart> {
    let of = |points: &Vec<Point>| points.iter().filter_map(|point| Some((point.t_s, value(point)?))).collect();
    let all: Vec<Points> = report.course.iter().map(of).collect();
    let x_ticks = seconds(&all);
    draw(report, title, about, all, &x_ticks, word)
}

/// Points of all targets on one plane; `None` if there is no line to draw.
fn draw(
    report: &Report,
    title: &str,
    about: &str,
    all: Vec<Points>,
    x_ticks: &[(f64, String)],
    y_word: impl Fn(f64) -> String,
) -> Option<Chart> {
    let lines = all.into_iter().zip(&report.targets).enumerate().filter(|(_, (points, _))| points.len() > 1);
    let lines = lines.map(|(colour, (points, target))| Series {
        name: target.label(),
        colour,
        points,
        joined: true,
        ..Series::default()
    });
    let x = Axis { scale: Scale::Linear, ticks: Some(x_ticks.to_vec()), word: &|x| x.to_string() };
    let y = Axis { scale: Scale::Linear, ticks: None, word: &y_word };
    plot(title, about, &x, &y, lines.collect())
}

#[cfg(test)]
mod tests {
    use super::super::plot::{Drawn, HEIGHT, WIDTH};
    use super::*;
    use crate::host::{Course, Usage};
    use crate::report::fixture;
    use crate::scenario::Task;
    use crate::stats::Second;

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
    fn what_processes_used_is_drawn_where_it_is_known() {
        let mut report = fixture::report(Task::Generate, true);
        assert!(cores(&report).is_none() && memory(&report).is_none());
        let mut course = Course::new(report.targets.iter().map(|target| target.name.clone()).collect());
        for second in 0..20_u32 {
            let t_s = f64::from(second);
            let row = Usage { t_s, who: report.targets[1].name.clone(), rss_bytes: Some(1 << 28), ..Usage::default() };
            course.push(&Usage { cpu_cores: (second > 0).then_some(0.5), ..row });
        }
        report.course = course.finish();
        let (cores, memory) = (cores(&report).unwrap(), memory(&report).unwrap());
        assert_eq!((cores.lines.len(), memory.lines.len()), (1, 1), "nothing is drawn of the first");
        assert_eq!(cores.lines[0].path.matches('L').count(), 18, "the first row tells no rate");
        assert_eq!(cores.lines[0].colour, 1, "a target keeps its colour");
        assert!(memory.y_ticks.iter().any(|tick| tick.word.ends_with("MiB")), "{:?}", memory.y_ticks);
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
