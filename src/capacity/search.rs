//! The search for the knee: which load is to be tried next follows from the loads tried so far, and from nothing else.

use super::judge::{Judged, Verdict};
use serde::{Deserialize, Serialize};

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Requests a second, of an open loop.
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

/// Probes of one load, at most.
pub const ATTEMPTS: u32 = 3;
/// Probes of one target, at most.
pub const PROBES: u32 = 60;

/// Requests that a probe should have at least, where its length allows it.
const LEAST_REQUESTS: f64 = 40.0;
/// The same of a target that needs so long for an answer that its probes are as long as some answers: enough to show the way,
/// and no more than the time there is for a search can bear.
const LEAST_OF_SLOW: f64 = 15.0;
/// How much longer than a first probe one may be for that.
const LONGER: f64 = 6.0;

/// Length of a probe's window in seconds, where a first one usually has `base`: long enough for some requests (for fewer if
/// the target is `slow`), and [`length`] times that; the last one of a load also long enough for the requests that a certain
/// pass needs.
pub fn window_s(by: By, (base, slow): (f64, bool), at: f64, attempt: u32, needed: u64) -> f64 {
    let requests = if slow { LEAST_OF_SLOW } else { LEAST_REQUESTS };
    let (least, last) = match by {
        By::Rate => ((requests / at).min(base * LONGER), needed as f64 / at),
        By::Users => (0.0, 0.0),
    };
    let window = base.max(least) * length(attempt);
    // A tenth more than is needed: arrivals are random.
    if attempt + 1 >= ATTEMPTS { window.max(last * 1.1) } else { window }
}

/// From this length on, in first probes' lengths, a probe is evidence; shorter ones show the way. A target starts with no
/// queue, and near its capacity takes long to build the one that it will have: short probes see it too well.
pub const LONG: f64 = 4.0;

/// Length of the `attempt`-th probe of a load, in first probes' lengths.
pub fn length(attempt: u32) -> f64 {
    match attempt {
        0 => 1.0,
        1 => LONG,
        _ => 2.0 * LONG,
    }
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
    /// What they show together.
    pub judged: Judged,
}

impl Level {
    /// Which way the search goes on from here; `None` while another probe of it should say.
    fn passes(&self) -> Option<bool> {
        match self.judged.likely {
            Verdict::Pass => Some(true),
            Verdict::Fail => Some(false),
            Verdict::CantTell => (self.attempts >= ATTEMPTS).then_some(self.judged.leans_pass),
        }
    }

    /// What it stands for, as far as is known.
    pub(super) fn leans_pass(&self) -> bool {
        self.passes().unwrap_or(self.judged.leans_pass)
    }

