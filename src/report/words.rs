//! The sentences that say what came of a run.

pub use super::lasting::about;
use super::lasting::{early_words, found_words, length_words, span};
use super::{Report, human};
pub use crate::metrics::metric_words;
use crate::metrics::{metric_of, value_words};
use crate::scenario::plan::{LoadPlan, Plan, Until};
use crate::scenario::{Limit, MOST_PAIRS, Order, TIMEOUT_LEAST};
use crate::stats::{Comparison, Verdict, worth_showing};

/// From so many seconds on, another order is tried before a longer run.
const LONG_S: f64 = 1800.0;

impl Report {
    /// What came of the main metric, a sentence for each target beside the reference, and what would decide it; of a lone
    /// target, its figure.
    pub fn headlines(&self) -> Vec<String> {
        self.of_main(|report, c| report.sentence(c))
    }

    /// The same without what would decide it.
    pub fn statements(&self) -> Vec<String> {
        self.of_main(Self::statement)
    }

    fn of_main(&self, words: impl Fn(&Self, &Comparison) -> String) -> Vec<String> {
        let main: Vec<&Comparison> = self.comparisons.iter().filter(|c| c.metric == self.primary).collect();
        if main.is_empty() {
            return self.targets.iter().map(|target| self.one_target(target)).collect();
        }
        let judged: Vec<&Comparison> = main.iter().copied().filter(|c| c.verdict != Verdict::NotCompared).collect();
        if judged.len() < 2 {
            let mut told: Vec<String> = main.into_iter().map(|c| words(self, c)).collect();
            told.dedup();
            return told;
        }
        let mut told = vec![self.of_several(&judged)];
        // What would decide the first undecided one.
        if let Some(c) = judged.iter().find(|c| c.verdict == Verdict::Undecided) {
            let (whole, bare) = (words(self, c), self.statement(c));
            told[0] += whole.strip_prefix(bare.as_str()).unwrap_or_default();
        }
        let mut others: Vec<String> =
            main.into_iter().filter(|c| c.verdict == Verdict::NotCompared).map(|c| words(self, c)).collect();
        others.dedup();
        told.extend(others);
        told
    }

    /// Several targets against the reference in one sentence, the best verdicts first.
    fn of_several(&self, main: &[&Comparison]) -> String {
        let name = |at: usize| self.targets.get(at).map(|t| t.label()).unwrap_or_default();
        let of = |wanted: Verdict| {
            let those = main.iter().filter(|c| c.verdict == wanted).map(|c| match ratio_words(c) {
                Some(ratio) => format!("{} {ratio}", name(c.target)),
                None => name(c.target),
            });
            let those: Vec<String> = those.collect();
            (!those.is_empty()).then(|| format!("{}: {}", wanted.as_str(), those.join(", ")))
        };
        let parts = [Verdict::Better, Verdict::Equal, Verdict::Worse, Verdict::Undecided].into_iter().filter_map(of);
        let reference = main.first().map_or(self.plan.reference, |c| c.reference);
        let value = main.iter().find_map(|c| c.reference_value.map(|x| value_words(&c.metric, &c.unit, x)));
        let value = value.map(|value| format!(" ({value})")).unwrap_or_default();
        format!(
            "In this run, against {}{value} in {}, ratio (95 % CI): {}.",
            name(reference),
            metric_words(&self.primary),
            parts.collect::<Vec<_>>().join("; ")
        )
    }

    fn one_target(&self, target: &crate::stats::TargetSummary) -> String {
        match target.value(&self.primary) {
            Some(x) => format!(
                "{}: {} {} over {}.",
                target.label(),
                metric_words(&self.primary),
                value_words(&self.primary, metric_of(&self.primary).map_or("", |metric| metric.unit), x),
                human::counted(target.answered(), "answer", "answers")
            ),
            None => format!("{}: {} was not measured.", target.label(), metric_words(&self.primary)),
        }
    }

    /// What a comparison says. It speaks of this run: a speed that wanders slowly and on one side only looks like a difference to
    /// any single run (`repeats` rests on several). Where it is undecided, what would decide it comes last.
    pub fn sentence(&self, c: &Comparison) -> String {
        let longer = if c.verdict == Verdict::Undecided { self.longer_words(c) } else { String::new() };
        self.statement(c) + &longer
    }

