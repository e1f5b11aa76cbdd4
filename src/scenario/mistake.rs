//! Mistakes in a scenario: what is wrong, where it was written, and the text people read.
//!
//! Whatever a scenario holds, the text is safe to print: control characters never reach the terminal, long lines are
//! cut around the mistake, and secrets that were written where none may be are masked.

use super::secret::is_secret_name;
use std::fmt;

/// Mistakes that are shown; with more, the text is wrong as a whole.
const TOLD: usize = 25;
/// Columns of a source line that are shown.
const SHOWN: usize = 100;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole.
    Whole,
    /// In the file.
    File {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// Characters it takes; 0 if that isn't known.
        width: usize,
        /// Offset in bytes.
        byte: usize,
    },
    /// On the command line: the argument as it was typed, secrets masked.
    Argument(String),
}

impl Place {
    /// Whether it is an argument, and no value that a suite lays over its scenarios.
    pub(super) fn is_command_line(&self) -> bool {
        matches!(self, Place::Argument(argument) if argument.starts_with("--"))
    }
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct Mistake {
    message: String,
    place: Place,
    note: String,
    help: Vec<String>,
    hidden: bool,
}

impl Mistake {
    /// A mistake in one sentence.
    pub(super) fn new(message: impl Into<String>, place: Place) -> Self {
        Self { message: message.into(), place, note: String::new(), help: Vec::new(), hidden: false }
    }

    /// A few words that stand beside the caret.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// A line below: what to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Masks the text at the caret: a secret stands there.
    pub(super) fn hide(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// As [`Mistake::note`], on one that is told already.
    pub(super) fn set_note(&mut self, note: Option<String>) {
        self.note = note.unwrap_or_default();
    }

    /// As [`Mistake::help`], on one that is told already.
    pub(super) fn add_help(&mut self, help: impl Into<String>) {
        self.help.push(help.into());
    }

    /// As [`Mistake::hide`], on one that is told already.
    pub(super) fn hide_it(&mut self) {
        self.hidden = true;
    }

    /// The same mistake, told of another place.
    pub(super) fn moved(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Whether another says the same of the same place.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.place == other.place && self.message == other.message
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it was written.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// All that is wrong with a scenario. Its text is what people read: every mistake with its line.
#[derive(Clone, Debug)]
pub struct ScenarioError {
    name: String,
    text: String,
    mistakes: Vec<Mistake>,
}

impl std::error::Error for ScenarioError {}

impl ScenarioError {
    pub(super) fn new(name: &str, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| a.place.cmp(&b.place));
        Self { name: name.to_owned(), text: text.to_owned(), mistakes }
    }

    /// The mistakes, those of the file by line, then those of the command line.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.text.lines().collect();
        for mistake in self.mistakes.iter().take(TOLD) {
            writeln!(f, "error: {}", safe(&mistake.message))?;
            frame(f, &safe(&self.name), &lines, mistake)?;
            writeln!(f)?;
        }
        // Of what was typed the file knows nothing.
        let typed = self.mistakes.iter().all(|mistake| mistake.place.is_command_line());
        match self.mistakes.len() {
            1 if typed => f.write_str("1 mistake on the command line"),
            n if typed && n <= TOLD => write!(f, "{n} mistakes on the command line"),
            1 => write!(f, "1 mistake in {}", safe(&self.name)),
            n if n > TOLD => write!(f, "more than {TOLD} mistakes in {}; these are the first", safe(&self.name)),
            n => write!(f, "{n} mistakes in {}", safe(&self.name)),
        }
    }
}

/// The place, the line with its caret, and what to do about it.
fn frame(f: &mut fmt::Formatter<'_>, name: &str, lines: &[&str], mistake: &Mistake) -> fmt::Result {
    let mut gutter = 1;
    match &mistake.place {
        Place::Whole => writeln!(f, " --> {name}")?,
        Place::Argument(argument) => writeln!(f, " --> {}", safe(argument))?,
        Place::File { line, column, width, .. } => {
            gutter = line.to_string().len();
            // A reader may place the end of the text a line past the last.
            let source = lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
            let (shown, at, carets) = excerpt(&mask(source), column.saturating_sub(1), *width, mistake.hidden);
            let (pad, indent) = (" ".repeat(gutter), " ".repeat(at));
            writeln!(f, "{pad}--> {name}:{line}:{column}")?;
            writeln!(f, "{pad} |")?;
            writeln!(f, "{line} |{}{shown}", if shown.is_empty() { "" } else { " " })?;
            let note = if mistake.note.is_empty() { String::new() } else { format!(" {}", safe(&mistake.note)) };
            writeln!(f, "{pad} | {indent}{}{note}", "^".repeat(carets))?;
        }
    }
    let pad = " ".repeat(gutter);
    if !matches!(mistake.place, Place::File { .. }) && !mistake.note.is_empty() {
        writeln!(f, "{pad} = {}", safe(&mistake.note))?;
    }
    for help in &mistake.help {
        writeln!(f, "{pad} = {}", safe(help))?;
    }
    Ok(())
}

/// A line as it can be printed, the column its caret begins at, and the number of carets.
fn excerpt(source: &str, at: usize, width: usize, hidden: bool) -> (String, usize, usize) {
    let source = source.trim_end();
    let end = at.saturating_add(width.max(1));
    let is_short = source.chars().nth(SHOWN).is_none() && source.chars().map(|c| cell(c).1).sum::<usize>() <= SHOWN;
    let first = if is_short { 0 } else { at.min(source.chars().count()).saturating_sub(SHOWN / 3) };
    let mut line = String::from(if first > 0 { "…" } else { "" });
    let mut used = usize::from(first > 0);
    let (mut from, mut to) = (None, None);
    for (i, c) in source.chars().enumerate().skip(first) {
        from = if i == at { Some(used) } else { from };
        to = if i == end { Some(used) } else { to };
        let (text, columns) = if hidden && (at..end).contains(&i) { ("*".to_owned(), 1) } else { cell(c) };
        if used + columns > SHOWN {
            line.push('…');
            break;
        }
        line.push_str(&text);
        used += columns;
    }
    let from = from.unwrap_or(used);
    (line, from, to.unwrap_or(used).saturating_sub(from).max(1))
}

/// A character as it can be printed, and the columns it takes.
fn cell(c: char) -> (String, usize) {
    match c {
        '\t' => ("    ".to_owned(), 4),
        c if unsafe_to_print(c) => ("\u{fffd}".to_owned(), 1),
        c => (c.to_string(), columns(c)),
    }
}

/// Control characters, and those that turn the direction of the text or cannot be seen.
fn unsafe_to_print(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c), 0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff)
}

