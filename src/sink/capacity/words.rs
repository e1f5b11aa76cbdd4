//! A search in words, the same in every format.

use crate::capacity::{
    Basis, Boundary, By, Capacity, Ended, JudgedProbe, Ratio, SearchSettings, Shown, TargetCapacity,
};
use crate::report::human::{self, grouped};
use crate::scenario::{Limit, Measure, Slo};
use crate::stats::{Verdict, unit};

/// What was searched for.
pub(super) fn title(settings: &SearchSettings) -> String {
    let about = settings.about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
    let what = match settings.reach.by {
        By::Rate => "highest rate",
        By::Users => "most users",
    };
    format!("{}{about}: the {what} within {}", settings.name, settings.slo)
}

/// How it was searched for.
pub(super) fn method(settings: &SearchSettings) -> String {
    let added = if settings.errors_added { "; a limit on errors was added, because none was given" } else { "" };
    format!(
        "{}; probes of {} or more after {} of warm-up, one target at a time, in turns; until pass and fail (or the \
         ends of the interval) are within {} of each other, for at most {}{added}",
        settings.load,
        human::length(settings.probe.0.as_secs_f64()),
        human::length(settings.warmup.0.as_secs_f64()),
        human::share(settings.reach.precision),
        human::length(settings.budget.0.as_secs_f64())
    )
}

/// A load in its unit.
pub(super) fn load(settings: &SearchSettings, at: f64) -> String {
    match settings.reach.by {
        By::Rate => format!("{}/s", figures(at)),
        By::Users if at == 1.0 => "1 user".to_owned(),
        By::Users => format!("{} users", figures(at)),
    }
}

/// Four figures: the digits that loads have.
fn figures(x: f64) -> String {
    let digits = (3 - x.abs().max(1e-9).log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{x:.digits$}");
    grouped(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text })
}

/// An estimate and the ends of its interval, with the digits that the interval leaves: the second one of its width.
fn estimate(value: f64, low: f64, high: f64) -> [String; 3] {
    let width = (high - low).max(value.abs() * 1e-3).max(f64::MIN_POSITIVE);
    let digits = (1 - width.log10().floor() as i32).clamp(0, 6) as usize;
    [value, low, high].map(|x| grouped(&format!("{x:.digits$}")))
}

/// A target's capacity: `93 requests/s (95 % CI 88–99)`.
pub(super) fn boundary_words(settings: &SearchSettings, found: &Boundary) -> String {
    let by = settings.reach.by;
    let unit = match by {
        By::Rate => "requests/s",
        By::Users => "users",
    };
    let at = |x: f64| match by {
        By::Users if x == 1.0 => "1 user".to_owned(),
        _ => format!("{} {unit}", figures(x)),
    };
    match (found.basis, found.value, found.low, found.high) {
        (Basis::Interval, Some(value), Some(low), Some(high)) => {
            let [value, low, high] = match by {
                By::Rate => estimate(value, low, high),
                By::Users => [value, low, high].map(figures),
            };
            format!("{value} {unit} (95 % CI {low}–{high})")
        }
        (Basis::Bracket, _, Some(low), Some(high)) if by == By::Users && high <= low + 1.0 => {
            format!("{}, but not {}", at(low), figures(high))
        }
        (Basis::Bracket, _, Some(low), Some(high)) => {
            format!("between {} (the last pass) and {} (the first fail)", at(low), figures(high))
        }
        (_, Some(value), low, high) => {
            let end = |word: &str, at: Option<f64>| at.map(|x| format!("; {word} {}", figures(x))).unwrap_or_default();
            // As many digits as a rough figure has.
            let value = if by == By::Users { value } else { rough(value) };
            format!(
                "about {}{}{} (too few answers to be certain of {})",
                at(value),
                end("certainly", low),
                end("certainly not", high),
                if low.is_none() && high.is_none() {
                    "a pass or a fail"
                } else if low.is_none() {
                    "a pass"
                } else {
                    "a fail"
                }
            )
        }
        (_, None, Some(low), None) => format!("at least {}", at(low)),
        (_, None, None, Some(high)) => format!("less than {}", at(high)),
        _ => "no load found".to_owned(),
    }
}

