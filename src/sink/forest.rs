//! The first screen of a run's page: every ratio with its interval around 1, who was compared, and which checks of the audit
//! spoke. Numbers in, shares of a width out; `templates/first.html` draws them.

use super::last::stands;
use super::lines::{Line, compared};
use crate::audit::{Asked, RULES, Severity};
use crate::report::words::ratio_words;
use crate::report::{Report, human};
use crate::stats::{Comparison, Verdict};

/// Least half width of the axis, as a ratio: intervals that lie closer around 1 look as narrow as they are.
const LEAST: f64 = 1.1;
/// Most: an interval that reaches further is cut at the edge, and its numbers say how far.
const MOST: f64 = 8.0;

/// One compared target.
pub(super) struct Forest {
    /// `native ÷ ollama`.
    pub title: String,
    /// Where differences are too small to matter, in percent of the width: left edge, width.
    pub band: (String, String),
    /// What stands at the left edge and at the right one.
    pub ends: (String, String),
    pub rows: Vec<ForestRow>,
}

/// One ratio. Places are percent of the width.
pub(super) struct ForestRow {
    /// The section it begins, by its title; empty in the middle of one.
    pub section: &'static str,
    pub name: String,
    pub main: bool,
    pub left: String,
    pub width: String,
    pub at: String,
    pub ratio: String,
    pub verdict: &'static str,
}

/// The ratios of each compared target that have an interval.
pub(super) fn forests(report: &Report, lines: &[Line]) -> Vec<Forest> {
    compared(report, lines).into_iter().filter_map(|at| forest(report, lines, at)).collect()
}

fn forest(report: &Report, lines: &[Line], at: usize) -> Option<Forest> {
    let known = lines.iter().filter_map(|line| {
        let c = line.comparisons[at]?;
        Some((line, c, [c.ratio?, c.low?, c.high?])).filter(|(_, _, xs)| xs.iter().all(|x| x.is_finite() && *x > 0.0))
    });
    let known: Vec<(&Line, &Comparison, [f64; 3])> = known.collect();
    // An interval that knows nothing would press all others together: it is cut at the edge.
    let firm =
        |(line, c, _): &&(&Line, &Comparison, [f64; 3])| c.verdict != Verdict::Undecided || line.path == report.primary;
    let widest = known.iter().filter(firm).flat_map(|(_, _, xs)| *xs);
    let points = known.iter().map(|(_, _, xs)| xs[0]);
    let axis = scaled(widest.chain(points));
    let mut before = None;
    let rows = known.iter().map(|(line, c, [ratio, low, high])| {
        let (left, width, at) = axis.row(*ratio, *low, *high);
        ForestRow {
            section: if before.replace(line.section) == Some(line.section) { "" } else { line.section.title() },
            name: line.name.trim().to_owned(),
            main: line.path == report.primary,
            left,
            width,
            at,
            ratio: ratio_words(c).unwrap_or_default(),
            verdict: c.verdict.as_str(),
        }
    });
    let rows: Vec<ForestRow> = rows.collect();
    let name = |at: usize| report.targets.get(at).map(|target| target.name.clone()).unwrap_or_default();
    (!rows.is_empty()).then(|| Forest {
        title: format!("{} ÷ {}", name(at), name(report.plan.reference)),
        band: axis.band(report.plan.smallest_effect.0),
        ends: axis.ends(),
        rows,
    })
}

/// An axis of ratios around 1, logarithmic.
pub(super) struct Scaled {
    /// Half its width, on the log scale.
    half: f64,
}

/// The axis that ratios fit on.
pub(super) fn scaled(ratios: impl Iterator<Item = f64>) -> Scaled {
    let widest = ratios.map(|x| x.ln().abs()).fold(LEAST.ln(), f64::max);
    Scaled { half: (widest * 1.08).min(MOST.ln()) }
}

impl Scaled {
    fn place(&self, x: f64) -> f64 {
        50.0 + 50.0 * (x.ln() / self.half).clamp(-1.0, 1.0)
    }

    /// A ratio and its interval in percent of the width: left edge, width, the point.
    pub fn row(&self, ratio: f64, low: f64, high: f64) -> (String, String, String) {
        let width = (self.place(high) - self.place(low)).max(0.3);
        (percent(self.place(low)), percent(width), percent(self.place(ratio)))
    }

    /// Where differences are smaller than this effect: left edge, width.
    pub fn band(&self, effect: f64) -> (String, String) {
        let (low, high) = (self.place(1.0 / (1.0 + effect)), self.place(1.0 + effect));
        (percent(low), percent(high - low))
    }

    /// What stands at its ends.
    pub fn ends(&self) -> (String, String) {
        (human::ratio((-self.half).exp()), human::ratio(self.half.exp()))
    }
}

fn percent(x: f64) -> String {
    format!("{x:.2}")
}

