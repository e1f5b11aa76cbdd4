//! What a request found of the prefix that it shares with others of its group.

/// Whether a request was the first of its group, or came after one that was answered. What was sent between the two belongs to
/// neither: nobody can say whether the prefix was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PrefixUse {
    /// The first of its group that was sent to its target in the measured part: its prefix is in no cache.
    First,
    /// Sent when one of its group had been answered: its prefix is in the cache of an engine that has one.
    Later,
}

impl PrefixUse {
    /// Both.
    pub const ALL: [PrefixUse; 2] = [PrefixUse::First, PrefixUse::Later];

    /// The word in `samples.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            PrefixUse::First => "first",
            PrefixUse::Later => "later",
        }
    }

    /// The use of a word in `samples.csv`; the outer `None` is a word that is none of ours.
    pub fn parse(cell: &str) -> Option<Option<Self>> {
        if cell.is_empty() {
            return Some(None);
        }
        Self::ALL.into_iter().find(|known| known.as_str() == cell).map(Some)
    }
}
