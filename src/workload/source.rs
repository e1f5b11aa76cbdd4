//! From where the prompts come from to the items: inline, CSV, JSONL, text, or made up from the seed.
//!
//! The room's one place that reads files: once, before the run, within a limit, and every error with its line. The CSV
//! reader's door on the way in.

mod trace;

pub use trace::read_trace;

use super::synthetic;
use super::{Item, Turn};
use crate::scenario::{
    CsvPrompts, History, InlinePrompt, JsonlPrompts, PromptsSpec, Task, TextPrompts, TextSplit, TurnSpec, data_path,
};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// Bytes of a data file, at most.
const MAX_BYTES: u64 = 256 << 20;

/// The prompt around a text where the scenario gives none (classify).
const CLASSIFY: &str = "Sort the support ticket into exactly one of these labels: {labels}.\nAnswer with the label \
                        alone.\n\nTicket: {text}\n\nLabel:";

/// Prompts that can't be read: the file, the line where there is one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The file, or none where the prompts stand in the scenario.
    pub file: Option<PathBuf>,
    /// Line, from 1.
    pub line: Option<u64>,
    /// Column, from 1.
    pub column: Option<u64>,
    /// What is wrong.
    pub message: String,
}

impl std::error::Error for SourceError {}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}", file.display().to_string().escape_debug())?,
            None => write!(f, "workload.prompts")?,
        }
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        // What is quoted comes from data of others, and may hold what steers a terminal.
        let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        write!(f, ": {}", self.message.chars().map(clean).collect::<String>())
    }
}

/// Reads the prompts of a scenario, the instruction around each text. Paths start from `base`.
pub fn read_items(
    spec: &PromptsSpec,
    base: &Path,
    task: Task,
    labels: &[String],
    instruction: Option<&str>,
    seed: u64,
    history: History,
) -> Result<Vec<Item>, SourceError> {
    let default = if task == Task::Classify { CLASSIFY } else { "{text}" };
    let instruction = instruction.unwrap_or(default).replace("{labels}", &labels.join(", "));
    let maker = Maker { task, labels, instruction, scripted: history == History::Scripted };
    let (items, file) = match spec {
        PromptsSpec::Inline(prompts) => (maker.inline(prompts)?, None),
        PromptsSpec::Csv(csv) => (maker.csv(csv, Source::open(base, &csv.path)?)?, Some(&csv.path)),
        PromptsSpec::Jsonl(jsonl) => (maker.jsonl(jsonl, Source::open(base, &jsonl.path)?)?, Some(&jsonl.path)),
        PromptsSpec::Text(text) => (maker.text(text, Source::open(base, &text.path)?)?, Some(&text.path)),
        PromptsSpec::Synthetic(spec) => {
            let conversations = synthetic::conversations(spec, seed);
            let item = |(i, texts): (usize, Vec<String>)| maker.item(i, None, texts, None);
            (conversations.into_iter().enumerate().map(item).collect(), None)
        }
    };
    if items.is_empty() {
        let file = file.map(|path| base.join(path));
        return Err(SourceError { file, line: None, column: None, message: "there are no prompts in it".to_owned() });
    }
    Ok(items)
}

/// An open data file.
struct Source {
    path: PathBuf,
    file: File,
}

impl Source {
    fn open(base: &Path, path: &Path) -> Result<Self, SourceError> {
        let joined = base.join(path);
        let whole = |message: String| SourceError { file: Some(joined.clone()), line: None, column: None, message };
        let path = data_path(base, path).map_err(whole)?;
        let size = std::fs::metadata(&path).map(|facts| facts.len()).unwrap_or(0);
        if size > MAX_BYTES {
            let limit = MAX_BYTES >> 20;
            return Err(whole(format!("the file has {size} bytes, and the limit is {limit} MiB")));
        }
        let file = File::open(&path).map_err(|error| whole(format!("can't be read: {error}")))?;
        Ok(Self { path, file })
    }

    fn wrong(&self, line: u64, message: impl Into<String>) -> SourceError {
        self.wrong_at(line, None, message)
    }

