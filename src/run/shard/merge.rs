//! `loadcmp merge`: one result of the rows of all generators. Their stamps are put on shard 0's clock, every planned request is to
//! be there once, and the rows are folded by what folds those of one run.

use super::super::against_baseline::COPY as BASELINE;
use super::super::{Failure, Finished, free, pack_rows, retell};
use super::deal::Deal;
use crate::drive::LaneWindow;
use crate::record::columns::{COLUMNS, Names, write_row};
use crate::record::rows::read_batches;
use crate::record::{Nanos, Outcome, Phase, Sample};
use crate::report::{Cause, ClockReading, Manifest, ShardFacts, Status, replace};
use crate::scenario::Shard;
use crate::scenario::plan::{LoadPlan, Until};
use anyhow::{Context, anyhow};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

/// A clock's error may be this share of a stretch of which its window has [`STRETCHES`], at most.
const CLOCK_SHARE: f64 = 0.01;
const STRETCHES: f64 = 20.0;

/// Rows are appended in the order in which they ended, give or take what their recorder had not seen yet.
const DISORDER: Nanos = Nanos(2_000_000_000);

/// No run has as many: a number above it was never planned, and its bit is not kept.
const MOST_REQUESTS: u64 = 1 << 32;

/// Batches of rows that are read ahead of each generator.
const AHEAD: usize = 2;

/// Makes one result in `out` of the directories of all generators of a run; `packed`: its rows are compressed.
pub fn merge(dirs: &[PathBuf], out: &Path, packed: bool) -> Result<Finished, Failure> {
    free(out)?;
    let parts = parts(dirs)?;
    let merged = Manifest { packed, ..manifest(&parts)? };
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let names = Names::of(&merged.plan);
    let mut seen = Indices::new(&parts);
    replace(&out.join("samples.csv"), |file| {
        rows(&parts, &names, file, &mut seen).map_err(|error| std::io::Error::other(format!("{error:#}")))
    })
    .map_err(|error| Failure::Usage(format!("error: {error}")))?;
    // Before there is a manifest: what is no whole run can't be told as one.
    if let Err(why) = seen.whole(&parts, &merged) {
        let _ = std::fs::remove_file(out.join("samples.csv"));
        return Err(Failure::Invalid(format!("error: {why}")));
    }
    for name in ["vectors.csv", "answers.jsonl"] {
        joined(&parts, name, out)?;
    }
    // What the run is held to is the same for all.
    if let Some(kept) = parts.first().map(|part| part.dir.join(BASELINE)).filter(|kept| kept.is_file()) {
        std::fs::copy(&kept, out.join(BASELINE)).with_context(|| format!("copying {}", kept.display()))?;
    }
    if packed {
        pack_rows(out)?;
    }
    merged.write(&out.join("manifest.json")).with_context(|| format!("writing {}", out.display()))?;
    retell(out)
}

/// One generator's directory.
struct Part {
    dir: PathBuf,
    manifest: Manifest,
    facts: ShardFacts,
}

