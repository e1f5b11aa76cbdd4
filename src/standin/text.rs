//! What a stand-in says: readable words, one word a token, the same for the same prompt; and how it counts tokens.
//! Pure: no clock, no randomness of its own.

use crate::workload::AS_JSON;
use bytes::BytesMut;
use std::borrow::Cow;

/// The words, each with the space before it; a power of two of them.
const RING: [&str; 64] = [
    " the",
    " river",
    " runs",
    " past",
    " a",
    " small",
    " town",
    " where",
    " people",
    " mend",
    " boats",
    " and",
    " children",
    " count",
    " stones",
    " on",
    " warm",
    " steps",
    " while",
    " light",
    " moves",
    " over",
    " old",
    " walls",
    " every",
    " morning",
    " someone",
    " opens",
    " one",
    " green",
    " door",
    " to",
    " let",
    " fresh",
    " air",
    " into",
    " quiet",
    " rooms",
    " then",
    " bread",
    " is",
    " baked",
    " for",
    " all",
    " who",
    " come",
    " before",
    " noon",
    " with",
    " paper",
    " bags",
    " or",
    " empty",
    " hands",
    " so",
    " that",
    " nobody",
    " leaves",
    " hungry",
    " until",
    " evening",
    " falls",
    " again",
    " softly",
];

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// By itself, or at a stop string.
    Stop,
    /// At the limit that was asked.
    Length,
}

/// A whole answer, known before its first token is due.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    words: Words,
    /// Tokens generated, those of a stop string included.
    pub(super) tokens: u32,
    /// Those of them, at the beginning, that are thoughts and no part of the text.
    pub(super) thoughts: u32,
    pub(super) finish: Finish,
}

#[derive(Clone, Debug)]
enum Words {
    /// So many words of the ring from a place on.
    Ring { start: usize, count: u32 },
    /// These pieces.
    Pieces(Vec<String>),
}

impl Answer {
    /// `count` words of the ring; the prompt's hash decides where they start.
    pub(super) fn words(hash: u64, count: u32, finish: Finish) -> Self {
        Self { words: Words::Ring { start: (hash >> 32) as usize, count }, tokens: count, thoughts: 0, finish }
    }

    /// A text of its own: one piece a word, `limit` of them at most.
    pub(super) fn text(text: &str, limit: u32) -> Self {
        let mut pieces = pieces(text);
        let finish = if pieces.len() > limit as usize { Finish::Length } else { Finish::Stop };
        pieces.truncate(limit as usize);
        let tokens = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
        Self { words: Words::Pieces(pieces), tokens, thoughts: 0, finish }
    }

    /// The answer with so many tokens of thought before it.
    pub(super) fn after(self, thoughts: u32) -> Self {
        Self { tokens: self.tokens.saturating_add(thoughts), thoughts, ..self }
    }

    /// The answer up to the first of the stop strings, whose tokens are counted but not said.
    pub(super) fn stopped_at<S: AsRef<str>>(self, stops: &[S]) -> Self {
        if stops.is_empty() {
            return self;
        }
        let whole = self.whole();
        let found = stops.iter().map(AsRef::as_ref).filter(|stop| !stop.is_empty());
        let Some((at, end)) = found.filter_map(|stop| whole.find(stop).map(|at| (at, at + stop.len()))).min() else {
            return self;
        };
        let tokens = u32::try_from(pieces(&whole[..end]).len()).unwrap_or(u32::MAX);
        Self { words: Words::Pieces(pieces(&whole[..at])), tokens, thoughts: 0, finish: Finish::Stop }
    }

    /// Pieces that are thought or said; one token each.
    pub(super) fn len(&self) -> u32 {
        let said = match &self.words {
            Words::Ring { count, .. } => *count,
            Words::Pieces(pieces) => u32::try_from(pieces.len()).unwrap_or(u32::MAX),
        };
        said.saturating_add(self.thoughts)
    }

    /// Piece number `index`; empty beyond the last.
    pub(super) fn piece(&self, index: u32) -> &str {
        let Some(index) = index.checked_sub(self.thoughts) else { return RING[index as usize % RING.len()] };
        match &self.words {
            Words::Ring { start, .. } => RING[(start.wrapping_add(index as usize)) % RING.len()],
            Words::Pieces(pieces) => pieces.get(index as usize).map_or("", String::as_str),
        }
    }

    /// What is thought, as one text.
    pub(super) fn thought(&self) -> String {
        (0..self.thoughts).map(|index| self.piece(index)).collect()
    }

    /// The first `count` pieces as one text, without the thoughts among them.
    pub(super) fn first(&self, count: u32) -> String {
        let mut text = String::with_capacity(count as usize * 8);
        (self.thoughts..count).for_each(|index| text.push_str(self.piece(index)));
        text
    }

    /// The text of the whole answer.
    pub(super) fn whole(&self) -> String {
        self.first(self.len())
    }
}

/// Tokens of a prompt: its words and one for the beginning.
pub(super) fn prompt_tokens(text: &str) -> u32 {
    u32::try_from(text.split_ascii_whitespace().count()).map_or(u32::MAX, |words| words.saturating_add(1))
}

/// What a conversation is to the model: so many words of the template's system message before it.
pub(super) fn templated(said: Cow<'_, str>, words: u32) -> Cow<'_, str> {
    if words == 0 {
        return said;
    }
    let system: String = (0..words).map(|index| RING[index as usize % RING.len()]).collect();
    format!("{}\n{said}", system.trim_start()).into()
}

/// The text in pieces: each word with the white space before it; what white space is left at the end, too.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let end = rest[word..].find(char::is_whitespace).map_or(rest.len(), |length| word + length);
        pieces.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    pieces
}

