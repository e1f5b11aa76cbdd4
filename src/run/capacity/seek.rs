//! A search under way: what is asked next, the run that answers it, and what is kept of it.

use super::super::progress::{SearchBar, budget_words};
use super::super::{Failure, Finished, Options, Prepared, interrupted, measure, now};
use super::load::Shape;
use super::{Search, probe_evidence};
use crate::capacity::{
    By, Capacity, Ended, LoadVerdict, Next, ProbeEvidence, SearchSettings, Tried, fitted, judge, levels, long_s, next,
    window_s,
};
use crate::record::Stopwatch;
use crate::report::human::{counted, file_part, length};
use crate::report::{Status, TOOL};
use crate::scenario::plan::{LoadPlan, Plan};
use crate::scenario::{Measure, Order, Slo, Span};
use crate::sink;
use anyhow::Context;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Length of the first look at a target, one request at a time.
const ALONE: Duration = Duration::from_secs(2);
/// A probe's window holds at least so many answers of the slowest target, one after the other, and its warm-up so many.
const ANSWERS: (u32, u32) = (5, 2);
/// From what an answer takes on, a target is slow.
const SLOW: Duration = Duration::from_secs(1);
/// Longest that a single probe may become, where it doesn't hold `MOST_ANSWERS` by then.
const LONGEST: Duration = Duration::from_secs(240);
/// Answers of the slowest target, one after the other, that the longest probe holds.
const MOST_ANSWERS: u32 = 12 * ANSWERS.0;
/// Longest that the answers in flight at a probe's end are waited for, where the limits and the slowest target need no longer:
/// what takes longer has broken its limit, and that is known without its end.
const DRAIN: Duration = Duration::from_secs(10);
/// Short probes of a usual search of one target, and what its long ones take in short ones' time: what the least of a search
/// takes, a certain pass and a certain fail.
const USUAL: (u32, u32) = (7, 8);
/// A long probe's warm-up, as a part of its window, if two answers don't need more.
const WARM_PART: u32 = 5;

/// A search under way.
pub(super) struct Seeker<'a> {
    pub settings: SearchSettings,
    pub slo: Slo,
    /// By target and probe.
    pub evidence: Vec<Vec<ProbeEvidence>>,
    pub prepared: &'a Prepared,
    /// How a probe is run.
    pub options: Options,
    pub quiet: bool,
    pub bar: SearchBar,
    pub clock: Stopwatch,
    pub dir: PathBuf,
    pub shape: Shape,
    /// Whether a probe was ended before its time.
    pub stopped: bool,
    /// Probes made so far, of all targets.
    pub made: usize,
    /// Whether probes are longer than was asked, because a target needs so long for an answer.
    pub slow: bool,
    /// By target: length of all its long probes after the first two, in seconds, once that is chosen.
    pub long: Vec<Option<f64>>,
}

