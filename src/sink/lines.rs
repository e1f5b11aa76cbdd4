//! The lines that people read side by side, the same in the terminal, in Markdown and on the page: which metrics, in
//! what order, under what words.

use crate::record::Outcome;
use crate::report::words::{metric_words, ratio_words};
use crate::report::{Report, human};
use crate::stats::{Comparison, FIRM_N, TargetSummary, Verdict, unit};

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

/// What kind of thing a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// How long people wait.
    Wait,
    /// How much is done.
    Rate,
    /// What the answers are worth.
    Answers,
    /// Where the time of a request goes, on average.
    Spent,
    /// What it cost the engines' processes.
    Cost,
    /// What the engines say themselves, and what went before.
    Engine,
}

impl Section {
    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Section::Wait => "Time",
            Section::Rate => "Rate",
            Section::Answers => "Answers",
            Section::Spent => "Where a request's time goes (means)",
            Section::Cost => "Cost to the engine's processes",
            Section::Engine => "By the engine's own clock, and around it",
        }
    }
}

const LINES: [(Section, &str, &str); 60] = [
    (Section::Wait, "response p50", "response.p50"),
    (Section::Wait, "response p95", "response.p95"),
    (Section::Wait, "response p99", "response.p99"),
    (Section::Wait, "response mean", "response.mean"),
    (Section::Wait, "to token p50", "response_ttft.p50"),
    (Section::Wait, "to token p95", "response_ttft.p95"),
    (Section::Wait, "latency p50", "latency.p50"),
    (Section::Wait, "latency p95", "latency.p95"),
    (Section::Wait, "latency p99", "latency.p99"),
    (Section::Wait, "latency mean", "latency.mean"),
    (Section::Wait, "first token p50", "ttft.p50"),
    (Section::Wait, "first token p95", "ttft.p95"),
    (Section::Wait, "TTFT (answer) p50", "ttfat.p50"),
    (Section::Wait, "TTFT (answer) p95", "ttfat.p95"),
    (Section::Wait, "token gap mean", "itl.mean"),
    (Section::Wait, "time per token", "tpot.mean"),
    (Section::Wait, "longest gap p95", "gap_max.p95"),
    (Section::Rate, "requests", "requests_per_s"),
    (Section::Rate, "goodput", "goodput"),
    (Section::Rate, "  of requests", "goodput_share"),
    (Section::Rate, "output tokens", "output_tokens_per_s"),
    (Section::Rate, "prompt tokens", "prompt_tokens_per_s"),
    (Section::Rate, "tokens/s of one, p50", "tokens_per_s.p50"),
    (Section::Answers, "failed", "error_rate"),
    (Section::Answers, "accuracy", "accuracy"),
    (Section::Answers, "  95 % interval", "accuracy.interval"),
    (Section::Answers, "macro F1", "macro_f1"),
    (Section::Answers, "unreadable", "unparsed_rate"),
    (Section::Answers, "agreement", "agreement"),
    (Section::Answers, "cosine p50", "cosine.p50"),
    (Section::Answers, "cosine lowest", "cosine.min"),
    (Section::Answers, "  undefined", "cosine_undefined"),
    (Section::Answers, "prompt tokens, mean", "prompt_tokens.mean"),
    (Section::Answers, "tokens, mean", "output_tokens.mean"),
    (Section::Spent, "a request, mean", "time_whole"),
    (Section::Spent, "  connection", "time_connection"),
    (Section::Spent, "  client", "time_client"),
    (Section::Spent, "  queue (derived)", "time_queue"),
    (Section::Spent, "  model load", "time_load"),
    (Section::Spent, "  prompt", "time_prompt"),
    (Section::Spent, "  decode", "time_decode"),
    (Section::Spent, "  tail", "time_tail"),
    (Section::Spent, "  unexplained", "time_unexplained"),
    (Section::Cost, "processor", "cpu_cores"),
    (Section::Cost, "  a request", "cpu_per_request"),
    (Section::Cost, "  1,000 tokens", "cpu_per_1000_tokens"),
    (Section::Cost, "memory at most", "memory_peak"),
    (Section::Cost, "  of no file", "memory_anonymous"),
    (Section::Cost, "  ÷ model's file", "memory_ratio"),
    (Section::Cost, "GPU memory", "gpu_memory"),
    (Section::Cost, "energy a token", "joules_per_token"),
    (Section::Cost, "tokens by memory", "tokens_per_s_per_gib"),
    (Section::Engine, "engine total p50", "server_total.p50"),
    (Section::Engine, "outside it p50", "outside_server.p50"),
    (Section::Engine, "cold request", "cold_latency"),
    (Section::Engine, "model load", "cold_server_load"),
    (Section::Engine, "cold start p50", "cold_answer.p50"),
    (Section::Engine, "  ready", "cold_ready.p50"),
    (Section::Engine, "  first token", "cold_first_token.p50"),
    (Section::Engine, "sent late p99", "lag.p99"),
];

