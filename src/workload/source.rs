//! From where the prompts come from to the items: inline, CSV, JSONL, text, or made up from the seed.
//!
//! The room's one place that reads files: once, before the run, within a limit, and every error with its line. The CSV
//! reader's door on the way in.

mod lengths;
mod odd;
mod recorded;
mod schema;
mod sheet;
mod trace;

pub use lengths::Record;
pub use schema::read_schema;
pub use trace::read_trace;

use super::{Fit, Item, Turn, examples, made_up, synthetic};
use crate::scenario::{
    Constrain, CsvPrompts, DataPath, History, InlinePrompt, JsonlPrompts, PromptsSpec, Scenario, Task, TextPrompts,
    TextSplit, TracePart, TurnSpec,
};
use lengths::TraceNotes;
use odd::{Odd, whole_text};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Bytes of a data file, at most.
const MAX_BYTES: u64 = 256 << 20;

/// The prompt around a text where the scenario gives none (classify).
const CLASSIFY: &str = "Answer with one of these labels: {labels}.\n\n{examples}Text: {text}\nLabel:";

/// What it says besides where a schema holds the answer. It shows the form: else each engine's grammar lets the model choose its own blanks
/// and line breaks, and answers of one model have 12 tokens on one side and 21 on the other.
pub const AS_JSON: &str = " Write it as JSON: {\"label\": \"one of them\"}";

/// What stands around each text of the data.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// The prompt around it, with `{text}`, `{labels}` and `{examples}` to be filled in; the task's own where there is none.
    pub instruction: Option<&'a str>,
    /// Number of examples to be drawn from the data (classify).
    pub examples: u32,
    /// Whether a schema holds the answer, so that a label comes as JSON (classify).
    pub as_json: bool,
    /// The labels as a prompt is to hold them, if not as the data has them (classify).
    pub labels: Option<&'a [String]>,
}

impl<'a> From<Option<&'a str>> for Around<'a> {
    fn from(instruction: Option<&'a str>) -> Self {
        Self { instruction, ..Self::default() }
    }
}

impl<'a> From<&'a Scenario> for Around<'a> {
    fn from(scenario: &'a Scenario) -> Self {
        let workload = &scenario.workload;
        let constrain = workload.constrained(scenario.task, scenario.targets.values());
        Self {
            instruction: workload.instruction.as_deref(),
            examples: workload.examples,
            as_json: constrain == Constrain::Schema,
            labels: None,
        }
    }
}

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
    /// The field of the scenario that asks for what isn't there, as a path.
    pub setting: Option<String>,
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

/// Prompts, and what was odd about their data.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompts {
    /// The prompts.
    pub items: Vec<Item>,
    /// The data's names for the examples that stand in each prompt, in their order: they are not among the prompts.
    pub examples: Vec<String>,
    /// Sentences on what was read otherwise than it is written, with file and line.
    pub odd: Vec<String>,
    /// The lengths that were recorded, where the prompts are made to them.
    pub record: Option<Record>,
}