/// The directories, in the order of their shards; each is there once.
fn parts(dirs: &[PathBuf]) -> Result<Vec<Part>, Failure> {
    let wrong = |dir: &Path, why: String| Failure::Usage(format!("error: {}: {why}", dir.display()));
    let mut parts: Vec<Part> = Vec::new();
    for dir in dirs {
        let manifest = Manifest::read(&dir.join("manifest.json"))
            .map_err(|error| wrong(dir, format!("no results of a shard: manifest.json: {error}")))?;
        let Some(facts) = manifest.shard.clone() else {
            return Err(wrong(dir, "it is a whole run, and no shard of one".to_owned()));
        };
        if let Some(first) = parts.first() {
            if facts.shard.of != first.facts.shard.of {
                return Err(wrong(
                    dir,
                    format!("it is {}, and {} is {}", facts.shard, first.dir.display(), first.facts.shard),
                ));
            }
            if facts.run != first.facts.run {
                let why =
                    format!("it is of another run than {}: {} and {}", first.dir.display(), facts.run, first.facts.run);
                return Err(wrong(dir, why));
            }
            if let Some(what) = Deal::of(&first.manifest.plan).differs(&Deal::of(&manifest.plan)) {
                return Err(wrong(
                    dir,
                    format!("it is of another run than {}: {what} (there, here)", first.dir.display()),
                ));
            }
        }
        if let Some(twice) = parts.iter().find(|part| part.facts.shard == facts.shard) {
            return Err(wrong(dir, format!("{} is given twice: it is {}, too", facts.shard, twice.dir.display())));
        }
        parts.push(Part { dir: dir.clone(), manifest, facts });
    }
    let Some(one) = parts.first().map(|part| part.facts.shard) else {
        return Err(Failure::Usage("error: merge needs the directories of all shards".to_owned()));
    };
    let missing = one.missing(&parts.iter().map(|part| part.facts.shard.index).collect());
    if !missing.is_empty() {
        return Err(Failure::Usage(format!(
            "error: not all {} shards are given; missing: {missing}\n  a part would look like a smaller result: there is none without them",
            one.of
        )));
    }
    parts.sort_by_key(|part| part.facts.shard.index);
    // Those that never met began at the same instant by the time of day.
    if let Some(first) =
        parts.first().filter(|part| !part.facts.checked).and_then(|part| part.facts.clocks.first().copied())
    {
        for reading in parts.iter_mut().flat_map(|part| &mut part.facts.clocks) {
            reading.offset_ns = first.at.0.cast_signed() - reading.at.0.cast_signed();
        }
    }
    Ok(parts)
}

/// The manifest of the whole: shard 0's, with all windows on its clock.
fn manifest(parts: &[Part]) -> Result<Manifest, Failure> {
    let Some(first) = parts.first() else {
        return Err(Failure::Other(anyhow!("no shard")));
    };
    let mut merged = first.manifest.clone();
    merged.shard = None;
    merged.shards = parts
        .iter()
        .map(|part| ShardFacts { conditions: part.manifest.conditions.clone(), ..part.facts.clone() })
        .collect();
    let mut unfinished = parts.iter().filter(|part| part.manifest.status != Status::Complete);
    // One that was lost says nothing itself; the others say which it was.
    let others = unfinished.clone().find(|part| matches!(part.manifest.cause, Some(Cause::Shard(_))));
    if let Some(worse) = others.or_else(|| unfinished.next()) {
        // A killed one has no end, and no reason.
        (merged.status, merged.cause) = (Status::Interrupted, worse.manifest.cause.clone());
    }
    merged.plan.timeout = parts.iter().map(|part| part.manifest.plan.timeout).max().unwrap_or(merged.plan.timeout);
    let base = base(parts);
    let mut windows: BTreeMap<(u32, usize), LaneWindow> = BTreeMap::new();
    for part in parts {
        for window in &part.manifest.windows {
            let at = |at: Nanos| mapped(at, &part.facts.clocks, base);
            let (from, to) = (at(window.from), window.to.map(at));
            windows
                .entry((window.block, window.target))
                .and_modify(|known| {
                    known.from = known.from.min(from);
                    known.to = known.to.max(to);
                })
                .or_insert(LaneWindow { from, to, ..*window });
        }
    }
    merged.windows = windows.into_values().collect();
    // Whichever generator fared worst speaks for all: what it lacked, its requests lacked.
    let share = |part: &&Part| {
        let told = part.manifest.conditions.as_ref()?;
        Some(told.own_cores_most? / told.own_cores_allowed?)
    };
    let worst = parts.iter().max_by(|a, b| share(a).unwrap_or(0.0).total_cmp(&share(b).unwrap_or(0.0)));
    merged.conditions = worst.and_then(|part| part.manifest.conditions.clone()).map(|mut told| {
        // An engine's processes are seen by the generator on its machine, which may be another one.
        parts.iter().filter_map(|part| part.manifest.conditions.as_ref()).for_each(|other| told.learn_targets(other));
        told
    });
    clocks(parts, &merged.windows)?;
    Ok(merged)
}

