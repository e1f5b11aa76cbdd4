//! Why a connection was opened for a request: whose doing it was.

/// Why a request went over a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Opened {
    /// Its user had none yet.
    First,
    /// The one that was there had been idle for longer than we trust one: our own choice.
    Idle,
    /// The engine had closed the one that was there.
    Closed,
    /// Too many kept connections had died under requests, so none is kept for a while: our own choice.
    NotKept,
    /// The request before had failed, broken off, or was given up: whoever closed it then.
    Broken,
}

impl Opened {
    /// Every reason.
    pub const ALL: [Opened; 5] = [Opened::First, Opened::Idle, Opened::Closed, Opened::NotKept, Opened::Broken];

    /// The word in `samples.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            Opened::First => "first",
            Opened::Idle => "idle",
            Opened::Closed => "closed",
            Opened::NotKept => "not_kept",
            Opened::Broken => "broken",
        }
    }

    /// The reason of a word in `samples.csv`; the outer `None` is a word that is none of ours.
    pub fn parse(cell: &str) -> Option<Option<Self>> {
        if cell.is_empty() {
            return Some(None);
        }
        Self::ALL.into_iter().find(|opened| opened.as_str() == cell).map(Some)
    }
}
