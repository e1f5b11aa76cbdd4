//! What is asked: the list of requests, made before anything is sent, the same for every target.
//!
//! Items (prompts or conversations) come in; request number `n` of a phase is a pure function of the seed, the items
//! and `n`, so that a run of any length needs no more memory than its items. No input or output, no clock.

mod arrivals;
mod label;
mod source;
mod synthetic;

pub use arrivals::{Arrivals, Trace};
pub use label::{keeps_schema, read_label};
pub use source::{Prompts, SourceError, read_prompts, read_trace};

use crate::record::Phase;
use crate::scenario::{PromptCache, Sampling};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Hex digits of a nonce.
pub const NONCE_DIGITS: usize = 8;

/// What stands around them at the start of a prompt. A heading that says nothing: small models take it for none of their
/// business, where they repeat a number in brackets or a comment (docs/alike.md has the figures).
const NONCE: [&str; 2] = ["Request ", ".\n\n"];

/// Digits by which a nonce is known in an answer: one that is cut holds no more.
const NONCE_SEEN: usize = 4;

/// One prompt or conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The data's name for it, or its number from 1.
    pub id: String,
    /// What is said: one turn but for chat. The instruction is already around the text.
    pub turns: Vec<Turn>,
    /// Position of the right label in the plan's labels (classify).
    pub label: Option<usize>,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What is asked.
    pub user: String,
    /// The scripted answer, for the history of later turns.
    pub assistant: Option<String>,
}

/// The whole of what can be asked.
#[derive(Clone, Debug)]
pub struct Workload {
    items: Vec<Item>,
    /// Positions in `items`, in the order they are asked; walked again and again.
    order: Vec<u32>,
    /// Requests before each place of `order`; one longer than it.
    before: Vec<u64>,
    /// What nonces are drawn from, if caches are to be busted.
    salt: Option<u64>,
    hash: [u8; 32],
    /// Hash of each turn of each item.
    hashes: Vec<Vec<u64>>,
}

/// One conversation or single request, by its number in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Number of the unit in its phase.
    pub number: u64,
    /// Number in its phase of the unit's first request.
    pub first_index: u64,
    /// Position of its item.
    pub item: usize,
    /// The nonce at the start of its prompt, if caches are to be busted.
    pub nonce: Option<u32>,
}

impl Workload {
    /// Builds the list. The order of the items is drawn once, from the seed; the hash covers items, order, seed,
    /// system message, sampling and cache rule.
    ///
    /// `salt` is a run's own: with nonces from the seed alone, a second run would find the first one's prompts in the
    /// engines' caches. It is no part of the hashes, which say that two runs ask the same.
    pub fn new(
        items: Vec<Item>,
        seed: u64,
        salt: u64,
        system: Option<&str>,
        sampling: &Sampling,
        cache: PromptCache,
    ) -> Self {
        let mut order: Vec<u32> = (0..u32::try_from(items.len()).unwrap_or(u32::MAX)).collect();
        // ChaCha8: a stream fixed by its definition, unlike the standard generator's.
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut before = vec![0];
        for place in &order {
            let turns = items[*place as usize].turns.len() as u64;
            before.push(before.last().copied().unwrap_or(0) + turns);
        }
        let mut hasher = Sha256::new();
        let mut part = |text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        part(&format!("loadcmp workload 1, seed {seed}, cache {cache:?}"));
        if cache == PromptCache::Bust {
            // Another form is another prompt.
            part(&NONCE.concat());
        }
        part(&serde_json::to_string(sampling).unwrap_or_default());
        part(system.unwrap_or_default());
        for place in &order {
            let item = &items[*place as usize];
            part(&item.id);
            part(&format!("{} turns, label {:?}", item.turns.len(), item.label));
            for turn in &item.turns {
                part(&turn.user);
                part(turn.assistant.as_deref().unwrap_or_default());
            }
        }
        let hash: [u8; 32] = hasher.finalize().into();
        let turn_hash = |item: usize, turn: usize| {
            let mut hasher = Sha256::new_with_prefix(hash);
            hasher.update((item as u64).to_le_bytes());
            hasher.update((turn as u64).to_le_bytes());
            first_u64(&hasher.finalize())
        };
        let turns = |(number, item): (usize, &Item)| (0..item.turns.len()).map(|t| turn_hash(number, t)).collect();
        let hashes = items.iter().enumerate().map(turns).collect();
        Self { items, order, before, salt: (cache == PromptCache::Bust).then_some(salt), hash, hashes }
    }

    /// The same list with nonces of its own, if caches are to be busted: what is driven again must not find its prompts in
    /// the engines' caches.
    pub fn salted(&self, salt: u64) -> Self {
        Self { salt: self.salt.map(|_| salt), ..self.clone() }
    }

    /// The items, in the data's order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Hash of the workload, as 64 hex digits.
    pub fn hash(&self) -> String {
        hex(&self.hash)
    }

