//! Whether a load was sustained: every limit kept, and no queue that grows. Said at two strengths, and not at all where the
//! evidence doesn't carry it.

use super::effective::effective_n;
use super::evidence::{ProbeEvidence, Shown};
use crate::scenario::{Figure, Limit, Measure, Slo};
use crate::stats::{t_quantile, wilson_at};
use serde::{Deserialize, Serialize};

/// What a load came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadVerdict {
    /// Every limit was kept.
    #[serde(rename = "pass")]
    Pass,
    /// A limit was broken, or the queue grew.
    #[serde(rename = "fail")]
    Fail,
    /// The evidence shows neither. Earlier versions wrote "can't tell".
    #[serde(rename = "undecided", alias = "can't tell")]
    CantTell,
}

impl LoadVerdict {
    /// The words in `capacity.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            LoadVerdict::Pass => "pass",
            LoadVerdict::Fail => "fail",
            LoadVerdict::CantTell => "undecided",
        }
    }
}

/// The judgement of all probes of one load together.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedLoad {
    /// With 95 % confidence: 2.5 % given away at each side.
    pub certain: LoadVerdict,
    /// With 99.9 %: where the space between two such verdicts stands for an interval.
    pub plain: LoadVerdict,
    /// With 80 % to one side: enough to look further in that direction.
    pub likely: LoadVerdict,
    /// By the figures as they are.
    pub leans_pass: bool,
    /// Why.
    pub reason: String,
    /// The queue grew from the probe's beginning to its end: more came than was answered.
    pub over_saturated: bool,
    /// It would be a failure, but for what the audit says against the generator.
    pub generator: Option<String>,
    /// A limit is on what wasn't measured at all.
    pub unmeasured: Option<String>,
}

/// Reach of an interval in standard errors, and its one-sided probability.
#[derive(Clone, Copy)]
struct Strength {
    z: f64,
    one_sided: f64,
}

const CERTAIN: Strength = Strength { z: 1.959_963_984_540_054, one_sided: 0.975 };
const PLAIN: Strength = Strength { z: 3.290_526_731_491_926, one_sided: 0.9995 };
const LIKELY: Strength = Strength { z: 0.841_621_233_572_914_3, one_sided: 0.8 };

/// Least share of the requests by which a queue has to grow to count as growing.
const GROWTH: f64 = 0.005;

