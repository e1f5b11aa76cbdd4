//! How the machine fared meanwhile.

use super::human::{percent, three, time};
use super::judge::{Check, Judge};
use super::{Evidence, human};
use crate::scenario::plan::{Endpoint, LoadPlan, TargetPlan};
use crate::scenario::{Order, Pacing};

pub(super) const CHECKS: [(&str, Check); 11] = [
    ("same-host", same_host),
    ("clock-jump", clock_jump),
    ("cpu-frequency", cpu_frequency),
    ("swapping", swapping),
    ("swap-in-use", swap_in_use),
    ("other-load", other_load),
    ("stolen-time", stolen_time),
    ("precise-pacing", precise_pacing),
    ("not-steady", not_steady),
    ("drift", drift),
    ("server-time", server_time),
];

/// Whether a target answers on this machine.
fn is_here(target: &TargetPlan) -> bool {
    match &target.endpoint {
        Endpoint::Unix { .. } => true,
        Endpoint::Tcp { host, .. } => {
            host.eq_ignore_ascii_case("localhost")
                || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn same_host(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let targets = &evidence.plan.targets;
    let here = targets.iter().filter(|target| is_here(target)).count();
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
    let took_words = if words.is_empty() { String::new() } else { format!(" They took: {words}.") };
    let sentence = format!(
        "{here} targets ran at once on the machine that sent the load: each had what the others left it.{took_words}"
    );
    let figures: Vec<(&str, String)> = took.iter().map(|(name, cores)| (name.as_str(), cores.clone())).collect();
    judge.find(None, sentence, &figures);
}

fn clock_jump(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let Some(jump) = evidence.conditions.and_then(|conditions| conditions.clock_jump_s).map(|s| s.abs() * 1e6) else {
        return;
    };
    if jump > judge.limit {
        let sentence = format!("The machine's clock jumped by {}: it was set, or the machine slept.", time(jump));
        judge.find(None, sentence, &[("jump", time(jump))]);
    }
}

fn cpu_frequency(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let Some((low, high)) = evidence.conditions.and_then(|conditions| conditions.frequency_mhz) else { return };
    if low < high * (1.0 - judge.limit) {
        let sentence = format!(
            "The processor ran at {low:.0} to {high:.0} MHz: who was measured at which is chance (heat, power saving)."
        );
        judge.find(None, sentence, &[("lowest", format!("{low:.0} MHz")), ("highest", format!("{high:.0} MHz"))]);
    }
}

const MIB: f64 = 1_048_576.0;

fn swapping(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let Some(bytes) = evidence.conditions.and_then(|conditions| conditions.swapped_bytes) else { return };
    if bytes as f64 > judge.limit * MIB {
        let moved = human::bytes(bytes);
        let sentence = format!("{moved} of memory were swapped in or out meanwhile: times are of the disk, too.");
        judge.find(None, sentence, &[("swapped", moved)]);
    }
}

fn swap_in_use(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let Some(bytes) = evidence.conditions.and_then(|conditions| conditions.swap_bytes) else { return };
    if bytes as f64 > judge.limit * MIB {
        let used = human::bytes(bytes);
        judge.find(None, format!("{used} of swap are in use: memory is short, or was."), &[("swap", used)]);
    }
}

fn stolen_time(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let Some(conditions) = evidence.conditions else { return };
    let (Some(stolen), Some(cores)) = (conditions.stolen_cores, conditions.cores) else { return };
    if stolen > judge.limit * cores {
        let told = percent(stolen / cores);
        let sentence = format!("{told} of the machine's processor time went to other guests of its host meanwhile.");
        judge.find(None, sentence, &[("stolen", told)]);
    }
}

/// Cores from which a thread that spins leaves enough to the others.
const FEW_CORES: f64 = 2.0;

fn precise_pacing(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let LoadPlan::Open(open) = &evidence.plan.load else { return };
    let cores = evidence.conditions.and_then(|conditions| conditions.cores);
    if let Some(cores) = cores.filter(|cores| open.pacing == Pacing::Precise && *cores <= FEW_CORES) {
        let sentence = format!(
            "Precise pacing spins on up to a core, and this machine has {cores:.0}: it takes time from engines and from the \
             reading of answers."
        );
        judge.find(None, sentence, &[("cores", format!("{cores:.0}"))]);
    }
}

fn not_steady(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let Some(steady) = side.summary.steady else { continue };
        // The mean of the rows that MSER-5 would cut, against the rest's; of a few rows it is chance.
        let cut = steady.cut_share;
        let before = (1.0 / steady.mean_ratio - (1.0 - cut)) / cut;
        if cut >= 0.05 && (before - 1.0).abs() > judge.limit {
            let sentence = format!(
                "{} became steady {} into the measured window only (MSER-5): a longer `warmup` would leave the beginning out; \
                 without it the mean is {} of what is told.",
                side.name(),
                time(steady.from_s * 1e6),
                percent(steady.mean_ratio)
            );
            let evidence = [("steady from", time(steady.from_s * 1e6)), ("rows before it", percent(steady.cut_share))];
            judge.find(Some(side.at), sentence, &evidence);
        }
    }
}

fn drift(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let Some(drift) = side.summary.drift else { continue };
        // The near end of the interval decides: what may be chance is not told.
        if drift.low > judge.limit || drift.high < -judge.limit {
            let words = |x: f64| format!("{:+.1} %", x * 100.0);
            let sentence = format!(
                "The median latency of {} changed by {} from the window's beginning to its end (95 % interval {} to {}).",
                side.name(),
                words(drift.change),
                words(drift.low),
                words(drift.high)
            );
            judge.find(Some(side.at), sentence, &[("change", words(drift.change))]);
        }
    }
}

fn other_load(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    let Some(conditions) = evidence.conditions else { return };
    let (Some(other), Some(cores)) = (conditions.other_cores, conditions.cores) else { return };
    if other > cores * judge.limit {
        let sentence = format!(
            "Other processes took {} of the machine's {} cores ({}).",
            three(other),
            three(cores),
            percent(other / cores)
        );
        judge.find(None, sentence, &[("cores of others", three(other)), ("cores", three(cores))]);
    }
}

fn server_time(evidence: &Evidence<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let (more, told) = (side.gathered.server_more, side.gathered.server_told);
        if more as f64 > told as f64 * judge.limit {
            let over = time(side.gathered.server_most_over.micros());
            let sentence = format!(
                "{}: for {more} of {told} answers the engine tells of more time than the client waited, up to {over} \
                 more: one of the two clocks is wrong.",
                side.name()
            );
            judge.find(Some(side.at), sentence, &[("answers", more.to_string()), ("most", over)]);
        }
    }
}
