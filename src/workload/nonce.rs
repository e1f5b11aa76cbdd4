//! What stands at the start of a prompt so that no engine finds it in a cache: drawn for each request, the same for every
//! target, always as many bytes.

use crate::record::Phase;
use crate::scenario::plan::WorkloadPlan;

/// What stands around it. A heading that says nothing: small models take it for none of their business, where they repeat a
/// number in brackets or a comment (docs/fair-setup.md has the figures).
pub(super) const AROUND: [&str; 2] = ["Request ", ".\n\n"];

/// Digits by which a nonce is known in an answer: one that is cut holds no more.
const SEEN: usize = 4;

/// Words that stand for digits where a prompt's tokens are counted: of digits, two numbers are different counts of tokens.
/// Four letters each, and words so common that a tokeniser of English has each of them as one token.
pub(super) const DIGITS: [&str; 16] = [
    "time", "year", "life", "part", "case", "week", "work", "home", "room", "area", "book", "word", "side", "kind",
    "head", "hand",
];

/// Words of a nonce: the hexadecimal digits of 32 bits.
pub(super) const NONCE_WORDS: u32 = 8;

/// What stands in an item's text where the nonce behind its group's prefix goes.
pub const BEHIND: u32 = 0xbe41_4d1e;

/// The nonces of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nonce {
    /// At the start of its prompt.
    pub start: u32,
    /// Behind the prefix that it shares with its group, where there is one: then the one at the start is the group's.
    pub behind: Option<u32>,
}

/// How a nonce is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonceForm {
    /// In hexadecimal digits.
    #[default]
    Digits,
    /// In words, each a token: where the tokens of a prompt are counted.
    Words,
}

impl NonceForm {
    /// The form of a plan's nonces.
    pub fn of(workload: &WorkloadPlan) -> Self {
        if workload.tokens.is_some() { NonceForm::Words } else { NonceForm::Digits }
    }

    /// The part of a nonce that changes: as many bytes whatever the nonce.
    pub fn digits(self, nonce: u32) -> String {
        match self {
            NonceForm::Digits => hex(nonce).iter().map(|digit| char::from(*digit)).collect(),
            NonceForm::Words => {
                let word = |place: u32| DIGITS[(nonce >> (28 - 4 * place) & 15) as usize];
                (0..NONCE_WORDS).map(word).collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// A nonce as it stands at the start of a prompt: of the system message where there is one.
    pub fn text(self, nonce: u32) -> String {
        let [before, after] = AROUND;
        format!("{before}{}{after}", self.digits(nonce))
    }
}

/// Whether an answer repeats the nonce of its prompt: its model took it for a part of the task. Of a nonce in words it is not
/// known: they are words like others.
pub fn repeats_nonce(answer: &str, nonce: u32, form: NonceForm) -> bool {
    if form == NonceForm::Words {
        return false;
    }
    let begins = |at: usize| !answer[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    memchr::memmem::find_iter(answer.as_bytes(), &hex(nonce)[..SEEN]).any(begins)
}

/// The hexadecimal digits of a nonce. Paid for every request: no formatter.
fn hex(nonce: u32) -> [u8; 8] {
    std::array::from_fn(|place| b"0123456789abcdef"[(nonce >> (28 - 4 * place) & 15) as usize])
}

/// The nonce at the start of a group's prefix. Its first words are the group's number, so that prefixes differ from their first
/// word on (16 groups; of more, from the second).
pub(super) fn draw_for_group(salt: u64, phase: Phase, group: u32) -> u32 {
    let drawn = draw(!salt, phase, u64::from(group));
    let number = (group & 0xff).wrapping_add(salt as u32 & 0xff) & 0xff;
    (drawn & 0x00ff_ffff) | (number & 0xf) << 28 | (number >> 4) << 24
}

/// The nonce of a unit: a bijective mix of its place and the salt (the finaliser of SplitMix64), so that any of them is
/// had without the others, and for next to nothing.
pub(super) fn draw(salt: u64, phase: Phase, number: u64) -> u32 {
    let mut mixed = salt ^ (number << 2 | phase as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ mixed >> 31) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_nonce_is_seen_though_it_is_cut() {
        let repeats = |answer| repeats_nonce(answer, 0x4718_175c, NonceForm::Digits);
        for answer in ["[4718175c] bug", "Request 4718", "It is 4718175", "(47181"] {
            assert!(repeats(answer), "{answer}");
        }
        for answer in ["bug", "471", "14718", "a4718", ""] {
            assert!(!repeats(answer), "{answer}");
        }
    }

    #[test]
    fn groups_differ_from_their_first_word_on() {
        for salt in [0, 7, 0x5eed_0ace_dead_beef] {
            let nonces: Vec<u32> = (0..256).map(|group| draw_for_group(salt, Phase::Measure, group)).collect();
            for some in nonces.chunks(16) {
                assert_eq!(some.iter().map(|nonce| nonce >> 28).collect::<std::collections::BTreeSet<_>>().len(), 16);
            }
            assert_eq!(nonces.iter().collect::<std::collections::BTreeSet<_>>().len(), 256);
            assert!(nonces.iter().all(|nonce| !(0..256).any(|g| draw_for_group(salt, Phase::Warmup, g) == *nonce)));
        }
    }

    #[test]
    fn a_nonce_takes_as_much_room_whatever_it_is() {
        assert_eq!(NonceForm::Digits.text(0xab), "Request 000000ab.\n\n");
        assert_eq!(
            NonceForm::Words.text(0x0123_cdef),
            "Request time year life part word side head hand.\n\n".replace("word side", "side kind")
        );
        for form in [NonceForm::Digits, NonceForm::Words] {
            let lengths: std::collections::BTreeSet<usize> =
                [0, 1, 0xab, u32::MAX, 0x5eed_0ace].map(|nonce| form.digits(nonce).len()).into();
            assert_eq!(lengths.len(), 1, "{form:?}");
        }
        let mut words = DIGITS.to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 16);
    }
}
