//! `answers.jsonl`: what engines answered, so that a reader can look at it. A line an answer, appended as samples are.

use super::columns::Names;
use crate::scenario::scrubbed;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Requests whose answers may be shown, and are kept by `keep_answers: some`: the first so many of the list, which every target
/// is asked.
pub const ANSWERS_KEPT: u64 = 100;
/// The file's name.
pub const ANSWERS: &str = "answers.jsonl";

/// What a request asked and what it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Position in `plan.targets`.
    pub target: usize,
    /// Number of the request, as in `samples.csv`.
    pub index: u64,
    /// What was asked in this turn, without its nonce.
    pub prompt: String,
    /// The answer, thoughts left out.
    pub text: String,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    target: std::borrow::Cow<'a, str>,
    stand_in: bool,
    index: u64,
    prompt: std::borrow::Cow<'a, str>,
    answer: std::borrow::Cow<'a, str>,
}

impl Answer {
    /// The same without values of the environment.
    pub(super) fn scrubbed(self) -> Self {
        Self { prompt: scrubbed(self.prompt), text: scrubbed(self.text), ..self }
    }
}

/// The file, as it grows.
pub(super) struct AnswersFile {
    path: PathBuf,
    file: File,
}

impl AnswersFile {
    pub(super) fn create(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(ANSWERS);
        let file = File::create_new(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { path, file })
    }

    pub(super) fn write(&mut self, names: &Names, answer: &Answer) -> anyhow::Result<()> {
        let line = Line {
            target: names.target(answer.target).into(),
            stand_in: names.stands_in(answer.target),
            index: answer.index,
            prompt: answer.prompt.as_str().into(),
            answer: answer.text.as_str().into(),
        };
        let text = serde_json::to_string(&line)? + "\n";
        self.file.write_all(text.as_bytes()).with_context(|| format!("writing {}", self.path.display()))
    }
}

/// Reads `answers.jsonl` of a run, if it has one; a last line that was cut off is passed over.
pub fn read_answers(dir: &Path, names: &Names, mut take: impl FnMut(Answer)) -> anyhow::Result<()> {
    let path = dir.join(ANSWERS);
    if !path.exists() {
        return Ok(());
    }
    let file = BufReader::new(File::open(&path).with_context(|| format!("reading {}", path.display()))?);
    for line in file.split(b'\n') {
        let line = line.with_context(|| format!("reading {}", path.display()))?;
        let Ok(line) = serde_json::from_slice::<Line<'_>>(&line) else { continue };
        if let Some(target) = names.target_number(&line.target) {
            let (prompt, text) = (line.prompt.into_owned(), line.answer.into_owned());
            take(Answer { target, index: line.index, prompt, text });
        }
    }
    Ok(())
}