    /// A comparison's sentence without what would decide it.
    fn statement(&self, c: &Comparison) -> String {
        if c.verdict == Verdict::NotCompared {
            return format!("Not compared: {}.", c.reason.as_deref().unwrap_or("a stand-in and a real engine"));
        }
        let name = |at: usize| self.targets.get(at).map(|t| t.label()).unwrap_or_default();
        let (target, reference, metric) = (name(c.target), name(c.reference), metric_words(&c.metric));
        let (Some(a), Some(b)) = (c.target_value, c.reference_value) else {
            return format!("{metric} can't be compared: {}.", c.reason.as_deref().unwrap_or("not measured"));
        };
        let [a, b] = [a, b].map(|x| value_words(&c.metric, &c.unit, x));
        let values = format!("{a} against {b}");
        let ratio = ratio_clause(c);
        match (c.verdict, &c.reason) {
            (Verdict::Better, _) => {
                format!("In this run {target} is better than {reference} in {metric}: {values}{ratio}.")
            }
            (Verdict::Worse, _) => {
                format!("In this run {target} is worse than {reference} in {metric}: {values}{ratio}.")
            }
            (Verdict::Equal, _) => format!(
                "In this run {target} and {reference} are equal in {metric} within {}: {values}{ratio}.",
                human::share(self.plan.smallest_effect.0)
            ),
            (Verdict::Undecided | Verdict::NotCompared, reason) => format!(
                "Undecided in {metric}: {target} {a}, {reference} {b}{ratio}; {}.",
                reason.as_deref().unwrap_or("no reason is known"),
            ),
        }
    }

    /// What to do to decide it: a command, and how long it takes. Nothing where a longer run of the same kind is no cure.
    pub fn longer_words(&self, c: &Comparison) -> String {
        // What makes a run invalid, more of the same doesn't cure.
        if !self.invalid().is_empty() {
            return String::new();
        }
        let asked = self.targets.get(c.target).map_or(0, |target| target.requests());
        let Some(needs) = c.needs.as_ref().filter(|needs| needs.rows > asked) else { return String::new() };
        let Some(seconds) = needs.seconds else { return String::new() };
        let shown = human::share(worth_showing(self.plan.smallest_effect.0));
        let command = if self.command.is_empty() { "loadcmp run …".to_owned() } else { elsewhere(&self.command) };
        let minutes = (seconds / 60.0).ceil();
        let way = if matches!(self.plan.load, LoadPlan::Open(_)) { "open" } else { "closed" };
        let (key, value, times) = match self.plan.load.until() {
            Until::Duration(now) => ("duration", format!("{minutes}m"), minutes * 60.0 / now.0.as_secs_f64()),
            Until::Requests(now) => ("requests", needs.rows.to_string(), needs.rows as f64 / now as f64),
        };
        let mut set = vec![(format!("load.{way}.{key}"), value)];
        if self.plan.least.is_some() {
            // Else it would end as early as this one did.
            set.push(("load.until".to_owned(), "null".to_owned()));
        }
        if self.plan.order == Order::Alternate {
            // More blocks, not longer ones: it is from block to block that this run's scatter was told.
            let pairs = (f64::from(self.plan.blocks.pairs) * times).ceil().min(f64::from(MOST_PAIRS));
            set.push(("blocks.pairs".to_owned(), pairs.to_string()));
        }
        let bare = set.iter().fold(command.clone(), |command, (key, _)| without(&command, key));
        let set: Vec<String> = set.iter().map(|(key, value)| format!("--set {key}={value}")).collect();
        let longer = format!("{}` (about {})", set.join(" "), human::length(seconds));
        // Long lengths are the engines' work on one machine at once: apart, each scatters less.
        if self.plan.order == Order::Concurrent && seconds > LONG_S && self.targets.len() > 1 {
            return format!(
                " To show a difference of {shown}: try `{command} --set order=alternate` first, where the targets \
                 don't disturb each other; otherwise the same with `{longer} instead."
            );
        }
        format!(" To show a difference of {shown}: `{bare} {longer}.")
    }

