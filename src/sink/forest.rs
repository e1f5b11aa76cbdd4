//! The first screen of a run's page: every ratio with its interval around 1, who was compared, and which checks of the audit
//! spoke. Numbers in, shares of a width out; `templates/first.html` draws them.

use super::last::stands;
use super::lines::{Line, compared};
use super::repeat::hardware;
use crate::audit::{RuleAsked, RuleSpec, Severity, rule_groups};
use crate::metrics::metric_of;
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
    /// The rows that are seen at once, and those that are folded.
    pub rows: Vec<ForestRow>,
    pub more: Vec<ForestRow>,
}

/// Rows that are seen at once, at most: more would push the targets off the first screen.
const ROWS: usize = 6;

/// Figures that are seen at once next to the main one, the first ones first.
const FIRST: [&str; 10] = [
    "ttft.p50",
    "tpot.mean",
    "latency.p50",
    "latency.p95",
    "response.p95",
    "requests_per_s",
    "output_tokens_per_s",
    "accuracy",
    "error_rate",
    "memory_peak",
];

/// One ratio. Places are percent of the width.
pub(super) struct ForestRow {
    /// The section it begins, by its title; empty in the middle of one.
    pub section: &'static str,
    pub name: String,
    /// What its metric is.
    pub about: &'static str,
    /// Its metric and figure, as in files.
    pub path: &'static str,
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
    let rows = known.iter().map(|(line, c, [ratio, low, high])| {
        let (left, width, at) = axis.row(*ratio, *low, *high);
        ForestRow {
            section: if line.path == report.primary { "Main metric" } else { line.section.title() },
            name: line.name.trim().to_owned(),
            about: metric_of(line.path).map(|metric| metric.about).unwrap_or_default(),
            path: line.path,
            main: line.path == report.primary,
            left,
            width,
            at,
            ratio: ratio_words(c).unwrap_or_default(),
            verdict: c.verdict.as_str(),
        }
    });
    let (mut rows, mut more) = parted(rows.collect());
    begun(&mut rows);
    begun(&mut more);
    let name = |at: usize| report.targets.get(at).map(|target| target.name.clone()).unwrap_or_default();
    (!rows.is_empty()).then(|| Forest {
        title: format!("{} ÷ {}", name(at), name(report.plan.reference)),
        band: axis.band(report.plan.smallest_effect.0),
        ends: axis.ends(),
        rows,
        more,
    })
}

/// The rows that are seen at once, and the others, in their order.
fn parted(rows: Vec<ForestRow>) -> (Vec<ForestRow>, Vec<ForestRow>) {
    let place = |row: &ForestRow| match row.main {
        true => 0,
        false => 1 + FIRST.iter().position(|path| *path == row.path).unwrap_or(FIRST.len()),
    };
    let mut places: Vec<(usize, usize)> = rows.iter().enumerate().map(|(at, row)| (place(row), at)).collect();
    places.sort_unstable();
    let seen: Vec<usize> = places.into_iter().take(ROWS).map(|(_, at)| at).collect();
    let (first, more): (Vec<_>, Vec<_>) = rows.into_iter().enumerate().partition(|(at, _)| seen.contains(at));
    let bare = |rows: Vec<(usize, ForestRow)>| rows.into_iter().map(|(_, row)| row).collect();
    (bare(first), bare(more))
}

/// Leaves a section's title to its first row.
fn begun(rows: &mut [ForestRow]) {
    let mut before = "";
    for row in rows {
        let section = std::mem::take(&mut row.section);
        if section != before {
            row.section = section;
        }
        before = section;
    }
}

