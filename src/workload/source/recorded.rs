//! Recorded loads as others publish them: what kind of file it is is told by its first line, and a file that is almost one is told
//! what it looks like, with the line that doesn't fit.
//!
//! Azure's LLM inference traces (`TIMESTAMP,ContextTokens,GeneratedTokens`), BurstGPT (`Timestamp,…,Request tokens,Response
//! tokens`), Mooncake's JSONL (`timestamp` in ms, `input_length`, `output_length`, `hash_ids`: blocks of 512 tokens); ShareGPT
//! (`conversations`) and OpenAI's `messages` as conversations.

use super::super::Turn;
use super::super::recorded::{BLOCK, Recorded};
use super::odd::whole_text;
use super::{Source, SourceError, quoted};
use crate::scenario::TracePart;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read, Seek};
use std::ops::ControlFlow;

/// Bytes of the first line that are looked at.
const PEEK: u64 = 64 << 10;

/// Prompt tokens of all requests together, at most: their texts are made beforehand.
const MOST_TOKENS: u64 = 100_000_000;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Azure,
    BurstGpt,
    Mooncake,
    ShareGpt,
    Messages,
}

impl Kind {
    /// As it stands in a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Azure => "an Azure trace",
            Kind::BurstGpt => "a BurstGPT trace",
            Kind::Mooncake => "a Mooncake trace",
            Kind::ShareGpt => "ShareGPT conversations",
            Kind::Messages => "conversations of `messages`",
        }
    }

    /// The columns of time, prompt tokens and output tokens.
    fn columns(self) -> [&'static str; 3] {
        match self {
            Kind::Azure => ["TIMESTAMP", "ContextTokens", "GeneratedTokens"],
            Kind::BurstGpt => ["Timestamp", "Request tokens", "Response tokens"],
            _ => ["timestamp", "input_length", "output_length"],
        }
    }
}

/// What a file records.
#[derive(Debug)]
pub(super) enum Record {
    /// Lengths, each with its time.
    Lengths(Kind, Lengths),
    /// Conversations: the data's name for each, and its turns; and what was left out, in sentences.
    Talks(Kind, Vec<(Option<String>, Vec<Turn>)>, Vec<String>),
}

/// Reads a file whose kind its first line tells; `None` where that is none of those known.
pub(super) fn read(source: &Source, part: TracePart) -> Result<Option<Record>, SourceError> {
    let first = first_line(source)?;
    let Some(kind) = kind(&first).map_err(|why| source.wrong(1, why))? else { return Ok(None) };
    match kind {
        Kind::Azure | Kind::BurstGpt => sheet(source, kind, part).map(|all| Record::Lengths(kind, all)),
        Kind::Mooncake => mooncake(source, part).map(|all| Record::Lengths(kind, all)),
        Kind::ShareGpt | Kind::Messages => talks(source, kind, first.trim_start().starts_with('['), part),
    }
    .map(Some)
}

/// What is said of a file that is none of those known.
pub(super) fn unknown(source: &Source) -> SourceError {
    let first = first_line(source).unwrap_or_default();
    let what = if first.trim().is_empty() {
        "the file is empty".to_owned()
    } else {
        format!("the first line is not that of a known trace format: `{}`", quoted(first.trim_end()))
    };
    source.wrong(
        1,
        format!(
            "{what} (known: Azure's CSV with TIMESTAMP,ContextTokens,GeneratedTokens; BurstGPT's with Timestamp, Request tokens, \
             Response tokens; Mooncake's JSONL with timestamp, input_length, output_length; conversations with `conversations` \
             or `messages`)"
        ),
    )
}

/// Whether a file is a sheet that has a column of that name.
pub(super) fn has_column(source: &Source, name: &str) -> Result<bool, SourceError> {
    let first = first_line(source)?;
    Ok(first.trim_end().split(',').any(|column| column.trim().trim_matches('"') == name))
}

/// Lengths in words: the range, and quantiles.
pub(super) fn spread(lengths: impl Iterator<Item = u32>) -> String {
    let mut all: Vec<u32> = lengths.collect();
    all.sort_unstable();
    let at = |q: f64| all.get(((all.len() as f64 * q) as usize).min(all.len().saturating_sub(1))).copied().unwrap_or(0);
    match (at(0.0), at(1.0)) {
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most} (p50 {}, p90 {}, p99 {})", at(0.5), at(0.9), at(0.99)),
    }
}

