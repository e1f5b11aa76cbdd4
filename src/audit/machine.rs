//! How the machine fared meanwhile.

use super::judge::{Check, Judge};
use super::{AuditInputs, AuditedTarget};
use crate::metrics::human::{self, percent, three, time};
use crate::scenario::Order;

pub(super) const CHECKS: [(&str, Check); 8] = [
    ("same-host", same_host),
    ("different-cores", different_cores),
    ("clock-jump", clock_jump),
    ("cpu-frequency", cpu_frequency),
    ("swapping", swapping),
    ("swap-in-use", swap_in_use),
    ("other-load", other_load),
    ("stolen-time", stolen_time),
];

fn same_host(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let targets = &evidence.plan.targets;
    let here = targets.iter().filter(|target| target.endpoint.is_here()).count();
    if evidence.plan.order != Order::Concurrent || here < 2 {
        return;
    }
    let cores = evidence.conditions.map(|conditions| conditions.target_cores.as_slice()).unwrap_or_default();
    let took: Vec<(String, String)> = targets
        .iter()
        .zip(cores)
        .filter_map(|(target, cores)| Some((target.label(), format!("{} cores", three((*cores)?)))))
        .collect();
    let words = took.iter().map(|(name, cores)| format!("{name} {cores}")).collect::<Vec<_>>().join(", ");
    let took_words = if words.is_empty() { String::new() } else { format!(" They used: {words}.") };
    let sentence = format!("{here} targets share the machine that sends the load and compete for it.{took_words}");
    let figures: Vec<(&str, String)> = took.iter().map(|(name, cores)| (name.as_str(), cores.clone())).collect();
    judge.find(None, sentence, &figures);
}

/// A difference below this many cores is no setting's.
const LEAST_CORES: f64 = 0.5;

/// Cores that each side used while it had something to do: one that is asked less than it could answer rests between.
fn different_cores(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let cores = evidence.conditions.map(|conditions| conditions.target_cores.as_slice()).unwrap_or_default();
    let at_work = |side: &AuditedTarget<'_>| {
        let target =
            evidence.plan.targets.get(side.at).filter(|target| target.endpoint.is_here() && !target.stand_in)?;
        let used = cores.get(side.at).copied().flatten()?;
        // Little's law: below one request in flight on average, so much of the time has none. Those that failed kept it at
        // work, too.
        let (busy, span) = (side.gathered.in_flight_s, side.gathered.span_s());
        (busy > 0.0 && span > 0.0).then(|| (target.label(), used / (busy / span).min(1.0)))
    };
    for (side, reference) in evidence.pairs() {
        let (Some((name, a)), Some((other, b))) = (at_work(&side), at_work(&reference)) else { continue };
        if (a - b).abs() < LEAST_CORES || a.max(b) < judge.limit * a.min(b) {
            continue;
        }
        let sentence = format!(
            "While busy, {name} used {} cores and {other} {}: threads, batches or a GPU are set differently, or one \
             engine waits for something. Set the same number of threads on both sides (docs/fair-setup.md).",
            three(a),
            three(b)
        );
        judge.find(Some(side.at), sentence, &[("cores", three(a)), ("reference", three(b))]);
    }
}

fn clock_jump(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let Some(jump) = evidence.conditions.and_then(|conditions| conditions.clock_jump_s).map(|s| s.abs() * 1e6) else {
        return;
    };
    if jump > judge.limit {
        let sentence = format!("The machine's clock jumped by {}: it was set, or the machine slept.", time(jump));
        judge.find(None, sentence, &[("jump", time(jump))]);
    }
}

fn cpu_frequency(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let Some((low, high)) = evidence.conditions.and_then(|conditions| conditions.frequency_mhz) else { return };
    if low < high * (1.0 - judge.limit) {
        let sentence = format!(
            "The CPU frequency ranged from {low:.0} to {high:.0} MHz (heat, power saving): which target was measured \
             at which is chance."
        );
        judge.find(None, sentence, &[("lowest", format!("{low:.0} MHz")), ("highest", format!("{high:.0} MHz"))]);
    }
}

const MIB: f64 = 1_048_576.0;

fn swapping(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let Some(bytes) = evidence.conditions.and_then(|conditions| conditions.swapped_bytes) else { return };
    if bytes as f64 > judge.limit * MIB {
        let moved = human::bytes(bytes);
        let sentence = format!("{moved} of memory were swapped during the run: times include the disk.");
        judge.find(None, sentence, &[("swapped", moved)]);
    }
}

fn swap_in_use(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let Some(bytes) = evidence.conditions.and_then(|conditions| conditions.swap_bytes) else { return };
    if bytes as f64 > judge.limit * MIB {
        let used = human::bytes(bytes);
        judge.find(None, format!("{used} of swap are in use: memory is or was short."), &[("swap", used)]);
    }
}

/// Processor time, in seconds, that is no finding however short the window: the kernel counts in hundredths of a second.
const TICKS_S: f64 = 0.1;

/// The least cores that a share of the machine's comes to in the measured window.
fn least_cores(evidence: &AuditInputs<'_>, share: f64) -> f64 {
    share.max(evidence.window_s().filter(|s| *s > 0.0).map_or(0.0, |s| TICKS_S / s))
}

fn stolen_time(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let Some(conditions) = evidence.conditions else { return };
    let (Some(stolen), Some(cores)) = (conditions.stolen_cores, conditions.machine_cores.or(conditions.cores)) else {
        return;
    };
    if stolen > least_cores(evidence, judge.limit * cores) {
        let told = percent(stolen / cores);
        let sentence = format!("The hypervisor gave {told} of this machine's CPU time to other guests (steal).");
        judge.find(None, sentence, &[("stolen", told)]);
    }
}

fn other_load(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let Some(conditions) = evidence.conditions else { return };
    let Some(cores) = conditions.machine_cores.or(conditions.cores) else { return };
    let least = least_cores(evidence, judge.limit * cores);
    // Targets that are measured one after another don't share what others do: each has its own.
    if evidence.plan.order == Order::Isolated && evidence.plan.targets.len() > 1 {
        let beside: Vec<(String, f64)> = evidence
            .plan
            .targets
            .iter()
            .zip(&conditions.other_cores_beside)
            .filter_map(|(target, cores)| Some((target.label(), (*cores)?)))
            .collect();
        if beside.iter().any(|(_, others)| *others > least) {
            let list: Vec<String> =
                beside.iter().map(|(name, others)| format!("{} during {name}", three(*others))).collect();
            let sentence = format!(
                "Other processes used part of the machine's {} cores: {}. Targets that run one after another are not \
                 affected equally, so no verdict is given. `order: alternate` spreads it evenly.",
                three(cores),
                list.join(", ")
            );
            let figures: Vec<(&str, String)> =
                beside.iter().map(|(name, others)| (name.as_str(), format!("{} cores", three(*others)))).collect();
            judge.find(None, sentence, &figures);
            return;
        }
    }
    if let Some(other) = conditions.other_cores.filter(|other| *other > least) {
        let sentence = format!(
            "Other processes used {} of the machine's {} cores ({}).",
            three(other),
            three(cores),
            percent(other / cores)
        );
        judge.find(None, sentence, &[("cores used by others", three(other)), ("cores", three(cores))]);
    }
}
