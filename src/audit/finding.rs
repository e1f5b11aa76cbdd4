//! A finding: what a rule says, and on what it rests.

use super::{Severity, Unit};
use crate::metrics::human;
use serde::{Deserialize, Serialize};

/// An audit finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// The rule's id.
    pub id: String,
    /// Its severity.
    pub severity: Severity,
    /// Position of the target it concerns; `None` where it concerns all, or the run.
    pub target: Option<usize>,
    /// What was found, in a sentence.
    pub sentence: String,
    /// The evidence: values with names and units.
    pub evidence: Vec<(String, String)>,
    /// The threshold, if the rule has one.
    pub threshold: Option<String>,
}

impl Finding {
    /// The evidence in one line: `lag p99 4.2 ms, median latency 12 ms`.
    pub fn evidence_words(&self) -> String {
        self.evidence.iter().map(|(what, value)| format!("{what} {value}")).collect::<Vec<_>>().join(", ")
    }
}

/// A threshold in words: `20 %`, `1.00 ms`, `20 answers`.
pub fn threshold_words(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{} %", trimmed(value * 100.0)),
        Unit::Time => human::time(value),
        Unit::Number(of) => format!("{} {of}", trimmed(value)),
    }
}

/// At most three decimals, and no zeros at the end.
fn trimmed(x: f64) -> String {
    ((x * 1e3).round() / 1e3).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_told_in_peoples_units() {
        for (value, unit, words) in [
            (0.2, Unit::Share, "20 %"),
            (0.001, Unit::Share, "0.1 %"),
            (1000.0, Unit::Time, "1.00 ms"),
            (20.0, Unit::Number("answers"), "20 answers"),
        ] {
            assert_eq!(threshold_words(value, unit), words);
        }
    }

    #[test]
    fn evidence_is_told_in_one_line() {
        let evidence = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2 ms".to_owned())];
        let severity = Severity::Note;
        let finding =
            Finding { id: String::new(), severity, target: None, sentence: String::new(), evidence, threshold: None };
        assert_eq!(finding.evidence_words(), "a 1, b 2 ms");
    }
}
