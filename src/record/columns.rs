//! The columns of `samples.csv`, written and read: a contract with people's notebooks, so a change of a name is a
//! change of version. Units stand in the names; what did not happen or is not known is blank, never 0.

use super::{Details, Nanos, Opened, Outcome, Phase, PrefixUse, Remark, Remarks, Sample, Stamps};
use crate::scenario::plan::Plan;
use anyhow::{Context, anyhow};
use std::borrow::Cow;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

/// The columns, in order. A word stands last: a row that was cut off within a number would read as a whole one.
pub const COLUMNS: [&str; 51] = [
    "target",
    "wire",
    "phase",
    "block",
    "user",
    "index",
    "conversation",
    "turn",
    "planned_us",
    "sent_us",
    "first_byte_us",
    "first_token_us",
    "last_token_us",
    "end_us",
    "outcome",
    "http_status",
    "finish",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "chunks",
    "expected_label",
    "label",
    "server_total_us",
    "server_load_us",
    "server_prompt_us",
    "server_output_us",
    "request_hash",
    "text_hash",
    "error",
    "stand_in",
    "item",
    "dispatched_us",
    "connect_us",
    "itl_max_us",
    "dimensions",
    "retries",
    "latency_us",
    "response_us",
    "thoughts",
    "first_answer_us",
    "remarks",
    "requested_prompt_tokens",
    "prefix_group",
    "prefix_use",
    "draft_tokens",
    "draft_accepted",
    "thought_tokens",
    "answer_logprob",
    "itl_us",
    "connection",
];

/// Columns that files of earlier versions lack, in the order in which they came to be: they read as blank there.
const NEWER: [&str; 8] = [
    "requested_prompt_tokens",
    "prefix_group",
    "prefix_use",
    "draft_tokens",
    "draft_accepted",
    "thought_tokens",
    "answer_logprob",
    "itl_us",
];
/// Where the first of them stands.
const FIRST_NEWER: usize = COLUMNS.len() - 1 - NEWER.len();

/// What columns were called in earlier versions.
const FORMER: [(&str, &str); 1] = [("gap_max_us", "itl_max_us")];

/// The names that rows hold and samples hold the positions of.
#[derive(Clone, Debug)]
pub struct Names {
    targets: Vec<(String, &'static str, bool)>,
    labels: Vec<String>,
}

impl Names {
    /// The names of a plan.
    pub fn of(plan: &Plan) -> Self {
        Self {
            targets: plan.targets.iter().map(|t| (t.name.clone(), t.wire(), t.stand_in)).collect(),
            labels: plan.workload.labels.iter().map(|label| plain_text(label).into_owned()).collect(),
        }
    }

    /// The name of a target.
    pub fn target(&self, number: usize) -> &str {
        self.targets.get(number).map_or("", |(name, _, _)| name)
    }

    /// Whether a stand-in took the place of a target's engine.
    pub fn stands_in(&self, number: usize) -> bool {
        self.targets.get(number).is_some_and(|(_, _, stand_in)| *stand_in)
    }

    /// The position of a target's name.
    pub fn target_number(&self, name: &str) -> Option<usize> {
        self.targets.iter().position(|(known, _, _)| known == name)
    }

    fn label(&self, number: Option<usize>) -> &str {
        number.and_then(|n| self.labels.get(n)).map_or("", String::as_str)
    }

    fn label_number(&self, name: &str) -> Option<usize> {
        self.labels.iter().position(|known| known == name)
    }
}

/// A text that a spreadsheet takes for text: one that looks like a formula gets an apostrophe in front.
pub fn plain_text(text: &str) -> Cow<'_, str> {
    if is_formula(text) { format!("'{text}").into() } else { text.into() }
}

/// Whether a spreadsheet could take it for a formula, apostrophes in front or not: one more makes it a text that reads back.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The text that [`plain_text`] was written of.
fn as_it_was(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_formula(text)).unwrap_or(cell)
}

