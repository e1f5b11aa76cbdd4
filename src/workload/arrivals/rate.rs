//! A rate that changes over time, and the instants that belong to a count: time rescaling.

use crate::scenario::StageSpec;

/// A rate in requests a second, made of pieces in which it changes evenly.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    /// Seconds from the window's opening.
    start: f64,
    /// Seconds.
    length: f64,
    /// Requests a second at its beginning.
    from: f64,
    /// What the rate grows by in a second.
    slope: f64,
    /// Requests to expect up to its beginning, and up to its end.
    before: f64,
    after: f64,
}

impl Rate {
    /// The stages one after another; those of no length are left out.
    pub fn new(stages: &[StageSpec]) -> Self {
        let (mut start, mut before) = (0.0, 0.0);
        let mut pieces = Vec::new();
        for stage in stages.iter().filter(|stage| !stage.duration.0.is_zero()) {
            let (length, after) = (stage.duration.0.as_secs_f64(), before + stage.area());
            let slope = (stage.rate - stage.begin()) / length;
            pieces.push(Piece { start, length, from: stage.begin(), slope, before, after });
            (start, before) = (start + length, after);
        }
        Self { pieces }
    }

    /// Requests a second at `seconds`; where two pieces meet, the later one's. 0 outside.
    pub fn at(&self, seconds: f64) -> f64 {
        let piece = self.pieces.iter().find(|piece| seconds < piece.start + piece.length);
        piece.map_or(0.0, |piece| piece.from + piece.slope * (seconds - piece.start))
    }

    /// The instant, in seconds, up to which `count` requests are to be expected: the inverse of the cumulative rate.
    /// `None` from the whole window's number on.
    ///
    /// A process of unit rate whose points are mapped through it has this rate (the time-rescaling theorem; Çinlar,
    /// *Introduction to Stochastic Processes*, 1975, section 4.7; for renewal processes Gerhardt and Nelson,
    /// "Transforming renewal processes for simulation of nonstationary arrival processes", 2009).
    pub fn instant(&self, count: f64) -> Option<f64> {
        let piece = self.pieces.get(self.pieces.partition_point(|piece| piece.after <= count))?;
        let part = count - piece.before;
        if part <= 0.0 {
            return Some(piece.start);
        }
        // The root of from·t + slope·t²/2 = part, in the form that loses no digits where the slope is small.
        let root = (piece.from * piece.from + 2.0 * piece.slope * part).max(0.0).sqrt();
        Some(piece.start + (2.0 * part / (piece.from + root)).min(piece.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Span;
    use proptest::prelude::*;
    use std::time::Duration;

    fn stage(from: f64, rate: f64, millis: u64) -> StageSpec {
        StageSpec { rate, from: Some(from), duration: Span(Duration::from_millis(millis)) }
    }

    #[test]
    fn instants_of_a_rate_a_ramp_and_stages_by_hand() {
        let constant = Rate::new(&[stage(20.0, 20.0, 30_000)]);
        assert_eq!([0.0, 1.0, 599.0, 600.0].map(|n| constant.instant(n)), [Some(0.0), Some(0.05), Some(29.95), None]);
        // t² = count, over four seconds.
        let ramp = Rate::new(&[stage(0.0, 8.0, 4000)]);
        assert_eq!([0.0, 1.0, 4.0, 9.0].map(|n| ramp.instant(n)), [0.0, 1.0, 2.0, 3.0].map(Some));
        // From 8 down to 0: 8t - t².
        let down = Rate::new(&[stage(8.0, 0.0, 4000)]);
        assert_eq!([7.0, 12.0, 15.0].map(|n| down.instant(n)), [1.0, 2.0, 3.0].map(Some));
        // Ten a second, a second of silence, nothing long, twenty a second.
        let stages =
            Rate::new(&[stage(10.0, 10.0, 1000), stage(0.0, 0.0, 1000), stage(5.0, 5.0, 0), stage(20.0, 20.0, 1000)]);
        assert_eq!([9.0, 10.0, 12.0, 30.0].map(|n| stages.instant(n)), [Some(0.9), Some(2.0), Some(2.1), None]);
        assert_eq!(Rate::default().instant(0.0), None);
    }

    #[test]
    fn the_rate_at_an_instant() {
        let rate = Rate::new(&[stage(10.0, 10.0, 1000), stage(0.0, 8.0, 4000)]);
        assert_eq!([0.0, 0.5, 1.0, 2.0, 4.5, 5.0].map(|t| rate.at(t)), [10.0, 10.0, 0.0, 2.0, 7.0, 0.0]);
    }

    proptest! {
        #[test]
        fn the_inverse_is_the_inverse(stages in proptest::collection::vec((0.0..50.0, 0.0..50.0, 1..5000u64), 1..5),
                                      share in 0.0..1.0) {
            let stages: Vec<StageSpec> = stages.into_iter().map(|(from, to, ms)| stage(from, to, ms)).collect();
            let rate = Rate::new(&stages);
            let whole: f64 = stages.iter().map(StageSpec::area).sum();
            let count = share * whole;
            prop_assert_eq!(rate.instant(whole + 1e-9), None);
            if let Some(t) = rate.instant(count) {
                // The area up to t, by the trapezoids of each stage.
                let (mut start, mut area) = (0.0, 0.0);
                for stage in &stages {
                    let length = stage.duration.0.as_secs_f64();
                    let within = (t - start).clamp(0.0, length);
                    let end = stage.begin() + (stage.rate - stage.begin()) * within / length;
                    area += (stage.begin() + end) / 2.0 * within;
                    start += length;
                }
                prop_assert!((area - count).abs() < 1e-6 * (1.0 + whole), "{area} for {count}, at {t}");
            }
        }
    }
}
