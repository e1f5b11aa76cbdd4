//! How long answers are: a distribution over tokens, in bounded memory.

use std::collections::BTreeMap;

/// Answers by their number of tokens. Exact below 64 tokens; above, in buckets at most 1/16 of an octave wide, the same for
/// every target.
#[derive(Clone, Debug, Default)]
pub struct Lengths {
    counts: BTreeMap<u64, u64>,
    n: u64,
}

/// Lengths below this are kept as they are.
const EXACT: u64 = 64;
/// Buckets of an octave.
const PARTS: u64 = 16;

/// The bucket of a length: grows with it.
fn bucket(tokens: u64) -> u64 {
    if tokens < EXACT {
        return tokens;
    }
    let octave = u64::from(tokens.ilog2());
    let part = (tokens >> (octave - u64::from(PARTS.ilog2()))) - PARTS;
    octave * PARTS + part
}

impl Lengths {
    pub(super) fn push(&mut self, tokens: u64) {
        *self.counts.entry(bucket(tokens)).or_default() += 1;
        self.n += 1;
    }

    /// Largest distance between the two cumulative distributions, 0 to 1 (the Kolmogorov-Smirnov statistic over
    /// buckets), beyond what a single token explains: some engines count the one that ends an answer, and some don't. `None`
    /// where one of them is empty.
    pub(super) fn distance(&self, other: &Lengths) -> Option<f64> {
        if self.n == 0 || other.n == 0 {
            return None;
        }
        let (mine, theirs) = (self.shares(), other.shares());
        // The distance moves where either distribution does, or a token later.
        let places = self.counts.keys().chain(other.counts.keys()).flat_map(|bucket| [*bucket, next(*bucket)]);
        let apart = places.map(|bucket| {
            // In buckets of several tokens, one more or less is nothing.
            let before = if bucket < EXACT { bucket.checked_sub(1) } else { Some(bucket) };
            let up_to = |shares, bucket: Option<u64>| bucket.map_or(0.0, |bucket| share_to(shares, bucket));
            let (a, b) = (up_to(&mine, Some(bucket)), up_to(&theirs, Some(bucket)));
            (up_to(&mine, before) - b).max(up_to(&theirs, before) - a)
        });
        Some(apart.fold(0.0, f64::max))
    }

    /// The share of answers of at most this length, at each bucket that has any.
    fn shares(&self) -> Vec<(u64, f64)> {
        let mut sum = 0;
        let share = |(bucket, n): (&u64, &u64)| {
            sum += n;
            (*bucket, sum as f64 / self.n as f64)
        };
        self.counts.iter().map(share).collect()
    }

    /// What chance makes of that distance at most, at the 1 % level: 1.628 sqrt((n + m) / (n m)) (Smirnov's limit; with
    /// ties, as here, it is on the safe side).
    pub(super) fn by_chance(&self, other: &Lengths) -> f64 {
        let (n, m) = (self.n as f64, other.n as f64);
        1.628 * ((n + m) / (n * m)).sqrt()
    }
}

/// The bucket of one token more than there are in a bucket of one length.
fn next(of: u64) -> u64 {
    if of < EXACT { bucket(of + 1) } else { of }
}

/// The share of answers up to a bucket.
fn share_to(shares: &[(u64, f64)], bucket: u64) -> f64 {
    let at = shares.partition_point(|(known, _)| *known <= bucket);
    at.checked_sub(1).map_or(0.0, |at| shares[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lengths: &[u64]) -> Lengths {
        let mut all = Lengths::default();
        lengths.iter().for_each(|n| all.push(*n));
        all
    }

    #[test]
    fn buckets_grow_with_lengths_and_stay_narrow() {
        let mut last = 0;
        for tokens in 0..100_000_u64 {
            let at = bucket(tokens);
            assert!(at >= last, "{tokens}");
            last = at;
        }
        assert_eq!((bucket(63), bucket(64), bucket(67), bucket(68)), (63, 96, 96, 97));
        assert_eq!((bucket(127), bucket(128), bucket(135), bucket(136)), (111, 112, 112, 113));
        assert!(bucket(u64::MAX) < 1024);
    }

    #[test]
    fn distance_is_the_largest_gap_between_the_two() {
        assert_eq!(of(&[1, 2, 3, 4]).distance(&of(&[1, 2, 3, 4])), Some(0.0));
        assert_eq!(of(&[1, 2, 3, 4]).distance(&of(&[4, 5, 6, 7])), Some(0.5));
        assert_eq!(of(&[4, 5, 6, 7]).distance(&of(&[1, 2, 3, 4])), Some(0.5));
        // One token more on one side is a way of counting; two are another length.
        assert_eq!(of(&[1, 2, 3, 4]).distance(&of(&[2, 3, 4, 5])), Some(0.0));
        assert_eq!(of(&[2, 2, 2]).distance(&of(&[3, 3, 3])), Some(0.0));
        assert_eq!(of(&[2, 2, 2]).distance(&of(&[4, 4, 4])), Some(1.0));
        assert_eq!(of(&[64]).distance(&of(&[63])), Some(0.0));
        assert_eq!(of(&[100, 200]).distance(&of(&[300, 400])), Some(1.0));
        assert_eq!(of(&[1]).distance(&of(&[1000])), Some(1.0));
        assert_eq!((of(&[]).distance(&of(&[1])), of(&[1]).distance(&of(&[]))), (None, None));
    }

    #[test]
    fn chance_shrinks_with_answers() {
        let (few, many) = (of(&[1; 8]), of(&[1; 72]));
        assert!((few.by_chance(&many) - 1.628 * (80.0_f64 / 576.0).sqrt()).abs() < 1e-12);
        assert!((many.by_chance(&many) - 1.628 / 6.0).abs() < 1e-12);
    }
}
