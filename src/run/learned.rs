//! What engines tell once their models are loaded: asked between the first requests and the load, and kept in the manifest.

use super::lock;
use crate::report::Manifest;
use crate::scenario::plan::Plan;
use crate::target::discover::settings;
use std::sync::Mutex;
use tokio::task::JoinSet;

/// Asks every target for its facts again, all at once, and keeps what they tell. An engine that tells nothing keeps those it
/// had.
pub(super) async fn learn(plan: &Plan, manifest: &Mutex<Manifest>) {
    let mut asked = JoinSet::new();
    for (at, target) in plan.targets.iter().cloned().enumerate() {
        asked.spawn(async move { (at, settings(&target).await) });
    }
    while let Some(told) = asked.join_next().await {
        let Ok((at, facts)) = told else { continue };
        if let Some(target) = lock(manifest).plan.targets.get_mut(at) {
            target.facts.learn(facts);
        }
    }
}
