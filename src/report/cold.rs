//! Cold starts: what was timed, and the rows that come of it.

use crate::metrics::{self, Definition};
use crate::stats::{Row, exact_row};
use serde::{Deserialize, Serialize};

/// One cold start of one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColdRun {
    /// Position in the plan's targets.
    pub target: usize,
    /// Which of its cold starts, from 1.
    pub repeat: u32,
    /// Microseconds until it was ready: from the start command to the first look that found it answering; of a model that was
    /// unloaded by request, what the engine says that loading took.
    pub ready_us: Option<f64>,
    /// Whether `ready_us` is by the engine's own clock.
    pub ready_by_engine: bool,
    /// Microseconds to the first token: from the start command, or from the request after the model was gone; streams only.
    pub first_token_us: Option<f64>,
    /// The same to the end of the answer.
    pub answer_us: Option<f64>,
    /// Why there was none.
    pub error: Option<String>,
}

/// The rows of a target's cold starts: `cold_ready`, `cold_first_token` and `cold_answer`, in microseconds.
pub(super) fn rows(runs: &[ColdRun], target: usize) -> Vec<Row> {
    let row = |metric: &Definition, value: fn(&ColdRun) -> Option<f64>| {
        let mut values: Vec<f64> = runs.iter().filter(|run| run.target == target).filter_map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        exact_row(metric, &values)
    };
    let all = [
        row(&metrics::COLD_READY, |run| run.ready_us),
        row(&metrics::COLD_FIRST_TOKEN, |run| run.first_token_us),
        row(&metrics::COLD_ANSWER, |run| run.answer_us),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_targets_starts_are_its_own_distribution() {
        let run = |target, repeat, ready: f64| ColdRun {
            target,
            repeat,
            ready_us: Some(ready),
            answer_us: (repeat != 2).then_some(ready * 2.0),
            ..ColdRun::default()
        };
        let runs: Vec<_> = (1..=7).map(|n| run(1, n, f64::from(8 - n))).chain([run(0, 1, 90.0)]).collect();
        let told = rows(&runs, 1);
        assert_eq!(told.iter().map(|row| row.metric.as_str()).collect::<Vec<_>>(), ["cold_ready", "cold_answer"]);
        assert_eq!((told[0].n, told[0].mean, told[0].p50, told[0].max), (Some(7), Some(4.0), Some(4.0), Some(7.0)));
        assert_eq!(told[1].n, Some(6));
        assert!(rows(&runs, 2).is_empty());
    }
}
