//! What the page of a run draws over time: the load and, under it, what the machine's processes used, on one axis.

use super::plot::{Axis, AxisLayout, COLOURS, Scale, Tick, lay, nice, path, placed};
use crate::report::{Report, human};
use crate::scenario::Order;
use crate::stats::Second;
use std::collections::BTreeMap;

/// A line's points: seconds since the start and a value; one that is no number leaves a gap.
type Points = Vec<(f64, f64)>;

/// Height of a panel's plane, and of the words above it.
const PLANE: f64 = 92.0;
const WORDS: f64 = 40.0;
/// Room for the times below all panels.
const BELOW: f64 = 26.0;

/// Numbers of the colours of those who are no target.
const OTHERS: usize = COLOURS;
const LOADCMP: usize = COLOURS + 1;

/// Panels under each other on one axis of time.
#[derive(Debug)]
pub(super) struct TimeChart {
    pub height: f64,
    /// Where the plane of the last panel ends.
    pub foot: f64,
    pub about: String,
    /// Colours with whose they are.
    pub key: Vec<(usize, String)>,
    pub panels: Vec<Panel>,
    pub x_ticks: Vec<Tick>,
    /// Stretches that are not measured: x and width.
    pub outside: Vec<(String, String)>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Panel {
    pub name: String,
    /// Where its words stand, and where its plane begins and ends.
    pub name_at: f64,
    pub top: f64,
    pub bottom: f64,
    pub y_ticks: Vec<Tick>,
    pub lines: Vec<Line>,
}

/// A line of a panel.
#[derive(Debug)]
pub(super) struct Line {
    pub colour: usize,
    /// An SVG path.
    pub path: String,
    /// Whether it is a second line of the same, and drawn thinner.
    pub thin: bool,
}

/// A line as it is asked for: its colour, its points, and whether it is a second one of the same.
type AskedLine = (usize, Points, bool);

/// A panel as it is asked for.
struct PanelPlan {
    name: &'static str,
    lines: Vec<AskedLine>,
    /// Whether each point is a bar from the floor.
    bars: bool,
    word: Box<dyn Fn(f64) -> String>,
}

/// The run over time; `None` of a run without a second to draw.
pub(super) fn timeline(report: &Report) -> Option<TimeChart> {
    let last = last_second(report)?;
    let x = AxisLayout::over(last);
    let mut panels: Vec<Panel> = Vec::new();
    let mut used: Vec<usize> = Vec::new();
    for one in asked(report) {
        let top = panels.len() as f64 * (PLANE + WORDS) + WORDS;
        if let Some(panel) = panel(&one, &x, top, last) {
            used.extend(panel.lines.iter().map(|line| line.colour));
            panels.push(panel);
        }
    }
    let foot = panels.last()?.bottom;
    let names = report.targets.iter().enumerate().map(|(at, target)| (at % COLOURS, target.label()));
    let more = [(OTHERS, "other processes"), (LOADCMP, "loadcmp")];
    let key = names.chain(more.map(|(colour, name)| (colour, name.to_owned())));
    Some(TimeChart {
        height: foot + BELOW,
        foot,
        about: about(report),
        key: key.filter(|(at, _)| used.contains(at)).collect(),
        panels,
        x_ticks: placed(&x, time_ticks(last)),
        outside: outside(report, last, &x),
    })
}

/// The panels, from the load down to the machine.
fn asked(report: &Report) -> [PanelPlan; 6] {
    let all = 0..report.targets.len();
    let each = |of: &dyn Fn(usize) -> Points, thin| -> Vec<AskedLine> {
        all.clone().map(|at| (at % COLOURS, of(at), thin)).collect()
    };
    let levels = &report.levels;
    let name = |at: usize| report.targets[at].name.as_str();
    let plain = || Box::new(trimmed) as Box<dyn Fn(f64) -> String>;
    let mut latency = each(&|at| seconds(report, at, |second| second.latency_p50_us), false);
    latency.extend(each(&|at| seconds(report, at, |second| second.latency_p95_us), true));
    let mut cores = each(&|at| levels.cores_of(name(at)).to_vec(), false);
    cores.push((OTHERS, levels.others.clone(), false));
    cores.push((LOADCMP, levels.cores_of("loadcmp").to_vec(), false));
    let held = each(&|at| levels.memory_of(name(at)).to_vec(), false);
    let panel = |name, lines, bars, word| PanelPlan { name, lines, bars, word };
    [
        panel("answers per second", each(&|at| answers(report, at), false), false, plain()),
        panel("latency: median, and p95 (thin)", latency, false, Box::new(human::time)),
        panel("failed requests per second", each(&|at| errors(report, at), false), true, plain()),
        panel("CPU: cores in use", cores, false, plain()),
        memory("memory of the engines' processes", held),
        memory("available memory of the machine", vec![(OTHERS, levels.available.clone(), false)]),
    ]
}

/// A panel of memory, in a unit in which round numbers are round.
fn memory(name: &'static str, mut lines: Vec<AskedLine>) -> PanelPlan {
    let most = lines.iter().flat_map(|(_, points, _)| points).map(|(_, y)| *y).fold(0.0, f64::max);
    let (size, unit) =
        if most >= f64::from(1 << 30) { (f64::from(1 << 30), "GiB") } else { (f64::from(1 << 20), "MiB") };
    lines.iter_mut().flat_map(|(_, points, _)| points).for_each(|(_, y)| *y /= size);
    PanelPlan { name, lines, bars: false, word: Box::new(move |y| format!("{} {unit}", trimmed(y))) }
}

/// A number without binary noise.
fn trimmed(y: f64) -> String {
    ((y * 1e6).round() / 1e6).to_string()
}

/// What is to be known of it.
fn about(report: &Report) -> String {
    let mut about = "Seconds since the start; grey: warm-up or drain, not measured.".to_owned();
    if report.timeline.iter().all(|second| second.errors == 0) {
        about.push_str(" No request failed.");
    }
    if alone(report) {
        about.push_str(" Gaps in a line: another target's turn.");
    }
    if report.levels.cores.is_empty() {
        about.push_str(" Resource use of the processes was not read.");
    }
    about.push_str(" Data: timeline.csv and resources.csv.");
    about
}

/// Whether targets take turns.
fn alone(report: &Report) -> bool {
    report.plan.order != Order::Concurrent && report.targets.len() > 1
}

/// The end of the axis.
fn last_second(report: &Report) -> Option<f64> {
    let load = report.timeline.iter().map(|second| second.t_s as f64 + 1.0);
    let cores = report.levels.cores.values().flatten().map(|(t_s, _)| *t_s);
    Some(load.chain(cores).fold(0.0, f64::max)).filter(|last| *last > 0.0 && last.is_finite())
}

/// One figure of a target's seconds, each in the second's middle. What wasn't measured in a second leaves a gap.
fn seconds(report: &Report, at: usize, of: impl Fn(&Second) -> Option<f64>) -> Points {
    let own = report.timeline.iter().filter(|second| second.target == at);
    own.map(|second| (second.t_s as f64 + 0.5, of(second).unwrap_or(f64::NAN))).collect()
}

/// A target's answers per second; a stall is a dip, and another's turn is none. A second that was driven in part, as at the
/// edges of blocks and of the run, counts by that part.
fn answers(report: &Report, at: usize) -> Points {
    seconds(report, at, |second| second.answers_per_s)
}

/// A target's failed requests in each second that has one, the targets beside each other.
fn errors(report: &Report, at: usize) -> Points {
    let own = report.timeline.iter().filter(|second| second.target == at && second.errors > 0);
    own.map(|second| (second.t_s as f64 + 0.5, second.errors as f64)).collect()
}

/// Most points of a line: more are no more to be seen.
const MOST_POINTS: usize = 240;

/// Few enough points to be drawn: of each stretch of time the median, of bars the highest. A stretch without a number stays
/// a gap.
fn thinned(points: &[(f64, f64)], last: f64, bars: bool) -> Points {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let step = last / MOST_POINTS as f64;
    let mut stretches: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (x, y) in points {
        stretches.entry((x / step) as u64).or_default().push(*y);
    }
    let one = |ys: Vec<f64>| {
        let mut ys: Vec<f64> = ys.into_iter().filter(|y| y.is_finite()).collect();
        ys.sort_unstable_by(f64::total_cmp);
        let at = if bars { ys.len().saturating_sub(1) } else { ys.len() / 2 };
        ys.get(at).copied().unwrap_or(f64::NAN)
    };
    stretches.into_iter().map(|(at, ys)| ((at as f64 + 0.5) * step, one(ys))).collect()
}

/// Lays a panel's lines; `None` if there is nothing above zero to draw.
fn panel(asked: &PanelPlan, x: &AxisLayout, top: f64, last: f64) -> Option<Panel> {
    let all: Vec<(usize, Points, bool)> =
        asked.lines.iter().map(|(colour, points, thin)| (*colour, thinned(points, last, asked.bars), *thin)).collect();
    let values: Vec<f64> = all.iter().flat_map(|(_, points, _)| points).map(|(_, y)| *y).collect();
    let axis = Axis { scale: Scale::Linear, ticks: None, word: &asked.word };
    let (y, ticks) = lay(&axis, &values, (top + PLANE, top), Some(3.0))?;
    let place = |(a, b): &(f64, f64)| y.holds(*b).then(|| (x.at(*a), y.at(*b)));
    let several = all.iter().filter(|(_, points, _)| !points.is_empty()).count() > 1;
    let lines = all.iter().filter(|(_, points, _)| points.iter().any(|(_, y)| y.is_finite()));
    let lines = lines.map(|(colour, points, thin)| {
        let path = if asked.bars {
            // Beside each other, so that none hides another.
            let aside = if several { (*colour as f64 - 0.5) * 3.0 } else { 0.0 };
            let bars = points.iter().filter_map(place);
            bars.map(|(a, b)| format!("M{0:.1},{1:.1} L{0:.1},{b:.1}", a + aside, top + PLANE))
                .collect::<Vec<_>>()
                .join(" ")
        } else {
            path(points.iter().map(place))
        };
        Line { colour: *colour, path, thin: *thin }
    });
    Some(Panel {
        name: asked.name.to_owned(),
        name_at: top - 12.0,
        top,
        bottom: top + PLANE,
        y_ticks: placed(&y, ticks),
        lines: lines.collect(),
    })
}

/// What lies before the first measured window and after the last.
fn outside(report: &Report, last: f64, x: &AxisLayout) -> Vec<(String, String)> {
    let windows = || report.targets.iter().filter_map(|target| target.window);
    let from = windows().map(|window| window.from.seconds()).fold(f64::INFINITY, f64::min);
    let to = windows().map(|window| window.to.seconds()).fold(0.0, f64::max);
    if !from.is_finite() {
        return Vec::new();
    }
    let stretches = [(0.0, from.min(last)), (to.min(last), last)];
    let drawn = stretches.into_iter().filter(|(a, b)| x.at(*b) - x.at(*a) >= 1.0);
    drawn.map(|(a, b)| (format!("{:.1}", x.at(a)), format!("{:.1}", x.at(b) - x.at(a)))).collect()
}

/// Round times along an axis of seconds.
fn time_ticks(last: f64) -> Vec<(f64, String)> {
    let (unit, word) = match last {
        last if last > 3.0 * 3600.0 => (3600.0, "h"),
        last if last > 300.0 => (60.0, "min"),
        _ => (1.0, "s"),
    };
    let step = nice(last / unit / 6.0).max(1.0);
    let ticks = (0..).map(|i| f64::from(i) * step).take_while(|x| x * unit <= last);
    ticks.map(|x| (x * unit, format!("{x:.0} {word}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Usage;
    use crate::report::{Levels, fixture};
    use crate::scenario::Task;

    fn panel<'a>(chart: &'a TimeChart, name: &str) -> &'a Panel {
        let found = chart.panels.iter().find(|panel| panel.name.starts_with(name));
        found.unwrap_or_else(|| panic!("{name}: {:?}", chart.panels))
    }

    #[test]
    fn load_and_what_processes_used_share_one_axis() {
        let mut report = fixture::report(Task::Generate, true);
        report.timeline.iter_mut().for_each(|second| second.errors = 0);
        let chart = timeline(&report).unwrap();
        assert_eq!(chart.panels.len(), 2, "answers and latency; no request failed, and nothing was read of processes");
        assert!(chart.about.contains("No request failed") && chart.about.contains("was not read"), "{}", chart.about);
        let mut levels = Levels::default();
        for second in 0..20_u32 {
            let t_s = f64::from(second);
            let row = Usage { t_s, who: report.targets[1].name.clone(), rss_bytes: Some(1 << 28), ..Usage::default() };
            levels.push(&Usage { cpu_cores: (second > 0).then_some(0.5), ..row });
            let host = Usage { t_s, who: "host".to_owned(), available_bytes: Some(1 << 30), ..Usage::default() };
            levels.push(&Usage { other_cores: (second > 0).then_some(0.2), ..host });
        }
        report.levels = levels;
        report.timeline[3].errors = 2;
        let chart = timeline(&report).unwrap();
        let names: Vec<_> = chart.panels.iter().map(|panel| panel.name.split([':', ' ']).next().unwrap()).collect();
        assert_eq!(names, ["answers", "latency", "failed", "CPU", "memory", "available"]);
        assert_eq!(panel(&chart, "failed").lines[0].path.matches('L').count(), 1);
        let cores = panel(&chart, "CPU");
        let drawn: Vec<_> = cores.lines.iter().map(|line| (line.colour, line.path.matches('L').count())).collect();
        assert_eq!(drawn, [(1, 18), (OTHERS, 18)], "the first row tells no rate; a target keeps its colour");
        assert!(chart.key.iter().any(|(colour, name)| *colour == OTHERS && name.starts_with("other processes")));
        assert!(chart.panels.windows(2).all(|two| two[0].bottom < two[1].top), "{chart:?}");
        assert_eq!(chart.outside.len(), 2, "warm-up and drain: {:?}", chart.outside);
    }

    #[test]
    fn a_target_that_waits_for_its_turn_has_a_gap_and_one_that_stalls_has_none() {
        let mut report = fixture::report(Task::Generate, true);
        // Driven, half driven, silent though driven, then the other's turn, then driven again.
        let own = [(12, 1.0), (6, 0.5), (0, 1.0), (0, 0.0), (0, 0.1), (12, 1.0), (3, 0.25)];
        let second = |(t_s, (ok, driven)): (u64, (u64, f64))| {
            let answers_per_s = (driven > 0.33).then(|| ok as f64 / driven);
            Second { t_s, target: 0, sent: ok, ok, driven, answers_per_s, ..Second::default() }
        };
        report.timeline = (0..).zip(own).map(second).collect();
        let chart = timeline(&report).unwrap();
        let path = &panel(&chart, "answers").lines[0].path;
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 2), "{path}");
        let heights: Vec<&str> = path.split(' ').filter_map(|point| point.split(',').nth(1)).collect();
        assert_eq!(heights[0], heights[1], "the half second is no drop: {path}");
        assert!(heights[2] != heights[0] && path.ends_with(&format!("{} h3", heights[0])), "{path}");
    }

    #[test]
    fn an_hour_is_drawn_by_few_points_and_keeps_its_gaps_and_its_worst_second() {
        let points: Points =
            (0..3600).map(|s| (f64::from(s), if s < 60 { f64::NAN } else { f64::from(s % 7) })).collect();
        let few = thinned(&points, 3600.0, false);
        assert_eq!(few.len(), MOST_POINTS);
        assert!(few[0].1.is_nan() && few[5].1 == 3.0, "{few:?}");
        assert!(thinned(&points, 3600.0, true)[5].1 == 6.0);
    }
}
