//! The lines that people read side by side, the same in the terminal, in Markdown and on the page: which metrics, in
//! what order, under what words.

pub(super) use crate::metrics::Section;
use crate::metrics::{self, Definition, human, metric_words, value_words};
use crate::record::Outcome;
use crate::report::Report;
use crate::report::words::ratio_words;
use crate::stats::{Comparison, FIRM_N, TargetSummary, Verdict};

/// One metric for every target, and how the targets compare in it.
pub(super) struct Line<'a> {
    /// Metrics of one number are of one kind.
    pub section: Section,
    /// The metric in words.
    pub name: &'static str,
    /// What it is told by in files: `latency.p50`.
    pub path: &'static str,
    /// One a target, in the plan's order.
    pub values: Vec<String>,
    /// One a target, in the plan's order; `None` for the reference and where nothing is compared.
    pub comparisons: Vec<Option<&'a Comparison>>,
}

/// The lines of a report; what no target measured is left out.
pub(super) fn lines(report: &Report) -> Vec<Line<'_>> {
    let open = report.comparing().open_loop;
    let line = |(metric, told): (&Definition, &'static metrics::Line)| {
        let (section, name, path) = (metric.section, told.label, told.path);
        // In a closed loop a request is planned when its user is ready: the two times are one.
        if metric.from_plan && !open {
            return None;
        }
        // Where no answer held thoughts, the first token of the answer is the first of all.
        if metric.id == metrics::TTFAT.id && !report.targets.iter().any(TargetSummary::thinks) {
            return None;
        }
        // Where no engine keeps old prompts, the ratio without them is the ratio.
        if metric.id == metrics::MEMORY_RATIO_LOADED.id
            && !report.targets.iter().any(|target| target.row("memory_prompts").is_some())
        {
            return None;
        }
        let mut values: Vec<_> = report.targets.iter().map(|target| value(target, path)).collect();
        let comparisons: Vec<_> = (0..report.targets.len()).map(|at| told_comparison(report, at, path)).collect();
        // The figures are those that the ratios are the quotients of, over the same requests: where every ratio is of the same
        // figure of the reference.
        let quotients: Vec<_> =
            comparisons.iter().flatten().filter_map(|c| Some((c.target, c.reference, quotient(c)?))).collect();
        if quotients.windows(2).all(|two| two[0].2[1] == two[1].2[1]) {
            for (target, reference, [a, b]) in quotients {
                (values[target], values[reference]) = (Some(a), Some(b));
            }
        }
        // A part that takes less than a microsecond on every side is no line's worth.
        let spends = || report.targets.iter().any(|target| target.value(path).is_some_and(|us| us >= 1.0));
        (values.iter().any(Option::is_some) && (section != Section::Spent || spends())).then(|| Line {
            section,
            name,
            path,
            values: values.into_iter().map(|v| v.unwrap_or_else(|| "–".to_owned())).collect(),
            comparisons,
        })
    };
    let mut lines: Vec<_> = metrics::lines().filter_map(line).collect();
    // The metric declared the main one is read first.
    if let Some(main) = lines.iter().position(|line| line.path == report.primary) {
        let main = lines.remove(main);
        lines.insert(0, main);
    }
    lines
}

/// The comparison of a metric, if there is one to be told: a stand-in's figures stand beside a real engine's, and no more.
fn told_comparison<'a>(report: &'a Report, target: usize, path: &str) -> Option<&'a Comparison> {
    report.comparison(target, path).filter(|c| c.verdict != Verdict::NotCompared)
}

/// Comparisons in the order of the lines, each with its name; what no line tells comes last, by its path.
pub(super) fn in_order(comparisons: &[Comparison]) -> Vec<(String, &Comparison)> {
    let lines: Vec<&metrics::Line> = metrics::lines().map(|(_, line)| line).collect();
    let place = |c: &Comparison| lines.iter().position(|line| line.path == c.metric);
    let mut told: Vec<&Comparison> = comparisons.iter().collect();
    told.sort_by_key(|c| place(c).unwrap_or(lines.len()));
    let name =
        |c: &Comparison| place(c).map_or_else(|| metric_words(&c.metric), |at| lines[at].label.trim().to_owned());
    told.into_iter().map(|c| (name(c), c)).collect()
}

/// Whether a value of these lines carries the mark of too few rows.
pub(super) fn marked(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.values.iter().any(|value| value.starts_with('~')))
}

/// What the mark says.
pub(super) const MARK: &str = "~ too few requests for a 95 % CI (needed: p50 6, p90 36, p95 72, p99 368, p99.9 3,688).";

/// A figure of a target in words; `None` if it wasn't measured.
pub(super) fn value(target: &TargetSummary, path: &str) -> Option<String> {
    if path == "accuracy.interval" {
        let row = target.row("accuracy")?;
        return Some(format!("{:.1}–{:.1} %", row.low? * 100.0, row.high? * 100.0));
    }
    if matches!(path, "agreement" | "answer_similarity") {
        let row = target.row(path)?;
        return Some(format!("{} of {}", value_words(path, &row.unit, row.mean?), human::count(row.n?)));
    }
    if path == "cosine_undefined" {
        let row = target.row(path)?;
        return Some(format!("{} of {} pairs", human::three(row.mean?), human::count(row.n?)));
    }
    let (metric, figure) = path.split_once('.').unwrap_or((path, "mean"));
    let row = target.row(metric)?;
    let x = row.figure(figure)?;
    Some(told(metric, figure, &row.unit, x, row.n))
}

