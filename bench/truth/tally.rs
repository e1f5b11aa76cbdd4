//! What is counted, what it has to be, and how it is told.

use crate::capacity::Sought;
use crate::gates::Judged;
use crate::model::Model;
use crate::nights::Scattered;
use crate::real::Real;
use crate::steps::Told;
use loadcmp::stats::{Folded, Verdict};

/// The figures of a metric that are looked at.
pub const FIGURES: [&str; 3] = ["p50", "p95", "mean"];

/// Counts over runs, by figure.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    runs: u64,
    /// Intervals there were.
    intervals: [u64; 3],
    /// Those that hold the true ratio.
    covers: [u64; 3],
    /// Runs with a verdict, of any metric, that isn't true.
    false_verdicts: u64,
    /// Runs of a recommended size.
    sized: [u64; 3],
    /// Those that found the difference.
    found: [u64; 3],
    /// Units recommended, in all.
    units: [u64; 3],
    /// Pilots that recommended nothing.
    pub no_advice: [u64; 3],
}

impl Tally {
    /// Takes a run of two equal engines.
    pub fn equal(&mut self, model: &Model, folded: &Folded) {
        self.intervals_of(model, folded, 1.0);
        self.false_verdicts += u64::from(folded.comparisons.iter().any(|c| c.verdict != Verdict::Undecided));
    }

    /// Takes a run whose target is 5 % slower.
    pub fn different(&mut self, model: &Model, folded: &Folded) {
        self.intervals_of(model, folded, 1.05);
    }

    fn intervals_of(&mut self, model: &Model, folded: &Folded, truth: f64) {
        self.runs += 1;
        for (at, figure) in FIGURES.iter().enumerate() {
            let path = format!("{}.{figure}", model.metric());
            let ends = folded.comparisons.iter().find(|c| c.metric == path).and_then(|c| c.low.zip(c.high));
            if let Some((low, high)) = ends {
                self.intervals[at] += 1;
                self.covers[at] += u64::from((low..=high).contains(&truth));
            }
        }
    }

    /// Takes a run of a recommended size whose target is 5 % slower.
    pub fn sized(&mut self, at: usize, units: u64, path: &str, folded: &Folded) {
        self.sized[at] += 1;
        self.units[at] += units;
        let verdict = folded.comparisons.iter().find(|c| c.metric == path).map(|c| c.verdict);
        self.found[at] += u64::from(verdict == Some(Verdict::Worse));
    }

    pub fn plus(mut self, other: &Tally) -> Self {
        let add = |a: &mut [u64; 3], b: &[u64; 3]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        self.runs += other.runs;
        self.false_verdicts += other.false_verdicts;
        add(&mut self.intervals, &other.intervals);
        add(&mut self.covers, &other.covers);
        add(&mut self.sized, &other.sized);
        add(&mut self.found, &other.found);
        add(&mut self.units, &other.units);
        add(&mut self.no_advice, &other.no_advice);
        self
    }
}

/// A way of driving, measured.
pub struct Figures {
    pub name: &'static str,
    pub equal: Tally,
    pub different: Tally,
    pub power: Tally,
}

/// One figure's shares; `None` where nothing was run for it.
struct Line {
    figure: &'static str,
    intervals: Option<f64>,
    false_rate: Option<f64>,
    covers: Option<f64>,
    found: Option<f64>,
    units: Option<f64>,
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// The table's head.
pub const HEADER: &str = "\
way of driving                  figure intervals false   holds   5 % found blocks
                                              of   0.5-6   93-97     >= 90 advised
                                            runs       %       %         % (mean)";

impl Figures {
    fn lines(&self) -> impl Iterator<Item = Line> {
        (0..3).map(|at| Line {
            figure: FIGURES[at],
            intervals: share(self.equal.intervals[at], self.equal.runs),
            false_rate: share(self.equal.intervals[at] - self.equal.covers[at], self.equal.intervals[at]),
            covers: share(
                self.equal.covers[at] + self.different.covers[at],
                self.equal.intervals[at] + self.different.intervals[at],
            ),
            found: share(self.power.found[at], self.power.sized[at]),
            units: share(self.power.units[at], self.power.sized[at]),
        })
    }

    fn false_verdicts(&self) -> Option<f64> {
        share(self.equal.false_verdicts, self.equal.runs)
    }

    /// Its lines of the table.
    pub fn table(&self) -> String {
        let cell = |x: Option<f64>| x.map_or("–".to_owned(), |x| format!("{:.1}", x * 100.0));
        let mut text = String::new();
        for (at, line) in self.lines().enumerate() {
            let name = if at == 0 { self.name } else { "" };
            let units = line.units.map_or("–".to_owned(), |units| format!("{units:.0}"));
            text += &format!(
                "{name:<32}{:<7}{:>9} {:>7} {:>7} {:>9} {:>7}\n",
                line.figure,
                cell(line.intervals),
                cell(line.false_rate),
                cell(line.covers),
                cell(line.found),
                units
            );
        }
        text + &format!("  false verdicts over all metrics of a run: {} % (at most 6)\n", cell(self.false_verdicts()))
    }

    /// What lies outside, in sentences.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |what: String, x: Option<f64>, low: f64, high: f64| {
            if let Some(x) = x.filter(|x| !(low..=high).contains(x)) {
                wrong.push(format!("{}: {what} is {:.2} %", self.name, x * 100.0));
            }
        };
        for line in self.lines() {
            check(format!("the share of runs with an interval of {}", line.figure), line.intervals, 0.9, 1.0);
            check(format!("the false rate of {}", line.figure), line.false_rate, 0.005, 0.06);
            check(format!("the coverage of {}", line.figure), line.covers, 0.93, 0.97);
            check(format!("the power for {}", line.figure), line.found, 0.9, 1.0);
        }
        check("the rate of false verdicts".to_owned(), self.false_verdicts(), 0.0, 0.06);
        wrong
    }

    fn json(&self) -> serde_json::Value {
        let lines: Vec<_> = self
            .lines()
            .map(|line| {
                serde_json::json!({
                    "figure": line.figure, "runs_with_interval": line.intervals, "false_rate": line.false_rate,
                    "coverage": line.covers, "found": line.found, "units_advised_mean": line.units,
                })
            })
            .collect();
        serde_json::json!({
            "name": self.name, "equal_runs": self.equal.runs, "different_runs": self.different.runs,
            "pilots": self.power.sized, "pilots_without_advice": self.power.no_advice,
            "false_verdicts": self.false_verdicts(), "figures": lines,
        })
    }
}

/// All of it for machines.
pub fn json(
    all: &[Figures],
    real: Option<&Real>,
    sought: &[Sought],
    stepped: &[Told],
    judged: &[Judged],
    scattered: &[Scattered],
) -> String {
    let all: Vec<_> = all.iter().map(Figures::json).collect();
    let told = serde_json::json!({ "simulated": all, "real_sockets": real.map(Real::json),
        "capacity": sought.iter().map(Sought::json).collect::<Vec<_>>(),
        "steps": stepped.iter().map(Told::json).collect::<Vec<_>>(),
        "gates": judged.iter().map(Judged::json).collect::<Vec<_>>(),
        "nights": scattered.iter().map(Scattered::json).collect::<Vec<_>>() });
    let text = serde_json::to_string_pretty(&told);
    text.unwrap_or_default() + "\n"
}
