//! Points laid onto a plane as SVG shapes: lines, dots and bands on axes that are straight or logarithmic. Numbers in,
//! shapes out; `templates/chart.html` draws them, in the page's colours.

/// Size of the drawing's plane, in its own units; the page scales it.
pub(super) const WIDTH: f64 = 720.0;
pub(super) const HEIGHT: f64 = 260.0;
/// Room for the words at the left, the right, above and below.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BELOW: f64 = 30.0;

/// Colours that the page has.
pub(super) const COLOURS: usize = 4;

/// A drawing: lines on two axes.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// What names it inside the page.
    pub id: String,
    pub title: String,
    pub about: String,
    pub x_ticks: Vec<Tick>,
    pub y_ticks: Vec<Tick>,
    pub lines: Vec<Drawn>,
    /// What the marks of points mean; empty where all are dots.
    pub marks: Vec<(Mark, &'static str)>,
}

/// A word at an axis, and where.
#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub at: String,
    pub word: String,
}

/// A line as it is drawn, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    /// Number of its colour.
    pub colour: usize,
    pub name: String,
    /// Whether its points are joined: `path` is drawn.
    pub joined: bool,
    /// An SVG path, with a new beginning after each gap.
    pub path: String,
    /// The outline of its band, an SVG path; empty without one.
    pub band: String,
    pub dots: Vec<Dot>,
}

/// A point that is marked.
#[derive(Clone, Debug)]
pub(super) struct Dot {
    pub x: String,
    pub y: String,
    pub mark: Mark,
    /// What it says when it is pointed at.
    pub word: String,
}

/// How a point is marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    /// A dot.
    #[default]
    Dot,
    /// A ring: what it stands for is to be read with care.
    Ring,
    /// A cross: it failed, or is an outlier.
    Cross,
}

impl Mark {
    /// A ring where something is to be read with care, else a dot.
    pub fn ring(care: bool) -> Self {
        if care { Mark::Ring } else { Mark::Dot }
    }

    /// For the template.
    pub fn is_ring(self) -> bool {
        self == Mark::Ring
    }

    /// For the template.
    pub fn is_cross(self) -> bool {
        self == Mark::Cross
    }
}

/// How an axis runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero on.
    Linear,
    /// From the least positive value on; what is not positive has no place on it.
    Log,
    /// From the least value to the most: small differences show, and lengths on it mean nothing.
    Close,
}

/// An axis.
pub(super) struct Axis<'a> {
    pub scale: Scale,
    /// Ticks and their words; `None` chooses round numbers and words them by `word`.
    pub ticks: Option<Vec<(f64, String)>>,
    pub word: &'a dyn Fn(f64) -> String,
}

/// A line to be drawn, in the axes' own units.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub name: String,
    /// Number of its colour; counted round.
    pub colour: usize,
    /// Its points; a y that is no number leaves a gap.
    pub points: Vec<(f64, f64)>,
    /// Whether they are joined by a line.
    pub joined: bool,
    /// x, low and high of a band around it.
    pub band: Vec<(f64, f64, f64)>,
    /// Points to be marked: x, y, how, and what they say.
    pub dots: Vec<(f64, f64, Mark, String)>,
}