fn first_line(source: &Source) -> Result<String, SourceError> {
    let told = |error: std::io::Error| source.wrong(0, format!("can't be read: {error}"));
    let mut reader = BufReader::new((&source.file).take(PEEK));
    let mut line = Vec::new();
    // JSON may begin with blank lines.
    while line.trim_ascii().is_empty() {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(told)? == 0 {
            break;
        }
    }
    // What a list holds may begin on a later line.
    let unmarked = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
    if unmarked.trim_ascii_start().starts_with(b"[") {
        reader.read_to_end(&mut line).map_err(told)?;
    }
    (&source.file).rewind().map_err(told)?;
    Ok(String::from_utf8_lossy(&line).trim_start_matches('\u{feff}').to_owned())
}

/// What a first line says; the error is what it looks like, and what is missing.
fn kind(first: &str) -> Result<Option<Kind>, String> {
    let begins = first.trim_start();
    if begins.starts_with(['{', '[']) {
        let has = |name: &str| begins.contains(&format!("\"{name}\""));
        return match () {
            () if has("input_length") || has("hash_ids") => Ok(Some(Kind::Mooncake)),
            () if has("conversations") => Ok(Some(Kind::ShareGpt)),
            () if has("messages") => Ok(Some(Kind::Messages)),
            () => Ok(None),
        };
    }
    let columns: Vec<&str> = first.trim_end().split(',').map(|name| name.trim().trim_matches('"')).collect();
    for kind in [Kind::Azure, Kind::BurstGpt] {
        let missing: Vec<&str> = kind.columns().into_iter().filter(|name| !columns.contains(name)).collect();
        // The column of lengths tells one: times have many names.
        if kind.columns()[1..].iter().any(|name| columns.contains(name)) {
            return match missing[..] {
                [] => Ok(Some(kind)),
                _ => Err(format!("looks like {}, but has no column `{}`", kind.name(), missing.join("`, `"))),
            };
        }
    }
    Ok(None)
}

/// Requests of a recorded load, and what was left out.
#[derive(Debug)]
pub(super) struct Lengths {
    /// The requests, each with its time in seconds from the first.
    pub all: Vec<(f64, Recorded)>,
    /// In words.
    pub left_out: Vec<String>,
}

/// Takes requests one by one: their times must not fall.
struct Taken {
    kind: Kind,
    part: TracePart,
    first: Option<i128>,
    last: i128,
    tokens: u64,
    /// Requests without a token on one side: those that failed when they were recorded.
    empty: u64,
    /// Requests of more tokens than are allowed.
    longer: u64,
    all: Vec<(f64, Recorded)>,
}

impl Taken {
    fn new(kind: Kind, part: TracePart) -> Self {
        Self { kind, part, first: None, last: i128::MIN, tokens: 0, empty: 0, longer: 0, all: Vec::new() }
    }

    /// Takes one, its time in nanoseconds; breaks with the last that is wanted. The error is a sentence without its beginning.
    fn push(&mut self, at: i128, recorded: Recorded) -> Result<ControlFlow<()>, String> {
        let [time, input, output] = self.kind.columns();
        let go_on = ControlFlow::Continue(());
        if recorded.input == 0 || recorded.output == 0 {
            self.empty += 1;
            return Ok(go_on);
        }
        let whole = u64::from(recorded.input) + u64::from(recorded.output);
        if self.part.longest.is_some_and(|longest| whole > longest) {
            self.longer += 1;
            return Ok(go_on);
        }
        if at < self.last {
            return Err(format!("a `{time}` earlier than that of the line above"));
        }
        self.last = at;
        self.tokens = self.tokens.saturating_add(recorded.input.into());
        if self.tokens > MOST_TOKENS {
            return Err(format!(
                "more than {MOST_TOKENS} prompt tokens so far, the limit: use a part of the file with `requests: N`, or leave \
                 out long requests with `longest: TOKENS` (`{input}` and `{output}` together)"
            ));
        }
        let first = *self.first.get_or_insert(at);
        self.all.push(((at - first) as f64 / 1e9, recorded));
        let enough = self.part.requests.is_some_and(|most| self.all.len() as u64 >= most);
        Ok(if enough { ControlFlow::Break(()) } else { go_on })
    }

