//! The sentences that say what came of several runs of one plan.

use super::Repeats;
use crate::metrics::{metric_words, value_words};
use crate::report::words::{about, ratio_clause};
use crate::report::{Status, human};
use crate::stats::{Comparison, Verdict};
use std::time::Duration;

impl Repeats {
    /// What came of the main metric over the runs: a sentence for each target beside the reference, or for each of no
    /// comparison.
    pub fn headlines(&self) -> Vec<String> {
        if self.runs.is_empty() {
            return vec!["No runs were made.".to_owned()];
        }
        let main: Vec<&Comparison> = self.comparisons.iter().filter(|c| c.metric == self.primary).collect();
        if !main.is_empty() {
            return main.into_iter().map(|c| self.sentence(c)).collect();
        }
        (0..self.targets.len()).map(|at| self.one_target(at)).collect()
    }

    fn label(&self, at: usize) -> String {
        self.targets.get(at).map(super::RepeatedTarget::label).unwrap_or_default()
    }

    fn one_target(&self, at: usize) -> String {
        let (name, metric) = (self.label(at), metric_words(&self.primary));
        match self.figure(at, &self.primary) {
            Some(figure) => {
                let value = |x: f64| value_words(&figure.metric, &figure.unit, x);
                let ends = figure.low.zip(figure.high);
                let ends = ends.map(|(low, high)| format!(" (95 % CI {})", human::between(&value(low), &value(high))));
                format!(
                    "{name}: {metric} {}{} over {}.",
                    value(figure.value),
                    ends.unwrap_or_default(),
                    runs(figure.runs)
                )
            }
            None => format!("{name}: {metric} was not measured in any valid run."),
        }
    }

    /// What a comparison over runs says.
    pub fn sentence(&self, c: &Comparison) -> String {
        if c.verdict == Verdict::NotCompared {
            return format!("Not compared: {}.", c.reason.as_deref().unwrap_or("a stand-in and a real engine"));
        }
        let (target, reference, metric) = (self.label(c.target), self.label(c.reference), metric_words(&c.metric));
        let value = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| value_words(&c.metric, &c.unit, x));
        let values = format!("{} against {}{}", value(c.target_value), value(c.reference_value), ratio_clause(c));
        let over = runs(c.blocks.unwrap_or(0));
        match c.verdict {
            Verdict::Better => format!("Over {over} {target} is better than {reference} in {metric}: {values}."),
            Verdict::Worse => format!("Over {over} {target} is worse than {reference} in {metric}: {values}."),
            Verdict::Equal => format!(
                "Over {over} {target} and {reference} are equal in {metric} within {}: {values}.",
                human::share(self.smallest_effect)
            ),
            Verdict::Undecided | Verdict::NotCompared => format!(
                "Undecided over {over} in {metric}: {target} {}, {reference} {}{}; {}.{}",
                value(c.target_value),
                value(c.reference_value),
                ratio_clause(c),
                c.reason.as_deref().unwrap_or("no reason is known"),
                self.by_themselves(c)
            ),
        }
    }

    /// What the runs said by themselves, where that isn't one thing: nothing else shows what a single run is worth.
    fn by_themselves(&self, c: &Comparison) -> String {
        let said = |verdict: Verdict| {
            let of =
                |run: &&super::RepeatRun| run.comparison(c.target, &c.metric).is_some_and(|c| c.verdict == verdict);
            self.counted().filter(of).count()
        };
        let all = [Verdict::Better, Verdict::Worse, Verdict::Equal, Verdict::Undecided];
        let parts: Vec<String> = all
            .into_iter()
            .filter_map(|verdict| match said(verdict) {
                0 => None,
                n => Some(format!("{} in {n}", verdict.as_str())),
            })
            .collect();
        if parts.is_empty() { String::new() } else { format!(" Single runs: {}.", parts.join(", ")) }
    }

    /// How the runs were made, in sentences.
    pub fn how(&self) -> String {
        let manifest = &self.manifest;
        let counted = self.counted().count();
        let left = match self.runs.len() - counted {
            0 => String::new(),
            n => format!(", {n} of them left out"),
        };
        let made = match self.runs.len() == manifest.runs.len() {
            true => format!("{} of the same plan", runs(manifest.runs.len())),
            false => format!("{} of {} of the same plan were made", self.runs.len(), runs(manifest.runs.len())),
        };
        let pause = match Duration::try_from_secs_f64(manifest.pause_s) {
            Ok(pause) if !pause.is_zero() => format!("a pause of {} between runs", about(pause)),
            _ => "no pause between runs".to_owned(),
        };
        format!(
            "{made}{left}: the same prompts in the same order; each run draws a new order of the targets (seed {}) and \
             new nonces, which prevent answers from a cache; {pause}. {}",
            manifest.seed,
            self.engines_words()
        )
    }

    /// Which engines were started anew for each run, and which went on running.
    fn engines_words(&self) -> String {
        let anew = |name: &str, stand_in: bool| {
            let manifest = &self.manifest;
            manifest.restarted.iter().any(|known| known == name)
                || stand_in && manifest.sought.iter().any(|known| known == name)
        };
        let (fresh, kept): (Vec<_>, Vec<_>) = self.targets.iter().partition(|t| anew(&t.name, t.stand_in));
        let names = |all: &[&super::RepeatedTarget]| all.iter().map(|t| t.label()).collect::<Vec<_>>().join(", ");
        let parts = [
            (!fresh.is_empty()).then(|| format!("Restarted for each run: {}.", names(&fresh))),
            (!kept.is_empty()).then(|| format!("Not restarted between runs: {}.", names(&kept))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// That it was cut short, if so: how many runs it rests on.
    pub fn unfinished(&self) -> Option<String> {
        (self.manifest.status == Status::Interrupted).then(|| {
            let whole = self.runs.iter().filter(|run| run.status == Status::Complete).count();
            format!("Interrupted after {whole} of {}; figures cover those.", runs(self.manifest.runs.len()))
        })
    }

    /// How ratios and verdicts are to be read.
    pub fn ratios_words(&self) -> String {
        format!(
            "Values are geometric means over the runs. Ratio = target ÷ reference, with Student's 95 % confidence \
             interval (CI) over the ratios of the runs. Better or worse: the whole interval is beyond ±{}. The main \
             metric, declared beforehand, is {}.",
            human::share(self.smallest_effect),
            metric_words(&self.primary)
        )
    }
}

/// `1 run`, `5 runs`.
fn runs(n: usize) -> String {
    if n == 1 { "1 run".to_owned() } else { format!("{n} runs") }
}
