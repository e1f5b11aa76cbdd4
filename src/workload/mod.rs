//! What is asked: the list of requests, made before anything is sent, the same for every target.
//!
//! Items (prompts or conversations) come in; request number `n` of a phase is a pure function of the seed, the items
//! and `n`, so that a run of any length needs no more memory than its items. No input or output, no clock.

use crate::record::Phase;
use crate::scenario::{PromptCache, Sampling};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Bytes of a nonce's text: eight hex digits, between `[` and `] `.
pub const NONCE_DIGITS: usize = 8;

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
#[derive(Debug)]
pub struct Workload {
    items: Vec<Item>,
    /// Positions in `items`, in the order they are asked; walked again and again.
    order: Vec<u32>,
    /// Requests before each place of `order`; one longer than it.
    before: Vec<u64>,
    seed: u64,
    bust: bool,
    hash: [u8; 32],
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
    pub fn new(items: Vec<Item>, seed: u64, system: Option<&str>, sampling: &Sampling, cache: PromptCache) -> Self {
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
        let hash = hasher.finalize().into();
        Self { items, order, before, seed, bust: cache == PromptCache::Bust, hash }
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
            nonce: self.bust.then(|| u32::from_le_bytes(self.draw(b"nonce", phase, number))),
        }
    }

    /// Hash of what turn `turn` of a unit asks, equal for every target.
    pub fn request_hash(&self, phase: Phase, unit: &Unit, turn: usize) -> u64 {
        let mut hasher = Sha256::new();
        hasher.update(self.hash);
        hasher.update((unit.item as u64).to_le_bytes());
        hasher.update((turn as u64).to_le_bytes());
        hasher.update(unit.nonce.map_or([0; 4], u32::to_le_bytes));
        hasher.update([u8::from(unit.nonce.is_some()), phase as u8]);
        first_u64(&hasher.finalize())
    }

    /// Four bytes drawn for a purpose, a phase and a number: a hash, so that any of them is had without the others.
    fn draw(&self, purpose: &[u8], phase: Phase, number: u64) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(purpose);
        hasher.update(self.seed.to_le_bytes());
        hasher.update([phase as u8]);
        hasher.update(number.to_le_bytes());
        let digest = hasher.finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

/// The text of a nonce as it stands at the start of a prompt.
pub fn nonce_text(nonce: u32) -> String {
    format!("[{nonce:08x}] ")
}

/// The 64-bit hash kept of a text: the first eight bytes of its SHA-256.
pub fn text_hash(bytes: &[u8]) -> u64 {
    first_u64(&Sha256::digest(bytes))
}

fn first_u64(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
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
        Workload::new(items(&[1, 3, 2]), seed, None, &Sampling::default(), cache)
    }

    #[test]
    fn the_same_seed_gives_the_same_list_and_another_seed_another() {
        let list =
            |seed| (0..20).map(|n| workload(seed, PromptCache::Bust).unit(Phase::Measure, n)).collect::<Vec<_>>();
        assert_eq!(list(1), list(1));
        assert_ne!(list(1), list(2));
        assert_eq!(workload(1, PromptCache::Bust).hash(), workload(1, PromptCache::Bust).hash());
        assert_ne!(workload(1, PromptCache::Bust).hash(), workload(1, PromptCache::AsIs).hash());
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
        assert_eq!(nonce_text(0xab).len(), NONCE_DIGITS + 3);
    }
}
