//! Prompts of a wanted number of tokens, made of words that are one token each for the engine that was asked.
//!
//! A tokeniser splits English at its blanks, so the tokens of a text are those of its words. [`WordSearch`] finds out, in a few
//! questions, which of the commonest words are one token each and what stands around them (template, system message,
//! instruction, nonce); a prompt of N tokens is then N less those around it, in words. Pure: whoever asks the engine is `run`.

use super::nonce::{BEHIND, DIGITS, NONCE_WORDS, NonceForm};
use super::synthetic::{self, WORDS};
use super::{Item, Turn};
use crate::scenario::{PrefixSpec, SyntheticPrompts};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Questions at most: an engine may take long for each.
pub const MOST_TRIALS: u32 = 12;

/// Words that are asked about.
const ASKED: usize = 128;

/// Words that are enough to make texts of.
const ENOUGH: usize = 64;

/// What a text begins with, so that each of its words has a blank before it.
pub(super) const OPENING: &str = "Text:";

/// The words that are asked about, those of nonces first.
fn candidates() -> Vec<&'static str> {
    let others = WORDS.split_whitespace().filter(|word| !DIGITS.contains(word));
    DIGITS.iter().copied().chain(others).take(ASKED).collect()
}

/// What a prompt of so many tokens is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Tokens of a prompt that are none of its words'.
    pub base: u64,
    /// Tokens of a word: 1 where it was found out.
    pub per_word: f64,
    /// Whether every word used was seen to be one token.
    pub exact: bool,
    pub(super) words: Vec<&'static str>,
}

impl Fit {
    /// What is taken where no engine tells: a word a token, and nothing around them.
    pub fn guess() -> Self {
        Self { base: 0, per_word: 1.0, exact: false, words: candidates() }
    }

    /// Words for so many tokens, those around them included: one at the least.
    pub(super) fn words_for(&self, tokens: u64) -> u64 {
        self.words_alone(tokens.saturating_sub(self.base))
    }

    /// Words for so many tokens, and nothing around them.
    pub(super) fn words_alone(&self, tokens: u64) -> u64 {
        ((tokens as f64 / self.per_word.max(1e-9)).round() as u64).max(1)
    }

    /// The fewest tokens that a prompt can have, its prefix aside.
    pub fn least(&self, prefix: Option<PrefixSpec>) -> u64 {
        self.base + 1 + prefix.map_or(0, |_| u64::from(NONCE_WORDS))
    }
}

/// The item of a question: a text of these words, in the scenario's instruction.
pub fn trial(words: &[&str], instruction: Option<&str>) -> Item {
    let mut text = OPENING.to_owned();
    words.iter().for_each(|word| push(&mut text, word));
    item("trial".to_owned(), &text, instruction)
}

pub(super) fn item(id: String, text: &str, instruction: Option<&str>) -> Item {
    let user = instruction.unwrap_or("{text}").replace("{text}", text);
    Item { id, turns: vec![Turn { user, assistant: None, think: None }], ..Item::default() }
}

pub(super) fn push(text: &mut String, word: &str) {
    text.push(' ');
    text.push_str(word);
}

/// The search for words that are one token each.
#[derive(Clone, Debug)]
pub struct WordSearch {
    all: Vec<&'static str>,
    /// Tokens of a prompt of the first word alone.
    one: Option<u64>,
    /// Ranges of words that are still to be asked about, the next one last.
    open: Vec<(usize, usize)>,
    /// Words that are one token.
    single: Vec<usize>,
    /// The largest question's words and the tokens they took beyond the first word's prompt.
    largest: (u64, u64),
    /// A count that can't be: the engine cuts prompts, or doesn't count.
    absurd: bool,
    asked: u32,
}

impl Default for WordSearch {
    fn default() -> Self {
        let all = candidates();
        Self {
            one: None,
            open: vec![(0, all.len())],
            single: Vec::new(),
            largest: (0, 0),
            absurd: false,
            asked: 0,
            all,
        }
    }
}