/// Appends one row to `out`.
///
/// By hand, not by the csv crate's writer: three quarters of the cells are numbers and fixed words that need no look for
/// quotes, and this is paid for every request. The crate reads what is written here (and a test holds the two together).
pub fn write_row(out: &mut Vec<u8>, names: &Names, sample: &Sample) {
    let (target, wire, stand_in) = names
        .targets
        .get(sample.target)
        .map_or(("", "", false), |(name, wire, stand_in)| (name.as_str(), *wire, *stand_in));
    let stamps = &sample.stamps;
    let mut row = Row { out, number: itoa::Buffer::new() };
    row.text(target);
    row.word(wire);
    row.word(sample.phase.as_str());
    row.whole(Some(sample.block));
    row.whole(Some(sample.user));
    row.whole(Some(sample.index));
    row.whole(sample.conversation);
    row.whole(sample.turn);
    row.micros(Some(stamps.planned));
    row.micros(stamps.sent);
    row.micros(stamps.first_byte);
    row.micros(stamps.first_token);
    row.micros(stamps.last_token);
    row.micros(stamps.end);
    row.word(sample.outcome.as_str());
    row.whole(sample.http_status);
    row.text(&plain_text(sample.finish.as_deref().unwrap_or_default()));
    row.whole(sample.prompt_tokens);
    row.whole(sample.cached_tokens);
    row.whole(sample.output_tokens);
    row.whole(Some(sample.chunks));
    row.text(names.label(sample.expected_label));
    row.text(names.label(sample.label));
    row.micros(sample.server_total);
    row.micros(sample.server_load);
    row.micros(sample.server_prompt);
    row.micros(sample.server_output);
    row.hash(Some(sample.request_hash));
    row.hash(sample.text_hash);
    row.text(&plain_text(sample.error.as_deref().unwrap_or_default()));
    row.word(if stand_in { "true" } else { "false" });
    row.whole(Some(sample.item as u64 + 1));
    row.micros(stamps.dispatched);
    row.micros(sample.connect);
    row.micros(sample.itl_max);
    row.whole(sample.dimensions);
    row.whole(Some(sample.retries));
    row.micros(sample.latency());
    row.micros(sample.response());
    row.whole(Some(sample.thoughts));
    row.micros(stamps.first_answer);
    row.words(sample.remarks.all().map(Remark::as_str));
    row.whole(sample.wanted_prompt);
    row.whole(sample.prefix_group);
    row.word(sample.prefix_use.map_or("", PrefixUse::as_str));
    row.whole(sample.details.drafted);
    row.whole(sample.details.accepted);
    row.whole(sample.details.thought_tokens);
    row.number(sample.details.logprob);
    row.wholes(&sample.gaps);
    row.word(sample.opened.map_or("", Opened::as_str));
    // The last comma becomes the line's end.
    if let Some(last) = row.out.last_mut() {
        *last = b'\n';
    }
}

struct Row<'a> {
    out: &'a mut Vec<u8>,
    number: itoa::Buffer,
}