impl Seeker<'_> {
    fn interrupted(&self) -> bool {
        self.stopped || interrupted()
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            self.bar.tell(&super::super::say::wrapped(&format!("loadcmp: {text}")));
        }
    }

    /// Makes one probe after the other until every target's search has ended.
    pub async fn drive(&mut self, search: &Search) -> Result<(), Failure> {
        self.alone().await?;
        self.reach(search);
        self.keep()?;
        self.announce();
        for round in 0.. {
            let mut turns: Vec<usize> = (0..self.settings.targets.len()).collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            turns.retain(|at| self.settings.targets[*at].ended.is_none());
            if turns.is_empty() {
                break;
            }
            for target in turns {
                self.step(target).await?;
            }
        }
        Ok(())
    }

    /// One request at a time on each target: what a probe's length and the first load are chosen by.
    async fn alone(&mut self) -> Result<(), Failure> {
        for target in 0..self.settings.targets.len() {
            if self.interrupted() {
                break;
            }
            let length = ALONE.min(self.settings.probe.0);
            let load = LoadPlan::Closed(self.shape.closed(1, length, length / 4));
            let folder = self.folder(target, "alone");
            // Nothing is known of it yet: it gets the whole time that an answer may take.
            let finished = self.run(target, load, None, (&folder, None)).await?;
            let summary = finished.report.targets.first();
            // Of a few answers a median isn't told; a mean is.
            let value = |metric| summary.and_then(|summary| summary.value(metric));
            let latency = value("latency.p50").or_else(|| value("latency.mean"));
            if latency.is_none() && finished.report.status == Status::Complete {
                let name = &self.settings.targets[target].name;
                return Err(Failure::Target(format!(
                    "error: `{name}` answered no request of a single user within {} (`timeout`)",
                    finished.report.plan.timeout
                )));
            }
            self.settings.targets[target].alone_us = latency;
            if finished.report.status != Status::Complete {
                self.stopped = true;
                break;
            }
            // What one request at a time doesn't keep, no load does.
            let judged = judge(&self.slo, &[&probe_evidence::evidence(&self.slo, &finished)?], false);
            if judged.certain == LoadVerdict::Fail && judged.generator.is_none() {
                let searched = &mut self.settings.targets[target];
                (searched.ended, searched.alone) = (Some(Ended::Never), Some(judged.reason));
            }
        }
        Ok(())
    }

    /// What an answer of the slowest target takes, one request at a time.
    fn slowest(&self) -> Duration {
        let alone = self.settings.targets.iter().filter_map(|target| target.alone_us).map(|us| us / 1e6);
        Duration::try_from_secs_f64(alone.fold(0.0, f64::max)).unwrap_or_default()
    }

    /// Longest that a single probe may become.
    fn longest(&self) -> Duration {
        LONGEST.max(self.slowest() * MOST_ANSWERS)
    }

    /// How long answers in flight at a probe's end are waited for.
    fn drain(&self) -> Duration {
        let limits = self.slo.limits.iter().filter(|limit| matches!(limit.measure, Measure::Ttft | Measure::Latency));
        let longest = limits.map(|limit| limit.bound).filter(|us| us.is_finite()).fold(0.0, f64::max);
        let longest = Duration::try_from_secs_f64(longest / 1e6).unwrap_or_default();
        let needed = DRAIN.max(self.slowest() * 3).max(longest + longest / 4);
        if self.prepared.plan.drain_auto { needed } else { self.prepared.plan.drain.0.min(needed) }
    }

    /// Fits the probes to what one request takes: a window holds some of the slowest target's, its warm-up two, so that what
    /// is in flight has settled when it opens.
    fn reach(&mut self, search: &Search) {
        let slowest = self.slowest();
        self.slow = slowest * ANSWERS.0 > self.settings.probe.0 && slowest >= SLOW;
        self.settings.probe.0 = self.settings.probe.0.max(slowest * ANSWERS.0);
        self.settings.warmup.0 = self.settings.warmup.0.max(slowest * ANSWERS.1);
        if search.by == By::Rate && search.start.is_none() && !slowest.is_zero() {
            // Half of what one request after the other comes to, in two digits; of a slow target all of it, for there is no
            // time to begin far below.
            let rate = if self.slow { 1.0 } else { 0.5 } / slowest.as_secs_f64();
            let unit = 10_f64.powf(rate.log10().floor() - 1.0);
            let start = ((rate / unit).round() * unit).max(0.01);
            let most = search.most.unwrap_or(start * 4096.0);
            let reach = &mut self.settings.reach;
            (reach.start, reach.least, reach.most) = (start.min(most), (start / 64.0).min(most), most);
        }
    }

    /// Says how long it may take.
    fn announce(&self) {
        let settings = &self.settings;
        let targets = settings.targets.iter().filter(|target| target.ended.is_none()).count().max(1) as u32;
        // Near what a target sustains, which is most often some times what it does for one user.
        let usual = match settings.reach.by {
            By::Rate => settings.reach.start * 4.0,
            By::Users => settings.reach.start,
        };
        let each = self.takes(self.short(usual), settings.warmup.0);
        let what = match settings.reach.by {
            By::Rate => format!("rate, from {}/s", settings.reach.start),
            By::Users => format!("number of users, from {}", settings.reach.start),
        };
        let slowest = self.slowest().as_secs_f64().max(f64::MIN_POSITIVE);
        let answers = (settings.probe.0.as_secs_f64() / slowest).min(1e6);
        let least = each * (USUAL.0 + USUAL.1) * targets;
        self.say(&format!(
            "the highest {what}, within {}: short probes of {} or more find the range (about {answers:.0} consecutive \
             answers of the slowest target each), long ones decide; about {} for a pass and a fail of each target, at \
             most {} (--budget)",
            settings.slo,
            length(settings.probe.0.as_secs_f64()),
            length(least.min(settings.budget.0).as_secs_f64()),
            length(settings.budget.0.as_secs_f64()),
        ));
        let left = settings.budget.0.saturating_sub(Duration::from_nanos(self.clock.now().0));
        let fit = (left.as_secs_f64() / (each * targets).as_secs_f64().max(f64::MIN_POSITIVE)) as u32;
        if fit < USUAL.0 + USUAL.1 {
            self.say(&format!(
                "--budget {} leaves time for about {fit} short probes per target, so the result may be rough; --budget \
                 {}m is usually enough for a pass and a fail",
                settings.budget,
                (least.as_secs_f64() / 60.0).ceil()
            ));
        }
    }

    /// What a probe takes of the budget: it begins with a first answer, and its last ones come after its window.
    fn takes(&self, length: Duration, warmup: Duration) -> Duration {
        length + warmup + self.settings.settle.0 + self.slowest() * 2
    }

    /// The next probe of a target, or the end of its search.
    async fn step(&mut self, target: usize) -> Result<(), Failure> {
        let reach = self.settings.reach;
        let open = reach.by == By::Rate;
        let (tried, shown) = (&self.settings.targets[target].probes, &self.evidence[target]);
        let levels = levels(&self.slo, open, tried, shown);
        let fit = fitted(&self.slo, open, tried, shown);
        let (at, attempt, long) = match next(&reach, &levels, fit.as_ref()) {
            _ if self.interrupted() => return self.end(target, Ended::Interrupted),
            Next::Done(ended) => return self.end(target, ended),
            Next::Probe { at, attempt, long } => (at, attempt, long),
        };
        let length = if long { self.long(target) } else { self.short(at) };
        let warmup = self.settings.warmup.0.max(if long { length / WARM_PART } else { Duration::ZERO });
        let settle = self.settings.settle.0;
        let takes = self.takes(length, warmup).as_secs_f64();
        if self.clock.now().seconds() + takes > self.settings.budget.0.as_secs_f64() {
            return self.end(target, Ended::Budget);
        }
        // The last answer of the probe before has come, or was given up; what it left behind gets a moment.
        tokio::time::sleep(settle).await;
        let (load, arrivals) = self.shape.at(at, attempt, length, warmup, &self.prepared.plan)?;
        let folder = self.folder(target, &format!("{at}"));
        let words = format!("probe {}: {}, {}", self.made + 1, self.settings.targets[target].name, self.load_words(at));
        self.bar.at(self.gone(), &words);
        let finished = self.run(target, load, arrivals, (&folder, Some(self.drain()))).await?;
        if finished.report.status != Status::Complete || self.interrupted() {
            self.stopped = true;
            return self.end(target, Ended::Interrupted);
        }
        let evidence = probe_evidence::evidence(&self.slo, &finished)?;
        self.settings.targets[target].probes.push(Tried { folder, at, attempt, long });
        self.say(&self.told(target, at, &evidence));
        self.evidence[target].push(evidence);
        self.keep()
    }

    fn end(&mut self, target: usize, ended: Ended) -> Result<(), Failure> {
        self.settings.targets[target].ended = Some(ended);
        self.keep()
    }

    /// Length of a short probe's window.
    fn short(&self, at: f64) -> Duration {
        let base = self.settings.probe.0.as_secs_f64();
        self.bounded(window_s(self.settings.reach.by, (base, self.slow), at))
    }

    /// Length of a target's next long probe.
    fn long(&mut self, target: usize) -> Duration {
        let long = self.settings.targets[target].probes.iter().filter(|probe| probe.long).count() as u32;
        let searching = self.settings.targets.iter().filter(|target| target.ended.is_none()).count().max(1);
        let left = self.settings.budget.0.as_secs_f64() - self.clock.now().seconds();
        let seconds = long_s(self.settings.probe.0.as_secs_f64(), long, left / searching as f64);
        // Once chosen, it stays.
        let seconds = if long < 2 { seconds } else { *self.long[target].get_or_insert(seconds) };
        self.bounded(seconds)
    }

    fn bounded(&self, seconds: f64) -> Duration {
        let longest = self.longest();
        Duration::try_from_secs_f64(seconds).map_or(longest, |length| length.min(longest))
    }

    /// A folder's name: numbered in the order the probes are made; what else is in a target's name is no part of it.
    fn folder(&mut self, target: usize, load: &str) -> String {
        let name = file_part(&self.settings.targets[target].name);
        let number = self.made;
        self.made += 1;
        format!("{number:02}-{name}-{load}")
    }

    /// Runs one probe into a folder; the answers in flight at its end are waited for as long as is given with it, or else as
    /// long as an answer may take.
    async fn run(
        &self,
        target: usize,
        load: LoadPlan,
        arrivals: Option<Arc<crate::workload::Arrivals>>,
        (folder, drain): (&str, Option<Duration>),
    ) -> Result<Finished, Failure> {
        let whole = &self.prepared.plan;
        let mut plan = Plan {
            targets: whole.targets.get(target).cloned().into_iter().collect(),
            reference: 0,
            order: Order::Concurrent,
            interference: false,
            until_ci: None,
            least: None,
            // Its own report tells goodput by what is searched for.
            slo: Some(self.slo.clone()),
            load,
            drain: drain.map_or(whole.timeout, Span),
            drain_auto: drain.is_none() && whole.timeout_auto,
            ..whole.clone()
        };
        plan.driver = self.options.driver.of(&plan).map(|driver| driver.name().to_owned());
        // Nonces of each step's own, the same for every target.
        let step = self.settings.targets[target].probes.len() as u64;
        let base = u64::from_str_radix(&whole.workload.nonce_salt, 16).unwrap_or(whole.seed);
        let probe =
            self.prepared.another(plan, arrivals, base.wrapping_add((step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let dir = self.dir.join("probes").join(folder);
        std::fs::create_dir(&dir).with_context(|| format!("creating {}", dir.display()))?;
        let clock = Stopwatch::start();
        let targets = probe.targets(clock)?;
        measure(&probe, targets, clock, dir, &self.options, None).await
    }

    /// A probe in a line.
    fn told(&self, target: usize, at: f64, evidence: &ProbeEvidence) -> String {
        let judged = judge(&self.slo, &[evidence], self.settings.reach.by == By::Rate);
        format!(
            "{}: {} for {}: {}: {}; {}",
            self.settings.targets[target].name,
            self.load_words(at),
            length(evidence.seconds),
            judged.certain.as_str(),
            judged.reason,
            budget_words(self.settings.budget.0, self.gone())
        )
    }

    /// A load in its unit.
    fn load_words(&self, at: f64) -> String {
        match self.settings.reach.by {
            // As its folder and the files have it.
            By::Rate => format!("{at}/s"),
            By::Users => counted(at as u64, "user", "users"),
        }
    }

    /// How much of the time is gone.
    fn gone(&self) -> Duration {
        Duration::from_nanos(self.clock.now().0)
    }

    /// Keeps what the search is made of, beside its probes.
    fn keep(&self) -> Result<(), Failure> {
        Ok(probe_evidence::write_settings(&self.dir, &self.settings)?)
    }

    /// Writes what was found.
    pub fn finish(mut self) -> Result<Capacity, Failure> {
        self.bar.finish();
        self.settings.ended = Some(now());
        self.keep()?;
        let told = Capacity::new(TOOL, &self.settings, &self.slo, self.evidence);
        sink::write_capacity(&self.dir, &told)
            .with_context(|| format!("writing the files of {}", self.dir.display()))?;
        Ok(told)
    }
}