/// Reads the prompts of a scenario, with what stands around each text. Paths start from `base`.
pub fn read_prompts<'a>(
    spec: &PromptsSpec,
    base: &Path,
    task: Task,
    labels: &[String],
    around: impl Into<Around<'a>>,
    seed: u64,
    history: History,
) -> Result<Prompts, SourceError> {
    let around = around.into();
    let maker = Maker { task, labels, scripted: history == History::Scripted };
    let (mut odd, mut record) = (Vec::new(), None);
    let (items, file) = match spec {
        PromptsSpec::Inline(prompts) => (maker.inline(prompts)?, None),
        PromptsSpec::Csv(csv) => {
            let source = Source::open(base, &csv.path)?;
            let items = maker.csv(csv, &source)?;
            odd.extend(source.odd.told(&source.path));
            (items, Some(&csv.path))
        }
        PromptsSpec::Jsonl(jsonl) => {
            let source = Source::open(base, &jsonl.path)?;
            let items = maker.jsonl(jsonl, &source)?;
            odd.extend(source.odd.told(&source.path));
            (items, Some(&jsonl.path))
        }
        PromptsSpec::Text(text) => {
            let source = Source::open(base, &text.path)?;
            let items = maker.text(text, &source)?;
            odd.extend(source.odd.told(&source.path));
            (items, Some(&text.path))
        }
        PromptsSpec::Trace(trace) => {
            let source = Source::open_part(base, &trace.path, trace.part())?;
            let (items, told) = maker.trace(&source, seed, trace.part())?;
            odd.extend(source.odd.told(&source.path));
            match told {
                TraceNotes::Lengths(lengths) => {
                    let path = source.path.display().to_string();
                    let left_out = lengths.plan.left_out.iter();
                    odd.extend(left_out.map(|what| format!("{}: {what}", path.escape_debug())));
                    record = Some(lengths);
                }
                TraceNotes::LeftOut(sentences) => odd.extend(sentences),
            }
            (items, Some(&trace.path))
        }
        PromptsSpec::Synthetic(spec) => match spec.words {
            Some(words) => {
                let conversations = synthetic::conversations(spec, words, seed);
                let item = |(i, texts): (usize, Vec<String>)| maker.item(i, None, texts, None);
                (conversations.into_iter().enumerate().map(item).collect(), None)
            }
            // As good as can be before an engine was asked.
            None => (made_up(spec, None, seed, &Fit::guess()), None),
        },
    };
    let wrong = |message: String, setting: Option<&str>| {
        let (file, setting) = (file.map(|path| path.file(base)), setting.map(str::to_owned));
        SourceError { file, line: None, column: None, message, setting }
    };
    if items.is_empty() {
        return Err(wrong("there are no prompts in it".to_owned(), None));
    }
    let examples::Drawn { examples, rest: items } = if around.examples > 0 {
        let drawn = examples::draw(items, labels.len(), around.examples as usize, seed);
        drawn.map_err(|message| wrong(message, Some("workload.examples")))?
    } else {
        examples::Drawn { examples: Vec::new(), rest: items }
    };
    // The turns of a conversation go out as they are.
    let labels = around.labels.unwrap_or(labels);
    let items = if task == Task::Chat { items } else { within(items, &around, task, labels, &examples) };
    Ok(Prompts { items, examples: examples.into_iter().map(|item| item.id).collect(), odd, record })
}

/// The prompts of a scenario as they may be shown: with the references in the place of what came from the environment or a file,
/// however short that is. `None` where they are what is sent.
pub fn read_shown(scenario: &Scenario, base: &Path) -> Option<Vec<Item>> {
    let (sent, shown) = (&scenario.workload, &scenario.shown.as_deref()?.workload);
    let inline = matches!(sent.prompts, PromptsSpec::Inline(_));
    if !inline && sent.instruction == shown.instruction && sent.labels == shown.labels {
        return None;
    }
    // Data of a file have their own labels, and lie where the values say.
    let (prompts, labels) = if inline { (&shown.prompts, &shown.labels) } else { (&sent.prompts, &sent.labels) };
    let around =
        Around { instruction: shown.instruction.as_deref(), labels: Some(&shown.labels), ..Around::from(scenario) };
    let read = read_prompts(prompts, base, scenario.task, labels, around, scenario.seed, sent.history);
    read.ok().map(|read| read.items)
}

/// The items with the instruction around their texts. What a text holds is not filled in.
fn within(items: Vec<Item>, around: &Around<'_>, task: Task, labels: &[String], examples: &[Item]) -> Vec<Item> {
    let default = match task {
        Task::Classify if around.as_json => {
            &format!("Answer with one of these labels: {{labels}}.{AS_JSON}\n\n{{examples}}Text: {{text}}")
        }
        Task::Classify => CLASSIFY,
        _ => "{text}",
    };
    let instruction = around.instruction.unwrap_or(default).replace("{labels}", &labels.join(", "));
    let examples = examples::block(examples, labels, around.as_json);
    let pieces: Vec<String> = instruction.split("{text}").map(|piece| piece.replace("{examples}", &examples)).collect();
    let turn = |turn: Turn| Turn { user: pieces.join(&turn.user), ..turn };
    let item = |item: Item| Item { turns: item.turns.into_iter().map(turn).collect(), ..item };
    items.into_iter().map(item).collect()
}

/// An open data file.
struct Source {
    path: PathBuf,
    file: File,
    /// Lines with characters that can't be read.
    odd: Odd,
}

