//! Connections that are opened before the load, all of them: an engine that reads no new connection while it is at work would
//! else let the first user in, and keep the others waiting behind that one's answer.

use super::lane::{Lane, User};
use super::side::{LaneSetup, LaneTarget};
use super::stretch::Stretch;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Opens a connection for every user of the targets that need it before any clock opens. What can't be opened is tried again
/// when its user is due, and is a row then. Ends early if the run does.
pub(super) async fn open_ahead(run: &LaneSetup, sides: &[Arc<LaneTarget>]) {
    for side in sides.iter().filter(|side| side.target.opens_ahead()) {
        let lane = Arc::new(Lane::new(run.clone(), side.clone(), Stretch::whole(&run.plan, None)));
        // All before the first is given back: else it would be the next one's, too.
        let users: Vec<User> = (0..run.plan.own_concurrency()).map(|_| lane.user()).collect();
        let mut opening = JoinSet::new();
        for mut user in users.into_iter().filter(|user| !user.link.connected()) {
            let lane = lane.clone();
            opening.spawn(async move {
                let _ = lane.connect(&mut user).await;
                user
            });
        }
        let mut open = Vec::new();
        loop {
            tokio::select! {
                user = opening.join_next() => match user {
                    Some(user) => open.extend(user),
                    None => break,
                },
                () = run.stop.heard() => return,
            }
        }
    }
}
