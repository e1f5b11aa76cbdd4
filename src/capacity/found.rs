//! What came of a search, as one document: every probe, each target's boundary, and their ratio.

use super::evidence::Evidence;
use super::judge::{Verdict, judge};
use super::search::{Boundary, By, Ended, LONG, Level, Reach, boundary};
use super::worth::requests_needed;
use crate::scenario::{Share, Slo, Span};
use crate::stats;
use serde::{Deserialize, Serialize};

/// Version of the form of `capacity.json`.
pub const CAPACITY_VERSION: u32 = 1;

/// What was asked of a search; kept beside the probes, so that it can be told again from them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The scenario's name.
    pub name: String,
    /// One sentence for people.
    pub about: Option<String>,
    /// The limits.
    pub slo: String,
    /// Whether the limit on errors among them was added, for want of one.
    pub errors_added: bool,
    /// How far and how finely was searched.
    pub reach: Reach,
    /// The time there was for all of it.
    pub budget: Span,
    /// Length of a first probe's measured window.
    pub probe: Span,
    /// Load before each window.
    pub warmup: Span,
    /// Pause before each probe.
    pub settle: Span,
    /// How requests lie around a rate, or what a user does, in words.
    pub load: String,
    /// The smallest difference that matters.
    pub smallest_effect: Share,
    /// Position of the reference among the targets.
    pub reference: usize,
    /// The targets, in the scenario's order.
    pub targets: Vec<Searched>,
    /// When it began, UTC (RFC 3339).
    pub started: String,
    /// When it ended; `None` while it runs.
    pub ended: Option<String>,
    /// Why a target could not be asked any more, if that is what ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A target of a search, and how it went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Searched {
    /// The scenario's name for it.
    pub name: String,
    /// Whether an embedded engine stood in for a real one.
    pub stand_in: bool,
    /// The engine's name and version, where it told them.
    pub engine: Option<String>,
    /// The model that was asked.
    pub model: String,
    /// Median response time of one request at a time, in microseconds: the target unloaded.
    pub alone_us: Option<f64>,
    /// What one request at a time already broke, if it did.
    #[serde(default)]
    pub alone: Option<String>,
    /// The probes' folders, in the order they were made.
    pub probes: Vec<Tried>,
    /// How the search ended; `None` while it goes on.
    pub ended: Option<Ended>,
}

/// A probe that was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// Its folder, in `probes/`.
    pub folder: String,
    /// The load.
    pub at: f64,
    /// Number of the probe among those of this load, from 0.
    pub attempt: u32,
}

/// A probe, judged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// Its number among the target's, from 1.
    pub step: usize,
    /// Its folder.
    pub folder: String,
    /// Requests a second, or users.
    pub asked: f64,
    /// What it shows by itself, with 95 % confidence.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What all probes of this load show together, their neighbours helping.
    pub load_verdict: Verdict,
    /// Why.
    pub load_reason: String,
    /// Whether the queue grew.
    pub over_saturated: bool,
    /// What it rests on.
    pub evidence: Evidence,
}

/// A target's capacity, and how it was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Which it is.
    pub searched: Searched,
    /// The most that it sustains.
    pub capacity: Boundary,
    /// Every probe, in the order they were made.
    pub probes: Vec<Probe>,
}

impl Target {
    /// The name as tables show it: with `(stand-in)` after it where that is so.
    pub fn label(&self) -> String {
        if self.searched.stand_in { format!("{} (stand-in)", self.searched.name) } else { self.searched.name.clone() }
    }
}

/// A target's capacity ÷ the reference's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Position of the target.
    pub target: usize,
    /// Of the two estimates.
    pub ratio: Option<f64>,
    /// The target's lower end ÷ the reference's upper one.
    pub low: Option<f64>,
    /// The target's upper end ÷ the reference's lower one.
    pub high: Option<f64>,
    /// Better or worse only if the whole interval lies beyond the smallest effect.
    pub verdict: stats::Verdict,
}

/// What came of a search.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Capacity {
    /// Version of this document's form.
    pub schema_version: u32,
    /// What wrote it, with its version.
    pub tool: String,
    /// What was asked.
    pub settings: Settings,
    /// The targets, in the scenario's order.
    pub targets: Vec<Target>,
    /// Each target but the reference, against the reference.
    pub ratios: Vec<Ratio>,
}

impl Capacity {
    /// Everything that probes say. `evidence` is each target's, by probe.
    pub fn new(tool: &str, settings: &Settings, slo: &Slo, evidence: Vec<Vec<Evidence>>) -> Self {
        let open = settings.reach.by == By::Rate;
        let target = |(searched, evidence): (&Searched, Vec<Evidence>)| {
            let levels = levels(slo, open, &searched.probes, &evidence);
            let capacity = boundary(&levels);
            let probe = |(step, (tried, evidence)): (usize, (&Tried, Evidence))| {
                let judged = judge(slo, &[&evidence], open);
                let of_load = levels.iter().find(|level| level.at == tried.at).map(|level| &level.judged);
                Probe {
                    load_verdict: of_load.map_or(judged.certain, |judged| judged.certain),
                    load_reason: of_load.map_or_else(String::new, |judged| judged.reason.clone()),
                    step: step + 1,
                    folder: tried.folder.clone(),
                    asked: tried.at,
                    verdict: judged.certain,
                    reason: judged.reason,
                    over_saturated: judged.over_saturated,
                    evidence,
                }
            };
            let probes = searched.probes.iter().zip(evidence).enumerate().map(probe).collect();
            Target { searched: searched.clone(), capacity, probes }
        };
        let targets: Vec<Target> = settings.targets.iter().zip(evidence).map(target).collect();
        let ratios = ratios(&targets, settings.reference, settings.smallest_effect.0);
        Self { schema_version: CAPACITY_VERSION, tool: tool.to_owned(), settings: settings.clone(), targets, ratios }
    }