/// A title as a name inside the page: `Latency by percentile` is `latency-by-percentile`.
pub(super) fn id(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// Where an axis begins and ends, and how its values are laid between.
pub(super) struct AxisLayout {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl AxisLayout {
    /// An axis of time from the run's start to `last`.
    pub fn over(last: f64) -> Self {
        Self { scale: Scale::Linear, low: 0.0, high: last, from: LEFT, to: WIDTH - RIGHT }
    }

    pub fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear | Scale::Close => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + share * (self.to - self.from)
    }

    /// Whether a tick lies on it, but for the last digits.
    fn reaches(&self, tick: f64) -> bool {
        let slack = (self.high - self.low) * 1e-4;
        (self.low - slack..=self.high + slack).contains(&tick)
    }

    pub fn holds(&self, value: f64) -> bool {
        value.is_finite() && (self.scale != Scale::Log || value > 0.0)
    }
}

/// Lays series onto one plane; `None` if there is no line to draw: none with two points, or nothing above zero.
pub(super) fn plot(title: &str, about: &str, x: &Axis, y: &Axis, series: Vec<Series>) -> Option<Chart> {
    let mut xs: Vec<f64> = Vec::new();
    let mut ys: Vec<f64> = Vec::new();
    for one in &series {
        for (a, b) in one.points.iter().copied().chain(one.dots.iter().map(|dot| (dot.0, dot.1))) {
            xs.push(a);
            ys.push(b);
        }
        for (a, low, high) in &one.band {
            xs.push(*a);
            ys.extend([*low, *high]);
        }
    }
    let drawable = |one: &Series| one.points.len() + one.dots.len() > 1;
    if !series.iter().any(drawable) {
        return None;
    }
    let (x_laid, x_ticks) = lay(x, &xs, (LEFT, WIDTH - RIGHT), None)?;
    let (y_laid, y_ticks) = lay(y, &ys, (HEIGHT - BELOW, TOP), Some(4.0))?;
    let place = |a: f64, b: f64| (x_laid.holds(a) && y_laid.holds(b)).then(|| (x_laid.at(a), y_laid.at(b)));
    let lines = series.into_iter().filter(drawable).map(|one| {
        let dots = one.dots.iter().filter_map(|(a, b, mark, word)| {
            let (x, y) = place(*a, *b)?;
            Some(Dot { x: format!("{x:.1}"), y: format!("{y:.1}"), mark: *mark, word: word.clone() })
        });
        let edge = one.band.iter().map(|(a, low, _)| place(*a, *low));
        let back = one.band.iter().rev().map(|(a, _, high)| place(*a, *high));
        let band: Vec<(f64, f64)> = edge.chain(back).flatten().collect();
        Drawn {
            colour: one.colour % COLOURS,
            joined: one.joined,
            path: path(one.points.iter().map(|(a, b)| place(*a, *b))),
            band: if band.len() > 2 { format!("{} Z", path(band.into_iter().map(Some))) } else { String::new() },
            dots: dots.collect(),
            name: one.name,
        }
    });
    Some(Chart {
        id: id(title),
        title: title.to_owned(),
        about: about.to_owned(),
        lines: lines.collect(),
        x_ticks: placed(&x_laid, x_ticks),
        y_ticks: placed(&y_laid, y_ticks),
        marks: Vec::new(),
    })
}

/// Ticks where they lie on their axis; those beyond it are left out.
pub(super) fn placed(laid: &AxisLayout, ticks: Vec<(f64, String)>) -> Vec<Tick> {
    let kept = ticks.into_iter().filter(|(at, _)| laid.reaches(*at));
    kept.map(|(at, word)| Tick { at: format!("{:.1}", laid.at(at)), word }).collect()
}

/// An axis over its values, and its ticks; `None` without a value above zero. `round` carries a straight axis on to the next
/// tick, of about so many.
pub(super) fn lay(
    axis: &Axis,
    values: &[f64],
    (from, to): (f64, f64),
    round: Option<f64>,
) -> Option<(AxisLayout, Vec<(f64, String)>)> {
    if axis.scale == Scale::Close {
        return close(axis, values, (from, to));
    }
    let fit = |value: &&f64| value.is_finite() && **value > 0.0;
    let high = values.iter().filter(fit).copied().fold(0.0, f64::max);
    let least = values.iter().filter(fit).copied().fold(f64::INFINITY, f64::min);
    if high <= 0.0 {
        return None;
    }
    let (low, high, chosen) = match axis.scale {
        Scale::Linear => {
            let step = nice(high / round.unwrap_or(6.0));
            let high = if round.is_some() { (high / step).ceil() * step } else { high };
            let ticks = (0..=20).map(|i| f64::from(i) * step).take_while(|tick| *tick <= high * 1.0001);
            (0.0, high, ticks.collect::<Vec<_>>())
        }
        Scale::Log => {
            // One value alone has an axis of a decade around it.
            let (low, high) = if high / least < 1.2 { (least / 2.0, high * 2.0) } else { (least, high) };
            (low, high, decades(low, high))
        }
        Scale::Close => return None,
    };
    let word = |tick: f64| if tick == 0.0 { "0".to_owned() } else { (axis.word)(tick) };
    let ticks = axis.ticks.clone().unwrap_or_else(|| chosen.into_iter().map(|tick| (tick, word(tick))).collect());
    Some((AxisLayout { scale: axis.scale, low, high, from, to }, ticks))
}

/// An axis around its values, with round ticks between them.
fn close(axis: &Axis, values: &[f64], (from, to): (f64, f64)) -> Option<(AxisLayout, Vec<(f64, String)>)> {
    let kept = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = kept().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    if low > high {
        return None;
    }
    // One value alone stands in the middle.
    let room = if high > low { (high - low) * 0.04 } else { (high.abs() * 0.05).max(1e-9) };
    let (low, high) = (low - room, high + room);
    let step = nice((high - low) / 4.0);
    let first = (low / step).ceil();
    let ticks = (0..20).map(|i| (first + f64::from(i)) * step).take_while(|tick| *tick <= high);
    let ticks = axis.ticks.clone().unwrap_or_else(|| ticks.map(|tick| (tick, (axis.word)(tick))).collect());
    Some((AxisLayout { scale: axis.scale, low, high, from, to }, ticks))
}

/// Round values between two ends: 1, 2 and 5 times each power of ten over up to two decades, powers of ten over more.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let steps: &[f64] = if high / low <= 200.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let all = (first..=last).flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
    all.filter(|tick| (low * 0.9999..=high * 1.0001).contains(tick)).collect()
}

