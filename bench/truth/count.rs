//! What is counted over the runs of a way of driving, what it has to be, and how it is told.

use crate::drive::Ran;
use crate::ways::Way;
use loadcmp::stats::{Comparison, TargetSummary, Verdict, wilson};
use serde_json::json;
use std::collections::BTreeMap;

/// Most equal engines called different, over all metrics of a run.
const MOST_FALSE: f64 = 0.06;
/// Where the share of intervals that hold the truth has to lie.
const HOLDS: (f64, f64) = (0.93, 0.97);
/// Share of runs of the advised length that have to find 5 %.
const FOUND: f64 = 0.9;
/// How far from the length that was needed an advised one may lie, as a factor.
const ADVICE: f64 = 1.5;
/// Fewest advised lengths that are told.
const LEAST_ADVISED: u64 = 10;
/// The normal's points at 97.5 % and at 90 %.
const SURE: f64 = 1.959_963_984_540_054;
const POWER: f64 = 1.281_551_565_544_600_5;

/// A share: of so many, so many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    part: u64,
    all: u64,
}

impl Share {
    fn take(&mut self, is: bool) {
        self.part += u64::from(is);
        self.all += 1;
    }

    fn add(&mut self, other: Share) {
        self.part += other.part;
        self.all += other.all;
    }

    fn value(self) -> Option<f64> {
        (self.all > 0).then(|| self.part as f64 / self.all as f64)
    }

    fn ends(self) -> Option<(f64, f64)> {
        wilson(self.value()?, self.all, self.all).map(|ends| (ends.low, ends.high))
    }

    /// In per cent; a dash where nothing was counted.
    fn words(self) -> String {
        self.value().map_or("–".to_owned(), |x| format!("{:.1}", x * 100.0))
    }

    fn json(self) -> serde_json::Value {
        json!({ "of": self.all, "share": self.value().map(|x| (x * 1e4).round() / 1e4) })
    }
}

/// Counts over runs of one true difference.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// Runs with any verdict that isn't true, and those whose main metric's isn't.
    false_any: Share,
    false_main: Share,
    /// Runs whose main metric has an interval; intervals of it that hold the truth.
    intervals: Share,
    holds: Share,
    /// Runs whose main metric's verdict is that the first target is worse, and that both are equal.
    found: Share,
    equal: Share,
    /// By metric: intervals that hold the truth; verdicts that aren't true.
    metrics: BTreeMap<String, (Share, u64)>,
    /// Intervals of a target's own figures that hold their truth.
    own: BTreeMap<&'static str, Share>,
    /// Milliseconds measured, in all runs.
    measured: u64,
    /// Lengths advised that are longer than what was run.
    advised: Vec<f64>,
    /// Lengths that were run with a true 5 %, and whether it was shown.
    tried: Vec<(f64, bool)>,
    /// Pilots that advised no length.
    unadvised: Share,
}

/// What is true of a way of driving.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Ratios by metric, where they aren't the engines'.
    pub ratios: BTreeMap<String, f64>,
    /// A target's own figures.
    pub own: BTreeMap<&'static str, f64>,
    /// How much slower the first engine is.
    pub slower: f64,
}

impl Truth {
    fn ratio(&self, target: usize, metric: &str) -> Option<f64> {
        match metric {
            "accuracy" | "error_rate" => None,
            // The first target alone is slower.
            _ if target > 0 => Some(1.0),
            _ if self.ratios.contains_key(metric) => self.ratios.get(metric).copied(),
            _ if is_rate(metric) => Some(1.0 / self.slower),
            _ => Some(self.slower),
        }
    }

    fn is(&self, told: &Comparison) -> bool {
        let ratio = self.ratio(told.target, &told.metric).unwrap_or(1.0);
        let within = (0.98 - 1e-9..=1.02 + 1e-9).contains(&ratio);
        let worse = (ratio > 1.0) != is_rate(&told.metric);
        match told.verdict {
            Verdict::Better => !within && !worse,
            Verdict::Worse => !within && worse,
            Verdict::Equal => within,
            Verdict::Undecided | Verdict::NotCompared => true,
        }
    }
}

/// Whether more of a metric is better.
fn is_rate(metric: &str) -> bool {
    metric.contains("_per_s") || metric == "goodput"
}

