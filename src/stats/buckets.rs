//! A histogram that holds only where something was counted: for the many that live at once, one a stretch of time.
//!
//! The buckets are those of an HdrHistogram of three digits, to the last nanosecond, so that figures are the same from both.
//! That one holds a counter for every bucket up to its largest value: some 60 KiB for a few milliseconds, whether two
//! answers are in it or a million, and more at the first slow one. With four metrics of 64 stretches of each target that is
//! tens of MiB, half of which are given back and taken again each time stretches join. Times of one engine lie close
//! together; here counters come in pages of one size, which cover 3 to 6 % of a time's length each: what one stretch gives
//! back is just what the next one takes.

/// Values below this have a bucket each; above, each doubling is cut into half as many.
const FINE: u64 = 2048;
const HALF: u64 = FINE / 2;
/// Largest value, in ticks: a day in nanoseconds. Larger ones are taken for it.
const MOST: u64 = 86_400_000_000_000;

/// Buckets of a page.
const PAGE: usize = 64;

/// Counts by bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets {
    /// The counts of the pages from the first to the last with a value; those without one take a pointer's room.
    pages: Vec<Option<Box<[u32; PAGE]>>>,
    /// Number of the first page.
    first: u16,
    n: u64,
}

/// The bucket of a value; a day's is the 37,000th.
fn bucket(value: u64) -> u16 {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(FINE.trailing_zeros());
    (u64::from(shift) * HALF + (value >> shift)) as u16
}

/// The smallest value of a bucket, and how many there are in it.
fn values(bucket: u16) -> (u64, u64) {
    let bucket = u64::from(bucket);
    let shift = (bucket / HALF).saturating_sub(1);
    ((bucket - shift * HALF) << shift, 1 << shift)
}

impl Buckets {
    /// Takes a value.
    pub fn record(&mut self, value: u64) {
        let bucket = usize::from(bucket(value.min(MOST)));
        self.n += 1;
        let count = &mut self.page((bucket / PAGE) as u16)[bucket % PAGE];
        *count = count.saturating_add(1);
    }

    #[inline]
    fn page(&mut self, number: u16) -> &mut [u32; PAGE] {
        let at = usize::from(number.wrapping_sub(self.first));
        if number < self.first || at >= self.pages.len() {
            self.reach(number);
        }
        self.pages[usize::from(number - self.first)].get_or_insert_with(|| Box::new([0; PAGE]))
    }

    /// Makes room for a page.
    #[cold]
    fn reach(&mut self, number: u16) {
        if self.pages.is_empty() {
            self.first = number;
        }
        let before = self.first.saturating_sub(number);
        self.pages.splice(0..0, std::iter::repeat_n(None, before.into()));
        self.first -= before;
        self.pages.resize(self.pages.len().max(usize::from(number - self.first) + 1), None);
    }

    /// The pages with a value, with their numbers.
    fn pages(&self) -> impl Iterator<Item = (u16, &[u32; PAGE])> {
        (self.first..).zip(&self.pages).filter_map(|(number, page)| Some((number, page.as_deref()?)))
    }

    /// Takes all of another.
    pub fn add(&mut self, other: &Self) {
        for (number, counts) in other.pages() {
            let mine = self.page(number);
            mine.iter_mut().zip(counts.iter()).for_each(|(mine, others)| *mine = mine.saturating_add(*others));
        }
        self.n += other.n;
    }