impl Row<'_> {
    /// A word of ours: letters, digits, `_`.
    fn word(&mut self, word: &str) {
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b',');
    }

    /// Words of ours, with a blank between.
    fn words(&mut self, words: impl Iterator<Item = &'static str>) {
        for (place, word) in words.enumerate() {
            if place > 0 {
                self.out.push(b' ');
            }
            self.out.extend_from_slice(word.as_bytes());
        }
        self.out.push(b',');
    }

    /// Any text, quoted where CSV wants it (RFC 4180).
    fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        if !bytes.iter().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r')) {
            return self.word(text);
        }
        self.out.push(b'"');
        for byte in bytes {
            if *byte == b'"' {
                self.out.push(b'"');
            }
            self.out.push(*byte);
        }
        self.out.extend_from_slice(b"\",");
    }

    fn whole(&mut self, number: Option<impl Into<u64>>) {
        if let Some(number) = number {
            self.out.extend_from_slice(self.number.format(number.into()).as_bytes());
        }
        self.out.push(b',');
    }

    /// Numbers, with a blank between.
    fn wholes(&mut self, numbers: &[u32]) {
        for (place, number) in numbers.iter().enumerate() {
            if place > 0 {
                self.out.push(b' ');
            }
            self.out.extend_from_slice(self.number.format(*number).as_bytes());
        }
        self.out.push(b',');
    }

    /// Any number, with as many digits as tell it from all others.
    fn number(&mut self, number: Option<f64>) {
        if let Some(number) = number {
            // A vector takes whatever is written.
            let _ = write!(self.out, "{number}");
        }
        self.out.push(b',');
    }

    /// Microseconds with three decimals: exact, so that what is read back is what was measured.
    fn micros(&mut self, time: Option<Nanos>) {
        if let Some(Nanos(nanos)) = time {
            let (whole, part) = (nanos / 1000, (nanos % 1000) as u16);
            self.out.extend_from_slice(self.number.format(whole).as_bytes());
            let digits = [part / 100, part / 10 % 10, part % 10].map(|digit| b'0' + digit as u8);
            self.out.push(b'.');
            self.out.extend_from_slice(&digits);
        }
        self.out.push(b',');
    }

    fn hash(&mut self, hash: Option<u64>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        if let Some(hash) = hash {
            let mut text = [0u8; 16];
            for (place, byte) in text.iter_mut().enumerate() {
                *byte = DIGITS[(hash >> (60 - 4 * place) & 15) as usize];
            }
            self.out.extend_from_slice(&text);
        }
        self.out.push(b',');
    }
}

/// Rows that are handed from the thread that reads them to the one that folds them in one go.
const BATCH: usize = 2048;
/// Batches that are read ahead.
const AHEAD: usize = 4;

/// Reads `samples.csv` of a run's directory, row by row; a last row that was cut off by a crash is passed over. Rows are read on a
/// thread of their own, so that `take` has a core for itself.
pub fn read_rows(dir: &Path, names: &Names, take: impl FnMut(&Sample)) -> anyhow::Result<()> {
    let (file, path) = opened(dir)?;
    read_sheet(file, names, take).with_context(|| format!("reading {}", path.display()))
}

/// The same in batches, which `rows` takes until nobody reads from it any more.
pub fn read_batches(dir: &Path, names: &Names, rows: &SyncSender<Vec<Sample>>) -> anyhow::Result<()> {
    let (file, path) = opened(dir)?;
    parse(file, names, rows).with_context(|| format!("reading {}", path.display()))
}

fn opened(dir: &Path) -> anyhow::Result<(impl Read + Send + use<>, PathBuf)> {
    let path = dir.join("samples.csv");
    let file = std::fs::File::open(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok((std::io::BufReader::with_capacity(1 << 16, file), path))
}

fn read_sheet(from: impl Read + Send, names: &Names, mut take: impl FnMut(&Sample)) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let (sender, batches) = sync_channel(AHEAD);
        let reader = std::thread::Builder::new()
            .name("rows".into())
            .spawn_scoped(scope, move || parse(from, names, &sender))
            .context("starting the thread that reads rows")?;
        for batch in batches {
            batch.iter().for_each(&mut take);
        }
        reader.join().map_err(|_| anyhow!("the thread that reads rows ended early"))?
    })
}

