//! Whether a load fits into what this process may have: each user, or request in flight, of each target takes an open file
//! and a port. Better refused than told as failures of engines.

use super::Failure;
use crate::host;
use crate::scenario::plan::LoadPlan;
use crate::scenario::{TargetSpec, TargetSpec::GgCore, TargetSpec::Json};

/// Refuses a load that can't fit.
pub(super) fn fits<'a>(load: &LoadPlan, targets: impl Iterator<Item = &'a TargetSpec>) -> Result<(), Failure> {
    let targets: Vec<&TargetSpec> = targets.collect();
    let over_tcp = targets.iter().any(|spec| match spec {
        GgCore(_) => false,
        Json(spec) => spec.socket.is_none(),
        _ => true,
    });
    let ports = host::local_ports().filter(|_| over_tcp);
    refuse(load, targets.len() as u64, host::open_files(), ports).map_or(Ok(()), |why| Err(Failure::Usage(why)))
}

/// What doesn't fit, and what to do about it.
fn refuse(load: &LoadPlan, targets: u64, files: Option<u64>, ports: Option<u64>) -> Option<String> {
    let each = u64::from(load.concurrency());
    let (what, setting) = match load {
        LoadPlan::Closed(_) => ("users", "users"),
        LoadPlan::Open(_) => ("requests in flight", "in_flight"),
    };
    // Every target keeps its connections to the run's end, whatever the order.
    let needed = each * targets + host::OTHER_FILES;
    if let Some(files) = files.filter(|files| needed > *files) {
        return Some(format!(
            "error: {each} {what} on each of {targets} targets need {needed} open files ({} of them for loadcmp \
             itself), and the limit of this process is {files}\n  raise it with `ulimit -n {needed}` before loadcmp \
             (in a container: `--ulimit nofile={needed}`), or lower `{setting}`",
            host::OTHER_FILES
        ));
    }
    let ports = ports.filter(|ports| each > *ports)?;
    Some(format!(
        "error: {each} {what} need as many ports, and this machine has {ports} per address\n  widen \
         net.ipv4.ip_local_port_range, or lower `{setting}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Span;
    use crate::scenario::plan::{ClosedPlan, Until};

    fn users(users: u32) -> LoadPlan {
        let (think, warmup) = (Span::default(), Span::default());
        LoadPlan::Closed(ClosedPlan { users, until: Until::Requests(1), think, warmup })
    }

    #[test]
    fn what_needs_more_files_or_ports_than_there_are_is_refused() {
        let files = |n| refuse(&users(100), 2, Some(n), Some(28_232));
        assert_eq!(files(264), None);
        let why = files(263).unwrap();
        assert!(why.contains("264 open files") && why.contains("`ulimit -n 264`"), "{why}");
        assert_eq!(refuse(&users(100), 2, None, None), None, "no limit is known");
        assert!(refuse(&users(100), 2, None, Some(99)).is_some_and(|why| why.contains("ip_local_port_range")));
        assert_eq!(refuse(&users(100), 9, None, Some(100)), None, "the ports are per address");
    }
}
