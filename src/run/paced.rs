//! `rate: auto`: a look at what the targets answer, before the load's instants are drawn.

use super::{Failure, Options, say, tell};
use crate::host::signalled;
use crate::record::columns::Names;
use crate::record::rows::read_rows;
use crate::record::{Nanos, Phase};
use crate::scenario::{Loaded, Order, Rate, Scenario};
use anyhow::Context;

/// Requests that each target gets at once. More would tell an engine of many slots better, and take minutes of one that
/// answers one at a time in 18 s.
const AT_ONCE: u32 = 4;

/// Puts a rate in the place of `auto`: half of what the slower target can answer of some requests at once. The same for
/// each target, and told, so that it can be written in the next run.
pub(super) async fn found(mut loaded: Loaded, options: &Options) -> Result<Loaded, Failure> {
    if !waits(&loaded.scenario) {
        return Ok(loaded);
    }
    if !options.quiet {
        tell(format_args!(
            "loadcmp: rate: auto: measuring what the targets can answer, {AT_ONCE} requests at once to each"
        ));
    }
    let folder = tempfile::tempdir().context("creating a temporary folder for `rate: auto`")?;
    let mut look = Loaded { points: Vec::new(), ..loaded.clone() };
    look.scenario.look("look", AT_ONCE, AT_ONCE.into());
    if loaded.scenario.order == Order::Concurrent {
        look.scenario.order = Order::Concurrent;
    }
    let own =
        Options { out: Some(folder.path().join("look")), quiet: true, baseline: None, look: true, ..options.clone() };
    // A run within a run: its future has to lie on the heap.
    let looking = Box::pin(super::run_one(look, &own));
    let finished = tokio::select! {
        biased;
        // What it has seen so far is no rate, and no figure of a report: nothing is waited for.
        _ = signalled(0) => {
            let told = "loadcmp: interrupted while the rate was measured: nothing was saved";
            return Err(Failure::Interrupted(told.to_owned()));
        }
        finished = looking => finished?,
    };
    let plan = &finished.report.plan;
    let mut seen: Vec<FirstLook> = plan.targets.iter().map(|_| FirstLook::default()).collect();
    read_rows(&finished.dir, &Names::of(plan), |row| {
        if let (Phase::Measure, Some(seen)) = (row.phase, seen.get_mut(row.target)) {
            seen.add(row.outcome.answered(), row.stamps.sent, row.stamps.end);
        }
    })?;
    let mut rates = Vec::new();
    for (seen, target) in seen.iter().zip(&plan.targets) {
        let Some(rate) = seen.per_second() else {
            return Err(Failure::Target(format!(
                "error: `{}` answered none of {AT_ONCE} requests, so `rate: auto` finds no rate\n  set one, such as \
                 `--set load.open.rate=0.5`",
                target.name
            )));
        };
        rates.push((target.name.clone(), rate));
    }
    let least = rates.iter().map(|(_, rate)| *rate).fold(f64::INFINITY, f64::min);
    let rate = Rate::found(least);
    if !options.quiet {
        let each: Vec<String> = rates.iter().map(|(name, rate)| format!("{name} {rate:.3}/s")).collect();
        let most = if rate == Rate::MOST { ", the maximum" } else { "" };
        tell(say::wrapped(&format!(
            "loadcmp: rate: auto is {rate}/s: half of what the slower target can answer{most} ({})",
            each.join(", ")
        )));
    }
    put(&mut loaded.scenario, rate)?;
    Ok(loaded)
}

/// Whether a scenario's rate is still to be found.
pub(super) fn waits(scenario: &Scenario) -> bool {
    scenario.load.open.as_ref().is_some_and(|open| open.rate == Some(Rate::Auto))
}

fn put(scenario: &mut Scenario, rate: f64) -> Result<(), Failure> {
    let blocks = if scenario.order == Order::Alternate { scenario.blocks.unwrap_or_default().pairs } else { 1 };
    let open =
        scenario.load.open.iter_mut().chain(scenario.shown.iter_mut().filter_map(|shown| shown.load.open.as_mut()));
    for open in open {
        open.rate = Some(Rate::Of(rate));
        if open.expected() < f64::from(blocks) {
            return Err(Failure::Usage(format!(
                "error: `rate: auto` is {rate}/s, and {} at that rate gives too few requests for {blocks} blocks\n \
                 use a longer `duration`, or fewer `blocks.pairs`",
                open.window()
            )));
        }
    }
    Ok(())
}

/// What a target answered in the look.
#[derive(Default)]
struct FirstLook {
    answers: u32,
    from: Option<Nanos>,
    to: Option<Nanos>,
}

impl FirstLook {
    fn add(&mut self, answered: bool, sent: Option<Nanos>, end: Option<Nanos>) {
        self.answers += u32::from(answered);
        self.from = self.from.into_iter().chain(sent).min();
        self.to = self.to.into_iter().chain(end).max();
    }

    /// Answers a second; `None` where there was none.
    fn per_second(&self) -> Option<f64> {
        let took = self.to?.since(self.from?).seconds();
        (self.answers > 0 && took > 0.0).then(|| f64::from(self.answers) / took)
    }
}
