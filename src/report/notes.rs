//! Reasons to read a report with care, told by the report itself.

use super::human::{percent, time};
use super::{Report, Status};
use crate::scenario::plan::{TargetPlan, Until};
use crate::stats::TargetSummary;

/// The sentences, the gravest first.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    for (target, plan) in report.targets.iter().zip(&report.plan.targets).filter(|(target, _)| target.stand_in) {
        let spoken = plan.wire();
        notes.push(format!(
            "{} is loadcmp's embedded engine speaking the {spoken} wire, not a real {spoken} engine: its figures say nothing of one.",
            target.label()
        ));
    }
    if report.status != Status::Complete {
        notes.push("The run was interrupted: it tells of what was done until then.".to_owned());
    }
    for plan in &report.plan.targets {
        notes.extend(plan.inequalities.iter().map(|what| format!("{}: {what}", plan.label())));
    }
    notes.extend(unlike_models(&report.plan.targets));
    for target in &report.targets {
        notes.extend(of_target(report, target));
    }
    notes.extend(unequal_work(report));
    notes.extend(unequal_prompts(report));
    notes
}

/// Load time from which a request is taken for a cold one: warm engines take some milliseconds.
const COLD_LOAD_US: f64 = 100_000.0;

/// Says where engines tell of unlike models.
fn unlike_models(targets: &[TargetPlan]) -> Option<String> {
    let told: Vec<_> = targets.iter().filter_map(|t| Some((t.label(), t.facts.quantization.as_deref()?))).collect();
    let (_, first) = told.first()?;
    let alike = told.iter().all(|(_, other)| other.eq_ignore_ascii_case(first));
    let list = || told.iter().map(|(name, q)| format!("{name} {q}")).collect::<Vec<_>>().join(", ");
    (!alike).then(|| format!("The models are quantised unlike: {}.", list()))
}

fn of_target(report: &Report, target: &TargetSummary) -> Vec<String> {
    let (name, mut notes) = (target.label(), Vec::new());
    let count = |metric: &str| target.value(metric).unwrap_or(0.0);
    if target.requests() == 0 {
        return vec![format!("{name} has no measured requests.")];
    }
    let failed = target.requests() - target.answered();
    if failed > 0 {
        let share = percent(failed as f64 / target.requests() as f64);
        notes.push(format!(
            "{name}: {failed} of {} requests ({share}) have no complete answer; times are of the others.",
            target.requests()
        ));
    }
    if count("retries") > 0.0 {
        let (n, were) = if count("retries") == 1.0 {
            ("1 request", "was")
        } else {
            (&*format!("{:.0} requests", count("retries")), "were")
        };
        notes.push(format!("{name}: {n} {were} sent again over a new connection."));
    }
    if let Some(most) = target.row("server_load").and_then(|row| row.max).filter(|us| *us >= COLD_LOAD_US) {
        notes.push(format!(
            "{name}: a measured request waited {} for its model: it was loaded, or loaded again, inside the window.",
            super::human::time(most)
        ));
    }
    // The starting values of measuring.md 9.
    if let (Some(lag), Some(median)) = (target.value("lag.p99"), target.value("latency.p50"))
        && lag > f64::max(1_000.0, median / 100.0)
    {
        notes.push(format!(
            "{name}: loadcmp itself sent late, {} at the 99th percentile: it was short of processor time.",
            time(lag)
        ));
    }
    let clamped: u64 = target.rows.iter().map(|row| row.clamped).sum();
    if clamped > 0 {
        notes.push(format!("{name}: {clamped} values lie outside what a histogram holds (below zero, or above a day); percentiles take its nearest value for them."));
    }
    if report.plan.workload.stream && target.answered() > 0 && target.row("ttft").is_none() {
        notes.push(format!("{name} was asked for a stream, and sent none: it has no first-token times."));
    }
    notes
}

/// Says where runs of a number of requests completed unlike numbers of them.
fn unequal_work(report: &Report) -> Option<String> {
    let Until::Requests(_) = report.plan.load.until() else { return None };
    let done: Vec<_> = report.targets.iter().map(TargetSummary::answered).collect();
    let unequal = done.windows(2).any(|pair| pair[0] != pair[1]);
    let list =
        || report.targets.iter().map(|t| format!("{} {}", t.label(), t.answered())).collect::<Vec<_>>().join(", ");
    unequal.then(|| format!("The targets completed unequal work: {} requests.", list()))
}

/// Says where the same prompts cost unlike numbers of tokens: an engine that cuts them without a word looks fast.
fn unequal_prompts(report: &Report) -> Option<String> {
    let told: Vec<(String, f64)> =
        report.targets.iter().filter_map(|target| Some((target.label(), target.row("prompt_tokens")?.mean?))).collect();
    let (least, most) = told.iter().fold((f64::INFINITY, 0f64), |(low, high), (_, n)| (low.min(*n), high.max(*n)));
    let list = || told.iter().map(|(name, n)| format!("{name} {n:.0}")).collect::<Vec<_>>().join(", ");
    (told.len() > 1 && most > least * 1.25 + 8.0).then(|| {
        format!(
            "The same prompts are unlike numbers of tokens, on average {}: templates or tokenisers differ, or one \
             engine cuts what is too long.",
            list()
        )
    })
}
