//! Baselines for the terminal: a list, and one with its fingerprint and reasons.

use super::draw::{Look, print, wrapped};
use super::lines::engine_words;
use crate::baseline::{BaselineFile, KeptBaseline};
use crate::report::human;
use std::io::{self, Write};

/// A row a baseline.
pub fn baselines(found: &[BaselineFile], look: Look, out: &mut dyn Write) -> io::Result<()> {
    let header = ["baseline", "scenario", "run of", "engines", "reason"].map(str::to_owned).to_vec();
    let row = |found: &BaselineFile| {
        let name = human::printable(&found.name);
        let kept = match &found.kept {
            Ok(kept) => kept,
            Err(why) => return vec![name, "–".to_owned(), "–".to_owned(), "–".to_owned(), format!("damaged: {why}")],
        };
        let engine = |target: &crate::scenario::plan::TargetPlan| {
            let version = target.facts.version.as_deref().unwrap_or("?");
            let engine = target.facts.engine.as_deref().unwrap_or(target.wire());
            human::printable(&format!("{}: {engine} {version}", target.label()))
        };
        let engines: Vec<String> = kept.report.plan.targets.iter().map(engine).collect();
        let reason = kept.log.last().map(|entry| human::printable(&entry.reason)).unwrap_or_default();
        vec![name, human::printable(&kept.report.plan.name), kept.told(), engines.join(", "), reason]
    };
    print(header, found.iter().map(row).collect(), 0, look, out)
}

/// The fingerprint of one, and why it was kept: above its report.
pub fn kept(kept: &KeptBaseline, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    let (plan, machine) = (&kept.report.plan, &kept.report.machine);
    let mut told = vec![
        if kept.nights.runs.len() > 1 { kept.told() } else { format!("run of {}", kept.told()) },
        format!("workload {:.16}…, seed {}", plan.workload.hash, plan.seed),
        format!("{}; order {}", kept.report.load_words(), crate::scenario::yaml_word(&plan.order)),
    ];
    told.extend(plan.targets.iter().map(|target| format!("{}: {}", target.label(), engine_words(target))));
    let cores = machine.logical_cores.map(|n| format!("{n} logical cores"));
    let machine = [machine.cpu.clone(), cores, machine.memory_bytes.map(human::bytes), machine.kernel.clone()];
    told.push(format!("machine: {}", machine.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    if let Some(probe) = &kept.report.probe {
        told.push(format!(
            "probed: {:.0} million rounds/s, {:.1} GB/s",
            probe.rounds_per_s / 1e6,
            probe.bytes_per_s / 1e9
        ));
    }
    told.extend(kept.log.iter().map(|entry| format!("saved {}: {}", entry.saved, entry.reason)));
    told.iter().try_for_each(|words| wrapped(out, words, width, "  "))?;
    writeln!(out)
}