impl Source {
    fn open(base: &Path, path: &DataPath) -> Result<Self, SourceError> {
        Self::open_within(base, path, MAX_BYTES)
    }

    /// One of at most so many bytes.
    fn open_within(base: &Path, path: &DataPath, most: u64) -> Result<Self, SourceError> {
        let joined = path.file(base);
        let whole = |message: String| {
            let file = Some(joined.clone());
            SourceError { file, line: None, column: None, message, setting: None }
        };
        let path = path.open(base).map_err(whole)?;
        let size = std::fs::metadata(&path).map(|facts| facts.len()).unwrap_or(0);
        if size > most {
            let limit = most >> 20;
            return Err(whole(format!("the file has {size} bytes; the limit is {limit} MiB")));
        }
        let file = File::open(&path).map_err(|error| whole(format!("can't be read: {error}")))?;
        Ok(Self { path, file, odd: Odd::default() })
    }

    /// One of which a part is used: the limit is then of that part.
    fn open_part(base: &Path, path: &DataPath, part: TracePart) -> Result<Self, SourceError> {
        let most = if part.requests.is_some() { u64::MAX } else { MAX_BYTES };
        Self::open_within(base, path, most)
    }

    fn wrong(&self, line: u64, message: impl Into<String>) -> SourceError {
        self.wrong_at(line, None, message)
    }

    fn wrong_at(&self, line: u64, column: Option<u64>, message: impl Into<String>) -> SourceError {
        let line = (line > 0).then_some(line);
        SourceError { file: Some(self.path.clone()), line, column, message: message.into(), setting: None }
    }

    /// Calls `each` with every line and its number. Bytes that are no text become U+FFFD, and their line is kept in mind.
    fn lines(&self, mut each: impl FnMut(u64, &str) -> Result<(), SourceError>) -> Result<(), SourceError> {
        self.lines_until(|number, line| each(number, line).map(ControlFlow::Continue))
    }

    /// The same, until `each` has enough.
    fn lines_until(
        &self,
        mut each: impl FnMut(u64, &str) -> Result<ControlFlow<()>, SourceError>,
    ) -> Result<(), SourceError> {
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
            if number == 1 && odd::is_utf16(&bytes) {
                return Err(self.wrong(1, odd::UTF16));
            }
            let line = self.odd.text(number, &bytes);
            let line = if number == 1 { line.trim_start_matches('\u{feff}') } else { &line };
            if each(number, line.trim_end_matches(['\n', '\r']))?.is_break() {
                return Ok(());
            }
        }
    }

    /// Calls `each` with every object of a JSONL file and the number of its line; blank lines are passed over. `wrong` says of a
    /// line that is no object what it is.
    fn objects(
        &self,
        wrong: impl Fn(u64, &serde_json::Error) -> String,
        mut each: impl FnMut(u64, &Object) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        self.objects_until(wrong, |number, object| each(number, object).map(ControlFlow::Continue))
    }

    /// The same, until `each` has enough.
    fn objects_until(
        &self,
        wrong: impl Fn(u64, &serde_json::Error) -> String,
        mut each: impl FnMut(u64, &Object) -> Result<ControlFlow<()>, SourceError>,
    ) -> Result<(), SourceError> {
        self.lines_until(|number, line| {
            if line.trim().is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            let whole = whole_text(line);
            if whole != line {
                self.odd.note(number);
            }
            let object: Object = serde_json::from_str(&whole).map_err(|error| {
                let column = Some(error.column() as u64).filter(|column| *column > 0);
                self.wrong_at(number, column, wrong(number, &error))
            })?;
            each(number, &object)
        })
    }
}

/// An object of a JSONL file.
type Object = serde_json::Map<String, serde_json::Value>;

/// Makes items of texts: labels by their position.
struct Maker<'a> {
    task: Task,
    labels: &'a [String],
    /// Earlier answers of a conversation come from the data.
    scripted: bool,
}

