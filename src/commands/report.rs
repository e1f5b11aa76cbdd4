//! `loadcmp report`, and what exit code a run has.

use super::{CommandResult, capacity, look, print, repeats::tell_repeats, suite, sweep::tell_sweep};
use crate::ReportArgs;
use loadcmp::gate::{GateOutcome, Judgement};
use loadcmp::report::human::printable;
use loadcmp::report::{Cause, Report, Unfinished};
use loadcmp::run::{Finished, tell};
use loadcmp::sink;

pub(crate) fn report(args: ReportArgs) -> CommandResult {
    if loadcmp::run::is_sweep(&args.dir) {
        return tell_sweep(&loadcmp::run::retell_sweep(&args.dir)?, args.format, false);
    }
    if loadcmp::run::is_repeats(&args.dir) {
        return tell_repeats(&loadcmp::run::retell_repeats(&args.dir)?, args.format, false);
    }
    if loadcmp::run::is_suite(&args.dir) {
        return suite::again(&args.dir, args.format);
    }
    if loadcmp::run::is_search(&args.dir) {
        return capacity::again(&args);
    }
    let finished = loadcmp::run::retell(&args.dir)?;
    print(&finished, args.format, sink::Look { confusion: args.confusion, full: args.full, ..look() }, false)?;
    Ok(standing_of(&finished))
}

/// The exit code of a run; of an interference measurement, which is two, the first's that isn't whole, else the one's that it
/// is about.
pub(super) fn standing_of(finished: &Finished) -> u8 {
    let unfinished = finished.reports().find(|report| report.unfinished.is_some());
    standing(unfinished.unwrap_or(&finished.report))
}

/// The exit code of a result, and a line that says why it isn't 0.
pub(super) fn standing(report: &Report) -> u8 {
    // What failed by its own count did so whatever the rest is worth.
    if report.judgement.as_ref().and_then(Judgement::worst) == Some(GateOutcome::Fail)
        && (report.unfinished.is_some() || !report.invalid().is_empty())
    {
        judged(report);
    }
    if let Some(Unfinished { cause, .. }) = &report.unfinished {
        return match cause {
            Cause::Refused(why) => {
                tell(format_args!("error: {}", printable(why)));
                3
            }
            Cause::NotAsked(why) | Cause::Shard(why) => {
                tell(format_args!("error: {}", printable(why)));
                4
            }
            Cause::Signal | Cause::Killed => {
                tell("loadcmp: interrupted: the files hold what was done so far");
                4
            }
        };
    }
    let invalid = report.invalid();
    let Some(first) = invalid.first() else { return judged(report) };
    let more = match invalid.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    tell(format_args!("loadcmp: invalid: {}{more}", printable(&first.sentence)));
    4
}

/// The exit code of the gates, and a line that says why it isn't 0.
fn judged(report: &Report) -> u8 {
    let Some(judgement) = &report.judgement else { return 0 };
    let code = judgement.code(report.plan.gates.inconclusive);
    if code != 0 {
        tell(format_args!("loadcmp: {}", judgement.summary().unwrap_or_default()));
    }
    code
}
