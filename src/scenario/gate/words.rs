//! A gate cut into words, each with its place.

use crate::scenario::cut::{Part, cut};

/// A word and where it begins, in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub at: usize,
}

/// The words of a text: cut at spaces, around comparisons, `*` and `+`. A `-` is one only with a space on each side: names of
/// targets have dashes, too.
pub(super) fn words(text: &str) -> Vec<Word> {
    let part = |c: char| match c {
        '<' | '>' | '=' | '≤' | '≥' | '!' => Part::Comparison,
        '*' | '×' | '+' => Part::Alone,
        _ => Part::Word,
    };
    let is_unit = |word: &str| UNITS.iter().any(|(unit, ..)| *unit == word);
    cut(text, part, is_unit).into_iter().map(|(text, at)| Word { text, at }).collect()
}

/// What a unit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Time,
    Share,
    Points,
    Rate,
    Bytes,
    Joules,
}

/// Units, what they come to in the unit that `summary.csv` has, and what they are of.
pub(super) const UNITS: [(&str, f64, Of); 20] = [
    ("ns", 1e-3, Of::Time),
    ("us", 1.0, Of::Time),
    ("µs", 1.0, Of::Time),
    ("ms", 1e3, Of::Time),
    ("s", 1e6, Of::Time),
    ("min", 60e6, Of::Time),
    ("%", 0.01, Of::Share),
    ("pp", 0.01, Of::Points),
    ("/s", 1.0, Of::Rate),
    ("tok/s", 1.0, Of::Rate),
    ("tokens/s", 1.0, Of::Rate),
    ("requests/s", 1.0, Of::Rate),
    ("B", 1.0, Of::Bytes),
    ("KB", 1e3, Of::Bytes),
    ("MB", 1e6, Of::Bytes),
    ("GB", 1e9, Of::Bytes),
    ("KiB", 1024.0, Of::Bytes),
    ("MiB", 1_048_576.0, Of::Bytes),
    ("GiB", 1_073_741_824.0, Of::Bytes),
    ("J", 1.0, Of::Joules),
];
