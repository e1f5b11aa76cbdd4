//! How long a suite takes, as it is told before and on the way, and which of its scenarios there is time for.

use super::cost::{Cost, fit};
use super::{ScenarioRun, ScenarioState, Suite};
use crate::report::human::{length, lengths};

/// Share of the time left that is planned with: engines are not as even as two requests make them look.
const PLANNED: f64 = 0.9;

/// Seconds for which what was expected is believed against what scenarios then took.
const PRIOR_S: f64 = 10.0;

/// What becomes of a scenario when its turn comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// It is run, with its load cut to this share.
    Run(f64),
    /// There is no time for it, and why.
    Skip(String),
}

/// What the scenarios of a suite are expected to take, and what those that ran have taken.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// By scenario; `None` where only the engines know.
    costs: Vec<Option<Cost>>,
    /// Of those that ran, the seconds that their engines were expected to decide, and those that they did.
    ran: (f64, f64),
}

/// What there is time for, of what is left.
struct Fitted {
    /// The share that loads are cut to.
    share: f64,
    /// The places of the scenarios that fit, and of those that don't even at their least.
    kept: Vec<usize>,
    dropped: Vec<usize>,
}

impl Schedule {
    /// Writes into the suite what each scenario is expected to take.
    pub fn new(suite: &mut Suite, cost: impl Fn(&str) -> Option<Cost>) -> Self {
        let costs: Vec<Option<Cost>> = suite
            .scenarios
            .iter_mut()
            .map(|scenario| {
                let cost = cost(&scenario.name).filter(|_| scenario.state != ScenarioState::Done)?;
                scenario.expected_s = Some(crate::stats::tidy(cost.seconds(1.0, 1.0)));
                Some(cost)
            })
            .collect();
        Self { costs, ran: (0.0, 0.0) }
    }

    /// How many times as long as expected engines have taken so far.
    fn factor(&self) -> f64 {
        (self.ran.1 + PRIOR_S) / (self.ran.0 + PRIOR_S)
    }

    /// The places of the scenarios from one on that have yet to be run, and whose length is known.
    fn left(&self, suite: &Suite, from: usize) -> Vec<usize> {
        let waits = |at: &usize| suite.scenarios[*at].state == ScenarioState::Planned && self.costs[*at].is_some();
        (from..suite.scenarios.len()).filter(waits).collect()
    }

    fn costs_of(&self, places: &[usize]) -> Vec<Cost> {
        places.iter().filter_map(|at| self.costs[*at].clone()).collect()
    }

    /// Seconds that a scenario is expected to take with its load cut to a share.
    pub fn expected(&self, at: usize, share: f64) -> Option<f64> {
        self.costs.get(at)?.as_ref().map(|cost| crate::stats::tidy(cost.seconds(share, self.factor())))
    }

    /// What becomes of a scenario whose turn has come, `spent` seconds after the beginning. A short form is cut until what is left
    /// of it fits; a long one is driven as it is written, and what wouldn't end in time is not begun.
    pub fn turn(&self, suite: &Suite, at: usize, spent: f64) -> Turn {
        let Some(budget) = suite.budget_s else { return Turn::Run(1.0) };
        let (left, whole) = ((budget - spent).max(0.0), length(budget));
        let Some(cost) = self.costs.get(at).and_then(Option::as_ref) else {
            let none = || Turn::Skip(format!("no time of {whole} was left for it"));
            return if left > 0.0 { Turn::Run(1.0) } else { none() };
        };
        let skip = |needed: f64, least: &str| {
            let needed = length(needed);
            Turn::Skip(format!("it takes about {needed}{least}, and {} of {whole} were left for it", length(left)))
        };
        if !suite.quick {
            let needed = cost.seconds(1.0, self.factor());
            return if needed > left { skip(needed, "") } else { Turn::Run(1.0) };
        }
        let Fitted { share, dropped, .. } = self.fitted(suite, at, spent);
        if dropped.contains(&at) { skip(cost.seconds(0.0, self.factor()), " at least") } else { Turn::Run(share) }
    }

    /// A scenario has ended that was cut to a share.
    pub fn ended(&mut self, scenario: &ScenarioRun, at: usize, share: f64, took: f64) {
        // What one that failed took says nothing of others.
        let cost = self.costs.get(at).and_then(Option::as_ref).filter(|_| scenario.state == ScenarioState::Done);
        let Some((timed, guessed)) = cost.map(|cost| cost.parted(share)) else { return };
        self.ran = (self.ran.0 + guessed, self.ran.1 + (took - timed).max(0.0));
    }

