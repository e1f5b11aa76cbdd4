//! What the recorder's thread does with each row: it goes into the folds that the report is made of, and into the view
//! that the bars are drawn from.

use super::progress::View;
use crate::audit::{Gather, Gathered};
use crate::record::log::{Folder, Vector};
use crate::record::{Phase, Sample};
use crate::report::Manifest;
use crate::stats::{Fold, Folded};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The folder of a run.
pub(super) struct RunFolder {
    fold: Fold,
    gather: Gather,
    manifest: Arc<Mutex<Manifest>>,
    /// The windows that the fold knows, as target and block.
    known: BTreeSet<(usize, u32)>,
    view: Arc<View>,
}

impl RunFolder {
    pub(super) fn new(fold: Fold, gather: Gather, manifest: Arc<Mutex<Manifest>>, view: Arc<View>) -> Self {
        Self { fold, gather, manifest, known: BTreeSet::new(), view }
    }

    /// What the rows came to: the figures, and what the audit looks at beside them.
    pub(super) fn finish(self) -> (Folded, Vec<Gathered>) {
        (self.fold.finish(), self.gather.finish())
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
        self.gather.push(sample);
    }

    fn vector(&mut self, vector: &Vector) {
        self.fold.vector(vector.target, vector.item, &vector.numbers);
    }
}
