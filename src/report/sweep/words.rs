//! The sentences that say what came of a sweep.

use super::{Sweep, uncompared};
use crate::report::human;
use crate::report::words::metric_words;
use crate::stats::{Bounds, CostComparison, Verdict};
use serde_json::Value;

/// The last word of a path, which names it in tables: `users` of `load.closed.users`; with the one before it where the last
/// says little (`words.fixed`).
pub fn short_path(path: &str) -> &str {
    let cut = |n: usize| path.rmatch_indices('.').nth(n).map_or(path, |(at, _)| &path[at + 1..]);
    let last = cut(0);
    // Two lengths in tokens: a prompt's, and its prefix's.
    let prefix = path.ends_with(".prefix.tokens");
    if prefix || matches!(last, "fixed" | "rate" | "model" | "url" | "path") || last.parse::<usize>().is_ok() {
        cut(1)
    } else {
        last
    }
}

/// A value as it was written.
pub fn value_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A point in words: `users 4, max_tokens 16`.
pub fn point_words<'a>(set: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    set.map(|(path, value)| format!("{} {}", short_path(path), value_words(value))).collect::<Vec<_>>().join(", ")
}

impl Sweep {
    /// What came of it: where which target is better, what costs less, and where throughput ends.
    pub fn headlines(&self) -> Vec<String> {
        let mut told: Vec<String> = self.costs.comparisons.iter().map(|c| self.cost_sentence(c)).collect();
        told.extend(self.peak_words());
        let others = (0..self.targets.len()).filter(|target| *target != self.reference);
        told.extend(others.filter_map(|target| self.verdict_words(target)));
        if told.is_empty() {
            told.push(format!("{} runs at {} points.", self.runs.len(), self.points()));
        }
        told
    }

    /// Points of which there is a run.
    pub fn points(&self) -> usize {
        let all: std::collections::BTreeSet<usize> = self.runs.iter().map(|run| run.planned.point).collect();
        all.len()
    }

    fn verdict_words(&self, target: usize) -> Option<String> {
        let verdicts: Vec<Verdict> = self
            .runs
            .iter()
            .filter(|run| run.invalid.is_empty())
            .flat_map(|run| &run.verdicts)
            .filter(|c| c.target == target)
            .map(|c| c.verdict)
            .collect();
        let count = |wanted: Verdict| verdicts.iter().filter(|verdict| **verdict == wanted).count();
        let (better, worse) = (count(Verdict::Better), count(Verdict::Worse));
        if let Some(why) = uncompared(&self.targets, target, self.reference).filter(|_| !verdicts.is_empty()) {
            return Some(format!("Not compared: {why}."));
        }
        let metric = metric_words(&self.primary);
        let (a, b) = (self.targets.get(target)?.label(), self.targets.get(self.reference)?.label());
        let n = verdicts.len();
        Some(match (better, worse) {
            _ if n == 0 => return None,
            (0, 0) => format!("Undecided in all {n} runs: {a} or {b} in {metric}."),
            _ => format!(
                "{a} is better than {b} in {metric} in {better} of {n} runs, worse in {worse}; {} are equal or \
                 undecided.",
                n - better - worse
            ),
        })
    }

    /// `native against ollama: fixed cost 3.0 ms less (2.1–3.9 ms), 12.0 % less per output token (10.2–13.8 %)`.
    fn cost_sentence(&self, c: &CostComparison) -> String {
        let name = |at: usize| self.targets.get(at).map(|target| target.label()).unwrap_or_default();
        let parts = [Some(fixed_words(c.fixed_us))].into_iter().chain(
            [(c.prompt_token, "prompt"), (c.output_token, "output")].map(|(b, of)| b.map(|b| token_words(b, of))),
        );
        let parts: Vec<String> = parts.flatten().collect();
        format!("{} against {}: {}.", name(c.target), name(c.reference), parts.join("; "))
    }

    fn peak_words(&self) -> Vec<String> {
        let told = self.scaling.iter().filter_map(|scaling| {
            let usl = scaling.usl.as_ref()?;
            let most = scaling.levels.last()?.concurrency;
            let at = point_words(scaling.at.iter().map(|(path, value)| (path, value)));
            let at = if at.is_empty() { String::new() } else { format!(" (at {at})") };
            let name = self.targets.get(scaling.target)?.label();
            let last = scaling.levels.last()?;
            let peak = match usl.peak.filter(|_| usl.kappa.beyond(0.0)) {
                Some(peak) => format!("its throughput peaks at {}", peak_at(peak, most)),
                None => "no throughput peak found".to_owned(),
            };
            Some(format!(
                "{name}{at}: with {most} in flight, each request gets {} of the speed of a single one; {peak}.",
                human::percent(last.efficiency)
            ))
        });
        told.collect()
    }
}