/// The lines of a report; what no target measured is left out.
pub(super) fn lines(report: &Report) -> Vec<Line<'_>> {
    let open = report.comparing().open_loop;
    let line = |&(section, name, path): &(Section, &'static str, &'static str)| {
        // In a closed loop a request is planned when its user is ready: the two times are one.
        if path.starts_with("response") && !open {
            return None;
        }
        // Where no answer held thoughts, the first token of the answer is the first of all.
        let thinks = |target: &TargetSummary| {
            target.row("ttfat").map(|row| (row.n, row.mean)) != target.row("ttft").map(|row| (row.n, row.mean))
        };
        if path.starts_with("ttfat") && !report.targets.iter().any(thinks) {
            return None;
        }
        let mut values: Vec<_> = report.targets.iter().map(|target| value(target, path)).collect();
        let comparisons: Vec<_> = (0..report.targets.len()).map(|at| told_comparison(report, at, path)).collect();
        // Of two targets the figures are those that the ratio is the quotient of: over the same requests.
        if let ([_, _], Some(c)) = (&report.targets[..], comparisons.iter().flatten().next())
            && let Some([a, b]) = quotient(c)
        {
            (values[c.target], values[c.reference]) = (Some(a), Some(b));
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
    let mut lines: Vec<_> = LINES.iter().filter_map(line).collect();
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
    let place = |c: &Comparison| LINES.iter().position(|(_, _, path)| *path == c.metric);
    let mut told: Vec<&Comparison> = comparisons.iter().collect();
    told.sort_by_key(|c| place(c).unwrap_or(LINES.len()));
    let name = |c: &Comparison| place(c).map_or_else(|| metric_words(&c.metric), |at| LINES[at].1.trim().to_owned());
    told.into_iter().map(|c| (name(c), c)).collect()
}

/// Whether a value of these lines carries the mark of too few rows.
pub(super) fn marked(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.values.iter().any(|value| value.starts_with('~')))
}

/// What the mark says.
pub(super) const MARK: &str =
    "~ rests on too few requests for a 95 % interval of its own (p50 needs 6, p90 36, p95 72, p99 368, p99.9 3688).";

/// A figure of a target in words; `None` if it wasn't measured.
pub(super) fn value(target: &TargetSummary, path: &str) -> Option<String> {
    if path == "accuracy.interval" {
        let row = target.row("accuracy")?;
        return Some(format!("{:.1}–{:.1} %", row.low? * 100.0, row.high? * 100.0));
    }
    if path == "agreement" {
        let row = target.row(path)?;
        return Some(format!("{} of {}", human::value(row.mean?, &row.unit), row.n?));
    }
    if path == "cosine_undefined" {
        let row = target.row(path)?;
        return Some(format!("{:.0} of {} pairs", row.mean?, row.n?));
    }
    let (metric, figure) = path.split_once('.').unwrap_or((path, "mean"));
    let row = target.row(metric)?;
    let x = row.figure(figure)?;
    Some(told(metric, figure, &row.unit, x, row.n))
}

/// A figure in words, marked where its rows are too few for an interval of its own.
fn told(metric: &str, figure: &str, unit: &str, x: f64, n: Option<u64>) -> String {
    let text = match (metric, unit) {
        ("macro_f1" | "cosine", _) => format!("{x:.3}"),
        ("memory_ratio", _) => human::ratio(x),
        (_, unit::TOKENS) => human::three(x),
        (_, unit) => human::value(x, unit),
    };
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
    let told: Vec<_> =
        target.outcomes.iter().map(|(outcome, n)| format!("{n} {}", outcome.as_str().replace('_', " "))).collect();
    match target.requests() {
        0 => "no requests".to_owned(),
        n => format!("{n} requests, {}{}", told.join(", "), unfinished_words(target)),
    }
}

/// What `unfinished` means, where there is any.
fn unfinished_words(target: &TargetSummary) -> String {
    match target.outcomes.iter().find(|(outcome, _)| *outcome == Outcome::Unfinished) {
        None | Some((_, 0)) => String::new(),
        Some((_, 1)) => "; 1 request was not waited for when the run ended (no failure)".to_owned(),
        Some((_, n)) => format!("; {n} requests were not waited for when the run ended (no failures)"),
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
