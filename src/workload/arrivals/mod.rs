//! When requests leave in an open loop: instants built before the run, the same for every target.
//!
//! Pure and seeded. Points of a process of unit rate (`law`) are mapped through the inverse of the cumulative rate
//! (`rate`), or come from a record (`trace`). Each purpose has a ChaCha8 stream of its own, so that no list depends on
//! how long another is, nor on the order of the prompts.

mod law;
#[cfg(test)]
mod properties;
mod rate;
mod trace;

pub use trace::Trace;

use crate::record::Nanos;
use crate::scenario::{MOST_ARRIVALS, OpenSpec, Span, StageSpec};
use law::Law;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rate::Rate;
use sha2::{Digest, Sha256};

/// Streams of the seed; 0 and 1 are the prompts'. A block's warm-up has the one after `WARMUP` by its number.
const MEASURE: u64 = 16;
const WARMUP: u64 = 17;

/// The instants of an open loop, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    /// Before the measured window: offsets from the lane's start, below the length of the warm-up.
    warmup: Vec<Nanos>,
    /// Inside it: offsets from the window's opening, below its length. Place `n` is unit `first + n` of the measured phase.
    measure: Vec<Nanos>,
    /// Place of the first measured arrival in the whole run's list.
    first: u64,
    law: Law,
    /// `None` where the instants are recorded or given: then a stretch's rate is its number over its length.
    rate: Option<Rate>,
    seed: u64,
}

impl Arrivals {
    /// Builds the instants of an open loop from the seed; of a trace, from what was recorded. The error is a sentence.
    ///
    /// Measured arrivals lie in [0, window); the warm-up's in [0, warm-up), at the rate that the window begins with (a
    /// trace's: its mean rate, Poisson). A burst that begins inside a window and reaches past its end is cut there.
    pub fn build(spec: &OpenSpec, trace: Option<&Trace>, seed: u64) -> Result<Self, String> {
        let mut arrivals = match trace {
            Some(trace) => Self { seed, ..Self::at(Vec::new(), trace.offsets().to_vec()) },
            None => {
                let rate = Rate::new(&spec.as_stages());
                allowed(spec.expected() + spec.first_rate() * spec.warmup.0.as_secs_f64())?;
                let law = Law::of(spec)?;
                let measure = draw(law, &rate, spec.window(), seed, MEASURE)?;
                Self { warmup: Vec::new(), measure, first: 0, law, rate: Some(rate), seed }
            }
        };
        if arrivals.measure.is_empty() {
            return Err("no request falls into the measured window; increase the rate or the duration".to_owned());
        }
        let whole = trace.map_or_else(|| spec.window(), Trace::duration);
        let rate = arrivals.rate_of(0, whole.0.into(), arrivals.measure.len());
        arrivals.warmup = arrivals.warming(rate, spec.warmup, WARMUP)?;
        Ok(arrivals)
    }

    /// Arrivals at known instants; each list must be in order.
    pub fn at(warmup: Vec<Nanos>, measure: Vec<Nanos>) -> Self {
        Self { warmup, measure, first: 0, law: Law::Poisson, rate: None, seed: 0 }
    }

    /// Offsets of the warm-up's arrivals from the lane's start.
    pub fn warmup(&self) -> &[Nanos] {
        &self.warmup
    }

    /// Offsets of the measured arrivals from the window's opening.
    pub fn measure(&self) -> &[Nanos] {
        &self.measure
    }

    /// Place of the first measured arrival in the whole run's list: 0, but for a block.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Hash of all the instants: 64 hex digits. Equal hash, equal departures.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new_with_prefix("loadcmp arrivals 1");
        for list in [&self.warmup, &self.measure] {
            hasher.update((list.len() as u64).to_le_bytes());
            list.iter().for_each(|at| hasher.update(at.0.to_le_bytes()));
        }
        super::hex(&hasher.finalize())
    }

    /// Where block `block` of `of` equal stretches of a window of this length begins and ends, from the whole window's
    /// opening. The stretches follow each other without a gap.
    pub fn stretch(block: u32, of: u32, duration: Span) -> (Nanos, Nanos) {
        let whole = u128::from(Nanos::from(duration.0).0);
        let edge = |number: u32| Nanos((whole * u128::from(number) / u128::from(of.max(1))) as u64);
        (edge(block), edge(block.saturating_add(1)))
    }

    /// The measured arrivals of block `block` (from 0) of `of` equal stretches of the window, shifted to a window of the
    /// block's own, behind a warm-up of its own at the rate that the stretch begins with. The blocks together are the
    /// whole list. The error is a sentence.
    pub fn block(&self, block: u32, of: u32, warmup: Span, duration: Span) -> Result<Self, String> {
        let (from, to) = Self::stretch(block, of, duration);
        let place = |edge: Nanos| self.measure.partition_point(|at| *at < edge);
        let (first, end) = (place(from), place(to));
        let measure: Vec<Nanos> = self.measure[first..end].iter().map(|at| at.since(from)).collect();
        let rate = self.rate_of(from.0, to.since(from), measure.len());
        let warmup = self.warming(rate, warmup, WARMUP + 1 + u64::from(block))?;
        Ok(Self { warmup, measure, first: self.first + first as u64, rate: self.rate.clone(), ..*self })
    }

    /// Requests a second at the beginning of a stretch that has `count` arrivals.
    fn rate_of(&self, from: u64, length: Nanos, count: usize) -> f64 {
        match &self.rate {
            Some(rate) => rate.at(Nanos(from).seconds()),
            None => count as f64 / length.seconds().max(1e-9),
        }
    }

    /// A warm-up at a constant rate.
    fn warming(&self, rate: f64, length: Span, stream: u64) -> Result<Vec<Nanos>, String> {
        let stage = StageSpec { rate, from: None, duration: length };
        allowed(stage.area())?;
        draw(self.law, &Rate::new(&[stage]), length, self.seed, stream)
    }
}

/// Whether so many arrivals may be drawn.
fn allowed(expected: f64) -> Result<(), String> {
    match expected <= MOST_ARRIVALS as f64 {
        true => Ok(()),
        false => Err(format!("about {expected:.0} requests would be planned; the limit is {MOST_ARRIVALS}")),
    }
}

/// Draws the arrivals of a window: in order, all of them inside it.
fn draw(law: Law, rate: &Rate, window: Span, seed: u64, stream: u64) -> Result<Vec<Nanos>, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let (size, gap) = match law {
        Law::Bursts { size, gap } => (size, Nanos::from(gap).0),
        _ => (1, 0),
    };
    let end = Nanos::from(window.0);
    let mut drawn = Vec::new();
    law.points(&mut rng, |point| {
        let Some(seconds) = rate.instant(point) else { return false };
        let begin = Nanos((seconds * 1e9).round() as u64);
        let burst = (0..u64::from(size)).map(|n| begin + Nanos(gap.saturating_mul(n)));
        drawn.extend(burst.take_while(|at| *at < end));
        true
    })?;
    // Bursts may overlap.
    drawn.sort_unstable();
    Ok(drawn)
}