/// Two digits.
fn rough(x: f64) -> f64 {
    let unit = 10_f64.powf(x.abs().max(1e-9).log10().floor() - 1.0);
    (x / unit).round() * unit
}

/// Seconds of a search that nobody waits for.
const PATIENCE_S: f64 = 4.0 * 3600.0;

/// What an interval would take, where there is none and more time gives it.
fn needs_words(capacity: &Capacity, target: &TargetCapacity) -> Option<String> {
    let needs = target.capacity.needs_s.filter(|_| target.capacity.basis != Basis::Interval)?;
    // An end that is as near as was asked for needs no interval.
    let settings = &capacity.settings;
    if target.capacity.known() && target.searched.ended == Some(Ended::Found) {
        return None;
    }
    let time = |s: f64| std::time::Duration::try_from_secs_f64(s).unwrap_or(std::time::Duration::MAX);
    let all = capacity.targets.iter().filter_map(|target| target.capacity.needs_s).fold(needs, f64::max);
    let all = (all * capacity.targets.len() as f64).max(settings.budget.0.as_secs_f64() * 1.5);
    let budget = format!("{:.0}m", (all / 60.0).ceil());
    let by_rate = settings.reach.by == By::Rate;
    Some(if all > PATIENCE_S {
        let or = if by_rate { ", or search `--by users`" } else { "" };
        format!(
            "a 95 % CI would take about {} of load for this target: limit a lower percentile{or}",
            human::length(time(needs).as_secs_f64())
        )
    } else {
        let slow = by_rate && target.searched.alone_us.is_some_and(|us| us >= 1e6);
        let cheaper = if slow { "; `--by users` needs far fewer answers" } else { "" };
        format!(
            "a 95 % CI would take about {} of load for this target: `--budget {budget}`{cheaper}",
            human::length(time(needs).as_secs_f64())
        )
    })
}

/// Why a search ended without a boundary, or with a wide one.
fn ended_words(settings: &SearchSettings, target: &TargetCapacity) -> Option<String> {
    let words = match target.searched.ended {
        Some(Ended::Found) => return None,
        Some(Ended::AtMost) => {
            format!("{} was the highest load to try (--most)", load(settings, settings.reach.most))
        }
        Some(Ended::Never) => {
            let lower = match settings.reach.by {
                By::Rate => "lower the first rate (--start), or the limits can't be met",
                By::Users => "it can't meet the limits",
            };
            format!("even {} is too much: {lower}", load(settings, settings.reach.least))
        }
        // A search that has its interval took the time there was to make it narrower.
        Some(Ended::Budget) if target.capacity.basis == Basis::Interval => return None,
        Some(Ended::Budget) => {
            format!("the time was up ({}): increase --budget", human::length(settings.budget.0.as_secs_f64()))
        }
        Some(Ended::Probes) => "the maximum number of probes was reached".to_owned(),
        Some(Ended::Generator) => "beyond it the generator was the limit, not the target".to_owned(),
        Some(Ended::Unmeasured) => {
            let last = target.probes.last().map(|probe| probe.reason.clone()).unwrap_or_default();
            format!("no result: {last}")
        }
        Some(Ended::Interrupted) => "it was interrupted".to_owned(),
        None => "it was not finished".to_owned(),
    };
    Some(words)
}

