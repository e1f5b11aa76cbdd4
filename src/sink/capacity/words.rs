//! A search in words, the same in every format.

use crate::capacity::{Boundary, By, Capacity, Ended, Probe, Settings, Shown, Target};
use crate::report::human;
use crate::scenario::{Limit, Measure, Slo};
use crate::stats::{Verdict, unit};

/// What was searched for.
pub(super) fn title(settings: &Settings) -> String {
    let about = settings.about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
    let what = match settings.reach.by {
        By::Rate => "highest rate",
        By::Users => "most users",
    };
    format!("{}{about}: the {what} within {}", settings.name, settings.slo)
}

/// How it was searched for.
pub(super) fn method(settings: &Settings) -> String {
    let added = if settings.errors_added { "; the limit on errors was added, for none was given" } else { "" };
    format!(
        "{}; probes of {} and more after {} of warm-up, one target at a time, in turns; until pass and fail lie {} apart, within \
         {}{added}",
        settings.load,
        settings.probe,
        settings.warmup,
        human::percent(settings.reach.precision),
        settings.budget
    )
}

/// A load in its unit.
pub(super) fn load(settings: &Settings, at: f64) -> String {
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
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A target's capacity: `24.5/s (interval 24–25)`.
pub(super) fn boundary_words(settings: &Settings, found: &Boundary) -> String {
    match (found.value, found.low, found.high) {
        (Some(value), Some(low), Some(high)) => {
            let value = if settings.reach.by == By::Users { value.floor().max(low) } else { value };
            format!("{} (interval {}–{})", load(settings, value), figures(low), figures(high))
        }
        (Some(value), low, high) => {
            let end =
                |word: &str, at: Option<f64>| at.map(|at| format!(", {word} {}", figures(at))).unwrap_or_default();
            format!(
                "~{}{}{} (too few requests for an interval)",
                load(settings, value),
                end("at least", low),
                end("less than", high)
            )
        }
        (_, Some(low), None) => format!("at least {}", load(settings, low)),
        (_, None, Some(high)) => format!("less than {}", load(settings, high)),
        _ => "no load that was found".to_owned(),
    }
}

/// Why a search ended without a boundary, or with a wide one.
fn ended_words(settings: &Settings, target: &Target) -> Option<String> {
    let words = match target.searched.ended {
        Some(Ended::Found) => return None,
        Some(Ended::AtMost) => format!("{} was the most that was to be tried", load(settings, settings.reach.most)),
        Some(Ended::Never) => format!("even {} is too much", load(settings, settings.reach.least)),
        Some(Ended::Budget) => format!("the time was over ({}): --budget gives it more", settings.budget),
        Some(Ended::Probes) => "as many probes were made as may be".to_owned(),
        Some(Ended::Generator) => "beyond it the generator was at its end, not the target".to_owned(),
        Some(Ended::Unmeasured) => {
            let last = target.probes.last().map(|probe| probe.reason.clone()).unwrap_or_default();
            format!("nothing can be said: {last}")
        }
        Some(Ended::Interrupted) => "it was interrupted".to_owned(),
        None => "it was not brought to its end".to_owned(),
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
        let ends = match (ratio.low, ratio.high) {
            (Some(low), Some(high)) => format!("interval {}–{}", human::ratio(low), human::ratio(high)),
            (Some(low), None) => format!("at least {}", human::ratio(low)),
            (None, Some(high)) => format!("at most {}", human::ratio(high)),
            (None, None) => "too little was found of them".to_owned(),
        };
        let times = ratio.ratio.map(|ratio| format!("ratio {} ({ends})", human::ratio(ratio))).unwrap_or(ends);
        all.push(match ratio.verdict {
            Verdict::Better => format!("{name} is better than {other} in capacity: {times}."),
            Verdict::Worse => format!("{name} is worse than {other} in capacity: {times}."),
            Verdict::NotCompared => format!("Not compared: {}.", target.uncompared(reference).unwrap_or_default()),
            Verdict::Equal => format!("{name} and {other} are equal in capacity: {times}."),
            Verdict::Undecided => format!("No difference in capacity is shown between {name} and {other}: {times}."),
        });
    }
    for target in &capacity.targets {
        if let Some(alone) = &target.searched.alone {
            all.push(format!("{} sustains no load: one request at a time breaks a limit, {alone}.", target.label()));
            continue;
        }
        let found = boundary_words(settings, &target.capacity);
        let ended = ended_words(settings, target).map(|why| format!("; {why}")).unwrap_or_default();
        all.push(format!("{} sustains {found}{ended}.", target.label()));
    }
    all
}

/// What to be careful about.
pub(super) fn doubts(capacity: &Capacity) -> Vec<String> {
    let mut all = Vec::new();
    if capacity.has_stand_in() {
        all.push(
            "doubt: a stand-in took the place of a real engine; its figures say nothing of that engine".to_owned(),
        );
    }
    for target in capacity.targets.iter().filter(|target| target.capacity.contradicted) {
        all.push(format!(
            "doubt: {} failed at a load below one that it sustained: the interval spans both, and it may not recover at once from \
             too much",
            target.label()
        ));
    }
    for target in &capacity.targets {
        let lagging = target.probes.iter().filter(|probe| probe.evidence.generator.is_some()).count();
        if lagging > 0 {
            all.push(format!(
                "doubt: in {lagging} of {} probes of {} the generator was late or at its end; they fail only by what is left of \
                 times when its lateness is taken off",
                target.probes.len(),
                target.label()
            ));
        }
    }
    all
}

/// The heads of a target's columns.
pub(super) fn columns(settings: &Settings, label: &str) -> Vec<String> {
    let mut heads = vec![human::printable(label), "achieved".to_owned(), "goodput".to_owned()];
    heads.extend(limits(settings).iter().map(|limit| limit.subject().to_owned()));
    heads.push("verdict".to_owned());
    heads
}

/// The limits of a search; its settings were read once, and are what they were.
fn limits(settings: &Settings) -> Vec<Limit> {
    Slo::parse(&settings.slo).map(|slo| slo.limits).unwrap_or_default()
}

/// A probe's cells; with the intervals of its figures if there is room.
pub(super) fn cells(settings: &Settings, probe: &Probe, intervals: bool) -> Vec<String> {
    let rate = |x: f64| format!("{}/s", human::three(x));
    let mut cells =
        vec![load(settings, probe.asked), rate(probe.evidence.achieved_per_s), rate(probe.evidence.goodput_per_s)];
    for (at, limit) in limits(settings).iter().enumerate() {
        cells.push(probe.evidence.shown.get(at).map_or("–".to_owned(), |s| shown_words(limit.measure, s, intervals)));
    }
    cells.push(probe.load_verdict.as_str().to_owned());
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
            (Some(low), Some(high)) if interval => format!("{} ({}–{})", word(value), word(low), word(high)),
            _ => word(value),
        },
    }
}

