//! What an open loop's rates come to: its stages, its length, the number of requests to expect.

use super::{Length, OpenSpec, Span, StageSpec};
use std::time::Duration;

/// Arrivals of one open loop, at most: beyond it the lists alone would take a share of the memory that is measured.
pub const MOST_ARRIVALS: u64 = 10_000_000;

impl OpenSpec {
    /// A constant rate, a ramp and stages alike, as stages; none for a trace, whose instants are its own.
    pub fn as_stages(&self) -> Vec<StageSpec> {
        let duration = self.duration.and_then(Length::span).unwrap_or_default();
        match (self.rate, self.ramp, &self.stages) {
            // One that is still to be found has no requests yet.
            (Some(rate), ..) => vec![StageSpec { rate: rate.per_second().unwrap_or(0.0), from: None, duration }],
            (None, Some(ramp), _) => vec![StageSpec { rate: ramp.to, from: Some(ramp.from), duration }],
            (None, None, Some(stages)) => stages.clone(),
            (None, None, None) => Vec::new(),
        }
    }

    /// Length of the measured window; nothing for a trace.
    pub fn window(&self) -> Span {
        let add = |sum: Duration, stage: &StageSpec| sum.saturating_add(stage.duration.0);
        Span(self.as_stages().iter().fold(Duration::ZERO, add))
    }

    /// Number of requests to expect inside the measured window: the area under the rate. 0 for a trace.
    pub fn expected(&self) -> f64 {
        self.as_stages().iter().map(StageSpec::area).sum()
    }

    /// Requests a second at the window's beginning; 0 for a trace.
    pub fn first_rate(&self) -> f64 {
        let stages = self.as_stages();
        stages.iter().find(|stage| !stage.duration.0.is_zero()).map_or(0.0, StageSpec::begin)
    }
}

impl StageSpec {
    /// Requests a second at its beginning.
    pub fn begin(&self) -> f64 {
        self.from.unwrap_or(self.rate)
    }

    /// Requests to expect in it: the mean of its two rates times its length.
    pub fn area(&self) -> f64 {
        (self.begin() + self.rate) / 2.0 * self.duration.0.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::RampSpec;

    fn seconds(n: u64) -> Span {
        Span(Duration::from_secs(n))
    }

    /// An open loop of which only the rates are written.
    fn open(yaml: &str) -> OpenSpec {
        serde_json::from_str(yaml).unwrap()
    }

    #[test]
    fn a_rate_a_ramp_and_stages_come_to_length_and_number() {
        let rate = open(r#"{"rate": 20, "duration": "30s"}"#);
        assert_eq!((rate.window(), rate.expected(), rate.first_rate()), (seconds(30), 600.0, 20.0));
        let ramp = open(r#"{"ramp": {"from": 5, "to": 50}, "duration": "10s"}"#);
        assert_eq!(ramp.ramp, Some(RampSpec { from: 5.0, to: 50.0 }));
        assert_eq!((ramp.window(), ramp.expected(), ramp.first_rate()), (seconds(10), 275.0, 5.0));
        let stages = open(
            r#"{"stages": [{"rate": 9, "duration": "0s"}, {"rate": 5, "duration": "10s"},
                {"from": 10, "rate": 20, "duration": "4s"}]}"#,
        );
        assert_eq!((stages.window(), stages.expected(), stages.first_rate()), (seconds(14), 110.0, 5.0));
        let trace = open(r#"{"trace": {"path": "a.csv"}}"#);
        assert_eq!((trace.window(), trace.expected(), trace.first_rate()), (Span::default(), 0.0, 0.0));
    }

    #[test]
    fn lengths_past_all_reason_do_not_overflow() {
        let stage = r#"{"rate": 1, "duration": "5000000h"}"#;
        let stages = open(&format!(r#"{{"stages": [{}]}}"#, [stage; 3000].join(",")));
        assert!(stages.window().0.as_secs() > 0 && stages.expected() > MOST_ARRIVALS as f64);
    }
}
