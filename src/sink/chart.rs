//! What the page of a run draws: distributions, and time.

use super::plot::{Axis, Chart, Scale, Series, nice, plot};
use crate::report::{Report, human};
use crate::scenario::Order;
use std::collections::{BTreeMap, HashSet};

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
    let x_ticks = time_ticks(&all);
    let about = if alone {
        "Complete answers in each second since the start, warm-up included. A stall is a dip; where a line is broken, it was \
         another target's turn."
    } else {
        "Complete answers in each second since the start, warm-up included. A stall is a dip."
    };
    draw(report, "Answers per second", about, all, &x_ticks, |y| format!("{y:.0}"))
}

/// Most points of a line: more are no more to be seen.
const MOST_POINTS: u64 = 240;

/// Median latency over a soak: of each of 240 stretches the median of its seconds'. Nothing, where it was no soak.
pub(super) fn latency_over_time(report: &Report) -> Option<Chart> {
    report.soak.as_ref()?;
    let of = |at: usize| {
        let seconds = report.timeline.iter().filter(|second| second.target == at);
        thinned(seconds.filter_map(|second| Some((second.t_s as f64, second.latency_p50_us?))).collect())
    };
    let all: Vec<Points> = (0..report.targets.len()).map(of).collect();
    let about = "Medians of the answers' latency, of each second's or, in a long run, of a few seconds' medians.";
    draw(report, "Latency over time", about, all.clone(), &time_ticks(&all), human::time)
}

/// Cores that each target's processes kept busy over the run.
pub(super) fn cores(report: &Report) -> Option<Chart> {
    let of = |name: &str| thinned(report.levels.cores_of(name).to_vec());
    let all: Vec<Points> = report.targets.iter().map(|target| of(&target.name)).collect();
    let about = "Cores that each engine's processes kept busy, with all they started, warm-up and drain included.";
    draw(report, "Processor", about, all.clone(), &time_ticks(&all), |cores| {
        format!("{} cores", (cores * 1e6).round() / 1e6)
    })
}

/// Memory of each target's processes over the run.
pub(super) fn memory(report: &Report) -> Option<Chart> {
    let of = |name: &str| thinned(report.levels.memory_of(name).to_vec());
    let all: Vec<Points> = report.targets.iter().map(|target| of(&target.name)).collect();
    let about = "Resident memory of each engine's processes; what several of them share counts for each.";
    draw(report, "Memory", about, all.clone(), &time_ticks(&all), |bytes| human::bytes(bytes as u64))
}

/// Few enough points to be drawn, each the median of its stretch of time.
fn thinned(points: Points) -> Points {
    let last = points.iter().map(|(x, _)| *x).fold(0.0, f64::max);
    let step = last / MOST_POINTS as f64;
    if points.len() as u64 <= MOST_POINTS || step <= 0.0 {
        return points;
    }
    let mut stretches: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (x, y) in points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()) {
        stretches.entry((x / step) as u64).or_default().push(y);
    }
    let median = |mut ys: Vec<f64>| {
        ys.sort_unstable_by(f64::total_cmp);
        ys[ys.len() / 2]
    };
    stretches.into_iter().map(|(at, ys)| ((at as f64 + 0.5) * step, median(ys))).collect()
}

/// Round times along an axis of seconds.
fn time_ticks(all: &[Points]) -> Vec<(f64, String)> {
    let last = all.iter().flatten().map(|(x, _)| *x).fold(0.0, f64::max);
    let (unit, word) = match last {
        last if last > 3.0 * 3600.0 => (3600.0, "h"),
        last if last > 300.0 => (60.0, "min"),
        _ => (1.0, "s"),
    };
    let step = nice(last / unit / 6.0).max(1.0);
    let ticks = (0..).map(|i| f64::from(i) * step).take_while(|x| x * unit <= last);
    ticks.map(|x| (x * unit, format!("{x:.0} {word}"))).collect()
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
    use crate::host::Usage;
    use crate::report::Levels;
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
        let mut levels = Levels::default();
        for second in 0..20_u32 {
            let t_s = f64::from(second);
            let row = Usage { t_s, who: report.targets[1].name.clone(), rss_bytes: Some(1 << 28), ..Usage::default() };
            levels.push(&Usage { cpu_cores: (second > 0).then_some(0.5), ..row });
        }
        report.levels = levels;
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
