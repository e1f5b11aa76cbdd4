//! Made-up prompts: readable words, lengths from a distribution, all of it from the seed.

use crate::scenario::{Lengths, SyntheticPrompts};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};

/// Common words. The list is part of what a seed means: with another list, the same seed is another workload.
pub(super) const WORDS: &str = include_str!("words.txt");

/// The texts of each conversation (or prompt: one turn each), of as many words as are wanted.
pub(super) fn conversations(spec: &SyntheticPrompts, words_of_each: Lengths, seed: u64) -> Vec<Vec<String>> {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    // Its own stream: the order of the items is drawn from the seed itself.
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    let all = u64::from(spec.count) * u64::from(spec.turns);
    let digits = (1..).find(|digits| (words.len() as u64).saturating_pow(*digits) >= all).unwrap_or(1);
    (0..spec.count as usize)
        .map(|n| {
            let turn = |t: usize, rng: &mut ChaCha8Rng| {
                let length = length(words_of_each, rng);
                prompt(&words, (n * spec.turns as usize + t, digits), length, rng)
            };
            (0..spec.turns as usize).map(|t| turn(t, &mut rng)).collect()
        })
        .collect()
}

/// A text of `length` words. It begins with its number, written in words as so many digits, so that no two share a
/// beginning that an engine's prefix cache could reuse, however alike the rest is drawn.
fn prompt(words: &[&str], (number, digits): (usize, u32), length: u32, rng: &mut ChaCha8Rng) -> String {
    let mut text = String::new();
    let mut rest = number;
    for at in 0..length {
        let word = if at < digits {
            let word = words.get(rest % words.len().max(1)).copied().unwrap_or("word");
            rest /= words.len().max(1);
            word
        } else {
            words.choose(rng).copied().unwrap_or("word")
        };
        let sentence = at % 12 == 0;
        if at > 0 {
            text.push_str(if sentence { ". " } else { " " });
        }
        match word.chars().next() {
            Some(first) if sentence => {
                text.extend(first.to_uppercase());
                text.push_str(&word[first.len_utf8()..]);
            }
            _ => text.push_str(word),
        }
    }
    text.push('.');
    text
}

/// A length drawn from a distribution.
pub(super) fn length(lengths: Lengths, rng: &mut ChaCha8Rng) -> u32 {
    match lengths {
        Lengths::Fixed(length) => length,
        Lengths::Uniform { min, max } => rng.random_range(min.min(max)..=max),
        Lengths::Lognormal { median, sigma, max } => {
            let drawn = LogNormal::new(median.max(1.0).ln(), sigma).map_or(median, |law| law.sample(rng));
            // A float that is too large stops at the largest integer, so the cut holds for any draw.
            (drawn.round() as u32).clamp(1, max.max(1))
        }
        Lengths::Bimodal { short, long, long_share } => {
            if rng.random_bool(long_share.clamp(0.0, 1.0)) {
                long
            } else {
                short
            }
        }
    }
}
