//! `loadcmp merge`, and what `--shard` asks of a run.

use super::report::standing_of;
use super::{CommandResult, Failure, look, print};
use crate::{MergeArgs, PartArgs};
use loadcmp::report::{Report, Unfinished};
use loadcmp::run::{Finished, ShardOptions, ShardStart, tell};
use loadcmp::scenario::{Shard, Span};
use loadcmp::sink;

pub(crate) fn merge(args: &MergeArgs) -> CommandResult {
    let finished = loadcmp::run::merge(&args.dirs, &args.out, args.samples.packed())?;
    print(&finished, args.format, sink::Look { full: args.full, ..look() }, false)?;
    Ok(standing_of(&finished))
}

impl PartArgs {
    /// Which generator of several a run is; `None` where it is alone.
    pub(crate) fn shard(&self) -> Result<Option<ShardOptions>, Failure> {
        let wrong = |why: String| Failure::Usage(format!("error: --shard: {why}"));
        let Some(text) = &self.shard else {
            return Ok(None);
        };
        let shard = Shard::read(text, |name| std::env::var(name).ok()).map_err(wrong)?;
        let start = match (&self.rendezvous, &self.start_at) {
            (Some(address), _) => ShardStart::Meet(address.clone()),
            (None, Some(at)) => {
                ShardStart::at(at).map_err(|why| Failure::Usage(format!("error: --start-at: {why}")))?
            }
            (None, None) => {
                let why = "shards have to start together: add --rendezvous HOST:PORT, or --start-at TIME where there is no network";
                return Err(wrong(why.to_owned()));
            }
        };
        let no_time =
            || Failure::Usage(format!("error: --shard-wait {}: write a time, such as 30s or 5m", self.shard_wait));
        let wait = Span::parse(&self.shard_wait).ok_or_else(no_time)?;
        Ok(Some(ShardOptions { shard, start, wait }))
    }
}

/// What is said of a part of a run, which is no result by itself, and its exit code; `None` of a whole run.
pub(super) fn of_a_part(finished: &Finished) -> Option<u8> {
    let Report { plan, targets, unfinished, .. } = &finished.report;
    let shard = plan.shard?;
    let counts: Vec<String> = targets.iter().map(|target| format!("{} {}", target.name, target.requests())).collect();
    let next = if unfinished.is_some() { "" } else { "; `loadcmp merge` makes the result" };
    tell(format_args!(
        "loadcmp: {shard}: {} requests ({}), in {}{next}",
        targets.iter().map(|target| target.requests()).sum::<u64>(),
        counts.join(", "),
        finished.dir.display()
    ));
    let Some(Unfinished { sentence, .. }) = unfinished else {
        return Some(0);
    };
    tell(format_args!("error: {sentence}"));
    Some(4)
}