    fn finish(self, source: &Source) -> Result<Lengths, SourceError> {
        let [_, input, output] = self.kind.columns();
        let were =
            |n: u64| if n == 1 { "1 request is left out".to_owned() } else { format!("{n} requests are left out") };
        let longest = self.part.longest.unwrap_or_default();
        let told = [
            (self.empty, format!("`{input}` or `{output}` is 0")),
            (self.longer, format!("more than {longest} tokens (`longest`)")),
        ];
        let told = told.into_iter().filter(|(count, _)| *count > 0);
        let left_out: Vec<String> = told.map(|(count, why)| format!("{}: {why}", were(count))).collect();
        if self.all.is_empty() && !left_out.is_empty() {
            let why = format!("looks like {}, but nothing is left of it: {}", self.kind.name(), left_out.join("; "));
            return Err(source.wrong(0, why));
        }
        Ok(Lengths { all: self.all, left_out })
    }
}

/// Says what a file looks like, and what is wrong with a line of it.
fn but(source: &Source, kind: Kind, line: u64, why: &str) -> SourceError {
    source.wrong(line, format!("looks like {}, but line {line} has {why}", kind.name()))
}

fn sheet(source: &Source, kind: Kind, part: TracePart) -> Result<Lengths, SourceError> {
    let mut reader = source.sheet()?;
    let tell = |error: csv::Error| source.told(&error);
    let header = source.record(1, reader.byte_headers().map_err(tell)?);
    let mut at = [0; 3];
    for (place, name) in at.iter_mut().zip(kind.columns()) {
        *place = header.iter().position(|column| column.trim() == name).unwrap_or(usize::MAX);
    }
    let mut taken = Taken::new(kind, part);
    for record in reader.byte_records() {
        let record = record.map_err(tell)?;
        let line = record.position().map_or(0, csv::Position::line);
        let record = source.record(line, &record);
        let cell = |at: usize| record.get(at).unwrap_or_default().trim();
        let [time, input, output] = kind.columns();
        let count = |at: usize, name: &str| {
            // BurstGPT writes some of its counts as floats.
            let number = cell(at).strip_suffix(".0").unwrap_or(cell(at)).parse::<u32>();
            number.map_err(|_| {
                but(source, kind, line, &format!("no number of tokens in `{name}`: `{}`", quoted(cell(at))))
            })
        };
        let when = instant(cell(at[0]))
            .map_err(|why| but(source, kind, line, &format!("{why} in `{time}`: `{}`", quoted(cell(at[0])))))?;
        let recorded = Recorded { input: count(at[1], input)?, output: count(at[2], output)?, blocks: Vec::new() };
        if taken.push(when, recorded).map_err(|why| but(source, kind, line, &why))?.is_break() {
            break;
        }
    }
    taken.finish(source)
}

/// An instant in nanoseconds: seconds from any beginning, or a date and a time.
fn instant(text: &str) -> Result<i128, &'static str> {
    if let Ok(seconds) = text.parse::<f64>() {
        return match seconds {
            _ if !seconds.is_finite() || seconds > 1e12 => Err("no time"),
            _ if seconds < 0.0 => Err("a negative time"),
            _ => Ok((seconds * 1e9).round() as i128),
        };
    }
    let stamp = text.parse::<jiff::Timestamp>().or_else(|_| {
        let civil = text.parse::<jiff::civil::DateTime>()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp())
    });
    stamp.map(|stamp| stamp.as_nanosecond()).map_err(|_| "no time")
}

/// Says of a line that is no object what its file looks like.
fn no_object(kind: Kind) -> impl Fn(u64, &serde_json::Error) -> String {
    move |line, _| format!("looks like {}, but line {line} is not a JSON object", kind.name())
}

