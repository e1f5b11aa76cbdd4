//! The search for the knee: which load is to be tried next follows from what was tried so far, and from nothing else.

use super::fit::Fit;
use super::judge::{JudgedLoad, LoadVerdict};
use serde::{Deserialize, Serialize};

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Requests per second, in an open loop.
    Rate,
    /// Users, of a closed one.
    Users,
}

/// How far and how finely.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// What is varied.
    pub by: By,
    /// The first load.
    pub start: f64,
    /// The least load that is tried.
    pub least: f64,
    /// The most that is tried.
    pub most: f64,
    /// Where the last pass and the first fail lie this near (relative), it is found.
    pub precision: f64,
}

/// Probes of one target, at most.
pub const PROBES: u32 = 60;
/// Long probes of one target, at most.
const MOST_LONG: u32 = 24;
/// Fewest long probes after which an interval that is narrow enough ends the search: an interval that looks narrow after a few
/// is a lucky one.
const LEAST_LONG: u32 = 8;
/// Long probes of one end, where nothing can be fitted to all of them.
const ENDS: u32 = 3;

/// Requests that a first probe should have at least, where its length allows it.
const LEAST_REQUESTS: f64 = 40.0;
/// The same of a target that needs so long for an answer that its probes are as long as some answers: enough to show the way.
const LEAST_OF_SLOW: f64 = 5.0;
/// How much longer than a first probe one may be for that.
const LONGER: f64 = 6.0;

/// Length of a short probe's window in seconds, where one usually has `base`: long enough for some requests (for fewer if the
/// target is `slow`).
pub fn window_s(by: By, (base, slow): (f64, bool), at: f64) -> f64 {
    let requests = if slow { LEAST_OF_SLOW } else { LEAST_REQUESTS };
    match by {
        By::Rate => base.max((requests / at).min(base * LONGER)),
        By::Users => base,
    }
}

/// Length of the first two long probes of a target, in short ones.
const LONG: f64 = 4.0;
/// Longest that those after them are, in short ones.
const LONGEST: f64 = 12.0;
/// Probes that the time that is left is divided into, once both ends were tried with long ones.
const FURTHER: f64 = 8.0;
/// The part of a probe's time that is its window; the rest is warm-up and pauses.
const WINDOW: f64 = 0.8;

/// Length of a long probe's window in seconds, where a short one has `base` and `left` seconds are left for the target. A
/// target starts with no queue, and near its capacity takes long to build the one that it will have: short probes see it too
/// well. So the time that there is makes probes longer, not more; all after the first two are as long as the third.
pub fn long_s(base: f64, long: u32, left: f64) -> f64 {
    if long < 2 { base * LONG } else { (left / FURTHER * WINDOW).clamp(base * LONG, base * LONGEST) }
}