/// A target as a card: its name, whether it is the reference, and facts with their names.
pub(super) struct Card {
    pub name: String,
    pub reference: bool,
    pub facts: Vec<(&'static str, String)>,
}

/// A card for each target.
pub(super) fn cards(report: &Report) -> Vec<Card> {
    let card =
        |(at, (target, summary)): (usize, (&crate::scenario::plan::TargetPlan, &crate::stats::TargetSummary))| {
            let facts = &target.facts;
            let engine =
                [facts.engine.clone(), facts.version.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let known = [
                ("engine", Some(engine).filter(|engine| !engine.is_empty())),
                ("model", Some(target.model.clone()).filter(|model| !model.is_empty())),
                ("quantisation", facts.quantization.clone()),
                ("context", facts.context.map(|n| n.to_string())),
                ("slots", facts.slots.map(|n| n.to_string())),
                ("address", Some(format!("{} ({})", target.endpoint, target.wire()))),
                ("requests", Some(super::lines::outcome_words(summary))),
            ];
            Card {
                name: summary.label(),
                reference: at == report.plan.reference && report.targets.len() > 1,
                facts: known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            }
        };
    report.plan.targets.iter().zip(&report.targets).enumerate().map(card).collect()
}

/// A check of the audit: its mark, the word for it, its id, and what it looks for.
pub(super) struct Check {
    pub mark: &'static str,
    pub word: &'static str,
    pub id: &'static str,
    pub about: String,
}

/// Every check, those that spoke first, the gravest of them at the top.
pub(super) fn checks(report: &Report) -> Vec<Check> {
    let found = |id: &str| report.findings.iter().filter(|finding| finding.id == id).map(|f| f.severity).max();
    let mut all: Vec<(Option<Severity>, Check)> = RULES
        .iter()
        .map(|rule| {
            let severity = found(rule.id);
            let (mark, word) = match severity {
                Some(Severity::Invalid) => ("✗", "invalid"),
                Some(Severity::Warning) => ("!", "warning"),
                Some(Severity::Note) => ("i", "note"),
                None => match stands(report, rule) {
                    Asked::Judged => ("✓", "passed"),
                    Asked::Off => ("–", "off"),
                    Asked::NotApplicable => ("·", "not applicable"),
                },
            };
            (severity, Check { mark, word, id: rule.id, about: rule.about.replace('`', "") })
        })
        .collect();
    // What wasn't judged comes last.
    all.sort_by_key(|(severity, check)| {
        (std::cmp::Reverse(*severity), ["passed", "off", "not applicable"].iter().position(|word| *word == check.word))
    });
    all.into_iter().map(|(_, check)| check).collect()
}

#[cfg(test)]
mod tests {
    use super::super::lines::lines;
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::Task;

    #[test]
    fn every_ratio_lies_on_the_axis_at_its_side_of_one() {
        let report = report(Task::Generate, false);
        let told = lines(&report);
        let forests = forests(&report, &told);
        assert_eq!(forests.len(), 1);
        let forest = &forests[0];
        assert_eq!(forest.title, "native ÷ ollama");
        assert!(forest.rows.len() > 5 && forest.rows[0].main, "{}", forest.rows.len());
        for row in &forest.rows {
            let [left, width, at] = [&row.left, &row.width, &row.at].map(|x| x.parse::<f64>().unwrap());
            assert!(
                left >= 0.0 && left + width <= 100.31 && left <= at + 0.01 && at <= left + width + 0.01,
                "{}",
                row.name
            );
            let ratio: f64 = row.ratio.split(' ').next().unwrap().parse().unwrap();
            assert!((ratio - 1.0).abs() < 0.011 || (ratio > 1.0) == (at > 50.0), "{}: {} at {at}", row.name, row.ratio);
        }
    }

    #[test]
    fn every_check_is_listed_and_what_spoke_comes_first() {
        let report = report(Task::Generate, true);
        let all = checks(&report);
        assert_eq!(all.len(), RULES.len());
        let spoke = all.iter().take_while(|check| check.mark != "✓").count();
        let passed = all[spoke..].iter().take_while(|check| check.word == "passed").count();
        assert!(spoke > 0 && passed > 50, "{spoke} {passed}");
        assert!(all[spoke + passed..].iter().all(|check| check.word == "not applicable"));
        // What is switched off has no tick.
        let off = crate::scenario::audit::Setting { off: true, ..Default::default() };
        let mut set = crate::report::fixture::report(Task::Generate, true);
        set.plan.audit.set(crate::scenario::audit::rule("clock-jump").unwrap(), off);
        let check = checks(&set).into_iter().find(|check| check.id == "clock-jump").unwrap();
        assert_eq!((check.mark, check.word), ("–", "off"));
        let (before, now) = (super::super::last::fairness(&report), super::super::last::fairness(&set));
        assert!(now.ends_with(", 1 off: clock-jump") && !before.contains("off"), "{before} {now}");
        let cards = cards(&report);
        assert_eq!(cards.iter().map(|card| card.reference).collect::<Vec<_>>(), [false, true]);
        assert!(cards.iter().all(|card| card.facts.iter().any(|(name, _)| *name == "address")));
    }
}
