//! A closed loop of our own: one task a user. It does what goose's scheduler does for us and nothing more; a test
//! holds the two to the same requests.

use super::lane::Lane;
use std::sync::Arc;

/// Drives the lanes at the same time, `users` on each, until all are done.
pub(super) async fn run(lanes: &[Arc<Lane>], users: u32, start: impl Fn() + Send + Sync + 'static) {
    start();
    let mut tasks = tokio::task::JoinSet::new();
    // User by user over the lanes, so that no target gets all of its users first.
    for _ in 0..users {
        for lane in lanes {
            let lane = lane.clone();
            tasks.spawn(async move {
                let mut user = lane.user();
                while lane.step(&mut user).await {
                    // An answer that was ready at once must not keep the other users from theirs.
                    tokio::task::consume_budget().await;
                }
            });
        }
    }
    while tasks.join_next().await.is_some() {}
}