    /// Whether another probe of it could say more: every end of the search is looked at a second time, and until it is certain.
    fn unsettled(&self) -> bool {
        self.attempts < 2 || self.judged.certain == Verdict::CantTell && self.attempts < ATTEMPTS
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
    /// A probe of this load, the `attempt`-th (from 0).
    Probe {
        /// The load.
        at: f64,
        /// Number of the probe among those of this load.
        attempt: u32,
    },
    /// Nothing.
    Done(Ended),
}

/// What follows from the loads tried so far, in any order.
pub fn next(reach: &Reach, levels: &[Level]) -> Next {
    let again = |level: &Level| Next::Probe { at: level.at, attempt: level.attempts };
    let fresh = |at: f64| Next::Probe { at, attempt: 0 };
    if levels.is_empty() {
        return fresh(round(reach, reach.start).clamp(reach.least, reach.most));
    }
    if levels.iter().any(|level| level.judged.unmeasured.is_some()) {
        return Next::Done(Ended::Unmeasured);
    }
    if levels.iter().map(|level| level.attempts).sum::<u32>() >= PROBES {
        return Next::Done(Ended::Probes);
    }
    if let Some(open) = levels.iter().find(|level| level.passes().is_none()) {
        return again(open);
    }
    let passing = |level: &&Level| level.passes() == Some(true);
    let fail = levels.iter().filter(|level| !passing(level)).min_by(|a, b| a.at.total_cmp(&b.at));
    let pass = levels.iter().filter(passing).max_by(|a, b| a.at.total_cmp(&b.at));
    match (pass, fail) {
        (Some(pass), None) if pass.at >= reach.most => {
            if pass.unsettled() {
                again(pass)
            } else {
                Next::Done(Ended::AtMost)
            }
        }
        (Some(pass), None) => fresh(round(reach, pass.at * 2.0).clamp(reach.least, reach.most)),
        (None, Some(fail)) if fail.at <= reach.least => {
            if fail.unsettled() {
                again(fail)
            } else {
                Next::Done(if fail.judged.generator.is_some() { Ended::Generator } else { Ended::Never })
            }
        }
        (None, Some(fail)) => fresh(round(reach, fail.at / 2.0).clamp(reach.least, reach.most)),
        (Some(pass), Some(fail)) if pass.at > fail.at => {
            // They contradict each other: chance, or a target that hasn't recovered. Both are tried again, the one tried
            // less often first; what still contradicts then widens the interval.
            let (first, second) = if fail.attempts <= pass.attempts { (fail, pass) } else { (pass, fail) };
            [first, second]
                .into_iter()
                .find(|level| level.attempts < ATTEMPTS)
                .map_or_else(|| between(reach, levels, fail.at, pass.at), again)
        }
        (Some(pass), Some(fail)) => match middle(reach, pass.at, fail.at) {
            Some(at) => fresh(at),
            // The pass first: it comes after a fail then, and shows whether the target recovers from one.
            None if pass.unsettled() => again(pass),
            None if fail.unsettled() => again(fail),
            None if fail.judged.generator.is_some() => Next::Done(Ended::Generator),
            None => aside(reach, levels, pass, true)
                .or_else(|| aside(reach, levels, fail, false))
                .unwrap_or(Next::Done(Ended::Found)),
        },
        (None, None) => Next::Done(Ended::Probes),
    }
}

/// A contradiction that stays: below the fail a pass is looked for still, above the pass a fail; between them nothing is.
fn between(reach: &Reach, levels: &[Level], low: f64, high: f64) -> Next {
    let below = levels.iter().filter(|l| l.at < low && l.passes() == Some(true)).map(|l| l.at).fold(0.0, f64::max);
    let above = levels.iter().filter(|l| l.at > high && l.passes() == Some(false)).map(|l| l.at);
    let above = above.fold(f64::INFINITY, f64::min);
    if below == 0.0 && low > reach.least {
        return Next::Probe { at: round(reach, low / 2.0).clamp(reach.least, reach.most), attempt: 0 };
    }
    if above.is_infinite() && high < reach.most {
        return Next::Probe { at: round(reach, high * 2.0).clamp(reach.least, reach.most), attempt: 0 };
    }
    let gap = Some((below, low)).filter(|(below, _)| *below > 0.0).and_then(|(a, b)| middle(reach, a, b));
    let gap = gap
        .or_else(|| Some((high, above)).filter(|(_, above)| above.is_finite()).and_then(|(a, b)| middle(reach, a, b)));
    gap.filter(|at| !levels.iter().any(|level| level.at == *at))
        .map_or(Next::Done(Ended::Found), |at| Next::Probe { at, attempt: 0 })
}

/// Steps of the precision that are gone away from an end that stays uncertain, to one that is certain.
const ASIDE: i32 = 3;

/// Where an end of the bracket can't be told for certain, so near the limit it lies, the next load away from it may be: what
/// comes after such an end, until there is one, or it is too far off.
fn aside(reach: &Reach, levels: &[Level], end: &Level, pass: bool) -> Option<Next> {
    let want = if pass { Verdict::Pass } else { Verdict::Fail };
    let farther = |at: f64, than: f64| if pass { at <= than } else { at >= than };
    // From the end outward.
    let mut row: Vec<&Level> = levels.iter().filter(|level| farther(level.at, end.at)).collect();
    row.sort_by(|a, b| (a.at - end.at).abs().total_cmp(&(b.at - end.at).abs()));
    let sure = row.iter().position(|level| level.judged.certain == want);
    let open = &row[..sure.unwrap_or(row.len())];
    let last = open.last()?;
    let step = match reach.by {
        By::Rate => 1.0 + reach.precision,
        By::Users => (1.0 + reach.precision).max(1.0 + 1.0 / end.at),
    };
    let near = |at: f64| (at / end.at).ln().abs() < step.ln() * (f64::from(ASIDE) + 0.5);
    if let Some(level) = open.iter().find(|level| level.attempts < ATTEMPTS && near(level.at)) {
        return Some(Next::Probe { at: level.at, attempt: level.attempts });
    }
    let at = round(reach, if pass { last.at / step } else { last.at * step });
    // Not beyond the next one that is certain: there is the end of the interval then.
    let inside = sure.is_none_or(|sure| farther(row[sure].at, at) && row[sure].at != at);
    let fresh = inside && near(at) && (reach.least..=reach.most).contains(&at) && at != last.at;
    fresh.then_some(Next::Probe { at, attempt: 0 })
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

/// What a search found: the most that is sustained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Boundary {
    /// The best estimate; `None` where no load passed, or none failed. It has an interval only where both ends are known.
    pub value: Option<f64>,
    /// The highest load that is certain to be sustained with none below it that certainly isn't.
    pub low: Option<f64>,
    /// The lowest load that certainly isn't, with none above it that certainly is.
    pub high: Option<f64>,
    /// A load failed below one that passed, both certainly: the interval spans both.
    #[serde(default)]
    pub contradicted: bool,
}

/// The boundary, from the loads tried. Its ends are single verdicts at 95 % confidence (each gives away 2.5 % to its side), as
/// in sequential bracketing of a threshold; the estimate is the geometric middle of the last loads on either side of it, by
/// what is more likely, held inside the ends.
pub fn boundary(levels: &[Level]) -> Boundary {
    let certain = |verdict: Verdict| levels.iter().filter(move |l| l.judged.certain == verdict).map(|l| l.at);
    let most_pass = certain(Verdict::Pass).fold(0.0, f64::max);
    let least_fail = certain(Verdict::Fail).fold(f64::INFINITY, f64::min);
    let contradicted = most_pass > least_fail;
    let low = certain(Verdict::Pass).filter(|at| *at < least_fail).fold(0.0, f64::max);
    let high = certain(Verdict::Fail).filter(|at| *at > most_pass).fold(f64::INFINITY, f64::min);
    let stands = |pass: bool| levels.iter().filter(move |level| level.leans_pass() == pass);
    let pass = stands(true).map(|l| l.at).fold(0.0, f64::max);
    let fail = stands(false).map(|l| l.at).filter(|at| *at > pass).fold(f64::INFINITY, f64::min);
    let value = (pass > 0.0 && fail.is_finite()).then(|| {
        // Inside the ends that are known.
        let held = |at: f64| at.max(low).min(high);
        (held(pass) * held(fail)).sqrt()
    });
    Boundary {
        value,
        low: Some(low).filter(|low| *low > 0.0),
        high: Some(high).filter(|high| high.is_finite()),
        contradicted,
    }
}
