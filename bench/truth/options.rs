//! What was asked on the command line.

/// The words of the command line.
pub struct Options(Vec<String>);

impl Options {
    pub fn given() -> Self {
        Self(std::env::args().collect())
    }

    /// Those of the short form.
    pub fn of_short() -> Self {
        Self(vec!["--short".to_owned()])
    }

    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|option| option == word)
    }

    /// The word after a word.
    pub fn after(&self, word: &str) -> Option<String> {
        self.0.get(self.0.iter().position(|option| option == word)? + 1).cloned()
    }

    /// The number after a word, or the usual one.
    pub fn number(&self, word: &str, usual: u64) -> u64 {
        self.after(word).and_then(|number| number.parse().ok()).unwrap_or(usual)
    }

    /// Whether a part, or a way of driving, is wanted: all, or those whose names hold what `--only` says.
    pub fn wanted(&self, name: &str) -> bool {
        self.after("--only").is_none_or(|only| name.contains(&only))
    }

    /// The form of minutes: fewer runs, of fewer ways.
    pub fn short(&self) -> bool {
        self.has("--short")
    }

    /// Whether all is wanted.
    pub fn whole(&self) -> bool {
        !self.short() && !self.has("--only")
    }
}