    /// Whether an embedded engine stood in for a real one.
    pub fn has_stand_in(&self) -> bool {
        self.targets.iter().any(|target| target.searched.stand_in)
    }
}

/// The loads that were tried, the least first, and what all probes of each say together.
///
/// A pass is certain by long probes only ([`LONG`]), of an open loop by as many requests as [`requests_needed`] tells.
///
/// Where a load's own probes leave it open whether what it leans to is certain, its neighbours are asked, too: if requests at
/// this and at higher loads together keep the limits, those at this one do, for more load makes nothing faster; so for fails
/// downward. (Pooling adjacent loads is what isotonic regression does: Barlow, Bartholomew, Bremner and Brunk, Statistical
/// Inference under Order Restrictions, 1972, 1.2.)
pub fn levels(slo: &Slo, open: bool, tried: &[Tried], evidence: &[Evidence]) -> Vec<Level> {
    let mut loads: Vec<f64> = Vec::new();
    for one in tried {
        if !loads.contains(&one.at) {
            loads.push(one.at);
        }
    }
    loads.sort_by(f64::total_cmp);
    // Once there is a long probe of a load, the short ones are no longer asked.
    let all_of = |at: f64| tried.iter().zip(evidence).filter(move |(one, _)| one.at == at).map(|(_, e)| e);
    let of = |at: f64| {
        let long: Vec<&Evidence> = all_of(at).filter(|evidence| evidence.length >= LONG).collect();
        if long.is_empty() { all_of(at).collect() } else { long }
    };
    let needed = if open { requests_needed(slo) } else { 0 };
    let enough = |probes: &[&Evidence]| {
        let long = probes.iter().filter(|evidence| evidence.length >= LONG);
        let (many, requests) = long.fold((0, 0), |(many, requests), evidence| (many + 1, requests + evidence.requests));
        many > 0 && requests >= needed
    };
    let level = |at: f64| {
        let (own, attempts) = (of(at), all_of(at).count() as u32);
        let mut judged = judge(slo, &own, open);
        if judged.certain == Verdict::Pass && !enough(&own) {
            // A short one sees a target too well: its pass shows the way, and no more. Its fail stands.
            (judged.certain, judged.reason) = (Verdict::CantTell, "kept, by too few requests to be certain".to_owned());
        }
        Level { at, attempts, judged }
    };
    let own: Vec<Level> = loads.into_iter().map(level).collect();
    let mut all = own.clone();
    for (at, level) in all.iter_mut().enumerate().filter(|(_, level)| level.judged.certain == Verdict::CantTell) {
        let pass = level.leans_pass();
        let neighbours: Vec<&Level> = if pass {
            own[at..].iter().take_while(|other| other.leans_pass()).collect()
        } else {
            own[..=at].iter().rev().take_while(|other| !other.leans_pass()).collect()
        };
        let mut pooled: Vec<&Evidence> = Vec::new();
        for other in neighbours {
            pooled.extend(all_of(other.at).filter(|evidence| evidence.length >= LONG));
            if pooled.is_empty() {
                continue;
            }
            let judged = judge(slo, &pooled, open);
            if pass && !enough(&pooled) {
                continue;
            }
            if judged.certain == if pass { Verdict::Pass } else { Verdict::Fail } {
                let reason = if pass { "kept, with the loads above it" } else { "broken, with the loads below it" };
                (level.judged.certain, level.judged.reason) = (judged.certain, reason.to_owned());
                break;
            }
        }
    }
    all
}

impl Target {
    /// Why it isn't compared with another, if one of them alone is a stand-in.
    pub fn uncompared(&self, other: &Self) -> Option<String> {
        let (a, b) = (&self.searched, &other.searched);
        stats::lone_stand_in((&a.name, a.stand_in), (&b.name, b.stand_in))
    }
}

/// Each ratio's interval is the worst case of the two: it holds wherever both capacities lie in theirs.
fn ratios(targets: &[Target], reference: usize, smallest: f64) -> Vec<Ratio> {
    let Some(against) = targets.get(reference).map(|target| target.capacity) else { return Vec::new() };
    let others = targets.iter().enumerate().filter(|(at, _)| *at != reference);
    let ratio = |(target, of): (usize, &Target)| {
        if of.uncompared(&targets[reference]).is_some() {
            return Ratio { target, ratio: None, low: None, high: None, verdict: stats::Verdict::NotCompared };
        }
        let over = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a / b);
        let own = of.capacity;
        let (low, high) = (over(own.low, against.high), over(own.high, against.low));
        let verdict = if low.is_some_and(|low| low > 1.0 + smallest) {
            stats::Verdict::Better
        } else if high.is_some_and(|high| high < 1.0 / (1.0 + smallest)) {
            stats::Verdict::Worse
        } else if low.zip(high).is_some_and(|(low, high)| low >= 1.0 / (1.0 + smallest) && high <= 1.0 + smallest) {
            stats::Verdict::Equal
        } else {
            stats::Verdict::Undecided
        };
        Ratio { target, ratio: over(own.value, against.value), low, high, verdict }
    };
    others.map(ratio).collect()
}
