//! How arrivals lie around a rate: processes of unit rate, drawn from a seed.

use crate::scenario::{Arrivals as Kind, OpenSpec};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Gamma};
use std::time::Duration;

/// The law of the gaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Law {
    /// Gaps of one.
    Constant,
    /// Exponential gaps.
    Poisson,
    /// Gamma gaps of this shape.
    Gamma(f64),
    /// Poisson instants, at each of which `size` requests begin to leave, `gap` apart.
    Bursts { size: u32, gap: Duration },
}

impl Law {
    /// The law an open loop asks for; the error is a sentence.
    pub fn of(spec: &OpenSpec) -> Result<Self, String> {
        match (spec.arrivals, spec.burstiness, spec.burst) {
            (Kind::Constant, ..) => Ok(Law::Constant),
            (Kind::Poisson, ..) => Ok(Law::Poisson),
            (Kind::Gamma, Some(shape), _) => Ok(Law::Gamma(shape)),
            (Kind::Gamma, None, _) => Err("`gamma` arrivals need `burstiness`".to_owned()),
            (Kind::Bursts, _, Some(burst)) => Ok(Law::Bursts { size: burst.size, gap: burst.gap.0 }),
            (Kind::Bursts, _, None) => Err("`bursts` need `burst`".to_owned()),
        }
    }

    /// Calls `each` with the points of a process of one request per unit, in order, until it says that is enough.
    ///
    /// A point of `Bursts` is a whole burst, so those lie `size` apart. The first gap of `Gamma` is drawn from the
    /// gap's equilibrium distribution, a length-biased gap times a uniform share of it, so that the window opens on a
    /// stream that has always run and the expected number is exactly rate times time (Cox, *Renewal Theory*, 1962,
    /// section 5.2). A gap's length-biased gamma of shape k is the one of shape k + 1.
    pub fn points(self, rng: &mut impl Rng, mut each: impl FnMut(f64) -> bool) -> Result<(), String> {
        let gamma = |shape: f64, scale: f64| Gamma::new(shape, scale).map_err(|error| format!("`burstiness`: {error}"));
        match self {
            Law::Constant => run(0.0, || 1.0, &mut each),
            Law::Poisson => run(exponential(rng), || exponential(rng), &mut each),
            Law::Gamma(shape) => {
                let (biased, gap) = (gamma(shape + 1.0, 1.0 / shape)?, gamma(shape, 1.0 / shape)?);
                let first = biased.sample(rng) * rng.random::<f64>();
                run(first, || gap.sample(rng), &mut each);
            }
            Law::Bursts { size, .. } => {
                let size = f64::from(size);
                run(size * exponential(rng), || size * exponential(rng), &mut each);
            }
        }
        Ok(())
    }
}

fn run(first: f64, mut gap: impl FnMut() -> f64, each: &mut impl FnMut(f64) -> bool) {
    let mut at = first;
    while each(at) {
        at += gap();
    }
}

/// An exponential gap of mean one, by inversion: one draw a gap, and the stream is fixed by this line.
fn exponential(rng: &mut impl Rng) -> f64 {
    -(1.0 - rng.random::<f64>()).ln()
}