/// One sentence a ratio, then one a target; the verdict first.
pub(super) fn headlines(capacity: &Capacity) -> Vec<String> {
    let settings = &capacity.settings;
    let mut all = Vec::new();
    let reference = capacity.targets.get(settings.reference);
    for ratio in &capacity.ratios {
        let (Some(target), Some(reference)) = (capacity.targets.get(ratio.target), reference) else { continue };
        let (name, other) = (target.label(), reference.label());
        let times = ratio_words(ratio);
        all.push(match ratio.verdict {
            Verdict::Better => format!("{name} is better than {other} in capacity: {times}."),
            Verdict::Worse => format!("{name} is worse than {other} in capacity: {times}."),
            Verdict::NotCompared => format!("Not compared: {}.", target.uncompared(reference).unwrap_or_default()),
            Verdict::Equal => format!("{name} and {other} are equal in capacity: {times}."),
            Verdict::Undecided => format!("Undecided whether {name} or {other} has more capacity: {times}."),
        });
    }
    for target in &capacity.targets {
        if let Some(alone) = &target.searched.alone {
            all.push(format!(
                "{} sustains no load: even one request at a time breaks a limit, {alone}.",
                target.label()
            ));
            continue;
        }
        let found = boundary_words(settings, &target.capacity);
        let ended = ended_words(settings, target).map(|why| format!("; {why}")).unwrap_or_default();
        let needs = needs_words(capacity, target).map(|words| format!("; {words}")).unwrap_or_default();
        all.push(format!("{} sustains {found}{ended}{needs}.", target.label()));
    }
    all
}

/// `ratio 2.02 (95 % CI 1.94–2.11)`.
fn ratio_words(ratio: &Ratio) -> String {
    let word = human::ratio;
    let ends = match (ratio.low, ratio.high) {
        (Some(low), Some(high)) if ratio.interval => format!("95 % CI {}–{}", word(low), word(high)),
        (Some(low), Some(high)) => format!("{}–{}, by passes and fails", word(low), word(high)),
        (Some(low), None) => format!("at least {}", word(low)),
        (None, Some(high)) => format!("at most {}", word(high)),
        (None, None) => "not enough data".to_owned(),
    };
    ratio.ratio.map(|ratio| format!("ratio {} ({ends})", word(ratio))).unwrap_or(ends)
}

/// What to be careful about.
pub(super) fn doubts(capacity: &Capacity) -> Vec<String> {
    let stand_in = capacity.has_stand_in().then(|| {
        "warning: a stand-in took the place of a real engine; its figures say nothing about that engine".to_owned()
    });
    stand_in.into_iter().chain(of_probes(capacity)).collect()
}

/// Those of them that its probes give rise to.
pub(super) fn of_probes(capacity: &Capacity) -> Vec<String> {
    let mut all = Vec::new();
    for target in capacity.targets.iter().filter(|target| target.capacity.contradicted) {
        all.push(format!(
            "warning: {} failed at a load below one that passed: the boundary is near both, or it recovers slowly from \
             overload",
            target.label()
        ));
    }
    for target in &capacity.targets {
        let lagging = target.probes.iter().filter(|probe| probe.evidence.generator.is_some()).count();
        if lagging > 0 {
            all.push(format!(
                "warning: in {lagging} of {} probes of {} the generator was late or overloaded; these fail only if \
                 they do so without its delay",
                target.probes.len(),
                target.label()
            ));
        }
    }
    all
}

/// The heads of a target's columns.
pub(super) fn columns(settings: &SearchSettings, label: &str) -> Vec<String> {
    let mut heads = vec![human::printable(label), "achieved".to_owned(), "goodput".to_owned()];
    heads.extend(limits(settings).iter().map(|limit| limit.subject().to_owned()));
    heads.push("verdict".to_owned());
    heads
}

/// The limits of a search; its settings were read once, and are what they were.
fn limits(settings: &SearchSettings) -> Vec<Limit> {
    Slo::parse(&settings.slo).map(|slo| slo.limits).unwrap_or_default()
}

/// A probe's cells; with the intervals of its figures if there is room.
pub(super) fn cells(settings: &SearchSettings, probe: &JudgedProbe, intervals: bool) -> Vec<String> {
    let rate = |x: f64| format!("{}/s", human::three(x));
    let mut cells =
        vec![load(settings, probe.asked), rate(probe.evidence.achieved_per_s), rate(probe.evidence.goodput_per_s)];
    for (at, limit) in limits(settings).iter().enumerate() {
        cells.push(probe.evidence.shown.get(at).map_or("–".to_owned(), |s| shown_words(limit.measure, s, intervals)));
    }
    cells.push(probe.verdict.as_str().to_owned());
    cells
}

