//! What requests to an engine take, by the first few of them.

use serde::{Deserialize, Serialize};

/// What requests to one engine take, by one short and one long request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// The target's name.
    pub target: String,
    /// Seconds of the very first request, whose model may have had to be loaded.
    pub first_s: f64,
    /// Seconds that a request takes whatever is in it.
    pub base_s: f64,
    /// Seconds for each word of a prompt.
    pub word_s: f64,
    /// Seconds for each output token.
    pub token_s: f64,
    /// Requests that the engine says it serves at once; `None` where it doesn't tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u64>,
    /// Seconds of the short answer, where answers come whole: there is no first token to tell of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_s: Option<f64>,
}

/// One request that was timed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timed {
    /// Words of its prompt.
    pub words: f64,
    /// Seconds until the first text of the answer; `None` of an answer that came whole.
    pub until_first: Option<f64>,
    /// Seconds until the answer's end.
    pub whole: f64,
    /// Output tokens, where the engine counts them.
    pub tokens: Option<f64>,
}

impl Pace {
    /// The pace behind requests that were timed; the shortest prompt first. `None` of none.
    pub fn of(target: &str, first_s: f64, timed: &[Timed], slots: Option<u64>) -> Option<Self> {
        let (short, long) = (timed.first()?, timed.last()?);
        let per_token = |timed: &Timed| {
            let tokens = timed.tokens.filter(|tokens| *tokens >= 1.0)?;
            match timed.until_first {
                Some(first) if tokens > 1.0 => Some((timed.whole - first) / (tokens - 1.0)),
                Some(_) => None,
                // What came whole says nothing of its parts: all of it goes to the tokens, of which there are most often more.
                None => Some(timed.whole / tokens),
            }
        };
        let all: Vec<f64> = timed.iter().filter_map(per_token).collect();
        let token_s = if all.is_empty() { 0.0 } else { all.iter().sum::<f64>() / all.len() as f64 };
        let before = |timed: &Timed| {
            let tokens = timed.tokens.unwrap_or(0.0);
            timed.until_first.unwrap_or((timed.whole - token_s * tokens).max(0.0))
        };
        let more = long.words - short.words;
        let word_s = if more > 0.0 { ((before(long) - before(short)) / more).max(0.0) } else { 0.0 };
        let base_s = (before(short) - word_s * short.words).max(0.0);
        let whole_s = timed.iter().all(|timed| timed.until_first.is_none()).then_some(short.whole);
        Some(Self { target: target.to_owned(), first_s, base_s, word_s, token_s, slots, whole_s })
    }

    /// Seconds that an answer of so many tokens to a prompt of so many words takes by itself.
    pub fn answer_s(&self, words: f64, tokens: f64) -> f64 {
        self.base_s + self.word_s * words + self.token_s * tokens
    }

    /// How many times as much is answered in a time with so many users as with one. Between one after the other and all at once,
    /// in the geometric middle: no engine tells beforehand how its slots share the machine.
    pub fn gain(&self, users: u32) -> f64 {
        /// Slots that are taken for granted where an engine doesn't tell.
        const SLOTS: u64 = 16;
        (u64::from(users).min(self.slots.unwrap_or(SLOTS)).max(1) as f64).sqrt()
    }

    /// Output tokens a second of one request, in a word.
    pub fn told(&self) -> String {
        let before = crate::report::human::length(self.base_s + self.word_s);
        match self.whole_s {
            _ if self.token_s <= 0.0 => format!("{}: {before} per answer", self.target),
            Some(whole) => format!("{}: {} for a short answer", self.target, crate::report::human::length(whole)),
            None => format!("{}: TTFT {before}, then {:.0} tok/s", self.target, 1.0 / self.token_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn streams_are_taken_to_pieces_and_whole_answers_scaled() {
        let timed = |words, until_first, whole, tokens| Timed { words, until_first, whole, tokens };
        // 0.1 s each, 1 ms a word, 50 ms a token: 20 tokens a second.
        let all = [timed(8.0, Some(0.108), 0.458, Some(8.0)), timed(200.0, Some(0.3), 0.65, Some(8.0))];
        let pace = Pace::of("a", 3.0, &all, Some(1)).expect("a pace");
        assert!((pace.token_s - 0.05).abs() < 1e-9 && (pace.word_s - 0.001).abs() < 1e-9, "{pace:?}");
        assert!((pace.answer_s(400.0, 100.0) - (0.1 + 0.4 + 5.0)).abs() < 1e-9, "{pace:?}");
        assert_eq!((pace.gain(1), pace.gain(64)), (1.0, 1.0));
        assert_eq!(Pace { slots: None, ..pace.clone() }.gain(4), 2.0);
        let whole = Pace::of("b", 3.0, &[timed(8.0, None, 2.0, Some(4.0))], None).expect("a pace");
        assert_eq!(whole.answer_s(8.0, 4.0), 2.0);
        // It has no first token to be told of.
        assert_eq!(whole.told(), "b: 2 s for a short answer");
        assert!(pace.told().starts_with("a: TTFT ") && pace.told().ends_with(", then 20 tok/s"), "{}", pace.told());
        // Of embeddings nothing grows.
        let embedded = Pace::of("c", 0.1, &[timed(8.0, None, 0.2, None)], None).expect("a pace");
        assert_eq!(embedded.answer_s(20.0, 0.0), 0.2);
        assert_eq!(Pace::of("d", 0.1, &[], None), None);
    }

    proptest! {
        #[test]
        fn no_pace_is_negative(first in 0.0..10.0, whole in 0.0..10.0, tokens in 0.0..9.0, streamed: bool, more in 0.0..10.0) {
            let until_first = |x: f64| streamed.then_some(x);
            let all = [
                Timed { words: 4.0, until_first: until_first(first), whole: first + whole, tokens: Some(tokens) },
                Timed { words: 200.0, until_first: until_first(more), whole: more + whole, tokens: Some(tokens) },
            ];
            let pace = Pace::of("a", 0.0, &all, None).expect("a pace");
            prop_assert!(pace.base_s >= 0.0 && pace.word_s >= 0.0 && pace.token_s >= 0.0, "{pace:?}");
            prop_assert!(pace.answer_s(100.0, 10.0).is_finite());
        }
    }
}
