//! What a soak showed: memory that grows, answers that slow down, fewer of them, and bursts of failures.

use super::{Levels, Report, human};
use crate::metrics::{self, metric_words, more_is_better};
use crate::stats::{Burst, Course, Drift, Growth, Row, Second, TargetSummary, bursts, drift, growth};
use serde::{Deserialize, Serialize};

/// Memory growth that is worth a word, in bytes: less is within what allocators keep for themselves.
const LEAST_BYTES: f64 = 1_048_576.0;

/// Share of the cores' frequency whose loss is worth a word.
const LEAST_FALL: f64 = 0.02;

/// What is looked at for drift: the metric, its words, and whether more of it is better.
const DRIFTS: [&str; 5] = ["latency.p50", "latency.p95", "ttft.p50", "requests_per_s", "output_tokens_per_s"];

/// What a soak showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Soak {
    /// One a target, in the plan's order.
    pub targets: Vec<SoakedTarget>,
    /// The memory of loadcmp itself; `None` if it wasn't read for long enough.
    pub own: Option<Growth>,
    /// The mean frequency of the machine's cores, in MHz: it falls if the machine becomes hot. `None` if not known.
    #[serde(default)]
    pub frequency: Option<Growth>,
}

/// What it showed of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SoakedTarget {
    /// Memory of its processes, in bytes; `None` if it isn't known, or was not watched for long enough.
    pub memory: Option<Growth>,
    /// If there is none: the seconds of measurement it would need; `None` if its processes aren't known.
    pub needs_s: Option<f64>,
    /// Growth of its memory in bytes per thousand requests.
    pub memory_per_1000: Option<f64>,
    /// How metrics changed from the start of the window to its end; only metrics with intervals.
    pub drifts: Vec<Drifted>,
    /// Bursts of failures beyond chance.
    pub bursts: Vec<Burst>,
}

/// How a metric changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Drifted {
    /// The metric: `latency.p50`.
    pub metric: String,
    /// How.
    pub drift: Drift,
}

impl Soak {
    /// What is shown by the targets' summaries, the timeline and what processes used.
    pub(super) fn of(targets: &[TargetSummary], timeline: &[Second], levels: &Levels) -> Self {
        let memory = |who: &str, window: (f64, f64)| {
            let readings = levels.memory_of(who);
            (!readings.is_empty()).then(|| growth(readings, window.0, window.1, LEAST_BYTES))
        };
        let window = |target: &TargetSummary| target.window.map(|w| (w.from.seconds(), w.to.seconds()));
        let soaked = |(at, target): (usize, &TargetSummary)| {
            let told = window(target).and_then(|window| memory(&target.name, window));
            let (memory, needs_s) = match told {
                Some(Ok(growth)) => (Some(growth), None),
                Some(Err(seconds)) => (None, Some(seconds)),
                None => (None, None),
            };
            let a_second = target.value("requests_per_s").filter(|rate| *rate > 0.0);
            let per_1000 = memory.zip(a_second).map(|(growth, rate)| growth.per_hour / 3600.0 / rate * 1000.0);
            let drifts = DRIFTS.iter().filter_map(|metric| {
                let series = target.units.iter().find(|series| series.metric == *metric)?;
                Some(Drifted { metric: (*metric).to_owned(), drift: drift(&series.values)? })
            });
            let inside =
                |second: &&Second| window(target).is_some_and(|(from, to)| (from..to).contains(&(second.t_s as f64)));
            let seconds = timeline.iter().filter(|second| second.target == at).filter(inside);
            let failures: Vec<_> = seconds.map(|second| (second.t_s, second.errors)).collect();
            SoakedTarget {
                memory,
                needs_s,
                memory_per_1000: per_1000.filter(|bytes| bytes.is_finite()),
                drifts: drifts.collect(),
                bursts: bursts(&failures),
            }
        };
        let windows = || targets.iter().filter_map(window);
        let whole = windows().reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)));
        Self {
            targets: targets.iter().enumerate().map(soaked).collect(),
            own: whole.and_then(|whole| memory("loadcmp", whole)).and_then(Result::ok),
            frequency: whole.and_then(|(from, to)| growth(&levels.frequency, from, to, 0.0).ok()),
        }
    }
}

impl SoakedTarget {
    /// Its row in `summary.csv`: `memory_growth`, in bytes an hour with the 95 % interval.
    pub(super) fn row(&self) -> Option<Row> {
        let growth = self.memory?;
        let row = Row::total(&metrics::MEMORY_GROWTH, growth.stretches as u64, Some(growth.per_hour));
        Some(Row { low: Some(growth.low), high: Some(growth.high), ..row })
    }
}

