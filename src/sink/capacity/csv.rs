//! `capacity.csv`: one row a probe, in the order they were made.

use super::super::csv_text::{number, text};
use crate::capacity::{By, Capacity, Shown};
use crate::scenario::{Measure, Slo};
use std::io::{self, Write};

/// Writes it.
pub fn capacity_csv(capacity: &Capacity, out: &mut dyn Write) -> io::Result<()> {
    let settings = &capacity.settings;
    let limits = Slo::parse(&settings.slo).map(|slo| slo.limits).unwrap_or_default();
    let mut csv = csv::Writer::from_writer(out);
    let asked = match settings.reach.by {
        By::Rate => "asked_per_s",
        By::Users => "asked_users",
    };
    let mut header: Vec<String> = [
        "target",
        "stand_in",
        "step",
        "folder",
        asked,
        "window_s",
        "requests",
        "failed",
        "achieved_per_s",
        "goodput_per_s",
        "long",
        "verdict",
        "reason",
        "over_saturated",
        "generator",
    ]
    .map(str::to_owned)
    .to_vec();
    for limit in &limits {
        let unit = match limit.measure {
            Measure::TokensPerS => "_tokens_per_s",
            Measure::Errors | Measure::Goodput => "_share",
            _ => "_us",
        };
        header.extend(["", "_low", "_high"].map(|end| format!("{}{unit}{end}", limit.subject())));
        header.push(format!("{}_n_eff", limit.subject()));
    }
    csv.write_record(&header)?;
    for target in &capacity.targets {
        for probe in &target.probes {
            let evidence = &probe.evidence;
            let mut row = vec![
                text(&target.searched.name).into_owned(),
                target.searched.stand_in.to_string(),
                probe.step.to_string(),
                text(&probe.folder).into_owned(),
                probe.asked.to_string(),
                evidence.seconds.to_string(),
                evidence.requests.to_string(),
                evidence.failed.to_string(),
                number(Some(evidence.achieved_per_s)),
                number(Some(evidence.goodput_per_s)),
                probe.long.to_string(),
                probe.verdict.as_str().to_owned(),
                text(&probe.reason).into_owned(),
                probe.over_saturated.to_string(),
                text(evidence.generator.as_deref().unwrap_or_default()).into_owned(),
            ];
            for at in 0..limits.len() {
                let shown = evidence.shown.get(at);
                let of = |of: fn(&Shown) -> Option<f64>| number(shown.and_then(of));
                row.extend([of(|s| s.value), of(|s| s.low), of(|s| s.high)]);
                row.push(of(|s| Some(s.n_eff).filter(|_| s.n > 0)));
            }
            csv.write_record(&row)?;
        }
    }
    csv.flush()
}
