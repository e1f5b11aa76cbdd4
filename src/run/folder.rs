//! What the recorder's thread does with each row: it goes into the fold that the report is made of, and into the view
//! that the bars are drawn from.

use super::progress::View;
use crate::record::Sample;
use crate::record::log::{Folder, Vector};
use crate::report::Manifest;
use crate::stats::Fold;
use std::sync::{Arc, Mutex, PoisonError};

/// The folder of a run.
pub(super) struct RunFolder {
    fold: Fold,
    manifest: Arc<Mutex<Manifest>>,
    windows: Vec<bool>,
    view: Arc<View>,
}

impl RunFolder {
    pub(super) fn new(fold: Fold, manifest: Arc<Mutex<Manifest>>, view: Arc<View>) -> Self {
        let windows = vec![false; manifest.lock().unwrap_or_else(PoisonError::into_inner).windows.len()];
        Self { fold, manifest, windows, view }
    }

    pub(super) fn into_fold(self) -> Fold {
        self.fold
    }

    /// Learns of a target's measured window: it is known before the first sample inside it ends.
    fn learn(&mut self, target: usize) {
        if self.windows.get(target) == Some(&false) {
            let manifest = self.manifest.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Some(window)) = manifest.windows.get(target) {
                self.fold.window(target, window.from, window.to);
                self.windows[target] = true;
            }
        }
    }
}

impl Folder for RunFolder {
    fn sample(&mut self, sample: &Sample) {
        self.learn(sample.target);
        self.view.take(sample);
        self.fold.push(sample);
    }

    fn vector(&mut self, vector: &Vector) {
        self.fold.vector(vector.target, vector.item, &vector.numbers);
    }
}