/// Refuses generators whose clocks are not known well enough for what they measured.
fn clocks(parts: &[Part], windows: &[LaneWindow]) -> Result<(), Failure> {
    let shortest =
        windows.iter().filter_map(|window| Some(window.to?.since(window.from).seconds())).fold(f64::INFINITY, f64::min);
    let most = shortest / STRETCHES * CLOCK_SHARE;
    for part in parts {
        let error = part.facts.clocks.iter().map(|reading| reading.error_ns).max().unwrap_or(0) as f64 / 1e9;
        if error > most {
            return Err(Failure::Invalid(format!(
                "error: {}: its clock is known to {:.1} ms only, which is too much for windows of {shortest:.1} s ({:.1} ms)",
                part.dir.display(),
                error * 1e3,
                most * 1e3
            )));
        }
    }
    Ok(())
}

/// What is added to every stamp, so that none lies before 0: another generator's clock may have been started earlier.
fn base(parts: &[Part]) -> i64 {
    let offsets = parts.iter().flat_map(|part| &part.facts.clocks).map(|reading| reading.offset_ns);
    offsets.min().map_or(0, |least| (-least).max(0))
}

/// An instant of a generator's clock on that of shard 0, moved by `base`. Between two readings, and beyond them, the offset is on the
/// line through them: a clock that runs faster or slower is put right.
fn mapped(at: Nanos, clocks: &[ClockReading], base: i64) -> Nanos {
    let (Some(first), Some(last)) = (clocks.first(), clocks.last()) else {
        return Nanos(at.0.saturating_add_signed(base));
    };
    let (from, to) = (first.at.0 as f64, last.at.0 as f64);
    // Readings that lie too near to each other say nothing of how fast a clock runs.
    let drift = if to - from > 1e9 { (last.offset_ns - first.offset_ns) as f64 / (to - from) } else { 0.0 };
    let offset = first.offset_ns + (drift * (at.0 as f64 - from)).round() as i64;
    Nanos(at.0.saturating_add_signed(offset + base))
}

/// Puts a row's stamps on the clock of shard 0.
fn put_right(sample: &mut Sample, clocks: &[ClockReading], base: i64) {
    let at = |stamp: &mut Option<Nanos>| *stamp = stamp.map(|stamp| mapped(stamp, clocks, base));
    let stamps = &mut sample.stamps;
    stamps.planned = mapped(stamps.planned, clocks, base);
    [
        &mut stamps.dispatched,
        &mut stamps.sent,
        &mut stamps.first_byte,
        &mut stamps.first_token,
        &mut stamps.first_answer,
        &mut stamps.last_token,
        &mut stamps.end,
    ]
    .into_iter()
    .for_each(at);
}

/// Where a row stands among all: by its end, as in the file of one run.
type Place = (Nanos, Nanos, usize, u64);

fn place(sample: &Sample) -> Place {
    (sample.stamps.end.unwrap_or(sample.stamps.planned), sample.stamps.planned, sample.target, sample.index)
}

/// One generator's rows, put in order. What is sorted are places: rows are ten times as large, and stay where they are.
struct Sorted<'a> {
    batches: Receiver<Vec<Sample>>,
    /// Its clock, and what is added to every stamp.
    clocks: &'a [ClockReading],
    base: i64,
    /// What is here of them, by slot; those whose row has gone are free.
    rows: Vec<Option<Sample>>,
    free: Vec<usize>,
    waiting: BinaryHeap<Reverse<(Place, usize)>>,
    /// The latest end of a row that has come.
    latest: Nanos,
    more: bool,
}

impl<'a> Sorted<'a> {
    fn new(batches: Receiver<Vec<Sample>>, clocks: &'a [ClockReading], base: i64) -> Self {
        let (rows, free, waiting) = (Vec::new(), Vec::new(), BinaryHeap::new());
        Self { batches, clocks, base, rows, free, waiting, latest: Nanos(0), more: true }
    }