    fn wrong_at(&self, line: u64, column: Option<u64>, message: impl Into<String>) -> SourceError {
        let line = (line > 0).then_some(line);
        SourceError { file: Some(self.path.clone()), line, column, message: message.into() }
    }

    /// Calls `each` with every line and its number; bytes that are no text are an error with their line.
    fn lines(&self, mut each: impl FnMut(u64, &str) -> Result<(), SourceError>) -> Result<(), SourceError> {
        // The limit holds for a file that grows while it is read, too.
        let mut reader = BufReader::new((&self.file).take(MAX_BYTES));
        let (mut bytes, mut number) = (Vec::new(), 0);
        loop {
            bytes.clear();
            number += 1;
            let read = reader.read_until(b'\n', &mut bytes);
            if read.map_err(|error| self.wrong(number, format!("can't be read: {error}")))? == 0 {
                return Ok(());
            }
            let line = std::str::from_utf8(&bytes).map_err(|error| {
                let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).chars().count() as u64;
                self.wrong_at(number, Some(before + 1), "not valid UTF-8")
            })?;
            let line = if number == 1 { line.trim_start_matches('\u{feff}') } else { line };
            each(number, line.trim_end_matches(['\n', '\r']))?;
        }
    }
}

/// Lines of one quoted field, at most: more are a quote that was never closed.
const QUOTED_LINES: u64 = 200;

impl Source {
    /// The line of a quote that was opened and is not closed where one would close it: such a quote swallows rows.
    fn open_quote(&self) -> Result<Option<(u64, String)>, SourceError> {
        let told = |error: std::io::Error| self.wrong(0, format!("can't be read: {error}"));
        let mut reader = BufReader::new(Unmarked::new((&self.file).take(MAX_BYTES)));
        let (mut line, mut state) = (1, Quoting::FieldStart);
        let mut opened = 1;
        loop {
            let bytes = reader.fill_buf().map_err(told)?;
            if bytes.is_empty() {
                break;
            }
            let length = bytes.len();
            for &byte in bytes {
                state = match (state, byte) {
                    (Quoting::Quoted, b'"') => Quoting::Closed,
                    (Quoting::Quoted, b'\n') if line + 1 - opened > QUOTED_LINES => {
                        let why = format!("the quote opened here is not closed within {QUOTED_LINES} lines");
                        return Ok(Some((opened, why)));
                    }
                    (Quoting::Quoted, _) => Quoting::Quoted,
                    (_, b',' | b'\n' | b'\r') => Quoting::FieldStart,
                    (Quoting::FieldStart, b'"') => {
                        opened = line;
                        Quoting::Quoted
                    }
                    // Two quotes in a quoted field are one of its text.
                    (Quoting::Closed, b'"') => Quoting::Quoted,
                    (Quoting::Closed, _) if line > opened => {
                        let why =
                            format!("the quote opened here is closed by one in line {line}, in the middle of a text");
                        return Ok(Some((opened, why)));
                    }
                    _ => Quoting::Plain,
                };
                line += u64::from(byte == b'\n');
            }
            reader.consume(length);
        }
        (&self.file).rewind().map_err(told)?;
        Ok((state == Quoting::Quoted).then(|| (opened, "the quote opened here is never closed".to_owned())))
    }
}

/// A data file as a sheet with a header.
impl Source {
    fn sheet(&self) -> Result<csv::Reader<impl Read + '_>, SourceError> {
        if let Some((line, why)) = self.open_quote()? {
            return Err(self.wrong(line, why));
        }
        Ok(csv::ReaderBuilder::new().from_reader(Unmarked::new((&self.file).take(MAX_BYTES))))
    }

    /// The CSV reader's error, with its line.
    fn told(&self, error: &csv::Error) -> SourceError {
        let line = error.position().map_or(0, csv::Position::line);
        let message = match error.kind() {
            csv::ErrorKind::Utf8 { .. } => "not valid UTF-8".to_owned(),
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} columns here, and {expected_len} in the header; a comma in a text needs quotes")
            }
            _ => error.to_string(),
        };
        self.wrong(line, message)
    }

    /// Position of a column.
    fn column(&self, header: &csv::StringRecord, name: &str) -> Result<usize, SourceError> {
        header.iter().position(|column| column.trim() == name).ok_or_else(|| {
            let near = nearest(name, header.iter());
            let columns = header.iter().collect::<Vec<_>>().join(", ");
            self.wrong(1, format!("there is no column `{name}`{near} (columns: {})", cut(&columns)))
        })
    }
}