impl WordSearch {
    /// The words of the next question; `None` when enough is known.
    pub fn next(&self) -> Option<Vec<&'static str>> {
        let first = *self.all.first()?;
        if self.asked == 0 {
            return Some(vec![first]);
        }
        if self.absurd || self.asked >= MOST_TRIALS || self.single.len() >= ENOUGH {
            return None;
        }
        let (from, to) = *self.open.last()?;
        Some(std::iter::once(first).chain(self.all[from..to].iter().copied()).collect())
    }

    /// What the engine counted for the question.
    pub fn told(&mut self, tokens: u64) {
        self.asked += 1;
        let Some(one) = self.one else {
            self.one = Some(tokens);
            return;
        };
        let Some((from, to)) = self.open.pop() else { return };
        let words = (to - from) as u64;
        let Some(more) = tokens.checked_sub(one).filter(|more| *more >= words) else {
            self.absurd = true;
            return;
        };
        if words > self.largest.0 {
            self.largest = (words, more);
        }
        if more == words {
            self.single.extend(from..to);
        } else if words > 1 {
            let middle = from + (to - from) / 2;
            self.open.extend([(middle, to), (from, middle)]);
        }
    }

    /// Questions that were asked.
    pub fn asked(&self) -> u32 {
        self.asked
    }

    /// What came of it; `None` where the engine told nothing that can be used. `nonces` are in the prompts: their words have to
    /// be single, too.
    pub fn fit(&self, nonces: bool) -> Option<Fit> {
        let one = self.one.filter(|_| !self.absurd)?;
        let first_is_single = self.single.contains(&0);
        let nonces_are = (0..DIGITS.len()).all(|word| self.single.contains(&word));
        let exact = first_is_single && self.single.len() >= DIGITS.len() && (nonces_are || !nonces);
        let (words, more) = self.largest;
        let per_word = if exact || words == 0 { 1.0 } else { more as f64 / words as f64 };
        let words = if exact { self.single.iter().map(|at| self.all[*at]).collect() } else { self.all.clone() };
        Some(Fit { base: (one as f64 - per_word).max(0.0).round() as u64, per_word, exact, words })
    }
}

/// Made-up prompts of wanted numbers of tokens.
pub fn made_up(spec: &SyntheticPrompts, instruction: Option<&str>, seed: u64, fit: &Fit) -> Vec<Item> {
    let Some(lengths) = spec.tokens else { return Vec::new() };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(2);
    let openings = openings(spec.prefix, fit, seed);
    let digits = digits(&fit.words, spec.count);
    let make = |n: u32| {
        let own = u64::from(synthetic::length(lengths, &mut rng));
        let mut count = fit.words_for(own);
        let group = spec.prefix.map(|prefix| n % prefix.groups.max(1));
        let mut text = group.and_then(|group| openings.get(group as usize)).map_or(OPENING, String::as_str).to_owned();
        if group.is_some() {
            push(&mut text, &NonceForm::Words.digits(BEHIND));
            count = count.saturating_sub(u64::from(NONCE_WORDS)).max(1);
        }
        words(&mut text, &fit.words, count, (n as usize, digits), &mut rng);
        let tokens = own + spec.prefix.map_or(0, |prefix| u64::from(prefix.tokens));
        Item { prompt_tokens: Some(tokens), group, ..item((n + 1).to_string(), &text, instruction) }
    };
    (0..spec.count).map(make).collect()
}

/// What the prompts of each group begin with.
fn openings(prefix: Option<PrefixSpec>, fit: &Fit, seed: u64) -> Vec<String> {
    let Some(prefix) = prefix else { return Vec::new() };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(3);
    let digits = digits(&fit.words, prefix.groups);
    let opening = |group: u32| {
        let mut text = OPENING.to_owned();
        let count = fit.words_alone(u64::from(prefix.tokens));
        words(&mut text, &fit.words, count, (group as usize, digits), &mut rng);
        text
    };
    (0..prefix.groups).map(opening).collect()
}

/// Words that tell `of` numbers apart.
pub(super) fn digits(words: &[&str], of: u32) -> u64 {
    (1..).find(|digits| (words.len().max(2) as u64).saturating_pow(*digits) >= u64::from(of)).map_or(1, u64::from)
}