    /// Unit number `number` of a phase.
    pub fn unit(&self, phase: Phase, number: u64) -> Unit {
        let (epoch, place) = (number / self.order.len() as u64, (number % self.order.len() as u64) as usize);
        let a_round = self.before.last().copied().unwrap_or(0);
        Unit {
            number,
            first_index: epoch * a_round + self.before[place],
            item: self.order[place] as usize,
            nonce: self.salt.map(|salt| nonce(salt, phase, number)),
        }
    }

    /// Hash of what turn `turn` of a unit asks but for its nonce: equal for every target, and from run to run.
    pub fn request_hash(&self, unit: &Unit, turn: usize) -> u64 {
        self.hashes.get(unit.item).and_then(|turns| turns.get(turn)).copied().unwrap_or(0)
    }
}

/// The nonce of a unit: a bijective mix of its place and the salt (the finaliser of SplitMix64), so that any of them is
/// had without the others, and for next to nothing.
fn nonce(salt: u64, phase: Phase, number: u64) -> u32 {
    let mut mixed = salt ^ (number << 2 | phase as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ mixed >> 31) as u32
}

/// The text of a nonce as it stands at the start of a prompt: of the system message where there is one.
pub fn nonce_text(nonce: u32) -> String {
    let [before, after] = NONCE;
    format!("{before}{nonce:08x}{after}")
}

/// Whether an answer repeats the nonce of its prompt: its model took it for a part of the task.
pub fn repeats_nonce(answer: &str, nonce: u32) -> bool {
    let digits = format!("{nonce:08x}");
    let begins = |at: usize| !answer[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    answer.match_indices(&digits[..NONCE_SEEN]).any(|(at, _)| begins(at))
}

/// The 64-bit hash kept of a text: the first eight bytes of its SHA-256.
pub fn text_hash(bytes: &[u8]) -> u64 {
    first_u64(&Sha256::digest(bytes))
}

fn first_u64(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Hash of several pieces of text, as 64 hex digits.
pub fn hash_of(pieces: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for piece in pieces {
        // Lengths, so that where one ends can't be shifted.
        hasher.update((piece.len() as u64).to_le_bytes());
        hasher.update(piece);
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(turns: &[usize]) -> Vec<Item> {
        let item = |(i, n): (usize, &usize)| Item {
            id: format!("{i}"),
            turns: (0..*n).map(|t| Turn { user: format!("{i}.{t}"), assistant: None }).collect(),
            label: None,
        };
        turns.iter().enumerate().map(item).collect()
    }

    fn workload(seed: u64, cache: PromptCache) -> Workload {
        Workload::new(items(&[1, 3, 2]), seed, 9, None, &Sampling::default(), cache)
    }

    #[test]
    fn the_same_seed_gives_the_same_list_and_another_seed_another() {
        let list =
            |seed| (0..20).map(|n| workload(seed, PromptCache::Bust).unit(Phase::Measure, n)).collect::<Vec<_>>();
        assert_eq!(list(1), list(1));
        assert_ne!(list(1), list(2));
        assert_eq!(workload(1, PromptCache::Bust).hash(), workload(1, PromptCache::Bust).hash());
        assert_ne!(workload(1, PromptCache::Bust).hash(), workload(1, PromptCache::AsIs).hash());
        let salted = |salt| Workload::new(items(&[1, 3, 2]), 1, salt, None, &Sampling::default(), PromptCache::Bust);
        let (a, b) = (salted(1).unit(Phase::Measure, 4), salted(2).unit(Phase::Measure, 4));
        assert_ne!(a.nonce, b.nonce, "another run, another nonce");
        assert_eq!(
            (salted(1).hash(), salted(1).request_hash(&a, 0)),
            (salted(2).hash(), salted(2).request_hash(&b, 0))
        );
    }

    #[test]
    fn requests_are_numbered_without_gaps_over_conversations_and_rounds() {
        let workload = workload(7, PromptCache::AsIs);
        let mut next = 0;
        for number in 0..12 {
            let unit = workload.unit(Phase::Measure, number);
            assert_eq!(unit.first_index, next);
            next += workload.items()[unit.item].turns.len() as u64;
        }
        assert_eq!(next, 4 * 6);
    }

    #[test]
    fn nonces_differ_between_requests_and_phases() {
        let workload = workload(7, PromptCache::Bust);
        let all: std::collections::BTreeSet<_> = [Phase::Warmup, Phase::Measure]
            .into_iter()
            .flat_map(|phase| (0..500).map(move |n| (phase, n)))
            .filter_map(|(phase, n)| workload.unit(phase, n).nonce)
            .collect();
        assert_eq!(all.len(), 1000);
        assert_eq!(nonce_text(0xab), "Request 000000ab.\n\n");
    }

    #[test]
    fn a_repeated_nonce_is_seen_though_it_is_cut() {
        for answer in ["[4718175c] bug", "Request 4718", "It is 4718175", "(47181"] {
            assert!(repeats_nonce(answer, 0x4718_175c), "{answer}");
        }
        for answer in ["bug", "471", "14718", "a4718", ""] {
            assert!(!repeats_nonce(answer, 0x4718_175c), "{answer}");
        }
    }
}
