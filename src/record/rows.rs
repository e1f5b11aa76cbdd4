//! The rows of `samples.csv`, read.
//!
//! Where a row begins and ends, and its cells, are looked up here, not by the csv crate: hardly a row has a quote in it, and
//! `report` of millions of rows waits for this. One that has goes to the crate (and a test holds the two together).

use super::columns::{COLUMNS, FIRST_NEWER, FORMER, NEWER, Names, as_it_was};
use super::zst::{PLAIN, open, rows_file};
use super::{Details, Nanos, Opened, Outcome, Phase, PrefixUse, Remarks, Sample, Stamps};
use anyhow::{Context, anyhow};
use std::io::BufRead;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Rows that are handed from the thread that reads them to those that take them in one go.
const BATCH: usize = 512;
/// Batches that are read ahead.
const AHEAD: usize = 8;

/// What takes all rows of a file, one after the other.
pub type Taker<'a> = Box<dyn FnMut(&Sample) + Send + 'a>;

/// Reads `samples.csv` of a run's directory, row by row; a last row that was cut off by a crash is passed over.
pub fn read_rows(dir: &Path, names: &Names, take: impl FnMut(&Sample) + Send) -> anyhow::Result<()> {
    read_rows_for(dir, names, vec![Box::new(take)])
}

/// The same for several takers, each on a thread of its own, next to the one that reads: as many cores are at work as there are.
pub fn read_rows_for(dir: &Path, names: &Names, takers: Vec<Taker<'_>>) -> anyhow::Result<()> {
    let (file, path) = opened(dir)?;
    for_all(file, names, takers).with_context(|| format!("reading {}", path.display()))
}

/// The same in batches, which `rows` takes until nobody reads from it any more.
pub fn read_batches(dir: &Path, names: &Names, rows: &SyncSender<Vec<Sample>>) -> anyhow::Result<()> {
    let (file, path) = opened(dir)?;
    parse(file, names, |batch| rows.send(batch).is_ok()).with_context(|| format!("reading {}", path.display()))
}

fn opened(dir: &Path) -> anyhow::Result<(Box<dyn BufRead>, PathBuf)> {
    let path = rows_file(dir).unwrap_or_else(|| dir.join(PLAIN));
    let file = open(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok((file, path))
}

fn for_all(from: impl BufRead, names: &Names, takers: Vec<Taker<'_>>) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let mut senders = Vec::with_capacity(takers.len());
        let mut threads = Vec::with_capacity(takers.len());
        for mut take in takers {
            let (sender, batches): (_, Receiver<Arc<Vec<Sample>>>) = sync_channel(AHEAD);
            let all = move || batches.iter().for_each(|batch| batch.iter().for_each(&mut take));
            let thread = std::thread::Builder::new().name("fold".into()).spawn_scoped(scope, all);
            threads.push(thread.context("starting a thread that takes rows")?);
            senders.push(sender);
        }
        let read = parse(from, names, |batch| {
            let batch = Arc::new(batch);
            senders.iter().all(|sender| sender.send(Arc::clone(&batch)).is_ok())
        });
        drop(senders);
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a thread that takes rows ended early"))?;
        }
        read
    })
}

/// Reads rows and hands them on, until nobody takes them.
fn parse(from: impl BufRead, names: &Names, mut take: impl FnMut(Vec<Sample>) -> bool) -> anyhow::Result<()> {
    let mut sheet = Sheet::of(from);
    if !sheet.next()? {
        return Err(anyhow!("it is empty"));
    }
    let headers = sheet.cells()?.context("its first line is no row of columns")?;
    let known = headers.iter().filter(|column| NEWER.contains(column)).count();
    let of_then = COLUMNS.iter().filter(|column| !NEWER[known..].contains(column));
    let columns = headers.iter().count();
    let headers =
        headers.iter().map(|column| FORMER.iter().find(|(was, _)| *was == column).map_or(column, |(_, is)| is));
    if headers.ne(of_then.copied()) {
        return Err(anyhow!("its columns are not those of this version of loadcmp"));
    }
    let mut batch = Vec::with_capacity(BATCH);
    // Only the last row may be a torso: the process may have ended in the middle of it.
    let mut torso = None;
    while sheet.next()? {
        if let Some(line) = torso {
            return Err(anyhow!("line {line} is not a row of this run"));
        }
        let line = sheet.line;
        match sheet.cells()?.filter(|row| row.cells.len() == columns).and_then(|row| sample(&row, names, known)) {
            Some(sample) => batch.push(sample),
            None => torso = Some(line),
        }
        if batch.len() == BATCH && !take(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))) {
            return Ok(());
        }
    }
    // Who takes no more needs no more.
    take(batch);
    Ok(())
}

/// A file of rows, and the row that was read last.
struct Sheet<R> {
    from: R,
    /// Lines that were read.
    lines: u64,
    /// The row: its first line, its bytes without the line's end, and how many quotes are in it.
    line: u64,
    row: Vec<u8>,
    quotes: usize,
    /// Where its cells stand in `row`, or in `unquoted`.
    cells: Vec<Range<usize>>,
    unquoted: csv::StringRecord,
}

impl<R: BufRead> Sheet<R> {
    fn of(from: R) -> Self {
        let (cells, unquoted) = (Vec::with_capacity(COLUMNS.len()), csv::StringRecord::new());
        Self { from, lines: 0, line: 0, row: Vec::new(), quotes: 0, cells, unquoted }
    }

