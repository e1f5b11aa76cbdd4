//! What ratios are taken over: blocks that were driven apart, or stretches of one window.

use super::UnitSeries;
use super::headline::{HEADLINES, Headline};
use super::row::tidy;
use super::series::LEAST_UNITS;
use super::slots::{Slot, Slots, Unit};
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// The numbers of stretches that a window is cut into, the most that the rows allow: the first.
const CUTS: [usize; 4] = [12, 10, 8, LEAST_UNITS];

/// The units of one target, cut when they are asked for.
#[derive(Debug)]
pub(super) struct Batches<'a> {
    blocks: &'a BTreeMap<u32, Slots>,
    cuts: [OnceCell<BTreeMap<u32, Unit>>; CUTS.len()],
}

impl<'a> Batches<'a> {
    pub fn new(blocks: &'a BTreeMap<u32, Slots>) -> Self {
        Self { blocks, cuts: Default::default() }
    }

    /// Whether the units are blocks that were each drained and warmed.
    pub fn are_blocks(&self) -> bool {
        self.blocks.len() > 1
    }

    /// The ways to cut that there are, the most units first. Blocks can't be cut otherwise than they were driven.
    pub fn ways(&self) -> std::ops::Range<usize> {
        if self.are_blocks() {
            return 0..1;
        }
        let spanned = self.blocks.first_key_value().map_or(0, |(_, slots)| slots.spanned());
        CUTS.iter().position(|k| *k as u64 <= spanned).unwrap_or(CUTS.len())..CUTS.len()
    }

    /// The units of one way to cut, by their number.
    pub fn cut(&self, way: usize) -> &BTreeMap<u32, Unit> {
        self.cuts[way].get_or_init(|| match self.blocks.first_key_value() {
            Some((_, slots)) if !self.are_blocks() => (0..).zip(slots.stretches(CUTS[way])).collect(),
            _ => self.blocks.iter().map(|(block, slots)| (*block, slots.whole())).collect(),
        })
    }

    /// A metric's values over as many units as all have the rows for it; in the metric's unit of measure.
    pub fn values(&self, path: &str) -> Option<Vec<f64>> {
        let headline = HEADLINES.iter().find(|headline| headline.path == path)?;
        self.ways().find_map(|way| self.read(headline, way))
    }

    fn read(&self, headline: &Headline, way: usize) -> Option<Vec<f64>> {
        let scale = headline.ticks_per_unit().recip();
        let values = self.cut(way).values().map(|unit| headline.value(unit).map(|v| v * scale));
        values.collect::<Option<Vec<f64>>>().filter(|values| values.len() >= LEAST_UNITS)
    }

    /// Every headline metric that has the rows for it.
    pub fn series(&self) -> Vec<UnitSeries> {
        let of = |headline: &Headline| {
            let values = self.values(headline.path)?.into_iter().map(tidy).collect();
            Some(UnitSeries { metric: headline.path.to_owned(), values, apart: self.are_blocks() })
        };
        HEADLINES.iter().filter_map(of).collect()
    }
}

/// Stretches of both sides' windows, side by side, as many as the shorter one allows: what a rate of an open loop is compared
/// over, whose work depends on the clock. Of each, the work and the seconds it was done in.
pub(super) fn beside(target: &Batches, reference: &Batches) -> Vec<(Slot, Slot)> {
    let way = target.ways().start.max(reference.ways().start);
    if way >= target.ways().end.min(reference.ways().end) {
        return Vec::new();
    }
    let (a, b) = (target.cut(way), reference.cut(way));
    let timed = |unit: &Unit| Slot::of_work(unit.slot.work, unit.seconds);
    // Blocks that only one side got to have nothing beside them.
    a.iter().filter_map(|(number, unit)| Some((timed(unit), timed(b.get(number)?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Nanos;
    use crate::stats::fixture::{MS, S, sample};
    use crate::stats::slots::Loop;

    /// A window of `seconds` with `rows` answers of `ms` each, evenly.
    fn window(seconds: u64, rows: u64, ms: u64) -> Slots {
        let mut slots = Slots::new(Loop::Open);
        slots.window(Nanos(S), Some(Nanos(S + seconds * S)));
        for n in 0..rows {
            let mut row = sample(0, n);
            let planned = S + n * seconds * S / rows;
            row.stamps.planned = Nanos(planned);
            row.stamps.sent = Some(Nanos(planned));
            row.stamps.end = Some(Nanos(planned + ms * MS));
            slots.see(Nanos(planned), Nanos(planned + ms * MS));
            slots.work(&row, false);
            slots.push(&row);
        }
        slots
    }

    #[test]
    fn a_window_is_cut_into_as_many_stretches_as_the_rows_allow() {
        let of = |rows| BTreeMap::from([(0, window(30, rows, 20))]);
        let n = |rows, path: &str| Batches::new(&of(rows)).values(path).map(|values| values.len());
        // 20 rows in each of 12 stretches, and not in 16.
        assert_eq!([n(1200, "latency.p50"), n(300, "latency.p95"), n(300, "latency.p50")], [Some(12); 3]);
        assert_eq!([n(60, "latency.p95"), n(1200, "ttft.p50")], [None, None]);
    }

    #[test]
    fn a_window_too_short_to_cut_has_no_units() {
        let short = BTreeMap::from([(0, {
            let mut slots = Slots::new(Loop::Open);
            slots.window(Nanos(0), Some(Nanos(200 * MS)));
            slots.see(Nanos(0), Nanos(MS));
            slots
        })]);
        let units = Batches::new(&short);
        assert!(units.ways().is_empty());
        assert_eq!(units.values("latency.p50"), None);
        assert!(beside(&units, &units).is_empty());
        assert!(Batches::new(&BTreeMap::new()).ways().is_empty());
    }

    #[test]
    fn blocks_stand_beside_those_of_the_same_number() {
        let blocks = |numbers: &[u32], ms: u64| -> BTreeMap<u32, Slots> {
            numbers.iter().map(|n| (*n, window(1, 10, ms * (1 + u64::from(*n))))).collect()
        };
        let (a, b) = (blocks(&[0, 1, 2, 3, 4, 5, 6], 20), blocks(&[1, 2, 3, 4, 5, 6], 10));
        let (a, b) = (Batches::new(&a), Batches::new(&b));
        assert!(a.are_blocks());
        let told = beside(&a, &b);
        assert_eq!(told.len(), 6);
        assert!(told.iter().all(|(a, b)| a.spent == 1.0 && b.spent == 1.0 && b.work.answers > 0.0), "{told:?}");
        let few = blocks(&[0, 1, 2], 10);
        assert_eq!(beside(&a, &Batches::new(&few)).len(), 3);
    }

    #[test]
    fn series_are_in_the_metrics_unit() {
        let blocks = BTreeMap::from([(0, window(30, 1200, 20))]);
        let series = Batches::new(&blocks).series();
        let p50 = series.iter().find(|s| s.metric == "latency.p50").unwrap();
        assert_eq!((p50.values.len(), p50.apart), (12, false));
        assert!((p50.values[0] / 20_000.0 - 1.0).abs() < 0.01, "{p50:?}");
        let rate = series.iter().find(|s| s.metric == "requests_per_s").unwrap();
        assert!((rate.values[1] / 40.0 - 1.0).abs() < 0.1, "{rate:?}");
        assert!(series.iter().all(|s| s.metric != "ttft.p50"));
    }
}