/// Reads rows and hands them on, until nobody takes them.
fn parse(from: impl Read, names: &Names, rows: &SyncSender<Vec<Sample>>) -> anyhow::Result<()> {
    let mut sheet = csv::ReaderBuilder::new().flexible(true).from_reader(from);
    let headers = sheet.headers()?.clone();
    let known = headers.iter().filter(|column| NEWER.contains(column)).count();
    let of_then = COLUMNS.iter().filter(|column| !NEWER[known..].contains(column));
    let headers =
        headers.iter().map(|column| FORMER.iter().find(|(was, _)| *was == column).map_or(column, |(_, is)| is));
    if headers.clone().ne(of_then.copied()) {
        return Err(anyhow!("its columns are not those of this version of loadcmp"));
    }
    let columns = headers.count();
    let mut row = csv::ByteRecord::new();
    let mut batch = Vec::with_capacity(BATCH);
    // Only the last row may be a torso: the process may have ended in the middle of it.
    let mut torso = None;
    while sheet.read_byte_record(&mut row)? {
        if let Some(line) = torso {
            return Err(anyhow!("line {line} is not a row of this run"));
        }
        let line = row.position().map_or(0, csv::Position::line);
        // As bytes first: a torso may end inside a character.
        let text = csv::StringRecord::from_byte_record(std::mem::take(&mut row));
        match text.as_ref().ok().filter(|row| row.len() == columns).and_then(|row| sample(row, names, known)) {
            Some(sample) => batch.push(sample),
            None => torso = Some(line),
        }
        // Its memory is used again.
        row = text.map_or_else(csv::FromUtf8Error::into_byte_record, csv::StringRecord::into_byte_record);
        if batch.len() == BATCH && rows.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_err() {
            return Ok(());
        }
    }
    // Who takes no more needs no more.
    let _ = rows.send(batch);
    Ok(())
}

/// A whole row as a sample, with so many of the newer columns; `None` if any field can't be read.
fn sample(row: &csv::StringRecord, names: &Names, known: usize) -> Option<Sample> {
    let newer = |at: usize| if at < known { row.get(FIRST_NEWER + at) } else { Some("") };
    let mut cells = row.iter();
    let mut cell = || cells.next().unwrap_or_default();
    let target = names.target_number(cell())?;
    cell();
    Some(Sample {
        target,
        phase: Phase::parse(cell())?,
        block: cell().parse().ok()?,
        user: cell().parse().ok()?,
        index: cell().parse().ok()?,
        conversation: maybe(cell())?,
        turn: maybe(cell())?,
        stamps: Stamps {
            planned: nanos(cell())??,
            sent: nanos(cell())?,
            first_byte: nanos(cell())?,
            first_token: nanos(cell())?,
            last_token: nanos(cell())?,
            end: nanos(cell())?,
            dispatched: nanos(row.get(32)?)?,
            first_answer: nanos(row.get(40)?)?,
        },
        outcome: Outcome::parse(cell())?,
        http_status: maybe(cell())?,
        finish: text(as_it_was(cell())),
        prompt_tokens: maybe(cell())?,
        cached_tokens: maybe(cell())?,
        output_tokens: maybe(cell())?,
        chunks: cell().parse().ok()?,
        expected_label: names.label_number(cell()),
        label: names.label_number(cell()),
        server_total: nanos(cell())?,
        server_load: nanos(cell())?,
        server_prompt: nanos(cell())?,
        server_output: nanos(cell())?,
        request_hash: u64::from_str_radix(cell(), 16).ok()?,
        text_hash: match cell() {
            "" => None,
            hash => Some(u64::from_str_radix(hash, 16).ok()?),
        },
        error: text(as_it_was(cell())),
        item: row.get(31)?.parse::<usize>().ok()?.checked_sub(1)?,
        connect: nanos(row.get(33)?)?,
        itl_max: nanos(row.get(34)?)?,
        dimensions: maybe(row.get(35)?)?,
        retries: row.get(36)?.parse().ok()?,
        thoughts: row.get(39)?.parse().ok()?,
        remarks: Remarks::parse(row.get(41)?)?,
        wanted_prompt: maybe(newer(0)?)?,
        prefix_group: maybe(newer(1)?)?,
        prefix_use: PrefixUse::parse(newer(2)?)?,
        details: Details {
            drafted: maybe(newer(3)?)?,
            accepted: maybe(newer(4)?)?,
            thought_tokens: maybe(newer(5)?)?,
            logprob: maybe(newer(6)?)?,
        },
        gaps: newer(7)?.split_ascii_whitespace().map(|gap| gap.parse().ok()).collect::<Option<Vec<u32>>>()?,
        opened: Opened::parse(row.get(row.len() - 1)?)?,
    })
}

fn text(cell: &str) -> Option<String> {
    (!cell.is_empty()).then(|| cell.to_owned())
}

