//! How long a run that finds its own length has to be: what the folds say once its first stage is over, and who hears of it.

use super::progress::Progress;
use crate::drive::{Found, Judge, Said};
use crate::host::lock;
use crate::report::Manifest;
use crate::scenario::plan::Plan;
use crate::stats::{BEYOND_DOUBT, ComparisonSettings, Fold, Verdict, main_of, times_as_long};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time in which rows that have ended reach the fold.
const ON_THEIR_WAY: Duration = Duration::from_millis(150);

/// From this share of failed requests on, a target is failing: no length of a run mends that.
const FAILING: f64 = 0.5;

/// So is one whose last requests failed, this many in a row: one that has died. An engine that fails one request in ten by
/// chance does so once in a hundred thousand.
const FAILING_IN_A_ROW: u64 = 5;

/// Sets a run's length by the width of the main ratio's interval.
pub(super) struct Length {
    fold: Arc<Mutex<Fold>>,
    plan: Arc<Plan>,
    manifest: Arc<Mutex<Manifest>>,
    bars: Arc<Progress>,
}

impl Length {
    /// The judge of a run, if it finds its own length.
    pub(super) fn judge(
        plan: &Arc<Plan>,
        fold: &Arc<Mutex<Fold>>,
        manifest: &Arc<Mutex<Manifest>>,
        bars: &Arc<Progress>,
    ) -> Option<Arc<dyn Judge>> {
        plan.least?;
        let (fold, plan) = (fold.clone(), plan.clone());
        Some(Arc::new(Self { fold, plan, manifest: manifest.clone(), bars: bars.clone() }))
    }
}

impl Judge for Length {
    fn say(&self) -> Said {
        let Some(half) = self.plan.until_ci else { return Said::Alone };
        std::thread::sleep(ON_THEIR_WAY);
        // Copied: the reckoning must not hold up the recorder.
        let fold = lock(&self.fold).clone();
        let folded = fold.so_far();
        let most_failed = |share: f64| share > FAILING;
        let failing = folded.targets.iter().any(|target| target.value("error_rate").is_some_and(most_failed));
        if failing || self.bars.view().failed_in_a_row() >= FAILING_IN_A_ROW {
            return Said::Failing;
        }
        let settings = ComparisonSettings::of(&self.plan);
        let mut main = main_of(&folded.comparisons, &settings).peekable();
        let shown = main.peek().is_some()
            && main.all(|c| {
                matches!(c.verdict, Verdict::Better | Verdict::Worse) && c.p.is_some_and(|p| p < BEYOND_DOUBT)
            });
        match times_as_long(&folded.comparisons, &settings, half.0) {
            _ if shown => Said::Decided,
            Some(times) => Said::Times(times),
            None => Said::Unknown,
        }
    }

    fn set(&self, found: Found) {
        {
            let mut manifest = lock(&self.manifest);
            // Of targets that are driven one after another, the last is driven longest.
            manifest.found = Some(found);
        }
        self.bars.found(&self.plan, found);
    }
}
