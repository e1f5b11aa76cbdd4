//! Which runs may stand in one line, and what two that do differ in.

use super::document::Differs;
use super::entry::RunEntry;
use crate::report::{Difference, Kind, differences};

/// Why a run's figures can't stand beside those of another, as of a target; `None` if they can. What changes an engine's work
/// begins another line; what one follows a line for (versions, models) and what changes by the way (an address, the length)
/// does not.
pub(super) fn unlike(entry: &RunEntry, anchor: &RunEntry, target: &str) -> Option<String> {
    let stand_in = |entry: &RunEntry| entry.target(target).map(|(target, _)| target.stand_in);
    match (stand_in(entry), stand_in(anchor)) {
        (Some(true), Some(false)) => return Some("a stand-in answered, not a real engine".to_owned()),
        (Some(false), Some(true)) => return Some("a real engine answered, not a stand-in".to_owned()),
        _ => {}
    }
    let apart = |one: &Difference| one.is_known() && matches!(one.kind, Kind::Asked | Kind::Setup | Kind::Machine);
    let first = of_runs(entry, anchor).into_iter().find(apart)?;
    let unlike = &first.unlike;
    let what = match (first.kind, &first.target) {
        (Kind::Machine, _) => format!("another machine: {}", unlike.what),
        (_, Some(of)) if of != target => format!("another {} of {of}:", unlike.what),
        _ if unlike.what == "targets" => "other targets:".to_owned(),
        _ => format!("another {}:", unlike.what),
    };
    Some(format!("{what} {} vs {}", unlike.first, unlike.second))
}

/// What differs between two runs that stand beside each other in a line: the target's own first.
pub(super) fn differs(before: &RunEntry, after: &RunEntry, target: &str) -> Vec<Differs> {
    let mut all = of_runs(before, after);
    all.sort_by_key(|one| match &one.target {
        Some(of) if of == target => 0,
        Some(_) => 1,
        None => 2,
    });
    let told = |one: Difference| {
        let what = match one.unlike.what.as_str() {
            "version" => "engine version",
            "length" => "length of the load",
            what => what,
        };
        let what = match one.target.filter(|of| of != target) {
            Some(of) => format!("{what} of {of}"),
            None => what.to_owned(),
        };
        Differs { what, before: one.unlike.first, after: one.unlike.second }
    };
    all.into_iter().map(told).collect()
}

fn of_runs(first: &RunEntry, second: &RunEntry) -> Vec<Difference> {
    differences((&first.plan, &first.machine, &first.tool), (&second.plan, &second.machine, &second.tool))
}