    /// What a load that was cut says of itself.
    pub fn cut_words(&self, suite: &Suite, words: &str) -> String {
        let within = suite.budget_s.map(length).unwrap_or_default();
        format!("{words}, to end within {within}")
    }

    /// What a short form has time for from a scenario on, `spent` seconds after the beginning; a long one is not cut.
    fn fitted(&self, suite: &Suite, from: usize, spent: f64) -> Fitted {
        let places = self.left(suite, from);
        let Some(budget) = suite.budget_s.filter(|_| suite.quick) else {
            return Fitted { share: 1.0, kept: places, dropped: Vec::new() };
        };
        let left = (budget - spent).max(0.0);
        let (share, dropped) = fit(&self.costs_of(&places), left * PLANNED, self.factor());
        let dropped: Vec<usize> = dropped.into_iter().map(|place| places[place]).collect();
        Fitted { share, kept: places.into_iter().filter(|at| !dropped.contains(at)).collect(), dropped }
    }

    /// How long what is left from a scenario on takes, each cut to a share, and how many of them nobody knows.
    fn words_left(&self, suite: &Suite, from: usize, share: f64, spent: f64) -> (String, usize) {
        let Fitted { kept, dropped, .. } = self.fitted(suite, from, spent);
        let waiting = suite.scenarios.iter().skip(from).filter(|scenario| scenario.state == ScenarioState::Planned);
        (self.words(&kept, share, self.factor()), waiting.count() - kept.len() - dropped.len())
    }

    /// How long some scenarios take.
    fn words(&self, places: &[usize], share: f64, factor: f64) -> String {
        let all = self.costs_of(places);
        let ranges = all.iter().map(|cost| cost.range(share, factor));
        let (least, most) = ranges.fold((0.0, 0.0), |sum, range| (sum.0 + range.0, sum.1 + range.1));
        lengths(least, most)
    }

    /// How long all of it takes, and by what that is known: a line each.
    pub fn announce(&self, suite: &Suite) -> Vec<String> {
        let done = suite.scenarios.iter().filter(|scenario| scenario.state == ScenarioState::Done).count();
        let Fitted { share, kept, dropped } = self.fitted(suite, 0, 0.0);
        let unknown = suite.scenarios.len() - done - kept.len() - dropped.len();
        let mut words = format!(
            "loadcmp: suite {}: {} scenarios, about {}",
            suite.name,
            suite.scenarios.len() - done,
            self.words(&kept, share, 1.0)
        );
        if unknown > 0 {
            words += &format!(" and {unknown} of unknown length, whose engines gave no answer");
        }
        if done > 0 {
            words += &format!("; {done} were already done");
        }
        if let Some(budget) = suite.budget_s {
            words += &format!(", within {}", length(budget));
        }
        let mut lines = vec![words];
        if suite.quick && share < 1.0 {
            let all = self.costs_of(&[kept, dropped.clone()].concat());
            let whole: f64 = all.iter().map(|cost| cost.seconds(1.0, 1.0)).sum();
            let dropped = match dropped.len() {
                0 => String::new(),
                n => format!("; {n} of them still don't fit and are skipped"),
            };
            lines.push(format!(
                "loadcmp:   everything would take about {}: loads are shortened{dropped}",
                length(whole)
            ));
        }
        if !suite.paces.is_empty() {
            let paces: Vec<String> = suite.paces.iter().map(super::Pace::told).collect();
            lines.push(format!("loadcmp:   from a short and a long request to each engine: {}", paces.join("; ")));
        }
        lines
    }

    /// A scenario whose turn has come: how long it takes, what is done, what is left.
    pub fn turn_words(&self, suite: &Suite, at: usize, share: f64, spent: f64) -> String {
        let scenario = &suite.scenarios[at];
        let known = scenario.expected_s.is_some();
        let expected =
            if known { format!(", about {}", self.words(&[at], share, self.factor())) } else { String::new() };
        let cut = scenario.cut.as_ref().map(|cut| format!(" ({cut})")).unwrap_or_default();
        let mut words = format!("loadcmp: {} of {}: {}{expected}{cut}", at + 1, suite.scenarios.len(), scenario.name);
        let (left, unknown) = self.words_left(suite, at, share, spent);
        if at > 0 {
            let more = if unknown > 0 { " or more" } else { "" };
            words += &format!("; {} done, about {left}{more} left", length(spent));
        }
        words
    }
}
