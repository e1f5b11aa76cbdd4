//! What the recorder's thread does with each row: it goes into the folds that the report is made of, and into the view
//! that the bars are drawn from.

use super::progress::View;
use super::unread::Unread;
use crate::audit::{Gather, Gathered};
use crate::drive::LaneWindow;
use crate::host::lock;
use crate::record::answers::Answer;
use crate::record::log::{Folder, Vector};
use crate::record::{Phase, Sample};
use crate::report::Manifest;
use crate::report::answers::AnswerPicks;
use crate::stats::{Fold, Folded};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The folder of a run.
pub(super) struct RunFolder {
    fold: Arc<Mutex<Fold>>,
    gather: Gather,
    picks: AnswerPicks,
    manifest: Arc<Mutex<Manifest>>,
    /// The windows that the fold knows.
    known: BTreeMap<(usize, u32), LaneWindow>,
    /// Where the manifest is kept, and whether it knows a window that the file doesn't.
    path: PathBuf,
    unwritten: bool,
    view: Arc<View>,
    unread: Option<Unread>,
}

impl RunFolder {
    /// `path` is the manifest's file.
    pub(super) fn new(
        fold: Fold,
        gather: Gather,
        manifest: Arc<Mutex<Manifest>>,
        path: PathBuf,
        view: Arc<View>,
    ) -> Self {
        let fold = Arc::new(Mutex::new(fold));
        let picks = AnswerPicks::default();
        Self { fold, gather, picks, manifest, known: BTreeMap::new(), path, unwritten: false, view, unread: None }
    }

    /// Has the labels of the first answers looked at.
    pub(super) fn looking_at(self, unread: Option<Unread>) -> Self {
        Self { unread, ..self }
    }

    /// What the rows came to, once the run is over: the figures, what the audit looks at beside them, and the answers. Windows
    /// whose end was told late are right by now. `whole`: it ran to its end.
    pub(super) fn finish(mut self, whole: bool) -> (Folded, Vec<Gathered>, AnswerPicks) {
        self.learn();
        let mut fold = match Arc::try_unwrap(self.fold) {
            Ok(fold) => fold.into_inner().unwrap_or_else(PoisonError::into_inner),
            // A judge is still at it.
            Err(shared) => lock(&shared).clone(),
        };
        if !whole {
            fold.cut_off();
        }
        (fold.finish(), self.gather.finish(), self.picks)
    }

    /// The fold that the rows go into, for whoever has to know what they come to so far.
    pub(super) fn fold(&self) -> &Arc<Mutex<Fold>> {
        &self.fold
    }

    /// Learns what the manifest knows of windows.
    fn learn(&mut self) {
        let manifest = lock(&self.manifest);
        self.gather.contexts(&manifest.plan);
        for window in &manifest.windows {
            if self.known.insert((window.target, window.block), *window) != Some(*window) {
                lock(&self.fold).window(window.target, window.block, window.from, window.to);
                self.unwritten = true;
            }
        }
    }

    /// Keeps the manifest if a window is new: a run that is killed can be told. It is written here, on the recorder's
    /// thread, and not where windows open: the clock runs there.
    fn keep(&mut self) {
        if std::mem::take(&mut self.unwritten) {
            // Copied: whoever opens a window must not wait for the disk.
            let manifest = lock(&self.manifest).clone();
            // Kept again at the end; a failure now would show there, too.
            let _ = manifest.write(&self.path);
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
        if let Some(unread) = &mut self.unread {
            unread.take(sample);
        }
        lock(&self.fold).push(sample);
        self.gather.push(sample);
        self.picks.sample(sample);
    }

    fn answer(&mut self, answer: Answer) {
        self.picks.answer(answer);
    }

    fn tick(&mut self) {
        self.learn();
        self.keep();
    }

    fn vector(&mut self, vector: &Vector) {
        lock(&self.fold).vector(vector.target, vector.item, &vector.numbers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Nanos;
    use crate::report::fixture::manifest;
    use crate::scenario::Task;

    #[test]
    fn windows_reach_the_manifests_file_by_the_recorders_thread() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manifest.json");
        let mut known = manifest(crate::stats::fixture::plan(Task::Classify, true));
        known.windows.clear();
        known.write(&path).unwrap();
        let plan = known.plan.clone();
        let (fold, known) = (known.fold(), Arc::new(Mutex::new(known)));
        let view = crate::run::progress::Progress::start(&plan, true, Default::default()).view();
        let mut folder = RunFolder::new(fold, Gather::new(&plan), known.clone(), path.clone(), view);
        let kept = || Manifest::read(&path).unwrap().windows;
        let mut window = LaneWindow { target: 0, block: 0, from: Nanos(5), to: None };
        lock(&known).opened(window);
        assert!(kept().is_empty(), "whoever opens it doesn't wait for the disk");
        folder.tick();
        assert_eq!(kept(), [window]);
        std::fs::remove_file(&path).unwrap();
        folder.tick();
        assert!(!path.exists(), "nothing new, nothing written");
        window.to = Some(Nanos(9));
        lock(&known).opened(window);
        folder.tick();
        assert_eq!(kept(), [window]);
    }
}
