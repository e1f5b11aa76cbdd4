//! The sentences about a trend, the same in the terminal and on the page.

use crate::history::{Series, StepTold, Trend};
use crate::report::human;
use crate::report::words::metric_words;
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

/// Whether it is better, as a word; nothing where neither is.
pub(super) fn verdict(step: &StepTold) -> &'static str {
    match step.better {
        Some(true) => "better",
        Some(false) => "worse",
        None => "",
    }
}

/// A step in a sentence, without what differs.
pub(super) fn step(series: &Series, step: &StepTold) -> String {
    let value = |x: f64| human::value(x, &series.unit);
    let verdict = match step.better {
        Some(true) => ", better",
        Some(false) => ", worse",
        None => "",
    };
    format!(
        "{} from {} on, first run {}: {} before, {} since{verdict} (p {})",
        size(series, step),
        when(&step.started),
        folder(&step.dir),
        value(step.before),
        value(step.after),
        p(step.p)
    )
}

/// What differs at a step, in a sentence.
pub(super) fn differs(step: &StepTold) -> String {
    if step.differs.is_empty() {
        return format!(
            "Nothing that the manifests tell differs from {}, the last run before.",
            folder(&step.dir_before)
        );
    }
    let one = |differs: &crate::history::Differs| {
        format!("{} {} → {}", differs.what, short(&differs.before), short(&differs.after))
    };
    let all = step.differs.iter().map(one).collect::<Vec<_>>().join("; ");
    human::printable(&format!("What differs from {}, the last run before: {all}.", folder(&step.dir_before)))
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
    match series.steps.last() {
        Some(last) => {
            let more = match series.steps.len() {
                1 => String::new(),
                steps => format!("; {} earlier", steps - 1),
            };
            format!("{what}: {}{more}.", step(series, last))
        }
        None if n < least => format!("{what}: {n} {}, and a step takes {least} to be told.", runs(n)),
        None => format!("{what}: no step in {n} runs."),
    }
}

/// What stands alone; nothing if nothing does.
pub(super) fn alone(series: &Series) -> Option<String> {
    let one = |at: &usize| {
        let point = series.points.get(*at)?;
        Some(format!("{} ({})", when(&point.started), human::value(point.value, &series.unit)))
    };
    let all: Vec<String> = series.alone.iter().filter_map(one).collect();
    let verb = if all.len() == 1 { "Stands alone, and is" } else { "Stand alone, and are" };
    (!all.is_empty()).then(|| format!("{verb} no step: {}.", all.join(", ")))
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
        "A step is told where a permutation test has p of at most {} and the level changes by {} or more for at least {} \
         runs; a flat history shows one about once in {:.0}, more often where nights carry on what the one \
         before was off by.",
        trend.by.alpha,
        human::percent(trend.by.smallest),
        trend.by.least,
        1.0 / trend.by.alpha.max(1e-3)
    )
}

/// What couldn't be read.
pub(super) fn damaged(trend: &Trend) -> Option<String> {
    let n = trend.damaged.len();
    (n > 0).then(|| {
        format!("{n} {} can't be told: loadcmp history {} lists them.", runs(n), human::printable(&trend.folder))
    })
}

fn runs(n: usize) -> &'static str {
    if n == 1 { "run" } else { "runs" }
}