    /// What a verdict about real engines doesn't cover: the same two builds have differed by 30 % in one figure after another start.
    /// `None` where nothing is decided.
    pub fn one_start(&self) -> Option<&'static str> {
        let real = |at: usize| self.targets.get(at).is_some_and(|target| !target.stand_in);
        let decided = self.comparisons.iter().filter(|c| c.metric == self.primary).any(|c| {
            matches!(c.verdict, Verdict::Better | Verdict::Worse | Verdict::Equal)
                && real(c.target)
                && real(c.reference)
        });
        (decided && self.invalid().is_empty())
            .then_some("One start of each engine: restart them and run again before you publish this.")
    }

    /// What is to be known of figures: what goodput counts, and what percentiles lack.
    pub fn footnotes(&self) -> Vec<String> {
        self.goodput_words().into_iter().chain(self.lacks_words()).collect()
    }

    /// What goodput counts, and where it wasn't measured; `None` where the scenario has no limits on single requests.
    fn goodput_words(&self) -> Option<String> {
        // A single request has no percentile: the bound is its own.
        let own = |limit: &Limit| match limit.text.split_once(' ') {
            Some((_, bound)) => format!("{} {bound}", limit.subject().split('.').next().unwrap_or_default()),
            None => limit.text.clone(),
        };
        let limits: Vec<String> = self.plan.slo.as_ref()?.of_each().map(own).collect();
        let from = if self.comparing().open_loop { "the planned instant" } else { "the time of sending" };
        let without: Vec<String> =
            self.targets.iter().filter(|t| t.row("goodput").is_none()).map(|t| t.label()).collect();
        let without = match without.is_empty() {
            true => String::new(),
            false => format!("; not measured on {}, whose answers lack a value for a limit", without.join(", ")),
        };
        (!limits.is_empty())
            .then(|| format!("goodput counts answers with {}, measured from {from}{without}.", limits.join(" and ")))
    }

    /// What the tails of the time people wait for lack for intervals of their own, of each target: `latency p99 lacks
    /// requests for an interval of its own: native 296 more, 24.7 s`.
    fn lacks_words(&self) -> Vec<String> {
        let metric = if self.comparing().open_loop { "response" } else { "latency" };
        let of = |figure: &'static str| {
            let lacking = self.targets.iter().filter_map(|target| {
                let row = target.row(metric)?;
                let needs = row.needs.iter().find(|needs| needs.figure == figure)?;
                let more = needs.rows.saturating_sub(row.n?);
                let share = more as f64 / needs.rows.max(1) as f64;
                let time = needs.seconds.map(|s| format!(", {}", human::time(s * share * 1e6))).unwrap_or_default();
                Some(format!("{} needs {} more{time}", target.label(), human::count(more)))
            });
            let lacking = lacking.collect::<Vec<_>>().join("; ");
            let metric = metric_words(&format!("{metric}.{figure}"));
            (!lacking.is_empty()).then(|| format!("{metric} has too few requests for an interval: {lacking}"))
        };
        ["p95", "p99"].into_iter().filter_map(of).collect()
    }

    /// How ratios and verdicts are to be read.
    pub fn ratios_words(&self) -> String {
        let (units, effect) = (self.units_words(), human::share(self.plan.smallest_effect.0));
        let main = metric_words(&self.primary);
        format!(
            "Ratio = target ÷ reference, with its 95 % confidence interval (CI) over {units}. Better or worse: the \
             whole interval is beyond ±{effect}. The main metric, declared beforehand, is {main}. {}",
            self.order_words()
        )
    }

    /// What the order in which the targets were driven means for the verdict; nothing for a lone one.
    pub fn order_words(&self) -> &'static str {
        match self.plan.order {
            _ if self.targets.len() < 2 => "",
            Order::Concurrent => {
                "All targets ran at the same time: if they share a machine, each figure was measured while the others \
                 were working, too."
            }
            Order::Alternate => {
                "Each target had the machine to itself, in turns: figures are for each engine alone, and a drift of \
                 the machine affects all targets equally."
            }
            Order::Isolated => {
                "Each target had the machine to itself, one after another: figures are for each engine alone, and a \
                 drift of the machine affects only one of them."
            }
        }
    }

    /// What intervals rest on.
    pub fn units_words(&self) -> String {
        let told = self.comparisons.iter().filter_map(|c| Some((c, c.pairs?, c.unpaired?))).max_by_key(|(_, n, _)| *n);
        let Some((c, pairs, (ours, theirs))) = told else { return "batches".to_owned() };
        let name = |at: usize| self.targets.get(at).map(|target| target.label()).unwrap_or_default();
        let alone: Vec<String> = [(ours, c.target), (theirs, c.reference)]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, at)| format!("{} of {}", human::count(n), name(at)))
            .collect();
        let left = if alone.is_empty() { String::new() } else { format!(" ({} left out)", alone.join(", ")) };
        let blocks = if self.plan.order == Order::Alternate { ", in separate blocks" } else { "" };
        format!("the {} requests answered by both{left}{blocks}", human::count(pairs))
    }

    /// How the load was driven: `closed loop, 4 users on each, 20 s after 2 s of warm-up, both at once`.
    pub fn load_words(&self) -> String {
        let load = &self.plan.load;
        let users = match load {
            LoadPlan::Closed(closed) => {
                format!("closed loop, {}", human::counted(closed.users.into(), "user", "users"))
            }
            LoadPlan::Open(open) => format!("open loop, {}", open.about),
        };
        let each = if self.targets.len() > 1 { " each" } else { "" };
        let (until, early) = match &self.found {
            Some(found) => (found_words(&self.plan, found), String::new()),
            None => (length_words(&self.plan, each), early_words(&self.plan)),
        };
        let warmup = if load.warmup().0.is_zero() {
            String::new()
        } else {
            format!(" after {} of warm-up", span(load.warmup()))
        };
        let think =
            if load.think().0.is_zero() { String::new() } else { format!(", {} think time", span(load.think())) };
        let order = match (self.plan.order, self.targets.len()) {
            (_, 0 | 1) => String::new(),
            (Order::Concurrent, 2) => ", both at once".to_owned(),
            (Order::Concurrent, _) => ", all at once".to_owned(),
            (Order::Isolated, _) => ", one after another".to_owned(),
            (Order::Alternate, _) => format!(", {}", blocks_words(&self.plan)),
        };
        let longest = match self.plan.timeout {
            // The least needs no word.
            timeout if self.plan.timeout_auto && timeout.0 > TIMEOUT_LEAST => {
                format!(", up to {} per answer (timeout: auto)", human::length(timeout.0.as_secs_f64()))
            }
            _ => String::new(),
        };
        let twice = if self.plan.interference { ", one of the two runs of an interference measurement" } else { "" };
        format!("{users}{each}, {until}{warmup}{think}{early}{order}{longest}{twice}")
    }

    /// What was asked: `60 prompts from data/tickets.csv, seed 42`.
    pub fn workload_words(&self) -> String {
        let workload = &self.plan.workload;
        let stream = if workload.stream { ", streamed" } else { "" };
        format!(
            "{} from {}, seed {}{stream}",
            human::counted(workload.items as u64, "prompt", "prompts"),
            workload.source,
            self.plan.seed
        )
    }
}

