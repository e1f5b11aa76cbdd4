//! `samples.csv`: rows are appended while the run goes on, by a thread of its own, and handed on to whoever folds them.
//!
//! The measured path only pushes into a list under a lock that nobody else holds for long; the thread empties it every
//! 50 ms, so that a row is on its way to the disk well within a second of its end, and memory doesn't grow with rows.

use super::Sample;
use super::answers::{Answer, AnswersFile};
use super::columns::{COLUMNS, Names, write_row};
use crate::host::lock;
use anyhow::Context;
use base64::Engine;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the list is emptied.
const TICK: Duration = Duration::from_millis(50);

/// Bytes of rows that are written in one go.
const CHUNK: usize = 1 << 16;

/// The first embedding a target gave for an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// Position in `plan.targets`.
    pub target: usize,
    /// Position of the item.
    pub item: usize,
    /// Number of the request it came from.
    pub index: u64,
    /// The numbers.
    pub numbers: Vec<f32>,
}

/// What the recorder's thread hands on.
pub trait Folder: Send {
    /// Takes a sample, in the order of the file.
    fn sample(&mut self, sample: &Sample);
    /// Takes an embedding.
    fn vector(&mut self, vector: &Vector);
    /// Takes an answer's text.
    fn answer(&mut self, _: Answer) {}
    /// Is called after each round, with rows or without: the place to publish a view.
    fn tick(&mut self) {}
}

#[derive(Default)]
struct Pending {
    samples: Vec<Sample>,
    vectors: Vec<Vector>,
    answers: Vec<Answer>,
}

/// The measured path's end: cheap to clone, cheap to push to.
#[derive(Clone, Default)]
pub struct Recorder {
    pending: Arc<Mutex<Pending>>,
    broken: Arc<AtomicBool>,
}

impl Recorder {
    /// Hands over one finished request.
    pub fn push(&self, sample: Sample) {
        lock(&self.pending).samples.push(sample);
    }

    /// Whether rows can't be kept any more (a full disk, say): the load is to end, and [`Log::finish`] tells why.
    pub fn broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// Hands over an embedding; the first of each target and item.
    pub fn push_vector(&self, vector: Vector) {
        lock(&self.pending).vectors.push(vector);
    }

    /// Hands over an answer that is to be kept.
    pub fn push_answer(&self, answer: Answer) {
        lock(&self.pending).answers.push(answer);
    }
}

/// The thread that writes, and what it will give back.
pub struct Log<F> {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<F>>,
}

impl<F: Folder + 'static> Log<F> {
    /// Creates `samples.csv` in `dir` (`answers.jsonl` too, if answers are kept; `vectors.csv` when the first embedding comes), and
    /// starts the thread.
    pub fn start(dir: &Path, names: Names, answers: bool, mut folder: F) -> anyhow::Result<(Self, Recorder)> {
        let path = dir.join("samples.csv");
        let mut file = File::create_new(&path).with_context(|| format!("creating {}", path.display()))?;
        let written = move || format!("writing {}", path.display());
        file.write_all((COLUMNS.join(",") + "\n").as_bytes()).with_context(&written)?;
        let recorder = Recorder::default();
        let (pending, broken) = (recorder.pending.clone(), recorder.broken.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let mut vectors = Vectors { path: dir.join("vectors.csv"), file: None };
        // Now, and not when the first one comes: by then the system may have no file left to open.
        let mut answers = if answers { Some(AnswersFile::create(dir)?) } else { None };
        let work = move || {
            let mut spare = Pending::default();
            let mut rows = Vec::new();
            loop {
                // Read before the list is taken: what was pushed before the stop is in this round.
                let last = told.load(Relaxed);
                std::mem::swap(&mut *lock(&pending), &mut spare);
                for sample in spare.samples.drain(..) {
                    write_row(&mut rows, &names, &sample);
                    folder.sample(&sample);
                    if rows.len() > CHUNK {
                        file.write_all(&rows).with_context(&written)?;
                        rows.clear();
                    }
                }
                file.write_all(&rows).with_context(&written)?;
                rows.clear();
                for vector in spare.vectors.drain(..) {
                    vectors.write(&names, &vector)?;
                    folder.vector(&vector);
                }
                for answer in spare.answers.drain(..) {
                    // Here, and not where the load is driven.
                    let answer = answer.scrubbed();
                    if let Some(answers) = &mut answers {
                        answers.write(&names, &answer)?;
                    }
                    folder.answer(answer);
                }
                folder.tick();
                if last {
                    return Ok(folder);
                }
                std::thread::park_timeout(TICK);
            }
        };
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || {
            let told = work();
            broken.store(told.is_err(), Relaxed);
            told
        })?;
        Ok((Self { stop, thread }, recorder))
    }

    /// Writes what is left, and gives the folder back.
    pub fn finish(self) -> anyhow::Result<F> {
        self.stop.store(true, Relaxed);
        self.thread.thread().unpark();
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread that writes samples.csv ended early"))?
    }
}

/// `vectors.csv`: what cosines are computed from, so that a run can be told again from its directory.
struct Vectors {
    path: PathBuf,
    file: Option<File>,
}

impl Vectors {
    fn write(&mut self, names: &Names, vector: &Vector) -> anyhow::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = none.insert(File::create_new(&self.path).with_context(|| self.path.display().to_string())?);
                writeln!(file, "target,item,index,dimensions,vector")?;
                file
            }
        };
        let bytes: Vec<u8> = vector.numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        let name = names.target(vector.target);
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        Ok(writeln!(file, "{name},{},{},{},{text}", vector.item + 1, vector.index, vector.numbers.len())?)
    }
}

/// Reads `vectors.csv` of a run, if it has one; a last line that was cut off is passed over.
pub fn read_vectors(dir: &Path, names: &Names, mut take: impl FnMut(&Vector)) -> anyhow::Result<()> {
    let path = dir.join("vectors.csv");
    if !path.exists() {
        return Ok(());
    }
    let mut sheet = csv::ReaderBuilder::new().flexible(true).from_path(&path)?;
    for row in sheet.records() {
        let row = row.with_context(|| format!("reading {}", path.display()))?;
        let vector = (|| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(row.get(4)?).ok()?;
            let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            if numbers.len() != row.get(3)?.parse::<usize>().ok()? {
                return None;
            }
            Some(Vector {
                target: names.target_number(row.get(0)?)?,
                item: row.get(1)?.parse::<usize>().ok()?.checked_sub(1)?,
                index: row.get(2)?.parse().ok()?,
                numbers,
            })
        })();
        if let Some(vector) = vector {
            take(&vector);
        }
    }
    Ok(())
}
