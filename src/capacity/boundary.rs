//! What a search found: the most that a target sustains, and what that rests on.

use super::fit::Fit;
use super::judge::LoadVerdict;
use super::search::{By, Level};
use crate::scenario::Slo;
use serde::{Deserialize, Serialize};

/// What a capacity rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// All long probes together: its ends are a 95 % confidence interval.
    Interval,
    /// Its ends are the last load that passed and the first that failed, each by its own probes with 95 % confidence. No more
    /// is said of the boundary between them.
    Bracket,
    /// By the figures as they are; one end or both are not certain.
    #[default]
    Rough,
}

/// The most that is sustained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Boundary {
    /// The best estimate; `None` where no load passed, or none failed. Of users, the most whole number.
    pub value: Option<f64>,
    /// Lower end of the interval; else the highest load that passed with none below it that failed.
    pub low: Option<f64>,
    /// Upper end of the interval; else the lowest load that failed with none above it that passed.
    pub high: Option<f64>,
    /// The highest load that passed for sure (in an open loop with 99.9 % confidence) with none below it that failed so: what
    /// a ratio rests on where there is no interval.
    pub sure_low: Option<f64>,
    /// The lowest that failed so, with none above it that passed.
    pub sure_high: Option<f64>,
    /// What the ends are.
    pub basis: Basis,
    /// A load failed below one that passed, both certainly.
    pub contradicted: bool,
    /// Seconds of load that an interval takes; `None` where it is known, or where nothing can be said.
    pub needs_s: Option<f64>,
}

impl Boundary {
    /// Whether both ends are known.
    pub fn known(&self) -> bool {
        self.basis != Basis::Rough
    }

    /// The least and the most that the capacity may be, as far as each is certain.
    pub(super) fn ends(&self, by: By) -> (Option<f64>, Option<f64>) {
        // The first number of users that fails is no capacity any more.
        let fails = by == By::Users && self.basis != Basis::Interval;
        let (low, high) = match self.basis {
            Basis::Interval => (self.low, self.high),
            Basis::Bracket | Basis::Rough => (self.sure_low, self.sure_high),
        };
        (low, high.map(|high| if fails { (high - 1.0).max(1.0) } else { high }))
    }
}

/// The boundary, from the loads tried and what their long probes say together. `rate` is the number of requests a second that
/// the loads nearest to it had.
pub fn boundary(slo: &Slo, by: By, levels: &[Level], fit: Option<&Fit>, rate: f64) -> Boundary {
    // A short probe of an open loop ends before its queue is what it will be.
    let long = || levels.iter().filter(|level| level.long > 0 || by == By::Users);
    let (low, high, contradicted) = innermost(long().map(|level| (level.at, level.judged.certain)));
    let (sure_low, sure_high, _) = innermost(long().map(|level| (level.at, level.sure(by))));
    let whole = |at: f64| if by == By::Users { at.floor().max(1.0) } else { at };
    if let Some((fit, low, high)) = fit.filter(|fit| fit.firm).and_then(|fit| Some((fit, fit.low?, fit.high?))) {
        return Boundary {
            value: Some(whole(fit.value)),
            low: Some(whole(low)),
            high: Some(whole(high)),
            sure_low,
            sure_high,
            basis: Basis::Interval,
            contradicted,
            needs_s: None,
        };
    }
    let stands = |pass: bool| levels.iter().filter(move |level| level.leans_pass() == pass);
    let pass = stands(true).map(|l| l.at).fold(0.0, f64::max);
    let fail = stands(false).map(|l| l.at).filter(|at| *at > pass).fold(f64::INFINITY, f64::min);
    let value = (pass > 0.0 && fail.is_finite()).then(|| {
        // Inside the ends that are known.
        let held = |at: f64| at.max(low.unwrap_or(0.0)).min(high.unwrap_or(f64::INFINITY));
        if by == By::Users { whole(held(pass)) } else { (held(pass) * held(fail)).sqrt() }
    });
    let requests = fit.map(|fit| fit.requests).unwrap_or_default().max(super::fit::requests_needed(slo));
    let both = low.is_some() && high.is_some();
    Boundary {
        value,
        low,
        high,
        sure_low,
        sure_high,
        basis: if both && value.is_some() { Basis::Bracket } else { Basis::Rough },
        contradicted,
        // With the warm-up and the pauses of its probes.
        needs_s: Some(requests / rate * 1.4).filter(|s| value.is_some() && s.is_finite() && *s > 0.0),
    }
}

/// The last pass below every fail, the first fail above every pass, and whether a fail lies below a pass.
fn innermost(verdicts: impl Iterator<Item = (f64, LoadVerdict)>) -> (Option<f64>, Option<f64>, bool) {
    let all: Vec<(f64, LoadVerdict)> = verdicts.collect();
    let of = |verdict: LoadVerdict| all.iter().filter(move |(_, is)| *is == verdict).map(|(at, _)| *at);
    let most_pass = of(LoadVerdict::Pass).fold(0.0, f64::max);
    let least_fail = of(LoadVerdict::Fail).fold(f64::INFINITY, f64::min);
    let low = of(LoadVerdict::Pass).filter(|at| *at < least_fail).reduce(f64::max);
    let high = of(LoadVerdict::Fail).filter(|at| *at > most_pass).reduce(f64::min);
    (low, high, most_pass > least_fail)
}
