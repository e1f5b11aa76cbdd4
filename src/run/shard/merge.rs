//! `loadcmp merge`: one result of the rows of all generators. Their stamps are put on shard 0's clock, every planned request is to
//! be there once, and the rows are folded by what folds those of one run.

use super::super::against_baseline::COPY as BASELINE;
use super::super::{Failure, Finished, free, pack_rows, retell};
use super::deal::Deal;
use super::seen::Seen;
use super::sorted::{Place, Sorted};
use crate::drive::LaneWindow;
use crate::record::Nanos;
use crate::record::columns::{COLUMNS, Names};
use crate::record::lines::read_lines;
use crate::report::{Cause, ClockReading, Manifest, ShardFacts, Status, replace};
use crate::scenario::Shard;
use anyhow::{Context, anyhow};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

/// A clock's error may be this share of a stretch of which its window has [`STRETCHES`], at most.
const CLOCK_SHARE: f64 = 0.01;
const STRETCHES: f64 = 20.0;

/// Batches of rows that are read ahead of each generator.
const AHEAD: usize = 2;

/// Makes one result in `out` of the directories of all generators of a run; `packed`: its rows are compressed.
pub fn merge(dirs: &[PathBuf], out: &Path, packed: bool) -> Result<Finished, Failure> {
    free(out)?;
    let parts = parts(dirs)?;
    let merged = manifest(&parts)?;
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let names = Names::of(&merged.plan);
    let shards: Vec<Shard> = parts.iter().map(|part| part.facts.shard).collect();
    let mut seen = Seen::new(&merged.plan);
    replace(&out.join("samples.csv"), |file| {
        rows(&parts, &names, file, &mut seen).map_err(|error| std::io::Error::other(format!("{error:#}")))
    })
    .map_err(|error| Failure::Usage(format!("error: {error}")))?;
    // Before there is a manifest: what is no whole run can't be told as one.
    if let Err(why) = seen.whole(&shards, &merged) {
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
        pack_rows(out, false);
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
                "error: {}: its clock is known to {:.2} ms only, which is too much for windows of {shortest:.1} s (at most {:.2} ms)",
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

/// Writes the rows of all generators, in order.
fn rows(parts: &[Part], names: &Names, file: &mut dyn Write, seen: &mut Seen) -> anyhow::Result<()> {
    let base = base(parts);
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        let mut all = Vec::new();
        for part in parts {
            let (sender, batches) = sync_channel(AHEAD);
            let at = |at| mapped(at, &part.facts.clocks, base);
            let shard = part.facts.shard.index;
            readers.push(scope.spawn(move || read_lines(&part.dir, names, shard, at, &sender)));
            all.push(Sorted::new(batches));
        }
        let mut file = BufWriter::with_capacity(1 << 18, file);
        file.write_all((COLUMNS.join(",") + "\n").as_bytes())?;
        let mut heads: BinaryHeap<Reverse<(Place, usize)>> = BinaryHeap::new();
        for (at, sorted) in all.iter_mut().enumerate() {
            heads.extend(sorted.place().map(|place| Reverse((place, at))));
        }
        while let Some(Reverse((_, at))) = heads.pop() {
            let shard = parts[at].facts.shard;
            all[at].next(|key, line| {
                seen.row(key, shard);
                file.write_all(line)
            })?;
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
