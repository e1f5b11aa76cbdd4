//! The sentences about a trend, the same in the terminal and on the page.

use crate::history::{Mover, RatioLine, Series, StepTold, Trend};
use crate::metrics::{metric_words, value_words};
use crate::report::human;
use crate::stats::unit;

/// A day and a time: `2026-11-09 02:00`.
pub(super) fn when(started: &str) -> String {
    let text: String = started.chars().take(16).collect();
    human::printable(&text.replacen('T', " ", 1))
}

/// Whose line it is: `first token p95 of native in nightly`.
pub(super) fn title(trend: &Trend, series: &Series) -> String {
    let stand_in = if series.stand_in { " (stand-in)" } else { "" };
    let part = series.part.as_ref().map(|part| format!(", {part}")).unwrap_or_default();
    let text = format!("{} of {}{stand_in} in {}{part}", metric_words(&trend.metric), series.target, series.scenario);
    human::printable(&text)
}

/// How large a step is: `+8.1 %`; of a proportion `+2.5 points`.
pub(super) fn size(series: &Series, step: &StepTold) -> String {
    let by = if series.unit == unit::ONE { "percentage points" } else { "%" };
    step.change.map_or_else(|| "from nothing".to_owned(), |change| format!("{:+.1} {by}", change * 100.0))
}

/// The steps of a line and of its ratio, in the order of the runs.
pub(super) fn steps(series: &Series) -> Vec<&StepTold> {
    let mut all: Vec<&StepTold> = series.told().collect();
    all.sort_by_key(|step| step.at);
    all
}

/// What a level is: a figure, or a ratio; of a proportion the ratio is a difference.
fn level(trend: &Trend, series: &Series, step: &StepTold, value: f64) -> String {
    if step.of_ratio { ratio(series, value) } else { value_words(&trend.metric, &series.unit, value) }
}

/// A ratio to the reference: `1.08`; of a proportion the difference, `+1.2 pp`.
pub(super) fn ratio(series: &Series, value: f64) -> String {
    if series.unit == unit::ONE { format!("{:+.1} pp", value * 100.0) } else { human::ratio(value) }
}

/// What the numbers of a ratio are, for the head of a column.
pub(super) fn ratio_name(series: &Series, ratio: &RatioLine) -> String {
    let what = if series.unit == unit::ONE { "minus" } else { "÷" };
    human::printable(&format!("{what} {}", ratio.to))
}

/// What moved at a step, and whether it is a finding; nothing where there is nothing to add.
fn told_of(trend: &Trend, series: &Series, step: &StepTold) -> String {
    let to = series.ratio.as_ref().map(|ratio| human::printable(&ratio.to)).unwrap_or_default();
    let moved = series.ratio.as_ref().and_then(|ratio| ratio.step_at(step.at, step.change));
    let mover = match (step.of_ratio, step.mover, moved) {
        (true, ..) => "; the value itself shows no step, because the machine changed or its noise hides it".to_owned(),
        (false, Some(Mover::Engine), Some(moved)) => {
            format!("; its ratio to {to} changed by {}, so it is not the machine", size(series, moved))
        }
        (false, Some(Mover::Machine), _) => {
            format!("; both sides changed, but not the ratio to {to}: the machine, not the engine")
        }
        (false, Some(Mover::Unknown), _) => {
            format!("; its ratio to {to} doesn't show whether it is the engine or the machine")
        }
        _ => String::new(),
    };
    if step.certain {
        return mover;
    }
    let lines = trend.family.lines;
    format!("{mover}; not significant among {lines} {}", if lines == 1 { "line" } else { "lines" })
}

/// Whether a step says that the engine became better or worse: it is a finding, and not the machine's.
pub(in crate::sink) fn counts(step: &StepTold) -> bool {
    step.certain && step.mover != Some(Mover::Machine)
}

/// Whether it is better, as a word; nothing where neither is.
pub(super) fn verdict(step: &StepTold) -> &'static str {
    match step.better {
        Some(true) => "better",
        Some(false) => "worse",
        None => "",
    }
}

/// A step in a sentence, without what differs.
pub(super) fn step(trend: &Trend, series: &Series, step: &StepTold) -> String {
    let value = |x: f64| level(trend, series, step, x);
    let verdict = match step.better {
        Some(true) => ", better",
        Some(false) => ", worse",
        None => "",
    };
    let of = match &series.ratio {
        Some(ratio) if step.of_ratio => format!("ratio to {} ", human::printable(&ratio.to)),
        _ => String::new(),
    };
    format!(
        "{of}{} since {}, first run {}: {} before, {} after{verdict} (p {}){}",
        size(series, step),
        when(&step.started),
        folder(&step.dir),
        value(step.before),
        value(step.after),
        p(step.p),
        told_of(trend, series, step)
    )
}