impl Report {
    /// What the soak showed, in sentences: one or two a target, and one of loadcmp itself. None, if this was no soak.
    pub fn soak_words(&self) -> Vec<String> {
        let Some(soak) = &self.soak else { return Vec::new() };
        let mut words = Vec::new();
        for ((target, soaked), plan) in self.targets.iter().zip(&soak.targets).zip(&self.plan.targets) {
            let memory = match (&soaked.memory, soaked.needs_s) {
                (Some(growth), _) => {
                    let requests = soaked.memory_per_1000.filter(|_| growth.course == Course::Grows);
                    let requests = requests.map(|bytes| format!(", {} per 1,000 requests", size(bytes)));
                    let cache = plan.host_prompt_cache().filter(|_| growth.course == Course::Grows);
                    memory_words(growth, &requests.unwrap_or_default(), cache.as_deref())
                }
                (None, Some(seconds)) => {
                    format!("memory leak undecided: it needs {} of measurement", human::time(seconds * 1e6))
                }
                (None, None) => "memory was not measured: its processes are not known".to_owned(),
            };
            words.push(format!("{}: {memory}.", target.label()));
            words.push(format!("{}: {}.", target.label(), drift_words(soaked)));
            if !soaked.bursts.is_empty() {
                words.push(format!("{}: {}.", target.label(), burst_words(&soaked.bursts)));
            }
        }
        if let Some(own) = &soak.own {
            words.push(format!("loadcmp itself: {}.", memory_words(own, "", None)));
        }
        if let Some(told) = &soak.frequency {
            let levels = format!("{:.0} MHz at the start, {:.0} MHz at the end", told.from, told.to);
            words.push(match told.high < 0.0 && told.to < told.from * (1.0 - LEAST_FALL) {
                true => format!("The CPU frequency fell: {levels}. The machine may have become hot."),
                false => format!("CPU frequency: no decline ({levels})."),
            });
        }
        words
    }
}

/// A size with a sign where it falls, as fine as it is small.
fn size(bytes: f64) -> String {
    let (kib, mib) = (bytes / 1024.0, bytes / 1_048_576.0);
    match mib.abs() {
        size if size >= 1024.0 => format!("{} GiB", human::three(mib / 1024.0)),
        size if size >= 1.0 || size == 0.0 => format!("{} MiB", human::three(mib)),
        _ => format!("{} KiB", human::three(kib)),
    }
}

/// `cache` is how large a cache of prompts may grow that this may be, and no leak.
fn memory_words(growth: &Growth, more: &str, cache: Option<&str>) -> String {
    let levels = format!("memory {} at the start, {} at the end", size(growth.from), size(growth.to));
    let slope = {
        let ends = human::between(&size(growth.low), &size(growth.high));
        format!("{} per hour (95 % CI {ends})", size(growth.per_hour))
    };
    match growth.course {
        Course::Grows if let Some(cache) = cache => format!(
            "memory grows, leak undecided: llama.cpp caches earlier prompts in memory, {cache} (`--cache-ram 0` or \
             LLAMA_ARG_CACHE_RAM=0 turns it off): {levels}, {slope}{more}"
        ),
        Course::Grows => format!("memory leak, or a cache that isn't full yet: {levels}, {slope}{more}"),
        Course::Settles => format!("no leak found: it grew less and less ({levels}; {slope})"),
        Course::NotShown if growth.high > 0.0 => {
            format!("no leak found: {levels}, {slope}; less than {} per hour could not be detected", size(growth.high))
        }
        Course::NotShown => format!("no leak found: {levels}, {slope}"),
    }
}

/// Which metrics changed, and which did not.
fn drift_words(soaked: &SoakedTarget) -> String {
    let mut changed = Vec::new();
    let mut level = Vec::new();
    for Drifted { metric, drift } in &soaked.drifts {
        let name = metric_words(metric);
        if drift.low > 0.0 || drift.high < 0.0 {
            let word = if Some(drift.change > 0.0) == more_is_better(metric) { "better" } else { "worse" };
            changed.push(format!(
                "{name} got {word}: {} from start to end (95 % CI {})",
                human::change(drift.change),
                human::between(&human::change(drift.low), &human::change(drift.high))
            ));
        } else {
            level.push(name);
        }
    }
    match (changed.is_empty(), level.is_empty()) {
        (true, true) => "drift undecided: too few answers".to_owned(),
        (true, false) => format!("no drift in {}", level.join(", ")),
        (false, true) => changed.join("; "),
        (false, false) => format!("{}; no drift in {}", changed.join("; "), level.join(", ")),
    }
}

/// Bursts that are told one by one, at most.
const BURSTS_TOLD: usize = 3;

