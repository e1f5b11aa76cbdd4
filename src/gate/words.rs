//! Gates in words.

use super::{GateOutcome, JudgedGate, Judgement, Measure};
use crate::metrics::{human, value_words};
use crate::scenario::gate::Gate;

impl JudgedGate {
    /// The figure that was judged, its interval, and where it was scaled the bound, for people: `14.8 ms (14.1–15.2)`.
    pub fn figures(&self) -> String {
        let Some(point) = self.point else { return String::new() };
        let path = Gate::parse(&self.gate).map(|gate| gate.subject.path()).unwrap_or_default();
        let show = |x: f64| match self.measure {
            Measure::Value => value_words(&path, &self.unit, x),
            Measure::Ratio => human::ratio(x),
            Measure::Difference => format!("{:+.1} pp", x * 100.0),
        };
        let mut words = match self.measure {
            Measure::Value => String::new(),
            Measure::Ratio => "ratio ".to_owned(),
            Measure::Difference => "difference ".to_owned(),
        };
        words += &show(point);
        if let (Some(low), Some(high)) = (self.low, self.high) {
            words += &format!(" ({})", human::between(&show(low), &show(high)));
        }
        match (self.unscaled, self.bound, self.measure) {
            (Some(written), Some(bound), _) => {
                words += &format!(", bound {} on this machine ({} as written)", show(bound), show(written));
            }
            (None, Some(bound), Measure::Ratio | Measure::Difference) => words += &format!(", bound {}", show(bound)),
            _ => {}
        }
        words
    }

    /// What became of it, in a line: gate, figures, reason.
    pub fn words(&self) -> String {
        let figures = self.figures();
        let reason = self.reason.as_deref().unwrap_or_default();
        let told =
            [figures.as_str(), reason].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
        if told.is_empty() { self.gate.clone() } else { format!("{}: {told}", self.gate) }
    }
}

impl Judgement {
    /// How it ended, in a sentence: `2 gates passed, 1 failed.`; `None` without gates.
    pub fn summary(&self) -> Option<String> {
        let worst = self.worst()?;
        let parts: Vec<String> = [
            (GateOutcome::Pass, "passed"),
            (GateOutcome::Fail, "failed"),
            (GateOutcome::Inconclusive, "inconclusive"),
            (GateOutcome::NotMeasured, "not measured"),
        ]
        .into_iter()
        .filter_map(|(outcome, word)| match self.count(outcome) {
            0 => None,
            n => Some(format!("{n} {word}")),
        })
        .collect();
        let all = match (worst, self.gates.len()) {
            (GateOutcome::Pass, 1) => "the gate passed".to_owned(),
            (GateOutcome::Pass, n) => format!("all {n} gates passed"),
            (_, 1) => format!("1 gate: {}", parts.join(", ")),
            (_, n) => format!("{n} gates: {}", parts.join(", ")),
        };
        Some(if self.strict { format!("{all} (strict: by the values, not their intervals)") } else { all })
    }
}
