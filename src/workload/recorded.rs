//! Requests of recorded lengths: prompts as long as they were, each with a limit of its own for its answer, in the record's order.

use super::Item;
use super::tokens::{Fit, OPENING, digits, item, push, words};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Tokens of a block that prompts share.
pub const BLOCK: u64 = 512;

/// Where the streams of blocks begin: those of everything else are small numbers.
const BLOCKS: u64 = 1 << 63;

/// The lengths of a recorded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Tokens of its whole prompt.
    pub input: u32,
    /// Tokens of its answer.
    pub output: u32,
    /// What its prompt is made of, in blocks of 512 tokens, by numbers: the same number is the same text. Empty where that
    /// wasn't recorded.
    pub blocks: Vec<u64>,
}

/// Prompts of recorded lengths.
pub fn as_recorded(all: &[Recorded], instruction: Option<&str>, seed: u64, fit: &Fit) -> Vec<Item> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(4);
    let digits = digits(&fit.words, u32::try_from(all.len()).unwrap_or(u32::MAX));
    let make = |(n, recorded): (usize, &Recorded)| {
        let mut text = OPENING.to_owned();
        let input = u64::from(recorded.input);
        if recorded.blocks.is_empty() {
            words(&mut text, &fit.words, fit.words_for(input), (n, digits), &mut rng);
        } else {
            blocks(&mut text, &recorded.blocks, input, seed, fit);
        }
        Item {
            prompt_tokens: Some(input),
            max_tokens: Some(recorded.output),
            // All that share blocks begin with one nonce, or nothing could be shared.
            group: (!recorded.blocks.is_empty()).then_some(0),
            ..item((n + 1).to_string(), &text, instruction)
        }
    };
    all.iter().enumerate().map(make).collect()
}

/// Appends the words of a prompt's blocks. What stands around the text takes the place of the first block's first tokens.
fn blocks(text: &mut String, ids: &[u64], input: u64, seed: u64, fit: &Fit) {
    let mut empty = true;
    for (place, id) in (0_u64..).zip(ids) {
        let (from, to) = ((place * BLOCK).max(fit.base), ((place + 1) * BLOCK).min(input));
        if to <= from {
            continue;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(BLOCKS | id);
        for _ in 0..fit.words_alone(to - from) {
            push(text, fit.words.choose(&mut rng).copied().unwrap_or("word"));
        }
        empty = false;
    }
    if empty {
        push(text, "word");
    }
}

#[cfg(test)]
mod tests {
    use super::super::WordSearch;
    use super::*;

    fn fit(base: u64) -> Fit {
        let mut search = WordSearch::default();
        while let Some(words) = search.next() {
            search.told(base + words.len() as u64);
        }
        search.fit(true).unwrap()
    }

    fn texts(all: &[Recorded], base: u64) -> Vec<Vec<String>> {
        let words = |item: &Item| item.turns[0].user.split_whitespace().skip(1).map(str::to_owned).collect();
        as_recorded(all, None, 7, &fit(base)).iter().map(words).collect()
    }

    #[test]
    fn lengths_are_met_to_the_token_and_equal_blocks_are_equal_texts() {
        let request = |input, blocks: &[u64]| Recorded { input, output: 3, blocks: blocks.to_vec() };
        let all = [
            request(1200, &[1, 2, 3]),
            request(1100, &[1, 2, 4]),
            request(700, &[1, 9]),
            request(1200, &[5, 2, 3]),
            request(40, &[]),
            request(41, &[]),
        ];
        let texts = texts(&all, 20);
        for (text, recorded) in texts.iter().zip(&all) {
            assert_eq!(text.len() as u64 + 20, u64::from(recorded.input));
        }
        let common = |a: usize, b: usize| texts[a].iter().zip(&texts[b]).take_while(|(x, y)| x == y).count() + 20;
        // A word or two may be the same by chance.
        assert!((1024..1030).contains(&common(0, 1)) && (512..518).contains(&common(0, 2)));
        assert!(common(0, 3) < 26 && common(4, 5) < 24);
        let items = as_recorded(&all, None, 7, &fit(20));
        assert!(items.iter().all(|item| item.max_tokens == Some(3)));
        assert_eq!((items[0].group.is_some(), items[4].group), (true, None));
        assert_ne!(as_recorded(&all, None, 8, &fit(20)), items, "the seed draws the words");
    }
}
