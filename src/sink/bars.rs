//! Stacked bars as SVG: where a request's time goes, a bar a target, all on one axis.

use super::plot::{Tick, WIDTH, nice};
use crate::report::{Report, human};
use crate::stats::Part;

/// Room at the left and the right of the bars.
const LEFT: f64 = 12.0;
const RIGHT: f64 = 40.0;
/// Height of a target's name and its bar, and of the bar alone.
const ROW: f64 = 54.0;
const BAR: f64 = 26.0;
/// Room below for the axis.
const BELOW: f64 = 26.0;
/// Width that a letter of a name takes within a piece.
const LETTER: f64 = 7.2;

/// A drawing of bars.
pub(super) struct Bars {
    pub height: f64,
    /// Where the axis' words stand.
    pub foot: f64,
    pub ticks: Vec<Tick>,
    pub bars: Vec<Bar>,
    /// The parts that are there: number of the colour, and name.
    pub key: Vec<(usize, &'static str)>,
}

/// One target's bar.
pub(super) struct Bar {
    pub name: String,
    /// Where its name stands, and where the bar begins.
    pub name_at: f64,
    pub top: f64,
    pub pieces: Vec<Piece>,
}

/// A part of a bar.
pub(super) struct Piece {
    pub x: String,
    pub width: String,
    pub middle: String,
    pub colour: usize,
    /// Its name, where there is room for it.
    pub name: &'static str,
    /// What it says when it is pointed at: `prompt: 12.3 ms (34 %)`.
    pub word: String,
}

/// Height of a bar, for the page.
pub(super) const HEIGHT: f64 = BAR;

/// The bars of a report; `None` where no request was answered.
pub(super) fn bars(report: &Report) -> Option<Bars> {
    let parts = |at: usize| Part::ALL.map(|part| report.targets[at].value(part.metric().id).unwrap_or(0.0).max(0.0));
    let all: Vec<_> = (0..report.targets.len()).map(parts).collect();
    let most = all.iter().map(|parts| parts.iter().sum::<f64>()).fold(0.0, f64::max);
    if !(most > 0.0 && most.is_finite()) {
        return None;
    }
    let x = |us: f64| LEFT + us / most * (WIDTH - LEFT - RIGHT);
    let bar = |(at, parts): (usize, &[f64; Part::ALL.len()])| {
        let (mut from, whole) = (0.0, parts.iter().sum::<f64>());
        let mut pieces = Vec::new();
        for (colour, (part, us)) in Part::ALL.into_iter().zip(parts).enumerate().filter(|(_, (_, us))| **us > 0.0) {
            let (left, right) = (x(from), x(from + us));
            from += us;
            let fits = right - left > LETTER * part.name().len() as f64 + 6.0;
            pieces.push(Piece {
                x: format!("{left:.1}"),
                width: format!("{:.1}", right - left),
                middle: format!("{:.1}", f64::midpoint(left, right)),
                colour,
                name: if fits { part.name() } else { "" },
                word: format!("{}: {} ({:.0} %)", part.name(), human::time(*us), us / whole * 100.0),
            });
        }
        let row = at as f64 * ROW;
        let name = format!("{}: {}", report.targets[at].label(), human::time(whole));
        Bar { name, name_at: row + 16.0, top: row + 23.0, pieces }
    };
    let foot = all.len() as f64 * ROW;
    let step = nice(most / 6.0);
    let ticks = (0..=20).map(|i| f64::from(i) * step).take_while(|us| *us <= most * 1.0001);
    let seen = |colour: usize| all.iter().any(|parts| parts[colour] > 0.0);
    Some(Bars {
        height: foot + BELOW,
        foot: foot + 16.0,
        ticks: ticks
            .map(|us| Tick {
                at: format!("{:.1}", x(us)),
                word: if us == 0.0 { "0".to_owned() } else { human::time(us) },
            })
            .collect(),
        bars: all.iter().enumerate().map(bar).collect(),
        key: Part::ALL.iter().enumerate().filter(|(at, _)| seen(*at)).map(|(at, part)| (at, part.name())).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::scenario::Task;

    #[test]
    fn pieces_lie_end_to_end_and_share_one_axis() {
        let report = fixture::report(Task::Generate, true);
        let drawn = bars(&report).unwrap();
        assert_eq!(drawn.bars.len(), 2);
        let number = |text: &str| text.parse::<f64>().unwrap();
        let mut ends = Vec::new();
        for bar in &drawn.bars {
            let mut at = LEFT;
            for piece in &bar.pieces {
                assert!((number(&piece.x) - at).abs() < 0.3, "{}: {}", bar.name, piece.word);
                at = number(&piece.x) + number(&piece.width);
            }
            ends.push(at);
        }
        // The slower one reaches the end, the other as far as its share of that.
        let whole = |at: usize| Part::ALL.iter().filter_map(|p| report.targets[at].value(p.metric().id)).sum::<f64>();
        let (longest, other) = if whole(0) > whole(1) { (0, 1) } else { (1, 0) };
        assert!((ends[longest] - (WIDTH - RIGHT)).abs() < 0.5, "{ends:?}");
        let share = (ends[other] - LEFT) / (ends[longest] - LEFT);
        assert!((share - whole(other) / whole(longest)).abs() < 0.01, "{ends:?}");
        assert!(drawn.key.iter().any(|(_, name)| *name == "decode"), "{:?}", drawn.key);
        assert!(drawn.bars[0].pieces.iter().any(|p| p.word.contains("ms (") && p.word.contains(" %)")));
    }

    #[test]
    fn without_answers_there_is_no_bar() {
        let mut report = fixture::report(Task::Generate, true);
        for target in &mut report.targets {
            target.rows.retain(|row| !row.metric.starts_with("time_"));
        }
        assert!(bars(&report).is_none());
    }
}