fn burst_words(bursts: &[Burst]) -> String {
    let one = |burst: &Burst| match burst.to_s - burst.from_s {
        0 => format!("{} at {} s", burst.failures, burst.from_s),
        _ => format!("{} from {} to {} s", burst.failures, burst.from_s, burst.to_s),
    };
    let told: Vec<_> = bursts.iter().take(BURSTS_TOLD).map(one).collect();
    let more = if bursts.len() > BURSTS_TOLD { ", and more" } else { "" };
    let times = if bursts.len() == 1 { "a burst" } else { "bursts" };
    format!("failures in {times}: {}{more}", told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::host::Usage;
    use crate::record::Nanos;
    use crate::scenario::Task;

    const MIB: u64 = 1 << 20;

    fn usage(t_s: u64, who: &str, rss_bytes: u64) -> Usage {
        Usage { t_s: t_s as f64, who: who.to_owned(), rss_bytes: Some(rss_bytes), ..Usage::default() }
    }

    /// An hour of both targets: `native` leaks 30 MiB, `ollama` and loadcmp don't.
    fn soaked() -> Report {
        let mut report = fixture::report(Task::Generate, true);
        let hour = crate::stats::Window { from: Nanos(10_000_000_000), to: Nanos(3_610_000_000_000) };
        for target in &mut report.targets {
            target.window = Some(hour);
        }
        let mut levels = Levels::default();
        for t in 0..3620 {
            let saw = t % 7 * 100_000;
            for (who, bytes) in [
                ("native", 400 * MIB + t * MIB / 120 + saw),
                ("ollama", 900 * MIB + saw),
                ("loadcmp", 30 * MIB + saw / 10),
            ] {
                levels.push(&usage(t, who, bytes));
            }
            let mhz = 3000.0 - t as f64 / 30.0 + (t % 5) as f64;
            levels.push(&Usage { frequency_mhz: Some(mhz), ..usage(t, "host", 1) });
        }
        for at in [0, 1] {
            let mut values = vec![100.0; 20];
            if at == 1 {
                values.iter_mut().zip(0..).for_each(|(v, i)| *v += f64::from(i) + f64::from(i * 7 % 3));
            }
            report.targets[at].units.retain(|series| series.metric == "latency.p50" || series.metric == "ttft.p50");
            report.targets[at].units[0].values = values;
            report.targets[at].units[1].values = vec![5.0, 6.0, 5.5, 5.2, 5.9, 5.4, 5.6];
        }
        let second = |t_s, errors| Second { t_s, target: 1, errors, ..Second::default() };
        report.timeline = (0..3620).map(|t| second(t, if t == 700 { 20 } else { u64::from(t % 300 == 0) })).collect();
        report.soak = Some(Soak::of(&report.targets, &report.timeline, &levels));
        report
    }

    #[test]
    fn a_leak_drift_and_a_burst_in_sentences() {
        insta::assert_snapshot!(soaked().soak_words().join("\n"));
        let soak = soaked().soak.unwrap();
        let row = soak.targets[0].row().unwrap();
        assert!((row.mean.unwrap() / MIB as f64 - 30.0).abs() < 1.0 && row.low < row.mean && row.mean < row.high);
        assert_eq!((row.metric.as_str(), row.unit.as_str()), ("memory_growth", "bytes/h"));
    }

    #[test]
    fn a_cache_of_prompts_that_may_still_grow_is_no_leak() {
        let mut report = soaked();
        report.plan.targets[0].facts.set("cache_ram_mib", "8192", "default");
        let words = report.soak_words().remove(0);
        assert!(words.contains("up to 8192 MiB (`--cache-ram 0`") && !words.contains("memory leak, or"), "{words}");
        report.plan.targets[0].facts.set("cache_ram_mib", "0", "command line");
        assert!(report.soak_words().remove(0).contains("memory leak, or"), "there is no such cache");
    }

    #[test]
    fn what_was_not_watched_is_told() {
        let mut report = soaked();
        report.soak = Some(Soak::of(&report.targets, &[], &Levels::default()));
        let words = report.soak_words().join("\n");
        assert!(words.contains("native: memory was not measured") && !words.contains("loadcmp"), "{words}");
        report.targets[0].window = Some(crate::stats::Window { from: Nanos(0), to: Nanos(5_000_000_000) });
        let mut levels = Levels::default();
        levels.push(&usage(1, "native", 1));
        for target in &mut report.targets {
            target.units.clear();
        }
        report.soak = Some(Soak::of(&report.targets, &[], &levels));
        let words = report.soak_words().join("\n");
        assert!(words.contains("memory leak undecided: it needs 60.0 s of measurement"), "{words}");
        assert!(words.contains("drift undecided: too few answers"), "{words}");
        report.soak = None;
        assert!(report.soak_words().is_empty());
    }

    #[test]
    fn sizes_are_as_fine_as_they_are_small() {
        let told = [0.0, 512.0, -2048.0, 3.5e6, 5e9].map(size);
        assert_eq!(told, ["0 MiB", "0.500 KiB", "-2.00 KiB", "3.34 MiB", "4.66 GiB"]);
    }
}
