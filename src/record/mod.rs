//! One request's life: [`Sample`] is the row, [`Stopwatch`] the only clock, [`log`] the
//! file rows are appended to, [`columns`] its form.

pub mod columns;
pub mod log;
mod remark;
mod sample;
mod stopwatch;

pub use remark::{Remark, Remarks};
pub use sample::{Outcome, Phase, Sample, Stamps};
pub use stopwatch::{Nanos, Stopwatch};
