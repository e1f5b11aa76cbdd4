//! What an engine keeps of the prompts it has worked through: the tokens that another prompt begins with are not worked through
//! again. A token is a word, as the stand-in counts them.

use super::text::{mix, quick_hash};
use crate::host::lock;
use crate::record::Nanos;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

/// A prompt that is kept: when it has been worked through, and the hash of each of its beginnings.
#[derive(Debug)]
struct CachedPrompt {
    ready: Nanos,
    beginnings: Vec<u64>,
}

/// A prompt that was looked up.
#[derive(Debug, Default)]
pub(super) struct LookedUp {
    /// Its tokens that are there: all but the last at the most, which has to be worked through for the first token.
    pub(super) cached: u32,
    beginnings: Vec<u64>,
}

/// The newest prompts, as many as fit.
#[derive(Debug)]
pub(super) struct Prefixes {
    room: usize,
    kept: Mutex<VecDeque<CachedPrompt>>,
}

impl Prefixes {
    /// Room for so many prompts.
    pub(super) fn of(room: u32) -> Self {
        Self { room: room as usize, kept: Mutex::default() }
    }

    /// Looks a prompt up at `now`.
    pub(super) fn look_up(&self, prompt: &str, now: Nanos) -> LookedUp {
        if self.room == 0 {
            return LookedUp::default();
        }
        // One for the beginning, as tokens are counted.
        let mut hash = 1;
        let words = prompt.split_ascii_whitespace().map(|word| {
            hash = mix(hash ^ quick_hash(word.as_bytes()));
            hash
        });
        let beginnings: Vec<u64> = std::iter::once(1).chain(words).collect();
        let kept = self.kept();
        let there = kept.iter().filter(|other| other.ready <= now);
        let longest = there.map(|other| common(&other.beginnings, &beginnings)).max().unwrap_or(0);
        LookedUp { cached: u32::try_from(longest.min(beginnings.len() - 1)).unwrap_or(u32::MAX), beginnings }
    }

    /// Keeps a prompt that will have been worked through at `ready`.
    pub(super) fn keep(&self, LookedUp { beginnings, .. }: LookedUp, ready: Nanos) {
        if self.room == 0 {
            return;
        }
        let mut kept = self.kept();
        kept.push_back(CachedPrompt { ready, beginnings });
        if kept.len() > self.room {
            kept.pop_front();
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<CachedPrompt>> {
        lock(&self.kept)
    }
}

/// Tokens that two prompts begin with alike. A hash covers all before it, so that equal ones end where unlike ones begin.
fn common(a: &[u64], b: &[u64]) -> usize {
    let (mut low, mut high) = (0, a.len().min(b.len()));
    while low < high {
        let middle = low + (high - low) / 2;
        if a[middle] == b[middle] { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_that_was_worked_through_is_there() {
        let prefixes = Prefixes::of(2);
        let take = |prompt: &str, now: u64| {
            let found = prefixes.look_up(prompt, Nanos(now));
            let cached = found.cached;
            prefixes.keep(found, Nanos(now + 10));
            cached
        };
        assert_eq!(take("a b c d", 0), 0);
        assert_eq!(take("a b c e", 5), 0, "it is still being worked through");
        assert_eq!(take("a b x", 20), 3, "one for the beginning, and two words");
        assert_eq!(take("a b c d", 40), 4, "of the second: the first one had to go");
        assert_eq!(take("a b c d", 60), 4, "the last token is worked through again");
        assert_eq!(take("b", 80), 1);
        assert_eq!(Prefixes::of(0).look_up("a", Nanos(9)).cached, 0);
    }
}
