//! What came of a search, as one document: every probe, each target's boundary, and their ratio.

use super::boundary::{Boundary, boundary};
use super::evidence::ProbeEvidence;
use super::fit::{Fit, fit};
use super::judge::{JudgedLoad, LoadVerdict, judge};
use super::ratio::{Ratio, ratio};
use super::search::{By, Ended, Level, Reach};
use crate::record::Outcome;
use crate::scenario::{Share, Slo, Span};
use crate::stats;
use serde::{Deserialize, Serialize};

/// Version of the form of `capacity.json`.
pub const CAPACITY_VERSION: u32 = 2;

/// What was asked of a search; kept beside the probes, so that it can be told again from them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SearchSettings {
    /// The scenario's name.
    pub name: String,
    /// One sentence of description.
    pub about: Option<String>,
    /// The limits.
    pub slo: String,
    /// Whether the limit on errors among them was added, for want of one.
    pub errors_added: bool,
    /// How far and how finely was searched.
    pub reach: Reach,
    /// The time there was for all of it.
    pub budget: Span,
    /// Length of a short probe's measured window.
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
    /// Whether a stand-in took the place of a real engine.
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
    /// Whether it is a long one, that is evidence; short ones show the way.
    #[serde(default)]
    pub long: bool,
}

/// A probe, judged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JudgedProbe {
    /// Its number among the target's, from 1.
    pub step: usize,
    /// Its folder.
    pub folder: String,
    /// Requests a second, or users.
    pub asked: f64,
    /// Whether it is a long one.
    pub long: bool,
    /// What it shows, with 95 % confidence: what was said while the search ran.
    pub verdict: LoadVerdict,
    /// Why.
    pub reason: String,
    /// Whether the queue grew.
    pub over_saturated: bool,
    /// What it rests on.
    pub evidence: ProbeEvidence,
}

/// A target's capacity, and how it was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TargetCapacity {
    /// Which it is.
    pub searched: Searched,
    /// The most that it sustains.
    pub capacity: Boundary,
    /// Every probe, in the order they were made.
    pub probes: Vec<JudgedProbe>,
    /// Why requests failed, over all probes; the most frequent reason first.
    pub failures: Vec<Failed>,
}

/// One reason for which requests of a target failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// How the requests ended; `None` where reasons of several outcomes are joined.
    pub outcome: Option<Outcome>,
    /// The HTTP status, where there was one and it wasn't 200.
    pub http_status: Option<u16>,
    /// The engine's or the system's words.
    pub words: String,
    /// Requests with this failure.
    pub count: u64,
    /// The least load at which some did.
    pub least: f64,
    /// The highest.
    pub most: f64,
}

impl TargetCapacity {
    /// The name as tables show it: with `(stand-in)` after it where that is so.
    pub fn label(&self) -> String {
        if self.searched.stand_in { format!("{} (stand-in)", self.searched.name) } else { self.searched.name.clone() }
    }
}

/// What came of a search.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Capacity {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The program and version that wrote it.
    pub tool: String,
    /// What was asked.
    pub settings: SearchSettings,
    /// The targets, in the scenario's order.
    pub targets: Vec<TargetCapacity>,
    /// Each target but the reference, against the reference.
    pub ratios: Vec<Ratio>,
}

impl Capacity {
    /// Everything that probes say. `evidence` is each target's, by probe.
    pub fn new(tool: &str, settings: &SearchSettings, slo: &Slo, evidence: Vec<Vec<ProbeEvidence>>) -> Self {
        let open = settings.reach.by == By::Rate;
        let target = |(searched, evidence): (&Searched, Vec<ProbeEvidence>)| {
            let levels = levels(slo, open, &searched.probes, &evidence);
            let capacity = found(slo, settings.reach.by, &searched.probes, &evidence, &levels);
            let failures = failures(&searched.probes, &evidence);
            let probe = |(step, (tried, evidence)): (usize, (&Tried, ProbeEvidence))| {
                let judged = judge(slo, &[&evidence], open);
                JudgedProbe {
                    step: step + 1,
                    folder: tried.folder.clone(),
                    asked: tried.at,
                    long: tried.long,
                    verdict: judged.certain,
                    reason: judged.reason,
                    over_saturated: judged.over_saturated,
                    evidence,
                }
            };
            let probes = searched.probes.iter().zip(evidence).enumerate().map(probe).collect();
            TargetCapacity { searched: searched.clone(), capacity, probes, failures }
        };
        let targets: Vec<TargetCapacity> = settings.targets.iter().zip(evidence).map(target).collect();
        let ratios = ratios(&targets, settings.reach.by, settings.reference, settings.smallest_effect.0);
        Self { schema_version: CAPACITY_VERSION, tool: tool.to_owned(), settings: settings.clone(), targets, ratios }
    }

    /// Whether a stand-in took the place of a real engine.
    pub fn has_stand_in(&self) -> bool {
        self.targets.iter().any(|target| target.searched.stand_in)
    }
}