/// Columns of a character in a terminal: marks that stand on another take none, East Asian wide ones and emoji two.
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x1ab0..=0x1aff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xa960..=0xa97f | 0xac00..=0xd7a3 => 2,
        0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// A text in which nothing can harm a terminal.
pub(super) fn safe(text: &str) -> String {
    text.chars().map(|c| if unsafe_to_print(c) { '\u{fffd}' } else { c }).collect()
}

/// A word of the scenario in a message: in backquotes, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", cut(text))
}

/// The first characters of a text that may be long, on one line.
pub(super) fn cut(text: &str) -> String {
    crate::metrics::human::cut(&super::scrub(text).replace('\n', " "), 60)
}

/// Masks what is written for a key that says it is secret, unless it is a reference to the environment.
pub(super) fn mask(line: &str) -> String {
    // A user and password in an address.
    if let Some((before, after)) = line.split_once("://")
        && let (authority, path) = after.split_at(after.find(['/', ' ', ',', '"', '\'']).unwrap_or(after.len()))
        && let Some((user, host)) = authority.rsplit_once('@')
    {
        return format!("{}://{}@{host}{}", mask(before), "*".repeat(user.chars().count()), mask(path));
    }
    let mut masked = String::new();
    let mut rest = line;
    while let Some(at) = rest.find([':', '=']) {
        let (before, after) = rest.split_at(at + 1);
        masked.push_str(before);
        rest = after;
        let key = before[..at].trim_end().trim_end_matches(['"', '\'']);
        let value_at = after.len() - after.trim_start().len();
        let value = &after[value_at..];
        if !is_secret_name(key) || value.is_empty() {
            continue;
        }
        let end = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |n| n + 2),
            // A list of them, each as secret as one.
            Some('[') => value.find(']').map_or(value.len(), |n| n + 1),
            _ => value.find([',', '}', ']']).filter(|_| !value.starts_with("${")).unwrap_or(value.len()),
        };
        let (secret, tail) = value.split_at(value[..end].trim_end().len());
        if secret.contains("${") || secret.trim_matches(['"', '\'']).is_empty() {
            continue;
        }
        masked.push_str(&after[..value_at]);
        masked.extend(secret.chars().map(|c| if matches!(c, '"' | '\'') { c } else { '*' }));
        rest = tail;
    }
    masked + rest
}