/// Appends so many words. The first of them are a number's, so that no two texts begin alike.
pub(super) fn words(
    text: &mut String,
    words: &[&'static str],
    count: u64,
    (mut rest, digits): (usize, u64),
    rng: &mut impl Rng,
) {
    for at in 0..count {
        let word = if at < digits {
            let word = words.get(rest % words.len().max(1));
            rest /= words.len().max(1);
            word
        } else {
            words.choose(rng)
        };
        push(text, word.copied().unwrap_or("word"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Lengths;
    use proptest::prelude::*;

    /// An engine that counts `base` tokens around the words, and of each word those that `of` says.
    fn search(base: u64, of: impl Fn(&str) -> u64) -> WordSearch {
        let mut search = WordSearch::default();
        while let Some(words) = search.next() {
            search.told(base + words.iter().map(|word| of(word)).sum::<u64>());
        }
        search
    }

    fn spec(tokens: Lengths) -> SyntheticPrompts {
        SyntheticPrompts { count: 40, words: None, tokens: Some(tokens), prefix: None, turns: 1 }
    }

    fn tokens_of(item: &Item, base: u64, of: &impl Fn(&str) -> u64) -> u64 {
        let words = item.turns[0].user.strip_prefix(OPENING).unwrap().split_whitespace();
        base + words.map(of).sum::<u64>()
    }

    #[test]
    fn a_tokeniser_of_english_is_known_after_two_questions() {
        let search = search(23, |_| 1);
        assert_eq!((search.asked(), search.fit(true).unwrap()), (2, Fit { base: 23, exact: true, ..Fit::guess() }));
        for item in made_up(&spec(Lengths::Fixed(512)), None, 7, &search.fit(true).unwrap()) {
            assert_eq!(tokens_of(&item, 23, &|_| 1), 512);
            assert_eq!(item.prompt_tokens, Some(512));
        }
    }

    #[test]
    fn an_engine_that_counts_nothing_or_cuts_is_not_believed() {
        let silent = {
            let mut search = WordSearch::default();
            while search.next().is_some() {
                search.told(0);
            }
            search
        };
        assert!(silent.fit(false).is_none() && silent.asked() == 2);
        let mut cut = WordSearch::default();
        while let Some(words) = cut.next() {
            cut.told((10 + words.len() as u64).min(64));
        }
        assert!(cut.fit(false).is_none());
    }

    #[test]
    fn a_tokeniser_of_letters_gives_about_as_many() {
        let letters = |word: &str| word.len() as u64 + 1;
        let search = search(40, letters);
        let fit = search.fit(true).unwrap();
        assert!(search.asked() <= MOST_TRIALS && !fit.exact, "{fit:?}");
        for item in made_up(&spec(Lengths::Fixed(2000)), None, 7, &fit) {
            let tokens = tokens_of(&item, 40, &letters) as f64;
            assert!((1800.0..2200.0).contains(&tokens), "{tokens}");
        }
    }

    #[test]
    fn no_two_prompts_begin_alike() {
        let fit = search(5, |_| 1).fit(true).unwrap();
        let items = made_up(&spec(Lengths::Uniform { min: 12, max: 90 }), Some("Read this. {text}"), 3, &fit);
        let begins = |item: &Item| item.turns[0].user.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        assert_eq!(items.iter().map(begins).collect::<std::collections::BTreeSet<_>>().len(), items.len());
        for item in &items {
            let words = item.turns[0].user.strip_prefix("Read this. Text:").unwrap().split_whitespace().count() as u64;
            assert_eq!(Some(5 + words), item.prompt_tokens);
        }
    }

    #[test]
    fn a_group_begins_alike_and_unlike_every_other_and_the_whole_is_met() {
        let fit = search(23, |_| 1).fit(true).unwrap();
        let prefix = Some(PrefixSpec { tokens: 50, groups: 4 });
        let spec = SyntheticPrompts { prefix, ..spec(Lengths::Uniform { min: 40, max: 90 }) };
        let items = made_up(&spec, Some("Read this. {text}"), 3, &fit);
        let words = |item: &Item| -> Vec<String> {
            let text = item.turns[0].user.strip_prefix("Read this. Text:").unwrap();
            text.split_whitespace().map(str::to_owned).collect()
        };
        let nonce: Vec<String> = NonceForm::Words.digits(BEHIND).split(' ').map(str::to_owned).collect();
        for item in &items {
            let (own, group) = (words(item), item.group.unwrap());
            assert_eq!(Some(23 + own.len() as u64), item.prompt_tokens);
            assert_eq!(own[50..58], nonce, "the nonce stands right behind the prefix");
            for other in &items {
                let (theirs, other) = (words(other), other.group.unwrap());
                assert_eq!(own[..50] == theirs[..50], group == other);
                assert_eq!(own[0] == theirs[0], group == other, "from the first word on");
            }
        }
        let counts = (0..4).map(|group| items.iter().filter(|item| item.group == Some(group)).count());
        assert!(counts.into_iter().all(|count| count == 10));
    }

    proptest! {
        #[test]
        fn whatever_words_are_single_the_count_is_met_where_it_is_called_exact(
            odd in prop::collection::btree_set(0usize..ASKED, 0..6), base in 0u64..200, wanted in 250u32..3000, nonces: bool,
        ) {
            let all = candidates();
            let of = |word: &str| 1 + u64::from(all.iter().position(|known| *known == word).is_some_and(|at| odd.contains(&at)));
            let search = search(base, of);
            prop_assert!(search.asked() <= MOST_TRIALS);
            let fit = search.fit(nonces).unwrap();
            for item in made_up(&spec(Lengths::Fixed(wanted)), None, 7, &fit) {
                let tokens = tokens_of(&item, base, &of);
                if fit.exact {
                    prop_assert_eq!(tokens, u64::from(wanted));
                } else {
                    prop_assert!(tokens.abs_diff(u64::from(wanted)) <= 8 + u64::from(wanted) / 5, "{}", tokens);
                }
            }
        }
    }
}