fn mooncake(source: &Source, part: TracePart) -> Result<Lengths, SourceError> {
    let mut taken = Taken::new(Kind::Mooncake, part);
    source.objects_until(no_object(Kind::Mooncake), |line, object| {
        let wrong = |why: String| but(source, Kind::Mooncake, line, &why);
        let number = |name: &str| object.get(name).ok_or_else(|| wrong(format!("no `{name}`")));
        let count = |name: &str| {
            let value = number(name)?;
            let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
            count.ok_or_else(|| wrong(format!("no number of tokens in `{name}`: `{}`", quoted(&value.to_string()))))
        };
        let at = match number("timestamp")?.as_f64() {
            Some(ms) if ms.is_finite() && (0.0..1e15).contains(&ms) => (ms * 1e6).round() as i128,
            Some(ms) if ms < 0.0 => return Err(wrong(format!("a negative time in `timestamp`: `{ms}`"))),
            _ => return Err(wrong("no time in `timestamp`".to_owned())),
        };
        let input = count("input_length")?;
        let blocks = match object.get("hash_ids") {
            None => Vec::new(),
            Some(list) => {
                let ids = list.as_array().map(|list| list.iter().map(Value::as_u64).collect::<Option<Vec<u64>>>());
                ids.flatten().ok_or_else(|| wrong("no list of numbers in `hash_ids`".to_owned()))?
            }
        };
        let need = u64::from(input).div_ceil(BLOCK);
        if !blocks.is_empty() && blocks.len() as u64 != need {
            let why = format!("{} `hash_ids` for {input} tokens, which are {need} blocks of {BLOCK}", blocks.len());
            return Err(wrong(why));
        }
        taken.push(at, Recorded { input, output: count("output_length")?, blocks }).map_err(wrong)
    })?;
    taken.finish(source)
}