/// The blocks of an alternating order: `10 blocks of each, A B B A`.
pub fn blocks_words(plan: &Plan) -> String {
    let letters: Vec<String> = ('A'..='Z').take(plan.targets.len()).map(String::from).collect();
    let order: Vec<&str> = letters.iter().chain(letters.iter().rev()).map(String::as_str).collect();
    // One that finds its own length needn't drive all of them.
    let most = if plan.least.is_some() { "at most " } else { "" };
    format!("{most}{} blocks of each, {}", plan.blocks.pairs, order.join(" "))
}

/// `0.61 (0.58–0.65)`; `None` without an interval: a ratio alone is no evidence.
pub fn ratio_words(c: &Comparison) -> Option<String> {
    Some(format!("{} ({}–{})", human::ratio(c.ratio?), human::ratio(c.low?), human::ratio(c.high?)))
}

/// A command without the directory that its results went to, which is taken by now.
pub fn elsewhere(command: &str) -> String {
    for flag in [" --out ", " --out="] {
        let Some((before, rest)) = command.split_once(flag) else { continue };
        let rest = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').map_or("", |(_, after)| after),
            None => rest.find(' ').map_or("", |at| &rest[at..]),
        };
        return format!("{before}{rest}");
    }
    command.to_owned()
}

/// A command without what it sets a key to, which is set anew.
fn without(command: &str, key: &str) -> String {
    // A value with blanks in it stands in quotes, with its key.
    for (set, end) in [(format!(" --set {key}="), " "), (format!(" --set '{key}="), "' ")] {
        if let Some((before, rest)) = command.split_once(&set) {
            return format!("{before}{}", rest.find(end).map_or("", |at| &rest[at + end.len() - 1..]));
        }
    }
    command.to_owned()
}