/// The name nearest to one that was written, if it is near enough to be meant.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let written = plain(written);
    // A long word is not worth the time, and is no typing mistake.
    let length = written.chars().count();
    if length > 64 {
        return None;
    }
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &plain(name)), name))
        .filter(|(distance, name)| *distance <= (length.max(name.chars().count()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, column: usize, width: usize) -> String {
        let place = Place::File { line: 1, column, width, byte: 0 };
        ScenarioError::new("s.yaml", text, vec![Mistake::new("no", place).note("here")]).to_string()
    }

    #[test]
    fn a_caret_stands_under_its_word_in_wide_and_tabbed_lines() {
        for (line, column) in [("a: bad", 4), ("\ta: bad", 5), ("日本: bad", 5), ("e\u{301}: bad", 5)] {
            let text = shown(line, column, 3);
            let rows: Vec<&str> = text.lines().collect();
            let width = |s: &str| s.chars().map(columns).sum::<usize>();
            let word = width(&rows[3][..rows[3].find("bad").unwrap()]);
            assert_eq!(rows[4].find('^'), Some(word), "{text}");
            assert!(rows[4].ends_with("^^^ here"));
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let line = format!("{}bad{}", "x".repeat(5000), "y".repeat(5000));
        let text = shown(&line, 5001, 3);
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows.iter().all(|row| row.chars().count() < 130), "{text}");
        let at = |row: &str, part: &str| row.find(part).map(|n| row[..n].chars().count());
        assert_eq!(at(rows[3], "bad"), at(rows[4], "^^^ here"), "{text}");
        for (column, width) in [(1, 20000), (10003, 1), (10003, 0), (99999, 7), (4990, 9000)] {
            shown(&line, column, width);
        }
    }

    #[test]
    fn nothing_printed_can_steer_a_terminal() {
        let text = shown("a: \u{1b}[31mred\u{202e}\u{7}", 4, 9);
        assert!(!text.chars().any(|c| c != '\n' && unsafe_to_print(c)), "{text:?}");
    }

    #[test]
    fn secrets_are_masked_and_references_are_not() {
        let cases = [
            ("token: abc", "token: ***"),
            ("a: { token: \"abc\", url: x }", "a: { token: \"***\", url: x }"),
            ("token: ${T:-}", "token: ${T:-}"),
            ("Authorization: Bearer abc", "Authorization: **********"),
            ("a.token: [abc, d]", "a.token: ********"),
            ("max_tokens: 8", "max_tokens: 8"),
            ("{ url: \"http://me:pw@h:1/a\", token: x }", "{ url: \"http://*****@h:1/a\", token: * }"),
            ("openai:http://h:1,token=abc,model=m", "openai:http://h:1,token=***,model=m"),
        ];
        for (line, masked) in cases {
            assert_eq!(mask(line), masked);
        }
    }

    #[test]
    fn the_nearest_name_is_one_that_could_be_meant() {
        let names = ["url", "model", "keep_alive"];
        for (written, meant) in [
            ("modle", Some("model")),
            ("keepalive", Some("keep_alive")),
            ("keep-alive", Some("keep_alive")),
            ("URL", Some("url")),
            ("timeout", None),
        ] {
            assert_eq!(nearest(written, names), meant, "{written}");
        }
    }
}
