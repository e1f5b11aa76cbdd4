//! The rows of `samples.csv`, read as samples.

use super::columns::{FIRST_NEWER, Names, as_it_was};
use super::sheet::{Cells, Taken, each_row};
use super::zst::{PLAIN, open, rows_file};
use super::{Details, Nanos, Opened, Outcome, Phase, PrefixUse, Remarks, Sample, Stamps};
use anyhow::{Context, anyhow};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

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

/// The file of a directory's rows, and where it lies.
pub(super) fn opened(dir: &Path) -> anyhow::Result<(Box<dyn BufRead>, PathBuf)> {
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
    let mut batch = Vec::with_capacity(BATCH);
    let mut more = true;
    each_row(from, |row, known| {
        let Some(sample) = sample(row, names, known) else { return Taken::NoRow };
        batch.push(sample);
        if batch.len() == BATCH {
            more = take(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
        }
        if more { Taken::Row } else { Taken::Enough }
    })?;
    if more {
        // Who takes no more needs no more.
        take(batch);
    }
    Ok(())
}

/// A whole row as a sample, with so many of the newer columns; `None` if any field can't be read.
pub(super) fn sample(row: &Cells<'_>, names: &Names, known: usize) -> Option<Sample> {
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
        opened: Opened::parse(row.last()?)?,
    })
}

fn text(cell: &str) -> Option<String> {
    (!cell.is_empty()).then(|| cell.to_owned())
}

/// Blank, or a number; the outer `None` is a cell that is neither.
fn maybe<T: std::str::FromStr>(cell: &str) -> Option<Option<T>> {
    if cell.is_empty() { Some(None) } else { cell.parse().ok().map(Some) }
}

/// Blank, or microseconds with three decimals. Four digits at a time, so that none waits for the one before it: a row has a dozen of
/// such cells.
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
    // Nineteen digits fit: 317 years.
    if whole.len() > 16 {
        return None;
    }
    let mut over = false;
    let mut digit = |digit: u8| {
        let digit = digit.wrapping_sub(b'0');
        over |= digit > 9;
        u64::from(digit)
    };
    let (first, fours) = whole.as_rchunks::<4>();
    let mut micros = first.iter().fold(0, |sum, next| sum * 10 + digit(*next));
    for [a, b, c, d] in fours {
        micros = micros * 10_000 + (digit(*a) * 1000 + digit(*b) * 100) + (digit(*c) * 10 + digit(*d));
    }
    let nanos = digit(part[0]) * 100 + digit(part[1]) * 10 + digit(part[2]);
    // What has no digits may have overflowed by now, were it put together.
    (!over).then(|| Some(Nanos(micros * 1000 + nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::columns::{COLUMNS, NEWER, write_row};
    use crate::record::lines;
    use crate::record::sheet::Cutter;
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
            let mut ours = Cutter::of(&*bytes);
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
        fn what_a_merge_copies_are_the_rows_of_samples_that_were_moved(
            samples in prop::collection::vec(a_sample(), 0..9), by in 0..9_000_000_u64, part in 1..4_u64, lacks_one: bool,
        ) {
            // Another clock, which runs slower.
            let at = |at: Nanos| Nanos(at.0 - at.0 / 9_000_000 * part + by);
            let mut moved = samples.clone();
            for sample in &mut moved {
                sample.stamps.all_mut(|stamp| *stamp = at(*stamp));
                sample.shard = Some(7);
            }
            let names = names();
            let file = written(&samples);
            let file = if lacks_one { older(&file, NEWER.len() - 1) } else { file };
            let mut got = Vec::new();
            let mut keys = Vec::new();
            lines::for_all(&*file, &names, 7, at, |batch| {
                for number in 0..batch.keys().count() {
                    let (key, line) = batch.row(number).expect("a row");
                    keys.push(*key);
                    got.extend_from_slice(line);
                }
                true
            }).unwrap();
            let rows = written(&moved).split_off(written(&[]).len());
            prop_assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&rows));
            prop_assert_eq!(keys, moved.iter().map(lines::Key::of).collect::<Vec<_>>());
        }

        #[test]
        fn a_merge_takes_no_row_for_one_that_is_none(samples in prop::collection::vec(a_sample(), 2..4), cut in 0.0f64..1.0, cell in 0..COLUMNS.len()) {
            let (bytes, header) = (written(&samples), written(&[]).len());
            let copied = |bytes: &[u8]| {
                let mut rows = 0;
                lines::for_all(bytes, &names(), 0, |at| at, |batch| {
                    rows += batch.keys().count();
                    true
                }).map(|()| rows)
            };
            let cut = header + ((bytes.len() - header) as f64 * cut) as usize;
            prop_assert_eq!(copied(&bytes[..cut]).unwrap(), read(&bytes[..cut]).unwrap().len());
            // In the middle, a cell that nothing can be made of.
            let mut rows: Vec<csv::StringRecord> = csv::ReaderBuilder::new().has_headers(false).from_reader(&*bytes).records().map(|row| row.unwrap()).collect();
            rows[1] = rows[1].iter().enumerate().map(|(at, was)| if at == cell { "?" } else { was }).collect();
            let mut out = csv::Writer::from_writer(Vec::new());
            rows.iter().for_each(|row| out.write_record(row).unwrap());
            let broken = out.into_inner().unwrap();
            prop_assert_eq!(copied(&broken).ok(), read(&broken).ok().map(|rows| rows.len()));
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