/// Targets × metrics: the ratio of each to the reference.
pub(super) struct RatioMatrix {
    /// The metrics, each with what it is.
    pub heads: Vec<(String, &'static str)>,
    /// A compared target, and its ratios with their verdicts.
    pub rows: Vec<(String, Vec<(String, &'static str)>)>,
}

/// Where several targets are compared, all their first ratios in one table.
pub(super) fn matrix(forests: &[Forest]) -> Option<RatioMatrix> {
    let mut heads: Vec<&ForestRow> = Vec::new();
    for row in forests.iter().flat_map(|forest| &forest.rows) {
        if heads.len() < ROWS && heads.iter().all(|head| head.path != row.path) {
            heads.push(row);
        }
    }
    let row = |forest: &Forest| {
        let cell = |head: &&ForestRow| {
            let own = forest.rows.iter().chain(&forest.more).find(|row| row.path == head.path);
            own.map_or(("–".to_owned(), ""), |row| (row.ratio.clone(), row.verdict))
        };
        (forest.title.clone(), heads.iter().map(cell).collect())
    };
    (forests.len() > 1).then(|| RatioMatrix {
        rows: forests.iter().map(row).collect(),
        heads: heads.iter().map(|head| (head.name.clone(), head.about)).collect(),
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
    let hardware = hardware(report).join(", ");
    let date = format!("{} UTC", report.started.chars().take(16).collect::<String>().replacen('T', " ", 1));
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
                ("machine", Some(hardware.clone()).filter(|words| !words.is_empty())),
                ("date", Some(date.clone())),
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
    pub about: &'static str,
}

/// A family of checks.
pub(super) struct CheckGroup {
    pub about: &'static str,
    /// How many passed: `12 of 12`.
    pub passed: String,
    /// The gravest of what they found; `passed` without any.
    pub word: &'static str,
    /// Those that spoke first, the gravest of them at the top.
    pub checks: Vec<Check>,
}

/// Every check, by family.
pub(super) fn checks(report: &Report) -> Vec<CheckGroup> {
    let found = |id: &str| report.findings.iter().filter(|finding| finding.id == id).map(|f| f.severity).max();
    let group = |(about, rules): (&'static str, &'static [RuleSpec])| {
        let mut all: Vec<(Option<Severity>, RuleAsked, Check)> = rules
            .iter()
            .map(|rule| {
                let (severity, asked) = (found(rule.id), stands(report, rule));
                let (mark, word) = told(severity, asked);
                (severity, asked, Check { mark, word, id: rule.id, about: rule.about })
            })
            .collect();
        // What wasn't judged comes last.
        all.sort_by_key(|(severity, asked, _)| (std::cmp::Reverse(*severity), *asked));
        // A note is for information: its check passed.
        let judged = || all.iter().filter(|(_, asked, _)| *asked == RuleAsked::Judged);
        let passed = judged().filter(|(severity, ..)| severity.is_none_or(|s| s == Severity::Note)).count();
        CheckGroup {
            about,
            passed: format!("{passed} of {}", judged().count()),
            word: all.first().map_or("passed", |(severity, ..)| told(*severity, RuleAsked::Judged).1),
            checks: all.into_iter().map(|(.., check)| check).collect(),
        }
    };
    rule_groups().into_iter().map(group).collect()
}

/// The mark of a check and the word for it.
fn told(severity: Option<Severity>, asked: RuleAsked) -> (&'static str, &'static str) {
    match (severity, asked) {
        (Some(Severity::Invalid), _) => ("✗", "invalid"),
        (Some(Severity::Warning), _) => ("!", "warning"),
        (Some(Severity::Note), _) => ("i", "note"),
        (None, RuleAsked::Judged) => ("✓", "passed"),
        (None, RuleAsked::Off) => ("–", "off"),
        (None, RuleAsked::NotApplicable) => ("·", "not applicable"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::lines;
    use super::*;
    use crate::audit::RULES;
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
        assert!(forest.rows.len() == ROWS && forest.rows[0].main, "{}", forest.rows.len());
        assert_eq!(forest.rows[0].section, "Main metric");
        assert!(forest.rows.iter().all(|row| !row.about.is_empty()) && !forest.more.is_empty());
        for row in forest.rows.iter().chain(&forest.more) {
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
    fn several_targets_are_one_matrix() {
        let mut report = report(Task::Generate, false);
        assert!(matrix(&forests(&report, &lines(&report))).is_none());
        let (target, planned) = (report.targets[0].clone(), report.plan.targets[0].clone());
        report.targets.push(target);
        report.plan.targets.push(planned);
        let again: Vec<_> = report.comparisons.iter().cloned().map(|c| Comparison { target: 2, ..c }).collect();
        report.comparisons.extend(again);
        let matrix = matrix(&forests(&report, &lines(&report))).unwrap();
        assert_eq!((matrix.heads.len(), matrix.rows.len()), (ROWS, 2));
        assert!(matrix.rows.iter().all(|(_, cells)| cells.len() == ROWS && cells[0].0.contains('–')));
    }

    #[test]
    fn every_check_is_listed_in_its_family_and_what_spoke_comes_first() {
        let report = report(Task::Generate, true);
        let all = checks(&report);
        assert_eq!(all.iter().map(|group| group.checks.len()).sum::<usize>(), RULES.len());
        for group in &all {
            let count = |words: &[&str]| group.checks.iter().filter(|check| words.contains(&check.word)).count();
            let spoke = count(&["invalid", "warning", "note"]);
            let passed = group.checks[spoke..].iter().take_while(|check| check.word == "passed").count();
            assert!(
                group.checks[spoke + passed..].iter().all(|check| check.word == "not applicable"),
                "{}",
                group.about
            );
            let judged = count(&["invalid", "warning", "note", "passed"]);
            assert_eq!(group.passed, format!("{} of {judged}", judged - count(&["warning", "invalid"])));
        }
        assert!(all.iter().any(|group| group.word != "passed"));
        // What is switched off has no tick.
        let off = crate::scenario::audit::Setting { off: true, ..Default::default() };
        let mut set = crate::report::fixture::report(Task::Generate, true);
        set.plan.audit.set(crate::scenario::audit::rule("clock-jump").unwrap(), off);
        let groups = checks(&set);
        let check = groups.iter().flat_map(|group| &group.checks).find(|check| check.id == "clock-jump").unwrap();
        assert_eq!((check.mark, check.word), ("–", "off"));
        let (before, now) = (super::super::last::fairness(&report), super::super::last::fairness(&set));
        assert!(now.ends_with(", 1 off: clock-jump") && !before.contains("off"), "{before} {now}");
        let cards = cards(&report);
        assert_eq!(cards.iter().map(|card| card.reference).collect::<Vec<_>>(), [false, true]);
        let facts: Vec<&str> = cards[0].facts.iter().map(|(name, _)| *name).collect();
        assert!(["address", "machine", "date"].iter().all(|name| facts.contains(name)), "{facts:?}");
    }
}
