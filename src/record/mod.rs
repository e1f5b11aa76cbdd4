//! One request's life: [`Sample`] is the row, [`Stopwatch`] the only clock, [`log`] the
//! file rows are appended to, [`columns`] its form.

pub mod columns;
pub mod log;
mod sample;
mod stopwatch;

pub use sample::{Outcome, Phase, Sample, Stamps};
pub use stopwatch::{Nanos, Stopwatch};