    /// Number of values.
    #[cfg(test)]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The bucket of the value of rank `rank` (from 1): its smallest value, and how many there are in it.
    fn of_rank(&self, rank: u64) -> (u64, u64) {
        let mut below = 0;
        let mut last = None;
        for (number, counts) in self.pages() {
            for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                below += u64::from(*count);
                last = Some(number * PAGE as u16 + at as u16);
                if below >= rank {
                    return last.map_or((0, 1), values);
                }
            }
        }
        last.map_or((0, 1), values)
    }

    /// Every bucket's middle with its count, in rising order.
    pub fn counts(&self) -> impl Iterator<Item = (f64, u32)> + '_ {
        self.pages().flat_map(|(number, counts)| {
            counts.iter().enumerate().filter(|(_, count)| **count > 0).map(move |(at, count)| {
                let (smallest, width) = values(number * PAGE as u16 + at as u16);
                ((smallest + width / 2) as f64, *count)
            })
        })
    }

    /// The nearest-rank quantile: its bucket's largest value, as HdrHistogram tells it. `None` without values.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let (smallest, width) = self.of_rank(((q * self.n as f64).ceil() as u64).max(1));
        (self.n > 0).then(|| smallest + width - 1)
    }

    /// The median-unbiased quantile: Hyndman and Fan's type 8 (American Statistician 50(4), 1996), position
    /// (n + 1/3) q + 1/3, from the buckets' middles. `None` without values.
    ///
    /// Blocks of time compare sides with unlike numbers of rows; nearest rank would bias the smaller one.
    pub fn unbiased_quantile(&self, q: f64) -> Option<f64> {
        let n = (self.n > 0).then_some(self.n)? as f64;
        let position = ((n + 1.0 / 3.0) * q + 1.0 / 3.0).clamp(1.0, n);
        let at_rank = |rank: u64| {
            let (smallest, width) = self.of_rank(rank);
            (smallest + width / 2) as f64
        };
        let (below, part) = (position.floor(), position.fract());
        let (low, high) = (at_rank(below as u64), at_rank((below as u64 + 1).min(self.n)));
        Some(low + (high - low) * part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Buckets {
        let mut all = Buckets::default();
        values.iter().for_each(|value| all.record(*value));
        all
    }

    proptest! {
        #[test]
        fn figures_are_those_of_an_hdr_histogram(
            values in prop::collection::vec((0..47_u32, any::<u64>()), 1..200),
            cut in 0..200_usize,
            q in 0.0..1.0_f64,
        ) {
            // As many of each size.
            let values: Vec<u64> = values.iter().map(|(bits, any)| (any & ((1 << bits) - 1)).min(MOST)).collect();
            let mut told = Histogram::<u32>::new(3).unwrap();
            values.iter().for_each(|value| told.record(*value).unwrap());
            let (first, second) = values.split_at(cut.min(values.len()));
            let mut joined = of(first);
            joined.add(&of(second));
            prop_assert_eq!(&joined, &of(&values));
            prop_assert_eq!(joined.n(), told.len());
            prop_assert_eq!(joined.quantile(q.max(1e-9)), Some(told.value_at_quantile(q.max(1e-9))));
            for rank in 1..=told.len() {
                let (smallest, width) = joined.of_rank(rank);
                let value = told.value_at_quantile((rank as f64 - 0.5) / told.len() as f64);
                prop_assert_eq!(smallest, told.lowest_equivalent(value));
                prop_assert_eq!(smallest + width / 2, told.median_equivalent(value));
            }
        }
    }

    #[test]
    fn quantiles_interpolate_between_ranks() {
        let twenty = of(&(1..=20).map(|v| v * 10).collect::<Vec<_>>());
        // (20 + 1/3) 0.5 + 1/3 = 10.5: half way between the 10th and the 11th.
        assert!((twenty.unbiased_quantile(0.5).unwrap() - 105.0).abs() < 1e-9);
        assert_eq!((twenty.unbiased_quantile(1.0), twenty.quantile(1.0)), (Some(200.0), Some(200)));
        let none = Buckets::default();
        assert_eq!((none.unbiased_quantile(0.5), none.quantile(0.5), none.n()), (None, None, 0));
    }

    #[test]
    fn what_is_far_too_long_is_a_day() {
        assert_eq!(of(&[u64::MAX]), of(&[MOST]));
        assert!(bucket(MOST) < u16::MAX);
    }

    #[test]
    fn a_million_times_that_are_alike_take_little() {
        let mut all = Buckets::default();
        (0..1_000_000_u64).for_each(|i| all.record(10_000_000 + i * 7919 % 1_000_000));
        // A tenth of ten milliseconds: 122 buckets of 8 µs.
        assert!(all.pages.len() <= 4, "{}", all.pages.len());
        assert_eq!(all.n(), 1_000_000);
    }
}