fn peak_at(peak: Bounds, most: u32) -> String {
    let ends = match (peak.low, peak.high) {
        (Some(low), Some(high)) => format!(" ({low:.0}–{high:.0})"),
        (Some(low), None) => format!(" ({low:.0} or more)"),
        _ => String::new(),
    };
    let beyond = if peak.value > f64::from(most) { ", beyond the measured range" } else { "" };
    format!("{:.0} in flight{ends}{beyond}", peak.value)
}

fn fixed_words(bounds: Bounds) -> String {
    let Bounds { value, low, high } = bounds;
    let (Some(low), Some(high)) = (low, high) else {
        return format!("fixed cost difference {}, without an interval", human::time(value));
    };
    if !bounds.beyond(0.0) {
        return format!("fixed cost undecided ({})", human::between(&human::time(low), &human::time(high)));
    }
    let (word, ends) = if value < 0.0 { ("less", (-high, -low)) } else { ("more", (low, high)) };
    format!("fixed cost {} {word} ({})", human::time(value.abs()), ends_words(value, ends.0, ends.1))
}

fn token_words(bounds: Bounds, of: &str) -> String {
    let Bounds { value, low, high } = bounds;
    let change = |ratio: f64| human::change(ratio - 1.0);
    let (Some(low), Some(high)) = (low, high) else {
        return format!("{} per {of} token, without an interval", change(value));
    };
    if !bounds.beyond(1.0) {
        return format!("cost per {of} token undecided ({})", human::between(&change(low), &change(high)));
    }
    let size = |ratio: f64| format!("{:.1}", (ratio - 1.0).abs() * 100.0);
    let (word, ends) = if value < 1.0 { ("less", (high, low)) } else { ("more", (low, high)) };
    format!("{} % {word} per {of} token ({}–{} %)", size(value), size(ends.0), size(ends.1))
}

/// A cost with its interval: `3.21 ms (3.10–3.32)`.
pub fn cost_words(bounds: Option<Bounds>) -> String {
    let Some(Bounds { value, low, high }) = bounds else { return "–".to_owned() };
    match (low, high) {
        (Some(low), Some(high)) => format!("{} ({})", human::time(value), ends_words(value, low, high)),
        _ => human::time(value),
    }
}

/// Two ends of an interval in the unit that the value between them is told in.
fn ends_words(value: f64, low: f64, high: f64) -> String {
    let one = match value.abs() {
        size if size < 999.5 => 1.0,
        size if size < 999_500.0 => 1e3,
        _ => 1e6,
    };
    human::between(&human::three(low / one), &human::three(high / one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(value: f64, low: f64, high: f64) -> Bounds {
        Bounds { value, low: Some(low), high: Some(high) }
    }

    #[test]
    fn differences_in_words() {
        assert_eq!(fixed_words(bounds(-3e3, -3.9e3, -2.1e3)), "fixed cost 3.00 ms less (2.10–3.90)");
        assert_eq!(fixed_words(bounds(3e3, 2.1e3, 3.9e3)), "fixed cost 3.00 ms more (2.10–3.90)");
        assert!(fixed_words(bounds(1e3, -1e3, 3e3)).starts_with("fixed cost undecided (-1.00 to 3.00 ms)"));
        assert_eq!(token_words(bounds(0.88, 0.86, 0.9), "output"), "12.0 % less per output token (10.0–14.0 %)");
        assert_eq!(token_words(bounds(1.1, 1.05, 1.15), "prompt"), "10.0 % more per prompt token (5.0–15.0 %)");
        assert_eq!(token_words(bounds(1.0, 0.95, 1.05), "prompt"), "cost per prompt token undecided (-5.0 to +5.0 %)");
        assert!(token_words(Bounds { value: 0.5, low: None, high: None }, "output").contains("without an interval"));
        assert_eq!(cost_words(Some(bounds(1500.0, 1400.0, 1600.0))), "1.50 ms (1.40–1.60)");
        assert_eq!(cost_words(None), "–");
    }

    #[test]
    fn paths_have_short_names() {
        for (path, short) in [
            ("load.closed.users", "users"),
            ("workload.prompts.synthetic.words.fixed", "words.fixed"),
            ("targets.ollama.ollama.options.num_ctx", "num_ctx"),
            ("seed", "seed"),
            ("load.open.rate", "open.rate"),
        ] {
            assert_eq!(short_path(path), short);
        }
    }

    #[test]
    fn peaks_in_words() {
        assert_eq!(peak_at(bounds(7.8, 6.2, 10.1), 16), "8 in flight (6–10)");
        let open = Bounds { value: 40.0, low: Some(20.0), high: None };
        assert_eq!(peak_at(open, 16), "40 in flight (20 or more), beyond the measured range");
    }
}
