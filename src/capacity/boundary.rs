//! What a search found: the most that a target sustains, and what that rests on.

use super::fit::Fit;
use super::judge::Verdict;
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
        (self.low, self.high.map(|high| if fails { (high - 1.0).max(1.0) } else { high }))
    }
}

/// The boundary, from the loads tried and what their long probes say together. `rate` is the number of requests a second that
/// the loads nearest to it had.
pub fn boundary(slo: &Slo, by: By, levels: &[Level], fit: Option<&Fit>, rate: f64) -> Boundary {
    let certain = |verdict: Verdict| levels.iter().filter(move |l| l.judged.certain == verdict).map(|l| l.at);
    let most_pass = certain(Verdict::Pass).fold(0.0, f64::max);
    let least_fail = certain(Verdict::Fail).fold(f64::INFINITY, f64::min);
    let contradicted = most_pass > least_fail;
    let whole = |at: f64| if by == By::Users { at.floor().max(1.0) } else { at };
    if let Some((fit, low, high)) = fit.filter(|fit| fit.firm).and_then(|fit| Some((fit, fit.low?, fit.high?))) {
        return Boundary {
            value: Some(whole(fit.value)),
            low: Some(whole(low)),
            high: Some(whole(high)),
            basis: Basis::Interval,
            contradicted,
            needs_s: None,
        };
    }
    let low = certain(Verdict::Pass).filter(|at| *at < least_fail).fold(0.0, f64::max);
    let high = certain(Verdict::Fail).filter(|at| *at > most_pass).fold(f64::INFINITY, f64::min);
    let stands = |pass: bool| levels.iter().filter(move |level| level.leans_pass() == pass);
    let pass = stands(true).map(|l| l.at).fold(0.0, f64::max);
    let fail = stands(false).map(|l| l.at).filter(|at| *at > pass).fold(f64::INFINITY, f64::min);
    let value = (pass > 0.0 && fail.is_finite()).then(|| {
        // Inside the ends that are known.
        let held = |at: f64| at.max(low).min(high);
        if by == By::Users { whole(held(pass)) } else { (held(pass) * held(fail)).sqrt() }
    });
    let requests = fit.map(|fit| fit.requests).unwrap_or_default().max(super::fit::requests_needed(slo));
    let both = low > 0.0 && high.is_finite();
    Boundary {
        value,
        low: Some(low).filter(|low| *low > 0.0),
        high: Some(high).filter(|high| high.is_finite()),
        basis: if both && value.is_some() { Basis::Bracket } else { Basis::Rough },
        contradicted,
        // With the warm-up and the pauses of its probes.
        needs_s: Some(requests / rate * 1.4).filter(|s| value.is_some() && s.is_finite() && *s > 0.0),
    }
}