    /// The place of the next row, once it is sure to be the next.
    fn place(&mut self) -> Option<Place> {
        while self.more && self.waiting.peek().is_none_or(|Reverse((first, _))| first.0 + DISORDER >= self.latest) {
            match self.batches.recv() {
                Ok(batch) => batch.into_iter().for_each(|row| self.take(row)),
                Err(_) => self.more = false,
            }
        }
        self.waiting.peek().map(|Reverse((place, _))| *place)
    }

    fn take(&mut self, mut row: Sample) {
        put_right(&mut row, self.clocks, self.base);
        let place = place(&row);
        self.latest = self.latest.max(place.0);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.rows.push(None);
            self.rows.len() - 1
        });
        self.rows[slot] = Some(row);
        self.waiting.push(Reverse((place, slot)));
    }

    /// The row at that place.
    fn next(&mut self) -> Option<Sample> {
        let Reverse((_, slot)) = self.waiting.pop()?;
        self.free.push(slot);
        self.rows[slot].take()
    }
}

/// Writes the rows of all generators, in order.
fn rows(parts: &[Part], names: &Names, file: &mut dyn Write, seen: &mut Indices) -> anyhow::Result<()> {
    let base = base(parts);
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        let mut all = Vec::new();
        for part in parts {
            let (sender, batches) = sync_channel(AHEAD);
            readers.push(scope.spawn(move || read_batches(&part.dir, names, &sender)));
            all.push(Sorted::new(batches, &part.facts.clocks, base));
        }
        let mut file = BufWriter::with_capacity(1 << 16, file);
        file.write_all((COLUMNS.join(",") + "\n").as_bytes())?;
        let mut heads: BinaryHeap<Reverse<(Place, usize)>> = BinaryHeap::new();
        for (at, sorted) in all.iter_mut().enumerate() {
            heads.extend(sorted.place().map(|place| Reverse((place, at))));
        }
        let mut line = Vec::new();
        while let Some(Reverse((_, at))) = heads.pop() {
            if let Some(mut row) = all[at].next() {
                let shard = parts[at].facts.shard;
                row.shard = Some(shard.index);
                seen.row(&row, shard);
                line.clear();
                write_row(&mut line, names, &row);
                file.write_all(&line)?;
            }
            heads.extend(all[at].place().map(|place| Reverse((place, at))));
        }
        file.flush()?;
        drop(all);
        for reader in readers {
            reader.join().map_err(|_| anyhow!("a thread that reads rows ended early"))??;
        }
        Ok(())
    })
}

/// Which measured requests were there: each planned one is to be there once.
struct Indices {
    /// By target: a bit a request, by its number.
    there: Vec<Vec<u64>>,
    /// The first that was there twice.
    twice: Option<(usize, u64)>,
    /// The first that another generator should have sent.
    foreign: Option<(usize, u64, Shard)>,
    /// The targets and shards whose last row says that there was nobody to ask.
    refused: BTreeSet<(usize, u32)>,
    /// Whether each unit is one request, so that numbers tell whose they are.
    single: bool,
}

impl Indices {
    fn new(parts: &[Part]) -> Self {
        let plan = parts.first().map(|part| &part.manifest.plan);
        let single = plan.is_some_and(|plan| plan.task != crate::scenario::Task::Chat);
        let targets = plan.map_or(0, |plan| plan.targets.len());
        Self { there: vec![Vec::new(); targets], twice: None, foreign: None, refused: BTreeSet::new(), single }
    }

