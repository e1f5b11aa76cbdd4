//! What the recorder's thread does with each row: it goes into the fold that the report is made of, and into the view
//! that the bars are drawn from.

use super::progress::View;
use crate::record::log::{Folder, Vector};
use crate::record::{Phase, Sample};
use crate::report::Manifest;
use crate::stats::Fold;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The folder of a run.
pub(super) struct RunFolder {
    fold: Fold,
    manifest: Arc<Mutex<Manifest>>,
    /// The windows that the fold knows, as target and block.
    known: BTreeSet<(usize, u32)>,
    view: Arc<View>,
}

impl RunFolder {
    pub(super) fn new(fold: Fold, manifest: Arc<Mutex<Manifest>>, view: Arc<View>) -> Self {
        Self { fold, manifest, known: BTreeSet::new(), view }
    }

    pub(super) fn into_fold(self) -> Fold {
        self.fold
    }

    /// Learns of a target's measured window: it is known before the first sample inside it ends.
    fn learn(&mut self, target: usize, block: u32) {
        if self.known.contains(&(target, block)) {
            return;
        }
        let manifest = self.manifest.lock().unwrap_or_else(PoisonError::into_inner);
        for window in &manifest.windows {
            if self.known.insert((window.target, window.block)) {
                self.fold.window(window.target, window.block, window.from, window.to);
            }
        }
    }
}

impl Folder for RunFolder {
    fn sample(&mut self, sample: &Sample) {
        if sample.phase != Phase::Cold {
            self.learn(sample.target, sample.block);
        }
        self.view.take(sample);
        self.fold.push(sample);
    }

    fn vector(&mut self, vector: &Vector) {
        self.fold.vector(vector.target, vector.item, &vector.numbers);
    }
}
