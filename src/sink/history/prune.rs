//! What was removed of old runs.

use super::super::draw::{Look, wrapped};
use super::words::folder;
use crate::history::Pruned;
use std::io::{self, Write};

/// Runs that are named at most.
const MOST_NAMED: usize = 20;

/// Writes it for a terminal; `dry` says that nothing was removed.
pub fn pruned_table(pruned: &Pruned, dry: bool, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    let named = if dry { "would be removed" } else { "removed" };
    for run in pruned.runs.iter().take(MOST_NAMED) {
        let files = run.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
        wrapped(out, &format!("{named}: {}: {files}, {}", folder(&run.dir), size(run.bytes())), width, "  ")?;
    }
    if pruned.runs.len() > MOST_NAMED {
        writeln!(out, "… and of {} more runs", pruned.runs.len() - MOST_NAMED)?;
    }
    for spared in &pruned.spared {
        wrapped(out, &format!("kept: {}: {}", folder(&spared.dir), spared.why), width, "  ")?;
    }
    let bytes = pruned.runs.iter().map(|run| run.bytes()).sum();
    let runs = |n: usize| format!("{n} {}", if n == 1 { "run" } else { "runs" });
    let (verb, nothing) = if dry { ("would be freed", " (nothing was removed)") } else { ("freed", "") };
    let told = format!(
        "{} {verb}: the samples of {}{nothing}. Reports are kept. With newer samples: {}; kept for a reason: {}.",
        size(bytes),
        runs(pruned.runs.len()),
        runs(pruned.young),
        pruned.spared.len()
    );
    wrapped(out, &told, width, "")
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.0} KiB", bytes as f64 / 1024.0),
        _ => crate::report::human::bytes(bytes),
    }
}