impl Maker<'_> {
    fn item(&self, i: usize, id: Option<String>, texts: Vec<String>, label: Option<usize>) -> Item {
        let turn = |text: String| Turn { user: text, assistant: None, think: None };
        let mut turns: Vec<Turn> = texts.into_iter().map(turn).collect();
        let last = turns.len().saturating_sub(1);
        // Made-up conversations have scripted answers too, or their history could not be sent.
        turns[..last].iter_mut().for_each(|turn| turn.assistant = Some("Yes. Please go on.".to_owned()));
        Item { id: id.unwrap_or_else(|| (i + 1).to_string()), turns, label, ..Item::default() }
    }

    fn conversation(&self, i: usize, id: Option<String>, turns: &[TurnSpec]) -> Item {
        let turn =
            |turn: &TurnSpec| Turn { user: turn.user.clone(), assistant: turn.assistant.clone(), think: turn.think };
        let turns = turns.iter().map(turn).collect();
        Item { id: id.unwrap_or_else(|| (i + 1).to_string()), turns, ..Item::default() }
    }

    /// Position of a label in the list; the sentence of what is wrong if it isn't there.
    fn label(&self, written: &str) -> Result<usize, String> {
        let written = written.trim();
        self.labels.iter().position(|label| label == written).ok_or_else(|| {
            let near = nearest(written, self.labels.iter().map(String::as_str));
            format!("`{}` is not one of the labels{near} (labels: {})", quoted(written), self.labels.join(", "))
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
                    SourceError { file: None, line: None, column: None, message, setting: None }
                })?),
                _ => None,
            };
            Ok(self.item(i, None, vec![prompt.text.clone().unwrap_or_default()], label))
        };
        prompts.iter().enumerate().map(item).collect()
    }

    fn csv(&self, spec: &CsvPrompts, source: &Source) -> Result<Vec<Item>, SourceError> {
        let mut reader = source.sheet()?;
        let tell = |error: csv::Error| source.told(&error);
        let header = source.record(1, reader.byte_headers().map_err(tell)?);
        let text = source.column(&header, &spec.text, "workload.prompts.csv.text")?;
        let label =
            spec.label.as_deref().map(|name| source.column(&header, name, "workload.prompts.csv.label")).transpose()?;
        let id = header.iter().position(|column| column.trim() == "id");
        let mut items = Vec::new();
        for (i, record) in reader.byte_records().enumerate() {
            let record = record.map_err(tell)?;
            let line = record.position().map_or(0, csv::Position::line);
            let record = source.record(line, &record);
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

    fn jsonl(&self, spec: &JsonlPrompts, source: &Source) -> Result<Vec<Item>, SourceError> {
        let mut items = Vec::new();
        let wrong = |_: u64, error: &serde_json::Error| {
            let message = error.to_string();
            format!("not a JSON object: {}", message.split(" at line ").next().unwrap_or_default())
        };
        source.objects(wrong, |number, object| {
            let item = self.object(items.len(), spec, object);
            items.push(item.map_err(|message| source.wrong(number, message))?);
            Ok(())
        })?;
        Ok(items)
    }

    fn object(&self, i: usize, spec: &JsonlPrompts, object: &Object) -> Result<Item, String> {
        let field = |name: &str| {
            object.get(name).ok_or_else(|| {
                let near = nearest(name, object.keys().map(String::as_str));
                let fields = object.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("there is no field `{name}`{near} (fields: {})", quoted(&fields))
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
                format!("`{}` is not a list of {{\"user\": ..., \"assistant\": ...}}: {error}", spec.turns)
            })?;
            if turns.is_empty() || turns.iter().any(|turn| turn.user.trim().is_empty()) {
                return Err(format!("`{}` has no turns, or an empty one", spec.turns));
            }
            let answered = &turns[..turns.len() - 1];
            if let Some(at) = answered.iter().position(|turn| turn.assistant.is_none()).filter(|_| self.scripted) {
                return Err(format!(
                    "turn {} needs `assistant`, the scripted answer, because another turn follows; or write `history: \
                     own` to use each engine's own answers",
                    at + 1
                ));
            }
            return Ok(self.conversation(i, id, &turns));
        }
        let label = spec.label.as_deref().map(|name| self.label(&text(name)?)).transpose()?;
        Ok(self.item(i, id, vec![text(&spec.text)?], label))
    }

    fn text(&self, spec: &TextPrompts, source: &Source) -> Result<Vec<Item>, SourceError> {
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

fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    crate::scenario::nearest(written, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// As much of a text as a message quotes.
fn quoted(text: &str) -> String {
    crate::metrics::human::cut(text, 80)
}