    fn row(&mut self, row: &Sample, shard: Shard) {
        if row.phase != Phase::Measure {
            return;
        }
        let Some(there) = self.there.get_mut(row.target) else {
            return;
        };
        if row.index >= MOST_REQUESTS {
            self.foreign.get_or_insert((row.target, row.index, shard));
            return;
        }
        let (word, bit) = ((row.index / 64) as usize, 1_u64 << (row.index % 64));
        if there.len() <= word {
            there.resize(word + 1, 0);
        }
        if there[word] & bit != 0 {
            self.twice.get_or_insert((row.target, row.index));
        }
        there[word] |= bit;
        match row.outcome {
            Outcome::Connect | Outcome::Unsent => self.refused.insert((row.target, shard.index)),
            _ => self.refused.remove(&(row.target, shard.index)),
        };
        if self.single && !shard.has(row.index) {
            self.foreign.get_or_insert((row.target, row.index, shard));
        }
    }

    fn has(&self, target: usize, index: u64) -> bool {
        self.there
            .get(target)
            .and_then(|there| there.get((index / 64) as usize))
            .is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    /// Refuses what isn't every planned request once; the error is a sentence.
    fn whole(&self, parts: &[Part], merged: &Manifest) -> Result<(), String> {
        let name = |target: usize| merged.plan.targets.get(target).map_or("", |target| target.name.as_str());
        if let Some((target, index)) = self.twice {
            return Err(format!("request {index} of `{}` is there twice", name(target)));
        }
        if let Some((target, index, shard)) = self.foreign {
            return Err(format!("request {index} of `{}` is not one of {shard}", name(target)));
        }
        if !self.single || merged.status != Status::Complete {
            return Ok(());
        }
        let planned = match (&merged.plan.load, merged.plan.load.until()) {
            (LoadPlan::Open(open), _) => Some(open.planned),
            (_, Until::Requests(all)) => Some(all),
            (_, Until::Duration(_)) => None,
        };
        for target in 0..self.there.len() {
            for part in parts {
                let shard = part.facts.shard;
                let end = self.there[target].len() as u64 * 64;
                let own = || (0..).map(|nth| shard.number(0, nth)).take_while(|index| *index < planned.unwrap_or(end));
                let last = own().filter(|index| self.has(target, *index)).last();
                // Without a gap as far as it got; and that is the end, where the end is a number, unless the target was gone.
                let gone = self.refused.contains(&(target, shard.index));
                let whole = planned.is_some() && !gone;
                let missing =
                    own().find(|index| !self.has(target, *index)).filter(|index| whole || Some(*index) < last);
                if let Some(index) = missing {
                    return Err(format!("request {index} of `{}` is missing", name(target)));
                }
            }
        }
        Ok(())
    }
}

/// The lines of a file of each generator, one after another, without the headers of all but the first; none where no one has it.
fn joined(parts: &[Part], name: &str, out: &Path) -> Result<(), Failure> {
    let here: Vec<PathBuf> = parts.iter().map(|part| part.dir.join(name)).filter(|path| path.exists()).collect();
    if here.is_empty() {
        return Ok(());
    }
    let header = name.ends_with(".csv");
    let written = replace(&out.join(name), |file| {
        for (number, path) in here.iter().enumerate() {
            for (line, text) in BufReader::new(std::fs::File::open(path)?).split(b'\n').enumerate() {
                if !(header && number > 0 && line == 0) {
                    file.write_all(&text?)?;
                    file.write_all(b"\n")?;
                }
            }
        }
        Ok(())
    });
    Ok(written.with_context(|| format!("writing {name}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_slower_is_put_right() {
        let reading = |at: u64, offset_ns: i64| ClockReading { at: Nanos(at), offset_ns, error_ns: 1000 };
        let one = [reading(5_000_000_000, 700)];
        assert_eq!(mapped(Nanos(1_000), &one, 0), Nanos(1_700));
        assert_eq!(mapped(Nanos(1_000), &one, 300), Nanos(2_000));
        // 100 parts in a million over 100 s.
        let two = [reading(0, -50), reading(100_000_000_000, 9_999_950)];
        assert_eq!(mapped(Nanos(50_000_000_000), &two, 0), Nanos(50_004_999_950));
        assert_eq!(mapped(Nanos(7), &[], 0), Nanos(7));
    }
}
