//! Whether there are samples enough for what is told of them.

use super::AuditInputs;
use super::judge::{Check, Judge};
use crate::stats::LEAST_N;

pub(super) const CHECKS: [(&str, Check); 1] = [("few-samples", few_samples)];

fn few_samples(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    // Fewer than two is `no-answers`.
    for side in evidence.sides().filter(|side| side.summary.answered() >= 2) {
        let answered = side.summary.answered();
        if (answered as f64) < judge.limit {
            let without: Vec<String> = LEAST_N
                .iter()
                .filter(|(_, least)| answered < *least)
                .map(|(q, least)| format!("p{} needs {least}", (q * 1000.0).round() / 10.0))
                .collect();
            let sentence = format!(
                "{} has {answered} answers, too few for the requested percentiles ({}).",
                side.name(),
                without.join(", ")
            );
            judge.find(Some(side.at), sentence, &[("answers", answered.to_string())]);
        }
    }
}