/// The ratio within a sentence: `, ratio 0.61 (95 % CI 0.58–0.65)`; nothing without an interval.
pub fn ratio_clause(c: &Comparison) -> String {
    ratio_words(c).map(|r| format!(", ratio {}", r.replace('(', "(95 % CI "))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::report::fixture::report;
    use crate::scenario::plan::{ClosedPlan, LoadPlan, OpenPlan, Until};
    use crate::scenario::{Least, Order, Pacing, Share, Span, Task};
    use crate::stats::Needs;
    use std::time::Duration;

    #[test]
    fn open_loops_blocks_early_ends_and_interference_in_words() {
        let mut report = report(Task::Generate, false);
        report.plan.load = LoadPlan::Open(Box::new(OpenPlan {
            about: "Poisson, 20/s".to_owned(),
            spec: serde_json::from_str("{}").unwrap(),
            duration: Span(Duration::from_secs(30)),
            warmup: Span(Duration::from_secs(5)),
            in_flight: 64,
            pacing: Pacing::Timer,
            planned: 600,
            hash: String::new(),
        }));
        assert_eq!(report.load_words(), "open loop, Poisson, 20/s each, 30 s after 5 s of warm-up, both at once");
        report.plan.interference = true;
        assert!(report.load_words().ends_with("both at once, one of the two runs of an interference measurement"));
        report.plan.interference = false;
        report.plan.order = Order::Alternate;
        report.plan.until_ci = Some(Share(0.05));
        let told =
            "warm-up, until the main metric is decided or its ratio known within 5 %, 10 blocks of each, A B B A";
        assert!(report.load_words().ends_with(told), "{}", report.load_words());
    }

    #[test]
    fn a_longer_run_is_a_command_that_does_not_end_as_early() {
        let mut report = report(Task::Classify, false);
        report.command = "loadcmp run x.yaml --set load.closed.duration=auto".to_owned();
        let mut row = report.comparisons[0].clone();
        row.needs = Some(Needs { figure: row.metric.clone(), rows: 9_000_000, seconds: Some(470.0) });
        row.undecided("the CI overlaps ±2 %".to_owned());
        report.plan.order = Order::Alternate;
        report.plan.blocks.pairs = 54;
        report.plan.load = LoadPlan::Closed(ClosedPlan {
            users: 4,
            until: Until::Duration(Span(Duration::from_secs(180))),
            think: Span::default(),
            warmup: Span::default(),
        });
        report.plan.least = None;
        let told = |report: &crate::report::Report| {
            report.sentence(&row).split_once("of 5 %: ").map(|(_, told)| told.to_owned())
        };
        // As many blocks more as it is longer; what was set before isn't set twice.
        let fixed = "`loadcmp run x.yaml --set load.closed.duration=8m --set blocks.pairs=144` (about 8 min).";
        assert_eq!(told(&report).as_deref(), Some(fixed));
        report.plan.least = Some(Least { time: Span(Duration::from_secs(20)), answers: 30 });
        let early = "`loadcmp run x.yaml --set load.closed.duration=8m --set load.until=null --set blocks.pairs=144` (about 8 min).";
        assert_eq!(told(&report).as_deref(), Some(early));
    }

    #[test]
    fn a_directory_that_is_taken_is_not_in_the_command() {
        for written in ["--out a/b", "--out=a/b", "--out 'a b'"] {
            assert_eq!(super::elsewhere(&format!("loadcmp run x {written} --real")), "loadcmp run x --real");
            assert_eq!(super::elsewhere(&format!("loadcmp run x {written}")), "loadcmp run x");
        }
        assert_eq!(super::elsewhere("loadcmp run x --real"), "loadcmp run x --real");
    }

    #[test]
    fn what_is_set_anew_is_not_set_twice() {
        let without = |command: &str| super::without(command, "load.until.most");
        assert_eq!(without("loadcmp run x --set a=1"), "loadcmp run x --set a=1");
        assert_eq!(without("loadcmp run x --set load.until.most=15s --real"), "loadcmp run x --real");
        assert_eq!(without("loadcmp run x --set load.until.most=15s"), "loadcmp run x");
        let quoted = |command: &str| super::without(command, "load.until");
        assert_eq!(quoted("loadcmp run x --set 'load.until={ci: 5%, most: 40s}' --real"), "loadcmp run x --real");
        assert_eq!(quoted("loadcmp run x --set 'load.until={ci: 5%}'"), "loadcmp run x");
        assert_eq!(without("loadcmp run x --set load.until.mostly=1"), "loadcmp run x --set load.until.mostly=1");
    }
}