/// The loads that were tried, the least first, and what the probes of each say together: the long ones, where there are any. A
/// load passes or fails for certain only where a probe of it does by itself, and none says the opposite.
pub fn levels(slo: &Slo, open: bool, tried: &[Tried], evidence: &[ProbeEvidence]) -> Vec<Level> {
    let mut loads: Vec<f64> = Vec::new();
    for one in tried {
        if !loads.contains(&one.at) {
            loads.push(one.at);
        }
    }
    loads.sort_by(f64::total_cmp);
    let level = |at: f64| {
        let all = || tried.iter().zip(evidence).filter(|(one, _)| one.at == at);
        let long = all().filter(|(one, _)| one.long).count();
        let own: Vec<&ProbeEvidence> = all().filter(|(one, _)| one.long || long == 0).map(|(_, e)| e).collect();
        let mut judged = judge(slo, &own, open);
        let each: Vec<JudgedLoad> = own.iter().map(|probe| judge(slo, &[probe], open)).collect();
        let agreed = |of: fn(&JudgedLoad) -> LoadVerdict| {
            let said = |verdict: LoadVerdict| each.iter().any(|judged| of(judged) == verdict);
            match (said(LoadVerdict::Pass), said(LoadVerdict::Fail)) {
                (true, false) => LoadVerdict::Pass,
                (false, true) => LoadVerdict::Fail,
                _ => LoadVerdict::CantTell,
            }
        };
        judged.certain = agreed(|judged| judged.certain);
        judged.plain = agreed(|judged| judged.plain);
        Level { at, attempts: all().count() as u32, long: long as u32, judged }
    };
    loads.into_iter().map(level).collect()
}

/// What the long probes say together.
pub fn fitted(slo: &Slo, open: bool, tried: &[Tried], evidence: &[ProbeEvidence]) -> Option<Fit> {
    let long = tried.iter().zip(evidence).filter(|(one, _)| one.long);
    fit(slo, open, &long.map(|(one, evidence)| (one.at, evidence)).collect::<Vec<_>>())
}

/// The boundary that these probes, of these levels, lead to.
pub fn found(slo: &Slo, by: By, tried: &[Tried], evidence: &[ProbeEvidence], levels: &[Level]) -> Boundary {
    let fit = fitted(slo, by == By::Rate, tried, evidence);
    // Of requests a second the load itself; of users what they came to, at the most that leant to a pass.
    let last = levels.iter().rev().find(|level| level.leans_pass()).or(levels.first()).map(|level| level.at);
    let rate = |at: f64| match by {
        By::Rate => at,
        By::Users => {
            let own = tried.iter().zip(evidence).filter(|(one, _)| one.at == at).map(|(_, e)| e.achieved_per_s);
            own.fold(0.0, f64::max)
        }
    };
    boundary(slo, by, levels, fit.as_ref(), last.map_or(0.0, rate))
}

/// Reasons of all probes of a target, each once.
fn failures(tried: &[Tried], evidence: &[ProbeEvidence]) -> Vec<Failed> {
    let mut all: Vec<Failed> = Vec::new();
    for (tried, evidence) in tried.iter().zip(evidence) {
        for reason in &evidence.failures {
            let same = |f: &&mut Failed| {
                (f.outcome, f.http_status, &f.words) == (reason.outcome, reason.http_status, &reason.words)
            };
            match all.iter_mut().find(same) {
                Some(known) => {
                    known.count += reason.count;
                    (known.least, known.most) = (known.least.min(tried.at), known.most.max(tried.at));
                }
                None => all.push(Failed {
                    outcome: reason.outcome,
                    http_status: reason.http_status,
                    words: reason.words.clone(),
                    count: reason.count,
                    least: tried.at,
                    most: tried.at,
                }),
            }
        }
    }
    all.sort_by_key(|failed| std::cmp::Reverse(failed.count));
    all
}

impl TargetCapacity {
    /// Why it isn't compared with another, if one of them alone is a stand-in.
    pub fn uncompared(&self, other: &Self) -> Option<String> {
        let (a, b) = (&self.searched, &other.searched);
        stats::lone_stand_in((&a.name, a.stand_in), (&b.name, b.stand_in))
    }
}

/// Each target's ratio to the reference.
pub fn ratios(targets: &[TargetCapacity], by: By, reference: usize, smallest: f64) -> Vec<Ratio> {
    let Some(against) = targets.get(reference) else { return Vec::new() };
    let others = targets.iter().enumerate().filter(|(at, _)| *at != reference);
    let of = |(target, own): (usize, &TargetCapacity)| {
        if own.uncompared(against).is_some() {
            let verdict = stats::Verdict::NotCompared;
            return Ratio { target, ratio: None, low: None, high: None, interval: false, verdict };
        }
        ratio(target, (&own.capacity, &against.capacity), by, smallest)
    };
    others.map(of).collect()
}