/// Where in a CSV file a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    FieldStart,
    Plain,
    Quoted,
    /// Just after a quote inside a quoted field.
    Closed,
}

/// Makes items of texts: the instruction around each, labels by their position.
struct Maker<'a> {
    task: Task,
    labels: &'a [String],
    /// With the labels filled in.
    instruction: String,
    /// Earlier answers of a conversation come from the data.
    scripted: bool,
}

impl Maker<'_> {
    fn item(&self, i: usize, id: Option<String>, texts: Vec<String>, label: Option<usize>) -> Item {
        let turn = |text: String| Turn { user: self.instruction.replace("{text}", &text), assistant: None };
        let mut turns: Vec<Turn> = texts.into_iter().map(turn).collect();
        let last = turns.len().saturating_sub(1);
        // Made-up conversations have scripted answers too, or their history could not be sent.
        turns[..last].iter_mut().for_each(|turn| turn.assistant = Some("Yes. Please go on.".to_owned()));
        Item { id: id.unwrap_or_else(|| (i + 1).to_string()), turns, label }
    }

    fn conversation(&self, i: usize, id: Option<String>, turns: &[TurnSpec]) -> Item {
        let turn = |turn: &TurnSpec| Turn { user: turn.user.clone(), assistant: turn.assistant.clone() };
        Item { id: id.unwrap_or_else(|| (i + 1).to_string()), turns: turns.iter().map(turn).collect(), label: None }
    }

    /// Position of a label in the list; the sentence of what is wrong if it isn't there.
    fn label(&self, written: &str) -> Result<usize, String> {
        let written = written.trim();
        self.labels.iter().position(|label| label == written).ok_or_else(|| {
            let near = nearest(written, self.labels.iter().map(String::as_str));
            format!("`{}` is none of the labels{near} (labels: {})", cut(written), self.labels.join(", "))
        })
    }

    fn inline(&self, prompts: &[InlinePrompt]) -> Result<Vec<Item>, SourceError> {
        let item = |(i, prompt): (usize, &InlinePrompt)| {
            if self.task == Task::Chat {
                return Ok(self.conversation(i, None, &prompt.turns));
            }
            let label = match &prompt.label {
                Some(label) if self.task == Task::Classify => Some(self.label(label).map_err(|message| {
                    let message = format!("prompt {}: {message}", i + 1);
                    SourceError { file: None, line: None, column: None, message }
                })?),
                _ => None,
            };
            Ok(self.item(i, None, vec![prompt.text.clone().unwrap_or_default()], label))
        };
        prompts.iter().enumerate().map(item).collect()
    }

    fn csv(&self, spec: &CsvPrompts, source: Source) -> Result<Vec<Item>, SourceError> {
        let mut reader = source.sheet()?;
        let tell = |error: csv::Error| source.told(&error);
        let header = reader.headers().map_err(tell)?.clone();
        let column = |name: &str| source.column(&header, name);
        let text = column(&spec.text)?;
        let label = spec.label.as_deref().map(column).transpose()?;
        let id = header.iter().position(|column| column.trim() == "id");
        let mut items = Vec::new();
        for (i, record) in reader.records().enumerate() {
            let record = record.map_err(tell)?;
            let line = record.position().map_or(0, csv::Position::line);
            let field = |at: usize| record.get(at).unwrap_or_default();
            if field(text).trim().is_empty() {
                return Err(source.wrong(line, format!("the column `{}` is empty", spec.text)));
            }
            let label = label.map(|at| self.label(field(at))).transpose().map_err(|m| source.wrong(line, m))?;
            let id = id.map(|at| field(at).to_owned()).filter(|id| !id.is_empty());
            items.push(self.item(i, id, vec![field(text).to_owned()], label));
        }
        Ok(items)
    }

    fn jsonl(&self, spec: &JsonlPrompts, source: Source) -> Result<Vec<Item>, SourceError> {
        let mut items = Vec::new();
        source.lines(|number, line| {
            if line.trim().is_empty() {
                return Ok(());
            }
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).map_err(|error| {
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                let column = Some(error.column() as u64).filter(|column| *column > 0);
                source.wrong_at(number, column, format!("not a JSON object: {message}"))
            })?;
            let item = self.object(items.len(), spec, &object).map_err(|message| source.wrong(number, message))?;
            items.push(item);
            Ok(())
        })?;
        Ok(items)
    }

    fn object(
        &self,
        i: usize,
        spec: &JsonlPrompts,
        object: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Item, String> {
        let field = |name: &str| {
            object.get(name).ok_or_else(|| {
                let near = nearest(name, object.keys().map(String::as_str));
                let fields = object.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("there is no field `{name}`{near} (fields: {})", cut(&fields))
            })
        };
        let text = |name: &str| match field(name)?.as_str() {
            Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
            Some(_) => Err(format!("the field `{name}` is empty")),
            None => Err(format!("the field `{name}` is not a text")),
        };
        let id = object
            .get("id")
            .and_then(|id| id.as_str().map(str::to_owned).or_else(|| id.as_i64().map(|n| n.to_string())));
        if self.task == Task::Chat {
            let turns: Vec<TurnSpec> = serde_json::from_value(field(&spec.turns)?.clone()).map_err(|error| {
                format!("`{}` is no list of {{\"user\": ..., \"assistant\": ...}}: {error}", spec.turns)
            })?;
            if turns.is_empty() || turns.iter().any(|turn| turn.user.trim().is_empty()) {
                return Err(format!("`{}` has no turns, or one that says nothing", spec.turns));
            }
            let answered = &turns[..turns.len() - 1];
            if let Some(at) = answered.iter().position(|turn| turn.assistant.is_none()).filter(|_| self.scripted) {
                return Err(format!(
                    "turn {} needs `assistant`, the scripted answer, for another turn follows; or write `history: own`, \
                     and each engine's own answers are used",
                    at + 1
                ));
            }
            return Ok(self.conversation(i, id, &turns));
        }
        let label = spec.label.as_deref().map(|name| self.label(&text(name)?)).transpose()?;
        Ok(self.item(i, id, vec![text(&spec.text)?], label))
    }

    fn text(&self, spec: &TextPrompts, source: Source) -> Result<Vec<Item>, SourceError> {
        let mut texts: Vec<String> = Vec::new();
        let mut block = String::new();
        source.lines(|_, line| {
            match spec.split {
                TextSplit::Lines => texts.push(line.to_owned()),
                TextSplit::Blocks if line.trim().is_empty() => texts.push(std::mem::take(&mut block)),
                TextSplit::Blocks | TextSplit::File => {
                    block.push_str(line);
                    block.push('\n');
                }
            }
            Ok(())
        })?;
        texts.push(block);
        let texts = texts.into_iter().map(|text| text.trim_end().to_owned()).filter(|text| !text.trim().is_empty());
        Ok(texts.enumerate().map(|(i, text)| self.item(i, None, vec![text], None)).collect())
    }
}

/// A reader without the byte order mark that spreadsheets put before the first column's name.
struct Unmarked<R> {
    inner: R,
    held: std::io::Cursor<Vec<u8>>,
    begun: bool,
}

impl<R: Read> Unmarked<R> {
    fn new(inner: R) -> Self {
        Self { inner, held: std::io::Cursor::default(), begun: false }
    }
}

impl<R: Read> Read for Unmarked<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if !self.begun {
            self.begun = true;
            let mut first = Vec::new();
            (&mut self.inner).take(3).read_to_end(&mut first)?;
            self.held = std::io::Cursor::new(if first == [0xef, 0xbb, 0xbf] { Vec::new() } else { first });
        }
        match self.held.read(out)? {
            0 => self.inner.read(out),
            n => Ok(n),
        }
    }
}

fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    crate::scenario::nearest(written, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

fn cut(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { short + "…" } else { short }
}
