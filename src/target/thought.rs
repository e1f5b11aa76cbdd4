//! Reasoning inside an answer's text: `<think>…</think>`, also where the template opened the block and only its end
//! comes, and harmony's channels. A tag may lie over several pieces.

/// Longest name of a channel that is kept.
const NAME_LIMIT: usize = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ThoughtState {
    #[default]
    Answer,
    Think,
    /// Between `<|start|>` or an end and the next message: whose it is.
    Header,
    /// Between `<|channel|>` and `<|message|>`: the channel's name.
    Channel,
    /// Inside a channel other than `final`.
    Aside,
}

/// What a stretch of text turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bit<'a> {
    /// Text of the answer.
    Text(&'a str),
    /// Reasoning, or a tag.
    Thought,
    /// The end of a block that nothing opened: all text before it was reasoning.
    Recant,
}

/// Tells reasoning from the answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Thoughts {
    state: ThoughtState,
    /// What may be the start of a tag.
    held: String,
    name: String,
    /// A block of either kind has begun.
    any: bool,
    harmony: bool,
    /// Blanks at the start of the text to come are the block's.
    trim: bool,
}

impl Thoughts {
    /// Whether a piece is text and nothing else: the usual case.
    pub(super) fn plain(&self, piece: &str) -> bool {
        self.state == ThoughtState::Answer
            && self.held.is_empty()
            && !self.trim
            && memchr::memchr(b'<', piece.as_bytes()).is_none()
    }

    /// Whether a block was begun and not closed.
    pub(super) fn open(&self) -> bool {
        matches!(self.state, ThoughtState::Think | ThoughtState::Channel | ThoughtState::Aside)
    }

    /// Whether it waits for more to know what it has.
    pub(super) fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes a piece. A tag's start at its end is held back until the next.
    pub(super) fn take(&mut self, piece: &str, told: &mut impl FnMut(Bit<'_>)) {
        let mut all = std::mem::take(&mut self.held);
        all.push_str(piece);
        let mut rest = all.as_str();
        let mut from = 0;
        while let Some(at) = memchr::memchr(b'<', &rest.as_bytes()[from..]).map(|found| from + found) {
            let here = &rest[at..];
            match self.tags().iter().find(|tag| here.starts_with(**tag)) {
                Some(tag) => {
                    self.said(&rest[..at], told);
                    self.tag(tag, told);
                    rest = &here[tag.len()..];
                    from = 0;
                }
                None if self.tags().iter().any(|tag| tag.starts_with(here)) => {
                    self.said(&rest[..at], told);
                    self.held = here.to_owned();
                    return;
                }
                None => from = at + 1,
            }
        }
        self.said(rest, told);
    }

    /// The answer has ended: what was held back is what it looks like.
    pub(super) fn end(&mut self, told: &mut impl FnMut(Bit<'_>)) {
        let held = std::mem::take(&mut self.held);
        self.said(&held, told);
    }

    /// The tags that mean something where we are.
    fn tags(&self) -> &'static [&'static str] {
        match (self.state, self.harmony, self.any) {
            (ThoughtState::Think, ..) => &["</think>"],
            (ThoughtState::Answer, false, false) => &["<think>", "</think>", "<|channel|>", "<|start|>"],
            (ThoughtState::Answer, false, true) => &["<think>"],
            _ => &["<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>", "<|start|>"],
        }
    }

    fn said(&mut self, text: &str, told: &mut impl FnMut(Bit<'_>)) {
        match self.state {
            _ if text.is_empty() => {}
            ThoughtState::Answer => {
                let text = if self.trim { text.trim_start() } else { text };
                if !text.is_empty() {
                    self.trim = false;
                    told(Bit::Text(text));
                }
            }
            ThoughtState::Channel => {
                if self.name.len() + text.len() <= NAME_LIMIT {
                    self.name.push_str(text);
                }
                told(Bit::Thought);
            }
            ThoughtState::Think | ThoughtState::Header | ThoughtState::Aside => told(Bit::Thought),
        }
    }

    fn tag(&mut self, tag: &str, told: &mut impl FnMut(Bit<'_>)) {
        let before = self.state;
        self.state = match tag {
            "<think>" => ThoughtState::Think,
            "<|channel|>" => {
                self.name.clear();
                ThoughtState::Channel
            }
            "<|message|>" if before == ThoughtState::Channel && !self.name.trim_start().starts_with("final") => {
                ThoughtState::Aside
            }
            "</think>" | "<|message|>" => ThoughtState::Answer,
            _ => ThoughtState::Header,
        };
        self.harmony |= tag.starts_with("<|");
        // What follows a block follows its blank line, too.
        self.trim = self.state == ThoughtState::Answer;
        let recant = tag == "</think>" && before == ThoughtState::Answer;
        self.any = true;
        told(if recant { Bit::Recant } else { Bit::Thought });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The answer's text, and whether a block stayed open.
    fn read(pieces: &[&str]) -> (String, bool) {
        let (mut thoughts, mut text) = (Thoughts::default(), String::new());
        let mut told = |bit: Bit<'_>| match bit {
            Bit::Text(more) => text.push_str(more),
            Bit::Thought => {}
            Bit::Recant => text.clear(),
        };
        for piece in pieces {
            if thoughts.plain(piece) {
                told(Bit::Text(piece));
            } else {
                thoughts.take(piece, &mut told);
            }
        }
        thoughts.end(&mut told);
        (text, thoughts.open())
    }

    const CASES: [(&str, &str, bool); 14] = [
        ("no tag: a < b <b>c</b>", "no tag: a < b <b>c</b>", false),
        ("<think>hm, neg?</think>\n\npos", "pos", false),
        ("hm, neg?</think>\n\npos", "pos", false),
        ("<think>hm, neg", "", true),
        ("<think></think>pos", "pos", false),
        ("so <think>a</think>pos </think> in text", "so pos </think> in text", false),
        ("<think>a <b> </thin </think>x", "x", false),
        ("ends in <thin", "ends in <thin", false),
        (
            "<|channel|>analysis<|message|>neg?<|end|><|start|>assistant<|channel|>final<|message|>pos<|return|>",
            "pos",
            false,
        ),
        ("<|channel|>final<|message|>pos", "pos", false),
        ("<|channel|>analysis<|message|>neg?", "", true),
        ("<|channel|>analysis<|message|>neg?<|end|>", "", false),
        ("<|start|>assistant<|message|>pos<|end|>", "pos", false),
        ("<|im_end|> is text", "<|im_end|> is text", false),
    ];

    #[test]
    fn reasoning_is_no_part_of_the_text() {
        for (answer, text, open) in CASES {
            assert_eq!(read(&[answer]), (text.to_owned(), open), "{answer}");
        }
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_makes_no_difference(case in 0..CASES.len(), cuts in prop::collection::vec(0usize..120, 0..12)) {
            let (answer, text, open) = CASES[case];
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(answer.len())).collect();
            cuts.push(answer.len());
            cuts.sort_unstable();
            let mut from = 0;
            let pieces: Vec<&str> = cuts.iter().map(|to| { let piece = &answer[from..*to]; from = *to; piece }).collect();
            prop_assert_eq!(read(&pieces), (text.to_owned(), open));
        }
    }
}