/// Blank, or a number; the outer `None` is a cell that is neither.
fn maybe<T: std::str::FromStr>(cell: &str) -> Option<Option<T>> {
    if cell.is_empty() { Some(None) } else { cell.parse().ok().map(Some) }
}

/// Blank, or microseconds with three decimals. Digit by digit: a row has a dozen of them.
fn nanos(cell: &str) -> Option<Option<Nanos>> {
    let (whole, part) = match cell.as_bytes() {
        [] => return Some(None),
        [whole @ .., b'.', a, b, c] => (whole, [*a, *b, *c]),
        _ => return None,
    };
    if whole.is_empty() {
        return None;
    }
    let more = |number: u64, digit: u8| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(digit.into()) }
    };
    whole.iter().copied().chain(part).try_fold(0, more).map(|nanos| Some(Nanos(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Names {
        Names {
            targets: vec![("native".into(), "openai", false), ("ollama".into(), "ollama", true)],
            labels: vec!["bug".into(), "praise, or so".into()],
        }
    }

    fn time() -> impl Strategy<Value = Option<Nanos>> {
        prop::option::of((0..u64::MAX / 2000).prop_map(Nanos))
    }

    prop_compose! {
        fn a_sample()(
            target in 0usize..2, index: u64, turn in prop::option::of(1u32..9), planned in 0..u64::MAX / 2000,
            times in prop::collection::vec(time(), 12), outcome in 0usize..10, phase in 0usize..3,
            status in prop::option::of(100u16..600), counts in prop::collection::vec(prop::option::of(any::<u64>()), 4),
            finish in prop::option::of("[a-z,\"\n]{1,9}"), label in prop::option::of(0usize..2), hash: u64,
            error in prop::option::of("[^=+@\t\r\\-']\\PC{0,30}"), item in 0usize..1000, small: u32,
        ) -> Sample {
            Sample {
                target, phase: [Phase::Cold, Phase::Warmup, Phase::Measure][phase], block: small, user: 3, index,
                conversation: counts[3], turn,
                stamps: Stamps { planned: Nanos(planned), dispatched: times[0], sent: times[1], first_byte: times[2],
                    first_token: times[3], first_answer: times[11], last_token: times[4], end: times[5] },
                outcome: Outcome::ALL[outcome], http_status: status, finish, prompt_tokens: counts[0],
                cached_tokens: counts[1], output_tokens: counts[2], chunks: small, expected_label: label, label,
                server_total: times[6], server_load: times[7], server_prompt: times[8], server_output: times[9],
                request_hash: hash, text_hash: counts[0], error, item, itl_max: times[10], gaps: counts.iter().flatten().map(|n| *n as u32).collect(), dimensions: turn,
                connect: times[2], retries: 1, thoughts: small / 2, remarks: Remarks::parse(if small % 2 == 0 { "no_stream bad_text" } else { "" }).unwrap(),
                opened: Opened::ALL.get(small as usize % 9).copied(), wanted_prompt: counts[1],
                prefix_group: turn, prefix_use: PrefixUse::ALL.get(small as usize % 3).copied(),
                details: Details { drafted: counts[2], accepted: counts[0], thought_tokens: counts[3], logprob: counts[3].map(|n| n as f64 / -7e17) },
            }
        }
    }

    /// The file as an earlier version wrote it, which had so many of the newer columns.
    fn older(bytes: &[u8], known: usize) -> Vec<u8> {
        let mut out = csv::Writer::from_writer(Vec::new());
        let lacks = FIRST_NEWER + known..FIRST_NEWER + NEWER.len();
        for row in csv::ReaderBuilder::new().has_headers(false).from_reader(bytes).byte_records() {
            let row = row.unwrap();
            let kept = row.iter().enumerate().filter(|(n, _)| !lacks.contains(n));
            out.write_byte_record(&kept.map(|(_, cell)| cell).collect()).unwrap();
        }
        out.into_inner().unwrap()
    }

    /// A sample as such a file holds it.
    fn as_then(sample: &Sample, known: usize) -> Sample {
        let mut then = sample.clone();
        if known < 1 {
            then.wanted_prompt = None;
        }
        if known < 2 {
            then.prefix_group = None;
        }
        if known < 3 {
            then.prefix_use = None;
        }
        if known < 4 {
            then.details.drafted = None;
        }
        if known < 5 {
            then.details.accepted = None;
        }
        if known < 6 {
            then.details.thought_tokens = None;
        }
        if known < 7 {
            then.details.logprob = None;
        }
        if known < 8 {
            then.gaps.clear();
        }
        then
    }

    fn written(samples: &[Sample]) -> Vec<u8> {
        let mut bytes = (COLUMNS.join(",") + "\n").into_bytes();
        for sample in samples {
            write_row(&mut bytes, &names(), sample);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> anyhow::Result<Vec<Sample>> {
        let mut samples = Vec::new();
        read_sheet(bytes, &names(), |sample| samples.push(sample.clone()))?;
        Ok(samples)
    }

    proptest! {
        #[test]
        fn what_is_read_back_is_what_was_written(samples in prop::collection::vec(a_sample(), 0..5)) {
            prop_assert_eq!(read(&written(&samples)).unwrap(), samples);
        }

        #[test]
        fn a_file_of_an_earlier_version_is_read(samples in prop::collection::vec(a_sample(), 2..5), known in 0..NEWER.len()) {
            let older = older(&written(&samples), known);
            let header = String::from_utf8_lossy(&older).lines().next().unwrap().to_owned();
            prop_assert!(NEWER.iter().enumerate().all(|(at, column)| header.contains(column) == (at < known)), "{}", header);
            let blank: Vec<Sample> = samples.iter().map(|sample| as_then(sample, known)).collect();
            prop_assert_eq!(read(&older).unwrap(), blank);
            // Rows are as long as their header.
            let header = older.iter().position(|byte| *byte == b'\n').unwrap();
            let rows = &written(&samples)[written(&[]).len()..];
            prop_assert!(read(&[&older[..=header], rows].concat()).is_err());
        }

        #[test]
        fn a_file_cut_anywhere_gives_the_rows_before_the_cut(samples in prop::collection::vec(a_sample(), 2..4), cut in 0.0f64..1.0) {
            let bytes = written(&samples);
            let header = written(&[]).len();
            let cut = header + ((bytes.len() - header) as f64 * cut) as usize;
            let whole = samples.iter().enumerate().take_while(|(n, _)| written(&samples[..=*n]).len() <= cut).count();
            let got = read(&bytes[..cut]).unwrap();
            // A cut just before the last line's end leaves a whole row: it may be read, too.
            prop_assert!(got.len() == whole || got.len() == whole + 1, "{} {}", got.len(), whole);
            prop_assert_eq!(&got[..whole], &samples[..whole]);
        }
    }

    #[test]
    fn a_formula_is_written_as_text() {
        for text in ["=1+1", "+1", "-1", "@x", "\tx"] {
            assert!(plain_text(text).starts_with('\''), "{text:?}");
        }
        assert_eq!(plain_text("it's"), "it's");
        for text in ["=1+1", "'=1+1", "''-x", "'quoted'", "plain", "", "'", "it's"] {
            assert_eq!(as_it_was(&plain_text(text)), text);
        }
    }

    #[test]
    fn columns_of_another_version_are_refused() {
        let mut columns = COLUMNS.to_vec();
        columns.push("more");
        for columns in [&columns[..], &COLUMNS[..FIRST_NEWER], &COLUMNS[1..]] {
            assert!(read(columns.join(",").as_bytes()).is_err());
        }
    }

    #[test]
    fn a_column_by_its_earlier_name_is_read() {
        let header = COLUMNS.join(",").replace("itl_max_us", "gap_max_us");
        assert!(read(header.as_bytes()).is_ok_and(|rows| rows.is_empty()));
    }

    #[test]
    fn a_broken_row_in_the_middle_is_an_error_with_its_line() {
        let mut bytes = written(&[]);
        bytes.extend_from_slice(b"nonsense\nmore\n");
        assert!(read(&bytes).unwrap_err().to_string().contains("line 2"));
    }
}