/// What differs at a step, in a sentence.
pub(super) fn differs(step: &StepTold) -> String {
    if step.differs.is_empty() {
        return format!("The manifests show no difference from {}, the run before it.", folder(&step.dir_before));
    }
    let one = |differs: &crate::history::Differs| {
        format!("{} {} → {}", differs.what, short(&differs.before), short(&differs.after))
    };
    let all = step.differs.iter().map(one).collect::<Vec<_>>().join("; ");
    human::printable(&format!("Differences from {}, the run before it: {all}.", folder(&step.dir_before)))
}

/// A digest by its first digits; anything else as it is.
fn short(text: &str) -> String {
    let digits = text.rsplit(':').next().unwrap_or_default();
    if digits.len() >= 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return format!("{:.12}…", digits);
    }
    if text.chars().count() > 120 {
        format!("{}…", text.chars().take(119).collect::<String>())
    } else {
        text.to_owned()
    }
}

fn p(p: f64) -> String {
    if p < 0.0015 { "0.001".to_owned() } else { human::three(p) }
}

/// A run's directory for people.
pub(super) fn folder(dir: &str) -> String {
    if dir.is_empty() { "this folder".to_owned() } else { human::printable(dir) }
}

/// What the line says, in sentences: the steps, the last first, or that there is none.
pub(super) fn headline(trend: &Trend, series: &Series) -> String {
    let (n, what) = (series.points.len(), title(trend, series));
    let least = trend.by.fewest();
    let steps = steps(series);
    match steps.last() {
        Some(last) => {
            let more = match steps.len() {
                1 => String::new(),
                steps => format!("; {} earlier", steps - 1),
            };
            format!("{what}: {}{more}.", step(trend, series, last))
        }
        None if n < least => format!("{what}: {n} {}; steps need at least {least}.", runs(n)),
        None => format!("{what}: no step in {n} runs."),
    }
}

/// What stands alone; nothing if nothing does.
pub(super) fn alone(trend: &Trend, series: &Series) -> Option<String> {
    let one = |at: &usize| {
        let point = series.points.get(*at)?;
        Some(format!("{} ({})", when(&point.started), value_words(&trend.metric, &series.unit, point.value)))
    };
    let all: Vec<String> = series.alone.iter().filter_map(one).collect();
    let verb = if all.len() == 1 { "Outlier" } else { "Outliers" };
    (!all.is_empty()).then(|| format!("{verb}, ignored: {}.", all.join(", ")))
}

/// Which runs are not in the line, gathered by why.
pub(super) fn left_out(series: &Series) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for left in &series.left_out {
        match reasons.iter_mut().find(|(why, _)| *why == left.why) {
            Some((_, dirs)) => dirs.push(&left.dir),
            None => reasons.push((&left.why, vec![&left.dir])),
        }
    }
    let one = |(why, dirs): (&str, Vec<&str>)| {
        let named: Vec<String> = dirs.iter().take(3).map(|dir| folder(dir)).collect();
        let more = if dirs.len() > 3 { format!(" and {} more", dirs.len() - 3) } else { String::new() };
        human::printable(&format!("{} {} left out: {why} ({}{more})", dirs.len(), runs(dirs.len()), named.join(", ")))
    };
    reasons.into_iter().map(one).collect()
}

/// How steps are looked for.
pub(in crate::sink) fn method(trend: &Trend) -> String {
    format!(
        "A step is reported where a permutation test gives p ≤ {} and the level changes by {} or more for at least {} \
         runs. {} series were tested together (values and their ratios to the reference): the expected share of false \
         steps is at most {} (Benjamini and Hochberg), more if consecutive nights are correlated. Steps beyond that \
         rate are marked as not significant.",
        trend.by.alpha,
        human::share(trend.by.smallest),
        trend.by.least,
        trend.family.lines,
        human::share(trend.family.rate)
    )
}

/// What couldn't be read.
pub(super) fn damaged(trend: &Trend) -> Option<String> {
    let n = trend.damaged.len();
    (n > 0).then(|| {
        format!("{n} {} can't be read: loadcmp history {} lists them.", runs(n), human::printable(&trend.folder))
    })
}

fn runs(n: usize) -> &'static str {
    if n == 1 { "run" } else { "runs" }
}