    /// Reads the next row, which goes on in the next line where a quote is open; false at the end. Empty lines are none.
    fn next(&mut self) -> std::io::Result<bool> {
        (self.line, self.quotes) = (self.lines + 1, 0);
        self.row.clear();
        loop {
            let before = self.row.len();
            if self.from.read_until(b'\n', &mut self.row)? == 0 {
                return Ok(!self.row.is_empty());
            }
            self.lines += 1;
            self.quotes += memchr::memchr_iter(b'"', &self.row[before..]).count();
            if self.quotes % 2 == 1 {
                continue;
            }
            for end in [b'\n', b'\r'] {
                self.row.pop_if(|last| *last == end);
            }
            if !self.row.is_empty() {
                return Ok(true);
            }
            self.line += 1;
        }
    }

    /// The cells of the row; `None` where it isn't text: a torso may end inside a character.
    fn cells(&mut self) -> anyhow::Result<Option<Cells<'_>>> {
        self.cells.clear();
        if self.quotes > 0 {
            let mut row = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&*self.row);
            let mut record = std::mem::take(&mut self.unquoted).into_byte_record();
            row.read_byte_record(&mut record)?;
            self.unquoted = match csv::StringRecord::from_byte_record(record) {
                Ok(record) => record,
                Err(_) => return Ok(None),
            };
            self.cells.extend((0..self.unquoted.len()).filter_map(|at| self.unquoted.range(at)));
            return Ok(Some(Cells { text: self.unquoted.as_slice(), cells: &self.cells }));
        }
        let Ok(text) = std::str::from_utf8(&self.row) else { return Ok(None) };
        let (mut from, cells) = (0, &mut self.cells);
        commas(&self.row, |comma| {
            cells.push(from..comma);
            from = comma + 1;
        });
        cells.push(from..self.row.len());
        Ok(Some(Cells { text, cells: &self.cells }))
    }
}

/// Where the commas are, eight bytes at a time: cells are so short that a search that begins again at each takes twice as long.
fn commas(row: &[u8], mut at: impl FnMut(usize)) {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let mut begin = 0;
    let (words, rest) = row.as_chunks::<8>();
    for word in words {
        // A byte is nought where a comma is, and its highest bit the only one that is set then.
        let word = u64::from_le_bytes(*word) ^ 0x2c2c_2c2c_2c2c_2c2c;
        let mut found = !(((word & LOW) + LOW) | word | LOW);
        while found != 0 {
            at(begin + found.trailing_zeros() as usize / 8);
            found &= found - 1;
        }
        begin += 8;
    }
    rest.iter().enumerate().filter(|(_, byte)| **byte == b',').for_each(|(place, _)| at(begin + place));
}

/// The cells of a row.
struct Cells<'a> {
    text: &'a str,
    cells: &'a [Range<usize>],
}

impl<'a> Cells<'a> {
    fn get(&self, at: usize) -> Option<&'a str> {
        self.text.get(self.cells.get(at)?.clone())
    }

    fn iter(&self) -> impl Iterator<Item = &'a str> + Clone {
        let text = self.text;
        self.cells.iter().filter_map(move |cell| text.get(cell.clone()))
    }
}

/// A whole row as a sample, with so many of the newer columns; `None` if any field can't be read.
fn sample(row: &Cells<'_>, names: &Names, known: usize) -> Option<Sample> {
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
        shard: maybe(newer(8)?)?,
        opened: Opened::parse(row.get(row.cells.len() - 1)?)?,
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
#[inline]
fn nanos(cell: &str) -> Option<Option<Nanos>> {
    let (whole, part) = match cell.as_bytes() {
        [] => return Some(None),
        [whole @ .., b'.', a, b, c] => (whole, [*a, *b, *c]),
        _ => return None,
    };
    if whole.is_empty() {
        return None;
    }
    let (mut nanos, mut over) = (0_u64, false);
    for digit in whole.iter().chain(&part) {
        let digit = digit.wrapping_sub(b'0');
        over |= digit > 9;
        nanos = nanos.wrapping_mul(10).wrapping_add(digit.into());
    }
    // Nineteen digits fit: 317 years.
    if over || whole.len() > 16 {
        return None;
    }
    Some(Some(Nanos(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::columns::write_row;
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
                shard: turn, prefix_group: turn, prefix_use: PrefixUse::ALL.get(small as usize % 3).copied(),
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
        if known < 9 {
            then.shard = None;
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
        for_all(bytes, &names(), vec![Box::new(|sample| samples.push(sample.clone()))])?;
        Ok(samples)
    }

    proptest! {
        #[test]
        fn what_is_read_back_is_what_was_written(samples in prop::collection::vec(a_sample(), 0..5)) {
            prop_assert_eq!(read(&written(&samples)).unwrap(), samples);
        }

        #[test]
        fn cells_are_those_that_the_csv_crate_wrote(
            rows in prop::collection::vec(prop::collection::vec("[a-c0-9,\"\n\u{e4}]{0,9}|[a-z]{0,30}", 1..9), 0..9),
        ) {
            let mut file = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            rows.iter().for_each(|row| file.write_record(row).unwrap());
            let bytes = file.into_inner().unwrap();
            let mut ours = Sheet::of(&*bytes);
            for row in rows {
                prop_assert!(ours.next().unwrap());
                prop_assert_eq!(ours.cells().unwrap().unwrap().iter().collect::<Vec<_>>(), row);
            }
            prop_assert!(!ours.next().unwrap());
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
