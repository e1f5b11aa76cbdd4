//! One request's life: [`Sample`] is the row, [`Stopwatch`] the only clock, [`log`] the
//! file rows are appended to, [`columns`] its form, [`rows`] what reads it, [`lines`] what a merge copies, [`answers`] the file of texts.

pub mod answers;
mod chain;
pub mod columns;
pub mod dictionary;
pub mod lines;
pub mod log;
mod opened;
mod prefix;
mod remark;
pub mod rows;
mod sample;
mod sheet;
mod stopwatch;
pub mod zst;

pub use chain::chain;
pub use opened::Opened;
pub use prefix::PrefixUse;
pub use remark::{Remark, Remarks};
pub use sample::{Details, FIRST_REQUESTS, GONE, OWN_LIMIT, Outcome, Phase, Sample, Stamps};
pub use stopwatch::{Nanos, Stopwatch};
