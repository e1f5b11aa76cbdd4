//! When a request leaves. [`Lane`] is one target's stream of requests and what one user does with it; `closed` (goose)
//! and `native` let users loop over lanes, `order` says which lanes run at the same time.

#[cfg(feature = "goose")]
mod closed;
mod lane;
mod native;
mod order;
mod stop;

pub use lane::{Lane, LaneSetup, User, Window};
pub use order::{ColdStart, Driver, cold_starts, drive};
pub use stop::Stop;
