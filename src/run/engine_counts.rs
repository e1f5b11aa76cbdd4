//! What engines count themselves, before the load and after it: a second ruler, which the audit holds to the first.

use crate::host::lock;
use crate::report::Manifest;
use crate::scenario::plan::{Counted, Plan};
use crate::target::discover::counts;
use std::sync::Mutex;
use std::time::Duration;
use tokio::task::JoinSet;

/// Longest wait for an engine's word before the load: nothing is under way then.
const BEFORE: Duration = Duration::from_secs(5);

/// And after it, where it may still be at an answer that nobody waits for.
const AFTER: Duration = Duration::from_secs(10);

/// What each engine had counted before the load; `None` for those that don't count.
pub(super) struct Counting(Vec<Option<(u64, f64)>>);

impl Counting {
    /// Asks the engines before the load.
    pub(super) async fn begin(plan: &Plan) -> Self {
        // Streams are in nobody's count.
        Self(asked(plan, BEFORE, |_| !plan.workload.stream).await)
    }

    /// Asks them again, and keeps what they counted meanwhile.
    pub(super) async fn end(&self, plan: &Plan, manifest: &Mutex<Manifest>) {
        let counted = |at: usize| self.0.get(at).copied().flatten();
        let after = asked(plan, AFTER, |at| counted(at).is_some()).await;
        for (at, after) in after.into_iter().enumerate() {
            let (Some(before), Some(after)) = (counted(at), after) else { continue };
            if let Some(target) = lock(manifest).plan.targets.get_mut(at) {
                target.facts.counted = between(before, after);
            }
        }
    }
}

/// What the engines of the targets at these places have counted, all asked at once.
async fn asked(plan: &Plan, patience: Duration, wanted: impl Fn(usize) -> bool) -> Vec<Option<(u64, f64)>> {
    let mut all = vec![None; plan.targets.len()];
    let mut asking = JoinSet::new();
    for (at, target) in plan.targets.iter().cloned().enumerate().filter(|(at, _)| wanted(*at)) {
        asking.spawn(async move { (at, counts(&target, patience).await) });
    }
    while let Some(told) = asking.join_next().await {
        if let Ok((at, told)) = told
            && let Some(place) = all.get_mut(at)
        {
            *place = told;
        }
    }
    all
}

/// What was counted between two words, each a number and a mean; `None` where the second is of an engine that began anew.
fn between((n, mean): (u64, f64), (m, all): (u64, f64)) -> Option<Counted> {
    let requests = m.checked_sub(n)?;
    let sum = all * m as f64 - mean * n as f64;
    let mean_ms = if requests == 0 { 0.0 } else { (sum / requests as f64).max(0.0) };
    Some(Counted { requests, mean_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_before_is_taken_off() {
        let told = between((10, 50.0), (30, 150.0)).unwrap();
        assert_eq!((told.requests, told.mean_ms), (20, 200.0));
        assert_eq!(between((3, 1.0), (3, 1.0)).map(|told| told.requests), Some(0));
        assert_eq!(between((10, 50.0), (2, 1.0)), None);
    }
}
