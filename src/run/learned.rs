//! What engines tell once their models are loaded: asked between the first requests and the load, and kept in the manifest.

use crate::host::lock;
use crate::report::Manifest;
use crate::scenario::plan::{Plan, TargetPlan};
use crate::target::discover::{settings, settings_at_first};
use std::sync::Mutex;
use tokio::task::JoinSet;

/// Asks every target for its facts again, all at once, and keeps what they tell. An engine that tells nothing keeps those it
/// had.
pub(super) async fn learn(plan: &Plan, manifest: &Mutex<Manifest>) {
    let mut asked = JoinSet::new();
    for (at, target) in plan.targets.iter().cloned().enumerate() {
        let shared = is_shared(plan, &target);
        asked.spawn(
            async move { (at, if shared { settings_at_first(&target).await } else { settings(&target).await }) },
        );
    }
    while let Some(told) = asked.join_next().await {
        let Ok((at, facts)) = told else { continue };
        if let Some(target) = lock(manifest).plan.targets.get_mut(at) {
            target.facts.learn(facts);
            // The manifest is written; an engine may repeat what it was sent.
            target.facts.scrub();
        }
    }
}

/// Whether another target asks the same server for the same model: how it is loaded now may be how that one asks for it.
fn is_shared(plan: &Plan, target: &TargetPlan) -> bool {
    target.same_as.is_some() || plan.targets.iter().any(|other| other.same_as.as_ref() == Some(&target.name))
}
