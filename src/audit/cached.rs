//! Prompt tokens from a cache: what all prompts have in common (a template's head, a system message) is there whatever comes
//! after it, and isn't what a nonce is to keep from a cache.

use std::collections::BTreeMap;

/// Tokens that a nonce takes at least, with the template's end: what no cache can hold of a prompt that has one.
const NONCE: u64 = 8;
/// Different counts that are told apart.
const MOST: usize = 4096;

/// Prompt tokens of the first turns whose cached part is told.
#[derive(Clone, Debug, Default)]
pub struct Cached {
    n: u64,
    prompt: u64,
    cached: u64,
    shortest: Option<u64>,
    /// Prompts by how many of their tokens came from a cache.
    counts: BTreeMap<u64, u64>,
}

impl Cached {
    pub(super) fn push(&mut self, prompt: u64, cached: u64) {
        self.n += 1;
        self.prompt = self.prompt.saturating_add(prompt);
        self.cached = self.cached.saturating_add(cached);
        self.shortest = Some(self.shortest.map_or(prompt, |shortest| shortest.min(prompt)));
        if self.counts.len() < MOST || self.counts.contains_key(&cached) {
            *self.counts.entry(cached).or_default() += 1;
        }
    }

    /// Prompt tokens, and those of them that came from a cache.
    pub(super) fn tokens(&self) -> (u64, u64) {
        (self.prompt, self.cached)
    }

    /// Share of prompt tokens that came from a cache; `None` where that isn't told.
    pub(super) fn share(&self) -> Option<f64> {
        (self.prompt > 0).then(|| self.cached as f64 / self.prompt as f64)
    }

    /// Mean tokens of a prompt that had to be worked through.
    pub(super) fn worked(&self) -> Option<f64> {
        (self.n > 0).then(|| self.prompt.saturating_sub(self.cached) as f64 / self.n as f64)
    }

    /// Tokens at the head of all prompts that may come from a cache although each prompt has a nonce: what half of the prompts
    /// have from it, as far as it leaves room for the nonce in the shortest one.
    pub(super) fn head(&self) -> u64 {
        let half = self.counts.values().sum::<u64>() / 2;
        let mut seen = 0;
        let median = self.counts.iter().find(|(_, n)| {
            seen += **n;
            seen > half
        });
        let room = self.shortest.unwrap_or(0).saturating_sub(NONCE);
        median.map_or(0, |(cached, _)| (*cached).min(room))
    }

    /// Share of the tokens after that head that came from a cache.
    pub(super) fn share_beyond_head(&self) -> Option<f64> {
        let head = self.head();
        let beyond: u64 = self
            .counts
            .iter()
            .map(|(cached, n)| cached.saturating_sub(head).saturating_mul(*n))
            .fold(0, u64::saturating_add);
        let whole = self.prompt.saturating_sub(head.saturating_mul(self.n));
        (whole > 0).then(|| beyond as f64 / whole as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(prompts: &[(u64, u64)]) -> Cached {
        let mut all = Cached::default();
        prompts.iter().for_each(|(prompt, cached)| all.push(*prompt, *cached));
        all
    }

    fn beyond(prompts: &[(u64, u64)]) -> (u64, f64) {
        let all = of(prompts);
        let share = all.share_beyond_head().unwrap();
        (all.head(), (share * 1000.0).round() / 1000.0)
    }

    #[test]
    fn a_head_that_all_prompts_have_is_no_hit() {
        // A template's system message of 31 tokens, before prompts of 9 to 40 of their own; a slot that had nothing yet.
        assert_eq!(beyond(&[(40, 31), (52, 31), (71, 31), (45, 0)]), (31, 0.0));
        // A token or two of the nonce happen to be alike.
        assert_eq!(beyond(&[(40, 31), (52, 33), (71, 31), (60, 32), (45, 31)]), (31, 3.0 / 113.0).rounded());
        // A long instruction before the nonce.
        assert_eq!(beyond(&[(170, 150), (180, 150), (200, 150)]), (150, 0.0));
    }

    #[test]
    fn prompts_that_come_from_a_cache_whole_are_hits_however_long_they_are() {
        assert_eq!(beyond(&[(40, 39), (40, 39), (40, 39)]), (32, 7.0 / 8.0).rounded());
        assert!(beyond(&[(170, 169), (180, 179), (200, 199)]).1 > 0.9);
        // In blocks of 16 tokens.
        assert!(beyond(&[(170, 160), (180, 176), (200, 192)]).1 > 0.5);
        assert_eq!(beyond(&[(6, 6), (9, 9)]), (0, 1.0));
        // Three in five.
        assert!(beyond(&[(170, 169), (180, 179), (200, 199), (170, 0), (180, 0)]).1 > 0.5);
    }

    #[test]
    fn of_nothing_nothing_is_told() {
        let none = Cached::default();
        assert_eq!((none.share(), none.worked(), none.head(), none.share_beyond_head()), (None, None, 0, None));
        assert_eq!(of(&[(10, 10), (20, 0)]).worked(), Some(10.0));
    }

    /// To the digits that are compared.
    trait Rounded {
        fn rounded(self) -> Self;
    }

    impl Rounded for (u64, f64) {
        fn rounded(self) -> Self {
            (self.0, (self.1 * 1000.0).round() / 1000.0)
        }
    }
}