/// The labels that a prompt asks to choose from: what follows `labels: ` to the end of the line, without its full stop.
pub(super) fn labels_in(prompt: &str) -> Option<Vec<&str>> {
    const MARK: &str = "labels: ";
    let at = prompt.find(MARK)? + MARK.len();
    let line = prompt[at..].lines().next()?;
    let line = line.split_once(AS_JSON).map_or(line, |(labels, _)| labels).trim_end();
    let labels: Vec<_> = line.strip_suffix('.').unwrap_or(line).split(", ").map(str::trim).collect();
    (labels.len() > 1 && labels.iter().all(|label| !label.is_empty())).then_some(labels)
}

/// What a JSON Schema with one enum property asks for: the property's name and the values to choose from.
pub(super) fn labels_of_schema(schema: &serde_json::Value) -> Option<(String, Vec<String>)> {
    let properties = schema.get("properties")?.as_object()?;
    properties.iter().find_map(|(name, property)| {
        let values = property.get("enum")?.as_array()?;
        let values: Vec<_> = values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
        (!values.is_empty()).then(|| (name.clone(), values))
    })
}

/// The ticket's text within loadcmp's own instruction; the whole prompt, without nonce, if it is another one.
pub(super) fn ticket_in(prompt: &str) -> &str {
    // Behind the examples, where there are some.
    let inside = prompt.rsplit_once("\n\nText: ").map(|(_, rest)| rest);
    match inside.and_then(|rest| rest.rsplit_once("\nLabel:")) {
        Some((ticket, _)) => ticket,
        // Where a schema holds the answer, the text stands last.
        None if prompt.contains(AS_JSON) => inside.unwrap_or(prompt),
        None => without_nonce(prompt),
    }
}

fn without_nonce(prompt: &str) -> &str {
    match prompt.strip_prefix("Request ").and_then(|rest| rest.split_once(".\n\n")) {
        Some((nonce, rest)) if nonce.len() == 8 && nonce.bytes().all(|b| b.is_ascii_hexdigit()) => rest,
        _ => prompt,
    }
}

/// A fast hash of a text, the same on every machine; the source of all that is drawn for a request.
pub(super) fn quick_hash(bytes: &[u8]) -> u64 {
    let mut sum = 0x9e37_79b9_7f4a_7c15 ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let word = match <[u8; 8]>::try_from(chunk) {
            Ok(word) => u64::from_le_bytes(word),
            Err(_) => chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        sum = (sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    mix(sum)
}

/// Spreads a number's bits (the last step of splitmix64).
pub(super) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Appends `text` as the inside of a JSON string.
pub(super) fn push_escaped(out: &mut BytesMut, text: &str) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        return out.extend_from_slice(text.as_bytes());
    }
    let quoted = serde_json::to_string(text).unwrap_or_default();
    out.extend_from_slice(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_pieces() {
        let answer = Answer::words(7 << 32, 5, Finish::Length);
        assert_eq!(answer.whole(), " where people mend boats and");
        assert_eq!((answer.len(), answer.tokens), (5, 5));
        let answer = Answer::text("{\"label\": \"bug\"}", 8);
        assert_eq!((answer.whole().as_str(), answer.tokens, answer.finish), ("{\"label\": \"bug\"}", 2, Finish::Stop));
        assert_eq!(Answer::text("a b c", 2).finish, Finish::Length);
    }

    #[test]
    fn a_stop_string_is_counted_and_not_said() {
        let answer = Answer::words(7 << 32, 5, Finish::Length).stopped_at(&["mend"]);
        assert_eq!((answer.whole().as_str(), answer.tokens, answer.finish), (" where people ", 3, Finish::Stop));
        let answer = Answer::words(7 << 32, 5, Finish::Length).stopped_at(&["absent"]);
        assert_eq!((answer.tokens, answer.finish), (5, Finish::Length));
    }

    #[test]
    fn labels_and_tickets_are_found() {
        let prompt = "Request 00ff00ff.\n\nAnswer with one of these labels: a, b c, d.\n\nText: It works.\nLabel: a\n\n\
                      Text: It broke.\n\nTwice.\nLabel:";
        assert_eq!(labels_in(prompt).unwrap(), ["a", "b c", "d"]);
        assert_eq!(ticket_in(prompt), "It broke.\n\nTwice.");
        assert_eq!(labels_in("no such thing"), None);
        assert_eq!(ticket_in("Request 00ff00ff.\n\nhello"), "hello");
        let schema = serde_json::json!({"properties": {"label": {"type": "string", "enum": ["x", "y"]}}});
        assert_eq!(labels_of_schema(&schema).unwrap(), ("label".to_owned(), vec!["x".to_owned(), "y".to_owned()]));
    }

    #[test]
    fn strings_are_escaped() {
        for text in ["plain", "a \"quote\"", "line\nbreak \\ ü"] {
            let mut out = BytesMut::new();
            push_escaped(&mut out, text);
            let whole = format!("\"{}\"", String::from_utf8(out.to_vec()).unwrap());
            assert_eq!(serde_json::from_str::<String>(&whole).unwrap(), text);
        }
    }

    #[test]
    fn hashes_spread() {
        let hashes: std::collections::BTreeSet<_> = (0..1000).map(|n| quick_hash(format!("{n}").as_bytes())).collect();
        assert_eq!(hashes.len(), 1000);
    }
}