/// A figure in words, marked where its rows are too few for an interval of its own.
fn told(metric: &str, figure: &str, unit: &str, x: f64, n: Option<u64>) -> String {
    let text = value_words(metric, unit, x);
    let at = ["p50", "p90", "p95", "p99", "p999"].iter().position(|word| *word == figure);
    let firm = at.is_none_or(|at| n.is_some_and(|n| n >= FIRM_N[at].1));
    if firm { text } else { format!("~{text}") }
}

/// The two figures that a ratio is the quotient of, in words: the target's, the reference's; `None` without a ratio.
pub(super) fn quotient(c: &Comparison) -> Option<[String; 2]> {
    let (metric, figure) = c.metric.split_once('.').unwrap_or((&c.metric, "mean"));
    c.ratio?;
    let told = |x: f64| told(metric, figure, &c.unit, x, c.pairs.or(Some(u64::MAX)));
    Some([told(c.target_value?), told(c.reference_value?)])
}

/// A ratio in words for a table of several targets: with the figures that it is of, where they aren't those of the whole runs,
/// which stand in the line.
pub(super) fn ratio_cell(line: &Line<'_>, c: &Comparison) -> Option<String> {
    let ratio = ratio_words(c)?;
    Some(match quotient(c) {
        Some([a, b]) if line.values.get(c.target) != Some(&a) || line.values.get(c.reference) != Some(&b) => {
            format!("{ratio} of {a} and {b}")
        }
        _ => ratio,
    })
}

/// What became of a target's requests, in words: `3772 requests, 3691 ok, 75 unparsed, 6 truncated`.
pub(super) fn outcome_words(target: &TargetSummary) -> String {
    let told: Vec<_> = target
        .outcomes
        .iter()
        .map(|(outcome, n)| format!("{} {}", human::count(*n), outcome.as_str().replace('_', " ")))
        .collect();
    match target.requests() {
        0 => "no requests".to_owned(),
        n => format!("{}, {}{}", human::counted(n, "request", "requests"), told.join(", "), unfinished_words(target)),
    }
}

/// What `unfinished` means, where there is any.
fn unfinished_words(target: &TargetSummary) -> String {
    match target.outcomes.iter().find(|(outcome, _)| *outcome == Outcome::Unfinished) {
        None | Some((_, 0)) => String::new(),
        Some((_, 1)) => "; 1 request was unfinished when the run ended (not a failure)".to_owned(),
        Some((_, n)) => format!("; {} requests were unfinished when the run ended (not failures)", human::count(*n)),
    }
}

/// Why verdicts are not shown, in sentences: each reason once, with the metrics it holds for.
pub(super) fn reasons(report: &Report, compared: &[usize]) -> Vec<String> {
    let several = compared.len() > 1;
    let words = |at: usize, (reason, metrics): (&str, Vec<String>)| {
        let metrics = metrics.join(", ");
        match report.targets.get(at).filter(|_| several) {
            Some(target) => format!("{}: {metrics} ({reason})", target.label()),
            None => format!("{metrics} ({reason})"),
        }
    };
    let of = |at: usize| reasons_of(report.comparisons.iter().filter(move |c| c.target == at));
    compared.iter().flat_map(|at| of(*at).into_iter().map(move |all| words(*at, all))).collect()
}

/// The targets that are compared in any of these lines.
pub(super) fn compared(report: &Report, lines: &[Line]) -> Vec<usize> {
    (0..report.targets.len()).filter(|at| lines.iter().any(|line| line.comparisons[*at].is_some())).collect()
}

/// Why verdicts of some comparisons are not shown: each reason once, with its metrics in words.
pub(super) fn reasons_of<'a>(comparisons: impl IntoIterator<Item = &'a Comparison>) -> Vec<(&'a str, Vec<String>)> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for c in comparisons {
        let Some(reason) = c.reason.as_deref() else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, metrics)) => metrics.push(metric_words(&c.metric)),
            None => reasons.push((reason, vec![metric_words(&c.metric)])),
        }
    }
    reasons
}

/// The engine behind a target, in words: `gg-core 1.2.3, qwen2.5-0.5b Q4_K_M, unix:/run/gg/core.sock`.
pub(super) fn engine_words(target: &crate::scenario::plan::TargetPlan) -> String {
    let facts = &target.facts;
    let words = |parts: [Option<&str>; 2]| parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let engine = words([Some(facts.engine.as_deref().unwrap_or("engine unknown")), facts.version.as_deref()]);
    let model = words([Some(target.model.as_str()), facts.quantization.as_deref()]);
    format!("{engine}, {model}, {} over {}", target.wire(), target.endpoint)
}

/// The first run's value and the second's; a dash where one wasn't measured.
pub(super) fn values(c: &Comparison) -> (String, String) {
    let value = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| value_words(&c.metric, &c.unit, x));
    (value(c.reference_value), value(c.target_value))
}