/// Why a load was judged as it was.
pub(super) fn why(probe: &Probe) -> String {
    if probe.over_saturated
        && probe.load_verdict != crate::capacity::Verdict::Pass
        && !probe.load_reason.contains("queue")
    {
        return format!("{}; the queue grew", probe.load_reason);
    }
    probe.load_reason.clone()
}

/// A target's probes from the least load to the most.
pub(super) fn by_load(target: &Target) -> Vec<&Probe> {
    let mut probes: Vec<&Probe> = target.probes.iter().collect();
    probes.sort_by(|a, b| a.asked.total_cmp(&b.asked).then(a.step.cmp(&b.step)));
    probes
}

/// How the figures are to be read.
pub(super) fn legend(settings: &Settings) -> String {
    let from = match settings.reach.by {
        By::Rate => "Latency and ttft count from the planned instant, so that waiting for a late answer is in them. ",
        By::Users => "",
    };
    format!(
        "{from}A percentile is kept if the share of requests beyond its limit (failed ones among them, so that it may be ∞) is small \
         enough, by Wilson's interval at the number that dependent requests are worth; errors are judged as counted. A load fails, too, if its queue grows. A verdict is of all \
         long probes of a load (short ones, if there are no others, show the way), helped by those of higher loads that pass and of lower ones that fail. \
         The interval of a capacity is from the highest load that certainly passes to the lowest that certainly fails; that of \
         a ratio is the worst case of both. Each verdict has 95 % confidence; how often such intervals hold the truth, \
         docs/capacity.md tells. Goodput: answers a second that kept every limit."
    )
}
