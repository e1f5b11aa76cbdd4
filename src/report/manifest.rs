//! `manifest.json`: everything about a run that its samples don't tell, so that it can be told again from its directory.

use super::{Cause, ColdRun, SCHEMA_VERSION, TOOL, pretty, replace};
use crate::drive::{Found, LaneWindow};
use crate::host::{Conditions, Facts, Floor, Probe};
use crate::record::Nanos;
use crate::scenario::Shard;
use crate::scenario::plan::Plan;
use crate::stats::Fold;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// How far a run got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Running, or killed.
    Running,
    /// It ran to its end.
    Complete,
    /// It was stopped early.
    Interrupted,
}

/// What is known of a run without its samples.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The program and version that wrote it.
    pub tool: String,
    /// The command line, with secrets masked; empty if not known.
    #[serde(default)]
    pub command: String,
    /// When the run began, UTC (RFC 3339).
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How far it got.
    pub status: Status,
    /// Why it was stopped early; `None` where it wasn't, or where nobody could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The scenario's seed.
    pub seed: u64,
    /// Hash of the workload: 64 hex digits.
    pub workload_hash: String,
    /// The measured windows, in the order they opened.
    pub windows: Vec<LaneWindow>,
    /// How long it turned out to have to be, where it found its own length; `None` until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// The machine that sends the load.
    pub machine: Facts,
    /// How the machine fared while the load ran; `None` until it has ended.
    #[serde(default)]
    pub conditions: Option<Conditions>,
    /// The cold starts that came before the load.
    #[serde(default)]
    pub cold_starts: Vec<ColdRun>,
    /// The noise floor of each target's wire on this machine (the cost of a request to a server that does nothing), in
    /// the plan's order; `None` if not calibrated.
    #[serde(default)]
    pub floors: Vec<Option<Floor>>,
    /// How fast the machine is, where the plan's gates are scaled by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Which generator of several this was; `None` of a whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardFacts>,
    /// The generators that this is merged from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardFacts>,
    /// The plan of a run.
    pub plan: Plan,
}

/// A generator's clock beside that of shard 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// When it was read, on this generator's clock.
    pub at: Nanos,
    /// What that clock has to be moved by to tell what shard 0's does, in nanoseconds.
    pub offset_ns: i64,
    /// By how much this may be wrong.
    pub error_ns: u64,
}

/// One generator of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardFacts {
    /// Which one.
    pub shard: Shard,
    /// The run that all of them were of, by a name that shard 0 drew for it; the instant that all began at, where they never met.
    pub run: String,
    /// Its clock beside shard 0's, as often as it was read.
    pub clocks: Vec<ClockReading>,
    /// Whether it was read from shard 0; else all started by the time of day, and nobody knows how well their clocks agree.
    pub checked: bool,
    /// How its machine fared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
}

impl Manifest {
    /// The manifest of a run that begins at `started` (UTC, RFC 3339). Of the plan it has what may be told.
    pub fn begin(plan: &Plan, machine: Facts, started: String) -> Self {
        let plan = plan.told();
        Self {
            schema_version: SCHEMA_VERSION,
            tool: TOOL.to_owned(),
            command: String::new(),
            started,
            ended: None,
            status: Status::Running,
            cause: None,
            seed: plan.seed,
            workload_hash: plan.workload.hash.clone(),
            windows: Vec::new(),
            found: None,
            machine,
            conditions: None,
            cold_starts: Vec::new(),
            floors: Vec::new(),
            probe: None,
            shard: None,
            shards: Vec::new(),
            plan,
        }
    }

    /// Takes a window, in the place of what was known of it before.
    pub fn opened(&mut self, window: LaneWindow) {
        match self.windows.iter_mut().find(|known| (known.target, known.block) == (window.target, window.block)) {
            Some(known) => *known = window,
            None => self.windows.push(window),
        }
    }

    /// A fold over the plan's targets with their windows set, ready for samples.
    pub fn fold(&self) -> Fold {
        let mut fold = Fold::new(&self.plan, self.plan.workload.items);
        for LaneWindow { target, block, from, to } in &self.windows {
            fold.window(*target, *block, *from, *to);
        }
        fold
    }

    /// Reads a manifest. One of a later form is refused.
    pub fn read(path: &Path) -> io::Result<Self> {
        let manifest: Self = serde_json::from_slice(&std::fs::read(path)?)?;
        if manifest.schema_version > SCHEMA_VERSION {
            let version = manifest.schema_version;
            return Err(io::Error::other(format!(
                "its format is version {version}; this loadcmp reads version {SCHEMA_VERSION}"
            )));
        }
        Ok(manifest)
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        replace(path, |out| pretty(out, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::manifest;
    use crate::scenario::Task;

    #[test]
    fn a_manifest_reads_back_and_a_later_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manifest.json");
        let written = manifest(crate::stats::fixture::plan(Task::Classify, true));
        written.write(&path).unwrap();
        let read = Manifest::read(&path).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&written).unwrap());
        Manifest { schema_version: SCHEMA_VERSION + 1, ..written }.write(&path).unwrap();
        assert!(Manifest::read(&path).unwrap_err().to_string().contains("version 4"));
    }
}
