//! A text of limits cut into words, each with its place, so that a mistake is told where it stands.

use crate::scenario::cut::{Part, cut};

/// Why a text is no list of limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SloError {
    /// What is wrong.
    pub what: String,
    /// The text.
    pub text: String,
    /// Place of the wrong part in characters, and its length.
    pub at: (usize, usize),
    /// What to do.
    pub help: String,
}

impl std::fmt::Display for SloError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let caret = format!("{}{}", " ".repeat(self.at.0), "^".repeat(self.at.1.max(1)));
        write!(
            f,
            "error: {}\n --> --slo, column {}\n  |\n  | {}\n  | {caret}\n  = {}",
            self.what,
            self.at.0 + 1,
            self.text,
            self.help
        )
    }
}

impl std::error::Error for SloError {}

/// A word of the text and its place in characters.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub text: String,
    pub at: usize,
}

impl Word {
    /// A mistake in this word.
    pub fn wrong(&self, whole: &str, what: String, help: impl Into<String>) -> SloError {
        SloError { what, text: whole.to_owned(), at: (self.at, self.text.chars().count()), help: help.into() }
    }
}

/// Cut at spaces, and around comparisons and commas.
pub(super) fn words(text: &str) -> Vec<Word> {
    let part = |c: char| match c {
        '<' | '>' | '=' | '≤' | '≥' | '!' => Part::Comparison,
        ',' | '&' => Part::Joint,
        _ => Part::Word,
    };
    let is_unit = |word: &str| UNITS.iter().any(|(unit, ..)| *unit == word);
    cut(text, part, is_unit).into_iter().map(|(text, at)| Word { text, at }).collect()
}

/// Units: their factor, and whether they are of time.
pub(super) const UNITS: [(&str, f64, bool); 8] = [
    ("ns", 1e-3, true),
    ("us", 1.0, true),
    ("µs", 1.0, true),
    ("ms", 1e3, true),
    ("s", 1e6, true),
    ("%", 0.01, false),
    ("tok/s", 1.0, false),
    ("tokens/s", 1.0, false),
];