/// Conversations, one a line or in one list.
fn talks(source: &Source, kind: Kind, list: bool, part: TracePart) -> Result<Record, SourceError> {
    if part.longest.is_some() {
        let why = format!("these are {}, whose lengths are not recorded: leave out `longest`", kind.name());
        return Err(source.wrong(0, why));
    }
    let mut all = Vec::new();
    let (mut silent, mut system) = (0_u64, 0_u64);
    let mut take = |line: Option<u64>, object: &Map<String, Value>| {
        let id = object
            .get("id")
            .and_then(|id| id.as_str().map(str::to_owned).or_else(|| id.as_i64().map(|n| n.to_string())));
        let talk = talk(kind, object).map_err(|why| match line {
            Some(line) => but(source, kind, line, &why),
            None => {
                let named =
                    id.as_deref().map_or_else(|| format!("number {}", all.len() + 1), |id| format!("`{}`", quoted(id)));
                source.wrong(0, format!("looks like {}, but its conversation {named} has {why}", kind.name()))
            }
        })?;
        system += u64::from(talk.system);
        if talk.turns.is_empty() {
            silent += 1;
        } else {
            all.push((id, talk.turns));
        }
        let enough = part.requests.is_some_and(|most| all.len() as u64 >= most);
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    if list {
        let mut text = String::new();
        let read = (&source.file).take(super::MAX_BYTES).read_to_string(&mut text);
        read.map_err(|error| source.wrong(0, format!("can't be read: {error}")))?;
        let text = whole_text(text.trim_start_matches('\u{feff}'));
        let objects: Vec<Map<String, Value>> = serde_json::from_str(&text).map_err(|error| {
            let why = format!("looks like {}, but is not a list of JSON objects", kind.name());
            source.wrong_at(error.line() as u64, Some(error.column() as u64), why)
        })?;
        for object in &objects {
            if take(None, object)?.is_break() {
                break;
            }
        }
    } else {
        source.objects_until(no_object(kind), |line, object| take(Some(line), object))?;
    }
    let path = source.path.display().to_string();
    let told = [
        (silent, "without a question are left out"),
        (system, "begin with a system message, which is left out: set one for all with `system` in the scenario"),
    ];
    let odd = told.into_iter().filter(|(count, _)| *count > 0);
    let odd = odd.map(|(count, what)| format!("{}: {count} conversations {what}", path.escape_debug())).collect();
    Ok(Record::Talks(kind, all, odd))
}

#[derive(Default)]
struct Talk {
    turns: Vec<Turn>,
    system: bool,
}

/// The turns of a conversation: a question and its answer. What comes before the first question, and a question that isn't answered
/// before the last, ends it. The error is a sentence without its beginning.
fn talk(kind: Kind, object: &Map<String, Value>) -> Result<Talk, String> {
    let (list, who, what) =
        if kind == Kind::ShareGpt { ("conversations", "from", "value") } else { ("messages", "role", "content") };
    let Some(messages) = object.get(list).and_then(Value::as_array) else { return Err(format!("no list `{list}`")) };
    let mut talk = Talk::default();
    for message in messages {
        let role = message.get(who).and_then(Value::as_str).ok_or_else(|| format!("a message without `{who}`"))?;
        let said = said(message.get(what)).ok_or_else(|| format!("a message whose `{what}` is not text"))?;
        match role {
            "system" | "developer" => talk.system = true,
            "human" | "user" => {
                if talk.turns.last().is_some_and(|turn| turn.assistant.is_none()) {
                    break;
                }
                if said.trim().is_empty() {
                    break;
                }
                talk.turns.push(Turn { user: said, assistant: None, think: None });
            }
            "gpt" | "chatgpt" | "assistant" | "bing" | "bard" | "model" => match talk.turns.last_mut() {
                Some(turn) if turn.assistant.is_none() => turn.assistant = Some(said),
                _ => {}
            },
            "tool" | "function" => break,
            other => return Err(format!("a message from the unknown role `{}`", quoted(other))),
        }
    }
    Ok(talk)
}

/// A message's text: as it is, or in parts.
fn said(content: Option<&Value>) -> Option<String> {
    match content? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Option<Vec<&str>> = parts.iter().map(|part| part.get("text")?.as_str()).collect();
            texts.map(|texts| texts.join("\n"))
        }
        Value::Null => Some(String::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::read_prompts;
    use crate::scenario::{History, PromptsSpec, Task};
    use proptest::prelude::*;

    /// Tokens of a prompt, and of its answer.
    type Lengths = (Option<u64>, Option<u32>);

    /// What is made of a file, or what is said of it.
    fn read(text: &str, task: Task) -> Result<Vec<Lengths>, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x"), text).unwrap();
        let spec: PromptsSpec = serde_json::from_str(r#"{"trace": {"path": "x"}}"#).unwrap();
        let read = read_prompts(&spec, dir.path(), task, &[], None, 7, History::Scripted);
        let read = read.map_err(|error| error.to_string())?;
        Ok(read.items.iter().map(|item| (item.prompt_tokens, item.max_tokens)).collect())
    }

    #[test]
    fn files_are_known_however_they_are_laid_out() {
        let lengths = Ok(vec![(Some(5), Some(6))]);
        for text in [
            "\u{feff}TIMESTAMP,ContextTokens,GeneratedTokens\r\n2024-05-10 00:00:00.009930+00:00,5,6\r\n",
            "GeneratedTokens,\"ContextTokens\",TIMESTAMP\n6,5,17.5\n",
            "Model,Timestamp,Session ID,Request tokens,Response tokens\nx,0,a,5.0,6\n",
            "\n{\"output_length\": 6, \"timestamp\": 0.5, \"input_length\": 5}\n\n",
        ] {
            assert_eq!(read(text, Task::Generate), lengths, "{text}");
        }
        let talk = "{\"conversations\": [{\"from\": \"human\", \"value\": \"Hi\"}]}";
        for text in [
            format!("[\n{talk}\n]"),
            format!("\u{feff}[{talk},{talk}]"),
            format!("{talk}\n{talk}\n"),
            format!("[{{\n\"id\": 1,{}]", &talk[1..]),
        ] {
            let read = read(&text, Task::Chat);
            assert!(read.as_ref().is_ok_and(|all| !all.is_empty() && all[0] == (None, None)), "{text}: {read:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_a_file_holds_is_read_or_told(
            head in prop::sample::select(vec![
                "", "TIMESTAMP,ContextTokens,GeneratedTokens\n", "Timestamp,Request tokens,Response tokens\n",
                "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 5, \"hash_ids\": [1]}\n",
                "{\"messages\": []}\n", "[{\"conversations\": []},",
            ]),
            lines in prop::collection::vec("[0-9.,:eE+ \\-]{0,24}|\\PC{0,24}", 0..4),
            chat: bool,
        ) {
            let text = head.to_owned() + &lines.join("\n");
            match read(&text, if chat { Task::Chat } else { Task::Generate }) {
                Ok(all) => prop_assert!(!all.is_empty()),
                Err(why) => prop_assert!(why.contains("x:") || why.contains("x"), "{}", why),
            }
        }
    }
}
