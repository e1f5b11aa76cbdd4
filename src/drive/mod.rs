//! When a request leaves. A `lane` is one target's stream of requests, and `ask` is what a user does with its next unit;
//! `closed` (goose) and `native` let users loop over lanes, `open` lets requests go at planned instants, by a `pacer` and
//! over a `pool` of connections. `order` says which lanes run when, a `stretch` is a block's work, and a `group` runs together:
//! its windows are opened together, too.

mod ahead;
mod ask;
mod back_off;
#[cfg(feature = "goose")]
mod closed;
mod first;
mod fit;
mod gone;
mod group;
mod interrupt;
mod judge;
mod lane;
mod native;
mod open;
mod order;
mod pacer;
mod pool;
mod prefixes;
mod row;
mod side;
mod stop;
mod stretch;
mod together;
mod warm;

pub use first::{ColdStart, FirstRequest, cold_request, cold_starts};
pub use group::Driver;
pub use interrupt::Listener;
pub use judge::{Found, Judge, Said, Why};
pub use order::drive;
pub use side::LaneSetup;
pub use stop::Stop;
pub use stretch::LaneWindow;
pub use together::{MeetingPoint, Together};