/// Judges all probes of one load together. `open` says that requests left on schedule, so that a queue can grow without end.
pub fn judge(slo: &Slo, probes: &[&ProbeEvidence], open: bool) -> JudgedLoad {
    let generator = probes.iter().find_map(|probe| probe.generator.clone());
    let pooled = |limit: usize, from_sent: bool| {
        let mut pooled =
            pool(probes.iter().filter_map(|p| if from_sent { &p.from_sent } else { &p.shown }.get(limit)))?;
        // Together they are worth more than the sum: more clusters show how large clusters are.
        if slo.limits[limit].figure != Figure::Mean && !from_sent {
            let series: Vec<&[f32]> =
                probes.iter().filter_map(|probe| probe.series.get(limit)).map(Vec::as_slice).collect();
            pooled.n_eff = effective_n(&slo.limits[limit], &series);
        }
        Some(pooled)
    };
    let all_pooled: Vec<[Option<Shown>; 2]> =
        (0..slo.limits.len()).map(|at| [pooled(at, false), pooled(at, true)]).collect();
    let pooled = |limit: usize, from_sent: bool| all_pooled[limit][usize::from(from_sent)].clone();
    let answered: u64 = probes.iter().map(|probe| probe.requests.saturating_sub(probe.failed + probe.unfinished)).sum();
    let unmeasured = slo.limits.iter().enumerate().find(|(at, limit)| {
        let values = pooled(*at, false).is_none_or(|shown| shown.value.is_none() && !shown.infinite);
        limit.of_each() && answered > 0 && values
    });
    let unsent: u64 = probes.iter().map(|probe| probe.unsent).sum();
    let saturated = open && saturated(probes);
    let limits = |strength: Strength| -> Vec<LoadVerdict> {
        let one = |(at, limit): (usize, &Limit)| {
            let verdict = verdict(limit, pooled(at, false).as_ref(), strength);
            // A failure has to be one without the generator's lateness, too.
            let excused = generator.is_some() && verdict == LoadVerdict::Fail;
            if excused { verdict_of_fail(limit, pooled(at, true).as_ref(), strength) } else { verdict }
        };
        slo.limits.iter().enumerate().map(one).collect()
    };
    let all = |strength: Strength| {
        let limits = limits(strength);
        if saturated || limits.contains(&LoadVerdict::Fail) {
            LoadVerdict::Fail
        } else if limits.iter().all(|v| *v == LoadVerdict::Pass) && !(open && grows(probes, LIKELY)) {
            LoadVerdict::Pass
        } else {
            LoadVerdict::CantTell
        }
    };
    let leans =
        |at: usize, limit: &Limit| pooled(at, false).is_some_and(|shown| counted(limit, shown.x) <= allowed(limit));
    let leans_pass = !saturated && slo.limits.iter().enumerate().all(|(at, limit)| leans(at, limit));
    let (certain, likely) = (all(CERTAIN), all(LIKELY));
    let excused = generator.clone().filter(|_| !leans_pass && certain == LoadVerdict::CantTell);
    let broken = limits(CERTAIN).iter().position(|v| *v == LoadVerdict::Fail);
    let reason = if let Some((_, limit)) = unmeasured {
        format!("{} was not measured", limit.subject())
    } else if unsent > 0 && open {
        format!("{unsent} requests were not sent: the limit of requests in flight was reached")
    } else if let Some(at) = broken {
        broken_words(&slo.limits[at], pooled(at, false).as_ref())
    } else if saturated {
        "more requests came in than were answered, and the queue grew".to_owned()
    } else if certain == LoadVerdict::Pass {
        "every limit was met".to_owned()
    } else if let Some(why) = &excused {
        why.clone()
    } else {
        let open_ones = limits(CERTAIN);
        let near = slo.limits.iter().zip(&open_ones).find(|(_, v)| **v == LoadVerdict::CantTell);
        near.map_or_else(
            || "the queue may be growing".to_owned(),
            |(limit, _)| format!("too few requests to decide {}", limit.subject()),
        )
    };
    JudgedLoad {
        certain,
        plain: all(PLAIN),
        likely,
        leans_pass,
        reason,
        over_saturated: saturated,
        generator: excused,
        unmeasured: unmeasured.map(|(_, limit)| limit.subject().to_owned()),
    }
}

/// What is held against [`allowed`]: a mean that has to be high is counted downward, so that less is better for all.
fn counted(limit: &Limit, x: f64) -> f64 {
    if limit.figure == Figure::Mean && !limit.measure.at_most() { -x } else { x }
}

/// The share of requests that may break a limit; of a limit on a mean, the limit.
pub(super) fn allowed(limit: &Limit) -> f64 {
    match (limit.figure, limit.measure.at_most()) {
        (Figure::Mean, true) | (Figure::Share, true) => limit.bound,
        (Figure::Mean, false) => -limit.bound,
        (Figure::Share, false) => 1.0 - limit.bound,
        (Figure::Quantile(q), true) => 1.0 - q,
        (Figure::Quantile(q), false) => q,
    }
}