/// A figure of a target's own: its name, its value, and the ends of its interval.
type Own = (&'static str, f64, Option<(f64, f64)>);

/// A target's own figures, from its summary.
pub fn own(summary: &TargetSummary) -> Vec<Own> {
    let row = |metric| summary.rows.iter().find(|row| row.metric == metric);
    let mut all = Vec::new();
    if let Some(row) = row("latency") {
        all.extend(row.mean.map(|x| ("latency.mean", x, row.low.zip(row.high))));
        all.extend(row.p50.map(|x| ("latency.p50", x, row.p50_low.zip(row.p50_high))));
        all.extend(row.p95.map(|x| ("latency.p95", x, row.p95_low.zip(row.p95_high))));
    }
    all.extend(row("requests_per_s").and_then(|row| Some(("requests_per_s", row.mean?, row.low.zip(row.high)))));
    all
}

impl Count {
    /// Takes a run.
    pub fn take(&mut self, way: &Way, truth: &Truth, ran: &Ran) {
        let all = &ran.folded.comparisons;
        self.measured += (ran.seconds * 1e3).round() as u64;
        self.false_any.take(all.iter().any(|told| !truth.is(told)));
        for told in all {
            let ends = told.low.zip(told.high);
            let (holds, wrong) = self.metrics.entry(told.metric.clone()).or_default();
            *wrong += u64::from(!truth.is(told));
            if let Some(((low, high), ratio)) = ends.zip(truth.ratio(told.target, &told.metric)) {
                holds.take((low..=high).contains(&ratio));
            }
            if told.metric == way.main() && told.target == 0 {
                self.false_main.take(!truth.is(told));
                self.intervals.take(ends.is_some());
                self.found.take(told.verdict == Verdict::Worse);
                self.equal.take(told.verdict == Verdict::Equal);
                if let Some(((low, high), ratio)) = ends.zip(truth.ratio(told.target, &told.metric)) {
                    self.holds.take((low..=high).contains(&ratio));
                }
            }
        }
        if let Some(summary) = ran.folded.targets.last() {
            for (name, _, ends) in own(summary) {
                if let Some(((low, high), value)) = ends.zip(truth.own.get(name)) {
                    self.own.entry(name).or_default().take((low..=high).contains(value));
                }
            }
        }
    }

    pub fn plus(mut self, other: Count) -> Self {
        let Count { false_any, false_main, intervals, holds, found, equal, .. } = other;
        self.false_any.add(false_any);
        self.false_main.add(false_main);
        self.intervals.add(intervals);
        self.holds.add(holds);
        self.found.add(found);
        self.equal.add(equal);
        for (metric, (holds, wrong)) in other.metrics {
            let mine = self.metrics.entry(metric).or_default();
            mine.0.add(holds);
            mine.1 += wrong;
        }
        for (name, share) in other.own {
            self.own.entry(name).or_default().add(share);
        }
        self.measured += other.measured;
        self.advised.extend(other.advised);
        self.tried.extend(other.tried);
        // Sorted, so that sums don't depend on which core was first.
        self.advised.sort_by(f64::total_cmp);
        self.tried.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.unadvised.add(other.unadvised);
        self
    }

    /// Notes a pilot.
    pub fn pilots(&mut self, unadvised: bool) {
        self.unadvised.take(unadvised);
    }

    /// Notes a length that was advised.
    pub fn advised(&mut self, length: f64) {
        self.advised.push(length);
    }

    /// The median of the lengths advised.
    pub fn median_advised(&self) -> Option<f64> {
        self.advised.get(self.advised.len() / 2).copied()
    }

    /// Notes whether a run of this length showed a true 5 %.
    pub fn tried(&mut self, way: &Way, ran: &Ran) {
        let told = ran.folded.comparisons.iter().find(|c| c.metric == way.main() && c.target == 0);
        self.tried.push((ran.seconds, told.is_some_and(|told| told.verdict == Verdict::Worse)));
    }

    /// The length at which a true 5 % is shown in nine runs of ten, and the factor by which it may be off by chance.
    ///
    /// With an error that falls with the root of the length, a share Phi(a sqrt(length) - 1.96) of runs show it; a is that of
    /// the greatest likelihood over all lengths that were run.
    fn needed(&self) -> Option<(f64, f64)> {
        let typical = self.tried.get(self.tried.len() / 2)?.0;
        // Half a run each way, so that there is an answer where all showed it, or none.
        let all = || {
            let runs = self.tried.iter().map(|(length, shown)| (*length, f64::from(u8::from(*shown)), 1.0));
            runs.chain([(typical, 0.5, 1.0)])
        };
        let slope = |a: f64| -> f64 {
            let of = |(length, shown, n): (f64, f64, f64)| {
                let z = a * length.sqrt() - SURE;
                (shown * hazard(-z) - (n - shown) * hazard(z)) * length.sqrt()
            };
            all().map(of).sum()
        };
        let (mut low, mut high) = (0.0, 10.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if slope(middle) > 0.0 { low = middle } else { high = middle }
        }
        let known: f64 = all()
            .map(|(length, _, n)| (low * length.sqrt() - SURE, length * n))
            .map(|(z, length)| length * hazard(z) * hazard(-z))
            .sum();
        let needed = ((SURE + POWER) / low).powi(2);
        Some((needed, (2.0 * SURE / (low * known.sqrt())).exp())).filter(|(a, b)| a.is_finite() && b.is_finite())
    }

    fn mean_seconds(&self) -> f64 {
        self.measured as f64 / 1e3 / self.false_any.all.max(1) as f64
    }
}

/// The density of a standard normal at `z` over the share of it above (Abramowitz and Stegun, Handbook of Mathematical
/// Functions, 1964, 26.2.17).
fn hazard(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let terms = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let beyond = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 0.0 { density / (1.0 - beyond * density) } else { 1.0 / beyond }
}

/// A way of driving, measured.
pub struct Figures {
    pub way: Way,
    /// Runs of equal engines, and of ones that are 2, 10 and 30 % slower.
    pub equal: Count,
    pub two: Count,
    pub ten: Count,
    pub thirty: Count,
    /// Runs of the advised length, 5 % slower.
    pub five: Count,
}

/// The table's head.
pub const HEADER: &str = "
                                       equal engines                  holds truth    true difference found, %       advice
way of driving               s    inter- equal main any  | worst  main  2-10 %    2 %  10 %  30 %  5 % at  | length  of needed  within
                                  val, %     %  false, % | metric              (wrong)             advised |    s    (median)  1.5, %";

/// What the advice came to beside what was needed.
struct Advice {
    median: f64,
    needed: f64,
    /// The factor by which what is needed may be off by chance.
    chance: f64,
    within: f64,
}

impl Figures {
    /// `None` where hardly any run was too short: the few that think so are the unlucky ones.
    fn advice(&self) -> Option<Advice> {
        let all = &self.five.advised;
        if (all.len() as u64) < (self.five.unadvised.all / 2).max(LEAST_ADVISED) {
            return None;
        }
        let (needed, chance) = self.five.needed()?;
        let near = all.iter().filter(|length| (**length / needed).ln().abs() <= ADVICE.ln()).count();
        Some(Advice { median: self.five.median_advised()?, needed, chance, within: near as f64 / all.len() as f64 })
    }

    fn holds(&self) -> Share {
        let mut all = self.two.holds;
        all.add(self.ten.holds);
        all
    }

    /// The metric whose intervals of equal engines lie farthest from where they should.
    fn worst(&self) -> Option<(&str, Share)> {
        let off = |share: Share| share.value().map_or(0.0, |x| (x - 0.95).abs());
        let all = self.equal.metrics.iter().filter(|(_, (holds, _))| holds.all * 2 > self.equal.false_any.all);
        all.map(|(metric, (holds, _))| (metric.as_str(), *holds)).max_by(|a, b| off(a.1).total_cmp(&off(b.1)))
    }

    /// Its line of the table.
    pub fn table(&self) -> String {
        let advice = self.advice();
        let advised = advice.map_or("–".to_owned(), |a| {
            format!("{:>6.0} {:>9.2} {:>9.0}", a.median, a.median / a.needed, a.within * 100.0)
        });
        format!(
            "{:<28}{:>4.0} {:>6} {:>5} {:>5} {:>5} | {:>5} {:>6} {:>6} {:>7} {:>5} {:>5} {:>7}  | {advised}{}\n",
            self.way.name,
            self.equal.mean_seconds(),
            self.equal.intervals.words(),
            self.equal.equal.words(),
            self.equal.false_main.words(),
            self.equal.false_any.words(),
            self.worst().map_or("–".to_owned(), |(_, share)| share.words()),
            self.equal.holds.words(),
            self.holds().words(),
            self.two.false_main.words(),
            self.ten.found.words(),
            self.thirty.found.words(),
            self.five.found.words(),
            if self.way.held { "" } else { "   not held" },
        )
    }

    /// Every metric's lines, for whoever looks for the cause.
    pub fn detail(&self) -> String {
        let mut text = String::new();
        for (metric, (holds, wrong)) in &self.equal.metrics {
            let ten = self.ten.metrics.get(metric).map(|(holds, _)| holds.words()).unwrap_or_default();
            text += &format!(
                "    {metric:<22} intervals {:>5}  hold 1 {:>5}  hold 10 % {ten:>5}  false {wrong}\n",
                holds.all,
                holds.words()
            );
        }
        for (name, share) in &self.equal.own {
            text += &format!("    own {name:<18} intervals {:>5}  hold {:>5}\n", share.all, share.words());
        }
        text
    }

    /// What lies outside, in sentences: beyond what chance explains.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if !self.way.held {
            return wrong;
        }
        let mut check = |what: &str, share: Share, low: f64, high: f64| {
            if share.ends().is_some_and(|ends| ends.1 < low || ends.0 > high) {
                wrong.push(format!("{}: {what}: {} % of {}", self.way.name, share.words(), share.all));
            }
        };
        check("equal engines called different", self.equal.false_any, 0.0, MOST_FALSE);
        check("true differences of 2 % called more, or none", self.two.false_main, 0.0, MOST_FALSE);
        check("a false verdict beside a true 10 %", self.ten.false_any, 0.0, MOST_FALSE);
        check("intervals of equal engines that hold 1", self.equal.holds, HOLDS.0, HOLDS.1);
        check("intervals that hold the truth", self.holds(), HOLDS.0, HOLDS.1);
        check("a true 10 % found", self.ten.found, self.way.power, 1.0);
        // Where requests fail, times may carry no verdict.
        if self.way.spec.failures == 0.0 {
            check("a true 5 % found at the advised length", self.five.found, FOUND, 1.0);
        }
        for (metric, (holds, _)) in &self.equal.metrics {
            check(&format!("intervals of {metric} that hold 1"), *holds, HOLDS.0, 1.0);
        }
        if let Some(advice) = self.advice() {
            let off = advice.median / advice.needed;
            let most = ADVICE * advice.chance;
            if !(1.0 / most..=most).contains(&off) {
                wrong.push(format!("{}: the length advised is {off:.2} times what is needed", self.way.name));
            }
        }
        wrong
    }

    pub fn json(&self) -> serde_json::Value {
        let metrics: BTreeMap<&str, serde_json::Value> =
            self.equal.metrics.iter().map(|(metric, (holds, _))| (metric.as_str(), holds.json())).collect();
        let own: BTreeMap<&str, serde_json::Value> =
            self.equal.own.iter().map(|(n, share)| (*n, share.json())).collect();
        let round = |x: f64| (x * 100.0).round() / 100.0;
        json!({
            "name": self.way.name, "held": self.way.held, "default": self.way.default, "seconds": round(self.equal.mean_seconds()),
            "intervals": self.equal.intervals.json(), "called_equal": self.equal.equal.json(),
            "false_main": self.equal.false_main.json(), "false_any": self.equal.false_any.json(),
            "holds_equal": self.equal.holds.json(), "holds_different": self.holds().json(),
            "metrics_hold": metrics, "own_hold": own, "two_false": self.two.false_main.json(),
            "ten_found": self.ten.found.json(), "ten_wanted": self.way.power, "ten_false": self.ten.false_any.json(),
            "thirty_found": self.thirty.found.json(), "five_found": self.five.found.json(),
            "unadvised": self.five.unadvised.json(), "advised": self.five.advised.len(),
            "advice": self.advice().map(|advice| json!({
                "median_s": round(advice.median), "of_needed": round(advice.median / advice.needed),
                "needed_by_chance": round(advice.chance), "within": round(advice.within),
            })),
        })
    }
}
