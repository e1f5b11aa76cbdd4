//! What the recorder's thread does with each row: it goes into the fold that the report is made of, and into the view
//! that the bars are drawn from.

use super::progress::View;
use crate::drive::Window;
use crate::record::log::{Folder, Vector};
use crate::record::{Phase, Sample};
use crate::report::Manifest;
use crate::stats::Fold;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The folder of a run.
pub(super) struct RunFolder {
    fold: Fold,
    manifest: Arc<Mutex<Manifest>>,
    /// The windows that the fold knows.
    known: BTreeMap<(usize, u32), Window>,
    view: Arc<View>,
}

impl RunFolder {
    pub(super) fn new(fold: Fold, manifest: Arc<Mutex<Manifest>>, view: Arc<View>) -> Self {
        Self { fold, manifest, known: BTreeMap::new(), view }
    }

    /// The fold, once the run is over: windows whose end was told late are right by now.
    pub(super) fn into_fold(mut self) -> Fold {
        self.learn();
        self.fold
    }

    /// Learns what the manifest knows of windows.
    fn learn(&mut self) {
        let manifest = self.manifest.lock().unwrap_or_else(PoisonError::into_inner);
        for window in &manifest.windows {
            if self.known.insert((window.target, window.block), *window) != Some(*window) {
                self.fold.window(window.target, window.block, window.from, window.to);
            }
        }
    }
}

impl Folder for RunFolder {
    fn sample(&mut self, sample: &Sample) {
        if sample.phase != Phase::Cold {
            // A window is known before the first sample inside it ends.
            if !self.known.contains_key(&(sample.target, sample.block)) {
                self.learn();
            }
        }
        self.view.take(sample);
        self.fold.push(sample);
    }

    fn tick(&mut self) {
        self.learn();
    }

    fn vector(&mut self, vector: &Vector) {
        self.fold.vector(vector.target, vector.item, &vector.numbers);
    }
}