/// One limit's verdict: a percentile is kept if the share beyond the limit is at most what the percentile leaves, which is a
/// proportion and has Wilson's interval whatever the distribution; a mean has Student's t.
fn verdict(limit: &Limit, shown: Option<&Shown>, strength: Strength) -> LoadVerdict {
    let Some(shown) = shown.filter(|shown| shown.n > 0) else { return LoadVerdict::CantTell };
    let ends = match limit.figure {
        Figure::Mean => {
            let t = t_quantile(strength.one_sided, shown.n_eff - 1.0).filter(|_| shown.n_eff >= 2.0);
            let x = counted(limit, shown.x);
            t.map(|t| t * shown.sd / shown.n_eff.sqrt()).map(|half| (x - half, x + half))
        }
        _ => wilson_at(strength.z, shown.x, shown.n_eff),
    };
    // Rounding of 1 - 0.95 and the like.
    let slack = 1e-12;
    // That errors stay below 1 % is certain only after 380 requests without any: what was counted has to do. More than is
    // allowed has to be certain, as everywhere.
    if limit.measure == Measure::Errors && shown.x <= allowed(limit) + slack {
        return LoadVerdict::Pass;
    }
    match ends {
        Some((_, high)) if high <= allowed(limit) + slack => LoadVerdict::Pass,
        Some((low, _)) if low > allowed(limit) + slack => LoadVerdict::Fail,
        _ => LoadVerdict::CantTell,
    }
}

/// A failure, if it is one by these figures, too; else it can't be told.
fn verdict_of_fail(limit: &Limit, shown: Option<&Shown>, strength: Strength) -> LoadVerdict {
    if verdict(limit, shown, strength) == LoadVerdict::Fail { LoadVerdict::Fail } else { LoadVerdict::CantTell }
}

/// Several probes of one load as one.
fn pool<'a>(probes: impl Iterator<Item = &'a Shown>) -> Option<Shown> {
    let probes: Vec<&Shown> = probes.filter(|shown| shown.n > 0).collect();
    let n: u64 = probes.iter().map(|shown| shown.n).sum();
    if n == 0 {
        return None;
    }
    let over = |of: &dyn Fn(&Shown) -> f64| probes.iter().map(|s| s.n as f64 * of(s)).sum::<f64>() / n as f64;
    let x = over(&|s| s.x);
    Some(Shown {
        n,
        n_eff: probes.iter().map(|shown| shown.n_eff).sum(),
        x,
        sd: over(&|s| s.sd.powi(2) + (s.x - x).powi(2)).sqrt(),
        value: probes.iter().find_map(|shown| shown.value),
        infinite: probes.iter().any(|shown| shown.infinite),
        ..Shown::default()
    })
}

/// Whether more came than was answered: requests were not sent, for as many were in flight as may be, or the queue grew.
pub(super) fn saturated(probes: &[&ProbeEvidence]) -> bool {
    probes.iter().any(|probe| probe.unsent > 0) || grows(probes, CERTAIN)
}

/// Whether the queue grows: its growth from stretch to stretch is above zero on average (one-sided t over all stretches), and
/// by enough to matter. Under a load that is sustained its growth is undone again and again, which makes the test cautious.
fn grows(probes: &[&ProbeEvidence], strength: Strength) -> bool {
    let steps: Vec<f64> = probes
        .iter()
        .flat_map(|probe| probe.queue.iter().zip(std::iter::once(&0.0).chain(&probe.queue)).map(|(to, from)| to - from))
        .collect();
    let requests: u64 = probes.iter().map(|probe| probe.requests).sum();
    let (k, sum) = (steps.len() as f64, steps.iter().sum::<f64>());
    if steps.len() < 6 || sum <= GROWTH * requests as f64 || sum < 2.0 {
        return false;
    }
    let mean = sum / k;
    let error = (steps.iter().map(|step| (step - mean).powi(2)).sum::<f64>() / (k - 1.0) / k).sqrt();
    t_quantile(strength.one_sided, k - 1.0).is_some_and(|t| mean > t * error)
}

fn broken_words(limit: &Limit, shown: Option<&Shown>) -> String {
    match (limit.figure, shown) {
        (Figure::Mean, _) | (_, None) => format!("{} is beyond its limit", limit.subject()),
        (_, Some(shown)) => {
            let percent = |x: f64| format!("{:.1} %", x * 100.0);
            format!(
                "{}: {} of requests are beyond the limit, {} is allowed",
                limit.subject(),
                percent(shown.x),
                percent(allowed(limit))
            )
        }
    }
}