/// Straight lines from point to point; none over a gap. A point between two gaps is a short line, so that it is seen.
pub(super) fn path(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let mut words = Vec::new();
    let mut run: Vec<(f64, f64)> = Vec::new();
    for point in points.chain([None]) {
        if let Some(point) = point {
            run.push(point);
            continue;
        }
        match run.as_slice() {
            [(x, y)] => words.push(format!("M{:.1},{y:.1} h3", x - 1.5)),
            run => {
                let letter = |at| if at == 0 { "M" } else { "L" };
                words.extend(run.iter().enumerate().map(|(at, (x, y))| format!("{}{x:.1},{y:.1}", letter(at))));
            }
        }
        run.clear();
    }
    words.join(" ")
}

/// The next of 1, 2 and 5 times a power of ten.
pub(super) fn nice(x: f64) -> f64 {
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

    #[test]
    fn steps_are_round() {
        for (x, want) in [(0.9, 1.0), (1.1, 2.0), (2.0, 2.0), (3.0, 5.0), (7.0, 10.0), (1234.0, 2000.0), (0.0, 1.0)] {
            assert!((nice(x) - want).abs() < 1e-9, "{x}: {}", nice(x));
        }
        assert_eq!(decades(1.0, 100.0), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(decades(3.0, 40_000.0), [10.0, 100.0, 1000.0, 10_000.0]);
    }

    fn drawn(scale: Scale, series: Vec<Series>) -> Option<Chart> {
        let word = |x: f64| format!("{x}");
        let axis = || Axis { scale, ticks: None, word: &word };
        plot("t", "a", &axis(), &axis(), series)
    }

    #[test]
    fn a_logarithmic_plane_spreads_decades_evenly_and_has_no_place_for_zero() {
        let points = vec![(1.0, 10.0), (10.0, 100.0), (100.0, 0.0), (100.0, 1000.0)];
        let chart = drawn(Scale::Log, vec![Series { points, joined: true, ..Series::default() }]).unwrap();
        assert_eq!(chart.lines[0].path, "M64.0,230.0 L386.0,121.0 M706.5,12.0 h3");
        assert!(chart.x_ticks.iter().any(|tick| tick.at == "386.0" && tick.word == "10"), "{:?}", chart.x_ticks);
        let one = vec![(5.0, 5.0), (5.0, 5.0)];
        let chart = drawn(Scale::Log, vec![Series { points: one, ..Series::default() }]).unwrap();
        assert_eq!(chart.lines[0].path, "M386.0,121.0 L386.0,121.0");
    }

    #[test]
    fn a_close_plane_begins_near_the_least_value() {
        let points = vec![(1.0, 100.0), (2.0, 108.0)];
        let chart = drawn(Scale::Close, vec![Series { points, ..Series::default() }]).unwrap();
        let words: Vec<&str> = chart.y_ticks.iter().map(|tick| tick.word.as_str()).collect();
        assert_eq!(words, ["100", "105"]);
        assert_eq!(chart.lines[0].path, "M87.9,221.9 L684.1,20.1");
        let one = vec![(5.0, -5.0), (5.0, -5.0)];
        let chart = drawn(Scale::Close, vec![Series { points: one, ..Series::default() }]).unwrap();
        assert_eq!(chart.lines[0].path, "M386.0,121.0 L386.0,121.0");
    }

    #[test]
    fn dots_and_bands_lie_on_the_same_plane() {
        let series = Series {
            points: vec![(1.0, 2.0), (2.0, 4.0)],
            band: vec![(1.0, 1.0, 3.0), (2.0, 3.0, 5.0)],
            dots: vec![(2.0, 4.0, Mark::Ring, "here".to_owned()), (f64::NAN, 1.0, Mark::Dot, "nowhere".to_owned())],
            ..Series::default()
        };
        let chart = drawn(Scale::Linear, vec![series]).unwrap();
        let line = &chart.lines[0];
        assert_eq!(line.band.matches(['M', 'L']).count(), 4, "{}", line.band);
        assert!(
            line.band.ends_with(" Z") && line.dots.len() == 1 && line.dots[0].mark == Mark::Ring,
            "{:?}",
            line.dots
        );
        assert!(line.path.ends_with(&format!("L{},{}", line.dots[0].x, line.dots[0].y)), "{}", line.path);
    }

    #[test]
    fn nothing_to_draw_is_no_chart() {
        let of = |points: Vec<(f64, f64)>| drawn(Scale::Linear, vec![Series { points, ..Series::default() }]);
        assert!(of(vec![]).is_none() && of(vec![(1.0, 1.0)]).is_none() && of(vec![(0.0, 0.0), (1.0, 0.0)]).is_none());
        assert!(of(vec![(0.0, 1.0), (1.0, f64::NAN)]).is_some());
    }
}