/// The seed of a probe's instants: another for each load and each attempt at it, so that no one draw's luck runs through the
/// whole search, and the same for every target.
pub fn probe_seed(seed: u64, at: f64, attempt: u32) -> u64 {
    // The finaliser of SplitMix64.
    let mut mixed = seed ^ at.to_bits().wrapping_add(u64::from(attempt)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// A load that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The load.
    pub at: f64,
    /// Probes of it.
    pub attempts: u32,
    /// The long ones among them: where there are any, the short ones are not asked.
    pub long: u32,
    /// What they show together.
    pub judged: JudgedLoad,
}

impl Level {
    /// What it stands for, as far as is known.
    pub(super) fn leans_pass(&self) -> bool {
        match self.judged.likely {
            LoadVerdict::Pass => true,
            LoadVerdict::Fail => false,
            LoadVerdict::CantTell => self.judged.leans_pass,
        }
    }

    /// Whether that is more than a guess: of a load that had a long probe, certain.
    fn told(&self) -> bool {
        (if self.long > 0 { self.judged.certain } else { self.judged.likely }) != LoadVerdict::CantTell
    }

    /// What it says for sure. Of an open loop that takes long probes and 99.9 %: its queue is random and remembers long, so that
    /// a verdict at 95 % is too often luck, and a short probe ends before the queue is what it will be. Of users who wait for
    /// their answers it takes 95 %.
    pub(super) fn sure(&self, by: By) -> LoadVerdict {
        match by {
            By::Rate if self.long == 0 => LoadVerdict::CantTell,
            By::Rate => self.judged.plain,
            By::Users => self.judged.certain,
        }
    }

    /// Whether it was looked at no more than to show the way.
    fn only_seen(&self, by: By) -> bool {
        self.long == 0 && self.sure(by) == LoadVerdict::CantTell
    }
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Between the last pass and the first fail there is nothing left to try.
    Found,
    /// The most that may be tried is sustained.
    AtMost,
    /// Not even the least is.
    Never,
    /// The time was over.
    Budget,
    /// So many probes were made as may be.
    Probes,
    /// The generator, not the target, was at its end.
    Generator,
    /// A limit is on what this target doesn't show.
    Unmeasured,
    /// Ctrl-C.
    Interrupted,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// A probe.
    Probe {
        /// The load.
        at: f64,
        /// Number of the probe among those of this load, from 0.
        attempt: u32,
        /// Whether it is a long one, that is to be evidence; short ones show the way.
        long: bool,
    },
    /// Nothing.
    Done(Ended),
}

/// How near pass and fail lie once short probes that can't tell are no longer of use.
const CLOSE: f64 = 1.3;

/// What follows from the loads tried so far, in any order, and from what their long probes say together. Short probes double
/// (or halve) the load until it is passed on one side and failed on the other, and halve the space between while they can tell.
/// Then both ends get a long probe. If these agree, and the ends lie near enough, that is all; else long probes follow on
/// either side of the boundary as it is known by then.
pub fn next(reach: &Reach, levels: &[Level], fit: Option<&Fit>) -> Next {
    let probe = |at: f64, long: bool| {
        let known = levels.iter().find(|level| level.at == at);
        Next::Probe { at, attempt: known.map_or(0, |level| level.attempts), long }
    };
    let look = |at: f64| probe(round(reach, at).clamp(reach.least, reach.most), false);
    let sure = |level: &Level| probe(level.at, true);
    if levels.is_empty() {
        return look(reach.start);
    }
    if levels.iter().any(|level| level.judged.unmeasured.is_some()) {
        return Next::Done(Ended::Unmeasured);
    }
    if levels.iter().map(|level| level.attempts).sum::<u32>() >= PROBES {
        return Next::Done(Ended::Probes);
    }
    let passing = |level: &&Level| level.leans_pass();
    let fail = levels.iter().filter(|level| !passing(level)).min_by(|a, b| a.at.total_cmp(&b.at));
    let pass = levels.iter().filter(passing).max_by(|a, b| a.at.total_cmp(&b.at));
    let (pass, fail) = match (pass, fail) {
        (Some(pass), None) if pass.at < reach.most => return look(pass.at * 2.0),
        (Some(pass), None) => return if pass.only_seen(reach.by) { sure(pass) } else { Next::Done(Ended::AtMost) },
        (None, Some(fail)) if fail.at > reach.least => return look(fail.at / 2.0),
        (None, Some(fail)) if fail.only_seen(reach.by) => return sure(fail),
        (None, Some(fail)) => {
            return Next::Done(if fail.judged.generator.is_some() { Ended::Generator } else { Ended::Never });
        }
        (Some(pass), Some(fail)) => (pass, fail),
        (None, None) => return Next::Done(Ended::Probes),
    };
    let gap = (pass.at < fail.at).then(|| middle(reach, pass.at, fail.at));
    if let Some(Some(at)) = gap
        && (fail.at / pass.at > CLOSE || pass.told() && fail.told())
    {
        return look(at);
    }
    // The pass first: it comes after a fail then, and shows whether the target recovers from one.
    if let Some(end) = [pass, fail].into_iter().find(|level| level.only_seen(reach.by)) {
        return sure(end);
    }
    if fail.judged.generator.is_some() {
        return Next::Done(Ended::Generator);
    }
    if gap == Some(None) && pass.sure(reach.by) == LoadVerdict::Pass && fail.sure(reach.by) == LoadVerdict::Fail {
        return Next::Done(Ended::Found);
    }
    let long = levels.iter().map(|level| level.long).sum::<u32>();
    let narrow = |fit: &Fit| {
        let ends = fit.low.zip(fit.high).filter(|_| fit.firm);
        ends.is_some_and(|(low, high)| match reach.by {
            By::Rate => high / low <= 1.0 + reach.precision,
            By::Users => high.floor() - low.floor() < (low * reach.precision).max(1.0),
        })
    };
    if long >= MOST_LONG || long >= LEAST_LONG && fit.is_some_and(narrow) {
        return Next::Done(Ended::Found);
    }
    match fit {
        Some(fit) => probe(beside(reach, levels, fit), true),
        None => {
            let end = [pass, fail].into_iter().filter(|level| level.long < ENDS).min_by_key(|level| level.long);
            end.map_or(Next::Done(Ended::Found), sure)
        }
    }
}

/// How far from the boundary a long probe lies, in the logarithm of the odds: where it tells most of the boundary and enough of
/// the slope.
const ODDS: f64 = 0.6;

/// The next load of a long probe: near the boundary, on the side that had fewer.
fn beside(reach: &Reach, levels: &[Level], fit: &Fit) -> f64 {
    let long = || levels.iter().filter(|level| level.long > 0);
    let least = long().map(|level| level.at).fold(f64::INFINITY, f64::min);
    let most = long().map(|level| level.at).fold(0.0, f64::max);
    // Not far beyond what was tried: a fit to a few probes may lead anywhere.
    let middle = fit.value.clamp(least / 1.15, (most * 1.15).max(least));
    let count = |below: bool| long().filter(|level| (level.at <= middle) == below).map(|level| level.long).sum::<u32>();
    let below = count(true) <= count(false);
    let at = match reach.by {
        By::Users if below => middle.floor(),
        By::Users => middle.floor() + 1.0,
        By::Rate => {
            let step = (ODDS / fit.slope).clamp(reach.precision.min(0.02) / 2.0, 0.08);
            middle * (if below { -step } else { step }).exp()
        }
    };
    round(reach, at).clamp(reach.least, reach.most)
}

/// The load between two, on a logarithmic scale; `None` if they are near enough.
fn middle(reach: &Reach, pass: f64, fail: f64) -> Option<f64> {
    let near = match reach.by {
        By::Rate => fail / pass <= 1.0 + reach.precision,
        By::Users => fail - pass <= (pass * reach.precision).max(1.0),
    };
    let at = round(reach, (pass * fail).sqrt());
    (!near && at > pass && at < fail).then_some(at)
}

/// Users are whole; a rate has four digits.
fn round(reach: &Reach, at: f64) -> f64 {
    match reach.by {
        By::Users => at.round().max(1.0),
        By::Rate => {
            let unit = 10_f64.powf(at.log10().floor() - 3.0);
            // By division where the unit is a fraction: 0.1 has no exact multiple.
            if unit < 1.0 { (at / unit).round() / (1.0 / unit).round() } else { (at / unit).round() * unit }
        }
    }
}
