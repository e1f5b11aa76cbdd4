//! Recorded instants.

use crate::record::Nanos;
use crate::scenario::Span;
use std::time::Duration;

/// Longest that a trace may take: a column of milliseconds that is read as seconds is found by it.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Recorded departures, as they will be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    offsets: Vec<Nanos>,
    duration: Span,
}

impl Trace {
    /// Takes recorded instants, in seconds from any beginning and in any order: they are sorted, the first of them becomes
    /// the window's opening, and the rest follows at `speed` times the recorded speed. The error is a sentence.
    pub fn new(mut seconds: Vec<f64>, speed: f64) -> Result<Self, String> {
        seconds.sort_by(f64::total_cmp);
        let (Some(first), Some(last)) = (seconds.first().copied(), seconds.last().copied()) else {
            return Err("it has no times".to_owned());
        };
        let span = (last - first) / speed;
        if span.is_nan() || span > LONGEST.as_secs_f64() {
            let days = LONGEST.as_secs() / (24 * 3600);
            return Err(format!(
                "the trace would take {span:.0} s; the limit is {days} days. Are its times in seconds?"
            ));
        }
        let offsets: Vec<Nanos> = seconds.iter().map(|at| Nanos(((at - first) / speed * 1e9).round() as u64)).collect();
        let last = offsets.last().map_or(0, |last| last.0);
        Ok(Self { duration: Span(Duration::from_nanos(window(last, offsets.len() as u64))), offsets })
    }

    /// The departures, from the window's opening.
    pub fn offsets(&self) -> &[Nanos] {
        &self.offsets
    }

    /// Length of the measured window: a mean gap longer than the last departure, so that the number over the length is
    /// the recorded rate.
    pub fn duration(&self) -> Span {
        self.duration
    }
}

/// Nanoseconds of a window for `count` departures, the last of them at `last`; a second where they are all at once.
fn window(last: u64, count: u64) -> u64 {
    match last {
        0 => 1_000_000_000,
        last => last + (last / count.saturating_sub(1).max(1)).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(seconds: &[f64], speed: f64) -> (Vec<u64>, u64) {
        let trace = Trace::new(seconds.to_vec(), speed).unwrap();
        (trace.offsets().iter().map(|at| at.0).collect(), trace.duration().0.as_nanos() as u64)
    }

    #[test]
    fn instants_are_sorted_and_begin_at_the_opening() {
        assert_eq!(trace(&[103.0, 100.0, 101.5], 1.0), (vec![0, 1_500_000_000, 3_000_000_000], 4_500_000_000));
        assert_eq!(trace(&[-3.0, -6.0, -4.5], 2.0), (vec![0, 750_000_000, 1_500_000_000], 2_250_000_000));
        assert_eq!(trace(&[7.0], 1.0), (vec![0], 1_000_000_000));
        assert_eq!(trace(&[7.0, 7.0], 1.0), (vec![0, 0], 1_000_000_000));
        let close = trace(&[0.0, 0.0, 0.0, 1e-9], 1.0);
        assert_eq!(close, (vec![0, 0, 0, 1], 2), "the last departure lies inside the window");
    }

    #[test]
    fn what_is_no_trace_is_told() {
        assert!(Trace::new(Vec::new(), 1.0).unwrap_err().contains("no times"));
        let month = 30.0 * 24.0 * 3600.0;
        assert!(Trace::new(vec![0.0, month], 1.0).is_ok());
        let error = Trace::new(vec![0.0, month + 1.0], 1.0).unwrap_err();
        assert!(
            error.contains("2592001 s") && error.contains("30 days") && error.contains("Are its times in seconds?")
        );
        assert!(Trace::new(vec![0.0, month + 1.0], 2.0).is_ok(), "the limit is of the replay");
        assert!(Trace::new(vec![-1e308, 1e308], 1.0).is_err());
    }
}
