//! What is asked: the list of requests, made before anything is sent, the same for every target.
//!
//! Items (prompts or conversations) come in; request number `n` of a phase is a pure function of the seed, the items
//! and `n`, so that a run of any length needs no more memory than its items. No input or output, no clock.

mod arrivals;
mod by_schema;
mod examples;
mod label;
mod nonce;
mod recorded;
mod source;
mod synthetic;
mod tokens;

pub use arrivals::{Arrivals, Trace};
pub use by_schema::is_by_schema;
pub use label::{keeps_schema, read_label};
pub use nonce::{BEHIND, Nonce, NonceForm, repeats_nonce};
pub use recorded::{Recorded, as_recorded};
pub use source::{AS_JSON, Around, Prompts, Record, SourceError, read_prompts, read_schema, read_shown, read_trace};

pub use tokens::{Fit, MOST_TRIALS, WordSearch, made_up, trial};

use crate::record::Phase;
use crate::scenario::{PromptCache, Sampling, Span};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// One prompt or conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The data's name for it, or its number from 1.
    pub id: String,
    /// What is said: one turn but for chat. The instruction is already around the text.
    pub turns: Vec<Turn>,
    /// Position of the right label in the plan's labels (classify).
    pub label: Option<usize>,
    /// Tokens that its whole prompt is to have, where the scenario says so.
    pub prompt_tokens: Option<u64>,
    /// The group whose prefix it shares, from 0.
    pub group: Option<u32>,
    /// Most tokens of its answer, where the data say so: then items are asked in the data's order.
    pub max_tokens: Option<u32>,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What is asked.
    pub user: String,
    /// The scripted answer, for the history of later turns.
    pub assistant: Option<String>,
    /// Pause of its user before it, where the data say one: in the place of the load's.
    pub think: Option<Span>,
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
    /// What may be shown of each turn of each item; nothing where that is what is sent.
    shown: Vec<Vec<String>>,
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
    /// The nonces in its prompt, if caches are to be busted.
    pub nonce: Option<Nonce>,
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
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // What was recorded goes out in its order: its times are of those requests.
        if items.iter().all(|item| item.max_tokens.is_none()) {
            order.shuffle(&mut rng);
            groups_in_turn(&mut order, &items, &mut rng);
        }
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
            part(&nonce::AROUND.concat());
        }
        part(&serde_json::to_string(sampling).unwrap_or_default());
        part(system.unwrap_or_default());
        for place in &order {
            let item = &items[*place as usize];
            part(&item.id);
            part(&format!("{} turns, label {:?}", item.turns.len(), item.label));
            if let Some(most) = item.max_tokens {
                part(&format!("at most {most}"));
            }
            for turn in &item.turns {
                part(&turn.user);
                part(turn.assistant.as_deref().unwrap_or_default());
                if let Some(think) = turn.think {
                    part(&format!("after {think}"));
                }
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
        Self {
            items,
            order,
            before,
            salt: (cache == PromptCache::Bust).then_some(salt),
            hash,
            hashes,
            shown: Vec::new(),
        }
    }

    /// The same list, of which these prompts are shown: the same ones, without what came from the environment or a file.
    pub fn showing(mut self, shown: Option<Vec<Item>>) -> Self {
        let sent = |item: Item| item.turns.into_iter().map(|turn| turn.user).collect();
        self.shown = shown.into_iter().flatten().map(sent).collect();
        self
    }

    /// What may be shown of a turn of an item: what is asked, without what came from the environment or a file.
    pub fn shown(&self, item: usize, turn: usize) -> &str {
        let shown = self.shown.get(item).and_then(|turns| turns.get(turn));
        let sent = || self.items.get(item).and_then(|item| item.turns.get(turn)).map(|turn| turn.user.as_str());
        shown.map(String::as_str).or_else(sent).unwrap_or_default()
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
            nonce: self.salt.map(|salt| {
                let own = nonce::draw(salt, phase, number);
                match self.items[self.order[place] as usize].group {
                    None => Nonce { start: own, behind: None },
                    Some(group) => Nonce { start: nonce::draw_for_group(salt, phase, group), behind: Some(own) },
                }
            }),
        }
    }

    /// Groups of prompts that share a prefix.
    pub fn groups(&self) -> usize {
        self.items.iter().filter_map(|item| item.group).max().map_or(0, |most| most as usize + 1)
    }

    /// Hash of what turn `turn` of a unit asks but for its nonce: equal for every target, and from run to run.
    pub fn request_hash(&self, unit: &Unit, turn: usize) -> u64 {
        self.hashes.get(unit.item).and_then(|turns| turns.get(turn)).copied().unwrap_or(0)
    }
}

/// Puts items of groups in such an order that each group comes once in every round, as long as it has any left: a short run asks
/// each as often as another. The order within a round is drawn, and so is that of a group's items.
fn groups_in_turn(order: &mut Vec<u32>, items: &[Item], rng: &mut ChaCha8Rng) {
    let group = |place: &u32| items[*place as usize].group;
    let groups = order.iter().filter_map(group).max().map_or(0, |most| most as usize + 1);
    if groups == 0 || !order.iter().all(|place| group(place).is_some()) {
        return;
    }
    let mut of = vec![Vec::new(); groups];
    for place in order.drain(..) {
        of[group(&place).unwrap_or(0) as usize].push(place);
    }
    let mut round: Vec<usize> = (0..groups).collect();
    while of.iter().any(|left| !left.is_empty()) {
        round.shuffle(rng);
        order.extend(round.iter().filter_map(|group| of[*group].pop()));
    }
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
            turns: (0..*n).map(|t| Turn { user: format!("{i}.{t}"), assistant: None, think: None }).collect(),
            ..Item::default()
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
    fn every_round_asks_each_group_once_and_its_requests_share_a_nonce() {
        let items: Vec<Item> = items(&[1; 20])
            .into_iter()
            .enumerate()
            .map(|(n, item)| Item { group: Some(n as u32 % 5), ..item })
            .collect();
        let list = |seed| Workload::new(items.clone(), seed, 9, None, &Sampling::default(), PromptCache::Bust);
        let group = |list: &Workload, n| list.items()[list.unit(Phase::Measure, n).item].group.unwrap();
        let orders: std::collections::BTreeSet<Vec<u32>> =
            (0..9).map(|seed| (0..20).map(|n| group(&list(seed), n)).collect()).collect();
        assert!(orders.len() > 5, "the seed draws the order");
        let list = list(3);
        assert_eq!(list.groups(), 5);
        let mut starts = std::collections::BTreeMap::new();
        for round in 0..8 {
            let groups: std::collections::BTreeSet<u32> = (0..5).map(|n| group(&list, round * 5 + n)).collect();
            assert_eq!(groups.len(), 5);
            for n in round * 5..round * 5 + 5 {
                let nonce = list.unit(Phase::Measure, n).nonce.unwrap();
                assert_eq!(*starts.entry(group(&list, n)).or_insert(nonce.start), nonce.start);
                let warm = list.unit(Phase::Warmup, n).nonce.unwrap();
                assert!(warm.start != nonce.start && warm.behind != nonce.behind);
            }
        }
        let behind: std::collections::BTreeSet<_> =
            (0..40).map(|n| list.unit(Phase::Measure, n).nonce.unwrap().behind).collect();
        assert_eq!(behind.len(), 40);
        assert_ne!(list.salted(1).unit(Phase::Measure, 0).nonce, list.unit(Phase::Measure, 0).nonce);
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
    }
}