/// A figure as people read it.
pub(super) fn shown_words(measure: Measure, shown: &Shown, interval: bool) -> String {
    let word = |x: f64| match measure {
        Measure::Errors | Measure::Goodput => human::percent(x),
        Measure::TokensPerS => human::value(x, unit::TOKENS_PER_S),
        _ => human::value(x, unit::MICROS),
    };
    match shown.value {
        None if shown.infinite => "∞".to_owned(),
        None => "–".to_owned(),
        Some(value) => match (shown.low, shown.high) {
            (Some(low), Some(high)) if interval => {
                format!("{} ({})", word(value), human::between(&word(low), &word(high)))
            }
            _ => word(value),
        },
    }
}

/// Why a probe was judged as it was.
pub(super) fn why(probe: &JudgedProbe) -> String {
    if probe.over_saturated && probe.verdict != crate::capacity::LoadVerdict::Pass && !probe.reason.contains("queue") {
        return format!("{}; the queue grew", probe.reason);
    }
    probe.reason.clone()
}

/// The heads of the table of failures.
pub(super) const FAILED: [&str; 4] = ["target", "requests", "at loads", "why requests failed"];

/// Why requests failed in the probes, by target; none where nothing did.
pub(super) fn failed(capacity: &Capacity) -> Vec<[String; 4]> {
    let settings = &capacity.settings;
    let of = |target: &TargetCapacity| {
        let row = |failed: &crate::capacity::Failed| {
            let loads = if failed.least == failed.most {
                load(settings, failed.least)
            } else {
                format!("{}–{}", figures(failed.least), load(settings, failed.most))
            };
            let why = super::super::failures::reason_words(failed.outcome, failed.http_status, &failed.words);
            [target.label(), human::count(failed.count), loads, human::printable(&why)]
        };
        target.failures.iter().map(row).collect::<Vec<_>>()
    };
    capacity.targets.iter().flat_map(of).collect()
}

/// A target's probes from the least load to the most.
pub(super) fn by_load(target: &TargetCapacity) -> Vec<&JudgedProbe> {
    let mut probes: Vec<&JudgedProbe> = target.probes.iter().collect();
    probes.sort_by(|a, b| a.asked.total_cmp(&b.asked).then(a.step.cmp(&b.step)));
    probes
}

/// How the figures are to be read.
pub(super) fn legend(settings: &SearchSettings) -> String {
    let from = match settings.reach.by {
        By::Rate => "Latency and ttft count from the planned time and include waiting for late answers. ",
        By::Users => "",
    };
    format!(
        "{from}A probe passes if the share of requests beyond each limit is certainly small enough, and fails if it \
         certainly isn't \
         (Wilson's 95 % interval at the effective number of independent requests; failed requests are beyond every \
         limit, so a value \
         may be ∞; errors are judged as counted), or if its queue grows. The 95 % CI of a capacity uses all long \
         probes together; where \
         they give none, the last pass and the first fail are reported. Goodput: answers per second that met every \
         limit."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_have_no_false_digits() {
        for (x, text) in [(0.5, "0.5"), (24.5, "24.5"), (999.0, "999"), (1440.0, "1,440"), (1_234_567.0, "1,234,567")] {
            assert_eq!(figures(x), text);
        }
        assert_eq!(estimate(93.34, 88.21, 99.4), ["93", "88", "99"]);
        assert_eq!(estimate(100.61, 99.2, 102.0), ["100.6", "99.2", "102.0"]);
        assert_eq!(estimate(1441.2, 1380.0, 1502.0), ["1,441", "1,380", "1,502"]);
        assert_eq!([rough(1.637), rough(72.49), rough(1440.0)], [1.6, 72.0, 1400.0]);
    }
}
